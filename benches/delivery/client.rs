//! A client with little overhead: one keep-alive connection, hand-written HTTP/1.1. Every program under measurement gets the same bytes.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One connection, opened when first needed and again when the other side has closed it.
#[derive(Debug)]
pub(crate) struct Connection {
    addr: SocketAddr,
    stream: Option<TcpStream>,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Connection {
    /// To this address.
    pub(crate) fn new(addr: SocketAddr) -> Self {
        Self { addr, stream: None, request: Vec::new(), answer: Vec::new() }
    }

    /// Connects, if it is not connected.
    ///
    /// # Errors
    /// If nobody listens there.
    pub(crate) async fn open(&mut self) -> io::Result<()> {
        if self.stream.is_none() {
            let stream = TcpStream::connect(self.addr).await?;
            stream.set_nodelay(true)?;
            self.stream = Some(stream);
        }
        Ok(())
    }

    /// Posts an event of a server. Returns the status.
    ///
    /// # Errors
    /// Network errors; a connection that was closed while idle is reopened once.
    pub(crate) async fn post(&mut self, server: u32, body: &str) -> io::Result<u16> {
        let head = format!(
            "POST /sonorancad/event?server={server} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.request.clear();
        self.request.extend_from_slice(head.as_bytes());
        self.request.extend_from_slice(body.as_bytes());
        self.ask().await.map(|(status, _)| status)
    }

    /// Gets a path. Returns status and body.
    ///
    /// # Errors
    /// As [`Connection::post`].
    pub(crate) async fn get(&mut self, path: &str) -> io::Result<(u16, String)> {
        self.request = format!("GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n").into_bytes();
        let (status, head) = self.ask().await?;
        Ok((status, String::from_utf8_lossy(self.answer.get(head..).unwrap_or_default()).into_owned()))
    }

    async fn ask(&mut self) -> io::Result<(u16, usize)> {
        let kept = self.stream.is_some();
        match self.once().await {
            Err(error) if kept && self.answer.is_empty() && error.kind() != io::ErrorKind::InvalidData => {
                self.stream = None;
                self.once().await
            }
            answer => answer,
        }
    }

    /// Returns the status and where the body begins in `answer`.
    async fn once(&mut self) -> io::Result<(u16, usize)> {
        self.answer.clear();
        self.open().await?;
        let Some(mut stream) = self.stream.take() else { return Err(io::ErrorKind::NotConnected.into()) };
        stream.write_all(&self.request).await?;
        loop {
            if stream.read_buf(&mut self.answer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(end) = end(&self.answer)? {
                if !end.closes {
                    self.stream = Some(stream);
                }
                return Ok((end.status, end.head));
            }
        }
    }
}

/// Sends events, `(server, body)`, as fast as they are accepted, over so many connections; repeats those not answered 200. Returns how long
/// it took, without connecting, and how many answers were not 200.
///
/// # Errors
/// Network errors.
pub(crate) async fn send_all(addr: SocketAddr, connections: usize, events: Vec<(u32, String)>) -> io::Result<(Duration, u32)> {
    let (events, next) = (Arc::new(events), Arc::new(AtomicUsize::new(0)));
    let mut open = Vec::new();
    for _ in 0..connections {
        let mut connection = Connection::new(addr);
        connection.open().await?;
        open.push(connection);
    }
    let began = Instant::now();
    let sending = open.into_iter().map(|mut connection| {
        let (events, next) = (Arc::clone(&events), Arc::clone(&next));
        tokio::spawn(async move {
            let mut refused = 0;
            while let Some((server, body)) = events.get(next.fetch_add(1, Ordering::Relaxed)) {
                while connection.post(*server, body).await? != 200 {
                    refused += 1;
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
            io::Result::Ok(refused)
        })
    });
    // Collected first: all of them run at once.
    let mut refused = 0;
    for task in sending.collect::<Vec<_>>() {
        refused += task.await??;
    }
    Ok((began.elapsed(), refused))
}

struct End {
    status: u16,
    head: usize,
    closes: bool,
}

/// The status and body of a complete response.
fn end(answer: &[u8]) -> io::Result<Option<End>> {
    let broken = || io::Error::new(io::ErrorKind::InvalidData, "not an HTTP answer");
    let Some(head) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let (text, body) = answer.split_at(head + 4);
    let text = std::str::from_utf8(text).map_err(|_| broken())?;
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(broken)?;
    let header = |name: &str| {
        text.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    };
    let whole = match header("content-length") {
        Some(length) => body.len() >= length.parse().map_err(|_| broken())?,
        None if header("transfer-encoding").is_some() => body.ends_with(b"0\r\n\r\n"),
        None => true,
    };
    let closes = header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    Ok(whole.then_some(End { status, head: head + 4, closes }))
}
