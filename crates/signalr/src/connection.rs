//! One task owns the socket, the timers and the calls in flight; everything else talks to it through channels.
//!
//! Nothing in the loop waits for a peer: writes go into a bounded buffer that is flushed while reading, events into bounded queues.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use serde_json::value::RawValue;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout, timeout_at};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode};
use tokio_tungstenite::tungstenite::{Error as WsError, Message, Utf8Bytes};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config};

use super::error::{HubError, Step, clean};
use super::hub::{Command, Connection, Core, Hook, Link, Reply, Settings, Shared, State, Verdict};
use super::negotiate::{self, Chooser, Target};
use super::queue::Inlet;
use super::record::{self, Incoming, RecordBuffer};
use super::retry::{MAX_WAIT, Repeats, RetryContext, RetryPolicy};

/// Calls that may wait for their answers at one time.
const MAX_CALLS: usize = 1024;
/// Records handled before timers and calls get their turn: one message can carry a million.
const BATCH: usize = 256;
/// Unsent bytes that are kept for a peer that doesn't read.
const MAX_UNSENT: usize = 4 << 20;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;
type Answer = oneshot::Sender<Result<Option<Box<RawValue>>, HubError>>;

impl Core {
    /// Runs one connection after another. Returns why it ended.
    pub(super) async fn serve(&self, policy: &mut dyn RetryPolicy) -> HubError {
        let shared = Arc::clone(&self.guard.0);
        let mut chooser = Chooser::new(self.negotiation);
        let mut repeats = Repeats::default();
        let mut epoch = 0;
        let mut attempt: u32 = 0;
        let mut unstable_since = Instant::now();
        loop {
            shared.state.send_replace(State::Connecting { attempt });
            let opened = tokio::select! {
                biased;
                () = shared.stop.cancelled() => return HubError::Stopped,
                opened = self.open(chooser.negotiates()) => opened,
            };
            let error = match opened {
                Err(error) => {
                    chooser.failed(&error);
                    error
                }
                Ok((socket, target)) => {
                    let mut session = Session {
                        settings: &self.settings,
                        shared: &shared,
                        inlets: &self.inlets,
                        hook: self.hook.as_ref(),
                        target: &target,
                        label: &self.label,
                        repeats: &mut repeats,
                        epoch,
                        ready_since: None,
                        handshaken: false,
                    };
                    let error = session.run(socket).await;
                    let (ready_since, handshaken) = (session.ready_since, session.handshaken);
                    if handshaken {
                        epoch += 1;
                        chooser.succeeded();
                    } else {
                        chooser.failed(&error);
                    }
                    // A handshake alone proves nothing: only a connection that worked for a while resets the failure count.
                    if ready_since.is_some_and(|since| since.elapsed() >= self.settings.stable_after) {
                        attempt = 0;
                        unstable_since = Instant::now();
                        repeats.reset();
                    }
                    error
                }
            };
            if shared.stop.is_cancelled() {
                tracing::info!(hub = self.label, "the connection to the hub was stopped");
                return HubError::Stopped;
            }
            let context = RetryContext {
                attempt,
                elapsed: unstable_since.elapsed(),
                error: &error,
                retry_after: error.retry_after(),
                other_way_left: chooser.other_way_left(),
            };
            let Some(wait) = policy.next(&context) else {
                tracing::error!(hub = self.label, %error, "giving up on the hub");
                return error;
            };
            attempt = attempt.saturating_add(1);
            match repeats.count(error.kind()) {
                Some(times) => tracing::warn!(hub = self.label, %error, ?wait, attempt, times, "no connection to the hub, trying again"),
                None => tracing::debug!(hub = self.label, %error, ?wait, attempt, "no connection to the hub, trying again"),
            }
            let until = after(wait);
            shared.state.send_replace(State::Waiting { until, attempt, reason: error });
            tokio::select! {
                biased;
                () = shared.stop.cancelled() => return HubError::Stopped,
                () = sleep_until(until) => {}
            }
        }
    }

    async fn open(&self, negotiates: bool) -> Result<(Socket, Target), HubError> {
        let target = if negotiates {
            let limit = self.settings.negotiate_timeout;
            let negotiated = timeout(limit, negotiate::negotiate(&self.client, &self.url, &self.headers, &self.trust)).await;
            negotiated.map_err(|_| HubError::Timeout { step: Step::Negotiate, limit })??
        } else {
            negotiate::direct(&self.url, &self.headers)?
        };
        let limit = self.settings.connect_timeout;
        let socket = timeout(limit, self.upgrade(&target)).await.map_err(|_| HubError::Timeout { step: Step::Upgrade, limit })??;
        Ok((socket, target))
    }

