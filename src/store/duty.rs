//! The duty log and the facts of calls: rows written in the same transaction as their events, and the questions that reports ask.

use std::collections::HashSet;
use std::time::Duration;

use rusqlite::{Connection, Row};

use super::{Store, StoreError};
use crate::clock::UnixMs;
use crate::event::{Priority, Unit};
use crate::ids::{CommunityId, Ident, ServerId};
use crate::world::{CallFact, DutyEdge, Subject};

/// Most sessions of one answer.
pub const MAX_SESSIONS: usize = 20_000;
/// Most calls of one answer.
pub const MAX_CALLS: usize = 100_000;
/// Most members or departments of one answer.
pub const MAX_NAMES: u32 = 1_000;
/// How long it is kept, also when the database is nearly full: these rows are few and small.
const KEEP: Duration = Duration::from_secs(90 * 86_400);
/// Longest text kept of the CAD's (characters).
const MAX_TEXT_CHARS: usize = 100;

/// A session that began, changed or ended.
#[derive(Clone, Debug)]
pub struct DutyRow {
    server: ServerId,
    edge: DutyEdge,
    account: String,
    callsign: String,
    name: String,
    department: String,
}

impl DutyRow {
    /// The row of an edge; `unit` is whose it is, as far as it is known.
    #[must_use]
    pub fn new(server: ServerId, edge: DutyEdge, unit: Option<&Unit>) -> Self {
        let part = |part: fn(&Unit) -> &Option<String>| -> String {
            unit.and_then(|unit| part(unit).as_deref()).unwrap_or_default().trim().chars().take(MAX_TEXT_CHARS).collect()
        };
        Self {
            server,
            edge,
            account: part(|unit| &unit.account),
            callsign: part(|unit| &unit.callsign),
            name: part(|unit| &unit.name),
            department: part(|unit| &unit.department),
        }
    }
}

/// A call as statistics see it.
#[derive(Clone, Debug)]
pub struct CallRow {
    pub server: ServerId,
    /// Its name for ever.
    pub subject: Subject,
    pub fact: CallFact,
}

/// Whose sessions are counted together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DutyMember {
    /// The CAD's account.
    Account(String),
    /// Unknown account: name and callsign.
    Unit(String, String),
}

/// A session on duty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DutySession {
    /// Number of the row.
    pub id: i64,
    pub server: ServerId,
    pub ident: Ident,
    /// The CAD's account (uuid); empty if unknown.
    pub account: String,
    /// Empty if unknown.
    pub callsign: String,
    /// Empty if unknown.
    pub name: String,
    /// Empty if unknown.
    pub department: String,
    /// When it began, or was first seen.
    pub began: UnixMs,
    /// When it began is not known.
    pub joined_late: bool,
    /// When it ended; `None` while it lasts.
    pub ended: Option<UnixMs>,
    /// No event said when it ended: it is the time of the last event.
    pub missed: bool,
}

impl DutySession {
    /// Whose it is.
    #[must_use]
    pub fn member(&self) -> DutyMember {
        if self.account.is_empty() {
            DutyMember::Unit(self.name.clone(), self.callsign.clone())
        } else {
            DutyMember::Account(self.account.clone())
        }
    }

    /// How much of it lies in a span; one that lasts counts until the span's end.
    #[must_use]
    pub fn within(&self, span: Span) -> Duration {
        let end = self.ended.unwrap_or(span.to).min(span.to);
        end.since(self.began.max(span.from))
    }
}

/// From when (included) to when (not included).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Included.
    pub from: UnixMs,
    /// Not included. Now, for reports that go up to it.
    pub to: UnixMs,
}

/// Which sessions are asked for.
#[derive(Clone, Debug)]
pub struct Which {
    pub community: CommunityId,
    /// Only this server.
    pub server: Option<ServerId>,
    /// Those that lie in it, wholly or in part.
    pub span: Span,
}

pub(super) fn put(connection: &Connection, community: &CommunityId, changed: &[DutyRow]) -> rusqlite::Result<()> {
    if changed.is_empty() {
        return Ok(());
    }
    let mut begin = connection.prepare_cached(
        "INSERT INTO duty (community, server, ident, account, callsign, name, department, began_ms, joined_late, seen_ms)
         VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)
         ON CONFLICT (community, server, ident) WHERE ended_ms IS NULL DO UPDATE SET account = excluded.account, callsign = excluded.callsign,
             name = excluded.name, department = excluded.department, joined_late = excluded.joined_late, seen_ms = excluded.seen_ms",
    )?;
    let mut end = connection.prepare_cached(
        "UPDATE duty SET ended_ms = max(?4, began_ms), seen_ms = ?5, missed = ?6
         WHERE community = ?1 AND server = ?2 AND ident = ?3 AND ended_ms IS NULL",
    )?;
    for row in changed {
        let DutyEdge { ident, began, joined_late, seen, ended } = row.edge;
        let (community, server) = (community.as_str(), row.server.0);
        match ended {
            None => {
                begin.execute((
                    community,
                    server,
                    ident.0,
                    &row.account,
                    &row.callsign,
                    &row.name,
                    &row.department,
                    began.0,
                    joined_late,
                    seen.0,
                ))?;
            }
            Some(ended) => {
                end.execute((community, server, ident.0, ended.at.0, seen.0, ended.missed))?;
            }
        }
    }
    Ok(())
}

