//! The two threads behind the store. The writer commits whatever waits in one transaction; each of several jobs in it has a savepoint,
//! so that one failing job takes nothing of the others with it. Deliveries that nobody waits for are stored with a later one. It also has the queue of posts, whose changes are stored with the job that
//! made them, and undone if that fails.
//!
//! Both end when they are asked to ([`Store::close`](super::Store::close)) or when the last clone of the store is gone. The writer ends
//! last: it waits for the reader, empties the write-ahead log into the database, closes it and gives the lock back, in this order. After that
//! the database is one file that can be copied.

use std::cell::Cell;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::error::StoreError;
use super::open::Lock;
use super::posts::Posts;
use super::schema::{LOG_SIZE, page_size};

/// Jobs that may wait. When full, callers wait: the intake queue then fills up, and sources answer "try later".
const MAX_WAITING_JOBS: usize = 1_024;
/// Most jobs in one transaction: bounds how long the first waits for the last.
const MAX_JOBS_PER_COMMIT: usize = 256;
/// What became of a message that was sent is on disk within this time.
const SAVE_WITHIN: Duration = Duration::from_millis(50);
/// If it could not be stored, it is tried again after this time.
const SAVE_AGAIN: Duration = Duration::from_secs(1);
/// How long the last checkpoint waits for another program that reads the database.
const CHECKPOINT_WAIT: Duration = Duration::from_millis(500);

/// What becomes of a job's changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Durability {
    /// It makes none.
    None,
    /// They are on disk before it is answered.
    Now,
    /// They are on disk soon, unless what it found must be so before ([`Writer::change_posts_soon`]).
    Soon,
}

/// What is asked of a thread, which works on `C`.
trait Job<C>: Send {
    fn durability(&self) -> Durability;
    fn run(&mut self, on: &mut C) -> rusqlite::Result<()>;
    fn finish(self: Box<Self>, outcome: Result<(), StoreError>);
}

enum Order<C> {
    Job(Box<dyn Job<C>>),
    /// End once everything that was ordered before is done.
    Close,
}

struct Typed<F, T> {
    durability: Durability,
    /// Of a job whose changes are stored soon: whether what it found makes that now.
    is_urgent: fn(&T) -> bool,
    work: Option<F>,
    result: Option<T>,
    done: oneshot::Sender<Result<T, StoreError>>,
}

impl<C, F, T> Job<C> for Typed<F, T>
where
    F: FnOnce(&mut C) -> rusqlite::Result<T> + Send,
    T: Send,
{
    fn durability(&self) -> Durability {
        match (self.durability, &self.result) {
            (Durability::Soon, Some(result)) if (self.is_urgent)(result) => Durability::Now,
            (durability, _) => durability,
        }
    }

    fn run(&mut self, on: &mut C) -> rusqlite::Result<()> {
        if let Some(work) = self.work.take() {
            self.result = Some(work(on)?);
        }
        Ok(())
    }

    fn finish(self: Box<Self>, outcome: Result<(), StoreError>) {
        let Self { result, done, .. } = *self;
        // If nobody waits any more, nobody needs to know.
        done.send(outcome.and_then(|()| result.ok_or(StoreError::Closed))).ok();
    }
}

/// Sends jobs to a thread.
struct Orders<C> {
    sender: mpsc::Sender<Order<C>>,
}

impl<C> Clone for Orders<C> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone() }
    }
}

impl<C> std::fmt::Debug for Orders<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Orders").finish_non_exhaustive()
    }
}

impl<C: 'static> Orders<C> {
    fn new(sender: mpsc::Sender<Order<C>>) -> Self {
        Self { sender }
    }

    async fn run<T: Send + 'static>(
        &self,
        durability: Durability,
        is_urgent: fn(&T) -> bool,
        work: impl FnOnce(&mut C) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (done, answer) = oneshot::channel();
        let job = Box::new(Typed { durability, is_urgent, work: Some(work), result: None, done });
        self.sender.send(Order::Job(job)).await.map_err(|_| StoreError::Closed)?;
        // A job that came behind the order to close is dropped with the queue.
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    async fn close(&self) {
        // That it has ended already is what is wanted.
        self.sender.send(Order::Close).await.ok();
    }
}

type Jobs<C> = Vec<Box<dyn Job<C>>>;

/// `first` and the jobs behind it, up to `most`, and whether to end after them.
fn gather<C>(first: Order<C>, orders: &mut mpsc::Receiver<Order<C>>, most: usize) -> (Jobs<C>, bool) {
    let mut jobs = Vec::new();
    let mut order = first;
    loop {
        match order {
            Order::Job(job) => jobs.push(job),
            Order::Close => return (jobs, true),
        }
        if jobs.len() >= most {
            return (jobs, false);
        }
        order = match orders.try_recv() {
            Ok(order) => order,
            Err(_) => return (jobs, false),
        };
    }
}

thread_local! {
    /// How many pages the log held after this thread's last commit; 0 once it was emptied.
    static LOG_PAGES: Cell<i64> = const { Cell::new(0) };
}

