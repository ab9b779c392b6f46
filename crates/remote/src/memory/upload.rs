//! From a recipe to bytes: what happens between a put's beginning and the moment
//! its object becomes visible.
//!
//! A recipe that S3 would take in one request is gathered at once; any other is an
//! upload in parts, which has an id, is told to the caller before its first part,
//! stays behind when the caller dies, and takes its pieces one by one from objects
//! as they are at that moment. Conditions and visibility are `memory.rs`'s.

use super::Memory;
use super::profile::{Profile, Support};
use super::shelf::{Shelf, md5};
use crate::{Ability, Error, ErrorKind, Piece, Progress, Put, Readiness, Result, Source, seal};
use bytes::{Bytes, BytesMut};
use std::sync::Arc;
use tidelock_core::entry::RemoteStamp;
use tidelock_core::path::Key;

/// How a recipe travels.
pub(super) enum Route {
    /// One PUT.
    Whole,
    /// One server-side copy of a whole object.
    Copy { key: Key, stamp: RemoteStamp },
    /// An upload in parts.
    Parts,
}

/// A part still to be sent: a piece cut to size.
enum Part {
    Bytes { source: Arc<dyn Source>, offset: u64, size: u64 },
    CopyOf { key: Key, stamp: RemoteStamp, offset: u64, size: u64 },
}

/// Which way a request goes.
pub(super) fn route(put: &Put, profile: &Profile) -> Route {
    if let [Piece::CopyOf { key, stamp, offset: 0, size }] = put.recipe.as_slice()
        && *size == stamp.size
        && *size <= profile.copy_max_bytes
    {
        return Route::Copy { key: key.clone(), stamp: stamp.clone() };
    }
    let only_bytes = put.recipe.iter().all(|piece| matches!(piece, Piece::Bytes { .. }));
    if only_bytes && put.size() <= profile.single_max_bytes { Route::Whole } else { Route::Parts }
}

/// Reads and seals everything a whole body is made of.
pub(super) async fn gather(put: &Put, progress: &dyn Progress) -> Result<Bytes> {
    let mut body = BytesMut::new();
    for piece in &put.recipe {
        if let Piece::Bytes { source, offset, size } = piece {
            body.extend_from_slice(&read(source, *offset, *size).await?);
            progress.sent(*size);
        }
    }
    seal(&put.recipe).await?;
    Ok(body.freeze())
}

/// Reads everything part by part, then seals. Returns the body and the MD5 of
/// each part.
pub(super) async fn gather_parts(
    memory: &Memory,
    put: &Put,
    progress: &dyn Progress,
) -> Result<(Bytes, Vec<[u8; 16]>)> {
    let parts = cut(put, memory.profile());
    let last = parts.len().saturating_sub(1);
    let (mut body, mut sums) = (BytesMut::new(), Vec::new());
    for (number, part) in parts.into_iter().enumerate() {
        let bytes = match part {
            Part::Bytes { source, offset, size } => {
                let bytes = read(&source, offset, size).await?;
                progress.sent(size);
                bytes
            }
            Part::CopyOf { key, stamp, offset, size } => {
                memory.locked(|shelf| copy_range(memory, shelf, &key, &stamp, offset, size))?
            }
        };
        if number != last && (bytes.len() as u64) < memory.profile().part_min_bytes {
            return Err(Error::new(ErrorKind::Other, "put", "a part is shorter than parts may be").on(&put.key));
        }
        sums.push(md5(&bytes));
        body.extend_from_slice(&bytes);
    }
    seal(&put.recipe).await?;
    Ok((body.freeze(), sums))
}

/// The bytes of an object that a copy reads, if it may.
pub(super) fn copy_whole(memory: &Memory, shelf: &Shelf, key: &Key, stamp: &RemoteStamp) -> Result<Bytes> {
    let Some(version) = shelf.current(key) else {
        return Err(Error::new(ErrorKind::NotFound, "copy", "the source of the copy is gone").on(key));
    };
    if version.stamp.etag != stamp.etag {
        match memory.profile().support(Ability::CopySourceIfMatch) {
            Support::Ignored => {}
            Support::Refused if shelf.unsent.contains(&Ability::CopySourceIfMatch) => {}
            Support::Refused => {
                return Err(Error::new(ErrorKind::Unsupported, "copy", "this place takes no such condition").on(key));
            }
            Support::Honoured => {
                return Err(Error::new(ErrorKind::Precondition, "copy", "the source of the copy has changed").on(key));
            }
        }
    }
    match version.readiness {
        Readiness::Ready => {}
        Readiness::Lost => return Err(Error::new(ErrorKind::Corrupt, "copy", "the source's bytes are lost").on(key)),
        Readiness::Archived | Readiness::Thawing => {
            return Err(Error::new(ErrorKind::Archived, "copy", "the source of the copy is archived").on(key));
        }
    }
    Ok(version.bytes.clone())
}

fn copy_range(memory: &Memory, shelf: &Shelf, key: &Key, stamp: &RemoteStamp, offset: u64, size: u64) -> Result<Bytes> {
    if !memory.profile().honours(Ability::PartCopy) {
        return Err(Error::new(ErrorKind::Unsupported, "copy", "this place copies no parts").on(key));
    }
    let whole = copy_whole(memory, shelf, key, stamp)?;
    range_of(&whole, offset, size)
        .ok_or_else(|| Error::new(ErrorKind::Precondition, "copy", "the source of the copy is shorter now").on(key))
}

/// `size` bytes from `offset`, if there are so many.
pub(super) fn range_of(whole: &Bytes, offset: u64, size: u64) -> Option<Bytes> {
    let start = usize::try_from(offset).ok()?;
    let end = start.checked_add(usize::try_from(size).ok()?)?;
    (end <= whole.len()).then(|| whole.slice(start..end))
}

async fn read(source: &Arc<dyn Source>, offset: u64, size: u64) -> Result<Bytes> {
    let wanted = usize::try_from(size)
        .map_err(|_| Error::new(ErrorKind::Source, "read", "the piece is longer than memory can hold"))?;
    let bytes = source.read(offset, wanted).await?;
    if bytes.len() != wanted {
        return Err(Error::new(ErrorKind::Source, "read", "the source gave another number of bytes than asked for"));
    }
    Ok(bytes)
}

/// Cuts pieces into parts. Only the last piece may end in a short part.
fn cut(put: &Put, profile: &Profile) -> Vec<Part> {
    let part_bytes = profile.part_bytes.max(1);
    let last = put.recipe.len().saturating_sub(1);
    let mut parts = Vec::new();
    for (number, piece) in put.recipe.iter().enumerate() {
        match piece {
            Piece::CopyOf { key, stamp, offset, size } => {
                // Evenly, so that none is shorter than a part may be.
                let count = size.div_ceil(profile.copy_max_bytes.max(1)).max(1);
                let step = size.div_ceil(count);
                for nth in 0..count {
                    let (offset, size) = (offset + nth * step, step.min(size - nth * step));
                    parts.push(Part::CopyOf { key: key.clone(), stamp: stamp.clone(), offset, size });
                }
            }
            Piece::Bytes { source, offset, size } => {
                let count = if number == last { size.div_ceil(part_bytes) } else { size / part_bytes }.max(1);
                for nth in 0..count {
                    let start = nth * part_bytes;
                    let size = if nth + 1 == count { size - start } else { part_bytes };
                    parts.push(Part::Bytes { source: source.clone(), offset: offset + start, size });
                }
            }
        }
    }
    parts
}
