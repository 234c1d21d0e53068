//! Errors in a time, a duration, or a time zone that a person typed.

use crate::render::text::SafeText;

/// What is wrong with a time that a person typed. The sentence is for people; typed text in it is made harmless for Discord.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttentionError {
    /// Not a duration.
    #[error("“{0}” isn't a valid duration. Try `30m`, `1h30m` or `2d`.")]
    Duration(SafeText),
    /// Under a minute or over [`super::Mute::MAX`].
    #[error("“{0}” is too short or too long. Use 1 minute to 30 days, e.g. `30m` or `7d`.")]
    OutOfRange(SafeText),
    /// No time of day.
    #[error("“{0}” isn't a time of day. Try `22:00`, `7:30` or `10pm`.")]
    Time(SafeText),
    /// Quiet hours without length, or all day.
    #[error("Quiet hours that end at {0}, when they begin, have no length: choose two different times, e.g. from `22:00` to `7:00`.")]
    NoLength(String),
    /// Not a place's time zone: what was typed, and the fix.
    #[error("“{0}” isn't a time zone name. {1}")]
    Timezone(SafeText, String),
}
