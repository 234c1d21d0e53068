//! Discord's rate limits for alerts. Nothing else knows them: serenity's limiter is off, and every request is counted
//! here before it is sent. Pure: the time is an argument.
//!
//! - A **bucket** is Discord's `X-RateLimit-Bucket`, in one channel; until Discord names it, a channel and an operation have one
//!   of their own. One request in each bucket of new messages is reserved for panics.
//! - **Everything** together stays below Discord's global limit, part of which is reserved for panics too.
//! - **Invalid requests** slow sending down, then stop it, long before Discord bans the address ([`super::invalid`]).

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::invalid::{InvalidRequests, SendPace};
use crate::clock::UnixMs;
use crate::ids::ChannelId;

/// Operations with buckets of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `POST …/messages`, or `POST …/threads` in a forum.
    Create,
    /// `PATCH …/messages/{id}`.
    Edit,
    /// `PATCH /channels/{thread}`.
    Archive,
}

/// `X-RateLimit-*` headers of a response.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RateHeaders {
    /// The bucket's name, hashed.
    pub bucket: Option<u64>,
    /// Requests of one window.
    pub limit: Option<u32>,
    /// Requests left in this window.
    pub remaining: Option<u32>,
    /// Until the window ends.
    pub reset_after: Option<Duration>,
}

/// The scope of a 429.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RateScope {
    /// This bot on this route.
    User,
    /// Everybody on this resource. Doesn't count toward the ban.
    Shared,
    /// This bot, on every route.
    Global,
}

/// What delays a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DelayCause {
    /// The bucket is empty, or its rest is reserved for panics.
    Bucket,
    /// A short pause, so that the last messages of a window carry more cards each.
    Batching,
    /// Discord's limit for everything together, by our own count.
    Global,
    /// Discord answered 429.
    RetryAfter,
    /// Too many requests that Discord counts as invalid.
    Guard,
    /// The channel failed recently and pauses.
    OutagePause,
    /// The message is old and was edited too often (code 30046).
    OldMessage,
}

/// How long, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// More than 0.
    pub length: Duration,
    pub cause: DelayCause,
}

/// Requests per second that Discord allows a bot in all.
pub const PER_SECOND: u32 = 50;
/// Of these, reserved for panics.
const GLOBAL_RESERVE: usize = 2;
/// A second, plus how much closer two requests may get on the network.
const SECOND: Duration = Duration::from_millis(1_050);
/// Assumed window of an unknown bucket.
const WINDOW: Duration = Duration::from_secs(5);
/// Limit on remembered buckets; beyond it, those whose window is over are dropped.
const MAX_BUCKETS: usize = 4_096;
/// While too many requests are invalid: one request in this time.
const SLOW: Duration = Duration::from_secs(1);

/// What we know of the limits.
#[derive(Debug)]
pub struct SendLimits {
    /// The key of each route's bucket.
    names: HashMap<Route, u64>,
    buckets: HashMap<Name, Bucket>,
    per_second: usize,
    sent: VecDeque<UnixMs>,
    /// The last of them.
    sent_at: Option<UnixMs>,
    global_until: UnixMs,
    invalid: InvalidRequests,
}

type Route = (ChannelId, Operation);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Name {
    /// Until Discord has named it.
    Own(Route),
    /// The hash that Discord gave for it.
    Discord(u64, ChannelId),
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// 0 = not known.
    limit: u32,
    left: u32,
    window: Duration,
    reset_at: UnixMs,
    in_flight: u32,
    sent_at: UnixMs,
    blocked: Option<(UnixMs, DelayCause)>,
}

impl Default for Bucket {
    fn default() -> Self {
        Self { limit: 0, left: 0, window: WINDOW, reset_at: UnixMs(0), in_flight: 0, sent_at: UnixMs(i64::MIN / 2), blocked: None }
    }
}

impl Default for SendLimits {
    fn default() -> Self {
        Self::new(PER_SECOND)
    }
}

