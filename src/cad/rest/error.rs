//! Errors of the CAD's API, each in one sentence with its fix, for the person who pressed the button.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use serde_json::Value;

use super::detail;
use super::limits::TIME;
use super::read::{object, property};
use crate::clock::UnixMs;
use crate::ids::ServerId;

/// What a 404 means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// The request names nothing that could be missing: the address is wrong.
    Address,
    /// Only a server is named.
    Server(ServerId),
    /// A call, a unit, an account.
    Thing,
}

/// Why the CAD didn't do it. Its text contains neither the key nor the answer's body, except for `detail`'s harmless line of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestError {
    /// 401.
    #[error("The CAD refused the API key: copy it again from Admin > In-Game Integration > API into SONORAN_API_KEY.")]
    Unauthorised,
    /// 403.
    #[error(
        "The CAD does not let this API key in: check that the API is switched on in Admin > In-Game Integration > API, and that no firewall stands between."
    )]
    Forbidden,
    /// 404 for a question about a server.
    #[error("The CAD does not know server {server}: set SONORAN_SERVER_IDS to the numbers in Admin > Advanced > In-Game Integration.")]
    UnknownServer {
        /// The server asked about.
        server: ServerId,
    },
    /// 404 for anything else.
    #[error("The CAD's API is not at this address: check SONORAN_API_URL.")]
    NotFound,
    /// 402.
    #[error("The community's Sonoran CAD plan does not include this part of the API: a higher plan is needed.")]
    PlanTooLow,
    /// 429. The limits are per key and shared with the game server.
    #[error(
        "The CAD's limit of requests for this API key is used up (the game server shares it): try again in {} s.",
        seconds(.retry_after.unwrap_or(Duration::from_secs(60)))
    )]
    RateLimited {
        /// How long the CAD asks to wait, where it says; at most an hour.
        retry_after: Option<Duration>,
    },
    /// Our own share of this operation's limit is used up, and this request doesn't wait: nothing was sent.
    #[error(
        "The bot's share of what the CAD allows for this is used up: try again in {} s (if this comes often, raise SONORAN_ACTION_SHARE).",
        seconds(*.wait)
    )]
    BudgetSpent {
        /// How long until one more may be sent.
        wait: Duration,
    },
    /// Too many requests wait already: nothing was sent.
    #[error("Too many requests wait for the CAD already: try again in a minute (if this comes often, raise SONORAN_ACTION_SHARE).")]
    QueueFull,
    /// It waited for its turn up to the limit: nothing was sent.
    #[error("No turn at the CAD came within 3 minutes: try again in a minute (if this comes often, raise SONORAN_ACTION_SHARE).")]
    NoTurn,
    /// It waited, and the bot is stopping: nothing was sent.
    #[error("The bot is being restarted, so it was not sent: try again in a minute.")]
    Stopping,
    /// The CAD called two requests of this operation malformed a moment ago: nothing is sent for a while, since more of them would make it
    /// deny all requests of the community.
    #[error(
        "The CAD rejected two \"{operation}\" requests as malformed, so this is suspended for {} min more: nothing is sent until then.",
        wait.as_secs().div_ceil(60)
    )]
    Suspended {
        /// Which operation, for people.
        operation: &'static str,
        /// For how long.
        wait: Duration,
        /// Until when.
        until: UnixMs,
    },
    /// 404: no such call, unit or account (any more).
    #[error("The CAD does not know it any more{}: it was closed, removed or signed off meanwhile, so look again and choose another.", words(.detail))]
    NotThere {
        /// The CAD's own words, harmless and at most 160 characters; may be empty.
        detail: String,
    },
    /// 400, 409 or 422, or rejected here because the CAD would: nothing was changed.
    #[error("The CAD does not accept this{}: change what you entered and try again.", words(.detail))]
    Rejected {
        /// The CAD's own words, harmless and at most 160 characters; may be empty.
        detail: String,
    },
    /// A change was sent, and the answer was missing, truncated, a 5xx or unreadable.
    #[error("The CAD did not confirm this ({cause}), so it may or may not have been done: look in the CAD before you try again.")]
    OutcomeUnknown {
        /// In a few words.
        cause: String,
    },
    /// Any other status than success.
    #[error("The CAD answered with status {status}{}: try again later, and tell Sonoran's support if it stays.", reference(.trace.as_ref()))]
    Server {
        /// The HTTP status.
        status: u16,
        /// The CAD's reference for its support, where there is one.
        trace: Option<String>,
    },
    /// No answer, or a truncated one.
    #[error("The CAD could not be reached ({cause}): check SONORAN_API_URL and this machine's network.")]
    Network {
        /// In a few words.
        cause: &'static str,
    },
    /// Success, but unreadable, or larger than 8 MiB.
    #[error("The CAD's answer could not be understood: check that SONORAN_API_URL is the CAD's API and not another web page.")]
    Unreadable,
}

