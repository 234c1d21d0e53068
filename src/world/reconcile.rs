//! Applies the difference between the CAD's listing and the world like events: changes made through the
//! API raise no event, and events get lost (docs/cad-contract.md#e2, #h7).
//!
//! ```text
//! an event named it since the CAD was asked ─▶ skipped, counted if the listing disagrees
//! listed, not known    ─▶ added: as news if the previous read is recent, else silently
//! listed, known        ─▶ the difference, by the same reducers as an edit; a call that was over is open again
//! known, not listed    ─▶ over: closed, removed (or dispatched), logged out
//! ```
//!
//! Equal listings change nothing the second time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::applied::{Applied, Origin};
use super::dispatch::{CLOSED, content_fingerprint, same_words};
use super::emergency::{self, numbered};
use super::memory::Edge;
use super::row::MAX_PER_KIND;
use super::unit::OFFLINE;
use super::{CardChange, CardPhase, Entity, ListedCalls, ListedUnits, Listing, Server, Subject};
use crate::clock::UnixMs;
use crate::event::{DispatchCall, EmergencyCall, Unit};
use crate::ids::{CallId, Ident};

/// The CAD may answer with its state a moment before the request.
pub const GRACE: Duration = Duration::from_secs(3);
/// A read's findings are news if the previous one is at most this old, or three times the shortest possible interval. After
/// that they count as from before the start.
pub const FRESH: Duration = Duration::from_secs(600);

/// The effect of a listing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reconciled {
    /// As an event's.
    pub applied: Applied,
    /// Entities skipped because a later event named them: read again soon.
    pub skipped: usize,
    /// Calls (911 or dispatch) that the listing added, closed or reopened.
    pub caught_up: usize,
}

/// One listing being applied.
struct Pass {
    /// Events at or after this may be newer than the listing.
    since: UnixMs,
    at: UnixMs,
    /// Whether findings are news.
    fresh: bool,
    out: Reconciled,
}

impl Server {
    /// Makes the world match `listing`, `at` being the time now.
    pub fn reconcile(&mut self, listing: &Listing, at: UnixMs) -> Reconciled {
        self.listed.every = listing.every;
        let fresh = |last| is_fresh(last, at, listing.every);
        let open = self.open_calls();
        let mut pass = Pass { since: listing.asked_at.minus(GRACE), at, fresh: false, out: Reconciled::default() };
        self.set_back(at, &mut pass.out.applied);
        // Units first: the cards of calls name them.
        if let Some(units) = &listing.units {
            pass.fresh = fresh(self.listed.units);
            self.reconcile_units(units, &mut pass);
            self.listed.units = Some(listing.asked_at);
            if units.complete {
                self.listed.whole = Some(listing.asked_at);
            }
            pass.out.applied.touched.insert(Entity::Listed);
        }
        if let Some(calls) = &listing.calls {
            pass.fresh = fresh(self.listed.calls);
            // Dispatch calls first: a 911 that one of them names was dispatched, not removed.
            self.reconcile_dispatches(calls, &mut pass);
            self.reconcile_emergencies(calls, &mut pass);
            self.listed.calls = Some(listing.asked_at);
            pass.out.applied.touched.insert(Entity::Listed);
        }
        self.share_panics(&mut pass.out.applied);
        pass.out.caught_up = open.symmetric_difference(&self.open_calls()).count();
        pass.out
    }

    /// Whether the calls were read recently: calls that were not among them are news.
    pub(super) fn calls_are_fresh(&self, at: UnixMs) -> bool {
        is_fresh(self.listed.calls, at, self.listed.every)
    }

    fn open_calls(&self) -> BTreeSet<Subject> {
        let emergencies = self.emergencies.iter().map(|(id, call)| Subject::Emergency(*id, call.opened_at));
        let dispatches = self.dispatches.iter().map(|(id, call)| Subject::Dispatch(*id, call.opened_at));
        emergencies.chain(dispatches).filter(|subject| !self.is_over(*subject)).collect()
    }

    fn was_named(&self, entity: Entity, pass: &Pass) -> bool {
        self.memory.was_named(entity, pass.since, pass.at)
    }

    // ---- units ----

