//! `/alerts`: what is posted where.

use super::errors::Error;
use super::{Context, alerts_add, alerts_list, alerts_preset, alerts_remove, alerts_test};

/// Which events are posted in which channel
#[poise::command(
    slash_command,
    guild_only,
    subcommand_required,
    subcommands("alerts_add::add", "alerts_list::list", "alerts_remove::remove", "alerts_test::test", "alerts_preset::preset"),
    default_member_permissions = "MANAGE_GUILD",
    interaction_context = "Guild"
)]
pub(super) async fn alerts(_: Context<'_>) -> Result<(), Error> {
    Ok(())
}
