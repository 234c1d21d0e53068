//! The hub session of one CAD server: signs in after every handshake and forwards what the CAD pushes (docs/cad-contract.md#h4, #h7).
//!
//! Turns `pushEvent` into [`RawEvent`], in the order of the connection. Never logs a body or a key, never falls back to the older sign-in
//! after rejected credentials. Rejected credentials slow it down to minutes and are reported to people. Three sessions in a row that the
//! CAD closes soon after the sign-in mean that another client holds the server's session: then this one is given up, so that the two don't
//! take turns.
//!
//! ```text
//! handshake ─▶ authenticatev2 ── success ─▶ ready
//!                  │ no such method ─▶ authenticate (once on that connection)
//!                  │ success: false ─▶ same connection again after 30 s, doubling to 5 min      (credentials, server id)
//!                  └ error, no answer ─▶ new connection, as the hub's policy has it
//! ```

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use serde_json::value::RawValue;
use subtle::ConstantTimeEq;
use tenfour_signalr::{Backoff, Connection, Events, Hub, HubError, Invocation, Negotiation, RetryContext, RetryPolicy, State, Verdict};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::key::Key;
use crate::clock::Clock;
use crate::event::{EnvelopeError, RawEvent, Source, envelope};
use crate::ids::{CommunityId, ServerId};
use crate::intake_queue::Intake;
use crate::json::{JsonReader, Secrets, Sent};
use crate::metrics::{Metrics, Outcome};
use crate::ops::{Readiness, ReadyPart};
use crate::shutdown::Tasks;
use crate::status::{Link, Status, contested};

/// Pushes that may wait for ingest, and their bytes. Beyond it the newest are dropped and counted: the hub can't be asked to wait.
const MAX_QUEUED_PUSHES: usize = 16_384;
const MAX_QUEUED_BYTES: usize = 24 << 20;
/// Longest push that is read, in bytes: twice the listener's limit, since a push may be a text that contains the event.
const MAX_PUSH: usize = 2 << 20;
/// First wait after rejected credentials; doubles up to [`REJECTED_MAX`].
const REJECTED: Duration = Duration::from_secs(30);
const REJECTED_MAX: Duration = Duration::from_secs(300);
/// A session that ends sooner after its sign-in was taken over by another client, if it happens [`CONTESTED_TIMES`] times in a row.
const CONTESTED_WITHIN: Duration = Duration::from_secs(30);
const CONTESTED_TIMES: u32 = 3;
/// Limit on the JSON values in the hub's answer to a sign-in.
const MAX_ANSWER_VALUES: usize = 1_000;
/// Limit on the hub's own words shown to people (characters).
const MAX_WORDS: usize = 200;

/// The inputs of a session.
#[derive(Clone, Debug)]
pub struct HubSession {
    pub community: CommunityId,
    pub key: SecretString,
    /// Which server's events.
    pub server: ServerId,
    /// `SONORAN_HUB_URL`.
    pub url: String,
    /// `SONORAN_HUB_NEGOTIATE`.
    pub negotiation: Negotiation,
    /// `SONORAN_HUB_REDIRECTS`, and the host of `SONORAN_API_URL`.
    pub redirects: Vec<String>,
    /// Root certificates, shared by all sessions.
    pub tls: Arc<rustls::ClientConfig>,
    pub intake: Intake,
    pub clock: Clock,
    pub metrics: Metrics,
    pub status: Status,
    /// For `/readyz`; `None`: whether this session is up does not decide whether the process is ready.
    pub readiness: Option<Readiness>,
    /// Gets each change of the link, to notify people.
    pub changes: mpsc::Sender<LinkChange>,
}

/// A change of a session's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkChange {
    pub server: ServerId,
    pub from: Link,
    pub to: Link,
}

impl HubSession {
    /// Runs until draining begins; then closes the connection properly and forwards what had arrived.
    ///
    /// # Errors
    /// If the settings cannot make a hub: a bad URL, no TLS.
    pub async fn run(self, tasks: Tasks) -> Result<(), HubError> {
        let rivalry = Arc::new(Rivalry::default());
        let retry = GivesWay { backoff: Backoff::new(fastrand::f64), rivalry: Arc::clone(&rivalry) };
        let hub = Hub::builder(&self.url).tls(Arc::clone(&self.tls)).negotiation(self.negotiation).redirects(self.redirects.clone());
        let hub = hub.header("User-Agent", concat!("tenfour/", env!("CARGO_PKG_VERSION")));
        let (hub, mut task) = hub.retry(retry).max_queued(MAX_QUEUED_BYTES).build()?;
        // Before signing in: the first event may come with the very answer.
        let events = task.on("pushEvent", MAX_QUEUED_PUSHES);
        let sign_in = Arc::new(SignIn {
            community: self.community.clone(),
            key: self.key.clone(),
            server: self.server,
            rejections: AtomicU32::new(0),
            rivalry: Arc::clone(&rivalry),
        });
        task.on_connected(move |connection| {
            let sign_in = Arc::clone(&sign_in);
            async move { sign_in.run(&connection).await }
        });
        let stop = async {
            tasks.draining().await;
            hub.stop().await;
        };
        tokio::join!(task.run(), self.watch(&hub, &rivalry), self.forward(events), stop);
        Ok(())
    }

