//! Errors in a time, a duration, or a time zone that a person typed.

use std::fmt;

use crate::render::text::{SafeText, safe};

/// What is wrong with a time that a person typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttentionError {
    /// Not a duration.
    Duration(SafeText),
    /// Under a minute or over [`super::Mute::MAX`].
    OutOfRange(SafeText),
    /// No time of day.
    Time(SafeText),
    /// Quiet hours without length, or all day.
    NoLength(SafeText),
    /// Not a place's time zone: what was typed, and the fix.
    Timezone(SafeText, SafeText),
}

impl AttentionError {
    /// What the person reads.
    #[must_use]
    pub fn sentence(&self) -> SafeText {
        match self {
            Self::Duration(typed) => safe!("“{}” isn't a valid duration. Try `30m`, `1h30m` or `2d`.", typed),
            Self::OutOfRange(typed) => safe!("“{}” is too short or too long. Use 1 minute to 30 days, e.g. `30m` or `7d`.", typed),
            Self::Time(typed) => safe!("“{}” isn't a time of day. Try `22:00`, `7:30` or `10pm`.", typed),
            Self::NoLength(time) => safe!(
                "Quiet hours that end at {}, when they begin, have no length: choose two different times, e.g. from `22:00` to `7:00`.",
                time
            ),
            Self::Timezone(typed, fix) => safe!("“{}” isn't a time zone name. {}", typed, fix),
        }
    }
}

impl fmt::Display for AttentionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sentence().fmt(f)
    }
}

impl std::error::Error for AttentionError {}
