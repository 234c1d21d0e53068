//! Posts by number: read as the queue needs them, written as it says that they changed. Knows nothing of what a change means.

use std::collections::HashMap;

use rusqlite::types::FromSql;
use rusqlite::{Connection, OptionalExtension, Params, Row, Statement, params};

use super::rows;
use crate::clock::UnixMs;
use crate::ids::{ChannelId, CommunityId, GuildId, MessageId, ServerId};
use crate::outbox::Lane;
use crate::outbox::queue::{Body, Changes, ParkedChannel, Post, PostId, PostSubject, RowChange, SubjectKey};
use crate::render::Message;

/// A query for posts without their texts, with everything that follows `FROM post`.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, guild, channel, community, server, subject, lane, style, roles, place, threads, parent, event, over, silent,
                version, delivered, message, thread, generation, shown_ms, unpinged, happened_ms, created_ms, due_ms, wished_ms, lease_ms,
                creating_ms, doubt_ms, attempts, failed, pack, slot, solo, trouble, told, apart
            FROM post ",
            $rest
        )
    };
}

const INSERT: &str =
    "INSERT INTO post (id, lane, over, version, delivered, message, thread, generation, shown_ms, unpinged, happened_ms, due_ms, wished_ms, lease_ms,
        creating_ms, doubt_ms, attempts, failed, pack, slot, solo, trouble, told, apart,
        guild, channel, community, server, subject, style, roles, place, threads, parent, event, silent, created_ms, desired)
    VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,?22,?23,?24,
        ?25,?26,?27,?28,?29,?30,?31,?32,?33,?34,?35,?36,?37,?38)";

/// An update, with everything that follows what changes in any case. Its parameters begin as those of [`INSERT`] do.
macro_rules! update {
    ($rest:literal) => {
        concat!(
            "UPDATE post SET lane = ?2, over = ?3, version = ?4, delivered = ?5, message = ?6, thread = ?7, generation = ?8, shown_ms = ?9,
                unpinged = ?10, happened_ms = ?11, due_ms = ?12, wished_ms = ?13, lease_ms = ?14, creating_ms = ?15, doubt_ms = ?16, attempts = ?17,
                failed = ?18, pack = ?19, slot = ?20, solo = ?21, trouble = ?22, told = ?23, apart = ?24",
            $rest
        )
    };
}

/// All that can change but the text.
const UPDATE: &str = update!(" WHERE id = ?1");

/// All that can change.
const REDRAW: &str = update!(", desired = ?25 WHERE id = ?1");

/// Goes through the posts that may still change or be sent, by number. The condition is that of the index `post_live`, word for word.
pub(super) fn each_live(connection: &Connection, mut each: impl FnMut(Post)) -> rusqlite::Result<()> {
    let mut links: HashMap<i64, Vec<PostSubject>> = HashMap::new();
    let mut select = connection.prepare(
        "SELECT id, post_link.subject FROM post JOIN post_link ON post_link.post = post.id WHERE over = 0 OR delivered < version OR lease_ms > 0",
    )?;
    let mut found = select.query(())?;
    while let Some(row) = found.next()? {
        links.entry(row.get(0)?).or_default().push(PostSubject::parse(row.get_ref(1)?.as_str()?));
    }
    let mut select = connection.prepare(select!("WHERE over = 0 OR delivered < version OR lease_ms > 0 ORDER BY id"))?;
    let mut found = select.query(())?;
    while let Some(row) = found.next()? {
        let mut post = read(row)?;
        // Lines have no links.
        post.links = links.remove(&post.id.0).filter(|_| post.lane != Lane::Log).unwrap_or_default();
        post.links.sort_unstable();
        each(post);
    }
    Ok(())
}

/// Posts about a subject, in every channel.
pub(super) fn of_subject(connection: &Connection, about: &SubjectKey) -> rusqlite::Result<Vec<Post>> {
    let SubjectKey { community, server, subject } = about;
    let sql = select!("WHERE community = ?1 AND server = ?2 AND subject = ?3");
    found(connection, sql, (community.as_str(), server.0, subject.to_string()))
}

