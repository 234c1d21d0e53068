//! The board: one message that shows who is on duty and which calls are open, rendered again whenever that changes.
//!
//! The same world gives the same message, whenever it is rendered: ages are Discord's relative timestamps, and no embed has a time. If
//! space runs out, entries at the end are left out, but panics and calls of the highest priority stay longest.
//!
//! ```text
//! server ─┬▶ units: dispatchers, departments ─┐
//!         └▶ calls: open, then waiting 911s  ─┴▶ sections of lines ─▶ fill (urgent first, sections alike) ─▶ embeds
//! ```

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::text::{self, SafeText, safe};
use super::{Embed, Labels, Message, Style, View, colors, dispatch, draft, emergency, limits, street, unit, words};
use crate::clock::UnixMs;
use crate::event::Priority;
use crate::ids::{BoardId, CallId, Ident, ServerId};
use crate::world::{Dispatch, Emergency, Server};

/// What a board shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BoardKind {
    /// Units on duty.
    Units,
    /// Open calls and waiting 911s.
    Calls,
    Both,
}

impl BoardKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Units, Self::Calls, Self::Both];

    /// The word in commands.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Units => "units",
            Self::Calls => "calls",
            Self::Both => "both",
        }
    }

    /// What it shows, in words.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::Units => "units on duty",
            Self::Calls => "open calls",
            Self::Both => "units on duty and open calls",
        }
    }

    /// Parses the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// Status number of a closed call (docs/cad-contract.md#n4).
const CLOSED: i64 = 2;
/// Status number of a pending call (docs/cad-contract.md#n4).
const PENDING: i64 = 0;
/// Longest department, in units.
const DEPARTMENT: usize = 48;
/// Limit on the calls named after a unit, and on the units named in a call.
const NAMED: usize = 4;
/// Reserved in each section for [`more`].
const MORE: usize = 32;
/// Between two groups of lines.
const GAP: &str = "\n\n";

/// Board `number` (shown in its footer, where people and the delivery find it) of one kind, a section for each server. Without a server
/// it says that no server is known.
#[must_use]
pub fn board(number: BoardId, kind: BoardKind, servers: &[(ServerId, &Server)], labels: &Labels) -> Message {
    let nobody = Server::default();
    let nowhere = [(ServerId(0), &nobody)];
    let several = servers.len() > 1;
    let per_server = if kind == BoardKind::Both { 2 } else { 1 };
    let (shown, left_out) = most_urgent(if servers.is_empty() { &nowhere } else { servers }, limits::EMBEDS / per_server);
    let mut sections = Vec::new();
    for (server, world) in shown {
        let view = View { world, server, labels, style: Style::Card, roles: &[], test: false, buttons: false, now: UnixMs(0) };
        let whose = if several { safe!("Server {} · ", server) } else { SafeText::default() };
        let footer = if server == ServerId(0) { safe!("Board #{}", number) } else { safe!("Board #{} · Server {}", number, server) };
        if kind != BoardKind::Calls {
            sections.push(units(&view, &whose, footer.clone()));
        }
        if kind != BoardKind::Units {
            sections.push(calls(&view, &whose, footer));
        }
    }
    if left_out > 0
        && let Some(last) = sections.last_mut()
    {
        last.footer = safe!("{} · and {} more servers", last.footer, left_out);
    }
    fill(&mut sections);
    limits::fit(Message { embeds: sections.into_iter().map(Section::embed).collect(), ..Message::default() })
}

