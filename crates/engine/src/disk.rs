//! The disk, as the engine sees it.
//!
//! [`Disk`] is a thin trait at the height of system calls, beneath one root: it
//! moves names and bytes and decides nothing. What makes a replacement or a
//! deletion safe is `install.rs`, which is written once over this trait and so is
//! simulated as well as run. `disk/real.rs` is Linux (its system calls are in
//! `disk/sys.rs`), `disk/sim.rs` a disk in memory that crashes on request.

pub mod chosen;
pub mod missing;
pub mod real;
#[cfg(any(test, feature = "testing"))]
pub mod sim;
mod sys;
#[cfg(test)]
pub(crate) mod tests;

pub use sys::was_closed_at_start;

use async_trait::async_trait;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use tidelock_core::entry::{FileId, LocalStamp, Meta};
use tidelock_core::path::{NameProblem, RESERVED_DIR, RelPath};

/// One root folder and what lies beneath it.
///
/// Every path is resolved beneath the root, through no symbolic link in any
/// segment but the last, and the last is never followed (unless the disk was made
/// to follow links for reading). Nothing here overwrites: `create`, `make_dir`,
/// `make_link` and `rename` fail with [`ErrorKind::Exists`].
#[async_trait]
pub trait Disk: Send + Sync {
    /// Looks at the root afresh. `NotFound` if it is gone, `NotADir` if it is
    /// something else now.
    async fn root(&self) -> Result<RootId>;

    /// How far apart two changes of a file must be for their times to tell them
    /// apart, in nanoseconds, where the file was looked at in between.
    fn grain_ns(&self) -> i64 {
        10_000_000
    }

    /// Whether links are read as what they point to.
    fn follows_links(&self) -> bool {
        false
    }

    /// Every name in a folder, in any order, with what each is. Names that vanish
    /// while being read are left out.
    async fn read_dir(&self, dir: &RelPath) -> Result<Vec<DirItem>>;

    /// What is at `path`; `None` if nothing is, or an ancestor is missing or is not
    /// a folder.
    async fn stat(&self, path: &RelPath) -> Result<Option<Stat>>;

    /// Opens a regular file for reading; anything else is `NotAFile`.
    async fn open(&self, path: &RelPath) -> Result<Arc<dyn ReadFile>>;

    /// The target of a symbolic link, as bytes.
    async fn read_link(&self, path: &RelPath) -> Result<Vec<u8>>;

    /// The `user.` extended attributes of a file or folder, by full name; `None` where
    /// the file system keeps none: that is not to say that somebody took them away.
    async fn xattrs(&self, path: &RelPath) -> Result<Option<BTreeMap<String, Vec<u8>>>>;

    /// Makes a new empty file, mode 0600, open for writing.
    async fn create(&self, path: &RelPath) -> Result<Box<dyn WriteFile>>;

    /// Makes a folder with this mode, less the process's umask. Its parent must exist.
    async fn make_dir(&self, path: &RelPath, mode: u32) -> Result<()>;

    /// Makes a symbolic link.
    async fn make_link(&self, path: &RelPath, target: &[u8]) -> Result<()>;

    /// Renames within the root, replacing nothing.
    async fn rename(&self, from: &RelPath, to: &RelPath) -> Result<()>;

    /// Exchanges what two names stand for, at once. Both must exist.
    async fn exchange(&self, a: &RelPath, b: &RelPath) -> Result<()>;

    /// Removes a name for good. Refused for any name but Tidelock's own temporary
    /// files: user files leave through `rename` into the trash.
    async fn unlink_temp(&self, path: &RelPath) -> Result<()>;

    /// Removes a folder if it is empty, else `NotEmpty`.
    async fn remove_dir(&self, path: &RelPath) -> Result<()>;

    /// Sets what `meta` knows on what is at `path`, without following a link, if it
    /// still is the file with this id, else `Changed`. Returns what is there after.
    async fn set_meta(&self, path: &RelPath, id: FileId, meta: &Meta, scope: MetaScope) -> Result<Stat>;

    /// The same, if what is at `path` has exactly this stamp; and the modification
    /// time is only set if size and modification time are still those, since it
    /// would hide what was written meanwhile.
    async fn set_meta_unchanged(
        &self,
        path: &RelPath,
        stamp: &LocalStamp,
        meta: &Meta,
        scope: MetaScope,
    ) -> Result<Stat>;

    /// Makes the names in a folder durable.
    async fn sync_dir(&self, dir: &RelPath) -> Result<()>;

    /// Makes everything durable that anybody has changed so far on the root's file
    /// system.
    async fn sync_all(&self) -> Result<()>;

    /// Whether some program holds the regular file open for writing; `false` where
    /// that cannot be told.
    async fn is_being_written(&self, path: &RelPath) -> Result<bool>;

