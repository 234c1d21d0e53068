//! The result of a reducer, and the origin of the news. Never changes the world.

use std::collections::BTreeSet;

use super::{CardChange, CardPhase, Change, DutyEdge, Entity, Subject};
use crate::event::Note;
use crate::ids::Ident;

/// What an event did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Applied {
    /// For people; the card of each subject at most once.
    pub changes: Vec<Change>,
    /// Rows to write (or to delete, as [`super::Server::row`] says).
    pub touched: BTreeSet<Entity>,
    /// Sessions on duty that began, changed or ended, in order.
    pub duty: Vec<DutyEdge>,
    /// Units whose panic began: see [`super::Server::share_panics`].
    pub(super) raised: Vec<Ident>,
}

/// The origin of news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The CAD's event, when it happened.
    Event,
    /// A read, some time after. `fresh`: the previous one was recent, so what it finds is news.
    Listing {
        /// See above.
        fresh: bool,
    },
}

impl Origin {
    /// Whether people are notified as of something new.
    pub(super) fn is_news(self) -> bool {
        self != Self::Listing { fresh: false }
    }
}

impl Applied {
    pub(super) fn card(&mut self, subject: Subject, change: CardChange, phase: CardPhase) {
        for known in &mut self.changes {
            if let Change::Card { subject: of, change: known, phase: last } = known
                && *of == subject
            {
                if change == CardChange::Created {
                    *known = change;
                }
                *last = phase;
                return;
            }
        }
        self.changes.push(Change::Card { subject, change, phase });
    }

    pub(super) fn attached(&mut self, subject: Subject, idents: &[Ident], on: bool) {
        self.changes.extend(idents.iter().map(|ident| Change::Attach { subject, ident: *ident, on }));
    }

    pub(super) fn noted(&mut self, subject: Subject, note: &Note) {
        self.changes.push(Change::Note { subject, note: note.clone() });
    }
}
