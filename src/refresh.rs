//! Carries requests to read one community's CAD from ingest, hub sessions, and actions to the CAD reader, and what it read back to ingest. Both queues are
//! bounded.
//!
//! ```text
//! ingest, hub sessions ── Trigger ──▶ cad/reconcile ── Read ──▶ ingest ── Outcome ──▶ cad/reconcile
//! ```

use tokio::sync::{mpsc, oneshot};

use crate::ids::ServerId;
use crate::world::Listing;

/// Requests that may wait. One more is dropped: the CAD is read from time to time anyway.
pub const MAX_REQUESTS: usize = 256;
/// Results that may wait for ingest. The reader waits for room.
pub const MAX_READS: usize = 8;

/// A request to read a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    pub server: ServerId,
    pub reason: Reason,
}

/// What is read on its own: each is an endpoint of the CAD with its own limit (docs/cad-contract.md#r10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// `GET …/units`.
    Units,
    /// `GET …/calls`.
    Calls,
}

impl Part {
    /// Both, units first: calls name them.
    pub const ALL: [Self; 2] = [Self::Units, Self::Calls];

    /// The word for people and machines.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Units => "units",
            Self::Calls => "calls",
        }
    }
}

/// Why a server should be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Its hub session was signed in: events from before aren't sent again. Calls and units.
    Connected,
    /// A 911 was removed: it may have been taken, which only the list of calls shows (docs/cad-contract.md#e11). Calls.
    Removed,
    /// A reading left something out that an event had just touched. Calls and units.
    Recheck,
}

/// One part of a server, as the CAD says it is.
#[derive(Debug)]
pub struct Read {
    pub server: ServerId,
    /// What it says.
    pub listing: Listing,
    /// Completed once the world's changes are committed; dropped if they could not be.
    pub done: oneshot::Sender<Outcome>,
}

/// What a reading came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Entities left alone because an event was too fresh: read again soon.
    pub skipped: usize,
    /// Calls that were created, ended, or reopened without an event.
    pub caught_up: usize,
    /// Every change without an event.
    pub changes: usize,
}

/// Requests an extra poll of the CAD. Cheap to clone.
#[derive(Clone, Debug)]
pub struct RefreshRequests(mpsc::Sender<Trigger>);

impl RefreshRequests {
    /// The two ends.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<Trigger>) {
        let (sender, receiver) = mpsc::channel(MAX_REQUESTS);
        (Self(sender), receiver)
    }

    /// Requests that a server be read. Never waits; if the queue is full, or nobody reads, the request is dropped.
    pub fn request(&self, server: ServerId, reason: Reason) {
        self.0.try_send(Trigger { server, reason }).ok();
    }
}
