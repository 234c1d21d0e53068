//! The bot's half of an interaction: callbacks, the original response, follow-ups. The person's half is in `people.rs`.
//!
//! ```text
//! created ── callback 4, 7, 8, 9 ──▶ answered ── followups, edits (15 min) ──▶ expired
//!    │  └─── callback 5, 6 ──▶ deferred ── PATCH @original or first followup ──▶ answered
//!    └ 3 s without a callback ──▶ failed (10062 from then on)
//! ```

use serde_json::{Value, json};

use super::answer::{Answer, ApiError, id};
use super::body::{Body, query};
use super::messages::{self, EPHEMERAL, LOADING, Origin};
use super::model::{Id, kind};
use super::state::State;
use super::validate;

/// Serves `POST /interactions/{id}/{token}/callback`.
pub(super) fn callback(state: &mut State, segment: &str, token: &str, search: &str, body: Body) -> Result<Answer, ApiError> {
    let which = id(segment)?;
    let unknown = || ApiError::new(404, 10062, "Unknown interaction");
    let (now, first_answer_ms) = (state.now(), state.options.first_answer_ms);
    let Some(known) = state.interactions.get(&which).filter(|i| i.token == token) else { return Err(unknown()) };
    if known.acknowledged.is_some() {
        return Err(ApiError::new(400, 40060, "Interaction has already been acknowledged."));
    }
    if now.saturating_sub(known.created_ms) > first_answer_ms {
        return Err(unknown());
    }
    let (from, source) = (known.kind, known.source);
    let kind = body.json.get("type").and_then(Value::as_u64).unwrap_or(0);
    let data = body.json.get("data").cloned().unwrap_or_else(|| json!({}));
    let fits = match kind {
        4 | 5 => from != kind::AUTOCOMPLETE,
        6 | 7 => source.is_some() && from != kind::AUTOCOMPLETE,
        8 => from == kind::AUTOCOMPLETE,
        9 => matches!(from, kind::COMMAND | kind::COMPONENT),
        _ => false,
    };
    if !fits {
        let mut problems = validate::Problems::default();
        problems.add(
            "type",
            "INTERACTION_CALLBACK_TYPE_INVALID",
            format!("A callback of type {kind} does not answer an interaction of type {from}."),
        );
        return Err(ApiError::form(problems));
    }
    let mut made = None;
    match kind {
        4 => made = Some(reply(state, which, Body { json: data, files: body.files }, false)?),
        5 => made = Some(reply(state, which, Body { json: data, files: Vec::new() }, true)?),
        6 => {
            if let Some(i) = state.interactions.get_mut(&which) {
                i.original = i.source;
            }
        }
        7 => {
            let Some(source) = source else { return Err(unknown()) };
            messages::edit(state, source, Body { json: data, files: body.files })?;
            if let Some(i) = state.interactions.get_mut(&which) {
                i.original = Some(source);
            }
            shown(state, which, source, true);
            made = Some(source);
        }
        8 => {
            refuse(validate::choices(&data))?;
            let choices = data.get("choices").cloned().unwrap_or_else(|| json!([]));
            if let Some(i) = state.interactions.get_mut(&which) {
                i.visible.push(json!({"choices": choices}));
            }
        }
        _ => {
            refuse(validate::modal(&data))?;
            let Some(i) = state.interactions.get_mut(&which) else { return Err(unknown()) };
            i.visible.push(data.clone());
            i.modal = Some(data.clone());
            let channel = i.channel.to_string();
            state.publish(json!({"type": "MODAL", "interaction_id": which.to_string(), "channel_id": channel, "modal": data}));
        }
    }
    if let Some(i) = state.interactions.get_mut(&which) {
        i.acknowledged = Some(kind);
    }
    if query(search, "with_response") != Some("true") {
        return Ok(Answer::none());
    }
    let mut resource = json!({"type": kind});
    if let (Some(map), Some(made)) = (resource.as_object_mut(), made) {
        map.insert("message".into(), state.message_value(made));
    }
    Ok(Answer::ok(json!({
        "interaction": {"id": which.to_string(), "type": from, "response_message_id": made.map(|m| m.to_string())}, "resource": resource
    })))
}

fn refuse(problems: validate::Problems) -> Result<(), ApiError> {
    if problems.is_empty() { Ok(()) } else { Err(ApiError::form(problems)) }
}

