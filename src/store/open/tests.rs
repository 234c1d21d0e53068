//! What a path means, who is kept out, and what is said when it cannot be opened.

use super::super::conformance::Folder;
use super::super::{Store, StoreError};
use super::*;

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

/// A database of this version, closed.
async fn made(path: &Path) {
    let store = Store::open(path).await.unwrap();
    assert!(store.close(std::time::Duration::from_secs(10)).await);
}

async fn error(path: &Path) -> StoreError {
    Store::open(path).await.err().unwrap_or_else(|| panic!("{} was opened", path.display()))
}

#[tokio::test]
async fn a_newer_schema_is_reported_as_such_and_the_file_stays_unchanged() {
    let folder = Folder::new();
    let path = folder.0.join("t.db");
    made(&path).await;
    let connection = Connection::open(&path).unwrap();
    let known: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    connection.pragma_update(None, "user_version", known + 1).unwrap();
    connection.close().unwrap();
    let before = std::fs::read(&path).unwrap();
    let error = error(&path).await;
    assert!(matches!(error, StoreError::Newer { found, known: ours, .. } if found == known + 1 && ours == known), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("newer version of Tenfour") && text.contains(&format!("schema {}", known + 1)), "{text}");
    assert!(!text.contains("full") && !text.contains("DATABASE_URL"), "{text}");
    assert!(matches!(Store::inspect(&path).await, Err(StoreError::Newer { .. })));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    // Also where nothing else is in it.
    let bare = folder.0.join("bare.db");
    Connection::open(&bare).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(Store::open(&bare).await, Err(StoreError::Newer { found: 99, .. })));
}

#[tokio::test]
async fn a_failed_open_names_its_cause_and_leaves_nothing_behind() {
    let folder = Folder::new();
    let at = |name: &str| folder.0.join(name);
    std::fs::create_dir(at("folder.db")).unwrap();
    std::fs::write(at("letter.db"), "Dear Sir or Madam, ".repeat(500)).unwrap();
    let foreign = Connection::open(at("foreign.db")).unwrap();
    foreign.execute_batch("CREATE TABLE song (title TEXT); INSERT INTO song VALUES ('x')").unwrap();
    foreign.close().unwrap();
    let versioned = Connection::open(at("versioned.db")).unwrap();
    versioned.execute_batch("CREATE TABLE song (title TEXT); PRAGMA user_version = 3").unwrap();
    versioned.close().unwrap();
    made(&at("damaged.db")).await;
    let mut bytes = std::fs::read(at("damaged.db")).unwrap();
    bytes[100..4_000].fill(0xa5);
    std::fs::write(at("damaged.db"), &bytes).unwrap();
    std::fs::remove_file(at("damaged.db.lock")).unwrap();
    let before = names(&folder.0);
    for (name, words) in [
        ("folder.db", "it is a folder"),
        ("letter.db", "not an SQLite database"),
        ("letter.db/t.db", "not a folder"),
        ("letter.db/deeper/t.db", "not a folder"),
        ("foreign.db", "the database of another program"),
        ("versioned.db", "the database of another program"),
        ("damaged.db", "it is damaged"),
    ] {
        for text in [error(&at(name)).await.to_string(), Store::inspect(&at(name)).await.unwrap_err().to_string()] {
            assert!(text.contains(words) && text.contains("DATABASE_URL") && text.contains(name), "{name}: {text}");
            assert!(!text.contains("full"), "{name}: {text}");
        }
        assert_eq!(names(&folder.0), before, "{name} left something behind");
    }
    assert!(std::fs::read(at("damaged.db")).unwrap() == bytes, "it was written to");
    // Special files of the system.
    #[cfg(target_os = "linux")]
    {
        let text = error(Path::new("/dev/null")).await.to_string();
        assert!(text.contains("not a regular file") && !Path::new("/dev/null.lock").exists(), "{text}");
        let text = error(Path::new("/proc/tenfour/t.db")).await.to_string();
        assert!(text.contains("/proc/tenfour"), "{text}");
    }
}

