//! Objects in a map.
//!
//! A complete remote behind a mutex: the same answers as real S3 with every
//! ability, or as one of its lesser relatives (`memory/profile.rs`), true
//! compare-and-swap included. Handles are cheap to clone and share one store, so
//! that several devices can meet in it. It knows nothing of faults, which wrap it,
//! and keeps nothing when the process ends.

mod inspect;
mod profile;
mod shelf;
mod upload;

pub use inspect::Snapshot;
pub use profile::{Etags, Profile, Support};

use crate::world::World;
use crate::{
    Ability, Capabilities, Condition, Cursor, Download, Error, ErrorKind, Object, Page, Progress, Put, Readiness,
    Remote, Result, Stored,
};
use async_trait::async_trait;
use futures::StreamExt as _;
use shelf::{Fresh, Shelf, Version};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use tidelock_core::entry::RemoteStamp;
use tidelock_core::path::{KEY_MAX_BYTES, Key};
use upload::Route;

/// S3's limit on the names and values of user metadata together.
const META_MAX_BYTES: usize = 2048;

/// A remote in memory.
#[derive(Clone)]
pub struct Memory {
    shelf: Arc<Mutex<Shelf>>,
    profile: Arc<Profile>,
    world: World,
}

impl Memory {
    /// An empty place.
    pub fn new(profile: Profile, world: World) -> Self {
        Self { shelf: Arc::default(), profile: Arc::new(profile), world }
    }

