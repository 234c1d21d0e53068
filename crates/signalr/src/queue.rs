//! Queues the hub's calls for a reader. Never makes the connection wait: calls that don't fit are dropped, counted and logged.
//!
//! There are two bounds, on records and on bytes, because one record may have 16 MiB and five thousand may have 100 bytes each. The newest
//! is dropped: readers keep an unbroken run up to the gap, and a caller that sees the counter change reloads the state anyway.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use serde_json::value::RawValue;
use tokio::sync::mpsc;

/// Bytes charged per record on top of its arguments.
const OVERHEAD: usize = 128;

/// One call of the server to a target that we listen to.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// The arguments as sent, unparsed: one of them may be odd, and that must cost this event only.
    pub args: Vec<Box<RawValue>>,
    /// The connection that it came by, counted from 1.
    pub epoch: u64,
}

#[derive(Debug, Default)]
struct Gauge {
    records: AtomicUsize,
    bytes: AtomicUsize,
    dropped: AtomicU64,
}

/// The reader's end. It survives reconnects.
#[derive(Debug)]
pub struct Events {
    incoming: mpsc::UnboundedReceiver<(Invocation, usize)>,
    gauge: Arc<Gauge>,
}

impl Events {
    /// The next call, in order of arrival. `None` once the hub's task has ended and everything was read.
    ///
    /// Cancel safe: a call that was not returned is not lost.
    pub async fn recv(&mut self) -> Option<Invocation> {
        let taken = self.incoming.recv().await;
        self.account(taken)
    }

    /// The next call if there is one already.
    pub fn try_recv(&mut self) -> Option<Invocation> {
        let taken = self.incoming.try_recv().ok();
        self.account(taken)
    }

    /// How many calls didn't fit since the start.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.gauge.dropped.load(Ordering::Relaxed)
    }

    fn account(&self, taken: Option<(Invocation, usize)>) -> Option<Invocation> {
        let (invocation, size) = taken?;
        self.gauge.records.fetch_sub(1, Ordering::AcqRel);
        self.gauge.bytes.fetch_sub(size, Ordering::AcqRel);
        Some(invocation)
    }
}

/// The connection's end. There is only one, so nothing can be added between the check and the send.
#[derive(Debug)]
pub(super) struct Inlet {
    target: String,
    // Unbounded by itself; the gauge is the bound.
    outgoing: mpsc::UnboundedSender<(Invocation, usize)>,
    gauge: Arc<Gauge>,
    max_records: usize,
    max_bytes: usize,
}

impl Inlet {
    /// Whether this is for `target`, ignoring ASCII case, as the server's own lookup does.
    pub(super) fn listens_to(&self, target: &str) -> bool {
        self.target.eq_ignore_ascii_case(target)
    }

    /// Queues one call. False if it was dropped because the queue is full; a reader that is gone misses nothing.
    pub(super) fn offer(&self, args: &[&RawValue], epoch: u64) -> bool {
        if self.outgoing.is_closed() {
            return true;
        }
        let size = args.iter().fold(OVERHEAD, |sum, arg| sum.saturating_add(arg.get().len()).saturating_add(16));
        let bytes = self.gauge.bytes.load(Ordering::Acquire);
        if self.gauge.records.load(Ordering::Acquire) >= self.max_records || bytes.saturating_add(size) > self.max_bytes {
            self.gauge.dropped.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        self.gauge.records.fetch_add(1, Ordering::AcqRel);
        self.gauge.bytes.fetch_add(size, Ordering::AcqRel);
        self.outgoing.send((Invocation { args: args.iter().map(|arg| (*arg).to_owned()).collect(), epoch }, size)).ok();
        true
    }
}

/// A pair for `target` that holds `max_records` calls and `max_bytes` bytes, whichever is reached first.
pub(super) fn queue(target: &str, max_records: usize, max_bytes: usize) -> (Inlet, Events) {
    let (outgoing, incoming) = mpsc::unbounded_channel();
    let gauge = Arc::new(Gauge::default());
    (Inlet { target: target.to_owned(), outgoing, gauge: Arc::clone(&gauge), max_records, max_bytes }, Events { incoming, gauge })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn a_full_queue_drops_the_newest_and_accepts_more_once_read() {
        let (inlet, mut events) = queue("pushEvent", 2, 1 << 20);
        let offered: Vec<bool> = (0..3).map(|n| inlet.offer(&[&raw(&n.to_string())], 1)).collect();
        assert_eq!(offered, [true, true, false]);
        assert_eq!(events.try_recv().unwrap().args[0].get(), "0");
        assert!(inlet.offer(&[&raw("3")], 1));
        assert_eq!(events.try_recv().unwrap().args[0].get(), "1");
        assert_eq!(events.try_recv().unwrap().args[0].get(), "3");
        assert!(events.try_recv().is_none());
        assert_eq!(events.dropped(), 1);
    }

    #[test]
    fn bytes_are_a_bound_of_their_own() {
        let (inlet, events) = queue("pushEvent", 1000, 1000);
        assert!(!inlet.offer(&[&raw(&format!("\"{}\"", "x".repeat(1000)))], 1));
        let fitting = (0..1000).filter(|_| inlet.offer(&[&raw("1")], 1)).count();
        assert!((1..10).contains(&fitting), "{fitting}: overhead counts too");
        assert_eq!(events.dropped(), 1001 - fitting as u64);
    }

    #[test]
    fn targets_match_without_regard_to_ascii_case() {
        let (inlet, events) = queue("pushEvent", 1, 1000);
        assert!(inlet.listens_to("PUSHEVENT") && !inlet.listens_to("pushEvents"));
        drop(events);
        assert!(inlet.offer(&[], 1) && inlet.offer(&[], 1), "nobody reads, nothing is missed");
    }
}