/// Every post.
#[cfg(test)]
pub(super) fn all(connection: &Connection) -> rusqlite::Result<Vec<Post>> {
    found(connection, select!("ORDER BY id"), ())
}

/// Settled and closed posts about subjects of which another one is [`live`].
pub(super) fn beside_live(connection: &Connection) -> rusqlite::Result<Vec<Post>> {
    let sql = select!(
        "WHERE id IN (
            SELECT beside.id FROM post JOIN post AS beside
                ON beside.community = post.community AND beside.server = post.server AND beside.subject = post.subject
            WHERE (post.over = 0 OR post.delivered < post.version OR post.lease_ms > 0)
                AND beside.over = 1 AND beside.delivered >= beside.version AND beside.lease_ms = 0)"
    );
    found(connection, sql, ())
}

/// What the posts that share a message are about.
pub(super) fn of_batch(connection: &Connection, lead: PostId) -> rusqlite::Result<Vec<SubjectKey>> {
    abouts(connection, "SELECT community, server, subject FROM post WHERE pack = ?1", [lead.0])
}

/// What the posts of an event are about that calls people once.
pub(super) fn of_event(connection: &Connection, event: i64, channel: ChannelId) -> rusqlite::Result<Vec<SubjectKey>> {
    // The index holds no other events: SQLite uses it only if the query says so, too.
    let sql = "SELECT community, server, subject FROM post WHERE event = ?1 AND channel = ?2 AND event <> 0";
    abouts(connection, sql, (event, rows::flake(channel.0)))
}

/// What the posts are about whose text links to a subject, of whatever server.
pub(super) fn linking_to(connection: &Connection, subject: &PostSubject) -> rusqlite::Result<Vec<SubjectKey>> {
    let sql = "SELECT community, server, post.subject FROM post_link JOIN post ON post.id = post_link.post WHERE post_link.subject = ?1";
    abouts(connection, sql, [subject.to_string()])
}

/// How a post should look.
pub(super) fn text(connection: &Connection, id: PostId) -> rusqlite::Result<Message> {
    let mut select = connection.prepare_cached("SELECT desired FROM post WHERE id = ?1")?;
    select.query_row([id.0], |row| rows::of_json(row.get_ref(0)?.as_str()?))
}

fn abouts(connection: &Connection, sql: &str, parameters: impl Params) -> rusqlite::Result<Vec<SubjectKey>> {
    let mut select = connection.prepare_cached(sql)?;
    let found = select.query_map(parameters, |row| {
        Ok(SubjectKey {
            community: CommunityId::new(row.get_ref(0)?.as_str()?),
            server: ServerId(row.get(1)?),
            subject: PostSubject::parse(row.get_ref(2)?.as_str()?),
        })
    })?;
    found.collect()
}

fn found(connection: &Connection, sql: &str, parameters: impl Params) -> rusqlite::Result<Vec<Post>> {
    let mut posts: Vec<Post> = connection.prepare_cached(sql)?.query_map(parameters, read)?.collect::<rusqlite::Result<_>>()?;
    // Lines have no links, and there are many of them.
    for post in posts.iter_mut().filter(|post| post.lane != Lane::Log) {
        let mut select = connection.prepare_cached("SELECT subject FROM post_link WHERE post = ?1")?;
        let links = select.query_map([post.id.0], |row| Ok(PostSubject::parse(row.get_ref(0)?.as_str()?)))?;
        post.links = links.collect::<rusqlite::Result<_>>()?;
        post.links.sort_unstable();
    }
    Ok(posts)
}

