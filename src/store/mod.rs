//! Where everything lasts: SQLite in WAL mode with `synchronous=FULL`, one writer thread, one reader beside it.
//!
//! Job: domain verbs (ingest, claim, settle, add_route …) over rows. SQL stays in this room. Nothing is acknowledged before its
//! transaction is on disk. Never talks to Discord or the CAD, never holds a transaction across anything but its own statements. After
//! [`Store::close`] the database is one file, whatever clones of the store live on.
//!
//! ```text
//! callers ── jobs (bounded) ──▶ writer thread: BEGIN · job · job · … · COMMIT ──▶ answers      one fsync covers what waited
//! callers ── jobs (bounded) ──▶ reader thread ──▶ answers
//! ```

mod acting;
pub mod audit;
pub mod backup;
mod boards;
pub mod duty;
mod guilds;
mod links;
mod open;
mod post_rows;
mod posts;
mod rows;
pub mod settings;
mod thread;
mod undo;
mod world_rows;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Statement};
use rusqlite_migration::{M, Migrations};
use tokio::sync::watch;

use crate::clock::UnixMs;
use crate::event::{RawEvent, Source, envelope};
use crate::ids::{CommunityId, ServerId};
use crate::outbox::{ClaimOutcome, ClaimRequest, Draft};

pub use boards::AddBoard;
pub use guilds::{AddRoute, AddedRoute, EditRoute, Guild, Routing, StyleIs};
pub use links::Linked;
pub use open::Found as Inspected;
pub use posts::{CardMemo, PostCounts, Problem};
pub use undo::{UNDO_WAITS_MS, Undone};

use posts::Posts;
use thread::{Reader, Writer, Written};

/// Why the store cannot do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has this database.
    #[error("another Tenfour runs on {0}: stop it, or give this one another DATABASE_URL")]
    InUse(String),
    /// The file cannot be opened or made.
    #[error("cannot open the database {path} (DATABASE_URL): {reason}")]
    Open {
        path: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// A newer version has brought its schema up to one that this one does not know.
    #[error(
        "the database {path} was written by a newer version of Tenfour (schema {found}; this version knows {known}). Update Tenfour, or restore a backup from before the update"
    )]
    Newer {
        path: String,
        /// The schema it has.
        found: i64,
        /// The newest that this version knows.
        known: i64,
    },
    /// A statement or a commit failed: disk full, input or output error.
    #[error("the database could not do it: {0}")]
    Failed(String),
    /// The store is shut.
    #[error("the database is closed")]
    Closed,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::Failed(FULL.into()),
            _ => Self::Failed(error.to_string()),
        }
    }
}

const FULL: &str = "it is full. Free some disk space, or, if DATABASE_MAX_MB is set, raise it and restart";

/// The store. Cheap to clone. Closed by [`Store::close`], or when the last clone is gone.
#[derive(Clone, Debug)]
pub struct Store {
    writer: Writer,
    reader: Reader,
    routing: watch::Sender<Arc<Routing>>,
    instance: Arc<str>,
    quota: Option<Quota>,
}

/// What a store is told when it is opened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// The database file has at most so many MiB; 0 = as many as it likes. The write-ahead log beside it takes some MiB more. A file that is
    /// larger already stays as it is, and takes no more events.
    pub max_mb: u32,
    /// How long the first change of a message waits for others (ms).
    pub edit_window_ms: i64,
}

/// One event to be journaled.
#[derive(Clone, Debug)]
pub struct JournalRow {
    /// Its number, given by ingest: the subject of events that stand for themselves is made of it.
    pub seq: i64,
    pub community: CommunityId,
    pub server: ServerId,
    /// The way it came.
    pub source: Source,
    /// Its type.
    pub kind: String,
    pub received_at: UnixMs,
    /// The body as JSON, without the key.
    pub body: String,
}

/// One entity's row: `None` deletes it.
#[derive(Clone, Debug)]
pub struct WorldRow {
    pub community: CommunityId,
    pub server: ServerId,
    /// Kind and number.
    pub key: (&'static str, i64),
    /// JSON.
    pub state: Option<String>,
}

/// What one round of ingest wants on disk, all or nothing.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Events.
    pub journal: Vec<JournalRow>,
    /// The world's changed entities.
    pub world: Vec<WorldRow>,
    /// Posts as they should be now.
    pub posts: Vec<Draft>,
    /// Routes whose role is pinged by them, and when.
    pub pings: Vec<(i64, UnixMs)>,
    /// Sessions on duty that began, changed or ended.
    pub duty: Vec<duty::DutyRow>,
    /// Calls as statistics see them now.
    pub calls: Vec<duty::CallRow>,
    pub now: UnixMs,
}

impl Batch {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { journal, world, posts, pings, duty, calls, now: _ } = self;
        journal.is_empty() && world.is_empty() && posts.is_empty() && pings.is_empty() && duty.is_empty() && calls.is_empty()
    }
}

/// Most journal rows, and most posts, of one pruning.
const MAX_PRUNED: u32 = 5_000;

