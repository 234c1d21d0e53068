//! SIGTERM and SIGINT: a clean end in the time that service managers allow, whatever hangs, and no accepted event is lost.

use std::time::Duration;

use tenfour_sim::cad::Seen;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::{GRACE, Stage};
use crate::test_bot::PATIENCE;

#[tokio::test]
async fn an_idle_bot_ends_at_once_and_says_good_bye_to_the_hub() {
    let stage = Stage::new().await;
    for signal in ["TERM", "INT"] {
        let (bot, _) = stage.up().await;
        assert!(stage.cad.wait_session(1, PATIENCE).await);
        stage.cad.clear_log();
        let asked = Instant::now();
        bot.signal(signal);
        let end = bot.ended(GRACE).await;
        end.says(0, &["stopping", "stopped"]);
        assert!(asked.elapsed() < Duration::from_secs(4), "{:?}: {end}", asked.elapsed());
        assert!(stage.cad.wait_no_session(1, PATIENCE).await);
        assert_eq!(stage.cad.count(|seen| matches!(seen, Seen::Close)), 1, "{:?}", stage.cad.log());
    }
}

#[tokio::test]
async fn neither_a_half_sent_request_nor_a_discord_that_hangs_holds_it_up_and_nothing_accepted_is_lost() {
    for signal in ["TERM", "INT"] {
        let stage = Stage::new().await;
        let channel = stage.channel("911", None).await;
        stage.discord.hang("POST", "/messages", 1_000);
        let (bot, addr) = stage.up().await;
        assert!(stage.cad.wait_session(1, PATIENCE).await);
        for call in 1..=5 {
            stage.post(addr, call).await;
        }
        let at_work = stage.discord.wait_request(PATIENCE, |request| request["status"] == 0).await;
        assert!(at_work.is_ok(), "{at_work:?}");
        // A head that never ends, and a body that never ends.
        let mut head = TcpStream::connect(addr).await.unwrap();
        head.write_all(b"POST /sonorancad/event HTTP/1.1\r\nHost: x\r\n").await.unwrap();
        let mut body = TcpStream::connect(addr).await.unwrap();
        body.write_all(b"POST /sonorancad/event HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"key\":").await.unwrap();
        // And one that sends nothing at all.
        let mut idle = TcpStream::connect(addr).await.unwrap();

        bot.signal(signal);
        let end = bot.ended(GRACE).await;
        end.says(0, &["stopping"]);
        let mut rest = Vec::new();
        idle.read_to_end(&mut rest).await.ok();
        assert_eq!(rest, b"");
        assert_eq!(stage.calls(&channel), [0; 0]);

        stage.discord.clear_faults();
        let (bot, _) = stage.up().await;
        stage.holds(&channel, (1..=5).collect()).await;
        stage.settled().await;
        stage.holds(&channel, (1..=5).collect()).await;
        bot.stop().await;
    }
}

#[tokio::test]
async fn a_second_request_does_not_wait() {
    let stage = Stage::new().await;
    stage.channel("911", None).await;
    stage.discord.hang("POST", "/messages", 1_000);
    let (bot, addr) = stage.up().await;
    stage.post(addr, 1).await;
    stage.discord.wait_request(PATIENCE, |request| request["status"] == 0).await.unwrap();
    bot.signal("TERM");
    bot.line("stopping").await;
    let asked = Instant::now();
    bot.signal("TERM");
    bot.ended(GRACE).await.says(0, &[]);
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
}

#[tokio::test]
async fn it_can_be_stopped_while_it_starts() {
    let stage = Stage::new().await;
    stage.discord.hang("GET", "/users/@me", 1);
    let bot = stage.start();
    stage
        .discord
        .wait_request(PATIENCE, |request| request["path"].as_str().is_some_and(|path| path.ends_with("/users/@me")))
        .await
        .unwrap();
    let asked = Instant::now();
    bot.signal("TERM");
    bot.ended(GRACE).await.says(0, &[]);
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
}
