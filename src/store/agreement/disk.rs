//! What the pure queue would have on disk, and the rows that SQL has.

use std::collections::{BTreeMap, HashMap};

use rusqlite::Row;
use rusqlite::types::ValueRef;

use super::super::{Store, StoredQueue, post_rows, rows};
use super::{done, same};
use crate::clock::UnixMs;
use crate::ids::ChannelId;
use crate::outbox::PostKey;
use crate::outbox::queue::{Changes, ParkedChannel, Post, PostId, PostSubject, RowChange, SubjectKey};

pub(super) struct Disk {
    /// The same in a database that knows nothing of what a change means.
    twin: Store,
    pub(super) posts: BTreeMap<PostId, Post>,
    pub(super) parked: BTreeMap<ChannelId, ParkedChannel>,
    /// The next number, greater than any that was given.
    pub(super) next: PostId,
    /// SQL gives other numbers: an update uses one up.
    numbers: BTreeMap<PostId, i64>,
    ids: HashMap<i64, PostId>,
    /// Rows as they were read last, with what was read: few change with a step.
    read: HashMap<i64, (Vec<u8>, Post)>,
}

pub(super) fn key(post: &Post) -> PostKey {
    let SubjectKey { community, server, subject } = &post.about;
    PostKey { channel: post.channel, community: community.clone(), server: *server, subject: subject.to_string() }
}

impl Disk {
    pub(super) fn new(twin: Store) -> Self {
        let (posts, parked, next) = (BTreeMap::new(), BTreeMap::new(), PostId(1));
        Self { twin, posts, parked, next, numbers: BTreeMap::new(), ids: HashMap::new(), read: HashMap::new() }
    }

    /// What a start would find.
    pub(super) fn load(&self) -> Result<StoredQueue, String> {
        let stored = done(self.twin.load_posts());
        let (posts, parked) = (self.posts.values().cloned().collect(), self.parked.clone().into_iter().collect());
        let mut in_order = stored.clone();
        in_order.parked.sort_unstable_by_key(|(channel, _)| *channel);
        same("stored", &in_order, &StoredQueue { posts, parked, next: self.next })?;
        Ok(stored)
    }

    pub(super) fn apply(&mut self, changes: Changes) -> Result<(), String> {
        done(self.twin.commit_posts(changes.clone()));
        for (id, change) in changes.posts {
            let before = self.posts.remove(&id);
            let (post, fits) = match change {
                RowChange::Insert(post) => (Some(post), before.is_none()),
                RowChange::Redraw(post) => (Some(post), before.is_some()),
                RowChange::Update(post) => {
                    let fits = before.is_some_and(|before| before.message == post.message && before.links == post.links);
                    (Some(post), fits)
                }
                RowChange::Delete => (None, before.is_some()),
            };
            if !fits {
                return Err(format!("a change of a row that cannot be: {id:?} {post:?}"));
            }
            self.next = self.next.max(PostId(id.0 + 1));
            self.posts.extend(post.map(|post| (id, *post)));
        }
        for (channel, parked) in changes.parked {
            match parked {
                Some(parked) => self.parked.insert(channel, parked),
                None => self.parked.remove(&channel),
            };
        }
        Ok(())
    }

    /// The number that SQL gave a post.
    pub(super) fn number(&self, id: PostId) -> Result<i64, String> {
        self.numbers.get(&id).copied().ok_or(format!("{id:?} is not known to SQL"))
    }

    /// Learns the numbers of new posts. They must be in the same order.
    pub(super) fn learn(&mut self, store: &Store) -> Result<(), String> {
        let known = self.numbers.values().next_back().copied().unwrap_or(0);
        let new: Vec<(i64, PostKey)> = done(store.writer.run(move |connection| {
            let mut select =
                connection.prepare_cached("SELECT id, channel, community, server, subject FROM post WHERE id > ?1 ORDER BY id")?;
            let found = select.query_map([known], |row| Ok((row.get("id")?, super::super::posts::key(row)?)))?;
            found.collect()
        }));
        let after = self.numbers.keys().next_back().copied().unwrap_or_default();
        let mine: Vec<(PostId, PostKey)> = self.posts.range(PostId(after.0 + 1)..).map(|(id, post)| (*id, key(post))).collect();
        let keys = |all: &[(i64, PostKey)]| all.iter().map(|(_, key)| key.clone()).collect::<Vec<_>>();
        same("new posts", &keys(&new), &mine.iter().map(|(_, key)| key.clone()).collect())?;
        for ((number, _), (id, _)) in new.into_iter().zip(mine) {
            self.numbers.insert(id, number);
            self.ids.insert(number, id);
        }
        Ok(())
    }

