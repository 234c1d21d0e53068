//! What each operation may still ask of the CAD: a share of its limit per minute, which the game server and every other integration with
//! the same key live on too (contract e.1). Not for units and calls: the reader has budgets of its own.
//!
//! ```text
//! take ─▶ Pass (in flight) ─dropped─▶ counted for 60 s from then on      429 ─▶ rests
//! ```
//!
//! Several requests may fly at once. The end counts, not the beginning: the CAD saw the request somewhere between the two.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// `SONORAN_ACTION_SHARE` unless set, in percent.
pub const SHARE: u32 = 70;

/// The CAD counts per minute.
const MINUTE: Duration = Duration::from_secs(60);

/// An operation with a limit of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Endpoint {
    Version,
    Servers,
    Info,
    Account,
    AccountUnits,
    Identifiers,
    CurrentCall,
    CreateDispatch,
    EditDispatch,
    SetPostal,
    SetPrimary,
    Attach,
    Detach,
    AddNote,
    Close,
    Templates,
    Template,
    CreateCustomDispatch,
    Create911,
    Remove911,
    SetStatus,
    SetPanic,
    Lookup,
}

impl Endpoint {
    /// Its name for people, and requests a minute (contract e.3). The last two are not documented for templates: the usual 10 is assumed.
    pub(super) fn documented(self) -> (&'static str, u32) {
        match self {
            Self::Version => ("version", 10),
            Self::Servers => ("servers", 10),
            Self::Info => ("info", 10),
            Self::Account => ("account", 10),
            Self::AccountUnits => ("units of an account", 10),
            Self::Identifiers => ("identifiers", 10),
            Self::CurrentCall => ("current call", 10),
            Self::CreateDispatch => ("new dispatch", 20),
            Self::EditDispatch => ("edit dispatch", 10),
            Self::SetPostal => ("postal", 20),
            Self::SetPrimary => ("primary", 10),
            Self::Attach => ("attach", 10),
            Self::Detach => ("detach", 10),
            Self::AddNote => ("note", 60),
            Self::Close => ("close", 20),
            Self::Templates => ("templates", 10),
            Self::Template => ("template", 10),
            Self::CreateCustomDispatch => ("new dispatch of a template", 10),
            Self::Create911 => ("new 911", 10),
            Self::Remove911 => ("remove 911", 10),
            Self::SetStatus => ("status", 30),
            Self::SetPanic => ("panic", 20),
            Self::Lookup => ("lookup", 30),
        }
    }
}

/// What is left of one operation's budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetLeft {
    /// The operation, for people.
    pub operation: &'static str,
    /// Requests that could be sent now.
    pub left: u32,
    /// Requests that we allow ourselves in a minute.
    pub per_minute: u32,
    /// Until one more may be sent, if none may be now.
    pub wait: Option<Duration>,
}

/// One operation's budget. Pure.
#[derive(Debug)]
struct Budget {
    per_minute: u32,
    flying: u32,
    /// When requests ended, oldest first; at most `per_minute`, since none begins beyond that.
    ended: VecDeque<Instant>,
    rests_until: Option<Instant>,
}

impl Budget {
    fn new(documented: u32, percent: u32) -> Self {
        let per_minute = (documented.saturating_mul(percent.min(100)) / 100).max(1);
        Self { per_minute, flying: 0, ended: VecDeque::new(), rests_until: None }
    }

    fn forget(&mut self, now: Instant) {
        while self.ended.front().is_some_and(|end| *end + MINUTE <= now) {
            self.ended.pop_front();
        }
        self.rests_until = self.rests_until.filter(|until| *until > now);
    }

    /// Requests that may begin now, or how long it takes until one may.
    fn left(&mut self, now: Instant) -> Result<u32, Duration> {
        self.forget(now);
        let used = self.flying.saturating_add(u32::try_from(self.ended.len()).unwrap_or(u32::MAX));
        let left = self.per_minute.saturating_sub(used);
        // With all in flight the first of them has its whole minute before it.
        let window = (left == 0).then(|| self.ended.front().map_or(MINUTE, |end| (*end + MINUTE).duration_since(now)));
        let rest = self.rests_until.map(|until| until.duration_since(now));
        match window.max(rest) {
            None => Ok(left),
            Some(wait) => Err(wait),
        }
    }
}

/// All of them, shared by the clones of a client.
#[derive(Debug)]
pub(super) struct Budgets {
    percent: u32,
    used: Mutex<BTreeMap<Endpoint, Budget>>,
}

impl Budgets {
    pub(super) fn new(percent: u32) -> Self {
        Self { percent, used: Mutex::new(BTreeMap::new()) }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Endpoint, Budget>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, endpoint: Endpoint, work: impl FnOnce(&mut Budget) -> T) -> T {
        let mut used = self.lock();
        work(used.entry(endpoint).or_insert_with(|| Budget::new(endpoint.documented().1, self.percent)))
    }