/// What the writing thread works on.
#[derive(Debug)]
pub(super) struct Written {
    connection: Connection,
    posts: Posts,
    /// When changes of posts that wait to be stored must be.
    save_at: Option<Instant>,
    /// The log is emptied when it holds so many pages.
    max_log_pages: i64,
}

impl Written {
    pub(super) fn new(connection: Connection, posts: Posts) -> rusqlite::Result<Self> {
        // In the place of SQLite's own hook, which empties the log within the commit: whoever waits for that would wait for this, too.
        connection.wal_hook(Some(|_, pages| {
            LOG_PAGES.set(pages.into());
            Ok(())
        }));
        let max_log_pages = LOG_SIZE / page_size(&connection)?;
        Ok(Self { connection, posts, save_at: None, max_log_pages })
    }

    /// Empties the log into the database if it is long, as far as nobody reads it. A failure loses nothing: the next commit tries again.
    fn checkpoint(&self) {
        if LOG_PAGES.get() >= self.max_log_pages {
            LOG_PAGES.set(0);
            if let Err(error) = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", (), |_| Ok(())) {
                tracing::debug!(%error, "the database's write-ahead log could not be emptied");
            }
        }
    }

    fn execute(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute(()).map(|_| ())
    }

    /// Does jobs in one transaction. What each came to, in their order; an error if nothing of them is stored.
    fn commit(&mut self, jobs: &mut [Box<dyn Job<Self>>]) -> rusqlite::Result<Vec<Result<(), StoreError>>> {
        if jobs.iter().all(|job| job.durability() == Durability::None) {
            return Ok(jobs.iter_mut().map(|job| job.run(self).map_err(StoreError::from)).collect());
        }
        let before = self.posts.mark();
        let outcome = self.commit_from(jobs);
        match outcome {
            Ok(_) => self.posts.keep(),
            Err(_) => self.posts.undo_to(before),
        }
        outcome
    }

    fn commit_from(&mut self, jobs: &mut [Box<dyn Job<Self>>]) -> rusqlite::Result<Vec<Result<(), StoreError>>> {
        // What only changes posts, and need not be on disk at once, needs no transaction of its own.
        if jobs.iter().all(|job| job.durability() != Durability::Now) {
            jobs.iter_mut().try_for_each(|job| job.run(self))?;
            if jobs.iter().all(|job| job.durability() != Durability::Now) {
                self.save_at.get_or_insert_with(|| Instant::now() + SAVE_WITHIN);
            } else {
                self.in_transaction(|written| written.posts.store(&written.connection))?;
            }
            return Ok(jobs.iter().map(|_| Ok(())).collect());
        }
        self.in_transaction(|written| match jobs {
            // Alone, a job needs no savepoint, for which SQLite would keep a copy of every page that it changes.
            [alone] if written.save_at.is_none() => written.run(alone).map(|()| vec![Ok(())]),
            several => {
                written.posts.store(&written.connection)?;
                several.iter_mut().map(|job| written.run_apart(job)).collect()
            }
        })
    }

    /// Stores what waits for that.
    fn save(&mut self) {
        let before = self.posts.mark();
        if let Err(error) = self.in_transaction(|written| written.posts.store(&written.connection)) {
            tracing::error!(%error, "what became of sent messages could not be stored; trying again");
            self.posts.undo_to(before);
            self.save_at = Some(Instant::now() + SAVE_AGAIN);
        }
    }

    fn in_transaction<T>(&mut self, work: impl FnOnce(&mut Self) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let begun = self.execute("BEGIN IMMEDIATE");
        let outcome = begun.and_then(|()| work(self)).and_then(|done| self.execute("COMMIT").map(|()| done));
        match outcome {
            Ok(_) => self.save_at = None,
            // On a full disk SQLite may have done so itself.
            Err(_) if self.connection.is_autocommit() => {}
            Err(_) => self.execute("ROLLBACK")?,
        }
        outcome
    }

    fn run(&mut self, job: &mut Box<dyn Job<Self>>) -> rusqlite::Result<()> {
        job.run(self)?;
        self.posts.store(&self.connection)
    }

    /// A job that takes nothing of the others with it when it fails. An error if the whole transaction failed.
    fn run_apart(&mut self, job: &mut Box<dyn Job<Self>>) -> rusqlite::Result<Result<(), StoreError>> {
        let before = self.posts.mark();
        self.execute("SAVEPOINT job")?;
        match self.run(job) {
            Ok(()) => self.execute("RELEASE job").map(Ok),
            // On a full disk SQLite may roll the whole transaction back by itself: then nobody's work is stored.
            Err(error) if self.connection.is_autocommit() => Err(error),
            Err(error) => {
                self.posts.undo_to(before);
                self.execute("ROLLBACK TO job")?;
                self.execute("RELEASE job")?;
                Ok(Err(error.into()))
            }
        }
    }
}

/// The writing side.
#[derive(Clone, Debug)]
pub(super) struct Writer(Orders<Written>);

