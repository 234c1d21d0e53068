//! Dispatch calls with one of the community's own layouts.

use serde_json::{Value, json};

use super::super::shared::Shared;
use super::super::state::{Object, Server, object};
use super::answer::Refused;
use super::calls::{expiry, first_notes, text_map};
use super::target::People;

const WRONG: Refused = Refused(400, "The values do not fit the template.");

/// `GET …/dispatch-templates/{templateId}`.
pub(super) fn one(shared: &Shared, id: i64) -> Result<&Object, Refused> {
    find(&shared.templates, id)
}

fn find(templates: &[Object], id: i64) -> Result<&Object, Refused> {
    let found = templates.iter().find(|template| template.get("templateId").and_then(Value::as_i64) == Some(id));
    found.ok_or(Refused(404, "The template does not exist."))
}

/// `POST …/custom-dispatch-calls`: fields of the layout that are bound to a field of a plain call fill that one too.
pub(super) fn create(state: &mut Server, people: &People<'_>, templates: &[Object], body: &Value, now: &str) -> Result<Value, Refused> {
    let id = body.get("templateId").and_then(Value::as_i64).ok_or(Refused(400, "templateId is required."))?;
    let values = body.get("values").and_then(Value::as_object).ok_or(Refused(400, "values are required."))?;
    let template = find(templates, id)?;
    let fields: Vec<&Object> =
        list(template, "sections").filter_map(|section| section.get("fields")?.as_array()).flatten().filter_map(Value::as_object).collect();
    let uid = |field: &&Object| field.get("uid").and_then(Value::as_str).map(str::to_owned);
    let known: Vec<String> = fields.iter().filter_map(uid).collect();
    if values.keys().any(|key| !known.contains(key)) {
        return Err(Refused(400, "A value has a key that the template does not know."));
    }
    let mut call = object(json!({
        "origin": 0, "status": 0, "priority": 3, "block": "", "address": "", "postal": "", "title": "", "code": "", "trackPrimary": false,
        "description": "", "updated": now, "template": template, "values": values, "statusId": null,
    }));
    for field in &fields {
        let value = uid(field).and_then(|uid| values.get(&uid)).filter(|value| !value.is_null());
        let Some(value) = value else {
            let required = field.get("required") == Some(&Value::Bool(true));
            if required {
                return Err(Refused(400, "A required value is missing."));
            } else {
                continue;
            };
        };
        bind(&mut call, template, field, value)?;
    }
    call.insert("notes".into(), first_notes(body, now)?);
    call.insert("metaData".into(), text_map(body.get("metaData"))?);
    call.insert("idents".into(), json!(people.valid(state, body)?));
    Ok(Value::Object(state.add_dispatch_until(call, expiry(body))))
}

/// Checks a value against its field, and copies it into the plain field that it is bound to.
fn bind(call: &mut Object, template: &Object, field: &Object, value: &Value) -> Result<(), Refused> {
    let options: Vec<&str> = list_values(field, "options").filter_map(Value::as_str).collect();
    let chosen = value.as_str().and_then(|text| options.iter().position(|option| *option == text));
    if !options.is_empty() && chosen.is_none() {
        return Err(WRONG);
    }
    match field.get("binding").and_then(Value::as_str).unwrap_or_default() {
        "status" => {
            let option = list(template, "statusOptions").find(|option| option.get("id") == Some(value)).ok_or(WRONG)?;
            call.insert("statusId".into(), value.clone());
            call.insert("status".into(), option.get("status").cloned().ok_or(WRONG)?);
        }
        "priority" => {
            let priority = chosen.map_or(3, |at| i64::try_from(at).unwrap_or(2).min(2) + 1);
            call.insert("priority".into(), priority.into());
        }
        name @ ("block" | "address" | "postal" | "title" | "code" | "description") => {
            call.insert(name.to_owned(), value.as_str().ok_or(WRONG)?.into());
        }
        _ => {}
    }
    Ok(())
}

fn list_values<'a>(fields: &'a Object, name: &str) -> impl Iterator<Item = &'a Value> {
    fields.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default().iter()
}

fn list<'a>(fields: &'a Object, name: &str) -> impl Iterator<Item = &'a Object> {
    list_values(fields, name).filter_map(Value::as_object)
}
