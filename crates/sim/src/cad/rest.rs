//! REST v2, the operations that a bot calls (docs/cad-contract.md#r10). Its changes raise no event, except a new 911.
//!
//! ```text
//! request ─▶ fault? ─▶ route (404) ─▶ key (401) ─▶ limit (429) ─▶ server (404) ─▶ body (400) ─▶ answer
//! ```

mod answer;
mod calls;
mod lookups;
mod op;
mod people;
mod target;
mod templates;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::fault::RestTrouble;
use super::seen::Seen;
use super::shared::{Inner, Shared, Window};
use super::state::{Object, Server, ints, object};
use super::values::{iso_now, random_hex, shortened};
use super::verbs::set_units;
use answer::{Answer, Events, Refused, page_of, query_flag};
use calls::{calls, create_911, create_dispatch, dispatch_fields};
use op::Op;
use people::units_of;
use target::People;

/// Largest request body.
const BODY_LIMIT: usize = 256 * 1024;

/// Larger bodies are logged as null.
const BODY_LOGGED: usize = 8 * 1024;

const MINUTE: Duration = Duration::from_secs(60);

/// Everything except the hub.
pub(super) async fn serve(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let (method, path) = (parts.method.as_str().to_owned(), parts.uri.path().to_owned());
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let bytes = axum::body::to_bytes(body, BODY_LIMIT).await;
    let body: Option<Value> = match &bytes {
        Ok(bytes) if bytes.is_empty() => Some(Value::Null),
        Ok(bytes) => serde_json::from_slice(bytes).ok(),
        Err(_) => None,
    };
    let asked = Asked { method: &method, path: &path, query: &query, body: body.as_ref() };
    let (response, trouble) = if bytes.is_err() {
        (problem(&Refused(413, "The request body is too large."), &path), None)
    } else {
        respond(&inner, &parts.headers, &asked)
    };
    let body = body.filter(|_| bytes.is_ok_and(|bytes| bytes.len() <= BODY_LOGGED)).unwrap_or_default();
    let (method, path, query) = (shortened(&method), shortened(&path), shortened(&query));
    inner.note(Seen::Rest { status: response.status().as_u16(), body, method, path, query });
    match trouble {
        Some(RestTrouble::Delay(late)) => tokio::time::sleep(late).await,
        Some(RestTrouble::Hang) => inner.stop.cancelled().await,
        Some(RestTrouble::Drop | RestTrouble::DoThenDrop) => {
            // A body that can't be read: hyper closes the connection.
            let broken = futures_util::stream::once(async { Err::<&str, _>(std::io::Error::other("broken on purpose")) });
            return Response::new(axum::body::Body::from_stream(broken));
        }
        Some(RestTrouble::Status(..) | RestTrouble::Garbage | RestTrouble::Answer(_)) | None => {}
    }
    response
}

struct Asked<'a> {
    method: &'a str,
    path: &'a str,
    query: &'a str,
    /// Null if there is no body, `None` if it isn't JSON.
    body: Option<&'a Value>,
}

/// The answer, and the fault on its way back.
fn respond(inner: &Arc<Inner>, headers: &HeaderMap, asked: &Asked<'_>) -> (Response, Option<RestTrouble>) {
    inner.change(|shared| {
        let trouble = shared.faults.rest(asked.method, asked.path);
        let response = match &trouble {
            Some(RestTrouble::Status(code, retry_after)) => faulty(*code, *retry_after, asked.path),
            Some(RestTrouble::Garbage) => ([(header::CONTENT_TYPE, "text/html")], "<html><h1>Welcome</h1></html>").into_response(),
            Some(RestTrouble::Answer(answer)) => json_response(200, "application/json", answer),
            Some(RestTrouble::Hang | RestTrouble::Drop) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            Some(RestTrouble::Delay(_) | RestTrouble::DoThenDrop) | None => perform(inner, shared, headers, asked),
        };
        (response, trouble)
    })
}

