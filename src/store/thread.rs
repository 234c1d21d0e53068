//! The two threads behind the store. The writer commits whatever waits in one transaction; each of several jobs in it has a savepoint,
//! so that one failing job takes nothing of the others with it.

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::StoreError;

/// Jobs that may wait. When full, callers wait: sources then answer "try later" through their own bounded door.
const WAITING: usize = 1_024;
/// Most jobs in one transaction: bounds how long the first waits for the last.
const TOGETHER: usize = 256;

trait Job: Send {
    fn run(&mut self, connection: &Connection) -> rusqlite::Result<()>;
    fn finish(self: Box<Self>, outcome: Result<(), StoreError>);
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

async fn ask<T: Send + 'static>(
    jobs: &mpsc::Sender<Box<dyn Job>>,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    let (done, answer) = oneshot::channel();
    jobs.send(Box::new(Typed { work: Some(work), result: None, done })).await.map_err(|_| StoreError::Closed)?;
    answer.await.unwrap_or(Err(StoreError::Closed))
}

/// The writing side.
#[derive(Clone, Debug)]
pub(super) struct Writer(mpsc::Sender<Box<dyn Job>>);

impl Writer {
    pub(super) fn start(mut connection: Connection) -> std::io::Result<Self> {
        let (sender, mut jobs) = mpsc::channel::<Box<dyn Job>>(WAITING);
        std::thread::Builder::new().name("store-writer".into()).spawn(move || {
            while let Some(first) = jobs.blocking_recv() {
                let mut together = vec![first];
                while together.len() < TOGETHER
                    && let Ok(next) = jobs.try_recv()
                {
                    together.push(next);
                }
                match <[_; 1]>::try_from(together) {
                    Ok([alone]) => commit_one(&mut connection, alone),
                    Err(several) => commit(&mut connection, several),
                }
            }
        })?;
        Ok(Self(sender))
    }

    /// Runs `work` in a transaction; resolves when it is on disk.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        ask(&self.0, work).await
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
pub(super) struct Reader(mpsc::Sender<Box<dyn Job>>);

impl Reader {
    pub(super) fn start(connection: Connection) -> std::io::Result<Self> {
        let (sender, mut jobs) = mpsc::channel::<Box<dyn Job>>(WAITING);
        std::thread::Builder::new().name("store-reader".into()).spawn(move || {
            while let Some(mut job) = jobs.blocking_recv() {
                let outcome = job.run(&connection).map_err(StoreError::from);
                job.finish(outcome);
            }
        })?;
        Ok(Self(sender))
    }

    /// Runs `work` on the reading connection: it sees everything that was acknowledged before.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        ask(&self.0, work).await
    }
}
