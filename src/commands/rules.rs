//! A route's finer settings in people's words, for the commands that set them and the list that shows them.

use super::Desk;
use super::alerts_remove::no_such_route;
use super::errors::Error;
use crate::clock::UnixMs;
use crate::event::Topic;
use crate::ids::{GuildId, RoleId};
use crate::render::Style;
use crate::route::{Listens, Route, Threads, When};

/// A route of this guild, as it is now.
pub(super) fn known_route(desk: &Desk, guild: GuildId, id: i64) -> Result<Route, Error> {
    let routing = desk.store.routing_now();
    routing.routes.iter().find(|route| route.guild == guild && route.id == id).cloned().ok_or_else(|| no_such_route(id))
}

/// `Route #3 (911 → <#5>)`.
pub(super) fn named(route: &Route) -> String {
    format!("Route #{} ({} → <#{}>)", route.id, route.event.as_str(), route.channel)
}

/// Whether panics come over this route.
pub(super) fn hears_panics(route: &Route) -> bool {
    matches!(route.event, Listens::All | Listens::To(Topic::Panic))
}

/// `until <t:5:f> (<t:5:R>)`.
pub(super) fn until(end: UnixMs) -> String {
    let seconds = end.secs();
    format!("until <t:{seconds}:f> (<t:{seconds}:R>)")
}

/// When a route with this role pings it, in one sentence.
pub(super) fn pings(route: &Route, role: RoleId) -> String {
    let name = named(route);
    let Some(occasion) = occasion(route) else {
        let why = match (route.rule.when, route.style) {
            (Some(When::Never), _) => "that is how it is set".to_owned(),
            (_, Style::Log) => "log lines are never worth a ping".to_owned(),
            _ => format!("{} is never worth a ping unless `when:` says so", route.event.as_str()),
        };
        return format!("🔕 {name} never pings <@&{role}>: {why}.");
    };
    let cooldown = match route.rule.cooldown_s {
        None if route.event == Listens::To(Topic::Tone) => ", at most once in 30 s".to_owned(),
        None | Some(0) => String::new(),
        Some(seconds) if hears_panics(route) => format!(", at most once in {seconds} s (panics do not wait)"),
        Some(seconds) => format!(", at most once in {seconds} s"),
    };
    format!("🔔 {name} pings <@&{role}> {occasion}{cooldown}.")
}

/// For what; `None` = for nothing.
fn occasion(route: &Route) -> Option<String> {
    if route.style == Style::Log {
        return None;
    }
    Some(match route.rule.when {
        Some(When::Never) => return None,
        Some(When::Always) => "for everything new".to_owned(),
        Some(When::Priority1) => "for what has priority 1, and for nothing else".to_owned(),
        Some(When::NoDispatcher) => "for what is new while no dispatcher is on duty".to_owned(),
        None => match route.event {
            Listens::All => "for emergency calls, panics, station alerts, emergency pages and dispatches of priority 1".to_owned(),
            Listens::To(Topic::Dispatch) => "for dispatches that are new with priority 1 or rise to it".to_owned(),
            Listens::To(Topic::Pager) => "for emergency pages".to_owned(),
            Listens::To(Topic::Duty | Topic::Status | Topic::Other) => return None,
            Listens::To(_) => "for everything new".to_owned(),
        },
    })
}

/// What a list says of a route beside what, where and how.
pub(super) fn settings(route: &Route, now: UnixMs) -> Vec<String> {
    let rule = &route.rule;
    let mut said = Vec::new();
    if let Some(mute) = rule.mute.filter(|mute| mute.until > now) {
        said.push(format!("🔇 muted {}{}", until(mute.until), if mute.panic { ", panics too" } else { "" }));
    }
    match rule.when {
        None => {}
        Some(When::Always) => said.push("pings for everything new".to_owned()),
        Some(When::Priority1) => said.push("pings with priority 1 only".to_owned()),
        Some(When::NoDispatcher) => said.push("pings while no dispatcher is on duty".to_owned()),
        Some(When::Never) => said.push("never pings".to_owned()),
    }
    said.extend(rule.cooldown_s.map(|seconds| format!("cool-down {seconds} s")));
    match route.threads() {
        Threads::Off => {}
        Threads::OnFirstNote => said.push("threads with the first note".to_owned()),
        Threads::Always => said.push("threads always".to_owned()),
    }
    said
}
