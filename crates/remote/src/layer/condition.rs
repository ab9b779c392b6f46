//! Conditions for places that have none: look, act, look again.
//!
//! What a place honours passes through untouched. Where it does not, the object is
//! looked at immediately before, and the operation is refused if the condition
//! does not hold; and immediately after, and the operation fails if what is there
//! is not ours.
//!
//! A window remains between the first look and the act. A foreign write that falls
//! into it is overwritten, or deleted, without a trace; one that falls between the
//! act and the second look is noticed. Only versions on the place's side could
//! bring the former back, so two-way syncing here has to be asked for by name.
//!
//! A place that does not do what it was found to do has been changed behind our
//! back, or answers from many machines that differ. What is known of it is
//! forgotten, and nothing more is written in this run.

use super::{ATTEMPT, copied, holds, in_turn, is_ours};
use crate::{
    Ability, Capabilities, Condition, Cursor, Download, Error, ErrorKind, Object, Page, Piece, Progress, Put, Remote,
    Result, Stored,
};
use async_trait::async_trait;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tidelock_core::entry::RemoteStamp;
use tidelock_core::path::Key;

/// A place whose missing conditions are made up for.
pub struct Emulated {
    remote: Arc<dyn Remote>,
    known: Mutex<Capabilities>,
    /// The place has contradicted itself.
    halted: AtomicBool,
    /// Something was done that only looks could guard.
    unguarded: AtomicBool,
}

impl Emulated {
    /// `remote`, asked for an ability when a request first needs it.
    pub fn new(remote: Arc<dyn Remote>) -> Self {
        Self::knowing(remote, Capabilities::default())
    }

    /// The same where some abilities are known and need no asking.
    pub fn knowing(remote: Arc<dyn Remote>, known: Capabilities) -> Self {
        Self { remote, known: Mutex::new(known), halted: AtomicBool::new(false), unguarded: AtomicBool::new(false) }
    }

    async fn honours(&self, ability: Ability) -> Result<bool> {
        let known = |this: &Self| {
            let known = this.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.0.get(&ability).copied()
        };
        if let Some(answer) = known(self) {
            return Ok(answer);
        }
        let answer = self.remote.capabilities(&[ability]).await?.has(ability);
        self.known.lock().unwrap_or_else(PoisonError::into_inner).0.insert(ability, answer);
        Ok(answer)
    }

    /// What the failure of a request that the place should have obeyed means: if it
    /// did not understand it, and asked again does not obey, it is not to be trusted.
    async fn doubted(&self, ability: Ability, error: Error) -> Error {
        if error.kind != ErrorKind::Unsupported {
            return error;
        }
        self.remote.contradicted();
        self.known.lock().unwrap_or_else(PoisonError::into_inner).0.clear();
        match self.honours(ability).await {
            Ok(false) => {
                self.halted.store(true, Ordering::SeqCst);
                Error { kind: ErrorKind::Config, message: format!("{}; {DISTRUST}", error.message), ..error }
            }
            _ => error,
        }
    }

    fn trusted(&self, op: &'static str) -> Result<()> {
        match self.halted.load(Ordering::SeqCst) {
            true => Err(Error::new(ErrorKind::Config, op, DISTRUST)),
            false => Ok(()),
        }
    }

