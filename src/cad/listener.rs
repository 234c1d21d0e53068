//! Push events over HTTP, from the CAD itself or forwarded by the game server's resource (docs/cad-contract.md#p1, #p2).
//!
//! Job: turn a request into a [`RawEvent`], once its key is known to be good, and answer 200 only when it is committed. Never logs or
//! echoes a body, never reveals more to a stranger than that the key is wrong, never waits for Discord.
//!
//! ```text
//! path 404 ─ method 405 ─ size 413 ─ time 408 ─ memory 503 ─ JSON object 400, 413 ─ key 401 ─ type 400 ─ server 400
//!                                                                            ─ intake: 200 | unusable 400 | unavailable 503
//! ```
//!
//! Up to its key nothing is built of a body.

mod bodies;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tokio::time::{Instant, timeout, timeout_at};

use super::key::Key;
use crate::clock::Clock;
use crate::event::{EnvelopeError, RawEvent, Source, envelope};
use crate::http_server::{BodyProgress, Networks, Site, network};
use crate::ids::{CommunityId, ServerId};
use crate::intake_queue::{Intake, IntakeError};
use crate::json::{Secrets, Sent};
use crate::metrics::{Metrics, Outcome};
use bodies::{Bodies, BodyReader, NoRoom};

pub use bodies::MAX_BODY;

/// Time for a whole body.
pub const BODY_TIME: Duration = Duration::from_secs(10);

/// Longest wait for the commit. What is committed later is answered 503 all the same: its sender may send again.
pub const COMMIT_TIME: Duration = Duration::from_secs(20);

/// Bytes of a body too large that are still read, so that its sender gets to read the answer instead of a reset connection.
const MAX_DISCARD: usize = 8 * MAX_BODY;

/// Addresses remembered for having sent a wrong key.
const MAX_OFFENDERS: usize = 1024;

/// How often one address's wrong keys are logged.
const OFFENDER_PAUSE: Duration = Duration::from_secs(60);

/// A set of credentials whose events are accepted. The key decides whose an event is.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub community: CommunityId,
    /// Where its events go.
    pub intake: Intake,
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
    known: RwLock<Arc<Known>>,
    metrics: Metrics,
    clock: Clock,
    proxies: Networks,
    bodies: Bodies,
    offenders: Mutex<HashMap<IpAddr, Instant>>,
}

/// Whose events are accepted.
#[derive(Debug, Default)]
struct Known {
    credentials: Vec<Credentials>,
    /// Everybody's keys: none of them goes on inside of an event.
    secrets: Secrets,
}

/// One port of it: what its requests are answered with.
#[derive(Clone, Debug)]
pub struct Port {
    listener: Listener,
    server: Option<ServerId>,
}

impl Listener {
    /// A listener that knows no community yet.
    #[must_use]
    pub fn new(metrics: Metrics, clock: Clock) -> Self {
        Self::behind(Networks::default(), metrics, clock)
    }

    /// A listener that knows no community yet, with proxies before it that say in `X-Forwarded-For` whom they speak for.
    #[must_use]
    pub fn behind(proxies: Networks, metrics: Metrics, clock: Clock) -> Self {
        let (known, bodies, offenders) = (RwLock::default(), Bodies::default(), Mutex::default());
        Self(Arc::new(Shared { known, metrics, clock, proxies, bodies, offenders }))
    }

