//! The trash under the root, temporary names, and what a crash left of both.
//!
//! Each run has a folder in the trash that mirrors the tree, closed to others.
//! Getting there is always a rename on one file system, so it is atomic and costs
//! no space. Nothing in this module removes anything but incomplete parts of our
//! own; emptying the trash is `expiry.rs`.

use super::{Discarded, InstallError, Installer, Result, dirs_of, folder_of};
use crate::disk::{Error, ErrorKind, Node};
use crate::planted::Bug;
use tidelock_core::path::{RelPath, SEGMENT_MAX_BYTES, TEMP_PREFIX};

/// The trash is for its owner's eyes alone.
const TRASH_MODE: u32 = 0o700;
/// How many of one name a run can hold in the trash.
const NAME_MAX: u32 = 10_000;
/// How many times the run's folder can be in the way of itself.
const FOLDER_MAX: u32 = 16;

/// What a temporary name may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TempKind {
    /// A file of ours, never seen under another name. May be removed.
    Part,
    /// A whole file, perhaps the user's. Must be kept.
    Swap,
}

impl TempKind {
    fn prefix(self, pair: &str) -> String {
        let kind = if self == Self::Part { "part" } else { "swap" };
        format!("{TEMP_PREFIX}{kind}-{pair}-")
    }

    pub(super) fn name(self, pair: &str, token: &str) -> String {
        self.prefix(pair) + token
    }

    /// Reads a name of this pair's back into kind and token.
    fn parse<'a>(name: &'a str, pair: &str) -> Option<(Self, &'a str)> {
        [Self::Part, Self::Swap].into_iter().find_map(|kind| Some((kind, name.strip_prefix(&kind.prefix(pair))?)))
    }
}

/// A folder in the trash, ready for what comes from one folder of the tree.
#[derive(Debug, Clone)]
pub(super) struct Grave {
    pub(super) dir: RelPath,
    /// The folders to sync for it, the innermost included.
    pub(super) dirs: Vec<RelPath>,
    pub(super) filesystem: u64,
}

/// What [`Installer::recover`] did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovered {
    /// Incomplete parts of ours that were removed.
    pub removed: Vec<RelPath>,
    /// Whole files that were moved, and where to in the trash.
    pub trashed: Vec<(RelPath, RelPath)>,
    /// Temporary files of other pairs, which were left alone.
    pub foreign: Vec<RelPath>,
    /// What could not be dealt with and is still there.
    pub failed: Vec<Error>,
    /// The folders whose names changed; synced, and so empty, at the end.
    dirs: Vec<RelPath>,
}

impl Installer {
    /// Makes the folder in the trash for what is at `path`.
    pub(super) async fn grave(&self, path: &RelPath) -> Result<Grave> {
        let inner = folder_of(path)?;
        for number in 1..=FOLDER_MAX {
            let mut dir = numbered(&self.trash, number)?;
            for segment in inner.segments() {
                dir = dir.join(segment).map_err(|problem| unnamed(path, &problem))?;
            }
            match self.make_dirs(&dir, TRASH_MODE).await {
                // A file of that name is in the trash already: use a second tree.
                Err(error) if error.kind == ErrorKind::NotADir && self.is_in_run(&error) => {}
                Err(error) if matches!(error.kind, ErrorKind::NotADir | ErrorKind::Escapes) => {
                    let what = format!("there is no trash, as {} is not a folder; move that away", error.path);
                    return Err(Error::new(ErrorKind::Unsupported, "move to trash", path, what).into());
                }
                Err(error) => return Err(error.into()),
                Ok(made) => {
                    let dirs = dirs_of(&made, &dir.join("x").map_err(|problem| unnamed(path, &problem))?)?;
                    let stat = self.disk.stat(&dir).await?.filter(|stat| stat.node == Node::Dir);
                    let gone = || Error::new(ErrorKind::NotFound, "make trash", &dir, "the folder is gone");
                    return Ok(Grave { filesystem: stat.ok_or_else(gone)?.filesystem, dir, dirs });
                }
            }
        }
        Err(Error::new(ErrorKind::NotADir, "make trash", path, "files are in the way").into())
    }

