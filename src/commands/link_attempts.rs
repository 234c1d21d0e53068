//! Counts the attempts of `/cad link`, so that nobody can guess an API key.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::errors::Error;
use crate::clock::UnixMs;
use crate::ids::{GuildId, UserId};
use crate::render::text::safe;

/// Attempts of one server, and of one person, in [`ATTEMPTS_WITHIN`].
const MAX_ATTEMPTS: usize = 5;
/// See [`MAX_ATTEMPTS`].
const ATTEMPTS_WITHIN: Duration = Duration::from_secs(3_600);
/// Servers and people whose attempts are remembered. When it is full, nobody else may try until some expire.
const MAX_REMEMBERED: usize = 10_000;

/// Who tried, and when. A restart forgets it, but nobody outside can cause one.
#[derive(Debug, Default)]
pub(super) struct LinkAttempts(Mutex<HashMap<Trier, Vec<UnixMs>>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Trier {
    Guild(GuildId),
    User(UserId),
}

impl LinkAttempts {
    /// Whether there is an attempt left.
    pub(super) fn may(&self, guild: GuildId, user: UserId, now: UnixMs) -> Result<(), Error> {
        self.count(guild, user, now, false).map(|_| ())
    }

    /// Uses one; returns how many are left.
    pub(super) fn take(&self, guild: GuildId, user: UserId, now: UnixMs) -> Result<usize, Error> {
        self.count(guild, user, now, true)
    }

    fn count(&self, guild: GuildId, user: UserId, now: UnixMs, take: bool) -> Result<usize, Error> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, tries| {
            tries.retain(|at| now.since(*at) < ATTEMPTS_WITHIN);
            !tries.is_empty()
        });
        let triers = [Trier::Guild(guild), Trier::User(user)];
        let of = |trier: &Trier| all.get(trier).map_or(&[][..], Vec::as_slice);
        let made = triers.iter().map(|trier| of(trier).len()).max().unwrap_or(0);
        if made >= MAX_ATTEMPTS {
            let again = triers.iter().filter(|trier| of(trier).len() >= MAX_ATTEMPTS).filter_map(|trier| of(trier).first()).max();
            let at = again.map_or(now, |first| first.plus(ATTEMPTS_WITHIN)).secs();
            return Err(Error::refused(safe!(
                "That was tried {} times within an hour, by you or on this Discord server. Try again <t:{}:R>.",
                MAX_ATTEMPTS,
                at
            )));
        }
        if all.len() + triers.iter().filter(|trier| !all.contains_key(trier)).count() > MAX_REMEMBERED {
            return Err(Error::refused("Too many people try to link their Discord servers right now. Try again in an hour."));
        }
        if take {
            for trier in triers {
                all.entry(trier).or_default().push(now);
            }
            return Ok(MAX_ATTEMPTS - made - 1);
        }
        Ok(MAX_ATTEMPTS - made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = UnixMs(1_790_000_000_000);

    #[test]
    fn five_tries_an_hour_of_a_guild_and_of_a_person() {
        let tries = LinkAttempts::default();
        for left in (0..5).rev() {
            assert_eq!(tries.take(GuildId(1), UserId(1), NOW).unwrap(), left);
        }
        assert!(tries.take(GuildId(1), UserId(2), NOW).is_err(), "another person there");
        assert!(tries.take(GuildId(2), UserId(1), NOW).is_err(), "the same person elsewhere");
        assert!(tries.may(GuildId(1), UserId(1), NOW).is_err());
        assert_eq!(tries.take(GuildId(2), UserId(2), NOW).unwrap(), 4);
        let refused = tries.take(GuildId(1), UserId(2), NOW).unwrap_err().sentence("");
        assert!(refused.contains(&format!("<t:{}:R>", NOW.plus(ATTEMPTS_WITHIN).secs())), "{refused}");
        // A rejected attempt isn't counted, and after an hour everything is as in the beginning.
        assert_eq!(tries.take(GuildId(1), UserId(1), NOW.plus(ATTEMPTS_WITHIN)).unwrap(), 4);
    }

    #[test]
    fn tries_are_remembered_up_to_a_bound_and_nobody_gets_more_by_filling_it() {
        let tries = LinkAttempts::default();
        for _ in 0..5 {
            tries.take(GuildId(1), UserId(1), NOW).unwrap();
        }
        for n in 10..20_000 {
            tries.take(GuildId(n), UserId(n), NOW).ok();
        }
        assert!(tries.0.lock().unwrap().len() <= MAX_REMEMBERED);
        assert!(tries.take(GuildId(1), UserId(1), NOW).is_err());
        assert!(tries.take(GuildId(30_000), UserId(30_000), NOW).unwrap_err().sentence("").contains("in an hour"));
        assert!(tries.take(GuildId(30_000), UserId(30_000), NOW.plus(ATTEMPTS_WITHIN)).is_ok());
    }
}
