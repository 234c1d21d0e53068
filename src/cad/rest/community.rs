//! The community: its plan, its servers, its name.

use serde_json::Value;

use super::ask::CadRequest;
use super::budget::Endpoint;
use super::read::{array, entries, list, number, object, property, text};
use super::{CadReader, Object, RestError};
use crate::ids::ServerId;

/// `GET /v2/general/version`: the plan. Trust the name more than the number (docs/cad-contract.md#n9).
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
    pub id: ServerId,
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

impl CadReader {
    /// The community's plan; the cheapest test of the key (10 a minute, docs/cad-contract.md#r10).
    ///
    /// # Errors
    /// As [`RestError`] says.
    pub async fn version(&self) -> Result<Version, RestError> {
        let answer = self.0.ask(CadRequest::get(Endpoint::Version, "/v2/general/version".to_owned()).about_address()).await?;
        let fields = object(&answer).ok_or(RestError::Unreadable)?;
        let version = Version { number: property(fields, "version").and_then(number), name: property(fields, "name").and_then(text) };
        // An object without either is an error's.
        if version == Version::default() { Err(RestError::Unreadable) } else { Ok(version) }
    }

    /// The community's servers (10 a minute). Entries without a usable number are left out.
    ///
    /// # Errors
    /// As [`RestError`] says.
    pub async fn servers(&self) -> Result<Vec<CadServer>, RestError> {
        let answer = self.0.ask(CadRequest::get(Endpoint::Servers, "/v2/general/servers".to_owned()).about_address()).await?;
        let rows = array(&answer, "servers").ok_or(RestError::Unreadable)?;
        let is_server = |row: &Object| property(row, "id").and_then(number).is_some();
        let entries = entries(&rows, is_server).ok_or(RestError::Unreadable)?.found;
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
        let answer = self.0.ask(CadRequest::get(Endpoint::Info, "/v2/general/info".to_owned()).about_address()).await?;
        let fields = object(&answer).ok_or(RestError::Unreadable)?;
        // Documented below `community`; accepted beside it too.
        let community = property(fields, "community").and_then(object).unwrap_or(fields);
        if ["comId", "name", "timezone"].iter().all(|name| property(community, name).is_none()) && property(fields, "codes").is_none() {
            return Err(RestError::Unreadable);
        }
        let codes = property(fields, "codes").unwrap_or(&Value::Null);
        Ok(Info {
            community: property(community, "comId").and_then(text),
            name: property(community, "name").and_then(text),
            timezone: property(community, "timezone").and_then(text),
            codes: list(codes).iter().filter_map(text).take(500).collect(),
        })
    }
}
