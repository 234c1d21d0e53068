//! Acknowledgements: a member acknowledges a 911, a panic, or a page on Discord, and nobody else is paged for it. The CAD doesn't know of
//! them. Pages are here too: the CAD sends each once and nothing after it, so a page is open until somebody acknowledges it, for at most an
//! hour.

use std::collections::btree_map::Entry;
use std::time::Duration;

use super::dispatch::push_note;
use super::{Acknowledgement, Applied, CardChange, CardPhase, Entity, PageId, Paged, Server, Subject};
use crate::clock::UnixMs;
use crate::event::{Note, Page};
use crate::ids::{CallId, Ident, UserId};

/// How long a page is open without an acknowledgement.
pub const PAGE_WAITS: Duration = Duration::from_secs(3_600);

impl Server {
    pub(super) fn page_came(&mut self, id: PageId, page: &Page, at: UnixMs, done: &mut Applied) {
        let Entry::Vacant(place) = self.pages.entry(id) else { return };
        place.insert(Paged { page: page.clone(), at, taken: None, over_at: None });
        done.touched.insert(Entity::Page(id));
        done.card(Subject::Event(id.0, id.1), CardChange::Created, CardPhase::Open);
    }

    /// Pages that nobody will acknowledge any more: their cards say so.
    pub fn expire_pages(&mut self, now: UnixMs) -> Applied {
        let mut done = Applied::default();
        for (id, paged) in &mut self.pages {
            if paged.over_at.is_none() && now.since(paged.at) >= PAGE_WAITS {
                paged.over_at = Some(now);
                done.touched.insert(Entity::Page(*id));
                done.card(Subject::Event(id.0, id.1), CardChange::Updated, CardPhase::Over);
            }
        }
        done
    }

    /// The first member to acknowledge it counts.
    pub(super) fn acknowledge(&mut self, subject: Subject, by: UserId, at: UnixMs, done: &mut Applied) {
        if self.is_over(subject) || (matches!(subject, Subject::Panic(..)) && self.acknowledgement_of(subject).is_some()) {
            return;
        }
        if let Subject::Panic(ident, since) = subject {
            // Acknowledging a shared card acknowledges everything on it.
            let idents: Vec<Ident> = self.panics_of(ident, since).iter().map(|panic| panic.ident).collect();
            for ident in &idents {
                if let Some(panic) = self.panics.get_mut(ident) {
                    panic.taken.get_or_insert(Acknowledgement { by, at });
                }
            }
            done.touched.extend(idents.into_iter().map(Entity::Panic));
            return done.card(subject, CardChange::Updated, CardPhase::Open);
        }
        let (taken, entity) = match subject {
            Subject::Emergency(id, _) => (self.emergencies.get_mut(&id).map(|known| &mut known.taken), Entity::Emergency(id)),
            Subject::Event(seq, nth) => (self.pages.get_mut(&(seq, nth)).map(|known| &mut known.taken), Entity::Page((seq, nth))),
            Subject::Dispatch(..) | Subject::Panic(..) => return,
        };
        let Some(free @ None) = taken else { return };
        *free = Some(Acknowledgement { by, at });
        let mut over = false;
        if let Subject::Event(seq, nth) = subject
            && let Some(paged) = self.pages.get_mut(&(seq, nth))
        {
            paged.over_at = Some(at);
            over = true;
        }
        done.touched.insert(entity);
        done.card(subject, CardChange::Updated, CardPhase::over_if(over));
    }

    /// Who acknowledged a subject.
    #[must_use]
    pub fn acknowledgement_of(&self, subject: Subject) -> Option<Acknowledgement> {
        match subject {
            Subject::Emergency(id, at) => self.emergencies.get(&id).filter(|known| known.opened_at == at)?.taken,
            Subject::Panic(ident, at) => self.panics_of(ident, at).iter().find_map(|panic| panic.taken),
            Subject::Event(seq, nth) => self.pages.get(&(seq, nth))?.taken,
            Subject::Dispatch(..) => None,
        }
    }

