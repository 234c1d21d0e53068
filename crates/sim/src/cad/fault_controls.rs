//! Makes the CAD misbehave on demand. A fault stays until [`CadSim::heal`] unless it says how often it happens.

use std::time::Duration;

use fastrand::Rng;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::fault::{Faults, NegotiateFault, Noise, PushFault, PushTrouble, RestFault, RestTrouble, Silence};
use super::handle::CadSim;
use super::record;
use super::session::Out;
use super::shared::Inner;

impl CadSim {
    fn fault(&self, set: impl FnOnce(&mut Faults)) {
        self.inner.change(|shared| set(&mut shared.faults));
    }

    /// Ends every fault. Connections already broken stay broken.
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

    /// Goes silent at this point.
    pub fn silence(&self, at: Silence) {
        self.fault(|faults| faults.silence = at);
    }

    /// Stops the hub's pings; everything else continues.
    pub fn stop_pings(&self) {
        self.fault(|faults| faults.no_pings = true);
    }

    /// The next `times` connections are closed (WebSocket close 1000, no Close record) right after their handshake.
    pub fn close_at_once(&self, times: u32) {
        self.fault(|faults| faults.close_at_once = times);
    }

    /// Every push, by hub or over HTTP, arrives twice.
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
    ///
    /// Here and below, `path` may begin with a method and a space, and end in `$` for the path's end: `POST /dispatch-calls$` creates a
    /// dispatch and nothing else. `u32::MAX` times lasts until [`CadSim::heal`]. Of several faults, the one planned first applies first.
    pub fn rest_status(&self, path: &str, code: u16, times: u32, retry_after: Option<u64>) {
        self.rest_trouble(path, RestTrouble::Status(code, retry_after), times);
    }

    /// Answers the next `times` REST requests whose path contains `path` with 200 and HTML; their work is not done.
    pub fn rest_garbage(&self, path: &str, times: u32) {
        self.rest_trouble(path, RestTrouble::Garbage, times);
    }

    /// Answers the next `times` REST requests whose path contains `path` with 200 and this JSON; their work is not done.
    pub fn rest_answer(&self, path: &str, answer: Value, times: u32) {
        self.rest_trouble(path, RestTrouble::Answer(answer), times);
    }

    /// The next `times` REST requests whose path contains `path` are never answered; their work is not done.
    pub fn rest_hang(&self, path: &str, times: u32) {
        self.rest_trouble(path, RestTrouble::Hang, times);
    }

    /// The connection of the next `times` REST requests whose path contains `path` breaks; their work is not done.
    pub fn rest_drop(&self, path: &str, times: u32) {
        self.rest_trouble(path, RestTrouble::Drop, times);
    }

    /// The next `times` REST requests whose path contains `path` are done, but their connection breaks.
    pub fn rest_do_then_drop(&self, path: &str, times: u32) {
        self.rest_trouble(path, RestTrouble::DoThenDrop, times);
    }

    /// The next `times` REST requests whose path contains `path` are done at once and answered `ms` milliseconds later.
    pub fn rest_delay(&self, path: &str, ms: u64, times: u32) {
        self.rest_trouble(path, RestTrouble::Delay(Duration::from_millis(ms)), times);
    }

    fn rest_trouble(&self, path: &str, what: RestTrouble, times: u32) {
        self.fault(|faults| faults.rest.push(RestFault { path: path.to_owned(), what, left: times }));
    }

    /// The next `times` pushes never arrive. Here and below, one event by hub and over HTTP is two pushes.
    pub fn lose_pushes(&self, times: u32) {
        self.fault(|faults| faults.pushes.push(PushFault { what: PushTrouble::Lost, left: times }));
    }

    /// The next `times` pushes arrive `ms` milliseconds late, so after later ones. By hub, they need the session that exists at
    /// that time.
    pub fn late_pushes(&self, ms: u64, times: u32) {
        self.fault(|faults| faults.pushes.push(PushFault { what: PushTrouble::Late(Duration::from_millis(ms)), left: times }));
    }

    /// From now on, pushes and REST requests fail at random; planned faults apply first.
    pub fn noise(&self, noise: Noise) {
        let rng = Rng::with_seed(noise.seed);
        self.fault(|faults| faults.noise = Some((noise, rng)));
    }

    /// Ends every session with a Close record.
    pub fn close_all(&self, error: Option<&str>, allow_reconnect: bool) {
        let record = record::close(error, allow_reconnect);
        self.inner.send_to_all(|| Out::Last(record.clone()));
    }

    /// Drops every connection without a close, including those held by [`Silence::Tcp`].
    pub fn drop_all(&self) {
        self.inner.change(|shared| {
            shared.faults.cut.cancel();
            shared.faults.cut = CancellationToken::new();
            for session in shared.sessions.values() {
                session.cut.cancel();
            }
        });
    }

    /// Drops the sessions of one server without a close, as when another client takes its place.
    pub fn drop_server(&self, server: i64) {
        self.inner.change(|shared| {
            for session in shared.sessions.values().filter(|session| session.server == Some(server)) {
                session.cut.cancel();
            }
        });
    }

    /// Sends every session the first half of an event and drops the connection.
    pub fn cut_mid_record(&self) {
        self.inner.send_to_all(|| Out::Half(r#"{"type":1,"target":"pushEvent","arguments":["{\u0022key\u0022:"#.to_owned()));
    }

    /// Sends every session a record that isn't JSON.
    pub fn garbage(&self) {
        self.send_raw("<html>502 Bad Gateway</html>\u{1e}");
    }

    /// Sends every session this text as one WebSocket message.
    pub fn send_raw(&self, text: &str) {
        self.inner.send_to_all(|| Out::Text(text.to_owned()));
    }

    /// Sends every session these bytes as one binary WebSocket message, which the JSON protocol doesn't know.
    pub fn send_binary(&self, bytes: &[u8]) {
        self.inner.send_to_all(|| Out::Binary(bytes.to_vec()));
    }
}

impl Inner {
    fn send_to_all(&self, out: impl Fn() -> Out) {
        self.change(|shared| {
            for session in shared.sessions.values() {
                session.send(out());
            }
        });
    }
}
