//! The state of one CAD server of one community. Plain data: has no rules, never imports the reducers that change it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::memory::Memory;
use super::{Dispatch, Emergency, PageId, Paged, Panic, UnitState};
use crate::clock::UnixMs;
use crate::ids::{CallId, Ident};

/// One CAD server of one community.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Server {
    /// Units on duty, and those seen by number only.
    pub units: BTreeMap<Ident, UnitState>,
    /// Waiting 911 and civil calls, and those removed recently.
    pub emergencies: BTreeMap<CallId, Emergency>,
    /// Open dispatch calls, and those closed recently.
    pub dispatches: BTreeMap<CallId, Dispatch>,
    /// The latest panic of each unit.
    pub panics: BTreeMap<Ident, Panic>,
    /// Pages that nobody has acknowledged, and those of the last hour.
    pub pages: BTreeMap<PageId, Paged>,
    /// When the CAD was last asked.
    pub listed: Listed,
    /// The last minutes, not part of the rows.
    pub(crate) memory: Memory,
}

/// When the parts of a server were last read from the CAD. A read's findings are news only if the previous one is recent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Listed {
    #[serde(default)]
    pub calls: Option<UnixMs>,
    #[serde(default)]
    pub units: Option<UnixMs>,
    /// Units, and surely all of them.
    #[serde(default)]
    pub whole: Option<UnixMs>,
    /// [`super::Listing::every`] of the last one.
    #[serde(default, rename = "every_ms", with = "crate::clock::as_ms")]
    pub every: Duration,
}
