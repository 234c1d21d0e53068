//! (e) A kill while Discord answers 503 and 10,000 posts wait; then a start with Discord healthy again.

use std::time::Duration;

use tenfour_sim::discord::RateLimits;

use super::Bench;
use super::client::send_all;
use super::events;
use super::numbers::Target;
use super::report::Row;
use super::stage::{Setting, Stage, Who};

const NAME: &str = "restart";
const SETTING: Setting = Setting { servers: 8, routes: &[("911", "EVENT_911")], limits: RateLimits::Off };

pub(crate) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let pending: u32 = if bench.options.quick { 500 } else { 10_000 };
    bench.progress(format_args!("{NAME}: tenfour, {pending} posts pile up"));
    let stage = Stage::new(SETTING, &bench.disk).await?;
    let running = stage.start(Who::Tenfour).await?;
    stage.discord.fail("POST", "/messages", 503, u32::MAX);
    let events = (1..=pending).map(|number| (1 + number % SETTING.servers, events::emergency_body(number)));
    send_all(running.events, 16, events.collect()).await?;
    running.process.kill().await?;
    stage.discord.clear_faults();
    stage.forget();

    bench.progress(format_args!("{NAME}: tenfour starts again"));
    let running = stage.start_again().await?;
    anyhow::ensure!(stage.shown(1, Duration::from_secs(60)).await, "nothing was sent:\n{}", running.process.text());
    let limit = Duration::from_secs(60 + u64::from(pending) / 20);
    let all = stage.shown(pending as usize, limit).await;
    let (first, last, shown) = {
        let seen = stage.seen.borrow();
        let since = |at: &std::time::Instant| at.saturating_duration_since(running.started).as_secs_f64();
        (seen.first.as_ref().map(since), seen.shown.values().max().map(since), seen.shown.len())
    };
    let memory = running.process.memory()?;
    let rows =
        [
            Row::new(NAME, format!("{pending} posts pending: first create after the start"), "s", first).must(Target::AtMost(0.15)),
            Row::new(NAME, format!("{pending} posts pending: ready after the start"), "s", Some(running.ready_after.as_secs_f64())),
            Row::new(NAME, format!("{pending} posts pending: all shown, without Discord's limits"), "s", last.filter(|_| all))
                .note(if all { String::new() } else { format!("only {shown} within {} s", limit.as_secs()) }),
            Row::new(NAME, format!("{pending} posts pending: memory at most"), "MiB", Some(memory.peak)).must(Target::AtMost(45.0)),
        ];
    bench.rows.extend(rows);
    stage.end(running).await
}
