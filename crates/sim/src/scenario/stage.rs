//! The current board, and what dispatchers, units and callers do to it in the CAD.

use fastrand::Rng;
use serde_json::{Value, json};

use super::cast::{Actor, BOLOS, CASES, CAST, CIVIL, Case, PLACES, Place, page};
use super::incident::Incident;
use crate::cad::{CadSim, CallSpec, DispatchSpec, RecordChange, UnitSpec};

/// A unit on duty, as far as the scenario cares.
pub(super) struct Unit {
    pub(super) ident: i64,
    pub(super) num: String,
    pub(super) page: i64,
    pub(super) status: i64,
    pub(super) panic: bool,
}

/// The current board, and the actions on it. The methods return what they did; `None` if the CAD refused.
pub(super) struct Stage<'a> {
    pub(super) cad: &'a CadSim,
    pub(super) server: i64,
    pub(super) rng: &'a mut Rng,
}

impl Stage<'_> {
    /// The cast's units on duty. Other units belong to people: nobody dispatches them or sends them home.
    pub(super) fn units(&self) -> Vec<Unit> {
        let open = self.cad.open_state(self.server);
        let read = |unit: &Value| {
            let data = unit.get("data")?;
            Some(Unit {
                ident: unit.get("id")?.as_i64()?,
                num: data.get("unitNum")?.as_str()?.to_owned(),
                page: data.get("page")?.as_i64()?,
                status: unit.get("status")?.as_i64()?,
                panic: unit.get("isPanic")?.as_bool()?,
            })
        };
        let units = open.get("units").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        units.iter().filter_map(read).filter(|unit| CAST.iter().any(|actor| actor.num == unit.num)).collect()
    }

    pub(super) fn numbers(&self, list: &str) -> Vec<i64> {
        let open = self.cad.open_state(self.server);
        let calls = open.get(list).and_then(Value::as_array).cloned().unwrap_or_default();
        calls.iter().filter_map(|call| call.get("callId")?.as_i64()).collect()
    }

    pub(super) fn ident_of(&self, num: &str) -> Option<i64> {
        self.units().into_iter().find(|unit| unit.num == num).map(|unit| unit.ident)
    }

    pub(super) fn num_of(&self, ident: i64) -> Option<String> {
        self.units().into_iter().find(|unit| unit.ident == ident).map(|unit| unit.num)
    }

    fn name_of(&self, ident: i64) -> Option<String> {
        let num = self.num_of(ident)?;
        CAST.iter().find(|actor| actor.num == num).map(|actor| actor.name.to_owned())
    }

    pub(super) fn pick<T>(&mut self, mut list: Vec<T>) -> Option<T> {
        if list.is_empty() {
            return None;
        }
        let index = self.rng.usize(..list.len());
        Some(list.swap_remove(index))
    }

    pub(super) fn place(&mut self) -> &'static Place {
        self.pick(PLACES.iter().collect()).unwrap_or(&PLACES[0])
    }

    pub(super) fn start_duty(&mut self, actor: &Actor) -> Option<i64> {
        let spec = UnitSpec {
            num: actor.num.to_owned(),
            name: actor.name.to_owned(),
            page: actor.page,
            department: actor.department.to_owned(),
            subdivision: actor.subdivision.to_owned(),
            rank: actor.rank.to_owned(),
            district: "Los Santos".to_owned(),
            aop: "Los Santos".to_owned(),
            status: 2,
            ..UnitSpec::default()
        };
        self.cad.login(self.server, &spec)
    }

    /// A unit in the field; brings one on duty if there is none.
    pub(super) fn somebody(&mut self, wanted: impl Fn(&Unit) -> bool) -> Option<Unit> {
        let field = |unit: &Unit| unit.page != page::DISPATCH && wanted(unit);
        let found = self.units().into_iter().filter(field).collect();
        if let Some(unit) = self.pick(found) {
            return Some(unit);
        }
        let absent = CAST.iter().filter(|actor| actor.page != page::DISPATCH && self.ident_of(actor.num).is_none()).collect();
        let actor: &Actor = self.pick(absent)?;
        let ident = self.start_duty(actor)?;
        Some(Unit { ident, num: actor.num.to_owned(), page: actor.page, status: 2, panic: false })
    }

    /// At most `count` available units of a department, or police if it has none left.
    pub(super) fn free(&mut self, page: i64, count: usize) -> Vec<i64> {
        let mut free: Vec<Unit> = self.units().into_iter().filter(|unit| unit.page != page::DISPATCH && unit.status == 2).collect();
        self.rng.shuffle(&mut free);
        free.sort_by_key(|unit| unit.page != page);
        free.into_iter().take(count).map(|unit| unit.ident).collect()
    }

    pub(super) fn locate(&mut self, ident: i64, place: &Place) {
        let coordinates = json!({"x": place.x, "y": place.y, "z": 30.0, "w": f64::from(self.rng.u16(..360))});
        self.cad.update_unit(self.server, ident, &json!({"location": place.address, "coordinates": coordinates}));
    }

    pub(super) fn move_about(&mut self) -> Option<String> {
        let (unit, place) = (self.somebody(|_| true)?, self.place());
        self.locate(unit.ident, place);
        Some(format!("{} is at {}.", unit.num, place.address))
    }

    pub(super) fn place_case(&mut self, case: &Case, place: &Place) -> Option<i64> {
        let meta = json!({"postal": place.postal, "x": place.x.to_string(), "y": place.y.to_string(), "z": "30.0"});
        let spec = CallSpec {
            emergency: true,
            caller: case.caller.to_owned(),
            location: place.address.to_owned(),
            description: case.report.to_owned(),
            meta,
        };
        self.cad.place_911(self.server, &spec)
    }

    pub(super) fn place_911(&mut self) -> Option<(i64, String)> {
        let incident = Incident::new(self.rng);
        let number = self.place_case(incident.case, incident.place)?;
        Some((number, format!("911 call {number}: {}", incident.case.title)))
    }

    pub(super) fn civil(&mut self) -> Option<String> {
        let (caller, description) = self.pick(CIVIL.to_vec())?;
        let place = self.place();
        let spec = CallSpec {
            emergency: false,
            caller: caller.to_owned(),
            location: place.address.to_owned(),
            description: description.to_owned(),
            meta: json!({"postal": place.postal}),
        };
        let number = self.cad.place_911(self.server, &spec)?;
        Some(format!("Civil call {number}."))
    }

    /// Creates a dispatch for an incident and removes its 911.
    pub(super) fn dispatch_case(&mut self, case: &Case, place: &Place, emergency: i64) -> Option<i64> {
        let spec = DispatchSpec {
            origin: 0,
            status: 1,
            priority: case.priority,
            title: case.title.to_owned(),
            code: case.code.to_owned(),
            block: place.block.to_owned(),
            address: place.address.to_owned(),
            postal: place.postal.to_owned(),
            description: case.report.to_owned(),
            idents: self.free(case.page, 1),
            origin_911: Some(emergency),
            meta: Value::Null,
        };
        let number = self.cad.dispatch_new(self.server, &spec)?;
        self.cad.status(self.server, &spec.idents, 3);
        self.cad.remove_911(self.server, &[emergency]);
        Some(number)
    }

    /// The latest waiting 911, or a new one.
    pub(super) fn waiting_911(&mut self) -> Option<(&'static Case, &'static Place, i64)> {
        let waiting = self.waiting();
        let known = waiting.iter().rev().find_map(|call| {
            let text = |name: &str| call.get(name).and_then(Value::as_str);
            let case = CASES.iter().find(|case| text("description") == Some(case.report))?;
            let place = PLACES.iter().find(|place| text("location") == Some(place.address))?;
            Some((case, place, call.get("callId")?.as_i64()?))
        });
        known.or_else(|| {
            let incident = Incident::new(self.rng);
            Some((incident.case, incident.place, self.place_case(incident.case, incident.place)?))
        })
    }

    /// The waiting calls, 911 and civil.
    fn waiting(&self) -> Vec<Value> {
        let open = self.cad.open_state(self.server);
        open.get("emergencyCalls").and_then(Value::as_array).cloned().unwrap_or_default()
    }

    /// Dispatches a waiting 911, or a new one.
    pub(super) fn dispatch(&mut self) -> Option<(i64, String)> {
        if self.free(page::POLICE, 1).is_empty() {
            self.somebody(|unit| unit.status == 2);
        }
        let (case, place, emergency) = self.waiting_911()?;
        let number = self.dispatch_case(case, place, emergency)?;
        Some((number, format!("911 call {emergency} became dispatch {number}: {}", case.title)))
    }

    /// An open dispatch; creates one if there is none.
    pub(super) fn open_call(&mut self) -> Option<i64> {
        let open = self.numbers("activeCalls");
        match self.pick(open) {
            Some(number) => Some(number),
            None => self.dispatch().map(|(number, _)| number),
        }
    }

    pub(super) fn idents_of(&self, call: i64) -> Vec<i64> {
        let open = self.cad.open_state(self.server);
        let calls = open.get("activeCalls").and_then(Value::as_array).cloned().unwrap_or_default();
        let call = calls.iter().find(|other| other.get("callId").and_then(Value::as_i64) == Some(call));
        let idents = call.and_then(|call| call.get("idents")?.as_array().cloned()).unwrap_or_default();
        idents.iter().filter_map(Value::as_i64).collect()
    }

    pub(super) fn open_call_with_units(&self) -> Option<(i64, Vec<i64>)> {
        self.numbers("activeCalls").into_iter().map(|call| (call, self.idents_of(call))).find(|(_, idents)| !idents.is_empty())
    }

    /// Raises an open call to priority 1; one that is there already is lowered first, so that something rises.
    pub(super) fn raise(&mut self) -> Option<String> {
        let number = self.open_call()?;
        let open = self.cad.open_state(self.server);
        let calls = open.get("activeCalls").and_then(Value::as_array).cloned().unwrap_or_default();
        let call = calls.iter().find(|call| call.get("callId").and_then(Value::as_i64) == Some(number))?;
        if call.get("priority").and_then(Value::as_i64) == Some(1) {
            self.cad.dispatch_edit(self.server, number, &json!({"priority": 2}));
        }
        let report = call.get("description").and_then(Value::as_str).unwrap_or_default();
        let worse = CASES.iter().find(|case| report.starts_with(case.report)).map(|case| case.worse).unwrap_or_default();
        let patch = if worse.is_empty() || report.ends_with(worse) {
            json!({"priority": 1})
        } else {
            json!({"priority": 1, "description": format!("{report} {worse}")})
        };
        self.cad.dispatch_edit(self.server, number, &patch).then(|| format!("Dispatch {number} is now priority 1."))
    }

    pub(super) fn note(&mut self) -> Option<String> {
        let number = self.open_call()?;
        let open = self.cad.open_state(self.server);
        let calls = open.get("activeCalls").and_then(Value::as_array).cloned().unwrap_or_default();
        let call = calls.iter().find(|call| call.get("callId").and_then(Value::as_i64) == Some(number))?;
        let report = call.get("description").and_then(Value::as_str).unwrap_or_default();
        let noted = call.get("notes").and_then(Value::as_array).map_or(0, Vec::len);
        let case = CASES.iter().find(|case| report.starts_with(case.report)).unwrap_or(&CASES[0]);
        let [first, later] = case.notes;
        let text = if noted == 0 { first } else { later };
        let label = self.idents_of(number).first().and_then(|&ident| self.num_of(ident)).unwrap_or_else(|| "D-1".to_owned());
        self.cad.note(self.server, number, &label, text).then(|| format!("{label} added a note to dispatch {number}."))
    }

    pub(super) fn attach(&mut self) -> Option<String> {
        let mut number = self.open_call()?;
        let mut there = self.idents_of(number);
        let mut unit = self.somebody(|unit| !there.contains(&unit.ident));
        if unit.is_none() {
            // Everybody is on it: another call is needed.
            number = self.dispatch()?.0;
            there = self.idents_of(number);
            unit = self.somebody(|unit| !there.contains(&unit.ident));
        }
        let unit = unit?;
        self.cad.attach(self.server, number, &[unit.ident]).then_some(())?;
        self.cad.status(self.server, &[unit.ident], 3);
        Some(format!("{} was attached to dispatch {number}.", unit.num))
    }

    pub(super) fn close(&mut self) -> Option<String> {
        self.open_call()?;
        self.close_one()
    }

    pub(super) fn close_one(&mut self) -> Option<String> {
        let open = self.numbers("activeCalls");
        let number = self.pick(open)?;
        let crew = self.idents_of(number);
        self.cad.close(self.server, &[number]);
        self.cad.status(self.server, &crew, 2);
        Some(format!("Dispatch {number} was closed."))
    }

    /// The oldest civil call is closed.
    pub(super) fn settle_civil(&mut self) {
        let calls = self.waiting();
        let civil = calls.iter().find(|call| call.get("isEmergency").and_then(Value::as_bool) == Some(false));
        if let Some(number) = civil.and_then(|call| call.get("callId")?.as_i64()) {
            self.cad.remove_911(self.server, &[number]);
        }
    }

    pub(super) fn clear_911s(&self) {
        self.cad.remove_911(self.server, &self.numbers("emergencyCalls"));
    }

    pub(super) fn panic_on(&mut self) -> Option<(i64, String)> {
        let unit = match self.somebody(|unit| !unit.panic) {
            Some(unit) => unit,
            None => {
                // Everybody is in panic: one of them recovers and presses again.
                let unit = self.somebody(|unit| unit.panic)?;
                self.cad.panic(self.server, &[unit.ident], false);
                unit
            }
        };
        let place = self.place();
        self.locate(unit.ident, place);
        self.cad.panic(self.server, &[unit.ident], true).then_some(())?;
        // What the game does about a panic that was raised in the CAD.
        let call = CallSpec {
            emergency: true,
            caller: self.name_of(unit.ident).unwrap_or_default(),
            location: place.address.to_owned(),
            description: panic_report(&unit.num),
            meta: json!({"postal": place.postal}),
        };
        self.cad.place_911(self.server, &call);
        Some((unit.ident, format!("{} pressed the panic button at {}; the game called 911 for it.", unit.num, place.address)))
    }

    pub(super) fn panic_over(&mut self) -> Option<String> {
        let ident = match self.units().into_iter().find(|unit| unit.panic) {
            Some(unit) => unit.ident,
            None => self.panic_on()?.0,
        };
        let num = self.num_of(ident)?;
        let report = panic_report(&num);
        let placed = self.waiting().into_iter().filter(|call| call.get("description").and_then(Value::as_str) == Some(&report));
        let placed: Vec<i64> = placed.filter_map(|call| call.get("callId")?.as_i64()).collect();
        self.cad.panic(self.server, &[ident], false).then_some(())?;
        self.cad.remove_911(self.server, &placed);
        Some(format!("{num} is safe."))
    }

    pub(super) fn bolo(&mut self) -> Option<(i64, String)> {
        let bolo = self.pick(BOLOS.to_vec())?;
        let id = self.cad.record(self.server, RecordChange::Add, &bolo_record(None, &bolo, false))?;
        Some((id, format!("BOLO {id}: {}", bolo.1)))
    }

    pub(super) fn station(&mut self) -> Option<String> {
        let place = self.place();
        let message = format!("Structure fire, {}, smoke showing.", place.address);
        let sent = self.cad.station_alert(self.server, "LSFD Station 1", &["Bay 1", "Bay 2"], &["Bay 3"], &message);
        sent.then(|| "LSFD Station 1 was alerted.".to_owned())
    }

    pub(super) fn pager(&mut self) -> Option<String> {
        let unit = self.somebody(|unit| unit.page != page::POLICE)?;
        let body = format!("Second alarm, report to staging at {}.", self.place().address);
        let sent = self.cad.pager(self.server, &["STATION-1", "BATTALION"], &[unit.ident], "Emergency", &body);
        sent.then(|| format!("{} was paged.", unit.num))
    }

    pub(super) fn tone(&mut self) -> Option<String> {
        let mut targets = vec![json!({"type": 3, "value": "LSFD", "label": "LSFD"})];
        if let Some(number) = self.numbers("activeCalls").first() {
            targets.push(json!({"type": 1, "value": number, "label": format!("Dispatch Call {number}")}));
        }
        let sent = self.cad.tone(self.server, "https://tones.example.org/structure-fire.mp3", &Value::Array(targets));
        sent.then(|| "A tone was played to LSFD.".to_owned())
    }

    /// Somebody absent goes on duty; if everybody is there, a free unit leaves.
    pub(super) fn duty(&mut self) -> Option<String> {
        let absent = CAST.iter().filter(|actor| self.ident_of(actor.num).is_none()).collect();
        if let Some(actor) = self.pick::<&Actor>(absent) {
            self.start_duty(actor)?;
            return Some(format!("{} ({}) is on duty.", actor.num, actor.name));
        }
        let all = self.units();
        let unit = self.pick(all)?;
        self.cad.logout(self.server, unit.ident).then(|| format!("{} is off duty.", unit.num))
    }
}

