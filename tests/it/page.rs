//! The demo's web page: its server over plain sockets, and the page itself in a real browser if one is installed.

#[path = "page/content.rs"]
mod content;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reqwest::header::{CONTENT_TYPE, HOST, ORIGIN};
use serde_json::{Value, json};
use tenfour_sim::page::{Backend, Fire, MAX_ACTION_BYTES, PageServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::broadcast;
use tokio::time::timeout;

const BOUND: Duration = Duration::from_secs(10);

/// A backend that keeps the state of one shift, like the simulated Discord.
struct PageBackend {
    state: Mutex<Value>,
    acts: Mutex<Vec<Value>>,
    changes: broadcast::Sender<Value>,
}

impl PageBackend {
    fn new(capacity: usize) -> Arc<Self> {
        let (changes, _) = broadcast::channel(capacity);
        Arc::new(Self { state: Mutex::new(content::snapshot()), acts: Mutex::default(), changes })
    }

    /// Gives `item` the next sequence number, updates the snapshot and notifies the readers.
    fn change(&self, mut item: Value) {
        let mut state = self.state.lock().unwrap();
        let seq = state["seq"].as_u64().unwrap() + 1;
        state["seq"] = json!(seq);
        item["seq"] = json!(seq);
        let channel = item["channel_id"].as_str().unwrap_or_default().to_owned();
        match item["type"].as_str().unwrap() {
            "MESSAGE_CREATE" => state["messages"][&channel].as_array_mut().unwrap().push(item["message"].clone()),
            "MESSAGE_UPDATE" => {
                for message in state["messages"][&channel].as_array_mut().unwrap() {
                    if message["id"] == item["message"]["id"] {
                        *message = item["message"].clone();
                    }
                }
            }
            "CHANNEL_UPDATE" => {
                for channel in state["channels"].as_array_mut().unwrap() {
                    if channel["id"] == item["channel"]["id"] {
                        *channel = item["channel"].clone();
                    }
                }
            }
            "CHANNEL_DELETE" => state["channels"].as_array_mut().unwrap().retain(|c| c["id"] != channel),
            "MESSAGE_DELETE" => state["messages"][&channel].as_array_mut().unwrap().retain(|m| m["id"] != item["message_id"]),
            _ => {}
        }
        drop(state);
        self.changes.send(item).ok();
    }

    fn create(&self, message: Value) {
        self.change(json!({"type": "MESSAGE_CREATE", "channel_id": message["channel_id"], "message": message}));
    }

    fn update(&self, message: Value) {
        self.change(json!({"type": "MESSAGE_UPDATE", "channel_id": message["channel_id"], "message": message}));
    }

    fn reply(&self, channel: &str, interaction: &str, n: u64, edited: bool, fields: Value) {
        let mut message = content::message(channel, n, 0, fields);
        message["flags"] = json!(64);
        self.changes
            .send(json!({"type": "INTERACTION_REPLY", "interaction_id": interaction, "channel_id": channel, "user_id": content::PERSON,
                "ephemeral": true, "edited": edited, "message": message}))
            .ok();
    }

    fn answer(&self, action: &Value) -> Result<Value, String> {
        let channel = action["channel_id"].as_str().unwrap_or(content::C_911);
        let n = 500 + self.acts.lock().unwrap().len() as u64;
        let interaction = format!("7{n:0>17}");
        match action["do"].as_str() {
            Some("fire") => match action["name"].as_str() {
                Some("911") => {
                    self.create(content::card_911(n, 0, &[]));
                    return Ok(json!({"said": "Tessa Moran called 911 from Alta St."}));
                }
                Some("edit") => {
                    self.update(content::card_911(3, 6, &["A-10", "A-22"]));
                    return Ok(json!({"said": "A-22 responds."}));
                }
                Some("panic") => {
                    let content = format!("<@&{}> PANIC: A-22 Ines Falk, Alta St (9001)", content::PATROL_ROLE);
                    self.create(content::message(
                        content::C_PANIC,
                        n,
                        0,
                        json!({"content": content, "pinged": [content::PATROL_ROLE],
                            "embeds": [{"title": "🆘 PANIC · A-22 Ines Falk", "color": 0x00FF_0033, "description": "Current call: #501", "footer": {"text": "Server 1 · A-22"}}]}),
                    ));
                    return Ok(json!({"said": "A-22 pressed the panic button."}));
                }
                Some("hostile") => {
                    let text = content::HOSTILE;
                    self.create(content::message(
                        content::C_911,
                        n,
                        0,
                        json!({"content": text, "embeds": [{"title": text, "description": text, "url": "javascript:alert(1)",
                            "fields": [{"name": text, "value": text, "inline": true}], "footer": {"text": text}, "image": {"url": "https://example.org/x.png"}}]}),
                    ));
                    return Ok(json!({"said": "A hostile caller."}));
                }
                Some("note") => {
                    self.create(content::note(n, 0, "Two in custody."));
                    return Ok(json!({"said": "A-22 wrote a note."}));
                }
                Some("archive") => {
                    self.change(json!({"type": "CHANNEL_UPDATE", "channel": content::thread(content::THREAD, "P2 · 211 Armed Robbery", content::C_DISPATCH, true)}));
                    return Ok(json!({"said": "The thread was put away."}));
                }
                Some("delete") => {
                    self.change(json!({"type": "CHANNEL_DELETE", "channel_id": content::POST_OVER}));
                    return Ok(json!({"said": "A moderator deleted a post."}));
                }
                _ => return Err("There is no such event.".to_owned()),
            },
            Some("autocomplete") => {
                return Ok(
                    json!({"choices": [{"name": "911 → #911-calls", "value": "r-1"}, {"name": "dispatch → #dispatch", "value": "r-2"}]}),
                );
            }
            Some("slash") if action["name"] == "911" => {
                let modal = json!({"custom_id": "911:new", "title": "Place a 911 call", "components": [
                    {"type": 1, "components": [{"type": 4, "custom_id": "where", "label": "Where are you?", "style": 1, "required": true, "max_length": 100}]},
                    {"type": 1, "components": [{"type": 4, "custom_id": "what", "label": "What is happening?", "style": 2, "required": true, "max_length": 900}]},
                ]});
                self.changes.send(json!({"type": "MODAL", "interaction_id": interaction, "channel_id": channel, "modal": modal})).ok();
            }
            Some("slash" | "modal") => {
                let text = "✅ Done. **911** is posted in <#200000000000000001> and pings <@&400000000000000001>.";
                self.reply(channel, &interaction, n, false, json!({"content": text, "embeds": []}));
            }
            Some("select") => self.reply(channel, &interaction, n, false, json!({"content": format!("Chosen: {}", action["values"])})),
            Some("click") if action["custom_id"] == "911:more:84:v1" => {
                return Err("Call #84 is over; nothing more can be done with it.".to_owned());
            }
            Some("click") => {
                self.reply(channel, &interaction, n, false, json!({"content": "🚔 You are attached to the call as **A-10**."}))
            }
            _ => return Err("The page asked for something this backend does not know.".to_owned()),
        }
        Ok(json!({"interaction_id": interaction}))
    }
}

impl Backend for PageBackend {
    fn snapshot(&self) -> Value {
        self.state.lock().unwrap().clone()
    }

    fn subscribe(&self) -> broadcast::Receiver<Value> {
        self.changes.subscribe()
    }

    fn act(&self, action: Value) -> BoxFuture<'static, Result<Value, String>> {
        self.acts.lock().unwrap().push(action.clone());
        let answer = self.answer(&action);
        async move { answer }.boxed()
    }

    fn file(&self, path: &str) -> Option<(String, axum::body::Bytes)> {
        let kind = match path {
            "/attachments/1/2/chart.png" => "image/png",
            "/attachments/1/2/table.csv" => "text/csv",
            "/attachments/1/2/page.html" => "text/html",
            _ => return None,
        };
        Some((kind.to_owned(), axum::body::Bytes::from_static(b"<script>")))
    }

    fn fire_list(&self) -> Vec<Fire> {
        let group = |group, list: &[(&'static str, &'static str)]| -> Vec<Fire> {
            list.iter().map(|(name, label)| Fire { name, label, group }).collect()
        };
        let calls = group("Calls", &[("911", "🚨 911 call"), ("edit", "🚔 Unit responds"), ("hostile", "🃏 Hostile caller")]);
        [
            calls,
            group("Units", &[("panic", "🆘 Panic button")]),
            group("Threads", &[("note", "📝 Note"), ("archive", "🗄 Archive"), ("delete", "🗑 Delete")]),
        ]
        .concat()
    }
}