fn migrations() -> Migrations<'static> {
    Migrations::new(vec![
        M::up(include_str!("../../migrations/0001_floor.sql")),
        M::up(include_str!("../../migrations/0002_live_cards.sql")),
        M::up(include_str!("../../migrations/0003_delivery.sql")),
        M::up(include_str!("../../migrations/0004_duty.sql")),
        M::up(include_str!("../../migrations/0005_audit.sql")),
        M::up(include_str!("../../migrations/0006_acting.sql")),
        M::up(include_str!("../../migrations/0007_guild_links.sql")),
        M::up(include_str!("../../migrations/0008_obstacles.sql")),
        M::up(include_str!("../../migrations/0009_undo.sql")),
        M::up(include_str!("../../migrations/0010_queue_in_memory.sql")),
    ])
}

impl Store {
    /// Opens (or makes) the database, takes its lock and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::InUse`] and [`StoreError::Open`], both fit for people.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_with(path, Options::default()).await
    }

    /// As [`Store::open`], with options.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_with(path: &Path, options: Options) -> Result<Self, StoreError> {
        let path = path.to_owned();
        tokio::task::spawn_blocking(move || Self::open_blocking(&path, options)).await.map_err(|_| StoreError::Closed)?
    }

    fn open_blocking(path: &Path, options: Options) -> Result<Self, StoreError> {
        let fail = |reason: String| StoreError::Open { path: path.display().to_string(), reason };
        let sqlite = |error: rusqlite::Error| fail(open::of_sqlite(&error));
        // The lock is named before the connection: should one of the next steps fail, it is dropped after it.
        let open::Opened { file, lock, connection } = open::open(path)?;
        let quota = Quota::set(&connection, options.max_mb).map_err(sqlite)?;
        let instance = instance(&connection).map_err(sqlite)?;
        let routing = guilds::load(&connection).map_err(sqlite)?;
        let posts = Posts::load(&connection, &instance, options.edit_window_ms).map_err(sqlite)?;
        let reading = open::again(&file, path)?;
        reading.pragma_update(None, "query_only", true).map_err(sqlite)?;
        let no_thread = |error: std::io::Error| fail(format!("cannot start a thread: {error}"));
        let (reader, reading) = Reader::start(reading).map_err(no_thread)?;
        Ok(Self {
            writer: Writer::start(Written::new(connection, posts), reading, lock).map_err(no_thread)?,
            reader,
            routing: watch::Sender::new(Arc::new(routing)),
            instance: instance.into(),
            quota,
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

    /// Closes the database, whatever clones live on: what was asked before is still done, later calls fail with [`StoreError::Closed`]. True
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

    /// Commits a round of ingest, and claims what is to be sent first of all in the channels that are asked about, in the same
    /// transaction. The outcomes are in the order of `requests`.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of the batch is on disk, and nothing is claimed.
    pub async fn ingest(&self, batch: impl Into<Arc<Batch>>, requests: Vec<ClaimRequest>) -> Result<Vec<ClaimOutcome>, StoreError> {
        let (batch, quota) = (batch.into(), self.quota);
        self.writer
            .change_posts(move |connection, posts| {
                quota.map_or(Ok(()), |quota| quota.room(connection))?;
                journal(connection, &batch.journal)?;
                world_rows::put(connection, &batch.world)?;
                for (route, at) in &batch.pings {
                    connection.prepare_cached("UPDATE route SET pinged_ms = ?2 WHERE id = ?1")?.execute((route, at.0))?;
                }
                duty::put(connection, &batch.duty)?;
                duty::put_calls(connection, &batch.calls)?;
                posts.desire(connection, &batch.posts, batch.now)?;
                Ok(requests.iter().map(|request| posts.claim(request)).collect())
            })
            .await
    }

    /// The number of the last journaled event; 0 for none. Never goes back, even when the journal was pruned.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn last_seq(&self) -> Result<i64, StoreError> {
        self.reader
            .run(|connection| {
                let last: Option<i64> =
                    connection.query_row("SELECT seq FROM sqlite_sequence WHERE name = 'journal'", (), |row| row.get(0)).optional()?;
                Ok(last.unwrap_or(0))
            })
            .await
    }

    /// Events received since then, oldest first: what may still come another way after a restart.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn events_since(&self, since: UnixMs) -> Result<Vec<RawEvent>, StoreError> {
        self.reader
            .run(move |connection| {
                let mut select = connection.prepare_cached(
                    "SELECT community, server, source, received_ms, body FROM journal WHERE received_ms >= ?1 ORDER BY seq LIMIT 20000",
                )?;
                let mut found = select.query([since.0])?;
                let mut events = Vec::new();
                while let Some(row) = found.next()? {
                    let (source, body): (String, String) = (row.get("source")?, row.get("body")?);
                    let source = Source::ALL.into_iter().find(|known| known.as_str() == source);
                    // Readings are no events, and a row that cannot be read is no reason not to start.
                    let (Some(source), Ok((envelope, _))) = (source, envelope::open(body.as_bytes())) else { continue };
                    events.push(RawEvent {
                        community: rows::community(row, "community")?,
                        server: ServerId(row.get("server")?),
                        source,
                        received_at: UnixMs(row.get("received_ms")?),
                        envelope: Arc::new(envelope),
                    });
                }
                Ok(events)
            })
            .await
    }

    /// The last events of a community (of one server, or of all), newest first: server and body as JSON, without a key.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn last_bodies(
        &self,
        community: &CommunityId,
        server: Option<ServerId>,
        most: u32,
    ) -> Result<Vec<(ServerId, String)>, StoreError> {
        let community = community.clone();
        self.reader
            .run(move |connection| {
                let mut select = connection.prepare_cached(
                    "SELECT server, body FROM journal WHERE community = ?1 AND (?2 IS NULL OR server = ?2) AND source <> 'test' ORDER BY seq DESC LIMIT ?3",
                )?;
                let found = select.query_map((community.as_str(), server.map(|server| server.0), most), |row| {
                    Ok((ServerId(row.get(0)?), row.get(1)?))
                })?;
                found.collect()
            })
            .await
    }

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
                let journal = connection.execute(
                    "DELETE FROM journal WHERE seq IN (SELECT seq FROM journal WHERE received_ms < ?1 ORDER BY received_ms LIMIT ?2)",
                    (journal_before.0, MAX_PRUNED),
                )?;
                let posts = posts.prune(connection, posts_before, now, MAX_PRUNED)?;
                Ok(journal + posts + duty::prune(connection, now)? + audit::prune(connection, now)? + undo::prune(connection, now)?)
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
                    .map_or(Ok(()), |quota| quota.room(connection))
                    .and_then(|()| connection.execute("UPDATE meta SET value = value WHERE name = 'instance'", ()).map(|_| ()))
            })
            .await
    }
}

