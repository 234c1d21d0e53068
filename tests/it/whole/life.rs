//! Calls, units and panics through their lives: one card each, always correct.

use serde_json::{Value, json};
use tenfour::render::Style;
use tenfour_sim::cad::{CallSpec, DispatchSpec, UnitSpec};

use crate::test_bot::{TestBot, field, title};

fn unit(num: &str) -> UnitSpec {
    UnitSpec { num: num.into(), name: "John Doe".into(), department: "LSPD".into(), status: 2, ..UnitSpec::default() }
}

fn robbery() -> DispatchSpec {
    DispatchSpec {
        status: 1,
        priority: 3,
        title: "Armed Robbery".into(),
        code: "211".into(),
        address: "Mission Row".into(),
        description: "Two men".into(),
        ..DispatchSpec::default()
    }
}

#[tokio::test]
async fn a_panic_is_shown_by_number_at_once_and_by_name_when_it_is_known() {
    let bot = TestBot::start().await;
    let role = bot.discord.add_role(&bot.guild, "Officers", 0);
    let channel = bot.channel("panic", Some(&role), Style::Card).await;
    bot.send_event("EVENT_UNIT_PANIC", json!({ "identIds": [4107], "isPanic": true })).await;
    let first = bot.message(&channel, |m| title(m) == "🆘 PANIC · Unit 4107").await;
    assert_eq!(first["pinged"], json!([format!("<@&{role}>")]));
    let unit = json!({ "unit": { "id": 4107, "status": 2, "data": { "unitNum": "A-10", "name": "John Doe", "page": 0 } } });
    bot.send_event("EVENT_UNIT_LOGIN", unit).await;
    let named = bot.message(&channel, |m| title(m) == "🆘 PANIC · A-10 John Doe").await;
    assert_eq!(named["id"], first["id"]);
    bot.only(&channel);
    bot.finish().await;
}

