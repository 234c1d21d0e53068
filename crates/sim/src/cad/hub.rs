//! The SignalR hub: negotiate, a hand-written WebSocket, and one task per session.
//!
//! ```text
//! upgrade ── handshake ──▶ open ── authenticatev2 ok ──▶ receives the server's events
//!    │          │            │
//!    └──────────┴────────────┴── close record · WebSocket close · cut · client time-out ──▶ over (its token is used up)
//! ```
//!
//! Behavior as measured on ASP.NET Core 3.1 and documented by SignalR's HubProtocol and TransportProtocols.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_util::sync::CancellationToken;

use super::fault::{NegotiateFault, Silence};
use super::record::{self, Incoming, Splitter};
use super::seen::Seen;
use super::session::{Out, Session, Token};
use super::shared::Inner;
use super::values::{random_hex, shortened};

/// Messages waiting for one session; when full, the session is cut as too slow.
const QUEUE: usize = 16_384;

/// A peer that does not read for this long is cut.
const WRITE_LIMIT: Duration = Duration::from_secs(10);

/// Maximum unclaimed tokens.
const MAX_TOKENS: usize = 1_024;

/// `POST /apiWsHub/negotiate`.
pub(super) async fn negotiate(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    if inner.lock().faults.silence == Silence::Negotiate {
        std::future::pending::<()>().await;
    }
    let response = answer_negotiate(&inner, &request);
    inner.note(Seen::Negotiate { status: response.status().as_u16() });
    response
}

fn answer_negotiate(inner: &Inner, request: &Request) -> Response {
    if request.method() != Method::POST {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let headers = request.headers();
    if !headers.contains_key(header::CONTENT_LENGTH) && !headers.contains_key(header::TRANSFER_ENCODING) {
        return StatusCode::LENGTH_REQUIRED.into_response();
    }
    match &inner.lock().faults.negotiate {
        Some(NegotiateFault::Status { code, retry_after }) => return bare(*code, *retry_after),
        Some(NegotiateFault::Answer(answer)) => return json_response(answer),
        None => {}
    }
    let version: i64 = query_value(request, "negotiateVersion").and_then(|text| text.parse().ok()).unwrap_or(0);
    let id = random_hex(11);
    let token = if version >= 1 { random_hex(11) } else { id.clone() };
    let cookie = inner.options.affinity_cookie.then(|| random_hex(8));
    let life = inner.options.token_life;
    let full = inner.change(|shared| {
        shared.tokens.retain(|_, token| token.claimed || token.created.elapsed() < life);
        let full = shared.tokens.len() >= MAX_TOKENS;
        if !full {
            shared.tokens.insert(token.clone(), Token { created: Instant::now(), claimed: false, cookie: cookie.clone() });
        }
        full
    });
    if full {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let transports = json!([{"transport": "WebSockets", "transferFormats": ["Text", "Binary"]}]);
    let mut response = json_response(&if version >= 1 {
        json!({"negotiateVersion": 1, "connectionId": id, "connectionToken": token, "availableTransports": transports})
    } else {
        json!({"negotiateVersion": 0, "connectionId": id, "availableTransports": transports})
    });
    if let Some(cookie) = cookie
        && let Ok(value) = HeaderValue::from_str(&format!("affinity={cookie}; Path=/; HttpOnly"))
    {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}

/// `GET /apiWsHub` with an upgrade to WebSocket.
pub(super) async fn connect(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    if inner.lock().faults.silence == Silence::Upgrade {
        std::future::pending::<()>().await;
    }
    let token = query_value(&request, "id");
    let with_token = token.is_some();
    let (status, response) = match open(&inner, request, token) {
        Ok(response) => (StatusCode::SWITCHING_PROTOCOLS, response),
        Err((status, text)) => (status, (status, text).into_response()),
    };
    inner.note(Seen::Upgrade { status: status.as_u16(), with_token });
    response
}

fn open(inner: &Arc<Inner>, mut request: Request, token: Option<String>) -> Result<Response, (StatusCode, &'static str)> {
    let Some(accept) = websocket_accept(&request) else {
        return Err((StatusCode::BAD_REQUEST, "Connection ID required"));
    };
    if let Some(code) = inner.lock().faults.upgrade_status {
        return Err((StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), ""));
    }
    if let Some(token) = &token {
        claim(inner, token, request.headers())?;
    }
    let (queue, incoming) = mpsc::channel(QUEUE);
    let cut = CancellationToken::new();
    let id = inner.change(|shared| {
        shared.next_session += 1;
        shared.sessions.insert(shared.next_session, Session { server: None, order: 0, cut: cut.clone(), queue });
        shared.next_session
    });
    let guard = SessionGuard { inner: Arc::clone(inner), id, token };
    let on_upgrade = hyper::upgrade::on(&mut request);
    inner.spawn(serve(guard, on_upgrade, incoming, cut));

    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    Ok(response)
}

/// The `Sec-WebSocket-Accept` to answer with, if the request asks for a WebSocket.
fn websocket_accept(request: &Request) -> Option<HeaderValue> {
    let headers = request.headers();
    let names = |name: header::HeaderName, wanted: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        value.split(',').any(|part| part.trim().eq_ignore_ascii_case(wanted))
    };
    let asks = request.method() == Method::GET
        && names(header::UPGRADE, "websocket")
        && names(header::CONNECTION, "upgrade")
        && names(header::SEC_WEBSOCKET_VERSION, "13");
    let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| asks)?;
    HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok()
}

