//! A SignalR client (ASP.NET Core SignalR, JSON hub protocol version 1 over WebSocket; HubProtocol, TransportProtocols).
//!
//! Keeps one connection to one hub: opens it, keeps it alive, reconnects after any failure, delivers the server's
//! calls and sends ours. Knows no CAD, no Discord, no settings, and depends on nothing of ours. Never spawns: the caller drives the one
//! future [`HubTask::run`]. Never lets a slow reader stop pings or answers. Never writes a token or a query into a text.
//!
//! ```text
//!                    ┌───────────────────────── the policy's wait ◀────────── Waiting
//!                    ▼                                                           ▲
//! Disconnected ─▶ Connecting ── negotiate, upgrade, handshake ── failed ─────────┤
//!                    │ done                                                      │
//!                    ▼               hook: RetryAfter                            │
//!                 Connected ◀─────────── wait ────────▶ Held ────── lost ────────┤
//!                    │ hook: Ready (or no hook)                                  │
//!                    ▼                                                           │
//!                  Ready ───── lost, closed, silent, protocol broken ────────────┘
//!
//! from everywhere: stop, or a policy that gives up ─▶ Disconnected
//! ```
//!
//! Events sent while we were away are lost on this path, and so are those that didn't fit into [`Events`]: a caller that needs everything
//! reloads it at each new epoch and whenever [`Hub::dropped`] changed. HTTP proxies are not supported, on purpose not even for `negotiate`:
//! the WebSocket would not go through it.

mod connection;
mod error;
mod hub;
mod negotiate;
mod queue;
// Open to the fuzz target of `fuzz/`.
#[doc(hidden)]
pub mod record;
mod retry;

pub use error::{HubError, Step};
pub use hub::{Builder, Connection, Hub, HubTask, State, Verdict};
pub use negotiate::Negotiation;
pub use queue::{Events, Invocation};
pub use retry::{Backoff, RetryContext, RetryPolicy};
