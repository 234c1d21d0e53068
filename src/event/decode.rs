//! Decodes an envelope into typed events: chooses the reader for its type, and handles arrays.

use serde_json::{Map, Value};

use super::normalise::{Item, JsonFields, MAX_LIST, parse_once};
use super::{DecodeError, Envelope, Event, callout, civilian, dispatch, emergency, own, pager, panic, record, sign, station, tone, unit};

type Reader = fn(Item<'_>) -> Result<Event, DecodeError>;

/// Every known type (docs/cad-contract.md#e9), retired names included.
const READERS: [(&str, Reader); 36] = [
    ("EVENT_911", emergency::new),
    ("EVENT_REMOVE_911", emergency::removed),
    ("EVENT_UNIT_PANIC", panic::panic),
    ("EVENT_UNIT_LOGIN", unit::login),
    ("EVENT_UNIT_LOGOUT", unit::logout),
    ("EVENT_UNIT_STATUS", unit::status),
    ("EVENT_UNIT_UPDATE", unit::update),
    ("EVENT_UNIT_GROUP_ADD", unit::group_add),
    ("EVENT_UNIT_GROUP_REMOVE", unit::group_remove),
    ("EVENT_UNIT_GROUP_CHANGE_NAME", unit::group_rename),
    ("EVENT_DISPATCH_NEW", dispatch::new),
    ("EVENT_DISPATCH_EDIT", dispatch::edited),
    ("EVENT_DISPATCH_CLOSED", dispatch::closed),
    ("EVENT_DISPATCH_CLOSE", dispatch::closed),
    ("EVENT_DISPATCH_NOTE", dispatch::note),
    ("EVENT_DISPATCH_UNIT_ATTACH", dispatch::attach),
    ("EVENT_UNIT_ATTACH", dispatch::attach),
    ("EVENT_DISPATCH_UNIT_DETACH", dispatch::detach),
    ("EVENT_UNIT_DETACH", dispatch::detach),
    ("EVENT_DISPATCH_TOGGLE_BODYCAM", dispatch::bodycam),
    ("TOGGLE_BODYCAM", dispatch::bodycam),
    ("EVENT_DISPATCH", dispatch::of_2020),
    ("EVENT_TONE", tone::tone),
    ("EVENT_STREETSIGN_UPDATED", sign::updated),
    ("EVENT_RECORD_ADD", record::added),
    ("EVENT_RECORD_EDIT", record::edited),
    ("EVENT_RECORD_REMOVE", record::removed),
    ("EVENT_PRINT_RECORD", record::printed),
    ("EVENT_CHAR_SELECTED", civilian::character_selected),
    ("EVENT_COMMUNITY_LINK_VERIFIED", civilian::link_verified),
    ("EVENT_NEW_CALLOUT", callout::callout),
    ("EVENT_STATION_ALERT", station::alert),
    ("EVENT_PAGER_REBORN", pager::page),
    (own::ACKNOWLEDGED, own::acknowledged),
    (own::EMERGENCY_NOTE, own::emergency_note),
    // The current status and unit events say what a cleared call means for its units.
    ("EVENT_UNIT_CALL_CLEAR", ignored),
];

/// Limit on the subjects of all events in one body: twenty thousand panics in one body aren't real.
const MAX_ENTRIES: usize = 1_000;

/// Asks a game server for its logs: not for us, its shape isn't checked.
const LOGS: &str = "GET_LOGS";

/// Every type that [`decode`] knows, as [`Envelope::kind`] has it: the closed set for metric labels.
pub fn known_kinds() -> impl Iterator<Item = &'static str> {
    READERS.iter().map(|(kind, _)| *kind).chain([LOGS])
}

