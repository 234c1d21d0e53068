//! Which texts memory holds: a bounded part, and what a call looks at.
//!
//! Whoever calls the queue brings back what it will look at ([`Queue::texts_to_claim`], [`Queue::text_to_compare`]). A text that changed stays until
//! its row was written.

use super::{Body, ClaimRequest, PostId, Queue, SubjectKey};
use crate::ids::ChannelId;
use crate::render::Message;

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
        for bodies in self.index.bodies.values() {
            let mut bytes = bodies.bytes;
            for id in bodies.in_order() {
                if bytes <= most {
                    break;
                }
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
