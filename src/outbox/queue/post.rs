//! The fields of a post, the state that follows from them, and claims of posts. Changes no post: the transitions are in the other files of this
//! folder, which `mod.rs` lists.

use std::time::Duration;

#[cfg(test)]
use super::Queue;
use super::subject::{PostSubject, SubjectKey};
use super::{Body, ParkedChannel};
use crate::clock::UnixMs;
use crate::ids::{ChannelId, GuildId, MessageId, RoleId};
#[cfg(test)]
use crate::outbox::DesiredPost;
use crate::outbox::{Lane, NONCE_TRUSTED, Operation, Place};
use crate::render::text::SafeText;
use crate::render::{Message, Style};
use crate::route::Threads;

/// A post's number: part of the nonce of its create, so it is never reused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PostId(pub i64);

/// What should be on Discord about one subject in one channel, what is there, and the state of its delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    pub id: PostId,
    pub guild: GuildId,
    pub channel: ChannelId,
    pub about: SubjectKey,
    /// How urgent.
    pub lane: Lane,
    /// The style of its first version.
    pub style: Style,
    /// The roles that its creation pings.
    pub roles: Vec<RoleId>,
    /// Where in the channel it stands.
    pub place: Place,
    /// Whether its notes go into a thread.
    pub threads: Threads,
    /// The card that it replies to, or whose thread it is in.
    pub parent: Option<PostSubject>,
    /// The event that created it, if that pings once for any number of posts; 0 = it pings for itself.
    pub event: i64,
    /// Nothing more will follow.
    pub closed: bool,

    /// How it should look, but for [`Post::silent`].
    pub message: Body,
    /// Its creation makes no sound.
    pub silent: bool,
    /// The subjects that its text links to, sorted.
    pub links: Vec<PostSubject>,
    /// The desired version.
    pub version: i64,
    /// The version that is on Discord, or that need not be shown any more.
    pub delivered_version: i64,

    /// Its message, if it has one.
    pub message_id: Option<MessageId>,
    /// The thread under that message, once it is open.
    pub thread: Option<ChannelId>,
    /// Counts used nonces.
    pub generation: i64,
    /// When it was first shown on Discord.
    pub shown_at: Option<UnixMs>,
    /// It pinged nobody when it was created, whatever roles its text names.
    pub pings_suppressed: bool,

    pub happened_at: UnixMs,
    /// When it was first desired.
    pub created_at: UnixMs,
    /// Not sent before then.
    pub due_at: UnixMs,
    /// Since when the desired version waits, if it isn't shown.
    pub desired_since: UnixMs,

    /// A claim holds it until then.
    pub claimed_until: Option<UnixMs>,
    /// Since when a create is in flight or may have been done.
    pub creating_since: Option<UnixMs>,
    /// Since when an edit may still be done late, over a newer one.
    pub edit_in_doubt_since: Option<UnixMs>,
    /// Failed attempts in a row.
    pub attempts: u32,
    /// Why it was given up.
    pub failed: Option<String>,

    /// The post whose create carries it, if several share a message.
    pub batch: Option<PostId>,
    /// Its position in that message.
    pub slot: i64,
    /// Discord rejected a message that it shared.
    pub never_batched: bool,

    /// The obstacle of its last attempt: a name of [`crate::outbox::Obstacle`].
    pub obstacle: Option<String>,
    /// That obstacle was reported with this post.
    pub reported: bool,
    /// Its channel accepted other messages after it refused this one.
    pub isolated: bool,
}

/// The state of a post. See the diagram in [`super`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PostState {
    /// Something is to be sent.
    Waiting,
    /// A request is in flight, or was when the process died.
    Claimed {
        /// From then on it may be claimed again.
        until: UnixMs,
    },
    /// Something is to be sent, and an earlier request for it may have been done.
    InDoubt { since: UnixMs },
    /// The desired version is on Discord, or need not be shown any more.
    Delivered,
    /// Something is to be sent, but Discord refuses its channel.
    Parked {
        /// When the channel is retried.
        until: UnixMs,
    },
    /// Given up. It waits again when its text changes.
    Failed {
        /// For people and the log.
        reason: String,
    },
}

