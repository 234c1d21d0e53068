//! `/alerts ping`.

use serenity::all as serenity;

use crate::commands::errors::Error;
use crate::commands::make::unpingable;
use crate::commands::options::WhenChoice;
use crate::commands::rules::no_such_route;
use crate::commands::rules::{known_route, pings};
use crate::commands::{Context, asker, autocomplete, checks, reply};
use crate::ids::RoleId;
use crate::route::When;

/// Whom a route pings, when, and how often at most
#[poise::command(slash_command, guild_only)]
pub(super) async fn ping(
    ctx: Context<'_>,
    #[description = "Which route, as in /alerts list"]
    #[autocomplete = "autocomplete::route"]
    #[min = 1]
    route: i64,
    #[description = "Role to ping"] role: serenity::RoleId,
    #[description = "When to ping it (default: what suits the event)"] when: Option<WhenChoice>,
    #[description = "Seconds without another ping (default: what suits the event)"]
    #[min = 0]
    #[max = 3600]
    cooldown: Option<u32>,
) -> Result<(), Error> {
    ctx.defer_response(true).await?;
    let (asker, desk, role) = (asker(ctx)?, ctx.data(), RoleId(role.get()));
    checks::not_everyone(asker.guild, Some(role))?;
    let known = known_route(desk, asker.guild, route)?;
    let when = when.map(|when| when.0);
    let standing = checks::standing(desk, asker.guild, known.channel, asker.here).await?;
    let wanted = Some(role).filter(|_| when != Some(When::Never));
    let hint = unpingable(desk, asker.guild, wanted, standing).await;
    let Some(changed) = desk.store.set_ping(asker.guild, route, role, when, cooldown).await? else { return Err(no_such_route(route)) };
    let said: Vec<String> = [Some(pings(&changed, role)), hint].into_iter().flatten().collect();
    reply::say(ctx, said.join("\n")).await
}