    /// Copies of sources that the place would not check: each as it should be.
    async fn unchecked_sources<'a>(&self, request: &'a Put) -> Result<Vec<(&'a Key, Condition)>> {
        let mut sources = Vec::new();
        for piece in &request.recipe {
            if let Piece::CopyOf { key, stamp, .. } = piece
                && !sources.iter().any(|(known, _)| *known == key)
            {
                sources.push((key, Condition::Matches(stamp.clone())));
            }
        }
        if !sources.is_empty() && self.honours(Ability::CopySourceIfMatch).await? {
            sources.clear();
        }
        Ok(sources)
    }

    async fn look(&self, key: &Key, condition: &Condition, what: &str) -> Result<()> {
        let found = self.remote.head(key).await?;
        if holds(condition, found.as_ref()) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Precondition, "put", what).on(key))
    }

    /// What the key holds after a write that the place did not guard.
    async fn look_again(&self, request: &Put, stored: Stored) -> Result<Stored> {
        match self.remote.head(&request.key).await {
            Ok(Some(found)) if proves(request, &stored, &found) => {
                Ok(Stored { stamp: found.stamp, version: found.version })
            }
            Ok(_) => Err(raced(&request.key, "put")),
            // It was written; whether it was also overwritten is not known.
            Err(error) => Err(unknown(error, &request.key)),
        }
    }

    async fn delete_one(&self, item: &(Key, Condition)) -> Result<()> {
        let mut answers = self.remote.delete(std::slice::from_ref(item)).await;
        let none = || Err(Error::new(ErrorKind::OutcomeUnknown, "delete", "no answer for this key").on(&item.0));
        match answers.pop().unwrap_or_else(none) {
            Err(error) => Err(self.doubted(Ability::DeleteIfMatch, error).await),
            done => done,
        }
    }

    async fn delete_unguarded(&self, items: &[(Key, Condition)]) -> Vec<Result<()>> {
        self.unguarded.store(true, Ordering::SeqCst);
        let looks = items.iter().map(|(key, condition)| self.may_delete(key, condition)).collect();
        let mut answers = in_turn(looks).await;
        let (places, allowed): (Vec<usize>, Vec<_>) = answers
            .iter()
            .zip(items)
            .enumerate()
            .filter(|(_, (answer, _))| answer.is_ok())
            .map(|(place, (_, item))| (place, item.clone()))
            .unzip();
        if allowed.is_empty() {
            return answers;
        }
        let deleted = self.remote.delete(&allowed).await;
        let looks = allowed.iter().zip(deleted).map(|(item, answer)| self.is_deleted(item, answer)).collect();
        let after = in_turn(looks).await;
        for (place, answer) in places.into_iter().zip(after) {
            answers[place] = answer;
        }
        answers
    }

    async fn may_delete(&self, key: &Key, condition: &Condition) -> Result<()> {
        match self.remote.head(key).await? {
            None => Err(Error::new(ErrorKind::NotFound, "delete", "no such object").on(key)),
            found if holds(condition, found.as_ref()) => Ok(()),
            Some(_) => {
                Err(Error::new(ErrorKind::Precondition, "delete", "the object is another than expected").on(key))
            }
        }
    }

    async fn is_deleted(&self, (key, condition): &(Key, Condition), answer: Result<()>) -> Result<()> {
        answer?;
        match self.remote.head(key).await {
            Ok(None) => Ok(()),
            Ok(found) if holds(condition, found.as_ref()) => {
                Err(Error::new(ErrorKind::Transient, "delete", "deleted and still there").on(key))
            }
            Ok(Some(_)) => Err(raced(key, "delete")),
            Err(error) => Err(Error { op: "delete", ..unknown(error, key) }),
        }
    }
}

const DISTRUST: &str = "this place was found to obey conditions and does not any more, so nothing further is \
    written in this run; the next one finds out afresh what it can do";

/// Whether what is found after a write is what was written.
fn proves(request: &Put, stored: &Stored, found: &Object) -> bool {
    if request.meta.user.contains_key(ATTEMPT) {
        return is_ours(request, found);
    }
    stored.stamp.same_content(&found.stamp)
}

fn raced(key: &Key, op: &'static str) -> Error {
    Error::new(ErrorKind::Precondition, op, "another writer came between; this place cannot keep them apart").on(key)
}

fn unknown(error: Error, key: &Key) -> Error {
    let what = format!("done, and the look afterwards failed: {}", error.message);
    Error::new(ErrorKind::OutcomeUnknown, "put", what).on(key)
}

