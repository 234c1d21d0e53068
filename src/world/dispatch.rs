//! The reducers of dispatch calls.

use super::applied::{Applied, Origin};
use super::emergency::numbered;
use super::memory::{Edge, apart, fingerprint, lately};
use super::{CardChange, CardPhase, Dispatch, Entity, MAX_MOMENTS, MAX_NOTES, MomentKind, Server, Subject, TimelineEntry};
use crate::clock::UnixMs;
use crate::event::{DispatchCall, Note};
use crate::ids::{CallId, Ident};

/// The documented status of a closed call (docs/cad-contract.md#n4).
pub(super) const CLOSED: i64 = 2;
/// Limit on the notes of a call that a read found first and events may repeat: few are written within seconds.
const NOTES_TOLD_LATE: usize = 3;

impl Server {
    /// The key of the dispatch call with the CAD's number `id`, as [`Server::emergency_key`].
    pub(super) fn dispatch_key(&self, id: CallId) -> Option<CallId> {
        if self.dispatches.contains_key(&id) {
            return Some(id);
        }
        let mut unnumbered = self.dispatches.range(..=CallId(0));
        if id.0 > 0 {
            return unnumbered.find(|(_, known)| known.listed_as == Some(id)).map(|(key, _)| *key);
        }
        let mut open = unnumbered.filter(|(_, known)| known.closed_at.is_none());
        match (open.next(), open.next()) {
            (Some((key, _)), None) => Some(*key),
            _ => None,
        }
    }

    /// The key of a call that an event names. An unknown call is added by number alone: the bot started later, or something overtook
    /// its creation. `None` if the call is ambiguous, or if its end came already.
    fn dispatch_named(&mut self, id: CallId, at: UnixMs, done: &mut Applied) -> Option<CallId> {
        let known = self.dispatch_key(id);
        if known.is_none() && id.0 > 0 && !self.memory.ended(Entity::Dispatch(id), at) {
            self.dispatches.insert(id, Dispatch { joined_late: true, ..Dispatch::empty(id, at) });
            done.touched.insert(Entity::Dispatch(id));
            return Some(id);
        }
        known
    }

    pub(super) fn dispatch_new(&mut self, incoming: &DispatchCall, at: UnixMs, done: &mut Applied) {
        let fingerprint = content_fingerprint(incoming);
        let Some(id) = numbered(incoming.id) else { return self.dispatch_unnumbered(incoming, true, Origin::Event, at, done) };
        let Some(key) = self.dispatch_key(id) else {
            // If its end came first, it was over before we ever showed it.
            if !self.memory.ended(Entity::Dispatch(id), at) {
                self.dispatch_made(id, incoming, Some(fingerprint), true, at, done);
            }
            return;
        };
        let read_first = self.memory.claim(Edge::Dispatch(key), at);
        let Some(known) = self.dispatches.get_mut(&key) else { return };
        let copy = read_first.is_some() || known.content_fingerprint == Some(fingerprint);
        if known.closed_at.is_some() {
            // Numbers are reused: a new call with the number of a closed one is another incident, unless it is a late copy.
            if !copy && fingerprint_of_known(known) != fingerprint {
                self.dispatch_made(id, incoming, Some(fingerprint), true, at, done);
            }
            return;
        }
        // An edit that overtook the creation is newer.
        let young = known.content_fingerprint.is_none() && lately(known.opened_at, at);
        let overtaken = young && !known.is_bare();
        let subject = Subject::Dispatch(key, known.opened_at);
        if known.content_fingerprint.is_none() {
            known.content_fingerprint = Some(fingerprint);
            done.touched.insert(Entity::Dispatch(key));
        }
        if !copy && !overtaken {
            // Units from earlier events came after the creation.
            let mut incoming = incoming.clone();
            if let Some(idents) = incoming.idents.as_mut().filter(|_| young) {
                let early: Vec<Ident> = known.units.iter().copied().filter(|ident| !idents.contains(ident)).collect();
                idents.extend(early);
            }
            self.update_dispatch(key, &incoming, Origin::Event, at, done);
        }
        // Until now it may have looked like a call from before the start.
        if let Some(known) = self.dispatches.get_mut(&key).filter(|known| read_first.unwrap_or(young) && known.closed_at.is_none()) {
            known.joined_late = false;
            done.touched.insert(Entity::Dispatch(key));
            done.card(subject, CardChange::Created, CardPhase::Open);
        }
    }

