//! The queue beside the connection that stores it: what changes posts and what writes their rows is one transaction.
//!
//! Job: brings posts back into memory before the queue needs them, and answers what is asked about posts. Never decides anything about a post
//! ([`crate::outbox::queue`] does); never lets memory say what the disk does not: what could not be stored is undone
//! ([`Queue::undo_to`]).

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row};

use super::{Store, StoreError, links, post_rows, rows};
use crate::clock::UnixMs;
use crate::ids::{ChannelId, GuildId, MessageId, RoleId, ServerId};
use crate::outbox::queue::{BoardRemoval, ChannelDue, LaneBacklog, Mark, ParkedChannel, Post, Waiting};
use crate::outbox::{Claim, ClaimOutcome, ClaimRequest, Draft, Place, PostId, PostKey, Queue, SettleOutcome, Settlement, SubjectKey};
use crate::render::Style;
use crate::route::{Board, Threads};

/// How often what is idle leaves memory (ms).
const EVICT_EVERY: i64 = 30_000;

/// How a card was drawn first, so that later changes are drawn alike whatever became of its route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardMemo {
    pub guild: GuildId,
    pub style: Style,
    /// Whom its creation pinged.
    pub roles: Vec<RoleId>,
    /// Where it stands.
    pub place: Place,
    /// Whether its notes go into a thread.
    pub threads: Threads,
}

/// Posts by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PostCounts {
    /// Something is to be sent.
    pub waiting: usize,
    /// Given up.
    pub failed: usize,
    /// When the oldest waiting one was first desired.
    pub oldest_waiting: Option<UnixMs>,
}

/// A post that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub channel: ChannelId,
    /// About what.
    pub subject: String,
    pub reason: String,
    pub happened_at: UnixMs,
}

/// The queue, as its rows are.
#[derive(Debug)]
pub(super) struct Posts {
    queue: Queue,
    evicted_at: UnixMs,
    evict_every: i64,
}

impl Posts {
    /// Reads what is stored.
    pub(super) fn load(connection: &Connection, instance: &str, edit_window_ms: i64) -> rusqlite::Result<Self> {
        let mut posts = Self {
            queue: Queue::new(instance, edit_window_ms, post_rows::next(connection)?),
            evicted_at: UnixMs(0),
            evict_every: EVICT_EVERY,
        };
        posts.fill(connection)?;
        Ok(posts)
    }

    fn fill(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.serve(links::access(connection)?.served().iter().map(|link| link.guild));
        let mut live = post_rows::live(connection)?;
        live.extend(post_rows::beside_live(connection)?);
        let needed = named_by(connection, &live)?;
        self.queue.restore(live, post_rows::parked(connection)?);
        self.recall(connection, needed)?;
        self.queue.keep();
        Ok(())
    }

    /// From now on only posts of these guilds are taken in and claimed.
    pub(super) fn serve(&mut self, guilds: impl Iterator<Item = GuildId>) {
        self.queue.serve(guilds.collect());
    }

