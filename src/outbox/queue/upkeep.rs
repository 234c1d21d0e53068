//! Changes of posts besides rendering, claiming and settling: restarts, people's requests, and time.

use std::collections::BTreeSet;

use super::settling::give_back;
use super::{Claim, LATE_EDIT, Post, PostId, PostSubject, Queue, SubjectKey};
use crate::clock::UnixMs;
use crate::ids::{ChannelId, GuildId, MessageId, ServerId};
use crate::outbox::{EXPIRES, Lane, Place};
use crate::route::Board;

impl SubjectKey {
    /// A board of all servers belongs to none: no server has the number 0.
    #[must_use]
    pub fn of_board(board: &Board) -> Self {
        let server = board.server.unwrap_or(ServerId(0));
        Self { community: board.community.clone(), server, subject: PostSubject::Board(board.id) }
    }
}

/// The result for the post of a board that was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoardRemoval {
    /// It is being sent right now: ask again when that is over.
    BeingSent,
    /// It is deleted; this message of it is on Discord.
    Done(Option<MessageId>),
}

impl Queue {
    /// Returns a claim unchanged: nothing was sent.
    pub fn release(&mut self, claim: &Claim, due: UnixMs) {
        self.edit_all(claim.posts().map(|post| post.id), |post| give_back(post, due, claim.lead.creating_since, false));
    }

    /// After a start: releases whatever the previous process had claimed. Its requests may still be in flight: creates stay in
    /// doubt, edits are sent once more later. A forum's post has no nonce, so its create is searched for a while later. Returns how
    /// many there were.
    pub fn release_all(&mut self, now: UnixMs) -> usize {
        let claimed = self.ids(|post| post.claimed_until.is_some());
        let count = claimed.len();
        self.edit_all(claimed, |post| {
            post.claimed_until = None;
            if post.message_id.is_some() {
                post.edit_in_doubt_since = Some(now);
            } else if post.place == Place::Forum {
                post.due_at = post.due_at.max(now.plus(LATE_EDIT));
            }
        });
        count
    }

    /// The thread of a claim's card is open.
    pub fn opened_thread(&mut self, claim: &Claim, thread: ChannelId) {
        let lead = &claim.lead;
        if let Some(card) = claim.reply_to {
            let ids = self.with_message(lead.channel, card).filter(|post| post.about.community == lead.about.community);
            let ids: Vec<PostId> = ids.filter(|post| post.about.server == lead.about.server).map(|post| post.id).collect();
            self.edit_all(ids, |post| post.thread = Some(thread));
        }
    }

    /// The posts that share a message.
    fn with_message(&self, channel: ChannelId, message: MessageId) -> impl Iterator<Item = &Post> {
        let all = (channel, message, PostId(i64::MIN))..=(channel, message, PostId(i64::MAX));
        self.index.messages.range(all).filter_map(|(.., id)| self.posts.get(id))
    }

    /// Reopens a channel: somebody fixed its permissions. Everything that waits there is tried at once. True if it was parked.
    pub fn reopen(&mut self, channel: ChannelId) -> bool {
        let hindered = self.waiting_in(channel).filter(|post| post.obstacle.is_some()).map(|post| post.id).collect();
        self.hurry(hindered);
        let was_parked = self.parked.contains_key(&channel);
        if was_parked {
            self.park(channel, None);
        }
        was_parked
    }

    /// Reopens these channels of a guild, and tries everything that waits in the guild at once. Returns the channels that were refused or
    /// in which something waits.
    pub fn reopen_guild(&mut self, guild: GuildId, channels: &BTreeSet<ChannelId>) -> BTreeSet<ChannelId> {
        let mut opened: BTreeSet<ChannelId> = self.parked.keys().copied().filter(|channel| channels.contains(channel)).collect();
        opened.iter().for_each(|channel| self.park(*channel, None));
        let hindered = self.ids(|post| post.guild == guild && post.obstacle.is_some() && post.is_waiting());
        opened.extend(hindered.iter().filter_map(|id| self.posts.get(id)).map(|post| post.channel));
        self.hurry(hindered);
        opened
    }

