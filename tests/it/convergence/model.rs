//! Plays a scenario: what happens in the CAD, on the way, and on Discord, and what the bot can know of it.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use serde_json::{Value, json};
use tenfour::event::Source;
use tenfour::render::Style;
use tenfour::route::{Rule, Threads, When};
use tenfour_sim::cad::{CadOptions, CallSpec, DispatchSpec, UnitSpec};
use tenfour_sim::discord::{Bucket, Scope};

use super::cards::{Kind, each, key_of, sent_at, spelled};
use crate::stage::{PERIOD_MS, Stage};

/// A read may need a moment: the answer, recent events that outrank it (4 s), a delayed edit.
const SLACK_MS: i64 = 6_000;

/// After this time (ms), the bot may mistake one thing for another: the world's private `LATE`.
pub(super) const LATE_MS: i64 = 10_000;
/// After this time, the bot knows of each message that it was sent, whatever failed meanwhile.
pub(super) const KNOWN_MS: i64 = 30_000;
/// After this time a read has shown it, even if the CAD asked for half as many and one failed.
pub(super) const SURELY_READ_MS: i64 = 260_000;

/// A channel and what is routed to it.
pub(super) struct Watched {
    pub(super) channel: String,
    pub(super) kinds: &'static [Kind],
    pub(super) style: Style,
    pub(super) forum: bool,
    /// Pings people about everything; otherwise by the table of defaults.
    pub(super) always: bool,
    /// What moderators deleted, as it was.
    pub(super) deleted: Vec<Value>,
}

impl Watched {
    /// Whether a subject that is open, or was for long, has pinged.
    pub(super) fn calls_to(&self, kind: Kind, urgent: bool) -> bool {
        self.kinds.contains(&kind)
            && match kind {
                Kind::Emergency | Kind::Panic => true,
                Kind::Civil => self.always,
                Kind::Dispatch => self.always || urgent,
            }
    }
}

/// Event, what it shows, styles of which one is drawn, forum, rule.
pub(super) type Plan = (&'static str, &'static [Kind], &'static [Style], bool, Rule);

/// An event in transit.
pub(super) struct Parcel {
    pub(super) at: i64,
    pub(super) source: Source,
    pub(super) event: SentEvent,
}

/// An event as the CAD sent it.
#[derive(Clone)]
pub(super) struct SentEvent {
    pub(super) at: i64,
    /// The change that it is about: there may be several in one moment.
    pub(super) change: u32,
    pub(super) body: Value,
}

/// A call or panic as the CAD had it.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) began: i64,
    pub(super) change: u32,
    pub(super) ended: Option<(i64, u32)>,
    /// It was open before the bot started.
    pub(super) before_us: bool,
    /// Its creation arrived, early enough to be trusted.
    pub(super) seen_at: Option<i64>,
    /// For a panic: its end arrived early enough, too.
    pub(super) end_seen: bool,
    /// For a panic: the end of the previous one may have been missed or late, so the bot can't know that it is another panic.
    pub(super) blurred: bool,
}

pub(super) struct Scenario {
    pub(super) stage: Stage,
    pub(super) rng: Rng,
    pub(super) watched: Vec<Watched>,
    pub(super) board: Option<String>,
    pub(super) role: String,
    pub(super) way: Vec<Parcel>,
    pub(super) hub_up: bool,
    pub(super) forwarding: bool,
    /// Events that the CAD has raised and not sent yet.
    pub(super) outbox: Vec<SentEvent>,
    pub(super) changes: u32,
    pub(super) lives: BTreeMap<(Kind, i64), Vec<Life>>,
    /// How often an event about a unit's panic came so late that the bot may take it for another panic.
    pub(super) misleading: BTreeMap<i64, usize>,
    /// Calls whose creation came so long after their end that the bot may take it for another call with a reused number.
    pub(super) used_again: BTreeSet<(Kind, i64)>,
    /// The CAD has told the reader to poll half as often, for ten minutes.
    pub(super) limited: bool,
    pub(super) printed: bool,
    pub(super) names: u32,
}

