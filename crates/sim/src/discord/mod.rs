//! A simulated Discord: REST below `/api/v10`, a gateway, people who run commands, limits, and planned faults. For the demo and the tests.
//!
//! Imports nothing from the bot: it speaks JSON as Discord does, so that it can't share the bot's
//! mistakes. It makes no outgoing connections and listens only on the given address.
//!
//! ```text
//!            ┌ server ── rest ─┬ messages ── validate, mentions, permissions
//!  bot ──────┤                 ├ commands
//!            │                 └ interaction (callbacks) ◀─┐
//!            └ gateway ◀── state (one lock) ◀── people ────┘ ◀── tests, the demo's page
//!                                  └── watch: messages, edits, requests, stream
//! ```
//!
//! Not simulated: voice, reactions, DMs, zlib-stream transport, several bots.

mod body;
mod commands;
mod fault;
mod gateway;
mod interaction;
mod limits;
mod mentions;
mod messages;
mod people;
mod permissions;
mod rest;
mod server;
mod setup;
mod state;
mod validate;
mod watch;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{broadcast, watch as signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use fault::Noise;
pub use limits::Scope;
pub use people::Pending;
pub use watch::Arrival;

use state::State;

/// Where the simulator's time comes from: milliseconds since 1970.
pub type TimeSource = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Whether rate limits are applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateLimits {
    /// As Discord does.
    Real,
    /// Never a 429 unless a fault asks for it.
    Off,
}

/// The size of a rate-limit bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Requests per window.
    pub limit: u32,
    /// Length of the window in milliseconds.
    pub window_ms: i64,
}

/// How a simulator behaves. `DiscordOptions { token: …, ..DiscordOptions::default() }`.
#[derive(Clone)]
pub struct DiscordOptions {
    /// Where to listen; port 0 takes a free one.
    pub addr: SocketAddr,
    /// The bot's token, without `Bot `.
    pub token: String,
    /// The bot's and the application's name.
    pub bot_name: String,
    /// What the bot's own role grants it in every guild. Default: all that a message bot asks for, including to mention everyone.
    pub bot_permissions: u64,
    /// The gateway's heartbeat interval in milliseconds.
    pub heartbeat_ms: u64,
    /// Whether rate limits are applied.
    pub rate_limits: RateLimits,
    /// The bucket of each (method, route, channel) of messages.
    pub message_bucket: Bucket,
    /// Requests per second over all routes but interactions.
    pub global_per_second: u32,
    /// How long an interaction waits for its first response, in milliseconds.
    pub first_answer_ms: i64,
    /// How long an interaction's token lives, in milliseconds.
    pub token_lifetime_ms: i64,
    /// How long a nonce is remembered, in milliseconds.
    pub nonce_window_ms: i64,
    /// Limit on edits (count, per milliseconds) of one message older than an hour, then code 30046. `None`: no limit. Discord doesn't
    /// publish its numbers.
    pub old_edit_limit: Option<(u32, i64)>,
    /// Open threads of a guild at once (code 160006).
    pub most_threads: usize,
    /// Gateway intents that are refused with 4014: privileged ones that were not granted.
    pub denied_intents: u64,
    /// The application may be added by anybody (Public Bot).
    pub bot_public: bool,
    /// Where the time comes from. Default: the machine's clock.
    pub now: TimeSource,
}

impl fmt::Debug for DiscordOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the token, although it opens only this simulator: nobody should get used to printing tokens.
        f.debug_struct("DiscordOptions").field("addr", &self.addr).field("rate_limits", &self.rate_limits).finish_non_exhaustive()
    }
}

impl Default for DiscordOptions {
    fn default() -> Self {
        Self {
            addr: SocketAddr::from(([127, 0, 0, 1], 0)),
            token: "sim.discord.token".to_owned(),
            bot_name: "Tenfour".to_owned(),
            bot_permissions: permissions::EVERYONE | permissions::MENTION_EVERYONE,
            heartbeat_ms: 41_250,
            rate_limits: RateLimits::Real,
            message_bucket: Bucket { limit: 5, window_ms: 5_000 },
            global_per_second: 50,
            first_answer_ms: 3_000,
            token_lifetime_ms: 15 * 60 * 1000,
            nonce_window_ms: 5 * 60 * 1000,
            old_edit_limit: None,
            most_threads: 1_000,
            denied_intents: 0,
            bot_public: true,
            now: Arc::new(|| jiff::Timestamp::now().as_millisecond()),
        }
    }
}

/// Shared by every task of one simulator.
struct Core {
    state: Mutex<State>,
    /// Counts changes, for those who wait for one.
    changes: signal::Sender<u64>,
    stopped: CancellationToken,
    tasks: TaskTracker,
}

impl Core {
    /// Runs one step under the lock, then wakes all waiters. Never held across an await.
    fn with<T>(&self, step: impl FnOnce(&mut State) -> T) -> T {
        let value = step(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changes.send_modify(|n| *n = n.wrapping_add(1));
        value
    }

    /// Reads the state.
    fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until `look` returns something. `None` on timeout or if the simulator stopped.
    async fn wait<T>(&self, limit: Duration, mut look: impl FnMut(&State) -> Option<T>) -> Option<T> {
        let mut changes = self.changes.subscribe();
        let deadline = tokio::time::sleep(limit);
        tokio::pin!(deadline);
        loop {
            changes.borrow_and_update();
            if let Some(found) = self.read(&mut look) {
                return Some(found);
            }
            tokio::select! {
                changed = changes.changed() => changed.ok()?,
                () = self.stopped.cancelled() => return None,
                () = &mut deadline => return self.read(&mut look),
            }
        }
    }
}

/// Ends the tasks when the last handle is dropped.
struct Owner {
    core: Arc<Core>,
    stream: broadcast::Sender<serde_json::Value>,
    url: String,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.core.stopped.cancel();
    }
}

/// A handle on a running simulator. Cheap to clone; when the last one is dropped the simulator ends.
#[derive(Clone)]
pub struct DiscordSim {
    owner: Arc<Owner>,
}

impl fmt::Debug for DiscordSim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiscordSim").field("url", &self.owner.url).finish_non_exhaustive()
    }
}

impl DiscordSim {
    /// Binds and starts serving.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub async fn start(options: DiscordOptions) -> io::Result<Self> {
        let listener = TcpListener::bind(options.addr).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (stream, _) = broadcast::channel(1_024);
        let core = Arc::new(Core {
            state: Mutex::new(State::new(options, url.clone(), stream.clone())),
            changes: signal::Sender::new(0),
            stopped: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        core.tasks.spawn(server::accept(Arc::clone(&core), listener));
        Ok(Self { owner: Arc::new(Owner { core, stream, url }) })
    }

    /// `http://127.0.0.1:PORT`; REST is below `/api/v10`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.owner.url
    }

    /// Stops serving and waits until every task has ended: connections are closed, waits give up.
    pub async fn stop(&self) {
        self.core().stopped.cancel();
        self.core().tasks.close();
        self.core().tasks.wait().await;
    }

    /// Moves the simulator's time forward: nonces, tokens and windows age without sleeping.
    pub fn advance(&self, ms: i64) {
        self.core().with(|state| state.time.advance(ms));
    }

    fn core(&self) -> &Core {
        &self.owner.core
    }
}
