//! The simulated CAD, spoken to in raw bytes: what it promises to the demo and to the tests that rely on it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tenfour::sim::cad::{
    Account, CadOptions, CadSim, CallSpec, DispatchSpec, HttpDestination, PayloadAs, Recipient, RecordChange, Seen, ServerOptions, Silence,
    UnitSpec,
};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
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

/// A hub client that knows nothing but bytes.
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
        let record = self.record().await;
        assert_eq!((&record["type"], &record["target"]), (&json!(1), &json!("pushEvent")), "{record}");
        assert!(record.get("invocationId").is_none());
        match &record["arguments"][0] {
            Value::String(text) => serde_json::from_str(text).unwrap(),
            other => other.clone(),
        }
    }

    /// Asserts that nothing arrives for a while.
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

/// A REST request with the right key.
async fn rest(cad: &CadSim, method: &str, path: &str, body: Value) -> (u16, Value) {
    let mut request = reqwest::Client::new()
        .request(method.parse().unwrap(), format!("{}/v2/{path}", cad.api_url()))
        .header("authorization", format!("Bearer {KEY}"));
    if !body.is_null() {
        request = request.body(body.to_string());
    }
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap_or_default())
}

/// An HTTP destination that answers 200 and hands over head and body of each request.
async fn destination() -> (SocketAddr, mpsc::UnboundedReceiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let sender = sender.clone();
            tokio::spawn(async move {
                let mut bytes = Vec::new();
                let (mut head, mut need) = (String::new(), None);
                loop {
                    if need.is_none()
                        && let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n")
                    {
                        head = String::from_utf8(bytes.drain(..at + 4).collect()).unwrap();
                        let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
                        need = Some(length.unwrap_or(0_usize));
                    }
                    if need.is_some_and(|need| bytes.len() >= need) {
                        let rest = bytes.split_off(need.take().unwrap());
                        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
                        sender.send((head.clone(), serde_json::from_slice(&bytes).unwrap())).ok();
                        bytes = rest;
                        continue;
                    }
                    if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
            });
        }
    });
    (addr, receiver)
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

// ---- hub ----

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
        // An event for all ends the counting: whoever got the tone sees it first.
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
    while raw.next().await.is_some() {}
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

// ---- REST ----

#[tokio::test]
async fn rest_wants_the_key_and_knows_its_servers() {
    let cad = start(options()).await;
    for wrong in ["", "Bearer nope", KEY] {
        let request = reqwest::Client::new().get(format!("{}/v2/general/version", cad.api_url())).header("authorization", wrong);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let problem: Value = response.json().await.unwrap();
        assert_eq!((&problem["status"], problem["traceId"].is_string()), (&json!(401), true));
    }
    assert_eq!(rest(&cad, "GET", "general/version", Value::Null).await, (200, json!({"version": 2, "name": "PLUS"})));
    assert_eq!(rest(&cad, "GET", "general/info", Value::Null).await.1["community"]["comId"], "brineford");
    assert_eq!(rest(&cad, "GET", "general/servers", Value::Null).await.1["servers"][0]["id"], 1);
    assert_eq!(rest(&cad, "GET", "emergency/servers/1/units", Value::Null).await, (200, json!([])));
    assert_eq!(rest(&cad, "GET", "emergency/servers/7/units", Value::Null).await.0, 404);
    assert_eq!(rest(&cad, "GET", "general/nothing", Value::Null).await.0, 404);
    assert_eq!(cad.count(|seen| matches!(seen, Seen::Rest { path, status: 404, .. } if path == "/v2/general/nothing")), 1);
}

