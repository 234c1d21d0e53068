//! 911 and civil calls: `EVENT_911`, `EVENT_REMOVE_911`.

use super::normalise::{Item, MetaData};
use super::{DecodeError, EmergencyCall, Event, NUMBER_AS_SENT};
use crate::ids::CallId;

/// The caller's identities beside the call (`identities`, `apiIds`…) aren't kept: no alert needs them.
pub(super) fn new(item: Item<'_>) -> Result<Event, DecodeError> {
    call(item).map(Event::EmergencyNew)
}

pub(super) fn call(item: Item<'_>) -> Result<EmergencyCall, DecodeError> {
    // In 2020 the call was in `data` itself.
    let signs = ["callId", "caller", "location", "description"];
    let fields = item.wrapped("call", &signs).ok_or(DecodeError::Missing("call"))?;
    let mut meta = MetaData::of(&[fields, item.data]).rest(&[]);
    meta.extend(fields.number_as_sent("callId").map(|sent| (NUMBER_AS_SENT.to_owned(), sent)));
    let call = EmergencyCall {
        id: fields.int("callId").map(CallId),
        // `emergency` alone is trusted; a call that doesn't say is an emergency (docs/cad-contract.md#e4).
        is_emergency: fields.flag("isEmergency").or_else(|| fields.flag("emergency")).unwrap_or(true),
        caller: fields.text("caller"),
        location: fields.text("location"),
        description: fields.text("description"),
        meta,
        updated: fields.time("updated"),
    };
    let says_nothing =
        call.id.is_none() && call.caller.is_none() && call.location.is_none() && call.description.is_none() && call.meta.is_empty();
    if says_nothing { Err(DecodeError::Missing("call")) } else { Ok(call) }
}

pub(super) fn removed(item: Item<'_>) -> Result<Event, DecodeError> {
    let calls = item.calls();
    if calls.is_empty() { Err(DecodeError::Missing("callIds")) } else { Ok(Event::EmergencyRemoved { calls }) }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::decode_one;
    use super::*;

    fn call(data: Value) -> EmergencyCall {
        match decode_one("EVENT_911", data) {
            Ok(Event::EmergencyNew(call)) => call,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_call_is_an_emergency_unless_it_says_otherwise() {
        for (flags, expected) in [
            (json!({"callId": 1}), true),
            (json!({"callId": 1, "isEmergency": "False"}), false),
            (json!({"callId": 1, "isEmergency": 0}), false),
            (json!({"callId": 1, "emergency": false}), false),
            (json!({"callId": 1, "isEmergency": true, "emergency": false}), true),
            (json!({"callId": 1, "isEmergency": "maybe", "emergency": "false"}), false),
            (json!({"callId": 1, "isEmergency": null}), true),
        ] {
            assert_eq!(call(json!({"call": flags})).is_emergency, expected, "{flags}");
        }
    }

    #[test]
    fn a_call_without_a_number_is_kept_but_not_an_empty_one() {
        assert_eq!(call(json!({"call": {"callId": "x", "description": "Fire"}})).id, None);
        assert_eq!(call(json!({"call": {"callId": -1}})).id, Some(CallId(-1)));
        for empty in [json!({"call": {}}), json!({"call": {"caller": "\u{200B}", "isEmergency": true}}), json!({"call": "x"}), json!({})] {
            assert_eq!(decode_one("EVENT_911", empty.clone()), Err(DecodeError::Missing("call")), "{empty}");
        }
    }

    #[test]
    fn meta_data_beside_the_call_fills_what_the_call_lacks() {
        let call = call(json!({"call": {"callId": 1, "metaData": {"postal": "1"}}, "metaData": {"postal": "2", "code": "10-50"}}));
        assert_eq!(call.meta, [("postal", "1"), ("code", "10-50")].map(|(k, v)| (k.to_owned(), v.to_owned())).into());
    }

    #[test]
    fn removals_without_a_number_are_refused() {
        for data in [json!({}), json!({"callIds": "x"}), json!({"callIds": [null, "x"]})] {
            assert_eq!(decode_one("EVENT_REMOVE_911", data), Err(DecodeError::Missing("callIds")));
        }
        let both = decode_one("EVENT_REMOVE_911", json!({"callIds": [2, 1], "callId": 2}));
        assert_eq!(both, Ok(Event::EmergencyRemoved { calls: vec![CallId(2), CallId(1)] }));
    }
}