#[tokio::test]
async fn a_dispatch_is_one_message_from_new_to_closed() {
    let bot = TestBot::start().await;
    let channel = bot.channel("dispatch", None, Style::Card).await;
    let (a, b) = (bot.cad.login(1, &unit("A-10")).unwrap(), bot.cad.login(1, &unit("A-11")).unwrap());
    let call = bot.cad.dispatch_new(1, &DispatchSpec { idents: vec![a], ..robbery() }).unwrap();
    let first = bot.message(&channel, |m| title(m) == "🚔 P3 · 211 Armed Robbery · Mission Row").await;
    assert_eq!(field(&first, "Units"), "🟢 A-10 ★");
    let same = |m: &Value| assert_eq!(m["id"], first["id"]);

    assert!(bot.cad.dispatch_edit(1, call, &json!({ "priority": 2, "address": "Vespucci" })));
    let edited = bot.message(&channel, |m| title(m).contains("Vespucci")).await;
    let names: Vec<&str> = edited["embeds"][0]["fields"].as_array().unwrap().iter().map(|f| f["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"★ Priority") && names.contains(&"★ Address") && names.contains(&"Code"), "{names:?}");
    same(&edited);

    assert!(bot.cad.attach(1, call, &[b]));
    same(&bot.message(&channel, |m| field(m, "Units").contains("A-11")).await);
    // The status of a unit that is on the call.
    assert!(bot.cad.status(1, &[b], 4));
    same(&bot.message(&channel, |m| field(m, "Units").contains("🔴 A-11")).await);
    assert!(bot.cad.detach(1, call, &[a]));
    same(&bot.message(&channel, |m| field(m, "Units") == "🔴 A-11").await);
    assert!(bot.cad.note(1, call, "D-1", "Caller hears glass breaking"));
    same(&bot.message(&channel, |m| field(m, "Last note").contains("D-1: Caller hears glass breaking")).await);
    assert!(bot.cad.close(1, &[call]));
    let closed = bot.message(&channel, |m| title(m).starts_with("⬛ Closed · 211 Armed Robbery")).await;
    same(&closed);
    assert!(!field(&closed, "Duration").is_empty() && !field(&closed, "First unit after").is_empty(), "{closed:#}");
    assert_eq!(bot.discord.messages(&channel).len(), 1);
    assert_eq!(bot.sent("POST", &channel).len(), 1);
    bot.finish().await;
}

#[tokio::test]
async fn an_event_that_changes_nothing_makes_no_request() {
    let bot = TestBot::start().await;
    let _all = bot.channel("all", None, Style::Card).await;
    let short = bot.channel("dispatch", None, Style::Compact).await;
    let call = json!({ "call": { "callId": 7, "isEmergency": true, "description": "Fire", "location": "Alta St" } });
    let dispatch = json!({ "dispatch": { "callId": 7, "status": 1, "priority": 2, "title": "Fire", "idents": [5], "metaData": {} } });
    bot.send_event("EVENT_911", call.clone()).await;
    bot.send_event("EVENT_DISPATCH_NEW", dispatch.clone()).await;
    bot.send_event("EVENT_UNIT_PANIC", json!({ "identIds": [9], "isPanic": true })).await;
    bot.settled().await;
    let before = bot.discord.requests().len();
    bot.send_event("EVENT_911", call).await;
    bot.send_event("EVENT_DISPATCH_NEW", dispatch.clone()).await;
    bot.send_event("EVENT_DISPATCH_UNIT_ATTACH", json!({ "callId": 7, "idents": [5] })).await;
    bot.send_event("EVENT_UNIT_PANIC", json!({ "identIds": [9], "isPanic": true })).await;
    bot.send_event("EVENT_UNIT_UPDATE", json!({ "units": [{ "id": 9, "isPanic": true }] })).await;
    bot.settled().await;
    let after: Vec<Value> = bot.discord.requests().split_off(before);
    assert_eq!(after, Vec::<Value>::new());
    // A change of the call that this channel doesn't show.
    bot.send_event("EVENT_DISPATCH_UNIT_ATTACH", json!({ "callId": 7, "idents": [6] })).await;
    bot.settled().await;
    assert!(bot.discord.requests().len() > before, "the whole card shows it");
    assert_eq!(bot.sent("PATCH", &short), Vec::<Value>::new());
    bot.finish().await;
}

#[tokio::test]
async fn a_911_that_became_a_call_says_so_and_one_that_was_removed_is_handled() {
    let bot = TestBot::start().await;
    let emergencies = bot.channel("911", None, Style::Card).await;
    let dispatches = bot.channel("dispatch", None, Style::Card).await;
    let spec = CallSpec { emergency: true, description: "Shots fired".into(), location: "Alta St".into(), ..CallSpec::default() };
    let first = bot.cad.place_911(1, &spec).unwrap();
    bot.message(&emergencies, |m| title(m).contains("Shots fired")).await;
    let call = bot.cad.dispatch_new(1, &DispatchSpec { origin_911: Some(first), ..robbery() }).unwrap();
    bot.message(&emergencies, |m| title(m).starts_with(&format!("➡️ 911 became Call #{call}"))).await;
    assert!(bot.cad.remove_911(1, &[first]));
    bot.caught_up().await;
    let became = bot.only(&emergencies);
    assert!(title(&became).starts_with("➡️"), "{became:#}");
    assert!(field(&bot.only(&dispatches), "Origin").contains(&format!("911 #{first}")));

    let second = bot.cad.place_911(1, &CallSpec { description: "Noise".into(), ..spec }).unwrap();
    assert!(bot.cad.remove_911(1, &[second]));
    bot.caught_up().await;
    assert_eq!(bot.titles(&emergencies).len(), 2);
    assert!(bot.titles(&emergencies)[1].starts_with("☑️ 911 handled"), "{:?}", bot.titles(&emergencies));
    bot.finish().await;
}

#[tokio::test]
async fn a_panic_ends_in_a_silent_reply_and_the_next_one_is_a_new_card() {
    let bot = TestBot::start().await;
    let role = bot.discord.add_role(&bot.guild, "Officers", 0);
    let channel = bot.channel("panic", Some(&role), Style::Card).await;
    let ident = bot.cad.login(1, &unit("A-10")).unwrap();
    assert!(bot.cad.panic(1, &[ident], true));
    let card = bot.message(&channel, |m| title(m).starts_with("🆘 PANIC · A-10")).await;
    // The CAD sends it a second time, in its other form.
    assert!(bot.cad.update_unit(1, ident, &json!({ "isPanic": true })));
    bot.caught_up().await;
    bot.only(&channel);

    assert!(bot.cad.panic(1, &[ident], false));
    let reply = bot.message(&channel, |m| m["content"].as_str().is_some_and(|c| c.starts_with("✅ Panic over · A-10"))).await;
    assert_eq!(reply["message_reference"]["message_id"], card["id"], "{reply:#}");
    assert_eq!((&reply["pinged"], reply["flags"].as_u64().unwrap() & (1 << 12)), (&json!([]), 1 << 12));
    bot.message(&channel, |m| title(m) == "✅ Panic over · A-10" && m["id"] == card["id"]).await;

    assert!(bot.cad.panic(1, &[ident], true));
    bot.caught_up().await;
    let messages = bot.discord.messages(&channel);
    assert_eq!(messages.len(), 3, "{:#?}", bot.titles(&channel));
    assert!(title(&messages[2]).starts_with("🆘 PANIC"));
    assert_eq!(messages[2]["pinged"], json!([format!("<@&{role}>")]));
    bot.finish().await;
}
