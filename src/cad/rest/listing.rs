//! What a server holds: the reader's two questions. Their limits are the tightest of all, so the reader plans them (`cad/reconcile`):
//! no budget and no second try here.

use serde_json::Value;

use super::ask::Ask;
use super::read::{number, object, objects, property};
use super::{CadRest, Object, RestError};
use crate::ids::ServerId;

/// `GET …/units`: objects as the CAD sent them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Units {
    /// Active units and dispatchers.
    pub units: Vec<Object>,
    /// Whether these are surely all. The largest page is undocumented, 100 is the documented sample: a full hundred may be a page's
    /// end, so that a unit's absence from it means nothing.
    pub complete: bool,
}

/// `GET …/calls`: objects as the CAD sent them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calls {
    /// Dispatch calls; pending ones have status 0.
    pub active: Vec<Object>,
    /// 911 and civil calls.
    pub emergency: Vec<Object>,
    /// The last closed dispatch calls.
    pub closed: Vec<Object>,
    /// Closed calls in all, where told.
    pub closed_count: Option<i64>,
}

impl CadRest {
    /// The server's active units, dispatchers included (3 a minute, shared with the game server).
    ///
    /// # Errors
    /// As [`RestError`] says.
    pub async fn units(&self, server: ServerId) -> Result<Units, RestError> {
        let query = [("includeOffline", "false"), ("onlyUnits", "false"), ("limit", "1000"), ("offset", "0")];
        let answer = self.ask(Ask::reading(format!("/v2/emergency/servers/{server}/units"), server).query(query)).await?;
        // Null is not taken for none: reconciling with it would sign everybody off, and no page of the docs shows it here.
        let rows = match &answer {
            Value::Array(rows) => rows.as_slice(),
            Value::Object(fields) => match property(fields, "units") {
                Some(Value::Array(rows)) => rows.as_slice(),
                Some(only @ Value::Object(_)) => std::slice::from_ref(only),
                // The only unit, bare.
                None if property(fields, "id").and_then(number).is_some() => std::slice::from_ref(&answer),
                _ => return Err(RestError::Unreadable),
            },
            _ => return Err(RestError::Unreadable),
        };
        Ok(Units { units: objects(rows), complete: rows.is_empty() || !rows.len().is_multiple_of(100) })
    }

    /// The server's calls (5 a minute, shared with the game server).
    ///
    /// # Errors
    /// As [`RestError`] says.
    pub async fn calls(&self, server: ServerId) -> Result<Calls, RestError> {
        let query = [("closedLimit", "10"), ("closedOffset", "0"), ("type", "100")];
        let answer = self.ask(Ask::reading(format!("/v2/emergency/servers/{server}/calls"), server).query(query)).await?;
        let fields = object(&answer).ok_or(RestError::Unreadable)?;
        // Null is the CAD's way to say none; a list that is not there says nothing, and reconciling with it would close every call.
        let part = |name: &str| match property(fields, name)? {
            Value::Null => Some(Vec::new()),
            Value::Array(rows) => Some(objects(rows)),
            Value::Object(only) => Some(vec![only.clone()]),
            _ => None,
        };
        Ok(Calls {
            active: part("activeCalls").ok_or(RestError::Unreadable)?,
            emergency: part("emergencyCalls").ok_or(RestError::Unreadable)?,
            closed: part("closedCalls").unwrap_or_default(),
            closed_count: property(fields, "closedCallCount").and_then(number),
        })
    }
}
