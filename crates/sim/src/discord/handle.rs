//! A handle on a running simulator. What can be done with it is in `setup.rs`, `people.rs`, and `watch.rs`.

use std::fmt;
use std::sync::Arc;

use tokio::sync::broadcast;

use super::shared::Core;

/// Ends the tasks when the last handle is dropped.
pub(super) struct Owner {
    pub(super) core: Arc<Core>,
    pub(super) stream: broadcast::Sender<serde_json::Value>,
    pub(super) url: String,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.core.stopped.cancel();
    }
}

/// A handle on a running simulator. Cheap to clone; when the last one is dropped the simulator ends.
#[derive(Clone)]
pub struct DiscordSim {
    pub(super) owner: Arc<Owner>,
}

impl fmt::Debug for DiscordSim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiscordSim").field("url", &self.owner.url).finish_non_exhaustive()
    }
}

impl DiscordSim {
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

    pub(super) fn core(&self) -> &Core {
        &self.owner.core
    }
}
