use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::{envelope, samples};
use super::*;
use crate::clock::UnixMs;
use crate::event::decode;
use crate::route::{Criterion, Filter};
use crate::world::Change;

const AT: UnixMs = UnixMs(1_763_700_000_000);

fn said(kind: &str, data: Value) -> Event {
    decode(&envelope(kind, data)).unwrap().remove(0)
}

/// Police unit 7, firefighter 8 and dispatcher 9 on duty.
fn world() -> Server {
    let mut world = Server::default();
    for (ident, department, page, callsign) in [(7, "LSPD", 0, "A-10"), (8, "LSFD", 1, "E-1"), (9, "Comms", 3, "D-1")] {
        let data = json!({"unitNum": callsign, "name": format!("Unit {ident}"), "department": department, "subdivision": "Patrol",
            "rank": "Captain", "page": page, "district": "Davis", "group": "Zulu"});
        let unit = json!({"id": ident, "status": 2, "isDispatch": page == 3, "location": "Sinner St", "data": data});
        world.apply(&said("EVENT_UNIT_LOGIN", json!({"unit": unit})), AT);
    }
    world
}

/// Applies, and says of which subjects cards were made or changed.
fn subjects(world: &mut Server, event: &Event) -> Vec<Subject> {
    let changes = world.apply(event, AT).changes;
    changes.iter().filter_map(|change| if let Change::Card { subject, .. } = change { Some(*subject) } else { None }).collect()
}

fn dispatch(data: Value) -> Event {
    let mut whole = json!({"callId": 501, "priority": 2, "title": "Robbery", "code": "211", "description": "Two suspects", "address": "Alta St",
        "block": "100", "postal": "9001", "notes": [{"content": "first", "label": "D-1"}, {"content": "second"}], "idents": [7, 8],
        "metaData": {"plate": "46EEK", "x": "-402.1"}});
    whole.as_object_mut().unwrap().extend(data.as_object().unwrap().clone());
    said("EVENT_DISPATCH_NEW", json!({"dispatch": whole}))
}

#[test]
fn an_emergency_call_has_the_priority_and_postal_of_its_meta_data() {
    let event = |meta: Value, emergency: bool| {
        said(
            "EVENT_911",
            json!({"call": {"callId": 3, "isEmergency": emergency, "caller": "Riley", "location": "Alta St", "description": "Shots",
            "metaData": meta}}),
        )
    };
    let facts =
        of_event(&Server::default(), &event(json!({"Postal": "9001", "priority": " 1 ", "plate": "46EEK", "X": 3.5}), true)).unwrap();
    assert_eq!((facts.topic, &facts.priority, facts.postal.as_deref()), (Topic::Emergency, &Some(Priority::Level(1)), Some("9001")));
    assert_eq!(&facts.texts[..3], ["Shots", "Alta St", "Riley"]);
    assert!(facts.texts.contains(&"46EEK".to_owned()) && !facts.texts.contains(&"3.5".to_owned()), "{:?}", facts.texts);
    let facts = of_event(&Server::default(), &event(json!({"priority": "Hot", "postal": " "}), false)).unwrap();
    assert_eq!((facts.topic, facts.priority, facts.postal), (Topic::Civil, Some(Priority::Word("Hot".into())), None));
    assert_eq!(of_event(&Server::default(), &event(json!({}), true)).unwrap().priority, None);

    // The same from the world, and for its removal.
    let mut world = Server::default();
    let new = event(json!({"postal": "9001", "priority": 1}), false);
    let subject = subjects(&mut world, &new)[0];
    assert_eq!(of_subject(&world, subject), of_event(&Server::default(), &new).unwrap());
    let removed = said("EVENT_REMOVE_911", json!({"callIds": [2, 3]}));
    assert_eq!(of_event(&world, &removed).unwrap().topic, Topic::Civil);
    assert_eq!(of_event(&Server::default(), &removed).unwrap(), OwnedFacts::unknown(Topic::Emergency));
}

