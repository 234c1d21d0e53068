//! `/board`: self-updating messages, and what their three commands share.

mod create;
mod refresh;
pub(super) mod remove;

use std::time::Duration;

use tokio::sync::oneshot;

use super::errors::Error;
use super::{Context, Desk};
use crate::ids::GuildId;
use crate::ingest::Request;
use crate::ingest::boards::Redraw;
use crate::route::Board;

/// How long ingest may keep a command waiting.
const PATIENCE: Duration = Duration::from_secs(5);

/// Self-updating messages: who is on duty, which calls are open
#[poise::command(
    slash_command,
    guild_only,
    subcommand_required,
    subcommands("create::create", "refresh::refresh", "remove::remove"),
    default_member_permissions = "MANAGE_GUILD",
    interaction_context = "Guild"
)]
pub(super) async fn board(_: Context<'_>) -> Result<(), Error> {
    Ok(())
}

/// `units on duty → <#1>, of server 2 only`.
pub(super) fn describe(board: &Board) -> String {
    let server = board.server.map(|server| format!(", of server {server} only")).unwrap_or_default();
    format!("{} → <#{}>{server}", board.kind.describe(), board.channel)
}

/// Has boards drawn now. `None` if ingest does not say in time that it did.
pub(super) async fn redraw(desk: &Desk, guild: GuildId, board: Option<i64>) -> Option<usize> {
    let (done, told) = oneshot::channel();
    let asked = async {
        desk.requests.send(Request::Redraw(Redraw { guild, board, done })).await.ok()?;
        told.await.ok()?.ok()
    };
    tokio::time::timeout(PATIENCE, asked).await.ok().flatten()
}

pub(super) fn no_such_board(board: i64) -> Error {
    Error::Refused(format!("This server has no board #{board}: choose one from the list that `/board remove` shows while you type."))
}
