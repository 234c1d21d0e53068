//! Computes what the bot may do in a channel, by Discord's documented algorithm from the guild, the channel and the bot's member.

use serde_json::Value;
use serenity::all::Permissions;

use super::context::CommandContext;
use super::errors::Error;
use super::wording::and;
use crate::discord::rest::AskError;
use crate::ids::{ChannelId, GuildId, RoleId};
use crate::render::text::{SafeText, safe};

/// What alerts need, in the words of Discord's settings, the most basic first.
const NEEDED: [(Permissions, &str); 5] = [
    (Permissions::VIEW_CHANNEL, "View Channel"),
    (Permissions::SEND_MESSAGES, "Send Messages"),
    (Permissions::EMBED_LINKS, "Embed Links"),
    (Permissions::READ_MESSAGE_HISTORY, "Read Message History"),
    (Permissions::ATTACH_FILES, "Attach Files"),
];
/// What threads need in addition.
const FOR_THREADS: [(Permissions, &str); 2] =
    [(Permissions::CREATE_PUBLIC_THREADS, "Create Public Threads"), (Permissions::SEND_MESSAGES_IN_THREADS, "Send Messages in Threads")];
/// What a forum needs: the same bits, under the names in its settings.
const IN_FORUM: [(Permissions, &str); 6] = [
    (Permissions::VIEW_CHANNEL, "View Channel"),
    (Permissions::SEND_MESSAGES, "Create Posts"),
    (Permissions::SEND_MESSAGES_IN_THREADS, "Send Messages in Posts"),
    (Permissions::EMBED_LINKS, "Embed Links"),
    (Permissions::READ_MESSAGE_HISTORY, "Read Message History"),
    (Permissions::ATTACH_FILES, "Attach Files"),
];
/// A forum's flag that each post must carry a tag (channel flags, `REQUIRE_TAG`).
const REQUIRE_TAG: u64 = 1 << 4;

/// What the bot may do somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChannelAccess {
    /// These permissions, in a channel that takes messages.
    May(Permissions),
    /// These permissions, in a forum.
    Forum(Permissions),
    /// A forum that accepts no post without a tag: Discord would reject ours.
    WantsTags,
    /// The channel was deleted.
    Gone,
    /// In another guild, or of a kind that alerts can't be posted into.
    Unfit(&'static str),
}

impl ChannelAccess {
    /// What prevents posting, with its fix; `None` = nothing.
    pub(super) fn hindrance(self, channel: ChannelId) -> Option<SafeText> {
        match self {
            Self::May(permissions) => lacking(channel, permissions, &NEEDED),
            Self::Forum(permissions) => lacking(channel, permissions, &IN_FORUM),
            Self::WantsTags => Some(safe!(
                "<#{}> wants a tag on every post, and the bot sets none: switch off \"Require people to select tags when posting\" in Edit Channel there, then try again.",
                channel
            )),
            Self::Gone => Some(safe!("Channel {} no longer exists: choose another one.", channel)),
            Self::Unfit(why) => {
                Some(safe!("<#{}> cannot take alerts ({}): choose a text or announcement channel of this server.", channel, why))
            }
        }
    }

    /// As [`ChannelAccess::hindrance`], with threads for calls. A forum needs nothing more.
    pub(super) fn hindrance_to_threads(self, channel: ChannelId) -> Option<SafeText> {
        match self {
            Self::May(permissions) => {
                let needed: Vec<_> = NEEDED.into_iter().chain(FOR_THREADS).collect();
                lacking(channel, permissions, &needed)
            }
            other => other.hindrance(channel),
        }
    }

    /// As [`ChannelAccess::hindrance`], for the bot's own messages, which are not posts of a forum.
    pub(super) fn hindrance_to_words(self, channel: ChannelId) -> Option<SafeText> {
        if self.is_forum() { Self::Unfit("it is a forum").hindrance(channel) } else { self.hindrance(channel) }
    }

    pub(super) fn is_forum(self) -> bool {
        matches!(self, Self::Forum(_) | Self::WantsTags)
    }

    /// Whether the bot can ping a role that not everybody may mention.
    pub(super) fn pings_any_role(self) -> bool {
        matches!(self, Self::May(permissions) | Self::Forum(permissions) if permissions.contains(Permissions::MENTION_EVERYONE))
    }
}

