//! The bot ends at the worst moments and starts again: nothing is lost, nothing is shown twice.

use serde_json::{Value, json};
use tenfour::clock::{Clock, millis};
use tenfour::outbox::NONCE_TRUSTED;
use tenfour::render::Style;
use tenfour_sim::discord::Scope;

use crate::test_bot::{PATIENCE, Setup, TestBot, field, title, until};

fn fire(id: i64, description: &str) -> Value {
    json!({ "call": { "callId": id, "isEmergency": true, "description": description } })
}

fn call(id: i64) -> Value {
    json!({ "dispatch": { "callId": id, "status": 1, "priority": 2, "title": "Robbery", "idents": [], "metaData": {} } })
}

/// The nonces of a channel's creates.
fn nonces(bot: &TestBot, channel: &str) -> Vec<String> {
    bot.sent("POST", channel).iter().map(|r| r["body"]["nonce"].as_str().unwrap().to_owned()).collect()
}

async fn answer_lost(bot: &TestBot, channel: &str) {
    bot.discord.wait_request(PATIENCE, |r| r["status"] == 0 && r["path"].as_str().unwrap().contains(channel)).await.unwrap();
}

#[tokio::test]
async fn what_could_not_be_sent_is_sent_once_after_the_restart() {
    let mut bot = TestBot::start().await;
    let channel = bot.channel("911", None, Style::Card).await;
    bot.discord.fail("POST", "/messages", 500, u32::MAX);
    bot.send_event("EVENT_911", fire(1, "Fire")).await;
    bot.discord.wait_request(PATIENCE, |r| r["status"] == 500).await.unwrap();
    assert!(bot.halt().await);
    bot.discord.clear_faults();
    bot.boot().await;
    bot.settled().await;
    assert!(title(&bot.only(&channel)).contains("Fire"));
    bot.finish().await;
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_message() {
    let bot = TestBot::start().await;
    let channel = bot.channel("911", None, Style::Card).await;
    bot.discord.do_then_drop("POST", "/messages", 1);
    bot.send_event("EVENT_911", fire(1, "Fire")).await;
    bot.settled().await;
    bot.only(&channel);
    let nonces = nonces(&bot, &channel);
    assert_eq!((nonces.len(), &nonces[0]), (2, &nonces[1]));
    bot.finish().await;
}

#[tokio::test]
async fn what_changed_while_the_answer_was_lost_is_shown_in_the_end() {
    let bot = TestBot::start().await;
    let channel = bot.channel("911", None, Style::Card).await;
    bot.discord.do_then_drop("POST", "/messages", 1);
    bot.send_event("EVENT_911", fire(1, "Smoke")).await;
    answer_lost(&bot, &channel).await;
    bot.send_event("EVENT_911", fire(1, "Flames")).await;
    bot.settled().await;
    // The nonce returned the first message, with its old text.
    assert!(title(&bot.only(&channel)).contains("Flames"), "{:?}", bot.titles(&channel));
    bot.finish().await;
}

#[tokio::test]
async fn a_message_whose_answer_was_lost_long_ago_is_found_again() {
    let clock = Clock::manual(Clock::system().now());
    let mut bot = TestBot::start_with(Setup { clock: Some(clock.clone()), ..Setup::default() }).await;
    let channel = bot.channel("dispatch", None, Style::Card).await;
    bot.discord.do_then_drop("POST", "/messages", 1);
    bot.send_event("EVENT_DISPATCH_NEW", call(5)).await;
    answer_lost(&bot, &channel).await;
    assert!(bot.halt().await);
    let standing = bot.only(&channel)["id"].clone();
    // Discord has forgotten the nonce by now.
    let later = millis(NONCE_TRUSTED) + 600_000;
    clock.advance(later);
    bot.discord.advance(later);
    bot.boot().await;
    bot.send_event("EVENT_DISPATCH_UNIT_ATTACH", json!({ "callId": 5, "idents": [12] })).await;
    bot.settled().await;
    let message = bot.only(&channel);
    assert_eq!(message["id"], standing);
    assert!(field(&message, "Units").contains("Unit 12"), "{message:#}");
    assert_eq!(nonces(&bot, &channel).len(), 1, "the history was searched instead");
    bot.finish().await;
}

#[tokio::test]
async fn a_lost_answer_is_not_forgotten_over_a_long_wait() {
    let clock = Clock::manual(Clock::system().now());
    let bot = TestBot::start_with(Setup { clock: Some(clock.clone()), ..Setup::default() }).await;
    let channel = bot.channel("911", None, Style::Card).await;
    let wait_ms = millis(NONCE_TRUSTED) + 600_000;
    bot.discord.do_then_drop("POST", "/messages", 1);
    bot.discord.rate_limit("POST", "/messages", Scope::User, wait_ms, 1);
    bot.send_event("EVENT_911", fire(1, "Smoke")).await;
    answer_lost(&bot, &channel).await;
    until("the first try's end", async || !bot.app().status.snapshot().problems.is_empty()).await;
    clock.advance(1_000);
    bot.discord.wait_request(PATIENCE, |r| r["status"] == 429).await.unwrap();
    until("the wait", async || bot.app().store.due().await.unwrap().iter().any(|due| due.at > clock.now().plus_ms(wait_ms - 60_000))).await;
    clock.advance(wait_ms);
    bot.discord.advance(wait_ms);
    bot.settled().await;
    bot.only(&channel);
    bot.finish().await;
}

#[tokio::test]
async fn a_card_that_somebody_deleted_comes_back_with_the_next_change_and_calls_nobody() {
    let bot = TestBot::start().await;
    let role = bot.discord.add_role(&bot.guild, "Dispatch", 0);
    let channel = bot.channel("911", Some(&role), Style::Card).await;
    bot.send_event("EVENT_911", fire(1, "Smoke")).await;
    bot.settled().await;
    let first = bot.only(&channel);
    assert_eq!(first["pinged"], json!([format!("<@&{role}>")]));
    assert!(bot.discord.delete_message(&channel, first["id"].as_str().unwrap()));
    bot.send_event("EVENT_911", fire(1, "Flames")).await;
    bot.settled().await;
    let second = bot.only(&channel);
    assert!(title(&second).contains("Flames") && second["id"] != first["id"], "{second:#}");
    assert_eq!(second["pinged"], json!([]), "a change never calls anybody");
    assert!(bot.discord.delete_message(&channel, second["id"].as_str().unwrap()));
    bot.send_event("EVENT_REMOVE_911", json!({ "callIds": [1] })).await;
    bot.settled().await;
    assert_eq!(bot.discord.messages(&channel), Vec::<Value>::new());
    bot.finish().await;
}

#[tokio::test]
async fn calls_and_units_go_on_after_a_restart() {
    let mut bot = TestBot::start().await;
    let channel = bot.channel("dispatch", None, Style::Card).await;
    let unit = json!({ "unit": { "id": 12, "status": 2, "data": { "unitNum": "A-10", "name": "John Doe", "page": 0 } } });
    bot.send_event("EVENT_UNIT_LOGIN", unit).await;
    bot.send_event("EVENT_DISPATCH_NEW", call(5)).await;
    bot.settled().await;
    let first = bot.only(&channel)["id"].clone();
    assert!(bot.halt().await);
    bot.boot().await;
    bot.send_event("EVENT_DISPATCH_UNIT_ATTACH", json!({ "callId": 5, "idents": [12] })).await;
    bot.settled().await;
    let message = bot.only(&channel);
    assert_eq!((&message["id"], field(&message, "Units")), (&first, "🟢 A-10".to_owned()), "{message:#}");
    bot.finish().await;
}

#[tokio::test]
async fn a_bot_cut_off_in_the_middle_of_a_request_takes_it_up_at_once_at_its_next_start() {
    let mut bot = TestBot::start().await;
    let channel = bot.channel("911", None, Style::Card).await;
    // Done, but the answer comes after every time limit.
    bot.discord.delay("POST", "/messages", 60_000, 1);
    bot.send_event("EVENT_911", fire(1, "Fire")).await;
    bot.discord.wait_message(&channel, PATIENCE, |_| true).await.unwrap();
    let began = tokio::time::Instant::now();
    assert!(!bot.halt().await, "there was nothing to cut off");
    assert!(began.elapsed().as_secs() < 11, "{:?}", began.elapsed());
    bot.boot().await;
    bot.settled().await;
    bot.only(&channel);
    assert_eq!(bot.sent("POST", &channel).len(), 2);
    bot.finish().await;
}

#[tokio::test]
async fn a_burst_cut_by_the_end_stands_once_in_the_end() {
    use futures_util::StreamExt as _;
    use std::sync::atomic::{AtomicUsize, Ordering};

    let mut bot = TestBot::start().await;
    let channel = bot.channel("911", None, Style::Compact).await;
    bot.discord.delay("POST", "/messages", 20, u32::MAX);
    let (client, url, taken) = (reqwest::Client::new(), bot.events_url(), AtomicUsize::new(0));
    let body = |id: i64| json!({ "key": tenfour_sim::cad::CadOptions::default().api_key, "type": "EVENT_911", "data": fire(id, "Fire") });
    let burst = futures_util::stream::iter(1..=200_i64).map(async |id| {
        let answer = client.post(&url).json(&body(id)).send().await;
        let ok = answer.is_ok_and(|a| a.status() == 200);
        taken.fetch_add(usize::from(ok), Ordering::SeqCst);
        (id, ok)
    });
    let halted = async {
        until("half of the burst", async || taken.load(Ordering::SeqCst) >= 60).await;
        let began = tokio::time::Instant::now();
        assert!(bot.halt().await, "the bot did not stop cleanly");
        began.elapsed()
    };
    let (answers, took) = tokio::join!(burst.buffer_unordered(20).collect::<Vec<_>>(), halted);
    assert!(took.as_secs() < 10, "{took:?}");
    let refused: Vec<i64> = answers.iter().filter(|(_, ok)| !ok).map(|(id, _)| *id).collect();
    assert!(!refused.is_empty(), "the burst was over before the end came");
    bot.discord.clear_faults();
    bot.boot().await;
    // Their senders were told to try again.
    for id in refused {
        bot.send_event("EVENT_911", fire(id, "Fire")).await;
    }
    bot.settled().await;
    let mut footers: Vec<String> =
        bot.discord.messages(&channel).iter().map(|m| m["embeds"][0]["footer"]["text"].as_str().unwrap().to_owned()).collect();
    footers.sort();
    let mut wanted: Vec<String> = (1..=200).map(|id| format!("Server 1 · 911 #{id}")).collect();
    wanted.sort();
    assert_eq!(footers, wanted);
    bot.finish().await;
}
