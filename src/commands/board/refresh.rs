//! `/board refresh`.

use super::redraw::{no_such_board, redraw};
use crate::commands::context::{Context, guild_of};
use crate::commands::errors::Error;
use crate::commands::route_wording::describe_board;
use crate::commands::{autocomplete, checks, reply};
use crate::ids::BoardId;
use crate::render::text::{SafeText, safe};
use crate::route::Board;

/// Draw boards again, now: one that somebody deleted comes back
#[poise::command(slash_command, guild_only)]
pub(super) async fn refresh(
    ctx: Context<'_>,
    #[description = "Which one (default: all of them)"]
    #[autocomplete = "autocomplete::board"]
    #[min = 1]
    board: Option<i64>,
) -> Result<(), Error> {
    let board = board.map(BoardId);
    ctx.defer_response(true).await?;
    let (guild, context) = (guild_of(ctx)?, ctx.data());
    let routing = context.store.routing_now();
    let own = routing.boards.iter().filter(|known| known.guild == guild);
    let wanted: Vec<&Board> = own.filter(|known| board.is_none_or(|only| known.id == only)).collect();
    if wanted.is_empty() {
        return Err(match board {
            Some(board) => no_such_board(board),
            None => Error::refused("This server has no board yet: put one up with `/board create`."),
        });
    }
    let standpoint = checks::Standpoint::ask(context, guild).await?;
    let mut said = Vec::new();
    for board in &wanted {
        match standpoint.in_channel(context, board.channel).await?.hindrance(board.channel) {
            Some(hindrance) => said.push(safe!("❌ Board #{}: {}", board.id, hindrance)),
            None => {
                context.store.resend_board(board, context.clock.now()).await?;
                context.open_again(board.guild, board.channel).await?;
                said.push(safe!("🔄 Board #{}: {}.", board.id, describe_board(board)));
            }
        }
    }
    let one = board.filter(|_| wanted.len() == 1);
    if redraw(context, guild, one).await.is_none() {
        said.push("They are drawn with the next change in the CAD.".into());
    }
    reply::say(ctx, SafeText::join(said, "\n")).await
}