    /// It was connected once, and begins again after an error: until it is signed in again, what happens is missed.
    pub fn restarted(&self) {
        if self.status.link_of(self.server) != Link::Off {
            self.report(Link::Down("an error in the bot; connecting again".to_owned()));
        }
    }

    async fn forward(&self, mut events: Events) {
        let key = Key::new(self.key.expose_secret());
        let secrets = Secrets::new([self.key.clone()]);
        let mut dropped = 0;
        while let Some(invocation) = events.recv().await {
            if events.dropped() > dropped {
                tracing::error!(server = %self.server, count = events.dropped() - dropped, "events came faster than they could be stored and were lost");
                self.status.problem(
                    self.clock.now(),
                    format!("Server {}: events came faster than they could be stored. Check the disk.", self.server),
                );
                dropped = events.dropped();
            }
            if let Some(event) = self.read(&invocation, key.as_ref(), &secrets)
                && self.intake.hand_over(event).await.is_err()
            {
                return;
            }
        }
    }

    /// One push: a string that holds JSON, or an object; with several arguments the first counts (docs/cad-contract.md#h9).
    fn read(&self, invocation: &Invocation, own: Option<&Key>, secrets: &Secrets) -> Option<RawEvent> {
        let payload = invocation.args.first()?;
        let malformed = |error: EnvelopeError| {
            tracing::warn!(server = %self.server, %error, "a push could not be read");
            self.metrics.event(Source::Hub, Outcome::Malformed);
        };
        if payload.get().len() > MAX_PUSH {
            tracing::warn!(server = %self.server, bytes = payload.get().len(), "a push is too long and was dropped");
            self.metrics.event(Source::Hub, Outcome::Malformed);
            return None;
        }
        let sealed = envelope::look(payload.get().as_bytes()).map_err(malformed).ok()?;
        // Missing is fine: the connection itself is signed in. Wrong means that it isn't ours.
        let is_ours = match &sealed.key {
            Sent::Absent => true,
            Sent::Odd => false,
            Sent::Text(key) => own.is_some_and(|own| Key::new(key.expose_secret()).is_some_and(|sent| bool::from(own.ct_eq(&sent)))),
        };
        if !is_ours {
            tracing::warn!(server = %self.server, "a push came with another key and was dropped");
            self.metrics.event(Source::Hub, Outcome::Unauthorised);
            return None;
        }
        let envelope = sealed.open(secrets).map_err(malformed).ok()?;
        Some(RawEvent { server: self.server, source: Source::Hub, received_at: self.clock.now(), envelope: envelope.into() })
    }

    /// Follows the connection's state and reports it everywhere.
    async fn watch(&self, hub: &Hub, rivalry: &Rivalry) {
        let mut state = hub.state();
        let mut was_ready = false;
        loop {
            let now = state.borrow_and_update().clone();
            let stopped = matches!(now, State::Disconnected { reason: HubError::Stopped });
            let link = match &now {
                State::Ready { .. } => Link::Ready,
                State::Held { reason, .. } => Link::Rejected(reason.to_string()),
                State::Waiting { reason, .. } => Link::Down(reason.to_string()),
                State::Disconnected { reason } if stopped => Link::Down(reason.to_string()),
                State::Disconnected { .. } if rivalry.given_up.load(Ordering::SeqCst) => Link::Contested,
                // A new attempt changes nothing for people until its outcome is known.
                State::Connecting { .. } | State::Connected { .. } | State::Disconnected { .. } => {
                    if !was_ready && matches!(self.status.link_of(self.server), Link::Off) {
                        self.report(Link::Connecting);
                    }
                    if state.changed().await.is_err() {
                        return;
                    }
                    continue;
                }
            };
            if matches!(link, Link::Ready) {
                if was_ready {
                    self.metrics.hub_reconnect(self.server);
                }
                was_ready = true;
            }
            let over = stopped || link == Link::Contested;
            self.report(link);
            if over || state.changed().await.is_err() {
                return;
            }
        }
    }