    pub(super) fn dispatch_edited(&mut self, incoming: &DispatchCall, at: UnixMs, done: &mut Applied) {
        let known = incoming.id.and_then(|id| self.dispatch_key(id));
        match (known, numbered(incoming.id)) {
            (Some(key), _) => self.update_dispatch(key, incoming, Origin::Event, at, done),
            (None, Some(id)) if self.memory.ended(Entity::Dispatch(id), at) => {}
            (None, Some(id)) => {
                // Missing in a read a moment ago: the API created it since, which raises no event (docs/cad-contract.md#e2).
                let news = self.calls_are_fresh(at);
                // If its creation event does come, it is no news then.
                self.dispatch_made(id, incoming, news.then(|| content_fingerprint(incoming)), news, at, done);
                if news {
                    self.memory.record(Edge::Dispatch(id), false, at);
                }
            }
            // It is ambiguous which of several is meant.
            (None, None) if self.dispatches.range(..=CallId(0)).any(|(_, known)| known.closed_at.is_none()) => {}
            (None, None) => self.dispatch_unnumbered(incoming, false, Origin::Event, at, done),
        }
    }

    /// A call that can't be identified later must still be shown.
    pub(super) fn dispatch_unnumbered(&mut self, incoming: &DispatchCall, new: bool, origin: Origin, at: UnixMs, done: &mut Applied) {
        let mut lately_read = self.dispatches.iter().filter(|(_, known)| same_words(known, incoming)).map(|(key, _)| *key);
        if origin == Origin::Event && lately_read.any(|key| self.memory.claim(Edge::Dispatch(key), at).is_some()) {
            return; // a read found it first, with its number
        }
        let mut key = CallId(at.0.saturating_abs().max(1).saturating_neg());
        while self.dispatches.contains_key(&key) {
            key.0 = key.0.saturating_sub(1);
        }
        let fingerprint = content_fingerprint(incoming);
        self.dispatch_made(key, incoming, new.then_some(fingerprint), new && origin.is_news(), at, done);
    }

    /// Adds an unknown call, or another incident with the number of a closed one. One that is over already isn't shown.
    pub(super) fn dispatch_made(
        &mut self,
        key: CallId,
        incoming: &DispatchCall,
        content_fingerprint: Option<u64>,
        created: bool,
        at: UnixMs,
        done: &mut Applied,
    ) {
        if incoming.status == Some(CLOSED) {
            return;
        }
        let opened_at = apart(self.dispatches.get(&key).map(|known| known.opened_at), at);
        let subject = Subject::Dispatch(key, opened_at);
        let mut call = Dispatch { content_fingerprint, joined_late: !created, ..Dispatch::empty(key, opened_at) };
        call.take(incoming);
        call.notes = merged(&[], incoming.notes.as_deref().unwrap_or_default()).0;
        let emergency = incoming.from_911.and_then(|from| self.emergency_key(from)).and_then(|key| self.emergencies.get(&key));
        if let Some(emergency) = emergency {
            call.moment(emergency.opened_at, MomentKind::Called);
        }
        call.moment(at, MomentKind::Dispatched);
        for ident in incoming.idents.iter().flatten() {
            call.attach(*ident, at);
        }
        done.touched.insert(Entity::Dispatch(key));
        done.card(subject, CardChange::created_if(created), CardPhase::Open);
        done.attached(subject, &call.units, true);
        call.notes.iter().for_each(|note| done.noted(subject, note));
        self.dispatches.insert(key, call);
        if let Some(from) = incoming.from_911 {
            self.emergency_became(from, key, at, done);
        }
    }

