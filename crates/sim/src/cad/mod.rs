//! A Sonoran CAD in one process: the SignalR hub, the part of REST v2 that a bot calls, HTTP pushes, state that events and
//! answers agree on, and faults on demand. For the demo and the tests.
//!
//! It must never use a type of the bot's: it works on bytes and JSON values, so that it can't share the bot's mistakes. The official
//! npm client (`tests/official`) proves that the hub is genuine.
//!
//! ```text
//!                         ┌─ a hub session of that server ─▶ pushEvent      (hub.rs)
//!  verbs.rs ─▶ state.rs ─▶ push.rs
//!                         └─ else its HTTP destination ────▶ POST {key,type,data}
//!  bot ─▶ rest.rs ─▶ state.rs       (silent: changes by the API raise no event, except a new 911)
//! ```
//!
//! Everything is behind one lock that is never held across an await; every task ends with [`CadSim::stop`] or the last handle.

mod fault;
mod hub;
mod push;
mod record;
mod rest;
mod server;
mod state;
mod verbs;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use fault::{Noise, Silence};
pub use push::Pushed;
pub use verbs::{Account, CallSpec, DispatchSpec, RecordChange, UnitSpec};

/// Log entries kept; older ones are dropped.
const LOG_LIMIT: usize = 10_000;

/// How the CAD is set up. `CadOptions::default()` is one server with id 1 on a free local port.
#[derive(Clone)]
pub struct CadOptions {
    /// Where to listen, `host:port`; port 0 takes a free one.
    pub addr: String,
    /// Community id, compared without regard to case.
    pub community: String,
    /// The community's API key, compared without regard to case.
    pub api_key: String,
    /// The community's servers.
    pub servers: Vec<ServerOptions>,
    /// Form of the single argument of `pushEvent`.
    pub payload_as: PayloadAs,
    /// Which of several sessions for one server gets its events. Unknown for the real CAD (docs/cad-contract.md#h10).
    pub recipient: Recipient,
    /// Whether events on the hub carry the `key` field.
    pub key_on_hub: bool,
    /// Hub ping whenever nothing was sent for this long.
    pub ping_every: Duration,
    /// A client that pinged once and was then silent for this long is closed.
    pub client_timeout: Duration,
    /// Time limit for a client's handshake.
    pub handshake_timeout: Duration,
    /// How long a connection token may stay unclaimed.
    pub token_life: Duration,
    /// Whether REST keeps its requests-per-minute limits (docs/cad-contract.md#r10).
    pub rate_limits: bool,
    /// Whether negotiate sets a load balancer's cookie that the upgrade has to bring back.
    pub affinity_cookie: bool,
    /// Whether removing a 911 over REST raises `EVENT_REMOVE_911`. Unknown for the real CAD.
    pub push_api_removals: bool,
}

impl Default for CadOptions {
    fn default() -> Self {
        Self {
            addr: "127.0.0.1:0".to_owned(),
            community: "demo".to_owned(),
            api_key: "sim-api-key".to_owned(),
            servers: vec![ServerOptions::new(1, "Main Server")],
            payload_as: PayloadAs::String,
            recipient: Recipient::Newest,
            key_on_hub: true,
            ping_every: Duration::from_secs(15),
            client_timeout: Duration::from_secs(30),
            handshake_timeout: Duration::from_secs(15),
            token_life: Duration::from_secs(15),
            rate_limits: true,
            affinity_cookie: false,
            push_api_removals: false,
        }
    }
}

impl fmt::Debug for CadOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the key: nobody should get used to printing keys, not even simulated ones.
        f.debug_struct("CadOptions")
            .field("addr", &self.addr)
            .field("community", &self.community)
            .field("servers", &self.servers)
            .finish_non_exhaustive()
    }
}

/// One server of the community.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Its id, 1 and up.
    pub id: i64,
    /// Its display name.
    pub name: String,
    /// Where its events go over HTTP.
    pub http: Option<HttpDestination>,
}

impl ServerOptions {
    /// A server without HTTP destination.
    #[must_use]
    pub fn new(id: i64, name: &str) -> Self {
        Self { id, name: name.to_owned(), http: None }
    }
}

/// Where events go over HTTP.
#[derive(Clone, Debug)]
pub struct HttpDestination {
    /// Posted to exactly as written.
    pub url: String,
    /// False: only while the server has no hub session, as the CAD does. True: every event, as the FiveM resource forwards.
    pub forward: bool,
}

/// Form of the argument of `pushEvent`; the documentation leaves it open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadAs {
    /// A string holding the event's JSON.
    String,
    /// The event as an object.
    Object,
}

/// Who gets a server's events if several sessions name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// The session that authenticated last.
    Newest,
    /// The session that authenticated first.
    Oldest,
    /// Each of them a copy.
    All,
}

