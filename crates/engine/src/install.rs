//! Changing the user's tree: the one place that can replace or remove their bytes.
//!
//! New bytes are written beside their destination under a temporary name and
//! appear whole. Nothing leaves but by an atomic swap or rename whose result is
//! looked at: if what came out is not what was expected, it goes back; if it is, it
//! goes to the trash under the root. Written over the [`Disk`] trait alone, so that
//! every step is simulated. It knows no remote, no base row and no policy: callers
//! bring what they expect, and record a row only after [`Installer::sync`].

mod expiry;
mod swap;
#[cfg(test)]
mod tests;
mod trash;

pub use expiry::Emptied;
pub use trash::Recovered;

use crate::disk::{Disk, Error, ErrorKind, MetaScope, Node, Stat, WriteFile, trash_dir};
use crate::planted::{Bug, Planted};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tidelock_core::entry::{LocalStamp, Meta};
use tidelock_core::path::{NameProblem, RelPath};
use tidelock_remote::world::World;
use trash::TempKind;

/// How often another random name is tried when one is taken.
const NAME_ATTEMPTS: u32 = 8;
/// How folders are made that nothing is known of; the umask narrows it.
const DIR_MODE: u32 = 0o777;

/// What is expected where something will be installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Nothing.
    Absent,
    /// A file or link with exactly this stamp.
    Is(LocalStamp),
}

/// Why nothing was changed, or what was kept beside what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InstallError {
    /// What is there is not what was expected. It is as it was.
    Stale,
    /// Another program has it open for writing. It is as it was.
    BeingWritten,
    /// Somebody else changed the place while it was being changed, and it could not
    /// be put back as it was. Whatever is not at its place is at `kept`.
    BothKept {
        /// A path in the trash, or where it was renamed to.
        kept: RelPath,
    },
    /// The disk failed. What is there is as it was, unless the disk lied; a
    /// leftover may wait for [`Installer::recover`].
    Disk(Error),
}

impl From<Error> for InstallError {
    fn from(error: Error) -> Self {
        Self::Disk(error)
    }
}

impl fmt::Display for InstallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stale => f.write_str("it was changed meanwhile"),
            Self::BeingWritten => {
                f.write_str("another program has it open for writing; it was left as it is until a run after that")
            }
            Self::BothKept { kept } => write!(f, "it was changed meanwhile; the other version is at {kept}"),
            Self::Disk(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for InstallError {}

/// What changes of the tree return.
pub type Result<T> = std::result::Result<T, InstallError>;

/// A file or link under its temporary name.
pub struct Part {
    path: RelPath,
    writer: Option<Box<dyn WriteFile>>,
    /// What it is, once finished.
    ready: Option<Stat>,
    /// Folders made for it, outermost first.
    made: Vec<RelPath>,
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part").field("path", &self.path).field("ready", &self.ready).finish_non_exhaustive()
    }
}

impl Part {
    /// Appends.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.writer {
            Some(writer) => Ok(writer.write(bytes).await?),
            None => Err(Error::new(ErrorKind::NotAFile, "write", &self.path, "it is not open for writing").into()),
        }
    }
}

/// Something that was installed, or renamed, or made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// What we put there. If somebody has already changed it again, this is still
    /// ours, so that the next scan sees the difference.
    pub stat: Stat,
    /// Where in the trash the old one is, if there was one.
    pub trashed: Option<RelPath>,
    /// The folders to [`Installer::sync`] before this may be recorded.
    pub dirs: Vec<RelPath>,
}

/// Something that was moved to the trash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discarded {
    /// Where it is.
    pub trashed: RelPath,
    /// The folders to [`Installer::sync`] before this may be recorded.
    pub dirs: Vec<RelPath>,
}

/// Changes one pair's tree during one run.
#[derive(Clone)]
pub struct Installer {
    disk: Arc<dyn Disk>,
    pair: String,
    trash: RelPath,
    world: World,
    planted: Planted,
    folders: Arc<Mutex<Folders>>,
}

