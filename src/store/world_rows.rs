//! The world's rows.

use std::collections::HashMap;

use rusqlite::Connection;

use super::WorldRow;
use crate::ids::{CommunityId, ServerId};
use crate::world::Server;

pub(super) fn put(connection: &Connection, community: &CommunityId, changed: &[WorldRow]) -> rusqlite::Result<()> {
    let mut upsert = connection.prepare_cached(
        "INSERT INTO world (community, server, kind, id, state) VALUES (?1,?2,?3,?4,?5)
         ON CONFLICT (community, server, kind, id) DO UPDATE SET state = excluded.state WHERE state <> excluded.state",
    )?;
    let mut delete = connection.prepare_cached("DELETE FROM world WHERE community = ?1 AND server = ?2 AND kind = ?3 AND id = ?4")?;
    for row in changed {
        let (kind, id) = row.key;
        match &row.state {
            Some(state) => upsert.execute((community.as_str(), row.server.0, kind, id, state))?,
            None => delete.execute((community.as_str(), row.server.0, kind, id))?,
        };
    }
    Ok(())
}

/// A community's servers as they were left. A row that cannot be read is logged and left out: the CAD will send it again.
pub(super) fn load(connection: &Connection, community: &CommunityId) -> rusqlite::Result<HashMap<ServerId, Server>> {
    let mut worlds: HashMap<ServerId, Server> = HashMap::new();
    let mut select = connection.prepare_cached("SELECT server, kind, id, state FROM world WHERE community = ?1")?;
    let mut found = select.query([community.as_str()])?;
    while let Some(row) = found.next()? {
        let (kind, id, state): (String, i64, String) = (row.get("kind")?, row.get("id")?, row.get("state")?);
        if let Err(error) = worlds.entry(ServerId(row.get("server")?)).or_default().load(&kind, id, &state) {
            tracing::warn!(%error, "a stored part of the CAD's state cannot be read and is left out");
        }
    }
    Ok(worlds)
}