/// Limited to `most` servers, those with a panic or a call of the highest priority before others, and how many are left out.
fn most_urgent<'a>(servers: &[(ServerId, &'a Server)], most: usize) -> (Vec<(ServerId, &'a Server)>, usize) {
    let urgent =
        |world: &Server| world.panics.values().any(|p| p.over_at.is_none()) || world.dispatches.values().any(|d| open(d) && first(d));
    let mut ranked: Vec<(bool, ServerId, &Server)> = servers.iter().map(|(id, world)| (!urgent(world), *id, *world)).collect();
    ranked.sort_by_key(|(calm, id, _)| (*calm, *id));
    let left_out = ranked.len().saturating_sub(most);
    ranked.truncate(most);
    let mut shown: Vec<(ServerId, &Server)> = ranked.into_iter().map(|(_, id, world)| (id, world)).collect();
    shown.sort_by_key(|(id, _)| *id);
    (shown, left_out)
}

/// An embed being built.
struct Section {
    title: SafeText,
    color: u32,
    footer: SafeText,
    /// Above the lines.
    head: Option<SafeText>,
    groups: Vec<Group>,
    /// Instead of lines, if there are none.
    empty: &'static str,
}

/// Lines under a heading.
struct Group {
    heading: Option<SafeText>,
    lines: Vec<Line>,
}

struct Line {
    text: SafeText,
    urgent: bool,
    kept: bool,
}

impl Section {
    /// Its units without any line.
    fn fixed(&self) -> usize {
        let head = self.head.as_ref().map_or(0, |head| text::units(head) + GAP.len());
        text::units(&self.title) + text::units(&self.footer) + head + text::units(self.empty) + MORE
    }

    fn embed(self) -> Embed {
        let mut parts: Vec<SafeText> = self.head.into_iter().collect();
        let mut left_out = 0;
        for group in self.groups {
            let all = group.lines.len();
            let kept: Vec<SafeText> = group.lines.into_iter().filter(|line| line.kept).map(|line| line.text).collect();
            left_out += all - kept.len();
            if !kept.is_empty() {
                parts.push(SafeText::join(group.heading.into_iter().chain(kept), "\n"));
            }
        }
        if left_out > 0 {
            parts.push(more(left_out));
        } else if parts.is_empty() {
            parts.push(self.empty.into());
        }
        Embed {
            title: Some(self.title),
            description: Some(SafeText::join(parts, GAP)),
            color: self.color,
            footer: Some(self.footer),
            ..Embed::default()
        }
    }
}

fn more(left_out: usize) -> SafeText {
    safe!("… and {} more", left_out)
}

/// Keeps as many lines as fit: first the urgent ones, then the others. The sections grow alike, so that a crowd on one server
/// doesn't displace everything else. Within a section nothing is kept after a line that was left out, except the urgent ones.
fn fill(sections: &mut [Section]) {
    let mut total = limits::TOTAL.saturating_sub(sections.iter().map(Section::fixed).sum());
    let mut room: Vec<usize> = sections
        .iter()
        .map(|section| limits::DESCRIPTION.saturating_sub(section.head.as_deref().map_or(0, text::units) + GAP.len() + MORE))
        .collect();
    for urgent in [true, false] {
        let mut turns = Vec::new();
        for (s, section) in sections.iter().enumerate() {
            let mut before = 0;
            for (g, group) in section.groups.iter().enumerate() {
                for (l, line) in group.lines.iter().enumerate().filter(|(_, line)| line.urgent == urgent) {
                    turns.push((before, s, g, l));
                    before += text::units(&line.text);
                }
            }
        }
        turns.sort_unstable();
        for (_, s, g, l) in turns {
            let Some(left) = room.get_mut(s) else { continue };
            let Some(group) = sections.get_mut(s).and_then(|section| section.groups.get_mut(g)) else { continue };
            let opened = group.lines.iter().any(|line| line.kept);
            let heading = if opened { 0 } else { group.heading.as_deref().map_or(0, |h| text::units(h) + 1) + GAP.len() };
            let Some(line) = group.lines.get_mut(l) else { continue };
            let cost = text::units(&line.text) + 1 + heading;
            if cost > *left || cost > total {
                *left = 0;
                continue;
            }
            (line.kept, *left, total) = (true, *left - cost, total - cost);
        }
    }
}

// ---- units ----

fn units(view: &View<'_>, whose: &SafeText, footer: SafeText) -> Section {
    let world = view.world;
    let panics: BTreeSet<Ident> = world.panics.values().filter(|panic| panic.over_at.is_none()).map(|panic| panic.ident).collect();
    let on_duty: BTreeSet<Ident> = world.units.iter().filter(|(_, state)| state.on_duty).map(|(ident, _)| *ident).collect();
    let on_calls = calls_of_units(world);
    let dispatcher = |ident: Ident| world.units.get(&ident).is_some_and(|state| state.unit.is_dispatch == Some(true));

    let mut groups: BTreeMap<Team, Vec<(Callsign, Line)>> = BTreeMap::new();
    // A panic is shown even if its unit was never seen on duty.
    for ident in on_duty.union(&panics).copied() {
        let department = world.units.get(&ident).and_then(|state| draft::line(state.unit.department.as_deref(), DEPARTMENT));
        let team = match department {
            _ if dispatcher(ident) => Team::Dispatchers,
            Some(name) => Team::Department(name.to_lowercase(), name),
            None => Team::None,
        };
        let line = unit_line(view, ident, panics.contains(&ident), on_calls.get(&ident).map_or(&[], Vec::as_slice));
        groups.entry(team).or_default().push((callsign(view, ident), line));
    }
    let alone = groups.len() == 1;
    let groups = groups.into_iter().map(|(team, mut lines)| {
        lines.sort_by(|(a, _), (b, _)| a.cmp(b));
        let heading = match team {
            Team::Dispatchers => Some("🎧 **Dispatch**".into()),
            Team::Department(_, name) => Some(safe!("**{}**", name)),
            Team::None => (!alone).then(|| "**No department**".into()),
        };
        Group { heading, lines: lines.into_iter().map(|(_, line)| line).collect() }
    });
    Section {
        title: safe!("👥 {}On duty: {}", whose, on_duty.len()),
        color: match (panics.is_empty(), on_duty.is_empty()) {
            (false, _) => colors::PANIC,
            (true, false) => colors::ON_DUTY,
            (true, true) => colors::OFF_DUTY,
        },
        footer,
        head: counts(view, &on_duty, panics.len(), dispatcher),
        groups: groups.collect(),
        empty: "Nobody is on duty.",
    }
}

/// In the order of the board.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Team {
    /// Dispatchers, whatever their department.
    Dispatchers,
    /// By its name without regard to letter case; the name as shown.
    Department(String, SafeText),
    None,
}

