//! Discord fails in every way it can: nothing is lost, nothing is shown twice, no request comes too early.

use std::time::Duration;

use serde_json::{Value, json};
use tenfour::clock::Clock;
use tenfour::ids::ChannelId;
use tenfour::render::Style;
use tenfour_sim::discord::{Bucket, DiscordOptions, RateLimits, Scope};

use crate::test_bot::{PATIENCE, Setup, TestBot, title, until};

fn fire(id: i64, description: &str) -> Value {
    json!({ "call": { "callId": id, "isEmergency": true, "description": description } })
}

fn at(request: &Value) -> i64 {
    request["at_ms"].as_i64().unwrap()
}

fn manual() -> (Clock, Setup) {
    let clock = Clock::manual(Clock::system().now());
    (clock.clone(), Setup { clock: Some(clock), ..Setup::default() })
}

#[tokio::test]
async fn errors_that_pass_are_outlived() {
    let bot = TestBot::start().await;
    let channel = bot.channel("911", None, Style::Card).await;
    bot.discord.fail("POST", "/messages", 500, 2);
    bot.discord.fail("POST", "/messages", 502, 1);
    bot.send_event("EVENT_911", fire(1, "Smoke")).await;
    bot.settled().await;
    assert!(title(&bot.only(&channel)).contains("Smoke"));
    assert_eq!(bot.sent("POST", &channel).len(), 4);
    bot.finish().await;
}

#[tokio::test]
async fn an_answer_that_makes_no_sense_proves_nothing() {
    let bot = TestBot::start().await;
    let channel = bot.channel("911", None, Style::Card).await;
    bot.discord.garbage("POST", "/messages", 1);
    bot.send_event("EVENT_911", fire(1, "Smoke")).await;
    bot.settled().await;
    assert!(title(&bot.only(&channel)).contains("Smoke"));
    bot.discord.garbage("PATCH", "/messages", 1);
    bot.send_event("EVENT_911", fire(1, "Flames")).await;
    bot.settled().await;
    assert!(title(&bot.only(&channel)).contains("Flames"), "{:?}", bot.titles(&channel));
    bot.finish().await;
}

#[tokio::test]
async fn a_slow_answer_holds_up_its_own_channel_only() {
    let bot = TestBot::start().await;
    let slow = bot.channel("911", None, Style::Card).await;
    let quick = bot.channel("panic", None, Style::Card).await;
    bot.discord.delay("POST", &slow, 1_500, 1);
    bot.send_event("EVENT_911", fire(1, "Smoke")).await;
    bot.discord.wait_request(PATIENCE, |r| r["path"].as_str().unwrap().contains(&slow)).await.unwrap();
    let began = tokio::time::Instant::now();
    bot.send_event("EVENT_UNIT_PANIC", json!({ "identIds": [5], "isPanic": true })).await;
    bot.send_event("EVENT_911", fire(1, "Flames")).await;
    bot.message(&quick, |m| title(m).contains("PANIC")).await;
    assert!(began.elapsed() < Duration::from_millis(1_200), "{:?}", began.elapsed());
    bot.settled().await;
    assert!(title(&bot.only(&slow)).contains("Flames"));
    assert_eq!(bot.sent("POST", &slow).len(), 1);
    bot.finish().await;
}

async fn waits_as_requested(scope: Scope) {
    let bot = TestBot::start().await;
    let channel = bot.channel("911", None, Style::Card).await;
    let other = bot.channel("panic", None, Style::Card).await;
    bot.discord.rate_limit("POST", "/messages", scope, 1_200, 1);
    bot.send_event("EVENT_911", fire(1, "Smoke")).await;
    let refused = bot.discord.wait_request(PATIENCE, |r| r["status"] == 429).await.unwrap();
    // Discord's answer is still in flight when it is logged: the other channel must not be used before the bot has it.
    until("the answer", async || {
        let metrics = reqwest::get(format!("http://{}/metrics", bot.app().ops.unwrap())).await.unwrap().text().await.unwrap();
        metrics.lines().any(|line| line.contains("waited") && !line.ends_with(" 0"))
    })
    .await;
    bot.send_event("EVENT_UNIT_PANIC", json!({ "identIds": [5], "isPanic": true })).await;
    bot.send_event("EVENT_911", fire(2, "Fire")).await;
    bot.settled().await;
    let again = bot.sent("POST", &channel);
    assert_eq!(again.len(), 3, "{again:#?}");
    assert!(again[1..].iter().all(|r| at(r) - at(&refused) >= 1_200), "{again:#?}");
    let elsewhere = at(&bot.sent("POST", &other)[0]) - at(&refused);
    assert_eq!(elsewhere >= 1_200, scope == Scope::Global, "the other channel: {elsewhere} ms");
    assert_eq!(bot.app().status.snapshot().problems, [], "waiting is no problem");
    bot.finish().await;
}

