//! One community's tasks panic: it alone is restarted, and suspended if that happens again and again.

use serde_json::json;
use tenfour::community::MAX_PANICS;
use tenfour::ids::ServerId;
use tenfour::ingest::{Look, Request};

use super::{Home, MARKS, Scene};
use crate::test_bot::until;

impl Scene {
    /// A mistake in the code that works on a community's world.
    async fn panic_in(&self, community: usize) {
        let (look, seen) = Look::new(ServerId(1), |_| -> () { panic!("a mistake that a test makes") });
        self.handle(community).requests.send(Request::Look(look)).await.unwrap();
        assert!(seen.await.is_err(), "it was answered");
    }

    async fn shows_a_new_call(&self, community: usize) {
        let id = self.cads[community].place_911(1, &Self::call(community, "help")).unwrap();
        for home in self.of(community) {
            self.card(home, &format!("Server 1 · 911 #{id}")).await;
        }
    }
}

#[tokio::test]
async fn a_community_that_panics_is_restarted_alone_and_loses_nothing_that_waits() {
    let scene = Scene::start().await;
    scene.shows_a_new_call(1).await;
    scene.panic_in(1).await;
    // While it is down: these wait, those of others go on.
    let waiting = scene.cads[1].place_911(2, &Scene::call(1, "while it was down")).unwrap();
    scene.shows_a_new_call(0).await;
    for home in scene.of(1) {
        scene.card(home, &format!("Server 2 · 911 #{waiting}")).await;
    }
    // What was there before is known.
    assert!(scene.cads[1].remove_911(2, &[waiting]));
    let home = scene.of(1).next().unwrap();
    scene.bot.message(&home.cards, |m| m["embeds"][0]["title"].as_str().is_some_and(|title| title.contains("handled"))).await;
    assert!(!scene.handle(1).is_suspended() && scene.bot.app().failure().is_none());
    scene.caught_up(1).await;
    scene.nothing_is_mixed();
    scene.end().await;
}

#[tokio::test]
async fn a_community_that_panics_again_and_again_is_suspended_and_its_guilds_are_told() {
    let scene = Scene::start().await;
    for nth in 0..MAX_PANICS {
        if nth > 0 {
            scene.shows_a_new_call(1).await;
        }
        scene.panic_in(1).await;
    }
    until("it is suspended", async || scene.handle(1).is_suspended()).await;
    let notice =
        |home: &Home| scene.bot.discord.messages(&home.notices).iter().any(|m| m.to_string().contains("stopped for this community"));
    until("both of its guilds are told", async || scene.of(1).all(&notice)).await;
    assert!(!scene.of(0).any(&notice) && !scene.of(2).any(&notice));
    let answer = scene.post(1, 1, "EVENT_911", json!({ "call": { "callId": 7, "isEmergency": true, "description": MARKS[1] } })).await;
    assert_eq!(answer.0, 503, "its senders keep their events: {answer:?}");
    let home = scene.of(1).next().unwrap();
    let asked = scene.bot.discord.slash(&home.cards, Some(&home.member), "call", &["list"], json!({})).unwrap();
    assert!(crate::actions::told(&asked).await.contains("stopped for this community after repeated errors"));
    // The others, and the process, go on.
    for community in [0, 2] {
        scene.shows_a_new_call(community).await;
        let home = scene.of(community).next().unwrap();
        let asked = scene.bot.discord.slash(&home.cards, Some(&home.member), "cad", &["status"], json!({})).unwrap();
        let told = crate::actions::told(&asked).await;
        assert!(!told.contains("stopped"), "{told}");
    }
    assert!(scene.bot.app().failure().is_none() && scene.bot.app().readiness.is_ready());
    scene.end().await;
}
