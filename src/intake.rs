//! The bounded queue between the sources (hub sessions, HTTP listener) and `ingest`. Each arrival has a way to learn that it is committed. A
//! source never waits for anything else.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::event::RawEvent;

/// Arrivals that may wait in the queue.
pub const CAPACITY: usize = 1024;

/// Bytes of memory that the events in the queue and those that ingest works on may take, as built, not as sent: large ones take far more than
/// their text. 1,024 usual events need half of it.
pub const MAX_WEIGHT: usize = 32 * 1024 * 1024;

/// An event in the queue.
#[derive(Debug)]
pub struct Arrival {
    pub event: RawEvent,
    /// Receives the result once the event is committed or rejected; `None` if nobody waits.
    pub done: Option<oneshot::Sender<Result<(), IntakeError>>>,
    /// Its share of [`MAX_WEIGHT`], given back when it is dropped.
    pub weight: Option<OwnedSemaphorePermit>,
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

/// The sources' side. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Intake {
    arrivals: mpsc::Sender<Arrival>,
    weight: Arc<Semaphore>,
}

/// Creates the queue: the sources' side and ingest's side.
#[must_use]
pub fn queue() -> (Intake, mpsc::Receiver<Arrival>) {
    let (sender, receiver) = mpsc::channel(CAPACITY);
    (Intake { arrivals: sender, weight: Arc::new(Semaphore::new(MAX_WEIGHT)) }, receiver)
}

impl Intake {
    /// Hands over an event and waits until it is committed. Does not wait for room: if the queue is full,
    /// or holds too many bytes, this is [`IntakeError::Unavailable`] at once.
    ///
    /// # Errors
    /// As [`IntakeError`] says.
    pub async fn commit(&self, event: RawEvent) -> Result<(), IntakeError> {
        let weight = Arc::clone(&self.weight).try_acquire_many_owned(weight(&event)).map_err(|_| IntakeError::Unavailable)?;
        let (done, answer) = oneshot::channel();
        self.arrivals.try_send(Arrival { event, done: Some(done), weight: Some(weight) }).map_err(|_| IntakeError::Unavailable)?;
        answer.await.unwrap_or(Err(IntakeError::Unavailable))
    }

    /// Hands over an event and waits only for room in the queue: for the hub, which can't be asked to send it again.
    ///
    /// # Errors
    /// [`IntakeError::Unavailable`] if the bot is stopping.
    pub async fn hand_over(&self, event: RawEvent) -> Result<(), IntakeError> {
        let weight = Arc::clone(&self.weight).acquire_many_owned(weight(&event)).await.map_err(|_| IntakeError::Unavailable)?;
        self.arrivals.send(Arrival { event, done: None, weight: Some(weight) }).await.map_err(|_| IntakeError::Unavailable)
    }
}

/// What an event takes of [`MAX_WEIGHT`]: at most all of it, so that it comes in sometime.
fn weight(event: &RawEvent) -> u32 {
    u32::try_from(event.envelope.weight().min(MAX_WEIGHT)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::clock::UnixMs;
    use crate::event::{Envelope, Source};
    use crate::ids::{CommunityId, ServerId};

    fn event(data: Value) -> RawEvent {
        let envelope = Arc::new(Envelope { kind: "EVENT_911".into(), data, extras: serde_json::Map::new() });
        RawEvent { community: CommunityId::new("c"), server: ServerId(1), source: Source::Http, received_at: UnixMs(0), envelope }
    }

    /// As many values as a body may hold: 60 KB as text, more than a megabyte as built.
    fn swollen() -> Value {
        Value::Array(vec![json!({ "": 0 }); 10_000])
    }

    #[tokio::test]
    async fn events_are_charged_for_what_they_take_as_built_and_give_it_back() {
        assert!(weight(&event(swollen())) as usize >= 10_000 * size_of::<Value>() * 2, "{}", weight(&event(swollen())));
        let (intake, mut arrivals) = queue();
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
        // One more sender over HTTP is told at once; usual events have no room either while these are there.
        assert_eq!(intake.commit(event(swollen())).await, Err(IntakeError::Unavailable));
        while let Ok(arrival) = arrivals.try_recv() {
            drop(arrival);
        }
        assert_eq!(waiting.pop().unwrap().await, Ok(()), "the hub's event waits for room and then has it");
    }

    #[tokio::test]
    async fn an_event_that_takes_all_there_is_comes_in_by_itself() {
        let (intake, mut arrivals) = queue();
        let huge = || event(json!("x".repeat(MAX_WEIGHT + 1)));
        intake.hand_over(huge()).await.unwrap();
        assert_eq!(intake.commit(event(json!({}))).await, Err(IntakeError::Unavailable));
        drop(arrivals.recv().await);
        intake.hand_over(huge()).await.unwrap();
    }
}
