//! `/unit`: what a member does as their own unit. For everyone; the CAD's own permissions are asked each time.

mod clear;
mod link;
mod me;
pub(super) mod panic;
mod respond;
mod status;

use super::call;
use super::context::Context;
use super::errors::Error;

/// Your own unit in the CAD
#[poise::command(
    slash_command,
    guild_only,
    subcommand_required,
    subcommands("me::me", "link::link", "status::status", "panic::panic", "respond::respond", "clear::clear", "call::note::note"),
    interaction_context = "Guild"
)]
pub(super) async fn unit(_: Context<'_>) -> Result<(), Error> {
    Ok(())
}
