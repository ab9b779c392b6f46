//! The embedded store behind `folder:PATH`: objects in a folder on this machine.
//!
//! Rows in `store.sqlite`, bytes in immutable numbered bodies, a lock. An object is
//! a list of extents (body, offset, length), so copies, part copies and changes of
//! metadata move no bytes. A body of at most [`SMALL_BYTES`] lies in the database
//! itself: it is durable with its row, by one sync shared with its neighbours
//! instead of three of its own. A bigger one is a file below `bodies/`, synced
//! with its folder before the row that names it. All changes go through one writer
//! thread that commits what is queued in one transaction and only then replies;
//! conditions are judged inside it, which makes compare-and-swap true. One process
//! writes at a time, on a local file system. Needs a tokio runtime.

mod apply;
mod bodies;
mod download;
mod extent;
mod failure;
mod intake;
mod log;
mod place;
mod reconcile;
mod rows;
mod schema;
#[cfg(test)]
mod tests;
mod upload;
mod writer;

use crate::error::{Error, ErrorKind, Result};
use crate::world::World;
use crate::{Ability, Capabilities, Condition, Cursor, Download, Object, Page, Progress, Put, Remote, Stored};
use async_trait::async_trait;
use bodies::Bodies;
use log::Log;
use place::Lock;
use reconcile::Harm;
use rows::Readers;
use std::collections::HashSet;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use tidelock_core::entry::RemoteStamp;
use tidelock_core::path::Key;
use tokio::sync::Semaphore;
use writer::Writer;

/// The longest body kept inside the database.
pub const SMALL_BYTES: usize = 16 * 1024;

/// Readers of rows at a time.
const READERS: usize = 8;

/// What to open a store for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// To read and write; made if there is none in a missing or empty folder.
    Create,
    /// To read and write what exists.
    ReadWrite,
    /// To read what exists, beside a process that may be writing. Takes no lock,
    /// and sweeps nothing.
    ReadOnly,
}

/// Something wrong with the store that it can live with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The object it harms, if any.
    pub key: Option<Key>,
    /// What is wrong.
    pub what: String,
}

/// An open store.
pub struct Folder {
    shared: Arc<Shared>,
    problems: Vec<Problem>,
}

/// What operations hold on to while they run, also when their caller has left.
struct Shared {
    path: PathBuf,
    readers: Readers,
    /// Who may read rows; more at once would only wait for each other.
    places: Semaphore,
    bodies: Arc<Bodies>,
    /// The numbers of states of objects that had lost bytes at opening. A state that
    /// replaces one has another number.
    lost: HashSet<u64>,
    /// Absent when opened for reading. Ends before the lock goes.
    writer: Option<Writer>,
    _lock: Option<Lock>,
}

/// Whether there is a store at `path`, as far as its name tells.
pub fn is_store(path: &Path) -> bool {
    path.join(place::DATABASE).is_file()
}

/// The store that a path leads to, and what follows it: there, the keys begin with
/// that. It is the nearest folder on the way that is a store; within one, a path names
/// keys alone, whatever files the store itself has.
pub fn locate(path: &Path) -> Option<(PathBuf, String)> {
    let path = std::path::absolute(path).ok()?;
    path.ancestors().find_map(|folder| {
        let below = path.strip_prefix(folder).ok()?;
        // What leads out again is not below.
        let stays = below.components().all(|part| matches!(part, Component::Normal(_)));
        (stays && is_store(folder)).then(|| (folder.to_owned(), below.to_string_lossy().into_owned()))
    })
}

