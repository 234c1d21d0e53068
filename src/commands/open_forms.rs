//! Remembers who was shown a form, because they were allowed to run its command.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::press_permission::GOES_ON;
use crate::clock::UnixMs;
use crate::ids::{GuildId, UserId};

/// Forms remembered; when it is full, further forms need Manage Server to be submitted.
const MAX_OPEN_FORMS: usize = 1_000;

/// Who was shown the form, and when. A form doesn't say which command opened it, and it is undocumented whether Discord accepts one from a
/// person to whom it was never shown. So this is remembered, and forgotten by a restart: then Manage Server is needed.
#[derive(Debug, Default)]
pub(super) struct OpenForms(Mutex<HashMap<(GuildId, UserId), UnixMs>>);

impl OpenForms {
    fn lasting(&self, now: UnixMs) -> MutexGuard<'_, HashMap<(GuildId, UserId), UnixMs>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, at| now.since(*at) < GOES_ON);
        all
    }

    pub(super) fn add(&self, who: (GuildId, UserId), now: UnixMs) {
        let mut all = self.lasting(now);
        if all.len() < MAX_OPEN_FORMS || all.contains_key(&who) {
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
        let (open_forms, at) = (OpenForms::default(), UnixMs(1_790_000_000_000));
        let who = |guild, user| (GuildId(guild), UserId(user));
        open_forms.add(who(1, 1), at);
        assert!(open_forms.has(who(1, 1), at.plus_ms(3_599_999)));
        assert!(!open_forms.has(who(1, 2), at) && !open_forms.has(who(2, 1), at));
        assert!(!open_forms.has(who(1, 1), at.plus_ms(3_600_000)));
        (10..5_000).for_each(|user| open_forms.add(who(1, user), at.plus_ms(1)));
        assert!(open_forms.0.lock().unwrap().len() <= MAX_OPEN_FORMS);
    }
}
