//! Describes routes in words, for the commands that set them and the list that shows them.

use super::options::style_word;
use super::wording::and;
use crate::authorization::ActionRule;
use crate::clock::UnixMs;
use crate::event::Topic;
use crate::ids::{ChannelId, RoleId, ServerId};
use crate::render::Style;
use crate::render::text::{self, SafeText, safe};
use crate::route::{Board, Escalation, Listens, Route, RouteSpec, Threads, When};

/// `911 → <#1>, pinging <@&2>, as card, of server 1`.
pub(super) fn describe(new: &RouteSpec) -> SafeText {
    let role = new.role.map(|role| safe!(", pinging <@&{}>", role)).unwrap_or_default();
    let server = new.server.map(|server| safe!(", of server {} only", server)).unwrap_or_default();
    safe!("{} → <#{}>{}, as {}{}", new.event.as_str(), new.channel, role, style_word(new.style), server)
}

/// What a route listens to, in people's words.
pub(super) fn words(event: Listens) -> SafeText {
    match event {
        Listens::All => "everything".into(),
        Listens::To(topic) => text::line(&topic.label().to_lowercase(), 60),
    }
}

pub(super) fn not_configured(server: ServerId) -> SafeText {
    safe!("This bot does not watch server {}: its operator must add {} to SONORAN_SERVER_IDS and restart it.", server, server)
}

/// Why a forum doesn't accept these, and the alternative.
pub(super) fn not_in_forum(channel: ChannelId, targets: impl Iterator<Item = (Listens, Style)>) -> Option<SafeText> {
    let (mut others, mut lines, mut count) = (Vec::new(), false, 0_usize);
    for (event, style) in targets {
        count += 1;
        lines |= style == Style::Log;
        if !event.only_cards() {
            others.push(safe!("`{}`", event.as_str()));
        }
    }
    others.dedup();
    if !others.is_empty() {
        let instead = if count > 1 { "add those four with `/alerts add`" } else { "one of those four" };
        return Some(safe!(
            "<#{}> is a forum, which takes cards of `911`, `civil`, `panic` and `dispatch` only, not {}: choose a text channel, or {}.",
            channel,
            and(&others),
            instead
        ));
    }
    lines.then(|| {
        safe!(
            "<#{}> is a forum, which takes no log lines: choose `style:card`, `style:compact` or `style:public`, or a text channel.",
            channel
        )
    })
}

/// The fix for a role that not everybody may mention.
pub(super) fn not_pinged(role: RoleId) -> SafeText {
    safe!(
        "💡 Discord will not ping <@&{}> yet: switch on \"Allow anyone to @mention this role\" in Server Settings > Roles, or give the bot Mention Everyone.",
        role
    )
}

/// `units on duty → <#1>, of server 2 only`.
pub(super) fn describe_board(board: &Board) -> SafeText {
    let server = board.server.map(|server| safe!(", of server {} only", server)).unwrap_or_default();
    safe!("{} → <#{}>{}", board.kind.describe(), board.channel, server)
}

/// `Route #3 (911 → <#5>)`.
pub(super) fn named(route: &Route) -> SafeText {
    safe!("Route #{} ({} → <#{}>)", route.id, route.spec.event.as_str(), route.spec.channel)
}

/// Whether panics use this route.
pub(super) fn gets_panics(route: &Route) -> bool {
    matches!(route.spec.event, Listens::All | Listens::To(Topic::Panic))
}

/// `until <t:5:f> (<t:5:R>)`.
pub(super) fn until(end: UnixMs) -> SafeText {
    let seconds = end.secs();
    safe!("until <t:{}:f> (<t:{}:R>)", seconds, seconds)
}

