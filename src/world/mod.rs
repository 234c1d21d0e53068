//! What one community's CAD looks like right now, per server: units, 911 calls, dispatch calls, panics.
//!
//! Pure reducers: [`Server::apply`] applies an event at a time and returns which subjects changed and how. Never does I/O, never
//! reads the clock, never decides who is notified. Everything in it can be written as a row and read back ([`Entity`]).
//!
//! ```text
//! 911:       waiting ──▶ gone (handled, or became a dispatch call)
//! dispatch:  open (pending, active) ──▶ closed
//! panic:     on ──▶ over           one Panic per false→true edge, from any source
//!
//! event ─▶ apply ─────┐
//!                     ├─▶ reducers (unit, emergency, dispatch) ─▶ Applied: changes for people, rows to write
//! listing ─▶ reconcile ┘     only the difference, without anything that a later event named
//! ```
//!
//! Calls without a usable number (the docs print −1) get one of our own, below 1: later events can't name them,
//! but they are shown, and two of them stay two.

mod acknowledgement;
mod applied;
mod apply;
mod call_fact;
mod calls;
mod change;
mod dispatch;
mod duty;
mod emergency;
mod entity;
mod listing;
mod memory;
mod page;
mod panic;
mod reconcile;
mod row;
mod server;
mod session;
mod shared;
mod subject;
#[cfg(test)]
mod tests;
mod unit;
mod unit_state;

pub use acknowledgement::PAGE_WAITS;
pub use applied::Applied;
pub use call_fact::CallFact;
pub use calls::{Dispatch, Emergency, FIELDS, MAX_MOMENTS, MAX_NOTES, MomentKind, TimelineEntry};
pub use change::{CardChange, CardPhase, Change};
pub use entity::{Entity, UNIT};
pub use listing::{ListedCalls, ListedUnits, Listing};
pub use page::{Acknowledgement, PageId, Paged};
pub use panic::{Panic, SharedCard};
pub use reconcile::{FRESH, GRACE, Reconciled};
pub use row::RowError;
pub use server::{Listed, Server};
pub use session::{Duty, DutyEdge, Ended};
pub use shared::MAX_SEPARATE_PANICS;
pub use subject::{Subject, SubjectError};
pub use unit_state::UnitState;
