//! Keeps the accounts of members on duty fresh, so that many presses at once don't need more lookups than the CAD allows.

use std::collections::HashSet;
use std::time::Duration;

use super::{CadActions, view};

/// How often members on duty are checked.
const REFRESH_EVERY: Duration = Duration::from_secs(60);
/// How often the clock is checked for it.
const TICK: Duration = Duration::from_secs(1);
/// Members refreshed in one round: mostly one page of the list of accounts refreshes them all.
const MAX_REFRESHED_AT_ONCE: usize = 100;

impl CadActions {
    /// Loads the known accounts, then keeps those of members on duty fresh, until draining begins.
    pub async fn run(self) {
        self.0.members.restore().await;
        let mut refreshed_at = self.0.deps.clock.now();
        loop {
            tokio::select! {
                () = self.0.deps.tasks.draining() => break,
                () = tokio::time::sleep(TICK) => {}
            }
            let now = self.0.deps.clock.now();
            // A clock that was set back must not stop it for that long.
            if now.apart(refreshed_at) >= REFRESH_EVERY {
                refreshed_at = now;
                self.refresh_accounts().await;
            }
        }
        // Requests that wait for a turn end now; an action that has begun finishes.
        self.0.deps.actor.stop_waiting();
    }

    async fn refresh_accounts(&self) {
        let mut on_duty: Vec<String> = Vec::new();
        for server in &self.0.deps.servers {
            on_duty.extend(self.look(*server, view::accounts_on_duty).await.unwrap_or_default());
        }
        let on_duty: HashSet<String> = on_duty.iter().map(|account| account.trim().to_ascii_lowercase()).collect();
        let old = self.0.members.growing_old(|account| on_duty.contains(&account.to_ascii_lowercase()));
        self.0.members.set_on_duty(on_duty);
        for user in old.into_iter().take(MAX_REFRESHED_AT_ONCE) {
            // Presses go first: a request that isn't possible now is sent in a minute.
            if let Err(error) = self.0.members.keep_known(user).await {
                tracing::debug!(%error, "a member on duty could not be asked about");
                return;
            }
        }
    }
}
