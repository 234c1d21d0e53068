//! `tenfour demo` as a person runs it: the binary, its page in a real browser, and its short form.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

fn demo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenfour"));
    command.arg("demo").args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    // Settings of the developer's shell must not reach the demo.
    for name in ["TENFOUR_RECORD", "TENFOUR_LOG", "DISCORD_TOKEN", "SONORAN_API_KEY"] {
        command.env_remove(name);
    }
    command
}

#[tokio::test]
async fn once_shows_every_kind_of_alert_and_ends_well() {
    let record = std::env::temp_dir().join(format!("tenfour-record-{:016x}.jsonl", fastrand::u64(..)));
    let run = demo(&["--once", "--speed", "4"]).env("TENFOUR_RECORD", &record).output();
    let output = timeout(Duration::from_secs(60), run).await.expect("it ends by itself, and soon").unwrap();
    let (said, erred) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{erred}");
    for wanted in
        ["911", "PANIC", "Panic over", "311", "P1", "BOLO", "Station", "page", "Tone", "on duty", "Closed", "handled", "became Call"]
    {
        assert!(said.to_lowercase().contains(&wanted.to_lowercase()), "no {wanted} in:\n{said}");
    }
    for (what, wanted) in [
        ("a thread on a card, with its notes", "#dispatch · thread “🚔 "),
        ("a forum post", "#case-files · post “🚔 "),
        ("a thread that is put away", "” is put away"),
        ("a board", "#board (edited)\n  │ 👥 On duty: 12"),
        ("a filter", "#priority-1\n"),
        ("a 911 that was taken in the game", "➡️ 911 became Call #"),
        ("a panic that the game called 911 for", "Linked 911: 911 #"),
        ("a panic of which no event told", "@Patrol PANIC: K-3 Bastian Reyes"),
        ("changes of which no event told", "that no event had told"),
        ("a rise of the priority", "🔺 Now P1: Call #"),
    ] {
        assert!(said.contains(wanted), "{what}: no {wanted} in:\n{said}");
    }
    for marked in ["<t:", "<#", "<@&", "](https://discord.com"] {
        assert!(!said.contains(marked), "{marked} is no text for people:\n{said}");
    }
    let priority_1 = said.split("\n\n").filter(|block| block.starts_with("#priority-1\n"));
    assert!(priority_1.into_iter().all(|block| block.contains("P1")), "the filter let something else through:\n{said}");
    for address in ["hub: http://127.0.0.1:", "cad: http://127.0.0.1:", "discord: http://127.0.0.1:"] {
        assert!(said.contains(address), "no {address} in:\n{said}");
    }
    assert_eq!(erred, "", "nothing goes wrong in a demo");

    // The recording: one JSON object a line, no token in it.
    let lines = std::fs::read_to_string(&record).unwrap();
    std::fs::remove_file(&record).ok();
    assert!(lines.lines().count() > 20, "{lines}");
    for line in lines.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(
            line["method"].is_string() && line["path"].as_str().unwrap().starts_with("/api/v10/") && line.get("body").is_some(),
            "{line}"
        );
    }
    assert!(!lines.contains("sim.discord.token"));
}

/// Starts the demo and reads the address of its page.
async fn page(arguments: &[&str]) -> (Child, String) {
    let mut child = demo(arguments).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let url = timeout(Duration::from_secs(40), async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some(url) = line.strip_prefix("page: ") {
                return url.to_owned();
            }
        }
        panic!("the demo ended before it named its page");
    });
    let url = url.await.expect("the page is named in time");
    // Later output must not fill the pipe.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (child, url)
}

/// Runs `tests/browser/page.mjs` against its own demo.
async fn page_in_chromium(arguments: &[&str], quiet: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
    let chromium = std::env::var("CHROMIUM").unwrap_or_else(|_| "/usr/bin/chromium".to_owned());
    if !Path::new(&chromium).exists() || !folder.join("node_modules/playwright-core").exists() {
        assert!(std::env::var_os("TENFOUR_REQUIRE_BROWSER").is_none_or(|value| value != "1"), "no Chromium, or no npm ci in tests/browser");
        println!("SKIPPED, the page of `tenfour demo` {arguments:?}: needs Chromium and `npm ci` in tests/browser");
        return;
    }
    let (mut child, url) = page(arguments).await;
    let run = Command::new("node")
        .arg("page.mjs")
        .current_dir(&folder)
        .env("URL", &url)
        .env("CHROMIUM", chromium)
        .env("QUIET", quiet)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(Duration::from_secs(600), run).await.expect("the browser finishes in time").unwrap();
    let (said, erred) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{said}");
    assert!(output.status.success(), "the page failed in the browser:\n{said}\n{erred}");
    child.kill().await.unwrap();
}

#[tokio::test]
async fn the_page_holds_in_chromium_during_a_simulated_shift() {
    page_in_chromium(&["--page", "127.0.0.1:0", "--speed", "3"], "0").await;
}

/// Only the test's events happen there, so each press has one right answer.
#[tokio::test]
async fn members_act_on_the_page_of_the_demo_in_chromium() {
    page_in_chromium(&["--page", "127.0.0.1:0", "--quiet"], "1").await;
}
