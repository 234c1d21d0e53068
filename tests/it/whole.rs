//! The whole bot against both simulators: events in at one end, messages out at the other.

mod boards;
mod burst;
mod discord_trouble;
mod escalation;
mod faults;
mod hostile;
mod hub_trouble;
mod life;
mod ops;
mod reconcile;
mod restart;
mod routes;
mod sources;
mod threads;

use serde_json::json;
use tenfour::render::Style;
use tenfour_sim::cad::CallSpec;

use crate::test_bot::{TestBot, title};

#[tokio::test]
async fn a_911_over_the_hub_becomes_one_card_that_pings_its_role_only() {
    let bot = TestBot::start().await;
    let role = bot.discord.add_role(&bot.guild, "Dispatch", 0);
    let channel = bot.channel("911", Some(&role), Style::Card).await;
    let call = CallSpec { emergency: true, description: "Shots fired @everyone".into(), location: "Alta St".into(), ..CallSpec::default() };
    let id = bot.cad.place_911(1, &call).unwrap();
    let message = bot.message(&channel, |m| title(m).contains("911")).await;
    assert_eq!(message["pinged"], json!([format!("<@&{role}>")]), "{message:#}");
    assert_eq!(message["embeds"][0]["footer"]["text"], format!("Server 1 · 911 #{id}"));

    // Removed: the same card says so, nothing new is posted.
    assert!(bot.cad.remove_911(1, &[id]));
    bot.message(&channel, |m| title(m).contains("handled")).await;
    assert_eq!(bot.titles(&channel).len(), 1);
    bot.finish().await;
}

#[tokio::test]
async fn an_event_over_http_is_answered_after_it_is_stored_and_becomes_a_card() {
    let bot = TestBot::start().await;
    let channel = bot.channel("all", None, Style::Card).await;
    let answer = bot.post("EVENT_911", json!({ "call": { "callId": 7, "isEmergency": true, "description": "Fire" } })).await;
    assert_eq!(answer, (200, "ok".to_owned()));
    bot.message(&channel, |m| title(m).contains("Fire")).await;
    bot.finish().await;
}
