//! The only source of wall-clock time. Everything that decides takes a [`UnixMs`] as an argument instead of asking.
//!
//! A leaf: imports nothing of ours.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMs(pub i64);

impl UnixMs {
    /// Whole seconds, as Discord's `<t:…>` wants them.
    #[must_use]
    pub fn secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This moment plus `span`, without overflow.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        self.plus_ms(millis(span))
    }

    /// This moment minus `span`, without overflow.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(millis(span)))
    }

    /// This moment plus milliseconds that came as a number, negative or not, without overflow. For tests.
    #[must_use]
    pub fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// The time from `earlier` to this moment; zero if `earlier` is later, as it is once the clock was set back.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        if earlier > self { Duration::ZERO } else { self.apart(earlier) }
    }

    /// The time between both moments, whichever is later.
    #[must_use]
    pub fn apart(self, other: Self) -> Duration {
        Duration::from_millis(self.0.abs_diff(other.0))
    }

    /// Whether `earlier` is at most `span` ago, and no later than this moment.
    #[must_use]
    pub fn is_within(self, span: Duration, earlier: Self) -> bool {
        earlier <= self && self.apart(earlier) <= span
    }
}

/// Spans in stored JSON: a number of milliseconds.
pub(crate) mod as_ms {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(span: &std::time::Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_i64(crate::clock::millis(*span))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<std::time::Duration, D::Error> {
        Ok(std::time::Duration::from_millis(u64::try_from(i64::deserialize(from)?).unwrap_or(0)))
    }
}

/// A span of `ms` milliseconds.
#[cfg(test)]
pub(crate) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// `span` in milliseconds, as rows and wire formats have it.
#[must_use]
pub fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// Where the time comes from. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that moves only by [`Clock::advance`].
    #[must_use]
    pub fn manual(start: UnixMs) -> Self {
        Self(Some(Arc::new(AtomicI64::new(start.0))))
    }

    /// The time now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine")]
    pub fn now(&self) -> UnixMs {
        match &self.0 {
            Some(set) => UnixMs(set.load(Ordering::SeqCst)),
            None => {
                let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
                UnixMs(since.map_or(0, millis))
            }
        }
    }

    /// Moves a manual clock forward by `ms` milliseconds; does nothing to the system's.
    pub fn advance(&self, ms: i64) {
        if let Some(set) = &self.0 {
            set.fetch_add(ms, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_back_makes_no_negative_span_and_nothing_overflows() {
        let (early, late) = (UnixMs(1_000), UnixMs(3_500));
        assert_eq!((late.since(early), early.since(late), early.apart(late)), (ms(2_500), ms(0), ms(2_500)));
        assert_eq!((early.plus(ms(2_500)), late.minus(ms(2_500))), (late, early));
        assert_eq!([ms(2_500), ms(2_499)].map(|span| late.is_within(span, early)), [true, false]);
        assert!(!early.is_within(Duration::MAX, late) && late.is_within(ms(0), late));
        assert_eq!((late.plus(Duration::MAX), UnixMs(i64::MIN).minus(Duration::MAX)), (UnixMs(i64::MAX), UnixMs(i64::MIN)));
        assert_eq!(UnixMs(i64::MAX).since(UnixMs(i64::MIN)), ms(u64::MAX));
    }
}
