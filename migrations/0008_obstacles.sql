-- What was in a post's way at its last try (a word of outbox::Obstacle), whether people were told of it with this post, and whether its
-- channel took other messages after refusing this one.
ALTER TABLE post ADD COLUMN trouble TEXT;
ALTER TABLE post ADD COLUMN told INTEGER NOT NULL DEFAULT 0;
ALTER TABLE post ADD COLUMN apart INTEGER NOT NULL DEFAULT 0;
CREATE INDEX post_in_trouble ON post (trouble) WHERE trouble IS NOT NULL;

-- What told of it, if that calls people once however many posts it makes; 0 = it calls for itself.
ALTER TABLE post ADD COLUMN event INTEGER NOT NULL DEFAULT 0;
CREATE INDEX post_of_event ON post (event, channel) WHERE event <> 0;

-- Of channels that are parked already, people were told.
UPDATE post SET trouble = 'refused', told = 1 WHERE id IN (
    SELECT min(post.id) FROM post JOIN parked ON parked.channel = post.channel
    WHERE post.delivered < post.version AND post.failed IS NULL GROUP BY post.channel);
