//! The event listener and the accept loop under it, over real sockets. The clock is paused: it moves on only when all tasks
//! are idle, so "too slow" and "never" are exact and take no time.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use secrecy::SecretString;
use tenfour::cad::listener::{BODY_TIME, COMMIT_TIME, Credentials, Listener, MAX_BODY};
use tenfour::clock::{Clock, UnixMs};
use tenfour::event::{RawEvent, Source};
use tenfour::http_server::{self, ConnectionLimiter, ServerLimits};
use tenfour::ids::{CommunityId, ServerId};
use tenfour::intake_queue::{self, Arrival, IntakeError, SharedWeight};
use tenfour::metrics::Metrics;
use tenfour::telemetry;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

const KEY: &str = "5eC4e7-kEy";
const NOW: UnixMs = UnixMs(1_700_000_000_000);

struct Server {
    addr: SocketAddr,
    arrivals: mpsc::Receiver<Arrival>,
    metrics: Metrics,
    drain: CancellationToken,
    served: JoinHandle<()>,
}

impl Server {
    async fn start() -> Self {
        Self::with(ServerLimits::default(), None).await
    }

    async fn with(limits: ServerLimits, port_server: Option<u32>) -> Self {
        let metrics = Metrics::new(&[ServerId(1)], &[]);
        let listener = Listener::new(metrics.clone(), Clock::manual(NOW));
        // Which of them an event belongs to is seen by its server.
        let (intake, arrivals) = intake_queue::channel(&SharedWeight::default());
        for (community, key, servers) in [("first", KEY, vec![1, 2]), ("second", "other-key", vec![7])] {
            let (key, servers) = (SecretString::from(key), servers.into_iter().map(ServerId).collect());
            listener.admit(Credentials { community: CommunityId::new(community), intake: intake.clone(), key, servers });
        }
        let bound = http_server::bind("127.0.0.1:0".parse().unwrap(), "LISTEN_ADDR").await.unwrap();
        let addr = bound.local_addr();
        let drain = CancellationToken::new();
        let port = listener.port(port_server.map(ServerId));
        let served = tokio::spawn(http_server::serve(bound, port, ConnectionLimiter::new(limits), drain.clone()));
        Self { addr, arrivals, metrics, drain, served }
    }

    async fn connect(&self) -> Client {
        Client { stream: TcpStream::connect(self.addr).await.unwrap(), read: Vec::new() }
    }

    /// Sends a whole request on its own connection; the response must come without an event in the queue.
    async fn ask(&mut self, request: impl AsRef<[u8]>) -> Reply {
        let mut client = self.connect().await;
        client.send(request).await;
        let reply = client.reply().await;
        assert!(self.arrivals.try_recv().is_err(), "stored, but answered {}", reply.status);
        reply
    }

    /// Sends a request whose event must reach the queue, where it gets `fate`.
    async fn deliver(&mut self, request: impl AsRef<[u8]>, fate: Result<(), IntakeError>) -> (Reply, RawEvent) {
        let mut client = self.connect().await;
        client.send(request).await;
        let event = self.settle(fate).await;
        (client.reply().await, event)
    }

    async fn settle(&mut self, fate: Result<(), IntakeError>) -> RawEvent {
        let arrival = timeout(Duration::from_secs(1), self.arrivals.recv()).await.expect("nothing came to the queue").unwrap();
        arrival.done.unwrap().send(fate).unwrap();
        arrival.event
    }

    fn count(&self, outcome: &str) -> u64 {
        let series = format!(r#"tenfour_events_total{{source="http",outcome="{outcome}"}} "#);
        let text = self.metrics.encode();
        text.lines().find_map(|line| line.strip_prefix(&series)).unwrap().parse().unwrap()
    }
}

struct Client {
    stream: TcpStream,
    read: Vec<u8>,
}

#[derive(Debug)]
struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Client {
    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// The next response; content-length gives its end.
    async fn reply(&mut self) -> Reply {
        self.try_reply(true).await.expect("closed without an answer")
    }

    async fn try_reply(&mut self, with_body: bool) -> Option<Reply> {
        let head_end = loop {
            if let Some(at) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if self.stream.read_buf(&mut self.read).await.unwrap_or(0) == 0 {
                return None;
            }
        };
        let head = String::from_utf8(self.read.drain(..head_end).collect()).unwrap().to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |text| text.parse().unwrap());
        while with_body && self.read.len() < length {
            assert_ne!(self.stream.read_buf(&mut self.read).await.unwrap(), 0, "closed within a body");
        }
        let body = if with_body { self.read.drain(..length).collect() } else { Vec::new() };
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Some(Reply { status, head, body: String::from_utf8(body).unwrap() })
    }

