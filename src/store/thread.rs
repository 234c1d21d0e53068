//! The two threads behind the store. The writer commits whatever waits in one transaction; each of several jobs in it has a savepoint,
//! so that one failing job takes nothing of the others with it.
//!
//! Both end when they are asked to ([`Store::close`](super::Store::close)) or when the last clone of the store is gone. The writer ends
//! last: it waits for the reader, empties the write-ahead log into the database, closes it and gives the lock back, in this order. After that
//! the database is one file that can be copied.

use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::StoreError;
use super::open::Lock;

/// Jobs that may wait. When full, callers wait: sources then answer "try later" through their own bounded door.
const WAITING: usize = 1_024;
/// Most jobs in one transaction: bounds how long the first waits for the last.
const TOGETHER: usize = 256;
/// How long the last checkpoint waits for another program that reads the database.
const CHECKPOINT_WAIT: Duration = Duration::from_millis(500);

trait Job: Send {
    fn run(&mut self, connection: &Connection) -> rusqlite::Result<()>;
    fn finish(self: Box<Self>, outcome: Result<(), StoreError>);
}

/// What a thread is asked for.
enum Order {
    Job(Box<dyn Job>),
    /// End once everything that was ordered before is done.
    Close,
}

struct Typed<F, T> {
    work: Option<F>,
    result: Option<T>,
    done: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Job for Typed<F, T>
where
    F: FnOnce(&Connection) -> rusqlite::Result<T> + Send,
    T: Send,
{
    fn run(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        if let Some(work) = self.work.take() {
            self.result = Some(work(connection)?);
        }
        Ok(())
    }

    fn finish(self: Box<Self>, outcome: Result<(), StoreError>) {
        let Self { result, done, .. } = *self;
        // If nobody waits any more, nobody needs to know.
        done.send(outcome.and_then(|()| result.ok_or(StoreError::Closed))).ok();
    }
}

/// The way to a thread.
#[derive(Clone, Debug)]
struct Orders(mpsc::Sender<Order>, #[cfg(test)] Option<std::sync::Arc<std::sync::Mutex<Connection>>>);

impl Orders {
    fn new(sender: mpsc::Sender<Order>) -> Self {
        Self(
            sender,
            #[cfg(test)]
            None,
        )
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        #[cfg(test)]
        if let Some(connection) = &self.1 {
            return Ok(work(&connection.lock().unwrap())?);
        }
        let (done, answer) = oneshot::channel();
        self.0.send(Order::Job(Box::new(Typed { work: Some(work), result: None, done }))).await.map_err(|_| StoreError::Closed)?;
        // A job that came behind the order to close is dropped with the queue.
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    async fn close(&self) {
        // That it has ended already is what is wanted.
        self.0.send(Order::Close).await.ok();
    }
}

/// The jobs to do next, up to `most`, and whether to end after them. `None`: there is nobody left who could order anything.
fn next(orders: &mut mpsc::Receiver<Order>, most: usize) -> Option<(Vec<Box<dyn Job>>, bool)> {
    let mut jobs = Vec::new();
    let mut order = orders.blocking_recv()?;
    loop {
        match order {
            Order::Job(job) => jobs.push(job),
            Order::Close => return Some((jobs, true)),
        }
        if jobs.len() >= most {
            return Some((jobs, false));
        }
        order = match orders.try_recv() {
            Ok(order) => order,
            Err(_) => return Some((jobs, false)),
        };
    }
}

/// The writing side.
#[derive(Clone, Debug)]
pub(super) struct Writer(Orders);

impl Writer {
    /// Owns the lock: it is given back when the database is closed, whatever clones of the store live on.
    pub(super) fn start(mut connection: Connection, reader: JoinHandle<()>, lock: Lock) -> std::io::Result<Self> {
        let (sender, mut orders) = mpsc::channel(WAITING);
        std::thread::Builder::new().name("store-writer".into()).spawn(move || {
            while let Some((jobs, last)) = next(&mut orders, TOGETHER) {
                match <[_; 1]>::try_from(jobs) {
                    Ok([alone]) => commit_one(&mut connection, alone),
                    Err(several) if several.is_empty() => {}
                    Err(several) => commit(&mut connection, several),
                }
                if last {
                    break;
                }
            }
            // An open reading transaction would keep the log from being emptied.
            reader.join().ok();
            end(connection);
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
        self.0.run(work).await
    }

    /// Resolves when the thread has closed the database. The reader must have been asked to end before.
    pub(super) async fn close(&self) {
        self.0.close().await;
        self.0.0.closed().await;
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

/// A job without company needs no savepoint, for which SQLite would keep a copy of every page that it changes.
fn commit_one(connection: &mut Connection, mut job: Box<dyn Job>) {
    let outcome = (|| {
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        // Dropped without commit: rolled back.
        job.run(&transaction)?;
        transaction.commit()
    })();
    job.finish(outcome.map_err(StoreError::from));
}

fn commit(connection: &mut Connection, mut jobs: Vec<Box<dyn Job>>) {
    let mut failed: Vec<Option<StoreError>> = Vec::with_capacity(jobs.len());
    let outcome = (|| {
        let mut transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        for job in &mut jobs {
            let savepoint = transaction.savepoint()?;
            match job.run(&savepoint) {
                Ok(()) => {
                    savepoint.commit()?;
                    failed.push(None);
                }
                Err(error) => {
                    // Dropped without commit: rolled back to where this job began.
                    drop(savepoint);
                    // On a full disk SQLite may roll the whole transaction back by itself: then nobody's work is stored.
                    if transaction.is_autocommit() {
                        return Err(error);
                    }
                    failed.push(Some(error.into()));
                }
            }
        }
        transaction.commit()
    })();
    match outcome {
        Ok(()) => {
            for (job, failed) in jobs.into_iter().zip(failed) {
                job.finish(failed.map_or(Ok(()), Err));
            }
        }
        Err(error) => {
            let error = StoreError::from(error);
            tracing::error!(%error, "a transaction failed; nothing of it was stored");
            for job in jobs {
                job.finish(Err(error.clone()));
            }
        }
    }
}

/// The reading side.
#[derive(Clone, Debug)]
pub(super) struct Reader(Orders);

impl Reader {
    pub(super) fn start(connection: Connection) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (sender, mut orders) = mpsc::channel(WAITING);
        let thread = std::thread::Builder::new().name("store-reader".into()).spawn(move || {
            while let Some((jobs, last)) = next(&mut orders, 1) {
                for mut job in jobs {
                    let outcome = job.run(&connection).map_err(StoreError::from);
                    job.finish(outcome);
                }
                if last {
                    break;
                }
            }
        })?;
        Ok((Self(Orders::new(sender)), thread))
    }

    /// Runs `work` on the reading connection: it sees everything that was acknowledged before.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.0.run(work).await
    }

    /// Asks the thread to end once it has done what it was asked before.
    pub(super) async fn close(&self) {
        self.0.close().await;
    }
}

/// Both sides on one connection and without threads, for tests of many short runs: work is done as it is asked for, in whatever transaction the
/// connection is.
#[cfg(test)]
pub(super) fn inline(connection: Connection) -> (Writer, Reader) {
    let connection = Some(std::sync::Arc::new(std::sync::Mutex::new(connection)));
    let orders = Orders(mpsc::channel(1).0, connection);
    (Writer(orders.clone()), Reader(orders))
}
