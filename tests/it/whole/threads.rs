//! Threads under cards, forum posts, links between cards, and collected edits.

use serde_json::{Value, json};
use tenfour::clock::Clock;
use tenfour::ids::{ChannelId, CommunityId};
use tenfour::render::Style;
use tenfour::route::{Listens, RouteSpec, Rule, Threads};
use tenfour::store::AddRoute;
use tenfour_sim::cad::CadOptions;

use crate::test_bot::{Setup, TestBot, field, title, until};

const SEND_IN_THREADS: u64 = 1 << 38;
const CREATE_THREADS: u64 = 1 << 35;

/// A channel whose calls have threads, or a forum.
async fn channel(bot: &TestBot, event: &str, kind: u8, threads: Threads) -> String {
    let channel = bot.discord.add_channel(&bot.guild, "calls", kind);
    let store = &bot.app().store;
    store.ensure_guild(bot.guild_id(), &CommunityId::new(&CadOptions::default().community)).await.unwrap();
    let route = RouteSpec {
        event: Listens::parse(event).unwrap(),
        channel: ChannelId(channel.parse().unwrap()),
        server: None,
        role: None,
        style: Style::Card,
        forum: kind == 15,
        rule: Rule::default(),
    };
    let AddRoute::Added(id) = store.add_route(bot.guild_id(), route, tenfour::ids::UserId(1), bot.clock.now()).await.unwrap() else {
        panic!("no route")
    };
    store.change_rule(bot.guild_id(), id, move |rule| *rule = Rule { threads, ..Rule::default() }).await.unwrap();
    channel
}

/// Threads below a channel, oldest first.
fn threads(bot: &TestBot, channel: &str) -> Vec<Value> {
    let snapshot = bot.discord.snapshot();
    let below = snapshot["channels"].as_array().unwrap().iter().filter(|c| c["parent_id"] == json!(channel));
    below.map(|thread| bot.discord.channel(id(thread))).collect()
}

fn id(value: &Value) -> &str {
    value["id"].as_str().unwrap()
}

fn archived(bot: &TestBot, channel: &str) -> bool {
    threads(bot, channel)[0]["thread_metadata"]["archived"] == json!(true)
}

async fn robbery(bot: &TestBot, call: i64, idents: &[i64]) {
    let data = json!({ "dispatch": { "callId": call, "status": 1, "priority": 2, "title": "Robbery", "code": "211", "address": "Alta St", "idents": idents } });
    bot.send_event("EVENT_DISPATCH_NEW", data).await;
}

async fn note(bot: &TestBot, call: i64, content: &str) {
    let note = json!({ "time": "12:00:00", "label": "D-1", "type": "text", "content": content });
    bot.send_event("EVENT_DISPATCH_NOTE", json!({ "callId": call, "note": note })).await;
}

async fn attach(bot: &TestBot, call: i64, ident: i64) {
    bot.send_event("EVENT_DISPATCH_UNIT_ATTACH", json!({ "callId": call, "ident": ident })).await;
}

fn lines(bot: &TestBot, thread: &str) -> Vec<String> {
    let text = |m: &Value| m["embeds"][0]["description"].as_str().or(m["content"].as_str()).unwrap_or_default().to_owned();
    bot.discord.messages(thread).iter().map(text).collect()
}

#[tokio::test]
async fn the_first_note_opens_a_thread_and_the_end_puts_it_away() {
    let bot = TestBot::start().await;
    let calls = channel(&bot, "dispatch", 0, Threads::OnFirstNote).await;
    robbery(&bot, 7, &[]).await;
    attach(&bot, 7, 4101).await;
    bot.settled().await;
    assert_eq!(threads(&bot, &calls), [] as [Value; 0], "a unit alone opens none");
    note(&bot, 7, "Two men in a red car").await;
    attach(&bot, 7, 4102).await;
    bot.settled().await;
    let thread = threads(&bot, &calls).remove(0);
    assert_eq!(thread["name"], "🚔 211 Robbery · Alta St");
    let said = lines(&bot, id(&thread));
    assert!(said[0].contains("D-1: Two men in a red car") && said[1].contains("Unit 4102 attached") && said.len() == 2, "{said:?}");
    assert_eq!(bot.discord.messages(&calls).len(), 1, "nothing of it in the channel");
    bot.send_event("EVENT_DISPATCH_CLOSED", json!({ "callIds": [7] })).await;
    bot.settled().await;
    assert!(archived(&bot, &calls));
    assert!(title(&bot.only(&calls)).starts_with("⬛ Closed"));
    bot.finish().await;
}

