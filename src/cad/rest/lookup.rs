//! Records: search by name or plate.

use reqwest::Method;
use serde_json::json;

use super::ask::CadRequest;
use super::budget::Endpoint;
use super::read::{array, entries, number, property};
use super::{CadReader, Object, RestError};

/// Limit on the records returned.
const MAX_RECORDS: usize = 200;

/// A search for records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// What is looked for.
    pub wanted: LookupKind,
    /// Which types of records; empty = all (docs/cad-contract.md#n8).
    pub types: Vec<i64>,
    /// Whether partial names or plates match.
    pub partial: bool,
    /// In whose CAD the result also opens, if any.
    pub notify: Option<Notify>,
}

/// The kind of search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookupKind {
    /// A vehicle's plate.
    Plate(String),
    /// A person's name; parts may be empty, but not all of them.
    Name {
        /// First name.
        first: String,
        /// Middle initial.
        mi: String,
        /// Last name.
        last: String,
    },
}

/// Whose CAD opens the result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notify {
    /// That of the account which this Discord user linked.
    Discord(u64),
    /// That of a member by the community's own id.
    CommunityUser(String),
}

impl Lookup {
    fn body(&self) -> Result<Object, RestError> {
        let empty = "";
        let (first, mi, last, plate) = match &self.wanted {
            LookupKind::Plate(plate) => (empty, empty, empty, plate.trim()),
            LookupKind::Name { first, mi, last } => (first.trim(), mi.trim(), last.trim(), empty),
        };
        if first.is_empty() && last.is_empty() && plate.is_empty() {
            return Err(RestError::rejected("a name or a plate is needed"));
        }
        let mut body = Object::new();
        for (name, text) in [("first", first), ("last", last), ("mi", mi), ("plate", plate)] {
            body.insert(name.into(), text.into());
        }
        match &self.notify {
            Some(Notify::Discord(user)) => drop(body.insert("notifyDiscord".into(), user.to_string().into())),
            Some(Notify::CommunityUser(id)) => drop(body.insert("notifyCommunityUserId".into(), id.as_str().into())),
            None => {}
        }
        body.insert("types".into(), json!(self.types));
        body.insert("partial".into(), self.partial.into());
        Ok(body)
    }
}

/// A record has a number, a type's number, or sections.
fn is_record(row: &Object) -> bool {
    ["id", "recordTypeId"].iter().any(|name| property(row, name).and_then(number).is_some()) || property(row, "sections").is_some()
}

impl CadReader {
    /// Records of a name or plate, as the CAD sent them, at most 200 (30 a minute). None is an empty list.
    ///
    /// # Errors
    /// As [`RestError`] says.
    pub async fn lookup(&self, what: &Lookup) -> Result<Vec<Object>, RestError> {
        // A read, although it is a POST.
        let ask = CadRequest::get(Endpoint::Lookup, "/v2/general/lookups".to_owned()).by(Method::POST).body(what.body()?);
        let answer = match self.0.ask(ask).await {
            Err(RestError::NotThere { .. }) => return Ok(Vec::new()),
            answer => answer?,
        };
        let mut found = match super::read::one(&answer, &[]) {
            // A list of one that came as its element.
            Some(record) if property(record, "sections").is_some() => vec![record.clone()],
            _ => {
                let rows = array(&answer, "records").ok_or(RestError::Unreadable)?;
                entries(&rows, is_record).ok_or(RestError::Unreadable)?.found
            }
        };
        found.truncate(MAX_RECORDS);
        Ok(found)
    }
}
