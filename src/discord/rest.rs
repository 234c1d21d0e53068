//! Sends one request to Discord and returns one [`Verdict`].
//!
//! serenity's own limiter sleeps without the caller's knowledge and ignores the base URL, so it is off everywhere
//! ([`Rest::serenity`] is the only place that builds serenity's `Http`, for the gateway and for responses to interactions). Alerts are
//! written as JSON and executed here, where status, headers and 429 bodies can be read.

use std::sync::{Arc, RwLock};
use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use reqwest::{Client, Method, RequestBuilder, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::Value;

use super::answer::{header, judge, rate_headers, read, said, scope};
pub use super::ask_error::AskError;
use super::message_body::{Create, MessageBody};
use super::refusal_cause::{RefusalCause, about, own};
use super::thread_name::{ForumPost, neutral};
use crate::clock::UnixMs;
use crate::ids::{ChannelId, MessageId};
use crate::metrics::{AnswerClass, LimitScope, Metrics};
use crate::outbox::{Claim, Obstacle, Operation, Place, RateHeaders, RateScope, Verdict};
use crate::render::Message;
use crate::render::text::SafeText;
use crate::send_scheduler::SendScheduler;

/// Time limit for one response. Shorter than a claim's lease, so that a lease never runs out during a request.
pub const TIME: Duration = Duration::from_secs(20);
/// How many messages of a channel are searched for one that a crash made us forget, from its time on: one page of Discord's.
const LOOK_BACK: u32 = 100;

/// Discord's REST API, version 10. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Rest {
    client: Client,
    base: Arc<str>,
    token: SecretString,
    metrics: Metrics,
    /// The replacement for Discord, also for its files; `None` = Discord itself.
    files: Option<url::Url>,
    /// Counts every request, so that all of them together stay within Discord's limits.
    scheduler: Option<SendScheduler>,
    /// Our own user id, from Discord: only our own messages can be the one we look for.
    me: Arc<RwLock<Option<u64>>>,
}

/// Who we are, as Discord says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Me {
    /// The bot user's id.
    pub user: u64,
    pub name: String,
    /// The application's id, for the invite link.
    pub application: u64,
    /// The application may be invited by anybody.
    pub public: bool,
    /// Message Content Intent is enabled, so that `DISCORD_MESSAGE_CONTENT=on` will be granted. True if Discord doesn't say.
    pub may_read: bool,
}

/// Shown for a public bot: strangers see nothing without a link, but every server that adds it costs the owner attention.
pub const PUBLIC: &str = "Public Bot is on, so anyone with the invite link can add this bot to their own Discord server. They see nothing there without your API key; to keep them out altogether, switch off Public Bot at https://discord.com/developers/applications (your application, page Bot)";

/// Application flags: `GATEWAY_MESSAGE_CONTENT`, and the same for bots in fewer than 100 servers (`…_LIMITED`).
const MAY_READ: u64 = 1 << 18 | 1 << 19;

/// The same error without the URL: that of an interaction's response contains its token.
#[must_use]
pub fn without_address(error: serenity::Error) -> serenity::Error {
    match error {
        serenity::Error::Http(serenity::http::HttpError::Request(error)) => {
            serenity::Error::Http(serenity::http::HttpError::Request(error.without_url()))
        }
        other => other,
    }
}

/// A result, with its rate-limit headers.
#[derive(Debug)]
pub struct SendResult {
    /// What it means.
    pub verdict: Verdict,
    /// The bucket's headers.
    pub headers: RateHeaders,
    /// The bucket's channel and operation; `None` for requests without one here.
    pub operation: Option<Operation>,
}

impl Rest {
    /// `base` as in `DISCORD_API_URL`, without `/api/v10`.
    ///
    /// # Errors
    /// If no HTTP client can be made.
    pub fn new(base: &str, token: SecretString, metrics: Metrics) -> anyhow::Result<Self> {
        let client = Client::builder()
            .user_agent(concat!("DiscordBot (https://github.com/tenfour-bot/tenfour, ", env!("CARGO_PKG_VERSION"), ")"))
            .timeout(TIME)
            .connect_timeout(Duration::from_secs(10))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .context("cannot make an HTTP client")?;
        let base: Arc<str> = base.trim_end_matches('/').into();
        Ok(Self { client, files: url::Url::parse(&base).ok(), base, token, metrics, scheduler: None, me: Arc::default() })
    }

