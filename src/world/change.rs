//! What an event changed, as far as people can see it. Never decides who is notified.

use std::time::Duration;

use super::Subject;
use crate::event::Note;
use crate::ids::Ident;

/// An event's effect on the world.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A subject's card must be updated.
    Card { subject: Subject, change: CardChange, phase: CardPhase },
    /// A unit went on or off duty; `after` = how long it was on.
    Duty {
        ident: Ident,
        /// On or off.
        on: bool,
        /// The time on duty, where known.
        after: Option<Duration>,
    },
    /// A unit's status number changed.
    Status {
        ident: Ident,
        /// Before.
        from: Option<i64>,
        /// Now.
        to: i64,
    },
    /// A note was added to a call, or the call was created with it.
    Note {
        /// Which call.
        subject: Subject,
        note: Note,
    },
    /// A unit was attached to a dispatch call, or the call was created with it; or it was detached.
    Attach {
        /// Which call.
        subject: Subject,
        ident: Ident,
        /// Attached or detached.
        on: bool,
    },
}

/// Whether a subject's card is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardChange {
    /// New: may ping.
    Created,
    /// It may be known already: pings nobody.
    Updated,
}

impl CardChange {
    pub(super) fn created_if(created: bool) -> Self {
        if created { Self::Created } else { Self::Updated }
    }
}

/// Whether the subject of a card is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardPhase {
    /// It goes on.
    Open,
    /// It is over, or over again.
    Over,
}

impl CardPhase {
    pub(super) fn over_if(over: bool) -> Self {
        if over { Self::Over } else { Self::Open }
    }
}
