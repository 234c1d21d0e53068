//! What every database must do, whatever its make. Run over SQLite now; a second database runs the same.

use std::path::PathBuf;

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};

use super::*;
use crate::clock::{UnixMs, ms};
use crate::event::Source;
use crate::event::Topic;
use crate::guild_access::How;
use crate::ids::{ChannelId, GuildId, MessageId, RoleId, UserId};
use crate::ids::{CommunityId, RouteId, ServerId};
use crate::outbox::queue::ChannelDue;
use crate::outbox::{Claim, Lane, Place, PostKey, SettleOutcome, Settlement};
use crate::outbox::{ClaimOutcome, ClaimRequest, DesiredPost};
use crate::render::{Message, Style};
use crate::route::{Filter, Listens, Mute, PingEdit, Quiet, Route, RouteEdit, RouteSpec, Rule, Threads, When};
use crate::world::Entity;

/// A folder that goes with the test.
pub(crate) struct Folder(pub PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let path = std::env::temp_dir().join(format!("tenfour-store-{:016x}", fastrand::u64(..)));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

async fn store(folder: &Folder) -> Store {
    store_with(folder, StoreOptions::default()).await
}

async fn store_with(folder: &Folder, options: StoreOptions) -> Store {
    let store = Store::open_with(&folder.0.join("tenfour.db"), options).await.unwrap();
    link(&store, &[1, 2, 4, 5, 1 << 60]).await;
    store
}

impl Store {
    /// Claims whatever is due first, by itself.
    pub(crate) async fn claim(&self, channel: ChannelId, now: UnixMs) -> Result<Option<Claim>, StoreError> {
        Ok(match self.take(ClaimRequest::any(channel, now)).await? {
            ClaimOutcome::Claimed(claim) => Some(*claim),
            ClaimOutcome::NotBefore(_) | ClaimOutcome::Nothing => None,
        })
    }

    pub(crate) async fn settle(&self, claim: &Claim, settlement: Settlement, now: UnixMs) -> Result<SettleOutcome, StoreError> {
        let settled = self.settle_and_take(&Arc::new(claim.clone()), settlement, now, None).await.map(|(settled, _)| settled);
        // On disk at once, for whoever reads there.
        self.writer.run(|_| Ok(())).await?;
        settled
    }

    /// The message of a post, if it was delivered.
    pub(crate) async fn message_of(&self, channel: ChannelId, subject: &str) -> Option<MessageId> {
        let subject = subject.to_owned();
        let read = move |connection: &Connection| {
            let message = "SELECT message FROM post WHERE channel = ?1 AND subject = ?2";
            let found = connection.query_row(message, (rows::flake(channel.0), subject), |row| rows::message_option(row, "message"));
            found.optional()
        };
        self.reader.run(read).await.unwrap().flatten()
    }
}

/// The part of the store of the community that [`link`] links.
pub(crate) fn own(store: &Store) -> CommunityStore {
    store.of(&CommunityId::new("c"))
}

/// The number of the last event on disk.
pub(crate) async fn last_seq(store: &Store) -> Result<i64, StoreError> {
    store.reader.run(super::journal::last_seq).await
}

/// Links guilds to the tests' community, as somebody who knows its key would.
pub(crate) async fn link(store: &Store, guilds: &[u64]) {
    for guild in guilds {
        store.link(GuildId(*guild), &CommunityId::new("c"), Some(UserId(1)), How::Key, UnixMs(1), Vec::new()).await.unwrap();
    }
}

fn draft(channel: u64, subject: &str, text: &str, lane: Lane) -> DesiredPost {
    DesiredPost {
        key: PostKey { channel: ChannelId(channel), community: CommunityId::new("c"), server: ServerId(1), subject: subject.into() },
        guild: GuildId(1),
        lane,
        style: Style::Card,
        roles: vec![RoleId(5)],
        place: Place::Channel,
        threads: crate::route::Threads::Off,
        over: false,
        parent: None,
        message: Message { content: Some(crate::render::text::SafeText::trusted(text)), ..Message::default() },
        happened_at: UnixMs(1),
        event: 0,
    }
}

/// What a try that must be repeated has left behind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Failed {
    /// It doesn't count.
    Uncounted,
    /// It counts.
    Counted,
    /// It counts, and may have arrived.
    InDoubt,
}

fn again_at(due: i64, failed: Failed) -> Settlement {
    let (counts, in_doubt) = (failed != Failed::Uncounted, failed == Failed::InDoubt);
    Settlement::Again { due: UnixMs(due), counts, in_doubt, reason: String::new(), obstacle: None, on_purpose: false }
}

async fn put(store: &Store, posts: Vec<DesiredPost>, now: i64) {
    own(store).ingest(Batch { posts, now: UnixMs(now), ..Batch::default() }, Vec::new()).await.unwrap();
}

/// The writer thread lets go of the file a moment after the last clone is dropped: wait for the fact.
pub(crate) async fn reopen(folder: &Folder) -> Store {
    for _ in 0..200 {
        match Store::open(&folder.0.join("tenfour.db")).await {
            Err(StoreError::InUse(_)) => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
            other => return other.unwrap(),
        }
    }
    panic!("the lock was never given back");
}

/// Claims and delivers until nothing is due. Subjects in order.
async fn deliver(store: &Store, now: i64) -> Vec<String> {
    let mut sent = Vec::new();
    while let Some(claim) = store.claim(ChannelId(7), UnixMs(now)).await.unwrap() {
        let message = MessageId(100 + u64::try_from(sent.len()).unwrap());
        store.settle(&claim, Settlement::Delivered(claim.lead.message_id.unwrap_or(message)), UnixMs(now)).await.unwrap();
        sent.push(claim.lead.about.subject.to_string());
    }
    sent
}

fn routes(store: &Store) -> Vec<Route> {
    store.routing_now().routes.clone()
}

mod batches;
mod files;
mod journal;
mod posts;
mod routes;
mod threads;
mod worlds;
