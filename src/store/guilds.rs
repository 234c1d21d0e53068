//! Guilds and their routes.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};

use super::posts::Posts;
use super::routing::{MOST_ROUTES, ROUTES, load, route};
use super::{Guild, Routing, Store, StoreError, rows};
use crate::authorization::ActionRule;
use crate::clock::UnixMs;
use crate::ids::{ChannelId, CommunityId, GuildId, RouteId, ServerId, UserId};
use crate::render::Labels;
use crate::route::{Listens, PingEdit, Quiet, Route, RouteEdit, RouteSpec, Rule};

/// What came of adding a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddRoute {
    /// Its number.
    Added(RouteId),
    /// There was one for the same event, channel and server; what was named of it is now as asked.
    Changed(RouteId),
    /// Nothing changed: it stands as asked already.
    Same(RouteId),
    /// The guild has the most routes it may have.
    TooMany,
}

/// What came of adding a route, and what there was and is; both are `None` where nothing was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddedRoute {
    /// What came of it.
    pub outcome: AddRoute,
    /// The route that was there.
    pub before: Option<Route>,
    /// The route that is there.
    pub after: Option<Route>,
}

/// Whether a style was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StyleIs {
    /// A route that is there takes it.
    Named,
    /// It is for new routes: one that is there keeps its own.
    Default,
}

/// What came of editing a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EditRoute {
    /// It was the one and is the other.
    Changed(Box<(Route, Route)>),
    /// Nothing changed: it stands as asked already.
    Same(Box<Route>),
    /// Nothing changed: this other route has that event, channel and server.
    Taken(RouteId),
    /// Nothing changed: a forum would not take it. The route as it would have been.
    NotInForum(Box<Route>),
    /// The guild has no such route.
    Unknown,
}

impl Store {
    /// The routing of all communities as it is now.
    #[must_use]
    pub fn routing_now(&self) -> Arc<Routing> {
        self.routing.all()
    }

