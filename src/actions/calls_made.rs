//! Which calls were made of which 911, or may have been: in memory only, so that nobody makes a second one.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock::UnixMs;
use crate::ids::{CallId, Ident, ServerId};
use crate::world::Subject;

/// What is made of a 911 is kept in mind for so long (ms), so that memory is bounded.
const KEPT: i64 = 86_400_000;

/// What calls were made of, or may have been. Never on disk: after a restart the CAD is read before anything old is taken.
#[derive(Debug)]
pub(super) struct MadeOf {
    started_at: UnixMs,
    known: Mutex<HashMap<(ServerId, Subject), Attempt>>,
}

/// One creation, and when it was told or given up.
#[derive(Clone, Copy, Debug)]
pub(super) enum Attempt {
    /// The CAD did not confirm it.
    OutcomeUnknown(UnixMs),
    Made(CallId, UnixMs),
}

impl MadeOf {
    pub(super) fn new(started_at: UnixMs) -> Self {
        Self { started_at, known: Mutex::default() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, HashMap<(ServerId, Subject), Attempt>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn of(&self, server: ServerId, subject: Subject, now: UnixMs) -> Option<Attempt> {
        let mut known = self.lock();
        known.retain(|_, attempt| match attempt {
            Attempt::OutcomeUnknown(at) | Attempt::Made(_, at) => now.since(*at) < KEPT,
        });
        known.get(&(server, subject)).copied()
    }

    /// Of what waited before the bot started it is not known whether it was just being taken: from when on a reading tells.
    pub(super) fn before_us(&self, subject: Subject) -> Option<UnixMs> {
        matches!(subject, Subject::Emergency(_, opened_at) if opened_at < self.started_at).then_some(self.started_at)
    }
}

/// Somebody who takes it: account and unit; `None` to make the call with nobody on it.
pub(super) type Taker = Option<(String, Ident)>;

/// What became of it.
#[derive(Clone, Debug)]
pub(super) struct Became {
    pub(super) call: CallId,
    pub(super) attached: Vec<Ident>,
    /// Takers who are on it, also with another identifier of theirs.
    pub(super) served: Vec<Ident>,
    pub(super) left: Left,
}

/// What became of the 911 itself.
#[derive(Clone, Copy, Debug)]
pub(super) enum Left {
    Removed,
    /// Somebody else removed it: they may have made a call of it too.
    Gone,
    Unconfirmed,
    Stands,
}

impl Left {
    /// What is added to the sentence.
    pub(super) fn said(self) -> &'static str {
        match self {
            Self::Removed => "",
            Self::Gone => "\n⚠️ It was removed in the CAD meanwhile: if somebody made a call of it too, close one of the two.",
            Self::Unconfirmed => "\n⚠️ The CAD did not confirm that it waits no more: if it still does there, dismiss it there.",
            Self::Stands => "\n⚠️ It could not be removed where it waits, so the CAD shows it twice: dismiss it there.",
        }
    }
}
