//! Finds copies of events. The envelope has no event id, so equal content alone proves nothing: a panic on, off, on sends equal
//! bodies. Only the same content from a *different* source within [`WITHIN`] is a copy, and one for one: hub, hub, HTTP, HTTP is two
//! events.
//!
//! The CAD may not send events for the bot's own actions ([`Source::Bot`]): an equal event may be another action. So after any other event
//! about the same subject, the bot's own event has no copy any more: `/unit panic`, off by the CAD, on by the CAD is two panics. Mistaking
//! a copy of such an event for an event changes nothing, since the world's reducers are safe to repeat.

use std::collections::{HashMap, VecDeque};
use std::fmt::{self, Write as _};
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::time::Duration;

use serde_json::Value;

use super::normalise::{text as scalar_text, whole};
use super::{Event, RawEvent, Source};
use crate::clock::UnixMs;
use crate::ids::{CallId, Ident, ServerId};

/// Two sources deliver the same event within this time.
pub const WITHIN: Duration = Duration::from_secs(10);
/// Limit on remembered contents. Beyond it the oldest is dropped: then a copy may count as an event, but never an event as a copy.
const MAX_REMEMBERED: usize = 20_000;

/// Recent arrivals.
#[derive(Debug, Default)]
pub struct Dedup {
    hasher: RandomState,
    /// Arrivals without a copy yet, by content, oldest first.
    unclaimed: HashMap<u64, VecDeque<(UnixMs, Source)>>,
    order: VecDeque<(UnixMs, u64)>,
    /// Those from the bot itself, and their subjects.
    own: Vec<Own>,
}

/// An event of the bot's own without a copy yet.
#[derive(Debug)]
struct Own {
    at: UnixMs,
    content: u64,
    server: ServerId,
    about: Vec<About>,
}

/// A subject whose state can change back and forth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum About {
    Panic(Ident),
    Status(Ident),
    OnCall(CallId, Ident),
    Call(CallId),
}

impl Dedup {
    /// Whether `event`, decoded as `decoded`, is a copy of one from another source. Otherwise it is remembered.
    pub fn is_copy(&mut self, event: &RawEvent, decoded: &[Event]) -> bool {
        let now = event.received_at;
        while let Some((at, content)) = self.order.front().copied() {
            if now.since(at) <= WITHIN && self.order.len() < MAX_REMEMBERED {
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
        let content = self.content(event, decoded);
        let arrivals = self.unclaimed.entry(content).or_default();
        let original = arrivals.iter().position(|(at, source)| *source != event.source && now.since(*at) <= WITHIN);
        if let Some(place) = original {
            if let Some((at, Source::Bot)) = arrivals.remove(place) {
                self.own.retain(|own| (own.at, own.content) != (at, content));
            }
            return true;
        }
        arrivals.push_back((now, event.source));
        self.order.push_back((now, content));
        self.contradict(event, decoded, content);
        false
    }

    /// Forgets the bot's own events about the subjects of `event`, and remembers it if it is the bot's own.
    fn contradict(&mut self, event: &RawEvent, decoded: &[Event], content: u64) {
        let now = event.received_at;
        self.own.retain(|own| now.is_within(WITHIN, own.at));
        let is_own = event.source == Source::Bot;
        if self.own.is_empty() && !is_own {
            return;
        }
        let about: Vec<About> = decoded.iter().flat_map(about).collect();
        let server = event.server;
        let unclaimed = &mut self.unclaimed;
        self.own.retain(|own| {
            let other = own.content == content || own.server != server || !own.about.iter().any(|thing| about.contains(thing));
            if !other && let Some(arrivals) = unclaimed.get_mut(&own.content) {
                arrivals.retain(|arrival| *arrival != (own.at, Source::Bot));
            }
            other
        });
        if is_own && !about.is_empty() && self.own.len() < MAX_REMEMBERED {
            self.own.push(Own { at: now, content, server, about });
        }
    }

    /// Of its meaning, not its notation: a game server that forwards one writes numbers, flags and empty lists in its own way.
    fn content(&self, event: &RawEvent, decoded: &[Event]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        event.server.hash(&mut hasher);
        for said in decoded {
            if let Event::Unknown | Event::Ignored = said {
                event.envelope.kind.hash(&mut hasher);
                hash_value(&event.envelope.data, &mut hasher);
                event.envelope.extras.iter().filter(|(_, value)| !value.is_null()).for_each(|(name, value)| {
                    name.hash(&mut hasher);
                    hash_value(value, &mut hasher);
                });
            } else {
                // Writing into a hasher can't fail.
                write!(Hashed(&mut hasher), "{said:?}").ok();
            }
        }
        hasher.finish()
    }
}

/// Hashes the text, ignoring differences of notation.
struct Hashed<'a, H>(&'a mut H);

impl<H: Hasher> fmt::Write for Hashed<'_, H> {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        self.0.write(alike(part).as_bytes());
        Ok(())
    }
}