    fn reconcile_units(&mut self, listed: &ListedUnits, pass: &mut Pass) {
        let units: BTreeMap<Ident, &Unit> =
            listed.units.iter().filter(|unit| unit.status != Some(OFFLINE)).map(|unit| (unit.ident, unit)).collect();
        for (ident, unit) in &units {
            if self.was_named(Entity::Unit(*ident), pass) {
                let mut probe = Self::default();
                probe.units.extend(self.units.get_key_value(ident).map(|(ident, state)| (*ident, state.clone())));
                probe.panics.extend(self.panics.get_key_value(ident).map(|(ident, panic)| (*ident, panic.clone())));
                let before = probe.clone();
                probe.unit_listed(unit, pass.fresh, pass.at, &mut Applied::default());
                pass.out.skipped += usize::from(probe != before);
            } else if self.units.contains_key(ident) || self.units.len() < MAX_PER_KIND {
                self.unit_listed(unit, pass.fresh, pass.at, &mut pass.out.applied);
            }
        }
        if !listed.complete {
            return;
        }
        // A panic of a unit that was only ever seen by number ends when it is missing, too.
        let on_duty = self.units.iter().filter(|(_, state)| state.on_duty).map(|(ident, _)| *ident);
        let in_panic = self.panics.iter().filter(|(_, panic)| panic.over_at.is_none()).map(|(ident, _)| *ident);
        let absent: BTreeSet<Ident> = on_duty.chain(in_panic).filter(|ident| !units.contains_key(ident)).collect();
        for ident in absent {
            if self.was_named(Entity::Unit(ident), pass) {
                pass.out.skipped += 1;
            } else {
                self.logout(ident, Origin::Listing { fresh: pass.fresh }, pass.at, &mut pass.out.applied);
            }
        }
    }

    // ---- dispatch calls ----

    fn reconcile_dispatches(&mut self, listed: &ListedCalls, pass: &mut Pass) {
        let is_closed = |incoming: &&DispatchCall| incoming.status == Some(CLOSED);
        let mut open: BTreeMap<CallId, &DispatchCall> = BTreeMap::new();
        let mut unnumbered: Vec<&DispatchCall> = Vec::new();
        for incoming in listed.dispatches.iter().filter(|incoming| !is_closed(incoming)) {
            match numbered(incoming.id) {
                Some(id) => drop(open.entry(id).or_insert(incoming)),
                None => unnumbered.push(incoming),
            }
        }
        let closed: BTreeMap<CallId, &DispatchCall> = (listed.closed.iter().chain(listed.dispatches.iter().filter(is_closed)))
            .filter_map(|incoming| numbered(incoming.id).map(|id| (id, incoming)))
            .filter(|(id, _)| !open.contains_key(id))
            .collect();

        let mut seen = self.match_unnumbered_dispatches(&open, &mut unnumbered, pass);
        for (id, incoming) in open {
            let key = self.dispatch_key(id);
            seen.extend(key);
            if self.was_named(Entity::Dispatch(id), pass) || key.is_some_and(|key| self.was_named(Entity::Dispatch(key), pass)) {
                let agrees = key.is_some_and(|key| self.dispatch_agrees(key, incoming, pass));
                pass.out.skipped += usize::from(!agrees);
                continue;
            }
            match key {
                Some(key) => self.update_dispatch(key, incoming, Origin::Listing { fresh: pass.fresh }, pass.at, &mut pass.out.applied),
                None if self.dispatches.len() >= MAX_PER_KIND => {}
                None => {
                    self.dispatch_made(id, incoming, Some(content_fingerprint(incoming)), pass.fresh, pass.at, &mut pass.out.applied);
                    self.memory.record(Edge::Dispatch(id), !pass.fresh, pass.at);
                    self.notes_read(id, pass.at);
                    seen.insert(id);
                }
            }
        }
        let missing: Vec<(CallId, Option<CallId>)> = (self.dispatches.iter())
            .filter(|(key, call)| call.closed_at.is_none() && !seen.contains(key))
            .map(|(key, call)| (*key, numbered(Some(*key)).or(call.listed_as)))
            .collect();
        for (key, id) in missing {
            if self.was_named(Entity::Dispatch(key), pass) || id.is_some_and(|id| self.was_named(Entity::Dispatch(id), pass)) {
                pass.out.skipped += 1;
            } else if let Some(incoming) = id.and_then(|id| closed.get(&id)) {
                let incoming = DispatchCall { status: Some(CLOSED), ..(*incoming).clone() };
                self.update_dispatch(key, &incoming, Origin::Listing { fresh: pass.fresh }, pass.at, &mut pass.out.applied);
            } else if !listed.dispatches_in_part {
                self.dispatch_closed(key, pass.at, &mut pass.out.applied);
            }
        }
        for incoming in unnumbered {
            if self.dispatches.len() < MAX_PER_KIND {
                self.dispatch_unnumbered(incoming, true, Origin::Listing { fresh: pass.fresh }, pass.at, &mut pass.out.applied);
            }
        }
    }