impl Writer {
    /// Owns the lock: it is given back when the database is closed, whatever clones of the store live on.
    pub(super) fn start(mut written: Written, reader: JoinHandle<()>, lock: Lock) -> std::io::Result<Self> {
        let (sender, mut orders) = mpsc::channel(MAX_WAITING_JOBS);
        let timer = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        std::thread::Builder::new().name("store-writer".into()).spawn(move || {
            loop {
                // Whoever waited for the last commit was answered.
                written.checkpoint();
                // However much comes in that is stored soon itself.
                if written.save_at.is_some_and(|at| at <= Instant::now()) {
                    written.save();
                }
                let waited = match written.save_at {
                    None => Ok(orders.blocking_recv()),
                    Some(at) => timer.block_on(async { tokio::time::timeout_at(at.into(), orders.recv()).await }),
                };
                let order = match waited {
                    Ok(Some(order)) => order,
                    // There is nobody left who could order anything.
                    Ok(None) => break,
                    Err(_) => continue,
                };
                let (mut jobs, last) = gather(order, &mut orders, MAX_JOBS_PER_COMMIT);
                match written.commit(&mut jobs) {
                    Ok(outcomes) => jobs.into_iter().zip(outcomes).for_each(|(job, outcome)| job.finish(outcome)),
                    Err(error) => {
                        let error = StoreError::from(error);
                        if jobs.len() > 1 {
                            tracing::error!(%error, "a transaction failed; nothing of it was stored");
                        }
                        jobs.into_iter().for_each(|job| job.finish(Err(error.clone())));
                    }
                }
                if last {
                    break;
                }
            }
            if written.save_at.is_some() {
                written.save();
            }
            // An open reading transaction would keep the log from being emptied.
            reader.join().ok();
            end(written.connection);
            drop(lock);
            // Whoever waits in `close` sees this, so it comes last.
            drop(orders);
        })?;
        Ok(Self(Orders::new(sender)))
    }

    /// Runs `work` in a transaction; resolves when it is on disk.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.0.run(Durability::Now, |_| true, move |written| work(&written.connection)).await
    }

    /// Runs `work` in a transaction, and stores with it what it changed of posts; resolves when it is on disk.
    pub(super) async fn change_posts<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection, &mut Posts) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.0.run(Durability::Now, |_| true, move |written| work(&written.connection, &mut written.posts)).await
    }

    /// As [`Writer::change_posts`], of what changes nothing else, but resolves before it is on disk unless `is_urgent`: it joins the next
    /// transaction, at the latest after [`SAVE_WITHIN`]. If the process dies before, posts are again as they were.
    pub(super) async fn change_posts_soon<T: Send + 'static>(
        &self,
        is_urgent: fn(&T) -> bool,
        work: impl FnOnce(&Connection, &mut Posts) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.0.run(Durability::Soon, is_urgent, move |written| work(&written.connection, &mut written.posts)).await
    }

    /// Looks at posts: everything that was acknowledged before is there.
    pub(super) async fn read_posts<T: Send + 'static>(&self, look: impl FnOnce(&Posts) -> T + Send + 'static) -> Result<T, StoreError> {
        self.0.run(Durability::None, |_| false, move |written| Ok(look(&written.posts))).await
    }

    /// Resolves when the thread has closed the database. The reader must have been asked to end before.
    pub(super) async fn close(&self) {
        self.0.close().await;
        self.0.sender.closed().await;
    }
}

/// Empties the write-ahead log into the database and closes it. A failure loses nothing: the log is read at the next start.
fn end(connection: Connection) {
    connection.busy_timeout(CHECKPOINT_WAIT).ok();
    match connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |row| row.get::<_, i64>(0)) {
        Ok(0) => {}
        Ok(_) => tracing::warn!("another program reads the database: its write-ahead log stays beside it and belongs to it"),
        Err(error) => tracing::warn!(%error, "the database's write-ahead log could not be emptied; it stays beside it and belongs to it"),
    }
    if let Err((_, error)) = connection.close() {
        tracing::warn!(%error, "the database could not be closed");
    }
}

/// The reading side.
#[derive(Clone, Debug)]
pub(super) struct Reader(Orders<Connection>);

impl Reader {
    pub(super) fn start(mut connection: Connection) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (sender, mut orders) = mpsc::channel(MAX_WAITING_JOBS);
        let thread = std::thread::Builder::new().name("store-reader".into()).spawn(move || {
            while let Some(order) = orders.blocking_recv() {
                let (jobs, last) = gather(order, &mut orders, 1);
                for mut job in jobs {
                    let outcome = job.run(&mut connection).map_err(StoreError::from);
                    job.finish(outcome);
                }
                if last {
                    break;
                }
            }
        })?;
        Ok((Self(Orders::new(sender)), thread))
    }

    /// Runs `work` on the reading connection: it sees everything that was acknowledged before, but for deliveries of the last
    /// [`SAVE_WITHIN`].
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.0.run(Durability::None, |_| false, move |connection| work(connection)).await
    }

    /// Asks the thread to end once it has done what it was asked before.
    pub(super) async fn close(&self) {
        self.0.close().await;
    }
}
