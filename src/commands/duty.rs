//! `/duty`: who was on duty when.

mod export;
mod leaderboard;
mod log;
pub(super) mod report;

use super::context::Context;
use super::errors::Error;

/// Hours on duty, as the CAD's logins tell them
#[poise::command(
    slash_command,
    guild_only,
    subcommand_required,
    subcommands("log::log", "leaderboard::leaderboard", "export::export"),
    default_member_permissions = "MODERATE_MEMBERS",
    interaction_context = "Guild"
)]
pub(super) async fn duty(_: Context<'_>) -> Result<(), Error> {
    Ok(())
}
