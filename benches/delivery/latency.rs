//! (a) From the event to the request at Discord, by hub and by HTTP, at three rates.
//!
//! ```text
//! now ─▶ push (hub's socket, or one HTTP connection per server) ─▶ bot ─▶ POST …/messages ─▶ whole at the pretend Discord ─▶ now
//! ```
//!
//! Eight servers, each with a channel of its own, in turn. Discord's limits are off: 50/s would cap what is measured.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::json;
use tenfour_sim::discord::RateLimits;
use tokio::sync::mpsc;

use super::Bench;
use super::client::Connection;
use super::events;
use super::numbers::{Samples, Target};
use super::report::Row;
use super::stage::{Running, Setting, Stage, Who};

const NAME: &str = "latency";
const SERVERS: u32 = 8;
const SETTING: Setting = Setting { servers: SERVERS, routes: &[("911", "EVENT_911")], limits: RateLimits::Off };
/// Events before the first that counts.
const WARM_UP: u32 = 40;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Way {
    Hub,
    Http,
}

/// Events per second, and how many.
fn plan(bench: &Bench) -> [(u32, u32); 3] {
    if bench.options.quick { [(1, 3), (20, 60), (200, 400)] } else { [(1, 20), (20, 300), (200, 3_000)] }
}

pub(crate) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let mut found: HashMap<(Who, Way, u32), Samples> = HashMap::new();
    for who in bench.bots() {
        let stage = Stage::new(SETTING, &bench.disk).await?;
        let running = stage.start(who).await?;
        let mut next = 1;
        for way in [Way::Hub, Way::Http] {
            measure(&stage, &running, way, 20, &mut next, WARM_UP).await?;
            for (rate, count) in plan(bench) {
                bench.progress(format_args!("{NAME}: {} by {way:?}, {rate}/s, {} s", who.name(), count / rate));
                let samples = measure(&stage, &running, way, rate, &mut next, count).await?;
                found.insert((who, way, rate), samples);
            }
        }
        stage.end(running).await?;
    }
    // The figures asked for are of a disk with an fsync of 0.4 ms.
    bench.disk.measure()?;
    let fsync = bench.disk.lately();
    let fast = fsync <= 0.5;
    for way in [Way::Hub, Way::Http] {
        for (rate, count) in plan(bench) {
            for (percent, limit) in [(50.0, 2.0), (99.0, 8.0)] {
                let of = |who| found.get(&(who, way, rate)).and_then(|samples: &Samples| samples.ms(percent));
                let by = if way == Way::Hub { "hub" } else { "HTTP" };
                let mut row = Row::new(NAME, format!("event → request, {by}, {rate}/s, p{percent}"), "ms", of(Who::Tenfour));
                row = row.against(of(Who::NodeBot)).note(format!("{count} events"));
                if rate >= 20 {
                    row = row.must(Target::PeerAtMost(1.0));
                    row = if fast {
                        row.must(Target::AtMost(limit))
                    } else {
                        row.note(format!("{count} events; ≤ {limit} is asked of a disk of 0.4 ms, this one took {fsync:.1}"))
                    };
                }
                bench.rows.push(row);
            }
        }
    }
    Ok(())
}

/// Sends `count` events at `rate` per second and waits until each was shown.
async fn measure(stage: &Stage, running: &Running, way: Way, rate: u32, next: &mut u32, count: u32) -> anyhow::Result<Samples> {
    stage.forget();
    let mut http = Vec::new();
    for server in 1..=SERVERS {
        let (queue, mut bodies) = mpsc::unbounded_channel::<String>();
        let mut connection = Connection::new(running.events);
        connection.open().await?;
        tokio::spawn(async move {
            while let Some(body) = bodies.recv().await {
                connection.post(server, &body).await.ok();
            }
        });
        http.push(queue);
    }
    let mut sent: Vec<(u32, Instant)> = Vec::new();
    let step = Duration::from_secs(1) / rate;
    let mut due = tokio::time::Instant::now();
    for number in *next..*next + count {
        tokio::time::sleep_until(due).await;
        due += step;
        let server = 1 + number % SERVERS;
        match way {
            Way::Hub => {
                let data = json!(events::emergency(number));
                sent.push((number, Instant::now()));
                stage.cad.push(server.into(), "EVENT_911", data);
            }
            Way::Http => {
                let body = events::emergency_body(number);
                sent.push((number, Instant::now()));
                // Waiting for the connection counts: an event does not happen later because the one before it is still being taken.
                if let Some(queue) = http.get((server - 1) as usize) {
                    queue.send(body).ok();
                }
            }
        }
    }
    *next += count;
    if !stage.shown(sent.len(), Duration::from_secs(60)).await {
        let missing: Vec<u32> = sent.iter().map(|(number, _)| *number).filter(|n| !stage.seen.borrow().shown.contains_key(n)).collect();
        anyhow::bail!("of {} events these were not shown: {missing:?}\n{}", sent.len(), running.process.text());
    }
    let seen = stage.seen.borrow();
    let took = sent.iter().filter_map(|(number, at)| Some(seen.shown.get(number)?.saturating_duration_since(*at)));
    Ok(Samples::new(took.collect()))
}
