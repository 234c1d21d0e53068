//! REST v2, the operations a bot calls (contract e). What it changes raises no event, but a new 911.
//!
//! ```text
//! request ─▶ fault? ─▶ route (404) ─▶ key (401) ─▶ limit (429) ─▶ server (404) ─▶ body (400) ─▶ answer
//! ```

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::fault::RestTrouble;
use super::state::{CLOSED, Object, Server, ints, object};
use super::verbs::{group_of, set_units};
use super::{Account, Inner, Seen, Shared, iso_now, random_hex, shortened};

/// Largest request body.
const BODY_LIMIT: usize = 256 * 1024;

/// Larger bodies are logged as null.
const BODY_LOGGED: usize = 8 * 1024;

const MINUTE: Duration = Duration::from_secs(60);

/// Requests to one endpoint in the current minute.
pub(super) struct Window {
    start: Instant,
    count: u32,
}

/// What was asked for. Numbers are a server and a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op<'a> {
    Version,
    Info,
    LoginPage,
    Servers,
    Account,
    CurrentCall(&'a str),
    Identifiers(&'a str),
    Units(i64),
    AccountUnits(i64, &'a str),
    Status(i64),
    Panic(i64),
    Kick(i64),
    Calls(i64),
    Create911(i64),
    Remove911(i64, i64),
    CreateDispatch(i64),
    EditDispatch(i64, i64),
    Attach(i64, i64),
    Detach(i64),
    Note(i64, i64),
    Close(i64),
    Postal(i64, i64),
    Primary(i64, i64),
}

impl<'a> Op<'a> {
    fn find(method: &str, path: &'a str) -> Option<Self> {
        let parts: Vec<&str> = path.strip_prefix("/v2/")?.trim_end_matches('/').split('/').collect();
        let number = |text: &str| text.parse::<i64>().ok();
        Some(match (method, parts.as_slice()) {
            ("GET", ["general", "version"]) => Op::Version,
            ("GET", ["general", "info"]) => Op::Info,
            ("GET", ["general", "login-page"]) => Op::LoginPage,
            ("GET", ["general", "servers"]) => Op::Servers,
            ("GET", ["general", "accounts", "account"]) => Op::Account,
            ("GET", ["emergency", "accounts", uuid, "current-call"]) => Op::CurrentCall(uuid),
            ("GET", ["emergency", "accounts", uuid, "identifiers"]) => Op::Identifiers(uuid),
            (method, ["emergency", "servers", server, rest @ ..]) => {
                let server = number(server)?;
                match (method, rest) {
                    ("GET", ["units"]) => Op::Units(server),
                    ("GET", ["accounts", uuid, "units"]) => Op::AccountUnits(server, uuid),
                    ("PATCH", ["units", "status"]) => Op::Status(server),
                    ("PATCH", ["units", "panic"]) => Op::Panic(server),
                    ("POST" | "DELETE", ["units", "kick"]) => Op::Kick(server),
                    ("GET", ["calls"]) => Op::Calls(server),
                    ("POST", ["calls", "911"]) => Op::Create911(server),
                    ("DELETE", ["calls", "911", call]) => Op::Remove911(server, number(call)?),
                    ("POST", ["dispatch-calls"]) => Op::CreateDispatch(server),
                    ("POST", ["dispatch-calls", "close"]) => Op::Close(server),
                    ("DELETE", ["dispatch-calls", "attachments"]) => Op::Detach(server),
                    ("PATCH", ["dispatch-calls", call]) => Op::EditDispatch(server, number(call)?),
                    ("POST", ["dispatch-calls", call, "attachments"]) => Op::Attach(server, number(call)?),
                    ("POST", ["dispatch-calls", call, "notes"]) => Op::Note(server, number(call)?),
                    ("PATCH", ["dispatch-calls", call, "postal"]) => Op::Postal(server, number(call)?),
                    ("PATCH", ["dispatch-calls", call, "primary"]) => Op::Primary(server, number(call)?),
                    _ => return None,
                }
            }
            _ => return None,
        })
    }

    /// Name and requests per minute (contract e.3).
    fn limit(self) -> (&'static str, u32) {
        match self {
            Op::Version => ("version", 10),
            Op::Info => ("info", 10),
            Op::LoginPage => ("login-page", 10),
            Op::Servers => ("servers", 10),
            Op::Account => ("account", 10),
            Op::CurrentCall(_) => ("current-call", 10),
            Op::Identifiers(_) => ("identifiers", 10),
            Op::Units(_) => ("units", 3),
            Op::AccountUnits(..) => ("account-units", 10),
            Op::Status(_) => ("status", 30),
            Op::Panic(_) => ("panic", 20),
            Op::Kick(_) => ("kick", 20),
            Op::Calls(_) => ("calls", 5),
            Op::Create911(_) => ("create-911", 10),
            Op::Remove911(..) => ("remove-911", 10),
            Op::CreateDispatch(_) => ("create-dispatch", 20),
            Op::EditDispatch(..) => ("edit-dispatch", 10),
            Op::Attach(..) => ("attach", 10),
            Op::Detach(_) => ("detach", 10),
            Op::Note(..) => ("note", 60),
            Op::Close(_) => ("close", 20),
            Op::Postal(..) => ("postal", 20),
            Op::Primary(..) => ("primary", 10),
        }
    }
}

/// A refusal: status, and `detail` of the problem document.
struct Refused(u16, &'static str);

type Answer = Result<(u16, Value), Refused>;

/// Everything that is not the hub.
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
            // A body that cannot be had: hyper breaks the connection.
            let broken = futures_util::stream::once(async { Err::<&str, _>(std::io::Error::other("broken on purpose")) });
            return Response::new(axum::body::Body::from_stream(broken));
        }
        Some(RestTrouble::Status(..) | RestTrouble::Garbage) | None => {}
    }
    response
}

