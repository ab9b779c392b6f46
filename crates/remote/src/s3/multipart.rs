//! Uploads in parts.
//!
//! Begin, tell the upload's id, send parts a few at a time, ask the source whether
//! it stayed as it was, complete under the write's condition. Parts are sent again
//! on their own, because a part sent twice is the same part. So is the order to
//! complete, because an upload is completed once and carries its condition; what
//! then contradicts it may be its own first success, and is not known until somebody
//! looks. Whatever fails, the upload is given up, so that its parts are not billed
//! for.

use super::S3;
use super::checksum::wrong;
use super::client::{LONG_PATIENCE, Request};
use super::headers::{CRC64NVME, unquoted, version, write_checksum};
use super::held::Share;
use super::parts::Part;
use super::put::Written;
use super::xml::{Step, escape_into, walk};
use crate::error::{Error, ErrorKind, Result};
use crate::{Ability, Condition, Piece, Progress, Put, Stored, seal};
use bytes::Bytes;
use crc_fast::{CrcAlgorithm, checksum_combine};
use futures::StreamExt;
use futures::future::{Either, select};
use futures::stream::FuturesUnordered;
use http::Method;
use std::fmt::Write;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use tidelock_core::entry::RemoteStamp;
use tidelock_core::path::Key;

/// How many parts of one upload are under way at once, at most.
const WIDTH: usize = 4;

/// An upload that has begun.
struct Upload<'a> {
    key: &'a Key,
    id: String,
    /// Its parts and the whole go with CRC64NVME.
    crc: bool,
}

/// A part on its way.
enum Load {
    Bytes { bytes: Bytes, _share: Share },
    Copy { key: Key, stamp: RemoteStamp, offset: u64, size: u64 },
}

/// A part that is there.
struct Done {
    number: usize,
    size: u64,
    etag: String,
    crc64nvme: Option<u64>,
}

impl S3 {
    /// Writes the object by parts.
    pub(super) async fn put_parts(&self, put: &Put, parts: Vec<Part>, progress: &dyn Progress) -> Result<Stored> {
        progress.starting().await?;
        let upload = self.begin(put).await?;
        let outcome = match progress.started(&upload.id).await {
            Ok(()) => self.fill(put, &upload, parts, progress).await,
            Err(error) => Err(error),
        };
        if outcome.is_ok() || self.give_up(&put.key, &upload.id).await.is_ok() {
            // If the record cannot be kept, a later sweep finds nothing to free.
            let _ = progress.ended(&upload.id).await;
        }
        outcome
    }