/// Something the CAD saw or did. The API key appears in none of them.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// A negotiate request and the status it got.
    Negotiate {
        /// HTTP status.
        status: u16,
    },
    /// A request for a WebSocket.
    Upgrade {
        /// HTTP status, 101 if granted.
        status: u16,
        /// Whether it brought a connection token.
        with_token: bool,
    },
    /// A handshake was answered without error.
    Handshake,
    /// An authentication call.
    Auth {
        /// The hub method as called.
        method: String,
        /// Community id as sent.
        community: String,
        /// Server id as sent.
        server: Option<i64>,
        /// Whether the key was right.
        key_ok: bool,
        /// What the hub answered; `None` if it answered with an error.
        success: Option<bool>,
    },
    /// Any other invocation.
    Invocation {
        /// The hub method as called.
        method: String,
    },
    /// A client's ping.
    Ping,
    /// A client's answer to [`CadSim::call_client`].
    Completion {
        /// Id of the call.
        id: String,
        /// Its result, if it has one.
        result: Option<Value>,
        /// Its error, if it has one.
        error: Option<String>,
    },
    /// A client's Close record.
    Close,
    /// A session ended, for any reason.
    SessionEnd {
        /// The server it had authenticated for.
        server: Option<i64>,
    },
    /// A REST request.
    Rest {
        /// HTTP method.
        method: String,
        /// Path without query.
        path: String,
        query: String,
        /// The request's body; null if there was none, or it was over 8 KiB.
        body: Value,
        /// HTTP status answered.
        status: u16,
    },
    /// An event was raised.
    Push {
        /// Server it belongs to.
        server: i64,
        /// Event type.
        kind: String,
        /// Where it went.
        to: Pushed,
    },
    /// An HTTP push ended.
    HttpPush {
        /// Server it belongs to.
        server: i64,
        /// Event type.
        kind: String,
        /// The answer's status; `None` if there was none, or the queue was full.
        status: Option<u16>,
    },
}

/// A running CAD. Cheap to clone; it stops with [`CadSim::stop`] or when the last handle is dropped.
#[derive(Clone)]
pub struct CadSim {
    inner: Arc<Inner>,
    /// What people do through this handle raises no event.
    silent: bool,
    _life: Arc<Life>,
}

impl fmt::Debug for CadSim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CadSim").field("addr", &self.inner.addr).finish_non_exhaustive()
    }
}

/// Stops the tasks, which hold [`Inner`] themselves, when the last handle is dropped.
struct Life(CancellationToken);

impl Drop for Life {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Shared by handles and tasks.
struct Inner {
    options: CadOptions,
    addr: SocketAddr,
    http: reqwest::Client,
    stop: CancellationToken,
    tasks: TaskTracker,
    shared: Mutex<Shared>,
    /// Counts changes of `shared`; the `wait_…` methods wait on it.
    changed: watch::Sender<u64>,
}

/// The state behind the lock.
#[derive(Default)]
struct Shared {
    servers: BTreeMap<i64, state::Server>,
    accounts: Vec<Account>,
    /// Selected identifiers by account.
    selected: BTreeMap<String, i64>,
    /// The community's own layouts of dispatch calls.
    templates: Vec<state::Object>,
    sessions: BTreeMap<u64, hub::Session>,
    tokens: HashMap<String, hub::Token>,
    next_session: u64,
    /// Counts authentications; orders the sessions of one server.
    auths: u64,
    faults: fault::Faults,
    limits: HashMap<&'static str, rest::Window>,
    rate_limits: bool,
    outboxes: BTreeMap<i64, push::Outbox>,
    /// HTTP pushes sent and not yet answered.
    unanswered: usize,
    log: VecDeque<Seen>,
    /// Where events go instead of to sessions and destinations.
    tap: Option<tokio::sync::mpsc::UnboundedSender<(i64, Value)>>,
    /// No event is raised.
    silently: bool,
}

impl CadSim {
    /// Binds the address and serves until stopped.
    ///
    /// # Errors
    /// The address cannot be bound, or the HTTP client for pushes cannot be built.
    pub async fn start(options: CadOptions) -> io::Result<Self> {
        let listener = TcpListener::bind(&options.addr).await?;
        let addr = listener.local_addr()?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(10))
            .build()
            .map_err(io::Error::other)?;
        let mut shared = Shared { rate_limits: options.rate_limits, ..Shared::default() };
        let mut outboxes = Vec::new();
        for server in &options.servers {
            shared.servers.insert(server.id, state::Server::new(&server.name, server.http.clone()));
            let (outbox, queue) = push::Outbox::new();
            shared.outboxes.insert(server.id, outbox);
            outboxes.push((server.id, queue));
        }
        let stop = CancellationToken::new();
        let inner = Arc::new(Inner {
            options,
            addr,
            http,
            stop: stop.clone(),
            tasks: TaskTracker::new(),
            shared: Mutex::new(shared),
            changed: watch::Sender::new(0),
        });
        for (server, queue) in outboxes {
            inner.spawn(push::drain(Arc::clone(&inner), server, queue));
        }
        inner.spawn(server::accept(Arc::clone(&inner), listener));
        Ok(Self { inner, silent: false, _life: Arc::new(Life(stop)) })
    }

