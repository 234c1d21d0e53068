//! Lists, creates, and changes 911 and dispatch calls.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::super::state::{CLOSED, Object, Server, object};
use super::answer::{Events, Refused, page_of, query_number};
use super::target::People;

pub(super) fn calls(state: &Server, query: &str) -> Value {
    let kind = query_number(query, "type").unwrap_or(100);
    let (dispatches, emergencies) = (kind != 1, kind != 0);
    let active: Vec<&Object> = state.dispatches.values().filter(|_| dispatches).collect();
    let emergency: Vec<&Object> = state.emergencies.values().filter(|_| emergencies).map(|emergency| &emergency.call).collect();
    let closed = page_of(state.closed.iter().filter(|_| dispatches), query, "closedLimit", "closedOffset", 10);
    json!({"ActiveCalls": active, "EmergencyCalls": emergency, "ClosedCalls": closed, "ClosedCallCount": state.closed.len()})
}

pub(super) fn create_911(state: &mut Server, body: &Value, now: &str) -> Result<(u16, Value, Events), Refused> {
    let emergency = body.get("isEmergency").and_then(Value::as_bool).ok_or(Refused(400, "isEmergency is required."))?;
    let text = |name: &str, problem| body.get(name).and_then(Value::as_str).map(str::to_owned).ok_or(Refused(400, problem));
    let call = object(json!({
        "isEmergency": emergency,
        "caller": text("caller", "caller is required.")?,
        "location": text("location", "location is required.")?,
        "description": text("description", "description is required.")?,
        "metaData": text_map(body.get("metaData"))?,
        "updated": now,
    }));
    let call = Value::Object(state.add_911(call, expiry(body)));
    // The only change by the API that raises an event.
    Ok((200, call.clone(), vec![("EVENT_911", json!({"call": call}))]))
}

pub(super) fn create_dispatch(state: &mut Server, people: &People<'_>, body: &Value, now: &str) -> Result<Value, Refused> {
    let mut call = object(json!({
        "origin": 0, "status": 0, "priority": 3, "block": "", "address": "", "postal": "", "title": "", "code": "", "trackPrimary": false,
        "description": "", "notes": [], "metaData": {}, "updated": now,
    }));
    if body.get("title").and_then(Value::as_str).is_none_or(|title| title.trim().is_empty()) {
        return Err(Refused(400, "title is required."));
    }
    if ["origin", "status", "priority"].iter().any(|name| body.get(name).is_none()) {
        return Err(Refused(400, "origin, status and priority are required."));
    }
    call.extend(dispatch_fields(body)?);
    call.insert("notes".into(), first_notes(body, now)?);
    call.insert("idents".into(), json!(people.assigned(state, body)?));
    let expires = expiry(body);
    Ok(Value::Object(state.add_dispatch_until(call, expires)))
}

/// The notes of a new call, complete.
pub(super) fn first_notes(body: &Value, now: &str) -> Result<Value, Refused> {
    const WRONG: Refused = Refused(400, "notes must be a list of notes.");
    let Some(notes) = body.get("notes") else { return Ok(json!([])) };
    let mut complete = Vec::new();
    for note in notes.as_array().ok_or(WRONG)? {
        let mut fields = object(json!({"time": now, "label": "Sonoran CAD", "type": "text"}));
        fields.extend(note.as_object().cloned().ok_or(WRONG)?);
        if !fields.get("content").is_some_and(Value::is_string) {
            return Err(WRONG);
        }
        complete.push(Value::Object(fields));
    }
    Ok(Value::Array(complete))
}

/// When a call removes itself, at most a day from now.
pub(super) fn expiry(body: &Value) -> Option<Instant> {
    let minutes = body.get("deleteAfterMinutes").and_then(Value::as_u64).filter(|minutes| *minutes > 0)?;
    Some(Instant::now() + Duration::from_secs(60 * minutes.min(24 * 60)))
}

/// The editable fields of a dispatch in a request, each checked for its type.
pub(super) fn dispatch_fields(body: &Value) -> Result<Object, Refused> {
    let fields = body.as_object().ok_or(Refused(400, "The request body must be an object."))?;
    let mut found = Object::new();
    for (name, value) in fields {
        let fits = match name.as_str() {
            "origin" => value.as_i64().is_some_and(|n| (0..=3).contains(&n)),
            "status" => value.as_i64().is_some_and(|n| (0..=CLOSED).contains(&n)),
            "priority" => value.as_i64().is_some_and(|n| (1..=3).contains(&n)),
            "primary" => value.is_i64() || value.is_u64(),
            "trackPrimary" => value.is_boolean(),
            "block" | "address" | "postal" | "title" | "code" | "description" => value.is_string(),
            "metaData" => text_map(Some(value)).is_ok(),
            _ => continue,
        };
        if !fits {
            return Err(Refused(400, "A field has a value of the wrong kind."));
        }
        found.insert(name.clone(), value.clone());
    }
    Ok(found)
}

/// `metaData` in requests holds only texts.
pub(super) fn text_map(value: Option<&Value>) -> Result<Value, Refused> {
    match value {
        None | Some(Value::Null) => Ok(json!({})),
        Some(Value::Object(fields)) if fields.values().all(Value::is_string) => Ok(Value::Object(fields.clone())),
        Some(_) => Err(Refused(400, "metaData must map texts to texts.")),
    }
}
