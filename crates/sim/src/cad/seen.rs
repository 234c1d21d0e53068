//! The entries of the CAD's log: what it received and did.

use serde_json::Value;

/// Where an event went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pushed {
    /// Number of hub sessions that got it.
    pub hub: usize,
    /// Whether it went to the HTTP destination.
    pub http: bool,
}

impl Pushed {
    /// Whether nobody got it.
    #[must_use]
    pub fn lost(self) -> bool {
        self.hub == 0 && !self.http
    }
}

/// Something the CAD saw or did. The API key appears in none of them.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// A negotiate request and the status it got.
    Negotiate {
        /// HTTP status.
        status: u16,
    },
    /// A request for a WebSocket.
    Upgrade {
        /// HTTP status, 101 if granted.
        status: u16,
        /// Whether it brought a connection token.
        with_token: bool,
    },
    /// A handshake was answered without error.
    Handshake,
    /// An authentication call.
    Auth {
        /// The hub method as called.
        method: String,
        /// Community id as sent.
        community: String,
        /// Server id as sent.
        server: Option<i64>,
        /// Whether the key was right.
        key_ok: bool,
        /// What the hub answered; `None` if it answered with an error.
        success: Option<bool>,
    },
    /// Any other invocation.
    Invocation {
        /// The hub method as called.
        method: String,
    },
    /// A client's ping.
    Ping,
    /// A client's answer to [`super::CadSim::call_client`].
    Completion {
        /// Id of the call.
        id: String,
        /// Its result, if it has one.
        result: Option<Value>,
        /// Its error, if it has one.
        error: Option<String>,
    },
    /// A client's Close record.
    Close,
    /// A session ended, for any reason.
    SessionEnd {
        /// The server it had authenticated for.
        server: Option<i64>,
    },
    /// A REST request.
    Rest {
        /// HTTP method.
        method: String,
        /// Path without query.
        path: String,
        query: String,
        /// The request's body; null if there was none, or it was over 8 KiB.
        body: Value,
        /// HTTP status answered.
        status: u16,
    },
    /// An event was raised.
    Push {
        /// Server it belongs to.
        server: i64,
        /// Event type.
        kind: String,
        /// Where it went.
        to: Pushed,
    },
    /// An HTTP push ended.
    HttpPush {
        /// Server it belongs to.
        server: i64,
        /// Event type.
        kind: String,
        /// The answer's status; `None` if there was none, or the queue was full.
        status: Option<u16>,
    },
}
