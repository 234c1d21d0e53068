//! Finds whom a message names and whom it notifies, by its content and its `allowed_mentions`.
//!
//! Stricter than Discord on purpose: code spans and backslashes don't protect here, so a test that finds nobody pinged holds there too.

use std::collections::BTreeSet;

use serde_json::Value;

use super::model::Id;
use super::values::list;

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) users: Vec<Id>,
    pub(super) roles: Vec<Id>,
    pub(super) everyone: bool,
    pub(super) here: bool,
}

/// Looks for `<@id>`, `<@!id>`, `<@&id>`, `@everyone` and `@here`.
pub(super) fn scan(content: &str) -> Found {
    let mut found = Found { everyone: content.contains("@everyone"), here: content.contains("@here"), ..Found::default() };
    for piece in content.split("<@").skip(1) {
        let Some((inside, _)) = piece.split_once('>') else { continue };
        let (role, digits) = match inside.strip_prefix('&') {
            Some(rest) => (true, rest),
            None => (false, inside.strip_prefix('!').unwrap_or(inside)),
        };
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            continue;
        }
        let Ok(id) = digits.parse() else { continue };
        let into = if role { &mut found.roles } else { &mut found.users };
        if !into.contains(&id) {
            into.push(id);
        }
    }
    found
}

/// What `allowed_mentions` allows; everything if there is no such object.
pub(super) fn filter(found: Found, allowed: Option<&Value>) -> Found {
    let Some(allowed) = allowed.filter(|a| !a.is_null()) else { return found };
    let parse: BTreeSet<&str> = list(allowed, "parse").iter().filter_map(Value::as_str).collect();
    let ids = |key: &str| -> BTreeSet<Id> {
        list(allowed, key).iter().filter_map(|v| v.as_str().map_or_else(|| v.as_u64(), |s| s.parse().ok())).collect()
    };
    let (users, roles) = (ids("users"), ids("roles"));
    Found {
        users: found.users.into_iter().filter(|u| parse.contains("users") || users.contains(u)).collect(),
        roles: found.roles.into_iter().filter(|r| parse.contains("roles") || roles.contains(r)).collect(),
        everyone: found.everyone && parse.contains("everyone"),
        here: found.here && parse.contains("everyone"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_form_is_found_and_torn_ones_are_not() {
        let found = scan("<@12> <@!13> <@&14> <@12> <@x> <@ 5> <@&> <@15 @everyone `@here`");
        assert_eq!(found, Found { users: vec![12, 13], roles: vec![14], everyone: true, here: true });
    }

    #[test]
    fn allowed_mentions_narrows() {
        let all = || scan("<@12> <@13> <@&14> @everyone");
        assert_eq!(filter(all(), None), all());
        assert_eq!(filter(all(), Some(&json!({"parse": []}))), Found::default());
        assert_eq!(filter(all(), Some(&json!({"users": ["13"]}))), Found { users: vec![13], ..Found::default() });
        assert_eq!(filter(all(), Some(&json!({"parse": ["roles"]}))), Found { roles: vec![14], ..Found::default() });
        assert!(filter(all(), Some(&json!({"parse": ["everyone"]}))).everyone);
    }
}
