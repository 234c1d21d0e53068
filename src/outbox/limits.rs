//! Discord's rate limits as far as alerts meet them: one bucket per (channel, operation), and the global pause. The only owner of
//! this knowledge; requests go out one at a time per channel, so a bucket is never overdrawn by ourselves.

use std::collections::HashMap;

use crate::clock::UnixMs;
use crate::ids::ChannelId;

/// Operations with buckets of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `POST …/messages`.
    Create,
    /// `PATCH …/messages/{id}`.
    Edit,
    /// `PATCH /channels/{thread}`.
    Archive,
}

/// `X-RateLimit-*` of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RateHeaders {
    /// Requests left in this window.
    pub remaining: Option<u32>,
    /// Milliseconds until the window ends.
    pub reset_after_ms: Option<i64>,
}

/// Most buckets remembered; beyond it, those whose window is over are forgotten.
const MOST: usize = 4_096;

/// What we know of the limits.
#[derive(Debug, Default)]
pub struct Limits {
    buckets: HashMap<(ChannelId, Operation), Bucket>,
    global_until: UnixMs,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    remaining: u32,
    reset_at: UnixMs,
}

impl Limits {
    /// Milliseconds to wait before this request may go; 0 = now.
    #[must_use]
    pub fn wait(&self, channel: ChannelId, operation: Operation, now: UnixMs) -> i64 {
        let bucket = match self.buckets.get(&(channel, operation)) {
            Some(bucket) if bucket.remaining == 0 => bucket.reset_at.since(now),
            _ => 0,
        };
        bucket.max(self.global_until.since(now)).max(0)
    }

    /// Takes in what an answer said.
    pub fn observe(&mut self, channel: ChannelId, operation: Operation, headers: RateHeaders, now: UnixMs) {
        let (Some(remaining), Some(after)) = (headers.remaining, headers.reset_after_ms) else { return };
        if self.buckets.len() >= MOST {
            self.buckets.retain(|_, bucket| bucket.reset_at > now);
        }
        self.buckets.insert((channel, operation), Bucket { remaining, reset_at: now.plus(after) });
    }

    /// Takes in a 429: nothing goes this way for `ms`.
    pub fn refused(&mut self, channel: ChannelId, operation: Operation, ms: i64, global: bool, now: UnixMs) {
        if global {
            self.global_until = self.global_until.max(now.plus(ms));
        } else {
            self.buckets.insert((channel, operation), Bucket { remaining: 0, reset_at: now.plus(ms) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_bucket_waits_for_its_window_and_others_do_not() {
        let mut limits = Limits::default();
        let (a, b) = (ChannelId(1), ChannelId(2));
        limits.observe(a, Operation::Create, RateHeaders { remaining: Some(0), reset_after_ms: Some(1500) }, UnixMs(0));
        assert_eq!(limits.wait(a, Operation::Create, UnixMs(500)), 1000);
        assert_eq!(limits.wait(a, Operation::Create, UnixMs(1500)), 0);
        assert_eq!(limits.wait(a, Operation::Edit, UnixMs(0)), 0);
        assert_eq!(limits.wait(b, Operation::Create, UnixMs(0)), 0);
        limits.observe(b, Operation::Create, RateHeaders { remaining: Some(1), reset_after_ms: Some(1500) }, UnixMs(0));
        assert_eq!(limits.wait(b, Operation::Create, UnixMs(0)), 0);
    }

    #[test]
    fn a_global_429_stops_every_channel() {
        let mut limits = Limits::default();
        limits.refused(ChannelId(1), Operation::Create, 700, true, UnixMs(0));
        assert_eq!(limits.wait(ChannelId(2), Operation::Edit, UnixMs(100)), 600);
    }
}
