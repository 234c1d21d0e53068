//! Decides when a session may be started: waits that grow while sessions fail, and a daily budget of IDENTIFYs.
//!
//! Discord resets the token of a bot that identifies 1,000 times in a day. So every start asks `GET /gateway/bot` how many are left, and
//! a fifth of what Discord grants is never used. This process's own starts are counted too, in case the answer is wrong; those of earlier
//! processes are in Discord's count. RESUMEs cost nothing and aren't counted here.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep, sleep_until};

use super::super::attempt::Attempt;

/// Discord's `max_concurrency` of an ordinary bot: one IDENTIFY in five seconds.
const APART: Duration = Duration::from_secs(5);
/// Longest wait between two sessions that failed.
const MAX_SESSION_WAIT: Duration = Duration::from_secs(300);
/// A session that lived this long was a good one: the waits start over.
pub(super) const STABLE: Duration = Duration::from_secs(300);
/// The span of Discord's limit.
const DAY: Duration = Duration::from_secs(86_400);
/// Discord's daily grant if it doesn't say.
const TOTAL: u64 = 1_000;
/// Limit on remembered starts, whatever Discord grants.
const MAX_REMEMBERED_STARTS: u64 = 20_000;
/// While the budget is used up, Discord is asked again at least this often, and never sooner than [`ASK_SOONEST`].
const ASK_AGAIN: Duration = Duration::from_secs(3_600);
const ASK_SOONEST: Duration = Duration::from_secs(60);

/// The response to `GET /gateway/bot`.
#[derive(Clone, Debug)]
pub(super) struct Allowance {
    /// The gateway's URL.
    pub(super) url: String,
    /// The number of shards.
    pub(super) shards: u32,
    /// Starts granted in a day.
    pub(super) total: Option<u64>,
    /// Starts left.
    pub(super) remaining: Option<u64>,
    /// When all are left again.
    pub(super) reset_after: Option<Duration>,
}

/// The budget is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StartsExhausted {
    pub(super) used: u64,
    pub(super) total: u64,
    /// Until starts are granted again.
    pub(super) resets_in: Duration,
}

/// Asks Discord, and reports why no session is started.
pub(super) trait AllowanceSource: Sync {
    fn allowance(&self) -> impl Future<Output = Attempt<Allowance>> + Send;
    /// Discord doesn't answer yet.
    fn unanswered(&self, reason: &str);
    fn held(&self, held: StartsExhausted);
}

/// Session starts of all shards.
#[derive(Debug, Default)]
pub(super) struct Starts {
    /// Failed sessions in a row.
    failures: AtomicU32,
    turn: Mutex<StartHistory>,
}

/// The holder of the lock may start a session; the others wait.
#[derive(Debug, Default)]
pub(super) struct StartHistory {
    /// Starts of the last day, oldest first.
    used: VecDeque<Instant>,
    /// An unused answer.
    fresh: Option<Allowance>,
}

/// A granted start. Costs nothing until [`StartGrant::identified`].
pub(super) struct StartGrant<'a> {
    pub(super) url: String,
    turn: MutexGuard<'a, StartHistory>,
    failures: &'a AtomicU32,
}

impl StartGrant<'_> {
    /// IDENTIFY is about to be sent.
    pub(super) fn identified(mut self) {
        self.turn.used.push_back(Instant::now());
        self.failures.fetch_add(1, Ordering::Relaxed);
    }
}

impl Starts {
    /// With a fresh answer.
    pub(super) fn new(fresh: Allowance) -> Self {
        Self { failures: AtomicU32::new(0), turn: Mutex::new(StartHistory { used: VecDeque::new(), fresh: Some(fresh) }) }
    }

    /// A session lasted long enough.
    pub(super) fn lasted(&self) {
        self.failures.store(0, Ordering::Relaxed);
    }

