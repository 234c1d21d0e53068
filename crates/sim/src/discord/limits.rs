//! Rate limits as Discord applies them: one bucket per method, route and channel (or webhook token), and one for everything.
//!
//! A bucket opens with its first request and closes `window` later; then it is full again. Its headers are on every response of the
//! route, not only on a 429. Interaction callbacks have no bucket and do not count against the global limit.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::options::{Bucket, DiscordOptions, RateLimits};

/// Buckets kept; beyond it, expired ones are dropped.
const MAX_BUCKETS: usize = 4_096;

/// The scope of a 429.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// This bot on this route.
    User,
    /// Everybody on this resource: doesn't count toward the ban for invalid requests.
    Shared,
    /// This bot, on every route.
    Global,
}

impl Scope {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Shared => "shared",
            Self::Global => "global",
        }
    }
}

#[derive(Clone, Copy)]
struct Window {
    left: u32,
    reset_ms: i64,
}

pub(super) struct Limits {
    on: bool,
    message: Bucket,
    global_per_second: u32,
    windows: BTreeMap<String, Window>,
    global: Window,
}

/// The limiter's decision on one request.
pub(super) struct Admission {
    /// Headers for the response, whatever it is.
    pub(super) headers: Vec<(&'static str, String)>,
    /// `Some` if the request is turned away.
    pub(super) denied: Option<Value>,
}

/// A 429: its body and its headers.
pub(super) fn too_many(scope: Scope, wait_ms: i64) -> (Value, Vec<(&'static str, String)>) {
    let wait_ms = wait_ms.max(1);
    let seconds = millis_as_seconds(wait_ms);
    let body = json!({
        "message": if scope == Scope::Shared { "The resource is being rate limited." } else { "You are being rate limited." },
        "retry_after": seconds, "global": scope == Scope::Global
    });
    // The header is in whole seconds, rounded up; only the body is exact.
    let mut headers = vec![("retry-after", ((wait_ms + 999) / 1000).to_string()), ("x-ratelimit-scope", scope.name().to_owned())];
    if scope == Scope::Global {
        headers.push(("x-ratelimit-global", "true".to_owned()));
    }
    (body, headers)
}

fn millis_as_seconds(ms: i64) -> f64 {
    f64::from(i32::try_from(ms).unwrap_or(i32::MAX)) / 1000.0
}

impl Limits {
    pub(super) fn new(options: &DiscordOptions) -> Self {
        Self {
            on: options.rate_limits == RateLimits::Real,
            message: options.message_bucket,
            global_per_second: options.global_per_second,
            windows: BTreeMap::new(),
            global: Window { left: options.global_per_second, reset_ms: 0 },
        }
    }

    /// Counts one request. `parts` is the path below `/api/v10`.
    pub(super) fn admit(&mut self, method: &str, parts: &[&str], now_ms: i64) -> Admission {
        let mut admission = Admission { headers: Vec::new(), denied: None };
        if !self.on || matches!(parts, ["interactions", ..]) {
            return admission;
        }
        if !matches!(parts, ["webhooks", ..]) {
            if now_ms >= self.global.reset_ms {
                self.global = Window { left: self.global_per_second, reset_ms: now_ms + 1000 };
            }
            if self.global.left == 0 {
                let (body, headers) = too_many(Scope::Global, self.global.reset_ms - now_ms);
                return Admission { headers, denied: Some(body) };
            }
            self.global.left -= 1;
        }
        let (route, major, bucket) = self.bucket(method, parts);
        if self.windows.len() >= MAX_BUCKETS {
            self.windows.retain(|_, w| w.reset_ms > now_ms);
        }
        let window = self.windows.entry(format!("{route} {major}")).or_insert(Window { left: bucket.limit, reset_ms: 0 });
        if now_ms >= window.reset_ms {
            *window = Window { left: bucket.limit, reset_ms: now_ms + bucket.window_ms };
        }
        let wait_ms = window.reset_ms - now_ms;
        if window.left == 0 {
            let (body, headers) = too_many(Scope::User, wait_ms);
            admission = Admission { headers, denied: Some(body) };
        } else {
            window.left -= 1;
        }
        let wait = millis_as_seconds(wait_ms);
        admission.headers.extend([
            ("x-ratelimit-limit", bucket.limit.to_string()),
            ("x-ratelimit-remaining", window.left.to_string()),
            ("x-ratelimit-reset", format!("{}.{:03}", window.reset_ms.div_euclid(1000), window.reset_ms.rem_euclid(1000))),
            ("x-ratelimit-reset-after", format!("{wait:.3}")),
            ("x-ratelimit-bucket", hash(&route)),
        ]);
        admission
    }

    /// The route's template, its major parameter, and its size. Discord publishes no size except that of channel messages; the others
    /// are plausible, and a bot must read the headers anyway.
    fn bucket(&self, method: &str, parts: &[&str]) -> (String, String, Bucket) {
        let template: Vec<&str> = parts.iter().enumerate().map(|(at, p)| if is_parameter(at, p) { ":" } else { p }).collect();
        let route = format!("{method} {}", template.join("/"));
        let (major, bucket) = match parts {
            ["channels", channel, "messages", _] if method == "DELETE" => (*channel, Bucket { limit: 5, window_ms: 1_000 }),
            ["channels", channel, "messages", ..] => (*channel, self.message),
            ["channels", channel, ..] => (*channel, Bucket { limit: 5, window_ms: 5_000 }),
            ["webhooks", _, token, ..] => (*token, Bucket { limit: 5, window_ms: 2_000 }),
            ["guilds", guild, ..] => (*guild, Bucket { limit: 10, window_ms: 10_000 }),
            _ => ("", Bucket { limit: 20, window_ms: 10_000 }),
        };
        (route, major.to_owned(), bucket)
    }
}

/// Whether a path segment is a value rather than a part of the route: ids and interaction tokens.
fn is_parameter(at: usize, segment: &str) -> bool {
    at > 0 && (segment.parse::<u64>().is_ok() || segment.len() > 40)
}

/// An opaque name for a bucket, as in Discord: the same route has the same name in every channel.
fn hash(route: &str) -> String {
    let mut sum: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in route.bytes() {
        sum = (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("{sum:016x}{:016x}", sum.rotate_left(29).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}
