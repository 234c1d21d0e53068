//! The state of one CAD server: units, 911 calls, dispatch calls, records. Pure: no events, no clock, no locks.
//!
//! Values are kept as the JSON objects that REST answers with. 911s and dispatches are numbered separately, and so is each server, so
//! that equal numbers collide wherever code forgets half of the key.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::options::HttpDestination;

/// A JSON object.
pub(super) type Object = Map<String, Value>;

/// Closed calls kept for `GET calls`.
const CLOSED_LIMIT: usize = 200;

/// Dispatch status of a closed call.
pub(super) const CLOSED: i64 = 2;

pub(super) struct Server {
    pub(super) name: String,
    pub(super) http: Option<HttpDestination>,
    pub(super) units: BTreeMap<i64, Object>,
    pub(super) emergencies: BTreeMap<i64, Emergency>,
    pub(super) dispatches: BTreeMap<i64, Object>,
    /// Newest first.
    pub(super) closed: VecDeque<Object>,
    pub(super) records: BTreeMap<i64, Object>,
    /// When a dispatch removes itself.
    dispatches_end: BTreeMap<i64, Instant>,
    last_unit: i64,
    last_911: i64,
    last_dispatch: i64,
    last_record: i64,
}

/// A 911 or civil call.
pub(super) struct Emergency {
    pub(super) call: Object,
    pub(super) expires: Option<Instant>,
}

impl Server {
    pub(super) fn new(name: &str, http: Option<HttpDestination>) -> Self {
        Self {
            name: name.to_owned(),
            http,
            units: BTreeMap::new(),
            emergencies: BTreeMap::new(),
            dispatches: BTreeMap::new(),
            closed: VecDeque::new(),
            records: BTreeMap::new(),
            dispatches_end: BTreeMap::new(),
            last_unit: 4_100,
            last_911: 300,
            last_dispatch: 500,
            last_record: 8_840,
        }
    }

    pub(super) fn add_unit(&mut self, mut unit: Object) -> i64 {
        self.last_unit += 1;
        unit.insert("id".into(), self.last_unit.into());
        self.units.insert(self.last_unit, unit);
        self.last_unit
    }

    /// The unit's open dispatch calls.
    pub(super) fn calls_of(&self, ident: i64) -> Vec<i64> {
        self.dispatches.iter().filter(|(_, call)| ints(call.get("idents")).contains(&ident)).map(|(&id, _)| id).collect()
    }

    /// A dispatcher on duty, else any unit, else 0: whom the CAD names as the actor.
    pub(super) fn somebody(&self) -> i64 {
        let dispatcher = self.units.iter().find(|(_, unit)| unit.get("isDispatch") == Some(&Value::Bool(true)));
        dispatcher.or_else(|| self.units.iter().next()).map_or(0, |(&id, _)| id)
    }

    pub(super) fn add_911(&mut self, mut call: Object, expires: Option<Instant>) -> Object {
        self.last_911 += 1;
        call.insert("callId".into(), self.last_911.into());
        self.emergencies.insert(self.last_911, Emergency { call: call.clone(), expires });
        call
    }

    /// Removes 911s. Returns the ids that existed.
    pub(super) fn remove_911(&mut self, ids: &[i64]) -> Vec<i64> {
        ids.iter().copied().filter(|id| self.emergencies.remove(id).is_some()).collect()
    }

    /// Removes calls whose time is up.
    pub(super) fn expire(&mut self, now: Instant) {
        self.emergencies.retain(|_, emergency| emergency.expires.is_none_or(|at| at > now));
        let ended = |id: &i64| self.dispatches_end.get(id).is_some_and(|at| *at <= now);
        self.dispatches.retain(|id, _| !ended(id));
    }

    /// Creates a dispatch that removes itself.
    pub(super) fn add_dispatch_until(&mut self, call: Object, ends: Option<Instant>) -> Object {
        let call = self.add_dispatch(call);
        if let Some(ends) = ends {
            self.dispatches_end.insert(self.last_dispatch, ends);
        }
        call
    }

    pub(super) fn add_dispatch(&mut self, mut call: Object) -> Object {
        self.last_dispatch += 1;
        let idents = self.known(&ints(call.get("idents")));
        call.insert("callId".into(), self.last_dispatch.into());
        call.insert("primary".into(), idents.first().copied().unwrap_or(-1).into());
        call.insert("idents".into(), json!(idents));
        self.dispatches.insert(self.last_dispatch, call.clone());
        call
    }

    /// Overwrites the fields named in `patch`; a status of 2 closes the call. Returns the call afterwards.
    pub(super) fn edit_dispatch(&mut self, id: i64, patch: &Object, now: &str) -> Option<Object> {
        let call = self.dispatches.get_mut(&id)?;
        for (name, value) in patch {
            if name != "callId" {
                call.insert(name.clone(), value.clone());
            }
        }
        call.insert("updated".into(), now.into());
        let call = call.clone();
        if call.get("status").and_then(Value::as_i64) == Some(CLOSED) {
            self.close(&[id], now);
        }
        Some(call)
    }

    pub(super) fn add_note(&mut self, id: i64, note: &Value, now: &str) -> bool {
        let Some(call) = self.dispatches.get_mut(&id) else { return false };
        if let Some(Value::Array(notes)) = call.get_mut("notes") {
            notes.push(note.clone());
        } else {
            call.insert("notes".into(), json!([note]));
        }
        call.insert("updated".into(), now.into());
        true
    }

