//! `/alerts edit`.

use serenity::all as serenity;

use crate::commands::announce::announce;
use crate::commands::context::{Context, asker};
use crate::commands::create_routes::unpingable;
use crate::commands::errors::Error;
use crate::commands::options::{Clear, Clearing, Event, StyleChoice, style_word};
use crate::commands::route_wording::{describe, named, not_configured, not_in_forum};
use crate::commands::routes::{known_route, no_such_route};
use crate::commands::wording::and;
use crate::commands::{autocomplete, checks, reply};
use crate::ids::{ChannelId, RoleId, RouteId, ServerId};
use crate::render::text::{SafeText, safe};
use crate::route::{Route, RouteEdit, Threads};
use crate::store::EditRoute;

/// Change what a route posts, where and how
#[poise::command(slash_command, guild_only)]
#[expect(clippy::too_many_arguments, reason = "each is an option of the command")]
pub(super) async fn edit(
    ctx: Context<'_>,
    #[description = "Which route, as in /alerts list"]
    #[autocomplete = "autocomplete::route"]
    #[min = 1]
    route: i64,
    #[description = "What to post instead"] event: Option<Event>,
    #[description = "Where to post it instead"]
    #[channel_types("Text", "News", "Forum")]
    channel: Option<serenity::PartialChannel>,
    #[description = "Only from this CAD server"]
    #[autocomplete = "autocomplete::server"]
    #[min = 1]
    server: Option<u32>,
    #[description = "Role to ping instead"] role: Option<serenity::RoleId>,
    #[description = "How it looks"] style: Option<StyleChoice>,
    #[description = "What to take away"] clear: Option<Clear>,
) -> Result<(), Error> {
    let route = RouteId(route);
    ctx.defer_response(true).await?;
    let (asker, context) = (asker(ctx)?, ctx.data());
    let (server, role) = (server.map(ServerId), role.map(|role| RoleId(role.get())));
    let mut edit = RouteEdit {
        event: event.map(|event| event.0),
        channel: None,
        server: server.map(Some),
        role: role.map(Some),
        style: style.map(|style| style.0),
    };
    match clear.map(|clear| clear.0) {
        Some(Clearing::Role) if role.is_some() => return Err(contradiction("role")),
        Some(Clearing::Server) if server.is_some() => return Err(contradiction("server")),
        Some(Clearing::Role) => edit.role = Some(None),
        Some(Clearing::Server) => edit.server = Some(None),
        None => {}
    }
    let known = known_route(context, asker.guild, route)?;
    if edit == RouteEdit::default() && channel.is_none() {
        return Err(Error::refused(safe!(
            "{} stays as it is: say what to change with `event:`, `channel:`, `server:`, `role:`, `style:` or `clear:`.",
            named(&known)
        )));
    }
    checks::not_everyone(asker.guild, role)?;
    let community = context.community(asker.guild)?;
    if let Some(server) = server.filter(|server| !community.servers.contains(server)) {
        return Err(Error::refused(not_configured(server)));
    }
    let mut access = None;
    if let Some(channel) = channel.map(|channel| ChannelId(channel.id.get())) {
        let there = checks::channel_access(context, asker.guild, channel, asker.here).await?;
        let threads = edit.of(&known).spec.threads() != Threads::Off;
        if let Some(hindrance) = if threads { there.hindrance_to_threads(channel) } else { there.hindrance(channel) } {
            return Err(Error::refused(hindrance));
        }
        edit.channel = Some((channel, there.is_forum()));
        access = Some(there);
    } else if role.is_some() {
        access = Some(checks::channel_access(context, asker.guild, known.spec.channel, asker.here).await?);
    }
    let (was, now) = match context.store.edit_route(asker.guild, route, edit).await? {
        EditRoute::Changed(both) => *both,
        EditRoute::Same(route) => {
            return reply::say(ctx, safe!("👌 Nothing changed. Route #{} is already {}.", route.id, describe(&route.spec))).await;
        }
        EditRoute::Taken(other) => return Err(taken(&context.store.routing_now().routes, other)),
        EditRoute::NotInForum(route) => {
            let sentence = not_in_forum(route.spec.channel, std::iter::once((route.spec.event, route.spec.style)));
            return Err(Error::refused(sentence.unwrap_or_else(|| safe!("<#{}> is a forum: choose a text channel.", route.spec.channel))));
        }
        EditRoute::Unknown => return Err(no_such_route(route)),
    };
    let mut said = vec![safe!("✏️ Route #{} is changed: {}. It is now {}.", route, and(&changes(&was, &now)), describe(&now.spec))];
    if now.spec.channel != was.spec.channel {
        context.open_again(asker.guild, now.spec.channel).await?;
        said.push(safe!("Cards that stand in <#{}> are still kept up to date there until their calls close.", was.spec.channel));
    }
    if was.spec.threads() != Threads::Off && now.spec.threads() == Threads::Off {
        said.push("💡 It opens no threads any more: only calls have them, as `card` or `compact`.".into());
    }
    if let Some(there) = access {
        said.extend(unpingable(context, asker.guild, now.spec.role, there).await);
    }
    if !now.spec.forum && (now.spec.channel, now.spec.event, now.spec.server) != (was.spec.channel, was.spec.event, was.spec.server) {
        announce(context, asker, now.spec.channel, if now.spec.channel == was.spec.channel { "changed" } else { "on" }, &[&now.spec]).await;
    }
    reply::say(ctx, SafeText::join(said, "\n")).await
}

fn contradiction(option: &'static str) -> Error {
    Error::refused(safe!("`{}:` and `clear:{}` contradict each other: leave one of them out.", option, option))
}

fn taken(routes: &[Route], other: RouteId) -> Error {
    let what = routes.iter().find(|route| route.id == other).map(|route| safe!(": {}", describe(&route.spec))).unwrap_or_default();
    Error::refused(safe!(
        "Route #{} is there already{}. Change that one, or remove it first with `/alerts remove route:{}`.",
        other,
        what,
        other
    ))
}

/// What is different, in the order of the options.
fn changes(was: &Route, now: &Route) -> Vec<SafeText> {
    let server = |route: &Route| route.spec.server.map_or_else(|| "all servers".into(), |server| safe!("server {}", server));
    let role = |route: &Route| route.spec.role.map_or_else(|| "nobody".into(), |role| safe!("<@&{}>", role));
    let all = [
        (was.spec.event != now.spec.event).then(|| safe!("{} → {}", was.spec.event.as_str(), now.spec.event.as_str())),
        (was.spec.channel != now.spec.channel).then(|| safe!("<#{}> → <#{}>", was.spec.channel, now.spec.channel)),
        (was.spec.server != now.spec.server).then(|| safe!("{} → {}", server(was), server(now))),
        (was.spec.role != now.spec.role).then(|| safe!("pinging {} → {}", role(was), role(now))),
        (was.spec.style != now.spec.style).then(|| safe!("{} → {}", style_word(was.spec.style), style_word(now.spec.style))),
    ];
    all.into_iter().flatten().collect()
}