fn perform(inner: &Arc<Inner>, shared: &mut Shared, headers: &HeaderMap, asked: &Asked<'_>) -> Response {
    let Some(op) = Op::find(asked.method, asked.path) else {
        return problem(&Refused(404, "No such endpoint."), asked.path);
    };
    if op != Op::LoginPage && !key_is_right(headers, &inner.options.api_key) {
        return problem(&Refused(401, "The API key is missing or invalid."), asked.path);
    }
    if let Some(seconds) = over_limit(shared, op) {
        return too_many(Some(seconds));
    }
    for server in shared.servers.values_mut() {
        server.expire(Instant::now());
    }
    match answer(inner, shared, op, asked) {
        Ok((status, value)) => json_response(status, "application/json", &value),
        Err(refused) => problem(&refused, asked.path),
    }
}

fn key_is_right(headers: &HeaderMap, key: &str) -> bool {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.strip_prefix("Bearer ").is_some_and(|given| given.trim().eq_ignore_ascii_case(key))
}

/// Counts the request. Returns the seconds until the window ends if it is over the limit.
fn over_limit(shared: &mut Shared, op: Op<'_>) -> Option<u64> {
    if !shared.rate_limits {
        return None;
    }
    let (name, allowed) = op.limit();
    let now = Instant::now();
    let window = shared.limits.entry(name).or_insert(Window { start: now, count: 0 });
    if now.duration_since(window.start) >= MINUTE {
        *window = Window { start: now, count: 0 };
    }
    window.count = window.count.saturating_add(1);
    (window.count > allowed).then(|| (window.start + MINUTE).duration_since(now).as_secs().max(1))
}

fn answer(inner: &Arc<Inner>, shared: &mut Shared, op: Op<'_>, asked: &Asked<'_>) -> Answer {
    let community =
        || json!({"comId": inner.options.community, "name": "Demo Community", "timezone": "America/Phoenix", "customLoginUrl": ""});
    match op {
        Op::Version => Ok((200, json!({"version": 2, "name": "PLUS"}))),
        Op::Info => {
            let codes = ["10-4", "10-8", "10-23", "10-42", "10-50", "10-62", "10-80", "10-99"];
            Ok((200, json!({"uuid": "5a3c2f10-7d41-4e0b-a5f2-0c9b6a1d4e77", "community": community(), "codes": codes})))
        }
        Op::LoginPage => Ok((200, community())),
        Op::Servers => {
            Ok((200, json!({"servers": shared.servers.iter().map(|(id, server)| server_entry(*id, server)).collect::<Vec<_>>()})))
        }
        Op::Account => people::account(shared, asked.query),
        Op::Accounts => people::accounts(shared, asked.query),
        Op::CurrentCall(uuid) => people::current_call(shared, uuid),
        Op::Identifiers(uuid) => people::identifiers(shared, uuid),
        Op::Lookup => lookups::lookup(shared, asked.body.ok_or(NO_JSON)?),
        Op::Templates => Ok((200, json!(shared.templates))),
        Op::Template(id) => templates::one(shared, id).map(|template| (200, Value::Object(template.clone()))),
        Op::Units(server)
        | Op::AccountUnits(server, _)
        | Op::Status(server)
        | Op::Panic(server)
        | Op::Kick(server)
        | Op::Calls(server)
        | Op::Create911(server)
        | Op::Remove911(server, _)
        | Op::CreateDispatch(server)
        | Op::CreateCustomDispatch(server)
        | Op::EditDispatch(server, _)
        | Op::Attach(server, _)
        | Op::Detach(server)
        | Op::Note(server, _)
        | Op::Close(server)
        | Op::Postal(server, _)
        | Op::Primary(server, _) => {
            let Shared { servers, accounts, selected, templates, .. } = &mut *shared;
            let people = People { accounts, selected };
            let state = servers.get_mut(&server).ok_or(Refused(404, "The server is not configured for this community."))?;
            let body = asked.body.ok_or(NO_JSON)?;
            let (status, value, events) = on_server(state, &people, templates, op, asked, body, inner.options.push_api_removals)?;
            for (kind, data) in events {
                inner.raise(shared, server, kind, data);
            }
            Ok((status, value))
        }
    }
}

const NO_JSON: Refused = Refused(400, "The request body is not valid JSON.");

