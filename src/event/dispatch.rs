//! Dispatch calls: `EVENT_DISPATCH_*`, their retired names, and the one `EVENT_DISPATCH` of 2020.

use serde_json::Value;

use super::normalise::{Item, JsonFields, MAX_LIST, MetaData, flag, idents_within, int, text};
use super::{DecodeError, DispatchCall, Event, NUMBER_AS_SENT, Note, Priority};
use crate::ids::{CallId, Ident};

pub(super) fn new(item: Item<'_>) -> Result<Event, DecodeError> {
    let call = call(item)?;
    // Without a number it can never be edited, closed or attached to, but somebody may be waiting: shown all the same, if it has any
    // content.
    let says_nothing = (&call.title, &call.code, &call.description, &call.address, &call.postal) == (&None, &None, &None, &None, &None);
    if call.id.is_none() && says_nothing && call.meta.is_empty() {
        return Err(DecodeError::Missing("callId"));
    }
    Ok(Event::DispatchNew(call))
}

/// An edit that sets the closed status stays an edit: the world handles that.
pub(super) fn edited(item: Item<'_>) -> Result<Event, DecodeError> {
    let call = call(item)?;
    if call.id.is_none() { Err(DecodeError::Missing("callId")) } else { Ok(Event::DispatchEdited(call)) }
}

pub(super) fn closed(item: Item<'_>) -> Result<Event, DecodeError> {
    let calls = item.calls();
    if calls.is_empty() { Err(DecodeError::Missing("callIds")) } else { Ok(Event::DispatchClosed { by: item.by(), calls }) }
}

pub(super) fn note(item: Item<'_>) -> Result<Event, DecodeError> {
    let call = call_id(item.data)?;
    let note = item.data.get("note").and_then(one_note).ok_or(DecodeError::Missing("note"))?;
    Ok(Event::DispatchNote { call, note })
}

pub(super) fn attach(item: Item<'_>) -> Result<Event, DecodeError> {
    let (idents, call) = moved(item)?;
    Ok(Event::UnitAttach { by: item.by(), idents, call })
}

pub(super) fn detach(item: Item<'_>) -> Result<Event, DecodeError> {
    let (idents, call) = moved(item)?;
    Ok(Event::UnitDetach { by: item.by(), idents, call })
}

pub(super) fn bodycam(item: Item<'_>) -> Result<Event, DecodeError> {
    let ident = item.idents().into_iter().next().ok_or(DecodeError::Missing("ident"))?;
    let on = item.data.flag("state").ok_or(DecodeError::Missing("state"))?;
    Ok(Event::Bodycam { ident, on })
}

/// `EVENT_DISPATCH`: what happened is a number beside the call; units are sent whole inside it (docs/cad-contract.md#e9).
pub(super) fn of_2020(item: Item<'_>) -> Result<Event, DecodeError> {
    match item.data.int("dispatch_type").ok_or(DecodeError::Missing("dispatch_type"))? {
        0 => new(item),
        1 => edited(item),
        2 => Ok(Event::DispatchClosed { by: item.by(), calls: vec![call_id(call_fields(item)?)?] }),
        3 => {
            let fields = call_fields(item)?;
            // It is unknown whether the note came alone or as the last of all.
            let alone = item.data.get("note").and_then(one_note);
            let note = alone.or_else(|| fields.get("notes").and_then(notes)?.pop()).ok_or(DecodeError::Missing("note"))?;
            Ok(Event::DispatchNote { call: call_id(fields)?, note })
        }
        4 => {
            let fields = call_fields(item)?;
            let beside = item.idents();
            let idents = if beside.is_empty() { idents_within(fields).unwrap_or_default() } else { beside };
            if idents.is_empty() {
                return Err(DecodeError::Missing("units"));
            }
            Ok(Event::UnitDetach { by: item.by(), idents, call: call_id(fields)? })
        }
        _ => Err(DecodeError::Missing("dispatch_type")),
    }
}