impl Post {
    /// Whether something is to be sent, now or later.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.delivered_version < self.version && self.failed.is_none()
    }

    /// Its state. `parked`: its channel's refusals, if any.
    #[must_use]
    pub fn state(&self, parked: Option<&ParkedChannel>) -> PostState {
        let doubt = if self.message_id.is_some() { self.edit_in_doubt_since } else { self.creating_since };
        match (self.claimed_until, &self.failed, parked, doubt) {
            (Some(until), ..) => PostState::Claimed { until },
            (None, Some(reason), ..) => PostState::Failed { reason: reason.clone() },
            _ if !self.is_waiting() => PostState::Delivered,
            (.., Some(parked), _) => PostState::Parked { until: parked.retry_at },
            (.., Some(since)) => PostState::InDoubt { since },
            _ => PostState::Waiting,
        }
    }

    /// A page of lines: each of its versions has news, though each of its events is over.
    #[must_use]
    pub fn is_log_page(&self) -> bool {
        self.lane == Lane::Log && self.place == Place::Channel
    }

    /// Its message was shown once and deleted by a person: posting it again is a change, and pings nobody. A generation may also come from
    /// a batch that Discord rejected, which nobody has seen.
    #[must_use]
    pub fn is_recreated(&self) -> bool {
        self.shown_at.is_some() || (self.generation > 0 && !self.never_batched)
    }

    /// Since when it might have been sent: a new message from the moment of its event, unless its channel was closed meanwhile. A post that
    /// waits for its delay isn't late.
    #[must_use]
    pub fn due_since(&self) -> UnixMs {
        if self.message_id.is_some() || self.desired_since > self.created_at { self.desired_since } else { self.happened_at }
    }

    /// The message as created: with its sound.
    #[must_use]
    pub fn new_message(&self) -> Message {
        Message { silent: self.silent, ..Message::clone(&self.message) }
    }

    /// The card that it replies to, or whose thread it is in.
    #[must_use]
    pub fn card(&self) -> Option<SubjectKey> {
        let subject = self.parent.clone()?;
        Some(SubjectKey { subject, ..self.about.clone() })
    }

    /// The subjects that its text links to.
    pub fn linked(&self) -> impl Iterator<Item = SubjectKey> {
        self.links.iter().map(|subject| SubjectKey { subject: subject.clone(), ..self.about.clone() })
    }

    /// Whether it may share a message: a thread needs a message of its own, and a reply refers to one.
    pub(super) fn may_be_batched(&self) -> bool {
        self.message_id.is_none()
            && self.creating_since.is_none()
            && self.batch.is_none()
            && !self.never_batched
            && self.place == Place::Channel
            && self.threads == Threads::Off
            && self.parent.is_none()
            && matches!(self.lane, Lane::Urgent | Lane::New | Lane::Log)
    }

    /// Not claimed before then.
    pub(super) fn next_claim(&self) -> UnixMs {
        self.claimed_until.map_or(self.due_at, |until| until.max(self.due_at))
    }
}

/// Which posts may be claimed now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimRequest {
    pub channel: ChannelId,
    pub now: UnixMs,
    /// Nothing but panics.
    pub panics_only: bool,
    /// New messages may be created.
    pub creates: bool,
    /// Messages may be edited.
    pub edits: bool,
    /// How many messages may be created before the window ends; `None` = each card has its own.
    pub creates_left: Option<u32>,
}

impl ClaimRequest {
    /// Whatever is due, without batches.
    #[must_use]
    pub fn any(channel: ChannelId, now: UnixMs) -> Self {
        Self { channel, now, panics_only: false, creates: true, edits: true, creates_left: None }
    }
}

/// The result of a claim.
#[derive(Clone, Debug, PartialEq)]
pub enum ClaimOutcome {
    /// A claim, which holds for [`crate::outbox::LEASE`].
    Claimed(Box<Claim>),
    /// Nothing now, and nothing before this time. If that is past, something waits that was excluded.
    NotBefore(UnixMs),
    /// Nothing waits.
    Nothing,
}

