//! Each fault does what it says, and no task outlives the simulator.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tenfour_sim::cad::{CadOptions, Silence};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::{KEY, LONG, Raw, negotiate, options, start};

#[tokio::test]
async fn faults_of_authentication() {
    let cad = start(options()).await;
    let mut raw = Raw::hub(&cad).await;
    let good = json!(["brineford", KEY, 1]);
    cad.reject_auth("Plan too low");
    assert_eq!(raw.call("authenticatev2", good.clone()).await["result"]["error"], "Plan too low");
    cad.method_missing("authenticateV2");
    assert_eq!(raw.call("authenticatev2", good.clone()).await["error"], "Unknown hub method 'authenticatev2'");
    cad.heal();
    assert_eq!(raw.call("authenticatev2", good).await["result"]["success"], true);
}

#[tokio::test]
async fn faults_of_connecting() {
    let cad = start(options()).await;
    cad.negotiate_status(503, Some(7));
    let response =
        reqwest::Client::new().post(format!("{}/negotiate?negotiateVersion=1", cad.hub_url())).body("").header("content-length", "0");
    let response = response.send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (503, "7"));
    cad.negotiate_answer(json!({"error": "full"}));
    assert_eq!(negotiate(&cad, "?negotiateVersion=1").await.1, json!({"error": "full"}));
    cad.upgrade_status(502);
    assert_eq!(Raw::open(&cad, "", None).await.err(), Some(502));
    cad.heal();
    Raw::session(&cad, 1).await;
}

#[tokio::test]
async fn the_hub_goes_silent_where_asked() {
    let cad = start(options()).await;
    let short = Duration::from_millis(100);
    let ask = || reqwest::Client::new().post(format!("{}/negotiate", cad.hub_url())).header("content-length", "0").timeout(short).send();
    for (at, negotiates) in [(Silence::Tcp, false), (Silence::Negotiate, false), (Silence::Upgrade, true)] {
        cad.silence(at);
        assert_eq!(ask().await.is_ok(), negotiates, "{at:?}");
        let open = tokio_tungstenite::connect_async(format!("ws://{}/apiWsHub", cad.addr()));
        assert_eq!(timeout(short, open).await.is_err(), at != Silence::Negotiate, "{at:?}");
    }
    cad.silence(Silence::Handshake);
    let mut raw = Raw::open(&cad, "", None).await.unwrap();
    raw.send("{\"protocol\":\"json\",\"version\":1}\u{1e}").await;
    raw.silent(short).await;

    cad.heal();
    let mut raw = Raw::session(&cad, 1).await;
    cad.silence(Silence::Hub);
    cad.push(1, "EVENT_A", json!({}));
    raw.send("{\"type\":1,\"invocationId\":\"1\",\"target\":\"nope\",\"arguments\":[]}\u{1e}").await;
    raw.silent(short).await;
    raw.socket.send(Message::Ping("x".into())).await.unwrap();
    assert!(matches!(timeout(LONG, raw.socket.next()).await, Ok(Some(Ok(Message::Pong(_))))), "the WebSocket layer is alive");
}

#[tokio::test]
async fn pings_can_be_stopped_while_events_go_on() {
    let cad = start(CadOptions { ping_every: Duration::from_millis(10), ..options() }).await;
    let mut raw = Raw::session(&cad, 1).await;
    assert_eq!(raw.record().await["type"], 6);
    cad.stop_pings();
    // Those already on their way.
    while timeout(Duration::from_millis(50), raw.socket.next()).await.is_ok() {}
    raw.silent(Duration::from_millis(100)).await;
    cad.push(1, "EVENT_A", json!({}));
    assert_eq!(raw.event().await["type"], "EVENT_A");
}

#[tokio::test]
async fn faults_that_end_connections() {
    let cad = start(options()).await;
    let mut raw = Raw::session(&cad, 1).await;
    cad.close_all(Some("maintenance"), true);
    assert_eq!(raw.record().await, json!({"type": 7, "error": "maintenance", "allowReconnect": true}));
    assert_eq!(raw.next().await, None);

    let mut raw = Raw::session(&cad, 1).await;
    cad.close_all(None, false);
    assert_eq!(raw.record().await, json!({"type": 7}));

    let mut raw = Raw::session(&cad, 1).await;
    cad.drop_all();
    let end = timeout(LONG, raw.socket.next()).await.unwrap();
    assert!(!matches!(end, Some(Ok(_))), "no close frame: {end:?}");

    let mut raw = Raw::session(&cad, 1).await;
    cad.cut_mid_record();
    assert_eq!(raw.next().await, None);
    assert!(raw.buffer.starts_with("{\"type\":1,\"target\":\"pushEvent\""), "half a record arrived: {}", raw.buffer);

    cad.close_at_once(2);
    for left in [true, true, false] {
        let mut raw = Raw::hub(&cad).await;
        if left {
            assert_eq!(raw.next().await, None);
        } else {
            assert!(raw.call("nope", json!([])).await["error"].is_string());
        }
    }
}

