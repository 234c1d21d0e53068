//! Tests the task against the simulated CAD, with a fake ingest.

use secrecy::SecretString;
use tenfour_sim::cad::{CadOptions, CadSim, Seen, Silence, UnitSpec};
use tokio::time::timeout;

use super::*;
use crate::cad::rest::{CadRest, Object};
use crate::refresh::{Reason, RefreshRequests};

const SOON: Duration = Duration::from_secs(20);
const ONE: ServerId = ServerId(1);

struct Stage {
    cad: CadSim,
    clock: Clock,
    status: Status,
    metrics: Metrics,
    requests: RefreshRequests,
    readings: mpsc::Receiver<Read>,
    tasks: Tasks,
}

impl Stage {
    async fn new(pace: PollLimits) -> Self {
        let cad = CadSim::start(CadOptions::default()).await.unwrap();
        let (requests, requested) = RefreshRequests::new();
        let (sender, readings) = mpsc::channel(4);
        let stage = Self {
            clock: Clock::manual(UnixMs(5_000)),
            status: Status::default(),
            metrics: Metrics::new(&[ONE], &[]),
            tasks: Tasks::default(),
            cad,
            requests,
            readings,
        };
        let mut reconciler = Reconciler {
            servers: vec![ONE, ServerId(9)],
            pace,
            rest: CadRest::new(&stage.cad.api_url(), SecretString::from(CadOptions::default().api_key), reqwest::Client::new()).reader(),
            clock: stage.clock.clone(),
            metrics: stage.metrics.clone(),
            status: stage.status.clone(),
            readings: sender,
            requests: requested,
        };
        let tasks = stage.tasks.clone();
        stage.tasks.spawn_vital("reconcile", async move { reconciler.run(&tasks).await });
        stage
    }

    fn request(&self, reason: Reason) {
        self.requests.request(ONE, reason);
    }

    /// The next read and its part; ingest answers `outcome`.
    async fn reading(&mut self, outcome: Outcome) -> Listing {
        let read = timeout(SOON, self.readings.recv()).await.expect("nothing was read").unwrap();
        assert_eq!(read.server, ONE);
        read.done.send(outcome).unwrap();
        read.listing
    }

