//! Tolerant reading: letter case of names varies, wrappers come and go, numbers come as text (contract e.1).

use serde_json::Value;

use super::Object;

/// A property by name in any letter case; the exact one first.
pub(super) fn property<'a>(fields: &'a Object, name: &str) -> Option<&'a Value> {
    fields.get(name).or_else(|| fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

pub(super) fn object(value: &Value) -> Option<&Object> {
    value.as_object()
}

/// A bare array, or the array below `name`.
pub(super) fn array<'a>(value: &'a Value, name: &str) -> Option<&'a [Value]> {
    match value {
        Value::Array(rows) => Some(rows),
        Value::Object(fields) => property(fields, name)?.as_array().map(Vec::as_slice),
        _ => None,
    }
}

/// The objects among `rows`.
pub(super) fn objects(rows: &[Value]) -> Vec<Object> {
    rows.iter().filter_map(Value::as_object).cloned().collect()
}

pub(super) fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Text that is not blank; at most 200 characters.
pub(super) fn text(value: &Value) -> Option<String> {
    let text = value.as_str()?.trim();
    (!text.is_empty()).then(|| text.chars().take(200).collect())
}
