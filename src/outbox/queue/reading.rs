//! What the queue says about itself.

use std::collections::{BTreeSet, HashMap};

use super::{ParkedChannel, Post, PostId, PostSubject, Queue, SubjectKey};
use crate::clock::UnixMs;
use crate::ids::{ChannelId, GuildId, MessageId, RoleId};
use crate::outbox::{Lane, Place};
use crate::render::Style;
use crate::route::Threads;
use crate::world::Subject;

/// A channel that has something to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelDue {
    pub channel: ChannelId,
    /// When its first post may go; for a parked channel, when it is tried again.
    pub at: UnixMs,
    /// How many posts wait there.
    pub posts: u32,
    /// A panic is among them.
    pub panic: bool,
}

/// What waits in a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneBacklog {
    pub lane: Lane,
    /// How many posts.
    pub posts: usize,
    /// Since when the one that waits longest does.
    pub since: Option<UnixMs>,
}

/// Posts by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueCounts {
    /// Something is to be sent.
    pub waiting: usize,
    /// Given up.
    pub failed: usize,
    /// The oldest waiting one is from then.
    pub oldest_waiting: Option<UnixMs>,
}

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

impl Queue {
    /// Every post, by number.
    pub fn posts(&self) -> impl Iterator<Item = &Post> {
        self.posts.values()
    }

    /// Channels that have something to send, by number.
    #[must_use]
    pub fn due(&self) -> Vec<ChannelDue> {
        let mut due: Vec<ChannelDue> = self.index.waiting.keys().filter_map(|channel| self.channel_due(*channel)).collect();
        due.sort_unstable_by_key(|due| due.channel);
        due
    }

    fn channel_due(&self, channel: ChannelId) -> Option<ChannelDue> {
        let ready = || self.waiting_in(channel).filter(|post| self.is_served(post) && self.is_ready(post));
        let first = ready().map(Post::next_claim).min()?;
        let posts = u32::try_from(ready().count()).unwrap_or(u32::MAX);
        Some(ChannelDue { channel, at: self.not_parked_at(channel, first), posts, panic: ready().any(|post| post.lane == Lane::Panic) })
    }

    pub(super) fn is_served(&self, post: &Post) -> bool {
        self.served.contains(&post.guild)
    }

    fn waiting(&self) -> impl Iterator<Item = &Post> {
        self.index.waiting.values().flatten().filter_map(|(_, id)| self.posts.get(id)).filter(|post| self.is_served(post))
    }

    /// What waits to be sent, by lane; every lane is there.
    #[must_use]
    pub fn backlog(&self) -> Vec<LaneBacklog> {
        let mut lanes: HashMap<Lane, (usize, UnixMs)> = HashMap::new();
        for post in self.waiting() {
            let lane = lanes.entry(post.lane).or_insert((0, post.desired_since));
            *lane = (lane.0 + 1, lane.1.min(post.desired_since));
        }
        let of = |lane: Lane| lanes.get(&lane);
        Lane::ALL.map(|lane| LaneBacklog { lane, posts: of(lane).map_or(0, |l| l.0), since: of(lane).map(|l| l.1) }).to_vec()
    }

    /// Posts by state.
    #[must_use]
    pub fn counts(&self) -> QueueCounts {
        QueueCounts {
            waiting: self.waiting().count(),
            failed: self.posts.values().filter(|post| post.failed.is_some()).count(),
            oldest_waiting: self.waiting().map(|post| post.created_at).min(),
        }
    }

    /// The last posts of a guild that were given up, newest first.
    pub fn failed(&self, guild: GuildId) -> impl Iterator<Item = &Post> {
        self.posts.values().rev().filter(move |post| post.guild == guild && post.failed.is_some())
    }

    /// Channels that Discord refuses.
    pub fn parked(&self) -> impl Iterator<Item = (ChannelId, &ParkedChannel)> {
        self.parked.iter().map(|(channel, parked)| (*channel, parked))
    }

    /// How often in a row a channel was refused; 0 if it is open.
    #[must_use]
    pub fn refusals(&self, channel: ChannelId) -> u32 {
        self.parked.get(&channel).map_or(0, |parked| parked.refusals)
    }

    /// Messages from `first` on that are known as some post's of a channel: none of them can be the one that another post looks for.
    #[must_use]
    pub fn messages_since(&self, channel: ChannelId, first: MessageId) -> BTreeSet<MessageId> {
        let from = (channel, first, PostId(i64::MIN));
        self.index.messages.range(from..).take_while(|(of, ..)| *of == channel).map(|(_, message, _)| *message).collect()
    }

    /// The card whose thread (or forum post) this is, in a guild: the channel and the subject.
    #[must_use]
    pub fn card_of_thread(&self, guild: GuildId, thread: ChannelId) -> Option<(ChannelId, &SubjectKey)> {
        let opened = self.index.threads.get(&thread).into_iter().flatten().filter_map(|id| self.posts.get(id));
        // A forum post has the number of its first message, and stands in any channel of the guild.
        let starters = self.posts.values().filter(|post| post.place == Place::Forum && post.message_id == Some(MessageId(thread.0)));
        let found = opened.chain(starters).filter(|post| post.guild == guild).max_by_key(|post| post.id)?;
        Some((found.channel, &found.about))
    }

    /// Cards that may be drawn again: those of calls and panics also when they are over, since what became of a 911 may be found out later.
    pub fn cards(&self) -> impl Iterator<Item = (&Post, CardMemo)> {
        let lasting = |subject: &PostSubject| {
            matches!(subject, PostSubject::Card(Subject::Emergency(..) | Subject::Dispatch(..) | Subject::Panic(..)))
        };
        let cards = self.posts.values().filter(move |post| !post.closed || lasting(&post.about.subject));
        cards.map(|post| {
            let Post { guild, style, place, threads, .. } = *post;
            (post, CardMemo { guild, style, roles: post.roles.clone(), place, threads })
        })
    }

    /// When the messages of boards were made, by the boards' numbers.
    pub fn boards_made(&self) -> impl Iterator<Item = (i64, UnixMs)> {
        self.posts.values().filter_map(|post| match post.about.subject {
            PostSubject::Board(number) => Some((number, post.message_id?.made_at())),
            _ => None,
        })
    }
}
