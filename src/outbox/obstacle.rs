//! Obstacles that keep a message from being sent although its text is fine: how long it waits, how far the obstacle reaches, when people
//! are notified. A post is never given up for one: it waits until the obstacle is gone.

use super::{Place, backoff};
use crate::ids::ChannelId;

/// The obstacle. Each kind is reported once, with its own text, until it is resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// No response, 5xx, or an invalid response.
    Down,
    /// A proxy in front of Discord refused: a web page instead of Discord's JSON, or code 40333.
    Edge,
    /// The channel has as many open threads as Discord allows (160006, 160007).
    Full,
    /// The forum requires a tag on every post (40067).
    Tags,
    /// The thread or forum post is archived and locked (160005, or 50083 and we may not reopen it).
    Locked,
    /// We may not write into threads of this channel.
    Threads,
    /// AutoMod or Discord's link filter blocks the text.
    Blocked,
    /// A permission that this message needs and others in the channel don't, such as Attach Files.
    Refused,
    /// Discord rejects the name of a thread, even a neutral one.
    Name,
    /// A temporary limit of Discord's, by its code.
    Limit(i64),
    /// An unknown code (or HTTP status).
    Unknown(i64),
}

/// First and longest wait for temporary obstacles and for those that a person must fix (ms).
const FIRST_MS: i64 = 5_000;
/// One request a minute for each channel: if somebody frees a thread in a forum, its posts don't wait long.
const HELD_MAX_MS: i64 = 60_000;
const MAX_MS: i64 = 600_000;

impl Obstacle {
    /// Its name in rows: equal names are one report. `channel`: the one that the request named.
    #[must_use]
    pub fn word(self, channel: ChannelId) -> String {
        match self {
            Self::Down => "down".into(),
            Self::Edge => "edge".into(),
            Self::Full => "full".into(),
            Self::Tags => "tags".into(),
            Self::Locked => format!("locked:{channel}"),
            Self::Threads => "threads".into(),
            Self::Blocked => "blocked".into(),
            Self::Refused => "refused".into(),
            Self::Name => "name".into(),
            Self::Limit(code) | Self::Unknown(code) => format!("code:{code}"),
        }
    }

    /// It isn't about one channel: one report for the whole guild.
    #[must_use]
    pub fn is_everywhere(self) -> bool {
        matches!(self, Self::Down | Self::Edge)
    }

    /// Whether it affects every post to be created in this place: one post tries for all of them.
    #[must_use]
    pub fn holds(self, place: Place) -> bool {
        match self {
            Self::Full | Self::Tags => place == Place::Forum || place == Place::Thread,
            Self::Threads => place == Place::Thread,
            _ => false,
        }
    }

    /// Failures in a row before people are notified: what passes within seconds isn't news.
    #[must_use]
    pub fn reported_after(self) -> u32 {
        match self {
            Self::Down => 8,
            Self::Edge => 5,
            Self::Limit(_) => 3,
            _ => 1,
        }
    }

    /// Milliseconds before attempt number `attempts` + 1.
    #[must_use]
    pub fn wait_ms(self, attempts: u32, jitter: f64) -> i64 {
        let (first, most) = match self {
            Self::Down | Self::Edge => return backoff(attempts, jitter),
            Self::Full | Self::Tags | Self::Limit(_) => (FIRST_MS, HELD_MAX_MS),
            Self::Unknown(_) | Self::Name => (FIRST_MS, MAX_MS),
            Self::Locked | Self::Threads | Self::Blocked | Self::Refused => (30_000, MAX_MS),
        };
        let full = first.saturating_mul(1_i64.checked_shl(attempts.min(16)).unwrap_or(1)).min(most);
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "at most 120,000")]
        let less = (full as f64 * 0.2 * jitter.clamp(0.0, 1.0)) as i64;
        full.saturating_sub(less)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_obstacle_is_hammered_and_none_waits_longer_than_ten_minutes() {
        for obstacle in [Obstacle::Down, Obstacle::Edge, Obstacle::Full, Obstacle::Locked, Obstacle::Unknown(1), Obstacle::Limit(2)] {
            let waits: Vec<i64> = (0..40).map(|attempts| obstacle.wait_ms(attempts, 1.0)).collect();
            assert!(waits.is_sorted() && waits[0] >= 400 && waits[39] <= MAX_MS, "{obstacle:?}: {waits:?}");
            assert!(waits[20] >= 48_000, "{obstacle:?}");
        }
    }
}
