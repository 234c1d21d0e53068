//! A full disk, simulated with a limit on the size of files, which holds for root too; and a database at its own size limit.
//! more, by its setting.

use serde_json::{Value, json};
use tokio::process::Command;

use super::{Stage, client, eventually};
use crate::test_bot::PATIENCE;

/// 2,048 blocks of 512 or (bash) 1,024 bytes: enough for the schema and some small events.
const BLOCKS: u32 = 2_048;

#[tokio::test]
async fn a_full_disk_is_answered_with_try_later_until_there_is_space() {
    let stage = Stage::new().await;
    let channel = stage.channel("911", None).await;
    // The signal that comes with the limit would end the process; ignored, the write fails as on a full disk. Only the soft limit, so
    // that it can be lifted.
    let mut command = Command::new("/bin/sh");
    let line = format!("trap '' XFSZ; ulimit -S -f {BLOCKS}; exec '{}'", env!("CARGO_BIN_EXE_tenfour"));
    command.args(["-c", &line]);
    stage.furnish(&mut command);
    let bot = stage.spawn(command);
    let (addr, ops) = (bot.listener().await, bot.ops().await);
    stage.post(addr, 1).await;
    stage.holds(&channel, vec![1]).await;

    // Larger than all free space, in events of the largest size.
    let url = format!("http://{addr}/sonorancad/event");
    let large = |call: i64| {
        let mut event = stage.emergency(call);
        event["data"]["call"]["metaData"] = json!({ "padding": "x".repeat(900_000) });
        event
    };
    let (mut accepted, refused) = until_refused(&url, 2, large).await;
    accepted.insert(0, 1);
    // It runs, and says so; it keeps refusing what it can't store.
    assert_eq!(client().get(format!("http://{ops}/healthz")).send().await.unwrap().status(), 200);
    assert_eq!(client().post(&url).json(&large(refused)).send().await.unwrap().status(), 503);
    bot.line("could not be stored").await;
    // A refused event doesn't count as done.
    let metrics = client().get(format!("http://{ops}/metrics")).send().await.unwrap().text().await.unwrap();
    let committed = format!("tenfour_events_total{{source=\"http\",outcome=\"committed\"}} {}", accepted.len());
    assert!(metrics.lines().any(|line| line == committed), "no {committed} in:\n{metrics}");

    // Space again: the sender's next try is accepted, and everything accepted is shown once.
    let pid = bot.child.id().unwrap().to_string();
    let lifted = std::process::Command::new("prlimit").args(["--pid", &pid, "--fsize=unlimited:unlimited"]).status();
    if !lifted.is_ok_and(|status| status.success()) {
        println!("prlimit (util-linux) cannot lift the limit here: recovery within one life is not tried");
        bot.kill().await;
        stage.holds(&channel, accepted).await;
        return;
    }
    eventually("it never took an event again", async || client().post(&url).json(&large(refused)).send().await.unwrap().status() == 200)
        .await;
    accepted.push(refused);
    stage.holds(&channel, accepted.clone()).await;
    stage.settled().await;
    stage.holds(&channel, accepted).await;
    bot.stop().await;
}

/// Calls from `first` on, until one is refused with "try later": those that were accepted, and that one.
async fn until_refused(url: &str, first: i64, event: impl Fn(i64) -> Value) -> (Vec<i64>, i64) {
    let mut accepted = Vec::new();
    for call in first..20 {
        let answer = client().post(url).json(&event(call)).send().await.unwrap();
        match answer.status().as_u16() {
            200 => accepted.push(call),
            503 => {
                assert!(answer.headers().contains_key("retry-after"));
                return (accepted, call);
            }
            other => panic!("{other}: {:?}", answer.text().await),
        }
    }
    panic!("the limit was never reached");
}

fn large(stage: &Stage, call: i64) -> Value {
    let mut event = stage.emergency(call);
    event["data"]["call"]["metaData"] = json!({ "padding": "x".repeat(100_000) });
    event
}

#[tokio::test]
async fn a_full_database_is_answered_with_try_later_and_takes_all_that_waited_once_it_may_grow() {
    let mut stage = Stage::new().await;
    stage.set("DATABASE_MAX_MB", "1");
    let channel = stage.channel("911", None).await;
    let bot = stage.start();
    let (addr, ops) = (bot.listener().await, bot.ops().await);
    assert!(stage.cad.wait_session(1, PATIENCE).await);
    let url = format!("http://{addr}/sonorancad/event");
    let (mut accepted, refused) = until_refused(&url, 1, |call| large(&stage, call)).await;
    assert!(accepted.len() > 2, "{accepted:?}");
    // Everything accepted before is delivered and settled: events may not use the last space.
    stage.settled().await;
    stage.holds(&channel, accepted.clone()).await;
    // It says what is wrong, and what to do.
    bot.line("raise it and restart").await;
    eventually("it was never unready", async || {
        let answer = client().get(format!("http://{ops}/readyz")).send().await.unwrap();
        answer.status() == 503 && answer.text().await.unwrap().contains("DATABASE_MAX_MB")
    })
    .await;
    assert_eq!(client().get(format!("http://{ops}/healthz")).send().await.unwrap().status(), 200);
    let mut size = std::fs::metadata(stage.database()).unwrap().len();
    // The hub can't send its events again: they wait, and aren't reported as lost yet.
    assert_eq!(stage.cad.push(1, "EVENT_911", large(&stage, 100)["data"].clone()).hub, 1);
    bot.line("tries_left=29").await;
    size = size.max(std::fs::metadata(stage.database()).unwrap().len());
    assert!(size <= 1_048_576, "{size}");

    // A larger one, and a restart: the sender's next try is accepted.
    bot.kill().await;
    stage.set("DATABASE_MAX_MB", "8");
    let (bot, addr) = stage.up().await;
    let url = format!("http://{addr}/sonorancad/event");
    assert_eq!(client().post(&url).json(&large(&stage, refused)).send().await.unwrap().status(), 200);
    accepted.push(refused);
    stage.holds(&channel, accepted.clone()).await;
    stage.settled().await;
    assert_eq!(bot.readyz().await.1.lines().next(), Some("store ok"));
    bot.stop().await;
}

