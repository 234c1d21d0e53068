//! The law of the queue: what a post is, in which order posts leave, what Discord's answer means for each. No I/O, no clock.
//!
//! A **post** is what should stand on Discord about one subject in one channel. Delivery closes the gap between the desired version
//! and the delivered one, whatever the history was: ten edits are one request, a restart needs no replay.
//!
//! ```text
//!            ingest: desired, version+1
//!                 │
//!   (message?) pending ── claim (lease) ── send ──▶ Verdict ── settle ─┬─▶ delivered (version reached; pending again if it moved on)
//!                 ▲                                                    ├─▶ again at … (wait, retry)
//!                 │                                                    ├─▶ channel parked (403, 404)
//!                 └─────────────── lease ran out ◀── crash             └─▶ failed (400: our fault, logged)
//! ```
//!
//! A create carries a nonce made of the post's id. `creating` is set in the same commit that claims the post and cleared when the
//! answer is known, so after a crash we know that a message may stand there already: soon after, the nonce makes Discord return it;
//! later ([`NONCE_TRUSTED_MS`]) the channel's history is searched before anything is sent.

mod limits;
mod place;
mod verdict;

use crate::clock::UnixMs;
use crate::ids::{ChannelId, CommunityId, GuildId, MessageId, RoleId, ServerId};
use crate::render::{Message, Style};
use crate::route::Threads;

pub use limits::{Limits, Operation, RateHeaders};
pub use place::Place;
pub use verdict::{Settlement, Verdict, backoff, settle};

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
    /// Panics.
    Panic,
    /// New 911 calls, priority 1.
    Urgent,
    /// Other new cards.
    New,
    /// Changes of cards that stand already.
    Edit,
    /// Boards.
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
    /// Where.
    pub channel: ChannelId,
    /// Whose CAD.
    pub community: CommunityId,
    /// Which server.
    pub server: ServerId,
    /// About what: a `world::Subject` as text, or such a text with `#over` and the like for a message of its own.
    pub subject: String,
}

/// A post as it should be now.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// Which post.
    pub key: PostKey,
    /// Whose guild.
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
    /// When it happened.
    pub happened_at: UnixMs,
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
        }
    }
}

/// A post claimed for sending.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// The post's row.
    pub id: i64,
    /// Whose guild.
    pub guild: GuildId,
    /// Which post.
    pub key: PostKey,
    /// How it should look.
    pub message: Message,
    /// The version claimed.
    pub version: i64,
    /// The message on Discord, if there is one.
    pub standing: Option<MessageId>,
    /// Where it stands.
    pub place: Place,
    /// The message to answer, if its post was delivered; for [`Place::Thread`], the card whose thread it is.
    pub reply_to: Option<MessageId>,
    /// The thread of that card, once it is open.
    pub thread: Option<ChannelId>,
    /// What such a thread is called: that card's title.
    pub thread_name: String,
    /// Addresses of the posts that the text links to, by subject.
    pub urls: Vec<(String, String)>,
    /// Nonce of the create, at most 25 characters.
    pub nonce: String,
    /// A create that was sent earlier and whose end is not known.
    pub creating_since: Option<UnixMs>,
    /// Its message stood once and was deleted by a person: what is posted anew is a change, and calls nobody.
    pub anew: bool,
    /// Failed tries so far.
    pub attempts: u32,
    /// Nothing more will come.
    pub over: bool,
    /// A page of lines: each of its versions holds news, though each of its events is over.
    pub lines: bool,
    /// When it happened.
    pub happened_at: UnixMs,
    /// When it first stood on Discord: a card that was late then stays so.
    pub shown_at: Option<UnixMs>,
    /// It called nobody when it was made, whatever roles its text names.
    pub unpinged: bool,
}

impl Claim {
    /// Whether the channel's history must be searched before a create. Forum posts take no nonce: they are always looked for.
    #[must_use]
    pub fn must_look_first(&self, now: UnixMs) -> bool {
        let trusted = if self.place == Place::Forum { 0 } else { NONCE_TRUSTED_MS };
        // Putting a thread away twice does no harm.
        self.standing.is_none() && self.place != Place::Archive && self.creating_since.is_some_and(|since| now.since(since) > trusted)
    }

    /// The channel that the request names: the thread, for what stands in one. A thread has the number of the message it hangs on.
    #[must_use]
    pub fn channel(&self) -> ChannelId {
        let thread = || self.thread.or(self.reply_to.map(|card| ChannelId(card.0)));
        match self.place {
            Place::Channel => self.key.channel,
            Place::Forum => self.standing.map_or(self.key.channel, |starter| ChannelId(starter.0)),
            Place::Thread | Place::Archive => thread().unwrap_or(self.key.channel),
        }
    }

    /// Whether a create that Discord takes may bring back a message made earlier, with an older text: its nonce does that.
    #[must_use]
    pub fn may_bring_back_older(&self) -> bool {
        self.standing.is_none() && self.creating_since.is_some() && self.version > 1
    }

    /// What kind of request it will be.
    #[must_use]
    pub fn operation(&self) -> Operation {
        match self.place {
            Place::Archive => Operation::Archive,
            _ if self.standing.is_some() => Operation::Edit,
            _ => Operation::Create,
        }
    }
}

/// The nonce of a post's create. `generation` grows when a deleted message is posted anew; `instance` tells databases apart, since
/// a fresh one counts its posts from 1 again.
#[must_use]
pub fn nonce(instance: &str, post: i64, generation: i64) -> String {
    let text = format!("{instance}.{post:x}.{generation:x}");
    text.chars().take(25).collect()
}
