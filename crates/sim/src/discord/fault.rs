//! Faults of the simulated Discord's REST side: planned (which requests, what happens instead, how often), and at random.

use fastrand::Rng;
use serde_json::Value;

use super::limits::Scope;

/// What happens to a request with a planned fault.
#[derive(Clone, Debug)]
pub(super) enum Action {
    /// This status, with Discord's (or a given) body; the work isn't done.
    Status(u16, Option<Value>),
    /// A 429; the work is not done.
    RateLimit(Scope, i64),
    /// No answer at all; the work isn't done.
    Hang,
    /// The connection closes without an answer; the work is not done.
    Drop,
    /// The work is done, then the connection closes without an answer.
    DoThenDrop,
    /// 200 with HTML instead of JSON; the work is not done.
    Garbage,
    /// This status with a web page, as from a proxy in front of Discord; the work isn't done.
    Page(u16),
    /// The work is done, the answer comes this many milliseconds later.
    Delay(u64),
    /// The work is done this many milliseconds later, even if the client is gone by then; later requests may be done before it.
    Late(u64),
}

/// Random faults, in parts per thousand of requests. The same seed gives the same faults.
#[derive(Clone, Debug, Default)]
pub struct Noise {
    /// The seed.
    pub seed: u64,
    /// Only requests whose path contains this.
    pub path_part: String,
    /// 500, 502 or 503; the work is not done.
    pub fail: u32,
    /// A 429 of any scope; the work is not done.
    pub rate_limit: u32,
    /// 200 with HTML; the work is not done.
    pub garbage: u32,
    /// The connection closes, the work is not done.
    pub drop: u32,
    /// The work is done, the connection closes without an answer.
    pub do_then_drop: u32,
    /// Never answered; the work is not done.
    pub hang: u32,
    /// The work is done at once, the answer comes later.
    pub delay: u32,
    /// The work is done later: requests overtake each other.
    pub late: u32,
    /// Longest delay, and longest wait in a 429, in milliseconds.
    pub most_ms: u64,
}

impl Noise {
    /// Draws the fault for one request.
    fn throw(&self, rng: &mut Rng) -> Option<Action> {
        let mut ms = || rng.u64(..=self.most_ms);
        let (wait, pick) = (ms(), ms());
        let mut dice = rng.u32(..1_000);
        let mut hit = |share: u32| {
            let hit = dice < share;
            dice = if hit { u32::MAX } else { dice.saturating_sub(share) };
            hit
        };
        let choice = usize::try_from(pick % 3).unwrap_or(0);
        if hit(self.fail) {
            Some(Action::Status([500, 502, 503].get(choice).copied().unwrap_or(500), None))
        } else if hit(self.rate_limit) {
            let scope = [Scope::User, Scope::Shared, Scope::Global].get(choice).copied().unwrap_or(Scope::User);
            Some(Action::RateLimit(scope, i64::try_from(wait).unwrap_or(i64::MAX)))
        } else if hit(self.garbage) {
            Some(Action::Garbage)
        } else if hit(self.drop) {
            Some(Action::Drop)
        } else if hit(self.do_then_drop) {
            Some(Action::DoThenDrop)
        } else if hit(self.hang) {
            Some(Action::Hang)
        } else if hit(self.delay) {
            Some(Action::Delay(wait))
        } else if hit(self.late) {
            Some(Action::Late(wait))
        } else {
            None
        }
    }
}

struct Fault {
    method: String,
    path_part: String,
    action: Action,
    left: u32,
}

/// Planned faults, the first planned applied first; other requests may fail at random.
#[derive(Default)]
pub(super) struct Faults {
    planned: Vec<Fault>,
    noise: Vec<(Noise, Rng)>,
}

impl Faults {
    /// `method` may be `*`; `path_part` matches anywhere in the path.
    pub(super) fn plan(&mut self, method: &str, path_part: &str, action: Action, times: u32) {
        self.planned.push(Fault { method: method.to_ascii_uppercase(), path_part: path_part.to_owned(), action, left: times });
    }

    /// The fault for this request, counted down.
    pub(super) fn take(&mut self, method: &str, path: &str) -> Option<Action> {
        self.planned.retain(|f| f.left > 0);
        let spared = |f: &Fault| matches!(f.action, Action::RateLimit(Scope::Global, _)) && path.contains("/interactions/");
        let fits = |f: &&mut Fault| (f.method == "*" || f.method == method) && path.contains(&f.path_part) && !spared(f);
        if let Some(fault) = self.planned.iter_mut().find(fits) {
            fault.left -= 1;
            return Some(fault.action.clone());
        }
        let (noise, rng) = self.noise.iter_mut().find(|(noise, _)| path.contains(&noise.path_part))?;
        noise.throw(rng)
    }

    pub(super) fn make_noise(&mut self, noise: Noise) {
        let rng = Rng::with_seed(noise.seed);
        self.noise.push((noise, rng));
    }

    /// Ends all planned and random faults.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
