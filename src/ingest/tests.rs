//! What an event becomes in channels of each style, without any I/O.

use super::draw::{Drawing, Memos};
use super::log_pages::LogPages;
use super::samples;
use crate::clock::UnixMs;
use crate::event::{Envelope, Topic, decode};
use crate::ids::{ChannelId, CommunityId, GuildId, RoleId, ServerId};
use crate::outbox::{Draft, Lane};
use crate::render::Style;
use crate::route::{Listens, Mute, Route};
use crate::world::Server;

/// A world, its routes and what ingest remembers, fed event by event.
struct Desk {
    community: CommunityId,
    world: Server,
    routes: Vec<Route>,
    memos: Memos,
    pages: LogPages,
    at: UnixMs,
    seq: i64,
}

impl Desk {
    fn new(routes: Vec<Route>) -> Self {
        let community = CommunityId::new("c");
        Self { community, world: Server::default(), routes, memos: Memos::default(), pages: LogPages::default(), at: UnixMs(1_000), seq: 0 }
    }

    fn feed(&mut self, envelope: &Envelope) -> Vec<Draft> {
        self.at = self.at.plus(1_000);
        let mut drafts = Vec::new();
        for event in decode(envelope).unwrap() {
            self.seq += 1;
            let applied = self.world.apply(&event, self.at);
            let setting = super::draw::Setting {
                routes: &self.routes,
                guilds: &std::collections::HashMap::new(),
                pinged: &std::collections::HashMap::new(),
                community: &self.community,
                server: ServerId(1),
                world: &self.world,
                at: self.at,
                number: (self.seq, 0),
            };
            let mut drawing = Drawing::new(setting, &mut self.memos, &mut self.pages, &mut drafts);
            applied.changes.iter().for_each(|change| drawing.change(change));
            drawing.event(&event);
        }
        drafts
    }
}

fn route(id: i64, event: Listens, channel: u64, style: Style) -> Route {
    Route {
        id,
        guild: GuildId(1),
        community: CommunityId::new("c"),
        event,
        channel: ChannelId(channel),
        server: None,
        role: Some(RoleId(99)),
        style,
        enabled: true,
        forum: false,
        rule: crate::route::Rule::default(),
    }
}

fn all(style: Style) -> Vec<Route> {
    vec![route(1, Listens::All, 7, style)]
}

fn event(kind: &str, data: serde_json::Value) -> Envelope {
    super::envelope(kind, data)
}

#[test]
fn nothing_private_reaches_a_public_channel() {
    let mut desk = Desk::new(all(Style::Public));
    let mut told = String::new();
    for topic in Topic::ALL {
        for envelope in samples::before(topic).iter().chain([&samples::event(topic)]) {
            for draft in desk.feed(envelope) {
                told += &serde_json::to_string(&draft.message).unwrap();
            }
        }
    }
    assert!(told.contains("911"), "calls are shown: {told}");
    for private in ["Jordan", "Vale", "A-10", "Riley", "Stone", "XP 123", "masked", "Blue four-door"] {
        assert!(!told.contains(private), "{private} in {told}");
    }
}

#[test]
fn every_topic_makes_exactly_one_post_in_a_channel_of_cards() {
    for topic in Topic::ALL {
        let mut desk = Desk::new(vec![route(1, Listens::To(topic), 7, Style::Card)]);
        for envelope in samples::before(topic) {
            assert_eq!(desk.feed(&envelope), [], "{topic:?}");
        }
        let drafts = desk.feed(&samples::event(topic));
        assert_eq!(drafts.len(), 1, "{topic:?}: {drafts:#?}");
        let draft = &drafts[0];
        let lane = match topic {
            Topic::Panic => Lane::Panic,
            Topic::Emergency | Topic::Dispatch | Topic::Station | Topic::Pager => Lane::Urgent,
            Topic::Duty | Topic::Status | Topic::Other => Lane::Log,
            _ => Lane::New,
        };
        assert_eq!(draft.lane, lane, "{topic:?}");
        let pings = !matches!(topic, Topic::Duty | Topic::Status | Topic::Other);
        assert_eq!(!draft.message.roles.is_empty(), pings, "{topic:?}: {draft:#?}");
    }
}

#[test]
fn a_call_that_a_new_route_finds_open_is_shown_in_silence() {
    let mut desk = Desk::new(Vec::new());
    assert_eq!(desk.feed(&samples::event(Topic::Dispatch)), []);
    desk.routes = all(Style::Card);
    let attach = event("EVENT_DISPATCH_UNIT_ATTACH", serde_json::json!({ "callId": 9001, "idents": [5] }));
    let drafts: Vec<_> = desk.feed(&attach);
    assert_eq!(drafts.len(), 1);
    assert!(drafts[0].message.silent && drafts[0].message.roles.is_empty() && drafts[0].roles.is_empty(), "{drafts:#?}");
    // And a call that is over is not shown at all.
    let mut desk = Desk::new(Vec::new());
    desk.feed(&samples::event(Topic::Dispatch));
    desk.routes = all(Style::Card);
    let closed = event("EVENT_DISPATCH_CLOSED", serde_json::json!({ "callIds": [9001] }));
    assert_eq!(desk.feed(&closed), []);
}

