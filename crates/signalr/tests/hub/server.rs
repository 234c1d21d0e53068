//! A scripted server: the test reads each request and decides on the answer. Shares no code with the client.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tenfour_signalr::{Builder, Hub, HubError, HubTask, RetryContext, RetryPolicy, State};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

/// Waits for a condition, with a limit that only a broken program reaches.
pub(super) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(8), what).await.expect("this should have happened long ago")
}

pub(super) struct Server {
    listener: TcpListener,
    pub(super) address: String,
}

impl Server {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        Self { listener, address }
    }

    /// The hub's address.
    pub(super) fn hub(&self) -> String {
        format!("http://{}/apiWsHub", self.address)
    }

    pub(super) async fn connection(&self) -> TcpStream {
        soon(self.listener.accept()).await.unwrap().0
    }

    pub(super) async fn request(&self) -> Request {
        Request::read(self.connection().await).await
    }

    /// Answers a negotiation with `token` and the upgrade that follows, up to the handshake.
    pub(super) async fn open(&self, token: &str) -> Peer {
        self.request().await.negotiated(token).await;
        self.request().await.upgrade().await
    }

    /// The same with the handshake and the client's first ping done.
    pub(super) async fn shaken(&self, token: &str) -> Peer {
        let mut peer = self.open(token).await;
        peer.shake("").await;
        peer
    }

    /// No connection arrives within a moment.
    pub(super) async fn quiet(&self, moment: Duration) {
        assert!(tokio::time::timeout(moment, self.listener.accept()).await.is_err(), "a connection that should not be");
    }
}

pub(super) struct Request {
    stream: TcpStream,
    pub(super) head: String,
}

impl Request {
    pub(super) async fn read(mut stream: TcpStream) -> Self {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(soon(stream.read_u8()).await.unwrap());
        }
        Self { stream, head: String::from_utf8(head).unwrap() }
    }

    /// Method and target.
    pub(super) fn line(&self) -> &str {
        self.head.lines().next().unwrap().trim_end_matches(" HTTP/1.1")
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(": "))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// `headers` is whole lines.
    pub(super) async fn reply(mut self, status: u16, headers: &str, body: &str) {
        let text = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n{body}", body.len());
        self.stream.write_all(text.as_bytes()).await.unwrap();
        self.stream.shutdown().await.ok();
    }

    pub(super) async fn negotiated(self, token: &str) {
        assert!(self.line().starts_with("POST "), "{}", self.line());
        self.reply(200, "", &negotiation(token)).await;
    }

    pub(super) async fn upgrade(mut self) -> Peer {
        assert!(self.line().starts_with("GET "), "{}", self.line());
        let accept = derive_accept_key(self.header("sec-websocket-key").unwrap().as_bytes());
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        self.stream.write_all(answer.as_bytes()).await.unwrap();
        let config = WebSocketConfig::default().max_frame_size(None).max_message_size(None);
        Peer { socket: WebSocketStream::from_raw_socket(self.stream, Role::Server, Some(config)).await, target: self.head }
    }
}

pub(super) fn negotiation(token: &str) -> String {
    format!(
        r#"{{"negotiateVersion":1,"connectionId":"name-of-it","connectionToken":"{token}","availableTransports":[{{"transport":"WebSockets","transferFormats":["Text","Binary"]}}]}}"#
    )
}

pub(super) struct Peer {
    pub(super) socket: WebSocketStream<TcpStream>,
    /// The request's head.
    pub(super) target: String,
}

impl Peer {
    /// Takes the handshake, answers it with `behind` in the same message, takes the first ping.
    pub(super) async fn shake(&mut self, behind: &str) {
        assert_eq!(self.text().await, "{\"protocol\":\"json\",\"version\":1}\u{1e}");
        self.raw(&format!("{{}}\u{1e}{behind}")).await;
        assert_eq!(self.text().await, "{\"type\":6}\u{1e}");
    }

    /// A record; the separator is added.
    pub(super) async fn say(&mut self, record: &str) {
        self.raw(&format!("{record}\u{1e}")).await;
    }

