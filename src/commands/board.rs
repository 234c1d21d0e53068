//! `/board`: self-updating messages.

mod create;
pub(super) mod redraw;
mod refresh;
pub(super) mod remove;

use super::context::Context;
use super::errors::Error;

/// Self-updating messages: who is on duty, which calls are open
#[poise::command(
    slash_command,
    guild_only,
    subcommand_required,
    subcommands("create::create", "refresh::refresh", "remove::remove"),
    default_member_permissions = "MANAGE_GUILD",
    interaction_context = "Guild"
)]
pub(super) async fn board(_: Context<'_>) -> Result<(), Error> {
    Ok(())
}
