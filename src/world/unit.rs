//! The reducers of units: duty, status, panic.

use std::time::Duration;

use super::applied::{Applied, Origin};
use super::emergency::{PANIC_CALL_WITHIN, is_panic_of};
use super::memory::{Edge, LATE, apart, lately};
use super::{CardChange, CardPhase, Change, Ended, Entity, Panic, Server, Subject, UnitState};
use crate::clock::UnixMs;
use crate::event::Unit;
use crate::ids::{CallId, Ident};

/// The documented status of a unit that isn't there (docs/cad-contract.md#n1).
pub(super) const OFFLINE: i64 = 100;

impl UnitState {
    /// A unit known by number.
    fn of(ident: Ident) -> Self {
        Self { unit: Unit { ident, ..Unit::default() }, ..Self::default() }
    }

    /// Whether its logout may have overtaken what comes now.
    fn left_lately(&self, at: UnixMs) -> bool {
        !self.on_duty && self.since.is_some_and(|since| lately(since, at))
    }
}

/// How long a doubtful end of a panic ([`Panic::by_flag`]) stays doubtful at most: until reads have settled it, even if the CAD asks
/// for half as many and one fails. A panic with an event of its own counts as another one much sooner ([`LATE`]).
const DOUBTED: Duration = Duration::from_secs(300);

impl Panic {
    fn ended_in_doubt(&self, at: UnixMs, within: Duration) -> bool {
        self.by_flag && self.over_at.is_some_and(|over| at.is_within(within, over))
    }
}

impl Server {
    pub(super) fn see(&mut self, ident: Ident, at: UnixMs, done: &mut Applied) {
        let state = self.units.entry(ident).or_insert_with(|| UnitState::of(ident));
        state.seen_at = at;
        done.touched.insert(Entity::Unit(ident));
    }

    /// Merges a whole unit from an event. Absent fields keep their value: short forms of units are common.
    pub(super) fn unit(&mut self, unit: &Unit, login: bool, at: UnixMs, done: &mut Applied) {
        let ident = unit.ident;
        let alive = self.alive(ident);
        self.see(ident, at, done);
        let Some(state) = self.units.get_mut(&ident) else { return };
        if !login && state.left_lately(at) {
            return; // sent before it left
        }
        let before = state.unit.clone();
        // A unit that goes on duty has no panic yet; a login event of a unit on duty is old, and knows of none.
        let knows_panic = !login || !state.on_duty;
        let status = unit.status.filter(|status| before.status != Some(*status));
        merge(&mut state.unit, unit);
        if unit.location.is_some() {
            state.located_at = Some(at);
        }
        if login && !state.on_duty {
            state.on_duty = true;
            state.since = Some(at);
            done.changes.push(Change::Duty { ident, on: true, after: None });
        } else if !login && !state.on_duty && unit.status != Some(OFFLINE) {
            // Seen whole means on duty, but since when is unknown.
            state.on_duty = true;
            state.since = None;
        }
        state.duty_event(login, &before, alive, at, done);
        if let (Some(to), false) = (status, login) {
            done.changes.push(Change::Status { ident, from: before.status, to });
        }
        self.redraw(&before, done);
        if let Some(on) = unit.is_panic.filter(|on| *on || knows_panic) {
            if on && self.panics.get(&ident).is_some_and(|panic| panic.ended_in_doubt(at, DOUBTED)) {
                return self.panic_goes_on(ident, done);
            }
            let flags_only = self.panics.get(&ident).is_some_and(|panic| panic.over_at.is_none() || panic.by_flag);
            self.panic(ident, on, Origin::Event, at, done);
            // A state from before the panic comes within seconds of its start, later only a login: a unit in panic logged in before. A
            // flag that comes later is newer than the panic.
            let may_be_older = |panic: &&mut Panic| login || at.since(panic.since) <= LATE;
            if let Some(panic) = self.panics.get_mut(&ident).filter(|_| !on && flags_only).filter(may_be_older) {
                panic.by_flag = true;
            }
        }
    }