/// One request: posts as they were when claimed, and what the request needs to know of others.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// The post whose message it is, or will be.
    pub lead: Post,
    /// The other posts of the same message, in their order after it.
    pub others: Vec<Post>,
    /// The lane of the news: in a shared message, perhaps not the lead's.
    pub lane: Lane,
    /// Nonce of the create, at most 25 characters.
    pub nonce: String,
    /// The message to reply to, if it was delivered; for [`Place::Thread`] and [`Place::Archive`], the card whose thread it is.
    pub reply_to: Option<MessageId>,
    /// The thread of that card, once it is open.
    pub thread: Option<ChannelId>,
    /// What such a thread is called: the card's title.
    pub thread_name: SafeText,
    /// Where the posts stand that the texts link to.
    pub urls: Vec<(SubjectKey, SafeText)>,
    /// Another post of the same event called the same roles in this channel already.
    pub already_called: bool,
}

impl Claim {
    /// Its posts, in their order in the message.
    pub fn posts(&self) -> impl Iterator<Item = &Post> {
        std::iter::once(&self.lead).chain(&self.others)
    }

    /// The post about a subject that the text of one of these posts links to.
    #[must_use]
    pub fn url(&self, of: &Post, subject: &str) -> Option<&SafeText> {
        let subject = PostSubject::parse(subject);
        let is_meant =
            |about: &SubjectKey| about.subject == subject && about.server == of.about.server && about.community == of.about.community;
        self.urls.iter().find(|(about, _)| is_meant(about)).map(|(_, url)| url)
    }

    /// The channel that the request names: the thread, for messages in one. A thread has the id of its starter message.
    #[must_use]
    pub fn channel(&self) -> ChannelId {
        let thread = self.thread.or(self.reply_to.map(|card| ChannelId(card.0)));
        let named = match self.lead.place {
            Place::Channel => None,
            Place::Forum => self.lead.message_id.map(|starter| ChannelId(starter.0)),
            Place::Thread | Place::Archive => thread,
        };
        named.unwrap_or(self.lead.channel)
    }

    /// The kind of its request.
    #[must_use]
    pub fn operation(&self) -> Operation {
        match self.lead.place {
            Place::Archive => Operation::Archive,
            _ if self.lead.message_id.is_some() => Operation::Edit,
            _ => Operation::Create,
        }
    }

    /// Whether the channel's history must be searched before a create. Forum posts have no nonce: they are always searched for.
    #[must_use]
    pub fn must_look_first(&self, now: UnixMs) -> bool {
        let trusted = if self.lead.place == Place::Forum { Duration::ZERO } else { NONCE_TRUSTED };
        // Archiving a thread twice does no harm.
        self.operation() == Operation::Create && self.lead.creating_since.is_some_and(|since| now.since(since) > trusted)
    }

    /// Whether a successful create may return a message created earlier, with an older text: its nonce does that.
    #[must_use]
    pub fn may_bring_back_older(&self) -> bool {
        // In a batch any card may have changed; an unnecessary edit does no harm.
        let may_differ = self.lead.version > 1 || !self.others.is_empty();
        self.lead.message_id.is_none() && self.lead.creating_since.is_some() && may_differ
    }
}

#[cfg(test)]
impl Claim {
    /// The first attempt of a new post of one guild, without any text.
    pub(crate) fn sample() -> Self {
        let mut queue = Queue::new("instance", Duration::ZERO, PostId(1));
        let (community, message) = (crate::ids::CommunityId::new("c"), Message::default());
        queue.serve([(GuildId(1), community.clone())].into());
        let subject = "s".to_owned();
        let draft = DesiredPost::own(GuildId(1), ChannelId(1), community, crate::ids::ServerId(1), subject, message, UnixMs(0));
        queue.desire([draft], UnixMs(0));
        match queue.claim(&ClaimRequest::any(ChannelId(1), UnixMs(0))) {
            ClaimOutcome::Claimed(claim) => *claim,
            other => panic!("{other:?}"),
        }
    }
}