    async fn upgrade(&self, target: &Target) -> Result<Socket, HubError> {
        // No error text from here on may come from the address: it carries the token.
        let unusable = || HubError::Protocol("the address of the WebSocket is not usable".to_owned());
        let mut request = target.url.as_str().into_client_request().map_err(|_| unusable())?;
        request.headers_mut().extend(target.headers.clone());
        let port = target.url.port_or_known_default().ok_or_else(unusable)?;
        let stream = match target.url.host().ok_or_else(unusable)? {
            url::Host::Domain(name) => TcpStream::connect((name, port)).await,
            url::Host::Ipv4(address) => TcpStream::connect((address, port)).await,
            url::Host::Ipv6(address) => TcpStream::connect((address, port)).await,
        };
        let stream = stream.map_err(|error| HubError::Io(error.to_string()))?;
        stream.set_nodelay(true).map_err(|error| HubError::Io(error.to_string()))?;
        let config = websocket_config(self.settings.max_record);
        let connector = Connector::Rustls(Arc::clone(&self.tls));
        match client_async_tls_with_config(request, stream, Some(config), Some(connector)).await {
            Ok((socket, _)) => Ok(socket),
            Err(WsError::Http(response)) => {
                Err(negotiate::refusal(Step::Upgrade, response.status().as_u16(), target.with_token, response.headers()))
            }
            Err(error) => Err(trouble(error)),
        }
    }
}

fn websocket_config(max_record: usize) -> WebSocketConfig {
    // A message may carry a record and parts of its neighbours.
    let max_message = Some(max_record.saturating_mul(2).max(64 << 10));
    WebSocketConfig::default()
        .read_buffer_size(16 << 10)
        .write_buffer_size(16 << 10)
        .max_write_buffer_size(MAX_UNSENT)
        .max_message_size(max_message)
        .max_frame_size(max_message)
}

/// The moment after a wait, of a sane length.
fn after(wait: Duration) -> Instant {
    Instant::now() + wait.min(MAX_WAIT)
}

/// Converts an error of the WebSocket library. Texts that could quote received data are left out.
fn trouble(error: WsError) -> HubError {
    match error {
        WsError::ConnectionClosed | WsError::AlreadyClosed | WsError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
            HubError::Ended { code: None }
        }
        WsError::Io(error) => HubError::Io(error.to_string()),
        WsError::Tls(error) => HubError::Io(error.to_string()),
        WsError::Capacity(error) => HubError::Protocol(error.to_string()),
        WsError::Protocol(error) => HubError::Protocol(format!("WebSocket: {error}")),
        WsError::WriteBufferFull(_) => HubError::Io("the hub takes nothing from us".to_owned()),
        WsError::Utf8(_) => HubError::Protocol("a text message that is not UTF-8".to_owned()),
        _ => HubError::Protocol("the WebSocket upgrade was not answered as one".to_owned()),
    }
}

/// Who ends a connection, and so how it is closed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Closing {
    /// We do: with a Close record, which is allowed only after the handshake, and then by waiting for the peer's close.
    Ours { handshaken: bool },
    /// The peer did, or an error: only the WebSocket's close, without waiting.
    Theirs,
}

/// The socket, with writes that never wait.
struct Wire<S> {
    socket: WebSocketStream<S>,
    last_sent: Instant,
    /// Since when the peer has left something unread.
    unsent_since: Option<Instant>,
    /// After an error the socket isn't used any more.
    dead: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    fn new(socket: WebSocketStream<S>) -> Self {
        Self { socket, last_sent: Instant::now(), unsent_since: None, dead: false }
    }

    /// Puts a record into the buffer; [`Wire::next`] gets it out.
    fn queue(&mut self, record: String) -> Result<(), HubError> {
        // Without `poll_ready` on purpose: it only flushes, and tungstenite takes what fits the buffer in any case.
        Pin::new(&mut self.socket).start_send(Message::text(record)).map_err(|error| {
            self.dead = true;
            trouble(error)
        })?;
        self.last_sent = Instant::now();
        self.unsent_since.get_or_insert(self.last_sent);
        Ok(())
    }