struct Asked<'a> {
    method: &'a str,
    path: &'a str,
    query: &'a str,
    /// Null for none, `None` for something that is no JSON.
    body: Option<&'a Value>,
}

/// The answer, and what is wrong with the way it takes.
fn respond(inner: &Arc<Inner>, headers: &HeaderMap, asked: &Asked<'_>) -> (Response, Option<RestTrouble>) {
    inner.change(|shared| {
        let trouble = shared.faults.rest(asked.path);
        let response = match &trouble {
            Some(RestTrouble::Status(code, retry_after)) => faulty(*code, *retry_after, asked.path),
            Some(RestTrouble::Garbage) => ([(header::CONTENT_TYPE, "text/html")], "<html><h1>Welcome</h1></html>").into_response(),
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

/// Counts the request; the seconds until the window ends, if it is one too many.
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
        Op::Account => account(shared, asked.query),
        Op::CurrentCall(uuid) => current_call(shared, uuid),
        Op::Identifiers(uuid) => {
            let units: Vec<&Object> = shared.servers.values().flat_map(|server| units_of(server, uuid)).collect();
            let selected = units.first().and_then(|unit| unit.get("id")).cloned().unwrap_or_default();
            Ok((200, json!({"SelectedIdent": selected, "Identifiers": units})))
        }
        Op::Units(server)
        | Op::AccountUnits(server, _)
        | Op::Status(server)
        | Op::Panic(server)
        | Op::Kick(server)
        | Op::Calls(server)
        | Op::Create911(server)
        | Op::Remove911(server, _)
        | Op::CreateDispatch(server)
        | Op::EditDispatch(server, _)
        | Op::Attach(server, _)
        | Op::Detach(server)
        | Op::Note(server, _)
        | Op::Close(server)
        | Op::Postal(server, _)
        | Op::Primary(server, _) => {
            let Shared { servers, accounts, .. } = &mut *shared;
            let state = servers.get_mut(&server).ok_or(Refused(404, "The server is not configured for this community."))?;
            let body = asked.body.ok_or(Refused(400, "The request body is not valid JSON."))?;
            let (status, value, events) = on_server(state, accounts, op, asked.query, body, inner.options.push_api_removals)?;
            for (kind, data) in events {
                inner.raise(shared, server, kind, data);
            }
            Ok((status, value))
        }
    }
}

type Events = Vec<(&'static str, Value)>;

fn on_server(
    state: &mut Server,
    accounts: &[Account],
    op: Op<'_>,
    query: &str,
    body: &Value,
    push_removals: bool,
) -> Result<(u16, Value, Events), Refused> {
    const NO_CALL: Refused = Refused(404, "The call does not exist.");
    let now = iso_now();
    let ok = |value: Value| Ok((200, value, Vec::new()));
    match op {
        Op::Units(_) => {
            let only_units = query_flag(query, "onlyUnits", true);
            let shown = state.units.values().filter(|unit| !only_units || unit.get("isDispatch") != Some(&Value::Bool(true)));
            ok(json!(page_of(shown, query, "limit", "offset", 100)))
        }
        Op::AccountUnits(_, uuid) => ok(json!({"Units": page_of(units_of(state, uuid), query, "limit", "offset", 100)})),
        Op::Status(_) => {
            let wanted = body.get("status").and_then(Value::as_i64).ok_or(Refused(400, "status must be an integer."))?;
            let idents = target(state, accounts, body)?;
            let updated = set_units(state, &idents, "status", &wanted.into()).unwrap_or_default().len();
            ok(json!({"updated": updated, "status": status_name(wanted)}))
        }
        Op::Panic(_) => {
            let on = body.get("isPanic").and_then(Value::as_bool).ok_or(Refused(400, "isPanic must be a boolean."))?;
            let idents = target(state, accounts, body)?;
            let updated = set_units(state, &idents, "isPanic", &on.into()).unwrap_or_default().len();
            ok(json!({"updated": updated, "isPanic": on}))
        }
        Op::Kick(_) => kick(state, accounts, body).map(|value| (200, value, Vec::new())),
        Op::Calls(_) => ok(calls(state, query)),
        Op::Create911(_) => create_911(state, body, &now),
        Op::Remove911(server, call) => {
            if state.remove_911(&[call]).is_empty() {
                return Err(NO_CALL);
            }
            let events = if push_removals { vec![("EVENT_REMOVE_911", json!({"callIds": [call]}))] } else { Vec::new() };
            Ok((200, json!({"callId": call, "serverId": server}), events))
        }
        Op::CreateDispatch(_) => create_dispatch(state, accounts, body, &now).map(|value| (201, value, Vec::new())),
        Op::EditDispatch(_, call) => {
            let patch = dispatch_fields(body)?;
            if patch.is_empty() {
                return Err(Refused(400, "Nothing to change."));
            }
            state.edit_dispatch(call, &patch, &now).map(|call| (200, Value::Object(call), Vec::new())).ok_or(NO_CALL)
        }
        Op::Attach(_, call) => {
            let idents = target(state, accounts, body)?;
            if idents.is_empty() {
                return Err(Refused(404, "No unit matches."));
            }
            state.attach(call, &idents, &now).ok_or(NO_CALL)?;
            ok(json!({"callId": call, "identIds": idents}))
        }
        Op::Detach(_) => {
            let idents = target(state, accounts, body)?;
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
        Op::Version | Op::Info | Op::LoginPage | Op::Servers | Op::Account | Op::CurrentCall(_) | Op::Identifiers(_) => {
            Err(Refused(404, "No such endpoint."))
        }
    }
}

fn calls(state: &Server, query: &str) -> Value {
    let kind = query_number(query, "type").unwrap_or(100);
    let (dispatches, emergencies) = (kind != 1, kind != 0);
    let active: Vec<&Object> = state.dispatches.values().filter(|_| dispatches).collect();
    let emergency: Vec<&Object> = state.emergencies.values().filter(|_| emergencies).map(|emergency| &emergency.call).collect();
    let closed = page_of(state.closed.iter().filter(|_| dispatches), query, "closedLimit", "closedOffset", 10);
    json!({"ActiveCalls": active, "EmergencyCalls": emergency, "ClosedCalls": closed, "ClosedCallCount": state.closed.len()})
}

fn create_911(state: &mut Server, body: &Value, now: &str) -> Result<(u16, Value, Events), Refused> {
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
    let minutes = body.get("deleteAfterMinutes").and_then(Value::as_u64).map(|minutes| minutes.min(24 * 60));
    let call = Value::Object(state.add_911(call, minutes.map(|minutes| Instant::now() + Duration::from_secs(60 * minutes))));
    // The one change by the API that raises an event.
    Ok((200, call.clone(), vec![("EVENT_911", json!({"call": call}))]))
}

fn create_dispatch(state: &mut Server, accounts: &[Account], body: &Value, now: &str) -> Result<Value, Refused> {
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
    if let Some(notes) = body.get("notes") {
        call.insert("notes".into(), notes.as_array().cloned().map(Value::Array).ok_or(Refused(400, "notes must be a list."))?);
    }
    call.insert("idents".into(), json!(target(state, accounts, body)?));
    Ok(Value::Object(state.add_dispatch(call)))
}

/// The editable fields of a dispatch in a request, each of the right kind.
fn dispatch_fields(body: &Value) -> Result<Object, Refused> {
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

/// `metaData` in requests holds texts only.
fn text_map(value: Option<&Value>) -> Result<Value, Refused> {
    match value {
        None | Some(Value::Null) => Ok(json!({})),
        Some(Value::Object(fields)) if fields.values().all(Value::is_string) => Ok(Value::Object(fields.clone())),
        Some(_) => Err(Refused(400, "metaData must map texts to texts.")),
    }
}

/// Resolves who is meant. Exactly one selector; an account nobody knows is a 404, one that is off duty an empty list.
fn target(state: &Server, accounts: &[Account], body: &Value) -> Result<Vec<i64>, Refused> {
    const SELECTORS: [&str; 8] =
        ["communityUserId", "communityUserIds", "roblox", "discord", "accountUuid", "accounts", "identIds", "groupName"];
    let given: Vec<(&str, &Value)> = SELECTORS.iter().filter_map(|name| Some((*name, body.get(name)?))).collect();
    let [(selector, value)] = given.as_slice() else {
        return Err(Refused(400, "Exactly one unit selector is required."));
    };
    let texts: Vec<&str> = match value {
        Value::String(text) => vec![text],
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let matching = |wanted: &dyn Fn(&Object) -> bool| {
        state.units.iter().filter(|(_, unit)| wanted(unit)).map(|(&ident, _)| ident).collect::<Vec<i64>>()
    };
    let of_account = |unit: &Object, uuid: &str| unit.get("accId").and_then(Value::as_str) == Some(uuid);
    Ok(match *selector {
        "identIds" => ints(Some(value)).into_iter().filter(|ident| state.units.contains_key(ident)).collect(),
        "groupName" => matching(&|unit| !group_of(unit).is_empty() && texts.contains(&group_of(unit).as_str())),
        "accountUuid" | "accounts" => matching(&|unit| texts.iter().any(|uuid| of_account(unit, uuid))),
        "discord" => {
            let account = accounts.iter().find(|account| account.discord.as_deref().is_some_and(|id| texts.contains(&id)));
            let account = account.ok_or(Refused(404, "The Discord user is not linked to an account in this community."))?;
            matching(&|unit| of_account(unit, &account.uuid))
        }
        "communityUserId" | "communityUserIds" => matching(&|unit| {
            let own = unit.get("data").and_then(|data| data.get("communityUserId")).and_then(Value::as_str);
            own.is_some_and(|id| texts.contains(&id))
        }),
        // Nobody here has a Roblox account.
        _ => Vec::new(),
    })
}

fn kick(state: &mut Server, accounts: &[Account], body: &Value) -> Result<Value, Refused> {
    let now = iso_now();
    let mut one = |order: &Value| {
        let reason = order.get("reason").and_then(Value::as_str).ok_or(Refused(400, "reason is required."))?;
        let ident = target(state, accounts, order)?.first().copied().ok_or(Refused(404, "No unit matches."))?;
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

fn account(shared: &Shared, query: &str) -> Answer {
    let selectors: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .filter(|(name, _)| ["discord", "communityUserId", "roblox", "accountUuid", "username"].contains(&name.as_str()))
        .collect();
    let [(selector, value)] = selectors.as_slice() else {
        return Err(Refused(400, "Exactly one account selector is required."));
    };
    let found = shared.accounts.iter().find(|account| match selector.as_str() {
        "discord" => account.discord.as_ref() == Some(value),
        "communityUserId" => account.community_user_id.as_ref() == Some(value),
        "accountUuid" => &account.uuid == value,
        "username" => &account.username == value,
        _ => false,
    });
    let account = found.ok_or(Refused(404, "The account does not exist in this community."))?;
    let names = ["police", "fire", "ems", "dispatch", "selfDispatch", "liveMap", "admin", "adminInGameIntegration"];
    let mut permissions: Object = names.iter().map(|name| ((*name).to_owned(), Value::Bool(false))).collect();
    permissions.extend(account.permissions.iter().map(|name| (name.clone(), Value::Bool(true))));
    Ok((
        200,
        json!({
            "uuid": account.uuid, "username": account.username, "communityUserId": account.community_user_id, "status": 1,
            "joined": "2026-01-14T18:22:00Z", "lastLogin": iso_now(), "permissions": permissions,
        }),
    ))
}

fn current_call(shared: &Shared, uuid: &str) -> Answer {
    for server in shared.servers.values() {
        for unit in units_of(server, uuid) {
            let ident = unit.get("id").and_then(Value::as_i64).unwrap_or_default();
            if let Some(call) = server.calls_of(ident).first() {
                return Ok((200, json!({"IdentId": ident, "CallId": call})));
            }
        }
    }
    Err(Refused(404, "The account has no current call."))
}

fn units_of<'a>(server: &'a Server, uuid: &str) -> impl Iterator<Item = &'a Object> {
    server.units.values().filter(move |unit| unit.get("accId").and_then(Value::as_str) == Some(uuid))
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

fn page_of<'a>(items: impl Iterator<Item = &'a Object>, query: &str, limit: &str, offset: &str, default: usize) -> Vec<&'a Object> {
    let number = |name: &str| query_number(query, name).and_then(|n| usize::try_from(n).ok());
    items.skip(number(offset).unwrap_or(0)).take(number(limit).unwrap_or(default).min(100)).collect()
}

fn query_text(query: &str, name: &str) -> Option<String> {
    url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn query_number(query: &str, name: &str) -> Option<i64> {
    query_text(query, name)?.parse().ok()
}

fn query_flag(query: &str, name: &str, default: bool) -> bool {
    query_text(query, name).map_or(default, |text| text.eq_ignore_ascii_case("true"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_operations() {
        let base = "/v2/emergency/servers/3";
        assert_eq!(Op::find("GET", "/v2/general/version"), Some(Op::Version));
        assert_eq!(Op::find("POST", &format!("{base}/dispatch-calls/close")), Some(Op::Close(3)));
        assert_eq!(Op::find("PATCH", &format!("{base}/dispatch-calls/7")), Some(Op::EditDispatch(3, 7)));
        assert_eq!(Op::find("DELETE", &format!("{base}/dispatch-calls/attachments")), Some(Op::Detach(3)));
        assert_eq!(Op::find("GET", &format!("{base}/dispatch-calls/7")), None);
        assert_eq!(Op::find("GET", "/v2/emergency/servers/x/units"), None);
        assert_eq!(Op::find("GET", "/general/version"), None);
    }

    #[test]
    fn a_target_is_one_selector() {
        let mut state = Server::new("s", None);
        let unit =
            |uuid: &str, group: &str| object(json!({"accId": uuid, "data": {"group": group, "communityUserId": format!("c-{uuid}")}}));
        let (a, b) = (state.add_unit(unit("a", "ENGINE")), state.add_unit(unit("b", "")));
        let accounts = [
            Account { uuid: "a".into(), discord: Some("77".into()), ..Account::default() },
            Account { uuid: "c".into(), discord: Some("88".into()), ..Account::default() },
        ];
        let find = |body: Value| target(&state, &accounts, &body).map_err(|refused| refused.0);
        assert_eq!(find(json!({"discord": "77"})), Ok(vec![a]));
        assert_eq!(find(json!({"discord": "88"})), Ok(vec![]));
        assert_eq!(find(json!({"discord": "99"})), Err(404));
        assert_eq!(find(json!({"identIds": [b, 1]})), Ok(vec![b]));
        assert_eq!(find(json!({"communityUserIds": ["c-b", "c-a"]})), Ok(vec![a, b]));
        assert_eq!(find(json!({"groupName": "ENGINE"})), Ok(vec![a]));
        assert_eq!(find(json!({"accounts": []})), Ok(vec![]));
        assert_eq!(find(json!({})), Err(400));
        assert_eq!(find(json!({"discord": "77", "accountUuid": "a"})), Err(400));
    }
}