/// The open calls of each unit, by number.
fn calls_of_units(world: &Server) -> BTreeMap<Ident, Vec<CallId>> {
    let mut calls: BTreeMap<Ident, Vec<CallId>> = BTreeMap::new();
    for call in world.dispatches.values().filter(|call| open(call)) {
        for ident in &call.units {
            calls.entry(*ident).or_default().push(call.id);
        }
    }
    calls
}

/// `🔵 A-10 John Doe → #501`; a panic stands out.
fn unit_line(view: &View<'_>, ident: Ident, panic: bool, calls: &[CallId]) -> Line {
    let status = view.world.units.get(&ident).and_then(|state| state.unit.status);
    let emoji = status.map_or_else(|| "▫️".into(), |status| words::unit_status(view, status).0);
    let name = unit::name(view, ident);
    let mut line = if panic { safe!("🆘 {} **{}** · PANIC", emoji, name) } else { safe!("{} {}", emoji, name) };
    if !calls.is_empty() {
        let named = SafeText::join(calls.iter().take(NAMED).map(|call| short_call(view, *call)), ", ");
        line = safe!("{} → {}{}", line, named, rest(calls.len()));
    }
    Line { text: line, urgent: panic, kept: false }
}

/// `#501`, or `a call`.
fn short_call(view: &View<'_>, key: CallId) -> SafeText {
    let number = view.world.dispatches.get(&key).map(|call| words::numbered("", call.cad_number(), &call.meta)).unwrap_or_default();
    if number.is_empty() { "a call".into() } else { number.trimmed() }
}

