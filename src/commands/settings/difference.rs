//! Describes what an import would change. Pure.

use crate::clock::UnixMs;
use crate::commands::options::style_word;
use crate::commands::route_wording;
use crate::commands::route_wording::{describe, describe_board};
use crate::commands::wording::and;
use crate::ids::{BoardId, ChannelId, CommunityId, GuildId, RouteId};
use crate::render::labels::Form;
use crate::render::text::{self, SafeText, safe};
use crate::route::{Board, Quiet, Route, RouteSpec, Rule, When};
use crate::store::settings::{BoardSetting, RouteSetting, Settings};

/// Longest sentence of a filter (UTF-16 units).
const FILTER: usize = 300;

/// One line per difference; none for equal settings.
pub(in super::super) fn difference(before: &Settings, after: &Settings, now: UnixMs) -> Vec<SafeText> {
    // Destructured, so that new settings aren't forgotten here.
    let Settings { routes, boards, notices, labels, quiet, action_rule } = after;
    let mut lines = Vec::new();
    for route in routes {
        match before.routes.iter().find(|known| known.key() == route.key()) {
            None => lines.push(safe!("➕ {}", whole(route, now))),
            Some(known) if known == route => {}
            Some(known) => lines.push(safe!("✏️ {}: {}", describe(&route.spec), SafeText::join(changes(known, route), "; "))),
        }
    }
    let gone = before.routes.iter().filter(|known| !routes.iter().any(|route| route.key() == known.key()));
    lines.extend(gone.map(|route| safe!("➖ {}", whole(route, now))));
    lines.extend(boards.iter().filter(|board| !before.boards.contains(board)).map(|board| safe!("➕ Board: {}", board_in_words(board))));
    lines.extend(before.boards.iter().filter(|board| !boards.contains(board)).map(|board| safe!("➖ Board: {}", board_in_words(board))));
    if before.notices != *notices {
        let word = |channel: Option<ChannelId>| channel.map_or_else(|| "off".into(), |channel| safe!("<#{}>", channel));
        lines.push(safe!("✏️ Notices: {} → {}", word(before.notices), word(*notices)));
    }
    if before.labels != *labels {
        let (was, is) = (Form::of(&before.labels), Form::of(labels));
        let parts = [
            ("emergency calls", was.emergency, is.emergency),
            ("other calls", was.civil, is.civil),
            ("priorities", was.priorities, is.priorities),
            ("statuses", was.statuses, is.statuses),
        ];
        let changed = parts.into_iter().filter(|(_, was, is)| was != is);
        let said: Vec<SafeText> = changed.map(|(what, was, is)| safe!("{}: {} → {}", what, words(&was), words(&is))).collect();
        lines.push(safe!("✏️ Words: {}", SafeText::join(said, "; ")));
    }
    if before.quiet != *quiet {
        let word = |quiet: &Option<Quiet>| quiet.as_ref().map_or_else(|| "none".into(), Quiet::sentence);
        lines.push(safe!("✏️ Quiet hours: {} → {}", word(&before.quiet), word(quiet)));
    }
    if before.action_rule != *action_rule {
        lines.push(safe!(
            "✏️ Acting in the CAD: {} → {}",
            route_wording::action_rule(&before.action_rule),
            route_wording::action_rule(action_rule)
        ));
    }
    lines
}

/// How many of each, for a heading: `2 added, 1 removed and 3 changed`.
pub(in super::super) fn counts(lines: &[SafeText]) -> SafeText {
    let count = |sign: char| lines.iter().filter(|line| line.starts_with(sign)).count();
    let all = [(count('➕'), "added"), (count('➖'), "removed"), (count('✏'), "changed")];
    and(&all.iter().filter(|(count, _)| *count > 0).map(|(count, what)| safe!("{} {}", count, what)).collect::<Vec<_>>())
}

fn words(lines: &str) -> SafeText {
    text::line(&lines.lines().collect::<Vec<_>>().join(", "), 200)
}

fn numbered(route: &RouteSetting) -> Route {
    route.clone().numbered(RouteId(0), GuildId(0), CommunityId::new(""))
}

fn whole(route: &RouteSetting, now: UnixMs) -> SafeText {
    let route = numbered(route);
    let mut parts = vec![describe(&route.spec)];
    parts.extend(route_wording::settings(&route, now));
    if !route.enabled {
        parts.push("switched off".into());
    }
    if !route.spec.rule.filter.is_empty() {
        parts.push(filter(&route));
    }
    SafeText::join(parts, " · ")
}

fn filter(route: &Route) -> SafeText {
    if route.spec.rule.filter.is_empty() {
        return "no filter".into();
    }
    route.spec.rule.filter.sentence(route.spec.event).cut(FILTER)
}

fn board_in_words(setting: &BoardSetting) -> SafeText {
    let BoardSetting { kind, channel, server } = *setting;
    describe_board(&Board { id: BoardId(0), guild: GuildId(0), community: CommunityId::new(""), channel, kind, server })
}

/// What is different between two routes of one key.
pub(in super::super) fn changes(was: &RouteSetting, is: &RouteSetting) -> Vec<SafeText> {
    let RouteSetting { enabled, spec } = is;
    let RouteSpec { event: _, channel: _, server: _, role, style, forum, rule } = spec;
    let before = &was.spec;
    let Rule { filter: filtered, when, cooldown_s, threads, thread_notes, mute, escalation } = rule;
    let mut said = Vec::new();
    let mut say = |differs: bool, sentence: &dyn Fn() -> SafeText| {
        if differs {
            said.push(sentence());
        }
    };
    let whom = |spec: &RouteSpec| spec.role.map_or_else(|| "nobody".into(), |role| safe!("<@&{}>", role));
    let occasion = |when: Option<When>| when.map_or("as usual", When::as_str);
    let pause = |seconds: Option<u32>| seconds.map_or_else(|| "as usual".into(), |seconds| safe!("{} s", seconds));
    let sleeps = |spec: &RouteSpec| match spec.rule.mute {
        None => "not muted".into(),
        Some(mute) => safe!("muted {}{}", route_wording::until(mute.until), if mute.panic { ", panics too" } else { "" }),
    };
    say(before.role != *role, &|| safe!("pinging {} → {}", whom(before), whom(spec)));
    say(before.rule.when != *when, &|| safe!("pings {} → {}", occasion(before.rule.when), occasion(*when)));
    say(before.rule.cooldown_s != *cooldown_s, &|| safe!("cool-down {} → {}", pause(before.rule.cooldown_s), pause(*cooldown_s)));
    say(before.style != *style, &|| safe!("style {} → {}", style_word(before.style), style_word(*style)));
    say(before.rule.threads != *threads, &|| safe!("threads {} → {}", before.rule.threads.as_str(), threads.as_str()));
    say(before.rule.thread_notes != *thread_notes, &|| safe!("notes from threads {}", if *thread_notes { "on" } else { "off" }));
    say(before.rule.filter != *filtered, &|| safe!("filter: {}", filter(&numbered(is))));
    say(before.rule.mute != *mute, &|| safe!("{} → {}", sleeps(before), sleeps(spec)));
    let called = |spec: &RouteSpec| match route_wording::steps(&spec.rule.escalation) {
        steps if steps.is_empty() => "nobody".into(),
        steps => and(&steps),
    };
    say(before.rule.escalation != *escalation, &|| safe!("unanswered calls {} → {}", called(before), called(spec)));
    say(was.enabled != *enabled, &|| safe!("switched {}", if *enabled { "on" } else { "off" }));
    say(before.forum != *forum, &|| if *forum { "is a forum now".into() } else { "is no forum any more".into() });
    said
}
