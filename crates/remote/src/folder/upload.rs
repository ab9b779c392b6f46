//! Writing an object: from a recipe to one job for the writer.
//!
//! All bytes that come from outside become one new body, read in ascending order
//! and written while the next stretch is read. Copies are looked up in the rows and
//! become extents of bodies that exist; where one is cut, the stretch is read once
//! for its checksum, which also proves that it is there. The writer checks in its
//! transaction that what was copied from is still the same.

use super::bodies::{Bodies, NewBody};
use super::download::{Opened, open_bodies};
use super::extent::{self, Body, Extent};
use super::writer::{self, Fresh, Origin, PutJob, Verdict};
use super::{SMALL_BYTES, Shared, look_up, rows};
use crate::error::{Error, ErrorKind, Result};
use crate::{Condition, Piece, Progress, Put, Source, Stored};
use bytes::{Bytes, BytesMut};
use crc_fast::{CrcAlgorithm, Digest, checksum};
use std::sync::Arc;
use tidelock_core::entry::RemoteStamp;
use tidelock_core::path::Key;
use tokio::task::JoinHandle;

/// What is read from a source at once.
const CHUNK_BYTES: u64 = 1024 * 1024;

/// Carries out [`crate::Remote::put`].
pub(super) async fn put(shared: &Arc<Shared>, request: &Put, progress: &dyn Progress) -> Result<Stored> {
    let writer = shared.writer("put")?;
    let size = size_of(&request.recipe)?;
    let (mut fresh, stretches) = match outside_bytes(&request.recipe) {
        0 => (None, Vec::new()),
        total if total <= SMALL_BYTES as u64 => gather_small(shared, &request.recipe, progress).await?,
        _ => {
            refuse_early(shared, &request.key, &request.condition).await?;
            write_body(&shared.bodies, &request.recipe, progress).await?
        }
    };
    seal(&request.recipe).await?;
    loop {
        let (extents, origins) = assemble(shared, &request.recipe, stretches.clone()).await?;
        let job = PutJob {
            key: request.key.clone(),
            id: shared.bodies.number(),
            etag: extent::etag(&extents),
            size,
            crc64: extent::crc64(&extents),
            meta: request.meta.clone(),
            storage_class: request.storage_class.clone(),
            condition: request.condition.clone(),
            extents,
            fresh: fresh.take(),
            origins,
        };
        match writer.put(Box::new(job)).await? {
            Verdict::Stored(stored) => return Ok(stored),
            Verdict::Again(job) => fresh = job.fresh,
        }
    }
}

/// The size of the whole, which the database keeps as a signed number.
fn size_of(recipe: &[Piece]) -> Result<u64> {
    let sum = recipe.iter().try_fold(0_u64, |sum, piece| sum.checked_add(piece.size()));
    sum.filter(|sum| i64::try_from(*sum).is_ok())
        .ok_or_else(|| Error::new(ErrorKind::Unsupported, "put", "the object would be too big to count"))
}

fn outside_bytes(recipe: &[Piece]) -> u64 {
    outside(recipe).map(|(_, _, size)| size).sum()
}

fn outside(recipe: &[Piece]) -> impl Iterator<Item = (&Arc<dyn Source>, u64, u64)> + Send {
    recipe.iter().filter_map(|piece| match piece {
        Piece::Bytes { source, offset, size } => Some((source, *offset, *size)),
        Piece::CopyOf { .. } => None,
    })
}

