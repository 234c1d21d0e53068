-- What a command changed of routes, so that one press puts it back: JSON pairs of each route before and after. Pruned after a day.
CREATE TABLE undo (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    guild      INTEGER NOT NULL,
    body       TEXT    NOT NULL,
    created_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX undo_of_guild ON undo (guild, id);
