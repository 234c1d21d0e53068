//! The file of `/cad export` and `/cad import`: settings as JSON that a person can read, and back. Pure: channels and roles stay as in the
//! file, an id and a name; `check` looks for them in the guild.
//!
//! Parsing is strict about what it uses and reports all problems at once, each with its place in the file. Nothing in
//! the file is an instruction, and its words are shown only when made harmless.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::authorization::ActionRule;
use crate::clock::UnixMs;
use crate::commands::options::{STYLES, style_word};
use crate::commands::wording::counted;
use crate::event::Priority;
use crate::ids::{ChannelId, GuildId, RoleId, ServerId};
use crate::render::labels::Form;
use crate::render::text::{self, SafeText, safe};
use crate::render::{Labels, Style};
use crate::route::{
    AttentionError, BoardKind, Criterion, Escalation, Filter, KnownPriorities, Listens, MAX_MINUTES, MAX_STEPS, Mute, Quiet, RouteSpec,
    Rule, Threads, When,
};
use crate::store::settings::{MAX_BOARDS, MOST_ROUTES, RouteSetting, Settings};

/// The file's format name.
const FORMAT: &str = "tenfour-settings";
/// Its version. A change that older versions would misread raises it.
const VERSION: u64 = 1;
/// Limit on reported problems: the rest is counted.
const MAX_PROBLEMS: usize = 100;
/// Longest pause after a ping (s), as `/alerts ping` takes it.
pub(in super::super) const MAX_COOLDOWN_S: u64 = 3_600;

/// The names to look up: the guild's own.
pub(in super::super) trait NameLookup {
    fn channel(&self, id: ChannelId) -> Option<String>;
    fn role(&self, id: RoleId) -> Option<String>;
}

/// A channel or a role as the file names it: at least one of the two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Named {
    pub(in super::super) id: Option<u64>,
    pub(in super::super) name: Option<String>,
}

/// A route of the file.
#[derive(Clone, Debug)]
pub(in super::super) struct FileRoute {
    /// Its place in the file.
    pub(in super::super) path: SafeText,
    pub(in super::super) event: Listens,
    pub(in super::super) channel: Named,
    pub(in super::super) server: Option<ServerId>,
    pub(in super::super) role: Option<Named>,
    pub(in super::super) style: Style,
    pub(in super::super) enabled: bool,
    pub(in super::super) rule: Rule,
    /// An escalation step: minutes and role.
    pub(in super::super) escalation: Vec<(u32, Named)>,
}

/// How members may act in the CAD.
#[derive(Clone, Debug)]
pub(in super::super) struct FileActionRule {
    pub(in super::super) role: Option<Named>,
    pub(in super::super) buttons: bool,
    pub(in super::super) emergency: bool,
    pub(in super::super) emergency_role: Option<Named>,
}

/// A board of the file.
#[derive(Clone, Debug)]
pub(in super::super) struct FileBoard {
    /// Its place in the file.
    pub(in super::super) path: SafeText,
    pub(in super::super) kind: BoardKind,
    pub(in super::super) channel: Named,
    pub(in super::super) server: Option<ServerId>,
}

/// The content of a file.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct SettingsFile {
    pub(in super::super) routes: Vec<FileRoute>,
    pub(in super::super) boards: Vec<FileBoard>,
    pub(in super::super) notices: Option<Named>,
    pub(in super::super) labels: Labels,
    pub(in super::super) quiet: Option<Quiet>,
    pub(in super::super) action_rule: Option<FileActionRule>,
    /// Ignored parts, for people.
    pub(in super::super) warnings: Vec<SafeText>,
}

// ---- out ----

/// The fields in the order in which a person reads them.
#[derive(Serialize)]
struct Out<'a> {
    format: &'static str,
    version: u64,
    bot: &'static str,
    exported: Option<String>,
    guild: NamedOut,
    routes: Vec<RouteOut>,
    boards: Vec<BoardOut>,
    notices: Option<NamedOut>,
    labels: Option<LabelsOut<'a>>,
    quiet: Option<QuietOut<'a>>,
    acting: Option<ActionRuleOut>,
}

