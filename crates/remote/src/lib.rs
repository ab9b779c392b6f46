//! Where objects live.
//!
//! One trait, [`Remote`], in its fullest form; three places that implement it
//! (`s3/`, `folder/`, `memory.rs`); layers that wrap it (`layer/`), stacked in one
//! visible place, `open.rs`. Nothing here knows of folders, plans or base rows.
//! Every write and every deletion carries a [`Condition`]: there is no way to say
//! "whatever is there".

#![forbid(unsafe_code)]

pub mod bandwidth;
pub mod beside;
pub mod error;
pub mod folder;
pub mod kill;
pub mod layer;
pub mod memory;
pub mod open;
pub mod s3;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod url;
pub mod world;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use tidelock_core::entry::RemoteStamp;
use tidelock_core::path::Key;

pub use error::{Error, ErrorKind, Result};

/// A place that holds objects by key.
#[async_trait]
pub trait Remote: Send + Sync {
    /// What this place can do, of what is `needed`. Probes by writing where it has
    /// to, so it may need permission to write; answers it already knows are free.
    /// A condition it has answered "no" to is from then on not obeyed and no reason to
    /// refuse either: `layer/condition.rs` makes up for it.
    async fn capabilities(&self, needed: &[Ability]) -> Result<Capabilities>;

    /// Something happened that cannot be if what `capabilities` said is true: a
    /// place that has to find out forgets what it knew, and finds out again. Layers
    /// pass it on.
    fn contradicted(&self) {}

    /// One page of the objects whose key begins with `prefix`, in ascending order
    /// of key bytes unless [`Ability::OrderedList`] is absent, beginning after the
    /// cursor. The listing is complete when a page has no `next`; an error means
    /// that nothing is known of the keys after the last page.
    async fn list(&self, prefix: &str, cursor: &Cursor) -> Result<Page>;

    /// The object at `key`, metadata included; `None` if there is none.
    async fn head(&self, key: &Key) -> Result<Option<Object>>;

    /// The bytes of the object at `key`, or of a range of them. With `stamp`, only
    /// if the object still has that ETag, else [`ErrorKind::Precondition`]. A body
    /// that ends early or late, or does not fit the object's own checksum where the
    /// whole is read, ends in an error.
    async fn get(&self, key: &Key, range: Option<Range<u64>>, stamp: Option<&RemoteStamp>) -> Result<Download>;

    /// Writes one object, whole and at once: readers see the old one or the new.
    /// The only way anything is written. If the condition does not hold, nothing
    /// changes and the error is [`ErrorKind::Precondition`].
    async fn put(&self, request: &Put, progress: &dyn Progress) -> Result<Stored>;

    /// Removes objects, each under its own condition. One answer per item, in the
    /// same order. Removing what is absent is [`ErrorKind::NotFound`] where the place
    /// can tell; S3 without conditions cannot, and says it was done.
    async fn delete(&self, items: &[(Key, Condition)]) -> Vec<Result<()>>;

    /// Gives up an upload that [`Progress::started`] once told of, freeing its
    /// parts. Unknown uploads are fine.
    async fn abandon(&self, key: &Key, upload_id: &str) -> Result<()>;

    /// Gives up uploads in parts to exactly this key that were begun within these
    /// moments, in Unix milliseconds by our clock, and to which nothing was sent: what a
    /// process leaves that is killed before it hears the id of what it began. Whoever
    /// else began one in that time only has to begin anew.
    async fn abandon_begun(&self, key: &Key, began_ms: Range<i64>) -> Result<()>;

    /// Whether anything was written or deleted here under a condition that the place
    /// does not obey, so that somebody else's write, in the moment between the look and
    /// the act, would have been replaced or deleted unseen. Layers pass it on.
    fn was_unguarded(&self) -> bool {
        false
    }

    /// How far the server's clock is ahead of ours, in milliseconds, if known.
    fn clock_skew_ms(&self) -> Option<i64> {
        None
    }

    /// What an object is called in the place itself, where it is shown under another name.
    fn real_key(&self, key: &Key) -> Key {
        key.clone()
    }

    /// What a person would call this place, without secrets.
    fn describe(&self) -> String;
}

/// Where a listing goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cursor {
    /// List keys greater than this; empty is from the start.
    pub after: String,
    /// The place's own continuation token, valid only for the same listing.
    pub token: Option<String>,
}

impl Cursor {
    /// The beginning.
    pub fn start() -> Self {
        Self::default()
    }

