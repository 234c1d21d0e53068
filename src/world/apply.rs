//! The reducers: what each event does to a server's world. Pure; the time is an argument.
//!
//! Every reducer is safe to repeat: the same event twice changes nothing the second time, so that a copy that came by another way
//! cannot raise a second alarm.

use std::collections::BTreeSet;

use super::{Change, Dispatch, Emergency, Entity, MAX_MOMENTS, MAX_NOTES, Moment, MomentKind, Panic, Server, Subject, UnitState};
use crate::clock::UnixMs;
use crate::event::{DispatchCall, EmergencyCall, Event, Note, Unit};
use crate::ids::{CallId, Ident};

/// What an event did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Applied {
    /// For people, each subject at most once.
    pub changes: Vec<Change>,
    /// Rows to write (or to delete: [`Server::row`] tells).
    pub touched: BTreeSet<Entity>,
}

/// A 911 that the game made of a panic comes within this time of it (ms).
const PANIC_CALL_WITHIN: i64 = 60_000;

impl Applied {
    fn card(&mut self, subject: Subject, created: bool, over: bool) {
        for change in &mut self.changes {
            if let Change::Card { subject: known, created: c, over: o } = change
                && *known == subject
            {
                *c |= created;
                *o = over;
                return;
            }
        }
        self.changes.push(Change::Card { subject, created, over });
    }

    fn attached(&mut self, subject: Subject, idents: &[Ident], on: bool) {
        self.changes.extend(idents.iter().map(|ident| Change::Attach { subject, ident: *ident, on }));
    }
}

impl Server {
    /// Applies `event`, which was said at `at`.
    pub fn apply(&mut self, event: &Event, at: UnixMs) -> Applied {
        let mut done = Applied::default();
        match event {
            Event::EmergencyNew(call) => self.emergency_new(call, at, &mut done),
            Event::EmergencyRemoved { calls } => {
                for id in calls {
                    self.emergency_gone(*id, at, &mut done);
                }
            }
            Event::Panic { idents, on } => {
                for ident in idents {
                    self.see(*ident, at, &mut done);
                    self.panic(*ident, *on, at, &mut done);
                }
            }
            Event::UnitLogin { units } => {
                for unit in units {
                    self.unit(unit, Some(true), at, &mut done);
                }
            }
            Event::UnitLogout { idents } => {
                for ident in idents {
                    self.logout(*ident, at, &mut done);
                }
            }
            Event::UnitStatus { idents, status, units } => {
                for unit in units {
                    self.unit(unit, None, at, &mut done);
                }
                if let Some(status) = status {
                    for ident in idents {
                        self.see(*ident, at, &mut done);
                        self.status(*ident, *status, &mut done);
                    }
                }
            }
            Event::UnitUpdate { units } => {
                for unit in units {
                    self.unit(unit, None, at, &mut done);
                }
            }
            Event::GroupAdd { idents, group } | Event::GroupRename { idents, new: group, .. } => {
                for ident in idents {
                    self.see(*ident, at, &mut done);
                    if let Some(state) = self.units.get_mut(ident) {
                        state.unit.group = Some(group.clone());
                    }
                }
            }
            Event::GroupRemove { idents, group } => {
                for ident in idents {
                    if let Some(state) = self.units.get_mut(ident)
                        && (group.is_none() || state.unit.group == *group)
                    {
                        state.unit.group = None;
                        done.touched.insert(Entity::Unit(*ident));
                    }
                }
            }
            Event::DispatchNew(call) => self.dispatch(call, true, at, &mut done),
            Event::DispatchEdited(call) => self.dispatch(call, false, at, &mut done),
            Event::DispatchClosed { calls, .. } => {
                for id in calls {
                    self.close(*id, at, &mut done);
                }
            }
            Event::DispatchNote { call, note } => self.note(*call, note, at, &mut done),
            Event::UnitAttach { idents, call, .. } => self.attach(*call, idents, at, &mut done),
            Event::UnitDetach { idents, call, .. } => self.detach(*call, idents, at, &mut done),
            Event::Bodycam { .. }
            | Event::Tone { .. }
            | Event::StreetSign { .. }
            | Event::Record { .. }
            | Event::CharacterSelected { .. }
            | Event::LinkVerified { .. }
            | Event::Callout(_)
            | Event::StationAlert(_)
            | Event::Pager(_)
            | Event::PrintRecord { .. }
            | Event::Ignored
            | Event::Unknown => {}
        }
        done
    }