    /// The next text message, or `None` for a control frame; sends what is queued meanwhile. Cancel safe.
    async fn next(&mut self) -> Result<Option<Utf8Bytes>, HubError> {
        let message = poll_fn(|cx| {
            let mut broken = None;
            if self.unsent_since.is_some() {
                match Pin::new(&mut self.socket).poll_flush(cx) {
                    Poll::Ready(Ok(())) => self.unsent_since = None,
                    Poll::Ready(Err(error)) => broken = Some(error),
                    Poll::Pending => {}
                }
            }
            // Also when writing failed: the server's last record may be unread, and it says why.
            match (Pin::new(&mut self.socket).poll_next(cx), broken) {
                (Poll::Ready(Some(message)), _) => Poll::Ready(message),
                (Poll::Ready(None), _) => Poll::Ready(Err(WsError::ConnectionClosed)),
                (Poll::Pending, Some(error)) => Poll::Ready(Err(error)),
                (Poll::Pending, None) => Poll::Pending,
            }
        });
        match message.await {
            Ok(Message::Text(text)) => Ok(Some(text)),
            Ok(Message::Close(frame)) => Err(HubError::Ended { code: frame.map(|frame| u16::from(frame.code)) }),
            Ok(Message::Binary(_)) => Err(HubError::Protocol("a binary message".to_owned())),
            Ok(_) => Ok(None),
            Err(error) => {
                self.dead = true;
                Err(trouble(error))
            }
        }
    }

    /// Best effort: closes the WebSocket as `closing` says. Then the socket is dropped.
    async fn farewell(mut self, closing: Closing, limit: Duration) {
        if self.dead {
            return;
        }
        let good_bye = async {
            if closing == (Closing::Ours { handshaken: true }) {
                self.socket.feed(Message::text(record::CLOSE)).await?;
            }
            self.socket.close(Some(CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::from_static("") })).await?;
            while matches!(closing, Closing::Ours { .. }) && matches!(self.socket.next().await, Some(Ok(_))) {}
            Ok::<_, WsError>(())
        };
        timeout(limit, good_bye).await.ok();
    }
}

/// The state of the hook between the handshake and calls.
enum Phase {
    /// The hook is at work, for the n-th time.
    Hook {
        run: BoxFuture<'static, Verdict>,
        limit: Instant,
        attempt: u32,
    },
    /// The hook wants to run again later.
    Held {
        until: Instant,
        attempt: u32,
    },
    Ready,
}

enum Turn {
    Decided(Verdict, u32),
    TooLate,
    Again(u32),
}

impl Phase {
    /// Cancel safe.
    async fn turn(&mut self) -> Turn {
        match self {
            Self::Hook { run, limit, attempt } => match timeout_at(*limit, run).await {
                Ok(verdict) => Turn::Decided(verdict, *attempt),
                Err(_) => Turn::TooLate,
            },
            Self::Held { until, attempt } => {
                sleep_until(*until).await;
                Turn::Again(*attempt + 1)
            }
            Self::Ready => std::future::pending().await,
        }
    }
}

/// One connection from the handshake to its end.
struct Session<'a> {
    settings: &'a Settings,
    shared: &'a Shared,
    inlets: &'a [Inlet],
    hook: Option<&'a Hook>,
    target: &'a Target,
    label: &'a str,
    repeats: &'a mut Repeats,
    /// Of the connection before; one more once the handshake is done.
    epoch: u64,
    ready_since: Option<Instant>,
    handshaken: bool,
}

/// The state of one connection. Dropping it fails the calls in flight.
struct Calls {
    waiting: HashMap<String, Answer>,
    next_id: u64,
}

