//! Decides what is sent next.

use super::{Claim, ClaimOutcome, ClaimRequest, Post, PostId, Queue, SubjectKey};
use crate::clock::UnixMs;
use crate::ids::ChannelId;
use crate::outbox::{LEASE, Lane, MAX_CARDS_PER_MESSAGE, Place, batch_size, nonce, share};
use crate::render;
use crate::render::text::SafeText;

impl ClaimRequest {
    fn takes(&self, lane: Lane) -> bool {
        !self.panics_only || lane == Lane::Panic
    }

    /// Whether a post's request may be sent now. Messages in threads and forum posts have buckets of their own.
    fn allows(&self, post: &Post) -> bool {
        match (post.place, post.message_id) {
            (Place::Archive, _) | (Place::Thread, None) => true,
            (_, None) => self.creates,
            (place, Some(_)) => self.edits || place != Place::Channel,
        }
    }
}

impl Queue {
    /// Claims the first post: by lane, then by age. A claimed post belongs to the claim until it is settled or released, or its lease
    /// runs out.
    pub fn claim(&mut self, request: &ClaimRequest) -> ClaimOutcome {
        let Some((found, lane)) = self.first(request) else { return self.not_before(request) };
        match self.claimed(found, lane, request) {
            Some(claim) => {
                self.hold(&claim, request.now);
                ClaimOutcome::Claimed(Box::new(claim))
            }
            None => ClaimOutcome::Nothing,
        }
    }

    pub(super) fn first(&self, request: &ClaimRequest) -> Option<(PostId, Lane)> {
        if self.parked.get(&request.channel).is_some_and(|parked| parked.retry_at > request.now) {
            return None;
        }
        let may_go = |post: &&Post| post.next_claim() <= request.now && request.allows(post) && self.is_ready(post);
        self.sendable(request).find(may_go).map(|post| (post.id, post.lane))
    }

    /// Waiting posts that match, in sending order.
    fn sendable(&self, request: &ClaimRequest) -> impl Iterator<Item = &Post> {
        let asked = |post: &&Post| request.takes(post.lane);
        self.waiting_in(request.channel).take_while(asked).filter(|post| self.is_served(post))
    }

    fn not_before(&self, request: &ClaimRequest) -> ClaimOutcome {
        let first = self.sendable(request).filter(|post| self.is_ready(post)).map(Post::next_claim).min();
        first.map_or(ClaimOutcome::Nothing, |at| ClaimOutcome::NotBefore(self.not_parked_at(request.channel, at)))
    }

    /// Not before this time, or later if the channel is retried later only.
    pub(super) fn not_parked_at(&self, channel: ChannelId, at: UnixMs) -> UnixMs {
        at.max(self.parked.get(&channel).map_or(UnixMs(0), |parked| parked.retry_at))
    }

    /// A message in a thread waits for the card of that thread, and so does a reply to a card that isn't sent yet; a thread is
    /// archived when nothing else about its card waits.
    pub(super) fn is_ready(&self, post: &Post) -> bool {
        let Some(about) = post.card() else { return !post.place.is_in_thread() };
        let card = self.find(post.channel, &about);
        let stands = card.is_some_and(|card| card.message_id.is_some());
        let waits = card.is_some_and(Post::is_waiting);
        match post.place {
            Place::Channel | Place::Forum => stands || !waits,
            Place::Thread => stands,
            Place::Archive => {
                stands && !waits && !self.children(post.channel, &about).any(|other| other.id != post.id && other.is_waiting())
            }
        }
    }

    fn claimed(&self, found: PostId, lane: Lane, request: &ClaimRequest) -> Option<Claim> {
        let (mut ids, candidates) = self.of_message(found, request);
        let lead = self.posts.get(ids.first()?)?.clone();
        let candidates: Vec<&Post> = candidates.iter().filter_map(|id| self.posts.get(id)).collect();
        if candidates.iter().chain([&&lead]).all(|post| post.message.is_here()) {
            let fit = batch_size(std::iter::once(&*lead.message).chain(candidates.iter().map(|post| &*post.message)));
            ids.extend(candidates.into_iter().take(fit - 1).map(|post| post.id));
        }
        let others: Vec<Post> = ids.iter().skip(1).filter_map(|id| self.posts.get(id).cloned()).collect();
        // Never sends a text that was not brought back.
        if !others.iter().chain([&lead]).all(|post| post.message.is_here()) {
            return None;
        }
        let card = self.card_of(&lead);
        let thread = card.and_then(|card| card.thread.or(card.message_id.filter(|_| card.place == Place::Forum).map(|id| ChannelId(id.0))));
        Some(Claim {
            lane,
            nonce: nonce(&self.instance, lead.id, lead.generation),
            reply_to: card.and_then(|card| card.message_id),
            thread,
            thread_name: card.and_then(|card| card.message.title()).unwrap_or_default(),
            urls: self.urls(&lead, &others),
            already_called: self.already_called(&lead),
            lead,
            others,
        })
    }

