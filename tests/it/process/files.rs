//! Which files the bot creates, with which permissions; what it says about files that others can open; that a database has one bot.

#[cfg(unix)]
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use super::{Finished, Stage, sqlite};

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Every file and folder below, relative to `folder`.
fn all(folder: &Path) -> Vec<String> {
    fn walk(folder: &Path, below: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            found.push(path.strip_prefix(below).unwrap().to_str().unwrap().to_owned());
            if path.is_dir() && !path.is_symlink() {
                walk(&path, below, found);
            }
        }
    }
    let mut found = Vec::new();
    walk(folder, folder, &mut found);
    found.sort_unstable();
    found
}

#[cfg(unix)]
#[tokio::test]
async fn every_file_that_holds_alerts_is_made_for_its_owner_only() {
    let mut stage = Stage::new().await;
    let channel = stage.channel("911", None).await;
    std::fs::remove_dir_all(stage.folder.join("data")).unwrap();
    stage.set("TENFOUR_RECORD", "record.jsonl");
    stage.set("DATABASE_URL", "sqlite://data/deep/tenfour.db");
    // Whatever the umask is.
    let mut command = tokio::process::Command::new("/bin/sh");
    command.args(["-c", &format!("umask 0; exec '{}'", super::binary().display())]);
    stage.furnish(&mut command);
    let bot = stage.spawn(command);
    let addr = bot.listener().await;
    stage.post(addr, 1).await;
    assert_eq!(stage.calls(&channel), [0; 0]);
    for (path, wanted) in [
        ("record.jsonl", 0o600),
        ("data", 0o700),
        ("data/deep", 0o700),
        ("data/deep/tenfour.db", 0o600),
        ("data/deep/tenfour.db-wal", 0o600),
        ("data/deep/tenfour.db-shm", 0o600),
        ("data/deep/tenfour.db.lock", 0o600),
    ] {
        assert_eq!(mode(&stage.folder.join(path)), wanted, "{path}");
    }
    let end = bot.stop().await;
    assert!(!end.stderr.contains("chmod"), "{end}");
}

#[cfg(unix)]
#[tokio::test]
async fn run_and_check_report_files_that_others_can_open_with_the_command_that_fixes_it() {
    let mut stage = Stage::new().await;
    stage.channel("911", None).await;
    stage.set("TENFOUR_RECORD", "record.jsonl");
    std::fs::write(stage.folder.join(".env"), "SONORAN_SILENCE_MINUTES=5\n").unwrap();
    std::fs::write(stage.folder.join("record.jsonl"), "").unwrap();
    let loose = [(".env", 0o644), ("record.jsonl", 0o644), ("data/tenfour.db", 0o666), ("data/tenfour.db.lock", 0o640)];
    for (path, mode) in loose {
        set_mode(&stage.folder.join(path), mode);
    }
    set_mode(&stage.folder.join("data"), 0o777);
    let check = stage.run(&["check"]).await;
    assert_eq!(check.code, Some(0), "{check}");
    let bot = stage.start();
    bot.listener().await;
    let run = bot.stop().await;
    for (path, _) in loose {
        let fix = format!("chmod 600 {path}");
        assert!(check.stdout.lines().any(|line| line.starts_with("note files") && line.ends_with(&fix)), "{path}: {check}");
        assert!(run.stderr.lines().any(|line| line.contains("WARN") && line.ends_with(&fix)), "{path}: {run}");
    }
    assert!(check.stdout.contains("can read and change data/tenfour.db."), "{check}");
    assert!(check.stdout.contains("chmod o-w data") && run.stderr.contains("chmod o-w data"), "{check} {run}");
    // After the fix, there is nothing left to report.
    for (path, _) in loose {
        set_mode(&stage.folder.join(path), 0o600);
    }
    set_mode(&stage.folder.join("data"), 0o755);
    let check = stage.run(&["check"]).await;
    assert!(!check.stdout.contains("chmod"), "{check}");
}

#[tokio::test]
async fn check_makes_nothing_where_there_is_nothing() {
    let mut stage = Stage::new().await;
    let check = stage.run(&["check"]).await;
    assert_eq!(check.code, Some(0), "{check}");
    assert!(check.stdout.contains("ok   database  data/tenfour.db does not exist yet"), "{check}");
    assert_eq!(all(&stage.folder), [""; 0], "{check}");
    // And no other file beside a file that isn't a database.
    std::fs::create_dir(stage.folder.join("folder.db")).unwrap();
    std::fs::write(stage.folder.join("letter.db"), "Dear Sir or Madam, ".repeat(500)).unwrap();
    for url in
        ["sqlite://folder.db", "sqlite://letter.db", "sqlite://letter.db/x.db", "sqlite://file:x.db", "sqlite://:memory:", "sqlite://"]
    {
        stage.set("DATABASE_URL", url);
        for arguments in [&["check"][..], &[]] {
            let end = stage.run(arguments).await;
            assert_eq!(end.code, Some(1), "{url}: {end}");
            assert_eq!(all(&stage.folder), ["folder.db", "letter.db"], "{url}: {end}");
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_second_bot_is_refused_by_whatever_name_it_knows_the_database() {
    let mut stage = Stage::new().await;
    let channel = stage.channel("911", None).await;
    let (bot, addr) = stage.up().await;
    let at = |name: &str| stage.folder.join(name);
    symlink("data/tenfour.db", at("link.db")).unwrap();
    symlink("link.db", at("links.db")).unwrap();
    symlink("data", at("folder")).unwrap();
    std::fs::create_dir(at("other")).unwrap();
    // On Linux, also through a second name of the same file.
    std::fs::hard_link(stage.database(), at("other/hard.db")).unwrap();
    let absolute = sqlite(&stage.database());
    let before = all(&stage.folder);
    for url in [
        "sqlite://link.db",
        "sqlite://links.db",
        "sqlite://folder/tenfour.db",
        "sqlite://other/../folder/./tenfour.db",
        "sqlite://other/hard.db",
        absolute.as_str(),
    ] {
        stage.set("DATABASE_URL", url);
        let said: Finished = stage.run(&[]).await;
        said.says(1, &["another Tenfour", "DATABASE_URL"]);
        let check = stage.run(&["check"]).await;
        assert!(check.stdout.contains("another Tenfour"), "{url}: {check}");
        assert_eq!(all(&stage.folder), before, "{url}");
    }
    stage.vars.remove("DATABASE_URL");
    stage.post(addr, 1).await;
    stage.holds(&channel, vec![1]).await;
    bot.stop().await;
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_reported_as_such() {
    let stage = Stage::new().await;
    stage.channel("911", None).await;
    let database = rusqlite::Connection::open(stage.database()).unwrap();
    database.pragma_update(None, "user_version", 9_000).unwrap();
    drop(database);
    let end = stage.run(&[]).await;
    end.says(1, &["written by a newer version of Tenfour (schema 9000; this version knows", "Update Tenfour"]);
    assert!(!end.stderr.contains("full"), "{end}");
    let check = stage.run(&["check"]).await;
    assert!(check.stdout.lines().any(|line| line.starts_with("FAIL database") && line.contains("newer version")), "{check}");
}
