//! Reads the CAD's REST API periodically and on request, since changes made through the API raise no event, and the hub doesn't repeat
//! events after a gap (docs/cad-contract.md#e2, #h7).
//!
//! `schedule.rs` decides what to read when, within the budget of each endpoint; responses are decoded and sent to ingest, which
//! compares them with the world. Never changes the world itself, never has two requests per endpoint in flight, never reveals the key.
//!
//! ```text
//! Trigger ─▶ schedule ─▶ GET units | GET calls ─▶ decode ─▶ Read ─▶ ingest
//!               ▲                                                    │
//!               └──────── ending, what was left out ◀──── Outcome ◀──┘
//! ```

mod budget;
mod schedule;

use std::mem::{Discriminant, discriminant};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::cad::rest::{CadReader, Calls, RestError};
use crate::clock::{Clock, UnixMs};
use crate::event::{DispatchCall, EmergencyCall, Unit, listed_dispatch, listed_emergency, listed_unit};
use crate::ids::ServerId;
use crate::metrics::{Metrics, ReadOutcome};
use crate::refresh::{Outcome, Part, Read, Trigger};
use crate::shutdown::Tasks;
use crate::status::{ReadBudget, Status};
use crate::world::{ListedCalls, ListedUnits, Listing};
use schedule::{Ending, Schedule};

pub use schedule::PollLimits;

/// Budgets refill while nothing happens: the shown values are at most this old.
const SHOW: Duration = Duration::from_secs(5);

/// The reader of one community's CAD: all servers of one API key.
#[derive(Debug)]
pub struct Reconciler {
    pub servers: Vec<ServerId>,
    /// The limits.
    pub pace: PollLimits,
    /// The API.
    pub rest: CadReader,
    pub clock: Clock,
    pub metrics: Metrics,
    pub status: Status,
    /// Receives reads: only ingest may change the world.
    pub readings: mpsc::Sender<Read>,
    /// Requests to read a server.
    pub requests: mpsc::Receiver<Trigger>,
}

/// The result of one read.
struct Done {
    server: ServerId,
    part: Part,
    asked_at: UnixMs,
    /// Ingest's outcome; `None` inside if it couldn't be stored.
    result: Result<Option<Outcome>, RestError>,
}

/// The last error reported for each part, so that people get each once.
#[derive(Debug, Default)]
struct Reported {
    units: Option<Discriminant<RestError>>,
    calls: Option<Discriminant<RestError>>,
}

impl Reported {
    fn of(&mut self, part: Part) -> &mut Option<Discriminant<RestError>> {
        match part {
            Part::Units => &mut self.units,
            Part::Calls => &mut self.calls,
        }
    }
}

impl Reconciler {
    /// For tests that run it one step at a time instead of calling [`Reconciler::run`].
    #[must_use]
    pub fn manual(self) -> ManualReconciler {
        let schedule = Schedule::new(&self.servers, self.pace);
        let began = self.clock.now();
        ManualReconciler { schedule, reported: Reported::default(), began, reader: self }
    }

    /// Runs until draining begins. A request under way is given up: nothing is lost by it.
    pub async fn run(&mut self, tasks: &Tasks) {
        let began = Instant::now();
        let mut schedule = Schedule::new(&self.servers, self.pace);
        let mut reported = Reported::default();
        let mut under_way = FuturesUnordered::new();
        let mut has_requesters = true;
        loop {
            let now = began.elapsed();
            while let Some((server, part)) = schedule.next(now) {
                under_way.push(self.read(server, part));
            }
            self.show(&schedule, now);
            let wake = schedule.wake_at().map_or(now + SHOW, |at| at.min(now + SHOW));
            tokio::select! {
                biased;
                () = tasks.draining() => return,
                Some(done) = under_way.next(), if !under_way.is_empty() => self.take(&mut schedule, &mut reported, &done, began.elapsed()),
                request = self.requests.recv(), if has_requesters => match request {
                    Some(Trigger { server, reason }) => schedule.request(server, reason, began.elapsed()),
                    None => has_requesters = false,
                },
                () = tokio::time::sleep_until(began + wake) => {}
            }
        }
    }

