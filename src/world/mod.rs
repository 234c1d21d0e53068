//! What the CAD looks like right now, per (community, server): units, 911 calls, dispatch calls, panics.
//!
//! Job: pure reducers. [`Server::apply`] takes an event and the time and says which subjects changed and how. Never does I/O, never
//! asks the clock, never decides who is told. Everything in it can be written as a row and read back ([`Entity`]).
//!
//! ```text
//! 911:       waiting ──▶ gone (handled, or became a dispatch call)
//! dispatch:  open (pending, active) ──▶ closed
//! panic:     on ──▶ over           one Panic per false→true edge, whatever source told it
//!
//! event ─▶ apply ─────┐
//!                     ├─▶ reducers (unit, emergency, dispatch) ─▶ Applied: changes for people, rows to write
//! listing ─▶ reconcile ┘     only the difference, and nothing that an event told of meanwhile
//! ```
//!
//! Calls that come without a usable number (the docs print −1) get one of our own, below 1: they cannot be named by later events,
//! but they are shown, and two of them stay two.

use std::collections::BTreeMap;

mod apply;
mod call_fact;
mod dispatch;
mod duty;
mod emergency;
mod listing;
mod memory;
mod reconcile;
mod row;
mod shared;
mod subject;
mod taken;
#[cfg(test)]
mod tests;
mod unit;

use serde::{Deserialize, Serialize};

use crate::clock::UnixMs;
use crate::event::{EmergencyCall, Meta, Note, Priority, Unit};
use crate::ids::{CallId, CommunityId, Ident, ServerId};

pub use apply::Applied;
pub use call_fact::CallFact;
pub use duty::{Duty, DutyEdge, Ended};
pub use listing::{ListedCalls, ListedUnits, Listing};
pub use reconcile::{FRESH, GRACE, Reconciled};
pub use row::{Entity, RowError, UNIT};
pub use shared::{MOST_ALONE, Shared};
pub use subject::SubjectError;
pub use taken::{PAGE_WAITS, PageId, Paged, Taken};

/// One CAD server of one community.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Server {
    /// Units on duty, and those seen by number only.
    pub units: BTreeMap<Ident, UnitState>,
    /// 911 and civil calls that wait, and those that went lately.
    pub emergencies: BTreeMap<CallId, Emergency>,
    /// Dispatch calls that are open, and those closed lately.
    pub dispatches: BTreeMap<CallId, Dispatch>,
    /// The latest panic of each unit.
    pub panics: BTreeMap<Ident, Panic>,
    /// Pages that wait to be taken, and those of the last hour.
    pub pages: BTreeMap<PageId, Paged>,
    /// When the CAD was last asked.
    pub listed: Listed,
    /// Of the last minutes, not part of the rows.
    pub(crate) memory: memory::Memory,
}

/// When the parts of a server were last read from the CAD. What a reading finds is news only if the one before is recent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Listed {
    #[serde(default)]
    pub calls: Option<UnixMs>,
    #[serde(default)]
    pub units: Option<UnixMs>,
    /// Units, and surely all of them.
    #[serde(default)]
    pub whole: Option<UnixMs>,
    /// [`Listing::every_ms`] of the last one.
    #[serde(default)]
    pub every_ms: i64,
}

/// A unit as far as we know it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UnitState {
    /// The last whole unit seen, merged with what later events said.
    pub unit: Unit,
    /// Between login (or first sight) and logout.
    pub on_duty: bool,
    /// Since when on duty; `None` if we joined late.
    pub since: Option<UnixMs>,
    /// When `unit.location` was last told.
    pub located_at: Option<UnixMs>,
    /// When an event last told of it.
    #[serde(default)]
    pub seen_at: UnixMs,
    /// Its session.
    #[serde(default)]
    pub duty: Duty,
}

/// A 911 or civil call through its life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Emergency {
    pub call: EmergencyCall,
    /// When it was made (or first seen).
    pub opened_at: UnixMs,
    /// When it went, if it did.
    pub gone_at: Option<UnixMs>,
    /// The dispatch call that it became.
    pub became: Option<CallId>,
    /// When it became one, as far as that was seen.
    #[serde(default)]
    pub became_at: Option<UnixMs>,
    /// The unit whose panic made the game place this call (docs/cad-contract.md#e10).
    pub panic_of: Option<Ident>,
    /// Fingerprint of the content it was made with: tells a late copy of its creation from another incident under its number.
    #[serde(default)]
    #[serde(rename = "made_of")]
    pub content_fingerprint: Option<u64>,
    /// It was there before us: when it began is not known, `opened_at` is when it was first seen.
    #[serde(default)]
    pub joined_late: bool,
    /// A member answers for it.
    #[serde(default)]
    pub taken: Option<Taken>,
    /// Written on Discord, oldest first, the last [`MAX_NOTES`]: the CAD has no place for them until it is a dispatch call.
    #[serde(default)]
    pub notes: Vec<Note>,
}

