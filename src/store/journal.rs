//! The journal: every event as it came, stored with all that follows from it.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Statement};

use super::handle::Store;
use super::{Batch, JournalRow, StoreError, duty, rows, world_rows};
use crate::clock::UnixMs;
use crate::event::{RawEvent, Source, envelope};
use crate::ids::{CommunityId, ServerId};
use crate::outbox::{ClaimOutcome, ClaimRequest};

impl Store {
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