/// The events. One per object of `data`, at most 500; from a list of good and bad objects the good ones.
///
/// # Errors
/// If the type is known and nothing of its data can be used: the reason for the first object.
pub fn decode(envelope: &Envelope) -> Result<Vec<Event>, DecodeError> {
    if envelope.kind == LOGS {
        return Ok(vec![Event::Ignored]);
    }
    let Some((_, read)) = READERS.iter().find(|(kind, _)| *kind == envelope.kind) else { return Ok(vec![Event::Unknown]) };

    let parsed;
    let data = match &envelope.data {
        Value::String(text) => {
            parsed = parse_once(text).ok_or(DecodeError::NoObject)?;
            &parsed
        }
        sent => sent,
    };
    // Without data the fields beside it may be enough; if not, the reader names what is missing.
    let nothing = Map::new();
    let objects: Vec<&Map<String, Value>> = match data {
        Value::Object(one) => vec![one],
        Value::Array(list) => list.iter().filter_map(Value::as_object).take(MAX_LIST).collect(),
        Value::Null => vec![&nothing],
        _ => Vec::new(),
    };

    if matches!(data, Value::Array(list) if list.iter().all(Value::is_null)) {
        return Ok(vec![Event::Ignored]);
    }

    let mut events = Vec::with_capacity(objects.len());
    let mut first_error = DecodeError::NoObject;
    let mut named = 0;
    for (place, object) in objects.into_iter().enumerate() {
        let item = Item { data: JsonFields(object), top: JsonFields(&envelope.extras) };
        match read(item) {
            Ok(event) => {
                named += entries(&event);
                push(&mut events, event);
                if named >= MAX_ENTRIES {
                    break;
                }
            }
            Err(DecodeError::Missing(_)) if item.is_about_nothing() => events.push(Event::Ignored),
            Err(error) if place == 0 => first_error = error,
            Err(_) => {}
        }
    }
    if events.is_empty() { Err(first_error) } else { Ok(events) }
}

/// Panics in several objects of one body are one event: people are pinged about them once.
fn push(events: &mut Vec<Event>, event: Event) {
    match (events.last_mut(), event) {
        (Some(Event::Panic { idents, on }), Event::Panic { idents: more, on: too }) if *on == too => {
            idents.extend(more);
            let mut seen = std::collections::HashSet::new();
            idents.retain(|ident| seen.insert(*ident));
            idents.truncate(MAX_LIST);
        }
        (_, event) => events.push(event),
    }
}

/// How many subjects an event has: each may change the world and create posts.
fn entries(event: &Event) -> usize {
    match event {
        Event::EmergencyRemoved { calls } | Event::DispatchClosed { calls, .. } => calls.len(),
        Event::Panic { idents, .. }
        | Event::UnitLogout { idents }
        | Event::GroupAdd { idents, .. }
        | Event::GroupRemove { idents, .. }
        | Event::GroupRename { idents, .. }
        | Event::UnitAttach { idents, .. }
        | Event::UnitDetach { idents, .. } => idents.len(),
        Event::UnitLogin { units } | Event::UnitUpdate { units } => units.len(),
        Event::UnitStatus { idents, units, .. } => idents.len() + units.len(),
        Event::DispatchNew(call) | Event::DispatchEdited(call) => {
            call.notes.as_ref().map_or(0, Vec::len) + call.idents.as_ref().map_or(0, Vec::len)
        }
        _ => 1,
    }
}

