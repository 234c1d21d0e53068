//! A disk that takes nothing more: pretended with a limit on the size of files, which holds for root too.

use serde_json::json;
use tokio::process::Command;

use super::{Stage, client, eventually};

/// 2,048 blocks of 512 or (bash) 1,024 bytes: room for the schema and some small events.
const BLOCKS: u32 = 2_048;

#[tokio::test]
async fn a_full_disk_is_answered_with_try_later_and_got_over_when_there_is_room() {
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

    // Larger than all the room there is, in events of the largest size.
    let url = format!("http://{addr}/sonorancad/event");
    let large = |call: i64| {
        let mut event = stage.emergency(call);
        event["data"]["call"]["metaData"] = json!({ "padding": "x".repeat(900_000) });
        event
    };
    let mut accepted = vec![1];
    let mut refused = None;
    for call in 2..20 {
        let answer = client().post(&url).json(&large(call)).send().await.unwrap();
        match answer.status().as_u16() {
            200 => accepted.push(call),
            503 => {
                assert!(answer.headers().contains_key("retry-after"));
                refused = Some(call);
                break;
            }
            other => panic!("{other}: {:?}", answer.text().await),
        }
    }
    let refused = refused.expect("the limit was never reached");
    // It lives, and says so; it goes on refusing what it cannot store.
    assert_eq!(client().get(format!("http://{ops}/healthz")).send().await.unwrap().status(), 200);
    assert_eq!(client().post(&url).json(&large(refused)).send().await.unwrap().status(), 503);
    bot.line("could not be stored").await;
    // What was refused counts as nothing that was done.
    let metrics = client().get(format!("http://{ops}/metrics")).send().await.unwrap().text().await.unwrap();
    let committed = format!("tenfour_events_total{{source=\"http\",outcome=\"committed\"}} {}", accepted.len());
    assert!(metrics.lines().any(|line| line == committed), "no {committed} in:\n{metrics}");

    // Room again: the sender's next try is taken, and everything accepted stands once.
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
