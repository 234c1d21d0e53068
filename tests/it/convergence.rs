//! Random scenarios: the CAD changes on its own pages and through its API, connections drop, events are lost, duplicated or late, Discord
//! fails, moderators delete messages, the bot dies and restarts. When faults end, within one reconcile period every routed channel shows
//! exactly what the CAD has open: each call and panic once, each correct; and every role was pinged about each subject, but not twice.
//!
//! `TENFOUR_SEED=17` plays one scenario and prints it; `TENFOUR_SCENARIOS=50000` plays more of them, from `TENFOUR_FIRST_SEED` on.

mod cards;
mod checks;
mod model;

use self::checks::{Outcome, SHARED};
use self::model::Scenario;

/// Scenarios by default.
const SCENARIOS: u64 = 2_000;
#[test]
fn after_the_noise_every_channel_shows_what_is_open_and_nobody_was_called_twice() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds: Vec<u64> = match number("TENFOUR_SEED") {
        Some(seed) => vec![seed],
        None => {
            let first = number("TENFOUR_FIRST_SEED").unwrap_or(0);
            (first..first + number("TENFOUR_SCENARIOS").unwrap_or(SCENARIOS)).collect()
        }
    };
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get).min(seeds.len());
    let next = std::sync::atomic::AtomicUsize::new(0);
    let failed = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(seed) = seeds.get(next.fetch_add(1, std::sync::atomic::Ordering::SeqCst)) {
                    if failed.lock().unwrap().len() >= 3 {
                        return;
                    }
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                    let printed = seeds.len() == 1;
                    if let Err(why) = runtime.block_on(Scenario::play(*seed, printed)) {
                        failed.lock().unwrap().push(format!("TENFOUR_SEED={seed}: {why}"));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    let shared = SHARED.load(std::sync::atomic::Ordering::SeqCst);
    assert!(seeds.len() < 100 || shared * 100 > seeds.len(), "cards shared a message {shared} times only: nothing is proved of that");
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

impl Scenario {
    async fn play(seed: u64, printed: bool) -> Outcome {
        // The bot's random choices are drawn here, on this thread.
        fastrand::seed(seed);
        let mut scenario = Self::begin(seed, printed).await;
        let steps = scenario.rng.usize(8..40);
        for _ in 0..steps {
            scenario.step().await;
        }
        scenario.calm().await;
        let outcome = scenario.judge().await;
        scenario.stage.end().await;
        outcome
    }
}
