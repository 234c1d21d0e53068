//! Tests whole days of a shard against a scripted gateway over pipes, in paused time.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{SinkExt, StreamExt};
use secrecy::SecretString;
use serde_json::{Value, json};
use serenity::model::event::Event;
use tokio::io::DuplexStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};

use super::super::super::attempt::Attempt;
use super::super::pace::{Allowance, StartsExhausted};
use super::*;

const DAY: Duration = Duration::from_secs(86_400);

/// The scripted gateway's behavior.
#[derive(Clone, Copy, Debug)]
enum Manner {
    /// Connections are refused.
    Refuses,
    /// The connection opens, the upgrade is never answered.
    HangsUpgrade,
    NoHello,
    /// Each sign-in is answered with INVALID SESSION.
    Invalidates,
    /// READY, and the connection is dropped at once; a RESUME is rejected.
    CutsAfterReady,
    /// The first connection is good and is then dropped; later ones are refused.
    CutThenRefuses,
    /// READY, and no heartbeat is ever acknowledged.
    Deaf,
    /// READY, and everything works.
    Good,
}

struct Rig {
    manner: Manner,
    dials: AtomicU64,
    identifies: AtomicU64,
    resumes: AtomicU64,
    ups: AtomicU64,
    downs: Mutex<Vec<String>>,
    closes: Mutex<Vec<u16>>,
    server: tokio::sync::mpsc::UnboundedSender<DuplexStream>,
}

impl Dial for &Rig {
    type Stream = DuplexStream;

    async fn dial(&self, _: &str) -> Result<WebSocketStream<DuplexStream>, String> {
        let nth = self.dials.fetch_add(1, Ordering::SeqCst);
        match self.manner {
            Manner::Refuses => return Err("connection refused".into()),
            Manner::CutThenRefuses if nth > 0 => return Err("connection refused".into()),
            Manner::HangsUpgrade => return std::future::pending().await,
            _ => {}
        }
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        self.server.send(theirs).unwrap();
        Ok(WebSocketStream::from_raw_socket(ours, Role::Client, None).await)
    }
}

impl AllowanceSource for Rig {
    async fn allowance(&self) -> Attempt<Allowance> {
        Attempt::Done(Allowance {
            url: "ws://gateway".into(),
            shards: 1,
            total: Some(1_000),
            remaining: Some(1_000),
            reset_after: Some(DAY),
        })
    }

    fn unanswered(&self, _: &str) {}

    fn held(&self, _: StartsExhausted) {}
}

impl ConnectionObserver for Rig {
    fn up(&self, _: u32) {
        self.ups.fetch_add(1, Ordering::SeqCst);
    }

    fn event(&self, _: Event) {}

    fn unreadable(&self, kind: &str) {
        // Shortened for the script's sake.
        assert!(matches!(kind, "READY" | "RESUMED"), "{kind}");
    }
}

impl ShardObserver for Rig {
    fn down(&self, _: u32, reason: &str) {
        self.downs.lock().unwrap().push(reason.to_owned());
    }
}

/// Discord's side of one connection.
async fn serve(rig: &Rig, pipe: DuplexStream) {
    let mut socket = WebSocketStream::from_raw_socket(pipe, Role::Server, None).await;
    let sent = async |value: Value, socket: &mut WebSocketStream<DuplexStream>| socket.send(Message::text(value.to_string())).await.is_ok();
    if !matches!(rig.manner, Manner::NoHello) {
        sent(json!({"op": 10, "d": {"heartbeat_interval": 41_250}}), &mut socket).await;
    }
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else {
            if let Message::Close(Some(CloseFrame { code, .. })) = message {
                rig.closes.lock().unwrap().push(code.into());
            }
            continue;
        };
        let payload: Value = serde_json::from_str(text.as_str()).unwrap();
        match payload["op"].as_u64().unwrap() {
            1 if !matches!(rig.manner, Manner::Deaf) => drop(sent(json!({"op": 11}), &mut socket).await),
            2 => {
                rig.identifies.fetch_add(1, Ordering::SeqCst);
                if matches!(rig.manner, Manner::Invalidates) {
                    sent(json!({"op": 9, "d": false}), &mut socket).await;
                    continue;
                }
                let ready = json!({"op": 0, "s": 1, "t": "READY", "d": {"session_id": "s", "resume_gateway_url": "ws://resume"}});
                sent(ready, &mut socket).await;
                if matches!(rig.manner, Manner::CutsAfterReady | Manner::CutThenRefuses) {
                    return;
                }
            }
            6 => {
                rig.resumes.fetch_add(1, Ordering::SeqCst);
                assert_eq!((&payload["d"]["session_id"], &payload["d"]["seq"]), (&json!("s"), &json!(1)));
                let answer = match rig.manner {
                    Manner::CutsAfterReady => json!({"op": 9, "d": false}),
                    _ => json!({"op": 0, "s": 1, "t": "RESUMED", "d": {}}),
                };
                sent(answer, &mut socket).await;
            }
            _ => {}
        }
    }
}

