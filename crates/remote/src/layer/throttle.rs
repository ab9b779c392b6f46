//! Not faster than so much.
//!
//! Holds bodies to a shared [`Bandwidth`]: what comes down is handed on in its time,
//! and what goes up is read in its time, for places that read and store in one. A
//! place with connections of its own holds its uploads to the limit itself, where
//! they leave, so that a large part does not leave in a rush.

use crate::bandwidth::{Bandwidth, Direction};
use crate::{
    Ability, Capabilities, Condition, Cursor, Download, Object, Page, Piece, Progress, Put, Remote, Result, Source,
    Stored,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use std::ops::Range;
use std::sync::Arc;
use tidelock_core::entry::RemoteStamp;
use tidelock_core::path::Key;

/// A place whose bytes take their time.
pub struct Throttle {
    remote: Arc<dyn Remote>,
    bandwidth: Arc<Bandwidth>,
    /// Whether uploads are held here too.
    uploads: bool,
}

impl Throttle {
    /// Holds downloads, and `uploads` where the place does not do so itself.
    pub fn new(remote: Arc<dyn Remote>, bandwidth: Arc<Bandwidth>, uploads: bool) -> Self {
        Self { remote, bandwidth, uploads }
    }
}

/// A source that is read in its time.
struct Slow {
    source: Arc<dyn Source>,
    bandwidth: Arc<Bandwidth>,
}

#[async_trait]
impl Source for Slow {
    async fn read(&self, offset: u64, size: usize) -> Result<Bytes> {
        let bytes = self.source.read(offset, size).await?;
        pass(&self.bandwidth, Direction::Up, bytes.len()).await;
        Ok(bytes)
    }

    async fn seal(&self) -> Result<()> {
        self.source.seal().await
    }
}

/// Lets bytes pass step by step.
async fn pass(bandwidth: &Bandwidth, direction: Direction, mut bytes: usize) {
    while bytes > 0 {
        let step = bytes.min(bandwidth.step_bytes());
        bandwidth.pass(direction, u64::try_from(step).unwrap_or(u64::MAX), || ()).await;
        bytes -= step;
    }
}

#[async_trait]
impl Remote for Throttle {
    async fn capabilities(&self, needed: &[Ability]) -> Result<Capabilities> {
        self.remote.capabilities(needed).await
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
        let opened = self.remote.get(key, range, stamp).await?;
        let bandwidth = self.bandwidth.clone();
        let body = opened.body.then(move |chunk| {
            let bandwidth = bandwidth.clone();
            async move {
                if let Ok(bytes) = &chunk {
                    pass(&bandwidth, Direction::Down, bytes.len()).await;
                }
                chunk
            }
        });
        Ok(Download { object: opened.object, body: body.boxed() })
    }

    async fn put(&self, request: &Put, progress: &dyn Progress) -> Result<Stored> {
        if !self.uploads {
            return self.remote.put(request, progress).await;
        }
        let mut request = request.clone();
        // Pieces of one source stay so: it is asked once how it is.
        let mut known: Vec<(Arc<dyn Source>, Arc<dyn Source>)> = Vec::new();
        for piece in &mut request.recipe {
            let Piece::Bytes { source, .. } = piece else { continue };
            let slow = match known.iter().find(|(other, _)| Arc::ptr_eq(other, source)) {
                Some((_, slow)) => slow.clone(),
                None => Arc::new(Slow { source: source.clone(), bandwidth: self.bandwidth.clone() }),
            };
            known.push((std::mem::replace(source, slow.clone()), slow));
        }
        self.remote.put(&request, progress).await
    }

    async fn delete(&self, items: &[(Key, Condition)]) -> Vec<Result<()>> {
        self.remote.delete(items).await
    }

    async fn abandon(&self, key: &Key, upload_id: &str) -> Result<()> {
        self.remote.abandon(key, upload_id).await
    }

    async fn abandon_begun(&self, key: &Key, began_ms: Range<i64>) -> Result<()> {
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
