//! Push events over HTTP, from the CAD itself or forwarded by the game server's resource (contract b).
//!
//! Job: turn a request into a [`RawEvent`], once its key is known to be good, and answer 200 only when it is committed. Never logs or
//! echoes a body, never tells a stranger more than that their key is not good, never waits for Discord.
//!
//! ```text
//! path 404 ─ method 405 ─ size 413 ─ time 408 ─ memory 503 ─ JSON object 400 ─ key 401 ─ type 400 ─ server 400
//!                                                                            ─ intake: 200 | unusable 400 | unavailable 503
//! ```

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use super::key::Key;
use crate::clock::Clock;
use crate::event::{EnvelopeError, RawEvent, Source, envelope};
use crate::http_server::Peer;
use crate::ids::{CommunityId, ServerId};
use crate::intake::{Intake, Refused};
use crate::metrics::{Metrics, Outcome};

/// Largest body accepted, in bytes. The largest events known (station alerts with recorded speech) stay far below.
pub const MAX_BODY: usize = 1024 * 1024;

/// Time for a whole body.
pub const BODY_TIME: Duration = Duration::from_secs(10);

/// Longest wait for the commit. What is committed later is answered 503 all the same: its sender may send again.
pub const COMMIT_TIME: Duration = Duration::from_secs(20);

/// Bytes of bodies that may be held at once, over all connections.
const MAX_HELD: usize = 64 * 1024 * 1024;

/// Bytes of a body too large that are still read, so that its sender gets to read the answer instead of a reset connection.
const MAX_DISCARD: usize = 8 * MAX_BODY;

/// Addresses remembered for having sent a wrong key.
const MAX_OFFENDERS: usize = 1024;

/// How often one address's wrong keys are logged.
const OFFENDER_PAUSE: Duration = Duration::from_secs(60);

/// A set of credentials whose events are accepted. The key decides whose an event is.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The community.
    pub community: CommunityId,
    /// Its API key; letter case does not matter. An empty one matches nothing.
    pub key: SecretString,
    /// Its configured servers; the first is taken when neither request nor port says.
    pub servers: Vec<ServerId>,
}

/// Everything the ports of the listener share. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Listener(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    credentials: Vec<Credentials>,
    intake: Intake,
    metrics: Metrics,
    clock: Clock,
    held: Arc<Semaphore>,
    offenders: Mutex<HashMap<IpAddr, Instant>>,
}

/// One port.
#[derive(Clone)]
struct Port {
    listener: Listener,
    server: Option<ServerId>,
}

impl Listener {
    /// A listener for these communities.
    #[must_use]
    pub fn new(credentials: Vec<Credentials>, intake: Intake, metrics: Metrics, clock: Clock) -> Self {
        let held = Arc::new(Semaphore::new(MAX_HELD));
        Self(Arc::new(Shared { credentials, intake, metrics, clock, held, offenders: Mutex::default() }))
    }

    /// The routes of one port; `server` is whose events come here unless `?server=` says otherwise. To be served by
    /// [`crate::http_server::serve`], which tells the peer's address.
    pub fn router(&self, server: Option<ServerId>) -> Router {
        Router::new().fallback(handle).with_state(Port { listener: self.clone(), server })
    }
}

/// What a request comes to.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Committed,
    BadRequest(String),
    Unusable,
    Unauthorised,
    TooSlow,
    TooLarge,
    Unavailable,
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let close = [(header::CONNECTION, HeaderValue::from_static("close"))];
        match self {
            Self::Committed => (StatusCode::OK, "ok").into_response(),
            Self::BadRequest(why) => (StatusCode::BAD_REQUEST, why).into_response(),
            Self::Unusable => (StatusCode::BAD_REQUEST, Refused::Unusable.to_string()).into_response(),
            Self::Unauthorised => (StatusCode::UNAUTHORIZED, "the key is missing or wrong").into_response(),
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, close, "the body came too slowly").into_response(),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, close, "the body is larger than 1 MiB").into_response(),
            Self::Unavailable => {
                let retry = [(header::RETRY_AFTER, HeaderValue::from_static("1"))];
                (StatusCode::SERVICE_UNAVAILABLE, retry, "the event could not be stored now, try again").into_response()
            }
        }
    }
}

async fn handle(State(port): State<Port>, request: Request) -> Response {
    // `/` because the vendor tells users to enter `http://IP:Port` only (contract b.2).
    if !matches!(request.uri().path(), "/" | "/event" | "/event/" | "/sonorancad/event" | "/sonorancad/event/") {
        return (StatusCode::NOT_FOUND, "push events go to /sonorancad/event").into_response();
    }
    match *request.method() {
        Method::POST => port.post(request).await.into_response(),
        // Administrators open the address in a browser to test the port (contract b.3).
        Method::GET | Method::HEAD => "Tenfour listens here for Sonoran CAD's push events.\n".into_response(),
        _ => {
            let allow = [(header::ALLOW, HeaderValue::from_static("GET, HEAD, POST"))];
            (StatusCode::METHOD_NOT_ALLOWED, allow, "push events are sent with POST").into_response()
        }
    }
}

