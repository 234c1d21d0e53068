//! How large the database may grow (`DATABASE_MAX_MB`).

use rusqlite::Connection;

use super::schema;

/// What is at least kept of a small database (bytes).
const MIN_RESERVE: i64 = 131_072;

/// How large the database may grow, in pages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quota {
    /// What events may take. The rest is kept for what follows from those that were taken: claims, settlements, pruning.
    pub(super) events: i64,
}

impl Quota {
    /// Sets the limit on the writing connection.
    pub(super) fn set(connection: &Connection, max_mb: u32) -> rusqlite::Result<Option<Self>> {
        if max_mb == 0 {
            return Ok(None);
        }
        let page = schema::page_size(connection)?;
        let pages = i64::from(max_mb).saturating_mul(1_048_576) / page.max(512);
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
        Ok(Some(Self { events: pages - (pages / 16).max(MIN_RESERVE / page.max(512)) }))
    }

    /// Pages that hold something: those that pruning freed are used again.
    pub(super) fn used(self, connection: &Connection) -> rusqlite::Result<i64> {
        let count = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        Ok(count("page_count")? - count("freelist_count")?)
    }

    /// Fails if the space for events is used up.
    pub(super) fn check(self, connection: &Connection) -> rusqlite::Result<()> {
        if self.used(connection)? < self.events {
            return Ok(());
        }
        Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL), None))
    }
}
