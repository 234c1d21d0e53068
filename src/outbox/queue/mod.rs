//! The outbox queue: the state of every post that may still change or be sent, and every transition of it. Decides which post is sent next.
//!
//! Pure: no I/O, no SQL, no clock. After each call or several, the rows that changed are taken ([`Queue::changes`]); a claim must be on
//! disk before it is sent. What could not be stored is undone ([`Queue::undo_to`]).
//!
//! ```text
//!  desire ──▶ Waiting ── claim ──▶ Claimed ─┬─ Delivered, Over ───────────────────────────▶ Delivered
//!                ▲                          ├─ Fail ──────────────────────────────────────▶ Failed
//!                │                          ├─ Park: Discord refuses the channel ─────────▶ Parked
//!                │                          ├─ Again if it may have been done, release_all ▶ InDoubt
//!                └──────────────────────────┴─ Again, release, Repost, Alone; Delivered or Fail if something newer is desired
//!
//!  Delivered, Failed ── desire: another text · resend_board ──────────────────────────────▶ Waiting
//!  Delivered ── show_again · what its text links to has appeared ─────────────────────────▶ Waiting
//!  Parked ── the channel accepted a message · reopen ─────────────────────────────────────▶ Waiting
//!  InDoubt; Parked when it is tried again ── claim ───────────────────────────────────────▶ Claimed
//!  Waiting ── expire: never shown for a day ──────────────────────────────────────────────▶ Failed
//!  Waiting ── its card is gone, with the thread that it was for ──────────────────────────▶ Delivered
//!  Delivered, Failed ── prune, once closed and old ───────────────────────────────────────▶ no row
//!  any ── forget_guild, forget_board ─────────────────────────────────────────────────────▶ no row
//! ```
//!
//! Where an arrow leads to Waiting, a post whose channel is refused is Parked, and one with an earlier request in doubt InDoubt
//! ([`Queue::state`]). A claim of a batch also claims those of its posts that have nothing to show: they go back to what they were. A
//! settlement that comes after its lease ran out begins from whatever the post is by then. Two facts outlive a state: a create in doubt
//! ([`Post::creating_since`]) and an edit in doubt ([`Post::edit_in_doubt_since`]), which a claimed post may have, too.
//!
//! A state isn't stored but follows from a post's fields: [`Post::state`] in `post.rs`. The transitions are in these files, by the label of
//! their arrow:
//!
//! - `desiring.rs`: desire
//! - `claiming.rs`: claim
//! - `settling.rs`: every result of a claimed request (Delivered, Over, Again, Park, Repost, Alone, Fail), and its effects on other posts
//! - `obstacles.rs`: the channel accepted a message
//! - `upkeep.rs`: release, reopen, expire, show_again, resend_board, forget_guild, forget_board
//! - `eviction.rs`: prune ([`Queue::forget`]; the store chooses which)
//!
//! - A post that **waits** is one whose desired version is newer than the delivered one. It is not sent before [`Post::due_at`], nor before the
//!   card that it answers, nor into a thread that has no card yet; a thread is closed when nothing else about its card waits.
//! - Posts that share a message (a **batch**) are claimed, sent and settled together; each keeps its own versions.
//! - A guild that is not served has posts like any other, of which none is claimed. Nor are posts about another community than the guild's.
//! - Not every post is in memory: what is closed and settled leaves it ([`Queue::evict`]) and comes back when something needs it. Of whatever is
//!   in memory, these are too: the posts about the same subject in other channels, the card it answers, the posts of its batch and of its
//!   event, and the posts that its text links to.
//! - Not every text is in memory either ([`Body`]): at most so much of a community's stays, and what a call looks at is brought back before it.

mod body;
mod claiming;
mod desiring;
mod eviction;
mod index;
mod obstacles;
mod parked;
mod post;
mod reading;
mod settling;
mod subject;
#[cfg(test)]
mod tests;
mod texts;
mod upkeep;

use std::time::Duration;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{ChannelId, CommunityId, GuildId};

pub use body::{Body, MAX_BODIES};
use index::Index;
pub use parked::ParkedChannel;
pub use post::{Claim, ClaimOutcome, ClaimRequest, Post, PostId, PostState};
pub use reading::{ChannelDue, LaneBacklog, WaitingPosts};
pub use settling::SettleOutcome;
pub use subject::{CardReply, PostSubject, SubjectKey};
pub use upkeep::BoardRemoval;

/// A request whose response never came may still be done this much later.
const LATE_EDIT: Duration = Duration::from_secs(5);

