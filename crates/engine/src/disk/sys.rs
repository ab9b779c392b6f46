//! The system calls of the real disk, and the only way to a path.
//!
//! [`Beneath`] holds the root's descriptor and resolves every path below it inside
//! the kernel (`openat2`), or, on kernels without that, one segment at a time; no
//! symbolic link and no `..` can lead out, whoever races. Each call that changes
//! something passes [`gate`] first, where tests kill the process or make it fail.
//! What an errno means to the engine is said here once, in [`kind_of`]; what is
//! safe to do is not known here. rustix does the calling, but for one call that it
//! does not have.

pub(super) mod meta;

use crate::disk::{ErrorKind, Node};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags, ResolveFlags, Statx, StatxAttributes, StatxFlags};
use rustix::io::{Errno, Result};
use std::sync::atomic::{AtomicU8, Ordering};
use tidelock_core::entry::{FileId, LocalStamp};
use tidelock_core::path::RelPath;

/// How often a path is resolved again when the kernel lost a race with a rename.
const RESOLVE_ATTEMPTS: u32 = 64;
/// What is asked about every file, in one call.
const WANTED: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::BTIME);

/// Passed before every call that changes the disk: the place where tests kill the
/// process or fail the call.
pub(super) fn gate(what: &'static str) -> Result<()> {
    tidelock_remote::kill::point(what);
    tidelock_remote::kill::fail_point(what).map_or(Ok(()), Err)
}

/// A root folder and the rules for what lies beneath it.
#[derive(Debug)]
pub(super) struct Beneath {
    root: OwnedFd,
    rules: ResolveFlags,
    walk: bool,
}

impl Beneath {
    /// Takes the folder at `root`, which is the only path ever resolved freely.
    pub(super) fn new(root: &std::path::Path, cross_mounts: bool) -> Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(root, flags, Mode::empty())?;
        let mut rules = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        if !cross_mounts {
            rules |= ResolveFlags::NO_XDEV;
        }
        // Old kernels do not know the call, old sandboxes refuse it.
        let asked = rustix::fs::openat2(&root, ".", flags, Mode::empty(), rules);
        let walk = matches!(asked, Err(Errno::NOSYS | Errno::PERM));
        Ok(Self { root, rules, walk })
    }

    /// The same, resolving as on a kernel without `openat2`.
    #[cfg(test)]
    pub(super) fn walking(mut self) -> Self {
        self.walk = true;
        self
    }

    /// The root's own descriptor, good for `*at` calls only.
    pub(super) fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// Opens what is at `path`, following nothing. `flags` decide how.
    pub(super) fn open(&self, path: &RelPath, flags: OFlags) -> Result<OwnedFd> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        if path.is_root() {
            return again(|| rustix::fs::openat(&self.root, ".", flags, Mode::empty()));
        }
        if self.walk {
            let parent = self.walk_to_parent(path)?;
            let found = again(|| rustix::fs::openat(&parent, path.name(), flags, Mode::empty()))?;
            return self.same_mount(&found).map(|()| found);
        }
        again(|| rustix::fs::openat2(&self.root, path.as_str(), flags, Mode::empty(), self.rules))
    }

    /// Opens what is at `path` for reading, through symbolic links and wherever
    /// they lead; for disks that were told to.
    pub(super) fn open_following(&self, path: &RelPath, flags: OFlags) -> Result<OwnedFd> {
        let name = if path.is_root() { "." } else { path.as_str() };
        again(|| rustix::fs::openat(&self.root, name, flags | OFlags::CLOEXEC, Mode::empty()))
    }

    /// The folder that holds `path`, for `*at` calls on its last name.
    pub(super) fn parent(&self, path: &RelPath) -> Result<OwnedFd> {
        if self.walk {
            return self.walk_to_parent(path);
        }
        // The root has no name to act on; callers never ask for its parent.
        let parent = path.parent().ok_or(Errno::INVAL)?;
        let (name, flags) = (if parent.is_root() { "." } else { parent.as_str() }, OFlags::PATH | OFlags::DIRECTORY);
        // Not `NOFOLLOW`, which would call a link "not a folder": the rules refuse
        // it by its own name.
        again(|| rustix::fs::openat2(&self.root, name, flags | OFlags::CLOEXEC, Mode::empty(), self.rules))
    }

    fn walk_to_parent(&self, path: &RelPath) -> Result<OwnedFd> {
        let parent = path.parent().ok_or(Errno::INVAL)?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut at = rustix::fs::openat(&self.root, ".", flags, Mode::empty())?;
        for segment in parent.segments() {
            let next = match rustix::fs::openat(&at, segment, flags, Mode::empty()) {
                // A link is "not a folder" to this call, but worth its own name.
                Err(Errno::NOTDIR) if is_link(&at, segment) => return Err(Errno::LOOP),
                other => other?,
            };
            self.same_mount(&next)?;
            at = next;
        }
        Ok(at)
    }

    fn same_mount(&self, fd: &OwnedFd) -> Result<()> {
        if !self.rules.contains(ResolveFlags::NO_XDEV) || device(&stat_fd(fd)?) == device(&stat_fd(&self.root)?) {
            return Ok(());
        }
        Err(Errno::XDEV)
    }
}

