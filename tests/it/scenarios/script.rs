//! The steps of a scenario: reads them from its file, and plays them on a stage.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use futures_util::FutureExt as _;
use serde_json::{Map, Value};
use tenfour::clock::UnixMs;
use tenfour::event::{Source, listed_dispatch, listed_emergency, listed_unit};
use tenfour::ids::{ChannelId, GuildId, RoleId, RouteId, UserId};
use tenfour::render::{Labels, Style};
use tenfour::route::{BoardKind, Criterion, Listens, Mute, Quiet, RouteSpec, Rule, Threads, When};
use tenfour::store::AddRoute;
use tenfour::world::{ListedCalls, ListedUnits, Listing};

use super::shown::Seen;
use crate::stage::{BEGIN, Stage};

/// How long a scenario continues after its last step (ms).
const AFTERWARDS: i64 = 10_000;

/// One line: when, what.
#[derive(Debug)]
pub(crate) struct Step {
    place: String,
    /// Milliseconds since the beginning.
    at: i64,
    words: Vec<String>,
    json: Option<Value>,
}

impl Step {
    /// The fixture that it plays.
    pub(crate) fn fixture(&self) -> Option<&str> {
        (self.words.get(1)? == "fixture").then(|| self.words.get(2).map(String::as_str))?
    }

    fn word(&self, nth: usize) -> &str {
        self.words.get(nth).map_or("", String::as_str)
    }

    fn option(&self, name: &str) -> Option<&str> {
        self.words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }
}

pub(crate) fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/push-events")
}

/// What `let` has named.
#[derive(Default)]
pub(crate) struct Words(Vec<(String, String)>);

impl Words {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn truncate(&mut self, len: usize) {
        self.0.truncate(len);
    }

    pub(crate) fn learn(&mut self, lines: &[(usize, &str)], place: &impl Fn(usize) -> String) {
        assert!(self.steps(lines, place).is_empty(), "steps before the first scenario");
    }

    /// Turns lines into steps. An unfinished JSON text continues in the next line.
    pub(crate) fn steps(&mut self, lines: &[(usize, &str)], place: &impl Fn(usize) -> String) -> Vec<Step> {
        let mut steps = Vec::new();
        let (mut at, mut begun) = (0, None);
        for (number, line) in lines {
            let line = line.trim();
            if line.is_empty() || line.starts_with("//") {
                continue;
            }
            if let Some((name, meaning)) = line.strip_prefix("let ").and_then(|rest| rest.split_once(" = ")) {
                let meaning = self.said(meaning);
                // Longer names first: `$A10` is not `$A1` and a 0.
                self.0.push((format!("${name}"), meaning));
                continue;
            }
            let (first, text) = begun.take().unwrap_or((*number, String::new()));
            let text = format!("{text} {}", self.said(line));
            match step(text.trim(), place(first), at) {
                Some(step) => {
                    at = step.at;
                    steps.push(step);
                }
                None => begun = Some((first, text)),
            }
        }
        if let Some((first, text)) = begun {
            panic!("{}: JSON without an end: {text}", place(first));
        }
        steps
    }

    fn said(&self, line: &str) -> String {
        let mut words: Vec<&(String, String)> = self.0.iter().collect();
        words.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        words.into_iter().fold(line.to_owned(), |line, (name, meaning)| line.replace(name, meaning))
    }
}

/// `None`: its JSON continues.
fn step(line: &str, place: String, before: i64) -> Option<Step> {
    let (time, rest) = line.split_once(' ').unwrap_or((line, ""));
    let (at, line) = offset(time).map_or((before, line), |at| (at, rest.trim()));
    assert!(at >= before, "{place}: time runs forward");
    let json = line.find([' ']).and_then(|_| line.find(['{', '[']));
    let (words, json) = line.split_at(json.unwrap_or(line.len()));
    let json = if json.is_empty() {
        None
    } else {
        match serde_json::from_str(json) {
            Err(error) if error.is_eof() => return None,
            parsed => Some(parsed.unwrap_or_else(|error| panic!("{place}: {error}: {json}"))),
        }
    };
    Some(Step { place, at, words: words.split_whitespace().map(str::to_owned).collect(), json })
}

/// `1:02` and `1:00:02.5` in milliseconds.
fn offset(text: &str) -> Option<i64> {
    let parts: Vec<&str> = text.split(':').collect();
    let (seconds, larger) = parts.split_last().filter(|(_, larger)| !larger.is_empty())?;
    let minutes = larger.iter().try_fold(0, |sum, part| Some(sum * 60 + i64::from_str(part).ok()?))?;
    let (whole, tenths) = seconds.split_once('.').unwrap_or((seconds, "0"));
    Some((minutes * 60 + i64::from_str(whole).ok()?) * 1_000 + i64::from_str(tenths).ok()? * 100)
}

