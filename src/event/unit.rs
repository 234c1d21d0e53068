//! Units: login, logout, status, update and groups (`EVENT_UNIT_*`, panic apart).

use super::normalise::{Item, JsonFields, MAX_LIST};
use super::{DecodeError, Event, Unit};
use crate::ids::Ident;

pub(super) fn login(item: Item<'_>) -> Result<Event, DecodeError> {
    // A list of units in 2020; never seen without the wrapper, but unmistakable.
    let mut units = match item.data.objects("units") {
        Some(list) => many(list),
        None => item.wrapped("unit", &["id"]).and_then(one).into_iter().collect(),
    };
    // Beside the unit here, inside it everywhere else (docs/cad-contract.md#e3).
    if let Some(beside) = item.data.flag("isDispatch") {
        units.iter_mut().for_each(|unit| unit.is_dispatch = Some(beside));
    }
    if units.is_empty() { Err(DecodeError::Missing("unit")) } else { Ok(Event::UnitLogin { units }) }
}

pub(super) fn logout(item: Item<'_>) -> Result<Event, DecodeError> {
    let idents = item.idents();
    if idents.is_empty() { Err(DecodeError::Missing("identId")) } else { Ok(Event::UnitLogout { idents }) }
}

pub(super) fn status(item: Item<'_>) -> Result<Event, DecodeError> {
    if let Some(list) = item.data.objects("units") {
        // The numbers of these units must not count twice: only separate idents, and only with a status of their own.
        let units = many(list);
        let known: Vec<Ident> = units.iter().map(|unit| unit.ident).collect();
        let status = item.data.int("status");
        let idents: Vec<Ident> =
            if status.is_some() { item.idents().into_iter().filter(|ident| !known.contains(ident)).collect() } else { Vec::new() };
        let status = status.filter(|_| !idents.is_empty());
        return Ok(Event::UnitStatus { idents, status, units });
    }
    let idents = item.idents();
    if idents.is_empty() {
        return Err(DecodeError::Missing("identIds"));
    }
    let status = item.data.int("status").ok_or(DecodeError::Missing("status"))?;
    Ok(Event::UnitStatus { idents, status: Some(status), units: Vec::new() })
}

pub(super) fn update(item: Item<'_>) -> Result<Event, DecodeError> {
    let list = item.data.objects("units").ok_or(DecodeError::Missing("units"))?;
    Ok(Event::UnitUpdate { units: many(list) })
}

pub(super) fn group_add(item: Item<'_>) -> Result<Event, DecodeError> {
    let idents = members(item)?;
    let group = item.data.text("groupName").ok_or(DecodeError::Missing("groupName"))?;
    Ok(Event::GroupAdd { idents, group })
}

pub(super) fn group_remove(item: Item<'_>) -> Result<Event, DecodeError> {
    Ok(Event::GroupRemove { idents: members(item)?, group: item.data.text("groupName") })
}

pub(super) fn group_rename(item: Item<'_>) -> Result<Event, DecodeError> {
    let new = item.data.text("newName").ok_or(DecodeError::Missing("newName"))?;
    Ok(Event::GroupRename { idents: item.idents(), old: item.data.text("oldName"), new })
}

fn members(item: Item<'_>) -> Result<Vec<Ident>, DecodeError> {
    let idents = item.idents();
    if idents.is_empty() { Err(DecodeError::Missing("identIds")) } else { Ok(idents) }
}

/// Entries may be null or lack their number: those are skipped (docs/cad-contract.md#e9).
fn many(list: Vec<JsonFields<'_>>) -> Vec<Unit> {
    list.into_iter().filter_map(one).collect()
}

