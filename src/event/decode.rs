//! From an envelope to typed events: which reader is for which type, and what becomes of arrays.

use serde_json::{Map, Value};

use super::normalise::{Fields, Item, MAX_LIST, parse_once};
use super::{Envelope, Event, callout, civilian, dispatch, emergency, pager, panic, record, sign, station, tone, unit};

/// A type we know, with data that cannot be used. Names the field that is missing, never what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum DecodeError {
    /// `data` is neither an object, nor a list that holds one, nor a text that holds either.
    #[error("`data` is neither an object nor a list of objects")]
    NoObject,
    /// The field without which the event says nothing is absent or of an unusable kind.
    #[error("`{0}` is missing or cannot be used")]
    Missing(&'static str),
}

type Reader = fn(Item<'_>) -> Result<Event, DecodeError>;

/// Every type that is understood (contract c.3), retired names included.
const READERS: [(&str, Reader); 34] = [
    ("EVENT_911", emergency::new),
    ("EVENT_REMOVE_911", emergency::removed),
    ("EVENT_UNIT_PANIC", panic::panic),
    ("EVENT_UNIT_LOGIN", unit::login),
    ("EVENT_UNIT_LOGOUT", unit::logout),
    ("EVENT_UNIT_STATUS", unit::status),
    ("EVENT_UNIT_UPDATE", unit::update),
    ("EVENT_UNIT_GROUP_ADD", unit::group_add),
    ("EVENT_UNIT_GROUP_REMOVE", unit::group_remove),
    ("EVENT_UNIT_GROUP_CHANGE_NAME", unit::group_rename),
    ("EVENT_DISPATCH_NEW", dispatch::new),
    ("EVENT_DISPATCH_EDIT", dispatch::edited),
    ("EVENT_DISPATCH_CLOSED", dispatch::closed),
    ("EVENT_DISPATCH_CLOSE", dispatch::closed),
    ("EVENT_DISPATCH_NOTE", dispatch::note),
    ("EVENT_DISPATCH_UNIT_ATTACH", dispatch::attach),
    ("EVENT_UNIT_ATTACH", dispatch::attach),
    ("EVENT_DISPATCH_UNIT_DETACH", dispatch::detach),
    ("EVENT_UNIT_DETACH", dispatch::detach),
    ("EVENT_DISPATCH_TOGGLE_BODYCAM", dispatch::bodycam),
    ("TOGGLE_BODYCAM", dispatch::bodycam),
    ("EVENT_DISPATCH", dispatch::of_2020),
    ("EVENT_TONE", tone::tone),
    ("EVENT_STREETSIGN_UPDATED", sign::updated),
    ("EVENT_RECORD_ADD", record::added),
    ("EVENT_RECORD_EDIT", record::edited),
    ("EVENT_RECORD_REMOVE", record::removed),
    ("EVENT_PRINT_RECORD", record::printed),
    ("EVENT_CHAR_SELECTED", civilian::character_selected),
    ("EVENT_COMMUNITY_LINK_VERIFIED", civilian::link_verified),
    ("EVENT_NEW_CALLOUT", callout::callout),
    ("EVENT_STATION_ALERT", station::alert),
    ("EVENT_PAGER_REBORN", pager::page),
    // The current status and unit events say what a cleared call means for its units.
    ("EVENT_UNIT_CALL_CLEAR", ignored),
];

/// Asks a game server for its logs: nothing of it is for us, its shape is not looked at.
const LOGS: &str = "GET_LOGS";

/// Every type that [`decode`] knows, as [`Envelope::kind`] has it: the closed set for metric labels.
pub fn known_kinds() -> impl Iterator<Item = &'static str> {
    READERS.iter().map(|(kind, _)| *kind).chain([LOGS])
}

/// What happened. One event per object of `data`, at most 200; of a list of good and bad objects the good ones.
///
/// # Errors
/// If the type is known and nothing of its data can be used: the reason for the first object.
pub fn decode(envelope: &Envelope) -> Result<Vec<Event>, DecodeError> {
    if envelope.kind == LOGS {
        return Ok(vec![Event::Ignored]);
    }
    let Some((_, read)) = READERS.iter().find(|(kind, _)| *kind == envelope.kind) else { return Ok(vec![Event::Unknown]) };

    let parsed;
    let data = match &envelope.data {
        Value::String(text) => {
            parsed = parse_once(text).ok_or(DecodeError::NoObject)?;
            &parsed
        }
        sent => sent,
    };
    // Without data the fields beside it may still do; if not, the reader names what is missing.
    let nothing = Map::new();
    let objects: Vec<&Map<String, Value>> = match data {
        Value::Object(one) => vec![one],
        Value::Array(list) => list.iter().filter_map(Value::as_object).take(MAX_LIST).collect(),
        Value::Null => vec![&nothing],
        _ => Vec::new(),
    };

    let mut events = Vec::with_capacity(objects.len());
    let mut first_error = DecodeError::NoObject;
    for (place, object) in objects.into_iter().enumerate() {
        match read(Item { data: Fields(object), top: Fields(&envelope.extras) }) {
            Ok(event) => events.push(event),
            Err(error) if place == 0 => first_error = error,
            Err(_) => {}
        }
    }
    if events.is_empty() { Err(first_error) } else { Ok(events) }
}

fn ignored(_: Item<'_>) -> Result<Event, DecodeError> {
    Ok(Event::Ignored)
}
