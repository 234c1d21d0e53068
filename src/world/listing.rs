//! The content of the CAD's REST API: needed besides events, since changes made through the API raise none
//! (docs/cad-contract.md#e2).

use std::time::Duration;

use crate::clock::UnixMs;
use crate::event::{DispatchCall, EmergencyCall, Unit};

/// One read of a server. A part that was not read is `None` and changes nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listing {
    /// When the CAD was asked: later events are newer than this.
    pub asked_at: UnixMs,
    /// How often such a read is possible at best: with many servers on one key that may be rare. 0 = often enough.
    pub every: Duration,
    /// Calls, if they were read.
    pub calls: Option<ListedCalls>,
    /// Units, if they were read.
    pub units: Option<ListedUnits>,
}

/// All calls of a server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListedCalls {
    /// Open dispatch calls, pending ones among them.
    pub dispatches: Vec<DispatchCall>,
    /// 911 and civil calls that wait.
    pub emergencies: Vec<EmergencyCall>,
    /// The dispatch calls closed last.
    pub closed: Vec<DispatchCall>,
    /// An open dispatch call, or its number, couldn't be read: it may be any, so a missing call means nothing.
    pub dispatches_in_part: bool,
    /// The same for a 911.
    pub emergencies_in_part: bool,
}

/// Active units, dispatchers among them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListedUnits {
    pub units: Vec<Unit>,
    /// Whether these are surely all: only then does a missing unit mean anything.
    pub complete: bool,
}
