//! (b) The HTTP listener: how many events a second it accepts, over how many connections, for how much CPU; and a thousand at once.
//!
//! Closed loop: each connection sends its next event when the last was answered. Ours answers when the event is on disk; the peer has
//! parsed it and stores nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tenfour_sim::discord::RateLimits;

use super::Bench;
use super::client::{Connection, send_all};
use super::events;
use super::numbers::{Samples, Target};
use super::report::Row;
use super::stage::{Running, Setting, Stage, Who, node};

const NAME: &str = "acceptance";
/// Nothing is posted.
const UNROUTED: Setting = Setting { servers: 1, routes: &[], limits: RateLimits::Off };
const ROUTED: Setting = Setting { servers: 8, routes: &[("911", "EVENT_911")], limits: RateLimits::Off };
const CONNECTIONS: [usize; 4] = [1, 8, 16, 64];
/// Units whose status changes all the time.
const UNITS: u32 = 200;
/// Events of one burst.
const AT_ONCE: u32 = 1_000;

/// One run of the closed loop.
struct Loop {
    per_second: f64,
    samples: Samples,
    per_cpu_second: f64,
    refused: u32,
}

pub(crate) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let time = Duration::from_secs(if bench.options.quick { 1 } else { 5 });
    let mut found: HashMap<(Who, usize), Loop> = HashMap::new();
    let mut whos = vec![Who::Tenfour];
    whos.extend(bench.node.is_some().then_some(Who::NodeListener));
    for who in whos {
        let (stage, running) = if who == Who::Tenfour {
            let stage = Stage::new(UNROUTED, &bench.disk).await?;
            let running = stage.start(who).await?;
            (Some(stage), running)
        } else {
            (None, node("listener.mjs", BTreeMap::new()).await?)
        };
        let mut first = Connection::new(running.events);
        for ident in 1..=UNITS {
            first.post(1, &events::login(ident).to_string()).await?;
        }
        drop(first);
        // Both have handled such events before they are measured.
        closed_loop(&running, 8, time / 4).await?;
        for connections in CONNECTIONS {
            bench.progress(format_args!("{NAME}: {}, {connections} connections, {} s", who.name(), time.as_secs()));
            found.insert((who, connections), closed_loop(&running, connections, time).await?);
        }
        match stage {
            Some(stage) => stage.end(running).await?,
            None => running.process.kill().await?,
        }
    }
    for connections in CONNECTIONS {
        let of = |who, figure: fn(&Loop) -> Option<f64>| found.get(&(who, connections)).and_then(figure);
        let refused = found.get(&(Who::Tenfour, connections)).map_or(0, |run| run.refused);
        let mut rows = [
            Row::new(NAME, format!("durable, {connections} connections, rate"), "1/s", of(Who::Tenfour, |run| Some(run.per_second)))
                .against(of(Who::NodeListener, |run| Some(run.per_second))),
            Row::new(NAME, format!("durable, {connections} connections, p50"), "ms", of(Who::Tenfour, |run| run.samples.ms(50.0)))
                .against(of(Who::NodeListener, |run| run.samples.ms(50.0))),
            Row::new(NAME, format!("durable, {connections} connections, p99"), "ms", of(Who::Tenfour, |run| run.samples.ms(99.0)))
                .against(of(Who::NodeListener, |run| run.samples.ms(99.0))),
            Row::new(
                NAME,
                format!("durable, {connections} connections, per CPU second"),
                "1/s",
                of(Who::Tenfour, |run| Some(run.per_cpu_second)),
            )
            .against(of(Who::NodeListener, |run| Some(run.per_cpu_second))),
        ];
        if connections >= 16 {
            let [rate, _, _, cpu] = &mut rows;
            rate.targets.push(Target::PeerAtLeast(1.0));
            cpu.targets.push(Target::PeerAtLeast(1.0));
        }
        if refused > 0 {
            rows[0].note = format!("{refused} answered otherwise than 200");
        }
        bench.rows.extend(rows);
    }
    bursts(bench).await
}

