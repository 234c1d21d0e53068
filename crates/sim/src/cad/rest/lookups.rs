//! Searches records by name or plate.

use serde_json::{Value, json};

use super::super::shared::Shared;
use super::super::state::{Object, ints};
use super::answer::{Answer, Refused};

/// `POST …/lookups`: the records that match every given field, as a bare list.
pub(super) fn lookup(shared: &Shared, body: &Value) -> Answer {
    let text = |name: &str| match body.get(name) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.trim().to_lowercase()),
        Some(_) => Err(Refused(400, "Names and plates must be texts.")),
    };
    let wanted = [("first", text("first")?), ("last", text("last")?), ("middle", text("mi")?), ("plate", text("plate")?)];
    if wanted.iter().all(|(part, text)| text.is_empty() || *part == "middle") {
        return Err(Refused(400, "A name or a plate is required."));
    }
    let types = ints(body.get("types"));
    let partial = body.get("partial").and_then(Value::as_bool).unwrap_or(false);
    let of_type = |record: &Object| {
        types.is_empty() || ["recordTypeId", "type"].iter().filter_map(|name| record.get(*name)?.as_i64()).any(|kind| types.contains(&kind))
    };
    let fits = |record: &&Object| {
        of_type(record)
            && wanted.iter().filter(|(_, text)| !text.is_empty()).all(|(part, text)| {
                fields(record).any(|(name, value)| {
                    let value = value.to_lowercase();
                    name.starts_with(part) && if partial { value.contains(text) } else { value == *text }
                })
            })
    };
    let found: Vec<&Object> = shared.servers.values().flat_map(|server| server.records.values()).filter(fits).collect();
    Ok((200, json!(found)))
}

/// Names (in lower case) and values of a record's fields.
fn fields(record: &Object) -> impl Iterator<Item = (String, &str)> {
    let sections = record.get("sections").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let fields = sections.iter().filter_map(|section| section.get("fields")?.as_array()).flatten();
    fields.filter_map(|field| Some((field.get("uid")?.as_str()?.to_lowercase(), field.get("value")?.as_str()?)))
}
