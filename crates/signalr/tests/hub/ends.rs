//! How connections end, how often we reconnect, and how we stop.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::SinkExt;
use tenfour_signalr::{Backoff, Hub, HubError, Negotiation, RetryContext, RetryPolicy, State, Step, Verdict};
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::server::{Policy, Server, builder, no_roots, soon, start};

#[tokio::test]
async fn every_end_is_recognized_and_followed_by_a_new_connection() {
    let server = Server::start().await;
    let client = start(&server.hub(), |b| b, |_| ());
    let closed = |error: Option<&str>, allow_reconnect| HubError::Closed { error: error.map(str::to_owned), allow_reconnect };
    let mut peer = server.shaken("token-0").await;
    peer.say(r#"{"type":7,"error":"restart","allowReconnect":true}"#).await;
    assert_eq!(client.policy.nth(0).await.error, closed(Some("restart"), true));
    let mut peer = server.shaken("token-1").await;
    peer.say(r#"{"type":7,"error":"goodbye token-1"}"#).await;
    assert_eq!(client.policy.nth(1).await.error, closed(Some("goodbye [secret]"), false));
    let mut peer = server.shaken("token-2").await;
    peer.say(r#"{"type":7,"allowReconnect":false}"#).await;
    assert_eq!(client.policy.nth(2).await.error, closed(None, false));
    let mut peer = server.shaken("token-3").await;
    peer.socket.send(Message::Close(Some(CloseFrame { code: CloseCode::Normal, reason: "".into() }))).await.unwrap();
    assert_eq!(client.policy.nth(3).await.error, HubError::Ended { code: Some(1000) });
    let mut peer = server.shaken("token-4").await;
    peer.socket.get_mut().shutdown().await.unwrap();
    assert_eq!(client.policy.nth(4).await.error, HubError::Ended { code: None });
    let mut peer = server.shaken("token-5").await;
    peer.socket.get_mut().set_zero_linger().unwrap();
    drop(peer);
    assert!(matches!(client.policy.nth(5).await.error, HubError::Io(_)), "a reset");
    server.shaken("token-6").await.works(&client.hub).await;
}

#[tokio::test]
async fn a_hub_that_says_nothing_is_left() {
    let server = Server::start().await;
    let client = start(&server.hub(), |b| b.server_timeout(Duration::from_millis(200)), |_| ());
    let peer = server.shaken("token-0").await;
    assert!(matches!(client.policy.nth(0).await.error, HubError::Timeout { step: Step::Receive, .. }));
    peer.gone().await;
    server.shaken("token-1").await;
}

#[tokio::test]
async fn broken_input_ends_the_connection_and_the_next_one_starts_clean() {
    let server = Server::start().await;
    let client = start(&server.hub(), |b| b.max_record(100_000), |_| ());
    let long = format!("\"{}\"\u{1e}", "x".repeat(100_001));
    let unfinished = format!("\"{}", "x".repeat(100_001));
    let beyond_the_message = "x".repeat(250_000);
    for (n, message) in [
        Message::text("nonsense\u{1e}"),
        Message::text("\u{1e}"),
        Message::text("{\"type\":\"6\"}\u{1e}"),
        Message::text("{\"type\":1,\"arguments\":[]}\u{1e}"),
        Message::text("{\"type\":3,\"invocationId\":\"0\",\"result\":1,\"error\":\"x\"}\u{1e}"),
        Message::binary(b"{\"type\":6}\x1e".to_vec()),
        Message::text(long),
        Message::text(unfinished),
        Message::text(beyond_the_message),
    ]
    .into_iter()
    .enumerate()
    {
        let mut peer = server.shaken("token").await;
        // Each connection leaves a part of a record behind: it must not be joined with the next one's.
        peer.raw("{\"type\":6}\u{1e}").await;
        peer.socket.send(message).await.unwrap();
        let error = client.policy.nth(n).await.error;
        assert!(matches!(error, HubError::Protocol(_)), "case {n}: {error}");
        peer.gone().await;
    }
    let n = client.policy.seen().len();
    for (i, frame) in [&[0x81u8, 2, 0xff, 0xfe][..], &[0xc1, 1, b'x'], &[0x83, 0]].into_iter().enumerate() {
        let mut peer = server.shaken("token").await;
        peer.socket.get_mut().write_all(frame).await.unwrap();
        let error = client.policy.nth(n + i).await.error;
        assert!(matches!(error, HubError::Protocol(_)), "bad UTF-8, reserved bit, reserved opcode: {i}: {error}");
        peer.gone().await;
    }
    let mut peer = server.shaken("token").await;
    peer.raw("{\"type\":1,\"target\":").await;
    drop(peer);
    server.shaken("token").await.works(&client.hub).await;
}

#[tokio::test]
async fn a_drop_right_after_the_handshake_counts_as_a_failure() {
    let server = Server::start().await;
    let client = start(&server.hub(), |b| b, |_| ());
    for n in 0..5 {
        drop(server.shaken("token").await);
        assert_eq!(client.policy.nth(n).await.attempt as usize, n, "a finished handshake is no success");
    }
}

#[tokio::test]
async fn a_drop_after_signing_in_counts_too_until_it_has_lasted() {
    let server = Server::start().await;
    let client =
        start(&server.hub(), |b| b.stable_after(Duration::from_millis(300)), |task| task.on_connected(|_| async { Verdict::Ready }));
    for n in 0..4 {
        let mut peer = server.shaken("token").await;
        peer.works(&client.hub).await;
        drop(peer);
        assert_eq!(client.policy.nth(n).await.attempt as usize, n);
    }
    let mut peer = server.shaken("token").await;
    peer.works(&client.hub).await;
    let State::Ready { since, .. } = client.until(|state| matches!(state, State::Ready { .. })).await else { return };
    tokio::time::sleep_until(since + Duration::from_millis(310)).await;
    drop(peer);
    assert_eq!(client.policy.nth(4).await.attempt, 0, "this one was of use");
}

#[tokio::test]
async fn the_hook_signs_in_on_every_connection_before_anybody_else_may_call() {
    let server = Server::start().await;
    let client = start(
        &server.hub(),
        |b| b,
        |task| {
            task.on_connected(|connection| async move {
                assert_eq!(connection.id(), Some("name-of-it"));
                match connection.invoke("auth", (connection.epoch(),)).await {
                    Ok(Some(answer)) if answer.get() == "true" => Verdict::Ready,
                    Ok(_) => Verdict::RetryAfter(Duration::from_millis(20), "wrong key".to_owned()),
                    Err(HubError::Call(text)) => Verdict::Reconnect(format!("signing in failed: {text}")),
                    Err(_) => Verdict::Reconnect("signing in failed".to_owned()),
                }
            });
        },
    );
    let mut peer = server.shaken("token").await;
    let call = peer.record().await;
    assert_eq!((&call["target"], &call["arguments"]), (&"auth".into(), &serde_json::json!([1])));
    assert_eq!(client.hub.invoke("early", ()).await.unwrap_err(), HubError::NotConnected);
    peer.say(r#"{"type":3,"invocationId":"0","error":"boom"}"#).await;
    let seen = client.policy.nth(0).await;
    assert_eq!(seen.error, HubError::Rejected("signing in failed: boom".to_owned()));
    peer.gone().await;

    let mut peer = server.shaken("token").await;
    for (id, verdict) in [("0", "false"), ("1", "false"), ("2", "true")] {
        let call = peer.record().await;
        assert_eq!((&call["invocationId"], &call["arguments"]), (&id.into(), &serde_json::json!([2])), "the same connection");
        assert!(client.hub.invoke("early", ()).await.is_err());
        peer.say(&format!(r#"{{"type":3,"invocationId":"{id}","result":{verdict}}}"#)).await;
    }
    peer.works(&client.hub).await;
    // The server forgets us with the connection, also when that ends while the hook waits for its answer.
    drop(peer);
    let mut peer = server.shaken("token").await;
    peer.record().await;
    drop(peer);
    let mut peer = server.shaken("token").await;
    assert_eq!(peer.record().await["arguments"], serde_json::json!([4]));
}

struct Once;

impl RetryPolicy for Once {
    fn next(&mut self, context: &RetryContext<'_>) -> Option<Duration> {
        (context.attempt < 1).then_some(Duration::from_millis(1))
    }
}

#[tokio::test]
async fn a_policy_may_give_up() {
    let server = Server::start().await;
    let client = start(&server.hub(), |b| b.retry(Once).negotiation(Negotiation::Always), |_| ());
    for _ in 0..2 {
        server.request().await.reply(500, "", "").await;
    }
    let state = client.until(|state| matches!(state, State::Disconnected { reason } if *reason != HubError::NotConnected)).await;
    assert!(matches!(state, State::Disconnected { reason } if reason.status() == Some(500)));
    soon(client.hub.stop()).await;
    assert_eq!(client.hub.invoke("x", ()).await.unwrap_err(), HubError::Stopped);
}

#[tokio::test]
async fn the_default_policy_waits_visibly_and_retry_after_is_respected() {
    let server = Server::start().await;
    let client = start(&server.hub(), |b| b.retry(Backoff::new(|| 0.5)), |_| ());
    server.request().await.reply(503, "Retry-After: 120\r\n", "").await;
    let state = client.until(|state| matches!(state, State::Waiting { .. })).await;
    let State::Waiting { until, attempt: 1, reason } = state else { panic!("{state:?}") };
    assert!(until.duration_since(tokio::time::Instant::now()) > Duration::from_secs(110));
    assert_eq!(reason.status(), Some(503));
}

/// Stops twice at once, and once more; bounded, and nothing is left behind.
async fn stops(client: super::server::Client, server: &Server) {
    let began = Instant::now();
    tokio::join!(client.hub.stop(), client.hub.stop());
    client.hub.stop().await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(*client.hub.state().borrow(), State::Disconnected { reason: HubError::Stopped });
    assert_eq!(client.hub.invoke("x", ()).await.unwrap_err(), HubError::Stopped);
    let mut client = client;
    soon(&mut client.task).await.unwrap();
    server.quiet(Duration::from_millis(30)).await;
}

#[tokio::test]
async fn a_stop_works_in_every_state() {
    let server = Server::start().await;
    let short = |b: tenfour_signalr::Builder| b.stop_timeout(Duration::from_millis(100));
    let start_plain = || start(&server.hub(), short, |_| ());

    let client = start_plain();
    let negotiating = server.request().await;
    stops(client, &server).await;
    drop(negotiating);

    let client = start_plain();
    server.request().await.negotiated("token").await;
    let upgrading = server.request().await;
    stops(client, &server).await;
    drop(upgrading);

    let client = start_plain();
    let shaking = server.open("token").await;
    stops(client, &server).await;
    drop(shaking);

    for verdict in [None, Some(Verdict::RetryAfter(Duration::from_secs(60), "no".to_owned()))] {
        let held = verdict.is_some();
        let client = start(&server.hub(), short, |task| {
            task.on_connected(move |_| {
                let verdict = verdict.clone();
                async move {
                    match verdict {
                        Some(verdict) => verdict,
                        None => std::future::pending().await,
                    }
                }
            });
        });
        let peer = server.shaken("token").await;
        client.until(|state| if held { matches!(state, State::Held { .. }) } else { matches!(state, State::Connected { .. }) }).await;
        stops(client, &server).await;
        drop(peer);
    }

    let client = start_plain();
    let mut peer = server.shaken("token").await;
    peer.works(&client.hub).await;
    stops(client, &server).await;
    assert_eq!(peer.text().await, "{\"type\":7}\u{1e}", "good-bye");
    drop(peer);

    let client = start(&server.hub(), |b| short(b).retry(Backoff::new(|| 0.5)), |_| ());
    server.request().await.reply(503, "Retry-After: 120\r\n", "").await;
    client.until(|state| matches!(state, State::Waiting { .. })).await;
    stops(client, &server).await;
}

#[tokio::test]
async fn a_stop_before_the_start_and_a_dropped_task_end_the_hub_too() {
    let server = Server::start().await;
    let (hub, task) = builder(&server.hub(), &Policy::default()).build().unwrap();
    assert_eq!(*hub.state().borrow(), State::Disconnected { reason: HubError::NotConnected });
    assert_eq!(hub.invoke("x", ()).await.unwrap_err(), HubError::NotConnected);
    soon(hub.stop()).await;
    soon(task.run()).await;
    server.quiet(Duration::from_millis(30)).await;

    let client = start(&server.hub(), |b| b, |_| ());
    let mut peer = server.shaken("token").await;
    peer.works(&client.hub).await;
    let (got, ()) = tokio::join!(soon(client.hub.invoke("x", ())), async {
        peer.record().await;
        client.task.abort();
    });
    assert_eq!(got.unwrap_err(), HubError::NotConnected);
    client.until(|state| matches!(state, State::Disconnected { .. })).await;
    soon(client.hub.stop()).await;
}

#[test]
fn settings_that_cannot_work_are_reported_when_building() {
    for url in ["", "apiWsHub", "ftp://x/", "https://user:secret@x/"] {
        let error = builder(url, &Policy::default()).build().err().unwrap();
        assert!(matches!(error, HubError::Config(_)) && !error.to_string().contains("secret"), "{error}");
    }
    let error = builder("https://x/", &Policy::default()).header("X-Api", "sec\nret").build().err().unwrap();
    assert!(error.to_string().contains("X-Api") && !error.to_string().contains("ret\""), "{error}");
    let hub = || Hub::builder("https://api.example.com/hub");
    assert!(hub().tls(no_roots()).build().is_ok(), "with all defaults");
    assert!(matches!(hub().build(), Err(HubError::Config(_))), "without TLS");
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn logs_and_states_never_carry_a_token_and_a_hub_that_drops_us_fills_no_log() {
    let lines = Lines::default();
    let writer = lines.clone();
    let log = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).with_ansi(false).finish();
    // For this thread, which is the only one that this test's runtime has.
    let guard = tracing::subscriber::set_default(log);
    let server = Server::start().await;
    let client = start(&format!("{}?key=SECRETQUERY", server.hub()), |b| b.header("X-Api", "SECRETHEADER"), |_| ());
    let redirect = format!(r#"{{"url":"{}","accessToken":"SECRETJWT"}}"#, server.hub());
    server.request().await.reply(200, "Set-Cookie: c=SECRETCOOKIE\r\n", &redirect).await;
    server.request().await.negotiated("SECRETTOKEN").await;
    server.request().await.reply(400, "", "").await;
    let mut texts = format!("{:?}", client.policy.nth(0).await);
    for n in 1..=60 {
        let mut peer = server.shaken("SECRETTOKEN").await;
        peer.say(r#"{"type":1,"target":"SECRETTOKEN","arguments":[]}"#).await;
        peer.say(r#"{"type":7,"error":"bye SECRETTOKEN","allowReconnect":true}"#).await;
        texts += &format!("{:?} {:?}", client.policy.nth(n).await, client.hub);
    }
    drop(guard);
    let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let ours: Vec<&str> = log.lines().filter(|line| line.contains("signalr")).collect();
    assert!(ours.len() > 60, "the debug lines are there: {log}");
    assert!(!texts.contains("SECRET"), "{texts}");
    assert!(!log.contains("SECRET"), "{log}");
    let loud = ours.iter().filter(|line| line.contains(" WARN ") || line.contains(" INFO ")).count();
    assert!((2..10).contains(&loud), "{loud} lines");
}