    /// Whether the connection is closed (or reset) without another byte, within `limit` of the paused clock.
    async fn is_closed_within(&mut self, limit: Duration) -> bool {
        let mut byte = [0];
        match timeout(limit, self.stream.read(&mut byte)).await {
            Err(_) => false,
            Ok(read) => {
                assert_eq!(read.unwrap_or(0), 0, "bytes came");
                true
            }
        }
    }

    /// Whether nothing at all comes for `limit` of the paused clock.
    async fn is_silent_for(&mut self, limit: Duration) -> bool {
        timeout(limit, self.stream.read(&mut [0])).await.is_err()
    }
}

fn post_to(path: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut request = format!("POST {path} HTTP/1.1\r\nHost: bot\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    request.extend_from_slice(body);
    request
}

fn post(body: impl AsRef<[u8]>) -> Vec<u8> {
    post_to("/sonorancad/event", body)
}

fn event() -> String {
    format!(r#"{{"key":"{KEY}","type":"EVENT_UNIT_PANIC","data":{{"identIds":[1],"isPanic":true}}}}"#)
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[tokio::test(start_paused = true)]
async fn an_event_reaches_the_intake_without_its_key_and_is_answered_ok() {
    let mut server = Server::start().await;
    let (reply, event) = server.deliver(post(event()), Ok(())).await;
    assert_eq!((reply.status, reply.body.as_str()), (200, "ok"));
    assert!(reply.head.contains("content-type: text/plain"), "{}", reply.head);
    assert_eq!((event.server, event.source, event.received_at), (ServerId(1), Source::Http, NOW));
    assert_eq!(event.envelope.kind, "EVENT_UNIT_PANIC");
    assert!(!format!("{event:?}").to_lowercase().contains(&KEY.to_lowercase()));
}

#[tokio::test(start_paused = true)]
async fn every_documented_path_and_shape_is_taken() {
    let mut server = Server::start().await;
    for path in ["/", "/?a=b", "/event", "/event/", "/sonorancad/event", "/sonorancad/event/", "/event?server=1&x=%20"] {
        assert_eq!(server.deliver(post_to(path, event()), Ok(())).await.0.status, 200, "{path}");
    }
    // Key in any letter case, unknown types, a text that contains the object, no data at all.
    let quoted = serde_json::to_string(&event()).unwrap();
    for body in [event().replace(KEY, &KEY.to_uppercase()), quoted, format!(r#"{{"key":"{KEY}","type":"NEVER_SEEN"}}"#)] {
        assert_eq!(server.deliver(post(&body), Ok(())).await.0.status, 200, "{body}");
    }
    let typed = format!("POST / HTTP/1.1\r\nHost: bot\r\nContent-Type: image/png\r\nContent-Length: {}\r\n\r\n{}", event().len(), event());
    assert_eq!(server.deliver(typed, Ok(())).await.0.status, 200);
    let chunked =
        format!("POST / HTTP/1.1\r\nHost: bot\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{}\r\n0\r\n\r\n", event().len(), event());
    assert_eq!(server.deliver(chunked, Ok(())).await.0.status, 200);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_event_is_refused_with_its_reason() {
    let mut server = Server::start().await;
    let deep = format!(r#"{{"key":"{KEY}","type":"X","data":{}{}}}"#, "[".repeat(5000), "]".repeat(5000));
    for body in ["", "nonsense", "{", "\u{0}", &deep, "\"nonsense\""] {
        let reply = server.ask(post(body)).await;
        assert_eq!((reply.status, reply.body.as_str()), (400, "the body is not JSON that can be read"), "{body:.40}");
    }
    for body in ["[]", "7", "null", "\"[1]\""] {
        let reply = server.ask(post(body)).await;
        assert_eq!((reply.status, reply.body.as_str()), (400, "the body is not a JSON object"), "{body}");
    }
    for rest in ["", r#","type":7"#, r#","type":"  ""#, r#","data":{}"#] {
        let reply = server.ask(post(format!(r#"{{"key":"{KEY}"{rest}}}"#))).await;
        assert_eq!((reply.status, reply.body.as_str()), (400, "the event has no usable type"), "{rest}");
    }
    assert_eq!(server.count("malformed"), 14);

    let (reply, _) = server.deliver(post(event()), Err(IntakeError::Unusable)).await;
    assert_eq!((reply.status, reply.body.as_str()), (400, "the data of this event type cannot be used"));
    assert_eq!(server.count("malformed"), 14);
}

#[tokio::test(start_paused = true)]
async fn a_missing_and_a_wrong_key_look_the_same_and_hide_everything_else() {
    let mut server = Server::start().await;
    let mut answers = Vec::new();
    for (path, body) in [
        ("/", r#"{"type":"X"}"#.to_owned()),
        ("/", r#"{"key":"wrong","type":"X"}"#.into()),
        ("/", r#"{"key":"","type":"X"}"#.into()),
        ("/", r#"{"key":7,"type":"X"}"#.into()),
        ("/", r#"{"key":["5eC4e7-kEy"],"type":"X"}"#.into()),
        ("/", r#"{"key":"5eC4e7-kE","type":"X"}"#.into()),
        ("/", r#"{"key":"5eC4e7-kEy ","type":"X"}"#.into()),
        ("/", format!(r#"{{"key":"{}","type":"X"}}"#, "k".repeat(5000))),
        // A stranger learns neither that the type is bad nor which servers exist.
        ("/", r#"{"key":"wrong"}"#.into()),
        ("/", "{}".into()),
        ("/?server=99", r#"{"key":"wrong","type":"X"}"#.into()),
    ] {
        let reply = server.ask(post_to(path, &body)).await;
        assert_eq!(reply.status, 401, "{path} {body:.60}");
        answers.push(reply.body);
    }
    assert_eq!(answers.len(), 11);
    answers.dedup();
    assert_eq!(answers, ["the key is missing or wrong"]);
    assert_eq!(server.count("unauthorised"), 11);
}

#[tokio::test(start_paused = true)]
async fn other_paths_and_methods() {
    let mut server = Server::start().await;
    for path in ["/nothing", "/event/x", "/sonorancad", "//", "/healthz"] {
        assert_eq!(server.ask(post_to(path, event())).await.status, 404, "{path}");
    }
    for path in ["/", "/event/", "/sonorancad/event?server=1"] {
        for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "BREW"] {
            let reply = server.ask(format!("{method} {path} HTTP/1.1\r\nHost: bot\r\n\r\n")).await;
            assert_eq!(reply.status, 405, "{method} {path}");
            assert!(reply.head.contains("\r\nallow: get, head, post\r\n"), "{}", reply.head);
        }
        let reply = server.ask(format!("GET {path} HTTP/1.1\r\nHost: bot\r\n\r\n")).await;
        assert_eq!((reply.status, reply.body.as_str()), (200, "Tenfour listens here for Sonoran CAD's push events.\n"));
    }
    let mut client = server.connect().await;
    client.send("HEAD / HTTP/1.1\r\nHost: bot\r\nConnection: close\r\n\r\n").await;
    assert_eq!(client.try_reply(false).await.unwrap().status, 200);
    assert!(client.is_closed_within(secs(1)).await);
}

#[tokio::test(start_paused = true)]
async fn the_query_wins_over_the_port_and_the_port_over_the_first() {
    let mut server = Server::with(ServerLimits::default(), Some(2)).await;
    assert_eq!(server.deliver(post_to("/", event()), Ok(())).await.1.server, ServerId(2));
    assert_eq!(server.deliver(post_to("/?server=1", event()), Ok(())).await.1.server, ServerId(1));
    for (query, text) in [
        ("server=3", "server 3 is not configured here: see SONORAN_SERVER_IDS"),
        ("server=0", "server=0 is not a server number"),
        ("server=", "server= is not a server number"),
        ("server=two%0d%0a", "server=two?? is not a server number"),
    ] {
        let reply = server.ask(post_to(&format!("/event?{query}"), event())).await;
        assert_eq!((reply.status, reply.body.as_str()), (400, text));
    }
}

#[tokio::test(start_paused = true)]
async fn the_key_decides_whose_event_it_is() {
    let mut server = Server::start().await;
    let body = r#"{"key":"OTHER-key","type":"X"}"#;
    let (reply, event) = server.deliver(post(body), Ok(())).await;
    assert_eq!((reply.status, event.server), (200, ServerId(7)));
    assert_eq!(server.ask(post_to("/?server=1", body)).await.status, 400);
}

#[tokio::test(start_paused = true)]
async fn ok_is_said_only_once_the_event_is_committed() {
    let mut server = Server::start().await;
    let mut client = server.connect().await;
    client.send(post(event())).await;
    let arrival = server.arrivals.recv().await.unwrap();
    assert!(client.is_silent_for(secs(5)).await, "answered before the commit");
    arrival.done.unwrap().send(Ok(())).unwrap();
    assert_eq!(client.reply().await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_stored_now_is_to_be_sent_again() {
    let mut server = Server::start().await;
    let (reply, _) = server.deliver(post(event()), Err(IntakeError::Unavailable)).await;
    assert_eq!(reply.status, 503);
    assert!(reply.head.contains("\r\nretry-after: 1\r\n"), "{}", reply.head);

    // The store hangs.
    let mut client = server.connect().await;
    client.send(post(event())).await;
    let began = Instant::now();
    assert_eq!(client.reply().await.status, 503);
    assert_eq!(began.elapsed().as_secs(), COMMIT_TIME.as_secs());
    assert!(server.arrivals.try_recv().is_ok());

    // The bot stops.
    server.arrivals.close();
    assert_eq!(server.ask(post(event())).await.status, 503);
    assert_eq!(server.count("unavailable"), 3);
}

#[tokio::test(start_paused = true)]
async fn size_is_bounded_with_and_without_a_declared_length() {
    let mut server = Server::start().await;
    let fill = |size: usize| {
        let outside = format!(r#"{{"key":"{KEY}","type":"X","data":""}}"#).len();
        format!(r#"{{"key":"{KEY}","type":"X","data":"{}"}}"#, "x".repeat(size - outside))
    };
    assert_eq!(server.deliver(post(fill(MAX_BODY)), Ok(())).await.0.status, 200);
    assert_eq!(server.ask(post(fill(MAX_BODY + 1))).await.status, 413);

    let mut chunked = b"POST / HTTP/1.1\r\nHost: bot\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..=16 {
        chunked.extend_from_slice(format!("10000\r\n{}\r\n", "x".repeat(0x10000)).as_bytes());
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    assert_eq!(server.ask(&chunked).await.status, 413);

    // `Expect: 100-continue` is answered before the body is sent; an announced gigabyte isn't read.
    let length = MAX_BODY + 1;
    let reply = server.ask(format!("POST / HTTP/1.1\r\nHost: bot\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n")).await;
    assert_eq!(reply.status, 413);
    assert_eq!(server.ask("POST / HTTP/1.1\r\nHost: bot\r\nContent-Length: 1000000000\r\n\r\n").await.status, 413);
    assert_eq!(server.count("too_large"), 4);
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_leave_gets_it() {
    let mut server = Server::start().await;
    let mut client = server.connect().await;
    let length = event().len();
    client.send(format!("POST / HTTP/1.1\r\nHost: bot\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n")).await;
    assert_eq!(client.reply().await.status, 100);
    client.send(event()).await;
    server.settle(Ok(())).await;
    assert_eq!(client.reply().await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_is_answered_408_after_its_time() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    let body = event();
    client.send(format!("POST / HTTP/1.1\r\nHost: bot\r\nContent-Length: {}\r\n\r\n{}", body.len(), &body[..10])).await;
    let began = Instant::now();
    // A slow trickle of bytes buys no time: the limit is on the whole.
    tokio::time::sleep(secs(8)).await;
    client.send(&body[10..11]).await;
    let reply = client.reply().await;
    assert_eq!((reply.status, began.elapsed().as_secs()), (408, BODY_TIME.as_secs()));
    assert!(client.is_closed_within(secs(1)).await);
    assert_eq!(server.count("too_slow"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_slow_head_is_cut_off() {
    let server = Server::start().await;
    let began = Instant::now();
    let mut silent = server.connect().await;
    assert!(silent.is_closed_within(secs(60)).await);
    assert_eq!(began.elapsed().as_secs(), 5);

    let began = Instant::now();
    let mut dribbling = server.connect().await;
    for byte in b"POST" {
        dribbling.send([*byte]).await;
        tokio::time::sleep(secs(1)).await;
    }
    assert!(dribbling.is_closed_within(secs(60)).await);
    assert_eq!(began.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn connections_are_kept_for_the_next_request_but_not_for_ever() {
    let mut server = Server::start().await;
    let mut client = server.connect().await;
    for _ in 0..3 {
        client.send(post(event())).await;
        server.settle(Ok(())).await;
        assert_eq!(client.reply().await.status, 200);
        assert!(client.is_silent_for(secs(50)).await);
    }
    // Half a head on a kept connection has the head's time limit, not the idle one.
    client.send("POST / HT").await;
    let began = Instant::now();
    assert!(client.is_closed_within(secs(60)).await);
    assert_eq!(began.elapsed().as_secs(), 5);

    let mut client = server.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: bot\r\n\r\n").await;
    assert_eq!(client.reply().await.status, 200);
    let began = Instant::now();
    assert!(client.is_closed_within(secs(600)).await);
    assert_eq!(began.elapsed().as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn requests_sent_in_one_go_are_answered_in_order() {
    let mut server = Server::start().await;
    let mut client = server.connect().await;
    let mut all = post(event());
    all.extend(post("nonsense"));
    all.extend(post(event()));
    client.send(all).await;
    server.settle(Ok(())).await;
    assert_eq!(client.reply().await.status, 200);
    assert_eq!(client.reply().await.status, 400);
    server.settle(Err(IntakeError::Unavailable)).await;
    assert_eq!(client.reply().await.status, 503);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_has_finished_sending_still_gets_its_answer() {
    let mut server = Server::start().await;
    let mut client = server.connect().await;
    client.send(post(event())).await;
    client.stream.shutdown().await.unwrap();
    let arrival = server.arrivals.recv().await.unwrap();
    assert!(client.is_silent_for(secs(1)).await);
    arrival.done.unwrap().send(Ok(())).unwrap();
    assert_eq!(client.reply().await.status, 200);
    assert!(client.is_closed_within(secs(1)).await);

    // Finished in the middle of a body: nothing is stored.
    let mut client = server.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: bot\r\nContent-Length: 100\r\n\r\n{").await;
    client.stream.shutdown().await.unwrap();
    assert!(client.try_reply(true).await.is_none_or(|reply| reply.status == 400));
    assert!(server.arrivals.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn one_address_cannot_take_every_connection() {
    let server = Server::with(ServerLimits { per_address: 2, ..ServerLimits::default() }, None).await;
    let get = "GET / HTTP/1.1\r\nHost: bot\r\n\r\n";
    let mut first = server.connect().await;
    let mut second = server.connect().await;
    for client in [&mut first, &mut second] {
        client.send(get).await;
        assert_eq!(client.reply().await.status, 200);
    }
    // Idle for longer than the second: its slot goes to the third.
    let mut third = server.connect().await;
    third.send(get).await;
    assert_eq!(third.reply().await.status, 200);
    assert!(first.is_closed_within(secs(1)).await);
    second.send(get).await;
    assert_eq!(second.reply().await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn further_connections_wait_while_all_others_wait_for_us() {
    let mut server = Server::with(ServerLimits { connections: 1, ..ServerLimits::default() }, None).await;
    let mut first = server.connect().await;
    first.send(post(event())).await;
    let arrival = timeout(secs(1), server.arrivals.recv()).await.unwrap().unwrap();
    let mut second = server.connect().await;
    second.send("GET / HTTP/1.1\r\nHost: bot\r\n\r\n").await;
    assert!(second.is_silent_for(secs(10)).await);
    arrival.done.unwrap().send(Ok(())).unwrap();
    assert_eq!(first.reply().await.status, 200);
    drop(first);
    assert_eq!(second.reply().await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn when_full_the_longest_idle_connection_goes_whatever_it_is_idle_in() {
    let mut server = Server::with(ServerLimits { connections: 4, ..ServerLimits::default() }, None).await;
    let silent = server.connect().await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    let mut half_a_head = server.connect().await;
    half_a_head.send("GET / HT").await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    let mut half_a_body = server.connect().await;
    half_a_body.send("POST /event HTTP/1.1\r\nHost: bot\r\nContent-Length: 100\r\n\r\n{").await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    let mut kept = server.connect().await;
    kept.send("GET / HTTP/1.1\r\nHost: bot\r\n\r\n").await;
    assert_eq!(kept.reply().await.status, 200);
    let mut newer = Vec::new();
    for mut idle in [silent, half_a_head, half_a_body, kept] {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let mut client = server.connect().await;
        client.send(post(event())).await;
        server.settle(Ok(())).await;
        assert_eq!(client.reply().await.status, 200);
        newer.push(client);
        assert!(idle.is_closed_within(secs(1)).await);
    }
}

#[tokio::test(start_paused = true)]
async fn more_values_than_an_event_can_have_are_413_whoever_sends_them() {
    let mut server = Server::start().await;
    let many = |values: usize| format!("[{}0]", "0,".repeat(values - 2));
    for key in [KEY, "wrong"] {
        for (data, fits) in [(many(19_997), true), (many(19_998), false), (r#"{"":0},"#.repeat(150_000), false)] {
            let body =
                format!(r#"{{"key":"{key}","type":"UNKNOWN","data":{}}}"#, if data.ends_with(',') { format!("[{data}0]") } else { data });
            let text = serde_json::to_string(&body).unwrap();
            for body in [body, text].into_iter().filter(|body| body.len() <= MAX_BODY) {
                let status = match (fits, key == KEY) {
                    (true, true) => server.deliver(post(&body), Ok(())).await.0.status,
                    _ => server.ask(post(&body)).await.status,
                };
                assert_eq!(
                    status,
                    if !fits {
                        413
                    } else if key == KEY {
                        200
                    } else {
                        401
                    }
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn stopping_ends_what_is_in_hand_and_waits_for_nobody_else() {
    let mut server = Server::start().await;
    let mut in_hand = server.connect().await;
    in_hand.send(post(event())).await;
    let arrival = server.arrivals.recv().await.unwrap();
    let mut idle = server.connect().await;
    idle.send("GET / HTTP/1.1\r\nHost: bot\r\n\r\n").await;
    assert_eq!(idle.reply().await.status, 200);
    let mut fresh = server.connect().await;
    let mut half_head = server.connect().await;
    half_head.send("POST / HT").await;
    let mut half_body = server.connect().await;
    half_body.send("POST / HTTP/1.1\r\nHost: bot\r\nContent-Length: 100\r\n\r\n{").await;
    tokio::time::sleep(secs(1)).await;

    let began = Instant::now();
    server.drain.cancel();
    assert!(idle.is_closed_within(secs(1)).await, "an idle connection was kept");
    assert!(fresh.is_closed_within(secs(1)).await, "a connection without a request was kept");
    assert!(TcpStream::connect(server.addr).await.is_err(), "the port is still open");
    arrival.done.unwrap().send(Ok(())).unwrap();
    let reply = in_hand.reply().await;
    assert_eq!(reply.status, 200);
    assert!(reply.head.contains("connection: close"), "{}", reply.head);
    server.served.await.unwrap();
    assert!(began.elapsed() <= secs(5), "{:?}", began.elapsed());
    assert!(half_head.is_closed_within(secs(1)).await);
    assert!(half_body.is_closed_within(secs(1)).await);
}

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Sink {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn keys_and_bodies_are_never_logged_and_offenders_once_a_minute() {
    let sink = Sink::default();
    let writer = sink.clone();
    let everything = tracing_subscriber::EnvFilter::new("trace");
    let subscriber = telemetry::subscriber(everything, telemetry::Format::Text, false, move || writer.clone());
    // Every task of this test runs on this thread.
    let _guard = tracing::subscriber::set_default(subscriber);

    let mut server = Server::start().await;
    let secret = "wr0ng-key-of-a-stranger";
    let mut replies = String::new();
    for body in [
        event(),
        format!(r#"{{"key":"{secret}","type":"X","data":"a-players-text"}}"#),
        format!(r#"{{"key":"{secret}"}}"#),
        format!(r#"{{"key":"{secret}" nonsense"#),
        format!(r#"{{"key":"{KEY}"}}"#),
        r#"{"type":"X"}"#.into(),
    ] {
        let mut client = server.connect().await;
        client.send(post(&body)).await;
        if body == event() {
            server.settle(Ok(())).await;
        }
        let reply = client.reply().await;
        replies.push_str(&reply.head);
        replies.push_str(&reply.body);
    }
    let text = sink.text();
    assert!(text.contains("SONORAN_API_KEY"), "{text}");
    assert_eq!(text.matches("a push event with").count(), 1, "{text}");
    let shown = format!("{text}{replies}").to_lowercase();
    for never in [KEY, secret, "a-players-text"] {
        assert!(!shown.contains(&never.to_lowercase()), "{never} in\n{shown}");
    }

    tokio::time::sleep(secs(60)).await;
    server.ask(post(r#"{"type":"X"}"#)).await;
    assert_eq!(sink.text().matches("a push event with").count(), 2);
}
