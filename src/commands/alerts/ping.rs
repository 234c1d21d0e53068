//! `/alerts ping`.

use serenity::all as serenity;

use crate::commands::context::{Context, asker};
use crate::commands::create_routes::unpingable;
use crate::commands::errors::Error;
use crate::commands::options::WhenChoice;
use crate::commands::route_wording::{named, pings};
use crate::commands::routes::{known_route, no_such_route};
use crate::commands::{autocomplete, checks, reply};
use crate::ids::{RoleId, RouteId};
use crate::render::text::{SafeText, safe};
use crate::route::{PingEdit, Route, When};

/// Whom a route pings, when, and how often at most; an option left out stays as it is
#[poise::command(slash_command, guild_only)]
pub(super) async fn ping(
    ctx: Context<'_>,
    #[description = "Which route, as in /alerts list"]
    #[autocomplete = "autocomplete::route"]
    #[min = 1]
    route: i64,
    #[description = "Role to ping"] role: Option<serenity::RoleId>,
    #[description = "When to ping it"] when: Option<WhenChoice>,
    #[description = "Seconds without another ping"]
    #[min = 0]
    #[max = 3600]
    cooldown: Option<u32>,
    #[description = "True: when and cooldown go back to what suits the event"] reset: Option<bool>,
    #[description = "True: ping nobody"] off: Option<bool>,
) -> Result<(), Error> {
    let route = RouteId(route);
    ctx.defer_response(true).await?;
    let (asker, context, role) = (asker(ctx)?, ctx.data(), role.map(|role| RoleId(role.get())));
    let (when, reset, off) = (when.map(|when| when.0), reset == Some(true), off == Some(true));
    if off && (role.is_some() || when.is_some() || cooldown.is_some()) {
        return Err(Error::refused("`off:True` pings nobody: leave the other options out, or leave `off:` out."));
    }
    if reset && (when.is_some() || cooldown.is_some()) {
        return Err(Error::refused("`reset:True` sets `when:` and `cooldown:` back: leave those two out, or leave `reset:` out."));
    }
    checks::not_everyone(asker.guild, role)?;
    let known = known_route(context, asker.guild, route)?;
    let edit = PingEdit {
        role: if off { Some(None) } else { role.map(Some) },
        when: if reset { Some(None) } else { when.map(Some) },
        cooldown_s: if reset { Some(None) } else { cooldown.map(Some) },
    };
    if edit == PingEdit::default() {
        return reply::say(ctx, shown(&known)).await;
    }
    let access = checks::channel_access(context, asker.guild, known.spec.channel, asker.here).await?;
    let now = edit.of(&known);
    let wanted = now.spec.role.filter(|_| now.spec.rule.when != Some(When::Never));
    let hint = unpingable(context, asker.guild, wanted, access).await;
    let Some((_, changed)) = context.store.set_ping(asker.guild, route, edit).await? else { return Err(no_such_route(route)) };
    let said: Vec<SafeText> = [Some(shown(&changed)), hint].into_iter().flatten().collect();
    reply::say(ctx, SafeText::join(said, "\n")).await
}

/// As it is now.
fn shown(route: &Route) -> SafeText {
    match route.spec.role {
        Some(role) => pings(route, role),
        None => safe!("🔕 {} pings nobody. `/alerts ping route:{} role:` sets a role.", named(route), route.id),
    }
}
