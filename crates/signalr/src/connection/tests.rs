//! Tests of the timers, in paused time over a pipe in memory. What needs a network is in `tests/hub`.
#![expect(clippy::disallowed_methods, reason = "the tests end their own tasks")]

use futures_util::{SinkExt, StreamExt};
use tokio::io::DuplexStream;
use tokio::task::JoinHandle;
use tokio::time::{advance, sleep};
use tokio_tungstenite::tungstenite::protocol::Role;

use super::super::hub::{Builder, Hub, HubTask};
use super::*;

const PING: &str = "{\"type\":6}\u{1e}";

struct Rig {
    hub: Hub,
    server: WebSocketStream<DuplexStream>,
    session: JoinHandle<HubError>,
}

impl Rig {
    /// A session over a pipe of `pipe` bytes, before the handshake.
    async fn raw(pipe: usize, build: impl FnOnce(Builder) -> Builder, prepare: impl FnOnce(&mut HubTask)) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let tls = tls.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
        let builder = Hub::builder("http://hub.invalid/hub").tls(Arc::new(tls));
        let (hub, mut task) = build(builder).build().unwrap();
        prepare(&mut task);
        let (ours, theirs) = tokio::io::duplex(pipe);
        let server = WebSocketStream::from_raw_socket(theirs, Role::Server, None).await;
        let socket = WebSocketStream::from_raw_socket(ours, Role::Client, Some(websocket_config(1 << 20))).await;
        let session = tokio::spawn(async move {
            let task = task.core;
            let target = negotiate::direct(&task.url, &task.headers).unwrap();
            let mut session = Session {
                settings: &task.settings,
                shared: &task.guard.0,
                inlets: &task.inlets,
                hook: task.hook.as_ref(),
                target: &target,
                label: &task.label,
                repeats: &mut Repeats::default(),
                epoch: 0,
                ready_since: None,
                handshaken: false,
            };
            session.run(socket).await
        });
        Self { hub, server, session }
    }

    /// The same with the handshake and the first ping done.
    async fn shaken(build: impl FnOnce(Builder) -> Builder, prepare: impl FnOnce(&mut HubTask)) -> Self {
        let mut rig = Self::raw(64 << 10, build, prepare).await;
        assert_eq!(rig.text().await, "{\"protocol\":\"json\",\"version\":1}\u{1e}");
        rig.say("{}\u{1e}").await;
        assert_eq!(rig.text().await, PING, "the first ping comes right after the handshake");
        rig
    }

    async fn say(&mut self, text: &str) {
        self.server.send(Message::text(text.to_owned())).await.unwrap();
    }

    async fn text(&mut self) -> String {
        loop {
            match self.server.next().await {
                Some(Ok(Message::Text(text))) => return text.as_str().to_owned(),
                Some(Ok(Message::Pong(_) | Message::Ping(_))) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    async fn until(&self, wanted: impl FnMut(&State) -> bool) -> State {
        self.hub.state().wait_for(wanted).await.unwrap().clone()
    }
}

fn secs(range: std::ops::Range<u64>, since: Instant) {
    let passed = since.elapsed();
    assert!(passed >= Duration::from_secs(range.start) && passed < Duration::from_secs(range.end), "{passed:?} not in {range:?}");
}

#[tokio::test(start_paused = true)]
async fn a_hub_that_keeps_sending_still_gets_a_ping_every_15_seconds() {
    let rig = Rig::shaken(|b| b, |_| ()).await;
    let mut gaps = Vec::new();
    let (mut tx, mut rx) = rig.server.split();
    let busy = tokio::spawn(async move {
        loop {
            tx.send(Message::text("{\"type\":1,\"target\":\"x\",\"arguments\":[1]}\u{1e}")).await.unwrap();
            sleep(Duration::from_millis(300)).await;
        }
    });
    let mut last = Instant::now();
    while gaps.len() < 5 {
        let message = timeout(Duration::from_secs(20), rx.next()).await.expect("no ping for 20 s");
        if let Some(Ok(Message::Text(text))) = message {
            assert_eq!(text.as_str(), PING);
            gaps.push(last.elapsed().as_secs());
            last = Instant::now();
        }
    }
    assert!(gaps.iter().all(|gap| (15..=16).contains(gap)), "{gaps:?}");
    busy.abort();
}

#[tokio::test(start_paused = true)]
async fn what_we_send_postpones_the_ping() {
    let mut rig = Rig::shaken(|b| b, |_| ()).await;
    rig.until(|state| matches!(state, State::Ready { .. })).await;
    sleep(Duration::from_secs(10)).await;
    rig.hub.send("hello", ()).await.unwrap();
    let sent = Instant::now();
    assert!(rig.text().await.contains("hello"));
    assert_eq!(rig.text().await, PING);
    secs(15..17, sent);
}

#[tokio::test(start_paused = true)]
async fn a_hub_that_only_sends_websocket_pings_is_dead_after_30_seconds() {
    let rig = Rig::shaken(|b| b, |_| ()).await;
    let began = Instant::now();
    let (mut tx, mut rx) = rig.server.split();
    tokio::spawn(async move {
        loop {
            if tx.send(Message::Ping(Vec::new().into())).await.is_err() || tx.send(Message::Pong(Vec::new().into())).await.is_err() {
                return;
            }
            sleep(Duration::from_secs(2)).await;
        }
    });
    tokio::spawn(async move { while rx.next().await.is_some() {} });
    let error = rig.session.await.unwrap();
    assert!(matches!(error, HubError::Timeout { step: Step::Receive, .. }), "{error}");
    secs(30..34, began);
}

#[tokio::test(start_paused = true)]
async fn pings_of_the_hub_keep_the_connection() {
    let mut rig = Rig::shaken(|b| b, |_| ()).await;
    for _ in 0..20 {
        sleep(Duration::from_secs(15)).await;
        rig.say(PING).await;
    }
    assert!(!rig.session.is_finished());
    assert_eq!(rig.text().await, PING, "and are not answered, ours have their own time");
}

#[tokio::test(start_paused = true)]
async fn after_a_pause_of_the_process_the_hub_gets_a_moment_to_answer() {
    let rig = Rig::shaken(|b| b, |_| ()).await;
    rig.until(|state| matches!(state, State::Ready { .. })).await;
    let hub = rig.hub.clone();
    let (session, mut server) = (rig.session, rig.server);
    let news = tokio::spawn(async move {
        sleep(Duration::from_secs(20)).await;
        server.send(Message::text(PING)).await.unwrap();
        server
    });
    // The session's first tick is due at 1 s, the hub's ping at 20 s: when all comes at once, the tick comes first.
    tokio::task::yield_now().await;
    advance(Duration::from_secs(120)).await;
    let _server = news.await.unwrap();
    sleep(Duration::from_secs(5)).await;
    assert!(!session.is_finished(), "{hub:?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_said_before_the_handshake_is_answered_and_15_seconds_are_enough() {
    let began = Instant::now();
    let mut rig = Rig::raw(64 << 10, |b| b, |_| ()).await;
    assert!(rig.text().await.contains("protocol"));
    assert!(!matches!(rig.server.next().await, Some(Ok(Message::Text(_)))));
    let error = rig.session.await.unwrap();
    assert!(matches!(error, HubError::Timeout { step: Step::Handshake, .. }), "{error}");
    secs(15..16, began);
}

#[tokio::test(start_paused = true)]
async fn a_call_without_answer_ends_after_30_seconds_and_a_late_answer_harms_nobody() {
    let mut rig = Rig::shaken(|b| b.server_timeout(Duration::from_secs(600)), |_| ()).await;
    rig.until(|state| matches!(state, State::Ready { .. })).await;
    let began = Instant::now();
    let error = rig.hub.invoke("slow", (1,)).await.unwrap_err();
    assert!(matches!(error, HubError::Timeout { step: Step::Call, .. }), "{error}");
    secs(30..31, began);
    rig.say("{\"type\":3,\"invocationId\":\"0\",\"result\":1}\u{1e}").await;
    let call = tokio::spawn({
        let hub = rig.hub.clone();
        async move { hub.invoke("next", ()).await }
    });
    let record = loop {
        let record = rig.text().await;
        if record.contains("next") {
            break record;
        }
    };
    assert!(record.contains("\"invocationId\":\"1\""), "{record}: ids are not used twice");
    rig.say("{\"type\":3,\"invocationId\":\"1\",\"result\":2}\u{1e}").await;
    assert_eq!(call.await.unwrap().unwrap().unwrap().get(), "2");
}

#[tokio::test(start_paused = true)]
async fn a_refused_sign_in_keeps_the_connection_and_is_retried_as_requested() {
    let tries = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = Arc::clone(&tries);
    let began = Instant::now();
    let mut rig = Rig::shaken(
        |b| b.server_timeout(Duration::from_secs(600)),
        move |task| {
            task.on_connected(move |connection| {
                seen.lock().unwrap().push((connection.attempt(), began.elapsed().as_secs()));
                async move {
                    match connection.invoke("auth", ("key",)).await {
                        Ok(Some(answer)) if answer.get() == "true" => Verdict::Ready,
                        _ => Verdict::RetryAfter(Duration::from_secs(30), "wrong key".to_owned()),
                    }
                }
            });
        },
    )
    .await;
    assert!(rig.text().await.contains("\"arguments\":[\"key\"]"));
    assert_eq!(rig.hub.invoke("early", ()).await.unwrap_err(), HubError::NotConnected, "not before the hook said so");
    rig.say("{\"type\":3,\"invocationId\":\"0\",\"result\":false}\u{1e}").await;
    let held = rig.until(|state| matches!(state, State::Held { .. })).await;
    assert!(matches!(held, State::Held { epoch: 1, reason, .. } if &*reason == "wrong key"));
    let again = loop {
        let record = rig.text().await;
        if record != PING {
            break record;
        }
    };
    assert!(again.contains("\"invocationId\":\"1\""), "{again}");
    rig.say("{\"type\":3,\"invocationId\":\"1\",\"result\":true}\u{1e}").await;
    rig.until(|state| matches!(state, State::Ready { epoch: 1, .. })).await;
    assert_eq!(*tries.lock().unwrap(), [(0, 0), (1, 30)]);
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_never_ends_costs_the_connection_not_the_hub() {
    let rig = Rig::shaken(
        |b| b.server_timeout(Duration::from_secs(600)),
        |task| {
            task.on_connected(|_| std::future::pending());
        },
    )
    .await;
    let (_tell, mut rx) = rig.server.split();
    tokio::spawn(async move { while rx.next().await.is_some() {} });
    let error = rig.session.await.unwrap();
    assert!(matches!(error, HubError::Timeout { step: Step::OnConnected, .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_is_given_up_while_its_events_still_arrive() {
    let mut events = None;
    let mut rig = Rig::raw(256, |b| b.server_timeout(Duration::from_secs(600)), |task| events = Some(task.on("x", 10))).await;
    let mut events = events.unwrap();
    assert!(rig.text().await.contains("protocol"));
    rig.say("{}\u{1e}").await;
    rig.until(|state| matches!(state, State::Ready { .. })).await;
    let began = Instant::now();
    // More than the pipe holds, and nobody reads at the other end.
    rig.hub.send("big", ("x".repeat(8000),)).await.unwrap();
    rig.say("{\"type\":1,\"target\":\"x\",\"arguments\":[1]}\u{1e}").await;
    assert_eq!(events.recv().await.unwrap().args[0].get(), "1");
    let error = rig.session.await.unwrap();
    assert!(matches!(error, HubError::Timeout { step: Step::Send, .. }), "{error}");
    secs(14..20, began);
}

#[tokio::test(start_paused = true)]
async fn a_stop_says_good_bye_fails_what_is_in_flight_and_waits_5_seconds_at_most() {
    let mut rig = Rig::shaken(|b| b, |_| ()).await;
    rig.until(|state| matches!(state, State::Ready { .. })).await;
    let call = tokio::spawn({
        let hub = rig.hub.clone();
        async move { hub.invoke("slow", ()).await }
    });
    assert!(rig.text().await.contains("slow"));
    let began = Instant::now();
    rig.hub.stop().await;
    assert_eq!(call.await.unwrap().unwrap_err(), HubError::Stopped);
    assert_eq!(rig.text().await, "{\"type\":7}\u{1e}");
    // The peer does not answer: `next` would.
    assert_eq!(rig.session.await.unwrap(), HubError::Stopped);
    secs(5..6, began);
    assert!(
        matches!(rig.server.next().await, Some(Ok(Message::Close(Some(frame)))) if frame.code == CloseCode::Normal),
        "WebSocket close 1000"
    );
}
