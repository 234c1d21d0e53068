//! (c) Many new cards within a second in one channel, under Discord's real limits, with a panic in their middle.
//!
//! A card is visible once Discord has accepted a request, create or edit, that shows it.

use std::time::{Duration, Instant};

use tenfour_sim::discord::RateLimits;

use super::Bench;
use super::client::Connection;
use super::events;
use super::numbers::Target;
use super::report::Row;
use super::stage::{Setting, Stage, Who};

const NAME: &str = "burst";
const SETTING: Setting = Setting {
    servers: 1,
    routes: &[("911", "EVENT_911"), ("dispatch", "EVENT_DISPATCH_NEW"), ("panic", "EVENT_UNIT_PANIC")],
    limits: RateLimits::Real,
};

/// The result of one burst. Seconds.
struct Outcome {
    all: f64,
    panic: f64,
    requests: f64,
    limited: f64,
}

pub(crate) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let sizes: &[u32] = if bench.options.quick { &[50] } else { &[50, 500] };
    for &count in sizes {
        let mut found = Vec::new();
        for who in bench.bots() {
            // One message each, at one a second: more than eight minutes.
            if who == Who::NodeBot && count > 50 && !bench.options.long {
                found.push(None);
                continue;
            }
            bench.progress(format_args!("{NAME}: {}, {count} cards in a second", who.name()));
            found.push(Some(one(bench, who, count).await?));
        }
        let of = |at: usize, figure: fn(&Outcome) -> f64| found.get(at).and_then(Option::as_ref).map(figure);
        let left_out = if count > 50 && bench.node.is_some() && !bench.options.long { "the peer only with --long" } else { "" };
        let limit = if count > 50 { 75.0 } else { 6.5 };
        let row = |what: &str, unit, figure: fn(&Outcome) -> f64| {
            Row::new(NAME, format!("{count} new cards in one channel: {what}"), unit, of(0, figure)).against(of(1, figure))
        };
        let rows = [
            row("all visible after", "s", |o| o.all).must(Target::AtMost(limit)).note(left_out),
            row("panic in the middle visible after", "s", |o| o.panic).must(Target::AtMost(1.0)),
            row("requests", "", |o| o.requests),
            row("429 taken", "", |o| o.limited).must(Target::AtMost(0.0)),
        ];
        bench.rows.extend(rows);
    }
    Ok(())
}

async fn one(bench: &Bench, who: Who, count: u32) -> anyhow::Result<Outcome> {
    let stage = Stage::new(SETTING, &bench.disk).await?;
    let running = stage.start(who).await?;
    let mut connection = Connection::new(running.events);
    connection.post(1, &events::login(events::PANIC).to_string()).await?;
    // Requests from the start are outside every window by now.
    tokio::time::sleep(Duration::from_secs(6)).await;
    stage.forget();
    let began = Instant::now();
    let mut due = tokio::time::Instant::now();
    let mut panic = began;
    for number in 1..=count {
        if number == count / 2 {
            panic = Instant::now();
            connection.post(1, &events::panic(events::PANIC).to_string()).await?;
        }
        connection.post(1, &events::card_body(number)).await?;
        due += Duration::from_secs(1) / count;
        tokio::time::sleep_until(due).await;
    }
    let all = count as usize + 1;
    if !stage.shown(all, Duration::from_secs(60 + 2 * u64::from(count))).await {
        anyhow::bail!("of {all} cards {} were shown:\n{}", stage.seen.borrow().shown.len(), running.process.text());
    }
    let outcome = {
        let seen = stage.seen.borrow();
        let at = |card: &u32| seen.shown.get(card).copied();
        let last = (1..=count).filter_map(|card| at(&card)).max().unwrap_or(began);
        Outcome {
            all: last.duration_since(began).as_secs_f64(),
            panic: at(&events::PANIC).unwrap_or(panic).saturating_duration_since(panic).as_secs_f64(),
            requests: seen.requests as f64,
            limited: seen.limited as f64,
        }
    };
    stage.end(running).await?;
    Ok(outcome)
}
