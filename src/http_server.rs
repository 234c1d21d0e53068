//! The accept loop of every HTTP port of the bot. We have our own because `axum::serve` has no time-out for request heads and waits in
//! shutdown for as long as a client likes.
//!
//! Passes requests to a [`Site`] (an axum [`Router`] is one) and limits what a stranger can use: connections in all and per address,
//! time for a head, time idle, size of a head, time in shutdown. The handlers limit bodies. Knows nothing about the CAD.
//!
//! ```text
//! accept ─▶ Head ─ request ─▶ Busy ─ answered ─▶ Idle ─ first byte ─▶ Head …
//!            └─ head time-out ─▶ closed ◀─ idle time-out ─┘        (Busy: the handler's limits)
//! drain: connections without a request are closed at once, others end their request, and all are dropped after Limits::drain
//! ```

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use hyper::body::{Body, Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// Answers the requests of a port. One clone per connection.
pub trait Site: Clone + Send + 'static {
    /// The body of its answers.
    type Body: Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + 'static;

    /// Answers one request. `peer` is the other end of its connection, IPv4 in its own form even on a dual socket.
    fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> impl Future<Output = Response<Self::Body>> + Send;
}

impl Site for Router {
    type Body = axum::body::Body;

    async fn answer(&self, request: Request<Incoming>, _peer: SocketAddr) -> Response<Self::Body> {
        let Ok(answer) = self.clone().oneshot(request).await;
        answer
    }
}

/// Limits on strangers.
#[derive(Clone, Copy, Debug)]
pub struct ServerLimits {
    /// Connections in all. For one more, the longest idle one is closed; if none is idle, it waits.
    pub connections: usize,
    /// Connections of one address (IPv6: of one /64 network), an eighth of all. For one more, its longest idle one is closed; if none
    /// of them is idle, the new one is.
    pub per_address: usize,
    /// From the first byte of a request, or from connecting, to the end of its head.
    pub head: Duration,
    /// Without a request.
    pub idle: Duration,
    /// For requests in progress when the bot stops.
    pub drain: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections: 512,
            per_address: 64,
            head: Duration::from_secs(5),
            idle: Duration::from_secs(60),
            drain: Duration::from_secs(5),
        }
    }
}

/// Largest request head, and largest buffer per connection, in bytes.
const MAX_BUFFER: usize = 32 * 1024;

/// Why a port could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("{setting}: cannot listen on {addr}: {}", advice(.source, .addr))]
pub struct BindError {
    /// The setting to change.
    pub setting: &'static str,
    /// The configured address.
    pub addr: SocketAddr,
    /// The system's error.
    pub source: io::Error,
}

fn advice(error: &io::Error, addr: &SocketAddr) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("another program (or another Tenfour) uses port {} already. Stop it, or set another port", addr.port())
        }
        io::ErrorKind::PermissionDenied => "the system does not allow it. Set a port from 1024".into(),
        io::ErrorKind::AddrNotAvailable => "this machine does not have that address. Set 0.0.0.0 or one of its own".into(),
        _ => error.to_string(),
    }
}

/// An open port that isn't served yet.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    addr: SocketAddr,
    setting: &'static str,
}

/// Opens a port; `setting` is named in errors.
///
/// # Errors
/// If the system refuses, mostly because the port is in use.
pub async fn bind(addr: SocketAddr, setting: &'static str) -> Result<Bound, BindError> {
    let open = async {
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        Ok((listener, addr))
    };
    match open.await {
        Ok((listener, addr)) => Ok(Bound { listener, addr, setting }),
        Err(source) => Err(BindError { setting, addr, source }),
    }
}

impl Bound {
    /// The real address: has the port if 0 was requested.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }
}

/// Counts connections. Ports that share a limiter share its limits. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ConnectionLimiter {
    limits: ServerLimits,
    proxies: Networks,
    inside: Arc<Mutex<Inside>>,
    /// A connection was closed.
    left: Arc<Notify>,
}

/// The open connections: never more than `limits.connections`.
#[derive(Debug, Default)]
struct Inside {
    next: u64,
    connections: HashMap<u64, Connected>,
}

#[derive(Debug)]
struct Connected {
    /// `None`: a proxy, which represents many.
    address: Option<IpAddr>,
    watch: Watch,
    cut: CancellationToken,
}