/// Opens the store at `path`. What an earlier process left unfinished is swept.
pub fn open(world: World, path: &Path, mode: OpenMode) -> Result<Folder> {
    let place = place::enter(path, mode)?;
    let connection = schema::open(&place.path, mode).map_err(|error| failure::placed(&place.path, error))?;
    let found = match mode {
        OpenMode::ReadOnly => reconcile::look(&connection, &place.path),
        OpenMode::Create | OpenMode::ReadWrite => reconcile::run(&connection, &place.path),
    };
    let (bodies, Harm { problems, lost }) = found.map_err(|error| failure::placed(&place.path, error))?;
    let readers = Readers::new(&place.path);
    let writer = match mode {
        OpenMode::ReadOnly => None,
        OpenMode::Create | OpenMode::ReadWrite => {
            Some(Writer::start(connection, Log::new(&place.path), bodies.clone(), world)?)
        }
    };
    let places = Semaphore::new(READERS);
    let shared = Shared { path: place.path, readers, places, bodies, lost, writer, _lock: place.lock };
    Ok(Folder { shared: Arc::new(shared), problems })
}

impl Folder {
    /// What was found wrong at opening: objects whose bytes are missing or too
    /// short (they stay listed, as lost), and files in `bodies/`
    /// that are not the store's.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl Shared {
    fn writer(&self, op: &'static str) -> Result<&Writer> {
        self.writer.as_ref().ok_or_else(|| Error::new(ErrorKind::Denied, op, "the store was opened for reading only"))
    }
}

/// Looks something up where blocking is allowed.
async fn look_up<T: Send + 'static>(
    shared: &Arc<Shared>,
    op: &'static str,
    work: impl FnOnce(&Shared) -> Result<T> + Send + 'static,
) -> Result<T> {
    // The semaphore is never closed; without a place the work is as right, only slower.
    let _place = shared.places.acquire().await.ok();
    let shared = shared.clone();
    blocking(op, move || work(&shared)).await
}

/// Runs what blocks where it may.
async fn blocking<T: Send + 'static>(op: &'static str, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(gone) => Err(Error::new(ErrorKind::Other, op, format!("the work did not finish: {gone}"))),
    }
}

#[async_trait]
impl Remote for Folder {
    /// Its clock is this machine's.
    fn clock_skew_ms(&self) -> Option<i64> {
        Some(0)
    }

    async fn capabilities(&self, _needed: &[Ability]) -> Result<Capabilities> {
        Ok(Capabilities::all_but(&[Ability::Versions]))
    }

    async fn list(&self, prefix: &str, cursor: &Cursor) -> Result<Page> {
        let (shared, prefix, after) = (self.shared.clone(), prefix.to_owned(), cursor.after.clone());
        blocking("list", move || {
            shared.readers.with("list", |connection| rows::page(connection, &prefix, &after, &shared.lost))
        })
        .await
    }

    async fn head(&self, key: &Key) -> Result<Option<Object>> {
        let wanted = key.clone();
        let find = move |shared: &Shared| shared.readers.with("head", |open| rows::find(open, &wanted));
        let found = look_up(&self.shared, "head", find).await.map_err(|error| error.on(key))?;
        Ok(found.map(|row| row.told(&self.shared.lost)))
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>, stamp: Option<&RemoteStamp>) -> Result<Download> {
        download::get(&self.shared, key, range, stamp).await.map_err(|error| error.on(key))
    }

    async fn put(&self, request: &Put, progress: &dyn Progress) -> Result<Stored> {
        upload::put(&self.shared, request, progress).await.map_err(|error| error.on(&request.key))
    }

    async fn delete(&self, items: &[(Key, Condition)]) -> Vec<Result<()>> {
        let answer = match self.shared.writer("delete") {
            Ok(writer) => writer.delete(items.to_vec()).await,
            Err(error) => Err(error),
        };
        let answers = answer.unwrap_or_else(|error| vec![Err(error); items.len()]);
        items.iter().zip(answers).map(|((key, _), answer)| answer.map_err(|error| error.on(key))).collect()
    }

    /// Nothing is ever uploaded in parts here, so there is nothing to give up.
    async fn abandon(&self, _key: &Key, _upload_id: &str) -> Result<()> {
        Ok(())
    }

    async fn abandon_begun(&self, _key: &Key, _began_ms: Range<i64>) -> Result<()> {
        Ok(())
    }

    fn describe(&self) -> String {
        format!("folder:{}", self.shared.path.display())
    }
}