#[tokio::test]
async fn rest_counts_per_endpoint_and_says_when_to_come_back() {
    let cad = start(options()).await;
    let get = || async {
        let url = format!("{}/v2/emergency/servers/1/units", cad.api_url());
        reqwest::Client::new().get(url).header("authorization", format!("Bearer {KEY}")).send().await.unwrap()
    };
    for _ in 0..3 {
        assert_eq!(get().await.status(), 200);
    }
    let refused = get().await;
    assert_eq!(refused.status(), 429);
    let seconds: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds));
    assert_eq!(refused.json::<Value>().await.unwrap()["message"], "API rate limit exceeded");
    assert_eq!(rest(&cad, "GET", "general/version", Value::Null).await.0, 200, "another endpoint has its own count");
    cad.set_rate_limits(false);
    for _ in 0..5 {
        assert_eq!(get().await.status(), 200);
    }
}

#[tokio::test]
async fn changes_by_the_api_are_silent_but_for_a_new_911() {
    let cad = start(options()).await;
    let mut raw = Raw::session(&cad, 1).await;
    let uuid = cad.add_account(Account {
        username: "dana".into(),
        discord: Some("4242".into()),
        permissions: vec!["police".into()],
        ..Account::default()
    });
    let ident = cad.login(1, &UnitSpec { account: uuid.clone(), ..unit("2L-14", 0) }).unwrap();
    let dispatcher = cad.login(1, &unit("D-1", 3)).unwrap();
    for _ in 0..2 {
        assert_eq!(raw.event().await["type"], "EVENT_UNIT_LOGIN");
    }
    let base = "emergency/servers/1";

    let (status, account) = rest(&cad, "GET", "general/accounts/account?discord=4242", Value::Null).await;
    assert_eq!((status, &account["uuid"], &account["permissions"]["police"]), (200, &json!(uuid), &json!(true)));
    assert_eq!(rest(&cad, "GET", "general/accounts/account?discord=1", Value::Null).await.0, 404);
    assert_eq!(rest(&cad, "GET", "general/accounts/account?discord=1&username=x", Value::Null).await.0, 400);

    let (status, call) = rest(
        &cad,
        "POST",
        &format!("{base}/calls/911"),
        json!({"isEmergency": true, "caller": "Jonas", "location": "Pier 9", "description": "Fire", "metaData": {"postal": "2214"}}),
    )
    .await;
    assert_eq!((status, &call["metaData"]["postal"]), (200, &json!("2214")));
    assert_eq!(raw.event().await["data"]["call"]["callId"], call["callId"]);
    assert_eq!(rest(&cad, "POST", &format!("{base}/calls/911"), json!({"caller": "x"})).await.0, 400);
    assert_eq!(
        rest(
            &cad,
            "POST",
            &format!("{base}/calls/911"),
            json!({"isEmergency": true, "caller": "x", "location": "y", "description": "z", "metaData": {"x": 1}})
        )
        .await
        .0,
        400
    );

    let new = json!({"origin": 0, "status": 1, "priority": 1, "title": "Fire", "discord": "4242", "metaData": {"origin911": "301"}});
    let (status, dispatch) = rest(&cad, "POST", &format!("{base}/dispatch-calls"), new).await;
    assert_eq!((status, &dispatch["idents"], &dispatch["primary"]), (201, &json!([ident]), &json!(ident)));
    let number = &dispatch["callId"];
    let on_call = format!("{base}/dispatch-calls/{number}");
    assert_eq!(
        rest(&cad, "POST", &format!("{base}/dispatch-calls"), json!({"origin": 0, "status": 1, "priority": 1, "title": "Fire"})).await.0,
        400
    );
    assert_eq!(rest(&cad, "DELETE", &format!("{base}/calls/911/{}", call["callId"]), Value::Null).await.1["serverId"], 1);
    assert_eq!(rest(&cad, "DELETE", &format!("{base}/calls/911/{}", call["callId"]), Value::Null).await.0, 404);
    assert_eq!(rest(&cad, "PATCH", &on_call, json!({"priority": 2, "metaData": {"a": "b"}})).await.1["metaData"], json!({"a": "b"}));
    assert_eq!(rest(&cad, "PATCH", &on_call, json!({"priority": 9})).await.0, 400);
    assert_eq!(rest(&cad, "POST", &format!("{on_call}/notes"), json!({"note": "hello", "label": "Dana"})).await.0, 200);
    assert_eq!(rest(&cad, "PATCH", &format!("{on_call}/postal"), json!({"postal": "9"})).await.1["postal"], "9");
    assert_eq!(rest(&cad, "PATCH", &format!("{on_call}/primary"), json!({"identId": ident, "trackPrimary": true})).await.0, 200);
    assert_eq!(
        rest(&cad, "DELETE", &format!("{base}/dispatch-calls/attachments"), json!({"discord": "4242"})).await.1["identIds"],
        json!([ident])
    );
    assert_eq!(rest(&cad, "GET", &format!("emergency/accounts/{uuid}/current-call"), Value::Null).await.0, 404);
    assert_eq!(rest(&cad, "POST", &format!("{on_call}/attachments"), json!({"discord": "4242"})).await.1["identIds"], json!([ident]));
    assert_eq!(rest(&cad, "POST", &format!("{on_call}/attachments"), json!({"discord": "1"})).await.0, 404);
    assert_eq!(rest(&cad, "GET", &format!("emergency/accounts/{uuid}/current-call"), Value::Null).await.1["CallId"], *number);
    assert_eq!(
        rest(&cad, "PATCH", &format!("{base}/units/status"), json!({"discord": "4242", "status": 3})).await.1,
        json!({"updated": 1, "status": "ENROUTE"})
    );
    assert_eq!(
        rest(&cad, "PATCH", &format!("{base}/units/panic"), json!({"discord": "4242", "isPanic": true})).await.1,
        json!({"updated": 1, "isPanic": true})
    );

    let (_, units) = rest(&cad, "GET", &format!("{base}/units"), Value::Null).await;
    assert_eq!(units.as_array().unwrap().len(), 1, "dispatchers are hidden by default");
    assert_eq!((&units[0]["status"], &units[0]["isPanic"], &units[0]["data"]["unitNum"]), (&json!(3), &json!(true), &json!("2L-14")));
    let (_, everyone) = rest(&cad, "GET", &format!("{base}/units?onlyUnits=false"), Value::Null).await;
    assert_eq!(everyone[1]["id"], dispatcher);
    let (_, calls) = rest(&cad, "GET", &format!("{base}/calls"), Value::Null).await;
    let active = &calls["ActiveCalls"][0];
    assert_eq!((&active["postal"], &active["priority"], &active["notes"][0]["content"]), (&json!("9"), &json!(2), &json!("hello")));
    assert_eq!(calls["EmergencyCalls"], json!([]));
    assert_eq!(
        rest(&cad, "POST", &format!("{base}/dispatch-calls/close"), json!({"callIds": [number]})).await.1,
        json!({"callIds": [number]})
    );
    let (_, calls) = rest(&cad, "GET", &format!("{base}/calls"), Value::Null).await;
    assert_eq!((&calls["ActiveCalls"], &calls["ClosedCallCount"], &calls["ClosedCalls"][0]["status"]), (&json!([]), &json!(1), &json!(2)));
    let kicked = rest(&cad, "POST", &format!("{base}/units/kick"), json!({"discord": "4242", "reason": "late"})).await;
    assert_eq!(kicked.1, json!({"identId": ident, "reason": "late"}));

    // The next event on the wire is the one raised now: none of the above raised any.
    cad.push(1, "MARK", Value::Null);
    assert_eq!(raw.event().await, json!({"key": KEY, "type": "MARK"}));
}