/// Channels that Discord refuses.
pub(super) fn parked(connection: &Connection) -> rusqlite::Result<Vec<ParkedChannel>> {
    let mut select = connection.prepare_cached("SELECT channel, reason, since_ms, retry_ms, tries FROM parked")?;
    let parked = select.query_map((), |row| {
        Ok(ParkedChannel {
            channel: ChannelId(unflake(row.get(0)?)),
            reason: row.get(1)?,
            since: UnixMs(row.get(2)?),
            retry_at: UnixMs(row.get(3)?),
            refusals: row.get(4)?,
        })
    })?;
    parked.collect()
}

/// The number of the next new post: greater than any that was ever given.
pub(super) fn next(connection: &Connection) -> rusqlite::Result<PostId> {
    let last: Option<i64> = connection.query_row("SELECT seq FROM sqlite_sequence WHERE name = 'post'", (), |row| row.get(0)).optional()?;
    Ok(PostId(last.unwrap_or(0).saturating_add(1)))
}

/// Stores what changed.
pub(super) fn commit(connection: &Connection, changes: &Changes<'_>) -> rusqlite::Result<()> {
    for (id, change) in &changes.posts {
        match change {
            RowChange::Insert(post) => {
                insert(connection, post)?;
                link(connection, post)?;
            }
            RowChange::Redraw(post) => {
                let mut redraw = connection.prepare_cached(REDRAW)?;
                let next = bind(&mut redraw, post)?;
                redraw.raw_bind_parameter(next, rows::to_json(&*post.message)?)?;
                redraw.raw_execute()?;
                connection.prepare_cached("DELETE FROM post_link WHERE post = ?1")?.execute([id.0])?;
                link(connection, post)?;
            }
            RowChange::Update(post) => update(connection, post)?,
            RowChange::Delete => {
                connection.prepare_cached("DELETE FROM post WHERE id = ?1")?.execute([id.0])?;
            }
        }
    }
    for (channel, parked) in &changes.parked {
        let channel = rows::flake(channel.0);
        match parked {
            Some(ParkedChannel { channel: _, reason, since, retry_at, refusals }) => connection
                .prepare_cached("INSERT OR REPLACE INTO parked (channel, reason, since_ms, retry_ms, tries) VALUES (?1,?2,?3,?4,?5)")?
                .execute((channel, reason, since.0, retry_at.0, refusals))?,
            None => connection.prepare_cached("DELETE FROM parked WHERE channel = ?1")?.execute([channel])?,
        };
    }
    Ok(())
}

fn insert(connection: &Connection, post: &Post) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(INSERT)?;
    let next = bind(&mut insert, post)?;
    let SubjectKey { community, server, subject } = &post.about;
    let fixed = params![
        rows::flake(post.guild.0),
        rows::flake(post.channel.0),
        community.as_str(),
        server.0,
        subject.to_string(),
        rows::style_text(post.style),
        rows::to_json(&post.roles)?,
        post.place.as_str(),
        post.threads.as_str(),
        post.parent.as_ref().map(PostSubject::to_string),
        post.event,
        post.silent,
        post.created_at.0,
        rows::to_json(&*post.message)?,
    ];
    for (index, value) in (next..).zip(fixed) {
        insert.raw_bind_parameter(index, value)?;
    }
    insert.raw_execute()?;
    rows::reserve(connection, "post", post.id.0)
}

fn update(connection: &Connection, post: &Post) -> rusqlite::Result<()> {
    let mut update = connection.prepare_cached(UPDATE)?;
    bind(&mut update, post)?;
    update.raw_execute().map(|_| ())
}

/// Binds the number and all that can change but the text. The index of the next parameter.
fn bind(statement: &mut Statement<'_>, post: &Post) -> rusqlite::Result<usize> {
    let ms = |at: Option<UnixMs>| at.map(|at| at.0);
    let values = params![
        post.id.0,
        post.lane.number(),
        post.closed,
        post.version,
        post.delivered_version,
        post.message_id.map(|id| rows::flake(id.0)),
        post.thread.map(|id| rows::flake(id.0)),
        post.generation,
        ms(post.shown_at),
        post.pings_suppressed,
        post.happened_at.0,
        post.due_at.0,
        post.desired_since.0,
        ms(post.claimed_until).unwrap_or(0),
        ms(post.creating_since),
        ms(post.edit_in_doubt_since),
        post.attempts,
        post.failed,
        post.batch.map(|id| id.0),
        post.slot,
        post.never_batched,
        post.obstacle,
        post.reported,
        post.isolated,
    ];
    for (index, value) in (1..).zip(values) {
        statement.raw_bind_parameter(index, value)?;
    }
    Ok(values.len() + 1)
}

