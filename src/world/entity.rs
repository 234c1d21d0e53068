//! Identifies one thing in a server's world, and the key of its row. Never reads or writes the row: `row.rs` does.

use super::PageId;
use crate::ids::{CallId, Ident};

/// Identifies one thing of a server's world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Entity {
    Unit(Ident),
    /// A 911 or civil call.
    Emergency(CallId),
    Dispatch(CallId),
    /// A unit's latest panic.
    Panic(Ident),
    Page(PageId),
    /// When the CAD was last asked ([`super::Listed`]); one row per server.
    Listed,
}

/// The kind of a unit's row.
pub const UNIT: &str = "unit";
pub(super) const PAGE: &str = "page";
/// An event of a list has its position in it beside its number; a list has at most 200.
pub(super) const PLACES: i64 = 1_000;

impl Entity {
    /// Kind and number, the key of the row.
    #[must_use]
    pub fn key(self) -> (&'static str, i64) {
        match self {
            Self::Unit(ident) => (UNIT, ident.0),
            Self::Emergency(id) => ("911", id.0),
            Self::Dispatch(id) => ("call", id.0),
            Self::Panic(ident) => ("panic", ident.0),
            Self::Page((seq, nth)) => (PAGE, seq.saturating_mul(PLACES).saturating_add(i64::from(nth))),
            Self::Listed => ("listed", 0),
        }
    }
}