impl Scenario {
    pub(super) async fn begin(seed: u64, printed: bool) -> Self {
        let mut rng = Rng::with_seed(seed);
        // In some scenarios Discord accepts few messages, so that cards share them; in some, ingest claims what it stores.
        let bucket = seed.is_multiple_of(3).then_some(Bucket { limit: 3, window_ms: 4_000 });
        let options = CadOptions { rate_limits: false, ..CadOptions::default() };
        let stage = Stage::before(options, bucket, seed.is_multiple_of(2)).await;
        let role = stage.discord.add_role(&stage.guild, "Officers", 0);
        stage.discord.set_mentionable(&stage.guild, &role, true);
        let mut watched = Vec::new();
        let always = || Rule { when: Some(When::Always), ..Rule::default() };
        let plans: [Plan; 5] = [
            ("all", &[Kind::Emergency, Kind::Civil, Kind::Dispatch, Kind::Panic], &[Style::Card, Style::Compact], false, Rule::default()),
            (
                "dispatch",
                &[Kind::Dispatch],
                &[Style::Card, Style::Compact, Style::Public],
                false,
                Rule { threads: Threads::Always, ..always() },
            ),
            ("911", &[Kind::Emergency], &[Style::Card, Style::Public], true, Rule::default()),
            ("panic", &[Kind::Panic], &[Style::Compact, Style::Card], false, Rule { threads: Threads::OnFirstNote, ..Rule::default() }),
            ("civil", &[Kind::Civil], &[Style::Public, Style::Card], false, always()),
        ];
        let wanted = rng.usize(1..=3);
        for _ in 0..wanted {
            let (event, kinds, styles, forum, rule) = plans[rng.usize(..plans.len())].clone();
            let style = styles[rng.usize(..styles.len())];
            let always = rule.when == Some(When::Always);
            let channel = stage.channel(event, Some(&role), style, forum, rule).await;
            watched.push(Watched { channel, kinds, style, forum, always, deleted: Vec::new() });
        }
        let forwarding = rng.bool();
        let board = if rng.u8(..3) == 0 { Some(stage.board().await) } else { None };
        let mut scenario = Self {
            stage,
            rng,
            watched,
            board,
            role,
            way: Vec::new(),
            hub_up: true,
            forwarding,
            outbox: Vec::new(),
            changes: 0,
            lives: BTreeMap::new(),
            misleading: BTreeMap::new(),
            used_again: BTreeSet::new(),
            limited: false,
            printed,
            names: 0,
        };
        scenario.stage.connected();
        // The first read may find a shift that began without us.
        if scenario.chance(30) {
            for _ in 0..scenario.rng.usize(1..6) {
                scenario.act();
            }
            scenario.outbox.clear();
            scenario.lives.values_mut().flatten().for_each(|life| life.before_us = true);
        }
        scenario.stage.turn().await;
        scenario
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.u32(..100) < percent
    }

    pub(super) fn say(&self, what: impl FnOnce() -> String) {
        if self.printed {
            println!("{:>9} ms  {}", self.stage.clock.now().since(crate::stage::BEGIN).as_millis(), what());
        }
    }

