//! `/call close`.

use crate::actions::CadAction;
use crate::commands::context::Context;
use crate::commands::errors::Error;
use crate::commands::{cad_args, choices};
use crate::world::Subject;

/// Close a dispatch call, or dismiss a 911
#[poise::command(slash_command, guild_only)]
pub(super) async fn close(
    ctx: Context<'_>,
    #[description = "Which call; a number works too"]
    #[autocomplete = "choices::call"]
    #[max_length = 100]
    call: String,
) -> Result<(), Error> {
    ctx.defer_response(true).await?;
    let actor = cad_args::actor_of(ctx)?;
    let on = cad_args::call(ctx, &actor, &call).await?;
    let action = match on.subject {
        Subject::Emergency(id, _) => CadAction::Dismiss(id),
        _ => CadAction::Close(cad_args::dispatched(on)?),
    };
    cad_args::act(ctx, &actor, on.server, action).await
}
