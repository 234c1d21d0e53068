//! Opens the database and starts its threads.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use super::handle::Store;
use super::posts::Posts;
use super::quota::Quota;
use super::routing::PublishedRouting;
use super::thread::{Reader, Writer, Written};
use super::{Inspected, StoreError, journal, open, routing, schema};

/// The options for opening a store.
#[derive(Clone, Copy, Debug, Default)]
pub struct StoreOptions {
    /// The database file has at most so many MiB; 0 = as many as it likes. The write-ahead log beside it takes some MiB more. A file that is
    /// larger already stays as it is, and takes no more events.
    pub max_mb: u32,
    /// How long the first change of a message waits for others.
    pub edit_window: Duration,
}

impl Store {
    /// Opens (or makes) the database, takes its lock and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::InUse`] and [`StoreError::Open`], both fit for people.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_with(path, StoreOptions::default()).await
    }

    /// As [`Store::open`], with options.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_with(path: &Path, options: StoreOptions) -> Result<Self, StoreError> {
        let path = path.to_owned();
        tokio::task::spawn_blocking(move || Self::open_blocking(&path, options)).await.map_err(|_| StoreError::Closed)?
    }

    fn open_blocking(path: &Path, options: StoreOptions) -> Result<Self, StoreError> {
        let fail = |reason: String, source: Option<rusqlite::Error>| StoreError::Open {
            path: path.display().to_string(),
            reason,
            source: source.map(Into::into),
        };
        let sqlite = |error: rusqlite::Error| fail(open::of_sqlite(&error), Some(error));
        // The lock is named before the connection: should one of the next steps fail, it is dropped after it.
        let open::Opened { file, lock, connection } = open::open(path)?;
        let quota = Quota::set(&connection, options.max_mb).map_err(sqlite)?;
        let instance = schema::instance(&connection).map_err(sqlite)?;
        let routing = routing::load(&connection).map_err(sqlite)?;
        let posts = Posts::load(&connection, &instance, options.edit_window).map_err(sqlite)?;
        let next_seq = Arc::new(AtomicI64::new(journal::last_seq(&connection).map_err(sqlite)?.saturating_add(1)));
        let reading = open::again(&file, path)?;
        reading.pragma_update(None, "query_only", true).map_err(sqlite)?;
        let no_thread = |error: std::io::Error| fail(format!("cannot start a thread: {error}"), None);
        let (reader, reading) = Reader::start(reading).map_err(no_thread)?;
        let written = Written::new(connection, posts).map_err(sqlite)?;
        Ok(Self {
            writer: Writer::start(written, reading, lock).map_err(no_thread)?,
            reader,
            routing: Arc::new(PublishedRouting::new(routing)),
            instance: instance.into(),
            quota,
            next_seq,
        })
    }

    /// Looks at the database at `path` without changing or leaving anything there.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn inspect(path: &Path) -> Result<Inspected, StoreError> {
        let path = path.to_owned();
        tokio::task::spawn_blocking(move || open::inspect(&path)).await.map_err(|_| StoreError::Closed)?
    }
}