fn rest(all: usize) -> SafeText {
    if all > NAMED { safe!(", +{}", all - NAMED) } else { SafeText::default() }
}

/// `🆘 1 panic · 🟢 5 Available · 🔵 3 En route · 🎧 2 at dispatch`: dispatchers are counted apart.
fn counts(view: &View<'_>, on_duty: &BTreeSet<Ident>, panics: usize, dispatcher: impl Fn(Ident) -> bool) -> Option<SafeText> {
    let mut statuses: BTreeMap<Option<i64>, usize> = BTreeMap::new();
    let mut dispatchers = 0_usize;
    for ident in on_duty {
        if dispatcher(*ident) {
            dispatchers += 1;
        } else {
            let status = view.world.units.get(ident).and_then(|state| state.unit.status);
            *statuses.entry(status).or_default() += 1;
        }
    }
    let unknown = statuses.remove(&None);
    let mut parts = Vec::new();
    if panics > 0 {
        parts.push(safe!("🆘 {} panic{}", panics, if panics == 1 { "" } else { "s" }));
    }
    parts.extend(statuses.into_iter().filter_map(|(status, count)| {
        let (emoji, name) = words::unit_status(view, status?);
        Some(safe!("{} {} {}", emoji, count, name))
    }));
    parts.extend(unknown.map(|count| safe!("▫️ {} without a status", count)));
    if dispatchers > 0 {
        parts.push(safe!("🎧 {} at dispatch", dispatchers));
    }
    draft::list(&parts, " · ", 300)
}

/// Sorts `A-2` before `A-10`, units without a callsign last.
type Callsign = (bool, Vec<(String, u64)>, Ident);

fn callsign(view: &View<'_>, ident: Ident) -> Callsign {
    let raw = view.world.units.get(&ident).and_then(|state| text::visible(state.unit.callsign.as_deref()));
    (raw.is_none(), natural(raw.unwrap_or_default()), ident)
}

/// Pairs of non-digits and the number after them.
fn natural(callsign: &str) -> Vec<(String, u64)> {
    let mut pairs = Vec::new();
    let mut rest = callsign.trim();
    while !rest.is_empty() {
        let (words, after) = rest.split_at(rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len()));
        let (digits, after) = after.split_at(after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len()));
        // No digits: before any number. Too many: after every number.
        let number = if digits.is_empty() { 0 } else { digits.parse().unwrap_or(u64::MAX) };
        pairs.push((words.to_lowercase(), number));
        rest = after;
    }
    pairs
}

// ---- calls ----

fn open(call: &Dispatch) -> bool {
    call.closed_at.is_none() && call.status != Some(CLOSED)
}

/// Of the highest priority.
fn first(call: &Dispatch) -> bool {
    matches!(call.priority, Some(Priority::Level(..=1)))
}