    fn report(&self, link: Link) {
        self.metrics.hub_connected(self.server, link == Link::Ready);
        let part = ReadyPart::Hub(self.server);
        match (&link, &self.readiness) {
            (Link::Ready, Some(readiness)) => readiness.ready(part),
            (Link::Down(reason) | Link::Rejected(reason), Some(readiness)) => readiness.not_ready(part, reason.clone()),
            (Link::Contested, Some(readiness)) => {
                readiness.not_ready(part, "another client holds this server's hub session; not connecting");
            }
            (Link::Off | Link::Connecting, _) | (_, None) => {}
        }
        let now = self.clock.now();
        let from = self.status.link(self.server, link.clone(), now);
        if let Link::Rejected(reason) = &link {
            let sentence = format!(
                "The CAD does not accept server {} ({reason}): check SONORAN_COMMUNITY_ID, SONORAN_API_KEY and SONORAN_SERVER_IDS against Admin > Advanced > In-Game Integration.",
                self.server
            );
            if from != link {
                tracing::warn!("{sentence}");
            }
            self.status.problem(now, sentence);
        }
        if link == Link::Contested {
            let sentence = contested(self.server);
            tracing::error!("{sentence}");
            self.status.problem(now, sentence);
        }
        if from != link {
            tracing::info!(server = %self.server, link = ?link, "hub session");
            let change = LinkChange { server: self.server, from, to: link };
            // If the queue is full, people get other changes already; `/cad status` shows this one.
            self.changes.try_send(change).ok();
        }
    }
}

/// The CAD's sign-in, run after each handshake.
#[derive(Debug)]
struct SignIn {
    community: CommunityId,
    key: SecretString,
    server: ServerId,
    /// In a row.
    rejections: AtomicU32,
    rivalry: Arc<Rivalry>,
}

/// Shared by the sign-in, the retry policy and the watcher: signs of another client for the same server id.
#[derive(Debug, Default)]
struct Rivalry {
    /// Since when the current session is signed in.
    signed_in: Mutex<Option<Instant>>,
    given_up: AtomicBool,
    /// Sessions in a row that ended too soon.
    short: AtomicU32,
}

impl Rivalry {
    fn signed_in(&self) {
        *self.signed_in.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// A connection ended. Returns whether to give up.
    fn ended(&self, error: &HubError) -> bool {
        let Some(at) = self.signed_in.lock().unwrap_or_else(PoisonError::into_inner).take() else { return false };
        // A protocol error or silence is the hub's own problem; no other client replaced us.
        let closed = matches!(error, HubError::Closed { .. } | HubError::Ended { .. } | HubError::Io(_));
        if !closed || at.elapsed() >= CONTESTED_WITHIN {
            self.short.store(0, Ordering::SeqCst);
            return false;
        }
        let give_up = self.short.fetch_add(1, Ordering::SeqCst) + 1 >= CONTESTED_TIMES;
        if give_up {
            self.given_up.store(true, Ordering::SeqCst);
        }
        give_up
    }
}

/// The usual waits, until another client has shown that it holds the session.
struct GivesWay {
    backoff: Backoff,
    rivalry: Arc<Rivalry>,
}

impl RetryPolicy for GivesWay {
    fn next(&mut self, context: &RetryContext<'_>) -> Option<Duration> {
        if self.rivalry.ended(context.error) { None } else { self.backoff.next(context) }
    }
}

impl SignIn {
    async fn run(&self, connection: &Connection) -> Verdict {
        let mut answer = self.call(connection, "authenticatev2").await;
        if let Err(HubError::Call(words)) = &answer
            && is_missing_method(words)
        {
            tracing::info!(server = %self.server, "the hub has no authenticatev2; trying the older authenticate");
            answer = self.call(connection, "authenticate").await;
        }
        match answer {
            Ok(Some(answer)) => match read_answer(&answer) {
                Ok(count) => {
                    self.rejections.store(0, Ordering::Relaxed);
                    self.rivalry.signed_in();
                    tracing::debug!(server = %self.server, ?count, "signed in to the hub");
                    Verdict::Ready
                }
                Err(words) => {
                    let words = self.blanked(&words);
                    let wait = rejected_wait(self.rejections.fetch_add(1, Ordering::Relaxed));
                    Verdict::RetryAfter(wait, words)
                }
            },
            Ok(None) => Verdict::Reconnect("the hub did not say whether it accepts the credentials".into()),
            Err(error) => Verdict::Reconnect(self.blanked(&error.to_string())),
        }
    }

