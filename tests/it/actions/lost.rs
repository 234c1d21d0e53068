//! Lost responses: an action that may have happened isn't repeated until the CAD was read, and people learn that the outcome is unknown.

use serde_json::json;

use super::matrix::{About, Action, quiet_scene};
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
async fn a_call_created_without_an_answer_is_not_created_again_and_found_by_the_next_read() {
    let (scene, ann, bob) = with_two().await;
    let (id, card) = scene.emergency("Shots fired").await;
    let panel = scene.press(&card, "more", &bob.user).reply(PATIENCE).await.unwrap();
    scene.bot.cad.rest_do_then_drop(CREATE, 1);
    assert!(scene.pressed(&card, "respond", &ann.user).await.starts_with(UNKNOWN));
    for one in [&ann, &bob] {
        let said = scene.pressed(&card, "respond", &one.user).await;
        assert!(said.starts_with(&format!("The CAD has not confirmed yet what was sent a moment ago for call #{id}:")), "{said}");
        assert!(said.ends_with("try again in a minute."), "{said}");
    }
    assert_eq!(made(&scene), 1);
    scene.read_cad().await;
    let call = scene.bot.cad.open_state(1)["activeCalls"][0]["callId"].as_i64().unwrap();
    let shown = scene.settled(&card).await;
    assert!(title(&shown).starts_with(&format!("➡️ 911 became Call #{call}")), "{}", title(&shown));
    // Bob still has the old buttons: he joins the call that it became.
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
    scene.read_cad().await;
    let said = scene.pressed(&card, "respond", &bob.user).await;
    assert!(said.starts_with("🚓 It is call #") && said.ends_with("A-P01 P01 is attached."), "{said}");
    assert_eq!(made(&scene), 2);
    scene.bot.settled().await;
    assert_eq!(scene.all_wrong(&[]), Vec::<String>::new());
    scene.bot.finish().await;
}

/// A read from while the request was in flight says nothing about its outcome.
#[tokio::test]
async fn a_read_during_the_request_does_not_settle_its_outcome() {
    let (scene, ann, bob) = with_two().await;
    let (_, card) = scene.emergency("Shots fired").await;
    scene.bot.cad.rest_hang(CREATE, 1);
    let pending = scene.press(&card, "respond", &ann.user);
    crate::test_bot::until("the request", async || made(&scene) == 1).await;
    scene.bot.clock.advance(60_000);
    scene.read_cad().await;
    assert!(told(&pending).await.starts_with(UNKNOWN));
    assert!(scene.pressed(&card, "respond", &bob.user).await.contains("not confirmed yet"));
    assert_eq!(made(&scene), 1);
    scene.bot.finish().await;
}

#[tokio::test]
async fn a_note_is_sent_once_and_an_attachment_may_be_sent_again() {
    let (scene, ann, bob) = with_two().await;
    let (noted, attached) = (scene.stage(Action::NoteCall, &ann, &bob).await, scene.stage(Action::RespondCall, &ann, &bob).await);
    scene.bot.cad.rest_do_then_drop("/notes$", 1);
    scene.bot.cad.rest_do_then_drop("/attachments$", 1);
    let said = told(&noted.press(&scene).await).await;
    assert!(said.starts_with(UNKNOWN) && said.contains("gate 4 is open"), "{said}");
    assert_eq!((noted.requests(&scene), noted.times(&scene)), (1, 1));
    assert!(told(&attached.press(&scene).await).await.starts_with(UNKNOWN));
    let again = told(&attached.press(&scene).await).await;
    assert!(again.contains("A-P00 P00 is attached") || again.contains("on call #"), "{again}");
    assert_eq!(attached.times(&scene), 1);
    scene.read_cad().await;
    assert_eq!(scene.all_wrong(&[noted, attached]), Vec::<String>::new());
    scene.bot.finish().await;
}

