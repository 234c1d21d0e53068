//! Serves health, readiness, and metrics to operators. Holds no secrets, changes nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::sync::watch;

use crate::ids::ServerId;
use crate::metrics::Metrics;

/// A part of the bot that must work before it is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReadyPart {
    /// The database.
    Store,
    /// Discord's gateway.
    Discord,
    /// The hub session of a server.
    Hub(ServerId),
    /// The tasks of the environment's community; announced only when they failed.
    Community,
}

impl fmt::Display for ReadyPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store => f.write_str("store"),
            Self::Discord => f.write_str("discord"),
            Self::Hub(server) => write!(f, "hub {server}"),
            Self::Community => f.write_str("community"),
        }
    }
}

/// Which parts are ready. Written by each part, read by `/readyz`. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Readiness(Arc<watch::Sender<BTreeMap<ReadyPart, Result<(), String>>>>);

impl Readiness {
    /// All `parts` not ready yet.
    #[must_use]
    pub fn new(parts: impl IntoIterator<Item = ReadyPart>) -> Self {
        let parts = parts.into_iter().map(|part| (part, Err("starting".to_owned()))).collect();
        Self(Arc::new(watch::Sender::new(parts)))
    }

    /// The part works. An unregistered part is ignored.
    pub fn ready(&self, part: ReadyPart) {
        self.set(part, Ok(()));
    }

    /// The part doesn't work: `why` in a few words, without secrets.
    pub fn not_ready(&self, part: ReadyPart, why: impl Into<String>) {
        let why: String = why.into();
        self.set(part, Err(why.chars().take(200).map(|c| if c.is_control() { ' ' } else { c }).collect()));
    }

    /// Adds a part that does not work.
    pub fn announce(&self, part: ReadyPart, why: &str) {
        self.0.send_modify(|parts| drop(parts.insert(part, Err(why.to_owned()))));
    }

    fn set(&self, part: ReadyPart, state: Result<(), String>) {
        self.0.send_if_modified(|parts| match parts.get_mut(&part) {
            Some(old) if *old != state => {
                *old = state;
                true
            }
            _ => false,
        });
    }

    /// Whether every part works.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.borrow().values().all(Result::is_ok)
    }

    /// Resolves once every part works.
    pub async fn until_ready(&self) {
        // The sender is in `self`: this can't fail.
        self.0.subscribe().wait_for(|parts| parts.values().all(Result::is_ok)).await.ok();
    }

    /// One line per part: `store ok`, `hub 1 not ready: connecting`.
    #[must_use]
    pub fn report(&self) -> String {
        let line = |(part, state): (&ReadyPart, &Result<(), String>)| match state {
            Ok(()) => format!("{part} ok\n"),
            Err(why) => format!("{part} not ready: {why}\n"),
        };
        self.0.borrow().iter().map(line).collect()
    }
}

/// `/healthz`, `/readyz`, `/metrics`.
pub fn router(readiness: Readiness, metrics: Metrics) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(encode))
        .fallback(async || (StatusCode::NOT_FOUND, "here are /healthz, /readyz and /metrics\n"))
        .with_state((readiness, metrics))
}

async fn readyz(State((readiness, _)): State<(Readiness, Metrics)>) -> impl IntoResponse {
    let status = if readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, readiness.report())
}

async fn encode(State((_, metrics)): State<(Readiness, Metrics)>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], metrics.encode())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::extract::Request;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    async fn get_path(router: &Router, path: &str) -> (u16, String) {
        let response = router.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn alive_at_once_ready_when_every_part_is() {
        let readiness = Readiness::new([ReadyPart::Store, ReadyPart::Discord, ReadyPart::Hub(ServerId(2))]);
        let router = router(readiness.clone(), Metrics::new(&[], &[]));
        assert_eq!(get_path(&router, "/healthz").await, (200, "ok\n".into()));
        let starting = "store not ready: starting\ndiscord not ready: starting\nhub 2 not ready: starting\n";
        assert_eq!(get_path(&router, "/readyz").await, (503, starting.into()));

        readiness.ready(ReadyPart::Store);
        readiness.ready(ReadyPart::Discord);
        readiness.not_ready(ReadyPart::Hub(ServerId(2)), "key refused\nfake ok");
        readiness.ready(ReadyPart::Hub(ServerId(9)));
        assert_eq!(get_path(&router, "/readyz").await, (503, "store ok\ndiscord ok\nhub 2 not ready: key refused fake ok\n".into()));

        let waiting = readiness.clone();
        let (_, ()) = tokio::join!(waiting.until_ready(), async { readiness.ready(ReadyPart::Hub(ServerId(2))) });
        assert_eq!(get_path(&router, "/readyz").await, (200, "store ok\ndiscord ok\nhub 2 ok\n".into()));

        readiness.not_ready(ReadyPart::Store, "disk full");
        assert_eq!(get_path(&router, "/readyz").await.0, 503);
    }

    #[tokio::test]
    async fn metrics_are_served_and_other_paths_are_not() {
        let router = router(Readiness::new([]), Metrics::new(&[], &[]));
        let (status, text) = get_path(&router, "/metrics").await;
        assert!(status == 200 && text.ends_with("# EOF\n"), "{text}");
        assert_eq!(get_path(&router, "/").await.0, 404);
    }
}
