//! Sends one request and reads its answer; repeats it once where that is safe.
//!
//! ```text
//! budget ─spent─▶ waits for its turn (`turn.rs`), 3 minutes at most
//!    ▼
//!  send ─▶ answer ─▶ done │ refused │ 429: the operation rests
//!    └─▶ none, truncated, 5xx ─▶ for a read: an error. For a change: OutcomeUnknown
//!              └─ no connection, 502 to 504, and safe to repeat ─▶ a pause, once more
//! ```

use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Response, StatusCode};
use secrecy::ExposeSecret;
use serde_json::Value;
use tokio::time::Instant;

use super::budget::{Endpoint, RequestPermit};
use super::error::{Missing, is_malformed, retry_after};
use super::turn::Rank;
use super::{CadRest, MAX_ANSWER, MAX_BUILT, Object, READING_TIME, RestError, TIME};
use crate::ids::ServerId;
use crate::json::{self, JsonReader, Secrets};

/// Before the second attempt.
const PAUSE: Duration = Duration::from_millis(300);

/// Largest error body that is read, in bytes.
const MAX_REFUSAL: usize = 64 * 1024;

/// Longest `Retry-After` of a 502 to 504 that is obeyed: a person waits for the result.
const PATIENCE: Duration = Duration::from_secs(2);

/// A request to be made.
#[derive(Debug)]
pub(super) struct CadRequest {
    /// Which operation.
    endpoint: Endpoint,
    /// Whether it uses the operation's budget; if not, the caller has its own.
    counted: bool,
    /// Its rank, if it has to wait.
    rank: Rank,
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    body: Option<Object>,
    /// Whether it changes anything.
    change: bool,
    /// Whether it may be sent a second time.
    repeat: bool,
    /// Whether "not there" at the second attempt means that the first one did it.
    gone_is_done: bool,
    missing: Missing,
}

impl CadRequest {
    fn new(endpoint: Endpoint, path: String, missing: Missing) -> Self {
        Self {
            endpoint,
            counted: true,
            rank: Rank::default(),
            method: Method::GET,
            path,
            query: Vec::new(),
            body: None,
            change: false,
            repeat: false,
            gone_is_done: false,
            missing,
        }
    }

    /// A read: it may be repeated.
    pub(super) fn get(endpoint: Endpoint, path: String) -> Self {
        Self { repeat: true, ..Self::new(endpoint, path, Missing::Thing) }
    }

    /// A read of the reader, which has its own budget and repeats on its own schedule.
    pub(super) fn reading(endpoint: Endpoint, path: String, server: ServerId) -> Self {
        Self { counted: false, ..Self::new(endpoint, path, Missing::Server(server)) }
    }

    /// Sets its rank, if it has to wait.
    pub(super) fn ranked(self, rank: Rank) -> Self {
        Self { rank, ..self }
    }

    /// A change that may be repeated: doing it twice has the same effect.
    pub(super) fn change(endpoint: Endpoint, method: Method, path: String) -> Self {
        Self { method, change: true, ..Self::get(endpoint, path) }
    }

    /// Never sent twice.
    pub(super) fn once(self) -> Self {
        Self { repeat: false, ..self }
    }

    /// "Not there" at the second attempt means that the first one did it: the answer is null then.
    pub(super) fn gone_is_done(self) -> Self {
        Self { gone_is_done: true, ..self }
    }

    /// A 404 means that there is no such server.
    pub(super) fn about_server(self, server: ServerId) -> Self {
        Self { missing: Missing::Server(server), ..self }
    }

    /// A 404 means that the address is wrong.
    pub(super) fn about_address(self) -> Self {
        Self { missing: Missing::Address, ..self }
    }

    /// A read that isn't a GET.
    pub(super) fn by(self, method: Method) -> Self {
        Self { method, ..self }
    }