/// What happens to a new connection.
enum Entry {
    In(Slot),
    /// Its address has too many, and none of them is idle.
    Refused,
    /// Every connection waits for us.
    Full,
}

impl ConnectionLimiter {
    /// A limiter without connections.
    #[must_use]
    pub fn new(limits: ServerLimits) -> Self {
        Self { limits, proxies: Networks::default(), inside: Arc::default(), left: Arc::default() }
    }

    /// These addresses have no limit of their own.
    #[must_use]
    pub fn behind(self, proxies: Networks) -> Self {
        Self { proxies, ..self }
    }

    /// Admits a connection. At the limit, the longest idle connection is closed for it.
    fn enter(&self, ip: IpAddr) -> Entry {
        let address = (!self.proxies.contains(ip)).then(|| network(ip));
        let mut inside = self.inside();
        let mine = |connected: &Connected| connected.address == address;
        if address.is_some()
            && inside.connections.values().filter(|connected| mine(connected)).count() >= self.limits.per_address
            && !inside.cut_longest_idle(mine)
        {
            return Entry::Refused;
        }
        if inside.connections.len() >= self.limits.connections && !inside.cut_longest_idle(|_| true) {
            return Entry::Full;
        }
        let id = inside.next;
        inside.next += 1;
        let (watch, cut) = (Watch::new(), CancellationToken::new());
        inside.connections.insert(id, Connected { address, watch: watch.clone(), cut: cut.clone() });
        Entry::In(Slot { limiter: self.clone(), id, watch, cut })
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    /// Closes the matching connection that we have been waiting for the longest. False if all of them wait for us.
    fn cut_longest_idle(&mut self, meant: impl Fn(&Connected) -> bool) -> bool {
        let waited = |connected: &Connected| connected.watch.get().waited_for_since();
        let idle = self.connections.iter().filter(|(_, connected)| meant(connected)).filter_map(|(id, it)| Some((waited(it)?, *id)));
        let Some((_, longest)) = idle.min() else { return false };
        if let Some(connected) = self.connections.remove(&longest) {
            connected.cut.cancel();
        }
        true
    }
}

/// A connection's slot; freed when dropped.
struct Slot {
    limiter: ConnectionLimiter,
    id: u64,
    watch: Watch,
    /// Cancelled when another connection needs the slot.
    cut: CancellationToken,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.limiter.inside().connections.remove(&self.id);
        self.limiter.left.notify_waiters();
    }
}

/// Addresses and networks, as `TRUSTED_PROXIES` lists them. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Networks(Arc<[(IpAddr, u8)]>);

impl Networks {
    /// An address and how many of its bits count.
    pub fn new(networks: impl IntoIterator<Item = (IpAddr, u8)>) -> Self {
        Self(networks.into_iter().collect())
    }

    /// Whether `ip` is in one of them; IPv4 in any form.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.0.iter().any(|(network, bits)| match (network.to_canonical(), ip) {
            (IpAddr::V4(network), IpAddr::V4(ip)) => {
                (network.to_bits() ^ ip.to_bits()).checked_shr(32 - u32::from(*bits).min(32)).unwrap_or(0) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(ip)) => {
                (network.to_bits() ^ ip.to_bits()).checked_shr(128 - u32::from(*bits).min(128)).unwrap_or(0) == 0
            }
            _ => false,
        })
    }
}

/// Passed with each request: its handler reports when the body is read, so that the connection doesn't count as idle any more.
#[derive(Clone, Debug)]
pub struct BodyProgress(Watch);

impl BodyProgress {
    /// The body is complete.
    pub fn is_whole(&self) {
        self.0.set(Phase::Busy);
    }
}

/// What counts as one address: in IPv6 a single machine owns a /64.
#[must_use]
pub fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

