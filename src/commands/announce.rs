//! The bot's own messages in a channel: what was set up there, and what resumes.

use std::time::Duration;

use super::context::{Asker, CommandContext};
use super::route_wording::words;
use super::wording::and;
use crate::ids::{ChannelId, GuildId, ServerId};
use crate::ingest::{BotMessage, Request};
use crate::render::text::{SafeText, safe};
use crate::render::{Embed, Message};
use crate::route::RouteSpec;

/// Time limit for ingest during a command.
const PATIENCE: Duration = Duration::from_secs(5);
/// Colour of a confirmation.
const CONFIRMED: u32 = 0x2E_CC71;

/// Posts in a channel what it gets from now on.
pub(super) async fn announce(context: &CommandContext, asker: Asker, channel: ChannelId, verb: &'static str, new: &[&RouteSpec]) {
    let mut topics: Vec<SafeText> = new.iter().map(|new| words(new.event)).collect();
    topics.dedup();
    topics.truncate(crate::event::Topic::ALL.len());
    let title = match topics.as_slice() {
        [one] => safe!("🔔 Alerts {}: {}", verb, one),
        several => safe!("🔔 Alerts {}: {} kinds", verb, several.len()),
    };
    let servers: Vec<SafeText> = {
        let mut servers: Vec<ServerId> = new.iter().filter_map(|new| new.server).collect();
        servers.sort_unstable();
        servers.dedup();
        servers.iter().map(|server| safe!("{}", server)).collect()
    };
    let of = if servers.is_empty() { SafeText::default() } else { safe!(" of server {}", and(&servers)) };
    let pinged = new.iter().find_map(|new| new.role);
    let pings = pinged.map(|role| safe!(" Urgent ones ping <@&{}>.", role)).unwrap_or_default();
    let text = safe!("This channel now gets {}{}.{}\nSet by <@{}>.", and(&topics), of, pings, asker.user);
    post(context, asker.guild, channel, "alerts-on", title, text).await;
}

/// A message of the bot's own in a channel. It pings nobody.
pub(super) async fn post(context: &CommandContext, guild: GuildId, channel: ChannelId, what: &str, title: SafeText, text: SafeText) {
    // The guild may have been unlinked meanwhile.
    let Ok(community) = context.community(guild) else { return };
    let now = context.clock.now();
    let embed = Embed { title: Some(title), description: Some(text), color: CONFIRMED, timestamp: Some(now), ..Embed::default() };
    let message = BotMessage {
        guild,
        channel,
        server: community.first_server(),
        // Two people may confirm in one millisecond.
        subject: format!("confirm:{what}:{}:{:06x}", now.0, fastrand::u32(..0x100_0000)),
        message: crate::render::limits::fit(Message { embeds: vec![embed], silent: true, ..Message::default() }),
    };
    // The routes stand: a confirmation that cannot be posted is no reason to say that they do not.
    if tokio::time::timeout(PATIENCE, community.requests.send(Request::Send(message))).await.is_err() {
        tracing::warn!(%channel, "a confirmation could not be handed over");
    }
}