    /// The posts of the message of which this one is, and those that may go with it if it is new and their texts fit.
    pub(super) fn of_message(&self, found: PostId, request: &ClaimRequest) -> (Vec<PostId>, Vec<PostId>) {
        let Some(post) = self.posts.get(&found) else { return (Vec::new(), Vec::new()) };
        // Whose create carries them all is first in the message, as long as it is in it.
        if let Some(batch) = post.batch.and_then(|lead| self.index.batches.get(&lead)) {
            return (batch.iter().map(|(_, id)| *id).collect(), Vec::new());
        }
        let candidates = match (post.message_id, request.creates_left) {
            (None, Some(creates_left)) => self.batch_candidates(post, creates_left, request.now),
            _ => Vec::new(),
        };
        (vec![found], candidates)
    }

    /// Who goes with a new card, if more wait than messages may be made and the texts fit. Lines share with lines, cards with cards; what makes a sound does not
    /// share with what does not.
    fn batch_candidates(&self, lead: &Post, creates_left: u32, now: UnixMs) -> Vec<PostId> {
        if !lead.may_be_batched() {
            return Vec::new();
        }
        let alike = |post: &&Post| {
            post.id != lead.id
                && post.may_be_batched()
                && self.is_served(post)
                && (post.lane == Lane::Log) == (lead.lane == Lane::Log)
                && post.silent == lead.silent
                && post.next_claim() <= now
        };
        let enough = (creates_left as usize).saturating_mul(MAX_CARDS_PER_MESSAGE);
        let waiting: Vec<&Post> = self.waiting_in(lead.channel).filter(alike).take(enough.max(MAX_CARDS_PER_MESSAGE)).collect();
        let together = share(waiting.len().min(enough) + 1, Some(creates_left));
        waiting.into_iter().take(together - 1).map(|post| post.id).collect()
    }

    /// Whether another post of the same event pinged the same roles in this channel.
    fn already_called(&self, lead: &Post) -> bool {
        let same_event = self.index.events.get(&(lead.event, lead.channel)).into_iter().flatten();
        same_event.filter_map(|id| self.posts.get(id)).any(|other| {
            let called = !other.pings_suppressed && (other.shown_at.is_some() || other.creating_since.is_some());
            other.id != lead.id && other.roles == lead.roles && called
        })
    }

    /// Where the posts stand that the texts link to: in their own channel if there is one, else the oldest of the guild.
    fn urls(&self, lead: &Post, others: &[Post]) -> Vec<(SubjectKey, SafeText)> {
        let mut found: Vec<(SubjectKey, SafeText)> = Vec::new();
        for about in std::iter::once(lead).chain(others).flat_map(Post::linked) {
            if found.iter().any(|(known, _)| *known == about) {
                continue;
            }
            let stand = self.index.subjects.get(&about).into_iter().flatten().filter_map(|(_, id)| self.posts.get(id));
            let stand = stand.filter(|post| post.guild == lead.guild).filter_map(|post| Some((post, post.message_id?)));
            if let Some((post, message)) = stand.min_by_key(|(post, _)| (post.channel != lead.channel, post.id)) {
                let channel = if post.place == Place::Forum { ChannelId(message.0) } else { post.channel };
                found.push((about, render::notice::message_url(lead.guild, channel, message)));
            }
        }
        found
    }

    fn hold(&mut self, claim: &Claim, now: UnixMs) {
        let batch = claim.lead.batch.or((!claim.others.is_empty()).then_some(claim.lead.id));
        let ids: Vec<PostId> = claim.posts().map(|post| post.id).collect();
        for (slot, id) in (0..).zip(ids) {
            self.edit(id, |post| {
                post.claimed_until = Some(now.plus(LEASE));
                post.creating_since = if post.message_id.is_some() { None } else { Some(post.creating_since.unwrap_or(now)) };
                post.batch = batch;
                post.slot = slot;
            });
        }
    }
}