    /// Attaches units that exist and aren't on the call yet. Returns those. `None` if there is no such open call.
    pub(super) fn attach(&mut self, id: i64, idents: &[i64], now: &str) -> Option<Vec<i64>> {
        let known = self.known(idents);
        let call = self.dispatches.get_mut(&id)?;
        let mut attached = ints(call.get("idents"));
        let new: Vec<i64> = known.into_iter().filter(|ident| !attached.contains(ident)).collect();
        attached.extend(&new);
        if call.get("primary").and_then(Value::as_i64).is_none_or(|primary| primary < 0)
            && let Some(&first) = attached.first()
        {
            call.insert("primary".into(), first.into());
        }
        call.insert("idents".into(), json!(attached));
        call.insert("updated".into(), now.into());
        Some(new)
    }

    /// Detaches units from this call. Returns those that were on it.
    pub(super) fn detach(&mut self, id: i64, idents: &[i64], now: &str) -> Vec<i64> {
        let Some(call) = self.dispatches.get_mut(&id) else { return Vec::new() };
        let (gone, left): (Vec<i64>, Vec<i64>) = ints(call.get("idents")).into_iter().partition(|ident| idents.contains(ident));
        if !gone.is_empty() {
            if call.get("primary").and_then(Value::as_i64).is_some_and(|primary| gone.contains(&primary)) {
                call.insert("primary".into(), left.first().copied().unwrap_or(-1).into());
            }
            call.insert("idents".into(), json!(left));
            call.insert("updated".into(), now.into());
        }
        gone
    }

    /// Closes calls. Returns the ids that were open.
    pub(super) fn close(&mut self, ids: &[i64], now: &str) -> Vec<i64> {
        let mut done = Vec::new();
        for id in ids {
            if let Some(mut call) = self.dispatches.remove(id) {
                call.insert("status".into(), CLOSED.into());
                call.insert("updated".into(), now.into());
                self.closed.push_front(call);
                self.closed.truncate(CLOSED_LIMIT);
                done.push(*id);
            }
        }
        done
    }

    /// Adds or overwrites a record; gives it an id if it has none.
    pub(super) fn put_record(&mut self, mut record: Object) -> (i64, Object) {
        let id = record.get("id").and_then(Value::as_i64).unwrap_or_else(|| {
            self.last_record += 1;
            self.last_record
        });
        record.insert("id".into(), id.into());
        self.records.insert(id, record.clone());
        (id, record)
    }

    /// Those of `idents` that are units here, without duplicates.
    fn known(&self, idents: &[i64]) -> Vec<i64> {
        let mut known: Vec<i64> = Vec::new();
        for ident in idents {
            if self.units.contains_key(ident) && !known.contains(ident) {
                known.push(*ident);
            }
        }
        known
    }

    /// Units and open calls as REST shows them.
    pub(super) fn open(&self) -> Value {
        json!({
            "units": self.units.values().collect::<Vec<_>>(),
            "emergencyCalls": self.emergencies.values().map(|emergency| &emergency.call).collect::<Vec<_>>(),
            "activeCalls": self.dispatches.values().collect::<Vec<_>>(),
        })
    }
}

/// The integers of a list; empty for anything else.
pub(super) fn ints(value: Option<&Value>) -> Vec<i64> {
    value.and_then(Value::as_array).map(|list| list.iter().filter_map(Value::as_i64).collect()).unwrap_or_default()
}

/// The fields of an object; none for anything else.
pub(super) fn object(value: Value) -> Object {
    match value {
        Value::Object(fields) => fields,
        _ => Object::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-01-01T00:00:00Z";

    fn server() -> Server {
        let mut server = Server::new("s", None);
        for num in ["A-1", "A-2"] {
            server.add_unit(object(json!({"data": {"unitNum": num}})));
        }
        server
    }

    #[test]
    fn attaching_knows_units_once_and_names_a_primary() {
        let mut server = server();
        let call = server.add_dispatch(object(json!({"idents": []})));
        assert_eq!(call["primary"], -1);
        let id = call["callId"].as_i64().unwrap();
        assert_eq!(server.attach(id, &[4102, 4102, 9], NOW), Some(vec![4102]));
        assert_eq!(server.attach(id, &[4101, 4102], NOW), Some(vec![4101]));
        assert_eq!(server.dispatches[&id]["primary"], 4102);
        assert_eq!(server.detach(id, &[4102, 7], NOW), [4102]);
        assert_eq!(server.dispatches[&id]["primary"], 4101);
        assert_eq!(server.calls_of(4101), [id]);
        assert_eq!(server.attach(99, &[4101], NOW), None);
    }

    #[test]
    fn a_call_closed_by_an_edit_is_no_longer_open() {
        let mut server = server();
        let id = server.add_dispatch(Object::new())["callId"].as_i64().unwrap();
        let edited = server.edit_dispatch(id, &object(json!({"status": 2, "callId": 1})), NOW).unwrap();
        assert_eq!(edited["callId"], id);
        assert!(server.dispatches.is_empty());
        assert_eq!(server.closed.len(), 1);
        assert!(server.close(&[id], NOW).is_empty());
    }

    #[test]
    fn emergencies_and_dispatches_are_numbered_apart() {
        let mut server = server();
        assert_eq!(server.add_911(Object::new(), None)["callId"], 301);
        assert_eq!(server.add_dispatch(Object::new())["callId"], 501);
        assert_eq!(server.remove_911(&[301, 302]), [301]);
    }
}