    /// The same, accepting files from this URL too: a recorder has another one than what it records.
    #[must_use]
    pub fn with_files_at(self, api_url: &str) -> Self {
        Self { files: url::Url::parse(api_url).ok(), ..self }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn files(&self) -> Option<&url::Url> {
        self.files.as_ref()
    }

    /// The same, reporting requests and rejections to the send scheduler.
    #[must_use]
    pub fn with_scheduler(self, scheduler: SendScheduler) -> Self {
        Self { scheduler: Some(scheduler), ..self }
    }

    /// Counts a response by its class, and toward Discord's ban: 401, 403, and a 429 that isn't shared.
    fn answered(&self, response: &Response) {
        let class = AnswerClass::of(response.status().as_u16());
        self.metrics.answer(class);
        let counts_as_invalid = match class {
            AnswerClass::Unauthorised | AnswerClass::Forbidden => true,
            AnswerClass::RateLimited => {
                let scope = scope(response);
                self.metrics.limited(match scope {
                    RateScope::User => LimitScope::User,
                    RateScope::Shared => LimitScope::Shared,
                    RateScope::Global => LimitScope::Global,
                });
                scope != RateScope::Shared
            }
            _ => false,
        };
        if let Some(scheduler) = self.scheduler.as_ref().filter(|_| counts_as_invalid) {
            scheduler.invalid();
        }
    }

    /// serenity's client for the gateway and for responses to interactions, with its limiter off and our base URL: the only constructor.
    #[must_use]
    pub fn serenity(&self) -> serenity::http::Http {
        serenity::http::HttpBuilder::new(self.token.expose_secret())
            .client(self.client.clone())
            .proxy(&*self.base)
            .ratelimiter_disabled(true)
            .default_allowed_mentions(serenity::builder::CreateAllowedMentions::new())
            .build()
    }

    /// For the gateway's own sign-in.
    pub(super) fn token(&self) -> &SecretString {
        &self.token
    }

    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}/api/v10{path}", self.base))
            .header("Authorization", format!("Bot {}", self.token.expose_secret()))
    }

    /// Fetches the bot's own application.
    ///
    /// # Errors
    /// [`AskError`].
    pub async fn me(&self) -> Result<Me, AskError> {
        let user = self.ask("/users/@me").await?;
        let application = self.ask("/oauth2/applications/@me").await?;
        let id = |value: &Value| value.get("id").and_then(Value::as_str).and_then(|id| id.parse::<u64>().ok());
        let me = Me {
            user: id(&user).ok_or_else(|| AskError::Trouble("no user id in the answer".into()))?,
            name: user.get("username").and_then(Value::as_str).unwrap_or("the bot").to_owned(),
            application: id(&application).ok_or_else(|| AskError::Trouble("no application id in the answer".into()))?,
            public: application.get("bot_public").and_then(Value::as_bool).unwrap_or(true),
            may_read: application.get("flags").and_then(Value::as_u64).is_none_or(|flags| flags & MAY_READ != 0),
        };
        self.is_me(me.user);
        Ok(me)
    }

    /// Stores our own user id.
    pub fn is_me(&self, user: u64) {
        *self.me.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(user);
    }

    /// Our own user id, if it is known yet.
    pub(super) fn user(&self) -> Option<u64> {
        *self.me.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// One GET whose answer is JSON. `path` begins with `/` and follows `/api/v10`.
    ///
    /// # Errors
    /// [`AskError`].
    pub async fn ask(&self, path: &str) -> Result<Value, AskError> {
        let body = self.exchange(Method::GET, path).await?;
        serde_json::from_slice(&body).map_err(|_| AskError::Trouble("the answer is no JSON".into()))
    }

    /// Deletes one of our own messages. One that is gone already counts as deleted.
    ///
    /// # Errors
    /// [`AskError`].
    pub async fn delete(&self, channel: ChannelId, message: MessageId) -> Result<(), AskError> {
        match self.exchange(Method::DELETE, &format!("/channels/{channel}/messages/{message}")).await {
            // 10008 Unknown Message, 10003 Unknown Channel.
            Err(AskError::Refused(reason)) if reason.contains("(10008)") || reason.contains("(10003)") => Ok(()),
            other => other.map(|_| ()),
        }
    }

    /// One request without a body; returns the response body on success.
    async fn exchange(&self, method: Method, path: &str) -> Result<Vec<u8>, AskError> {
        let trouble = |error: reqwest::Error| AskError::Trouble(error.without_url().to_string());
        if let Some(scheduler) = &self.scheduler {
            scheduler.note();
        }
        let response = self.request(method, path).send().await.map_err(|error| {
            self.metrics.answer(AnswerClass::Network);
            trouble(error)
        })?;
        let status = response.status();
        self.answered(&response);
        let retry_after = header(&response, "retry-after");
        let body = read(response).await.map_err(AskError::Trouble)?;
        match status.as_u16() {
            200..=299 => Ok(body),
            401 if own(&body).is_some() => Err(AskError::Token),
            429 => Err(AskError::Wait(Duration::try_from_secs_f64(retry_after.unwrap_or(5.0).ceil()).unwrap_or(Duration::MAX))),
            // A proxy between us and Discord may refuse too, and so may Discord for a moment: neither says anything about the request.
            400..=499 => match about(&body, status.as_u16()) {
                None | Some(RefusalCause::Way(Obstacle::Edge | Obstacle::Down | Obstacle::Limit(_))) => {
                    Err(AskError::Trouble(said(&body, status)))
                }
                Some(_) => Err(AskError::Refused(said(&body, status))),
            },
            _ => Err(AskError::Trouble(format!("HTTP {status}"))),
        }
    }

    /// Sends a claim: creates its message or edits the existing one.
    pub async fn send(&self, claim: &Claim, message: &Message) -> SendResult {
        let channel = claim.channel();
        let (method, path) = match (claim.lead.message_id, claim.lead.place) {
            (Some(id), _) => (Method::PATCH, format!("/channels/{channel}/messages/{id}")),
            (None, Place::Forum) => (Method::POST, format!("/channels/{channel}/threads")),
            (None, _) => (Method::POST, format!("/channels/{channel}/messages")),
        };
        let create = claim.lead.message_id.is_none();
        // A message in a thread replies to nothing.
        let reply_to = claim.reply_to.filter(|_| claim.lead.place == Place::Channel);
        let is_post = create && claim.lead.place == Place::Forum;
        let nonce = (!is_post).then_some(claim.nonce.as_str());
        let content = MessageBody::new(message, create.then_some(Create { nonce, reply_to }));
        let operation = Some(if create { Operation::Create } else { Operation::Edit });
        let broken = |reason| SendResult { verdict: Verdict::Invalid { reason }, headers: RateHeaders::default(), operation: None };
        if !is_post {
            return match with_files(self.request(method, &path), message, &content, create) {
                Ok(request) => self.execute(request, claim, operation).await,
                Err(reason) => broken(reason),
            };
        }
        let request = |title: &SafeText| with_files(self.request(method.clone(), &path), message, &ForumPost::new(title, &content), create);
        let answer = match request(&message.title().unwrap_or_default()) {
            Ok(request) => self.execute(request, claim, operation).await,
            Err(reason) => return broken(reason),
        };
        // The name alone isn't worth an alert.
        match answer.verdict {
            Verdict::Obstructed { obstacle: Obstacle::Name, .. } => match request(&neutral(claim)) {
                Ok(request) => self.again(request, claim, operation).await,
                Err(reason) => broken(reason),
            },
            _ => answer,
        }
    }

    /// A second request for the same claim, at once.
    pub(super) async fn again(&self, request: RequestBuilder, claim: &Claim, operation: Option<Operation>) -> SendResult {
        if let Some(scheduler) = &self.scheduler {
            scheduler.note();
        }
        self.execute(request, claim, operation).await
    }

    /// Makes one request for a claim.
    pub(super) async fn execute(&self, request: RequestBuilder, claim: &Claim, operation: Option<Operation>) -> SendResult {
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => {
                self.metrics.answer(AnswerClass::Network);
                let reason = format!("no answer from Discord: {}", error.without_url());
                return SendResult { verdict: Verdict::Retry { reason }, headers: RateHeaders::default(), operation: None };
            }
        };
        self.answered(&response);
        let headers = rate_headers(&response);
        SendResult { verdict: judge(response, claim).await, headers, operation }
    }

    /// Searches the channel's recent messages for one that an earlier, unsettled create of this claim may have made: ours, not older
    /// than that create, with the same nonce, or with the same footer beginning and timestamp, which never change for a subject.
    /// `owned` says whether a message belongs to another post.
    ///
    /// # Errors
    /// A verdict to settle with, if the channel can't be searched.
    pub async fn find(&self, claim: &Claim, owned: impl Fn(MessageId) -> bool) -> Result<Option<MessageId>, Verdict> {
        let since = claim.lead.creating_since.map_or(UnixMs(0), |at| at.minus(CLOCKS_DIFFER));
        let messages = match claim.lead.place {
            Place::Forum => self.forum_starters(claim, &owned).await.map_err(as_verdict)?,
            _ => self
                .ask(&format!("/channels/{}/messages?limit={LOOK_BACK}&after={}", claim.channel(), MessageId::earliest(since)))
                .await
                .map_err(as_verdict)?,
        };
        let me = self.user();
        for message in messages.as_array().map(Vec::as_slice).unwrap_or_default() {
            let Some(id) = message.get("id").and_then(Value::as_str).and_then(|id| id.parse::<u64>().ok()) else { continue };
            let author = message.pointer("/author/id").and_then(Value::as_str).and_then(|id| id.parse::<u64>().ok());
            let ours = me.is_none() || author == me;
            if ours && MessageId(id).made_at() >= since && same(message, claim) && !owned(MessageId(id)) {
                return Ok(Some(MessageId(id)));
            }
        }
        Ok(None)
    }
}

