//! A bot of a few lines: raw REST and a raw gateway connection.

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::*;

/// The token of every simulator here.
pub(super) const TOKEN: &str = "not.a.real.token";

pub(super) struct Bot {
    pub(super) sim: DiscordSim,
    pub(super) http: reqwest::Client,
    pub(super) guild: String,
    pub(super) channel: String,
}

/// Options without rate limits, unless a test wants them.
pub(super) fn calm() -> DiscordOptions {
    DiscordOptions { token: TOKEN.into(), rate_limits: RateLimits::Off, ..DiscordOptions::default() }
}

pub(super) async fn bot() -> Bot {
    bot_with(calm()).await
}

pub(super) async fn bot_with(options: DiscordOptions) -> Bot {
    let sim = DiscordSim::start(options).await.unwrap();
    let guild = sim.add_guild("Los Santos");
    let channel = sim.add_channel(&guild, "alerts", 0);
    Bot { sim, http: reqwest::Client::builder().no_proxy().build().unwrap(), guild, channel }
}

impl Bot {
    pub(super) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}/api/v10{path}", self.sim.url())).header("Authorization", format!("Bot {TOKEN}"))
    }

    pub(super) async fn call(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let request = self.request(method, path);
        let request = if body.is_null() { request } else { request.json(&body) };
        read(request.send().await.unwrap()).await
    }

    pub(super) async fn get(&self, path: &str) -> (u16, Value) {
        self.call(Method::GET, path, Value::Null).await
    }

    /// Posts into the channel and returns the message.
    pub(super) async fn post(&self, body: Value) -> Value {
        let (status, value) = self.call(Method::POST, &format!("/channels/{}/messages", self.channel), body).await;
        assert_eq!(status, 200, "{value}");
        value
    }

    /// Posts something that must be rejected into the channel.
    pub(super) async fn refused(&self, body: Value) -> (u16, Value) {
        let (status, value) = self.call(Method::POST, &format!("/channels/{}/messages", self.channel), body).await;
        assert!(status >= 400, "was accepted: {value}");
        (status, value)
    }

    pub(super) fn seen(&self) -> Vec<Value> {
        self.sim.messages(&self.channel)
    }

    pub(super) async fn gateway(&self, intents: u64) -> Gateway {
        let mut gateway = Gateway::connect(&self.sim).await;
        gateway.identify(intents).await;
        gateway
    }

    /// Registers commands and connects: ready for interactions.
    pub(super) async fn with_commands(&self, commands: Value) -> Gateway {
        let path = format!("/applications/{}/guilds/{}/commands", self.sim.application_id(), self.guild);
        let (status, value) = self.call(Method::PUT, &path, commands).await;
        assert_eq!(status, 200, "{value}");
        let mut gateway = self.gateway(1).await;
        gateway.event("GUILD_CREATE").await;
        gateway
    }

    /// Answers an interaction.
    pub(super) async fn callback(&self, event: &Value, body: Value) -> (u16, Value) {
        let path = format!("/interactions/{}/{}/callback", event["id"].as_str().unwrap(), event["token"].as_str().unwrap());
        self.call(Method::POST, &path, body).await
    }

    /// The URL of an interaction's webhook.
    pub(super) fn webhook(&self, event: &Value, rest: &str) -> String {
        format!("/webhooks/{}/{}{rest}", self.sim.application_id(), event["token"].as_str().unwrap())
    }
}

pub(super) async fn read(response: reqwest::Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() })
}

pub(super) struct Gateway {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub(super) session: String,
    pub(super) seq: u64,
}

impl Gateway {
    /// Connects and reads HELLO.
    pub(super) async fn connect(sim: &DiscordSim) -> Self {
        let url = format!("{}/gateway-ws?v=10&encoding=json", sim.url().replace("http://", "ws://"));
        let (socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        let mut gateway = Self { socket, session: String::new(), seq: 0 };
        let hello = gateway.next().await;
        assert_eq!(hello["op"], 10);
        assert!(hello["d"]["heartbeat_interval"].as_u64().unwrap() > 0);
        gateway
    }

    pub(super) async fn send(&mut self, payload: Value) {
        self.send_text(&payload.to_string()).await;
    }

    pub(super) async fn send_text(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    pub(super) async fn identify(&mut self, intents: u64) {
        self.send(json!({"op": 2, "d": {"token": format!("Bot {TOKEN}"), "intents": intents, "compress": true, "properties": {}}})).await;
        let ready = self.next().await;
        assert_eq!((ready["op"].as_u64(), ready["t"].as_str(), ready["s"].as_u64()), (Some(0), Some("READY"), Some(1)), "{ready}");
        self.session = ready["d"]["session_id"].as_str().unwrap().to_owned();
    }

    /// The next payload, which must come.
    pub(super) async fn next(&mut self) -> Value {
        match self.frame().await {
            Some(Message::Text(text)) => {
                let value: Value = serde_json::from_str(&text).unwrap();
                self.seq = value["s"].as_u64().unwrap_or(self.seq);
                value
            }
            other => panic!("expected a payload, got {other:?}"),
        }
    }

    /// The data of the next event of this name; others are skipped.
    pub(super) async fn event(&mut self, name: &str) -> Value {
        loop {
            let payload = self.next().await;
            if payload["t"] == name {
                return payload["d"].clone();
            }
        }
    }

    /// Everything up to the answer to a heartbeat: proves that nothing else came before it.
    pub(super) async fn drain(&mut self) -> Vec<Value> {
        let seq = self.seq;
        self.send(json!({"op": 1, "d": seq})).await;
        let mut all = Vec::new();
        loop {
            let payload = self.next().await;
            if payload["op"] == 11 {
                return all;
            }
            all.push(payload);
        }
    }

    /// The close code the other side gives: `Some(None)` is a close frame without one, `None` no frame at all.
    pub(super) async fn closed(&mut self) -> Option<Option<u16>> {
        loop {
            match self.frame().await {
                Some(Message::Close(frame)) => return Some(frame.map(|f| f.code.into())),
                Some(_) => {}
                None => return None,
            }
        }
    }

    pub(super) async fn close(mut self, code: u16) {
        let frame = tokio_tungstenite::tungstenite::protocol::CloseFrame { code: code.into(), reason: "".into() };
        self.socket.close(Some(frame)).await.unwrap();
        while self.frame().await.is_some() {}
    }

    async fn frame(&mut self) -> Option<Message> {
        tokio::time::timeout(SOON, self.socket.next()).await.expect("the gateway said nothing").and_then(Result::ok)
    }
}
