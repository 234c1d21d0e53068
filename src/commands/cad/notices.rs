//! `/cad notices`.

use serenity::all as serenity;

use crate::commands::context::{Context, asker};
use crate::commands::errors::Error;
use crate::commands::{announce, checks, reply};
use crate::ids::ChannelId;
use crate::render::text::safe;

const ON: &str = "Turn them on with `/cad notices channel:#your-channel`.";

/// Where the bot posts problems: a lost feed, a channel it can't post in
#[poise::command(slash_command, guild_only)]
pub(super) async fn notices(
    ctx: Context<'_>,
    #[description = "The channel; leave it out to see the current one"]
    #[channel_types("Text", "News")]
    channel: Option<serenity::PartialChannel>,
    #[description = "True: no notices"] off: Option<bool>,
) -> Result<(), Error> {
    ctx.defer_response(true).await?;
    let asker = asker(ctx)?;
    let context = ctx.data();
    let known = context.store.routing_now().guilds.get(&asker.guild).and_then(|guild| guild.notices);
    let channel = match (channel.map(|channel| ChannelId(channel.id.get())), off == Some(true), known) {
        (Some(_), true, _) => return Err(Error::refused("`channel:` and `off:True` contradict each other: give one of them.")),
        (Some(channel), false, _) => channel,
        (None, _, None) => return reply::say(ctx, safe!("Notices are off. {}", ON)).await,
        (None, false, Some(known)) => {
            return reply::say(ctx, safe!("Notices go to <#{}>. `/cad notices off:True` turns them off.", known)).await;
        }
        (None, true, Some(known)) => {
            context.store.set_notices(asker.guild, None).await?;
            return reply::say(ctx, safe!("🔕 Notices are off; they went to <#{}>. {}", known, ON)).await;
        }
    };
    let access = checks::channel_access(context, asker.guild, channel, asker.here).await?;
    if let Some(hindrance) = access.hindrance_to_words(channel) {
        return Err(Error::refused(hindrance));
    }
    if known == Some(channel) {
        context.open_again(asker.guild, channel).await?;
        return reply::say(ctx, safe!("👌 Nothing changed. Notices already go to <#{}>.", channel)).await;
    }
    context.store.ensure_guild(asker.guild, &context.community(asker.guild)?.id).await?;
    context.store.set_notices(asker.guild, Some(channel)).await?;
    context.open_again(asker.guild, channel).await?;
    let text = safe!("I'll post problems here, such as a lost CAD connection or a channel I can't post in.\nSet by <@{}>.", asker.user);
    announce::post(context, asker.guild, channel, "notices-on", "🔔 Notices on".into(), text).await;
    reply::say(ctx, safe!("✅ Notices go to <#{}>. `/cad notices off:True` turns them off.", channel)).await
}
