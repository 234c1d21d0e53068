//! SIGTERM in every state of the connection to Discord's gateway: it ends in time, and neither waiting nor stopping is a busy loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::{GRACE, Running, Stage, eventually};
use crate::test_bot::PATIENCE;

/// CPU time that the process may use in so many seconds of waiting, and for its stop (s).
const IDLE: f64 = 0.5;
const STOP: f64 = 1.0;

/// User and system time of a process so far (s). `None` once it is gone.
fn cpu(pid: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok());
    // utime and stime are the 14th and 15th field; two stand before the bracket. A hundred ticks a second on every Linux.
    Some((ticks(11)? + ticks(12)?) / 100.0)
}

/// Waits for some seconds, then stops the process: neither may use up a CPU.
async fn idles_and_ends(bot: Running, wait: Duration) {
    let pid = bot.pid();
    let before = cpu(pid).unwrap();
    tokio::time::sleep(wait).await;
    let used = cpu(pid).unwrap() - before;
    assert!(used < IDLE, "{used} s of a processor in {wait:?} of waiting");
    let (before, asked) = (cpu(pid).unwrap(), Instant::now());
    bot.signal("TERM");
    let watched = async {
        let mut last = before;
        while let Some(now) = cpu(pid) {
            last = last.max(now);
            tokio::time::sleep(Duration::from_millis(20)).await;
            if asked.elapsed() > GRACE {
                break;
            }
        }
        last - before
    };
    let (end, used) = tokio::join!(bot.ended(GRACE), watched);
    end.says(0, &["stopping"]);
    assert!(used < STOP, "{used} s of a processor for the stop");
    assert!(asked.elapsed() < GRACE, "{:?}", asked.elapsed());
}

/// What our own gateway does with its connections.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Manner {
    /// TCP only: the upgrade is never answered.
    HangsUpgrade,
    /// The upgrade, and then nothing.
    NoHello,
    /// READY, but heartbeats are never acknowledged.
    Deaf,
    /// READY, then a reset; after that, connections are refused.
    Cut,
}

struct Pretend {
    url: String,
    /// Connections accepted, and READYs sent.
    taken: Arc<AtomicUsize>,
    ready: Arc<AtomicUsize>,
}

async fn pretend(manner: Manner) -> Pretend {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let (taken, ready) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let pretend = Pretend { url: url.clone(), taken: Arc::clone(&taken), ready: Arc::clone(&ready) };
    tokio::spawn(async move {
        let mut held = Vec::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            taken.fetch_add(1, Ordering::SeqCst);
            if manner == Manner::HangsUpgrade {
                held.push(stream);
                continue;
            }
            let (url, ready) = (url.clone(), Arc::clone(&ready));
            let session = tokio::spawn(serve(manner, stream, url, ready));
            if manner == Manner::Cut {
                session.await.unwrap();
                // The listener is closed too: connection refused.
                return;
            }
        }
    });
    pretend
}

async fn serve(manner: Manner, stream: TcpStream, url: String, ready: Arc<AtomicUsize>) {
    let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else { return };
    if manner == Manner::NoHello {
        while let Some(Ok(_)) = socket.next().await {}
        return;
    }
    let interval = if manner == Manner::Deaf { 400 } else { 41_250 };
    say(&mut socket, json!({"op": 10, "s": null, "t": null, "d": {"heartbeat_interval": interval}})).await;
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else { continue };
        let payload: Value = serde_json::from_str(text.as_str()).unwrap();
        match payload["op"].as_u64() {
            Some(2) => {
                let user = json!({
                    "id": "1", "username": "bot", "discriminator": "0", "global_name": null, "avatar": null, "bot": true, "verified": true,
                    "mfa_enabled": false, "email": null, "flags": 0
                });
                let data = json!({
                    "v": 10, "user": user, "guilds": [], "session_id": "session", "resume_gateway_url": url, "shard": [0, 1],
                    "application": {"id": "5", "flags": 0}
                });
                say(&mut socket, json!({"op": 0, "s": 1, "t": "READY", "d": data})).await;
                ready.fetch_add(1, Ordering::SeqCst);
            }
            Some(6) => say(&mut socket, json!({"op": 0, "s": 2, "t": "RESUMED", "d": {}})).await,
            _ => continue,
        }
        if manner == Manner::Cut {
            tokio::time::sleep(Duration::from_millis(500)).await;
            // Unread bytes or not: a reset, not a close.
            socket.get_ref().set_zero_linger().unwrap();
            return;
        }
    }
}

