//! The HTTP server: one port for REST, attachments and the gateway's WebSocket.
//!
//! hyper itself rather than axum's router: a planned fault must be able to close a connection without an answer, which only a failing
//! hyper service does, and the routes are one `match` on the path's segments.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, UPGRADE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::answer::ApiError;
use super::body::{self, Body};
use super::fault::Action;
use super::limits::too_many;
use super::model::Arrival;
use super::shared::Core;
use super::state::State;
use super::{gateway, messages, rest};

/// Largest request body, in bytes: ten uploads would be more, but our bot doesn't send them.
const MAX_BODY: usize = 26 * 1024 * 1024;
/// Connections at once; more wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 512;

type Reply = Response<Full<Bytes>>;

/// Why a connection is closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is dropped on purpose")]
struct Dropped;

/// Accepts connections until the simulator stops.
pub(super) async fn accept(core: Arc<Core>, listener: TcpListener) {
    let slots = Arc::new(tokio::sync::Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        let stream = tokio::select! {
            () = core.stopped.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                // Out of descriptors, or the peer left at once: wait a moment, then continue.
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                }
            },
        };
        let core_of_it = Arc::clone(&core);
        core.tasks.spawn(async move {
            connection(core_of_it, stream).await;
            drop(slot);
        });
    }
}

async fn connection(core: Arc<Core>, stream: TcpStream) {
    stream.set_nodelay(true).ok();
    let service = {
        let core = Arc::clone(&core);
        service_fn(move |request| answer(Arc::clone(&core), request))
    };
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(60))
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::select! {
        () = core.stopped.cancelled() => {}
        _ = served => {}
    }
}

async fn answer(core: Arc<Core>, request: Request<Incoming>) -> Result<Reply, Dropped> {
    if request.headers().contains_key("sec-websocket-key") {
        return Ok(upgrade(&core, request));
    }
    // discord.js writes `@original` as `%40original`.
    let path = body::percent_decode(request.uri().path());
    let segments: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
    if let Some((kind, bytes)) = core.read(|state| messages::file(state, &segments)) {
        return Ok(plain(StatusCode::OK, &kind, bytes));
    }
    if segments.first() != Some(&"api") {
        return Ok(plain(StatusCode::NOT_FOUND, "text/plain", Bytes::from_static(b"not found")));
    }
    let method = request.method().as_str().to_owned();
    let search = request.uri().query().unwrap_or_default().to_owned();
    let header = |name: HeaderName| request.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let (authorization, content_type) = (header(AUTHORIZATION), header(CONTENT_TYPE).unwrap_or_default());
    let collected = Limited::new(request.into_body(), MAX_BODY).collect().await;
    let bytes = match collected {
        Ok(all) => all.to_bytes(),
        Err(_) => return Ok(json_reply(413, &ApiError::new(413, 40005, "Request entity too large").into_value(), &[])),
    };
    let asked = Asked { arrived: Instant::now(), method, path, search, authorization, body: body::parse(&content_type, &bytes) };
    let now_or_late = core.with(|state| match state.faults.take(&asked.method, &asked.path) {
        Some(Action::Late(ms)) => Err((Box::new(asked), ms)),
        fault => Ok(asked.done(state, fault)),
    });
    let done = match now_or_late {
        Ok(done) => done,
        Err((asked, ms)) => {
            let (task_core, stopped) = (Arc::clone(&core), core.stopped.clone());
            // On its own task: the client may be gone by then, and the work must still be done.
            let work = core.tasks.spawn(async move {
                tokio::select! {
                    () = stopped.cancelled() => None,
                    () = tokio::time::sleep(Duration::from_millis(ms)) => Some(task_core.with(|state| asked.done(state, None))),
                }
            });
            work.await.ok().flatten().ok_or(Dropped)?
        }
    };
    match done {
        (Outcome::Reply(done), delay) => {
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            let body = done.body.unwrap_or(Value::Null);
            Ok(json_reply(done.status, &body, &done.headers))
        }
        (Outcome::Page(status), _) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
            Ok(plain(status, "text/html", Bytes::from_static(b"<html><body>upstream connect error</body></html>")))
        }
        (Outcome::Drop, _) => Err(Dropped),
        (Outcome::Hang, _) => {
            core.stopped.cancelled().await;
            Err(Dropped)
        }
    }
}

/// A request that was read.
struct Asked {
    arrived: Instant,
    method: String,
    path: String,
    search: String,
    authorization: Option<String>,
    body: Option<Body>,
}

