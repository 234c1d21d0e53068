//! Combines requests of several people for the same thing at the same moment into one.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OnceCell, oneshot};
use tokio::time::{Instant, sleep_until};

use crate::shutdown::Tasks;

/// It begins once nobody else has joined for this long.
const QUIET: Duration = Duration::from_millis(250);
/// It waits at most this long.
const MAX_WAIT: Duration = Duration::from_millis(1_200);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A waiter: its item, and the channel for its answer.
type Waiting<I, O> = Vec<(I, oneshot::Sender<O>)>;
/// Who waits for what, and when the last of them joined.
type Open<K, I, O> = Mutex<HashMap<K, (Instant, Waiting<I, O>)>>;
/// Held by key while the work runs.
type Turns<K> = Mutex<HashMap<K, Arc<tokio::sync::Mutex<()>>>>;

/// Collects items of several people for the same key, and runs the work once for all of them. Items that arrive while it runs are collected
/// for the next run, which begins when this one is over: it may find that nothing is left to do.
#[derive(Debug)]
pub(super) struct Coalescer<K, I, O> {
    open: Arc<Open<K, I, O>>,
    turns: Arc<Turns<K>>,
}

impl<K, I, O> Default for Coalescer<K, I, O> {
    fn default() -> Self {
        Self { open: Arc::default(), turns: Arc::default() }
    }
}

