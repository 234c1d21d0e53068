//! The simulated CAD's hub, tested with raw bytes: the demo and the tests rely on it.

mod actions;
mod examples;
mod faults;
mod official;
mod pushes;
mod rest;
mod scenario;

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tenfour_sim::cad::{CadOptions, CadSim, CallSpec, PayloadAs, Recipient, Seen, ServerOptions, UnitSpec};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

const SECOND: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(10);
const KEY: &str = "Sim-Key-31";

fn options() -> CadOptions {
    CadOptions { community: "brineford".into(), api_key: KEY.into(), ..CadOptions::default() }
}

async fn start(options: CadOptions) -> CadSim {
    CadSim::start(options).await.unwrap()
}

/// A hub client that knows only bytes.
struct Raw {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    buffer: String,
}

impl Raw {
    /// Opens the WebSocket; the status of a refusal.
    async fn open(cad: &CadSim, query: &str, cookie: Option<&str>) -> Result<Self, u16> {
        let url = format!("ws://{}/apiWsHub{query}", cad.addr());
        let mut request = url.into_client_request().unwrap();
        if let Some(cookie) = cookie {
            request.headers_mut().insert("cookie", cookie.parse().unwrap());
        }
        match timeout(LONG, tokio_tungstenite::connect_async(request)).await.unwrap() {
            Ok((socket, _)) => Ok(Self { socket, buffer: String::new() }),
            Err(tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// An open hub connection after its handshake.
    async fn hub(cad: &CadSim) -> Self {
        let mut raw = Self::open(cad, "", None).await.unwrap();
        raw.send("{\"protocol\":\"json\",\"version\":1}\u{1e}").await;
        assert_eq!(raw.record().await, json!({}));
        raw
    }

    /// An authenticated one.
    async fn session(cad: &CadSim, server: i64) -> Self {
        let mut raw = Self::hub(cad).await;
        let answer = raw.call("authenticatev2", json!(["BRINEFORD", KEY, server])).await;
        assert_eq!(answer["result"]["success"], true, "{answer}");
        raw
    }

    async fn send(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    async fn call(&mut self, target: &str, arguments: Value) -> Value {
        self.send(&format!("{}\u{1e}", json!({"type": 1, "invocationId": "7", "target": target, "arguments": arguments}))).await;
        let answer = self.record().await;
        assert_eq!((&answer["type"], &answer["invocationId"]), (&json!(3), &json!("7")), "{answer}");
        answer
    }

    /// The next record, pings included; `None` once the connection is over.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.buffer.find('\u{1e}') {
                let record = self.buffer[..end].to_owned();
                self.buffer.drain(..=end);
                return Some(record);
            }
            match timeout(LONG, self.socket.next()).await.expect("the hub says nothing") {
                Some(Ok(Message::Text(text))) => self.buffer.push_str(&text),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }

    async fn record(&mut self) -> Value {
        serde_json::from_str(&self.next().await.expect("the connection is over")).unwrap()
    }

    /// The next event's body.
    async fn event(&mut self) -> Value {
        let mut record = self.record().await;
        // A ping may come at any time.
        while record["type"] == 6 {
            record = self.record().await;
        }
        assert_eq!((&record["type"], &record["target"]), (&json!(1), &json!("pushEvent")), "{record}");
        assert!(record.get("invocationId").is_none());
        match &record["arguments"][0] {
            Value::String(text) => serde_json::from_str(text).unwrap(),
            other => other.clone(),
        }
    }

    /// Checks that nothing arrives for a while.
    async fn silent(&mut self, time: Duration) {
        if let Ok(Some(Ok(message))) = timeout(time, self.socket.next()).await {
            panic!("not silent: {message}");
        }
    }
}

async fn negotiate(cad: &CadSim, version: &str) -> (u16, Value, Option<String>) {
    let request = reqwest::Client::new().post(format!("{}/negotiate{version}", cad.hub_url())).header("content-length", "0");
    let response = request.send().await.unwrap();
    let cookie = response.headers().get("set-cookie").map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap().to_owned());
    let status = response.status().as_u16();
    (status, response.json().await.unwrap_or_default(), cookie)
}

fn unit(num: &str, page: i64) -> UnitSpec {
    UnitSpec { num: num.into(), name: format!("Unit {num}"), page, status: 2, ..UnitSpec::default() }
}

fn burglary() -> CallSpec {
    CallSpec {
        emergency: true,
        caller: "Tessa".into(),
        location: "Lantern Quay".into(),
        description: "They're <forcing> the \"door\" 😀".into(),
        meta: json!({"postal": "2207"}),
    }
}

#[tokio::test]
async fn a_negotiated_token_opens_one_connection() {
    let cad = start(options()).await;
    let (status, answer, _) = negotiate(&cad, "?negotiateVersion=1").await;
    assert_eq!(status, 200);
    assert_eq!(answer["negotiateVersion"], 1);
    assert_eq!(answer["availableTransports"][0]["transport"], "WebSockets");
    assert!(answer["availableTransports"][0]["transferFormats"].as_array().unwrap().contains(&json!("Text")));
    let (id, token) = (answer["connectionId"].as_str().unwrap(), answer["connectionToken"].as_str().unwrap());
    assert_ne!(id, token);

    assert_eq!(Raw::open(&cad, "?id=unknown", None).await.err(), Some(404));
    assert_eq!(Raw::open(&cad, &format!("?id={id}"), None).await.err(), Some(404), "the id is not the token");
    let first = Raw::open(&cad, &format!("?id={token}"), None).await.unwrap();
    assert_eq!(Raw::open(&cad, &format!("?id={token}"), None).await.err(), Some(409));
    drop(first);
    cad.wait_seen(LONG, |seen| matches!(seen, Seen::SessionEnd { .. })).await.unwrap();
    assert_eq!(Raw::open(&cad, &format!("?id={token}"), None).await.err(), Some(404));

    let upgrades: Vec<Seen> = cad.log().into_iter().filter(|seen| matches!(seen, Seen::Upgrade { .. })).collect();
    let expected: Vec<Seen> = [404, 404, 101, 409, 404].map(|status| Seen::Upgrade { status, with_token: true }).into();
    assert_eq!(upgrades, expected);
}

#[tokio::test]
async fn an_unclaimed_token_expires() {
    let cad = start(CadOptions { token_life: Duration::from_millis(30), ..options() }).await;
    let (_, answer, _) = negotiate(&cad, "?negotiateVersion=1").await;
    tokio::time::sleep(Duration::from_millis(60)).await;
    let token = answer["connectionToken"].as_str().unwrap();
    assert_eq!(Raw::open(&cad, &format!("?id={token}"), None).await.err(), Some(404));
}

#[tokio::test]
async fn version_zero_of_negotiate_has_an_id_only() {
    let cad = start(options()).await;
    let (_, answer, _) = negotiate(&cad, "").await;
    assert!(answer.get("connectionToken").is_none());
    Raw::open(&cad, &format!("?id={}", answer["connectionId"].as_str().unwrap()), None).await.unwrap();
}

#[tokio::test]
async fn a_post_without_length_is_refused_as_iis_does() {
    let cad = start(options()).await;
    let mut stream = TcpStream::connect(cad.addr()).await.unwrap();
    stream.write_all(b"POST /apiWsHub/negotiate?negotiateVersion=1 HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).await.unwrap();
    assert!(line.starts_with("HTTP/1.1 411"), "{line}");
}

#[tokio::test]
async fn the_affinity_cookie_has_to_come_back() {
    let cad = start(CadOptions { affinity_cookie: true, ..options() }).await;
    let (_, answer, cookie) = negotiate(&cad, "?negotiateVersion=1").await;
    let query = format!("?id={}", answer["connectionToken"].as_str().unwrap());
    assert_eq!(Raw::open(&cad, &query, None).await.err(), Some(404));
    Raw::open(&cad, &query, Some(&format!("other=1; {}", cookie.unwrap()))).await.unwrap();
}

#[tokio::test]
async fn a_plain_get_of_the_hub_is_no_websocket() {
    let cad = start(options()).await;
    assert_eq!(reqwest::get(cad.hub_url()).await.unwrap().status(), 400);
}

#[tokio::test]
async fn the_handshake_is_checked_and_records_may_follow_it_at_once() {
    let cad = start(CadOptions { handshake_timeout: Duration::from_millis(50), ..options() }).await;
    for (hello, complaint) in [
        ("{\"protocol\":\"json\",\"version\":2}\u{1e}", "version 2"),
        ("{\"protocol\":\"messagepack\",\"version\":1}\u{1e}", "messagepack"),
        ("", "Handshake was canceled."),
    ] {
        let mut raw = Raw::open(&cad, "", None).await.unwrap();
        if !hello.is_empty() {
            raw.send(hello).await;
        }
        assert!(raw.record().await["error"].as_str().unwrap().contains(complaint));
        assert_eq!(raw.next().await, None);
    }
    let mut raw = Raw::open(&cad, "", None).await.unwrap();
    raw.send("{\"protocol\":\"json\",\"version\":1}\u{1e}{\"type\":1,\"invocationId\":\"1\",\"target\":\"nope\",\"arguments\":[]}\u{1e}")
        .await;
    assert_eq!(raw.record().await, json!({}));
    assert_eq!(raw.record().await["error"], "Unknown hub method 'nope'");
}

#[tokio::test]
async fn authentication_binds_arguments_as_asp_net_does() {
    let cad = start(options()).await;
    let mut raw = Raw::hub(&cad).await;
    for arguments in [json!([]), json!(["brineford", KEY]), json!(["brineford", KEY, 1, 2]), json!(["brineford", KEY, "1"])] {
        let answer = raw.call("authenticatev2", arguments).await;
        assert_eq!(answer["error"], "Failed to invoke 'authenticatev2' due to an error on the server.");
        assert!(answer.get("result").is_none());
    }
    for arguments in [json!(["brineford", "wrong", 1]), json!(["elsewhere", KEY, 1]), json!(["brineford", KEY, 9])] {
        let answer = raw.call("authenticatev2", arguments).await;
        assert_eq!(answer["result"]["success"], false, "{answer}");
        assert!(answer["result"]["error"].is_string() && answer["result"]["count"].is_number());
    }
    assert_eq!(cad.sessions(1), 0);
    // Keys and method names are compared without regard to case; no server id means no events.
    let answer = raw.call("AuthenticateV2", json!(["brineford", KEY.to_uppercase(), null])).await;
    assert_eq!(answer["result"], json!({"success": true, "error": null, "count": 1}));
    assert!(cad.push(1, "EVENT_TONE", json!({})).lost());
    assert_eq!(raw.call("authenticate", json!(["brineford", KEY, 1])).await["result"]["success"], true);
    assert_eq!(cad.sessions(1), 1);
    assert!(!format!("{:?}", cad.log()).to_lowercase().contains(&KEY.to_lowercase()), "the key is in the log");
}

#[tokio::test]
async fn events_come_as_a_string_or_as_an_object() {
    for (payload_as, is_string) in [(PayloadAs::String, true), (PayloadAs::Object, false)] {
        let cad = start(CadOptions { payload_as, ..options() }).await;
        let mut raw = Raw::session(&cad, 1).await;
        let number = cad.place_911(1, &burglary()).unwrap();
        let text = raw.next().await.unwrap();
        assert!(text.is_ascii() && !text.contains("They're") && !text.contains('<'), "escaped as System.Text.Json does: {text}");
        let record: Value = serde_json::from_str(&text).unwrap();
        let argument = &record["arguments"][0];
        assert_eq!(argument.is_string(), is_string);
        let body = argument.as_str().map_or_else(|| argument.clone(), |text| serde_json::from_str(text).unwrap());
        assert_eq!((&body["key"], &body["type"]), (&json!(KEY), &json!("EVENT_911")));
        let call = &body["data"]["call"];
        assert_eq!(
            (&call["callId"], &call["isEmergency"], &call["description"]),
            (&json!(number), &json!(true), &json!(burglary().description))
        );
    }
}

#[tokio::test]
async fn the_key_may_be_absent_on_the_hub() {
    let cad = start(CadOptions { key_on_hub: false, ..options() }).await;
    let mut raw = Raw::session(&cad, 1).await;
    cad.push(1, "EVENT_TONE", json!({"url": "x"}));
    assert_eq!(raw.event().await, json!({"type": "EVENT_TONE", "data": {"url": "x"}}));
}

#[tokio::test]
async fn the_chosen_session_of_a_server_gets_its_events() {
    for (recipient, first_gets, second_gets) in [(Recipient::Newest, 0, 1), (Recipient::Oldest, 1, 0), (Recipient::All, 1, 1)] {
        let servers = vec![ServerOptions::new(1, "One"), ServerOptions::new(2, "Two")];
        let cad = start(CadOptions { recipient, servers, ..options() }).await;
        let (mut first, mut second) = (Raw::session(&cad, 1).await, Raw::session(&cad, 1).await);
        let mut other = Raw::session(&cad, 2).await;
        assert_eq!((cad.sessions(1), cad.sessions(2), cad.connections()), (2, 1, 3));
        assert_eq!(cad.push(1, "EVENT_TONE", json!({})).hub, first_gets + second_gets);
        // An event for all ends the counting: the session that got the tone sees it first.
        cad.send_raw("{\"type\":6}\u{1e}");
        for (raw, gets) in [(&mut first, first_gets), (&mut second, second_gets), (&mut other, 0)] {
            assert_eq!(raw.record().await["type"], if gets == 1 { 1 } else { 6 }, "{recipient:?}");
        }
    }
}

#[tokio::test]
async fn the_hub_pings_and_ends_a_client_that_stopped_pinging() {
    let (every, limit) = (Duration::from_millis(40), Duration::from_millis(200));
    let cad = start(CadOptions { ping_every: every, client_timeout: limit, ..options() }).await;
    let mut raw = Raw::session(&cad, 1).await;
    // No ping from us yet: no time-out, however long it takes.
    let begin = Instant::now();
    for _ in 0..10 {
        assert_eq!(raw.record().await, json!({"type": 6}));
    }
    assert!(begin.elapsed() >= 9 * every, "{:?}", begin.elapsed());
    let begin = Instant::now();
    raw.send("{\"type\":6}\u{1e}").await;
    assert!(cad.wait_seen(LONG, |seen| *seen == Seen::Ping).await.is_some());
    let closed = async { while raw.next().await.is_some() {} };
    timeout(LONG, closed).await.expect("the silent client is still there");
    assert!(begin.elapsed() >= limit && begin.elapsed() < LONG, "{:?}", begin.elapsed());
}

#[tokio::test]
async fn broken_and_oversized_records_end_the_connection_unknown_ones_do_not() {
    let cad = start(options()).await;
    for bad in ["{\u{1e}".to_owned(), "{\"type\":1}\u{1e}".to_owned(), format!("{{\"type\":6,\"x\":\"{}\"}}\u{1e}", "y".repeat(33 * 1024))]
    {
        let mut raw = Raw::session(&cad, 1).await;
        raw.send("{\"type\":99}\u{1e}").await;
        assert!(raw.call("nope", json!([])).await["error"].is_string());
        raw.send(&bad).await;
        let close = raw.record().await;
        assert_eq!((&close["type"], &close["allowReconnect"]), (&json!(7), &json!(true)));
        assert_eq!(raw.next().await, None);
    }
}

#[tokio::test]
async fn an_invocation_without_id_is_not_answered_and_a_streaming_one_refused() {
    let cad = start(options()).await;
    let mut raw = Raw::hub(&cad).await;
    raw.send("{\"type\":1,\"target\":\"nope\",\"arguments\":[]}\u{1e}").await;
    raw.send("{\"type\":4,\"invocationId\":\"9\",\"target\":\"authenticatev2\",\"arguments\":[]}\u{1e}").await;
    let answer = raw.record().await;
    assert_eq!(answer["invocationId"], "9");
    assert!(answer["error"].as_str().unwrap().contains("non-streaming"));
}

#[tokio::test]
async fn a_client_can_be_asked_for_a_result_and_says_goodbye() {
    let cad = start(options()).await;
    let mut raw = Raw::session(&cad, 1).await;
    assert_eq!(cad.call_client(2, "pushEvent", &json!({})), None);
    let id = cad.call_client(1, "pushEvent", &json!({})).unwrap();
    assert_eq!(raw.record().await["invocationId"], json!(id));
    raw.send(&format!("{{\"type\":3,\"invocationId\":\"{id}\",\"error\":\"none\"}}\u{1e}")).await;
    let wanted = Seen::Completion { id, result: None, error: Some("none".into()) };
    assert!(cad.wait_seen(LONG, |seen| *seen == wanted).await.is_some());
    raw.send("{\"type\":7}\u{1e}").await;
    assert_eq!(raw.next().await, None);
    assert!(cad.wait_no_session(1, LONG).await);
    assert_eq!(cad.count(|seen| *seen == Seen::Close), 1);
}

#[tokio::test]
async fn a_flood_arrives_whole_and_in_order() {
    let cad = start(options()).await;
    let mut raw = Raw::session(&cad, 1).await;
    for n in 0..5_000 {
        cad.push(1, "EVENT_TONE", json!({ "n": n }));
    }
    for n in 0..5_000 {
        assert_eq!(raw.event().await["data"]["n"], n);
    }
}
