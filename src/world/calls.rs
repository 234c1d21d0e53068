//! 911 and dispatch calls in the world. Never decides how events change them: `emergency.rs` and `dispatch.rs` do.

use serde::{Deserialize, Serialize};

use super::Acknowledgement;
use crate::clock::UnixMs;
use crate::event::{EmergencyCall, Meta, Note, Priority};
use crate::ids::{CallId, Ident};

/// A 911 or civil call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Emergency {
    pub call: EmergencyCall,
    /// When it was created (or first seen).
    pub opened_at: UnixMs,
    /// When it was removed, if it was.
    pub gone_at: Option<UnixMs>,
    /// The dispatch call that it became.
    pub became: Option<CallId>,
    /// When it became one, as far as known.
    #[serde(default)]
    pub became_at: Option<UnixMs>,
    /// The unit whose panic made the game create this call (docs/cad-contract.md#e10).
    pub panic_of: Option<Ident>,
    /// Fingerprint of the content it was created with: distinguishes a late copy of its creation from another incident with its number.
    #[serde(default)]
    #[serde(rename = "made_of")]
    pub content_fingerprint: Option<u64>,
    /// It was there before us: when it began is unknown, `opened_at` is when it was first seen.
    #[serde(default)]
    pub joined_late: bool,
    /// A member acknowledged it.
    #[serde(default)]
    pub taken: Option<Acknowledgement>,
    /// Written on Discord, oldest first, the last [`MAX_NOTES`]: the CAD has no place for them until it is a dispatch call.
    #[serde(default)]
    pub notes: Vec<Note>,
}

/// A dispatch call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dispatch {
    /// Number; the key. Below 1 if the CAD sent none.
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
    /// When it was created (or first seen).
    pub opened_at: UnixMs,
    /// When the first unit was attached.
    pub first_unit_at: Option<UnixMs>,
    /// When it was closed.
    pub closed_at: Option<UnixMs>,
    /// Names of the fields that the last edit changed ([`FIELDS`]); empty after anything else.
    pub edited: Vec<String>,
    /// Oldest first, the last [`MAX_MOMENTS`].
    pub timeline: Vec<TimelineEntry>,
    /// Fingerprint of the content it was created with, as [`Emergency::content_fingerprint`]; `None` if there was no creation event yet.
    #[serde(default)]
    #[serde(rename = "made_of")]
    pub content_fingerprint: Option<u64>,
    /// The CAD's number of a call that came without one, once a read has found it.
    #[serde(default)]
    pub listed_as: Option<CallId>,
    /// It was there before us: when it began is unknown, `opened_at` is when it was first seen.
    #[serde(default)]
    pub joined_late: bool,
}

impl Emergency {
    /// When nobody had to wait any more: it was removed, or became a dispatch call before that.
    #[must_use]
    pub fn ended_at(&self) -> Option<UnixMs> {
        [self.became_at, self.gone_at].into_iter().flatten().min()
    }

    /// The number to identify it to the CAD, `key` being ours.
    #[must_use]
    pub fn cad_number(&self, key: CallId) -> Option<CallId> {
        [Some(key), self.call.id].into_iter().flatten().find(|id| id.0 > 0)
    }
}

impl Dispatch {
    /// The number to identify it to the CAD.
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
pub struct TimelineEntry {
    pub at: UnixMs,
    pub what: MomentKind,
    /// A read found it so long after the one before that it isn't news: nobody is pinged about it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub found_late: bool,
}

impl TimelineEntry {
    /// From an event.
    #[must_use]
    pub fn new(at: UnixMs, what: MomentKind) -> Self {
        Self { at, what, found_late: false }
    }
}

/// What happened to a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MomentKind {
    /// The 911 call it came from was created.
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
