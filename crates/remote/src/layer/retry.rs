//! Again, if that is safe, after a wait, as long as there is reason to.
//!
//! What a place says failed is sent again. What may or may not have happened is
//! looked at first: a write is known by its attempt id, a deletion by its absence.
//! A download whose body breaks goes on where it broke (`resume.rs`). How long to wait and when to stop is `core/backoff.rs`; the purse of retries is
//! shared by a whole run.

use super::observe::Requests;
use super::resume::resumed;
use super::{holds, in_turn, is_ours};
use crate::world::World;
use crate::{
    Ability, Capabilities, Condition, Cursor, Download, Error, ErrorKind, Object, Page, Progress, Put, Remote, Result,
    Stored,
};
use async_trait::async_trait;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tidelock_core::backoff::{Backoff, Budget};
use tidelock_core::entry::RemoteStamp;
use tidelock_core::path::Key;

/// A place that is asked again.
pub struct Retry {
    remote: Arc<dyn Remote>,
    patience: Patience,
}

/// How often, and after which wait.
#[derive(Clone)]
pub(super) struct Patience {
    backoff: Backoff,
    budget: Arc<Mutex<Budget>>,
    requests: Arc<Requests>,
    world: World,
}

impl Patience {
    fn purse<T>(&self, work: impl FnOnce(&mut Budget) -> T) -> T {
        work(&mut self.budget.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits before the attempt after `failed` failures; `false` if there shall be
    /// none.
    pub(super) async fn wait(&self, failed: u32, asked: Option<Duration>) -> bool {
        let Some(wait) = self.backoff.wait(failed, self.world.rng.next_u64(), asked) else { return false };
        if !self.purse(Budget::withdraw) {
            return false;
        }
        self.requests.retried();
        self.world.sleep.sleep(wait).await;
        true
    }
}

/// What a look showed of a write whose fate was unknown.
enum Fate {
    /// It happened.
    Done(Stored),
    /// It has not, and its condition still holds.
    Open,
    /// Somebody else wrote.
    Lost,
}

impl Retry {
    /// Repeats what fails at `remote`, within `backoff` and the shared `budget`,
    /// counting in `requests`.
    pub fn new(
        remote: Arc<dyn Remote>,
        backoff: Backoff,
        budget: Arc<Mutex<Budget>>,
        requests: Arc<Requests>,
        world: World,
    ) -> Self {
        Self { remote, patience: Patience { backoff, budget, requests, world } }
    }

    /// Repeats what changes nothing, however it failed.
    async fn read<T, F: Future<Output = Result<T>> + Send>(&self, ask: impl Fn() -> F + Send) -> Result<T> {
        self.patience.purse(Budget::deposit);
        let mut failed = 0;
        loop {
            let error = match ask().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            failed += 1;
            let again = error.kind.is_retryable() || error.kind == ErrorKind::OutcomeUnknown;
            if !again || !self.patience.wait(failed, asked(&error)).await {
                return Err(error);
            }
        }
    }

    /// What became of a write.
    async fn fate(&self, request: &Put) -> Result<Fate> {
        let found = self.head(&request.key).await?;
        Ok(match found {
            Some(object) if is_ours(request, &object) => {
                Fate::Done(Stored { stamp: object.stamp, version: object.version })
            }
            found if holds(&request.condition, found.as_ref()) => Fate::Open,
            _ => Fate::Lost,
        })
    }

    /// What an answer to one item of a deletion means. `again`: it was sent before.
    async fn verdict(&self, item: &(Key, Condition), answer: Result<()>, again: bool) -> Verdict {
        let error = match answer {
            Ok(()) => return Verdict::Final(Ok(())),
            Err(error) => error,
        };
        match error.kind {
            // Gone is what was wanted; an earlier attempt may have done it.
            ErrorKind::NotFound if again => Verdict::Final(Ok(())),
            ErrorKind::OutcomeUnknown => self.deleted(item, error).await,
            ErrorKind::Precondition if again => match self.deleted(item, error.clone()).await {
                Verdict::Again(_) => Verdict::Final(Err(error)),
                settled => settled,
            },
            _ if error.kind.is_retryable() => Verdict::Again(error),
            _ => Verdict::Final(Err(error)),
        }
    }

    async fn deleted(&self, (key, condition): &(Key, Condition), error: Error) -> Verdict {
        match self.head(key).await {
            Ok(None) => Verdict::Final(Ok(())),
            Ok(found) if holds(condition, found.as_ref()) => Verdict::Again(error),
            Ok(Some(_)) => Verdict::Final(Err(other_writer("delete", key))),
            Err(_) => Verdict::Final(Err(error)),
        }
    }
}

enum Verdict {
    Final(Result<()>),
    Again(Error),
}

/// What the place asked for.
pub(super) fn asked(error: &Error) -> Option<Duration> {
    match error.kind {
        ErrorKind::Busy(asked) => asked,
        _ => None,
    }
}

fn unanswered(key: &Key) -> Error {
    Error::new(ErrorKind::OutcomeUnknown, "delete", "no answer for this key").on(key)
}

fn other_writer(op: &'static str, key: &Key) -> Error {
    Error::new(ErrorKind::Precondition, op, "the reply was lost, and the object is now somebody else's").on(key)
}

#[async_trait]
impl Remote for Retry {
    async fn capabilities(&self, needed: &[Ability]) -> Result<Capabilities> {
        self.read(|| self.remote.capabilities(needed)).await
    }

    fn contradicted(&self) {
        self.remote.contradicted();
    }

    async fn list(&self, prefix: &str, cursor: &Cursor) -> Result<Page> {
        self.read(|| self.remote.list(prefix, cursor)).await
    }

    async fn head(&self, key: &Key) -> Result<Option<Object>> {
        self.read(|| self.remote.head(key)).await
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>, stamp: Option<&RemoteStamp>) -> Result<Download> {
        let opened = self.read(|| self.remote.get(key, range.clone(), stamp)).await?;
        Ok(resumed(self.remote.clone(), self.patience.clone(), range, opened))
    }

    async fn put(&self, request: &Put, progress: &dyn Progress) -> Result<Stored> {
        self.patience.purse(Budget::deposit);
        let mut failed = 0;
        loop {
            let error = match self.remote.put(request, progress).await {
                Ok(stored) => return Ok(stored),
                Err(error) => error,
            };
            match error.kind {
                ErrorKind::OutcomeUnknown => match self.fate(request).await {
                    Ok(Fate::Done(stored)) => return Ok(stored),
                    // Sending again is safe: both attempts carry the condition, and
                    // at most one of them can find it true.
                    Ok(Fate::Open) => {}
                    Ok(Fate::Lost) => return Err(other_writer("put", &request.key)),
                    Err(_) => return Err(error),
                },
                // An earlier attempt, said to have failed, may be what is in the way.
                ErrorKind::Precondition if failed > 0 => {
                    return match self.fate(request).await {
                        Ok(Fate::Done(stored)) => Ok(stored),
                        Ok(_) => Err(error),
                        Err(_) => Err(Error { kind: ErrorKind::OutcomeUnknown, ..error }),
                    };
                }
                _ if error.kind.is_retryable() => {}
                _ => return Err(error),
            }
            failed += 1;
            if !self.patience.wait(failed, asked(&error)).await {
                return Err(error);
            }
        }
    }

    async fn delete(&self, items: &[(Key, Condition)]) -> Vec<Result<()>> {
        self.patience.purse(Budget::deposit);
        let mut answers: Vec<Result<()>> = items.iter().map(|(key, _)| Err(unanswered(key))).collect();
        let mut open: Vec<usize> = (0..items.len()).collect();
        let mut failed = 0;
        while !open.is_empty() {
            let batch: Vec<_> = open.iter().map(|place| items[*place].clone()).collect();
            let mut told = self.remote.delete(&batch).await;
            for (key, _) in batch.iter().skip(told.len()) {
                told.push(Err(unanswered(key)));
            }
            let looks = batch.iter().zip(told).map(|(item, answer)| self.verdict(item, answer, failed > 0)).collect();
            let judged = in_turn(looks).await;
            let (mut again, mut longest) = (Vec::new(), None);
            for (place, verdict) in std::mem::take(&mut open).into_iter().zip(judged) {
                answers[place] = match verdict {
                    Verdict::Final(answer) => answer,
                    Verdict::Again(error) => {
                        longest = longest.max(asked(&error));
                        again.push(place);
                        Err(error)
                    }
                };
            }
            failed += 1;
            if again.is_empty() || !self.patience.wait(failed, longest).await {
                break;
            }
            open = again;
        }
        answers
    }

    async fn abandon(&self, key: &Key, upload_id: &str) -> Result<()> {
        self.read(|| self.remote.abandon(key, upload_id)).await
    }

    async fn abandon_begun(&self, key: &Key, began_ms: Range<i64>) -> Result<()> {
        self.read(|| self.remote.abandon_begun(key, began_ms.clone())).await
    }

    fn was_unguarded(&self) -> bool {
        self.remote.was_unguarded()
    }

    fn clock_skew_ms(&self) -> Option<i64> {
        self.remote.clock_skew_ms()
    }

    fn describe(&self) -> String {
        self.remote.describe()
    }
}
