//! `/unit clear`.

use crate::actions::CadAction;
use crate::commands::context::Context;
use crate::commands::errors::Error;
use crate::commands::{autocomplete, cad_args};

/// Leave the call you are on
#[poise::command(slash_command, guild_only)]
pub(super) async fn clear(
    ctx: Context<'_>,
    #[description = "Which CAD server; else the one you are on duty on"]
    #[autocomplete = "autocomplete::server"]
    server: Option<i64>,
) -> Result<(), Error> {
    ctx.defer_response(true).await?;
    let actor = cad_args::actor_of(ctx)?;
    let cad_actions = ctx.data().cad_actions(actor.guild)?;
    let server = cad_args::server(&cad_actions, &actor, server).await?;
    cad_args::act(ctx, &actor, server, CadAction::Leave).await
}
