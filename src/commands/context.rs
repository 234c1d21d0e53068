//! What every command is given: the data, who asks from where, and what is remembered between commands.

use serenity::all::Permissions;
use tenfour_chart::Painter;

use super::data::Data;
use super::errors::Error;
use super::guilds::Guilds;
use super::link_attempts::LinkAttempts;
use super::names::NameCache;
use super::notice_throttle::NoticeThrottle;
use super::open_forms::OpenForms;
use crate::actions::{ActionError, Actor, CadActions};
use crate::community::SUSPENDED;
use crate::ids::{ChannelId, GuildId, RoleId, UserId};

/// What every command is given.
#[derive(Debug)]
pub(super) struct CommandContext {
    pub(super) data: Data,
    pub(super) names: NameCache,
    pub(super) notice_throttle: NoticeThrottle,
    pub(super) open_forms: OpenForms,
    /// Tries of `/cad link`.
    pub(super) tries: LinkAttempts,
    /// Which servers have the bot.
    pub(super) guilds: Guilds,
    pub(super) painter: Painter,
}

impl std::ops::Deref for CommandContext {
    type Target = Data;

    fn deref(&self) -> &Data {
        &self.data
    }
}

pub(super) type Context<'a> = poise::ApplicationContext<'a, CommandContext, Error>;

impl CommandContext {
    /// Who acts in the CAD for the members of a guild.
    pub(super) fn cad_actions(&self, guild: GuildId) -> Result<CadActions, ActionError> {
        let community = self.communities.of_guild(guild).ok_or(ActionError::NotConnected)?;
        if community.is_suspended() {
            return Err(ActionError::Stopped(SUSPENDED));
        }
        community.cad_actions.clone().ok_or(ActionError::NoCad)
    }
}

/// Who asks, from where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asker {
    pub(super) guild: GuildId,
    pub(super) user: UserId,
    /// The channel they speak from, and what the bot may do there.
    pub(super) here: Option<(ChannelId, Permissions)>,
}

/// Who wants to act in the CAD.
pub(super) fn actor(guild: GuildId, user: UserId, member: Option<&serenity::all::Member>) -> Actor {
    let roles = member.map(|member| member.roles.iter().map(|role| RoleId(role.get())).collect()).unwrap_or_default();
    Actor { guild, user, roles }
}

/// The guild a command came from.
pub(super) fn guild_of(ctx: Context<'_>) -> Result<GuildId, Error> {
    let guild = ctx.interaction.guild_id.ok_or_else(|| Error::refused("This works in a server only, not in direct messages."))?;
    Ok(GuildId(guild.get()))
}

/// Who gave a command, and from where.
pub(super) fn asker(ctx: Context<'_>) -> Result<Asker, Error> {
    let interaction = ctx.interaction;
    Ok(Asker {
        guild: guild_of(ctx)?,
        user: UserId(interaction.user.id.get()),
        here: interaction.app_permissions.map(|permissions| (ChannelId(interaction.channel_id.get()), permissions)),
    })
}
