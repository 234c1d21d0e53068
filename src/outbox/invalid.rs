//! Counts invalid requests: Discord bans an address for an hour after 10,000 (401, 403, or 429 that isn't shared) within ten minutes. We
//! slow down at a tenth of it and stop at half. Pure.

use std::time::Duration;

use crate::clock::{UnixMs, millis};

/// The span of one slot.
const SLOT: Duration = Duration::from_secs(10);
/// Ten minutes.
const SLOTS: usize = 60;
/// From this number on, one request a second.
pub(super) const SLOW_FROM: u32 = 1_000;
/// From this number on, none, until enough of them are ten minutes old.
pub(super) const STOP_FROM: u32 = 5_000;

/// The consequence of the number of invalid requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendPace {
    /// Nothing.
    Free,
    /// One request a second; panics are exempt.
    Slow,
    /// No request before then.
    Stop {
        /// When the count may be lower.
        until: UnixMs,
    },
}

/// Invalid requests of the last ten minutes.
#[derive(Clone, Debug)]
pub(super) struct InvalidRequests {
    counts: [u32; SLOTS],
    /// The latest slot.
    slot: i64,
}

impl Default for InvalidRequests {
    fn default() -> Self {
        Self { counts: [0; SLOTS], slot: 0 }
    }
}

impl InvalidRequests {
    /// Counts one more.
    pub(super) fn note(&mut self, now: UnixMs) {
        let slot = now.0.div_euclid(millis(SLOT));
        if slot > self.slot {
            let passed = usize::try_from(slot - self.slot).unwrap_or(SLOTS).min(SLOTS);
            for back in 0..passed {
                if let Some(count) = self.counts.get_mut(place(slot - i64::try_from(back).unwrap_or(0))) {
                    *count = 0;
                }
            }
            self.slot = slot;
        }
        // A clock that went back counts into the latest slot: nothing is forgotten early.
        if let Some(count) = self.counts.get_mut(place(self.slot)) {
            *count = count.saturating_add(1);
        }
    }

    /// How many in the last ten minutes, rounded up to ten seconds.
    #[must_use]
    pub(super) fn count(&self, now: UnixMs) -> u32 {
        self.slots(now).map(|(_, count)| count).fold(0, u32::saturating_add)
    }

    /// The consequence.
    #[must_use]
    pub(super) fn pace(&self, now: UnixMs) -> SendPace {
        let count = self.count(now);
        match count {
            0..SLOW_FROM => SendPace::Free,
            SLOW_FROM..STOP_FROM => SendPace::Slow,
            STOP_FROM.. => {
                // Oldest first: until fewer than the bound are left.
                let mut left = count;
                let freed = self.slots(now).find(|(_, slot)| {
                    left = left.saturating_sub(*slot);
                    left < STOP_FROM
                });
                let slots = i64::try_from(SLOTS).unwrap_or(60);
                let until = freed.map_or(now.plus(SLOT), |(slot, _)| UnixMs(slot.saturating_add(slots).saturating_mul(millis(SLOT))));
                SendPace::Stop { until: until.max(now.plus_ms(1)) }
            }
        }
    }

    /// Number and count of the slots that are not too old, oldest first.
    fn slots(&self, now: UnixMs) -> impl Iterator<Item = (i64, u32)> + '_ {
        let slots = i64::try_from(SLOTS).unwrap_or(60);
        let oldest = now.0.div_euclid(millis(SLOT)).saturating_sub(slots - 1);
        let held = self.slot.saturating_sub(slots - 1)..=self.slot;
        held.filter(move |slot| *slot >= oldest).filter_map(|slot| Some((slot, *self.counts.get(place(slot))?)))
    }
}

fn place(slot: i64) -> usize {
    usize::try_from(slot.rem_euclid(i64::try_from(SLOTS).unwrap_or(60))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(times: &[(i64, u32)]) -> InvalidRequests {
        let mut invalid = InvalidRequests::default();
        for (at, many) in times {
            (0..*many).for_each(|_| invalid.note(UnixMs(*at)));
        }
        invalid
    }

    #[test]
    fn ten_minutes_are_counted_and_no_more() {
        let invalid = noted(&[(1_000_000, 3), (1_300_000, 4)]);
        assert_eq!([1_300_000, 1_589_999, 1_600_000, 1_900_000].map(|now| invalid.count(UnixMs(now))), [7, 7, 4, 0]);
    }

    #[test]
    fn a_tenth_slows_and_half_stops_until_enough_are_old() {
        assert_eq!(noted(&[(0, 999)]).pace(UnixMs(0)), SendPace::Free);
        assert_eq!(noted(&[(0, 1_000)]).pace(UnixMs(0)), SendPace::Slow);
        let invalid = noted(&[(0, 100), (60_000, 4_000), (120_000, 950)]);
        assert_eq!(invalid.pace(UnixMs(120_000)), SendPace::Stop { until: UnixMs(600_000) });
        assert_eq!(invalid.pace(UnixMs(600_000)), SendPace::Slow);
        assert_eq!(invalid.pace(UnixMs(660_000)), SendPace::Free);
    }

    #[test]
    fn a_clock_that_jumps_forgets_nothing_early_and_breaks_nothing() {
        let mut invalid = noted(&[(1_000_000, 5)]);
        invalid.note(UnixMs(10));
        assert_eq!(invalid.count(UnixMs(1_000_000)), 6);
        invalid.note(UnixMs(i64::MAX));
        assert_eq!(invalid.count(UnixMs(i64::MAX)), 1);
        invalid.note(UnixMs(i64::MIN));
        assert!(invalid.count(UnixMs(i64::MIN)) >= 1);
    }
}