async fn start(backend: &Arc<PageBackend>) -> PageServer {
    PageServer::start(SocketAddr::from(([127, 0, 0, 1], 0)), Arc::clone(backend) as Arc<dyn Backend>).await.unwrap()
}

/// Reads an event stream until `count` data items came; comments are returned as they are, with their colon.
struct Events {
    response: reqwest::Response,
    text: String,
}

impl Events {
    async fn open(server: &PageServer) -> Self {
        let response = reqwest::get(format!("{}events", server.url())).await.unwrap();
        assert_eq!(response.headers()[CONTENT_TYPE], "text/event-stream");
        Self { response, text: String::new() }
    }

    /// The next event or comment; None at the stream's end.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let event = event.to_owned();
                self.text = rest.to_owned();
                return Some(event);
            }
            let chunk = timeout(BOUND, self.response.chunk()).await.expect("an event in time").expect("an orderly stream")?;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    async fn next_json(&mut self) -> Value {
        let event = self.next().await.expect("the stream goes on");
        serde_json::from_str(event.strip_prefix("data: ").expect("one data line")).unwrap()
    }
}

#[tokio::test]
async fn every_asset_is_served_with_its_type_and_the_policy() {
    let server = start(&PageBackend::new(16)).await;
    for (path, kind) in [
        ("", "text/html; charset=utf-8"),
        ("page.css", "text/css; charset=utf-8"),
        ("page.js", "text/javascript; charset=utf-8"),
        ("channels.js", "text/javascript; charset=utf-8"),
        ("message.js", "text/javascript; charset=utf-8"),
        ("markdown.js", "text/javascript; charset=utf-8"),
        ("commands.js", "text/javascript; charset=utf-8"),
        ("state", "application/json"),
        ("nowhere", "application/json"),
    ] {
        let response = reqwest::get(format!("{}{path}", server.url())).await.unwrap();
        assert_eq!(response.status(), if path == "nowhere" { 404 } else { 200 }, "{path}");
        let headers = response.headers();
        assert_eq!(headers[CONTENT_TYPE], kind, "{path}");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        let policy = headers["content-security-policy"].to_str().unwrap();
        for rule in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self'",
            "img-src 'self' data:",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.split(';').any(|part| part.trim() == rule), "{path}: {rule} is missing in {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
    }
    server.stop().await;
}