/// Folders that were made for a file, where more than one may have use for them.
#[derive(Default)]
struct Folders {
    /// They stay, whatever becomes of the file.
    claimed: BTreeSet<RelPath>,
    /// They are being removed again.
    leaving: BTreeSet<RelPath>,
}

impl Installer {
    /// For the pair with this id, whose first eight characters mark its temporary
    /// files, in the run with this id, which names its folder in the trash.
    pub fn new(
        disk: Arc<dyn Disk>,
        pair: &str,
        run: &str,
        world: World,
        planted: Planted,
    ) -> std::result::Result<Self, NameProblem> {
        let pair: String = pair.chars().take(8).collect();
        let trash = trash_dir()?.join(run)?;
        // So that no later name can be refused.
        RelPath::root().join(&TempKind::Part.name(&pair, ""))?;
        Ok(Self { disk, pair, trash, world, planted, folders: Arc::default() })
    }

    /// Opens a new file that will become `dest`, in the same folder, which is made
    /// if need be.
    pub async fn begin(&self, dest: &RelPath) -> Result<Part> {
        let (dir, mut made) = (folder_of(dest)?, Vec::new());
        for _ in 0..NAME_ATTEMPTS {
            let path = self.temporary(&dir, TempKind::Part)?;
            match self.disk.create(&path).await {
                Ok(writer) => return Ok(Part { path, writer: Some(writer), ready: None, made }),
                Err(error) if error.kind == ErrorKind::NotFound => made.extend(self.make_dirs(&dir, DIR_MODE).await?),
                Err(error) if error.kind == ErrorKind::Exists => {}
                Err(error) => return Err(self.unmake(&made, error).await),
            }
        }
        Err(no_name(dest))
    }

    /// Makes a link that will become `dest`, in the same folder.
    pub async fn begin_link(&self, dest: &RelPath, target: &[u8]) -> Result<Part> {
        let (dir, mut made) = (folder_of(dest)?, Vec::new());
        for _ in 0..NAME_ATTEMPTS {
            let path = self.temporary(&dir, TempKind::Part)?;
            match self.disk.make_link(&path, target).await {
                Ok(()) => return Ok(Part { path, writer: None, ready: None, made }),
                Err(error) if error.kind == ErrorKind::NotFound => made.extend(self.make_dirs(&dir, DIR_MODE).await?),
                Err(error) if error.kind == ErrorKind::Exists => {}
                Err(error) => return Err(self.unmake(&made, error).await),
            }
        }
        Err(no_name(dest))
    }

    /// Sets the metadata and makes the part durable. After an error, abandon it.
    pub async fn finish(&self, part: &mut Part, meta: &Meta, scope: MetaScope) -> Result<Stat> {
        let ready = match &mut part.writer {
            Some(writer) => {
                writer.set_meta(meta, scope).await?;
                if !self.planted.has(Bug::SkipFsyncFile) {
                    writer.sync().await?;
                }
                writer.stat().await?
            }
            None => {
                let seen = self.disk.stat(&part.path).await?.ok_or_else(|| vanished(&part.path))?;
                self.disk.set_meta(&part.path, seen.stamp.file_id, meta, scope).await?
            }
        };
        part.writer = None;
        part.ready = Some(ready);
        Ok(ready)
    }

    /// Puts a finished part in its place, if the place is as expected.
    pub async fn install(&self, part: Part, dest: &RelPath, expect: &Expect) -> Result<Installed> {
        let Some(ready) = part.ready else {
            self.abandon(part).await;
            return Err(Error::new(ErrorKind::Io, "install", dest, "the file was not finished").into());
        };
        match expect {
            Expect::Absent => self.install_new(part, &ready, dest).await,
            Expect::Is(stamp) => self.swap_in(part, &ready, dest, stamp).await,
        }
    }

    async fn install_new(&self, part: Part, ready: &Stat, dest: &RelPath) -> Result<Installed> {
        if let Err(error) = self.disk.rename(&part.path, dest).await {
            // Had it been renamed after all, nothing is under this name.
            self.abandon(part).await;
            return Err(if error.kind == ErrorKind::Exists { InstallError::Stale } else { error.into() });
        }
        let placed_ns = self.world.clock.wall_ns();
        let stat = self.ours_at(dest, ready, placed_ns).await?;
        Ok(Installed { stat, trashed: None, dirs: dirs_of(&part.made, dest)? })
    }

