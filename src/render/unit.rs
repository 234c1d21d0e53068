//! Units: their names, duty, status and group lines. Nothing of them is public.

use std::time::Duration;

use super::draft::{self, Draft, Fields};
use super::text::{self, SafeText, safe};
use super::{Message, Style, View, colors, words};
use crate::clock::UnixMs;
use crate::event::Unit;
use crate::ids::Ident;

/// Longest callsign or name, in units.
const NAME: usize = 48;
/// Limit on the units named in one line.
const MAX_NAMED: usize = 10;

fn known<'a>(view: &View<'a>, ident: Ident) -> Option<&'a Unit> {
    view.world.units.get(&ident).map(|state| &state.unit)
}

/// `A-10 John Doe`, or what is known of it, or `Unit 4107`. Raw: it must pass through `text` before it is shown.
pub(super) fn raw_name(view: &View<'_>, ident: Ident) -> String {
    let unit = known(view, ident);
    let callsign = text::visible(unit.and_then(|u| u.callsign.as_deref())).map(str::trim);
    let name = text::visible(unit.and_then(|u| u.name.as_deref())).map(str::trim);
    match (callsign, name) {
        (Some(callsign), Some(name)) if callsign != name => format!("{callsign} {name}"),
        (Some(one), _) | (None, Some(one)) => one.to_owned(),
        (None, None) => format!("Unit {ident}"),
    }
}

/// [`raw_name`] made safe.
pub(super) fn name(view: &View<'_>, ident: Ident) -> SafeText {
    text::line(&raw_name(view, ident), NAME)
}

/// `A-10`, else the name, else `Unit 4107`. Raw.
pub(super) fn raw_short(view: &View<'_>, ident: Ident) -> String {
    let callsign = text::visible(known(view, ident).and_then(|u| u.callsign.as_deref()));
    callsign.map_or_else(|| raw_name(view, ident), |callsign| callsign.trim().to_owned())
}

/// [`raw_short`] made safe.
pub(super) fn short(view: &View<'_>, ident: Ident) -> SafeText {
    text::line(&raw_short(view, ident), NAME)
}

/// Short names, separated by commas.
pub(super) fn shorts(view: &View<'_>, idents: &[Ident]) -> Option<SafeText> {
    let names: Vec<SafeText> = idents.iter().take(MAX_NAMED).map(|i| short(view, *i)).collect();
    let rest = idents.len() - names.len();
    let line = draft::list(&names, ", ", 400)?;
    Some(if rest > 0 { safe!("{}, +{} more", line, rest) } else { line })
}

/// `🟢 A-10 ★`: status, callsign, a star for the primary.
pub(super) fn on_call(view: &View<'_>, ident: Ident, primary: bool) -> SafeText {
    let emoji = known(view, ident).and_then(|u| u.status).map(|status| words::unit_status(view, status).0);
    let star = if primary { " ★" } else { "" };
    let name = short(view, ident);
    match emoji {
        Some(emoji) => safe!("{} {}{}", emoji, name, star),
        None => safe!("{}{}", name, star),
    }
}

/// `LSPD · Patrol`.
pub(super) fn department(view: &View<'_>, ident: Ident) -> Option<SafeText> {
    let unit = known(view, ident)?;
    joined(&[unit.department.as_deref(), unit.subdivision.as_deref()], " · ").map(|raw| text::line(&raw, 120))
}

pub(super) fn rank(view: &View<'_>, ident: Ident) -> Option<SafeText> {
    draft::line(known(view, ident)?.rank.as_deref(), 60)
}

fn joined(parts: &[Option<&str>], separator: &str) -> Option<String> {
    let parts: Vec<&str> = parts.iter().filter_map(|p| text::visible(*p)).map(str::trim).collect();
    (!parts.is_empty()).then(|| parts.join(separator))
}