fn lacking(channel: ChannelId, permissions: Permissions, needed: &[(Permissions, &'static str)]) -> Option<SafeText> {
    let missing: Vec<SafeText> = if permissions.contains(Permissions::VIEW_CHANNEL) {
        needed.iter().filter(|(bit, _)| !permissions.contains(*bit)).map(|(_, name)| (*name).into()).collect()
    } else {
        // Without View Channel nothing works there: naming the rest would only hide the cause.
        vec!["View Channel".into()]
    };
    let them = if missing.len() == 1 { "it" } else { "them" };
    (!missing.is_empty()).then(|| {
        safe!(
            "The bot is missing {} in <#{}>: open Edit Channel > Permissions there, add the bot's role and allow {}, then try again.",
            and(&missing),
            channel,
            them
        )
    })
}

/// A guild's data for permissions: fetched once, used for several channels.
#[derive(Clone, Debug)]
pub(super) struct Standpoint {
    guild: GuildId,
    me: u64,
    /// Ours; not @everyone.
    mine: Vec<u64>,
    /// The permissions of all our roles and @everyone together.
    base: Permissions,
    /// Every role, and whether everybody may mention it.
    roles: Vec<(RoleId, bool)>,
}

/// Whether Discord would ping a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pingable {
    Yes,
    /// Not everybody may mention it, and the bot may not mention every role.
    No,
    /// The role was deleted.
    Gone,
}

impl Standpoint {
    /// Fetches the guild's roles and the bot's member from Discord.
    pub(super) async fn ask(context: &CommandContext, guild: GuildId) -> Result<Self, Error> {
        let me = context.facts.bot.user;
        let (roles, member) = (format!("/guilds/{guild}/roles"), format!("/guilds/{guild}/members/{me}"));
        let (roles, member) = tokio::join!(context.rest.ask(&roles), context.rest.ask(&member));
        Ok(Self::of(guild, me, &roles?, &member?))
    }

    pub(super) fn of(guild: GuildId, me: u64, roles: &Value, member: &Value) -> Self {
        let mine: Vec<u64> = list(member.get("roles")).filter_map(flake).collect();
        let granted = |role: &Value| role.get("id").and_then(flake).is_some_and(|id| id == guild.0 || mine.contains(&id));
        let base = list(Some(roles)).filter(|role| granted(role)).fold(Permissions::empty(), |all, role| all | bits(role, "permissions"));
        // If Discord doesn't say, don't warn.
        let mentionable = |role: &Value| role.get("mentionable").and_then(Value::as_bool).unwrap_or(true);
        let roles = list(Some(roles)).filter_map(|role| Some((RoleId(role.get("id").and_then(flake)?), mentionable(role)))).collect();
        Self { guild, me, mine, base, roles }
    }

    /// Whether a role still exists.
    pub(super) fn has_role(&self, role: RoleId) -> bool {
        self.roles.iter().any(|(known, _)| *known == role)
    }

    /// Whether a role would be pinged in a channel where the bot has this access.
    pub(super) fn pingable(&self, role: RoleId, there: ChannelAccess) -> Pingable {
        match self.roles.iter().find(|(known, _)| *known == role) {
            None => Pingable::Gone,
            Some((_, mentionable)) if *mentionable || there.pings_any_role() => Pingable::Yes,
            Some(_) => Pingable::No,
        }
    }

    /// What the bot may do in a channel.
    pub(super) async fn in_channel(&self, context: &CommandContext, channel: ChannelId) -> Result<ChannelAccess, Error> {
        match context.rest.ask(&format!("/channels/{channel}")).await {
            Ok(found) => Ok(self.channel_access(&found)),
            // 50001 Missing Access: Discord hides a channel that we may not see.
            Err(AskError::Refused(reason)) if reason.contains("50001") => Ok(ChannelAccess::May(Permissions::empty())),
            Err(AskError::Refused(reason)) if reason.contains("10003") => Ok(ChannelAccess::Gone),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn channel_access(&self, channel: &Value) -> ChannelAccess {
        if channel.get("guild_id").and_then(flake) != Some(self.guild.0) {
            return ChannelAccess::Unfit("it is not in this server");
        }
        // 0 text, 5 announcement, 15 forum.
        let may = match channel.get("type").and_then(Value::as_u64) {
            Some(0 | 5) => ChannelAccess::May,
            Some(15) if channel.get("flags").and_then(Value::as_u64).is_some_and(|flags| flags & REQUIRE_TAG != 0) => {
                return ChannelAccess::WantsTags;
            }
            Some(15) => ChannelAccess::Forum,
            _ => return ChannelAccess::Unfit("it is of another kind"),
        };
        if self.base.contains(Permissions::ADMINISTRATOR) {
            return may(Permissions::all());
        }
        let mut permissions = self.base;
        let overwrites = || list(channel.get("permission_overwrites"));
        let id = |overwrite: &Value| overwrite.get("id").and_then(flake).unwrap_or(0);
        let mut apply = |wanted: &dyn Fn(u64) -> bool| {
            let (mut deny, mut allow) = (Permissions::empty(), Permissions::empty());
            for overwrite in overwrites().filter(|overwrite| wanted(id(overwrite))) {
                deny |= bits(overwrite, "deny");
                allow |= bits(overwrite, "allow");
            }
            permissions = (permissions & !deny) | allow;
        };
        apply(&|id| id == self.guild.0);
        apply(&|id| id != self.guild.0 && self.mine.contains(&id));
        apply(&|id| id == self.me);
        if !permissions.contains(Permissions::VIEW_CHANNEL) {
            permissions = Permissions::empty();
        } else if !permissions.contains(Permissions::SEND_MESSAGES) {
            permissions &= !(Permissions::EMBED_LINKS | Permissions::ATTACH_FILES | Permissions::MENTION_EVERYONE);
        }
        may(permissions)
    }
}

/// What the bot may do in `channel`. `here` is the channel of the interaction, whose permissions Discord sent along: it costs no request.
/// It is never a forum: people write in a forum's posts, which are channels of their own.
pub(super) async fn channel_access(
    context: &CommandContext,
    guild: GuildId,
    channel: ChannelId,
    here: Option<(ChannelId, Permissions)>,
) -> Result<ChannelAccess, Error> {
    if let Some((_, permissions)) = here.filter(|(here, _)| *here == channel) {
        let all = if permissions.contains(Permissions::ADMINISTRATOR) { Permissions::all() } else { permissions };
        return Ok(ChannelAccess::May(all));
    }
    Standpoint::ask(context, guild).await?.in_channel(context, channel).await
}

/// A role that pings everybody can't be chosen.
pub(super) fn not_everyone(guild: GuildId, role: Option<RoleId>) -> Result<(), Error> {
    match role {
        Some(role) if role.0 == guild.0 => {
            Err(Error::refused("The role @everyone is never pinged by this bot: choose a role of your own, or leave it out."))
        }
        _ => Ok(()),
    }
}

fn list(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default().iter()
}

fn flake(value: &Value) -> Option<u64> {
    value.as_str()?.parse().ok()
}

/// Permissions come as decimal text.
fn bits(value: &Value, name: &str) -> Permissions {
    Permissions::from_bits_retain(value.get(name).and_then(flake).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const GUILD: GuildId = GuildId(1);
    const ME: u64 = 9;

    fn all_needed() -> Permissions {
        NEEDED.iter().fold(Permissions::empty(), |all, (bit, _)| all | *bit)
    }

    fn at(everyone: Permissions, own: Permissions) -> Standpoint {
        let text = |p: Permissions| p.bits().to_string();
        let roles = json!([
            { "id": "1", "permissions": text(everyone) },
            { "id": "2", "permissions": text(own) },
            { "id": "3", "permissions": text(Permissions::ADMINISTRATOR) },
        ]);
        Standpoint::of(GUILD, ME, &roles, &json!({ "roles": ["2"] }))
    }

    fn channel(overwrites: &[(u64, Permissions, Permissions)]) -> Value {
        let all: Vec<Value> = overwrites
            .iter()
            .map(|(id, allow, deny)| json!({ "id": id.to_string(), "allow": allow.bits().to_string(), "deny": deny.bits().to_string() }))
            .collect();
        json!({ "id": "50", "guild_id": "1", "type": 0, "permission_overwrites": all })
    }

    #[test]
    fn overwrites_of_everyone_then_roles_then_the_bot() {
        let none = Permissions::empty();
        let here = at(all_needed(), none);
        let told = |overwrites: &[_]| here.channel_access(&channel(overwrites)).hindrance(ChannelId(50));
        assert_eq!(told(&[]), None);
        let files = Permissions::ATTACH_FILES;
        assert_eq!(
            told(&[(1, none, files)]).unwrap(),
            "The bot is missing Attach Files in <#50>: open Edit Channel > Permissions there, add the bot's role and allow it, then try again."
        );
        assert_eq!(told(&[(1, none, files), (2, files, none)]), None);
        assert!(told(&[(1, none, files), (2, files, none), (ME, none, files)]).is_some());
        assert_eq!(told(&[(ME, files, none), (2, none, files), (7, none, all_needed())]), None);
        // Without View Channel everything is denied; without Send Messages, embeds and files too.
        assert!(told(&[(ME, none, Permissions::VIEW_CHANNEL)]).unwrap().contains("missing View Channel in"));
        assert!(told(&[(1, none, Permissions::SEND_MESSAGES)]).unwrap().contains("missing Send Messages, Embed Links and Attach Files in"));
    }

    #[test]
    fn administrators_may_and_others_roles_do_not_count() {
        let none = Permissions::empty();
        let admin = at(none, Permissions::ADMINISTRATOR);
        assert_eq!(admin.channel_access(&channel(&[(1, none, Permissions::all())])).hindrance(ChannelId(50)), None);
        assert!(at(none, none).channel_access(&channel(&[])).hindrance(ChannelId(50)).is_some());
    }

    #[test]
    fn only_text_channels_of_this_guild() {
        let here = at(all_needed(), Permissions::empty());
        let mut other = channel(&[]);
        other["guild_id"] = json!("2");
        assert!(matches!(here.channel_access(&other), ChannelAccess::Unfit(_)));
        let mut voice = channel(&[]);
        voice["type"] = json!(2);
        assert!(here.channel_access(&voice).hindrance(ChannelId(50)).unwrap().contains("choose a text or announcement channel"));
    }

    #[test]
    fn a_forum_has_names_of_its_own_for_what_it_needs() {
        let posts = all_needed() | Permissions::SEND_MESSAGES_IN_THREADS;
        let of = |everyone: Permissions, flags: u64| {
            let mut forum = channel(&[]);
            forum["type"] = json!(15);
            forum["flags"] = json!(flags);
            at(everyone, Permissions::empty()).channel_access(&forum)
        };
        let fine = of(posts, 2);
        assert_eq!((fine.hindrance(ChannelId(50)), fine.hindrance_to_threads(ChannelId(50)), fine.is_forum()), (None, None, true));
        assert!(fine.hindrance_to_words(ChannelId(50)).unwrap().contains("choose a text or announcement channel"));
        let told = of(all_needed() & !Permissions::SEND_MESSAGES, 0).hindrance(ChannelId(50)).unwrap();
        assert!(told.contains("missing Create Posts, Send Messages in Posts, Embed Links and Attach Files in"), "{told}");
        let tags = of(posts, 1 << 4);
        assert!(tags.hindrance(ChannelId(50)).unwrap().contains("switch off \"Require people to select tags when posting\""));
        assert!(tags.is_forum());
    }

    #[test]
    fn threads_need_two_more_permissions_than_messages() {
        let here = at(all_needed(), Permissions::empty()).channel_access(&channel(&[]));
        assert_eq!(here.hindrance(ChannelId(50)), None);
        let told = here.hindrance_to_threads(ChannelId(50)).unwrap();
        assert!(told.starts_with("The bot is missing Create Public Threads and Send Messages in Threads in <#50>"), "{told}");
        let threads = FOR_THREADS.iter().fold(all_needed(), |all, (bit, _)| all | *bit);
        assert_eq!(at(threads, Permissions::empty()).channel_access(&channel(&[])).hindrance_to_threads(ChannelId(50)), None);
    }

    /// The invite link must grant everything that is checked here.
    #[test]
    fn the_invite_link_holds_every_permission_that_is_checked() {
        let granted = Permissions::from_bits_retain(crate::discord::PERMISSIONS);
        for (bit, name) in NEEDED.iter().chain(&FOR_THREADS).chain(&IN_FORUM) {
            assert!(granted.contains(*bit), "{name}");
        }
        assert!(!granted.contains(Permissions::ADMINISTRATOR));
    }

    #[test]
    fn everyone_is_refused() {
        assert!(not_everyone(GUILD, Some(RoleId(1))).is_err());
        assert!(not_everyone(GUILD, Some(RoleId(2))).is_ok() && not_everyone(GUILD, None).is_ok());
    }
}
