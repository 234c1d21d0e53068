//! The public API: building a hub, its handle, and the messages between handles and the task that owns the connection.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use rustls::ClientConfig;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::error::{HubError, Step};
use super::negotiate::{self, Negotiation};
use super::queue::{Events, Inlet, queue};
use super::record;
use super::retry::{Backoff, RetryPolicy};

/// The state of a hub's connection.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// Not started, stopped, or given up by the policy. Final once the task ran.
    Disconnected {
        /// Why: [`HubError::NotConnected`] before the start, [`HubError::Stopped`] after a stop.
        reason: HubError,
    },
    /// Opening a connection.
    Connecting {
        /// Failures since the connection was last stable.
        attempt: u32,
    },
    /// The handshake is done, the [`HubTask::on_connected`] hook is running.
    Connected {
        /// The connection's name, if it was negotiated. Not a secret.
        id: Option<Arc<str>>,
        /// Counts handshakes, from 1.
        epoch: u64,
    },
    /// The connection is up, but the hook said [`Verdict::RetryAfter`].
    Held {
        /// Counts handshakes, from 1.
        epoch: u64,
        /// When the hook runs again.
        until: Instant,
        /// The hook's message.
        reason: Arc<str>,
    },
    /// Calls may be made.
    Ready {
        /// Counts handshakes, from 1.
        epoch: u64,
        since: Instant,
    },
    /// No connection; the next attempt is due.
    Waiting {
        until: Instant,
        /// Failures since the connection was last stable, the last one included.
        attempt: u32,
        /// Why the last attempt failed or the last connection ended.
        reason: HubError,
    },
}

/// What the [`HubTask::on_connected`] hook decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All is well, calls may be made.
    Ready,
    /// Keep this connection and run the hook again after the wait. The reason goes into [`State::Held`] and the log: no secrets.
    RetryAfter(Duration, String),
    /// Drop this connection and open another, as the policy decides. The reason goes into [`State::Waiting`] and the log: no secrets.
    Reconnect(String),
}

pub(super) type Hook = Box<dyn Fn(Connection) -> BoxFuture<'static, Verdict> + Send + Sync>;

/// Limits and times, all with the defaults of the official client or tighter.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) keep_alive: Duration,
    pub(super) server_timeout: Duration,
    pub(super) handshake_timeout: Duration,
    pub(super) negotiate_timeout: Duration,
    pub(super) connect_timeout: Duration,
    pub(super) send_timeout: Duration,
    pub(super) call_timeout: Duration,
    pub(super) hook_timeout: Duration,
    pub(super) stop_timeout: Duration,
    pub(super) stable_after: Duration,
    pub(super) max_record: usize,
    pub(super) max_sent: usize,
    pub(super) max_queued: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            keep_alive: Duration::from_secs(15),
            server_timeout: Duration::from_secs(30),
            handshake_timeout: Duration::from_secs(15),
            negotiate_timeout: Duration::from_secs(15),
            connect_timeout: Duration::from_secs(15),
            send_timeout: Duration::from_secs(15),
            call_timeout: Duration::from_secs(30),
            hook_timeout: Duration::from_secs(90),
            stop_timeout: Duration::from_secs(5),
            stable_after: Duration::from_secs(30),
            max_record: 16 << 20,
            max_sent: 32 << 10,
            max_queued: 64 << 20,
        }
    }
}

/// Builds a [`Hub`]; see [`Hub::builder`].
pub struct Builder {
    url: String,
    settings: Settings,
    negotiation: Negotiation,
    redirects: Vec<String>,
    headers: Vec<(String, String)>,
    policy: Option<Box<dyn RetryPolicy>>,
    client: Option<reqwest::Client>,
    tls: Option<Arc<ClientConfig>>,
}

/// Setters for durations and sizes, which all look alike.
macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident: $kind:ty;)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name(mut self, value: $kind) -> Self {
            self.settings.$name = value;
            self
        }
    )*};
}

