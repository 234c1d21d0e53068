//! The journal: every event as it came, stored with all that follows from it.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Statement};

use super::{JournalRow, rows};
use crate::clock::UnixMs;
use crate::event::{RawEvent, Source, envelope};
use crate::ids::{CommunityId, ServerId};

/// After so many older events in a row no newer one is looked for: events are journaled in the order in which they are worked through, and those
/// that waited then, or that a wrong clock dated, are fewer.
const MANY_OLDER: u32 = 2_048;

/// Most events that are looked through at a start: as many as are remembered to recognize copies.
const MAX_EVENTS: i64 = 20_000;

/// A clock that is set right goes back by less than this, as a rule.
const FUTURE: Duration = Duration::from_secs(86_400);

/// Inserts a row, and as many more as there are values behind it.
macro_rules! insert {
    ($more:literal) => {
        concat!("INSERT INTO journal (seq, community, server, source, kind, received_ms, body) VALUES (?,?,?,?,?,?,?)", $more)
    };
}

/// The number of the last journaled event; 0 for none. Never goes back, even when the journal was pruned.
pub(super) fn last_seq(connection: &Connection) -> rusqlite::Result<i64> {
    let last: Option<i64> =
        connection.query_row("SELECT seq FROM sqlite_sequence WHERE name = 'journal'", (), |row| row.get(0)).optional()?;
    Ok(last.unwrap_or(0))
}

/// Goes through a community's events received since then, oldest first. One at a time, as they may be many.
pub(super) fn since<T>(
    connection: &Connection,
    community: &CommunityId,
    since: UnixMs,
    mut state: T,
    mut each: impl FnMut(&mut T, RawEvent),
) -> rusqlite::Result<T> {
    let Some(first) = first_since(connection, since)? else { return Ok(state) };
    let mut select = connection.prepare_cached(
        "SELECT received_ms, server, source, body FROM journal WHERE seq >= ?1 AND received_ms >= ?2 AND community = ?3 ORDER BY seq",
    )?;
    let mut found = select.query((first, since.0, community.as_str()))?;
    while let Some(row) = found.next()? {
        let source = row.get_ref(2)?.as_str()?;
        let source = Source::ALL.into_iter().find(|known| known.as_str() == source);
        // Readings are no events, and a row that cannot be read is no reason not to start.
        let (Some(source), Ok((envelope, _))) = (source, envelope::open(row.get_ref(3)?.as_str()?.as_bytes())) else { continue };
        let received_at = UnixMs(row.get(0)?);
        each(&mut state, RawEvent { server: ServerId(row.get(1)?), source, received_at, envelope: Arc::new(envelope) });
    }
    Ok(state)
}

/// The first of the last events that were received since then.
fn first_since(connection: &Connection, since: UnixMs) -> rusqlite::Result<Option<i64>> {
    let mut select = connection.prepare_cached("SELECT seq, received_ms FROM journal ORDER BY seq DESC LIMIT ?1")?;
    let mut found = select.query([MAX_EVENTS])?;
    let (mut first, mut older) = (None, 0);
    while let Some(row) = found.next()?
        && older < MANY_OLDER
    {
        if UnixMs(row.get(1)?) >= since {
            (first, older) = (Some(row.get(0)?), 0);
        } else {
            older += 1;
        }
    }
    Ok(first)
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

/// Journal rows of one statement: see [`MANY`].
const ROWS: usize = 16;
const ONE: &str = insert!("");
const MANY: &str = insert!(
    ",(?,?,?,?,?,?,?),(?,?,?,?,?,?,?),(?,?,?,?,?,?,?),(?,?,?,?,?,?,?),(?,?,?,?,?,?,?),(?,?,?,?,?,?,?),(?,?,?,?,?,?,?),(?,?,?,?,?,?,?)
     ,(?,?,?,?,?,?,?),(?,?,?,?,?,?,?),(?,?,?,?,?,?,?),(?,?,?,?,?,?,?),(?,?,?,?,?,?,?),(?,?,?,?,?,?,?),(?,?,?,?,?,?,?)"
);

pub(super) fn put(connection: &Connection, community: &CommunityId, rows: &[JournalRow]) -> rusqlite::Result<()> {
    let (many, rest) = rows.as_chunks::<ROWS>();
    let many = many.iter().map(|rows| (MANY, rows.as_slice()));
    for (sql, rows) in many.chain(rest.iter().map(|row| (ONE, std::slice::from_ref(row)))) {
        let mut insert = connection.prepare_cached(sql)?;
        bind(&mut insert, community, rows)?;
        insert.raw_execute()?;
    }
    rows.iter().try_for_each(|row| rows::reserve(connection, "journal", row.seq))
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

/// Forgets events received before this time: of the oldest `most`, in the order in which they were stored. Those from a future that the clock has
/// left since go too, or they would keep all that follow.
pub(super) fn prune(connection: &Connection, before: UnixMs, now: UnixMs, most: u32) -> rusqlite::Result<usize> {
    connection.execute(
        "DELETE FROM journal WHERE received_ms NOT BETWEEN ?1 AND ?2 AND seq IN (SELECT seq FROM journal ORDER BY seq LIMIT ?3)",
        (before.0, now.plus(FUTURE).0, most),
    )
}
