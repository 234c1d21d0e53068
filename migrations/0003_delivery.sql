-- Cards that share a message: the post whose create carries them all (NULL = a message of its own), and the place in it.
ALTER TABLE post ADD COLUMN pack INTEGER;
ALTER TABLE post ADD COLUMN slot INTEGER NOT NULL DEFAULT 0;
-- Never shares a message again: Discord did not take one that it was in.
ALTER TABLE post ADD COLUMN solo INTEGER NOT NULL DEFAULT 0;
-- Since when what is desired, and does not stand yet, waits.
ALTER TABLE post ADD COLUMN wished_ms INTEGER NOT NULL DEFAULT 0;
UPDATE post SET wished_ms = created_ms;
CREATE INDEX post_by_pack ON post (pack) WHERE pack IS NOT NULL;
