//! Faults of the CAD and of Discord's gateway that have no test elsewhere, each on the whole bot; and everything at once, at random.

use std::time::Duration;

use serde_json::json;
use tenfour::render::Style;
use tenfour_sim::cad::{CadOptions, CadSim, CallSpec, HttpDestination, Noise as CadNoise, Seen};
use tenfour_sim::discord::{DiscordOptions, DiscordSim, Noise, RateLimits};

use crate::test_bot::{PATIENCE, Setup, TestBot, title, until};

fn fire(id: i64) -> serde_json::Value {
    json!({ "call": { "callId": id, "isEmergency": true, "description": format!("Fire {id}") } })
}

fn sessions_made(cad: &CadSim) -> usize {
    cad.count(|seen| matches!(seen, Seen::Auth { success: Some(true), .. }))
}

/// Drops the session under this fault, and sees events flow on the next one. `while_so`: it connects although the fault persists.
async fn a_new_session(how: impl Fn(&CadSim), while_so: bool, wrong: impl Fn(&Seen) -> bool) -> TestBot {
    let bot = TestBot::start().await;
    let channel = bot.channel("911", None, Style::Card).await;
    let before = sessions_made(&bot.cad);
    how(&bot.cad);
    bot.cad.drop_all();
    assert!(bot.cad.wait_seen(PATIENCE, wrong).await.is_some(), "the fault was never met");
    if !while_so {
        bot.cad.heal();
    }
    until("the next session", async || sessions_made(&bot.cad) > before && bot.cad.sessions(1) > 0).await;
    bot.cad.push(1, "EVENT_911", fire(1));
    bot.message(&channel, |m| title(m).contains("Fire 1")).await;
    bot
}

#[tokio::test]
async fn a_hub_of_before_is_signed_in_to_by_its_older_method() {
    let older = |seen: &Seen| matches!(seen, Seen::Auth { method, success: Some(true), .. } if method.eq_ignore_ascii_case("authenticate"));
    a_new_session(|cad| cad.method_missing("authenticatev2"), true, older).await.finish().await;
}

#[tokio::test]
async fn no_negotiation_to_be_had() {
    let refused = |seen: &Seen| matches!(seen, Seen::Negotiate { status: 503 });
    a_new_session(|cad| cad.negotiate_status(503, Some(1)), false, refused).await.finish().await;
}

#[tokio::test]
async fn a_negotiation_that_says_no() {
    let before = |seen: &Seen| matches!(seen, Seen::SessionEnd { .. });
    a_new_session(|cad| cad.negotiate_answer(json!({"error": "the hub is full"})), false, before).await.finish().await;
}

#[tokio::test]
async fn records_in_pieces_and_records_behind_the_handshake() {
    let how = |cad: &CadSim| {
        cad.split_messages(7);
        cad.behind_handshake("{\"type\":6}\u{1e}");
    };
    let bot = a_new_session(how, true, |seen| matches!(seen, Seen::SessionEnd { .. })).await;
    assert_eq!(bot.app().store.counts().await.unwrap().failed, 0);
    bot.finish().await;
}

#[tokio::test]
async fn a_binary_message_ends_the_session_and_the_next_one_goes_on() {
    a_new_session(|cad| cad.send_binary(b"\x01"), true, |seen| matches!(seen, Seen::SessionEnd { .. })).await.finish().await;
}

#[tokio::test]
async fn a_hub_that_does_not_ping_but_talks_is_alive() {
    let bot = TestBot::start().await;
    let channel = bot.channel("911", None, Style::Card).await;
    bot.cad.stop_pings();
    bot.cad.push(1, "EVENT_911", fire(1));
    bot.message(&channel, |m| title(m).contains("Fire 1")).await;
    assert_eq!(sessions_made(&bot.cad), 1);
    bot.finish().await;
}

#[tokio::test]
async fn what_comes_twice_on_both_ways_is_one_card() {
    let bot = TestBot::start().await;
    let channel = bot.channel("911", None, Style::Card).await;
    bot.cad.set_http(1, Some(HttpDestination { url: format!("{}?server=1", bot.events_url()), forward: true }));
    bot.cad.push_twice();
    bot.cad.place_911(1, &CallSpec { emergency: true, description: "Fire".into(), ..CallSpec::default() }).unwrap();
    assert!(bot.cad.wait_pushed(PATIENCE).await);
    bot.caught_up().await;
    assert!(title(&bot.only(&channel)).contains("Fire"));
    bot.finish().await;
}

#[tokio::test]
async fn what_one_source_loses_the_other_delivers() {
    let bot = TestBot::start().await;
    let channel = bot.channel("911", None, Style::Card).await;
    bot.cad.set_http(1, Some(HttpDestination { url: format!("{}?server=1", bot.events_url()), forward: true }));
    // The hub's, which is first.
    bot.cad.lose_pushes(1);
    bot.cad.push(1, "EVENT_911", fire(1));
    bot.message(&channel, |m| title(m).contains("Fire 1")).await;
    bot.finish().await;
}

