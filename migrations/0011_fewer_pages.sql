-- A commit writes whole pages, so what an event costs is how many pages it touches. Here rows that come together lie together, and no two
-- indices say the same.

-- Rows of the journal come in the order of their time.
DROP INDEX journal_by_age;

-- With a number for each row, its text lies in leaves only, and a new one at the end. `WITHOUT ROWID` put texts between the leaves too.
CREATE TABLE world_by_number (
    number    INTEGER PRIMARY KEY,
    community TEXT    NOT NULL,
    server    INTEGER NOT NULL,
    kind      TEXT    NOT NULL,
    id        INTEGER NOT NULL,
    state     TEXT    NOT NULL,
    UNIQUE (community, server, kind, id)
) STRICT;
INSERT INTO world_by_number (community, server, kind, id, state)
SELECT community, server, kind, id, state FROM world ORDER BY community, server, kind, id;
DROP TABLE world;
ALTER TABLE world_by_number RENAME TO world;

-- By age first, which also makes an index by age needless: a subject is of one time only.
CREATE TABLE call_fact_by_time (
    opened_ms     INTEGER NOT NULL,
    community     TEXT    NOT NULL,
    server        INTEGER NOT NULL,
    -- As a post's: `911:302@1763700000000`, `call:501@…`; what follows the `@` is `opened_ms`.
    subject       TEXT    NOT NULL,
    -- 1 = a 911 or civil call, 0 = a dispatch call.
    emergency     INTEGER NOT NULL,
    -- As the CAD wrote it; dispatch calls only.
    priority      TEXT,
    -- It was there before us: when it was opened is not known.
    joined_late   INTEGER NOT NULL,
    first_unit_ms INTEGER,
    closed_ms     INTEGER,
    PRIMARY KEY (opened_ms, community, server, subject)
) STRICT, WITHOUT ROWID;
INSERT INTO call_fact_by_time (opened_ms, community, server, subject, emergency, priority, joined_late, first_unit_ms, closed_ms)
SELECT opened_ms, community, server, subject, emergency, priority, joined_late, first_unit_ms, closed_ms FROM call_fact ORDER BY opened_ms;
DROP TABLE call_fact;
ALTER TABLE call_fact_by_time RENAME TO call_fact;

-- What should stand on Discord (desired, version) and what does (message, delivered). The posts about a subject are found by the same index that
-- keeps them one to a channel. The text comes last, so that the rest of a row is read without it.
CREATE TABLE post_by_subject (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    guild       INTEGER NOT NULL,
    channel     INTEGER NOT NULL,
    community   TEXT    NOT NULL,
    server      INTEGER NOT NULL,
    subject     TEXT    NOT NULL,
    style       TEXT    NOT NULL,
    roles       TEXT    NOT NULL,
    -- 'channel', 'forum' (a forum post of its own), 'thread' (in its parent's thread), 'archive' (closes that thread).
    place       TEXT    NOT NULL DEFAULT 'channel',
    -- Whether its notes are written into a thread (route::Threads).
    threads     TEXT    NOT NULL DEFAULT 'off',
    parent      TEXT,
    -- What told of it, if that calls people once however many posts it makes; 0 = it calls for itself.
    event       INTEGER NOT NULL DEFAULT 0,
    -- Its creation makes no sound.
    silent      INTEGER NOT NULL DEFAULT 0,
    created_ms  INTEGER NOT NULL,
    lane        INTEGER NOT NULL,
    over        INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    delivered   INTEGER NOT NULL DEFAULT 0,
    message     INTEGER,
    -- The thread under its message, once it is open.
    thread      INTEGER,
    generation  INTEGER NOT NULL DEFAULT 0,
    -- When it first stood on Discord, and whether it then called nobody although its text names roles.
    shown_ms    INTEGER,
    unpinged    INTEGER NOT NULL DEFAULT 0,
    happened_ms INTEGER NOT NULL,
    due_ms      INTEGER NOT NULL,
    -- Since when what is desired, and does not stand yet, waits.
    wished_ms   INTEGER NOT NULL DEFAULT 0,
    lease_ms    INTEGER NOT NULL DEFAULT 0,
    -- When the create that is not settled was first sent; a crash or a lost answer leaves it set.
    creating_ms INTEGER,
    -- Since when it is not known whether an edit was done: one that Discord does late would stand over what came after it.
    doubt_ms    INTEGER,
    attempts    INTEGER NOT NULL DEFAULT 0,
    -- Set when we gave up, with the reason.
    failed      TEXT,
    -- Cards that share a message: the post whose create carries them all (NULL = a message of its own), and the place in it.
    pack        INTEGER,
    slot        INTEGER NOT NULL DEFAULT 0,
    -- Never shares a message again: Discord did not take one that it was in.
    solo        INTEGER NOT NULL DEFAULT 0,
    -- What was in its way at its last try (a word of outbox::Obstacle), whether people were told of it with this post, and whether its
    -- channel took other messages after refusing this one.
    trouble     TEXT,
    told        INTEGER NOT NULL DEFAULT 0,
    apart       INTEGER NOT NULL DEFAULT 0,
    desired     TEXT    NOT NULL,
    UNIQUE (community, server, subject, channel)
) STRICT;
INSERT INTO post_by_subject (id, guild, channel, community, server, subject, style, roles, place, threads, parent, event, silent, created_ms, lane,
    over, version, delivered, message, thread, generation, shown_ms, unpinged, happened_ms, due_ms, wished_ms, lease_ms, creating_ms, doubt_ms,
    attempts, failed, pack, slot, solo, trouble, told, apart, desired)
SELECT id, guild, channel, community, server, subject, style, roles, place, threads, parent, event, silent, created_ms, lane,
    over, version, delivered, message, thread, generation, shown_ms, unpinged, happened_ms, due_ms, wished_ms, lease_ms, creating_ms, doubt_ms,
    attempts, failed, pack, slot, solo, trouble, told, apart, desired FROM post ORDER BY id;
-- No number is given twice, also not one of a post that is gone.
DELETE FROM sqlite_sequence WHERE name = 'post_by_subject';
INSERT INTO sqlite_sequence (name, seq) SELECT 'post_by_subject', seq FROM sqlite_sequence WHERE name = 'post';

-- Goes first: rows of it would be deleted with those of the old table.
CREATE TABLE post_link_of_post (
    post    INTEGER NOT NULL REFERENCES post_by_subject (id) ON DELETE CASCADE,
    subject TEXT    NOT NULL,
    PRIMARY KEY (post, subject)
) STRICT, WITHOUT ROWID;
INSERT INTO post_link_of_post (post, subject) SELECT post, subject FROM post_link WHERE post IN (SELECT id FROM post_by_subject) ORDER BY post, subject;
DROP TABLE post_link;
DROP TABLE post;
ALTER TABLE post_by_subject RENAME TO post;
ALTER TABLE post_link_of_post RENAME TO post_link;

CREATE INDEX post_live ON post (id) WHERE over = 0 OR delivered < version OR lease_ms > 0;
CREATE INDEX post_by_message ON post (message) WHERE message IS NOT NULL;
CREATE INDEX post_by_pack ON post (pack) WHERE pack IS NOT NULL;
CREATE INDEX post_by_thread ON post (thread) WHERE thread IS NOT NULL;
CREATE INDEX post_of_event ON post (event, channel) WHERE event <> 0;
CREATE INDEX post_link_by_subject ON post_link (subject);
