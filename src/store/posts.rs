//! Posts: put by ingest, claimed and settled by delivery.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, Row};

use super::links::{self, SERVED};
use super::{Store, StoreError, rows};
use crate::clock::UnixMs;
use crate::ids::{ChannelId, GuildId, MessageId, RoleId, ServerId};
use crate::outbox::{Claim, Draft, Lane, Place, PostKey};
use crate::render::{Message, Style};
use crate::route::Threads;

/// What ingest must remember of a post whose subject goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memo {
    pub guild: GuildId,
    /// In which style it was drawn.
    pub style: Style,
    /// Whom its creation pinged.
    pub roles: Vec<RoleId>,
    /// Where it stands.
    pub place: Place,
    /// Whether its notes go into a thread.
    pub threads: Threads,
}

/// A channel that Discord refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    pub channel: ChannelId,
    /// Why, for people.
    pub reason: String,
    pub since: UnixMs,
    /// When it is tried again.
    pub retry_at: UnixMs,
    /// Refusals in a row.
    pub tries: u32,
}

/// A channel that has something to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    pub channel: ChannelId,
    /// When its first post may go; for a parked channel, when it is tried again.
    pub at: UnixMs,
    /// How many posts wait there.
    pub posts: u32,
    /// A panic is among them.
    pub panic: bool,
}

/// What waits in a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    pub lane: Lane,
    /// How many posts.
    pub posts: usize,
    /// Since when the oldest of them waits.
    pub since: Option<UnixMs>,
}

/// Posts by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Something is to be sent.
    pub pending: i64,
    /// Given up.
    pub failed: i64,
    /// The oldest pending one is from then.
    pub oldest_pending: Option<UnixMs>,
}

/// A post that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub channel: ChannelId,
    /// About what.
    pub subject: String,
    pub reason: String,
    pub happened_at: UnixMs,
}

/// A card that a person deleted, and whose subject is over by now (see `put`): nothing more is said there. Pages of lines are always over.
const GONE: &str = "excluded.over AND message IS NULL AND creating_ms IS NULL AND shown_ms IS NOT NULL AND delivered >= version
    AND post.parent IS NULL AND post.lane <> ?17";

pub(super) fn put(connection: &Connection, drafts: &[Draft], now: UnixMs, edit_window: i64) -> rusqlite::Result<()> {
    // An identical render is no new version; a post that was given up gets another chance when its text changes. The first change of a
    // message that stands waits for the window, so that what follows soon goes with it.
    let mut upsert = connection.prepare_cached(&format!(
        "INSERT INTO post (guild, channel, community, server, subject, lane, style, roles, over, parent, desired, version, happened_ms, created_ms, due_ms, place, threads, silent, wished_ms, event)
         VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,1,?12,?13,?13,?15,?16,?18,?13,?19)
         ON CONFLICT (channel, community, server, subject) DO UPDATE SET
             over = excluded.over,
             due_ms = CASE WHEN desired <> excluded.desired AND message IS NOT NULL AND NOT ({PENDING}) THEN max(due_ms, ?13 + ?14) ELSE due_ms END,
             wished_ms = CASE WHEN desired = excluded.desired OR ({PENDING}) THEN wished_ms
                 WHEN message IS NULL THEN ?13 ELSE max(due_ms, ?13 + ?14) END,
             version = version + (desired <> excluded.desired AND NOT ({GONE})),
             failed = CASE WHEN desired <> excluded.desired THEN NULL ELSE failed END,
             lane = CASE WHEN message IS NULL THEN min(lane, excluded.lane) ELSE excluded.lane END,
             happened_ms = CASE WHEN excluded.lane = ?17 THEN excluded.happened_ms ELSE happened_ms END,
             desired = excluded.desired
         RETURNING id",
    ))?;
    for draft in drafts {
        // One that was drawn while its guild was unlinked: nothing is shown there any more.
        if !links::is_served(connection, draft.guild)? {
            continue;
        }
        // Sound is made once: that a later drawing is silent or not is no change.
        let desired = match &draft.message {
            heard @ Message { silent: false, .. } => rows::to_json(heard)?,
            silent => rows::to_json(&Message { silent: false, ..silent.clone() })?,
        };
        let id: i64 = upsert.query_row(
            rusqlite::params![
                rows::flake(draft.guild.0),
                rows::flake(draft.key.channel.0),
                draft.key.community.as_str(),
                draft.key.server.0,
                &draft.key.subject,
                draft.lane.number(),
                rows::style_text(draft.style),
                rows::to_json(&draft.roles)?,
                draft.over,
                &draft.parent,
                desired,
                draft.happened_at.0,
                now.0,
                edit_window,
                draft.place.as_str(),
                draft.threads.as_str(),
                // A board shows the present: posted anew, it is not late.
                Lane::Board.number(),
                draft.message.silent,
                draft.event,
            ],
            |row| row.get(0),
        )?;
        // Lines have no links, and there are many of them.
        if draft.lane != Lane::Log {
            connection.prepare_cached("DELETE FROM post_link WHERE post = ?1")?.execute([id])?;
            for subject in draft.message.links() {
                connection.prepare_cached("INSERT OR IGNORE INTO post_link (post, subject) VALUES (?1, ?2)")?.execute((id, subject))?;
            }
        }
    }
    Ok(())
}

