//! Finds posts without scanning all of them. Contains nothing that isn't in the posts.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;

use super::post::{Post, PostId};
use super::subject::{PostSubject, SubjectKey};
use crate::ids::{ChannelId, CommunityId, GuildId, MessageId};
use crate::outbox::Lane;

/// Sets of posts by what they have in common. No set is empty.
type Sets<K, V = PostId> = HashMap<K, BTreeSet<V>>;

#[derive(Debug, Default, PartialEq)]
pub(super) struct Index {
    /// By subject, then by channel: one post each.
    pub(super) subjects: HashMap<SubjectKey, BTreeMap<ChannelId, PostId>>,
    /// By the card that they reply to or whose thread they are in.
    pub(super) children: Sets<(ChannelId, SubjectKey)>,
    /// By the event that pings once.
    pub(super) events: Sets<(i64, ChannelId)>,
    /// The waiting posts of a channel, in sending order.
    pub(super) waiting: Sets<ChannelId, (Lane, PostId)>,
    /// By message, so that the newer ones of a channel are adjacent.
    pub(super) messages: BTreeSet<(ChannelId, MessageId, PostId)>,
    /// By the post whose create carries them, in their order.
    pub(super) batches: Sets<PostId, (i64, PostId)>,
    /// By the subjects that their text links to.
    pub(super) links: Sets<PostSubject>,
    /// What memory holds of their texts, by community.
    pub(super) bodies: HashMap<CommunityId, Bodies>,
    /// By what is in their way.
    pub(super) obstacles: Sets<(GuildId, String)>,
}

fn add<K: Eq + Hash, V: Ord>(sets: &mut Sets<K, V>, key: K, value: V) {
    sets.entry(key).or_default().insert(value);
}

fn take<K: Eq + Hash, V: Ord>(sets: &mut Sets<K, V>, key: &K, value: &V) {
    if let Some(set) = sets.get_mut(key) {
        set.remove(value);
        if set.is_empty() {
            sets.remove(key);
        }
    }
}

/// The texts of a community that memory holds.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Bodies {
    /// What they take in memory, about.
    pub(super) bytes: usize,
    /// In which order they are given up: of what stands, the oldest; then of what waits, the one that leaves last. Numbers.
    order: BTreeSet<(bool, i64)>,
}

fn rank(post: &Post) -> (bool, i64) {
    if post.is_waiting() { (true, -post.id.0) } else { (false, post.id.0) }
}

impl Bodies {
    fn add(&mut self, post: &Post) {
        self.bytes += post.message.weight();
        self.order.insert(rank(post));
    }

    fn take(&mut self, post: &Post) {
        self.bytes -= post.message.weight();
        self.order.remove(&rank(post));
    }

    /// Whose texts these are, those first that are given up first.
    pub(super) fn in_order(&self) -> impl Iterator<Item = PostId> {
        self.order.iter().map(|(_, number)| PostId(number.saturating_abs()))
    }
}

impl Index {
    pub(super) fn insert(&mut self, post: &Post) {
        self.subjects.entry(post.about.clone()).or_default().insert(post.channel, post.id);
        if let Some(card) = post.card() {
            add(&mut self.children, (post.channel, card), post.id);
        }
        if post.event != 0 {
            add(&mut self.events, (post.event, post.channel), post.id);
        }
        self.place(post);
    }

    pub(super) fn remove(&mut self, post: &Post) {
        if let Some(of_subject) = self.subjects.get_mut(&post.about) {
            of_subject.remove(&post.channel);
            if of_subject.is_empty() {
                self.subjects.remove(&post.about);
            }
        }
        if let Some(card) = post.card() {
            take(&mut self.children, &(post.channel, card), &post.id);
        }
        if post.event != 0 {
            take(&mut self.events, &(post.event, post.channel), &post.id);
        }
        self.displace(post);
    }

    /// A post changed. Its number, channel, subject, parent and event never change.
    pub(super) fn update(&mut self, before: &Post, after: &Post) {
        self.displace(before);
        self.place(after);
    }

    pub(super) fn place_body(&mut self, post: &Post) {
        if post.message.is_here() {
            match self.bodies.get_mut(&post.about.community) {
                Some(bodies) => bodies.add(post),
                None => self.bodies.entry(post.about.community.clone()).or_default().add(post),
            }
        }
    }

    pub(super) fn displace_body(&mut self, post: &Post) {
        if post.message.is_here()
            && let Some(bodies) = self.bodies.get_mut(&post.about.community)
        {
            bodies.take(post);
            if bodies.order.is_empty() {
                self.bodies.remove(&post.about.community);
            }
        }
    }

    fn place(&mut self, post: &Post) {
        self.place_body(post);
        if post.is_waiting() {
            add(&mut self.waiting, post.channel, (post.lane, post.id));
        }
        if let Some(message) = post.message_id {
            self.messages.insert((post.channel, message, post.id));
        }
        if let Some(lead) = post.batch {
            add(&mut self.batches, lead, (post.slot, post.id));
        }
        for subject in &post.links {
            add(&mut self.links, subject.clone(), post.id);
        }
        if let Some(word) = &post.obstacle {
            add(&mut self.obstacles, (post.guild, word.clone()), post.id);
        }
    }

    fn displace(&mut self, post: &Post) {
        self.displace_body(post);
        if post.is_waiting() {
            take(&mut self.waiting, &post.channel, &(post.lane, post.id));
        }
        if let Some(message) = post.message_id {
            self.messages.remove(&(post.channel, message, post.id));
        }
        if let Some(lead) = post.batch {
            take(&mut self.batches, &lead, &(post.slot, post.id));
        }
        for subject in &post.links {
            take(&mut self.links, subject, &post.id);
        }
        if let Some(word) = &post.obstacle {
            take(&mut self.obstacles, &(post.guild, word.clone()), &post.id);
        }
    }
}
