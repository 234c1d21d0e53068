//! `/alerts quiet`.

use crate::commands::errors::Error;
use crate::commands::{Context, autocomplete, guild_of, reply};
use crate::route::Quiet;

const EXAMPLE: &str = "`/alerts quiet from:22:00 to:7:00 timezone:Europe/Berlin`";

/// Hours of each day without pings and sounds, for all routes of this server
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
) -> Result<(), Error> {
    ctx.defer_response(true).await?;
    let (guild, desk) = (guild_of(ctx)?, ctx.data());
    let known = desk.store.routing_now().guilds.get(&guild).and_then(|guild| guild.quiet.clone());
    let said = match (from, to, timezone, panic) {
        (None, None, None, None) => match known {
            Some(quiet) => format!("{} `/alerts quiet from:off` switches them off.", sentence(&quiet, desk.clock.now())),
            None => format!("This server has no quiet hours. Set them with {EXAMPLE}."),
        },
        (Some(from), ..) if from.trim().eq_ignore_ascii_case("off") => {
            if known.is_none() {
                return reply::say(ctx, "👌 This server has no quiet hours.").await;
            }
            desk.store.set_quiet(guild, None).await?;
            "🔔 The quiet hours are off: alerts sound at any time.".to_owned()
        }
        (Some(from), Some(to), Some(timezone), panic) => {
            let quiet = Quiet::new(&from, &to, &timezone, panic.unwrap_or(false))?;
            desk.store.ensure_guild(guild, &desk.facts.community).await?;
            desk.store.set_quiet(guild, Some(quiet.clone())).await?;
            sentence(&quiet, desk.clock.now())
        }
        _ => return Err(Error::Refused(format!("Quiet hours need `from:`, `to:` and `timezone:`, as in {EXAMPLE}."))),
    };
    reply::say(ctx, said).await
}

fn sentence(quiet: &Quiet, now: crate::clock::UnixMs) -> String {
    let panics = if quiet.panic { "" } else { " Panics still sound, unless you set `panic:True`." };
    // Whoever chose a wrong time zone sees it here.
    let now = if quiet.covers(now) { "it is quiet" } else { "it is not quiet" };
    format!("🌙 {} Cards then come without pings and sounds; right now {now}.{panics}", quiet.sentence())
}