    /// Something happens or fails, and time passes.
    pub(super) async fn step(&mut self) {
        match self.rng.u32(..100) {
            0..70 => self.act(),
            70..78 => self.break_discord(),
            78..83 => {
                self.hub_up = !self.hub_up;
                self.say(|| format!("hub {}", if self.hub_up { "up" } else { "down" }));
                if self.hub_up {
                    self.stage.connected();
                }
            }
            83..86 => {
                self.say(|| "the bot dies and comes back".into());
                self.stage.restart().await;
                self.stage.connected();
            }
            86..88 => {
                self.say(|| "the bot dies with a post in hand".into());
                let channel = self.watched[self.rng.usize(..self.watched.len())].channel.clone();
                self.stage.die_with_a_claim(&channel).await;
                self.stage.connected();
            }
            88..91 => {
                self.say(|| "the CAD's API fails".into());
                let code = if self.limited { 500 } else { [500, 502, 429, 503][self.rng.usize(..4)] };
                self.limited |= code == 429;
                self.stage.cad.rest_status("/v2/emergency", code, 1, (code == 429).then_some(5));
            }
            91..95 => {
                self.say(|| "much happens at once".into());
                for _ in 0..self.rng.usize(5..20) {
                    self.act();
                }
            }
            95..98 => self.moderate(),
            _ => {}
        }
        self.dispatch_parcels();
        let ms = [0, 40, 300, 900, 2_500, 8_000, 25_000][self.rng.usize(..7)];
        self.pass(ms).await;
    }

    /// Time passes, parcels arrive, the bot works.
    async fn pass(&mut self, ms: i64) {
        let end = self.stage.clock.now().plus_ms(ms);
        loop {
            let now = self.stage.clock.now();
            while let Some(at) = self.way.iter().position(|parcel| parcel.at <= now.0) {
                let parcel = self.way.remove(at);
                self.say(|| format!("  arrives by {:?}: {}", parcel.source, parcel.event.body));
                self.note_arrival(&parcel.event);
                self.stage.arrive(parcel.source, &parcel.event.body).await;
            }
            self.stage.turn().await;
            if now >= end {
                return;
            }
            let next = self.way.iter().map(|parcel| parcel.at).min().unwrap_or(i64::MAX);
            let step = (end.0 - now.0).min(1_000).min(next.saturating_sub(now.0).max(1));
            self.stage.clock.advance(step);
        }
    }

    /// The CAD's events go out, or are lost.
    fn dispatch_parcels(&mut self) {
        let now = self.stage.clock.now().0;
        for event in std::mem::take(&mut self.outbox) {
            let lost = self.chance(5);
            self.say(|| format!("{}sends {}", if lost { "(lost) " } else { "" }, event.body));
            if lost {
                continue;
            }
            if self.hub_up {
                self.way.push(Parcel { at: now, source: Source::Hub, event: event.clone() });
            }
            let by_http = if self.hub_up { self.forwarding } else { self.chance(60) };
            if by_http {
                let very = self.chance(8);
                let late = if very { [14_000, 40_000].as_slice() } else { &[0, 0, 50, 700, 4_000, 8_000] };
                let at = now + late[self.rng.usize(..late.len())];
                self.way.push(Parcel { at, source: Source::Http, event });
            }
        }
    }

    /// Somebody deletes a message.
    fn moderate(&mut self) {
        let nth = self.rng.usize(..self.watched.len());
        let mut messages = self.stage.discord.messages(&self.watched[nth].channel);
        // A message deleted before the bot knows that it was sent is sent again: nobody could know better.
        let now = self.stage.clock.now().0;
        messages.retain(|message| now - sent_at(message) >= KNOWN_MS);
        if self.watched[nth].forum || messages.is_empty() {
            return;
        }
        let message = messages[self.rng.usize(..messages.len())].clone();
        self.say(|| format!("a moderator deletes {}", spelled(&message)));
        let id = message["id"].as_str().unwrap();
        assert!(self.stage.discord.delete_message(&self.watched[nth].channel, id));
        self.watched[nth].deleted.push(message);
    }

    /// Records what a change begins and ends in the CAD.
    fn observe(&mut self) {
        let now = self.stage.clock.now().0;
        let open: Vec<(Kind, i64)> = open(&self.stage.cad.open_state(1)).into_keys().collect();
        for (key, lives) in &mut self.lives {
            if let Some(life) = lives.last_mut().filter(|life| life.ended.is_none() && !open.contains(key)) {
                life.ended = Some((now, self.changes));
            }
        }
        for key in open {
            let lives = self.lives.entry(key).or_default();
            let last = lives.last();
            if last.is_some_and(|life| life.ended.is_none()) {
                continue;
            }
            let missed = |life: &Life| !life.end_seen && life.ended.is_none_or(|(ended, _)| now - ended < SURELY_READ_MS);
            let blurred = last.is_some_and(missed);
            lives.push(Life { began: now, change: self.changes, ended: None, before_us: false, seen_at: None, end_seen: false, blurred });
        }
    }