fn moved(item: Item<'_>) -> Result<(Vec<Ident>, CallId), DecodeError> {
    let idents = item.idents();
    if idents.is_empty() { Err(DecodeError::Missing("idents")) } else { Ok((idents, call_id(item.data)?)) }
}

/// Any number is accepted: the documentation prints −1, and a call without a unique number is still a call.
fn call_id(fields: JsonFields<'_>) -> Result<CallId, DecodeError> {
    fields.int("callId").map(CallId).ok_or(DecodeError::Missing("callId"))
}

fn call_fields(item: Item<'_>) -> Result<JsonFields<'_>, DecodeError> {
    item.wrapped("dispatch", &["callId"]).ok_or(DecodeError::Missing("dispatch"))
}

pub(super) fn call(item: Item<'_>) -> Result<DispatchCall, DecodeError> {
    let fields = call_fields(item)?;
    let meta = MetaData::of(&[fields, item.data]);
    let positive = |value: Option<i64>| value.filter(|n| *n > 0);
    // `createdFromId` is what the in-game respond command writes (docs/cad-contract.md#e8).
    let origin = |name| positive(meta.get(name).and_then(int));
    let mut rest = meta.rest(&["origin911", "createdFromId", "trackPrimary"]);
    rest.extend(fields.number_as_sent("callId").map(|sent| (NUMBER_AS_SENT.to_owned(), sent)));
    Ok(DispatchCall {
        id: fields.int("callId").map(CallId),
        by: item.by(),
        origin: fields.int("origin"),
        status: fields.int("status"),
        priority: fields.get("priority").and_then(priority),
        block: fields.text("block"),
        address: fields.text("address"),
        postal: fields.text("postal"),
        title: fields.text("title"),
        code: fields.text("code"),
        description: fields.text("description"),
        notes: fields.get("notes").and_then(notes),
        idents: idents_within(fields),
        primary: positive(fields.int("primary")).map(Ident),
        track_primary: fields.flag("trackPrimary").or_else(|| meta.get("trackPrimary").and_then(flag)).unwrap_or(false),
        from_911: origin("origin911").or_else(|| origin("createdFromId")).map(CallId),
        meta: rest,
        updated: fields.time("updated"),
    })
}

fn priority(value: &Value) -> Option<Priority> {
    int(value).map(Priority::Level).or_else(|| text(value).map(|word| Priority::Word(word.trim().to_owned())))
}

/// A list of notes, or one. A blank text means nothing (rule 7), an empty list means that there are none. Of too many, the last ones.
fn notes(value: &Value) -> Option<Vec<Note>> {
    match value {
        Value::Array(list) => {
            let mut notes: Vec<Note> = list.iter().rev().filter_map(one_note).take(MAX_LIST).collect();
            notes.reverse();
            Some(notes)
        }
        // Lua writes an empty list as `{}`.
        Value::Object(one) if one.is_empty() => Some(Vec::new()),
        one => one_note(one).map(|note| vec![note]),
    }
}

/// An object, or the plain text of before 2022-12. A note without content is ignored.
fn one_note(value: &Value) -> Option<Note> {
    let Some(fields) = value.as_object().map(JsonFields) else {
        return Some(Note { time: None, label: None, kind: "text".into(), content: text(value)? });
    };
    Some(Note {
        time: fields.word("time"),
        label: fields.text("label"),
        kind: fields.word("type").unwrap_or_else(|| "text".into()),
        content: fields.text("content")?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::decode_one;
    use super::*;

    fn edit(dispatch: Value) -> DispatchCall {
        match decode_one("EVENT_DISPATCH_EDIT", json!({"dispatch": dispatch})) {
            Ok(Event::DispatchEdited(call)) => call,
            other => panic!("{other:?}"),
        }
    }

    fn plain(content: &str) -> Note {
        Note { time: None, label: None, kind: "text".into(), content: content.into() }
    }

    #[test]
    fn a_call_needs_a_number_and_the_placeholder_is_one() {
        assert_eq!(edit(json!({"callId": -1})).id, Some(CallId(-1)));
        assert_eq!(edit(json!({"callId": "501"})).id, Some(CallId(501)));
        for (kind, sent) in [("EVENT_DISPATCH_EDIT", json!({"title": "Fire"})), ("EVENT_DISPATCH_NEW", json!({"idents": [7]}))] {
            assert_eq!(decode_one(kind, json!({ "dispatch": sent })), Err(DecodeError::Missing("callId")));
        }
        for sent in [json!({"title": "Fire"}), json!({"title": "Fire", "callId": "A-17"})] {
            let as_sent = sent.get("callId").map(|text| (NUMBER_AS_SENT.to_owned(), text.as_str().unwrap().to_owned()));
            let call = DispatchCall { title: Some("Fire".into()), meta: as_sent.into_iter().collect(), ..DispatchCall::default() };
            assert_eq!(decode_one("EVENT_DISPATCH_NEW", json!({ "dispatch": sent })), Ok(Event::DispatchNew(call)));
        }
        assert_eq!(decode_one("EVENT_DISPATCH_NEW", json!({"title": "Fire"})), Err(DecodeError::Missing("dispatch")));
    }

    #[test]
    fn priorities_are_numbers_or_words() {
        for (sent, expected) in [
            (json!(1), Some(Priority::Level(1))),
            (json!("2"), Some(Priority::Level(2))),
            (json!(7.0), Some(Priority::Level(7))),
            (json!(" High "), Some(Priority::Word("High".into()))),
            (json!(""), None),
            (json!(null), None),
        ] {
            assert_eq!(edit(json!({"callId": 1, "priority": sent})).priority, expected, "{sent}");
        }
    }

    #[test]
    fn absent_lists_differ_from_empty_ones() {
        let silent = edit(json!({"callId": 1, "notes": null}));
        assert_eq!((silent.notes, silent.idents), (None, None));
        // A blank text says nothing about the notes that came by DISPATCH_NOTE.
        assert_eq!(edit(json!({"callId": 1, "notes": ""})).notes, None);
        let empty = edit(json!({"callId": 1, "notes": [], "idents": []}));
        assert_eq!((empty.notes, empty.idents), (Some(vec![]), Some(vec![])));
        let lua = edit(json!({"callId": 1, "notes": {}, "idents": {}, "metaData": []}));
        assert_eq!((lua.notes, lua.idents), (Some(vec![]), Some(vec![])));
    }

    #[test]
    fn notes_are_objects_or_texts_and_blank_ones_are_none() {
        let call = edit(json!({"callId": 1, "notes": ["plain", {"content": " "}, {"content": "x", "type": ""}, null, 7]}));
        assert_eq!(call.notes, Some(vec![plain("plain"), plain("x"), plain("7")]));
        let many: Vec<String> = (0..1_000).map(|n| n.to_string()).collect();
        let notes = edit(json!({"callId": 1, "notes": many})).notes.unwrap();
        assert_eq!((notes.len(), notes.last()), (MAX_LIST, Some(&plain("999"))));
    }

    #[test]
    fn a_primary_below_one_is_none_and_so_is_an_originator() {
        for (sent, expected) in [(json!(-1), None), (json!(0), None), (json!("12"), Some(Ident(12)))] {
            assert_eq!(edit(json!({"callId": 1, "primary": sent})).primary, expected, "{sent}");
        }
        let event = decode_one("EVENT_DISPATCH_CLOSED", json!({"eventOriginIdent": -1, "callIds": 5}));
        assert_eq!(event, Ok(Event::DispatchClosed { by: None, calls: vec![CallId(5)] }));
    }

    #[test]
    fn the_911_it_came_from_leaves_the_meta_data() {
        for (meta, expected) in [
            (json!({"origin911": 302}), Some(CallId(302))),
            (json!({"createdFromId": "306"}), Some(CallId(306))),
            (json!({"origin911": "", "createdFromId": "306"}), Some(CallId(306))),
            (json!({"origin911": 302, "createdFromId": "306"}), Some(CallId(302))),
            (json!({"origin911": -1}), None),
            (json!({"origin911": "x"}), None),
        ] {
            let call = edit(json!({"callId": 1, "metaData": meta}));
            assert_eq!((call.from_911, call.meta.len()), (expected, 0), "{meta}");
        }
    }

    #[test]
    fn the_field_decides_on_tracking_before_the_meta_data() {
        assert!(edit(json!({"callId": 1, "metaData": {"trackPrimary": "True"}})).track_primary);
        assert!(!edit(json!({"callId": 1, "trackPrimary": false, "metaData": {"trackPrimary": "True"}})).track_primary);
        assert!(!edit(json!({"callId": 1, "metaData": {"trackPrimary": "False"}})).track_primary);
    }

    #[test]
    fn every_kind_of_the_2020_event() {
        let of = |kind: i64, dispatch: Value| decode_one("EVENT_DISPATCH", json!({"dispatch_type": kind, "dispatch": dispatch}));
        let units = json!([{"id": 7}, {"id": 8}]);
        let call = DispatchCall { id: Some(CallId(90)), idents: Some(vec![Ident(7), Ident(8)]), ..DispatchCall::default() };
        let sent = json!({"callId": 90, "units": units});
        assert_eq!(of(0, sent.clone()), Ok(Event::DispatchNew(call.clone())));
        assert_eq!(of(1, sent.clone()), Ok(Event::DispatchEdited(call)));
        assert_eq!(of(2, sent.clone()), Ok(Event::DispatchClosed { by: None, calls: vec![CallId(90)] }));
        let noted = json!({"callId": 90, "notes": ["first", "last"]});
        assert_eq!(of(3, noted), Ok(Event::DispatchNote { call: CallId(90), note: plain("last") }));
        assert_eq!(of(3, sent.clone()), Err(DecodeError::Missing("note")));
        assert_eq!(of(4, sent.clone()), Ok(Event::UnitDetach { by: None, idents: vec![Ident(7), Ident(8)], call: CallId(90) }));
        assert_eq!(of(4, json!({"callId": 90})), Err(DecodeError::Missing("units")));
        assert_eq!(of(5, sent.clone()), Err(DecodeError::Missing("dispatch_type")));
        assert_eq!(decode_one("EVENT_DISPATCH", json!({"dispatch": sent})), Err(DecodeError::Missing("dispatch_type")));
    }

    #[test]
    fn what_names_no_call_no_unit_or_no_state_is_refused() {
        for (kind, data, field) in [
            ("EVENT_DISPATCH_CLOSED", json!({"eventOriginIdent": 4101}), "callIds"),
            ("EVENT_DISPATCH_NOTE", json!({"note": "x"}), "callId"),
            ("EVENT_DISPATCH_NOTE", json!({"callId": 1, "note": " "}), "note"),
            ("EVENT_DISPATCH_NOTE", json!({"callId": 1, "note": {"label": "x"}}), "note"),
            ("EVENT_DISPATCH_UNIT_ATTACH", json!({"callId": 1, "idents": "x"}), "idents"),
            ("EVENT_DISPATCH_UNIT_ATTACH", json!({"ident": 1}), "callId"),
            ("EVENT_DISPATCH_UNIT_DETACH", json!({"ident": 1, "callId": null}), "callId"),
            ("EVENT_DISPATCH_TOGGLE_BODYCAM", json!({"state": true}), "ident"),
            ("EVENT_DISPATCH_TOGGLE_BODYCAM", json!({"ident": 1, "state": "?"}), "state"),
        ] {
            assert_eq!(decode_one(kind, data.clone()), Err(DecodeError::Missing(field)), "{kind} {data}");
        }
    }
}
