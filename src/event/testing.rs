//! A helper for the tests of the families: one event from one object.

use serde_json::{Map, Value};

use super::{DecodeError, Envelope, Event, decode};

/// Decodes `data` as sent alone; exactly one event is expected.
pub(super) fn decode_one(kind: &str, data: Value) -> Result<Event, DecodeError> {
    let events = decode(&Envelope { kind: kind.into(), data, extras: Map::new() })?;
    let [event] = <[Event; 1]>::try_from(events).expect("one event");
    Ok(event)
}
