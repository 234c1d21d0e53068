//! What an event becomes in channels of each style, without any I/O; and what ingest itself keeps, over a real store.

use std::time::Duration;

use tokio::time::Instant;

use super::log_pages::LogPages;
use super::planner::{Memos, PostPlanner};
use super::{Deps, Group, Ingest, TOGETHER, samples};
use crate::clock::{Clock, UnixMs};
use crate::event::{Envelope, RawEvent, Source, Topic, decode};
use crate::ids::{CallId, ChannelId, CommunityId, GuildId, RoleId, RouteId, ServerId};
use crate::intake_queue::{Arrival, IntakeError};
use crate::metrics::Metrics;
use crate::outbox::{DesiredPost, Lane};
use crate::render::Style;
use crate::route::{Listens, Mute, Route};
use crate::shutdown::Tasks;
use crate::status::Status;
use crate::store::{Batch, JournalRow, Store};
use crate::world::Server;

/// An ingest with a database of its own, which is deleted with its folder.
struct Real {
    ingest: Ingest,
    store: Store,
    metrics: Metrics,
    tasks: Tasks,
    folder: std::path::PathBuf,
}

impl Real {
    async fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("tenfour-ingest-{:016x}", fastrand::u64(..)));
        let store = Store::open(&folder.join("t.db")).await.unwrap();
        crate::store::conformance::link(&store, &[1]).await;
        let metrics = Metrics::new(&[], &[]);
        let clock = Clock::manual(UnixMs(1_000_000));
        let deps = Deps {
            store: crate::store::conformance::own(&store),
            clock: clock.clone(),
            metrics: metrics.clone(),
            status: Status::default(),
            scheduler: crate::send_scheduler::SendScheduler::new(clock, 0),
            refresh: crate::refresh::RefreshRequests::new().0,
        };
        Self { ingest: Ingest::restore(deps).await.unwrap(), store, metrics, tasks: Tasks::default(), folder }
    }

    async fn take(&mut self, source: Source, envelope: Envelope) -> Result<(), IntakeError> {
        let (done, answer) = tokio::sync::oneshot::channel();
        let arrival = Arrival { done: Some(done), ..self.arrival(source, envelope) };
        self.ingest.take(vec![arrival], &self.tasks).await;
        answer.await.unwrap()
    }

    /// An event that nobody waits for.
    fn arrival(&self, source: Source, envelope: Envelope) -> Arrival {
        let received_at = self.ingest.deps.clock.now();
        let event = RawEvent { server: ServerId(1), source, received_at, envelope: envelope.into() };
        Arrival { event, done: None, weight: None }
    }

    fn counted(&self, outcome: &str) -> bool {
        self.metrics.encode().contains(&format!(r#"tenfour_events_total{{source="http",outcome="{outcome}"}} 1"#))
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

fn panic_of(ident: i64) -> Envelope {
    event("EVENT_UNIT_PANIC", serde_json::json!({ "identIds": [ident], "isPanic": true }))
}

#[tokio::test]
async fn after_a_failed_commit_a_copy_is_still_a_copy_and_what_failed_is_none() {
    let mut real = Real::new().await;
    assert_eq!(real.take(Source::Hub, panic_of(1)).await, Ok(()));
    // Somebody else's row under the number of the next event.
    let row = JournalRow { seq: 2, server: ServerId(1), source: Source::Hub, kind: "X".into(), received_at: UnixMs(0), body: "{}".into() };
    real.store.of(&CommunityId::new("other")).ingest(Batch { journal: vec![row], ..Batch::default() }, Vec::new()).await.unwrap();
    assert_eq!(real.take(Source::Test, panic_of(2)).await, Err(IntakeError::Unavailable));
    assert!(real.ingest.worlds.values().all(|world| world.panics.len() == 1), "memory says what the disk does not");
    assert_eq!(real.take(Source::Http, panic_of(1)).await, Ok(()));
    assert!(real.counted("copy"), "{}", real.metrics.encode());
    assert_eq!(real.take(Source::Http, panic_of(2)).await, Ok(()));
    assert!(real.counted("committed"), "{}", real.metrics.encode());
}

fn login(id: i64) -> Envelope {
    event("EVENT_UNIT_LOGIN", serde_json::json!({ "unit": { "id": id, "status": 2, "data": { "name": format!("Name {id}") } } }))
}

#[tokio::test]
async fn a_silent_hub_event_waits_for_a_commit_to_join_and_nobody_is_answered_or_shown_anything_before() {
    let mut real = Real::new().await;
    let stored = async |real: &Real| crate::store::conformance::last_seq(&real.store).await.unwrap();
    let silent = real.arrival(Source::Hub, login(7));
    real.ingest.digest_all(vec![silent]);
    assert!(!real.ingest.must_commit(), "nobody waits for it");
    assert_eq!(stored(&real).await, 0);
    // The same by HTTP: the answer says that it is on disk, so it must be.
    assert_eq!(real.take(Source::Http, login(7)).await, Ok(()));
    assert_eq!(stored(&real).await, 1);

    let silent = real.arrival(Source::Hub, login(8));
    real.ingest.digest_all(vec![silent]);
    tokio::time::sleep(super::HOLD).await;
    assert!(real.ingest.must_commit(), "it waited long enough");
    real.ingest.flush(&real.tasks).await;
    assert_eq!(stored(&real).await, 2);

    // Whatever may show what it did commits it first.
    let silent = real.arrival(Source::Hub, login(9));
    real.ingest.digest_all(vec![silent]);
    real.ingest.draw_due(&real.tasks).await;
    assert_eq!(stored(&real).await, 3);

    // What is shown waits for nothing, and what was held goes with it.
    let silent = real.arrival(Source::Hub, login(10));
    real.ingest.digest_all(vec![silent]);
    real.ingest.held.batch.posts.push(DesiredPost::own(
        GuildId(1),
        ChannelId(7),
        CommunityId::new("c"),
        ServerId(1),
        "s".into(),
        crate::render::Message::default(),
        UnixMs(1),
    ));
    assert!(real.ingest.must_commit());
    assert!(
        real.metrics.encode().contains(r#"tenfour_events_total{source="hub",outcome="committed"} 3"#),
        "not counted before it is stored"
    );
}

#[tokio::test]
async fn a_flood_of_calls_does_not_grow_the_world_until_the_minute_is_over() {
    let mut real = Real::new().await;
    for id in 1..=2_501 {
        let call = serde_json::json!({ "call": { "callId": id, "description": "fire", "isEmergency": true } });
        let received_at = real.ingest.deps.clock.now();
        let event = RawEvent { server: ServerId(1), source: Source::Http, received_at, envelope: event("EVENT_911", call).into() };
        let mut batch = Batch::default();
        real.ingest.digest(&event, &mut batch).unwrap();
    }
    assert_eq!(real.ingest.worlds.values().next().unwrap().emergencies.len(), 2_501);
    assert_eq!(real.take(Source::Http, panic_of(1)).await, Ok(()));
    let left = &real.ingest.worlds.values().next().unwrap().emergencies;
    assert_eq!((left.len(), left.contains_key(&CallId(2_501))), (2_000, true));
}

#[tokio::test(start_paused = true)]
async fn only_on_a_slow_disk_and_in_company_is_anybody_waited_for() {
    let at = Instant::now();
    let expected = |answered, ms| {
        let (wanted, until) = Group { answered, at, took: Duration::from_millis(ms) }.expected();
        (wanted, (until - at).as_millis())
    };
    assert_eq!(expected(64, 3), (0, 0), "a fast disk");
    assert_eq!(expected(64, 8), (64, 2));
    assert_eq!(expected(1_000, 4_000), (TOGETHER, 5), "never long, never for more than a commit takes");

    let mut real = Real::new().await;
    let (intake, mut queue) = crate::intake_queue::channel(&crate::intake_queue::SharedWeight::default());
    let raw = |ident| RawEvent { server: ServerId(1), source: Source::Http, received_at: UnixMs(0), envelope: panic_of(ident).into() };
    let mut gathered = async |answered, later: &[u64]| {
        real.ingest.last = Group { answered, at: Instant::now(), took: Duration::from_millis(16) };
        let began = Instant::now();
        let senders = async {
            for ms in later {
                tokio::time::sleep_until(began + Duration::from_millis(*ms)).await;
                intake.hand_over(raw(7)).await.unwrap();
            }
        };
        let mut arrivals = vec![Arrival { event: raw(1), done: None, weight: None }];
        let ((), waited) = tokio::join!(senders, async {
            real.ingest.gather(&mut queue, &mut arrivals).await;
            began.elapsed().as_millis()
        });
        while queue.try_recv().is_ok() {}
        (arrivals.len(), waited)
    };
    assert_eq!(gathered(1, &[]).await, (1, 0), "alone");
    assert_eq!(gathered(3, &[1, 2]).await, (3, 2), "as soon as all are there");
    assert_eq!(gathered(3, &[1, 9]).await, (2, 4), "no longer than a quarter of the commit");
}

#[tokio::test]
async fn after_a_restart_the_duty_log_and_the_world_agree() {
    const MINUTE: i64 = 60_000;
    let mut real = Real::new().await;
    let clock = real.ingest.deps.clock.clone();
    real.take(Source::Http, login(7)).await.unwrap();
    clock.advance(MINUTE);
    real.take(Source::Http, login(8)).await.unwrap();
    let log = async |store: &Store| {
        let span = crate::store::duty::Span { from: UnixMs(0), to: UnixMs(i64::MAX) };
        let which = crate::store::duty::Which { community: CommunityId::new("c"), server: None, span };
        let sessions = store.sessions(which).await.unwrap();
        let mut told: Vec<_> = sessions.iter().map(|s| (s.ident.0, s.began.0, s.ended.map(|at| at.0), s.missed)).collect();
        told.sort_unstable();
        told
    };
    let both = [(7, 1_000_000, None, false), (8, 1_060_000, None, false)];
    assert_eq!(log(&real.store).await, both);

    // Away for a moment: they go on. A row that got lost is written again, one that nobody knows of ends.
    clock.advance(5 * MINUTE);
    let stray =
        crate::world::DutyEdge { ident: crate::ids::Ident(9), began: UnixMs(1_000), joined_late: false, seen: UnixMs(2_000), ended: None };
    let stray = crate::store::duty::DutyRow::new(ServerId(1), stray, None);
    crate::store::conformance::own(&real.store).ingest(Batch { duty: vec![stray], ..Batch::default() }, Vec::new()).await.unwrap();
    real.ingest = Ingest::restore(real.ingest.deps.clone()).await.unwrap();
    assert_eq!(log(&real.store).await, [both[0], both[1], (9, 1_000, Some(2_000), true)]);

    // Away for long: they end at the last sign of life, and who is seen again begins a new session.
    clock.advance(30 * MINUTE);
    real.ingest = Ingest::restore(real.ingest.deps.clone()).await.unwrap();
    let ended = [(7, 1_000_000, Some(1_000_000), true), (8, 1_060_000, Some(1_060_000), true)];
    assert_eq!(log(&real.store).await[..2], ended);
    let seen = event("EVENT_UNIT_UPDATE", serde_json::json!({ "units": [{ "id": 8, "status": 3, "data": { "name": "Name 8" } }] }));
    real.take(Source::Http, seen).await.unwrap();
    let again = (8, clock.now().0, None, false);
    assert_eq!(log(&real.store).await[1..3], [ended[1], again]);
    // And once more: nothing is posted twice.
    real.ingest = Ingest::restore(real.ingest.deps.clone()).await.unwrap();
    assert_eq!(log(&real.store).await[1..3], [ended[1], again]);
}

/// A world, its routes and what ingest remembers, fed event by event.
struct Harness {
    community: CommunityId,
    world: Server,
    routes: Vec<Route>,
    memos: Memos,
    pages: LogPages,
    at: UnixMs,
    seq: i64,
}

impl Harness {
    fn new(routes: Vec<Route>) -> Self {
        let community = CommunityId::new("c");
        Self { community, world: Server::default(), routes, memos: Memos::default(), pages: LogPages::default(), at: UnixMs(1_000), seq: 0 }
    }

    fn feed(&mut self, envelope: &Envelope) -> Vec<DesiredPost> {
        self.at = self.at.plus_ms(1_000);
        let mut drafts = Vec::new();
        for event in decode(envelope).unwrap() {
            self.seq += 1;
            let applied = self.world.apply(&event, self.at);
            let context = super::planner::PlanContext {
                routes: &self.routes,
                guilds: &std::collections::HashMap::new(),
                pinged: &std::collections::HashMap::new(),
                rerouted: &std::collections::HashMap::new(),
                community: &self.community,
                server: ServerId(1),
                world: &self.world,
                at: self.at,
                number: (self.seq, 0),
            };
            let mut planner = PostPlanner::new(context, &mut self.memos, &mut self.pages, &mut drafts);
            applied.changes.iter().for_each(|change| planner.change(change));
            planner.event(&event);
        }
        drafts
    }
}

fn route(id: i64, event: Listens, channel: u64, style: Style) -> Route {
    Route {
        id: RouteId(id),
        guild: GuildId(1),
        community: CommunityId::new("c"),
        enabled: true,
        spec: crate::route::RouteSpec {
            event,
            channel: ChannelId(channel),
            server: None,
            role: Some(RoleId(99)),
            style,
            forum: false,
            rule: crate::route::Rule::default(),
        },
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
    let mut harness = Harness::new(all(Style::Public));
    let mut told = String::new();
    for topic in Topic::ALL {
        for envelope in samples::before(topic).iter().chain([&samples::event(topic)]) {
            for draft in harness.feed(envelope) {
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
        let mut harness = Harness::new(vec![route(1, Listens::To(topic), 7, Style::Card)]);
        for envelope in samples::before(topic) {
            assert_eq!(harness.feed(&envelope), [], "{topic:?}");
        }
        let drafts = harness.feed(&samples::event(topic));
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
    let mut harness = Harness::new(Vec::new());
    assert_eq!(harness.feed(&samples::event(Topic::Dispatch)), []);
    harness.routes = all(Style::Card);
    let attach = event("EVENT_DISPATCH_UNIT_ATTACH", serde_json::json!({ "callId": 9001, "idents": [5] }));
    let drafts: Vec<_> = harness.feed(&attach);
    assert_eq!(drafts.len(), 1);
    assert!(drafts[0].message.silent && drafts[0].message.roles.is_empty() && drafts[0].roles.is_empty(), "{drafts:#?}");
    // And a call that is over is not shown at all.
    let mut harness = Harness::new(Vec::new());
    harness.feed(&samples::event(Topic::Dispatch));
    harness.routes = all(Style::Card);
    let closed = event("EVENT_DISPATCH_CLOSED", serde_json::json!({ "callIds": [9001] }));
    assert_eq!(harness.feed(&closed), []);
}

#[test]
fn what_stands_for_itself_makes_no_sound_either_where_the_route_is_muted() {
    for (topic, style) in [(Topic::Tone, Style::Compact), (Topic::Station, Style::Card), (Topic::Duty, Style::Log)] {
        for muted in [false, true] {
            let mut harness = Harness::new(vec![route(1, Listens::To(topic), 7, style)]);
            harness.routes[0].spec.rule.mute = muted.then(|| Mute { until: harness.at.plus_ms(60_000), panic: false });
            let drafts = harness.feed(&samples::event(topic));
            assert_eq!(drafts.len(), 1, "{topic:?}");
            assert_eq!(drafts[0].message.silent, muted, "{topic:?}: {:#?}", drafts[0]);
        }
    }
}

#[test]
fn a_card_goes_on_as_it_began_even_without_its_route() {
    let mut harness = Harness::new(all(Style::Compact));
    let made = harness.feed(&samples::event(Topic::Dispatch));
    harness.routes.clear();
    let closed = harness.feed(&event("EVENT_DISPATCH_CLOSED", serde_json::json!({ "callIds": [9001] })));
    assert_eq!(closed.len(), 1);
    assert_eq!(
        (closed[0].key.clone(), closed[0].style, closed[0].over, closed[0].lane),
        (made[0].key.clone(), Style::Compact, true, Lane::Edit)
    );
    assert_ne!(closed[0].message, made[0].message);
}

#[test]
fn a_panic_that_ends_edits_its_card_and_answers_it_in_silence() {
    let mut harness = Harness::new(all(Style::Card));
    let on = harness.feed(&event("EVENT_UNIT_PANIC", serde_json::json!({ "identIds": [5], "isPanic": true })));
    let off = harness.feed(&event("EVENT_UNIT_PANIC", serde_json::json!({ "identIds": [5], "isPanic": false })));
    assert_eq!((on.len(), off.len()), (1, 2));
    assert_eq!(off[0].key, on[0].key);
    assert_eq!(off[1].parent.as_deref(), Some(on[0].key.subject.as_str()));
    assert!(off[1].message.roles.is_empty() && off[1].message.silent, "{:#?}", off[1]);
}

#[test]
fn lines_share_a_message_while_they_come_close_together() {
    let mut harness = Harness::new(vec![route(1, Listens::To(Topic::Status), 7, Style::Log)]);
    let status = |ident: i64| event("EVENT_UNIT_STATUS", serde_json::json!({ "identIds": [ident], "status": 3 }));
    let (first, second) = (harness.feed(&status(1)), harness.feed(&status(2)));
    assert_eq!(first[0].key, second[0].key);
    let lines = second[0].message.embeds[0].description.as_deref().unwrap().lines().count();
    assert_eq!(lines, 2);
    harness.at = harness.at.plus_ms(600_000);
    assert_ne!(harness.feed(&status(3))[0].key, first[0].key);
}

#[test]
fn a_rise_to_the_highest_priority_is_said_once_in_a_reply_that_pings() {
    let mut harness = Harness::new(vec![route(1, Listens::To(Topic::Dispatch), 7, Style::Card)]);
    let call =
        |priority: i64, title: &str| serde_json::json!({ "dispatch": { "callId": 5, "status": 1, "priority": priority, "title": title } });
    let made = harness.feed(&event("EVENT_DISPATCH_NEW", call(3, "Burglary")));
    assert!(made[0].message.roles.is_empty(), "priority 3 pings nobody");
    let raised = harness.feed(&event("EVENT_DISPATCH_EDIT", call(1, "Burglary")));
    let reply = raised.iter().find(|draft| draft.parent.is_some()).expect("a reply");
    assert_eq!((reply.parent.as_deref(), &reply.message.roles[..]), (Some(made[0].key.subject.as_str()), &[RoleId(99)][..]));
    // Later edits, and going down and up again, keep the one reply's name: nobody is called twice.
    assert!(harness.feed(&event("EVENT_DISPATCH_EDIT", call(1, "Robbery"))).iter().all(|draft| draft.parent.is_none()));
    harness.feed(&event("EVENT_DISPATCH_EDIT", call(2, "Robbery")));
    let again = harness.feed(&event("EVENT_DISPATCH_EDIT", call(1, "Robbery")));
    assert!(again.iter().filter(|draft| draft.parent.is_some()).all(|draft| draft.key == reply.key));
    // A call that pinged when it was new does not ping again.
    let mut harness = Harness::new(vec![route(1, Listens::To(Topic::Dispatch), 7, Style::Card)]);
    harness.feed(&event("EVENT_DISPATCH_NEW", call(1, "Burglary")));
    harness.feed(&event("EVENT_DISPATCH_EDIT", call(3, "Burglary")));
    assert!(harness.feed(&event("EVENT_DISPATCH_EDIT", call(1, "Burglary"))).iter().all(|draft| draft.parent.is_none()));
}