impl SendLimits {
    /// `per_second`: Discord's global limit for this bot; 0 = no limit.
    #[must_use]
    pub fn new(per_second: u32) -> Self {
        Self {
            names: HashMap::new(),
            buckets: HashMap::new(),
            per_second: per_second as usize,
            sent: VecDeque::new(),
            sent_at: None,
            global_until: UnixMs(0),
            invalid: InvalidRequests::default(),
        }
    }

    /// What a request must wait for; `None` = it may be sent now. `panic`: it may use the reserve.
    #[must_use]
    pub fn wait(&self, channel: ChannelId, operation: Operation, panic: bool, now: UnixMs) -> Option<Wait> {
        let bucket = self.bucket((channel, operation)).and_then(|bucket| bucket.wait(operation, panic, now));
        [self.global(panic, now), bucket].into_iter().flatten().max_by_key(|wait| wait.length)
    }

    /// How many messages may still be created in this channel before its window ends, without the reserve. `None`: unknown, or so
    /// many that it doesn't matter.
    #[must_use]
    pub fn places(&self, channel: ChannelId, now: UnixMs) -> Option<u32> {
        let bucket = self.bucket((channel, Operation::Create)).filter(|bucket| bucket.limit > 0 && bucket.limit <= FEW)?;
        Some(bucket.left_at(now).saturating_sub(bucket.reserve(Operation::Create, false)).max(1))
    }

    /// A request is about to be sent.
    pub fn take(&mut self, channel: ChannelId, operation: Operation, now: UnixMs) {
        let name = self.name((channel, operation));
        self.make_room(now);
        let bucket = self.buckets.entry(name).or_default();
        if bucket.reset_at <= now {
            bucket.left = bucket.limit;
            bucket.reset_at = now.plus(bucket.window);
        }
        bucket.left = bucket.left.saturating_sub(1);
        bucket.in_flight += 1;
        bucket.sent_at = now;
        self.note(now);
    }

    /// A request without a bucket here: from a command. Commands never wait for alerts; alerts leave capacity for them.
    pub fn note(&mut self, now: UnixMs) {
        self.sent_at = Some(now);
        if self.per_second > 0 {
            while self.sent.len() >= self.per_second.saturating_mul(2) {
                self.sent.pop_front();
            }
            self.sent.push_back(now);
        }
        while self.sent.front().is_some_and(|at| now.since(*at) >= SECOND) {
            self.sent.pop_front();
        }
    }

    /// The response to a request that was counted by [`SendLimits::take`], or its end without one.
    pub fn answered(&mut self, channel: ChannelId, operation: Operation, headers: RateHeaders, now: UnixMs) {
        let route = (channel, operation);
        let before = self.name(route);
        if let Some(bucket) = self.buckets.get_mut(&before) {
            bucket.in_flight = bucket.in_flight.saturating_sub(1);
        }
        if let Some(hash) = headers.bucket
            && self.names.insert(route, hash) != Some(hash)
            && let Some(known) = self.buckets.remove(&before)
        {
            let into = self.buckets.entry(Name::Discord(hash, channel)).or_default();
            *into = Bucket { in_flight: into.in_flight + known.in_flight, ..if into.limit > 0 { *into } else { known } };
        }
        let (Some(remaining), Some(after)) = (headers.remaining, headers.reset_after) else { return };
        let name = self.name(route);
        self.make_room(now);
        let bucket = self.buckets.entry(name).or_default();
        bucket.limit = headers.limit.unwrap_or(bucket.limit).max(1);
        // The response may be older than the requests now in flight.
        bucket.left = remaining.saturating_sub(bucket.in_flight);
        if remaining.saturating_add(1) >= bucket.limit {
            bucket.window = after.clamp(Duration::from_millis(100), Duration::from_secs(60));
        }
        bucket.reset_at = now.plus(after);
    }

    /// A 429, or an error that pauses a channel: no request on this route for `length`.
    pub fn block(&mut self, channel: ChannelId, operation: Operation, length: Duration, cause: DelayCause, now: UnixMs) {
        let name = self.name((channel, operation));
        self.make_room(now);
        self.buckets.entry(name).or_default().blocked = Some((now.plus(length), cause));
    }

    /// A global 429: no request at all for `length`.
    pub fn block_all(&mut self, length: Duration, now: UnixMs) {
        self.global_until = self.global_until.max(now.plus(length));
    }

