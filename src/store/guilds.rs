//! Guilds and their routes.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row};
use tokio::sync::watch;

use super::{Store, StoreError, rows};
use crate::clock::UnixMs;
use crate::ids::{ChannelId, CommunityId, GuildId, UserId};
use crate::render::Labels;
use crate::route::{Board, BoardKind, Listens, NewRoute, Quiet, Route};

/// A guild as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guild {
    /// Which.
    pub id: GuildId,
    /// Whose CAD it watches.
    pub community: CommunityId,
    /// Where the bot tells of trouble.
    pub notices: Option<ChannelId>,
    /// Its words.
    pub labels: Arc<Labels>,
    /// Its quiet hours.
    pub quiet: Option<Quiet>,
}

/// All guilds and routes, as ingest needs them: a snapshot, replaced whole after each change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routing {
    /// By id.
    pub guilds: HashMap<GuildId, Guild>,
    /// In the order of their numbers.
    pub routes: Vec<Route>,
    /// In the order of their numbers.
    pub boards: Vec<Board>,
}

/// What came of adding a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddRoute {
    /// Its number.
    Added(i64),
    /// There was one for the same event, channel and server; its role and style are now as asked.
    Changed(i64),
    /// Nothing changed: it stands as asked already.
    Same(i64),
    /// The guild has the most routes it may have.
    TooMany,
}

/// Most routes of one guild.
pub(super) const MOST_ROUTES: i64 = 200;

pub(super) fn load(connection: &Connection) -> rusqlite::Result<Routing> {
    let mut routing = Routing::default();
    let mut select = connection.prepare_cached("SELECT id, community, notices_channel, labels, quiet FROM guild")?;
    let mut found = select.query(())?;
    while let Some(row) = found.next()? {
        let guild = Guild {
            id: rows::guild(row, "id")?,
            community: rows::community(row, "community")?,
            notices: rows::channel_option(row, "notices_channel")?,
            labels: rows::json_option(row, "labels")?.unwrap_or_default(),
            quiet: rows::json_option(row, "quiet")?,
        };
        routing.guilds.insert(guild.id, guild);
    }
    let mut select = connection.prepare_cached(
        "SELECT route.id, guild, community, event, channel, server, role, style, enabled, rule, forum FROM route JOIN guild ON guild.id = route.guild ORDER BY route.id",
    )?;
    let mut found = select.query(())?;
    while let Some(row) = found.next()? {
        if let Some(route) = route(row)? {
            routing.routes.push(route);
        }
    }
    let mut select = connection.prepare_cached(
        "SELECT board.id, guild, community, channel, kind, server FROM board JOIN guild ON guild.id = board.guild ORDER BY board.id",
    )?;
    let mut found = select.query(())?;
    while let Some(row) = found.next()? {
        let kind: String = row.get("kind")?;
        let Some(kind) = BoardKind::parse(&kind) else { continue };
        routing.boards.push(Board {
            id: row.get("id")?,
            guild: rows::guild(row, "guild")?,
            community: rows::community(row, "community")?,
            channel: rows::channel(row, "channel")?,
            kind,
            server: rows::server_option(row, "server")?,
        });
    }
    Ok(routing)
}

/// `None` for an event word that this version does not know: left alone for the version that does.
fn route(row: &Row<'_>) -> rusqlite::Result<Option<Route>> {
    let event: String = row.get("event")?;
    let Some(event) = Listens::parse(&event) else { return Ok(None) };
    Ok(Some(Route {
        id: row.get("id")?,
        guild: rows::guild(row, "guild")?,
        community: rows::community(row, "community")?,
        event,
        channel: rows::channel(row, "channel")?,
        server: rows::server_option(row, "server")?,
        role: rows::role_option(row, "role")?,
        style: rows::style(row, "style")?,
        enabled: row.get("enabled")?,
        forum: row.get("forum")?,
        rule: rows::json(row, "rule")?,
    }))
}

