//! Look, and touch nothing.
//!
//! Refuses whatever could change the place, so that a dry run, or a restore, cannot
//! write however wrong the code above it is. Probing writes, so what a place can do
//! is refused as well; reading needs none of it.

use crate::{
    Ability, Capabilities, Condition, Cursor, Download, Error, ErrorKind, Object, Page, Progress, Put, Remote, Result,
    Stored,
};
use async_trait::async_trait;
use std::ops::Range;
use std::sync::Arc;
use tidelock_core::entry::RemoteStamp;
use tidelock_core::path::Key;

/// A place that cannot be changed.
pub struct ReadOnly {
    remote: Arc<dyn Remote>,
}

impl ReadOnly {
    /// `remote`, to be looked at.
    pub fn new(remote: Arc<dyn Remote>) -> Self {
        Self { remote }
    }
}

fn refusal(op: &'static str) -> Error {
    Error::new(ErrorKind::Config, op, "read-only")
}

#[async_trait]
impl Remote for ReadOnly {
    async fn capabilities(&self, _needed: &[Ability]) -> Result<Capabilities> {
        Err(refusal("probe"))
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

    async fn put(&self, request: &Put, _progress: &dyn Progress) -> Result<Stored> {
        Err(refusal("put").on(&request.key))
    }

    async fn delete(&self, items: &[(Key, Condition)]) -> Vec<Result<()>> {
        items.iter().map(|(key, _)| Err(refusal("delete").on(key))).collect()
    }

    async fn abandon(&self, key: &Key, _upload_id: &str) -> Result<()> {
        Err(refusal("abandon").on(key))
    }

    async fn abandon_begun(&self, key: &Key, _began_ms: Range<i64>) -> Result<()> {
        Err(refusal("abandon").on(key))
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
