//! (d) Memory when idle and after much work; CPU for a thousand events that are all shown.

use std::collections::HashMap;
use std::time::Duration;

use tenfour_sim::discord::RateLimits;

use super::Bench;
use super::client::{Connection, send_all};
use super::events;
use super::numbers::Target;
use super::report::Row;
use super::stage::{Running, Setting, Stage, Who};

const NAME: &str = "memory";
const SETTING: Setting = Setting { servers: 1, routes: &[("911", "EVENT_911")], limits: RateLimits::Off };
/// For the CPU: as in `latency`, so that one channel does not hold the others up.
const SPREAD: Setting = Setting { servers: 8, ..SETTING };
const UNITS: u32 = 200;

#[derive(Default)]
struct Found {
    idle: f64,
    loaded: f64,
    peak: f64,
    cpu: f64,
}

pub(crate) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let (rest, many, shown) = if bench.options.quick { (2, 5_000, 300) } else { (10, 100_000, 2_000) };
    let mut found: HashMap<Who, Found> = HashMap::new();
    for who in bench.bots() {
        let mut of = Found::default();
        let stage = Stage::new(SETTING, &bench.disk).await?;
        let running = stage.start(who).await?;
        bench.progress(format_args!("{NAME}: {}, idle for {rest} s", who.name()));
        tokio::time::sleep(Duration::from_secs(rest)).await;
        of.idle = running.process.memory()?.now;
        bench.progress(format_args!("{NAME}: {}, {many} events", who.name()));
        send_all(running.events, 16, (0..many).map(|at| (1, event(at))).collect()).await?;
        if !stage.shown((many / 100) as usize, Duration::from_secs(120)).await {
            anyhow::bail!("of {} cards {} were shown:\n{}", many / 100, stage.seen.borrow().shown.len(), running.process.text());
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        let memory = running.process.memory()?;
        (of.loaded, of.peak) = (memory.now, memory.peak);
        stage.end(running).await?;

        let stage = Stage::new(SPREAD, &bench.disk).await?;
        let running = stage.start(who).await?;
        bench.progress(format_args!("{NAME}: {}, CPU of {shown} events at 100/s", who.name()));
        of.cpu = cpu(&stage, &running, shown).await?;
        stage.end(running).await?;
        found.insert(who, of);
    }
    let row = |what: String, unit, figure: fn(&Found) -> f64| {
        Row::new(NAME, what, unit, found.get(&Who::Tenfour).map(figure)).against(found.get(&Who::NodeBot).map(figure))
    };
    let rows = [
        row(format!("resident, connected and idle for {rest} s"), "MiB", |of| of.idle).must(Target::AtMost(18.0)),
        row(format!("resident after {many} events over HTTP"), "MiB", |of| of.loaded).must(Target::AtMost(35.0)),
        row(format!("at most during {many} events"), "MiB", |of| of.peak),
        row("CPU per 1,000 events, each shown, at 100/s".to_owned(), "s", |of| of.cpu).must(Target::PeerAtMost(0.4)),
    ];
    bench.rows.extend(rows);
    Ok(())
}

/// Event `at` of a shift: one in a hundred is a 911, which ends soon; dispatch calls live for a while; the rest are units.
fn event(at: u32) -> String {
    let call = 1 + at / 100;
    match at % 100 {
        0 => events::emergency_body(call),
        1 => events::dispatch_body(call),
        10 | 20 | 30 => events::dispatch_note(call).to_string(),
        50 => events::emergency_removed(call).to_string(),
        90 => events::dispatch_closed(call).to_string(),
        25 | 75 => events::unknown(at).to_string(),
        33 | 66 | 99 => events::login(1 + at % UNITS).to_string(),
        _ => events::status(1 + at % UNITS, (at / UNITS) % 5).to_string(),
    }
}

/// CPU seconds per 1,000 events at 100/s, by HTTP, until all are shown.
async fn cpu(stage: &Stage, running: &Running, count: u32) -> anyhow::Result<f64> {
    let mut connection = Connection::new(running.events);
    let from = 500_000;
    for number in from..from + 100 {
        connection.post(1 + number % SPREAD.servers, &events::emergency_body(number)).await?;
    }
    anyhow::ensure!(stage.shown(100, Duration::from_secs(30)).await, "the first 100 events were not shown");
    stage.forget();
    let before = running.process.cpu()?;
    let mut due = tokio::time::Instant::now();
    for number in from + 100..from + 100 + count {
        connection.post(1 + number % SPREAD.servers, &events::emergency_body(number)).await?;
        due += Duration::from_millis(10);
        tokio::time::sleep_until(due).await;
    }
    anyhow::ensure!(stage.shown(count as usize, Duration::from_secs(60)).await, "not all of {count} events were shown");
    let spent = running.process.cpu()? - before;
    Ok(spent.as_secs_f64() * 1_000.0 / f64::from(count))
}