impl Session<'_> {
    /// Returns why it ended.
    async fn run<S: AsyncRead + AsyncWrite + Unpin>(&mut self, socket: WebSocketStream<S>) -> HubError {
        let mut wire = Wire::new(socket);
        let mut buffer = RecordBuffer::new(self.settings.max_record);
        let stop = self.shared.stop.clone();
        let error = tokio::select! {
            biased;
            () = stop.cancelled() => HubError::Stopped,
            error = self.live(&mut wire, &mut buffer) => error,
        };
        // Before the Close record: nobody may start a call on a connection that is closing.
        self.shared.link.send_replace(None);
        match error {
            HubError::Stopped => wire.farewell(Closing::Ours { handshaken: self.handshaken }, self.settings.stop_timeout).await,
            // The server waits for our half of the close; a stop must not wait for it long.
            _ => wire.farewell(Closing::Theirs, self.settings.stop_timeout.min(Duration::from_secs(1))).await,
        }
        error
    }

    async fn live<S: AsyncRead + AsyncWrite + Unpin>(&mut self, wire: &mut Wire<S>, buffer: &mut RecordBuffer) -> HubError {
        let limit = self.settings.handshake_timeout;
        let shaken = match timeout(limit, self.handshake(wire, buffer)).await {
            Ok(shaken) => shaken,
            Err(_) => Err(HubError::Timeout { step: Step::Handshake, limit }),
        };
        match shaken {
            Err(error) => error,
            Ok(()) => match self.converse(wire, buffer).await {
                Err(error) => error,
                Ok(never) => match never {},
            },
        }
    }

    async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(&self, wire: &mut Wire<S>, buffer: &mut RecordBuffer) -> Result<(), HubError> {
        wire.queue(record::HANDSHAKE.to_owned())?;
        loop {
            // The rest of the same message belongs to the conversation and stays in the buffer.
            if let Some(answer) = buffer.next_record()? {
                return record::parse_handshake(answer).map_err(|error| match error {
                    HubError::Handshake { error } => HubError::Handshake { error: self.clean(&error) },
                    other => other,
                });
            }
            if let Some(text) = wire.next().await? {
                buffer.push(text.as_bytes());
            }
        }
    }

    async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        wire: &mut Wire<S>,
        buffer: &mut RecordBuffer,
    ) -> Result<std::convert::Infallible, HubError> {
        self.handshaken = true;
        self.epoch += 1;
        self.shared.state.send_replace(State::Connected { id: self.target.id.clone(), epoch: self.epoch });
        let (commands, mut called) = mpsc::channel(64);
        let link = Link { commands, limit: self.settings.call_timeout, stop: self.shared.stop.clone() };
        let mut calls = Calls { waiting: HashMap::new(), next_id: 0 };
        let mut phase = self.start_hook(&link, 0);
        // Starts the server's own count of our silence, and counts as our first sign of life.
        wire.queue(record::PING.to_owned())?;

        let period =
            (self.settings.keep_alive.min(self.settings.server_timeout) / 15).clamp(Duration::from_millis(1), Duration::from_secs(1));
        let mut tick = interval_at(Instant::now() + period, period);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last_received = Instant::now();
        let mut suspicious = false;
        let mut more = true;
        loop {
            if more {
                more = self.handle(wire, buffer, &mut calls)?;
            }
            tokio::select! {
                read = wire.next(), if !more => {
                    if let Some(text) = read? {
                        last_received = Instant::now();
                        buffer.push(text.as_bytes());
                        more = true;
                    }
                }
                () = tokio::task::yield_now(), if more => {}
                Some(command) = called.recv() => call(wire, &mut calls, command, self.settings.max_sent)?,
                _ = tick.tick() => {
                    let now = Instant::now();
                    if now.duration_since(wire.last_sent) >= self.settings.keep_alive {
                        wire.queue(record::PING.to_owned())?;
                    }
                    if wire.unsent_since.is_some_and(|since| now.duration_since(since) >= self.settings.send_timeout) {
                        return Err(HubError::Timeout { step: Step::Send, limit: self.settings.send_timeout });
                    }
                    // Only at the second tick in a row: after a pause of the whole process there may be unread data in the socket.
                    let silent = now.duration_since(last_received) >= self.settings.server_timeout;
                    if silent && suspicious {
                        return Err(HubError::Timeout { step: Step::Receive, limit: self.settings.server_timeout });
                    }
                    suspicious = silent;
                    calls.waiting.retain(|_, answer| !answer.is_closed());
                }
                turn = phase.turn() => phase = self.next_phase(turn, &link)?,
            }
        }
    }

    fn start_hook(&mut self, link: &Link, attempt: u32) -> Phase {
        let Some(hook) = self.hook else {
            return self.become_ready(link);
        };
        let connection = Connection { link: link.clone(), id: self.target.id.clone(), epoch: self.epoch, attempt };
        Phase::Hook { run: hook(connection), limit: after(self.settings.hook_timeout), attempt }
    }

    fn become_ready(&mut self, link: &Link) -> Phase {
        let since = Instant::now();
        self.ready_since = Some(since);
        self.shared.link.send_replace(Some(link.clone()));
        self.shared.state.send_replace(State::Ready { epoch: self.epoch, since });
        let id = self.target.id.as_deref().unwrap_or("-");
        match self.repeats.count("ready") {
            Some(times) => tracing::info!(hub = self.label, epoch = self.epoch, id, times, "connected to the hub"),
            None => tracing::debug!(hub = self.label, epoch = self.epoch, id, "connected to the hub"),
        }
        Phase::Ready
    }

    fn next_phase(&mut self, turn: Turn, link: &Link) -> Result<Phase, HubError> {
        match turn {
            Turn::Decided(Verdict::Ready, _) => Ok(self.become_ready(link)),
            Turn::Decided(Verdict::RetryAfter(wait, reason), attempt) => {
                match self.repeats.count("held") {
                    Some(times) => tracing::warn!(hub = self.label, reason, ?wait, times, "connected to the hub, but not ready"),
                    None => tracing::debug!(hub = self.label, reason, ?wait, "connected to the hub, but not ready"),
                }
                let until = after(wait);
                self.shared.state.send_replace(State::Held { epoch: self.epoch, until, reason: reason.into() });
                Ok(Phase::Held { until, attempt })
            }
            Turn::Decided(Verdict::Reconnect(reason), _) => Err(HubError::Rejected(reason)),
            Turn::TooLate => Err(HubError::Timeout { step: Step::OnConnected, limit: self.settings.hook_timeout }),
            Turn::Again(attempt) => {
                self.shared.state.send_replace(State::Connected { id: self.target.id.clone(), epoch: self.epoch });
                Ok(self.start_hook(link, attempt))
            }
        }
    }

    /// Handles the records at hand, a batch at most. True if there may be more.
    fn handle<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        wire: &mut Wire<S>,
        buffer: &mut RecordBuffer,
        calls: &mut Calls,
    ) -> Result<bool, HubError> {
        for _ in 0..BATCH {
            let Some(bytes) = buffer.next_record()? else {
                return Ok(false);
            };
            match record::parse(bytes)? {
                Incoming::Invocation { target, id, arguments } => {
                    self.deliver(&target, arguments.as_deref());
                    // The server wants a result, and none of our listeners returns one: it must not wait forever.
                    if let Some(id) = id {
                        wire.queue(record::no_result(&id)?)?;
                    }
                }
                // Unknown: a late answer to a call that timed out, or one answered before.
                Incoming::Completion { id, outcome } => match calls.waiting.remove(&id) {
                    Some(answer) => {
                        let outcome = outcome.map(|result| result.map(ToOwned::to_owned)).map_err(|text| HubError::Call(self.clean(&text)));
                        answer.send(outcome).ok();
                    }
                    None => tracing::debug!(hub = self.label, "an answer to no call of ours"),
                },
                Incoming::Ping => {}
                Incoming::Close { error, allow_reconnect } => {
                    return Err(HubError::Closed { error: error.map(|text| self.clean(&text)), allow_reconnect });
                }
                Incoming::Ignored(kind) => tracing::debug!(hub = self.label, %kind, "skipped a record of a type that means nothing here"),
            }
        }
        Ok(true)
    }

    fn deliver(&mut self, target: &str, arguments: Option<&[&RawValue]>) {
        let Some(arguments) = arguments else {
            if let Some(times) = self.repeats.count("bad event") {
                tracing::warn!(hub = self.label, times, "skipped an event whose arguments are no list");
            }
            return;
        };
        let mut received = false;
        for inlet in self.inlets.iter().filter(|inlet| inlet.listens_to(target)) {
            received = true;
            if !inlet.offer(arguments, self.epoch) {
                let total = self.shared.dropped.fetch_add(1, Ordering::Relaxed) + 1;
                if self.repeats.count("dropped").is_some() {
                    tracing::warn!(hub = self.label, total, "dropped an event of the hub: its reader does not keep up");
                }
            }
        }
        if !received {
            tracing::debug!(hub = self.label, method = self.clean(target), "nobody listens to what the hub called");
        }
    }

    fn clean(&self, text: &str) -> String {
        clean(text, self.target.secrets.iter().map(String::as_str))
    }
}

