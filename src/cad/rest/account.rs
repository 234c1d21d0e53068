//! Accounts of the community: who somebody is in the CAD, their permissions, and their units.

use std::collections::BTreeMap;

use serde_json::Value;

use super::ask::{CadRequest, is_not_linked};
use super::budget::Endpoint;
use super::read::{array, entries, flag, list, number, object, property, text};
use super::target::Selector;
use super::turn::Rank;
use super::{CadReader, Object, RestError};
use crate::ids::{CallId, Ident, ServerId};

/// Accounts on a page: the CAD's own limit.
const PAGE: usize = 100;
/// Limit on the permission flags read; 43 are documented.
const MAX_PERMISSIONS: usize = 500;

/// An account's status, set by the CAD's administrators (docs/cad-contract.md#n7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountStatus {
    /// 0: waits for approval.
    Pending,
    /// 1: a member.
    Validated,
    /// 2.
    Expired,
    /// 3.
    Removed,
    /// 4.
    Banned,
    /// A number that is not documented.
    Other(i64),
}

impl AccountStatus {
    fn read(value: &Value) -> Option<Self> {
        const NAMES: [&str; 5] = ["PENDING", "VALIDATED", "EXPIRED", "REMOVED", "BANNED"];
        // Names appear where numbers are documented elsewhere in this API (set status answers `ENROUTE`).
        let named = || {
            let name = value.as_str()?.trim();
            NAMES.iter().position(|known| known.eq_ignore_ascii_case(name)).and_then(|at| i64::try_from(at).ok())
        };
        Some(match number(value).or_else(named)? {
            0 => Self::Pending,
            1 => Self::Validated,
            2 => Self::Expired,
            3 => Self::Removed,
            4 => Self::Banned,
            other => Self::Other(other),
        })
    }
}

/// `GET …/accounts/account`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its UUID: letters, digits, `-` and `_`, at most 64.
    pub uuid: String,
    /// The name it signs in with.
    pub username: Option<String>,
    /// The community's own id for the member, such as a game license.
    pub community_user_id: Option<String>,
    /// Whether it is a member at all.
    pub status: AccountStatus,
    /// Permission flags, names in lower case.
    pub permissions: BTreeMap<String, bool>,
}

impl Account {
    /// Whether a permission is on. The letter case of `name` doesn't matter; one that is missing is off.
    #[must_use]
    pub fn may(&self, name: &str) -> bool {
        self.permissions.get(&name.to_ascii_lowercase()).copied().unwrap_or(false)
    }

    fn read(answer: &Value) -> Option<Self> {
        let fields = object(answer)?;
        let fields = property(fields, "account").and_then(object).unwrap_or(fields);
        Some(Self {
            uuid: property(fields, "uuid").and_then(Value::as_str).filter(|uuid| is_account(uuid))?.to_owned(),
            username: property(fields, "username").and_then(text),
            community_user_id: property(fields, "communityUserId").and_then(text),
            // Without it, a member can't be distinguished from somebody banned.
            status: property(fields, "status").and_then(AccountStatus::read)?,
            permissions: permissions(property(fields, "permissions")),
        })
    }
}

/// A page of accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounts {
    /// Those that could be read.
    pub accounts: Vec<Account>,
    /// Where the next page begins, if there is one.
    pub next: Option<usize>,
}

fn permissions(value: Option<&Value>) -> BTreeMap<String, bool> {
    let name = |name: &str| name.chars().take(64).collect::<String>().to_ascii_lowercase();
    match value {
        Some(Value::Object(flags)) => {
            flags.iter().take(MAX_PERMISSIONS).map(|(flag_name, on)| (name(flag_name), flag(on).unwrap_or(false))).collect()
        }
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).take(MAX_PERMISSIONS).map(|on| (name(on), true)).collect(),
        _ => BTreeMap::new(),
    }
}

/// Whether a text can be an account's UUID: it becomes part of a path.
fn is_account(uuid: &str) -> bool {
    (1..=64).contains(&uuid.len()) && uuid.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

fn checked(uuid: &str) -> Result<&str, RestError> {
    if is_account(uuid) { Ok(uuid) } else { Err(RestError::rejected("this is no account's id")) }
}

/// `GET …/identifiers`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Identifiers {
    /// The one in use.
    pub selected: Option<Ident>,
    /// All of the account, as the CAD sent them.
    pub all: Vec<Object>,
}

/// Units in the list `name`. Unreadable ones among them are skipped; a list with nothing else is rejected.
fn units_below(answer: &Value, name: &str) -> Result<Vec<Object>, RestError> {
    let rows = array(answer, name).ok_or(RestError::Unreadable)?;
    let is_unit = |row: &Object| property(row, "id").and_then(number).is_some();
    entries(&rows, is_unit).map(|entries| entries.found).ok_or(RestError::Unreadable)
}

