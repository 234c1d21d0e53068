//! The state behind one lock, and waiting for its changes. The lock is never held across an await.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch as signal;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::state::State;

/// Shared by every task of one simulator.
pub(super) struct Core {
    pub(super) state: Mutex<State>,
    /// Counts changes, for those who wait for one.
    pub(super) changes: signal::Sender<u64>,
    pub(super) stopped: CancellationToken,
    pub(super) tasks: TaskTracker,
}

impl Core {
    /// Runs one step under the lock, then wakes all waiters. Never held across an await.
    pub(super) fn with<T>(&self, step: impl FnOnce(&mut State) -> T) -> T {
        let value = step(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changes.send_modify(|n| *n = n.wrapping_add(1));
        value
    }

    /// Reads the state.
    pub(super) fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until `look` returns something. `None` on timeout or if the simulator stopped.
    pub(super) async fn wait<T>(&self, limit: Duration, mut look: impl FnMut(&State) -> Option<T>) -> Option<T> {
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
