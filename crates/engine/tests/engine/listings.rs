//! Listings that no bucket should give.

use crate::bench::Bench;
use async_trait::async_trait;
use futures::executor::block_on;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tidelock_core::entry::RemoteStamp;
use tidelock_core::path::Key;
use tidelock_core::policy::Preset;
use tidelock_engine::cycle::{Mode, run};
use tidelock_remote::memory::Memory;
use tidelock_remote::{
    Ability, Capabilities, Condition, Cursor, Download, Object, ObjectMeta, Page, Progress, Put, Remote, Result, Stored,
};

/// A bucket that lists the same page again and again, each time with another token.
struct Circling {
    bucket: Memory,
    pages: AtomicUsize,
}

#[async_trait]
impl Remote for Circling {
    async fn capabilities(&self, needed: &[Ability]) -> Result<Capabilities> {
        self.bucket.capabilities(needed).await
    }
    async fn list(&self, prefix: &str, _cursor: &Cursor) -> Result<Page> {
        let number = self.pages.fetch_add(1, Ordering::SeqCst);
        assert!(number < 100, "the listing never ends");
        let page = self.bucket.list(prefix, &Cursor::start()).await?;
        Ok(Page { next: Some(Cursor { after: "b".to_owned(), token: Some(number.to_string()) }), ..page })
    }
    async fn head(&self, key: &Key) -> Result<Option<Object>> {
        self.bucket.head(key).await
    }
    async fn get(&self, key: &Key, range: Option<Range<u64>>, stamp: Option<&RemoteStamp>) -> Result<Download> {
        self.bucket.get(key, range, stamp).await
    }
    async fn put(&self, request: &Put, progress: &dyn Progress) -> Result<Stored> {
        self.bucket.put(request, progress).await
    }
    async fn delete(&self, items: &[(Key, Condition)]) -> Vec<Result<()>> {
        self.bucket.delete(items).await
    }
    async fn abandon(&self, key: &Key, upload_id: &str) -> Result<()> {
        self.bucket.abandon(key, upload_id).await
    }

    async fn abandon_begun(&self, key: &Key, began_ms: Range<i64>) -> Result<()> {
        self.bucket.abandon_begun(key, began_ms).await
    }
    fn describe(&self) -> String {
        self.bucket.describe()
    }
}

#[test]
fn a_listing_that_starts_over_for_ever_ends_the_run() {
    let bench = Bench::new();
    bench.bucket.write(&Key::new("a"), "a", ObjectMeta::default());
    bench.bucket.write(&Key::new("b"), "b", ObjectMeta::default());
    let mut pair = bench.pair(Preset::Restore.policy());
    pair.remote = Arc::new(Circling { bucket: bench.bucket.clone(), pages: AtomicUsize::default() });
    let report = block_on(run(&pair, Mode::Execute));
    assert!(report.stopped.is_some_and(|reason| reason.contains("repeats itself")));
    assert_eq!(bench.files(), []);
}