    /// Stores what changed since this was called last.
    pub(super) fn store(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        post_rows::commit(connection, &self.queue.changes())
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
    pub(super) fn desire(&mut self, connection: &Connection, drafts: &[Draft], now: UnixMs) -> rusqlite::Result<()> {
        self.evict(now);
        for draft in drafts {
            let about = SubjectKey::of(&draft.key);
            let named = draft.message.links().chain(draft.parent.as_deref());
            let mut needed: Vec<SubjectKey> = named.map(|subject| about.beside(subject)).collect();
            if draft.event != 0 {
                needed.extend(post_rows::of_event(connection, draft.event, draft.key.channel)?);
            }
            needed.push(about);
            self.recall(connection, needed)?;
        }
        self.queue.desire(drafts.iter().cloned(), now);
        Ok(())
    }

    pub(super) fn claim(&mut self, request: &ClaimRequest) -> ClaimOutcome {
        self.queue.claim(request)
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

    /// Between transactions only: what has changed must be stored.
    fn evict(&mut self, now: UnixMs) {
        if now.since(self.evicted_at).abs() >= self.evict_every {
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
        let mut select = connection.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM post WHERE channel = ?1 AND guild = ?2) OR EXISTS (SELECT 1 FROM route WHERE channel = ?1 AND guild = ?2)
                OR EXISTS (SELECT 1 FROM board WHERE channel = ?1 AND guild = ?2)
                OR EXISTS (SELECT 1 FROM guild WHERE notices_channel = ?1 AND id = ?2)",
        )?;
        let mut channels = BTreeSet::new();
        for ParkedChannel { channel, .. } in self.queue.parked() {
            if select.query_row((rows::flake(channel.0), rows::flake(guild.0)), |row| row.get(0))? {
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

    /// From now on everything stays in memory.
    #[cfg(test)]
    pub(super) fn keep_all(&mut self) {
        self.evict_every = i64::MAX;
    }

    #[cfg(test)]
    pub(super) fn queue(&self) -> &Queue {
        &self.queue
    }

    #[cfg(test)]
    pub(super) fn queue_mut(&mut self) -> &mut Queue {
        &mut self.queue
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
pub(super) fn named_by(connection: &Connection, posts: &[Post]) -> rusqlite::Result<Vec<SubjectKey>> {
    let mut abouts: Vec<SubjectKey> = posts.iter().flat_map(|post| post.card().into_iter().chain(post.linked())).collect();
    let batches: BTreeSet<PostId> = posts.iter().filter_map(|post| post.batch).collect();
    for lead in batches {
        abouts.extend(post_rows::of_batch(connection, lead)?);
    }
    let events: BTreeSet<(i64, ChannelId)> = posts.iter().filter(|post| post.event != 0).map(|post| (post.event, post.channel)).collect();
    for (event, channel) in events {
        abouts.extend(post_rows::of_event(connection, event, channel)?);
    }
    Ok(abouts)
}

pub(super) fn key(row: &Row<'_>) -> rusqlite::Result<PostKey> {
    Ok(PostKey {
        channel: rows::channel(row, "channel")?,
        community: rows::community(row, "community")?,
        server: ServerId(row.get("server")?),
        subject: row.get("subject")?,
    })
}

/// Delivery.
impl Store {
    /// Claims what leaves first. A post that is claimed is nobody else's until it is settled or its lease runs out.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn take(&self, request: ClaimRequest) -> Result<ClaimOutcome, StoreError> {
        self.writer.change_posts(move |_, posts| Ok(posts.claim(&request))).await
    }

    /// Writes down what came of a claim, and claims the next post. If there is none, what was delivered is on disk a moment later only: should
    /// the process die before, the message is found by its nonce or edited once more.
    ///
    /// # Errors
    /// [`StoreError`]; the claim's lease then runs out and the post is looked at again.
    pub async fn settle_and_take(
        &self,
        claim: &Arc<Claim>,
        settlement: Settlement,
        now: UnixMs,
        next: Option<ClaimRequest>,
    ) -> Result<(SettleOutcome, ClaimOutcome), StoreError> {
        let claim = Arc::clone(claim);
        let is_delivered = matches!(settlement, Settlement::Delivered(_));
        let work = move |connection: &Connection, posts: &mut Posts| {
            let settled = posts.settle(connection, &claim, &settlement, now)?;
            Ok((settled, next.map_or(ClaimOutcome::Nothing, |request| posts.claim(&request))))
        };
        if is_delivered {
            self.writer.change_posts_soon(|(_, next)| matches!(next, ClaimOutcome::Claimed(_)), work).await
        } else {
            self.writer.change_posts(work).await
        }
    }

    /// Gives a claim back untouched: nothing was sent.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn release(&self, claim: Claim, due: UnixMs) -> Result<(), StoreError> {
        self.writer.change_posts(move |connection, posts| posts.release(connection, &claim, due)).await
    }

    /// After a start: whatever was claimed by the process before is free again ([`Queue::release_all`]). How many posts that were.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn release_all(&self, now: UnixMs) -> Result<usize, StoreError> {
        self.writer.change_posts(move |_, posts| Ok(posts.queue.release_all(now))).await
    }

    /// A card's thread is open.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn opened_thread(&self, claim: &Claim, thread: ChannelId) -> Result<(), StoreError> {
        let claim = claim.clone();
        self.writer.change_posts(move |connection, posts| posts.opened_thread(connection, &claim, thread)).await
    }

    /// How often in a row a channel was refused; 0 if it is open.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn refusals(&self, channel: ChannelId) -> Result<u32, StoreError> {
        self.writer.read_posts(move |posts| posts.queue.refusals(channel)).await
    }

    /// Channels that have something to send.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn due(&self) -> Result<Vec<ChannelDue>, StoreError> {
        self.writer.read_posts(|posts| posts.queue.due()).await
    }

