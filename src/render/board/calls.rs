//! The calls on a board: open ones by priority, then the 911s that wait.

use std::collections::BTreeMap;

use super::section::{Group, Line, NAMED, Section, rest};
use crate::event::Priority;
use crate::ids::CallId;
use crate::render::text::{self, SafeText, safe};
use crate::render::{View, colors, dispatch, draft, emergency, street, unit, words};
use crate::world::{Dispatch, Emergency};

/// Status number of a closed call (docs/cad-contract.md#n4).
const CLOSED: i64 = 2;
/// Status number of a pending call (docs/cad-contract.md#n4).
const PENDING: i64 = 0;

pub(super) fn is_open(call: &Dispatch) -> bool {
    call.closed_at.is_none() && call.status != Some(CLOSED)
}

/// Of the highest priority.
pub(super) fn is_first(call: &Dispatch) -> bool {
    matches!(call.priority, Some(Priority::Level(..=1)))
}

/// The calls of a server: open ones by priority, then the 911s that wait.
pub(super) fn calls(view: &View<'_>, whose: &SafeText, footer: SafeText) -> Section {
    let mut dispatches: Vec<&Dispatch> = view.world.dispatches.values().filter(|call| is_open(call)).collect();
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
    let color = match dispatches.iter().find(|call| is_first(call)).or(dispatches.first()) {
        Some(call) => colors::priority(call.priority.as_ref()),
        None if emergencies.iter().any(|(_, call)| call.call.is_emergency) => colors::EMERGENCY,
        None if !emergencies.is_empty() => colors::CIVIL,
        None => colors::CLOSED,
    };
    let line = |text, urgent| Line { text, urgent, kept: false };
    let open = dispatches.iter().map(|call| line(dispatch_line(call, view), is_first(call))).collect();
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