    /// Records what may be concluded from an event that arrives now.
    fn note_arrival(&mut self, event: &SentEvent) {
        let now = self.stage.clock.now().0;
        let (kind, data) = (event.body["type"].as_str().unwrap(), &event.body["data"]);
        let in_time = now - event.at <= 8_000;
        let number = |value: &Value| value.as_i64().unwrap();
        let made = match kind {
            "EVENT_911" => vec![(Kind::Emergency, number(&data["call"]["callId"])), (Kind::Civil, number(&data["call"]["callId"]))],
            "EVENT_DISPATCH_NEW" => vec![(Kind::Dispatch, number(&data["dispatch"]["callId"]))],
            _ => Vec::new(),
        };
        for key in made {
            let over = self.lives.get(&key).is_some_and(|lives| lives.iter().all(|life| life.ended.is_some()));
            if over && now - event.at > LATE_MS {
                self.used_again.insert(key);
            }
            if let Some(life) = self.lives.get_mut(&key).and_then(|lives| lives.last_mut()).filter(|_| in_time) {
                life.seen_at = life.seen_at.or(Some(now));
            }
        }
        let own = kind == "EVENT_UNIT_PANIC";
        let flags: Vec<(i64, bool)> = match kind {
            "EVENT_UNIT_PANIC" => {
                data["identIds"].as_array().unwrap().iter().map(|id| (number(id), data["isPanic"] == json!(true))).collect()
            }
            "EVENT_UNIT_UPDATE" => {
                data["units"].as_array().unwrap().iter().map(|unit| (number(&unit["id"]), unit["isPanic"] == json!(true))).collect()
            }
            "EVENT_UNIT_LOGOUT" => vec![(number(&data["identId"]), false)],
            _ => Vec::new(),
        };
        for (unit, on) in flags {
            let Some(lives) = self.lives.get_mut(&(Kind::Panic, unit)) else { continue };
            let Some(life) = lives.last_mut() else { continue };
            match (on, life.ended) {
                // Sent before it was over: as far as the bot can know, another one.
                (true, Some((_, ended))) if event.change < ended => *self.misleading.entry(unit).or_default() += 1,
                // Sent before it began, and the event doesn't say so.
                (false, None) if event.change < life.change && (own || now - life.began > LATE_MS) => {
                    life.blurred = true;
                    *self.misleading.entry(unit).or_default() += 1;
                }
                (true, None) if event.change >= life.change && in_time => life.seen_at = life.seen_at.or(Some(now)),
                // A unit's flag is trusted if it can't be older than the panic.
                (false, Some((_, ended))) if event.change >= ended && in_time => {
                    life.end_seen |= kind != "EVENT_UNIT_UPDATE" || life.seen_at.is_some_and(|began| now - began > LATE_MS);
                }
                _ => {}
            }
        }
    }

    fn break_discord(&mut self) {
        let discord = &self.stage.discord;
        let method = ["POST", "PATCH", "*"][self.rng.usize(..3)];
        let times = self.rng.u32(1..3);
        let what = self.rng.u32(..5);
        match what {
            0 => discord.fail(method, "/messages", 500, times),
            1 => discord.do_then_drop(method, "/messages", times),
            2 => discord.garbage(method, "/messages", times),
            3 => discord.rate_limit_next(Scope::User, 1_500, times),
            _ => discord.do_then_drop("POST", "/threads", times),
        }
        self.say(|| format!("Discord fails in way {what}, {times} times"));
    }

