//! Accounts, their units, and their current calls.

use serde_json::{Value, json};

use super::super::account::Account;
use super::super::shared::Shared;
use super::super::state::{Object, Server, object};
use super::super::values::iso_now;
use super::answer::{Answer, Refused, query_number, query_text};
use super::target::{People, of_account};

/// Flags that every answer includes. The CAD has more; flags that an account sets are included too.
const PERMISSIONS: [&str; 8] = ["police", "fire", "ems", "dispatch", "selfDispatch", "liveMap", "admin", "adminInGameIntegration"];

/// `GET …/accounts/account`: exactly one selector.
pub(super) fn account(shared: &Shared, query: &str) -> Answer {
    let selectors: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .filter(|(name, _)| ["discord", "communityUserId", "roblox", "accountUuid", "username"].contains(&name.as_str()))
        .collect();
    let [(selector, value)] = selectors.as_slice() else {
        return Err(Refused(400, "Exactly one account selector is required."));
    };
    let found = shared.accounts.iter().find(|account| match selector.as_str() {
        "discord" => account.discord.as_ref() == Some(value),
        "communityUserId" => account.community_user_id.as_ref() == Some(value),
        "accountUuid" => &account.uuid == value,
        "username" => &account.username == value,
        _ => false,
    });
    let account = found.ok_or(Refused(404, "The account does not exist in this community."))?;
    let mut fields = fields(account);
    fields.insert("communityUserId".into(), json!(account.community_user_id));
    Ok((200, Value::Object(fields)))
}

/// `GET …/accounts`: a page of them, without the community's own ids.
pub(super) fn accounts(shared: &Shared, query: &str) -> Answer {
    let number = |name: &str, default: i64| query_number(query, name).unwrap_or(default);
    let limit = usize::try_from(number("limit", 25).clamp(1, 100)).unwrap_or(1);
    let offset = usize::try_from(number("offset", 0)).unwrap_or(0);
    let name = query_text(query, "username").unwrap_or_default().to_lowercase();
    let status = query_number(query, "status");
    let fitting =
        |account: &&Account| status.is_none_or(|status| account.status == status) && account.username.to_lowercase().contains(&name);
    let all: Vec<&Account> = shared.accounts.iter().filter(fitting).collect();
    let page: Vec<Object> = all.iter().skip(offset).take(limit).map(|account| fields(account)).collect();
    Ok((200, json!({"pagination": {"limit": limit, "offset": offset, "total": all.len()}, "accounts": page})))
}

fn fields(account: &Account) -> Object {
    let mut permissions: Object = PERMISSIONS.iter().map(|name| ((*name).to_owned(), Value::Bool(false))).collect();
    permissions.extend(account.permissions.iter().map(|name| (name.clone(), Value::Bool(true))));
    object(json!({
        "uuid": account.uuid, "username": account.username, "status": account.status,
        "joined": "2026-01-14T18:22:00Z", "lastLogin": iso_now(), "permissions": permissions,
    }))
}

/// `GET …/current-call`.
pub(super) fn current_call(shared: &Shared, uuid: &str) -> Answer {
    for server in shared.servers.values() {
        for unit in units_of(server, uuid) {
            let ident = unit.get("id").and_then(Value::as_i64).unwrap_or_default();
            if let Some(call) = server.calls_of(ident).first() {
                return Ok((200, json!({"IdentId": ident, "CallId": call})));
            }
        }
    }
    Err(Refused(404, "The account has no current call."))
}

/// `GET …/identifiers`: only those on duty; nothing here needs the others.
pub(super) fn identifiers(shared: &Shared, uuid: &str) -> Answer {
    let units: Vec<&Object> = shared.servers.values().flat_map(|server| units_of(server, uuid)).collect();
    let people = People { accounts: &shared.accounts, selected: &shared.selected };
    let selected = shared.servers.values().find_map(|server| people.selected(server, uuid));
    Ok((200, json!({"SelectedIdent": selected, "Identifiers": units})))
}

/// The units of an account.
pub(super) fn units_of<'a>(server: &'a Server, uuid: &str) -> impl Iterator<Item = &'a Object> {
    server.units.values().filter(move |unit| of_account(unit, uuid))
}
