//! Which Discord servers have the bot, and their names.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::ids::GuildId;

/// How long callers wait for READY to be processed.
const PATIENCE: Duration = Duration::from_secs(2);

/// The servers that have the bot, from the gateway. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Guilds {
    /// READY was processed once.
    pub(super) known: Arc<watch::Sender<bool>>,
    /// With their names, once they are known. One Discord session has at most 2,500.
    present: Arc<Mutex<BTreeMap<GuildId, Option<String>>>>,
}

impl Default for Guilds {
    fn default() -> Self {
        Self { known: Arc::new(watch::Sender::new(false)), present: Arc::default() }
    }
}

impl Guilds {
    pub(super) fn lock(&self) -> MutexGuard<'_, BTreeMap<GuildId, Option<String>>> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every server that has the bot.
    pub(super) fn all(&self) -> BTreeSet<GuildId> {
        self.lock().keys().copied().collect()
    }

    /// A server's name, if Discord sent it.
    pub(super) fn name(&self, guild: GuildId) -> Option<String> {
        self.lock().get(&guild).cloned().flatten()
    }

    pub(super) async fn until_known(&self) {
        let mut known = self.known.subscribe();
        // Can't fail: we hold the sender.
        tokio::time::timeout(PATIENCE, known.wait_for(|known| *known)).await.ok();
    }
}
