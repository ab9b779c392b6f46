//! What was asked of a place, counted.
//!
//! One count per operation that reaches the place and bytes as they pass, whether
//! or not it succeeds. It stands directly around the place, so that repeated and
//! additional requests of the layers above count too. Parts of an upload and pages
//! of a batch deletion are the place's own and are not seen here.

use crate::{
    Ability, Capabilities, Condition, Cursor, Download, Object, Page, Piece, Progress, Put, Remote, Result, Stored,
};
use async_trait::async_trait;
use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tidelock_core::entry::RemoteStamp;
use tidelock_core::path::Key;

/// Counters shared by everyone who counts or looks.
#[derive(Debug, Default)]
pub struct Requests {
    list: AtomicU64,
    head: AtomicU64,
    get: AtomicU64,
    put: AtomicU64,
    copy: AtomicU64,
    delete: AtomicU64,
    other: AtomicU64,
    uploads: AtomicU64,
    bytes_up: AtomicU64,
    bytes_down: AtomicU64,
    errors: AtomicU64,
    retries: AtomicU64,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RequestCounts {
    /// Pages of listings.
    pub list: u64,
    /// Looks at one object.
    pub head: u64,
    /// Downloads begun.
    pub get: u64,
    /// Writes that send bytes.
    pub put: u64,
    /// Writes that send none, made of what is there.
    pub copy: u64,
    /// Deletions, a batch being one.
    pub delete: u64,
    /// Capabilities asked, uploads given up.
    pub other: u64,
    /// Uploads in parts begun.
    pub uploads: u64,
    /// Bytes of bodies sent, those sent again included.
    pub bytes_up: u64,
    /// Bytes of bodies received.
    pub bytes_down: u64,
    /// Operations and batch items that failed, lost conditions included.
    pub errors: u64,
    /// Operations sent again.
    pub retries: u64,
}

impl RequestCounts {
    /// Takes what was asked of another place in.
    pub fn absorb(&mut self, other: &Self) {
        self.list += other.list;
        self.head += other.head;
        self.get += other.get;
        self.put += other.put;
        self.copy += other.copy;
        self.delete += other.delete;
        self.other += other.other;
        self.uploads += other.uploads;
        self.bytes_up += other.bytes_up;
        self.bytes_down += other.bytes_down;
        self.errors += other.errors;
        self.retries += other.retries;
    }
}

impl Requests {
    /// The counters now.
    pub fn snapshot(&self) -> RequestCounts {
        RequestCounts {
            list: self.list.load(Relaxed),
            head: self.head.load(Relaxed),
            get: self.get.load(Relaxed),
            put: self.put.load(Relaxed),
            copy: self.copy.load(Relaxed),
            delete: self.delete.load(Relaxed),
            other: self.other.load(Relaxed),
            uploads: self.uploads.load(Relaxed),
            bytes_up: self.bytes_up.load(Relaxed),
            bytes_down: self.bytes_down.load(Relaxed),
            errors: self.errors.load(Relaxed),
            retries: self.retries.load(Relaxed),
        }
    }

    /// Something is about to be sent again.
    pub fn retried(&self) {
        self.retries.fetch_add(1, Relaxed);
    }

    fn told<T>(&self, result: Result<T>) -> Result<T> {
        if result.is_err() {
            self.errors.fetch_add(1, Relaxed);
        }
        result
    }
}

/// A place whose requests are counted.
pub struct Observe {
    remote: Arc<dyn Remote>,
    requests: Arc<Requests>,
}

impl Observe {
    /// Counts what reaches `remote` in `requests`.
    pub fn new(remote: Arc<dyn Remote>, requests: Arc<Requests>) -> Self {
        Self { remote, requests }
    }
}

#[async_trait]
impl Remote for Observe {
    async fn capabilities(&self, needed: &[Ability]) -> Result<Capabilities> {
        self.requests.other.fetch_add(1, Relaxed);
        self.requests.told(self.remote.capabilities(needed).await)
    }

    fn contradicted(&self) {
        self.remote.contradicted();
    }

    async fn list(&self, prefix: &str, cursor: &Cursor) -> Result<Page> {
        self.requests.list.fetch_add(1, Relaxed);
        self.requests.told(self.remote.list(prefix, cursor).await)
    }

    async fn head(&self, key: &Key) -> Result<Option<Object>> {
        self.requests.head.fetch_add(1, Relaxed);
        self.requests.told(self.remote.head(key).await)
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>, stamp: Option<&RemoteStamp>) -> Result<Download> {
        self.requests.get.fetch_add(1, Relaxed);
        let opened = self.requests.told(self.remote.get(key, range, stamp).await)?;
        let requests = self.requests.clone();
        let body = opened.body.inspect(move |chunk| {
            match chunk {
                Ok(bytes) => requests.bytes_down.fetch_add(bytes.len() as u64, Relaxed),
                Err(_) => requests.errors.fetch_add(1, Relaxed),
            };
        });
        Ok(Download { object: opened.object, body: body.boxed() })
    }

    async fn put(&self, request: &Put, progress: &dyn Progress) -> Result<Stored> {
        let only_copies = request.recipe.iter().all(|piece| matches!(piece, Piece::CopyOf { .. }));
        let counter = if only_copies && !request.recipe.is_empty() { &self.requests.copy } else { &self.requests.put };
        counter.fetch_add(1, Relaxed);
        let counting = Counting { requests: &self.requests, progress };
        self.requests.told(self.remote.put(request, &counting).await)
    }

    async fn delete(&self, items: &[(Key, Condition)]) -> Vec<Result<()>> {
        self.requests.delete.fetch_add(1, Relaxed);
        let answers = self.remote.delete(items).await;
        answers.into_iter().map(|answer| self.requests.told(answer)).collect()
    }

    async fn abandon(&self, key: &Key, upload_id: &str) -> Result<()> {
        self.requests.other.fetch_add(1, Relaxed);
        self.requests.told(self.remote.abandon(key, upload_id).await)
    }

    async fn abandon_begun(&self, key: &Key, began_ms: Range<i64>) -> Result<()> {
        self.requests.other.fetch_add(1, Relaxed);
        self.requests.told(self.remote.abandon_begun(key, began_ms).await)
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

struct Counting<'a> {
    requests: &'a Requests,
    progress: &'a dyn Progress,
}

#[async_trait]
impl Progress for Counting<'_> {
    async fn starting(&self) -> Result<()> {
        self.progress.starting().await
    }

    async fn started(&self, upload_id: &str) -> Result<()> {
        self.requests.uploads.fetch_add(1, Relaxed);
        self.progress.started(upload_id).await
    }

    async fn ended(&self, upload_id: &str) -> Result<()> {
        self.progress.ended(upload_id).await
    }

    fn sent(&self, bytes: u64) {
        self.requests.bytes_up.fetch_add(bytes, Relaxed);
        self.progress.sent(bytes);
    }

    async fn unwanted(&self) {
        self.progress.unwanted().await;
    }
}
