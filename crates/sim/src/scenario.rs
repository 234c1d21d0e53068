//! Plays on the simulated CAD: a shift of a roleplay community, or single events on demand.
//!
//! It must never use anything but [`CadSim`]. Randomness comes from the [`Rng`], so that a seed repeats a shift.
//!
//! ```text
//! shift:    duty starts ─▶ [ open an incident | advance one | something else happens ]* ─▶ incidents end ─▶ duty ends ─▶ again
//! incident: 911 ─▶ dispatch, 911 removed ─▶ attach ─▶ en route ─▶ note ─▶ on scene ─▶ (priority rises, more units) ─▶ note ─▶ close
//! in game:  through the CAD's API, which raises no events
//! ```

mod cast;
mod in_game;
mod incident;
mod stage;

use std::time::Duration;

use fastrand::Rng;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use self::cast::{BOLOS, CASES, CAST, Case, page};
use self::incident::Incident;
use self::stage::{Stage, bolo_record};
use super::cad::{CadSim, RecordChange, Seen};

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

/// As [`FIRE`], for changes made in the game, which reach the CAD through its API and raise no event.
pub const IN_GAME: [(&str, &str); 4] = [
    ("taken", "In game: respond to a 911"),
    ("panic-key", "In game: panic key"),
    ("change", "In game: join a call"),
    ("close-in-game", "In game: close a call"),
];

/// How long the short scenario waits for the bot to read the CAD.
const READING: Duration = Duration::from_secs(45);

/// How long after its last event a read is trusted.
const SETTLED: Duration = Duration::from_secs(3);

/// Limit on open incidents.
const MAX_OPEN_INCIDENTS: usize = 3;

/// Turns of a shift before everybody goes off duty.
const TURNS: usize = 60;

/// Makes one event happen on the CAD's first server, with whatever it needs: a note on an empty board opens a call first.
/// Returns what happened.
///
/// # Errors
/// The name is neither in [`FIRE`] nor in [`IN_GAME`], or the CAD has no server.
pub fn fire(cad: &CadSim, name: &str) -> Result<String, String> {
    fire_with(cad, name, &mut Rng::new())
}

/// [`fire`] with a given random source.
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
        "taken" => stage.take_911(),
        "panic-key" => stage.panic_key(),
        "change" => stage.change_through_api(),
        "close-in-game" => stage.close_through_api(),
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
    Shift,
    Short,
}

impl Scenario {
    /// Shifts without end. At speed 1 something happens every 4 to 12 seconds; speed 2 halves the pauses.
    #[must_use]
    pub fn shift(speed: f64, rng: Rng) -> Self {
        Self { rng, speed: speed.clamp(0.01, 10_000.0), server: None, length: Length::Shift }
    }

    /// Every kind of event once, in about 12 seconds at speed 1, and changes that raise no event: if a reader polls the CAD, the scenario
    /// waits until it has seen them. Then it ends and leaves an empty board.
    #[must_use]
    pub fn short(speed: f64, rng: Rng) -> Self {
        Self { length: Length::Short, ..Self::shift(speed, rng) }
    }

    /// Plays on this server instead of the first one.
    #[must_use]
    pub fn on_server(mut self, server: i64) -> Self {
        self.server = Some(server);
        self
    }

    /// Plays until the end or until canceled. Canceling leaves the board as it is.
    pub async fn play(mut self, cad: &CadSim, cancel: CancellationToken) {
        let Some(server) = self.server.or_else(|| cad.servers().first().copied()) else { return };
        let mut rng = self.rng.fork();
        let mut stage = Stage { cad, server, rng: &mut rng };
        let play = async {
            match self.length {
                Length::Short => self.play_short(&mut stage).await,
                Length::Shift => loop {
                    self.play_shift(&mut stage).await;
                },
            }
        };
        tokio::select! {
            () = cancel.cancelled() => {}
            () = play => {}
        }
    }

    /// A random pause between two lengths, given in milliseconds at speed 1.
    async fn pause(&mut self, from: u64, to: u64) {
        let millis = self.rng.u64(from..=to);
        tokio::time::sleep(Duration::from_millis(millis).div_f64(self.speed)).await;
    }

