//! The simulator's state behind one lock, shared by handles and tasks. The lock is never held across an await.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::account::Account;
use super::fault::Faults;
use super::options::CadOptions;
use super::outbox::Outbox;
use super::seen::Seen;
use super::session::{Session, Token};
use super::state::{Object, Server};

/// Log entries kept; older ones are dropped.
const LOG_LIMIT: usize = 10_000;

/// Shared by handles and tasks.
pub(super) struct Inner {
    pub(super) options: CadOptions,
    pub(super) addr: SocketAddr,
    pub(super) http: reqwest::Client,
    pub(super) stop: CancellationToken,
    pub(super) tasks: TaskTracker,
    pub(super) shared: Mutex<Shared>,
    /// Counts changes of `shared`; the `wait_…` methods wait on it.
    pub(super) changed: watch::Sender<u64>,
}

/// The state behind the lock.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) servers: BTreeMap<i64, Server>,
    pub(super) accounts: Vec<Account>,
    /// Selected identifiers by account.
    pub(super) selected: BTreeMap<String, i64>,
    /// The community's own layouts of dispatch calls.
    pub(super) templates: Vec<Object>,
    pub(super) sessions: BTreeMap<u64, Session>,
    pub(super) tokens: HashMap<String, Token>,
    pub(super) next_session: u64,
    /// Counts authentications; orders the sessions of one server.
    pub(super) auths: u64,
    pub(super) faults: Faults,
    pub(super) limits: HashMap<&'static str, Window>,
    pub(super) rate_limits: bool,
    pub(super) outboxes: BTreeMap<i64, Outbox>,
    /// HTTP pushes sent and not yet answered.
    pub(super) unanswered: usize,
    pub(super) log: VecDeque<Seen>,
    /// Where events go instead of to sessions and destinations.
    pub(super) tap: Option<tokio::sync::mpsc::UnboundedSender<(i64, Value)>>,
    /// No event is raised.
    pub(super) silently: bool,
}

/// Requests to one endpoint in the current minute.
pub(super) struct Window {
    pub(super) start: Instant,
    pub(super) count: u32,
}

impl Inner {
    pub(super) fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes `shared` and wakes those who wait for it.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Shared) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
        result
    }

    pub(super) fn note(&self, seen: Seen) {
        self.change(|shared| shared.note(seen));
    }

    /// Runs a task that ends with the simulator.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = task => {}
            }
        });
    }

    pub(super) async fn wait<T>(&self, timeout: Duration, look: impl Fn(&Shared) -> Option<T>) -> Option<T> {
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
    pub(super) fn note(&mut self, seen: Seen) {
        if self.log.len() >= LOG_LIMIT {
            self.log.pop_front();
        }
        self.log.push_back(seen);
    }

    pub(super) fn sessions_of(&self, server: i64) -> usize {
        self.sessions.values().filter(|session| session.server == Some(server)).count()
    }
}
