//! `/cad`: the connection to the CAD, and how the bot is.

use super::errors::Error;
use super::{
    Context, cad_actions, cad_audit, cad_diagnose, cad_export, cad_import, cad_labels, cad_notices, cad_setup, cad_stats, cad_status,
};

/// The connection to Sonoran CAD
#[poise::command(
    slash_command,
    guild_only,
    subcommand_required,
    subcommands(
        "cad_setup::setup",
        "cad_status::status",
        "cad_stats::stats",
        "cad_diagnose::diagnose",
        "cad_labels::labels",
        "cad_notices::notices",
        "cad_audit::audit",
        "cad_export::export",
        "cad_import::import",
        "cad_actions::actions"
    ),
    default_member_permissions = "MANAGE_GUILD",
    interaction_context = "Guild"
)]
pub(super) async fn cad(_: Context<'_>) -> Result<(), Error> {
    Ok(())
}
