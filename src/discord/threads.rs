//! Threads: opened under a card, closed with it; and forum channels, where each card is a thread of its own. Discord's Channel resource,
//! "Start Thread from Message", "Start Thread in Forum or Media Channel", "Modify Channel".

use reqwest::Method;
use serde_json::{Value, json};

use super::rest::{Answer, AskError, CLOCKS_DIFFER_MS, Rest, same};
use crate::ids::{ChannelId, MessageId};
use crate::outbox::{Claim, Operation, RateHeaders, Verdict};
use crate::render::Message;

/// Minutes without a message after which Discord puts a thread away by itself.
const AUTO_ARCHIVE_MIN: u32 = 1_440;
/// A thread hangs on that message already.
const HAS_THREAD: i64 = 160_004;
/// The thread is put away: nothing in it can be edited.
const ARCHIVED: i64 = 50_083;
/// Forum posts looked at for one that a crash made us forget: each costs a request.
const MOST_LOOKED_AT: usize = 10;
/// What a thread without any title is called.
const NAMELESS: &str = "Call";

impl Rest {
    /// Opens the thread of a claim's card. A thread that is there already is as good.
    ///
    /// # Errors
    /// The answer to settle with.
    pub async fn open_thread(&self, claim: &Claim) -> Result<ChannelId, Answer> {
        let failed = |verdict| Answer { verdict, headers: RateHeaders::default(), operation: None };
        let Some(card) = claim.reply_to else { return Err(failed(Verdict::MessageGone)) };
        let path = format!("/channels/{}/messages/{card}/threads", claim.key.channel);
        let body = json!({ "name": name(lasting(&claim.thread_name)), "auto_archive_duration": AUTO_ARCHIVE_MIN });
        let answer = self.execute(self.request(Method::POST, &path).json(&body), claim, None).await;
        match answer.verdict {
            Verdict::Delivered(id) => Ok(ChannelId(id.0)),
            Verdict::Invalid { ref reason } if reason.contains(&format!("({HAS_THREAD})")) => Ok(ChannelId(card.0)),
            _ => Err(answer),
        }
    }

    /// Puts a thread away under the claim's title, which says how it ended.
    pub async fn archive(&self, claim: &Claim) -> Answer {
        let mut body = json!({ "archived": true });
        if let (Some(title), Some(fields)) = (claim.message.title(), body.as_object_mut()) {
            fields.insert("name".into(), name(title).into());
        }
        self.execute(self.request(Method::PATCH, &format!("/channels/{}", claim.channel())).json(&body), claim, Some(Operation::Archive))
            .await
    }

    async fn take_out(&self, claim: &Claim) -> Answer {
        let body = json!({ "archived": false });
        self.execute(self.request(Method::PATCH, &format!("/channels/{}", claim.channel())).json(&body), claim, None).await
    }

    /// Sends an edit in a forum post that may have been put away: takes it out and tries once more.
    pub async fn edit_forum_post(&self, claim: &Claim, message: &Message) -> Answer {
        let answer = self.send(claim, message).await;
        let archived = |reason: &str| reason.contains(&format!("({ARCHIVED})"));
        match &answer.verdict {
            Verdict::Invalid { reason } if archived(reason) => {
                let opened = self.take_out(claim).await;
                if matches!(opened.verdict, Verdict::Delivered(_)) { self.send(claim, message).await } else { opened }
            }
            _ => answer,
        }
    }

    /// The first message of the post that an earlier create of this claim made in its forum, as a channel's history would list it: looked for
    /// among our posts there that are not known as another one's, the nearest in time first.
    pub(super) async fn forum_starters(&self, claim: &Claim, owned: impl Fn(MessageId) -> bool) -> Result<Value, AskError> {
        let threads = self.ask(&format!("/guilds/{}/threads/active", claim.guild)).await?;
        let forum = claim.key.channel.to_string();
        let sent = claim.creating_since.map_or(0, |at| at.0);
        let since = sent.saturating_sub(CLOCKS_DIFFER_MS);
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
            .filter(|id| MessageId(*id).made_at().0 >= since)
            .collect();
        // It was made when its create was sent; others may be in doubt too, and many may have been made since.
        recent.sort_by_key(|id| MessageId(*id).made_at().0.abs_diff(sent));
        let mut looked_at = 0;
        for id in recent {
            if owned(MessageId(id)) {
                continue;
            }
            looked_at += 1;
            if looked_at > MOST_LOOKED_AT {
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

/// The body of a forum post: its name is the card's title. Forum posts know no nonce.
pub(super) fn forum_post(message: &Message, mut body: Value) -> Value {
    if let Some(fields) = body.as_object_mut() {
        fields.remove("nonce");
        fields.remove("enforce_nonce");
    }
    json!({ "name": name(lasting(&message.title().unwrap_or_default())), "auto_archive_duration": AUTO_ARCHIVE_MIN, "message": body })
}

/// What of a title holds for long: `🚔 P2 · 211 Robbery` without its priority. Discord lets a thread change its name twice in ten minutes.
fn lasting(title: &str) -> String {
    match (title.split_once(' '), title.split_once(" · ")) {
        (Some((emoji, _)), Some((_, rest))) if !emoji.is_ascii() => format!("{emoji} {rest}"),
        _ => title.to_owned(),
    }
}

fn name(title: impl Into<String>) -> String {
    Some(title.into()).filter(|title| !title.trim().is_empty()).unwrap_or_else(|| NAMELESS.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_named_by_what_does_not_change() {
        assert_eq!(lasting("🚔 P2 · 211 Robbery · Alta St"), "🚔 211 Robbery · Alta St");
        assert_eq!(lasting("🚨 911 · Fire"), "🚨 Fire");
        assert_eq!(lasting("Robbery · Alta St"), "Robbery · Alta St");
        assert_eq!((lasting("🚔 Dispatch").as_str(), name(" ").as_str()), ("🚔 Dispatch", NAMELESS));
    }
}