pub(super) fn key(row: &Row<'_>) -> rusqlite::Result<PostKey> {
    Ok(PostKey {
        channel: rows::channel(row, "channel")?,
        community: rows::community(row, "community")?,
        server: ServerId(row.get("server")?),
        subject: row.get("subject")?,
    })
}

pub(super) const PENDING: &str = "delivered < version AND failed IS NULL";

/// What is written into a thread waits for the card it hangs on, and so does an answer to a card that is still to come; a thread is put
/// away when nothing else about its card waits.
pub(super) const READY: &str = "(post.place NOT IN ('thread', 'archive') OR EXISTS (
        SELECT 1 FROM post AS card WHERE card.channel = post.channel AND card.community = post.community AND card.server = post.server
            AND card.subject = post.parent AND card.message IS NOT NULL))
    AND (post.parent IS NULL OR NOT EXISTS (
        SELECT 1 FROM post AS card WHERE card.channel = post.channel AND card.community = post.community AND card.server = post.server
            AND card.subject = post.parent AND card.message IS NULL AND card.delivered < card.version AND card.failed IS NULL))
    AND (post.place <> 'archive' OR (NOT EXISTS (
        SELECT 1 FROM post AS other WHERE other.channel = post.channel AND other.community = post.community AND other.server = post.server
            AND other.parent = post.parent AND other.id <> post.id AND other.delivered < other.version AND other.failed IS NULL)
        AND NOT EXISTS (
        SELECT 1 FROM post AS card WHERE card.channel = post.channel AND card.community = post.community AND card.server = post.server
            AND card.subject = post.parent AND card.delivered < card.version AND card.failed IS NULL)))";

