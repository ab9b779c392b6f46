//! Looking at one object.
//!
//! HEAD, and the one thing HEAD cannot say: a 404 has no body, so whether the
//! object or the whole bucket is missing must be asked once, until the bucket has
//! been seen.

use super::S3;
use super::client::Request;
use super::headers::{CHECKSUM_MODE, object};
use crate::Object;
use crate::error::{Error, ErrorKind, Result};
use http::Method;
use std::sync::atomic::Ordering;
use tidelock_core::path::Key;

impl S3 {
    /// The object at `key`; `None` if there is none.
    pub(super) async fn look(&self, key: &Key) -> Result<Option<Object>> {
        // Where listing is not allowed, S3 says 403 instead of 404.
        let permission = "s3:GetObject and s3:ListBucket";
        let mut request = Request::reading("head", Method::HEAD, Some(key), permission);
        request.header(CHECKSUM_MODE.0, CHECKSUM_MODE.1)?;
        let reply = match self.client.send(&request).await {
            Ok(reply) => reply,
            Err(error) if error.kind == ErrorKind::NotFound => {
                self.find_bucket().await?;
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let size = reply.header("content-length").and_then(|length| length.parse().ok());
        let size = size.ok_or_else(|| Error::new(ErrorKind::Corrupt, "head", "the reply has no length").on(key))?;
        // A server that is still busy with the object may have no ETag for it yet.
        let unready = |error: Error| Error { kind: ErrorKind::Transient, ..error };
        object(key, &reply.headers, size).map_err(unready).map(Some)
    }

    /// Makes sure that the bucket is there, if that was never seen.
    async fn find_bucket(&self) -> Result<()> {
        if self.client.seen.load(Ordering::Relaxed) { Ok(()) } else { self.ask_for_bucket().await }
    }

    /// Makes sure that the bucket is there now.
    pub(super) async fn ask_for_bucket(&self) -> Result<()> {
        let mut request = Request::reading("look at the bucket", Method::GET, None, "s3:ListBucket");
        request.query = vec![("list-type", "2"), ("max-keys", "1")];
        match self.client.send(&request).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind == ErrorKind::NotFound => Err(Error { kind: ErrorKind::NoBucket, ..error }),
            // Who may not list cannot know; the object's own answer stands.
            Err(error) if error.kind == ErrorKind::Denied => Ok(()),
            Err(error) => Err(error),
        }
    }
}
