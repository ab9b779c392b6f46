//! Reading an object: from rows to a checked stream of bytes.
//!
//! All bodies a reader will need are opened before it gets its first byte, so that
//! an object overwritten or deleted meanwhile can be read to its end: an open file
//! outlives its name. What is there is checked against the rows: a body that is
//! missing or short, or a stretch read whole that does not fit its checksum, ends
//! in [`ErrorKind::Corrupt`].

use super::extent::{self, Extent};
use super::rows::{self, ObjectRow};
use super::{Shared, blocking, bodies, look_up};
use crate::error::{Error, ErrorKind, Result};
use crate::{Download, Object};
use bytes::Bytes;
use crc_fast::{CrcAlgorithm, Digest};
use futures::StreamExt;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use tidelock_core::entry::RemoteStamp;
use tidelock_core::path::Key;

/// What is read from a body at once.
const CHUNK_BYTES: u64 = 256 * 1024;

/// Carries out [`crate::Remote::get`].
pub(super) async fn get(
    shared: &Arc<Shared>,
    key: &Key,
    range: Option<Range<u64>>,
    stamp: Option<&RemoteStamp>,
) -> Result<Download> {
    let (wanted, etag) = (key.clone(), stamp.map(|stamp| stamp.etag.clone()));
    let opened = look_up(shared, "get", move |shared| {
        open_bodies(shared, "get", &wanted, |object, list| {
            if etag.as_ref().is_some_and(|etag| *etag != object.stamp.etag) {
                return Err(Error::new(ErrorKind::Precondition, "get", "the object is another one by now"));
            }
            let range = range.clone().unwrap_or(0..object.stamp.size);
            let size = range.end.saturating_sub(range.start);
            extent::slice(list, range.start, size).ok_or_else(|| {
                let message = format!("{} bytes have no range {}..{}", object.stamp.size, range.start, range.end);
                Error::new(ErrorKind::Other, "get", message)
            })
        })
    });
    let Some(Opened { row, parts }) = opened.await? else {
        return Err(Error::new(ErrorKind::NotFound, "get", "there is no such object"));
    };
    Ok(Download { object: row.object, body: stream(parts, key.clone()) })
}

/// An object and the stretches of it that were asked for, ready to be read.
pub(super) struct Opened {
    pub(super) row: ObjectRow,
    pub(super) parts: Vec<Part>,
}

/// A stretch of a body that is open.
pub(super) struct Part {
    pub(super) extent: Extent,
    /// Whether it is all of an object's extent, so that the checksum is known.
    pub(super) whole: bool,
    bytes: Stock,
}

#[derive(Clone)]
enum Stock {
    /// All bytes of the body.
    Here(Bytes),
    /// Its file.
    There(Arc<File>),
}

/// Finds the object at a key, lets `choose` pick from it, and opens what it picked.
/// `None` if there is no object.
pub(super) fn open_bodies(
    shared: &Shared,
    op: &'static str,
    key: &Key,
    choose: impl Fn(&Object, &[Extent]) -> Result<Vec<(Extent, bool)>>,
) -> Result<Option<Opened>> {
    let mut tried = None;
    loop {
        let seen = shared.readers.with(op, |connection| {
            let transaction = connection.transaction()?;
            let Some(row) = rows::find(&transaction, key)? else { return Ok(None) };
            let list = rows::extents(&transaction, row.id)?;
            let mut small = HashMap::new();
            for body in list.iter().map(|extent| extent.body).filter(|body| !body.filed) {
                if let Some(bytes) = rows::small_bytes(&transaction, body.id)? {
                    small.insert(body.id, Bytes::from(bytes));
                }
            }
            Ok(Some((row, list, small)))
        })?;
        let Some((row, list, small)) = seen else { return Ok(None) };
        match open_parts(shared, op, small, choose(&row.object, &list)?) {
            Ok(parts) => return Ok(Some(Opened { row, parts })),
            // The object was replaced between the rows and the file: look again.
            // If it was not, the file is missing.
            Err(error) if error.kind == ErrorKind::Corrupt && tried != Some(row.id) => tried = Some(row.id),
            Err(error) => return Err(error),
        }
    }
}

fn open_parts(
    shared: &Shared,
    op: &'static str,
    small: HashMap<u64, Bytes>,
    chosen: Vec<(Extent, bool)>,
) -> Result<Vec<Part>> {
    let mut stock: HashMap<u64, Stock> = small.into_iter().map(|(id, bytes)| (id, Stock::Here(bytes))).collect();
    let mut parts = Vec::with_capacity(chosen.len());
    for (extent, whole) in chosen {
        let id = extent.body.id;
        let bytes = match stock.get(&id) {
            Some(bytes) => bytes.clone(),
            None if extent.body.filed => {
                let file = shared.bodies.read(id).map_err(|error| unreadable(op, id, &error))?;
                let file = Stock::There(Arc::new(file));
                stock.insert(id, file.clone());
                file
            }
            None => {
                return Err(Error::new(ErrorKind::Corrupt, op, format!("the store has lost the bytes of row {id}")));
            }
        };
        parts.push(Part { extent, whole, bytes });
    }
    Ok(parts)
}