impl<K, I, O> Coalescer<K, I, O>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    I: Send + 'static,
    O: Clone + Send + 'static,
{
    /// Adds `item`. The first caller starts `work`, which runs as a task of its own: it doesn't matter if that caller leaves.
    /// `None` if the bot stops meanwhile.
    pub(super) async fn join<F>(&self, tasks: &Tasks, key: K, item: I, work: impl FnOnce(Vec<I>) -> F + Send + 'static) -> Option<O>
    where
        F: Future<Output = O> + Send,
    {
        let (done, answer) = oneshot::channel();
        let first = {
            let mut open = lock(&self.open);
            let (last, waiting) = open.entry(key.clone()).or_insert_with(|| (Instant::now(), Vec::new()));
            *last = Instant::now();
            waiting.push((item, done));
            waiting.len() == 1
        };
        if first {
            let (open, turns) = (Arc::clone(&self.open), Arc::clone(&self.turns));
            drop(tasks.spawn(async move {
                let turn = Arc::clone(lock(&turns).entry(key.clone()).or_default());
                let held = Arc::clone(&turn).lock_owned().await;
                let gathered = wait(&open, &key).await;
                let (items, answers): (Vec<I>, Vec<_>) = gathered.into_iter().unzip();
                let outcome = work(items).await;
                drop(held);
                {
                    let mut turns = lock(&turns);
                    // Only we and the map hold it: nobody waits.
                    if Arc::strong_count(&turn) <= 2 {
                        turns.remove(&key);
                    }
                }
                for answer in answers {
                    // A caller that left needs no answer.
                    answer.send(outcome.clone()).ok();
                }
            }));
        }
        answer.await.ok()
    }
}

/// Waits until nobody else joins. Then removes all from the list: the next caller is the first of the next run.
async fn wait<K: Eq + Hash, I, O>(open: &Open<K, I, O>, key: &K) -> Waiting<I, O> {
    let longest = Instant::now() + MAX_WAIT;
    loop {
        match ready(open, key, longest) {
            Ok(gathered) => return gathered,
            Err(until) => sleep_until(until).await,
        }
    }
}

/// All who joined, or until when to wait for more.
fn ready<K: Eq + Hash, I, O>(open: &Open<K, I, O>, key: &K, longest: Instant) -> Result<Waiting<I, O>, Instant> {
    let mut open = lock(open);
    let until = open.get(key).map_or(longest, |(last, _)| (*last + QUIET).min(longest));
    if Instant::now() < until {
        return Err(until);
    }
    Ok(open.remove(key).map(|(_, waiting)| waiting).unwrap_or_default())
}

/// Runs something once for all who ask for it while it runs.
#[derive(Debug)]
pub(super) struct SingleFlight<K, O>(Mutex<HashMap<K, Arc<OnceCell<O>>>>);

impl<K, O> Default for SingleFlight<K, O> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Clone + Eq + Hash, O: Clone> SingleFlight<K, O> {
    /// Runs it, or waits for the current run.
    pub(super) async fn run<F: Future<Output = O>>(&self, key: K, work: impl FnOnce() -> F) -> O {
        let cell = Arc::clone(lock(&self.0).entry(key.clone()).or_default());
        let outcome = cell.get_or_init(work).await.clone();
        let mut flying = lock(&self.0);
        // Later callers start a new run; another run under this key isn't ours to end.
        if flying.get(&key).is_some_and(|known| Arc::ptr_eq(known, &cell)) {
            flying.remove(&key);
        }
        outcome
    }

    /// [`SingleFlight::fly`], repeated as long as `again` says so about the outcome.
    pub(super) async fn run_while<F: Future<Output = O>>(&self, again: impl Fn(&O) -> bool, key: K, work: impl Fn() -> F) -> O {
        loop {
            let outcome = self.run(key.clone(), &work).await;
            if !again(&outcome) {
                return outcome;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn twenty_within_a_second_are_one_round_and_each_is_answered() {
        let coalescer: Coalescer<u8, usize, usize> = Coalescer::default();
        let (tasks, rounds) = (Tasks::default(), Arc::new(AtomicUsize::new(0)));
        let began = Instant::now();
        let people = (0..20_u64).map(|n| {
            let (coalescer, tasks, rounds) = (&coalescer, &tasks, Arc::clone(&rounds));
            async move {
                tokio::time::sleep(Duration::from_millis(n * 50)).await;
                let work = move |items: Vec<usize>| async move {
                    rounds.fetch_add(1, Ordering::SeqCst);
                    items.len()
                };
                coalescer.join(tasks, 7, 0, work).await
            }
        });
        let answers = join_all(people).await;
        assert_eq!(rounds.load(Ordering::SeqCst), 1);
        assert_eq!(answers, vec![Some(20); 20]);
        assert_eq!(began.elapsed(), Duration::from_millis(1_200));
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_too_late_is_in_the_next_round() {
        let coalescer: Coalescer<u8, &str, Vec<&str>> = Coalescer::default();
        let tasks = Tasks::default();
        let slow = |items: Vec<&'static str>| async move {
            tokio::time::sleep(Duration::from_secs(2)).await;
            items
        };
        let late = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            coalescer.join(&tasks, 1, "late", slow).await
        };
        let other = coalescer.join(&tasks, 2, "other", slow);
        let (first, late, other) = tokio::join!(coalescer.join(&tasks, 1, "first", slow), late, other);
        assert_eq!((first, late, other), (Some(vec!["first"]), Some(vec!["late"]), Some(vec!["other"])));
    }

    #[tokio::test(start_paused = true)]
    async fn rounds_of_one_thing_follow_each_other_and_leave_nothing_behind() {
        let coalescer: Coalescer<u8, (), usize> = Coalescer::default();
        let (tasks, under_way) = (Tasks::default(), Arc::new(AtomicUsize::new(0)));
        let work = |under_way: &Arc<AtomicUsize>| {
            let under_way = Arc::clone(under_way);
            move |_: Vec<()>| async move {
                let beside = under_way.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_secs(3)).await;
                under_way.fetch_sub(1, Ordering::SeqCst);
                beside
            }
        };
        let people = (0..4_u64).map(|n| {
            let (coalescer, tasks, work) = (&coalescer, &tasks, work(&under_way));
            async move {
                tokio::time::sleep(Duration::from_millis(n * 700)).await;
                coalescer.join(tasks, 1, (), work).await
            }
        });
        assert_eq!(join_all(people).await, vec![Some(0); 4]);
        assert!(lock(&coalescer.turns).is_empty() && lock(&coalescer.open).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn that_the_first_leaves_is_nothing_to_the_others() {
        let coalescer: Coalescer<u8, u8, usize> = Coalescer::default();
        let tasks = Tasks::default();
        let count = |items: Vec<u8>| async move { items.len() };
        let first = tokio::time::timeout(Duration::from_millis(10), coalescer.join(&tasks, 1, 0, count));
        let (left, stays) = tokio::join!(first, coalescer.join(&tasks, 1, 1, count));
        assert_eq!((left.is_err(), stays), (true, Some(2)));
    }

    #[tokio::test(start_paused = true)]
    async fn one_flight_for_all_who_ask_meanwhile() {
        let flight: SingleFlight<u8, usize> = SingleFlight::default();
        let runs = AtomicUsize::new(0);
        let run = || {
            flight.run(1, || async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                runs.fetch_add(1, Ordering::SeqCst)
            })
        };
        assert_eq!(join_all((0..5).map(|_| run())).await, [0; 5]);
        assert_eq!(run().await, 1);
    }
}