/// When a route with this role pings it, in one sentence.
pub(super) fn pings(route: &Route, role: RoleId) -> SafeText {
    let name = named(route);
    let Some(occasion) = occasion(route) else {
        let event = route.spec.event.as_str();
        let why = match (route.spec.rule.when, route.spec.event) {
            (Some(When::Never), _) => "that is how it is set now".into(),
            (_, Listens::To(Topic::Duty | Topic::Status | Topic::Other)) => safe!("`{}` is never worth a ping", event),
            _ => safe!("`{}` has no priority", event),
        };
        return safe!("🔕 {} never pings <@&{}>: {}.", name, role, why);
    };
    let cooldown = match route.spec.rule.cooldown_s.unwrap_or_else(|| default_cooldown(route.spec.event)) {
        0 => SafeText::default(),
        // What never waits needs no word of waiting.
        _ if route.spec.event == Listens::To(Topic::Panic) => ", without a cool-down, as panics do not wait".into(),
        seconds if gets_panics(route) => safe!(", at most once in {} s (panics do not wait)", seconds),
        seconds => safe!(", at most once in {} s", seconds),
    };
    safe!("🔔 {} pings <@&{}> {}{}.", name, role, occasion, cooldown)
}

/// Whether any event of a route pings its role.
pub(super) fn ever_pings(route: &Route) -> bool {
    occasion(route).is_some()
}

/// The default of a route (s).
fn default_cooldown(event: Listens) -> u32 {
    if event == Listens::To(Topic::Tone) { 30 } else { 0 }
}

/// The pinging events, as `route::attention` decides; `None` = none.
fn occasion(route: &Route) -> Option<SafeText> {
    use Topic::{Dispatch, Duty, Emergency, Other, Pager, Panic, Status};
    let new = || "for everything new".into();
    let rising = || "for dispatches that are new with priority 1 or rise to it".into();
    let by_default = || match route.spec.event {
        Listens::All => "for emergency calls, panics, station alerts, emergency pages and dispatches of priority 1".into(),
        Listens::To(Dispatch) => rising(),
        Listens::To(Pager) => "for emergency pages".into(),
        Listens::To(_) => new(),
    };
    if matches!(route.spec.event, Listens::To(Duty | Status | Other)) {
        return None;
    }
    Some(match (route.spec.rule.when, route.spec.event) {
        (Some(When::Never), _) => return None,
        (None, _) => by_default(),
        (Some(When::Always), Listens::All) => "for everything new but news of units".into(),
        (Some(When::Always), _) => new(),
        (Some(When::Priority1), Listens::All) => "for panics, emergency pages and calls of priority 1 only".into(),
        (Some(When::Priority1), Listens::To(Panic)) => new(),
        (Some(When::Priority1), Listens::To(Dispatch)) => rising(),
        (Some(When::Priority1), Listens::To(Emergency)) => "for calls that say priority 1 only".into(),
        (Some(When::Priority1), Listens::To(Pager)) => "for emergency pages only".into(),
        (Some(When::Priority1), Listens::To(_)) => return None,
        (Some(When::NoDispatcher), Listens::All) => safe!("while no dispatcher is on duty {}; for panics always", by_default()),
        (Some(When::NoDispatcher), _) => safe!("{} while no dispatcher is on duty", by_default()),
    })
}

/// How members may act, in a few words.
pub(super) fn action_rule(rule: &ActionRule) -> SafeText {
    let who = rule.role.map_or_else(|| "everybody whom the CAD lets".into(), |role| safe!("<@&{}> only", role));
    let on = |on: bool| if on { "on" } else { "off" };
    let callers = rule.emergency_role.map(|role| safe!(" for <@&{}> only", role)).unwrap_or_default();
    safe!("{}, buttons {}, /911 {}{}", who, on(rule.buttons), on(rule.emergency), callers)
}

/// A route's steps: `<@&5> after 5 min`.
pub(super) fn steps(escalation: &Escalation) -> Vec<SafeText> {
    escalation.steps().iter().map(|step| safe!("<@&{}> after {} min", step.role, step.minutes)).collect()
}

