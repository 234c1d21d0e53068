//! The tone board: `EVENT_TONE`.

use super::normalise::Item;
use super::{DecodeError, Event, ToneTarget};

pub(super) fn tone(item: Item<'_>) -> Result<Event, DecodeError> {
    let url = item.data.url("url");
    let sent = item.data.objects("playTonesTo").unwrap_or_default();
    let targets: Vec<ToneTarget> = sent
        .into_iter()
        .map(|target| ToneTarget { kind: target.int("type"), value: target.text("value"), label: target.text("label") })
        .filter(|target| target.kind.is_some() || target.value.is_some() || target.label.is_some())
        .collect();
    if url.is_none() && targets.is_empty() { Err(DecodeError::Missing("url")) } else { Ok(Event::Tone { url, targets }) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::decode_one;
    use super::*;

    #[test]
    fn targets_that_say_nothing_are_left_out() {
        let targets = json!([{}, null, {"type": "5", "value": 7.0}, {"label": "All"}]);
        let expected = vec![
            ToneTarget { kind: Some(5), value: Some("7".into()), label: None },
            ToneTarget { kind: None, value: None, label: Some("All".into()) },
        ];
        let event = decode_one("EVENT_TONE", json!({"url": "javascript:x", "playTonesTo": targets}));
        assert_eq!(event, Ok(Event::Tone { url: None, targets: expected }));
        assert_eq!(decode_one("EVENT_TONE", json!({"url": "tone1", "playTonesTo": "x"})), Err(DecodeError::Missing("url")));
    }
}