/// Uses up a token: valid for one connection, and only with the cookie that came with it.
fn claim(inner: &Inner, token: &str, headers: &HeaderMap) -> Result<(), (StatusCode, &'static str)> {
    const UNKNOWN: (StatusCode, &str) = (StatusCode::NOT_FOUND, "No Connection with that ID");
    let mut shared = inner.lock();
    let known = shared.tokens.get_mut(token).ok_or(UNKNOWN)?;
    if known.claimed {
        return Err((StatusCode::CONFLICT, ""));
    }
    let cookies = headers.get(header::COOKIE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let other_node = known
        .cookie
        .as_ref()
        .is_some_and(|cookie| !cookies.split(';').any(|pair| pair.trim().strip_prefix("affinity=") == Some(cookie.as_str())));
    if other_node {
        return Err(UNKNOWN);
    }
    if known.created.elapsed() >= inner.options.token_life {
        shared.tokens.remove(token);
        return Err(UNKNOWN);
    }
    known.claimed = true;
    Ok(())
}

/// Removes the session and its token, however its task ends.
struct SessionGuard {
    inner: Arc<Inner>,
    id: u64,
    token: Option<String>,
}

impl Drop for SessionGuard {
    fn drop(&mut self) {
        self.inner.change(|shared| {
            if let Some(token) = &self.token {
                shared.tokens.remove(token);
            }
            if let Some(session) = shared.sessions.remove(&self.id) {
                shared.note(Seen::SessionEnd { server: session.server });
            }
        });
    }
}

async fn serve(guard: SessionGuard, on_upgrade: OnUpgrade, queue: mpsc::Receiver<Out>, cut: CancellationToken) {
    let Ok(Ok(upgraded)) = timeout(WRITE_LIMIT, on_upgrade).await else { return };
    let config = WebSocketConfig::default().read_buffer_size(16 << 10).max_message_size(Some(1 << 20)).max_frame_size(Some(1 << 20));
    let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
    let talk = Talk { inner: &guard.inner, id: guard.id, socket, splitter: Splitter::default(), sent: Instant::now(), received_at: None };
    // Cancellation wins over a write that hangs; dropping the socket closes TCP without a close frame.
    tokio::select! {
        () = cut.cancelled() => {}
        _over = talk.run(queue) => {}
    }
}

/// The session is over; nothing more is sent.
struct Over;

struct Talk<'a> {
    inner: &'a Inner,
    id: u64,
    socket: WebSocketStream<TokioIo<Upgraded>>,
    splitter: Splitter,
    sent: Instant,
    /// When the client last sent something; counts from its first ping.
    received_at: Option<Instant>,
}

