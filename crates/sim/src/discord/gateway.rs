//! The gateway: one task per WebSocket connection. Events reach it through its session's queue in `state`.
//!
//! ```text
//! connected ── HELLO ──▶ waiting ── IDENTIFY ──▶ READY, GUILD_CREATE… ──▶ live ── events, heartbeats ──▶ closed
//!                           └────── RESUME ────▶ replay, RESUMED ────────▶ live
//! ```

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};

use super::model::{Out, Session};
use super::rest::application_flags;
use super::shared::Core;
use super::state::State;
use super::values::text;

/// Events waiting for a slow connection before it is dropped.
const QUEUE: usize = 4_096;
/// Discord refuses larger payloads from a client with 4002, in bytes.
const MAX_PAYLOAD: usize = 4_096;
/// Payloads a client may send per minute (4008).
const MAX_PER_MINUTE: u32 = 120;
/// Every intent Discord knows: bits 0 to 16, 20, 21, 24, 25.
const KNOWN_INTENTS: u64 = 0x1_FFFF | 1 << 20 | 1 << 21 | 1 << 24 | 1 << 25;

/// How a connection ends.
enum End {
    /// With this close code and reason; `None` without a code.
    Close(Option<(u16, &'static str)>),
    /// Without a close frame.
    Drop,
}

struct Connection {
    number: u64,
    session: Option<String>,
    queue: mpsc::Sender<Out>,
    sent_this_minute: u32,
    minute_began: Instant,
}

/// Serves one upgraded connection until it ends or the simulator stops.
pub(super) async fn serve(core: Arc<Core>, upgraded: Upgraded) {
    let config = WebSocketConfig::default().max_message_size(Some(MAX_PAYLOAD * 16)).max_frame_size(Some(MAX_PAYLOAD * 16));
    let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
    let (queue, mut events) = mpsc::channel(QUEUE);
    let (number, heartbeat_ms) = core.with(|state| {
        state.next_connection += 1;
        (state.next_connection, state.options.heartbeat_ms)
    });
    let mut connection = Connection { number, session: None, queue, sent_this_minute: 0, minute_began: Instant::now() };
    let hello = json!({"op": 10, "s": null, "t": null, "d": {"heartbeat_interval": heartbeat_ms, "_trace": ["[\"sim\"]"]}});
    if socket.send(Message::text(hello.to_string())).await.is_err() {
        return;
    }
    let patience = Duration::from_millis(heartbeat_ms.saturating_mul(2).max(1_000));
    let mut last_beat = Instant::now();
    let end = loop {
        tokio::select! {
            () = core.stopped.cancelled() => break End::Close(Some((1001, "Going away"))),
            () = tokio::time::sleep_until(last_beat + patience) => break End::Close(Some((4009, "Session timed out."))),
            event = events.recv() => match event {
                Some(Out::Text(payload)) => if socket.send(Message::text(payload)).await.is_err() { break End::Drop },
                Some(Out::Close(code)) => break End::Close(code.map(|code| (code, ""))),
                Some(Out::Abort) | None => break End::Drop,
                Some(Out::Invalidate) => {
                    connection.session = None;
                    let payload = json!({"op": 9, "s": null, "t": null, "d": false});
                    if socket.send(Message::text(payload.to_string())).await.is_err() { break End::Drop }
                }
            },
            frame = socket.next() => match frame {
                Some(Ok(Message::Text(frame))) => match connection.take(&core, frame.as_str()) {
                    Ok(Took::Answer(answer)) => if socket.send(Message::text(answer)).await.is_err() { break End::Drop },
                    Ok(Took::Beat(answer)) => {
                        last_beat = Instant::now();
                        if let Some(answer) = answer && socket.send(Message::text(answer)).await.is_err() { break End::Drop }
                    }
                    Ok(Took::Nothing) => {}
                    Err((code, reason)) => break End::Close(Some((code, reason))),
                },
                Some(Ok(Message::Close(frame))) => {
                    connection.client_closed(&core, frame.map(|f| u16::from(f.code)));
                    break End::Drop;
                }
                Some(Ok(Message::Binary(_))) => break End::Close(Some((4002, "Error while decoding payload."))),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => break End::Drop,
            },
        }
    };
    connection.leave(&core);
    if let End::Close(frame) = end {
        let frame = frame.map(|(code, reason)| CloseFrame { code: CloseCode::from(code), reason: reason.into() });
        // Bounded: if a client neither reads nor closes, the connection is dropped.
        tokio::time::timeout(Duration::from_secs(2), async {
            socket.close(frame).await.ok();
            while let Some(Ok(_)) = socket.next().await {}
        })
        .await
        .ok();
    }
}

/// The result of a client's payload.
enum Took {
    Answer(String),
    Beat(Option<String>),
    Nothing,
}

type Refused = (u16, &'static str);

impl Connection {
    fn take(&mut self, core: &Core, frame: &str) -> Result<Took, Refused> {
        if self.minute_began.elapsed() >= Duration::from_secs(60) {
            (self.minute_began, self.sent_this_minute) = (Instant::now(), 0);
        }
        self.sent_this_minute += 1;
        if self.sent_this_minute > MAX_PER_MINUTE {
            return Err((4008, "You are being rate limited."));
        }
        let undecodable = (4002, "Error while decoding payload.");
        if frame.len() > MAX_PAYLOAD {
            return Err(undecodable);
        }
        let payload: Value = serde_json::from_str(frame).map_err(|_| undecodable)?;
        let data = payload.get("d").unwrap_or(&Value::Null);
        match payload.get("op").and_then(Value::as_u64) {
            Some(1) => {
                let acknowledge = core.with(|state| state.ack_heartbeats);
                Ok(Took::Beat(acknowledge.then(|| json!({"op": 11, "s": null, "t": null, "d": null}).to_string())))
            }
            Some(2) => self.identify(core, data),
            Some(6) => self.resume(core, data),
            Some(3 | 4 | 8 | 31) if self.session.is_none() => Err((4003, "Not authenticated.")),
            Some(3 | 4 | 8 | 31) => Ok(Took::Nothing),
            Some(_) => Err((4001, "Unknown opcode.")),
            None => Err(undecodable),
        }
    }

    fn identify(&mut self, core: &Core, data: &Value) -> Result<Took, Refused> {
        if self.session.is_some() {
            return Err((4005, "Already authenticated."));
        }
        let intents = data.get("intents").and_then(Value::as_u64).ok_or((4013, "Invalid intent(s)."))?;
        let shard = match data.get("shard") {
            None | Some(Value::Null) => (0, 1),
            Some(shard) => {
                let part = |at: usize| shard.get(at).and_then(Value::as_u64);
                part(0).zip(part(1)).filter(|(at, of)| at < of).ok_or((4010, "Invalid shard."))?
            }
        };
        core.with(|state| {
            if !is_token(state, text(data, "token")) {
                return Err((4004, "Authentication failed."));
            }
            if intents & !KNOWN_INTENTS != 0 {
                return Err((4013, "Invalid intent(s)."));
            }
            if intents & state.options.denied_intents != 0 {
                return Err((4014, "Disallowed intent(s)."));
            }
            state.identifies += 1;
            state.starts.1 = state.starts.1.saturating_sub(1);
            let name = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
            let session = Session {
                intents,
                shard,
                seq: 0,
                replay: std::collections::VecDeque::new(),
                connection: Some((self.number, self.queue.clone())),
            };
            state.add_session(name.clone(), session);
            ready(state, &name, shard);
            self.session = Some(name);
            Ok(Took::Nothing)
        })
    }

    fn resume(&mut self, core: &Core, data: &Value) -> Result<Took, Refused> {
        if self.session.is_some() {
            return Err((4005, "Already authenticated."));
        }
        let invalid = Ok(Took::Answer(json!({"op": 9, "s": null, "t": null, "d": false}).to_string()));
        let name = text(data, "session_id").to_owned();
        let seq = data.get("seq").and_then(Value::as_u64).unwrap_or(0);
        core.with(|state| {
            if !is_token(state, text(data, "token")) {
                return Err((4004, "Authentication failed."));
            }
            let Some(session) = state.sessions.get_mut(&name) else { return invalid };
            if seq > session.seq {
                return Err((4007, "Invalid sequence."));
            }
            // Too many events were missed to replay them.
            if session.replay.front().is_some_and(|(first, _)| *first > seq + 1) {
                state.sessions.remove(&name);
                return invalid;
            }
            for (_, payload) in session.replay.iter().filter(|(at, _)| *at > seq) {
                self.queue.try_send(Out::Text(payload.clone())).ok();
            }
            session.connection = Some((self.number, self.queue.clone()));
            state.resumes += 1;
            state.push(&name, "RESUMED", &json!({"_trace": ["[\"sim\"]"]}));
            self.session = Some(name);
            Ok(Took::Nothing)
        })
    }

    /// A client that closes with 1000 or 1001 ends its session; any other close keeps it for RESUME.
    fn client_closed(&mut self, core: &Core, code: Option<u16>) {
        if matches!(code, Some(1000 | 1001))
            && let Some(name) = self.session.take()
        {
            core.with(|state| state.sessions.remove(&name));
        }
    }

    /// Releases the session, unless another connection has taken it over.
    fn leave(&mut self, core: &Core) {
        let Some(name) = self.session.take() else { return };
        core.with(|state| {
            if let Some(session) = state.sessions.get_mut(&name)
                && session.connection.as_ref().is_some_and(|(number, _)| *number == self.number)
            {
                session.connection = None;
            }
        });
    }
}

/// Clients send the token with or without `Bot `.
fn is_token(state: &State, token: &str) -> bool {
    token.strip_prefix("Bot ").unwrap_or(token) == state.options.token
}

fn ready(state: &mut State, session: &str, shard: (u64, u64)) {
    let mine: Vec<u64> = state.guilds.keys().copied().filter(|g| (g >> 22) % shard.1.max(1) == shard.0).collect();
    let guilds: Vec<Value> = mine.iter().map(|g| json!({"id": g.to_string(), "unavailable": true})).collect();
    let mut me = state.user_json(state.bot);
    if let Some(map) = me.as_object_mut() {
        map.insert("verified".into(), json!(true));
        map.insert("mfa_enabled".into(), json!(true));
        map.insert("email".into(), Value::Null);
    }
    let data = json!({
        "v": 10, "user_settings": {}, "user": me, "guilds": guilds, "session_id": session, "session_type": "normal",
        "resume_gateway_url": format!("{}/gateway-ws", state.base.replacen("http://", "ws://", 1)), "shard": [shard.0, shard.1],
        "application": {"id": state.app.to_string(), "flags": application_flags(state)}, "relationships": [], "private_channels": [], "presences": [],
        "guild_join_requests": [], "geo_ordered_rtc_regions": [], "_trace": ["[\"sim\"]"]
    });
    state.push(session, "READY", &data);
    // Without the GUILDS intent no guild is ever sent.
    if state.sessions.get(session).is_some_and(|s| s.intents & super::model::intent::GUILDS != 0) {
        for guild in mine {
            let data = state.guilds.get(&guild).map(|g| state.guild_create_json(g)).unwrap_or_default();
            state.push(session, "GUILD_CREATE", &data);
        }
    }
}
