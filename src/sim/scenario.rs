//! Somebody who plays on the simulated CAD: an evening of a roleplay community, or single events on demand.
//!
//! It must never speak to anything but [`CadSim`]. Randomness comes in with the [`Rng`], so that a seed repeats an evening.
//!
//! ```text
//! evening:  duty starts ─▶ [ open an incident | go on with one | something else happens ]* ─▶ incidents end ─▶ duty ends ─▶ again
//! incident: 911 ─▶ dispatch, 911 removed ─▶ attach ─▶ en route ─▶ note ─▶ on scene ─▶ (priority rises, more units) ─▶ note ─▶ close
//! ```

mod cast;

use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use self::cast::{Actor, BOLOS, CASES, CAST, CIVIL, Case, PLACES, Place, page};
use super::cad::{CadSim, CallSpec, DispatchSpec, RecordChange, UnitSpec};

/// Names for [`fire`], each with a label for people.
pub const FIRE: [(&str, &str); 14] = [
    ("911", "911 call"),
    ("civil", "Civil call"),
    ("panic", "Panic button"),
    ("panic-over", "Panic over"),
    ("dispatch", "Dispatch a call"),
    ("edit", "Raise the priority"),
    ("note", "Add a note"),
    ("attach", "Attach a unit"),
    ("close", "Close a call"),
    ("bolo", "BOLO"),
    ("station", "Station alert"),
    ("pager", "Pager"),
    ("tone", "Tone"),
    ("duty", "On or off duty"),
];

/// Incidents open at a time.
const AT_ONCE: usize = 3;

/// Turns of an evening before everybody goes home.
const TURNS: usize = 60;

/// Makes one event happen on the CAD's first server, with whatever has to be there for it: a note on an empty board opens a call first.
/// Says what happened.
///
/// # Errors
/// The name is not in [`FIRE`], or the CAD has no server.
pub fn fire(cad: &CadSim, name: &str) -> Result<String, String> {
    fire_with(cad, name, &mut Rng::new())
}

/// [`fire`] with given randomness.
///
/// # Errors
/// As [`fire`].
pub fn fire_with(cad: &CadSim, name: &str, rng: &mut Rng) -> Result<String, String> {
    let server = cad.servers().first().copied().ok_or("The CAD has no server.")?;
    let mut stage = Stage { cad, server, rng };
    let said = match name {
        "911" => stage.place_911().map(|(_, said)| said),
        "civil" => stage.civil(),
        "panic" => stage.panic_on().map(|(_, said)| said),
        "panic-over" => stage.panic_over(),
        "dispatch" => stage.dispatch().map(|(_, said)| said),
        "edit" => stage.raise(),
        "note" => stage.note(),
        "attach" => stage.attach(),
        "close" => stage.close(),
        "bolo" => stage.bolo().map(|(_, said)| said),
        "station" => stage.station(),
        "pager" => stage.pager(),
        "tone" => stage.tone(),
        "duty" => stage.duty(),
        other => return Err(format!("There is no event named '{other}'.")),
    };
    said.ok_or_else(|| format!("The CAD has no use for '{name}' now."))
}

/// What is played, and how fast.
#[derive(Clone, Debug)]
pub struct Scenario {
    rng: Rng,
    speed: f64,
    server: Option<i64>,
    length: Length,
}

#[derive(Clone, Copy, Debug)]
enum Length {
    Evening,
    Short,
}

impl Scenario {
    /// Evenings without end. At speed 1 something happens every 4 to 12 seconds; speed 2 halves the pauses.
    #[must_use]
    pub fn evening(speed: f64, rng: Rng) -> Self {
        Self { rng, speed: speed.clamp(0.01, 10_000.0), server: None, length: Length::Evening }
    }

    /// Every kind of event once, in about 3 seconds at speed 1; then it ends and leaves an empty board.
    #[must_use]
    pub fn short(speed: f64, rng: Rng) -> Self {
        Self { length: Length::Short, ..Self::evening(speed, rng) }
    }

    /// Plays on this server instead of the first one.
    #[must_use]
    pub fn on_server(mut self, server: i64) -> Self {
        self.server = Some(server);
        self
    }

    /// Plays until the end or until cancelled, whatever comes first. Cancelling leaves the board as it is.
    pub async fn play(mut self, cad: &CadSim, cancel: CancellationToken) {
        let Some(server) = self.server.or_else(|| cad.servers().first().copied()) else { return };
        let mut rng = self.rng.fork();
        let mut stage = Stage { cad, server, rng: &mut rng };
        let play = async {
            match self.length {
                Length::Short => self.play_short(&mut stage).await,
                Length::Evening => loop {
                    self.play_evening(&mut stage).await;
                },
            }
        };
        tokio::select! {
            () = cancel.cancelled() => {}
            () = play => {}
        }
    }

