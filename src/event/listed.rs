//! Decodes units and calls from the CAD's REST API (docs/cad-contract.md#e3, #e4, #e5): the same objects as in events, by the same
//! rules.
//!
//! Additions of custom layouts (`template`, `values`, `statusId`) aren't read: the plain fields are beside them.

use serde_json::{Map, Value};

use super::normalise::{Item, JsonFields, time};
use super::{DispatchCall, EmergencyCall, Unit, dispatch, emergency, unit};

/// A listed unit; `None` if it has no number.
#[must_use]
pub fn listed_unit(object: &Map<String, Value>) -> Option<Unit> {
    unit::one(JsonFields(object))
}

/// A listed dispatch call; `None` if it has no number. Its notes are sorted by time if all have one.
#[must_use]
pub fn listed_dispatch(object: &Map<String, Value>) -> Option<DispatchCall> {
    let mut call = alone(object, |item| dispatch::call(item).ok()).filter(|call| call.id.is_some())?;
    if let Some(notes) = &mut call.notes {
        let mut timed: Vec<_> = notes.iter().map_while(|note| note.time.as_deref().and_then(time)).zip(notes.iter().cloned()).collect();
        if timed.len() == notes.len() {
            timed.sort_by_key(|(at, _)| *at);
            *notes = timed.into_iter().map(|(_, note)| note).collect();
        }
    }
    Some(call)
}

/// A listed 911 or civil call; `None` if it has no content.
#[must_use]
pub fn listed_emergency(object: &Map<String, Value>) -> Option<EmergencyCall> {
    alone(object, |item| emergency::call(item).ok())
}