    /// What we put at `path`, as it is now; if it is not ours any more, as it was.
    /// Getting there has changed its change time, at `placed_ns` at the latest: a
    /// later one is somebody's who wrote into it and put its time back.
    async fn ours_at(&self, path: &RelPath, ready: &Stat, placed_ns: i64) -> Result<Stat> {
        let now = self.disk.stat(path).await?;
        let ours = |now: &Stat| same_version(now, &ready.stamp) && now.stamp.change_ns <= placed_ns;
        Ok(now.filter(ours).unwrap_or(*ready))
    }

    /// Throws a part away that was not installed. Never fails: what cannot be
    /// removed now is removed by [`Installer::recover`].
    pub async fn abandon(&self, part: Part) {
        let Part { path, writer, made, .. } = part;
        drop(writer);
        let _ = self.disk.unlink_temp(&path).await;
        self.unmake_dirs(&made).await;
    }

    /// Deletes a file or link, if it is as expected, by moving it to the trash.
    pub async fn discard(&self, path: &RelPath, expected: &LocalStamp) -> Result<Discarded> {
        self.require_unwritten(path, expected).await?;
        if self.planted.has(Bug::UnlinkInsteadOfTrash) {
            return self.destroy(path).await;
        }
        let grave = self.grave(path).await?;
        let trashed = match self.bury(path, &grave, path.name()).await {
            Err(error) if error.kind == ErrorKind::NotFound => return Err(InstallError::Stale),
            other => other?,
        };
        self.keep_or_return(path, &trashed, expected).await?;
        if self.disk.is_being_written(&trashed).await.unwrap_or(false) {
            // Opened since the look before: whoever writes shall find it at its place.
            return Err(match self.disk.rename(&trashed, path).await {
                Ok(()) => InstallError::BeingWritten,
                Err(_) => InstallError::BothKept { kept: trashed },
            });
        }
        let dirs = [grave.dirs, dirs_of(&[], path)?].concat();
        Ok(Discarded { trashed, dirs })
    }

    /// Renames within the tree, if what is there is as expected and the new name is
    /// free.
    pub async fn rename_here(&self, from: &RelPath, to: &RelPath, expected: &LocalStamp) -> Result<Installed> {
        self.require(from, expected, true).await?;
        let made = self.make_dirs(&folder_of(to)?, DIR_MODE).await?;
        if let Err(error) = self.disk.rename(from, to).await {
            self.unmake_dirs(&made).await;
            let stale = matches!(error.kind, ErrorKind::Exists | ErrorKind::NotFound);
            return Err(if stale { InstallError::Stale } else { error.into() });
        }
        let stat = self.keep_or_return(from, to, expected).await?;
        Ok(Installed { stat, trashed: None, dirs: [dirs_of(&made, to)?, dirs_of(&[], from)?].concat() })
    }

    /// Looks at what was renamed from `from` to `to`: if it is not what was meant,
    /// it goes back, or stays where it is if its place is taken.
    async fn keep_or_return(&self, from: &RelPath, to: &RelPath, expected: &LocalStamp) -> Result<Stat> {
        let seen = self.disk.stat(to).await;
        if let Ok(Some(stat)) = &seen
            && same_version(stat, expected)
        {
            return Ok(*stat);
        }
        let returned = self.disk.rename(to, from).await.is_ok();
        // If it is not there any more, it did go back, or somebody took it from there.
        if !returned && !matches!(self.disk.stat(to).await, Ok(None)) {
            return Err(InstallError::BothKept { kept: to.clone() });
        }
        Err(seen.err().map_or(InstallError::Stale, InstallError::Disk))
    }