    /// From now on the events of this community are accepted, with this key only.
    pub fn admit(&self, credentials: Credentials) {
        let mut known = self.0.known.write().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<Credentials> =
            known.credentials.iter().filter(|other| other.community != credentials.community).cloned().collect();
        all.push(credentials);
        let secrets = Secrets::new(all.iter().map(|known| known.key.clone()));
        *known = Arc::new(Known { credentials: all, secrets });
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
    TooMany,
    Unavailable,
}

impl From<Answer> for Response<Full<Bytes>> {
    fn from(answer: Answer) -> Self {
        let close = Some((header::CONNECTION, HeaderValue::from_static("close")));
        match answer {
            Answer::Committed => say(StatusCode::OK, None, "ok"),
            Answer::BadRequest(why) => say(StatusCode::BAD_REQUEST, None, why),
            Answer::Unusable => say(StatusCode::BAD_REQUEST, None, IntakeError::Unusable.to_string()),
            Answer::Unauthorised => say(StatusCode::UNAUTHORIZED, None, "the key is missing or wrong"),
            Answer::TooSlow => say(StatusCode::REQUEST_TIMEOUT, close, "the body came too slowly"),
            Answer::TooLarge => say(StatusCode::PAYLOAD_TOO_LARGE, close, "the body is larger than 1 MiB"),
            Answer::TooMany => say(StatusCode::PAYLOAD_TOO_LARGE, None, EnvelopeError::TooMany.to_string()),
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
        // `/` because the vendor's instructions say to enter `http://IP:Port` only (docs/cad-contract.md#p2).
        if !matches!(request.uri().path(), "/" | "/event" | "/event/" | "/sonorancad/event" | "/sonorancad/event/") {
            return say(StatusCode::NOT_FOUND, None, "push events go to /sonorancad/event");
        }
        match *request.method() {
            Method::POST => self.post(request, peer.ip()).await.into(),
            // Administrators open the address in a browser to test the port (docs/cad-contract.md#p4).
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
        let client = shared.client(&head.headers, peer);
        let answer = match shared.read(&head.headers, &mut body, client).await {
            Ok(body) => {
                // From here on it waits for us.
                head.extensions.get::<BodyProgress>().inspect(|progress| progress.is_whole());
                self.take(body, asked, client.unwrap_or(peer)).await
            }
            Err(answer) => answer,
        };
        let outcome = match &answer {
            // Counted by ingest, which also sees what the other sources bring.
            Answer::Committed | Answer::Unusable => return answer,
            Answer::BadRequest(_) => Outcome::Malformed,
            Answer::Unauthorised => Outcome::Unauthorised,
            Answer::TooSlow => Outcome::TooSlow,
            Answer::TooLarge | Answer::TooMany => Outcome::TooLarge,
            Answer::Unavailable => Outcome::Unavailable,
        };
        shared.metrics.event(Source::Http, outcome);
        answer
    }

    async fn take(&self, body: BodyReader, asked: Option<Result<ServerId, String>>, peer: IpAddr) -> Answer {
        let shared = &self.listener.0;
        let sealed = match envelope::look(body.bytes()) {
            Ok(sealed) => sealed,
            Err(EnvelopeError::TooMany) => return Answer::TooMany,
            Err(error) => return Answer::BadRequest(error.to_string()),
        };
        let known = Arc::clone(&shared.known.read().unwrap_or_else(PoisonError::into_inner));
        let Some(credentials) = known.owner(&sealed.key) else {
            shared.offence(peer, !matches!(sealed.key, Sent::Absent));
            return Answer::Unauthorised;
        };
        // Only the owner of a key gets a detailed answer, and only an owner's body is parsed: the intake counts the memory that takes.
        let envelope = match sealed.open(&known.secrets) {
            Ok(envelope) => envelope,
            Err(EnvelopeError::TooMany) => return Answer::TooMany,
            Err(error) => return Answer::BadRequest(error.to_string()),
        };
        drop(sealed);
        drop(body);
        let server = match asked {
            Some(Ok(server)) => server,
            Some(Err(text)) => return Answer::BadRequest(format!("server={text} is not a server number")),
            None => self.server.or(credentials.servers.first().copied()).unwrap_or(ServerId(1)),
        };
        if !credentials.servers.contains(&server) {
            tracing::warn!(%server, "an event for a server that is not in SONORAN_SERVER_IDS was refused");
            return Answer::BadRequest(format!("server {server} is not configured here: see SONORAN_SERVER_IDS"));
        }
        let event = RawEvent { server, source: Source::Http, received_at: shared.clock.now(), envelope: Arc::new(envelope) };
        match timeout(COMMIT_TIME, credentials.intake.commit(event)).await {
            Ok(Ok(())) => Answer::Committed,
            Ok(Err(IntakeError::Unusable)) => Answer::Unusable,
            Ok(Err(IntakeError::Unavailable)) | Err(_) => Answer::Unavailable,
        }
    }
}

impl Known {
    /// Whose key it is. Looks at every community whatever it finds, in constant time for a given number of them.
    fn owner(&self, key: &Sent) -> Option<&Credentials> {
        let Sent::Text(key) = key else { return None };
        let sent = Key::new(key.expose_secret())?;
        let mut owner = None;
        for credentials in &self.credentials {
            let Some(known) = Key::new(credentials.key.expose_secret()) else { continue };
            if bool::from(known.ct_eq(&sent)) && owner.is_none() {
                owner = Some(credentials);
            }
        }
        owner
    }
}

impl Shared {
    /// Reads the body within size, time and memory.
    async fn read(
        &self,
        headers: &HeaderMap,
        body: &mut (impl Body<Data = Bytes> + Unpin),
        client: Option<IpAddr>,
    ) -> Result<BodyReader, Answer> {
        let deadline = Instant::now() + BODY_TIME;
        let declared = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<u64>().ok());
        if declared.is_some_and(|length| length > MAX_BODY as u64) {
            // Reading would send `100 Continue` to a sender that waits for it.
            if !headers.contains_key(header::EXPECT) && declared.is_some_and(|length| length <= MAX_DISCARD as u64) {
                timeout_at(deadline, discard(body)).await.ok();
            }
            return Err(Answer::TooLarge);
        }
        match timeout_at(deadline, self.collect(body, client)).await {
            Ok(Err(Answer::TooLarge)) => {
                timeout_at(deadline, discard(body)).await.ok();
                Err(Answer::TooLarge)
            }
            Ok(read) => read,
            Err(_) => Err(Answer::TooSlow),
        }
    }

    async fn collect(&self, body: &mut (impl Body<Data = Bytes> + Unpin), client: Option<IpAddr>) -> Result<BodyReader, Answer> {
        let mut read = self.bodies.begin(client);
        let cut = read.cut.clone();
        loop {
            let frame = tokio::select! {
                biased;
                () = cut.cancelled() => return Err(Answer::Unavailable),
                frame = body.frame() => frame,
            };
            let Some(frame) = frame else { return Ok(read) };
            let Ok(frame) = frame else { return Err(Answer::BadRequest("the body ended early or is not well formed".into())) };
            // Trailers mean nothing here.
            let Ok(chunk) = frame.into_data() else { continue };
            if read.bytes().len() + chunk.len() > MAX_BODY {
                return Err(Answer::TooLarge);
            }
            read.push(&chunk).map_err(|NoRoom| Answer::Unavailable)?;
        }
    }

    /// Whom a request is from: the other end, or whom a proxy that we trust names last of those that are none. `None`: the proxy names
    /// nobody.
    fn client(&self, headers: &HeaderMap, peer: IpAddr) -> Option<IpAddr> {
        if !self.proxies.contains(peer) {
            return Some(network(peer));
        }
        for value in headers.get_all("x-forwarded-for").iter().rev() {
            // Each by itself: what a client wrote before the proxy's own word may be anything.
            for named in value.as_bytes().rsplit(|byte| *byte == b',') {
                let named = forwarded(std::str::from_utf8(named).ok()?)?;
                if !self.proxies.contains(named) {
                    return Some(network(named));
                }
            }
        }
        None
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

/// An address of `X-Forwarded-For`: some proxies add a port, and brackets around IPv6.
fn forwarded(named: &str) -> Option<IpAddr> {
    let named = named.trim();
    let bare = named.trim_start_matches('[').trim_end_matches(']');
    bare.parse().ok().or_else(|| Some(named.parse::<SocketAddr>().ok()?.ip())).map(|ip: IpAddr| ip.to_canonical())
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
        let listener = Listener::new(Metrics::new(&[], &[]), Clock::system());
        for (community, key) in keys {
            listener.admit(Credentials {
                community: CommunityId::new(community),
                intake: crate::intake_queue::channel(&crate::intake_queue::SharedWeight::default()).0,
                key: SecretString::from(*key),
                servers: vec![ServerId(1)],
            });
        }
        listener
    }

    #[test]
    fn the_key_decides_whose_event_it_is() {
        let listener = listener(&[("a", "Key-A"), ("none", ""), ("b", "key-b")]);
        let known = || Arc::clone(&listener.0.known.read().unwrap());
        let owner = |key: &str| known().owner(&Sent::Text(SecretString::from(key))).map(|c| c.community.to_string());
        assert_eq!(owner("KEY-a").as_deref(), Some("a"));
        assert_eq!(owner("Key-B").as_deref(), Some("b"));
        for wrong in ["", "key-", "key-ab", "key-a\0", &"k".repeat(MAX_KEY + 1)] {
            assert_eq!(owner(wrong), None, "{wrong}");
        }
        listener.admit(Credentials { key: SecretString::from("new-a"), ..known().credentials[0].clone() });
        assert_eq!((owner("key-a"), owner("new-a").as_deref()), (None, Some("a")), "a key that was replaced is worth nothing");
        assert!(known().owner(&Sent::Absent).is_none() && known().owner(&Sent::Odd).is_none());
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

    #[test]
    fn who_sends_through_a_proxy_is_whom_it_names_and_only_a_trusted_one_is_believed() {
        let proxies = Networks::new([("192.0.2.1".parse().unwrap(), 32), ("10.0.0.0".parse().unwrap(), 8)]);
        let listener = Listener::behind(proxies, Metrics::new(&[], &[]), Clock::system());
        let client = |peer: &str, named: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in named {
                headers.append("x-forwarded-for", HeaderValue::from_bytes(value.as_bytes()).unwrap());
            }
            listener.0.client(&headers, peer.parse().unwrap()).map(|ip| ip.to_string())
        };
        let told = |text: &str| Some(text.to_owned());
        assert_eq!(client("198.51.100.7", &["203.0.113.9"]), told("198.51.100.7"), "anybody can send the header");
        assert_eq!(client("192.0.2.1", &[]), None);
        assert_eq!(client("192.0.2.1", &["1.1.1.1, 203.0.113.9"]), told("203.0.113.9"), "the left of it is the client's own word");
        assert_eq!(client("192.0.2.1", &["\u{e9}, 203.0.113.9"]), told("203.0.113.9"), "whatever that is");
        assert_eq!(client("192.0.2.1", &["203.0.113.9, 10.1.2.3"]), told("203.0.113.9"), "a chain of proxies");
        assert_eq!(client("10.9.9.9", &["1.1.1.1", "203.0.113.9:4711"]), told("203.0.113.9"));
        assert_eq!(client("192.0.2.1", &["[2001:db8::7]:4711"]), told("2001:db8::"));
        assert_eq!(client("192.0.2.1", &["unknown"]), None);
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