impl Builder {
    setters! {
        /// A ping goes out when nothing was sent for this long. 15 s.
        keep_alive: Duration;
        /// The connection is given up when nothing arrived from the hub for this long. 30 s.
        server_timeout: Duration;
        /// Limit for the handshake. 15 s.
        handshake_timeout: Duration;
        /// Limit for negotiating, redirects included. 15 s.
        negotiate_timeout: Duration;
        /// Limit for DNS, TCP, TLS and the upgrade together. 15 s.
        connect_timeout: Duration;
        /// The connection is given up when the peer takes nothing from us for this long. 15 s.
        send_timeout: Duration;
        /// Limit for a call. 30 s.
        call_timeout: Duration;
        /// Limit for one run of the hook, then a new connection is opened. 90 s.
        hook_timeout: Duration;
        /// How long a stop may take to say good-bye. 5 s.
        stop_timeout: Duration;
        /// After this long in [`State::Ready`] the count of failures starts again from 0. 30 s.
        stable_after: Duration;
        /// The longest record taken from the server, in bytes. 16 MiB.
        max_record: usize;
        /// The longest record sent, in bytes: servers end the connection at more than they allow. 32 KiB, their default.
        max_sent: usize;
        /// Limit of each [`Events`] queue in bytes. 64 MiB.
        max_queued: usize;
    }

    /// Whether to negotiate. [`Negotiation::Auto`] unless set.
    #[must_use]
    pub fn negotiation(mut self, mode: Negotiation) -> Self {
        self.negotiation = mode;
        self
    }

    /// Other hosts besides its own domain to which the hub may redirect; `*.domain` for all below it. None unless set.
    #[must_use]
    pub fn redirects(mut self, hosts: Vec<String>) -> Self {
        self.redirects = hosts;
        self
    }

    /// A header for negotiate and upgrade; sent only to the hub's own host. Kept out of all texts.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// When to try again. [`Backoff`] unless set.
    #[must_use]
    pub fn retry(mut self, policy: impl RetryPolicy + 'static) -> Self {
        self.policy = Some(Box::new(policy));
        self
    }

    /// The client for negotiate. It must not follow redirects by itself nor use a proxy. Unless set, one is made that does neither.
    #[must_use]
    pub fn http_client(mut self, client: reqwest::Client) -> Self {
        self.client = Some(client);
        self
    }

    /// TLS for the WebSocket and, unless a client was given, for negotiate. Without it nothing is built.
    #[must_use]
    pub fn tls(mut self, config: Arc<ClientConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    /// The handle and the task. Nothing happens until [`HubTask::run`] is driven.
    ///
    /// # Errors
    /// [`HubError::Config`] for an address that is not `http(s)://host/…`, a header that cannot be one, or no TLS.
    pub fn build(self) -> Result<(Hub, HubTask), HubError> {
        let url = negotiate::hub_url(&self.url)?;
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"))));
        for (name, value) in &self.headers {
            let bad = || HubError::Config(format!("the header {name:?} cannot be sent"));
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
            let mut value = HeaderValue::from_str(value).map_err(|_| bad())?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let mut tls = self.tls.ok_or_else(|| HubError::Config("no TLS configuration was given".to_owned()))?;
        if tls.alpn_protocols != [b"http/1.1"] {
            // WebSocket over HTTP/2 is another protocol, even if the caller's configuration allows HTTP/2 for other uses.
            Arc::make_mut(&mut tls).alpn_protocols = vec![b"http/1.1".to_vec()];
        }
        let client = match self.client {
            Some(client) => client,
            None => reqwest::Client::builder()
                .use_preconfigured_tls((*tls).clone())
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .pool_max_idle_per_host(0)
                .build()
                .map_err(|error| HubError::Config(format!("the HTTP client: {error}")))?,
        };
        let shared = Arc::new(Shared {
            state: watch::Sender::new(State::Disconnected { reason: HubError::NotConnected }),
            link: watch::Sender::new(None),
            stop: CancellationToken::new(),
            done: CancellationToken::new(),
            running: AtomicBool::new(false),
            dropped: AtomicU64::new(0),
            stop_timeout: self.settings.stop_timeout,
        });
        let core = Core {
            label: negotiate::label(&url),
            trust: negotiate::Trust::new(&url, &self.redirects),
            url,
            headers,
            client,
            tls,
            negotiation: self.negotiation,
            settings: self.settings,
            inlets: Vec::new(),
            hook: None,
            guard: Guard(Arc::clone(&shared)),
        };
        let policy = self.policy.unwrap_or_else(|| Box::new(Backoff::new(fastrand::f64)));
        Ok((Hub { shared }, HubTask { core, policy }))
    }
}

/// Owns the connection. Register listeners and the hook, then drive [`HubTask::run`] on a task of your own.
pub struct HubTask {
    pub(super) core: Core,
    // Apart, because it is `Send` only: the rest is borrowed across awaits.
    policy: Box<dyn RetryPolicy>,
}

/// All that opening and keeping connections needs.
pub(super) struct Core {
    pub(super) label: String,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) client: reqwest::Client,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) negotiation: Negotiation,
    pub(super) trust: negotiate::Trust,
    pub(super) settings: Settings,
    pub(super) inlets: Vec<Inlet>,
    pub(super) hook: Option<Hook>,
    pub(super) guard: Guard,
}

