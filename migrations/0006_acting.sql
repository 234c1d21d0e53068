-- How members may act in the CAD from this guild (JSON of permit::Rule); NULL = the defaults.
ALTER TABLE guild ADD COLUMN acting TEXT;

-- CAD accounts of Discord members (JSON of permit::Member), as the CAD said it when it was last asked.
CREATE TABLE account (
    community TEXT    NOT NULL,
    user      INTEGER NOT NULL,
    member    TEXT    NOT NULL,
    asked_ms  INTEGER NOT NULL,
    PRIMARY KEY (community, user)
) STRICT, WITHOUT ROWID;

-- What is said in a thread is about its card.
CREATE INDEX post_by_thread ON post (thread) WHERE thread IS NOT NULL;
