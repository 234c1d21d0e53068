//! Changes without events, read from the CAD's API: changes made through it, and what happened while nobody listened. And a feed that
//! goes silent.

use std::time::Duration;

use serde_json::{Value, json};
use tenfour::clock::Clock;
use tenfour::ids::ServerId;
use tenfour::refresh::Part;
use tenfour::render::Style;
use tenfour::status::{Link, ServerFacts};
use tenfour_sim::cad::{CadOptions, CallSpec, Seen, UnitSpec};

use crate::test_bot::{PATIENCE, Setup, TestBot, title, until};

/// A bot that reads with the default settings, plus those given. The CAD sends events for removals through the API.
async fn start(settings: &[(&'static str, &str)], clock: Option<Clock>) -> TestBot {
    let mut plain = vec![("SONORAN_RECONCILE_SECONDS", "60".to_owned())];
    plain.extend(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));
    let cad = CadOptions { push_api_removals: true, ..CadOptions::default() };
    TestBot::start_with(Setup { settings: plain, cad: Some(cad), clock, ..Setup::default() }).await
}

/// With all reads that the CAD allows.
async fn eager() -> TestBot {
    let bot = start(&[("SONORAN_CALLS_PER_MINUTE", "5"), ("SONORAN_UNITS_PER_MINUTE", "3")], None).await;
    first_reading(&bot).await;
    bot
}

/// A change through the CAD's API, by the game server or anybody else with the key.
async fn api(bot: &TestBot, method: &str, path: &str, body: Value) -> Value {
    let response = reqwest::Client::new()
        .request(method.parse().unwrap(), format!("{}/v2/emergency/servers/1/{path}", bot.cad.api_url()))
        .header("authorization", format!("Bearer {}", CadOptions::default().api_key))
        .body(body.to_string())
        .send()
        .await
        .unwrap();
    assert!(response.status().is_success(), "{method} {path}: {}", response.status());
    response.json().await.unwrap()
}

fn robbery(more: Value) -> Value {
    let mut call = json!({
        "origin": 0, "status": 1, "priority": 1, "title": "Armed Robbery", "code": "211", "address": "Mission Row", "communityUserIds": [],
    });
    call.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    call
}

fn facts(bot: &TestBot) -> ServerFacts {
    bot.app().status.server(ServerId(1))
}

fn readings(bot: &TestBot, part: &str) -> usize {
    let wanted = format!("/servers/1/{part}");
    bot.cad.count(|seen| matches!(seen, Seen::Rest { method, path, .. } if method == "GET" && path.ends_with(&wanted)))
}

/// Everything known before counts as old: only what later reads find is news.
async fn first_reading(bot: &TestBot) {
    let read = |part| facts(bot).readings.get(&part).is_some_and(|reading| reading.at.is_some());
    until("the first reading", async || read(Part::Calls) && read(Part::Units)).await;
}

/// The session is lost and comes back, so that the server is read again.
async fn reconnect(bot: &TestBot) {
    let before = bot.cad.count(|seen| matches!(seen, Seen::Auth { success: Some(true), .. }));
    bot.cad.drop_all();
    until("the next session", async || bot.cad.count(|seen| matches!(seen, Seen::Auth { success: Some(true), .. })) > before).await;
}

#[tokio::test]
async fn a_call_made_and_closed_through_the_api_has_a_card_all_the_same() {
    let bot = eager().await;
    let role = bot.discord.add_role(&bot.guild, "Officers", 0);
    let channel = bot.channel("dispatch", Some(&role), Style::Card).await;
    let call = api(&bot, "POST", "dispatch-calls", robbery(json!({}))).await["callId"].clone();
    reconnect(&bot).await;
    let card = bot.message(&channel, |m| title(m).contains("211 Armed Robbery")).await;
    assert!(title(&card).starts_with("🚔 P1"), "{card:#}");
    assert_eq!(card["pinged"], json!([format!("<@&{role}>")]), "it is news");
    until("the find", async || facts(&bot).readings[&Part::Calls].found.is_some_and(|(_, count)| count == 1)).await;

    api(&bot, "POST", "dispatch-calls/close", json!({ "callIds": [call] })).await;
    reconnect(&bot).await;
    bot.message(&channel, |m| title(m).starts_with("⬛ Closed · 211")).await;
    bot.only(&channel);
    bot.finish().await;
}

#[tokio::test]
async fn a_panic_raised_through_the_api_is_one_alarm() {
    let bot = eager().await;
    let role = bot.discord.add_role(&bot.guild, "Officers", 0);
    let channel = bot.channel("panic", Some(&role), Style::Card).await;
    let unit = UnitSpec { num: "A-10".into(), name: "John Doe".into(), status: 2, ..UnitSpec::default() };
    let ident = bot.cad.login(1, &unit).unwrap();
    bot.caught_up().await;
    api(&bot, "PATCH", "units/panic", json!({ "identIds": [ident], "isPanic": true })).await;
    // Too soon after the login for the first read to count: the bot reads again by itself.
    reconnect(&bot).await;
    let card = bot.message(&channel, |m| title(m) == "🆘 PANIC · A-10 John Doe").await;
    assert_eq!(card["pinged"], json!([format!("<@&{role}>")]));
    // The CAD sends an event too, late.
    assert!(bot.cad.update_unit(1, ident, &json!({ "isPanic": true })));
    bot.caught_up().await;
    bot.only(&channel);
    bot.finish().await;
}

#[tokio::test]
async fn a_911_taken_in_game_became_a_call() {
    let bot = eager().await;
    let emergencies = bot.channel("911", None, Style::Card).await;
    let dispatches = bot.channel("dispatch", None, Style::Card).await;
    let spec = CallSpec { emergency: true, description: "Shots fired".into(), location: "Alta St".into(), ..CallSpec::default() };
    let id = bot.cad.place_911(1, &spec).unwrap();
    bot.message(&emergencies, |m| title(m).contains("Shots fired")).await;
    // As the game server's respond command does it (docs/cad-contract.md#e11): of all this, only the removal raises an event.
    let origin = id.to_string();
    let taken = robbery(json!({ "metaData": { "origin911": origin, "createdFromId": origin } }));
    let call = api(&bot, "POST", "dispatch-calls", taken).await["callId"].clone();
    api(&bot, "DELETE", &format!("calls/911/{id}"), Value::Null).await;
    bot.message(&emergencies, |m| title(m).starts_with(&format!("➡️ 911 became Call #{call}"))).await;
    bot.message(&dispatches, |m| title(m).contains("211 Armed Robbery")).await;
    bot.settled().await;
    bot.only(&emergencies);
    bot.only(&dispatches);
    // One for the session, one for the removal: no read contradicted the recent events.
    assert_eq!((readings(&bot, "calls"), readings(&bot, "units")), (2, 1));
    bot.finish().await;
}

#[tokio::test]
async fn what_happened_while_the_session_was_lost_is_caught_up() {
    let bot = eager().await;
    let channel = bot.channel("911", None, Style::Card).await;
    let spec = CallSpec { emergency: true, description: "Fire".into(), location: "Pier 9".into(), ..CallSpec::default() };
    let first = bot.cad.place_911(1, &spec).unwrap();
    bot.message(&channel, |m| title(m).contains("Fire")).await;
    // The world trusts an event of the last three seconds more than a read.
    tokio::time::sleep(Duration::from_secs(3)).await;
    bot.cad.upgrade_status(503);
    bot.cad.drop_all();
    until("the loss", async || matches!(facts(&bot).link, Link::Down(_))).await;
    assert!(bot.cad.remove_911(1, &[first]));
    bot.cad.place_911(1, &CallSpec { description: "Flood".into(), ..spec }).unwrap();
    bot.cad.heal();
    bot.message(&channel, |m| title(m).contains("Flood")).await;
    bot.message(&channel, |m| title(m).starts_with("☑️ 911 handled")).await;
    bot.settled().await;
    assert_eq!(bot.titles(&channel).len(), 2, "{:?}", bot.titles(&channel));
    bot.finish().await;
}

#[tokio::test]
async fn however_often_the_session_comes_back_the_budget_holds() {
    let bot = start(&[], None).await;
    first_reading(&bot).await;
    // A third session that ends so soon would look like another client's doing.
    for _ in 0..2 {
        reconnect(&bot).await;
    }
    until("the link", async || facts(&bot).link == Link::Ready).await;
    bot.cad.place_911(1, &CallSpec { emergency: true, ..CallSpec::default() }).unwrap();
    bot.caught_up().await;
    assert_eq!((readings(&bot, "calls"), readings(&bot, "units")), (2, 1), "{:?}", bot.cad.log());
    bot.finish().await;
}

#[tokio::test]
async fn a_429_steps_back_and_status_says_so() {
    let bot = start(&[("SONORAN_RECONCILE_SECONDS", "0")], None).await;
    first_reading(&bot).await;
    bot.cad.rest_status("/calls", 429, 9, Some(40));
    reconnect(&bot).await;
    until("the limit", async || facts(&bot).readings[&Part::Calls].trouble.is_some()).await;
    let lobby = bot.discord.add_channel(&bot.guild, "lobby", 0);
    until("the commands", async || bot.discord.slash(&lobby, None, "cad", &["status"], json!({})).is_ok()).await;
    let asked = bot.discord.slash(&lobby, None, "cad", &["status"], json!({})).unwrap();
    let says = |m: &Value| m.to_string().contains("calls cannot be read since");
    let reply = asked.wait_reply_where(PATIENCE, says).await.unwrap().to_string();
    for part in ["The bot waits 40 s", "lower SONORAN\\\\_CALLS\\\\_PER\\\\_MINUTE", "calls 0 of 2, again <t:", "**Last problems**"] {
        assert!(reply.contains(part), "{part} is not in {reply}");
    }
    assert_eq!(readings(&bot, "calls"), 2, "it went on asking");
    bot.finish().await;
}

#[tokio::test]
async fn a_poll_answer_whose_lists_hold_no_objects_changes_nothing() {
    let clock = Clock::manual(Clock::system().now());
    let bot = start(&[("SONORAN_CALLS_PER_MINUTE", "5"), ("SONORAN_UNITS_PER_MINUTE", "3")], Some(clock)).await;
    first_reading(&bot).await;
    let channel = bot.channel("911", None, Style::Card).await;
    bot.route("dispatch", &channel, None, Style::Card).await;
    bot.cad.login(1, &UnitSpec { num: "A-10".into(), status: 2, ..UnitSpec::default() }).unwrap();
    bot.cad.place_911(1, &CallSpec { emergency: true, description: "Fire".into(), ..CallSpec::default() }).unwrap();
    api(&bot, "POST", "dispatch-calls", robbery(json!({}))).await;
    bot.clock.advance(10_000);
    reconnect(&bot).await;
    bot.message(&channel, |m| title(m).contains("211 Armed Robbery")).await;
    bot.message(&channel, |m| title(m).contains("Fire")).await;
    bot.caught_up().await;
    let before = bot.titles(&channel);

    // Recent events would be trusted more than a read anyway.
    bot.clock.advance(10_000);
    bot.cad.rest_answer("GET /units$", json!(["Unauthorized"]), u32::MAX);
    bot.cad.rest_answer("GET /calls$", json!({ "ActiveCalls": ["Unauthorized"], "EmergencyCalls": [null], "ClosedCalls": [1] }), u32::MAX);
    reconnect(&bot).await;
    let trouble = |part| facts(&bot).readings[&part].trouble.as_ref().is_some_and(|(_, why)| why.contains("could not be understood"));
    until("both failures", async || trouble(Part::Units) && trouble(Part::Calls)).await;
    bot.caught_up().await;
    assert_eq!(facts(&bot).on_duty, Some(1), "everybody was signed off");
    assert_eq!(bot.titles(&channel), before, "calls were closed");
    let failed = bot.app().status.snapshot().problems.iter().filter(|(_, why)| why.contains("could not be understood")).count();
    assert_eq!(failed, 2, "each is reported once");

    bot.cad.heal();
    bot.finish().await;
}

#[tokio::test]
async fn without_a_hub_the_server_is_read_at_the_start() {
    let bot = start(&[("SONORAN_HUB", "off"), ("SONORAN_RECONCILE_SECONDS", "0")], None).await;
    first_reading(&bot).await;
    assert_eq!((readings(&bot, "calls"), readings(&bot, "units")), (1, 1));
    bot.finish().await;
}

#[tokio::test]
async fn switched_off_nothing_is_read() {
    let bot = start(&[("SONORAN_RECONCILE_SECONDS", "off")], None).await;
    reconnect(&bot).await;
    until("the link", async || facts(&bot).link == Link::Ready).await;
    bot.caught_up().await;
    assert_eq!((readings(&bot, "calls"), readings(&bot, "units")), (0, 0));
    bot.finish().await;
}

/// Advances the clock, by so many seconds each time, until something is there.
async fn pass_until(bot: &TestBot, what: &str, seconds: i64, mut fact: impl FnMut() -> bool) {
    until(what, async || {
        bot.clock.advance(seconds * 1_000);
        // The feeds are checked each second of real time.
        tokio::time::sleep(Duration::from_millis(100)).await;
        fact()
    })
    .await;
}

/// Lets feeds be checked while the clock stands still.
async fn looks() {
    tokio::time::sleep(Duration::from_millis(2_200)).await;
}

fn notices_like(bot: &TestBot, channel: &str, begin: &str) -> usize {
    bot.titles(channel).iter().filter(|title| title.starts_with(begin)).count()
}

#[tokio::test]
async fn a_lost_connection_is_reported_once_and_its_return_with_what_was_caught_up() {
    let clock = Clock::manual(Clock::system().now());
    let bot = start(&[], Some(clock)).await;
    first_reading(&bot).await;
    let notices = bot.notices().await;
    bot.cad.upgrade_status(503);
    bot.cad.drop_all();
    until("the loss", async || matches!(facts(&bot).link, Link::Down(_))).await;
    looks().await;
    bot.clock.advance(50_000);
    looks().await;
    assert_eq!(bot.titles(&notices), [""; 0], "not yet a minute");
    pass_until(&bot, "the loss's notice", 11, || notices_like(&bot, &notices, "⚠️ CAD feed silent") == 1).await;
    let lost = bot.message(&notices, |m| title(m).starts_with("⚠️ CAD feed silent since")).await;
    let words = lost["embeds"][0]["description"].as_str().unwrap();
    assert!(words.contains("The session with the CAD's hub is away") && words.contains("SONORAN\\_HUB\\_URL"), "{words}");
    bot.clock.advance(3_600_000);
    looks().await;
    assert_eq!(bot.titles(&notices).len(), 1);

    bot.cad.place_911(1, &CallSpec { emergency: true, description: "Fire".into(), ..CallSpec::default() }).unwrap();
    bot.cad.heal();
    until("the return", async || facts(&bot).link == Link::Ready).await;
    until("the find", async || facts(&bot).readings[&Part::Calls].found.is_some()).await;
    // The budget of units is used up for a minute of real time; the notice doesn't wait forever.
    pass_until(&bot, "the return's notice", 10, || notices_like(&bot, &notices, "✅ CAD feed back") == 1).await;
    assert_eq!(bot.titles(&notices)[1], "✅ CAD feed back, 1 call caught up");
    looks().await;
    assert_eq!(bot.titles(&notices).len(), 2);
    bot.finish().await;
}

#[tokio::test]
async fn silence_is_reported_only_while_units_are_on_duty() {
    let clock = Clock::manual(Clock::system().now());
    let bot = start(&[("SONORAN_HUB", "off"), ("SONORAN_SILENCE_MINUTES", "10")], Some(clock)).await;
    first_reading(&bot).await;
    let notices = bot.notices().await;
    looks().await;
    bot.clock.advance(3_600_000);
    looks().await;
    assert_eq!(bot.titles(&notices), [""; 0], "nobody is on duty");

    let login = json!({ "unit": { "id": 7, "status": 2, "data": { "unitNum": "A-10" } } });
    bot.send_event("EVENT_UNIT_LOGIN", login).await;
    until("the unit", async || facts(&bot).on_duty == Some(1)).await;
    looks().await;
    bot.clock.advance(599_000);
    looks().await;
    assert_eq!(bot.titles(&notices), [""; 0], "not yet ten minutes");
    pass_until(&bot, "the silence's notice", 30, || notices_like(&bot, &notices, "⚠️ CAD feed silent") == 1).await;
    let lost = bot.message(&notices, |m| title(m).starts_with("⚠️ CAD feed silent since")).await;
    let words = lost["embeds"][0]["description"].as_str().unwrap();
    assert!(words.contains("enablePushEventForwarding") && words.contains("?server=1"), "{words}");
    bot.clock.advance(3_600_000);
    looks().await;
    assert_eq!(bot.titles(&notices).len(), 1);

    bot.send_event("EVENT_UNIT_STATUS", json!({ "identIds": [7], "status": 3 })).await;
    pass_until(&bot, "the return's notice", 10, || notices_like(&bot, &notices, "✅ CAD feed back") == 1).await;
    bot.finish().await;
}
