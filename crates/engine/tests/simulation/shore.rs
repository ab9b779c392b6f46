//! Where the engine's requests reach the bucket, watched.
//!
//! Between the bad network and the bucket stands the [`Shore`] of each device: it
//! sees what really takes effect, late and doubled requests included, counts it, and
//! holds what each write leaves behind against the ledger.

use crate::books::Books;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use tidelock_core::entry::RemoteStamp;
use tidelock_core::meta::decode;
use tidelock_core::path::Key;
use tidelock_engine::disk::Node;
use tidelock_engine::disk::sim::SimDisk;
use tidelock_remote::memory::Memory;
use tidelock_remote::{
    Ability, Capabilities, Condition, Cursor, Download, Object, Page, Progress, Put, Remote, Result, Stored,
};

/// One device's way into the bucket.
pub struct Shore {
    pub bucket: Memory,
    pub books: Arc<Books>,
    pub device: usize,
    /// The device's folder, as its user sees it.
    pub disk: SimDisk,
    /// It keeps no extended attributes.
    pub bare: bool,
}

impl Shore {
    /// A renamed file's object goes only once the new one is there: what this device
    /// still has, and could store, is never taken out of the bucket first. What was in
    /// step and is gone from the bucket was deleted by somebody, and is not stored.
    fn check_order(&self, key: &Key, bytes: &[u8]) {
        let objects = self.bucket.snapshot();
        if bytes.is_empty() || objects.values().any(|(other, ..)| other == bytes) {
            return;
        }
        for (path, node) in self.disk.tree() {
            let at = Key::new(path.as_str());
            let has_name = !path.is_reserved() && !path.as_str().ends_with(".rclonelink");
            let storable =
                has_name && !objects.contains_key(&at) && !self.books.was_in_step(self.device, path.as_str());
            if node.kind == Node::File && node.bytes == bytes && storable && at != *key {
                self.books.wrong(format!("order: {key} was deleted before {path}, which holds its bytes, was stored"));
            }
        }
    }
}

type Attributes = BTreeMap<String, Vec<u8>>;

impl Shore {
    /// An object's bytes and extended attributes.
    fn attributes(&self, key: &Key) -> Option<(Vec<u8>, Attributes)> {
        let (bytes, meta, _) = self.bucket.snapshot().remove(key).filter(|_| self.bare)?;
        Some((bytes, decode(&meta.user).meta.xattrs.unwrap_or_default()))
    }
}

fn is_ours(key: &Key) -> bool {
    key.as_str().starts_with(".tidelock/")
}

#[async_trait]
impl Remote for Shore {
    async fn capabilities(&self, needed: &[Ability]) -> Result<Capabilities> {
        self.bucket.capabilities(needed).await
    }

    async fn list(&self, prefix: &str, cursor: &Cursor) -> Result<Page> {
        self.bucket.list(prefix, cursor).await
    }

    async fn head(&self, key: &Key) -> Result<Option<Object>> {
        self.bucket.head(key).await
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>, stamp: Option<&RemoteStamp>) -> Result<Download> {
        self.books.tally(self.device, |tally| tally.gets += 1);
        self.bucket.get(key, range, stamp).await
    }

    async fn put(&self, request: &Put, progress: &dyn Progress) -> Result<Stored> {
        let before = self.attributes(&request.key);
        let stored = self.bucket.put(request, progress).await?;
        if !is_ours(&request.key) {
            self.books.tally(self.device, |tally| tally.mutations += 1);
            let taken = before.is_some_and(|(bytes, xattrs)| {
                let now = self.attributes(&request.key);
                now.is_none_or(|(later, now)| bytes == later && !xattrs.is_empty() && xattrs != now)
            });
            if self.bare && taken {
                self.books.wrong(format!("attributes: {}: who keeps none took them away", request.key));
            }
            if let Some((bytes, ..)) = self.bucket.snapshot().get(&request.key) {
                self.books.check_whole(&request.key, bytes, "an object was written");
            }
        }
        Ok(stored)
    }

    async fn delete(&self, items: &[(Key, Condition)]) -> Vec<Result<()>> {
        let before = self.bucket.snapshot();
        let answers = self.bucket.delete(items).await;
        if self.books.is_alone(self.device) {
            for (key, _) in items {
                let held = before.get(key).filter(|_| !self.bucket.snapshot().contains_key(key));
                held.into_iter().for_each(|(bytes, ..)| self.check_order(key, bytes));
            }
        }
        let done = items.iter().zip(&answers).filter(|((key, _), answer)| answer.is_ok() && !is_ours(key)).count();
        self.books.tally(self.device, |tally| tally.mutations += done as u64);
        answers
    }

    async fn abandon(&self, key: &Key, upload_id: &str) -> Result<()> {
        self.bucket.abandon(key, upload_id).await
    }

    async fn abandon_begun(&self, key: &Key, began_ms: Range<i64>) -> Result<()> {
        self.bucket.abandon_begun(key, began_ms).await
    }

    fn was_unguarded(&self) -> bool {
        self.bucket.was_unguarded()
    }

    fn clock_skew_ms(&self) -> Option<i64> {
        self.bucket.clock_skew_ms()
    }

    fn describe(&self) -> String {
        self.bucket.describe()
    }
}
