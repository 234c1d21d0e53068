//! The facts that filters look at: from the world and a subject, a unit's change or an event. Pure.
//!
//! A subject's facts are what the world knows of it now, so that a filter judges the call and not the one event that touched it. An event's
//! facts are what it says itself, with the world for what it only names by number: units, and calls that it changes.

use crate::event::{
    Callout, DispatchCall, EmergencyCall, Event, Meta, Note, Page, PageNature, Priority, Record, StationAlert, StationMessage, ToneTarget,
    Topic, Unit,
};
use crate::ids::{CallId, Ident};
use crate::route::FilterFacts;
use crate::route::filter::Service;
use crate::world::{Dispatch, Server, Subject};

/// Texts kept of one occasion.
const MAX_TEXTS: usize = 200;
/// Characters kept of one text.
const MAX_CHARS: usize = 2_000;
/// Bytes kept of all texts: what is searched once per route must stay small. The texts that matter most come first.
const MAX_BYTES: usize = 32_768;
/// Units looked at.
const MAX_UNITS: usize = 200;
/// Keys of `metaData` that are for machines (docs/cad-contract.md#e8): coordinates, numbers and ids. Searching them would find by accident.
const MACHINES: [&str; 9] = ["x", "y", "z", "heading", "uuid", "callerPlayerId", "callerCommunityUserId", "useCallLocation", "radius"];

/// [`FilterFacts`] that borrow nothing.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct OwnedFacts {
    pub(super) topic: Topic,
    pub(super) callout: bool,
    pub(super) priority: Option<Priority>,
    pub(super) departments: Vec<String>,
    pub(super) services: Vec<Service>,
    pub(super) postal: Option<String>,
    pub(super) texts: Vec<String>,
}

impl OwnedFacts {
    /// Nothing but the kind is known.
    pub(super) fn unknown(topic: Topic) -> Self {
        Self { topic, callout: false, priority: None, departments: Vec::new(), services: Vec::new(), postal: None, texts: Vec::new() }
    }

    /// For a filter.
    pub(super) fn facts(&self) -> FilterFacts<'_> {
        FilterFacts {
            topic: self.topic,
            callout: self.callout,
            priority: self.priority.as_ref(),
            departments: &self.departments,
            services: &self.services,
            postal: self.postal.as_deref(),
            texts: &self.texts,
        }
    }

    fn text(&mut self, text: &str) {
        let text: &str = text.char_indices().nth(MAX_CHARS).map_or(text, |(end, _)| text.split_at(end).0);
        let used: usize = self.texts.iter().map(String::len).sum();
        if !text.trim().is_empty() && self.texts.len() < MAX_TEXTS && used + text.len() <= MAX_BYTES {
            self.texts.push(text.to_owned());
        }
    }

    fn texts<'t>(&mut self, texts: impl IntoIterator<Item = &'t String>) {
        texts.into_iter().for_each(|text| self.text(text));
    }

    fn meta(&mut self, meta: &Meta) {
        let for_people = |key: &str| !MACHINES.iter().any(|machine| machine.eq_ignore_ascii_case(key));
        meta.iter().filter(|(key, _)| for_people(key)).for_each(|(_, value)| self.text(value));
    }

    /// The newest first: of too much text the oldest is left out.
    fn notes(&mut self, notes: &[Note]) {
        for note in notes.iter().rev() {
            self.text(&note.content);
            self.texts(&note.label);
        }
    }

    /// What the unit is, and how it is called.
    fn unit(&mut self, unit: &Unit) {
        if let Some(department) = unit.department.as_ref().filter(|name| !self.departments.contains(name)) {
            self.departments.push(department.clone());
        }
        if let Some(service) = unit.page.and_then(Service::of_page).filter(|service| !self.services.contains(service)) {
            self.services.push(service);
        }
        self.texts(unit.callsign.iter().chain(&unit.name));
    }

    /// Everything that is said about a unit, for news that is about it.
    fn whole_unit(&mut self, unit: &Unit) {
        self.unit(unit);
        let said = [&unit.department, &unit.subdivision, &unit.rank, &unit.group, &unit.district, &unit.aop, &unit.location];
        self.texts(said.into_iter().flatten());
    }

    fn units<'i>(&mut self, world: &Server, idents: impl IntoIterator<Item = &'i Ident>) {
        idents.into_iter().take(MAX_UNITS).filter_map(|ident| world.units.get(ident)).for_each(|state| self.unit(&state.unit));
    }

    fn whole_units<'i>(&mut self, world: &Server, idents: impl IntoIterator<Item = &'i Ident>) {
        idents.into_iter().take(MAX_UNITS).filter_map(|ident| world.units.get(ident)).for_each(|state| self.whole_unit(&state.unit));
    }

    /// Units as an event sent them; what a short form leaves out the world may know.
    fn sent_units(&mut self, world: &Server, units: &[Unit]) {
        for unit in units.iter().take(MAX_UNITS) {
            let known = world.units.get(&unit.ident).map(|state| &state.unit);
            self.whole_unit(&Unit {
                department: unit.department.clone().or_else(|| known?.department.clone()),
                page: unit.page.or_else(|| known?.page),
                callsign: unit.callsign.clone().or_else(|| known?.callsign.clone()),
                name: unit.name.clone().or_else(|| known?.name.clone()),
                ..unit.clone()
            });
        }
    }
}

