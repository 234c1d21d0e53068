//! Custom records: `EVENT_RECORD_*`, and `EVENT_PRINT_RECORD`.

use super::normalise::{Item, JsonFields, MAX_LIST, int, joined};
use super::{DecodeError, Event, Record, RecordAction, RecordField};
use crate::ids::Ident;

pub(super) fn added(item: Item<'_>) -> Result<Event, DecodeError> {
    event(RecordAction::Added, item)
}

pub(super) fn edited(item: Item<'_>) -> Result<Event, DecodeError> {
    event(RecordAction::Edited, item)
}

pub(super) fn removed(item: Item<'_>) -> Result<Event, DecodeError> {
    event(RecordAction::Removed, item)
}

/// `unitId` was the first name of `identId` (2025-09).
pub(super) fn printed(item: Item<'_>) -> Result<Event, DecodeError> {
    let ident = item.idents().into_iter().next().or_else(|| item.data.int("unitId").map(Ident));
    let url = item.data.url("url");
    if ident.is_none() && url.is_none() { Err(DecodeError::Missing("url")) } else { Ok(Event::PrintRecord { ident, url }) }
}

fn event(action: RecordAction, item: Item<'_>) -> Result<Event, DecodeError> {
    let sent = item.wrapped("record", &["recordTypeId", "sections"]).ok_or(DecodeError::Missing("record"))?;
    let mut record = Record {
        id: sent.word("id").or_else(|| sent.word("syncId")),
        record_type: sent.int("recordTypeId"),
        kind: sent.int("type"),
        name: sent.text("name"),
        ..Record::default()
    };
    let sections = sent.objects("sections").unwrap_or_default();
    for field in sections.into_iter().flat_map(|section| section.objects("fields").unwrap_or_default()) {
        if record.closed.is_none() && is_state(field) {
            record.closed = closed(field);
            if record.closed.is_some() {
                continue;
            }
        }
        if record.fields.len() < MAX_LIST
            && let Some(label) = field.text("label")
            && let Some(value) = value(field)
        {
            record.fields.push(RecordField { label, value });
        }
    }
    let says_nothing = record.id.is_none() && record.name.is_none() && record.kind.is_none() && record.fields.is_empty();
    if says_nothing { Err(DecodeError::Missing("record")) } else { Ok(Event::Record { action, record }) }
}

/// Communities may rename the label and the uid, but the type stays.
fn is_state(field: JsonFields<'_>) -> bool {
    let is_status = |name| field.get(name).and_then(|value| value.as_str()).is_some_and(|text| text.trim().eq_ignore_ascii_case("status"));
    is_status("type") || is_status("uid")
}

fn closed(field: JsonFields<'_>) -> Option<bool> {
    match int(field.get("value")?)? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

/// The flags of a person or vehicle are in `data.flags`, beside a blank value.
fn value(field: JsonFields<'_>) -> Option<String> {
    field.get("value").and_then(joined).or_else(|| joined(field.object("data")?.get("flags")?))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::decode_one;
    use super::*;

    fn record(fields: Value) -> Record {
        match decode_one("EVENT_RECORD_ADD", json!({"record": {"id": 1, "sections": [{"fields": fields}]}})) {
            Ok(Event::Record { record, .. }) => record,
            other => panic!("{other:?}"),
        }
    }

    fn field(label: &str, value: &str) -> RecordField {
        RecordField { label: label.into(), value: value.into() }
    }

    #[test]
    fn fields_need_a_label_and_a_value() {
        let record = record(json!([
            {"label": "Plate", "value": "BKT 4471"},
            {"label": "Blank", "value": "\u{200B}"},
            {"label": "", "value": "x"},
            {"value": "x"},
            null,
            {"label": "Year", "value": 1998},
            {"label": "Stolen", "value": true},
            {"label": "Tags", "value": ["a", "", "b"]},
            {"label": "Object", "value": {"a": 1}},
            {"label": "Flags", "value": "", "data": {"flags": ["ARMED", "STOLEN"]}},
            {"label": "No flags", "value": "", "data": {"flags": []}},
        ]));
        let expected = [("Plate", "BKT 4471"), ("Year", "1998"), ("Stolen", "true"), ("Tags", "a, b"), ("Flags", "ARMED, STOLEN")]
            .map(|(l, v)| field(l, v));
        assert_eq!(record.fields, expected);
    }

    #[test]
    fn the_state_is_read_once_and_is_no_field_if_understood() {
        for (fields, closed, kept) in [
            (json!([{"type": "STATUS", "label": "State", "value": "0"}]), Some(false), 0),
            (json!([{"type": "status", "label": "State", "value": 1}]), Some(true), 0),
            (json!([{"type": "input", "uid": "status", "label": "State", "value": "1"}]), Some(true), 0),
            (json!([{"type": "STATUS", "label": "State", "value": "Wanted"}]), None, 1),
            (json!([{"type": "STATUS", "label": "State", "value": ""}]), None, 0),
            (json!([{"type": "STATUS", "label": "A", "value": "1"}, {"type": "STATUS", "label": "B", "value": "0"}]), Some(true), 1),
            (json!([{"type": "input", "label": "Status", "value": "1"}]), None, 1),
        ] {
            let record = record(fields.clone());
            assert_eq!((record.closed, record.fields.len()), (closed, kept), "{fields}");
        }
    }

    #[test]
    fn ids_are_numbers_or_sync_keys() {
        for (sent, expected) in [
            (json!({"record": {"id": 8842, "syncId": "x"}}), "8842"),
            (json!({"record": {"id": "char1:x"}}), "char1:x"),
            (json!({"record": {"id": null, "syncId": "x"}}), "x"),
            (json!({"recordTypeId": 3, "id": 5}), "5"),
        ] {
            match decode_one("EVENT_RECORD_REMOVE", sent.clone()) {
                Ok(Event::Record { action: RecordAction::Removed, record }) => assert_eq!(record.id.as_deref(), Some(expected), "{sent}"),
                other => panic!("{other:?}"),
            }
        }
        for empty in [json!({}), json!({"record": {}}), json!({"record": []}), json!({"record": {"sections": [{"fields": []}]}})] {
            assert_eq!(decode_one("EVENT_RECORD_EDIT", empty.clone()), Err(DecodeError::Missing("record")), "{empty}");
        }
    }

    #[test]
    fn fields_are_bounded_over_all_sections() {
        let section = json!({"fields": vec![json!({"label": "a", "value": "b"}); MAX_LIST - 50]});
        let event = decode_one("EVENT_RECORD_ADD", json!({"record": {"id": 1, "sections": [section, section]}}));
        assert!(matches!(event, Ok(Event::Record { record, .. }) if record.fields.len() == MAX_LIST));
    }

    #[test]
    fn a_print_needs_a_unit_or_a_web_address() {
        let print = |data| decode_one("EVENT_PRINT_RECORD", data);
        assert_eq!(print(json!({"url": "javascript:x"})), Err(DecodeError::Missing("url")));
        assert_eq!(print(json!({"unitId": "7", "url": "file:///x"})), Ok(Event::PrintRecord { ident: Some(Ident(7)), url: None }));
    }
}
