//! `/lookup`: records of the CAD, shown only to the person who asked.

mod name;
mod plate;
mod records;

use super::context::Context;
use super::errors::Error;

/// Records in the CAD, for you alone
#[poise::command(
    slash_command,
    guild_only,
    subcommand_required,
    subcommands("plate::plate", "name::name"),
    default_member_permissions = "MANAGE_GUILD",
    interaction_context = "Guild"
)]
pub(super) async fn lookup(_: Context<'_>) -> Result<(), Error> {
    Ok(())
}
