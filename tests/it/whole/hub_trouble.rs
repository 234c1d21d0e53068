//! The hub fails in every way it can: HTTP continues meanwhile, and events flow again as soon as it is back.
//!
//! The hub's own silence of 30 s is left to the tests of `signalr`, where time can be paused.

use serde_json::json;
use tenfour::ids::ServerId;
use tenfour::render::Style;
use tenfour::status::Link;
use tenfour_sim::cad::{CadOptions, CadSim, Seen, ServerOptions, Silence};

use crate::test_bot::{PATIENCE, Setup, TestBot, title, until};

fn ends(cad: &CadSim) -> usize {
    cad.count(|seen| matches!(seen, Seen::SessionEnd { .. }))
}

fn link(bot: &TestBot) -> Link {
    bot.app().status.link_of(ServerId(1))
}

fn fire(id: i64) -> serde_json::Value {
    json!({ "call": { "callId": id, "isEmergency": true, "description": format!("Fire {id}") } })
}

/// Breaks the hub, sees HTTP continue, repairs it, sees the hub continue.
async fn goes_on_after(how: impl Fn(&CadSim), ends_wanted: usize) {
    let bot = TestBot::start().await;
    let channel = bot.channel("911", None, Style::Card).await;
    let before = ends(&bot.cad);
    how(&bot.cad);
    until("the session's end", async || ends(&bot.cad) >= before + ends_wanted).await;
    bot.send_event("EVENT_911", fire(1)).await;
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
async fn http_401_and_403_are_no_rejection_and_the_hub_is_back_within_seconds() {
    for status in [401, 403] {
        let upgrade = |cad: &CadSim| {
            cad.upgrade_status(status);
            cad.drop_all();
        };
        goes_on_after(upgrade, 1).await;
        let negotiate = |cad: &CadSim| {
            cad.negotiate_status(status, None);
            cad.drop_all();
        };
        goes_on_after(negotiate, 1).await;
    }
}

/// A push as the hub sends it, byte for byte.
fn raw(head: &str, event: &serde_json::Value) -> String {
    format!("{{{head},\"target\":\"pushEvent\",\"arguments\":[{event}]}}\u{1e}")
}

#[tokio::test]
async fn a_record_that_names_a_field_twice_is_read_and_a_key_that_is_no_text_is_a_wrong_one() {
    let bot = TestBot::start().await;
    let channel = bot.channel("911", None, Style::Card).await;
    let before = ends(&bot.cad);
    for key in [json!(7), json!({}), json!(["x"]), json!(null), json!("")] {
        bot.cad.send_raw(&raw("\"type\":1", &json!({ "key": key, "type": "EVENT_911", "data": fire(1) })));
    }
    bot.cad.send_raw(&raw("\"type\":6,\"target\":\"other\",\"type\":1", &json!({ "type": "EVENT_911", "data": fire(2) })));
    bot.message(&channel, |m| title(m).contains("Fire 2")).await;
    bot.settled().await;
    bot.only(&channel);
    assert_eq!(ends(&bot.cad), before, "the connection was closed");
    bot.finish().await;
}

#[tokio::test]
async fn a_session_that_another_client_takes_three_times_is_given_up_and_reported() {
    let servers = vec![ServerOptions::new(1, "One"), ServerOptions::new(2, "Two")];
    let bot = TestBot::start_with(Setup {
        cad: Some(CadOptions { servers, ..CadOptions::default() }),
        settings: vec![("SONORAN_SERVER_IDS", "1,2".to_owned())],
        ..Setup::default()
    })
    .await;
    let channel = bot.channel("911", None, Style::Card).await;
    let notices = bot.notices().await;
    until("the end of the contest", async || {
        if link(&bot) == Link::Ready {
            bot.cad.drop_server(1);
        }
        link(&bot) == Link::Contested
    })
    .await;
    let notice = bot.message(&notices, |m| title(m).contains("Another client holds the live connection")).await;
    let words = notice["embeds"][0]["description"].as_str().unwrap();
    for word in ["server 1", "SONORAN_HUB=off", "enablePushEventForwarding", "pushEventForwardUrl", "?server=1"] {
        assert!(words.contains(word), "{word} is not in {words}");
    }
    let report = bot.app().readiness.report();
    assert!(report.contains("hub 1 not ready: another client") && report.contains("hub 2 ok"), "{report}");
    let facts = bot.app().status.snapshot();
    assert!(facts.problems.iter().any(|(_, problem)| problem.contains("SONORAN_HUB=off")), "{:?}", facts.problems);

    // The other server continues, and so does HTTP; nobody retries server 1.
    bot.cad.push(2, "EVENT_911", fire(1));
    bot.message(&channel, |m| title(m).contains("Fire 1")).await;
    bot.send_event("EVENT_911", fire(2)).await;
    bot.message(&channel, |m| title(m).contains("Fire 2")).await;
    assert!(!bot.cad.wait_session(1, std::time::Duration::from_secs(3)).await);
    bot.finish().await;
}

#[tokio::test]
async fn the_key_follows_no_redirect_to_another_domain_unless_a_setting_allows_it() {
    for allowed in [false, true] {
        let elsewhere = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = elsewhere.local_addr().unwrap().port();
        let settings = if allowed { vec![("SONORAN_HUB_REDIRECTS", "localhost".to_owned())] } else { Vec::new() };
        let mut bot = TestBot::prepare(Setup { settings, ..Setup::default() }).await;
        bot.cad.negotiate_answer(json!({ "url": format!("http://localhost:{port}/hub"), "accessToken": "for-the-other-place" }));
        bot.boot_unready().await;
        if allowed {
            tokio::time::timeout(PATIENCE, elsewhere.accept()).await.expect("it did not follow").unwrap();
        } else {
            until("the refusal", async || {
                matches!(link(&bot), Link::Down(why) if why.contains("sent us to localhost") && why.contains("SONORAN_HUB_REDIRECTS=localhost"))
            })
            .await;
            // If it had connected there, its connection would be waiting here by now.
            let came = tokio::time::timeout(std::time::Duration::from_millis(200), elsewhere.accept()).await;
            assert!(came.is_err(), "it went there all the same");
        }
        bot.finish().await;
    }
}

#[tokio::test]
async fn silence_swallows_what_the_hub_would_say_and_http_goes_on() {
    let bot = TestBot::start().await;
    let channel = bot.channel("911", None, Style::Card).await;
    bot.cad.silence(Silence::Hub);
    bot.cad.push(1, "EVENT_911", fire(1));
    bot.send_event("EVENT_911", fire(2)).await;
    bot.message(&channel, |m| title(m).contains("Fire 2")).await;
    bot.cad.heal();
    bot.cad.push(1, "EVENT_911", fire(3));
    bot.message(&channel, |m| title(m).contains("Fire 3")).await;
    assert_eq!(bot.discord.messages(&channel).len(), 2);
    bot.finish().await;
}

#[tokio::test]
async fn rejected_credentials_are_reported_once_however_often_they_are_rejected() {
    let mut bot = TestBot::start().await;
    let channel = bot.channel("911", None, Style::Card).await;
    let notices = bot.notices().await;
    bot.cad.reject_auth("Invalid community ID or API key.");
    bot.cad.drop_all();
    let rejected = |bot: &TestBot| matches!(link(bot), Link::Rejected(why) if why.contains("Invalid community ID or API key"));
    until("the rejection", async || rejected(&bot)).await;
    bot.message(&notices, |m| title(m).contains("CAD refused the key")).await;
    assert!(!bot.app().readiness.is_ready());
    bot.send_event("EVENT_911", fire(1)).await;
    bot.message(&channel, |m| title(m).contains("Fire 1")).await;

    // The connection drops, comes back, and is rejected again: no news.
    let refusals = || bot.cad.count(|seen| matches!(seen, Seen::Auth { success: Some(false), .. }));
    let before = refusals();
    bot.cad.drop_all();
    until("another rejection", async || refusals() > before).await;
    until("the rejection", async || rejected(&bot)).await;
    bot.caught_up().await;
    assert!(bot.halt().await);
    // Any remaining notice would be delivered now.
    bot.cad.heal();
    bot.boot().await;
    bot.cad.push(1, "EVENT_911", fire(2));
    bot.message(&channel, |m| title(m).contains("Fire 2")).await;
    bot.settled().await;
    bot.only(&notices);
    bot.finish().await;
}
