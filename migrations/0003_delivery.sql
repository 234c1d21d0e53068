-- Cards that share a message: the post whose create carries them all (NULL = a message of its own), and the place in it.
ALTER TABLE post ADD COLUMN pack INTEGER;
ALTER TABLE post ADD COLUMN slot INTEGER NOT NULL DEFAULT 0;
-- Never shares a message again: Discord did not take one that it was in.
ALTER TABLE post ADD COLUMN solo INTEGER NOT NULL DEFAULT 0;
-- Since when what is desired, and does not stand yet, waits.
ALTER TABLE post ADD COLUMN wished_ms INTEGER NOT NULL DEFAULT 0;
UPDATE post SET wished_ms = created_ms;
CREATE INDEX post_by_pack ON post (pack) WHERE pack IS NOT NULL;
-- Since when it is not known whether an edit was done: one that Discord does late would stand over what came after it.
ALTER TABLE post ADD COLUMN doubt_ms INTEGER;
-- What waits for a thread to be empty is looked for by its card.
CREATE INDEX post_pending_by_parent ON post (channel, community, server, parent) WHERE delivered < version AND failed IS NULL AND parent IS NOT NULL;