    async fn begin<'a>(&self, put: &'a Put) -> Result<Upload<'a>> {
        let mut request = Request::changing("put", Method::POST, Some(&put.key), "s3:PutObject");
        // A lost reply leaves an upload without parts behind: it changes no object, and
        // nothing is stored for it (docs/design/0004).
        request.effect = super::refusal::Effect::Harmless;
        request.query = vec![("uploads", "")];
        self.describe(&mut request, put)?;
        let crc = self.sends_crc();
        if crc {
            request.header("x-amz-checksum-algorithm", "CRC64NVME")?;
            request.header("x-amz-checksum-type", "FULL_OBJECT")?;
        }
        let body = self.client.send(&request).await?.bytes().await?;
        let mut id = String::new();
        let walked = walk(&body, |path, step| {
            if let (Step::Close(text), Some((_, "UploadId"))) = (step, path.split_once('/')) {
                text.clone_into(&mut id);
            }
        });
        if walked.is_err() || id.is_empty() {
            return Err(Error::new(ErrorKind::Other, "put", "the server gave no upload id").on(&put.key));
        }
        Ok(Upload { key: &put.key, id, crc })
    }

    async fn fill(&self, put: &Put, upload: &Upload<'_>, parts: Vec<Part>, progress: &dyn Progress) -> Result<Stored> {
        let mut done = {
            let sending = std::pin::pin!(self.send_all(upload, parts, progress));
            match select(sending, progress.unwanted()).await {
                Either::Left((done, _)) => done?,
                Either::Right(_) => {
                    let text = "the run was to end, and the upload was given up";
                    return Err(Error::new(ErrorKind::SourceMoved, "put", text).on(upload.key));
                }
            }
        };
        done.sort_by_key(|part| part.number);
        seal(&put.recipe).await?;
        self.complete(put, upload, &done).await
    }

    /// Reads parts one after the other, in order, while a few are being sent.
    async fn send_all(&self, upload: &Upload<'_>, parts: Vec<Part>, progress: &dyn Progress) -> Result<Vec<Done>> {
        let mut waiting = parts.into_iter().zip(1..);
        let mut sending = FuturesUnordered::new();
        let mut loading = None;
        let mut done = Vec::new();
        let send = |(load, number)| self.send_part(upload, number, load, progress);
        loop {
            if loading.is_none() && sending.len() < WIDTH {
                loading = waiting.next().map(|(part, number)| Box::pin(self.load(part, number)));
            }
            match loading.take() {
                None => match sending.next().await {
                    Some(sent) => done.push(sent?),
                    None => return Ok(done),
                },
                Some(load) if sending.is_empty() => {
                    let loaded = load.await?;
                    sending.push(send(loaded));
                }
                Some(load) => match select(load, sending.next()).await {
                    Either::Left((loaded, _)) => sending.push(send(loaded?)),
                    Either::Right((sent, load)) => {
                        done.extend(sent.transpose()?);
                        loading = Some(load);
                    }
                },
            }
        }
    }

    async fn load(&self, part: Part, number: usize) -> Result<(Load, usize)> {
        let load = match part {
            Part::Sent(pieces) => {
                let share = self.held.take(pieces.iter().map(Piece::size).sum()).await?;
                Load::Bytes { bytes: self.gather(&pieces).await?, _share: share }
            }
            Part::Copied { key, stamp, offset, size } => Load::Copy { key, stamp, offset, size },
        };
        Ok((load, number))
    }

    /// One part, again and again until it is there or the patience is used up.
    async fn send_part(&self, upload: &Upload<'_>, number: usize, load: Load, progress: &dyn Progress) -> Result<Done> {
        let text = number.to_string();
        let mut failed = 0;
        loop {
            let attempt = match &load {
                Load::Bytes { bytes, .. } => self.send_bytes(upload, &text, bytes).await,
                Load::Copy { key: from, stamp, offset, size } => {
                    self.copy_part(upload, &text, (from, stamp), (*offset, *size)).await
                }
            };
            match attempt {
                Ok((etag, crc64nvme)) => {
                    let size = match &load {
                        Load::Bytes { bytes, .. } => bytes.len() as u64,
                        Load::Copy { size, .. } => *size,
                    };
                    if let Load::Bytes { .. } = load {
                        progress.sent(size);
                    }
                    return Ok(Done { number, size, etag, crc64nvme });
                }
                // Somebody gave the upload up, and the whole must be sent again.
                Err(error) if error.kind == ErrorKind::NoUpload => {
                    return Err(Error { kind: ErrorKind::Conflict, ..error });
                }
                Err(error) => {
                    failed += 1;
                    self.pause(failed, error).await?;
                }
            }
        }
    }

    /// Waits before the next attempt, or gives the error back.
    pub(super) async fn pause(&self, failed: u32, error: Error) -> Result<()> {
        let asked = match error.kind {
            ErrorKind::Busy(asked) => asked,
            _ if error.kind.is_retryable() => None,
            _ => return Err(error),
        };
        let wait = self.backoff.wait(failed, self.client.world.rng.next_u64(), asked);
        let may = self.budget.lock().unwrap_or_else(PoisonError::into_inner).withdraw();
        match wait {
            Some(wait) if may => {
                self.client.world.sleep.sleep(wait).await;
                Ok(())
            }
            _ => Err(error),
        }
    }

    async fn send_bytes(&self, upload: &Upload<'_>, number: &str, bytes: &Bytes) -> Result<(String, Option<u64>)> {
        let mut request = part_request(upload, number, "s3:PutObject");
        let sum = self.attach(&mut request, bytes.clone(), upload.crc)?;
        let reply = self.client.send(&request).await?;
        if upload.crc {
            self.arrived(sum, &reply.headers).map_err(|error| error.on(upload.key))?;
        }
        self.budget.lock().unwrap_or_else(PoisonError::into_inner).deposit();
        match reply.header("etag").map(unquoted).filter(|etag| !etag.is_empty()) {
            Some(etag) => Ok((etag.to_owned(), Some(sum))),
            None => Err(Error::new(ErrorKind::Other, "put", "the server gave no ETag for a part").on(upload.key)),
        }
    }

    async fn copy_part(
        &self,
        upload: &Upload<'_>,
        number: &str,
        (from, stamp): (&Key, &RemoteStamp),
        (offset, size): (u64, u64),
    ) -> Result<(String, Option<u64>)> {
        if self.abilities.known(Ability::PartCopy) == Some(false) {
            let text = "this place cannot copy parts of objects: the bytes must be sent again";
            return Err(Error::new(ErrorKind::Unsupported, "copy", text).on(upload.key));
        }
        let mut request = part_request(upload, number, "s3:PutObject and s3:GetObject");
        request.op = "copy";
        request.patience = LONG_PATIENCE;
        self.copy_source(&mut request, from, stamp)?;
        if size != stamp.size {
            request.header("x-amz-copy-source-range", &format!("bytes={offset}-{}", offset + size - 1))?;
        }
        let reply = self.client.send(&request).await?;
        self.budget.lock().unwrap_or_else(PoisonError::into_inner).deposit();
        let written = self.document(reply, &request).await?;
        if written.etag.is_empty() {
            return Err(Error::new(ErrorKind::Other, "copy", "the server gave no ETag for a part").on(upload.key));
        }
        Ok((written.etag, written.crc64nvme))
    }

    /// Makes the parts the object, again and again while nothing says why not.
    async fn complete(&self, put: &Put, upload: &Upload<'_>, done: &[Done]) -> Result<Stored> {
        let sum = combined(done).filter(|_| upload.crc);
        let (mut failed, mut lost) = (0, false);
        let (written, version) = loop {
            let error = match self.complete_once(put, upload, sum, done).await {
                Ok(written) => break written,
                Err(error) => error,
            };
            match error.kind {
                // The upload is gone: somebody gave it up, or it was completed and the
                // answer to that was lost on the way.
                ErrorKind::NoUpload => return Err(Error { kind: ErrorKind::OutcomeUnknown, ..error }),
                // What is in the way may be what an earlier attempt made.
                ErrorKind::Precondition if failed > 0 => {
                    return Err(Error { kind: ErrorKind::OutcomeUnknown, ..error });
                }
                // Said of the whole upload: its parts must be sent again.
                ErrorKind::Conflict => return Err(error),
                _ => {}
            }
            failed += 1;
            let silent = error.kind == ErrorKind::OutcomeUnknown;
            lost |= silent;
            let error = if silent { Error { kind: ErrorKind::Transient, ..error } } else { error };
            let unknown = |error: Error| Error { kind: ErrorKind::OutcomeUnknown, ..error };
            self.pause(failed, error).await.map_err(|error| if lost { unknown(error) } else { error })?;
        };
        let there = written.crc64nvme;
        let stored = self.proof(put, written, version).await?;
        match (sum, there) {
            (Some(sum), Some(there)) if sum != there => Err(self.withdraw(put, &stored, wrong(sum, there)).await),
            _ => Ok(self.confirm(put, stored).await),
        }
    }

    async fn complete_once(
        &self,
        put: &Put,
        upload: &Upload<'_>,
        sum: Option<u64>,
        done: &[Done],
    ) -> Result<(Written, Option<String>)> {
        self.look_first(put).await?;
        let mut request = Request::changing("put", Method::POST, Some(&put.key), "s3:PutObject");
        request.query = vec![("uploadId", &upload.id)];
        request.patience = LONG_PATIENCE;
        self.condition(&mut request, &put.condition, false)?;
        if upload.crc {
            request.header("x-amz-checksum-type", "FULL_OBJECT")?;
            if let Some(sum) = sum {
                request.header(CRC64NVME, &write_checksum(sum))?;
            }
        }
        request.header("content-type", "application/xml")?;
        request.body = Bytes::from(inventory(done, upload.crc));
        let reply = self.client.send(&request).await?;
        let version = version(&reply.headers);
        // Its date is when the upload began, which only a look tells.
        Ok((self.document(reply, &request).await?, version))
    }

    /// Where the place is known not to obey the condition, whoever asked looked
    /// before the upload began, which may be hours ago: so look again. The moment
    /// between this look and the end stays open, as the ability says.
    async fn look_first(&self, put: &Put) -> Result<()> {
        let (ability, wanted) = match &put.condition {
            Condition::Absent => (Ability::PutIfAbsent, None),
            Condition::Matches(stamp) => (Ability::PutIfMatch, Some(stamp.etag.as_str())),
        };
        if self.abilities.known(ability) != Some(false) {
            return Ok(());
        }
        let found = self.look(&put.key).await?;
        if found.as_ref().map(|object| object.stamp.etag.as_str()) == wanted {
            return Ok(());
        }
        let text = "somebody else wrote the object while this upload was under way";
        Err(Error::new(ErrorKind::Precondition, "put", text).on(&put.key))
    }

    /// Some servers show an object made of parts under another ETag than they said
    /// on completing it. One look finds out which kind this is; the other kind is
    /// looked at every time. What is seen counts only if it is surely what was put.
    async fn confirm(&self, put: &Put, stored: Stored) -> Stored {
        if self.client.is_amazon() || self.etags_agree.load(Ordering::Relaxed) {
            return stored;
        }
        match self.look(&put.key).await {
            Ok(Some(seen)) if seen.stamp.etag == stored.stamp.etag => {
                self.etags_agree.store(true, Ordering::Relaxed);
                stored
            }
            Ok(Some(seen))
                if seen.stamp.size == stored.stamp.size
                    && !put.meta.user.is_empty()
                    && seen.meta.as_ref().is_some_and(|meta| meta.user == put.meta.user) =>
            {
                Stored { stamp: seen.stamp, version: seen.version }
            }
            _ => stored,
        }
    }

    /// Frees an upload's parts. One that is unknown is free already.
    pub(super) async fn give_up(&self, key: &Key, upload: &str) -> Result<()> {
        let mut request = Request::reading("abandon", Method::DELETE, Some(key), "s3:AbortMultipartUpload");
        request.query = vec![("uploadId", upload)];
        let mut failed = 0;
        loop {
            match self.client.send(&request).await {
                Ok(_) => return Ok(()),
                Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::NoUpload) => return Ok(()),
                Err(error) => {
                    failed += 1;
                    self.pause(failed, error).await?;
                }
            }
        }
    }
}

