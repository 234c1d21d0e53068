//! The reducers: what each event does to a server's world. Pure; the time is an argument.
//!
//! Every reducer is safe to repeat: the same event twice changes nothing the second time, so that a copy from another source
//! can't raise a second alarm. The reducers of each kind are in `unit.rs`, `emergency.rs` and `dispatch.rs`.

use super::applied::Origin;
use super::{Applied, CardChange, CardPhase, Entity, MomentKind, PageId, Server, Subject};
use crate::clock::UnixMs;
use crate::event::Event;
use crate::ids::Ident;

impl Server {
    /// Applies `event`, which was sent at `at`.
    pub fn apply(&mut self, event: &Event, at: UnixMs) -> Applied {
        self.apply_numbered(event, at, (0, 0))
    }

    /// As [`Server::apply`], with the event's number, which identifies events that stand alone.
    pub fn apply_numbered(&mut self, event: &Event, at: UnixMs, number: PageId) -> Applied {
        let mut done = Applied::default();
        self.set_back(at, &mut done);
        match event {
            Event::Pager(page) => self.page_came(number, page, at, &mut done),
            event => self.reduce(event, at, &mut done),
        }
        self.share_panics(&mut done);
        // A read that was requested before this is older than this event, even about unknown subjects.
        for entity in named(event).into_iter().chain(done.touched.iter().copied()) {
            self.memory.mark_named(entity, at);
        }
        done
    }

    fn reduce(&mut self, event: &Event, at: UnixMs, done: &mut Applied) {
        match event {
            Event::EmergencyNew(call) => self.emergency_new(call, at, done),
            Event::EmergencyRemoved { calls } => {
                for id in calls {
                    self.emergency_removed(*id, at, done);
                }
            }
            Event::Panic { idents, on } => {
                for ident in idents {
                    self.see(*ident, at, done);
                    self.panic(*ident, *on, Origin::Event, at, done);
                }
            }
            Event::UnitLogin { units } => {
                for unit in units {
                    self.unit(unit, true, at, done);
                }
            }
            Event::UnitLogout { idents } => {
                for ident in idents {
                    self.logout(*ident, Origin::Event, at, done);
                }
            }
            Event::UnitStatus { idents, status, units } => {
                for unit in units {
                    self.unit(unit, false, at, done);
                }
                if let Some(status) = status {
                    for ident in idents {
                        self.see(*ident, at, done);
                        self.status(*ident, *status, at, done);
                    }
                }
            }
            Event::UnitUpdate { units } => {
                for unit in units {
                    self.unit(unit, false, at, done);
                }
            }
            Event::GroupAdd { idents, group } | Event::GroupRename { idents, new: group, .. } => {
                for ident in idents {
                    self.see(*ident, at, done);
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
            Event::DispatchNew(call) => self.dispatch_new(call, at, done),
            Event::DispatchEdited(call) => self.dispatch_edited(call, at, done),
            Event::DispatchClosed { calls, .. } => {
                for id in calls {
                    self.closed(*id, at, done);
                }
            }
            Event::DispatchNote { call, note } => self.note(*call, note, at, done),
            Event::UnitAttach { idents, call, .. } => self.attach(*call, idents, at, done),
            Event::UnitDetach { idents, call, .. } => self.detach(*call, idents, at, done),
            Event::Acknowledged { subject, by } => {
                if let Ok(subject) = subject.parse() {
                    self.acknowledge(subject, *by, at, done);
                }
            }
            Event::EmergencyNote { call, note } => self.emergency_noted(*call, note, at, done),
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
    }

    /// Whether a subject is over. Unknown subjects are.
    #[must_use]
    pub fn is_over(&self, subject: Subject) -> bool {
        match subject {
            Subject::Emergency(id, at) => {
                self.emergencies.get(&id).is_none_or(|e| e.opened_at != at || e.gone_at.is_some() || e.became.is_some())
            }
            Subject::Dispatch(id, at) => self.dispatches.get(&id).is_none_or(|d| d.opened_at != at || d.closed_at.is_some()),
            Subject::Panic(ident, at) => self.panics_of(ident, at).iter().all(|panic| panic.over_at.is_some()),
            Subject::Event(seq, nth) => self.pages.get(&(seq, nth)).is_none_or(|p| p.over_at.is_some()),
        }
    }

    /// Whether the subject is still remembered, over or not.
    #[must_use]
    pub fn knows(&self, subject: Subject) -> bool {
        match subject {
            Subject::Emergency(id, at) => self.emergencies.get(&id).is_some_and(|e| e.opened_at == at),
            Subject::Dispatch(id, at) => self.dispatches.get(&id).is_some_and(|d| d.opened_at == at),
            Subject::Panic(ident, at) => !self.panics_of(ident, at).is_empty(),
            Subject::Event(seq, nth) => self.pages.contains_key(&(seq, nth)),
        }
    }

    /// Open cards that name a unit: they must be rendered again when its name or status changes.
    pub(super) fn cards_naming(&self, ident: Ident, done: &mut Applied) {
        if let Some(panic) = self.panics.get(&ident).filter(|p| p.over_at.is_none()) {
            done.card(Subject::Panic(ident, panic.since), CardChange::Updated, CardPhase::Open);
        }
        for call in self.dispatches.values() {
            let named = call.units.contains(&ident)
                || call.timeline.iter().any(|m| matches!(&m.what, MomentKind::Attached(i) | MomentKind::Detached(i) if *i == ident));
            if call.closed_at.is_none() && named {
                done.card(Subject::Dispatch(call.id, call.opened_at), CardChange::Updated, CardPhase::Open);
            }
        }
    }
}

/// An event's subjects by number. Units are left out: whatever names them touches them.
fn named(event: &Event) -> Vec<Entity> {
    match event {
        Event::EmergencyNew(call) => call.id.map(Entity::Emergency).into_iter().collect(),
        Event::EmergencyRemoved { calls } => calls.iter().copied().map(Entity::Emergency).collect(),
        Event::DispatchNew(call) | Event::DispatchEdited(call) => call.id.map(Entity::Dispatch).into_iter().collect(),
        Event::DispatchClosed { calls, .. } => calls.iter().copied().map(Entity::Dispatch).collect(),
        Event::DispatchNote { call, .. } | Event::UnitAttach { call, .. } | Event::UnitDetach { call, .. } => vec![Entity::Dispatch(*call)],
        _ => Vec::new(),
    }
}
