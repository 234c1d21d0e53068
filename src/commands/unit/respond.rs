//! `/unit respond`.

use crate::actions::CadAction;
use crate::commands::context::Context;
use crate::commands::errors::Error;
use crate::commands::{cad_args, choices};

/// Attach yourself to a call; a 911 becomes a dispatch call
#[poise::command(slash_command, guild_only)]
pub(super) async fn respond(
    ctx: Context<'_>,
    #[description = "Which call; a number works too"]
    #[autocomplete = "choices::call"]
    #[max_length = 100]
    call: String,
) -> Result<(), Error> {
    ctx.defer_response(true).await?;
    let actor = cad_args::actor_of(ctx)?;
    let on = cad_args::call(ctx, &actor, &call).await?;
    cad_args::act(ctx, &actor, on.server, CadAction::Respond(on.subject)).await
}
