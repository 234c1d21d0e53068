//! `/alerts mute`.

use crate::clock::UnixMs;
use crate::commands::context::{Context, guild_of};
use crate::commands::errors::Error;
use crate::commands::route_wording::{gets_panics, named, until};
use crate::commands::routes::{known_route, no_such_route};
use crate::commands::{autocomplete, reply};
use crate::ids::RouteId;
use crate::render::text::{SafeText, safe};
use crate::route::{Mute, Route};

/// No pings and no sounds of a route for a while; an option left out stays as it is
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
    length: Option<String>,
    #[description = "Panics too (default: they still sound)"] panic: Option<bool>,
    #[description = "True: the route sounds again"] off: Option<bool>,
) -> Result<(), Error> {
    let route = RouteId(route);
    ctx.defer_response(true).await?;
    let (guild, context, now) = (guild_of(ctx)?, ctx.data(), ctx.data().clock.now());
    if off == Some(true) {
        if length.is_some() || panic.is_some() {
            return Err(Error::refused("`off:True` ends the mute: leave the other options out, or leave `off:` out."));
        }
        let changed = context.store.change_rule(guild, route, move |rule| rule.mute.take_if(|mute| mute.covers(now)).is_some()).await?;
        let Some((route, was)) = changed else { return Err(no_such_route(route)) };
        let name = named(&route);
        return reply::say(ctx, if was { safe!("🔔 {} sounds again.", name) } else { safe!("👌 {} was not muted.", name) }).await;
    }
    let end = length.map(|length| Mute::parse_for(&length)).transpose()?.map(|length| now.plus(length));
    if end.is_none() && panic.is_none() {
        return reply::say(ctx, sentence(&known_route(context, guild, route)?, now)).await;
    }
    let changed = context.store.change_rule(guild, route, move |rule| {
        // Options that aren't named stay: the end, and whether panics are muted too.
        let known = rule.mute.filter(|mute| mute.covers(now));
        let until = end.or(known.map(|mute| mute.until))?;
        rule.mute = Some(Mute { until, panic: panic.unwrap_or_else(|| known.is_some_and(|mute| mute.panic)) });
        Some(())
    });
    match changed.await? {
        None => Err(no_such_route(route)),
        Some((route, None)) => {
            Err(Error::refused(safe!("{} isn't muted: say for how long, e.g. `/alerts mute route:{} for:2h`.", named(&route), route.id)))
        }
        Some((route, Some(()))) => reply::say(ctx, sentence(&route, now)).await,
    }
}

/// As it is now.
fn sentence(route: &Route, now: UnixMs) -> SafeText {
    let (name, id) = (named(route), route.id);
    let Some(mute) = route.spec.rule.mute.filter(|mute| mute.covers(now)) else {
        return safe!("🔔 {} isn't muted. `/alerts mute route:{} for:2h` mutes it for two hours.", name, id);
    };
    let panics = match (gets_panics(route), mute.panic) {
        (_, true) => "Panics make no sound there either.",
        (true, false) => "Panics still sound, unless you set `panic:True`.",
        (false, false) => "Panics come over other routes and still sound.",
    };
    safe!(
        "🔇 {} is muted {}: its cards come without pings and sounds. {} `/alerts unmute route:{}` ends it.",
        name,
        until(mute.until),
        panics,
        id
    )
}
