//! The CAD's REST API, version 2 (contract e): the few questions a bot needs to ask.
//!
//! Job: ask, bound the answer in size and time, read it tolerantly, and say in one sentence what went wrong. Never prints the key,
//! never retries by itself (limits are shared with the game server: the caller decides), never decodes units and calls: those come
//! back as JSON objects for the `event` room, which owns their rules.

mod error;
mod read;

use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use reqwest::{Client, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use crate::ids::ServerId;
use read::{array, number, object, objects, property, text};

pub use error::RestError;

/// Largest answer read, in bytes.
pub const MAX_ANSWER: usize = 8 * 1024 * 1024;

/// Time for a request and its whole answer.
pub const TIME: Duration = Duration::from_secs(30);

/// A JSON object, as the CAD sent it.
pub type Object = Map<String, Value>;

/// The client. Cheap to clone. `Debug` shows no key.
#[derive(Clone, Debug)]
pub struct CadRest {
    base: String,
    key: SecretString,
    http: Client,
}

/// `GET /v2/general/version`: the plan. Trust the name more than the number (contract d, plan).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// Number of the plan.
    pub number: Option<i64>,
    /// Its name, e.g. `PLUS`.
    pub name: Option<String>,
}

/// One of `GET /v2/general/servers`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CadServer {
    /// Its number.
    pub id: ServerId,
    /// Its name.
    pub name: Option<String>,
}

/// `GET /v2/general/info`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// The community's id (`comId`), in the letter case of the CAD.
    pub community: Option<String>,
    /// The community's name.
    pub name: Option<String>,
    /// Its time zone, as the CAD names it.
    pub timezone: Option<String>,
    /// Its 10-codes; at most 500.
    pub codes: Vec<String>,
}

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
    /// A client. `base` is `SONORAN_API_URL` without trailing slash.
    #[must_use]
    pub fn new(base: &str, key: SecretString, http: Client) -> Self {
        Self { base: base.trim_end_matches('/').to_owned(), key, http }
    }

    /// The community's plan; the cheapest test of the key (10 a minute, contract e.3).
    ///
    /// # Errors
    /// As [`RestError`] says.
    pub async fn version(&self) -> Result<Version, RestError> {
        let answer = self.get("/v2/general/version", &[], None).await?;
        let fields = object(&answer).ok_or(RestError::Unreadable)?;
        Ok(Version { number: property(fields, "version").and_then(number), name: property(fields, "name").and_then(text) })
    }

    /// The community's servers (10 a minute). Entries without a usable number are left out.
    ///
    /// # Errors
    /// As [`RestError`] says.
    pub async fn servers(&self) -> Result<Vec<CadServer>, RestError> {
        let answer = self.get("/v2/general/servers", &[], None).await?;
        let entries = objects(array(&answer, "servers").ok_or(RestError::Unreadable)?);
        let server = |fields: Object| {
            let id = property(&fields, "id").and_then(number).and_then(|id| u32::try_from(id).ok()).filter(|id| *id > 0)?;
            Some(CadServer { id: ServerId(id), name: property(&fields, "name").and_then(text) })
        };
        Ok(entries.into_iter().filter_map(server).collect())
    }

    /// The community's name, time zone and codes (10 a minute).
    ///
    /// # Errors
    /// As [`RestError`] says.
    pub async fn info(&self) -> Result<Info, RestError> {
        let answer = self.get("/v2/general/info", &[], None).await?;
        let fields = object(&answer).ok_or(RestError::Unreadable)?;
        // Documented below `community`; read from beside it too.
        let community = property(fields, "community").and_then(object).unwrap_or(fields);
        let codes = property(fields, "codes").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        Ok(Info {
            community: property(community, "comId").and_then(text),
            name: property(community, "name").and_then(text),
            timezone: property(community, "timezone").and_then(text),
            codes: codes.iter().filter_map(text).take(500).collect(),
        })
    }

    /// The server's active units, dispatchers included (3 a minute, shared with the game server).
    ///
    /// # Errors
    /// As [`RestError`] says.
    pub async fn units(&self, server: ServerId) -> Result<Units, RestError> {
        let path = format!("/v2/emergency/servers/{server}/units");
        let query = [("includeOffline", "false"), ("onlyUnits", "false"), ("limit", "1000"), ("offset", "0")];
        let answer = self.get(&path, &query, Some(server)).await?;
        let rows = array(&answer, "units").ok_or(RestError::Unreadable)?;
        Ok(Units { units: objects(rows), complete: rows.is_empty() || !rows.len().is_multiple_of(100) })
    }

    /// The server's calls (5 a minute, shared with the game server).
    ///
    /// # Errors
    /// As [`RestError`] says.
    pub async fn calls(&self, server: ServerId) -> Result<Calls, RestError> {
        let path = format!("/v2/emergency/servers/{server}/calls");
        let query = [("closedLimit", "10"), ("closedOffset", "0"), ("type", "100")];
        let answer = self.get(&path, &query, Some(server)).await?;
        let fields = object(&answer).ok_or(RestError::Unreadable)?;
        // Null is the CAD's way to say none; a list that is not there says nothing, and reconciling with it would close every call.
        let part = |name: &str| match property(fields, name)? {
            Value::Null => Some(Vec::new()),
            Value::Array(rows) => Some(objects(rows)),
            _ => None,
        };
        Ok(Calls {
            active: part("activeCalls").ok_or(RestError::Unreadable)?,
            emergency: part("emergencyCalls").ok_or(RestError::Unreadable)?,
            closed: part("closedCalls").unwrap_or_default(),
            closed_count: property(fields, "closedCallCount").and_then(number),
        })
    }

    async fn get(&self, path: &str, query: &[(&str, &str)], server: Option<ServerId>) -> Result<Value, RestError> {
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", self.key.expose_secret())).map_err(|_| RestError::Unauthorised)?;
        bearer.set_sensitive(true);
        let asked = self
            .http
            .get(format!("{}{path}", self.base))
            .query(query)
            .header(AUTHORIZATION, bearer)
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .timeout(TIME);
        let mut response = asked.send().await.map_err(|error| RestError::network(&error))?;
        let status = response.status();
        let body = read_body(&mut response).await?;
        if status == StatusCode::OK {
            return serde_json::from_slice(&body).map_err(|_| RestError::Unreadable);
        }
        Err(RestError::of_answer(status, response.headers(), &body, server))
    }
}

async fn read_body(response: &mut Response) -> Result<Vec<u8>, RestError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| RestError::network(&error))? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(RestError::Unreadable);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

#[cfg(test)]
mod tests;
