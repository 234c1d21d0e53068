//! Readers that leave early: `tenfour check | head`. Nothing panics, and a running bot continues.

use std::process::Stdio;

use super::{Stage, client};
use crate::test_bot::PATIENCE;

impl Stage {
    /// Runs a shell line in which $BOT is the bot.
    async fn shell(&self, line: &str) -> super::Finished {
        let mut command = tokio::process::Command::new("/bin/sh");
        self.furnish(&mut command);
        command.args(["-c", line]).env("BOT", super::binary()).env("PATH", "/usr/bin:/bin");
        self.spawn(command).ended(PATIENCE).await
    }
}

#[tokio::test]
async fn a_reader_that_leaves_early_makes_no_command_panic() {
    let stage = Stage::new().await;
    stage.channel("911", None).await;
    // `true` reads nothing; the sleep lets it leave first.
    for (arguments, code) in [
        ("completions bash", 0),
        ("man", 0),
        ("check", 0),
        ("invite", 0),
        ("--help", 0),
        ("help", 0),
        ("--version", 0),
        ("backup copy.db", 0),
        ("chekc", 2),
        ("run --loud", 2),
    ] {
        let late = format!("{{ sleep 0.3; \"$BOT\" {arguments}; echo \"code $?\" >&3; }} 3>&2 2>said | true; cat said >&2");
        let end = stage.shell(&late).await;
        end.says(0, &[&format!("code {code}")]);
        assert!(!end.stderr.contains("panicked"), "{arguments}: {end}");
        // Both streams.
        let both = format!("{{ sleep 0.3; {{ \"$BOT\" {arguments}; }} 2>&1; echo \"code $?\" >&3; }} 3>&2 | true");
        std::fs::remove_file(stage.folder.join("copy.db")).ok();
        stage.shell(&both).await.says(0, &[&format!("code {code}")]);
        std::fs::remove_file(stage.folder.join("copy.db")).ok();
    }
    // One line, as people do it.
    let end = stage.shell("\"$BOT\" check | head -n 1").await;
    assert!(end.stdout.lines().count() == 1 && !end.stderr.contains("panicked"), "{end}");
    // A command that finds a problem still says so.
    let end = stage.shell("unset DISCORD_TOKEN; { sleep 0.3; \"$BOT\" check; echo \"code $?\" >&2; } | true").await;
    end.says(0, &["code 1"]);
    let end = stage.shell("unset DISCORD_TOKEN; { sleep 0.3; \"$BOT\" 2>&1; echo \"code $?\" >&2; } | true").await;
    end.says(0, &["code 1"]);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_answer_that_cannot_be_written_down_is_a_failure() {
    let stage = Stage::new().await;
    let end = stage.shell("\"$BOT\" invite >/dev/full").await;
    end.says(1, &["cannot write to standard output"]);
}

#[tokio::test]
async fn a_bot_whose_log_nobody_reads_any_more_goes_on() {
    let mut stage = Stage::new().await;
    stage.set("TENFOUR_LOG", "debug");
    let channel = stage.channel("911", None).await;
    let mut command = stage.command(&[]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let addr = {
        use tokio::io::{AsyncBufReadExt as _, BufReader};
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        loop {
            let line = lines.next_line().await.unwrap().expect("it ended");
            if let Some((_, addr)) = line.split_once("accepting push events") {
                let (_, addr) = addr.split_once("addr=").unwrap();
                break addr.trim().parse::<std::net::SocketAddr>().unwrap();
            }
        }
        // Here the reader leaves.
    };
    stage.post(addr, 1).await;
    stage.post(addr, 2).await;
    stage.holds(&channel, vec![1, 2]).await;
    assert_eq!(client().get(format!("http://{addr}/")).send().await.unwrap().status(), 200);
    let pid = child.id().unwrap();
    let sent = std::process::Command::new("sh").args(["-c", &format!("kill -TERM {pid}")]).status().unwrap();
    assert!(sent.success());
    let end = tokio::time::timeout(super::GRACE, child.wait()).await.unwrap().unwrap();
    assert_eq!(end.code(), Some(0));
}
