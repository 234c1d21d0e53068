//! Routes, their rules, and what readers see of them.

use super::*;

#[tokio::test]
async fn routes_are_added_once_changed_in_place_and_seen_at_once() {
    let folder = Folder::new();
    let store = store(&folder).await;
    let guild = GuildId(1 << 60);
    let seen = own(&store).routing();
    assert_eq!(store.ensure_guild(guild, &CommunityId::new("C")).await.unwrap().community.as_str(), "c");
    let new = new_route(Listens::All, 5);
    let AddRoute::Added(id) = store.add_route(guild, new.clone(), UserId(9), UnixMs(1)).await.unwrap() else { panic!() };
    assert_eq!(store.add_route(guild, new.clone(), UserId(9), UnixMs(1)).await.unwrap(), AddRoute::Same(id));
    let with_role = RouteSpec { role: Some(RoleId(3)), ..new.clone() };
    assert_eq!(store.add_route(guild, with_role, UserId(9), UnixMs(1)).await.unwrap(), AddRoute::Changed(id));
    let other_server = RouteSpec { server: Some(ServerId(2)), ..new };
    assert!(matches!(store.add_route(guild, other_server, UserId(9), UnixMs(1)).await.unwrap(), AddRoute::Added(_)));
    let routing = seen.borrow().clone();
    assert_eq!((routing.routes.len(), routing.routes[0].spec.role, routing.routes[0].community.as_str()), (2, Some(RoleId(3)), "c"));
    assert!(!store.remove_route(GuildId(2), id).await.unwrap(), "another guild's route is not ours to remove");
    assert!(store.remove_route(guild, id).await.unwrap());
    store.set_notices(guild, Some(ChannelId(8))).await.unwrap();
    drop(store);
    let store = reopen(&folder).await;
    assert_eq!(store.routing_now().guilds[&guild].notices, Some(ChannelId(8)));
    assert_eq!(store.routing_now().routes.len(), 1);
}

fn new_route(event: Listens, channel: u64) -> RouteSpec {
    RouteSpec { event, channel: ChannelId(channel), server: None, role: None, style: Style::Card, forum: false, rule: Rule::default() }
}

async fn added(store: &Store, guild: GuildId, new: RouteSpec) -> RouteId {
    let AddRoute::Added(id) = store.add_route(guild, new, UserId(9), UnixMs(1)).await.unwrap() else { panic!("not added") };
    id
}

#[tokio::test]
async fn a_rule_is_changed_in_place_by_two_at_once_and_lasts() {
    let folder = Folder::new();
    let store = store(&folder).await;
    let guild = GuildId(4);
    store.ensure_guild(guild, &CommunityId::new("c")).await.unwrap();
    let id = added(&store, guild, new_route(Listens::To(Topic::Emergency), 5)).await;
    // Each reads what the other wrote, whoever comes first.
    let threads = store.change_rule(guild, id, |rule| rule.threads = Threads::Always);
    let filter = store.change_rule(guild, id, |rule| {
        rule.filter = Filter { departments: vec!["LSPD".into()], ..Filter::default() };
        rule.filter.departments.len()
    });
    let ping_edit = PingEdit { role: Some(Some(RoleId(3))), when: Some(Some(When::NoDispatcher)), cooldown_s: Some(Some(60)) };
    let ping = store.set_ping(guild, id, ping_edit);
    let (threads, filter, ping) = tokio::join!(threads, filter, ping);
    assert_eq!(threads.unwrap().unwrap().0.spec.rule.threads, Threads::Always);
    assert_eq!(filter.unwrap().unwrap().1, 1, "what the change says comes back");
    assert_eq!(ping.unwrap().unwrap().1.spec.role, Some(RoleId(3)));
    let rule = routes(&store)[0].spec.rule.clone();
    assert_eq!((rule.threads, rule.filter.departments.as_slice()), (Threads::Always, &["LSPD".to_owned()][..]));
    assert_eq!((rule.when, rule.cooldown_s), (Some(When::NoDispatcher), Some(60)));
    // Neither another guild's route nor one that is not there.
    assert!(store.change_rule(GuildId(5), id, |rule| rule.when = None).await.unwrap().is_none());
    assert!(store.set_ping(GuildId(5), id, ping_edit).await.unwrap().is_none());
    // What is not named stays.
    let (before, after) = store.set_ping(guild, id, PingEdit { cooldown_s: Some(Some(60)), ..PingEdit::default() }).await.unwrap().unwrap();
    assert_eq!(before, after);
    assert!(store.change_rule(guild, RouteId(id.0 + 1), |_| ()).await.unwrap().is_none());
    // The same route asked for again keeps its rule, and the role that was not named.
    assert_eq!(
        store.add_route(guild, new_route(Listens::To(Topic::Emergency), 5), UserId(9), UnixMs(1)).await.unwrap(),
        AddRoute::Same(id)
    );
    assert_eq!((routes(&store)[0].spec.rule.clone(), routes(&store)[0].spec.role), (rule.clone(), Some(RoleId(3))));
    drop(store);
    assert_eq!(routes(&reopen(&folder).await)[0].spec.rule, rule);
}

