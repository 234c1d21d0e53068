//! What people do on the CAD's own pages: each verb changes the state and raises the CAD's event for it (docs/cad-contract.md#e9).
//!
//! A verb that names a server, unit or call that doesn't exist changes nothing, raises nothing and says so in its result.

use serde_json::{Value, json};

use super::account::Account;
use super::handle::CadSim;
use super::shared::Shared;
use super::state::{Object, Server, object};
use super::values::{iso_now, random_hex};

/// A unit that goes on duty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnitSpec {
    /// Callsign, such as `2L-14`.
    pub num: String,
    /// The character's name.
    pub name: String,
    /// 0 police, 1 fire, 2 EMS, 3 dispatch.
    pub page: i64,
    pub department: String,
    pub subdivision: String,
    pub rank: String,
    pub district: String,
    /// Area of play.
    pub aop: String,
    /// 0 unavailable, 1 busy, 2 available, 3 en route, 4 on scene.
    pub status: i64,
    /// UUID of the account; generated if empty.
    pub account: String,
    /// The community's own id for the member.
    pub community_user_id: Option<String>,
}

/// A 911 or civil call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallSpec {
    /// False for a civil (non-emergency) call.
    pub emergency: bool,
    /// Caller's name; may be empty.
    pub caller: String,
    pub location: String,
    pub description: String,
    /// `metaData` object; null for none.
    pub meta: Value,
}

/// A dispatch call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DispatchSpec {
    /// 0 caller, 1 radio, 2 observed, 3 walk-up.
    pub origin: i64,
    /// 0 pending, 1 active.
    pub status: i64,
    /// 1 (highest) to 3.
    pub priority: i64,
    pub title: String,
    /// Code, such as `10-62 - Burglary`.
    pub code: String,
    pub block: String,
    pub address: String,
    pub postal: String,
    pub description: String,
    /// Units to attach.
    pub idents: Vec<i64>,
    /// The 911 it is created from: its number goes to `metaData.origin911`. Removing the 911 is a separate step.
    pub origin_911: Option<i64>,
    /// Further `metaData`; null for none.
    pub meta: Value,
}

/// What happens to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordChange {
    /// `EVENT_RECORD_ADD`
    Add,
    /// `EVENT_RECORD_EDIT`
    Edit,
    /// `EVENT_RECORD_REMOVE`
    Remove,
}

