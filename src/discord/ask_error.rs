//! Why Discord didn't answer a request.

use std::time::Duration;

/// Why Discord didn't answer a request.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// 401.
    #[error("Discord does not accept DISCORD_TOKEN: copy it again from https://discord.com/developers/applications (Bot, Reset Token)")]
    Token,
    /// 403 or 404.
    #[error("Discord refused: {0}")]
    Refused(String),
    /// 429.
    #[error("Discord asks us to wait {} s", .0.as_secs())]
    Wait(Duration),
    /// No answer, or an invalid one.
    #[error("Discord cannot be reached or answers nonsense: {0}. Check the network and DISCORD_API_URL")]
    Trouble(String),
}