    /// Whether somebody responded: acknowledged it, or, for a panic, acknowledged its 911 or is on the call that this became. A 911 that
    /// the game created for a panic pings nobody any more once that panic is over.
    #[must_use]
    pub fn is_answered(&self, subject: Subject) -> bool {
        if self.acknowledgement_of(subject).is_some() {
            return true;
        }
        let (ident, since) = match subject {
            Subject::Panic(ident, since) => (ident, since),
            Subject::Emergency(id, _) => return self.panic_is_over(id),
            Subject::Dispatch(..) | Subject::Event(..) => return false,
        };
        self.panics_of(ident, since).iter().any(|panic| {
            let linked = panic.linked_911.and_then(|linked| self.emergencies.get(&linked));
            let call = linked.and_then(|linked| self.dispatches.get(&linked.became?));
            linked.is_some_and(|linked| linked.taken.is_some())
                || call.is_some_and(|call| call.units.iter().any(|unit| *unit != panic.ident))
        })
    }

    /// Whether the game created this 911 for a panic that is over by now, or that was followed by another one of that unit.
    fn panic_is_over(&self, id: CallId) -> bool {
        let panic_of = self.emergencies.get(&id).and_then(|known| known.panic_of);
        panic_of.is_some_and(|ident| self.panics.get(&ident).is_none_or(|panic| panic.over_at.is_some() || panic.linked_911 != Some(id)))
    }

    /// The 911 that the game created for a unit's latest panic, if it still waits although that panic is over.
    #[must_use]
    pub fn left_911(&self, ident: Ident) -> Option<Subject> {
        let id = self.panics.get(&ident).filter(|panic| panic.over_at.is_some())?.linked_911?;
        let known = self.emergencies.get(&id)?;
        // The CAD can't be asked about one without a number.
        known.cad_number(id)?;
        let subject = Subject::Emergency(id, known.opened_at);
        (!self.is_over(subject)).then_some(subject)
    }

    /// The card of a panic that is over offers to clear its 911: rendered again once that is gone.
    pub(super) fn offered_no_more(&self, id: CallId, done: &mut Applied) {
        let panic = self.panics.values().find(|panic| panic.linked_911 == Some(id) && panic.over_at.is_some());
        if let Some(panic) = panic {
            done.card(panic.subject(), CardChange::Updated, CardPhase::Over);
        }
    }

    /// When a subject began, including pages.
    #[must_use]
    pub fn began(&self, subject: Subject) -> Option<UnixMs> {
        match subject {
            Subject::Event(seq, nth) => self.pages.get(&(seq, nth)).map(|paged| paged.at),
            other => other.since(),
        }
    }

    pub(super) fn emergency_noted(&mut self, id: CallId, note: &Note, at: UnixMs, done: &mut Applied) {
        let Some(key) = self.emergency_key(id) else { return };
        let Some(known) = self.emergencies.get_mut(&key) else { return };
        // The author learns that it came too late.
        if known.gone_at.is_some() || known.became.is_some() {
            return;
        }
        push_note(&mut known.notes, Note { time: note.time.clone().or_else(|| moment(at)), ..note.clone() });
        done.touched.insert(Entity::Emergency(key));
        let subject = Subject::Emergency(key, known.opened_at);
        done.card(subject, CardChange::Updated, CardPhase::Open);
        done.noted(subject, note);
    }
}

