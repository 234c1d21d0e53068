//! Road signs: `EVENT_STREETSIGN_UPDATED`.

use super::normalise::Item;
use super::{DecodeError, Event};

pub(super) fn updated(item: Item<'_>) -> Result<Event, DecodeError> {
    let sign = item.wrapped("signData", &["ids", "text1"]).ok_or(DecodeError::Missing("signData"))?;
    let ids = sign.ints("ids");
    let lines: Vec<String> = ["text1", "text2", "text3"].into_iter().filter_map(|name| sign.text(name)).collect();
    // A sign without lines was cleared; lines without a sign are still news.
    if ids.is_empty() && lines.is_empty() { Err(DecodeError::Missing("signData")) } else { Ok(Event::StreetSign { ids, lines }) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::decode_one;
    use super::*;

    #[test]
    fn a_wiped_sign_has_no_lines_and_no_sign_is_refused() {
        let wiped = decode_one("EVENT_STREETSIGN_UPDATED", json!({"signData": {"ids": 3, "text1": "", "text2": " "}}));
        assert_eq!(wiped, Ok(Event::StreetSign { ids: vec![3], lines: vec![] }));
        let flat = decode_one("EVENT_STREETSIGN_UPDATED", json!({"ids": ["3"], "text2": "B"}));
        assert_eq!(flat, Ok(Event::StreetSign { ids: vec![3], lines: vec!["B".into()] }));
        for data in [json!({}), json!({"signData": {}}), json!({"signData": {"text1": " "}})] {
            assert_eq!(decode_one("EVENT_STREETSIGN_UPDATED", data.clone()), Err(DecodeError::Missing("signData")), "{data}");
        }
    }
}
