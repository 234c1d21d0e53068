//! The server's half of the SignalR JSON hub protocol, without I/O: cutting bytes into records, binding arguments as ASP.NET does,
//! writing answers.
//!
//! Own code on purpose: if the bot's client misread the protocol, a server that shares its code would misread it too.

use serde_json::{Value, json};

/// Ends every record.
pub(super) const SEPARATOR: u8 = 0x1E;

/// The largest record that ASP.NET Core accepts from a client; a larger one ends the connection.
pub(super) const MAX_RECORD: usize = 32 * 1024;

/// Collects WebSocket messages and hands out whole records.
#[derive(Default)]
pub(super) struct Splitter {
    buffer: Vec<u8>,
}

impl Splitter {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole record without its separator; `Err` once a record is larger than [`MAX_RECORD`].
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>, TooLarge> {
        match self.buffer.iter().position(|&byte| byte == SEPARATOR) {
            Some(end) if end > MAX_RECORD => Err(TooLarge),
            None if self.buffer.len() > MAX_RECORD => Err(TooLarge),
            None => Ok(None),
            Some(end) => {
                let mut record: Vec<u8> = self.buffer.drain(..=end).collect();
                record.pop();
                Ok(Some(record))
            }
        }
    }
}

/// A record beyond [`MAX_RECORD`].
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLarge;

/// What a client may send after the handshake, as far as this hub cares.
#[derive(Debug, PartialEq)]
pub(super) enum Incoming {
    Invocation {
        id: Option<String>,
        target: String,
        arguments: Vec<Value>,
    },
    StreamInvocation {
        id: Option<String>,
        target: String,
    },
    Completion {
        id: String,
        result: Option<Value>,
        error: Option<String>,
    },
    Ping,
    Close,
    /// Stream items, cancellations, acknowledgements and future types.
    Ignored,
}

/// Reads one record; `None` is what makes ASP.NET drop the connection.
pub(super) fn read(record: &[u8]) -> Option<Incoming> {
    let value: Value = serde_json::from_slice(record).ok()?;
    let fields = value.as_object()?;
    let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(match fields.get("type")?.as_i64()? {
        1 => Incoming::Invocation {
            id: text("invocationId").filter(|id| !id.is_empty()),
            target: text("target")?,
            arguments: fields.get("arguments")?.as_array()?.clone(),
        },
        3 => Incoming::Completion { id: text("invocationId")?, result: fields.get("result").cloned(), error: text("error") },
        4 => Incoming::StreamInvocation { id: text("invocationId"), target: text("target")? },
        6 => Incoming::Ping,
        7 => Incoming::Close,
        _ => Incoming::Ignored,
    })
}

/// Checks the first record. `Err` is the text of the answer's `error`.
pub(super) fn read_handshake(record: &[u8]) -> Result<(), String> {
    let value: Value =
        serde_json::from_slice(record).map_err(|_| "An unexpected error occurred during connection handshake.".to_owned())?;
    let protocol = value.get("protocol").and_then(Value::as_str).unwrap_or_default();
    if protocol != "json" {
        return Err(format!("The protocol '{protocol}' is not supported."));
    }
    match value.get("version").and_then(Value::as_i64) {
        Some(1) => Ok(()),
        other => Err(format!("The server does not support version {} of the 'json' protocol.", other.unwrap_or_default())),
    }
}

/// The arguments of `authenticatev2(string, string, int?)`, bound as ASP.NET binds them: exactly three, JSON kinds that fit, a
/// 32-bit integer written without a fraction.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) community: String,
    pub(super) key: String,
    pub(super) server: Option<i64>,
}

/// `None` if the arguments do not bind.
pub(super) fn bind_credentials(arguments: &[Value]) -> Option<Credentials> {
    let [community, key, server] = arguments else { return None };
    // A null binds to a reference type such as a string.
    let text = |value: &Value| match value {
        Value::Null => Some(String::new()),
        Value::String(text) => Some(text.clone()),
        _ => None,
    };
    let server = match server {
        Value::Null => None,
        Value::Number(number) => Some(number.as_i64().filter(|n| i32::try_from(*n).is_ok())?),
        _ => return None,
    };
    Some(Credentials { community: text(community)?, key: text(key)?, server })
}

/// A record as it goes on the wire: escaped as System.Text.Json does by default, and ended.
pub(super) fn write(record: &Value) -> String {
    let mut text = escape_like_dotnet(&record.to_string());
    text.push(char::from(SEPARATOR));
    text
}

pub(super) fn completion(id: &str, result: &Value) -> String {
    write(&json!({"type": 3, "invocationId": id, "result": result}))
}