fn on_server(
    state: &mut Server,
    people: &People<'_>,
    templates: &[Object],
    op: Op<'_>,
    asked: &Asked<'_>,
    body: &Value,
    push_removals: bool,
) -> Result<(u16, Value, Events), Refused> {
    const NO_CALL: Refused = Refused(404, "The call does not exist.");
    let now = iso_now();
    let query = asked.query;
    let shown = |unit: &&Object| !query_flag(query, "onlyUnits", true) || unit.get("isDispatch") != Some(&Value::Bool(true));
    let ok = |value: Value| Ok((200, value, Vec::new()));
    match op {
        Op::Units(_) => ok(json!(page_of(state.units.values().filter(shown), query, "limit", "offset", 100))),
        Op::AccountUnits(_, uuid) => ok(json!({"Units": page_of(units_of(state, uuid).filter(shown), query, "limit", "offset", 100)})),
        Op::Status(_) => {
            let wanted = body.get("status").and_then(Value::as_i64).ok_or(Refused(400, "status must be an integer."))?;
            let idents = people.target(state, body, false)?;
            let updated = set_units(state, &idents, "status", &wanted.into()).unwrap_or_default().len();
            ok(json!({"updated": updated, "status": status_name(wanted)}))
        }
        Op::Panic(_) => {
            let on = body.get("isPanic").and_then(Value::as_bool).ok_or(Refused(400, "isPanic must be a boolean."))?;
            let idents = people.target(state, body, false)?;
            let updated = set_units(state, &idents, "isPanic", &on.into()).unwrap_or_default().len();
            ok(json!({"updated": updated, "isPanic": on}))
        }
        Op::Kick(_) => kick(state, people, body).map(|value| (200, value, Vec::new())),
        Op::Calls(_) => ok(calls(state, query)),
        Op::Create911(_) => create_911(state, body, &now),
        Op::Remove911(server, call) => {
            if state.remove_911(&[call]).is_empty() {
                return Err(NO_CALL);
            }
            let events = if push_removals { vec![("EVENT_REMOVE_911", json!({"callIds": [call]}))] } else { Vec::new() };
            Ok((200, json!({"callId": call, "serverId": server}), events))
        }
        Op::CreateDispatch(_) => create_dispatch(state, people, body, &now).map(|value| (201, value, Vec::new())),
        Op::CreateCustomDispatch(_) => templates::create(state, people, templates, body, &now).map(|value| (201, value, Vec::new())),
        Op::EditDispatch(_, call) => {
            let patch = dispatch_fields(body)?;
            if patch.is_empty() {
                return Err(Refused(400, "Nothing to change."));
            }
            state.edit_dispatch(call, &patch, &now).map(|call| (200, Value::Object(call), Vec::new())).ok_or(NO_CALL)
        }
        Op::Attach(_, call) => {
            let idents = people.target(state, body, true)?;
            if idents.is_empty() {
                return Err(Refused(404, "No unit matches."));
            }
            state.attach(call, &idents, &now).ok_or(NO_CALL)?;
            ok(json!({"callId": call, "identIds": idents}))
        }
        Op::Detach(_) => {
            let idents = people.target(state, body, true)?;
            if idents.is_empty() {
                return Err(Refused(404, "No unit matches."));
            }
            for ident in &idents {
                for call in state.calls_of(*ident) {
                    state.detach(call, &[*ident], &now);
                }
            }
            ok(json!({"identIds": idents}))
        }
        Op::Note(_, call) => {
            let text = body.get("note").and_then(Value::as_str).ok_or(Refused(400, "note must be a text."))?;
            let kind = body.get("noteType").and_then(Value::as_str).unwrap_or("text");
            let label = body.get("label").and_then(Value::as_str).unwrap_or("Sonoran CAD");
            let note = json!({"time": now, "label": label, "type": kind, "content": text});
            if state.add_note(call, &note, &now) { ok(json!({"callId": call, "note": text})) } else { Err(NO_CALL) }
        }
        Op::Close(_) => {
            if !body.get("callIds").is_some_and(Value::is_array) {
                return Err(Refused(400, "callIds must be a list."));
            }
            let done = state.close(&ints(body.get("callIds")), &now);
            if done.is_empty() { Err(NO_CALL) } else { ok(json!({"callIds": done})) }
        }
        Op::Postal(_, call) => {
            let postal = body.get("postal").and_then(Value::as_str).ok_or(Refused(400, "postal must be a text."))?;
            state.edit_dispatch(call, &object(json!({"postal": postal})), &now).ok_or(NO_CALL)?;
            ok(json!({"callId": call, "postal": postal}))
        }
        Op::Primary(_, call) => {
            let ident = body.get("identId").and_then(Value::as_i64).ok_or(Refused(400, "identId must be an integer."))?;
            let track = body.get("trackPrimary").and_then(Value::as_bool).unwrap_or(false);
            state.edit_dispatch(call, &object(json!({"primary": ident, "trackPrimary": track})), &now).ok_or(NO_CALL)?;
            ok(json!({"callId": call, "identId": ident, "trackPrimary": track}))
        }
        // Answered without a server.
        _ => Err(Refused(404, "No such endpoint.")),
    }
}