/// Sends a call. Fails only if the connection does.
fn call<S: AsyncRead + AsyncWrite + Unpin>(
    wire: &mut Wire<S>,
    calls: &mut Calls,
    command: Command,
    max_sent: usize,
) -> Result<(), HubError> {
    let Command { target, arguments, reply } = command;
    let id = match &reply {
        // The caller left while the call was queued: nobody would learn its result.
        Reply::Answered(answer) if answer.is_closed() => return Ok(()),
        Reply::Answered(_) => Some(calls.next_id.to_string()),
        Reply::Sent(_) => None,
    };
    if id.is_some() && calls.waiting.len() >= MAX_CALLS {
        reply.fail(HubError::Busy);
        return Ok(());
    }
    let text = match record::invocation(id.as_deref(), &target, &arguments) {
        Ok(text) if text.len() <= max_sent => text,
        Ok(text) => {
            reply.fail(HubError::Arguments(format!("{} bytes, and the hub takes {max_sent}", text.len())));
            return Ok(());
        }
        Err(error) => {
            reply.fail(error);
            return Ok(());
        }
    };
    wire.queue(text)?;
    match (reply, id) {
        (Reply::Answered(answer), Some(id)) => {
            calls.next_id += 1;
            calls.waiting.insert(id, answer);
        }
        (Reply::Sent(sent), _) => drop(sent.send(Ok(()))),
        (Reply::Answered(_), None) => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests;