    /// Sends a request, and waits until ingest has processed the response. Borrows nothing: many of these run beside the loop.
    fn read(&self, server: ServerId, part: Part) -> impl Future<Output = Done> + use<> {
        let (rest, clock, readings) = (self.rest.clone(), self.clock.clone(), self.readings.clone());
        let every = self.every(part);
        async move {
            // Before the request: events from here on are newer than the response.
            let asked_at = clock.now();
            let result = match listing(&rest, server, part, asked_at, every).await {
                Ok(listing) => Ok(hand_over(&readings, server, listing).await),
                Err(error) => Err(error),
            };
            Done { server, part, asked_at, result }
        }
    }

    /// How often one server can be read: by the clock, or by the budget.
    fn every(&self, part: Part) -> Duration {
        let per_minute = match part {
            Part::Units => self.pace.units_per_minute,
            Part::Calls => self.pace.calls_per_minute,
        };
        let servers = u64::try_from(self.servers.len()).unwrap_or(u64::MAX);
        let round = Duration::from_millis(servers.saturating_mul(60_000) / u64::from(per_minute.max(1)));
        round.max(self.pace.period.unwrap_or_default())
    }

    fn take(&self, schedule: &mut Schedule, reported: &mut Reported, done: &Done, now: Duration) {
        let Done { server, part, asked_at, result } = done;
        schedule.done(*part, ending(result), now, fastrand::f64());
        match result {
            Ok(Some(outcome)) => {
                *reported.of(*part) = None;
                if outcome.skipped > 0 {
                    schedule.again(*server, *part, now);
                }
                let found = if outcome.changes > 0 { ReadOutcome::CaughtUp } else { ReadOutcome::NothingNew };
                self.metrics.reading(*part, found);
                self.status.read(*server, *part, *asked_at, *outcome);
                tracing::debug!(%server, part = part.as_str(), skipped = outcome.skipped, changes = outcome.changes, "read the CAD");
            }
            // Ingest reports the disk itself.
            Ok(None) => self.metrics.reading(*part, ReadOutcome::NotStored),
            Err(error) => self.failed(reported, *server, *part, error),
        }
    }

    fn failed(&self, reported: &mut Reported, server: ServerId, part: Part, error: &RestError) {
        let outcome = match error {
            RestError::RateLimited { .. } => ReadOutcome::RateLimited,
            RestError::Unauthorised | RestError::Forbidden | RestError::PlanTooLow | RestError::UnknownServer { .. } => {
                ReadOutcome::Refused
            }
            RestError::NotFound
            | RestError::Server { .. }
            | RestError::Network { .. }
            | RestError::Unreadable
            | RestError::BudgetSpent { .. }
            | RestError::QueueFull
            | RestError::NoTurn
            | RestError::Stopping
            | RestError::Suspended { .. }
            | RestError::NotThere { .. }
            | RestError::Rejected { .. }
            | RestError::OutcomeUnknown { .. } => ReadOutcome::Failed,
        };
        self.metrics.reading(part, outcome);
        let now = self.clock.now();
        let sentence = sentence(part, error);
        self.status.unread(server, part, now, &sentence);
        let kind = discriminant(error);
        // A suspension is reported where it begins.
        let is_reported_elsewhere = matches!(error, RestError::Suspended { .. });
        if reported.of(part).replace(kind) == Some(kind) || is_reported_elsewhere {
            tracing::debug!(%server, part = part.as_str(), %error, "the CAD could still not be read");
        } else {
            tracing::warn!(%server, part = part.as_str(), %error, "the CAD could not be read");
            self.status.problem(now, format!("Reading the CAD's {}: {sentence}", part.as_str()));
        }
    }

    fn show(&self, schedule: &Schedule, now: Duration) {
        let at = self.clock.now();
        for part in Part::ALL {
            let (left, per_minute) = schedule.left(part, now);
            let wait = schedule.wait(part, now);
            self.metrics.cad_budget_left(part, left);
            let free_at = (left == 0).then(|| at.plus(wait));
            self.status.read_budget(part, ReadBudget { left, per_minute, free_at });
        }
    }
}

/// The same on the same schedule, one read at a time: for simulations, whose time doesn't pass by itself.
#[derive(Debug)]
pub struct ManualReconciler {
    reader: Reconciler,
    schedule: Schedule,
    reported: Reported,
    began: UnixMs,
}

