//! Obstacles of a message that its text doesn't cause: nothing is given up, no other message waits, people are notified once.

use serde_json::{Value, json};
use tenfour::delivery::Trouble;
use tenfour::event::Source;
use tenfour::outbox::Obstacle;
use tenfour::render::Style;
use tenfour::route::Rule;

use crate::stage::Stage;

const HOUR_MS: i64 = 3_600_000;

async fn stage() -> Stage {
    let mut stage = Stage::new().await;
    stage.reads = false;
    stage
}

async fn send_event(stage: &mut Stage, kind: &str, data: Value) {
    stage.arrive(Source::Hub, &json!({ "type": kind, "data": data })).await;
    stage.turn().await;
}

async fn fire(stage: &mut Stage, id: i64) {
    let call = json!({ "callId": id, "isEmergency": true, "description": format!("Fire {id}"), "location": "Alta St" });
    send_event(stage, "EVENT_911", json!({ "call": call })).await;
}

async fn gone(stage: &mut Stage, id: i64) {
    send_event(stage, "EVENT_REMOVE_911", json!({ "callIds": [id] })).await;
}

async fn forum(stage: &Stage) -> String {
    stage.channel("911", None, Style::Card, true, Rule::default()).await
}

/// Posts of a forum, by name, oldest first.
fn posts(stage: &Stage, forum: &str) -> Vec<Value> {
    let snapshot = stage.discord.snapshot();
    let below = snapshot["channels"].as_array().unwrap().iter().filter(|channel| channel["parent_id"] == json!(forum));
    below.map(|post| stage.discord.channel(post["id"].as_str().unwrap())).collect()
}

/// The title of the card in a forum's post.
fn card(stage: &Stage, post: &Value) -> String {
    let first = stage.discord.messages(post["id"].as_str().unwrap()).remove(0);
    first["embeds"][0]["title"].as_str().unwrap().to_owned()
}

fn titles(stage: &Stage, channel: &str) -> Vec<String> {
    stage.discord.messages(channel).iter().map(|message| message["embeds"][0]["title"].as_str().unwrap_or_default().to_owned()).collect()
}

/// The obstacles people were notified about, without the wording.
fn notices(stage: &mut Stage) -> Vec<Option<Obstacle>> {
    let obstacle = |trouble| match trouble {
        Trouble::Refused { .. } => None,
        Trouble::Obstructed { obstacle, .. } => Some(obstacle),
    };
    stage.troubles().into_iter().map(obstacle).collect()
}

async fn nothing_is_left(stage: &Stage) {
    let counts = stage.store.counts().await.unwrap();
    assert_eq!((counts.waiting, counts.failed), (0, 0));
}

#[tokio::test]
async fn a_full_forum_is_retried_and_reported_once() {
    let mut stage = stage().await;
    let forum = forum(&stage).await;
    stage.discord.limit_threads(0);
    for id in 1..=3 {
        fire(&mut stage, id).await;
    }
    stage.play(HOUR_MS, 10_000).await;
    assert_eq!(notices(&mut stage), [Some(Obstacle::Full)]);
    let tries = stage.discord.requests().iter().filter(|r| r["path"].as_str().unwrap().ends_with("/threads")).count();
    assert!((20..=100).contains(&tries), "one a minute for the whole forum: {tries}");
    // Space for only one: it is still the same problem.
    stage.discord.limit_threads(1);
    stage.play(600_000, 10_000).await;
    assert_eq!((posts(&stage, &forum).len(), notices(&mut stage)), (1, vec![]));
    stage.discord.limit_threads(1_000);
    stage.play(120_000, 10_000).await;
    assert_eq!(posts(&stage, &forum).len(), 3);
    nothing_is_left(&stage).await;
    // Full again: that is new.
    stage.discord.limit_threads(0);
    fire(&mut stage, 4).await;
    stage.play(HOUR_MS, 10_000).await;
    assert_eq!(notices(&mut stage), [Some(Obstacle::Full)]);
    stage.end().await;
}