    /// Updates a known call from its whole state. Touches nothing without a difference.
    pub(super) fn update_dispatch(&mut self, key: CallId, incoming: &DispatchCall, origin: Origin, at: UnixMs, done: &mut Applied) {
        let emergency = incoming.from_911.and_then(|from| self.emergency_key(from)).and_then(|key| self.emergencies.get(&key));
        let emergency = emergency.map(|emergency| emergency.opened_at);
        let Some(call) = self.dispatches.get_mut(&key) else { return };
        let before = call.clone();
        let subject = Subject::Dispatch(key, call.opened_at);
        call.take(incoming);
        // An edit that its end overtook: if the call was really reopened, the next read says so.
        let overtaken = origin == Origin::Event && before.closed_at.is_some_and(|closed| lately(closed, at));
        if overtaken {
            call.status = Some(CLOSED);
        }
        let from_911 = call.from_911;
        // Known by number alone until now: these are its fields, not an edit.
        let told_first = before.is_only_a_number();
        let fields = if told_first { Vec::new() } else { changed_fields(&before, call) };
        if told_first {
            let called = emergency.map(|at| TimelineEntry::new(at, MomentKind::Called));
            let dispatched = TimelineEntry::new(call.opened_at, MomentKind::Dispatched);
            call.timeline.splice(0..0, called.into_iter().chain([dispatched]));
        } else if before.priority != call.priority {
            call.moment(at, MomentKind::Priority { from: before.priority.clone(), to: call.priority.clone() });
            if let Some(moment) = call.timeline.last_mut() {
                moment.found_late = !origin.is_news();
            }
        }
        let others: Vec<String> = fields.iter().filter(|f| *f != "priority" && *f != "status").cloned().collect();
        if !others.is_empty() {
            call.moment(at, MomentKind::Edited(others));
        }
        let (mut came, mut left) = (Vec::new(), Vec::new());
        if let Some(idents) = &incoming.idents {
            came.extend(call.units.iter().copied().filter(|ident| !before.units.contains(ident)));
            left.extend(before.units.iter().copied().filter(|ident| !idents.contains(ident)));
        }
        came.iter().for_each(|ident| call.attach(*ident, at));
        left.iter().for_each(|ident| call.detach(*ident, at));
        // The CAD decides who is primary, attached or not.
        call.primary = incoming.primary;
        // The CAD's push form has no notes at all ("") where its REST form lists them: an empty list removes nothing.
        let (notes, new_notes) = match incoming.notes.as_deref() {
            Some(incoming) if !incoming.is_empty() => merged(&before.notes, incoming),
            _ => (before.notes.clone(), Vec::new()),
        };
        call.notes = notes;
        new_notes.iter().for_each(|_| call.moment(at, MomentKind::Noted));

        let closes = call.status == Some(CLOSED);
        if !closes {
            call.closed_at = None;
        }
        if *call != before {
            call.edited = fields;
            done.touched.insert(Entity::Dispatch(key));
            let over = call.closed_at.is_some() || closes;
            let created = told_first && origin.is_news() && !over;
            done.card(subject, CardChange::created_if(created), CardPhase::over_if(over));
            if created && call.content_fingerprint.is_none() {
                call.content_fingerprint = Some(content_fingerprint(incoming));
                self.memory.record(Edge::Dispatch(key), false, at);
            }
        }
        done.attached(subject, &came, true);
        done.attached(subject, &left, false);
        for note in &new_notes {
            done.noted(subject, note);
            if origin != Origin::Event {
                self.memory.record(Edge::Note(key, print_of(note)), false, at);
            }
        }
        if closes {
            // For a call listed as closed, the CAD's last change was closing it.
            let when = if origin == Origin::Event { at } else { incoming.updated.filter(|time| *time <= at).unwrap_or(at) };
            self.dispatch_closed(key, when, done);
        }
        if let Some(from) = from_911 {
            self.emergency_became(from, key, at, done);
        }
    }

    /// `EVENT_DISPATCH_CLOSED` of one number.
    pub(super) fn closed(&mut self, id: CallId, at: UnixMs, done: &mut Applied) {
        match self.dispatch_key(id) {
            Some(key) => self.dispatch_closed(key, at, done),
            None => self.memory.record(Edge::Ended(Entity::Dispatch(id)), false, at),
        }
    }

