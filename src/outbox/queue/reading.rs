//! Statistics of the queue.

use std::collections::HashMap;

use super::{ParkedChannel, Post, Queue};
use crate::clock::UnixMs;
use crate::ids::{ChannelId, CommunityId, GuildId};
use crate::outbox::Lane;

/// A channel that has something to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelDue {
    pub channel: ChannelId,
    /// Whose.
    pub community: CommunityId,
    /// When its first post may go; for a parked channel, when it is tried again.
    pub at: UnixMs,
    /// How many posts wait there.
    pub posts: u32,
    /// A panic is among them.
    pub panic: bool,
}

/// What waits in a lane of a community.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneBacklog {
    pub community: CommunityId,
    pub lane: Lane,
    /// How many posts.
    pub posts: usize,
    /// Since when the one that waits longest does.
    pub since: UnixMs,
}

/// The waiting posts, all together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WaitingPosts {
    /// How many posts.
    pub posts: usize,
    /// When the oldest of them was first desired.
    pub oldest: Option<UnixMs>,
}

impl Queue {
    /// Every post in memory, by number.
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
        let community = ready().next()?.about.community.clone();
        let panic = ready().any(|post| post.lane == Lane::Panic);
        Some(ChannelDue { channel, community, at: self.not_parked_at(channel, first), posts, panic })
    }

    pub(super) fn is_served(&self, post: &Post) -> bool {
        self.shows(post.guild, &post.about.community)
    }

    /// Whether a guild gets posts about a community.
    pub(super) fn shows(&self, guild: GuildId, community: &CommunityId) -> bool {
        self.served.get(&guild) == Some(community)
    }

    fn waiting(&self) -> impl Iterator<Item = &Post> {
        self.index.waiting.values().flatten().filter_map(|(_, id)| self.posts.get(id)).filter(|post| self.is_served(post))
    }

    /// What waits to be sent, by community and lane; where nothing does is left out.
    #[must_use]
    pub fn backlog(&self) -> Vec<LaneBacklog> {
        let mut lanes: HashMap<(&CommunityId, Lane), (usize, UnixMs)> = HashMap::new();
        for post in self.waiting() {
            let lane = lanes.entry((&post.about.community, post.lane)).or_insert((0, post.desired_since));
            *lane = (lane.0 + 1, lane.1.min(post.desired_since));
        }
        let row = |((community, lane), (posts, since)): ((&CommunityId, Lane), _)| LaneBacklog {
            community: community.clone(),
            lane,
            posts,
            since,
        };
        lanes.into_iter().map(row).collect()
    }

    /// What waits to be sent of a community.
    #[must_use]
    pub fn waiting_of(&self, community: &CommunityId) -> WaitingPosts {
        let own = || self.waiting().filter(|post| post.about.community == *community);
        WaitingPosts { posts: own().count(), oldest: own().map(|post| post.created_at).min() }
    }

    /// The waiting posts, all together.
    #[must_use]
    pub fn all_waiting(&self) -> WaitingPosts {
        WaitingPosts { posts: self.waiting().count(), oldest: self.waiting().map(|post| post.created_at).min() }
    }

    /// Whether something of a guild waits in a channel.
    #[must_use]
    pub fn waits_in(&self, guild: GuildId, channel: ChannelId) -> bool {
        self.waiting_in(channel).any(|post| post.guild == guild)
    }

    /// Channels that Discord refuses.
    pub fn parked(&self) -> impl Iterator<Item = &ParkedChannel> {
        self.parked.values()
    }

    /// How often in a row a channel was refused; 0 if it is open.
    #[must_use]
    pub fn refusals(&self, channel: ChannelId) -> u32 {
        self.parked.get(&channel).map_or(0, |parked| parked.refusals)
    }
}
