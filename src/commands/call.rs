//! `/call`: the community's calls, for people whom the guild lets dispatch from Discord.

mod assign;
mod close;
mod from911;
mod layout;
mod list;
pub(super) mod new;
pub(super) mod note;
mod unassign;
mod view;

use super::context::Context;
use super::errors::Error;

/// Calls in the CAD
#[poise::command(
    slash_command,
    guild_only,
    subcommand_required,
    subcommands(
        "list::list",
        "view::view",
        "new::new",
        "assign::assign",
        "unassign::unassign",
        "note::note",
        "close::close",
        "from911::from911"
    ),
    default_member_permissions = "MANAGE_GUILD",
    interaction_context = "Guild"
)]
pub(super) async fn call(_: Context<'_>) -> Result<(), Error> {
    Ok(())
}