#[tokio::test]
async fn a_full_database_drops_old_events_early_and_loses_no_hub_event() {
    let mut stage = Stage::new().await;
    stage.set("DATABASE_MAX_MB", "1");
    let channel = stage.channel("911", None).await;
    let bot = stage.start();
    let addr = bot.listener().await;
    let mut accepted = 0;
    let url = format!("http://{addr}/sonorancad/event");
    while client().post(&url).json(&large(&stage, accepted + 1)).send().await.unwrap().status() == 200 {
        accepted += 1;
    }
    assert!(accepted > 2);
    stage.settled().await;
    bot.kill().await;
    // More than an hour passes.
    let database = rusqlite::Connection::open(stage.database()).unwrap();
    database.execute("UPDATE journal SET received_ms = received_ms - 4000000", ()).unwrap();
    drop(database);
    let bot = stage.start();
    assert!(stage.cad.wait_session(1, PATIENCE).await);
    assert_eq!(stage.cad.push(1, "EVENT_911", large(&stage, 100)["data"].clone()).hub, 1);
    bot.line("are forgotten early").await;
    stage.holds(&channel, (1..=accepted).chain([100]).collect()).await;
    eventually("it never got ready", async || bot.readyz().await.1.starts_with("store ok")).await;
    assert_eq!(stage.look("SELECT count(*) FROM journal WHERE received_ms < 1000 * (unixepoch() - 3600)"), ["0"]);
    bot.stop().await;
}

#[tokio::test]
async fn however_much_there_is_to_forget_is_forgotten_while_events_go_on() {
    let stage = Stage::new().await;
    let channel = stage.channel("911", None).await;
    let database = rusqlite::Connection::open(stage.database()).unwrap();
    let old = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)
        INSERT INTO journal (community, server, source, kind, received_ms, body) SELECT 'demo', 1, 'http', 'X', 1000 + i, '{}' FROM n";
    database.execute(old, ()).unwrap();
    drop(database);
    // Five thousand a round, and ten minutes between prunings: rounds must follow each other while there is more.
    let (bot, addr) = stage.up().await;
    for call in 1..=20 {
        stage.post(addr, call).await;
    }
    eventually("old events were left", async || stage.look("SELECT count(*) FROM journal WHERE kind = 'X'") == ["0"]).await;
    stage.holds(&channel, (1..=20).collect()).await;
    assert_eq!(stage.look("SELECT count(*) FROM journal"), ["20"]);
    bot.stop().await;
}

#[tokio::test]
async fn a_store_that_stands_still_is_answered_with_try_later_in_bounded_memory() {
    // More than may be connected and more than may be held, from more addresses than one, which has a limit of its own.
    const SENDERS: i64 = 700;
    let stage = Stage::new().await;
    let channel = stage.channel("911", None).await;
    let (bot, addr) = stage.up().await;
    stage.post(addr, 1).await;
    stage.holds(&channel, vec![1]).await;
    let resident = || -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", bot.child.id().unwrap())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let before = resident();
    // Another process holds the database: no commit succeeds.
    let holder = rusqlite::Connection::open(stage.database()).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE; UPDATE meta SET value = value").unwrap();
    let url = format!("http://{addr}/sonorancad/event");
    let mut posts = tokio::task::JoinSet::new();
    let clients: Vec<reqwest::Client> = (2..12)
        .map(|last| reqwest::Client::builder().no_proxy().local_address(std::net::IpAddr::from([127, 0, 0, last])).build().unwrap())
        .collect();
    for (call, client) in (2..SENDERS + 2).zip(clients.iter().cycle()) {
        let mut event = stage.emergency(call);
        event["data"]["call"]["metaData"] = json!({ "padding": "x".repeat(200_000) });
        let (client, url) = (client.clone(), url.clone());
        posts.spawn(async move {
            let answer = client.post(&url).json(&event).send().await.ok()?;
            Some((call, answer.status().as_u16(), answer.headers().contains_key("retry-after")))
        });
    }
    let (mut later, mut most) = (0, before);
    let all = tokio::time::timeout(PATIENCE * 3, async {
        while let Some(answer) = posts.join_next().await {
            most = most.max(resident());
            // Waiting events may still be accepted once the lock is released; nothing else may be answered.
            if let Some((call, status, told_when)) = answer.unwrap() {
                assert!((status == 503 && told_when) || (status == 200 && later > 0), "{call}: {status}");
                later += i64::from(status == 503);
            }
        }
    });
    assert!(all.await.is_ok(), "senders were left without an answer");
    assert!(later > 0, "nobody was told to come later");
    println!("{later} of {SENDERS} were told to come later; {before} KiB before, {most} KiB at most");
    // The bodies being read (64 MiB), what they become, and the connections; not everything that was sent (137 MiB), read and parsed.
    assert!(most - before < 300 * 1_024, "{before} KiB became {most} KiB");
    holder.execute_batch("ROLLBACK").unwrap();
    drop(holder);
    eventually("it never took an event again", async || {
        let answer = client().post(&url).json(&stage.emergency(5_000)).send().await;
        answer.is_ok_and(|answer| answer.status() == 200)
    })
    .await;
    bot.kill().await;
}