    /// Leave for one request.
    ///
    /// # Errors
    /// How long to wait; nothing was counted.
    pub(super) fn take(self: &Arc<Self>, endpoint: Endpoint, now: Instant) -> Result<Pass, Duration> {
        self.with(endpoint, |budget| {
            budget.left(now)?;
            budget.flying += 1;
            Ok(Pass { budgets: Arc::clone(self), endpoint })
        })
    }

    /// What is left of those that were used.
    pub(super) fn left(&self, now: Instant) -> Vec<BudgetLeft> {
        let left = |(endpoint, budget): (&Endpoint, &mut Budget)| {
            let left = budget.left(now);
            BudgetLeft { operation: endpoint.documented().0, left: left.unwrap_or(0), per_minute: budget.per_minute, wait: left.err() }
        };
        self.lock().iter_mut().map(left).collect()
    }
}

/// Leave for one request. Dropped when it came to an end, or was given up: the CAD may have seen it.
#[derive(Debug)]
pub(super) struct Pass {
    budgets: Arc<Budgets>,
    endpoint: Endpoint,
}

impl Pass {
    /// The CAD said 429: somebody needs the rest.
    pub(super) fn limited(&self, retry_after: Option<Duration>) {
        let until = Instant::now() + retry_after.unwrap_or(MINUTE).max(Duration::from_secs(1));
        self.budgets.with(self.endpoint, |budget| budget.rests_until = budget.rests_until.max(Some(until)));
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let now = Instant::now();
        self.budgets.with(self.endpoint, |budget| {
            budget.flying = budget.flying.saturating_sub(1);
            budget.ended.push_back(now);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn take(budgets: &Arc<Budgets>, endpoint: Endpoint) -> Result<Pass, Duration> {
        budgets.take(endpoint, Instant::now())
    }

    #[test]
    fn a_share_is_rounded_down_and_never_nothing() {
        for (documented, percent, expected) in
            [(10, 70, 7), (20, 70, 14), (60, 70, 42), (10, 100, 10), (3, 10, 1), (10, 10, 1), (10, 500, 10)]
        {
            assert_eq!(Budget::new(documented, percent).per_minute, expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_minute_counts_from_the_end_of_each_request_and_those_in_flight_count() {
        let budgets = Arc::new(Budgets::new(30));
        let flying: Vec<Pass> = (0..3).map(|_| take(&budgets, Endpoint::Attach).unwrap()).collect();
        assert_eq!(take(&budgets, Endpoint::Attach).unwrap_err(), MINUTE, "all in flight");
        advance(s(100)).await;
        assert!(take(&budgets, Endpoint::Attach).is_err(), "a slow request is not over");
        let mut flying = flying.into_iter();
        drop(flying.next());
        advance(s(20)).await;
        drop(flying.next());
        assert_eq!(take(&budgets, Endpoint::Attach).unwrap_err(), s(40));
        advance(s(39)).await;
        assert_eq!(take(&budgets, Endpoint::Attach).unwrap_err(), s(1));
        advance(s(1)).await;
        let last = take(&budgets, Endpoint::Attach).unwrap();
        assert_eq!(take(&budgets, Endpoint::Attach).unwrap_err(), s(20));
        assert!(take(&budgets, Endpoint::Detach).is_ok(), "each operation has its own");
        drop((last, flying));
    }

    #[tokio::test(start_paused = true)]
    async fn in_no_sixty_seconds_are_there_more_than_the_share() {
        let budgets = Arc::new(Budgets::new(50));
        let mut begun: Vec<Instant> = Vec::new();
        let mut ended: Vec<Instant> = Vec::new();
        while begun.len() < 60 {
            match take(&budgets, Endpoint::Account) {
                Ok(pass) => {
                    begun.push(Instant::now());
                    advance(Duration::from_millis(700 * (begun.len() as u64 % 4))).await;
                    drop(pass);
                    ended.push(Instant::now());
                }
                Err(wait) => advance(wait).await,
            }
        }
        // However the CAD cuts its minutes, and wherever between begin and end it counted: five fit between an end and the sixth begin.
        assert!(begun.iter().skip(5).zip(&ended).all(|(begin, end)| *begin >= *end + MINUTE));
    }

    #[tokio::test(start_paused = true)]
    async fn a_429_makes_the_operation_rest() {
        let budgets = Arc::new(Budgets::new(SHARE));
        let pass = take(&budgets, Endpoint::Close).unwrap();
        pass.limited(Some(s(25)));
        pass.limited(Some(s(5)));
        drop(pass);
        assert_eq!(take(&budgets, Endpoint::Close).unwrap_err(), s(25));
        let expected = BudgetLeft { operation: "close", left: 0, per_minute: 14, wait: Some(s(25)) };
        assert_eq!(budgets.left(Instant::now()), [expected]);
        advance(s(25)).await;
        let pass = take(&budgets, Endpoint::Close).unwrap();
        assert_eq!(budgets.left(Instant::now()), [BudgetLeft { left: 12, wait: None, ..expected }]);
        pass.limited(None);
        drop(pass);
        assert_eq!(take(&budgets, Endpoint::Close).unwrap_err(), MINUTE);
    }
}
