//! Limits requests of each operation to a share of its limit per minute, since the game server and every other integration with
//! the same key use the same limit (docs/cad-contract.md#r4). Not for units and calls: the reader has its own budgets.
//!
//! ```text
//! turn ─▶ Pass (in flight) ─dropped─▶ counted for 60 s from then on      429 ─▶ rests
//!   └─ nothing left ─▶ waits in its line (`turn.rs`)                      two 400s ─▶ suspended for 10 min ─▶ one try
//! ```
//!
//! Several requests may be in flight. The end counts, not the beginning: the CAD saw the request somewhere in between.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::RestError;
use super::turn::{self, MAX_STRANGERS, MAX_WAITING, OperationQueue, Phase, Rank, Turn};
use crate::clock::{Clock, UnixMs};

/// `SONORAN_ACTION_SHARE` unless set, in percent.
pub const SHARE: u32 = 70;

/// How long an operation is suspended after two malformed requests.
const SUSPENDED: Duration = Duration::from_secs(600);
/// How long others wait for the single attempt after it.
const TRYING: Duration = Duration::from_secs(10);

/// The CAD counts per minute.
const MINUTE: Duration = Duration::from_secs(60);

/// An operation with a limit of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Endpoint {
    Version,
    Servers,
    Info,
    /// The reader's, which has its own budget: here only for malformed requests.
    Units,
    /// The same.
    Calls,
    Account,
    Accounts,
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
    /// Its name for people, and requests a minute (docs/cad-contract.md#r10). The last two are undocumented for templates: the usual 10
    /// is assumed.
    pub(super) fn documented(self) -> (&'static str, u32) {
        match self {
            Self::Version => ("version", 10),
            Self::Servers => ("servers", 10),
            Self::Info => ("info", 10),
            Self::Units => ("units", 3),
            Self::Calls => ("calls", 5),
            Self::Account => ("account", 10),
            Self::Accounts => ("accounts", 10),
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

impl Endpoint {
    /// Whether it is one of the reader's.
    fn is_read(self) -> bool {
        matches!(self, Self::Units | Self::Calls)
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
    /// How long until one more may be sent, if none may be now.
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

    /// Requests that may begin now, or how long until one may.
    fn left(&mut self, now: Instant) -> Result<u32, Duration> {
        self.forget(now);
        let used = self.flying.saturating_add(u32::try_from(self.ended.len()).unwrap_or(u32::MAX));
        let left = self.per_minute.saturating_sub(used);
        // If all are in flight, the first of them still has its whole minute.
        let window = (left == 0).then(|| self.ended.front().map_or(MINUTE, |end| (*end + MINUTE).duration_since(now)));
        let rest = self.rests_until.map(|until| until.duration_since(now));
        match window.max(rest) {
            None => Ok(left),
            Some(wait) => Err(wait),
        }
    }
}

/// State of one operation's malformed requests.
#[derive(Debug, Default)]
struct Malformed {
    /// When the CAD answered so, the last two.
    answered: VecDeque<Instant>,
    /// Until when nothing is sent.
    until: Option<Instant>,
    /// Was suspended, and not known to work again.
    suspended: bool,
    /// The single attempt after a suspension is in flight.
    trying: bool,
}

impl Malformed {
    /// Whether the suspension still lasts.
    fn is_pausing(&self, now: Instant) -> bool {
        self.suspended && self.until.is_some_and(|until| now < until)
    }
}

/// One operation: its budget, who waits for it, and whether it is suspended.
#[derive(Debug)]
struct Operation {
    budget: Budget,
    line: OperationQueue,
    malformed: Malformed,
}

/// News for people about an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationNews {
    /// The CAD called two of its requests malformed: nothing is sent until then.
    Suspended {
        /// Its name for people.
        operation: &'static str,
        until: UnixMs,
        /// It was suspended before, and the single attempt failed too.
        again: bool,
    },
    /// It works again.
    Resumed {
        /// Its name for people.
        operation: &'static str,
    },
}

/// All of them, shared by the clones of a client.
#[derive(Debug)]
pub(super) struct Budgets {
    percent: u32,
    clock: Clock,
    news: Option<mpsc::Sender<OperationNews>>,
    used: Mutex<BTreeMap<Endpoint, Operation>>,
    closed: AtomicBool,
}

/// Whether a request may be sent now.
enum Leave {
    Now,
    /// No earlier than this much later, or when notified.
    Later(Duration),
}

impl Budgets {
    pub(super) fn new(percent: u32, clock: Clock, news: Option<mpsc::Sender<OperationNews>>) -> Self {
        Self { percent, clock, news, used: Mutex::new(BTreeMap::new()), closed: AtomicBool::new(false) }
    }

    pub(super) fn percent(&self) -> u32 {
        self.percent
    }

    pub(super) fn clock(&self) -> Clock {
        self.clock.clone()
    }

    pub(super) fn news(&self) -> Option<mpsc::Sender<OperationNews>> {
        self.news.clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Endpoint, Operation>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, endpoint: Endpoint, work: impl FnOnce(&mut Operation) -> T) -> T {
        let mut used = self.lock();
        let fresh = || Operation {
            budget: Budget::new(endpoint.documented().1, self.percent),
            line: OperationQueue::default(),
            malformed: Malformed::default(),
        };
        work(used.entry(endpoint).or_insert_with(fresh))
    }

    /// Permission for one request, if available at once.
    ///
    /// # Errors
    /// [`RestError::BudgetSpent`] with the wait, [`RestError::Suspended`]; nothing was counted.
    pub(super) fn take(self: &Arc<Self>, endpoint: Endpoint, rank: Rank, now: Instant) -> Result<RequestPermit, RestError> {
        self.allowed(endpoint, now)?;
        let taken = self.with(endpoint, |operation| {
            let left = operation.budget.left(now).map_err(|wait| RestError::BudgetSpent { wait })?;
            // People who wait go before background requests, which leave half of the budget to new ones.
            let busy = operation.line.len() > 0 || left.saturating_mul(2) <= operation.budget.per_minute;
            if rank == Rank::Background && busy && operation.budget.per_minute > 1 {
                return Err(RestError::BudgetSpent { wait: MINUTE });
            }
            operation.budget.flying += 1;
            Ok(self.pass(endpoint))
        });
        if taken.is_err() {
            self.no_answer(endpoint);
        }
        taken
    }

    /// Permission for one request, after waiting for its turn.
    ///
    /// # Errors
    /// [`RestError::QueueFull`], [`RestError::NoTurn`], [`RestError::Stopping`], [`RestError::Suspended`].
    pub(super) async fn turn(self: &Arc<Self>, endpoint: Endpoint, rank: Rank) -> Result<RequestPermit, RestError> {
        if rank == Rank::Background {
            return self.take(endpoint, rank, Instant::now());
        }
        let (person, until) = turn::claim();
        let mut place: Option<Place> = None;
        loop {
            if self.closed.load(Ordering::Acquire) {
                return Err(RestError::Stopping);
            }
            let now = Instant::now();
            self.allowed(endpoint, now)?;
            let number = place.as_ref().map(|place| place.number);
            let leave = self.with(endpoint, |operation| {
                let Operation { budget, line, .. } = operation;
                match budget.left(now) {
                    Ok(left) if line.first().is_none_or(|first| Some(first) == number) => {
                        number.into_iter().for_each(|number| line.served(number));
                        budget.flying += 1;
                        if left > 1 {
                            line.call_first();
                        }
                        Leave::Now
                    }
                    Ok(_) => {
                        line.call_first();
                        Leave::Later(MINUTE)
                    }
                    Err(wait) => Leave::Later(wait),
                }
            });
            let wait = match leave {
                Leave::Now => {
                    place.into_iter().for_each(Place::kept);
                    return Ok(self.pass(endpoint));
                }
                Leave::Later(wait) => wait,
            };
            // If it was to be the single attempt after a suspension, it isn't now.
            self.no_answer(endpoint);
            if now >= until {
                return Err(RestError::NoTurn);
            }
            let place = match &mut place {
                Some(place) => place,
                None => {
                    let of_rank = |only: Option<Rank>| self.lock().values().map(|operation| operation.line.len_of(only)).sum::<usize>();
                    // People without a known account leave space for the others.
                    let strangers_full = rank == Rank::Stranger && of_rank(Some(rank)) >= MAX_STRANGERS;
                    if strangers_full || of_rank(None) >= MAX_WAITING {
                        return Err(RestError::QueueFull);
                    }
                    let (number, call) = self.with(endpoint, |operation| operation.line.join(rank, person));
                    place.insert(Place { budgets: Arc::clone(self), endpoint, number, call })
                }
            };
            let call = Arc::clone(&place.call);
            let waited = async {
                tokio::select! {
                    () = call.notified() => {}
                    () = tokio::time::sleep_until((now + wait).min(until)) => {}
                }
            };
            match endpoint {
                // That phase has its own text.
                Endpoint::Account | Endpoint::Accounts => waited.await,
                _ => Turn::during(Phase::Queued, waited).await,
            }
        }
    }

    fn pass(self: &Arc<Self>, endpoint: Endpoint) -> RequestPermit {
        RequestPermit { budgets: Arc::clone(self), endpoint }
    }

    /// Whether an operation has nothing left at this moment.
    pub(super) fn is_spent(&self, endpoint: Endpoint) -> bool {
        self.with(endpoint, |operation| operation.budget.left(Instant::now()).is_err() || operation.line.len() > 0)
    }

    /// Rejects everybody who waits, and from now on nobody waits.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.lock().values().for_each(|operation| operation.line.call_all());
    }

    /// Whether the operation may be used at all. After a suspension, one request tests it.
    pub(super) fn allowed(&self, endpoint: Endpoint, now: Instant) -> Result<(), RestError> {
        self.with(endpoint, |Operation { malformed, .. }| {
            let wait = match malformed.until {
                Some(until) if now < until => until.duration_since(now),
                _ if malformed.suspended && malformed.trying => TRYING,
                _ if malformed.suspended => {
                    malformed.trying = true;
                    return Ok(());
                }
                _ => return Ok(()),
            };
            Err(RestError::Suspended { operation: endpoint.documented().0, wait, until: self.clock.now().plus(wait) })
        })
    }

    /// The CAD called a request malformed. The second within a minute suspends the operation; for the reader's operations, the second in a
    /// row: they may be used only once a minute.
    pub(super) fn malformed(&self, endpoint: Endpoint, now: Instant) {
        let news = self.with(endpoint, |Operation { malformed, line, .. }| {
            if malformed.is_pausing(now) {
                return None;
            }
            let again = malformed.suspended;
            let window = if endpoint.is_read() { SUSPENDED } else { MINUTE };
            malformed.answered.retain(|at| now.duration_since(*at) <= window);
            malformed.answered.push_back(now);
            malformed.trying = false;
            if !again && malformed.answered.len() < 2 {
                return None;
            }
            malformed.answered.clear();
            malformed.suspended = true;
            malformed.until = Some(now + SUSPENDED);
            line.call_all();
            let until = self.clock.now().plus(SUSPENDED);
            Some(OperationNews::Suspended { operation: endpoint.documented().0, until, again })
        });
        self.report(news);
    }

    /// The CAD understood a request.
    pub(super) fn understood(&self, endpoint: Endpoint) {
        let news = self.with(endpoint, |Operation { malformed, .. }| {
            // Sent before the suspension: it says nothing about the time after it.
            if malformed.is_pausing(Instant::now()) {
                return None;
            }
            if endpoint.is_read() {
                malformed.answered.clear();
            }
            let was = std::mem::take(&mut malformed.suspended);
            (malformed.trying, malformed.until) = (false, None);
            was.then_some(OperationNews::Resumed { operation: endpoint.documented().0 })
        });
        self.report(news);
    }

    /// The attempt after a suspension gave no answer: the next request is one.
    pub(super) fn no_answer(&self, endpoint: Endpoint) {
        self.with(endpoint, |Operation { malformed, .. }| malformed.trying = false);
    }

    fn report(&self, news: Option<OperationNews>) {
        let Some(news) = news else { return };
        tracing::warn!(?news, "an operation of the CAD's API");
        if let Some(sender) = &self.news {
            // The list of problems is for people; the log has them in any case.
            sender.try_send(news).ok();
        }
    }

    /// The remaining budgets of those that were used.
    pub(super) fn left(&self, now: Instant) -> Vec<BudgetLeft> {
        let left = |(endpoint, operation): (&Endpoint, &mut Operation)| {
            let budget = &mut operation.budget;
            let left = budget.left(now);
            BudgetLeft { operation: endpoint.documented().0, left: left.unwrap_or(0), per_minute: budget.per_minute, wait: left.err() }
        };
        self.lock().iter_mut().filter(|(endpoint, _)| !endpoint.is_read()).map(left).collect()
    }
}

/// A place in a queue; given up when dropped.
struct Place {
    budgets: Arc<Budgets>,
    endpoint: Endpoint,
    number: u64,
    call: Arc<Notify>,
}

impl Place {
    /// It was served: there is nothing to give up.
    fn kept(self) {
        drop(self);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.budgets.with(self.endpoint, |operation| {
            operation.line.leave(self.number);
            operation.line.call_first();
        });
    }
}

/// Permission for one request. Dropped when it ended, or was given up: the CAD may have seen it.
#[derive(Debug)]
pub(super) struct RequestPermit {
    budgets: Arc<Budgets>,
    endpoint: Endpoint,
}

impl RequestPermit {
    /// The CAD said 429: somebody else needs the rest.
    pub(super) fn limited(&self, retry_after: Option<Duration>) {
        let until = Instant::now() + retry_after.unwrap_or(MINUTE).max(Duration::from_secs(1));
        self.budgets.with(self.endpoint, |operation| {
            operation.budget.rests_until = operation.budget.rests_until.max(Some(until));
        });
    }
}

impl Drop for RequestPermit {
    fn drop(&mut self) {
        let now = Instant::now();
        self.budgets.with(self.endpoint, |Operation { budget, line, malformed }| {
            budget.flying = budget.flying.saturating_sub(1);
            budget.ended.push_back(now);
            // Further answers to this request no longer matter.
            malformed.trying = false;
            line.call_first();
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

    fn take(budgets: &Arc<Budgets>, endpoint: Endpoint) -> Result<RequestPermit, Duration> {
        budgets.take(endpoint, Rank::Known, Instant::now()).map_err(|error| match error {
            RestError::BudgetSpent { wait } => wait,
            other => panic!("{other}"),
        })
    }

    fn new(percent: u32) -> Arc<Budgets> {
        Arc::new(Budgets::new(percent, Clock::manual(UnixMs(0)), None))
    }

    /// Waits for somebody; returns the outcome, and after how many seconds.
    async fn wait(budgets: &Arc<Budgets>, rank: Rank, person: u64) -> (Result<(), RestError>, u64) {
        let began = Instant::now();
        let (turn, _shown) = Turn::new(person);
        let pass = turn.scope(budgets.turn(Endpoint::Account, rank)).await;
        (pass.map(drop), began.elapsed().as_secs())
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
        let budgets = new(30);
        let flying: Vec<RequestPermit> = (0..3).map(|_| take(&budgets, Endpoint::Attach).unwrap()).collect();
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
        let budgets = new(50);
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
        // However the CAD divides its minutes, and wherever in between it counted: five fit between an end and the sixth begin.
        assert!(begun.iter().skip(5).zip(&ended).all(|(begin, end)| *begin >= *end + MINUTE));
    }

    #[tokio::test(start_paused = true)]
    async fn a_429_makes_the_operation_rest() {
        let budgets = new(SHARE);
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

    #[tokio::test(start_paused = true)]
    async fn twenty_who_ask_within_a_minute_all_get_their_turn_and_the_share_is_kept() {
        let budgets = new(SHARE);
        let waited = futures_util::future::join_all((1..=20).map(|person| wait(&budgets, Rank::Stranger, person))).await;
        assert!(waited.iter().all(|(turn, _)| turn.is_ok()), "{waited:?}");
        let after: Vec<u64> = waited.iter().map(|(_, seconds)| *seconds).collect();
        assert_eq!(after, [vec![0; 7], vec![60; 7], vec![120; 6]].concat());
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_strangers_does_not_delay_somebody_on_duty_beyond_the_next_place() {
        let budgets = new(SHARE);
        let flood = futures_util::future::join_all((1..=100).map(|person| wait(&budgets, Rank::Stranger, person)));
        let officer = async {
            tokio::time::sleep(s(5)).await;
            wait(&budgets, Rank::OnDuty, 500).await
        };
        let (flood, officer) = tokio::join!(flood, officer);
        assert_eq!(officer, (Ok(()), 55));
        // Within three minutes there is budget for 28: the officer and 27 of them (0, 60, 120 and 180 s); nobody waits longer.
        let late: Vec<u64> = flood.iter().filter(|(turn, _)| *turn == Err(RestError::NoTurn)).map(|(_, seconds)| *seconds).collect();
        assert_eq!(late.len() + flood.iter().filter(|(turn, _)| turn.is_ok()).count(), 100);
        assert!(late.len() >= 73 && late.iter().all(|seconds| *seconds == 180), "{late:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_waiting_room_is_bounded_and_says_so_and_who_leaves_makes_room() {
        let budgets = new(SHARE);
        let full = futures_util::future::join_all((0..(7 + MAX_WAITING as u64 + 3)).map(|person| wait(&budgets, Rank::Known, person + 1)));
        let waited = tokio::time::timeout(s(30), full).await;
        assert!(waited.is_err());
        let all = futures_util::future::join_all((0..MAX_WAITING as u64 + 2).map(|person| wait(&budgets, Rank::Known, person + 1))).await;
        let count = |error: &RestError| all.iter().filter(|(turn, _)| turn.as_ref() == Err(error)).count();
        assert_eq!(count(&RestError::QueueFull), 2, "those who left before are not in line any more");
        assert!(count(&RestError::NoTurn) > 400);
    }

    #[tokio::test(start_paused = true)]
    async fn strangers_cannot_take_all_the_room_from_people_on_duty() {
        let budgets = new(10);
        drop(take(&budgets, Endpoint::Account));
        let strangers = futures_util::future::join_all((0..MAX_WAITING as u64).map(|person| wait(&budgets, Rank::Stranger, person + 1)));
        let officer = async {
            tokio::time::sleep(s(1)).await;
            wait(&budgets, Rank::OnDuty, 9_999).await.0
        };
        let (all, officer) = tokio::join!(strangers, officer);
        assert!(officer.is_ok());
        assert_eq!(all.iter().filter(|(turn, _)| turn.as_ref() == Err(&RestError::QueueFull)).count(), MAX_WAITING - MAX_STRANGERS);
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_requests_end_at_once_when_the_bot_stops() {
        let budgets = new(10);
        drop(take(&budgets, Endpoint::Account));
        let stop = async {
            tokio::time::sleep(s(3)).await;
            budgets.close();
        };
        let (waited, ()) = tokio::join!(wait(&budgets, Rank::OnDuty, 1), stop);
        assert_eq!(waited, (Err(RestError::Stopping), 3));
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_waits_for_leaves_half_to_people() {
        let budgets = new(SHARE);
        let background = || budgets.take(Endpoint::Account, Rank::Background, Instant::now());
        let taken = (0..10).map_while(|_| background().ok()).count();
        assert_eq!(taken, 4);
        assert!(take(&budgets, Endpoint::Account).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn two_malformed_requests_within_a_minute_suspend_an_operation_for_ten_minutes() {
        let (sender, mut news) = mpsc::channel(8);
        let clock = Clock::manual(UnixMs(0));
        let budgets = Arc::new(Budgets::new(SHARE, clock.clone(), Some(sender)));
        let bad = || budgets.malformed(Endpoint::AddNote, Instant::now());
        bad();
        advance(s(61)).await;
        bad();
        assert!(budgets.allowed(Endpoint::AddNote, Instant::now()).is_ok(), "a minute lies between");
        advance(s(59)).await;
        bad();
        let until = UnixMs(600_000);
        let suspended = RestError::Suspended { operation: "note", wait: s(600), until };
        assert_eq!(budgets.allowed(Endpoint::AddNote, Instant::now()), Err(suspended));
        assert_eq!(news.try_recv(), Ok(OperationNews::Suspended { operation: "note", until, again: false }));
        assert!(budgets.allowed(Endpoint::Close, Instant::now()).is_ok(), "another operation is another matter");
        // What was sent before is answered now, well and badly.
        budgets.understood(Endpoint::AddNote);
        bad();
        assert!(budgets.allowed(Endpoint::AddNote, Instant::now()).is_err() && news.try_recv().is_err());
        advance(s(600)).await;
        // A single attempt.
        assert!(budgets.allowed(Endpoint::AddNote, Instant::now()).is_ok());
        assert!(matches!(budgets.allowed(Endpoint::AddNote, Instant::now()), Err(RestError::Suspended { .. })));
        bad();
        assert!(matches!(news.try_recv(), Ok(OperationNews::Suspended { again: true, .. })));
        advance(s(600)).await;
        assert!(budgets.allowed(Endpoint::AddNote, Instant::now()).is_ok());
        budgets.understood(Endpoint::AddNote);
        assert_eq!(news.try_recv(), Ok(OperationNews::Resumed { operation: "note" }));
        assert!((0..3).all(|_| budgets.allowed(Endpoint::AddNote, Instant::now()).is_ok()));
        assert!(news.try_recv().is_err(), "once each");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_read_once_a_minute_is_suspended_by_two_in_a_row() {
        let budgets = new(SHARE);
        for (pause, suspended) in [(90, false), (90, true)] {
            advance(s(pause)).await;
            budgets.malformed(Endpoint::Units, Instant::now());
            assert_eq!(budgets.allowed(Endpoint::Units, Instant::now()).is_err(), suspended);
        }
        budgets.malformed(Endpoint::Calls, Instant::now());
        budgets.understood(Endpoint::Calls);
        budgets.malformed(Endpoint::Calls, Instant::now());
        assert!(budgets.allowed(Endpoint::Calls, Instant::now()).is_ok());
    }
}
