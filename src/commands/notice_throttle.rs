//! Limits how often people are notified why their message in a thread became no note.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::UnixMs;
use crate::ids::{ChannelId, UserId};

/// A person gets at most one notice per thread in this time. After that, the reaction says enough.
const NOTICE_EVERY: Duration = Duration::from_secs(600);
/// How long the CAD isn't asked again about someone who may not write notes: people who only talk must not use up the limit that
/// others need to act.
const REFUSED_FOR: Duration = Duration::from_secs(60);
/// People and threads remembered. When it is full, nobody else is notified until some are forgotten.
const MAX_REMEMBERED_PEOPLE: usize = 1_000;

/// Who was notified why their message became no note, and who was refused, and when.
#[derive(Debug, Default)]
pub(super) struct NoticeThrottle {
    notified: Mutex<HashMap<(UserId, ChannelId), UnixMs>>,
    refused: Mutex<HashMap<UserId, UnixMs>>,
}

impl NoticeThrottle {
    /// Remembers that someone may not write notes.
    pub(super) fn refuse(&self, user: UserId, now: UnixMs) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.retain(|_, at| now.since(*at) < REFUSED_FOR);
        if refused.len() < MAX_REMEMBERED_PEOPLE {
            refused.insert(user, now);
        }
    }

    pub(super) fn is_refused(&self, user: UserId, now: UnixMs) -> bool {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.get(&user).is_some_and(|at| now.since(*at) < REFUSED_FOR)
    }

    /// Whether to notify someone now. If so, remembers it.
    pub(super) fn is_due(&self, user: UserId, thread: ChannelId, now: UnixMs) -> bool {
        let mut notified = self.notified.lock().unwrap_or_else(PoisonError::into_inner);
        notified.retain(|_, at| now.since(*at) < NOTICE_EVERY);
        if notified.len() >= MAX_REMEMBERED_PEOPLE || notified.contains_key(&(user, thread)) {
            return false;
        }
        notified.insert((user, thread), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_notified_once_in_ten_minutes_in_each_thread() {
        let (throttle, at) = (NoticeThrottle::default(), UnixMs(1_763_700_000_000));
        let due = |user, thread, ms| throttle.is_due(UserId(user), ChannelId(thread), at.plus_ms(ms));
        assert!(due(1, 1, 0) && !due(1, 1, 599_999) && due(1, 2, 1) && due(2, 1, 2) && due(1, 1, 600_000));
        for user in 10..5_000 {
            due(user, 1, 600_001);
        }
        assert!(throttle.notified.lock().unwrap().len() <= MAX_REMEMBERED_PEOPLE);
        throttle.refuse(UserId(1), at);
        assert!(throttle.is_refused(UserId(1), at.plus_ms(59_999)) && !throttle.is_refused(UserId(1), at.plus_ms(60_000)));
        assert!(!throttle.is_refused(UserId(2), at));
    }
}
