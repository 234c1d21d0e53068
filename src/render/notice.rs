//! Notices of the bot itself, for the notices channel: what happened, where, what to do.

use super::text::{self, SafeText, safe};
use super::{Embed, Message, colors, limits, words};
use crate::clock::UnixMs;
use crate::ids::{ChannelId, CommunityId, GuildId, ServerId, UserId};

/// Something that the owner should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// No event for longer than usual, or the connection is gone.
    FeedLost {
        /// Which feed.
        server: ServerId,
        /// Last sign of life.
        since: UnixMs,
        /// Why, and what to do. Shown as plain text, without markdown.
        hint: String,
    },
    /// The feed is back.
    FeedBack {
        /// Which feed.
        server: ServerId,
        /// Since when it was silent.
        since: UnixMs,
        /// Calls found by reading the CAD.
        caught_up: usize,
    },
    /// Discord refused a channel: its alerts are parked.
    ChannelForbidden {
        channel: ChannelId,
        /// Names of the missing permissions; empty = unknown.
        missing: Vec<String>,
    },
    /// The channel was deleted.
    ChannelGone { channel: ChannelId },
    /// A Discord server that is not linked has added the bot.
    GuildJoined {
        guild: GuildId,
        /// Its name, as its owner chose it.
        name: String,
    },
    /// Unlinked Discord servers added the bot while it was down. Their names aren't known yet.
    GuildsFound { guilds: Vec<GuildId> },
    /// Somebody proved the community's key in another Discord server, or unlinked it.
    GuildLink {
        guild: GuildId,
        /// Its name, as its owner chose it, if Discord sent it.
        name: Option<String>,
        /// Who did it.
        user: UserId,
        /// Linked, or unlinked.
        linked: bool,
        /// How many Discord servers are linked now.
        now_linked: usize,
    },
    /// Messages for a channel wait for something other than the permission to write there.
    Hindered {
        channel: ChannelId,
        hindrance: Hindrance,
        /// Discord's message.
        reason: String,
    },
    /// The CAD called two requests of an operation malformed.
    OperationSuspended {
        /// Which operation, for people.
        operation: &'static str,
        /// Nothing is sent until then.
        until: UnixMs,
    },
    /// It works again.
    OperationResumed {
        /// Which operation, for people.
        operation: &'static str,
    },
    /// The CAD rejected the community's key.
    CredentialsRejected {
        community: CommunityId,
        /// The server of that session.
        server: ServerId,
    },
    /// Another client took the server's hub session repeatedly: the bot leaves it to that one.
    HubContested {
        /// The server of that session.
        server: ServerId,
    },
    /// The community's tasks failed again and again: they are not started any more.
    Suspended,
}

/// Limit on the servers named in one notice.
const MAX_GUILDS_NAMED: usize = 10;
/// The hint for the owner of a bot that strangers have added.
const NOT_SERVED: &str = "Nothing of your CAD is shown there until someone with Manage Server on that server enters your API key with `/cad link`. If you didn't expect this, switch off Public Bot at <https://discord.com/developers/applications> (your application, page Bot).";

impl Notice {
    /// The server in a notice's subject.
    #[must_use]
    pub fn guild_word(&self) -> String {
        match self {
            Self::GuildJoined { guild, .. } | Self::GuildLink { guild, .. } => guild.to_string(),
            Self::GuildsFound { guilds } => guilds.first().map_or_else(|| "none".to_owned(), |guild| format!("{guild}+{}", guilds.len())),
            _ => "none".to_owned(),
        }
    }
}

/// What messages wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hindrance {
    /// Discord, or a proxy in front of it, doesn't answer as it should.
    Unreachable,
    /// Too many open threads.
    Full,
    /// The forum wants a tag.
    Tags,
    /// This thread or post is closed and locked.
    Locked(ChannelId),
    /// Permissions for threads.
    Threads,
    /// AutoMod or the link filter.
    Blocked,
    /// A permission that only some messages need.
    Refused,
    /// Something else, in Discord's words.
    Other,
}

