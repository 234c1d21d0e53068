//! `/cad setup`: begins the wizard.

use crate::commands::components::Choice;
use crate::commands::errors::Error;
use crate::commands::{Context, reply, wizard};

/// From nothing to a test alert, step by step
#[poise::command(slash_command, guild_only)]
pub(super) async fn setup(ctx: Context<'_>) -> Result<(), Error> {
    ctx.defer_response(true).await?;
    reply::show(ctx, wizard::connection(ctx.data(), &Choice::default()).await).await
}