#[tokio::test]
async fn a_429_for_this_route_is_obeyed() {
    waits_as_requested(Scope::User).await;
}

#[tokio::test]
async fn a_429_for_this_resource_is_obeyed() {
    waits_as_requested(Scope::Shared).await;
}

#[tokio::test]
async fn a_429_for_everything_is_obeyed() {
    waits_as_requested(Scope::Global).await;
}

#[tokio::test]
async fn a_burst_never_overdraws_a_bucket() {
    let bucket = Bucket { limit: 3, window_ms: 700 };
    let discord = DiscordOptions { rate_limits: RateLimits::Real, message_bucket: bucket, ..DiscordOptions::default() };
    let bot = TestBot::start_with(Setup { discord: Some(discord), ..Setup::default() }).await;
    let channel = bot.channel("911", None, Style::Card).await;
    for id in 1..=10 {
        bot.send_event("EVENT_911", fire(id, "Smoke")).await;
        bot.send_event("EVENT_911", fire(id, "Flames")).await;
    }
    bot.settled().await;
    let titles: Vec<String> = bot
        .discord
        .messages(&channel)
        .iter()
        .flat_map(|m| m["embeds"].as_array().unwrap().clone())
        .map(|e| e["title"].to_string())
        .collect();
    assert_eq!(titles.len(), 10);
    assert!(titles.iter().all(|title| title.contains("Flames")), "{titles:?}");
    assert_eq!(bot.discord.invalid_requests(), 0, "429s were collected");
    bot.finish().await;
}

#[tokio::test]
async fn an_old_card_that_may_not_be_edited_now_holds_up_no_other() {
    let discord = DiscordOptions { rate_limits: RateLimits::Off, old_edit_limit: Some((1, 3_600_000)), ..DiscordOptions::default() };
    let bot = TestBot::start_with(Setup { discord: Some(discord), ..Setup::default() }).await;
    let channel = bot.channel("911", None, Style::Card).await;
    bot.send_event("EVENT_911", fire(1, "Old one")).await;
    bot.settled().await;
    bot.discord.advance(3_700_000);
    bot.send_event("EVENT_911", fire(2, "New one")).await;
    bot.settled().await;
    bot.send_event("EVENT_911", fire(1, "Old two")).await;
    bot.settled().await;
    // One edit an hour: the next is refused with code 30046.
    bot.send_event("EVENT_911", fire(1, "Old three")).await;
    until("the refused edit", async || bot.sent("PATCH", &channel).len() >= 2).await;
    bot.send_event("EVENT_911", fire(2, "New two")).await;
    bot.message(&channel, |m| title(m).contains("New two")).await;
    assert_eq!(bot.app().store.counts().await.unwrap().failed, 0);
    bot.end().await;
}

#[tokio::test]
async fn a_forbidden_channel_is_parked_reported_once_and_retried() {
    let (clock, setup) = manual();
    let bot = TestBot::start_with(setup).await;
    let notices = bot.notices().await;
    let closed = bot.channel("911", None, Style::Card).await;
    let open = bot.channel("panic", None, Style::Card).await;
    bot.discord.deny(&closed, 1 << 11);
    bot.send_event("EVENT_911", fire(1, "Smoke")).await;
    bot.message(&notices, |m| title(m).contains("Alerts cannot be posted") && m.to_string().contains(&closed)).await;
    bot.send_event("EVENT_911", fire(2, "Fire")).await;
    bot.send_event("EVENT_UNIT_PANIC", json!({ "identIds": [5], "isPanic": true })).await;
    bot.message(&open, |m| title(m).contains("PANIC")).await;
    assert_eq!(bot.sent("POST", &closed).len(), 1, "a parked channel is left alone");
    let parked = bot.app().store.parked().await.unwrap();
    assert_eq!((parked.len(), parked[0].channel.to_string()), (1, closed.clone()));

    // Still closed at the retry: nobody is notified twice.
    clock.advance(61_000);
    bot.send_event("EVENT_UNIT_PANIC", json!({ "identIds": [6], "isPanic": true })).await;
    until("the second refusal", async || bot.app().store.parked().await.unwrap()[0].refusals == 2).await;
    assert_eq!(bot.sent("POST", &closed).len(), 2);
    bot.discord.allow(&closed, 1 << 11);
    clock.advance(121_000);
    bot.send_event("EVENT_UNIT_PANIC", json!({ "identIds": [7], "isPanic": true })).await;
    bot.settled().await;
    assert_eq!(bot.discord.messages(&closed).len(), 2, "{:?}", bot.titles(&closed));
    assert_eq!(bot.app().store.parked().await.unwrap(), []);
    bot.only(&notices);
    bot.finish().await;
}

