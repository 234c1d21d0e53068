//! Random evenings: the CAD changes by its own pages and through its API, connections drop, events are lost, doubled or late, Discord fails,
//! the bot dies and comes back. When the noise stops, within one reconcile period every routed channel shows exactly what the CAD has open:
//! each call and panic once, each right; and nobody was called twice to one thing.
//!
//! `TENFOUR_SEED=17` plays one evening and tells it; `TENFOUR_HISTORIES=50000` plays more of them, from `TENFOUR_FIRST_SEED` on.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use serde_json::{Value, json};
use tenfour::event::Source;
use tenfour::render::Style;
use tenfour::route::{Rule, Threads, When};
use tenfour::sim::cad::{CadOptions, CallSpec, DispatchSpec, UnitSpec};
use tenfour::sim::discord::{Bucket, Scope};

use crate::stage::{PERIOD_MS, Stage};

/// Messages that were made for several cards, over all evenings.
static SHARED: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
/// Evenings played by the gate.
const HISTORIES: u64 = 2_000;
/// Readings may need a moment: the answer, what an event had just touched (4 s), a gathered edit.
const SLACK_MS: i64 = 6_000;

#[test]
fn after_the_noise_every_channel_shows_what_is_open_and_nobody_was_called_twice() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds: Vec<u64> = match number("TENFOUR_SEED") {
        Some(seed) => vec![seed],
        None => {
            let first = number("TENFOUR_FIRST_SEED").unwrap_or(0);
            (first..first + number("TENFOUR_HISTORIES").unwrap_or(HISTORIES)).collect()
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
                    let told = seeds.len() == 1;
                    if let Err(why) = runtime.block_on(Evening::play(*seed, told)) {
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

/// A channel and what is routed to it.
struct Watched {
    channel: String,
    kinds: &'static [Kind],
    style: Style,
    forum: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    Emergency,
    Civil,
    Dispatch,
    Panic,
}

/// An event on its way.
struct Parcel {
    at: i64,
    source: Source,
    body: Value,
}

struct Evening {
    stage: Stage,
    rng: Rng,
    watched: Vec<Watched>,
    board: Option<String>,
    role: String,
    way: Vec<Parcel>,
    hub_up: bool,
    forwarding: bool,
    /// False→true edges of each unit's panic, as the CAD had them.
    edges: BTreeMap<i64, usize>,
    /// The CAD has told the reader to ask less: twice as seldom for ten minutes.
    limited: bool,
    told: bool,
    names: u32,
}

type Outcome = Result<(), String>;

impl Evening {
    async fn play(seed: u64, told: bool) -> Outcome {
        let mut evening = Self::begin(seed, told).await;
        let steps = evening.rng.usize(8..40);
        for _ in 0..steps {
            evening.step().await;
        }
        evening.calm().await;
        let outcome = evening.judge().await;
        evening.stage.end().await;
        outcome
    }

    async fn begin(seed: u64, told: bool) -> Self {
        let mut rng = Rng::with_seed(seed);
        // Some evenings Discord takes few messages, so that cards share them; some evenings ingest claims what it stores.
        let bucket = seed.is_multiple_of(3).then_some(Bucket { limit: 3, window_ms: 4_000 });
        let options = CadOptions { rate_limits: false, ..CadOptions::default() };
        let stage = Stage::before(options, bucket, seed.is_multiple_of(2)).await;
        let role = stage.discord.add_role(&stage.guild, "Officers", 0);
        stage.discord.set_mentionable(&stage.guild, &role, true);
        let mut watched = Vec::new();
        let always = || Rule { when: Some(When::Always), ..Rule::default() };
        let plans: [(&str, &'static [Kind], Style, bool, Rule); 5] = [
            ("all", &[Kind::Emergency, Kind::Civil, Kind::Dispatch, Kind::Panic], Style::Card, false, Rule::default()),
            ("dispatch", &[Kind::Dispatch], Style::Card, false, Rule { threads: Threads::Always, ..always() }),
            ("911", &[Kind::Emergency], Style::Card, true, Rule::default()),
            ("panic", &[Kind::Panic], Style::Compact, false, Rule { threads: Threads::OnFirstNote, ..Rule::default() }),
            ("civil", &[Kind::Civil], Style::Public, false, always()),
        ];
        let wanted = rng.usize(1..=3);
        for _ in 0..wanted {
            let (event, kinds, style, forum, rule) = plans[rng.usize(..plans.len())].clone();
            let channel = stage.channel(event, Some(&role), style, forum, rule).await;
            watched.push(Watched { channel, kinds, style, forum });
        }
        let forwarding = rng.bool();
        let board = if rng.u8(..3) == 0 { Some(stage.board().await) } else { None };
        let mut evening = Self {
            stage,
            rng,
            watched,
            board,
            role,
            way: Vec::new(),
            hub_up: true,
            forwarding,
            edges: BTreeMap::new(),
            limited: false,
            told,
            names: 0,
        };
        evening.stage.connected();
        // The first reading is of an evening that may have begun without us.
        if evening.chance(30) {
            for _ in 0..evening.rng.usize(1..6) {
                evening.act();
            }
            while evening.stage.events.try_recv().is_ok() {}
        }
        evening.stage.turn().await;
        evening
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.u32(..100) < percent
    }

    fn say(&self, what: impl FnOnce() -> String) {
        if self.told {
            println!("{:>9} ms  {}", self.stage.clock.now().since(crate::stage::BEGIN), what());
        }
    }

    /// Something happens, or goes wrong, and time passes.
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
                self.say(|| format!("  arrives by {:?}: {}", parcel.source, parcel.body));
                self.stage.arrive(parcel.source, &parcel.body).await;
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

    /// What the CAD has told goes its ways, or is lost.
    fn dispatch_parcels(&mut self) {
        let now = self.stage.clock.now().0;
        while let Ok((_, body)) = self.stage.events.try_recv() {
            let late = |rng: &mut Rng| now + [0, 0, 50, 700, 4_000, 8_000][rng.usize(..6)];
            let lost = self.chance(5);
            self.say(|| format!("{}tells {body}", if lost { "(lost) " } else { "" }));
            if lost {
                continue;
            }
            if self.hub_up {
                self.way.push(Parcel { at: now, source: Source::Hub, body: body.clone() });
            }
            let by_http = if self.hub_up { self.forwarding } else { self.chance(60) };
            if by_http {
                let at = late(&mut self.rng);
                self.way.push(Parcel { at, source: Source::Http, body });
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

    /// Somebody does something in the CAD, by its pages or by its API.
    fn act(&mut self) {
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
        let what = self.rng.u32(..18);
        self.say(|| format!("act {what}{} unit {unit:?} call {call:?} 911 {emergency:?}", if by_api { " by API" } else { "" }));
        // A new 911 is told also when the API makes it.
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
            (2, Some(unit), ..) => {
                let on = state["units"].as_array().unwrap().iter().any(|u| u["id"] == unit && u["isPanic"] == json!(true));
                if !on {
                    *self.edges.entry(unit).or_default() += 1;
                }
                cad.panic(1, &[unit], !on);
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
                // Taken: the dispatch is made of the 911, which goes.
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

    /// The noise stops: what is under way arrives, and one period passes.
    async fn calm(&mut self) {
        self.dispatch_parcels();
        self.stage.discord.clear_faults();
        self.stage.cad.heal();
        if !self.hub_up {
            self.hub_up = true;
            self.stage.connected();
        }
        let last = self.way.iter().map(|parcel| parcel.at).max().unwrap_or(0);
        self.pass(last.saturating_sub(self.stage.clock.now().0).max(0)).await;
        self.say(|| "calm".into());
        let periods = if self.limited { 2 } else { 1 };
        self.pass(periods * PERIOD_MS + SLACK_MS).await;
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
            self.nobody_called_twice(watched).await.map_err(|why| format!("channel for {:?}: {why}", watched.kinds))?;
        }
        self.board_shows_what_is_open(&state)?;
        let counts = self.stage.store.counts().await.unwrap();
        if counts.pending > 0 || counts.failed > 0 {
            return Err(format!(
                "posts are left: {counts:?}: {:?}",
                self.stage.store.problems(tenfour::ids::GuildId(self.stage.guild.parse().unwrap()), 5).await
            ));
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
        }
        Ok(())
    }

    /// Messages of a channel, or of its forum posts, all of them; replies and what stands in threads too.
    async fn messages(&self, watched: &Watched) -> Vec<Value> {
        if !watched.forum {
            return self.stage.discord.messages(&watched.channel);
        }
        let snapshot = self.stage.discord.snapshot();
        let posts = snapshot["channels"].as_array().unwrap().iter().filter(|c| c["parent_id"] == json!(watched.channel));
        posts.flat_map(|post| self.stage.discord.messages(post["id"].as_str().unwrap())).collect()
    }

    /// The cards among them, each by itself although several may share a message.
    async fn cards(&self, watched: &Watched) -> Vec<Value> {
        let mut all: Vec<Value> = self.messages(watched).await.iter().flat_map(each).collect();
        all.retain(|message| message["message_reference"].is_null() && footer(message).contains('#'));
        all.retain(|message| !watched.forum || message["id"] == message["channel_id"]);
        all
    }

    fn shows_what_is_open(&self, watched: &Watched, cards: &[Value], state: &Value) -> Outcome {
        let mut wanted: BTreeMap<(Kind, i64), &Value> = BTreeMap::new();
        for call in state["activeCalls"].as_array().unwrap() {
            wanted.insert((Kind::Dispatch, call["callId"].as_i64().unwrap()), call);
        }
        for call in state["emergencyCalls"].as_array().unwrap() {
            let kind = if call["isEmergency"] == json!(true) { Kind::Emergency } else { Kind::Civil };
            wanted.insert((kind, call["callId"].as_i64().unwrap()), call);
        }
        for unit in state["units"].as_array().unwrap().iter().filter(|unit| unit["isPanic"] == json!(true)) {
            wanted.insert((Kind::Panic, unit["id"].as_i64().unwrap()), unit);
        }
        wanted.retain(|(kind, _), _| watched.kinds.contains(kind));
        let mut shown = BTreeSet::new();
        for card in cards.iter().filter(|card| !is_over(card)) {
            let key = key_of(card).ok_or_else(|| format!("what is this? {}", spelled(card)))?;
            let fact = wanted.get(&key).ok_or_else(|| format!("{key:?} is shown as open and is not: {}", title(card)))?;
            if !shown.insert(key) {
                return Err(format!("{key:?} is shown twice"));
            }
            if watched.style == Style::Card {
                right(key.0, card, fact, state).map_err(|why| format!("{key:?} is wrong: {why}\n{}", spelled(card)))?;
            }
        }
        match wanted.keys().find(|key| !shown.contains(key)) {
            Some(missing) => Err(format!("{missing:?} is open and not shown")),
            None => Ok(()),
        }
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

    async fn nobody_called_twice(&self, watched: &Watched) -> Outcome {
        let all: Vec<Value> = self.messages(watched).await.iter().flat_map(each).collect();
        let mut pings: BTreeMap<(Kind, i64), usize> = BTreeMap::new();
        let mention = format!("<@&{}>", self.role);
        let pinged = |message: &&Value| message["pinged"].as_array().is_some_and(|pinged| pinged.contains(&json!(mention)));
        for message in all.iter().filter(pinged).filter(|message| is_spoken_of(message)) {
            // A reply stands under its card; in a forum, in the card's own post.
            let card = match message["message_reference"]["message_id"].as_str() {
                Some(id) => {
                    let mut there = all.iter().filter(|card| card["id"] == json!(id));
                    // Of a shared message, the card that the answer speaks of.
                    let speaks_of = |card: &&Value| is_named_in(card, message["content"].as_str().unwrap_or_default());
                    there.clone().find(speaks_of).or_else(|| there.next())
                }
                None if key_of(message).is_some() => Some(message),
                None => all.iter().find(|card| card["id"] == message["channel_id"]),
            };
            let key = card.and_then(key_of).ok_or_else(|| format!("a ping for nothing: {}", spelled(message)))?;
            *pings.entry(key).or_default() += 1;
        }
        for ((kind, id), count) in pings {
            let allowed = if kind == Kind::Panic { self.edges.get(&id).copied().unwrap_or(0) } else { 1 };
            if count > allowed {
                return Err(format!("{kind:?} {id} called {count} times, {allowed} allowed"));
            }
        }
        Ok(())
    }
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

/// Whether a message that calls people does so for this card of it: a shared one says a sentence for each card that it calls to. Names are
/// numbered: `Trouble 7`.
fn is_spoken_of(card: &Value) -> bool {
    if card["shared"] != json!(true) {
        return true;
    }
    is_named_in(card, card["content"].as_str().unwrap_or_default())
}

fn is_named_in(card: &Value, content: &str) -> bool {
    let words: Vec<&str> = title(card).split_whitespace().collect();
    words.windows(2).filter(|pair| ["Trouble", "Robbery", "Retitled"].contains(&pair[0])).any(|pair| {
        let name = format!("{} {}", pair[0], pair[1]);
        content.match_indices(&name).any(|(at, _)| !content[at + name.len()..].starts_with(|c: char| c.is_ascii_digit()))
    })
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
    let same = |what: &str, shown: &str, told: &str| {
        if shown == told { Ok(()) } else { Err(format!("{what} is {shown:?}, the CAD says {told:?}")) }
    };
    let text = |name: &str| fact[name].as_str().unwrap_or_default().to_owned();
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
