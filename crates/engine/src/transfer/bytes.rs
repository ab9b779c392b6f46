//! A file's bytes on their way to a remote.
//!
//! [`FileBytes`] reads through one open handle, so that it is one file whatever
//! happens to its name; it hashes while the bytes pass for the first time; and when
//! all have passed it looks whether the file moved meanwhile, in which case the
//! object never becomes visible.

use crate::disk::ReadFile;
use async_trait::async_trait;
use bytes::Bytes;
use std::sync::{Arc, Mutex, PoisonError};
use tidelock_core::entry::{Digest, LocalStamp};
use tidelock_remote::{Error, ErrorKind, Result, Source};

/// An open file as a source.
pub(super) struct FileBytes {
    file: Arc<dyn ReadFile>,
    stamp: LocalStamp,
    /// Whether the stamp is looked at again at the end.
    sealed: bool,
    /// What passed, where it is hashed while it does.
    hashed: Option<Mutex<Hashed>>,
}

struct Hashed {
    blake: blake3::Hasher,
    bytes: u64,
}

impl FileBytes {
    /// `sealed` is false only where a planted bug wants it so.
    pub(super) fn new(file: Arc<dyn ReadFile>, stamp: LocalStamp, sealed: bool) -> Self {
        Self { file, stamp, sealed, hashed: None }
    }

    /// The same, hashing what passes.
    pub(super) fn hashing(self) -> Self {
        Self { hashed: Some(Mutex::new(Hashed { blake: blake3::Hasher::new(), bytes: 0 })), ..self }
    }

    /// The digest of the bytes sent; `None` unless all of them passed in order.
    pub(super) fn digest(&self) -> Option<Digest> {
        let hashed = self.hashed.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        (hashed.bytes == self.stamp.size).then(|| Digest(*hashed.blake.finalize().as_bytes()))
    }
}

#[async_trait]
impl Source for FileBytes {
    async fn read(&self, offset: u64, size: usize) -> Result<Bytes> {
        let mut gathered = Vec::new();
        let mut at = offset;
        let end = offset + u64::try_from(size).unwrap_or(u64::MAX);
        while at < end {
            let want = usize::try_from(end - at).unwrap_or(usize::MAX);
            let read = self.file.read_at(at, want).await;
            let bytes = read.map_err(|error| Error::new(ErrorKind::Source, "read", error.to_string()))?;
            if bytes.is_empty() {
                return Err(moved());
            }
            at += u64::try_from(bytes.len()).unwrap_or(0);
            if gathered.is_empty() && at == end {
                self.pass(offset, &bytes);
                return Ok(bytes);
            }
            gathered.extend_from_slice(&bytes);
        }
        self.pass(offset, &gathered);
        Ok(gathered.into())
    }

    async fn seal(&self) -> Result<()> {
        let now = self.file.stat().await.map_err(|error| Error::new(ErrorKind::Source, "read", error.to_string()))?;
        if self.sealed && now.stamp != self.stamp {
            return Err(moved());
        }
        Ok(())
    }
}

fn moved() -> Error {
    Error::new(ErrorKind::SourceMoved, "read", "the file changed while it was read")
}

impl FileBytes {
    /// Hashes what passes for the first time; a retry's bytes have passed before.
    fn pass(&self, offset: u64, bytes: &[u8]) {
        let Some(hashed) = &self.hashed else { return };
        let mut hashed = hashed.lock().unwrap_or_else(PoisonError::into_inner);
        if offset == hashed.bytes {
            hashed.blake.update(bytes);
            hashed.bytes += u64::try_from(bytes.len()).unwrap_or(0);
        }
    }
}
