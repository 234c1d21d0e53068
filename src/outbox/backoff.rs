//! Computes how long a failed request waits before its retry. Time and randomness are arguments.

use std::time::Duration;

/// The wait before attempt number `attempts` + 1: 0.5 s doubling to a minute, less up to a fifth.
#[must_use]
pub fn backoff(attempts: u32, jitter: f64) -> Duration {
    doubling(Duration::from_millis(500), Duration::from_secs(60), attempts, jitter)
}

/// The wait before attempt number `attempts` + 1: `first` doubling to `most`, less up to a fifth by `jitter` in 0.0 ..= 1.0.
pub(super) fn doubling(first: Duration, most: Duration, attempts: u32, jitter: f64) -> Duration {
    let full = first.saturating_mul(1 << attempts.min(16)).min(most);
    // `mul_f64` panics if it isn't given a number.
    let jitter = if jitter.is_nan() { 0.0 } else { jitter.clamp(0.0, 1.0) };
    full.saturating_sub(full.mul_f64(0.2 * jitter))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ms;

    #[test]
    fn backoff_grows_and_is_capped() {
        assert_eq!([0, 1, 6, 99].map(|attempts| backoff(attempts, 0.0)), [500, 1000, 32_000, 60_000].map(ms));
        assert_eq!(backoff(99, 1.0), ms(48_000));
        assert_eq!([f64::NAN, f64::NEG_INFINITY, f64::INFINITY].map(|jitter| backoff(99, jitter)), [60_000, 60_000, 48_000].map(ms));
    }
}
