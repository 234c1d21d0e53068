//! The web page of `tenfour demo`: shows a simulated Discord's channels as Discord would draw them, live, and lets a person
//! press its buttons, run its slash commands and send single events.
//!
//! Knows nothing about the simulators: it serves the JSON of its [`Backend`]. It must never serve another site: every
//! request's `Host` must be loopback or the address it came in on (DNS rebinding), and actions must also be JSON from this
//! same origin (CSRF). The page loads nothing from elsewhere; the content security policy enforces that.
//!
//! ```text
//! GET /            index.html, page.css and the scripts, embedded in the binary
//! GET /state       the snapshot, plus "fire": [{"name", "label", "group"}]
//! GET /events      server-sent events: what changed since; {"type":"RESYNC"} when the reader fell behind
//! POST /act        one action in, its answer or {"error": "one sentence"} out
//! GET /attachments/…  a file of a message: pictures are shown, everything else is saved
//!
//! page: open /events ──▶ load /state ──▶ apply events newer than its "seq" ──lag or reconnect──▶ load /state again
//! ```

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::Stream;
use futures_util::future::BoxFuture;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// Largest accepted body of `POST /act`, in bytes.
pub const MAX_ACTION_BYTES: usize = 512 * 1024;
/// Connections served at once; the next one waits in the listener's backlog. A browser holds at most six.
const MAX_CONNECTIONS: usize = 64;
/// How long a connection may take to send a request's head, or stay idle between requests.
const HEAD_LIMIT: Duration = Duration::from_secs(30);
/// How long an action's body may take to arrive.
const BODY_LIMIT: Duration = Duration::from_secs(10);
/// How long the backend may take to answer an action.
const ACT_LIMIT: Duration = Duration::from_secs(20);
/// How often an idle event stream sends a keep-alive.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long [`PageServer::stop`] waits for answers in progress.
const STOP_LIMIT: Duration = Duration::from_secs(3);

/// Path, content type and text of every static file. None of them contains an external address.
const ASSETS: [(&str, &str, &str); 7] = [
    ("/", "text/html; charset=utf-8", include_str!("index.html")),
    ("/page.css", "text/css; charset=utf-8", include_str!("page.css")),
    ("/page.js", "text/javascript; charset=utf-8", include_str!("page.js")),
    ("/channels.js", "text/javascript; charset=utf-8", include_str!("channels.js")),
    ("/message.js", "text/javascript; charset=utf-8", include_str!("message.js")),
    ("/markdown.js", "text/javascript; charset=utf-8", include_str!("markdown.js")),
    ("/commands.js", "text/javascript; charset=utf-8", include_str!("commands.js")),
];

/// On every response. Styles that depend on data are set through the CSSOM, which the policy allows; inline ones are rejected.
const SECURITY_HEADERS: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    // The page belongs to the binary that serves it: a cached script of an older one must not get a newer snapshot.
    (header::CACHE_CONTROL, "no-store"),
];

/// What the page shows and acts on. The JSON is in the simulated Discord's format; this server passes it through.
pub trait Backend: Send + Sync + 'static {
    /// The current state: an object with `seq`, `guild`, `channels`, `roles`, `users`, `messages` and `commands`.
    fn snapshot(&self) -> Value;
    /// Changes from now on, each an object with `type` and, where the snapshot holds its result, `seq`.
    fn subscribe(&self) -> Receiver<Value>;
    /// Does what a person did on the page. The error is one sentence for that person.
    fn act(&self, action: Value) -> BoxFuture<'static, Result<Value, String>>;
    /// The single events that a person may send. Those of one group are adjacent.
    fn fire_list(&self) -> Vec<Fire>;
    /// An uploaded file by its path, `/attachments/{channel}/{id}/{name}`: type and bytes.
    fn file(&self, path: &str) -> Option<(String, Bytes)> {
        let _ = path;
        None
    }
}

/// A button of the page.
#[derive(Clone, Copy, Debug)]
pub struct Fire {
    /// For `{"do":"fire"}`.
    pub name: &'static str,
    /// Its label.
    pub label: &'static str,
    /// The heading above its group.
    pub group: &'static str,
}

/// The running server. Dropping it drops every connection; [`PageServer::stop`] ends them cleanly.
#[derive(Debug)]
pub struct PageServer {
    address: SocketAddr,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl PageServer {
    /// Binds `address` (port 0 picks a free one) and serves until stopped.
    ///
    /// # Errors
    /// If binding the address fails.
    pub async fn start(address: SocketAddr, backend: Arc<dyn Backend>) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, router(Site { backend, stop: stop.clone() }), stop.clone()));
        Ok(Self { address, stop, tasks })
    }

    /// The page's URL for a browser on this machine, such as `http://127.0.0.1:8104/`.
    #[must_use]
    pub fn url(&self) -> String {
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(if address.is_ipv4() { std::net::Ipv4Addr::LOCALHOST.into() } else { std::net::Ipv6Addr::LOCALHOST.into() });
        }
        format!("http://{address}/")
    }

    /// The bound address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends every event stream, waits a moment for other answers, then drops what is left.
    pub async fn stop(mut self) {
        self.stop.cancel();
        if timeout(STOP_LIMIT, self.tasks.join_next()).await.is_err() {
            self.tasks.shutdown().await;
        }
    }
}

