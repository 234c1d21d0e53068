//! Dispatch calls of a layout that the community designed itself.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use super::ask::CadRequest;
use super::budget::Endpoint;
use super::dispatch::{NewNote, call, notes};
use super::read::{array, entries, flag, list, number, object, property, text};
use super::target::UnitSelector;
use super::{CadActor, CadReader, Object, RestError};
use crate::authorization::Granted;
use crate::ids::ServerId;

/// Limit on templates, and on the parts of anything in one.
const MAX_PARTS: usize = 200;

/// A layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pub id: i64,
    pub name: Option<String>,
    /// Its version.
    pub version: Option<i64>,
    /// Whether the CAD offers it first.
    pub default: bool,
    /// The possible statuses of its calls.
    pub statuses: Vec<TemplateStatus>,
    /// Its parts.
    pub sections: Vec<TemplateSection>,
}

/// A status with the layout's own name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateStatus {
    /// What a status field's value is.
    pub id: String,
    /// What people read.
    pub label: Option<String>,
    /// Its meaning: 0 pending, 1 active, 2 closed.
    pub status: Option<i64>,
}

/// A part of a layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateSection {
    /// Its name to the CAD.
    pub uid: Option<String>,
    /// What people read.
    pub label: Option<String>,
    pub fields: Vec<TemplateField>,
}

/// A field of a layout. `uid` is the key of its value in [`NewCustomDispatch::values`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateField {
    /// Its name to the CAD.
    pub uid: String,
    /// Its type, such as `text` or `select`; the CAD documents no list.
    pub kind: Option<String>,
    /// What people read.
    pub label: Option<String>,
    /// The field of a plain dispatch call that it is bound to, such as `priority`.
    pub binding: Option<String>,
    /// Whether the CAD refuses a call without it.
    pub required: bool,
    /// Whether people can't fill it in.
    pub locked: bool,
    /// A hint.
    pub placeholder: Option<String>,
    /// The allowed texts; empty = any.
    pub options: Vec<String>,
}

/// Entries of a list that is documented below `name`.
fn below<T>(fields: &Object, name: &str, read: impl Fn(&Object) -> Option<T>) -> Vec<T> {
    let rows = property(fields, name).map(list).unwrap_or_default();
    rows.iter().filter_map(object).filter_map(read).take(MAX_PARTS).collect()
}

fn on(fields: &Object, name: &str) -> bool {
    property(fields, name).and_then(flag).unwrap_or(false)
}

fn words(fields: &Object, name: &str) -> Option<String> {
    property(fields, name).and_then(text)
}

impl Template {
    fn read(fields: &Object) -> Option<Self> {
        Some(Self {
            id: property(fields, "templateId").and_then(number).filter(|id| *id > 0)?,
            name: words(fields, "name"),
            version: property(fields, "version").and_then(number),
            default: on(fields, "isDefault"),
            statuses: below(fields, "statusOptions", TemplateStatus::read),
            sections: below(fields, "sections", |section| Some(TemplateSection::read(section))),
        })
    }
}

impl TemplateStatus {
    fn read(fields: &Object) -> Option<Self> {
        Some(Self { id: words(fields, "id")?, label: words(fields, "label"), status: property(fields, "status").and_then(number) })
    }
}

impl TemplateSection {
    fn read(fields: &Object) -> Self {
        Self { uid: words(fields, "uid"), label: words(fields, "label"), fields: below(fields, "fields", TemplateField::read) }
    }
}

impl TemplateField {
    fn read(fields: &Object) -> Option<Self> {
        let options = property(fields, "options").map(list).unwrap_or_default();
        Some(Self {
            uid: words(fields, "uid")?,
            kind: words(fields, "type"),
            label: words(fields, "label"),
            binding: words(fields, "binding"),
            required: on(fields, "required"),
            locked: on(fields, "locked"),
            placeholder: words(fields, "placeholder"),
            options: options.iter().filter_map(text).take(MAX_PARTS).collect(),
        })
    }
}

/// A dispatch call with a layout, to create.
#[derive(Clone, Debug, PartialEq)]
pub struct NewCustomDispatch {
    /// [`Template::id`].
    pub template: i64,
    /// Values by [`TemplateField::uid`]; the CAD refuses keys it does not know. A status is a [`TemplateStatus::id`].
    pub values: BTreeMap<String, Value>,
    /// Who is attached: the CAD requires at least one valid unit. No group.
    pub target: UnitSelector,
    /// Its first notes.
    pub notes: Vec<NewNote>,
    /// Metadata.
    pub meta: BTreeMap<String, String>,
    /// Removes itself after so many minutes.
    pub delete_after_minutes: Option<u32>,
}

impl NewCustomDispatch {
    fn body(&self) -> Result<Object, RestError> {
        let mut body = Object::new();
        body.insert("templateId".into(), self.template.into());
        body.insert("values".into(), json!(self.values));
        self.target.put(&mut body, false)?;
        if !self.notes.is_empty() {
            body.insert("notes".into(), notes(&self.notes));
        }
        if !self.meta.is_empty() {
            body.insert("metaData".into(), json!(self.meta));
        }
        if let Some(minutes) = self.delete_after_minutes {
            body.insert("deleteAfterMinutes".into(), minutes.into());
        }
        Ok(body)
    }
}

impl CadReader {
    /// The community's layouts; an empty list if there are none. Their limit is undocumented: 10 a minute is assumed, here and below.
    ///
    /// # Errors
    /// As [`RestError`] says.
    pub async fn templates(&self) -> Result<Vec<Template>, RestError> {
        let answer = self.0.ask(CadRequest::get(Endpoint::Templates, "/v2/emergency/dispatch-templates".to_owned())).await?;
        let bare = object(&answer).filter(|fields| property(fields, "templateId").is_some());
        let rows = match bare {
            Some(template) => vec![template.clone()],
            None => {
                let rows = array(&answer, "templates").ok_or(RestError::Unreadable)?;
                entries(&rows, |row| Template::read(row).is_some()).ok_or(RestError::Unreadable)?.found
            }
        };
        Ok(rows.iter().filter_map(Template::read).take(MAX_PARTS).collect())
    }

    /// One layout; `None` if there is none with this number.
    ///
    /// # Errors
    /// As [`RestError`] says.
    pub async fn template(&self, id: i64) -> Result<Option<Template>, RestError> {
        match self.0.ask(CadRequest::get(Endpoint::Template, format!("/v2/emergency/dispatch-templates/{id}"))).await {
            Ok(answer) => object(&answer).and_then(Template::read).map(Some).ok_or(RestError::Unreadable),
            Err(RestError::NotThere { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl CadActor {
    /// Creates a dispatch call with a layout; returns it as created by the CAD. Never repeated.
    ///
    /// # Errors
    /// As [`RestError`] says; a value that the layout does not allow is [`RestError::Rejected`].
    pub async fn create_custom_dispatch(&self, granted: &Granted, server: ServerId, new: &NewCustomDispatch) -> Result<Object, RestError> {
        let path = format!("/v2/emergency/servers/{server}/custom-dispatch-calls");
        let ask = CadRequest::change(Endpoint::CreateCustomDispatch, Method::POST, path).once().body(new.body()?);
        self.change(granted, server, ask, |answer| call(answer, None)).await
    }
}