fn details(view: &View<'_>, ident: Ident) -> Fields {
    let unit = known(view, ident);
    let mut fields = Fields::default();
    fields.inline("Department", department(view, ident));
    fields.inline("Rank", rank(view, ident));
    fields.inline("District", draft::line(unit.and_then(|u| u.district.as_deref()), 60));
    fields.inline("Patrols", draft::line(unit.and_then(|u| u.aop.as_deref()), 60));
    fields.inline("Group", draft::line(unit.and_then(|u| u.group.as_deref()), 60));
    fields
}

/// For footers: the number is the CAD's own, not the callsign, and the same before and after the name is known.
pub(super) fn about(ident: Ident) -> SafeText {
    safe!("Identifier {}", ident)
}

/// On or off duty: the parts of `world::Change::Duty`. `None` in the public style.
#[must_use]
pub fn duty(ident: Ident, on: bool, after: Option<Duration>, at: UnixMs, view: &View<'_>) -> Option<Message> {
    if view.style == Style::Public {
        return None;
    }
    let state = match (on, after) {
        (true, _) => "on duty".into(),
        (false, Some(after)) => safe!("off duty after {}", words::duration(after)),
        (false, None) => "off duty".into(),
    };
    let (emoji, color) = if on { ("🟢", colors::ON_DUTY) } else { ("⚪", colors::OFF_DUTY) };
    let unit = known(view, ident);
    let team = joined(&[unit.and_then(|u| u.department.as_deref()), unit.and_then(|u| u.subdivision.as_deref())], " ");
    // The state ends the line whatever the length of the names: it takes the place of a head.
    let room = 80 - text::units("TEST · ⚪  ·  · ") - text::units(&state);
    let who = text::line(&raw_name(view, ident), room.min(if team.is_some() { 32 } else { room }));
    let team = team.map(|t| text::line(&t, room.saturating_sub(text::units(&who))));
    let title = match team.filter(|t| !t.is_empty()) {
        Some(team) => safe!("{} {} · {} · {}", emoji, who, team, state),
        None => safe!("{} {} · {}", emoji, who, state),
    };
    let mut draft = Draft::new(view, title, color, about(ident), at);
    if on {
        draft.fields = details(view, ident).0;
    }
    Some(draft.finish(view))
}

/// A new status: the parts of `world::Change::Status`. `None` in the public style.
#[must_use]
pub fn status(ident: Ident, from: Option<i64>, to: i64, at: UnixMs, view: &View<'_>) -> Option<Message> {
    if view.style == Style::Public {
        return None;
    }
    let (emoji, name) = words::unit_status(view, to);
    let before = from.map(|from| safe!(" (was {})", words::unit_status(view, from).1)).unwrap_or_default();
    let room = 80 - text::units("TEST ·   · ");
    let state = safe!("{}{}", name, before);
    let who = text::line(&raw_name(view, ident), room.saturating_sub(text::units(&emoji) + text::units(&state)));
    let mut draft = Draft::new(view, safe!("{} {} · {}", emoji, who, state), colors::OTHER, about(ident), at);
    draft.fields = details(view, ident).0;
    Some(draft.finish(view))
}

