-- What may be sent next is decided in memory: what only those queries needed goes. The queue reads what may still change or be sent when the bot
-- starts, and other posts by what they are about.

DROP INDEX post_pending;
DROP INDEX post_pending_by_parent;
DROP INDEX post_in_trouble;
CREATE INDEX post_live ON post (id) WHERE over = 0 OR delivered < version OR lease_ms > 0;

DROP TABLE served_guild;
