//! Limits requests to one endpoint of the CAD to a share of its limit per minute, since the game server and every other integration
//! with the same key use the same limit (docs/cad-contract.md#r4).
//!
//! Pure. Times are durations since the reader began, from a monotonic clock.

use std::collections::VecDeque;
use std::time::Duration;

/// The CAD counts per minute.
pub(super) const MINUTE: Duration = Duration::from_secs(60);
/// How long we ask less after a 429.
const STRAINED: Duration = Duration::from_secs(600);
/// A second 429 in that time halves again, to an eighth at most.
const MAX_STRAIN: u32 = 3;

/// One endpoint's budget.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    per_minute: u32,
    /// When the last `per_minute` requests ended, oldest first. The end counts, not the beginning: the CAD saw the request somewhere
    /// between the two, and its minute may begin with either.
    ended: VecDeque<Duration>,
    flying: bool,
    rests_until: Duration,
    strain: u32,
    strained_until: Duration,
}

impl Budget {
    /// A fresh one. Zero per minute counts as one.
    pub(super) fn new(per_minute: u32) -> Self {
        Self {
            per_minute: per_minute.max(1),
            ended: VecDeque::new(),
            flying: false,
            rests_until: Duration::ZERO,
            strain: 0,
            strained_until: Duration::ZERO,
        }
    }

    /// When the next request may begin, if none is in flight.
    pub(super) fn free_at(&self) -> Duration {
        let full = self.ended.len() >= self.per_minute as usize;
        let window = self.ended.front().filter(|_| full).map_or(Duration::ZERO, |end| *end + MINUTE);
        // After a 429, requests keep a minimum distance: one a minute becomes one in two, which a count per minute can't express.
        let spaced = match self.ended.back() {
            Some(last) if self.strain > 0 => (*last + (MINUTE / self.per_minute) * (1 << self.strain)).min(self.strained_until),
            _ => Duration::ZERO,
        };
        window.max(spaced).max(self.rests_until)
    }

    /// Whether a request may begin now.
    pub(super) fn is_free(&self, now: Duration) -> bool {
        !self.flying && self.free_at() <= now
    }

    /// Whether one is in flight.
    pub(super) fn is_flying(&self) -> bool {
        self.flying
    }

    /// A request begins.
    pub(super) fn begin(&mut self) {
        self.flying = true;
    }

    /// The request ended, with any result.
    pub(super) fn end(&mut self, now: Duration) {
        self.flying = false;
        self.ended.push_back(now);
        while self.ended.len() > self.per_minute as usize {
            self.ended.pop_front();
        }
    }

    /// Pauses for this long.
    pub(super) fn rest(&mut self, wait: Duration, now: Duration) {
        self.rests_until = self.rests_until.max(now + wait);
    }

    /// The CAD said 429, so somebody else needs the rest: pauses as long as it says, then asks half as often for a while.
    pub(super) fn limited(&mut self, retry_after: Option<Duration>, now: Duration) {
        self.rest(retry_after.unwrap_or(MINUTE).max(Duration::from_secs(1)), now);
        if now >= self.strained_until {
            self.strain = 0;
        }
        self.strain = MAX_STRAIN.min(self.strain + 1);
        self.strained_until = now + STRAINED;
    }

    /// Requests that could begin now, one after another.
    pub(super) fn left(&self, now: Duration) -> u32 {
        if self.free_at() > now {
            return 0;
        }
        let used = self.ended.iter().filter(|end| **end + MINUTE > now).count() + usize::from(self.flying);
        let left = self.per_minute.saturating_sub(u32::try_from(used).unwrap_or(u32::MAX));
        if self.strain > 0 && now < self.strained_until { left.min(1) } else { left }
    }

    /// The main purpose.
    pub(super) fn per_minute(&self) -> u32 {
        self.per_minute
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// One request after another as soon as allowed, each taking a second: when they began.
    fn begun(budget: &mut Budget, until: Duration) -> Vec<u64> {
        let mut now = s(0);
        let mut begun = Vec::new();
        loop {
            now = now.max(budget.free_at());
            if now >= until {
                return begun;
            }
            assert!(budget.left(now) > 0);
            begun.push(now.as_secs());
            budget.begin();
            assert!(!budget.is_free(now));
            now += s(1);
            budget.end(now);
        }
    }

    #[test]
    fn a_share_of_each_minute_and_no_more() {
        assert_eq!(begun(&mut Budget::new(1), s(200)), [0, 61, 122, 183]);
        assert_eq!(begun(&mut Budget::new(2), s(130)), [0, 1, 61, 62, 122, 123]);
        let mut budget = Budget::new(2);
        assert_eq!(budget.left(s(0)), 2);
        budget.begin();
        assert_eq!(budget.left(s(0)), 1);
        budget.end(s(3));
        assert_eq!((budget.left(s(3)), budget.left(s(62)), budget.left(s(63))), (1, 1, 2));
    }

    #[test]
    fn after_a_429_it_rests_and_then_asks_half_as_often_for_ten_minutes() {
        for (per_minute, apart) in [(1, 120), (2, 60), (5, 24)] {
            let mut budget = Budget::new(per_minute);
            budget.begin();
            budget.end(s(0));
            budget.limited(Some(s(30)), s(0));
            assert_eq!((budget.left(s(29)), budget.free_at()), (0, s(apart.max(30))));
            let begun = begun(&mut budget, s(700));
            // The distance is counted from the end of the first, which takes a second.
            let strained: Vec<u64> = begun.iter().copied().filter(|at| *at < 590 && *at >= apart).collect();
            assert!(strained.windows(2).all(|two| two[1] - two[0] == apart + 1), "{begun:?}");
            // Back to normal: the whole share fits in one minute again.
            assert_eq!(begun.iter().filter(|at| (600..660).contains(*at)).count(), per_minute as usize, "{begun:?}");
        }
    }

    #[test]
    fn a_429_without_a_wait_rests_a_minute_and_a_second_one_halves_again() {
        let mut budget = Budget::new(2);
        budget.limited(None, s(0));
        assert_eq!(budget.free_at(), s(60));
        for (nth, apart) in [(1, 120), (2, 240), (3, 240)] {
            let now = s(100 * nth);
            budget.begin();
            budget.end(now);
            budget.limited(Some(s(0)), now);
            assert_eq!(budget.free_at(), now + s(apart));
            assert_eq!(budget.left(now + s(apart)), 1);
        }
        // Much later, one 429 counts as the first again.
        budget.end(s(5_000));
        budget.limited(Some(s(0)), s(5_000));
        assert_eq!(budget.free_at(), s(5_060));
    }
}