#[tokio::test]
async fn an_end_that_overtakes_its_beginning_is_the_end() {
    let bot = TestBot::start().await;
    let channel = bot.channel("911", None, Style::Card).await;
    bot.cad.late_pushes(400, 1);
    bot.cad.push(1, "EVENT_911", fire(1));
    bot.cad.push(1, "EVENT_REMOVE_911", json!({ "callIds": [1] }));
    bot.cad.push(1, "EVENT_911", fire(2));
    bot.message(&channel, |m| title(m).contains("Fire 2")).await;
    assert!(bot.cad.wait_pushed(PATIENCE).await);
    bot.caught_up().await;
    assert!(title(&bot.only(&channel)).contains("Fire 2"), "a call that is over waits for somebody: {:?}", bot.titles(&channel));
    bot.finish().await;
}

#[tokio::test]
async fn a_request_that_arrives_after_the_next_one_makes_no_second_message() {
    let mut bot = TestBot::start().await;
    let channel = bot.channel("911", None, Style::Card).await;
    // In flight for longer than the bot runs.
    bot.discord.late("POST", "/messages", 1_500, 1);
    bot.send_event("EVENT_911", fire(1)).await;
    let store = bot.app().store.clone();
    until("the claim", async || store.due().await.unwrap().first().is_some_and(|due| due.at > bot.clock.now())).await;
    drop(store);
    // Its worker is aborted after its time to end.
    assert!(bot.halt().await, "an answer within the time to end is waited for");
    bot.boot().await;
    bot.settled().await;
    assert!(title(&bot.only(&channel)).contains("Fire 1"));
    bot.discord.drop_requests("POST", "/messages", 2);
    bot.send_event("EVENT_911", fire(2)).await;
    bot.settled().await;
    assert_eq!(bot.discord.messages(&channel).len(), 2);
    bot.finish().await;
}

/// Breaks the gateway, sees alerts continue meanwhile and the gateway come back.
async fn gateway_comes_back(discord: DiscordOptions, how: impl Fn(&DiscordSim), repair: impl Fn(&DiscordSim)) {
    let bot = TestBot::start_with(Setup { discord: Some(discord), ..Setup::default() }).await;
    let channel = bot.channel("911", None, Style::Card).await;
    let seen = |sim: &DiscordSim| sim.gateway()["identifies"].as_u64().unwrap() + sim.gateway()["resumes"].as_u64().unwrap();
    let before = seen(&bot.discord);
    how(&bot.discord);
    bot.send_event("EVENT_911", fire(1)).await;
    bot.message(&channel, |m| title(m).contains("Fire 1")).await;
    repair(&bot.discord);
    until("the gateway", async || seen(&bot.discord) > before && bot.discord.gateway()["connected"] == 1).await;
    until("readiness", async || bot.app().readiness.is_ready()).await;
    bot.finish().await;
}

fn calm() -> DiscordOptions {
    DiscordOptions { rate_limits: RateLimits::Off, ..DiscordOptions::default() }
}

#[tokio::test]
async fn the_gateway_asks_to_reconnect() {
    gateway_comes_back(calm(), |sim| assert_eq!(sim.opcode7(), 1), |_| {}).await;
}

#[tokio::test]
async fn the_gateway_forgets_the_session() {
    gateway_comes_back(calm(), |sim| assert_eq!(sim.invalidate_session(), 1), |_| {}).await;
}

#[tokio::test]
async fn the_gateway_is_away() {
    let how = |sim: &DiscordSim| {
        sim.gateway_up(false);
        sim.drop_gateway();
    };
    gateway_comes_back(calm(), how, |sim| sim.gateway_up(true)).await;
}

#[tokio::test]
async fn the_gateway_is_dead_without_a_word() {
    let discord = DiscordOptions { heartbeat_ms: 500, ..calm() };
    let bot = TestBot::start_with(Setup { discord: Some(discord), ..Setup::default() }).await;
    bot.discord.acknowledge_heartbeats(false);
    // It notices by itself, and retries.
    let seen = || bot.discord.gateway()["identifies"].as_u64().unwrap() + bot.discord.gateway()["resumes"].as_u64().unwrap();
    until("another session", async || seen() > 1).await;
    bot.discord.acknowledge_heartbeats(true);
    until("the gateway", async || bot.discord.gateway()["connected"] == 1 && bot.app().readiness.is_ready()).await;
    bot.finish().await;
}

