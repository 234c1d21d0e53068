//! Decides when to try again, and how often to log it. Pure: time and randomness are arguments.

use std::collections::HashMap;
use std::time::Duration;

use super::error::HubError;

/// No wait is longer, whoever asks for it: later moments than a clock can hold would panic.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// The input of a policy's decision.
#[derive(Clone, Copy, Debug)]
pub struct RetryContext<'a> {
    /// Failures since the connection was last stable, this one not counted: 0 for the first.
    pub attempt: u32,
    /// How long ago the connection was last stable (or the hub started).
    pub elapsed: Duration,
    /// Why the connection failed or ended.
    pub error: &'a HubError,
    /// The server's `Retry-After`.
    pub retry_after: Option<Duration>,
    /// With [`Negotiation::Auto`](super::Negotiation::Auto): a 404 need not be final, the other way is still untried.
    pub other_way_left: bool,
}

/// Decides how long to wait before the next attempt.
pub trait RetryPolicy: Send {
    /// The wait, or `None` to give up for good.
    fn next(&mut self, context: &RetryContext<'_>) -> Option<Duration>;
}

/// The default: 0, 2, 10, 30 s, then 60 s for ever, each ±20 %. Longer when the server refuses us or asks for it.
pub struct Backoff {
    /// The waits in order; the last one repeats. Empty means no wait at all.
    pub steps: Vec<Duration>,
    /// At least this long after 404 where no token can be the cause. 401 and 403 need not come from the hub: a proxy or firewall in front
    /// of it may answer so for a moment, and only the hub's own answer to the sign-in says anything about credentials.
    pub refused: Duration,
    /// At least this long after a Close record that doesn't allow reconnecting.
    pub uninvited: Duration,
    /// Upper bound of `Retry-After`.
    pub retry_after_cap: Duration,
    /// How much a wait may vary: 0.2 is ±20 %.
    pub jitter: f64,
    random: Box<dyn FnMut() -> f64 + Send>,
}

impl Backoff {
    /// The default waits with the caller's randomness: numbers from 0 (included) to 1 (excluded).
    #[must_use]
    pub fn new(random: impl FnMut() -> f64 + Send + 'static) -> Self {
        Self {
            steps: [0, 2, 10, 30, 60].map(Duration::from_secs).to_vec(),
            refused: Duration::from_secs(5 * 60),
            uninvited: Duration::from_secs(5),
            retry_after_cap: Duration::from_secs(15 * 60),
            jitter: 0.2,
            random: Box::new(random),
        }
    }

    fn step(&self, attempt: usize) -> Duration {
        self.steps.get(attempt).or(self.steps.last()).copied().unwrap_or_default().min(MAX_WAIT)
    }
}

impl std::fmt::Debug for Backoff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Backoff").field("steps", &self.steps).finish_non_exhaustive()
    }
}

impl RetryPolicy for Backoff {
    fn next(&mut self, context: &RetryContext<'_>) -> Option<Duration> {
        let attempt = usize::try_from(context.attempt).unwrap_or(usize::MAX);
        let base = match context.error {
            HubError::Refused { status: 404, .. } if context.other_way_left => self.step(attempt),
            HubError::Refused { status: 404, .. } => self.step(attempt).max(self.refused.min(MAX_WAIT)),
            // One step further than otherwise, so that it grows from the second time on.
            HubError::Closed { allow_reconnect: false, .. } => self.step(attempt.saturating_add(1)).max(self.uninvited.min(MAX_WAIT)),
            _ => self.step(attempt),
        };
        let random = Some((self.random)()).filter(|random| (0.0..=1.0).contains(random)).unwrap_or(0.5);
        let jitter = if self.jitter.is_nan() { 0.0 } else { self.jitter.clamp(0.0, 1.0) };
        let wait = base.mul_f64(1.0 + jitter * (2.0 * random - 1.0));
        // A minimum is only ever exceeded: many clients with "in 60 s" must not come back at one moment, nor before.
        let bound = context.retry_after.unwrap_or_default().min(self.retry_after_cap.min(MAX_WAIT)).mul_f64(1.0 + jitter * random);
        Some(wait.max(bound))
    }
}

