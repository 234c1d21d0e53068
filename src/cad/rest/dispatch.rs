//! Dispatch calls: create, change, attach and detach units, add notes, close. None of it raises an event (docs/cad-contract.md#e2): the
//! CAD's answer is the only information.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use super::ask::{CadRequest, done};
use super::budget::Endpoint;
use super::read::{number, numbers, object, one, property};
use super::target::UnitSelector;
use super::{CadActor, Object, RestError};
use crate::authorization::Granted;
use crate::ids::{CallId, Ident, ServerId};

/// Fields of a dispatch call to change; `None` keeps them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DispatchPatch {
    /// 0 caller, 1 radio, 2 observed, 3 walk-up.
    pub origin: Option<i64>,
    /// 0 pending, 1 active, 2 closed.
    pub status: Option<i64>,
    /// 1 (highest) to 3.
    pub priority: Option<i64>,
    pub block: Option<String>,
    pub address: Option<String>,
    pub postal: Option<String>,
    pub title: Option<String>,
    pub code: Option<String>,
    pub description: Option<String>,
    pub primary: Option<Ident>,
    /// Whether the call's location follows the primary unit.
    pub track_primary: Option<bool>,
    /// Replaces the call's whole metadata.
    pub meta: Option<BTreeMap<String, String>>,
}

impl DispatchPatch {
    fn body(&self) -> Result<Object, RestError> {
        let text = |text: &Option<String>| text.as_ref().map(|text| json!(text));
        let fields = [
            ("origin", self.origin.map(Value::from)),
            ("status", self.status.map(Value::from)),
            ("priority", self.priority.map(Value::from)),
            ("block", text(&self.block)),
            ("address", text(&self.address)),
            ("postal", text(&self.postal)),
            ("title", text(&self.title)),
            ("code", text(&self.code)),
            ("description", text(&self.description)),
            ("primary", self.primary.map(|ident| json!(ident))),
            ("trackPrimary", self.track_primary.map(Value::from)),
            ("metaData", self.meta.as_ref().map(|meta| json!(meta))),
        ];
        let body: Object = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        if body.is_empty() { Err(RestError::rejected("nothing is to be changed")) } else { Ok(body) }
    }
}

/// A note of a new call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewNote {
    /// When: ISO 8601, UTC; `None` leaves it to the CAD.
    pub time: Option<String>,
    /// Who writes.
    pub label: String,
    pub content: String,
}

pub(super) fn notes(notes: &[NewNote]) -> Value {
    let note = |note: &NewNote| {
        let mut fields = Object::new();
        if let Some(time) = &note.time {
            fields.insert("time".into(), time.as_str().into());
        }
        fields.insert("label".into(), note.label.as_str().into());
        fields.insert("type".into(), "text".into());
        fields.insert("content".into(), note.content.as_str().into());
        Value::Object(fields)
    };
    notes.iter().map(note).collect()
}

/// A dispatch call to create. Without units it is created unassigned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewDispatch {
    /// 0 caller, 1 radio, 2 observed, 3 walk-up.
    pub origin: i64,
    /// 0 pending, 1 active.
    pub status: i64,
    /// 1 (highest) to 3.
    pub priority: i64,
    /// Title; the CAD requires one.
    pub title: String,
    pub block: Option<String>,
    pub address: Option<String>,
    pub postal: Option<String>,
    pub code: Option<String>,
    pub description: Option<String>,
    /// Its first notes.
    pub notes: Vec<NewNote>,
    /// Attaches all active identifiers of the account that this Discord user linked.
    pub discord: Option<u64>,
    /// Attaches the selected identifier of each of these accounts (UUIDs).
    pub accounts: Vec<String>,
    /// Attaches the active identifiers of these members, by the community's own ids.
    pub community_users: Vec<String>,
    /// Metadata, such as `origin911`.
    pub meta: BTreeMap<String, String>,
    /// Removes itself after so many minutes.
    pub delete_after_minutes: Option<u32>,
}