#[derive(Clone)]
struct Site {
    backend: Arc<dyn Backend>,
    stop: CancellationToken,
}

/// The local address that a connection came in on.
#[derive(Clone, Copy)]
struct CameTo(IpAddr);

fn router(site: Site) -> Router {
    let mut router = Router::new()
        .route("/state", get(state))
        .route("/events", get(events))
        .route("/act", post(act))
        .route("/attachments/{*path}", get(file));
    for (path, kind, text) in ASSETS {
        router = router.route(path, get(move || std::future::ready(([(header::CONTENT_TYPE, kind)], text))));
    }
    router
        .fallback(|| std::future::ready(refuse(StatusCode::NOT_FOUND, "There is no such page.")))
        .layer(middleware::from_fn(guard))
        .with_state(site)
}

async fn accept(listener: TcpListener, router: Router, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        let full = connections.len() >= MAX_CONNECTIONS;
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept(), if !full => match accepted {
                Ok((stream, _)) => { connections.spawn(serve(stream, router.clone(), stop.clone())); }
                Err(error) => {
                    // Probably out of file handles: wait for connections to end instead of spinning.
                    tracing::warn!(%error, "the demo page could not accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn serve(stream: TcpStream, router: Router, stop: CancellationToken) {
    let Ok(local) = stream.local_addr() else { return };
    let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(CameTo(local.ip()));
        router.clone().oneshot(request)
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .max_buf_size(64 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection to the demo page broke off");
    }
}

/// Rejects requests that another site could have made a browser send, and sets the security headers on every response.
async fn guard(request: Request, next: Next) -> Response {
    let came_to = request.extensions().get::<CameTo>().map(|to| to.0);
    let mut response = match only(request.headers(), &header::HOST) {
        Some(host) if is_ours(host, came_to) => next.run(request).await,
        _ => refuse(StatusCode::FORBIDDEN, "This page answers only to localhost or to the address it listens on."),
    };
    for (name, value) in SECURITY_HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The header's value if it is there exactly once and is text.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    if values.next().is_some() { None } else { first.to_str().ok() }
}

/// Whether a `Host` names this machine. The port isn't compared: a container's published port differs from the bound one,
/// and rebinding needs a name of the attacker's, which neither `localhost` nor an address can be.
fn is_ours(host: &str, came_to: Option<IpAddr>) -> bool {
    let Ok(authority) = host.parse::<axum::http::uri::Authority>() else { return false };
    if authority.as_str().contains('@') {
        return false;
    }
    let name = authority.host();
    if name.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let Ok(ip) = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() else { return false };
    ip.to_canonical().is_loopback() || came_to.is_some_and(|to| to.to_canonical() == ip.to_canonical())
}

/// Whether the browser says that the request comes from this page. Other clients send neither header.
fn is_same_origin(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").is_none_or(|site| site == "same-origin");
    let origin = headers.get(header::ORIGIN).is_none_or(|origin| {
        let uri = origin.to_str().ok().and_then(|text| text.parse::<Uri>().ok());
        let authority = uri.as_ref().filter(|uri| uri.scheme_str() == Some("http")).and_then(Uri::authority);
        authority.is_some_and(|a| only(headers, &header::HOST).is_some_and(|host| a.as_str().eq_ignore_ascii_case(host)))
    });
    site && origin
}

fn refuse(status: StatusCode, sentence: &str) -> Response {
    (status, Json(json!({ "error": sentence }))).into_response()
}

/// Only pictures keep their content type: anything else could be a page of its own, on this origin.
async fn file(State(site): State<Site>, uri: Uri) -> Response {
    let Some((kind, bytes)) = site.backend.file(uri.path()) else { return refuse(StatusCode::NOT_FOUND, "There is no such file.") };
    let shown = ["image/png", "image/jpeg", "image/gif", "image/webp"].into_iter().find(|known| *known == kind);
    match shown {
        Some(kind) => ([(header::CONTENT_TYPE, kind)], bytes).into_response(),
        None => ([(header::CONTENT_TYPE, "application/octet-stream"), (header::CONTENT_DISPOSITION, "attachment")], bytes).into_response(),
    }
}

async fn state(State(site): State<Site>) -> Json<Value> {
    let mut snapshot = site.backend.snapshot();
    if let Value::Object(fields) = &mut snapshot {
        let fire = site.backend.fire_list().into_iter().map(|fire| json!({ "name": fire.name, "label": fire.label, "group": fire.group }));
        fields.insert("fire".to_owned(), fire.collect());
    }
    Json(snapshot)
}

async fn events(State(site): State<Site>) -> impl IntoResponse {
    // Subscribed before the response's head is sent: it has every change after the page saw the stream open.
    Sse::new(changes(site.backend.subscribe(), site.stop)).keep_alive(KeepAlive::new().interval(HEARTBEAT).text("still here"))
}

fn changes(receiver: Receiver<Value>, stop: CancellationToken) -> impl Stream<Item = Result<Event, Infallible>> {
    futures_util::stream::unfold((receiver, stop), |(mut receiver, stop)| async move {
        let item = tokio::select! {
            biased;
            () = stop.cancelled() => return None,
            item = receiver.recv() => item,
        };
        let value = match item {
            Ok(value) => value,
            Err(RecvError::Lagged(_)) => json!({ "type": "RESYNC" }),
            Err(RecvError::Closed) => return None,
        };
        // serde_json writes no line breaks outside strings and escapes those inside: always one `data:` line.
        Some((Ok(Event::default().data(value.to_string())), (receiver, stop)))
    })
}

async fn act(State(site): State<Site>, request: Request) -> Response {
    if !is_same_origin(request.headers()) {
        return refuse(StatusCode::FORBIDDEN, "Only this page itself may act.");
    }
    let kind = only(request.headers(), &header::CONTENT_TYPE).and_then(|kind| kind.split(';').next());
    if !kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json")) {
        return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "An action must be application/json.");
    }
    let body = match timeout(BODY_LIMIT, axum::body::to_bytes(request.into_body(), MAX_ACTION_BYTES)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return refuse(StatusCode::PAYLOAD_TOO_LARGE, "An action is at most 64 KiB."),
        Err(_) => return refuse(StatusCode::REQUEST_TIMEOUT, "The action did not arrive in time."),
    };
    let action = match serde_json::from_slice::<Value>(&body) {
        Ok(action @ Value::Object(_)) => action,
        _ => return refuse(StatusCode::BAD_REQUEST, "An action must be a JSON object."),
    };
    match timeout(ACT_LIMIT, site.backend.act(action)).await {
        Ok(Ok(answer)) => Json(answer).into_response(),
        Ok(Err(sentence)) => refuse(StatusCode::BAD_REQUEST, &sentence),
        Err(_) => refuse(StatusCode::GATEWAY_TIMEOUT, "The simulated Discord did not answer in time."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_ours_only_if_it_is_loopback_or_the_address_that_was_reached() {
        let lan = Some("192.168.1.7".parse().unwrap());
        for host in ["localhost", "LOCALHOST:8104", "127.0.0.1", "127.0.0.1:1", "127.9.9.9", "[::1]", "[::1]:80", "192.168.1.7:8104"] {
            assert!(is_ours(host, lan), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "192.168.1.8",
            "",
            "a b",
            "localhost@evil.example",
            "evil.example@localhost",
            "0.0.0.0",
        ] {
            assert!(!is_ours(host, lan), "{host}");
        }
        assert!(!is_ours("192.168.1.7", None));
        assert!(is_ours("192.168.1.7", Some("::ffff:192.168.1.7".parse().unwrap())), "a dual-stack socket reports mapped addresses");
    }

    #[test]
    fn an_origin_must_be_this_very_host_and_port() {
        let same = |pairs: &[(&str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
            }
            is_same_origin(&headers)
        };
        let host = ("host", "127.0.0.1:8104");
        assert!(same(&[host]));
        assert!(same(&[host, ("origin", "http://127.0.0.1:8104"), ("sec-fetch-site", "same-origin")]));
        assert!(!same(&[host, ("origin", "http://127.0.0.1:8105")]), "another local port is another site");
        assert!(!same(&[host, ("origin", "https://evil.example")]));
        assert!(!same(&[host, ("origin", "null")]));
        assert!(!same(&[host, ("sec-fetch-site", "cross-site")]));
        assert!(!same(&[host, ("sec-fetch-site", "same-site")]));
    }

    #[test]
    fn no_asset_names_an_address_outside() {
        for (path, _, text) in ASSETS {
            for scheme in ["http://", "https://", "ws://", "wss://"] {
                let foreign: Vec<&str> = text
                    .match_indices(scheme)
                    .filter_map(|(at, _)| text.get(at..))
                    // The name of the SVG namespace isn't an address: nothing is loaded from it.
                    .filter(|rest| !rest.starts_with("http://www.w3.org/2000/svg"))
                    .filter(|rest| rest.strip_prefix(scheme).is_some_and(|host| host.starts_with(|c: char| c.is_ascii_alphanumeric())))
                    .collect();
                assert!(foreign.is_empty(), "{path} names {:.60}", foreign.first().unwrap_or(&""));
            }
        }
    }
}
