//! The units on a board: dispatchers first, then departments, each by callsign.

use std::collections::{BTreeMap, BTreeSet};

use super::calls::is_open;
use super::section::{Group, Line, NAMED, Section, rest};
use crate::ids::{CallId, Ident};
use crate::render::text::{self, SafeText, safe};
use crate::render::{View, colors, draft, unit, words};
use crate::world::Server;

/// Longest department, in units.
const DEPARTMENT: usize = 48;

/// The units of a server, by department.
pub(super) fn units(view: &View<'_>, whose: &SafeText, footer: SafeText) -> Section {
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
    for call in world.dispatches.values().filter(|call| is_open(call)) {
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