fn is_link(dir: &OwnedFd, name: &str) -> bool {
    stat_at(dir, name, false).is_ok_and(|stat| node_of(&stat) == Node::Link)
}

/// Repeats a call that was interrupted, or that lost a race with a rename, a
/// bounded number of times.
pub(super) fn again<T>(mut call: impl FnMut() -> Result<T>) -> Result<T> {
    let mut left = RESOLVE_ATTEMPTS;
    loop {
        match call() {
            Err(Errno::INTR | Errno::AGAIN) if left > 0 => left -= 1,
            other => return other,
        }
    }
}

/// What `name` in `dir` is, the link itself unless `follow`.
pub(super) fn stat_at(dir: impl AsFd, name: impl rustix::path::Arg + Copy, follow: bool) -> Result<Statx> {
    let flags = if follow { AtFlags::empty() } else { AtFlags::SYMLINK_NOFOLLOW };
    again(|| rustix::fs::statx(&dir, name, flags | AtFlags::NO_AUTOMOUNT, WANTED))
}

/// What the open file is.
pub(super) fn stat_fd(fd: impl AsFd) -> Result<Statx> {
    again(|| rustix::fs::statx(&fd, "", AtFlags::EMPTY_PATH, WANTED))
}

/// The device a file is on, as long as it is mounted.
pub(super) fn device(stat: &Statx) -> u64 {
    rustix::fs::makedev(stat.stx_dev_major, stat.stx_dev_minor)
}

/// What kind of thing it is.
pub(super) fn node_of(stat: &Statx) -> Node {
    match rustix::fs::FileType::from_raw_mode(u32::from(stat.stx_mode)) {
        rustix::fs::FileType::RegularFile => Node::File,
        rustix::fs::FileType::Directory => Node::Dir,
        rustix::fs::FileType::Symlink => Node::Link,
        _ => Node::Special,
    }
}

/// Its stamp, identity included.
pub(super) fn stamp_of(stat: &Statx) -> LocalStamp {
    let born = StatxFlags::from_bits_retain(stat.stx_mask).contains(StatxFlags::BTIME);
    LocalStamp {
        size: if node_of(stat) == Node::Dir { 0 } else { stat.stx_size },
        mtime_ns: nanoseconds(stat.stx_mtime.tv_sec, stat.stx_mtime.tv_nsec),
        change_ns: nanoseconds(stat.stx_ctime.tv_sec, stat.stx_ctime.tv_nsec),
        file_id: FileId {
            inode: stat.stx_ino,
            birth_ns: if born { nanoseconds(stat.stx_btime.tv_sec, stat.stx_btime.tv_nsec) } else { 0 },
        },
    }
}

fn nanoseconds(seconds: i64, rest: u32) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(i64::from(rest))
}

/// Whether it is the root of a mount. Kernels before 5.8 do not tell.
pub(super) fn is_mount_root(stat: &Statx) -> bool {
    stat.stx_attributes_mask.contains(StatxAttributes::MOUNT_ROOT)
        && stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT)
}

