//! What the sink holds: buckets of objects, and uploads in parts.
//!
//! Everything is in memory, under one lock that is held for look-ups and pointer moves
//! only. Conditions hold as S3 says they do, also against each other. Bodies are the
//! buffers that came from the network; or, discarded, their lengths alone. No HTTP here.

use crate::digest::{Kind, Sum};
use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes in the buffers that they arrived in.
#[derive(Debug, Clone)]
pub struct Body {
    /// The buffers; of zeros, where the bytes were forgotten.
    pub pieces: Vec<Bytes>,
    /// How many bytes there are.
    pub len: u64,
    /// They are what was sent.
    pub is_known: bool,
}

impl Default for Body {
    fn default() -> Self {
        Self { pieces: Vec::new(), len: 0, is_known: true }
    }
}

impl Body {
    /// One more buffer at the end.
    pub fn push(&mut self, bytes: Bytes) {
        self.len += bytes.len() as u64;
        self.pieces.push(bytes);
    }

    /// What another body holds, at the end.
    pub fn append(&mut self, other: &Self) {
        self.len += other.len;
        self.is_known &= other.is_known;
        self.pieces.extend(other.pieces.iter().cloned());
    }

    /// As many zeros, in memory that all of them share.
    pub fn forget(&mut self) {
        static ZEROS: [u8; 1 << 20] = [0; 1 << 20];
        let len = self.len;
        *self = Self { is_known: false, ..Self::default() };
        while self.len < len {
            let next = usize::try_from(len - self.len).unwrap_or(usize::MAX).min(ZEROS.len());
            self.push(Bytes::from_static(&ZEROS[..next]));
        }
    }

    /// The bytes `from..to`, which must lie within.
    pub fn slice(&self, from: u64, to: u64) -> Self {
        let mut cut = Self { is_known: self.is_known, ..Self::default() };
        let mut at = 0;
        for piece in &self.pieces {
            let end = at + piece.len() as u64;
            if end > from && at < to {
                let index = |place: u64| usize::try_from(place - at).unwrap_or(usize::MAX);
                cut.push(piece.slice(index(from.max(at))..index(to.min(end))));
            }
            at = end;
        }
        cut
    }
}

/// One object.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its bytes.
    pub body: Body,
    /// Its entity tag, without quotes.
    pub etag: String,
    /// When it was stored, Unix seconds.
    pub modified_s: i64,
    /// The headers that come back as they were given: metadata and types.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Its checksums.
    pub sums: Vec<Sum>,
}

/// What must hold for a write.
#[derive(Debug, Clone, Default)]
pub struct Condition {
    /// There must be none.
    pub absent: bool,
    /// There must be one of this entity tag.
    pub matches: Option<String>,
}

/// Why something was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No bucket of this name.
    NoSuchBucket,
    /// A bucket that holds objects is not removed.
    BucketNotEmpty,
    /// No object of this key.
    NoSuchKey,
    /// No upload of this id, or of another key.
    NoSuchUpload,
    /// A part that was never sent, or has changed since.
    InvalidPart,
    /// A part that is too small, and not the last.
    EntityTooSmall,
    /// A condition does not hold.
    PreconditionFailed,
    /// The bytes are not those of the checksum that was sent.
    BadDigest,
    /// The request makes no sense.
    InvalidArgument,
    /// A range outside of the object.
    InvalidRange,
    /// Not one of the operations that the sink knows.
    NotImplemented,
}

/// A part of an upload.
pub type Part = Arc<Object>;

/// Which upload, of which object.
#[derive(Debug, Clone, Copy)]
pub struct UploadName<'a> {
    pub bucket: &'a str,
    pub key: &'a str,
    pub id: &'a str,
}

/// What an upload was begun with.
#[derive(Debug, Clone)]
pub struct Begun {
    /// When, Unix seconds.
    pub at_s: i64,
    /// The headers that the object is to have.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The checksum that the object is to have.
    pub kind: Kind,
    /// It is to be of the bytes, not of the parts' checksums.
    pub full: bool,
}

#[derive(Debug, Clone)]
struct Upload {
    bucket: String,
    key: String,
    begun: Begun,
    parts: BTreeMap<u32, Part>,
}

impl Upload {
    fn is(&self, name: &UploadName<'_>) -> bool {
        self.bucket == name.bucket && self.key == name.key
    }
}

