//! What keeps the database small, and whether it still takes writes.

use super::handle::Store;
use super::{StoreError, audit, duty, journal, settings, undo};
use crate::clock::UnixMs;

/// Most journal rows, and most posts, of one pruning.
const MAX_PRUNED: u32 = 5_000;

impl Store {
    /// Forgets journal rows received before `journal_before`, settled posts created before `posts_before`, and what is too old of sessions on
    /// duty, facts of calls, audit and unconfirmed imports.
    /// Returns how many rows went.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn prune(&self, journal_before: UnixMs, posts_before: UnixMs, now: UnixMs) -> Result<usize, StoreError> {
        self.writer
            .change_posts(move |connection, posts| {
                // Bounded, so that a prune never holds up events for long; the next round takes the rest.
                let journal = journal::prune(connection, journal_before, now, MAX_PRUNED)?;
                let posts = posts.prune(connection, posts_before, now, MAX_PRUNED)?;
                Ok(journal
                    + posts
                    + duty::prune(connection, now)?
                    + audit::prune(connection, now)?
                    + settings::prune(connection, now)?
                    + undo::prune(connection, now)?)
            })
            .await
    }

    /// How much of what `DATABASE_MAX_MB` allows is used, in percent of what events may take; `None` without a limit. Beyond 100 events are
    /// refused.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn used(&self) -> Result<Option<i64>, StoreError> {
        let Some(quota) = self.quota else { return Ok(None) };
        self.reader.run(move |connection| Ok(Some(quota.used(connection)?.saturating_mul(100) / quota.events.max(1)))).await
    }

    /// Writes nothing, but proves that writing works.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn probe(&self) -> Result<(), StoreError> {
        let quota = self.quota;
        self.writer
            .run(move |connection| {
                quota
                    .map_or(Ok(()), |quota| quota.check(connection))
                    .and_then(|()| connection.execute("UPDATE meta SET value = value WHERE name = 'instance'", ()).map(|_| ()))
            })
            .await
    }
}