/// ISO 8601 in UTC, as the CAD writes it.
fn moment(at: UnixMs) -> Option<String> {
    Some(jiff::Timestamp::from_second(at.secs()).ok()?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EmergencyCall, Event};
    use crate::ids::Ident;
    use crate::world::Change;

    const AT: UnixMs = UnixMs(1_763_700_000_000);

    fn take(world: &mut Server, subject: Subject, by: u64, at: UnixMs) -> Vec<Change> {
        world.apply(&Event::Acknowledged { subject: subject.to_string(), by: UserId(by) }, at).changes
    }

    #[test]
    fn the_first_who_takes_it_answers_for_it() {
        let mut world = Server::default();
        world.apply(&Event::EmergencyNew(EmergencyCall { id: Some(CallId(302)), is_emergency: true, ..EmergencyCall::default() }), AT);
        world.apply(&Event::Panic { idents: vec![Ident(7)], on: true }, AT);
        for subject in [Subject::Emergency(CallId(302), AT), Subject::Panic(Ident(7), AT)] {
            assert_eq!(
                take(&mut world, subject, 1, AT.plus_ms(5)),
                [Change::Card { subject, change: CardChange::Updated, phase: CardPhase::Open }]
            );
            assert_eq!(take(&mut world, subject, 2, AT.plus_ms(6)), []);
            assert_eq!(world.acknowledgement_of(subject), Some(Acknowledgement { by: UserId(1), at: AT.plus_ms(5) }));
        }
        let other = Subject::Emergency(CallId(302), AT.plus_ms(1));
        assert_eq!((take(&mut world, other, 1, AT), world.acknowledgement_of(other)), (Vec::new(), None));
    }

    #[test]
    fn what_is_over_cannot_be_taken() {
        let mut world = Server::default();
        world.apply(&Event::Panic { idents: vec![Ident(7)], on: true }, AT);
        world.apply(&Event::Panic { idents: vec![Ident(7)], on: false }, AT.plus_ms(1));
        assert_eq!(take(&mut world, Subject::Panic(Ident(7), AT), 1, AT.plus_ms(2)), []);
    }

    #[test]
    fn a_page_waits_for_an_hour() {
        let mut world = Server::default();
        let page = Event::Pager(Page { body: Some("x".into()), ..Page::default() });
        let (first, second) = (Subject::Event(9, 0), Subject::Event(9, 1));
        assert_eq!(
            world.apply_numbered(&page, AT, (9, 0)).changes,
            [Change::Card { subject: first, change: CardChange::Created, phase: CardPhase::Open }]
        );
        world.apply_numbered(&page, AT, (9, 1));
        assert_eq!(
            take(&mut world, first, 1, AT.plus_ms(5)),
            [Change::Card { subject: first, change: CardChange::Updated, phase: CardPhase::Over }]
        );
        assert_eq!(world.expire_pages(AT.plus(PAGE_WAITS).plus_ms(-1)).changes, []);
        let over = world.expire_pages(AT.plus(PAGE_WAITS));
        assert_eq!(over.changes, [Change::Card { subject: second, change: CardChange::Updated, phase: CardPhase::Over }]);
        assert_eq!(
            (world.acknowledgement_of(second), world.is_over(second), world.expire_pages(AT.plus(PAGE_WAITS)).changes),
            (None, true, vec![])
        );
        // Both are restored from their rows.
        let mut read = Server::default();
        for id in [(9, 0), (9, 1)] {
            let (kind, number) = Entity::Page(id).key();
            read.load(kind, number, &world.row(Entity::Page(id)).unwrap()).unwrap();
        }
        assert_eq!(read.pages, world.pages);
        world.forget(AT.plus(PAGE_WAITS * 3), PAGE_WAITS);
        assert!(!world.knows(first) && !world.knows(second));
    }

    #[test]
    fn a_911_keeps_its_notes() {
        let mut world = Server::default();
        world.apply(&Event::EmergencyNew(EmergencyCall { id: Some(CallId(302)), ..EmergencyCall::default() }), AT);
        let note = Note { time: None, label: Some("A-10".into()), kind: "text".into(), content: "on my way".into() };
        let changes = world.apply(&Event::EmergencyNote { call: CallId(302), note: note.clone() }, AT).changes;
        let subject = Subject::Emergency(CallId(302), AT);
        assert_eq!(
            changes,
            [Change::Card { subject, change: CardChange::Updated, phase: CardPhase::Open }, Change::Note { subject, note: note.clone() }]
        );
        let kept = &world.emergencies[&CallId(302)].notes;
        assert_eq!(kept, &[Note { time: Some("2025-11-21T04:40:00Z".into()), ..note }]);
    }
}