fn calls(view: &View<'_>, whose: &SafeText, footer: SafeText) -> Section {
    let mut dispatches: Vec<&Dispatch> = view.world.dispatches.values().filter(|call| open(call)).collect();
    // Urgent ones first; custom words have no order and come last.
    let urgency = |call: &Dispatch| match call.priority {
        Some(Priority::Level(level)) => level,
        _ => i64::MAX,
    };
    dispatches.sort_by_key(|call| (urgency(call), call.opened_at, call.id));
    let waiting = |call: &Emergency| call.gone_at.is_none() && call.became.is_none();
    let mut emergencies: Vec<(CallId, &Emergency)> =
        view.world.emergencies.iter().filter(|(_, call)| waiting(call)).map(|(id, call)| (*id, call)).collect();
    emergencies.sort_by_key(|(id, call)| (call.opened_at, *id));

    let mut counts: BTreeMap<Option<i64>, (SafeText, usize)> = BTreeMap::new();
    for call in &dispatches {
        let level = match &call.priority {
            Some(Priority::Level(level)) => Some(*level),
            _ => None,
        };
        let name = level.and_then(|level| words::priority(view.labels, &Priority::Level(level)));
        counts.entry(level).or_insert_with(|| (name.unwrap_or_else(|| "other".into()), 0)).1 += 1;
    }
    let others = counts.remove(&None);
    let mut parts: Vec<SafeText> = counts.into_values().chain(others).map(|(name, count)| safe!("{} {}", count, name)).collect();
    if !emergencies.is_empty() {
        parts.push(safe!("☎️ {} waiting", emergencies.len()));
    }
    let color = match dispatches.iter().find(|call| first(call)).or(dispatches.first()) {
        Some(call) => colors::priority(call.priority.as_ref()),
        None if emergencies.iter().any(|(_, call)| call.call.is_emergency) => colors::EMERGENCY,
        None if !emergencies.is_empty() => colors::CIVIL,
        None => colors::CLOSED,
    };
    let line = |text, urgent| Line { text, urgent, kept: false };
    let open = dispatches.iter().map(|call| line(dispatch_line(call, view), first(call))).collect();
    // A call created by a panic button is the panic.
    let waiting = emergencies.iter().map(|(id, call)| line(emergency_line(*id, call, view), call.panic_of.is_some())).collect();
    let heading = Some("**Waiting for dispatch**".into());
    Section {
        title: safe!("📋 {}Open calls: {}", whose, dispatches.len()),
        color,
        footer,
        head: draft::list(&parts, " · ", 300),
        groups: vec![Group { heading: None, lines: open }, Group { heading, lines: waiting }],
        empty: "No open call.",
    }
}

/// `**P1** #501 · 211 Armed Robbery · Mission Row · A-10, E-1 · <t:…:R>`.
fn dispatch_line(call: &Dispatch, view: &View<'_>) -> SafeText {
    let priority = call.priority.as_ref().and_then(|p| words::priority(view.labels, p)).map(|p| safe!("**{}** ", p));
    let what = dispatch::what(call).map(|what| text::line(&words::capital(&what), 60));
    let place = dispatch::place(call).map(|place| text::line(&place, 40));
    let pending = (call.status == Some(PENDING)).then(|| "pending".into());
    let named = SafeText::join(call.units.iter().take(NAMED).map(|ident| unit::short(view, *ident)), ", ");
    let units = if named.is_empty() { "nobody yet".into() } else { safe!("{}{}", named, rest(call.units.len())) };
    let number = words::numbered("", call.cad_number(), &call.meta);
    let number = safe!("{}{}", priority.unwrap_or_default(), number.trimmed()).trimmed();
    let number = Some(number).filter(|number| !number.is_empty());
    let parts = [number, what, place, pending, Some(units), Some(words::ago(call.opened_at))];
    SafeText::join(parts.into_iter().flatten(), " · ")
}