struct Play {
    stage: Stage,
    seen: Seen,
    roles: BTreeMap<String, String>,
    channels: BTreeMap<String, String>,
    routes: BTreeMap<(String, String), RouteId>,
    down: bool,
}

/// Plays a scenario. Returns everything that is shown at its end, and the requests that led to it.
pub(crate) async fn play(steps: &[Step]) -> Result<String, String> {
    let mut stage = Stage::new().await;
    stage.reads = false;
    let seen = Seen::new(&stage.guild);
    let mut play = Play { stage, seen, roles: BTreeMap::new(), channels: BTreeMap::new(), routes: BTreeMap::new(), down: false };
    for step in steps {
        play.until(step.at).await;
        let played = AssertUnwindSafe(play.step(step)).catch_unwind().await;
        played.map_err(|_| format!("{}: this step cannot be played", step.place))?.map_err(|why| format!("{}: {why}", step.place))?;
    }
    if steps.last().is_some_and(|step| step.word(0) != "end") {
        play.until(steps.last().map_or(0, |step| step.at) + AFTERWARDS).await;
    } else {
        play.turn().await;
    }
    let shown = play.seen.shown(&play.stage.discord);
    play.stage.end().await;
    Ok(shown)
}

impl Play {
    async fn turn(&mut self) {
        if !self.down {
            self.stage.turn().await;
        }
        self.seen.look(&self.stage.discord);
    }

    /// Time passes in whole seconds, so that whatever waits for a random moment goes at a known one.
    async fn until(&mut self, at: i64) {
        let end = BEGIN.plus_ms(at);
        let began = self.stage.clock.now();
        while self.stage.clock.now() < end {
            self.turn().await;
            let now = self.stage.clock.now();
            let grain = if now.since(began) < Duration::from_secs(20) { 1_000 } else { 10_000 };
            let next = (now.0 / grain + 1) * grain;
            self.stage.clock.advance(next.min(end.0) - now.0);
        }
        if end > began {
            self.turn().await;
        }
    }

    async fn step(&mut self, step: &Step) -> Result<(), String> {
        let json = || step.json.clone().unwrap_or_default();
        let discord = self.stage.discord.clone();
        let guild = GuildId(self.stage.guild.parse().unwrap());
        match step.word(0) {
            "hub" | "http" => {
                let source = if step.word(0) == "hub" { Source::Hub } else { Source::Http };
                let body = match step.fixture() {
                    Some(name) => serde_json::from_slice(&std::fs::read(fixtures().join(format!("{name}.json"))).unwrap()).unwrap(),
                    None => serde_json::json!({ "key": "k", "type": step.word(1), "data": json() }),
                };
                self.stage.arrive(source, &body).await;
            }
            "units" | "calls" => {
                let asked_at = step.option("asked").and_then(offset).map_or(self.stage.clock.now(), |at| BEGIN.plus_ms(at));
                self.stage.list(listing(step, &json(), asked_at)).await;
            }
            "route" => self.route(step).await?,
            "unroute" => {
                let id = self.routes.remove(&(step.word(1).to_owned(), step.word(2).to_owned())).ok_or("no such route")?;
                self.stage.store.remove_route(guild, id).await.unwrap();
                self.stage.rerouted().await;
            }
            "labels" => {
                let labels: Labels = serde_json::from_value(json()).map_err(|error| error.to_string())?;
                self.stage.store.set_labels(guild, Some(labels)).await.unwrap();
                self.stage.rerouted().await;
            }
            "quiet" => {
                let quiet = Quiet::new(step.word(1), step.word(2), step.word(3), step.word(4) == "panic");
                self.stage.store.set_quiet(guild, Some(quiet.map_err(|error| error.to_string())?)).await.unwrap();
                self.stage.rerouted().await;
            }
            "board" => {
                let kind = BoardKind::parse(step.word(2)).ok_or("no such board")?;
                let channel = self.channel(step.word(1), 0);
                self.stage.store.add_board(guild, channel, kind, None, UserId(1), self.stage.clock.now()).await.unwrap();
                self.stage.rerouted().await;
            }
            "delete" => {
                let (channel, message) = self.seen.find(step.word(1)).ok_or("no such message")?;
                assert!(discord.delete_message(&channel, &message), "it was deleted before");
            }
            "discord" => {
                let (method, path) = (step.word(2), step.word(3));
                let times = step.word(4).parse().unwrap_or(1);
                match step.word(1) {
                    "heals" => discord.clear_faults(),
                    "loses-answer" => discord.do_then_drop(method, path, times),
                    status => discord.fail(method, path, status.parse().map_err(|_| "no such fault")?, times),
                }
            }
            "down" => {
                self.stage.stop();
                self.down = true;
            }
            "up" => {
                self.stage.restart().await;
                self.down = false;
            }
            "turn" => self.turn().await,
            "end" => {}
            other => return Err(format!("no such step: {other}")),
        }
        Ok(())
    }