    /// The hub's message without our key, in case it repeats it.
    fn blanked(&self, words: &str) -> String {
        let key = self.key.expose_secret().to_ascii_lowercase();
        let folded = words.to_ascii_lowercase();
        if key.is_empty() || !folded.contains(&key) {
            return words.to_owned();
        }
        // Folding ASCII keeps byte positions.
        let mut out = String::with_capacity(words.len());
        let mut from = 0;
        for (at, found) in folded.match_indices(&key) {
            out.push_str(words.get(from..at).unwrap_or_default());
            out.push_str("(key)");
            from = at + found.len();
        }
        out.push_str(words.get(from..).unwrap_or_default());
        out
    }

    /// Always three arguments, the server a JSON number: the hub binds by exact count and type.
    async fn call(&self, connection: &Connection, method: &str) -> Result<Option<Box<RawValue>>, HubError> {
        connection.invoke(method, (self.community.as_str(), self.key.expose_secret(), self.server.0)).await
    }
}

/// Only this text means that the method is missing; any other error is about us.
fn is_missing_method(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    words.contains("method does not exist") || words.contains("unknown hub method")
}

/// `{success, error, count}`: a missing object, or `success` absent or false, is a rejection (docs/cad-contract.md#h5).
fn read_answer(answer: &RawValue) -> Result<Option<i64>, String> {
    let answer: Value = JsonReader::new(MAX_ANSWER_VALUES, &Secrets::default()).read(answer.get().as_bytes()).unwrap_or_default();
    if answer.get("success").and_then(Value::as_bool) == Some(true) {
        return Ok(answer.get("count").and_then(Value::as_i64));
    }
    let words: String = answer
        .get("error")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_WORDS)
        .collect();
    let words = words.trim();
    Err(if words.is_empty() { "no reason given".to_owned() } else { words.to_owned() })
}

fn rejected_wait(rejections: u32) -> Duration {
    REJECTED.saturating_mul(1 << rejections.min(8)).min(REJECTED_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> Result<Option<i64>, String> {
        read_answer(&RawValue::from_string(text.into()).unwrap())
    }

    #[test]
    fn only_a_clear_success_is_one() {
        assert_eq!(answer(r#"{"success":true,"error":null,"count":3}"#), Ok(Some(3)));
        assert_eq!(answer(r#"{"success":true}"#), Ok(None));
        assert_eq!(answer(r#"{"success":false,"error":"Invalid key\n"}"#), Err("Invalid key".into()));
        for text in ["null", "[]", "{}", r#"{"success":"true"}"#, r#"{"success":false}"#, "7"] {
            assert_eq!(answer(text), Err("no reason given".into()), "{text}");
        }
    }

    #[test]
    fn only_a_missing_method_leads_to_the_older_one() {
        for words in [
            "Failed to invoke 'authenticatev2' due to an error on the server. HubException: Method does not exist.",
            "Unknown hub method 'authenticatev2'",
        ] {
            assert!(is_missing_method(words), "{words}");
        }
        for words in ["Failed to invoke 'authenticatev2' due to an error on the server.", "Invalid API key", ""] {
            assert!(!is_missing_method(words), "{words}");
        }
    }

    #[test]
    fn the_key_is_never_repeated() {
        let community = CommunityId::new("c");
        let sign_in = SignIn {
            community,
            key: SecretString::from("S3cret"),
            server: ServerId(1),
            rejections: AtomicU32::new(0),
            rivalry: Arc::default(),
        };
        assert_eq!(sign_in.blanked("Key s3CRET is bad, s3cret!"), "Key (key) is bad, (key)!");
        assert_eq!(sign_in.blanked("nothing here"), "nothing here");
    }

    #[tokio::test(start_paused = true)]
    async fn three_sessions_in_a_row_that_are_closed_within_30_s_mean_another_client() {
        let closed = HubError::Closed { error: None, allow_reconnect: true };
        let play = async |lives: &[u64], error: &HubError| {
            let rivalry = Rivalry::default();
            let mut ends = Vec::new();
            for seconds in lives {
                rivalry.signed_in();
                tokio::time::sleep(Duration::from_secs(*seconds)).await;
                ends.push(rivalry.ended(error));
                // A connection that failed says nothing.
                ends.push(rivalry.ended(&HubError::Io("refused".into())));
            }
            ends.iter().any(|given_up| *given_up)
        };
        assert!(play(&[1, 29, 5], &closed).await);
        assert!(play(&[1, 1, 1], &HubError::Ended { code: None }).await);
        assert!(!play(&[1, 29], &closed).await);
        assert!(!play(&[1, 1, 30, 1, 1], &closed).await, "not in a row");
        assert!(!play(&[1; 9], &HubError::Protocol("garbage".into())).await);
    }

    #[test]
    fn rejections_slow_down_to_minutes() {
        assert_eq!([0, 1, 2, 3, 4, 99].map(|n| rejected_wait(n).as_secs()), [30, 60, 120, 240, 300, 300]);
    }
}