#[tokio::test]
async fn rules_are_changed_together_and_the_changed_ones_returned() {
    let folder = Folder::new();
    let store = store(&folder).await;
    let (guild, other) = (GuildId(4), GuildId(5));
    for guild in [guild, other] {
        store.ensure_guild(guild, &CommunityId::new("c")).await.unwrap();
    }
    let first = added(&store, guild, new_route(Listens::To(Topic::Emergency), 5)).await;
    added(&store, guild, new_route(Listens::To(Topic::Civil), 5)).await;
    let elsewhere = added(&store, other, new_route(Listens::To(Topic::Civil), 6)).await;
    let mute = Some(Mute { until: UnixMs(99), panic: false });
    for (guild, id) in [(guild, first), (other, elsewhere)] {
        store.change_rule(guild, id, move |rule| rule.mute = mute).await.unwrap();
    }
    let changed = store.change_rules(guild, |rule| rule.mute = None).await.unwrap();
    assert_eq!(changed.iter().map(|route| route.id).collect::<Vec<_>>(), [first]);
    assert_eq!(routes(&store).iter().map(|route| route.spec.rule.mute).collect::<Vec<_>>(), [None, None, mute]);
}

#[tokio::test]
async fn a_route_is_edited_unless_another_stands_there_or_a_forum_would_not_take_it() {
    let folder = Folder::new();
    let store = store(&folder).await;
    let guild = GuildId(4);
    store.ensure_guild(guild, &CommunityId::new("c")).await.unwrap();
    let with_role = RouteSpec { role: Some(RoleId(3)), server: Some(ServerId(2)), ..new_route(Listens::To(Topic::Emergency), 5) };
    let first = added(&store, guild, with_role).await;
    let second = added(&store, guild, new_route(Listens::To(Topic::Civil), 5)).await;
    store.change_rule(guild, first, |rule| rule.cooldown_s = Some(7)).await.unwrap();

    let style = RouteEdit { style: Some(Style::Compact), ..RouteEdit::default() };
    let EditRoute::Changed(both) = store.edit_route(guild, first, style.clone()).await.unwrap() else { panic!() };
    assert_eq!((both.0.spec.style, both.1.spec.style), (Style::Card, Style::Compact));
    assert!(matches!(store.edit_route(guild, first, style.clone()).await.unwrap(), EditRoute::Same(_)));
    assert_eq!(store.edit_route(GuildId(5), first, style).await.unwrap(), EditRoute::Unknown);

    // As the second is: the server counts too.
    let civil = RouteEdit { event: Some(Listens::To(Topic::Civil)), ..RouteEdit::default() };
    assert!(matches!(store.edit_route(guild, first, civil.clone()).await.unwrap(), EditRoute::Changed(_)));
    let everywhere = RouteEdit { server: Some(None), ..RouteEdit::default() };
    assert_eq!(store.edit_route(guild, first, everywhere.clone()).await.unwrap(), EditRoute::Taken(second));
    assert_eq!(routes(&store)[0].spec.server, Some(ServerId(2)), "nothing changed");

    // Into a forum, and what a forum does not take, also when it is one already.
    let forum = RouteEdit { channel: Some((ChannelId(6), true)), server: Some(None), role: Some(None), ..RouteEdit::default() };
    assert!(matches!(store.edit_route(guild, first, forum).await.unwrap(), EditRoute::Changed(_)));
    let now = routes(&store)[0].clone();
    assert_eq!(
        (now.spec.channel, now.spec.forum, now.spec.server, now.spec.role, now.spec.rule.cooldown_s),
        (ChannelId(6), true, None, None, Some(7))
    );
    for unfit in [
        RouteEdit { style: Some(Style::Log), ..RouteEdit::default() },
        RouteEdit { event: Some(Listens::All), ..RouteEdit::default() },
        RouteEdit { event: Some(Listens::To(Topic::Pager)), ..RouteEdit::default() },
    ] {
        assert!(matches!(store.edit_route(guild, first, unfit).await.unwrap(), EditRoute::NotInForum(_)));
    }
    assert_eq!(routes(&store)[0], now);
}

#[tokio::test]
async fn quiet_hours_last_until_they_are_cleared() {
    let folder = Folder::new();
    let store = store(&folder).await;
    let guild = GuildId(4);
    store.ensure_guild(guild, &CommunityId::new("c")).await.unwrap();
    let quiet = Quiet { from: 1_320, to: 420, timezone: "Europe/Berlin".into(), panic: true };
    store.set_quiet(guild, Some(quiet.clone())).await.unwrap();
    drop(store);
    let store = reopen(&folder).await;
    assert_eq!(store.routing_now().guilds[&guild].quiet, Some(quiet));
    store.set_quiet(guild, None).await.unwrap();
    assert_eq!(store.routing_now().guilds[&guild].quiet, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_newest_routing_is_the_one_that_is_shown() {
    let folder = Folder::new();
    let store = store(&folder).await;
    let guild = GuildId(4);
    store.ensure_guild(guild, &CommunityId::new("c")).await.unwrap();
    for round in 1..=5_u64 {
        let all: tokio::task::JoinSet<_> = (1..=40)
            .map(|channel| {
                let store = store.clone();
                let new = new_route(Listens::All, round * 1_000 + channel);
                async move { store.add_route(guild, new, UserId(9), UnixMs(1)).await.unwrap() }
            })
            .collect();
        all.join_all().await;
        assert_eq!(u64::try_from(store.routing_now().routes.len()).unwrap(), round * 40);
    }
}
