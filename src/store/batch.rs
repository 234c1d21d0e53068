//! What one round of a community's ingest wants on disk.

use super::duty;
use crate::clock::UnixMs;
use crate::event::Source;
use crate::ids::{RouteId, ServerId};
use crate::outbox::DesiredPost;

/// One event to be journaled.
#[derive(Clone, Debug)]
pub struct JournalRow {
    /// Its number, given by ingest: the subject of events that stand for themselves is made of it.
    pub seq: i64,
    pub server: ServerId,
    /// The way it came.
    pub source: Source,
    /// Its type.
    pub kind: String,
    pub received_at: UnixMs,
    /// The body as JSON, without the key.
    pub body: String,
}

/// One entity's row: `None` deletes it.
#[derive(Clone, Debug)]
pub struct WorldRow {
    pub server: ServerId,
    /// Kind and number.
    pub key: (&'static str, i64),
    /// JSON.
    pub state: Option<String>,
}

/// What one round of ingest wants on disk, all or nothing.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Events.
    pub journal: Vec<JournalRow>,
    /// The world's changed entities.
    pub world: Vec<WorldRow>,
    /// Posts as they should be now.
    pub posts: Vec<DesiredPost>,
    /// Routes whose role is pinged by them, and when.
    pub pings: Vec<(RouteId, UnixMs)>,
    /// Sessions on duty that began, changed or ended.
    pub duty: Vec<duty::DutyRow>,
    /// Calls as statistics see them now.
    pub calls: Vec<duty::CallRow>,
    pub now: UnixMs,
}

impl Batch {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { journal, world, posts, pings, duty, calls, now: _ } = self;
        journal.is_empty() && world.is_empty() && posts.is_empty() && pings.is_empty() && duty.is_empty() && calls.is_empty()
    }
}