    async fn until(&self, what: &str, fact: impl Fn(&Self) -> bool) {
        let waiting = async {
            while !fact(self) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(timeout(SOON, waiting).await.is_ok(), "never came: {what}; {:?}", self.status.snapshot());
    }

    fn counts(&self, part: &str, outcome: &str) -> bool {
        let line = format!(r#"tenfour_reconciliations_total{{part="{part}",outcome="{outcome}"}} 1"#);
        self.metrics.encode().lines().any(|l| l == line)
    }

    fn asked(&self) -> Vec<String> {
        let path = |seen: Seen| match seen {
            Seen::Rest { path, .. } => path.rsplit('/').next().map(str::to_owned),
            _ => None,
        };
        self.cad.log().into_iter().filter_map(path).collect()
    }

    async fn end(self) {
        assert!(self.tasks.stop(SOON).await && !self.tasks.failed());
        self.cad.stop().await;
    }
}

fn pace() -> PollLimits {
    PollLimits { period: None, calls_per_minute: 2, units_per_minute: 1 }
}

#[tokio::test]
async fn a_connected_server_is_read_units_first_and_its_findings_are_reported() {
    let mut stage = Stage::new(pace()).await;
    stage.cad.login(1, &UnitSpec { num: "A-10".into(), ..UnitSpec::default() }).unwrap();
    stage.request(Reason::Connected);
    let units = stage.reading(Outcome::default()).await;
    assert_eq!((units.asked_at, units.calls), (UnixMs(5_000), None));
    let units = units.units.unwrap();
    assert_eq!((units.units.len(), units.complete), (1, true));
    let calls = stage.reading(Outcome { caught_up: 2, changes: 3, ..Outcome::default() }).await;
    assert!(calls.units.is_none() && calls.calls.is_some());

    stage.until("both are counted", |s| s.counts("units", "nothing_new") && s.counts("calls", "caught_up")).await;
    let facts = stage.status.server(ONE);
    let found = |part| (facts.readings[&part].at, facts.readings[&part].found);
    assert_eq!(found(Part::Units), (Some(UnixMs(5_000)), None));
    assert_eq!(found(Part::Calls), (Some(UnixMs(5_000)), Some((UnixMs(5_000), 3))));
    stage.until("what is left", |s| s.status.snapshot().budgets.values().map(|b| (b.left, b.per_minute)).eq([(0, 1), (1, 2)])).await;
    assert_eq!(stage.asked(), ["units", "calls"]);
    assert!(stage.metrics.encode().contains("tenfour_cad_budget_left{part=\"calls\"} 1\n"));
    stage.end().await;
}

#[tokio::test]
async fn what_ingest_left_out_is_read_again_a_few_seconds_later() {
    let mut stage = Stage::new(pace()).await;
    let began = Instant::now();
    stage.request(Reason::Removed);
    stage.reading(Outcome { skipped: 1, ..Outcome::default() }).await;
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
    stage.reading(Outcome::default()).await;
    assert!(began.elapsed() >= Duration::from_secs(6), "{:?}", began.elapsed());
    assert_eq!(stage.asked(), ["calls", "calls"]);
    stage.end().await;
}

#[tokio::test]
async fn a_429_is_reported_once_and_leaves_the_other_part_alone() {
    let mut stage = Stage::new(pace()).await;
    stage.cad.rest_status("/units", 429, 9, Some(30));
    stage.request(Reason::Connected);
    assert!(stage.reading(Outcome::default()).await.calls.is_some());
    stage.until("the limit", |s| s.counts("units", "rate_limited")).await;
    stage.until("the rest", |s| s.status.snapshot().budgets.values().next().is_some_and(|b| b.left == 0 && b.free_at.is_some())).await;
    let facts = stage.status.snapshot();
    let (_, problem) = &facts.problems[0];
    assert!(problem.contains("The bot waits 30 s") && problem.contains("SONORAN_UNITS_PER_MINUTE"), "{problem}");
    assert_eq!(facts.problems.len(), 1);
    let trouble = facts.servers[&ONE].readings[&Part::Units].trouble.clone();
    assert!(trouble.is_some_and(|(at, reason)| at == UnixMs(5_000) && problem.contains(&reason)));
    assert_eq!(stage.asked().len(), 2);
    stage.end().await;
}

#[tokio::test]
async fn a_problem_is_reported_once_and_again_only_if_it_is_another() {
    let mut stage = Stage::new(PollLimits { calls_per_minute: 5, ..pace() }).await;
    stage.cad.rest_status("/calls", 500, 2, None);
    stage.request(Reason::Removed);
    // Fails twice, with 2.5 to 10 s between; then works by itself.
    assert!(stage.reading(Outcome::default()).await.calls.is_some());
    stage.until("the reading", |s| s.counts("calls", "nothing_new")).await;
    let facts = stage.status.snapshot();
    assert_eq!(facts.problems.len(), 1, "{:?}", facts.problems);
    assert!(facts.problems[0].1.starts_with("Reading the CAD's calls: The CAD answered with status 500"), "{:?}", facts.problems);
    assert_eq!(facts.servers[&ONE].readings[&Part::Calls].trouble, None);
    // The CAD does not know this one.
    stage.requests.request(ServerId(9), Reason::Removed);
    stage.until("the refusal", |s| s.counts("calls", "refused")).await;
    assert!(stage.status.snapshot().problems[0].1.contains("SONORAN_SERVER_IDS"));
    stage.end().await;
}

#[tokio::test]
async fn a_reading_that_could_not_be_stored_is_made_again() {
    let mut stage = Stage::new(pace()).await;
    stage.request(Reason::Removed);
    drop(timeout(SOON, stage.readings.recv()).await.expect("nothing was read"));
    stage.until("the loss", |s| s.counts("calls", "not_stored")).await;
    stage.reading(Outcome::default()).await;
    stage.end().await;
}

#[tokio::test]
async fn stopping_waits_for_no_answer() {
    let stage = Stage::new(pace()).await;
    stage.cad.silence(Silence::Tcp);
    stage.request(Reason::Connected);
    stage.until("a request", |s| s.status.snapshot().budgets.values().any(|budget| budget.left == 0)).await;
    stage.end().await;
}

#[test]
fn every_error_has_its_ending_and_its_sentence() {
    let server = |status| RestError::Server { status, trace: None };
    for (error, ending_wanted) in [
        (RestError::RateLimited { retry_after: None }, Ending::Limited(None)),
        (RestError::Unauthorised, Ending::Refused),
        (RestError::Forbidden, Ending::Refused),
        (RestError::PlanTooLow, Ending::Refused),
        (RestError::UnknownServer { server: ONE }, Ending::NoSuchServer),
        (RestError::NotFound, Ending::Failed),
        (server(502), Ending::Failed),
        (RestError::Network { cause: "no connection" }, Ending::Failed),
        (RestError::Unreadable, Ending::Failed),
    ] {
        assert!(!sentence(Part::Calls, &error).is_empty());
        assert_eq!(ending(&Err(error)), ending_wanted);
    }
    assert_eq!(ending(&Ok(None)), Ending::Failed);
    assert!(sentence(Part::Calls, &RestError::PlanTooLow).contains("SONORAN_RECONCILE_SECONDS=off"));
}

#[test]
fn a_row_of_calls_that_cannot_be_read_is_no_absence() {
    let row = |row: serde_json::Value| row.as_object().unwrap().clone();
    let good = Calls {
        active: vec![row(serde_json::json!({"callId": 501}))],
        emergency: vec![row(serde_json::json!({"callId": 302}))],
        ..Calls::default()
    };
    let in_part = |calls: &Calls| {
        let listed = listed_calls(calls);
        (listed.dispatches_in_part, listed.emergencies_in_part)
    };
    assert_eq!(in_part(&good), (false, false));
    for bad in [serde_json::json!({"callId": "?", "title": "Fire", "description": "Fire"}), serde_json::json!({"isEmergency": true})] {
        let with = |list: &[Object]| [list, &[row(bad.clone())]].concat();
        assert_eq!(in_part(&Calls { active: with(&good.active), ..good.clone() }), (true, false), "{bad}");
        assert_eq!(in_part(&Calls { emergency: with(&good.emergency), ..good.clone() }), (false, true), "{bad}");
        assert_eq!(in_part(&Calls { closed: vec![row(bad.clone())], ..good.clone() }), (false, false), "{bad}");
    }
}