fn unreadable(op: &'static str, id: u64, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => {
            Error::new(ErrorKind::Corrupt, op, format!("the store has lost bodies/{}", bodies::name(id)))
        }
        io::ErrorKind::UnexpectedEof => {
            Error::new(ErrorKind::Corrupt, op, format!("the store's bodies/{} is too short", bodies::name(id)))
        }
        _ => Error::new(ErrorKind::Other, op, format!("bodies/{}: {error}", bodies::name(id))),
    }
}

impl Part {
    /// At most a chunk of it, from byte `at` of the stretch.
    fn read(&self, op: &'static str, at: u64) -> Result<Bytes> {
        let from = self.extent.start + at;
        let size = CHUNK_BYTES.min(self.extent.size - at);
        match &self.bytes {
            Stock::Here(bytes) => {
                let range = usize::try_from(from).ok().zip(usize::try_from(from + size).ok());
                let found = range.filter(|(_, end)| *end <= bytes.len());
                let found = found.map(|(start, end)| bytes.slice(start..end));
                found.ok_or_else(|| Error::new(ErrorKind::Corrupt, op, "a row of the store is too short"))
            }
            Stock::There(file) => {
                // At most CHUNK_BYTES, which fits.
                let mut chunk = vec![0; size as usize];
                let read = file.read_exact_at(&mut chunk, from);
                read.map_err(|error| unreadable(op, self.extent.body.id, &error))?;
                Ok(Bytes::from(chunk))
            }
        }
    }

    /// Reads all of it for its checksum.
    pub(super) fn read_checksum(&self) -> Result<u64> {
        let mut crc = Digest::new(CrcAlgorithm::Crc64Nvme);
        let mut at = 0;
        while at < self.extent.size {
            let chunk = self.read("put", at)?;
            crc.update(&chunk);
            at += chunk.len() as u64;
        }
        Ok(crc.finalize())
    }
}

/// Where a reader is.
struct Reading {
    parts: std::vec::IntoIter<Part>,
    current: Option<(Part, u64, Digest)>,
    key: Key,
}

impl Reading {
    /// The next chunk, and whether reading it needs no disk.
    fn is_at_hand(&self) -> bool {
        let part = self.current.as_ref().map(|(part, _, _)| part).or_else(|| self.parts.as_slice().first());
        part.is_none_or(|part| matches!(part.bytes, Stock::Here(_)))
    }

    fn next(&mut self) -> Option<Result<Bytes>> {
        if self.current.is_none() {
            let part = self.parts.next()?;
            self.current = Some((part, 0, Digest::new(CrcAlgorithm::Crc64Nvme)));
        }
        let (part, at, crc) = self.current.as_mut()?;
        let chunk = match part.read("get", *at) {
            Ok(chunk) => chunk,
            Err(error) => return Some(Err(error.on(&self.key))),
        };
        crc.update(&chunk);
        *at += chunk.len() as u64;
        if *at == part.extent.size {
            let fits = !part.whole || crc.finalize() == part.extent.crc64;
            self.current = None;
            if !fits {
                let message = "the store's bytes do not fit their checksum: the disk that holds it may be failing; \
                    where the file itself still exists, touch it and sync, and it is sent again; else restore the \
                    store from a backup";
                return Some(Err(Error::new(ErrorKind::Corrupt, "get", message).on(&self.key)));
            }
        }
        Some(Ok(chunk))
    }
}

fn stream(parts: Vec<Part>, key: Key) -> futures::stream::BoxStream<'static, Result<Bytes>> {
    let reading = Reading { parts: parts.into_iter(), current: None, key };
    // After an error there is nothing more.
    let stream = futures::stream::unfold(Some(reading), |reading| async move {
        let mut reading = reading?;
        if reading.is_at_hand() {
            return match reading.next()? {
                Ok(chunk) => Some((Ok(chunk), Some(reading))),
                Err(error) => Some((Err(error), None)),
            };
        }
        let read = blocking("get", move || match reading.next() {
            Some(Ok(chunk)) => Ok(Some((chunk, reading))),
            Some(Err(error)) => Err(error),
            None => Ok(None),
        });
        match read.await {
            Ok(found) => found.map(|(chunk, reading)| (Ok(chunk), Some(reading))),
            Err(error) => Some((Err(error), None)),
        }
    });
    stream.boxed()
}