/// Rounded up: a person who comes back then finds it available.
fn seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

fn words(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { format!(" ({detail})") }
}

fn reference(trace: Option<&String>) -> String {
    trace.map_or_else(String::new, |trace| format!(" (its reference: {trace})"))
}

/// Why the outcome is unknown.
const NO_ANSWER: &str = "no answer within 10 s";

/// Whether the CAD calls a request malformed (docs/cad-contract.md#r5): several of these make it deny all requests of the
/// community.
pub(super) fn is_malformed(status: StatusCode) -> bool {
    matches!(status.as_u16(), 400 | 405 | 411 | 413 | 414 | 415 | 422 | 431)
}

/// Upper bound of `Retry-After`.
const MAX_WAIT: Duration = Duration::from_secs(3600);

impl RestError {
    /// Whether the change may still have been made. False for reads, and wherever nothing was sent or the CAD refused.
    #[must_use]
    pub fn is_outcome_unknown(&self) -> bool {
        matches!(self, Self::OutcomeUnknown { .. })
    }

    /// Whether the CAD didn't answer within the time that a person waits.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        match self {
            Self::Network { cause } => *cause == NO_ANSWER,
            Self::OutcomeUnknown { cause } => cause == NO_ANSWER,
            _ => false,
        }
    }

    pub(super) fn rejected(detail: &str) -> Self {
        Self::Rejected { detail: detail.to_owned() }
    }

    /// What `error` means for a change.
    pub(crate) fn outcome_unknown(error: &Self) -> Self {
        let cause = match error {
            Self::Network { cause } => (*cause).to_owned(),
            Self::Server { status, trace } => format!("status {status}{}", reference(trace.as_ref())),
            Self::Unreadable => "its answer could not be understood".to_owned(),
            Self::OutcomeUnknown { cause } => cause.clone(),
            other => other.to_string(),
        };
        Self::OutcomeUnknown { cause }
    }

    pub(super) fn network(error: &reqwest::Error, time: Duration) -> Self {
        // The library's own text would quote the URL with its query; the kind is enough.
        let cause = if error.is_timeout() {
            if time == TIME { NO_ANSWER } else { "no answer within 30 s" }
        } else if error.is_connect() {
            "no connection"
        } else if error.is_body() || error.is_decode() {
            "the answer broke off"
        } else {
            "the request failed"
        };
        Self::Network { cause }
    }

    pub(super) fn of_answer(status: StatusCode, headers: &HeaderMap, body: &[u8], missing: Missing) -> Self {
        let detail = || detail::of_body(body);
        match status {
            StatusCode::UNAUTHORIZED => Self::Unauthorised,
            StatusCode::FORBIDDEN => Self::Forbidden,
            StatusCode::PAYMENT_REQUIRED => Self::PlanTooLow,
            StatusCode::NOT_FOUND => match missing {
                // A web page, or a gateway without such a route, isn't the CAD: "you are not linked" would be wrong.
                _ if detail::is_page(body) || detail().to_ascii_lowercase().starts_with("no route matched") => Self::NotFound,
                Missing::Address => Self::NotFound,
                Missing::Server(server) => Self::UnknownServer { server },
                Missing::Thing => Self::NotThere { detail: detail() },
            },
            StatusCode::BAD_REQUEST | StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY => Self::Rejected { detail: detail() },
            StatusCode::TOO_MANY_REQUESTS => Self::RateLimited { retry_after: retry_after(headers) },
            _ => Self::Server { status: status.as_u16(), trace: trace(headers, body) },
        }
    }
}