#[tokio::test]
async fn always_opens_a_thread_with_the_card_and_every_thread_message_is_silent() {
    let bot = TestBot::start().await;
    let calls = channel(&bot, "dispatch", 0, Threads::Always).await;
    robbery(&bot, 7, &[]).await;
    attach(&bot, 7, 4101).await;
    bot.settled().await;
    let thread = threads(&bot, &calls).remove(0);
    let said = lines(&bot, id(&thread));
    assert!(said[0].starts_with("🧵 Call #7") && said[1].contains("attached"), "{said:?}");
    for message in bot.discord.messages(id(&thread)) {
        assert_eq!(message["flags"].as_u64().unwrap() & (1 << 12), 1 << 12, "{message:#}");
    }
    bot.finish().await;
}

/// A panic has its own worker beside its channel's: messages below its card don't wait for that one's next round.
#[tokio::test]
async fn the_thread_of_a_panic_opens_with_its_card() {
    let bot = TestBot::start().await;
    let panics = channel(&bot, "panic", 0, Threads::Always).await;
    bot.settled().await;
    bot.send_event("EVENT_UNIT_PANIC", json!({ "identIds": [4101], "isPanic": true })).await;
    let began = tokio::time::Instant::now();
    until("its thread", async || !threads(&bot, &panics).is_empty()).await;
    // The next check of everything would come after fifteen seconds.
    assert!(began.elapsed() < std::time::Duration::from_secs(8), "{:?}", began.elapsed());
    bot.finish().await;
}

#[tokio::test]
async fn in_a_forum_each_call_is_a_post_that_is_put_away_and_comes_back() {
    let clock = Clock::manual(Clock::system().now());
    let bot = TestBot::start_with(Setup { clock: Some(clock), ..Setup::default() }).await;
    let forum = channel(&bot, "dispatch", 15, Threads::Always).await;
    robbery(&bot, 7, &[]).await;
    robbery(&bot, 8, &[]).await;
    note(&bot, 7, "Alarm is silent").await;
    bot.settled().await;
    let posts = threads(&bot, &forum);
    assert_eq!(posts.len(), 2);
    let post = id(&posts[0]).to_owned();
    assert_eq!(posts[0]["name"], "🚔 211 Robbery · Alta St");
    let said = lines(&bot, &post);
    assert!(said.len() == 2 && said[1].contains("Alarm is silent"), "{said:?}");
    bot.send_event("EVENT_DISPATCH_CLOSED", json!({ "callIds": [7] })).await;
    bot.settled().await;
    let starter = |bot: &TestBot| bot.discord.messages(&post).remove(0);
    assert!(title(&starter(&bot)).starts_with("⬛ Closed"), "{:#}", starter(&bot));
    let closed = threads(&bot, &forum).into_iter().find(|t| id(t) == post).unwrap();
    assert_eq!((&closed["name"], &closed["thread_metadata"]["archived"]), (&json!("⬛ Closed · 211 Robbery · Alta St"), &json!(true)));
    // Reopened later than an edit that the closing overtook: an archived post can't be edited, so it is reopened first.
    bot.clock.advance(11_000);
    let again = json!({ "dispatch": { "callId": 7, "status": 1, "priority": 1, "title": "Robbery", "address": "Alta St" } });
    bot.send_event("EVENT_DISPATCH_EDIT", again).await;
    bot.settled().await;
    assert!(title(&starter(&bot)).starts_with("🚔 P1"), "{:#}", starter(&bot));
    assert_eq!(bot.discord.channel(&post)["thread_metadata"]["archived"], json!(false));
    bot.send_event("EVENT_DISPATCH_CLOSED", json!({ "callIds": [7] })).await;
    bot.settled().await;
    assert_eq!(bot.discord.channel(&post)["thread_metadata"]["archived"], json!(true));
    bot.finish().await;
}