    /// Everything after a key.
    pub fn after(key: &Key) -> Self {
        Self { after: key.as_str().to_owned(), token: None }
    }
}

/// A part of a listing.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The objects, without user metadata.
    pub objects: Vec<Object>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Cursor>,
}

/// An object as a listing or a HEAD shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its key.
    pub key: Key,
    /// Its stamp.
    pub stamp: RemoteStamp,
    /// Its storage class as the place names it; `None` is the default one.
    pub storage_class: Option<String>,
    /// Its version id, where the place keeps versions.
    pub version: Option<String>,
    /// Whether the bytes can be read now.
    pub readiness: Readiness,
    /// Content type, other headers and user metadata; `None` in listings.
    pub meta: Option<ObjectMeta>,
    /// CRC64NVME over the whole object, if the place keeps it.
    pub crc64nvme: Option<u64>,
}

/// Whether an object's bytes can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Readiness {
    /// Yes.
    #[default]
    Ready,
    /// No: archived, and nobody has asked for it.
    Archived,
    /// Not yet: it is being thawed.
    Thawing,
    /// Never again: the place knows that it has lost them. The object is there all
    /// the same, to be replaced or removed under its stamp.
    Lost,
}

/// What travels with an object beside its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ObjectMeta {
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// User metadata: names in lower case without `x-amz-meta-`, values ASCII.
    pub user: BTreeMap<String, String>,
    /// What web browsers and caches are told beside the type: headers of
    /// [`ObjectMeta::HEADERS`], by their names in lower case.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// How the place encrypts it, where it says so. A write that asks for it gets it,
    /// unless the place was opened to encrypt otherwise; a store in a folder has no
    /// keys, and keeps nothing of it.
    #[serde(skip)]
    pub encryption: Option<Encryption>,
}

/// How a place encrypts what it keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encryption {
    /// `AES256` with keys of its own, `aws:kms` or `aws:kms:dsse` with its key service.
    pub how: String,
    /// Which key of the key service; the account's own if nobody says.
    pub key: Option<String>,
    /// Whether the bucket has a key in between, which saves calls.
    pub bucket_key: bool,
}

impl Encryption {
    /// With keys of the place's own.
    pub fn aes256() -> Self {
        Self { how: "AES256".to_owned(), key: None, bucket_key: false }
    }

    /// With a key of its key service: this one, or the account's.
    pub fn kms(key: Option<String>) -> Self {
        Self { how: "aws:kms".to_owned(), key, bucket_key: false }
    }
}

impl ObjectMeta {
    /// The headers that a place keeps with an object and gives back as they were.
    pub const HEADERS: [&str; 5] =
        ["cache-control", "content-disposition", "content-encoding", "content-language", "expires"];
}

/// Bytes on their way here.
pub struct Download {
    /// The object they belong to, metadata included.
    pub object: Object,
    /// The bytes. Dropping it closes the transfer.
    pub body: BoxStream<'static, Result<Bytes>>,
}

/// One object to be written.
#[derive(Clone)]
pub struct Put {
    /// Where.
    pub key: Key,
    /// From what.
    pub recipe: Vec<Piece>,
    /// With which metadata. It replaces what a copied object carried.
    pub meta: ObjectMeta,
    /// In which storage class; `None` is the place's default.
    pub storage_class: Option<String>,
    /// Only if.
    pub condition: Condition,
}

impl Put {
    /// The length of the finished object.
    pub fn size(&self) -> u64 {
        self.recipe.iter().map(Piece::size).sum()
    }
}

/// A stretch of an object to be written.
#[derive(Clone)]
pub enum Piece {
    /// `size` bytes of a source from `offset`.
    Bytes {
        /// Where they come from.
        source: Arc<dyn Source>,
        /// From which byte.
        offset: u64,
        /// How many.
        size: u64,
    },
    /// `size` bytes of an object in the same place, from `offset`, provided it
    /// still has this stamp's ETag.
    CopyOf {
        /// Which object.
        key: Key,
        /// As which it was seen.
        stamp: RemoteStamp,
        /// From which byte.
        offset: u64,
        /// How many.
        size: u64,
    },
}

impl Piece {
    /// How many bytes it gives.
    pub fn size(&self) -> u64 {
        match self {
            Self::Bytes { size, .. } | Self::CopyOf { size, .. } => *size,
        }
    }
}

/// Bytes that can be read again, for a retry. A remote reads each range at least
/// once, in ascending order the first time.
#[async_trait]
pub trait Source: Send + Sync {
    /// Exactly `size` bytes from `offset`; anything less is
    /// [`ErrorKind::Source`].
    async fn read(&self, offset: u64, size: usize) -> Result<Bytes>;

