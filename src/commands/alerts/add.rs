//! `/alerts add`.

use serenity::all as serenity;

use crate::commands::context::{Context, asker};
use crate::commands::create_routes::make;
use crate::commands::errors::Error;
use crate::commands::options::{Event, StyleChoice};
use crate::commands::{autocomplete, reply};
use crate::ids::{ChannelId, RoleId, ServerId};
use crate::render::Style;
use crate::render::text::{SafeText, safe};
use crate::store::StyleIs;

/// Post events of one kind in a channel
#[poise::command(slash_command, guild_only)]
pub(super) async fn add(
    ctx: Context<'_>,
    #[description = "What to post"] event: Event,
    #[description = "Where to post it"]
    #[channel_types("Text", "News", "Forum")]
    channel: serenity::PartialChannel,
    #[description = "Only from this CAD server (default: all of them)"]
    #[autocomplete = "autocomplete::server"]
    #[min = 1]
    server: Option<u32>,
    #[description = "Role to ping for what is urgent (default: nobody, or as it is)"] role: Option<serenity::RoleId>,
    #[description = "How it looks (default: card, or as it is)"] style: Option<StyleChoice>,
) -> Result<(), Error> {
    ctx.defer_response(true).await?;
    let named = if style.is_some() { StyleIs::Named } else { StyleIs::Default };
    let style = style.map_or(Style::default(), |style| style.0);
    let part = (event.0, server.map(ServerId), style, true);
    let role = role.map(|role| RoleId(role.get()));
    let made = make(ctx.data(), asker(ctx)?, ChannelId(channel.id.get()), role, vec![part], named).await?;
    let try_it = match event.0 {
        crate::route::Listens::To(topic) if !made.ids().is_empty() => safe!("\nTry it with `/alerts test event:{}`.", topic.as_str()),
        _ => SafeText::default(),
    };
    reply::say_with(ctx, safe!("{}{}", made.sentences(), try_it), made.rows()).await
}