#[tokio::test]
async fn the_cads_api_broken_in_every_way_is_asked_again() {
    let settings = vec![
        ("SONORAN_RECONCILE_SECONDS", "10".to_owned()),
        ("SONORAN_CALLS_PER_MINUTE", "5".to_owned()),
        ("SONORAN_UNITS_PER_MINUTE", "3".to_owned()),
    ];
    type Break = fn(&CadSim);
    let ways: [Break; 5] = [
        |cad| cad.rest_garbage("/calls", 1),
        |cad| cad.rest_drop("/calls", 1),
        |cad| cad.rest_do_then_drop("/calls", 1),
        |cad| cad.rest_delay("/calls", 1_500, 1),
        |cad| cad.rest_hang("/calls", 1),
    ];
    let each = ways.into_iter().map(|way| {
        let settings = settings.clone();
        async move {
            let cad = CadOptions { rate_limits: false, ..CadOptions::default() };
            let mut bot = TestBot::prepare(Setup { settings, cad: Some(cad), ..Setup::default() }).await;
            // Created before anybody listened: only a read can find it.
            bot.cad.silently(true);
            bot.cad.place_911(1, &CallSpec { emergency: true, description: "Fire".into(), ..CallSpec::default() }).unwrap();
            bot.cad.silently(false);
            way(&bot.cad);
            bot.boot().await;
            let channel = bot.channel("911", None, Style::Card).await;
            let shown = bot.discord.wait_message(&channel, Duration::from_secs(60), |m| title(m).contains("Fire")).await;
            assert!(shown.is_ok(), "{shown:?}");
            bot.finish().await;
        }
    });
    futures_util::future::join_all(each).await;
}

#[tokio::test]
async fn everything_at_once_at_random_and_in_the_end_each_call_stands_once() {
    let seed = std::env::var("TENFOUR_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    println!("noise: TENFOUR_SEED={seed}");
    let bot = TestBot::start().await;
    let channel = bot.channel("911", None, Style::Card).await;
    bot.cad.set_http(1, Some(HttpDestination { url: format!("{}?server=1", bot.events_url()), forward: true }));
    bot.cad.noise(CadNoise { seed, lost: 200, twice: 200, late: 300, most_ms: 300, ..CadNoise::default() });
    let (fail, rate_limit, garbage, drop, do_then_drop, delay, late) = (60, 40, 40, 40, 80, 100, 60);
    let path_part = "/messages".to_owned();
    bot.discord.noise(Noise { seed, path_part, fail, rate_limit, garbage, drop, do_then_drop, hang: 0, delay, late, most_ms: 150 });
    for id in 1..=60 {
        bot.cad.push(1, "EVENT_911", fire(id));
    }
    assert!(bot.cad.wait_pushed(PATIENCE).await);
    bot.cad.heal();
    // As if the caller called again: some were lost on both paths.
    for id in 1..=60 {
        bot.cad.push(1, "EVENT_911", fire(id));
    }
    assert!(bot.cad.wait_pushed(PATIENCE).await);
    bot.discord.clear_faults();
    bot.caught_up().await;
    let mut titles = bot.titles(&channel);
    titles.sort();
    titles.dedup();
    assert_eq!((titles.len(), bot.discord.messages(&channel).len()), (60, 60), "{titles:#?}");
    bot.finish().await;
}

#[tokio::test]
async fn two_malformed_requests_suspend_an_operation_which_is_reported_once() {
    let bot = TestBot::start_with(Setup {
        settings: vec![
            ("SONORAN_RECONCILE_SECONDS", "600".to_owned()),
            ("SONORAN_CALLS_PER_MINUTE", "5".to_owned()),
            ("SONORAN_UNITS_PER_MINUTE", "3".to_owned()),
        ],
        ..Setup::default()
    })
    .await;
    let notices = bot.notices().await;
    bot.cad.rest_status("GET /calls$", 400, u32::MAX, None);
    let sessions = || bot.cad.count(|seen| matches!(seen, tenfour_sim::cad::Seen::Auth { success: Some(true), .. }));
    let before = sessions();
    bot.cad.drop_all();
    until("the next session", async || sessions() > before).await;
    let notice = bot.message(&notices, |m| title(m) == "⚠️ Sonoran CAD rejects \"calls\" requests").await;
    let words = notice["embeds"][0]["description"].as_str().unwrap();
    assert!(words.contains("send no more of them until <t:"), "{words}");
    let problems = bot.app().status.snapshot().problems;
    assert!(problems.iter().any(|(_, why)| why.contains("rejected two \"calls\" requests as malformed")), "{problems:?}");
    let asked = || bot.cad.count(|seen| matches!(seen, tenfour_sim::cad::Seen::Rest { status: 400, .. }));
    assert_eq!(asked(), 2);
    // Whatever requests a read meanwhile, nothing is sent.
    let before = sessions();
    bot.cad.drop_all();
    until("another session", async || sessions() > before).await;
    tokio::time::sleep(std::time::Duration::from_secs(8)).await;
    assert_eq!((asked(), bot.titles(&notices).len()), (2, 1));
    bot.finish().await;
}