/// Serves `site` on the port until `drain` is cancelled, then ends requests in progress, at most [`ServerLimits::drain`] long. Connections
/// belong to this future: dropping it drops them.
pub async fn serve(bound: Bound, site: impl Site, limiter: ConnectionLimiter, drain: CancellationToken) {
    let Bound { listener, addr, setting } = bound;
    let mut connections = JoinSet::new();
    let mut trouble = AcceptTrouble::default();
    loop {
        let accepted = loop {
            tokio::select! {
                biased;
                () = drain.cancelled() => break None,
                Some(ended) = connections.join_next() => report(ended),
                accepted = listener.accept() => break Some(accepted),
            }
        };
        match accepted {
            None => break,
            Some(Ok((stream, peer))) => {
                trouble = AcceptTrouble::default();
                let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
                let slot = loop {
                    let mut left = pin!(limiter.left.notified());
                    left.as_mut().enable();
                    match limiter.enter(peer.ip()) {
                        Entry::In(slot) => break Some(slot),
                        Entry::Refused => break None,
                        Entry::Full => {}
                    }
                    tokio::select! {
                        biased;
                        () = drain.cancelled() => break None,
                        Some(ended) = connections.join_next() => report(ended),
                        () = left => {}
                    }
                };
                let Some(slot) = slot else {
                    tracing::debug!(%peer, setting, "too many connections from one address, or stopping; closed");
                    continue;
                };
                connections.spawn(connection(stream, peer, site.clone(), drain.clone(), slot));
            }
            Some(Err(error)) if is_about_one_connection(&error) => {}
            Some(Err(error)) => {
                let pause = trouble.pause(&error, addr, setting);
                tokio::select! {
                    () = drain.cancelled() => break,
                    () = sleep(pause) => {}
                }
            }
        }
    }
    // The port is free from here on.
    drop(listener);
    // Each connection ends itself; the second is for their last step.
    let ended = timeout(limiter.limits.drain + Duration::from_secs(1), async {
        while let Some(ended) = connections.join_next().await {
            report(ended);
        }
    });
    if ended.await.is_err() {
        tracing::warn!(setting, "connections did not end in time and are dropped");
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!("a request handler panicked; its connection was closed");
    }
}

/// The peer gave up between its SYN and our accept: the listener is fine.
fn is_about_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused | io::ErrorKind::Interrupted
    )
}

/// Pauses when accepting fails (out of file descriptors, out of memory): it would fail again at once and use a whole core. Logged on the
/// first failure of a series and then about once a minute.
#[derive(Debug, Default)]
struct AcceptTrouble {
    failures: u32,
}

impl AcceptTrouble {
    fn pause(&mut self, error: &io::Error, addr: SocketAddr, setting: &'static str) -> Duration {
        if self.failures.is_multiple_of(64) {
            tracing::error!(%error, %addr, setting, "cannot accept connections; trying on (raise the limit of open files if it says so)");
        }
        self.failures = self.failures.saturating_add(1);
        Duration::from_millis(50 << self.failures.min(5)).min(Duration::from_secs(1))
    }
}

/// The state of a connection. Changed only while the connection's future is polled, so its task sees every change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Connected, or a head has begun.
    Head(Instant),
    /// A handler reads the body; renewed by every byte that comes.
    Body(Instant),
    /// A handler works.
    Busy,
    /// Answered, or still sending the answer: every written byte renews the time.
    Idle(Instant),
}

impl Phase {
    fn deadline(self, limits: &ServerLimits) -> Option<Instant> {
        match self {
            Self::Head(since) => Some(since + limits.head),
            Self::Body(_) | Self::Busy => None,
            Self::Idle(since) => Some(since + limits.idle),
        }
    }

    /// Since when the other end sends nothing; `None` if it waits for us.
    fn waited_for_since(self) -> Option<Instant> {
        match self {
            Self::Head(since) | Self::Body(since) | Self::Idle(since) => Some(since),
            Self::Busy => None,
        }
    }
}

#[derive(Clone, Debug)]
struct Watch(Arc<Mutex<Phase>>);

impl Watch {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Phase::Head(Instant::now()))))
    }

    fn get(&self) -> Phase {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, phase: Phase) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }

    fn received(&self) {
        self.change(|phase, now| match phase {
            Phase::Idle(_) => Phase::Head(now),
            Phase::Body(_) => Phase::Body(now),
            other => other,
        });
    }

    fn sent(&self) {
        self.change(|phase, now| if let Phase::Idle(_) = phase { Phase::Idle(now) } else { phase });
    }

    fn change(&self, next: impl Fn(Phase, Instant) -> Phase) {
        let mut phase = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *phase = next(*phase, Instant::now());
    }
}

