//! Who was shown a form that they may send, because they were let run its command.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::press_permission::GOES_ON;
use crate::clock::UnixMs;
use crate::ids::{GuildId, UserId};

/// Forms that are remembered; beyond it those who are shown one need Manage Server to send it.
const MOST_OPENINGS: usize = 1_000;

/// To whom the form was shown, and when. A form says nothing of the command that opened it, and whether Discord would take one from somebody to
/// whom it was never shown is not documented. So this is remembered, and forgotten by a restart: then Manage Server is needed.
#[derive(Debug, Default)]
pub(super) struct Openings(Mutex<HashMap<(GuildId, UserId), UnixMs>>);

impl Openings {
    fn lasting(&self, now: UnixMs) -> MutexGuard<'_, HashMap<(GuildId, UserId), UnixMs>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, at| now.since(*at) < GOES_ON);
        all
    }

    pub(super) fn add(&self, who: (GuildId, UserId), now: UnixMs) {
        let mut all = self.lasting(now);
        if all.len() < MOST_OPENINGS || all.contains_key(&who) {
            all.insert(who, now);
        }
    }

    pub(super) fn has(&self, who: (GuildId, UserId), now: UnixMs) -> bool {
        self.lasting(now).contains_key(&who)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_shown_the_form_may_send_it_for_an_hour() {
        let (openings, at) = (Openings::default(), UnixMs(1_790_000_000_000));
        let who = |guild, user| (GuildId(guild), UserId(user));
        openings.add(who(1, 1), at);
        assert!(openings.has(who(1, 1), at.plus(3_599_999)));
        assert!(!openings.has(who(1, 2), at) && !openings.has(who(2, 1), at));
        assert!(!openings.has(who(1, 1), at.plus(3_600_000)));
        (10..5_000).for_each(|user| openings.add(who(1, user), at.plus(1)));
        assert!(openings.0.lock().unwrap().len() <= MOST_OPENINGS);
    }
}
