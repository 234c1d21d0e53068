-- Who changed which setting ('setting'), and who did what in the CAD through the bot ('cad'). Pruned after 90 days.
CREATE TABLE audit (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    guild   INTEGER NOT NULL,
    at_ms   INTEGER NOT NULL,
    user    INTEGER NOT NULL,
    kind    TEXT    NOT NULL,
    action  TEXT    NOT NULL,
    target  TEXT    NOT NULL,
    detail  TEXT    NOT NULL,
    outcome TEXT    NOT NULL
) STRICT;
CREATE INDEX audit_of_guild ON audit (guild, id);
CREATE INDEX audit_by_age ON audit (at_ms);

-- Files of `/cad import` that were shown and wait for their button: one of each person. Numbers are not used again: buttons carry them.
CREATE TABLE pending_import (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    guild      INTEGER NOT NULL,
    user       INTEGER NOT NULL,
    -- The file's text, and the difference as it was shown.
    body       TEXT    NOT NULL,
    shown      TEXT    NOT NULL,
    created_ms INTEGER NOT NULL,
    UNIQUE (guild, user)
) STRICT;