impl Port {
    async fn post(&self, request: Request) -> Answer {
        let shared = &self.listener.0;
        // Absent only if served by something else than our accept loop.
        let peer = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
        let asked = asked_server(request.uri().query());
        let answer = match shared.read(request).await {
            Ok(body) => self.take(body, asked, peer).await,
            Err(answer) => answer,
        };
        let outcome = match &answer {
            // Counted by ingest, which also sees what the other sources bring.
            Answer::Committed | Answer::Unusable => return answer,
            Answer::BadRequest(_) => Outcome::Malformed,
            Answer::Unauthorised => Outcome::Unauthorised,
            Answer::TooSlow => Outcome::TooSlow,
            Answer::TooLarge => Outcome::TooLarge,
            Answer::Unavailable => Outcome::Unavailable,
        };
        shared.metrics.event(Source::Http, outcome);
        answer
    }

    async fn take(&self, body: Held, asked: Option<Result<ServerId, String>>, peer: Option<IpAddr>) -> Answer {
        let shared = &self.listener.0;
        let (opened, key) = match envelope::open(&body.bytes) {
            Ok((envelope, key)) => (Ok(envelope), key),
            Err(error @ (EnvelopeError::NotJson | EnvelopeError::NotObject)) => return Answer::BadRequest(error.to_string()),
            Err(error @ EnvelopeError::NoType) => (Err(error), envelope::key(&body.bytes)),
        };
        let Some(credentials) = shared.owner(key.as_ref()) else {
            shared.offence(peer, key.is_some());
            return Answer::Unauthorised;
        };
        // Only the owner of a key is told more.
        let envelope = match opened {
            Ok(envelope) => envelope,
            Err(error) => return Answer::BadRequest(error.to_string()),
        };
        let server = match asked {
            Some(Ok(server)) => server,
            Some(Err(text)) => return Answer::BadRequest(format!("server={text} is not a server number")),
            None => self.server.or(credentials.servers.first().copied()).unwrap_or(ServerId(1)),
        };
        if !credentials.servers.contains(&server) {
            tracing::warn!(%server, "an event for a server that is not in SONORAN_SERVER_IDS was refused");
            return Answer::BadRequest(format!("server {server} is not configured here: see SONORAN_SERVER_IDS"));
        }
        let event = RawEvent {
            community: credentials.community.clone(),
            server,
            source: Source::Http,
            received_at: shared.clock.now(),
            envelope: Arc::new(envelope),
        };
        match timeout(COMMIT_TIME, shared.intake.commit(event)).await {
            Ok(Ok(())) => Answer::Committed,
            Ok(Err(Refused::Unusable)) => Answer::Unusable,
            Ok(Err(Refused::Unavailable)) | Err(_) => Answer::Unavailable,
        }
    }
}

/// A body and the memory it was granted, given back when the request is answered.
#[derive(Debug)]
struct Held {
    bytes: Vec<u8>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Shared {
    /// Reads the body within size, time and memory.
    async fn read(&self, request: Request) -> Result<Held, Answer> {
        let deadline = Instant::now() + BODY_TIME;
        let headers = request.headers();
        let declared = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<u64>().ok());
        let waits_for_leave = headers.contains_key(header::EXPECT);
        let mut body = request.into_body();
        if declared.is_some_and(|length| length > MAX_BODY as u64) {
            // Reading would tell a sender that waits for `100 Continue` to go on.
            if !waits_for_leave && declared.is_some_and(|length| length <= MAX_DISCARD as u64) {
                timeout_at(deadline, discard(&mut body)).await.ok();
            }
            return Err(Answer::TooLarge);
        }
        match timeout_at(deadline, self.collect(&mut body)).await {
            Ok(Err(Answer::TooLarge)) => {
                timeout_at(deadline, discard(&mut body)).await.ok();
                Err(Answer::TooLarge)
            }
            Ok(read) => read,
            Err(_) => Err(Answer::TooSlow),
        }
    }

