//! `/call list`.

use crate::commands::context::Context;
use crate::commands::errors::Error;
use crate::commands::reply::BLUE;
use crate::commands::{autocomplete, cad_args, reply};
use crate::render::text::{SafeText, safe};

/// What is open: dispatch calls, and 911s that wait
#[poise::command(slash_command, guild_only)]
pub(super) async fn list(
    ctx: Context<'_>,
    #[description = "Only this CAD server"]
    #[autocomplete = "autocomplete::server"]
    server: Option<i64>,
) -> Result<(), Error> {
    ctx.defer_response(true).await?;
    let actor = cad_args::actor_of(ctx)?;
    let cad_actions = ctx.data().cad_actions(actor.guild)?;
    cad_actions.rule_of(actor.guild)?;
    let only = match server {
        Some(_) => Some(cad_args::server(&cad_actions, &actor, server).await?),
        None => None,
    };
    let mut open = cad_args::open_calls(&cad_actions, &cad_args::labels(ctx.data(), actor.guild)).await?;
    open.retain(|call| only.is_none_or(|server| call.on.server == server));
    if open.is_empty() {
        return reply::say(ctx, "Nothing is open. `/call new` makes a call.").await;
    }
    let several = cad_actions.servers().len() > 1 && only.is_none();
    let lines: Vec<SafeText> =
        (open.iter()).map(|call| if several { safe!("{} · server {}", call.line(), call.on.server) } else { call.line() }).collect();
    reply::list(ctx, safe!("Open calls: {}", open.len()), &lines, BLUE).await
}
