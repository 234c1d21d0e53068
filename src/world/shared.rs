//! Panics of one event. More than [`MAX_SEPARATE_PANICS`] share a card: it has the subject of the first of them, and everything
//! else about it is read from the panics that name it. So it exists as long as one of them is remembered, whatever happened to the first.

use std::collections::BTreeSet;

use super::{Applied, CardPhase, Change, Entity, Panic, Server, SharedCard, Subject};
use crate::clock::UnixMs;
use crate::ids::Ident;

/// Up to this many units in panic at once have a card each.
pub const MAX_SEPARATE_PANICS: usize = 5;

impl Server {
    /// The panics of a card, each unit once; none if the world doesn't know them any more.
    #[must_use]
    pub fn panics_of(&self, first: Ident, since: UnixMs) -> Vec<&Panic> {
        match self.panics.get(&first) {
            Some(alone) if alone.since == since && alone.shared.is_none() => vec![alone],
            _ => self.panics.values().filter(|panic| panic.shared.is_some_and(|on| (on.first, on.since) == (first, since))).collect(),
        }
    }

    /// At the end of an event or read: its panics share a card, and what happened to one of them happened to the card.
    pub(super) fn share_panics(&mut self, done: &mut Applied) {
        let raised: BTreeSet<Ident> = std::mem::take(&mut done.raised).into_iter().collect();
        if raised.len() > MAX_SEPARATE_PANICS
            && let Some((first, since)) = raised.first().and_then(|first| Some((*first, self.panics.get(first)?.since)))
        {
            for ident in &raised {
                if let Some(panic) = self.panics.get_mut(ident) {
                    panic.shared = Some(SharedCard { first, since, of: raised.len() });
                    done.touched.insert(Entity::Panic(*ident));
                }
            }
        }
        let of_card = |subject: Subject| match subject {
            Subject::Panic(ident, since) => self.panics.get(&ident).filter(|panic| panic.since == since).map_or(subject, Panic::subject),
            other => other,
        };
        let alone = |change: &Change| match change {
            Change::Card { subject, .. } => of_card(*subject) == *subject && !matches!(subject, Subject::Panic(..)),
            _ => true,
        };
        if done.changes.iter().all(alone) {
            return;
        }
        for change in std::mem::take(&mut done.changes) {
            match change {
                Change::Card { subject: subject @ Subject::Panic(..), change, phase } => {
                    let card = of_card(subject);
                    let phase = if card == subject && self.knows_alone(subject) { phase } else { CardPhase::over_if(self.is_over(card)) };
                    done.card(card, change, phase);
                }
                other => done.changes.push(other),
            }
        }
    }

    fn knows_alone(&self, subject: Subject) -> bool {
        matches!(subject, Subject::Panic(ident, since)
            if self.panics.get(&ident).is_some_and(|panic| panic.since == since && panic.shared.is_none()))
    }
}
