//! (a) From the event to the request at Discord, by hub and by HTTP, at three rates, and among many events that show nothing; and the CPU
//! that this takes.
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
/// Units whose status changes.
const UNITS: u32 = 200;
/// Events before the first that counts.
const WARM_UP: u32 = 40;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Way {
    Hub,
    Http,
}

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Load {
    /// Events per second.
    rate: u32,
    /// How many of them are shown.
    shown: u32,
    /// One in so many is shown; the others are new states of units.
    one_in: u32,
}

impl Load {
    const fn all(rate: u32, shown: u32) -> Self {
        Self { rate, shown, one_in: 1 }
    }

    fn name(self) -> String {
        match self.one_in {
            1 => format!("{}/s", self.rate),
            many => format!("{}/s, one in {many} shown", self.rate),
        }
    }

    fn seconds(self) -> u32 {
        self.shown * self.one_in / self.rate
    }
}

const WARMING: Load = Load::all(20, WARM_UP);

fn plan(bench: &Bench) -> [Load; 4] {
    let [slow, steady, fast, mixed] = if bench.options.quick { [3, 60, 400, 80] } else { [20, 300, 3_000, 600] };
    [Load::all(1, slow), Load::all(20, steady), Load::all(200, fast), Load { rate: 400, shown: mixed, one_in: 10 }]
}

/// What was found of one load.
struct Found {
    samples: Samples,
    /// Seconds for 1,000 events.
    cpu: f64,
}

pub(crate) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let mut found: HashMap<(Who, Way, Load), Found> = HashMap::new();
    for who in bench.bots() {
        let stage = Stage::new(SETTING, &bench.disk).await?;
        let running = stage.start(who).await?;
        let mut next = 1;
        for way in [Way::Hub, Way::Http] {
            measure(&stage, &running, way, WARMING, &mut next).await?;
            for load in plan(bench) {
                bench.progress(format_args!("{NAME}: {} by {way:?}, {}, {} s", who.name(), load.name(), load.seconds()));
                found.insert((who, way, load), measure(&stage, &running, way, load, &mut next).await?);
            }
        }
        stage.end(running).await?;
    }
    // The figures asked for are of a disk with an fsync of 0.4 ms.
    bench.disk.measure()?;
    let fsync = bench.disk.lately();
    let fast = fsync <= 0.5;
    for way in [Way::Hub, Way::Http] {
        let by = if way == Way::Hub { "hub" } else { "HTTP" };
        for load in plan(bench) {
            let count = load.shown;
            for (percent, limit) in [(50.0, 2.0), (99.0, 8.0)] {
                let of = |who| found.get(&(who, way, load)).and_then(|of: &Found| of.samples.ms(percent));
                let mut row = Row::new(NAME, format!("event → request, {by}, {}, p{percent}", load.name()), "ms", of(Who::Tenfour));
                row = row.against(of(Who::NodeBot)).note(format!("{count} events"));
                if load.rate >= 20 {
                    row = row.must(Target::PeerAtMost(1.0));
                    row = if fast {
                        row.must(Target::AtMost(limit))
                    } else {
                        row.note(format!("{count} events; ≤ {limit} is asked of a disk of 0.4 ms, this one took {fsync:.1}"))
                    };
                }
                bench.rows.push(row);
            }
            // A second of a few events is mostly what an idle process takes.
            if load.rate >= 20 {
                let of = |who| found.get(&(who, way, load)).map(|of| of.cpu);
                let limit = if load.one_in == 1 { 0.4 } else { 0.5 };
                let row = Row::new(NAME, format!("CPU per 1,000 events, {by}, {}", load.name()), "s", of(Who::Tenfour));
                bench.rows.push(row.against(of(Who::NodeBot)).note(format!("{count} events")).must(Target::PeerAtMost(limit)));
            }
        }
    }
    Ok(())
}

/// Sends a load and waits until all of it that is shown was shown.
async fn measure(stage: &Stage, running: &Running, way: Way, load: Load, next: &mut u32) -> anyhow::Result<Found> {
    stage.forget();
    let cpu = running.process.cpu()?;
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
    let step = Duration::from_secs(1) / load.rate;
    let mut due = tokio::time::Instant::now();
    for at in 0..load.shown * load.one_in {
        tokio::time::sleep_until(due).await;
        due += step;
        let server = 1 + at % SERVERS;
        if at % load.one_in != 0 {
            let status = events::status(1 + at % UNITS, (at / UNITS) % 5);
            match (way, http.get((server - 1) as usize)) {
                (Way::Hub, _) => drop(stage.cad.push(server.into(), "EVENT_UNIT_STATUS", status.get("data").cloned().unwrap_or_default())),
                (Way::Http, queue) => drop(queue.map(|queue| queue.send(status.to_string()))),
            }
            continue;
        }
        let number = *next;
        *next += 1;
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
    if !stage.shown(sent.len(), Duration::from_secs(60)).await {
        let missing: Vec<u32> = sent.iter().map(|(number, _)| *number).filter(|n| !stage.seen.borrow().shown.contains_key(n)).collect();
        anyhow::bail!("of {} events these were not shown: {missing:?}\n{}", sent.len(), running.process.text());
    }
    let seen = stage.seen.borrow();
    let took = sent.iter().filter_map(|(number, at)| Some(seen.shown.get(number)?.saturating_duration_since(*at)));
    let samples = Samples::new(took.collect());
    let spent = running.process.cpu()? - cpu;
    Ok(Found { samples, cpu: spent.as_secs_f64() * 1_000.0 / f64::from(load.shown * load.one_in) })
}