#[tokio::test]
async fn a_forum_post_whose_answer_was_lost_is_found_again() {
    let bot = TestBot::start().await;
    let forum = channel(&bot, "dispatch", 15, Threads::Off).await;
    bot.discord.do_then_drop("POST", &format!("/channels/{forum}/threads"), 1);
    robbery(&bot, 7, &[]).await;
    bot.settled().await;
    assert_eq!(threads(&bot, &forum).len(), 1, "one post, although its answer never came");
    bot.finish().await;
}

#[tokio::test]
async fn what_may_not_be_written_into_a_thread_stops_no_card() {
    let bot = TestBot::start().await;
    let calls = channel(&bot, "dispatch", 0, Threads::OnFirstNote).await;
    bot.discord.deny(&calls, CREATE_THREADS | SEND_IN_THREADS);
    robbery(&bot, 7, &[]).await;
    note(&bot, 7, "Nobody will read this in a thread").await;
    bot.settled().await;
    robbery(&bot, 8, &[]).await;
    bot.settled().await;
    assert_eq!(bot.discord.messages(&calls).len(), 2);
    assert!(field(&bot.discord.messages(&calls)[0], "Last note").contains("Nobody will read this"));
    assert_eq!(bot.app().store.parked().await.unwrap(), []);
    let problems = bot.app().status.snapshot().problems;
    assert!(problems.iter().any(|(_, p)| p.contains("Create Public Threads")), "{problems:?}");
    bot.end().await;
}

#[tokio::test]
async fn a_deleted_thread_is_let_go_and_the_card_goes_on() {
    let bot = TestBot::start().await;
    let calls = channel(&bot, "dispatch", 0, Threads::OnFirstNote).await;
    robbery(&bot, 7, &[]).await;
    note(&bot, 7, "First").await;
    bot.settled().await;
    assert!(bot.discord.delete_channel(id(&threads(&bot, &calls)[0])));
    note(&bot, 7, "Second").await;
    bot.settled().await;
    assert!(field(&bot.only(&calls), "Last of 2 notes").contains("Second"));
    bot.send_event("EVENT_DISPATCH_CLOSED", json!({ "callIds": [7] })).await;
    bot.settled().await;
    assert!(title(&bot.only(&calls)).starts_with("⬛ Closed"));
    bot.finish().await;
}

#[tokio::test]
async fn a_911_and_the_call_that_it_became_link_to_each_other() {
    let bot = TestBot::start().await;
    let emergencies = bot.channel("911", None, Style::Card).await;
    let dispatches = bot.channel("dispatch", None, Style::Card).await;
    bot.send_event("EVENT_911", json!({ "call": { "callId": 5, "isEmergency": true, "description": "Fire", "location": "Alta St" } }))
        .await;
    let from = json!({ "callId": 7, "status": 1, "priority": 2, "title": "Fire", "metaData": { "origin911": "5" } });
    bot.send_event("EVENT_DISPATCH_NEW", json!({ "dispatch": from })).await;
    bot.settled().await;
    let (emergency, call) = (bot.only(&emergencies), bot.only(&dispatches));
    let url = |channel: &str, message: &Value| format!("https://discord.com/channels/{}/{channel}/{}", bot.guild, id(message));
    assert_eq!(field(&emergency, "Became"), format!("[Call #7]({}) · Fire", url(&dispatches, &call)));
    assert_eq!(field(&call, "Origin"), format!("[911 #5]({})", url(&emergencies, &emergency)));
    bot.finish().await;
}

#[tokio::test]
async fn ten_edits_within_the_window_are_one_request() {
    let bot = TestBot::start_with(Setup { settings: vec![("DISCORD_EDIT_WINDOW_MS", "3000".into())], ..Setup::default() }).await;
    let calls = bot.channel("dispatch", None, Style::Card).await;
    robbery(&bot, 7, &[]).await;
    bot.settled().await;
    for ident in 0..10 {
        attach(&bot, 7, 4100 + ident).await;
    }
    until("the edit", async || bot.sent("PATCH", &calls).len() == 1).await;
    bot.settled().await;
    assert_eq!(bot.sent("PATCH", &calls).len(), 1);
    assert_eq!(field(&bot.only(&calls), "Units").matches("Unit").count(), 10);
    bot.finish().await;
}