/// A handler in progress; idle again when dropped, answered or not.
struct Working(Watch);

impl Drop for Working {
    fn drop(&mut self) {
        self.0.set(Phase::Idle(Instant::now()));
    }
}

enum End {
    Closed,
    TimedOut,
    Drain,
    /// Another connection needs the slot.
    Cut,
}

async fn connection(stream: TcpStream, peer: SocketAddr, site: impl Site, drain: CancellationToken, slot: Slot) {
    // Answers are small and complete: send them at once.
    stream.set_nodelay(true).ok();
    let (watch, limits) = (slot.watch.clone(), slot.limiter.limits);
    let service = {
        let watch = watch.clone();
        service_fn(move |mut request: Request<Incoming>| {
            watch.set(if request.body().is_end_stream() { Phase::Busy } else { Phase::Body(Instant::now()) });
            request.extensions_mut().insert(BodyProgress(watch.clone()));
            let (site, working) = (site.clone(), Working(watch.clone()));
            async move {
                let answer = site.answer(request, peer).await;
                drop(working);
                Ok::<_, Infallible>(answer)
            }
        })
    };
    let io = TokioIo::new(Watched { stream, watch: watch.clone() });
    let mut builder = http1::Builder::new();
    // hyper's own head time-out also runs while a kept-alive connection is idle, so it cannot be 5 s and 60 s: ours does both.
    builder.header_read_timeout(None).max_buf_size(MAX_BUFFER).half_close(true);
    let mut served = pin!(builder.serve_connection(io, service));
    let mut alarm = pin!(sleep_until(Instant::now() + limits.head));
    let mut draining = pin!(drain.cancelled());
    let mut is_draining = false;
    let mut end_of_drain = pin!(sleep(limits.idle));
    let mut cut = pin!(slot.cut.cancelled());
    loop {
        let end = std::future::poll_fn(|cx| {
            if served.as_mut().poll(cx).is_ready() {
                return Poll::Ready(End::Closed);
            }
            // After the poll above the phase is current; it changes only in the next one.
            if let Some(deadline) = watch.get().deadline(&limits) {
                // Only ever moved earlier: most deadlines are extended by the next request long before they are due, and setting a timer
                // costs time.
                if deadline < alarm.deadline() {
                    alarm.as_mut().reset(deadline);
                }
                while alarm.as_mut().poll(cx).is_ready() {
                    if deadline <= alarm.deadline() {
                        return Poll::Ready(End::TimedOut);
                    }
                    alarm.as_mut().reset(deadline);
                }
            }
            if cut.as_mut().poll(cx).is_ready() {
                return Poll::Ready(End::Cut);
            }
            if is_draining {
                return end_of_drain.as_mut().poll(cx).map(|()| End::TimedOut);
            }
            draining.as_mut().poll(cx).map(|()| End::Drain)
        })
        .await;
        match end {
            End::Closed => return,
            End::TimedOut => {
                tracing::debug!(%peer, "connection closed: too slow or idle");
                return;
            }
            End::Cut => {
                tracing::debug!(%peer, "connection closed: the longest idle one, and another came");
                return;
            }
            End::Drain => {
                is_draining = true;
                end_of_drain.as_mut().reset(Instant::now() + limits.drain);
                served.as_mut().graceful_shutdown();
            }
        }
    }
}

