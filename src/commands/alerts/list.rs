//! `/alerts list`.

use std::collections::BTreeMap;

use crate::clock::UnixMs;
use crate::commands::context::{Context, guild_of};
use crate::commands::errors::Error;
use crate::commands::options::style_word;
use crate::commands::reply;
use crate::commands::route_wording::settings;
use crate::commands::wording::counted;
use crate::ids::ChannelId;
use crate::outbox::queue::ParkedChannel;
use crate::render::text::{self, SafeText, safe};
use crate::route::Route;

/// Longest sentence of a filter here (UTF-16 units): `/alerts filter` shows all of it.
const FILTER: usize = 300;

/// What is posted where
#[poise::command(slash_command, guild_only)]
pub(super) async fn list(ctx: Context<'_>) -> Result<(), Error> {
    ctx.defer_response(true).await?;
    let guild = guild_of(ctx)?;
    let context = ctx.data();
    let routing = context.store.routing_now();
    let quiet = routing.guilds.get(&guild).and_then(|guild| guild.quiet.as_ref()).map(|quiet| {
        let hint = quiet.hint().map(|hint| safe!("\n{}", hint)).unwrap_or_default();
        safe!("🌙 {}{}", quiet.sentence(), hint)
    });
    let routes: Vec<&Route> = routing.routes.iter().filter(|route| route.guild == guild).collect();
    if routes.is_empty() {
        let nothing = "Nothing is posted in this server yet. Begin with `/cad setup`, or with `/alerts preset name:essentials channel:#your-channel`.";
        return reply::say(ctx, SafeText::join([Some(nothing.into()), quiet].into_iter().flatten(), "\n")).await;
    }
    let parked = context.store.parked().await?;
    let title = safe!("🔔 {}", counted(routes.len(), "alert route", "alert routes"));
    let lines: Vec<SafeText> = quiet.into_iter().chain(lines(&routes, &parked, context.clock.now())).collect();
    reply::list(ctx, title, &lines, reply::BLUE).await
}

/// By channel; a channel without access for the bot says so.
fn lines(routes: &[&Route], parked: &[ParkedChannel], now: UnixMs) -> Vec<SafeText> {
    let mut channels: BTreeMap<ChannelId, Vec<&Route>> = BTreeMap::new();
    for route in routes {
        channels.entry(route.spec.channel).or_default().push(route);
    }
    let mut lines = Vec::new();
    for (channel, routes) in channels {
        let forum = if routes.iter().any(|route| route.spec.forum) { " (forum)" } else { "" };
        lines.push(safe!("**<#{}>**{}", channel, forum));
        if let Some(parked) = parked.iter().find(|parked| parked.channel == channel) {
            let reason = text::line(&parked.reason, 200);
            lines.push(safe!("⚠️ closed to the bot since <t:{}:R>: {}. See `/cad diagnose`.", parked.since.secs(), reason));
        }
        for route in routes {
            lines.push(line(route, now));
            if !route.spec.rule.filter.is_empty() {
                lines.push(safe!("   ↳ {}", route.spec.rule.filter.sentence(route.spec.event).cut(FILTER)));
            }
        }
    }
    lines
}

fn line(route: &Route, now: UnixMs) -> SafeText {
    let role = route.spec.role.map(|role| safe!(" · <@&{}>", role)).unwrap_or_default();
    let server = route.spec.server.map(|server| safe!(" · server {}", server)).unwrap_or_default();
    let off = if route.enabled { "" } else { " · switched off" };
    let rest = SafeText::join(settings(route, now).iter().map(|said| safe!(" · {}", said)), "");
    safe!("`#{}` {} · {}{}{}{}{}", route.id, route.spec.event.as_str(), style_word(route.spec.style), server, role, rest, off)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Topic;
    use crate::ids::{CommunityId, GuildId, RoleId, RouteId, ServerId};
    use crate::render::Style;
    use crate::route::{Criterion, Listens, Mute, Rule, Threads, When};

    #[test]
    fn routes_stand_below_their_channel_with_all_that_matters() {
        let route = |id, channel, event, style| Route {
            id,
            guild: GuildId(1),
            community: CommunityId::new("c"),
            enabled: true,
            spec: crate::route::RouteSpec {
                event,
                channel: ChannelId(channel),
                server: None,
                role: None,
                style,
                forum: false,
                rule: crate::route::Rule::default(),
            },
        };
        let first = route(RouteId(3), 20, Listens::To(Topic::Emergency), Style::Card);
        let mut second = route(RouteId(4), 10, Listens::All, Style::Log);
        (second.spec.role, second.spec.server) = (Some(RoleId(7)), Some(ServerId(2)));
        let third = Route { enabled: false, ..route(RouteId(5), 20, Listens::To(Topic::Panic), Style::Public) };
        let parked = ParkedChannel {
            channel: ChannelId(20),
            reason: "Missing Access (50001)".into(),
            since: UnixMs(5_000),
            retry_at: UnixMs(9_000),
            refusals: 1,
        };
        assert_eq!(
            lines(&[&first, &second, &third], &[parked], UnixMs(0)),
            [
                "**<#10>**",
                "`#4` all · log · server 2 · <@&7>",
                "**<#20>**",
                "⚠️ closed to the bot since <t:5:R>: Missing Access (50001). See `/cad diagnose`.",
                "`#3` 911 · card",
                "`#5` panic · public · switched off",
            ]
        );
    }

    #[test]
    fn rules_are_listed_in_their_current_form() {
        let mut route = Route {
            id: RouteId(3),
            guild: GuildId(1),
            community: CommunityId::new("c"),
            enabled: true,
            spec: crate::route::RouteSpec {
                event: Listens::To(Topic::Dispatch),
                channel: ChannelId(20),
                server: None,
                role: Some(RoleId(7)),
                style: Style::Card,
                forum: true,
                rule: Rule {
                    when: Some(When::NoDispatcher),
                    cooldown_s: Some(60),
                    threads: Threads::OnFirstNote,
                    mute: Some(Mute { until: UnixMs(9_000), panic: true }),
                    ..Rule::default()
                },
            },
        };
        route.spec.rule.filter.change(Criterion::Priority, "1").unwrap();
        assert_eq!(
            lines(&[&route], &[], UnixMs(8_999)),
            [
                "**<#20>** (forum)",
                "`#3` dispatch · card · <@&7> · 🔇 muted until <t:9:f> (<t:9:R>), panics too · pings while no dispatcher is on duty · cool-down 60 s · threads with the first note",
                "   ↳ Lets through dispatches of priority 1.",
            ]
        );
        // A mute that has run out isn't listed, nor are threads that the style can't have.
        route.spec.style = Style::Public;
        assert_eq!(
            lines(&[&route], &[], UnixMs(9_000))[1],
            "`#3` dispatch · public · <@&7> · pings while no dispatcher is on duty · cool-down 60 s"
        );
    }
}
