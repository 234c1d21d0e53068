//! Which channel gets what, also when routes change while calls are open.

use serde_json::json;
use tenfour::render::Style;
use tenfour_sim::cad::CadOptions;

use crate::test_bot::{Setup, TestBot, field, post, title};
use tenfour::ids::RouteId;

fn call(id: i64) -> serde_json::Value {
    json!({ "dispatch": { "callId": id, "status": 1, "priority": 1, "title": "Robbery", "idents": [], "metaData": {} } })
}

#[tokio::test]
async fn two_routes_in_one_channel_make_one_message_with_both_roles() {
    let bot = TestBot::start().await;
    let (one, two) = (bot.discord.add_role(&bot.guild, "One", 0), bot.discord.add_role(&bot.guild, "Two", 0));
    let channel = bot.channel("all", Some(&one), Style::Compact).await;
    bot.route("911", &channel, Some(&two), Style::Card).await;
    bot.send_event("EVENT_911", json!({ "call": { "callId": 7, "isEmergency": true, "description": "Fire", "caller": "Jo" } })).await;
    bot.settled().await;
    let message = bot.only(&channel);
    assert_eq!(message["pinged"], json!([format!("<@&{one}>"), format!("<@&{two}>")]), "{message:#}");
    assert_eq!(field(&message, "Caller"), "Jo", "the more specific route's style");
    bot.finish().await;
}

#[tokio::test]
async fn a_route_for_one_server_gets_only_its_events() {
    let settings = vec![("SONORAN_SERVER_IDS", "1,2".to_owned()), ("SONORAN_HUB", "off".to_owned())];
    let bot = TestBot::start_with(Setup { settings, ..Setup::default() }).await;
    let channel = bot.discord.add_channel(&bot.guild, "second", 0);
    bot.route_of("all", &channel, Some(2), None, Style::Card).await;
    let event = |id: i64| json!({ "key": CadOptions::default().api_key, "type": "EVENT_911", "data": { "call": { "callId": id, "isEmergency": true } } });
    for server in [1, 2] {
        assert_eq!(post(&format!("{}?server={server}", bot.events_url()), &event(40 + server)).await.0, 200);
    }
    bot.settled().await;
    assert_eq!(bot.only(&channel)["embeds"][0]["footer"]["text"], "Server 2 · 911 #42");
    bot.finish().await;
}

#[tokio::test]
async fn a_card_is_closed_also_when_its_route_is_gone_and_the_bot_was_restarted() {
    let mut bot = TestBot::start().await;
    let channel = bot.discord.add_channel(&bot.guild, "calls", 0);
    let route = bot.route("dispatch", &channel, None, Style::Card).await;
    bot.send_event("EVENT_DISPATCH_NEW", call(5)).await;
    bot.send_event("EVENT_DISPATCH_NEW", call(6)).await;
    bot.settled().await;
    assert!(bot.app().store.remove_route(bot.guild_id(), RouteId(route)).await.unwrap());
    bot.send_event("EVENT_DISPATCH_CLOSED", json!({ "callIds": [5] })).await;
    bot.settled().await;
    assert!(bot.halt().await);
    bot.boot().await;
    bot.send_event("EVENT_DISPATCH_CLOSED", json!({ "callIds": [6] })).await;
    bot.send_event("EVENT_DISPATCH_NEW", call(7)).await;
    bot.settled().await;
    let titles = bot.titles(&channel);
    assert_eq!(titles.len(), 2, "{titles:?}");
    assert!(titles.iter().all(|t| t.starts_with("⬛ Closed")), "{titles:?}");
    bot.finish().await;
}

#[tokio::test]
async fn a_route_made_while_a_call_is_open_shows_it_in_silence_at_its_next_change() {
    let bot = TestBot::start().await;
    let role = bot.discord.add_role(&bot.guild, "Dispatch", 0);
    bot.send_event("EVENT_DISPATCH_NEW", call(5)).await;
    let channel = bot.channel("dispatch", Some(&role), Style::Card).await;
    bot.send_event("EVENT_DISPATCH_UNIT_ATTACH", json!({ "callId": 5, "idents": [12] })).await;
    bot.settled().await;
    let message = bot.only(&channel);
    assert_eq!((&message["pinged"], message["flags"].as_u64().unwrap() & (1 << 12)), (&json!([]), 1 << 12), "{message:#}");
    assert_eq!(bot.sent("POST", &channel)[0]["body"]["allowed_mentions"]["roles"], json!([]));
    assert!(title(&message).contains("Robbery"));
    bot.finish().await;
}