    fn hurry(&mut self, ids: Vec<PostId>) {
        self.edit_all(ids, |post| (post.due_at, post.attempts) = (UnixMs(0), 0));
    }

    /// Deletes all posts of a guild, sent or not, and the state of its refused channels: its messages on Discord stay as they are.
    pub fn forget_guild(&mut self, guild: GuildId, channels: &BTreeSet<ChannelId>) {
        self.ids(|post| post.guild == guild).into_iter().for_each(|id| self.remove(id));
        let parked: Vec<ChannelId> = self.parked.keys().copied().filter(|channel| channels.contains(channel)).collect();
        parked.into_iter().for_each(|channel| self.park(channel, None));
    }

    /// Gives up what couldn't be shown for a day.
    pub fn expire(&mut self, now: UnixMs) {
        let oldest = now.minus(EXPIRES);
        let expired = self.ids(|post| {
            let never_made = post.message_id.is_none() && post.creating_since.is_none();
            // A board is never too old to be shown.
            post.is_waiting() && never_made && post.created_at < oldest && post.lane != Lane::Board
        });
        self.edit_all(expired, |post| post.failed = Some("not sent: it could not be for a day".into()));
    }

    /// A board was removed. Its post stays until it is not being sent any more ([`Queue::forget_board`]).
    pub fn close_board(&mut self, board: &Board) {
        self.edit_all(self.board(board), |post| post.closed = true);
    }

    /// Deletes the post of a removed board. Nothing may render the board any more, or its post would come back.
    pub fn forget_board(&mut self, board: &Board, now: UnixMs) -> BoardRemoval {
        let Some(post) = self.board(board).and_then(|id| self.posts.get(&id)) else { return BoardRemoval::Done(None) };
        if post.claimed_until.is_some_and(|until| until > now) {
            return BoardRemoval::BeingSent;
        }
        let (id, message) = (post.id, post.message_id);
        self.remove(id);
        BoardRemoval::Done(message)
    }

    /// Sends a board's post again though nothing changed: somebody deleted its message, or Discord rejected it. Does nothing if the board
    /// was never rendered.
    pub fn resend_board(&mut self, board: &Board, now: UnixMs) {
        self.edit_all(self.board(board), |post| {
            if !post.is_waiting() {
                post.desired_since = post.due_at.max(now);
            }
            post.version += 1;
            post.failed = None;
            post.happened_at = now;
        });
    }

    fn board(&self, board: &Board) -> Option<PostId> {
        self.find(board.channel, &SubjectKey::of_board(board)).map(|post| post.id)
    }

    /// Sends the messages about a subject again, in a guild: somebody pressed a button that should not be there any more.
    /// Returns their channels.
    pub fn show_again(&mut self, guild: GuildId, about: &SubjectKey, now: UnixMs) -> Vec<ChannelId> {
        let all = self.index.subjects.get(about).into_iter().flatten().filter_map(|(_, id)| self.posts.get(id));
        // A post that was given up was given up for a reason.
        let shown = all.filter(|post| post.guild == guild && post.message_id.is_some() && post.failed.is_none());
        let shown: Vec<(ChannelId, PostId)> = shown.map(|post| (post.channel, post.id)).collect();
        self.edit_all(shown.iter().map(|(_, id)| *id), |post| {
            // A waiting one is sent anyway, when it may.
            if !post.is_waiting() {
                post.version += 1;
                post.due_at = post.due_at.min(now);
                post.desired_since = now;
            }
        });
        shown.into_iter().map(|(channel, _)| channel).collect()
    }

    pub(super) fn ids(&self, which: impl Fn(&Post) -> bool) -> Vec<PostId> {
        self.posts.values().filter(|post| which(post)).map(|post| post.id).collect()
    }
}