#[tokio::test]
async fn a_911_that_cannot_be_removed_stands_twice_and_that_is_said() {
    let (scene, ann, _) = with_two().await;
    for (status, said_of_it) in [(400, "could not be removed"), (500, "did not confirm that it waits no more")] {
        let (id, card) = scene.emergency("Shots fired").await;
        scene.bot.cad.rest_status("DELETE /calls/911", status, 1, None);
        let said = scene.pressed(&card, "respond", &ann.user).await;
        assert!(said.starts_with("🚓 It is call #") && said.contains(said_of_it) && said.ends_with("dismiss it there."), "{said}");
        let open = scene.bot.cad.open_state(1);
        let call = open["activeCalls"].as_array().unwrap().last().unwrap()["callId"].as_i64().unwrap();
        assert!(open["emergencyCalls"].as_array().unwrap().iter().any(|call| call["callId"] == id), "{status}");
        scene.bot.settled().await;
        assert_eq!((scene.wrong(About::Emergency(id)), scene.wrong(About::Call(call))), (None, None), "{status}");
        // As asked.
        assert!(scene.bot.cad.remove_911(1, &[id]));
        scene.read_cad().await;
        assert_eq!((scene.wrong(About::Emergency(id)), scene.wrong(About::Call(call))), (None, None), "{status}");
        assert!(scene.bot.cad.close(1, &[call]));
    }
    scene.bot.finish().await;
}

/// The world forgets after a day what became of a 911; it still becomes only one call, and its removal is retried.
#[tokio::test]
async fn whoever_takes_what_was_taken_already_comes_onto_the_call_that_was_made() {
    let (scene, ann, bob) = with_two().await;
    let (id, card) = scene.emergency("Shots fired").await;
    scene.bot.clock.advance(90_000_000);
    scene.read_cad().await;
    scene.bot.cad.rest_status("DELETE /calls/911", 409, 2, None);
    let said = scene.pressed(&card, "respond", &ann.user).await;
    assert!(said.contains("It is call #") && said.contains("could not be removed"), "{said}");
    // A dispatcher who creates the call without going there is not attached.
    let dispatcher = scene.dispatcher("Desk").await;
    let said = scene.ran(&dispatcher.user, "call", &["from911"], json!({ "call": id.to_string() })).await;
    assert!(said.starts_with("🚔 It is call #") && said.contains("could not be removed"), "{said}");
    assert_eq!(scene.changes().iter().filter(|change| change.ends_with("/attachments")).count(), 0);
    let said = scene.pressed(&card, "respond", &bob.user).await;
    assert!(said.contains("It is call #") && said.ends_with("A-P01 P01 is attached."), "{said}");
    assert_eq!(made(&scene), 1);
    let open = scene.bot.cad.open_state(1);
    let calls = open["activeCalls"].as_array().unwrap();
    assert_eq!((calls.len(), calls[0]["idents"].as_array().unwrap().len()), (1, 2), "{open}");
    assert!(open["emergencyCalls"].as_array().unwrap().iter().all(|call| call["callId"] != id), "{open}");
    scene.bot.finish().await;
}

/// The dead process may have created a call without reporting it: the CAD knows.
#[tokio::test]
async fn what_waited_before_the_bot_started_is_taken_once_the_cad_was_read() {
    let (mut scene, ann, _) = with_two().await;
    let (id, card) = scene.emergency("Shots fired").await;
    assert!(scene.bot.halt().await);
    scene.bot.clock.advance(1_000);
    scene.bot.cad.rest_status("GET /calls$", 500, u32::MAX, None);
    scene.bot.boot().await;
    let said = scene.pressed(&card, "respond", &ann.user).await;
    assert!(said.contains(&format!("still reads the CAD, so nothing was sent for call #{id}")), "{said}");
    assert_eq!(made(&scene), 0);
    scene.bot.cad.heal();
    scene.read_cad().await;
    assert!(scene.pressed(&card, "respond", &ann.user).await.contains("It is call #"));
    assert_eq!(made(&scene), 1);
    scene.bot.finish().await;
}