    /// Whether a subject is over. Unknown subjects are.
    #[must_use]
    pub fn is_over(&self, subject: Subject) -> bool {
        match subject {
            Subject::Emergency(id, at) => {
                self.emergencies.get(&id).is_none_or(|e| e.opened_at != at || e.gone_at.is_some() || e.became.is_some())
            }
            Subject::Dispatch(id, at) => self.dispatches.get(&id).is_none_or(|d| d.opened_at != at || d.closed_at.is_some()),
            Subject::Panic(ident, at) => self.panics.get(&ident).is_none_or(|p| p.since != at || p.over_at.is_some()),
            Subject::Event(..) => true,
        }
    }

    /// Whether the subject is still remembered, over or not.
    #[must_use]
    pub fn knows(&self, subject: Subject) -> bool {
        match subject {
            Subject::Emergency(id, at) => self.emergencies.get(&id).is_some_and(|e| e.opened_at == at),
            Subject::Dispatch(id, at) => self.dispatches.get(&id).is_some_and(|d| d.opened_at == at),
            Subject::Panic(ident, at) => self.panics.get(&ident).is_some_and(|p| p.since == at),
            Subject::Event(..) => false,
        }
    }

    /// Open cards that name a unit: they must be drawn anew when its name or status changes.
    fn cards_naming(&self, ident: Ident, done: &mut Applied) {
        if let Some(panic) = self.panics.get(&ident).filter(|p| p.over_at.is_none()) {
            done.card(Subject::Panic(ident, panic.since), false, false);
        }
        for call in self.dispatches.values() {
            let named = call.units.contains(&ident)
                || call.timeline.iter().any(|m| matches!(&m.what, MomentKind::Attached(i) | MomentKind::Detached(i) if *i == ident));
            if call.closed_at.is_none() && named {
                done.card(Subject::Dispatch(call.id, call.opened_at), false, false);
            }
        }
    }

    // ---- 911 ----

    fn emergency_new(&mut self, call: &EmergencyCall, at: UnixMs, done: &mut Applied) {
        // The docs print −1 where a number belongs: such a call cannot be found again, but it must still be shown.
        let id = call.id.filter(|id| id.0 > 0).unwrap_or(CallId(at.0.saturating_neg()));
        match self.emergencies.get_mut(&id) {
            Some(known) if known.gone_at.is_none() => {
                if known.call != *call {
                    known.call = call.clone();
                    done.touched.insert(Entity::Emergency(id));
                    let over = known.became.is_some();
                    done.card(Subject::Emergency(id, known.opened_at), false, over);
                }
            }
            _ => {
                let panic_of = self.panic_behind(call, at);
                if let Some(panic) = panic_of.and_then(|ident| self.panics.get_mut(&ident)) {
                    panic.linked_911 = Some(id);
                    done.touched.insert(Entity::Panic(panic.ident));
                    let over = panic.over_at.is_some();
                    done.card(Subject::Panic(panic.ident, panic.since), false, over);
                }
                // The dispatch that came of it may have been told of first.
                let became = self.dispatches.values().find(|d| d.from_911 == Some(id) && d.closed_at.is_none()).map(|d| d.id);
                let call = call.clone();
                self.emergencies.insert(id, Emergency { call, opened_at: at, gone_at: None, became, panic_of });
                done.touched.insert(Entity::Emergency(id));
                done.card(Subject::Emergency(id, at), true, became.is_some());
            }
        }
    }

    /// The unit whose panic made the game place this 911.
    fn panic_behind(&self, call: &EmergencyCall, at: UnixMs) -> Option<Ident> {
        self.panics
            .values()
            .filter(|panic| panic.linked_911.is_none() && at.since(panic.since).abs() <= PANIC_CALL_WITHIN)
            .find(|panic| self.units.get(&panic.ident).is_some_and(|state| tells_panic_of(call, &state.unit)))
            .map(|panic| panic.ident)
    }

    fn emergency_gone(&mut self, id: CallId, at: UnixMs, done: &mut Applied) {
        let became = self.dispatches.values().find(|d| d.from_911 == Some(id) && d.closed_at.is_none()).map(|d| d.id);
        if let Some(known) = self.emergencies.get_mut(&id).filter(|known| known.gone_at.is_none()) {
            known.gone_at = Some(at);
            known.became = known.became.or(became);
            done.touched.insert(Entity::Emergency(id));
            done.card(Subject::Emergency(id, known.opened_at), false, true);
        }
    }

    // ---- units ----

