//! A channel that Discord refuses.

use crate::clock::UnixMs;
use crate::ids::ChannelId;

/// A channel that Discord refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedChannel {
    pub channel: ChannelId,
    /// Why, for people.
    pub reason: String,
    pub since: UnixMs,
    /// When it is retried.
    pub retry_at: UnixMs,
    /// Refusals in a row.
    pub refusals: u32,
}
