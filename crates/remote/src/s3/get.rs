//! Fetching bytes.
//!
//! GET of a whole object or a range, pinned to the ETag it was seen with, and
//! checked: status, range, ETag, length, and for whole objects CRC64NVME where the
//! place keeps it. A server that ignores a condition is found out by its headers.

use super::S3;
use super::client::Request;
use super::headers::{CHECKSUM_MODE, object, quoted};
use super::reply::Reply;
use crate::error::{Error, ErrorKind, Result};
use crate::{Download, Object};
use bytes::Bytes;
use crc_fast::{CrcAlgorithm, Digest};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use http::{Method, StatusCode};
use std::ops::Range;
use tidelock_core::entry::RemoteStamp;
use tidelock_core::path::Key;

impl S3 {
    /// The bytes of `key`, or of a range of them.
    pub(super) async fn fetch(
        &self,
        key: &Key,
        range: Option<Range<u64>>,
        stamp: Option<&RemoteStamp>,
    ) -> Result<Download> {
        if range.as_ref().is_some_and(|range| range.start >= range.end) {
            return self.fetch_nothing(key, stamp).await;
        }
        let mut request = Request::reading("get", Method::GET, Some(key), "s3:GetObject");
        match &range {
            Some(range) => request.header("range", &format!("bytes={}-{}", range.start, range.end - 1))?,
            None => request.header(CHECKSUM_MODE.0, CHECKSUM_MODE.1)?,
        }
        if let Some(stamp) = stamp {
            request.header("if-match", &quoted(&stamp.etag))?;
        }
        let reply = self.client.send(&request).await?;
        let extent =
            extent(&reply, range.as_ref()).map_err(|why| Error::new(ErrorKind::Corrupt, "get", why).on(key))?;
        let found = object(key, &reply.headers, extent.total)?;
        check(&found, stamp)?;
        let whole = extent.length == extent.total;
        let body = body(reply, key.clone(), extent.length, found.crc64nvme.filter(|_| whole && range.is_none()));
        Ok(Download { object: found, body })
    }

    /// No bytes at all, which no range can ask for.
    async fn fetch_nothing(&self, key: &Key, stamp: Option<&RemoteStamp>) -> Result<Download> {
        let found = self.look(key).await?;
        let found = found.ok_or_else(|| Error::new(ErrorKind::NotFound, "get", "there is no such object").on(key))?;
        check(&found, stamp)?;
        Ok(Download { object: found, body: stream::empty().boxed() })
    }
}

fn check(found: &Object, stamp: Option<&RemoteStamp>) -> Result<()> {
    match stamp {
        Some(stamp) if stamp.etag != found.stamp.etag => {
            Err(Error::new(ErrorKind::Precondition, "get", "the object has changed").on(&found.key))
        }
        _ => Ok(()),
    }
}

struct Extent {
    length: u64,
    total: u64,
}

/// How much is coming, of how much; an error if it is not what was asked.
fn extent(reply: &Reply, asked: Option<&Range<u64>>) -> std::result::Result<Extent, String> {
    let length = reply.header("content-length").and_then(|text| text.parse().ok()).ok_or("the reply has no length")?;
    let Some(asked) = asked else {
        return match reply.status {
            StatusCode::OK => Ok(Extent { length, total: length }),
            status => Err(format!("the server answered {status} to a request for the whole")),
        };
    };
    // Some servers say 200 and send a range all the same: their Content-Range tells.
    let Some(text) = reply.header("content-range") else {
        if asked.start == 0 && length <= asked.end {
            return Ok(Extent { length, total: length });
        }
        return Err("the server does not honour ranges".to_owned());
    };
    let parsed = text.strip_prefix("bytes ").and_then(|text| {
        let (span, total) = text.split_once('/')?;
        let (first, last) = span.split_once('-')?;
        Some((first.parse::<u64>().ok()?, last.parse::<u64>().ok()?, total.parse::<u64>().ok()?))
    });
    let (first, last, total) = parsed.ok_or_else(|| format!("the reply's range {text:?} makes no sense"))?;
    if first != asked.start || last != asked.end.min(total).saturating_sub(1) || length != last - first + 1 {
        return Err(format!("the reply's range {text:?} is not what was asked"));
    }
    Ok(Extent { length, total })
}

struct Incoming {
    reply: Reply,
    key: Key,
    left: u64,
    check: Option<(u64, Digest)>,
}

/// The body as a stream that ends in an error unless everything fits.
fn body(reply: Reply, key: Key, length: u64, crc64nvme: Option<u64>) -> BoxStream<'static, Result<Bytes>> {
    let check = crc64nvme.map(|expected| (expected, Digest::new(CrcAlgorithm::Crc64Nvme)));
    let incoming = Incoming { reply, key, left: length, check };
    stream::unfold(Some(incoming), |state| async move {
        let mut incoming = state?;
        match incoming.next().await {
            Ok(Some(bytes)) => Some((Ok(bytes), Some(incoming))),
            Ok(None) => None,
            Err(error) => Some((Err(error.on(&incoming.key)), None)),
        }
    })
    .boxed()
}

impl Incoming {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        let Some(bytes) = self.reply.chunk().await? else {
            return self.end().map(|()| None);
        };
        self.left = self
            .left
            .checked_sub(bytes.len() as u64)
            .ok_or_else(|| Error::new(ErrorKind::Corrupt, "get", "the body is longer than its head said"))?;
        if let Some((_, digest)) = &mut self.check {
            digest.update(&bytes);
        }
        Ok(Some(bytes))
    }

    fn end(&self) -> Result<()> {
        if self.left > 0 {
            return Err(Error::new(ErrorKind::Transient, "get", format!("the body ended {} bytes early", self.left)));
        }
        match &self.check {
            Some((expected, digest)) if digest.finalize() != *expected => {
                Err(Error::new(ErrorKind::Corrupt, "get", "the bytes do not fit the object's CRC64NVME"))
            }
            _ => Ok(()),
        }
    }
}