/// Allowed difference between our clock and Discord's.
pub const CLOCKS_DIFFER: Duration = Duration::from_secs(120);

/// What the failure of a request before a create means for it.
fn as_verdict(error: AskError) -> Verdict {
    match error {
        AskError::Token => Verdict::Stop { reason: AskError::Token.to_string() },
        AskError::Wait(length) => Verdict::Wait { length, scope: RateScope::User },
        // Without Read Message History we can't know: a person must fix the channel; a second message would be worse.
        AskError::Refused(reason) if !["(50001)", "(50013)", "(10003)"].iter().any(|code| reason.contains(code)) => {
            Verdict::Obstructed { obstacle: Obstacle::Unknown(0), reason }
        }
        AskError::Refused(reason) => Verdict::Refused { reason: format!("the bot may not read this channel's history ({reason})") },
        AskError::Trouble(reason) => Verdict::Retry { reason },
    }
}

pub(super) fn same(message: &Value, claim: &Claim) -> bool {
    match message.get("nonce") {
        Some(Value::String(nonce)) if !nonce.is_empty() => return *nonce == claim.nonce,
        _ => {}
    }
    let Some(embed) = claim.lead.message.embeds.first() else {
        return claim.lead.message.content.is_some()
            && message.get("content").and_then(Value::as_str) == claim.lead.message.content.as_deref();
    };
    let footer = message.pointer("/embeds/0/footer/text").and_then(Value::as_str).unwrap_or_default();
    let own = embed.footer.as_deref().unwrap_or_default();
    let timestamp = message.pointer("/embeds/0/timestamp").and_then(Value::as_str).and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let same_time = timestamp.map(jiff::Timestamp::as_second) == embed.timestamp.map(|at| at.secs());
    let same_title = message.pointer("/embeds/0/title").and_then(Value::as_str) == embed.title.as_deref();
    // An event without a number has none in its footer: its title must be the same too.
    let whole_life = own.contains('#');
    // `render::late` appends its text after a dot of its own: call #501 isn't call #5010.
    let same_footer = footer.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with(" · "));
    same_footer && same_time && (same_title || whole_life)
}

