//! `/cad`: the connection to the CAD, and how the bot is.

mod actions;
pub(super) mod audit;
mod diagnose;
mod export;
pub(super) mod import;
pub(super) mod labels;
pub(super) mod link;
mod notices;
mod setup;
mod stats;
mod status;
pub(super) mod unlink;
pub(super) mod wizard;

use super::context::Context;
use super::errors::Error;

/// The connection to Sonoran CAD
#[poise::command(
    slash_command,
    guild_only,
    subcommand_required,
    subcommands(
        "setup::setup",
        "link::link",
        "unlink::unlink",
        "status::status",
        "stats::stats",
        "diagnose::diagnose",
        "labels::labels",
        "notices::notices",
        "audit::audit",
        "export::export",
        "import::import",
        "actions::actions"
    ),
    default_member_permissions = "MANAGE_GUILD",
    interaction_context = "Guild"
)]
pub(super) async fn cad(_: Context<'_>) -> Result<(), Error> {
    Ok(())
}