/// Units joined, left or kept a group that has a new name; `what` is our own sentence, `group` and `old` raw.
pub(super) fn group(
    idents: &[Ident],
    what: &'static str,
    group: Option<&str>,
    old: Option<&str>,
    at: UnixMs,
    view: &View<'_>,
) -> Option<Message> {
    if view.style == Style::Public {
        return None;
    }
    let head = safe!("👥 {}", what);
    let rename = text::visible(old).map(|old| safe!("{} → {}", text::line(old, 24), text::line(group.unwrap_or(""), 24)));
    let title = match rename {
        // Both names are safe already.
        Some(rename) => safe!("{} · {}", head, rename),
        None => draft::title(view, head, group, "", None),
    };
    let members = shorts(view, idents);
    let mut draft = Draft::new(view, title, colors::OTHER, "", at);
    if view.style == Style::Log
        && let Some(members) = &members
    {
        // A line has no fields: the members stand in it.
        draft.title = safe!("{} · {}", draft.title, members);
    }
    let mut fields = Fields::default();
    fields.wide("Units", members);
    draft.fields = fields.0;
    Some(draft.finish(view))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample::{self, show};
    use insta::assert_snapshot;

    const AT: UnixMs = sample::NOW;

    #[test]
    fn coming_and_going() {
        let world = sample::world();
        let view = sample::view(&world, Style::Card);
        assert_snapshot!(show(&duty(Ident(4107), true, None, AT, &view)), @r##"
        #2ECC71 🟢 A-10 John Doe · LSPD Patrol · on duty
        {Department} LSPD · Patrol
        {Rank} Sergeant
        {Patrols} Los Santos
        -- Server 1 · Identifier 4107 @ 1763700600
        "##);
        assert_snapshot!(show(&duty(Ident(4107), false, Some(Duration::from_secs(8_040)), AT, &view)), @r##"
        #7F8C8D ⚪ A-10 John Doe · LSPD Patrol · off duty after 2 h 14
        -- Server 1 · Identifier 4107 @ 1763700600
        "##);
        assert_snapshot!(show(&duty(Ident(9999), false, None, AT, &view)), @r##"
        #7F8C8D ⚪ Unit 9999 · off duty
        -- Server 1 · Identifier 9999 @ 1763700600
        "##);
        let log = sample::view(&world, Style::Log);
        assert_snapshot!(show(&duty(Ident(4107), false, Some(Duration::from_secs(8_040)), AT, &log)), @r##"
        #7F8C8D (no title)
        <t:1763700600:t> ⚪ A-10 John Doe · LSPD Patrol · off duty after 2 h 14
        -- Server 1 · Identifier 4107 @ 1763700600
        "##);
        assert_eq!(duty(Ident(4107), true, None, AT, &sample::view(&world, Style::Public)), None);
    }

    #[test]
    fn statuses() {
        let world = sample::world();
        let view = sample::view(&world, Style::Compact);
        assert_snapshot!(show(&status(Ident(4107), Some(2), 3, AT, &view)), @r##"
        #3498DB 🔵 A-10 John Doe · En route (was Available)
        -- Server 1 · Identifier 4107 @ 1763700600
        "##);
        assert_snapshot!(show(&status(Ident(4112), None, 42, AT, &view)), @r##"
        #3498DB ▫️ E-1 · Status 42
        -- Server 1 · Identifier 4112 @ 1763700600
        "##);
        assert_eq!(status(Ident(4107), None, 2, AT, &sample::view(&world, Style::Public)), None);
    }

    #[test]
    fn groups() {
        let world = sample::world();
        let idents = [Ident(4107), Ident(9999)];
        let view = sample::view(&world, Style::Card);
        assert_snapshot!(show(&group(&idents, "Joined a group", Some("Alpha"), None, AT, &view)), @r##"
        #3498DB 👥 Joined a group · Alpha
        [Units] A-10, Unit 9999
        -- Server 1 @ 1763700600
        "##);
        assert_snapshot!(show(&group(&[], "Group renamed", Some("Bravo"), Some("Alpha"), AT, &view)), @r##"
        #3498DB 👥 Group renamed · Alpha → Bravo
        -- Server 1 @ 1763700600
        "##);
        let log = sample::view(&world, Style::Log);
        assert_snapshot!(show(&group(&idents, "Left a group", None, None, AT, &log)), @r##"
        #3498DB (no title)
        <t:1763700600:t> 👥 Left a group · A-10, Unit 9999
        -- Server 1 @ 1763700600
        "##);
    }

    #[test]
    fn a_unit_without_anything_is_its_number() {
        let world = sample::world();
        let view = sample::view(&world, Style::Card);
        assert_eq!(name(&view, Ident(9999)), "Unit 9999");
        assert_eq!(name(&view, Ident(4120)), "Unit 4120", "known, but nameless");
        assert_eq!(short(&view, Ident(4107)), "A-10");
        assert_eq!(on_call(&view, Ident(4107), true), "🔵 A-10 ★");
        assert_eq!(on_call(&view, Ident(9999), false), "Unit 9999");
    }
}
