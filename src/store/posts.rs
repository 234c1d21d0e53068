//! The queue beside the connection that stores it: what changes posts and what writes their rows is one transaction.
//!
//! Job: brings posts back into memory before the queue needs them, and answers what is asked about posts. Never decides anything about a post
//! ([`crate::outbox::queue`] does); lets memory say what the disk does not only where nobody acts on it: that a message was delivered
//! ([`super::thread`]). What could not be stored is undone ([`Queue::undo_to`]).

use std::collections::BTreeSet;
use std::time::Duration;

use rusqlite::Connection;

use super::{link_rows, post_rows, rows};
use crate::clock::UnixMs;
use crate::guild_access::Access;
use crate::ids::{ChannelId, GuildId};
use crate::outbox::queue::{BoardRemoval, MAX_BODIES, Mark, ParkedChannel, Post};
use crate::outbox::{Claim, ClaimOutcome, ClaimRequest, DesiredPost, PostId, Queue, SettleOutcome, Settlement, SubjectKey};
use crate::route::Board;

/// How often what is idle leaves memory.
const EVICT_EVERY: Duration = Duration::from_secs(30);

/// The queue, as its rows are.
#[derive(Debug)]
pub(super) struct Posts {
    pub(super) queue: Queue,
    evicted_at: UnixMs,
    evict_every: Duration,
    /// See [`Queue::shed_bodies`].
    max_bodies: usize,
}

impl Posts {
    /// Reads what is stored.
    pub(super) fn load(connection: &Connection, instance: &str, edit_window: Duration) -> rusqlite::Result<Self> {
        let mut posts = Self {
            queue: Queue::new(instance, edit_window, post_rows::next(connection)?),
            evicted_at: UnixMs(0),
            evict_every: EVICT_EVERY,
            max_bodies: MAX_BODIES,
        };
        posts.fill(connection)?;
        Ok(posts)
    }

    fn fill(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.serve(&link_rows::access(connection)?);
        self.queue.restore([], post_rows::parked(connection)?);
        post_rows::each_live(connection, |post| self.queue.restore([post], []))?;
        self.queue.restore(post_rows::beside_live(connection)?, []);
        let needed = named_by(connection, self.queue.posts())?;
        self.recall(connection, needed)?;
        self.queue.keep();
        Ok(())
    }

    /// From now on only posts of the guilds that are served are taken in and claimed.
    pub(super) fn serve(&mut self, access: &Access) {
        self.queue.serve(access.served().into_iter().map(|link| (link.guild, link.community.clone())).collect());
    }

    /// Stores what changed since this was called last.
    pub(super) fn store(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        post_rows::commit(connection, &self.queue.changes())?;
        self.queue.shed_bodies(self.max_bodies);
        Ok(())
    }

    pub(super) fn mark(&self) -> Mark {
        self.queue.mark()
    }

    pub(super) fn undo_to(&mut self, mark: Mark) {
        self.queue.undo_to(mark);
    }

    /// What was done so far is stored, or will be.
    pub(super) fn keep(&mut self) {
        self.queue.keep();
    }

    /// Brings back whatever there is about these subjects, and all that must be in memory with it.
    fn recall(&mut self, connection: &Connection, mut abouts: Vec<SubjectKey>) -> rusqlite::Result<()> {
        while let Some(about) = abouts.pop() {
            if !self.queue.knows(&about) {
                let found = post_rows::of_subject(connection, &about)?;
                abouts.extend(named_by(connection, &found)?);
                self.queue.restore(found, []);
            }
        }
        Ok(())
    }

