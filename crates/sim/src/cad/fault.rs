//! Every way a CAD can misbehave, on demand. A fault stays until [`CadSim::heal`] unless it says how often it happens.

use std::collections::HashSet;
use std::time::Duration;

use fastrand::Rng;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::hub::Out;
use super::{CadSim, Inner, record};

/// Where the CAD goes silent: it accepts everything before that point and then sends nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Silence {
    /// It isn't silent.
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
    /// Established and new sessions receive nothing after the handshake: no pings, completions or events. Reading, and with it the
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
    pub(super) pushes: Vec<PushFault>,
    pub(super) noise: Option<(Noise, Rng)>,
    /// Cancelled to release the sockets held by [`Silence::Tcp`].
    pub(super) cut: CancellationToken,
}

pub(super) enum NegotiateFault {
    Status { code: u16, retry_after: Option<u64> },
    Answer(Value),
}

pub(super) struct RestFault {
    path: String,
    what: RestTrouble,
    left: u32,
}

impl RestFault {
    /// Whether the fault applies to this request: part of a path, after a method if given, at the path's end if it ends in `$`.
    fn hits(&self, method: &str, path: &str) -> bool {
        let wanted = match self.path.split_once(' ') {
            Some((wanted, _)) if wanted != method => return false,
            Some((_, wanted)) => wanted,
            None => &self.path,
        };
        match wanted.strip_suffix('$') {
            Some(end) => path.trim_end_matches('/').ends_with(end),
            None => path.contains(wanted),
        }
    }
}

/// What happens to a REST request.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum RestTrouble {
    /// This status, and `Retry-After` in seconds; the work is not done.
    Status(u16, Option<u64>),
    /// 200 and HTML; the work is not done.
    Garbage,
    /// 200 and this JSON; the work is not done.
    Answer(Value),
    /// Never answered; the work is not done.
    Hang,
    /// The connection breaks; the work is not done.
    Drop,
    /// The work is done, the connection breaks.
    DoThenDrop,
    /// The work is done, and the answer arrives this much later.
    Delay(Duration),
}

pub(super) struct PushFault {
    what: PushTrouble,
    left: u32,
}

/// What happens to a push on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PushTrouble {
    Lost,
    Twice,
    Late(Duration),
}

/// Random faults, in parts per thousand of pushes or of REST requests. The same seed gives the same faults.
/// Each path of an event is drawn separately: lost by hub, it may still arrive over HTTP.
#[derive(Clone, Debug, Default)]
pub struct Noise {
    /// The seed.
    pub seed: u64,
    /// Pushes that are lost.
    pub lost: u32,
    /// Pushes that arrive twice.
    pub twice: u32,
    /// Pushes that arrive late, and so after later ones.
    pub late: u32,
    /// REST: 500 or 503.
    pub rest_fail: u32,
    /// REST: 429 with `Retry-After: 1`.
    pub rest_limit: u32,
    /// REST: 200 and HTML.
    pub rest_garbage: u32,
    /// REST: the connection breaks, the work not done.
    pub rest_drop: u32,
    /// REST: the work is done, the connection breaks.
    pub rest_do_then_drop: u32,
    /// REST: the answer comes late.
    pub rest_delay: u32,
    /// Longest delay, in milliseconds.
    pub most_ms: u64,
}

/// Draws a number below a thousand; `None` if it hits no share.
fn throw<T>(rng: &mut Rng, shares: impl IntoIterator<Item = (u32, T)>) -> Option<T> {
    let mut dice = rng.u32(..1_000);
    for (share, what) in shares {
        if dice < share {
            return Some(what);
        }
        dice -= share;
    }
    None
}

impl Faults {
    /// The fault for the next push on one of its paths.
    pub(super) fn push(&mut self) -> Option<PushTrouble> {
        self.pushes.retain(|fault| fault.left > 0);
        if let Some(fault) = self.pushes.first_mut() {
            fault.left -= 1;
            return Some(fault.what);
        }
        if self.push_twice {
            return Some(PushTrouble::Twice);
        }
        let (noise, rng) = self.noise.as_mut()?;
        let late = Duration::from_millis(rng.u64(..=noise.most_ms));
        throw(rng, [(noise.lost, PushTrouble::Lost), (noise.twice, PushTrouble::Twice), (noise.late, PushTrouble::Late(late))])
    }

    /// The fault for the next REST request with this path.
    pub(super) fn rest(&mut self, method: &str, path: &str) -> Option<RestTrouble> {
        if let Some(fault) = self.rest.iter_mut().find(|fault| fault.left > 0 && fault.hits(method, path)) {
            // `u32::MAX` times means forever.
            fault.left -= u32::from(fault.left < u32::MAX);
            return Some(fault.what.clone());
        }
        let (noise, rng) = self.noise.as_mut()?;
        let late = Duration::from_millis(rng.u64(..=noise.most_ms));
        let fail = if rng.bool() { 500 } else { 503 };
        throw(
            rng,
            [
                (noise.rest_fail, RestTrouble::Status(fail, None)),
                (noise.rest_limit, RestTrouble::Status(429, Some(1))),
                (noise.rest_garbage, RestTrouble::Garbage),
                (noise.rest_drop, RestTrouble::Drop),
                (noise.rest_do_then_drop, RestTrouble::DoThenDrop),
                (noise.rest_delay, RestTrouble::Delay(late)),
            ],
        )
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_fault_hits_what_it_is_aimed_at() {
        let base = "/v2/emergency/servers/1/dispatch-calls";
        let fault = |path: &str, times| RestFault { path: path.to_owned(), what: RestTrouble::Hang, left: times };
        for (aim, method, path, hits) in [
            ("/dispatch-calls", "POST", format!("{base}/5/notes"), true),
            ("/dispatch-calls$", "POST", format!("{base}/5/notes"), false),
            ("/dispatch-calls$", "POST", format!("{base}/"), true),
            ("POST /dispatch-calls$", "PATCH", base.to_owned(), false),
            ("DELETE /attachments", "POST", format!("{base}/5/attachments"), false),
            ("DELETE /attachments", "DELETE", format!("{base}/attachments"), true),
        ] {
            assert_eq!(fault(aim, 1).hits(method, &path), hits, "{aim} {method} {path}");
        }
        let mut faults = Faults { rest: vec![fault("/once", 1), fault("/always", u32::MAX)], ..Faults::default() };
        assert_eq!((faults.rest("GET", "/once"), faults.rest("GET", "/once")), (Some(RestTrouble::Hang), None));
        assert!((0..5).all(|_| faults.rest("GET", "/always").is_some()));
    }
}
