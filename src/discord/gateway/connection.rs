//! One connection to Discord's gateway, from HELLO to its end: IDENTIFY or RESUME, heartbeats, events.
//!
//! Decides what the end of a connection means for the session, never when the next one is opened. Every step has a time limit, and a stop
//! ends every one of them at once.
//!
//! ```text
//! HELLO ─▶ IDENTIFY ─▶ READY ───▶ live ─── lost, silent, RECONNECT, most close codes ─▶ the session can be resumed
//!      └─▶ RESUME ──▶ RESUMED ─┘   └────── INVALID SESSION, 4003, 4007, 4009 ─────────▶ a new session is needed
//! ```

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use serenity::model::event::{Event, GatewayEvent};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode};

use super::pace::StartGrant;
use crate::shutdown::Tasks;

/// Discord says HELLO at once.
const HELLO: Duration = Duration::from_secs(15);
/// From IDENTIFY to READY, and from RESUME to RESUMED with everything that was missed.
const READY: Duration = Duration::from_secs(60);
/// A peer that reads nothing for this long is gone.
const SEND: Duration = Duration::from_secs(10);
/// Time limit for closing.
const GOOD_BYE: Duration = Duration::from_secs(1);
/// Limits on the heartbeat interval, whatever Discord demands.
const BEAT: (u64, u64) = (100, 600_000);
/// Larger messages end the connection. A guild with all its channels and roles needs a few MiB.
const MAX_MESSAGE: usize = 32 << 20;

pub(super) fn websocket_config() -> WebSocketConfig {
    WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE)).max_frame_size(Some(MAX_MESSAGE))
}

/// A session that Discord keeps for us. Its id is as sensitive as a key: not printed.
#[derive(Clone)]
pub(super) struct GatewaySession {
    pub(super) id: String,
    pub(super) url: String,
    pub(super) seq: u64,
    /// READY.
    pub(super) since: Instant,
    /// Failed attempts in a row to resume it.
    pub(super) tries: u32,
}

/// What IDENTIFY and RESUME contain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Identity<'a> {
    pub(super) token: &'a SecretString,
    pub(super) intents: u64,
    /// The shard's number, and how many there are.
    pub(super) shard: (u32, u32),
}

/// Receives a connection's events.
pub(super) trait ConnectionObserver: Sync {
    fn up(&self, shard: u32);
    fn event(&self, event: Event);
    /// An unreadable dispatch.
    fn unreadable(&self, kind: &str);
}

/// Why a connection ended.
#[derive(Debug)]
pub(super) enum ConnectionEnd {
    /// We stop.
    Stopped,
    /// The session may be resumed, if there is one.
    Lost(String),
    /// The session is gone.
    Invalid(String),
    /// Discord refuses us: its close code.
    Refused(u16),
}

#[derive(Deserialize)]
struct Payload<'a> {
    op: u8,
    #[serde(default)]
    s: Option<u64>,
    #[serde(default)]
    t: Option<String>,
    #[serde(default, borrow)]
    d: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Ready {
    session_id: String,
    resume_gateway_url: Option<String>,
}

/// One connection.
pub(super) struct GatewayConnection<'a, S, H> {
    pub(super) socket: WebSocketStream<S>,
    /// Its URL.
    pub(super) url: &'a str,
    pub(super) identity: Identity<'a>,
    pub(super) observer: &'a H,
    pub(super) tasks: &'a Tasks,
}

/// The state of a live connection.
struct Life {
    interval: Duration,
    beat_at: Instant,
    acknowledged: bool,
    /// Since READY or RESUMED.
    up_since: Option<Instant>,
}