impl Talk<'_> {
    async fn run(mut self, mut queue: mpsc::Receiver<Out>) -> Result<(), Over> {
        self.handshake().await?;
        loop {
            self.answer_records().await?;
            let ping_at = self.sent + self.inner.options.ping_every;
            let too_late = self.received_at.map(|received_at| received_at + self.inner.options.client_timeout);
            tokio::select! {
                read = read_message(&mut self.socket, &mut self.splitter) => {
                    let hub_data = read?;
                    self.received_at = self.received_at.map(|received_at| if hub_data { Instant::now() } else { received_at });
                }
                Some(out) = queue.recv() => self.out(out).await?,
                () = sleep_until(ping_at) => {
                    if self.inner.lock().faults.no_pings {
                        self.sent = Instant::now();
                    } else {
                        self.send(record::ping()).await?;
                    }
                }
                // ASP.NET Core 3.1 ends a silent client with a plain close.
                () = sleep_until(too_late.unwrap_or(ping_at)), if too_late.is_some() => return self.close().await,
            }
        }
    }

    async fn handshake(&mut self) -> Result<(), Over> {
        let first = timeout(self.inner.options.handshake_timeout, first_record(&mut self.socket, &mut self.splitter)).await;
        let outcome = match first {
            Ok(record) => record::read_handshake(&record?),
            Err(_) => Err("Handshake was canceled.".to_owned()),
        };
        if self.inner.lock().faults.silence == Silence::Handshake {
            loop {
                read_message(&mut self.socket, &mut Splitter::default()).await?;
            }
        }
        if let Err(error) = outcome {
            self.send(record::write(&json!({"error": error}))).await?;
            return self.close().await;
        }
        let (behind, close) = self.inner.change(|shared| {
            shared.note(Seen::Handshake);
            let close = shared.faults.close_at_once > 0;
            shared.faults.close_at_once = shared.faults.close_at_once.saturating_sub(1);
            (shared.faults.behind_handshake.clone().unwrap_or_default(), close)
        });
        self.write(Message::text(format!("{{}}\u{1e}{behind}"))).await?;
        if close { self.close().await } else { Ok(()) }
    }

    async fn answer_records(&mut self) -> Result<(), Over> {
        loop {
            let incoming = match self.splitter.next() {
                Ok(None) => return Ok(()),
                Ok(Some(bytes)) => record::read(&bytes),
                Err(record::TooLarge) => None,
            };
            let Some(incoming) = incoming else {
                self.send(record::close(Some("Connection closed with an error."), true)).await?;
                return self.close().await;
            };
            match incoming {
                Incoming::Ping => {
                    self.received_at = Some(Instant::now());
                    self.inner.note(Seen::Ping);
                }
                Incoming::Close => {
                    self.inner.note(Seen::Close);
                    return self.close().await;
                }
                Incoming::Completion { id, result, error } => self.inner.note(Seen::Completion { id, result, error }),
                Incoming::Invocation { id, target, arguments } => {
                    let outcome = invoke(self.inner, self.id, &target, &arguments);
                    if let Some(id) = id {
                        self.send(match outcome {
                            Ok(result) => record::completion(&id, &result),
                            Err(error) => record::completion_error(&id, &error),
                        })
                        .await?;
                    }
                }
                Incoming::StreamInvocation { id: Some(id), target } => {
                    let text = format!("The client attempted to invoke the non-streaming '{target}' method with a streaming invocation.");
                    self.send(record::completion_error(&id, &text)).await?;
                }
                Incoming::StreamInvocation { id: None, .. } | Incoming::Ignored => {}
            }
        }
    }

    async fn out(&mut self, out: Out) -> Result<(), Over> {
        match out {
            Out::Text(text) => self.send(text).await,
            Out::Binary(bytes) => self.write(Message::binary(bytes)).await,
            Out::Last(text) => {
                self.send(text).await?;
                self.close().await
            }
            Out::Half(text) => {
                self.write(Message::text(text)).await?;
                Err(Over)
            }
        }
    }

    /// Sends hub data, unless the hub has gone silent.
    async fn send(&mut self, text: String) -> Result<(), Over> {
        self.sent = Instant::now();
        let (muted, split) = {
            let shared = self.inner.lock();
            (shared.faults.silence == Silence::Hub, shared.faults.split_at)
        };
        if muted {
            return Ok(());
        }
        match split {
            None => self.write(Message::text(text)).await,
            Some(size) => {
                for part in parts(&text, size) {
                    self.write(Message::text(part)).await?;
                }
                Ok(())
            }
        }
    }

    async fn write(&mut self, message: Message) -> Result<(), Over> {
        match timeout(WRITE_LIMIT, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Over),
        }
    }

    /// WebSocket close 1000, then a moment for the client's own.
    async fn close(&mut self) -> Result<(), Over> {
        let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        if timeout(WRITE_LIMIT, self.socket.close(Some(frame))).await.is_ok() {
            let rest = async { while let Some(Ok(_)) = self.socket.next().await {} };
            timeout(Duration::from_secs(1), rest).await.ok();
        }
        Err(Over)
    }
}

