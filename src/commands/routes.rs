//! Finds the routes that a command names, and the values they can filter by.

use super::context::CommandContext;
use super::errors::Error;
use crate::ids::{GuildId, RouteId};
use crate::render::Labels;
use crate::render::text::safe;
use crate::route::{KnownPriorities, Route};

/// A route of this guild, as it is now.
pub(super) fn known_route(context: &CommandContext, guild: GuildId, id: RouteId) -> Result<Route, Error> {
    let routing = context.store.routing_now();
    routing.routes.iter().find(|route| route.guild == guild && route.id == id).cloned().ok_or_else(|| no_such_route(id))
}

pub(super) fn no_such_route(route: RouteId) -> Error {
    Error::refused(safe!("This server has no route #{}: `/alerts list` shows them.", route))
}

/// Which priorities this guild's community has: from its labels, or seen on calls.
pub(super) async fn known_priorities(context: &CommandContext, guild: GuildId) -> Result<KnownPriorities, Error> {
    let routing = context.store.routing_now();
    let names = routing.guilds.get(&guild).map(|guild| guild.labels.priorities.clone());
    let mut known = KnownPriorities::named(&names.unwrap_or_else(|| Labels::usual().priorities.clone()));
    context.store.priorities_seen(&context.community(guild)?.id).await?.iter().for_each(|priority| known.add(priority));
    Ok(known)
}