impl HubTask {
    /// Listens to the server's calls of `target` (ignoring ASCII case), in a queue of `capacity` calls (and [`Builder::max_queued`] bytes).
    /// If the queue is full, new calls are dropped, counted by [`Hub::dropped`] and logged. Several listeners to one target each get all.
    pub fn on(&mut self, target: &str, capacity: usize) -> Events {
        let (inlet, events) = queue(target, capacity, self.core.settings.max_queued);
        self.core.inlets.push(inlet);
        events
    }

    /// Runs after every handshake, before calls may be made: the place to sign in, since the server forgets us with each connection.
    /// Calls by the server are delivered meanwhile. Only one hook: the last one set.
    pub fn on_connected<F, Fut>(&mut self, hook: F)
    where
        F: Fn(Connection) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Verdict> + Send + 'static,
    {
        self.core.hook = Some(Box::new(move |connection| Box::pin(hook(connection))));
    }

    /// Connects and stays connected until [`Hub::stop`] or until the policy gives up. Dropping the future drops the connection at once.
    pub async fn run(self) {
        let Self { core, mut policy } = self;
        core.guard.0.running.store(true, Ordering::SeqCst);
        let reason = core.serve(&mut *policy).await;
        core.guard.0.end(reason);
    }
}

/// The handle. Cheap to clone; dropping all of them stops nothing.
#[derive(Clone)]
pub struct Hub {
    shared: Arc<Shared>,
}

impl Hub {
    /// A hub at `url`, such as `https://api.example.com/hub`.
    #[must_use]
    pub fn builder(url: impl Into<String>) -> Builder {
        Builder {
            url: url.into(),
            settings: Settings::default(),
            negotiation: Negotiation::default(),
            redirects: Vec::new(),
            headers: Vec::new(),
            policy: None,
            client: None,
            tls: None,
        }
    }

    /// Calls a method of the hub and waits for its answer: `None` from a method without result, `Some` of `null` from one that returned null.
    /// `arguments` is a tuple or a list. Nothing is sent twice: the result of a call that fails in flight is unknown.
    ///
    /// # Errors
    /// [`HubError::NotConnected`] unless [`State::Ready`], or when the connection is lost meanwhile; [`HubError::Call`] with the hub's
    /// words; [`HubError::Timeout`]; [`HubError::Arguments`]; [`HubError::Stopped`].
    pub async fn invoke(&self, target: &str, arguments: impl Serialize + Send) -> Result<Option<Box<RawValue>>, HubError> {
        self.shared.ready_link()?.invoke(target, &arguments)?.answer().await
    }

    /// Calls a method of the hub without waiting for an answer; returns once the call is on its way.
    ///
    /// # Errors
    /// As [`Hub::invoke`], but for the hub's own answer.
    pub async fn send(&self, target: &str, arguments: impl Serialize + Send) -> Result<(), HubError> {
        self.shared.ready_link()?.send(target, &arguments)?.answer().await
    }

    /// The connection's state, and every change. Only the newest: a reader may miss a brief one.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<State> {
        self.shared.state.subscribe()
    }

    /// How many calls of the server didn't fit into a queue since the start, over all [`Events`]. This stream can't be replayed.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// Closes the connection and ends the task. May be called repeatedly and from anywhere; returns when it is done, or after the
    /// stop limit and a second.
    pub async fn stop(&self) {
        self.shared.stop.cancel();
        if self.shared.running.load(Ordering::SeqCst) {
            let limit = self.shared.stop_timeout + Duration::from_secs(1);
            tokio::time::timeout(limit, self.shared.done.cancelled()).await.ok();
        }
    }
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").field("state", &*self.shared.state.borrow()).finish_non_exhaustive()
    }
}

