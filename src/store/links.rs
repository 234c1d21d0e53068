//! Which guilds are linked to which community: stored links and settings in, the rule of [`crate::guild_access`] applied. The queue learns its
//! outcome in the transaction that changes it ([`Store::change_with_posts`]).

use std::collections::BTreeSet;

use super::audit::{self, AuditEntry};
use super::link_rows::{COMMANDS_IN, ONLY_GUILD, access, come, leave, meta, put, set_communities, set_meta};
use super::{Store, StoreError, rows};
use crate::clock::UnixMs;
use crate::guild_access::How;
use crate::ids::{CommunityId, GuildId, UserId};

/// What came of linking a guild.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linked {
    /// It is linked from now on.
    Now,
    Already,
}

impl Store {
    /// Says whose bot this is: the community of the environment, and the one guild that `DISCORD_GUILD_ID` names. To be called at each start,
    /// before anything is drawn or sent. The guild that is named is linked, also if somebody there had unlinked it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn serve(&self, community: &CommunityId, only: Option<GuildId>, now: UnixMs) -> Result<(), StoreError> {
        let community = community.clone();
        self.change(move |connection| {
            set_communities(connection, &BTreeSet::from([community.clone()]))?;
            set_meta(connection, ONLY_GUILD, only.map(|guild| guild.to_string()).as_deref())?;
            if let Some(guild) = only {
                match access(connection)?.served().iter().find(|link| link.guild == guild) {
                    Some(link) if link.how.is_proven() => {}
                    Some(link) => put(connection, guild, &community, None, How::Setting, link.linked_at)?,
                    None => put(connection, guild, &community, None, How::Setting, now)?,
                }
            }
            Ok(())
        })
        .await
    }

    /// Serves the guilds of this community too, from now on.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn serve_also(&self, community: &CommunityId) -> Result<(), StoreError> {
        let community = community.clone();
        self.change(move |connection| {
            let mut communities = access(connection)?.communities().clone();
            communities.insert(community);
            set_communities(connection, &communities)
        })
        .await
    }

    /// Links the bot's only guild, if the rule wants that ([`crate::guild_access::Access::alone`]). `present`: every guild that has the bot.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn link_only_guild(
        &self,
        community: &CommunityId,
        present: BTreeSet<GuildId>,
        now: UnixMs,
    ) -> Result<Option<GuildId>, StoreError> {
        // Nearly always there is nothing to do.
        if self.routing_now().access.alone(&present).is_none() {
            return Ok(None);
        }
        let community = community.clone();
        self.change(move |connection| {
            let alone = access(connection)?.alone(&present);
            if let Some(guild) = alone {
                put(connection, guild, &community, None, How::OnlyGuild, now)?;
            }
            Ok(alone)
        })
        .await
    }

    /// Links a guild; `how` says on whose word. The entries are written with it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn link(
        &self,
        guild: GuildId,
        community: &CommunityId,
        by: Option<UserId>,
        how: How,
        now: UnixMs,
        entries: Vec<AuditEntry>,
    ) -> Result<Linked, StoreError> {
        let community = community.clone();
        self.change_with_posts(move |connection, posts| {
            let access = access(connection)?;
            if access.community_of(guild).is_some_and(|before| *before != community) {
                // What it shows of the other community stays as it is on Discord.
                posts.forget_guild(connection, guild)?;
            }
            match access.served_by(&community).iter().find(|link| link.guild == guild) {
                Some(link) if link.how.is_proven() || !how.is_proven() => return Ok(Linked::Already),
                // It was linked by itself, and has proven it now.
                Some(link) => put(connection, guild, &community, by, how, link.linked_at)?,
                None => put(connection, guild, &community, by, how, now)?,
            }
            entries.iter().try_for_each(|entry| audit::insert(connection, entry))?;
            Ok(Linked::Now)
        })
        .await
    }

    /// Unlinks a guild and forgets its routes, boards, settings and posts, sent or not: what stands on Discord stays as it is. False if it was
    /// not linked. The entries are written with it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn unlink(&self, guild: GuildId, now: UnixMs, entries: Vec<AuditEntry>) -> Result<bool, StoreError> {
        self.change_with_posts(move |connection, posts| {
            let flake = rows::flake(guild.0);
            let linked =
                connection.execute("UPDATE guild_link SET unlinked_ms = ?2 WHERE guild = ?1 AND unlinked_ms IS NULL", (flake, now.0))? > 0;
            if !linked {
                return Ok(false);
            }
            posts.forget_guild(connection, guild)?;
            connection.execute("DELETE FROM pending_import WHERE guild = ?1", [flake])?;
            // Its routes and boards go with it.
            connection.execute("DELETE FROM guild WHERE id = ?1", [flake])?;
            entries.iter().try_for_each(|entry| audit::insert(connection, entry))?;
            Ok(true)
        })
        .await
    }

    /// All guilds that have the bot now, as Discord lists them. Those that never had it before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn guilds_present(&self, present: BTreeSet<GuildId>, now: UnixMs) -> Result<Vec<GuildId>, StoreError> {
        self.change(move |connection| {
            let seen: BTreeSet<GuildId> = connection
                .prepare_cached("SELECT guild FROM seen_guild")?
                .query_map((), |row| rows::guild(row, "guild"))?
                .collect::<rusqlite::Result<_>>()?;
            for gone in seen.difference(&present) {
                leave(connection, *gone, now)?;
            }
            let linked: Vec<GuildId> = connection
                .prepare_cached("SELECT guild FROM guild_link")?
                .query_map((), |row| rows::guild(row, "guild"))?
                .collect::<rusqlite::Result<_>>()?;
            for guild in linked {
                if present.contains(&guild) { come(connection, guild)? } else { leave(connection, guild, now)? }
            }
            let new: Vec<GuildId> = present.difference(&seen).copied().collect();
            for guild in &new {
                come(connection, *guild)?;
            }
            Ok(new)
        })
        .await
    }

    /// A guild has the bot. True if it never had before: one that adds and removes it again and again is news once.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn guild_came(&self, guild: GuildId) -> Result<bool, StoreError> {
        self.change(move |connection| {
            let known = connection.prepare_cached("SELECT 1 FROM seen_guild WHERE guild = ?1")?.exists([rows::flake(guild.0)])?;
            come(connection, guild)?;
            Ok(!known)
        })
        .await
    }

    /// A guild has removed the bot. Its link stays.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn guild_left(&self, guild: GuildId, now: UnixMs) -> Result<(), StoreError> {
        self.change(move |connection| leave(connection, guild, now)).await
    }

    /// The guild in which the commands were registered last; `None`: everywhere, or never.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commands_in(&self) -> Result<Option<GuildId>, StoreError> {
        self.reader.run(|connection| Ok(meta(connection, COMMANDS_IN)?.and_then(|id| id.parse().ok()).map(GuildId))).await
    }

    /// The commands are registered there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn set_commands_in(&self, guild: Option<GuildId>) -> Result<(), StoreError> {
        self.writer.run(move |connection| set_meta(connection, COMMANDS_IN, guild.map(|guild| guild.to_string()).as_deref())).await
    }
}

#[cfg(test)]
mod tests;
