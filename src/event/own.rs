//! Events that only the bot itself creates: what people do on Discord that the CAD has no place for. Only
//! [`super::Source::Bot`] may send them; from anywhere else these types are unknown.

use super::normalise::Item;
use super::{DecodeError, Event};
use crate::ids::UserId;

/// The type of [`Event::Acknowledged`].
pub const ACKNOWLEDGED: &str = "TENFOUR_TAKEN";
/// The type of [`Event::EmergencyNote`].
pub const EMERGENCY_NOTE: &str = "TENFOUR_911_NOTE";

/// Whether only the bot itself may send events of this type.
#[must_use]
pub fn is_own(kind: &str) -> bool {
    kind == ACKNOWLEDGED || kind == EMERGENCY_NOTE
}

pub(super) fn acknowledged(item: Item<'_>) -> Result<Event, DecodeError> {
    let subject = item.data.text("subject").ok_or(DecodeError::Missing("subject"))?;
    let by = item.data.text("by").and_then(|id| id.parse().ok()).ok_or(DecodeError::Missing("by"))?;
    Ok(Event::Acknowledged { subject, by: UserId(by) })
}

pub(super) fn emergency_note(item: Item<'_>) -> Result<Event, DecodeError> {
    match super::dispatch::note(item)? {
        Event::DispatchNote { call, note } => Ok(Event::EmergencyNote { call, note }),
        _ => Err(DecodeError::Missing("note")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Note;
    use super::super::testing::decode_one;
    use super::*;
    use crate::ids::CallId;

    #[test]
    fn who_took_what() {
        let taken = |data| decode_one(ACKNOWLEDGED, data);
        assert_eq!(
            taken(json!({"subject": "911:302@1", "by": "175928847299117063"})),
            Ok(Event::Acknowledged { subject: "911:302@1".into(), by: UserId(175_928_847_299_117_063) })
        );
        assert_eq!(taken(json!({"by": "1"})), Err(DecodeError::Missing("subject")));
        assert_eq!(taken(json!({"subject": "911:302@1", "by": "me"})), Err(DecodeError::Missing("by")));
    }

    #[test]
    fn a_note_on_a_911() {
        let event = decode_one(EMERGENCY_NOTE, json!({"callId": 302, "note": {"label": "A-10", "type": "text", "content": "on my way"}}));
        let note = Note { time: None, label: Some("A-10".into()), kind: "text".into(), content: "on my way".into() };
        assert_eq!(event, Ok(Event::EmergencyNote { call: CallId(302), note }));
        assert!(is_own(EMERGENCY_NOTE) && is_own(ACKNOWLEDGED) && !is_own("EVENT_911"));
    }
}