#[test]
fn a_dispatch_has_its_units_and_all_its_words() {
    let mut world = world();
    let new = dispatch(json!({}));
    let told = of_event(&world, &new).unwrap();
    assert_eq!((told.topic, &told.priority, told.postal.as_deref()), (Topic::Dispatch, &Some(Priority::Level(2)), Some("9001")));
    assert_eq!(told.departments, ["LSPD", "LSFD"]);
    assert_eq!(told.services, [Service::Police, Service::Fire]);
    let words: BTreeSet<&str> = told.texts.iter().map(String::as_str).collect();
    for word in ["Robbery", "211", "Two suspects", "Alta St", "100", "46EEK", "first", "second", "D-1", "A-10", "Unit 8"] {
        assert!(words.contains(word), "{word} in {words:?}");
    }
    assert!(!words.contains("-402.1") && !words.contains("Captain"), "{words:?}");

    let subject = subjects(&mut world, &new)[0];
    assert_eq!(of_subject(&world, subject), told);
    // Later events are judged by the whole call.
    let note = said("EVENT_DISPATCH_NOTE", json!({"callId": 501, "note": {"content": "third"}}));
    let noted = of_event(&world, &note).unwrap();
    assert!(noted.texts.contains(&"third".into()) && noted.texts.contains(&"Robbery".into()));
    let attach = said("EVENT_DISPATCH_UNIT_ATTACH", json!({"callId": 501, "idents": [9]}));
    assert_eq!(of_event(&world, &attach).unwrap().departments, ["LSPD", "LSFD", "Comms"]);
    let closed = said("EVENT_DISPATCH_CLOSED", json!({"callIds": [500, 501]}));
    assert_eq!(of_event(&world, &closed).unwrap().priority, Some(Priority::Level(2)));
    // A call of which nothing is known is still a dispatch.
    let unknown = said("EVENT_DISPATCH_CLOSED", json!({"callIds": [7]}));
    assert_eq!(of_event(&world, &unknown), Some(OwnedFacts::unknown(Topic::Dispatch)));
}

#[test]
fn a_dispatch_without_a_postal_of_its_own_has_that_of_its_meta_data() {
    let postal = |data| of_event(&Server::default(), &dispatch(data)).unwrap().postal;
    assert_eq!(postal(json!({"postal": "", "metaData": {"postal": "8001"}})).as_deref(), Some("8001"));
    assert_eq!(postal(json!({"postal": "9001", "metaData": {"postal": "8001"}})).as_deref(), Some("9001"));
    assert_eq!(postal(json!({"postal": null})), None);
}

#[test]
fn an_edit_that_names_no_units_keeps_those_that_are_known() {
    let mut world = world();
    world.apply(&dispatch(json!({})), AT);
    let edit = said("EVENT_DISPATCH_EDIT", json!({"dispatch": {"callId": 501, "title": "Robbery"}}));
    assert_eq!(of_event(&world, &edit).unwrap().departments, ["LSPD", "LSFD"]);
    let nobody = said("EVENT_DISPATCH_EDIT", json!({"dispatch": {"callId": 501, "title": "Robbery", "idents": []}}));
    assert_eq!(of_event(&world, &nobody).unwrap().departments, [""; 0]);
}

