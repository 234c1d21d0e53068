//! A unit's session on duty, and what is reported when it begins or ends. Never decides when that is: `duty.rs` does.

use serde::{Deserialize, Serialize};

use crate::clock::UnixMs;
use crate::ids::Ident;

/// A unit's session, part of its row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duty {
    /// When the current session began, or was first seen. `None` also while it is on duty, if we were down: until it is seen again.
    pub began: Option<UnixMs>,
    /// When it began is unknown.
    pub joined_late: bool,
    /// When the previous session ended.
    pub until: Option<UnixMs>,
}

/// A session that began, changed, or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DutyEdge {
    pub ident: Ident,
    /// When it began, or was first seen.
    pub began: UnixMs,
    /// When it began is unknown.
    pub joined_late: bool,
    /// The last sign of life.
    pub seen: UnixMs,
    /// How it ended, if it did.
    pub ended: Option<Ended>,
}

/// The end of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// When; never before the session began.
    pub at: UnixMs,
    /// There was no logout: it is the last sign of life.
    pub missed: bool,
}
