//! The map itself: per key a line of versions, the last of which is current.
//!
//! Every change goes through [`Shelf::install`] or [`Shelf::remove`] under the
//! caller's lock, with its condition judged there, which is what makes the
//! compare-and-swap true. It knows no async, no sources and no network.

use super::profile::{Etags, Profile, Support};
use crate::{Ability, Condition, Error, ErrorKind, Object, ObjectMeta, Readiness, Result};
use bytes::Bytes;
use md5::{Digest as _, Md5};
use std::collections::{BTreeMap, BTreeSet};
use tidelock_core::entry::RemoteStamp;
use tidelock_core::hex::hex;
use tidelock_core::path::Key;

/// One version of one object.
#[derive(Debug, Clone)]
pub(super) struct Version {
    pub id: String,
    pub bytes: Bytes,
    pub stamp: RemoteStamp,
    pub meta: ObjectMeta,
    pub storage_class: Option<String>,
    pub readiness: Readiness,
    pub crc64nvme: u64,
}

/// What a finished write puts on the shelf.
pub(super) struct Fresh {
    pub bytes: Bytes,
    pub meta: ObjectMeta,
    pub storage_class: Option<String>,
    /// MD5 of each part, if it was sent in parts.
    pub parts: Option<Vec<[u8; 16]>>,
    pub modified_s: i64,
}

/// Everything the place holds.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    /// `None` is a delete marker; without versions the line is one long.
    lines: BTreeMap<Key, Vec<Option<Version>>>,
    /// Uploads begun and not ended, with their keys.
    pub uploads: BTreeMap<String, Key>,
    /// Conditions this place was found to refuse, and that are no longer sent.
    pub unsent: BTreeSet<Ability>,
    counter: u64,
}

impl Shelf {
    /// A number never given before.
    pub fn number(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// The current version.
    pub fn current(&self, key: &Key) -> Option<&Version> {
        self.lines.get(key)?.last()?.as_ref()
    }

    /// The same, to be changed in place by a test.
    pub fn current_mut(&mut self, key: &Key) -> Option<&mut Version> {
        self.lines.get_mut(key)?.last_mut()?.as_mut()
    }

    /// All versions, oldest first; `None` is a delete marker.
    pub fn history(&self, key: &Key) -> &[Option<Version>] {
        self.lines.get(key).map_or(&[], Vec::as_slice)
    }

    /// Current versions by key, from the first key not below `from`.
    pub fn iter_from<'a>(&'a self, from: &str) -> impl Iterator<Item = (&'a Key, &'a Version)> {
        let present = |(key, line): (&'a Key, &'a Vec<Option<Version>>)| Some((key, line.last()?.as_ref()?));
        self.lines.range(Key::new(from)..).filter_map(present)
    }

    /// Whether a condition holds, as far as this place looks.
    pub fn judge(&self, profile: &Profile, ability: Ability, key: &Key, condition: &Condition) -> Result<()> {
        let holds = match (profile.support(ability), condition) {
            (Support::Ignored, _) => true,
            (Support::Refused, _) if self.unsent.contains(&ability) => true,
            (Support::Refused, _) => {
                return Err(Error::new(ErrorKind::Unsupported, "put", "this place takes no such condition").on(key));
            }
            (Support::Honoured, Condition::Absent) => self.current(key).is_none(),
            (Support::Honoured, Condition::Matches(stamp)) => {
                self.current(key).is_some_and(|version| version.stamp.etag == stamp.etag)
            }
        };
        if holds {
            return Ok(());
        }
        let what = if self.current(key).is_some() { "the object is another than expected" } else { "there is none" };
        Err(Error::new(ErrorKind::Precondition, "put", what).on(key))
    }

    /// Makes a new version current.
    pub fn install(&mut self, profile: &Profile, key: &Key, fresh: Fresh) -> Version {
        let number = self.number();
        let etag = etag(profile.etags, &fresh, number);
        let archived = matches!(fresh.storage_class.as_deref(), Some("GLACIER" | "DEEP_ARCHIVE"));
        let version = Version {
            id: format!("v{number:08}"),
            stamp: RemoteStamp { etag, size: fresh.bytes.len() as u64, modified_s: Some(fresh.modified_s) },
            crc64nvme: crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, &fresh.bytes),
            bytes: fresh.bytes,
            meta: fresh.meta,
            storage_class: fresh.storage_class,
            readiness: if archived { Readiness::Archived } else { Readiness::Ready },
        };
        self.push(profile, key, Some(version.clone()));
        version
    }

    /// Removes the current version, leaving a marker where versions are kept.
    pub fn remove(&mut self, profile: &Profile, key: &Key) {
        self.push(profile, key, None);
    }

    fn push(&mut self, profile: &Profile, key: &Key, version: Option<Version>) {
        if !profile.honours(Ability::Versions) {
            self.lines.remove(key);
            if version.is_none() {
                return;
            }
        }
        self.lines.entry(key.clone()).or_default().push(version);
    }
}

impl Version {
    /// What a HEAD shows, or, without metadata, a listing.
    pub fn object(&self, profile: &Profile, key: &Key, with_meta: bool) -> Object {
        Object {
            key: key.clone(),
            stamp: self.stamp.clone(),
            storage_class: self.storage_class.clone(),
            version: profile.honours(Ability::Versions).then(|| self.id.clone()),
            readiness: self.readiness,
            meta: with_meta.then(|| self.meta.clone()),
            crc64nvme: (with_meta && profile.honours(Ability::Crc64Nvme)).then_some(self.crc64nvme),
        }
    }
}

/// The MD5 of bytes.
pub(super) fn md5(bytes: &[u8]) -> [u8; 16] {
    Md5::digest(bytes).into()
}

fn etag(kind: Etags, fresh: &Fresh, number: u64) -> String {
    let unique = || hex(&md5(&number.to_be_bytes()));
    match (kind, &fresh.parts) {
        (Etags::Md5 | Etags::RandomParts, None) => hex(&md5(&fresh.bytes)),
        (Etags::Md5, Some(parts)) => format!("{}-{}", hex(&md5(&parts.concat())), parts.len()),
        (Etags::RandomParts, Some(parts)) => format!("{}-{}", unique(), parts.len()),
        (Etags::Opaque, _) => unique(),
    }
}
