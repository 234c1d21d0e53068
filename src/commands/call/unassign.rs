//! `/call unassign`.

use crate::actions::CadAction;
use crate::commands::errors::Error;
use crate::commands::{Context, acts, choices};

/// Detach a unit from a call
#[poise::command(slash_command, guild_only)]
pub(super) async fn unassign(
    ctx: Context<'_>,
    #[description = "Which call; a number works too"]
    #[autocomplete = "choices::dispatch"]
    #[max_length = 100]
    call: String,
    #[description = "Which unit; a callsign works too"]
    #[autocomplete = "choices::attached"]
    #[max_length = 100]
    unit: String,
) -> Result<(), Error> {
    ctx.defer_response(true).await?;
    let actor = acts::actor_of(ctx)?;
    let on = acts::call_like(ctx, &actor, &call, Some(true)).await?;
    let (call, unit) = (acts::dispatched(on)?, acts::unit(ctx, on, &unit).await?);
    acts::act(ctx, &actor, on.server, CadAction::Unassign(call, unit)).await
}
