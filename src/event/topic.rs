//! Topics: the kinds of news that people choose from when they route alerts to a channel.

use serde::{Deserialize, Serialize};

use super::Event;

/// A kind of news. Its name ([`Topic::as_str`]) is in commands and rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Topic {
    /// Emergency calls.
    #[serde(rename = "911")]
    Emergency,
    /// Civil calls: the same event, without emergency.
    Civil,
    /// Panic buttons.
    Panic,
    /// Dispatch calls and everything that happens to them.
    Dispatch,
    /// Units going on and off duty.
    Duty,
    /// Status changes of units.
    Status,
    /// Records other than BOLOs.
    Record,
    /// BOLO records.
    Bolo,
    /// Station alerts.
    Station,
    /// Pages.
    Pager,
    Tone,
    /// Groups, bodycams, street signs, callouts, characters, links, prints.
    Other,
}

/// Record type of a BOLO (docs/cad-contract.md#n8).
const BOLO: i64 = 3;

impl Topic {
    /// Every topic, in the order of the choices.
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

    /// The name for commands, rows and labels.
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

    /// Parses a name, in any letter case.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let word = word.trim();
        Self::ALL.into_iter().find(|topic| topic.as_str().eq_ignore_ascii_case(word))
    }

    /// The label for people. Contains no emergency number: those are the community's labels.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Emergency => "Emergency calls",
            Self::Civil => "Civil calls",
            Self::Panic => "Panic buttons",
            Self::Dispatch => "Dispatch calls",
            Self::Duty => "On and off duty",
            Self::Status => "Unit status",
            Self::Record => "Records",
            Self::Bolo => "BOLOs",
            Self::Station => "Station alerts",
            Self::Pager => "Pages",
            Self::Tone => "Tones",
            Self::Other => "Everything else",
        }
    }
}

impl Event {
    /// The topic of its posts; `None` if it has none. A removal doesn't say of what kind its calls were:
    /// it counts as [`Topic::Emergency`], and the world knows the kind. The panic flag inside a unit is the world's matter too.
    #[must_use]
    pub fn topic(&self) -> Option<Topic> {
        match self {
            Self::EmergencyNew(call) if !call.is_emergency => Some(Topic::Civil),
            Self::EmergencyNew(_) | Self::EmergencyRemoved { .. } => Some(Topic::Emergency),
            Self::Panic { .. } => Some(Topic::Panic),
            Self::DispatchNew(_)
            | Self::DispatchEdited(_)
            | Self::DispatchClosed { .. }
            | Self::DispatchNote { .. }
            | Self::UnitAttach { .. }
            | Self::UnitDetach { .. } => Some(Topic::Dispatch),
            Self::UnitLogin { .. } | Self::UnitLogout { .. } => Some(Topic::Duty),
            Self::UnitStatus { .. } | Self::UnitUpdate { .. } => Some(Topic::Status),
            Self::Record { record, .. } if record.kind == Some(BOLO) => Some(Topic::Bolo),
            Self::Record { .. } => Some(Topic::Record),
            Self::StationAlert(_) => Some(Topic::Station),
            Self::Pager(_) => Some(Topic::Pager),
            Self::Tone { .. } => Some(Topic::Tone),
            Self::GroupAdd { .. }
            | Self::GroupRemove { .. }
            | Self::GroupRename { .. }
            | Self::Bodycam { .. }
            | Self::StreetSign { .. }
            | Self::CharacterSelected { .. }
            | Self::LinkVerified { .. }
            | Self::Callout(_)
            | Self::PrintRecord { .. } => Some(Topic::Other),
            Self::Acknowledged { .. } | Self::EmergencyNote { .. } | Self::Ignored | Self::Unknown => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn words_are_parsed_written_and_serialised_alike() {
        let words = ["911", "civil", "panic", "dispatch", "duty", "status", "record", "bolo", "station", "pager", "tone", "other"];
        assert_eq!(Topic::ALL.map(Topic::as_str), words);
        for (topic, word) in Topic::ALL.into_iter().zip(words) {
            assert_eq!(Topic::parse(word), Some(topic));
            assert_eq!(Topic::parse(&format!(" {} ", word.to_uppercase())), Some(topic));
            assert_eq!(serde_json::to_value(topic).unwrap(), word);
            assert_eq!(serde_json::from_value::<Topic>(word.into()).unwrap(), topic);
        }
        for word in ["", "all", "9111", "Emergency"] {
            assert_eq!(Topic::parse(word), None, "{word}");
        }
    }

    #[test]
    fn labels_differ_and_name_no_number() {
        let labels: BTreeSet<&str> = Topic::ALL.into_iter().map(Topic::label).collect();
        assert_eq!(labels.len(), Topic::ALL.len());
        assert!(labels.iter().all(|label| !label.contains(|c: char| c.is_ascii_digit())));
    }
}
