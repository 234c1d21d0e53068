//! Obstacles that keep a message from being sent although its text is fine: how long it waits, how far the obstacle reaches, when people
//! are notified. A post is never given up for one: it waits until the obstacle is gone.

use std::time::Duration;

use super::backoff::doubling;
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

/// First and longest wait for temporary obstacles and for those that a person must fix.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// One request a minute for each channel: if somebody frees a thread in a forum, its posts don't wait long.
const MAX_HELD_WAIT: Duration = Duration::from_secs(60);
const MAX_WAIT: Duration = Duration::from_secs(600);

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

    /// The wait before attempt number `attempts` + 1.
    #[must_use]
    pub fn wait(self, attempts: u32, jitter: f64) -> Duration {
        let (first, most) = match self {
            Self::Down | Self::Edge => return backoff(attempts, jitter),
            Self::Full | Self::Tags | Self::Limit(_) => (FIRST_WAIT, MAX_HELD_WAIT),
            Self::Unknown(_) | Self::Name => (FIRST_WAIT, MAX_WAIT),
            Self::Locked | Self::Threads | Self::Blocked | Self::Refused => (Duration::from_secs(30), MAX_WAIT),
        };
        doubling(first, most, attempts, jitter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ms;

    #[test]
    fn no_obstacle_is_hammered_and_none_waits_longer_than_ten_minutes() {
        for obstacle in [Obstacle::Down, Obstacle::Edge, Obstacle::Full, Obstacle::Locked, Obstacle::Unknown(1), Obstacle::Limit(2)] {
            let waits: Vec<Duration> = (0..40).map(|attempts| obstacle.wait(attempts, 1.0)).collect();
            assert!(waits.is_sorted() && waits[0] >= ms(400) && waits[39] <= MAX_WAIT, "{obstacle:?}: {waits:?}");
            assert!(waits[20] >= ms(48_000), "{obstacle:?}");
        }
    }
}
