//! Not more at once than so many.
//!
//! A fair queue in front of a place: who asks first goes first. A download holds
//! its turn until its body is dropped. It knows no time, so it works on any
//! executor, and it never refuses: it lets wait.

use crate::{
    Ability, Capabilities, Condition, Cursor, Download, Error, ErrorKind, Object, Page, Progress, Put, Remote, Result,
    Stored,
};
use async_trait::async_trait;
use futures::StreamExt as _;
use std::ops::Range;
use std::sync::Arc;
use tidelock_core::entry::RemoteStamp;
use tidelock_core::path::Key;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A place with a queue in front.
pub struct Limit {
    remote: Arc<dyn Remote>,
    turns: Arc<Semaphore>,
}

impl Limit {
    /// At most `at_once` operations at any moment, and at least one.
    pub fn new(remote: Arc<dyn Remote>, at_once: usize) -> Self {
        Self { remote, turns: Arc::new(Semaphore::new(at_once.clamp(1, Semaphore::MAX_PERMITS))) }
    }

    async fn turn(&self, op: &'static str) -> Result<OwnedSemaphorePermit> {
        let turn = self.turns.clone().acquire_owned().await;
        // Nobody closes this semaphore; if it were closed, nothing would be sent.
        turn.map_err(|_| Error::new(ErrorKind::Other, op, "the queue is closed"))
    }
}

#[async_trait]
impl Remote for Limit {
    async fn capabilities(&self, needed: &[Ability]) -> Result<Capabilities> {
        let _turn = self.turn("probe").await?;
        self.remote.capabilities(needed).await
    }

    fn contradicted(&self) {
        self.remote.contradicted();
    }

    async fn list(&self, prefix: &str, cursor: &Cursor) -> Result<Page> {
        let _turn = self.turn("list").await?;
        self.remote.list(prefix, cursor).await
    }

    async fn head(&self, key: &Key) -> Result<Option<Object>> {
        let _turn = self.turn("head").await?;
        self.remote.head(key).await
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>, stamp: Option<&RemoteStamp>) -> Result<Download> {
        let turn = self.turn("get").await?;
        let opened = self.remote.get(key, range, stamp).await?;
        let body = opened.body.inspect(move |_| {
            let _held = &turn;
        });
        Ok(Download { object: opened.object, body: body.boxed() })
    }

    async fn put(&self, request: &Put, progress: &dyn Progress) -> Result<Stored> {
        let _turn = self.turn("put").await?;
        self.remote.put(request, progress).await
    }

    async fn delete(&self, items: &[(Key, Condition)]) -> Vec<Result<()>> {
        match self.turn("delete").await {
            Ok(_turn) => self.remote.delete(items).await,
            Err(error) => items.iter().map(|(key, _)| Err(error.clone().on(key))).collect(),
        }
    }

    async fn abandon(&self, key: &Key, upload_id: &str) -> Result<()> {
        let _turn = self.turn("abandon").await?;
        self.remote.abandon(key, upload_id).await
    }

    async fn abandon_begun(&self, key: &Key, began_ms: Range<i64>) -> Result<()> {
        let _turn = self.turn("abandon").await?;
        self.remote.abandon_begun(key, began_ms).await
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
