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
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use super::key::Key;
use crate::clock::Clock;
use crate::event::{EnvelopeError, RawEvent, Source, envelope};
use crate::http_server::Site;
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

/// One port of it: what its requests are answered with.
#[derive(Clone, Debug)]
pub struct Port {
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

    /// One port, to be served by [`crate::http_server::serve`]; `server` is whose events come here unless `?server=` says otherwise.
    #[must_use]
    pub fn port(&self, server: Option<ServerId>) -> Port {
        Port { listener: self.clone(), server }
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

impl From<Answer> for Response<Full<Bytes>> {
    fn from(answer: Answer) -> Self {
        let close = Some((header::CONNECTION, HeaderValue::from_static("close")));
        match answer {
            Answer::Committed => say(StatusCode::OK, None, "ok"),
            Answer::BadRequest(why) => say(StatusCode::BAD_REQUEST, None, why),
            Answer::Unusable => say(StatusCode::BAD_REQUEST, None, Refused::Unusable.to_string()),
            Answer::Unauthorised => say(StatusCode::UNAUTHORIZED, None, "the key is missing or wrong"),
            Answer::TooSlow => say(StatusCode::REQUEST_TIMEOUT, close, "the body came too slowly"),
            Answer::TooLarge => say(StatusCode::PAYLOAD_TOO_LARGE, close, "the body is larger than 1 MiB"),
            Answer::Unavailable => {
                let retry = (header::RETRY_AFTER, HeaderValue::from_static("1"));
                say(StatusCode::SERVICE_UNAVAILABLE, Some(retry), "the event could not be stored now, try again")
            }
        }
    }
}

fn say(status: StatusCode, header: Option<(HeaderName, HeaderValue)>, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(text.into()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.extend(header.map(|(name, value)| (Some(name), value)));
    answer
}

// A site of its own and no axum router: it has one route, and is the way in for every event.
impl Site for Port {
    type Body = Full<Bytes>;

    async fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Self::Body> {
        // `/` because the vendor tells users to enter `http://IP:Port` only (contract b.2).
        if !matches!(request.uri().path(), "/" | "/event" | "/event/" | "/sonorancad/event" | "/sonorancad/event/") {
            return say(StatusCode::NOT_FOUND, None, "push events go to /sonorancad/event");
        }
        match *request.method() {
            Method::POST => self.post(request, peer.ip()).await.into(),
            // Administrators open the address in a browser to test the port (contract b.3).
            Method::GET | Method::HEAD => say(StatusCode::OK, None, "Tenfour listens here for Sonoran CAD's push events.\n"),
            _ => {
                let allow = (header::ALLOW, HeaderValue::from_static("GET, HEAD, POST"));
                say(StatusCode::METHOD_NOT_ALLOWED, Some(allow), "push events are sent with POST")
            }
        }
    }
}

impl Port {
    async fn post(&self, request: Request<Incoming>, peer: IpAddr) -> Answer {
        let shared = &self.listener.0;
        let asked = asked_server(request.uri().query());
        let (head, mut body) = request.into_parts();
        let answer = match shared.read(&head.headers, &mut body).await {
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

    async fn take(&self, body: Held, asked: Option<Result<ServerId, String>>, peer: IpAddr) -> Answer {
        let shared = &self.listener.0;
        // The memory stays granted until the event is on disk, the bytes themselves go as soon as they are read.
        let Held { bytes, _permit } = body;
        let (opened, key) = match envelope::open(&bytes) {
            Ok((envelope, key)) => (Ok(envelope), key),
            Err(error @ (EnvelopeError::NotJson | EnvelopeError::NotObject)) => return Answer::BadRequest(error.to_string()),
            Err(error @ EnvelopeError::NoType) => (Err(error), envelope::key(&bytes)),
        };
        drop(bytes);
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
#[derive(Debug, Default)]
struct Held {
    bytes: Vec<u8>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Shared {
    /// Reads the body within size, time and memory.
    async fn read(&self, headers: &HeaderMap, body: &mut (impl Body<Data = Bytes> + Unpin)) -> Result<Held, Answer> {
        let deadline = Instant::now() + BODY_TIME;
        let declared = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<u64>().ok());
        if declared.is_some_and(|length| length > MAX_BODY as u64) {
            // Reading would tell a sender that waits for `100 Continue` to go on.
            if !headers.contains_key(header::EXPECT) && declared.is_some_and(|length| length <= MAX_DISCARD as u64) {
                timeout_at(deadline, discard(body)).await.ok();
            }
            return Err(Answer::TooLarge);
        }
        match timeout_at(deadline, self.collect(body)).await {
            Ok(Err(Answer::TooLarge)) => {
                timeout_at(deadline, discard(body)).await.ok();
                Err(Answer::TooLarge)
            }
            Ok(read) => read,
            Err(_) => Err(Answer::TooSlow),
        }
    }

    async fn collect(&self, body: &mut (impl Body<Data = Bytes> + Unpin)) -> Result<Held, Answer> {
        let mut held = Held::default();
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
    fn offence(&self, peer: IpAddr, had_key: bool) {
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

async fn discard(body: &mut (impl Body<Data = Bytes> + Unpin)) {
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
        let headers = HeaderMap::new();
        let body = || Full::new(Bytes::from(vec![b'x'; MAX_BODY]));
        let mut held = Vec::new();
        for _ in 0..MAX_HELD / MAX_BODY {
            held.push(shared.read(&headers, &mut body()).await.unwrap());
        }
        assert_eq!(shared.read(&headers, &mut body()).await.unwrap_err(), Answer::Unavailable);
        held.pop();
        assert!(shared.read(&headers, &mut body()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn offenders_are_remembered_in_bounds() {
        let listener = listener(&[]);
        for n in 0..5000_u32 {
            listener.0.offence(IpAddr::from(n.to_be_bytes()), true);
        }
        assert_eq!(listener.0.offenders.lock().unwrap().len(), MAX_OFFENDERS);
        tokio::time::advance(OFFENDER_PAUSE).await;
        listener.0.offence(IpAddr::from([9, 9, 9, 9]), true);
        assert_eq!(listener.0.offenders.lock().unwrap().len(), 1);
    }
}
