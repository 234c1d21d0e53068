//! Records of the JSON hub protocol (SignalR HubProtocol, "JSON Encoding"): splits the byte stream, reads and writes records. No I/O.

use std::borrow::Cow;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::error::HubError;

/// Ends every record, the handshake's included.
pub(super) const SEPARATOR: u8 = 0x1e;

/// The first record of a connection, from us.
pub(super) const HANDSHAKE: &str = "{\"protocol\":\"json\",\"version\":1}\u{1e}";
/// Keeps the connection alive; never answered.
pub(super) const PING: &str = "{\"type\":6}\u{1e}";
/// Says that we are going.
pub(super) const CLOSE: &str = "{\"type\":7}\u{1e}";
/// The official clients' words for "nobody here answers this".
const NO_RESULT: &str = "Client didn't provide a result.";

/// Limit on the arguments of a call that are delivered. Readers use the first.
const MAX_ARGUMENTS: usize = 8;

/// Cuts a byte stream into records. One WebSocket message may carry several records, and one record may come in several messages.
///
/// One per connection: what is left over belongs to the connection that sent it.
#[derive(Debug)]
pub struct RecordBuffer {
    bytes: Vec<u8>,
    /// Where the next record begins.
    start: usize,
    /// Up to here there is no separator behind `start`.
    scanned: usize,
    max: usize,
}

impl RecordBuffer {
    /// A buffer for records of at most `max` bytes, the separator not counted.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { bytes: Vec::new(), start: 0, scanned: 0, max }
    }

    /// Adds what arrived. Take all records out before adding more: what was taken is given back here.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.bytes.drain(..self.start);
            self.scanned -= self.start;
            self.start = 0;
            // One big record must not hold its memory for the rest of the connection.
            if self.bytes.is_empty() && self.bytes.capacity() > 1 << 20 {
                self.bytes = Vec::new();
            }
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole record without its separator, or `None` if there is only a part of one.
    ///
    /// # Errors
    /// [`HubError::Protocol`] when the record, complete or not, is longer than allowed. The connection can't continue then.
    pub fn next_record(&mut self) -> Result<Option<&[u8]>, HubError> {
        let rest = self.bytes.get(self.scanned..).unwrap_or_default();
        let end = rest.iter().position(|byte| *byte == SEPARATOR).map(|at| self.scanned + at);
        let length = end.unwrap_or(self.bytes.len()) - self.start;
        if length > self.max {
            return Err(HubError::Protocol(format!("a record is longer than {} bytes", self.max)));
        }
        let Some(end) = end else {
            self.scanned = self.bytes.len();
            return Ok(None);
        };
        let record = self.bytes.get(self.start..end);
        self.start = end + 1;
        self.scanned = self.start;
        Ok(record)
    }
}

/// What the server says in one record. Borrows from the record; arguments and results are not parsed further.
#[derive(Debug)]
pub enum Incoming<'a> {
    /// Type 1: the server calls us.
    Invocation {
        /// The method's name as sent.
        target: String,
        /// Present if the server wants a result.
        id: Option<String>,
        /// The first ones. `None` if `arguments` is not a list: one bad event, not a broken connection.
        arguments: Option<Vec<&'a RawValue>>,
    },
    /// Type 3: the answer to a call of ours. `Ok(None)` is a method without result, `Ok(Some(null))` one that returned null.
    Completion {
        /// Which call.
        id: String,
        /// The result, or the server's error text.
        outcome: Result<Option<&'a RawValue>, String>,
    },
    /// Type 6.
    Ping,
    /// Type 7: the server ends the connection.
    Close {
        /// Why, if it says so.
        error: Option<String>,
        /// Whether we may reconnect at once.
        allow_reconnect: bool,
    },
    /// A type that means nothing to us (streams, stateful reconnect, the protocol's future).
    Ignored(serde_json::Number),
}