    /// A pause between two lengths, given in milliseconds at speed 1.
    async fn pause(&mut self, from: u64, to: u64) {
        let millis = self.rng.u64(from..=to);
        tokio::time::sleep(Duration::from_millis(millis).div_f64(self.speed)).await;
    }

    async fn play_evening(&mut self, stage: &mut Stage<'_>) {
        for actor in &CAST {
            if stage.ident_of(actor.num).is_none() {
                stage.start_duty(actor);
                self.pause(1_000, 4_000).await;
            }
        }
        let mut incidents: Vec<Incident> = Vec::new();
        for _ in 0..TURNS {
            let start = incidents.len() < AT_ONCE && (incidents.is_empty() || stage.rng.u8(..100) < 30);
            if start {
                incidents.push(Incident::new(stage.rng));
            } else if stage.rng.u8(..100) < 25 {
                self.interlude(stage).await;
            } else {
                let index = stage.rng.usize(..incidents.len());
                if let Some(incident) = incidents.get_mut(index)
                    && !incident.go_on(stage)
                {
                    incidents.swap_remove(index);
                }
            }
            self.pause(4_000, 12_000).await;
        }
        for mut incident in incidents {
            while incident.go_on(stage) {
                self.pause(2_000, 6_000).await;
            }
        }
        while stage.close_one().is_some() {
            self.pause(1_000, 3_000).await;
        }
        stage.clear_911s();
        for unit in stage.units() {
            stage.cad.logout(stage.server, unit.ident);
            self.pause(500, 2_000).await;
        }
        self.pause(20_000, 40_000).await;
    }

    /// Something beside the incidents.
    async fn interlude(&mut self, stage: &mut Stage<'_>) {
        match stage.rng.u8(..10) {
            0 => {
                stage.panic_on();
                self.pause(10_000, 25_000).await;
                stage.panic_over();
            }
            1 => {
                stage.station();
                self.pause(1_000, 3_000).await;
                stage.tone();
            }
            2 => {
                stage.pager();
            }
            3 => {
                stage.bolo();
            }
            4 => {
                stage.tone();
            }
            5 => {
                stage.duty();
            }
            6 => {
                stage.move_about();
            }
            7 => stage.settle_civil(),
            _ => {
                stage.civil();
            }
        }
    }

    async fn play_short(&mut self, stage: &mut Stage<'_>) {
        let (cad, server) = (stage.cad, stage.server);
        for actor in &CAST {
            stage.start_duty(actor);
        }
        self.pause(150, 150).await;
        let mut incident = Incident::new(stage.rng);
        while incident.step < Incident::BEFORE_CLOSE && incident.go_on(stage) {
            self.pause(100, 150).await;
        }
        for name in ["civil", "edit", "panic", "panic-over", "station", "pager", "tone"] {
            fire_with(cad, name, stage.rng).ok();
            self.pause(80, 120).await;
        }
        if let Some((record, _)) = stage.bolo() {
            cad.record(server, RecordChange::Edit, &bolo_record(Some(record), &BOLOS[0], true));
            cad.record(server, RecordChange::Remove, &json!({"id": record}));
        }
        self.pause(80, 120).await;
        stage.move_about();
        if let Some(ident) = stage.ident_of("E-1") {
            cad.group_add(server, ident, "STATION 1");
            cad.group_rename(server, "STATION 1", "ENGINE 1");
            cad.group_remove(server, ident);
            cad.bodycam(server, ident, true);
            cad.push(server, "EVENT_PRINT_RECORD", json!({"identId": ident, "url": "https://files.example.org/records/1.pdf"}));
        }
        self.pause(80, 120).await;
        let sign = json!({"ids": [3, 8], "text1": "COLLISION AHEAD", "text2": "KEEP LEFT", "text3": ""});
        cad.push(server, "EVENT_STREETSIGN_UPDATED", json!({"signData": sign}));
        let account = "0d7e5b52-1f0c-4c6e-a1d9-6b9a3c2f8e10";
        cad.push(server, "EVENT_CHAR_SELECTED", json!({"accId": account, "id": 2451}));
        cad.push(server, "EVENT_COMMUNITY_LINK_VERIFIED", json!({"communityUserId": "license:5e1f", "accountUuid": account}));
        let callout = json!({"id": "c-1", "data": {
            "CalloutName": "Shoplifting", "CalloutDescriptions": ["A clerk holds a shoplifter."], "CalloutLocations": [{"x": 1.0, "y": 2.0, "z": 3.0}],
        }});
        cad.push(server, "EVENT_NEW_CALLOUT", json!({"callout": callout}));
        self.pause(80, 120).await;
        if let Some((call, idents)) = stage.open_call_with_units() {
            cad.detach(server, call, &idents);
        }
        while stage.close_one().is_some() {}
        stage.clear_911s();
        for unit in stage.units() {
            cad.logout(server, unit.ident);
        }
    }
}

