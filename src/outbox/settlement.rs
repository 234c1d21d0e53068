//! Decides what a verdict means for the post: it is delivered, retried, parked, sent in another way, or given up.

use std::time::Duration;

use super::{Claim, Obstacle, Operation, Verdict, backoff};
use crate::clock::UnixMs;
use crate::ids::MessageId;

/// The consequence for the post.
#[derive(Clone, Debug, PartialEq)]
pub enum Settlement {
    /// The claimed version is in this message.
    Delivered(MessageId),
    /// Retry at `due`.
    Again {
        due: UnixMs,
        /// Whether this counts as a failed attempt.
        counts: bool,
        /// The create may have been done: keep `creating`. An earlier create in doubt stays so in any case.
        in_doubt: bool,
        /// For people and the log.
        reason: String,
        /// The obstacle; `None` = nothing that is reported.
        obstacle: Option<Obstacle>,
        /// Discord's pace for this message: it isn't late before `due`.
        on_purpose: bool,
    },
    /// Keep the post; nothing is sent to its channel until `until`.
    Park {
        /// When the channel is retried.
        until: UnixMs,
        /// For people.
        reason: String,
    },
    /// Forget the message: post it again.
    Repost,
    /// Nothing to do any more: the message is gone and so is its cause.
    Over,
    /// Discord rejects the cards together: each is sent by itself.
    Alone,
    /// Give up.
    Fail {
        /// For people and the log.
        reason: String,
    },
}

/// A refused channel is retried after this long, doubling up to [`PARK_MAX`].
const PARK: Duration = Duration::from_secs(60);
const PARK_MAX: Duration = Duration::from_secs(3_600);

/// Decides. `tries` = how often in a row the channel was refused before; `jitter` in 0.0 ..= 1.0.
#[must_use]
pub fn settle(claim: &Claim, verdict: Verdict, tries: u32, now: UnixMs, jitter: f64) -> Settlement {
    match verdict {
        Verdict::Delivered(message) => Settlement::Delivered(message),
        Verdict::Wait { length, .. } | Verdict::WaitThis { length } => {
            let on_purpose = matches!(verdict, Verdict::WaitThis { .. });
            let reason = "Discord asked us to wait".into();
            Settlement::Again { due: now.plus(length), counts: false, in_doubt: false, reason, obstacle: None, on_purpose }
        }
        Verdict::Retry { reason } => Settlement::Again {
            due: now.plus(backoff(claim.lead.attempts, jitter)),
            counts: true,
            in_doubt: true,
            reason,
            obstacle: Some(Obstacle::Down),
            on_purpose: false,
        },
        // Discord may object to only one of the cards.
        Verdict::Obstructed { obstacle: Obstacle::Unknown(_) | Obstacle::Blocked, .. } if is_new_batch(claim) => Settlement::Alone,
        Verdict::Obstructed { obstacle, reason } => again(claim, obstacle, reason, now, jitter),
        Verdict::Stop { reason } => {
            Settlement::Again { due: now.plus(PARK), counts: false, in_doubt: false, reason, obstacle: None, on_purpose: false }
        }
        // The channel accepted others since: this message needs more than they do.
        Verdict::Refused { reason } if claim.lead.isolated => again(claim, Obstacle::Refused, reason, now, jitter),
        Verdict::Refused { reason } => {
            let length = PARK.saturating_mul(1 << tries.min(10)).min(PARK_MAX);
            Settlement::Park { until: now.plus(length), reason }
        }
        Verdict::MessageGone if claim.lead.closed && !claim.lead.is_log_page() => Settlement::Over,
        Verdict::MessageGone => Settlement::Repost,
        Verdict::Invalid { .. } if is_new_batch(claim) => Settlement::Alone,
        Verdict::Invalid { reason } => Settlement::Fail { reason },
    }
}

fn again(claim: &Claim, obstacle: Obstacle, reason: String, now: UnixMs, jitter: f64) -> Settlement {
    let due = now.plus(obstacle.wait(claim.lead.attempts, jitter));
    Settlement::Again { due, counts: true, in_doubt: false, reason, obstacle: Some(obstacle), on_purpose: false }
}

fn is_new_batch(claim: &Claim) -> bool {
    claim.operation() == Operation::Create && !claim.others.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ms;
    use crate::outbox::{Lane, Post, RateScope};

    fn claim(closed: bool, attempts: u32) -> Claim {
        let sample = Claim::sample();
        Claim { lead: Post { closed, attempts, ..sample.lead }, ..sample }
    }

    #[test]
    fn waiting_costs_no_attempt_and_discords_time_is_kept_in_full() {
        let settled = settle(&claim(false, 3), Verdict::Wait { length: ms(61_234), scope: RateScope::User }, 0, UnixMs(1000), 1.0);
        let Settlement::Again { due, counts, in_doubt, .. } = settled else { panic!("{settled:?}") };
        assert_eq!((due, counts, in_doubt), (UnixMs(62_234), false, false));
    }

    #[test]
    fn trouble_leaves_a_create_in_doubt() {
        let settled = settle(&claim(false, 0), Verdict::Retry { reason: "502".into() }, 0, UnixMs(0), 0.0);
        assert!(matches!(settled, Settlement::Again { due: UnixMs(500), counts: true, in_doubt: true, .. }), "{settled:?}");
    }

    #[test]
    fn a_deleted_message_comes_back_only_while_its_cause_is_open() {
        assert_eq!(settle(&claim(false, 0), Verdict::MessageGone, 0, UnixMs(0), 0.0), Settlement::Repost);
        assert_eq!(settle(&claim(true, 0), Verdict::MessageGone, 0, UnixMs(0), 0.0), Settlement::Over);
        // Lines that came after the deletion were never seen.
        let card = claim(true, 0);
        let page = Claim { lead: Post { lane: Lane::Log, ..card.lead }, ..card };
        assert_eq!(settle(&page, Verdict::MessageGone, 0, UnixMs(0), 0.0), Settlement::Repost);
    }

    #[test]
    fn a_refused_channel_rests_longer_each_time_up_to_an_hour() {
        let rest = |tries| match settle(&claim(false, 0), Verdict::Refused { reason: "403".into() }, tries, UnixMs(0), 0.0) {
            Settlement::Park { until, .. } => until.0,
            other => panic!("{other:?}"),
        };
        assert_eq!([rest(0), rest(1), rest(5), rest(60)], [60_000, 120_000, 1_920_000, 3_600_000]);
    }
}
