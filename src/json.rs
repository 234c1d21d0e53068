//! Parses untrusted JSON: measures it before building anything, and leaves out secrets.
//!
//! `{"":0},` makes a tree ninety times as large as its text, so size alone limits nothing. [`scan`] reads a text once without building
//! anything; [`JsonReader`] builds the tree, value by value, up to a limit. Never does I/O, never quotes the text in an error.
//!
//! ```text
//! bytes ─ scan ─▶ Outline: key, type, size of the tree ─ acceptable? ─ Reader ─▶ Value without secrets
//! ```

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Replaces a secret.
const BLANK: &str = "(key)";
/// Shorter secrets are removed only where a text is nothing else: as parts of words they would be found everywhere.
const MIN_PART: usize = 6;
/// Longest text of a member that [`scan`] returns, in bytes.
const MAX_SENT: usize = 4_096;
/// Texts that contain JSON are parsed this deep: a text in a text counts as well.
const MAX_NESTED: u8 = 6;

/// Why a text was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not JSON, not UTF-8, nested too deeply (128 levels), or a number out of range.
    #[error("this is not JSON that can be read")]
    Unreadable,
    /// More values than allowed.
    #[error("it holds too many JSON values")]
    TooMany,
}

/// The contents of a text, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JsonSize {
    /// Values of any kind, including nested ones.
    pub values: usize,
    /// Members of objects.
    members: usize,
    /// Objects that have members.
    objects: usize,
    /// Bytes of text.
    text: usize,
}

impl JsonSize {
    /// Approximate limit on the tree's memory, in bytes: an object with one member has space for eleven.
    #[must_use]
    pub fn built(&self) -> usize {
        self.values * (size_of::<Value>() + 32) + self.objects * 640 + self.members * 112 + self.text
    }

    /// For a parsed tree.
    #[must_use]
    pub fn of(value: &Value) -> Self {
        let mut measure = Self::default();
        measure.add(value);
        measure
    }

    /// Adds a tree.
    pub fn add(&mut self, value: &Value) {
        self.values += 1;
        match value {
            Value::String(text) => self.text += text.len(),
            Value::Array(list) => list.iter().for_each(|value| self.add(value)),
            Value::Object(map) => self.add_members(map),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Adds the members of an object.
    pub fn add_members(&mut self, map: &Map<String, Value>) {
        self.objects += usize::from(!map.is_empty());
        for (name, value) in map {
            self.members += 1;
            self.text += name.len();
            self.add(value);
        }
    }
}

/// The value of a member, if it is a text.
#[derive(Clone, Debug, Default)]
pub enum Sent {
    /// It is missing.
    #[default]
    Absent,
    /// Not a text, or longer than needed.
    Odd,
    Text(SecretString),
}

/// The outermost value.
#[derive(Debug)]
pub enum Shape {
    Object,
    /// A text, with its value.
    Text(String),
    /// Anything else.
    Other,
}

/// What [`scan`] found.
#[derive(Debug)]
pub struct Outline {
    pub shape: Shape,
    /// The member `key` of an object, ignoring letter case. Of duplicates the last one counts.
    pub key: Sent,
    /// Its size.
    pub measure: JsonSize,
}

/// Reads a text once and builds nothing: is it JSON with at most `most` values, and what is its `key`?
///
/// # Errors
/// As [`JsonError`] says.
pub fn scan(bytes: &[u8], most: usize) -> Result<Outline, JsonError> {
    let mut outline = Outline { shape: Shape::Other, key: Sent::Absent, measure: JsonSize::default() };
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let read = Outermost { outline: &mut outline, most }.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    match read {
        Ok(()) => Ok(outline),
        Err(_) if outline.measure.values > most => Err(JsonError::TooMany),
        Err(_) => Err(JsonError::Unreadable),
    }
}

/// The outermost value.
struct Outermost<'a> {
    outline: &'a mut Outline,
    most: usize,
}

impl<'de> DeserializeSeed<'de> for Outermost<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.outline.measure.values += 1;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Outermost<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.outline.shape = Shape::Text(text.to_owned());
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.outline.shape = Shape::Object;
        let measure = &mut self.outline.measure;
        measure.objects += 1;
        while let Some(is_key) = map.next_key_seed(Name(measure))? {
            let sent = is_key.then(|| {
                self.outline.key = Sent::Odd;
                &mut self.outline.key
            });
            map.next_value_seed(Counted { measure, most: self.most, sent })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Counted { measure: &mut self.outline.measure, most: self.most, sent: None })?.is_some() {}
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// The name of a member: whether it is `key`.
struct Name<'a>(&'a mut JsonSize);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<bool, E> {
        self.0.members += 1;
        self.0.text += name.len();
        Ok(name.eq_ignore_ascii_case("key"))
    }
}