    /// A response that counts toward Discord's ban: 401, 403, or a 429 that isn't shared.
    pub fn invalid(&mut self, now: UnixMs) {
        self.invalid.note(now);
    }

    /// Such responses in the last ten minutes, and the consequence.
    #[must_use]
    pub fn invalid_lately(&self, now: UnixMs) -> (u32, SendPace) {
        (self.invalid.count(now), self.invalid.pace(now))
    }

    fn global(&self, panic: bool, now: UnixMs) -> Option<Wait> {
        let wait = |until: UnixMs, cause| (until > now).then(|| Wait { length: until.since(now), cause });
        let retry_after = wait(self.global_until, DelayCause::RetryAfter);
        let guard = match self.invalid.pace(now) {
            SendPace::Free => None,
            SendPace::Slow if panic => None,
            SendPace::Slow => wait(self.sent_at.map_or(now, |last| last.plus(SLOW)), DelayCause::Guard),
            SendPace::Stop { until } => wait(until, DelayCause::Guard),
        };
        let own = if panic { self.per_second } else { self.per_second.saturating_sub(GLOBAL_RESERVE).max(1) };
        let full = (self.per_second > 0).then(|| self.sent.len().checked_sub(own)).flatten().and_then(|at| self.sent.get(at));
        let own = full.and_then(|at| wait(at.plus(SECOND), DelayCause::Global));
        [retry_after, guard, own].into_iter().flatten().max_by_key(|wait| wait.length)
    }

    fn name(&self, route: Route) -> Name {
        self.names.get(&route).map_or(Name::Own(route), |hash| Name::Discord(*hash, route.0))
    }

    fn bucket(&self, route: Route) -> Option<&Bucket> {
        self.buckets.get(&self.name(route))
    }

    fn make_room(&mut self, now: UnixMs) {
        if self.buckets.len() < MAX_BUCKETS && self.names.len() < MAX_BUCKETS {
            return;
        }
        self.buckets.retain(|_, bucket| bucket.in_flight > 0 || bucket.reset_at > now || bucket.blocked.is_some_and(|(at, _)| at > now));
        let buckets = &self.buckets;
        self.names.retain(|route, hash| buckets.contains_key(&Name::Discord(*hash, route.0)));
        if self.buckets.len() >= MAX_BUCKETS {
            // Thousands of channels within one window: Discord's next response restores what is dropped here.
            self.buckets.retain(|_, bucket| bucket.in_flight > 0);
            self.names.clear();
        }
    }
}

/// A larger bucket needs neither collecting nor a reserve.
const FEW: u32 = 20;

impl Bucket {
    fn left_at(&self, now: UnixMs) -> u32 {
        if self.reset_at <= now { self.limit.saturating_sub(self.in_flight) } else { self.left }
    }

    fn reserve(&self, operation: Operation, panic: bool) -> u32 {
        u32::from(operation == Operation::Create && !panic && (2..=FEW).contains(&self.limit))
    }

    fn wait(&self, operation: Operation, panic: bool, now: UnixMs) -> Option<Wait> {
        let until = |at: UnixMs, cause| (at > now).then(|| Wait { length: at.since(now), cause });
        let blocked = self.blocked.and_then(|(at, cause)| until(at, cause));
        let (left, reserve) = (self.left_at(now), self.reserve(operation, panic));
        let own = if self.limit == 0 {
            // Nothing is known yet: the first response says it.
            None
        } else if left <= reserve {
            until(self.reset_at.max(now.plus_ms(1)), DelayCause::Bucket)
        } else if reserve > 0 && self.reset_at > now {
            until(self.sent_at.plus(batching(left - reserve)), DelayCause::Batching)
        } else {
            None
        };
        [blocked, own].into_iter().flatten().max_by_key(|wait| wait.length)
    }
}