#[tokio::test]
async fn faults_of_what_is_sent() {
    let cad = start(options()).await;
    let mut raw = Raw::session(&cad, 1).await;
    cad.garbage();
    assert!(serde_json::from_str::<Value>(&raw.next().await.unwrap()).is_err());
    cad.send_binary(b"\x01");
    assert!(matches!(timeout(LONG, raw.socket.next()).await, Ok(Some(Ok(Message::Binary(_))))));
    cad.push_twice();
    cad.push(1, "EVENT_A", json!({}));
    assert_eq!(raw.event().await, raw.event().await);
    cad.heal();
    cad.split_messages(5);
    cad.push(1, "EVENT_B", json!({}));
    let first = timeout(LONG, raw.socket.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(first.len(), 5);
    raw.buffer.push_str(first.to_text().unwrap());
    assert_eq!(raw.event().await["type"], "EVENT_B");

    cad.behind_handshake("{\"type\":6}\u{1e}");
    let mut raw = Raw::open(&cad, "", None).await.unwrap();
    raw.send("{\"protocol\":\"json\",\"version\":1}\u{1e}").await;
    let message = timeout(LONG, raw.socket.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(message.to_text().unwrap(), "{}\u{1e}{\"type\":6}\u{1e}");
}

#[tokio::test]
async fn faults_of_rest() {
    let cad = start(options()).await;
    cad.rest_status("/units", 503, 1, Some(3));
    let url = format!("{}/v2/emergency/servers/1/units", cad.api_url());
    let get = || reqwest::Client::new().get(&url).header("authorization", format!("Bearer {KEY}")).send();
    let broken = get().await.unwrap();
    assert_eq!((broken.status().as_u16(), &broken.headers()["retry-after"]), (503, &"3".parse().unwrap()));
    assert!(broken.text().await.unwrap().starts_with("<html>"));
    assert_eq!(get().await.unwrap().status(), 200);
    cad.rest_status("/units", 429, 1, Some(2));
    assert_eq!(get().await.unwrap().json::<Value>().await.unwrap()["message"], "API rate limit exceeded");
}

#[tokio::test]
async fn stopping_and_dropping_end_everything() {
    let cad = start(options()).await;
    let mut raw = Raw::session(&cad, 1).await;
    let addr = cad.addr();
    cad.stop().await;
    assert_eq!(raw.next().await, None);
    assert!(TcpStream::connect(addr).await.is_err());

    let cad = start(options()).await;
    let clone = cad.clone();
    let mut raw = Raw::session(&cad, 1).await;
    let addr = cad.addr();
    drop(cad);
    clone.push(1, "EVENT_A", json!({}));
    assert_eq!(raw.event().await["type"], "EVENT_A", "alive while a handle is left");
    drop(clone);
    assert_eq!(raw.next().await, None);
    timeout(LONG, async { while TcpStream::connect(addr).await.is_ok() {} }).await.unwrap();
}

#[tokio::test]
async fn pushes_are_lost_late_or_twice() {
    let cad = start(options()).await;
    let mut raw = Raw::session(&cad, 1).await;
    cad.lose_pushes(1);
    cad.late_pushes(200, 1);
    for kind in ["EVENT_LOST", "EVENT_LATE", "EVENT_SOON"] {
        assert_eq!(cad.push(1, kind, json!({})).hub, 1, "the CAD cannot know");
    }
    assert_eq!(raw.event().await["type"], "EVENT_SOON");
    assert_eq!(raw.event().await["type"], "EVENT_LATE");
    assert!(cad.wait_pushed(LONG).await);
}

/// The outcome of a GET: its status, 1 for a page instead of JSON, 0 for no answer.
async fn ask(cad: &tenfour_sim::cad::CadSim, most: Duration) -> u16 {
    let request =
        reqwest::Client::new().get(format!("{}/v2/general/version", cad.api_url())).header("authorization", format!("Bearer {KEY}"));
    let Ok(answer) = request.timeout(most).send().await else { return 0 };
    let status = answer.status().as_u16();
    match answer.text().await {
        Ok(text) if text.starts_with("<html>") && status == 200 => 1,
        Ok(_) => status,
        Err(_) => 0,
    }
}

#[tokio::test]
async fn rest_breaks_in_every_way_and_comes_back() {
    let cad = start(CadOptions { rate_limits: false, ..options() }).await;
    cad.rest_garbage("/version", 1);
    cad.rest_drop("/version", 1);
    cad.rest_do_then_drop("/version", 1);
    for wanted in [1, 0, 0, 200] {
        assert_eq!(ask(&cad, LONG).await, wanted);
    }
    cad.rest_delay("/version", 300, 1);
    let began = std::time::Instant::now();
    assert_eq!(ask(&cad, LONG).await, 200);
    assert!(began.elapsed() >= Duration::from_millis(300));
    cad.rest_hang("/version", 1);
    assert_eq!(ask(&cad, Duration::from_millis(200)).await, 0);
    assert_eq!(ask(&cad, LONG).await, 200);
    // The work is done, or not, as the name says.
    let place = |id: &str| {
        let url = format!("{}/v2/emergency/servers/1/calls/911", cad.api_url());
        reqwest::Client::new()
            .post(url)
            .header("authorization", format!("Bearer {KEY}"))
            .json(&json!({"isEmergency": true, "caller": "x", "location": "y", "description": id}))
            .send()
    };
    assert_eq!(place("plain").await.unwrap().status(), 200);
    cad.rest_drop("/calls/911", 1);
    cad.rest_do_then_drop("/calls/911", 1);
    for id in ["never", "done"] {
        let answer = place(id).await;
        assert!(match answer {
            Ok(answer) => answer.bytes().await.is_err(),
            Err(_) => true,
        });
    }
    let open = cad.open_state(1)["emergencyCalls"].to_string();
    assert!(open.contains("plain") && open.contains("done") && !open.contains("never"), "{open}");
    // A hung request does not keep the simulator from stopping.
    cad.rest_hang("/version", 1);
    let (asked, ()) = tokio::join!(ask(&cad, LONG), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        timeout(LONG, cad.stop()).await.expect("stop waits for the hung request");
    });
    assert_ne!(asked, 200);
}

#[tokio::test]
async fn noise_is_the_same_for_a_seed() {
    use tenfour_sim::cad::Noise;
    let run = async |noise: Noise| {
        let cad = start(CadOptions { rate_limits: false, ..options() }).await;
        let mut raw = Raw::session(&cad, 1).await;
        cad.noise(noise);
        let mut seen = Vec::new();
        for _ in 0..150 {
            seen.push(ask(&cad, LONG).await.to_string());
        }
        for n in 0..100 {
            cad.push(1, &format!("EVENT_{n}"), json!({}));
        }
        assert!(cad.wait_pushed(LONG).await);
        cad.heal();
        cad.push(1, "EVENT_END", json!({}));
        let mut events = Vec::new();
        loop {
            let kind = raw.event().await["type"].as_str().unwrap().to_owned();
            if kind == "EVENT_END" {
                break;
            }
            events.push(kind);
        }
        (seen, events)
    };
    let shares = (100, 100, 100);
    let noise = Noise {
        seed: 3,
        lost: shares.0,
        twice: shares.1,
        rest_fail: 100,
        rest_limit: shares.2,
        rest_garbage: 100,
        rest_drop: 50,
        rest_do_then_drop: 50,
        rest_delay: 50,
        most_ms: 3,
        late: 0,
    };
    let once = run(noise.clone()).await;
    assert_eq!(once, run(noise.clone()).await);
    assert_ne!(once, run(Noise { seed: 4, ..noise.clone() }).await);
    for status in ["0", "1", "200", "429", "500", "503"] {
        assert!(once.0.iter().any(|seen| seen == status), "no {status} in {:?}", once.0);
    }
    let mut kinds = once.1.clone();
    kinds.dedup();
    assert!(kinds.len() < 100 && kinds.len() < once.1.len(), "{:?}", once.1);
    let late = run(Noise { seed: 3, late: 300, most_ms: 50, ..Noise::default() }).await.1;
    let mut sorted = late.clone();
    sorted.sort_by_key(|kind| kind["EVENT_".len()..].parse::<u32>().unwrap());
    assert!(late.len() == 100 && late != sorted, "nothing was overtaken");
}