/// Spares the transfer of many bytes for a condition that already fails.
async fn refuse_early(shared: &Arc<Shared>, key: &Key, condition: &Condition) -> Result<()> {
    let (key, condition) = (key.clone(), condition.clone());
    look_up(shared, "put", move |shared| {
        let found = shared.readers.with("put", |connection| rows::identify(connection, &key))?;
        writer::check(&condition, found.as_ref().map(|(_, etag)| etag.as_str()), "put")
    })
    .await
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

/// Asks every source once whether it was what it seemed to be.
async fn seal(recipe: &[Piece]) -> Result<()> {
    let mut asked: Vec<&Arc<dyn Source>> = Vec::new();
    for (source, _, _) in outside(recipe) {
        if !asked.iter().any(|other| Arc::ptr_eq(other, source)) {
            source.seal().await?;
            asked.push(source);
        }
    }
    Ok(())
}

/// For each piece from outside, where it lies in the new body and its checksum.
type Stretches = Vec<Stretch>;

#[derive(Clone)]
struct Stretch {
    body: Body,
    start: u64,
    size: u64,
    crc64: u64,
}

/// A new body that becomes a row.
async fn gather_small(
    shared: &Arc<Shared>,
    recipe: &[Piece],
    progress: &dyn Progress,
) -> Result<(Option<Fresh>, Stretches)> {
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
    let body = Body { id: shared.bodies.number(), size: bytes.len() as u64, digest, filed: false };
    let mut start = 0;
    let mut stretches = Stretches::new();
    for piece in &pieces {
        let size = piece.len() as u64;
        stretches.push(Stretch { body, start, size, crc64: checksum(CrcAlgorithm::Crc64Nvme, piece) });
        start += size;
    }
    Ok((Some(Fresh::Small(body, bytes)), stretches))
}

/// A new body that becomes a file, written and synced.
async fn write_body(
    bodies: &Arc<Bodies>,
    recipe: &[Piece],
    progress: &dyn Progress,
) -> Result<(Option<Fresh>, Stretches)> {
    let mut left = outside_bytes(recipe);
    let mut writing = Writing::Nothing(bodies.clone());
    let mut checksums = Vec::new();
    for (source, offset, size) in outside(recipe) {
        let mut crc = Digest::new(CrcAlgorithm::Crc64Nvme);
        let mut done = 0;
        while done < size {
            let bytes = read(source, offset + done, CHUNK_BYTES.min(size - done)).await?;
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
    let mut stretches = Stretches::new();
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

/// The extents of the whole, and the objects that some were taken from.
async fn assemble(shared: &Arc<Shared>, recipe: &[Piece], stretches: Stretches) -> Result<(Vec<Extent>, Vec<Origin>)> {
    let mut stretches = stretches.into_iter();
    let mut extents = Vec::new();
    let mut origins: Vec<Origin> = Vec::new();
    for piece in recipe {
        match piece {
            Piece::Bytes { .. } => {
                // A recipe that has only empty ones has no stretches.
                if let Some(Stretch { body, start, size, crc64 }) = stretches.next() {
                    extent::push(&mut extents, Extent { body, start, size, crc64 });
                }
            }
            Piece::CopyOf { key, stamp, offset, size } => {
                let (origin, copied) = copy(shared, key, stamp, *offset, *size).await?;
                copied.into_iter().for_each(|next| extent::push(&mut extents, next));
                origins.push(origin);
            }
        }
    }
    Ok((extents, origins))
}

/// The extents of a stretch of an object that has this stamp.
async fn copy(
    shared: &Arc<Shared>,
    key: &Key,
    stamp: &RemoteStamp,
    offset: u64,
    size: u64,
) -> Result<(Origin, Vec<Extent>)> {
    let (key, etag) = (key.clone(), stamp.etag.clone());
    look_up(shared, "put", move |shared| {
        let opened = open_bodies(shared, "put", &key, |object, list| {
            if object.stamp.etag != etag {
                return Err(writer::moved_origin(&key));
            }
            extent::slice(list, offset, size).ok_or_else(|| {
                let message = format!("{:?} has no {size} bytes at {offset}", key.as_str());
                Error::new(ErrorKind::Corrupt, "put", message)
            })
        })?;
        let Some(Opened { row, mut parts }) = opened else { return Err(writer::moved_origin(&key)) };
        let extents = parts.iter_mut().map(|part| {
            if !part.whole {
                part.extent.crc64 = part.read_checksum()?;
            }
            Ok(part.extent.clone())
        });
        let extents = extents.collect::<Result<Vec<Extent>>>()?;
        Ok((Origin { key, id: row.id, etag }, extents))
    })
    .await
}
