//! Finds whom a request means: the selectors of docs/cad-contract.md#r7.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::account::Account;
use super::super::state::{Object, Server, ints};
use super::super::verbs::group_of;
use super::answer::Refused;

/// Selectors for one or more units; most operations accept exactly one of these.
const ONE_OF: [&str; 6] = ["communityUserId", "communityUserIds", "roblox", "discord", "accountUuid", "identIds"];

/// Selectors for a new dispatch, which may be combined.
const ASSIGNED: [&str; 4] = ["communityUserIds", "accounts", "roblox", "discord"];

/// The community's accounts, and which identifier each has selected.
pub(super) struct People<'a> {
    pub(super) accounts: &'a [Account],
    pub(super) selected: &'a BTreeMap<String, i64>,
}

impl People<'_> {
    /// Units of exactly one selector. An unknown account is a 404; one that is off duty gives an empty list.
    pub(super) fn target(&self, state: &Server, body: &Value, groups: bool) -> Result<Vec<i64>, Refused> {
        let names = ONE_OF.into_iter().chain(groups.then_some("groupName"));
        let given: Vec<(&str, &Value)> = names.filter_map(|name| Some((name, body.get(name)?))).collect();
        let [(name, value)] = given.as_slice() else {
            return Err(Refused(400, "Exactly one unit selector is required."));
        };
        self.units(state, name, value)
    }

    /// Units of a new dispatch: at least one selector, each of which may match nobody.
    pub(super) fn assigned(&self, state: &Server, body: &Value) -> Result<Vec<i64>, Refused> {
        self.all(state, body, &ASSIGNED)?.ok_or(Refused(400, "At least one of communityUserIds, accounts, roblox and discord is required."))
    }

    /// Units of a new dispatch of a layout: at least one valid unit.
    pub(super) fn valid(&self, state: &Server, body: &Value) -> Result<Vec<i64>, Refused> {
        let names: Vec<&str> = ONE_OF.into_iter().chain(["accounts"]).collect();
        let units = self.all(state, body, &names)?.ok_or(Refused(400, "A unit target is required."))?;
        if units.is_empty() { Err(Refused(404, "No valid unit target was found.")) } else { Ok(units) }
    }

    /// Units of all selectors given, without duplicates; `None` if none is given.
    fn all(&self, state: &Server, body: &Value, names: &[&str]) -> Result<Option<Vec<i64>>, Refused> {
        let mut found = None;
        for name in names {
            if let Some(value) = body.get(*name) {
                let units: &mut Vec<i64> = found.get_or_insert_default();
                for ident in self.units(state, name, value)? {
                    if !units.contains(&ident) {
                        units.push(ident);
                    }
                }
            }
        }
        Ok(found)
    }

    fn units(&self, state: &Server, selector: &str, value: &Value) -> Result<Vec<i64>, Refused> {
        let texts: Vec<&str> = match (selector, value) {
            ("communityUserIds" | "accounts", Value::Array(list)) if list.iter().all(Value::is_string) => {
                list.iter().filter_map(Value::as_str).collect()
            }
            ("identIds", Value::Array(_)) | ("roblox", Value::Number(_)) => Vec::new(),
            ("communityUserId" | "discord" | "accountUuid" | "groupName" | "roblox", Value::String(text)) => vec![text],
            _ => return Err(Refused(400, "A unit selector has a value of the wrong kind.")),
        };
        let matching = |wanted: &dyn Fn(&Object) -> bool| {
            state.units.iter().filter(|(_, unit)| wanted(unit)).map(|(&ident, _)| ident).collect::<Vec<i64>>()
        };
        Ok(match selector {
            "identIds" => ints(Some(value)).into_iter().filter(|ident| state.units.contains_key(ident)).collect(),
            "groupName" => matching(&|unit| !group_of(unit).is_empty() && texts.contains(&group_of(unit).as_str())),
            "accountUuid" => matching(&|unit| texts.iter().any(|uuid| of_account(unit, uuid))),
            "accounts" => texts.iter().filter_map(|uuid| self.selected(state, uuid)).collect(),
            "discord" => {
                let account = self.accounts.iter().find(|account| account.discord.as_deref().is_some_and(|id| texts.contains(&id)));
                let account = account.ok_or(Refused(404, "The Discord user is not linked to an account in this community."))?;
                matching(&|unit| of_account(unit, &account.uuid))
            }
            "communityUserId" | "communityUserIds" => matching(&|unit| {
                let own = unit.get("data").and_then(|data| data.get("communityUserId")).and_then(Value::as_str);
                own.is_some_and(|id| texts.contains(&id))
            }),
            // Nobody here has a Roblox account.
            _ => Vec::new(),
        })
    }

    /// The account's selected identifier, if it is on duty here; without a choice, the first that is.
    pub(super) fn selected(&self, state: &Server, uuid: &str) -> Option<i64> {
        match self.selected.get(uuid) {
            Some(ident) => state.units.get(ident).filter(|unit| of_account(unit, uuid)).map(|_| *ident),
            None => state.units.iter().find(|(_, unit)| of_account(unit, uuid)).map(|(&ident, _)| ident),
        }
    }
}

