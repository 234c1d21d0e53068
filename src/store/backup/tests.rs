//! A copy is whole, is checked, and takes nobody's place.

use std::sync::atomic::AtomicUsize;

use super::super::conformance::Folder;
use super::super::{Batch, Store};
use super::*;

const NOW: UnixMs = UnixMs(5_000_000);

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

fn never() -> AtomicBool {
    AtomicBool::new(false)
}

async fn saved(database: &Path, target: &Path) -> Result<u64, BackupError> {
    let (database, target) = (database.to_owned(), target.to_owned());
    tokio::task::spawn_blocking(move || save(&database, &target, NOW, &never())).await.unwrap()
}

fn rows(database: &Path) -> i64 {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let check: String = connection.query_row("PRAGMA integrity_check", (), |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    connection.query_row("SELECT count(*) FROM journal", (), |row| row.get(0)).unwrap()
}

fn event(seq: i64) -> super::super::JournalRow {
    super::super::JournalRow {
        seq,
        server: crate::ids::ServerId(1),
        source: crate::event::Source::Hub,
        kind: "X".into(),
        received_at: UnixMs(1),
        body: "x".repeat(20_000),
    }
}

#[tokio::test]
async fn a_copy_made_while_events_are_stored_is_whole_and_holds_nobody_up() {
    let folder = Folder::new();
    let database = folder.0.join("t.db");
    let store = Store::open(&database).await.unwrap();
    let journal = (1..=500).map(event).collect();
    crate::store::conformance::own(&store).ingest(Batch { journal, ..Batch::default() }, Vec::new()).await.unwrap();
    let (over, stored) = (std::sync::Arc::new(never()), std::sync::Arc::new(AtomicUsize::new(500)));
    let writing = {
        let (store, over, stored) = (store.clone(), std::sync::Arc::clone(&over), std::sync::Arc::clone(&stored));
        crate::shutdown::Tasks::default().spawn(async move {
            for seq in 501.. {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                crate::store::conformance::own(&store)
                    .ingest(Batch { journal: vec![event(seq)], ..Batch::default() }, Vec::new())
                    .await
                    .unwrap();
                stored.store(usize::try_from(seq).unwrap(), Ordering::SeqCst);
            }
        })
    };
    let target = folder.0.join("copy.db");
    let bytes = loop {
        let before = stored.load(Ordering::SeqCst);
        let bytes = saved(&database, &target).await.unwrap();
        let after = stored.load(Ordering::SeqCst);
        // Events went on while it was made: one more each time would do, but never none in all tries.
        let copied = usize::try_from(rows(&target)).unwrap();
        assert!(before <= copied && copied <= after + 1, "{before} {copied} {after}");
        if after > before {
            break bytes;
        }
        std::fs::remove_file(&target).unwrap();
    };
    over.store(true, Ordering::SeqCst);
    writing.await.unwrap();
    assert_eq!(bytes, std::fs::metadata(&target).unwrap().len());
    assert_eq!(names(&folder.0), ["copy.db", "t.db", "t.db-shm", "t.db-wal", "t.db.lock"]);
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&target).unwrap().permissions()) & 0o777, 0o600);
    assert!(store.close(Duration::from_secs(10)).await);
    // A bot starts from it.
    let copy = Store::open(&target).await.unwrap();
    assert_eq!(copy.instance(), store.instance());
    assert!(copy.close(Duration::from_secs(10)).await);
}

#[tokio::test]
async fn nothing_is_overwritten_and_nothing_is_left_of_what_failed() {
    let folder = Folder::new();
    let at = |name: &str| folder.0.join(name);
    let store = Store::open(&at("t.db")).await.unwrap();
    assert!(store.close(Duration::from_secs(10)).await);
    std::fs::write(at("letter"), "Dear Sir").unwrap();
    std::fs::create_dir(at("folder")).unwrap();
    std::fs::write(at("text.db"), "Dear Sir or Madam, ".repeat(500)).unwrap();
    let mut bytes = std::fs::read(at("t.db")).unwrap();
    // Behind the first page: the header and the schema are fine.
    bytes[4_096 * 2..4_096 * 8].fill(0xa5);
    std::fs::write(at("damaged.db"), bytes).unwrap();
    let before = names(&folder.0);
    for (database, target, words) in [
        ("t.db", "letter", "already exists"),
        ("t.db", "t.db", "belongs to the database"),
        ("t.db", "folder", "it is a folder"),
        ("t.db", "nowhere/copy", "no folder"),
        ("t.db", "letter/copy", "letter"),
        ("t.db", "t.db-wal", "belongs to the database"),
        ("t.db", "t.db-journal", "belongs to the database"),
        ("none.db", "copy", "no database at"),
        ("none/none.db", "copy", "no database at"),
        ("folder", "copy", "it is a folder"),
        ("text.db", "copy", "not an SQLite database"),
        ("damaged.db", "copy", "damaged"),
    ] {
        let error = saved(&at(database), &at(target)).await.unwrap_err().to_string();
        assert!(error.contains(words), "{database} to {target}: {error}");
        assert_eq!(names(&folder.0), before, "{database} to {target}");
    }
    assert_eq!(std::fs::read_to_string(at("letter")).unwrap(), "Dear Sir");
    let stopped = save(&at("t.db"), &at("copy"), NOW, &AtomicBool::new(true)).unwrap_err();
    assert!(matches!(stopped, BackupError::Stopped) && names(&folder.0) == before);
    saved(&at("t.db"), &at("copy")).await.unwrap();
}

/// Posts, journal rows, undos, and imports that wait are named outside the database: in nonces, links, and buttons.
#[tokio::test]
async fn a_copy_counts_on_from_afar_also_where_nothing_was_counted_yet() {
    let folder = Folder::new();
    let (database, target) = (folder.0.join("t.db"), folder.0.join("copy.db"));
    let store = Store::open(&database).await.unwrap();
    crate::store::conformance::own(&store).ingest(Batch { journal: vec![event(1)], ..Batch::default() }, Vec::new()).await.unwrap();
    saved(&database, &target).await.unwrap();
    let copy = Connection::open_with_flags(&target, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let next =
        |table: &str| copy.query_row("SELECT seq FROM sqlite_sequence WHERE name = ?1", [table], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(["post", "journal", "undo", "pending_import"].map(next), [0, 1, 0, 0].map(|last| last + NUMBERS_APART));
}