    /// Whether the listing has nothing new about a call.
    fn dispatch_agrees(&self, key: CallId, incoming: &DispatchCall, pass: &Pass) -> bool {
        let Some(known) = self.dispatches.get(&key) else { return false };
        let mut probe = Self::default();
        probe.dispatches.insert(key, known.clone());
        probe.update_dispatch(key, incoming, Origin::Listing { fresh: pass.fresh }, pass.at, &mut Applied::default());
        probe.dispatches.get(&key) == Some(known)
    }

    /// Matches calls that came without a number with the listed ones, one for one: from now on they have a number. Matches
    /// among `unnumbered` are removed from it and returned.
    fn match_unnumbered_dispatches(
        &mut self,
        open: &BTreeMap<CallId, &DispatchCall>,
        unnumbered: &mut Vec<&DispatchCall>,
        pass: &mut Pass,
    ) -> BTreeSet<CallId> {
        let mut found = BTreeSet::new();
        // Oldest first: the CAD numbers them in that order.
        let waiting: Vec<CallId> = (self.dispatches.range(..=CallId(0)).rev())
            .filter(|(_, known)| known.closed_at.is_none() && known.listed_as.is_none())
            .map(|(key, _)| *key)
            .collect();
        for key in waiting {
            let Some(known) = self.dispatches.get(&key) else { continue };
            let same =
                open.iter().find(|(id, incoming)| same_words(known, incoming) && self.dispatch_key(**id).is_none()).map(|(id, _)| *id);
            if let Some(id) = same {
                if let Some(known) = self.dispatches.get_mut(&key) {
                    known.listed_as = Some(id);
                }
                pass.out.applied.touched.insert(Entity::Dispatch(key));
            } else if let Some(place) = unnumbered.iter().position(|incoming| same_words(known, incoming)) {
                let incoming = unnumbered.remove(place);
                found.insert(key);
                if !self.was_named(Entity::Dispatch(key), pass) {
                    self.update_dispatch(key, incoming, Origin::Listing { fresh: pass.fresh }, pass.at, &mut pass.out.applied);
                }
            }
        }
        found
    }

    // ---- 911 ----

    fn reconcile_emergencies(&mut self, listed: &ListedCalls, pass: &mut Pass) {
        let mut waiting: BTreeMap<CallId, &EmergencyCall> = BTreeMap::new();
        let mut unnumbered: Vec<&EmergencyCall> = Vec::new();
        for call in &listed.emergencies {
            match numbered(call.id) {
                Some(id) => drop(waiting.entry(id).or_insert(call)),
                None => unnumbered.push(call),
            }
        }
        let origin = Origin::Listing { fresh: pass.fresh };
        let mut seen = self.match_unnumbered_emergencies(&waiting, &mut unnumbered, pass);
        for (id, call) in waiting {
            let key = self.emergency_key(id);
            seen.extend(key);
            if self.was_named(Entity::Emergency(id), pass) || key.is_some_and(|key| self.was_named(Entity::Emergency(key), pass)) {
                let agrees = key.is_some_and(|key| self.emergency_agrees(key, call));
                pass.out.skipped += usize::from(!agrees);
                continue;
            }
            match key {
                Some(key) => self.emergency_listed(key, call, &mut pass.out.applied),
                None if self.emergencies.len() >= MAX_PER_KIND => {}
                None => {
                    let taken = listed.closed.iter().any(|incoming| incoming.from_911 == Some(id) && ended_after(incoming, call.updated));
                    let origin = if taken { Origin::Listing { fresh: false } } else { origin };
                    self.emergency_made(id, call, origin, pass.at, &mut pass.out.applied);
                    seen.insert(id);
                }
            }
        }
        let missing: Vec<(CallId, Option<CallId>)> = (self.emergencies.iter())
            .filter(|(key, known)| known.gone_at.is_none() && !seen.contains(key))
            .map(|(key, known)| (*key, numbered(known.call.id)))
            .collect();
        // One whose number couldn't be read this time is not another call.
        let unread = |call: &&EmergencyCall| {
            let mut known = missing.iter().filter_map(|(key, _)| self.emergencies.get(key));
            listed.emergencies_in_part && known.any(|known| emergency::same_words(&known.call, call))
        };
        unnumbered.retain(|call| !unread(call));
        for (key, id) in missing {
            if self.was_named(Entity::Emergency(key), pass) || id.is_some_and(|id| self.was_named(Entity::Emergency(id), pass)) {
                pass.out.skipped += 1;
            } else if !listed.emergencies_in_part {
                self.emergency_gone(key, pass.at, &mut pass.out.applied);
            }
        }
        for call in unnumbered {
            if self.emergencies.len() < MAX_PER_KIND {
                self.emergency_unnumbered(call, origin, pass.at, &mut pass.out.applied);
            }
        }
        // Created and closed between two reads: never shown, but its 911 was dispatched.
        for incoming in &listed.closed {
            if let (Some(id), Some(from)) = (numbered(incoming.id), incoming.from_911) {
                let known = self.emergency_key(from).and_then(|key| self.emergencies.get(&key));
                let since = known.map(|known| known.call.updated.map_or(known.opened_at, |updated| updated.min(known.opened_at)));
                // A 911 added by this very pass has no time of its own.
                if ended_after(incoming, since.filter(|since| *since != pass.at)) {
                    self.emergency_became(from, id, pass.at, &mut pass.out.applied);
                }
            }
        }
    }

