//! The reducers of 911 and civil calls.

use std::time::Duration;

use super::applied::{Applied, Origin};
use super::memory::{Edge, apart, fingerprint};
use super::{CardChange, CardPhase, Emergency, Entity, Server, Subject};
use crate::clock::UnixMs;
use crate::event::{EmergencyCall, Unit};
use crate::ids::{CallId, Ident};

/// A 911 that the game creates for a panic comes within this time of it.
pub(super) const PANIC_CALL_WITHIN: Duration = Duration::from_secs(60);
/// An old 911 number doesn't count as the origin of a new call.
const DAY: Duration = Duration::from_secs(86_400);

impl Server {
    /// The key of the 911 with the CAD's number `id`: one that came without a number may have got its own later. Of those without
    /// a number it can only be the waiting one, if there is exactly one.
    pub(super) fn emergency_key(&self, id: CallId) -> Option<CallId> {
        if self.emergencies.contains_key(&id) {
            return Some(id);
        }
        let mut unnumbered = self.emergencies.range(..=CallId(0));
        if id.0 > 0 {
            return unnumbered.find(|(_, known)| known.call.id == Some(id)).map(|(key, _)| *key);
        }
        let mut waiting = unnumbered.filter(|(_, known)| known.gone_at.is_none());
        match (waiting.next(), waiting.next()) {
            (Some((key, _)), None) => Some(*key),
            _ => None,
        }
    }

    /// The card of the 911 with the CAD's number `id`.
    #[must_use]
    pub fn emergency_called(&self, id: CallId) -> Option<Subject> {
        let key = self.emergency_key(id)?;
        self.emergencies.get(&key).map(|known| Subject::Emergency(key, known.opened_at))
    }

    pub(super) fn emergency_new(&mut self, call: &EmergencyCall, at: UnixMs, done: &mut Applied) {
        let Some(id) = numbered(call.id) else { return self.emergency_unnumbered(call, Origin::Event, at, done) };
        let Some(key) = self.emergency_key(id) else {
            // If its end came first, it was over before we ever showed it.
            if !self.memory.ended(Entity::Emergency(id), at) {
                self.emergency_made(id, call, Origin::Event, at, done);
            }
            return;
        };
        let read_first = self.memory.claim(Edge::Emergency(key), at);
        let Some(known) = self.emergencies.get_mut(&key) else { return };
        if known.gone_at.is_none() {
            match read_first {
                // The read could not know that it was news.
                Some(true) if known.became.is_none() => {
                    known.joined_late = false;
                    done.touched.insert(Entity::Emergency(key));
                    done.card(Subject::Emergency(key, known.opened_at), CardChange::Created, CardPhase::Open);
                }
                Some(_) => {}
                None => self.update_emergency(key, call, done),
            }
            return;
        }
        // Numbers are reused, but a late copy of its creation doesn't reopen a call that is over.
        let fingerprint = Some(content_fingerprint(call));
        if read_first.is_none() && known.content_fingerprint != fingerprint && Some(content_fingerprint(&known.call)) != fingerprint {
            self.emergency_made(id, call, Origin::Event, at, done);
        }
    }

    /// A call that can't be identified later must still be shown.
    pub(super) fn emergency_unnumbered(&mut self, call: &EmergencyCall, origin: Origin, at: UnixMs, done: &mut Applied) {
        let mut lately_read = self.emergencies.iter().filter(|(_, known)| same_words(&known.call, call)).map(|(key, _)| *key);
        if origin == Origin::Event && lately_read.any(|key| self.memory.claim(Edge::Emergency(key), at).is_some()) {
            return; // a read found it first, with its number
        }
        let mut key = CallId(at.0.saturating_abs().max(1).saturating_neg());
        // Two with equal content are two: nothing says that they are one, and copies from another source were removed before.
        while self.emergencies.contains_key(&key) {
            key.0 = key.0.saturating_sub(1);
        }
        self.emergency_made(key, call, origin, at, done);
    }

    pub(super) fn emergency_made(&mut self, key: CallId, call: &EmergencyCall, origin: Origin, at: UnixMs, done: &mut Applied) {
        let opened_at = apart(self.emergencies.get(&key).map(|known| known.opened_at), at);
        let panic_of = self.panic_behind(call, at);
        if let Some(panic) = panic_of.and_then(|ident| self.panics.get_mut(&ident)) {
            panic.linked_911 = Some(key);
            done.touched.insert(Entity::Panic(panic.ident));
            let over = panic.over_at.is_some();
            done.card(Subject::Panic(panic.ident, panic.since), CardChange::Updated, CardPhase::over_if(over));
        }
        // The event of its dispatch call may have come first.
        let became = self.taken_by(key, call.id);
        let (call, content_fingerprint) = (call.clone(), Some(content_fingerprint(call)));
        self.emergencies.insert(
            key,
            Emergency {
                call,
                opened_at,
                gone_at: None,
                became,
                became_at: became.map(|_| at),
                panic_of,
                content_fingerprint,
                joined_late: !origin.is_news(),
                taken: None,
                notes: Vec::new(),
            },
        );
        done.touched.insert(Entity::Emergency(key));
        // A read that finds it dispatched already has nobody to ping.
        let created = origin.is_news() && (origin == Origin::Event || became.is_none());
        done.card(Subject::Emergency(key, opened_at), CardChange::created_if(created), CardPhase::over_if(became.is_some()));
        if origin != Origin::Event {
            self.memory.record(Edge::Emergency(key), !origin.is_news(), at);
        }
    }

