//! The CAD's own words for a refusal, made harmless. Players can get their text into them.

use serde_json::Value;

use super::read::{object, property};

/// Limit on the characters kept.
const MAX_DETAIL_CHARS: usize = 160;

/// The text of a refusal, from `application/problem+json` (`detail`, else `title`), a gateway's `message`, or plain text; empty if none.
pub(super) fn of_body(body: &[u8]) -> String {
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::String(text)) => harmless(&text),
        Ok(value) => {
            let fields = object(&value);
            let named = |name: &str| fields.and_then(|fields| property(fields, name)).and_then(Value::as_str).map(harmless);
            ["detail", "message", "error", "title"].iter().filter_map(|name| named(name)).find(|text| !text.is_empty()).unwrap_or_default()
        }
        Err(_) if is_page(body) => String::new(),
        Err(_) => std::str::from_utf8(body).map(harmless).unwrap_or_default(),
    }
}

/// Whether a body is a web page, which no API answers with.
pub(super) fn is_page(body: &[u8]) -> bool {
    body.trim_ascii_start().first() == Some(&b'<')
}

/// One line of Latin letters, digits and simple punctuation that has no meaning in Discord's markdown: no mentions, links, emphasis,
/// control, bidirectional or invisible characters.
pub(super) fn harmless(text: &str) -> String {
    let keep = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(c, '.' | ',' | ';' | ':' | '\'' | '(' | ')' | '-' | '%' | '!' | '?' | '=' | '+' | '"')
            || ('\u{c0}'..='\u{24f}').contains(&c)
    };
    // Bounded before any work: an answer may be large.
    let kept: String = text.chars().take(4 * MAX_DETAIL_CHARS).map(|c| if keep(c) { c } else { ' ' }).collect();
    let mut line = String::new();
    for word in kept.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    let cut: String = line.chars().take(MAX_DETAIL_CHARS).collect();
    cut.trim_end_matches([' ', '.']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_discord_would_act_on_is_left() {
        let hostile =
            "Call <@123> @everyone **gone** [x](https://evil.example/a) `c` ||s|| _i_ ~~s~~\n# Head > q \u{202e}\u{200b}\u{3164}\u{7}é.";
        assert_eq!(harmless(hostile), "Call 123 everyone gone x (https: evil.example a) c s i s Head q é");
        assert_eq!(harmless(&"y".repeat(100_000)).len(), MAX_DETAIL_CHARS);
        assert_eq!(harmless("The call does not exist."), "The call does not exist");
        assert_eq!(harmless("@@@"), "");
    }

    #[test]
    fn words_are_found_in_every_kind_of_body() {
        for (body, expected) in [
            (r#"{"type":"x","title":"Not Found","Detail":"No such call.","traceId":"t"}"#, "No such call"),
            (r#"{"title":"Not Found","detail":""}"#, "Not Found"),
            (r#"{"message":"no Route matched with those values"}"#, "no Route matched with those values"),
            (r#""INVALID API KEY""#, "INVALID API KEY"),
            ("API ID NOT LINKED", "API ID NOT LINKED"),
            ("<html><h1>404</h1></html>", ""),
            ("", ""),
            ("[1]", ""),
        ] {
            assert_eq!(of_body(body.as_bytes()), expected, "{body}");
        }
        assert_eq!(of_body(b"\xff\xfe"), "");
    }
}