    /// Takes in how posts should look now.
    pub(super) fn desire<'a>(
        &mut self,
        connection: &Connection,
        drafts: impl Iterator<Item = &'a DesiredPost> + Clone,
        now: UnixMs,
    ) -> rusqlite::Result<()> {
        self.evict(now);
        for draft in drafts.clone() {
            let about = SubjectKey::of(&draft.key);
            let named = draft.message.links().chain(draft.parent.as_deref());
            let mut needed: Vec<SubjectKey> = named.map(|subject| about.beside(subject)).collect();
            if draft.event != 0 {
                needed.extend(post_rows::of_event(connection, draft.event, draft.key.channel)?);
            }
            needed.push(about.clone());
            self.recall(connection, needed)?;
            let compared = self.queue.text_to_compare(draft.key.channel, &about);
            self.bring_back(connection, compared)?;
        }
        self.queue.desire(drafts.cloned(), now);
        Ok(())
    }

    pub(super) fn claim(&mut self, connection: &Connection, request: &ClaimRequest) -> rusqlite::Result<ClaimOutcome> {
        let texts = self.queue.texts_to_claim(request);
        self.bring_back(connection, texts)?;
        Ok(self.queue.claim(request))
    }

    /// Reads texts that memory does not hold.
    fn bring_back(&mut self, connection: &Connection, texts: impl IntoIterator<Item = PostId>) -> rusqlite::Result<()> {
        for id in texts {
            self.queue.bring_back(id, post_rows::text(connection, id)?);
        }
        Ok(())
    }

    pub(super) fn settle(
        &mut self,
        connection: &Connection,
        claim: &Claim,
        settlement: &Settlement,
        now: UnixMs,
    ) -> rusqlite::Result<SettleOutcome> {
        self.recall_claimed(connection, claim)?;
        // Texts that link to what appears now are sent again, however long ago they were settled.
        if matches!(settlement, Settlement::Delivered(_)) && claim.lead.message_id.is_none() {
            for post in claim.posts() {
                let linking = post_rows::linking_to(connection, &post.about.subject)?;
                self.recall(connection, linking)?;
            }
        }
        Ok(self.queue.settle(claim, settlement, now))
    }

    /// Gives a claim back untouched: nothing was sent.
    pub(super) fn release(&mut self, connection: &Connection, claim: &Claim, due: UnixMs) -> rusqlite::Result<()> {
        self.recall_claimed(connection, claim)?;
        self.queue.release(claim, due);
        Ok(())
    }

    /// The thread of a claim's card is open.
    pub(super) fn opened_thread(&mut self, connection: &Connection, claim: &Claim, thread: ChannelId) -> rusqlite::Result<()> {
        self.recall_claimed(connection, claim)?;
        self.queue.opened_thread(claim, thread);
        Ok(())
    }

    /// A claim whose lease ran out may be about what was settled and evicted since.
    fn recall_claimed(&mut self, connection: &Connection, claim: &Claim) -> rusqlite::Result<()> {
        self.recall(connection, claim.posts().map(|post| post.about.clone()).collect())
    }

    /// At the beginning of a job only: what changed before must be stored.
    fn evict(&mut self, now: UnixMs) {
        if now.apart(self.evicted_at) >= self.evict_every {
            self.evicted_at = now;
            self.queue.evict(now);
        }
    }

    /// Forgets all posts of a guild, and that Discord refuses channels of it.
    pub(super) fn forget_guild(&mut self, connection: &Connection, guild: GuildId) -> rusqlite::Result<()> {
        let channels = self.parked_channels(connection, guild)?;
        self.queue.forget_guild(guild, &channels);
        connection.execute("DELETE FROM post WHERE guild = ?1", [rows::flake(guild.0)]).map(|_| ())
    }

    /// Channels of a guild that Discord refuses.
    fn parked_channels(&self, connection: &Connection, guild: GuildId) -> rusqlite::Result<BTreeSet<ChannelId>> {
        // Posts last: there is no index of their channels, and what made Discord refuse a channel is most often in memory.
        let mut select = connection.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM route WHERE channel = ?1 AND guild = ?2) OR EXISTS (SELECT 1 FROM board WHERE channel = ?1 AND guild = ?2)
                OR EXISTS (SELECT 1 FROM guild WHERE notices_channel = ?1 AND id = ?2)
                OR EXISTS (SELECT 1 FROM post WHERE channel = ?1 AND guild = ?2)",
        )?;
        let mut channels = BTreeSet::new();
        for ParkedChannel { channel, .. } in self.queue.parked() {
            if self.queue.waits_in(guild, *channel) || select.query_row((rows::flake(channel.0), rows::flake(guild.0)), |row| row.get(0))? {
                channels.insert(*channel);
            }
        }
        Ok(channels)
    }

    pub(super) fn reopen_guild(&mut self, connection: &Connection, guild: GuildId) -> rusqlite::Result<BTreeSet<ChannelId>> {
        let channels = self.parked_channels(connection, guild)?;
        Ok(self.queue.reopen_guild(guild, &channels))
    }

    pub(super) fn show_again(
        &mut self,
        connection: &Connection,
        guild: GuildId,
        about: &SubjectKey,
        now: UnixMs,
    ) -> rusqlite::Result<Vec<ChannelId>> {
        self.recall(connection, vec![about.clone()])?;
        Ok(self.queue.show_again(guild, about, now))
    }

    pub(super) fn forget_board(&mut self, connection: &Connection, board: &Board, now: UnixMs) -> rusqlite::Result<BoardRemoval> {
        self.recall(connection, vec![SubjectKey::of_board(board)])?;
        Ok(self.queue.forget_board(board, now))
    }

    pub(super) fn resend_board(&mut self, connection: &Connection, board: &Board, now: UnixMs) -> rusqlite::Result<()> {
        self.recall(connection, vec![SubjectKey::of_board(board)])?;
        self.queue.resend_board(board, now);
        Ok(())
    }

    /// A board was removed.
    pub(super) fn close_board(&mut self, connection: &Connection, board: &Board) -> rusqlite::Result<()> {
        self.recall(connection, vec![SubjectKey::of_board(board)])?;
        self.queue.close_board(board);
        Ok(())
    }

    /// From now on everything stays in memory, and so does every text.
    #[cfg(test)]
    pub(super) fn keep_all(&mut self, connection: &Connection) {
        self.evict_every = Duration::MAX;
        self.max_bodies = usize::MAX;
        let all: Vec<PostId> = self.queue.posts().filter(|post| !post.message.is_here()).map(|post| post.id).collect();
        self.bring_back(connection, all).unwrap();
    }

    /// From now on so much of the texts stays in memory.
    #[cfg(test)]
    pub(super) fn keep_bodies(&mut self, max_bodies: usize) {
        self.max_bodies = max_bodies;
    }

    /// Gives up what is too old, and forgets what is settled, closed and was first desired before `created_before`: at most so many.
    pub(super) fn prune(&mut self, connection: &Connection, created_before: UnixMs, now: UnixMs, most: u32) -> rusqlite::Result<usize> {
        self.queue.expire(now);
        self.store(connection)?;
        let mut delete = connection.prepare_cached(
            "DELETE FROM post WHERE id IN (
                SELECT id FROM post WHERE created_ms < ?1 AND over = 1 AND (delivered >= version OR failed IS NOT NULL) LIMIT ?2)
             RETURNING id",
        )?;
        let gone = delete.query_map((created_before.0, most), |row| Ok(PostId(row.get(0)?)))?;
        let gone: Vec<PostId> = gone.collect::<rusqlite::Result<_>>()?;
        let count = gone.len();
        self.queue.forget(gone);
        Ok(count)
    }
}

/// What must be in memory with these posts: see [`crate::outbox::queue`].
pub(super) fn named_by<'p>(connection: &Connection, posts: impl IntoIterator<Item = &'p Post>) -> rusqlite::Result<Vec<SubjectKey>> {
    let (mut abouts, mut batches, mut events) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    for post in posts {
        abouts.extend(post.card().into_iter().chain(post.linked()));
        batches.extend(post.batch);
        events.extend((post.event != 0).then_some((post.event, post.channel)));
    }
    for lead in batches {
        abouts.extend(post_rows::of_batch(connection, lead)?);
    }
    for (event, channel) in events {
        abouts.extend(post_rows::of_event(connection, event, channel)?);
    }
    Ok(abouts)
}
