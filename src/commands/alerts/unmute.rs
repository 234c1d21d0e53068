//! `/alerts unmute`.

use crate::commands::context::{Context, guild_of};
use crate::commands::errors::Error;
use crate::commands::route_wording::named;
use crate::commands::routes::no_such_route;
use crate::commands::wording::and;
use crate::commands::{autocomplete, reply};
use crate::ids::RouteId;
use crate::render::text::{SafeText, safe};
use crate::route::Rule;

/// Let a muted route sound again, or all of them
#[poise::command(slash_command, guild_only)]
pub(super) async fn unmute(
    ctx: Context<'_>,
    #[description = "Which route (default: all of this server)"]
    #[autocomplete = "autocomplete::route"]
    #[min = 1]
    route: Option<i64>,
) -> Result<(), Error> {
    let route = route.map(RouteId);
    ctx.defer_response(true).await?;
    let (guild, context) = (guild_of(ctx)?, ctx.data());
    let now = context.clock.now();
    // A mute that has run out doesn't count.
    let open = move |rule: &mut Rule| rule.mute.take_if(|mute| mute.covers(now)).is_some();
    let said = match route {
        Some(id) => match context.store.change_rule(guild, id, open).await? {
            None => return Err(no_such_route(id)),
            Some((route, true)) => safe!("🔔 {} sounds again.", named(&route)),
            Some((route, false)) => safe!("👌 {} was not muted.", named(&route)),
        },
        None => {
            let opened = context.store.change_rules(guild, move |rule| {
                open(rule);
            });
            let opened: Vec<SafeText> = opened.await?.iter().map(|route| safe!("#{}", route.id)).collect();
            match opened.as_slice() {
                [] => "👌 No route of this server was muted.".into(),
                [one] => safe!("🔔 Route {} sounds again.", one),
                more => safe!("🔔 Routes {} sound again.", and(more)),
            }
        }
    };
    let quiet = context.store.routing_now().guilds.get(&guild).is_some_and(|guild| guild.quiet.is_some());
    let quiet = if quiet { " The quiet hours of this server go on: `/alerts quiet` shows them." } else { "" };
    reply::say(ctx, safe!("{}{}", said, quiet)).await
}
