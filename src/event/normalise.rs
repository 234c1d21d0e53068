//! The parsing rules of docs/cad-contract.md#e1 in one place: how a JSON value becomes an id, a flag, a text, a list, a time, an address.
//!
//! Everything here is bounded and total: an unusable value counts as absent, never as an error. The file of the event family
//! decides which absence matters.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::envelope::MAX_VALUES;
use super::{Meta, NUMBER_AS_SENT};
use crate::clock::UnixMs;
use crate::ids::{CallId, Ident};
use crate::json::{JsonReader, Secrets};

/// Limit on the elements of any list: idents, calls, units, notes, fields, and objects of an array `data`.
pub(super) const MAX_LIST: usize = 500;
/// Limit on the characters of any text. `render` cuts far earlier and marks the cut; this only bounds memory and rows.
pub(super) const MAX_TEXT: usize = 8_000;
/// Limit on the keys of `metaData`.
pub(super) const MAX_META: usize = 64;
/// Limit on the bytes of all values of `metaData`: calls stay in memory for as long as they are open.
const MAX_META_TEXT: usize = 32_000;
/// Limit on the characters of a key of `metaData`.
const MAX_META_KEY: usize = 100;
/// Longest address kept, in bytes, which are characters as it is ASCII by then.
const MAX_URL: usize = 2_048;

/// The fields of one JSON object, read tolerantly: `null` is absent, and another letter case of a name is found too (real callouts
/// have `CalloutName` where the documentation has `calloutName`; docs/cad-contract.md#e1).
#[derive(Clone, Copy, Debug)]
pub(super) struct JsonFields<'a>(pub(super) &'a Map<String, Value>);

impl<'a> JsonFields<'a> {
    /// The value of `name`: as written first, then in any other letter case.
    pub(super) fn get(self, name: &str) -> Option<&'a Value> {
        self.0
            .get(name)
            .or_else(|| self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
            .filter(|value| !value.is_null())
    }

    fn is_empty_list(self, name: &str) -> bool {
        match self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value) {
            Some(Value::Array(list)) => list.iter().all(is_nothing),
            Some(Value::Object(map)) => map.is_empty(),
            Some(Value::String(text)) => is_blank(text) || parse_once(text).is_some_and(|list| list.is_array() && is_nothing(&list)),
            // Plural names are lists.
            Some(Value::Null) => name.ends_with('s') || name == "playTonesTo",
            _ => false,
        }
    }

    pub(super) fn has(self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(super) fn object(self, name: &str) -> Option<Self> {
        self.get(name)?.as_object().map(JsonFields)
    }

    pub(super) fn int(self, name: &str) -> Option<i64> {
        int(self.get(name)?)
    }

    /// A non-number in the place of a number, as sent.
    pub(super) fn number_as_sent(self, name: &str) -> Option<String> {
        let sent = text(self.get(name)?)?;
        self.int(name).is_none().then(|| bounded(sent.trim(), MAX_META_KEY).to_owned())
    }

    pub(super) fn flag(self, name: &str) -> Option<bool> {
        flag(self.get(name)?)
    }

    pub(super) fn text(self, name: &str) -> Option<String> {
        text(self.get(name)?)
    }

    /// Text without the blanks around it: for words and keys that are compared.
    pub(super) fn word(self, name: &str) -> Option<String> {
        self.text(name).map(|text| text.trim().to_owned())
    }

    /// Texts of a list, or the one text of a scalar; blank ones left out.
    pub(super) fn texts(self, name: &str) -> Vec<String> {
        self.get(name).map(texts).unwrap_or_default()
    }

    /// Numbers of a list or a scalar.
    pub(super) fn ints(self, name: &str) -> Vec<i64> {
        let mut found = Vec::new();
        push_ints(&mut found, self.get(name));
        found
    }

    /// Objects of a list, or the one object; `None` if there is no such field or it is neither.
    pub(super) fn objects(self, name: &str) -> Option<Vec<Self>> {
        match self.get(name)? {
            Value::Array(list) => Some(list.iter().filter_map(Value::as_object).map(JsonFields).take(MAX_LIST).collect()),
            // Lua writes an empty list as `{}`, and forwarders are written in Lua.
            Value::Object(one) if one.is_empty() => Some(Vec::new()),
            Value::Object(one) => Some(vec![JsonFields(one)]),
            _ => None,
        }
    }

    pub(super) fn url(self, name: &str) -> Option<String> {
        url(self.get(name)?.as_str()?)
    }

    pub(super) fn time(self, name: &str) -> Option<UnixMs> {
        time(self.get(name)?.as_str()?)
    }
}