/// What the CAD sends most of: half are a unit's new status, a quarter a whole unit, a quarter of an unknown type. 220 bytes on
/// average; the fixtures in `tests/fixtures/push-events` have 250.
fn bodies() -> Vec<String> {
    let body = |at: u32| match at % 4 {
        0 | 2 => events::status(1 + at % UNITS, at / UNITS),
        1 => events::login(1 + at % UNITS),
        _ => events::unknown(at),
    };
    (0..UNITS * 5).map(|at| body(at).to_string()).collect()
}

async fn closed_loop(running: &Running, connections: usize, time: Duration) -> anyhow::Result<Loop> {
    let bodies = Arc::new(bodies());
    let mut open = Vec::new();
    for _ in 0..connections {
        let mut connection = Connection::new(running.events);
        // One request before the clock starts: connecting isn't measured.
        connection.post(1, bodies.first().map_or("", String::as_str)).await?;
        open.push(connection);
    }
    let cpu = running.process.cpu()?;
    let began = Instant::now();
    let tasks: Vec<_> = open
        .into_iter()
        .enumerate()
        .map(|(at, mut connection)| {
            let bodies = Arc::clone(&bodies);
            tokio::spawn(async move {
                let (mut samples, mut refused) = (Vec::new(), 0);
                for body in bodies.iter().cycle().skip(at * 15) {
                    let sent = Instant::now();
                    if sent.duration_since(began) >= time {
                        break;
                    }
                    if connection.post(1, body).await? == 200 {
                        samples.push(sent.elapsed());
                    } else {
                        refused += 1;
                    }
                }
                std::io::Result::Ok((samples, refused))
            })
        })
        .collect();
    let (mut samples, mut refused) = (Vec::new(), 0);
    for task in tasks {
        let (more, not) = task.await??;
        samples.extend(more);
        refused += not;
    }
    let took = began.elapsed().as_secs_f64();
    let cpu = (running.process.cpu()? - cpu).as_secs_f64();
    let count = samples.len() as f64;
    // Time for pending writes, and for connections to be seen closed.
    tokio::time::sleep(Duration::from_millis(300)).await;
    Ok(Loop { per_second: count / took, per_cpu_second: count / cpu.max(0.01), samples: Samples::new(samples), refused })
}

/// A thousand routed events at once, several times.
async fn bursts(bench: &mut Bench) -> anyhow::Result<()> {
    let times = if bench.options.quick { 2 } else { 7 };
    let mut found: HashMap<Who, (Option<f64>, u32)> = HashMap::new();
    for who in bench.bots() {
        let stage = Stage::new(ROUTED, &bench.disk).await?;
        let running = stage.start(who).await?;
        let (mut took, mut refused) = (Vec::new(), 0);
        for round in 0..=times {
            bench.progress(format_args!("{NAME}: {}, {AT_ONCE} routed events at once, {round} of {times}", who.name()));
            stage.forget();
            let (time, not) = burst(&running, 1 + round * AT_ONCE).await?;
            // The first is for warming up.
            if round > 0 {
                took.push(time);
                refused += not;
            }
            if !stage.shown(AT_ONCE as usize, Duration::from_secs(120)).await {
                anyhow::bail!("of {AT_ONCE} events {} were shown:\n{}", stage.seen.borrow().shown.len(), running.process.text());
            }
        }
        let median = Samples::new(took).median();
        found.insert(who, (median.map(|time| f64::from(AT_ONCE) / time.as_secs_f64()), refused));
        stage.end(running).await?;
    }
    let of = |who| found.get(&who).and_then(|(rate, _)| *rate);
    let mut row = Row::new(NAME, "1,000 routed events at once, rate until all are accepted", "1/s", of(Who::Tenfour));
    row = row.against(of(Who::NodeBot)).must(Target::PeerAtLeast(3.0));
    let refused = found.get(&Who::Tenfour).map_or(0, |(_, refused)| *refused);
    row = row.note(if refused > 0 { format!("median of {times}; {refused} had to be sent again") } else { format!("median of {times}") });
    bench.rows.push(row);
    Ok(())
}

async fn burst(running: &Running, from: u32) -> anyhow::Result<(Duration, u32)> {
    let bodies = (from..from + AT_ONCE).map(|number| (1 + number % ROUTED.servers, events::emergency_body(number))).collect();
    let sent = send_all(running.events, 64, bodies).await?;
    // Until closed connections are seen to be closed.
    tokio::time::sleep(Duration::from_millis(300)).await;
    Ok(sent)
}