    /// Removes a file or link for good. Refused for anything that is not in the
    /// trash.
    async fn purge(&self, path: &RelPath) -> Result<()>;

    /// How many bytes the root's file system could hold.
    async fn capacity_bytes(&self) -> Result<u64>;
}

/// Where a tree's trash is.
pub(crate) fn trash_dir() -> std::result::Result<RelPath, NameProblem> {
    RelPath::root().join(RESERVED_DIR)?.join("trash")
}

/// Whether a path is that of something in the trash.
fn is_in_trash(path: &RelPath) -> bool {
    trash_dir().is_ok_and(|trash| *path != trash && path.is_within(&trash))
}

/// A regular file open for reading. It stays the same file whatever happens to
/// its name.
#[async_trait]
pub trait ReadFile: Send + Sync {
    /// Up to `size` bytes from `offset`; fewer only at the end of the file.
    async fn read_at(&self, offset: u64, size: usize) -> Result<Bytes>;
    /// What the file is now.
    async fn stat(&self) -> Result<Stat>;
    /// What it was when it was opened, or at any moment since.
    async fn stat_opened(&self) -> Result<Stat> {
        self.stat().await
    }
}

/// A file being written, under a temporary name.
#[async_trait]
pub trait WriteFile: Send + Sync {
    /// Appends.
    async fn write(&mut self, bytes: &[u8]) -> Result<()>;
    /// Sets what `meta` knows.
    async fn set_meta(&mut self, meta: &Meta, scope: MetaScope) -> Result<()>;
    /// Makes bytes and metadata durable. After an error the file must be thrown
    /// away: a second sync may lie.
    async fn sync(&mut self) -> Result<()>;
    /// What the file is now.
    async fn stat(&self) -> Result<Stat>;
}

/// How much of the metadata may be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MetaScope {
    /// Owner and group too, where the process may; never an error where not.
    pub owner: bool,
    /// Set-user-id, set-group-id and sticky bits too.
    pub privileged_bits: bool,
}

/// Which folder on which file system the root is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct RootId {
    /// The file system.
    pub filesystem: u64,
    /// The folder.
    pub dir: FileId,
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Node {
    /// A regular file.
    File,
    /// A folder.
    Dir,
    /// A symbolic link.
    Link,
    /// A device, socket or pipe.
    Special,
}

/// What is known of a file without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// What it is.
    pub node: Node,
    /// Its stamp; a folder's size is given as 0.
    pub stamp: LocalStamp,
    /// Permission bits, `0o7777` at most.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// How many names it has.
    pub links: u64,
    /// The file system it is on, comparable with [`RootId::filesystem`].
    pub filesystem: u64,
    /// For a folder: whether another file system is mounted on it.
    pub mount_point: bool,
}

impl Stat {
    /// Its metadata, without extended attributes.
    pub fn meta(&self) -> Meta {
        Meta {
            mtime_ns: Some(self.stamp.mtime_ns),
            mode: Some(self.mode),
            uid: Some(self.uid),
            gid: Some(self.gid),
            xattrs: None,
        }
    }
}

/// A name in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirItem {
    /// The name, as bytes.
    pub name: Vec<u8>,
    /// What it stands for, or why that cannot be told.
    pub stat: std::result::Result<Stat, Error>,
}

/// What may be done about a disk error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Nothing is there.
    NotFound,
    /// Something is there already.
    Exists,
    /// Not permitted.
    Denied,
    /// A folder is not empty.
    NotEmpty,
    /// No space, or no quota, left.
    NoSpace,
    /// Not a folder.
    NotADir,
    /// Not a regular file (or not what the operation is for).
    NotAFile,
    /// A symbolic link stands where a folder was expected, or the path would leave
    /// the root or cross a mount.
    Escapes,
    /// It is another file than the one that was meant.
    Changed,
    /// The two places are on different file systems.
    CrossDevice,
    /// The file system cannot do this.
    Unsupported,
    /// The file system is read-only.
    ReadOnly,
    /// Anything else; an I/O error most likely.
    Io,
}

/// What went wrong on disk, doing what, to which path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What to do about it.
    pub kind: ErrorKind,
    /// The operation, as in "open", "rename".
    pub op: &'static str,
    /// The path beneath the root.
    pub path: String,
    /// What the system said.
    pub message: String,
}

impl Error {
    /// An error about a path.
    pub fn new(kind: ErrorKind, op: &'static str, path: &RelPath, message: impl Into<String>) -> Self {
        Self { kind, op, path: path.to_string(), message: message.into() }
    }

    /// Whether it came of looking, so that nothing was to be changed.
    pub fn is_of_reading(&self) -> bool {
        matches!(self.op, "open" | "read" | "read link" | "read attributes" | "stat" | "look at the root")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}: {}", self.op, self.path, self.message)
    }
}

impl std::error::Error for Error {}

/// What disk operations return.
pub type Result<T> = std::result::Result<T, Error>;