impl Store {
    /// The routing as it is now and as it becomes.
    #[must_use]
    pub fn routing(&self) -> watch::Receiver<Arc<Routing>> {
        self.routing.subscribe()
    }

    /// The routing as it is now.
    #[must_use]
    pub fn routing_now(&self) -> Arc<Routing> {
        self.routing.borrow().clone()
    }

    /// Runs a change of guilds or routes and then shows everybody the new routing.
    async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (result, routing) = self.writer.run(move |connection| Ok((work(connection)?, load(connection)?))).await?;
        self.routing.send_replace(Arc::new(routing));
        Ok(result)
    }

    /// When each route's role was pinged last.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn pinged(&self) -> Result<HashMap<i64, UnixMs>, StoreError> {
        self.reader
            .run(|connection| {
                let mut select = connection.prepare_cached("SELECT id, pinged_ms FROM route WHERE pinged_ms IS NOT NULL")?;
                let found = select.query_map((), |row| Ok((row.get(0)?, UnixMs(row.get(1)?))))?;
                found.collect()
            })
            .await
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
            connection.execute("INSERT OR IGNORE INTO guild (id, community) VALUES (?1, ?2)", (rows::flake(id.0), community.as_str()))?;
            Ok(Guild { id, community, notices: None, labels: Arc::default(), quiet: None })
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

    /// Adds a route, or brings the one for the same event, channel and server to what is asked.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn add_route(&self, new: NewRoute, by: UserId, now: UnixMs) -> Result<AddRoute, StoreError> {
        Ok(self.add_routes(vec![new], by, now).await?.pop().unwrap_or(AddRoute::TooMany))
    }

    /// Adds several, all or none on disk; one answer each, in order.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn add_routes(&self, new: Vec<NewRoute>, by: UserId, now: UnixMs) -> Result<Vec<AddRoute>, StoreError> {
        self.change(move |connection| new.iter().map(|new| add(connection, new, by, now)).collect()).await
    }

    /// Removes a route of this guild. False if there was none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn remove_route(&self, guild: GuildId, id: i64) -> Result<bool, StoreError> {
        self.change(move |connection| {
            Ok(connection.execute("DELETE FROM route WHERE id = ?1 AND guild = ?2", (id, rows::flake(guild.0)))? > 0)
        })
        .await
    }
}

fn add(connection: &Connection, new: &NewRoute, by: UserId, now: UnixMs) -> rusqlite::Result<AddRoute> {
    let guild = rows::flake(new.guild.0);
    let (event, channel, server) = (new.event.as_str(), rows::flake(new.channel.0), new.server.map(|server| server.0));
    let role = new.role.map(|role| rows::flake(role.0));
    let style = rows::style_text(new.style);
    let known: Option<(i64, Option<i64>, String, bool)> = connection
        .prepare_cached(
            "SELECT id, role, style, enabled FROM route WHERE guild = ?1 AND event = ?2 AND channel = ?3 AND coalesce(server, 0) = ?4",
        )?
        .query_row((guild, event, channel, server.unwrap_or(0)), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    if let Some((id, known_role, known_style, enabled)) = known {
        if (known_role, known_style.as_str(), enabled) == (role, style, true) {
            return Ok(AddRoute::Same(id));
        }
        connection
            .execute("UPDATE route SET role = ?2, style = ?3, forum = ?4, enabled = 1 WHERE id = ?1", (id, role, style, new.forum))?;
        return Ok(AddRoute::Changed(id));
    }
    let count: i64 = connection.query_row("SELECT count(*) FROM route WHERE guild = ?1", [guild], |row| row.get(0))?;
    if count >= MOST_ROUTES {
        return Ok(AddRoute::TooMany);
    }
    connection.execute(
        "INSERT INTO route (guild, event, channel, server, role, style, created_by, created_ms, forum) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9)",
        (guild, event, channel, server, role, style, rows::flake(by.0), now.0, new.forum),
    )?;
    Ok(AddRoute::Added(connection.last_insert_rowid()))
}
