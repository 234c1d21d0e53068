//! A Sonoran CAD in one process: the SignalR hub, the part of REST v2 that a bot calls, HTTP pushes, state that events and
//! answers agree on, and faults on demand. For the demo and the tests.
//!
//! It must never use a type of the bot's: it works on bytes and JSON values, so that it can't share the bot's mistakes. The official
//! npm client (`tests/official`) proves that the hub is genuine.
//!
//! ```text
//!                         ┌─ a hub session of that server ─▶ pushEvent      (hub.rs)
//!  verbs.rs ─▶ state.rs ─▶ push.rs
//!                         └─ else its HTTP destination ────▶ POST {key,type,data}
//!  bot ─▶ rest.rs ─▶ state.rs       (silent: changes by the API raise no event, except a new 911)
//! ```
//!
//! Everything is behind one lock that is never held across an await; every task ends with [`CadSim::stop`] or the last handle.

mod account;
mod fault;
mod fault_controls;
mod handle;
mod hub;
mod options;
mod outbox;
mod push;
mod record;
mod rest;
mod seen;
mod server;
mod session;
mod shared;
mod state;
mod values;
mod verbs;

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use account::Account;
pub use fault::{Noise, Silence};
pub use handle::CadSim;
pub use options::{CadOptions, HttpDestination, PayloadAs, Recipient, ServerOptions};
pub use seen::{Pushed, Seen};
pub use verbs::{CallSpec, DispatchSpec, RecordChange, UnitSpec};

use handle::Life;
use shared::{Inner, Shared};

impl CadSim {
    /// Binds the address and serves until stopped.
    ///
    /// # Errors
    /// The address cannot be bound, or the HTTP client for pushes cannot be built.
    pub async fn start(options: CadOptions) -> io::Result<Self> {
        let listener = TcpListener::bind(&options.addr).await?;
        let addr = listener.local_addr()?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(10))
            .build()
            .map_err(io::Error::other)?;
        let mut shared = Shared { rate_limits: options.rate_limits, ..Shared::default() };
        let mut outboxes = Vec::new();
        for server in &options.servers {
            shared.servers.insert(server.id, state::Server::new(&server.name, server.http.clone()));
            let (outbox, queue) = outbox::Outbox::new();
            shared.outboxes.insert(server.id, outbox);
            outboxes.push((server.id, queue));
        }
        let stop = CancellationToken::new();
        let inner = Arc::new(Inner {
            options,
            addr,
            http,
            stop: stop.clone(),
            tasks: TaskTracker::new(),
            shared: Mutex::new(shared),
            changed: watch::Sender::new(0),
        });
        for (server, queue) in outboxes {
            inner.spawn(push::drain(Arc::clone(&inner), server, queue));
        }
        inner.spawn(server::accept(Arc::clone(&inner), listener));
        Ok(Self { inner, silent: false, _life: Arc::new(Life(stop)) })
    }
}