    /// Waits until a session may be started. Cancel safe.
    ///
    /// # Errors
    /// If Discord refuses the token.
    pub(super) async fn grant(&self, ask: &impl AllowanceSource) -> anyhow::Result<StartGrant<'_>> {
        let mut turn = self.turn.lock().await;
        if let Some(last) = turn.used.back() {
            sleep_until(*last + wait(self.failures.load(Ordering::Relaxed), fastrand::f64())).await;
        }
        let mut pause = Duration::from_secs(1);
        loop {
            let answer = match turn.fresh.take() {
                Some(fresh) => Attempt::Done(fresh),
                None => ask.allowance().await,
            };
            match answer {
                Attempt::Done(allowance) => match turn.judge(&allowance) {
                    Ok(()) => return Ok(StartGrant { url: allowance.url, turn, failures: &self.failures }),
                    Err(held) => {
                        ask.held(held);
                        sleep(held.resets_in.clamp(ASK_SOONEST, ASK_AGAIN)).await;
                    }
                },
                Attempt::Later(reason, asked) => {
                    ask.unanswered(&reason);
                    sleep(asked.unwrap_or(pause).max(Duration::from_secs(1))).await;
                    pause = (pause * 2).min(Duration::from_secs(60));
                }
                Attempt::Never(error) => return Err(error),
            }
        }
    }
}

impl StartHistory {
    /// Whether one more may be started, by Discord's count and by ours.
    fn judge(&mut self, allowance: &Allowance) -> Result<(), StartsExhausted> {
        let now = Instant::now();
        while self.used.front().is_some_and(|at| now.duration_since(*at) >= DAY) {
            self.used.pop_front();
        }
        let total = allowance.total.unwrap_or(TOTAL).min(MAX_REMEMBERED_STARTS);
        let usable = total - total / 5;
        let ours = u64::try_from(self.used.len()).unwrap_or(u64::MAX);
        if allowance.remaining.is_some_and(|left| left <= total / 5) {
            let used = total.saturating_sub(allowance.remaining.unwrap_or(0));
            return Err(StartsExhausted { used, total, resets_in: allowance.reset_after.unwrap_or(ASK_AGAIN) });
        }
        if ours >= usable {
            let resets_in = self.used.front().map_or(DAY, |at| (*at + DAY).duration_since(now));
            return Err(StartsExhausted { used: ours, total, resets_in });
        }
        Ok(())
    }
}

/// From one start to the next after so many failures in a row: 5, 10, 20 s … 5 min, a fifth more or less.
fn wait(failures: u32, random: f64) -> Duration {
    let grown = APART.saturating_mul(1 << failures.saturating_sub(1).min(8)).min(MAX_SESSION_WAIT);
    grown.mul_f64(0.8 + 0.4 * random.clamp(0.0, 1.0)).max(APART)
}