#[test]
fn units_are_known_by_what_they_sent_last_and_by_what_the_world_remembers() {
    let world = world();
    for topic in [Topic::Duty, Topic::Status, Topic::Panic] {
        let facts = of_unit(&world, Ident(8), topic);
        assert_eq!((facts.topic, &facts.departments[..], &facts.services[..]), (topic, &["LSFD".to_owned()][..], &[Service::Fire][..]));
        for word in ["E-1", "Unit 8", "LSFD", "Patrol", "Captain", "Zulu", "Davis", "Sinner St"] {
            assert!(facts.texts.contains(&word.to_owned()), "{word} in {:?}", facts.texts);
        }
        assert_eq!(of_unit(&world, Ident(1), topic), OwnedFacts::unknown(topic));
    }
    let status = said("EVENT_UNIT_STATUS", json!({"identIds": [7, 8], "status": 3}));
    assert_eq!(of_event(&world, &status).unwrap().services, [Service::Police, Service::Fire]);
    let logout = said("EVENT_UNIT_LOGOUT", json!({"identIds": [9]}));
    assert_eq!(of_event(&world, &logout).unwrap().departments, ["Comms"]);
    // A short form of a unit leaves out what it is.
    let short = said("EVENT_UNIT_UPDATE", json!({"units": [{"id": 7, "status": 4}]}));
    let facts = of_event(&world, &short).unwrap();
    assert_eq!((&facts.departments[..], &facts.services[..]), (&["LSPD".to_owned()][..], &[Service::Police][..]));
    assert!(facts.texts.contains(&"A-10".to_owned()));
    // A unit with the page of nobody has no service.
    let login = said("EVENT_UNIT_LOGIN", json!({"unit": {"id": 70, "data": {"department": "New", "page": -1}}}));
    let facts = of_event(&world, &login).unwrap();
    assert_eq!((&facts.departments[..], facts.services.len()), (&["New".to_owned()][..], 0));
}

#[test]
fn a_panic_is_judged_by_its_unit_and_mentions_what_its_911_says() {
    let mut world = world();
    let panic = said("EVENT_UNIT_PANIC", json!({"identIds": [7], "isPanic": true}));
    assert_eq!(of_event(&world, &panic).unwrap().departments, ["LSPD"]);
    let subject = subjects(&mut world, &panic)[0];
    let call = json!({"callId": 3, "isEmergency": true, "caller": "Unit 7", "location": "Vespucci Blvd",
        "description": "Unit A-10 has pressed their panic button!"});
    world.apply(&said("EVENT_911", json!({ "call": call })), AT);
    let facts = of_subject(&world, subject);
    assert_eq!((facts.topic, &facts.departments[..]), (Topic::Panic, &["LSPD".to_owned()][..]));
    assert!(facts.texts.contains(&"Vespucci Blvd".to_owned()), "{:?}", facts.texts);
}

#[test]
fn what_stands_for_itself_is_known_by_its_event() {
    let world = world();
    let of = |kind, data| of_event(&world, &said(kind, data)).unwrap();
    let callout = of("EVENT_NEW_CALLOUT", json!({"callout": {"id": 1, "name": "Fire", "postal": "2207", "location": "Pier"}}));
    assert_eq!((callout.topic, callout.callout, callout.postal.as_deref()), (Topic::Other, true, Some("2207")));
    assert_eq!(callout.texts, ["Fire", "Pier"]);
    let page = of("EVENT_PAGER_REBORN", json!({"addresses": ["FIRE-1"], "identIds": [8], "nature": "Drill", "body": "Second alarm"}));
    assert_eq!((page.topic, &page.departments[..], &page.services[..]), (Topic::Pager, &["LSFD".to_owned()][..], &[Service::Fire][..]));
    assert_eq!(&page.texts[..3], ["Second alarm", "FIRE-1", "Drill"]);
    let sign = of("EVENT_STREETSIGN_UPDATED", json!({"signData": {"ids": [12], "text1": "ROAD CLOSED"}}));
    assert_eq!((sign.callout, &sign.texts[..]), (false, &["ROAD CLOSED".to_owned()][..]));
    let alert = json!({"locations": [{"name": "Station 1", "open": ["Bay 1"]}], "message": "Structure fire", "tone": "Standard"});
    assert_eq!(of("EVENT_STATION_ALERT", alert).texts, ["Structure fire", "Station 1", "Bay 1", "Standard"]);
    let group = of("EVENT_UNIT_GROUP_ADD", json!({"identIds": [7], "groupName": "SWAT"}));
    assert_eq!((group.topic, group.texts.contains(&"SWAT".to_owned())), (Topic::Other, true));
}

