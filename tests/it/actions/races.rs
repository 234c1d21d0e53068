//! Several people at once, changes on the CAD's own pages, a bot that is busy or stops.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::matrix::{ANSWERED_WITHIN, About, Action, quiet_scene};
use super::{Scene, told};
use crate::test_bot::{PATIENCE, title, until};

async fn scene_of(people: usize) -> (Scene, Vec<super::Officer>) {
    let mut scene = quiet_scene(Vec::new()).await;
    let crew = scene.crew(people).await;
    (scene, crew)
}

/// The replies to everybody who presses this at once.
async fn all_press(scene: &Scene, card: &Value, verb: &str, people: &[super::Officer]) -> Vec<String> {
    let pressed: Vec<_> = people.iter().map(|one| scene.press(card, verb, &one.user)).collect();
    join_all(pressed.iter().map(|pending| async move {
        let at = Instant::now();
        pending.acknowledged(ANSWERED_WITHIN).await.unwrap();
        assert!(at.elapsed() < ANSWERED_WITHIN);
        told(pending).await
    }))
    .await
}

#[tokio::test]
async fn two_take_one_911_and_it_is_one_call() {
    let (scene, crew) = scene_of(2).await;
    // Slow enough that the second press comes after the first has begun.
    for pause in [0, 400] {
        let (id, card) = scene.emergency("Shots fired").await;
        let before = scene.changes().len();
        scene.bot.cad.rest_delay("POST /dispatch-calls$", 800, 1);
        let first = scene.press(&card, "respond", &crew[0].user);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let second = scene.press(&card, "respond", &crew[1].user);
        for pending in [&first, &second] {
            let said = told(pending).await;
            assert!(said.contains("attached"), "{pause}: {said}");
        }
        let changes = scene.changes().split_off(before);
        assert_eq!(changes.iter().filter(|change| change.ends_with("/dispatch-calls")).count(), 1, "{pause}: {changes:?}");
        let open = scene.bot.cad.open_state(1);
        let calls: Vec<&Value> =
            open["activeCalls"].as_array().unwrap().iter().filter(|call| call["metaData"]["origin911"] == json!(id.to_string())).collect();
        assert_eq!(calls.len(), 1, "{pause}");
        let mut idents: Vec<i64> = calls[0]["idents"].as_array().unwrap().iter().filter_map(Value::as_i64).collect();
        idents.sort_unstable();
        assert_eq!(idents, [crew[0].ident, crew[1].ident], "{pause}");
    }
    scene.bot.settled().await;
    assert_eq!(scene.all_wrong(&[]), Vec::<String>::new());
    scene.bot.finish().await;
}

#[tokio::test]
async fn a_call_that_is_closed_while_somebody_is_attached_stays_closed() {
    let (scene, crew) = scene_of(2).await;
    let staged = scene.stage(Action::RespondCall, &crew[0], &crew[1]).await;
    let About::Call(id) = staged.about else { unreachable!() };
    scene.bot.cad.rest_delay("/attachments$", 1_000, 1);
    let pending = staged.press(&scene).await;
    until("the request", async || staged.requests(&scene) == 1).await;
    assert!(scene.bot.cad.close(1, &[id]));
    scene.bot.message(&scene.channel, |m| title(m).starts_with("⬛ Closed")).await;
    assert!(told(&pending).await.contains("is attached"), "the CAD said so");
    scene.bot.caught_up().await;
    assert_eq!(scene.wrong(staged.about), None);
    scene.read_cad().await;
    assert_eq!(scene.wrong(staged.about), None);
    scene.bot.finish().await;
}

#[tokio::test]
async fn five_end_a_panic_with_one_request_and_two_close_a_call_with_one() {
    let (scene, crew) = scene_of(6).await;
    let panic = scene.stage(Action::OthersPanic, &crew[0], &crew[5]).await;
    scene.bot.cad.rest_delay("/units/panic", 300, 5);
    // Each is asked once, and confirms at the same moment.
    let card = scene.bot.message(&scene.channel, |m| title(m).starts_with("🆘 PANIC")).await;
    let mut asked = Vec::new();
    for one in &crew[..5] {
        asked.push(scene.press(&card, "over", &one.user).reply(PATIENCE).await.unwrap());
    }
    let sure: Vec<_> = asked.iter().zip(&crew).map(|(asked, one)| scene.press(asked, "over-sure", &one.user)).collect();
    for pending in &sure {
        assert_eq!(told(pending).await, "✅ The panic of A-P05 P05 is over.");
    }
    assert_eq!(panic.requests(&scene), 1);
    let close = scene.stage(Action::Close, &crew[0], &crew[1]).await;
    let card = scene.bot.message(&scene.channel, |m| title(m).contains("Close")).await;
    let other = scene.press(&card, "more", &crew[1].user).reply(PATIENCE).await.unwrap();
    scene.bot.cad.rest_delay("/dispatch-calls/close", 300, 5);
    let pressed = [close.press(&scene).await, scene.press(&other, "close", &crew[1].user), scene.press(&other, "close", &crew[1].user)];
    for pending in &pressed {
        let said = told(pending).await;
        assert!(said.contains("is closed.") || said.contains("is over"), "{said}");
    }
    assert_eq!((close.requests(&scene), close.times(&scene)), (1, 1));
    scene.bot.settled().await;
    assert_eq!(scene.all_wrong(&[panic, close]), Vec::<String>::new());
    scene.bot.finish().await;
}