    fn see(&mut self, ident: Ident, at: UnixMs, done: &mut Applied) {
        let state =
            self.units.entry(ident).or_insert_with(|| UnitState { unit: Unit { ident, ..Unit::default() }, ..UnitState::default() });
        state.seen_at = at;
        done.touched.insert(Entity::Unit(ident));
    }

    /// Takes a whole unit in. Fields that are absent keep what is known: short forms of units are common.
    fn unit(&mut self, unit: &Unit, login: Option<bool>, at: UnixMs, done: &mut Applied) {
        let ident = unit.ident;
        self.see(ident, at, done);
        let Some(state) = self.units.get_mut(&ident) else { return };
        let before = state.unit.clone();
        let status = unit.status.filter(|status| before.status != Some(*status));
        merge(&mut state.unit, unit);
        if unit.location.is_some() {
            state.located_at = Some(at);
        }
        let offline = unit.status == Some(OFFLINE);
        if login == Some(true) && !state.on_duty {
            state.on_duty = true;
            state.since = Some(at);
            done.changes.push(Change::Duty { ident, on: true, after: None });
        } else if login.is_none() && !offline {
            // Seen whole means on duty, but since when is not known.
            state.on_duty = true;
        }
        let renamed = (&before.callsign, &before.name, &before.department, &before.rank)
            != (&state.unit.callsign, &state.unit.name, &state.unit.department, &state.unit.rank);
        let moved = before.location != state.unit.location && self.panics.get(&ident).is_some_and(|p| p.over_at.is_none());
        if let (Some(to), None) = (status, login) {
            done.changes.push(Change::Status { ident, from: before.status, to });
        }
        if renamed || moved || status.is_some() {
            self.cards_naming(ident, done);
        }
        if let Some(on) = unit.is_panic {
            self.panic(ident, on, at, done);
        }
    }

    fn status(&mut self, ident: Ident, to: i64, done: &mut Applied) {
        let Some(state) = self.units.get_mut(&ident) else { return };
        if state.unit.status == Some(to) {
            return;
        }
        let from = state.unit.status.replace(to);
        done.changes.push(Change::Status { ident, from, to });
        self.cards_naming(ident, done);
    }

    fn logout(&mut self, ident: Ident, at: UnixMs, done: &mut Applied) {
        self.see(ident, at, done);
        let Some(state) = self.units.get_mut(&ident) else { return };
        let (was_on, since) = (state.on_duty, state.since);
        // A unit never seen whole may well have been on duty before we came.
        let unknown = !was_on && since.is_none();
        state.on_duty = false;
        state.since = Some(at);
        state.unit.status = Some(OFFLINE);
        state.unit.is_dispatch = None;
        if was_on || unknown {
            done.changes.push(Change::Duty { ident, on: false, after: since.filter(|_| was_on).map(|since| at.since(since)) });
        }
        // The flag goes with the unit's session: nobody is left to switch it off.
        self.panic(ident, false, at, done);
        self.cards_naming(ident, done);
    }

    fn panic(&mut self, ident: Ident, on: bool, at: UnixMs, done: &mut Applied) {
        if let Some(state) = self.units.get_mut(&ident) {
            state.unit.is_panic = Some(on);
        }
        let open = self.panics.get_mut(&ident).filter(|panic| panic.over_at.is_none());
        match (open, on) {
            (None, true) => {
                let linked_911 = self.panic_call(ident, at);
                if let Some(emergency) = linked_911.and_then(|id| self.emergencies.get_mut(&id)) {
                    emergency.panic_of = Some(ident);
                }
                done.touched.extend(linked_911.map(Entity::Emergency));
                self.panics.insert(ident, Panic { ident, since: at, over_at: None, linked_911 });
                done.touched.insert(Entity::Panic(ident));
                done.card(Subject::Panic(ident, at), true, false);
            }
            (Some(panic), false) => {
                panic.over_at = Some(at);
                done.touched.insert(Entity::Panic(ident));
                done.card(Subject::Panic(ident, panic.since), false, true);
            }
            _ => {}
        }
    }

    /// The 911 that the game made of this panic, if it came first.
    fn panic_call(&self, ident: Ident, at: UnixMs) -> Option<CallId> {
        let unit = &self.units.get(&ident)?.unit;
        self.emergencies
            .iter()
            .filter(|(_, e)| e.panic_of.is_none() && e.gone_at.is_none() && at.since(e.opened_at).abs() <= PANIC_CALL_WITHIN)
            .find(|(_, e)| tells_panic_of(&e.call, unit))
            .map(|(id, _)| *id)
    }

    // ---- dispatch calls ----

