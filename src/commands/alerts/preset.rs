//! `/alerts preset`.

use serenity::all as serenity;

use crate::commands::context::{Context, asker};
use crate::commands::create_routes::{make, parts_of};
use crate::commands::errors::Error;
use crate::commands::options::PresetChoice;
use crate::commands::reply;
use crate::ids::{ChannelId, RoleId};
use crate::render::text::safe;
use crate::store::StyleIs;

/// A ready-made set of routes for one channel
#[poise::command(slash_command, guild_only)]
pub(super) async fn preset(
    ctx: Context<'_>,
    #[description = "Which set"] name: PresetChoice,
    #[description = "Where to post it"]
    #[channel_types("Text", "News", "Forum")]
    channel: serenity::PartialChannel,
    #[description = "Role to ping for what is urgent (default: nobody, or as it is)"] role: Option<serenity::RoleId>,
) -> Result<(), Error> {
    ctx.defer_response(true).await?;
    let role = role.map(|role| RoleId(role.get()));
    let made = make(ctx.data(), asker(ctx)?, ChannelId(channel.id.get()), role, parts_of(name.0, &[None]), StyleIs::Default).await?;
    let test = name.0.routes().first().map_or("911", |(topic, ..)| topic.as_str());
    reply::say_with(ctx, safe!("{}\nTry it with `/alerts test event:{}`.", made.sentences(), test), made.rows()).await
}
