//! How many bytes of bodies are in memory at once.
//!
//! One purse for a whole bucket, so that memory stays the same however many uploads
//! are under way and however many parts each has. Who asks first is served first.
//! Bytes are paid for before they are read and given back when they have been
//! answered for; nobody holds some while waiting for more, so nobody waits for ever.

use crate::error::{Error, ErrorKind, Result};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many there may be.
pub(super) const HELD_BYTES: u64 = 64 << 20;
/// What is counted: a semaphore counts no further than 32 bits.
const UNIT_BYTES: u64 = 1 << 10;

/// The purse.
pub(super) struct Held {
    units: u32,
    free: Arc<Semaphore>,
}

/// Bytes that may be held for as long as this is.
pub(super) struct Share {
    _permit: OwnedSemaphorePermit,
}

impl Held {
    pub(super) fn new(bytes: u64) -> Self {
        let units = u32::try_from(bytes / UNIT_BYTES).unwrap_or(u32::MAX).max(1);
        let free = Arc::new(Semaphore::new(usize::try_from(units).unwrap_or(Semaphore::MAX_PERMITS)));
        Self { units, free }
    }

    /// Waits for so many. What is larger than the whole purse gets all of it.
    pub(super) async fn take(&self, bytes: u64) -> Result<Share> {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX).min(self.units);
        // Nobody closes this semaphore; if it were closed, nothing would be sent.
        let closed = |_| Error::new(ErrorKind::Other, "put", "the queue for memory is closed");
        let permit = self.free.clone().acquire_many_owned(units).await.map_err(closed)?;
        Ok(Share { _permit: permit })
    }
}
