//! Computes how long a failed request waits before its retry. Time and randomness are arguments.

/// Milliseconds before attempt number `attempts` + 1: 0.5 s doubling to a minute, less up to a fifth.
#[must_use]
pub fn backoff(attempts: u32, jitter: f64) -> i64 {
    let full = 500_i64.saturating_mul(1_i64.checked_shl(attempts.min(10)).unwrap_or(1)).min(60_000);
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "at most 12,000")]
    let less = (full as f64 * 0.2 * jitter.clamp(0.0, 1.0)) as i64;
    full.saturating_sub(less)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_grows_and_is_capped() {
        assert_eq!([backoff(0, 0.0), backoff(1, 0.0), backoff(6, 0.0), backoff(99, 0.0)], [500, 1000, 32_000, 60_000]);
        assert_eq!(backoff(99, 1.0), 48_000);
    }
}
