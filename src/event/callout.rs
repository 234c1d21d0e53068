//! ERS callouts: `EVENT_NEW_CALLOUT`.

use super::normalise::Item;
use super::{Callout, DecodeError, Event};

/// Documented with the fields in `callout`; the real consumer reads them from `callout.data` (docs/cad-contract.md#e9). Coordinates are no
/// location for people: `location` is only what was sent as text. All fields may be absent: that there is a callout is the news.
pub(super) fn callout(item: Item<'_>) -> Result<Event, DecodeError> {
    let outer = item.data.object("callout").ok_or(DecodeError::Missing("callout"))?;
    let inner = outer.object("data").unwrap_or(outer);
    let first = |names: [&str; 2]| names.into_iter().find_map(|name| inner.text(name).or_else(|| outer.text(name)));
    let descriptions = ["calloutDescriptions", "calloutDescription", "description"];
    Ok(Event::Callout(Callout {
        id: outer.word("id").or_else(|| inner.word("id")),
        name: first(["calloutName", "name"]),
        descriptions: descriptions.into_iter().map(|name| inner.texts(name)).find(|texts| !texts.is_empty()).unwrap_or_default(),
        location: first(["location", "address"]),
        postal: first(["postal", "calloutPostal"]),
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::decode_one;
    use super::*;

    #[test]
    fn either_spelling_either_depth() {
        let expected = Callout {
            id: Some("7".into()),
            name: Some("Fire".into()),
            descriptions: vec!["Smoke".into()],
            location: Some("Pier".into()),
            postal: Some("2207".into()),
        };
        for callout in [
            json!({"id": 7, "calloutName": "Fire", "calloutDescriptions": ["Smoke", ""], "location": "Pier", "postal": 2207}),
            json!({"id": "7", "location": "Pier", "data": {"Name": "Fire", "Description": "Smoke", "Postal": "2207", "CalloutLocations": [{"x": 1}]}}),
        ] {
            let event = decode_one("EVENT_NEW_CALLOUT", json!({"callout": callout}));
            assert_eq!(event, Ok(Event::Callout(expected.clone())), "{callout}");
        }
        assert_eq!(decode_one("EVENT_NEW_CALLOUT", json!({"callout": "x"})), Err(DecodeError::Missing("callout")));
    }
}