/// A number for the file system a file is on: what `statfs` says, or the device
/// number where that is zero.
pub(super) fn filesystem_of(fd: impl AsFd) -> Result<u64> {
    match again(|| rustix::fs::fstatvfs(&fd))?.f_fsid {
        0 => stat_fd(fd).map(|stat| device(&stat)),
        id => Ok(id),
    }
}

/// Makes a new file for writing, readable by its owner alone.
pub(super) fn create(dir: impl AsFd, name: &str) -> Result<OwnedFd> {
    gate("create")?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(dir, name, flags, Mode::RUSR | Mode::WUSR)
}

/// Writes all of it at the file's end.
pub(super) fn write_all(fd: impl AsFd, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        gate("write")?;
        match again(|| rustix::io::write(&fd, bytes))? {
            0 => return Err(Errno::IO),
            written => bytes = &bytes[written..],
        }
    }
    Ok(())
}

/// Makes a file or folder durable.
pub(super) fn sync(fd: impl AsFd, what: &'static str) -> Result<()> {
    gate(what)?;
    rustix::fs::fsync(fd)
}

/// Makes everything on the file system durable.
pub(super) fn sync_all(fd: impl AsFd) -> Result<()> {
    gate("syncfs")?;
    rustix::fs::syncfs(fd)
}

/// Makes every file system durable.
pub(super) fn sync_everything() -> Result<()> {
    gate("sync")?;
    rustix::fs::sync();
    Ok(())
}

/// Whether some process holds a regular file open for writing, or mapped so: then
/// nobody may have a read lease on it. `fd` must be open for reading only. Where
/// leases are not to be had (network file systems, files of others) it is `false`.
#[allow(unsafe_code, reason = "no safe binding of fcntl's lease commands exists")]
pub(super) fn is_being_written(fd: impl AsFd) -> bool {
    use rustix::fd::AsRawFd as _;
    // From linux/fcntl.h; the same on every architecture that Rust's tier 1 and 2 name.
    const F_SETSIG: libc::c_int = 10;
    let fd = fd.as_fd().as_raw_fd();
    // Whoever opens the file to write while the lease is held has the kernel send
    // a signal to its holder. This one is ignored by default; the usual one kills.
    // SAFETY: the descriptor is borrowed, so it is open; these commands take an
    // integer, and touch no memory of ours.
    unsafe {
        if libc::fcntl(fd, F_SETSIG, libc::SIGURG) != 0 {
            return false;
        }
        if libc::fcntl(fd, libc::F_SETLEASE, libc::F_RDLCK) == 0 {
            libc::fcntl(fd, libc::F_SETLEASE, libc::F_UNLCK);
            return false;
        }
    }
    std::io::Error::last_os_error().raw_os_error() == Some(libc::EAGAIN)
}

/// Which of the first three descriptors were closed when the process began.
static CLOSED_AT_START: AtomicU8 = AtomicU8::new(0);

/// Runs before `main`, and so before the runtime opens `/dev/null` in the place of what is
/// closed, from when on nobody could tell it from one that a person gave.
#[allow(unsafe_code, reason = "nothing of Rust's own runs so early")]
#[used]
#[unsafe(link_section = ".init_array")]
static LOOK_AT_START: extern "C" fn() = {
    extern "C" fn look() {
        for fd in 0..3 {
            // SAFETY: this only asks for flags, of whatever the number stands for, and
            // touches no memory of ours.
            if unsafe { libc::fcntl(fd, libc::F_GETFD) } < 0 {
                CLOSED_AT_START.fetch_or(1 << fd, Ordering::Relaxed);
            }
        }
    }
    look
};

/// Whether standard input (0), output (1) or error (2) was closed when the process began.
pub fn was_closed_at_start(fd: u8) -> bool {
    CLOSED_AT_START.load(Ordering::Relaxed) & (1 << fd) != 0
}

/// Makes a folder.
pub(super) fn make_dir(dir: impl AsFd, name: &str, mode: u32) -> Result<()> {
    gate("mkdir")?;
    rustix::fs::mkdirat(dir, name, Mode::from_raw_mode(mode & 0o7777))
}

