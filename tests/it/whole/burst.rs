//! More cards than messages may be created: they share messages, panics don't wait, and each card stays separate.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tenfour::render::Style;
use tenfour_sim::discord::{Bucket, DiscordOptions, RateLimits};

use crate::test_bot::{Setup, TestBot, until};

const SMALL: Bucket = Bucket { limit: 3, window_ms: 1_500 };

async fn limited(bucket: Bucket) -> TestBot {
    let discord = DiscordOptions { rate_limits: RateLimits::Real, message_bucket: bucket, ..DiscordOptions::default() };
    TestBot::start_with(Setup { discord: Some(discord), ..Setup::default() }).await
}

fn fire(id: i64, description: &str) -> Value {
    json!({ "call": { "callId": id, "isEmergency": true, "description": description, "location": format!("Street {id}") } })
}

async fn burst(bot: &TestBot, ids: std::ops::RangeInclusive<i64>) {
    for id in ids {
        bot.send_event("EVENT_911", fire(id, "Smoke")).await;
    }
}

/// By number of the 911: how often it is in the channel, and its title.
fn cards(bot: &TestBot, channel: &str) -> BTreeMap<i64, Vec<String>> {
    let mut cards: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for message in bot.discord.messages(channel) {
        for embed in message["embeds"].as_array().unwrap() {
            let footer = embed["footer"]["text"].as_str().unwrap();
            let Some((_, id)) = footer.split_once("911 #") else { continue };
            let id = id.split(' ').next().unwrap().parse().unwrap();
            cards.entry(id).or_default().push(embed["title"].as_str().unwrap().to_owned());
        }
    }
    cards
}

fn shared(bot: &TestBot, channel: &str) -> Value {
    let found = bot.discord.messages(channel).into_iter().find(|m| m["embeds"].as_array().unwrap().len() > 2);
    found.expect("no message holds several cards")
}

#[tokio::test]
async fn a_burst_shares_messages_and_no_card_is_lost_doubled_or_refused() {
    let bot = limited(SMALL).await;
    let role = bot.discord.add_role(&bot.guild, "Dispatch", 0);
    bot.discord.set_mentionable(&bot.guild, &role, true);
    let channel = bot.channel("911", Some(&role), Style::Card).await;
    burst(&bot, 1..=40).await;
    bot.settled().await;
    let cards = cards(&bot, &channel);
    assert_eq!(cards.keys().copied().collect::<Vec<_>>(), (1..=40).collect::<Vec<_>>());
    assert!(cards.values().all(|shown| shown.len() == 1), "{cards:?}");
    let creates = bot.sent("POST", &channel);
    assert!(creates.len() < 15, "{} requests for 40 cards", creates.len());
    assert_eq!(bot.discord.invalid_requests(), 0, "429s were collected");
    let batched = shared(&bot, &channel);
    // One ping of the role, one sentence for each card.
    assert_eq!(batched["pinged"], json!([format!("<@&{role}>")]));
    let lines = batched["content"].as_str().unwrap().lines().count();
    assert_eq!(lines, batched["embeds"].as_array().unwrap().len(), "{batched:#}");

    // Without a backlog each has its own message again.
    bot.send_event("EVENT_911", fire(99, "Alone")).await;
    bot.settled().await;
    let last = bot.discord.messages(&channel).pop().unwrap();
    assert_eq!(last["embeds"].as_array().unwrap().len(), 1);
    bot.finish().await;
}

#[tokio::test]
async fn a_card_that_shares_a_message_is_edited_by_itself() {
    let bot = limited(SMALL).await;
    let channel = bot.channel("911", None, Style::Card).await;
    burst(&bot, 1..=20).await;
    bot.settled().await;
    let before = shared(&bot, &channel);
    let in_it = |message: &Value| -> Vec<i64> {
        let embeds = message["embeds"].as_array().unwrap();
        let number = |embed: &Value| embed["footer"]["text"].as_str().unwrap().rsplit('#').next().unwrap().parse().unwrap();
        embeds.iter().map(number).collect()
    };
    let id = in_it(&before)[1];
    bot.send_event("EVENT_911", fire(id, "Flames")).await;
    bot.settled().await;
    let after = bot.discord.messages(&channel).into_iter().find(|m| m["id"] == before["id"]).unwrap();
    assert_eq!(in_it(&after), in_it(&before), "the cards keep their order");
    for (at, embed) in after["embeds"].as_array().unwrap().iter().enumerate() {
        if at == 1 {
            assert!(embed["title"].as_str().unwrap().contains("Flames"), "{embed}");
        } else {
            assert_eq!(*embed, before["embeds"][at]);
        }
    }
    let edits = bot.sent("PATCH", &channel);
    assert_eq!(edits.len(), 1);

    // A person deletes the message: open cards come back with their next change, the rest as soon as that is noticed; none twice.
    bot.discord.delete_message(&channel, before["id"].as_str().unwrap());
    bot.send_event("EVENT_REMOVE_911", json!({ "callIds": [in_it(&before)[0]] })).await;
    bot.send_event("EVENT_911", fire(id, "Embers")).await;
    bot.settled().await;
    let cards = cards(&bot, &channel);
    assert!(!cards.contains_key(&in_it(&before)[0]), "over and deleted: it stays away");
    assert_eq!(cards[&id].len(), 1);
    assert!(cards[&id][0].contains("Embers"), "{cards:?}");
    assert!(cards.values().all(|shown| shown.len() == 1), "{cards:?}");
    assert_eq!(cards.len(), 19);
    bot.finish().await;
}