/// How large the database may grow, in pages.
#[derive(Clone, Copy, Debug)]
struct Quota {
    /// What events may take. The rest is kept for what follows from those that were taken: claims, settlements, pruning.
    events: i64,
}

impl Quota {
    /// Tells the writing connection.
    fn set(connection: &Connection, max_mb: u32) -> rusqlite::Result<Option<Self>> {
        if max_mb == 0 {
            return Ok(None);
        }
        let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let pages = i64::from(max_mb).saturating_mul(1_048_576) / page.max(512);
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
        Ok(Some(Self { events: pages - (pages / 16).max(32) }))
    }

    /// Pages that hold something: those that pruning freed are used again.
    fn used(self, connection: &Connection) -> rusqlite::Result<i64> {
        let count = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        Ok(count("page_count")? - count("freelist_count")?)
    }

    /// Whether there is room for events.
    fn room(self, connection: &Connection) -> rusqlite::Result<()> {
        if self.used(connection)? < self.events {
            return Ok(());
        }
        Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL), None))
    }
}

/// Journal rows of one statement: each statement also writes the table's counter.
const ROWS: usize = 16;

fn journal(connection: &Connection, rows: &[JournalRow]) -> rusqlite::Result<()> {
    const INSERT: &str = "INSERT INTO journal (seq, community, server, source, kind, received_ms, body) VALUES (?,?,?,?,?,?,?)";
    let (many, rest) = rows.as_chunks::<ROWS>();
    if !many.is_empty() {
        let mut insert = connection.prepare_cached(&format!("{INSERT}{}", ",(?,?,?,?,?,?,?)".repeat(ROWS - 1)))?;
        for rows in many {
            bind(&mut insert, rows)?;
            insert.raw_execute()?;
        }
    }
    if !rest.is_empty() {
        let mut insert = connection.prepare_cached(INSERT)?;
        for row in rest {
            bind(&mut insert, std::slice::from_ref(row))?;
            insert.raw_execute()?;
        }
    }
    Ok(())
}

fn bind(insert: &mut Statement<'_>, rows: &[JournalRow]) -> rusqlite::Result<()> {
    let mut at = 0;
    let mut next = || {
        at += 1;
        at
    };
    for JournalRow { seq, community, server, source, kind, received_at, body } in rows {
        insert.raw_bind_parameter(next(), seq)?;
        insert.raw_bind_parameter(next(), community.as_str())?;
        insert.raw_bind_parameter(next(), server.0)?;
        insert.raw_bind_parameter(next(), source.as_str())?;
        insert.raw_bind_parameter(next(), kind)?;
        insert.raw_bind_parameter(next(), received_at.0)?;
        insert.raw_bind_parameter(next(), body)?;
    }
    Ok(())
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // After a burst the log beside the database shrinks again.
    connection.pragma_update(None, "journal_size_limit", 8 * 1_048_576)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cache_size", -2_000)?;
    // What a savepoint or a sort sets aside is small: no files for it in a folder that may not be ours to write.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

fn instance(connection: &Connection) -> rusqlite::Result<String> {
    let fresh = format!("{:08x}", fastrand::u32(..));
    connection.execute("INSERT OR IGNORE INTO meta (name, value) VALUES ('instance', ?1)", [fresh])?;
    connection.query_row("SELECT value FROM meta WHERE name = 'instance'", (), |row| row.get(0))
}

#[cfg(test)]
pub(crate) mod conformance;
#[cfg(test)]
mod queue_scenarios;
