//! Creates routes for every command: checks, stores, reopens the channel, confirms in the channel.

use serde_json::Value;
use serenity::all::CreateActionRow;

use super::announce::announce;
use super::checks::{self, ChannelAccess};
use super::context::{Asker, CommandContext};
use super::errors::Error;
use super::route_wording::{describe, named, not_configured, not_in_forum, not_pinged};
use super::settings::restore;
use super::wording::and;
use crate::ids::{ChannelId, GuildId, RoleId, RouteId, ServerId};
use crate::render::Style;
use crate::render::text::{self, SafeText, safe};
use crate::route::{Listens, Preset, Route, RouteSpec, Rule};
use crate::store::{AddRoute, AddedRoute, StyleIs};

/// Up to this many routes are listed one by one: the largest preset's.
const ONE_BY_ONE: usize = 11;
/// Longest list of differences in an answer about several routes (UTF-16 units).
const DIFFERENCES: usize = 1_300;

/// One requested route: event, server, style, and whether the role is for it.
pub(super) type RequestedRoute = (Listens, Option<ServerId>, Style, bool);

/// The result.
#[derive(Debug)]
pub(super) struct CreatedRoutes {
    pub(super) routes: Vec<(RouteSpec, AddedRoute)>,
    /// Something that would surprise.
    pub(super) hint: Option<SafeText>,
    /// The number for undoing the change of existing routes.
    pub(super) undo: Option<i64>,
}

impl CreatedRoutes {
    /// The routes' numbers.
    pub(super) fn ids(&self) -> Vec<RouteId> {
        let id = |(_, made): &(RouteSpec, AddedRoute)| match made.outcome {
            AddRoute::Added(id) | AddRoute::Changed(id) | AddRoute::Same(id) => Some(id),
            AddRoute::TooMany => None,
        };
        self.routes.iter().filter_map(id).collect()
    }

    /// The buttons under the answer.
    pub(super) fn rows(&self) -> Vec<CreateActionRow> {
        self.undo.map(restore::row).into_iter().collect()
    }

    /// As they are now.
    fn only(&self, wanted: fn(&AddRoute) -> bool) -> Vec<RouteSpec> {
        let fits = self.routes.iter().filter(|(_, made)| wanted(&made.outcome));
        fits.map(|(new, made)| made.after.as_ref().map_or(new, |after| &after.spec).clone()).collect()
    }

    /// Changed routes: before and after.
    fn changed(&self) -> impl Iterator<Item = (&Route, &Route)> {
        let changed = self.routes.iter().filter(|(_, made)| matches!(made.outcome, AddRoute::Changed(_)));
        changed.filter_map(|(_, made)| Some((made.before.as_ref()?, made.after.as_ref()?)))
    }

    /// What happened to many routes, in one line.
    fn summary(&self) -> SafeText {
        let count = |wanted: fn(&AddRoute) -> bool| self.only(wanted).len();
        let counts = [
            (count(|made| matches!(made, AddRoute::Added(_))), "added"),
            (count(|made| matches!(made, AddRoute::Changed(_))), "changed"),
            (count(|made| matches!(made, AddRoute::Same(_))), "as they were"),
            (count(|made| matches!(made, AddRoute::TooMany)), "not added, as this server has the most routes it may have"),
        ];
        let said: Vec<SafeText> = counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| safe!("{} {}", count, what)).collect();
        let mut said = safe!("✅ Routes: {}. `/alerts list` shows them, `/alerts remove` undoes them.", and(&said));
        for (was, is) in self.changed() {
            let line = changed_line(was, is);
            if text::units(&said) + text::units(&line) > DIFFERENCES {
                return safe!("{}\n… and more.", said);
            }
            said = safe!("{}\n{}", said, line);
        }
        said
    }

    /// The result, for the person who asked.
    pub(super) fn sentences(&self) -> SafeText {
        let stays = self.undo.map(|_| "What you didn't name stays as it was. Press **Restore** to undo the change.".into());
        if self.routes.len() > ONE_BY_ONE {
            return SafeText::join([Some(self.summary()), stays, self.hint.clone()].into_iter().flatten(), "\n");
        }
        let mut said = Vec::new();
        for (new, made) in &self.routes {
            let what = describe(made.after.as_ref().map_or(new, |after| &after.spec));
            said.push(match (&made.outcome, &made.before, &made.after) {
                (AddRoute::Added(id), ..) => safe!("✅ Route #{} added: {}. Undo it with `/alerts remove route:{}`.", id, what, id),
                (AddRoute::Changed(_), Some(was), Some(is)) => changed_line(was, is),
                (AddRoute::Changed(id), ..) => safe!("✏️ Route #{} changed: {}.", id, what),
                (AddRoute::Same(id), ..) => safe!("👌 Nothing changed. Route #{} is already {}.", id, what),
                (AddRoute::TooMany, ..) => {
                    safe!("⚠️ Not added: {}. This server has the most routes it may have: remove some with `/alerts remove`.", what)
                }
            });
        }
        said.extend(stays);
        said.extend(self.hint.clone());
        SafeText::join(said, "\n")
    }
}

