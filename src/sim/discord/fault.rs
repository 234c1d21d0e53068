//! Planned misbehaviour of the pretend Discord's REST side: which requests, what happens instead, how often.

use serde_json::Value;

use super::limits::Scope;

/// What happens to a request that a fault was planned for.
#[derive(Clone, Debug)]
pub(super) enum Action {
    /// This status, with Discord's (or a given) body; the work is not done.
    Status(u16, Option<Value>),
    /// A 429; the work is not done.
    RateLimit(Scope, i64),
    /// No answer at all; the work is not done.
    Hang,
    /// The work is done, then the connection closes without an answer.
    DoThenDrop,
    /// 200 with HTML instead of JSON; the work is not done.
    Garbage,
    /// The work is done, the answer comes this many milliseconds later.
    Delay(u64),
}

struct Fault {
    method: String,
    path_part: String,
    action: Action,
    left: u32,
}

/// Planned faults, first planned first served.
#[derive(Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    /// `method` may be `*`; `path_part` is looked for anywhere in the path.
    pub(super) fn plan(&mut self, method: &str, path_part: &str, action: Action, times: u32) {
        self.0.push(Fault { method: method.to_ascii_uppercase(), path_part: path_part.to_owned(), action, left: times });
    }

    /// The fault for this request, counted down.
    pub(super) fn take(&mut self, method: &str, path: &str) -> Option<Action> {
        self.0.retain(|f| f.left > 0);
        let spared = |f: &Fault| matches!(f.action, Action::RateLimit(Scope::Global, _)) && path.contains("/interactions/");
        let fits = |f: &&mut Fault| (f.method == "*" || f.method == method) && path.contains(&f.path_part) && !spared(f);
        let fault = self.0.iter_mut().find(fits)?;
        fault.left -= 1;
        Some(fault.action.clone())
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