/// The notice as a message. `at` becomes the embed's timestamp.
#[must_use]
pub fn message(notice: &Notice, at: UnixMs) -> Message {
    let (title, color, description, footer): (SafeText, _, _, _) = match notice {
        Notice::FeedLost { server, since, hint } => (
            safe!("⚠️ CAD feed silent since {}", words::time(*since)),
            colors::FEED_TROUBLE,
            safe!(
                "Server {} has told us nothing since {}. New calls and panics may be missing here until it is back.\n{}",
                server,
                words::ago(*since),
                card_hint(hint)
            ),
            Some(safe!("Server {}", server)),
        ),
        Notice::FeedBack { server, since, caught_up } => (
            safe!("✅ CAD feed back, {} caught up", count(*caught_up, "call")),
            colors::FEED_BACK,
            safe!("Server {} was silent for {}.", server, words::duration(at.since(*since))),
            Some(safe!("Server {}", server)),
        ),
        Notice::ChannelForbidden { channel, missing } => {
            let missing: Vec<SafeText> = missing.iter().take(12).map(|name| text::line(name, 40)).collect();
            let fix = if missing.is_empty() {
                "Give the bot View Channel, Send Messages and Embed Links there".into()
            } else {
                safe!("Give the bot {} there", SafeText::join(missing, ", "))
            };
            (
                "⚠️ Alerts cannot be posted".into(),
                colors::FEED_TROUBLE,
                safe!(
                    "Discord does not let me post in <#{}>. {}; `/cad diagnose` then sends what waits. Or remove its routes with `/alerts remove`.",
                    channel,
                    fix
                ),
                None,
            )
        }
        Notice::ChannelGone { channel } => (
            "⚠️ A channel is gone".into(),
            colors::FEED_TROUBLE,
            safe!("Channel {} no longer exists. Remove its routes with `/alerts remove`, and add new ones with `/alerts add`.", channel),
            None,
        ),
        Notice::GuildJoined { guild, name } => (
            "➕ Another Discord server added this bot".into(),
            colors::FEED_TROUBLE,
            safe!("**{}** (`{}`) has the bot now. {}", text::line(name, 100), guild, NOT_SERVED),
            None,
        ),
        Notice::GuildsFound { guilds } => {
            let mut named: Vec<SafeText> = guilds.iter().take(MAX_GUILDS_NAMED).map(|guild| safe!("`{}`", guild)).collect();
            if guilds.len() > MAX_GUILDS_NAMED {
                named.push(safe!("{} more", guilds.len() - MAX_GUILDS_NAMED));
            }
            (
                safe!("➕ {} that added this bot", count(guilds.len(), "Discord server")),
                colors::FEED_TROUBLE,
                safe!("Found when the bot started: {}. {}", SafeText::join(named, ", "), NOT_SERVED),
                None,
            )
        }
        Notice::GuildLink { guild, name, user, linked, now_linked } => {
            let name = name.as_ref().map_or_else(|| safe!("`{}`", guild), |name| safe!("**{}** (`{}`)", text::line(name, 100), guild));
            let served = safe!("{} linked now; `/cad status` lists them.", count(*now_linked, "Discord server"));
            if *linked {
                (
                    "🔗 Another Discord server was linked".into(),
                    colors::FEED_TROUBLE,
                    safe!(
                        "<@{}> entered your community's API key in {}, so it can now show your CAD. {} If you didn't expect this, run `/cad unlink server_id:{}` and create a new API key in Sonoran CAD.",
                        user,
                        name,
                        served,
                        guild
                    ),
                    None,
                )
            } else {
                let text = safe!("<@{}> unlinked {}. It shows nothing of your CAD anymore. {}", user, name, served);
                ("🔗 A Discord server was unlinked".into(), colors::FEED_TROUBLE, text, None)
            }
        }
        Notice::Hindered { channel, hindrance, reason } => {
            let (title, description) = hindered(*channel, *hindrance, reason);
            (title.into(), colors::FEED_TROUBLE, description, None)
        }
        Notice::OperationSuspended { operation, until } => (
            safe!("⚠️ Sonoran CAD rejects \"{}\" requests", operation),
            colors::FEED_TROUBLE,
            safe!(
                "Sonoran CAD rejected two \"{}\" requests as malformed. I'll send no more of them until {}, since several make it deny every request of this community. Until then do this in the CAD. If it stays, report it to this bot's developers.",
                operation,
                words::time(*until)
            ),
            None,
        ),
        Notice::OperationResumed { operation } => (
            safe!("✅ Sonoran CAD accepts \"{}\" requests again", operation),
            colors::FEED_BACK,
            "Nothing to do: this works from Discord again.".into(),
            None,
        ),
        Notice::CredentialsRejected { community, server } => (
            "⛔ The CAD refused the key".into(),
            colors::FEED_TROUBLE,
            safe!(
                "Sonoran CAD does not accept the API key of community `{}` (server {}). Copy the key again from the CAD (Admin > In-Game Integration > API) into SONORAN_API_KEY and restart the bot. Until then nothing arrives.",
                text::code(community.as_str()),
                server
            ),
            Some(safe!("Server {}", server)),
        ),
        Notice::HubContested { server } => (
            "⚠️ Another client holds the live connection".into(),
            colors::FEED_TROUBLE,
            safe!(
                "Sonoran CAD closed the bot's connection for server {} three times within 30 seconds of signing in. That happens when something else, usually the game server, is connected with the same server ID. I stopped connecting so that it keeps its events.\n\nOn FiveM, forward events to the bot: set `SONORAN_HUB=off`, add these lines to the SonoranCAD resource's `config.json`, and restart both.\n```json\n\"enablePushEventForwarding\": true,\n\"pushEventForwardUrl\": \"http://BOT-IP:3232/sonorancad/event?server={}\"\n```\nOtherwise, stop the other client and restart the bot.",
                server,
                server
            ),
            Some(safe!("Server {}", server)),
        ),
        Notice::Suspended => (
            "⛔ Tenfour stopped for this community".into(),
            colors::FEED_TROUBLE,
            "It failed three times within an hour, so no alerts are posted here. Ask whoever runs the bot to look at its log, restart it, and report the problem.".into(),
            None,
        ),
    };
    let embed = Embed { title: Some(title), description: Some(description), color, footer, timestamp: Some(at), ..Embed::default() };
    limits::fit(Message { embeds: vec![embed], ..Message::default() })
}

