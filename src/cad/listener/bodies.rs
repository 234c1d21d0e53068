//! Limits the memory of bodies being read: shared by all connections, with a maximum for each address.
//!
//! The first [`SMALL`] bytes of each body are always available, since connections are counted: no flood of large bodies keeps a usual event
//! out. Further bytes come from a pool. When that is used up, the body that has not grown for the longest is aborted for the newer one.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Largest body accepted, in bytes. The largest events known (station alerts with recorded speech) stay far below.
pub const MAX_BODY: usize = 1024 * 1024;

/// Bytes that every body may use, whatever others use. Most events are smaller.
pub(super) const SMALL: usize = 64 * 1024;
/// Bytes beyond [`SMALL`] that may be held at once, over all connections.
pub(super) const MAX_POOL: usize = 32 * 1024 * 1024;
/// The part of it that one address may use.
pub(super) const PER_ADDRESS: usize = MAX_POOL / 8;
/// A body that grew within this time isn't aborted for another.
const STALE: Duration = Duration::from_millis(200);

/// The pool. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Bodies(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    next: u64,
    held: HashMap<u64, Held>,
}

#[derive(Debug)]
struct Held {
    /// `None` if the sender is unknown: a proxy's.
    address: Option<IpAddr>,
    bytes: usize,
    grown: Instant,
    cut: CancellationToken,
}

/// The pool is used up.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoRoom;

impl Bodies {
    /// Starts a body.
    pub(super) fn begin(&self, address: Option<IpAddr>) -> BodyReader {
        let cut = CancellationToken::new();
        let mut state = self.state();
        let id = state.next;
        state.next += 1;
        state.held.insert(id, Held { address, bytes: 0, grown: Instant::now(), cut: cut.clone() });
        BodyReader { bytes: Vec::new(), bodies: self.clone(), id, cut }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Sets how many bytes of the pool `id` has.
    fn grow(&mut self, id: u64, bytes: usize) -> Result<(), NoRoom> {
        let now = Instant::now();
        let Some(held) = self.held.get_mut(&id) else { return Err(NoRoom) };
        held.grown = now;
        let address = held.address;
        if let Some(address) = address {
            self.make_room(id, bytes, PER_ADDRESS, now, |other| other.address == Some(address))?;
        }
        self.make_room(id, bytes, MAX_POOL, now, |_| true)?;
        if let Some(held) = self.held.get_mut(&id) {
            held.bytes = bytes;
        }
        Ok(())
    }

    fn make_room(&mut self, id: u64, bytes: usize, most: usize, now: Instant, counts: impl Fn(&Held) -> bool) -> Result<(), NoRoom> {
        loop {
            let others = || self.held.iter().filter(|(other, held)| **other != id && counts(held));
            if others().map(|(_, held)| held.bytes).sum::<usize>() + bytes <= most {
                return Ok(());
            }
            let stale = others().filter(|(_, held)| held.bytes > 0 && now.duration_since(held.grown) >= STALE);
            let Some(longest) = stale.min_by_key(|(_, held)| held.grown).map(|(other, _)| *other) else { return Err(NoRoom) };
            if let Some(held) = self.held.remove(&longest) {
                held.cut.cancel();
            }
        }
    }
}

/// A body being read; its bytes return to the pool when it is dropped.
#[derive(Debug)]
pub(super) struct BodyReader {
    bytes: Vec<u8>,
    bodies: Bodies,
    id: u64,
    /// Cancelled when it was aborted for another.
    pub(super) cut: CancellationToken,
}

impl BodyReader {
    /// The bytes so far.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Adds bytes, at most [`MAX_BODY`] in all. Grants what has arrived, not what was announced: announcing costs nothing.
    pub(super) fn push(&mut self, chunk: &[u8]) -> Result<(), NoRoom> {
        let (room, needed) = (self.bytes.capacity(), self.bytes.len() + chunk.len());
        if needed > room {
            let wanted = needed.max(room.saturating_mul(2)).max(2_048).min(MAX_BODY.max(needed));
            if let beyond @ 1.. = wanted.saturating_sub(SMALL) {
                self.bodies.state().grow(self.id, beyond)?;
            }
            self.bytes.reserve_exact(wanted - self.bytes.len());
        }
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }
}

impl Drop for BodyReader {
    fn drop(&mut self) {
        self.bytes = Vec::new();
        self.bodies.state().held.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, n]))
    }

    fn fill(reading: &mut BodyReader, bytes: usize) -> Result<(), NoRoom> {
        reading.push(&vec![b'x'; bytes])
    }

    #[tokio::test(start_paused = true)]
    async fn no_address_holds_more_than_an_eighth_and_small_bodies_always_fit() {
        let bodies = Bodies::default();
        let mut all = Vec::new();
        for n in 0..8 {
            let mut mine = 0;
            loop {
                let mut body = bodies.begin(address(n));
                if fill(&mut body, MAX_BODY).is_err() {
                    break;
                }
                mine += 1;
                all.push(body);
            }
            assert_eq!(mine, PER_ADDRESS / (MAX_BODY - SMALL));
        }
        for n in 0..100 {
            let mut small = bodies.begin(address(n));
            fill(&mut small, SMALL).unwrap();
            all.push(small);
        }
        let pooled: usize = bodies.state().held.values().map(|held| held.bytes).sum();
        assert!(pooled <= MAX_POOL, "{pooled}");
        drop(all);
        assert!(bodies.state().held.is_empty());
        let mut proxied: Vec<BodyReader> = (0..16).map(|_| bodies.begin(None)).collect();
        assert!(proxied.iter_mut().all(|body| fill(body, MAX_BODY).is_ok()), "a proxy is no single address");
    }

    #[tokio::test(start_paused = true)]
    async fn the_body_that_stands_still_for_the_longest_makes_room() {
        let bodies = Bodies::default();
        let mut held: Vec<BodyReader> = (0..4).map(|_| bodies.begin(address(1))).collect();
        for body in &mut held {
            fill(body, MAX_BODY).unwrap();
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        let mut newer = bodies.begin(address(1));
        assert_eq!(fill(&mut newer, MAX_BODY), Err(NoRoom), "they have just grown");
        tokio::time::advance(STALE).await;
        fill(&mut newer, MAX_BODY).unwrap();
        assert_eq!(held.iter().map(|body| body.cut.is_cancelled()).collect::<Vec<_>>(), [true, false, false, false]);
    }
}