    pub(super) fn query<T: Into<String>>(self, query: impl IntoIterator<Item = (&'static str, T)>) -> Self {
        Self { query: query.into_iter().map(|(name, value)| (name, value.into())).collect(), ..self }
    }

    pub(super) fn body(self, body: Object) -> Self {
        Self { body: Some(body), ..self }
    }

    fn time(&self) -> Duration {
        if self.counted { TIME } else { READING_TIME }
    }
}

/// A failed attempt.
struct Failure {
    error: RestError,
    /// How long to wait before another attempt could help, if at all.
    again: Option<Duration>,
}

impl From<RestError> for Failure {
    fn from(error: RestError) -> Self {
        Self { error, again: None }
    }
}

/// Whether a refusal says that an account is not linked.
pub(super) fn is_not_linked(detail: &str) -> bool {
    detail.to_ascii_lowercase().contains("not linked")
}

/// Reads the answer of a change without a result: an object, or nothing at all.
pub(super) fn done(answer: &Value) -> Option<()> {
    matches!(answer, Value::Null | Value::Object(_)).then_some(())
}

impl CadRest {
    /// Sends the request. An empty answer, and one for something already gone, is null.
    pub(super) async fn ask(&self, ask: CadRequest) -> Result<Value, RestError> {
        let pass = match ask.counted {
            true => Some(self.budgets.turn(ask.endpoint, ask.rank).await?),
            false => {
                self.budgets.allowed(ask.endpoint, Instant::now())?;
                None
            }
        };
        // From here on the person waits for the CAD, not for their turn.
        let until = Instant::now() + ask.time();
        let first = self.attempt(&ask, pass, until).await;
        if !ask.counted {
            self.budgets.no_answer(ask.endpoint);
        }
        let first = match first {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        let Some(pause) = first.again.filter(|pause| ask.repeat && Instant::now() + *pause < until) else { return Err(first.error) };
        tokio::time::sleep(pause).await;
        // If there is no budget for a second attempt, the first one's outcome stays unknown.
        let Ok(pass) = self.budgets.take(ask.endpoint, ask.rank, Instant::now()) else { return Err(first.error) };
        let second = match self.attempt(&ask, Some(pass), until).await {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure.error,
        };
        let doubt = first.error.is_outcome_unknown();
        match second {
            RestError::NotThere { .. } if doubt && ask.gone_is_done => Ok(Value::Null),
            RestError::RateLimited { .. } | RestError::Network { .. } if doubt => Err(first.error),
            // "Already there": possibly because of the first.
            RestError::Rejected { .. } if doubt => Err(first.error),
            second => Err(second),
        }
    }

    async fn attempt(&self, ask: &CadRequest, pass: Option<RequestPermit>, until: Instant) -> Result<Value, Failure> {
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", self.key.expose_secret())).map_err(|_| RestError::Unauthorised)?;
        bearer.set_sensitive(true);
        let mut request = self
            .http
            .request(ask.method.clone(), format!("{}{}", self.base, ask.path))
            .query(&ask.query)
            .header(AUTHORIZATION, bearer)
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .timeout(until.saturating_duration_since(Instant::now()));
        if let Some(body) = &ask.body {
            let body = serde_json::to_vec(body).map_err(|_| RestError::rejected("it cannot be written as JSON"))?;
            request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json")).body(body);
        }
        let mut response = request.send().await.map_err(|error| ask.unanswered(&error))?;
        let status = response.status();
        if status.is_success() {
            self.budgets.understood(ask.endpoint);
        }
        match read_body(&mut response).await {
            Ok(body) if status.is_success() => ask.answered(status, body, &self.secrets),
            Err(Unread::Broken(error)) if status.is_success() => Err(ask.unanswered(&error)),
            Err(Unread::Large) if status.is_success() => Err(ask.doubted(RestError::Unreadable).into()),
            // The status identifies the refusal; the body has the words.
            body => {
                let body = body.ok().filter(|body| body.len() <= MAX_REFUSAL && !self.repeats_key(body)).unwrap_or_default();
                let failure = ask.refused(status, response.headers(), &body, pass.as_ref());
                if is_malformed(status) && !ask.says_not_linked(&failure.error) {
                    self.budgets.malformed(ask.endpoint, Instant::now());
                } else if matches!(failure.error, RestError::NotThere { .. } | RestError::Rejected { .. }) {
                    self.budgets.understood(ask.endpoint);
                }
                Err(failure)
            }
        }
    }

    /// Whether an answer contains our key.
    fn repeats_key(&self, body: &[u8]) -> bool {
        let key = self.key.expose_secret().as_bytes();
        !key.is_empty() && body.windows(key.len()).any(|part| part.eq_ignore_ascii_case(key))
    }
}

impl CadRequest {
    /// Whether a 400 is the CAD's way to say that somebody has no account: the request isn't malformed.
    fn says_not_linked(&self, error: &RestError) -> bool {
        self.endpoint == Endpoint::Account && matches!(error, RestError::Rejected { detail } if is_not_linked(detail))
    }

    /// The outcome of a change is unknown.
    fn doubted(&self, error: RestError) -> RestError {
        if self.change { RestError::outcome_unknown(&error) } else { error }
    }

    fn unanswered(&self, error: &reqwest::Error) -> Failure {
        let failure = RestError::network(error, self.time());
        if error.is_builder() {
            return failure.into();
        }
        if error.is_connect() {
            // Nothing was sent. A time-out would happen again.
            return Failure { error: failure, again: (!error.is_timeout()).then_some(PAUSE) };
        }
        self.doubted(failure).into()
    }

    fn answered(&self, status: StatusCode, body: Vec<u8>, secrets: &Secrets) -> Result<Value, Failure> {
        if body.trim_ascii().is_empty() {
            return match (self.change || matches!(self.missing, Missing::Thing), status) {
                (true, _) => Ok(Value::Null),
                (false, StatusCode::OK) => Err(RestError::Unreadable.into()),
                (false, status) => Err(RestError::Server { status: status.as_u16(), trace: None }.into()),
            };
        }
        read(&body, secrets).ok_or_else(|| self.doubted(RestError::Unreadable).into())
    }

    fn refused(&self, status: StatusCode, headers: &HeaderMap, body: &[u8], pass: Option<&RequestPermit>) -> Failure {
        let error = RestError::of_answer(status, headers, body, self.missing);
        if let (RestError::RateLimited { retry_after }, Some(pass)) = (&error, pass) {
            pass.limited(*retry_after);
        }
        if !status.is_server_error() {
            return error.into();
        }
        let gateway = matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT);
        let wait = retry_after(headers).unwrap_or(PAUSE).max(PAUSE);
        Failure { error: self.doubted(error), again: (gateway && wait <= PATIENCE).then_some(wait) }
    }
}

/// The parsed answer, without the key. `None` if it isn't JSON, or would take more than [`MAX_BUILT`].
fn read(body: &[u8], secrets: &Secrets) -> Option<Value> {
    let most = MAX_BUILT / size_of::<Value>();
    let outline = json::scan(body, most).ok()?;
    if outline.measure.built() > MAX_BUILT {
        tracing::warn!(values = outline.measure.values, "the CAD's answer holds more than can be taken in");
        return None;
    }
    JsonReader::new(most, secrets).read(body).ok()
}

enum Unread {
    Large,
    Broken(reqwest::Error),
}

async fn read_body(response: &mut Response) -> Result<Vec<u8>, Unread> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(Unread::Broken)? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(Unread::Large);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