#[tokio::test]
async fn a_channel_that_a_person_opens_again_is_served_with_the_next_event() {
    let (_, setup) = manual();
    let bot = TestBot::start_with(setup).await;
    let channel = bot.channel("911", None, Style::Card).await;
    bot.discord.deny(&channel, 1 << 11);
    bot.send_event("EVENT_911", fire(1, "Smoke")).await;
    until("the refusal", async || !bot.app().store.parked().await.unwrap().is_empty()).await;
    bot.discord.allow(&channel, 1 << 11);
    assert!(bot.app().store.reopen(ChannelId(channel.parse().unwrap())).await.unwrap());
    bot.send_event("EVENT_911", fire(2, "Fire")).await;
    bot.settled().await;
    assert_eq!(bot.discord.messages(&channel).len(), 2);
    bot.finish().await;
}

#[tokio::test]
async fn a_deleted_channel_is_reported() {
    let bot = TestBot::start().await;
    let notices = bot.notices().await;
    let gone = bot.channel("911", None, Style::Card).await;
    let here = bot.channel("911", None, Style::Card).await;
    assert!(bot.discord.delete_channel(&gone));
    bot.send_event("EVENT_911", fire(1, "Smoke")).await;
    bot.message(&notices, |m| title(m).contains("A channel is gone") && m.to_string().contains(&gone)).await;
    bot.message(&here, |m| title(m).contains("Smoke")).await;
    bot.end().await;
}

#[tokio::test]
async fn a_refused_token_stops_all_sending_until_it_is_taken_again() {
    let (clock, setup) = manual();
    let bot = TestBot::start_with(setup).await;
    let one = bot.channel("911", None, Style::Card).await;
    let two = bot.channel("panic", None, Style::Card).await;
    bot.discord.fail("POST", "/messages", 401, u32::MAX);
    bot.send_event("EVENT_911", fire(1, "Smoke")).await;
    until("the stop", async || bot.app().status.snapshot().stopped.is_some()).await;
    assert!(bot.app().status.snapshot().stopped.unwrap().contains("DISCORD_TOKEN"));
    for ident in 1..=3 {
        bot.send_event("EVENT_UNIT_PANIC", json!({ "identIds": [ident], "isPanic": true })).await;
    }
    bot.send_event("EVENT_911", fire(2, "Fire")).await;
    // After a minute one request tries, not one for each channel.
    clock.advance(61_000);
    // Until the bot knows the outcome: the next minute begins there.
    let later = clock.now();
    let shown = async || bot.app().status.snapshot().problems.iter().any(|(at, p)| p.contains("All sending") && *at >= later);
    until("one more try", shown).await;
    bot.discord.clear_faults();
    clock.advance(61_000);
    bot.settled().await;
    assert_eq!((bot.discord.messages(&one).len(), bot.discord.messages(&two).len()), (2, 3));
    assert_eq!(bot.discord.requests().iter().filter(|r| r["status"] == 401).count(), 2);
    assert_eq!(bot.app().status.snapshot().stopped, None);
    bot.finish().await;
}

#[tokio::test]
async fn what_discord_will_never_take_is_given_up_and_counted_and_others_go_on() {
    let bot = TestBot::start().await;
    let channel = bot.channel("911", None, Style::Card).await;
    bot.discord.fail_with("POST", "/messages", 400, json!({ "code": 50035, "message": "Invalid Form Body" }), 1);
    bot.send_event("EVENT_911", fire(1, "Smoke")).await;
    bot.send_event("EVENT_911", fire(2, "Fire")).await;
    bot.settled().await;
    assert!(title(&bot.only(&channel)).contains("Fire"));
    assert_eq!(bot.app().store.counts().await.unwrap().failed, 1);
    let problems = bot.app().store.problems(bot.guild_id(), 5).await.unwrap();
    assert!(problems[0].reason.contains("Invalid Form Body"), "{problems:?}");
    assert!(bot.app().status.snapshot().problems[0].1.contains("Invalid Form Body"));
    // When the card changes it gets another chance.
    bot.send_event("EVENT_911", fire(1, "Flames")).await;
    bot.settled().await;
    assert_eq!(bot.discord.messages(&channel).len(), 2);
    bot.finish().await;
}