/// How a row changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowChange<'q> {
    /// It is new.
    Insert(&'q Post),
    /// Its text and links changed, and perhaps any other column.
    Redraw(&'q Post),
    /// Any column but its text and links.
    Update(&'q Post),
    /// It was deleted.
    Delete,
}

/// The rows that changed, in their current state. To be stored in one transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes<'q> {
    /// By number.
    pub posts: Vec<(PostId, RowChange<'q>)>,
    /// Channels that Discord refuses; `None`: not any more.
    pub parked: Vec<(ChannelId, Option<&'q ParkedChannel>)>,
}

/// How much of a row changed. The greater includes the smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Touched {
    Update,
    Redraw,
    Insert,
}

/// The state before a change; `None`: it didn't exist.
#[derive(Debug)]
enum Undo {
    Post(PostId, Option<Box<Post>>),
    Parked(ChannelId, Option<ParkedChannel>),
    Served(BTreeMap<GuildId, CommunityId>),
}

/// A savepoint of the queue.
#[derive(Debug)]
pub struct Mark {
    undo: usize,
    next: PostId,
    touched: BTreeMap<PostId, Touched>,
    touched_channels: BTreeSet<ChannelId>,
}

/// The posts of one bot that may still change or be sent.
#[derive(Debug)]
pub struct Queue {
    instance: String,
    /// How long the first change of a message waits for others.
    edit_window: Duration,
    next: PostId,
    posts: BTreeMap<PostId, Post>,
    index: Index,
    parked: BTreeMap<ChannelId, ParkedChannel>,
    /// Whose posts each guild gets.
    served: BTreeMap<GuildId, CommunityId>,
    /// How it was before what may still be undone.
    undo: Vec<Undo>,
    /// Since changes were last taken.
    touched: BTreeMap<PostId, Touched>,
    touched_channels: BTreeSet<ChannelId>,
}

impl Queue {
    /// An empty queue. `instance`: the database's own random word, part of every nonce. `edit_window`: how long the first change of a
    /// message waits for others. `next`: the number of the next new post, greater than any used before.
    #[must_use]
    pub fn new(instance: &str, edit_window: Duration, next: PostId) -> Self {
        Self {
            instance: instance.to_owned(),
            edit_window,
            next,
            posts: BTreeMap::new(),
            index: Index::default(),
            parked: BTreeMap::new(),
            served: BTreeMap::new(),
            undo: Vec::new(),
            touched: BTreeMap::new(),
            touched_channels: BTreeSet::new(),
        }
    }

    /// A savepoint of the current state.
    #[must_use]
    pub fn mark(&self) -> Mark {
        let (touched, touched_channels) = (self.touched.clone(), self.touched_channels.clone());
        Mark { undo: self.undo.len(), next: self.next, touched, touched_channels }
    }

    /// Returns to that state, without what was loaded since. Changes that were taken since are reported again.
    pub fn undo_to(&mut self, mark: Mark) {
        for undo in self.undo.split_off(mark.undo).into_iter().rev() {
            match undo {
                Undo::Post(id, before) => {
                    if let Some(after) = self.posts.remove(&id) {
                        self.index.remove(&after);
                    }
                    if let Some(before) = before {
                        self.index.insert(&before);
                        self.posts.insert(id, *before);
                    }
                }
                Undo::Parked(channel, Some(before)) => drop(self.parked.insert(channel, before)),
                Undo::Parked(channel, None) => drop(self.parked.remove(&channel)),
                Undo::Served(before) => self.served = before,
            }
        }
        (self.next, self.touched, self.touched_channels) = (mark.next, mark.touched, mark.touched_channels);
    }

    /// Commits everything so far: it can't be undone any more.
    pub fn keep(&mut self) {
        self.undo.clear();
    }

    /// Adds stored posts. Those that are in memory already stay.
    pub fn restore(&mut self, posts: impl IntoIterator<Item = Post>, parked: impl IntoIterator<Item = ParkedChannel>) {
        for post in posts {
            self.next = self.next.max(PostId(post.id.0.saturating_add(1)));
            if let Entry::Vacant(vacant) = self.posts.entry(post.id) {
                // Undone too: in a transaction that fails, some rows of its subject may have been missing.
                self.undo.push(Undo::Post(post.id, None));
                self.index.insert(&post);
                vacant.insert(post);
            }
        }
        self.parked.extend(parked.into_iter().map(|parked| (parked.channel, parked)));
    }

    /// From now on only posts of these guilds are taken in and claimed, and of each guild only those about its community.
    pub fn serve(&mut self, guilds: BTreeMap<GuildId, CommunityId>) {
        let before = std::mem::replace(&mut self.served, guilds);
        self.undo.push(Undo::Served(before));
    }

    /// A post.
    #[must_use]
    pub fn get(&self, id: PostId) -> Option<&Post> {
        self.posts.get(&id)
    }

    /// The post about a subject in a channel.
    #[must_use]
    pub fn find(&self, channel: ChannelId, about: &SubjectKey) -> Option<&Post> {
        self.posts.get(self.index.subjects.get(about)?.get(&channel)?)
    }

    /// How far a post is.
    #[must_use]
    pub fn state(&self, id: PostId) -> Option<PostState> {
        let post = self.posts.get(&id)?;
        Some(post.state(self.parked.get(&post.channel)))
    }

    fn insert(&mut self, post: Post) {
        self.touched.insert(post.id, Touched::Insert);
        self.undo.push(Undo::Post(post.id, None));
        self.index.insert(&post);
        self.posts.insert(post.id, post);
    }

    /// Changes a post, if it exists. A change without effect isn't stored.
    fn edit(&mut self, id: PostId, change: impl FnOnce(&mut Post)) {
        let Some(post) = self.posts.get_mut(&id) else { return };
        let before = post.clone();
        change(post);
        if *post == before {
            return;
        }
        self.index.update(&before, post);
        let redrawn = post.message != before.message || post.links != before.links;
        let much = if redrawn { Touched::Redraw } else { Touched::Update };
        self.touched.entry(id).and_modify(|known| *known = much.max(*known)).or_insert(much);
        self.undo.push(Undo::Post(id, Some(Box::new(before))));
    }

    fn edit_all(&mut self, ids: impl IntoIterator<Item = PostId>, mut change: impl FnMut(&mut Post)) {
        for id in ids {
            self.edit(id, &mut change);
        }
    }

    fn remove(&mut self, id: PostId) {
        if let Some(post) = self.posts.remove(&id) {
            self.index.remove(&post);
            self.touched.insert(id, Touched::Update);
            self.undo.push(Undo::Post(id, Some(Box::new(post))));
        }
    }

    fn park(&mut self, channel: ChannelId, parked: Option<ParkedChannel>) {
        self.touched_channels.insert(channel);
        let before = match parked {
            Some(parked) => self.parked.insert(channel, parked),
            None => self.parked.remove(&channel),
        };
        self.undo.push(Undo::Parked(channel, before));
    }

    /// The changes since the last call.
    pub fn changes(&mut self) -> Changes<'_> {
        let (touched, channels) = (std::mem::take(&mut self.touched), std::mem::take(&mut self.touched_channels));
        let row = |(id, touched)| {
            let change = match (self.posts.get(&id), touched) {
                (None, _) => RowChange::Delete,
                (Some(post), Touched::Insert) => RowChange::Insert(post),
                (Some(post), Touched::Redraw) => RowChange::Redraw(post),
                (Some(post), Touched::Update) => RowChange::Update(post),
            };
            (id, change)
        };
        let posts = touched.into_iter().map(row).collect();
        Changes { posts, parked: channels.into_iter().map(|channel| (channel, self.parked.get(&channel))).collect() }
    }

    /// The waiting posts of a channel, in sending order.
    fn waiting_in(&self, channel: ChannelId) -> impl Iterator<Item = &Post> {
        self.index.waiting.get(&channel).into_iter().flatten().filter_map(|(_, id)| self.posts.get(id))
    }

    fn waiting_ids(&self, channel: ChannelId) -> Vec<PostId> {
        self.waiting_in(channel).map(|post| post.id).collect()
    }

    /// The card that a post replies to, or whose thread it is in.
    fn card_of(&self, post: &Post) -> Option<&Post> {
        self.find(post.channel, &post.card()?)
    }

    /// The replies to a card, and the posts in its thread.
    fn children(&self, channel: ChannelId, card: &SubjectKey) -> impl Iterator<Item = &Post> {
        let ids = self.index.children.get(&(channel, card.clone()));
        ids.into_iter().flatten().filter_map(|id| self.posts.get(id))
    }

    /// Whether the index matches the posts.
    #[cfg(test)]
    pub(crate) fn is_indexed(&self) -> bool {
        let mut index = Index::default();
        self.posts.values().for_each(|post| index.insert(post));
        index == self.index
    }
}