#[tokio::test]
async fn pictures_are_shown_and_other_files_are_saved() {
    let server = start(&PageBackend::new(16)).await;
    for (name, kind, saved) in [
        ("chart.png", "image/png", false),
        ("table.csv", "application/octet-stream", true),
        ("page.html", "application/octet-stream", true),
    ] {
        let response = reqwest::get(format!("{}attachments/1/2/{name}", server.url())).await.unwrap();
        let headers = response.headers();
        assert_eq!((headers[CONTENT_TYPE].to_str().unwrap(), headers.contains_key("content-disposition")), (kind, saved), "{name}");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(response.bytes().await.unwrap().as_ref(), b"<script>");
    }
    assert_eq!(reqwest::get(format!("{}attachments/1/2/other.png", server.url())).await.unwrap().status(), 404);
    server.stop().await;
}

#[tokio::test]
async fn the_state_is_the_snapshot_and_what_can_be_fired() {
    let server = start(&PageBackend::new(16)).await;
    let state: Value = reqwest::get(format!("{}state", server.url())).await.unwrap().json().await.unwrap();
    assert_eq!(state["seq"], 100);
    assert_eq!(state["guild"]["name"], "San Andreas Roleplay");
    assert_eq!(state["fire"][0], json!({"name": "911", "label": "🚨 911 call", "group": "Calls"}));
    server.stop().await;
}

