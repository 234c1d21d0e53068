//! The ways a CAD can misbehave, and which fault hits the next push or request. They are set in `fault_controls.rs`.

use std::collections::HashSet;
use std::time::Duration;

use fastrand::Rng;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

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
    pub(super) path: String,
    pub(super) what: RestTrouble,
    pub(super) left: u32,
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
    pub(super) what: PushTrouble,
    pub(super) left: u32,
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
