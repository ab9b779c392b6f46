//! Proof that what arrived is what was sent.
//!
//! Every body travels with CRC64NVME, which the place checks and says again in its
//! reply. Many do not know it, and let it pass; so until a place has said it once,
//! `Content-MD5`, which is as old as S3, goes beside it, and it alone once a reply
//! came without. A reply with another checksum than ours is a wrong object: it is
//! taken away again where a condition can keep that from hitting another's.
//! ETags prove nothing here: only some of those that look like an MD5 are one.

use super::S3;
use super::client::Request;
use super::headers::{CRC64NVME, content_md5, parse_checksum, text, write_checksum};
use crate::error::{Error, ErrorKind, Result};
use crate::{Ability, Condition, Put, Stored};
use bytes::Bytes;
use crc_fast::{CrcAlgorithm, checksum};
use http::HeaderMap;
use std::sync::atomic::{AtomicU8, Ordering};

const NOT_KNOWN: u8 = 0;
const SAID: u8 = 1;
const SILENT: u8 = 2;

/// What a place has answered to CRC64NVME.
#[derive(Default)]
pub(super) struct Crc(AtomicU8);

impl Crc {
    fn is(&self, state: u8) -> bool {
        self.0.load(Ordering::Relaxed) == state
    }
}

impl S3 {
    /// Whether to send CRC64NVME: unless the place does not check it. It is a header,
    /// not a trailer, so places that do not know it let it pass.
    pub(super) fn sends_crc(&self) -> bool {
        self.client.provider().crc64nvme
            && self.abilities.known(Ability::Crc64Nvme) != Some(false)
            && !self.crc.is(SILENT)
    }

    /// The body with its checksum, which is returned. `crc` says whether CRC64NVME is
    /// sent; an upload in parts keeps to what it began with.
    pub(super) fn attach(&self, request: &mut Request<'_>, body: Bytes, crc: bool) -> Result<u64> {
        let sum = checksum(CrcAlgorithm::Crc64Nvme, &body);
        if crc {
            request.header(CRC64NVME, &write_checksum(sum))?;
        }
        if !crc || !self.crc.is(SAID) && !self.client.is_amazon() {
            request.header("content-md5", &content_md5(&body))?;
        }
        request.body = body;
        Ok(sum)
    }

    /// Holds the reply to a body that was sent with CRC64NVME against it.
    pub(super) fn arrived(&self, sum: u64, headers: &HeaderMap) -> Result<()> {
        let Some(said) = text(headers, CRC64NVME) else {
            if !self.client.is_amazon() {
                // What has been said once is not asked of every reply.
                let _ = self.crc.0.compare_exchange(NOT_KNOWN, SILENT, Ordering::Relaxed, Ordering::Relaxed);
            }
            return Ok(());
        };
        self.crc.0.store(SAID, Ordering::Relaxed);
        match parse_checksum(said) {
            Some(there) if there != sum => Err(wrong(sum, there)),
            _ => Ok(()),
        }
    }

    /// Takes a wrong object away again, and says so.
    pub(super) async fn withdraw(&self, put: &Put, stored: &Stored, why: Error) -> Error {
        let gone = match self.probe(&[Ability::DeleteIfMatch]).await {
            Ok(known) if known.has(Ability::DeleteIfMatch) => {
                self.remove_one(&put.key, &Condition::Matches(stored.stamp.clone())).await.is_ok()
            }
            _ => false,
        };
        let fate = if gone { "it was removed again" } else { "it is still there: remove it, and run again" };
        Error { message: format!("{}; {fate}", why.message), ..why }.on(&put.key)
    }
}

/// The error of bytes that changed on the way.
pub(super) fn wrong(here: u64, there: u64) -> Error {
    let text = format!("the object that was stored has CRC64NVME {there:016x}, and what was sent has {here:016x}");
    Error::new(ErrorKind::Corrupt, "put", text)
}
