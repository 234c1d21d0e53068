//! Text from the game is hostile: it is shown, and it pings nobody.

use serde_json::{Value, json};
use tenfour::render::Style;

use crate::test_bot::{TestBot, field};

fn hostile(role: &str, user: &str) -> Vec<String> {
    let mut texts: Vec<String> = [
        "@everyone @here come",
        "[free](https://evil.example) <https://evil.example> https://discord.gg/x",
        "\u{202e}gnp.exe\u{202c}\u{2066}x\u{2069} \u{200f}abc",
        "# big\n> quote\n```rust\ncode\n|| spoiler || ~~x~~ **b** <t:1:R> <:e:1> </cmd:1>",
        "\u{0}\u{7}\u{1b}[31m\u{feff}\u{200b}\u{200b}",
        "",
        "   \n\n\t",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.push(format!("<@&{role}> <@{user}> <@!{user}> <#1>"));
    texts.push("Z".to_owned() + &"\u{0336}\u{0489}\u{035d}".repeat(800));
    texts.push("@everyone ".repeat(1_000));
    texts.push("👩‍👩‍👧‍👦".repeat(1_500));
    texts
}

#[tokio::test]
async fn whatever_stands_in_the_fields_it_is_posted_and_only_the_configured_role_is_pinged() {
    let bot = TestBot::start().await;
    let (role, other) = (bot.discord.add_role(&bot.guild, "Dispatch", 0), bot.discord.add_role(&bot.guild, "Other", 0));
    bot.discord.set_mentionable(&bot.guild, &other, true);
    let user = bot.discord.owner_id(&bot.guild);
    let channel = bot.channel("all", Some(&role), Style::Card).await;
    let short = bot.channel("all", Some(&role), Style::Compact).await;
    let lines = bot.channel("all", None, Style::Log).await;
    let public = bot.channel("all", Some(&role), Style::Public).await;
    let texts = hostile(&other, &user);
    for (nth, text) in (1_i64..).zip(&texts) {
        let meta = json!({ "postal": text, "plate": text, "block": text, "code": text, "silentAlert": text });
        let call = json!({ "callId": nth, "isEmergency": true, "caller": text, "location": text, "description": text, "metaData": meta });
        bot.send_event("EVENT_911", json!({ "call": call })).await;
        let unit = json!({ "id": nth, "status": 2, "location": text, "aop": text, "data": { "unitNum": text, "name": text, "department": text,
            "subdivision": text, "rank": text, "group": text, "district": text, "page": 0 } });
        bot.send_event("EVENT_UNIT_LOGIN", json!({ "unit": unit })).await;
        let note = json!({ "time": text, "label": text, "type": text, "content": text });
        let dispatch = json!({ "callId": nth, "origin": 0, "status": 1, "priority": text, "block": text, "address": text, "postal": text,
            "title": text, "code": text, "description": text, "notes": [note], "idents": [nth], "primary": nth, "metaData": meta });
        bot.send_event("EVENT_DISPATCH_NEW", json!({ "dispatch": dispatch })).await;
        // An event without content is rejected as unusable.
        let wanted = if text.trim().is_empty() { 400 } else { 200 };
        assert_eq!(bot.post("EVENT_DISPATCH_NOTE", json!({ "callId": nth, "note": note })).await.0, wanted, "{text}");
        bot.send_event("EVENT_UNIT_PANIC", json!({ "identIds": [nth], "isPanic": true })).await;
        bot.send_event("EVENT_UNIT_PANIC", json!({ "identIds": [nth], "isPanic": false })).await;
        bot.send_event("EVENT_PAGER_REBORN", json!({ "addresses": [text], "identIds": [nth], "nature": text, "body": text })).await;
        bot.send_event("EVENT_TONE", json!({ "url": text, "playTonesTo": [{ "type": 3, "value": text, "label": text }] })).await;
        let station =
            json!({ "locations": [{ "name": text, "open": [text], "close": [text] }], "message": text, "colors": [text], "tone": text });
        assert_eq!(bot.post("EVENT_STATION_ALERT", station).await.0, wanted, "{text}");
    }
    bot.settled().await;
    let footers = |channel: &str, what: &str| {
        let all = bot.discord.messages(channel);
        all.iter().filter(|m| m["embeds"][0]["footer"]["text"].as_str().is_some_and(|f| f.contains(what))).count()
    };
    for what in ["911 #", "Call #", "Panic #"] {
        assert_eq!(footers(&channel, what), texts.len(), "{what}: {:#?}", bot.titles(&channel));
        assert_eq!(footers(&short, what), texts.len(), "{what}: {:#?}", bot.titles(&short));
    }
    let ours = format!("<@&{role}>");
    for message in [&channel, &short, &lines, &public].iter().flat_map(|channel| bot.discord.messages(channel)) {
        let pinged: Vec<&Value> = message["pinged"].as_array().unwrap().iter().collect();
        assert!(pinged.iter().all(|p| **p == json!(ours)), "{message:#}");
        assert_eq!((&message["mention_everyone"], &message["mentions"]), (&json!(false), &json!([])), "{message:#}");
        let others = message["mention_roles"].as_array().unwrap().iter().any(|r| *r != json!(role));
        assert!(!others, "{message:#}");
    }
    // It is still readable.
    let first = bot.discord.messages(&channel).into_iter().find(|m| m["embeds"][0]["footer"]["text"] == "Server 1 · 911 #1").unwrap();
    assert!(field(&first, "Caller").contains("everyone"), "{first:#}");
    bot.finish().await;
}