    pub(super) async fn raw(&mut self, text: &str) {
        soon(self.socket.send(Message::text(text.to_owned()))).await.unwrap();
    }

    /// The next text message as it came.
    pub(super) async fn text(&mut self) -> String {
        match soon(self.socket.next()).await {
            Some(Ok(Message::Text(text))) => text.as_str().to_owned(),
            other => panic!("{other:?} instead of a text"),
        }
    }

    /// The next record other than a ping.
    pub(super) async fn record(&mut self) -> Value {
        loop {
            let text = self.text().await;
            let record: Value = serde_json::from_str(text.strip_suffix('\u{1e}').unwrap()).unwrap();
            if record["type"] != 6 {
                return record;
            }
        }
    }

    /// Reads everything until the client is gone.
    pub(super) async fn gone(mut self) {
        while let Some(Ok(_)) = soon(self.socket.next()).await {}
    }

    /// The connection works: a call goes through.
    pub(super) async fn works(&mut self, hub: &Hub) {
        soon(hub.state().wait_for(|state| matches!(state, State::Ready { .. }))).await.unwrap();
        let (answer, ()) = tokio::join!(hub.invoke("probe", ()), async {
            let call = self.record().await;
            assert_eq!(call["target"], "probe");
            self.say(&format!(r#"{{"type":3,"invocationId":{},"result":"ok"}}"#, call["invocationId"])).await;
        });
        assert_eq!(answer.unwrap().unwrap().get(), "\"ok\"");
    }
}

/// What the policy was given: failures so far, why, and whether another way is left.
#[derive(Clone, Debug)]
pub(super) struct PolicyCall {
    pub(super) attempt: u32,
    pub(super) error: HubError,
    pub(super) other_way_left: bool,
}

/// A policy that hardly waits, and records its calls.
#[derive(Clone, Default)]
pub(super) struct Policy(pub(super) Arc<Mutex<Vec<PolicyCall>>>);

impl Policy {
    pub(super) fn seen(&self) -> Vec<PolicyCall> {
        self.0.lock().unwrap().clone()
    }

    pub(super) async fn nth(&self, n: usize) -> PolicyCall {
        soon(async {
            loop {
                if let Some(seen) = self.seen().get(n) {
                    return seen.clone();
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
        .await
    }
}

impl RetryPolicy for Policy {
    fn next(&mut self, context: &RetryContext<'_>) -> Option<Duration> {
        assert_eq!(context.retry_after, context.error.retry_after());
        let seen = PolicyCall { attempt: context.attempt, error: context.error.clone(), other_way_left: context.other_way_left };
        self.0.lock().unwrap().push(seen);
        Some(Duration::from_millis(1))
    }
}

/// A running hub whose policy is `policy`.
pub(super) struct Client {
    pub(super) hub: Hub,
    pub(super) policy: Policy,
    pub(super) task: JoinHandle<()>,
}

/// Trusts nobody: reading the platform's roots for each test would cost more than the tests.
pub(super) fn no_roots() -> Arc<rustls::ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(tls.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
}

pub(super) fn builder(url: &str, policy: &Policy) -> Builder {
    Hub::builder(url).tls(no_roots()).retry(policy.clone())
}

pub(super) fn start(url: &str, build: impl FnOnce(Builder) -> Builder, prepare: impl FnOnce(&mut HubTask)) -> Client {
    let policy = Policy::default();
    let (hub, mut task) = build(builder(url, &policy)).build().unwrap();
    prepare(&mut task);
    Client { hub, policy, task: tokio::spawn(task.run()) }
}

impl Client {
    pub(super) async fn until(&self, mut wanted: impl FnMut(&State) -> bool) -> State {
        soon(self.hub.state().wait_for(|state| wanted(state))).await.unwrap().clone()
    }

    pub(super) async fn ready(&self) -> u64 {
        match self.until(|state| matches!(state, State::Ready { .. })).await {
            State::Ready { epoch, .. } => epoch,
            _ => 0,
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.task.abort();
    }
}
