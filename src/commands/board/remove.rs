//! `/board remove`.

use std::time::Duration;

use super::redraw::{no_such_board, redraw};
use crate::commands::context::{CommandContext, Context, guild_of};
use crate::commands::errors::Error;
use crate::commands::route_wording::describe_board;
use crate::commands::{autocomplete, reply};
use crate::discord::rest::AskError;
use crate::ids::{BoardId, MessageId};
use crate::outbox::queue::BoardRemoval;
use crate::render::text::{self, SafeText, safe};
use crate::route::Board;

/// How often a board that is being sent is checked …
const TRIES: u32 = 40;
/// … and with this pause: longer in all than one request to Discord usually takes.
const PAUSE: Duration = Duration::from_millis(250);
/// Longest reason of Discord in an answer (UTF-16 units).
const REASON: usize = 200;

/// Take a board away, and its message with it
#[poise::command(slash_command, guild_only)]
pub(super) async fn remove(
    ctx: Context<'_>,
    #[description = "Which board"]
    #[autocomplete = "autocomplete::board"]
    #[min = 1]
    board: i64,
) -> Result<(), Error> {
    let board = BoardId(board);
    ctx.defer_response(true).await?;
    let (guild, context) = (guild_of(ctx)?, ctx.data());
    let Some(removed) = context.store.remove_board(guild, board).await? else { return Err(no_such_board(board)) };
    reply::say(ctx, take_away(context, &removed).await?).await
}

/// Deletes the message of a board that was just removed. Returns the result in words.
pub(in crate::commands) async fn take_away(context: &CommandContext, removed: &Board) -> Result<SafeText, Error> {
    let board = removed.id;
    // Once ingest answers, its changes are on disk, and it won't draw this board anymore.
    redraw(context, removed.guild, Some(board)).await;
    let Some(message) = unpost(context, removed).await? else {
        return Ok(safe!("🗑️ Board #{} removed: {}.", board, describe_board(removed)));
    };
    Ok(match context.rest.delete(removed.channel, message).await {
        Ok(()) => safe!("🗑️ Board #{} removed, its message too: {}.", board, describe_board(removed)),
        Err(error) => {
            let url = crate::render::notice::message_url(removed.guild, removed.channel, message);
            safe!("🗑️ Board #{} removed, but its message could not be deleted ({}): delete it by hand: {}", board, why(&error), url)
        }
    })
}

/// In Discord's own words.
fn why(error: &AskError) -> SafeText {
    match error {
        AskError::Refused(reason) => text::line(reason, REASON),
        other => text::line(&other.to_string(), REASON),
    }
}

/// Deletes the board's post, once it is not being sent to Discord any more. Returns its message, if there is one.
async fn unpost(context: &CommandContext, board: &Board) -> Result<Option<MessageId>, Error> {
    for _ in 0..TRIES {
        match context.store.forget_board_post(board, context.clock.now()).await? {
            BoardRemoval::Done(message) => return Ok(message),
            BoardRemoval::BeingSent => tokio::time::sleep(PAUSE).await,
        }
    }
    Err(Error::refused(safe!(
        "Board #{} is removed, but its message was on the way to Discord all the time: delete it in <#{}> by hand.",
        board.id,
        board.channel
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_discord_says_is_only_quoted() {
        assert_eq!(why(&AskError::Refused("@everyone *no*".into())), "@\u{200B}everyone \\*no\\*");
    }
}