    /// Runs a change of guilds or routes and then shows everybody the new routing.
    pub(super) async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.change_with_posts(move |connection, _| work(connection)).await
    }

    /// As [`Store::change`], of what changes posts too.
    pub(super) async fn change_with_posts<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection, &mut Posts) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let changed = self.writer.change_posts(move |connection, posts| {
            let result = work(connection, posts)?;
            let routing = load(connection)?;
            posts.serve(&routing.access);
            Ok((result, routing))
        });
        let (result, routing) = changed.await?;
        self.routing.publish(routing);
        Ok(result)
    }

    /// Makes sure that the guild is known; a new one watches `community`. Returns it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn ensure_guild(&self, id: GuildId, community: &CommunityId) -> Result<Guild, StoreError> {
        if let Some(guild) = self.routing_now().guilds.get(&id) {
            return Ok(guild.clone());
        }
        let community = community.clone();
        self.change(move |connection| {
            // A command that began before the guild moved to this community may have left its row with the one before.
            connection.execute(
                "INSERT INTO guild (id, community) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET community = excluded.community
                 WHERE EXISTS (SELECT 1 FROM guild_link WHERE guild = guild.id AND community = excluded.community AND unlinked_ms IS NULL)",
                (rows::flake(id.0), community.as_str()),
            )?;
            Ok(Guild { id, community, notices: None, labels: Arc::default(), quiet: None, action_rule: ActionRule::default() })
        })
        .await
    }

    /// Sets (or clears) the notices channel.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn set_notices(&self, guild: GuildId, channel: Option<ChannelId>) -> Result<(), StoreError> {
        self.change(move |connection| {
            let channel = channel.map(|channel| rows::flake(channel.0));
            connection.execute("UPDATE guild SET notices_channel = ?2 WHERE id = ?1", (rows::flake(guild.0), channel))?;
            Ok(())
        })
        .await
    }

    /// Sets a guild's own words; `None` takes the defaults again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn set_labels(&self, guild: GuildId, labels: Option<Labels>) -> Result<(), StoreError> {
        self.change(move |connection| {
            let labels = labels.as_ref().map(rows::to_json).transpose()?;
            connection.execute("UPDATE guild SET labels = ?2 WHERE id = ?1", (rows::flake(guild.0), labels))?;
            Ok(())
        })
        .await
    }

    /// Sets how members may act in the CAD.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn set_action_rule(&self, guild: GuildId, rule: ActionRule) -> Result<(), StoreError> {
        self.change(move |connection| {
            connection.execute("UPDATE guild SET acting = ?2 WHERE id = ?1", (rows::flake(guild.0), rows::to_json(&rule)?))?;
            Ok(())
        })
        .await
    }

    /// Sets (or clears) the quiet hours.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn set_quiet(&self, guild: GuildId, quiet: Option<Quiet>) -> Result<(), StoreError> {
        self.change(move |connection| {
            let quiet = quiet.as_ref().map(rows::to_json).transpose()?;
            connection.execute("UPDATE guild SET quiet = ?2 WHERE id = ?1", (rows::flake(guild.0), quiet))?;
            Ok(())
        })
        .await
    }

    /// Adds a route, or brings the one for the same event, channel and server to what is asked. Without a role it keeps its own.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn add_route(&self, guild: GuildId, spec: RouteSpec, by: UserId, now: UnixMs) -> Result<AddRoute, StoreError> {
        let added = self.add_routes(guild, vec![spec], StyleIs::Named, by, now).await?.pop();
        Ok(added.map_or(AddRoute::TooMany, |added| added.outcome))
    }

    /// Adds several, all or none on disk; one answer each, in order. Of routes that are there, all that is not named stays as it is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn add_routes(
        &self,
        guild: GuildId,
        specs: Vec<RouteSpec>,
        style: StyleIs,
        by: UserId,
        now: UnixMs,
    ) -> Result<Vec<AddedRoute>, StoreError> {
        self.change(move |connection| specs.iter().map(|spec| add(connection, guild, spec, style, by, now)).collect()).await
    }

    /// Removes a route of this guild. False if there was none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn remove_route(&self, guild: GuildId, id: RouteId) -> Result<bool, StoreError> {
        self.change(move |connection| {
            Ok(connection.execute("DELETE FROM route WHERE id = ?1 AND guild = ?2", (id, rows::flake(guild.0)))? > 0)
        })
        .await
    }

    /// Changes the rule of a route of this guild: it is read, changed and written as one, so that two people who change it at once
    /// do not undo each other. The route as it is then, and what `change` says; `None` if there is no such route.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn change_rule<T: Send + 'static>(
        &self,
        guild: GuildId,
        id: RouteId,
        change: impl FnOnce(&mut Rule) -> T + Send + 'static,
    ) -> Result<Option<(Route, T)>, StoreError> {
        self.change(move |connection| {
            let Some(mut route) = one(connection, guild, id)? else { return Ok(None) };
            let said = change(&mut route.spec.rule);
            write(connection, &route)?;
            Ok(Some((route, said)))
        })
        .await
    }

    /// Changes the rules of all routes of this guild. Those that became others, in the order of their numbers.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn change_rules(&self, guild: GuildId, mut change: impl FnMut(&mut Rule) + Send + 'static) -> Result<Vec<Route>, StoreError> {
        self.change(move |connection| {
            let mut changed = Vec::new();
            for mut route in all(connection, guild)? {
                let before = route.spec.rule.clone();
                change(&mut route.spec.rule);
                if route.spec.rule != before {
                    write(connection, &route)?;
                    changed.push(route);
                }
            }
            Ok(changed)
        })
        .await
    }

    /// Sets whom a route of this guild pings, and when; what is not named stays. The route as it was and as it is then; `None` if there is no
    /// such route.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn set_ping(&self, guild: GuildId, id: RouteId, edit: PingEdit) -> Result<Option<(Route, Route)>, StoreError> {
        self.change(move |connection| {
            let Some(was) = one(connection, guild, id)? else { return Ok(None) };
            let now = edit.of(&was);
            write(connection, &now)?;
            Ok(Some((was, now)))
        })
        .await
    }

    /// Edits a route of this guild. What stands where it was is still kept up to date by what was posted there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn edit_route(&self, guild: GuildId, id: RouteId, edit: RouteEdit) -> Result<EditRoute, StoreError> {
        self.change(move |connection| {
            let Some(was) = one(connection, guild, id)? else { return Ok(EditRoute::Unknown) };
            let now = edit.of(&was);
            if now == was {
                return Ok(EditRoute::Same(Box::new(was)));
            }
            if now.spec.forum && !now.spec.event.fits_forum(now.spec.style) {
                return Ok(EditRoute::NotInForum(Box::new(now)));
            }
            let there = standing_there(connection, now.guild, now.spec.event, now.spec.channel, now.spec.server)?;
            if let Some(other) = there.filter(|other| *other != id) {
                return Ok(EditRoute::Taken(other));
            }
            write(connection, &now)?;
            Ok(EditRoute::Changed(Box::new((was, now))))
        })
        .await
    }
}