impl CadSim {
    /// Runs a verb under one lock, so that events leave in the order of their changes.
    fn act<T>(&self, server: i64, verb: impl FnOnce(&mut Server) -> Option<(T, Vec<(&'static str, Value)>)>) -> Option<T> {
        self.inner.change(|shared: &mut Shared| {
            let (result, events) = verb(shared.servers.get_mut(&server)?)?;
            for (kind, data) in events.into_iter().filter(|_| !self.silent) {
                self.inner.raise(shared, server, kind, data);
            }
            Some(result)
        })
    }

    /// The same CAD, changed through its API: changes through this handle raise no event (docs/cad-contract.md#e2).
    #[must_use]
    pub fn through_api(&self) -> Self {
        Self { silent: true, ..self.clone() }
    }

    /// Adds or replaces (by UUID) an account; returns its UUID.
    pub fn add_account(&self, mut account: Account) -> String {
        if account.uuid.is_empty() {
            account.uuid = made_up_uuid();
        }
        let uuid = account.uuid.clone();
        self.inner.change(|shared| {
            shared.accounts.retain(|known| known.uuid != account.uuid);
            shared.accounts.push(account);
        });
        uuid
    }

    /// The account's member selects an identifier; the default is the first that is on duty.
    pub fn select_identifier(&self, account: &str, ident: i64) {
        self.inner.change(|shared| shared.selected.insert(account.to_owned(), ident));
    }

    /// Adds a record that lookups find, without an event; returns its id.
    pub fn add_record_for_lookup(&self, record: &Value) -> Option<i64> {
        let record = object(record.clone());
        self.inner.change(|shared| shared.servers.values_mut().next().map(|server| server.put_record(record).0))
    }

    /// Adds or replaces (by `templateId`) a layout of dispatch calls, as REST shows it.
    pub fn add_template(&self, template: &Value) {
        let template = object(template.clone());
        self.inner.change(|shared| {
            shared.templates.retain(|known| known.get("templateId") != template.get("templateId"));
            shared.templates.push(template);
        });
    }

    /// Units and open calls as REST would show them: `{units, emergencyCalls, activeCalls}`; null for an unknown server.
    #[must_use]
    pub fn open_state(&self, server: i64) -> Value {
        self.inner.lock().servers.get(&server).map_or(Value::Null, Server::open)
    }

    /// A unit goes on duty. Returns its identifier.
    pub fn login(&self, server: i64, spec: &UnitSpec) -> Option<i64> {
        let dispatch = spec.page == 3;
        let mut unit = unit_object(spec);
        self.act(server, |state| {
            let id = state.add_unit(unit.clone());
            unit.insert("id".into(), id.into());
            // In this event the flag is beside the unit.
            unit.remove("isDispatch");
            unit.remove("coordinates");
            Some((id, vec![("EVENT_UNIT_LOGIN", json!({"unit": unit, "isDispatch": dispatch, "selfDispatch": !dispatch}))]))
        })
    }

    /// A unit goes off duty; it is detached from its calls first, with the events for that. False if it was not on duty.
    pub fn logout(&self, server: i64, ident: i64) -> bool {
        let now = iso_now();
        self.act(server, |state| {
            state.units.get(&ident)?;
            let mut events = Vec::new();
            for call in state.calls_of(ident) {
                state.detach(call, &[ident], &now);
                let data = json!({"eventOriginIdent": ident, "idents": [ident], "callId": call});
                events.push(("EVENT_DISPATCH_UNIT_DETACH", data));
            }
            state.units.remove(&ident);
            events.push(("EVENT_UNIT_LOGOUT", json!({"identId": ident})));
            Some(((), events))
        })
        .is_some()
    }

    /// Sets the status of units. False if none of them is on duty.
    pub fn status(&self, server: i64, idents: &[i64], status: i64) -> bool {
        self.act(server, |state| {
            let known = set_units(state, idents, "status", &json!(status))?;
            Some(((), vec![("EVENT_UNIT_STATUS", json!({"identIds": known, "status": status}))]))
        })
        .is_some()
    }

    /// Switches the panic of units on or off. False if none of them is on duty.
    pub fn panic(&self, server: i64, idents: &[i64], on: bool) -> bool {
        self.act(server, |state| {
            let known = set_units(state, idents, "isPanic", &json!(on))?;
            Some(((), vec![("EVENT_UNIT_PANIC", json!({"identIds": known, "isPanic": on}))]))
        })
        .is_some()
    }

    /// Overwrites fields of a unit; those of its `data` object one by one. False if it is not on duty.
    pub fn update_unit(&self, server: i64, ident: i64, patch: &Value) -> bool {
        self.act(server, |state| {
            let unit = state.units.get_mut(&ident)?;
            for (name, value) in patch.as_object()? {
                match (unit.get_mut(name), value) {
                    _ if name == "id" => {}
                    (Some(Value::Object(data)), Value::Object(new)) if name == "data" => data.extend(new.clone()),
                    _ => {
                        unit.insert(name.clone(), value.clone());
                    }
                }
            }
            Some(((), vec![("EVENT_UNIT_UPDATE", json!({"units": [unit]}))]))
        })
        .is_some()
    }

    /// A 911 or civil call, created in the CAD. Returns its number.
    pub fn place_911(&self, server: i64, spec: &CallSpec) -> Option<i64> {
        let mut call = object(json!({
            "isEmergency": spec.emergency, "caller": spec.caller, "location": spec.location, "description": spec.description,
            "metaData": if spec.meta.is_object() { spec.meta.clone() } else { json!({}) },
        }));
        let now = iso_now();
        self.act(server, |state| {
            call.insert("updated".into(), now.into());
            let mut call = state.add_911(call, None);
            call.remove("updated");
            let id = call.get("callId").and_then(Value::as_i64)?;
            Some((id, vec![("EVENT_911", json!({"call": call}))]))
        })
    }

    /// Removes 911s. False if none of them exists.
    pub fn remove_911(&self, server: i64, calls: &[i64]) -> bool {
        self.act(server, |state| {
            let gone = some(state.remove_911(calls))?;
            Some(((), vec![("EVENT_REMOVE_911", json!({"callIds": gone}))]))
        })
        .is_some()
    }

    /// A dispatcher creates a call. Returns its number.
    pub fn dispatch_new(&self, server: i64, spec: &DispatchSpec) -> Option<i64> {
        let now = iso_now();
        self.act(server, |state| {
            let mut meta = object(spec.meta.clone());
            if let Some(origin) = spec.origin_911 {
                if let Some(Value::Object(inherited)) = state.emergencies.get(&origin).and_then(|from| from.call.get("metaData")) {
                    for (name, value) in inherited {
                        meta.entry(name.clone()).or_insert_with(|| value.clone());
                    }
                }
                meta.insert("origin911".into(), origin.to_string().into());
            }
            let call = state.add_dispatch(object(json!({
                "origin": spec.origin, "status": spec.status, "priority": spec.priority, "block": spec.block, "address": spec.address,
                "postal": spec.postal, "title": spec.title, "code": spec.code, "description": spec.description, "notes": [],
                "idents": spec.idents, "metaData": meta, "trackPrimary": false, "updated": now,
            })));
            let id = call.get("callId").and_then(Value::as_i64)?;
            Some((id, vec![("EVENT_DISPATCH_NEW", json!({"eventOriginIdent": state.somebody(), "dispatch": call}))]))
        })
    }

    /// Overwrites fields of an open call; status 2 closes it. False if it is not open.
    pub fn dispatch_edit(&self, server: i64, call: i64, patch: &Value) -> bool {
        let patch = object(patch.clone());
        self.act(server, |state| {
            let call = state.edit_dispatch(call, &patch, &iso_now())?;
            Some(((), vec![("EVENT_DISPATCH_EDIT", json!({"eventOriginIdent": state.somebody(), "dispatch": call}))]))
        })
        .is_some()
    }

    /// Adds a note to an open call, signed with `label`. False if the call is not open.
    pub fn note(&self, server: i64, call: i64, label: &str, content: &str) -> bool {
        let now = iso_now();
        let note = |time: &str| json!({"time": time, "label": label, "type": "text", "content": content});
        self.act(server, |state| {
            state.add_note(call, &note(&now), &now).then_some(())?;
            // The event carries only a clock time: `2026-01-01T12:00:00Z` without date and zone.
            let clock = now.get(11..19).unwrap_or(&now);
            Some(((), vec![("EVENT_DISPATCH_NOTE", json!({"callId": call, "note": note(clock)}))]))
        })
        .is_some()
    }

    /// Attaches units to an open call. False if the call is not open or nobody new was attached.
    pub fn attach(&self, server: i64, call: i64, idents: &[i64]) -> bool {
        self.act(server, |state| {
            let new = some(state.attach(call, idents, &iso_now())?)?;
            let data = json!({"eventOriginIdent": state.somebody(), "idents": new, "callId": call});
            Some(((), vec![("EVENT_DISPATCH_UNIT_ATTACH", data)]))
        })
        .is_some()
    }

    /// Detaches units from a call. False if none of them was on it.
    pub fn detach(&self, server: i64, call: i64, idents: &[i64]) -> bool {
        self.act(server, |state| {
            let gone = some(state.detach(call, idents, &iso_now()))?;
            let data = json!({"eventOriginIdent": state.somebody(), "idents": gone, "callId": call});
            Some(((), vec![("EVENT_DISPATCH_UNIT_DETACH", data)]))
        })
        .is_some()
    }

    /// Closes calls. False if none of them was open.
    pub fn close(&self, server: i64, calls: &[i64]) -> bool {
        self.act(server, |state| {
            let done = some(state.close(calls, &iso_now()))?;
            let data = json!({"eventOriginIdent": state.somebody(), "callIds": done});
            Some(((), vec![("EVENT_DISPATCH_CLOSED", data)]))
        })
        .is_some()
    }

    /// Plays a tone to targets, each `{type, value, label}`.
    pub fn tone(&self, server: i64, url: &str, targets: &Value) -> bool {
        self.act(server, |_| Some(((), vec![("EVENT_TONE", json!({"url": url, "playTonesTo": targets}))]))).is_some()
    }

    /// Alerts a station: doors to open and to close, a message, light colors, a tone.
    pub fn station_alert(&self, server: i64, station: &str, open: &[&str], close: &[&str], message: &str) -> bool {
        let data = json!({
            "locations": [{"name": station, "open": open, "close": close}],
            "message": message, "colors": ["red", "blue"], "tone": "tone1",
        });
        self.act(server, |_| Some(((), vec![("EVENT_STATION_ALERT", data)]))).is_some()
    }

    /// Sends a page. `nature` is `Emergency`, `NonEmergency` or `Administrative`.
    pub fn pager(&self, server: i64, addresses: &[&str], idents: &[i64], nature: &str, body: &str) -> bool {
        let data = json!({"addresses": addresses, "identIds": idents, "nature": nature, "body": body});
        self.act(server, |_| Some(((), vec![("EVENT_PAGER_REBORN", data)]))).is_some()
    }

    /// Adds, edits or removes a record; one without `id` gets one. Returns the id, `None` if there is no such record to remove.
    pub fn record(&self, server: i64, change: RecordChange, record: &Value) -> Option<i64> {
        let record = object(record.clone());
        self.act(server, |state| {
            let (kind, id, record) = match change {
                RecordChange::Remove => {
                    let id = record.get("id").and_then(Value::as_i64)?;
                    ("EVENT_RECORD_REMOVE", id, state.records.remove(&id)?)
                }
                RecordChange::Add | RecordChange::Edit => {
                    let (id, record) = state.put_record(record);
                    (if change == RecordChange::Add { "EVENT_RECORD_ADD" } else { "EVENT_RECORD_EDIT" }, id, record)
                }
            };
            Some((id, vec![(kind, json!({"record": record}))]))
        })
    }

    /// A unit joins a group. False if it is not on duty.
    pub fn group_add(&self, server: i64, ident: i64, group: &str) -> bool {
        self.act(server, |state| {
            set_group(state, ident, group)?;
            Some(((), vec![("EVENT_UNIT_GROUP_ADD", json!({"identId": ident, "groupName": group}))]))
        })
        .is_some()
    }

    /// A unit leaves its group. False if it is not on duty.
    pub fn group_remove(&self, server: i64, ident: i64) -> bool {
        self.act(server, |state| {
            let group = group_of(state.units.get(&ident)?);
            set_group(state, ident, "")?;
            Some(((), vec![("EVENT_UNIT_GROUP_REMOVE", json!({"identId": ident, "groupName": group}))]))
        })
        .is_some()
    }

    /// Renames a group. False if no unit is in it.
    pub fn group_rename(&self, server: i64, old: &str, new: &str) -> bool {
        self.act(server, |state| {
            let members: Vec<i64> = state.units.iter().filter(|(_, unit)| group_of(unit) == old).map(|(&id, _)| id).collect();
            let members = some(members)?;
            for &ident in &members {
                set_group(state, ident, new)?;
            }
            Some(((), vec![("EVENT_UNIT_GROUP_CHANGE_NAME", json!({"identIds": members, "oldName": old, "newName": new}))]))
        })
        .is_some()
    }

    /// A dispatcher asks for a unit's bodycam. False if it is not on duty.
    pub fn bodycam(&self, server: i64, ident: i64, on: bool) -> bool {
        self.act(server, |state| {
            state.units.get(&ident)?;
            Some(((), vec![("EVENT_DISPATCH_TOGGLE_BODYCAM", json!({"ident": ident.to_string(), "state": on}))]))
        })
        .is_some()
    }
}

fn unit_object(spec: &UnitSpec) -> Object {
    let account = if spec.account.is_empty() { made_up_uuid() } else { spec.account.clone() };
    let mut data = object(json!({
        "unitNum": spec.num, "name": spec.name, "district": spec.district, "department": spec.department,
        "subdivision": spec.subdivision, "rank": spec.rank, "group": "", "page": spec.page,
    }));
    if let Some(id) = &spec.community_user_id {
        data.insert("communityUserId".into(), id.clone().into());
    }
    object(json!({
        "id": 0, "accId": account, "status": spec.status, "isPanic": false, "location": "", "aop": spec.aop, "data": data,
        "isDispatch": spec.page == 3, "coordinates": {"x": 0.0, "y": 0.0, "z": 0.0, "w": 0.0},
    }))
}

/// Sets one field of the units that exist. Returns those, or `None` if there are none.
pub(super) fn set_units(state: &mut Server, idents: &[i64], field: &str, value: &Value) -> Option<Vec<i64>> {
    let mut known = Vec::new();
    for ident in idents {
        if let Some(unit) = state.units.get_mut(ident) {
            unit.insert(field.to_owned(), value.clone());
            known.push(*ident);
        }
    }
    some(known)
}

fn set_group(state: &mut Server, ident: i64, group: &str) -> Option<()> {
    let data = state.units.get_mut(&ident)?.get_mut("data")?.as_object_mut()?;
    data.insert("group".into(), group.into());
    Some(())
}

/// The unit's group; empty for none.
pub(super) fn group_of(unit: &Object) -> String {
    unit.get("data").and_then(|data| data.get("group")).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// `None` for an empty list.
fn some(list: Vec<i64>) -> Option<Vec<i64>> {
    (!list.is_empty()).then_some(list)
}

/// A random (version 4) UUID.
fn made_up_uuid() -> String {
    let hex = random_hex(16);
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default().to_owned();
    format!("{}-{}-4{}-a{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
}
