//! The texts of posts, of which memory holds a bounded part: the others are in their rows.
//!
//! Whoever calls the queue brings back what it will look at ([`Queue::texts_to_claim`], [`Queue::text_to_compare`]). A text that changed stays until
//! its row was written.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::Arc;

use super::{ClaimRequest, Post, PostId, Queue, SubjectKey};
use crate::ids::ChannelId;
use crate::render::Message;

/// How much the texts of a community take in memory at most (bytes, about).
pub const MAX_BODIES: usize = 4 * 1_048_576;

/// How a post should look, if memory holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    Here {
        message: Arc<Message>,
        /// About how many bytes it takes.
        weight: usize,
    },
    /// Only in its row. Posts of a claim never are.
    Stored,
}

impl Body {
    #[must_use]
    pub fn is_here(&self) -> bool {
        matches!(self, Self::Here { .. })
    }

    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Here { weight, .. } => *weight,
            Self::Stored => 0,
        }
    }
}

impl From<Message> for Body {
    fn from(message: Message) -> Self {
        let weight = message.weight();
        Self::Here { message: Arc::new(message), weight }
    }
}

/// The text, of posts that have it here: those of a claim, and those that were just drawn.
impl Deref for Body {
    type Target = Message;

    fn deref(&self) -> &Message {
        static NONE: Message = Message {
            content: None,
            embeds: Vec::new(),
            roles: Vec::new(),
            buttons: Vec::new(),
            choices: Vec::new(),
            files: Vec::new(),
            silent: false,
        };
        debug_assert!(self.is_here(), "a text is looked at that was not brought back");
        match self {
            Self::Here { message, .. } => message,
            Self::Stored => &NONE,
        }
    }
}

/// The texts of a community that memory holds.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Bodies {
    bytes: usize,
    /// Whose they are, those first that are given up first: of what stands, the oldest; then of what waits, the one that leaves last.
    order: BTreeSet<(bool, i64)>,
}

fn place(post: &Post) -> (bool, i64) {
    if post.is_waiting() { (true, -post.id.0) } else { (false, post.id.0) }
}

impl Bodies {
    pub(super) fn add(&mut self, post: &Post) {
        self.bytes += post.message.weight();
        self.order.insert(place(post));
    }

    pub(super) fn take(&mut self, post: &Post) {
        self.bytes -= post.message.weight();
        self.order.remove(&place(post));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

impl Queue {
    /// Texts that [`Queue::claim`] will look at and that are not here.
    #[must_use]
    pub fn texts_to_claim(&self, request: &ClaimRequest) -> Vec<PostId> {
        let Some((found, _)) = self.first(request) else { return Vec::new() };
        let (ids, candidates) = self.of_message(found, request);
        let lead = ids.first().and_then(|lead| self.posts.get(lead));
        // A thread is called as its card is.
        let card = lead.and_then(|lead| self.card_of(lead)).map(|card| card.id);
        ids.into_iter().chain(candidates).chain(card).filter(|id| !self.is_here(*id)).collect()
    }

    /// The text that is compared with a draft of this post, if it is not here.
    #[must_use]
    pub fn text_to_compare(&self, channel: ChannelId, about: &SubjectKey) -> Option<PostId> {
        self.find(channel, about).map(|post| post.id).filter(|id| !self.is_here(*id))
    }

    fn is_here(&self, id: PostId) -> bool {
        self.posts.get(&id).is_none_or(|post| post.message.is_here())
    }

    /// Brings a text back, as its row has it.
    pub fn bring_back(&mut self, id: PostId, message: Message) {
        self.set_body(id, message.into());
    }

    /// Leaves texts to their rows, as far as memory holds more than `most` bytes of a community's; not those of rows that are to be written.
    pub fn shed_bodies(&mut self, most: usize) {
        let mut shed: Vec<PostId> = Vec::new();
        for Bodies { bytes, order } in self.index.bodies.values() {
            let mut bytes = *bytes;
            for (_, number) in order {
                if bytes <= most {
                    break;
                }
                let id = PostId(number.saturating_abs());
                if let Some(post) = self.posts.get(&id).filter(|_| !self.touched.contains_key(&id)) {
                    bytes -= post.message.weight();
                    shed.push(id);
                }
            }
        }
        shed.into_iter().for_each(|id| self.set_body(id, Body::Stored));
    }

    /// No change of the post: there is nothing to store, and nothing to undo.
    fn set_body(&mut self, id: PostId, body: Body) {
        if let Some(post) = self.posts.get_mut(&id) {
            self.index.displace_body(post);
            post.message = body;
            self.index.place_body(post);
        }
    }
}