    /// Closes a call, at `when` if there was no later event about it.
    pub(super) fn dispatch_closed(&mut self, key: CallId, when: UnixMs, done: &mut Applied) {
        if let Some(call) = self.dispatches.get_mut(&key).filter(|call| call.closed_at.is_none()) {
            let when = call.timeline.last().map_or(when, |last| last.at.max(when)).max(call.opened_at);
            call.closed_at = Some(when);
            call.status = Some(CLOSED);
            call.edited.clear();
            call.moment(when, MomentKind::Closed);
            done.touched.insert(Entity::Dispatch(key));
            done.card(Subject::Dispatch(key, call.opened_at), CardChange::Updated, CardPhase::Over);
        }
    }

    /// The last notes of a call that a read created: their events may come a moment later.
    pub(super) fn notes_read(&mut self, key: CallId, at: UnixMs) {
        let notes = self.dispatches.get(&key).into_iter().flat_map(|call| call.notes.iter().rev());
        for note in notes.take(NOTES_TOLD_LATE) {
            self.memory.record(Edge::Note(key, print_of(note)), false, at);
        }
    }

    pub(super) fn note(&mut self, id: CallId, note: &Note, at: UnixMs, done: &mut Applied) {
        let Some(key) = self.dispatch_named(id, at, done) else { return };
        // A read found it first, with a time in another form.
        if self.memory.claim(Edge::Note(key, print_of(note)), at).is_some() {
            return;
        }
        let Some(call) = self.dispatches.get_mut(&key) else { return };
        // The same note from another source: the CAD's notes have no number, so equal text at an equal time is one note.
        if call.notes.last() == Some(note) && note.time.is_some() {
            return;
        }
        push_note(&mut call.notes, note.clone());
        call.edited.clear();
        call.moment(at, MomentKind::Noted);
        let (subject, over) = (Subject::Dispatch(key, call.opened_at), call.closed_at.is_some());
        done.touched.insert(Entity::Dispatch(key));
        done.card(subject, CardChange::Updated, CardPhase::over_if(over));
        done.noted(subject, note);
    }

    pub(super) fn attach(&mut self, id: CallId, idents: &[Ident], at: UnixMs, done: &mut Applied) {
        for ident in idents {
            self.see(*ident, at, done);
        }
        let Some(key) = self.dispatch_named(id, at, done) else { return };
        let Some(call) = self.dispatches.get_mut(&key) else { return };
        let mut new: Vec<Ident> = Vec::new();
        for ident in idents {
            if !call.units.contains(ident) {
                call.units.push(*ident);
                call.attach(*ident, at);
                new.push(*ident);
            }
        }
        if !new.is_empty() {
            call.edited.clear();
            let (subject, over) = (Subject::Dispatch(key, call.opened_at), call.closed_at.is_some());
            done.touched.insert(Entity::Dispatch(key));
            done.card(subject, CardChange::Updated, CardPhase::over_if(over));
            done.attached(subject, &new, true);
        }
    }

    pub(super) fn detach(&mut self, id: CallId, idents: &[Ident], at: UnixMs, done: &mut Applied) {
        let Some(key) = self.dispatch_key(id) else { return };
        let Some(call) = self.dispatches.get_mut(&key) else { return };
        let left: Vec<Ident> = call.units.iter().copied().filter(|ident| idents.contains(ident)).collect();
        call.units.retain(|ident| !left.contains(ident));
        left.iter().for_each(|ident| call.detach(*ident, at));
        if !left.is_empty() {
            call.edited.clear();
            let (subject, over) = (Subject::Dispatch(key, call.opened_at), call.closed_at.is_some());
            done.touched.insert(Entity::Dispatch(key));
            done.card(subject, CardChange::Updated, CardPhase::over_if(over));
            done.attached(subject, &left, false);
        }
    }
}

impl Dispatch {
    /// A call with only a number.
    fn empty(id: CallId, opened_at: UnixMs) -> Self {
        Self {
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
            opened_at,
            first_unit_at: None,
            closed_at: None,
            edited: Vec::new(),
            timeline: Vec::new(),
            content_fingerprint: None,
            listed_as: None,
            joined_late: false,
        }
    }