/// One object of `data`, and the fields beside `data`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item<'a> {
    pub(super) data: JsonFields<'a>,
    pub(super) top: JsonFields<'a>,
}

impl<'a> Item<'a> {
    /// The object called `name`; without it `data` itself, if one of the `signs` shows that it was sent without the wrapper.
    pub(super) fn wrapped(self, name: &str, signs: &[&str]) -> Option<JsonFields<'a>> {
        self.data.object(name).or_else(|| signs.iter().any(|sign| self.data.has(sign)).then_some(self.data))
    }

    /// Every unit named by number, in `data` first, then beside it (rule 5), then the numbers of `units` sent whole (2020).
    pub(super) fn idents(self) -> Vec<Ident> {
        let mut found = Vec::new();
        push_idents(&mut found, self.data);
        push_idents(&mut found, self.top);
        push_units(&mut found, self.data);
        found.into_iter().map(Ident).collect()
    }

    /// `callIds` and the `callId` of before 2022-04, together.
    pub(super) fn calls(self) -> Vec<CallId> {
        let mut found = Vec::new();
        push_ints(&mut found, self.data.get("callIds"));
        push_ints(&mut found, self.data.get("callId"));
        found.into_iter().map(CallId).collect()
    }

    /// Whether a list of subjects is there and empty: then nothing happened, and nothing is wrong. Null in the place
    /// of a list, lists of nothing but null, and `{}` (Lua's empty list) are empty too.
    pub(super) fn is_about_nothing(self) -> bool {
        [self.data, self.top].into_iter().any(|fields| LISTS.iter().any(|name| fields.is_empty_list(name)))
            || self.data.object("signData").is_some_and(|sign| sign.is_empty_list("ids"))
    }

    /// `eventOriginIdent`: the actor. Numbers below 1 mean nobody.
    pub(super) fn by(self) -> Option<Ident> {
        self.data.int("eventOriginIdent").filter(|n| *n > 0).map(Ident)
    }
}

/// Fields with an event's subjects, which are or may be lists.
const LISTS: [&str; 10] = ["callIds", "callId", "identIds", "identId", "idents", "ident", "units", "playTonesTo", "locations", "addresses"];

/// The four names under which idents are sent (rule 5), lists before scalars as the real client reads them.
const IDENT_NAMES: [&str; 4] = ["identIds", "identId", "idents", "ident"];

fn push_idents(found: &mut Vec<i64>, fields: JsonFields<'_>) {
    for name in IDENT_NAMES {
        push_ints(found, fields.get(name));
    }
}

fn push_units(found: &mut Vec<i64>, fields: JsonFields<'_>) {
    for unit in fields.objects("units").unwrap_or_default() {
        push_ints(found, unit.get("id"));
    }
}

/// The idents inside one object, `None` if no field of it could have any.
pub(super) fn idents_within(fields: JsonFields<'_>) -> Option<Vec<Ident>> {
    if !IDENT_NAMES.iter().any(|name| fields.has(name)) && !fields.has("units") {
        return None;
    }
    let mut found = Vec::new();
    push_idents(&mut found, fields);
    push_units(&mut found, fields);
    Some(found.into_iter().map(Ident).collect())
}

