//! `/cad setup`: begins the wizard.

use super::wizard;
use crate::commands::context::{Context, guild_of};
use crate::commands::custom_id::SetupChoice;
use crate::commands::errors::Error;
use crate::commands::reply;

/// From nothing to a test alert, step by step
#[poise::command(slash_command, guild_only)]
pub(super) async fn setup(ctx: Context<'_>) -> Result<(), Error> {
    ctx.defer_response(true).await?;
    reply::show(ctx, wizard::connection(ctx.data(), &*ctx.data().community(guild_of(ctx)?)?, &SetupChoice::default()).await).await
}