fn kick(state: &mut Server, people: &People<'_>, body: &Value) -> Result<Value, Refused> {
    let now = iso_now();
    let mut one = |order: &Value| {
        let reason = order.get("reason").and_then(Value::as_str).ok_or(Refused(400, "reason is required."))?;
        let ident = people.target(state, order, false)?.first().copied().ok_or(Refused(404, "No unit matches."))?;
        for call in state.calls_of(ident) {
            state.detach(call, &[ident], &now);
        }
        state.units.remove(&ident);
        Ok(json!({"identId": ident, "reason": reason}))
    };
    match body {
        Value::Array(orders) => {
            let kicked = orders.iter().map(one).collect::<Result<Vec<_>, _>>()?;
            Ok(json!({"count": kicked.len(), "kicked": kicked}))
        }
        order => one(order),
    }
}

fn server_entry(id: i64, server: &Server) -> Value {
    json!({
        "id": id, "name": server.name, "description": "", "signal": "", "mapUrl": "", "mapIp": "127.0.0.1", "listenerPort": "30120",
        "differingOutbound": false, "outboundIp": "", "enableMap": false, "mapType": "NORMAL", "isStatic": false, "liveMapFormat": 0,
    })
}

fn status_name(status: i64) -> String {
    match status {
        0 => "UNAVAILABLE".to_owned(),
        1 => "BUSY".to_owned(),
        2 => "AVAILABLE".to_owned(),
        3 => "ENROUTE".to_owned(),
        4 => "ON_SCENE".to_owned(),
        100 => "OFFLINE".to_owned(),
        other => other.to_string(),
    }
}

fn json_response(status: u16, kind: &'static str, value: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, kind)], value.to_string()).into_response()
}

fn problem(refused: &Refused, path: &str) -> Response {
    let Refused(status, detail) = refused;
    let title = StatusCode::from_u16(*status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Error");
    let trace = random_hex(16);
    let body = json!({
        "type": format!("https://httpstatuses.io/{status}"), "title": title, "status": status, "detail": detail, "instance": path, "traceId": trace,
    });
    json_response(*status, "application/problem+json", &body)
}

/// The gateway in front of the CAD answers this, not the CAD.
fn too_many(retry_after: Option<u64>) -> Response {
    let body = json!({"message": "API rate limit exceeded", "request_id": random_hex(16)});
    with_retry_after(json_response(429, "application/json", &body), retry_after)
}

fn faulty(code: u16, retry_after: Option<u64>, path: &str) -> Response {
    let response = match code {
        429 => return too_many(retry_after),
        502..=504 => {
            let status = StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_GATEWAY);
            (status, [(header::CONTENT_TYPE, "text/html")], format!("<html><h1>{code}</h1></html>")).into_response()
        }
        _ => problem(&Refused(code, "Asked for by the simulator's operator."), path),
    };
    with_retry_after(response, retry_after)
}

fn with_retry_after(mut response: Response, retry_after: Option<u64>) -> Response {
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
