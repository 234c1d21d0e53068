//! Checks Discord's limits of messages, embeds and components. Errors are nested as in Discord's `Invalid Form Body` (50035).
//!
//! Lengths are counted in UTF-16 units, the strictest of the ways Discord's parts count, after trimming white space.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::values::{list, text};

/// Problems of one body, by the path of the field.
#[derive(Default)]
pub(super) struct Problems(Map<String, Value>);

impl Problems {
    /// Notes a problem at `path`, dotted as in `embeds.0.title`; the empty path is the body itself.
    pub(super) fn add(&mut self, path: &str, code: &str, message: impl Into<String>) {
        let mut node = &mut self.0;
        for part in path.split('.').filter(|p| !p.is_empty()) {
            let Value::Object(next) = node.entry(part).or_insert_with(|| json!({})) else { return };
            node = next;
        }
        if let Value::Array(errors) = node.entry("_errors").or_insert_with(|| json!([])) {
            errors.push(json!({"code": code, "message": message.into()}));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn into_value(self) -> Value {
        Value::Object(self.0)
    }

    /// A required or optional string of at most `max` units.
    pub(super) fn string(&mut self, owner: &Value, path: &str, key: &str, max: usize, required: bool) {
        let at = join(path, key);
        match owner.get(key) {
            None | Some(Value::Null) => {
                if required {
                    self.required(&at);
                }
            }
            Some(Value::String(value)) => {
                if required && value.trim().is_empty() {
                    self.required(&at);
                } else if units(value.trim()) > max {
                    self.add(&at, "BASE_TYPE_MAX_LENGTH", format!("Must be {max} or fewer in length."));
                }
            }
            Some(other) => self.add(&at, "STRING_TYPE_CONVERT", format!("Could not interpret \"{other}\" as string.")),
        }
    }

    pub(super) fn required(&mut self, path: &str) {
        self.add(path, "BASE_TYPE_REQUIRED", "This field is required");
    }

    /// A list of at most `max` entries; returns the entries, cut to a sane number.
    pub(super) fn array<'a>(&mut self, owner: &'a Value, path: &str, key: &str, min: usize, max: usize) -> &'a [Value] {
        let at = join(path, key);
        match owner.get(key) {
            None | Some(Value::Null) => &[],
            Some(Value::Array(items)) if items.len() > max || items.len() < min => {
                self.add(&at, "BASE_TYPE_BAD_LENGTH", format!("Must be between {min} and {max} in length."));
                items.get(..max).unwrap_or(items)
            }
            Some(Value::Array(items)) => items,
            Some(_) => {
                self.add(&at, "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType");
                &[]
            }
        }
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Length as JavaScript and Discord's client count it.
pub(super) fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// IS_COMPONENTS_V2
pub(super) const V2: u64 = 1 << 15;

/// Checks a message body, whoever sends it.
pub(super) fn message(body: &Value) -> Problems {
    let mut problems = Problems::default();
    if !body.is_object() {
        problems.add("", "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType");
        return problems;
    }
    problems.string(body, "", "content", 2000, false);
    if let Some(nonce) = body.get("nonce").filter(|n| !n.is_null()) {
        let long = nonce.as_str().is_some_and(|n| units(n) > 25);
        if long || !(nonce.is_string() || nonce.is_i64() || nonce.is_u64()) {
            problems.add("nonce", "NONCE_TYPE_TOO_LONG", "Nonce must be 25 or fewer in length.");
        }
    }
    let embeds = problems.array(body, "", "embeds", 0, 10);
    let mut total = 0;
    for (at, one) in embeds.iter().enumerate() {
        total += embed(one, &format!("embeds.{at}"), &mut problems);
    }
    if total > 6000 {
        problems.add("embeds", "MAX_EMBED_SIZE_EXCEEDED", "Embed size exceeds maximum size of 6000");
    }
    let flags = body.get("flags").and_then(Value::as_u64).unwrap_or(0);
    components(body, flags & V2 != 0, &mut problems);
    allowed_mentions(body, &mut problems);
    if flags & V2 != 0 && (!text(body, "content").is_empty() || !embeds.is_empty()) {
        problems.add("flags", "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", "The flag cannot be used with content or embeds.");
    }
    problems
}

/// Checks one embed and returns its share of the 6000.
fn embed(embed: &Value, path: &str, problems: &mut Problems) -> usize {
    if !embed.is_object() {
        problems.add(path, "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType");
        return 0;
    }
    let mut total = 0;
    let mut measured = |owner: &Value, at: &str, key: &str, max: usize, required: bool, problems: &mut Problems| {
        problems.string(owner, at, key, max, required);
        total += units(text(owner, key).trim());
    };
    measured(embed, path, "title", 256, false, problems);
    measured(embed, path, "description", 4096, false, problems);
    if let Some(footer) = embed.get("footer").filter(|f| !f.is_null()) {
        measured(footer, &format!("{path}.footer"), "text", 2048, true, problems);
    }
    if let Some(author) = embed.get("author").filter(|a| !a.is_null()) {
        measured(author, &format!("{path}.author"), "name", 256, true, problems);
    }
    for (at, field) in problems.array(embed, path, "fields", 0, 25).iter().enumerate() {
        let at = format!("{path}.fields.{at}");
        measured(field, &at, "name", 256, true, problems);
        measured(field, &at, "value", 1024, true, problems);
    }
    for (key, upload) in [
        ("url", false),
        ("image.url", true),
        ("thumbnail.url", true),
        ("footer.icon_url", true),
        ("author.icon_url", true),
        ("author.url", false),
    ] {
        let value = key.split('.').try_fold(embed, |node, part| node.get(part)).filter(|v| !v.is_null());
        if let Some(value) = value {
            url(value, &join(path, key), upload, problems);
        }
    }
    if embed.get("color").filter(|c| !c.is_null()).is_some_and(|c| c.as_u64().is_none_or(|c| c > 0xFF_FFFF)) {
        problems.add(&join(path, "color"), "NUMBER_TYPE_MAX", "int value should be less than or equal to 16777215.");
    }
    if let Some(stamp) = embed.get("timestamp").filter(|t| !t.is_null())
        && stamp.as_str().is_none_or(|t| t.parse::<jiff::Timestamp>().is_err())
    {
        problems.add(&join(path, "timestamp"), "DATE_TIME_TYPE_PARSE", format!("Could not parse {stamp}. Should be ISO8601."));
    }
    total
}

fn url(value: &Value, path: &str, upload: bool, problems: &mut Problems) {
    let Some(value) = value.as_str() else {
        problems.add(path, "STRING_TYPE_CONVERT", "Could not interpret the value as string.");
        return;
    };
    if upload && value.starts_with("attachment://") {
        return;
    }
    match url::Url::parse(value) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && units(value) <= 2048 => {}
        Ok(url) if !matches!(url.scheme(), "http" | "https") => {
            problems.add(
                path,
                "URL_TYPE_INVALID_SCHEME",
                format!("Scheme \"{}\" is not supported. Scheme must be one of ('http', 'https').", url.scheme()),
            );
        }
        _ => problems.add(path, "URL_TYPE_INVALID_URL", "Not a well formed URL."),
    }
}

fn allowed_mentions(body: &Value, problems: &mut Problems) {
    let Some(allowed) = body.get("allowed_mentions").filter(|a| !a.is_null()) else { return };
    let parse = list(allowed, "parse");
    for (at, kind) in parse.iter().enumerate() {
        if !matches!(kind.as_str(), Some("users" | "roles" | "everyone")) {
            problems.add(
                &format!("allowed_mentions.parse.{at}"),
                "BASE_TYPE_CHOICES",
                "Value must be one of ('users', 'roles', 'everyone').",
            );
        }
    }
    for key in ["users", "roles"] {
        let ids = problems.array(allowed, "allowed_mentions", key, 0, 100);
        for (at, id) in ids.iter().enumerate() {
            if id.as_str().map_or_else(|| id.as_u64(), |s| s.parse().ok()).is_none() {
                problems.add(&format!("allowed_mentions.{key}.{at}"), "NUMBER_TYPE_COERCE", "Value is not snowflake.");
            }
        }
        if !ids.is_empty() && parse.iter().any(|p| p.as_str() == Some(key)) {
            let why = format!("parse:[\"{key}\"] and {key}: [ids...] are mutually exclusive.");
            problems.add("allowed_mentions", "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", why);
        }
    }
}

// ---- components ----

fn components(body: &Value, v2: bool, problems: &mut Problems) {
    let mut seen = BTreeSet::new();
    let rows = problems.array(body, "", "components", 0, if v2 { 40 } else { 5 });
    let mut left = 40_usize;
    for (at, row) in rows.iter().enumerate() {
        component(row, &format!("components.{at}"), v2, 0, &mut left, &mut seen, problems);
    }
    if left == 0 && v2 {
        problems.add("components", "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED", "The total number of components cannot exceed 40.");
    }
}

/// Checks a top-level component (or, with the V2 flag, one inside a container).
fn component(value: &Value, path: &str, v2: bool, depth: usize, left: &mut usize, seen: &mut BTreeSet<String>, problems: &mut Problems) {
    *left = left.saturating_sub(1);
    match value.get("type").and_then(Value::as_u64) {
        Some(1) => row(value, path, left, seen, problems),
        Some(9 | 17) if v2 && depth < 2 && *left > 0 => {
            for (at, child) in list(value, "components").iter().enumerate() {
                component(child, &format!("{path}.components.{at}"), v2, depth + 1, left, seen, problems);
            }
            if let Some(button_value) = value.get("accessory").filter(|a| a.get("type").and_then(Value::as_u64) == Some(2)) {
                button(button_value, &format!("{path}.accessory"), seen, problems);
            }
        }
        Some(10) if v2 => problems.string(value, path, "content", 4000, true),
        Some(12..=14) if v2 => {}
        _ => {
            let choices = if v2 { "(1, 9, 10, 12, 13, 14, 17)" } else { "(1,)" };
            problems.add(&join(path, "type"), "UNION_TYPE_CHOICES", format!("Value of field \"type\" must be one of {choices}."));
        }
    }
}

fn row(row: &Value, path: &str, left: &mut usize, seen: &mut BTreeSet<String>, problems: &mut Problems) {
    let inner = list(row, "components");
    let width: usize = inner.iter().map(|c| if c.get("type").and_then(Value::as_u64) == Some(2) { 1 } else { 5 }).sum();
    if inner.is_empty() {
        problems.add(&join(path, "components"), "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.");
    }
    if width > 5 {
        problems.add(&join(path, "components"), "COMPONENT_LAYOUT_WIDTH_EXCEEDED", "Action row components cannot exceed max width of 5.");
    }
    for (at, one) in inner.iter().enumerate().take(6) {
        *left = left.saturating_sub(1);
        let at = format!("{path}.components.{at}");
        match one.get("type").and_then(Value::as_u64) {
            Some(2) => button(one, &at, seen, problems),
            Some(3 | 5..=8) => select(one, &at, seen, problems),
            _ => problems.add(&join(&at, "type"), "UNION_TYPE_CHOICES", "Value of field \"type\" must be one of (2, 3, 5, 6, 7, 8)."),
        }
    }
}

fn custom_id(value: &Value, path: &str, seen: &mut BTreeSet<String>, problems: &mut Problems) {
    problems.string(value, path, "custom_id", 100, true);
    let id = text(value, "custom_id");
    if !id.is_empty() && !seen.insert(id.to_owned()) {
        problems.add(&join(path, "custom_id"), "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated");
    }
}

fn button(value: &Value, path: &str, seen: &mut BTreeSet<String>, problems: &mut Problems) {
    problems.string(value, path, "label", 80, false);
    match value.get("style").and_then(Value::as_u64) {
        Some(1..=4) => {
            custom_id(value, path, seen, problems);
            if value.get("url").is_some_and(|u| !u.is_null()) {
                problems.add(path, "BUTTON_COMPONENT_CUSTOM_ID_URL_MUTUALLY_EXCLUSIVE", "A custom id and url cannot both be specified");
            }
        }
        Some(5) => {
            match value.get("url").filter(|u| !u.is_null()) {
                Some(address) if units(address.as_str().unwrap_or_default()) <= 512 => url(address, &join(path, "url"), false, problems),
                Some(_) => problems.add(&join(path, "url"), "BASE_TYPE_MAX_LENGTH", "Must be 512 or fewer in length."),
                None => problems.required(&join(path, "url")),
            }
            if value.get("custom_id").is_some_and(|c| !c.is_null()) {
                problems.add(path, "BUTTON_COMPONENT_CUSTOM_ID_URL_MUTUALLY_EXCLUSIVE", "A custom id and url cannot both be specified");
            }
        }
        Some(6) => return,
        _ => problems.add(&join(path, "style"), "BASE_TYPE_CHOICES", "Value must be one of {1, 2, 3, 4, 5, 6}."),
    }
    if text(value, "label").trim().is_empty() && value.get("emoji").is_none_or(Value::is_null) {
        problems.add(path, "BUTTON_COMPONENT_MISSING_LABEL_EMOJI", "A button must have a label or an emoji");
    }
}

fn select(value: &Value, path: &str, seen: &mut BTreeSet<String>, problems: &mut Problems) {
    custom_id(value, path, seen, problems);
    problems.string(value, path, "placeholder", 150, false);
    let number = |key: &str, default: u64| value.get(key).map_or(Some(default), Value::as_u64);
    if number("min_values", 1).is_none_or(|n| n > 25) {
        problems.add(&join(path, "min_values"), "NUMBER_TYPE_MAX", "int value should be less than or equal to 25.");
    }
    if number("max_values", 1).is_none_or(|n| n == 0 || n > 25) {
        problems.add(&join(path, "max_values"), "NUMBER_TYPE_MAX", "int value should be between 1 and 25.");
    }
    if value.get("type").and_then(Value::as_u64) != Some(3) {
        return;
    }
    if value.get("options").is_none_or(Value::is_null) {
        problems.required(&join(path, "options"));
    }
    let mut values = BTreeSet::new();
    for (at, option) in problems.array(value, path, "options", 1, 25).iter().enumerate() {
        let at = format!("{path}.options.{at}");
        problems.string(option, &at, "label", 100, true);
        problems.string(option, &at, "value", 100, true);
        problems.string(option, &at, "description", 100, false);
        if !values.insert(text(option, "value")) {
            problems.add(&join(&at, "value"), "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", "The specified option value is already used");
        }
    }
}

/// Checks the data of a modal callback (type 9).
pub(super) fn modal(data: &Value) -> Problems {
    let mut problems = Problems::default();
    problems.string(data, "data", "title", 45, true);
    problems.string(data, "data", "custom_id", 100, true);
    if data.get("components").is_none_or(Value::is_null) {
        problems.required("data.components");
    }
    let mut seen = BTreeSet::new();
    for (at, row) in problems.array(data, "data", "components", 1, 5).iter().enumerate() {
        let at = format!("data.components.{at}");
        let inner = match row.get("type").and_then(Value::as_u64) {
            Some(1) => list(row, "components").first(),
            Some(18) => {
                problems.string(row, &at, "label", 45, true);
                row.get("component")
            }
            Some(10) => continue,
            _ => None,
        };
        let Some(inner) = inner.filter(|_| list(row, "components").len() <= 1) else {
            problems.add(&at, "UNION_TYPE_CHOICES", "A row of a modal holds exactly one component.");
            continue;
        };
        let labelled = row.get("type").and_then(Value::as_u64) == Some(18);
        match inner.get("type").and_then(Value::as_u64) {
            Some(4) => text_input(inner, &at, labelled, &mut seen, &mut problems),
            Some(3 | 5..=8) if labelled => select(inner, &at, &mut seen, &mut problems),
            _ => problems.add(&at, "UNION_TYPE_CHOICES", "Value of field \"type\" must be one of (4,)."),
        }
    }
    problems
}

fn text_input(value: &Value, path: &str, labelled: bool, seen: &mut BTreeSet<String>, problems: &mut Problems) {
    custom_id(value, path, seen, problems);
    if !labelled {
        problems.string(value, path, "label", 45, true);
    }
    problems.string(value, path, "placeholder", 100, false);
    problems.string(value, path, "value", 4000, false);
    if !matches!(value.get("style").and_then(Value::as_u64), Some(1 | 2)) {
        problems.add(&join(path, "style"), "BASE_TYPE_CHOICES", "Value must be one of {1, 2}.");
    }
    let max = value.get("max_length").and_then(Value::as_u64).unwrap_or(4000);
    if max == 0 || max > 4000 || value.get("min_length").and_then(Value::as_u64).is_some_and(|min| min > max) {
        problems.add(&join(path, "max_length"), "NUMBER_TYPE_MAX", "int value should be between min_length (or 1) and 4000.");
    }
}

/// Checks the choices of an autocompletion callback (type 8).
pub(super) fn choices(data: &Value) -> Problems {
    let mut problems = Problems::default();
    if data.get("choices").is_none_or(Value::is_null) {
        problems.required("data.choices");
    }
    for (at, choice) in problems.array(data, "data", "choices", 0, 25).iter().enumerate() {
        let at = format!("data.choices.{at}");
        problems.string(choice, &at, "name", 100, true);
        match choice.get("value") {
            Some(Value::String(value)) if units(value) > 100 => {
                problems.add(&join(&at, "value"), "BASE_TYPE_MAX_LENGTH", "Must be 100 or fewer in length.");
            }
            Some(Value::String(_) | Value::Number(_)) => {}
            _ => problems.required(&join(&at, "value")),
        }
    }
    problems
}
