//! Lists units and calls of a server: the reader's two requests. Their limits are the tightest of all, so the reader plans them
//! (`cad/reconcile`): no budget and no second attempt here.

use serde_json::Value;

use super::ask::CadRequest;
use super::budget::Endpoint;
use super::read::{Entries, entries, has_number, number, object, property};
use super::{CadReader, Object, RestError};
use crate::ids::ServerId;

/// `GET …/units`: objects as the CAD sent them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Units {
    /// Active units and dispatchers.
    pub units: Vec<Object>,
    /// Whether these are surely all. The largest page is undocumented, 100 is the documented sample: with a full hundred there may be
    /// more, so that a missing unit means nothing.
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
    /// The number of closed calls, where given.
    pub closed_count: Option<i64>,
    /// Something among the dispatch calls isn't one, so a missing call means nothing.
    pub active_in_part: bool,
    /// The same for the 911 and civil calls.
    pub emergency_in_part: bool,
}

/// A unit's number is positive.
fn is_unit(fields: &Object) -> bool {
    property(fields, "id").and_then(number).is_some_and(|id| id > 0)
}

/// Whether an object has a call's fields. The CAD's numbers may be missing, or text.
fn says_something(row: &Object) -> bool {
    let says = |fields: &Object| {
        ["caller", "location", "description"]
            .iter()
            .any(|name| property(fields, name).and_then(Value::as_str).is_some_and(|text| !text.trim().is_empty()))
    };
    says(row) || property(row, "call").and_then(object).is_some_and(says)
}

/// One list of calls. `None` if it is something other than calls, `Some(None)` if it is null or missing.
fn part(fields: &Object, name: &str) -> Option<Option<Entries>> {
    let is_call = |row: &Object| {
        has_number(row, "callId", "call") || has_number(row, "callId", "dispatch") || (name == "emergencyCalls" && says_something(row))
    };
    match property(fields, name) {
        None | Some(Value::Null) => Some(None),
        Some(Value::Array(rows)) => entries(rows, is_call).map(Some),
        // The documented samples show a list of one as its only element, but an error may look like that too.
        Some(only @ Value::Object(_)) => entries(std::slice::from_ref(only), is_call).map(|one| Some(Entries { in_part: true, ..one })),
        Some(_) => None,
    }
}

impl CadReader {
    /// The server's active units, dispatchers included (3 a minute, shared with the game server).
    ///
    /// # Errors
    /// As [`RestError`] says.
    pub async fn units(&self, server: ServerId) -> Result<Units, RestError> {
        let query = [("includeOffline", "false"), ("onlyUnits", "false"), ("limit", "1000"), ("offset", "0")];
        let answer =
            self.0.ask(CadRequest::reading(Endpoint::Units, format!("/v2/emergency/servers/{server}/units"), server).query(query)).await?;
        // Null doesn't count as none: reconciling with it would sign everybody off, and no page of the docs shows it here.
        let listed = match &answer {
            Value::Array(rows) => Some(rows),
            Value::Object(fields) => match property(fields, "units") {
                Some(Value::Array(rows)) => Some(rows),
                _ => None,
            },
            _ => None,
        };
        if let Some(rows) = listed {
            let Entries { found, in_part } = entries(rows, is_unit).ok_or(RestError::Unreadable)?;
            return Ok(Units { units: found, complete: !in_part && (rows.is_empty() || !rows.len().is_multiple_of(100)) });
        }
        // A single bare unit, as in the documented samples. An error may look like that too: a missing unit means nothing then.
        let only = object(&answer).map(|fields| property(fields, "units").and_then(object).unwrap_or(fields));
        match only {
            Some(only) if is_unit(only) => Ok(Units { units: vec![only.clone()], complete: false }),
            _ => Err(RestError::Unreadable),
        }
    }

    /// The server's calls (5 a minute, shared with the game server).
    ///
    /// # Errors
    /// As [`RestError`] says.
    pub async fn calls(&self, server: ServerId) -> Result<Calls, RestError> {
        let query = [("closedLimit", "10"), ("closedOffset", "0"), ("type", "100")];
        let answer =
            self.0.ask(CadRequest::reading(Endpoint::Calls, format!("/v2/emergency/servers/{server}/calls"), server).query(query)).await?;
        let fields = object(&answer).ok_or(RestError::Unreadable)?;
        let list = |name: &str| part(fields, name).ok_or(RestError::Unreadable);
        let (active, emergency, closed) = (list("activeCalls")?, list("emergencyCalls")?, list("closedCalls")?);
        // Null beside a list is the CAD's way to say none. If no list is there, reconciling would close every call.
        let is_told = ["activeCalls", "emergencyCalls"].iter().all(|name| property(fields, name).is_some());
        if !is_told || (active.is_none() && emergency.is_none() && closed.is_none()) {
            return Err(RestError::Unreadable);
        }
        let (active, emergency) = (active.unwrap_or_default(), emergency.unwrap_or_default());
        Ok(Calls {
            active: active.found,
            emergency: emergency.found,
            closed: closed.unwrap_or_default().found,
            closed_count: property(fields, "closedCallCount").and_then(number),
            active_in_part: active.in_part,
            emergency_in_part: emergency.in_part,
        })
    }
}
