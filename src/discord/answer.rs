//! Classifies Discord's response to a request as one [`Verdict`]. Bounded and tolerant.
//!
//! The type is in `src/outbox/verdict.rs`, because `outbox` decides by it and must not import `discord`; what follows from a verdict is in
//! `src/outbox/settlement.rs`.

use std::borrow::Cow;
use std::hash::Hasher as _;
use std::time::Duration;

use reqwest::{Response, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use super::ask_error::AskError;
use super::refusal_cause::{OLD_EDITS, RefusalCause, UNKNOWN_CHANNEL, UNKNOWN_MESSAGE, about, own};
use crate::ids::MessageId;
use crate::outbox::{Claim, Lane, Obstacle, Place, RateHeaders, RateScope, Verdict};

/// Limit on the bytes of a response that are read.
const MAX_ANSWER: usize = 4 * 1024 * 1024;
/// Longest wait that Discord may demand: beyond it something is wrong with the response.
const MAX_WAIT: Duration = Duration::from_secs(3_600);

/// The fields of Discord's response that are read.
#[derive(Deserialize)]
struct Made<'b> {
    #[serde(borrow)]
    id: Cow<'b, str>,
}

/// The meaning of the response to a claim's request.
pub(super) async fn judge(response: Response, claim: &Claim) -> Verdict {
    let status = response.status();
    let retry_after = header(&response, "retry-after");
    let scope = scope(&response);
    let body = match read(response).await {
        Ok(body) => body,
        // The work may be done: the nonce will show it.
        Err(reason) => return Verdict::Retry { reason },
    };
    match status.as_u16() {
        200..=299 => {
            let made = serde_json::from_slice::<Made<'_>>(&body).ok();
            match made.and_then(|made| made.id.parse().ok()).map(MessageId) {
                Some(id) => Verdict::Delivered(id),
                // A proxy in front of Discord may have answered: nothing proves that an edit was done either.
                None => Verdict::Retry { reason: "the answer is a success but makes no sense".into() },
            }
        }
        // A card older than an hour may be edited only so often. Discord answers that with a 429 with a code and without a time.
        429 | 400 if code(&body) == Some(OLD_EDITS) => Verdict::WaitThis { length: OLD_EDIT_WAIT },
        429 => {
            let body: Value = serde_json::from_slice(&body).unwrap_or_default();
            let seconds = body.get("retry_after").and_then(Value::as_f64).or(retry_after).unwrap_or(5.0);
            let global = body.get("global").and_then(Value::as_bool).unwrap_or(false);
            Verdict::Wait { length: wait_of(seconds), scope: if global { RateScope::Global } else { scope } }
        }
        401 if own(&body).is_some() => Verdict::Stop { reason: AskError::Token.to_string() },
        404 if gone(claim, code(&body)) => Verdict::MessageGone,
        400..=499 => refused(&body, status, claim),
        _ => Verdict::Retry { reason: format!("HTTP {status}") },
    }
}

/// The meaning of a 4xx for a claim.
fn refused(body: &[u8], status: StatusCode, claim: &Claim) -> Verdict {
    let Some(about) = about(body, status.as_u16()) else {
        // This didn't come from Discord, so Discord did nothing either.
        let reason = format!("HTTP {status} without Discord's JSON");
        return Verdict::Obstructed { obstacle: Obstacle::Edge, reason };
    };
    let reason = said(body, status);
    // Slow mode and similar limits may say how long.
    let wait = serde_json::from_slice::<Value>(body).ok().and_then(|body| body.get("retry_after")?.as_f64());
    match (about, wait) {
        (RefusalCause::Way(Obstacle::Limit(_) | Obstacle::Down), Some(seconds)) => Verdict::WaitThis { length: wait_of(seconds) },
        (RefusalCause::Body, _) => Verdict::Invalid { reason },
        (RefusalCause::Name, _) => Verdict::Obstructed { obstacle: Obstacle::Name, reason },
        (RefusalCause::Way(obstacle), _) => Verdict::Obstructed { obstacle, reason },
        // A thread isn't its channel, which may accept messages all the same. A note is on its card too; a ping isn't.
        (RefusalCause::Place, _) if claim.lead.place.is_in_thread() => match claim.lane {
            Lane::Log => Verdict::Invalid { reason },
            _ => Verdict::Obstructed { obstacle: Obstacle::Threads, reason },
        },
        (RefusalCause::Place, _) => Verdict::Refused { reason },
    }
}