/// The fewer messages are left in a window, the longer each waits to be batched. A single call never waits: the pause
/// counts from the message before.
fn batching(left: u32) -> Duration {
    Duration::from_millis(match left {
        1 => 800,
        2 => 200,
        3 => 50,
        _ => 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ms as span;

    const A: ChannelId = ChannelId(1);
    const B: ChannelId = ChannelId(2);

    fn headers(bucket: u64, limit: u32, remaining: u32, after: u64) -> RateHeaders {
        RateHeaders { bucket: Some(bucket), limit: Some(limit), remaining: Some(remaining), reset_after: Some(span(after)) }
    }

    fn send(limits: &mut SendLimits, channel: ChannelId, operation: Operation, headers: RateHeaders, now: i64) {
        limits.take(channel, operation, UnixMs(now));
        limits.answered(channel, operation, headers, UnixMs(now));
    }

    fn ms(limits: &SendLimits, channel: ChannelId, operation: Operation, panic: bool, now: i64) -> u128 {
        limits.wait(channel, operation, panic, UnixMs(now)).map_or(0, |wait| wait.length.as_millis())
    }

    #[test]
    fn an_empty_bucket_waits_for_its_window_and_others_do_not() {
        let mut limits = SendLimits::default();
        send(&mut limits, A, Operation::Create, headers(7, 5, 0, 1_500), 0);
        assert_eq!(limits.wait(A, Operation::Create, false, UnixMs(500)), Some(Wait { length: span(1_000), cause: DelayCause::Bucket }));
        assert_eq!(ms(&limits, A, Operation::Create, true, 500), 1_000, "not even a panic may overdraw it");
        assert_eq!(ms(&limits, A, Operation::Create, false, 1_500), 0);
        assert_eq!(ms(&limits, A, Operation::Edit, false, 0), 0);
        assert_eq!(ms(&limits, B, Operation::Create, false, 0), 0, "the same bucket in another channel is another");
    }

    #[test]
    fn the_last_place_of_a_window_is_for_panics() {
        let mut limits = SendLimits::default();
        send(&mut limits, A, Operation::Create, headers(7, 5, 1, 3_000), 0);
        assert_eq!(ms(&limits, A, Operation::Create, false, 1_000), 2_000);
        assert_eq!(ms(&limits, A, Operation::Create, true, 1_000), 0);
        send(&mut limits, A, Operation::Edit, headers(8, 5, 1, 3_000), 0);
        assert_eq!(ms(&limits, A, Operation::Edit, false, 0), 0, "edits hold nothing back");
        // A window of a single request has no reserve.
        send(&mut limits, B, Operation::Create, headers(7, 1, 0, 3_000), 0);
        assert_eq!(ms(&limits, B, Operation::Create, false, 3_000), 0);
    }

    #[test]
    fn five_in_a_window_are_never_six_whatever_is_on_its_way() {
        let mut limits = SendLimits::default();
        send(&mut limits, A, Operation::Create, headers(7, 5, 4, 5_000), 0);
        // Three are in flight; the response to the first of them says that three are left, which is outdated.
        for _ in 0..3 {
            limits.take(A, Operation::Create, UnixMs(10_000));
        }
        limits.answered(A, Operation::Create, headers(7, 5, 4, 4_900), UnixMs(10_100));
        assert_eq!(limits.places(A, UnixMs(10_100)), Some(1));
        limits.take(A, Operation::Create, UnixMs(11_000));
        assert_eq!(ms(&limits, A, Operation::Create, false, 11_000), 4_000);
        assert_eq!(ms(&limits, A, Operation::Create, true, 11_000), 0);
        limits.take(A, Operation::Create, UnixMs(11_000));
        assert_eq!(ms(&limits, A, Operation::Create, true, 11_000), 4_000);
    }

    #[test]
    fn the_fewer_places_are_left_the_longer_one_waits_for_company() {
        let mut limits = SendLimits::default();
        let waits: Vec<u128> = [4, 3, 2, 1]
            .map(|left| {
                send(&mut limits, A, Operation::Create, headers(7, 5, left, 5_000), 0);
                ms(&limits, A, Operation::Create, false, 0)
            })
            .to_vec();
        assert_eq!(waits, [50, 200, 800, 5_000]);
        assert_eq!(ms(&limits, A, Operation::Create, true, 0), 0);
        send(&mut limits, A, Operation::Create, headers(7, 5, 2, 5_000), 0);
        assert_eq!(ms(&limits, A, Operation::Create, false, 800), 0, "it counts from the message before");
        send(&mut limits, B, Operation::Create, headers(7, 1_000, 2, 5_000), 0);
        assert_eq!(ms(&limits, B, Operation::Create, false, 0), 0, "a large bucket is no reason to gather");
    }

    #[test]
    fn routes_of_one_bucket_share_it() {
        let mut limits = SendLimits::default();
        send(&mut limits, A, Operation::Edit, headers(7, 5, 3, 5_000), 0);
        send(&mut limits, A, Operation::Archive, headers(7, 5, 0, 5_000), 10);
        assert_eq!(ms(&limits, A, Operation::Edit, false, 10), 5_000);
        assert_eq!(ms(&limits, A, Operation::Create, false, 10), 0);
    }

    #[test]
    fn everything_together_stays_below_the_global_limit_and_panics_keep_a_part() {
        let mut limits = SendLimits::new(10);
        for channel in 0..8 {
            assert_eq!(ms(&limits, ChannelId(channel), Operation::Create, false, 0), 0);
            limits.take(ChannelId(channel), Operation::Create, UnixMs(0));
        }
        let wait = limits.wait(ChannelId(9), Operation::Create, false, UnixMs(0));
        assert_eq!(wait, Some(Wait { length: SECOND, cause: DelayCause::Global }));
        limits.take(ChannelId(100), Operation::Create, UnixMs(20));
        assert_eq!(ms(&limits, ChannelId(9), Operation::Create, true, 20), 0);
        limits.take(ChannelId(101), Operation::Create, UnixMs(20));
        assert_eq!(ms(&limits, ChannelId(9), Operation::Create, true, 20), SECOND.as_millis() - 20);
        assert_eq!(ms(&limits, ChannelId(9), Operation::Create, false, 1_050), 0);
        // Commands are sent without asking: alerts leave capacity for them.
        for _ in 0..8 {
            limits.note(UnixMs(5_000));
        }
        assert!(ms(&limits, ChannelId(9), Operation::Create, false, 5_000) > 0);
        assert_eq!(ms(&SendLimits::new(0), A, Operation::Create, false, 0), 0);
    }

    #[test]
    fn a_429_stops_its_route_and_a_global_one_everything() {
        let mut limits = SendLimits::default();
        limits.block(A, Operation::Create, span(700), DelayCause::RetryAfter, UnixMs(0));
        assert_eq!(limits.wait(A, Operation::Create, true, UnixMs(100)), Some(Wait { length: span(600), cause: DelayCause::RetryAfter }));
        assert_eq!(ms(&limits, B, Operation::Create, false, 100), 0);
        limits.block_all(span(900), UnixMs(0));
        assert_eq!(ms(&limits, B, Operation::Edit, true, 100), 800);
    }

    #[test]
    fn invalid_requests_slow_everything_but_panics_and_then_stop_all() {
        invalid_requests_slow(SendLimits::default());
        invalid_requests_slow(SendLimits::new(0));
    }

    fn invalid_requests_slow(mut limits: SendLimits) {
        for _ in 0..1_000 {
            limits.invalid(UnixMs(0));
        }
        limits.take(A, Operation::Create, UnixMs(0));
        assert_eq!(limits.wait(B, Operation::Create, false, UnixMs(10)), Some(Wait { length: span(990), cause: DelayCause::Guard }));
        assert_eq!(ms(&limits, B, Operation::Create, true, 10), 0);
        for _ in 0..4_000 {
            limits.invalid(UnixMs(0));
        }
        assert!(ms(&limits, B, Operation::Create, true, 10) > 500_000);
        assert_eq!(ms(&limits, B, Operation::Create, false, 620_000), 0);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut limits = SendLimits::default();
        for channel in 0..20_000 {
            send(&mut limits, ChannelId(channel), Operation::Create, headers(channel, 5, 4, 5_000), 0);
        }
        assert!(limits.buckets.len() <= MAX_BUCKETS + 1 && limits.names.len() <= MAX_BUCKETS + 1);
    }
}