pub(super) fn one(unit: JsonFields<'_>) -> Option<Unit> {
    let ident = Ident(unit.int("id")?);
    let inner = unit.object("data");
    let text = |name| inner.and_then(|inner| inner.text(name)).or_else(|| unit.text(name));
    let mut identities: Vec<String> = Vec::new();
    for holder in inner.into_iter().chain([unit]) {
        for identity in
            ["communityUserIds", "communityUserId", "apiIds", "apiId1", "apiId2"].into_iter().flat_map(|name| holder.texts(name))
        {
            if identities.len() < MAX_LIST && !identities.contains(&identity) {
                identities.push(identity);
            }
        }
    }
    Some(Unit {
        ident,
        account: unit.word("accId"),
        status: unit.int("status"),
        is_panic: unit.flag("isPanic"),
        location: unit.text("location"),
        aop: unit.text("aop"),
        is_dispatch: unit.flag("isDispatch").or_else(|| inner?.flag("isDispatch")),
        callsign: text("unitNum"),
        name: text("name"),
        district: text("district"),
        department: text("department"),
        subdivision: text("subdivision"),
        rank: text("rank"),
        group: text("group"),
        page: inner.and_then(|inner| inner.int("page")).or_else(|| unit.int("page")),
        identities,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::decode_one;
    use super::*;

    fn update_of(units: Value) -> Vec<Unit> {
        match decode_one("EVENT_UNIT_UPDATE", json!({"units": units})) {
            Ok(Event::UnitUpdate { units }) => units,
            other => panic!("{other:?}"),
        }
    }

    fn bare(ident: i64) -> Unit {
        Unit { ident: Ident(ident), ..Unit::default() }
    }

    #[test]
    fn entries_that_are_no_units_are_left_out() {
        assert_eq!(update_of(json!([null, {"accId": "x"}, {"id": "7"}, "8", {"id": null}])), [bare(7)]);
        assert_eq!(update_of(json!([])), []);
        assert_eq!(update_of(json!({})), []);
        assert_eq!(decode_one("EVENT_UNIT_UPDATE", json!({"units": "x"})), Err(DecodeError::Missing("units")));
    }

    #[test]
    fn identities_stand_in_the_order_of_trust_and_once() {
        let data = json!({"apiId2": "e", "apiId1": "d", "apiIds": ["c", "a"], "communityUserId": "b", "communityUserIds": ["a", ""]});
        let units = update_of(json!([{"id": 7, "data": data}]));
        assert_eq!(units[0].identities, ["a", "b", "c", "d", "e"]);
    }

    #[test]
    fn flags_may_be_texts_and_absent_ones_stay_unknown() {
        let units = update_of(json!([{"id": 7, "isPanic": "false", "isDispatch": "True"}, {"id": 8}]));
        assert_eq!((units[0].is_panic, units[0].is_dispatch), (Some(false), Some(true)));
        assert_eq!((units[1].is_panic, units[1].is_dispatch), (None, None));
    }

    #[test]
    fn a_login_without_a_unit_is_refused() {
        for data in [json!({}), json!({"unit": {}}), json!({"unit": null, "isDispatch": true}), json!({"units": ["x"]})] {
            assert_eq!(decode_one("EVENT_UNIT_LOGIN", data.clone()), Err(DecodeError::Missing("unit")), "{data}");
        }
        let flat = decode_one("EVENT_UNIT_LOGIN", json!({"id": 7, "isDispatch": "false"}));
        assert_eq!(flat, Ok(Event::UnitLogin { units: vec![Unit { is_dispatch: Some(false), ..bare(7) }] }));
    }

    #[test]
    fn a_login_has_the_dispatch_flag_beside_the_unit() {
        for (data, expected) in [
            (json!({"unit": {"id": 7, "isDispatch": false}, "isDispatch": true}), Some(true)),
            (json!({"unit": {"id": 7, "isDispatch": true}}), Some(true)),
            (json!({"unit": {"id": 7, "data": {"isDispatch": "true"}}, "isDispatch": null}), Some(true)),
            (json!({"unit": {"id": 7}}), None),
        ] {
            let login = decode_one("EVENT_UNIT_LOGIN", data.clone());
            assert_eq!(login, Ok(Event::UnitLogin { units: vec![Unit { is_dispatch: expected, ..bare(7) }] }), "{data}");
        }
    }

    #[test]
    fn a_status_needs_a_number_of_its_own_or_whole_units() {
        let of = |data| decode_one("EVENT_UNIT_STATUS", data);
        assert_eq!(of(json!({"identIds": [7]})), Err(DecodeError::Missing("status")));
        assert_eq!(of(json!({"identIds": [7], "status": "busy"})), Err(DecodeError::Missing("status")));
        assert_eq!(of(json!({"status": 2})), Err(DecodeError::Missing("identIds")));
        let whole = |idents, status| Ok(Event::UnitStatus { idents, status, units: vec![bare(7)] });
        assert_eq!(of(json!({"units": [{"id": 7}], "status": 2})), whole(vec![], None));
        assert_eq!(of(json!({"units": [{"id": 7}], "identIds": [7, 8], "status": 2})), whole(vec![Ident(8)], Some(2)));
        assert_eq!(of(json!({"units": [{"id": 7}], "identIds": [8]})), whole(vec![], None));
    }

    #[test]
    fn groups_need_their_name_and_members() {
        for (kind, data, field) in [
            ("EVENT_UNIT_LOGOUT", json!({}), "identId"),
            ("EVENT_UNIT_GROUP_ADD", json!({"identId": 7, "groupName": " "}), "groupName"),
            ("EVENT_UNIT_GROUP_ADD", json!({"groupName": "A"}), "identIds"),
            ("EVENT_UNIT_GROUP_REMOVE", json!({"groupName": "A"}), "identIds"),
            ("EVENT_UNIT_GROUP_CHANGE_NAME", json!({"oldName": "A"}), "newName"),
        ] {
            assert_eq!(decode_one(kind, data), Err(DecodeError::Missing(field)), "{kind}");
        }
        let nameless = decode_one("EVENT_UNIT_GROUP_REMOVE", json!({"identId": 7}));
        assert_eq!(nameless, Ok(Event::GroupRemove { idents: vec![Ident(7)], group: None }));
    }
}
