//! One claim, one message: what it says at the moment it is sent.

use super::Shared;
use crate::clock::UnixMs;
use crate::discord::rest::{CLOCKS_DIFFER, SendResult};
use crate::ids::MessageId;
use crate::outbox::{Claim, Place, Post, RateHeaders, Verdict};
use crate::render::{self, Message};
use crate::store::StoreError;

/// A post's message, with the addresses of what it links to.
fn linked(claim: &Claim, post: &Post) -> Message {
    render::linked(post.new_message(), |subject| claim.url(post, subject).cloned())
}

/// As a post is made. Second: whether it calls nobody although it names roles.
fn made(claim: &Claim, post: &Post, now: UnixMs) -> (Message, bool) {
    let message = linked(claim, post);
    let named = !message.roles.is_empty();
    let mut new = if calls_nobody(claim, post) { render::unpinged(message) } else { message };
    new = render::late(new, post.happened_at, now);
    if post.is_recreated() {
        new.roles.clear();
        new.silent = true;
    }
    let suppressed = named && new.roles.is_empty();
    (new, suppressed)
}

/// Another post of its event called already, or it was closed before it was ever shown: nobody needs to be called to it.
fn calls_nobody(claim: &Claim, post: &Post) -> bool {
    let is_late = post.closed && post.version > 1;
    if post.id == claim.lead.id {
        // An answer calls to what goes on, whatever became of its text meanwhile.
        claim.already_called || (is_late && post.place != Place::Thread && claim.reply_to.is_none())
    } else {
        is_late
    }
}

/// As a post stands: as late as it was when it was made, and calling nobody now.
fn as_shown(claim: &Claim, post: &Post) -> Message {
    let message = linked(claim, post);
    let message = if post.pings_suppressed { render::unpinged(message) } else { message };
    render::late(message, post.happened_at, post.shown_at.unwrap_or(post.happened_at))
}

fn standing(claim: &Claim) -> Message {
    together(claim.posts().map(|post| as_shown(claim, post)).collect())
}

fn together(mut messages: Vec<Message>) -> Message {
    match messages.pop() {
        Some(alone) if messages.is_empty() => alone,
        last => {
            messages.extend(last);
            render::batch(messages)
        }
    }
}

impl Shared {
    /// Sends a claim, and notes in it whether its creation called nobody.
    pub(super) async fn send(&self, claimed: &mut Claim) -> Result<SendResult, StoreError> {
        let outside = &self.outside;
        let now = outside.clock.now();
        match (claimed.lead.place, claimed.thread) {
            // A call whose thread was never opened has none to put away.
            (Place::Archive, None) => return Ok(said(Verdict::MessageGone)),
            (Place::Archive, Some(_)) => return Ok(outside.rest.archive(claimed).await),
            (Place::Thread, None) => {
                outside.scheduler.note();
                match outside.rest.open_thread(claimed).await {
                    Ok(thread) => {
                        outside.store.opened_thread(claimed, thread).await?;
                        claimed.thread = Some(thread);
                    }
                    Err(answer) => return Ok(answer),
                }
            }
            (Place::Channel | Place::Forum | Place::Thread, _) => {}
        }
        if claimed.must_look_first(now) {
            match self.find(claimed).await {
                Ok(Some(message)) => {
                    let found = standing_at(claimed, message);
                    return Ok(self.outside.rest.send_as_placed(&found, &standing(&found)).await);
                }
                Ok(None) => {}
                Err(verdict) => return Ok(said(verdict)),
            }
        }
        if claimed.lead.message_id.is_some() {
            return Ok(outside.rest.send_as_placed(claimed, &standing(claimed)).await);
        }
        let (messages, suppressed): (Vec<Message>, Vec<bool>) = claimed.posts().map(|post| made(claimed, post, now)).unzip();
        let answer = outside.rest.send_as_placed(claimed, &together(messages)).await;
        let brought_back = claimed.may_bring_back_older();
        for (post, suppressed) in std::iter::once(&mut claimed.lead).chain(&mut claimed.others).zip(suppressed) {
            post.pings_suppressed = suppressed;
        }
        match answer.verdict {
            Verdict::Delivered(made) if brought_back => {
                outside.scheduler.note();
                let made = standing_at(claimed, made);
                Ok(outside.rest.send_as_placed(&made, &standing(&made)).await)
            }
            _ => Ok(answer),
        }
    }

    /// Looks for the message of a create that was cut off.
    async fn find(&self, claim: &Claim) -> Result<Option<MessageId>, Verdict> {
        let since = claim.lead.creating_since.map_or(UnixMs(0), |at| at.minus(CLOCKS_DIFFER));
        let known = self.outside.store.messages_since(claim.lead.channel, MessageId::earliest(since)).await;
        // Not to know is no reason to make a second one.
        let known = known.map_err(|error| Verdict::Retry { reason: error.to_string() })?;
        let found = self.outside.rest.find(claim, |message| known.contains(&message)).await?;
        if let Some(message) = found {
            tracing::info!(channel = %claim.lead.channel, %message, "found the message of a create that was cut off");
        }
        Ok(found)
    }
}

/// The claim, once it is known that its message stands.
fn standing_at(claim: &Claim, message: MessageId) -> Claim {
    let mut claim = claim.clone();
    claim.lead.message_id = Some(message);
    claim
}

fn said(verdict: Verdict) -> SendResult {
    SendResult { verdict, headers: RateHeaders::default(), operation: None }
}
