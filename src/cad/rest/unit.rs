//! Units: status and panic.

use serde_json::Value;

use super::ask::CadRequest;
use super::budget::Endpoint;
use super::read::{number, object, property};
use super::target::UnitSelector;
use super::{CadActor, Object, RestError};
use crate::authorization::Granted;
use crate::ids::ServerId;

impl CadActor {
    /// Sets the status of units; returns how many were changed (30 a minute). With [`UnitSelector::Discord`] all active identifiers of the
    /// member; 0 if they are off duty.
    ///
    /// # Errors
    /// As [`RestError`] says.
    pub async fn set_status(&self, granted: &Granted, server: ServerId, target: &UnitSelector, status: i64) -> Result<i64, RestError> {
        self.set(granted, Endpoint::SetStatus, server, target, ("status", status.into())).await
    }

    /// Switches the panic of units on or off; returns how many were changed (20 a minute).
    ///
    /// # Errors
    /// As [`RestError`] says.
    pub async fn set_panic(&self, granted: &Granted, server: ServerId, target: &UnitSelector, on: bool) -> Result<i64, RestError> {
        self.set(granted, Endpoint::SetPanic, server, target, ("isPanic", on.into())).await
    }

    async fn set(
        &self,
        granted: &Granted,
        endpoint: Endpoint,
        server: ServerId,
        target: &UnitSelector,
        field: (&str, Value),
    ) -> Result<i64, RestError> {
        let (name, value) = field;
        let part = if endpoint == Endpoint::SetStatus { "status" } else { "panic" };
        let mut body = Object::new();
        target.put(&mut body, false)?;
        body.insert(name.to_owned(), value);
        let ask = CadRequest::change(endpoint, reqwest::Method::PATCH, format!("/v2/emergency/servers/{server}/units/{part}")).body(body);
        self.change(granted, server, ask, |answer| property(object(answer)?, "updated").and_then(number)).await
    }
}