    /// How it behaves.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    fn locked<T>(&self, work: impl FnOnce(&mut Shelf) -> T) -> T {
        // Nothing below panics half-way through a change, so a poisoned lock still
        // guards a whole map.
        work(&mut self.shelf.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn now_s(&self) -> i64 {
        self.world.clock.wall_ns().div_euclid(1_000_000_000)
    }

    async fn put_whole(&self, put: &Put, progress: &dyn Progress) -> Result<Version> {
        let bytes = upload::gather(put, progress).await?;
        let fresh = self.fresh(put, bytes, None, self.now_s());
        self.locked(|shelf| {
            shelf.judge(&self.profile, put_ability(&put.condition), &put.key, &put.condition)?;
            Ok(shelf.install(&self.profile, &put.key, fresh))
        })
    }

    fn copy(&self, put: &Put, key: &Key, stamp: &RemoteStamp) -> Result<Version> {
        self.locked(|shelf| {
            let bytes = upload::copy_whole(self, shelf, key, stamp)?;
            shelf.judge(&self.profile, Ability::CopyIfMatch, &put.key, &put.condition)?;
            let fresh = self.fresh(put, bytes, None, self.now_s());
            Ok(shelf.install(&self.profile, &put.key, fresh))
        })
    }

    async fn put_parts(&self, put: &Put, progress: &dyn Progress) -> Result<Version> {
        // S3 dates an object sent in parts from the beginning of its upload.
        let modified_s = self.now_s();
        let id = self.locked(|shelf| {
            let id = format!("upload-{:08}", shelf.number());
            shelf.uploads.insert(id.clone(), put.key.clone());
            id
        });
        // From here on, dying leaves the upload behind; failing does not.
        let written = self.fill(put, &id, modified_s, progress).await;
        if written.is_err() {
            self.locked(|shelf| shelf.uploads.remove(&id));
        }
        let ended = progress.ended(&id).await;
        let version = written?;
        ended?;
        Ok(version)
    }

    async fn fill(&self, put: &Put, id: &str, modified_s: i64, progress: &dyn Progress) -> Result<Version> {
        progress.started(id).await?;
        let (bytes, sums) = upload::gather_parts(self, put, progress).await?;
        let fresh = self.fresh(put, bytes, Some(sums), modified_s);
        self.locked(|shelf| {
            if !shelf.uploads.contains_key(id) {
                let gone = "the upload was given up by somebody else";
                return Err(Error::new(ErrorKind::Conflict, "put", gone).on(&put.key));
            }
            shelf.judge(&self.profile, put_ability(&put.condition), &put.key, &put.condition)?;
            shelf.uploads.remove(id);
            Ok(shelf.install(&self.profile, &put.key, fresh))
        })
    }

    fn fresh(&self, put: &Put, bytes: bytes::Bytes, parts: Option<Vec<[u8; 16]>>, modified_s: i64) -> Fresh {
        Fresh { bytes, meta: put.meta.clone(), storage_class: put.storage_class.clone(), parts, modified_s }
    }

    /// What S3 refuses before it reads a byte.
    fn check(&self, put: &Put) -> Result<()> {
        let refuse = |kind, what| Err(Error::new(kind, "put", what).on(&put.key));
        let key = put.key.as_str();
        if key.is_empty() || key.len() > KEY_MAX_BYTES {
            return refuse(ErrorKind::Other, "the key is empty or too long");
        }
        if self.profile.segment_max_bytes.is_some_and(|max| key.split('/').any(|segment| segment.len() > max)) {
            return refuse(ErrorKind::Other, "a segment of the key is too long");
        }
        let user = &put.meta.user;
        if user.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > META_MAX_BYTES {
            return refuse(ErrorKind::Other, "the metadata is longer than 2,048 bytes");
        }
        if user.iter().any(|(name, value)| !name.is_ascii() || !value.is_ascii() || name.to_lowercase() != *name) {
            return refuse(ErrorKind::Other, "metadata names are ASCII in lower case, values ASCII");
        }
        Ok(())
    }

    fn delete_one(&self, ability: Ability, key: &Key, condition: &Condition) -> Result<()> {
        let relabel = |error: Error| Error { op: "delete", ..error };
        self.locked(|shelf| {
            if shelf.current(key).is_none() {
                // A place that looks at no condition answers a deletion of nothing
                // as it answers any other.
                return if self.profile.honours(ability) {
                    Err(Error::new(ErrorKind::NotFound, "delete", "no such object").on(key))
                } else {
                    shelf.judge(&self.profile, ability, key, condition).map_err(relabel)
                };
            }
            shelf.judge(&self.profile, ability, key, condition).map_err(relabel)?;
            shelf.remove(&self.profile, key);
            Ok(())
        })
    }
}

fn put_ability(condition: &Condition) -> Ability {
    match condition {
        Condition::Absent => Ability::PutIfAbsent,
        Condition::Matches(_) => Ability::PutIfMatch,
    }
}

#[async_trait]
impl Remote for Memory {
    async fn capabilities(&self, needed: &[Ability]) -> Result<Capabilities> {
        let refused = needed.iter().filter(|ability| self.profile.support(**ability) == Support::Refused);
        self.locked(|shelf| shelf.unsent.extend(refused));
        Ok(self.profile.capabilities(needed))
    }

    async fn list(&self, prefix: &str, cursor: &Cursor) -> Result<Page> {
        let from = prefix.max(cursor.after.as_str());
        let ordered = self.profile.honours(Ability::OrderedList);
        let size = self.profile.page_size.max(1);
        let mut objects: Vec<Object> = self.locked(|shelf| {
            let within = shelf.iter_from(from).take_while(|(key, _)| key.as_str().starts_with(prefix));
            let after = within.filter(|(key, _)| cursor.after.is_empty() || key.as_str() > cursor.after.as_str());
            let shown = after.map(|(key, version)| version.object(&self.profile, key, false));
            // One more than a page tells whether there is another.
            if ordered { shown.take(size + 1).collect() } else { shown.collect() }
        });
        let place = |object: &Object| shelf::md5(object.key.as_str().as_bytes());
        if !ordered {
            objects.sort_by_key(place);
            if let Some(token) = &cursor.token {
                objects.retain(|object| format!("{:02x?}", place(object)) > *token);
            }
        }
        let more = objects.len() > size;
        objects.truncate(size);
        let next = objects.last().filter(|_| more).map(|last| {
            if ordered {
                Cursor::after(&last.key)
            } else {
                Cursor { after: cursor.after.clone(), token: Some(format!("{:02x?}", place(last))) }
            }
        });
        Ok(Page { objects, next })
    }