fn wait_of(seconds: f64) -> Duration {
    whole_ms(seconds).max(Duration::from_millis(50))
}

/// Rounded up to milliseconds, which is what instants are made of.
fn whole_ms(seconds: f64) -> Duration {
    let seconds = seconds.clamp(0.0, MAX_WAIT.as_secs_f64());
    Duration::try_from_secs_f64((seconds * 1000.0).ceil() / 1000.0).unwrap_or_default()
}

/// Whether 404 means that a person deleted the message, or the thread that it is in.
fn gone(claim: &Claim, code: Option<i64>) -> bool {
    match claim.lead.place {
        Place::Channel => claim.lead.message_id.is_some() && code == Some(UNKNOWN_MESSAGE),
        Place::Forum => claim.lead.message_id.is_some() && matches!(code, Some(UNKNOWN_MESSAGE | UNKNOWN_CHANNEL)),
        Place::Thread | Place::Archive => matches!(code, Some(UNKNOWN_MESSAGE | UNKNOWN_CHANNEL)),
    }
}

/// How long an edit of an old message waits after code 30046.
const OLD_EDIT_WAIT: Duration = Duration::from_secs(300);

pub(super) async fn read(mut response: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| error.without_url().to_string())? {
        if body.len().saturating_add(chunk.len()) > MAX_ANSWER {
            return Err("the answer is too long".into());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

pub(super) fn header(response: &Response, name: &str) -> Option<f64> {
    response.headers().get(name)?.to_str().ok()?.trim().parse::<f64>().ok().filter(|value| value.is_finite() && *value >= 0.0)
}

pub(super) fn rate_headers(response: &Response) -> RateHeaders {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded")]
    let whole = |number: f64| number.min(1e6) as u32;
    let remaining = header(response, "x-ratelimit-remaining").map(whole);
    let reset_after = header(response, "x-ratelimit-reset-after").map(whole_ms);
    let limit = header(response, "x-ratelimit-limit").map(whole);
    let bucket = response.headers().get("x-ratelimit-bucket").map(|name| {
        let mut hasher = std::hash::DefaultHasher::new();
        hasher.write(name.as_bytes());
        hasher.finish()
    });
    RateHeaders { bucket, limit, remaining, reset_after }
}

/// The scope of a 429; the bot's own if the response doesn't say.
pub(super) fn scope(response: &Response) -> RateScope {
    let wait = response.headers().get("x-ratelimit-scope").and_then(|scope| scope.to_str().ok());
    match wait {
        _ if response.headers().contains_key("x-ratelimit-global") => RateScope::Global,
        Some("global") => RateScope::Global,
        Some("shared") => RateScope::Shared,
        _ => RateScope::User,
    }
}

pub(super) fn code(body: &[u8]) -> Option<i64> {
    serde_json::from_slice::<Value>(body).ok()?.get("code")?.as_i64()
}

/// Discord's own words for a refusal, short: `Missing Access (50001)`.
pub(super) fn said(body: &[u8], status: StatusCode) -> String {
    let parsed: Value = serde_json::from_slice(body).unwrap_or_default();
    let words: String = parsed.get("message").and_then(Value::as_str).unwrap_or_default().chars().take(200).collect();
    let detail: String = parsed.get("errors").map(|errors| errors.to_string().chars().take(300).collect()).unwrap_or_default();
    match (words.is_empty(), parsed.get("code").and_then(Value::as_i64).filter(|code| *code != 0)) {
        (false, Some(code)) => format!("{words} ({code}){}{detail}", if detail.is_empty() { "" } else { " " }),
        (false, None) => words,
        (true, _) => format!("HTTP {status}"),
    }
}
