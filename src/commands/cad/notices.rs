//! `/cad notices`.

use serenity::all as serenity;

use crate::commands::errors::Error;
use crate::commands::{Context, asker, checks, make, reply};
use crate::ids::ChannelId;

/// Where the bot tells of trouble: a lost feed, a channel it may not post in
#[poise::command(slash_command, guild_only)]
pub(super) async fn notices(
    ctx: Context<'_>,
    #[description = "The channel; leave it out to switch notices off"]
    #[channel_types("Text", "News")]
    channel: Option<serenity::PartialChannel>,
) -> Result<(), Error> {
    ctx.defer_response(true).await?;
    let asker = asker(ctx)?;
    let desk = ctx.data();
    let Some(channel) = channel.map(|channel| ChannelId(channel.id.get())) else {
        let known = desk.store.routing_now().guilds.get(&asker.guild).and_then(|guild| guild.notices);
        let Some(known) = known else {
            return reply::say(ctx, "Notices are off. Switch them on with `/cad notices channel:#your-channel`.").await;
        };
        desk.store.set_notices(asker.guild, None).await?;
        return reply::say(
            ctx,
            format!("🔕 Notices are off; they went to <#{known}>. Switch them on again with `/cad notices channel:#your-channel`."),
        )
        .await;
    };
    let standing = checks::standing(desk, asker.guild, channel, asker.here).await?;
    if let Some(hindrance) = standing.hindrance_to_words(channel) {
        return Err(Error::Refused(hindrance));
    }
    desk.store.ensure_guild(asker.guild, &desk.facts.community).await?;
    desk.store.set_notices(asker.guild, Some(channel)).await?;
    desk.open_again(channel).await?;
    let text =
        format!("From now on I tell of trouble here: when the CAD goes silent or a channel is closed to me.\nSet by <@{}>.", asker.user);
    make::tell(desk, asker.guild, channel, "notices-on", "🔔 Notices on".to_owned(), text).await;
    reply::say(ctx, format!("✅ Notices go to <#{channel}>. `/cad notices` without a channel switches them off.")).await
}