pub(super) fn put_calls(connection: &Connection, community: &CommunityId, changed: &[CallRow]) -> rusqlite::Result<()> {
    if changed.is_empty() {
        return Ok(());
    }
    let mut upsert = connection.prepare_cached(
        "INSERT INTO call_fact (community, server, subject, emergency, priority, opened_ms, joined_late, first_unit_ms, closed_ms)
         VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9)
         ON CONFLICT (opened_ms, community, server, subject) DO UPDATE SET priority = excluded.priority, joined_late = excluded.joined_late,
             first_unit_ms = excluded.first_unit_ms, closed_ms = excluded.closed_ms
         -- Most changes of a card change nothing here.
         WHERE (priority, joined_late, first_unit_ms, closed_ms)
             IS NOT (excluded.priority, excluded.joined_late, excluded.first_unit_ms, excluded.closed_ms)",
    )?;
    for CallRow { server, subject, fact } in changed {
        let priority = fact.priority.as_ref().map(|priority| match priority {
            Priority::Level(level) => level.to_string(),
            Priority::Word(word) => word.trim().chars().take(MAX_TEXT_CHARS).collect(),
        });
        upsert.execute((
            community.as_str(),
            server.0,
            subject.to_string(),
            fact.emergency,
            priority,
            fact.opened_at.0,
            fact.joined_late,
            fact.first_unit_at.map(|at| at.0),
            fact.closed_at.map(|at| at.0),
        ))?;
    }
    Ok(())
}

/// Forgets what is old. Bounded as [`Store::prune`] is.
pub(super) fn prune(connection: &Connection, now: UnixMs) -> rusqlite::Result<usize> {
    let before = now.minus(KEEP);
    let sessions = connection
        .execute("DELETE FROM duty WHERE id IN (SELECT id FROM duty WHERE ended_ms < ?1 ORDER BY ended_ms LIMIT 5000)", [before.0])?;
    let calls = connection.execute(
        "DELETE FROM call_fact WHERE (opened_ms, community, server, subject) IN
            (SELECT opened_ms, community, server, subject FROM call_fact WHERE opened_ms < ?1 ORDER BY opened_ms LIMIT 5000)",
        [before.0],
    )?;
    Ok(sessions + calls)
}

fn session(row: &Row<'_>) -> rusqlite::Result<DutySession> {
    Ok(DutySession {
        id: row.get("id")?,
        server: ServerId(row.get("server")?),
        ident: Ident(row.get("ident")?),
        account: row.get("account")?,
        callsign: row.get("callsign")?,
        name: row.get("name")?,
        department: row.get("department")?,
        began: UnixMs(row.get("began_ms")?),
        joined_late: row.get("joined_late")?,
        ended: row.get::<_, Option<i64>>("ended_ms")?.map(UnixMs),
        missed: row.get("missed")?,
    })
}

/// Ends a community's sessions that last in the table and are not among `open`, at the last sign of life that was written down. How many.
pub(super) fn end_strays(connection: &Connection, community: &CommunityId, open: &[(ServerId, Ident, UnixMs)]) -> rusqlite::Result<usize> {
    let open: HashSet<(u32, i64, i64)> = open.iter().map(|(server, ident, began)| (server.0, ident.0, began.0)).collect();
    let mut select = connection.prepare("SELECT id, server, ident, began_ms FROM duty WHERE community = ?1 AND ended_ms IS NULL")?;
    let found = select.query_map([community.as_str()], |row| Ok((row.get::<_, i64>(0)?, (row.get(1)?, row.get(2)?, row.get(3)?))))?;
    let found: Vec<(i64, _)> = found.collect::<Result<_, _>>()?;
    let mut end = connection.prepare("UPDATE duty SET ended_ms = max(seen_ms, began_ms), missed = 1 WHERE id = ?1")?;
    let mut ended = 0;
    for (id, _) in found.into_iter().filter(|(_, key)| !open.contains(key)) {
        ended += end.execute([id])?;
    }
    Ok(ended)
}

