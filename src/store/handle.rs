//! The store as others hold it. What it does is in the files beside this one, by subject.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use super::quota::Quota;
use super::routing::PublishedRouting;
use super::thread::{Reader, Writer};

/// The store. Cheap to clone. Closed by [`Store::close`], or when the last clone is gone.
#[derive(Clone, Debug)]
pub struct Store {
    pub(super) writer: Writer,
    pub(super) reader: Reader,
    pub(super) routing: Arc<PublishedRouting>,
    pub(super) instance: Arc<str>,
    pub(super) quota: Option<Quota>,
    /// Of the next event that is journaled.
    pub(super) next_seq: Arc<AtomicI64>,
}

impl Store {
    /// Closes the database, whatever clones live on: what was asked before is still done, later calls fail with [`super::StoreError::Closed`]. True
    /// once both threads have ended, everything is in the one file and the lock is given back; false if that took longer than `limit`, which
    /// loses nothing.
    pub async fn close(&self, limit: Duration) -> bool {
        let closed = async {
            self.reader.close().await;
            self.writer.close().await;
        };
        tokio::time::timeout(limit, closed).await.is_ok()
    }

    /// This database's own random word, part of every nonce.
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.instance
    }
}