impl Store {
    /// Posts that stand for a subject, with what ingest must remember of them: of those that are over, too, as what became of a 911 may be
    /// found out after it is gone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn memos(&self) -> Result<Vec<(PostKey, Memo)>, StoreError> {
        self.reader
            .run(|connection| {
                let mut select = connection.prepare(
                    "SELECT guild, channel, community, server, subject, style, roles, place, threads FROM post
                     WHERE over = 0
                        OR (instr(subject, '#') = 0 AND (subject LIKE '911:%' OR subject LIKE 'call:%' OR subject LIKE 'panic:%'))",
                )?;
                let found = select.query_map((), |row| {
                    Ok((
                        key(row)?,
                        Memo {
                            guild: rows::guild(row, "guild")?,
                            style: rows::style(row, "style")?,
                            roles: rows::json(row, "roles")?,
                            place: rows::place(row, "place")?,
                            threads: rows::threads(row, "threads")?,
                        },
                    ))
                })?;
                found.collect()
            })
            .await
    }

    /// Channels that have something to send.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn due(&self) -> Result<Vec<Due>, StoreError> {
        self.reader
            .run(|connection| {
                let mut select = connection.prepare_cached(&format!(
                    "SELECT post.channel, max(min(max(post.due_ms, post.lease_ms)), coalesce(parked.retry_ms, 0)) AS at, count(*) AS posts,
                        min(post.lane) = 0 AS panic
                     FROM post LEFT JOIN parked ON parked.channel = post.channel WHERE {PENDING} AND {READY} AND {SERVED} GROUP BY post.channel"
                ))?;
                let found = select.query_map((), |row| {
                    Ok(Due {
                        channel: rows::channel(row, "channel")?,
                        at: UnixMs(row.get("at")?),
                        posts: row.get("posts")?,
                        panic: row.get("panic")?,
                    })
                })?;
                found.collect()
            })
            .await
    }

    /// A card's thread is open.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn opened_thread(&self, claim: &Claim, thread: ChannelId) -> Result<(), StoreError> {
        let (key, parent) = (claim.key.clone(), claim.reply_to);
        self.writer
            .run(move |connection| {
                connection
                    .prepare_cached("UPDATE post SET thread = ?4 WHERE channel = ?1 AND community = ?2 AND server = ?3 AND message = ?5")?
                    .execute((
                        rows::flake(key.channel.0),
                        key.community.as_str(),
                        key.server.0,
                        rows::flake(thread.0),
                        parent.map(|message| rows::flake(message.0)),
                    ))
                    .map(|_| ())
            })
            .await
    }

    /// Messages from `first` on that are known as some post's of a channel: none of them can be the one that another post looks for.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn messages_since(&self, channel: ChannelId, first: MessageId) -> Result<HashSet<MessageId>, StoreError> {
        self.reader
            .run(move |connection| {
                let mut select = connection.prepare_cached("SELECT message FROM post WHERE +channel = ?1 AND message >= ?2")?;
                let found = select.query_map((rows::flake(channel.0), rows::flake(first.0)), |row| rows::message_option(row, "message"))?;
                found.filter_map(Result::transpose).collect()
            })
            .await
    }

    /// The message of a post, if it was delivered.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn message_of(&self, key: PostKey) -> Result<Option<MessageId>, StoreError> {
        self.reader
            .run(move |connection| {
                let found = connection
                    .query_row(
                        "SELECT message FROM post WHERE channel = ?1 AND community = ?2 AND server = ?3 AND subject = ?4",
                        (rows::flake(key.channel.0), key.community.as_str(), key.server.0, &key.subject),
                        |row| rows::message_option(row, "message"),
                    )
                    .optional()?;
                Ok(found.flatten())
            })
            .await
    }

    /// How often in a row a channel was refused; 0 if it is open.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn refusals(&self, channel: ChannelId) -> Result<u32, StoreError> {
        self.reader
            .run(move |connection| {
                let tries = connection
                    .query_row("SELECT tries FROM parked WHERE channel = ?1", [rows::flake(channel.0)], |row| row.get(0))
                    .optional()?;
                Ok(tries.unwrap_or(0))
            })
            .await
    }

    /// Channels that Discord refused.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn parked(&self) -> Result<Vec<Parked>, StoreError> {
        self.reader
            .run(|connection| {
                let mut select =
                    connection.prepare_cached("SELECT channel, reason, since_ms, retry_ms, tries FROM parked ORDER BY since_ms")?;
                let found = select.query_map((), |row| {
                    Ok(Parked {
                        channel: rows::channel(row, "channel")?,
                        reason: row.get("reason")?,
                        since: UnixMs(row.get("since_ms")?),
                        retry_at: UnixMs(row.get("retry_ms")?),
                        tries: row.get("tries")?,
                    })
                })?;
                found.collect()
            })
            .await
    }

    /// Opens a channel again: somebody mended its permissions. What waits for anything there is tried at once. True if it was parked.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn unpark(&self, channel: ChannelId) -> Result<bool, StoreError> {
        let channel = rows::flake(channel.0);
        self.writer
            .run(move |connection| {
                connection.execute(
                    &format!("UPDATE post SET due_ms = 0, attempts = 0 WHERE channel = ?1 AND trouble IS NOT NULL AND {PENDING}"),
                    [channel],
                )?;
                Ok(connection.execute("DELETE FROM parked WHERE channel = ?1", [channel])? > 0)
            })
            .await
    }

    /// What waits to be sent, by lane; every lane is there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn backlog(&self) -> Result<Vec<Backlog>, StoreError> {
        self.reader
            .run(|connection| {
                let mut select = connection.prepare_cached(&format!(
                    "SELECT lane, count(*), min(wished_ms) FROM post WHERE {PENDING} AND {SERVED} GROUP BY lane"
                ))?;
                let found: Vec<(i64, u32, i64)> =
                    select.query_map((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect::<Result<_, _>>()?;
                let of = |lane: Lane| found.iter().find(|(number, ..)| *number == lane.number());
                Ok(Lane::ALL
                    .into_iter()
                    .map(|lane| Backlog { lane, posts: of(lane).map_or(0, |row| row.1 as usize), since: of(lane).map(|row| UnixMs(row.2)) })
                    .collect())
            })
            .await
    }

    /// Posts by state.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn counts(&self) -> Result<Counts, StoreError> {
        self.reader
            .run(|connection| {
                let (pending, oldest): (i64, Option<i64>) = connection.query_row(
                    &format!("SELECT count(*), min(created_ms) FROM post WHERE {PENDING} AND {SERVED}"),
                    (),
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )?;
                let failed = connection.query_row("SELECT count(*) FROM post WHERE failed IS NOT NULL", (), |row| row.get(0))?;
                Ok(Counts { pending, failed, oldest_pending: oldest.map(UnixMs) })
            })
            .await
    }

    /// The last posts of a guild that were given up, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn problems(&self, guild: GuildId, most: usize) -> Result<Vec<Problem>, StoreError> {
        self.reader
            .run(move |connection| {
                let mut select = connection.prepare_cached(
                    "SELECT channel, subject, failed, happened_ms FROM post WHERE guild = ?1 AND failed IS NOT NULL ORDER BY id DESC LIMIT ?2",
                )?;
                let found = select.query_map((rows::flake(guild.0), i64::try_from(most).unwrap_or(5)), |row| {
                    Ok(Problem {
                        channel: rows::channel(row, "channel")?,
                        subject: row.get("subject")?,
                        reason: row.get("failed")?,
                        happened_at: UnixMs(row.get("happened_ms")?),
                    })
                })?;
                found.collect()
            })
            .await
    }
}