/// Whether a dispatcher is on duty.
pub(super) fn dispatcher_on_duty(world: &Server) -> bool {
    world.units.values().any(|state| state.on_duty && state.unit.is_dispatch == Some(true))
}

/// What is known of a subject now. Of one that the world does not know, its kind.
pub(super) fn of_subject(world: &Server, subject: Subject) -> OwnedFacts {
    match subject {
        Subject::Emergency(id, _) => match world.emergencies.get(&id) {
            Some(emergency) => of_emergency(&emergency.call),
            None => OwnedFacts::unknown(Topic::Emergency),
        },
        Subject::Dispatch(id, _) => of_known_dispatch(world, id),
        Subject::Panic(ident, since) => {
            let panics = world.panics_of(ident, since);
            let mut facts = OwnedFacts::unknown(Topic::Panic);
            // One that nobody remembers is known by its unit.
            facts.whole_units(world, if panics.is_empty() { vec![&ident] } else { panics.iter().map(|panic| &panic.ident).collect() });
            for emergency in panics.iter().filter_map(|panic| world.emergencies.get(&panic.linked_911?)).take(MAX_UNITS) {
                facts.texts(emergency.call.description.iter().chain(&emergency.call.location));
            }
            facts
        }
        // Of what stands for itself only pages are remembered; the rest is known by its event alone: `of_event`.
        Subject::Event(seq, nth) => match world.pages.get(&(seq, nth)) {
            Some(paged) => of_event(world, &Event::Pager(paged.page.clone())).unwrap_or_else(|| OwnedFacts::unknown(Topic::Pager)),
            None => OwnedFacts::unknown(Topic::Other),
        },
    }
}

/// News of one unit: on or off duty, its status, its panic.
pub(super) fn of_unit(world: &Server, ident: Ident, topic: Topic) -> OwnedFacts {
    let mut facts = OwnedFacts::unknown(topic);
    facts.whole_units(world, [&ident]);
    facts
}

/// What an event says; `None` for what is never posted. `world` may be as it was before the event or after it.
pub(super) fn of_event(world: &Server, event: &Event) -> Option<OwnedFacts> {
    let mut facts = OwnedFacts::unknown(event.topic()?);
    match event {
        Event::EmergencyNew(call) => facts = of_emergency(call),
        Event::EmergencyRemoved { calls } => {
            if let Some(known) = calls.iter().find_map(|id| world.emergencies.get(id)) {
                facts = of_emergency(&known.call);
            }
        }
        Event::DispatchNew(call) | Event::DispatchEdited(call) => facts = of_dispatch(world, call),
        Event::DispatchClosed { calls, .. } => {
            if let Some(id) = calls.iter().find(|id| world.dispatches.contains_key(id)) {
                facts = of_known_dispatch(world, *id);
            }
        }
        Event::DispatchNote { call, note } => {
            facts = of_known_dispatch(world, *call);
            facts.notes(std::slice::from_ref(note));
        }
        Event::UnitAttach { idents, call, .. } | Event::UnitDetach { idents, call, .. } => {
            facts = of_known_dispatch(world, *call);
            facts.units(world, idents);
        }
        Event::Panic { idents, .. } | Event::UnitLogout { idents } => facts.whole_units(world, idents),
        Event::UnitLogin { units } | Event::UnitUpdate { units } => facts.sent_units(world, units),
        Event::UnitStatus { idents, units, .. } => {
            facts.whole_units(world, idents);
            facts.sent_units(world, units);
        }
        Event::GroupAdd { idents, group } => {
            facts.text(group);
            facts.units(world, idents);
        }
        Event::GroupRemove { idents, group } => {
            facts.texts(group);
            facts.units(world, idents);
        }
        Event::GroupRename { idents, old, new } => {
            facts.text(new);
            facts.texts(old);
            facts.units(world, idents);
        }
        // Never posted: they have no topic.
        Event::Acknowledged { .. } | Event::EmergencyNote { .. } => {}
        Event::Bodycam { ident, .. } => facts.units(world, [ident]),
        Event::Tone { targets, .. } => tone(&mut facts, targets),
        Event::StreetSign { lines, .. } => facts.texts(lines),
        Event::Record { record: said, .. } => record(&mut facts, said),
        Event::LinkVerified { community_user, .. } => facts.text(community_user),
        Event::Callout(said) => callout(&mut facts, said),
        Event::StationAlert(alert) => station(&mut facts, alert),
        Event::Pager(said) => page(&mut facts, world, said),
        Event::PrintRecord { ident, .. } => facts.units(world, ident),
        // Ids only: nothing that people would look for.
        Event::CharacterSelected { .. } => {}
        Event::Ignored | Event::Unknown => return None,
    }
    Some(facts)
}

