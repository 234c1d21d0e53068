//! `TENFOUR_RECORD`: records every request to Discord as a JSON line, from our own sender and from serenity.
//!
//! While recording, a small forwarder on loopback is between the bot and Discord's REST, so that the recording is what was sent
//! over the wire. Lines hold method, path and JSON body; never headers, so never the bot's token; tokens in paths are blanked. The file is
//! created for its owner only.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::files;
use crate::http_server::{self, ConnectionLimiter, ServerLimits};

/// Largest request body forwarded (bytes): Discord takes files up to 10 MiB from bots.
const MAX_BODY: usize = 16 * 1024 * 1024;

#[derive(Clone)]
struct Recorder {
    base: Arc<str>,
    client: reqwest::Client,
    file: Arc<Mutex<File>>,
}

/// Starts the forwarder. Returns the base URL to use in place of `base`, and the future that serves it until `stop`.
///
/// # Errors
/// If the file cannot be opened or no loopback port is free.
pub async fn start(base: &str, file: &Path, stop: CancellationToken) -> anyhow::Result<(String, impl Future<Output = ()> + Send + use<>)> {
    // It contains alerts: for its owner only. The path isn't repeated: the setting may contain a pasted secret.
    let opened = files::private(File::options().create(true).append(true)).open(file);
    let file = opened.context("TENFOUR_RECORD: the file cannot be written")?;
    let client = reqwest::Client::builder()
        .timeout(super::rest::TIME)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .context("cannot make an HTTP client")?;
    let bound = http_server::bind(([127, 0, 0, 1], 0).into(), "TENFOUR_RECORD").await?;
    let url = format!("http://{}", bound.local_addr());
    let recorder = Recorder { base: base.into(), client, file: Arc::new(Mutex::new(file)) };
    let router = Router::new().fallback(forward).with_state(recorder);
    let gate = ConnectionLimiter::new(ServerLimits { per_address: 512, ..ServerLimits::default() });
    Ok((url, http_server::serve(bound, router, gate, stop)))
}

async fn forward(State(recorder): State<Recorder>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    recorder.write(head.method.as_str(), path, &head.headers, &body);

    let mut headers = head.headers;
    for name in [header::HOST, header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
        headers.remove(name);
    }
    let sent = recorder.client.request(head.method, format!("{}{path}", recorder.base)).headers(headers).body(body).send().await;
    // If Discord didn't answer, the bot must not get an answer: a broken connection stays one.
    let Ok(answer) = sent else { return broken() };
    let status = answer.status();
    let mut headers = answer.headers().clone();
    for name in [header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
        headers.remove(name);
    }
    match answer.bytes().await {
        Ok(bytes) => (status, headers, bytes).into_response(),
        Err(_) => broken(),
    }
}

/// A response body that fails while it is read.
fn broken() -> Response {
    let failing = futures_util::stream::once(async { Err::<Bytes, _>(std::io::Error::other("no answer")) });
    (StatusCode::BAD_GATEWAY, Body::from_stream(failing)).into_response()
}

impl Recorder {
    fn write(&self, method: &str, path: &str, headers: &HeaderMap, body: &Bytes) {
        let line = json!({ "method": method, "path": blanked(path), "body": json_of(headers, body) });
        // One write, so that lines stay whole if another process appends to the same file.
        let line = format!("{line}\n");
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.write_all(line.as_bytes()) {
            tracing::warn!(%error, "TENFOUR_RECORD: a request could not be written down");
        }
    }
}

/// The JSON body, also from inside a multipart form; `null` if there is none.
fn json_of(headers: &HeaderMap, body: &Bytes) -> Value {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let Some(boundary) =
        kind.strip_prefix("multipart/form-data").and_then(|rest| rest.split_once("boundary=")).map(|(_, b)| b.trim_matches('"'))
    else {
        return serde_json::from_slice(body).unwrap_or(Value::Null);
    };
    let mark = b"name=\"payload_json\"";
    let Some(at) = body.windows(mark.len()).position(|window| window == mark) else { return Value::Null };
    let rest = body.get(at..).unwrap_or_default();
    let Some(start) = rest.windows(4).position(|window| window == b"\r\n\r\n") else { return Value::Null };
    let content = rest.get(start + 4..).unwrap_or_default();
    let end = format!("\r\n--{boundary}");
    let length = content.windows(end.len()).position(|window| window == end.as_bytes()).unwrap_or(content.len());
    content.get(..length).and_then(|json| serde_json::from_slice(json).ok()).unwrap_or(Value::Null)
}

/// The path without the tokens of interactions and webhooks, which follow two ids.
fn blanked(path: &str) -> String {
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let mut parts: Vec<&str> = path.split('/').collect();
    if let Some(at) = parts.iter().position(|part| matches!(*part, "interactions" | "webhooks"))
        && let Some(token) = parts.get_mut(at + 2)
    {
        *token = "TOKEN";
    }
    let path = parts.join("/");
    query.map_or(path.clone(), |query| format!("{path}?{query}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_in_paths_are_blanked() {
        for (path, shown) in [
            ("/api/v10/interactions/1/s3cret/callback", "/api/v10/interactions/1/TOKEN/callback"),
            ("/api/v10/webhooks/1/s3cret/messages/@original", "/api/v10/webhooks/1/TOKEN/messages/@original"),
            ("/api/v10/channels/1/messages?limit=5", "/api/v10/channels/1/messages?limit=5"),
        ] {
            assert_eq!(blanked(path), shown);
        }
    }

    #[test]
    fn the_json_inside_a_form_is_found() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, "multipart/form-data; boundary=xyz".parse().unwrap());
        let body = "--xyz\r\nContent-Disposition: form-data; name=\"files[0]\"\r\n\r\n{no}\r\n--xyz\r\nContent-Disposition: form-data; name=\"payload_json\"\r\nContent-Type: application/json\r\n\r\n{\"content\":\"hi\"}\r\n--xyz--\r\n";
        assert_eq!(json_of(&headers, &Bytes::from(body)), json!({"content": "hi"}));
        assert_eq!(json_of(&HeaderMap::new(), &Bytes::from("{\"a\":1}")), json!({"a": 1}));
        assert_eq!(json_of(&HeaderMap::new(), &Bytes::new()), Value::Null);
    }
}
