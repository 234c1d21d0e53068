//! Reliable copies of the database: after a stop the one file is complete, and `tenfour backup` makes a copy while the bot runs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::{Stage, client, eventually, sqlite};
use crate::test_bot::PATIENCE;

/// The names of the files with content in a folder.
fn filled(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let mut names: Vec<String> =
        entries.filter(|entry| entry.metadata().unwrap().len() > 0).map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

/// Copies the file elsewhere and lets SQLite check it. Returns how many events it has.
fn copied(database: &Path, to: &Path) -> i64 {
    std::fs::copy(database, to).unwrap();
    events(to)
}

fn events(database: &Path) -> i64 {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
    let check: String = connection.query_row("PRAGMA integrity_check", (), |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    connection.query_row("SELECT count(*) FROM journal", (), |row| row.get(0)).unwrap()
}

impl Stage {
    /// The calls of all cards in a channel: with a backlog, several share a message.
    fn cards(&self, channel: &str) -> Vec<i64> {
        let messages = self.discord.messages(channel);
        let embeds = messages.iter().flat_map(|message| message["embeds"].as_array().unwrap());
        embeds.map(|embed| super::call_number(&serde_json::json!({ "embeds": [embed] }))).collect()
    }

    /// The same bot with a database copied there by hand, as people restore one.
    fn restore(&self, backup: &Path) {
        for suffix in ["-wal", "-shm"] {
            std::fs::remove_file(format!("{}{suffix}", self.database().display())).ok();
        }
        std::fs::copy(backup, self.database()).unwrap();
    }
}

#[cfg(unix)]
#[tokio::test]
async fn after_every_clean_stop_the_database_is_one_file_that_can_be_copied() {
    let stage = Stage::new().await;
    let channel = stage.channel("911", None).await;
    let data = stage.folder.join("data");
    let mut calls = 0;
    for round in 0..10 {
        let (bot, addr) = stage.up().await;
        for _ in 0..10 {
            calls += 1;
            stage.post(addr, calls).await;
        }
        stage.holds(&channel, (1..=calls).collect()).await;
        if round % 2 == 0 {
            bot.signal("INT");
            bot.ended(super::GRACE).await.says(0, &[]);
        } else {
            bot.stop().await;
        }
        assert_eq!(filled(&data), ["tenfour.db"], "after stop {round}");
        let copy = stage.folder.join(format!("copy-{round}.db"));
        assert_eq!(copied(&stage.database(), &copy), calls, "after stop {round}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_start_that_fails_or_is_stopped_leaves_one_file_too() {
    let mut stage = Stage::new().await;
    stage.channel("911", None).await;
    let data = stage.folder.join("data");
    let before = stage.vars.clone();
    // A port that is in use, a token that is rejected.
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    for (name, value) in [("LISTEN_ADDR", taken.local_addr().unwrap().to_string()), ("DISCORD_TOKEN", "MTk4.wrong.token-6140".to_owned())] {
        stage.set(name, value);
        stage.run(&[]).await.says(1, &[name]);
        assert_eq!(filled(&data), ["tenfour.db"], "{name}");
        stage.vars = before.clone();
    }
    // Asked to stop before it is up, and asked twice.
    stage.discord.hang("GET", "/users/@me", 1);
    let bot = stage.start();
    bot.ops().await;
    bot.stop().await;
    assert_eq!(filled(&data), ["tenfour.db"]);
    stage.discord.clear_faults();
    stage.discord.hang("POST", "/messages", 1_000);
    let (bot, addr) = stage.up().await;
    stage.post(addr, 1).await;
    stage.discord.wait_request(PATIENCE, |request| request["status"] == 0).await.unwrap();
    bot.signal("TERM");
    bot.line("stopping").await;
    bot.stop().await;
    assert_eq!(filled(&data), ["tenfour.db"]);
    assert_eq!(copied(&stage.database(), &stage.folder.join("copy.db")), 1);
    // Commands that only read leave it unchanged.
    stage.run(&["check"]).await;
    assert_eq!(filled(&data), ["tenfour.db"]);
}

#[tokio::test]
async fn a_backup_of_a_busy_bot_starts_a_bot_that_posts_nothing_twice_and_sends_what_waited() {
    let stage = Stage::new().await;
    let channel = stage.channel("911", None).await;
    let (bot, addr) = stage.up().await;
    for call in 1..=20 {
        stage.post(addr, call).await;
    }
    stage.settled().await;
    stage.holds(&channel, (1..=20).collect()).await;
    // One message is answered late, and all later ones wait; events keep coming while the copy is made.
    stage.discord.delay("POST", "/messages", 8_000, 1);
    for call in 21..=30 {
        stage.post(addr, call).await;
    }
    let (over, mut done) = tokio::sync::watch::channel(false);
    let load = {
        let (url, key) = (format!("http://{addr}/sonorancad/event"), stage.key.clone());
        let event = move |call: i64| serde_json::json!({ "key": key, "type": "EVENT_911", "data": super::emergency(call) });
        tokio::spawn(async move {
            let mut call = 1_000;
            while !*done.borrow_and_update() {
                call += 1;
                assert_eq!(client().post(&url).json(&event(call)).send().await.unwrap().status(), 200);
            }
        })
    };
    let target = stage.folder.join("backup.db");
    let saved = stage.run(&["backup", "backup.db"]).await;
    assert_eq!(saved.code, Some(0), "{saved}");
    assert!(saved.stdout.starts_with("Saved data/tenfour.db to backup.db") && saved.stderr.is_empty(), "{saved}");
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&target).unwrap().permissions()) & 0o777, 0o600);
    assert!(events(&target) >= 30);
    // A second copy doesn't replace it.
    stage.run(&["backup", "backup.db"]).await.says(1, &["backup.db already exists"]);
    over.send(true).unwrap();
    load.await.unwrap();
    let waiting: Vec<i64> = {
        let backup = Connection::open(&target).unwrap();
        let call = "CAST(substr(subject, 5, instr(subject, '@') - 5) AS INTEGER)";
        let mut select = backup.prepare(&format!("SELECT {call} FROM post WHERE delivered < version")).unwrap();
        select.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    assert!(waiting.len() > 1, "{waiting:?}");

    // The bot sends what waited after the copy was made; then the disk is lost.
    eventually("nothing was sent", async || (21..=30).all(|call| stage.cards(&channel).contains(&call))).await;
    bot.kill().await;
    stage.restore(&target);
    let (bot, addr) = stage.up().await;
    stage.post(addr, 5_000).await;
    stage.settled().await;
    let mut calls = stage.cards(&channel);
    calls.sort_unstable();
    let mut once = calls.clone();
    once.dedup();
    assert_eq!(calls, once, "something was posted twice");
    for call in (1..=30).chain(waiting).chain([5_000]) {
        assert!(calls.contains(&call), "{call} is missing in {calls:?}");
    }
    bot.stop().await;
}

/// Nonces are remembered by Discord for a few minutes only; a backup is restored days later.
#[tokio::test]
async fn what_was_sent_after_the_backup_is_looked_for_before_it_is_sent_again() {
    let stage = Stage::new().await;
    let channel = stage.channel("911", None).await;
    let (bot, addr) = stage.up().await;
    // The first is answered late, and the second waits for it: it was never sent.
    stage.discord.delay("POST", "/messages", 8_000, 1);
    stage.post(addr, 1).await;
    stage.post(addr, 2).await;
    let target = stage.folder.join("backup.db");
    assert_eq!(stage.run(&["backup", "backup.db"]).await.code, Some(0));
    assert_eq!(stage.look("SELECT count(*) FROM post WHERE creating_ms IS NULL AND message IS NULL"), ["1"]);
    stage.holds(&channel, vec![1, 2]).await;
    stage.settled().await;
    bot.stop().await;
    // An hour passes, and Discord forgets its nonces.
    let backup = Connection::open(&target).unwrap();
    let marked = backup.execute("UPDATE post SET creating_ms = creating_ms - 3600000 WHERE creating_ms IS NOT NULL", ()).unwrap();
    assert_eq!(marked, 2, "they are not marked as perhaps sent");
    drop(backup);
    let before = stage.discord.requests().len();
    stage.restore(&target);
    let (bot, _) = stage.up().await;
    stage.settled().await;
    stage.holds(&channel, vec![1, 2]).await;
    let requests = stage.discord.requests();
    let made = requests
        .iter()
        .skip(before)
        .filter(|request| request["method"] == "POST" && request["path"].as_str().unwrap().ends_with("/messages"));
    assert_eq!(made.count(), 0, "a message that stands already was made again");
    bot.stop().await;
}

#[tokio::test]
async fn a_failed_backup_is_reported_with_the_fix() {
    let mut stage = Stage::new().await;
    // No bot ever ran here, and asking creates nothing.
    stage.run(&["backup", "copy.db"]).await.says(1, &["no database at data/tenfour.db", "DATABASE_URL"]);
    assert_eq!(std::fs::read_dir(&stage.folder).unwrap().count(), 0);
    stage.channel("911", None).await;
    // Needs no secrets, and no running bot.
    let secrets = stage.vars.clone();
    stage.vars.retain(|name, _| !matches!(*name, "DISCORD_TOKEN" | "SONORAN_API_KEY" | "SONORAN_COMMUNITY_ID"));
    assert_eq!(stage.run(&["backup", "copy.db"]).await.code, Some(0));
    stage.vars = secrets;
    stage.run(&["backup", "data"]).await.says(1, &["folder", "Name a file"]);
    stage.run(&["backup", "no/copy.db"]).await.says(1, &["no folder no"]);
    stage.run(&["backup", "data/tenfour.db-wal"]).await.says(1, &["belongs to the database"]);
    stage.run(&["backup"]).await.says(2, &["FILE"]);
    stage.set("DATABASE_URL", sqlite(&PathBuf::from("copy.db")));
    assert_eq!(stage.run(&["backup", "copy of copy.db"]).await.code, Some(0));
    assert_eq!(filled(&stage.folder), ["copy of copy.db", "copy.db", "data"]);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_backup_onto_a_full_disk_keeps_nothing_and_says_so() {
    let stage = Stage::new().await;
    stage.channel("911", None).await;
    // As in `disk`: a limit on the size of files, which holds for root too. Smaller than any database, larger than the other files.
    let mut command = tokio::process::Command::new("/bin/sh");
    command.args(["-c", &format!("trap '' XFSZ; ulimit -f 70; exec '{}' backup copy.db", super::binary().display())]);
    stage.furnish(&mut command);
    let end = stage.spawn(command).ended(Duration::from_secs(30)).await;
    end.says(1, &["cannot make copy.db", "disk", "on another disk"]);
    assert_eq!(filled(&stage.folder), ["data"]);
}