/// All fields of all types, unparsed: an odd field in a record that we skip must not matter. Of a duplicate name the last one
/// counts, as in the official client; a derived reader would reject the record.
#[derive(Default)]
struct Envelope<'a> {
    r#type: Option<&'a RawValue>,
    target: Option<&'a RawValue>,
    invocation_id: Option<&'a RawValue>,
    arguments: Option<&'a RawValue>,
    result: Option<&'a RawValue>,
    error: Option<&'a RawValue>,
    allow_reconnect: Option<&'a RawValue>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Envelope<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Envelope<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Envelope<'de>, A::Error> {
                let mut envelope = Envelope::default();
                while let Some(name) = map.next_key::<Name<'de>>()? {
                    let field = match &*name.0 {
                        "type" => &mut envelope.r#type,
                        "target" => &mut envelope.target,
                        "invocationId" => &mut envelope.invocation_id,
                        "arguments" => &mut envelope.arguments,
                        "result" => &mut envelope.result,
                        "error" => &mut envelope.error,
                        "allowReconnect" => &mut envelope.allow_reconnect,
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    };
                    *field = Some(map.next_value()?);
                }
                Ok(envelope)
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

/// A field's name, borrowed unless it is written with escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// The first [`MAX_ARGUMENTS`] of a list: each has a size of its own, and eight million of them fit into a record.
struct FirstArguments<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for FirstArguments<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;

        impl<'de> Visitor<'de> for List {
            type Value = Vec<&'de RawValue>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut first = Vec::new();
                while first.len() < MAX_ARGUMENTS {
                    match list.next_element()? {
                        Some(argument) => first.push(argument),
                        None => return Ok(first),
                    }
                }
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(first)
            }
        }

        deserializer.deserialize_seq(List).map(FirstArguments)
    }
}

/// Reads one record.
///
/// # Errors
/// [`HubError::Protocol`] for what the official client also drops a connection for: bad JSON or UTF-8, an empty record, no numeric
/// `type`, an invocation without target, a completion without id or with both result and error. The text never quotes the record.
pub fn parse(record: &[u8]) -> Result<Incoming<'_>, HubError> {
    let bad = |what: &str| HubError::Protocol(what.to_owned());
    if record.is_empty() {
        return Err(bad("an empty record"));
    }
    // Checked by itself, since serde_json lets bad bytes pass in what it skips.
    let text = std::str::from_utf8(record).map_err(|_| bad("a record that is not UTF-8"))?;
    // serde_json's own text can quote the input ("unknown variant …"); its category and place cannot.
    let envelope: Envelope<'_> = serde_json::from_str(text).map_err(|error| {
        HubError::Protocol(format!("a record is not readable ({:?} error at column {})", error.classify(), error.column()))
    })?;
    let string = |raw: &RawValue| serde_json::from_str::<String>(raw.get()).ok();
    let not_null = |raw: &&RawValue| raw.get() != "null";

    let kind = envelope.r#type.and_then(|raw| serde_json::from_str::<serde_json::Number>(raw.get()).ok());
    let kind = kind.ok_or_else(|| bad("a record without a numeric type"))?;
    Ok(match kind.as_u64() {
        Some(1) => Incoming::Invocation {
            target: envelope
                .target
                .and_then(string)
                .filter(|target| !target.is_empty())
                .ok_or_else(|| bad("an invocation without a target"))?,
            id: match envelope.invocation_id.filter(not_null) {
                None => None,
                Some(raw) => Some(string(raw).filter(|id| !id.is_empty()).ok_or_else(|| bad("an invocation id that is not a text"))?),
            },
            arguments: match envelope.arguments.filter(not_null) {
                None => Some(Vec::new()),
                Some(raw) => serde_json::from_str::<FirstArguments<'_>>(raw.get()).ok().map(|first| first.0),
            },
        },
        Some(3) => {
            let id = envelope.invocation_id.and_then(string).filter(|id| !id.is_empty());
            let id = id.ok_or_else(|| bad("a completion without an invocation id"))?;
            let outcome = match (envelope.result, envelope.error.filter(not_null)) {
                (Some(result), Some(_)) if not_null(&result) => return Err(bad("a completion with both result and error")),
                (_, Some(error)) => Err(string(error).ok_or_else(|| bad("a completion whose error is not a text"))?),
                (result, None) => Ok(result),
            };
            Incoming::Completion { id, outcome }
        }
        Some(6) => Incoming::Ping,
        Some(7) => Incoming::Close {
            error: envelope.error.and_then(string),
            allow_reconnect: envelope.allow_reconnect.is_some_and(|raw| raw.get() == "true"),
        },
        _ => Incoming::Ignored(kind),
    })
}

