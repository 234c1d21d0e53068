//! Decides which server is read next, which part of it, and when. Pure: requests and times in, reads out.
//!
//! ```text
//! request ─▶ not before ─▶ ripe ─▶ its endpoint has budget, nothing under way there ─▶ begun ─▶ read
//!                         ▲                                                          │
//!                         └─ the request comes back ◀── 429, refused, failed ◀──────────┘
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use super::budget::Budget;
use crate::ids::ServerId;
use crate::refresh::{Part, Reason};

/// A removal may be one of several requests that dispatched the 911: wait for the others.
const AFTER_REMOVAL: Duration = Duration::from_secs(2);
/// Several removals share one read; the first of them waits no longer than this.
const GATHERED_MOST: Duration = Duration::from_secs(6);
/// What a read left out because of a recent event is read again this much later.
const AGAIN: Duration = Duration::from_secs(4);
/// … and if that read left something out too.
const AGAIN_AFTER_AGAIN: Duration = Duration::from_secs(30);
/// The first periodic read. Hub sessions that connect before it have requested theirs.
const FIRST: Duration = Duration::from_secs(10);
/// Rejected credentials, a plan too low, an unknown server: none of them resolves itself soon.
const REFUSED: Duration = Duration::from_secs(300);
/// Pauses after failures double from the first to the second.
const FAILED: Duration = Duration::from_secs(5);
const FAILED_MOST: Duration = Duration::from_secs(300);
/// Calls wait this long for the units of their server, which they refer to.
const UNITS_FIRST: Duration = Duration::from_secs(3);
/// After this many requested reads in a row, a waiting periodic one is next.
const TRIGGERED_IN_A_ROW: u32 = 2;

/// The limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollLimits {
    /// Each server is read again after this long; `None` = only on request.
    pub period: Option<Duration>,
    /// `SONORAN_CALLS_PER_MINUTE`.
    pub calls_per_minute: u32,
    /// `SONORAN_UNITS_PER_MINUTE`.
    pub units_per_minute: u32,
}

/// How a read ended, for the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Read,
    /// 429, with the CAD's wait.
    Limited(Option<Duration>),
    /// Key or plan: the same for every server.
    Refused,
    /// The CAD does not know this server.
    NoSuchServer,
    /// Nothing is sent for this long: the CAD called two requests malformed.
    Suspended(Duration),
    /// Anything else: this server is retried later, the others continue.
    Failed,
}

/// The schedule of one API key.
#[derive(Debug)]
pub(super) struct Schedule {
    period: Option<Duration>,
    endpoints: [Endpoint; 2],
}

#[derive(Debug)]
struct Endpoint {
    part: Part,
    budget: Budget,
    flight: Option<Flight>,
    triggered_in_a_row: u32,
    turns: u64,
    servers: BTreeMap<ServerId, Cell>,
}

/// A read in flight.
#[derive(Clone, Copy, Debug)]
struct Flight {
    server: ServerId,
    since: Duration,
    triggered: bool,
    again: bool,
}

/// One part of one server.
#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    request: Option<Request>,
    /// When the periodic read is due.
    due: Option<Duration>,
    /// When it last began: a number that grows with each read, 0 = never.
    turn: u64,
    /// The last read was for [`Reason::Recheck`].
    was_again: bool,
    failures: u32,
    blocked_until: Duration,
}

/// All requests for one part of one server.
#[derive(Clone, Copy, Debug)]
struct Request {
    /// When the first of them is due.
    not_before: Duration,
    /// When it would have been, without collecting others.
    first: Duration,
    /// The last: a read before that doesn't satisfy it. Nothing for [`Reason::Recheck`], since every read finds out for itself
    /// whether another is needed.
    last: Option<Duration>,
    /// All of them are [`Reason::Recheck`].
    again: bool,
}

impl Request {
    fn new(not_before: Duration, again: bool) -> Self {
        Self { not_before, first: not_before, last: (!again).then_some(not_before), again }
    }

    /// The requests that remain after a read that begins now.
    fn left(self, now: Duration) -> Option<Self> {
        self.last.filter(|last| *last > now).map(|last| Self::new(last, false))
    }
}

impl Cell {
    fn request(&mut self, request: Request) {
        self.request = Some(match self.request {
            None => request,
            Some(known) => Request {
                not_before: known.not_before.min(request.not_before),
                first: known.first.min(request.first),
                last: known.last.max(request.last),
                again: known.again && request.again,
            },
        });
    }