    /// Merges a listed unit: on duty, in this state. Touches nothing without a difference.
    pub(super) fn unit_listed(&mut self, unit: &Unit, fresh: bool, at: UnixMs, done: &mut Applied) {
        let ident = unit.ident;
        let before = self.units.get(&ident).cloned().unwrap_or_else(|| UnitState::of(ident));
        let mut state = before.clone();
        merge(&mut state.unit, unit);
        if state.unit.location != before.unit.location {
            state.located_at = Some(at);
        }
        let came = !state.on_duty;
        if came {
            state.on_duty = true;
            state.since = fresh.then_some(at);
        }
        state.duty_listed(came && fresh, &before.unit, at, done);
        if state != before {
            state.seen_at = at;
            done.touched.insert(Entity::Unit(ident));
            let (from, to) = (before.unit.status, state.unit.status);
            self.units.insert(ident, state);
            if came && fresh {
                done.changes.push(Change::Duty { ident, on: true, after: None });
            } else if let (Some(from), Some(to), true) = (from, to, fresh && from != to) {
                done.changes.push(Change::Status { ident, from: Some(from), to });
            }
            self.redraw(&before.unit, done);
        }
        if let Some(on) = unit.is_panic {
            self.panic(ident, on, Origin::Listing { fresh }, at, done);
        }
    }

    /// Renders again what names a unit whose previous state was `before`, if the change is visible.
    fn redraw(&self, before: &Unit, done: &mut Applied) {
        let Some(now) = self.units.get(&before.ident).map(|state| &state.unit) else { return };
        let renamed =
            (&before.callsign, &before.name, &before.department, &before.rank) != (&now.callsign, &now.name, &now.department, &now.rank);
        let moved = before.location != now.location && self.panics.get(&before.ident).is_some_and(|p| p.over_at.is_none());
        if renamed || moved || before.status != now.status {
            self.cards_naming(before.ident, done);
        }
    }

    pub(super) fn status(&mut self, ident: Ident, to: i64, at: UnixMs, done: &mut Applied) {
        let Some(state) = self.units.get_mut(&ident) else { return };
        if state.unit.status == Some(to) || state.left_lately(at) {
            return;
        }
        let from = state.unit.status.replace(to);
        state.begin_duty(false, at, done);
        done.changes.push(Change::Status { ident, from, to });
        self.cards_naming(ident, done);
    }

    pub(super) fn logout(&mut self, ident: Ident, origin: Origin, at: UnixMs, done: &mut Applied) {
        let missed = origin != Origin::Event;
        let left_at = if missed { self.alive(ident) } else { at };
        self.see(ident, at, done);
        let Some(state) = self.units.get_mut(&ident) else { return };
        let (was_on, since) = (state.on_duty, state.since);
        // A unit never seen whole may well have been on duty before us.
        let unknown = !was_on && since.is_none() && origin == Origin::Event;
        state.end_duty(Ended { at: left_at, missed }, done);
        state.on_duty = false;
        state.since = Some(at);
        state.unit.status = Some(OFFLINE);
        state.unit.is_dispatch = None;
        if (was_on || unknown) && origin.is_news() {
            done.changes.push(Change::Duty { ident, on: false, after: since.filter(|_| was_on).map(|since| at.since(since)) });
        }
        // The flag ends with the unit's session: nobody is left to switch it off.
        self.panic(ident, false, origin, at, done);
        self.cards_naming(ident, done);
    }