/// Further properties of a route in a list.
pub(super) fn settings(route: &Route, now: UnixMs) -> Vec<SafeText> {
    let rule = &route.spec.rule;
    let mut said = Vec::new();
    if let Some(mute) = rule.mute.filter(|mute| mute.covers(now)) {
        said.push(safe!("🔇 muted {}{}", until(mute.until), if mute.panic { ", panics too" } else { "" }));
    }
    match rule.when {
        None => {}
        Some(When::Always) => said.push("pings for everything new".into()),
        Some(When::Priority1) => said.push("pings with priority 1 only".into()),
        Some(When::NoDispatcher) => said.push("pings while no dispatcher is on duty".into()),
        Some(When::Never) => said.push("never pings".into()),
    }
    said.extend(rule.cooldown_s.map(|seconds| safe!("cool-down {} s", seconds)));
    if !rule.escalation.is_empty() {
        said.push(safe!("⏰ calls {}", and(&steps(&rule.escalation))));
    }
    match route.spec.threads() {
        Threads::Off => {}
        Threads::OnFirstNote => said.push("threads with the first note".into()),
        Threads::Always => said.push("threads always".into()),
    }
    if rule.thread_notes && (route.spec.forum || route.spec.threads() != Threads::Off) {
        said.push("what is written there becomes notes".into());
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Priority;
    use crate::ids::{CommunityId, GuildId, RouteId};
    use crate::render::Style;
    use crate::route::{AttentionFacts, Occasion, Rule, attention};

    fn route(event: Listens, when: Option<When>) -> Route {
        Route {
            id: RouteId(3),
            guild: GuildId(1),
            community: CommunityId::new("c"),
            enabled: true,
            spec: RouteSpec {
                event,
                channel: ChannelId(5),
                server: None,
                role: Some(RoleId(7)),
                style: Style::Card,
                forum: false,
                rule: Rule { when, ..Rule::default() },
            },
        }
    }

    fn events() -> impl Iterator<Item = Listens> {
        Topic::ALL.into_iter().map(Listens::To).chain([Listens::All])
    }

    /// Whether the route pings at all, by the same decision as for real events.
    fn ever(route: &Route, last_ping: Option<UnixMs>, now: UnixMs) -> bool {
        let community = CommunityId::new("c");
        let level = Priority::Level(1);
        let topics =
            Topic::ALL.into_iter().filter(|topic| matches!(route.spec.event, Listens::All) || route.spec.event == Listens::To(*topic));
        topics.into_iter().any(|topic| {
            let occasion = Occasion { community: &community, server: ServerId(1), topic, priority: Some(&level), urgent: true };
            attention(route, &occasion, &AttentionFacts { now, dispatcher_on_duty: false, quiet: None, last_ping }).ping
        })
    }

    #[test]
    fn never_is_said_of_what_never_pings_and_of_nothing_else() {
        for event in events() {
            for when in [None].into_iter().chain(When::ALL.map(Some)) {
                let route = route(event, when);
                let said = pings(&route, RoleId(7));
                assert_eq!(said.contains("never pings"), !ever(&route, None, UnixMs(0)), "{said}");
                assert!(said.contains("Route #3 (") && said.contains("<@&7>") && said.ends_with('.'), "{said}");
            }
        }
    }

    #[test]
    fn a_default_cooldown_is_said_as_it_is() {
        for event in events() {
            let route = route(event, Some(When::Always));
            if !ever(&route, None, UnixMs(0)) {
                continue;
            }
            let seconds = i64::from(default_cooldown(event));
            assert!(ever(&route, Some(UnixMs(0)), UnixMs(seconds * 1_000)), "{event:?}");
            assert!(seconds == 0 || !ever(&route, Some(UnixMs(0)), UnixMs(seconds * 1_000 - 1)), "{event:?}");
        }
    }

    #[test]
    fn when_and_how_often_in_one_sentence() {
        let mut route = route(Listens::All, None);
        route.spec.rule.cooldown_s = Some(60);
        assert_eq!(
            pings(&route, RoleId(7)),
            "🔔 Route #3 (all → <#5>) pings <@&7> for emergency calls, panics, station alerts, emergency pages and dispatches of priority 1, at most once in 60 s (panics do not wait)."
        );
        route.spec.event = Listens::To(Topic::Tone);
        route.spec.rule.cooldown_s = None;
        assert_eq!(pings(&route, RoleId(7)), "🔔 Route #3 (tone → <#5>) pings <@&7> for everything new, at most once in 30 s.");
        route.spec.rule = Rule { when: Some(When::Priority1), ..Rule::default() };
        assert_eq!(pings(&route, RoleId(7)), "🔕 Route #3 (tone → <#5>) never pings <@&7>: `tone` has no priority.");
    }
}