impl Store {
    /// Sessions that lie in a span, wholly or in part, the newest first; at most [`MAX_SESSIONS`].
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn sessions(&self, which: Which) -> Result<Vec<DutySession>, StoreError> {
        self.reader
            .run(move |connection| {
                let Which { community, server, span } = which;
                let mut select = connection.prepare_cached(
                    "SELECT * FROM duty
                     WHERE community = ?1 AND (ended_ms IS NULL OR ended_ms > ?2) AND began_ms < ?3 AND (?4 IS NULL OR server = ?4)
                     ORDER BY began_ms DESC, id DESC LIMIT ?5",
                )?;
                let most = i64::try_from(MAX_SESSIONS).unwrap_or(i64::MAX);
                let found = select.query_map((community.as_str(), span.from.0, span.to.0, server.map(|server| server.0), most), session)?;
                found.collect()
            })
            .await
    }

    /// Who was on duty, with the latest name and callsign, the latest first; at most [`MAX_NAMES`].
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn duty_members(&self, community: &CommunityId) -> Result<Vec<(DutyMember, String, String)>, StoreError> {
        let community = community.clone();
        self.reader
            .run(move |connection| {
                // Beside max(), SQLite takes the other columns from the row that has it.
                let mut select = connection.prepare_cached(
                    "SELECT account, name, callsign, max(began_ms) AS last FROM duty WHERE community = ?1
                     GROUP BY account, CASE account WHEN '' THEN name END, CASE account WHEN '' THEN callsign END ORDER BY last DESC LIMIT ?2",
                )?;
                let found = select.query_map((community.as_str(), MAX_NAMES), |row| {
                    let (account, name, callsign): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
                    let member = if account.is_empty() { DutyMember::Unit(name.clone(), callsign.clone()) } else { DutyMember::Account(account) };
                    Ok((member, name, callsign))
                })?;
                found.collect()
            })
            .await
    }

    /// Departments of those who were on duty, the most frequent first; at most [`MAX_NAMES`].
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn duty_departments(&self, community: &CommunityId) -> Result<Vec<String>, StoreError> {
        let community = community.clone();
        self.reader
            .run(move |connection| {
                let mut select = connection.prepare_cached(
                    "SELECT department FROM duty WHERE community = ?1 AND department <> '' GROUP BY department ORDER BY count(*) DESC, department LIMIT ?2",
                )?;
                let found = select.query_map((community.as_str(), MAX_NAMES), |row| row.get(0))?;
                found.collect()
            })
            .await
    }

    /// Priorities that calls have had, the most frequent first; at most [`MAX_NAMES`].
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn priorities_seen(&self, community: &CommunityId) -> Result<Vec<Priority>, StoreError> {
        let community = community.clone();
        self.reader
            .run(move |connection| {
                let mut select = connection.prepare_cached(
                    "SELECT trim(priority) FROM call_fact WHERE community = ?1 AND trim(priority) <> '' GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT ?2",
                )?;
                let found = select.query_map((community.as_str(), MAX_NAMES), |row| row.get::<_, String>(0))?;
                found.map(|text| text.map(|text| text.parse().map_or_else(|_| Priority::Word(text), Priority::Level))).collect()
            })
            .await
    }

    /// Calls that were opened in a span, the newest first; at most [`MAX_CALLS`].
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn call_facts(&self, community: &CommunityId, server: Option<ServerId>, span: Span) -> Result<Vec<Fact>, StoreError> {
        let community = community.clone();
        self.reader
            .run(move |connection| {
                let mut select = connection.prepare_cached(
                    "SELECT emergency, priority, opened_ms, joined_late, first_unit_ms, closed_ms FROM call_fact
                     WHERE community = ?1 AND opened_ms >= ?2 AND opened_ms < ?3 AND (?4 IS NULL OR server = ?4)
                     ORDER BY opened_ms DESC, server, subject LIMIT ?5",
                )?;
                let most = i64::try_from(MAX_CALLS).unwrap_or(i64::MAX);
                let time = |row: &Row<'_>, column: &str| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(UnixMs));
                let found = select.query_map((community.as_str(), span.from.0, span.to.0, server.map(|server| server.0), most), |row| {
                    Ok(Fact {
                        emergency: row.get("emergency")?,
                        priority: row.get("priority")?,
                        opened: UnixMs(row.get("opened_ms")?),
                        joined_late: row.get("joined_late")?,
                        first_unit: time(row, "first_unit_ms")?,
                        closed: time(row, "closed_ms")?,
                    })
                })?;
                found.collect()
            })
            .await
    }
}

/// A call of the past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// A 911 or civil call; else a dispatch call.
    pub emergency: bool,
    /// A number, or a word of a custom layout.
    pub priority: Option<String>,
    /// When it was made, or first seen.
    pub opened: UnixMs,
    /// When it was made is not known.
    pub joined_late: bool,
    /// When its first unit was attached.
    pub first_unit: Option<UnixMs>,
    /// When it was closed, or went.
    pub closed: Option<UnixMs>,
}

#[cfg(test)]
mod tests;
