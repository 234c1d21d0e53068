//! Writes the CAD's response to a change as the push event that the CAD doesn't send for changes made through its API
//! (docs/cad-contract.md#e2). So everything that changes the world takes one path. The next reading of the CAD confirms it.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::cad::rest::Object;
use crate::clock::UnixMs;
use crate::event::{Envelope, RawEvent, Source, own};
use crate::ids::{CallId, Ident, ServerId, UserId};
use crate::world::Subject;

/// A change made through the API, as an event.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SyntheticEvent {
    kind: &'static str,
    data: Value,
}

impl SyntheticEvent {
    pub(super) fn attached(call: CallId, idents: &[Ident]) -> Self {
        Self { kind: "EVENT_DISPATCH_UNIT_ATTACH", data: json!({ "callId": call, "idents": idents }) }
    }

    pub(super) fn detached(call: CallId, idents: &[Ident]) -> Self {
        Self { kind: "EVENT_DISPATCH_UNIT_DETACH", data: json!({ "callId": call, "idents": idents }) }
    }

    /// A new dispatch call, from the CAD's answer.
    pub(super) fn made(call: &Object) -> Self {
        Self { kind: "EVENT_DISPATCH_NEW", data: json!({ "dispatch": call }) }
    }

    /// A changed dispatch call, from the CAD's answer.
    pub(super) fn edited(call: &Object) -> Self {
        Self { kind: "EVENT_DISPATCH_EDIT", data: json!({ "dispatch": call }) }
    }

    pub(super) fn closed(calls: &[CallId]) -> Self {
        Self { kind: "EVENT_DISPATCH_CLOSED", data: json!({ "callIds": calls }) }
    }

    pub(super) fn noted(call: CallId, label: &str, note: &str, at: UnixMs) -> Self {
        Self { kind: "EVENT_DISPATCH_NOTE", data: note_of(call, label, note, at) }
    }

    pub(super) fn emergency_noted(call: CallId, label: &str, note: &str, at: UnixMs) -> Self {
        Self { kind: own::EMERGENCY_NOTE, data: note_of(call, label, note, at) }
    }

    pub(super) fn emergency_made(call: &Object) -> Self {
        Self { kind: "EVENT_911", data: json!({ "call": call }) }
    }

    pub(super) fn emergency_removed(call: CallId) -> Self {
        Self { kind: "EVENT_REMOVE_911", data: json!({ "callIds": [call] }) }
    }

    pub(super) fn status(idents: &[Ident], status: i64) -> Self {
        Self { kind: "EVENT_UNIT_STATUS", data: json!({ "identIds": idents, "status": status }) }
    }

    pub(super) fn panic(idents: &[Ident], on: bool) -> Self {
        Self { kind: "EVENT_UNIT_PANIC", data: json!({ "identIds": idents, "isPanic": on }) }
    }

    /// Units of an account, from the CAD's list.
    pub(super) fn units(units: &[Object]) -> Self {
        Self { kind: "EVENT_UNIT_UPDATE", data: json!({ "units": units }) }
    }

    pub(super) fn acknowledged(subject: Subject, by: UserId) -> Self {
        Self { kind: own::ACKNOWLEDGED, data: json!({ "subject": subject.to_string(), "by": by.to_string() }) }
    }

    /// On its way in.
    pub(super) fn event(self, server: ServerId, at: UnixMs) -> RawEvent {
        let envelope = Envelope { kind: self.kind.to_owned(), data: self.data, extras: Map::new() };
        RawEvent { server, source: Source::Bot, received_at: at, envelope: Arc::new(envelope) }
    }
}

fn note_of(call: CallId, label: &str, note: &str, at: UnixMs) -> Value {
    json!({ "callId": call, "note": { "time": iso(at), "label": label, "type": "text", "content": note } })
}

/// ISO 8601 in UTC, whole seconds, as the CAD writes it.
pub(super) fn iso(at: UnixMs) -> String {
    jiff::Timestamp::from_second(at.secs()).map(|at| at.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, Note, decode};

    const AT: UnixMs = UnixMs(1_763_700_000_000);

    fn decoded(synthetic: SyntheticEvent) -> Vec<Event> {
        decode(&synthetic.event(ServerId(1), AT).envelope).unwrap()
    }

    /// Each is what its decoder expects: nothing is lost on the way.
    #[test]
    fn synthetic_events_are_decoded() {
        let (call, idents) = (CallId(501), [Ident(12), Ident(18)]);
        let note =
            Note { time: Some("2025-11-21T04:40:00Z".into()), label: Some("A-10".into()), kind: "text".into(), content: "hi".into() };
        assert_eq!(decoded(SyntheticEvent::attached(call, &idents)), [Event::UnitAttach { by: None, idents: idents.to_vec(), call }]);
        assert_eq!(decoded(SyntheticEvent::detached(call, &idents)), [Event::UnitDetach { by: None, idents: idents.to_vec(), call }]);
        assert_eq!(decoded(SyntheticEvent::closed(&[call])), [Event::DispatchClosed { by: None, calls: vec![call] }]);
        assert_eq!(decoded(SyntheticEvent::noted(call, "A-10", "hi", AT)), [Event::DispatchNote { call, note: note.clone() }]);
        assert_eq!(decoded(SyntheticEvent::emergency_noted(call, "A-10", "hi", AT)), [Event::EmergencyNote { call, note }]);
        assert_eq!(decoded(SyntheticEvent::emergency_removed(call)), [Event::EmergencyRemoved { calls: vec![call] }]);
        assert_eq!(decoded(SyntheticEvent::panic(&idents, false)), [Event::Panic { idents: idents.to_vec(), on: false }]);
        assert_eq!(
            decoded(SyntheticEvent::status(&idents, 3)),
            [Event::UnitStatus { idents: idents.to_vec(), status: Some(3), units: vec![] }]
        );
        let subject = Subject::Emergency(CallId(302), AT);
        assert_eq!(
            decoded(SyntheticEvent::acknowledged(subject, UserId(9))),
            [Event::Acknowledged { subject: subject.to_string(), by: UserId(9) }]
        );
        let object = |value: Value| value.as_object().unwrap().clone();
        let made = object(json!({ "callId": 501, "title": "Robbery", "idents": [12], "metaData": { "origin911": "302" } }));
        assert!(
            matches!(&decoded(SyntheticEvent::made(&made))[..], [Event::DispatchNew(c)] if c.id == Some(call) && c.from_911 == Some(CallId(302)))
        );
        assert!(matches!(&decoded(SyntheticEvent::edited(&made))[..], [Event::DispatchEdited(c)] if c.title.as_deref() == Some("Robbery")));
        let emergency = object(json!({ "callId": 302, "isEmergency": true, "caller": "x", "location": "y", "description": "z" }));
        assert!(matches!(&decoded(SyntheticEvent::emergency_made(&emergency))[..], [Event::EmergencyNew(c)] if c.id == Some(CallId(302))));
        let unit = object(json!({ "id": 12, "accId": "a", "status": 2, "data": { "unitNum": "A-10" } }));
        assert!(matches!(&decoded(SyntheticEvent::units(&[unit]))[..], [Event::UnitUpdate { units }] if units.len() == 1));
    }
}