impl Asked {
    /// Serves the request or its fault, and logs it. Also returns how long the answer is delayed.
    fn done(self, state: &mut State, fault: Option<Action>) -> (Outcome, Duration) {
        let Self { arrived, method, path, search, authorization, body } = self;
        let at_ms = state.now();
        let shown = body.as_ref().map_or(Value::Null, |b| b.json.clone());
        let segments: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).skip(1).collect();
        // Without a version, Discord means an old one; every client names it.
        let rest = match segments.as_slice() {
            [version, rest @ ..] if version.strip_prefix('v').is_some_and(|v| v.parse::<u8>().is_ok()) => rest,
            rest => rest,
        };
        let work = |state: &mut State| perform(state, &method, rest, &search, authorization.as_deref(), body);
        let mut delay = Duration::ZERO;
        let outcome = match fault {
            None | Some(Action::Late(_)) => Outcome::Reply(work(state)),
            Some(Action::Status(status, body)) => Outcome::Reply(Done {
                status,
                body: Some(body.unwrap_or_else(|| json!({"message": format!("{status}: planned fault"), "code": 0}))),
                headers: Vec::new(),
            }),
            Some(Action::RateLimit(scope, wait_ms)) => {
                let (body, headers) = too_many(scope, wait_ms);
                Outcome::Reply(Done { status: 429, body: Some(body), headers })
            }
            Some(Action::Hang) => Outcome::Hang,
            Some(Action::Drop) => Outcome::Drop,
            Some(Action::DoThenDrop) => {
                work(state);
                Outcome::Drop
            }
            Some(Action::Garbage) => Outcome::Page(200),
            Some(Action::Page(status)) => Outcome::Page(status),
            Some(Action::Delay(ms)) => {
                delay = Duration::from_millis(ms);
                Outcome::Reply(work(state))
            }
        };
        let status = match &outcome {
            Outcome::Reply(done) => done.status,
            Outcome::Page(status) => *status,
            Outcome::Hang | Outcome::Drop => 0,
        };
        let shared = matches!(&outcome, Outcome::Reply(d) if d.headers.iter().any(|(n, v)| *n == "x-ratelimit-scope" && v == "shared"));
        if matches!(status, 401 | 403) || (status == 429 && !shared) {
            state.invalid_requests += 1;
        }
        if let Some(arrivals) = &state.arrivals {
            arrivals.send(Arrival { at: arrived, method: method.clone(), path: path.clone(), status, body: shown.clone() }).ok();
        }
        let full = if search.is_empty() { path.clone() } else { format!("{path}?{search}") };
        state.log_request(json!({"at_ms": at_ms, "method": method, "path": full, "status": status, "body": shown}));
        (outcome, delay)
    }
}

enum Outcome {
    Reply(Done),
    /// A web page.
    Page(u16),
    Drop,
    Hang,
}

struct Done {
    status: u16,
    body: Option<Value>,
    headers: Vec<(&'static str, String)>,
}

/// Checks the token and the rate limit, then routes.
fn perform(state: &mut State, method: &str, parts: &[&str], search: &str, authorization: Option<&str>, body: Option<Body>) -> Done {
    if rest::needs_token(parts) && !rest::is_authorized(state, authorization) {
        return Done { status: 401, body: Some(json!({"message": "401: Unauthorized", "code": 0})), headers: Vec::new() };
    }
    let now = state.now();
    let admission = state.limits.admit(method, parts, now);
    if let Some(denied) = admission.denied {
        return Done { status: 429, body: Some(denied), headers: admission.headers };
    }
    let Some(body) = body else {
        let refusal = json!({"message": "The request body contains invalid JSON.", "code": 50109});
        return Done { status: 400, body: Some(refusal), headers: admission.headers };
    };
    match rest::route(state, method, parts, search, body) {
        Ok(answer) => Done { status: answer.status, body: answer.body, headers: admission.headers },
        Err(refusal) => Done { status: refusal.status, body: Some(refusal.into_value()), headers: admission.headers },
    }
}

fn plain(status: StatusCode, kind: &str, bytes: Bytes) -> Reply {
    let mut reply = Response::new(Full::new(bytes));
    *reply.status_mut() = status;
    if let Ok(kind) = HeaderValue::from_str(kind) {
        reply.headers_mut().insert(CONTENT_TYPE, kind);
    }
    reply
}

fn json_reply(status: u16, body: &Value, headers: &[(&'static str, String)]) -> Reply {
    let bytes = if status == 204 { Bytes::new() } else { Bytes::from(body.to_string()) };
    let mut reply = Response::new(Full::new(bytes));
    *reply.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let all = reply.headers_mut();
    if status != 204 {
        all.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            all.insert(*name, value);
        }
    }
    reply
}

fn upgrade(core: &Arc<Core>, mut request: Request<Incoming>) -> Reply {
    if !core.read(|state| state.gateway_up) {
        return plain(StatusCode::SERVICE_UNAVAILABLE, "text/plain", Bytes::from_static(b"gateway down"));
    }
    let key = request.headers().get("sec-websocket-key").map(|k| derive_accept_key(k.as_bytes()));
    let accept = key.and_then(|k| HeaderValue::from_str(&k).ok());
    let Some(accept) = accept else { return plain(StatusCode::BAD_REQUEST, "text/plain", Bytes::new()) };
    let upgraded = hyper::upgrade::on(&mut request);
    let task_core = Arc::clone(core);
    core.tasks.spawn(async move {
        tokio::select! {
            () = task_core.stopped.cancelled() => {}
            upgraded = upgraded => if let Ok(upgraded) = upgraded {
                gateway::serve(Arc::clone(&task_core), upgraded).await;
            }
        }
    });
    let mut reply = Response::new(Full::new(Bytes::new()));
    *reply.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = reply.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert("sec-websocket-accept", accept);
    reply
}