/// Makes a message that answers an interaction. The first one becomes `@original`.
fn reply(state: &mut State, which: Id, body: Body, loading: bool) -> Result<Id, ApiError> {
    let Some(known) = state.interactions.get(&which) else { return Err(ApiError::new(404, 10062, "Unknown interaction")) };
    let (channel, user, first) = (known.channel, known.user, known.original.is_none());
    let ephemeral = body.json.get("flags").and_then(Value::as_u64).unwrap_or(0) & EPHEMERAL != 0;
    let origin =
        Origin { interaction: Some(known.metadata.clone()), ephemeral_for: ephemeral.then_some(user), loading, ..Origin::default() };
    let made = messages::create(state, channel, state.bot, body, origin)?;
    if first && let Some(i) = state.interactions.get_mut(&which) {
        i.original = Some(made);
    }
    shown(state, which, made, false);
    Ok(made)
}

/// Notes that the person saw a message, and notifies the demo's page. "Thinking" is not an answer yet.
fn shown(state: &mut State, which: Id, message: Id, edited: bool) {
    let Some(known) = state.messages.get(&message) else { return };
    let (ephemeral, observed) = (known.ephemeral_for.is_some(), State::observed(known));
    let loading = known.value.get("flags").and_then(Value::as_u64).unwrap_or(0) & LOADING != 0;
    let Some(i) = state.interactions.get_mut(&which) else { return };
    if !loading {
        i.visible.push(observed.clone());
    }
    let (channel, user) = (i.channel.to_string(), i.user.to_string());
    state.publish(json!({
        "type": "INTERACTION_REPLY", "interaction_id": which.to_string(), "channel_id": channel, "user_id": user, "ephemeral": ephemeral,
        "edited": edited, "message": observed
    }));
}

/// Serves `/webhooks/{app}/{token}…`: the original answer, follow-ups, and their edits.
pub(super) fn webhook(state: &mut State, method: &str, app: &str, token: &str, rest: &[&str], body: Body) -> Result<Answer, ApiError> {
    let (now, lifetime_ms) = (state.now(), state.options.token_lifetime_ms);
    let known = state.interactions.values().find(|i| i.token == token).filter(|_| app.parse() == Ok(state.app));
    let Some(known) = known else { return Err(ApiError::new(404, 10015, "Unknown Webhook")) };
    if now.saturating_sub(known.created_ms) > lifetime_ms {
        return Err(ApiError::new(401, 50027, "Invalid Webhook Token"));
    }
    // Before the first callback there is nothing to follow up on.
    if known.acknowledged.is_none() {
        return Err(ApiError::new(404, 10015, "Unknown Webhook"));
    }
    let which = known.id;
    let (original, deferred) = (known.original, known.acknowledged == Some(5));
    match (method, rest) {
        ("POST", []) => {
            // The first follow-up of a deferred response replaces it.
            let waiting = original.filter(|m| deferred && is_loading(state, *m));
            let made = match waiting {
                Some(message) => {
                    messages::check(&body.json, &body.files)?;
                    messages::edit(state, message, body)?;
                    shown(state, which, message, true);
                    message
                }
                None => reply(state, which, body, false)?,
            };
            Ok(Answer::ok(state.message_value(made)))
        }
        (_, ["messages", message]) => {
            let message = if *message == "@original" { original } else { Some(id(message)?) };
            // The token reaches the messages it created, and the message its component is on.
            let made_by = |m: &Id| state.messages.get(m)?.value.pointer("/interaction_metadata/id")?.as_str()?.parse::<Id>().ok();
            let mine = |m: &Id| state.messages.contains_key(m) && (original == Some(*m) || made_by(m) == Some(which));
            let Some(message) = message.filter(mine) else { return Err(ApiError::unknown_message()) };
            match method {
                "GET" => Ok(Answer::ok(state.message_value(message))),
                "PATCH" => {
                    messages::edit(state, message, body)?;
                    shown(state, which, message, true);
                    Ok(Answer::ok(state.message_value(message)))
                }
                "DELETE" => {
                    messages::delete(state, message);
                    Ok(Answer::none())
                }
                _ => Err(ApiError::method()),
            }
        }
        _ => Err(ApiError::method()),
    }
}

fn is_loading(state: &State, message: Id) -> bool {
    state.messages.get(&message).is_some_and(|m| m.value.get("flags").and_then(Value::as_u64).unwrap_or(0) & LOADING != 0)
}