    /// The unit's panic flag. One alarm per false→true edge: an open panic is never raised again, and an edge that a read found
    /// first and an event reports a moment later is one edge.
    pub(super) fn panic(&mut self, ident: Ident, on: bool, origin: Origin, at: UnixMs, done: &mut Applied) {
        let read_first = if on && origin == Origin::Event { self.memory.claim(Edge::Panic(ident), at) } else { None };
        // Once it was reported over, it isn't the one that the read found.
        if let (Some(silent), Some(panic)) = (read_first, self.panics.get_mut(&ident))
            && (panic.over_at.is_none() || panic.by_flag)
        {
            let reopened = panic.over_at.take().is_some();
            panic.by_flag = false;
            // The read may not have known that it was news.
            panic.joined_late &= !silent;
            if silent || reopened {
                done.touched.insert(Entity::Panic(ident));
                done.card(Subject::Panic(ident, panic.since), CardChange::created_if(silent), CardPhase::Open);
            }
            return;
        }
        if let Some(state) = self.units.get_mut(&ident)
            && state.unit.is_panic != Some(on)
        {
            state.unit.is_panic = Some(on);
            done.touched.insert(Entity::Unit(ident));
        }
        let before = self.panics.get(&ident).map(|panic| panic.since);
        let within = if origin == Origin::Event { LATE } else { DOUBTED };
        let in_doubt = self.panics.get(&ident).is_some_and(|panic| panic.ended_in_doubt(at, within));
        let open = self.panics.get_mut(&ident).filter(|panic| panic.over_at.is_none());
        match (open, on) {
            // The flag that ended it was older than the panic itself: it was never over.
            (None, true) if in_doubt => self.panic_goes_on(ident, done),
            (None, true) => {
                let linked_911 = self.panic_call(ident, at);
                if let Some(emergency) = linked_911.and_then(|id| self.emergencies.get_mut(&id)) {
                    emergency.panic_of = Some(ident);
                    let over = emergency.became.is_some();
                    done.touched.extend(linked_911.map(Entity::Emergency));
                    done.changes.extend(linked_911.map(|id| Change::Card {
                        subject: Subject::Emergency(id, emergency.opened_at),
                        change: CardChange::Updated,
                        phase: CardPhase::over_if(over),
                    }));
                }
                let since = apart(before, at);
                self.panics.insert(
                    ident,
                    Panic {
                        ident,
                        since,
                        over_at: None,
                        linked_911,
                        by_flag: false,
                        joined_late: !origin.is_news(),
                        taken: None,
                        shared: None,
                    },
                );
                done.touched.insert(Entity::Panic(ident));
                done.raised.push(ident);
                done.card(Subject::Panic(ident, since), CardChange::created_if(origin.is_news()), CardPhase::Open);
                if origin != Origin::Event {
                    self.memory.record(Edge::Panic(ident), !origin.is_news(), at);
                }
            }
            (None, false) => {
                // Reported again, by something other than an old flag.
                if let Some(panic) = self.panics.get_mut(&ident).filter(|panic| panic.by_flag) {
                    panic.by_flag = false;
                    done.touched.insert(Entity::Panic(ident));
                }
            }
            (Some(panic), false) => {
                panic.over_at = Some(at);
                done.touched.insert(Entity::Panic(ident));
                done.card(Subject::Panic(ident, panic.since), CardChange::Updated, CardPhase::Over);
            }
            _ => {}
        }
    }

    fn panic_goes_on(&mut self, ident: Ident, done: &mut Applied) {
        if let Some(panic) = self.panics.get_mut(&ident) {
            (panic.over_at, panic.by_flag) = (None, false);
            done.touched.insert(Entity::Panic(ident));
            done.card(Subject::Panic(ident, panic.since), CardChange::Updated, CardPhase::Open);
        }
    }

    /// The 911 that the game created for this panic, if it came first.
    fn panic_call(&self, ident: Ident, at: UnixMs) -> Option<CallId> {
        let unit = &self.units.get(&ident)?.unit;
        self.emergencies
            .iter()
            .filter(|(_, e)| e.panic_of.is_none() && e.gone_at.is_none() && at.apart(e.opened_at) <= PANIC_CALL_WITHIN)
            .find(|(_, e)| is_panic_of(&e.call, unit))
            .map(|(id, _)| *id)
    }
}

fn merge(known: &mut Unit, said: &Unit) {
    fn take<T: Clone>(known: &mut Option<T>, said: &Option<T>) {
        if said.is_some() {
            known.clone_from(said);
        }
    }
    take(&mut known.account, &said.account);
    take(&mut known.status, &said.status);
    take(&mut known.location, &said.location);
    take(&mut known.aop, &said.aop);
    take(&mut known.is_dispatch, &said.is_dispatch);
    take(&mut known.callsign, &said.callsign);
    take(&mut known.name, &said.name);
    take(&mut known.district, &said.district);
    take(&mut known.department, &said.department);
    take(&mut known.subdivision, &said.subdivision);
    take(&mut known.rank, &said.rank);
    take(&mut known.group, &said.group);
    take(&mut known.page, &said.page);
    if !said.identities.is_empty() {
        known.identities.clone_from(&said.identities);
    }
}