    /// Whether the error is about something inside a run's folder in the trash.
    fn is_in_run(&self, error: &Error) -> bool {
        error.path.strip_prefix(self.trash.as_str()).is_some_and(|rest| rest.contains('/'))
    }

    /// Moves what is at `from` into a grave, under this name or, if that is taken,
    /// a numbered one.
    pub(super) async fn bury(&self, from: &RelPath, grave: &Grave, name: &str) -> crate::disk::Result<RelPath> {
        let plain = grave.dir.join(name).map_err(|problem| unnamed(from, &problem))?;
        for number in 1..=NAME_MAX {
            let to = numbered(&plain, number)?;
            match self.disk.rename(from, &to).await {
                Err(error) if error.kind == ErrorKind::Exists => {}
                other => return other.map(|()| to),
            }
        }
        Err(Error::new(ErrorKind::Exists, "move to trash", from, "too many of this name are in the trash"))
    }

    /// Deals with temporary files found by a scan before the first change of a run:
    /// parts are removed, and what may be the user's goes to the trash.
    pub async fn recover(&self, leftovers: &[RelPath]) -> Recovered {
        let mut recovered = Recovered::default();
        for path in leftovers {
            let done = match TempKind::parse(path.name(), &self.pair) {
                None => {
                    recovered.foreign.push(path.clone());
                    continue;
                }
                Some((TempKind::Swap, token)) if !self.planted.has(Bug::StartupUnlinksTemps) => {
                    self.rescue(path, token, &mut recovered).await
                }
                Some(_) => self.remove_part(path, &mut recovered).await,
            };
            match done {
                Ok(()) => {}
                Err(InstallError::Disk(error)) if error.kind == ErrorKind::NotFound => {}
                Err(InstallError::Disk(error)) => recovered.failed.push(error),
                Err(other) => recovered.failed.push(Error::new(ErrorKind::Io, "recover", path, other.to_string())),
            }
        }
        // What is told to be in the trash is to be found there after a power loss.
        let unsynced = self.sync(std::mem::take(&mut recovered.dirs)).await;
        recovered.failed.extend(unsynced.into_iter().map(|(_, error)| error));
        recovered
    }

    async fn rescue(&self, path: &RelPath, token: &str, recovered: &mut Recovered) -> Result<()> {
        let grave = self.grave(path).await?;
        let trashed = self.bury(path, &grave, &format!("recovered-{token}")).await?;
        recovered.trashed.push((path.clone(), trashed));
        recovered.dirs.extend(grave.dirs);
        recovered.dirs.push(folder_of(path)?);
        Ok(())
    }

    async fn remove_part(&self, path: &RelPath, recovered: &mut Recovered) -> Result<()> {
        self.disk.unlink_temp(path).await?;
        recovered.removed.push(path.clone());
        recovered.dirs.push(folder_of(path)?);
        Ok(())
    }

    /// The planted bug: a deletion that keeps nothing.
    pub(super) async fn destroy(&self, path: &RelPath) -> Result<Discarded> {
        let temp = self.temporary(&folder_of(path)?, TempKind::Part)?;
        self.disk.rename(path, &temp).await?;
        self.disk.unlink_temp(&temp).await?;
        Ok(Discarded { trashed: temp, dirs: dirs_of(&[], path)? })
    }
}

/// `name`, `name~2`, `name~3`, cut to what a file system takes.
fn numbered(path: &RelPath, number: u32) -> crate::disk::Result<RelPath> {
    if number == 1 {
        return Ok(path.clone());
    }
    let suffix = format!("~{number}");
    let name = path.name();
    let mut end = name.len().min(SEGMENT_MAX_BYTES - suffix.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    let folder = path.parent().unwrap_or_else(RelPath::root);
    folder.join(&format!("{}{suffix}", &name[..end])).map_err(|problem| unnamed(path, &problem))
}

fn unnamed(path: &RelPath, problem: &tidelock_core::path::NameProblem) -> Error {
    Error::new(ErrorKind::Unsupported, "move to trash", path, problem.to_string())
}
