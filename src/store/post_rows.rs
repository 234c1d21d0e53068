//! Posts by number: read when the bot starts, written as the queue says that they changed. Knows nothing of what a change means.

use rusqlite::types::FromSql;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{Store, StoreError, rows};
use crate::clock::UnixMs;
use crate::ids::{ChannelId, CommunityId, GuildId, MessageId, ServerId};
use crate::outbox::Lane;
use crate::outbox::queue::{Changes, ParkedChannel, Post, PostId, PostSubject, RowChange, SubjectKey};

pub(super) const SELECT: &str = "SELECT id, guild, channel, community, server, subject, lane, style, roles, place, threads, parent, event, over, desired, silent,
        version, delivered, message, thread, generation, shown_ms, unpinged, happened_ms, created_ms, due_ms, wished_ms, lease_ms, creating_ms,
        doubt_ms, attempts, failed, pack, slot, solo, trouble, told, apart
    FROM post ORDER BY id";

const INSERT: &str =
    "INSERT INTO post (id, guild, channel, community, server, subject, style, roles, place, threads, parent, event, desired, silent,
        created_ms, lane, version, happened_ms, due_ms, over)
    VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20)";

/// All that can change but the text.
const UPDATE: &str =
    "UPDATE post SET lane = ?2, over = ?3, version = ?4, delivered = ?5, message = ?6, thread = ?7, generation = ?8, shown_ms = ?9,
        unpinged = ?10, happened_ms = ?11, due_ms = ?12, wished_ms = ?13, lease_ms = ?14, creating_ms = ?15, doubt_ms = ?16, attempts = ?17,
        failed = ?18, pack = ?19, slot = ?20, solo = ?21, trouble = ?22, told = ?23, apart = ?24
    WHERE id = ?1";

/// What a queue is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredQueue {
    /// Posts, by number.
    pub posts: Vec<Post>,
    /// Channels that Discord refuses.
    pub parked: Vec<(ChannelId, ParkedChannel)>,
    /// The number of the next new post: greater than any that was ever given.
    pub next: PostId,
}

impl Store {
    /// Reads all posts.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn load_posts(&self) -> Result<StoredQueue, StoreError> {
        self.writer.run(load).await
    }

    /// Stores what changed, all or nothing.
    ///
    /// # Errors
    /// [`StoreError`]; the queue must then be loaded again.
    pub async fn commit_posts(&self, changes: Changes) -> Result<(), StoreError> {
        self.writer.run(move |connection| commit(connection, &changes)).await
    }
}

pub(super) fn load(connection: &Connection) -> rusqlite::Result<StoredQueue> {
    let mut posts: Vec<Post> = connection.prepare_cached(SELECT)?.query_map((), read)?.collect::<rusqlite::Result<_>>()?;
    let mut select = connection.prepare_cached("SELECT post, subject FROM post_link")?;
    let mut links = select.query(())?;
    while let Some(row) = links.next()? {
        let (id, subject): (i64, String) = (row.get(0)?, row.get(1)?);
        if let Ok(at) = posts.binary_search_by_key(&id, |post| post.id.0)
            && let Some(post) = posts.get_mut(at)
        {
            post.links.push(PostSubject::parse(&subject));
        }
    }
    posts.iter_mut().for_each(|post| post.links.sort_unstable());
    let mut select = connection.prepare_cached("SELECT channel, reason, since_ms, retry_ms, tries FROM parked")?;
    let parked = select.query_map((), |row| {
        let parked =
            ParkedChannel { reason: row.get(1)?, since: UnixMs(row.get(2)?), retry_at: UnixMs(row.get(3)?), refusals: row.get(4)? };
        Ok((ChannelId(unflake(row.get(0)?)), parked))
    })?;
    let last: Option<i64> = connection.query_row("SELECT seq FROM sqlite_sequence WHERE name = 'post'", (), |row| row.get(0)).optional()?;
    Ok(StoredQueue { posts, parked: parked.collect::<rusqlite::Result<_>>()?, next: PostId(last.unwrap_or(0).saturating_add(1)) })
}

pub(super) fn commit(connection: &Connection, changes: &Changes) -> rusqlite::Result<()> {
    for (id, change) in &changes.posts {
        match change {
            RowChange::Insert(post) => {
                insert(connection, post)?;
                update(connection, post)?;
                link(connection, post)?;
            }
            RowChange::Redraw(post) => {
                connection.prepare_cached("UPDATE post SET desired = ?2 WHERE id = ?1")?.execute((id.0, rows::to_json(&*post.message)?))?;
                update(connection, post)?;
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
            Some(ParkedChannel { reason, since, retry_at, refusals }) => connection
                .prepare_cached("INSERT OR REPLACE INTO parked (channel, reason, since_ms, retry_ms, tries) VALUES (?1,?2,?3,?4,?5)")?
                .execute((channel, reason, since.0, retry_at.0, refusals))?,
            None => connection.prepare_cached("DELETE FROM parked WHERE channel = ?1")?.execute([channel])?,
        };
    }
    Ok(())
}

fn insert(connection: &Connection, post: &Post) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(INSERT)?;
    let SubjectKey { community, server, subject } = &post.about;
    insert.execute(params![
        post.id.0,
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
        rows::to_json(&*post.message)?,
        post.silent,
        post.created_at.0,
        // These follow with the rest, but may not be missing.
        post.lane.number(),
        post.version,
        post.happened_at.0,
        post.due_at.0,
        post.closed,
    ])?;
    Ok(())
}

fn update(connection: &Connection, post: &Post) -> rusqlite::Result<()> {
    let mut update = connection.prepare_cached(UPDATE)?;
    let ms = |at: Option<UnixMs>| at.map(|at| at.0);
    update.execute(params![
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
    ])?;
    Ok(())
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

/// In the order of [`SELECT`].
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Post> {
    let mut of = Columns { row, at: 0 };
    Ok(Post {
        id: PostId(of.next()?),
        guild: GuildId(of.flake()?),
        channel: ChannelId(of.flake()?),
        about: SubjectKey {
            community: CommunityId::new(&of.next::<String>()?),
            server: ServerId(of.next()?),
            subject: PostSubject::parse(&of.next::<String>()?),
        },
        lane: {
            let number: i64 = of.next()?;
            Lane::ALL.into_iter().find(|lane| lane.number() == number).unwrap_or(Lane::Log)
        },
        style: rows::style_of(of.next()?)?,
        roles: rows::of_json(&of.next::<String>()?)?,
        place: rows::place_of(&of.next::<String>()?)?,
        threads: rows::threads_of(&of.next::<String>()?)?,
        parent: of.next::<Option<String>>()?.map(|text| PostSubject::parse(&text)),
        event: of.next()?,
        closed: of.next()?,
        message: rows::of_json::<crate::render::Message>(&of.next::<String>()?)?.into(),
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
