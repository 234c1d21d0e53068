//! What a test alert pretends: invented people and places, as JSON in the CAD's own shapes, so that a test takes the decoder too.

use std::time::Duration;

use serde_json::json;

use super::envelope;
use crate::event::{Envelope, Topic};

/// What came before the test's event came this long before it.
pub(super) const LEAD: Duration = Duration::from_secs(300);
/// Numbers far from real ones.
const CALL: i64 = 9_001;
const UNIT: i64 = 900_001;

/// What must have happened before, so that the test looks whole: a unit on duty.
pub(super) fn before(topic: Topic) -> Vec<Envelope> {
    if topic == Topic::Duty { Vec::new() } else { vec![login()] }
}

fn login() -> Envelope {
    envelope(
        "EVENT_UNIT_LOGIN",
        json!({ "unit": { "id": UNIT, "status": 2, "isPanic": false, "location": "Mission Row, Sinner St", "data": {
            "unitNum": "A-10", "name": "Jordan Vale", "department": "Police", "subdivision": "Patrol", "rank": "Officer", "page": 0
        } } }),
    )
}

/// The event itself.
pub(super) fn event(topic: Topic) -> Envelope {
    let record = |kind: i64, name: &str| {
        json!({ "record": { "id": CALL, "recordTypeId": 1, "name": name, "type": kind, "sections": [ { "category": 0, "label": "Details", "fields": [
            { "type": "input", "label": "Description", "value": "Blue four-door sedan, dented rear door", "uid": "description" },
            { "type": "input", "label": "Plate", "value": "XP 123 BS", "uid": "plate" }
        ] } ] } })
    };
    match topic {
        Topic::Emergency | Topic::Civil => envelope(
            "EVENT_911",
            json!({ "call": { "callId": CALL, "isEmergency": topic == Topic::Emergency, "caller": "Riley Stone",
                "location": "Alta St / Integrity Way",
                "description": if topic == Topic::Emergency { "Shots fired behind the parking garage" } else { "Abandoned bicycle on the ramp" },
                "metaData": { "postal": "9001" } } }),
        ),
        Topic::Panic => envelope("EVENT_UNIT_PANIC", json!({ "identIds": [UNIT], "isPanic": true })),
        Topic::Dispatch => envelope(
            "EVENT_DISPATCH_NEW",
            json!({ "dispatch": { "callId": CALL, "origin": 0, "status": 1, "priority": 1, "block": "100", "address": "Alta St / Integrity Way",
                "postal": "9001", "title": "Armed robbery", "code": "211", "description": "Two masked suspects, one with a rifle",
                "notes": "", "idents": [UNIT], "metaData": {} } }),
        ),
        Topic::Duty => login(),
        Topic::Status => envelope("EVENT_UNIT_STATUS", json!({ "identIds": [UNIT], "status": 3 })),
        Topic::Record => envelope("EVENT_RECORD_ADD", record(2, "Warrant")),
        Topic::Bolo => envelope("EVENT_RECORD_ADD", record(3, "BOLO")),
        Topic::Station => envelope(
            "EVENT_STATION_ALERT",
            json!({ "locations": [ { "name": "Station 1", "open": ["Bay 1", "Bay 2"], "close": [] } ], "message": "Structure fire, Alta Street",
                "colors": ["#FF6B00"], "tone": "Standard" }),
        ),
        Topic::Pager => envelope(
            "EVENT_PAGER_REBORN",
            json!({ "addresses": ["FIRE-1"], "identIds": [UNIT], "nature": "Emergency", "body": "Structure fire, Alta Street, second alarm" }),
        ),
        Topic::Tone => {
            envelope("EVENT_TONE", json!({ "url": "", "playTonesTo": [ { "type": 3, "value": "Fire", "label": "Fire Department" } ] }))
        }
        Topic::Other => {
            envelope("EVENT_STREETSIGN_UPDATED", json!({ "signData": { "ids": [12], "text1": "ROAD CLOSED", "text2": "USE ALTA ST" } }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::decode;

    #[test]
    fn every_topic_has_a_sample_of_its_own_kind() {
        for topic in Topic::ALL {
            let events = decode(&event(topic)).unwrap_or_else(|error| panic!("{topic:?}: {error}"));
            assert_eq!(events.len(), 1, "{topic:?}");
            assert_eq!(events[0].topic(), Some(topic));
        }
        assert_eq!(decode(&login()).unwrap().len(), 1);
    }
}
