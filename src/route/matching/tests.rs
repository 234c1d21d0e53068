use super::*;
use crate::clock::UnixMs;
use crate::event::{Priority, Topic};
use crate::ids::{CommunityId, ServerId};
use crate::route::{Criterion, FilterFacts, Mute, Quiet, Rule, When};

const NOW: UnixMs = UnixMs(1_763_700_000_000);

fn route(id: i64, event: Listens, channel: u64, server: Option<u32>, role: Option<u64>, style: Style) -> Route {
    Route {
        id: RouteId(id),
        guild: GuildId(1),
        community: CommunityId::new("c"),
        enabled: true,
        spec: crate::route::RouteSpec {
            event,
            channel: ChannelId(channel),
            server: server.map(ServerId),
            role: role.map(RoleId),
            style,
            forum: false,
            rule: Rule::default(),
        },
    }
}

fn occasion(community: &CommunityId, server: u32, topic: Topic) -> Occasion<'_> {
    Occasion { community, server: ServerId(server), topic, priority: None, urgent: false }
}

fn awake<'m>(_: &Route) -> AttentionFacts<'m> {
    AttentionFacts { now: NOW, dispatcher_on_duty: false, quiet: None, last_ping: None }
}

fn found(routes: &[Route], occasion: &Occasion<'_>) -> Vec<MatchedTarget> {
    targets(routes, occasion, |filter| filter.admits(&FilterFacts::unknown(occasion.topic)), awake)
}

fn muted() -> Option<Mute> {
    Some(Mute { until: NOW.plus_ms(1), panic: false })
}

#[test]
fn two_routes_in_one_channel_make_one_message_with_the_specific_style_and_both_roles() {
    let c = CommunityId::new("C");
    let routes = [
        route(1, Listens::All, 7, None, Some(10), Style::Compact),
        route(2, Listens::To(Topic::Emergency), 7, None, Some(11), Style::Card),
        route(3, Listens::All, 8, Some(1), None, Style::Log),
    ];
    let met = found(&routes, &occasion(&c, 1, Topic::Emergency));
    assert_eq!(met.len(), 2);
    assert_eq!(
        (met[0].style, &met[0].roles[..], &met[0].routes[..]),
        (Style::Card, &[RoleId(10), RoleId(11)][..], &[RouteId(1), RouteId(2)][..])
    );
    assert_eq!(met[0].pinged, [RouteId(1), RouteId(2)]);
    assert_eq!((met[1].channel, &met[1].pinged[..]), (ChannelId(8), &[][..]));
    // The order of the rows does not matter for the style.
    let reversed: Vec<_> = routes.iter().rev().cloned().collect();
    assert_eq!(found(&reversed, &occasion(&c, 1, Topic::Emergency))[0].style, Style::Card);
}

#[test]
fn server_community_topic_and_switch_all_count() {
    let c = CommunityId::new("c");
    let mut routes = vec![route(1, Listens::To(Topic::Panic), 7, Some(2), None, Style::Card)];
    assert!(found(&routes, &occasion(&c, 1, Topic::Panic)).is_empty());
    assert!(found(&routes, &occasion(&c, 2, Topic::Emergency)).is_empty());
    assert!(found(&routes, &occasion(&CommunityId::new("other"), 2, Topic::Panic)).is_empty());
    assert_eq!(found(&routes, &occasion(&c, 2, Topic::Panic)).len(), 1);
    routes[0].enabled = false;
    assert!(found(&routes, &occasion(&c, 2, Topic::Panic)).is_empty());
}