/// A nested value.
struct Counted<'a> {
    measure: &'a mut JsonSize,
    most: usize,
    sent: Option<&'a mut Sent>,
}

impl<'de> DeserializeSeed<'de> for Counted<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.measure.values += 1;
        if self.measure.values > self.most {
            return Err(D::Error::custom("too many values"));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Counted<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.measure.text += text.len();
        if let Some(sent) = self.sent
            && text.len() <= MAX_SENT
        {
            *sent = Sent::Text(SecretString::from(text));
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { measure, most, .. } = self;
        let mut is_empty = true;
        while map.next_key_seed(Name(measure))?.is_some() {
            measure.objects += usize::from(std::mem::take(&mut is_empty));
            map.next_value_seed(Counted { measure, most, sent: None })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { measure, most, .. } = self;
        while list.next_element_seed(Counted { measure, most, sent: None })?.is_some() {}
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// Texts that must be removed, ignoring letter case (ASCII).
#[derive(Clone, Debug, Default)]
pub struct Secrets(Vec<SecretString>);

impl Secrets {
    /// Blank ones are ignored: they would be found everywhere.
    pub fn new(secrets: impl IntoIterator<Item = SecretString>) -> Self {
        Self(secrets.into_iter().filter(|secret| !secret.expose_secret().trim().is_empty()).collect())
    }

    /// `text` without them.
    #[must_use]
    pub fn out_of<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut clean = Cow::Borrowed(text);
        for secret in &self.0 {
            let secret = secret.expose_secret().trim();
            if secret.len() < MIN_PART {
                if clean.trim().eq_ignore_ascii_case(secret) {
                    return Cow::Borrowed(BLANK);
                }
            } else if let Some(without) = without(&clean, secret) {
                clean = Cow::Owned(without);
            }
        }
        clean
    }
}

/// `text` with [`BLANK`] in place of `secret`; `None` if it isn't there.
fn without(text: &str, secret: &str) -> Option<String> {
    let first = secret.bytes().next()?;
    let (lower, upper) = (first.to_ascii_lowercase(), first.to_ascii_uppercase());
    let mut out: Option<String> = None;
    let (mut copied, mut at) = (0, 0);
    while let Some(found) = text.as_bytes().get(at..)?.iter().position(|byte| *byte == lower || *byte == upper) {
        at += found;
        let end = at + secret.len();
        if text.as_bytes().get(at..end).is_some_and(|part| part.eq_ignore_ascii_case(secret.as_bytes()))
            // A secret of whole characters begins and ends where characters do.
            && let Some(before) = text.get(copied..at)
        {
            let out = out.get_or_insert_default();
            out.push_str(before);
            out.push_str(BLANK);
            (copied, at) = (end, end);
        } else {
            at += 1;
        }
    }
    let mut out = out?;
    out.push_str(text.get(copied..)?);
    Some(out)
}

/// Names of members that hold a key: they are always left out.
fn names_a_key(name: &str) -> bool {
    ["apikey", "api_key", "api-key", "logkey", "log_key", "log-key", "x-api-key"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Builds trees.
#[derive(Debug)]
pub struct JsonReader<'a> {
    secrets: &'a Secrets,
    /// Values that may still be built.
    left: Cell<usize>,
    /// Members called `key` are left out of objects up to this nesting depth.
    keyless: u8,
    /// Something was left out or blanked.
    changed: Cell<bool>,
}

impl<'a> JsonReader<'a> {
    /// With a limit of `most` values.
    #[must_use]
    pub fn new(most: usize, secrets: &'a Secrets) -> Self {
        Self { secrets, left: Cell::new(most), keyless: 0, changed: Cell::new(false) }
    }

    /// Leaves out `key` members in the outermost object and in those directly inside it.
    #[must_use]
    pub fn without_keys(self) -> Self {
        Self { keyless: 2, ..self }
    }

    /// Builds the tree of a text. Of duplicate members the last one counts.
    ///
    /// # Errors
    /// As [`JsonError`] says.
    pub fn read(&self, bytes: &[u8]) -> Result<Value, JsonError> {
        self.at(bytes, Place { objects: 0, nested: 0 })
    }

    fn at(&self, bytes: &[u8], place: Place) -> Result<Value, JsonError> {
        let mut deserializer = serde_json::Deserializer::from_slice(bytes);
        let read = Built { reader: self, place }.deserialize(&mut deserializer);
        let read = read.and_then(|value| deserializer.end().map(|()| value));
        read.map_err(|_| if self.left.get() == 0 { JsonError::TooMany } else { JsonError::Unreadable })
    }

    fn blanked<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let clean = self.secrets.out_of(text);
        if let Cow::Owned(_) = clean {
            self.changed.set(true);
        }
        clean
    }

    /// A text without secrets. One that contains JSON is parsed first: escapes could hide a secret in it.
    fn text<E: serde::de::Error>(&self, text: &str, place: Place) -> Result<Value, E> {
        if place.nested < MAX_NESTED && (self.keyless > 0 || !self.secrets.0.is_empty()) && text.trim_start().starts_with(['{', '[', '"']) {
            let inside =
                JsonReader { secrets: self.secrets, left: Cell::new(self.left.get()), keyless: self.keyless, changed: Cell::new(false) };
            match inside.at(text.as_bytes(), Place { nested: place.nested + 1, ..place }) {
                Ok(value) => {
                    self.left.set(inside.left.get());
                    if inside.changed.get() {
                        self.changed.set(true);
                        return Ok(Value::String(serde_json::to_string(&value).unwrap_or_default()));
                    }
                }
                Err(JsonError::TooMany) => {
                    self.left.set(0);
                    return Err(E::custom("too many values"));
                }
                Err(JsonError::Unreadable) => {}
            }
        }
        Ok(Value::String(self.blanked(text).into_owned()))
    }

    fn number(&self, number: Number) -> Value {
        if self.secrets.0.iter().any(|secret| secret.expose_secret().trim().bytes().all(|byte| byte.is_ascii_digit())) {
            let text = number.to_string();
            if let Cow::Owned(_) = self.secrets.out_of(&text) {
                self.changed.set(true);
                return Value::String(BLANK.to_owned());
            }
        }
        Value::Number(number)
    }
}

/// The position of a value.
#[derive(Clone, Copy)]
struct Place {
    /// Nesting depth in objects.
    objects: u8,
    /// Nesting depth in texts.
    nested: u8,
}

struct Built<'a> {
    reader: &'a JsonReader<'a>,
    place: Place,
}

impl<'de> DeserializeSeed<'de> for Built<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let left = self.reader.left.get();
        // The last one is never used: none left means that there were too many.
        let Some(left) = left.checked_sub(1) else { return Err(D::Error::custom("too many values")) };
        self.reader.left.set(left);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Built<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        self.reader.text(text, self.place)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let Self { reader, place } = self;
        let mut fields = Map::new();
        let inside = Place { objects: place.objects.saturating_add(1), ..place };
        while let Some(name) = map.next_key::<Cow<'_, str>>()? {
            let holds_a_key = names_a_key(&name) || place.objects < reader.keyless && name.eq_ignore_ascii_case("key");
            if holds_a_key && reader.keyless > 0 {
                reader.changed.set(true);
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let value = map.next_value_seed(Built { reader, place: inside })?;
            fields.insert(reader.blanked(&name).into_owned(), value);
        }
        Ok(Value::Object(fields))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let Self { reader, place } = self;
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(Built { reader, place })? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(self.reader.number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(self.reader.number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Number::from_f64(number).map_or(Value::Null, |number| self.reader.number(number)))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
}

#[cfg(test)]
mod tests;
