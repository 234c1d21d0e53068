//! Guilds, routes and boards as a snapshot, read whole after each change, and the part of it that each community gets.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, Row};
use tokio::sync::watch;

use super::{link_rows, rows};
use crate::authorization::ActionRule;
use crate::guild_access::Access;
use crate::ids::{ChannelId, CommunityId, GuildId};
use crate::render::Labels;
use crate::route::{Board, BoardKind, Listens, Quiet, Route, RouteSpec};

/// Most routes of one guild.
pub const MOST_ROUTES: usize = 200;

/// A guild as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guild {
    pub id: GuildId,
    /// Whose CAD it watches.
    pub community: CommunityId,
    /// Where the bot posts problems.
    pub notices: Option<ChannelId>,
    /// Its words.
    pub labels: Arc<Labels>,
    /// Its quiet hours.
    pub quiet: Option<Quiet>,
    /// How its members may act in the CAD.
    pub action_rule: ActionRule,
}

/// All guilds and routes, as ingest needs them: a snapshot, replaced whole after each change. Of guilds that are not served
/// ([`crate::guild_access`]) nothing is in it but their links.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routing {
    pub guilds: HashMap<GuildId, Guild>,
    /// In the order of their numbers.
    pub routes: Vec<Route>,
    /// In the order of their numbers.
    pub boards: Vec<Board>,
    /// Who is served.
    pub access: Access,
    /// How many rows this process had written when it was read: of two snapshots the newer one has more.
    pub(super) written: i64,
}

impl Routing {
    /// Only what concerns one community.
    fn of(&self, community: &CommunityId) -> Self {
        Self {
            guilds: self.guilds.iter().filter(|(_, guild)| guild.community == *community).map(|(id, guild)| (*id, guild.clone())).collect(),
            routes: self.routes.iter().filter(|route| route.community == *community).cloned().collect(),
            boards: self.boards.iter().filter(|board| board.community == *community).cloned().collect(),
            access: self.access.of(community),
            written: 0,
        }
    }
}

/// The latest routing: all of it, and each community's part, which changes only if something of that community did.
#[derive(Debug)]
pub(super) struct PublishedRouting {
    all: Mutex<Arc<Routing>>,
    communities: Mutex<HashMap<CommunityId, watch::Sender<Arc<Routing>>>>,
}

impl PublishedRouting {
    pub(super) fn new(routing: Routing) -> Self {
        Self { all: Mutex::new(Arc::new(routing)), communities: Mutex::default() }
    }

    pub(super) fn all(&self) -> Arc<Routing> {
        Arc::clone(&self.all.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A community's part, as it is and as it becomes.
    pub(super) fn of(&self, community: &CommunityId) -> watch::Receiver<Arc<Routing>> {
        let mut communities = self.communities.lock().unwrap_or_else(PoisonError::into_inner);
        let part = || watch::Sender::new(Arc::new(self.all().of(community)));
        communities.entry(community.clone()).or_insert_with(part).subscribe()
    }

    /// Unless a newer one is there: whoever read first may come last.
    pub(super) fn publish(&self, routing: Routing) {
        let communities = self.communities.lock().unwrap_or_else(PoisonError::into_inner);
        let newer = Arc::new(routing);
        {
            let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
            if newer.written < all.written {
                return;
            }
            *all = Arc::clone(&newer);
        }
        for (community, shown) in &*communities {
            let part = newer.of(community);
            shown.send_if_modified(|shown| {
                let changed = **shown != part;
                if changed {
                    *shown = Arc::new(part);
                }
                changed
            });
        }
    }
}

/// Routes with the community of their guild.
pub(super) const ROUTES: &str = "SELECT route.id, guild, community, event, channel, server, role, style, enabled, rule, forum FROM route JOIN guild ON guild.id = route.guild";

pub(super) fn load(connection: &Connection) -> rusqlite::Result<Routing> {
    let written = connection.query_row("SELECT total_changes()", (), |row| row.get(0))?;
    let access = link_rows::access(connection)?;
    let mut routing = Routing { written, access, ..Routing::default() };
    // A guild whose settings are of another community than its link is not shown: nobody may read one community's alerts by another's routes.
    let served: HashMap<GuildId, CommunityId> =
        routing.access.served().into_iter().map(|link| (link.guild, link.community.clone())).collect();
    let shows = |guild: GuildId, community: &CommunityId| served.get(&guild) == Some(community);
    let mut select = connection.prepare_cached("SELECT id, community, notices_channel, labels, quiet, acting FROM guild")?;
    let mut found = select.query(())?;
    while let Some(row) = found.next()? {
        let guild = Guild {
            id: rows::guild(row, "id")?,
            community: rows::community(row, "community")?,
            notices: rows::channel_option(row, "notices_channel")?,
            labels: rows::json_option(row, "labels")?.unwrap_or_default(),
            quiet: rows::json_option(row, "quiet")?,
            action_rule: rows::json_option(row, "acting")?.unwrap_or_default(),
        };
        if shows(guild.id, &guild.community) {
            routing.guilds.insert(guild.id, guild);
        }
    }
    let mut select = connection.prepare_cached(&format!("{ROUTES} ORDER BY route.id"))?;
    let mut found = select.query(())?;
    while let Some(row) = found.next()? {
        if let Some(route) = route(row)?.filter(|route| shows(route.guild, &route.community)) {
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
        let (guild, community) = (rows::guild(row, "guild")?, rows::community(row, "community")?);
        if !shows(guild, &community) {
            continue;
        }
        routing.boards.push(Board {
            id: row.get("id")?,
            guild,
            community,
            channel: rows::channel(row, "channel")?,
            kind,
            server: rows::server_option(row, "server")?,
        });
    }
    Ok(routing)
}

/// `None` for an event word that this version does not know: left alone for the version that does.
pub(super) fn route(row: &Row<'_>) -> rusqlite::Result<Option<Route>> {
    let event: String = row.get("event")?;
    let Some(event) = Listens::parse(&event) else { return Ok(None) };
    let spec = RouteSpec {
        event,
        channel: rows::channel(row, "channel")?,
        server: rows::server_option(row, "server")?,
        role: rows::role_option(row, "role")?,
        style: rows::style(row, "style")?,
        forum: row.get("forum")?,
        rule: rows::json(row, "rule")?,
    };
    Ok(Some(Route {
        id: row.get("id")?,
        guild: rows::guild(row, "guild")?,
        community: rows::community(row, "community")?,
        enabled: row.get("enabled")?,
        spec,
    }))
}
