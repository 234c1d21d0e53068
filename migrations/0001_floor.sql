-- Times are Unix milliseconds; snowflakes are Discord's 64-bit ids as signed integers.

-- Facts about this database: instance (random, part of every nonce).
CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Every event that was accepted, without the community's key. Pruned after 7 days.
CREATE TABLE journal (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    community   TEXT    NOT NULL,
    server      INTEGER NOT NULL,
    source      TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    received_ms INTEGER NOT NULL,
    body        TEXT    NOT NULL
) STRICT;
CREATE INDEX journal_by_age ON journal (received_ms);

-- What the CAD looks like: one entity, one row of JSON.
CREATE TABLE world (
    community TEXT    NOT NULL,
    server    INTEGER NOT NULL,
    kind      TEXT    NOT NULL,
    id        INTEGER NOT NULL,
    state     TEXT    NOT NULL,
    PRIMARY KEY (community, server, kind, id)
) STRICT, WITHOUT ROWID;

-- A Discord guild and the community whose CAD it watches.
CREATE TABLE guild (
    id              INTEGER NOT NULL PRIMARY KEY,
    community       TEXT    NOT NULL,
    notices_channel INTEGER
) STRICT;

CREATE TABLE route (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    guild      INTEGER NOT NULL REFERENCES guild (id) ON DELETE CASCADE,
    event      TEXT    NOT NULL,
    channel    INTEGER NOT NULL,
    server     INTEGER,
    role       INTEGER,
    style      TEXT    NOT NULL,
    enabled    INTEGER NOT NULL DEFAULT 1,
    created_by INTEGER NOT NULL,
    created_ms INTEGER NOT NULL
) STRICT;
-- One route per (event, channel, server); server 0 stands for "any" here only.
CREATE UNIQUE INDEX route_once ON route (guild, event, channel, coalesce(server, 0));

-- Channels that Discord refused: nothing is sent there until `retry_ms`.
CREATE TABLE parked (
    channel   INTEGER NOT NULL PRIMARY KEY,
    reason    TEXT    NOT NULL,
    since_ms  INTEGER NOT NULL,
    retry_ms  INTEGER NOT NULL,
    tries     INTEGER NOT NULL
) STRICT;

-- What should stand on Discord (desired, version) and what does (message, delivered).
CREATE TABLE post (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    guild       INTEGER NOT NULL,
    channel     INTEGER NOT NULL,
    community   TEXT    NOT NULL,
    server      INTEGER NOT NULL,
    subject     TEXT    NOT NULL,
    lane        INTEGER NOT NULL,
    style       TEXT    NOT NULL,
    roles       TEXT    NOT NULL,
    over        INTEGER NOT NULL,
    parent      TEXT,
    desired     TEXT    NOT NULL,
    version     INTEGER NOT NULL,
    delivered   INTEGER NOT NULL DEFAULT 0,
    message     INTEGER,
    generation  INTEGER NOT NULL DEFAULT 0,
    happened_ms INTEGER NOT NULL,
    created_ms  INTEGER NOT NULL,
    due_ms      INTEGER NOT NULL,
    attempts    INTEGER NOT NULL DEFAULT 0,
    lease_ms    INTEGER NOT NULL DEFAULT 0,
    -- When the create that is not settled was first sent; a crash or a lost answer leaves it set.
    creating_ms INTEGER,
    -- Set when we gave up, with the reason.
    failed      TEXT,
    UNIQUE (channel, community, server, subject)
) STRICT;
CREATE INDEX post_pending ON post (channel, lane, id) WHERE delivered < version AND failed IS NULL;
CREATE INDEX post_of_subject ON post (community, server, subject);
CREATE INDEX post_by_message ON post (message) WHERE message IS NOT NULL;