fn alone<T>(object: &Map<String, Value>, read: impl FnOnce(Item<'_>) -> Option<T>) -> Option<T> {
    let nothing = Map::new();
    read(Item { data: JsonFields(object), top: JsonFields(&nothing) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::normalise::MAX_LIST;
    use super::super::{Note, Priority};
    use super::*;
    use crate::clock::UnixMs;
    use crate::ids::{CallId, Ident};

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    /// 2026-04-08T21:30:00Z.
    const HALF_PAST: UnixMs = UnixMs(1_775_683_800_000);

    fn documented_dispatch() -> Value {
        json!({
            "callId": 501, "origin": 0, "status": 1, "priority": 1, "block": "100", "address": "Mission Row", "postal": "9001",
            "title": "Armed Robbery", "code": "211", "primary": 12, "trackPrimary": false, "description": "Clerk reports a firearm.",
            "notes": [{"time": "2026-04-08T21:30:00Z", "label": "Sonoran CAD", "type": "text", "content": "Caller is hiding."}],
            "idents": [12, 18], "metaData": {"source": "integration", "x": "425.1", "radius": "75"}, "updated": "2026-04-08T21:30:00Z",
        })
    }

    #[test]
    fn the_documented_unit() {
        let unit = listed_unit(&object(json!({
            "id": 12, "accId": "00000000-0000-0000-0000-000000000000", "status": 3, "isPanic": false, "location": "Mission Row PD",
            "coordinates": {"x": 123.45, "y": -456.78, "z": 32.1, "w": 180.0}, "aop": "Los Santos", "isDispatch": false,
            "data": {
                "unitNum": "A-10", "name": "John Doe", "district": "Los Santos", "department": "LSPD", "subdivision": "Patrol",
                "rank": "Officer", "group": "CAR-51", "page": 0, "communityUserId": "license:abc123",
            },
        })))
        .unwrap();
        let text = |text: &str| Some(text.to_owned());
        let expected = Unit {
            ident: Ident(12),
            account: text("00000000-0000-0000-0000-000000000000"),
            status: Some(3),
            is_panic: Some(false),
            location: text("Mission Row PD"),
            aop: text("Los Santos"),
            is_dispatch: Some(false),
            callsign: text("A-10"),
            name: text("John Doe"),
            district: text("Los Santos"),
            department: text("LSPD"),
            subdivision: text("Patrol"),
            rank: text("Officer"),
            group: text("CAR-51"),
            page: Some(0),
            identities: vec!["license:abc123".into()],
        };
        assert_eq!(unit, expected);
        assert_eq!(listed_unit(&object(json!({"data": {"unitNum": "A-10"}}))), None);
    }

    #[test]
    fn the_documented_dispatch_call() {
        let call = listed_dispatch(&object(documented_dispatch())).unwrap();
        let text = |text: &str| Some(text.to_owned());
        let note = Note {
            time: text("2026-04-08T21:30:00Z"),
            label: text("Sonoran CAD"),
            kind: "text".into(),
            content: "Caller is hiding.".into(),
        };
        let expected = DispatchCall {
            id: Some(CallId(501)),
            by: None,
            origin: Some(0),
            status: Some(1),
            priority: Some(Priority::Level(1)),
            block: text("100"),
            address: text("Mission Row"),
            postal: text("9001"),
            title: text("Armed Robbery"),
            code: text("211"),
            description: text("Clerk reports a firearm."),
            notes: Some(vec![note]),
            idents: Some(vec![Ident(12), Ident(18)]),
            primary: Some(Ident(12)),
            track_primary: false,
            from_911: None,
            meta: [("radius", "75"), ("source", "integration"), ("x", "425.1")].map(|(k, v)| (k.into(), v.into())).into(),
            updated: Some(HALF_PAST),
        };
        assert_eq!(call, expected);
        assert_eq!(listed_dispatch(&object(json!({"title": "Fire"}))), None, "a call without a number cannot be found again");
    }

    #[test]
    fn the_documented_911_and_one_that_says_nothing() {
        let call = listed_emergency(&object(json!({
            "callId": 302, "isEmergency": true, "caller": "Jane Doe", "location": "Innocence Blvd",
            "description": "Medical emergency reported.", "metaData": {"phone": "555-0100", "postal": "9001"},
            "updated": "2026-04-08T21:31:00Z",
        })))
        .unwrap();
        assert_eq!((call.id, call.is_emergency, call.updated), (Some(CallId(302)), true, Some(HALF_PAST.plus_ms(60_000))));
        assert_eq!((call.caller.as_deref(), call.location.as_deref()), (Some("Jane Doe"), Some("Innocence Blvd")));
        assert_eq!(call.meta.get("postal").map(String::as_str), Some("9001"));
        assert_eq!(listed_emergency(&object(json!({"isEmergency": true}))), None);
    }

    #[test]
    fn letter_case_and_custom_layouts_change_nothing() {
        let mut pascal = Map::new();
        for (name, value) in object(documented_dispatch()) {
            let (first, rest) = name.split_at(1);
            pascal.insert(format!("{}{rest}", first.to_uppercase()), value);
        }
        pascal.insert("Template".into(), json!({"templateId": 4}));
        pascal.insert("Values".into(), json!({"a1": ["x", {"deep": 1}]}));
        pascal.insert("StatusId".into(), json!("st-7"));
        assert_eq!(listed_dispatch(&pascal), listed_dispatch(&object(documented_dispatch())));
    }

    #[test]
    fn notes_are_in_order_of_time_bounded_and_left_alone_where_one_has_none() {
        let note = |time: &str, content: &str| json!({"time": time, "content": content});
        let of = |notes: Vec<Value>| {
            let call = listed_dispatch(&object(json!({"callId": 1, "notes": notes}))).unwrap();
            call.notes.unwrap().into_iter().map(|note| note.content).collect::<Vec<_>>()
        };
        let (late, early) = (note("2026-04-08T21:31:00Z", "b"), note("2026-04-08T21:30:00", "a"));
        assert_eq!(of(vec![late.clone(), early.clone()]), ["a", "b"]);
        assert_eq!(of(vec![late, note("21:00:00", "c"), early]), ["b", "c", "a"]);
        assert_eq!(of(vec![note("2026-04-08T21:31:00Z", "b"); 1_000]).len(), MAX_LIST);
    }
}
