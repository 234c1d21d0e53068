//! Tells copies from events. The envelope has no event id, so equal content alone proves nothing: a panic on, off, on sends equal
//! bodies. Only the same content over a *different* way within [`WITHIN_MS`] is a copy, and one for one: hub, hub, HTTP, HTTP is two
//! events.
//!
//! The CAD need not tell what the bot itself did ([`Source::Own`]): an event equal to it may be another deed. So once something else was
//! told of the same thing, the bot's own event has no copy any more: `/unit panic`, off by the CAD, on by the CAD is two panics. Taking a
//! copy of such an event for an event changes nothing, since the world's reducers are safe to repeat.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hash, RandomState};

use super::{Event, RawEvent, Source, decode};
use crate::clock::UnixMs;
use crate::ids::{CallId, CommunityId, Ident, ServerId};

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
    /// Those of them that the bot told itself, and what each is about.
    own: Vec<Own>,
}

/// An event of the bot's own that no copy has claimed yet.
#[derive(Debug)]
struct Own {
    at: UnixMs,
    content: u64,
    whose: (CommunityId, ServerId),
    about: Vec<About>,
}

/// What can be one way or another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum About {
    Panic(Ident),
    Status(Ident),
    OnCall(CallId, Ident),
    Call(CallId),
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
        if let Some(place) = original {
            if let Some((at, Source::Own)) = arrivals.remove(place) {
                self.own.retain(|own| (own.at, own.content) != (at, content));
            }
            return true;
        }
        arrivals.push_back((now, event.source));
        self.order.push_back((now, content));
        self.contradict(event, content);
        false
    }

    /// Forgets what the bot told itself of the things that `event` is about, and remembers it if it is the bot's own.
    fn contradict(&mut self, event: &RawEvent, content: u64) {
        let now = event.received_at;
        self.own.retain(|own| (0..=WITHIN_MS).contains(&now.since(own.at)));
        let is_own = event.source == Source::Own;
        if self.own.is_empty() && !is_own {
            return;
        }
        let about: Vec<About> = decode(&event.envelope).unwrap_or_default().iter().flat_map(about).collect();
        let whose = (event.community.clone(), event.server);
        let unclaimed = &mut self.unclaimed;
        self.own.retain(|own| {
            let other = own.content == content || own.whose != whose || !own.about.iter().any(|thing| about.contains(thing));
            if !other && let Some(arrivals) = unclaimed.get_mut(&own.content) {
                arrivals.retain(|arrival| *arrival != (own.at, Source::Own));
            }
            other
        });
        if is_own && !about.is_empty() && self.own.len() < MOST {
            self.own.push(Own { at: now, content, whose, about });
        }
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

fn about(event: &Event) -> Vec<About> {
    match event {
        Event::Panic { idents, .. } => idents.iter().copied().map(About::Panic).collect(),
        Event::UnitStatus { idents, units, .. } => idents
            .iter()
            .copied()
            .map(About::Status)
            .chain(units.iter().flat_map(|unit| [About::Status(unit.ident), About::Panic(unit.ident)]))
            .collect(),
        Event::UnitUpdate { units } => units.iter().flat_map(|unit| [About::Status(unit.ident), About::Panic(unit.ident)]).collect(),
        Event::UnitLogin { units } => units.iter().map(|unit| About::Panic(unit.ident)).collect(),
        Event::UnitLogout { idents } => idents.iter().flat_map(|ident| [About::Status(*ident), About::Panic(*ident)]).collect(),
        Event::UnitAttach { idents, call, .. } | Event::UnitDetach { idents, call, .. } => {
            idents.iter().map(|ident| About::OnCall(*call, *ident)).collect()
        }
        Event::DispatchEdited(call) => call.id.map(About::Call).into_iter().collect(),
        Event::DispatchClosed { calls, .. } => calls.iter().copied().map(About::Call).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::envelope;

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
    fn what_the_bot_did_itself_has_no_copy_once_something_else_was_told_of_it() {
        const STATUS: &str = r#"{"type":"EVENT_UNIT_STATUS","data":{"identIds":[1],"status":2}}"#;
        const ATTACH: &str = r#"{"type":"EVENT_DISPATCH_UNIT_ATTACH","data":{"callId":501,"idents":[1]}}"#;
        const EDIT: &str = r#"{"type":"EVENT_DISPATCH_EDIT","data":{"dispatch":{"callId":501,"priority":1}}}"#;
        let off = PANIC.replace("true", "false");
        let flag = r#"{"type":"EVENT_UNIT_UPDATE","data":{"units":[{"id":1,"isPanic":false}]}}"#;
        let others = |body: &str| body.replace("[1]", "[2]").replace("501", "502");
        for (own, contrary) in [
            (PANIC, off.as_str()),
            (PANIC, flag),
            (STATUS, r#"{"type":"EVENT_UNIT_STATUS","data":{"identIds":[1],"status":3}}"#),
            (ATTACH, r#"{"type":"EVENT_DISPATCH_UNIT_DETACH","data":{"callId":501,"idents":[1]}}"#),
            (EDIT, r#"{"type":"EVENT_DISPATCH_EDIT","data":{"dispatch":{"callId":501,"priority":2}}}"#),
            (EDIT, r#"{"type":"EVENT_DISPATCH_CLOSED","data":{"callIds":[501]}}"#),
        ] {
            let seen = |between: &[(Source, &str)], then: Source| {
                let mut copies = Copies::default();
                assert!(!copies.is_copy(&event(Source::Own, 0, own)));
                for (source, body) in between {
                    copies.is_copy(&event(*source, 1, body));
                }
                copies.is_copy(&event(then, 2, own))
            };
            assert!(seen(&[], Source::Hub), "{own}");
            assert!(seen(&[(Source::Hub, &others(contrary).replace("\"id\":1", "\"id\":2"))], Source::Hub), "of another: {own}");
            assert!(!seen(&[(Source::Hub, own), (Source::Hub, contrary)], Source::Hub), "claimed: {own}");
            for source in [Source::Hub, Source::Http, Source::Own] {
                assert!(!seen(&[(source, contrary)], Source::Hub), "{own} {source:?}");
            }
        }
        // Both ways tell all, one later than the other: copies as ever.
        let mut copies = Copies::default();
        let told = [(Source::Hub, PANIC), (Source::Hub, &off), (Source::Http, PANIC), (Source::Http, &off)];
        let seen: Vec<bool> = told.into_iter().map(|(source, body)| copies.is_copy(&event(source, 0, body))).collect();
        assert_eq!(seen, [false, false, true, true]);
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
