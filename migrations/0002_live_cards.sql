-- A guild's own words (JSON of render::Labels) and quiet hours (JSON of route::Quiet); NULL = none.
ALTER TABLE guild ADD COLUMN labels TEXT;
ALTER TABLE guild ADD COLUMN quiet TEXT;

-- A route's finer settings (JSON of route::Rule), whether its channel is a forum, and when its role was last pinged.
ALTER TABLE route ADD COLUMN rule TEXT NOT NULL DEFAULT '{}';
ALTER TABLE route ADD COLUMN forum INTEGER NOT NULL DEFAULT 0;
ALTER TABLE route ADD COLUMN pinged_ms INTEGER;

-- Self-updating messages.
CREATE TABLE board (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    guild      INTEGER NOT NULL REFERENCES guild (id) ON DELETE CASCADE,
    channel    INTEGER NOT NULL,
    kind       TEXT    NOT NULL,
    server     INTEGER,
    created_by INTEGER NOT NULL,
    created_ms INTEGER NOT NULL
) STRICT;

-- Where a post stands: 'channel', 'forum' (a forum post of its own), 'thread' (in its parent's thread), 'archive' (closes that thread).
ALTER TABLE post ADD COLUMN place TEXT NOT NULL DEFAULT 'channel';
-- Whether its notes are written into a thread (route::Threads), and that thread, once it is open.
ALTER TABLE post ADD COLUMN threads TEXT NOT NULL DEFAULT 'off';
ALTER TABLE post ADD COLUMN thread INTEGER;
-- Its creation makes no sound; when it first stood on Discord; whether it then called nobody although its text names roles.
ALTER TABLE post ADD COLUMN silent INTEGER NOT NULL DEFAULT 0;
ALTER TABLE post ADD COLUMN shown_ms INTEGER;
ALTER TABLE post ADD COLUMN unpinged INTEGER NOT NULL DEFAULT 0;

-- Posts that another post's text links to: when one of them appears, the text is sent again.
CREATE TABLE post_link (
    post    INTEGER NOT NULL REFERENCES post (id) ON DELETE CASCADE,
    subject TEXT    NOT NULL,
    PRIMARY KEY (post, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX post_link_by_subject ON post_link (subject);