    /// When it may be read, apart from the budget.
    fn ripe_at(&self) -> Option<Duration> {
        let requested = self.request.map(|request| request.not_before);
        let ripe = match (requested, self.due) {
            (Some(a), Some(b)) => a.min(b),
            (a, b) => a.or(b)?,
        };
        Some(ripe.max(self.blocked_until))
    }

    fn is_ripe(&self, now: Duration) -> bool {
        self.ripe_at().is_some_and(|at| at <= now)
    }

    fn is_triggered(&self, now: Duration) -> bool {
        self.request.is_some_and(|request| request.not_before <= now)
    }
}

impl Schedule {
    /// For these servers, starting at time zero.
    pub(super) fn new(servers: &[ServerId], pace: PollLimits) -> Self {
        let endpoint = |part: Part| {
            let per_minute = match part {
                Part::Units => pace.units_per_minute,
                Part::Calls => pace.calls_per_minute,
            };
            let cell = Cell { due: pace.period.map(|period| period.min(FIRST)), ..Cell::default() };
            Endpoint {
                part,
                budget: Budget::new(per_minute),
                flight: None,
                triggered_in_a_row: 0,
                turns: 0,
                servers: servers.iter().map(|server| (*server, cell)).collect(),
            }
        };
        Self { period: pace.period, endpoints: Part::ALL.map(endpoint) }
    }

    /// Adds a request for a server. Requests for the same server and part are merged.
    pub(super) fn request(&mut self, server: ServerId, reason: Reason, now: Duration) {
        match reason {
            Reason::Removed => self.removed(server, now),
            Reason::Connected => {
                for part in Part::ALL {
                    self.add(server, part, Request::new(now, false));
                    self.forgive(server, part);
                }
            }
            Reason::Recheck => {
                for part in Part::ALL {
                    self.again(server, part, now);
                }
            }
        }
    }

    fn removed(&mut self, server: ServerId, now: Duration) {
        let cell = self.endpoint_mut(Part::Calls).and_then(|endpoint| endpoint.servers.get_mut(&server));
        let Some(cell) = cell else { return };
        let at = now + AFTER_REMOVAL;
        match &mut cell.request {
            // Only removals have a delay without being a recheck.
            Some(request) if request.not_before > now && !request.again => {
                let most = request.first.saturating_add(GATHERED_MOST - AFTER_REMOVAL);
                request.not_before = at.min(most.max(request.not_before));
                request.last = Some(request.not_before);
            }
            _ => cell.request(Request::new(at, false)),
        }
    }

    /// A read of this part left something out. If the next one does so too, it isn't hurried a second time: a busy server would
    /// use up the budget of all.
    pub(super) fn again(&mut self, server: ServerId, part: Part, now: Duration) {
        let was_again = self.endpoint(part).and_then(|endpoint| endpoint.servers.get(&server)).is_some_and(|cell| cell.was_again);
        let wait = if was_again { AGAIN_AFTER_AGAIN } else { AGAIN };
        self.add(server, part, Request::new(now + wait, true));
    }

    fn add(&mut self, server: ServerId, part: Part, request: Request) {
        if let Some(cell) = self.endpoint_mut(part).and_then(|endpoint| endpoint.servers.get_mut(&server)) {
            cell.request(request);
        }
    }

    /// The CAD can be reached again: pauses after failures end. The budget still applies.
    fn forgive(&mut self, server: ServerId, part: Part) {
        let cell = self.endpoint_mut(part).and_then(|endpoint| endpoint.servers.get_mut(&server));
        if let Some(cell) = cell.filter(|cell| cell.failures > 0) {
            cell.failures = 0;
            cell.blocked_until = Duration::ZERO;
        }
    }