async fn say(socket: &mut WebSocketStream<TcpStream>, payload: Value) {
    socket.send(Message::text(payload.to_string())).await.ok();
}

/// The bot, sent to a gateway of this kind.
async fn sent_to(manner: Manner) -> (Stage, Running, Pretend) {
    let stage = Stage::new().await;
    let pretend = pretend(manner).await;
    stage.discord.gateway_elsewhere(&pretend.url);
    let (bot, _) = stage.up().await;
    let taken = Arc::clone(&pretend.taken);
    eventually("it never connected", async || taken.load(Ordering::SeqCst) > 0).await;
    (stage, bot, pretend)
}

#[tokio::test]
async fn it_ends_though_discord_was_never_reached() {
    let mut stage = Stage::new().await;
    // A port without a listener.
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    stage.set("DISCORD_API_URL", format!("http://{closed}"));
    let (bot, _) = stage.up().await;
    idles_and_ends(bot, Duration::from_secs(5)).await;
}

#[tokio::test]
async fn it_ends_though_discord_takes_connections_and_never_answers() {
    let mut stage = Stage::new().await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    stage.set("DISCORD_API_URL", format!("http://{}", silent.local_addr().unwrap()));
    let holding = tokio::spawn(async move {
        let mut held = Vec::new();
        loop {
            held.push(silent.accept().await.unwrap());
        }
    });
    let (bot, _) = stage.up().await;
    idles_and_ends(bot, Duration::from_secs(3)).await;
    holding.abort();
}

#[tokio::test]
async fn it_ends_while_the_gateways_upgrade_hangs() {
    let (_stage, bot, _pretend) = sent_to(Manner::HangsUpgrade).await;
    idles_and_ends(bot, Duration::from_secs(3)).await;
}

#[tokio::test]
async fn it_ends_while_the_gateway_says_no_hello() {
    let (_stage, bot, _pretend) = sent_to(Manner::NoHello).await;
    idles_and_ends(bot, Duration::from_secs(3)).await;
}

#[tokio::test]
async fn it_ends_while_it_waits_to_connect_again() {
    let stage = Stage::new().await;
    let (bot, _) = stage.up().await;
    stage.discord.wait_ready(PATIENCE).await.unwrap();
    stage.discord.gateway_up(false);
    stage.discord.drop_gateway();
    bot.line("the gateway session is down").await;
    idles_and_ends(bot, Duration::from_secs(5)).await;
}

#[tokio::test]
async fn it_ends_while_heartbeats_are_not_acknowledged() {
    let (_stage, bot, pretend) = sent_to(Manner::Deaf).await;
    let ready = Arc::clone(&pretend.ready);
    eventually("it never signed in", async || ready.load(Ordering::SeqCst) > 0).await;
    bot.line("does not acknowledge heartbeats").await;
    idles_and_ends(bot, Duration::from_secs(3)).await;
}

#[tokio::test]
async fn it_ends_after_the_connection_was_reset_and_then_refused_for_20_seconds() {
    let (_stage, bot, pretend) = sent_to(Manner::Cut).await;
    let ready = Arc::clone(&pretend.ready);
    eventually("it never signed in", async || ready.load(Ordering::SeqCst) > 0).await;
    bot.line("the gateway session is down").await;
    idles_and_ends(bot, Duration::from_secs(20)).await;
}

#[tokio::test]
async fn a_bot_that_is_started_again_and_again_leaves_a_fifth_of_its_session_starts() {
    let stage = Stage::new().await;
    stage.discord.set_session_starts(1_000, 202);
    for _ in 0..2 {
        let (bot, _) = stage.up().await;
        stage.discord.wait_ready(PATIENCE).await.unwrap();
        bot.stop().await;
    }
    let (bot, _) = stage.up().await;
    let line = bot.line("gateway sessions that Discord allows a day").await;
    assert!(line.contains("800 of the 1000") && line.contains("Alerts are still posted"), "{line}");
    assert!(bot.readyz().await.1.contains("discord not ready: no new gateway session: 800 of 1000 used today"), "{:?}", bot.readyz().await);
    assert_eq!(stage.discord.gateway()["identifies"], 2);
    idles_and_ends(bot, Duration::from_secs(2)).await;
}