#[async_trait]
impl Remote for Emulated {
    async fn capabilities(&self, needed: &[Ability]) -> Result<Capabilities> {
        let known = |this: &Self| this.known.lock().unwrap_or_else(PoisonError::into_inner).0.clone();
        if needed.iter().any(|ability| !known(self).contains_key(ability)) {
            let found = self.remote.capabilities(needed).await?;
            self.known.lock().unwrap_or_else(PoisonError::into_inner).0.extend(found.0);
        }
        Ok(Capabilities(known(self).into_iter().filter(|(ability, _)| needed.contains(ability)).collect()))
    }

    fn contradicted(&self) {
        self.remote.contradicted();
    }

    async fn list(&self, prefix: &str, cursor: &Cursor) -> Result<Page> {
        self.remote.list(prefix, cursor).await
    }

    async fn head(&self, key: &Key) -> Result<Option<Object>> {
        self.remote.head(key).await
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>, stamp: Option<&RemoteStamp>) -> Result<Download> {
        self.remote.get(key, range, stamp).await
    }

    async fn put(&self, request: &Put, progress: &dyn Progress) -> Result<Stored> {
        let ability = match (copied(request), &request.condition) {
            (Some(_), _) => Ability::CopyIfMatch,
            (None, Condition::Absent) => Ability::PutIfAbsent,
            (None, Condition::Matches(_)) => Ability::PutIfMatch,
        };
        self.trusted("put").map_err(|error| error.on(&request.key))?;
        let guarded = self.honours(ability).await?;
        let sources = self.unchecked_sources(request).await?;
        for (key, condition) in &sources {
            self.look(key, condition, "the source of the copy has changed").await?;
        }
        if !guarded {
            self.unguarded.store(true, Ordering::SeqCst);
            self.look(&request.key, &request.condition, "the object is another than expected").await?;
        }
        let stored = match self.remote.put(request, progress).await {
            Ok(stored) => stored,
            Err(error) if guarded => return Err(self.doubted(ability, error).await),
            Err(error) => return Err(error),
        };
        // First the source: a copy of another version may look like somebody else's write.
        for (key, condition) in sources.iter().filter(|(key, _)| **key != request.key) {
            match self.remote.head(key).await {
                Ok(found) if holds(condition, found.as_ref()) => {}
                Ok(_) => {
                    let what = format!("done, and {key} was changed meanwhile: it may be a copy of another version");
                    return Err(Error::new(ErrorKind::Raced, "copy", what).on(&request.key));
                }
                Err(error) => return Err(unknown(error, &request.key)),
            }
        }
        if guarded { Ok(stored) } else { self.look_again(request, stored).await }
    }

    async fn delete(&self, items: &[(Key, Condition)]) -> Vec<Result<()>> {
        let each = |error: Error| items.iter().map(|(key, _)| Err(error.clone().on(key))).collect();
        if let Err(error) = self.trusted("delete") {
            return each(error);
        }
        if items.len() > 1 {
            match self.honours(Ability::BatchDeleteIfMatch).await {
                Ok(true) => return self.remote.delete(items).await,
                Ok(false) => {}
                Err(error) => return each(error),
            }
        }
        match self.honours(Ability::DeleteIfMatch).await {
            // One by one is slower than a batch, and safe.
            Ok(true) => in_turn(items.iter().map(|item| self.delete_one(item)).collect()).await,
            Ok(false) => self.delete_unguarded(items).await,
            Err(error) => each(error),
        }
    }

    async fn abandon(&self, key: &Key, upload_id: &str) -> Result<()> {
        self.remote.abandon(key, upload_id).await
    }

    async fn abandon_begun(&self, key: &Key, began_ms: Range<i64>) -> Result<()> {
        self.remote.abandon_begun(key, began_ms).await
    }

    fn was_unguarded(&self) -> bool {
        self.unguarded.load(Ordering::SeqCst) || self.remote.was_unguarded()
    }

    fn clock_skew_ms(&self) -> Option<i64> {
        self.remote.clock_skew_ms()
    }

    fn describe(&self) -> String {
        self.remote.describe()
    }
}