#[tokio::test]
async fn a_foreign_host_sees_nothing_and_a_loopback_one_sees_all() {
    let backend = PageBackend::new(16);
    let server = start(&backend).await;
    let client = reqwest::Client::new();
    for (host, status) in [("evil.example", 403), ("127.0.0.1.evil.example", 403), ("localhost:9", 200), ("127.0.0.1", 200), ("[::1]", 200)]
    {
        for path in ["", "state"] {
            let response = client.get(format!("{}{path}", server.url())).header(HOST, host).send().await.unwrap();
            assert_eq!(response.status(), status, "{host} {path}");
        }
    }
    let act = client.post(format!("{}act", server.url())).header(HOST, "evil.example").json(&json!({"do": "fire", "name": "911"}));
    assert_eq!(act.send().await.unwrap().status(), 403);
    let events = client.get(format!("{}events", server.url())).header(HOST, "evil.example");
    assert_eq!(events.send().await.unwrap().status(), 403);
    // HTTP/1.1 without a Host, and with two: no way around the check.
    for head in [
        "GET /state HTTP/1.1\r\nconnection: close\r\n\r\n",
        "GET /state HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\nconnection: close\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(BOUND, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
        assert!(answer.starts_with("HTTP/1.1 4"), "{head:?} got {answer:.40}");
    }
    assert!(backend.acts.lock().unwrap().is_empty());
    server.stop().await;
}

#[tokio::test]
async fn only_this_page_may_act_and_only_in_small_json() {
    let backend = PageBackend::new(16);
    let server = start(&backend).await;
    let url = format!("{}act", server.url());
    let own = server.url().trim_end_matches('/').to_owned();
    let client = reqwest::Client::new();
    let fire = json!({"do": "fire", "name": "911"}).to_string();
    let post = |kind: &str, body: String| client.post(&url).header(CONTENT_TYPE, kind).body(body);

    for (request, status) in [
        (post("text/plain", fire.clone()), 415),
        (post("application/x-www-form-urlencoded", fire.clone()), 415),
        (client.post(&url).body(fire.clone()), 415),
        (post("application/json", fire.clone()).header(ORIGIN, "https://evil.example"), 403),
        (post("application/json", fire.clone()).header(ORIGIN, "null"), 403),
        (post("application/json", fire.clone()).header("sec-fetch-site", "cross-site"), 403),
        (post("application/json", "{".to_owned()), 400),
        (post("application/json", "[1]".to_owned()), 400),
        (post("application/json", "[".repeat(5000)), 400),
        (post("application/json", format!("{{\"do\":\"{}\"}}", "x".repeat(MAX_ACTION_BYTES))), 413),
    ] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status);
        let body: Value = response.json().await.unwrap();
        assert!(body["error"].as_str().is_some_and(|sentence| sentence.ends_with('.')), "{body}");
    }
    assert_eq!(client.get(&url).send().await.unwrap().status(), 405);
    assert!(backend.acts.lock().unwrap().is_empty(), "nothing refused may reach the backend");

    let response =
        post("application/json; charset=utf-8", fire).header(ORIGIN, own).header("sec-fetch-site", "same-origin").send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.json::<Value>().await.unwrap()["said"], "Tessa Moran called 911 from Alta St.");
    let response = post("application/json", json!({"do": "fire", "name": "no"}).to_string()).send().await.unwrap();
    assert_eq!(response.status(), 400);
    assert_eq!(response.json::<Value>().await.unwrap(), json!({"error": "There is no such event."}));
    assert_eq!(backend.acts.lock().unwrap().len(), 2);
    server.stop().await;
}

