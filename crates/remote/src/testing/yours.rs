//! The suite on a bucket of the reader's own, which must be left as it was found.
//!
//! Below a prefix of its own, through the layers that repeat and limit but without
//! the one that makes up for missing conditions, so that what is seen is the
//! service. `examples/conformance.rs` is its face.

use super::conformance::{Report, Settings, conformance};
use crate::error::Result;
use crate::layer::{Limit, Observe, RequestCounts, Requests, Retry, Scope};
use crate::s3::{self, S3Options};
use crate::world::World;
use crate::{Condition, Cursor, Remote};
use std::sync::Arc;
use tidelock_core::backoff::Backoff;
use tidelock_core::path::Key;

/// Which bucket, and how to ask it.
#[derive(Debug, Clone)]
pub struct Yours {
    /// Its name.
    pub bucket: String,
    /// What all keys begin with; empty, or ending in a slash.
    pub prefix: String,
    /// Where it is.
    pub s3: S3Options,
    /// Operations under way at once, at most.
    pub concurrency: usize,
    /// Run only cases whose name contains this.
    pub only: Option<String>,
    /// Cases to leave out.
    pub except: Vec<String>,
}

/// What came of it.
#[derive(Debug)]
pub struct Found {
    /// The verdicts.
    pub report: Report,
    /// What it took.
    pub requests: RequestCounts,
    /// Objects that cases left behind; they were removed.
    pub removed: usize,
}

/// Runs the suite. `begin` is told where, before anything is written.
pub async fn run(yours: Yours, world: World, begin: impl FnOnce(&str)) -> Result<Found> {
    let mut settings = Settings::new(&world);
    settings.key_max_bytes = settings.key_max_bytes.saturating_sub(yours.prefix.len());
    settings.only = yours.only;
    settings.except = yours.except.into_iter().map(|name| (name, "left out as asked".to_owned())).collect();

    let place = s3::open(world.clone(), &yours.bucket, yours.s3, None).await?.probing_below(&yours.prefix);
    let below = format!("{}, below {}{}", place.describe(), yours.prefix, settings.prefix);
    let requests = Arc::new(Requests::default());
    let observed = Arc::new(Observe::new(Arc::new(place), requests.clone()));
    let limited = Arc::new(Limit::new(Arc::new(Scope::new(observed, &yours.prefix)), yours.concurrency));
    let retried = Retry::new(limited, Backoff::default(), Arc::default(), requests.clone(), world);
    let remote: Arc<dyn Remote> = Arc::new(retried);

    // Who may not even list is told so before anything is written.
    remote.list(&settings.prefix, &Cursor::start()).await?;
    begin(&below);
    let report = conformance(|| remote.clone(), &settings).await;
    let removed = clear(&*remote, &settings.prefix).await?;
    Ok(Found { report, requests: requests.snapshot(), removed })
}

/// Removes what is left below the prefix; how much that was.
async fn clear(remote: &dyn Remote, prefix: &str) -> Result<usize> {
    let mut count = 0;
    loop {
        let page = remote.list(prefix, &Cursor::start()).await?;
        if page.objects.is_empty() {
            return Ok(count);
        }
        let items: Vec<(Key, Condition)> =
            page.objects.into_iter().map(|object| (object.key, Condition::Matches(object.stamp))).collect();
        count += items.len();
        remote.delete(&items).await.into_iter().collect::<Result<Vec<()>>>()?;
    }
}