/// One unknown unit among several is no problem for the others.
#[tokio::test]
async fn of_several_who_respond_at_once_each_is_attached_whatever_the_others_are() {
    let (scene, ann, bob) = with_two().await;
    let (id, card) = scene.dispatch("Robbery").await;
    scene.bot.cad.rest_status("/attachments$", 404, 1, None);
    let pressed = [&ann, &bob].map(|one| scene.press(&card, "respond", &one.user));
    for pending in &pressed {
        let said = told(pending).await;
        assert!(said.ends_with(&format!("is attached to call #{id}.")), "{said}");
    }
    scene.bot.finish().await;
}

/// A note that arrives while the 911 becomes a call is still in the call.
#[tokio::test]
async fn a_note_written_while_a_911_is_taken_comes_along() {
    let (scene, ann, bob) = with_two().await;
    let (_, card) = scene.emergency("Shots fired").await;
    scene.bot.cad.rest_delay(CREATE, 1_500, 1);
    let pending = scene.press(&card, "respond", &ann.user);
    crate::test_bot::until("the request", async || made(&scene) == 1).await;
    let form = scene.press(&card, "note", &bob.user);
    form.reply(PATIENCE).await.unwrap();
    let noted = scene.bot.discord.submit(&form, json!({ "typed": "gate 4 is open" })).unwrap();
    assert!(told(&noted).await.contains("Noted on the card"));
    assert!(told(&pending).await.contains("is attached"));
    let call = &scene.bot.cad.open_state(1)["activeCalls"][0];
    assert_eq!(call["notes"].to_string().matches("gate 4 is open").count(), 1, "{call}");
    scene.bot.finish().await;
}

/// A note that only the bot keeps is not reported as kept if storing it failed.
#[tokio::test]
async fn nobody_answers_for_a_911_that_the_full_database_does_not_say_so_of() {
    let mut scene = quiet_scene(vec![("DATABASE_MAX_MB", "1".to_owned())]).await;
    let ann = scene.crew(1).await.remove(0);
    let (_, card) = scene.emergency("Shots fired").await;
    scene.bot.settled().await;
    let large = |n: i64| json!({ "call": { "callId": 9_000 + n, "isEmergency": true, "caller": "x", "location": "y", "description": "z".repeat(60_000) } });
    let mut sent = 0;
    while scene.bot.post("EVENT_911", large(sent)).await.0 == 200 {
        sent += 1;
        assert!(sent < 200, "it never gets full");
    }
    let said = scene.pressed(&card, "take", &ann.user).await;
    assert_eq!(said, "The bot's database did not answer: try again, and tell this bot's operator if it stays.");
    let shown = scene.bot.discord.messages(&scene.channel).into_iter().find(|message| message["id"] == card["id"]).unwrap();
    assert_eq!(shown["embeds"], card["embeds"]);
}

/// A late response shows an earlier state: the CAD is read, and the card shows the truth.
#[tokio::test]
async fn a_late_answer_does_not_hide_a_new_panic() {
    let (scene, ann, bob) = with_two().await;
    let panic = scene.stage(Action::OwnPanic, &ann, &bob).await;
    scene.bot.cad.rest_delay("/units/panic", 2_500, 1);
    let pending = panic.press(&scene).await;
    crate::test_bot::until("the request", async || panic.requests(&scene) == 1).await;
    // In panic again, and the bot gets the event before its response.
    assert!(scene.bot.cad.panic(1, &[ann.ident], true));
    assert!(told(&pending).await.contains("is over"));
    scene.bot.clock.advance(10_000);
    scene.bot.message(&scene.channel, |m| title(m).starts_with("🆘")).await;
    assert_eq!(scene.bot.cad.open_state(1)["units"][0]["isPanic"], json!(true));
    scene.bot.finish().await;
}