/// `Retry-After` in seconds or as a date, else the gateway's reset headers (docs/cad-contract.md#r3). Dates are taken relative to the
/// answer's own `Date`: this machine's clock may be wrong.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let date = |text: &str| jiff::fmt::rfc2822::parse(text).ok().map(|at| at.timestamp().as_second());
    let now = value(DATE.as_str()).and_then(date);
    let from_epoch = |at: i64| now.map(|now| at.saturating_sub(now));

    let asked = value(RETRY_AFTER.as_str()).and_then(|text| text.parse::<i64>().ok().or_else(|| from_epoch(date(text)?)));
    let reset = || {
        let text = value("ratelimit-reset").or_else(|| value("x-ratelimit-reset"))?;
        let number: i64 = text.parse().ok()?;
        if number >= 1_000_000_000 { from_epoch(number) } else { Some(number) }
    };
    let seconds = asked.or_else(reset)?;
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)).min(MAX_WAIT))
}

/// The reference in body or headers, if it looks like one.
fn trace(headers: &HeaderMap, body: &[u8]) -> Option<String> {
    let parsed: Option<Value> = serde_json::from_slice(body).ok();
    let in_body = parsed
        .as_ref()
        .and_then(object)
        .and_then(|fields| ["traceId", "requestId", "request_id"].iter().find_map(|name| property(fields, name).and_then(Value::as_str)));
    let in_headers = || ["x-trace-id", "x-kong-request-id"].iter().find_map(|name| headers.get(*name)?.to_str().ok());
    let trace = in_body.or_else(in_headers)?;
    let plain =
        !trace.is_empty() && trace.len() <= 80 && trace.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':' | '.'));
    plain.then(|| trace.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(headers: &[(&'static str, &str)]) -> Option<u64> {
        let headers =
            headers.iter().map(|(name, value)| (reqwest::header::HeaderName::from_static(name), value.parse().unwrap())).collect();
        retry_after(&headers).map(|wait| wait.as_secs())
    }

    #[test]
    fn waits_are_read_in_every_form() {
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(wait(&[]), None);
        assert_eq!(wait(&[("retry-after", "7")]), Some(7));
        assert_eq!(wait(&[("retry-after", "-7")]), Some(0));
        assert_eq!(wait(&[("retry-after", "999999999999")]), Some(3600));
        assert_eq!(wait(&[("retry-after", "nonsense")]), None);
        assert_eq!(wait(&[date, ("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT")]), Some(60));
        assert_eq!(wait(&[date, ("retry-after", "Sun, 06 Nov 1994 08:40:37 GMT")]), Some(0));
        assert_eq!(wait(&[("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT")]), None);
        assert_eq!(wait(&[("ratelimit-reset", "12")]), Some(12));
        assert_eq!(wait(&[("date", "Sat, 21 Nov 2026 00:00:00 GMT"), ("x-ratelimit-reset", "1795219230")]), Some(30));
    }

    #[test]
    fn references_are_kept_only_if_they_look_like_one() {
        let none = HeaderMap::new();
        assert_eq!(trace(&none, br#"{"TraceId":"00-ab:c_1"}"#).as_deref(), Some("00-ab:c_1"));
        assert_eq!(trace(&none, br#"{"traceId":"<b> @everyone"}"#), None);
        assert_eq!(trace(&none, b"plain text"), None);
        let headers = [(reqwest::header::HeaderName::from_static("x-kong-request-id"), "abc".parse().unwrap())].into_iter().collect();
        assert_eq!(trace(&headers, b"").as_deref(), Some("abc"));
    }
}
