//! Matches an occasion with routes.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::attention::{AttentionFacts, attention};
use super::{Filter, Listens, Occasion, Route, Threads};
use crate::ids::{ChannelId, GuildId, RoleId, RouteId};
use crate::render::Style;

/// One message's place and form: routes with the same channel create one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchedTarget {
    pub guild: GuildId,
    pub channel: ChannelId,
    /// The most specific route's style.
    pub style: Style,
    /// The roles of those matching routes that ping now, in the order of the routes' numbers, without duplicates.
    pub roles: Vec<RoleId>,
    /// The routes that matched.
    pub routes: Vec<RouteId>,
    /// Those of them whose role is in `roles`: whoever sends the message writes down that they pinged.
    pub pinged: Vec<RouteId>,
    /// A suppressed notification: every matching route is muted or in quiet hours.
    pub silent: bool,
    /// The channel is a forum.
    pub forum: bool,
    /// The most specific route's threads; between two equal ones the more generous.
    pub threads: Threads,
}

/// The channels that get `occasion`, in the order of their ids. `admits` applies a route's filter, `moment` returns
/// the facts for a route's attention; both are called only for routes that listen to this kind.
#[must_use]
pub fn targets<'m>(
    routes: &[Route],
    occasion: &Occasion<'_>,
    admits: impl Fn(&Filter) -> bool,
    moment: impl Fn(&Route) -> AttentionFacts<'m>,
) -> Vec<MatchedTarget> {
    let mut found: BTreeMap<ChannelId, (MatchedTarget, (bool, bool))> = BTreeMap::new();
    for route in routes.iter().filter(|route| matches(route, occasion) && admits(&route.spec.rule.filter)) {
        let specific = (matches!(route.spec.event, Listens::To(_)), route.spec.server.is_some());
        let attention = attention(route, occasion, &moment(route));
        let (target, best) = match found.entry(route.spec.channel) {
            Entry::Occupied(taken) => taken.into_mut(),
            Entry::Vacant(free) => free.insert((blank(route), specific)),
        };
        if specific > *best {
            (target.style, target.threads, *best) = (route.spec.style, route.spec.threads(), specific);
        } else if specific == *best && generosity(route.spec.threads()) > generosity(target.threads) {
            target.threads = route.spec.threads();
        }
        target.silent &= attention.silent;
        target.forum |= route.spec.forum;
        target.routes.push(route.id);
        if let Some(role) = route.spec.role.filter(|_| attention.ping) {
            target.pinged.push(route.id);
            if !target.roles.contains(&role) {
                target.roles.push(role);
            }
        }
    }
    found.into_values().map(|(target, _)| target).collect()
}

/// The place and form of one route, before attention.
fn blank(route: &Route) -> MatchedTarget {
    MatchedTarget {
        guild: route.guild,
        channel: route.spec.channel,
        style: route.spec.style,
        roles: Vec::new(),
        routes: Vec::new(),
        pinged: Vec::new(),
        silent: true,
        forum: route.spec.forum,
        threads: route.spec.threads(),
    }
}

fn generosity(threads: Threads) -> u8 {
    match threads {
        Threads::Off => 0,
        Threads::OnFirstNote => 1,
        Threads::Always => 2,
    }
}

fn matches(route: &Route, occasion: &Occasion<'_>) -> bool {
    route.enabled
        && route.community == *occasion.community
        && route.spec.server.is_none_or(|server| server == occasion.server)
        && match route.spec.event {
            Listens::All => true,
            Listens::To(topic) => topic == occasion.topic,
        }
}

#[cfg(test)]
mod tests;
