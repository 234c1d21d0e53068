//! The hub fails in every way it can: HTTP goes on meanwhile, and events flow again as soon as it is back.
//!
//! The hub's own silence of 30 s is left to the tests of `signalr`, where time can be paused.

use serde_json::json;
use tenfour::ids::{CommunityId, ServerId};
use tenfour::render::Style;
use tenfour::sim::cad::{CadOptions, CadSim, Seen, Silence};
use tenfour::status::Link;

use crate::test_bot::{PATIENCE, TestBot, title, until};

fn ends(cad: &CadSim) -> usize {
    cad.count(|seen| matches!(seen, Seen::SessionEnd { .. }))
}

fn link(bot: &TestBot) -> Link {
    bot.app().status.link_of(&CommunityId::new(&CadOptions::default().community), ServerId(1))
}

fn fire(id: i64) -> serde_json::Value {
    json!({ "call": { "callId": id, "isEmergency": true, "description": format!("Fire {id}") } })
}

/// Breaks the hub, sees HTTP go on, mends it, sees the hub go on.
async fn goes_on_after(how: impl Fn(&CadSim), ends_wanted: usize) {
    let bot = TestBot::start().await;
    let channel = bot.channel("911", None, Style::Card).await;
    let before = ends(&bot.cad);
    how(&bot.cad);
    until("the session's end", async || ends(&bot.cad) >= before + ends_wanted).await;
    bot.tell("EVENT_911", fire(1)).await;
    bot.message(&channel, |m| title(m).contains("Fire 1")).await;
    bot.cad.heal();
    assert!(bot.cad.wait_session(1, PATIENCE).await);
    bot.cad.push(1, "EVENT_911", fire(2));
    bot.message(&channel, |m| title(m).contains("Fire 2")).await;
    until("the link", async || link(&bot) == Link::Ready).await;
    bot.finish().await;
}

#[tokio::test]
async fn every_connection_cut() {
    goes_on_after(CadSim::drop_all, 1).await;
}

#[tokio::test]
async fn garbage() {
    goes_on_after(CadSim::garbage, 1).await;
}

#[tokio::test]
async fn cut_in_the_middle_of_a_record() {
    goes_on_after(CadSim::cut_mid_record, 1).await;
}

#[tokio::test]
async fn closed_with_and_without_invitation() {
    goes_on_after(|cad| cad.close_all(None, true), 1).await;
}

#[tokio::test]
async fn closed_right_after_the_handshake_again_and_again() {
    let how = |cad: &CadSim| {
        cad.close_at_once(1_000);
        cad.drop_all();
    };
    goes_on_after(how, 2).await;
}

#[tokio::test]
async fn no_websocket_to_be_had() {
    let how = |cad: &CadSim| {
        cad.upgrade_status(503);
        cad.drop_all();
    };
    goes_on_after(how, 1).await;
}

#[tokio::test]
async fn silence_swallows_what_the_hub_would_say_and_http_goes_on() {
    let bot = TestBot::start().await;
    let channel = bot.channel("911", None, Style::Card).await;
    bot.cad.silence(Silence::Hub);
    bot.cad.push(1, "EVENT_911", fire(1));
    bot.tell("EVENT_911", fire(2)).await;
    bot.message(&channel, |m| title(m).contains("Fire 2")).await;
    bot.cad.heal();
    bot.cad.push(1, "EVENT_911", fire(3));
    bot.message(&channel, |m| title(m).contains("Fire 3")).await;
    assert_eq!(bot.discord.messages(&channel).len(), 2);
    bot.finish().await;
}

#[tokio::test]
async fn rejected_credentials_are_told_once_however_often_they_are_rejected() {
    let mut bot = TestBot::start().await;
    let channel = bot.channel("911", None, Style::Card).await;
    let notices = bot.notices().await;
    bot.cad.reject_auth("Invalid community ID or API key.");
    bot.cad.drop_all();
    let rejected = |bot: &TestBot| matches!(link(bot), Link::Rejected(why) if why.contains("Invalid community ID or API key"));
    until("the rejection", async || rejected(&bot)).await;
    bot.message(&notices, |m| title(m).contains("CAD refused the key")).await;
    assert!(!bot.app().readiness.is_ready());
    bot.tell("EVENT_911", fire(1)).await;
    bot.message(&channel, |m| title(m).contains("Fire 1")).await;

    // The connection goes, comes back, and is rejected again: no news.
    let refusals = || bot.cad.count(|seen| matches!(seen, Seen::Auth { success: Some(false), .. }));
    let before = refusals();
    bot.cad.drop_all();
    until("another rejection", async || refusals() > before).await;
    until("the rejection", async || rejected(&bot)).await;
    bot.caught_up().await;
    assert!(bot.halt().await);
    // Whatever it had left to tell would be delivered now.
    bot.cad.heal();
    bot.boot().await;
    bot.cad.push(1, "EVENT_911", fire(2));
    bot.message(&channel, |m| title(m).contains("Fire 2")).await;
    bot.settled().await;
    bot.only(&notices);
    bot.finish().await;
}