    /// Drops every connection, ends every task and frees the port. Idempotent.
    pub async fn stop(&self) {
        self.inner.stop.cancel();
        self.inner.tasks.close();
        tokio::time::timeout(Duration::from_secs(5), self.inner.tasks.wait()).await.ok();
    }

    /// The address it listens on.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.inner.addr
    }

    /// The hub's URL, `http://…/apiWsHub`.
    #[must_use]
    pub fn hub_url(&self) -> String {
        format!("http://{}/apiWsHub", self.inner.addr)
    }

    /// The REST base URL, without trailing slash.
    #[must_use]
    pub fn api_url(&self) -> String {
        format!("http://{}", self.inner.addr)
    }

    /// The community id in use.
    #[must_use]
    pub fn community(&self) -> &str {
        &self.inner.options.community
    }

    /// Ids of the configured servers, ascending.
    #[must_use]
    pub fn servers(&self) -> Vec<i64> {
        self.inner.lock().servers.keys().copied().collect()
    }

    /// Sets or removes a server's HTTP destination. False if there is no such server.
    pub fn set_http(&self, server: i64, destination: Option<HttpDestination>) -> bool {
        match self.inner.lock().servers.get_mut(&server) {
            Some(server) => {
                server.http = destination;
                true
            }
            None => false,
        }
    }

    /// Switches the rate limits of REST, forgetting what was counted.
    pub fn set_rate_limits(&self, on: bool) {
        let mut shared = self.inner.lock();
        shared.rate_limits = on;
        shared.limits.clear();
    }

    /// How many sessions are authenticated for a server.
    #[must_use]
    pub fn sessions(&self, server: i64) -> usize {
        self.inner.lock().sessions_of(server)
    }

    /// How many WebSockets are open, authenticated or not.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.inner.lock().sessions.len()
    }

    /// Waits until a server has a session; false if `timeout` passed first.
    pub async fn wait_session(&self, server: i64, timeout: Duration) -> bool {
        self.inner.wait(timeout, |shared| (shared.sessions_of(server) > 0).then_some(())).await.is_some()
    }

    /// Waits until a server has no session; false if `timeout` passed first.
    pub async fn wait_no_session(&self, server: i64, timeout: Duration) -> bool {
        self.inner.wait(timeout, |shared| (shared.sessions_of(server) == 0).then_some(())).await.is_some()
    }

    /// Waits until every HTTP push was answered or given up; false if `timeout` passed first.
    pub async fn wait_pushed(&self, timeout: Duration) -> bool {
        self.inner.wait(timeout, |shared| (shared.unanswered == 0).then_some(())).await.is_some()
    }

    /// What happened so far, oldest first, at most the last 10,000.
    #[must_use]
    pub fn log(&self) -> Vec<Seen> {
        self.inner.lock().log.iter().cloned().collect()
    }

    /// Empties the log.
    pub fn clear_log(&self) {
        self.inner.lock().log.clear();
    }

    /// How many log entries satisfy `wanted`.
    #[must_use]
    pub fn count(&self, wanted: impl Fn(&Seen) -> bool) -> usize {
        self.inner.lock().log.iter().filter(|seen| wanted(seen)).count()
    }

    /// Waits until a log entry satisfies `wanted` and returns the first that does; `None` if `timeout` passed first.
    pub async fn wait_seen(&self, timeout: Duration, wanted: impl Fn(&Seen) -> bool) -> Option<Seen> {
        self.inner.wait(timeout, |shared| shared.log.iter().find(|seen| wanted(seen)).cloned()).await
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes `shared` and wakes those who wait for it.
    fn change<T>(&self, change: impl FnOnce(&mut Shared) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
        result
    }

    fn note(&self, seen: Seen) {
        self.change(|shared| shared.note(seen));
    }

    /// Runs a task that ends with the simulator.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = task => {}
            }
        });
    }

    async fn wait<T>(&self, timeout: Duration, look: impl Fn(&Shared) -> Option<T>) -> Option<T> {
        let mut changed = self.changed.subscribe();
        let deadline = Instant::now() + timeout;
        loop {
            changed.mark_unchanged();
            if let Some(found) = look(&self.lock()) {
                return Some(found);
            }
            match tokio::time::timeout_at(deadline, changed.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return look(&self.lock()),
            }
        }
    }
}

impl Shared {
    fn note(&mut self, seen: Seen) {
        if self.log.len() >= LOG_LIMIT {
            self.log.pop_front();
        }
        self.log.push_back(seen);
    }

    fn sessions_of(&self, server: i64) -> usize {
        self.sessions.values().filter(|session| session.server == Some(server)).count()
    }
}

/// Now, as the CAD writes it: ISO 8601, UTC, whole seconds.
fn iso_now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A random lower-case hexadecimal text, for ids and tokens.
fn random_hex(bytes: usize) -> String {
    (0..bytes).map(|_| format!("{:02x}", fastrand::u8(..))).collect()
}

/// At most 256 characters, for the log.
fn shortened(text: &str) -> String {
    text.chars().take(256).collect()
}
