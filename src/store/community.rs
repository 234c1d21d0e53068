//! The store as one community's tasks hold it: whatever they read and write is that community's.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rusqlite::Connection;
use tokio::sync::watch;

use super::posts::Posts;
use super::{Batch, CardMemo, Routing, Store, StoreError, duty, journal, post_requests, world_rows};
use crate::clock::UnixMs;
use crate::event::RawEvent;
use crate::ids::{BoardId, CommunityId, GuildId, Ident, RouteId, ServerId};
use crate::outbox::{ClaimOutcome, ClaimRequest, PostKey};
use crate::world::Server;

/// One community's part of the store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct CommunityStore {
    store: Store,
    community: CommunityId,
    routing: watch::Receiver<Arc<Routing>>,
}

impl Store {
    /// A community's part of the store.
    #[must_use]
    pub fn of(&self, community: &CommunityId) -> CommunityStore {
        CommunityStore { store: self.clone(), community: community.clone(), routing: self.routing.of(community) }
    }
}

impl CommunityStore {
    /// Whose it is.
    #[must_use]
    pub fn community(&self) -> &CommunityId {
        &self.community
    }

    /// Its guilds, routes and boards as they are now and as they become. Wakes only if something of the community changed.
    #[must_use]
    pub fn routing(&self) -> watch::Receiver<Arc<Routing>> {
        self.routing.clone()
    }

    /// Its guilds, routes and boards as they are now.
    #[must_use]
    pub fn routing_now(&self) -> Arc<Routing> {
        self.routing.borrow().clone()
    }

    /// The number of the next event. Never given twice, in no community: events' posts are named by it.
    #[must_use]
    pub fn next_seq(&self) -> i64 {
        self.store.next_seq.fetch_add(1, Ordering::Relaxed)
    }

    /// Commits a round of ingest, and claims what is to be sent first of all in the channels that are asked about, in the same
    /// transaction. The outcomes are in the order of `requests`. Posts in guilds that are not the community's are left out.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of the batch is on disk, and nothing is claimed.
    pub async fn ingest(&self, batch: impl Into<Arc<Batch>>, requests: Vec<ClaimRequest>) -> Result<Vec<ClaimOutcome>, StoreError> {
        let (batch, quota, community) = (batch.into(), self.store.quota, self.community.clone());
        self.store
            .writer
            .change_posts(move |connection, posts| {
                quota.map_or(Ok(()), |quota| quota.check(connection))?;
                write(connection, posts, &community, &batch, &requests)
            })
            .await
    }

    /// Every server's world as it was left. A row that cannot be read is logged and left out: the CAD will send it again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn world(&self) -> Result<HashMap<ServerId, Server>, StoreError> {
        let community = self.community.clone();
        self.store.reader.run(move |connection| world_rows::load(connection, &community)).await
    }

    /// Cards with how they were drawn first: also of what is over, as what became of a 911 may be found out after it is gone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn memos(&self) -> Result<Vec<(PostKey, CardMemo)>, StoreError> {
        let community = self.community.clone();
        self.store.reader.run(move |connection| post_requests::memos(connection, &community)).await
    }

    /// When the messages of boards were made, by the boards' numbers: Discord lets old messages be edited less often. A message's id
    /// contains its time.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn boards_made(&self) -> Result<Vec<(BoardId, UnixMs)>, StoreError> {
        let community = self.community.clone();
        self.store.reader.run(move |connection| post_requests::boards_made(connection, &community)).await
    }

    /// When each route's role was pinged last.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn pinged(&self) -> Result<HashMap<RouteId, UnixMs>, StoreError> {
        let guilds: HashSet<GuildId> = self.routing_now().guilds.keys().copied().collect();
        self.store
            .reader
            .run(move |connection| {
                let mut select = connection.prepare_cached("SELECT id, pinged_ms, guild FROM route WHERE pinged_ms IS NOT NULL")?;
                let found = select.query_map((), |row| Ok((row.get(0)?, UnixMs(row.get(1)?), super::rows::guild(row, "guild")?)))?;
                let mut pinged = HashMap::new();
                for row in found {
                    let (route, at, guild) = row?;
                    if guilds.contains(&guild) {
                        pinged.insert(route, at);
                    }
                }
                Ok(pinged)
            })
            .await
    }

    /// Goes through the events received since then, oldest first: what may still come another way after a restart. One at a time, as they may be
    /// many.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn events_since<T: Send + 'static>(
        &self,
        since: UnixMs,
        state: T,
        each: impl FnMut(&mut T, RawEvent) + Send + 'static,
    ) -> Result<T, StoreError> {
        let community = self.community.clone();
        self.store.reader.run(move |connection| journal::since(connection, &community, since, state, each)).await
    }

    /// The last events (of one server, or of all), newest first: server and body as JSON, without a key.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn last_bodies(&self, server: Option<ServerId>, most: u32) -> Result<Vec<(ServerId, String)>, StoreError> {
        let community = self.community.clone();
        self.store.reader.run(move |connection| journal::last_bodies(connection, &community, server, most)).await
    }

    /// Ends the community's sessions on duty that last in the table and are not among `open`: what the world no longer knows of is over. They
    /// end at the last sign of life that was written down.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end_strays(&self, open: Vec<(ServerId, Ident, UnixMs)>) -> Result<usize, StoreError> {
        let community = self.community.clone();
        self.store.writer.run(move |connection| duty::end_strays(connection, &community, &open)).await
    }
}

/// All of a batch, and what is claimed with it.
pub(super) fn write(
    connection: &Connection,
    posts: &mut Posts,
    community: &CommunityId,
    batch: &Batch,
    requests: &[ClaimRequest],
) -> rusqlite::Result<Vec<ClaimOutcome>> {
    journal::put(connection, community, &batch.journal)?;
    world_rows::put(connection, community, &batch.world)?;
    for (route, at) in &batch.pings {
        connection.prepare_cached("UPDATE route SET pinged_ms = ?2 WHERE id = ?1")?.execute((route, at.0))?;
    }
    duty::put(connection, community, &batch.duty)?;
    duty::put_calls(connection, community, &batch.calls)?;
    posts.desire(connection, batch.posts.iter().filter(|draft| draft.key.community == *community), batch.now)?;
    requests.iter().map(|request| posts.claim(connection, request)).collect()
}
