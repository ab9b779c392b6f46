//! Writing one object.
//!
//! Decides among the three ways S3 has: one PUT, one server-side copy, an upload in
//! parts. Each carries the write's condition, its metadata and a checksum of its
//! bytes (`checksum.rs`). Nothing here is retried: a lost reply is
//! [`ErrorKind::OutcomeUnknown`] and the layer above looks before it tries again.

use super::S3;
use super::client::{LONG_PATIENCE, Request};
use super::headers::{iso_date, quoted, unquoted, version};
use super::parts::{self, Way};
use super::refusal::Refusal;
use super::reply::Reply;
use super::xml::{Step, walk};
use super::{address, headers};
use crate::error::{Error, ErrorKind, Result};
use crate::{Ability, Condition, Piece, Progress, Put, Stored, seal};
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use http::Method;
use tidelock_core::entry::RemoteStamp;
use tidelock_core::path::Key;

impl S3 {
    /// Writes the object.
    pub(super) async fn store(&self, put: &Put, progress: &dyn Progress) -> Result<Stored> {
        let outcome =
            match parts::plan(put, self.can_copy_under_condition(&put.condition), self.client.provider().parts)? {
                Way::Single(pieces) => self.put_whole(put, &pieces, progress).await,
                Way::Copy { from, stamp } => self.copy_whole(put, &from, &stamp).await,
                Way::Parts(parts) => self.put_parts(put, parts, progress).await,
            };
        let error = match outcome {
            Err(error) if error.kind == ErrorKind::NotFound => error,
            outcome => return outcome,
        };
        match put.condition {
            // An object that should be as it was seen, and is not there at all.
            Condition::Matches(_) => Err(Error { kind: ErrorKind::Precondition, ..error }),
            // Nothing need be there for bytes of ours: it is the name that finds no place,
            // unless it is somebody on the way, or the wrong address, that knows nothing.
            Condition::Absent if !copies(put) => {
                self.ask_for_bucket().await?;
                Err(Error { kind: ErrorKind::Name, ..error })
            }
            Condition::Absent => Err(error),
        }
    }

    /// Whether CopyObject will obey the condition, or is not known not to. Where it
    /// is known not to but PUT does, a copy goes by parts, whose end is like a PUT: but
    /// only where the source is checked, too. Elsewhere the ETag must tell what was
    /// copied, and that of an upload in parts is another.
    fn can_copy_under_condition(&self, condition: &Condition) -> bool {
        let put = match condition {
            Condition::Absent => Ability::PutIfAbsent,
            Condition::Matches(_) => Ability::PutIfMatch,
        };
        let known = |ability| self.abilities.known(ability);
        let by_parts = [put, Ability::PartCopy, Ability::CopySourceIfMatch].map(known) == [Some(true); 3];
        known(Ability::CopyIfMatch) != Some(false) || !by_parts
    }

    async fn put_whole(&self, put: &Put, pieces: &[Piece], progress: &dyn Progress) -> Result<Stored> {
        let _share = self.held.take(pieces.iter().map(Piece::size).sum()).await?;
        let body = self.gather(pieces).await?;
        seal(&put.recipe).await?;
        let mut request = Request::changing("put", Method::PUT, Some(&put.key), "s3:PutObject");
        self.describe(&mut request, put)?;
        self.condition(&mut request, &put.condition, false)?;
        let (size, crc) = (body.len() as u64, self.sends_crc());
        let sum = self.attach(&mut request, body, crc)?;
        let reply = self.client.send(&request).await?;
        progress.sent(size);
        let stored = self.stored(&reply, put).await?;
        match if crc { self.arrived(sum, &reply.headers) } else { Ok(()) } {
            Ok(()) => Ok(stored),
            Err(why) => Err(self.withdraw(put, &stored, why).await),
        }
    }

    async fn copy_whole(&self, put: &Put, from: &Key, stamp: &RemoteStamp) -> Result<Stored> {
        let permission = "s3:PutObject and s3:GetObject";
        let mut request = Request::changing("copy", Method::PUT, Some(&put.key), permission);
        self.copy_source(&mut request, from, stamp)?;
        request.header("x-amz-metadata-directive", "REPLACE")?;
        self.describe(&mut request, put)?;
        self.condition(&mut request, &put.condition, true)?;
        request.patience = LONG_PATIENCE;
        let reply = self.client.send(&request).await?;
        let version = version(&reply.headers);
        let result = self.document(reply, &request).await?;
        self.proof(put, result, version).await
    }

    /// Reads all bytes of some pieces, from here or from there, in order.
    pub(super) async fn gather(&self, pieces: &[Piece]) -> Result<Bytes> {
        if let [piece] = pieces {
            return self.read(piece).await;
        }
        let mut whole = BytesMut::new();
        for piece in pieces {
            whole.extend_from_slice(&self.read(piece).await?);
        }
        Ok(whole.freeze())
    }

    async fn read(&self, piece: &Piece) -> Result<Bytes> {
        let size = usize::try_from(piece.size())
            .map_err(|_| Error::new(ErrorKind::Config, "read", "a part is too large for this machine"))?;
        let bytes = match piece {
            Piece::Bytes { source, offset, .. } => source.read(*offset, size).await?,
            Piece::CopyOf { key, stamp, offset, size } => {
                let mut body = self.fetch(key, Some(*offset..offset + size), Some(stamp)).await?.body;
                let mut whole = BytesMut::new();
                while let Some(chunk) = body.try_next().await? {
                    whole.extend_from_slice(&chunk);
                }
                whole.freeze()
            }
        };
        if bytes.len() == size {
            return Ok(bytes);
        }
        Err(Error::new(ErrorKind::Source, "read", format!("{} bytes came where {size} were asked", bytes.len())))
    }