#[tokio::test]
async fn changes_arrive_in_order_at_every_reader() {
    let backend = PageBackend::new(16);
    let server = start(&backend).await;
    let mut readers = [Events::open(&server).await, Events::open(&server).await];
    backend.create(content::card_911(600, 0, &[]));
    backend.update(content::card_911(600, 0, &["A-10\nA-22"]));
    for reader in &mut readers {
        let (first, second) = (reader.next_json().await, reader.next_json().await);
        assert_eq!((&first["type"], &first["seq"]), (&json!("MESSAGE_CREATE"), &json!(101)));
        assert_eq!((&second["type"], &second["seq"]), (&json!("MESSAGE_UPDATE"), &json!(102)));
    }
    server.stop().await;
}

#[tokio::test]
async fn a_reader_that_fell_behind_gets_a_resync() {
    // One thread: nothing is read between these sends, so the capacity of two is surely exceeded.
    let backend = PageBackend::new(2);
    let server = start(&backend).await;
    let mut events = Events::open(&server).await;
    for n in 0..5 {
        backend.create(content::card_911(700 + n, 0, &[]));
    }
    assert_eq!(events.next_json().await, json!({"type": "RESYNC"}));
    assert_eq!(events.next_json().await["seq"], 104, "what is still held follows");
    server.stop().await;
}

#[tokio::test]
async fn stop_ends_streams_and_frees_the_address() {
    let backend = PageBackend::new(16);
    let server = start(&backend).await;
    let address = server.address();
    let mut events = Events::open(&server).await;
    timeout(BOUND, server.stop()).await.expect("stop is bounded");
    assert_eq!(events.next().await, None, "the stream ends in order, not by a cut");
    assert_eq!(backend.changes.receiver_count(), 0);
    let again = PageServer::start(address, backend as Arc<dyn Backend>).await;
    again.expect("the address is free again").stop().await;
}

/// A backend whose changes can end, and whose actions never do.
struct Mute {
    changes: Mutex<Option<broadcast::Sender<Value>>>,
    asked: tokio::sync::Notify,
}

impl Mute {
    fn new() -> Arc<Self> {
        Arc::new(Self { changes: Mutex::new(Some(broadcast::channel(4).0)), asked: tokio::sync::Notify::new() })
    }
}

impl Backend for Mute {
    fn snapshot(&self) -> Value {
        json!({})
    }

    fn subscribe(&self) -> broadcast::Receiver<Value> {
        self.changes.lock().unwrap().as_ref().unwrap().subscribe()
    }

    fn act(&self, _: Value) -> BoxFuture<'static, Result<Value, String>> {
        self.asked.notify_one();
        std::future::pending().boxed()
    }

    fn fire_list(&self) -> Vec<Fire> {
        Vec::new()
    }
}

