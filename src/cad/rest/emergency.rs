//! 911 and civil calls. The API can't turn one into a dispatch: create the dispatch, then remove the 911.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::json;

use super::ask::{CadRequest, done};
use super::budget::Endpoint;
use super::dispatch::call;
use super::{CadActor, Object, RestError};
use crate::authorization::Granted;
use crate::ids::{CallId, ServerId};

/// A 911 or civil call to create.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewEmergency {
    /// False for a civil call.
    pub emergency: bool,
    /// Who calls; may be empty.
    pub caller: String,
    pub location: String,
    pub description: String,
    /// Removes itself after so many minutes.
    pub delete_after_minutes: Option<u32>,
    /// Metadata, such as `postal`.
    pub meta: BTreeMap<String, String>,
}

impl NewEmergency {
    fn body(&self) -> Object {
        let mut body = Object::new();
        body.insert("isEmergency".into(), self.emergency.into());
        for (name, text) in [("caller", &self.caller), ("location", &self.location), ("description", &self.description)] {
            body.insert(name.into(), text.as_str().into());
        }
        if let Some(minutes) = self.delete_after_minutes {
            body.insert("deleteAfterMinutes".into(), minutes.into());
        }
        if !self.meta.is_empty() {
            body.insert("metaData".into(), json!(self.meta));
        }
        body
    }
}

impl CadActor {
    /// Creates a 911 or civil call; returns it as created by the CAD (10 a minute). Never repeated. The only change by this API that
    /// raises an event.
    ///
    /// # Errors
    /// As [`RestError`] says.
    pub async fn create_911(&self, granted: &Granted, server: ServerId, new: &NewEmergency) -> Result<Object, RestError> {
        let ask = CadRequest::change(Endpoint::Create911, Method::POST, format!("/v2/emergency/servers/{server}/calls/911"));
        self.change(granted, server, ask.once().about_server(server).body(new.body()), |answer| call(answer, None)).await
    }

    /// Removes a 911 (10 a minute).
    ///
    /// # Errors
    /// As [`RestError`] says.
    pub async fn remove_911(&self, granted: &Granted, server: ServerId, call: CallId) -> Result<(), RestError> {
        let ask = CadRequest::change(Endpoint::Remove911, Method::DELETE, format!("/v2/emergency/servers/{server}/calls/911/{call}"));
        self.change(granted, server, ask.gone_is_done(), done).await
    }
}