fn ignored(_: Item<'_>) -> Result<Event, DecodeError> {
    Ok(Event::Ignored)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;
    use serde_json::json;

    use super::super::{Note, StationMessage, envelope};
    use super::*;

    fn envelope(kind: &str, data: Value) -> Envelope {
        Envelope { kind: kind.into(), data, extras: Map::new() }
    }

    #[test]
    fn known_kinds_are_unique_and_differ_from_unknown_ones() {
        let kinds: HashSet<&str> = known_kinds().collect();
        assert_eq!(kinds.len(), known_kinds().count());
        for kind in kinds {
            assert_ne!(decode(&envelope(kind, Value::Null)), Ok(vec![Event::Unknown]), "{kind}");
        }
        for kind in ["EVENT_SIGNAL_100", "event_911", ""] {
            assert_eq!(decode(&envelope(kind, json!("nonsense"))), Ok(vec![Event::Unknown]), "{kind}");
        }
    }

    #[test]
    fn a_request_for_logs_is_ignored_whatever_it_carries() {
        for data in [Value::Null, json!("nonsense"), json!([])] {
            assert_eq!(decode(&envelope("GET_LOGS", data)), Ok(vec![Event::Ignored]));
        }
    }

    #[test]
    fn an_array_is_one_event_per_usable_object() {
        let logout = |n| Event::UnitLogout { idents: vec![crate::ids::Ident(n)] };
        let decoded = |data| decode(&envelope("EVENT_UNIT_LOGOUT", data));
        assert_eq!(decoded(json!([{"identId": 1}, {"identId": 2}])), Ok(vec![logout(1), logout(2)]));
        assert_eq!(decoded(json!([{}, null, "x", [{"identId": 9}], {"identId": 2}])), Ok(vec![logout(2)]));
        assert_eq!(decoded(json!([{}, {}])), Err(DecodeError::Missing("identId")));
        for empty in [json!([]), json!([null, null]), json!("[]")] {
            assert_eq!(decoded(empty.clone()), Ok(vec![Event::Ignored]), "{empty}");
        }
        for none in [json!([null, "x", 7]), json!(7), json!(true), json!("nonsense"), json!("")] {
            assert_eq!(decoded(none.clone()), Err(DecodeError::NoObject), "{none}");
        }
        assert_eq!(decoded(json!(vec![json!({"identId": 1}); 1_000])).map(|events| events.len()), Ok(MAX_LIST));
    }

    #[test]
    fn an_empty_list_is_no_mistake_and_changes_nothing() {
        for (kind, name) in [
            ("EVENT_REMOVE_911", "callIds"),
            ("EVENT_DISPATCH_CLOSED", "callIds"),
            ("EVENT_DISPATCH_CLOSE", "callIds"),
            ("EVENT_UNIT_PANIC", "identIds"),
            ("EVENT_UNIT_LOGOUT", "identIds"),
            ("EVENT_UNIT_STATUS", "identIds"),
            ("EVENT_UNIT_STATUS", "idents"),
            ("EVENT_UNIT_LOGIN", "units"),
            ("EVENT_UNIT_GROUP_ADD", "identIds"),
            ("EVENT_UNIT_GROUP_REMOVE", "idents"),
            ("EVENT_DISPATCH_UNIT_ATTACH", "idents"),
            ("EVENT_UNIT_ATTACH", "identIds"),
            ("EVENT_DISPATCH_UNIT_DETACH", "idents"),
            ("EVENT_UNIT_DETACH", "idents"),
            ("EVENT_DISPATCH_TOGGLE_BODYCAM", "identIds"),
            ("EVENT_TONE", "playTonesTo"),
            ("EVENT_STATION_ALERT", "locations"),
        ] {
            for empty in [
                json!([]),
                json!([null]),
                json!([""]),
                json!([[]]),
                json!({}),
                Value::Null,
                json!(""),
                json!(" \u{200B}"),
                json!("[]"),
                json!("[null]"),
            ] {
                let mut data =
                    Map::from_iter([("status".into(), json!(2)), ("callId".into(), json!(501)), ("groupName".into(), json!("A"))]);
                data.insert(name.to_owned(), empty);
                let data = if name == "callIds" { json!({ name: data[name] }) } else { Value::Object(data) };
                assert_eq!(decode(&envelope(kind, data.clone())), Ok(vec![Event::Ignored]), "{kind} {data}");
            }
            assert_ne!(decode(&envelope(kind, json!({ name: "x" }))), Ok(vec![Event::Ignored]), "{kind}");
        }
        for (kind, data) in [
            ("EVENT_UNIT_UPDATE", json!({"units": null})),
            ("EVENT_STREETSIGN_UPDATED", json!({"signData": {"ids": [], "text1": ""}})),
            ("EVENT_PAGER_REBORN", json!({"addresses": [], "body": ""})),
        ] {
            assert!(decode(&envelope(kind, data.clone())).is_ok(), "{kind} {data}");
        }
    }

    #[test]
    fn the_objects_of_one_body_are_about_a_thousand_things_at_most() {
        let many: Vec<Value> = (0..200).map(|nth| json!({"identIds": (nth * 100..nth * 100 + 100).collect::<Vec<i64>>()})).collect();
        let events = decode(&envelope("EVENT_UNIT_LOGOUT", json!(many))).unwrap();
        assert_eq!(events.iter().map(entries).sum::<usize>(), MAX_ENTRIES);
        // In one event, panics are one list.
        let panics = decode(&envelope("EVENT_UNIT_PANIC", json!(many))).unwrap();
        assert!(matches!(&panics[..], [Event::Panic { idents, .. }] if idents.len() == MAX_LIST));
    }

    #[test]
    fn text_data_is_parsed_once_and_no_deeper() {
        let once = json!({"identId": 1}).to_string();
        let twice = json!(once).to_string();
        assert!(decode(&envelope("EVENT_UNIT_LOGOUT", json!(once))).is_ok());
        assert!(decode(&envelope("EVENT_UNIT_LOGOUT", json!(format!("[{once}]")))).is_ok());
        assert_eq!(decode(&envelope("EVENT_UNIT_LOGOUT", json!(twice))), Err(DecodeError::NoObject));
        let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
        assert_eq!(decode(&envelope("EVENT_UNIT_LOGOUT", json!(deep))), Err(DecodeError::NoObject));
    }

    #[test]
    fn what_stands_beside_absent_data_may_do() {
        let extras = Map::from_iter([("identId".to_owned(), json!(7))]);
        let sent = Envelope { kind: "EVENT_UNIT_LOGOUT".into(), data: Value::Null, extras };
        assert_eq!(decode(&sent), Ok(vec![Event::UnitLogout { idents: vec![crate::ids::Ident(7)] }]));
    }

    #[test]
    fn errors_name_the_field_and_no_content() {
        let error = decode(&envelope("EVENT_REMOVE_911", json!({"callIds": "s3cret"}))).unwrap_err();
        assert_eq!(error.to_string(), "`callIds` is missing or cannot be used");
        let error = decode(&envelope("EVENT_REMOVE_911", json!("s3cret"))).unwrap_err();
        assert_eq!(error.to_string(), "`data` is neither an object nor a list of objects");
    }

    /// Names that some reader looks for, so that random inputs use them.
    const NAMES: [&str; 52] = [
        "call",
        "callId",
        "callIds",
        "isEmergency",
        "caller",
        "location",
        "description",
        "metaData",
        "updated",
        "identIds",
        "identId",
        "idents",
        "ident",
        "isPanic",
        "unit",
        "units",
        "id",
        "accId",
        "status",
        "data",
        "unitNum",
        "apiIds",
        "page",
        "groupName",
        "newName",
        "dispatch",
        "dispatch_type",
        "priority",
        "notes",
        "note",
        "content",
        "origin911",
        "primary",
        "trackPrimary",
        "state",
        "url",
        "playTonesTo",
        "type",
        "value",
        "label",
        "signData",
        "ids",
        "text1",
        "record",
        "sections",
        "fields",
        "callout",
        "locations",
        "message",
        "addresses",
        "nature",
        "communityUserId",
    ];

    fn name() -> impl Strategy<Value = String> {
        prop_oneof![
            8 => proptest::sample::select(&NAMES[..]).prop_map(str::to_owned),
            1 => proptest::sample::select(&NAMES[..]).prop_map(str::to_uppercase),
            1 => any::<String>(),
        ]
    }

    /// Any JSON, nested up to five levels. Floats are quarters: those survive writing and reading exactly.
    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-5_i64..10).prop_map(Value::from),
            any::<i32>().prop_map(|n| Value::from(f64::from(n) / 4.0)),
            any::<String>().prop_map(Value::from),
            proptest::sample::select(
                &["true", "False", "", "\u{200B}", "7", "https://example.org/é", "2026-08-14T19:42:11Z", "{}", "[{\"id\":1}]"][..]
            )
            .prop_map(Value::from),
            "[A-Za-z0-9+/]{0,80}={0,2}".prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 64, 8, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                proptest::collection::btree_map(name(), inner, 0..8).prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn known() -> impl Strategy<Value = &'static str> {
        proptest::sample::select(known_kinds().collect::<Vec<_>>())
    }

    /// What the types promise ("at least one", unique, bounded).
    fn holds_its_promises(event: &Event) -> bool {
        let unique = |idents: &[crate::ids::Ident]| idents.len() <= MAX_LIST && idents.iter().collect::<HashSet<_>>().len() == idents.len();
        let some = |idents: &[crate::ids::Ident]| !idents.is_empty() && unique(idents);
        let noted = |note: &Note| !note.content.is_empty() && !note.kind.is_empty();
        match event {
            Event::EmergencyRemoved { calls } | Event::DispatchClosed { calls, .. } => !calls.is_empty() && calls.len() <= MAX_LIST,
            Event::Panic { idents, .. }
            | Event::UnitLogout { idents }
            | Event::UnitAttach { idents, .. }
            | Event::UnitDetach { idents, .. } => some(idents),
            Event::GroupAdd { idents, group } => some(idents) && !group.is_empty(),
            Event::GroupRemove { idents, .. } => some(idents),
            Event::UnitLogin { units } => !units.is_empty() && units.len() <= MAX_LIST,
            Event::UnitStatus { idents, status, units } => {
                unique(idents) && units.len() <= MAX_LIST && idents.is_empty() == status.is_none()
            }
            Event::DispatchNew(call) | Event::DispatchEdited(call) => {
                (call.id.is_some() || matches!(event, Event::DispatchNew(_)))
                    && call.idents.as_deref().is_none_or(unique)
                    && call.notes.iter().flatten().all(noted)
                    && call.primary.is_none_or(|ident| ident.0 > 0)
                    && call.meta.values().all(|value| !value.is_empty())
            }
            Event::DispatchNote { note, .. } => noted(note),
            Event::Tone { url: Some(url), .. } | Event::PrintRecord { url: Some(url), .. } => url.starts_with("http"),
            Event::Record { record, .. } => record.fields.iter().all(|field| !field.label.is_empty() && !field.value.is_empty()),
            Event::StationAlert(alert) => match &alert.message {
                Some(StationMessage::Audio { base64, .. }) => !base64.is_empty(),
                Some(StationMessage::Text(text)) => !text.is_empty(),
                None => true,
            },
            Event::Unknown => false,
            _ => true,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2_000, ..ProptestConfig::default() })]

        #[test]
        fn any_data_under_a_known_type_is_events_or_an_error(kind in known(), data in json(), extras in proptest::collection::btree_map(name(), json(), 0..3)) {
            let sent = Envelope { kind: kind.into(), data, extras: extras.into_iter().collect() };
            if let Ok(events) = decode(&sent) {
                prop_assert!(!events.is_empty() && events.len() <= MAX_LIST);
                for event in &events {
                    prop_assert!(holds_its_promises(event), "{event:?}");
                }
            }
        }

        #[test]
        fn a_journaled_event_decodes_as_it_did(kind in known(), mut body in proptest::collection::btree_map(name(), json(), 0..3), data in json()) {
            body.insert("type".into(), kind.into());
            body.insert("data".into(), data);
            body.insert("key".into(), "s3cret-key".into());
            let (first, key) = envelope::open(serde_json::to_string(&body).unwrap().as_bytes()).unwrap();
            prop_assert!(key.is_some());
            let written = first.to_json();
            prop_assert!(!written.contains("s3cret-key"));
            let (again, key) = envelope::open(written.as_bytes()).unwrap();
            prop_assert!(key.is_none());
            prop_assert_eq!(decode(&again), decode(&first));
            prop_assert_eq!(again, first);
        }

        #[test]
        fn any_bytes_are_an_envelope_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            if let Ok((opened, _)) = envelope::open(&bytes) {
                let _ = decode(&opened);
            }
        }

        #[test]
        fn any_json_is_an_envelope_or_an_error(value in json(), kind in known(), as_text in any::<bool>()) {
            let mut body = json!({"type": kind, "data": value}).to_string();
            if as_text {
                body = Value::from(body).to_string();
            }
            prop_assert_eq!(envelope::open(body.as_bytes()).unwrap().0.kind, kind);
            let _ = envelope::open(value.to_string().as_bytes());
        }
    }
}