    /// Makes a folder, and those above it, with this metadata. `Stale` if something
    /// is there already.
    pub async fn make_dir_here(&self, path: &RelPath, meta: &Meta, scope: MetaScope) -> Result<Installed> {
        let made = self.make_dirs(&folder_of(path)?, DIR_MODE).await?;
        // Closed to others until its mode is known to be right.
        let first_mode = if meta.mode.is_some() { 0o700 } else { DIR_MODE };
        match self.disk.make_dir(path, first_mode).await {
            Err(error) if error.kind == ErrorKind::Exists => return Err(InstallError::Stale),
            other => other?,
        }
        let seen = self.disk.stat(path).await?.ok_or(InstallError::Stale)?;
        let stat = match self.disk.set_meta(path, seen.stamp.file_id, meta, scope).await {
            Err(error) if error.kind == ErrorKind::Changed => return Err(InstallError::Stale),
            other => other?,
        };
        Ok(Installed { stat, trashed: None, dirs: [vec![path.clone()], dirs_of(&made, path)?].concat() })
    }

    /// Sets metadata on what is there, if it is as expected.
    pub async fn set_meta_here(
        &self,
        path: &RelPath,
        expected: &LocalStamp,
        meta: &Meta,
        scope: MetaScope,
    ) -> Result<Stat> {
        let seen = self.require(path, expected, true).await?;
        // A folder's own stamp moves with every name in it and tells nothing.
        let set = match seen.node {
            Node::Dir => self.disk.set_meta(path, expected.file_id, meta, scope).await,
            _ => self.disk.set_meta_unchanged(path, &seen.stamp, meta, scope).await,
        };
        match set {
            Err(error) if matches!(error.kind, ErrorKind::Changed | ErrorKind::NotFound) => Err(InstallError::Stale),
            Ok(stat) if stat.stamp.size != expected.size => Err(InstallError::Stale),
            other => Ok(other?),
        }
    }

    /// Removes `dir` and the folders above it as long as they are empty and `stop`
    /// does not say otherwise. Returns what was removed, innermost first.
    pub async fn remove_empty_dirs_up(
        &self,
        dir: &RelPath,
        stop: &(dyn Fn(&RelPath) -> bool + Sync),
    ) -> Result<Vec<RelPath>> {
        let (mut removed, mut at) = (Vec::new(), Some(dir.clone()));
        while let Some(dir) = at.filter(|dir| !dir.is_root() && !stop(dir)) {
            match self.disk.remove_dir(&dir).await {
                Ok(()) => removed.push(dir.clone()),
                Err(error) if error.kind == ErrorKind::NotFound => {}
                Err(error) if matches!(error.kind, ErrorKind::NotEmpty | ErrorKind::NotADir) => break,
                Err(error) => return Err(error.into()),
            }
            at = dir.parent();
        }
        Ok(removed)
    }

    /// Makes what was done in these folders durable. Only then may it be recorded.
    /// Returns the folders where that failed.
    pub async fn sync(&self, dirs: impl IntoIterator<Item = RelPath>) -> Vec<(RelPath, Error)> {
        let mut failed = Vec::new();
        if self.planted.has(Bug::SkipFsyncDir) {
            return failed;
        }
        for dir in dirs.into_iter().collect::<BTreeSet<_>>() {
            if let Err(error) = self.sync_one(&dir).await {
                failed.push((dir, error));
            }
        }
        failed
    }

