//! Queues requests whose operation's budget is used up, instead of refusing them.
//!
//! People on duty go first, then members whose account is known, then everybody else; within each group everybody's first request goes
//! before anybody's second. The queue is bounded ([`MAX_WAITING`]), and so is the wait ([`PATIENCE`]). Never sends anything, never counts:
//! the budgets do.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// Longest wait of a person, over all requests of one action. Discord keeps an interaction open for 15 minutes.
pub const PATIENCE: Duration = Duration::from_secs(180);
/// Requests that may wait at once, over all operations.
pub(super) const MAX_WAITING: usize = 500;
/// Of these, people whose account is not known.
pub(super) const MAX_STRANGERS: usize = 300;

/// Who goes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rank {
    /// Somebody on duty.
    OnDuty,
    /// Somebody with a known account, and requests that serve several people at once.
    #[default]
    Known,
    /// Somebody whose account is not known.
    Stranger,
    /// Background: sent only while half of the budget is left and nobody waits.
    Background,
}

/// What a person's request waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Nothing worth showing.
    #[default]
    Working,
    /// The CAD is being asked who they are.
    Account,
    /// Their request waits for its turn.
    Queued,
}

/// A person's waiting state: who, until when, and where the wait is shown.
#[derive(Clone, Debug)]
pub struct Turn {
    person: u64,
    until: Instant,
    phase: Arc<watch::Sender<Phase>>,
}

tokio::task_local! {
    static TURN: Turn;
}

impl Turn {
    /// For somebody who has just asked for something, and the channel that shows the wait.
    #[must_use]
    pub fn new(person: u64) -> (Self, watch::Receiver<Phase>) {
        let (phase, shown) = watch::channel(Phase::Working);
        (Self { person, until: Instant::now() + PATIENCE, phase: Arc::new(phase) }, shown)
    }

    /// The turn of the person whose action is running, if there is one.
    #[must_use]
    pub fn current() -> Option<Self> {
        TURN.try_with(Clone::clone).ok()
    }

    /// Whether they still wait.
    #[must_use]
    pub fn has_time(&self) -> bool {
        Instant::now() < self.until
    }

    /// Runs `work` in this turn.
    pub async fn scope<F: Future>(self, work: F) -> F::Output {
        TURN.scope(self, work).await
    }

    /// Runs `work` in this turn, or without one.
    pub async fn carry<F: Future>(turn: Option<Self>, work: F) -> F::Output {
        match turn {
            Some(turn) => turn.scope(work).await,
            None => work.await,
        }
    }

    /// Shows what is being waited for while `work` runs.
    pub async fn during<F: Future>(phase: Phase, work: F) -> F::Output {
        let turn = Self::current();
        let before = turn.as_ref().map(|turn| turn.phase.send_replace(phase));
        let done = work.await;
        if let (Some(turn), Some(before)) = (turn, before) {
            turn.phase.send_replace(before);
        }
        done
    }
}

/// Who waits, and until when.
pub(super) fn claim() -> (u64, Instant) {
    Turn::current().map_or_else(|| (0, Instant::now() + PATIENCE), |turn| (turn.person, turn.until))
}

/// One request that waits.
#[derive(Debug)]
struct Waiter {
    number: u64,
    rank: Rank,
    person: u64,
    /// The round of the request: each person has one request per round.
    round: u64,
    call: Arc<Notify>,
}

/// The requests that wait for one operation.
#[derive(Debug, Default)]
pub(super) struct OperationQueue {
    next: u64,
    /// The round of the request served last.
    round: u64,
    waiting: Vec<Waiter>,
}

impl OperationQueue {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Those of one rank, or all.
    pub(super) fn len_of(&self, rank: Option<Rank>) -> usize {
        self.waiting.iter().filter(|waiter| rank.is_none_or(|rank| waiter.rank == rank)).count()
    }

    /// Joins the queue. Returns its number, and the notifier for its turn.
    pub(super) fn join(&mut self, rank: Rank, person: u64) -> (u64, Arc<Notify>) {
        let (number, call) = (self.next, Arc::new(Notify::new()));
        self.next += 1;
        // Requests without a person serve many people.
        let own = self.waiting.iter().filter(|waiter| person != 0 && waiter.person == person && waiter.rank == rank);
        let round = own.map(|waiter| waiter.round + 1).max().unwrap_or(self.round).max(self.round);
        self.waiting.push(Waiter { number, rank, person, round, call: Arc::clone(&call) });
        (number, call)
    }

    /// Leaves the queue.
    pub(super) fn leave(&mut self, number: u64) {
        self.waiting.retain(|waiter| waiter.number != number);
    }

    /// It is sent now.
    pub(super) fn served(&mut self, number: u64) {
        self.round = self.waiting.iter().find(|waiter| waiter.number == number).map_or(self.round, |waiter| self.round.max(waiter.round));
        self.leave(number);
        if self.waiting.is_empty() {
            self.round = 0;
        }
    }

    /// Whose turn it is: by rank, then everybody's first request before anybody's second, then in order of arrival.
    pub(super) fn first(&self) -> Option<u64> {
        self.waiting.iter().min_by_key(|waiter| (waiter.rank, waiter.round, waiter.number)).map(|waiter| waiter.number)
    }

    /// Notifies the one whose turn it is.
    pub(super) fn call_first(&self) {
        let first = self.first();
        if let Some(waiter) = self.waiting.iter().find(|waiter| Some(waiter.number) == first) {
            waiter.call.notify_one();
        }
    }

    /// Notifies everybody: something other than a free place happened.
    pub(super) fn call_all(&self) {
        self.waiting.iter().for_each(|waiter| waiter.call.notify_one());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_on_duty_go_first_and_nobodys_second_goes_before_anybodys_first() {
        let mut line = OperationQueue::default();
        let mut names = Vec::new();
        for (name, rank, person) in [
            ("stranger", Rank::Stranger, 1),
            ("ann", Rank::Known, 2),
            ("ann again", Rank::Known, 2),
            ("bob", Rank::Known, 3),
            ("officer", Rank::OnDuty, 4),
        ] {
            names.push((line.join(rank, person).0, name));
        }
        let mut order = Vec::new();
        while let Some(first) = line.first() {
            order.push(names.iter().find(|(number, _)| *number == first).unwrap().1);
            line.served(first);
        }
        assert_eq!(order, ["officer", "ann", "bob", "ann again", "stranger"]);
    }
}