/// JSON, or multipart with files. Files are sent only with the create; an edit keeps them.
fn with_files(request: RequestBuilder, message: &Message, body: &impl Serialize, create: bool) -> Result<RequestBuilder, String> {
    if message.files.is_empty() || !create {
        return Ok(request.json(body));
    }
    let mut form = reqwest::multipart::Form::new();
    for (at, file) in message.files.iter().enumerate() {
        let bytes = base64::engine::general_purpose::STANDARD.decode(&file.base64).map_err(|_| "an attached file is not base64")?;
        let part = reqwest::multipart::Part::bytes(bytes)
            .file_name(file.name.to_string())
            .mime_str("application/octet-stream")
            .map_err(|error| error.to_string())?;
        form = form.part(format!("files[{at}]"), part);
    }
    let body = serde_json::to_string(body).map_err(|error| error.to_string())?;
    let part = reqwest::multipart::Part::text(body).mime_str("application/json").map_err(|error| error.to_string())?;
    Ok(request.multipart(form.part("payload_json", part)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::outbox::Post;
    use crate::render::Embed;

    fn claim(footer: &str, title: &str) -> Claim {
        let embed = Embed {
            title: Some(SafeText::trusted(title)),
            footer: Some(SafeText::trusted(footer)),
            timestamp: Some(UnixMs(1_795_000_000_123)),
            ..Embed::default()
        };
        let claim = Claim::sample();
        let message = Message { embeds: vec![embed], ..Message::default() };
        let lead = Post { message: message.into(), creating_since: Some(UnixMs(0)), ..claim.lead };
        Claim { nonce: "instance.1.0".into(), lead, ..claim }
    }

    /// A message in a channel's history: whether Discord includes the nonce there is undocumented.
    fn listed(footer: &str, title: &str, timestamp: &str) -> Value {
        json!({ "id": "1", "embeds": [{ "title": title, "footer": { "text": footer }, "timestamp": timestamp }] })
    }

    const AT: &str = "2026-11-18T11:06:40.123000+00:00";

    #[test]
    fn a_lost_card_is_known_by_footer_and_time_through_all_its_changes() {
        let call = claim("Server 1 · Call #501", "🚔 P1 · Robbery");
        assert_eq!(AT.parse::<jiff::Timestamp>().unwrap().as_second(), 1_795_000_000);
        assert!(same(&listed("Server 1 · Call #501", "🚔 P3 · Burglary", AT), &call));
        assert!(same(&listed("Server 1 · Call #501 · delayed 3 min", "🚔 P3 · Burglary", AT), &call));
        assert!(!same(&listed("Server 1 · Call #502", "🚔 P1 · Robbery", AT), &call));
        assert!(!same(&listed("Server 1 · Call #5010", "🚔 P1 · Robbery", AT), &call));
        assert!(
            !same(&listed("Server 1 · Call #501", "🚔 P1 · Robbery", "2026-11-18T11:06:42+00:00"), &call),
            "an earlier call of that number"
        );
        assert!(!same(&json!({ "id": "1", "embeds": [] }), &call));
    }

    #[test]
    fn an_event_without_a_number_needs_its_title_too() {
        let tone = claim("Server 1 · Tone", "🎵 Tone · LSFD");
        assert!(same(&listed("Server 1 · Tone", "🎵 Tone · LSFD", AT), &tone));
        assert!(!same(&listed("Server 1 · Tone", "🎵 Tone · LSPD", AT), &tone));
    }

    #[test]
    fn a_nonce_decides_alone() {
        let call = claim("Server 1 · Call #501", "x");
        let with = |nonce: &str| {
            let mut message = listed("another footer", "y", AT);
            message["nonce"] = nonce.into();
            message
        };
        assert!(same(&with("instance.1.0"), &call));
        let mut other = listed("Server 1 · Call #501", "x", AT);
        other["nonce"] = "instance.2.0".into();
        assert!(!same(&other, &call));
    }
}
