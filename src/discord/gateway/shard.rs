//! Runs one shard as long as the bot runs: opens a connection, and the next one when it ends.
//!
//! Decides only when to connect: [`super::pace`] computes the waits, [`super::connection`] speaks the protocol. Nothing here runs without
//! a wait between two attempts.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::WebSocketStream;

use super::connection::{ConnectionEnd, ConnectionObserver, GatewayConnection, GatewaySession, Identity};
use super::pace::{self, AllowanceSource, STABLE, StartGrant, Starts};
use crate::shutdown::Tasks;

/// TCP, TLS and the upgrade together.
const CONNECT: Duration = Duration::from_secs(15);
/// A connection that was live this long was a good one: the next is opened at once.
const GOOD: Duration = Duration::from_secs(60);
/// After this many failed attempts to resume, the session is given up: some two minutes.
const RESUMES: u32 = 7;

/// Opens the WebSocket.
pub(super) trait Dial: Sync {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send;
    fn dial(&self, url: &str) -> impl Future<Output = Result<WebSocketStream<Self::Stream>, String>> + Send;
}

/// Receives the shard's events and state.
pub(super) trait ShardObserver: ConnectionObserver + AllowanceSource {
    fn down(&self, shard: u32, reason: &str);
}

/// Why a shard ended.
#[derive(Debug)]
pub(super) enum ShardEnd {
    Stopped,
    /// Discord's close code.
    Refused(u16),
    /// The token, over HTTP.
    Failed(anyhow::Error),
}

pub(super) async fn keep<D: Dial, W: ShardObserver>(
    dial: &D,
    watch: &W,
    identity: Identity<'_>,
    starts: &Starts,
    tasks: &Tasks,
) -> ShardEnd {
    let mut session: Option<GatewaySession> = None;
    // Connections in a row that were never live.
    let mut lost: u32 = 0;
    loop {
        let opening = async {
            sleep(pace::reconnect(lost, fastrand::f64())).await;
            open(dial, watch, &mut session, starts).await
        };
        let opened = tokio::select! {
            () = tasks.draining() => return ShardEnd::Stopped,
            opened = opening => opened,
        };
        let (end, up_since) = match opened {
            Ok((socket, url, granted)) => {
                GatewayConnection { socket, url: &url, identity, observer: watch, tasks }.run(&mut session, granted).await
            }
            Err(Unopened::Failed(error)) => return ShardEnd::Failed(error),
            Err(Unopened::Lost(reason)) => (ConnectionEnd::Lost(reason), None),
        };
        if session.as_ref().is_some_and(|session| session.since.elapsed() >= STABLE) {
            starts.lasted();
        }
        lost = if up_since.is_some_and(|since: Instant| since.elapsed() >= GOOD) { 0 } else { lost.saturating_add(1) };
        match end {
            ConnectionEnd::Stopped => return ShardEnd::Stopped,
            ConnectionEnd::Refused(code) => return ShardEnd::Refused(code),
            ConnectionEnd::Lost(reason) => watch.down(identity.shard.0, &reason),
            ConnectionEnd::Invalid(reason) => {
                session = None;
                watch.down(identity.shard.0, &reason);
            }
        }
    }
}

enum Unopened {
    Failed(anyhow::Error),
    Lost(String),
}

/// A WebSocket, its URL, and the grant to start a session over it.
type Opened<'a, S> = (WebSocketStream<S>, String, Option<StartGrant<'a>>);

async fn open<'a, D: Dial>(
    dial: &D,
    watch: &impl AllowanceSource,
    session: &mut Option<GatewaySession>,
    starts: &'a Starts,
) -> Result<Opened<'a, D::Stream>, Unopened> {
    if session.as_ref().is_some_and(|session| session.tries >= RESUMES) {
        *session = None;
    }
    let (url, granted) = match session {
        Some(session) => {
            session.tries += 1;
            (session.url.clone(), None)
        }
        None => {
            let granted = starts.grant(watch).await.map_err(Unopened::Failed)?;
            (granted.url.clone(), Some(granted))
        }
    };
    match timeout(CONNECT, dial.dial(&url)).await {
        Ok(Ok(socket)) => Ok((socket, url, granted)),
        Ok(Err(reason)) => Err(Unopened::Lost(format!("Discord's gateway cannot be reached: {reason}"))),
        Err(_) => Err(Unopened::Lost(format!("Discord's gateway did not answer within {} s", CONNECT.as_secs()))),
    }
}

#[cfg(test)]
mod tests;
