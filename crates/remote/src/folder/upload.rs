//! Writing an object: from a recipe to one job for the writer.
//!
//! Bytes from outside are taken in as one new body (`intake.rs`). Copies are looked
//! up in the rows and become extents of bodies that exist; where one is cut, the
//! stretch is read once for its checksum, which also proves that it is there. The
//! writer checks in its transaction that what was copied from is still the same.

use super::apply::{self, Origin, PutJob};
use super::download::{Opened, Part, open_bodies};
use super::extent::{self, Extent};
use super::intake::{self, Stretch};
use super::writer::Verdict;
use super::{SMALL_BYTES, Shared, blocking, look_up, rows};
use crate::error::{Error, ErrorKind, Result};
use crate::{Condition, Piece, Progress, Put, Stored};
use std::sync::Arc;
use tidelock_core::entry::RemoteStamp;
use tidelock_core::path::Key;

/// Carries out [`crate::Remote::put`].
pub(super) async fn put(shared: &Arc<Shared>, request: &Put, progress: &dyn Progress) -> Result<Stored> {
    let writer = shared.writer("put")?;
    let size = size_of(&request.recipe)?;
    let (mut fresh, stretches) = match intake::size(&request.recipe) {
        0 => (None, Vec::new()),
        total if total <= SMALL_BYTES as u64 => intake::as_row(&shared.bodies, &request.recipe, progress).await?,
        _ => {
            refuse_early(shared, &request.key, &request.condition).await?;
            intake::as_file(&shared.bodies, &request.recipe, progress).await?
        }
    };
    crate::seal(&request.recipe).await?;
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

/// Spares the transfer of many bytes for a condition that already fails.
async fn refuse_early(shared: &Arc<Shared>, key: &Key, condition: &Condition) -> Result<()> {
    let (key, condition) = (key.clone(), condition.clone());
    look_up(shared, "put", move |shared| {
        let found = shared.readers.with("put", |connection| rows::identify(connection, &key))?;
        apply::check(&condition, found.as_ref().map(|(_, etag)| etag.as_str()), "put")
    })
    .await
}

/// The extents of the whole, and the objects that some were taken from.
async fn assemble(
    shared: &Arc<Shared>,
    recipe: &[Piece],
    stretches: Vec<Stretch>,
) -> Result<(Vec<Extent>, Vec<Origin>)> {
    let mut stretches = stretches.into_iter();
    let mut extents = Vec::new();
    let mut origins: Vec<Origin> = Vec::new();
    for piece in recipe {
        match piece {
            Piece::Bytes { .. } => {
                // A recipe that has only empty ones has no stretches.
                if let Some(stretch) = stretches.next() {
                    extent::push(&mut extents, stretch);
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
    let (wanted, etag) = (key.clone(), stamp.etag.clone());
    let opened = look_up(shared, "put", move |shared| {
        open_bodies(shared, "put", &wanted, |object, list| {
            if object.stamp.etag != etag {
                return Err(apply::moved_origin(&wanted));
            }
            extent::slice(list, offset, size).ok_or_else(|| {
                let message = format!("{:?} has no {size} bytes at {offset}", wanted.as_str());
                Error::new(ErrorKind::Corrupt, "put", message)
            })
        })
    });
    let Some(Opened { row, parts }) = opened.await? else { return Err(apply::moved_origin(key)) };
    let extents = if parts.iter().all(|part| part.whole) {
        parts.into_iter().map(|part| part.extent).collect()
    } else {
        blocking("put", move || parts.into_iter().map(with_checksum).collect::<Result<Vec<Extent>>>()).await?
    };
    Ok((Origin { key: key.clone(), id: row.id, etag: stamp.etag.clone() }, extents))
}

/// The extent, which may be a cut of the one its checksum was of.
fn with_checksum(part: Part) -> Result<Extent> {
    let crc64 = if part.whole { part.extent.crc64 } else { part.read_checksum()? };
    Ok(Extent { crc64, ..part.extent })
}
