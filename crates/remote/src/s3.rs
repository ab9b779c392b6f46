//! A bucket on any S3-compatible service, through a lean client of our own.
//!
//! One place signs (`sign`), one sends (`client`), one parses (`xml`); the verbs are
//! a file each. [`S3`] works on whole keys of one bucket: prefixes, retries of whole
//! operations and limits are layers around it. Abilities of the endpoint are probed
//! by writing, remembered, and never assumed.

mod abilities;
mod account;
mod address;
mod checksum;
mod client;
mod config;
mod connect;
mod credentials;
mod delete;
mod get;
mod head;
mod headers;
mod held;
mod list;
mod multipart;
mod parts;
mod probe;
pub mod provider;
mod put;
mod refusal;
mod reply;
mod sign;
mod signin;
mod unfinished;
mod xml;

pub use abilities::{CapabilityStore, Trial};
pub use account::{Bucket, Pending, buckets};
pub use config::{Keys, S3Options, is_region};

use crate::bandwidth::Bandwidth;
use crate::error::{Error, Result};
use crate::world::World;
use crate::{Ability, Capabilities, Condition, Cursor, Download, Object, Page, Progress, Put, Remote, Stored};
use abilities::Abilities;
use async_trait::async_trait;
use checksum::Crc;
use client::Client;
use config::Settings;
use held::{HELD_BYTES, Held};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};
use tidelock_core::backoff::{Backoff, Budget};
use tidelock_core::entry::RemoteStamp;
use tidelock_core::path::Key;

/// What whoever probes keeps in mind until the process ends.
#[derive(Default)]
struct Probing {
    /// What the credentials may not try out. Asking again would be told the same.
    denied: BTreeMap<Ability, Error>,
    /// Why the last trial that came to nothing did.
    failed: Option<Error>,
    /// What killed runs have on record as theirs has been cleared away.
    took_over: bool,
    /// The same for what lies there without a record.
    swept: bool,
}

/// One bucket.
pub struct S3 {
    client: Client,
    abilities: Abilities,
    /// For parts of uploads, which are sent again on their own.
    backoff: Backoff,
    budget: Mutex<Budget>,
    probing: tokio::sync::Mutex<Probing>,
    /// How many trials have come to nothing.
    failures: AtomicU64,
    probe_prefix: String,
    /// For bytes on their way there.
    held: Held,
    /// What the place has said to checksums.
    crc: Crc,
    /// Completing an upload told the ETag that the object then had.
    etags_agree: AtomicBool,
}

/// Reads the settings and makes a client for a bucket. Nothing is sent yet: whether
/// the bucket exists and the credentials work is told by the first request.
/// `cache` keeps what was found out about the endpoint's abilities.
pub async fn open(
    world: World,
    bucket: &str,
    options: S3Options,
    cache: Option<Arc<dyn CapabilityStore>>,
) -> Result<S3> {
    let settings = Settings::load(bucket, &options).await?;
    let client = Client::new(world.clone(), bucket, settings)?;
    let abilities = Abilities::new(world, format!("{}|{bucket}", client.url()), cache);
    Ok(S3 {
        client,
        abilities,
        backoff: Backoff::default(),
        budget: Mutex::default(),
        probing: tokio::sync::Mutex::default(),
        failures: AtomicU64::new(0),
        probe_prefix: String::new(),
        held: Held::new(HELD_BYTES),
        crc: Crc::default(),
        etags_agree: AtomicBool::new(false),
    })
}

impl S3 {
    /// Probes below `prefix`, which is empty or ends in a slash, instead of at the
    /// bucket's root: credentials may be good for no more than that.
    #[must_use]
    pub fn probing_below(mut self, prefix: &str) -> Self {
        prefix.clone_into(&mut self.probe_prefix);
        self
    }

    /// Lets uploads leave no faster than this; downloads are the layers' business.
    #[must_use]
    pub fn paced(mut self, bandwidth: Option<Arc<Bandwidth>>) -> Self {
        self.client.bandwidth = bandwidth;
        self
    }

    /// Holds at most so many bytes of uploads in memory at once, instead of 64 MiB.
    #[must_use]
    pub fn holding(mut self, bytes: u64) -> Self {
        self.held = Held::new(bytes);
        self
    }
}

#[async_trait]
impl Remote for S3 {
    async fn capabilities(&self, needed: &[Ability]) -> Result<Capabilities> {
        self.probe(needed).await
    }

    fn contradicted(&self) {
        self.abilities.forget();
    }

    async fn list(&self, prefix: &str, cursor: &Cursor) -> Result<Page> {
        self.page(prefix, cursor).await
    }

    async fn head(&self, key: &Key) -> Result<Option<Object>> {
        self.look(key).await
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>, stamp: Option<&RemoteStamp>) -> Result<Download> {
        self.fetch(key, range, stamp).await
    }

    async fn put(&self, request: &Put, progress: &dyn Progress) -> Result<Stored> {
        self.store(request, progress).await
    }

    async fn delete(&self, items: &[(Key, Condition)]) -> Vec<Result<()>> {
        self.remove(items).await
    }

    async fn abandon(&self, key: &Key, upload_id: &str) -> Result<()> {
        self.give_up(key, upload_id).await
    }

    async fn abandon_begun(&self, key: &Key, began_ms: Range<i64>) -> Result<()> {
        self.give_up_begun(key, began_ms).await
    }

    fn clock_skew_ms(&self) -> Option<i64> {
        self.client.clock_skew_ms()
    }

    fn describe(&self) -> String {
        format!("s3://{} at {}", self.client.bucket, self.client.url())
    }
}