#[test]
fn pings_follow_the_table_of_defaults() {
    let c = CommunityId::new("c");
    let pinged = |event, topic, priority: Option<&Priority>, urgent| {
        let met = found(
            &[route(1, event, 7, None, Some(9), Style::Card)],
            &Occasion { community: &c, server: ServerId(1), topic, priority, urgent },
        );
        assert_eq!(met[0].pinged.is_empty(), met[0].roles.is_empty());
        !met[0].roles.is_empty()
    };
    assert!(pinged(Listens::All, Topic::Emergency, None, false));
    assert!(pinged(Listens::All, Topic::Panic, None, false));
    assert!(!pinged(Listens::All, Topic::Civil, None, false));
    assert!(pinged(Listens::To(Topic::Civil), Topic::Civil, None, false));
    assert!(pinged(Listens::To(Topic::Dispatch), Topic::Dispatch, Some(&Priority::Level(1)), false));
    assert!(!pinged(Listens::To(Topic::Dispatch), Topic::Dispatch, Some(&Priority::Level(2)), false));
    assert!(!pinged(Listens::To(Topic::Pager), Topic::Pager, None, false));
    assert!(pinged(Listens::All, Topic::Pager, None, true));
    assert!(!pinged(Listens::To(Topic::Duty), Topic::Duty, None, false));
}

#[test]
fn a_filtered_route_takes_no_part_in_the_message() {
    let c = CommunityId::new("c");
    let mut specific = route(2, Listens::To(Topic::Emergency), 7, None, Some(11), Style::Card);
    specific.spec.rule.filter.change(Criterion::Include, "fire").unwrap();
    specific.spec.rule.threads = Threads::Always;
    let routes = [route(1, Listens::All, 7, None, Some(10), Style::Compact), specific.clone()];
    let occasion = occasion(&c, 1, Topic::Emergency);
    let texts = |text: &str| [text.to_owned()];

    let quiet_street = texts("a stolen bicycle");
    let met = targets(
        &routes,
        &occasion,
        |filter| filter.admits(&FilterFacts { texts: &quiet_street, ..FilterFacts::unknown(Topic::Emergency) }),
        awake,
    );
    assert_eq!(met.len(), 1);
    assert_eq!(
        (met[0].style, met[0].threads, &met[0].roles[..], &met[0].routes[..]),
        (Style::Compact, Threads::Off, &[RoleId(10)][..], &[RouteId(1)][..])
    );

    let burning_street = texts("structure FIRE");
    let facts = FilterFacts { texts: &burning_street, ..FilterFacts::unknown(Topic::Emergency) };
    let met = targets(&routes, &occasion, |filter| filter.admits(&facts), awake);
    assert_eq!((met[0].style, met[0].threads, &met[0].routes[..]), (Style::Card, Threads::Always, &[RouteId(1), RouteId(2)][..]));

    // Alone in its channel, it creates no message at all.
    assert!(
        targets(
            &[specific],
            &occasion,
            |filter| filter.admits(&FilterFacts { texts: &quiet_street, ..FilterFacts::unknown(Topic::Emergency) }),
            awake
        )
        .is_empty()
    );
}

#[test]
fn one_route_that_is_awake_makes_the_channel_sound_and_pings_its_own_role_only() {
    let c = CommunityId::new("c");
    let mut routes =
        [route(1, Listens::All, 7, None, Some(10), Style::Card), route(2, Listens::To(Topic::Emergency), 7, None, Some(11), Style::Card)];
    routes[0].spec.rule.mute = muted();
    let occasion = occasion(&c, 1, Topic::Emergency);
    let met = found(&routes, &occasion);
    assert_eq!(
        (met[0].silent, &met[0].roles[..], &met[0].pinged[..], &met[0].routes[..]),
        (false, &[RoleId(11)][..], &[RouteId(2)][..], &[RouteId(1), RouteId(2)][..])
    );

    routes[1].spec.rule.mute = muted();
    let met = found(&routes, &occasion);
    assert_eq!(
        (met[0].silent, &met[0].roles[..], &met[0].pinged[..], &met[0].routes[..]),
        (true, &[][..], &[][..], &[RouteId(1), RouteId(2)][..])
    );

    // A route that pings nobody by its own rule is not silent.
    routes[1].spec.rule = Rule { when: Some(When::Never), ..Rule::default() };
    let met = found(&routes, &occasion);
    assert_eq!((met[0].silent, met[0].roles.len()), (false, 0));
}

