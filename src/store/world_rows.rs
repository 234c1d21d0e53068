//! The world's rows.

use std::collections::HashMap;

use rusqlite::Connection;

use super::{Store, StoreError, WorldRow, rows};
use crate::ids::ServerId;
use crate::world::{Server, ServerKey};

pub(super) fn put(connection: &Connection, changed: &[WorldRow]) -> rusqlite::Result<()> {
    let mut upsert = connection.prepare_cached(
        "INSERT INTO world (community, server, kind, id, state) VALUES (?1,?2,?3,?4,?5)
         ON CONFLICT (community, server, kind, id) DO UPDATE SET state = excluded.state",
    )?;
    let mut delete = connection.prepare_cached("DELETE FROM world WHERE community = ?1 AND server = ?2 AND kind = ?3 AND id = ?4")?;
    for row in changed {
        let (kind, id) = row.key;
        match &row.state {
            Some(state) => upsert.execute((row.community.as_str(), row.server.0, kind, id, state))?,
            None => delete.execute((row.community.as_str(), row.server.0, kind, id))?,
        };
    }
    Ok(())
}

impl Store {
    /// Every server's world as it was left. A row that cannot be read is logged and left out: the CAD will tell again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn world(&self) -> Result<HashMap<ServerKey, Server>, StoreError> {
        self.reader
            .run(|connection| {
                let mut worlds: HashMap<ServerKey, Server> = HashMap::new();
                let mut select = connection.prepare("SELECT community, server, kind, id, state FROM world")?;
                let mut found = select.query(())?;
                while let Some(row) = found.next()? {
                    let key = (rows::community(row, "community")?, ServerId(row.get("server")?));
                    let (kind, id, state): (String, i64, String) = (row.get("kind")?, row.get("id")?, row.get("state")?);
                    if let Err(error) = worlds.entry(key).or_default().load(&kind, id, &state) {
                        tracing::warn!(%error, "a stored part of the CAD's state cannot be read and is left out");
                    }
                }
                Ok(worlds)
            })
            .await
    }
}
