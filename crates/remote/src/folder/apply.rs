//! What one job does inside the writer's transaction.
//!
//! Conditions are judged here, against what the same transaction sees, and nowhere
//! else. A refusal is an answer and changes nothing; an error of the database is
//! the transaction's end. Neither commits nor touches files.

use super::bodies::NewBody;
use super::extent::{Body, Extent};
use super::rows;
use crate::error::{Error, ErrorKind, Result};
use crate::{Condition, Object, ObjectMeta, Readiness, Stored};
use rusqlite::Connection;
use tidelock_core::entry::RemoteStamp;
use tidelock_core::path::Key;

/// An object to be set.
pub(super) struct PutJob {
    pub(super) key: Key,
    /// A fresh number, which becomes this state's.
    pub(super) id: u64,
    pub(super) etag: String,
    pub(super) size: u64,
    pub(super) crc64: u64,
    pub(super) meta: ObjectMeta,
    pub(super) storage_class: Option<String>,
    pub(super) condition: Condition,
    pub(super) extents: Vec<Extent>,
    /// The body that came with it, if any bytes did.
    pub(super) fresh: Option<Fresh>,
    /// The objects that extents were taken from.
    pub(super) origins: Vec<Origin>,
}

/// A body that has no row yet.
pub(super) enum Fresh {
    /// To become a row itself.
    Small(Body, bytes::Bytes),
    /// Written and synced.
    Filed(Body, NewBody),
}

/// An object that was copied from.
pub(super) struct Origin {
    pub(super) key: Key,
    /// The state that was seen.
    pub(super) id: u64,
    /// The ETag it must have.
    pub(super) etag: String,
}

/// What a job came to, inside a transaction that may still fail.
pub(super) enum Outcome {
    /// It is set.
    Stored(Stored),
    /// An origin is another state of the same bytes: to be looked at again.
    Again,
    /// Its condition, or one on an origin, does not hold.
    Refused(Error),
    /// What became of each item.
    Deleted(Vec<Result<()>>),
}

impl PutJob {
    /// Leaves its body where it is.
    pub(super) fn keep(&self) {
        if let Some(Fresh::Filed(_, file)) = &self.fresh {
            file.keep();
        }
    }
}

/// Sets an object, if its condition holds. What it no longer needs goes to `freed`.
pub(super) fn put(
    transaction: &Connection,
    job: &PutJob,
    modified_s: i64,
    freed: &mut Vec<u64>,
) -> rusqlite::Result<Outcome> {
    let old = rows::identify(transaction, &job.key)?;
    if let Err(error) = check(&job.condition, old.as_ref().map(|(_, etag)| etag.as_str()), "put") {
        return Ok(Outcome::Refused(error));
    }
    for origin in &job.origins {
        match rows::identify(transaction, &origin.key)? {
            Some((id, _)) if id == origin.id => {}
            Some((_, etag)) if etag == origin.etag => return Ok(Outcome::Again),
            _ => return Ok(Outcome::Refused(moved_origin(&origin.key))),
        }
    }
    match &job.fresh {
        Some(Fresh::Small(body, bytes)) => rows::add_body(transaction, body, Some(bytes))?,
        Some(Fresh::Filed(body, _)) => rows::add_body(transaction, body, None)?,
        None => {}
    }
    rows::refer(transaction, &job.extents)?;
    let modified_s = match &old {
        // Same bytes, perhaps other metadata: only the time tells, and it has whole
        // seconds, so a second change within one must still move it.
        Some((_, etag)) if *etag == job.etag => modified_s.max(rows::modified(transaction, &job.key)? + 1),
        _ => modified_s,
    };
    if let Some((id, _)) = old {
        rows::clear(transaction, &job.key, id, freed)?;
    }
    let stamp = RemoteStamp { etag: job.etag.clone(), size: job.size, modified_s: Some(modified_s) };
    let object = Object {
        key: job.key.clone(),
        stamp: stamp.clone(),
        storage_class: job.storage_class.clone(),
        version: None,
        readiness: Readiness::Ready,
        meta: None,
        crc64nvme: Some(job.crc64),
    };
    let meta =
        serde_json::to_string(&job.meta).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    rows::add_object(transaction, job.id, &object, &meta, &job.extents)?;
    Ok(Outcome::Stored(Stored { stamp, version: None }))
}

/// Removes objects, each if its condition holds.
pub(super) fn delete(
    transaction: &Connection,
    items: &[(Key, Condition)],
    freed: &mut Vec<u64>,
) -> rusqlite::Result<Outcome> {
    let mut answers = Vec::with_capacity(items.len());
    for (key, condition) in items {
        let answer = match rows::identify(transaction, key)? {
            None => Err(Error::new(ErrorKind::NotFound, "delete", "there is no such object")),
            Some((id, etag)) => match check(condition, Some(&etag), "delete") {
                Ok(()) => {
                    rows::clear(transaction, key, id, freed)?;
                    Ok(())
                }
                Err(error) => Err(error),
            },
        };
        answers.push(answer);
    }
    Ok(Outcome::Deleted(answers))
}

/// Whether the condition holds for an object of this ETag, or for none.
pub(super) fn check(condition: &Condition, etag: Option<&str>, op: &'static str) -> Result<()> {
    let message = match (condition, etag) {
        (Condition::Absent, None) => return Ok(()),
        (Condition::Matches(stamp), Some(etag)) if stamp.etag == etag => return Ok(()),
        (Condition::Absent, Some(_)) => "there is an object already",
        (Condition::Matches(_), Some(_)) => "the object is another one by now",
        (Condition::Matches(_), None) => "the object is no longer there",
    };
    Err(Error::new(ErrorKind::Precondition, op, message))
}

/// The error for an object that is not what was to be copied.
pub(super) fn moved_origin(key: &Key) -> Error {
    let message = format!("{:?}, which was to be copied from, is another one by now or gone", key.as_str());
    Error::new(ErrorKind::Precondition, "put", message)
}