#[tokio::test]
async fn a_panic_in_the_middle_of_a_burst_does_not_wait() {
    let bot = limited(Bucket { limit: 3, window_ms: 4_000 }).await;
    let channel = bot.channel("all", None, Style::Card).await;
    burst(&bot, 1..=60).await;
    // Everything except the reserve is used up, and much waits.
    until("the burst has used its places", async || bot.sent("POST", &channel).len() >= 2).await;
    bot.send_event("EVENT_UNIT_PANIC", json!({ "identIds": [7], "isPanic": true })).await;
    bot.message(&channel, |m| m["embeds"][0]["title"].as_str().is_some_and(|t| t.contains("PANIC"))).await;
    let waiting = bot.app().store.counts().await.unwrap().waiting;
    assert!(waiting > 0, "nothing waited any more: the panic proved nothing");
    let panic = bot.sent("POST", &channel).iter().position(|r| r["body"].to_string().contains("PANIC")).unwrap();
    assert_eq!(bot.sent("POST", &channel)[panic]["body"]["embeds"].as_array().unwrap().len(), 1, "a panic shares its message with nobody");
    bot.settled().await;
    assert_eq!(cards(&bot, &channel).len(), 60);
    assert_eq!(bot.discord.invalid_requests(), 0, "429s were collected");
    bot.finish().await;
}

#[tokio::test]
async fn a_panic_does_not_wait_for_a_slow_answer_in_its_channel() {
    let bot = TestBot::start().await;
    let channel = bot.channel("all", None, Style::Card).await;
    bot.discord.delay("POST", &channel, 3_000, 1);
    bot.send_event("EVENT_911", fire(1, "Smoke")).await;
    until("the first is on its way", async || bot.app().store.counts().await.unwrap().waiting == 1).await;
    bot.send_event("EVENT_UNIT_PANIC", json!({ "identIds": [7], "isPanic": true })).await;
    bot.message(&channel, |m| m["embeds"][0]["title"].as_str().is_some_and(|t| t.contains("PANIC"))).await;
    until("the panic is settled, the slow one is not", async || bot.app().store.counts().await.unwrap().waiting == 1).await;
    bot.finish().await;
}

#[tokio::test]
async fn a_shared_message_whose_answer_is_lost_stands_once() {
    let bot = limited(SMALL).await;
    let channel = bot.channel("911", None, Style::Card).await;
    bot.send_event("EVENT_911", fire(1, "Smoke")).await;
    bot.settled().await;
    bot.discord.do_then_drop("POST", &channel, 2);
    burst(&bot, 2..=30).await;
    bot.settled().await;
    let cards = cards(&bot, &channel);
    assert_eq!(cards.len(), 30);
    assert!(cards.values().all(|shown| shown.len() == 1), "{cards:?}");
    bot.finish().await;
}

#[tokio::test]
async fn cards_that_discord_does_not_take_together_are_sent_alone() {
    // Long enough that all are in the queue before a message may be created again.
    let bot = limited(Bucket { limit: 3, window_ms: 4_000 }).await;
    let role = bot.discord.add_role(&bot.guild, "Dispatch", 0);
    bot.discord.set_mentionable(&bot.guild, &role, true);
    let channel = bot.channel("911", Some(&role), Style::Card).await;
    burst(&bot, 1..=3).await;
    until("the window is used up", async || bot.sent("POST", &channel).len() >= 2).await;
    bot.discord.fail_with("POST", &channel, 400, json!({ "code": 50035, "message": "Invalid Form Body" }), 1);
    burst(&bot, 4..=9).await;
    bot.settled().await;
    let refused: Vec<Value> = bot.sent("POST", &channel).into_iter().filter(|request| request["status"] == 400).collect();
    assert!(refused.len() == 1 && refused[0]["body"]["embeds"].as_array().unwrap().len() > 1, "no batch was refused: {refused:#?}");
    let cards = cards(&bot, &channel);
    assert_eq!(cards.len(), 9);
    assert!(cards.values().all(|shown| shown.len() == 1), "{cards:?}");
    // They were never seen: they ping.
    let called: usize = bot.discord.messages(&channel).iter().filter(|m| m["pinged"] == json!([format!("<@&{role}>")])).count();
    assert_eq!(called, bot.discord.messages(&channel).len());
    bot.finish().await;
}