    /// Metadata, type, other headers, class and encryption.
    pub(super) fn describe(&self, request: &mut Request<'_>, put: &Put) -> Result<()> {
        if let Some(content_type) = &put.meta.content_type {
            request.header("content-type", content_type)?;
        }
        for (name, value) in &put.meta.headers {
            request.header(name, value)?;
        }
        for (name, value) in &put.meta.user {
            request.header(&format!("x-amz-meta-{name}"), value)?;
        }
        if let Some(class) = &put.storage_class {
            request.header("x-amz-storage-class", class)?;
        }
        // What a person asks for goes before what the copied object had.
        self.client.encryption().or(put.meta.encryption.as_ref()).map_or(Ok(()), |encryption| {
            let mut header = |(name, value): &(&str, String)| request.header(name, value);
            headers::encryption_as_headers(encryption).iter().try_for_each(&mut header)
        })
    }

    /// The condition, unless the place refuses requests that carry one: then the
    /// layer above has to look by itself. A place that ignores it still gets it.
    pub(super) fn condition(&self, request: &mut Request<'_>, condition: &Condition, copying: bool) -> Result<()> {
        let ability = match condition {
            _ if copying => Ability::CopyIfMatch,
            Condition::Absent => Ability::PutIfAbsent,
            Condition::Matches(_) => Ability::PutIfMatch,
        };
        if self.abilities.refuses(ability) {
            return Ok(());
        }
        match condition {
            Condition::Absent => request.header("if-none-match", "*"),
            Condition::Matches(stamp) => request.header("if-match", &quoted(&stamp.etag)),
        }
    }

    /// Names what is copied, and as which.
    pub(super) fn copy_source(&self, request: &mut Request<'_>, from: &Key, stamp: &RemoteStamp) -> Result<()> {
        let source = format!("/{}/{}", self.client.bucket, address::encoded(from.as_str(), true));
        request.header("x-amz-copy-source", &source)?;
        if self.abilities.refuses(Ability::CopySourceIfMatch) {
            return Ok(());
        }
        request.header("x-amz-copy-source-if-match", &quoted(&stamp.etag))
    }

    async fn stored(&self, reply: &Reply, put: &Put) -> Result<Stored> {
        let etag = reply.header("etag").map(unquoted).unwrap_or_default().to_owned();
        let modified_s = headers::http_date(&reply.headers, "last-modified");
        self.proof(put, Written { etag, modified_s, ..Written::default() }, version(&reply.headers)).await
    }

    /// What a finished write is known by.
    pub(super) async fn proof(&self, put: &Put, written: Written, version: Option<String>) -> Result<Stored> {
        let size = put.size();
        if !written.etag.is_empty() {
            let stamp = RemoteStamp { etag: written.etag, size, modified_s: written.modified_s };
            return Ok(Stored { stamp, version });
        }
        // Written, but as what? Only a look tells; it may see a later write, and
        // then says so by its size at least.
        match self.look(&put.key).await {
            Ok(Some(object)) if object.stamp.size == size => Ok(Stored { stamp: object.stamp, version }),
            _ => {
                let text = "the server did not say what it stored";
                Err(Error::new(ErrorKind::OutcomeUnknown, "put", text).on(&put.key))
            }
        }
    }

    /// Reads a document that ends a write. It came with a success, and may still
    /// be an error. Servers differ in how they name its root.
    pub(super) async fn document(&self, reply: Reply, request: &Request<'_>) -> Result<Written> {
        let (status, headers) = (reply.status, reply.headers.clone());
        let body = reply.bytes().await?;
        let mut written = Written::default();
        let (mut failed, mut rooted) = (false, false);
        let walked = walk(&body, |path, step| {
            let (root, name) = path.split_once('/').unwrap_or((path, ""));
            failed |= root == "Error";
            rooted |= root.ends_with("Result") || root == "CompleteMultipartUpload";
            match (name, step) {
                ("ETag", Step::Close(text)) => unquoted(text).clone_into(&mut written.etag),
                ("LastModified", Step::Close(text)) => written.modified_s = iso_date(text),
                ("ChecksumCRC64NVME", Step::Close(text)) => written.crc64nvme = headers::parse_checksum(text),
                _ => {}
            }
        });
        let about = |error: Error| match request.key {
            Some(key) => error.on(key),
            None => error,
        };
        if failed {
            let refusal = Refusal::read(status, &headers, &body);
            return Err(about(self.client.refused(&refusal, request.op, request.effect, request.permission)));
        }
        if walked.is_err() || !rooted {
            let text = format!("the server's reply to the {} cannot be read", request.op);
            return Err(about(Error::new(request.effect.lost(), request.op, text)));
        }
        Ok(written)
    }
}

/// Whether anything of it is there already.
fn copies(put: &Put) -> bool {
    put.recipe.iter().any(|piece| matches!(piece, Piece::CopyOf { .. }))
}

/// What the document at the end of a write says.
#[derive(Default)]
pub(super) struct Written {
    pub(super) etag: String,
    pub(super) modified_s: Option<i64>,
    pub(super) crc64nvme: Option<u64>,
}
