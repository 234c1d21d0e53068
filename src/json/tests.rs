use proptest::prelude::*;
use serde_json::json;

use super::*;

const KEY: &str = "S3cret-Key";

fn secrets() -> Secrets {
    Secrets::new([SecretString::from(KEY), SecretString::from(" ")])
}

fn clean(text: &str) -> String {
    JsonReader::new(1_000, &secrets()).without_keys().read(text.as_bytes()).unwrap().to_string()
}

#[test]
fn values_are_counted_and_the_bound_is_exact() {
    let text = br#"{"a":[1,"x",null,{}],"b":{"c":true}}"#;
    let outline = scan(text, 8).unwrap();
    assert_eq!(outline.measure.values, 8);
    assert_eq!(outline.measure, JsonSize::of(&serde_json::from_slice(text).unwrap()));
    assert_eq!(scan(text, 7).unwrap_err(), JsonError::TooMany);
    let none = Secrets::default();
    assert!(JsonReader::new(8, &none).read(text).is_ok());
    assert_eq!(JsonReader::new(7, &none).read(text), Err(JsonError::TooMany));
    // A text that contains JSON is parsed only if there are secrets to remove, and then it counts.
    let nested = json!({"data": "[1,2,3,4,5,6,7,8,9]"}).to_string();
    assert!(JsonReader::new(2, &none).read(nested.as_bytes()).is_ok());
    assert_eq!(JsonReader::new(8, &secrets()).read(nested.as_bytes()), Err(JsonError::TooMany));
}