/// Ids as text: many JSON parsers round numbers of that length.
#[derive(Serialize)]
struct NamedOut {
    id: String,
    name: Option<String>,
}

#[derive(Serialize)]
struct RouteOut {
    event: &'static str,
    channel: NamedOut,
    forum: bool,
    server: Option<ServerId>,
    role: Option<NamedOut>,
    style: &'static str,
    enabled: bool,
    filter: BTreeMap<&'static str, Vec<String>>,
    ping: PingOut,
    threads: &'static str,
    thread_notes: bool,
    mute: Option<MuteOut>,
    escalation: Vec<StepOut>,
}

#[derive(Serialize)]
struct StepOut {
    minutes: u32,
    role: NamedOut,
}

#[derive(Serialize)]
struct ActionRuleOut {
    role: Option<NamedOut>,
    buttons: bool,
    emergency: bool,
    emergency_role: Option<NamedOut>,
}

#[derive(Serialize)]
struct PingOut {
    when: Option<&'static str>,
    cooldown_seconds: Option<u32>,
}

#[derive(Serialize)]
struct MuteOut {
    until: Option<String>,
    panic: bool,
}

#[derive(Serialize)]
struct BoardOut {
    kind: &'static str,
    channel: NamedOut,
    server: Option<ServerId>,
}

#[derive(Serialize)]
struct LabelsOut<'a> {
    emergency: &'a str,
    civil: &'a str,
    priorities: &'a BTreeMap<i64, String>,
    statuses: BTreeMap<i64, StatusOut<'a>>,
}

#[derive(Serialize)]
struct StatusOut<'a> {
    emoji: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
struct QuietOut<'a> {
    from: String,
    to: String,
    timezone: &'a str,
    panic: bool,
}

/// A guild's settings as a file. It contains no secret.
///
/// # Errors
/// None that could come from settings.
pub(in super::super) fn write(
    settings: &Settings,
    guild: GuildId,
    guild_name: Option<&str>,
    names: &dyn NameLookup,
    now: UnixMs,
) -> serde_json::Result<Vec<u8>> {
    let Settings { routes, boards, notices, labels, quiet, action_rule } = settings;
    let channel = |id: ChannelId| NamedOut { id: id.to_string(), name: names.channel(id) };
    let named = |id: RoleId| NamedOut { id: id.to_string(), name: names.role(id) };
    let route = |route: &RouteSetting| {
        let RouteSetting { enabled, spec } = route;
        let RouteSpec { event, channel: place, server, role, style, forum, rule } = spec;
        let Rule { filter, when, cooldown_s, threads, thread_notes, mute, escalation } = rule;
        RouteOut {
            event: event.as_str(),
            channel: channel(*place),
            forum: *forum,
            server: *server,
            role: role.map(named),
            style: style_word(*style),
            enabled: *enabled,
            filter: filter_out(filter),
            ping: PingOut { when: when.map(When::as_str), cooldown_seconds: *cooldown_s },
            threads: threads.as_str(),
            thread_notes: *thread_notes,
            mute: mute.map(|mute| MuteOut { until: stamp(mute.until), panic: mute.panic }),
            escalation: escalation.steps().iter().map(|step| StepOut { minutes: step.minutes, role: named(step.role) }).collect(),
        }
    };
    serde_json::to_vec_pretty(&Out {
        format: FORMAT,
        version: VERSION,
        bot: env!("CARGO_PKG_VERSION"),
        exported: stamp(now),
        guild: NamedOut { id: guild.to_string(), name: guild_name.map(str::to_owned) },
        routes: routes.iter().map(route).collect(),
        boards: boards
            .iter()
            .map(|board| BoardOut { kind: board.kind.as_str(), channel: channel(board.channel), server: board.server })
            .collect(),
        notices: notices.map(channel),
        labels: (*labels != Labels::default()).then(|| LabelsOut {
            emergency: &labels.emergency,
            civil: &labels.civil,
            priorities: &labels.priorities,
            statuses: labels.statuses.iter().map(|(number, (emoji, name))| (*number, StatusOut { emoji, name })).collect(),
        }),
        quiet: quiet.as_ref().map(|Quiet { from, to, timezone, panic }| QuietOut {
            from: clock(*from),
            to: clock(*to),
            timezone,
            panic: *panic,
        }),
        acting: (*action_rule != ActionRule::default()).then(|| ActionRuleOut {
            role: action_rule.role.map(named),
            buttons: action_rule.buttons,
            emergency: action_rule.emergency,
            emergency_role: action_rule.emergency_role.map(named),
        }),
    })
}