#[tokio::test]
async fn a_backend_that_goes_away_ends_the_stream() {
    let backend = Mute::new();
    let server = PageServer::start(SocketAddr::from(([127, 0, 0, 1], 0)), Arc::clone(&backend) as Arc<dyn Backend>).await.unwrap();
    let mut events = Events::open(&server).await;
    backend.changes.lock().unwrap().take();
    assert_eq!(events.next().await, None);
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_action_that_is_never_answered_is_given_up_and_does_not_hold_up_stop() {
    let backend = Mute::new();
    let server = PageServer::start(SocketAddr::from(([127, 0, 0, 1], 0)), Arc::clone(&backend) as Arc<dyn Backend>).await.unwrap();
    let post = b"POST /act HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(post).await.unwrap();
    let mut buffer = [0; 4096];
    let n = stream.read(&mut buffer).await.unwrap();
    let answer = String::from_utf8_lossy(&buffer[..n]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 504"), "{answer}");

    backend.asked.notified().await;
    stream.write_all(post).await.unwrap();
    backend.asked.notified().await;
    let begun = tokio::time::Instant::now();
    server.stop().await;
    assert!(begun.elapsed() <= Duration::from_secs(4), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn connections_are_bounded_and_the_next_one_waits_its_turn() {
    let server = start(&PageBackend::new(16)).await;
    let mut readers = Vec::new();
    for _ in 0..64 {
        readers.push(Events::open(&server).await);
    }
    let mut next = TcpStream::connect(server.address()).await.unwrap();
    next.write_all(b"GET /state HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut buffer = [0; 64];
    assert!(timeout(Duration::from_millis(200), next.read(&mut buffer)).await.is_err(), "the 65th is not served yet");
    readers.pop();
    let n = timeout(BOUND, next.read(&mut buffer)).await.expect("a place came free").unwrap();
    assert!(buffer[..n].starts_with(b"HTTP/1.1 200"));
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_says_that_it_is_alive() {
    let server = start(&PageBackend::new(16)).await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let begun = tokio::time::Instant::now();
    stream.write_all(b"GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while !text.contains("\n: still here") && !text.contains("\n:still here") {
        let n = stream.read(&mut buffer).await.unwrap();
        assert!(n > 0, "the stream ended: {text}");
        text.push_str(std::str::from_utf8(&buffer[..n]).unwrap());
    }
    assert!(begun.elapsed() <= Duration::from_secs(16), "{:?}", begun.elapsed());
    server.stop().await;
}

/// The page in headless Chromium: `tests/browser/page.mjs` against this very server. Skipped, with a message, where node, Chromium or
/// the browser driver is missing; `TENFOUR_REQUIRE_BROWSER=1` makes that a failure. `SCREENSHOT` is passed on.
#[tokio::test]
async fn page_in_chromium() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
    let chromium = std::env::var("CHROMIUM").unwrap_or_else(|_| "/usr/bin/chromium".to_owned());
    let node = tokio::process::Command::new("node").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().await;
    let missing = if !node.is_ok_and(|status| status.success()) {
        Some("node is not installed".to_owned())
    } else if !Path::new(&chromium).exists() {
        Some(format!("there is no Chromium at {chromium} (set CHROMIUM)"))
    } else if !folder.join("node_modules/playwright-core").exists() {
        Some("tests/browser/node_modules is missing (npm ci in tests/browser)".to_owned())
    } else {
        None
    };
    if let Some(missing) = missing {
        assert!(std::env::var_os("TENFOUR_REQUIRE_BROWSER").is_none_or(|value| value != "1"), "page_in_chromium cannot run: {missing}");
        println!("SKIPPED page_in_chromium: {missing}");
        return;
    }
    let backend = PageBackend::new(256);
    let server = start(&backend).await;
    let run = tokio::process::Command::new("node")
        .arg("page.mjs")
        .current_dir(&folder)
        .env("URL", server.url())
        .env("CHROMIUM", chromium)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(Duration::from_secs(240), run).await.expect("the browser finishes in time").unwrap();
    let (said, erred) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{said}");
    assert!(output.status.success(), "the page failed in the browser:\n{said}\n{erred}");

    server.stop().await;
    let acts = backend.acts.lock().unwrap();
    for wanted in [
        json!({"do": "click", "channel_id": content::C_911, "message_id": "900000000000000003", "custom_id": "911:respond:84:v1"}),
        json!({"do": "slash", "channel_id": content::C_911, "name": "alerts", "path": ["add"], "options": {"event": "911", "channel": content::C_DISPATCH}}),
        json!({"do": "slash", "channel_id": content::C_911, "name": "alerts", "path": ["remove"], "options": {"route": "r-2"}}),
        json!({"do": "select", "channel_id": content::C_SETUP, "message_id": "900000000000000080", "custom_id": "setup:channel", "values": [content::C_DISPATCH]}),
        json!({"do": "select", "channel_id": content::C_SETUP, "message_id": "900000000000000080", "custom_id": "setup:preset", "values": ["essentials", "duty"]}),
    ] {
        assert!(acts.contains(&wanted), "{wanted} never came; these did: {acts:#?}");
    }
    let modal = acts.iter().find(|act| act["do"] == "modal").expect("the dialog was sent");
    assert_eq!(modal["fields"], json!({"where": "Alta St", "what": "A fire on the roof"}));
}