#[test]
fn the_last_key_counts_in_any_letter_case_and_only_the_outermost_one() {
    let key = |text: &str| match scan(text.as_bytes(), 100).unwrap().key {
        Sent::Text(key) => Some(key.expose_secret().to_owned()),
        Sent::Odd => Some("(odd)".into()),
        Sent::Absent => None,
    };
    for (text, expected) in [
        (r#"{"key":"a","type":"b"}"#, Some("a")),
        (r#"{"key":"a","KEY":"b","key":"c"}"#, Some("c")),
        (r#"{"key":"a","key":7}"#, Some("(odd)")),
        (r#"{"key":7,"key":"a"}"#, Some("a")),
        (r#"{"\u006bey":"\u0061\n"}"#, Some("a\n")),
        (r#"{"key":null}"#, Some("(odd)")),
        (r#"{"data":{"key":"a"},"keys":"b"}"#, None),
        (r#"["key"]"#, None),
    ] {
        assert_eq!(key(text).as_deref(), expected, "{text}");
    }
}

#[test]
fn a_key_is_taken_out_wherever_it_stands() {
    for (text, expected) in [
        // By name, whoever's key it is.
        (r#"{"apiKey":"foreign","data":{"APIKEY":"x","Key":"y","a":1}}"#, r#"{"data":{"a":1}}"#),
        (r#"{"data":[{"key":"x","b":[{"api_key":"y","key":"kept"}]}]}"#, r#"{"data":[{"b":[{"key":"kept"}]}]}"#),
        // By value: whole, a part, another letter case, a name.
        (r#"{"a":"S3cret-Key"}"#, r#"{"a":"(key)"}"#),
        (r#"{"a":["x s3CRET-kEY, s3cret-key!"]}"#, r#"{"a":["x (key), (key)!"]}"#),
        (r#"{"S3CRET-KEYs":1}"#, r#"{"(key)s":1}"#),
        (r#"{"a":"\u0053\u0033cret-Key"}"#, r#"{"a":"(key)"}"#),
        (r#"{"a":"üS3S3cret-Keyü"}"#, r#"{"a":"üS3(key)ü"}"#),
        // Inside a text that contains JSON, escaped there or not.
        (r#"{"data":"{\"x\":\"\\u0053\\u0033cret-Key\"}"}"#, r#"{"data":"{\"x\":\"(key)\"}"}"#),
        (r#"{"data":"{\"apiKey\":\"foreign\",\"x\":1}"}"#, r#"{"data":"{\"x\":1}"}"#),
        (r#"{"data":"[\"{\\\"y\\\":\\\"\\\\u0053\\\\u0033cret-Key\\\"}\"]"}"#, r#"{"data":"[\"{\\\"y\\\":\\\"(key)\\\"}\"]"}"#),
        // JSON that was written as text twice.
        (r#"{"data":"\"\\u0053\\u0033cret-Key\""}"#, r#"{"data":"\"(key)\""}"#),
        (r#"{"data":"\"{\\\"y\\\":\\\"\\\\u0053\\\\u0033cret-Key\\\"}\""}"#, r#"{"data":"\"{\\\"y\\\":\\\"(key)\\\"}\""}"#),
        // Texts that only look like JSON, and texts without secrets, stay unchanged.
        (r#"{"a":"{not json S3cret-Key"}"#, r#"{"a":"{not json (key)"}"#),
        (r#"{"a":"{ \"b\" :1.0 }"}"#, r#"{"a":"{ \"b\" :1.0 }"}"#),
    ] {
        assert_eq!(clean(text), expected, "{text}");
        assert_eq!(clean(expected), expected, "twice is once");
    }
    let digits = Secrets::new([SecretString::from("12345678"), SecretString::from("abc")]);
    let clean = |text: &str| JsonReader::new(100, &digits).read(text.as_bytes()).unwrap().to_string();
    assert_eq!(clean(r#"{"a":12345678,"b":1,"c":"abc","d":"abcd"}"#), r#"{"a":"(key)","b":1,"c":"(key)","d":"abcd"}"#);
}

#[test]
fn a_member_that_serde_json_gives_a_meaning_of_its_own_has_none() {
    let inside = format!("[{}1]", "1,".repeat(10_000));
    for name in ["$serde_json::private::RawValue", "$serde_json::private::Number"] {
        let text = json!({name: inside}).to_string();
        let built = JsonReader::new(100, &Secrets::default()).read(text.as_bytes()).unwrap();
        assert_eq!(built[name].as_str(), Some(inside.as_str()));
        assert_eq!(scan(text.as_bytes(), 100).unwrap().measure.values, 2);
    }
}

#[test]
fn what_takes_ninety_times_its_text_is_estimated_so() {
    let text = format!("[{}0]", r#"{"":0},"#.repeat(10_000));
    let measure = scan(text.as_bytes(), usize::MAX).unwrap().measure;
    assert!(measure.built() > 80 * text.len(), "{measure:?}");
    assert!(scan(br#"{"a":1,"b":"text"}"#, 9).unwrap().measure.built() < 2_000);
}

fn texts() -> impl Strategy<Value = Vec<u8>> {
    let piece = proptest::sample::select(
        &[
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"a\"",
            "\"key\"",
            "\"\\u00e9\"",
            "\"\\ud800\"",
            "\"\\x\"",
            "1",
            "-0",
            "01",
            "1e5",
            "1e400",
            "-",
            "1.",
            "true",
            "nul",
            "null",
            " ",
            "\n",
            "\"\u{1}\"",
            "\u{FEFF}",
            "\"é\"",
            "\"",
            "\\",
        ][..],
    );
    let soup = proptest::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat().into_bytes());
    let deep = (120_usize..136).prop_map(|depth| [b"[".repeat(depth), b"]".repeat(depth)].concat());
    let cut = r#"{"key":"a","data":[1,{"b":"\u0041","c":[null,-1.5e3]}],"type":"X"}"#;
    let cut = (0..=cut.len()).prop_map(move |at| cut.as_bytes()[..at].to_vec());
    prop_oneof![8 => soup, 1 => deep, 2 => cut, 2 => proptest::collection::vec(any::<u8>(), 0..40)]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn both_readings_take_what_serde_json_takes_and_nothing_else(text in texts()) {
        let theirs = serde_json::from_slice::<Value>(&text);
        let ours = scan(&text, 10_000);
        prop_assert_eq!(ours.is_ok(), theirs.is_ok());
        let built = JsonReader::new(10_000, &Secrets::default()).read(&text);
        prop_assert_eq!(built.as_ref().ok(), theirs.as_ref().ok());
        if let (Ok(outline), Ok(value)) = (ours, theirs) {
            // Of duplicate members only the last one is built.
            prop_assert!(outline.measure.values >= JsonSize::of(&value).values);
        }
    }
}
