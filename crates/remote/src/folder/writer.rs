//! The one writer: a thread that owns the writing connection.
//!
//! It takes what is queued, at most [`BATCH`] changes, judges and applies each in
//! turn in one transaction, syncs, and only then answers. So conditions hold at the
//! instant of the change, and many small writes share one sync. Bodies are durable
//! before their rows; files that no row names any more are unlinked after the
//! answer, and what a crash leaves of them is swept at the next opening.

use super::apply::{self, Fresh, Outcome, PutJob};
use super::bodies::{self, Bodies};
use super::failure;
use super::log::Log;
use crate::error::{Error, ErrorKind, Result};
use crate::kill;
use crate::world::World;
use crate::{Condition, Stored};
use rusqlite::{Connection, TransactionBehavior};
use std::collections::HashMap;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use tidelock_core::path::Key;
use tokio::sync::oneshot;

/// Changes in one transaction at most.
const BATCH: usize = 256;

/// The way to the thread. Dropping it waits for the thread to end.
pub(super) struct Writer {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

/// What became of a write that was not refused.
pub(super) enum Verdict {
    /// It is there and durable.
    Stored(Stored),
    /// An origin is another state with the ETag that was asked for: look again.
    Again(Box<PutJob>),
}

enum Job {
    Put(Box<PutJob>, oneshot::Sender<Result<Verdict>>),
    Delete(Vec<(Key, Condition)>, oneshot::Sender<Result<Vec<Result<()>>>>),
}

/// Why a transaction did not come about.
enum Failed {
    /// Nothing was changed.
    Before(Error),
    /// The commit itself failed: only the next opening knows.
    Commit(Error),
}

impl Writer {
    pub(super) fn start(connection: Connection, log: Log, bodies: Arc<Bodies>, world: World) -> Result<Self> {
        let (jobs, queue) = mpsc::channel();
        let mut desk = Desk { connection, log, bodies, world };
        let work = move || {
            while let Ok(first) = queue.recv() {
                let mut batch = vec![first];
                while batch.len() < BATCH
                    && let Ok(next) = queue.try_recv()
                {
                    batch.push(next);
                }
                desk.carry_out(batch);
                desk.log.tend(&desk.connection);
            }
            // The last connection moves the log into the database.
            kill::point("close database");
        };
        let thread = std::thread::Builder::new().name("folder-writer".to_owned()).spawn(work);
        let thread = thread.map_err(|error| failure::io("open", "cannot start the writer", error))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    pub(super) async fn put(&self, job: Box<PutJob>) -> Result<Verdict> {
        let (reply, answer) = oneshot::channel();
        self.send("put", Job::Put(job, reply))?;
        answer.await.unwrap_or_else(|_| Err(gone("put")))
    }

    pub(super) async fn delete(&self, items: Vec<(Key, Condition)>) -> Result<Vec<Result<()>>> {
        let (reply, answer) = oneshot::channel();
        self.send("delete", Job::Delete(items, reply))?;
        answer.await.unwrap_or_else(|_| Err(gone("delete")))
    }

    fn send(&self, op: &'static str, job: Job) -> Result<()> {
        match self.jobs.as_ref().map(|jobs| jobs.send(job)) {
            Some(Ok(())) => Ok(()),
            _ => Err(gone(op)),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has already been told to whoever waited.
            let _ = thread.join();
        }
    }
}

fn gone(op: &'static str) -> Error {
    Error::new(ErrorKind::OutcomeUnknown, op, "the store's writer has ended")
}

/// What the thread works with.
struct Desk {
    connection: Connection,
    log: Log,
    bodies: Arc<Bodies>,
    world: World,
}

impl Desk {
    fn carry_out(&mut self, batch: Vec<Job>) {
        let batch = self.sync_folders(batch);
        match self.attempt(&batch) {
            Ok((outcomes, freed)) => self.answer(batch, outcomes, &freed),
            // One of them may be the reason: each has another chance alone.
            Err(Failed::Before(_)) if batch.len() > 1 => {
                for job in batch {
                    self.carry_out_alone(job);
                }
            }
            Err(failed) => batch.into_iter().for_each(|job| refuse(job, &failed)),
        }
    }

