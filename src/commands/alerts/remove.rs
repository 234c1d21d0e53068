//! `/alerts remove`.

use crate::commands::context::{Context, guild_of};
use crate::commands::errors::Error;
use crate::commands::route_wording::describe;
use crate::commands::routes::no_such_route;
use crate::commands::{autocomplete, reply};
use crate::ids::RouteId;
use crate::render::text::safe;

/// Stop posting: removes one route
#[poise::command(slash_command, guild_only)]
pub(super) async fn remove(
    ctx: Context<'_>,
    #[description = "Which route, as in /alerts list"]
    #[autocomplete = "autocomplete::route"]
    #[min = 1]
    route: i64,
) -> Result<(), Error> {
    let route = RouteId(route);
    ctx.defer_response(true).await?;
    let guild = guild_of(ctx)?;
    let context = ctx.data();
    let routing = context.store.routing_now();
    let known = routing.routes.iter().find(|known| known.guild == guild && known.id == route);
    if !context.store.remove_route(guild, route).await? {
        return Err(no_such_route(route));
    }
    let what = known.map(|known| describe(&known.spec)).unwrap_or_default();
    reply::say(
        ctx,
        safe!("🗑️ Route #{} removed: {}. Cards that stand there are still kept up to date until their calls close.", route, what),
    )
    .await
}