/// What happened, then what to do.
fn hindered(channel: ChannelId, hindrance: Hindrance, reason: &str) -> (&'static str, SafeText) {
    let said = text::line(reason, 300);
    match hindrance {
        Hindrance::Unreachable => (
            "⚠️ Discord isn't accepting messages",
            safe!(
                "Alerts for <#{}>, and maybe others, are late: {}. I'm retrying and will post them as soon as Discord accepts them. You don't need to do anything. Discord's status: <https://discordstatus.com>",
                channel,
                said
            ),
        ),
        Hindrance::Full => (
            "⚠️ Too many open threads",
            safe!(
                "New posts in <#{}> are waiting: this server has as many open threads as Discord allows. Close some old threads or posts. I retry every minute and will post what's waiting.",
                channel
            ),
        ),
        Hindrance::Tags => (
            "⚠️ The forum requires a tag",
            safe!(
                "New posts in <#{}> are waiting: the forum requires a tag on each post, and I don't set any. Turn off *Require people to select tags when posting* in the forum's settings. I retry every minute and will post what's waiting.",
                channel
            ),
        ),
        Hindrance::Locked(thread) => (
            "⚠️ A post is closed and locked",
            safe!(
                "I can't update <#{}> in <#{}>: someone closed and locked it. Unlock or delete it, and I'll catch up within ten minutes. Other posts aren't affected.",
                thread,
                channel
            ),
        ),
        Hindrance::Threads => (
            "⚠️ Can't write in threads",
            safe!(
                "I can't write in the threads of <#{}>. Give the bot Create Public Threads and Send Messages in Threads there. I'm retrying and will post what's waiting.",
                channel
            ),
        ),
        Hindrance::Blocked => (
            "⚠️ A filter blocked an alert",
            safe!(
                "AutoMod or Discord's link filter blocked an alert for <#{}>: {}. If it was an AutoMod rule, exempt the bot's role or <#{}> from it. I'm retrying.",
                channel,
                said,
                channel
            ),
        ),
        Hindrance::Refused => (
            "⚠️ Some alerts can't be posted",
            safe!(
                "Discord refuses some messages for <#{}>: {}. Give the bot Embed Links, Attach Files, and Read Message History there, then run `/cad diagnose` to post what's waiting.",
                channel,
                said
            ),
        ),
        Hindrance::Other => (
            "⚠️ An alert is waiting",
            safe!(
                "Discord didn't accept an alert for <#{}>: {}. I'm retrying. If you changed something in that channel, undo it. Otherwise, please report this.",
                channel,
                said
            ),
        ),
    }
}

