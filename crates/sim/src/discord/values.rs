//! Reads members of JSON objects, and writes times.

use serde_json::Value;

/// A time as Discord writes it: `2026-01-02T03:04:05.678000+00:00`.
pub(super) fn timestamp(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).unwrap_or_default().strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string()
}

/// A string member of an object, or the empty string.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// An array member of an object, or the empty slice.
pub(super) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
