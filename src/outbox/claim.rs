//! A post on its way.

use super::{Lane, NONCE_TRUSTED_MS, Operation, Place, PostKey};
use crate::clock::UnixMs;
use crate::ids::{ChannelId, GuildId, MessageId};
use crate::render::Message;

/// A post claimed for sending.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// The post's row.
    pub id: i64,
    pub guild: GuildId,
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
    /// What was in its way at the last try ([`super::Obstacle::word`]).
    pub trouble: Option<String>,
    /// It was refused, and the channel took other messages since.
    pub apart: bool,
    /// Another post of the same event called the same roles in this channel already.
    pub hushed: bool,
    /// Nothing more will come.
    pub over: bool,
    /// A page of lines: each of its versions holds news, though each of its events is over.
    pub lines: bool,
    pub happened_at: UnixMs,
    /// When it first stood on Discord: a card that was late then stays so.
    pub shown_at: Option<UnixMs>,
    /// It called nobody when it was made, whatever roles its text names.
    pub unpinged: bool,
    /// How urgent.
    pub lane: Lane,
    /// Since when what is claimed waits to be sent.
    pub wished_at: UnixMs,
    /// Since when it might have been sent: what waits on purpose (for the edit window, for a channel that is closed) is not late.
    pub due_since: UnixMs,
    /// The other cards of the same message, in their order behind this one.
    pub others: Vec<Member>,
}

/// A card that shares a message with the claimed one.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// The post's row.
    pub id: i64,
    pub key: PostKey,
    /// How it should look.
    pub message: Message,
    /// The version that will stand.
    pub version: i64,
    /// Addresses of the posts that the text links to, by subject.
    pub urls: Vec<(String, String)>,
    /// Its message stood once and was deleted by a person.
    pub anew: bool,
    /// Nothing more will come.
    pub over: bool,
    /// A page of lines.
    pub lines: bool,
    pub happened_at: UnixMs,
    /// When it first stood on Discord.
    pub shown_at: Option<UnixMs>,
    /// It called nobody when it was made.
    pub unpinged: bool,
    /// Whether there is something new to show of it; otherwise it stands as it should.
    pub pending: bool,
}

impl Claim {
    /// The rows of all its cards, in their order in the message.
    pub fn parts(&self) -> impl Iterator<Item = i64> + '_ {
        std::iter::once(self.id).chain(self.others.iter().map(|member| member.id))
    }

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
        // Of a pack any card may have changed; one edit too many does no harm.
        self.standing.is_none() && self.creating_since.is_some() && (self.version > 1 || !self.others.is_empty())
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
