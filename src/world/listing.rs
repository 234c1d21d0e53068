//! What the CAD's REST API says is there: the other half of the truth, since changes made through the API raise no event
//! (docs/cad-contract.md#e2).

use crate::clock::UnixMs;
use crate::event::{DispatchCall, EmergencyCall, Unit};

/// One reading of a server. A part that was not read is `None` and changes nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listing {
    /// When the CAD was asked: whatever an event told after it is newer than this.
    pub asked_at: UnixMs,
    /// How often such a reading can be made at best (ms): with many servers on one key that may be seldom. 0 = often enough.
    pub every_ms: i64,
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
    /// An open dispatch call could not be read, or its number could not: it may be any, so absence means nothing.
    pub dispatches_in_part: bool,
    /// The same of a 911.
    pub emergencies_in_part: bool,
}

/// Active units, dispatchers among them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListedUnits {
    pub units: Vec<Unit>,
    /// Whether these are surely all: only then does absence mean anything.
    pub complete: bool,
}
