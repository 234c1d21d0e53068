//! Hub and HTTP: every documented form, copies, and events that stand alone.

use std::path::Path;

use serde_json::{Value, json};
use tenfour::event::Source;
use tenfour::render::Style;
use tenfour_sim::cad::{CadOptions, PayloadAs, ServerOptions};
use tenfour_sim::discord::DiscordOptions;

use crate::test_bot::{Setup, TestBot, field, post, title};

/// The key in every fixture.
const KEY: &str = "YOUR_API_KEY";

fn fixtures() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/push-events");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|e| e == "json"));
    files.sort();
    assert_eq!(files.len(), 90);
    files.iter().map(|f| (f.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(f).unwrap())).collect()
}

/// Posts a body unchanged. Returns the status.
async fn post_text(url: &str, body: &str) -> u16 {
    let request = reqwest::Client::new().post(url).header("content-type", "application/json").body(body.to_owned());
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn every_form_of_every_event_is_taken_by_both_ways_and_nothing_is_given_up() {
    // Kept for an external checker, on request.
    let kept = std::env::var_os("TENFOUR_KEEP_RECORD").map(std::path::PathBuf::from);
    let record = kept.unwrap_or_else(|| std::env::temp_dir().join(format!("tenfour-record-{:016x}.jsonl", fastrand::u64(..))));
    std::fs::remove_file(&record).ok();
    let servers = vec![ServerOptions::new(1, "Hub"), ServerOptions::new(2, "HTTP")];
    let cad = CadOptions { api_key: KEY.to_owned(), servers, ..CadOptions::default() };
    let settings = vec![
        ("SONORAN_API_KEY", KEY.to_owned()),
        ("SONORAN_SERVER_IDS", "1,2".to_owned()),
        ("TENFOUR_RECORD", record.display().to_string()),
    ];
    let bot = TestBot::start_with(Setup { cad: Some(cad), settings, ..Setup::default() }).await;
    let role = bot.discord.add_role(&bot.guild, "Everything", 0);
    let channel = bot.channel("all", Some(&role), Style::Card).await;
    let url = format!("{}?server=2", bot.events_url());

    for (name, text) in fixtures() {
        assert!(!bot.cad.push_body(1, &serde_json::from_str(&text).unwrap()).lost(), "{name}");
        let status = post_text(&url, &text).await;
        assert_eq!(status, if name.ends_with("hub-no-key") { 401 } else { 200 }, "{name}");
    }
    bot.caught_up().await;

    // GET_LOGS creates no message.
    let before = bot.discord.messages(&channel).len();
    let logs = fixtures().into_iter().find(|(name, _)| name.starts_with("GET_LOGS")).unwrap().1;
    assert_eq!(post_text(&url, &logs).await, 200);
    bot.caught_up().await;
    let messages = bot.discord.messages(&channel);
    assert_eq!(messages.len(), before);

    let by_footer =
        |begin: &str| messages.iter().filter(|m| m["embeds"][0]["footer"]["text"].as_str().is_some_and(|f| f.starts_with(begin))).count();
    // Each of the two servers has its own world and its own messages, with the same numbers.
    assert!(by_footer("Server 1") > 25, "{:#?}", bot.titles(&channel));
    let talked_of = |server: &str| {
        by_footer(&format!("{server} · 911")) + by_footer(&format!("{server} · Call")) + by_footer(&format!("{server} · Panic"))
    };
    assert_eq!(talked_of("Server 1"), talked_of("Server 2"));
    let ours = format!("<@&{role}>");
    for message in &messages {
        assert!(message["pinged"].as_array().unwrap().iter().all(|p| *p == json!(ours)), "{message:#}");
        assert!(message.to_string().len() < 20_000, "{}", title(message));
    }
    let facts = bot.app().status.snapshot();
    assert_eq!(facts.unknown.keys().filter(|kind| !kind.starts_with("EVENT_MARK_")).count(), 0, "{:?}", facts.unknown);
    assert_eq!(facts.problems, []);
    let metrics = reqwest::get(format!("http://{}/metrics", bot.app().ops.unwrap())).await.unwrap().text().await.unwrap();
    for outcome in ["unusable", "malformed", "unavailable", "copy"] {
        let none = metrics.lines().filter(|line| line.contains(&format!("outcome=\"{outcome}\""))).all(|line| line.ends_with(" 0"));
        assert!(none, "{outcome}: {metrics}");
    }
    assert_eq!(bot.discord.invalid_requests(), 0);

    let sent = bot.discord.requests().iter().filter(|r| r["path"].as_str().unwrap().contains(&format!("/channels/{channel}/"))).count();
    bot.finish().await;
    let text = std::fs::read_to_string(&record).unwrap();
    let recorded: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in &recorded {
        assert_eq!(line.as_object().unwrap().keys().collect::<Vec<_>>(), ["body", "method", "path"], "{line}");
    }
    assert_eq!(recorded.iter().filter(|r| r["path"].as_str().unwrap().contains(&format!("/channels/{channel}/"))).count(), sent);
    for secret in [DiscordOptions::default().token, KEY.to_owned(), "Bot ".to_owned() + &DiscordOptions::default().token] {
        assert!(!text.contains(&secret), "a secret was recorded");
    }
    if std::env::var_os("TENFOUR_KEEP_RECORD").is_none() {
        std::fs::remove_file(record).ok();
    }
}

#[tokio::test]
async fn a_hub_that_sends_objects_without_keys_is_understood() {
    let cad = CadOptions { payload_as: PayloadAs::Object, key_on_hub: false, ..CadOptions::default() };
    let bot = TestBot::start_with(Setup { cad: Some(cad), ..Setup::default() }).await;
    let channel = bot.channel("911", None, Style::Card).await;
    bot.cad.push(1, "EVENT_911", json!({ "call": { "callId": 5, "isEmergency": true, "description": "Fire" } }));
    bot.message(&channel, |m| title(m).contains("Fire")).await;
    bot.finish().await;
}

#[tokio::test]
async fn the_same_event_by_hub_and_by_http_is_one_event() {
    let bot = TestBot::start().await;
    let channel = bot.channel("all", None, Style::Card).await;
    let tone = json!({ "url": "", "playTonesTo": [{ "type": 3, "value": "Fire", "label": "Fire Department" }] });
    bot.cad.push(1, "EVENT_TONE", tone.clone());
    bot.message(&channel, |m| title(m).contains("Fire Department")).await;
    bot.send_event("EVENT_TONE", tone).await;
    // And the other way round, with a call.
    let call = json!({ "call": { "callId": 8, "isEmergency": true, "description": "Smoke" } });
    bot.send_event("EVENT_911", call.clone()).await;
    bot.cad.push(1, "EVENT_911", call);
    bot.caught_up().await;
    assert_eq!(bot.discord.messages(&channel).len(), 2, "{:#?}", bot.titles(&channel));
    let facts = bot.app().status.snapshot();
    let server = facts.servers.values().next().unwrap();
    assert_eq!(server.copies, 2);
    assert_eq!(server.by_source[Source::Hub.as_str()], 2, "the tone and the mark: {:?}", server.by_source);
    bot.finish().await;
}

#[tokio::test]
async fn events_without_a_number_are_shown_as_often_as_one_source_sends_them() {
    let bot = TestBot::start().await;
    let channel = bot.channel("all", None, Style::Card).await;
    let tone = json!({ "url": "", "playTonesTo": [{ "type": 0, "value": null, "label": "All" }] });
    let page = json!({ "addresses": ["FIRE-1"], "identIds": [], "nature": "Emergency", "body": "Second alarm" });
    for _ in 0..2 {
        bot.send_event("EVENT_TONE", tone.clone()).await;
    }
    for _ in 0..2 {
        bot.cad.push(1, "EVENT_PAGER_REBORN", page.clone());
    }
    bot.caught_up().await;
    let count = |what: &str| bot.titles(&channel).iter().filter(|t| t.contains(what)).count();
    assert_eq!((count("Tone"), count("FIRE-1")), (2, 2), "{:#?}", bot.titles(&channel));
    bot.finish().await;
}

#[tokio::test]
async fn recorded_speech_becomes_a_file_and_never_text() {
    let bot = TestBot::start().await;
    let channel = bot.channel("station", None, Style::Card).await;
    let (_, text) = fixtures().into_iter().find(|(name, _)| name == "EVENT_STATION_ALERT.audio").unwrap();
    let body: Value = serde_json::from_str(&text).unwrap();
    bot.send_event("EVENT_STATION_ALERT", body["data"].clone()).await;
    bot.settled().await;
    let message = bot.only(&channel);
    assert_eq!(message["attachments"].as_array().unwrap().len(), 1, "{message:#}");
    let data = body["data"]["message"].as_str().or(body["data"][0]["message"].as_str()).unwrap();
    let spoken: String = data.chars().rev().take(24).collect::<String>().chars().rev().collect();
    assert!(!message.to_string().contains(&spoken), "{message:#}");
    let url = message["attachments"][0]["url"].as_str().unwrap();
    let file = reqwest::get(url).await.unwrap().bytes().await.unwrap();
    assert_eq!(file.len() as u64, message["attachments"][0]["size"].as_u64().unwrap());
    assert!(!file.is_empty());
    bot.finish().await;
}

fn login(ident: i64, callsign: &str) -> Value {
    json!({ "unit": { "id": ident, "status": 2, "isPanic": false, "data": { "unitNum": callsign, "name": "Jo Vale", "department": "LSPD", "page": 0 } } })
}

#[tokio::test]
async fn lines_are_gathered_into_one_message() {
    let bot = TestBot::start().await;
    let channel = bot.channel("duty", None, Style::Log).await;
    bot.send_event("EVENT_UNIT_LOGIN", login(1, "A-1")).await;
    bot.settled().await;
    let first = bot.only(&channel)["id"].clone();
    bot.send_event("EVENT_UNIT_LOGIN", login(2, "A-2")).await;
    bot.send_event("EVENT_UNIT_LOGOUT", json!({ "identId": 1 })).await;
    bot.settled().await;
    let page = bot.only(&channel);
    assert_eq!(page["id"], first);
    let lines = page["embeds"][0]["description"].as_str().unwrap();
    assert_eq!(lines.lines().count(), 3, "{lines}");
    assert!(lines.contains("A-2") && lines.contains("off duty after"), "{lines}");
    assert_eq!(field(&page, "Units"), "");
    bot.finish().await;
}

#[tokio::test]
async fn lines_of_two_servers_in_one_channel_are_each_shown_once() {
    let settings = vec![("SONORAN_SERVER_IDS", "1,2".to_owned()), ("SONORAN_HUB", "off".to_owned())];
    let bot = TestBot::start_with(Setup { settings, ..Setup::default() }).await;
    let channel = bot.channel("duty", None, Style::Log).await;
    let other = format!("{}?server=2", bot.events_url());
    bot.send_event("EVENT_UNIT_LOGIN", login(1, "A-1")).await;
    bot.settled().await;
    let answer = post(&other, &json!({ "key": CadOptions::default().api_key, "type": "EVENT_UNIT_LOGIN", "data": login(1, "B-1") })).await;
    assert_eq!(answer.0, 200);
    bot.send_event("EVENT_UNIT_LOGIN", login(2, "A-2")).await;
    bot.settled().await;
    let all: String = bot.discord.messages(&channel).iter().map(|m| m["embeds"][0].to_string()).collect();
    for callsign in ["A-1", "A-2", "B-1"] {
        assert_eq!(all.matches(callsign).count(), 1, "{callsign}: {all}");
    }
    bot.finish().await;
}

#[tokio::test]
async fn a_copy_that_comes_by_the_other_way_after_a_restart_is_still_a_copy() {
    let mut bot = TestBot::start().await;
    let channel = bot.channel("tone", None, Style::Compact).await;
    let tone = json!({ "url": "https://example.org/t.mp3", "playTonesTo": [{ "type": 0, "value": 0, "label": "All units" }] });
    bot.send_event("EVENT_TONE", tone.clone()).await;
    bot.settled().await;
    assert!(bot.halt().await);
    bot.boot().await;
    bot.cad.push(1, "EVENT_TONE", tone);
    bot.caught_up().await;
    bot.only(&channel);
    bot.finish().await;
}
