//! `/unit`: what a member does as their own unit. For everyone; the CAD's own permissions are asked each time.

use super::errors::Error;
use super::{Context, unit_clear, unit_link, unit_me, unit_note, unit_panic, unit_respond, unit_status};

/// Your own unit in the CAD
#[poise::command(
    slash_command,
    guild_only,
    subcommand_required,
    subcommands(
        "unit_me::me",
        "unit_link::link",
        "unit_status::status",
        "unit_panic::panic",
        "unit_respond::respond",
        "unit_clear::clear",
        "unit_note::note"
    ),
    interaction_context = "Guild"
)]
pub(super) async fn unit(_: Context<'_>) -> Result<(), Error> {
    Ok(())
}
