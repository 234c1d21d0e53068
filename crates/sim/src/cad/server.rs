//! Accepts TCP connections and serves the hub and REST on them.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::any;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};

use super::fault::Silence;
use super::shared::Inner;
use super::{hub, rest};

pub(super) async fn accept(inner: Arc<Inner>, listener: TcpListener) {
    let router = Router::new()
        .route("/apiWsHub/negotiate", any(hub::negotiate))
        .route("/apiWsHub", any(hub::connect))
        .fallback(rest::serve)
        .with_state(Arc::clone(&inner));
    loop {
        match listener.accept().await {
            Ok((stream, _)) => inner.spawn(connection(Arc::clone(&inner), stream, router.clone())),
            // Probably out of file descriptors: wait for some to be freed instead of spinning.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn connection(inner: Arc<Inner>, stream: TcpStream, router: Router) {
    if inner.lock().faults.silence == Silence::Tcp {
        // The peer sees an open socket that sends nothing; it is kept until the simulator stops or drops it.
        let cut = inner.lock().faults.cut.clone();
        cut.cancelled().await;
        drop(stream);
        return;
    }
    stream.set_nodelay(true).ok();
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(30))
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades()
        .await
        .ok();
}
