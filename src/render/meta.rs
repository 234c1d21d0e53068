//! Fields of both kinds of calls beside their own: `metaData`, and a location that the text doesn't name yet.

use super::draft::{self, Fields};
use super::{street, text, words};
use crate::event::Meta;

/// Fields for those keys of `metaData` that mean something to people (docs/cad-contract.md#e8). Every other key is left out: coordinates,
/// uuids and the caller's ids among them.
pub(super) fn known_meta(fields: &mut Fields, values: &Meta, keys: &[&str]) {
    for key in keys {
        fields.inline(text::line(&words::capital(key), 40), draft::line(meta(values, key), 100));
    }
}

/// A value of `metaData`, whatever the letter case of its key.
pub(super) fn meta<'a>(values: &'a Meta, key: &str) -> Option<&'a str> {
    let value = values.get(key).or_else(|| values.iter().find(|(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, v)| v));
    text::visible(value.map(String::as_str))
}

/// The part of a location that isn't in the words before it. A crossing counts as named if its first street is; the rest of it is in a
/// field.
pub(super) fn place_left<'a>(place: Option<&'a str>, what: Option<&str>) -> Option<&'a str> {
    let what = what.filter(|what| text::units(what) <= 110);
    place.filter(|place| !what.is_some_and(|what| text::says(what, place) || text::says(what, street::first(place))))
}
