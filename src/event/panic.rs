//! Panic buttons: `EVENT_UNIT_PANIC`.

use super::normalise::Item;
use super::{DecodeError, Event};

pub(super) fn panic(item: Item<'_>) -> Result<Event, DecodeError> {
    let idents = item.idents();
    if idents.is_empty() {
        return Err(DecodeError::Missing("identIds"));
    }
    // Before 2021-10 the event had no flag and meant "on". An unreadable flag is on too: better an alarm too many.
    Ok(Event::Panic { idents, on: item.data.flag("isPanic").unwrap_or(true) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::decode_one;
    use super::*;
    use crate::ids::Ident;

    #[test]
    fn the_text_false_is_the_end_of_a_panic_and_no_flag_is_the_start() {
        for (flag, on) in [
            (json!("false"), false),
            (json!("False"), false),
            (json!(0), false),
            (json!("True"), true),
            (json!(null), true),
            (json!("?"), true),
        ] {
            let event = decode_one("EVENT_UNIT_PANIC", json!({"identIds": [7], "isPanic": flag}));
            assert_eq!(event, Ok(Event::Panic { idents: vec![Ident(7)], on }), "{flag}");
        }
    }

    #[test]
    fn a_panic_of_nobody_is_refused() {
        let event = decode_one("EVENT_UNIT_PANIC", json!({"identIds": "x", "isPanic": true}));
        assert_eq!(event, Err(DecodeError::Missing("identIds")));
    }
}
