//! Computes who may do what where, by Discord's documented algorithm.

use super::model::{Channel, Guild, Id};

pub(super) const ADMINISTRATOR: u64 = 1 << 3;
pub(super) const MANAGE_CHANNELS: u64 = 1 << 4;
pub(super) const ADD_REACTIONS: u64 = 1 << 6;
pub(super) const VIEW_CHANNEL: u64 = 1 << 10;
pub(super) const SEND_MESSAGES: u64 = 1 << 11;
pub(super) const MANAGE_MESSAGES: u64 = 1 << 13;
pub(super) const EMBED_LINKS: u64 = 1 << 14;
pub(super) const ATTACH_FILES: u64 = 1 << 15;
pub(super) const READ_MESSAGE_HISTORY: u64 = 1 << 16;
pub(super) const MENTION_EVERYONE: u64 = 1 << 17;
pub(super) const MANAGE_THREADS: u64 = 1 << 34;
pub(super) const CREATE_PUBLIC_THREADS: u64 = 1 << 35;
pub(super) const SEND_MESSAGES_IN_THREADS: u64 = 1 << 38;

/// Every permission bit that matters here.
pub(super) const ALL: u64 = (1 << 53) - 1;

/// What people without a role may do: read, write, use commands, react, open threads.
pub(super) const EVERYONE: u64 = VIEW_CHANNEL
    | SEND_MESSAGES
    | EMBED_LINKS
    | ATTACH_FILES
    | READ_MESSAGE_HISTORY
    | CREATE_PUBLIC_THREADS
    | SEND_MESSAGES_IN_THREADS
    | ADD_REACTIONS
    | (1 << 31);

/// Permissions in the guild, before any channel's overwrites.
pub(super) fn in_guild(guild: &Guild, user: Id) -> u64 {
    let Some(member) = guild.members.get(&user) else { return 0 };
    if guild.owner == user {
        return ALL;
    }
    let granted =
        guild.roles.iter().filter(|r| r.id == guild.id || member.roles.contains(&r.id)).fold(member.extra, |all, r| all | r.permissions);
    if granted & ADMINISTRATOR != 0 { ALL } else { granted }
}

/// Permissions in a channel: overwrites of @everyone, then of all roles together, then of the member.
pub(super) fn in_channel(guild: &Guild, channel: &Channel, user: Id) -> u64 {
    let base = in_guild(guild, user);
    let Some(member) = guild.members.get(&user) else { return 0 };
    if base == ALL {
        return ALL;
    }
    let mut bits = base;
    for over in channel.overwrites.iter().filter(|o| o.id == guild.id) {
        bits = (bits & !over.deny) | over.allow;
    }
    let (mut deny, mut allow) = (0, 0);
    for over in channel.overwrites.iter().filter(|o| o.kind == 0 && o.id != guild.id && member.roles.contains(&o.id)) {
        deny |= over.deny;
        allow |= over.allow;
    }
    bits = (bits & !deny) | allow;
    for over in channel.overwrites.iter().filter(|o| o.kind == 1 && o.id == user) {
        bits = (bits & !over.deny) | over.allow;
    }
    // Without View Channel a member can do nothing; without Send Messages, no embeds, attachments or pings.
    if bits & VIEW_CHANNEL == 0 {
        return 0;
    }
    if bits & SEND_MESSAGES == 0 && !channel.is_thread() && bits & SEND_MESSAGES_IN_THREADS == 0 {
        bits &= !(EMBED_LINKS | ATTACH_FILES | MENTION_EVERYONE);
    }
    bits
}
