//! The bounded queue in which one community's events wait between the sources (hub sessions, HTTP listener) and `ingest`, which processes
//! them. A source can wait for its event to be committed, and never waits for anything else.
//!
//! Memory is bounded for each community and for all of them together, and each has some that no other can take: however many events others
//! send, a usual one finds room.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::event::RawEvent;

/// Arrivals of one community that may wait in the queue.
pub const CAPACITY: usize = 1024;

/// Bytes of memory that the events in all queues and those that ingest works on may take, as built, not as sent: large ones take far more than
/// their text. 1,024 usual events need half of it.
pub const MAX_WEIGHT: usize = 32 * 1024 * 1024;

/// What one community may take of [`MAX_WEIGHT`].
pub const MAX_COMMUNITY_WEIGHT: usize = MAX_WEIGHT / 2;

/// What each community has besides, and no other can take.
const RESERVED_WEIGHT: usize = 256 * 1024;

/// An event in the queue.
#[derive(Debug)]
pub struct Arrival {
    pub event: RawEvent,
    /// Receives the result once the event is committed or rejected; `None` if nobody waits.
    pub done: Option<oneshot::Sender<Result<(), IntakeError>>>,
    /// The memory that is counted for it, given back when this is dropped.
    pub weight: Option<Weight>,
}

/// Memory that is counted for an event.
#[derive(Debug)]
pub struct Weight {
    bytes: u32,
    _permits: (OwnedSemaphorePermit, Option<OwnedSemaphorePermit>),
}

impl Weight {
    /// How much (bytes).
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes as usize
    }
}

/// Why an event was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntakeError {
    /// A known type whose data cannot be used: the sender's fault. Nothing was stored.
    #[error("the data of this event type cannot be used")]
    Unusable,
    /// The store cannot take it now: try later.
    #[error("the event could not be stored now")]
    Unavailable,
}

/// The memory that the queues of all communities share. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SharedWeight(Arc<Semaphore>);

impl Default for SharedWeight {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_WEIGHT)))
    }
}

/// The sources' side. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Intake {
    arrivals: mpsc::Sender<Arrival>,
    reserved: Arc<Semaphore>,
    /// What is left of the community's part of what all share.
    own: Arc<Semaphore>,
    shared: Arc<Semaphore>,
}

/// Creates a community's queue: the sources' side and ingest's side.
#[must_use]
pub fn channel(shared: &SharedWeight) -> (Intake, mpsc::Receiver<Arrival>) {
    let (sender, receiver) = mpsc::channel(CAPACITY);
    let (reserved, own) = (Arc::new(Semaphore::new(RESERVED_WEIGHT)), Arc::new(Semaphore::new(MAX_COMMUNITY_WEIGHT)));
    (Intake { arrivals: sender, reserved, own, shared: Arc::clone(&shared.0) }, receiver)
}

impl Intake {
    /// Hands over an event and waits until it is committed. Does not wait for room: if the queue is full,
    /// or holds too many bytes, this is [`IntakeError::Unavailable`] at once.
    ///
    /// # Errors
    /// As [`IntakeError`] says.
    pub async fn commit(&self, event: RawEvent) -> Result<(), IntakeError> {
        let weight = self.weigh_now(weight(&event)).ok_or(IntakeError::Unavailable)?;
        let (done, answer) = oneshot::channel();
        self.arrivals.try_send(Arrival { event, done: Some(done), weight: Some(weight) }).map_err(|_| IntakeError::Unavailable)?;
        answer.await.unwrap_or(Err(IntakeError::Unavailable))
    }

    /// Hands over an event and waits only for room in the queue: for the hub, which can't be asked to send it again.
    ///
    /// # Errors
    /// [`IntakeError::Unavailable`] if the bot is stopping.
    pub async fn hand_over(&self, event: RawEvent) -> Result<(), IntakeError> {
        let weight = self.weigh(weight(&event)).await.ok_or(IntakeError::Unavailable)?;
        self.arrivals.send(Arrival { event, done: None, weight: Some(weight) }).await.map_err(|_| IntakeError::Unavailable)
    }

