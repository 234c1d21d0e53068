//! Selectors for accounts and units.

use serde_json::{Value, json};

use super::{Object, RestError};
use crate::ids::Ident;

/// Which account (docs/cad-contract.md#r7).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Selector {
    /// The account that this Discord user linked by signing in to Sonoran with Discord.
    Discord(u64),
    /// The account with this UUID.
    Account(String),
    /// The account with this id of the community's own, such as a game license.
    CommunityUser(String),
}

impl Selector {
    /// As a pair of the query.
    pub(super) fn query(&self) -> (&'static str, String) {
        match self {
            Self::Discord(user) => ("discord", user.to_string()),
            Self::Account(uuid) => ("accountUuid", uuid.clone()),
            Self::CommunityUser(id) => ("communityUserId", id.clone()),
        }
    }
}

/// Which units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnitSelector {
    /// All active identifiers of the account that this Discord user linked.
    Discord(u64),
    /// These identifiers.
    Idents(Vec<Ident>),
    /// The identifiers of the account with this UUID.
    Account(String),
    /// The units of these members, by the community's own ids.
    CommunityUsers(Vec<String>),
    /// All units of a group. Only attaching and detaching support it; elsewhere it is rejected here, with nothing sent.
    Group(String),
}

impl UnitSelector {
    /// Puts the selector into a request's body. Nothing is rejected here: how the CAD handles an empty list is undocumented.
    pub(super) fn put(&self, body: &mut Object, groups: bool) -> Result<(), RestError> {
        let (name, value, empty) = match self {
            Self::Discord(user) => ("discord", Value::from(user.to_string()), false),
            Self::Idents(idents) => ("identIds", json!(idents), idents.is_empty()),
            Self::Account(uuid) => ("accountUuid", json!(uuid), uuid.is_empty()),
            Self::CommunityUsers(ids) => ("communityUserIds", json!(ids), ids.is_empty()),
            Self::Group(group) if groups => ("groupName", json!(group), group.trim().is_empty()),
            Self::Group(_) => return Err(RestError::rejected("this cannot be done for a group")),
        };
        if empty {
            return Err(RestError::rejected("no unit is named"));
        }
        body.insert(name.to_owned(), value);
        Ok(())
    }
}
