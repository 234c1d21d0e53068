//! The events that are sent. Each card can be recognized in the request that creates it: its text has a mark.

use serde_json::{Value, json};

/// Community and key of the simulated CAD.
pub(crate) const KEY: &str = "bench-key";
/// See [`KEY`].
pub(crate) const COMMUNITY: &str = "bench";

/// The unit in panic; its name holds [`PANIC`]'s mark.
pub(crate) const PANIC: u32 = 9_999_999;

/// The word in the text of card `number`, at most seven digits.
fn mark(number: u32) -> String {
    format!("B{number:07}E")
}

/// The numbers of all cards that a request's body shows.
pub(crate) fn marks(body: &Value) -> Vec<u32> {
    let text = body.to_string();
    let mut found: Vec<u32> = Vec::new();
    for piece in text.split('B').skip(1) {
        let Some((digits, rest)) = piece.as_bytes().split_at_checked(7) else { continue };
        let number: Option<u32> =
            std::str::from_utf8(digits).ok().filter(|_| rest.first() == Some(&b'E')).and_then(|digits| digits.parse().ok());
        found.extend(number);
    }
    // The plain peer knows no names: it shows the number.
    if found.is_empty() && text.contains("9999999") {
        found.push(PANIC);
    }
    found
}

fn body(kind: &str, data: &Value) -> Value {
    json!({"key": KEY, "type": kind, "data": data})
}

/// `EVENT_911`, `data` only.
pub(crate) fn emergency(number: u32) -> Value {
    json!({
        "call": {
            "callId": number, "isEmergency": true, "caller": "Tessa Marlowe", "location": "1180 Lantern Quay, Brineford",
            "description": format!("Two men with crowbars are forcing the door of the bait shop. {}", mark(number)),
            "metaData": {"postal": "2207", "x": "-318.4", "y": "1204.75", "z": "31.2"}
        },
        "identities": ["license:4be07d1c9a"]
    })
}

/// `EVENT_REMOVE_911`.
pub(crate) fn emergency_removed(number: u32) -> Value {
    body("EVENT_REMOVE_911", &json!({"callIds": [number]}))
}

/// `EVENT_DISPATCH_NEW`, `data` only.
pub(crate) fn dispatch(number: u32) -> Value {
    json!({
        "eventOriginIdent": 1,
        "dispatch": {
            "callId": number, "origin": 0, "status": 1, "priority": 2, "block": "1100", "address": "1180 Lantern Quay, Brineford",
            "postal": "2207", "title": "Burglary in progress", "code": "10-62 - Burglary",
            "description": format!("Two suspects with crowbars; caller watching from across the street. {}", mark(number)),
            "notes": [{"time": "2026-08-14T19:44:02Z", "label": "D-1", "type": "text", "content": "Caller hears glass breaking."}],
            "idents": [7, 12], "metaData": {"x": "-318.4", "y": "1204.75"}, "primary": 7, "trackPrimary": false
        }
    })
}

/// `EVENT_DISPATCH_NOTE`.
pub(crate) fn dispatch_note(number: u32) -> Value {
    let note = json!({"time": "19:47:30", "label": "2L-14", "type": "text", "content": format!("On scene, detained one. Entry {number}.")});
    body("EVENT_DISPATCH_NOTE", &json!({"callId": number, "note": note}))
}

/// `EVENT_DISPATCH_CLOSED`.
pub(crate) fn dispatch_closed(number: u32) -> Value {
    body("EVENT_DISPATCH_CLOSED", &json!({"callIds": [number]}))
}

/// `EVENT_UNIT_LOGIN`.
pub(crate) fn login(ident: u32) -> Value {
    let name = if ident == PANIC { format!("Dana {}", mark(PANIC)) } else { format!("Dana Okafor {ident}") };
    body(
        "EVENT_UNIT_LOGIN",
        &json!({
            "unit": {
                "id": ident, "accId": format!("7c1f9a52-3a0e-4d7b-9f6e-{ident:012}"), "status": 2, "isPanic": false, "location": "Pier 9",
                "aop": "Brineford",
                "data": {
                    "unitNum": format!("2L-{ident}"), "name": name, "district": "Saltmarsh County", "department": "SCSO",
                    "subdivision": "Patrol", "rank": "Deputy", "group": "", "page": 0
                }
            },
            "isDispatch": false, "selfDispatch": true
        }),
    )
}

/// `EVENT_UNIT_STATUS`.
pub(crate) fn status(ident: u32, status: u32) -> Value {
    body("EVENT_UNIT_STATUS", &json!({"identIds": [ident], "status": status}))
}

/// `EVENT_UNIT_PANIC`.
pub(crate) fn panic(ident: u32) -> Value {
    body("EVENT_UNIT_PANIC", &json!({"identIds": [ident], "isPanic": true}))
}

/// An event of an unknown type.
pub(crate) fn unknown(number: u32) -> Value {
    body("EVENT_OF_TOMORROW", &json!({"number": number, "what": "something that a later version of the CAD tells", "where": "Pier 9"}))
}

/// `EVENT_911` as a body.
pub(crate) fn emergency_body(number: u32) -> String {
    body("EVENT_911", &emergency(number)).to_string()
}

/// A new card for bursts: 911 and dispatch calls in turn.
pub(crate) fn card_body(number: u32) -> String {
    if number.is_multiple_of(2) { emergency_body(number) } else { dispatch_body(number) }
}

/// `EVENT_DISPATCH_NEW` as a body.
pub(crate) fn dispatch_body(number: u32) -> String {
    body("EVENT_DISPATCH_NEW", &dispatch(number)).to_string()
}