    /// Somebody does something in the CAD, on its pages or through its API.
    fn act(&mut self) {
        self.changes += 1;
        self.change();
        self.observe();
        let at = self.stage.clock.now().0;
        while let Ok((_, body)) = self.stage.events.try_recv() {
            self.outbox.push(SentEvent { at, change: self.changes, body });
        }
    }

    fn change(&mut self) {
        let by_api = self.chance(30);
        let cad = self.stage.cad.clone();
        let state = cad.open_state(1);
        let ids = |list: &str, name: &str| -> Vec<i64> {
            state[list].as_array().unwrap().iter().map(|one| one[name].as_i64().unwrap()).collect()
        };
        let (units, calls, waiting) = (ids("units", "id"), ids("activeCalls", "callId"), ids("emergencyCalls", "callId"));
        let unit = self.pick(&units);
        let call = self.pick(&calls);
        let emergency = self.pick(&waiting);
        self.names += 1;
        let name = self.names;
        let word = ["Alta St", "Mission Row", "Vespucci", "Grapeseed"][self.rng.usize(..4)];
        let level = i64::from(self.rng.u8(1..=3));
        let what = self.rng.u32(..20);
        self.say(|| format!("act {what}{} unit {unit:?} call {call:?} 911 {emergency:?}", if by_api { " by API" } else { "" }));
        // A new 911 raises an event even if the API creates it.
        let silent = by_api && !matches!(what, 4 | 5);
        cad.silently(silent);
        match (what, unit, call, emergency) {
            (0 | 1, ..) if units.len() < 6 => {
                let department = ["LSPD", "BCSO"][self.rng.usize(..2)].into();
                let page = [0, 0, 1, 3][self.rng.usize(..4)];
                cad.login(
                    1,
                    &UnitSpec {
                        num: format!("A-{name}"),
                        name: format!("Unit No{name}"),
                        department,
                        page,
                        status: 2,
                        ..UnitSpec::default()
                    },
                );
            }
            (2 | 18 | 19, Some(unit), ..) => {
                // Most often a unit that was in panic before: on, off and on again is the hard case.
                let again =
                    self.lives.keys().filter(|(kind, id)| *kind == Kind::Panic && units.contains(id)).map(|(_, id)| *id).next_back();
                let unit = again.filter(|_| self.rng.u8(..3) > 0).unwrap_or(unit);
                let on = state["units"].as_array().unwrap().iter().any(|u| u["id"] == unit && u["isPanic"] == json!(true));
                // The game sets the flag of the unit; the CAD's own button has an event of its own.
                match self.chance(40) {
                    true => cad.update_unit(1, unit, &json!({ "isPanic": !on })),
                    false => cad.panic(1, &[unit], !on),
                };
            }
            (3, Some(unit), ..) => {
                cad.status(1, &[unit], level + 1);
            }
            (4 | 5, ..) => {
                let emergency = what == 4;
                let spec = CallSpec {
                    emergency,
                    caller: format!("Caller {name}"),
                    location: word.into(),
                    description: format!("Trouble {name}"),
                    ..CallSpec::default()
                };
                cad.place_911(1, &spec);
            }
            (6, _, _, Some(emergency)) => {
                cad.remove_911(1, &[emergency]);
            }
            (7, unit, _, from) => {
                // The dispatch is created from the 911, which is removed.
                let idents = unit.into_iter().collect();
                let spec = DispatchSpec { origin_911: from, idents, ..dispatch(name, word, level) };
                cad.dispatch_new(1, &spec);
                if let Some(from) = from {
                    cad.remove_911(1, &[from]);
                }
            }
            (8 | 9, unit, ..) => {
                cad.dispatch_new(1, &DispatchSpec { idents: unit.into_iter().collect(), ..dispatch(name, word, level) });
            }
            (10 | 11, _, Some(call), _) => {
                let patch = match self.rng.u32(..3) {
                    0 => json!({ "priority": level }),
                    1 => json!({ "address": word, "postal": format!("{}", 9_000 + name) }),
                    _ => json!({ "title": format!("Retitled {name}"), "status": i64::from(self.rng.bool()) }),
                };
                cad.dispatch_edit(1, call, &patch);
            }
            (12, Some(unit), Some(call), _) => {
                cad.attach(1, call, &[unit]);
            }
            (13, Some(unit), Some(call), _) => {
                cad.detach(1, call, &[unit]);
            }
            (14, _, Some(call), _) => {
                cad.note(1, call, "D-1", &format!("Note {name}"));
            }
            (15, _, Some(call), _) => {
                cad.close(1, &[call]);
            }
            (16, Some(unit), ..) => {
                cad.update_unit(1, unit, &json!({ "location": word, "data": { "unitNum": format!("B-{name}") } }));
            }
            (1 | 17, Some(unit), ..) if what == 1 || units.len() > 4 => {
                cad.logout(1, unit);
            }
            _ => {}
        }
        cad.silently(false);
    }

