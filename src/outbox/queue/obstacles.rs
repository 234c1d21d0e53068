//! Tracks the obstacles of posts, and whether people were notified: each obstacle once, until nothing waits for it any more.
//!
//! The name of an obstacle is on every post that met it, and [`Post::reported`](super::Post::reported) on the one with which it was
//! reported. When that post succeeds, the mark moves to another one that still waits for the same, so that nobody is notified again; the
//! last one removes it.

use super::{Claim, Post, PostId, Queue};
use crate::clock::UnixMs;
use crate::ids::{ChannelId, CommunityId, GuildId};
use crate::outbox::{Lane, Obstacle, Place, Settlement};

/// The name of a refused channel.
const REFUSED: &str = "refused";

/// Whether an obstacle isn't about one channel.
fn is_everywhere(word: &str) -> bool {
    ["down", "edge"].contains(&word)
}

impl Queue {
    /// Records the obstacle of a settled claim. True if people must be notified now.
    pub(super) fn note_obstacle(&mut self, claim: &Claim, settlement: &Settlement) -> bool {
        let lead = &claim.lead;
        let (obstacle, due, failures) = match settlement {
            Settlement::Again { obstacle: Some(obstacle), due, .. } => (*obstacle, *due, lead.attempts.saturating_add(1)),
            Settlement::Park { until, .. } => (Obstacle::Refused, *until, u32::MAX),
            // The earlier obstacle is unknown.
            Settlement::Again { obstacle: None, .. } | Settlement::Alone => return false,
            Settlement::Delivered(_) | Settlement::Repost | Settlement::Over | Settlement::Fail { .. } => {
                claim.posts().for_each(|post| self.obstacle_passed(post.id));
                return false;
            }
        };
        let word = obstacle.word(claim.channel());
        // Its other obstacle isn't gone because Discord doesn't answer: people know about it, and its channel stays open for others.
        if obstacle.is_everywhere() && lead.obstacle.as_deref().is_some_and(|known| !is_everywhere(known)) {
            return false;
        }
        if lead.obstacle.as_ref() != Some(&word) {
            self.obstacle_passed(lead.id);
            self.edit(lead.id, |post| post.obstacle = Some(word.clone()));
        }
        // Posts that share its message met it too, unless they have another obstacle besides.
        self.edit_all(claim.others.iter().map(|post| post.id), |post| {
            if post.is_waiting() {
                post.obstacle.get_or_insert_with(|| word.clone());
            }
        });
        // An open thread needs no new one.
        if obstacle.holds(lead.place) && (lead.place != Place::Thread || claim.thread.is_none()) {
            self.hold_others(lead, &word, due);
        }
        if failures < obstacle.reported_after() {
            return false;
        }
        let channel = (!obstacle.is_everywhere()).then_some(lead.channel);
        let report = !self.meeting(lead.guild, &word, channel).any(|post| post.reported);
        if report {
            self.edit(lead.id, |post| post.reported = true);
        }
        report
    }

    /// Other posts of this place would meet the same: they wait for the result of this one.
    fn hold_others(&mut self, lead: &Post, word: &str, due: UnixMs) {
        let has_thread = |post: &Post| {
            let card = self.card_of(post);
            card.is_some_and(|card| card.thread.is_some() || card.place == Place::Forum && card.message_id.is_some())
        };
        let held = self.waiting_in(lead.channel).filter(|post| {
            let alike = post.place == lead.place && post.message_id.is_none() && post.id != lead.id && post.claimed_until.is_none();
            alike && !(post.place == Place::Thread && has_thread(post))
        });
        let held: Vec<PostId> = held.map(|post| post.id).collect();
        self.edit_all(held, |post| {
            post.due_at = post.due_at.max(due);
            post.obstacle.get_or_insert_with(|| word.to_owned());
        });
    }

    /// Waiting posts with an obstacle, the oldest first. `channel`: only there.
    fn meeting(&self, guild: GuildId, word: &str, channel: Option<ChannelId>) -> impl Iterator<Item = &Post> {
        let met = self.index.obstacles.get(&(guild, word.to_owned())).into_iter().flatten().filter_map(|id| self.posts.get(id));
        met.filter(move |post| post.is_waiting() && channel.is_none_or(|only| post.channel == only))
    }

    /// A channel accepted a message again. A post that it refused before needs more than that one: it is isolated from now on.
    pub(super) fn channel_opened(&mut self, channel: ChannelId, now: UnixMs) {
        self.edit_all(self.waiting_ids(channel), |post| {
            post.desired_since = post.desired_since.max(now);
            if post.obstacle.as_deref() == Some(REFUSED) {
                post.isolated = true;
                post.due_at = post.due_at.min(now);
            }
        });
    }

    /// A thread of the guild was closed, so one more may be opened: by the oldest post for which there were too many. Returns where it is sent.
    pub(super) fn thread_closed(&mut self, guild: GuildId, now: UnixMs) -> Option<(ChannelId, CommunityId, Lane)> {
        let word = Obstacle::Full.word(ChannelId(0));
        let mut put_off = self.meeting(guild, &word, None).filter(|post| post.due_at > now && post.claimed_until.is_none());
        let post = put_off.find(|post| self.is_served(post) && self.is_ready(post))?;
        let (id, sooner) = (post.id, (post.channel, post.about.community.clone(), post.lane));
        drop(put_off);
        self.edit(id, |post| post.due_at = now);
        Some(sooner)
    }

    /// A post has no obstacle any more.
    fn obstacle_passed(&mut self, id: PostId) {
        let Some(post) = self.posts.get(&id) else { return };
        let (Some(word), reported, guild) = (post.obstacle.clone(), post.reported, post.guild) else { return };
        let channel = (!is_everywhere(&word)).then_some(post.channel);
        self.edit(id, |post| (post.obstacle, post.reported, post.isolated) = (None, false, false));
        if reported {
            let next = self.meeting(guild, &word, channel).next().map(|post| post.id);
            self.edit_all(next, |post| post.reported = true);
        }
    }
}
