//! Random scenarios: the CAD changes on its own pages and through its API, connections drop, events are lost, duplicated or late, Discord
//! fails, moderators delete messages, the bot dies and restarts. When faults end, within one reconcile period every routed channel shows
//! exactly what the CAD has open: each call and panic once, each correct; and every role was pinged about each subject, but not twice.
//!
//! `TENFOUR_SEED=17` plays one scenario and prints it; `TENFOUR_SCENARIOS=50000` plays more of them, from `TENFOUR_FIRST_SEED` on.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use serde_json::{Value, json};
use tenfour::event::Source;
use tenfour::render::Style;
use tenfour::route::{Rule, Threads, When};
use tenfour_sim::cad::{CadOptions, CallSpec, DispatchSpec, UnitSpec};
use tenfour_sim::discord::{Bucket, Scope};

use crate::stage::{PERIOD_MS, Stage};

/// Messages that were created for several cards, over all scenarios.
static SHARED: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
/// Scenarios by default.
const SCENARIOS: u64 = 2_000;
/// A read may need a moment: the answer, recent events that outrank it (4 s), a delayed edit.
const SLACK_MS: i64 = 6_000;

#[test]
fn after_the_noise_every_channel_shows_what_is_open_and_nobody_was_called_twice() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds: Vec<u64> = match number("TENFOUR_SEED") {
        Some(seed) => vec![seed],
        None => {
            let first = number("TENFOUR_FIRST_SEED").unwrap_or(0);
            (first..first + number("TENFOUR_SCENARIOS").unwrap_or(SCENARIOS)).collect()
        }
    };
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get).min(seeds.len());
    let next = std::sync::atomic::AtomicUsize::new(0);
    let failed = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(seed) = seeds.get(next.fetch_add(1, std::sync::atomic::Ordering::SeqCst)) {
                    if failed.lock().unwrap().len() >= 3 {
                        return;
                    }
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                    let printed = seeds.len() == 1;
                    if let Err(why) = runtime.block_on(Scenario::play(*seed, printed)) {
                        failed.lock().unwrap().push(format!("TENFOUR_SEED={seed}: {why}"));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    let shared = SHARED.load(std::sync::atomic::Ordering::SeqCst);
    assert!(seeds.len() < 100 || shared * 100 > seeds.len(), "cards shared a message {shared} times only: nothing is proved of that");
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

/// After this time (ms), the bot may mistake one thing for another: the world's private `LATE`.
const LATE_MS: i64 = 10_000;
/// If something is open for this long, it was sent, whatever failed meanwhile.
const HOLD_MS: i64 = 60_000;
/// After this time, the bot knows of each message that it was sent, whatever failed meanwhile.
const KNOWN_MS: i64 = 30_000;
/// After this time a read has shown it, even if the CAD asked for half as many and one failed.
const SURELY_READ_MS: i64 = 260_000;

/// A channel and what is routed to it.
struct Watched {
    channel: String,
    kinds: &'static [Kind],
    style: Style,
    forum: bool,
    /// Pings people about everything; otherwise by the table of defaults.
    always: bool,
    /// What moderators deleted, as it was.
    deleted: Vec<Value>,
}

impl Watched {
    /// Whether a subject that is open, or was for long, has pinged.
    fn calls_to(&self, kind: Kind, urgent: bool) -> bool {
        self.kinds.contains(&kind)
            && match kind {
                Kind::Emergency | Kind::Panic => true,
                Kind::Civil => self.always,
                Kind::Dispatch => self.always || urgent,
            }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    Emergency,
    Civil,
    Dispatch,
    Panic,
}

/// Event, what it shows, styles of which one is drawn, forum, rule.
type Plan = (&'static str, &'static [Kind], &'static [Style], bool, Rule);

/// An event in transit.
struct Parcel {
    at: i64,
    source: Source,
    event: SentEvent,
}

/// An event as the CAD sent it.
#[derive(Clone)]
struct SentEvent {
    at: i64,
    /// The change that it is about: there may be several in one moment.
    change: u32,
    body: Value,
}

/// A call or panic as the CAD had it.
#[derive(Debug)]
struct Life {
    began: i64,
    change: u32,
    ended: Option<(i64, u32)>,
    /// It was open before the bot started.
    before_us: bool,
    /// Its creation arrived, early enough to be trusted.
    seen_at: Option<i64>,
    /// For a panic: its end arrived early enough, too.
    end_seen: bool,
    /// For a panic: the end of the previous one may have been missed or late, so the bot can't know that it is another panic.
    blurred: bool,
}

struct Scenario {
    stage: Stage,
    rng: Rng,
    watched: Vec<Watched>,
    board: Option<String>,
    role: String,
    way: Vec<Parcel>,
    hub_up: bool,
    forwarding: bool,
    /// Events that the CAD has raised and not sent yet.
    outbox: Vec<SentEvent>,
    changes: u32,
    lives: BTreeMap<(Kind, i64), Vec<Life>>,
    /// How often an event about a unit's panic came so late that the bot may take it for another panic.
    misleading: BTreeMap<i64, usize>,
    /// Calls whose creation came so long after their end that the bot may take it for another call with a reused number.
    used_again: BTreeSet<(Kind, i64)>,
    /// The CAD has told the reader to poll half as often, for ten minutes.
    limited: bool,
    printed: bool,
    names: u32,
}

type Outcome = Result<(), String>;

impl Scenario {
    async fn play(seed: u64, printed: bool) -> Outcome {
        // The bot's random choices are drawn here, on this thread.
        fastrand::seed(seed);
        let mut scenario = Self::begin(seed, printed).await;
        let steps = scenario.rng.usize(8..40);
        for _ in 0..steps {
            scenario.step().await;
        }
        scenario.calm().await;
        let outcome = scenario.judge().await;
        scenario.stage.end().await;
        outcome
    }

    async fn begin(seed: u64, printed: bool) -> Self {
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

    fn say(&self, what: impl FnOnce() -> String) {
        if self.printed {
            println!("{:>9} ms  {}", self.stage.clock.now().since(crate::stage::BEGIN), what());
        }
    }

    /// Something happens or fails, and time passes.
    async fn step(&mut self) {
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
        let end = self.stage.clock.now().plus(ms);
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
            let step = end.since(now).min(1_000).min(next.saturating_sub(now.0).max(1));
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
    async fn calm(&mut self) {
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

    async fn judge(&mut self) -> Outcome {
        for request in self.stage.discord.requests() {
            self.say(|| {
                format!(
                    "asked at {}: {} {} {} {}",
                    request["at_ms"], request["status"], request["method"], request["path"], request["body"]
                )
            });
        }
        self.every_request_names_its_mentions()?;
        let state = self.stage.cad.open_state(1);
        for watched in &self.watched {
            let cards = self.cards(watched).await;
            self.shows_what_is_open(watched, &cards, &state).map_err(|why| {
                let titles: Vec<String> = cards.iter().map(|card| format!("  {} / {}", title(card), footer(card))).collect();
                format!(
                    "channel for {:?} ({:?}, forum {}): {why}\n{}\nthe CAD: {}",
                    watched.kinds,
                    watched.style,
                    watched.forum,
                    titles.join("\n"),
                    state.to_string().chars().take(2_000).collect::<String>()
                )
            })?;
            self.called_once(watched, &state).await.map_err(|why| format!("channel for {:?}: {why}", watched.kinds))?;
        }
        self.board_shows_what_is_open(&state)?;
        let counts = self.stage.store.counts().await.unwrap();
        let problems = self.stage.store.problems(tenfour::ids::GuildId(self.stage.guild.parse().unwrap()), 20).await.unwrap();
        if counts.waiting > 0 || counts.failed > 0 {
            return Err(format!("posts are left: {counts:?}: {problems:?}"));
        }
        Ok(())
    }

    fn every_request_names_its_mentions(&self) -> Outcome {
        for request in self.stage.discord.requests() {
            let (method, path) = (request["method"].as_str().unwrap(), request["path"].as_str().unwrap());
            let message = match method {
                "POST" if path.ends_with("/messages") => &request["body"],
                "PATCH" if path.contains("/messages/") => &request["body"],
                "POST" if path.ends_with("/threads") && !path.contains("/messages/") => &request["body"]["message"],
                _ => continue,
            };
            if method == "POST" && message["embeds"].as_array().is_some_and(|embeds| embeds.len() > 1) {
                SHARED.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            }
            if message["allowed_mentions"]["parse"] != json!([]) {
                return Err(format!("without allowed_mentions: {request}"));
            }
            let roles = message["allowed_mentions"]["roles"].as_array().cloned().unwrap_or_default();
            if roles.iter().any(|role| *role != json!(self.role)) || !message["allowed_mentions"]["users"].is_null() {
                return Err(format!("somebody else could be called: {request}"));
            }
        }
        Ok(())
    }

    /// All messages of a channel, or of its forum posts, including replies and thread messages.
    async fn messages(&self, watched: &Watched) -> Vec<Value> {
        if !watched.forum {
            return self.stage.discord.messages(&watched.channel);
        }
        let snapshot = self.stage.discord.snapshot();
        let posts = snapshot["channels"].as_array().unwrap().iter().filter(|c| c["parent_id"] == json!(watched.channel));
        posts.flat_map(|post| self.stage.discord.messages(post["id"].as_str().unwrap())).collect()
    }

    /// The cards among them, separately even if several share a message.
    async fn cards(&self, watched: &Watched) -> Vec<Value> {
        let mut all: Vec<Value> = self.messages(watched).await.iter().flat_map(each).collect();
        all.retain(|message| message["message_reference"].is_null() && footer(message).contains('#'));
        all.retain(|message| !watched.forum || message["id"] == message["channel_id"]);
        all
    }

    fn shows_what_is_open(&self, watched: &Watched, cards: &[Value], state: &Value) -> Outcome {
        let mut wanted = open(state);
        wanted.retain(|(kind, _), _| watched.kinds.contains(kind));
        let mut shown = BTreeSet::new();
        for card in cards.iter().filter(|card| !is_over(card)) {
            let key = key_of(card).ok_or_else(|| format!("what is this? {}", spelled(card)))?;
            let fact = wanted.get(&key).ok_or_else(|| format!("{key:?} is shown as open and is not: {}", title(card)))?;
            if !shown.insert(key) {
                return Err(format!("{key:?} is shown twice"));
            }
            self.is_this_panic(key, card)?;
            match watched.style {
                Style::Card => right(key.0, card, fact, state),
                Style::Compact => right_in_a_line(key.0, card, fact),
                Style::Public | Style::Log => right_for_the_public(key.0, card, fact),
            }
            .map_err(|why| format!("{key:?} is wrong: {why}\n{}", spelled(card)))?;
        }
        // Nothing changes a waiting 911: it stays deleted.
        let deleted: Vec<Value> = watched.deleted.iter().flat_map(each).collect();
        let is_gone =
            |key: &(Kind, i64)| matches!(key.0, Kind::Emergency | Kind::Civil) && deleted.iter().any(|card| key_of(card) == Some(*key));
        match wanted.keys().find(|key| !shown.contains(key) && !is_gone(key)) {
            Some(missing) => Err(format!("{missing:?} is open and not shown")),
            None => Ok(()),
        }
    }

    /// An open panic has its own card, not that of the previous one, about which people were pinged long ago.
    fn is_this_panic(&self, key: (Kind, i64), card: &Value) -> Outcome {
        let life = self.lives.get(&key).and_then(|lives| lives.last()).filter(|life| !life.blurred);
        let Some(life) = life.filter(|_| key.0 == Kind::Panic && !self.misleading.contains_key(&key.1)) else { return Ok(()) };
        let since: jiff::Timestamp = card["embeds"][0]["timestamp"].as_str().unwrap().parse().unwrap();
        if since.as_millisecond() >= life.began { Ok(()) } else { Err(format!("{key:?} is shown as the panic of {since}: {life:?}")) }
    }

    /// One message with every unit and every call, and no call that is over.
    fn board_shows_what_is_open(&self, state: &Value) -> Outcome {
        let Some(board) = &self.board else { return Ok(()) };
        let messages = self.stage.discord.messages(board);
        let [message] = messages.as_slice() else { return Err(format!("{} messages for one board", messages.len())) };
        let text = message["embeds"].to_string();
        let (units, calls) = (state["units"].as_array().unwrap(), state["activeCalls"].as_array().unwrap());
        let missing = (units.iter().map(|unit| unit["data"]["unitNum"].as_str().unwrap().to_owned()))
            .chain(calls.iter().map(|call| call["title"].as_str().unwrap().to_owned()))
            .chain(state["emergencyCalls"].as_array().unwrap().iter().map(|call| call["description"].as_str().unwrap().to_owned()))
            .find(|word| !text.contains(word.as_str()));
        if let Some(missing) = missing {
            return Err(format!("the board lacks {missing:?}: {text}"));
        }
        // Numbers begin at 501 and grow.
        let open = |id: i64| calls.iter().any(|call| call["callId"] == json!(id));
        match (501..540).find(|id| !open(*id) && text.contains(&format!("#{id}"))) {
            Some(over) => Err(format!("the board shows call {over}, which is over: {text}")),
            None => Ok(()),
        }
    }

    async fn called_once(&self, watched: &Watched, state: &Value) -> Outcome {
        let mut all: Vec<Value> = self.messages(watched).await.iter().flat_map(each).collect();
        all.extend(watched.deleted.iter().flat_map(each));
        // A panic by its beginning too: one unit may have several.
        let mut pings: BTreeMap<(Kind, i64, String), usize> = BTreeMap::new();
        // For a message with several cards that pings, the cards it may have pinged about: they look different by now.
        let mut perhaps: BTreeSet<(Kind, i64)> = BTreeSet::new();
        let mention = format!("<@&{}>", self.role);
        let pinged = |message: &&Value| message["pinged"].as_array().is_some_and(|pinged| pinged.contains(&json!(mention)));
        for message in all.iter().filter(pinged) {
            if !is_spoken_of(message) {
                perhaps.extend(key_of(message));
                continue;
            }
            // A reply is under its card; in a forum, in the card's own post.
            let card = match message["message_reference"]["message_id"].as_str() {
                Some(id) => {
                    let there: Vec<&Value> = all.iter().filter(|card| card["id"] == json!(id)).collect();
                    // For a shared message, the card that the reply is about.
                    let said = message["content"].as_str().unwrap_or_default();
                    match there.as_slice() {
                        [] => None,
                        [alone] => Some(*alone),
                        several => match several.iter().find(|card| is_named_in(card, said)) {
                            Some(card) => Some(*card),
                            None => {
                                perhaps.extend(several.iter().filter_map(|card| key_of(card)));
                                continue;
                            }
                        },
                    }
                }
                None if key_of(message).is_some() => Some(message),
                None => all.iter().find(|card| card["id"] == message["channel_id"]),
            };
            // If its card was deleted, it is a message of its own.
            let meant = || {
                let mut requests = self.stage.discord.requests().into_iter().map(|request| request["body"].clone());
                let sent = requests.find(|body| body["content"] == message["content"] && !body["message_reference"].is_null())?;
                all.iter().find(|card| card["id"] == sent["message_reference"]["message_id"])
            };
            let card = card.or_else(meant).ok_or_else(|| format!("a ping for nothing: {}", spelled(message)))?;
            let (kind, id) = key_of(card).ok_or_else(|| format!("a ping for nothing: {}", spelled(message)))?;
            let began = card["embeds"][0]["timestamp"].as_str().filter(|_| kind == Kind::Panic);
            *pings.entry((kind, id, began.unwrap_or_default().to_owned())).or_default() += 1;
        }
        // One event or read with several panics pings once: about those that began at the same moment as the one that pinged.
        let moments: BTreeSet<String> = pings.keys().filter(|(kind, ..)| *kind == Kind::Panic).map(|(.., began)| began.clone()).collect();
        for card in &all {
            let began = card["embeds"][0]["timestamp"].as_str().unwrap_or_default();
            if let Some((Kind::Panic, id)) = key_of(card).filter(|_| moments.contains(began)) {
                pings.entry((Kind::Panic, id, began.to_owned())).or_insert(1);
            }
        }
        if let Some(((kind, id, began), count)) =
            pings.iter().find(|((kind, id, _), count)| **count > 1 && !self.used_again.contains(&(*kind, *id)))
        {
            return Err(format!("{kind:?} {id} {began} called {count} times"));
        }
        let called = |kind: Kind, id: i64| pings.keys().filter(|(k, i, _)| (*k, *i) == (kind, id)).count();
        for (&(kind, id), lives) in &self.lives {
            let called = called(kind, id);
            let most = lives.len() + self.misleading.get(&id).copied().unwrap_or(0);
            if kind == Kind::Panic && called > most {
                return Err(format!("panics of {id} called {called} times, {most} allowed: {lives:?}"));
            }
            let urgent =
                state["activeCalls"].as_array().unwrap().iter().any(|call| call["callId"] == json!(id) && call["priority"] == json!(1));
            let must = |life: &&Life| {
                let seen = match (life.ended, life.seen_at) {
                    (None, _) => true,
                    (Some((ended, _)), Some(seen_at)) => ended - seen_at >= HOLD_MS,
                    (Some(_), None) => false,
                };
                seen && !life.before_us && !life.blurred
            };
            let least = lives.iter().filter(must).count();
            if watched.calls_to(kind, urgent) && called < least && !perhaps.contains(&(kind, id)) {
                return Err(format!("{kind:?} {id} called {called} times, {least} wanted: {lives:?}"));
            }
        }
        let unknown = pings.keys().find(|(kind, id, _)| !self.lives.contains_key(&(*kind, *id)) || !watched.kinds.contains(kind));
        unknown.map_or(Ok(()), |unknown| Err(format!("called to {unknown:?}, which was never there")))
    }
}

/// What the CAD has open.
fn open(state: &Value) -> BTreeMap<(Kind, i64), &Value> {
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

fn dispatch(name: u32, word: &str, priority: i64) -> DispatchSpec {
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

/// A message for each of its cards: the same one, with one embed.
fn each(message: &Value) -> Vec<Value> {
    let embeds = message["embeds"].as_array().cloned().unwrap_or_default();
    let shared = embeds.len() > 1;
    let alone = |embed: Value| {
        let mut alone = message.clone();
        alone["embeds"] = json!([embed]);
        alone["shared"] = json!(shared);
        alone
    };
    if shared { embeds.into_iter().map(alone).collect() } else { vec![message.clone()] }
}

/// Whether a message that pings does so for this card of it: a shared one has a sentence for each card that it pings about. Names have
/// numbers: `Trouble 7`.
fn is_spoken_of(card: &Value) -> bool {
    if card["shared"] != json!(true) {
        return true;
    }
    is_named_in(card, card["content"].as_str().unwrap_or_default())
}

fn is_named_in(card: &Value, content: &str) -> bool {
    let number = footer(card).split(" · ").nth(1).filter(|about| about.contains('#'));
    if number.is_some_and(|number| content.ends_with(number) || content.contains(&format!("{number} "))) {
        return true;
    }
    let words: Vec<&str> = title(card).split_whitespace().collect();
    words.windows(2).filter(|pair| ["Trouble", "Robbery", "Retitled"].contains(&pair[0])).any(|pair| {
        let name = format!("{} {}", pair[0], pair[1]);
        content.match_indices(&name).any(|(at, _)| !content[at + name.len()..].starts_with(|c: char| c.is_ascii_digit()))
    })
}

/// Discord's ids contain the time, since its epoch.
fn sent_at(message: &Value) -> i64 {
    (message["id"].as_str().unwrap().parse::<i64>().unwrap() >> 22) + 1_420_070_400_000
}

fn title(card: &Value) -> &str {
    card["embeds"][0]["title"].as_str().unwrap_or_default()
}

fn footer(card: &Value) -> &str {
    card["embeds"][0]["footer"]["text"].as_str().unwrap_or_default()
}

fn spelled(card: &Value) -> String {
    let fields = card["embeds"][0]["fields"].as_array().cloned().unwrap_or_default();
    let fields: Vec<String> = fields.iter().map(|f| format!("    {} {}", f["name"], f["value"])).collect();
    format!("  {} {} / {}\n{}", card["content"], title(card), footer(card), fields.join("\n"))
}

fn is_over(card: &Value) -> bool {
    ["⬛", "☑️", "➡️", "✅"].iter().any(|mark| title(card).starts_with(mark))
}

/// `Server 1 · Call #501`.
fn key_of(card: &Value) -> Option<(Kind, i64)> {
    let about = footer(card).split(" · ").nth(1)?;
    let (kind, id) = about.split_once(" #")?;
    let kind = match kind {
        "911" => Kind::Emergency,
        "311" => Kind::Civil,
        "Call" => Kind::Dispatch,
        "Panic" => Kind::Panic,
        _ => return None,
    };
    Some((kind, id.parse().ok()?))
}

fn field(card: &Value, name: &str) -> String {
    let fields = card["embeds"][0]["fields"].as_array().cloned().unwrap_or_default();
    let found = fields.iter().find(|f| f["name"].as_str().is_some_and(|n| n.trim_start_matches("★ ") == name));
    found.and_then(|f| f["value"].as_str()).unwrap_or_default().to_owned()
}

/// Whether a card says what the CAD says.
fn right(kind: Kind, card: &Value, fact: &Value, state: &Value) -> Outcome {
    let same = |what: &str, shown: &str, expected: &str| {
        if shown == expected { Ok(()) } else { Err(format!("{what} is {shown:?}, the CAD says {expected:?}")) }
    };
    let text = |name: &str| text(fact, name);
    let holds = |what: &str| if title(card).contains(what) { Ok(()) } else { Err(format!("the title lacks {what:?}")) };
    match kind {
        Kind::Dispatch => {
            holds(&text("title"))?;
            same("the priority", &field(card, "Priority"), &format!("P{}", fact["priority"]))?;
            same("the address", &field(card, "Address"), &text("address"))?;
            same("the postal", &field(card, "Postal"), &text("postal"))?;
            same("the status", &field(card, "Status"), if fact["status"] == json!(0) { "Pending" } else { "Active" })?;
            let mut units: Vec<String> = Vec::new();
            for ident in fact["idents"].as_array().unwrap() {
                let unit = state["units"].as_array().unwrap().iter().find(|unit| unit["id"] == *ident);
                let Some(unit) = unit else { continue };
                let star = if fact["primary"] == *ident { " ★" } else { "" };
                units.push(format!("{} {}{star}", emoji(&unit["status"]), unit["data"]["unitNum"].as_str().unwrap()));
            }
            let shown = field(card, "Units");
            let mut shown: Vec<String> = if shown == "Nobody yet" { Vec::new() } else { shown.split(" · ").map(str::to_owned).collect() };
            shown.sort();
            units.sort();
            if shown != units {
                return Err(format!("units {shown:?}, the CAD says {units:?}"));
            }
            let last = fact["notes"].as_array().and_then(|notes| notes.last());
            let said = last.map(|note| note["content"].as_str().unwrap().to_owned()).unwrap_or_default();
            let fields = card["embeds"][0]["fields"].as_array().cloned().unwrap_or_default();
            let noted = fields.iter().find(|f| f["name"].as_str().is_some_and(|n| n.starts_with("Last")));
            let shown = noted.and_then(|f| f["value"].as_str()).unwrap_or_default();
            if !shown.ends_with(&said) || (said.is_empty() && !shown.is_empty()) {
                return Err(format!("last note {shown:?}, the CAD says {said:?}"));
            }
            Ok(())
        }
        Kind::Emergency | Kind::Civil => {
            holds(&text("description"))?;
            same("the caller", &field(card, "Caller"), &text("caller"))?;
            same("the location", &field(card, "Location"), &text("location"))
        }
        Kind::Panic => holds(fact["data"]["unitNum"].as_str().unwrap()),
    }
}

/// Compact: kind, place and priority, in the title alone.
fn right_in_a_line(kind: Kind, card: &Value, fact: &Value) -> Outcome {
    let wanted: Vec<String> = match kind {
        Kind::Dispatch => vec![format!("P{} ", fact["priority"]), text(fact, "title"), text(fact, "address")],
        Kind::Emergency | Kind::Civil => vec![text(fact, "description"), text(fact, "location")],
        Kind::Panic => vec![text(&fact["data"], "unitNum")],
    };
    let embed = &card["embeds"][0];
    if let Some(missing) = wanted.iter().find(|wanted| !title(card).contains(wanted.as_str())) {
        return Err(format!("the title lacks {missing:?}"));
    }
    if embed["description"].is_null() && embed["fields"].as_array().is_none_or(Vec::is_empty) {
        Ok(())
    } else {
        Err("more than a line".into())
    }
}

/// Public: kind, street and status, and nothing that people wrote.
fn right_for_the_public(kind: Kind, card: &Value, fact: &Value) -> Outcome {
    let (street, word) = match (kind, &fact["status"]) {
        (Kind::Dispatch, status) => (text(fact, "address"), if *status == json!(0) { "Pending" } else { "Active" }),
        (Kind::Emergency | Kind::Civil, _) => (text(fact, "location"), "Waiting"),
        (Kind::Panic, _) => (text(fact, "location"), "On"),
    };
    if (field(card, "Street"), field(card, "State").as_str()) != (street.clone(), word) || !title(card).contains(&street) {
        return Err(format!("it should be {street:?} and {word:?}"));
    }
    if kind == Kind::Dispatch && !title(card).contains(&format!("P{} ", fact["priority"])) {
        return Err(format!("the title lacks P{}", fact["priority"]));
    }
    let said = format!("{}{}", card["embeds"], card["content"]);
    let secret = ["Trouble", "Robbery", "Retitled", "Story", "Caller ", "Note ", "9001", "A-", "B-", "No1"].into_iter();
    secret.into_iter().find(|secret| said.contains(secret)).map_or(Ok(()), |secret| Err(format!("the public reads {secret:?}")))
}

fn text(fact: &Value, name: &str) -> String {
    fact[name].as_str().unwrap_or_default().to_owned()
}

fn emoji(status: &Value) -> &'static str {
    match status.as_i64() {
        Some(0) => "⚫",
        Some(1) => "🟠",
        Some(2) => "🟢",
        Some(3) => "🔵",
        Some(4) => "🔴",
        _ => "?",
    }
}