    /// A folder that is gone left its name in the one above.
    async fn sync_one(&self, dir: &RelPath) -> crate::disk::Result<()> {
        let mut at = dir.clone();
        loop {
            match (self.disk.sync_dir(&at).await, at.parent()) {
                (Err(error), Some(above)) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::NotADir) => {
                    at = above
                }
                (done, _) => return done,
            }
        }
    }

    /// `Stale` unless a file or link (or a folder, if those will do) is at `path`
    /// exactly as expected.
    async fn require(&self, path: &RelPath, expected: &LocalStamp, folder_too: bool) -> Result<Stat> {
        let seen = self.disk.stat(path).await?.ok_or(InstallError::Stale)?;
        let kind_fits = match seen.node {
            Node::File | Node::Link => true,
            Node::Dir => folder_too,
            Node::Special => false,
        };
        let same = same_version(&seen, expected)
            && (seen.stamp.change_ns == expected.change_ns || self.planted.has(Bug::CtimeIgnored));
        if kind_fits && same { Ok(seen) } else { Err(InstallError::Stale) }
    }

    /// The same, and nobody must be writing into it: what they write after it was
    /// replaced or removed would go to the trash, where they never look.
    async fn require_unwritten(&self, path: &RelPath, expected: &LocalStamp) -> Result<Stat> {
        let seen = self.require(path, expected, false).await?;
        if seen.node == Node::File && self.disk.is_being_written(path).await? {
            return Err(InstallError::BeingWritten);
        }
        Ok(seen)
    }

    /// A new temporary name in a folder.
    fn temporary(&self, dir: &RelPath, kind: TempKind) -> Result<RelPath> {
        let name = kind.name(&self.pair, &self.world.token());
        dir.join(&name).map_err(|problem| Error::new(ErrorKind::Unsupported, "name", dir, problem.to_string()).into())
    }

    /// Makes a folder and those above it. Returns the new ones, outermost first.
    async fn make_dirs(&self, dir: &RelPath, mode: u32) -> crate::disk::Result<Vec<RelPath>> {
        let (mut missing, mut at) = (Vec::new(), dir.clone());
        loop {
            match self.disk.stat(&at).await?.map(|stat| stat.node) {
                Some(Node::Dir) => break,
                Some(_) => return Err(Error::new(ErrorKind::NotADir, "make folder", &at, "it is not a folder")),
                None => {}
            }
            let Some(above) = at.parent() else { break };
            missing.push(std::mem::replace(&mut at, above));
        }
        let mut made = Vec::new();
        for dir in missing.into_iter().rev() {
            match self.disk.make_dir(&dir, mode).await {
                Ok(()) => made.push(dir),
                // Somebody else made it; if it is no folder, the next step says so.
                Err(error) if error.kind == ErrorKind::Exists => {}
                Err(error) => {
                    self.unmake_dirs(&made).await;
                    return Err(error);
                }
            }
        }
        Ok(made)
    }

    async fn unmake(&self, made: &[RelPath], error: Error) -> InstallError {
        self.unmake_dirs(made).await;
        error.into()
    }

    /// Removes folders made for nothing, as far as they are still empty.
    async fn unmake_dirs(&self, made: &[RelPath]) {
        for dir in made.iter().rev() {
            let leaves = {
                let mut folders = self.folders();
                !folders.claimed.contains(dir) && folders.leaving.insert(dir.clone())
            };
            if leaves {
                let _ = self.disk.remove_dir(dir).await;
                self.folders().leaving.remove(dir);
            }
        }
    }

    /// Says that a folder is there for its own sake, so that it does not go with a
    /// file that it was made for. `false` if it is just going.
    pub fn claim(&self, dir: &RelPath) -> bool {
        let mut folders = self.folders();
        let stays = !folders.leaving.contains(dir);
        if stays {
            folders.claimed.insert(dir.clone());
        }
        stays
    }

    fn folders(&self) -> MutexGuard<'_, Folders> {
        // Sets are whole whoever panicked.
        self.folders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether this is the version that was meant, whatever its name: a rename changes
/// nothing but the change time.
fn same_version(seen: &Stat, expected: &LocalStamp) -> bool {
    let LocalStamp { size, mtime_ns, file_id, .. } = seen.stamp;
    (size, mtime_ns, file_id) == (expected.size, expected.mtime_ns, expected.file_id)
}

/// The folders whose names changed: that of `path`, and those of new folders.
fn dirs_of(made: &[RelPath], path: &RelPath) -> Result<Vec<RelPath>> {
    let mut dirs: Vec<RelPath> = made.iter().filter_map(RelPath::parent).collect();
    dirs.push(folder_of(path)?);
    Ok(dirs)
}

fn folder_of(path: &RelPath) -> Result<RelPath> {
    path.parent()
        .ok_or_else(|| Error::new(ErrorKind::Denied, "install", path, "the root itself is never replaced").into())
}

fn vanished(path: &RelPath) -> Error {
    Error::new(ErrorKind::NotFound, "install", path, "the temporary file is gone")
}

fn no_name(dest: &RelPath) -> InstallError {
    Error::new(ErrorKind::Exists, "create", dest, "no free temporary name was found").into()
}
