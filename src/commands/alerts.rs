//! `/alerts`: what is posted where.

mod add;
mod edit;
mod escalate;
pub(super) mod filter;
mod list;
mod mute;
mod ping;
mod preset;
mod quiet;
mod remove;
pub(super) mod test;
mod thread;
mod unmute;

use super::context::Context;
use super::errors::Error;

/// Which events are posted in which channel
#[poise::command(
    slash_command,
    guild_only,
    subcommand_required,
    subcommands(
        "add::add",
        "list::list",
        "edit::edit",
        "remove::remove",
        "preset::preset",
        "filter::filter",
        "ping::ping",
        "escalate::escalate",
        "thread::thread",
        "mute::mute",
        "unmute::unmute",
        "quiet::quiet",
        "test::test"
    ),
    default_member_permissions = "MANAGE_GUILD",
    interaction_context = "Guild"
)]
pub(super) async fn alerts(_: Context<'_>) -> Result<(), Error> {
    Ok(())
}
