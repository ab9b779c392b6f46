//! `cat`: an object's bytes, or some of them, to whoever reads along.
//!
//! Straight through, a piece at a time; what does not fit the object's own length or
//! checksum ends in an error, after what came before it was written.

use super::target::{Access, Found, Target};
use crate::api::{Cat, CatReply, Context};
use crate::failure::Failure;
use futures::StreamExt;
use std::io::{ErrorKind, Write};
use std::ops::Range;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use tidelock_core::path::Key;
use tidelock_remote::Readiness;

/// Writes it.
pub async fn run(context: &Context, request: &Cat) -> Result<CatReply, Failure> {
    let target = Target::of(&request.remote)?;
    let opened = target.open(context, &request.service, &request.options, Access::Read).await?;
    let key = Key::new(target.name.as_str());
    let object = match target.find_exactly(opened.remote.as_ref()).await? {
        Found::One(object) => object,
        other => return Err(other.missing(&request.remote)),
    };
    if matches!(object.readiness, Readiness::Archived | Readiness::Thawing) {
        let what = "its bytes are in an archive; ask the provider to restore the object, then run again";
        return Err(tidelock_remote::Error::new(tidelock_remote::ErrorKind::Archived, "get", what).on(&key).into());
    }
    let size = object.stamp.size;
    if let Some(first) = request.range.and_then(|range| range.first).filter(|first| *first > 0 && *first >= size) {
        let what =
            format!("the range begins at byte {first}, and {} has {size}; they are counted from 0", request.remote);
        return Err(Failure::Misused(what));
    }
    let range = request.range.map(|range| range.within(size));
    let mut reply = CatReply::default();
    let mut body = opened.remote.get(&key, range, Some(&object.stamp)).await?.body;
    while let Some(chunk) = body.next().await {
        if context.interrupted.load(Ordering::Relaxed) {
            return Ok(CatReply { interrupted: true, ..reply });
        }
        let chunk = chunk?;
        match write(context, &chunk)? {
            Written::All => {}
            // Whoever reads has seen enough.
            Written::Unwanted => return Ok(reply),
            Written::Interrupted => return Ok(CatReply { interrupted: true, ..reply }),
        }
        reply.bytes += u64::try_from(chunk.len()).unwrap_or(0);
    }
    let interrupted = matches!(write(context, &[])?, Written::Interrupted);
    Ok(CatReply { interrupted, ..reply })
}

/// What became of bytes.
enum Written {
    All,
    /// Nobody reads any more.
    Unwanted,
    /// A person did not want to wait for who reads.
    Interrupted,
}

fn write(context: &Context, bytes: &[u8]) -> Result<Written, Failure> {
    let mut output = context.output.lock().unwrap_or_else(PoisonError::into_inner);
    let written = if bytes.is_empty() { output.flush() } else { output.write_all(bytes) };
    match written {
        Ok(()) => Ok(Written::All),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Written::Unwanted),
        Err(_) if context.interrupted.load(Ordering::Relaxed) => Ok(Written::Interrupted),
        Err(error) => {
            Err(Failure::Place { path: "standard output".to_owned(), kind: error.kind(), what: error.to_string() })
        }
    }
}

impl crate::api::ByteRange {
    /// What it comes to of an object of this size.
    fn within(self, size: u64) -> Range<u64> {
        match (self.first, self.last) {
            (Some(first), Some(last)) => first.min(size)..last.saturating_add(1).min(size),
            (Some(first), None) => first.min(size)..size,
            (None, Some(last)) => size.saturating_sub(last)..size,
            (None, None) => 0..size,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::api::ByteRange;

    #[test]
    fn ranges_end_where_the_object_does() {
        for (first, last, range) in [
            (Some(0), Some(0), 0..1),
            (Some(2), Some(100), 2..10),
            (Some(2), None, 2..10),
            (None, Some(3), 7..10),
            (None, Some(30), 0..10),
            (Some(20), None, 10..10),
        ] {
            assert_eq!(ByteRange { first, last }.within(10), range);
        }
    }
}