    fn weigh_now(&self, bytes: u32) -> Option<Weight> {
        let of = |room: &Arc<Semaphore>| Arc::clone(room).try_acquire_many_owned(bytes).ok();
        if let Some(permit) = of(&self.reserved) {
            return Some(Weight { bytes, _permits: (permit, None) });
        }
        let own = of(&self.own)?;
        Some(Weight { bytes, _permits: (own, Some(of(&self.shared)?)) })
    }

    async fn weigh(&self, bytes: u32) -> Option<Weight> {
        if let Some(weight) = self.weigh_now(bytes) {
            return Some(weight);
        }
        let own = Arc::clone(&self.own).acquire_many_owned(bytes).await.ok()?;
        let shared = Arc::clone(&self.shared).acquire_many_owned(bytes).await.ok()?;
        Some(Weight { bytes, _permits: (own, Some(shared)) })
    }
}

/// What an event takes of [`MAX_COMMUNITY_WEIGHT`]: at most all of it, so that it comes in sometime.
fn weight(event: &RawEvent) -> u32 {
    u32::try_from(event.envelope.weight().min(MAX_COMMUNITY_WEIGHT)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::clock::UnixMs;
    use crate::event::{Envelope, Source};
    use crate::ids::ServerId;

    fn event(data: Value) -> RawEvent {
        let envelope = Arc::new(Envelope { kind: "EVENT_911".into(), data, extras: serde_json::Map::new() });
        RawEvent { server: ServerId(1), source: Source::Http, received_at: UnixMs(0), envelope }
    }

    /// As many values as a body may hold: 60 KB as text, more than a megabyte as built.
    fn swollen() -> Value {
        Value::Array(vec![json!({ "": 0 }); 10_000])
    }

    #[tokio::test]
    async fn events_are_charged_for_what_they_take_as_built_and_give_it_back() {
        assert!(weight(&event(swollen())) as usize >= 10_000 * size_of::<Value>() * 2, "{}", weight(&event(swollen())));
        let (intake, mut arrivals) = channel(&SharedWeight::default());
        let mut waiting = Vec::new();
        loop {
            let mut handed = Box::pin(intake.hand_over(event(swollen())));
            let full = futures_util::future::poll_immediate(&mut handed).await.is_none();
            waiting.push(handed);
            if full {
                break;
            }
        }
        assert!(waiting.len() < 40, "{} events of more than a megabyte wait", waiting.len());
        // One more sender over HTTP gets an answer at once; usual events have no room either while these are there.
        assert_eq!(intake.commit(event(swollen())).await, Err(IntakeError::Unavailable));
        while let Ok(arrival) = arrivals.try_recv() {
            drop(arrival);
        }
        assert_eq!(waiting.pop().unwrap().await, Ok(()), "the hub's event waits for room and then has it");
    }

    #[tokio::test]
    async fn an_event_that_takes_all_there_is_comes_in_by_itself() {
        let (intake, mut arrivals) = channel(&SharedWeight::default());
        let huge = || event(json!("x".repeat(MAX_WEIGHT + 1)));
        intake.hand_over(huge()).await.unwrap();
        assert_eq!(intake.commit(event(swollen())).await, Err(IntakeError::Unavailable));
        drop(arrivals.recv().await);
        intake.hand_over(huge()).await.unwrap();
    }

    #[tokio::test]
    async fn however_much_others_send_a_usual_event_finds_room() {
        let shared = SharedWeight::default();
        let floods: Vec<_> = (0..3).map(|_| channel(&shared)).collect();
        for (intake, _arrivals) in &floods {
            while futures_util::future::poll_immediate(Box::pin(intake.hand_over(event(swollen())))).await.is_some() {}
        }
        let (calm, mut arrivals) = channel(&shared);
        assert_eq!(calm.commit(event(swollen())).await, Err(IntakeError::Unavailable), "nothing is left of what all share");
        let mut panic = Box::pin(calm.commit(event(json!({ "unit": { "id": 7, "isPanic": true } }))));
        assert!(futures_util::future::poll_immediate(&mut panic).await.is_none(), "it waits for its commit, not for room");
        arrivals.recv().await.unwrap().done.unwrap().send(Ok(())).unwrap();
        assert_eq!(panic.await, Ok(()));
    }
}