/// `🚨 911 #302 · Shots fired · Alta St · <t:…:R>`.
fn emergency_line(id: CallId, emergency: &Emergency, view: &View<'_>) -> SafeText {
    let call = &emergency.call;
    let emoji = if call.is_emergency { "🚨" } else { "📞" };
    let word = words::emergency(view.labels, call.is_emergency);
    let number = words::numbered(safe!("{} {}", emoji, word), emergency.cad_number(id), &call.meta);
    let what = text::visible(call.description.as_deref()).map(emergency::first_sentence);
    let what = draft::line(what.map(words::capital).as_deref(), 60);
    let place = draft::line(call.location.as_deref().map(street::first), 40);
    let panic = emergency.panic_of.map(|ident| safe!("🆘 panic of {}", unit::short(view, ident)));
    let parts = [Some(number), what, place, panic, Some(words::ago(emergency.opened_at))];
    SafeText::join(parts.into_iter().flatten(), " · ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EmergencyCall, Unit};
    use crate::render::sample::{self, OPENED, show};
    use crate::render::{hostile, limits};
    use crate::world::{Panic, UnitState};
    use insta::assert_snapshot;

    fn shown(kind: BoardKind, servers: &[(ServerId, &Server)]) -> String {
        show(&Some(board(BoardId(3), kind, servers, &Labels::default())))
    }

    fn unit(world: &mut Server, ident: i64, callsign: &str, department: &str, status: i64) {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let unit = Unit {
            ident: Ident(ident),
            status: Some(status),
            callsign: some(callsign),
            name: Some("John Doe".into()),
            department: some(department),
            ..Unit::default()
        };
        world.units.insert(Ident(ident), UnitState { unit, on_duty: true, ..UnitState::default() });
    }

    fn panic(world: &mut Server, ident: i64) {
        world.panics.insert(
            Ident(ident),
            Panic {
                ident: Ident(ident),
                since: OPENED,
                over_at: None,
                linked_911: None,
                by_flag: false,
                joined_late: false,
                taken: None,
                shared: None,
            },
        );
    }

    fn call(world: &mut Server, id: i64, priority: i64) {
        let call = Dispatch {
            priority: Some(Priority::Level(priority)),
            title: Some(format!("A burglary with quite some details, number {id}")),
            address: Some("1180 Mission Row, Los Santos".into()),
            opened_at: OPENED.plus(id * 1_000),
            ..sample::empty_dispatch(CallId(id))
        };
        world.dispatches.insert(CallId(id), call);
    }

    #[test]
    fn both_halves_of_a_small_world() {
        let mut world = sample::world();
        unit(&mut world, 1, "A-2", "LSPD", 2);
        unit(&mut world, 2, "D-1", "LSPD", 2);
        world.units.get_mut(&Ident(2)).unwrap().unit.is_dispatch = Some(true);
        unit(&mut world, 3, "Gone", "LSPD", 100);
        world.units.get_mut(&Ident(3)).unwrap().on_duty = false;
        call(&mut world, 502, 3);
        world.dispatches.get_mut(&CallId(502)).unwrap().status = Some(0);
        call(&mut world, 503, 1);
        world.dispatches.get_mut(&CallId(503)).unwrap().closed_at = Some(OPENED);
        assert_snapshot!(shown(BoardKind::Both, &[(ServerId(1), &world)]), @r##"
        #FF0033 👥 On duty: 5
        🆘 2 panics · 🟢 1 Available · 🔵 1 En route · ▫️ 1 Status 42 · ▫️ 1 without a status · 🎧 1 at dispatch

        🎧 **Dispatch**
        🟢 D-1 John Doe

        **LSPD**
        🟢 A-2 John Doe
        🆘 🔵 **A-10 John Doe** · PANIC → #501

        **No department**
        ▫️ E-1 → #501
        ▫️ Unit 4120
        🆘 ▫️ **Unit 9999** · PANIC → #501
        -- Board #3 · Server 1 @ -
        #C0392B 📋 Open calls: 2
        1 P1 · 1 P3 · ☎️ 1 waiting

        **P1** #501 · 211 Armed Robbery · 1180 Mission Row · A-10, E-1, Unit 9999 · <t:1763700000:R>
        **P3** #502 · A burglary with quite some details, number 502 · 1180 Mission Row · pending · nobody yet · <t:1763700502:R>

        **Waiting for dispatch**
        🚨 911 #302 · Shots fired · Alta St · <t:1763700000:R>
        -- Board #3 · Server 1 @ -
        "##);
    }

    #[test]
    fn an_empty_world_says_so() {
        let world = Server::default();
        assert_snapshot!(shown(BoardKind::Both, &[(ServerId(1), &world)]), @r##"
        #7F8C8D 👥 On duty: 0
        Nobody is on duty.
        -- Board #3 · Server 1 @ -
        #95A5A6 📋 Open calls: 0
        No open call.
        -- Board #3 · Server 1 @ -
        "##);
        assert_snapshot!(shown(BoardKind::Units, &[]), @r##"
        #7F8C8D 👥 On duty: 0
        Nobody is on duty.
        -- Board #3 @ -
        "##);
    }

    #[test]
    fn each_server_has_a_section() {
        let (mut one, mut two) = (Server::default(), Server::default());
        unit(&mut one, 1, "A-1", "", 2);
        call(&mut two, 501, 2);
        assert_snapshot!(shown(BoardKind::Units, &[(ServerId(1), &one), (ServerId(2), &two)]), @r##"
        #2ECC71 👥 Server 1 · On duty: 1
        🟢 1 Available

        🟢 A-1 John Doe
        -- Board #3 · Server 1 @ -
        #7F8C8D 👥 Server 2 · On duty: 0
        Nobody is on duty.
        -- Board #3 · Server 2 @ -
        "##);
    }

    #[test]
    fn callsigns_stand_in_the_order_of_their_numbers() {
        let mut world = Server::default();
        for (ident, callsign) in [(1, "A-10"), (2, "a-9"), (3, ""), (4, "B-1"), (5, "A-9"), (6, "99999999999999999999999"), (7, "2 Adam 3")]
        {
            unit(&mut world, ident, callsign, "LSPD", 2);
        }
        let text = shown(BoardKind::Units, &[(ServerId(1), &world)]);
        let order: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("🟢 ")?.strip_suffix("John Doe")).map(str::trim).collect();
        assert_eq!(order, ["2 Adam 3", "99999999999999999999999", "a-9", "A-9", "A-10", "B-1", ""]);
    }

    #[test]
    fn three_hundred_units_and_calls_fit_and_what_is_urgent_stays() {
        let mut world = Server::default();
        for n in 0..300 {
            unit(&mut world, n, &format!("Unit-{n}"), ["LSPD", "BCSO", "SAFR"][usize::try_from(n % 3).unwrap()], n % 5);
            call(&mut world, 1_000 + n, 3);
        }
        // The last of the last department, the youngest call, and a panic of somebody who was never seen.
        panic(&mut world, 299);
        panic(&mut world, 7_777);
        call(&mut world, 1_299, 1);
        for kind in BoardKind::ALL {
            let message = board(BoardId(3), kind, &[(ServerId(1), &world)], &Labels::default());
            hostile::assert_fits(&message);
            assert_eq!(limits::fit(message.clone()), message);
            let text = show(&Some(message.clone()));
            for embed in &message.embeds {
                let description = embed.description.as_deref().unwrap();
                let (_, left_out) = description.rsplit_once("… and ").unwrap();
                let left_out: usize = left_out.strip_suffix(" more").unwrap().parse().unwrap();
                let all = if embed.title.as_deref().unwrap().contains("On duty") { 301 } else { 300 };
                let there = description.lines().filter(|line| line.contains("Unit") || line.contains(" #1")).count();
                assert_eq!(there + left_out, all, "{description}");
                // Little space is wasted.
                let most = if kind == BoardKind::Both { 2_700 } else { 3_900 };
                assert!(text::units(description) > most, "{} units", text::units(description));
            }
            if kind != BoardKind::Calls {
                assert!(text.contains("🆘 🔴 **Unit-299 John Doe** · PANIC"), "{text}");
                assert!(text.contains("**Unit 7777** · PANIC") && text.contains("🆘 2 panics"), "{text}");
            }
            if kind != BoardKind::Units {
                assert!(text.contains("**P1** #1299"), "{text}");
            }
        }
    }

    #[test]
    fn of_too_many_servers_those_with_a_panic_stay() {
        let (calm, mut alarm) = (Server::default(), Server::default());
        panic(&mut alarm, 9);
        let servers: Vec<(ServerId, &Server)> = (1..=14).map(|n| (ServerId(n), if n == 13 { &alarm } else { &calm })).collect();
        let message = board(BoardId(3), BoardKind::Both, &servers, &Labels::default());
        hostile::assert_fits(&message);
        let titles: Vec<&str> = message.embeds.iter().step_by(2).map(|embed| embed.title.as_deref().unwrap()).collect();
        assert_eq!(titles[0], "👥 Server 1 · On duty: 0");
        assert_eq!(titles[4], "👥 Server 13 · On duty: 0");
        assert_eq!(message.embeds[9].footer.as_deref(), Some("Board #3 · Server 13 · and 9 more servers"));
    }

    #[test]
    fn a_crowd_does_not_push_another_server_out() {
        let (mut crowd, mut few) = (Server::default(), Server::default());
        for n in 0..300 {
            unit(&mut crowd, n, &format!("Unit-{n}"), "LSPD", 2);
        }
        for n in 0..10 {
            unit(&mut few, n, &format!("Few-{n}"), "LSPD", 2);
        }
        let message = board(BoardId(3), BoardKind::Units, &[(ServerId(1), &crowd), (ServerId(2), &few)], &Labels::default());
        let second = message.embeds[1].description.as_deref().unwrap();
        assert!(second.contains("Few-9 John Doe") && !second.contains("more"), "{second}");
    }

    #[test]
    fn what_players_write_stays_harmless_and_the_words_are_the_communitys() {
        let mut world = Server::default();
        unit(&mut world, 1, "**A** @everyone", "[x](https://evil.example)", 2);
        call(&mut world, 501, 1);
        world.dispatches.get_mut(&CallId(501)).unwrap().title = Some("# <@1> `x`\n> y".into());
        let call = EmergencyCall {
            id: Some(CallId(9)),
            is_emergency: true,
            caller: None,
            location: Some("@here".into()),
            description: Some("||x||".into()),
            meta: [].into(),
            updated: None,
        };
        world.emergencies.insert(
            CallId(9),
            Emergency {
                call,
                opened_at: OPENED,
                gone_at: None,
                became: None,
                became_at: None,
                panic_of: Some(Ident(1)),
                content_fingerprint: None,
                joined_late: false,
                taken: None,
                notes: Vec::new(),
            },
        );
        let labels = Labels { emergency: "112".into(), statuses: [(2, ("✅".into(), "10-8".into()))].into(), ..Labels::default() };
        assert_snapshot!(show(&Some(board(BoardId(3), BoardKind::Both, &[(ServerId(1), &world)], &labels))), @r##"
        #2ECC71 👥 On duty: 1
        ✅ 1 10-8

        **\[x\](https:¦//evil.¦example)**
        ✅ \*\*A\*\* @¦everyone John Doe
        -- Board #3 · Server 1 @ -
        #C0392B 📋 Open calls: 1
        1 P1 · ☎️ 1 waiting

        **P1** #501 · \# <¦@¦1> \`x\` > y · 1180 Mission Row · nobody yet · <t:1763700501:R>

        **Waiting for dispatch**
        🚨 112 #9 · \|\|x\|\| · @¦here · 🆘 panic of \*\*A\*\* @¦everyone · <t:1763700000:R>
        -- Board #3 · Server 1 @ -
        "##);
    }

    #[test]
    fn nothing_depends_on_when_units_were_last_seen() {
        let mut world = sample::world();
        let before = board(BoardId(3), BoardKind::Both, &[(ServerId(1), &world)], &Labels::default());
        for state in world.units.values_mut() {
            state.seen_at = state.seen_at.plus(60_000);
            state.unit.location = Some("Elsewhere".into());
        }
        assert_eq!(board(BoardId(3), BoardKind::Both, &[(ServerId(1), &world)], &Labels::default()), before);
    }
}