/// One case from the 911 to the close, a step at a time.
struct Incident {
    case: &'static Case,
    place: &'static Place,
    step: u8,
    emergency: i64,
    call: i64,
    crew: Vec<i64>,
}

impl Incident {
    /// The step that closes the call.
    const BEFORE_CLOSE: u8 = 9;

    fn new(rng: &mut Rng) -> Self {
        let case = CASES.get(rng.usize(..CASES.len())).unwrap_or(&CASES[0]);
        let place = PLACES.get(rng.usize(..PLACES.len())).unwrap_or(&PLACES[0]);
        Self { case, place, step: 0, emergency: 0, call: 0, crew: Vec::new() }
    }

    /// Takes the next step; false when it was the last one, or somebody else ended the incident.
    fn go_on(&mut self, stage: &mut Stage<'_>) -> bool {
        let (cad, server) = (stage.cad, stage.server);
        self.step += 1;
        match self.step {
            1 => match stage.place_case(self.case, self.place) {
                Some(number) => self.emergency = number,
                None => return false,
            },
            2 => match stage.dispatch_case(self.case, self.place, self.emergency) {
                Some(number) => self.call = number,
                None => return false,
            },
            3 => {
                self.crew = stage.free(self.case.page, 2);
                cad.attach(server, self.call, &self.crew);
                cad.status(server, &self.crew, 3);
            }
            4 => return cad.note(server, self.call, "D-1", self.case.notes[0]),
            5 => {
                for &ident in &self.crew {
                    stage.locate(ident, self.place);
                }
                cad.status(server, &self.crew, 4);
            }
            6 if !self.case.worse.is_empty() => {
                let description = format!("{} {}", self.case.report, self.case.worse);
                return cad.dispatch_edit(server, self.call, &json!({"priority": 1, "description": description}));
            }
            7 if !self.case.worse.is_empty() => {
                let more = stage.free(page::POLICE, 1);
                cad.attach(server, self.call, &more);
                cad.status(server, &more, 3);
                self.crew.extend(more);
            }
            8 => {
                let label = self.crew.first().and_then(|&ident| stage.num_of(ident)).unwrap_or_else(|| "D-1".to_owned());
                return cad.note(server, self.call, &label, self.case.notes[1]);
            }
            Self::BEFORE_CLOSE.. => {
                cad.close(server, &[self.call]);
                cad.status(server, &self.crew, 2);
                return false;
            }
            _ => {}
        }
        true
    }
}

/// A unit on duty, as far as the scenario cares.
struct Unit {
    ident: i64,
    num: String,
    page: i64,
    status: i64,
    panic: bool,
}

/// The board as it stands, and the hands that change it. The methods say what they did; `None` if the CAD would not.
struct Stage<'a> {
    cad: &'a CadSim,
    server: i64,
    rng: &'a mut Rng,
}

