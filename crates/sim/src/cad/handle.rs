//! A handle on a running CAD: where it is, what it saw, and waiting for it. What people do and what goes wrong is in `verbs.rs` and
//! `fault_controls.rs`.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::options::HttpDestination;
use super::seen::Seen;
use super::shared::Inner;

/// A running CAD. Cheap to clone; it stops with [`CadSim::stop`] or when the last handle is dropped.
#[derive(Clone)]
pub struct CadSim {
    pub(super) inner: Arc<Inner>,
    /// What people do through this handle raises no event.
    pub(super) silent: bool,
    pub(super) _life: Arc<Life>,
}

impl fmt::Debug for CadSim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CadSim").field("addr", &self.inner.addr).finish_non_exhaustive()
    }
}

/// Stops the tasks, which hold [`Inner`] themselves, when the last handle is dropped.
pub(super) struct Life(pub(super) CancellationToken);

impl Drop for Life {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl CadSim {
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