/// Runs a shard against such a gateway for `span`, then asks it to stop. Returns the events, and how long the stop took.
async fn play(manner: Manner, span: Duration) -> (Rig, Duration) {
    let (server, mut connections) = tokio::sync::mpsc::unbounded_channel();
    let zero = || AtomicU64::new(0);
    let (downs, closes) = (Mutex::default(), Mutex::default());
    let rig = Rig { manner, dials: zero(), identifies: zero(), resumes: zero(), ups: zero(), downs, closes, server };
    let tasks = Tasks::default();
    let token = SecretString::from("t");
    let first = Allowance { url: "ws://gateway".into(), shards: 1, total: None, remaining: None, reset_after: None };
    let starts = Starts::new(first);
    let took = {
        let dial = &rig;
        let shard = keep(&dial, &rig, Identity { token: &token, intents: 1, shard: (0, 1) }, &starts, &tasks);
        let serving = async {
            while let Some(pipe) = connections.recv().await {
                serve(&rig, pipe).await;
            }
        };
        let asked = async {
            sleep(span).await;
            tasks.drain();
            Instant::now()
        };
        let stopping = async {
            let (over, asked) = tokio::join!(shard, asked);
            assert!(matches!(over, ShardEnd::Stopped), "{over:?}");
            asked.elapsed()
        };
        tokio::select! {
            took = stopping => took,
            () = serving => unreachable!("the rig holds the sender"),
        }
    };
    (rig, took)
}

fn of(count: &AtomicU64) -> u64 {
    count.load(Ordering::SeqCst)
}

#[tokio::test(start_paused = true)]
async fn a_day_of_invalidated_sessions_stays_far_below_discords_limit() {
    let (rig, _) = play(Manner::Invalidates, DAY).await;
    assert!((200..=400).contains(&of(&rig.identifies)), "{}", of(&rig.identifies));
}

#[tokio::test(start_paused = true)]
async fn a_day_of_connections_cut_after_ready_stays_far_below_discords_limit() {
    let (rig, _) = play(Manner::CutsAfterReady, DAY).await;
    assert!((100..=400).contains(&of(&rig.identifies)), "{}", of(&rig.identifies));
    assert!(of(&rig.resumes) > 100, "it never tried to resume");
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_at_once_in_every_state_and_no_state_is_a_busy_loop() {
    for manner in [
        Manner::Refuses,
        Manner::HangsUpgrade,
        Manner::NoHello,
        Manner::Invalidates,
        Manner::CutsAfterReady,
        Manner::CutThenRefuses,
        Manner::Deaf,
        Manner::Good,
    ] {
        for span in [0, 100, 1_000, 20_000, 60_000, 600_000] {
            let (rig, took) = play(manner, Duration::from_millis(span)).await;
            assert!(took <= Duration::from_secs(2), "{manner:?} after {span} ms: {took:?}");
            assert!(of(&rig.dials) <= 8 + span / 10_000, "{manner:?} after {span} ms: {} connections", of(&rig.dials));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_good_session_lives_all_day_and_logs_off() {
    let (rig, _) = play(Manner::Good, DAY).await;
    assert_eq!((of(&rig.dials), of(&rig.identifies), of(&rig.ups)), (1, 1, 1), "{:?}", rig.downs.lock().unwrap());
    assert_eq!(*rig.closes.lock().unwrap(), [1000]);
}

#[tokio::test(start_paused = true)]
async fn unacknowledged_heartbeats_end_the_connection_and_keep_the_session() {
    let (rig, _) = play(Manner::Deaf, Duration::from_secs(600)).await;
    assert!(of(&rig.resumes) >= 2 && of(&rig.identifies) == 1, "{} {}", of(&rig.resumes), of(&rig.identifies));
    assert!(rig.downs.lock().unwrap().iter().all(|why| why.contains("heartbeats")));
    assert!(rig.closes.lock().unwrap().iter().take(2).all(|code| *code == 4000), "{:?}", rig.closes.lock().unwrap());
}
