//! Limits how often people are told why what they wrote in a thread became no note.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::clock::UnixMs;
use crate::ids::{ChannelId, UserId};

/// A sentence per person and thread at most this often (ms): who writes on is told by the reaction.
const TELL_EVERY: i64 = 600_000;
/// Who may not is not asked about in the CAD again for so long (ms): people who only talk must not use up what others need to act.
const REFUSED_FOR: i64 = 60_000;
/// People and threads remembered; beyond it nobody more is told until some are forgotten.
const MOST_TOLD: usize = 1_000;

/// Who was told why their words became no note, and who was refused, and when.
#[derive(Debug, Default)]
pub(super) struct Tellings {
    told: Mutex<HashMap<(UserId, ChannelId), UnixMs>>,
    refused: Mutex<HashMap<UserId, UnixMs>>,
}

impl Tellings {
    /// Somebody may not write notes.
    pub(super) fn refuse(&self, user: UserId, now: UnixMs) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.retain(|_, at| now.since(*at) < REFUSED_FOR);
        if refused.len() < MOST_TOLD {
            refused.insert(user, now);
        }
    }

    pub(super) fn is_refused(&self, user: UserId, now: UnixMs) -> bool {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.get(&user).is_some_and(|at| now.since(*at) < REFUSED_FOR)
    }

    /// Whether somebody is to be told now, and remembers it.
    pub(super) fn is_due(&self, user: UserId, thread: ChannelId, now: UnixMs) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, at| now.since(*at) < TELL_EVERY);
        if told.len() >= MOST_TOLD || told.contains_key(&(user, thread)) {
            return false;
        }
        told.insert((user, thread), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_told_once_in_ten_minutes_in_each_thread() {
        let (tellings, at) = (Tellings::default(), UnixMs(1_763_700_000_000));
        let due = |user, thread, ms| tellings.is_due(UserId(user), ChannelId(thread), at.plus(ms));
        assert!(due(1, 1, 0) && !due(1, 1, 599_999) && due(1, 2, 1) && due(2, 1, 2) && due(1, 1, 600_000));
        for user in 10..5_000 {
            due(user, 1, 600_001);
        }
        assert!(tellings.told.lock().unwrap().len() <= MOST_TOLD);
        tellings.refuse(UserId(1), at);
        assert!(tellings.is_refused(UserId(1), at.plus(59_999)) && !tellings.is_refused(UserId(1), at.plus(60_000)));
        assert!(!tellings.is_refused(UserId(2), at));
    }
}