/// The address of a message, for links between cards.
#[must_use]
pub fn message_url(guild: GuildId, channel: ChannelId, message: crate::ids::MessageId) -> SafeText {
    safe!("https://discord.com/channels/{}/{}/{}", guild, channel, message)
}

fn card_hint(hint: &str) -> SafeText {
    text::visible(Some(hint)).map_or_else(|| "See `/cad status`.".into(), |hint| text::block(hint, 1_000))
}

fn count(n: usize, what: &'static str) -> SafeText {
    if n == 1 { safe!("1 {}", what) } else { safe!("{} {}s", n, what) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample::{self, show};
    use insta::assert_snapshot;

    #[test]
    fn every_obstacle_says_what_happened_and_what_to_do() {
        let hindrances = [
            (Hindrance::Unreachable, "HTTP 503"),
            (Hindrance::Full, "Maximum number of active threads reached (160006)"),
            (Hindrance::Tags, "A tag is required to create a forum post in this channel (40067)"),
            (Hindrance::Locked(ChannelId(7)), "Thread is locked (160005)"),
            (Hindrance::Threads, "Missing Permissions (50013)"),
            (Hindrance::Blocked, "Message was blocked by automatic moderation (200000)"),
            (Hindrance::Refused, "Missing Permissions (50013)"),
            (Hindrance::Other, "Something new (55555)"),
        ];
        let notice = |(hindrance, reason): (Hindrance, &str)| Notice::Hindered { channel: ChannelId(99), hindrance, reason: reason.into() };
        let shown = hindrances.map(|hindrance| show(&Some(message(&notice(hindrance), sample::NOW))));
        assert_snapshot!(shown.join("\n\n"), @r##"
        #F1C40F ⚠️ Discord isn't accepting messages
        Alerts for <#99>, and maybe others, are late: HTTP 503. I'm retrying and will post them as soon as Discord accepts them. You don't need to do anything. Discord's status: <https://discordstatus.com>
        -- (no footer) @ 1763700600

        #F1C40F ⚠️ Too many open threads
        New posts in <#99> are waiting: this server has as many open threads as Discord allows. Close some old threads or posts. I retry every minute and will post what's waiting.
        -- (no footer) @ 1763700600

        #F1C40F ⚠️ The forum requires a tag
        New posts in <#99> are waiting: the forum requires a tag on each post, and I don't set any. Turn off *Require people to select tags when posting* in the forum's settings. I retry every minute and will post what's waiting.
        -- (no footer) @ 1763700600

        #F1C40F ⚠️ A post is closed and locked
        I can't update <#7> in <#99>: someone closed and locked it. Unlock or delete it, and I'll catch up within ten minutes. Other posts aren't affected.
        -- (no footer) @ 1763700600

        #F1C40F ⚠️ Can't write in threads
        I can't write in the threads of <#99>. Give the bot Create Public Threads and Send Messages in Threads there. I'm retrying and will post what's waiting.
        -- (no footer) @ 1763700600

        #F1C40F ⚠️ A filter blocked an alert
        AutoMod or Discord's link filter blocked an alert for <#99>: Message was blocked by automatic moderation (200000). If it was an AutoMod rule, exempt the bot's role or <#99> from it. I'm retrying.
        -- (no footer) @ 1763700600

        #F1C40F ⚠️ Some alerts can't be posted
        Discord refuses some messages for <#99>: Missing Permissions (50013). Give the bot Embed Links, Attach Files, and Read Message History there, then run `/cad diagnose` to post what's waiting.
        -- (no footer) @ 1763700600

        #F1C40F ⚠️ An alert is waiting
        Discord didn't accept an alert for <#99>: Something new (55555). I'm retrying. If you changed something in that channel, undo it. Otherwise, please report this.
        -- (no footer) @ 1763700600
        "##);
    }

    #[test]
    fn sentences() {
        let server = ServerId(1);
        let since = sample::OPENED;
        let channel = ChannelId(99);
        let notices = [
            Notice::FeedLost { server, since, hint: "Check that the game server is up.".into() },
            Notice::FeedLost { server, since, hint: String::new() },
            Notice::FeedBack { server, since, caught_up: 3 },
            Notice::FeedBack { server, since, caught_up: 1 },
            Notice::ChannelForbidden { channel, missing: vec!["Embed Links".into(), "Send Messages".into()] },
            Notice::ChannelForbidden { channel, missing: vec![] },
            Notice::ChannelGone { channel },
            Notice::CredentialsRejected { community: CommunityId::new("My`Community @everyone"), server },
            Notice::HubContested { server },
            Notice::GuildLink { guild: GuildId(7), name: Some("Fri*ends @everyone".into()), user: UserId(8), linked: true, now_linked: 2 },
            Notice::GuildLink { guild: GuildId(7), name: None, user: UserId(8), linked: false, now_linked: 1 },
        ];
        let shown: Vec<String> = notices.iter().map(|n| show(&Some(message(n, sample::NOW)))).collect();
        assert_snapshot!(shown.join("\n\n"), @r##"
        #F1C40F ⚠️ CAD feed silent since <t:1763700000:t>
        Server 1 has told us nothing since <t:1763700000:R>. New calls and panics may be missing here until it is back.
        Check that the game server is up.
        -- Server 1 @ 1763700600

        #F1C40F ⚠️ CAD feed silent since <t:1763700000:t>
        Server 1 has told us nothing since <t:1763700000:R>. New calls and panics may be missing here until it is back.
        See `/cad status`.
        -- Server 1 @ 1763700600

        #2ECC71 ✅ CAD feed back, 3 calls caught up
        Server 1 was silent for 10 min.
        -- Server 1 @ 1763700600

        #2ECC71 ✅ CAD feed back, 1 call caught up
        Server 1 was silent for 10 min.
        -- Server 1 @ 1763700600

        #F1C40F ⚠️ Alerts cannot be posted
        Discord does not let me post in <#99>. Give the bot Embed Links, Send Messages there; `/cad diagnose` then sends what waits. Or remove its routes with `/alerts remove`.
        -- (no footer) @ 1763700600

        #F1C40F ⚠️ Alerts cannot be posted
        Discord does not let me post in <#99>. Give the bot View Channel, Send Messages and Embed Links there; `/cad diagnose` then sends what waits. Or remove its routes with `/alerts remove`.
        -- (no footer) @ 1763700600

        #F1C40F ⚠️ A channel is gone
        Channel 99 no longer exists. Remove its routes with `/alerts remove`, and add new ones with `/alerts add`.
        -- (no footer) @ 1763700600

        #F1C40F ⛔ The CAD refused the key
        Sonoran CAD does not accept the API key of community `mycommunityeveryone` (server 1). Copy the key again from the CAD (Admin > In-Game Integration > API) into SONORAN_API_KEY and restart the bot. Until then nothing arrives.
        -- Server 1 @ 1763700600

        #F1C40F ⚠️ Another client holds the live connection
        Sonoran CAD closed the bot's connection for server 1 three times within 30 seconds of signing in. That happens when something else, usually the game server, is connected with the same server ID. I stopped connecting so that it keeps its events.

        On FiveM, forward events to the bot: set `SONORAN_HUB=off`, add these lines to the SonoranCAD resource's `config.json`, and restart both.
        ```json
        "enablePushEventForwarding": true,
        "pushEventForwardUrl": "http://BOT-IP:3232/sonorancad/event?server=1"
        ```
        Otherwise, stop the other client and restart the bot.
        -- Server 1 @ 1763700600

        #F1C40F 🔗 Another Discord server was linked
        <@8> entered your community's API key in **Fri\*ends @¦everyone** (`7`), so it can now show your CAD. 2 Discord servers linked now; `/cad status` lists them. If you didn't expect this, run `/cad unlink server_id:7` and create a new API key in Sonoran CAD.
        -- (no footer) @ 1763700600

        #F1C40F 🔗 A Discord server was unlinked
        <@8> unlinked `7`. It shows nothing of your CAD anymore. 1 Discord server linked now; `/cad status` lists them.
        -- (no footer) @ 1763700600
        "##);
    }
}
