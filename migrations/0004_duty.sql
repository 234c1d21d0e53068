-- Who was on duty when, for longer than the world remembers. One row per session; account = the CAD's uuid where known, else ''.
CREATE TABLE duty (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    community   TEXT    NOT NULL,
    server      INTEGER NOT NULL,
    ident       INTEGER NOT NULL,
    account     TEXT    NOT NULL DEFAULT '',
    callsign    TEXT    NOT NULL DEFAULT '',
    name        TEXT    NOT NULL DEFAULT '',
    department  TEXT    NOT NULL DEFAULT '',
    began_ms    INTEGER NOT NULL,
    -- When it began is not known: began_ms is when the unit was first seen.
    joined_late INTEGER NOT NULL,
    -- The last sign of life when the row was last written.
    seen_ms     INTEGER NOT NULL,
    -- NULL while it lasts.
    ended_ms    INTEGER,
    -- Its end was not told: ended_ms is the last sign of life.
    missed      INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX duty_open ON duty (community, server, ident) WHERE ended_ms IS NULL;
CREATE INDEX duty_by_end ON duty (community, ended_ms);
CREATE INDEX duty_by_age ON duty (ended_ms);

-- What statistics need of each 911 and dispatch call.
CREATE TABLE call_fact (
    community     TEXT    NOT NULL,
    server        INTEGER NOT NULL,
    -- As a post's: `911:302@1763700000000`, `call:501@…`.
    subject       TEXT    NOT NULL,
    -- 1 = a 911 or civil call, 0 = a dispatch call.
    emergency     INTEGER NOT NULL,
    -- As the CAD wrote it; dispatch calls only.
    priority      TEXT,
    opened_ms     INTEGER NOT NULL,
    -- It was there before us: when it was opened is not known.
    joined_late   INTEGER NOT NULL,
    first_unit_ms INTEGER,
    closed_ms     INTEGER,
    PRIMARY KEY (community, server, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX call_fact_by_age ON call_fact (opened_ms);