fn stamp(at: UnixMs) -> Option<String> {
    jiff::Timestamp::from_millisecond(at.0).ok().map(|at| at.to_string())
}

fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// Criteria that are set.
fn filter_out(filter: &Filter) -> BTreeMap<&'static str, Vec<String>> {
    let all = Criterion::ALL.into_iter().map(|criterion| (criterion.as_str(), values_of(filter, criterion)));
    all.filter(|(_, values)| !values.is_empty()).collect()
}

/// As `/alerts filter` takes them.
fn values_of(filter: &Filter, criterion: Criterion) -> Vec<String> {
    match criterion {
        Criterion::Priority => filter
            .priorities
            .iter()
            .map(|priority| match priority {
                Priority::Level(level) => level.to_string(),
                Priority::Word(word) => word.clone(),
            })
            .collect(),
        Criterion::Department => filter.departments.clone(),
        Criterion::Service => filter.services.iter().map(|service| service.as_str().to_owned()).collect(),
        Criterion::Include => filter.include.clone(),
        Criterion::Exclude => filter.exclude.clone(),
        Criterion::Postal => filter.postals.iter().map(ToString::to_string).collect(),
    }
}

// ---- in ----

/// Parses the bytes of a file at `now`: a mute that is over is dropped. `seen` are priorities that calls have had, or that routes of the
/// guild use already: a filter may use these, and those that the file itself names.
///
/// # Errors
/// Every problem found, as sentences for people, each beginning with its place in the file.
pub(in super::super) fn read(bytes: &[u8], now: UnixMs, seen: &[Priority]) -> Result<SettingsFile, Vec<SafeText>> {
    // Editors on Windows begin text with this mark.
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let root: Value = serde_json::from_slice(bytes).map_err(|error| {
        // serde's own message may quote the file: only the place is shown.
        vec![safe!("It is no JSON: look at line {}, column {}. Take a file that `/cad export` made.", error.line(), error.column())]
    })?;
    let mut reader = Reader { now, ..Reader::default() };
    let file = reader.file(&root, seen);
    if reader.problems.is_empty() {
        Ok(SettingsFile { warnings: reader.warnings, ..file })
    } else {
        let left = reader.unsaid;
        let mut problems = reader.problems;
        if left > 0 {
            problems.push(safe!("… and {} more.", counted(left, "problem", "problems")));
        }
        Err(problems)
    }
}

#[derive(Debug, Default)]
struct Reader {
    now: UnixMs,
    known: KnownPriorities,
    problems: Vec<SafeText>,
    unsaid: usize,
    warnings: Vec<SafeText>,
}

