use super::*;
use crate::ids::{ChannelId, CommunityId, GuildId, RoleId, RouteId, ServerId};
use crate::render::Style;
use crate::route::Rule;

const NOW: UnixMs = UnixMs(1_763_700_000_000);
const P1: Priority = Priority::Level(1);
const P2: Priority = Priority::Level(2);

fn route(event: Listens, rule: Rule) -> Route {
    Route {
        id: RouteId(1),
        guild: GuildId(1),
        community: CommunityId::new("c"),
        enabled: true,
        spec: crate::route::RouteSpec {
            event,
            channel: ChannelId(7),
            server: None,
            role: Some(RoleId(9)),
            style: Style::Card,
            forum: false,
            rule,
        },
    }
}

fn moment() -> AttentionFacts<'static> {
    AttentionFacts { now: NOW, dispatcher_on_duty: false, quiet: None, last_ping: None }
}

/// The occasion of a topic without a priority.
fn noise(route: &Route, topic: Topic, moment: &AttentionFacts<'_>) -> Attention {
    let community = CommunityId::new("c");
    attention(route, &Occasion { community: &community, server: ServerId(1), topic, priority: None, urgent: false }, moment)
}

const PING: Attention = Attention { ping: true, silent: false };
const SOUND: Attention = Attention { ping: false, silent: false };
const SILENT: Attention = Attention { ping: false, silent: true };

#[test]
fn words_of_when_are_parsed_and_serialised_alike() {
    for when in When::ALL {
        assert_eq!(When::parse(when.as_str()), Some(when));
        assert_eq!(serde_json::to_value(when).unwrap(), when.as_str());
    }
    assert_eq!(When::parse("sometimes"), None);
}

