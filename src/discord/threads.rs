//! Opens threads under cards, archives them, and posts in forum channels, where each card is its own thread. Discord's Channel resource,
//! "Start Thread from Message", "Start Thread in Forum or Media Channel", "Modify Channel".

use reqwest::Method;
use serde_json::{Value, json};

use super::refusal_cause::HAS_THREAD;
use super::rest::{AskError, CLOCKS_DIFFER, Rest, SendResult, same};
use super::thread_name::{AUTO_ARCHIVE_MIN, lasting, name, neutral};
use crate::ids::{ChannelId, MessageId};
use crate::outbox::{Claim, Obstacle, Operation, Place, RateHeaders, Verdict};
use crate::render::Message;
use crate::render::text::SafeText;

/// Forum posts checked for one that a crash made us forget: each costs a request.
const MAX_POSTS_CHECKED: usize = 10;

impl Rest {
    /// Opens the thread of a claim's card. An existing thread counts as success.
    ///
    /// # Errors
    /// The verdict to settle with.
    pub async fn open_thread(&self, claim: &Claim) -> Result<ChannelId, SendResult> {
        let failed = |verdict| SendResult { verdict, headers: RateHeaders::default(), operation: None };
        let Some(card) = claim.reply_to else { return Err(failed(Verdict::MessageGone)) };
        let path = format!("/channels/{}/messages/{card}/threads", claim.lead.channel);
        let request = |name: SafeText| {
            let body = json!({ "name": name, "auto_archive_duration": AUTO_ARCHIVE_MIN });
            self.request(Method::POST, &path).json(&body)
        };
        let mut answer = self.execute(request(name(&lasting(&claim.thread_name))), claim, None).await;
        if matches!(answer.verdict, Verdict::Obstructed { obstacle: Obstacle::Name, .. }) {
            answer = self.again(request(neutral(claim)), claim, None).await;
        }
        match answer.verdict {
            Verdict::Delivered(id) => Ok(ChannelId(id.0)),
            Verdict::Obstructed { obstacle: Obstacle::Unknown(HAS_THREAD), .. } => Ok(ChannelId(card.0)),
            _ => Err(answer),
        }
    }

    /// Archives a thread under the claim's title, which says how it ended.
    pub async fn archive(&self, claim: &Claim) -> SendResult {
        let titled = |title: Option<SafeText>| {
            let mut body = json!({ "archived": true });
            if let (Some(title), Some(fields)) = (title, body.as_object_mut()) {
                fields.insert("name".into(), name(&title).into_string().into());
            }
            self.request(Method::PATCH, &format!("/channels/{}", claim.channel())).json(&body)
        };
        let operation = Some(Operation::Archive);
        let answer = self.execute(titled(claim.lead.message.title()), claim, operation).await;
        match answer.verdict {
            // It keeps its name.
            Verdict::Obstructed { obstacle: Obstacle::Name, .. } => self.again(titled(None), claim, operation).await,
            // It is archived already, by Discord or by a person; a locked one stays as that person left it.
            Verdict::Obstructed { obstacle: Obstacle::Locked, .. } => match self.take_out(claim).await.verdict {
                Verdict::Delivered(_) => self.again(titled(claim.lead.message.title()), claim, operation).await,
                Verdict::Obstructed { obstacle: Obstacle::Locked, .. } => SendResult { verdict: Verdict::MessageGone, ..answer },
                verdict => SendResult { verdict, ..answer },
            },
            _ => answer,
        }
    }

    /// Reopens an archived thread. A locked one stays as it is: whoever locked it doesn't want that.
    async fn take_out(&self, claim: &Claim) -> SendResult {
        let body = json!({ "archived": false });
        let request = self.request(Method::PATCH, &format!("/channels/{}", claim.channel())).json(&body);
        let answer = self.again(request, claim, None).await;
        match answer.verdict {
            // `Invalid`, too, is about the place here: the body is always the same.
            Verdict::Refused { reason } | Verdict::Invalid { reason } | Verdict::Obstructed { obstacle: Obstacle::Threads, reason } => {
                SendResult { verdict: Verdict::Obstructed { obstacle: Obstacle::Locked, reason }, ..answer }
            }
            verdict => SendResult { verdict, ..answer },
        }
    }

    /// Sends a claim. If its thread is archived, reopens it and tries once more.
    pub async fn send_as_placed(&self, claim: &Claim, message: &Message) -> SendResult {
        let answer = self.send(claim, message).await;
        let in_thread = claim.lead.place.is_in_thread() || (claim.lead.place == Place::Forum && claim.lead.message_id.is_some());
        match &answer.verdict {
            Verdict::Obstructed { obstacle: Obstacle::Locked, .. } if in_thread => {
                let opened = self.take_out(claim).await;
                if matches!(opened.verdict, Verdict::Delivered(_)) { self.send(claim, message).await } else { opened }
            }
            _ => answer,
        }
    }

    /// The first message of the forum post that an earlier create of this claim made, as a channel's history would list it. Searched
    /// among our posts there that belong to no other post, the nearest in time first.
    pub(super) async fn forum_starters(&self, claim: &Claim, owned: impl Fn(MessageId) -> bool) -> Result<Value, AskError> {
        let threads = self.ask(&format!("/guilds/{}/threads/active", claim.lead.guild)).await?;
        let forum = claim.lead.channel.to_string();
        let sent = claim.lead.creating_since.unwrap_or_default();
        let since = sent.minus(CLOCKS_DIFFER);
        let me = self.user();
        let ours = |thread: &&Value| {
            me.is_none() || thread.get("owner_id").is_none_or(|owner| owner.as_str().and_then(|id| id.parse().ok()) == me)
        };
        let mut recent: Vec<u64> = threads
            .get("threads")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter(|thread| thread.get("parent_id").and_then(Value::as_str) == Some(&*forum))
            .filter(ours)
            .filter_map(|thread| thread.get("id")?.as_str()?.parse().ok())
            .filter(|id| MessageId(*id).made_at() >= since)
            .collect();
        // It was created when its request was sent; others may be in doubt too, and many may have been created since.
        recent.sort_by_key(|id| MessageId(*id).made_at().apart(sent));
        let mut looked_at = 0;
        for id in recent {
            if owned(MessageId(id)) {
                continue;
            }
            looked_at += 1;
            if looked_at > MAX_POSTS_CHECKED {
                break;
            }
            match self.ask(&format!("/channels/{id}/messages/{id}")).await {
                Ok(message) if same(&message, claim) => return Ok(Value::Array(vec![message])),
                Ok(_) => {}
                // Deleted meanwhile.
                Err(AskError::Refused(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Value::Array(Vec::new()))
    }
}