impl<S: AsyncRead + AsyncWrite + Unpin, H: ConnectionObserver> GatewayConnection<'_, S, H> {
    /// Runs until it ends: starts a session if one was granted, else resumes. Returns since when it was live.
    pub(super) async fn run(
        mut self,
        session: &mut Option<GatewaySession>,
        granted: Option<StartGrant<'_>>,
    ) -> (ConnectionEnd, Option<Instant>) {
        let mut life = Life { interval: HELLO, beat_at: Instant::now(), acknowledged: true, up_since: None };
        let end = match self.greet(session.as_ref(), granted, &mut life).await {
            Ok(()) => match self.live(session, &mut life).await {
                Ok(never) => match never {},
                Err(end) => end,
            },
            Err(end) => end,
        };
        match end {
            // 1000 ends the session: people see the bot go offline at once.
            ConnectionEnd::Stopped => self.good_bye(CloseCode::Normal).await,
            // Any other code keeps it.
            ConnectionEnd::Lost(_) | ConnectionEnd::Invalid(_) => self.good_bye(CloseCode::Library(4000)).await,
            ConnectionEnd::Refused(_) => {}
        }
        (end, life.up_since)
    }

    async fn greet(
        &mut self,
        session: Option<&GatewaySession>,
        granted: Option<StartGrant<'_>>,
        life: &mut Life,
    ) -> Result<(), ConnectionEnd> {
        let hello = tokio::select! {
            () = self.tasks.draining() => return Err(ConnectionEnd::Stopped),
            hello = timeout(HELLO, self.hello()) => hello.map_err(|_| ConnectionEnd::Lost("Discord's gateway did not say hello in time".into()))??,
        };
        life.interval = Duration::from_millis(hello.clamp(BEAT.0, BEAT.1));
        // Bots that reconnect at the same time shall not send heartbeats at the same time.
        life.beat_at = Instant::now() + life.interval.mul_f64(fastrand::f64());
        let token = self.identity.token.expose_secret();
        let first = match (session, granted) {
            (_, Some(granted)) => {
                granted.identified();
                let properties = json!({"os": std::env::consts::OS, "browser": "tenfour", "device": "tenfour"});
                json!({"op": 2, "d": {"token": token, "intents": self.identity.intents, "shard": self.identity.shard, "properties": properties}})
            }
            (Some(session), None) => json!({"op": 6, "d": {"token": token, "session_id": session.id, "seq": session.seq}}),
            (None, None) => return Err(ConnectionEnd::Invalid("there is no session".into())),
        };
        self.send(&first).await
    }

    async fn hello(&mut self) -> Result<u64, ConnectionEnd> {
        loop {
            let Some(text) = self.next().await? else { continue };
            let Ok(payload) = serde_json::from_str::<Payload<'_>>(&text) else { continue };
            if payload.op == 10 {
                let data: Value = payload.d.and_then(|data| serde_json::from_str(data.get()).ok()).unwrap_or_default();
                return Ok(data.get("heartbeat_interval").and_then(Value::as_u64).unwrap_or(41_250));
            }
        }
    }

    async fn live(&mut self, session: &mut Option<GatewaySession>, life: &mut Life) -> Result<std::convert::Infallible, ConnectionEnd> {
        let tasks = self.tasks.clone();
        let ready_by = Instant::now() + READY;
        loop {
            tokio::select! {
                () = tasks.draining() => return Err(ConnectionEnd::Stopped),
                () = sleep_until(ready_by), if life.up_since.is_none() => {
                    return Err(ConnectionEnd::Invalid("Discord did not answer the sign-in in time".into()));
                }
                () = sleep_until(life.beat_at) => {
                    if !life.acknowledged {
                        return Err(ConnectionEnd::Lost("Discord does not acknowledge heartbeats".into()));
                    }
                    life.acknowledged = false;
                    self.beat(session.as_ref(), life).await?;
                }
                text = self.next() => if let Some(text) = text? {
                    self.take(&text, session, life).await?;
                },
            }
        }
    }

    async fn take(&mut self, text: &str, session: &mut Option<GatewaySession>, life: &mut Life) -> Result<(), ConnectionEnd> {
        let Ok(payload) = serde_json::from_str::<Payload<'_>>(text) else {
            self.observer.unreadable("(no JSON)");
            return Ok(());
        };
        match payload.op {
            0 => {
                if let (Some(session), Some(seq)) = (session.as_mut(), payload.s) {
                    session.seq = seq;
                }
                let kind = payload.t.unwrap_or_default();
                match kind.as_str() {
                    "READY" => {
                        let ready = payload.d.and_then(|data| serde_json::from_str::<Ready>(data.get()).ok());
                        let ready = ready.ok_or_else(|| ConnectionEnd::Invalid("Discord's READY cannot be read".into()))?;
                        let url = ready.resume_gateway_url.filter(|url| !url.is_empty()).unwrap_or_else(|| self.url.to_owned());
                        let since = Instant::now();
                        *session = Some(GatewaySession { id: ready.session_id, url, seq: payload.s.unwrap_or_default(), since, tries: 0 });
                        self.is_up(life);
                    }
                    "RESUMED" => {
                        if let Some(session) = session.as_mut() {
                            session.tries = 0;
                        }
                        self.is_up(life);
                    }
                    _ => {}
                }
                match serde_json::from_str(text) {
                    Ok(GatewayEvent::Dispatch(_, Event::Unknown(_))) | Err(_) => self.observer.unreadable(&kind),
                    Ok(GatewayEvent::Dispatch(_, event)) => self.observer.event(event),
                    Ok(_) => {}
                }
            }
            1 => self.beat(session.as_ref(), life).await?,
            7 => return Err(ConnectionEnd::Lost("Discord asks to connect again".into())),
            9 => {
                let resumable = payload.d.is_some_and(|data| data.get() == "true");
                let why = "Discord ended the session".to_owned();
                return Err(if resumable { ConnectionEnd::Lost(why) } else { ConnectionEnd::Invalid(why) });
            }
            11 => life.acknowledged = true,
            _ => {}
        }
        Ok(())
    }

    fn is_up(&self, life: &mut Life) {
        life.up_since = Some(Instant::now());
        self.observer.up(self.identity.shard.0);
    }

    async fn beat(&mut self, session: Option<&GatewaySession>, life: &mut Life) -> Result<(), ConnectionEnd> {
        life.beat_at = Instant::now() + life.interval;
        self.send(&json!({"op": 1, "d": session.map(|session| session.seq)})).await
    }

    async fn send(&mut self, payload: &Value) -> Result<(), ConnectionEnd> {
        let tasks = self.tasks;
        tokio::select! {
            () = tasks.draining() => Err(ConnectionEnd::Stopped),
            sent = timeout(SEND, self.socket.send(Message::text(payload.to_string()))) => match sent {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) => Err(ConnectionEnd::Lost("the connection was lost".into())),
                Err(_) => Err(ConnectionEnd::Lost("Discord takes nothing any more".into())),
            },
        }
    }

    /// The next message; `None` for one without content. Cancel safe. The end is an error, never a message: otherwise a loop
    /// would read forever.
    async fn next(&mut self) -> Result<Option<String>, ConnectionEnd> {
        match self.socket.next().await {
            Some(Ok(Message::Text(text))) => Ok(Some(text.as_str().to_owned())),
            Some(Ok(Message::Close(frame))) => Err(closed(frame.as_ref())),
            Some(Ok(_)) => Ok(None),
            Some(Err(_)) | None => Err(ConnectionEnd::Lost("the connection was lost".into())),
        }
    }

    async fn good_bye(mut self, code: CloseCode) {
        let said = async {
            self.socket.close(Some(CloseFrame { code, reason: "".into() })).await.ok();
            while let Some(Ok(_)) = self.socket.next().await {}
        };
        timeout(GOOD_BYE, said).await.ok();
    }
}

/// What Discord's close codes mean for the session.
fn closed(frame: Option<&CloseFrame>) -> ConnectionEnd {
    let Some(code) = frame.map(|frame| u16::from(frame.code)) else { return ConnectionEnd::Lost("Discord closed the connection".into()) };
    let why = format!("Discord closed the connection with code {code}");
    match code {
        4004 | 4010..=4014 => ConnectionEnd::Refused(code),
        4003 | 4007 | 4009 => ConnectionEnd::Invalid(why),
        _ => ConnectionEnd::Lost(why),
    }
}