/// Topic, priority, urgent; which routes ping, as letters: `e` a route for everything, `t` one for exactly this topic; columns: no `when`,
/// always, priority-1, no-dispatcher without a dispatcher, no-dispatcher with one, never.
type Row<'a> = (Topic, Option<&'a Priority>, bool, [&'a str; 6]);

#[test]
fn who_is_called_for_what() {
    let word = Priority::Word("1".into());
    let table: [Row<'_>; 21] = [
        (Topic::Emergency, None, false, ["et", "et", "", "et", "", ""]),
        (Topic::Emergency, Some(&P1), false, ["et", "et", "et", "et", "", ""]),
        (Topic::Emergency, Some(&P2), false, ["et", "et", "", "et", "", ""]),
        (Topic::Civil, None, false, ["t", "et", "", "t", "", ""]),
        (Topic::Civil, Some(&P1), false, ["t", "et", "", "t", "", ""]),
        (Topic::Panic, None, false, ["et", "et", "et", "et", "e", ""]),
        (Topic::Dispatch, None, false, ["", "et", "", "", "", ""]),
        (Topic::Dispatch, Some(&P1), false, ["et", "et", "et", "et", "", ""]),
        (Topic::Dispatch, Some(&P2), false, ["", "et", "", "", "", ""]),
        (Topic::Dispatch, Some(&word), false, ["", "et", "", "", "", ""]),
        (Topic::Station, None, false, ["et", "et", "", "et", "", ""]),
        (Topic::Pager, None, false, ["", "et", "", "", "", ""]),
        (Topic::Pager, None, true, ["et", "et", "et", "et", "", ""]),
        (Topic::Record, None, false, ["t", "et", "", "t", "", ""]),
        (Topic::Bolo, None, false, ["t", "et", "", "t", "", ""]),
        (Topic::Tone, None, false, ["t", "et", "", "t", "", ""]),
        (Topic::Duty, None, false, ["", "", "", "", "", ""]),
        (Topic::Status, None, false, ["", "", "", "", "", ""]),
        (Topic::Other, None, false, ["", "", "", "", "", ""]),
        // `urgent` applies only to pages.
        (Topic::Duty, Some(&P1), true, ["", "", "", "", "", ""]),
        (Topic::Civil, None, true, ["t", "et", "", "t", "", ""]),
    ];
    let columns = [
        (None, false),
        (Some(When::Always), false),
        (Some(When::Priority1), false),
        (Some(When::NoDispatcher), false),
        (Some(When::NoDispatcher), true),
        (Some(When::Never), false),
    ];
    let community = CommunityId::new("c");
    for (topic, priority, urgent, expected) in table {
        for ((when, dispatcher_on_duty), expected) in columns.into_iter().zip(expected) {
            let called = [("e", Listens::All), ("t", Listens::To(topic))].into_iter().filter(|(_, event)| {
                let route = route(*event, Rule { when, ..Rule::default() });
                let occasion = Occasion { community: &community, server: ServerId(1), topic, priority, urgent };
                let made = attention(&route, &occasion, &AttentionFacts { dispatcher_on_duty, ..moment() });
                assert!(!made.silent, "nobody sleeps here");
                made.ping
            });
            let called: String = called.map(|(letter, _)| letter).collect();
            assert_eq!(called, expected, "{topic:?} {priority:?} urgent {urgent} when {when:?} dispatcher {dispatcher_on_duty}");
        }
    }
}

#[test]
fn a_dispatcher_on_duty_matters_to_no_other_rule() {
    for when in [None, Some(When::Always), Some(When::Priority1), Some(When::Never)] {
        for topic in Topic::ALL {
            let route = route(Listens::To(topic), Rule { when, ..Rule::default() });
            let desk_taken = AttentionFacts { dispatcher_on_duty: true, ..moment() };
            assert_eq!(noise(&route, topic, &moment()), noise(&route, topic, &desk_taken), "{when:?} {topic:?}");
        }
    }
}

#[test]
fn after_a_ping_none_for_the_cooldown_and_then_again() {
    let made = |topic, cooldown_s, ago: i64| {
        let route = route(Listens::To(topic), Rule { cooldown_s, ..Rule::default() });
        noise(&route, topic, &AttentionFacts { last_ping: Some(NOW.plus_ms(-ago)), ..moment() })
    };
    for (topic, cooldown, ago, expected) in [
        (Topic::Emergency, Some(60), 0, SOUND),
        (Topic::Emergency, Some(60), 59_999, SOUND),
        (Topic::Emergency, Some(60), 60_000, PING),
        // Out of order: the later event was seen first.
        (Topic::Emergency, Some(60), -5_000, SOUND),
        // A clock that was an hour ahead does not mute the route for an hour.
        (Topic::Emergency, Some(60), -3_600_000, PING),
        (Topic::Emergency, None, 0, PING),
        (Topic::Emergency, Some(0), 0, PING),
        (Topic::Emergency, Some(u32::MAX), 1_000, SOUND),
        (Topic::Tone, None, 29_999, SOUND),
        (Topic::Tone, None, 30_000, PING),
        (Topic::Tone, Some(0), 1, PING),
        (Topic::Tone, Some(300), 30_000, SOUND),
        // A panic does not wait.
        (Topic::Panic, Some(86_400), 1, PING),
    ] {
        assert_eq!(made(topic, cooldown, ago), expected, "{topic:?} {cooldown:?} {ago}");
    }
    let first = route(Listens::To(Topic::Tone), Rule::default());
    assert_eq!(noise(&first, Topic::Tone, &moment()), PING, "never pinged before");
}

#[test]
fn a_muted_route_is_silent_until_the_end_and_panics_override_it_unless_set_otherwise() {
    let made = |topic, until: i64, panic| {
        let mute = Some(Mute { until: NOW.plus_ms(until), panic });
        noise(&route(Listens::All, Rule { mute, ..Rule::default() }), topic, &moment())
    };
    assert_eq!(made(Topic::Emergency, 1, false), SILENT);
    assert_eq!(made(Topic::Emergency, 0, false), PING, "over in this very moment");
    assert_eq!(made(Topic::Emergency, -1, true), PING);
    assert_eq!(made(Topic::Duty, 1, false), SILENT, "lines too");
    assert_eq!(made(Topic::Duty, 0, false), SOUND);
    assert_eq!(made(Topic::Panic, 1, false), PING);
    assert_eq!(made(Topic::Panic, 1, true), SILENT);
}

#[test]
fn quiet_hours_are_silent_and_panics_override_them_unless_set_otherwise() {
    // 1_763_700_000 is 04:40 UTC.
    let quiet = |from, to, panic| Quiet { from, to, timezone: "UTC".into(), panic };
    let made =
        |topic, quiet: &Quiet, rule: Rule| noise(&route(Listens::All, rule), topic, &AttentionFacts { quiet: Some(quiet), ..moment() });
    let night = quiet(22 * 60, 7 * 60, false);
    assert_eq!(made(Topic::Emergency, &night, Rule::default()), SILENT);
    assert_eq!(made(Topic::Panic, &night, Rule::default()), PING);
    assert_eq!(made(Topic::Panic, &quiet(22 * 60, 7 * 60, true), Rule::default()), SILENT);
    assert_eq!(made(Topic::Emergency, &quiet(7 * 60, 22 * 60, true), Rule::default()), PING, "by day");
    // One is enough: the panic breaks the quiet hours, but not its route's mute.
    let muted = Rule { mute: Some(Mute { until: NOW.plus_ms(1), panic: true }), ..Rule::default() };
    assert_eq!(made(Topic::Panic, &night, muted), SILENT);
    // `when` decides for a panic that nothing silences.
    let never = Rule { when: Some(When::Never), ..Rule::default() };
    assert_eq!(made(Topic::Panic, &night, never), SOUND);
}