/// The event for a panic in the game.
fn panic_report(num: &str) -> String {
    format!("Unit {num} has pressed their panic button!")
}

/// A BOLO as a custom record; `id` of an existing one, and whether it is closed.
pub(super) fn bolo_record(id: Option<i64>, (plate, vehicle, why): &(&str, &str, &str), closed: bool) -> Value {
    let field =
        |kind: &str, label: &str, uid: &str, value: &str| json!({"type": kind, "label": label, "value": value, "uid": uid, "size": 6});
    let mut record = json!({
        "recordTypeId": 3, "syncId": "", "name": "BOLO", "type": 3,
        "sections": [
            {"category": 1, "label": "Flags", "fields": [
                {"type": "flags", "label": "Flags", "value": "", "uid": "flags", "data": {"flags": ["STOLEN"]}},
            ]},
            {"category": 0, "label": "Vehicle", "fields": [
                field("input", "Plate", "plate", plate),
                field("input", "Model", "model", vehicle),
                field("textarea", "Reason", "reason", why),
                field("STATUS", "Status", "status", if closed { "1" } else { "0" }),
            ]},
            {"category": 0, "label": "Agency Information", "fields": [field("UNIT_NAME", "Officer", "_unit_name", "Theo Marchetti")]},
        ],
    });
    if let (Some(id), Some(fields)) = (id, record.as_object_mut()) {
        fields.insert("id".to_owned(), id.into());
    }
    record
}