fn part_request<'a>(upload: &'a Upload<'_>, number: &'a str, permission: &'static str) -> Request<'a> {
    // Sending a part twice is the same as once.
    let mut request = Request::reading("put", Method::PUT, Some(upload.key), permission);
    request.query = vec![("partNumber", number), ("uploadId", &upload.id)];
    request
}

/// The document that lists the parts.
fn inventory(done: &[Done], crc: bool) -> String {
    let mut text = String::from("<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for part in done {
        let _ = write!(text, "<Part><PartNumber>{}</PartNumber><ETag>&quot;", part.number);
        // ETags of a server are text of its own making; what XML cannot hold it will
        // refuse by itself.
        let _ = escape_into(&mut text, &part.etag);
        text.push_str("&quot;</ETag>");
        if let (Some(sum), true) = (part.crc64nvme, crc) {
            let _ = write!(text, "<ChecksumCRC64NVME>{}</ChecksumCRC64NVME>", write_checksum(sum));
        }
        text.push_str("</Part>");
    }
    text.push_str("</CompleteMultipartUpload>");
    text
}

/// CRC64NVME of the whole, if that of every part is known.
fn combined(done: &[Done]) -> Option<u64> {
    let mut parts = done.iter();
    let mut whole = parts.next()?.crc64nvme?;
    for part in parts {
        whole = checksum_combine(CrcAlgorithm::Crc64Nvme, whole, part.crc64nvme?, part.size);
    }
    Some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crc_fast::checksum;

    #[test]
    fn part_checksums_combine_to_that_of_the_whole() {
        let whole: Vec<u8> = (0..1000_u32).map(|n| u8::try_from(n % 251).expect("small")).collect();
        let sum = |bytes: &[u8]| checksum(CrcAlgorithm::Crc64Nvme, bytes);
        let done: Vec<Done> = whole
            .chunks(300)
            .enumerate()
            .map(|(n, bytes)| Done {
                number: n + 1,
                size: bytes.len() as u64,
                etag: String::new(),
                crc64nvme: Some(sum(bytes)),
            })
            .collect();
        assert_eq!(combined(&done), Some(sum(&whole)));
    }
}