impl NewDispatch {
    fn body(&self) -> Result<Object, RestError> {
        if self.title.trim().is_empty() {
            return Err(RestError::rejected("a call needs a title"));
        }
        let mut body = Object::new();
        for (name, number) in [("origin", self.origin), ("status", self.status), ("priority", self.priority)] {
            body.insert(name.into(), number.into());
        }
        body.insert("title".into(), self.title.as_str().into());
        let texts = [
            ("block", &self.block),
            ("address", &self.address),
            ("postal", &self.postal),
            ("code", &self.code),
            ("description", &self.description),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                body.insert(name.into(), text.as_str().into());
            }
        }
        body.insert("notes".into(), notes(&self.notes));
        if let Some(user) = self.discord {
            body.insert("discord".into(), user.to_string().into());
        }
        if !self.community_users.is_empty() {
            body.insert("communityUserIds".into(), json!(self.community_users));
        }
        // Documented: at least one selector, and an empty list for an unassigned call.
        if !self.accounts.is_empty() || (self.discord.is_none() && self.community_users.is_empty()) {
            body.insert("accounts".into(), json!(self.accounts));
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

/// The call in an answer. One requested by its number has that number, whatever the answer says: documented samples show -1.
pub(super) fn call(answer: &Value, asked: Option<CallId>) -> Option<Object> {
    let mut call = one(answer, &["call", "dispatch"])?.clone();
    let id = asked.map(|asked| asked.0).or_else(|| property(&call, "callId").and_then(number).filter(|id| *id > 0))?;
    call.retain(|name, _| !name.eq_ignore_ascii_case("callId"));
    // A page of something else is not a call.
    ["title", "status", "description", "caller", "idents"].iter().find_map(|name| property(&call, name))?;
    call.insert("callId".into(), id.into());
    Some(call)
}

/// The identifiers in an answer.
fn idents(answer: &Value) -> Option<Vec<Ident>> {
    let found = match answer {
        Value::Array(_) => answer,
        answer => property(object(answer)?, "identIds")?,
    };
    Some(numbers(found)?.into_iter().map(Ident).collect())
}

impl CadActor {
    /// Creates a dispatch call; returns it as created by the CAD (20 a minute). Never repeated.
    ///
    /// # Errors
    /// As [`RestError`] says.
    pub async fn create_dispatch(&self, granted: &Granted, server: ServerId, new: &NewDispatch) -> Result<Object, RestError> {
        let ask = CadRequest::change(Endpoint::CreateDispatch, Method::POST, format!("/v2/emergency/servers/{server}/dispatch-calls"));
        self.change(granted, server, ask.once().body(new.body()?), |answer| call(answer, None)).await
    }

    /// Changes a dispatch call; returns the whole call afterwards (10 a minute).
    ///
    /// # Errors
    /// As [`RestError`] says; a call that is closed or gone is [`RestError::NotThere`], here and below.
    pub async fn edit_dispatch(&self, granted: &Granted, server: ServerId, id: CallId, patch: &DispatchPatch) -> Result<Object, RestError> {
        let ask = CadRequest::change(Endpoint::EditDispatch, Method::PATCH, on_call(server, id, "")).body(patch.body()?);
        self.change(granted, server, ask, |answer| call(answer, Some(id))).await
    }

    /// Sets a call's postal (20 a minute).
    ///
    /// # Errors
    /// As [`RestError`] says.
    pub async fn set_postal(&self, granted: &Granted, server: ServerId, call: CallId, postal: &str) -> Result<(), RestError> {
        let ask = CadRequest::change(Endpoint::SetPostal, Method::PATCH, on_call(server, call, "/postal"));
        self.change(granted, server, ask.body(fields([("postal", postal.into())])), done).await
    }

    /// Makes a unit the call's primary one; with `track` the call's location follows it (10 a minute).
    ///
    /// # Errors
    /// As [`RestError`] says.
    pub async fn set_primary(&self, granted: &Granted, server: ServerId, call: CallId, unit: Ident, track: bool) -> Result<(), RestError> {
        let ask = CadRequest::change(Endpoint::SetPrimary, Method::PATCH, on_call(server, call, "/primary"));
        self.change(granted, server, ask.body(fields([("identId", unit.0.into()), ("trackPrimary", track.into())])), done).await
    }

    /// Attaches units to a call; returns those that the CAD names (10 a minute).
    ///
    /// # Errors
    /// As [`RestError`] says; if nobody is on duty, [`RestError::NotThere`] or an empty list: it is undocumented.
    pub async fn attach(&self, granted: &Granted, server: ServerId, call: CallId, target: &UnitSelector) -> Result<Vec<Ident>, RestError> {
        let mut body = Object::new();
        target.put(&mut body, true)?;
        let ask = CadRequest::change(Endpoint::Attach, Method::POST, on_call(server, call, "/attachments")).body(body);
        self.change(granted, server, ask, idents).await
    }

    /// Detaches units from their calls; returns those that the CAD names (10 a minute), none if a second attempt was needed and found
    /// nobody on a call any more.
    ///
    /// # Errors
    /// As [`RestError`] says.
    pub async fn detach(&self, granted: &Granted, server: ServerId, target: &UnitSelector) -> Result<Vec<Ident>, RestError> {
        let mut body = Object::new();
        target.put(&mut body, true)?;
        let path = format!("/v2/emergency/servers/{server}/dispatch-calls/attachments");
        let ask = CadRequest::change(Endpoint::Detach, Method::DELETE, path).gone_is_done().body(body);
        self.change(granted, server, ask, |answer| if answer.is_null() { Some(Vec::new()) } else { idents(answer) }).await
    }

    /// Adds a note to a call, signed with `label` (60 a minute). Never repeated.
    ///
    /// # Errors
    /// As [`RestError`] says.
    pub async fn add_note(&self, granted: &Granted, server: ServerId, call: CallId, note: &str, label: &str) -> Result<(), RestError> {
        let body = fields([("note", note.into()), ("noteType", "text".into()), ("label", label.into())]);
        let ask = CadRequest::change(Endpoint::AddNote, Method::POST, on_call(server, call, "/notes")).once().body(body);
        self.change(granted, server, ask, done).await
    }

    /// Closes calls; returns those that the CAD names (20 a minute).
    ///
    /// # Errors
    /// As [`RestError`] says.
    pub async fn close(&self, granted: &Granted, server: ServerId, calls: &[CallId]) -> Result<Vec<CallId>, RestError> {
        if calls.is_empty() {
            return Err(RestError::rejected("no call is named"));
        }
        let path = format!("/v2/emergency/servers/{server}/dispatch-calls/close");
        let ask = CadRequest::change(Endpoint::Close, Method::POST, path).gone_is_done().body(fields([("callIds", json!(calls))]));
        self.change(granted, server, ask, |answer| match answer {
            // Gone at the second attempt: the first one did it.
            Value::Null => Some(calls.to_vec()),
            Value::Array(_) => numbers(answer).map(ids),
            answer => numbers(property(object(answer)?, "callIds")?).map(ids),
        })
        .await
    }
}

fn ids(numbers: Vec<i64>) -> Vec<CallId> {
    numbers.into_iter().map(CallId).collect()
}

fn on_call(server: ServerId, call: CallId, rest: &str) -> String {
    format!("/v2/emergency/servers/{server}/dispatch-calls/{call}{rest}")
}

fn fields<const N: usize>(fields: [(&str, Value); N]) -> Object {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