#[tokio::test]
async fn a_911_expires_when_it_was_asked_to() {
    let cad = start(options()).await;
    let new = json!({"isEmergency": false, "caller": "", "location": "x", "description": "y", "deleteAfterMinutes": 30});
    assert_eq!(rest(&cad, "POST", "emergency/servers/1/calls/911", new).await.0, 200);
    let open = || async { rest(&cad, "GET", "emergency/servers/1/calls", Value::Null).await.1["EmergencyCalls"].as_array().unwrap().len() };
    for (minutes, left) in [(29, 1), (2, 0)] {
        tokio::time::pause();
        tokio::time::advance(minutes * 60 * SECOND).await;
        tokio::time::resume();
        assert_eq!(open().await, left);
    }
}

// ---- HTTP pushes ----

#[tokio::test]
async fn http_gets_what_no_hub_session_takes() {
    let cad = start(options()).await;
    let (addr, mut arrived) = destination().await;
    cad.set_http(1, Some(HttpDestination { url: format!("http://{addr}/sonorancad/event?server=1"), forward: false }));
    let to = cad.push(1, "EVENT_TONE", json!({"url": "x"}));
    assert_eq!((to.hub, to.http), (0, true));
    let (head, body) = timeout(LONG, arrived.recv()).await.unwrap().unwrap();
    assert!(head.starts_with("POST /sonorancad/event?server=1 HTTP/1.1"), "{head}");
    assert!(head.to_lowercase().contains("content-type: application/json"));
    assert_eq!(body, json!({"key": KEY, "type": "EVENT_TONE", "data": {"url": "x"}}));
    assert!(cad.wait_pushed(LONG).await);

    let mut raw = Raw::session(&cad, 1).await;
    let to = cad.push(1, "EVENT_B", json!({}));
    assert_eq!((to.hub, to.http), (1, false));
    assert_eq!(raw.event().await["type"], "EVENT_B");

    drop(raw);
    assert!(cad.wait_no_session(1, LONG).await);
    cad.push(1, "EVENT_C", json!({}));
    assert_eq!(timeout(LONG, arrived.recv()).await.unwrap().unwrap().1["type"], "EVENT_C");
    assert!(cad.wait_pushed(LONG).await);
    assert_eq!(cad.count(|seen| matches!(seen, Seen::HttpPush { status: Some(200), .. })), 2);
}

