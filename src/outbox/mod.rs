//! The rules of the queue: what a post is, in which order posts are sent, what Discord's response means for each. No I/O, no clock.
//!
//! A **post** says what should be on Discord about one subject in one channel. Delivery closes the gap between the desired version
//! and the delivered one, however they came to differ: ten edits are one request, a restart needs no replay.
//!
//! The states of a post and all transitions between them are in [`queue`], with the diagram.
//!
//! A create carries a nonce made of the post's id. `creating` is set in the same commit that claims the post and cleared when the
//! result is known, so after a crash we know that a message may exist already: soon after, the nonce makes Discord return it;
//! later ([`NONCE_TRUSTED`]) the channel's history is searched before anything is sent.
//!
//! When more new cards wait than messages may be created, several of them share one: a **batch** ([`batch_size`]). It is claimed, sent
//! and settled as one request; each card stays a post of its own, with its own versions, and an edit of one sends the whole message again.

mod backoff;
mod batching;
mod invalid;
mod limits;
mod obstacle;
mod place;
pub mod queue;
mod settlement;
mod verdict;

use std::time::Duration;

use crate::clock::UnixMs;
use crate::ids::{ChannelId, CommunityId, GuildId, RoleId, ServerId};
use crate::render::{Message, Style};
use crate::route::Threads;

pub use backoff::backoff;
pub use batching::{MAX_CARDS_PER_MESSAGE, batch_size, share};
pub use invalid::SendPace;
pub use limits::{DelayCause, Operation, PER_SECOND, RateHeaders, RateScope, SendLimits, Wait};
pub use obstacle::Obstacle;
pub use place::Place;
pub use queue::{Claim, ClaimOutcome, ClaimRequest, Post, PostId, PostState, PostSubject, Queue, SettleOutcome, SubjectKey};
pub use settlement::{Settlement, settle};
pub use verdict::Verdict;

/// How long a nonce surely makes Discord return the message created earlier. Discord says "a few minutes".
pub const NONCE_TRUSTED: Duration = Duration::from_secs(120);
/// How long a claim holds: longer than any request may take.
pub const LEASE: Duration = Duration::from_secs(60);
/// Discord limits edits of messages older than this (code 30046).
pub const OLD_MESSAGE: Duration = Duration::from_secs(3_600);
/// Such a message is edited at most this often. Discord's own limit is not published.
pub const OLD_EDIT_EVERY: Duration = Duration::from_secs(60);
/// A post that was never shown and is this old is dropped instead of sent: its channel was closed to us for a day.
pub const EXPIRES: Duration = Duration::from_secs(86_400);

/// Order within a channel: the smaller is sent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    Panic,
    /// New 911 calls, priority 1.
    Urgent,
    /// Other new cards.
    New,
    /// Changes of cards that are shown already.
    Edit,
    Board,
    /// Lines.
    Log,
}

impl Lane {
    /// Every lane, in order.
    pub const ALL: [Self; 6] = [Self::Panic, Self::Urgent, Self::New, Self::Edit, Self::Board, Self::Log];

    /// The name for people and machines.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Panic => "panic",
            Self::Urgent => "urgent",
            Self::New => "new",
            Self::Edit => "edit",
            Self::Board => "board",
            Self::Log => "log",
        }
    }

    /// Its number in rows.
    #[must_use]
    pub fn number(self) -> i64 {
        Self::ALL.iter().position(|lane| *lane == self).and_then(|at| i64::try_from(at).ok()).unwrap_or_default()
    }
}

/// Identifies a post permanently.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PostKey {
    pub channel: ChannelId,
    pub community: CommunityId,
    pub server: ServerId,
    /// Its subject: a `world::Subject` as text, or such a text with `#over` and the like for a separate message.
    pub subject: String,
}

/// A post's desired state.
#[derive(Clone, Debug, PartialEq)]
pub struct DesiredPost {
    pub key: PostKey,
    pub guild: GuildId,
    /// How urgent.
    pub lane: Lane,
    /// The style of its first version, kept so that later changes look alike.
    pub style: Style,
    /// The roles that its creation pings, kept for the same reason.
    pub roles: Vec<RoleId>,
    /// Where it is posted.
    pub place: Place,
    /// Whether its notes go into a thread, kept for the same reason.
    pub threads: Threads,
    /// Nothing more will follow.
    pub over: bool,
    /// The subject of the post in the same channel that this one replies to; for [`Place::Thread`], whose thread it is in.
    pub parent: Option<String>,
    /// How it should look.
    pub message: Message,
    pub happened_at: UnixMs,
    /// The event of an alert that pings once for any number of cards: of these, only the first that is shown in a channel pings
    /// its roles. 0 = it pings for itself.
    pub event: i64,
}

impl DesiredPost {
    /// A message from the bot itself: a notice, a confirmation.
    #[must_use]
    pub fn own(
        guild: GuildId,
        channel: ChannelId,
        community: CommunityId,
        server: ServerId,
        subject: String,
        message: Message,
        now: UnixMs,
    ) -> Self {
        Self {
            key: PostKey { channel, community, server, subject },
            guild,
            lane: Lane::New,
            style: Style::Card,
            roles: Vec::new(),
            place: Place::Channel,
            threads: Threads::Off,
            over: true,
            parent: None,
            message,
            happened_at: now,
            event: 0,
        }
    }
}

/// The nonce of a post's create. `generation` grows when a deleted message is posted again; `instance` identifies the database, since
/// a fresh one numbers its posts from 1 again.
#[must_use]
pub fn nonce(instance: &str, post: PostId, generation: i64) -> String {
    let text = format!("{instance}.{:x}.{generation:x}", post.0);
    text.chars().take(25).collect()
}
