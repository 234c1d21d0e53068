//! The database file: closing, opening, upgrading, and who may read it.

use super::*;

#[tokio::test]
async fn a_closed_store_is_one_file_that_can_be_copied_whatever_clones_live_on() {
    let folder = Folder::new();
    let store = store(&folder).await;
    let clone = store.clone();
    for at in 0..50 {
        put(&store, vec![draft(7, &format!("a{at}"), &"x".repeat(4_000), Lane::New)], at).await;
    }
    assert!(std::fs::metadata(folder.0.join("tenfour.db-wal")).unwrap().len() > 100_000, "this is about a log that holds something");
    // What was asked before is still done, what is asked later is answered.
    let last = put(&store, vec![draft(7, "last", "", Lane::New)], 99);
    let (closed, ()) = tokio::join!(biased_after(store.close(std::time::Duration::from_secs(10))), last);
    assert!(closed);
    assert!(matches!(clone.counts().await, Err(StoreError::Closed)));
    assert!(matches!(clone.probe().await, Err(StoreError::Closed)));
    assert!(clone.close(std::time::Duration::from_secs(10)).await, "closing twice is no failure");
    let mut names: Vec<_> = std::fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort_unstable();
    assert_eq!(names, ["tenfour.db", "tenfour.db.lock"]);
    let copy = Folder::new();
    std::fs::copy(folder.0.join("tenfour.db"), copy.0.join("tenfour.db")).unwrap();
    let connection = Connection::open(copy.0.join("tenfour.db")).unwrap();
    let check: String = connection.query_row("PRAGMA integrity_check", (), |row| row.get(0)).unwrap();
    let posts: i64 = connection.query_row("SELECT count(*) FROM post", (), |row| row.get(0)).unwrap();
    assert_eq!((check.as_str(), posts), ("ok", 51));
    // The lock is free although clones live on.
    let again = Store::open(&folder.0.join("tenfour.db")).await.unwrap();
    assert_eq!(again.counts().await.unwrap().waiting, 51);
    drop((store, clone));
}

/// Lets what runs beside it be asked first.
async fn biased_after<T>(later: impl Future<Output = T>) -> T {
    tokio::task::yield_now().await;
    later.await
}

#[tokio::test]
async fn a_reader_of_another_program_holds_a_close_up_only_for_a_moment() {
    let folder = Folder::new();
    let store = store(&folder).await;
    put(&store, vec![draft(7, "a", "one", Lane::New)], 1).await;
    let other = Connection::open(folder.0.join("tenfour.db")).unwrap();
    other.execute_batch("BEGIN; SELECT count(*) FROM post").unwrap();
    put(&store, vec![draft(7, "b", "two", Lane::New)], 2).await;
    let asked = std::time::Instant::now();
    assert!(store.close(std::time::Duration::from_secs(10)).await);
    assert!(asked.elapsed() < std::time::Duration::from_secs(5), "{:?}", asked.elapsed());
    drop(other);
    assert_eq!(reopen(&folder).await.counts().await.unwrap().waiting, 2);
}

#[tokio::test]
async fn a_second_opener_learns_who_has_it() {
    let folder = Folder::new();
    let first = store(&folder).await;
    let error = Store::open(&folder.0.join("tenfour.db")).await.unwrap_err();
    assert!(matches!(error, StoreError::InUse(_)) && error.to_string().contains("another Tenfour"), "{error}");
    drop(first);
    reopen(&folder).await;
}

#[test]
fn rows_of_the_version_before_are_kept_by_an_upgrade() {
    let folder = Folder::new();
    let path = folder.0.join("tenfour.db");
    std::fs::create_dir_all(&folder.0).unwrap();
    let connection = Connection::open(&path).unwrap();
    let released = ["0001_floor", "0002_live_cards", "0003_delivery", "0004_duty", "0005_audit", "0006_acting"];
    for name in released {
        let text = std::fs::read_to_string(format!("{}/migrations/{name}.sql", env!("CARGO_MANIFEST_DIR"))).unwrap();
        connection.execute_batch(&text).unwrap();
    }
    connection.pragma_update(None, "user_version", 6_i64).unwrap();
    connection
        .execute_batch(
            r#"INSERT INTO guild (id, community, quiet) VALUES (4, 'c', '{"from":1320,"to":420,"timezone":"EST"}');
               INSERT INTO route (guild, event, channel, role, style, created_by, created_ms, rule)
               VALUES (4, '911', 5, 3, 'log', 9, 1, '{"filter":{"priorities":["high"],"postals":["abc-xyz"]},"cooldown_s":7}');"#,
        )
        .unwrap();
    drop(connection);
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let store = store(&folder).await;
        let route = &routes(&store)[0];
        assert_eq!((route.spec.role, route.spec.style, route.spec.rule.cooldown_s), (Some(RoleId(3)), Style::Log, Some(7)));
        assert!(!route.spec.rule.filter.is_empty());
        assert_eq!(store.routing_now().guilds[&GuildId(4)].quiet.as_ref().unwrap().timezone, "EST");
        let id = store.keep_undo(GuildId(4), &[(route.clone(), route.clone())], UnixMs(1)).await.unwrap();
        assert_eq!(id, 1);
    });
}

#[test]
fn migrations_are_valid() {
    super::schema::migrations().validate().unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_reads_the_database() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    let store = store(&folder).await;
    put(&store, vec![draft(7, "a", "one", Lane::New)], 1).await;
    let files: Vec<_> = std::fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap()).collect();
    assert!(files.len() >= 3, "database, write-ahead log, lock: {files:?}");
    for file in files {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{file:?}");
    }
}
