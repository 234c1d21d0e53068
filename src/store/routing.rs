//! Guilds, routes and boards as a snapshot, read whole after each change.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, Row};

use super::{link_rows, rows};
use crate::authorization::ActingRule;
use crate::guild_access::Access;
use crate::ids::{ChannelId, CommunityId, GuildId};
use crate::render::Labels;
use crate::route::{Board, BoardKind, Listens, Quiet, Route};

/// Most routes of one guild.
pub const MOST_ROUTES: usize = 200;

/// A guild as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guild {
    pub id: GuildId,
    /// Whose CAD it watches.
    pub community: CommunityId,
    /// Where the bot tells of trouble.
    pub notices: Option<ChannelId>,
    /// Its words.
    pub labels: Arc<Labels>,
    /// Its quiet hours.
    pub quiet: Option<Quiet>,
    /// How its members may act in the CAD.
    pub acting: ActingRule,
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

/// Routes with the community of their guild.
pub(super) const ROUTES: &str = "SELECT route.id, guild, community, event, channel, server, role, style, enabled, rule, forum FROM route JOIN guild ON guild.id = route.guild";

pub(super) fn load(connection: &Connection) -> rusqlite::Result<Routing> {
    let written = connection.query_row("SELECT total_changes()", (), |row| row.get(0))?;
    let access = link_rows::access(connection)?;
    let mut routing = Routing { written, access, ..Routing::default() };
    let mut select = connection.prepare_cached("SELECT id, community, notices_channel, labels, quiet, acting FROM guild")?;
    let mut found = select.query(())?;
    while let Some(row) = found.next()? {
        let guild = Guild {
            id: rows::guild(row, "id")?,
            community: rows::community(row, "community")?,
            notices: rows::channel_option(row, "notices_channel")?,
            labels: rows::json_option(row, "labels")?.unwrap_or_default(),
            quiet: rows::json_option(row, "quiet")?,
            acting: rows::json_option(row, "acting")?.unwrap_or_default(),
        };
        if routing.access.serves(guild.id) {
            routing.guilds.insert(guild.id, guild);
        }
    }
    let mut select = connection.prepare_cached(&format!("{ROUTES} ORDER BY route.id"))?;
    let mut found = select.query(())?;
    while let Some(row) = found.next()? {
        if let Some(route) = route(row)?.filter(|route| routing.access.serves(route.guild)) {
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
        let guild = rows::guild(row, "guild")?;
        if !routing.access.serves(guild) {
            continue;
        }
        routing.boards.push(Board {
            id: row.get("id")?,
            guild,
            community: rows::community(row, "community")?,
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
