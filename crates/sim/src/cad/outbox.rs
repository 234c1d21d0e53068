//! The queue of one server's HTTP pushes.

use tokio::sync::mpsc;

/// HTTP pushes waiting per server; more are lost, as with a CAD that doesn't retry.
const QUEUE: usize = 1_024;

/// The HTTP pushes of one server, kept in order by one task.
pub(super) struct Outbox {
    pub(super) queue: mpsc::Sender<HttpPush>,
}

#[derive(Clone)]
pub(super) struct HttpPush {
    pub(super) kind: String,
    pub(super) url: String,
    pub(super) body: String,
}

impl Outbox {
    pub(super) fn new() -> (Self, mpsc::Receiver<HttpPush>) {
        let (queue, pushes) = mpsc::channel(QUEUE);
        (Self { queue }, pushes)
    }
}
