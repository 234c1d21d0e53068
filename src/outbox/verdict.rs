//! Discord's response to one request, as `src/discord/answer.rs` classifies it. What follows from it for the post is in `settlement.rs`.

use std::time::Duration;

use super::{Obstacle, RateScope};
use crate::ids::MessageId;

/// Discord's response to one request, always with its reason.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The message is there.
    Delivered(MessageId),
    /// Discord demands a wait (429). Doesn't count as an attempt.
    Wait {
        length: Duration,
        /// Whom it is about.
        scope: RateScope,
    },
    /// This message alone must wait: it is old and was edited too often (code 30046). Doesn't count as an attempt.
    WaitThis { length: Duration },
    /// A temporary error: 5xx, network, time-out. The work may have been done all the same.
    Retry {
        /// For the log.
        reason: String,
    },
    /// An obstacle other than the text. The work was not done.
    Obstructed {
        obstacle: Obstacle,
        /// For people and the log.
        reason: String,
    },
    /// This channel is closed to us, in Discord's own words (50001, 50013, 10003 and the like).
    Refused {
        /// For people.
        reason: String,
    },
    /// The message to edit is gone.
    MessageGone,
    /// Discord will never accept this text: its JSON says what is wrong with the body.
    Invalid {
        /// For the log.
        reason: String,
    },
    /// The token is rejected (401): all sending stops.
    Stop {
        /// For people.
        reason: String,
    },
}
