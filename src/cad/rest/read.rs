//! Reads the CAD's answers tolerantly: letter case of names varies, wrappers come and go, numbers come as text (docs/cad-contract.md#r6),
//! and a list of one may come as its only element, an empty one as null (the documented examples show both).

use std::borrow::Cow;

use serde_json::{Map, Value};

/// A JSON object, as the CAD sent it.
pub type Object = Map<String, Value>;

/// A property by name in any letter case; the exact one first.
pub(super) fn property<'a>(fields: &'a Object, name: &str) -> Option<&'a Value> {
    fields.get(name).or_else(|| fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

pub(super) fn object(value: &Value) -> Option<&Object> {
    value.as_object()
}

/// Where a list is documented: the list, its only element, or null for none.
pub(super) fn list(value: &Value) -> Cow<'_, [Value]> {
    match value {
        Value::Array(rows) => Cow::Borrowed(rows),
        Value::Null => Cow::Owned(Vec::new()),
        one => Cow::Borrowed(std::slice::from_ref(one)),
    }
}

/// Objects in a bare list, or in the list below `name`. `None` if neither is there: an error page must not look like "none".
pub(super) fn array<'a>(value: &'a Value, name: &str) -> Option<Cow<'a, [Value]>> {
    match value {
        Value::Array(rows) => Some(Cow::Borrowed(rows)),
        Value::Object(fields) => match property(fields, name)? {
            Value::Array(rows) => Some(Cow::Borrowed(rows)),
            found @ (Value::Object(_) | Value::Null) => Some(list(found)),
            _ => None,
        },
        Value::Null => Some(list(value)),
        _ => None,
    }
}

/// Entries of a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Entries {
    /// The valid ones.
    pub(super) found: Vec<Object>,
    /// There were others too: a missing entry may have been one of them.
    pub(super) in_part: bool,
}

/// The entries of a list that `is_one` recognizes. `None` if there are entries and none of them is one: `["Unauthorized"]`, `[null]` or a
/// list of error objects must not look like an empty list.
pub(super) fn entries(rows: &[Value], is_one: impl Fn(&Object) -> bool) -> Option<Entries> {
    let found: Vec<Object> = rows.iter().filter_map(Value::as_object).filter(|row| is_one(row)).cloned().collect();
    if found.is_empty() && !rows.is_empty() {
        return None;
    }
    Some(Entries { in_part: found.len() < rows.len(), found })
}

/// Whether an object has a number below `name`, in itself or in the object below `wrapper`.
pub(super) fn has_number(fields: &Object, name: &str, wrapper: &str) -> bool {
    let inner = property(fields, wrapper).and_then(object);
    [Some(fields), inner].into_iter().flatten().any(|fields| property(fields, name).and_then(number).is_some())
}

pub(super) fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| integral(number.as_f64()?)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// 12.0 is 12 (docs/cad-contract.md#e1).
#[expect(clippy::cast_possible_truncation, reason = "whole, and within what a double holds exactly")]
fn integral(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0).then_some(number as i64)
}

/// Numbers of a list without duplicates, in order. `None` if something in it isn't a number.
pub(super) fn numbers(value: &Value) -> Option<Vec<i64>> {
    let mut all = Vec::new();
    for row in list(value).iter().filter(|row| !row.is_null()) {
        let number = number(row)?;
        if !all.contains(&number) {
            all.push(number);
        }
    }
    Some(all)
}

pub(super) fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(on) => Some(*on),
        Value::Number(number) => match number.as_i64()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        },
        Value::String(text) if text.trim().eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.trim().eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// Text that is not blank; at most 200 characters.
pub(super) fn text(value: &Value) -> Option<String> {
    let text = value.as_str()?.trim();
    (!text.is_empty()).then(|| text.chars().take(200).collect())
}

/// The object that an operation answers with: bare, below one of `names`, or the only one of a list.
pub(super) fn one<'a>(answer: &'a Value, names: &[&str]) -> Option<&'a Object> {
    match answer {
        Value::Object(fields) => Some(names.iter().find_map(|name| object(property(fields, name)?)).unwrap_or(fields)),
        Value::Array(rows) => match rows.as_slice() {
            [row] => object(row),
            _ => None,
        },
        _ => None,
    }
}
