//! Renders boards at once: shared by the commands of `/board`.

use std::time::Duration;

use tokio::sync::oneshot;

use crate::commands::context::CommandContext;
use crate::commands::errors::Error;
use crate::ids::{BoardId, GuildId};
use crate::ingest::Request;
use crate::ingest::boards::Redraw;
use crate::render::text::safe;

/// Time limit for ingest during a command.
const PATIENCE: Duration = Duration::from_secs(5);

/// Has boards drawn now. `None` if ingest does not say in time that it did.
pub(in crate::commands) async fn redraw(context: &CommandContext, guild: GuildId, board: Option<BoardId>) -> Option<usize> {
    let community = context.community(guild).ok()?;
    let (done, told) = oneshot::channel();
    let asked = async {
        community.requests.send(Request::Redraw(Redraw { guild, board, done })).await.ok()?;
        told.await.ok()?.ok()
    };
    tokio::time::timeout(PATIENCE, asked).await.ok().flatten()
}

pub(super) fn no_such_board(board: BoardId) -> Error {
    Error::refused(safe!("This server has no board #{}: choose one from the list that `/board remove` shows while you type.", board))
}
