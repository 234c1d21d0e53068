//! `/call from911`.

use crate::actions::CadAction;
use crate::commands::context::Context;
use crate::commands::errors::Error;
use crate::commands::{cad_args, choices};
use crate::render::text::safe;
use crate::world::Subject;

/// Make a dispatch call of a 911 that waits, with nobody on it
#[poise::command(slash_command, guild_only)]
pub(super) async fn from911(
    ctx: Context<'_>,
    #[description = "Which 911; a number works too"]
    #[autocomplete = "choices::emergency"]
    #[max_length = 100]
    call: String,
) -> Result<(), Error> {
    ctx.defer_response(true).await?;
    let actor = cad_args::actor_of(ctx)?;
    let on = cad_args::call_like(ctx, &actor, &call, Some(false)).await?;
    match on.subject {
        Subject::Emergency(id, _) => cad_args::act(ctx, &actor, on.server, CadAction::Dispatch(id)).await,
        Subject::Dispatch(id, _) => Err(Error::refused(safe!("Call{:#} is a dispatch call already.", id))),
        Subject::Panic(..) | Subject::Event(..) => Err(Error::refused("That is no call: choose one from the list.")),
    }
}