/// A guild's routes, in the order of their numbers.
fn all(connection: &Connection, guild: GuildId) -> rusqlite::Result<Vec<Route>> {
    let mut select = connection.prepare_cached(&format!("{ROUTES} WHERE guild = ?1 ORDER BY route.id"))?;
    let found = select.query_map([rows::flake(guild.0)], route)?;
    found.filter_map(Result::transpose).collect()
}

/// One route of a guild; `None` also for one that this version cannot read.
pub(super) fn one(connection: &Connection, guild: GuildId, id: RouteId) -> rusqlite::Result<Option<Route>> {
    let mut select = connection.prepare_cached(&format!("{ROUTES} WHERE route.id = ?1 AND guild = ?2"))?;
    Ok(select.query_row((id, rows::flake(guild.0)), route).optional()?.flatten())
}

/// Writes all of a known route.
pub(super) fn write(connection: &Connection, route: &Route) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE route SET event = ?2, channel = ?3, server = ?4, role = ?5, style = ?6, forum = ?7, rule = ?8, enabled = ?9 WHERE id = ?1",
        )?
        .execute((
            route.id,
            route.spec.event.as_str(),
            rows::flake(route.spec.channel.0),
            route.spec.server.map(|server| server.0),
            route.spec.role.map(|role| rows::flake(role.0)),
            rows::style_text(route.spec.style),
            route.spec.forum,
            rows::to_json(&route.spec.rule)?,
            route.enabled,
        ))?;
    Ok(())
}

/// The route that has this event, channel and server: at most one may.
fn standing_there(
    connection: &Connection,
    guild: GuildId,
    event: Listens,
    channel: ChannelId,
    server: Option<ServerId>,
) -> rusqlite::Result<Option<RouteId>> {
    connection
        .prepare_cached("SELECT id FROM route WHERE guild = ?1 AND event = ?2 AND channel = ?3 AND coalesce(server, 0) = ?4")?
        .query_row((rows::flake(guild.0), event.as_str(), rows::flake(channel.0), server.map_or(0, |server| server.0)), |row| row.get(0))
        .optional()
}

fn add(
    connection: &Connection,
    guild: GuildId,
    new: &RouteSpec,
    style_is: StyleIs,
    by: UserId,
    now: UnixMs,
) -> rusqlite::Result<AddedRoute> {
    let flake = rows::flake(guild.0);
    let standing = standing_there(connection, guild, new.event, new.channel, new.server)?;
    if let Some(before) = standing.map(|id| one(connection, guild, id)).transpose()?.flatten() {
        let spec = RouteSpec {
            role: new.role.or(before.spec.role),
            style: if style_is == StyleIs::Named { new.style } else { before.spec.style },
            forum: new.forum,
            ..before.spec.clone()
        };
        let after = Route { enabled: true, spec, ..before.clone() };
        let outcome = if after == before { AddRoute::Same(after.id) } else { AddRoute::Changed(after.id) };
        write(connection, &after)?;
        return Ok(AddedRoute { outcome, before: Some(before), after: Some(after) });
    }
    let count: i64 = connection.query_row("SELECT count(*) FROM route WHERE guild = ?1", [flake], |row| row.get(0))?;
    if count >= MOST_ROUTES as i64 {
        return Ok(AddedRoute { outcome: AddRoute::TooMany, before: None, after: None });
    }
    connection.execute(
        "INSERT INTO route (guild, event, channel, server, role, style, created_by, created_ms, forum, rule)
         VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)",
        (
            flake,
            new.event.as_str(),
            rows::flake(new.channel.0),
            new.server.map(|server| server.0),
            new.role.map(|role| rows::flake(role.0)),
            rows::style_text(new.style),
            rows::flake(by.0),
            now.0,
            new.forum,
            rows::to_json(&new.rule)?,
        ),
    )?;
    let id = RouteId(connection.last_insert_rowid());
    Ok(AddedRoute { outcome: AddRoute::Added(id), before: None, after: one(connection, guild, id)? })
}