    /// Updates a waiting call if anything is new. `updated` and the number alone aren't.
    pub(super) fn update_emergency(&mut self, key: CallId, call: &EmergencyCall, done: &mut Applied) {
        let Some(known) = self.emergencies.get_mut(&key) else { return };
        if same_content(&known.call, call) {
            return;
        }
        let number = numbered(call.id).or(known.call.id);
        known.call = EmergencyCall { id: number, ..call.clone() };
        done.touched.insert(Entity::Emergency(key));
        done.card(Subject::Emergency(key, known.opened_at), CardChange::Updated, CardPhase::over_if(known.became.is_some()));
    }

    /// The open dispatch call that names this 911 as its origin.
    pub(super) fn taken_by(&self, key: CallId, number: Option<CallId>) -> Option<CallId> {
        let named = |from: CallId| from == key || Some(from) == numbered(number);
        self.dispatches.values().find(|call| call.from_911.is_some_and(named) && call.closed_at.is_none()).map(|call| call.id)
    }

    /// A 911 that a dispatch call names as its origin was dispatched, even if it was removed before (docs/cad-contract.md#e11).
    pub(super) fn emergency_became(&mut self, from: CallId, call: CallId, at: UnixMs, done: &mut Applied) {
        let Some(key) = self.emergency_key(from) else { return };
        if let Some(known) = self.emergencies.get_mut(&key).filter(|known| known.became.is_none() && at.since(known.opened_at) < DAY) {
            known.became = Some(call);
            known.became_at = Some(at);
            done.touched.insert(Entity::Emergency(key));
            done.card(Subject::Emergency(key, known.opened_at), CardChange::Updated, CardPhase::Over);
            self.offered_no_more(key, done);
        }
    }

    /// The unit whose panic made the game create this 911.
    fn panic_behind(&self, call: &EmergencyCall, at: UnixMs) -> Option<Ident> {
        self.panics
            .values()
            .filter(|panic| panic.linked_911.is_none() && at.apart(panic.since) <= PANIC_CALL_WITHIN)
            .find(|panic| self.units.get(&panic.ident).is_some_and(|state| is_panic_of(call, &state.unit)))
            .map(|panic| panic.ident)
    }

    pub(super) fn emergency_removed(&mut self, id: CallId, at: UnixMs, done: &mut Applied) {
        match self.emergency_key(id) {
            Some(key) => self.emergency_gone(key, at, done),
            None => self.memory.record(Edge::Ended(Entity::Emergency(id)), false, at),
        }
    }

    pub(super) fn emergency_gone(&mut self, key: CallId, at: UnixMs, done: &mut Applied) {
        let became = self.taken_by(key, self.emergencies.get(&key).and_then(|known| known.call.id));
        if let Some(known) = self.emergencies.get_mut(&key).filter(|known| known.gone_at.is_none()) {
            known.gone_at = Some(at);
            known.became = known.became.or(became);
            done.touched.insert(Entity::Emergency(key));
            done.card(Subject::Emergency(key, known.opened_at), CardChange::Updated, CardPhase::Over);
            self.offered_no_more(key, done);
        }
    }
}

/// A number by which the CAD can identify a call: the docs print −1 where one belongs.
pub(super) fn numbered(id: Option<CallId>) -> Option<CallId> {
    id.filter(|id| id.0 > 0)
}

fn same_content(one: &EmergencyCall, other: &EmergencyCall) -> bool {
    let of = |call: &EmergencyCall| EmergencyCall { id: None, updated: None, ..call.clone() };
    of(one) == of(other)
}

/// The identity of a call by its content.
pub(super) fn same_words(one: &EmergencyCall, other: &EmergencyCall) -> bool {
    (&one.caller, &one.location, &one.description) == (&other.caller, &other.location, &other.description)
}

fn content_fingerprint(call: &EmergencyCall) -> u64 {
    fingerprint(&(call.is_emergency, &call.caller, &call.location, &call.description, &call.meta))
}

/// Whether the game created this 911 for the unit's panic: caller = its name, "Unit {callsign} has pressed their panic button!"
/// (docs/cad-contract.md#e10).
pub(super) fn is_panic_of(call: &EmergencyCall, unit: &Unit) -> bool {
    let description = call.description.as_deref().unwrap_or_default();
    let named = unit.name.is_some() && unit.name == call.caller;
    let callsign = || unit.callsign.as_deref().is_some_and(|callsign| description.split_whitespace().any(|word| word == callsign));
    description.to_lowercase().contains("panic button") && (named || callsign())
}