impl ManualReconciler {
    /// Reads what is due now; `take` applies it to the world.
    pub async fn read(&mut self, mut take: impl AsyncFnMut(Read)) {
        let at = self.reader.clock.now();
        let now = at.since(self.began);
        while let Ok(Trigger { server, reason, .. }) = self.reader.requests.try_recv() {
            self.schedule.request(server, reason, now);
        }
        while let Some((server, part)) = self.schedule.next(now) {
            let result = match listing(&self.reader.rest, server, part, at, self.reader.every(part)).await {
                Ok(listing) => {
                    let (done, mut outcome) = oneshot::channel();
                    take(Read { server, listing, done }).await;
                    Ok(outcome.try_recv().ok())
                }
                Err(error) => Err(error),
            };
            let done = Done { server, part, asked_at: at, result };
            self.reader.take(&mut self.schedule, &mut self.reported, &done, now);
        }
    }
}

async fn listing(rest: &CadReader, server: ServerId, part: Part, asked_at: UnixMs, every: Duration) -> Result<Listing, RestError> {
    let listing = Listing { asked_at, every, ..Listing::default() };
    Ok(match part {
        Part::Units => {
            let answer = rest.units(server).await?;
            let units: Vec<Unit> = answer.units.iter().filter_map(listed_unit).collect();
            // If a unit can't be decoded, a missing unit means nothing.
            let complete = answer.complete && units.len() == answer.units.len();
            Listing { units: Some(ListedUnits { units, complete }), ..listing }
        }
        Part::Calls => {
            let calls = listed_calls(&rest.calls(server).await?);
            Listing { calls: Some(calls), ..listing }
        }
    })
}

/// If a call or its number can't be decoded, a missing call means nothing.
fn listed_calls(answer: &Calls) -> ListedCalls {
    let dispatches: Vec<DispatchCall> = answer.active.iter().filter_map(listed_dispatch).collect();
    let emergencies: Vec<EmergencyCall> = answer.emergency.iter().filter_map(listed_emergency).collect();
    ListedCalls {
        dispatches_in_part: answer.active_in_part || dispatches.len() < answer.active.len(),
        emergencies_in_part: answer.emergency_in_part
            || emergencies.len() < answer.emergency.len()
            || emergencies.iter().any(|call| call.id.is_none()),
        closed: answer.closed.iter().filter_map(listed_dispatch).collect(),
        dispatches,
        emergencies,
    }
}

async fn hand_over(readings: &mpsc::Sender<Read>, server: ServerId, listing: Listing) -> Option<Outcome> {
    let (done, outcome) = oneshot::channel();
    readings.send(Read { server, listing, done }).await.ok()?;
    outcome.await.ok()
}

fn ending(result: &Result<Option<Outcome>, RestError>) -> Ending {
    match result {
        Ok(Some(_)) => Ending::Read,
        Err(RestError::RateLimited { retry_after }) => Ending::Limited(*retry_after),
        Err(RestError::Unauthorised | RestError::Forbidden | RestError::PlanTooLow) => Ending::Refused,
        Err(RestError::UnknownServer { .. }) => Ending::NoSuchServer,
        Err(RestError::Suspended { wait, .. }) => Ending::Suspended(*wait),
        Ok(None)
        | Err(
            RestError::NotFound
            | RestError::Server { .. }
            | RestError::Network { .. }
            | RestError::Unreadable
            | RestError::BudgetSpent { .. }
            | RestError::QueueFull
            | RestError::NoTurn
            | RestError::Stopping
            | RestError::NotThere { .. }
            | RestError::Rejected { .. }
            | RestError::OutcomeUnknown { .. },
        ) => Ending::Failed,
    }
}

/// For people. A limit is worded differently than after a press: nobody needs to retry.
fn sentence(part: Part, error: &RestError) -> String {
    let setting = match part {
        Part::Units => "SONORAN_UNITS_PER_MINUTE",
        Part::Calls => "SONORAN_CALLS_PER_MINUTE",
    };
    match error {
        RestError::RateLimited { retry_after } => format!(
            "the CAD's limit of requests for this API key was used up (the game server shares it). The bot waits {} s and then asks half as often for 10 minutes. If this comes again, lower {setting}.",
            retry_after.map_or(60, |wait| wait.as_secs().max(1))
        ),
        RestError::Rejected { .. } => {
            "the CAD rejected the request as malformed. If it does so again, the bot stops asking for 10 minutes.".to_owned()
        }
        RestError::PlanTooLow => format!("{error} SONORAN_RECONCILE_SECONDS=off stops asking."),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
