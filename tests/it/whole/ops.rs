//! What operators see, late deliveries, and a Discord that starts after the bot.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use tenfour::clock::Clock;
use tenfour::render::Style;
use tenfour_sim::discord::{DiscordOptions, DiscordSim, RateLimits};
use tokio::net::{TcpListener, TcpStream};

use crate::test_bot::{PATIENCE, Setup, TestBot, post, title, until};

async fn ask(bot: &TestBot, path: &str) -> (u16, String) {
    let answer = reqwest::get(format!("http://{}{path}", bot.app().ops.unwrap())).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn probes_and_numbers_say_what_is() {
    let mut bot = TestBot::prepare(Setup::default()).await;
    bot.cad.upgrade_status(503);
    bot.boot_unready().await;
    assert_eq!(ask(&bot, "/healthz").await.0, 200);
    let (status, report) = ask(&bot, "/readyz").await;
    assert!(status == 503 && report.contains("hub 1 not ready"), "{status} {report}");
    bot.cad.heal();
    until("readiness", async || ask(&bot, "/readyz").await.0 == 200).await;

    let channel = bot.channel("911", None, Style::Card).await;
    let call = json!({ "call": { "callId": 1, "isEmergency": true } });
    bot.send_event("EVENT_911", call.clone()).await;
    bot.settled().await;
    bot.cad.push(1, "EVENT_911", call);
    bot.send_event("EVENT_REMOVE_911", json!({ "callIds": [1] })).await;
    bot.cad.push(1, "EVENT_OF_TOMORROW", json!({}));
    assert_eq!(bot.post("EVENT_UNIT_PANIC", json!({})).await.0, 400);
    assert_eq!(post(&bot.events_url(), &json!({ "key": "wrong", "type": "EVENT_911" })).await.0, 401);
    bot.caught_up().await;
    bot.only(&channel);
    let (_, metrics) = ask(&bot, "/metrics").await;
    let value = |series: &str, labels: &[&str]| {
        let line = metrics.lines().find(|l| l.starts_with(series) && labels.iter().all(|label| l.contains(label)));
        line.unwrap_or_else(|| panic!("{series} {labels:?} in {metrics}")).rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    let events =
        |source: &str, outcome: &str| value("tenfour_events_total", &[&format!("source=\"{source}\""), &format!("outcome=\"{outcome}\"")]);
    // Over HTTP: the call, its removal, the mark; over the hub: an unknown event, twice.
    assert_eq!((events("http", "committed"), events("hub", "committed")), (3.0, 2.0), "{metrics}");
    assert_eq!((events("hub", "copy"), events("http", "unusable"), events("http", "unauthorised")), (1.0, 1.0, 1.0), "{metrics}");
    assert_eq!(value("tenfour_posts_total", &["delivered"]), 2.0, "{metrics}");
    assert_eq!(value("tenfour_hub_connected", &["1"]), 1.0, "{metrics}");
    bot.finish().await;
}

#[tokio::test]
async fn what_is_late_says_so_and_what_is_very_late_calls_nobody() {
    for (late_ms, said, pings) in [(180_000, "delayed 3 min", true), (660_000, "delayed 11 min", false)] {
        let clock = Clock::manual(Clock::system().now());
        let bot = TestBot::start_with(Setup { clock: Some(clock.clone()), ..Setup::default() }).await;
        let role = bot.discord.add_role(&bot.guild, "Dispatch", 0);
        let channel = bot.channel("911", Some(&role), Style::Card).await;
        bot.discord.fail("POST", "/messages", 503, 1);
        bot.send_event("EVENT_911", json!({ "call": { "callId": 1, "isEmergency": true } })).await;
        bot.discord.wait_request(PATIENCE, |r| r["status"] == 503).await.unwrap();
        until("the failed try", async || !bot.app().status.snapshot().problems.is_empty()).await;
        clock.advance(late_ms);
        bot.settled().await;
        let message = bot.only(&channel);
        assert_eq!(message["embeds"][0]["footer"]["text"], format!("Server 1 · 911 #1 · {said}"));
        let pinged = if pings { json!([format!("<@&{role}>")]) } else { json!([]) };
        assert_eq!(message["pinged"], pinged, "{message:#}");
        bot.finish().await;
    }
}

/// A proxy before Discord that closes every connection until it is opened: its port stays ours.
async fn proxy(discord: &DiscordSim) -> (String, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let behind = discord.url().trim_start_matches("http://").to_owned();
    let open = Arc::new(AtomicBool::new(false));
    let is_open = Arc::clone(&open);
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            if !is_open.load(Ordering::SeqCst) {
                continue;
            }
            let behind = behind.clone();
            tokio::spawn(async move {
                let mut far = TcpStream::connect(behind).await.unwrap();
                tokio::io::copy_bidirectional(&mut near, &mut far).await.ok();
            });
        }
    });
    (url, open)
}

#[tokio::test]
async fn a_discord_that_comes_up_after_the_bot_gets_everything() {
    let discord = DiscordSim::start(DiscordOptions { rate_limits: RateLimits::Off, ..DiscordOptions::default() }).await.unwrap();
    let (url, open) = proxy(&discord).await;
    let settings = vec![("DISCORD_API_URL", url)];
    let mut bot = TestBot::prepare_with(Setup { settings, ..Setup::default() }, discord).await;
    bot.boot_unready().await;
    assert!(bot.cad.wait_session(1, PATIENCE).await);
    let (status, report) = ask(&bot, "/readyz").await;
    assert!(status == 503 && report.contains("discord not ready"), "{status} {report}");
    let channel = bot.channel("911", None, Style::Card).await;
    for id in 1..=3 {
        bot.send_event("EVENT_911", json!({ "call": { "callId": id, "isEmergency": true, "description": "Fire" } })).await;
    }
    bot.cad.push(1, "EVENT_911", json!({ "call": { "callId": 4, "isEmergency": true, "description": "Fire" } }));
    until("all four taken in", async || bot.app().store.counts().await.unwrap().waiting == 4).await;
    assert!(bot.titles(&channel).is_empty());
    open.store(true, Ordering::SeqCst);
    bot.settled().await;
    assert_eq!(bot.discord.messages(&channel).len(), 4);
    assert!(bot.titles(&channel).iter().all(|t| t.contains("Fire")) && title(&bot.discord.messages(&channel)[0]).contains("911"));
    until("readiness", async || ask(&bot, "/readyz").await.0 == 200).await;
    bot.finish().await;
}
