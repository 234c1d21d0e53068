//! The match itself.

use std::collections::BTreeMap;

use super::{Listens, Route};
use crate::event::{Priority, Topic};
use crate::ids::{ChannelId, CommunityId, GuildId, RoleId, ServerId};
use crate::render::Style;

/// Something that may be told.
#[derive(Clone, Debug, PartialEq)]
pub struct Occasion<'a> {
    /// Whose CAD.
    pub community: &'a CommunityId,
    /// Which server.
    pub server: ServerId,
    /// What kind.
    pub topic: Topic,
    /// A dispatch call's priority.
    pub priority: Option<&'a Priority>,
    /// A page that says it is an emergency.
    pub urgent: bool,
}

/// One message's place and form: routes that meet in a channel make one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Whose.
    pub guild: GuildId,
    /// Where.
    pub channel: ChannelId,
    /// The most specific route's style.
    pub style: Style,
    /// Every matching route's role that this occasion pings, in the order of the routes' numbers, each once.
    pub roles: Vec<RoleId>,
    /// The routes that matched.
    pub routes: Vec<i64>,
}

/// The channels that hear of `occasion`, in the order of their ids.
#[must_use]
pub fn targets(routes: &[Route], occasion: &Occasion<'_>) -> Vec<Target> {
    let mut found: BTreeMap<ChannelId, (Target, (bool, bool))> = BTreeMap::new();
    for route in routes.iter().filter(|route| matches(route, occasion)) {
        let specific = (matches!(route.event, Listens::To(_)), route.server.is_some());
        let role = route.role.filter(|_| pings(route.event, occasion));
        match found.entry(route.channel) {
            std::collections::btree_map::Entry::Vacant(free) => {
                let target = Target {
                    guild: route.guild,
                    channel: route.channel,
                    style: route.style,
                    roles: role.into_iter().collect(),
                    routes: vec![route.id],
                };
                free.insert((target, specific));
            }
            std::collections::btree_map::Entry::Occupied(mut taken) => {
                let (target, best) = taken.get_mut();
                if specific > *best {
                    target.style = route.style;
                    *best = specific;
                }
                if let Some(role) = role.filter(|role| !target.roles.contains(role)) {
                    target.roles.push(role);
                }
                target.routes.push(route.id);
            }
        }
    }
    found.into_values().map(|(target, _)| target).collect()
}

fn matches(route: &Route, occasion: &Occasion<'_>) -> bool {
    route.enabled
        && route.community == *occasion.community
        && route.server.is_none_or(|server| server == occasion.server)
        && match route.event {
            Listens::All => true,
            Listens::To(topic) => topic == occasion.topic,
        }
}

/// Whether a route's role is pinged (product.md section 3, "ping default"): somebody who set a role on exactly this kind wants it,
/// lines are never worth a ping, and a route for everything pings only for what cannot wait.
fn pings(event: Listens, occasion: &Occasion<'_>) -> bool {
    match occasion.topic {
        Topic::Emergency | Topic::Panic | Topic::Station => true,
        Topic::Dispatch => occasion.priority == Some(&Priority::Level(1)),
        Topic::Pager => occasion.urgent,
        Topic::Civil | Topic::Record | Topic::Bolo | Topic::Tone => event != Listens::All,
        Topic::Duty | Topic::Status | Topic::Other => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(id: i64, event: Listens, channel: u64, server: Option<u32>, role: Option<u64>, style: Style) -> Route {
        Route {
            id,
            guild: GuildId(1),
            community: CommunityId::new("c"),
            event,
            channel: ChannelId(channel),
            server: server.map(ServerId),
            role: role.map(RoleId),
            style,
            enabled: true,
            forum: false,
            rule: crate::route::Rule::default(),
        }
    }

    fn occasion(community: &CommunityId, server: u32, topic: Topic) -> Occasion<'_> {
        Occasion { community, server: ServerId(server), topic, priority: None, urgent: false }
    }

    #[test]
    fn two_routes_in_one_channel_make_one_message_with_the_specific_style_and_both_roles() {
        let c = CommunityId::new("C");
        let routes = [
            route(1, Listens::All, 7, None, Some(10), Style::Compact),
            route(2, Listens::To(Topic::Emergency), 7, None, Some(11), Style::Card),
            route(3, Listens::All, 8, Some(1), None, Style::Log),
        ];
        let found = targets(&routes, &occasion(&c, 1, Topic::Emergency));
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].style, &found[0].roles[..], &found[0].routes[..]), (Style::Card, &[RoleId(10), RoleId(11)][..], &[1, 2][..]));
        assert_eq!(found[1].channel, ChannelId(8));
        // The order of the rows does not matter for the style.
        let reversed: Vec<_> = routes.iter().rev().cloned().collect();
        assert_eq!(targets(&reversed, &occasion(&c, 1, Topic::Emergency))[0].style, Style::Card);
    }

    #[test]
    fn server_community_topic_and_switch_all_count() {
        let c = CommunityId::new("c");
        let mut routes = vec![route(1, Listens::To(Topic::Panic), 7, Some(2), None, Style::Card)];
        assert!(targets(&routes, &occasion(&c, 1, Topic::Panic)).is_empty());
        assert!(targets(&routes, &occasion(&c, 2, Topic::Emergency)).is_empty());
        assert!(targets(&routes, &occasion(&CommunityId::new("other"), 2, Topic::Panic)).is_empty());
        assert_eq!(targets(&routes, &occasion(&c, 2, Topic::Panic)).len(), 1);
        routes[0].enabled = false;
        assert!(targets(&routes, &occasion(&c, 2, Topic::Panic)).is_empty());
    }

    #[test]
    fn pings_follow_the_table_of_defaults() {
        let c = CommunityId::new("c");
        let pinged = |event, topic, priority: Option<&Priority>, urgent| {
            let found = targets(
                &[route(1, event, 7, None, Some(9), Style::Card)],
                &Occasion { community: &c, server: ServerId(1), topic, priority, urgent },
            );
            !found[0].roles.is_empty()
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
}