impl Reader {
    fn problem(&mut self, path: impl Into<SafeText>, what: impl Into<SafeText>) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(safe!("`{}`: {}", path.into(), what.into()));
        } else {
            self.unsaid += 1;
        }
    }

    /// An object's fields; unknown ones are mentioned, not rejected: a newer file may have more.
    fn object<'a>(&mut self, path: &SafeText, value: &'a Value, known: &[&str]) -> Option<&'a Map<String, Value>> {
        let Some(map) = value.as_object() else {
            self.problem(path, safe!("an object in braces is expected here, not {}.", quoted(value)));
            return None;
        };
        for key in map.keys().filter(|key| !known.contains(&key.as_str())) {
            if self.warnings.len() < MAX_PROBLEMS {
                self.warnings.push(safe!("`{}` is not known and passed over.", place(path, text::plain(&key.replace('`', "'"), 40))));
            }
        }
        Some(map)
    }

    /// The elements of a list, up to a limit.
    fn list<'a>(&mut self, path: &SafeText, value: &'a Value, most: usize) -> &'a [Value] {
        let Some(all) = value.as_array() else {
            self.problem(path, safe!("a list in square brackets is expected here, not {}.", quoted(value)));
            return &[];
        };
        if all.len() > most {
            self.problem(path, safe!("{} are too many: at most {} are possible.", all.len(), most));
        }
        all.get(..most).unwrap_or(all)
    }

    fn file(&mut self, root: &Value, seen: &[Priority]) -> SettingsFile {
        const KNOWN: [&str; 11] =
            ["format", "version", "bot", "exported", "guild", "routes", "boards", "notices", "labels", "quiet", "acting"];
        let mut file = SettingsFile::default();
        if root.get("format").and_then(Value::as_str) != Some(FORMAT) {
            self.problem(
                "format",
                safe!("this is no file of this bot's settings: it would say \"{}\". Take one that `/cad export` made.", FORMAT),
            );
            return file;
        }
        match root.get("version").and_then(Value::as_u64) {
            Some(VERSION) => {}
            Some(newer) if newer > VERSION => {
                self.problem("version", safe!("a newer bot wrote this file (form {}, this bot knows {}): update the bot.", newer, VERSION));
                return file;
            }
            _ => {
                self.problem("version", safe!("the number {} is expected here.", VERSION));
                return file;
            }
        }
        let Some(map) = self.object(&"".into(), root, &KNOWN) else { return file };
        let present = |key: &str| map.get(key).filter(|value| !value.is_null());
        // A missing part would delete settings: that must be explicit.
        for (key, nothing) in
            [("routes", "[]"), ("boards", "[]"), ("notices", "null"), ("labels", "null"), ("quiet", "null"), ("acting", "null")]
        {
            if !map.contains_key(key) {
                self.problem(
                    key,
                    safe!("it is missing: an import replaces all settings, so write `\"{}\": {}` if there are to be none.", key, nothing),
                );
            }
        }
        // Filters may use priorities that the file's own labels name. Problems of those are reported in their place.
        let named = present("labels").map(|labels| Self::default().labels(labels).priorities);
        self.known = KnownPriorities::named(&named.unwrap_or_else(|| Labels::usual().priorities.clone()));
        seen.iter().for_each(|priority| self.known.add(priority));
        if let Some(routes) = map.get("routes") {
            for (at, route) in self.list(&"routes".into(), routes, MOST_ROUTES).iter().enumerate() {
                let route = self.route(safe!("routes[{}]", at), route);
                file.routes.extend(route);
            }
        }
        if let Some(boards) = map.get("boards") {
            for (at, board) in self.list(&"boards".into(), boards, MAX_BOARDS).iter().enumerate() {
                let board = self.board(safe!("boards[{}]", at), board);
                file.boards.extend(board);
            }
        }
        file.notices = present("notices").and_then(|notices| self.named(&"notices".into(), notices));
        if let Some(labels) = present("labels") {
            file.labels = self.labels(labels);
        }
        file.quiet = present("quiet").and_then(|quiet| self.quiet(quiet));
        file.action_rule = present("acting").and_then(|rule| self.action_rule(rule));
        file
    }

    fn route(&mut self, path: SafeText, value: &Value) -> Option<FileRoute> {
        const KNOWN: [&str; 13] = [
            "event",
            "channel",
            "forum",
            "server",
            "role",
            "style",
            "enabled",
            "filter",
            "ping",
            "threads",
            "thread_notes",
            "mute",
            "escalation",
        ];
        let map = self.object(&path, value, &KNOWN)?;
        let at = |key: &'static str| place(&path, key);
        let present = |key: &str| map.get(key).filter(|value| !value.is_null());
        let event = self.word(&at("event"), map.get("event"), "an event as in `/alerts add`, e.g. \"911\"", Listens::parse);
        let channel = self.needed(&at("channel"), map.get("channel"));
        let style = |word: &str| STYLES.iter().find(|(_, known, _)| *known == word).map(|(style, ..)| *style);
        let style = match present("style") {
            None => Some(Style::Card),
            style_given => self.word(&at("style"), style_given, "card, compact, log or public", style),
        };
        let threads = match present("threads") {
            None => Some(Threads::Off),
            given => self.word(&at("threads"), given, "off, on-first-note or always", Threads::parse),
        };
        let (when, cooldown_s) = present("ping").map(|ping| self.ping(&at("ping"), ping)).unwrap_or_default();
        let rule = Rule {
            filter: present("filter").map(|filter| self.filter(&at("filter"), filter)).unwrap_or_default(),
            when,
            cooldown_s,
            threads: threads.unwrap_or_default(),
            thread_notes: self.yes(&at("thread_notes"), present("thread_notes"), false),
            mute: present("mute").and_then(|mute| self.mute(&at("mute"), mute)),
            // Its roles are found later.
            escalation: Escalation::default(),
        };
        let escalation = present("escalation").map(|steps| self.escalation(&at("escalation"), steps)).unwrap_or_default();
        let role = present("role").and_then(|role| self.named(&at("role"), role));
        let server = present("server").and_then(|server| self.server(&at("server"), server));
        let enabled = self.yes(&at("enabled"), present("enabled"), true);
        // The channel itself says whether it is a forum: the file's word is only for people.
        self.yes(&at("forum"), present("forum"), false);
        Some(FileRoute { event: event?, channel: channel?, server, role, style: style?, enabled, rule, escalation, path })
    }

    fn escalation(&mut self, path: &SafeText, value: &Value) -> Vec<(u32, Named)> {
        let mut steps: Vec<(u32, Named)> = Vec::new();
        for (at, step) in self.list(path, value, MAX_STEPS).iter().enumerate() {
            let path = safe!("{}[{}]", path, at);
            let Some(map) = self.object(&path, step, &["minutes", "role"]) else { continue };
            let minutes = map.get("minutes").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
            let minutes = minutes.filter(|n| (1..=MAX_MINUTES).contains(n) && !steps.iter().any(|(known, _)| known == n));
            if minutes.is_none() {
                let wanted = safe!("minutes from 1 to {} are expected here, each once in a route.", MAX_MINUTES);
                self.problem(place(&path, "minutes"), wanted);
            }
            let role = self.needed(&place(&path, "role"), map.get("role"));
            steps.extend(minutes.zip(role));
        }
        steps
    }

    fn action_rule(&mut self, value: &Value) -> Option<FileActionRule> {
        let map = self.object(&"acting".into(), value, &["role", "buttons", "emergency", "emergency_role"])?;
        let present = |key: &str| map.get(key).filter(|value| !value.is_null());
        Some(FileActionRule {
            role: present("role").and_then(|role| self.named(&"acting.role".into(), role)),
            buttons: self.yes(&"acting.buttons".into(), present("buttons"), true),
            emergency: self.yes(&"acting.emergency".into(), present("emergency"), false),
            emergency_role: present("emergency_role").and_then(|role| self.named(&"acting.emergency_role".into(), role)),
        })
    }

    fn board(&mut self, path: SafeText, value: &Value) -> Option<FileBoard> {
        let map = self.object(&path, value, &["kind", "channel", "server"])?;
        let kind = self.word(&place(&path, "kind"), map.get("kind"), "units, calls or both", BoardKind::parse);
        let channel = self.needed(&place(&path, "channel"), map.get("channel"));
        let server = map.get("server").filter(|server| !server.is_null());
        let server = server.and_then(|server| self.server(&place(&path, "server"), server));
        Some(FileBoard { kind: kind?, channel: channel?, server, path })
    }

    fn ping(&mut self, path: &SafeText, value: &Value) -> (Option<When>, Option<u32>) {
        let Some(map) = self.object(path, value, &["when", "cooldown_seconds"]) else { return (None, None) };
        let present = |key: &str| map.get(key).filter(|value| !value.is_null());
        let when = present("when")
            .and_then(|when| self.word(&place(path, "when"), Some(when), "always, priority-1, no-dispatcher, never or null", When::parse));
        let cooldown = present("cooldown_seconds").and_then(|value| {
            let seconds = value.as_u64().filter(|seconds| *seconds <= MAX_COOLDOWN_S).and_then(|seconds| u32::try_from(seconds).ok());
            if seconds.is_none() {
                self.problem(
                    place(path, "cooldown_seconds"),
                    safe!("seconds from 0 to {} or null are expected here, not {}.", MAX_COOLDOWN_S, quoted(value)),
                );
            }
            seconds
        });
        (when, cooldown)
    }

    fn filter(&mut self, path: &SafeText, value: &Value) -> Filter {
        let mut filter = Filter::default();
        let known = Criterion::ALL.map(Criterion::as_str);
        let Some(map) = self.object(path, value, &known) else { return filter };
        for criterion in Criterion::ALL {
            let Some(values) = map.get(criterion.as_str()).filter(|values| !values.is_null()) else { continue };
            let path = place(path, criterion.as_str());
            let mut typed = Vec::new();
            // One more than allowed: the filter itself reports the excess.
            for (at, value) in self.list(&path, values, crate::route::filter::MAX_VALUES).iter().enumerate() {
                match value {
                    Value::String(word) => typed.push(word.clone()),
                    Value::Number(number) => typed.push(number.to_string()),
                    other => self.problem(&safe!("{}[{}]", path, at), safe!("a text is expected here, not {}.", quoted(other))),
                }
            }
            if let Err(error) = filter.change_known(criterion, &typed.join(","), &self.known) {
                self.problem(&path, error.sentence());
            }
        }
        if let Err(error) = filter.check() {
            self.problem(path, error.sentence());
        }
        filter
    }

    fn mute(&mut self, path: &SafeText, value: &Value) -> Option<Mute> {
        let map = self.object(path, value, &["until", "panic"])?;
        let panic = self.yes(&place(path, "panic"), map.get("panic").filter(|value| !value.is_null()), false);
        let until = map.get("until").cloned().unwrap_or_default();
        let Some(end) = until.as_str().and_then(|until| until.parse::<jiff::Timestamp>().ok()) else {
            self.problem(place(path, "until"), safe!("a time such as 2026-01-31T18:00:00Z is expected here, not {}.", quoted(&until)));
            return None;
        };
        let mute = Mute { until: UnixMs(end.as_millisecond()), panic };
        if mute.until.since(self.now) > Mute::MAX {
            self.problem(place(path, "until"), "a mute can last 30 days at most.");
        }
        mute.covers(self.now).then_some(mute)
    }

    fn quiet(&mut self, value: &Value) -> Option<Quiet> {
        let map = self.object(&"quiet".into(), value, &["from", "to", "timezone", "panic"])?;
        let panic = self.yes(&"quiet.panic".into(), map.get("panic").filter(|value| !value.is_null()), false);
        let mut typed = |key: &'static str| match map.get(key).and_then(Value::as_str) {
            Some(word) => Some(word.to_owned()),
            None => {
                self.problem(place(&"quiet".into(), key), "a text is expected here, e.g. \"22:00\" or \"Europe/Berlin\".");
                None
            }
        };
        let (from, to, timezone) = (typed("from"), typed("to"), typed("timezone"));
        match Quiet::new(&from?, &to?, &timezone?, panic) {
            Ok(quiet) => Some(quiet),
            Err(error) => {
                let path = if matches!(error, AttentionError::Timezone(..)) { "quiet.timezone" } else { "quiet" };
                self.problem(path, error.sentence());
                None
            }
        }
    }

    /// Each entry is parsed like the form of `/cad labels`, so that both allow the same.
    fn labels(&mut self, value: &Value) -> Labels {
        let mut labels = Labels::default();
        let Some(map) = self.object(&"labels".into(), value, &["emergency", "civil", "priorities", "statuses"]) else { return labels };
        let present = |key: &str| map.get(key).filter(|value| !value.is_null());
        if let Some(word) = present("emergency").and_then(|word| self.single_line(&"labels.emergency".into(), word)) {
            let form = Form { emergency: word, ..Form::default() };
            labels.emergency = self.form(&"labels.emergency".into(), &form).map_or(labels.emergency, |read| read.emergency);
        }
        if let Some(word) = present("civil").and_then(|word| self.single_line(&"labels.civil".into(), word)) {
            let form = Form { civil: word, ..Form::default() };
            labels.civil = self.form(&"labels.civil".into(), &form).map_or(labels.civil, |read| read.civil);
        }
        if let Some(entries) = present("priorities") {
            let mut read = BTreeMap::new();
            for (path, number, entry) in self.entries(&"labels.priorities".into(), entries, crate::render::labels::PRIORITIES) {
                let Some(name) = self.single_line(&path, entry) else { continue };
                let form = Form { priorities: format!("{number} = {name}"), ..Form::default() };
                read.extend(self.form(&path, &form).map(|read| read.priorities).unwrap_or_default());
            }
            if !read.is_empty() {
                labels.priorities = read;
            }
        }
        if let Some(entries) = present("statuses") {
            let mut read = BTreeMap::new();
            for (path, number, entry) in self.entries(&"labels.statuses".into(), entries, crate::render::labels::STATUSES) {
                let Some(entry) = self.object(&path, entry, &["emoji", "name"]) else { continue };
                let emoji = entry.get("emoji").filter(|emoji| !emoji.is_null()).cloned().unwrap_or_else(|| json!(""));
                let name = entry.get("name").cloned().unwrap_or_default();
                let (emoji, name) = (self.single_line(&place(&path, "emoji"), &emoji), self.single_line(&place(&path, "name"), &name));
                let Some((emoji, name)) = emoji.zip(name) else { continue };
                let form = Form { statuses: format!("{number} {emoji} {name}"), ..Form::default() };
                let status = self.form(&path, &form).and_then(|read| read.statuses.into_iter().next());
                let Some((number, (shown, name))) = status else { continue };
                if shown.is_empty() && !emoji.trim().is_empty() {
                    self.problem(place(&path, "emoji"), safe!("{} is no emoji.", quoted(&json!(emoji))));
                }
                read.insert(number, (shown, name));
            }
            if !read.is_empty() {
                labels.statuses = read;
            }
        }
        labels
    }

    fn form(&mut self, path: &SafeText, form: &Form) -> Option<Labels> {
        form.read().map_err(|error| self.problem(path, error.0)).ok()
    }

    /// Entries by their numbers.
    fn entries<'a>(&mut self, path: &SafeText, value: &'a Value, most: usize) -> Vec<(SafeText, &'a str, &'a Value)> {
        let Some(map) = value.as_object() else {
            self.problem(path, safe!("an object in braces is expected here, not {}.", quoted(value)));
            return Vec::new();
        };
        if map.len() > most {
            self.problem(path, safe!("{} are too many: at most {} are possible.", map.len(), most));
        }
        let mut entries = Vec::new();
        for (number, entry) in map.iter().take(most) {
            if (1..=3).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit()) {
                entries.push((place(path, text::code(number)), number.as_str(), entry));
            } else {
                self.problem(path, safe!("{} is no number from 0 to 999.", quoted(&json!(number))));
            }
        }
        entries
    }

    /// A text without line breaks, which would start new entries.
    fn single_line(&mut self, path: &SafeText, value: &Value) -> Option<String> {
        let line = value.as_str().filter(|line| line.len() <= 400 && !line.contains(char::is_control)).map(str::to_owned);
        if line.is_none() {
            self.problem(path, safe!("a short text in one line is expected here, not {}.", quoted(value)));
        }
        line
    }

    fn word<T>(&mut self, path: &SafeText, value: Option<&Value>, wanted: &'static str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let found = value.and_then(Value::as_str).and_then(parse);
        if found.is_none() {
            self.problem(path, safe!("{} is expected here, not {}.", wanted, quoted(value.unwrap_or(&Value::Null))));
        }
        found
    }

    fn yes(&mut self, path: &SafeText, value: Option<&Value>, otherwise: bool) -> bool {
        match value {
            None => otherwise,
            Some(Value::Bool(yes)) => *yes,
            Some(other) => {
                self.problem(path, safe!("true or false is expected here, not {}.", quoted(other)));
                otherwise
            }
        }
    }

    fn server(&mut self, path: &SafeText, value: &Value) -> Option<ServerId> {
        let server = value.as_u64().and_then(|server| u32::try_from(server).ok()).filter(|server| *server > 0);
        if server.is_none() {
            self.problem(path, safe!("a server's number or null is expected here, not {}.", quoted(value)));
        }
        server.map(ServerId)
    }

    fn needed(&mut self, path: &SafeText, value: Option<&Value>) -> Option<Named> {
        self.named(path, value.unwrap_or(&Value::Null))
    }

    /// `{"id", "name"}`, or one of the two by itself.
    fn named(&mut self, path: &SafeText, value: &Value) -> Option<Named> {
        let id = |value: &Value| value.as_str().map_or_else(|| value.as_u64(), |digits| digits.parse().ok()).filter(|id| *id > 0);
        let name = |value: &Value| {
            let name = value.as_str()?.trim().trim_start_matches(['#', '@']);
            // Discord's own limit is 100 characters.
            (!name.is_empty() && name.chars().count() <= 100).then(|| name.to_owned())
        };
        let named = match value {
            Value::Object(_) => {
                let map = self.object(path, value, &["id", "name"])?;
                Named { id: map.get("id").and_then(id), name: map.get("name").and_then(name) }
            }
            one => match id(one) {
                Some(id) => Named { id: Some(id), name: None },
                None => Named { id: None, name: name(one) },
            },
        };
        if named.id.is_none() && named.name.is_none() {
            self.problem(
                path,
                safe!("an id or a name is expected here, as in {}, not {}.", "{\"id\": \"123\", \"name\": \"dispatch\"}", quoted(value)),
            );
            return None;
        }
        Some(named)
    }
}

fn place(path: &SafeText, key: impl Into<SafeText>) -> SafeText {
    if path.is_empty() { key.into() } else { safe!("{}.{}", path, key.into()) }
}

/// A value of the file, short and harmless.
fn quoted(value: &Value) -> SafeText {
    match value {
        Value::Null => "nothing".into(),
        Value::String(word) => match text::visible(Some(word)) {
            Some(word) => safe!("“{}”", text::line(word, 40)),
            None => "an empty text".into(),
        },
        Value::Bool(yes) => if *yes { "true" } else { "false" }.into(),
        Value::Number(number) => text::line(&number.to_string(), 40),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "an object".into(),
    }
}

/// A route of the file, once its channels and roles are found.
impl FileRoute {
    pub(in super::super) fn at(self, channel: ChannelId, forum: bool, role: Option<RoleId>) -> RouteSetting {
        let Self { event, server, style, enabled, rule, .. } = self;
        RouteSetting { enabled, spec: RouteSpec { event, channel, server, role, style, forum, rule } }
    }
}

#[cfg(test)]
mod tests;