#[test]
fn a_sound_is_no_text() {
    let sound = StationAlert {
        message: Some(StationMessage::Audio { extension: "mp3".into(), base64: "SUQz".repeat(500) }),
        ..StationAlert::default()
    };
    assert_eq!(of_event(&Server::default(), &Event::StationAlert(sound)).unwrap().texts, [""; 0]);
}

#[test]
fn every_kind_has_facts_of_its_own_topic_and_what_is_never_told_has_none() {
    for topic in Topic::ALL {
        let mut world = Server::default();
        for envelope in samples::before(topic) {
            world.apply(&decode(&envelope).unwrap()[0], AT);
        }
        let event = decode(&samples::event(topic)).unwrap().remove(0);
        let facts = of_event(&world, &event).unwrap();
        assert_eq!(facts.topic, topic);
        assert!(!facts.texts.is_empty(), "{topic:?} says something");
        assert!(Filter::default().admits(&facts.facts()));
        for subject in subjects(&mut world, &event) {
            assert_eq!(of_subject(&world, subject).topic, topic, "{subject}");
        }
    }
    for event in [Event::Ignored, Event::Unknown] {
        assert_eq!(of_event(&Server::default(), &event), None);
    }
}

#[test]
fn filters_judge_the_facts_of_a_whole_call() {
    let mut world = world();
    let subject = subjects(&mut world, &dispatch(json!({})))[0];
    let admits = |criterion, typed: &str| {
        let mut filter = Filter::default();
        filter.change(criterion, typed).unwrap();
        filter.admits(&of_subject(&world, subject).facts())
    };
    for (criterion, through, not) in [
        (Criterion::Priority, "2", "1"),
        (Criterion::Department, "lsfd", "BCSO"),
        (Criterion::Service, "fire", "ems"),
        (Criterion::Postal, "9000-9099", "80*"),
        (Criterion::Include, "rob", "drill"),
        (Criterion::Exclude, "drill", "A-10"),
    ] {
        assert!(admits(criterion, through) && !admits(criterion, not), "{criterion:?}");
    }
}

#[test]
fn texts_are_bounded_and_the_first_come_first() {
    let long = "é".repeat(7_000);
    let notes: Vec<Value> = (0..200).map(|n| json!({"content": format!("{n} {long}")})).collect();
    let facts = of_event(&Server::default(), &dispatch(json!({"description": long, "notes": notes}))).unwrap();
    assert!(facts.texts.iter().all(|text| text.chars().count() <= MAX_CHARS));
    assert!(facts.texts.iter().map(String::len).sum::<usize>() <= MAX_BYTES);
    assert!(facts.texts.contains(&"Robbery".to_owned()));
    assert!(facts.texts.iter().any(|text| text.starts_with("199 ")), "the newest note");
    let many: Vec<Value> = (0..200).map(|n| json!({"label": n.to_string(), "value": n.to_string()})).collect();
    assert!(of_event(&Server::default(), &said("EVENT_TONE", json!({ "playTonesTo": many }))).unwrap().texts.len() <= MAX_TEXTS);
}

#[test]
fn a_dispatcher_is_on_duty_from_login_to_logout() {
    assert!(!dispatcher_on_duty(&Server::default()));
    let mut world = world();
    assert!(dispatcher_on_duty(&world));
    world.apply(&said("EVENT_UNIT_LOGOUT", json!({"identIds": [7]})), AT);
    assert!(dispatcher_on_duty(&world));
    world.apply(&said("EVENT_UNIT_LOGOUT", json!({"identIds": [9]})), AT);
    assert!(!dispatcher_on_duty(&world));
    // The flag alone, of a unit that is not there, is no dispatcher.
    let gone = world.units.get_mut(&Ident(9)).unwrap();
    gone.unit.is_dispatch = Some(true);
    assert!(!dispatcher_on_duty(&world));
}
