//! The demo's scenario: every event on demand, everything once, and shifts that repeat with their seed.

use std::collections::BTreeSet;

use fastrand::Rng;
use serde_json::{Value, json};
use tenfour_sim::cad::{CadSim, Seen};
use tenfour_sim::scenario::{FIRE, IN_GAME, Scenario, fire, fire_with};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::{Raw, SECOND, options, start};

fn kinds(cad: &CadSim) -> Vec<String> {
    cad.log().into_iter().filter_map(|seen| if let Seen::Push { kind, .. } = seen { Some(kind) } else { None }).collect()
}

#[tokio::test]
async fn every_fire_works_on_an_empty_board_and_raises_its_event() {
    let wanted = [
        ("911", "EVENT_911"),
        ("civil", "EVENT_911"),
        ("panic", "EVENT_UNIT_PANIC"),
        ("panic-over", "EVENT_UNIT_PANIC"),
        ("dispatch", "EVENT_DISPATCH_NEW"),
        ("edit", "EVENT_DISPATCH_EDIT"),
        ("note", "EVENT_DISPATCH_NOTE"),
        ("attach", "EVENT_DISPATCH_UNIT_ATTACH"),
        ("close", "EVENT_DISPATCH_CLOSED"),
        ("bolo", "EVENT_RECORD_ADD"),
        ("station", "EVENT_STATION_ALERT"),
        ("pager", "EVENT_PAGER_REBORN"),
        ("tone", "EVENT_TONE"),
        ("duty", "EVENT_UNIT_LOGIN"),
    ];
    assert_eq!(wanted.map(|(name, _)| name), FIRE.map(|(name, _)| name));
    for (name, kind) in wanted {
        let cad = start(options()).await;
        let said = fire(&cad, name).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!said.is_empty());
        assert!(kinds(&cad).iter().any(|seen| seen == kind), "{name}: {:?}", kinds(&cad));
    }
    let cad = start(options()).await;
    assert!(fire(&cad, "nonsense").is_err());
    assert!(kinds(&cad).is_empty());
}

