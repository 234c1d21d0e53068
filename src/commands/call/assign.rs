//! `/call assign`.

use crate::actions::CadAction;
use crate::commands::context::Context;
use crate::commands::errors::Error;
use crate::commands::{cad_args, choices};

/// Attach a unit to a call
#[poise::command(slash_command, guild_only)]
pub(super) async fn assign(
    ctx: Context<'_>,
    #[description = "Which call; a number works too"]
    #[autocomplete = "choices::dispatch"]
    #[max_length = 100]
    call: String,
    #[description = "Which unit; a callsign works too"]
    #[autocomplete = "choices::unit"]
    #[max_length = 100]
    unit: String,
) -> Result<(), Error> {
    ctx.defer_response(true).await?;
    let actor = cad_args::actor_of(ctx)?;
    let on = cad_args::call_like(ctx, &actor, &call, Some(true)).await?;
    let (call, unit) = (cad_args::dispatched(on)?, cad_args::unit(ctx, on, &unit).await?);
    cad_args::act(ctx, &actor, on.server, CadAction::Assign(call, unit)).await
}