    fn pick(&mut self, from: &[i64]) -> Option<i64> {
        if from.is_empty() { None } else { Some(from[self.rng.usize(..from.len())]) }
    }

    /// The faults end: what is in transit arrives, and one period passes.
    pub(super) async fn calm(&mut self) {
        self.dispatch_parcels();
        self.stage.discord.clear_faults();
        self.stage.cad.heal();
        if !self.hub_up {
            self.hub_up = true;
            self.stage.connected();
        }
        self.touch_what_was_deleted();
        let last = self.way.iter().map(|parcel| parcel.at).max().unwrap_or(0);
        self.pass(last.saturating_sub(self.stage.clock.now().0).max(0)).await;
        self.say(|| "calm".into());
        let periods = if self.limited { 2 } else { 1 };
        self.pass(periods * PERIOD_MS + SLACK_MS).await;
    }

    /// A deleted message comes back with the next change that every style shows: here it is.
    fn touch_what_was_deleted(&mut self) {
        let deleted: BTreeSet<(Kind, i64)> =
            self.watched.iter().flat_map(|watched| watched.deleted.iter().flat_map(each)).filter_map(|card| key_of(&card)).collect();
        for (kind, id) in deleted {
            self.changes += 1;
            match kind {
                Kind::Dispatch => drop(self.stage.cad.dispatch_edit(1, id, &json!({ "address": "Elgin Ave" }))),
                Kind::Panic => drop(self.stage.cad.update_unit(1, id, &json!({ "data": { "unitNum": format!("C-{id}") } }))),
                Kind::Emergency | Kind::Civil => {}
            }
        }
        let at = self.stage.clock.now().0;
        while let Ok((_, body)) = self.stage.events.try_recv() {
            self.say(|| format!("sends {body}"));
            self.way.push(Parcel { at, source: Source::Hub, event: SentEvent { at, change: self.changes, body } });
        }
    }
}

/// What the CAD has open.
pub(super) fn open(state: &Value) -> BTreeMap<(Kind, i64), &Value> {
    let list = |name: &str| state[name].as_array().unwrap().iter();
    let dispatches = list("activeCalls").map(|call| ((Kind::Dispatch, call["callId"].as_i64().unwrap()), call));
    let waiting = list("emergencyCalls").map(|call| {
        let kind = if call["isEmergency"] == json!(true) { Kind::Emergency } else { Kind::Civil };
        ((kind, call["callId"].as_i64().unwrap()), call)
    });
    let panics =
        list("units").filter(|unit| unit["isPanic"] == json!(true)).map(|unit| ((Kind::Panic, unit["id"].as_i64().unwrap()), unit));
    dispatches.chain(waiting).chain(panics).collect()
}

pub(super) fn dispatch(name: u32, word: &str, priority: i64) -> DispatchSpec {
    DispatchSpec {
        status: 1,
        priority,
        title: format!("Robbery {name}"),
        code: "211".into(),
        address: word.into(),
        postal: "9001".into(),
        description: format!("Story {name}"),
        ..DispatchSpec::default()
    }
}
