//! Which guilds are linked to which community, as rows. The rule is in [`crate::guild_access`].

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};

use super::rows;
use crate::clock::UnixMs;
use crate::guild_access::{Access, How, Link};
use crate::ids::{CommunityId, GuildId, UserId};

/// Names in `meta`. The communities that are run, one on each line: an id has no line break.
const COMMUNITIES: &str = "communities";
/// Where a database of 0.6.0 or before has its one community.
const COMMUNITY: &str = "community";
pub(super) const ONLY_GUILD: &str = "only_guild";
pub(super) const COMMANDS_IN: &str = "commands_in";

pub(super) fn access(connection: &Connection) -> rusqlite::Result<Access> {
    let communities = match meta(connection, COMMUNITIES)? {
        None => meta(connection, COMMUNITY)?,
        known => known,
    };
    let communities = communities.iter().flat_map(|names| names.lines()).map(CommunityId::new).collect();
    let only = meta(connection, ONLY_GUILD)?.and_then(|id| id.parse().ok()).map(GuildId);
    let mut select = connection
        .prepare_cached("SELECT guild, community, linked_ms, linked_by, how, unlinked_ms, left_ms FROM guild_link ORDER BY guild")?;
    let links = select.query_map((), |row| {
        let how: String = row.get("how")?;
        Ok(Link {
            guild: rows::guild(row, "guild")?,
            community: rows::community(row, "community")?,
            linked_at: UnixMs(row.get("linked_ms")?),
            linked_by: row.get::<_, Option<i64>>("linked_by")?.map(|_| rows::user(row, "linked_by")).transpose()?,
            how: How::parse(&how).unwrap_or(How::Key),
            unlinked_at: row.get::<_, Option<i64>>("unlinked_ms")?.map(UnixMs),
            left_at: row.get::<_, Option<i64>>("left_ms")?.map(UnixMs),
        })
    })?;
    Ok(Access::new(communities, only, links.collect::<rusqlite::Result<_>>()?))
}

pub(super) fn set_communities(connection: &Connection, communities: &BTreeSet<CommunityId>) -> rusqlite::Result<()> {
    let names: Vec<&str> = communities.iter().map(CommunityId::as_str).collect();
    set_meta(connection, COMMUNITIES, Some(&names.join("\n")))
}

pub(super) fn meta(connection: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    connection.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0)).optional()
}

pub(super) fn set_meta(connection: &Connection, name: &str, value: Option<&str>) -> rusqlite::Result<()> {
    match value {
        Some(value) => connection.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)", (name, value))?,
        None => connection.execute("DELETE FROM meta WHERE name = ?1", [name])?,
    };
    Ok(())
}

pub(super) fn put(
    connection: &Connection,
    guild: GuildId,
    community: &CommunityId,
    by: Option<UserId>,
    how: How,
    now: UnixMs,
) -> rusqlite::Result<()> {
    connection.execute(
        "INSERT OR REPLACE INTO guild_link (guild, community, linked_ms, linked_by, how) VALUES (?1,?2,?3,?4,?5)",
        params![rows::flake(guild.0), community.as_str(), now.0, by.map(|by| rows::flake(by.0)), how.as_str()],
    )?;
    // What it had set before, for another community, is for this one now.
    connection.execute("UPDATE guild SET community = ?2 WHERE id = ?1", (rows::flake(guild.0), community.as_str())).map(|_| ())
}

pub(super) fn come(connection: &Connection, guild: GuildId) -> rusqlite::Result<()> {
    connection.execute("INSERT OR IGNORE INTO seen_guild (guild) VALUES (?1)", [rows::flake(guild.0)])?;
    connection.execute("UPDATE guild_link SET left_ms = NULL WHERE guild = ?1", [rows::flake(guild.0)])?;
    Ok(())
}

pub(super) fn leave(connection: &Connection, guild: GuildId, now: UnixMs) -> rusqlite::Result<()> {
    connection.execute("UPDATE guild_link SET left_ms = coalesce(left_ms, ?2) WHERE guild = ?1", (rows::flake(guild.0), now.0))?;
    Ok(())
}