/// Makes a symbolic link.
pub(super) fn make_link(dir: impl AsFd, name: &str, target: &[u8]) -> Result<()> {
    gate("symlink")?;
    rustix::fs::symlinkat(target, dir, name)
}

/// Renames, replacing nothing.
pub(super) fn rename(from: (impl AsFd, &str), to: (impl AsFd, &str)) -> Result<()> {
    gate("rename")?;
    rustix::fs::renameat_with(from.0, from.1, to.0, to.1, RenameFlags::NOREPLACE)
}

/// Exchanges two names.
pub(super) fn exchange(a: (impl AsFd, &str), b: (impl AsFd, &str)) -> Result<()> {
    gate("exchange")?;
    rustix::fs::renameat_with(a.0, a.1, b.0, b.1, RenameFlags::EXCHANGE)
}

/// Removes a file's name.
pub(super) fn unlink(dir: impl AsFd, name: &str) -> Result<()> {
    gate("unlink")?;
    rustix::fs::unlinkat(dir, name, AtFlags::empty())
}

/// Removes an empty folder.
pub(super) fn remove_dir(dir: impl AsFd, name: &str) -> Result<()> {
    gate("rmdir")?;
    rustix::fs::unlinkat(dir, name, AtFlags::REMOVEDIR)
}

/// What an errno means to the engine.
pub(super) fn kind_of(errno: Errno) -> ErrorKind {
    match errno {
        Errno::NOENT => ErrorKind::NotFound,
        Errno::EXIST => ErrorKind::Exists,
        Errno::ACCESS | Errno::PERM => ErrorKind::Denied,
        Errno::NOTEMPTY => ErrorKind::NotEmpty,
        Errno::NOSPC | Errno::DQUOT => ErrorKind::NoSpace,
        Errno::NOTDIR => ErrorKind::NotADir,
        Errno::ISDIR | Errno::NXIO => ErrorKind::NotAFile,
        Errno::LOOP => ErrorKind::Escapes,
        Errno::XDEV => ErrorKind::CrossDevice,
        Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::NAMETOOLONG | Errno::FBIG => ErrorKind::Unsupported,
        Errno::ROFS => ErrorKind::ReadOnly,
        Errno::STALE => ErrorKind::Changed,
        _ => ErrorKind::Io,
    }
}

/// What an errno means to a person.
pub(super) fn words_of(errno: Errno) -> String {
    let words = match errno {
        Errno::NOENT => "nothing is there",
        Errno::EXIST => "something is there already",
        Errno::ACCESS | Errno::PERM => "not permitted",
        Errno::NOTEMPTY => "the folder is not empty",
        Errno::NOSPC => "no space is left on the disk",
        Errno::DQUOT => "the disk quota is used up",
        Errno::NOTDIR => "part of the path is not a folder",
        Errno::ISDIR => "it is a folder",
        Errno::NXIO => "it is not a regular file",
        Errno::LOOP => "part of the path is a symbolic link",
        Errno::XDEV => "the path crosses into another file system",
        Errno::NAMETOOLONG => "the name is too long for this file system",
        Errno::FBIG => "the file is too large for this file system",
        Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP => "the file system cannot do this",
        Errno::STALE => "it was changed meanwhile",
        Errno::ROFS => "the file system is read-only",
        Errno::IO => "the disk reported an input/output error",
        Errno::MFILE | Errno::NFILE => "too many files are open",
        Errno::BUSY => "it is in use",
        Errno::AGAIN => "the path kept changing while it was looked up",
        other => return other.to_string(),
    };
    words.to_owned()
}

/// Whether the kernel and the file system at `path` keep multigrain timestamps.
pub(super) fn has_fine_times(path: &std::path::Path) -> bool {
    // From linux/magic.h: ext4, xfs, btrfs, tmpfs.
    const FINE: [u64; 4] = [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994];
    let release = rustix::system::uname();
    let mut numbers =
        release.release().to_str().unwrap_or("").split(['.', '-']).map(|part| part.parse::<u32>().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let magic = rustix::fs::statfs(path).map(|stat| u64::try_from(stat.f_type).unwrap_or(0)).unwrap_or(0);
    version >= (6, 13) && FINE.contains(&magic)
}
