//! Boards: created by a command, updated by the CAD's events.

use serde_json::{Value, json};
use tenfour::clock::Clock;
use tenfour::render::Style;

use crate::test_bot::{PATIENCE, Setup, TestBot, title, until};

/// A clock of its own, so that only the test lets time pass.
async fn start() -> TestBot {
    let clock = Clock::manual(Clock::system().now());
    TestBot::start_with(Setup { clock: Some(clock), ..Setup::default() }).await
}

/// Runs a sub-command of `/board` as the owner and returns the text of the reply.
async fn run(bot: &TestBot, path: &str, options: Value) -> String {
    let lobby = bot.discord.add_channel(&bot.guild, "lobby", 0);
    let pending = bot.discord.slash(&lobby, None, "board", &[path], options).unwrap();
    pending.reply(PATIENCE).await.unwrap()["content"].as_str().unwrap().to_owned()
}

/// A channel with a board.
async fn create(bot: &TestBot, kind: &str) -> String {
    let channel = bot.discord.add_channel(&bot.guild, "board", 0);
    let answer = run(bot, "create", json!({ "kind": kind, "channel": channel })).await;
    assert!(answer.contains("It appears there now"), "{answer}");
    bot.settled().await;
    channel
}

async fn login(bot: &TestBot, ident: i64, callsign: &str) {
    let unit = json!({ "id": ident, "status": 2, "data": { "unitNum": callsign, "name": "John Doe", "department": "LSPD" } });
    bot.send_event("EVENT_UNIT_LOGIN", json!({ "unit": unit })).await;
}

async fn status(bot: &TestBot, ident: i64, status: i64) {
    bot.send_event("EVENT_UNIT_STATUS", json!({ "identIds": [ident], "status": status })).await;
}

