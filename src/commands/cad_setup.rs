//! `/cad setup`: begins the wizard.

use super::components::Choice;
use super::errors::Error;
use super::{Context, reply, wizard};

/// From nothing to a test alert, step by step
#[poise::command(slash_command, guild_only)]
pub(super) async fn setup(ctx: Context<'_>) -> Result<(), Error> {
    ctx.defer_response(true).await?;
    reply::show(ctx, wizard::connection(ctx.data(), &Choice::default()).await).await
}