#[tokio::test]
async fn a_closed_thread_makes_room_at_once_for_what_waited_anywhere_in_the_guild() {
    let mut stage = stage().await;
    let forums = [forum(&stage).await, forum(&stage).await];
    stage.discord.limit_threads(2);
    for id in 1..=3 {
        fire(&mut stage, id).await;
    }
    let count = |stage: &Stage| forums.iter().map(|forum| posts(stage, forum).len()).collect::<Vec<_>>();
    stage.play(HOUR_MS, 10_000).await;
    assert_eq!((count(&stage), notices(&mut stage)), (vec![1, 1], vec![Some(Obstacle::Full); 2]));
    // Just after both were tried again in vain, both posts of the first call are archived: the second call takes their places.
    let tries = |stage: &Stage| stage.discord.requests().iter().filter(|r| r["path"].as_str().unwrap().ends_with("/threads")).count();
    let tried = tries(&stage);
    while tries(&stage) < tried + 2 {
        stage.play(1_000, 1_000).await;
    }
    let tried = tries(&stage);
    gone(&mut stage, 1).await;
    stage.play(5_000, 500).await;
    assert_eq!((count(&stage), tries(&stage)), (vec![2, 2], tried + 2), "one try for each place");
    gone(&mut stage, 2).await;
    stage.play(5_000, 500).await;
    assert_eq!((count(&stage), notices(&mut stage)), (vec![3, 3], vec![]));
    nothing_is_left(&stage).await;
    stage.end().await;
}

#[tokio::test]
async fn a_forum_that_starts_requiring_tags_is_retried_and_reported_once() {
    let mut stage = stage().await;
    let forum = forum(&stage).await;
    stage.discord.require_tags(&forum, true);
    fire(&mut stage, 1).await;
    stage.play(HOUR_MS, 10_000).await;
    assert_eq!(notices(&mut stage), [Some(Obstacle::Tags)]);
    stage.discord.require_tags(&forum, false);
    stage.play(60_000, 10_000).await;
    assert_eq!(posts(&stage, &forum).len(), 1);
    nothing_is_left(&stage).await;
    stage.end().await;
}

#[tokio::test]
async fn a_closed_call_never_stays_open_because_a_web_page_answered_its_edit() {
    for status in [200, 400, 403, 404, 405, 413, 500, 520, 503] {
        let mut stage = stage().await;
        let channel = stage.channel("911", None, Style::Card, false, Rule::default()).await;
        fire(&mut stage, 1).await;
        stage.discord.page("PATCH", "/messages", status, 6);
        gone(&mut stage, 1).await;
        stage.play(120_000, 1_000).await;
        assert!(titles(&stage, &channel)[0].starts_with('☑'), "{status}: {:?}", titles(&stage, &channel));
        assert_eq!(stage.store.parked().await.unwrap(), [], "{status}");
        nothing_is_left(&stage).await;
        stage.end().await;
    }
}

#[tokio::test]
async fn a_card_survives_every_answer_that_is_not_about_its_text() {
    let codes = [0, 20_016, 20_028, 30_003, 40_004, 40_333, 50_278, 99_999, 130_000, 160_006, 200_000, 240_000];
    let bodies = codes.iter().map(|code| json!({ "message": "No", "code": code })).chain([json!({}), json!("no"), Value::Null]);
    for (body, status) in bodies.flat_map(|body| [(body.clone(), 400), (body.clone(), 403), (body.clone(), 404), (body, 409)]) {
        let mut stage = stage().await;
        let channel = stage.channel("911", None, Style::Card, false, Rule::default()).await;
        stage.discord.fail_with("POST", "/messages", status, body.clone(), 3);
        fire(&mut stage, 1).await;
        stage.play(900_000, 5_000).await;
        assert_eq!(titles(&stage, &channel).len(), 1, "{status} {body}");
        assert_eq!(stage.store.parked().await.unwrap(), [], "{status} {body}");
        nothing_is_left(&stage).await;
        stage.end().await;
    }
}

