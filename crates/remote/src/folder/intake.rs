//! Taking in bytes from outside: a recipe's sources become one new body.
//!
//! Each source is read in ascending order, exactly as far as it was said to go. A
//! small body stays in memory until it is a row; a bigger one is written while the
//! next stretch is read, and synced. Knows nothing of keys, rows or conditions.

use super::apply::Fresh;
use super::bodies::{Bodies, NewBody};
use super::extent::{self, Body, Extent};
use crate::error::{Error, ErrorKind, Result};
use crate::{Piece, Progress, Source};
use bytes::{Bytes, BytesMut};
use crc_fast::{CrcAlgorithm, Digest, checksum};
use std::sync::Arc;
use tokio::task::JoinHandle;

/// What is read from a source at once.
const CHUNK_BYTES: u64 = 1024 * 1024;

/// How many bytes come from outside.
pub(super) fn size(recipe: &[Piece]) -> u64 {
    outside(recipe).map(|(_, _, size)| size).sum()
}

/// The pieces that come from outside.
fn outside(recipe: &[Piece]) -> impl Iterator<Item = (&Arc<dyn Source>, u64, u64)> + Send {
    recipe.iter().filter_map(|piece| match piece {
        Piece::Bytes { source, offset, size } => Some((source, *offset, *size)),
        Piece::CopyOf { .. } => None,
    })
}

/// The bytes of a source, exactly as many as were asked for.
async fn read(source: &Arc<dyn Source>, offset: u64, size: u64) -> Result<Bytes> {
    let size =
        usize::try_from(size).map_err(|_| Error::new(ErrorKind::Unsupported, "put", "too many bytes at once"))?;
    let bytes = source.read(offset, size).await?;
    if bytes.len() == size {
        return Ok(bytes);
    }
    let message = format!("the source gave {} bytes at {offset} instead of {size}", bytes.len());
    Err(Error::new(ErrorKind::Source, "put", message))
}

/// Where a piece from outside lies in the new body. May be empty.
pub(super) type Stretch = Extent;

/// A new body that becomes a row.
pub(super) async fn as_row(
    bodies: &Bodies,
    recipe: &[Piece],
    progress: &dyn Progress,
) -> Result<(Option<Fresh>, Vec<Stretch>)> {
    let mut pieces = Vec::new();
    for (source, offset, size) in outside(recipe) {
        pieces.push(if size == 0 { Bytes::new() } else { read(source, offset, size).await? });
        progress.sent(size);
    }
    let bytes = match pieces.as_slice() {
        [only] => only.clone(),
        many => many
            .iter()
            .fold(BytesMut::new(), |mut all, piece| {
                all.extend_from_slice(piece);
                all
            })
            .freeze(),
    };
    let digest = extent::half_digest(&bytes);
    let body = Body { id: bodies.number(), size: bytes.len() as u64, digest, filed: false };
    let mut start = 0;
    let mut stretches = Vec::new();
    for piece in &pieces {
        let size = piece.len() as u64;
        stretches.push(Stretch { body, start, size, crc64: checksum(CrcAlgorithm::Crc64Nvme, piece) });
        start += size;
    }
    Ok((Some(Fresh::Small(body, bytes)), stretches))
}

/// A new body that becomes a file, written and synced.
pub(super) async fn as_file(
    bodies: &Arc<Bodies>,
    recipe: &[Piece],
    progress: &dyn Progress,
) -> Result<(Option<Fresh>, Vec<Stretch>)> {
    let mut left = self::size(recipe);
    let mut writing = Writing::Nothing(bodies.clone());
    let mut checksums = Vec::new();
    for (source, offset, size) in outside(recipe) {
        let mut crc = Digest::new(CrcAlgorithm::Crc64Nvme);
        let mut done = 0;
        while done < size {
            let bytes = match read(source, offset + done, CHUNK_BYTES.min(size - done)).await {
                Ok(bytes) => bytes,
                Err(error) => {
                    // The body goes before the answer does.
                    drop(writing.end().await);
                    return Err(error);
                }
            };
            let length = bytes.len() as u64;
            crc.update(&bytes);
            done += length;
            left -= length;
            writing = writing.then(bytes, left == 0).await?;
            progress.sent(length);
        }
        checksums.push((size, crc.finalize()));
    }
    let file = writing.end().await?;
    let body = file.body();
    let mut start = 0;
    let mut stretches = Vec::new();
    for (size, crc64) in checksums {
        stretches.push(Stretch { body, start, size, crc64 });
        start += size;
    }
    Ok((Some(Fresh::Filed(body, file)), stretches))
}

/// A body being written while the next bytes are read. If this is dropped, the
/// write under way ends by itself and the body goes.
enum Writing {
    Nothing(Arc<Bodies>),
    UnderWay(JoinHandle<Result<NewBody>>),
}

impl Writing {
    /// Begins to write these bytes once the last ones are written.
    async fn then(self, bytes: Bytes, last: bool) -> Result<Self> {
        let begin: Box<dyn FnOnce() -> Result<NewBody> + Send> = match self {
            Self::Nothing(bodies) => Box::new(move || bodies.create()),
            Self::UnderWay(before) => {
                let body = ended(before).await?;
                Box::new(move || Ok(body))
            }
        };
        Ok(Self::UnderWay(tokio::task::spawn_blocking(move || {
            let mut body = begin()?;
            body.write(&bytes)?;
            if last {
                body.sync()?;
            }
            Ok(body)
        })))
    }

    async fn end(self) -> Result<NewBody> {
        match self {
            Self::UnderWay(before) => ended(before).await,
            Self::Nothing(_) => Err(Error::new(ErrorKind::Source, "put", "there are no bytes to write")),
        }
    }
}

async fn ended(task: JoinHandle<Result<NewBody>>) -> Result<NewBody> {
    match task.await {
        Ok(result) => result,
        Err(gone) => Err(Error::new(ErrorKind::Other, "put", format!("the write did not finish: {gone}"))),
    }
}
