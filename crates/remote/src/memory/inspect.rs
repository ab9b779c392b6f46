//! What a test may do to a memory remote behind its users' backs.
//!
//! Be a foreign writer, archive, spoil, and look at everything at once. None of it
//! is judged by conditions, none of it is reached through the trait.

use super::Memory;
use super::shelf::Fresh;
use crate::{ObjectMeta, Readiness};
use bytes::Bytes;
use std::collections::BTreeMap;
use tidelock_core::entry::RemoteStamp;
use tidelock_core::path::Key;

/// Everything visible, by key.
pub type Snapshot = BTreeMap<Key, (Vec<u8>, ObjectMeta, RemoteStamp)>;

impl Memory {
    /// Everything visible now.
    pub fn snapshot(&self) -> Snapshot {
        self.locked(|shelf| {
            let entry = |(key, version): (&Key, &super::shelf::Version)| {
                (key.clone(), (version.bytes.to_vec(), version.meta.clone(), version.stamp.clone()))
            };
            shelf.iter_from("").map(entry).collect()
        })
    }

    /// Writes as somebody else would: at once and without looking.
    pub fn write(&self, key: &Key, bytes: impl Into<Bytes>, meta: ObjectMeta) -> RemoteStamp {
        let modified_s = self.now_s();
        let fresh = Fresh { bytes: bytes.into(), meta, storage_class: None, parts: None, modified_s };
        self.locked(|shelf| shelf.install(self.profile(), key, fresh).stamp)
    }

    /// Removes as somebody else would. Whether there was anything.
    pub fn remove(&self, key: &Key) -> bool {
        self.locked(|shelf| {
            let present = shelf.current(key).is_some();
            if present {
                shelf.remove(self.profile(), key);
            }
            present
        })
    }

    /// Puts the bytes at `key` out of reach, or back. Whether there are any.
    pub fn set_readiness(&self, key: &Key, readiness: Readiness) -> bool {
        self.locked(|shelf| match shelf.current_mut(key) {
            Some(version) => {
                version.readiness = readiness;
                if readiness != Readiness::Lost {
                    version.storage_class = Some("GLACIER".to_owned());
                }
                true
            }
            None => false,
        })
    }

    /// Archives the object at `key`: it can be listed, and neither read nor copied.
    pub fn archive(&self, key: &Key) -> bool {
        self.set_readiness(key, Readiness::Archived)
    }

    /// Flips a bit of what is stored and nothing of what is known about it.
    pub fn spoil(&self, key: &Key, at: usize) -> bool {
        self.locked(|shelf| {
            let Some(version) = shelf.current_mut(key) else { return false };
            let mut bytes = version.bytes.to_vec();
            let Some(byte) = bytes.get_mut(at) else { return false };
            *byte ^= 1;
            version.bytes = bytes.into();
            true
        })
    }

    /// Uploads begun and neither completed nor given up: id and key.
    pub fn pending_uploads(&self) -> Vec<(String, Key)> {
        self.locked(|shelf| shelf.uploads.iter().map(|(id, key)| (id.clone(), key.clone())).collect())
    }

    /// All that `key` ever held, oldest first, where versions are kept; `None` is
    /// a deletion.
    pub fn history(&self, key: &Key) -> Vec<Option<Vec<u8>>> {
        self.locked(|shelf| {
            shelf.history(key).iter().map(|version| version.as_ref().map(|version| version.bytes.to_vec())).collect()
        })
    }
}