    fn carry_out_alone(&mut self, job: Job) {
        let batch = vec![job];
        match self.attempt(&batch) {
            Ok((outcomes, freed)) => self.answer(batch, outcomes, &freed),
            Err(failed) => batch.into_iter().for_each(|job| refuse(job, &failed)),
        }
    }

    /// Makes the names of new bodies durable, one sync a folder; answers the jobs
    /// for which that fails and gives back the others.
    fn sync_folders(&self, batch: Vec<Job>) -> Vec<Job> {
        let mut synced: HashMap<u16, Result<()>> = HashMap::new();
        let mut ready = Vec::with_capacity(batch.len());
        for job in batch {
            let result = match filed(&job) {
                None => Ok(()),
                Some(id) => {
                    let sync = || self.bodies.sync_folder_of(id);
                    synced.entry(bodies::folder_number(id)).or_insert_with(sync).clone()
                }
            };
            match result {
                Ok(()) => ready.push(job),
                Err(error) => refuse(job, &Failed::Before(error)),
            }
        }
        ready
    }

    /// All jobs in one transaction: what each came to, and the files it freed.
    fn attempt(&mut self, batch: &[Job]) -> std::result::Result<(Vec<Outcome>, Vec<u64>), Failed> {
        let before = |error| Failed::Before(failure::sql("commit", &error));
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(before)?;
        let modified_s = self.world.clock.wall_ns().div_euclid(1_000_000_000);
        let mut freed = Vec::new();
        let mut outcomes = Vec::with_capacity(batch.len());
        for job in batch {
            let outcome = match job {
                Job::Put(put, _) => apply::put(&transaction, put, modified_s, &mut freed),
                Job::Delete(items, _) => apply::delete(&transaction, items, &mut freed),
            };
            outcomes.push(outcome.map_err(before)?);
        }
        kill::point("commit");
        match transaction.commit() {
            Ok(()) => Ok((outcomes, freed)),
            Err(error) => {
                let error = failure::sql("commit", &error);
                // The record that makes a transaction count is written last, so a
                // full disk has kept it out. After any other failure it may be there.
                Err(if error.kind == ErrorKind::Full { Failed::Before(error) } else { Failed::Commit(error) })
            }
        }
    }

    fn answer(&self, batch: Vec<Job>, outcomes: Vec<Outcome>, freed: &[u64]) {
        for (job, outcome) in batch.into_iter().zip(outcomes) {
            // Whoever asked may have left; what was done is done.
            match (job, outcome) {
                (Job::Put(put, reply), Outcome::Stored(stored)) => {
                    put.keep();
                    let _ = reply.send(Ok(Verdict::Stored(stored)));
                }
                (Job::Put(put, reply), Outcome::Again) => {
                    let _ = reply.send(Ok(Verdict::Again(put)));
                }
                (Job::Put(_, reply), Outcome::Refused(error)) => {
                    let _ = reply.send(Err(error));
                }
                (Job::Delete(_, reply), Outcome::Deleted(answers)) => {
                    let _ = reply.send(Ok(answers));
                }
                (Job::Put(..), Outcome::Deleted(_)) | (Job::Delete(..), _) => {
                    unreachable!("each kind of job has its own kinds of outcome")
                }
            }
        }
        freed.iter().for_each(|id| self.bodies.remove(*id));
    }
}

fn filed(job: &Job) -> Option<u64> {
    match job {
        Job::Put(put, _) => match &put.fresh {
            Some(Fresh::Filed(body, _)) => Some(body.id),
            _ => None,
        },
        Job::Delete(..) => None,
    }
}

fn refuse(job: Job, failed: &Failed) {
    let error = match failed {
        Failed::Before(error) => error.clone(),
        Failed::Commit(error) => {
            // A row may name the body after all; the next opening decides.
            if let Job::Put(put, _) = &job {
                put.keep();
            }
            Error { kind: ErrorKind::OutcomeUnknown, ..error.clone() }
        }
    };
    // Whoever asked may have left.
    match job {
        Job::Put(put, reply) => {
            drop(put);
            let _ = reply.send(Err(Error { op: "put", ..error }));
        }
        Job::Delete(_, reply) => {
            let _ = reply.send(Err(Error { op: "delete", ..error }));
        }
    }
}
