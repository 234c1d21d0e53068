//! `/unit clear`.

use crate::actions::CadAction;
use crate::commands::errors::Error;
use crate::commands::{Context, acts, autocomplete};

/// Leave the call you are on
#[poise::command(slash_command, guild_only)]
pub(super) async fn clear(
    ctx: Context<'_>,
    #[description = "Which CAD server; else the one you are on duty on"]
    #[autocomplete = "autocomplete::server"]
    server: Option<i64>,
) -> Result<(), Error> {
    ctx.defer_response(true).await?;
    let (acting, actor) = (ctx.data().acting()?, acts::actor_of(ctx)?);
    let server = acts::server(acting, &actor, server).await?;
    acts::act(ctx, &actor, server, CadAction::Leave).await
}