#[derive(Debug, Default)]
struct Held {
    buckets: HashMap<String, BTreeMap<String, Arc<Object>>>,
    uploads: BTreeMap<String, Upload>,
    ids: u64,
}

/// Everything that the sink holds.
#[derive(Debug, Default)]
pub struct Store(Mutex<Held>);

type Result<T> = std::result::Result<T, Refusal>;

impl Store {
    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A name that no other thing has.
    pub fn fresh_id(&self) -> u64 {
        let mut held = self.held();
        held.ids += 1;
        held.ids
    }

    /// Makes a bucket, if there is none.
    pub fn make_bucket(&self, name: &str) {
        self.held().buckets.entry(name.to_owned()).or_default();
    }

    /// Removes an empty bucket.
    pub fn remove_bucket(&self, name: &str) -> Result<()> {
        let mut held = self.held();
        match held.buckets.get(name).map(BTreeMap::is_empty) {
            Some(true) => held.buckets.remove(name).map(drop).ok_or(Refusal::NoSuchBucket),
            Some(false) => Err(Refusal::BucketNotEmpty),
            None => Err(Refusal::NoSuchBucket),
        }
    }

    /// Makes a bucket anew: nothing in it, no uploads.
    pub fn empty_bucket(&self, name: &str) {
        let mut held = self.held();
        let old = held.buckets.insert(name.to_owned(), BTreeMap::new());
        held.uploads.retain(|_, upload| upload.bucket != name);
        drop(held);
        drop(old);
    }

    /// The sizes, checksums and keys of a bucket's objects, a line each.
    pub fn inventory(&self, name: &str) -> Result<String> {
        let held = self.held();
        let objects = held.buckets.get(name).ok_or(Refusal::NoSuchBucket)?;
        Ok(objects.iter().fold(String::new(), |mut text, (key, object)| {
            let sum = object.sums.first().map_or("-".to_owned(), |sum| format!("{}:{}", sum.kind.name(), sum.text()));
            let _ = writeln!(text, "{} {sum} {key}", object.body.len);
            text
        }))
    }

    /// The names of all buckets.
    pub fn buckets(&self) -> Vec<String> {
        let mut names: Vec<String> = self.held().buckets.keys().cloned().collect();
        names.sort();
        names
    }

    /// Whether there is such a bucket.
    pub fn has_bucket(&self, name: &str) -> Result<()> {
        if self.held().buckets.contains_key(name) { Ok(()) } else { Err(Refusal::NoSuchBucket) }
    }

    /// An object.
    pub fn get(&self, bucket: &str, key: &str) -> Result<Arc<Object>> {
        let held = self.held();
        let objects = held.buckets.get(bucket).ok_or(Refusal::NoSuchBucket)?;
        objects.get(key).cloned().ok_or(Refusal::NoSuchKey)
    }

    /// Stores an object, if the condition holds.
    pub fn put(&self, bucket: &str, key: &str, object: Object, condition: &Condition) -> Result<()> {
        let mut held = self.held();
        let objects = held.buckets.get_mut(bucket).ok_or(Refusal::NoSuchBucket)?;
        check(objects.get(key), condition)?;
        let old = objects.insert(key.to_owned(), Arc::new(object));
        drop(held);
        drop(old);
        Ok(())
    }

    /// Removes an object, if the condition holds; one that is not there is removed.
    pub fn remove(&self, bucket: &str, key: &str, condition: &Condition) -> Result<()> {
        let mut held = self.held();
        let objects = held.buckets.get_mut(bucket).ok_or(Refusal::NoSuchBucket)?;
        match objects.get(key) {
            None if condition.matches.is_none() => return Ok(()),
            found => check(found, condition)?,
        }
        let old = objects.remove(key);
        drop(held);
        drop(old);
        Ok(())
    }

