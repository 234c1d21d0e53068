//! What delivery, commands and ingest ask about posts.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row};

use super::handle::Store;
use super::posts::Posts;
use super::{StoreError, rows};
use crate::clock::UnixMs;
use crate::ids::{BoardId, ChannelId, CommunityId, GuildId, MessageId, RoleId, ServerId};
use crate::outbox::queue::{BoardRemoval, ChannelDue, LaneBacklog, ParkedChannel, WaitingPosts};
use crate::outbox::{Claim, ClaimOutcome, ClaimRequest, Place, PostKey, SettleOutcome, Settlement, SubjectKey};
use crate::render::Style;
use crate::route::{Board, Threads};

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
pub struct AbandonedPost {
    pub channel: ChannelId,
    /// About what.
    pub subject: String,
    pub reason: String,
    pub happened_at: UnixMs,
}

fn key(row: &Row<'_>) -> rusqlite::Result<PostKey> {
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
        self.writer.change_posts(move |connection, posts| posts.claim(connection, &request)).await
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
            let next = next.map_or(Ok(ClaimOutcome::Nothing), |request| posts.claim(connection, &request))?;
            Ok((settled, next))
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

    /// After a start: whatever was claimed by the process before is free again ([`crate::outbox::Queue::release_all`]). How many posts that were.
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

    /// What waits to be sent, by community and lane; where nothing does is left out.
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
    /// A community's posts by state.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn counts_of(&self, community: &CommunityId) -> Result<PostCounts, StoreError> {
        let (waits, fails) = (community.clone(), community.clone());
        let WaitingPosts { posts, oldest } = self.writer.read_posts(move |posts| posts.queue.waiting_of(&waits)).await?;
        let count = "SELECT count(*) FROM post WHERE community = ?1 AND failed IS NOT NULL";
        let failed: i64 = self.reader.run(move |connection| connection.query_row(count, [fails.as_str()], |row| row.get(0))).await?;
        Ok(PostCounts { waiting: posts, failed: usize::try_from(failed).unwrap_or(0), oldest_waiting: oldest })
    }

    /// All posts by state.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn counts(&self) -> Result<PostCounts, StoreError> {
        let WaitingPosts { posts, oldest } = self.writer.read_posts(|posts| posts.queue.all_waiting()).await?;
        let count = "SELECT count(*) FROM post WHERE failed IS NOT NULL";
        let failed: i64 = self.reader.run(move |connection| connection.query_row(count, (), |row| row.get(0))).await?;
        Ok(PostCounts { waiting: posts, failed: usize::try_from(failed).unwrap_or(0), oldest_waiting: oldest })
    }

    /// The last posts of a guild that were given up, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn problems(&self, guild: GuildId, most: usize) -> Result<Vec<AbandonedPost>, StoreError> {
        self.reader
            .run(move |connection| {
                let mut select = connection.prepare_cached(
                    "SELECT channel, subject, failed, happened_ms FROM post WHERE guild = ?1 AND failed IS NOT NULL ORDER BY id DESC LIMIT ?2",
                )?;
                let found = select.query_map((rows::flake(guild.0), i64::try_from(most).unwrap_or(5)), |row| {
                    Ok(AbandonedPost {
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
        // On the writer: a card that appeared a moment ago is stored before.
        self.writer
            .run(move |connection| {
                let mut select = connection.prepare_cached(
                    "SELECT channel, community, server, subject FROM post WHERE guild = ?1 AND (thread = ?2 OR (place = 'forum' AND message = ?2))
                     ORDER BY id DESC LIMIT 1",
                )?;
                select.query_row((rows::flake(guild.0), rows::flake(thread.0)), key).optional()
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
}

/// A community's cards with how they were drawn first.
pub(super) fn memos(connection: &Connection, community: &CommunityId) -> rusqlite::Result<Vec<(PostKey, CardMemo)>> {
    let mut select = connection.prepare_cached(
        "SELECT guild, channel, community, server, subject, style, roles, place, threads FROM post
         WHERE community = ?1 AND (over = 0
            OR (instr(subject, '#') = 0 AND (subject LIKE '911:%' OR subject LIKE 'call:%' OR subject LIKE 'panic:%')))",
    )?;
    let found = select.query_map([community.as_str()], |row| {
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
}

/// When the messages of a community's boards were made, by the boards' numbers.
pub(super) fn boards_made(connection: &Connection, community: &CommunityId) -> rusqlite::Result<Vec<(BoardId, UnixMs)>> {
    let mut select = connection
        .prepare_cached("SELECT subject, message FROM post WHERE community = ?1 AND subject LIKE 'board:%' AND message IS NOT NULL")?;
    let found = select.query_map([community.as_str()], |row| Ok((row.get::<_, String>(0)?, rows::message_option(row, "message")?)))?;
    let mut made = Vec::new();
    for row in found {
        let (subject, message) = row?;
        let number = subject.strip_prefix("board:").and_then(|number| number.parse().ok()).map(BoardId);
        made.extend(number.zip(message.map(|message| message.made_at())));
    }
    Ok(made)
}