    fn endpoint(&self, part: Part) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.part == part)
    }

    fn endpoint_mut(&mut self, part: Part) -> Option<&mut Endpoint> {
        self.endpoints.iter_mut().find(|endpoint| endpoint.part == part)
    }

    /// The server whose calls wait for its units, and until when.
    fn units_first(&self) -> Option<(ServerId, Duration)> {
        self.endpoint(Part::Units)?.flight.map(|flight| (flight.server, flight.since + UNITS_FIRST))
    }

    /// Begins the next read that may begin now. Call again until there is none.
    pub(super) fn next(&mut self, now: Duration) -> Option<(ServerId, Part)> {
        for part in Part::ALL {
            // Checked for each part: the units may have begun just now.
            let held = self.units_first().filter(|(_, until)| part == Part::Calls && now < *until).map(|(server, _)| server);
            let period = self.period;
            let Some(endpoint) = self.endpoint_mut(part) else { continue };
            if let Some(server) = endpoint.choose(held, now) {
                endpoint.begin(server, period, now);
                return Some((server, part));
            }
        }
        None
    }

    /// When [`Schedule::next`] has something to begin, if nothing else happens before.
    pub(super) fn wake_at(&self) -> Option<Duration> {
        let held = self.units_first();
        let ready = |endpoint: &Endpoint| {
            let hold = |server: ServerId| match held {
                Some((units_of, until)) if endpoint.part == Part::Calls && units_of == server => until,
                _ => Duration::ZERO,
            };
            let ripe = endpoint.servers.iter().filter_map(|(server, cell)| Some(cell.ripe_at()?.max(hold(*server)))).min()?;
            (!endpoint.budget.is_flying()).then(|| ripe.max(endpoint.budget.free_at()))
        };
        self.endpoints.iter().filter_map(ready).min()
    }

    /// The read in flight of this part ended. `jitter` is between 0 and 1.
    pub(super) fn done(&mut self, part: Part, ending: Ending, now: Duration, jitter: f64) {
        let Some(endpoint) = self.endpoint_mut(part) else { return };
        let Some(flight) = endpoint.flight.take() else { return };
        endpoint.budget.end(now);
        match ending {
            Ending::Limited(retry_after) => endpoint.budget.limited(retry_after, now),
            Ending::Refused => endpoint.budget.rest(REFUSED, now),
            Ending::Suspended(wait) => endpoint.budget.rest(wait, now),
            Ending::Read | Ending::NoSuchServer | Ending::Failed => {}
        }
        let Some(cell) = endpoint.servers.get_mut(&flight.server) else { return };
        match ending {
            Ending::Read => {
                cell.failures = 0;
                return;
            }
            Ending::NoSuchServer => cell.blocked_until = now + REFUSED,
            Ending::Failed => {
                cell.blocked_until = now + failed_wait(cell.failures, jitter);
                cell.failures = cell.failures.saturating_add(1);
            }
            Ending::Limited(_) | Ending::Refused | Ending::Suspended(_) => {}
        }
        // It was not read: the request remains.
        if flight.triggered {
            cell.request(Request::new(now, flight.again));
        } else {
            cell.due = Some(now);
        }
    }

    /// Requests left now, of how many.
    pub(super) fn left(&self, part: Part, now: Duration) -> (u32, u32) {
        self.endpoint(part).map_or((0, 0), |endpoint| (endpoint.budget.left(now), endpoint.budget.per_minute()))
    }

    /// How long no request for this part is possible.
    pub(super) fn wait(&self, part: Part, now: Duration) -> Duration {
        self.endpoint(part).map_or(Duration::ZERO, |endpoint| endpoint.budget.free_at().saturating_sub(now))
    }
}

impl Endpoint {
    /// Requested ones first, then the one read longest ago; but requested ones may not delay the others forever.
    fn choose(&self, held: Option<ServerId>, now: Duration) -> Option<ServerId> {
        if !self.budget.is_free(now) {
            return None;
        }
        let ripe = || self.servers.iter().filter(|(server, cell)| Some(**server) != held && cell.is_ripe(now));
        let longest_ago = |triggered: bool| {
            ripe().filter(|(_, cell)| cell.is_triggered(now) == triggered).min_by_key(|(_, cell)| cell.turn).map(|(server, _)| *server)
        };
        if self.triggered_in_a_row >= TRIGGERED_IN_A_ROW {
            longest_ago(false).or_else(|| longest_ago(true))
        } else {
            longest_ago(true).or_else(|| longest_ago(false))
        }
    }

    fn begin(&mut self, server: ServerId, period: Option<Duration>, now: Duration) {
        let Some(cell) = self.servers.get_mut(&server) else { return };
        let triggered = cell.is_triggered(now);
        let again = triggered && cell.request.is_some_and(|request| request.again);
        cell.request = cell.request.and_then(|request| request.left(now));
        cell.due = period.map(|period| now + period);
        self.turns += 1;
        cell.turn = self.turns;
        cell.was_again = again;
        self.triggered_in_a_row = if triggered { self.triggered_in_a_row.saturating_add(1) } else { 0 };
        self.budget.begin();
        self.flight = Some(Flight { server, since: now, triggered, again });
    }
}

/// Doubles, with jitter over its upper half.
fn failed_wait(failures: u32, jitter: f64) -> Duration {
    let whole = FAILED.saturating_mul(1 << failures.min(8)).min(FAILED_MOST);
    whole.mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests;
