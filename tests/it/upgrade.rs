//! Databases that earlier releases wrote themselves (`tests/fixtures/databases`), opened by this version: every row that people rely on is
//! there, and the bot continues where the old one ended.

mod kept;
mod whole;

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::types::Value as Sql;
use serde_json::Value;
use tenfour::clock::UnixMs;
use tenfour::ids::GuildId;

/// What a release left behind when it was killed in the middle of its work.
struct Old {
    version: &'static str,
    /// Its database.
    sql: &'static str,
    /// Discord's state at that time.
    discord: &'static str,
}

macro_rules! old {
    ($version:literal) => {
        Old {
            version: $version,
            sql: include_str!(concat!("../fixtures/databases/", $version, ".sql")),
            discord: include_str!(concat!("../fixtures/databases/", $version, ".discord.json")),
        }
    };
}

const RELEASES: [Old; 5] = [old!("0.1.0"), old!("0.2.0"), old!("0.3.0"), old!("0.4.1"), old!("0.6.0")];

impl Old {
    fn of(version: &str) -> &'static Self {
        RELEASES.iter().find(|old| old.version == version).unwrap()
    }

    /// Writes the database as the old release left it.
    fn write(&self, file: &Path) {
        let database = Connection::open(file).unwrap();
        database.execute_batch(self.sql).unwrap();
    }

    fn discord(&self) -> Value {
        serde_json::from_str(self.discord).unwrap()
    }

    /// When the old release ended.
    fn now(&self) -> UnixMs {
        UnixMs(self.discord()["now"].as_i64().unwrap())
    }

    fn guild(&self) -> GuildId {
        GuildId(self.discord()["guild"].as_str().unwrap().parse().unwrap())
    }

    /// A channel's id by its name.
    fn channel(&self, name: &str) -> String {
        let discord = self.discord();
        let found = discord["channels"].as_array().unwrap().iter().find(|channel| channel["name"] == name);
        found.unwrap_or_else(|| panic!("no #{name}"))["id"].as_str().unwrap().to_owned()
    }
}

/// A folder of its own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("tenfour-upgrade-{:016x}", fastrand::u64(..)));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("tenfour.db")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// The result of a query: a line for each row, its columns between bars.
fn lines(database: &Connection, query: &str) -> Vec<String> {
    let mut select = database.prepare(query).unwrap();
    let columns = select.column_count();
    let found = select.query_map((), |row| {
        let cells: rusqlite::Result<Vec<String>> = (0..columns).map(|column| Ok(cell(row.get(column)?))).collect();
        Ok(cells?.join("|"))
    });
    found.unwrap().collect::<rusqlite::Result<_>>().unwrap()
}

fn cell(value: Sql) -> String {
    match value {
        Sql::Null => "-".into(),
        Sql::Integer(number) => number.to_string(),
        Sql::Real(number) => number.to_string(),
        Sql::Text(text) => text,
        Sql::Blob(bytes) => format!("{bytes:?}"),
    }
}