/// Adds the numbers of a list or scalar: in order, without duplicates, [`MAX_LIST`] at most.
fn push_ints(found: &mut Vec<i64>, value: Option<&Value>) {
    let list = match value {
        Some(Value::Array(list)) => list.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    for number in list.iter().filter_map(int) {
        if found.len() >= MAX_LIST {
            return;
        }
        if !found.contains(&number) {
            found.push(number);
        }
    }
}

/// Rule 4: a number, an integral float (Lua forwarders make them), or a text of either.
pub(super) fn int(value: &Value) -> Option<i64> {
    /// Above this a float can't represent every integer (2⁵³).
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) => {
            number.as_i64().or_else(|| number.as_f64().filter(|f| f.fract() == 0.0 && f.abs() <= EXACT).map(|f| f as i64))
        }
        Value::String(text) => {
            let text = whole(text.trim());
            // `parse` alone would accept a plus sign.
            is_digits(text).then(|| text.parse().ok()).flatten()
        }
        _ => None,
    }
}

/// `81` from `81.0`, which is how Lua writes a whole float as text; any other text unchanged.
pub(super) fn whole(text: &str) -> &str {
    match text.split_once('.') {
        Some((whole, zeros)) if is_digits(whole) && !zeros.is_empty() && zeros.bytes().all(|b| b == b'0') => whole,
        _ => text,
    }
}

fn is_digits(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

/// Rule 6: the text "false" is false.
pub(super) fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::Number(_) => flag_of(int(value)?),
        Value::String(text) => match text.trim() {
            "1" => Some(true),
            "0" => Some(false),
            word if word.eq_ignore_ascii_case("true") => Some(true),
            word if word.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        },
        _ => None,
    }
}

fn flag_of(number: i64) -> Option<bool> {
    match number {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

/// Rule 7: a scalar as text, as sent; `None` if nothing in it is visible. [`MAX_TEXT`] at most.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if is_blank(text) => None,
        Value::String(text) => Some(bounded(text, MAX_TEXT).to_owned()),
        Value::Number(number) => Some(int(value).map_or_else(|| number.to_string(), |n| n.to_string())),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(list) => list.iter().filter_map(text).take(MAX_LIST).collect(),
        one => text(one).into_iter().collect(),
    }
}

/// A scalar as text, or a list of scalars joined by commas: for values of any kind. Objects have no text.
pub(super) fn joined(value: &Value) -> Option<String> {
    match value {
        Value::Array(_) => {
            let joined = texts(value).join(", ");
            (!joined.is_empty()).then(|| bounded(&joined, MAX_TEXT).to_owned())
        }
        one => text(one),
    }
}

/// At most `chars` characters of `text`.
pub(super) fn bounded(text: &str, chars: usize) -> &str {
    // A text of n bytes has at most n characters: most texts need no scan.
    if text.len() <= chars {
        return text;
    }
    text.char_indices().nth(chars).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

/// Nothing in it is visible.
/// Null, blank text, and lists of them.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => is_blank(text),
        Value::Array(list) => list.iter().all(is_nothing),
        _ => false,
    }
}

pub(super) fn is_blank(text: &str) -> bool {
    text.chars().all(is_invisible)
}

