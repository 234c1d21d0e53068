//! What an operation returns, and the parameters of its query.

use serde_json::Value;

use super::super::state::Object;

/// A refusal: status, and `detail` of the problem document.
pub(super) struct Refused(pub(super) u16, pub(super) &'static str);

pub(super) type Answer = Result<(u16, Value), Refused>;

/// The events that an operation raises.
pub(super) type Events = Vec<(&'static str, Value)>;

pub(super) fn page_of<'a>(
    items: impl Iterator<Item = &'a Object>,
    query: &str,
    limit: &str,
    offset: &str,
    default: usize,
) -> Vec<&'a Object> {
    let number = |name: &str| query_number(query, name).and_then(|n| usize::try_from(n).ok());
    items.skip(number(offset).unwrap_or(0)).take(number(limit).unwrap_or(default).min(100)).collect()
}

pub(super) fn query_text(query: &str, name: &str) -> Option<String> {
    url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

pub(super) fn query_number(query: &str, name: &str) -> Option<i64> {
    query_text(query, name)?.parse().ok()
}

pub(super) fn query_flag(query: &str, name: &str, default: bool) -> bool {
    query_text(query, name).map_or(default, |text| text.eq_ignore_ascii_case("true"))
}