#[tokio::test]
async fn forwarding_sends_every_event_by_http_too_and_in_order() {
    let cad = start(options()).await;
    let (addr, mut arrived) = destination().await;
    cad.set_http(1, Some(HttpDestination { url: format!("http://{addr}/"), forward: true }));
    let mut raw = Raw::session(&cad, 1).await;
    for n in 0..20 {
        let to = cad.push(1, &format!("E{n}"), json!({}));
        assert_eq!((to.hub, to.http), (1, true));
    }
    for n in 0..20 {
        assert_eq!(raw.event().await["type"], json!(format!("E{n}")));
        assert_eq!(timeout(LONG, arrived.recv()).await.unwrap().unwrap().1["type"], json!(format!("E{n}")));
    }
}

#[tokio::test]
async fn an_event_nobody_takes_is_lost_and_a_dead_destination_noticed() {
    let cad = start(options()).await;
    assert!(cad.push(1, "EVENT_A", json!({})).lost());
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    cad.set_http(1, Some(HttpDestination { url: format!("http://{free}/"), forward: false }));
    cad.push(1, "EVENT_B", json!({}));
    assert!(cad.wait_pushed(LONG).await);
    assert_eq!(cad.count(|seen| matches!(seen, Seen::HttpPush { status: None, .. })), 1);
    assert!(!cad.set_http(9, None));
}

// ---- verbs ----