#[test]
fn a_role_of_two_routes_is_named_once_and_both_are_written_down() {
    let c = CommunityId::new("c");
    let routes =
        [route(4, Listens::All, 7, None, Some(10), Style::Card), route(5, Listens::To(Topic::Emergency), 7, None, Some(10), Style::Card)];
    let met = found(&routes, &occasion(&c, 1, Topic::Emergency));
    assert_eq!((&met[0].roles[..], &met[0].pinged[..]), (&[RoleId(10)][..], &[RouteId(4), RouteId(5)][..]));
}

#[test]
fn each_route_has_a_moment_of_its_own() {
    let c = CommunityId::new("c");
    let mut routes = [
        route(1, Listens::To(Topic::Emergency), 7, None, Some(10), Style::Card),
        route(2, Listens::To(Topic::Emergency), 8, None, Some(11), Style::Card),
        route(3, Listens::To(Topic::Emergency), 9, None, Some(12), Style::Card),
    ];
    routes.iter_mut().for_each(|route| route.spec.rule.cooldown_s = Some(60));
    let night = Quiet { from: 0, to: 1_439, timezone: "UTC".into(), panic: false };
    let moment = |route: &Route| AttentionFacts {
        last_ping: (route.id == RouteId(2)).then_some(NOW.plus_ms(-59_999)),
        quiet: (route.id == RouteId(3)).then_some(&night),
        ..awake(route)
    };
    let met = targets(&routes, &occasion(&c, 1, Topic::Emergency), |filter| filter.admits(&FilterFacts::unknown(Topic::Emergency)), moment);
    let noise: Vec<_> = met.iter().map(|target| (target.pinged.len(), target.silent)).collect();
    assert_eq!(noise, [(1, false), (0, false), (0, true)]);
}

#[test]
fn threads_are_the_most_specific_routes_and_at_equal_rank_the_more_generous() {
    let c = CommunityId::new("c");
    let with = |id, event, server, threads| {
        let mut route = route(id, event, 7, server, None, Style::Card);
        route.spec.rule.threads = threads;
        route
    };
    let dispatch = Listens::To(Topic::Dispatch);
    for (routes, expected) in [
        (vec![with(1, Listens::All, None, Threads::Always), with(2, dispatch, None, Threads::Off)], Threads::Off),
        (vec![with(1, Listens::All, None, Threads::Always), with(2, Listens::All, Some(1), Threads::OnFirstNote)], Threads::OnFirstNote),
        (vec![with(1, dispatch, None, Threads::OnFirstNote), with(2, dispatch, None, Threads::Always)], Threads::Always),
        (vec![with(1, dispatch, None, Threads::OnFirstNote), with(2, dispatch, None, Threads::Off)], Threads::OnFirstNote),
    ] {
        let occasion = occasion(&c, 1, Topic::Dispatch);
        assert_eq!(found(&routes, &occasion)[0].threads, expected, "{routes:#?}");
        let reversed: Vec<_> = routes.into_iter().rev().collect();
        assert_eq!(found(&reversed, &occasion)[0].threads, expected, "{reversed:#?}");
    }
}

#[test]
fn a_forum_stays_one_whichever_route_knows_it() {
    let c = CommunityId::new("c");
    let mut routes = [
        route(1, Listens::All, 7, None, None, Style::Card),
        route(2, Listens::All, 7, Some(1), None, Style::Card),
        route(3, Listens::All, 8, None, None, Style::Card),
    ];
    routes[1].spec.forum = true;
    let met = found(&routes, &occasion(&c, 1, Topic::Emergency));
    assert_eq!([met[0].forum, met[1].forum], [true, false]);
}
