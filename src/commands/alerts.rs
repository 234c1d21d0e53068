//! `/alerts`: what is posted where.

use super::errors::Error;
use super::{
    Context, alerts_add, alerts_edit, alerts_escalate, alerts_filter, alerts_list, alerts_mute, alerts_ping, alerts_preset, alerts_quiet,
    alerts_remove, alerts_test, alerts_thread, alerts_unmute,
};

/// Which events are posted in which channel
#[poise::command(
    slash_command,
    guild_only,
    subcommand_required,
    subcommands(
        "alerts_add::add",
        "alerts_list::list",
        "alerts_edit::edit",
        "alerts_remove::remove",
        "alerts_preset::preset",
        "alerts_filter::filter",
        "alerts_ping::ping",
        "alerts_escalate::escalate",
        "alerts_thread::thread",
        "alerts_mute::mute",
        "alerts_unmute::unmute",
        "alerts_quiet::quiet",
        "alerts_test::test"
    ),
    default_member_permissions = "MANAGE_GUILD",
    interaction_context = "Guild"
)]
pub(super) async fn alerts(_: Context<'_>) -> Result<(), Error> {
    Ok(())
}