#[tokio::test]
async fn of_twenty_two_went_off_duty_and_the_others_are_attached_all_the_same() {
    let (scene, crew) = scene_of(20).await;
    for kind in ["dispatch", "911"] {
        let (id, card) = if kind == "911" { scene.emergency("Shots fired").await } else { scene.dispatch("Robbery").await };
        let before = scene.changes().len();
        // There is no event for it.
        let gone = if kind == "911" { &crew[2..4] } else { &crew[..2] };
        gone.iter().for_each(|one| assert!(scene.bot.cad.through_api().logout(1, one.ident)));
        for (one, said) in crew.iter().zip(all_press(&scene, &card, "respond", &crew).await) {
            let is_gone = !scene.bot.cad.open_state(1)["units"].as_array().unwrap().iter().any(|unit| unit["id"] == one.ident);
            assert_eq!(said.contains(" attached"), !is_gone, "{kind} {id}: {said}");
            assert!(!is_gone || said.contains("did not attach"), "{kind}: {said}");
        }
        let changes = scene.changes().split_off(before);
        assert!(changes.len() <= if kind == "911" { 3 } else { 2 }, "{kind}: {changes:?}");
        let open = scene.bot.cad.open_state(1);
        let newest = open["activeCalls"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(newest["idents"].as_array().unwrap().len(), if kind == "911" { 16 } else { 18 }, "{kind}");
    }
    scene.read_cad().await;
    assert_eq!(scene.all_wrong(&[]), Vec::<String>::new());
    scene.bot.finish().await;
}

/// A person whose unit is gone learns it, if nobody else presses.
#[tokio::test]
async fn someone_off_duty_without_an_event_is_not_told_that_the_call_is_over() {
    let (scene, crew) = scene_of(2).await;
    let staged = scene.stage(Action::RespondCall, &crew[0], &crew[1]).await;
    assert!(scene.bot.cad.through_api().logout(1, crew[0].ident));
    let said = told(&staged.press(&scene).await).await;
    assert!(said.contains("still on duty"), "{said}");
    assert!(staged.is_unchanged(&scene));
    scene.read_cad().await;
    assert_eq!(scene.wrong(staged.about), None);
    assert!(told(&staged.press(&scene).await).await.contains("go on duty there"));
    scene.bot.finish().await;
}

#[tokio::test]
async fn presses_are_answered_in_a_flood_of_events() {
    let (scene, crew) = scene_of(4).await;
    let (id, card) = scene.dispatch("Robbery").await;
    let flood = async {
        for n in 0..600_i64 {
            let ident = crew[usize::try_from(n % 4).unwrap()].ident;
            scene.bot.cad.status(1, &[ident], n % 5);
        }
    };
    let (said, ()) = tokio::join!(all_press(&scene, &card, "respond", &crew), flood);
    for said in said {
        assert!(said.ends_with(&format!("is attached to call #{id}.")), "{said}");
    }
    scene.bot.caught_up().await;
    // No response says whom the CAD made the primary unit.
    scene.read_cad().await;
    assert_eq!(scene.all_wrong(&[]), Vec::<String>::new());
    scene.bot.finish().await;
}

#[tokio::test]
async fn buttons_outlive_the_bot() {
    let (mut scene, crew) = scene_of(2).await;
    let mut staged = Vec::new();
    for action in [Action::RespondCall, Action::Respond911, Action::Close, Action::TakePage, Action::OwnPanic] {
        staged.push(scene.stage(action, &crew[0], &crew[1]).await);
    }
    scene.bot.settled().await;
    assert!(scene.bot.halt().await);
    scene.bot.boot().await;
    scene.read_cad().await;
    for one in &staged {
        let said = told(&one.press(&scene).await).await;
        assert!(said.contains(one.action.done()), "{:?}: {said}", one.action);
    }
    scene.bot.settled().await;
    assert_eq!(scene.all_wrong(&staged), Vec::<String>::new());
    scene.bot.finish().await;
}

/// Somebody who presses before the bot stops gets a true answer or none.
#[tokio::test]
async fn a_bot_that_stops_ends_what_it_began() {
    let (mut scene, crew) = scene_of(2).await;
    let staged = [
        scene.stage(Action::RespondCall, &crew[0], &crew[1]).await,
        scene.stage(Action::Respond911, &crew[0], &crew[1]).await,
        scene.stage(Action::Close, &crew[0], &crew[1]).await,
    ];
    scene.bot.cad.rest_delay("POST /", 1_200, u32::MAX);
    let mut pressed = Vec::new();
    for one in &staged {
        pressed.push(one.press(&scene).await);
    }
    until("the requests", async || staged.iter().all(|one| one.requests(&scene) >= 1)).await;
    assert!(scene.bot.halt().await);
    for (one, pending) in staged.iter().zip(&pressed) {
        let said = pending.reply(Duration::from_millis(50)).await.map(|reply| reply["content"].as_str().unwrap_or_default().to_owned());
        let said = said.unwrap_or_else(|error| panic!("{:?}: not answered: {error}", one.action));
        assert!(said.contains(one.action.done()), "{:?}: {said}", one.action);
        assert_eq!(one.times(&scene), 1, "{:?}: {said}", one.action);
    }
    scene.bot.cad.heal();
    scene.bot.boot().await;
    // All of it had been reported before the bot ended: the cards are right without a read.
    scene.bot.settled().await;
    assert_eq!(scene.all_wrong(&staged), Vec::<String>::new());
    scene.bot.finish().await;
}