    /// Its content is still unknown.
    fn is_bare(&self) -> bool {
        fingerprint_of_known(self) == fingerprint_of_known(&Self::empty(self.id, self.opened_at))
    }

    /// Known by its number alone: there was an event about it, but not its creation.
    fn is_only_a_number(&self) -> bool {
        self.is_bare() && !self.timeline.iter().any(|moment| moment.what == MomentKind::Dispatched)
    }

    /// Copies the fields; the caller updates the timeline.
    fn take(&mut self, incoming: &DispatchCall) {
        self.origin = incoming.origin;
        self.status = incoming.status;
        self.priority.clone_from(&incoming.priority);
        self.block.clone_from(&incoming.block);
        self.address.clone_from(&incoming.address);
        self.postal.clone_from(&incoming.postal);
        self.title.clone_from(&incoming.title);
        self.code.clone_from(&incoming.code);
        self.description.clone_from(&incoming.description);
        self.from_911 = incoming.from_911.or(self.from_911);
        self.meta.clone_from(&incoming.meta);
        self.primary = incoming.primary;
        if let Some(idents) = &incoming.idents {
            self.units.clone_from(idents);
        }
    }

    fn moment(&mut self, at: UnixMs, what: MomentKind) {
        self.timeline.push(TimelineEntry::new(at, what));
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

/// The notes in `incoming`, each in its known form if there is one, and the new ones. The CAD's notes have no number and
/// the time of one note comes in two forms (docs/cad-contract.md#e6): equal label and content are one note, one for one.
fn merged(known: &[Note], incoming: &[Note]) -> (Vec<Note>, Vec<Note>) {
    let mut unclaimed: Vec<&Note> = known.iter().collect();
    let (mut notes, mut new) = (Vec::new(), Vec::new());
    for note in incoming.iter().skip(incoming.len().saturating_sub(MAX_NOTES)) {
        let same = unclaimed.iter().position(|known| (&known.label, &known.content) == (&note.label, &note.content));
        match same {
            Some(place) => notes.push(unclaimed.remove(place).clone()),
            None => {
                notes.push(note.clone());
                new.push(note.clone());
            }
        }
    }
    // Only in another order: full times decide the order, clock times and missing ones don't.
    if new.is_empty() && unclaimed.is_empty() && !in_order(incoming) {
        notes = known.to_vec();
    }
    (notes, new)
}

/// Whether the notes are sorted by time, each with date, time and zone.
fn in_order(notes: &[Note]) -> bool {
    let moment = |note: &Note| note.time.as_deref()?.trim().parse::<jiff::Timestamp>().ok();
    let moments: Option<Vec<_>> = notes.iter().map(moment).collect();
    moments.is_some_and(|moments| moments.is_sorted())
}

/// Adds one; drops the oldest if there are too many.
pub(super) fn push_note(notes: &mut Vec<Note>, note: Note) {
    notes.push(note);
    let excess = notes.len().saturating_sub(MAX_NOTES);
    notes.drain(..excess);
}

fn print_of(note: &Note) -> u64 {
    fingerprint(&(&note.label, &note.content))
}

/// The identity of a call by its content.
pub(super) fn same_words(known: &Dispatch, incoming: &DispatchCall) -> bool {
    (&known.title, &known.code, &known.description) == (&incoming.title, &incoming.code, &incoming.description)
        && (&known.address, &known.postal, &known.block) == (&incoming.address, &incoming.postal, &incoming.block)
}

/// The content that distinguishes incidents, from any source: notes, units and status come in several forms and change all the time.
pub(super) fn content_fingerprint(incoming: &DispatchCall) -> u64 {
    fingerprint(&(
        (incoming.origin, &incoming.priority, &incoming.block, &incoming.address, &incoming.postal),
        (&incoming.title, &incoming.code, &incoming.description, incoming.from_911, &incoming.meta),
    ))
}

/// The current [`content_fingerprint`] of a call.
fn fingerprint_of_known(known: &Dispatch) -> u64 {
    fingerprint(&(
        (known.origin, &known.priority, &known.block, &known.address, &known.postal),
        (&known.title, &known.code, &known.description, known.from_911, &known.meta),
    ))
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