    /// Up to `limit` objects and folded prefixes after a key, and whether there are more.
    pub fn list(&self, bucket: &str, wanted: &Listing<'_>) -> Result<(Vec<Listed>, bool)> {
        let held = self.held();
        let objects = held.buckets.get(bucket).ok_or(Refusal::NoSuchBucket)?;
        let mut found: Vec<Listed> = Vec::new();
        let mut from = match wanted.after {
            after if after >= wanted.prefix => Bound::Excluded(after.to_owned()),
            _ => Bound::Included(wanted.prefix.to_owned()),
        };
        'pages: loop {
            for (key, object) in objects.range::<String, _>((from, Bound::Unbounded)) {
                let Some(rest) = key.strip_prefix(wanted.prefix) else { break 'pages };
                let folded = wanted.delimiter.and_then(|delimiter| rest.find(delimiter).map(|at| at + delimiter.len()));
                if found.len() == wanted.limit {
                    return Ok((found, true));
                }
                if let Some(end) = folded {
                    let prefix = key[..wanted.prefix.len() + end].to_owned();
                    // Everything below is one entry: on behind it.
                    from = Bound::Excluded(format!("{prefix}{}", char::MAX));
                    if *wanted.after < *prefix || !wanted.after.starts_with(&prefix) {
                        found.push(Listed::Prefix(prefix));
                    }
                    continue 'pages;
                }
                found.push(Listed::Object(key.clone(), Arc::clone(object)));
            }
            break;
        }
        Ok((found, false))
    }

    /// Begins an upload in parts.
    pub fn begin(&self, bucket: &str, key: &str, begun: Begun) -> Result<String> {
        self.has_bucket(bucket)?;
        let id = format!("upload-{:016x}", self.fresh_id());
        let upload = Upload { bucket: bucket.to_owned(), key: key.to_owned(), begun, parts: BTreeMap::new() };
        self.held().uploads.insert(id.clone(), upload);
        Ok(id)
    }

    /// Takes a part.
    pub fn take_part(&self, name: &UploadName<'_>, number: u32, part: Object) -> Result<()> {
        let mut held = self.held();
        let upload = held.uploads.get_mut(name.id).filter(|upload| upload.is(name)).ok_or(Refusal::NoSuchUpload)?;
        upload.parts.insert(number, Arc::new(part));
        Ok(())
    }

    /// The checksum that an upload's object is to have.
    pub fn kind(&self, name: &UploadName<'_>) -> Result<Kind> {
        let held = self.held();
        let upload = held.uploads.get(name.id).filter(|upload| upload.is(name)).ok_or(Refusal::NoSuchUpload)?;
        Ok(upload.begun.kind)
    }

    /// What an upload was begun with, and the parts that it has.
    pub fn upload(&self, name: &UploadName<'_>) -> Result<(Begun, BTreeMap<u32, Part>)> {
        let held = self.held();
        let upload = held.uploads.get(name.id).filter(|upload| upload.is(name)).ok_or(Refusal::NoSuchUpload)?;
        Ok((upload.begun.clone(), upload.parts.clone()))
    }

    /// Gives an upload up, or ends it.
    pub fn end(&self, name: &UploadName<'_>) -> Result<()> {
        self.kind(name)?;
        self.held().uploads.remove(name.id).map(drop).ok_or(Refusal::NoSuchUpload)
    }

    /// Uploads under way below a prefix, behind a key and id, in order: key, id, and when
    /// they were begun.
    pub fn uploads(&self, bucket: &str, prefix: &str, after: (&str, &str)) -> Vec<(String, String, i64)> {
        let is_after = |key: &str, id: &str| match after.1 {
            "" => key > after.0,
            _ => (key, id) > after,
        };
        let held = self.held();
        let of = held.uploads.iter().filter(|(id, upload)| {
            upload.bucket == bucket && upload.key.starts_with(prefix) && is_after(&upload.key, id)
        });
        let mut found: Vec<_> = of.map(|(id, upload)| (upload.key.clone(), id.clone(), upload.begun.at_s)).collect();
        found.sort();
        found
    }
}

/// What of a bucket is to be listed.
#[derive(Debug, Clone, Copy)]
pub struct Listing<'a> {
    /// What keys begin with.
    pub prefix: &'a str,
    /// Up to here all was listed.
    pub after: &'a str,
    /// What ends a folded prefix.
    pub delimiter: Option<&'a str>,
    /// How many entries at most.
    pub limit: usize,
}

/// An entry of a listing.
#[derive(Debug, Clone)]
pub enum Listed {
    /// An object.
    Object(String, Arc<Object>),
    /// Everything that begins so.
    Prefix(String),
}

fn check(found: Option<&Arc<Object>>, condition: &Condition) -> Result<()> {
    let holds = match (found, &condition.matches) {
        (Some(_), _) if condition.absent => false,
        (Some(object), Some(etag)) => object.etag == *etag,
        // As S3 has it: what should match and is not there is a key that is missing.
        (None, Some(_)) => return Err(Refusal::NoSuchKey),
        _ => true,
    };
    if holds { Ok(()) } else { Err(Refusal::PreconditionFailed) }
}
