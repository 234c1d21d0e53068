//! `/call`: the community's calls, for those whom the guild lets dispatch from Discord.

use super::errors::Error;
use super::{Context, call_assign, call_close, call_from911, call_list, call_new, call_note, call_unassign, call_view};

/// Calls in the CAD
#[poise::command(
    slash_command,
    guild_only,
    subcommand_required,
    subcommands(
        "call_list::list",
        "call_view::view",
        "call_new::new",
        "call_assign::assign",
        "call_unassign::unassign",
        "call_note::note",
        "call_close::close",
        "call_from911::from911"
    ),
    default_member_permissions = "MANAGE_GUILD",
    interaction_context = "Guild"
)]
pub(super) async fn call(_: Context<'_>) -> Result<(), Error> {
    Ok(())
}