#[tokio::test]
async fn fires_never_run_dry_in_any_order() {
    let cad = start(options()).await;
    let mut rng = Rng::with_seed(7);
    let all = [FIRE.as_slice(), IN_GAME.as_slice()].concat();
    for &(name, _) in &all {
        for _ in 0..30 {
            fire_with(&cad, name, &mut rng).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
    for _ in 0..500 {
        let (name, _) = all[rng.usize(..all.len())];
        fire_with(&cad, name, &mut rng).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

/// The events raised during `step`.
fn raised(cad: &CadSim, step: impl FnOnce()) -> Vec<String> {
    cad.clear_log();
    step();
    kinds(cad)
}

#[tokio::test]
async fn what_is_done_in_the_game_changes_the_cad_and_raises_no_event() {
    let cad = start(options()).await;
    for _ in 0..8 {
        fire(&cad, "duty").unwrap(); // nobody has to go on duty first
    }
    fire(&cad, "dispatch").unwrap();
    fire(&cad, "911").unwrap();
    let open = |list: &str| cad.open_state(1)[list].as_array().unwrap().len();

    assert_eq!(raised(&cad, || drop(fire(&cad, "taken").unwrap())), ["EVENT_REMOVE_911"], "but for the removal");
    assert_eq!((open("emergencyCalls"), open("activeCalls")), (0, 2));
    let taken = cad.open_state(1)["activeCalls"][1].clone();
    assert_eq!((taken["metaData"]["origin911"].is_string(), taken["idents"].as_array().unwrap().len()), (true, 1), "{taken}");

    let quiet = |name: &str| assert_eq!(raised(&cad, || drop(fire(&cad, name).unwrap())), [""; 0], "{name}");
    quiet("panic-key");
    let units = cad.open_state(1)["units"].clone();
    assert!(units.as_array().unwrap().iter().any(|unit| unit["isPanic"] == true), "{units}");
    quiet("change");
    let calls = cad.open_state(1)["activeCalls"].clone();
    assert!(calls.as_array().unwrap().iter().any(|call| call["notes"].as_array().unwrap().len() == 1), "{calls}");
    quiet("close-in-game");
    assert_eq!(open("activeCalls"), 1);
}

#[tokio::test]
async fn the_game_calls_911_for_a_panic_and_the_call_ends_with_it() {
    let cad = start(options()).await;
    fire(&cad, "panic").unwrap();
    let open = cad.open_state(1);
    let (unit, call) = (&open["units"][0], &open["emergencyCalls"][0]);
    assert_eq!(call["caller"], unit["data"]["name"]);
    let num = unit["data"]["unitNum"].as_str().unwrap();
    assert_eq!(call["description"], format!("Unit {num} has pressed their panic button!"));
    fire(&cad, "panic-over").unwrap();
    assert_eq!(cad.open_state(1)["emergencyCalls"], json!([]));
}

#[tokio::test]
async fn a_dispatch_names_its_911_and_takes_it_off_the_board() {
    let cad = start(options()).await;
    let mut raw = Raw::session(&cad, 1).await;
    fire(&cad, "911").unwrap();
    let emergency = raw.event().await["data"]["call"]["callId"].clone();
    fire(&cad, "dispatch").unwrap();
    let mut seen = Vec::new();
    while seen.last() != Some(&json!("EVENT_REMOVE_911")) {
        let event = raw.event().await;
        match event["type"].as_str().unwrap() {
            "EVENT_DISPATCH_NEW" => assert_eq!(event["data"]["dispatch"]["metaData"]["origin911"], emergency.to_string()),
            "EVENT_REMOVE_911" => assert_eq!(event["data"]["callIds"], json!([emergency])),
            _ => {}
        }
        seen.push(event["type"].clone());
    }
    assert!(seen.contains(&json!("EVENT_DISPATCH_NEW")), "{seen:?}");
    let open = cad.open_state(1);
    assert_eq!(open["emergencyCalls"], json!([]));
    assert_eq!(open["activeCalls"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn some_callers_are_hostile() {
    let cad = start(options()).await;
    let mut rng = Rng::with_seed(1);
    for _ in 0..60 {
        fire_with(&cad, "911", &mut rng).unwrap();
    }
    let calls = cad.open_state(1)["emergencyCalls"].as_array().unwrap().clone();
    let hostile = calls.iter().filter(|call| call["caller"].as_str().unwrap().contains("@everyone")).count();
    assert!(hostile > 0 && hostile < 20, "{hostile} of 60");
}

#[tokio::test(start_paused = true)]
async fn the_short_scenario_shows_every_kind_and_cleans_up() {
    for seed in 0..10 {
        let cad = start(options()).await;
        let begin = Instant::now();
        Scenario::short(1.0, Rng::with_seed(seed)).play(&cad, CancellationToken::new()).await;
        assert!(begin.elapsed() > 8 * SECOND && begin.elapsed() < 16 * SECOND, "{:?}", begin.elapsed());
        let seen: BTreeSet<String> = kinds(&cad).into_iter().collect();
        let wanted = [
            "EVENT_911",
            "EVENT_REMOVE_911",
            "EVENT_UNIT_PANIC",
            "EVENT_UNIT_LOGIN",
            "EVENT_UNIT_LOGOUT",
            "EVENT_UNIT_STATUS",
            "EVENT_UNIT_UPDATE",
            "EVENT_UNIT_GROUP_ADD",
            "EVENT_UNIT_GROUP_REMOVE",
            "EVENT_UNIT_GROUP_CHANGE_NAME",
            "EVENT_DISPATCH_NEW",
            "EVENT_DISPATCH_EDIT",
            "EVENT_DISPATCH_CLOSED",
            "EVENT_DISPATCH_NOTE",
            "EVENT_DISPATCH_UNIT_ATTACH",
            "EVENT_DISPATCH_UNIT_DETACH",
            "EVENT_DISPATCH_TOGGLE_BODYCAM",
            "EVENT_TONE",
            "EVENT_STREETSIGN_UPDATED",
            "EVENT_RECORD_ADD",
            "EVENT_RECORD_EDIT",
            "EVENT_RECORD_REMOVE",
            "EVENT_CHAR_SELECTED",
            "EVENT_COMMUNITY_LINK_VERIFIED",
            "EVENT_NEW_CALLOUT",
            "EVENT_STATION_ALERT",
            "EVENT_PAGER_REBORN",
            "EVENT_PRINT_RECORD",
        ];
        assert_eq!(seen, wanted.map(str::to_owned).into(), "seed {seed}");
        assert_eq!(cad.open_state(1), json!({"units": [], "emergencyCalls": [], "activeCalls": []}));
    }
}

/// The events of a shift within this much virtual time, then canceled.
async fn shift(seed: u64, minutes: u32) -> (Vec<String>, CadSim) {
    let cad = start(options()).await;
    let cancel = CancellationToken::new();
    let played = async {
        tokio::join!(Scenario::shift(1.0, Rng::with_seed(seed)).play(&cad, cancel.clone()), async {
            tokio::time::sleep(minutes * 60 * SECOND).await;
            cancel.cancel();
        });
    };
    timeout((minutes + 1) * 60 * SECOND, played).await.expect("cancelling ends it");
    (kinds(&cad), cad)
}

#[tokio::test(start_paused = true)]
async fn a_shift_repeats_with_its_seed_and_differs_without() {
    let ((first, _), (second, _), (other, _)) = (shift(3, 8).await, shift(3, 8).await, shift(4, 8).await);
    assert_eq!(first, second);
    assert_ne!(first, other);
}

#[tokio::test(start_paused = true)]
async fn shifts_are_believable() {
    let (seen, cad) = shift(5, 60).await;
    let per_minute = seen.len() / 60;
    assert!((5..40).contains(&per_minute), "{per_minute} events a minute");
    for kind in ["EVENT_911", "EVENT_DISPATCH_NEW", "EVENT_DISPATCH_EDIT", "EVENT_UNIT_PANIC", "EVENT_RECORD_ADD", "EVENT_UNIT_LOGOUT"] {
        assert!(seen.iter().any(|other| other == kind), "{kind}");
    }
    // Shifts end and begin again, so nothing piles up.
    assert!(seen.iter().filter(|kind| *kind == "EVENT_UNIT_LOGIN").count() > 24);
    let open = cad.open_state(1);
    let count = |list: &str| open[list].as_array().map_or(0, Vec::len);
    assert!(count("units") <= 12 && count("activeCalls") <= 10 && count("emergencyCalls") <= 10, "{open}");
    assert!(open["units"].as_array().unwrap().iter().filter(|unit| unit["isPanic"] == Value::Bool(true)).count() <= 1);
}