    /// Asked once, after all bytes were read and before the object may become
    /// visible: an error here abandons the write. A file that moved while it was
    /// being read says so here.
    async fn seal(&self) -> Result<()> {
        Ok(())
    }
}

#[async_trait]
impl Source for Bytes {
    async fn read(&self, offset: u64, size: usize) -> Result<Bytes> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        match start.checked_add(size) {
            Some(end) if end <= self.len() => Ok(self.slice(start..end)),
            _ => Err(Error::new(ErrorKind::Source, "read", "the source is shorter than it was said to be")),
        }
    }
}

/// Asks every source of a recipe once whether it stayed as it was, however many
/// pieces it gave.
pub(crate) async fn seal(recipe: &[Piece]) -> Result<()> {
    let mut asked: Vec<&Arc<dyn Source>> = Vec::new();
    for piece in recipe {
        if let Piece::Bytes { source, .. } = piece
            && !asked.iter().any(|other| Arc::ptr_eq(other, source))
        {
            source.seal().await?;
            asked.push(source);
        }
    }
    Ok(())
}

/// What must hold for a write or a deletion to happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// There is no object at the key.
    Absent,
    /// The object at the key has this stamp's ETag.
    Matches(RemoteStamp),
}

/// The proof of a finished write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The new object's stamp.
    pub stamp: RemoteStamp,
    /// Its version id, where the place keeps versions.
    pub version: Option<String>,
}

/// What a write tells while it goes on. Awaited, so that an upload is on record before
/// it is begun, and its id before its first part is sent.
#[async_trait]
pub trait Progress: Send + Sync {
    /// An upload in parts is about to be begun, under an id that is not known yet.
    async fn starting(&self) -> Result<()> {
        Ok(())
    }
    /// An upload in parts has begun under this id.
    async fn started(&self, upload_id: &str) -> Result<()>;
    /// The upload with this id is over: completed, or given up and freed.
    async fn ended(&self, upload_id: &str) -> Result<()>;
    /// So many more bytes have been sent.
    fn sent(&self, bytes: u64);
    /// Comes back once nobody wants the write any more: parts that are under way are then
    /// broken off and the upload is given up, with [`ErrorKind::SourceMoved`]. What is
    /// written in one request is not.
    async fn unwanted(&self) {
        std::future::pending().await
    }
}

/// For writes nobody watches.
pub struct Unwatched;

#[async_trait]
impl Progress for Unwatched {
    async fn started(&self, _upload_id: &str) -> Result<()> {
        Ok(())
    }
    async fn ended(&self, _upload_id: &str) -> Result<()> {
        Ok(())
    }
    fn sent(&self, _bytes: u64) {}
}

/// Something a place may or may not be able to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ability {
    /// A PUT that fails when the key exists (`If-None-Match: *`).
    PutIfAbsent,
    /// A PUT that fails when the ETag is another (`If-Match`).
    PutIfMatch,
    /// A DELETE that fails when the ETag is another.
    DeleteIfMatch,
    /// The same for each item of a batch deletion.
    BatchDeleteIfMatch,
    /// A copy that fails when the destination is not as expected.
    CopyIfMatch,
    /// A copy that fails when the source's ETag is another.
    CopySourceIfMatch,
    /// Parts of an upload copied from an object.
    PartCopy,
    /// CRC64NVME over the whole object, verified before it is visible.
    Crc64Nvme,
    /// Old versions are kept.
    Versions,
    /// Listings come in key order.
    OrderedList,
}

/// What a place was found to be able to do. What was not asked is not in it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Capabilities(pub BTreeMap<Ability, bool>);

impl Capabilities {
    /// Whether the place is known to be able to.
    pub fn has(&self, ability: Ability) -> bool {
        self.0.get(&ability).copied().unwrap_or(false)
    }

    /// Everything, as the folder store and memory can.
    pub fn all_but(missing: &[Ability]) -> Self {
        const ALL: [Ability; 10] = [
            Ability::PutIfAbsent,
            Ability::PutIfMatch,
            Ability::DeleteIfMatch,
            Ability::BatchDeleteIfMatch,
            Ability::CopyIfMatch,
            Ability::CopySourceIfMatch,
            Ability::PartCopy,
            Ability::Crc64Nvme,
            Ability::Versions,
            Ability::OrderedList,
        ];
        Self(ALL.into_iter().map(|ability| (ability, !missing.contains(&ability))).collect())
    }
}
