//! A simulated Discord: REST below `/api/v10`, a gateway, people who run commands, limits, and planned faults. For the demo and the tests.
//!
//! Imports nothing from the bot: it speaks JSON as Discord does, so that it can't share the bot's
//! mistakes. It makes no outgoing connections and listens only on the given address.
//!
//! ```text
//!            ┌ server ── rest ─┬ messages ── validate, mentions, permissions
//!  bot ──────┤                 ├ commands
//!            │                 └ interaction (callbacks) ◀─┐
//!            └ gateway ◀── state (one lock) ◀── people ────┘ ◀── tests, the demo's page
//!                                  └── watch: messages, edits, requests, stream
//! ```
//!
//! Not simulated: voice, reactions, DMs, zlib-stream transport, several bots.

mod answer;
mod body;
mod commands;
mod fault;
mod gateway;
mod handle;
mod interaction;
mod limits;
mod mentions;
mod messages;
mod model;
mod options;
mod people;
mod permissions;
mod rest;
mod server;
mod setup;
mod shared;
mod state;
mod validate;
mod values;
mod watch;

use std::io;
use std::sync::{Arc, Mutex};

use tokio::net::TcpListener;
use tokio::sync::{broadcast, watch as signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use fault::Noise;
pub use handle::DiscordSim;
pub use limits::Scope;
pub use model::Arrival;
pub use options::{Bucket, DiscordOptions, RateLimits, TimeSource};
pub use people::Pending;

use handle::Owner;
use shared::Core;
use state::State;

impl DiscordSim {
    /// Binds and starts serving.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub async fn start(options: DiscordOptions) -> io::Result<Self> {
        let listener = TcpListener::bind(options.addr).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (stream, _) = broadcast::channel(1_024);
        let core = Arc::new(Core {
            state: Mutex::new(State::new(options, url.clone(), stream.clone())),
            changes: signal::Sender::new(0),
            stopped: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        core.tasks.spawn(server::accept(Arc::clone(&core), listener));
        Ok(Self { owner: Arc::new(Owner { core, stream, url }) })
    }
}