    /// What waits to be sent, by lane; every lane is there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn backlog(&self) -> Result<Vec<LaneBacklog>, StoreError> {
        self.writer.read_posts(|posts| posts.queue.backlog()).await
    }

    /// Messages from `first` on that are known as some post's of a channel: none of them can be the one that another post looks for.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn messages_since(&self, channel: ChannelId, first: MessageId) -> Result<HashSet<MessageId>, StoreError> {
        // On the writer: what was delivered a moment ago is stored before.
        self.writer
            .run(move |connection| {
                let mut select = connection.prepare_cached("SELECT message FROM post WHERE +channel = ?1 AND message >= ?2")?;
                let found = select.query_map((rows::flake(channel.0), rows::flake(first.0)), |row| rows::message_option(row, "message"))?;
                found.filter_map(Result::transpose).collect()
            })
            .await
    }
}

/// What people ask for, and what is said to them.
impl Store {
    /// Posts by state.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn counts(&self) -> Result<PostCounts, StoreError> {
        let Waiting { posts, oldest } = self.writer.read_posts(|posts| posts.queue.all_waiting()).await?;
        let count = "SELECT count(*) FROM post WHERE failed IS NOT NULL";
        let failed: i64 = self.reader.run(move |connection| connection.query_row(count, (), |row| row.get(0))).await?;
        Ok(PostCounts { waiting: posts, failed: usize::try_from(failed).unwrap_or(0), oldest_waiting: oldest })
    }

    /// The last posts of a guild that were given up, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn problems(&self, guild: GuildId, most: usize) -> Result<Vec<Problem>, StoreError> {
        self.reader
            .run(move |connection| {
                let mut select = connection.prepare_cached(
                    "SELECT channel, subject, failed, happened_ms FROM post WHERE guild = ?1 AND failed IS NOT NULL ORDER BY id DESC LIMIT ?2",
                )?;
                let found = select.query_map((rows::flake(guild.0), i64::try_from(most).unwrap_or(5)), |row| {
                    Ok(Problem {
                        channel: rows::channel(row, "channel")?,
                        subject: row.get("subject")?,
                        reason: row.get("failed")?,
                        happened_at: UnixMs(row.get("happened_ms")?),
                    })
                })?;
                found.collect()
            })
            .await
    }

    /// Channels that Discord refuses, by the time since when.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn parked(&self) -> Result<Vec<ParkedChannel>, StoreError> {
        let mut parked: Vec<ParkedChannel> = self.writer.read_posts(|posts| posts.queue.parked().cloned().collect()).await?;
        parked.sort_by_key(|parked| parked.since);
        Ok(parked)
    }

    /// Opens a channel again: somebody fixed its permissions. What waits for anything there is tried at once. True if it was parked.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn reopen(&self, channel: ChannelId) -> Result<bool, StoreError> {
        self.writer.change_posts(move |_, posts| Ok(posts.queue.reopen(channel))).await
    }

    /// Opens all channels of a guild that Discord had refused, and tries whatever waits for anything there at once. Those channels.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn reopen_guild(&self, guild: GuildId) -> Result<BTreeSet<ChannelId>, StoreError> {
        self.writer.change_posts(move |connection, posts| posts.reopen_guild(connection, guild)).await
    }

    /// Has the cards of a subject sent again as they should be, in a guild: somebody pressed a button that should not be there any more.
    /// The channels in which there are some.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn show_again(&self, guild: GuildId, about: SubjectKey, now: UnixMs) -> Result<Vec<ChannelId>, StoreError> {
        self.writer.change_posts(move |connection, posts| posts.show_again(connection, guild, &about, now)).await
    }

    /// The card whose thread (or forum post) this is, in a guild.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn card_of_thread(&self, guild: GuildId, thread: ChannelId) -> Result<Option<PostKey>, StoreError> {
        self.reader
            .run(move |connection| {
                let mut select = connection.prepare_cached(
                    "SELECT channel, community, server, subject FROM post WHERE guild = ?1 AND (thread = ?2 OR (place = 'forum' AND message = ?2))
                     ORDER BY id DESC LIMIT 1",
                )?;
                select.query_row((rows::flake(guild.0), rows::flake(thread.0)), key).optional()
            })
            .await
    }

    /// Cards with how they were drawn first: also of what is over, as what became of a 911 may be found out after it is gone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn memos(&self) -> Result<Vec<(PostKey, CardMemo)>, StoreError> {
        self.reader
            .run(|connection| {
                let mut select = connection.prepare(
                    "SELECT guild, channel, community, server, subject, style, roles, place, threads FROM post
                     WHERE over = 0
                        OR (instr(subject, '#') = 0 AND (subject LIKE '911:%' OR subject LIKE 'call:%' OR subject LIKE 'panic:%'))",
                )?;
                let found = select.query_map((), |row| {
                    let memo = CardMemo {
                        guild: rows::guild(row, "guild")?,
                        style: rows::style(row, "style")?,
                        roles: rows::json(row, "roles")?,
                        place: rows::place(row, "place")?,
                        threads: rows::threads(row, "threads")?,
                    };
                    Ok((key(row)?, memo))
                })?;
                found.collect()
            })
            .await
    }

    /// Forgets the post of a removed board. Nothing may draw the board any more, or its post would come back.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_board_post(&self, board: &Board, now: UnixMs) -> Result<BoardRemoval, StoreError> {
        let board = board.clone();
        self.writer.change_posts(move |connection, posts| posts.forget_board(connection, &board, now)).await
    }

    /// Has a board's post sent again though nothing changed: somebody deleted its message, or Discord refused it. It is sent with the
    /// next wake of the delivery. Nothing happens if the board was never drawn.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn resend_board(&self, board: &Board, now: UnixMs) -> Result<(), StoreError> {
        let board = board.clone();
        self.writer.change_posts(move |connection, posts| posts.resend_board(connection, &board, now)).await
    }

    /// When the messages of boards were made, by the boards' numbers: Discord lets old messages be edited less often. A message's id
    /// tells its time.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn boards_made(&self) -> Result<Vec<(i64, UnixMs)>, StoreError> {
        self.reader
            .run(|connection| {
                let mut select =
                    connection.prepare("SELECT subject, message FROM post WHERE subject LIKE 'board:%' AND message IS NOT NULL")?;
                let found = select.query_map((), |row| Ok((row.get::<_, String>(0)?, rows::message_option(row, "message")?)))?;
                let mut made = Vec::new();
                for row in found {
                    let (subject, message) = row?;
                    let number = subject.strip_prefix("board:").and_then(|number| number.parse().ok());
                    made.extend(number.zip(message.map(|message| message.made_at())));
                }
                Ok(made)
            })
            .await
    }
}