/// `✏️ Route #3 (911 → <#1>) changed: pinging <@&2> → <@&3>`.
fn changed_line(was: &Route, is: &Route) -> SafeText {
    safe!("✏️ {} changed: {}.", named(is), restore::differences(was, is))
}

/// A preset's routes.
pub(super) fn parts_of(preset: Preset, servers: &[Option<ServerId>]) -> Vec<RequestedRoute> {
    let routes = preset.routes();
    servers.iter().flat_map(|server| routes.iter().map(|(topic, style, pings)| (Listens::To(*topic), *server, *style, *pings))).collect()
}

/// Checks everything, then creates the routes. Existing routes keep everything that isn't named: without a role they keep theirs.
pub(super) async fn make(
    context: &CommandContext,
    asker: Asker,
    channel: ChannelId,
    role: Option<RoleId>,
    parts: Vec<RequestedRoute>,
    style: StyleIs,
) -> Result<CreatedRoutes, Error> {
    checks::not_everyone(asker.guild, role)?;
    let community = context.community(asker.guild)?;
    let unknown = parts.iter().find_map(|(_, server, ..)| server.filter(|server| !community.servers.contains(server)));
    if let Some(server) = unknown {
        return Err(Error::refused(not_configured(server)));
    }
    let access = checks::channel_access(context, asker.guild, channel, asker.here).await?;
    if let Some(hindrance) = access.hindrance(channel) {
        return Err(Error::refused(hindrance));
    }
    let forum = access.is_forum();
    if forum && let Some(sentence) = not_in_forum(channel, parts.iter().map(|(event, _, style, _)| (*event, *style))) {
        return Err(Error::refused(sentence));
    }
    let hint = unpingable(context, asker.guild, role, access).await;
    context.store.ensure_guild(asker.guild, &community.id).await?;
    let new: Vec<RouteSpec> = parts
        .into_iter()
        .map(|(event, server, style, pings)| RouteSpec {
            event,
            channel,
            server,
            role: role.filter(|_| pings),
            style,
            forum,
            rule: Rule::default(),
        })
        .collect();
    let now = context.clock.now();
    let outcomes = context.store.add_routes(asker.guild, new.clone(), style, asker.user, now).await?;
    let mut made = CreatedRoutes { routes: new.into_iter().zip(outcomes).collect(), hint, undo: None };
    let changed: Vec<(Route, Route)> = made.changed().map(|(was, is)| (was.clone(), is.clone())).collect();
    if !changed.is_empty() {
        made.undo = Some(context.store.keep_undo(asker.guild, &changed, now).await?);
    }
    if !made.ids().is_empty() {
        context.open_again(asker.guild, channel).await?;
    }
    // In a forum it would be a post among the calls.
    if !forum {
        confirm(context, asker, channel, &made).await;
    }
    Ok(made)
}

