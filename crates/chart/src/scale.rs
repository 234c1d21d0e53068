//! Axes: round steps, and values in words.

use std::time::Duration;

/// What the values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Milliseconds.
    Duration,
    /// Things.
    Count,
}

/// A value within what is drawn.
pub(super) fn drawn(value: i64) -> i64 {
    value.clamp(0, MAX_VALUE)
}

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
/// Round steps of a time axis; beyond them tens of hours.
const STEPS: [i64; 18] = [
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    4 * HOUR,
    5 * HOUR,
    10 * HOUR,
    20 * HOUR,
];
/// The largest value that is drawn; larger ones are drawn as this.
pub(super) const MAX_VALUE: i64 = 1 << 53;
/// Limit on the lines of a grid.
const LINES: i64 = 6;

impl Measure {
    /// The value in words.
    pub(super) fn say(self, value: i64) -> String {
        match self {
            Self::Duration if value <= 0 => "0".to_owned(),
            Self::Duration => duration(Duration::from_millis(value.unsigned_abs())),
            Self::Count => count(value),
        }
    }

    /// The lines of a grid up to the first that is not below `most`; at least zero and one more.
    pub(super) fn ticks(self, most: i64) -> Vec<i64> {
        let most = most.clamp(1, MAX_VALUE);
        let step = self.step(most);
        let lines = most.div_ceil_signed(step).max(1);
        (0..=lines).map(|nth| nth.saturating_mul(step)).collect()
    }

    fn step(self, most: i64) -> i64 {
        let fits = |step: &i64| most.div_ceil_signed(*step) <= LINES;
        let known = match self {
            Self::Duration => STEPS.iter().copied().find(fits),
            Self::Count => None,
        };
        let unit = if self == Self::Duration { 10 * HOUR } else { 1 };
        known.unwrap_or_else(|| decades(unit).find(fits).unwrap_or(i64::MAX))
    }
}

/// 1, 2, 5, 10, 20, 50 … times a unit.
fn decades(unit: i64) -> impl Iterator<Item = i64> {
    (0..18_u32).flat_map(move |power| [1, 2, 5].map(|digit| unit.saturating_mul(10_i64.saturating_pow(power)).saturating_mul(digit)))
}

trait DivCeil {
    fn div_ceil_signed(self, by: Self) -> Self;
}

impl DivCeil for i64 {
    fn div_ceil_signed(self, by: Self) -> Self {
        self.saturating_add(by.max(1) - 1) / by.max(1)
    }
}

/// `0 s`, `45 s`, `1 min 30 s`, `12 min`, `1 h 5 min`, `130 h`: two units at most, the finer rounded down.
#[must_use]
pub fn duration(span: Duration) -> String {
    let secs = span.as_secs();
    let (h, min, s) = (secs / 3_600, secs % 3_600 / 60, secs % 60);
    match (h, min, s) {
        (0, 0, s) => format!("{s} s"),
        (0, min, 0) => format!("{min} min"),
        (0, min, s) if min < 10 => format!("{min} min {s} s"),
        (0, min, _) => format!("{min} min"),
        (h, 0, _) => format!("{} h", count(h.cast_signed())),
        (h, min, _) => format!("{} h {min} min", count(h.cast_signed())),
    }
}

/// `1,234`.
#[must_use]
pub fn count(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut said = String::new();
    for (nth, digit) in digits.chars().enumerate() {
        if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
            said.push(',');
        }
        said.push(digit);
    }
    if value < 0 { format!("-{said}") } else { said }
}

/// [`count`] for a length.
#[must_use]
pub fn count_of(things: usize) -> String {
    count(i64::try_from(things).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_in_words() {
        for (ms, said) in [
            (999, "0 s"),
            (45_999, "45 s"),
            (90_000, "1 min 30 s"),
            (720_000, "12 min"),
            (725_000, "12 min"),
            (3_600_000, "1 h"),
            (3_900_000, "1 h 5 min"),
            (4_440_000_000, "1,233 h 20 min"),
        ] {
            assert_eq!(duration(Duration::from_millis(ms)), said);
        }
        assert_eq!([0, 999, 1_000, -1_234_567].map(count), ["0", "999", "1,000", "-1,234,567"]);
    }

    #[test]
    fn axes_are_round_and_hold_all_values() {
        assert_eq!(Measure::Count.ticks(0), [0, 1]);
        assert_eq!(Measure::Count.ticks(7), [0, 2, 4, 6, 8]);
        assert_eq!(Measure::Count.ticks(60), [0, 10, 20, 30, 40, 50, 60]);
        assert_eq!(Measure::Duration.ticks(95 * SECOND), [0, 30, 60, 90, 120].map(|s| s * SECOND));
        assert_eq!(Measure::Duration.ticks(41 * HOUR), [0, 10, 20, 30, 40, 50].map(|h| h * HOUR));
        for most in [1, 9, 11, 99_999, 123_456_789, MAX_VALUE, i64::MAX] {
            for measure in [Measure::Count, Measure::Duration] {
                let ticks = measure.ticks(most);
                assert!(
                    (2..=8).contains(&ticks.len()) && ticks.last().is_some_and(|last| *last >= most.min(MAX_VALUE)),
                    "{most}: {ticks:?}"
                );
            }
        }
    }
}
