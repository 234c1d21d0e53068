//! What keeps a message from being sent although nothing is wrong with its text: how long it waits, how far it reaches, when people hear
//! of it. Nothing here is ever given up for: the post waits until the obstacle is gone.

use super::{Place, backoff};
use crate::ids::ChannelId;

/// What is in the way. Each kind is reported once, in words of its own, until it is resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// No answer, 5xx, or an answer that makes no sense.
    Down,
    /// Something in front of Discord refused: a web page instead of Discord's JSON, or code 40333.
    Edge,
    /// The channel has as many open threads as Discord allows (160006, 160007).
    Full,
    /// The forum requires a tag on every post (40067).
    Tags,
    /// The thread or forum post is closed and locked (160005, or 50083 and we may not open it again).
    Locked,
    /// We may not write into threads of this channel.
    Threads,
    /// AutoMod or Discord's link filter holds the text back.
    Blocked,
    /// A permission that this message needs and others in the channel do not, such as Attach Files.
    Refused,
    /// Discord does not take the name of a thread, not even a neutral one.
    Name,
    /// A limit of Discord's that passes by itself, by its code.
    Limit(i64),
    /// A code (or HTTP status) that we do not know.
    Unknown(i64),
}

/// First wait and longest wait of what passes by itself or by a person's hand (ms).
const FIRST_MS: i64 = 5_000;
/// One request a minute for each channel: nobody who makes room in a forum waits long.
const HELD_MAX_MS: i64 = 60_000;
const MAX_MS: i64 = 600_000;

impl Obstacle {
    /// The word in rows: equal words are one report. `channel`: the one that the request named.
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

    /// It says nothing about one channel: one report for the whole guild.
    #[must_use]
    pub fn is_everywhere(self) -> bool {
        matches!(self, Self::Down | Self::Edge)
    }

    /// Whatever else is to be made in this place will meet it too: one post tries for all of them.
    #[must_use]
    pub fn holds(self, place: Place) -> bool {
        match self {
            Self::Full | Self::Tags => place == Place::Forum || place == Place::Thread,
            Self::Threads => place == Place::Thread,
            _ => false,
        }
    }

    /// Failures in a row after which people hear of it: what passes within seconds is no news.
    #[must_use]
    pub fn is_told_after(self) -> u32 {
        match self {
            Self::Down => 8,
            Self::Edge => 5,
            Self::Limit(_) => 3,
            _ => 1,
        }
    }

    /// Milliseconds before try number `attempts` + 1.
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
