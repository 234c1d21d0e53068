//! `/alerts mute`.

use crate::commands::errors::Error;
use crate::commands::rules::no_such_route;
use crate::commands::rules::{hears_panics, named, until};
use crate::commands::{Context, autocomplete, guild_of, reply};
use crate::route::Mute;

/// No pings and no sounds of a route for a while
#[poise::command(slash_command, guild_only)]
pub(super) async fn mute(
    ctx: Context<'_>,
    #[description = "Which route, as in /alerts list"]
    #[autocomplete = "autocomplete::route"]
    #[min = 1]
    route: i64,
    #[description = "For how long, e.g. 30m, 2h, 1d"]
    #[rename = "for"]
    #[max_length = 100]
    length: String,
    #[description = "Panics too (default: they still sound)"] panic: Option<bool>,
) -> Result<(), Error> {
    ctx.defer_response(true).await?;
    let (guild, desk, panic) = (guild_of(ctx)?, ctx.data(), panic.unwrap_or(false));
    let end = desk.clock.now().plus(Mute::parse_for(&length)?);
    let changed = desk.store.change_rule(guild, route, move |rule| rule.mute = Some(Mute { until: end, panic })).await?;
    let Some((route, ())) = changed else { return Err(no_such_route(route)) };
    let panics = match (hears_panics(&route), panic) {
        (_, true) => "Panics make no sound there either.",
        (true, false) => "Panics still sound, unless you set `panic:True`.",
        (false, false) => "Panics come over other routes and still sound.",
    };
    let id = route.id;
    reply::say(
        ctx,
        format!(
            "🔇 {} is muted {}: its cards come without pings and sounds. {panics} `/alerts unmute route:{id}` ends it.",
            named(&route),
            until(end)
        ),
    )
    .await
}