/// Thins out repeated log lines: a server that drops us a thousand times must not fill the log.
#[derive(Debug, Default)]
pub(super) struct Repeats(HashMap<&'static str, u64>);

impl Repeats {
    /// Counts one more of this kind. `Some(n)`: log it, it is the n-th (1, 10, 100, then every 100th); `None`: don't.
    pub(super) fn count(&mut self, kind: &'static str) -> Option<u64> {
        let seen = self.0.entry(kind).or_default();
        *seen += 1;
        (*seen == 1 || *seen == 10 || seen.is_multiple_of(100)).then_some(*seen)
    }

    /// Everything works again: the next problem is news.
    pub(super) fn reset(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::error::Step;
    use super::*;

    fn wait(policy: &mut Backoff, attempt: u32, error: &HubError) -> f64 {
        let context = RetryContext { attempt, elapsed: Duration::ZERO, error, retry_after: error.retry_after(), other_way_left: false };
        policy.next(&context).unwrap().as_secs_f64()
    }

    const ENDED: HubError = HubError::Ended { code: None };

    #[test]
    fn the_waits_are_0_2_10_30_then_60_seconds_for_ever() {
        let mut policy = Backoff::new(|| 0.5);
        let waits: Vec<f64> = [0, 1, 2, 3, 4, 5, 1000, u32::MAX].into_iter().map(|n| wait(&mut policy, n, &ENDED)).collect();
        assert_eq!(waits, [0.0, 2.0, 10.0, 30.0, 60.0, 60.0, 60.0, 60.0]);
    }

    #[test]
    fn jitter_is_a_fifth_each_way() {
        assert!((wait(&mut Backoff::new(|| 0.0), 2, &ENDED) - 8.0).abs() < 1e-6);
        assert!((wait(&mut Backoff::new(|| 1.0), 2, &ENDED) - 12.0).abs() < 1e-6);
    }

    #[test]
    fn retry_after_is_a_lower_bound_up_to_a_cap() {
        let busy = |secs| HubError::Upgrade { status: 503, retry_after: Some(Duration::from_secs(secs)) };
        assert!(wait(&mut Backoff::new(|| 0.0), 0, &busy(7)) >= 7.0);
        assert!((wait(&mut Backoff::new(|| 0.5), 3, &busy(7)) - 30.0).abs() < 1e-6, "the step is longer");
        assert!(wait(&mut Backoff::new(|| 1.0), 0, &busy(1_000_000)) <= 15.0 * 60.0 * 1.2 + 1.0);
    }

    #[test]
    fn a_refusal_is_not_hammered_unless_the_other_way_is_untried() {
        let mut policy = Backoff::new(|| 0.5);
        let refused = HubError::Refused { step: Step::Negotiate, status: 404, retry_after: None };
        assert!(wait(&mut policy, 0, &refused) >= 300.0);
        let context = RetryContext { attempt: 0, elapsed: Duration::ZERO, error: &refused, retry_after: None, other_way_left: true };
        assert_eq!(policy.next(&context), Some(Duration::ZERO));
        let forbidden = HubError::Refused { step: Step::Negotiate, status: 403, retry_after: None };
        assert!(policy.next(&RetryContext { error: &forbidden, ..context }).unwrap() < Duration::from_secs(1));
    }

    #[test]
    fn http_401_and_403_wait_no_longer_than_any_other_failure() {
        for step in [Step::Negotiate, Step::Upgrade] {
            for status in [401, 403] {
                let mut policy = Backoff::new(|| 0.5);
                let refused = HubError::Refused { step, status, retry_after: None };
                let waits: Vec<f64> = [0, 1, 2, 3, 4, 99].into_iter().map(|n| wait(&mut policy, n, &refused)).collect();
                assert_eq!(waits, [0.0, 2.0, 10.0, 30.0, 60.0, 60.0], "{step} {status}");
            }
        }
    }

    #[test]
    fn a_close_without_invitation_waits_some_seconds_and_grows() {
        let mut policy = Backoff::new(|| 0.5);
        let closed = HubError::Closed { error: None, allow_reconnect: false };
        let waits: Vec<f64> = (0..4).map(|n| wait(&mut policy, n, &closed)).collect();
        assert_eq!(waits, [5.0, 10.0, 30.0, 60.0]);
        let invited = HubError::Closed { error: None, allow_reconnect: true };
        assert_eq!(wait(&mut policy, 0, &invited), 0.0);
    }

    #[test]
    fn absurd_settings_do_not_panic() {
        let mut policy = Backoff::new(|| f64::NAN);
        policy.steps = vec![Duration::MAX];
        policy.refused = Duration::MAX;
        policy.retry_after_cap = Duration::MAX;
        policy.jitter = f64::INFINITY;
        let refused = HubError::Refused { step: Step::Upgrade, status: 404, retry_after: Some(Duration::MAX) };
        assert!(wait(&mut policy, 0, &refused) <= 2.0 * MAX_WAIT.as_secs_f64());
        policy.steps.clear();
        assert_eq!(wait(&mut policy, 7, &ENDED), 0.0);
    }

    #[test]
    fn a_thousand_times_the_same_is_a_dozen_lines() {
        let mut repeats = Repeats::default();
        let said = (0..1000).filter(|_| repeats.count("ended").is_some()).count();
        assert_eq!(said, 12);
        assert_eq!(repeats.count("io"), Some(1), "another kind is news");
        repeats.reset();
        assert_eq!(repeats.count("ended"), Some(1));
    }
}
