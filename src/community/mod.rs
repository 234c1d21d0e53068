//! One community: its credentials, servers, hub sessions, world, actions and status, and the tasks that serve it.
//!
//! Nothing in here knows another community. What all share is in [`Host`]: the store, Discord, the listener's ports. Tasks of a community are
//! restarted alone after a panic; after [`MAX_PANICS`] of them within an hour the community is suspended and its guilds get a notice, while the
//! others go on. Never ends the process, except for settings from the environment that cannot work.
//!
//! ```text
//! start ─▶ ingest runs ── open_sources ─▶ events come in ── panic ─▶ restarted … ── third panic within an hour ─▶ suspended
//! ```

mod handle;
mod host;
mod notices;
mod registry;
mod restart;
mod start;

pub use handle::{Community, Interface};
pub use host::{Host, Settings};
pub use registry::Registry;
pub use restart::{MAX_PANICS, SUSPENDED};
pub use start::{Started, start};
