//! Parses the envelope of a push event: `{key, type, data, …}`. The key is removed from the event here, wherever in it it appears.

use std::borrow::Cow;

use secrecy::SecretString;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::json::{self, JsonError, JsonReader, JsonSize, Secrets, Sent, Shape};

/// Type and data of an event. Contains no key: it may be logged by type and journaled whole.
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

/// Limit on the JSON values of an event. The largest events known (a call with all its notes, a roster of units) stay below a tenth of it.
pub const MAX_VALUES: usize = 20_000;

/// Why a body isn't an event. Never contains text of the body, which may hold the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Not JSON, not UTF-8, nested too deeply (128 levels), or a number out of range.
    #[error("the body is not JSON that can be read")]
    NotJson,
    /// More values than [`MAX_VALUES`].
    #[error("the body holds more than {MAX_VALUES} JSON values")]
    TooMany,
    /// JSON, but neither an object nor a text with one.
    #[error("the body is not a JSON object")]
    NotObject,
    /// No `type`, or not a usable one.
    #[error("the event has no usable type")]
    NoType,
}

impl From<JsonError> for EnvelopeError {
    fn from(error: JsonError) -> Self {
        match error {
            JsonError::Unreadable => Self::NotJson,
            JsonError::TooMany => Self::TooMany,
        }
    }
}

/// A body whose key is known, and from which nothing was built yet: a stranger's body never becomes more than its bytes.
#[derive(Debug)]
pub struct Sealed<'a> {
    body: Cow<'a, [u8]>,
    /// The community's key, as sent.
    pub key: Sent,
}

/// Scans a body: an object, or a JSON string with one (docs/cad-contract.md#e1, rule 1).
///
/// # Errors
/// As [`EnvelopeError`] says; never [`EnvelopeError::NoType`].
pub fn look(body: &[u8]) -> Result<Sealed<'_>, EnvelopeError> {
    let outline = json::scan(body, MAX_VALUES)?;
    let (body, outline) = match outline.shape {
        Shape::Text(text) => {
            let inside = json::scan(text.as_bytes(), MAX_VALUES)?;
            (Cow::Owned(text.into_bytes()), inside)
        }
        _ => (Cow::Borrowed(body), outline),
    };
    match outline.shape {
        Shape::Object => Ok(Sealed { body, key: outline.key }),
        Shape::Text(_) | Shape::Other => Err(EnvelopeError::NotObject),
    }
}

impl Sealed<'_> {
    /// Builds the event, without `secrets` and without anybody's key.
    ///
    /// # Errors
    /// As [`EnvelopeError`] says.
    pub fn open(&self, secrets: &Secrets) -> Result<Envelope, EnvelopeError> {
        let Value::Object(mut fields) = JsonReader::new(MAX_VALUES, secrets).without_keys().read(&self.body)? else {
            return Err(EnvelopeError::NotObject);
        };
        let Some(Value::String(kind)) = fields.remove("type") else { return Err(EnvelopeError::NoType) };
        let kind = kind.trim().to_uppercase();
        if kind.is_empty() || kind.chars().count() > MAX_KIND || kind.chars().any(|c| c.is_control()) {
            return Err(EnvelopeError::NoType);
        }
        let data = fields.remove("data").unwrap_or(Value::Null);
        Ok(Envelope { kind, data, extras: fields })
    }
}

/// Opens a body of our own, or one whose sender doesn't matter. The key is returned separately; one that isn't text is
/// empty, which is nobody's key.
///
/// # Errors
/// As [`EnvelopeError`] says.
pub fn open(body: &[u8]) -> Result<(Envelope, Option<SecretString>), EnvelopeError> {
    let sealed = look(body)?;
    let envelope = sealed.open(&Secrets::default())?;
    let key = match sealed.key {
        Sent::Text(key) => Some(key),
        Sent::Odd => Some(SecretString::from(String::new())),
        Sent::Absent => None,
    };
    Ok((envelope, key))
}

impl Envelope {
    /// Approximate memory in bytes.
    #[must_use]
    pub fn weight(&self) -> usize {
        let mut measure = JsonSize::of(&self.data);
        measure.add_members(&self.extras);
        measure.built()
    }

    /// The body as journaled: one JSON object without the key, its fields sorted by name.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Only text keys, no number that JSON doesn't know: writing it can't fail.
        serde_json::to_string(&Journaled(self)).unwrap_or_default()
    }
}

/// Borrows its content: copying the data costs more than writing it.
struct Journaled<'a>(&'a Envelope);

impl Serialize for Journaled<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Envelope { kind, data, extras } = self.0;
        let mut fields = serializer.serialize_map(Some(extras.len() + 2))?;
        // `open` leaves neither name among the extras; envelopes that we build have none.
        let mut own = [("data", Own::Data(data)), ("type", Own::Kind(kind))].into_iter().peekable();
        for (name, value) in extras {
            while let Some((known, own)) = own.next_if(|(known, _)| *known <= name.as_str()) {
                fields.serialize_entry(known, &own)?;
            }
            fields.serialize_entry(name, value)?;
        }
        for (known, own) in own {
            fields.serialize_entry(known, &own)?;
        }
        fields.end()
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum Own<'a> {
    Data(&'a Value),
    Kind(&'a str),
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
    fn a_key_that_is_no_text_is_a_wrong_key_and_leaves_too() {
        for sent in ["7", "null", "[\"s\"]", "{}", "true"] {
            let (_, key) = open(format!(r#"{{"key":{sent},"type":"X"}}"#).as_bytes()).unwrap();
            assert_eq!(key.unwrap().expose_secret(), "", "{sent}");
        }
        let (envelope, _) = open(br#"{"key":7,"type":"X"}"#).unwrap();
        assert_eq!(envelope.to_json(), r#"{"data":null,"type":"X"}"#);
    }

    #[test]
    fn a_body_is_journaled_in_the_order_of_its_names_and_read_back_the_same() {
        for (sent, journaled) in [
            (r#"{"type":"X"}"#, r#"{"data":null,"type":"X"}"#),
            (
                r#"{"type":"X","zone":1,"data":{"b":2,"a":[1.5]},"alpha":"q"}"#,
                r#"{"alpha":"q","data":{"a":[1.5],"b":2},"type":"X","zone":1}"#,
            ),
            (r#"{"type":"X","middle":1,"Data":7,"data":8}"#, r#"{"Data":7,"data":8,"middle":1,"type":"X"}"#),
        ] {
            let (envelope, _) = open(sent.as_bytes()).unwrap();
            assert_eq!(envelope.to_json(), journaled);
            assert_eq!(open(journaled.as_bytes()).unwrap().0, envelope);
        }
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
        }
        let Sent::Text(key) = look(br#"{"key":"s3cret"}"#).unwrap().key else { panic!("it has a key") };
        assert_eq!(key.expose_secret(), "s3cret");
        let deep = format!(r#"{{"type":"X","data":{}{}}}"#, "[".repeat(5000), "]".repeat(5000));
        assert_eq!(open(deep.as_bytes()).unwrap_err(), EnvelopeError::NotJson);
    }
}