#[test]
fn each_fault_of_the_system_has_words_of_its_own() {
    let io = |kind: ErrorKind| of_io(&kind.into(), "the file");
    for (kind, words) in [
        (ErrorKind::PermissionDenied, "permission denied"),
        (ErrorKind::ReadOnlyFilesystem, "read-only"),
        (ErrorKind::StorageFull, "the disk is full"),
        (ErrorKind::QuotaExceeded, "quota"),
        (ErrorKind::NotADirectory, "not a folder"),
        (ErrorKind::InvalidFilename, "name is too long"),
    ] {
        assert!(io(kind).contains(words), "{kind:?}: {}", io(kind));
        assert_eq!(io(kind).contains("full"), kind == ErrorKind::StorageFull);
    }
    let sqlite = |code| of_sqlite(&rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None));
    for (code, words) in [
        (rusqlite::ffi::SQLITE_FULL, "the disk is full"),
        (rusqlite::ffi::SQLITE_READONLY, "cannot be written"),
        (rusqlite::ffi::SQLITE_CANTOPEN, "access to the file and its folder"),
        (rusqlite::ffi::SQLITE_BUSY, "another program has locked it"),
        (rusqlite::ffi::SQLITE_IOERR, "Check the disk"),
        (rusqlite::ffi::SQLITE_CORRUPT, "damaged"),
    ] {
        assert!(sqlite(code).contains(words), "{code}: {}", sqlite(code));
        assert_eq!(sqlite(code).contains("full"), code == rusqlite::ffi::SQLITE_FULL);
    }
}

#[tokio::test]
async fn looking_at_a_database_makes_nothing_and_changes_nothing() {
    let folder = Folder::new();
    // None yet: not even its folder comes to be.
    let missing = folder.0.join("data/deeper/t.db");
    assert!(matches!(Store::inspect(&missing).await, Ok(DatabaseStatus::Nothing)));
    assert_eq!(names(&folder.0), [""; 0]);

    let path = folder.0.join("t.db");
    made(&path).await;
    std::fs::remove_file(folder.0.join("t.db.lock")).unwrap();
    let before = std::fs::read(&path).unwrap();
    assert!(matches!(Store::inspect(&path).await, Ok(DatabaseStatus::Database { pending: Some(0), older: false })));
    // An older schema is not brought up to date by looking.
    let connection = Connection::open(folder.0.join("old.db")).unwrap();
    connection.execute_batch(include_str!("../../../migrations/0001_floor.sql")).unwrap();
    connection.pragma_update(None, "user_version", 1).unwrap();
    connection.close().unwrap();
    assert!(matches!(Store::inspect(&folder.0.join("old.db")).await, Ok(DatabaseStatus::Database { pending: None, older: true })));
    assert_eq!(names(&folder.0), ["old.db", "t.db"]);
    assert!(std::fs::read(&path).unwrap() == before);

    let store = Store::open(&path).await.unwrap();
    assert!(matches!(Store::inspect(&path).await, Err(StoreError::InUse(_))));
    drop(store);
}

#[cfg(unix)]
#[tokio::test]
async fn one_file_is_one_database_by_whatever_path() {
    use std::os::unix::fs::symlink;
    let folder = Folder::new();
    let at = |name: &str| folder.0.join(name);
    std::fs::create_dir_all(at("real/x")).unwrap();
    symlink(at("real"), at("linked")).unwrap();
    symlink("real/t.db", at("t.db")).unwrap();
    symlink("t.db", at("twice.db")).unwrap();
    // By a link that leads to where nothing is yet.
    let store = Store::open(&at("twice.db")).await.unwrap();
    assert_eq!(names(&at("real")), ["t.db", "t.db-shm", "t.db-wal", "t.db.lock", "x"]);
    assert_eq!(names(&folder.0), ["linked", "real", "t.db", "twice.db"]);
    for path in ["real/t.db", "linked/t.db", "t.db", "twice.db", "real/x/../t.db", "linked/./t.db"] {
        assert!(matches!(error(&at(path)).await, StoreError::InUse(_)), "{path}");
    }
    assert_eq!(names(&at("real")), ["t.db", "t.db-shm", "t.db-wal", "t.db.lock", "x"]);
    assert!(store.close(std::time::Duration::from_secs(10)).await);
    // It is the same one afterwards.
    let instance = store.instance().to_owned();
    drop(store);
    for path in ["linked/t.db", "t.db", "real/t.db"] {
        let store = Store::open(&at(path)).await.unwrap();
        assert_eq!(store.instance(), instance, "{path}");
        assert!(store.close(std::time::Duration::from_secs(10)).await);
    }
    symlink("b", at("a")).unwrap();
    symlink("a", at("b")).unwrap();
    let before = names(&folder.0);
    error(&at("a")).await;
    assert_eq!(names(&folder.0), before);
}
