//! `/board create`.

use serenity::all as serenity;

use super::redraw::redraw;
use crate::commands::context::{Context, asker};
use crate::commands::errors::Error;
use crate::commands::options::KindChoice;
use crate::commands::route_wording::{describe_board, not_configured};
use crate::commands::{autocomplete, checks, reply};
use crate::ids::{ChannelId, ServerId};
use crate::render::text::safe;
use crate::store::AddBoard;

/// Put up a message that keeps itself up to date
#[poise::command(slash_command, guild_only)]
pub(super) async fn create(
    ctx: Context<'_>,
    #[description = "What it shows"] kind: KindChoice,
    #[description = "Where it stands"]
    #[channel_types("Text", "News")]
    channel: serenity::PartialChannel,
    #[description = "Only this CAD server (default: all of them)"]
    #[autocomplete = "autocomplete::server"]
    #[min = 1]
    server: Option<u32>,
) -> Result<(), Error> {
    ctx.defer_response(true).await?;
    let (asker, context) = (asker(ctx)?, ctx.data());
    let community = context.community(asker.guild)?;
    let (channel, server) = (ChannelId(channel.id.get()), server.map(ServerId));
    if let Some(unknown) = server.filter(|server| !community.servers.contains(server)) {
        return Err(Error::refused(not_configured(unknown)));
    }
    let access = checks::channel_access(context, asker.guild, channel, asker.here).await?;
    if let Some(hindrance) = access.hindrance(channel) {
        return Err(Error::refused(hindrance));
    }
    context.store.ensure_guild(asker.guild, &community.id).await?;
    let board = match context.store.add_board(asker.guild, channel, kind.0, server, asker.user, context.clock.now()).await? {
        AddBoard::Added(board) => board,
        AddBoard::Same(board) => {
            let said = safe!(
                "👌 Board #{} is exactly that already: {}. `/board refresh board:{}` draws it again, `/board remove board:{}` takes it away.",
                board.id,
                describe_board(&board),
                board.id,
                board.id
            );
            return reply::say(ctx, said).await;
        }
        AddBoard::TooMany => {
            return Err(Error::refused("This server has the most boards it may have: take one away with `/board remove`."));
        }
    };
    context.open_again(asker.guild, channel).await?;
    let soon = match redraw(context, asker.guild, Some(board.id)).await {
        Some(_) => "It appears there now and keeps itself up to date.",
        None => "It appears there with the next change in the CAD.",
    };
    reply::say(
        ctx,
        safe!("✅ Board #{}: {}. {} Take it away with `/board remove board:{}`.", board.id, describe_board(&board), soon, board.id),
    )
    .await
}