#[tokio::test]
async fn an_unknown_refusal_is_reported_once_and_holds_up_no_other_card() {
    let mut stage = stage().await;
    let channel = stage.channel("911", None, Style::Card, false, Rule::default()).await;
    stage.discord.fail_with("POST", "/messages", 400, json!({ "message": "Odd", "code": 55_555 }), 1);
    fire(&mut stage, 1).await;
    fire(&mut stage, 2).await;
    assert_eq!((titles(&stage, &channel).len(), notices(&mut stage)), (1, vec![Some(Obstacle::Unknown(55_555))]), "the second one at once");
    stage.discord.fail_with("POST", "/messages", 400, json!({ "message": "Odd", "code": 55_555 }), 8);
    stage.play(2 * HOUR_MS, 10_000).await;
    assert_eq!((titles(&stage, &channel).len(), notices(&mut stage)), (2, vec![]));
    nothing_is_left(&stage).await;
    stage.end().await;
}

#[tokio::test]
async fn a_rejected_name_is_replaced_with_a_neutral_one_at_once() {
    let mut stage = stage().await;
    let forum = forum(&stage).await;
    let refused =
        json!({ "message": "Invalid Form Body", "code": 50035, "errors": { "name": { "_errors": [{ "code": "X", "message": "no" }] } } });
    stage.discord.fail_with("POST", "/threads", 400, refused.clone(), 1);
    fire(&mut stage, 7).await;
    let names = |stage: &Stage| posts(stage, &forum).iter().map(|post| post["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(names(&stage), ["Emergency call 7"]);
    assert!(card(&stage, &posts(&stage, &forum)[0]).contains("Fire 7"), "the card itself says all");
    // Not even the neutral one: it waits, and is reported.
    stage.discord.fail_with("POST", "/threads", 400, refused, 4);
    fire(&mut stage, 8).await;
    assert_eq!(notices(&mut stage), [Some(Obstacle::Name)]);
    stage.play(120_000, 5_000).await;
    assert_eq!(posts(&stage, &forum).len(), 2);
    nothing_is_left(&stage).await;
    stage.end().await;
}

#[tokio::test]
async fn a_panic_arrives_within_seconds_after_an_edge_failure_and_nothing_is_parked() {
    for page in [true, false] {
        let mut stage = stage().await;
        let channel = stage.channel("all", None, Style::Card, false, Rule::default()).await;
        let other = stage.channel("panic", None, Style::Card, false, Rule::default()).await;
        if page {
            stage.discord.page("*", "/channels/", 403, u32::MAX);
        } else {
            let blocked = json!({ "message": "internal network error", "code": 40333 });
            stage.discord.fail_with("*", "/channels/", 403, blocked, u32::MAX);
        }
        fire(&mut stage, 1).await;
        send_event(&mut stage, "EVENT_UNIT_PANIC", json!({ "identIds": [5], "isPanic": true })).await;
        stage.play(3_000, 250).await;
        stage.discord.clear_faults();
        stage.play(3_000, 250).await;
        assert_eq!((titles(&stage, &channel).len(), titles(&stage, &other).len()), (2, 1));
        assert_eq!((stage.store.parked().await.unwrap(), notices(&mut stage)), (vec![], vec![]), "nobody is asked for permissions");
        nothing_is_left(&stage).await;
        stage.end().await;
    }
}

#[tokio::test]
async fn an_edge_failure_that_lasts_is_reported_once_for_all_channels() {
    let mut stage = stage().await;
    for _ in 0..3 {
        stage.channel("911", None, Style::Card, false, Rule::default()).await;
    }
    stage.discord.page("*", "/channels/", 403, u32::MAX);
    fire(&mut stage, 1).await;
    stage.play(HOUR_MS, 5_000).await;
    assert_eq!(notices(&mut stage), [Some(Obstacle::Edge)]);
    stage.end().await;
}

#[tokio::test]
async fn a_locked_post_stops_only_itself_and_is_reported_once() {
    let mut stage = stage().await;
    let forum = forum(&stage).await;
    fire(&mut stage, 1).await;
    let locked = posts(&stage, &forum)[0]["id"].as_str().unwrap().to_owned();
    stage.discord.moderate_thread(&locked, true, true);
    gone(&mut stage, 1).await;
    for minute in 0..60 {
        fire(&mut stage, 100 + minute).await;
        assert_eq!(posts(&stage, &forum).len() as i64, 2 + minute, "each call at once");
        stage.play(60_000, 15_000).await;
    }
    assert_eq!((notices(&mut stage), stage.store.parked().await.unwrap()), (vec![Some(Obstacle::Locked)], vec![]));
    // Unlocked: the card is updated, and the post is archived.
    stage.discord.moderate_thread(&locked, true, false);
    stage.play(600_000, 15_000).await;
    let first = posts(&stage, &forum).remove(0);
    assert!(card(&stage, &first).starts_with('☑'), "{}", card(&stage, &first));
    assert_eq!(first["thread_metadata"]["archived"], json!(true));
    nothing_is_left(&stage).await;
    // Another one: people are notified about that too.
    let second = posts(&stage, &forum)[1]["id"].as_str().unwrap().to_owned();
    stage.discord.moderate_thread(&second, true, true);
    gone(&mut stage, 100).await;
    stage.play(HOUR_MS, 15_000).await;
    assert_eq!(notices(&mut stage), [Some(Obstacle::Locked)]);
    stage.end().await;
}

#[tokio::test]
async fn a_closed_channel_is_reported_once_until_it_takes_what_it_refused() {
    let mut stage = stage().await;
    let channel = stage.channel("911", None, Style::Card, false, Rule::default()).await;
    for round in 0..2 {
        stage.discord.deny(&channel, 1 << 11);
        for minute in 0..60 {
            fire(&mut stage, round * 1_000 + minute).await;
            stage.play(60_000, 20_000).await;
        }
        assert_eq!(notices(&mut stage), [None], "round {round}");
        stage.discord.allow(&channel, 1 << 11);
        stage.play(HOUR_MS + 60_000, 20_000).await;
        nothing_is_left(&stage).await;
    }
    assert_eq!(stage.discord.messages(&channel).iter().flat_map(|m| m["embeds"].as_array().unwrap().clone()).count(), 120);
    stage.end().await;
}

/// A file needs Attach Files; calls do not.
#[tokio::test]
async fn a_message_that_needs_one_more_permission_does_not_close_its_channel() {
    let mut stage = stage().await;
    let channel = stage.channel("all", None, Style::Card, false, Rule::default()).await;
    stage.discord.deny(&channel, 1 << 15);
    let sound = json!({
        "locations": [{ "name": "Station 2", "open": [], "close": [] }],
        "message": "SUQzBAAAAAAAI1RTU0UAAAAPAAADTGF2ZjU4Ljc2LjEwMAAAAAAAAAAAAAAA",
        "colors": [],
    });
    send_event(&mut stage, "EVENT_STATION_ALERT", sound).await;
    for minute in 0..60 {
        fire(&mut stage, minute).await;
        stage.play(60_000, 20_000).await;
    }
    let calls = titles(&stage, &channel).iter().filter(|title| title.contains("911")).count();
    let refusals = stage.discord.requests().iter().filter(|r| r["status"] == json!(403)).count();
    assert!(refusals > 0, "nothing was refused: this proves nothing");
    assert_eq!(calls, 60);
    assert_eq!(notices(&mut stage), [None]);
    assert_eq!(stage.store.parked().await.unwrap(), [], "{:?}", stage.store.parked().await.unwrap());
    stage.end().await;
}

#[tokio::test]
async fn a_note_for_a_thread_that_discord_archived_opens_it_and_is_written() {
    let mut stage = stage().await;
    let rule = Rule { threads: tenfour::route::Threads::OnFirstNote, ..Rule::default() };
    let channel = stage.channel("dispatch", None, Style::Card, false, rule).await;
    let call =
        json!({ "callId": 7, "status": 1, "priority": 2, "title": "*Robbery* (2)", "code": "211", "address": "Alta_St", "idents": [] });
    send_event(&mut stage, "EVENT_DISPATCH_NEW", json!({ "dispatch": call })).await;
    let note = |text: &str| json!({ "callId": 7, "note": { "time": "12:00:00", "label": "D-1", "type": "text", "content": text } });
    send_event(&mut stage, "EVENT_DISPATCH_NOTE", note("first")).await;
    stage.play(2_000, 500).await;
    let thread = posts(&stage, &channel).remove(0);
    assert_eq!(thread["name"], "🚔 211 *Robbery* (2) · Alta_St", "no backslashes: names render no markdown");
    let id = thread["id"].as_str().unwrap().to_owned();
    stage.discord.moderate_thread(&id, true, false);
    let archived = json!({ "message": "Thread is archived", "code": 50083 });
    stage.discord.fail_with("POST", &format!("/channels/{id}/messages"), 400, archived, 1);
    send_event(&mut stage, "EVENT_DISPATCH_NOTE", note("second")).await;
    stage.play(2_000, 500).await;
    assert_eq!((stage.discord.messages(&id).len(), notices(&mut stage)), (2, vec![]));
    nothing_is_left(&stage).await;
    stage.end().await;
}

/// A dispatch call with a thread below its card, in which one note stands. The thread's id.
async fn noted(stage: &mut Stage, channel: &str, call: i64) -> String {
    let before = posts(stage, channel).len();
    let data =
        json!({ "callId": call, "status": 1, "priority": 2, "title": format!("Robbery {call}"), "address": "Alta St", "idents": [] });
    send_event(stage, "EVENT_DISPATCH_NEW", json!({ "dispatch": data })).await;
    note(stage, call, "first").await;
    stage.play(2_000, 500).await;
    posts(stage, channel)[before]["id"].as_str().unwrap().to_owned()
}

async fn note(stage: &mut Stage, call: i64, text: &str) {
    let note = json!({ "callId": call, "note": { "time": "12:00:00", "label": "D-1", "type": "text", "content": text } });
    send_event(stage, "EVENT_DISPATCH_NOTE", note).await;
}

#[tokio::test]
async fn a_note_in_a_calls_thread_outlives_an_edge_failure() {
    let blocked = json!({ "message": "internal network error", "code": 40333 });
    for body in [None, Some(blocked)] {
        let mut stage = stage().await;
        let rule = Rule { threads: tenfour::route::Threads::OnFirstNote, ..Rule::default() };
        let channel = stage.channel("dispatch", None, Style::Card, false, rule).await;
        let thread = noted(&mut stage, &channel, 7).await;
        match body {
            None => stage.discord.page("POST", &format!("/channels/{thread}/messages"), 403, 3),
            Some(body) => stage.discord.fail_with("POST", &format!("/channels/{thread}/messages"), 403, body, 3),
        }
        note(&mut stage, 7, "second").await;
        stage.play(20_000, 500).await;
        assert_eq!((stage.discord.messages(&thread).len(), notices(&mut stage)), (2, vec![]));
        assert_eq!(stage.store.parked().await.unwrap(), []);
        nothing_is_left(&stage).await;
        stage.end().await;
    }
}

#[tokio::test]
async fn an_outage_between_two_refusals_is_no_reason_to_report_them_again() {
    let mut stage = stage().await;
    forum(&stage).await;
    stage.discord.limit_threads(0);
    fire(&mut stage, 1).await;
    stage.play(120_000, 10_000).await;
    assert_eq!(notices(&mut stage), [Some(Obstacle::Full)]);
    stage.discord.page("POST", "/threads", 502, 1);
    stage.play(HOUR_MS, 10_000).await;
    assert_eq!(notices(&mut stage), []);
    stage.end().await;
}

#[tokio::test]
async fn a_note_for_an_open_thread_does_not_wait_until_a_new_thread_fits() {
    let mut stage = stage().await;
    let rule = Rule { threads: tenfour::route::Threads::OnFirstNote, ..Rule::default() };
    let channel = stage.channel("dispatch", None, Style::Card, false, rule).await;
    let thread = noted(&mut stage, &channel, 7).await;
    stage.discord.limit_threads(0);
    let data = json!({ "callId": 8, "status": 1, "priority": 2, "title": "Fire", "address": "Alta St", "idents": [] });
    send_event(&mut stage, "EVENT_DISPATCH_NEW", json!({ "dispatch": data })).await;
    // Both wait for the channel's turn when the first of them is rejected.
    let text = |call: i64| json!({ "callId": call, "note": { "time": "12:00:00", "label": "D-1", "type": "text", "content": "second" } });
    for call in [8, 7] {
        stage.arrive(Source::Hub, &json!({ "type": "EVENT_DISPATCH_NOTE", "data": text(call) })).await;
    }
    stage.turn().await;
    stage.play(3_000, 500).await;
    assert_eq!((stage.discord.messages(&thread).len(), notices(&mut stage)), (2, vec![Some(Obstacle::Full)]));
    stage.end().await;
}
