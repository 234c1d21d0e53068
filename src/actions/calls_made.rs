//! Remembers which calls were created from which 911, or may have been, so that nobody creates a second one.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::UnixMs;
use crate::ids::{CallId, Ident, ServerId};
use crate::world::Subject;

/// How long that is remembered, so that memory is bounded.
const KEPT: Duration = Duration::from_secs(86_400);

/// 911s with a call created from them, or perhaps one. Never on disk: after a restart the CAD is read before an old 911 is dispatched.
#[derive(Debug)]
pub(super) struct MadeOf {
    started_at: UnixMs,
    known: Mutex<HashMap<(ServerId, Subject), Creation>>,
}

/// One creation, and when it was confirmed or given up.
#[derive(Clone, Copy, Debug)]
pub(super) enum Creation {
    /// The CAD did not confirm it.
    OutcomeUnknown(UnixMs),
    Made(CallId, UnixMs),
}

impl MadeOf {
    pub(super) fn new(started_at: UnixMs) -> Self {
        Self { started_at, known: Mutex::default() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, HashMap<(ServerId, Subject), Creation>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn of(&self, server: ServerId, subject: Subject, now: UnixMs) -> Option<Creation> {
        let mut known = self.lock();
        known.retain(|_, attempt| match attempt {
            Creation::OutcomeUnknown(at) | Creation::Made(_, at) => now.since(*at) < KEPT,
        });
        known.get(&(server, subject)).copied()
    }

    /// Whether a 911 from before the start was just being dispatched is unknown until it was read after this time.
    pub(super) fn before_us(&self, subject: Subject) -> Option<UnixMs> {
        matches!(subject, Subject::Emergency(_, opened_at) if opened_at < self.started_at).then_some(self.started_at)
    }
}

/// A member who responds: account and unit; `None` to create the call with nobody on it.
pub(super) type Taker = Option<(String, Ident)>;

/// The result.
#[derive(Clone, Debug)]
pub(super) struct Became {
    pub(super) call: CallId,
    pub(super) attached: Vec<Ident>,
    /// Responders who are on the call, also with another identifier of theirs.
    pub(super) served: Vec<Ident>,
    pub(super) left: Left,
}

/// What happened to the 911 itself.
#[derive(Clone, Copy, Debug)]
pub(super) enum Left {
    Removed,
    /// Somebody else removed it: they may have created a call from it too.
    Gone,
    Unconfirmed,
    Stands,
}

impl Left {
    /// The addition to the sentence.
    pub(super) fn said(self) -> &'static str {
        match self {
            Self::Removed => "",
            Self::Gone => "\n⚠️ It was removed in the CAD meanwhile: if somebody made a call of it too, close one of the two.",
            Self::Unconfirmed => "\n⚠️ The CAD did not confirm that it waits no more: if it still does there, dismiss it there.",
            Self::Stands => "\n⚠️ It could not be removed where it waits, so the CAD shows it twice: dismiss it there.",
        }
    }
}
