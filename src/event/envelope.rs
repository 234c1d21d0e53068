//! The outside of a push event: `{key, type, data, …}`. Here the key leaves the event for good.

use secrecy::SecretString;
use serde_json::{Map, Value};

/// Type and data of an event. Holds no key: it may be logged by type and journaled whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    /// Trimmed and upper-cased, at most [`MAX_KIND`] characters.
    pub kind: String,
    /// `data` as sent, `Null` if absent.
    pub data: Value,
    /// Every other top-level field but `key` and `logKey`.
    pub extras: Map<String, Value>,
}

/// Longest event type accepted, in characters; the longest known has 28.
pub const MAX_KIND: usize = 64;

/// Why a body is not an event. Never carries text of the body: it may hold the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Not JSON, not UTF-8, nested too deeply (128 levels), or a number out of range.
    #[error("the body is not JSON that can be read")]
    NotJson,
    /// JSON, but neither an object nor a text that holds one.
    #[error("the body is not a JSON object")]
    NotObject,
    /// No `type`, or not a usable one.
    #[error("the event has no usable type")]
    NoType,
}

/// Opens a body: an object, or a JSON string that holds one (contract c.1 rule 1). The key comes back apart, if there was a text one.
///
/// # Errors
/// As [`EnvelopeError`] says.
pub fn open(body: &[u8]) -> Result<(Envelope, Option<SecretString>), EnvelopeError> {
    let (mut fields, key) = fields(body)?;
    let Some(Value::String(kind)) = fields.remove("type") else { return Err(EnvelopeError::NoType) };
    let kind = kind.trim().to_uppercase();
    if kind.is_empty() || kind.chars().count() > MAX_KIND || kind.chars().any(|c| c.is_control()) {
        return Err(EnvelopeError::NoType);
    }
    let data = fields.remove("data").unwrap_or(Value::Null);
    Ok((Envelope { kind, data, extras: fields }, key))
}

/// The key alone, for a body that [`open`] refuses: who sent nonsense decides how much they are told about it.
#[must_use]
pub fn key(body: &[u8]) -> Option<SecretString> {
    fields(body).ok()?.1
}

/// The object's fields without its secrets, and the key.
fn fields(body: &[u8]) -> Result<(Map<String, Value>, Option<SecretString>), EnvelopeError> {
    let value: Value = serde_json::from_slice(body).map_err(|_| EnvelopeError::NotJson)?;
    let value = match value {
        Value::String(inner) => serde_json::from_str(&inner).map_err(|_| EnvelopeError::NotJson)?,
        other => other,
    };
    let Value::Object(mut fields) = value else { return Err(EnvelopeError::NotObject) };

    let mut key = None;
    // Any letter case, and the support key of GET_LOGS too: neither may reach a row.
    let secret_names: Vec<String> =
        fields.keys().filter(|name| name.eq_ignore_ascii_case("key") || name.eq_ignore_ascii_case("logkey")).cloned().collect();
    for name in secret_names {
        if let Some(Value::String(text)) = fields.remove(&name)
            && name.eq_ignore_ascii_case("key")
            && key.is_none()
        {
            key = Some(SecretString::from(text));
        }
    }
    Ok((fields, key))
}

impl Envelope {
    /// The body as journaled: one JSON object without the key.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut fields = self.extras.clone();
        fields.insert("type".into(), Value::String(self.kind.clone()));
        fields.insert("data".into(), self.data.clone());
        Value::Object(fields).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn the_key_comes_off_in_any_case_and_never_goes_on() {
        let body = br#"{"KEY":"s3cret","type":" event_911 ","data":{"a":1},"logKey":"other","extra":2}"#;
        let (envelope, key) = open(body).unwrap();
        assert_eq!(key.unwrap().expose_secret(), "s3cret");
        assert_eq!(envelope.kind, "EVENT_911");
        let journaled = envelope.to_json();
        assert!(!journaled.contains("s3cret") && !journaled.contains("other"), "{journaled}");
        assert_eq!(envelope.extras.len(), 1);
    }

    #[test]
    fn a_key_that_is_no_text_is_no_key_and_leaves_too() {
        let (envelope, key) = open(br#"{"key":7,"type":"X"}"#).unwrap();
        assert!(key.is_none());
        assert_eq!(envelope.to_json(), r#"{"data":null,"type":"X"}"#);
    }

    #[test]
    fn bodies_that_are_no_events() {
        for (body, error) in [
            (&b"nonsense"[..], EnvelopeError::NotJson),
            (b"\xff\xfe", EnvelopeError::NotJson),
            (b"[]", EnvelopeError::NotObject),
            (b"\"[1]\"", EnvelopeError::NotObject),
            (b"\"nonsense\"", EnvelopeError::NotJson),
            (b"{}", EnvelopeError::NoType),
            (br#"{"type":7}"#, EnvelopeError::NoType),
            (br#"{"type":"  "}"#, EnvelopeError::NoType),
        ] {
            assert_eq!(open(body).unwrap_err(), error, "{}", String::from_utf8_lossy(body));
            assert!(key(body).is_none());
        }
        assert_eq!(key(br#"{"key":"s3cret"}"#).unwrap().expose_secret(), "s3cret");
        let deep = format!(r#"{{"type":"X","data":{}{}}}"#, "[".repeat(5000), "]".repeat(5000));
        assert_eq!(open(deep.as_bytes()).unwrap_err(), EnvelopeError::NotJson);
    }
}
