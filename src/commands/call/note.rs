//! `/call note`.

use crate::actions::CadAction;
use crate::commands::context::Context;
use crate::commands::errors::Error;
use crate::commands::{cad_args, choices};

/// Write a note on a call
#[poise::command(slash_command, guild_only)]
pub(in crate::commands) async fn note(
    ctx: Context<'_>,
    #[description = "Which call; a number works too"]
    #[autocomplete = "choices::call"]
    #[max_length = 100]
    call: String,
    #[description = "The note; your CAD name is put under it"]
    #[max_length = 900]
    note: String,
) -> Result<(), Error> {
    ctx.defer_response(true).await?;
    let actor = cad_args::actor_of(ctx)?;
    let on = cad_args::call(ctx, &actor, &call).await?;
    cad_args::act(ctx, &actor, on.server, CadAction::Note(on.subject, note)).await
}
