-- Which Discord guild may use which community's data. Rows of guilds that were unlinked stay, so that they are not linked again by themselves.
CREATE TABLE guild_link (
    guild       INTEGER NOT NULL PRIMARY KEY,
    community   TEXT    NOT NULL,
    linked_ms   INTEGER NOT NULL,
    -- NULL: no person did it.
    linked_by   INTEGER,
    -- 'only-guild', 'setting' (DISCORD_GUILD_ID), 'key' (/cad link) or 'upgrade' (it had routes or boards before there were links).
    how         TEXT    NOT NULL,
    -- Set by /cad unlink.
    unlinked_ms INTEGER,
    -- Set while the bot is not in the guild.
    left_ms     INTEGER
) STRICT;
INSERT INTO guild_link (guild, community, linked_ms, how)
SELECT guild.id, guild.community, min(used.created_ms), 'upgrade'
FROM guild JOIN (SELECT guild, created_ms FROM route UNION ALL SELECT guild, created_ms FROM board) AS used ON used.guild = guild.id
GROUP BY guild.id;

-- The guilds that are served now, by the rule in `src/guild_access.rs`: written again whenever a link or a setting changes.
CREATE TABLE served_guild (
    guild INTEGER NOT NULL PRIMARY KEY
) STRICT;
INSERT INTO served_guild (guild) SELECT guild FROM guild_link;

-- Guilds that the bot was last seen in, so that a new one is reported once.
CREATE TABLE seen_guild (
    guild INTEGER NOT NULL PRIMARY KEY
) STRICT;
