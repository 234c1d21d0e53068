//! The settings of a simulated CAD: its servers, and what the documentation leaves open.

use std::fmt;
use std::time::Duration;

/// How the CAD is set up. `CadOptions::default()` is one server with id 1 on a free local port.
#[derive(Clone)]
pub struct CadOptions {
    /// Where to listen, `host:port`; port 0 takes a free one.
    pub addr: String,
    /// Community id, compared without regard to case.
    pub community: String,
    /// The community's API key, compared without regard to case.
    pub api_key: String,
    /// The community's servers.
    pub servers: Vec<ServerOptions>,
    /// Form of the single argument of `pushEvent`.
    pub payload_as: PayloadAs,
    /// Which of several sessions for one server gets its events. Unknown for the real CAD (docs/cad-contract.md#h10).
    pub recipient: Recipient,
    /// Whether events on the hub carry the `key` field.
    pub key_on_hub: bool,
    /// Hub ping whenever nothing was sent for this long.
    pub ping_every: Duration,
    /// A client that pinged once and was then silent for this long is closed.
    pub client_timeout: Duration,
    /// Time limit for a client's handshake.
    pub handshake_timeout: Duration,
    /// How long a connection token may stay unclaimed.
    pub token_life: Duration,
    /// Whether REST keeps its requests-per-minute limits (docs/cad-contract.md#r10).
    pub rate_limits: bool,
    /// Whether negotiate sets a load balancer's cookie that the upgrade has to bring back.
    pub affinity_cookie: bool,
    /// Whether removing a 911 over REST raises `EVENT_REMOVE_911`. Unknown for the real CAD.
    pub push_api_removals: bool,
}

impl Default for CadOptions {
    fn default() -> Self {
        Self {
            addr: "127.0.0.1:0".to_owned(),
            community: "demo".to_owned(),
            api_key: "sim-api-key".to_owned(),
            servers: vec![ServerOptions::new(1, "Main Server")],
            payload_as: PayloadAs::String,
            recipient: Recipient::Newest,
            key_on_hub: true,
            ping_every: Duration::from_secs(15),
            client_timeout: Duration::from_secs(30),
            handshake_timeout: Duration::from_secs(15),
            token_life: Duration::from_secs(15),
            rate_limits: true,
            affinity_cookie: false,
            push_api_removals: false,
        }
    }
}

impl fmt::Debug for CadOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the key: nobody should get used to printing keys, not even simulated ones.
        f.debug_struct("CadOptions")
            .field("addr", &self.addr)
            .field("community", &self.community)
            .field("servers", &self.servers)
            .finish_non_exhaustive()
    }
}

/// One server of the community.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Its id, 1 and up.
    pub id: i64,
    /// Its display name.
    pub name: String,
    /// Where its events go over HTTP.
    pub http: Option<HttpDestination>,
}

impl ServerOptions {
    /// A server without HTTP destination.
    #[must_use]
    pub fn new(id: i64, name: &str) -> Self {
        Self { id, name: name.to_owned(), http: None }
    }
}

/// Where events go over HTTP.
#[derive(Clone, Debug)]
pub struct HttpDestination {
    /// Posted to exactly as written.
    pub url: String,
    /// False: only while the server has no hub session, as the CAD does. True: every event, as the FiveM resource forwards.
    pub forward: bool,
}

/// Form of the argument of `pushEvent`; the documentation leaves it open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadAs {
    /// A string holding the event's JSON.
    String,
    /// The event as an object.
    Object,
}

/// Who gets a server's events if several sessions name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// The session that authenticated last.
    Newest,
    /// The session that authenticated first.
    Oldest,
    /// Each of them a copy.
    All,
}
