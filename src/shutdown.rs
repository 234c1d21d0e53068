//! Start and stop of tasks: every task of the bot is spawned through [`Tasks`], so that none outlives the process's end.
//!
//! ```text
//! running ── drain ──▶ draining (sources stop, work in progress ends) ── abort ──▶ aborted (everything left is dropped)
//!                         └─ once no work is in progress: the intake queue closes
//! ```
//!
//! Imports nothing of ours. Created in `app`, passed down, never global.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// The tasks of one running bot. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    drain: CancellationToken,
    abort: CancellationToken,
    tracker: TaskTracker,
    /// Waits for these too, and these for work of the parent's when both stop.
    parent: Option<Parent>,
    hands: TaskTracker,
    failed: Arc<AtomicBool>,
    /// Why, if the failed part said so.
    reason: Arc<Mutex<Option<String>>>,
}

#[derive(Clone, Debug)]
struct Parent {
    drain: CancellationToken,
    tracker: TaskTracker,
    hands: TaskTracker,
}

/// Work in progress that must be finished, and reported, before the bot stops. Ends when dropped.
#[derive(Debug)]
pub struct InHand {
    _hand: TaskTrackerToken,
    _task: TaskTrackerToken,
    _parent: Option<TaskTrackerToken>,
}

impl Tasks {
    /// Tasks that end with these, and can be ended alone ([`Tasks::abort`]). If one of them fails, these go on.
    #[must_use]
    pub fn child(&self) -> Self {
        let parent = Parent { drain: self.drain.clone(), tracker: self.tracker.clone(), hands: self.hands.clone() };
        Self { drain: self.drain.child_token(), abort: self.abort.child_token(), parent: Some(parent), ..Self::default() }
    }

    /// Ends every task at its next await.
    pub fn abort(&self) {
        self.drain();
        self.abort.cancel();
    }

    /// Spawns a task that may end whenever it likes. It is dropped at its next await once [`Tasks::stop`] has waited long enough.
    pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let (abort, waits) = (self.abort.clone(), self.parent.as_ref().map(|parent| parent.tracker.token()));
        self.tracker.spawn(async move {
            let _waits = waits;
            tokio::select! {
                () = future => {}
                () = abort.cancelled() => {}
            }
        })
    }

    /// Something cannot go on: everything drains, [`Tasks::failed`] turns true, and `reason` is said once. Fit for people.
    pub fn fail(&self, reason: String) {
        tracing::error!("{reason}");
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(reason);
        self.failed.store(true, Ordering::SeqCst);
        self.drain();
    }

    /// Spawns a task that the bot cannot live without: if it ends (or panics) before draining began, the whole bot drains and
    /// [`Tasks::failed`] turns true.
    pub fn spawn_vital(&self, name: &'static str, future: impl Future<Output = ()> + Send + 'static) {
        self.spawn_vital_or(name, async move {
            future.await;
            Ok(())
        });
    }

    /// As [`Tasks::spawn_vital`], for a task that can say why it ends: its reason, fit for people, is the one error that is logged.
    pub fn spawn_vital_or(&self, name: &'static str, future: impl Future<Output = Result<(), String>> + Send + 'static) {
        let said = Arc::new(Mutex::new(None));
        let says = Arc::clone(&said);
        let inner = self.spawn(async move {
            let reason = future.await.err();
            *says.lock().unwrap_or_else(PoisonError::into_inner) = reason;
        });
        let tasks = self.clone();
        self.tracker.spawn(async move {
            let outcome = inner.await;
            if tasks.drain.is_cancelled() {
                return;
            }
            let said = said.lock().unwrap_or_else(PoisonError::into_inner).take();
            let reason = match (outcome, said) {
                (Ok(()), Some(reason)) => {
                    tracing::error!("{reason}");
                    reason
                }
                (Ok(()), None) => {
                    tracing::error!(task = name, "a vital task ended unasked; stopping");
                    format!("a part of the bot ({name}) ended unasked")
                }
                (Err(error), _) => {
                    tracing::error!(task = name, %error, "a vital task panicked; stopping");
                    format!("a part of the bot ({name}) panicked")
                }
            };
            tasks.reason.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(reason);
            tasks.failed.store(true, Ordering::SeqCst);
            tasks.drain();
        });
    }

    /// Asks every task to finish its work.
    pub fn drain(&self) {
        self.drain.cancel();
        self.hands.close();
    }

    /// Starts a piece of work: [`Tasks::stop`] waits for it as for a task, and so does [`Tasks::hands_free`].
    #[must_use]
    pub fn in_hand(&self) -> InHand {
        InHand {
            _hand: self.hands.token(),
            _task: self.tracker.token(),
            _parent: self.parent.as_ref().map(|parent| parent.tracker.token()),
        }
    }

    /// Resolves once draining began and no work is in progress any more, neither here nor, if it stops too, in the parent.
    pub async fn hands_free(&self) {
        self.drain.cancelled().await;
        if let Some(parent) = self.parent.as_ref().filter(|parent| parent.drain.is_cancelled()) {
            parent.hands.close();
            parent.hands.wait().await;
        }
        self.hands.close();
        self.hands.wait().await;
    }

    /// Resolves once draining began.
    pub async fn draining(&self) {
        self.drain.cancelled().await;
    }

    /// Whether draining began.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.drain.is_cancelled()
    }

    /// A token that is cancelled when draining begins, for code that doesn't know this module.
    #[must_use]
    pub fn drain_token(&self) -> CancellationToken {
        self.drain.child_token()
    }

    /// Whether a vital task ended by itself.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.failed.load(Ordering::SeqCst)
    }

    /// Why the first vital task ended by itself.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Drains, waits for all tasks up to `limit`, then aborts what is left. True if everything ended by itself.
    pub async fn stop(&self, limit: Duration) -> bool {
        self.drain();
        self.tracker.close();
        if tokio::time::timeout(limit, self.tracker.wait()).await.is_ok() {
            return true;
        }
        self.abort.cancel();
        // Aborted tasks end at their next await; a blocked thread is given a moment and then left to the process's end.
        tokio::time::timeout(Duration::from_secs(1), self.tracker.wait()).await.ok();
        false
    }
}