/// A hint if Discord would not ping the role there.
pub(super) async fn unpingable(context: &CommandContext, guild: GuildId, role: Option<RoleId>, there: ChannelAccess) -> Option<SafeText> {
    let role = role.filter(|_| !there.pings_any_role())?;
    let roles = context.rest.ask(&format!("/guilds/{guild}/roles")).await.ok()?;
    let is = |one: &&Value| one.get("id").and_then(Value::as_str).and_then(|id| id.parse().ok()) == Some(role.0);
    let found = roles.as_array()?.iter().find(is)?;
    (!found.get("mentionable").and_then(Value::as_bool)?).then(|| not_pinged(role))
}

async fn confirm(context: &CommandContext, asker: Asker, channel: ChannelId, made: &CreatedRoutes) {
    let added = made.only(|made| matches!(made, AddRoute::Added(_)));
    let changed = made.only(|made| matches!(made, AddRoute::Changed(_)));
    match (added.is_empty(), changed.is_empty()) {
        (true, true) => {}
        (true, false) => announce(context, asker, channel, "changed", &changed.iter().collect::<Vec<_>>()).await,
        _ => announce(context, asker, channel, "on", &added.iter().chain(&changed).collect::<Vec<_>>()).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(routes: usize) -> CreatedRoutes {
        let new = RouteSpec {
            event: Listens::All,
            channel: ChannelId(u64::MAX),
            server: None,
            role: Some(RoleId(u64::MAX)),
            style: Style::Card,
            forum: false,
            rule: Rule::default(),
        };
        let outcome =
            |n: usize| if n % 4 == 3 { AddRoute::TooMany } else { AddRoute::Added(RouteId(1_000_000 + i64::try_from(n).unwrap())) };
        let added = |n: usize| AddedRoute { outcome: outcome(n), before: None, after: None };
        CreatedRoutes { routes: (0..routes).map(|n| (new.clone(), added(n))).collect(), hint: Some("hint".into()), undo: None }
    }

    /// As many existing routes, each changed in role, style and activity.
    fn changed(routes: usize) -> CreatedRoutes {
        let mut made = made(routes);
        made.undo = Some(i64::MAX);
        for (nth, (new, added)) in made.routes.iter_mut().enumerate() {
            let id = 1_000_000 + i64::try_from(nth).unwrap();
            let after = Route {
                id: RouteId(id),
                guild: GuildId(u64::MAX),
                community: crate::ids::CommunityId::new("c"),
                enabled: true,
                spec: RouteSpec {
                    event: Listens::To(crate::event::Topic::Emergency),
                    channel: new.channel,
                    server: None,
                    role: new.role,
                    style: Style::Card,
                    forum: false,
                    rule: crate::route::Rule::default(),
                },
            };
            let mut before = Route { enabled: false, ..after.clone() };
            before.spec.role = Some(RoleId(u64::MAX - 1));
            *added = AddedRoute { outcome: AddRoute::Changed(RouteId(id)), before: Some(before), after: Some(after) };
        }
        made
    }

    #[test]
    fn what_was_made_always_fits_an_answer() {
        for routes in [1, ONE_BY_ONE, ONE_BY_ONE + 1, 55] {
            let said = made(routes).sentences();
            assert!(said.len() < 1_990 && said.ends_with("\nhint"), "{} {said}", said.len());
        }
        for routes in [1, ONE_BY_ONE, ONE_BY_ONE + 1, 55] {
            let said = changed(routes).sentences();
            assert!(text::units(&said) < 1_940 && said.contains("stays as it was") && said.ends_with("\nhint"), "{} {said}", said.len());
        }
        assert!(made(12).sentences().starts_with("✅ Routes: 9 added and 3 not added, as this server has the most routes"));
    }

    #[test]
    fn every_preset_is_listed_one_by_one() {
        assert!(Preset::ALL.into_iter().all(|preset| parts_of(preset, &[None]).len() <= ONE_BY_ONE));
    }
}