/// Whether a unit belongs to the account.
pub(super) fn of_account(unit: &Object, uuid: &str) -> bool {
    unit.get("accId").and_then(Value::as_str) == Some(uuid)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::state::object;
    use super::*;

    #[test]
    fn selectors_name_units() {
        let mut state = Server::new("s", None);
        let unit =
            |uuid: &str, group: &str| object(json!({"accId": uuid, "data": {"group": group, "communityUserId": format!("c-{uuid}")}}));
        let (a, b) = (state.add_unit(unit("a", "ENGINE")), state.add_unit(unit("b", "")));
        let second = state.add_unit(unit("b", ""));
        let accounts = [
            Account { uuid: "a".into(), discord: Some("77".into()), ..Account::default() },
            Account { uuid: "c".into(), discord: Some("88".into()), ..Account::default() },
        ];
        let mut selected = BTreeMap::new();
        let find = |body: Value| {
            let people = People { accounts: &accounts, selected: &BTreeMap::new() };
            people.target(&state, &body, true).map_err(|refused| refused.0)
        };
        assert_eq!(find(json!({"discord": "77"})), Ok(vec![a]));
        assert_eq!(find(json!({"discord": "88"})), Ok(vec![]));
        assert_eq!(find(json!({"discord": "99"})), Err(404));
        assert_eq!(find(json!({"discord": 77})), Err(400));
        assert_eq!(find(json!({"identIds": [b, 1]})), Ok(vec![b]));
        assert_eq!(find(json!({"communityUserIds": ["c-b", "c-a"]})), Ok(vec![a, b, second]));
        assert_eq!(find(json!({"communityUserIds": "c-b"})), Err(400));
        assert_eq!(find(json!({"groupName": "ENGINE"})), Ok(vec![a]));
        assert_eq!(find(json!({"accountUuid": "b"})), Ok(vec![b, second]));
        for none_or_too_many in [json!({}), json!({"accounts": []}), json!({"discord": "77", "accountUuid": "a"})] {
            assert_eq!(find(none_or_too_many), Err(400));
        }

        // A new dispatch accepts several, and for accounts only the selected identifier.
        selected.insert("b".to_owned(), second);
        let people = People { accounts: &accounts, selected: &selected };
        let assigned = |body: Value| people.assigned(&state, &body).map_err(|refused| refused.0);
        assert_eq!(assigned(json!({"accounts": ["b", "nobody"], "discord": "77", "communityUserIds": ["c-a"]})), Ok(vec![a, second]));
        assert_eq!(assigned(json!({"accounts": []})), Ok(vec![]));
        assert_eq!(assigned(json!({"identIds": [a]})), Err(400));
        assert_eq!(assigned(json!({"accounts": ["b"], "discord": "99"})), Err(404));
        let valid = |body: Value| people.valid(&state, &body).map_err(|refused| refused.0);
        assert_eq!(valid(json!({"identIds": [a]})), Ok(vec![a]));
        assert_eq!((valid(json!({"accounts": []})), valid(json!({}))), (Err(404), Err(400)));
    }
}
