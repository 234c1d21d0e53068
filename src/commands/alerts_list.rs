//! `/alerts list`.

use std::collections::BTreeMap;

use super::errors::Error;
use super::options::style_word;
use super::{Context, guild_of, reply};
use crate::ids::ChannelId;
use crate::render::text;
use crate::route::Route;
use crate::store::Parked;

/// What is posted where
#[poise::command(slash_command, guild_only)]
pub(super) async fn list(ctx: Context<'_>) -> Result<(), Error> {
    ctx.defer_response(true).await?;
    let guild = guild_of(ctx)?;
    let desk = ctx.data();
    let routing = desk.store.routing_now();
    let routes: Vec<&Route> = routing.routes.iter().filter(|route| route.guild == guild).collect();
    if routes.is_empty() {
        return reply::say(
            ctx,
            "Nothing is posted in this server yet. Begin with `/cad setup`, or with `/alerts preset name:essentials channel:#your-channel`.",
        )
        .await;
    }
    let parked = desk.store.parked().await?;
    let title = format!("🔔 {} alert route{}", routes.len(), if routes.len() == 1 { "" } else { "s" });
    reply::list(ctx, &title, &lines(&routes, &parked), reply::BLUE).await
}

/// By channel; a channel that is closed to the bot says so.
fn lines(routes: &[&Route], parked: &[Parked]) -> Vec<String> {
    let mut channels: BTreeMap<ChannelId, Vec<&Route>> = BTreeMap::new();
    for route in routes {
        channels.entry(route.channel).or_default().push(route);
    }
    let mut lines = Vec::new();
    for (channel, routes) in channels {
        lines.push(format!("**<#{channel}>**"));
        if let Some(parked) = parked.iter().find(|parked| parked.channel == channel) {
            let reason = text::line(&parked.reason, 200);
            lines.push(format!("⚠️ closed to the bot since <t:{}:R>: {reason}. See `/cad diagnose`.", parked.since.secs()));
        }
        lines.extend(routes.into_iter().map(line));
    }
    lines
}

fn line(route: &Route) -> String {
    let role = route.role.map(|role| format!(" · <@&{role}>")).unwrap_or_default();
    let server = route.server.map(|server| format!(" · server {server}")).unwrap_or_default();
    let off = if route.enabled { "" } else { " · switched off" };
    format!("`#{}` {} · {}{server}{role}{off}", route.id, route.event.as_str(), style_word(route.style))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixMs;
    use crate::event::Topic;
    use crate::ids::{CommunityId, GuildId, RoleId, ServerId};
    use crate::render::Style;
    use crate::route::Listens;

    #[test]
    fn routes_stand_below_their_channel_with_all_that_matters() {
        let route = |id, channel, event, style| Route {
            id,
            guild: GuildId(1),
            community: CommunityId::new("c"),
            event,
            channel: ChannelId(channel),
            server: None,
            role: None,
            style,
            enabled: true,
            forum: false,
            rule: crate::route::Rule::default(),
        };
        let first = route(3, 20, Listens::To(Topic::Emergency), Style::Card);
        let second = Route { role: Some(RoleId(7)), server: Some(ServerId(2)), ..route(4, 10, Listens::All, Style::Log) };
        let third = Route { enabled: false, ..route(5, 20, Listens::To(Topic::Panic), Style::Public) };
        let parked = Parked {
            channel: ChannelId(20),
            reason: "Missing Access (50001)".into(),
            since: UnixMs(5_000),
            retry_at: UnixMs(9_000),
            tries: 1,
        };
        assert_eq!(
            lines(&[&first, &second, &third], &[parked]),
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
}
