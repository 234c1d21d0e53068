//! A unit as the world knows it. Never says how events change it: `unit.rs` and `duty.rs` do.

use serde::{Deserialize, Serialize};

use super::Duty;
use crate::clock::UnixMs;
use crate::event::Unit;

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