/// The priority in a 911's `metaData`, if there is one.
pub(super) fn emergency_priority(call: &EmergencyCall) -> Option<Priority> {
    meta(&call.meta, "priority").map(priority)
}

fn of_emergency(call: &EmergencyCall) -> OwnedFacts {
    let mut facts = OwnedFacts::unknown(if call.is_emergency { Topic::Emergency } else { Topic::Civil });
    facts.priority = emergency_priority(call);
    facts.postal = meta(&call.meta, "postal").map(str::to_owned);
    facts.texts([&call.description, &call.location, &call.caller].into_iter().flatten());
    facts.meta(&call.meta);
    facts
}

/// A dispatch call that is known, or its number only.
fn of_known_dispatch(world: &Server, id: CallId) -> OwnedFacts {
    let mut facts = OwnedFacts::unknown(Topic::Dispatch);
    if let Some(Dispatch { title, code, description, address, block, postal, meta, notes, units, priority, .. }) = world.dispatches.get(&id)
    {
        let texts = [title, code, description, address, block];
        call(&mut facts, priority.as_ref(), texts, postal.as_ref(), meta);
        facts.units(world, units);
        facts.notes(notes);
    }
    facts
}

/// A dispatch call as an event says it. One that does not name its units has those that the world knows.
fn of_dispatch(world: &Server, said: &DispatchCall) -> OwnedFacts {
    let mut facts = OwnedFacts::unknown(Topic::Dispatch);
    let DispatchCall { title, code, description, address, block, postal, meta, notes, idents, priority, .. } = said;
    call(&mut facts, priority.as_ref(), [title, code, description, address, block], postal.as_ref(), meta);
    let known = said.id.and_then(|id| world.dispatches.get(&id));
    facts.units(world, idents.as_ref().or(known.map(|known| &known.units)).into_iter().flatten());
    facts.notes(notes.as_deref().unwrap_or_default());
    facts
}

fn call(facts: &mut OwnedFacts, priority: Option<&Priority>, texts: [&Option<String>; 5], postal: Option<&String>, values: &Meta) {
    facts.priority = priority.cloned();
    let own = postal.map(String::as_str).filter(|postal| !postal.trim().is_empty());
    facts.postal = own.or_else(|| meta(values, "postal")).map(str::to_owned);
    facts.texts(texts.into_iter().flatten());
    facts.meta(values);
}

/// `metaData` holds texts only: what a dispatch form would have as a number stands here in digits.
fn priority(word: &str) -> Priority {
    let word = word.trim();
    word.parse().map_or_else(|_| Priority::Word(word.to_owned()), Priority::Level)
}

/// A value of `metaData`, whatever the letter case of its key; `None` if blank.
fn meta<'a>(values: &'a Meta, key: &str) -> Option<&'a str> {
    let value = values.get(key).or_else(|| values.iter().find(|(known, _)| known.eq_ignore_ascii_case(key)).map(|(_, value)| value));
    value.map(String::as_str).filter(|value| !value.trim().is_empty())
}

fn tone(facts: &mut OwnedFacts, targets: &[ToneTarget]) {
    for target in targets {
        facts.texts(target.label.iter().chain(&target.value));
    }
}

fn record(facts: &mut OwnedFacts, record: &Record) {
    facts.texts(&record.name);
    facts.texts(record.fields.iter().map(|field| &field.value));
}

fn callout(facts: &mut OwnedFacts, callout: &Callout) {
    facts.callout = true;
    facts.postal.clone_from(&callout.postal);
    facts.texts(callout.name.iter().chain(&callout.location).chain(&callout.descriptions));
}

fn station(facts: &mut OwnedFacts, alert: &StationAlert) {
    if let Some(StationMessage::Text(message)) = &alert.message {
        facts.text(message);
    }
    for station in &alert.stations {
        facts.texts(station.name.iter().chain(&station.open).chain(&station.close));
    }
    facts.texts(&alert.tone);
}

fn page(facts: &mut OwnedFacts, world: &Server, page: &Page) {
    facts.texts(page.body.iter().chain(&page.addresses));
    match &page.nature {
        PageNature::Other(word) => facts.text(word),
        PageNature::Emergency | PageNature::NonEmergency | PageNature::Administrative => {}
    }
    facts.units(world, &page.idents);
}

#[cfg(test)]
mod tests;