async fn first_record(socket: &mut WebSocketStream<TokioIo<Upgraded>>, splitter: &mut Splitter) -> Result<Vec<u8>, Over> {
    loop {
        match splitter.next() {
            Ok(Some(record)) => return Ok(record),
            Ok(None) => {
                read_message(socket, splitter).await?;
            }
            Err(record::TooLarge) => return Err(Over),
        }
    }
}

/// Reads one WebSocket message; true if it was hub data, not a ping or pong of the WebSocket layer. ASP.NET Core takes bytes from text
/// and binary messages alike.
async fn read_message(socket: &mut WebSocketStream<TokioIo<Upgraded>>, splitter: &mut Splitter) -> Result<bool, Over> {
    match socket.next().await {
        Some(Ok(Message::Text(text))) => splitter.push(text.as_bytes()),
        Some(Ok(Message::Binary(bytes))) => splitter.push(&bytes),
        Some(Ok(_)) => return Ok(false),
        Some(Err(_)) | None => return Err(Over),
    }
    Ok(true)
}

/// Cuts at most `size` bytes at a time, never inside a character.
fn parts(text: &str, size: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let at = rest.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|&end| end <= size).last();
        let at = at.unwrap_or_else(|| rest.chars().next().map_or(rest.len(), char::len_utf8));
        let (part, tail) = rest.split_at(at);
        parts.push(part);
        rest = tail;
    }
    parts
}

/// Runs a hub method; `Err` is the completion's error. ASP.NET looks methods up without regard to case.
fn invoke(inner: &Inner, session: u64, method: &str, arguments: &[Value]) -> Result<Value, String> {
    let name = method.to_ascii_lowercase();
    let missing = inner.lock().faults.missing.contains(&name);
    if missing || !matches!(name.as_str(), "authenticate" | "authenticatev2") {
        inner.note(Seen::Invocation { method: shortened(method) });
        return Err(format!("Unknown hub method '{method}'"));
    }
    let Some(credentials) = record::bind_credentials(arguments) else {
        let seen = Seen::Auth { method: shortened(method), community: String::new(), server: None, key_ok: false, success: None };
        inner.note(seen);
        return Err(format!("Failed to invoke '{method}' due to an error on the server."));
    };
    Ok(inner.change(|shared| {
        let key_ok = credentials.key.eq_ignore_ascii_case(&inner.options.api_key);
        let known_server = credentials.server.is_none_or(|server| shared.servers.contains_key(&server));
        let error = if let Some(text) = &shared.faults.reject_auth {
            Some(text.clone())
        } else if !credentials.community.eq_ignore_ascii_case(&inner.options.community) || !key_ok {
            Some("Invalid community ID or API key.".to_owned())
        } else if !known_server {
            Some("Server ID is not configured for this community.".to_owned())
        } else {
            None
        };
        let success = error.is_none();
        if success {
            shared.auths += 1;
            let order = shared.auths;
            if let Some(session) = shared.sessions.get_mut(&session) {
                session.server = credentials.server;
                session.order = order;
            }
        }
        let community = shortened(&credentials.community);
        shared.note(Seen::Auth { method: shortened(method), community, server: credentials.server, key_ok, success: Some(success) });
        // It is undocumented what the CAD counts here.
        json!({"success": success, "error": error, "count": i32::from(success)})
    }))
}

fn query_value(request: &Request, name: &str) -> Option<String> {
    let query = request.uri().query()?;
    url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn json_response(value: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

/// An answer as a proxy in front of the CAD gives it: a status and a page.
fn bare(code: u16, retry_after: Option<u64>) -> Response {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, [(header::CONTENT_TYPE, "text/html")], format!("<html><h1>{code}</h1></html>")).into_response();
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn parts_keep_characters_whole() {
        assert_eq!(parts("aé😀b", 2), ["a", "é", "😀", "b"]);
        assert_eq!(parts("abcde", 2), ["ab", "cd", "e"]);
        assert_eq!(parts("", 2), Vec::<&str>::new());
    }
}
