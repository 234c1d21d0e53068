//! When people are called: `when`, cool-down, mute and quiet hours. Pure: time, roster and last ping are arguments.

use serde::{Deserialize, Serialize};

use crate::clock::UnixMs;

/// When a route's role is pinged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// For everything new.
    Always,
    /// For what has the highest priority only.
    #[serde(rename = "priority-1")]
    Priority1,
    /// While no unit with `isDispatch` is on duty on that server.
    NoDispatcher,
    /// Never.
    Never,
}

impl When {
    /// Every choice.
    pub const ALL: [Self; 4] = [Self::Always, Self::Priority1, Self::NoDispatcher, Self::Never];

    /// The word people type.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Priority1 => "priority-1",
            Self::NoDispatcher => "no-dispatcher",
            Self::Never => "never",
        }
    }

    /// Back from the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|when| when.as_str() == word)
    }
}

/// A route that makes no sound for a while: its cards come without pings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mute {
    /// Its end.
    pub until: UnixMs,
    /// Panics too.
    #[serde(default)]
    pub panic: bool,
}

/// A guild's quiet hours, each day: cards come without pings and sounds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quiet {
    /// Minute of the day, 0 ..= 1439, in `timezone`.
    pub from: u16,
    /// Minute of the day; before `from` = the next day.
    pub to: u16,
    /// IANA name, e.g. `Europe/Berlin`.
    pub timezone: String,
    /// Panics too.
    #[serde(default)]
    pub panic: bool,
}
