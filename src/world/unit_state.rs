//! A unit in the world. Never decides how events change it: `unit.rs` and `duty.rs` do.

use serde::{Deserialize, Serialize};

use super::Duty;
use crate::clock::UnixMs;
use crate::event::Unit;

/// A unit as far as known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UnitState {
    /// The last whole unit seen, merged with later events.
    pub unit: Unit,
    /// Between login (or first sight) and logout.
    pub on_duty: bool,
    /// Since when on duty; `None` if that was before us.
    pub since: Option<UnixMs>,
    /// The time of `unit.location`.
    pub located_at: Option<UnixMs>,
    /// The time of the last event about it.
    #[serde(default)]
    pub seen_at: UnixMs,
    /// Its session.
    #[serde(default)]
    pub duty: Duty,
}