/// Before a connection is opened after so many short ones in a row: at once, then 1, 2, 4 s … 1 min, a fifth more or less.
pub(super) fn reconnect(lost: u32, random: f64) -> Duration {
    if lost == 0 {
        return Duration::ZERO;
    }
    Duration::from_secs(1 << (lost - 1).min(6)).min(Duration::from_secs(60)).mul_f64(0.8 + 0.4 * random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex as StdMutex;

    use super::*;

    /// Discord's side of it: counts the day's starts, or always answers the same.
    struct Discord {
        counts: bool,
        remaining: StdMutex<u64>,
        reset: StdMutex<Instant>,
        held: StdMutex<Vec<StartsExhausted>>,
    }

    impl Discord {
        fn new(counts: bool, remaining: u64) -> Self {
            let reset = StdMutex::new(Instant::now() + DAY);
            Self { counts, remaining: StdMutex::new(remaining), reset, held: StdMutex::default() }
        }

        fn identify(&self) {
            if self.counts {
                let mut left = self.remaining.lock().unwrap();
                *left = left.checked_sub(1).expect("the token was reset");
            }
        }
    }

    impl AllowanceSource for Discord {
        async fn allowance(&self) -> Attempt<Allowance> {
            let (mut left, mut reset) = (self.remaining.lock().unwrap(), self.reset.lock().unwrap());
            if self.counts && Instant::now() >= *reset {
                (*left, *reset) = (1_000, Instant::now() + DAY);
            }
            Attempt::Done(Allowance {
                url: "ws://gateway".into(),
                shards: 1,
                total: Some(1_000),
                remaining: Some(*left),
                reset_after: Some(reset.duration_since(Instant::now())),
            })
        }

        fn unanswered(&self, _: &str) {}

        fn held(&self, held: StartsExhausted) {
            self.held.lock().unwrap().push(held);
        }
    }

    fn unknown() -> Starts {
        Starts { failures: AtomicU32::new(0), turn: Mutex::default() }
    }

    async fn starts_in(starts: &Starts, discord: &Discord, span: Duration, lived: Duration) -> usize {
        let end = Instant::now() + span;
        let mut count = 0;
        loop {
            let Ok(granted) = tokio::time::timeout_at(end, starts.grant(discord)).await else { return count };
            granted.unwrap().identified();
            discord.identify();
            count += 1;
            sleep(lived).await;
            if lived >= STABLE {
                starts.lasted();
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_day_of_sessions_that_are_invalidated_at_once_stays_far_below_the_limit() {
        let (starts, discord) = (unknown(), Discord::new(true, 1_000));
        let count = starts_in(&starts, &discord, DAY, Duration::ZERO).await;
        assert!((200..=400).contains(&count), "{count}");
        assert!(discord.held.lock().unwrap().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn the_waits_grow_from_seconds_to_minutes_and_start_over_after_a_session_that_lasted() {
        let (starts, discord) = (unknown(), Discord::new(true, 1_000));
        let mut gaps = Vec::new();
        let mut last = Instant::now();
        for _ in 0..9 {
            starts.grant(&discord).await.unwrap().identified();
            gaps.push(last.elapsed().as_secs());
            last = Instant::now();
        }
        assert_eq!(gaps[0], 0, "{gaps:?}");
        assert!((5..=6).contains(&gaps[1]) && (240..=360).contains(&gaps[8]), "{gaps:?}");
        assert!(gaps.windows(2).take(6).all(|pair| pair[1] > pair[0]), "{gaps:?}");
        sleep(STABLE).await;
        starts.lasted();
        let before = Instant::now();
        starts.grant(&discord).await.unwrap().identified();
        assert!(before.elapsed() <= Duration::from_secs(6), "{:?}", before.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_fifth_of_what_discord_grants_is_never_used_and_that_is_reported() {
        // As after a night in which the process restarted repeatedly.
        let (starts, discord) = (unknown(), Discord::new(true, 203));
        let count = starts_in(&starts, &discord, Duration::from_secs(23 * 3_600), Duration::ZERO).await;
        assert_eq!(count, 3);
        assert_eq!(*discord.remaining.lock().unwrap(), 200);
        let first = discord.held.lock().unwrap()[0];
        assert_eq!((first.used, first.total), (800, 1_000));
        assert!(first.resets_in > Duration::from_secs(23 * 3_600), "{first:?}");
        // Discord's day is over: it continues.
        assert!(starts_in(&starts, &discord, Duration::from_secs(2 * 3_600), Duration::ZERO).await > 0);
    }

    #[tokio::test(start_paused = true)]
    async fn our_own_count_holds_should_discords_be_wrong() {
        let (starts, discord) = (unknown(), Discord::new(false, 1_000));
        // Sessions that seem good and end a moment later, all day: the growing waits don't help.
        let mut count = 0;
        let end = Instant::now() + DAY - Duration::from_secs(1);
        while let Ok(granted) = tokio::time::timeout_at(end, starts.grant(&discord)).await {
            granted.unwrap().identified();
            starts.lasted();
            count += 1;
        }
        assert_eq!(count, 800);
        assert_eq!(discord.held.lock().unwrap()[0].used, 800);
    }

    #[test]
    fn a_lost_connection_is_opened_again_at_once_and_then_ever_later() {
        assert_eq!([0, 1, 2, 3, 7, 8, 99].map(|lost| reconnect(lost, 0.5).as_secs()), [0, 1, 2, 4, 60, 60, 60]);
        assert_eq!([0, 1, 2, 3, 7, 99].map(|failures| wait(failures, 0.5).as_secs()), [5, 5, 10, 20, 300, 300]);
    }
}
