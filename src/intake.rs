//! The door between the sources (hub sessions, HTTP listener) and `ingest`: a bounded queue of arrivals, each with a way to learn
//! that it is committed. A source never waits on anything but this door.

use tokio::sync::{mpsc, oneshot};

use crate::event::RawEvent;

/// Arrivals that may wait at the door. 1,024 events of 1 MiB would be too much memory, so the listener also bounds its own requests.
pub const CAPACITY: usize = 1024;

/// An event at the door.
#[derive(Debug)]
pub struct Arrival {
    /// The event.
    pub event: RawEvent,
    /// Told once the event's fate is known; `None` if nobody waits.
    pub done: Option<oneshot::Sender<Result<(), Refused>>>,
}

/// Why an event was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A known type whose data cannot be used: the sender's fault. Nothing was stored.
    #[error("the data of this event type cannot be used")]
    Unusable,
    /// The store cannot take it now: try later.
    #[error("the event could not be stored now")]
    Unavailable,
}

/// The sources' side. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Intake(mpsc::Sender<Arrival>);

/// Makes a door.
#[must_use]
pub fn door() -> (Intake, mpsc::Receiver<Arrival>) {
    let (sender, receiver) = mpsc::channel(CAPACITY);
    (Intake(sender), receiver)
}

impl Intake {
    /// Hands over an event and waits until it is committed. Does not wait for room: a full door is [`Refused::Unavailable`] at once.
    ///
    /// # Errors
    /// As [`Refused`] says.
    pub async fn commit(&self, event: RawEvent) -> Result<(), Refused> {
        let (done, answer) = oneshot::channel();
        self.0.try_send(Arrival { event, done: Some(done) }).map_err(|_| Refused::Unavailable)?;
        answer.await.unwrap_or(Err(Refused::Unavailable))
    }

    /// Hands over an event and waits only for room at the door: for the hub, which cannot be told to send again.
    ///
    /// # Errors
    /// [`Refused::Unavailable`] if the bot is stopping.
    pub async fn hand_over(&self, event: RawEvent) -> Result<(), Refused> {
        self.0.send(Arrival { event, done: None }).await.map_err(|_| Refused::Unavailable)
    }
}