/// The meaning of a text that is only a flag or a number: the CAD writes `True` where others write `true`, and Lua `81.0` for 81.
fn alike(text: &str) -> &str {
    match text {
        "True" | "TRUE" => "true",
        "False" | "FALSE" => "false",
        text => whole(text),
    }
}

/// The meaning of a value of an unknown event: texts of numbers and flags count as those, null counts as absent.
fn hash_value(value: &Value, hasher: &mut impl Hasher) {
    match value {
        Value::Array(list) => {
            hasher.write_u8(b'[');
            list.iter().for_each(|value| hash_value(value, hasher));
            hasher.write_u8(b']');
        }
        // Objects are kept in key order.
        Value::Object(map) => {
            hasher.write_u8(b'{');
            for (name, value) in map.iter().filter(|(_, value)| !value.is_null()) {
                name.hash(hasher);
                hash_value(value, hasher);
            }
            hasher.write_u8(b'}');
        }
        scalar => scalar_text(scalar).as_deref().map(alike).hash(hasher),
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
    use crate::clock::millis;
    use crate::event::{decode, envelope};

    impl Dedup {
        fn sees(&mut self, event: &RawEvent) -> bool {
            self.is_copy(event, &decode(&event.envelope).unwrap())
        }
    }

    fn event(source: Source, at: i64, body: &str) -> RawEvent {
        let (envelope, _) = envelope::open(body.as_bytes()).unwrap();
        RawEvent { server: ServerId(1), source, received_at: UnixMs(at), envelope: envelope.into() }
    }

    const PANIC: &str = r#"{"type":"EVENT_UNIT_PANIC","data":{"identIds":[1],"isPanic":true}}"#;

    #[test]
    fn one_way_never_copies_itself() {
        let mut copies = Dedup::default();
        for at in 0..5 {
            assert!(!copies.sees(&event(Source::Hub, at, PANIC)));
        }
    }

    #[test]
    fn two_ways_pair_up_one_for_one() {
        let mut copies = Dedup::default();
        let seen: Vec<bool> = [Source::Hub, Source::Hub, Source::Http, Source::Http, Source::Http]
            .into_iter()
            .map(|source| copies.sees(&event(source, 0, PANIC)))
            .collect();
        assert_eq!(seen, [false, false, true, true, false]);
    }

    #[test]
    fn the_bots_own_event_has_no_copy_after_another_event_about_its_subject() {
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
                let mut copies = Dedup::default();
                assert!(!copies.sees(&event(Source::Bot, 0, own)));
                for (source, body) in between {
                    copies.sees(&event(*source, 1, body));
                }
                copies.sees(&event(then, 2, own))
            };
            assert!(seen(&[], Source::Hub), "{own}");
            assert!(seen(&[(Source::Hub, &others(contrary).replace("\"id\":1", "\"id\":2"))], Source::Hub), "of another: {own}");
            assert!(!seen(&[(Source::Hub, own), (Source::Hub, contrary)], Source::Hub), "claimed: {own}");
            for source in [Source::Hub, Source::Http, Source::Bot] {
                assert!(!seen(&[(source, contrary)], Source::Hub), "{own} {source:?}");
            }
        }
        // Both sources send everything, one later than the other: copies as usual.
        let mut copies = Dedup::default();
        let told = [(Source::Hub, PANIC), (Source::Hub, &off), (Source::Http, PANIC), (Source::Http, &off)];
        let seen: Vec<bool> = told.into_iter().map(|(source, body)| copies.sees(&event(source, 0, body))).collect();
        assert_eq!(seen, [false, false, true, true]);
    }

    #[test]
    fn key_order_does_not_matter_but_content_and_time_do() {
        let mut copies = Dedup::default();
        assert!(!copies.sees(&event(Source::Hub, 0, PANIC)));
        assert!(!copies.sees(&event(Source::Http, 1, r#"{"type":"EVENT_UNIT_PANIC","data":{"identIds":[2],"isPanic":true}}"#)));
        assert!(copies.sees(&event(Source::Http, 2, r#"{"data":{"isPanic":true,"identIds":[1]},"type":"event_unit_panic"}"#)));
        assert!(!copies.sees(&event(Source::Hub, 100, PANIC)));
        assert!(!copies.sees(&event(Source::Http, 101 + millis(WITHIN), PANIC)));
    }

    #[test]
    fn an_event_that_two_ways_write_differently_is_one_event() {
        for (hub, http) in [
            (
                r#"{"type":"EVENT_PAGER_REBORN","data":{"addresses":["Fire 3"],"nature":"EMERGENCY","body":"Go","identIds":[81]}}"#,
                r#"{"data":{"identIds":["81"],"body":"Go","nature":"EMERGENCY","addresses":"Fire 3","x":null},"type":"EVENT_PAGER_REBORN"}"#,
            ),
            (
                r#"{"type":"EVENT_TONE","data":{"url":"https://t.example/a.mp3","playTonesTo":[{"type":5,"value":81,"label":"Engine"}]}}"#,
                r#"{"type":"EVENT_TONE","data":[{"playTonesTo":[{"label":"Engine","value":81.0,"type":"5"}],"url":"https://t.example/a.mp3"}]}"#,
            ),
            (
                r#"{"type":"EVENT_RECORD_ADD","data":{"record":{"id":8842,"type":3,"name":"BOLO","sections":[{"fields":[{"label":"Armed","value":true}]}]}}}"#,
                r#"{"type":"EVENT_RECORD_ADD","data":"{\"record\":{\"sections\":[{\"fields\":[{\"value\":\"True\",\"label\":\"Armed\",\"data\":null}]}],\"name\":\"BOLO\",\"type\":3.0,\"id\":\"8842\"}}"}"#,
            ),
            (
                r#"{"type":"EVENT_911","data":{"call":{"callId":302,"isEmergency":true,"caller":"","location":"A","metaData":{"x":-318.4,"n":81}}}}"#,
                r#"{"type":"EVENT_911","data":{"call":{"callId":"302","isEmergency":"True","location":"A","metaData":{"n":81.0,"x":-318.4,"z":null}}},"sent":7}"#,
            ),
            (
                r#"{"type":"EVENT_DISPATCH_NEW","data":{"dispatch":{"callId":501,"primary":-1,"idents":[],"metaData":{},"trackPrimary":false}}}"#,
                r#"{"type":"EVENT_DISPATCH_NEW","data":{"dispatch":{"callId":501.0,"idents":{},"metaData":[],"trackPrimary":"false"}}}"#,
            ),
            (
                r#"{"type":"EVENT_STATION_ALERT","data":{"tone":"t","locations":[{"name":7}]}}"#,
                r#"{"type":"EVENT_STATION_ALERT","data":{"locations":{"name":"7"},"tone":"t","message":null}}"#,
            ),
            (
                r#"{"type":"EVENT_NEW_CALLOUT","data":{"callout":{"id":7,"calloutName":"Fire"}}}"#,
                r#"{"type":"EVENT_NEW_CALLOUT","data":{"callout":{"id":"7","CalloutName":"Fire"}}}"#,
            ),
            (
                r#"{"type":"EVENT_STREETSIGN_UPDATED","data":{"signData":{"ids":[3],"text1":81}}}"#,
                r#"{"type":"EVENT_STREETSIGN_UPDATED","data":{"signData":{"ids":"3","text1":"81","text2":""}}}"#,
            ),
            (r#"{"type":"SOMETHING_NEW","data":{"a":81,"b":true,"c":null}}"#, r#"{"type":"SOMETHING_NEW","data":{"b":"true","a":81.0}}"#),
            (PANIC, r#"{"type":"EVENT_UNIT_PANIC","data":{"isPanic":"True","identIds":["1"]}}"#),
            // As Lua writes whole floats as text.
            (PANIC, r#"{"type":"EVENT_UNIT_PANIC","data":{"isPanic":1,"identIds":["1.0"]}}"#),
            (
                r#"{"type":"EVENT_PAGER_REBORN","data":{"addresses":[3],"nature":"EMERGENCY","body":81,"identIds":[81]}}"#,
                r#"{"type":"EVENT_PAGER_REBORN","data":{"addresses":["3.0"],"nature":"EMERGENCY","body":"81.0","identIds":["81.0"]}}"#,
            ),
            (
                r#"{"type":"EVENT_TONE","data":{"playTonesTo":[{"type":5,"value":81}]}}"#,
                r#"{"type":"EVENT_TONE","data":{"playTonesTo":[{"type":"5.0","value":"81.0"}]}}"#,
            ),
            (
                r#"{"type":"EVENT_RECORD_ADD","data":{"record":{"id":8842,"type":3,"name":"BOLO","sections":[{"fields":[{"label":"Age","value":30}]}]}}}"#,
                r#"{"type":"EVENT_RECORD_ADD","data":{"record":{"id":"8842.0","type":"3.0","name":"BOLO","sections":[{"fields":[{"label":"Age","value":"30.0"}]}]}}}"#,
            ),
            (
                r#"{"type":"EVENT_DISPATCH_NEW","data":{"dispatch":{"callId":501,"priority":1,"idents":[1,2]}}}"#,
                r#"{"type":"EVENT_DISPATCH_NEW","data":{"dispatch":{"callId":"501.0","priority":"1.0","idents":["1.0",2.0]}}}"#,
            ),
            (r#"{"type":"SOMETHING_NEW","data":{"a":81,"b":true}}"#, r#"{"type":"SOMETHING_NEW","data":{"b":"True","a":"81.0"}}"#),
        ] {
            let mut copies = Dedup::default();
            assert!(!copies.sees(&event(Source::Hub, 0, hub)), "{hub}");
            assert!(copies.sees(&event(Source::Http, 1, http)), "{http}");
            // Within one source nothing is a copy, however equal.
            assert!(!copies.sees(&event(Source::Http, 2, http)), "{http}");
            assert!(!copies.sees(&event(Source::Http, 2, http)), "{http}");
        }
    }
}