    /// All rows.
    pub(super) fn compare(&mut self, store: &Store) -> Result<(), String> {
        let (mut read, ids) = (std::mem::take(&mut self.read), std::mem::take(&mut self.ids));
        let (rows, parked, ids) = done(store.writer.run(move |connection| {
            let mut links: HashMap<i64, Vec<String>> = HashMap::new();
            let mut select = connection.prepare_cached("SELECT post, subject FROM post_link ORDER BY post, subject")?;
            let mut found = select.query(())?;
            while let Some(row) = found.next()? {
                links.entry(row.get(0)?).or_default().push(row.get(1)?);
            }
            let mut rows = HashMap::new();
            let mut select = connection.prepare_cached(post_rows::SELECT)?;
            let mut found = select.query(())?;
            while let Some(row) = found.next()? {
                let id: i64 = row.get(0)?;
                let links = links.remove(&id).unwrap_or_default();
                let bytes = bytes(row, &links)?;
                let post = match read.remove(&id) {
                    Some((known, post)) if known == bytes => post,
                    _ => numbered(post_rows::read(row)?, &links, &ids),
                };
                rows.insert(id, (bytes, post));
            }
            assert!(links.is_empty(), "links of no post: {links:?}");
            let mut select = connection.prepare_cached("SELECT channel, reason, since_ms, retry_ms, tries FROM parked")?;
            let parked = select.query_map((), |row| {
                let parked =
                    ParkedChannel { reason: row.get(1)?, since: UnixMs(row.get(2)?), retry_at: UnixMs(row.get(3)?), refusals: row.get(4)? };
                Ok((rows::channel(row, "channel")?, parked))
            })?;
            let parked: BTreeMap<ChannelId, ParkedChannel> = parked.collect::<rusqlite::Result<_>>()?;
            Ok((rows, parked, ids))
        }));
        (self.read, self.ids) = (rows, ids);
        same("parked channels", &parked, &self.parked)?;
        let mut of_sql: BTreeMap<PostId, &Post> = self.read.values().map(|(_, post)| (post.id, post)).collect();
        for (id, post) in &self.posts {
            let row = of_sql.remove(id).ok_or_else(|| format!("SQL lacks {post:?}"))?;
            if row != post {
                return Err(format!("a row\n  SQL:  {row:?}\n  pure: {post:?}"));
            }
        }
        if of_sql.is_empty() { Ok(()) } else { Err(format!("only SQL has {of_sql:?}")) }
    }
}

/// All of a row, to know it again.
fn bytes(row: &Row<'_>, links: &[String]) -> rusqlite::Result<Vec<u8>> {
    let mut bytes = links.join(" ").into_bytes();
    for column in 0..row.as_ref().column_count() {
        match row.get_ref(column)? {
            ValueRef::Null => bytes.push(0),
            ValueRef::Integer(value) => bytes.extend_from_slice(&value.to_le_bytes()),
            ValueRef::Text(text) => bytes.extend_from_slice(text),
            other => panic!("a column that is not expected: {other:?}"),
        }
    }
    Ok(bytes)
}

/// With the number that the pure queue gave it.
fn numbered(post: Post, links: &[String], ids: &HashMap<i64, PostId>) -> Post {
    let mut links: Vec<PostSubject> = links.iter().map(|text| PostSubject::parse(text)).collect();
    links.sort_unstable();
    Post { id: ids[&post.id.0], batch: post.batch.map(|lead| ids[&lead.0]), links, ..post }
}