    fn channel(&mut self, name: &str, kind: u8) -> ChannelId {
        let (discord, guild) = (&self.stage.discord, &self.stage.guild);
        let id = self.channels.entry(name.to_owned()).or_insert_with(|| discord.add_channel(guild, name.trim_start_matches('#'), kind));
        self.seen.channel(id, name, kind == 15);
        ChannelId(id.parse().unwrap())
    }

    /// Creates a route, or gives it exactly these settings.
    async fn route(&mut self, step: &Step) -> Result<(), String> {
        let (name, event) = (step.word(1), step.word(2));
        let flag = |flag: &str| step.words.iter().any(|word| word == flag);
        let forum = flag("forum");
        let channel = self.channel(name, if forum { 15 } else { 0 });
        let role = step.option("role").map(|name| {
            let (discord, guild) = (&self.stage.discord, &self.stage.guild);
            let id = self.roles.entry(name.to_owned()).or_insert_with(|| {
                let role = discord.add_role(guild, name, 0);
                discord.set_mentionable(guild, &role, true);
                role
            });
            self.seen.role(id, name);
            RoleId(id.parse().unwrap())
        });
        let style = match step.option("style").unwrap_or("card") {
            "card" => Style::Card,
            "compact" => Style::Compact,
            "log" => Style::Log,
            "public" => Style::Public,
            other => return Err(format!("no such style: {other}")),
        };
        let now = self.stage.clock.now();
        let mut rule = Rule::default();
        for criterion in Criterion::ALL {
            if let Some(typed) = step.option(criterion.as_str()) {
                rule.filter.change(criterion, typed).map_err(|error| error.to_string())?;
            }
        }
        rule.when = step.option("when").map(|word| When::parse(word).unwrap());
        rule.cooldown_s = step.option("cooldown").map(|seconds| seconds.parse().unwrap());
        rule.threads = step.option("threads").map(|word| Threads::parse(word).unwrap()).unwrap_or_default();
        let mute = step.option("mute").map(|time| Mute::parse_for(time).unwrap());
        rule.mute = mute.map(|length| Mute { until: now.plus(length), panic: flag("mute-panics") });
        let guild = GuildId(self.stage.guild.parse().unwrap());
        let event = Listens::parse(event).ok_or("no such event")?;
        let new = RouteSpec { event, channel, server: None, role, style, forum, rule: Rule::default() };
        let made = self.stage.store.add_route(guild, new, UserId(1), now).await.unwrap();
        let (AddRoute::Added(id) | AddRoute::Changed(id) | AddRoute::Same(id)) = made else { return Err("too many routes".into()) };
        self.stage.store.change_rule(guild, id, move |known| *known = rule).await.unwrap();
        self.routes.insert((name.to_owned(), step.word(2).to_owned()), id);
        self.stage.rerouted().await;
        Ok(())
    }
}

/// `units [..]` (all of them, unless `some` stands before) and `calls {"active": [..], "emergency": [..], "closed": [..]}`.
fn listing(step: &Step, json: &Value, asked_at: UnixMs) -> Listing {
    fn all<T>(rows: &Value, read: impl Fn(&Map<String, Value>) -> Option<T>) -> Vec<T> {
        rows.as_array().into_iter().flatten().map(|row| read(row.as_object().unwrap()).unwrap()).collect()
    }
    let listing = Listing { asked_at, ..Listing::default() };
    if step.word(0) == "units" {
        return Listing { units: Some(ListedUnits { units: all(json, listed_unit), complete: step.word(1) != "some" }), ..listing };
    }
    let calls = ListedCalls {
        dispatches: all(&json["active"], listed_dispatch),
        emergencies: all(&json["emergency"], listed_emergency),
        closed: all(&json["closed"], listed_dispatch),
        ..ListedCalls::default()
    };
    Listing { calls: Some(calls), ..listing }
}