/// The text of the board, footer included.
fn said(message: &Value) -> String {
    let embeds = message["embeds"].as_array().unwrap();
    let part = |embed: &Value, at: &str| embed.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
    let one = |embed: &Value| [part(embed, "/title"), part(embed, "/description"), part(embed, "/footer/text")].join("\n");
    embeds.iter().map(one).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_board_shows_units_and_calls_and_is_one_message() {
    let bot = start().await;
    login(&bot, 7, "A-10").await;
    let channel = create(&bot, "both").await;
    let first = bot.only(&channel);
    assert_eq!(title(&first), "👥 On duty: 1");
    assert!(said(&first).contains("🟢 A-10 John Doe") && said(&first).contains("No open call."), "{}", said(&first));
    assert!(said(&first).ends_with("Board #1 · Server 1"), "{}", said(&first));
    assert_eq!(first["pinged"], json!([]));

    let dispatch =
        json!({ "callId": 501, "status": 1, "priority": 1, "title": "Robbery", "address": "Alta St", "idents": [7], "metaData": {} });
    bot.clock.advance(5_000);
    bot.send_event("EVENT_DISPATCH_NEW", json!({ "dispatch": dispatch })).await;
    bot.settled().await;
    bot.clock.advance(5_000);
    bot.send_event("EVENT_911", json!({ "call": { "callId": 9, "isEmergency": true, "description": "Fire" } })).await;
    bot.settled().await;
    bot.clock.advance(5_000);
    bot.send_event("EVENT_UNIT_PANIC", json!({ "identIds": [7], "isPanic": true })).await;
    bot.settled().await;
    let now = bot.only(&channel);
    assert_eq!(now["id"], first["id"]);
    let text = said(&now);
    assert!(text.contains("🆘 🟢 **A-10 John Doe** · PANIC → #501") && text.contains("**P1** #501 · Robbery · Alta St · A-10 ·"), "{text}");
    assert!(text.contains("🚨 911 #9 · Fire · <t:"), "{text}");
    bot.finish().await;
}

#[tokio::test]
async fn a_board_is_edited_once_in_five_seconds_and_only_if_it_changed() {
    let bot = start().await;
    login(&bot, 7, "A-10").await;
    let channel = create(&bot, "units").await;
    let edits = || bot.sent("PATCH", &channel).len();
    bot.clock.advance(5_000);
    status(&bot, 7, 3).await;
    bot.settled().await;
    assert_eq!(edits(), 1, "the first change after a quiet time");
    for next in [4, 1, 2, 4] {
        bot.clock.advance(1_000);
        status(&bot, 7, next).await;
        bot.settled().await;
    }
    assert_eq!(edits(), 1, "too soon");
    bot.clock.advance(1_000);
    bot.send_event("GET_LOGS", json!({})).await;
    bot.settled().await;
    assert_eq!(edits(), 2, "what waited is drawn when its time has come");
    assert!(said(&bot.only(&channel)).contains("🔴 A-10"));

    // The board doesn't say where a unit is.
    bot.clock.advance(60_000);
    bot.send_event("EVENT_UNIT_UPDATE", json!({ "units": [{ "id": 7, "location": "Alta St" }] })).await;
    bot.settled().await;
    assert_eq!(edits(), 2);
    // Nor does a board of units show calls.
    bot.send_event("EVENT_911", json!({ "call": { "callId": 9, "isEmergency": true } })).await;
    bot.clock.advance(5_000);
    bot.send_event("GET_LOGS", json!({})).await;
    bot.settled().await;
    assert_eq!(edits(), 2);

    // After an hour, Discord limits edits.
    bot.clock.advance(3_600_000);
    status(&bot, 7, 1).await;
    bot.settled().await;
    bot.clock.advance(59_000);
    status(&bot, 7, 2).await;
    bot.settled().await;
    assert_eq!(edits(), 3);
    bot.clock.advance(1_000);
    bot.send_event("GET_LOGS", json!({})).await;
    bot.settled().await;
    assert_eq!(edits(), 4);
    bot.finish().await;
}

/// With the machine's clock: only the board itself remembers that something waits.
#[tokio::test]
async fn what_waits_is_drawn_without_another_event() {
    let bot = TestBot::start().await;
    login(&bot, 7, "A-10").await;
    let channel = create(&bot, "units").await;
    status(&bot, 7, 3).await;
    status(&bot, 7, 4).await;
    bot.message(&channel, |m| said(m).contains("🔴 A-10")).await;
    bot.settled().await;
    assert_eq!(bot.sent("PATCH", &channel).len(), 1);
    bot.finish().await;
}

#[tokio::test]
async fn a_deleted_board_comes_back_with_a_change_or_when_somebody_asks() {
    let bot = start().await;
    login(&bot, 7, "A-10").await;
    let channel = create(&bot, "units").await;
    let first = bot.only(&channel);
    // Older than any card that would still be sent.
    bot.clock.advance(3 * 86_400_000);
    assert!(bot.discord.delete_message(&channel, first["id"].as_str().unwrap()));
    status(&bot, 7, 4).await;
    bot.settled().await;
    let second = bot.only(&channel);
    assert!(said(&second).contains("🔴 A-10") && second["id"] != first["id"], "{second:#}");
    assert!(said(&second).ends_with("Board #1 · Server 1"), "not late: {}", said(&second));

    assert!(bot.discord.delete_message(&channel, second["id"].as_str().unwrap()));
    let answer = run(&bot, "refresh", json!({ "board": 1 })).await;
    assert_eq!(answer, format!("🔄 Board #1: units on duty → <#{channel}>."));
    bot.settled().await;
    assert_eq!(said(&bot.only(&channel)), said(&second));
    bot.finish().await;
}

#[tokio::test]
async fn a_removed_board_takes_its_message_along_and_is_drawn_no_more() {
    let bot = start().await;
    login(&bot, 7, "A-10").await;
    let (one, two) = (create(&bot, "units").await, create(&bot, "units").await);
    let answer = run(&bot, "remove", json!({ "board": 1 })).await;
    assert_eq!(answer, format!("🗑️ Board #1 removed, its message too: units on duty → <#{one}>."));
    assert_eq!(bot.discord.messages(&one), Vec::<Value>::new());
    bot.clock.advance(5_000);
    status(&bot, 7, 4).await;
    bot.settled().await;
    assert_eq!(bot.discord.messages(&one), Vec::<Value>::new());
    assert!(said(&bot.only(&two)).contains("🔴 A-10"));

    // Its message may be gone already, and Discord may not allow deleting it.
    let third = create(&bot, "calls").await;
    assert!(bot.discord.delete_message(&two, bot.only(&two)["id"].as_str().unwrap()));
    assert!(run(&bot, "remove", json!({ "board": 2 })).await.starts_with("🗑️ Board #2 removed, its message too"));
    bot.discord.fail("DELETE", "/messages/", 500, 1);
    let answer = run(&bot, "remove", json!({ "board": 3 })).await;
    let message = bot.only(&third)["id"].as_str().unwrap().to_owned();
    assert!(answer.starts_with("🗑️ Board #3 removed, but its message could not be deleted ("), "{answer}");
    assert!(answer.ends_with(&format!("delete it by hand: https://discord.com/channels/{}/{third}/{message}", bot.guild)), "{answer}");
    bot.finish().await;
}

#[tokio::test]
async fn a_board_that_is_on_its_way_when_it_is_removed_leaves_nothing_behind() {
    let bot = start().await;
    bot.discord.delay("POST", "/messages", 1_500, 1);
    let channel = bot.discord.add_channel(&bot.guild, "board", 0);
    run(&bot, "create", json!({ "kind": "units", "channel": channel })).await;
    let on_its_way = |r: &Value| r["method"] == "POST" && r["path"].as_str().is_some_and(|path| path.contains(&channel));
    // Discord has created the message; the bot doesn't know it yet.
    bot.discord.wait_request(PATIENCE, on_its_way).await.unwrap();
    let answer = run(&bot, "remove", json!({ "board": 1 })).await;
    assert!(answer.starts_with("🗑️ Board #1 removed, its message too"), "{answer}");
    assert_eq!(bot.discord.messages(&channel), Vec::<Value>::new());
    bot.finish().await;
}

#[tokio::test]
async fn after_a_restart_the_same_message_is_brought_up_to_date() {
    let mut bot = start().await;
    login(&bot, 7, "A-10").await;
    let channel = create(&bot, "units").await;
    let first = bot.only(&channel);
    bot.clock.advance(1_000);
    status(&bot, 7, 4).await;
    assert!(bot.halt().await);
    assert!(said(&bot.only(&channel)).contains("🟢 A-10"), "drawn too soon");
    bot.boot().await;
    let after = bot.message(&channel, |m| said(m).contains("🔴 A-10")).await;
    assert_eq!(after["id"], first["id"]);
    bot.settled().await;
    assert_eq!(bot.sent("PATCH", &channel).len(), 1, "drawn once");
    bot.finish().await;
}

#[tokio::test]
async fn a_board_of_one_server_shows_only_that_one_and_others_have_a_section_each() {
    let settings = vec![("SONORAN_SERVER_IDS", "1,2".to_owned()), ("SONORAN_HUB", "off".to_owned())];
    let clock = Clock::manual(Clock::system().now());
    let bot = TestBot::start_with(Setup { settings, clock: Some(clock), ..Setup::default() }).await;
    let all = create(&bot, "units").await;
    let second = bot.discord.add_channel(&bot.guild, "second", 0);
    run(&bot, "create", json!({ "kind": "units", "channel": second, "server": 2 })).await;
    bot.settled().await;
    assert!(said(&bot.only(&second)).ends_with("Nobody is on duty.\nBoard #2 · Server 2"), "it sent nothing yet");
    login(&bot, 7, "A-10").await;
    bot.clock.advance(5_000);
    let unit = json!({ "id": 8, "status": 2, "data": { "unitNum": "B-20", "name": "Jo" } });
    let body = json!({ "key": tenfour_sim::cad::CadOptions::default().api_key, "type": "EVENT_UNIT_LOGIN", "data": { "unit": unit } });
    assert_eq!(crate::test_bot::post(&format!("{}?server=2", bot.events_url()), &body).await.0, 200);
    bot.settled().await;
    let text = said(&bot.only(&all));
    assert!(text.contains("👥 Server 1 · On duty: 1") && text.contains("👥 Server 2 · On duty: 1"), "{text}");
    let text = said(&bot.only(&second));
    assert!(text.contains("B-20 Jo") && !text.contains("A-10"), "{text}");
    bot.finish().await;
}

#[tokio::test]
async fn alerts_go_before_boards() {
    let bot = start().await;
    let channel = create(&bot, "units").await;
    bot.route("panic", &channel, None, Style::Card).await;
    bot.clock.advance(5_000);
    bot.send_event("EVENT_UNIT_PANIC", json!({ "identIds": [9], "isPanic": true })).await;
    until("the panic's card", async || bot.discord.messages(&channel).len() == 2).await;
    bot.settled().await;
    let order: Vec<Value> = bot.discord.requests().into_iter().filter(|r| r["path"].as_str().unwrap().contains(&channel)).collect();
    let methods: Vec<&str> = order.iter().filter_map(|r| r["method"].as_str()).filter(|m| *m == "POST" || *m == "PATCH").collect();
    assert_eq!(methods, ["POST", "POST", "PATCH"], "board, panic, board");
    bot.finish().await;
}