#[tokio::test]
async fn verbs_change_the_state_and_raise_the_event() {
    let cad = start(options()).await;
    let mut raw = Raw::session(&cad, 1).await;
    let a = cad.login(1, &unit("A-10", 0)).unwrap();
    let d = cad.login(1, &unit("D-1", 3)).unwrap();
    let login = raw.event().await;
    assert_eq!(login["data"]["unit"]["data"]["unitNum"], "A-10");
    assert_eq!((&login["data"]["isDispatch"], &login["data"]["selfDispatch"]), (&json!(false), &json!(true)));
    assert_eq!(raw.event().await["data"]["isDispatch"], true);

    let emergency = cad.place_911(1, &burglary()).unwrap();
    raw.event().await;
    let spec = DispatchSpec { status: 1, priority: 2, title: "Burglary".into(), origin_911: Some(emergency), ..DispatchSpec::default() };
    let call = cad.dispatch_new(1, &spec).unwrap();
    let event = raw.event().await;
    assert_eq!(event["type"], "EVENT_DISPATCH_NEW");
    assert_eq!(event["data"]["eventOriginIdent"], d);
    assert_eq!(event["data"]["dispatch"]["metaData"], json!({"origin911": emergency.to_string(), "postal": "2207"}));
    assert!(cad.remove_911(1, &[emergency, 999]));

    assert!(cad.attach(1, call, &[a]) && cad.status(1, &[a], 3) && cad.note(1, call, "D-1", "Door is open."));
    assert!(cad.dispatch_edit(1, call, &json!({"priority": 1})) && cad.panic(1, &[a], true));
    let open = cad.open_state(1);
    assert_eq!((&open["units"][0]["status"], &open["units"][0]["isPanic"]), (&json!(3), &json!(true)));
    assert_eq!((&open["activeCalls"][0]["idents"], &open["activeCalls"][0]["priority"]), (&json!([a]), &json!(1)));
    assert_eq!(open["emergencyCalls"], json!([]));
    assert!(cad.panic(1, &[a], false) && cad.update_unit(1, a, &json!({"location": "Quay", "data": {"rank": "Sergeant"}})));
    assert!(cad.group_add(1, a, "ENGINE") && cad.group_rename(1, "ENGINE", "LADDER") && cad.group_remove(1, a));
    assert!(cad.tone(1, "https://t.example/x.mp3", &json!([])) && cad.station_alert(1, "Station 2", &["Bay 1"], &[], "Fire"));
    assert!(cad.pager(1, &["S2"], &[a], "Emergency", "Go") && cad.bodycam(1, a, true));
    let record = cad.record(1, RecordChange::Add, &json!({"type": 3, "name": "BOLO"})).unwrap();
    assert_eq!(cad.record(1, RecordChange::Edit, &json!({"type": 3, "id": record})), Some(record));
    assert_eq!(cad.record(1, RecordChange::Remove, &json!({"id": record})), Some(record));
    assert!(cad.logout(1, a), "detaches first");
    assert!(cad.close(1, &[call]));

    let mut seen = Vec::new();
    while seen.last() != Some(&json!("EVENT_DISPATCH_CLOSED")) {
        let event = raw.event().await;
        match event["type"].as_str().unwrap() {
            "EVENT_REMOVE_911" => assert_eq!(event["data"], json!({"callIds": [emergency]})),
            "EVENT_DISPATCH_NOTE" => assert_eq!(event["data"]["note"]["time"].as_str().unwrap().len(), "12:00:00".len()),
            "EVENT_DISPATCH_EDIT" => assert_eq!(event["data"]["dispatch"]["notes"][0]["content"], "Door is open."),
            "EVENT_UNIT_UPDATE" => assert_eq!(event["data"]["units"][0]["data"]["rank"], "Sergeant"),
            "EVENT_UNIT_LOGOUT" => assert_eq!(event["data"], json!({"identId": a})),
            _ => {}
        }
        seen.push(event["type"].clone());
    }
    let expected = [
        "EVENT_REMOVE_911",
        "EVENT_DISPATCH_UNIT_ATTACH",
        "EVENT_UNIT_STATUS",
        "EVENT_DISPATCH_NOTE",
        "EVENT_DISPATCH_EDIT",
        "EVENT_UNIT_PANIC",
        "EVENT_UNIT_PANIC",
        "EVENT_UNIT_UPDATE",
        "EVENT_UNIT_GROUP_ADD",
        "EVENT_UNIT_GROUP_CHANGE_NAME",
        "EVENT_UNIT_GROUP_REMOVE",
        "EVENT_TONE",
        "EVENT_STATION_ALERT",
        "EVENT_PAGER_REBORN",
        "EVENT_DISPATCH_TOGGLE_BODYCAM",
        "EVENT_RECORD_ADD",
        "EVENT_RECORD_EDIT",
        "EVENT_RECORD_REMOVE",
        "EVENT_DISPATCH_UNIT_DETACH",
        "EVENT_UNIT_LOGOUT",
        "EVENT_DISPATCH_CLOSED",
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_verb_on_nothing_does_nothing() {
    let cad = start(options()).await;
    assert_eq!(cad.login(9, &unit("A", 0)), None);
    assert!(!cad.logout(1, 1) && !cad.status(1, &[1], 2) && !cad.panic(1, &[1], true) && !cad.remove_911(1, &[1]));
    assert!(!cad.note(1, 1, "", "") && !cad.attach(1, 1, &[1]) && !cad.detach(1, 1, &[1]) && !cad.close(1, &[1]));
    assert!(!cad.dispatch_edit(1, 1, &json!({})) && !cad.update_unit(1, 1, &json!({})));
    assert_eq!(cad.open_state(9), Value::Null);
    assert_eq!(cad.count(|seen| matches!(seen, Seen::Push { .. })), 0);
}

#[tokio::test]
async fn a_whole_body_goes_out_as_it_is() {
    let cad = start(CadOptions { payload_as: PayloadAs::Object, ..options() }).await;
    let mut raw = Raw::session(&cad, 1).await;
    let body = json!({"type": "GET_LOGS", "logKey": "x"});
    cad.push_body(1, &body);
    cad.push_body(1, &json!(body.to_string()));
    assert_eq!(raw.event().await, body);
    assert!(raw.record().await["arguments"][0].is_string());
}

// ---- faults ----

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
async fn silence_falls_where_it_is_told_to() {
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

// ---- the official client ----

/// Microsoft's npm client agrees that this is a hub, with and without negotiation, for both payload forms.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_signalr_client_agrees() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/official");
    let node = std::process::Command::new("node").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let missing = if !node.is_ok_and(|status| status.success()) {
        Some("node is not installed")
    } else if !folder.join("node_modules/@microsoft/signalr").exists() {
        Some("run `npm ci` in tests/official")
    } else {
        None
    };
    if let Some(missing) = missing {
        assert!(std::env::var("TENFOUR_REQUIRE_NODE").is_err(), "official_signalr_client_agrees cannot run: {missing}");
        println!("skipped: official_signalr_client_agrees ({missing})");
        return;
    }
    for payload_as in [PayloadAs::String, PayloadAs::Object] {
        let cad = start(CadOptions { payload_as, affinity_cookie: true, ..options() }).await;
        let mut child = tokio::process::Command::new("node")
            .arg("hub.mjs")
            .current_dir(&folder)
            .env("HUB_URL", cad.hub_url())
            .env("COMMUNITY", cad.community())
            .env("KEY", KEY)
            .env("SERVER", "1")
            .env("EXPECT", burglary().description)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = Vec::new();
        let talk = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if line.starts_with("ready ") {
                    assert!(cad.wait_session(1, LONG).await);
                    cad.place_911(1, &burglary()).unwrap();
                } else if line.starts_with("close ") {
                    cad.close_all(Some("maintenance"), false);
                    assert!(cad.wait_no_session(1, LONG).await);
                }
                said.push(line);
            }
        };
        timeout(6 * LONG, talk).await.expect("the official client hangs");
        let output = timeout(LONG, child.wait_with_output()).await.unwrap().unwrap();
        assert!(output.status.success(), "{}\n{}", said.join("\n"), String::from_utf8_lossy(&output.stderr));
        assert_eq!(said.last().map(String::as_str), Some("done"));
        let tokens: Vec<bool> = cad
            .log()
            .iter()
            .filter_map(|seen| if let Seen::Upgrade { status: 101, with_token } = seen { Some(*with_token) } else { None })
            .collect();
        assert_eq!(tokens, [true, false], "once negotiated, once not");
    }
}
