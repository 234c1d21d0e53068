//! The schema and how a connection is set up. A released migration never changes.

use rusqlite::Connection;
use rusqlite_migration::{M, Migrations};

pub(super) fn migrations() -> Migrations<'static> {
    Migrations::new(vec![
        M::up(include_str!("../../migrations/0001_floor.sql")),
        M::up(include_str!("../../migrations/0002_live_cards.sql")),
        M::up(include_str!("../../migrations/0003_delivery.sql")),
        M::up(include_str!("../../migrations/0004_duty.sql")),
        M::up(include_str!("../../migrations/0005_audit.sql")),
        M::up(include_str!("../../migrations/0006_acting.sql")),
        M::up(include_str!("../../migrations/0007_guild_links.sql")),
        M::up(include_str!("../../migrations/0008_obstacles.sql")),
        M::up(include_str!("../../migrations/0009_undo.sql")),
        M::up(include_str!("../../migrations/0010_queue_in_memory.sql")),
        M::up(include_str!("../../migrations/0011_fewer_pages.sql")),
    ])
}

/// Of a new database (bytes). A commit writes whole pages, and what an event changes is spread over a dozen of them.
const PAGE_SIZE: u32 = 1_024;
/// The log is emptied into the database when it is this long (bytes).
pub(super) const LOG_SIZE: i64 = 4 * 1_048_576;

/// For an empty file: its pages can't become smaller later.
pub(super) fn prepare_new(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "page_size", PAGE_SIZE)
}

pub(super) fn page_size(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "page_size", |row| row.get(0))
}

pub(super) fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // After a burst the log beside the database shrinks again.
    connection.pragma_update(None, "journal_size_limit", 8 * 1_048_576)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cache_size", -2_000)?;
    // What a savepoint or a sort sets aside is small: no files for it in a folder that may not be ours to write.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// The database's own random word, made with it.
pub(super) fn instance(connection: &Connection) -> rusqlite::Result<String> {
    let fresh = format!("{:08x}", fastrand::u32(..));
    connection.execute("INSERT OR IGNORE INTO meta (name, value) VALUES ('instance', ?1)", [fresh])?;
    connection.query_row("SELECT value FROM meta WHERE name = 'instance'", (), |row| row.get(0))
}