    async fn collect(&self, body: &mut Body) -> Result<Held, Answer> {
        let mut held = Held { bytes: Vec::new(), _permit: None };
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return Err(Answer::BadRequest("the body ended early or is not well formed".into())) };
            // Trailers mean nothing here.
            let Ok(chunk) = frame.into_data() else { continue };
            if held.bytes.len() + chunk.len() > MAX_BODY {
                return Err(Answer::TooLarge);
            }
            // Granted for what is here, not for what is announced: announcing costs a stranger nothing.
            let size = u32::try_from(chunk.len()).unwrap_or(u32::MAX);
            let Ok(permit) = Arc::clone(&self.held).try_acquire_many_owned(size) else { return Err(Answer::Unavailable) };
            match &mut held._permit {
                Some(all) => all.merge(permit),
                none => *none = Some(permit),
            }
            held.bytes.extend_from_slice(&chunk);
        }
        Ok(held)
    }

    /// Whose key it is. Looks at every community whatever it finds, in constant time for a given number of them.
    fn owner(&self, key: Option<&SecretString>) -> Option<&Credentials> {
        let sent = Key::new(key?.expose_secret())?;
        let mut owner = None;
        for credentials in &self.credentials {
            let Some(known) = Key::new(credentials.key.expose_secret()) else { continue };
            if bool::from(known.ct_eq(&sent)) && owner.is_none() {
                owner = Some(credentials);
            }
        }
        owner
    }

    /// Logs a request with a bad key, at most once a minute for one address.
    fn offence(&self, peer: Option<IpAddr>, had_key: bool) {
        let Some(peer) = peer else { return };
        let now = Instant::now();
        {
            let mut offenders = self.offenders.lock().unwrap_or_else(PoisonError::into_inner);
            if offenders.get(&peer).is_some_and(|logged| now.duration_since(*logged) < OFFENDER_PAUSE) {
                return;
            }
            if offenders.len() >= MAX_OFFENDERS {
                offenders.retain(|_, logged| now.duration_since(*logged) < OFFENDER_PAUSE);
            }
            // More addresses than that within a minute are an attack: the metrics count them, the log stays readable.
            if offenders.len() >= MAX_OFFENDERS {
                return;
            }
            offenders.insert(peer, now);
        }
        let what = if had_key { "a wrong" } else { "no" };
        tracing::warn!(
            %peer,
            "a push event with {what} key was refused (logged once a minute for this address): SONORAN_API_KEY must be the key of the \
             CAD's Admin > In-Game Integration > API, the same as in the game server's configuration"
        );
    }
}

async fn discard(body: &mut Body) {
    let mut left = MAX_DISCARD;
    while let Some(Ok(frame)) = body.frame().await {
        left = left.saturating_sub(frame.data_ref().map_or(0, |chunk| chunk.len()));
        if left == 0 {
            return;
        }
    }
}

/// `server` of the query: a number, or what stands there instead, made fit for an answer.
fn asked_server(query: Option<&str>) -> Option<Result<ServerId, String>> {
    let pairs = url::form_urlencoded::parse(query?.as_bytes());
    let (_, text) = pairs.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("server"))?;
    let number = text.parse().ok().filter(|number| *number > 0 && text.bytes().all(|b| b.is_ascii_digit()));
    Some(number.map(ServerId).ok_or_else(|| text.chars().take(20).map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect()))
}

#[cfg(test)]
mod tests {
    use super::super::key::MAX_KEY;
    use super::*;

    fn listener(keys: &[(&str, &str)]) -> Listener {
        let credentials = keys
            .iter()
            .map(|(community, key)| Credentials {
                community: CommunityId::new(community),
                key: SecretString::from(*key),
                servers: vec![ServerId(1)],
            })
            .collect();
        Listener::new(credentials, crate::intake::door().0, Metrics::new(&[], &[]), Clock::system())
    }

    #[test]
    fn the_key_decides_whose_event_it_is() {
        let listener = listener(&[("a", "Key-A"), ("none", ""), ("b", "key-b")]);
        let owner = |key: &str| listener.0.owner(Some(&SecretString::from(key))).map(|c| c.community.to_string());
        assert_eq!(owner("KEY-a").as_deref(), Some("a"));
        assert_eq!(owner("Key-B").as_deref(), Some("b"));
        for wrong in ["", "key-", "key-ab", "key-a\0", &"k".repeat(MAX_KEY + 1)] {
            assert_eq!(owner(wrong), None, "{wrong}");
        }
        assert!(listener.0.owner(None).is_none());
    }

    #[test]
    fn the_query_names_a_server_or_it_does_not() {
        assert_eq!(asked_server(None), None);
        assert_eq!(asked_server(Some("a=b&x")), None);
        assert_eq!(asked_server(Some("a=b&server=2")), Some(Ok(ServerId(2))));
        assert_eq!(asked_server(Some("Server=%32")), Some(Ok(ServerId(2))));
        for (query, shown) in [("server=", ""), ("server=0", "0"), ("server=+1", "?1"), ("server=a%0ab", "a?b"), ("server", "")] {
            assert_eq!(asked_server(Some(query)), Some(Err(shown.into())), "{query}");
        }
    }

    #[tokio::test]
    async fn memory_for_bodies_is_bounded_and_given_back() {
        let listener = listener(&[("a", "k")]);
        let shared = &listener.0;
        let request = || Request::post("/").body(Body::from(vec![b'x'; MAX_BODY])).unwrap();
        let mut held = Vec::new();
        for _ in 0..MAX_HELD / MAX_BODY {
            held.push(shared.read(request()).await.unwrap());
        }
        assert_eq!(shared.read(request()).await.unwrap_err(), Answer::Unavailable);
        held.pop();
        assert!(shared.read(request()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn offenders_are_remembered_in_bounds() {
        let listener = listener(&[]);
        for n in 0..5000_u32 {
            listener.0.offence(Some(IpAddr::from(n.to_be_bytes())), true);
        }
        assert_eq!(listener.0.offenders.lock().unwrap().len(), MAX_OFFENDERS);
        tokio::time::advance(OFFENDER_PAUSE).await;
        listener.0.offence(Some(IpAddr::from([9, 9, 9, 9])), true);
        assert_eq!(listener.0.offenders.lock().unwrap().len(), 1);
    }
}