/// A stream that reports traffic to the watch.
struct Watched {
    stream: TcpStream,
    watch: Watch,
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.watch.received();
        }
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        if matches!(polled, Poll::Ready(Ok(1..))) {
            self.watch.sent();
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        if matches!(polled, Poll::Ready(Ok(1..))) {
            self.watch.sent();
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(limiter: &ConnectionLimiter, ip: &str) -> Option<Slot> {
        match limiter.enter(ip.parse().unwrap()) {
            Entry::In(slot) => Some(slot),
            Entry::Refused | Entry::Full => None,
        }
    }

    fn busy(slot: Slot) -> Slot {
        slot.watch.set(Phase::Busy);
        slot
    }

    #[tokio::test]
    async fn an_address_is_counted_in_its_network_and_forgotten_when_it_left() {
        let limiter = ConnectionLimiter::new(ServerLimits { per_address: 2, ..ServerLimits::default() });
        let enter = |ip: &str| enter(&limiter, ip).map(busy);
        let first = enter("2001:db8::1").unwrap();
        let second = enter("2001:db8::ffff:2").unwrap();
        assert!(enter("2001:db8::3").is_none());
        assert!(enter("2001:db8:0:1::3").is_some());
        drop(first);
        let third = enter("2001:db8::3").unwrap();
        let fourth = enter("192.0.2.1").unwrap();
        let fifth = enter("::ffff:192.0.2.1").unwrap();
        assert!(enter("192.0.2.1").is_none());
        drop((second, third, fourth, fifth));
        assert!(limiter.inside().connections.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_idle_connection_makes_room_and_none_that_waits_for_us() {
        let limiter = ConnectionLimiter::new(ServerLimits { connections: 4, per_address: 3, ..ServerLimits::default() });
        let later = async || tokio::time::advance(Duration::from_millis(1)).await;
        let working = busy(enter(&limiter, "192.0.2.1").unwrap());
        later().await;
        let oldest = enter(&limiter, "192.0.2.2").unwrap();
        later().await;
        let (a, b) = (enter(&limiter, "192.0.2.1").unwrap(), enter(&limiter, "192.0.2.1").unwrap());
        later().await;
        // Its address is at its limit: one of its own is closed. The next is over the total limit.
        let c = enter(&limiter, "192.0.2.1").unwrap();
        assert!(a.cut.is_cancelled() && !oldest.cut.is_cancelled());
        later().await;
        let d = enter(&limiter, "192.0.2.9").unwrap();
        assert!(oldest.cut.is_cancelled());
        later().await;
        b.watch.sent();
        b.watch.set(Phase::Body(Instant::now()));
        let e = enter(&limiter, "192.0.2.9").unwrap();
        assert_eq!([&working, &b, &c, &d].map(|slot| slot.cut.is_cancelled()), [false, false, true, false]);
        [&b, &d, &e].iter().for_each(|slot| slot.watch.set(Phase::Busy));
        assert!(matches!(limiter.enter("192.0.2.77".parse().unwrap()), Entry::Full));
    }

    #[tokio::test]
    async fn a_trusted_proxys_connections_do_not_count_as_those_of_one_address() {
        let proxies = Networks::new([("10.0.0.0".parse().unwrap(), 8), ("2001:db8::1".parse().unwrap(), 128)]);
        let limiter = ConnectionLimiter::new(ServerLimits { per_address: 1, ..ServerLimits::default() }).behind(proxies.clone());
        let all: Vec<Slot> = (1..=100).map(|n| busy(enter(&limiter, &format!("10.0.0.{n}")).unwrap())).collect();
        let same: Vec<Slot> = (0..100).map(|_| busy(enter(&limiter, "::ffff:10.1.1.1").unwrap())).collect();
        assert_eq!(all.len() + same.len(), 200);
        for (ip, inside) in [("10.255.0.1", true), ("11.0.0.1", false), ("2001:db8::1", true), ("2001:db8::2", false)] {
            assert_eq!(proxies.contains(ip.parse().unwrap()), inside, "{ip}");
        }
        let everything = Networks::new([("0.0.0.0".parse().unwrap(), 0)]);
        assert!(everything.contains("203.0.113.5".parse().unwrap()) && !everything.contains("::1".parse().unwrap()));
    }

    #[test]
    fn accept_pauses_grow_to_a_second() {
        let mut trouble = AcceptTrouble::default();
        let error = io::Error::from_raw_os_error(24);
        let addr = "127.0.0.1:1".parse().unwrap();
        let pauses: Vec<u128> = (0..7).map(|_| trouble.pause(&error, addr, "LISTEN_ADDR").as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1000, 1000, 1000]);
    }

    #[tokio::test]
    async fn a_port_in_use_is_an_error_that_names_the_setting() {
        let bound = bind("127.0.0.1:0".parse().unwrap(), "LISTEN_ADDR").await.unwrap();
        let error = bind(bound.local_addr(), "OPS_ADDR").await.unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("OPS_ADDR: cannot listen on 127.0.0.1:") && text.contains("another program"), "{text}");
    }
}