#[test]
fn what_stands_for_itself_makes_no_sound_either_where_the_route_is_muted() {
    for (topic, style) in [(Topic::Tone, Style::Compact), (Topic::Station, Style::Card), (Topic::Duty, Style::Log)] {
        for muted in [false, true] {
            let mut desk = Desk::new(vec![route(1, Listens::To(topic), 7, style)]);
            desk.routes[0].rule.mute = muted.then(|| Mute { until: desk.at.plus(60_000), panic: false });
            let drafts = desk.feed(&samples::event(topic));
            assert_eq!(drafts.len(), 1, "{topic:?}");
            assert_eq!(drafts[0].message.silent, muted, "{topic:?}: {:#?}", drafts[0]);
        }
    }
}

#[test]
fn a_card_goes_on_as_it_began_even_without_its_route() {
    let mut desk = Desk::new(all(Style::Compact));
    let made = desk.feed(&samples::event(Topic::Dispatch));
    desk.routes.clear();
    let closed = desk.feed(&event("EVENT_DISPATCH_CLOSED", serde_json::json!({ "callIds": [9001] })));
    assert_eq!(closed.len(), 1);
    assert_eq!(
        (closed[0].key.clone(), closed[0].style, closed[0].over, closed[0].lane),
        (made[0].key.clone(), Style::Compact, true, Lane::Edit)
    );
    assert_ne!(closed[0].message, made[0].message);
}

#[test]
fn a_panic_that_ends_edits_its_card_and_answers_it_in_silence() {
    let mut desk = Desk::new(all(Style::Card));
    let on = desk.feed(&event("EVENT_UNIT_PANIC", serde_json::json!({ "identIds": [5], "isPanic": true })));
    let off = desk.feed(&event("EVENT_UNIT_PANIC", serde_json::json!({ "identIds": [5], "isPanic": false })));
    assert_eq!((on.len(), off.len()), (1, 2));
    assert_eq!(off[0].key, on[0].key);
    assert_eq!(off[1].parent.as_deref(), Some(on[0].key.subject.as_str()));
    assert!(off[1].message.roles.is_empty() && off[1].message.silent, "{:#?}", off[1]);
}

#[test]
fn lines_share_a_message_while_they_come_close_together() {
    let mut desk = Desk::new(vec![route(1, Listens::To(Topic::Status), 7, Style::Log)]);
    let status = |ident: i64| event("EVENT_UNIT_STATUS", serde_json::json!({ "identIds": [ident], "status": 3 }));
    let (first, second) = (desk.feed(&status(1)), desk.feed(&status(2)));
    assert_eq!(first[0].key, second[0].key);
    let lines = second[0].message.embeds[0].description.as_deref().unwrap().lines().count();
    assert_eq!(lines, 2);
    desk.at = desk.at.plus(600_000);
    assert_ne!(desk.feed(&status(3))[0].key, first[0].key);
}

#[test]
fn a_rise_to_the_highest_priority_is_said_once_in_a_reply_that_pings() {
    let mut desk = Desk::new(vec![route(1, Listens::To(Topic::Dispatch), 7, Style::Card)]);
    let call =
        |priority: i64, title: &str| serde_json::json!({ "dispatch": { "callId": 5, "status": 1, "priority": priority, "title": title } });
    let made = desk.feed(&event("EVENT_DISPATCH_NEW", call(3, "Burglary")));
    assert!(made[0].message.roles.is_empty(), "priority 3 pings nobody");
    let raised = desk.feed(&event("EVENT_DISPATCH_EDIT", call(1, "Burglary")));
    let reply = raised.iter().find(|draft| draft.parent.is_some()).expect("a reply");
    assert_eq!((reply.parent.as_deref(), &reply.message.roles[..]), (Some(made[0].key.subject.as_str()), &[RoleId(99)][..]));
    // Later edits, and going down and up again, keep the one reply's name: nobody is called twice.
    assert!(desk.feed(&event("EVENT_DISPATCH_EDIT", call(1, "Robbery"))).iter().all(|draft| draft.parent.is_none()));
    desk.feed(&event("EVENT_DISPATCH_EDIT", call(2, "Robbery")));
    let again = desk.feed(&event("EVENT_DISPATCH_EDIT", call(1, "Robbery")));
    assert!(again.iter().filter(|draft| draft.parent.is_some()).all(|draft| draft.key == reply.key));
    // A call that pinged when it was new does not ping again.
    let mut desk = Desk::new(vec![route(1, Listens::To(Topic::Dispatch), 7, Style::Card)]);
    desk.feed(&event("EVENT_DISPATCH_NEW", call(1, "Burglary")));
    desk.feed(&event("EVENT_DISPATCH_EDIT", call(3, "Burglary")));
    assert!(desk.feed(&event("EVENT_DISPATCH_EDIT", call(1, "Burglary"))).iter().all(|draft| draft.parent.is_none()));
}