/// Resolves when the process is asked to stop: Ctrl-C everywhere, SIGTERM on Unix, closing the window or shutting down on Windows.
pub async fn stop_asked() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            },
            Err(_) => drop(tokio::signal::ctrl_c().await),
        }
    }
    #[cfg(windows)]
    {
        use tokio::signal::windows::{ctrl_close, ctrl_shutdown};
        match (ctrl_close(), ctrl_shutdown()) {
            (Ok(mut close), Ok(mut shutdown)) => tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = close.recv() => {}
                _ = shutdown.recv() => {}
            },
            _ => drop(tokio::signal::ctrl_c().await),
        }
    }
    #[cfg(not(any(unix, windows)))]
    drop(tokio::signal::ctrl_c().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_vital_task_that_ends_stops_everything_and_is_remembered() {
        let tasks = Tasks::default();
        tasks.spawn_vital("test", async {});
        tasks.draining().await;
        assert!(tasks.failed());
        assert!(tasks.stop(Duration::from_secs(1)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_vital_task_that_fails_says_why() {
        let tasks = Tasks::default();
        tasks.spawn_vital_or("test", async { Err("the token is wrong".to_owned()) });
        tasks.draining().await;
        // Tasks that end because of it haven't failed.
        tasks.spawn_vital("other", async {});
        assert!(tasks.stop(Duration::from_secs(1)).await && tasks.failed());
        assert_eq!(tasks.failure().as_deref(), Some("the token is wrong"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_child_ends_alone_and_its_parent_waits_for_it() {
        let (parent, (sender, mut receiver)) = (Tasks::default(), tokio::sync::mpsc::channel::<()>(1));
        let (child, other) = (parent.child(), parent.child());
        child.spawn(async move {
            let _held = sender;
            std::future::pending().await
        });
        child.abort();
        assert_eq!(receiver.recv().await, None, "its task was dropped");
        assert!(!parent.is_draining() && !other.is_draining());
        let hand = other.in_hand();
        let mut stopping = Box::pin(parent.stop(Duration::from_secs(60)));
        assert!(futures_util::future::poll_immediate(&mut stopping).await.is_none(), "the child still has something in hand");
        assert!(other.is_draining());
        drop(hand);
        assert!(stopping.await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_child_waits_for_work_of_its_parent_only_if_both_stop() {
        let parent = Tasks::default();
        let (child, alone) = (parent.child(), parent.child());
        let hand = parent.in_hand();
        alone.drain();
        alone.hands_free().await;
        parent.drain();
        let mut waiting = Box::pin(child.hands_free());
        assert!(futures_util::future::poll_immediate(&mut waiting).await.is_none(), "a command may still ask it something");
        drop(hand);
        waiting.await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_stuck_task_is_aborted_after_the_limit() {
        let tasks = Tasks::default();
        tasks.spawn(std::future::pending());
        assert!(!tasks.stop(Duration::from_secs(1)).await);
        assert!(!tasks.failed());
    }
}