    /// The call, made by number alone if this is the first we hear of it: we joined late, or something overtook its creation.
    fn call(&mut self, id: CallId, at: UnixMs, done: &mut Applied) -> &mut Dispatch {
        done.touched.insert(Entity::Dispatch(id));
        self.dispatches.entry(id).or_insert_with(|| Dispatch {
            id,
            origin: None,
            status: None,
            priority: None,
            block: None,
            address: None,
            postal: None,
            title: None,
            code: None,
            description: None,
            notes: Vec::new(),
            units: Vec::new(),
            primary: None,
            from_911: None,
            meta: crate::event::Meta::default(),
            opened_at: at,
            first_unit_at: None,
            closed_at: None,
            edited: Vec::new(),
            timeline: Vec::new(),
        })
    }

    fn dispatch(&mut self, said: &DispatchCall, new: bool, at: UnixMs, done: &mut Applied) {
        let Some(id) = said.id else { return };
        // Numbers are used again: a new call under the number of a closed one is another incident.
        if new && self.dispatches.get(&id).is_some_and(|known| known.closed_at.is_some()) {
            self.dispatches.remove(&id);
        }
        let known = self.dispatches.contains_key(&id);
        let closed = said.status == Some(CLOSED);
        if !known && closed {
            return; // over before we ever showed it
        }
        let called_at = said.from_911.and_then(|from| self.emergencies.get(&from)).map(|e| e.opened_at);
        let call = self.call(id, at, done);
        let before = call.clone();

        call.origin = said.origin;
        call.status = said.status;
        call.priority.clone_from(&said.priority);
        call.block.clone_from(&said.block);
        call.address.clone_from(&said.address);
        call.postal.clone_from(&said.postal);
        call.title.clone_from(&said.title);
        call.code.clone_from(&said.code);
        call.description.clone_from(&said.description);
        call.from_911 = said.from_911.or(call.from_911);
        call.meta.clone_from(&said.meta);
        call.primary = said.primary;
        // The CAD's push form has no notes at all ("") where its REST form lists them: an empty list takes nothing away.
        if let Some(notes) = said.notes.as_ref().filter(|notes| !notes.is_empty()) {
            call.notes = notes.iter().rev().take(MAX_NOTES).rev().cloned().collect();
        }

        if known {
            call.edited = changed_fields(&before, call);
            if before.priority != call.priority {
                call.moment(at, MomentKind::Priority { from: before.priority.clone(), to: call.priority.clone() });
            }
            let others: Vec<String> = call.edited.iter().filter(|f| *f != "priority" && *f != "status").cloned().collect();
            if !others.is_empty() {
                call.moment(at, MomentKind::Edited(others));
            }
        } else {
            if let Some(called_at) = called_at {
                call.moment(called_at, MomentKind::Called);
            }
            call.moment(at, MomentKind::Dispatched);
        }
        if let Some(idents) = &said.idents {
            for ident in idents.iter().filter(|ident| !before.units.contains(ident)) {
                call.attach(*ident, at);
            }
            for ident in before.units.iter().filter(|ident| !idents.contains(ident)) {
                call.detach(*ident, at);
            }
            call.units.clone_from(idents);
        }
        let reopened = before.closed_at.is_some() && !closed;
        if reopened {
            call.closed_at = None;
        }
        let over = call.closed_at.is_some() || closed;
        let (subject, differs, from) = (Subject::Dispatch(id, call.opened_at), !known || *call != before, call.from_911);
        if differs {
            done.card(subject, new && !known, over);
        }
        if let Some(idents) = said.idents.as_ref().filter(|_| known) {
            let came: Vec<Ident> = idents.iter().copied().filter(|ident| !before.units.contains(ident)).collect();
            let left: Vec<Ident> = before.units.iter().copied().filter(|ident| !idents.contains(ident)).collect();
            done.attached(subject, &came, true);
            done.attached(subject, &left, false);
        }
        if closed {
            self.close(id, at, done);
        }
        if let Some(emergency) =
            from.and_then(|from| self.emergencies.get_mut(&from)).filter(|e| e.became.is_none() && at.since(e.opened_at) < DAY)
        {
            emergency.became = Some(id);
            let (from, opened_at) = (from.unwrap_or_default(), emergency.opened_at);
            done.touched.insert(Entity::Emergency(from));
            done.card(Subject::Emergency(from, opened_at), false, true);
        }
    }