    async fn play_shift(&mut self, stage: &mut Stage<'_>) {
        for actor in &CAST {
            if stage.ident_of(actor.num).is_none() {
                stage.start_duty(actor);
                self.pause(1_000, 4_000).await;
            }
        }
        let mut incidents: Vec<Incident> = Vec::new();
        for _ in 0..TURNS {
            let start = incidents.len() < MAX_OPEN_INCIDENTS && (incidents.is_empty() || stage.rng.u8(..100) < 30);
            if start {
                let in_game = stage.rng.u8(..4) == 0;
                incidents.push(Incident { in_game, ..Incident::new(stage.rng) });
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

    /// An event outside the incidents.
    async fn interlude(&mut self, stage: &mut Stage<'_>) {
        match stage.rng.u8(..12) {
            0 => {
                stage.panic_on();
                self.pause(10_000, 25_000).await;
                stage.panic_over();
            }
            9 => {
                stage.panic_key();
                self.pause(30_000, 45_000).await;
                stage.panic_over();
            }
            10 => {
                stage.change_through_api();
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
        self.pause(500, 500).await;
        let reserve = stage.reserve("K-3");
        // An incident that gets worse: the demo must show a rising priority.
        let worse: Vec<&Case> = CASES.iter().filter(|case| case.priority > 1 && !case.worse.is_empty()).collect();
        let case = stage.pick(worse).unwrap_or(&CASES[0]);
        let mut incident = Incident { case, ..Incident::new(stage.rng) };
        while incident.step < Incident::BEFORE_CLOSE && incident.go_on(stage) {
            self.pause(300, 400).await;
        }
        for name in ["civil", "edit", "911", "panic", "panic-over", "station", "pager", "tone", "taken", "change"] {
            if name == "panic-over" {
                self.pause(1_500, 1_500).await;
            }
            fire_with(cad, name, stage.rng).ok();
            self.pause(300, 400).await;
        }
        if let Some(ident) = reserve {
            stage.panic_key_of(ident);
        }
        if let Some((record, _)) = stage.bolo() {
            cad.record(server, RecordChange::Edit, &bolo_record(Some(record), &BOLOS[0], true));
            cad.record(server, RecordChange::Remove, &json!({"id": record}));
        }
        self.pause(300, 400).await;
        stage.move_about();
        if let Some(ident) = stage.ident_of("E-1") {
            cad.group_add(server, ident, "STATION 1");
            cad.group_rename(server, "STATION 1", "ENGINE 1");
            cad.group_remove(server, ident);
            cad.bodycam(server, ident, true);
            cad.push(server, "EVENT_PRINT_RECORD", json!({"identId": ident, "url": "https://files.example.org/records/1.pdf"}));
        }
        self.pause(300, 400).await;
        let sign = json!({"ids": [3, 8], "text1": "COLLISION AHEAD", "text2": "KEEP LEFT", "text3": ""});
        cad.push(server, "EVENT_STREETSIGN_UPDATED", json!({"signData": sign}));
        let account = "0d7e5b52-1f0c-4c6e-a1d9-6b9a3c2f8e10";
        cad.push(server, "EVENT_CHAR_SELECTED", json!({"accId": account, "id": 2451}));
        cad.push(server, "EVENT_COMMUNITY_LINK_VERIFIED", json!({"communityUserId": "license:5e1f", "accountUuid": account}));
        let callout = json!({"id": "c-1", "data": {
            "CalloutName": "Shoplifting", "CalloutDescriptions": ["A clerk holds a shoplifter."], "CalloutLocations": [{"x": 1.0, "y": 2.0, "z": 3.0}],
        }});
        cad.push(server, "EVENT_NEW_CALLOUT", json!({"callout": callout}));
        self.pause(300, 400).await;
        until_read(cad).await;
        if let Some(ident) = reserve {
            self.pause(1_500, 1_500).await;
            cad.panic(server, &[ident], false);
            self.pause(300, 400).await;
        }
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

/// Waits until units and calls were read after the last change. A reader trusts an event of the last seconds more than what it
/// read, so a read that is too early doesn't count.
async fn until_read(cad: &CadSim) {
    let readings = |part: &str| {
        let of = |path: &str| path.strip_prefix("/v2/emergency/servers/").is_some_and(|rest| rest.ends_with(part));
        cad.count(|seen| matches!(seen, Seen::Rest { method, path, status: 200, .. } if method == "GET" && of(path)))
    };
    if readings("/units") == 0 {
        return; // nobody reads
    }
    let wait = async {
        tokio::time::sleep(SETTLED).await;
        let before = (readings("/units"), readings("/calls"));
        while readings("/units") == before.0 || readings("/calls") == before.1 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    tokio::time::timeout(READING, wait).await.ok();
}

impl Incident {
    /// Takes the next step; false if it was the last one, or somebody else ended the incident.
    fn go_on(&mut self, stage: &mut Stage<'_>) -> bool {
        let (cad, server) = (stage.cad, stage.server);
        self.step += 1;
        match self.step {
            1 => match stage.place_case(self.case, self.place) {
                Some(number) => self.emergency = number,
                None => return false,
            },
            2 => {
                let taken = if self.in_game {
                    stage.take_case(self.case, self.place, self.emergency).map(|(number, _)| number)
                } else {
                    stage.dispatch_case(self.case, self.place, self.emergency)
                };
                match taken {
                    Some(number) => self.call = number,
                    None => return false,
                }
            }
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
