//! A download that goes on where it broke.
//!
//! What has arrived is not fetched again: the rest is asked for, of the object with
//! the same ETag and no other. The place checks only what it sends whole, so the
//! checksum of all bytes together is checked here. When to stop is the retry layer's
//! patience; bytes that arrive renew it.

use super::retry::{Patience, asked};
use crate::{Download, Error, ErrorKind, Object, Remote, Result};
use bytes::Bytes;
use crc_fast::{CrcAlgorithm, Digest};
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use std::ops::Range;
use std::sync::Arc;

/// `download`, of which `range` was asked for, gone on with at `remote`.
pub(super) fn resumed(
    remote: Arc<dyn Remote>,
    patience: Patience,
    range: Option<Range<u64>>,
    download: Download,
) -> Download {
    let Download { object, body } = download;
    let check = object.crc64nvme.filter(|_| range.is_none());
    let size = object.stamp.size;
    let range = range.map_or(0..size, |range| range.start..range.end.min(size));
    let whole = Whole {
        remote,
        patience,
        object: object.clone(),
        range,
        check: check.map(|sum| (sum, Digest::new(CrcAlgorithm::Crc64Nvme))),
        body,
        failed: 0,
        broke: false,
    };
    let body = stream::unfold(Some(whole), |whole| async move {
        let mut whole = whole?;
        match whole.next().await {
            Ok(Some(bytes)) => Some((Ok(bytes), Some(whole))),
            Ok(None) => None,
            Err(error) => Some((Err(error.on(&whole.object.key)), None)),
        }
    });
    Download { object, body: body.boxed() }
}

struct Whole {
    remote: Arc<dyn Remote>,
    patience: Patience,
    object: Object,
    /// What has yet to arrive.
    range: Range<u64>,
    check: Option<(u64, Digest)>,
    body: BoxStream<'static, Result<Bytes>>,
    /// Failures since bytes last arrived.
    failed: u32,
    broke: bool,
}

impl Whole {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            match self.body.next().await {
                Some(Ok(bytes)) => {
                    self.range.start += bytes.len() as u64;
                    self.failed = 0;
                    if let Some((_, digest)) = &mut self.check {
                        digest.update(&bytes);
                    }
                    return Ok(Some(bytes));
                }
                Some(Err(error)) => self.go_on(error).await?,
                None => return self.end().map(|()| None),
            }
        }
    }

    /// Opens the rest, unless the error is none of the way's.
    async fn go_on(&mut self, mut error: Error) -> Result<()> {
        // The broken transfer ends now, and whatever it holds is free.
        self.body = stream::empty().boxed();
        while error.kind.is_retryable() && !self.range.is_empty() {
            self.failed += 1;
            if !self.patience.wait(self.failed, asked(&error)).await {
                return Err(error);
            }
            let rest = self.remote.get(&self.object.key, Some(self.range.clone()), Some(&self.object.stamp));
            error = match rest.await {
                Ok(rest) => {
                    self.body = rest.body;
                    self.broke = true;
                    return Ok(());
                }
                Err(error) => error,
            };
        }
        Err(error)
    }

    /// What came in one piece was checked by whoever sent it.
    fn end(&self) -> Result<()> {
        let wrong = |what: &str| Err(Error::new(ErrorKind::Corrupt, "get", what));
        match &self.check {
            _ if !self.broke => Ok(()),
            _ if !self.range.is_empty() => wrong("the rest of the body is shorter than it should be"),
            Some((sum, digest)) if digest.finalize() != *sum => wrong("the bytes do not fit the object's CRC64NVME"),
            _ => Ok(()),
        }
    }
}
