//! Tells copies from events. The envelope has no event id, so equal content alone proves nothing: a panic on, off, on sends equal
//! bodies. Only the same content over a *different* way within [`WITHIN_MS`] is a copy, and one for one: hub, hub, HTTP, HTTP is two
//! events.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hash, RandomState};

use super::{RawEvent, Source};
use crate::clock::UnixMs;

/// Two ways bring the same event within this time (ms).
pub const WITHIN_MS: i64 = 10_000;
/// Most contents remembered. Beyond it the oldest is forgotten: a copy may then be taken for an event, an event never for a copy.
const MOST: usize = 20_000;

/// What came lately.
#[derive(Debug, Default)]
pub struct Copies {
    hasher: RandomState,
    /// Arrivals that no copy has claimed yet, by content, oldest first.
    unclaimed: HashMap<u64, VecDeque<(UnixMs, Source)>>,
    order: VecDeque<(UnixMs, u64)>,
}

impl Copies {
    /// Whether `event` is the copy of one that came another way. Otherwise it is remembered.
    pub fn is_copy(&mut self, event: &RawEvent) -> bool {
        let now = event.received_at;
        while let Some((at, content)) = self.order.front().copied() {
            if now.since(at) <= WITHIN_MS && self.order.len() < MOST {
                break;
            }
            self.order.pop_front();
            if let Some(arrivals) = self.unclaimed.get_mut(&content) {
                while arrivals.front().is_some_and(|(seen, _)| *seen <= at) {
                    arrivals.pop_front();
                }
                if arrivals.is_empty() {
                    self.unclaimed.remove(&content);
                }
            }
        }
        let content = self.content(event);
        let arrivals = self.unclaimed.entry(content).or_default();
        let original = arrivals.iter().position(|(at, source)| *source != event.source && now.since(*at) <= WITHIN_MS);
        if let Some(at) = original {
            arrivals.remove(at);
            return true;
        }
        arrivals.push_back((now, event.source));
        self.order.push_back((now, content));
        false
    }

    fn content(&self, event: &RawEvent) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        event.community.hash(&mut hasher);
        event.server.hash(&mut hasher);
        event.envelope.kind.hash(&mut hasher);
        // Objects are kept in key order, so equal content has equal text, whatever order it was sent in.
        event.envelope.data.hash(&mut hasher);
        event.envelope.extras.iter().for_each(|field| field.hash(&mut hasher));
        std::hash::Hasher::finish(&hasher)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::envelope;
    use crate::ids::{CommunityId, ServerId};

    fn event(source: Source, at: i64, body: &str) -> RawEvent {
        let (envelope, _) = envelope::open(body.as_bytes()).unwrap();
        RawEvent { community: CommunityId::new("c"), server: ServerId(1), source, received_at: UnixMs(at), envelope: envelope.into() }
    }

    const PANIC: &str = r#"{"type":"EVENT_UNIT_PANIC","data":{"identIds":[1],"isPanic":true}}"#;

    #[test]
    fn one_way_never_copies_itself() {
        let mut copies = Copies::default();
        for at in 0..5 {
            assert!(!copies.is_copy(&event(Source::Hub, at, PANIC)));
        }
    }

    #[test]
    fn two_ways_pair_up_one_for_one() {
        let mut copies = Copies::default();
        let seen: Vec<bool> = [Source::Hub, Source::Hub, Source::Http, Source::Http, Source::Http]
            .into_iter()
            .map(|source| copies.is_copy(&event(source, 0, PANIC)))
            .collect();
        assert_eq!(seen, [false, false, true, true, false]);
    }

    #[test]
    fn key_order_does_not_matter_but_content_and_time_do() {
        let mut copies = Copies::default();
        assert!(!copies.is_copy(&event(Source::Hub, 0, PANIC)));
        assert!(!copies.is_copy(&event(Source::Http, 1, r#"{"type":"EVENT_UNIT_PANIC","data":{"identIds":[2],"isPanic":true}}"#)));
        assert!(copies.is_copy(&event(Source::Http, 2, r#"{"data":{"isPanic":true,"identIds":[1]},"type":"event_unit_panic"}"#)));
        assert!(!copies.is_copy(&event(Source::Hub, 100, PANIC)));
        assert!(!copies.is_copy(&event(Source::Http, 100 + WITHIN_MS + 1, PANIC)));
    }
}
