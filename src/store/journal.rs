//! The journal: every event as it came, stored with all that follows from it.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Statement};

use super::JournalRow;
use crate::clock::UnixMs;
use crate::event::{RawEvent, Source, envelope};
use crate::ids::{CommunityId, ServerId};

/// The number of the last journaled event; 0 for none. Never goes back, even when the journal was pruned.
pub(super) fn last_seq(connection: &Connection) -> rusqlite::Result<i64> {
    let last: Option<i64> =
        connection.query_row("SELECT seq FROM sqlite_sequence WHERE name = 'journal'", (), |row| row.get(0)).optional()?;
    Ok(last.unwrap_or(0))
}

/// A community's events received since then, oldest first.
pub(super) fn since(connection: &Connection, community: &CommunityId, since: UnixMs) -> rusqlite::Result<Vec<RawEvent>> {
    let mut select = connection.prepare_cached(
        "SELECT server, source, received_ms, body FROM journal WHERE received_ms >= ?1 AND community = ?2 ORDER BY seq LIMIT 20000",
    )?;
    let mut found = select.query((since.0, community.as_str()))?;
    let mut events = Vec::new();
    while let Some(row) = found.next()? {
        let (source, body): (String, String) = (row.get("source")?, row.get("body")?);
        let source = Source::ALL.into_iter().find(|known| known.as_str() == source);
        // Readings are no events, and a row that cannot be read is no reason not to start.
        let (Some(source), Ok((envelope, _))) = (source, envelope::open(body.as_bytes())) else { continue };
        let (server, received_at) = (ServerId(row.get("server")?), UnixMs(row.get("received_ms")?));
        events.push(RawEvent { server, source, received_at, envelope: Arc::new(envelope) });
    }
    Ok(events)
}

/// A community's last events (of one server, or of all), newest first: server and body.
pub(super) fn last_bodies(
    connection: &Connection,
    community: &CommunityId,
    server: Option<ServerId>,
    most: u32,
) -> rusqlite::Result<Vec<(ServerId, String)>> {
    let mut select = connection.prepare_cached(
        "SELECT server, body FROM journal WHERE community = ?1 AND (?2 IS NULL OR server = ?2) AND source <> 'test' ORDER BY seq DESC LIMIT ?3",
    )?;
    let found =
        select.query_map((community.as_str(), server.map(|server| server.0), most), |row| Ok((ServerId(row.get(0)?), row.get(1)?)))?;
    found.collect()
}

/// Journal rows of one statement: each statement also writes the table's counter.
const ROWS: usize = 16;

pub(super) fn put(connection: &Connection, community: &CommunityId, rows: &[JournalRow]) -> rusqlite::Result<()> {
    const INSERT: &str = "INSERT INTO journal (seq, community, server, source, kind, received_ms, body) VALUES (?,?,?,?,?,?,?)";
    let (many, rest) = rows.as_chunks::<ROWS>();
    if !many.is_empty() {
        let mut insert = connection.prepare_cached(&format!("{INSERT}{}", ",(?,?,?,?,?,?,?)".repeat(ROWS - 1)))?;
        for rows in many {
            bind(&mut insert, community, rows)?;
            insert.raw_execute()?;
        }
    }
    if !rest.is_empty() {
        let mut insert = connection.prepare_cached(INSERT)?;
        for row in rest {
            bind(&mut insert, community, std::slice::from_ref(row))?;
            insert.raw_execute()?;
        }
    }
    Ok(())
}

fn bind(insert: &mut Statement<'_>, community: &CommunityId, rows: &[JournalRow]) -> rusqlite::Result<()> {
    let mut at = 0;
    let mut next = || {
        at += 1;
        at
    };
    for JournalRow { seq, server, source, kind, received_at, body } in rows {
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