/// A dispatch call through its life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dispatch {
    /// Number; the key. Below 1 if the CAD told none.
    pub id: CallId,
    /// docs/cad-contract.md#n3.
    pub origin: Option<i64>,
    /// 0 pending, 1 active, 2 closed.
    pub status: Option<i64>,
    /// 1 is the highest.
    pub priority: Option<Priority>,
    pub block: Option<String>,
    pub address: Option<String>,
    pub postal: Option<String>,
    pub title: Option<String>,
    pub code: Option<String>,
    pub description: Option<String>,
    /// Oldest first, the last [`MAX_NOTES`].
    pub notes: Vec<Note>,
    /// Attached now, in order of attachment.
    pub units: Vec<Ident>,
    pub primary: Option<Ident>,
    /// The 911 call it came from.
    pub from_911: Option<CallId>,
    /// The rest of `metaData`.
    pub meta: Meta,
    /// When it was made (or first seen).
    pub opened_at: UnixMs,
    /// When the first unit was attached.
    pub first_unit_at: Option<UnixMs>,
    /// When it was closed.
    pub closed_at: Option<UnixMs>,
    /// Names of the fields that the last edit changed ([`FIELDS`]); empty after anything else.
    pub edited: Vec<String>,
    /// Oldest first, the last [`MAX_MOMENTS`].
    pub timeline: Vec<Moment>,
    /// Fingerprint of the content it was made with, as [`Emergency::content_fingerprint`]; `None` if its creation was not told yet.
    #[serde(default)]
    #[serde(rename = "made_of")]
    pub content_fingerprint: Option<u64>,
    /// The CAD's number of a call that came without one, once a listing told it.
    #[serde(default)]
    pub listed_as: Option<CallId>,
    /// It was there before us: when it began is not known, `opened_at` is when it was first seen.
    #[serde(default)]
    pub joined_late: bool,
}

impl Emergency {
    /// When nobody had to wait for anything any more: it went, or became a dispatch call before it did.
    #[must_use]
    pub fn ended_at(&self) -> Option<UnixMs> {
        [self.became_at, self.gone_at].into_iter().flatten().min()
    }

    /// The number by which the CAD can be told of it, `key` being ours.
    #[must_use]
    pub fn cad_number(&self, key: CallId) -> Option<CallId> {
        [Some(key), self.call.id].into_iter().flatten().find(|id| id.0 > 0)
    }
}

impl Dispatch {
    /// The number by which the CAD can be told of it.
    #[must_use]
    pub fn cad_number(&self) -> Option<CallId> {
        [Some(self.id), self.listed_as].into_iter().flatten().find(|id| id.0 > 0)
    }
}

/// Names that [`Dispatch::edited`] may hold.
pub const FIELDS: [&str; 9] = ["title", "priority", "status", "origin", "address", "block", "postal", "code", "description"];
/// Notes kept per call.
pub const MAX_NOTES: usize = 50;
/// Moments kept per call.
pub const MAX_MOMENTS: usize = 24;

/// One line of a call's timeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    pub at: UnixMs,
    pub what: MomentKind,
    /// A reading found it so long after the one before that it is no news: nobody is called to it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub found_late: bool,
}

impl Moment {
    /// As an event tells it.
    #[must_use]
    pub fn new(at: UnixMs, what: MomentKind) -> Self {
        Self { at, what, found_late: false }
    }
}

/// What happened to a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MomentKind {
    /// The 911 call it came from was placed.
    Called,
    /// Created.
    Dispatched,
    /// Priority changed.
    Priority {
        /// Before.
        from: Option<Priority>,
        /// Now.
        to: Option<Priority>,
    },
    /// Other fields changed; names as in [`FIELDS`].
    Edited(Vec<String>),
    /// A unit was attached.
    Attached(Ident),
    /// A unit was detached.
    Detached(Ident),
    /// A note was added.
    Noted,
    Closed,
}

/// A panic through its life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Panic {
    pub ident: Ident,
    /// Its false→true edge.
    pub since: UnixMs,
    /// When it was over.
    pub over_at: Option<UnixMs>,
    /// The 911 call that the game made of it.
    pub linked_911: Option<CallId>,
    /// Its end is in doubt: nothing but the flag of a whole unit told it, within seconds of the start or at a login. Such a unit may have been
    /// sent before the panic and have come after it.
    #[serde(default)]
    pub by_flag: bool,
    /// It was there before us: when it began is not known, `since` is when it was first seen.
    #[serde(default)]
    pub joined_late: bool,
    /// A member answers for it.
    #[serde(default)]
    pub taken: Option<Taken>,
    /// The card that it shares with others of the same event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<Shared>,
}

/// Identity of what a card is about, unique for ever: call numbers may be used again by the CAD, so the opening time is part of it.
/// Written and read as text: `911:302@1763700000000`, `call:501@…`, `panic:4107@…`, `event:77.0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A 911 or civil call.
    Emergency(CallId, UnixMs),
    Dispatch(CallId, UnixMs),
    Panic(Ident, UnixMs),
    /// An event that stands for itself, by its number in the journal and its place in that event. Only pages have a life.
    Event(i64, u32),
}

/// What an event did to the world.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A subject's card must be looked at again.
    Card {
        subject: Subject,
        /// Newly made: may ping.
        created: bool,
        /// Over now.
        over: bool,
    },
    /// A unit came on or went off duty; `after` = how long it was on.
    Duty {
        ident: Ident,
        /// On or off.
        on: bool,
        /// Milliseconds on duty, where known.
        after: Option<i64>,
    },
    /// A unit's status number changed.
    Status {
        ident: Ident,
        /// Before.
        from: Option<i64>,
        /// Now.
        to: i64,
    },
    /// A note was added to a call, or the call was made with it.
    Note {
        /// Which call.
        subject: Subject,
        note: Note,
    },
    /// A unit was attached to a dispatch call, or the call was made with it; or it was detached.
    Attach {
        /// Which call.
        subject: Subject,
        ident: Ident,
        /// Attached or detached.
        on: bool,
    },
}

/// Whose world.
pub type ServerKey = (CommunityId, ServerId);