impl CadReader {
    /// The account of a member; `None` if it isn't linked (10 a minute).
    ///
    /// The CAD's answer for a Discord user without a link is undocumented (docs/cad-contract.md#r7): 404, nothing at all, and a
    /// refusal that says "not linked" count as that.
    ///
    /// # Errors
    /// As [`RestError`] says.
    pub async fn account(&self, of: &Selector) -> Result<Option<Account>, RestError> {
        self.account_of(of, Rank::default()).await
    }

    /// As [`CadReader::account`], for a person of this rank.
    ///
    /// # Errors
    /// As [`RestError`] says.
    pub async fn account_of(&self, of: &Selector, rank: Rank) -> Result<Option<Account>, RestError> {
        let ask = CadRequest::get(Endpoint::Account, "/v2/general/accounts/account".to_owned()).query([of.query()]).ranked(rank);
        let answer = match self.0.ask(ask).await {
            Ok(answer) => answer,
            Err(RestError::NotThere { .. }) => return Ok(None),
            Err(RestError::Rejected { detail }) if is_not_linked(&detail) => return Ok(None),
            Err(error) => return Err(error),
        };
        if answer.is_null() {
            return Ok(None);
        }
        Account::read(&answer).map(Some).ok_or(RestError::Unreadable)
    }

    /// A page of the community's accounts, in the CAD's order (10 a minute). Entries without a status or permissions are left out.
    ///
    /// # Errors
    /// As [`RestError`] says.
    pub async fn accounts(&self, offset: usize, rank: Rank) -> Result<Accounts, RestError> {
        let query = [("limit", PAGE.to_string()), ("offset", offset.to_string())];
        let answer = self.0.ask(CadRequest::get(Endpoint::Accounts, "/v2/general/accounts".to_owned()).query(query).ranked(rank)).await?;
        let rows = array(&answer, "accounts").ok_or(RestError::Unreadable)?;
        let is_account = |row: &Object| property(row, "uuid").and_then(Value::as_str).is_some_and(is_account);
        let found = entries(&rows, is_account).ok_or(RestError::Unreadable)?.found;
        let account = |row: Object| property(&row, "permissions").is_some().then(|| Account::read(&Value::Object(row))).flatten();
        let pagination = object(&answer).and_then(|fields| property(fields, "pagination")).and_then(object);
        let total = pagination.and_then(|fields| property(fields, "total")).and_then(number).and_then(|total| usize::try_from(total).ok());
        let more = total.map_or(rows.len() >= PAGE, |total| offset + rows.len() < total);
        Ok(Accounts {
            accounts: found.into_iter().filter_map(account).collect(),
            next: (more && !rows.is_empty()).then_some(offset + rows.len()),
        })
    }

    /// The account's active units on a server, dispatchers included, as the CAD sent them (10 a minute).
    ///
    /// # Errors
    /// As [`RestError`] says.
    pub async fn account_units(&self, server: ServerId, account: &str) -> Result<Vec<Object>, RestError> {
        let path = format!("/v2/emergency/servers/{server}/accounts/{}/units", checked(account)?);
        let query = [("onlyOnline", "true"), ("onlyUnits", "false"), ("limit", "100"), ("offset", "0")];
        let answer = self.0.ask(CadRequest::get(Endpoint::AccountUnits, path).query(query)).await?;
        units_below(&answer, "units")
    }

    /// The account's identifiers, on duty or not (10 a minute).
    ///
    /// # Errors
    /// As [`RestError`] says.
    pub async fn identifiers(&self, account: &str) -> Result<Identifiers, RestError> {
        let path = format!("/v2/emergency/accounts/{}/identifiers", checked(account)?);
        let answer = self.0.ask(CadRequest::get(Endpoint::Identifiers, path)).await?;
        let all = units_below(&answer, "identifiers")?;
        let selected = object(&answer).and_then(|fields| property(fields, "selectedIdent")).and_then(number).filter(|ident| *ident > 0);
        Ok(Identifiers { selected: selected.map(Ident), all })
    }

    /// The account's unit that is on a dispatch call, and the call; `None` if none is (10 a minute). The CAD's answer for that is
    /// undocumented: 404, nothing, and numbers below 1 count as that.
    ///
    /// # Errors
    /// As [`RestError`] says.
    pub async fn current_call(&self, account: &str) -> Result<Option<(Ident, CallId)>, RestError> {
        let path = format!("/v2/emergency/accounts/{}/current-call", checked(account)?);
        let answer = match self.0.ask(CadRequest::get(Endpoint::CurrentCall, path)).await {
            Ok(Value::Null) | Err(RestError::NotThere { .. }) => return Ok(None),
            Ok(answer) => answer,
            Err(error) => return Err(error),
        };
        let fields = list(&answer).first().and_then(object).cloned().ok_or(RestError::Unreadable)?;
        let id = |name: &str| match property(&fields, name) {
            None => Err(RestError::Unreadable),
            Some(Value::Null) => Ok(None),
            Some(value) => number(value).map(|id| (id > 0).then_some(id)).ok_or(RestError::Unreadable),
        };
        Ok(id("identId")?.zip(id("callId")?).map(|(ident, call)| (Ident(ident), CallId(call))))
    }
}
