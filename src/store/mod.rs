//! Where everything lasts: SQLite in WAL mode with `synchronous=FULL`, one writer thread, one reader beside it.
//!
//! Job: domain verbs (ingest, claim, settle, add_route …) over rows. SQL stays in this folder. Nothing is acknowledged before its
//! transaction is on disk. Never talks to Discord or the CAD, never holds a transaction across anything but its own statements. After
//! [`Store::close`] the database is one file, whatever clones of the store live on.
//!
//! ```text
//! callers ── jobs (bounded) ──▶ writer thread: BEGIN · job · job · … · COMMIT ──▶ answers      one fsync covers what waited
//! callers ── jobs (bounded) ──▶ reader thread ──▶ answers
//! ```

mod accounts;
pub mod audit;
pub mod backup;
mod batch;
mod boards;
mod community;
pub mod duty;
mod error;
mod guilds;
mod handle;
mod journal;
mod link_rows;
mod links;
mod open;
mod post_requests;
mod post_rows;
mod posts;
mod quota;
mod routing;
mod rows;
mod schema;
pub mod settings;
mod start;
mod thread;
mod undo;
mod upkeep;
mod world_rows;

pub use batch::{Batch, JournalRow, WorldRow};
pub use boards::AddBoard;
pub use community::CommunityStore;
pub use error::StoreError;
pub use guilds::{AddRoute, AddedRoute, EditRoute, StyleIs};
pub use handle::Store;
pub use links::Linked;
pub use open::DatabaseStatus as Inspected;
pub use post_requests::{AbandonedPost, CardMemo, PostCounts};
pub use routing::{Guild, Routing};
pub use start::StoreOptions;
pub use undo::{UNDO_WAITS, Undone};

#[cfg(test)]
pub(crate) mod conformance;
#[cfg(test)]
mod log_bytes;
#[cfg(test)]
mod queue_scenarios;
