//! Whose turn it is to ask the CAD: a request that finds its operation's budget used up waits here instead of being refused.
//!
//! People on duty go first, then members whose account is known, then everybody else; within each group everybody's first request goes before
//! anybody's second. The waiting room is bounded ([`MAX_WAITING`]), and so is the wait ([`PATIENCE`]). Never sends anything, never counts: the
//! budgets do.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// Longest wait of a person, over all requests of what they asked for. Discord keeps an interaction open for 15 minutes.
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
    /// Somebody with a known account, and what serves several people at once.
    #[default]
    Known,
    /// Somebody whose account is not known.
    Stranger,
    /// Nobody waits for it: sent only while half of the budget is left and nobody waits.
    Background,
}

/// What a person's request is waiting for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Nothing that would have to be said.
    #[default]
    Working,
    /// The CAD is asked who they are.
    Account,
    /// Their request waits for its turn.
    Queued,
}

/// A person's claim on the CAD's time: whose it is, until when they wait, and where their waiting shows.
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
    /// For somebody who has just asked for something, and what shows how they wait.
    #[must_use]
    pub fn new(person: u64) -> (Self, watch::Receiver<Phase>) {
        let (phase, shown) = watch::channel(Phase::Working);
        (Self { person, until: Instant::now() + PATIENCE, phase: Arc::new(phase) }, shown)
    }

    /// The turn of who asked for what is being done now, if there is somebody.
    #[must_use]
    pub fn current() -> Option<Self> {
        TURN.try_with(Clone::clone).ok()
    }

    /// Whether they still wait.
    #[must_use]
    pub fn has_time(&self) -> bool {
        Instant::now() < self.until
    }

    /// Does `work` in this turn.
    pub async fn scope<F: Future>(self, work: F) -> F::Output {
        TURN.scope(self, work).await
    }

    /// Does `work` in this turn, or in nobody's.
    pub async fn carry<F: Future>(turn: Option<Self>, work: F) -> F::Output {
        match turn {
            Some(turn) => turn.scope(work).await,
            None => work.await,
        }
    }

    /// Shows what is being waited for while `work` is done.
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
    /// Everybody's requests are in rounds of their own, one each.
    round: u64,
    call: Arc<Notify>,
}

/// The requests that wait for one operation.
#[derive(Debug, Default)]
pub(super) struct Line {
    next: u64,
    /// That of the request served last.
    round: u64,
    waiting: Vec<Waiter>,
}

impl Line {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Those of one rank, or all.
    pub(super) fn len_of(&self, rank: Option<Rank>) -> usize {
        self.waiting.iter().filter(|waiter| rank.is_none_or(|rank| waiter.rank == rank)).count()
    }

    /// Takes a place. Its number, and what is rung when it may be its turn.
    pub(super) fn join(&mut self, rank: Rank, person: u64) -> (u64, Arc<Notify>) {
        let (number, call) = (self.next, Arc::new(Notify::new()));
        self.next += 1;
        // Requests without a person are many people's.
        let own = self.waiting.iter().filter(|waiter| person != 0 && waiter.person == person && waiter.rank == rank);
        let round = own.map(|waiter| waiter.round + 1).max().unwrap_or(self.round).max(self.round);
        self.waiting.push(Waiter { number, rank, person, round, call: Arc::clone(&call) });
        (number, call)
    }

    /// Gives up a place.
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

    /// Whose turn it is: by rank, then everybody's first request before anybody's second, then who came first.
    pub(super) fn first(&self) -> Option<u64> {
        self.waiting.iter().min_by_key(|waiter| (waiter.rank, waiter.round, waiter.number)).map(|waiter| waiter.number)
    }

    /// Rings whose turn it is.
    pub(super) fn call_first(&self) {
        let first = self.first();
        if let Some(waiter) = self.waiting.iter().find(|waiter| Some(waiter.number) == first) {
            waiter.call.notify_one();
        }
    }

    /// Rings everybody: something else than a free place happened.
    pub(super) fn call_all(&self) {
        self.waiting.iter().for_each(|waiter| waiter.call.notify_one());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_on_duty_go_first_and_nobodys_second_goes_before_anybodys_first() {
        let mut line = Line::default();
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