pub(super) fn completion_error(id: &str, error: &str) -> String {
    write(&json!({"type": 3, "invocationId": id, "error": error}))
}

pub(super) fn invocation(target: &str, id: Option<&str>, argument: &Value) -> String {
    match id {
        None => write(&json!({"type": 1, "target": target, "arguments": [argument]})),
        Some(id) => write(&json!({"type": 1, "invocationId": id, "target": target, "arguments": [argument]})),
    }
}

pub(super) fn close(error: Option<&str>, allow_reconnect: bool) -> String {
    let mut record = json!({"type": 7});
    if let Some(fields) = record.as_object_mut() {
        if let Some(error) = error {
            fields.insert("error".into(), error.into());
        }
        if allow_reconnect {
            fields.insert("allowReconnect".into(), true.into());
        }
    }
    write(&record)
}

pub(super) fn ping() -> String {
    write(&json!({"type": 6}))
}

/// Rewrites JSON text with the default escapes of System.Text.Json: inside strings, everything outside ASCII and the characters
/// that mean something to HTML become `\uXXXX`, a quote becomes `\u0022`. Same meaning to a JSON parser, but a text search breaks.
pub(super) fn escape_like_dotnet(json: &str) -> String {
    let mut out = String::with_capacity(json.len() + json.len() / 8);
    let mut in_string = false;
    let mut chars = json.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                in_string = !in_string;
                out.push(c);
            }
            '\\' => match chars.next() {
                Some('"') => out.push_str("\\u0022"),
                Some(escaped) => {
                    out.push('\\');
                    out.push(escaped);
                }
                None => out.push('\\'),
            },
            '\'' | '<' | '>' | '&' | '+' | '`' | '\u{7f}' if in_string => push_escape(&mut out, c),
            c if c.is_ascii() => out.push(c),
            c => push_escape(&mut out, c),
        }
    }
    out
}

fn push_escape(out: &mut String, c: char) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        out.push_str(&format!("\\u{unit:04X}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_cut_wherever_the_messages_are() {
        let mut splitter = Splitter::default();
        splitter.push(b"{\"a\":");
        assert_eq!(splitter.next(), Ok(None));
        splitter.push(b"1}\x1e\x1e{}");
        assert_eq!(splitter.next(), Ok(Some(b"{\"a\":1}".to_vec())));
        assert_eq!(splitter.next(), Ok(Some(Vec::new())));
        assert_eq!(splitter.next(), Ok(None));
        splitter.push(&vec![b' '; MAX_RECORD]);
        assert_eq!(splitter.next(), Err(TooLarge));
    }

    #[test]
    fn credentials_bind_by_exact_count_and_kind() {
        let bind = |value: Value| bind_credentials(value.as_array().unwrap());
        let good = Credentials { community: "c".into(), key: "k".into(), server: Some(1) };
        assert_eq!(bind(json!(["c", "k", 1])), Some(good));
        assert_eq!(bind(json!(["c", "k", null])).unwrap().server, None);
        for bad in [
            json!(["c", "k"]),
            json!(["c", "k", 1, 2]),
            json!(["c", "k", "1"]),
            json!(["c", "k", 1.0]),
            json!(["c", "k", 4_000_000_000_i64]),
            json!([1, "k", 1]),
        ] {
            assert_eq!(bind(bad.clone()), None, "{bad}");
        }
    }

    #[test]
    fn the_handshake_takes_version_one_of_json_only() {
        assert_eq!(read_handshake(br#"{"protocol":"json","version":1}"#), Ok(()));
        assert!(read_handshake(br#"{"protocol":"json","version":2}"#).unwrap_err().contains("version 2"));
        assert!(read_handshake(br#"{"protocol":"messagepack","version":1}"#).unwrap_err().contains("'messagepack'"));
        assert!(read_handshake(b"hello").is_err());
    }

    #[test]
    fn escapes_change_the_text_but_not_the_value() {
        let value = json!({"it's": "a \"<b>\" \\ 😀 é + `", "n": 1.5e300, "inner": json!({"k": "ü\n"}).to_string()});
        let text = escape_like_dotnet(&value.to_string());
        assert!(text.is_ascii());
        assert!(text.contains("\\uD83D\\uDE00") && text.contains("it\\u0027s") && !text.contains('<'));
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }

    #[test]
    fn broken_records_differ_from_unknown_ones() {
        assert_eq!(read(br#"{"type":99}"#), Some(Incoming::Ignored));
        assert_eq!(read(br#"{"type":6,"more":1}"#), Some(Incoming::Ping));
        for bad in [&b""[..], b"[]", b"{}", br#"{"type":"1"}"#, br#"{"type":1,"arguments":[]}"#, b"\xff"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }
}
