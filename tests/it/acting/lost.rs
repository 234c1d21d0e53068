//! Answers that got lost: what may have been done is not done again until the CAD was read, and people are told that it is not known.

use serde_json::json;

use super::cells::{About, Deed, quiet_scene};
use super::{Officer, Scene, told};
use crate::test_bot::{PATIENCE, title};

const CREATE: &str = "POST /dispatch-calls$";
const UNKNOWN: &str = "The CAD did not confirm this";

fn made(scene: &Scene) -> usize {
    scene.changes().iter().filter(|change| change.ends_with("/dispatch-calls")).count()
}

async fn with_two() -> (Scene, Officer, Officer) {
    let mut scene = quiet_scene(Vec::new()).await;
    let crew = scene.crew(2).await;
    (scene, crew[0].clone(), crew[1].clone())
}

#[tokio::test]
async fn a_call_that_was_made_unheard_is_not_made_again_and_found_by_the_next_reading() {
    let (scene, ann, bob) = with_two().await;
    let (id, card) = scene.emergency("Shots fired").await;
    let panel = scene.press(&card, "more", &bob.user).reply(PATIENCE).await.unwrap();
    scene.bot.cad.rest_do_then_drop(CREATE, 1);
    assert!(scene.pressed(&card, "respond", &ann.user).await.starts_with(UNKNOWN));
    for one in [&ann, &bob] {
        let said = scene.pressed(&card, "respond", &one.user).await;
        assert!(said.starts_with(&format!("The CAD has not confirmed yet what was sent a moment ago for 911 #{id}:")), "{said}");
        assert!(said.ends_with("try again in a minute."), "{said}");
    }
    assert_eq!(made(&scene), 1);
    scene.read_anew().await;
    let call = scene.bot.cad.open_state(1)["activeCalls"][0]["callId"].as_i64().unwrap();
    let shown = scene.settled(&card).await;
    assert!(title(&shown).starts_with(&format!("➡️ 911 became Call #{call}")), "{}", title(&shown));
    // Bob still has the old buttons: he gets to where it went.
    assert_eq!(scene.pressed(&panel, "respond", &bob.user).await, format!("🚓 A-P01 P01 is attached to call #{call}."));
    assert_eq!(made(&scene), 1);
    scene.bot.settled().await;
    assert_eq!(scene.all_wrong(&[]), Vec::<String>::new());
    scene.bot.finish().await;
}

#[tokio::test]
async fn a_call_that_was_not_made_is_made_after_the_next_reading() {
    let (scene, ann, bob) = with_two().await;
    let (_, card) = scene.emergency("Shots fired").await;
    scene.bot.cad.rest_drop(CREATE, 1);
    assert!(scene.pressed(&card, "respond", &ann.user).await.starts_with(UNKNOWN));
    assert!(scene.pressed(&card, "respond", &bob.user).await.contains("not confirmed yet"));
    assert_eq!(made(&scene), 1);
    scene.read_anew().await;
    let said = scene.pressed(&card, "respond", &bob.user).await;
    assert!(said.starts_with("🚓 The 911 is call #") && said.ends_with("A-P01 P01 is attached."), "{said}");
    assert_eq!(made(&scene), 2);
    scene.bot.settled().await;
    assert_eq!(scene.all_wrong(&[]), Vec::<String>::new());
    scene.bot.finish().await;
}

/// What was read while the request was still on its way says nothing of what became of it.
#[tokio::test]
async fn a_reading_during_the_request_does_not_end_the_doubt() {
    let (scene, ann, bob) = with_two().await;
    let (_, card) = scene.emergency("Shots fired").await;
    scene.bot.cad.rest_hang(CREATE, 1);
    let pending = scene.press(&card, "respond", &ann.user);
    crate::test_bot::until("the request", async || made(&scene) == 1).await;
    scene.bot.clock.advance(60_000);
    scene.read_anew().await;
    assert!(told(&pending).await.starts_with(UNKNOWN));
    assert!(scene.pressed(&card, "respond", &bob.user).await.contains("not confirmed yet"));
    assert_eq!(made(&scene), 1);
    scene.bot.finish().await;
}

#[tokio::test]
async fn a_note_is_sent_once_and_an_attachment_may_be_sent_again() {
    let (scene, ann, bob) = with_two().await;
    let (noted, attached) = (scene.stage(Deed::NoteCall, &ann, &bob).await, scene.stage(Deed::RespondCall, &ann, &bob).await);
    scene.bot.cad.rest_do_then_drop("/notes$", 1);
    scene.bot.cad.rest_do_then_drop("/attachments$", 1);
    let said = told(&noted.press(&scene).await).await;
    assert!(said.starts_with(UNKNOWN) && said.contains("gate 4 is open"), "{said}");
    assert_eq!((noted.requests(&scene), noted.times(&scene)), (1, 1));
    assert!(told(&attached.press(&scene).await).await.starts_with(UNKNOWN));
    let again = told(&attached.press(&scene).await).await;
    assert!(again.contains("A-P00 P00 is attached") || again.contains("on call #"), "{again}");
    assert_eq!(attached.times(&scene), 1);
    scene.read_anew().await;
    assert_eq!(scene.all_wrong(&[noted, attached]), Vec::<String>::new());
    scene.bot.finish().await;
}

#[tokio::test]
async fn a_911_that_cannot_be_removed_stands_twice_and_that_is_said() {
    let (scene, ann, _) = with_two().await;
    for (status, said_of_it) in [(400, "could not be removed"), (500, "did not confirm that the 911 itself is removed")] {
        let (id, card) = scene.emergency("Shots fired").await;
        scene.bot.cad.rest_status("DELETE /calls/911", status, 1, None);
        let said = scene.pressed(&card, "respond", &ann.user).await;
        assert!(said.starts_with("🚓 The 911 is call #") && said.contains(said_of_it) && said.ends_with("dismiss it there."), "{said}");
        let open = scene.bot.cad.open_state(1);
        let call = open["activeCalls"].as_array().unwrap().last().unwrap()["callId"].as_i64().unwrap();
        assert!(open["emergencyCalls"].as_array().unwrap().iter().any(|call| call["callId"] == id), "{status}");
        scene.bot.settled().await;
        assert_eq!((scene.wrong(About::Emergency(id)), scene.wrong(About::Call(call))), (None, None), "{status}");
        // As was asked for.
        assert!(scene.bot.cad.remove_911(1, &[id]));
        scene.read_anew().await;
        assert_eq!((scene.wrong(About::Emergency(id)), scene.wrong(About::Call(call))), (None, None), "{status}");
        assert!(scene.bot.cad.close(1, &[call]));
    }
    scene.bot.finish().await;
}

/// An answer that comes late tells of what was before: the CAD is read, and what is true stands on the card.
#[tokio::test]
async fn a_late_answer_does_not_hide_a_new_panic() {
    let (scene, ann, bob) = with_two().await;
    let panic = scene.stage(Deed::OwnPanic, &ann, &bob).await;
    scene.bot.cad.rest_delay("/units/panic", 2_500, 1);
    let pending = panic.press(&scene).await;
    crate::test_bot::until("the request", async || panic.requests(&scene) == 1).await;
    // Once more in need, and the bot hears of it before it has its answer.
    assert!(scene.bot.cad.panic(1, &[ann.ident], true));
    assert!(told(&pending).await.contains("is over"));
    scene.bot.clock.advance(10_000);
    scene.bot.message(&scene.channel, |m| title(m).starts_with("🆘")).await;
    assert_eq!(scene.bot.cad.open_state(1)["units"][0]["isPanic"], json!(true));
    scene.bot.finish().await;
}
