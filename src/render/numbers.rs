//! Tests that nobody ever sees the internal numbers of calls that came without one.

use serde_json::{Value, json};

use super::{BoardKind, Labels, Message, Reply, Style, View};
use crate::clock::UnixMs;
use crate::event::{Envelope, Event, decode};
use crate::ids::{BoardId, ServerId};
use crate::world::{Change, Server};

const AT: UnixMs = UnixMs(1_795_818_514_080);

/// All visible text of a message.
fn seen(message: &Message) -> String {
    let embeds = message.embeds.iter().flat_map(|embed| {
        let fields = embed.fields.iter().flat_map(|field| [field.name.clone(), field.value.clone()]);
        [&embed.title, &embed.description, &embed.footer].into_iter().flatten().cloned().chain(fields).collect::<Vec<_>>()
    });
    message.content.clone().into_iter().chain(embeds).collect::<Vec<_>>().join("\n")
}

/// All text rendered from these events, in every style.
fn drawn(events: &[Event]) -> String {
    let mut world = Server::default();
    let mut all = Vec::new();
    for (nth, event) in (0..).zip(events) {
        let now = AT.plus_ms(nth * 60_000);
        let applied = world.apply(event, now);
        for style in [Style::Card, Style::Compact, Style::Log, Style::Public] {
            let view =
                View { world: &world, server: ServerId(1), labels: Labels::usual(), style, roles: &[], test: false, buttons: true, now };
            all.extend(super::event(event, now, &view));
            for change in &applied.changes {
                match change {
                    Change::Card { subject, .. } => {
                        all.extend(super::card(*subject, &view));
                        all.push(super::thread_opening(*subject, &view));
                        let replies = [Reply::PanicOver, Reply::Raised, Reply::Unanswered { since: AT }];
                        all.extend(replies.into_iter().filter_map(|reply| super::reply(reply, *subject, &view)));
                    }
                    Change::Note { subject, note } => all.extend(super::note(note, *subject, now, &view)),
                    Change::Attach { subject: crate::world::Subject::Dispatch(call, _), ident, on } => {
                        all.extend(super::attachment(*ident, *on, *call, now, &view));
                    }
                    _ => {}
                }
            }
        }
        all.extend(BoardKind::ALL.map(|kind| super::board(BoardId(1), kind, &[(ServerId(1), &world)], Labels::usual())));
    }
    all.iter().map(seen).collect::<Vec<_>>().join("\n---\n")
}

fn decoded(kind: &str, data: Value) -> Vec<Event> {
    decode(&Envelope { kind: kind.into(), data, extras: serde_json::Map::new() }).unwrap_or_default()
}

/// A day with a call whose number is this, in every event that has one.
fn story(number: Option<&Value>) -> Vec<Event> {
    let call = |more: Value| {
        let mut call = more;
        if let Some(number) = number {
            call["callId"] = number.clone();
        }
        call
    };
    let unit = json!({"unit": {"id": 12, "status": 2, "data": {"unitNum": "A-10", "name": "Jane Doe"}}});
    let emergency = call(
        json!({"isEmergency": true, "caller": "Jane Doe", "location": "Alta St", "description": "Unit A-10 has pressed their panic button!"}),
    );
    let bare = call(json!({"isEmergency": false, "metaData": {"postal": "1"}}));
    let dispatch = call(json!({"title": "Robbery", "priority": 1, "idents": [12], "notes": [{"content": "Hi"}], "status": 1}));
    let edited = call(json!({"title": "Robbery", "priority": 2, "idents": [12], "status": 1}));
    let all = [
        ("EVENT_UNIT_LOGIN", unit),
        ("EVENT_UNIT_PANIC", json!({"identIds": [12], "isPanic": true})),
        ("EVENT_911", json!({ "call": emergency })),
        ("EVENT_911", json!({ "call": bare })),
        ("EVENT_DISPATCH_NEW", json!({ "dispatch": dispatch })),
        ("EVENT_DISPATCH_EDIT", json!({ "dispatch": edited })),
        ("EVENT_DISPATCH_NOTE", call(json!({"note": {"content": "Hello", "label": "A-10"}}))),
        ("EVENT_DISPATCH_UNIT_DETACH", call(json!({"idents": [12]}))),
        ("EVENT_DISPATCH_UNIT_ATTACH", call(json!({"idents": [12]}))),
        ("EVENT_REMOVE_911", json!({ "callIds": number.cloned().into_iter().collect::<Vec<_>>() })),
        ("EVENT_DISPATCH_CLOSED", json!({ "callIds": number.cloned().into_iter().collect::<Vec<_>>() })),
        ("EVENT_UNIT_PANIC", json!({"identIds": [12], "isPanic": false})),
    ];
    all.into_iter().flat_map(|(kind, data)| decoded(kind, data)).collect()
}

#[test]
fn no_number_that_was_made_up_is_ever_shown() {
    let numbers = [
        None,
        Some(json!(null)),
        Some(json!(-1)),
        Some(json!("-1")),
        Some(json!(0)),
        Some(json!("")),
        Some(json!("A-17")),
        Some(json!("**<@1>** 7\u{202E}")),
        Some(json!([7])),
        Some(json!({"id": 7})),
        Some(json!(1.5)),
        Some(json!(true)),
        Some(json!(-9_223_372_036_854_775_807_i64)),
        Some(json!("99999999999999999999")),
    ];
    for number in numbers {
        let shown = drawn(&story(number.as_ref()));
        assert!(shown.contains("Alta St") && shown.contains("Robbery"), "{number:?} is shown at all: {shown}");
        for made_up in ["#-", "#0", "\\#-", "17958185", "9223372036854775807", "#A", "Call -", "911 -"] {
            // Times of cards are Discord's: `<t:1795818514:R>`.
            let without_times: String = shown.split("<t:").map(|part| part.split_once('>').map_or(part, |(_, rest)| rest)).collect();
            assert!(!without_times.contains(made_up), "{number:?}: {made_up} in {without_times}");
        }
        assert_eq!(shown.contains("A-17"), number == Some(json!("A-17")), "{shown}");
        assert!(!shown.contains("<@1>") && !shown.contains('\u{202E}'), "{shown}");
    }
    let real = drawn(&story(Some(&json!(4107))));
    assert!(real.contains("911 #4107") && real.contains("Call #4107"), "{real}");
}

#[test]
fn two_calls_that_say_the_same_and_have_no_number_are_two() {
    for kind in ["EVENT_911", "EVENT_DISPATCH_NEW"] {
        let inner = if kind == "EVENT_911" { "call" } else { "dispatch" };
        for number in [json!(null), json!(-1)] {
            let mut world = Server::default();
            let events = decoded(kind, json!({ inner: { "callId": number, "description": "Fire", "title": "Fire" } }));
            world.apply(&events[0], AT);
            world.apply(&events[0], AT);
            assert_eq!(world.emergencies.len() + world.dispatches.len(), 2, "{kind} {number}");
        }
    }
}