/// White space, controls, and invisible Unicode characters: zero-width characters, bidi marks, fillers, selectors, tags.
fn is_invisible(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c,
            '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{2800}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}'
            | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

/// An http(s) address with a host and without a user name (which only serves to disguise the host), as a browser would write it:
/// ASCII, nothing that needs escaping but brackets and the like.
pub(super) fn url(text: &str) -> Option<String> {
    let text = text.trim();
    if text.len() > MAX_URL {
        return None;
    }
    let parsed = url::Url::parse(text).ok()?;
    let plain = matches!(parsed.scheme(), "http" | "https") && parsed.username().is_empty() && parsed.password().is_none();
    let written = String::from(parsed);
    (plain && written.len() <= MAX_URL).then_some(written)
}

/// An ISO time; without an offset it is UTC (the CAD runs on .NET, which leaves it out). Times before 1970 mean "never": .NET's
/// empty time is in the year 1.
pub(super) fn time(text: &str) -> Option<UnixMs> {
    let text = text.trim();
    let at = text.parse::<jiff::Timestamp>().ok().or_else(|| {
        let civil = text.parse::<jiff::civil::DateTime>().ok()?;
        Some(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    })?;
    Some(at.as_millisecond()).filter(|ms| *ms > 0).map(UnixMs)
}

/// JSON inside a text, one level deep: `data` and `metaData` may be sent so. Bounded as bodies are.
pub(super) fn parse_once(text: &str) -> Option<Value> {
    JsonReader::new(MAX_VALUES, &Secrets::default()).read(text.as_bytes()).ok()
}

/// `metaData` of a call from all its possible places (rule 8).
#[derive(Debug, Default)]
pub(super) struct MetaData<'a>(Vec<Cow<'a, Map<String, Value>>>);

impl<'a> MetaData<'a> {
    /// From these holders, the most trusted first: of duplicate keys, the first one's value counts.
    pub(super) fn of(holders: &[JsonFields<'a>]) -> Self {
        let sources = holders.iter().filter_map(|holder| match holder.get("metaData")? {
            Value::Object(map) => Some(Cow::Borrowed(map)),
            Value::String(text) => match parse_once(text)? {
                Value::Object(map) => Some(Cow::Owned(map)),
                _ => None,
            },
            // `[]` is how Lua writes an empty table.
            _ => None,
        });
        Self(sources.collect())
    }

    /// One value by name, before any bound.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find_map(|map| JsonFields(map).get(name))
    }

    /// All except the keys in `taken` (any letter case), as text.
    pub(super) fn rest(&self, taken: &[&str]) -> Meta {
        let mut meta = Meta::new();
        let mut room = MAX_META_TEXT;
        for (key, value) in self.0.iter().flat_map(|map| map.iter()) {
            if meta.len() >= MAX_META {
                break;
            }
            if is_blank(key) || key == NUMBER_AS_SENT || taken.iter().any(|name| key.eq_ignore_ascii_case(name)) {
                continue;
            }
            if let Some(text) = joined(value)
                && let Some(left) = room.checked_sub(text.len())
            {
                room = left;
                meta.entry(bounded(key, MAX_META_KEY).to_owned()).or_insert(text);
            }
        }
        meta
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fields(value: &Value) -> JsonFields<'_> {
        JsonFields(value.as_object().unwrap())
    }

    #[test]
    fn ids_are_numbers_integral_floats_and_digit_strings() {
        for (value, expected) in [
            (json!(4107), Some(4107)),
            (json!(-1), Some(-1)),
            (json!(4107.0), Some(4107)),
            (json!("4107"), Some(4107)),
            (json!(" 4107 "), Some(4107)),
            (json!("-1"), Some(-1)),
            (json!(i64::MAX), Some(i64::MAX)),
            (json!(4107.5), None),
            (json!(1e300), None),
            (json!(u64::MAX), None),
            (json!("99999999999999999999"), None),
            (json!("+5"), None),
            (json!("4107.0"), Some(4107)),
            (json!("-1.00"), Some(-1)),
            (json!("4107.5"), None),
            (json!("4107."), None),
            (json!(".0"), None),
            (json!("4107.0.0"), None),
            (json!("12a"), None),
            (json!(""), None),
            (json!("-"), None),
            (json!("٣"), None),
            (json!(true), None),
            (json!(null), None),
            (json!([1]), None),
            (json!({"id": 1}), None),
        ] {
            assert_eq!(int(&value), expected, "{value}");
        }
    }

    #[test]
    fn lists_and_scalars_of_ids_keep_order_lose_repeats_and_null() {
        let value = json!({"list": [3, null, "1", 3.0, "x", 2], "one": "7", "none": null, "lua": {}});
        let fields = fields(&value);
        assert_eq!(fields.ints("list"), [3, 1, 2]);
        assert_eq!(fields.ints("one"), [7]);
        assert_eq!(fields.ints("none"), [0_i64; 0]);
        assert_eq!(fields.ints("lua"), [0_i64; 0]);
        assert_eq!(fields.ints("absent"), [0_i64; 0]);
    }

    #[test]
    fn ident_names_are_read_together_in_data_and_beside_it() {
        let data = json!({"ident": 5, "idents": [4, 5], "identId": 2, "identIds": [1, 2], "units": [{"id": 8}, null, {"accId": "x"}]});
        let top = json!({"identId": 6, "identIds": "1"});
        let item = Item { data: fields(&data), top: fields(&top) };
        assert_eq!(item.idents(), [1, 2, 4, 5, 6, 8].map(Ident));
    }

    #[test]
    fn lists_are_bounded() {
        let many: Vec<i64> = (0..10_000).collect();
        let value = json!({"identIds": many, "units": vec![json!({"id": 1}); 1_000], "colors": vec!["red"; 1_000]});
        let item = Item { data: fields(&value), top: fields(&value) };
        assert_eq!(item.idents().len(), MAX_LIST);
        assert_eq!(fields(&value).objects("units").unwrap().len(), MAX_LIST);
        assert_eq!(fields(&value).texts("colors").len(), MAX_LIST);
    }

    #[test]
    fn the_text_false_is_false() {
        for (value, expected) in [
            (json!(true), Some(true)),
            (json!(false), Some(false)),
            (json!("true"), Some(true)),
            (json!("True"), Some(true)),
            (json!("false"), Some(false)),
            (json!(" FALSE "), Some(false)),
            (json!(1), Some(true)),
            (json!(0), Some(false)),
            (json!(1.0), Some(true)),
            (json!("1"), Some(true)),
            (json!("0"), Some(false)),
            (json!(2), None),
            (json!(""), None),
            (json!("maybe"), None),
            (json!(null), None),
            (json!([true]), None),
        ] {
            assert_eq!(flag(&value), expected, "{value}");
        }
    }

    #[test]
    fn blank_and_invisible_text_is_absent() {
        for blank in
            ["", " ", "\n\t", "\u{200B}\u{200D}", "\u{202E} \u{2066}", "\u{3164}", "\u{2800}", "\u{FEFF}\u{FE0F}", "\0", "\u{E0041}"]
        {
            assert_eq!(text(&json!(blank)), None, "{}", blank.escape_unicode());
        }
        for value in [json!(null), json!([]), json!({}), json!(["x"])] {
            assert_eq!(text(&value), None, "{value}");
        }
    }

    #[test]
    fn text_stays_as_sent_and_scalars_have_one() {
        assert_eq!(text(&json!(" a\u{200B}@everyone ")).unwrap(), " a\u{200B}@everyone ");
        assert_eq!(text(&json!(2207)).unwrap(), "2207");
        assert_eq!(text(&json!(2207.0)).unwrap(), "2207");
        assert_eq!(text(&json!(-318.4)).unwrap(), "-318.4");
        assert_eq!(text(&json!(false)).unwrap(), "false");
        assert_eq!(fields(&json!({"a": " x "})).word("a").unwrap(), "x");
    }

    #[test]
    fn text_is_cut_at_a_character() {
        assert_eq!(text(&json!("é".repeat(MAX_TEXT + 1))).unwrap().chars().count(), MAX_TEXT);
        assert_eq!(text(&json!("é".repeat(MAX_TEXT))).unwrap().chars().count(), MAX_TEXT);
        assert_eq!(bounded("añb", 2), "añ");
        assert_eq!(bounded("añb", 3), "añb");
        assert_eq!(bounded("", 0), "");
    }

    #[test]
    fn names_are_found_in_any_letter_case_the_exact_one_first() {
        let value = json!({"CALLID": 1, "callId": 2, "CalloutName": "x", "gone": null});
        assert_eq!(fields(&value).int("callId"), Some(2));
        assert_eq!(fields(&value).text("calloutName").unwrap(), "x");
        assert!(!fields(&value).has("gone"));
    }

    #[test]
    fn addresses_are_http_with_a_plain_host() {
        for (text, expected) in [
            ("https://tones.example.org/a.mp3", Some("https://tones.example.org/a.mp3")),
            (" HTTP://Example.org/a b ", Some("http://example.org/a%20b")),
            ("https://example.org/\u{202E}x", Some("https://example.org/%E2%80%AEx")),
            ("https://discord.com@evil.example/x", None),
            ("https://:pw@evil.example/x", None),
            ("javascript:alert(1)", None),
            ("data:audio/mp3;base64,AAAA", None),
            ("ftp://example.org/a", None),
            ("//example.org/a", None),
            ("tone1", None),
            ("https://", None),
            ("", None),
        ] {
            assert_eq!(url(text).as_deref(), expected, "{text}");
        }
        let fits = format!("https://example.org/{}", "a".repeat(MAX_URL - 20));
        assert_eq!(url(&fits).as_deref(), Some(fits.as_str()));
        assert_eq!(url(&format!("{fits}a")), None);
        // Escaping makes it longer: the bound holds for what is kept.
        assert_eq!(url(&format!("https://example.org/{}", "é".repeat(400))), None);
    }

    #[test]
    fn times_are_iso_utc_unless_they_say_otherwise() {
        let at = Some(UnixMs(1_786_736_531_000));
        for (text, expected) in [
            ("2026-08-14T19:42:11Z", at),
            ("2026-08-14T21:42:11+02:00", at),
            ("2026-08-14T19:42:11", at),
            ("2026-08-14T19:42:11.250Z", Some(UnixMs(1_786_736_531_250))),
            ("0001-01-01T00:00:00", None),
            ("0001-01-01T00:00:00Z", None),
            ("19:47:30", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(time(text), expected, "{text}");
        }
    }

    #[test]
    fn meta_data_sits_in_the_call_or_beside_it_and_its_values_become_text() {
        let call = json!({"metaData": {"postal": "2207", "plate": " ", "x": -318.4, "silent": false, "origin911": 302, "none": null, "list": ["a", 1], "deep": {"a": 1}}});
        let beside = json!({"metaData": {"postal": "other", "phone": "555-0142"}});
        let meta = MetaData::of(&[fields(&call), fields(&beside)]);
        assert_eq!(meta.get("ORIGIN911").and_then(int), Some(302));
        let rest = meta.rest(&["origin911"]);
        let expected = [("list", "a, 1"), ("phone", "555-0142"), ("postal", "2207"), ("silent", "false"), ("x", "-318.4")];
        assert_eq!(rest, expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
    }

    #[test]
    fn meta_data_as_text_is_parsed_once_and_other_shapes_are_empty() {
        let value = json!({"metaData": "{\"plate\":\"BKT 4471\"}"});
        assert_eq!(MetaData::of(&[fields(&value)]).rest(&[])["plate"], "BKT 4471");
        for shape in [json!([]), json!("nonsense"), json!(7), json!("\"{}\""), json!(null)] {
            let value = json!({"metaData": shape});
            assert!(MetaData::of(&[fields(&value)]).rest(&[]).is_empty(), "{value}");
        }
    }

    #[test]
    fn meta_data_is_bounded_but_what_is_looked_up_is_found_behind_the_bound() {
        let mut many: Map<String, Value> = (0..500).map(|n| (format!("k{n:03}"), json!("v"))).collect();
        many.insert("origin911".into(), json!("302"));
        many.insert("a".repeat(5_000), json!("v"));
        let value = json!({"metaData": many});
        let meta = MetaData::of(&[fields(&value)]);
        assert_eq!(meta.rest(&[]).len(), MAX_META);
        assert!(meta.rest(&[]).keys().all(|key| key.chars().count() <= MAX_META_KEY));
        assert_eq!(meta.get("origin911").and_then(int), Some(302));
    }
}
