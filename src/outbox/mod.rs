//! The law of the queue: what a post is, in which order posts leave, what Discord's answer means for each. No I/O, no clock.
//!
//! A **post** is what should stand on Discord about one subject in one channel. Delivery closes the gap between the desired version
//! and the delivered one, whatever the history was: ten edits are one request, a restart needs no replay.
//!
//! The state diagram of a post is in [`queue`].
//!
//! A create carries a nonce made of the post's id. `creating` is set in the same commit that claims the post and cleared when the
//! answer is known, so after a crash we know that a message may stand there already: soon after, the nonce makes Discord return it;
//! later ([`NONCE_TRUSTED_MS`]) the channel's history is searched before anything is sent.
//!
//! When more new cards wait than messages may be made, several of them share one: a **pack** ([`packing`](packs)). It is claimed, sent and
//! settled as one request; each card stays a post of its own, with its own versions, and an edit of one sends the whole message again.

mod backoff;
mod invalid;
mod limits;
mod obstacle;
mod packing;
mod place;
pub mod queue;
mod verdict;

use crate::clock::UnixMs;
use crate::ids::{ChannelId, CommunityId, GuildId, RoleId, ServerId};
use crate::render::{Message, Style};
use crate::route::Threads;

pub use backoff::backoff;
pub use invalid::Pace;
pub use limits::{Cause, Limits, Operation, PER_SECOND, RateHeaders, Scope, Wait};
pub use obstacle::Obstacle;
pub use packing::{MOST_CARDS, packs, share};
pub use place::Place;
pub use queue::{Claim, ClaimOutcome, ClaimRequest, Post, PostId, PostState, PostSubject, Queue, SettleOutcome, SubjectKey};
pub use verdict::{Settlement, Verdict, settle};

/// How long a nonce surely makes Discord return the message already made (ms). Discord says "a few minutes".
pub const NONCE_TRUSTED_MS: i64 = 120_000;
/// How long a claim holds (ms): longer than any request may take.
pub const LEASE_MS: i64 = 60_000;
/// Discord limits edits of messages older than this (ms; code 30046).
pub const OLD_MESSAGE_MS: i64 = 3_600_000;
/// Such a message is edited at most this often (ms). Discord's own limit is not published.
pub const OLD_EDIT_EVERY_MS: i64 = 60_000;
/// A post that never appeared and is this old is dropped instead of sent (ms): its channel was closed to us for a day.
pub const EXPIRES_MS: i64 = 24 * 3_600_000;

/// Order within a channel: the smaller leaves first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    Panic,
    /// New 911 calls, priority 1.
    Urgent,
    /// Other new cards.
    New,
    /// Changes of cards that stand already.
    Edit,
    Board,
    /// Lines.
    Log,
}

impl Lane {
    /// Every lane, in order.
    pub const ALL: [Self; 6] = [Self::Panic, Self::Urgent, Self::New, Self::Edit, Self::Board, Self::Log];

    /// The word for people and machines.
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

/// Names a post for ever.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PostKey {
    pub channel: ChannelId,
    pub community: CommunityId,
    pub server: ServerId,
    /// About what: a `world::Subject` as text, or such a text with `#over` and the like for a message of its own.
    pub subject: String,
}

/// A post as it should be now.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    pub key: PostKey,
    pub guild: GuildId,
    /// How urgent.
    pub lane: Lane,
    /// In which style it was drawn, kept so that later changes are drawn alike.
    pub style: Style,
    /// Whom its creation pings, kept for the same reason.
    pub roles: Vec<RoleId>,
    /// Where it stands.
    pub place: Place,
    /// Whether its notes go into a thread, kept for the same reason.
    pub threads: Threads,
    /// Nothing more will come.
    pub over: bool,
    /// Answers this post's message, by its subject, in the same channel; for [`Place::Thread`], stands in its thread.
    pub parent: Option<String>,
    /// How it should look.
    pub message: Message,
    pub happened_at: UnixMs,
    /// What told of it, for what calls people once however many cards it makes: of these, only the first that is shown in a channel calls
    /// its roles. 0 = it calls for itself.
    pub event: i64,
}

impl Draft {
    /// A message of the bot's own: a notice, a confirmation.
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

/// The nonce of a post's create. `generation` grows when a deleted message is posted anew; `instance` tells databases apart, since
/// a fresh one counts its posts from 1 again.
#[must_use]
pub fn nonce(instance: &str, post: PostId, generation: i64) -> String {
    let text = format!("{instance}.{:x}.{generation:x}", post.0);
    text.chars().take(25).collect()
}