    fn close(&mut self, id: CallId, at: UnixMs, done: &mut Applied) {
        if let Some(call) = self.dispatches.get_mut(&id).filter(|call| call.closed_at.is_none()) {
            call.closed_at = Some(at);
            call.status = Some(CLOSED);
            call.edited.clear();
            call.moment(at, MomentKind::Closed);
            done.touched.insert(Entity::Dispatch(id));
            done.card(Subject::Dispatch(id, call.opened_at), false, true);
        }
    }

    fn note(&mut self, id: CallId, note: &Note, at: UnixMs, done: &mut Applied) {
        let call = self.call(id, at, done);
        // The same note from another way: the CAD gives notes no number, so equal text at an equal time is one note.
        if call.notes.last() == Some(note) && note.time.is_some() {
            return;
        }
        call.notes.push(note.clone());
        let excess = call.notes.len().saturating_sub(MAX_NOTES);
        call.notes.drain(..excess);
        call.edited.clear();
        call.moment(at, MomentKind::Noted);
        let (subject, over) = (Subject::Dispatch(id, call.opened_at), call.closed_at.is_some());
        done.card(subject, false, over);
        done.changes.push(Change::Note { subject, note: note.clone() });
    }

    fn attach(&mut self, id: CallId, idents: &[Ident], at: UnixMs, done: &mut Applied) {
        for ident in idents {
            self.see(*ident, at, done);
        }
        let call = self.call(id, at, done);
        let new: Vec<Ident> = idents.iter().copied().filter(|ident| !call.units.contains(ident)).collect();
        for ident in &new {
            call.units.push(*ident);
            call.attach(*ident, at);
        }
        if !new.is_empty() {
            call.edited.clear();
            let (subject, over) = (Subject::Dispatch(id, call.opened_at), call.closed_at.is_some());
            done.card(subject, false, over);
            done.attached(subject, &new, true);
        }
    }

    fn detach(&mut self, id: CallId, idents: &[Ident], at: UnixMs, done: &mut Applied) {
        let Some(call) = self.dispatches.get_mut(&id) else { return };
        let left: Vec<Ident> = idents.iter().copied().filter(|ident| call.units.contains(ident)).collect();
        for ident in &left {
            call.units.retain(|attached| attached != ident);
            call.detach(*ident, at);
        }
        if !left.is_empty() {
            done.touched.insert(Entity::Dispatch(id));
            call.edited.clear();
            let (subject, over) = (Subject::Dispatch(id, call.opened_at), call.closed_at.is_some());
            done.card(subject, false, over);
            done.attached(subject, &left, false);
        }
    }
}

/// The documented status of a closed call, and of a unit that is not there (contract d).
const CLOSED: i64 = 2;
const OFFLINE: i64 = 100;
/// An old 911 number is not taken for the origin of a new call.
const DAY: i64 = 86_400_000;

impl Dispatch {
    fn moment(&mut self, at: UnixMs, what: MomentKind) {
        self.timeline.push(Moment { at, what });
        let excess = self.timeline.len().saturating_sub(MAX_MOMENTS);
        self.timeline.drain(..excess);
    }

    fn attach(&mut self, ident: Ident, at: UnixMs) {
        self.first_unit_at = self.first_unit_at.or(Some(at));
        self.moment(at, MomentKind::Attached(ident));
    }

    fn detach(&mut self, ident: Ident, at: UnixMs) {
        if self.primary == Some(ident) {
            self.primary = None;
        }
        self.moment(at, MomentKind::Detached(ident));
    }
}

/// Whether the game placed this 911 for the unit's panic: caller = its name, "Unit {callsign} has pressed their panic button!"
/// (contract c.4).
fn tells_panic_of(call: &EmergencyCall, unit: &Unit) -> bool {
    let description = call.description.as_deref().unwrap_or_default();
    let named = unit.name.is_some() && unit.name == call.caller;
    let callsign = || unit.callsign.as_deref().is_some_and(|callsign| description.split_whitespace().any(|word| word == callsign));
    description.to_lowercase().contains("panic button") && (named || callsign())
}

/// Names ([`super::FIELDS`]) of the fields in which two states of a call differ.
fn changed_fields(before: &Dispatch, after: &Dispatch) -> Vec<String> {
    [
        ("title", before.title != after.title),
        ("priority", before.priority != after.priority),
        ("status", before.status != after.status),
        ("origin", before.origin != after.origin),
        ("address", before.address != after.address),
        ("block", before.block != after.block),
        ("postal", before.postal != after.postal),
        ("code", before.code != after.code),
        ("description", before.description != after.description),
    ]
    .into_iter()
    .filter(|(_, differs)| *differs)
    .map(|(name, _)| name.to_owned())
    .collect()
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