impl Stage<'_> {
    fn units(&self) -> Vec<Unit> {
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
        open.get("units").and_then(Value::as_array).map(|units| units.iter().filter_map(read).collect()).unwrap_or_default()
    }

    fn numbers(&self, list: &str) -> Vec<i64> {
        let open = self.cad.open_state(self.server);
        let calls = open.get(list).and_then(Value::as_array).cloned().unwrap_or_default();
        calls.iter().filter_map(|call| call.get("callId")?.as_i64()).collect()
    }

    fn ident_of(&self, num: &str) -> Option<i64> {
        self.units().into_iter().find(|unit| unit.num == num).map(|unit| unit.ident)
    }

    fn num_of(&self, ident: i64) -> Option<String> {
        self.units().into_iter().find(|unit| unit.ident == ident).map(|unit| unit.num)
    }

    fn pick<T>(&mut self, mut list: Vec<T>) -> Option<T> {
        if list.is_empty() {
            return None;
        }
        let index = self.rng.usize(..list.len());
        Some(list.swap_remove(index))
    }

    fn place(&mut self) -> &'static Place {
        self.pick(PLACES.iter().collect()).unwrap_or(&PLACES[0])
    }

    fn start_duty(&mut self, actor: &Actor) -> Option<i64> {
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

    /// A unit in the field; calls one on duty if there is none.
    fn somebody(&mut self, wanted: impl Fn(&Unit) -> bool) -> Option<Unit> {
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

    /// Available units of a page, police standing in for nobody left; at most `count`.
    fn free(&mut self, page: i64, count: usize) -> Vec<i64> {
        let mut free: Vec<Unit> = self.units().into_iter().filter(|unit| unit.page != page::DISPATCH && unit.status == 2).collect();
        self.rng.shuffle(&mut free);
        free.sort_by_key(|unit| unit.page != page);
        free.into_iter().take(count).map(|unit| unit.ident).collect()
    }

    fn locate(&mut self, ident: i64, place: &Place) {
        let coordinates = json!({"x": place.x, "y": place.y, "z": 30.0, "w": f64::from(self.rng.u16(..360))});
        self.cad.update_unit(self.server, ident, &json!({"location": place.address, "coordinates": coordinates}));
    }

    fn move_about(&mut self) -> Option<String> {
        let (unit, place) = (self.somebody(|_| true)?, self.place());
        self.locate(unit.ident, place);
        Some(format!("{} is at {}.", unit.num, place.address))
    }

    fn place_case(&mut self, case: &Case, place: &Place) -> Option<i64> {
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

    fn place_911(&mut self) -> Option<(i64, String)> {
        let incident = Incident::new(self.rng);
        let number = self.place_case(incident.case, incident.place)?;
        Some((number, format!("911 call {number}: {}", incident.case.title)))
    }

    fn civil(&mut self) -> Option<String> {
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

    /// Makes a dispatch of a case and removes the 911 it came from.
    fn dispatch_case(&mut self, case: &Case, place: &Place, emergency: i64) -> Option<i64> {
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

    /// Dispatches a waiting 911, or one that comes in for it.
    fn dispatch(&mut self) -> Option<(i64, String)> {
        if self.free(page::POLICE, 1).is_empty() {
            self.somebody(|unit| unit.status == 2);
        }
        let open = self.cad.open_state(self.server);
        let waiting = open.get("emergencyCalls").and_then(Value::as_array).cloned().unwrap_or_default();
        let known = waiting.iter().rev().find_map(|call| {
            let text = |name: &str| call.get(name).and_then(Value::as_str);
            let case = CASES.iter().find(|case| text("description") == Some(case.report))?;
            let place = PLACES.iter().find(|place| text("location") == Some(place.address))?;
            Some((case, place, call.get("callId")?.as_i64()?))
        });
        let (case, place, emergency) = match known {
            Some(known) => known,
            None => {
                let incident = Incident::new(self.rng);
                (incident.case, incident.place, self.place_case(incident.case, incident.place)?)
            }
        };
        let number = self.dispatch_case(case, place, emergency)?;
        Some((number, format!("911 call {emergency} became dispatch {number}: {}", case.title)))
    }

    /// Some open dispatch; makes one if there is none.
    fn open_call(&mut self) -> Option<i64> {
        let open = self.numbers("activeCalls");
        match self.pick(open) {
            Some(number) => Some(number),
            None => self.dispatch().map(|(number, _)| number),
        }
    }

    fn idents_of(&self, call: i64) -> Vec<i64> {
        let open = self.cad.open_state(self.server);
        let calls = open.get("activeCalls").and_then(Value::as_array).cloned().unwrap_or_default();
        let call = calls.iter().find(|other| other.get("callId").and_then(Value::as_i64) == Some(call));
        let idents = call.and_then(|call| call.get("idents")?.as_array().cloned()).unwrap_or_default();
        idents.iter().filter_map(Value::as_i64).collect()
    }

    fn open_call_with_units(&self) -> Option<(i64, Vec<i64>)> {
        self.numbers("activeCalls").into_iter().map(|call| (call, self.idents_of(call))).find(|(_, idents)| !idents.is_empty())
    }

    /// Raises an open call to priority 1; one that is there already is lowered first, so that something rises.
    fn raise(&mut self) -> Option<String> {
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

    fn note(&mut self) -> Option<String> {
        let number = self.open_call()?;
        let notes = CASES.iter().flat_map(|case| case.notes).collect();
        let text = self.pick(notes)?;
        let label = self.idents_of(number).first().and_then(|&ident| self.num_of(ident)).unwrap_or_else(|| "D-1".to_owned());
        self.cad.note(self.server, number, &label, text).then(|| format!("{label} added a note to dispatch {number}."))
    }

    fn attach(&mut self) -> Option<String> {
        let mut number = self.open_call()?;
        let mut there = self.idents_of(number);
        let mut unit = self.somebody(|unit| !there.contains(&unit.ident));
        if unit.is_none() {
            // Everybody is on it: there has to be another call.
            number = self.dispatch()?.0;
            there = self.idents_of(number);
            unit = self.somebody(|unit| !there.contains(&unit.ident));
        }
        let unit = unit?;
        self.cad.attach(self.server, number, &[unit.ident]).then_some(())?;
        self.cad.status(self.server, &[unit.ident], 3);
        Some(format!("{} was attached to dispatch {number}.", unit.num))
    }

    fn close(&mut self) -> Option<String> {
        self.open_call()?;
        self.close_one()
    }

    fn close_one(&mut self) -> Option<String> {
        let open = self.numbers("activeCalls");
        let number = self.pick(open)?;
        let crew = self.idents_of(number);
        self.cad.close(self.server, &[number]);
        self.cad.status(self.server, &crew, 2);
        Some(format!("Dispatch {number} was closed."))
    }

    /// The oldest civil call is done with.
    fn settle_civil(&mut self) {
        let open = self.cad.open_state(self.server);
        let calls = open.get("emergencyCalls").and_then(Value::as_array).cloned().unwrap_or_default();
        let civil = calls.iter().find(|call| call.get("isEmergency").and_then(Value::as_bool) == Some(false));
        if let Some(number) = civil.and_then(|call| call.get("callId")?.as_i64()) {
            self.cad.remove_911(self.server, &[number]);
        }
    }

    fn clear_911s(&self) {
        self.cad.remove_911(self.server, &self.numbers("emergencyCalls"));
    }

    fn panic_on(&mut self) -> Option<(i64, String)> {
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
        let said = format!("{} pressed the panic button at {}.", unit.num, place.address);
        self.cad.panic(self.server, &[unit.ident], true).then_some((unit.ident, said))
    }

    fn panic_over(&mut self) -> Option<String> {
        let ident = match self.units().into_iter().find(|unit| unit.panic) {
            Some(unit) => unit.ident,
            None => self.panic_on()?.0,
        };
        let num = self.num_of(ident)?;
        self.cad.panic(self.server, &[ident], false).then(|| format!("{num} is safe."))
    }

    fn bolo(&mut self) -> Option<(i64, String)> {
        let bolo = self.pick(BOLOS.to_vec())?;
        let id = self.cad.record(self.server, RecordChange::Add, &bolo_record(None, &bolo, false))?;
        Some((id, format!("BOLO {id}: {}", bolo.1)))
    }

    fn station(&mut self) -> Option<String> {
        let place = self.place();
        let message = format!("Structure fire, {}, smoke showing.", place.address);
        let sent = self.cad.station_alert(self.server, "LSFD Station 1", &["Bay 1", "Bay 2"], &["Bay 3"], &message);
        sent.then(|| "LSFD Station 1 was alerted.".to_owned())
    }

    fn pager(&mut self) -> Option<String> {
        let unit = self.somebody(|unit| unit.page != page::POLICE)?;
        let body = format!("Second alarm, report to staging at {}.", self.place().address);
        let sent = self.cad.pager(self.server, &["STATION-1", "BATTALION"], &[unit.ident], "Emergency", &body);
        sent.then(|| format!("{} was paged.", unit.num))
    }

    fn tone(&mut self) -> Option<String> {
        let mut targets = vec![json!({"type": 3, "value": "LSFD", "label": "LSFD"})];
        if let Some(number) = self.numbers("activeCalls").first() {
            targets.push(json!({"type": 1, "value": number, "label": format!("Dispatch Call {number}")}));
        }
        let sent = self.cad.tone(self.server, "https://tones.example.org/structure-fire.mp3", &Value::Array(targets));
        sent.then(|| "A tone was played to LSFD.".to_owned())
    }

    /// Somebody absent comes on duty; with everybody there, one who is free leaves.
    fn duty(&mut self) -> Option<String> {
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

/// A BOLO as a custom record; `id` of an existing one, and whether it is closed.
fn bolo_record(id: Option<i64>, (plate, vehicle, why): &(&str, &str, &str), closed: bool) -> Value {
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