    async fn head(&self, key: &Key) -> Result<Option<Object>> {
        Ok(self.locked(|shelf| shelf.current(key).map(|version| version.object(&self.profile, key, true))))
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>, stamp: Option<&RemoteStamp>) -> Result<Download> {
        let refuse = |kind, what: &str| Err(Error::new(kind, "get", what).on(key));
        let Some(version) = self.locked(|shelf| shelf.current(key).cloned()) else {
            return refuse(ErrorKind::NotFound, "no such object");
        };
        if stamp.is_some_and(|stamp| stamp.etag != version.stamp.etag) {
            return refuse(ErrorKind::Precondition, "the object is another than expected");
        }
        match version.readiness {
            Readiness::Ready => {}
            Readiness::Lost => return refuse(ErrorKind::Corrupt, "the bytes are lost"),
            Readiness::Archived | Readiness::Thawing => return refuse(ErrorKind::Archived, "the object is archived"),
        }
        let mut body = version.bytes.clone();
        let mut ending = None;
        if let Some(range) = range {
            let size = range.end.min(version.stamp.size).saturating_sub(range.start);
            match upload::range_of(&version.bytes, range.start, size) {
                Some(part) if size > 0 => body = part,
                _ => return refuse(ErrorKind::Other, "the range lies outside the object"),
            }
        } else if crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, &body) != version.crc64nvme {
            ending = Some(Err(Error::new(ErrorKind::Corrupt, "get", "the bytes do not fit their checksum").on(key)));
        }
        let mut chunks = Vec::new();
        while !body.is_empty() {
            let size = body.len().min(self.profile.chunk_bytes.max(1));
            chunks.push(Ok(body.split_to(size)));
        }
        chunks.extend(ending);
        let object = version.object(&self.profile, key, true);
        Ok(Download { object, body: futures::stream::iter(chunks).boxed() })
    }

    async fn put(&self, request: &Put, progress: &dyn Progress) -> Result<Stored> {
        self.check(request)?;
        let route = upload::route(request, &self.profile);
        let ability =
            if matches!(route, Route::Copy { .. }) { Ability::CopyIfMatch } else { put_ability(&request.condition) };
        if self.profile.support(ability) == Support::Refused {
            // A refusal needs no body.
            self.locked(|shelf| shelf.judge(&self.profile, ability, &request.key, &request.condition))?;
        }
        let version = match route {
            Route::Whole => self.put_whole(request, progress).await?,
            Route::Copy { key, stamp } => self.copy(request, &key, &stamp)?,
            Route::Parts => self.put_parts(request, progress).await?,
        };
        let mut stamp = version.stamp;
        if !self.profile.tells_modified {
            stamp.modified_s = None;
        }
        Ok(Stored { stamp, version: self.profile.honours(Ability::Versions).then_some(version.id) })
    }

    async fn delete(&self, items: &[(Key, Condition)]) -> Vec<Result<()>> {
        let ability = if items.len() == 1 { Ability::DeleteIfMatch } else { Ability::BatchDeleteIfMatch };
        items.iter().map(|(key, condition)| self.delete_one(ability, key, condition)).collect()
    }

    async fn abandon(&self, _key: &Key, upload_id: &str) -> Result<()> {
        self.locked(|shelf| shelf.uploads.remove(upload_id));
        Ok(())
    }

    async fn abandon_begun(&self, _key: &Key, _began_ms: Range<i64>) -> Result<()> {
        Ok(())
    }

    fn clock_skew_ms(&self) -> Option<i64> {
        Some(0)
    }

    fn describe(&self) -> String {
        "mem:".to_owned()
    }
}

#[cfg(test)]
mod tests;
