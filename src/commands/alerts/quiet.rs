//! `/alerts quiet`.

use crate::commands::context::{Context, guild_of};
use crate::commands::errors::Error;
use crate::commands::{autocomplete, reply};
use crate::render::text::{SafeText, safe};
use crate::route::Quiet;

const EXAMPLE: &str = "`/alerts quiet from:22:00 to:7:00 timezone:Europe/Berlin`";

/// Hours of each day without pings and sounds, for all routes; an option left out stays as it is
#[poise::command(slash_command, guild_only)]
pub(super) async fn quiet(
    ctx: Context<'_>,
    #[description = "When they begin, e.g. 22:00; off: no quiet hours"]
    #[max_length = 100]
    from: Option<String>,
    #[description = "When they end, e.g. 7:00"]
    #[max_length = 100]
    to: Option<String>,
    #[description = "By which clock, e.g. Europe/Berlin"]
    #[autocomplete = "autocomplete::timezone"]
    #[max_length = 100]
    timezone: Option<String>,
    #[description = "Panics too (default: they still sound)"] panic: Option<bool>,
    #[description = "True: no quiet hours"] off: Option<bool>,
) -> Result<(), Error> {
    ctx.defer_response(true).await?;
    let (guild, context) = (guild_of(ctx)?, ctx.data());
    let known = context.store.routing_now().guilds.get(&guild).and_then(|guild| guild.quiet.clone());
    let from_off = from.as_ref().is_some_and(|from| from.trim().eq_ignore_ascii_case("off"));
    if off == Some(true) && ((from.is_some() && !from_off) || to.is_some() || timezone.is_some() || panic.is_some()) {
        return Err(Error::refused("`off:True` ends the quiet hours: leave the other options out, or leave `off:` out."));
    }
    let said = match (from, to, timezone, panic) {
        _ if off == Some(true) || from_off => {
            if known.is_none() {
                return reply::say(ctx, "👌 This server has no quiet hours.").await;
            }
            context.store.set_quiet(guild, None).await?;
            "🔔 The quiet hours are off: alerts sound at any time.".into()
        }
        (None, None, None, None) => match known {
            Some(quiet) => safe!("{} `/alerts quiet off:True` turns them off.", sentence(&quiet, context.clock.now())),
            None => safe!("This server has no quiet hours. Set them with {}.", EXAMPLE),
        },
        (from, to, timezone, panic) => {
            let quiet = match (known, &from, &to, &timezone) {
                (None, Some(from), Some(to), Some(timezone)) => Quiet::new(from, to, timezone, panic.unwrap_or(false))?,
                (None, ..) => return Err(Error::refused(safe!("Quiet hours need `from:`, `to:` and `timezone:`, as in {}.", EXAMPLE))),
                // Options that aren't named stay.
                (Some(known), ..) => known.with(from.as_deref(), to.as_deref(), timezone.as_deref(), panic)?,
            };
            context.store.ensure_guild(guild, &context.community(guild)?.id).await?;
            context.store.set_quiet(guild, Some(quiet.clone())).await?;
            sentence(&quiet, context.clock.now())
        }
    };
    reply::say(ctx, said).await
}

fn sentence(quiet: &Quiet, now: crate::clock::UnixMs) -> SafeText {
    let panics = if quiet.panic { "" } else { " Panics still sound, unless you set `panic:True`." };
    // Somebody who chose a wrong time zone sees it here.
    let now = if quiet.covers(now) { "it is quiet" } else { "it is not quiet" };
    let hint = quiet.hint().map(|hint| safe!("\n{}", hint)).unwrap_or_default();
    safe!("🌙 {} Cards then come without pings and sounds; right now {}.{}{}", quiet.sentence(), now, panics, hint)
}