/// Reads the server's answer to our handshake.
///
/// # Errors
/// [`HubError::Handshake`] with the server's text if it refuses, [`HubError::Protocol`] if this is no handshake answer.
pub fn parse_handshake(record: &[u8]) -> Result<(), HubError> {
    #[derive(Deserialize)]
    struct Answer {
        error: Option<String>,
        r#type: Option<serde_json::Number>,
    }
    // Parsed into a value first: of a duplicate name the last one counts.
    let answer = serde_json::from_slice::<serde_json::Value>(record).and_then(serde_json::from_value);
    let answer: Answer = answer.map_err(|_| HubError::Protocol("the answer to the handshake is not readable".to_owned()))?;
    match (answer.error, answer.r#type) {
        (Some(error), _) => Err(HubError::Handshake { error }),
        (None, Some(kind)) => Err(HubError::Protocol(format!("a record of type {kind} came before the answer to the handshake"))),
        (None, None) => Ok(()),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation<'a> {
    r#type: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    invocation_id: Option<&'a str>,
    target: &'a str,
    arguments: &'a RawValue,
}

/// Turns the arguments of a call into a JSON list. A tuple or a slice is a list by itself; `()` is the empty one.
///
/// # Errors
/// [`HubError::Arguments`] if they are anything else or cannot be serialised.
pub(super) fn arguments(arguments: &impl Serialize) -> Result<Box<RawValue>, HubError> {
    let raw = serde_json::value::to_raw_value(arguments).map_err(|error| HubError::Arguments(error.to_string()))?;
    match raw.get() {
        "null" => RawValue::from_string("[]".to_owned()).map_err(|error| HubError::Arguments(error.to_string())),
        text if text.starts_with('[') => Ok(raw),
        _ => Err(HubError::Arguments("they must be a tuple or a list".to_owned())),
    }
}

/// A call of ours as a record with its separator. Without an id the server must not answer.
pub fn invocation(id: Option<&str>, target: &str, arguments: &RawValue) -> Result<String, HubError> {
    encode(&Invocation { r#type: 1, invocation_id: id, target, arguments })
}

/// The answer to a server that wants a result from us, as a record with its separator.
pub fn no_result(id: &str) -> Result<String, HubError> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Completion<'a> {
        r#type: u8,
        invocation_id: &'a str,
        error: &'a str,
    }
    encode(&Completion { r#type: 3, invocation_id: id, error: NO_RESULT })
}

/// JSON never contains a raw 0x1E: serialisers escape control characters.
fn encode(record: &impl Serialize) -> Result<String, HubError> {
    let mut text = serde_json::to_string(record).map_err(|error| HubError::Arguments(error.to_string()))?;
    text.push(char::from(SEPARATOR));
    Ok(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn of_a_name_that_comes_twice_the_last_one_counts() {
        let twice = br#"{"type":"x","type":6,"type":1,"target":"a","arguments":7,"target":"pushEvent","arguments":["b"],"x":1,"x":2}"#;
        match parse(twice).unwrap() {
            Incoming::Invocation { target, arguments: Some(arguments), .. } => {
                assert_eq!((target.as_str(), arguments[0].get()), ("pushEvent", r#""b""#));
            }
            other => panic!("{other:?}"),
        }
        match parse(br#"{"type":3,"invocationId":"0","invocationId":"1","result":1,"result":{"a":1,"a":2},"error":"x","error":null}"#)
            .unwrap()
        {
            Incoming::Completion { id, outcome: Ok(Some(result)) } => assert_eq!((id.as_str(), result.get()), ("1", r#"{"a":1,"a":2}"#)),
            other => panic!("{other:?}"),
        }
        assert!(parse_handshake(br#"{"error":"old","error":null}"#).is_ok());
        assert!(parse(br#"{"type":6,"type":"6"}"#).is_err(), "the last one is no number");
    }

    fn drain(buffer: &mut RecordBuffer) -> Vec<Vec<u8>> {
        let mut records = Vec::new();
        while let Some(record) = buffer.next_record().unwrap() {
            records.push(record.to_vec());
        }
        records
    }

    proptest! {
        #[test]
        fn records_come_out_whole_and_in_order_however_the_stream_was_cut(
            records in prop::collection::vec(prop::collection::vec(any::<u8>().prop_filter("no separator", |b| *b != SEPARATOR), 0..40), 0..12),
            cuts in prop::collection::vec(0usize..400, 0..20),
        ) {
            let stream: Vec<u8> = records.iter().flat_map(|r| r.iter().copied().chain([SEPARATOR])).collect();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).chain([0, stream.len()]).collect();
            cuts.sort_unstable();
            let mut buffer = RecordBuffer::new(40);
            let mut out = Vec::new();
            for pair in cuts.windows(2) {
                buffer.push(&stream[pair[0]..pair[1]]);
                out.extend(drain(&mut buffer));
            }
            prop_assert_eq!(out, records);
        }

        #[test]
        fn no_input_makes_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,80}") {
            let _ = parse(&bytes);
            let _ = parse(text.as_bytes());
            let _ = parse_handshake(&bytes);
        }
    }

    #[test]
    fn a_record_may_be_split_inside_a_character() {
        let text = "{\"type\":6,\"x\":\"ü😀\"}".as_bytes();
        for cut in 0..text.len() {
            let mut buffer = RecordBuffer::new(1000);
            buffer.push(&text[..cut]);
            assert!(drain(&mut buffer).is_empty());
            buffer.push(&text[cut..]);
            buffer.push(&[SEPARATOR]);
            assert_eq!(drain(&mut buffer), [text]);
        }
    }

    #[test]
    fn the_limit_holds_for_whole_records_and_for_parts() {
        let mut buffer = RecordBuffer::new(4);
        buffer.push(b"1234\x1e12345");
        assert_eq!(buffer.next_record().unwrap(), Some(&b"1234"[..]));
        assert!(buffer.next_record().is_err(), "unfinished, but already too long");
        let mut buffer = RecordBuffer::new(4);
        buffer.push(b"12345\x1e");
        assert!(buffer.next_record().is_err());
    }

    #[test]
    fn a_lone_separator_is_an_empty_record_and_that_is_an_error() {
        let mut buffer = RecordBuffer::new(4);
        buffer.push(&[SEPARATOR]);
        let record = buffer.next_record().unwrap().unwrap();
        assert!(matches!(parse(record), Err(HubError::Protocol(_))));
    }

    #[test]
    fn completions_distinguish_null_from_nothing() {
        let outcome = |text: &str| match parse(text.as_bytes()) {
            Ok(Incoming::Completion { outcome, .. }) => outcome.map(|raw| raw.map(|raw| raw.get().to_owned())),
            other => panic!("{other:?}"),
        };
        assert_eq!(outcome(r#"{"type":3,"invocationId":"0","result":{"a":1}}"#), Ok(Some(r#"{"a":1}"#.to_owned())));
        assert_eq!(outcome(r#"{"type":3,"invocationId":"0","result":null}"#), Ok(Some("null".to_owned())));
        assert_eq!(outcome(r#"{"type":3,"invocationId":"0"}"#), Ok(None));
        assert_eq!(outcome(r#"{"type":3,"invocationId":"0","error":null,"result":1}"#), Ok(Some("1".to_owned())));
        assert_eq!(outcome(r#"{"type":3,"invocationId":"0","error":"no","result":null}"#), Err("no".to_owned()));
    }

    #[test]
    fn one_odd_event_passes_the_envelope() {
        let nested = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
        for argument in [r#""\ud800""#, "1e400", nested.as_str(), "null"] {
            let record = format!(r#"{{"type":1,"target":"x","arguments":[{argument}],"headers":{{"a":"b"}},"future":[1]}}"#);
            match parse(record.as_bytes()).unwrap() {
                Incoming::Invocation { arguments: Some(list), id: None, .. } => assert_eq!(list[0].get(), argument),
                other => panic!("{other:?}"),
            }
        }
        let record = br#"{"type":1,"target":"x","arguments":{"0":1}}"#;
        assert!(matches!(parse(record), Ok(Incoming::Invocation { arguments: None, .. })));
        assert!(matches!(parse(br#"{"type":1,"target":"x"}"#), Ok(Incoming::Invocation { arguments: Some(list), .. }) if list.is_empty()));
    }

    #[test]
    fn types_that_mean_nothing_are_skipped_whatever_they_carry() {
        for record in [
            r#"{"type":2,"invocationId":4,"item":7}"#,
            r#"{"type":8,"sequenceId":12}"#,
            r#"{"type":99,"target":[],"error":{}}"#,
            r#"{"type":-1}"#,
        ] {
            assert!(matches!(parse(record.as_bytes()), Ok(Incoming::Ignored(_))), "{record}");
        }
    }

    #[test]
    fn what_the_official_client_drops_a_connection_for_is_an_error() {
        for record in [
            "",
            "{",
            "[]",
            "{}",
            r#"{"type":"1","target":"x"}"#,
            r#"{"type":1,"arguments":[]}"#,
            r#"{"type":1,"target":7}"#,
            r#"{"type":1,"target":""}"#,
            r#"{"type":1,"target":"x","invocationId":7}"#,
            r#"{"type":3,"result":1}"#,
            r#"{"type":3,"invocationId":"1","result":1,"error":"x"}"#,
            r#"{"type":3,"invocationId":"1","error":{}}"#,
            "{\"type\":6,\"x\":\"\u{1}\"}",
            r#"{"type":6} {"type":6}"#,
        ] {
            assert!(matches!(parse(record.as_bytes()), Err(HubError::Protocol(_))), "{record}");
        }
        assert!(matches!(parse(b"{\"type\":6,\"x\":\"\xff\"}"), Err(HubError::Protocol(_))), "invalid UTF-8");
    }

    #[test]
    fn the_handshake_answer_is_empty_an_error_or_out_of_turn() {
        assert!(parse_handshake(b"{}").is_ok());
        assert!(parse_handshake(br#"{"minorVersion":1}"#).is_ok());
        assert!(matches!(parse_handshake(br#"{"error":"no"}"#), Err(HubError::Handshake { error }) if error == "no"));
        assert!(matches!(parse_handshake(br#"{"type":7,"error":"full"}"#), Err(HubError::Handshake { error }) if error == "full"));
        assert!(matches!(parse_handshake(br#"{"type":6}"#), Err(HubError::Protocol(_))));
        assert!(matches!(parse_handshake(b"<html>"), Err(HubError::Protocol(_))));
    }

    #[test]
    fn our_records_are_what_the_protocol_asks_for() {
        let list = arguments(&("comm", "k\u{1e}y", Option::<u8>::None)).unwrap();
        let record = invocation(Some("0"), "authenticatev2", &list).unwrap();
        assert_eq!(
            record,
            "{\"type\":1,\"invocationId\":\"0\",\"target\":\"authenticatev2\",\"arguments\":[\"comm\",\"k\\u001ey\",null]}\u{1e}"
        );
        assert_eq!(invocation(None, "x", &arguments(&()).unwrap()).unwrap(), "{\"type\":1,\"target\":\"x\",\"arguments\":[]}\u{1e}");
        assert_eq!(no_result("7").unwrap(), "{\"type\":3,\"invocationId\":\"7\",\"error\":\"Client didn't provide a result.\"}\u{1e}");
        assert!(matches!(arguments(&7), Err(HubError::Arguments(_))));
    }
}
