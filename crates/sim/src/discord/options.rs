//! The settings of a simulated Discord.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use super::permissions;

/// Where the simulator's time comes from: milliseconds since 1970.
pub type TimeSource = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Whether rate limits are applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateLimits {
    /// As Discord does.
    Real,
    /// Never a 429 unless a fault asks for it.
    Off,
}

/// The size of a rate-limit bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Requests per window.
    pub limit: u32,
    /// Length of the window in milliseconds.
    pub window_ms: i64,
}

/// How a simulator behaves. `DiscordOptions { token: …, ..DiscordOptions::default() }`.
#[derive(Clone)]
pub struct DiscordOptions {
    /// Where to listen; port 0 takes a free one.
    pub addr: SocketAddr,
    /// The bot's token, without `Bot `.
    pub token: String,
    /// The bot's and the application's name.
    pub bot_name: String,
    /// What the bot's own role grants it in every guild. Default: all that a message bot asks for, including to mention everyone.
    pub bot_permissions: u64,
    /// The gateway's heartbeat interval in milliseconds.
    pub heartbeat_ms: u64,
    /// Whether rate limits are applied.
    pub rate_limits: RateLimits,
    /// The bucket of each (method, route, channel) of messages.
    pub message_bucket: Bucket,
    /// Requests per second over all routes but interactions.
    pub global_per_second: u32,
    /// How long an interaction waits for its first response, in milliseconds.
    pub first_answer_ms: i64,
    /// How long an interaction's token lives, in milliseconds.
    pub token_lifetime_ms: i64,
    /// How long a nonce is remembered, in milliseconds.
    pub nonce_window_ms: i64,
    /// Limit on edits (count, per milliseconds) of one message older than an hour, then code 30046. `None`: no limit. Discord doesn't
    /// publish its numbers.
    pub old_edit_limit: Option<(u32, i64)>,
    /// Open threads of a guild at once (code 160006).
    pub most_threads: usize,
    /// Gateway intents that are refused with 4014: privileged ones that were not granted.
    pub denied_intents: u64,
    /// The application may be added by anybody (Public Bot).
    pub bot_public: bool,
    /// Where the time comes from. Default: the machine's clock.
    pub now: TimeSource,
}

impl fmt::Debug for DiscordOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the token, although it opens only this simulator: nobody should get used to printing tokens.
        f.debug_struct("DiscordOptions").field("addr", &self.addr).field("rate_limits", &self.rate_limits).finish_non_exhaustive()
    }
}

impl Default for DiscordOptions {
    fn default() -> Self {
        Self {
            addr: SocketAddr::from(([127, 0, 0, 1], 0)),
            token: "sim.discord.token".to_owned(),
            bot_name: "Tenfour".to_owned(),
            bot_permissions: permissions::EVERYONE | permissions::MENTION_EVERYONE,
            heartbeat_ms: 41_250,
            rate_limits: RateLimits::Real,
            message_bucket: Bucket { limit: 5, window_ms: 5_000 },
            global_per_second: 50,
            first_answer_ms: 3_000,
            token_lifetime_ms: 15 * 60 * 1000,
            nonce_window_ms: 5 * 60 * 1000,
            old_edit_limit: None,
            most_threads: 1_000,
            denied_intents: 0,
            bot_public: true,
            now: Arc::new(|| jiff::Timestamp::now().as_millisecond()),
        }
    }
}