/// One connection, as the hook sees it: its calls go through before the hub is ready, and fail once this connection is gone.
#[derive(Clone)]
pub struct Connection {
    pub(super) link: Link,
    pub(super) id: Option<Arc<str>>,
    pub(super) epoch: u64,
    pub(super) attempt: u32,
}

impl Connection {
    /// The connection's name, if it was negotiated. Not a secret.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Counts handshakes, from 1.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How often the hook ran on this connection before: 0 the first time.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// As [`Hub::invoke`].
    ///
    /// # Errors
    /// As [`Hub::invoke`].
    pub async fn invoke(&self, target: &str, arguments: impl Serialize + Send) -> Result<Option<Box<RawValue>>, HubError> {
        self.link.invoke(target, &arguments)?.answer().await
    }

    /// As [`Hub::send`].
    ///
    /// # Errors
    /// As [`Hub::send`].
    pub async fn send(&self, target: &str, arguments: impl Serialize + Send) -> Result<(), HubError> {
        self.link.send(target, &arguments)?.answer().await
    }
}

/// The way from handles into one connection. Dies with the connection.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) limit: Duration,
    pub(super) stop: CancellationToken,
}

/// A call on its way in.
pub(super) struct Command {
    pub(super) target: String,
    pub(super) arguments: Box<RawValue>,
    pub(super) reply: Reply,
}

/// Where the result of a call goes. Dropped unanswered, it reports that the connection is gone.
pub(super) enum Reply {
    Answered(oneshot::Sender<Result<Option<Box<RawValue>>, HubError>>),
    Sent(oneshot::Sender<Result<(), HubError>>),
}

impl Reply {
    pub(super) fn fail(self, error: HubError) {
        match self {
            Self::Answered(reply) => drop(reply.send(Err(error))),
            Self::Sent(reply) => drop(reply.send(Err(error))),
        }
    }
}

impl Link {
    fn invoke(&self, target: &str, arguments: &impl Serialize) -> Result<Pending<Option<Box<RawValue>>>, HubError> {
        let (reply, answer) = oneshot::channel();
        let command = Command { target: target.to_owned(), arguments: record::arguments(arguments)?, reply: Reply::Answered(reply) };
        Ok(Pending { link: self.clone(), command, answer })
    }

    fn send(&self, target: &str, arguments: &impl Serialize) -> Result<Pending<()>, HubError> {
        let (reply, answer) = oneshot::channel();
        let command = Command { target: target.to_owned(), arguments: record::arguments(arguments)?, reply: Reply::Sent(reply) };
        Ok(Pending { link: self.clone(), command, answer })
    }
}

struct Pending<T> {
    link: Link,
    command: Command,
    answer: oneshot::Receiver<Result<T, HubError>>,
}

impl<T> Pending<T> {
    async fn answer(self) -> Result<T, HubError> {
        let Self { link, command, answer } = self;
        let lost = || if link.stop.is_cancelled() { HubError::Stopped } else { HubError::NotConnected };
        let called = async {
            link.commands.send(command).await.map_err(|_| lost())?;
            answer.await.map_err(|_| lost())?
        };
        match tokio::time::timeout(link.limit, called).await {
            Ok(outcome) => outcome,
            Err(_) => Err(HubError::Timeout { step: Step::Call, limit: link.limit }),
        }
    }
}

/// Shared by handles and task.
pub(super) struct Shared {
    pub(super) state: watch::Sender<State>,
    /// Set while ready.
    pub(super) link: watch::Sender<Option<Link>>,
    pub(super) stop: CancellationToken,
    done: CancellationToken,
    running: AtomicBool,
    pub(super) dropped: AtomicU64,
    stop_timeout: Duration,
}

impl Shared {
    fn ready_link(&self) -> Result<Link, HubError> {
        if self.stop.is_cancelled() {
            return Err(HubError::Stopped);
        }
        self.link.borrow().clone().ok_or(HubError::NotConnected)
    }

    fn end(&self, reason: HubError) {
        if !self.done.is_cancelled() {
            self.link.send_replace(None);
            self.state.send_replace(State::Disconnected { reason });
            self.done.cancel();
        }
    }
}

/// Updates the handles when the task ends, for any reason.
pub(super) struct Guard(pub(super) Arc<Shared>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.end(HubError::Stopped);
    }
}
