//! Everything that can go wrong with a CAD, on demand. A fault stays until [`CadSim::heal`] unless it says how often it happens.

use std::collections::HashSet;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::hub::Out;
use super::{CadSim, Inner, record};

/// Where the CAD falls silent: it accepts everything before that point and then says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Silence {
    /// It talks.
    #[default]
    Off,
    /// TCP connections are accepted and never answered.
    Tcp,
    /// Negotiate is never answered.
    Negotiate,
    /// The request for a WebSocket is never answered.
    Upgrade,
    /// The WebSocket opens, the handshake is never answered.
    Handshake,
    /// Established and new sessions hear nothing after the handshake: no pings, completions or events. Reading, and with it the
    /// pongs of the WebSocket layer, goes on.
    Hub,
}

#[derive(Default)]
pub(super) struct Faults {
    pub(super) reject_auth: Option<String>,
    /// Lower-case names of hub methods that "do not exist".
    pub(super) missing: HashSet<String>,
    pub(super) negotiate: Option<NegotiateFault>,
    pub(super) upgrade_status: Option<u16>,
    pub(super) silence: Silence,
    pub(super) no_pings: bool,
    pub(super) close_at_once: u32,
    pub(super) push_twice: bool,
    pub(super) split_at: Option<usize>,
    pub(super) behind_handshake: Option<String>,
    pub(super) rest: Vec<RestFault>,
    /// Cancelled to release the sockets held by [`Silence::Tcp`].
    pub(super) cut: CancellationToken,
}

pub(super) enum NegotiateFault {
    Status { code: u16, retry_after: Option<u64> },
    Answer(Value),
}

pub(super) struct RestFault {
    pub(super) path: String,
    pub(super) code: u16,
    pub(super) left: u32,
    pub(super) retry_after: Option<u64>,
}

impl CadSim {
    fn fault(&self, set: impl FnOnce(&mut Faults)) {
        self.inner.change(|shared| set(&mut shared.faults));
    }

    /// Takes every fault back. Connections already broken stay broken.
    pub fn heal(&self) {
        self.fault(|faults| {
            faults.cut.cancel();
            *faults = Faults::default();
        });
    }

    /// Answers every authentication with `success: false` and this text.
    pub fn reject_auth(&self, error: &str) {
        self.fault(|faults| faults.reject_auth = Some(error.to_owned()));
    }

    /// Pretends the hub has no such method, as an older CAD without `authenticatev2`.
    pub fn method_missing(&self, method: &str) {
        self.fault(|faults| {
            faults.missing.insert(method.to_ascii_lowercase());
        });
    }

    /// Answers negotiate with this status, and `Retry-After` in seconds if given.
    pub fn negotiate_status(&self, code: u16, retry_after: Option<u64>) {
        self.fault(|faults| faults.negotiate = Some(NegotiateFault::Status { code, retry_after }));
    }

    /// Answers negotiate with this JSON: `{"error":…}`, or a redirect `{"url":…,"accessToken":…}`.
    pub fn negotiate_answer(&self, answer: Value) {
        self.fault(|faults| faults.negotiate = Some(NegotiateFault::Answer(answer)));
    }

    /// Refuses every WebSocket with this status.
    pub fn upgrade_status(&self, code: u16) {
        self.fault(|faults| faults.upgrade_status = Some(code));
    }

    /// Falls silent at this point.
    pub fn silence(&self, at: Silence) {
        self.fault(|faults| faults.silence = at);
    }

    /// Stops the hub's pings; everything else goes on.
    pub fn stop_pings(&self) {
        self.fault(|faults| faults.no_pings = true);
    }

    /// The next `times` connections are closed (WebSocket close 1000, no Close record) right after their handshake.
    pub fn close_at_once(&self, times: u32) {
        self.fault(|faults| faults.close_at_once = times);
    }

    /// Sends every hub event twice.
    pub fn push_twice(&self) {
        self.fault(|faults| faults.push_twice = true);
    }

    /// Cuts what the hub sends into WebSocket messages of at most this many bytes, so that a record arrives in several.
    pub fn split_messages(&self, bytes: usize) {
        self.fault(|faults| faults.split_at = Some(bytes.max(1)));
    }

    /// Appends this text to every handshake answer, inside the same WebSocket message. Records end in U+001E.
    pub fn behind_handshake(&self, text: &str) {
        self.fault(|faults| faults.behind_handshake = Some(text.to_owned()));
    }

    /// Answers the next `times` REST requests whose path contains `path` with this status, and `Retry-After` if given.
    pub fn rest_status(&self, path: &str, code: u16, times: u32, retry_after: Option<u64>) {
        let fault = RestFault { path: path.to_owned(), code, left: times, retry_after };
        self.fault(|faults| faults.rest.push(fault));
    }

    /// Ends every session with a Close record.
    pub fn close_all(&self, error: Option<&str>, allow_reconnect: bool) {
        let record = record::close(error, allow_reconnect);
        self.inner.tell_all(|| Out::Last(record.clone()));
    }

    /// Cuts every connection without a word, the ones held by [`Silence::Tcp`] included.
    pub fn drop_all(&self) {
        self.inner.change(|shared| {
            shared.faults.cut.cancel();
            shared.faults.cut = CancellationToken::new();
            for session in shared.sessions.values() {
                session.cut.cancel();
            }
        });
    }

    /// Sends every session the first half of an event and cuts the connection.
    pub fn cut_mid_record(&self) {
        self.inner.tell_all(|| Out::Half(r#"{"type":1,"target":"pushEvent","arguments":["{\u0022key\u0022:"#.to_owned()));
    }

    /// Sends every session a record that is no JSON.
    pub fn garbage(&self) {
        self.send_raw("<html>502 Bad Gateway</html>\u{1e}");
    }

    /// Sends every session this text as one WebSocket message, as it is.
    pub fn send_raw(&self, text: &str) {
        self.inner.tell_all(|| Out::Text(text.to_owned()));
    }

    /// Sends every session these bytes as one binary WebSocket message, which the JSON protocol does not know.
    pub fn send_binary(&self, bytes: &[u8]) {
        self.inner.tell_all(|| Out::Binary(bytes.to_vec()));
    }
}

impl Inner {
    fn tell_all(&self, out: impl Fn() -> Out) {
        self.change(|shared| {
            for session in shared.sessions.values() {
                session.tell(out());
            }
        });
    }
}