fn link(connection: &Connection, post: &Post) -> rusqlite::Result<()> {
    for subject in &post.links {
        connection.prepare_cached("INSERT INTO post_link (post, subject) VALUES (?1, ?2)")?.execute((post.id.0, subject.to_string()))?;
    }
    Ok(())
}

fn unflake(id: i64) -> u64 {
    id.try_into().unwrap_or(0)
}

/// The columns of a row, one after another.
struct Columns<'r> {
    row: &'r Row<'r>,
    at: usize,
}

impl Columns<'_> {
    fn next<T: FromSql>(&mut self) -> rusqlite::Result<T> {
        self.at += 1;
        self.row.get(self.at - 1)
    }

    /// A text that need not be copied.
    fn text<T>(&mut self, read: impl FnOnce(&str) -> T) -> rusqlite::Result<T> {
        self.at += 1;
        Ok(read(self.row.get_ref(self.at - 1)?.as_str()?))
    }

    fn flake(&mut self) -> rusqlite::Result<u64> {
        self.next().map(unflake)
    }

    fn flake_option(&mut self) -> rusqlite::Result<Option<u64>> {
        Ok(self.next::<Option<i64>>()?.map(unflake))
    }

    fn time(&mut self) -> rusqlite::Result<UnixMs> {
        self.next().map(UnixMs)
    }

    fn time_option(&mut self) -> rusqlite::Result<Option<UnixMs>> {
        Ok(self.next::<Option<i64>>()?.map(UnixMs))
    }
}

/// In the order of [`select!`].
fn read(row: &Row<'_>) -> rusqlite::Result<Post> {
    let mut of = Columns { row, at: 0 };
    Ok(Post {
        id: PostId(of.next()?),
        guild: GuildId(of.flake()?),
        channel: ChannelId(of.flake()?),
        about: SubjectKey { community: of.text(CommunityId::new)?, server: ServerId(of.next()?), subject: of.text(PostSubject::parse)? },
        lane: {
            let number: i64 = of.next()?;
            Lane::ALL.into_iter().find(|lane| lane.number() == number).unwrap_or(Lane::Log)
        },
        style: rows::style_of(of.next()?)?,
        roles: of.text(rows::of_json)??,
        place: of.text(rows::place_of)??,
        threads: of.text(rows::threads_of)??,
        parent: of.next::<Option<String>>()?.map(|text| PostSubject::parse(&text)),
        event: of.next()?,
        closed: of.next()?,
        message: Body::Stored,
        silent: of.next()?,
        links: Vec::new(),
        version: of.next()?,
        delivered_version: of.next()?,
        message_id: of.flake_option()?.map(MessageId),
        thread: of.flake_option()?.map(ChannelId),
        generation: of.next()?,
        shown_at: of.time_option()?,
        pings_suppressed: of.next()?,
        happened_at: of.time()?,
        created_at: of.time()?,
        due_at: of.time()?,
        desired_since: of.time()?,
        claimed_until: of.time_option()?.filter(|until| until.0 > 0),
        creating_since: of.time_option()?,
        edit_in_doubt_since: of.time_option()?,
        attempts: of.next()?,
        failed: of.next()?,
        batch: of.next::<Option<i64>>()?.map(PostId),
        slot: of.next()?,
        never_batched: of.next()?,
        obstacle: of.next()?,
        reported: of.next()?,
        isolated: of.next()?,
    })
}
