//! A hub session and its connection token, as the rest of the simulator knows them.

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What the rest of the simulator knows about a WebSocket.
pub(super) struct Session {
    /// Set by a successful authentication that named a server.
    pub(super) server: Option<i64>,
    /// Order of authentication; larger is newer.
    pub(super) order: u64,
    pub(super) cut: CancellationToken,
    pub(super) queue: mpsc::Sender<Out>,
}

impl Session {
    /// Queues something to send. A full queue cuts the session: an event is never dropped silently from the middle.
    pub(super) fn send(&self, out: Out) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.queue.try_send(out) {
            self.cut.cancel();
        }
    }
}

/// What can be sent to a session.
pub(super) enum Out {
    /// Text, unchanged.
    Text(String),
    Binary(Vec<u8>),
    /// Text, then a WebSocket close.
    Last(String),
    /// Text, then the connection is dropped.
    Half(String),
}

/// A connection token between negotiate and the end of its connection.
pub(super) struct Token {
    pub(super) created: Instant,
    pub(super) claimed: bool,
    pub(super) cookie: Option<String>,
}
