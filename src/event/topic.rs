//! The kinds of event that people choose between.
use super::Event;
/// Kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// 911 calls.
    Emergency,
    /// Civil calls.
    Civil,
    /// Panics.
    Panic,
    /// Dispatch calls.
    Dispatch,
    /// Duty.
    Duty,
    /// Status.
    Status,
    /// Records.
    Record,
    /// BOLOs.
    Bolo,
    /// Stations.
    Station,
    /// Pager.
    Pager,
    /// Tones.
    Tone,
    /// Rest.
    Other,
}
impl Topic {
    /// All.
    pub const ALL: [Self; 12] = [
        Self::Emergency,
        Self::Civil,
        Self::Panic,
        Self::Dispatch,
        Self::Duty,
        Self::Status,
        Self::Record,
        Self::Bolo,
        Self::Station,
        Self::Pager,
        Self::Tone,
        Self::Other,
    ];
    /// Wire name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Emergency => "911",
            Self::Civil => "civil",
            Self::Panic => "panic",
            Self::Dispatch => "dispatch",
            Self::Duty => "duty",
            Self::Status => "status",
            Self::Record => "record",
            Self::Bolo => "bolo",
            Self::Station => "station",
            Self::Pager => "pager",
            Self::Tone => "tone",
            Self::Other => "other",
        }
    }
    /// Back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.as_str() == text)
    }
}
impl Event {
    /// Topic.
    #[must_use]
    pub fn topic(&self) -> Option<Topic> {
        None
    }
}
