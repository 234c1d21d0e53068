//! One claim, one message: what it says at the moment it is sent.

use super::Shared;
use crate::clock::UnixMs;
use crate::discord::rest::{Answer, CLOCKS_DIFFER_MS};
use crate::ids::MessageId;
use crate::outbox::{Claim, Place, RateHeaders, Verdict};
use crate::render::{self, Message};
use crate::store::StoreError;

/// One card of a claim, as it is sent.
struct Card<'a> {
    message: &'a Message,
    urls: &'a [(String, String)],
    happened_at: UnixMs,
    shown_at: Option<UnixMs>,
    unpinged: bool,
    /// It was deleted by a person, or over before it was ever shown: nobody needs to be called to it.
    calls_nobody: bool,
    anew: bool,
}

impl<'a> Card<'a> {
    /// The cards of a claim, in their order.
    fn of(claim: &'a Claim) -> impl Iterator<Item = Self> {
        let lead = Self {
            message: &claim.message,
            urls: &claim.urls,
            happened_at: claim.happened_at,
            shown_at: claim.shown_at,
            unpinged: claim.unpinged,
            // An answer calls to what goes on, whatever became of its text meanwhile.
            calls_nobody: claim.hushed || (claim.over && claim.version > 1 && claim.place != Place::Thread && claim.reply_to.is_none()),
            anew: claim.anew,
        };
        let others = claim.others.iter().map(|member| Self {
            message: &member.message,
            urls: &member.urls,
            happened_at: member.happened_at,
            shown_at: member.shown_at,
            unpinged: member.unpinged,
            calls_nobody: member.over && member.version > 1,
            anew: member.anew,
        });
        std::iter::once(lead).chain(others)
    }

    fn linked(&self) -> Message {
        let url = |subject: &str| self.urls.iter().find(|(to, _)| to == subject).map(|(_, url)| url.clone());
        render::linked(self.message.clone(), url)
    }

    /// As it is made. Second: whether it calls nobody although it names roles.
    fn made(&self, now: UnixMs) -> (Message, bool) {
        let message = self.linked();
        let named = !message.roles.is_empty();
        let mut new = if self.calls_nobody { render::unpinged(message) } else { message };
        new = render::late(new, self.happened_at, now);
        if self.anew {
            new.roles.clear();
            new.silent = true;
        }
        let unpinged = named && new.roles.is_empty();
        (new, unpinged)
    }

    /// As it stands: as late as it was when it was made, and calling nobody now.
    fn standing(&self) -> Message {
        let message = self.linked();
        let message = if self.unpinged { render::unpinged(message) } else { message };
        render::late(message, self.happened_at, self.shown_at.unwrap_or(self.happened_at))
    }
}

fn standing(claim: &Claim) -> Message {
    together(Card::of(claim).map(|card| card.standing()).collect())
}

fn together(mut messages: Vec<Message>) -> Message {
    match messages.pop() {
        Some(alone) if messages.is_empty() => alone,
        last => {
            messages.extend(last);
            render::pack(messages)
        }
    }
}

impl Shared {
    /// Sends a claim, and notes in it whether its creation called nobody.
    pub(super) async fn send(&self, claimed: &mut Claim) -> Result<Answer, StoreError> {
        let outside = &self.outside;
        let now = outside.clock.now();
        match (claimed.place, claimed.thread) {
            // A call whose thread was never opened has none to put away.
            (Place::Archive, None) => return Ok(said(Verdict::MessageGone)),
            (Place::Archive, Some(_)) => return Ok(outside.rest.archive(claimed).await),
            (Place::Thread, None) => {
                outside.gate.note();
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
                    let found = Claim { standing: Some(message), ..claimed.clone() };
                    return Ok(self.outside.rest.send_as_placed(&found, &standing(&found)).await);
                }
                Ok(None) => {}
                Err(verdict) => return Ok(said(verdict)),
            }
        }
        if claimed.standing.is_some() {
            return Ok(outside.rest.send_as_placed(claimed, &standing(claimed)).await);
        }
        let (messages, unpinged): (Vec<Message>, Vec<bool>) = Card::of(claimed).map(|card| card.made(now)).unzip();
        let answer = outside.rest.send_as_placed(claimed, &together(messages)).await;
        let brought_back = claimed.may_bring_back_older();
        let mut calls = unpinged.into_iter();
        claimed.unpinged = calls.next().unwrap_or_default();
        for (member, unpinged) in claimed.others.iter_mut().zip(calls) {
            member.unpinged = unpinged;
        }
        match answer.verdict {
            Verdict::Delivered(made) if brought_back => {
                outside.gate.note();
                let made = Claim { standing: Some(made), ..claimed.clone() };
                Ok(outside.rest.send_as_placed(&made, &standing(&made)).await)
            }
            _ => Ok(answer),
        }
    }

    /// Looks for the message of a create that was cut off.
    async fn find(&self, claim: &Claim) -> Result<Option<MessageId>, Verdict> {
        let since = claim.creating_since.map_or(0, |at| at.0.saturating_sub(CLOCKS_DIFFER_MS));
        let known = self.outside.store.messages_since(claim.key.channel, MessageId::earliest(UnixMs(since))).await;
        // Not to know is no reason to make a second one.
        let known = known.map_err(|error| Verdict::Retry { reason: error.to_string() })?;
        let found = self.outside.rest.find(claim, |message| known.contains(&message)).await?;
        if let Some(message) = found {
            tracing::info!(channel = %claim.key.channel, %message, "found the message of a create that was cut off");
        }
        Ok(found)
    }
}

fn said(verdict: Verdict) -> Answer {
    Answer { verdict, headers: RateHeaders::default(), operation: None }
}