    /// A 911 that the CAD lists: it waits, unless a dispatch call came from it and the CAD hasn't removed it yet.
    fn emergency_listed(&mut self, key: CallId, call: &EmergencyCall, done: &mut Applied) {
        let Some(known) = self.emergencies.get_mut(&key) else { return };
        if known.became.is_none() && known.gone_at.take().is_some() {
            done.touched.insert(Entity::Emergency(key));
            done.card(Subject::Emergency(key, known.opened_at), CardChange::Updated, CardPhase::Open);
        }
        self.update_emergency(key, call, done);
    }

    fn emergency_agrees(&self, key: CallId, call: &EmergencyCall) -> bool {
        let Some(known) = self.emergencies.get(&key) else { return false };
        let mut probe = Self::default();
        probe.emergencies.insert(key, known.clone());
        probe.emergency_listed(key, call, &mut Applied::default());
        probe.emergencies.get(&key) == Some(known)
    }

    /// As [`Server::match_unnumbered_dispatches`].
    fn match_unnumbered_emergencies(
        &mut self,
        waiting: &BTreeMap<CallId, &EmergencyCall>,
        unnumbered: &mut Vec<&EmergencyCall>,
        pass: &mut Pass,
    ) -> BTreeSet<CallId> {
        let mut found = BTreeSet::new();
        let ours: Vec<CallId> = (self.emergencies.range(..=CallId(0)).rev())
            .filter(|(_, known)| known.gone_at.is_none() && numbered(known.call.id).is_none())
            .map(|(key, _)| *key)
            .collect();
        for key in ours {
            let Some(known) = self.emergencies.get(&key) else { continue };
            let same = waiting
                .iter()
                .find(|(id, call)| emergency::same_words(&known.call, call) && self.emergency_key(**id).is_none())
                .map(|(id, _)| *id);
            if let Some(id) = same {
                if let Some(known) = self.emergencies.get_mut(&key) {
                    known.call.id = Some(id);
                }
                pass.out.applied.touched.insert(Entity::Emergency(key));
                if let Some(call) = self.taken_by(key, Some(id)) {
                    self.emergency_became(id, call, pass.at, &mut pass.out.applied);
                }
            } else if let Some(place) = unnumbered.iter().position(|call| emergency::same_words(&known.call, call)) {
                unnumbered.remove(place);
                found.insert(key);
            }
        }
        found
    }
}

/// Numbers are reused: a call whose last change is older than the 911 didn't come from it.
fn ended_after(incoming: &DispatchCall, since: Option<UnixMs>) -> bool {
    incoming.updated.zip(since).is_none_or(|(updated, since)| updated >= since)
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

fn is_fresh(last: Option<UnixMs>, at: UnixMs, every: Duration) -> bool {
    last.is_some_and(|last| at.since(last) <= FRESH.max(every.saturating_mul(3)))
}
