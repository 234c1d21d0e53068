//! Pages: `EVENT_PAGER_REBORN`.

use super::normalise::Item;
use super::{DecodeError, Event, Page, PageNature};

/// `players` of 2026-04-07 are the game's player numbers, not idents: used as units they would name the wrong ones.
pub(super) fn page(item: Item<'_>) -> Result<Event, DecodeError> {
    let page = Page {
        addresses: item.data.texts("addresses"),
        idents: item.idents(),
        nature: item.data.word("nature").map_or_else(PageNature::default, nature),
        body: item.data.text("body"),
    };
    let says_nothing = page.addresses.is_empty() && page.idents.is_empty() && page.body.is_none();
    if says_nothing { Err(DecodeError::Missing("addresses")) } else { Ok(Event::Pager(page)) }
}

fn nature(word: String) -> PageNature {
    let bare: String = word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    match bare.as_str() {
        "emergency" => PageNature::Emergency,
        "nonemergency" => PageNature::NonEmergency,
        "administrative" => PageNature::Administrative,
        _ => PageNature::Other(word),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::decode_one;
    use super::*;

    #[test]
    fn natures_in_every_spelling_and_the_communitys_own() {
        for (sent, expected) in [
            (json!("Emergency"), PageNature::Emergency),
            (json!("EMERGENCY "), PageNature::Emergency),
            (json!("NonEmergency"), PageNature::NonEmergency),
            (json!("non-emergency"), PageNature::NonEmergency),
            (json!("Administrative"), PageNature::Administrative),
            (json!("Drill"), PageNature::Other("Drill".into())),
            (json!(""), PageNature::NonEmergency),
            (json!(null), PageNature::NonEmergency),
        ] {
            let event = decode_one("EVENT_PAGER_REBORN", json!({"body": "x", "nature": sent}));
            assert_eq!(event, Ok(Event::Pager(Page { nature: expected, body: Some("x".into()), ..Page::default() })), "{sent}");
        }
    }

    #[test]
    fn a_page_to_nobody_about_nothing_changes_nothing_and_one_without_addresses_is_refused() {
        let page = |addresses: serde_json::Value| {
            decode_one("EVENT_PAGER_REBORN", json!({"addresses": addresses, "players": [12], "nature": "Emergency"}))
        };
        assert_eq!(page(json!([""])), Ok(Event::Ignored));
        assert_eq!(decode_one("EVENT_PAGER_REBORN", json!({"nature": "Emergency"})), Err(DecodeError::Missing("addresses")));
    }
}
