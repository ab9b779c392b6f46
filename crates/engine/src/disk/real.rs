//! The disk of this machine: Linux, beneath one root.
//!
//! [`RealDisk`] turns the [`Disk`] trait into the system calls of `sys.rs` and
//! their errors into [`ErrorKind`]s. It decides nothing: what may be replaced or
//! removed is `install.rs`. Its futures never wait, so call it where blocking is
//! allowed. While it lives it holds the root open, which keeps the file system
//! mounted; [`Disk::root`] looks at the root's *path* afresh, so that a root that
//! was swapped or mounted over is seen.

use super::sys::meta::{self, Handle};
use super::sys::{self, Beneath};
use super::{DirItem, Disk, Error, ErrorKind, MetaScope, Node, ReadFile, Result, RootId, Stat, WriteFile};
use async_trait::async_trait;
use bytes::Bytes;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{OFlags, RawDir, Statx};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tidelock_core::entry::{FileId, LocalStamp, Meta};
use tidelock_core::path::{RelPath, TEMP_PREFIX};

/// How many bytes of names are asked from the kernel at once.
const NAMES_BYTES: usize = 32 * 1024;

/// What a root may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RealOptions {
    /// Reading goes through symbolic links, wherever they lead. Writing never does.
    pub follow_links: bool,
    /// File systems mounted below the root belong to it.
    pub cross_mounts: bool,
}

/// A root folder on this machine.
#[derive(Debug)]
pub struct RealDisk {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    beneath: Beneath,
    root_path: PathBuf,
    follow_links: bool,
    /// Whether two changes never share a time, if the file is looked at in between.
    fine_times: bool,
    /// File system numbers by device, so that only the first file seen of each
    /// costs a call. Forgotten whenever the root is looked at, since a device
    /// number may be given to another file system.
    filesystems: Mutex<HashMap<u64, u64>>,
}

impl RealDisk {
    /// Takes the folder at `root`. The path itself may go through links: it is the
    /// user's own word.
    pub fn open(root: &Path, options: RealOptions) -> Result<Self> {
        let beneath =
            Beneath::new(root, options.cross_mounts).map_err(|errno| error("open root", &RelPath::root(), errno))?;
        Self::over(beneath, root, options)
    }

    fn over(beneath: Beneath, root: &Path, options: RealOptions) -> Result<Self> {
        // A relative path would change its meaning with the working directory.
        let root_path = std::path::absolute(root)
            .map_err(|error| Error::new(ErrorKind::Io, "open root", &RelPath::root(), error.to_string()))?;
        let filesystems = Mutex::new(HashMap::new());
        let fine_times = sys::has_fine_times(&root_path);
        let follow_links = options.follow_links;
        Ok(Self { shared: Arc::new(Shared { beneath, root_path, follow_links, fine_times, filesystems }) })
    }

    /// The same on a kernel without `openat2`.
    #[cfg(test)]
    pub(crate) fn open_walking(root: &Path, options: RealOptions) -> Result<Self> {
        let beneath =
            Beneath::new(root, options.cross_mounts).map_err(|errno| error("open root", &RelPath::root(), errno))?;
        Self::over(beneath.walking(), root, options)
    }
}

fn error(op: &'static str, path: &RelPath, errno: Errno) -> Error {
    Error::new(sys::kind_of(errno), op, path, sys::words_of(errno))
}

/// While a path is looked up, another file system means that it leads out.
fn lookup_error(op: &'static str, path: &RelPath, errno: Errno) -> Error {
    let kind = if errno == Errno::XDEV { ErrorKind::Escapes } else { sys::kind_of(errno) };
    Error::new(kind, op, path, sys::words_of(errno))
}

impl Shared {
    fn parent(&self, op: &'static str, path: &RelPath) -> Result<OwnedFd> {
        self.beneath.parent(path).map_err(|errno| lookup_error(op, path, errno))
    }

    fn open(&self, op: &'static str, path: &RelPath, flags: OFlags) -> Result<OwnedFd> {
        self.beneath.open(path, flags).map_err(|errno| lookup_error(op, path, errno))
    }

    /// Opens to read, through links if this disk was told to.
    fn open_to_read(&self, path: &RelPath, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        if self.follow_links { self.beneath.open_following(path, flags) } else { self.beneath.open(path, flags) }
    }

    fn stat_from(
        &self,
        seen: &Statx,
        filesystem: impl FnOnce() -> rustix::io::Result<u64>,
    ) -> rustix::io::Result<Stat> {
        let device = sys::device(seen);
        let known = self.filesystems.lock().unwrap_or_else(PoisonError::into_inner).get(&device).copied();
        let filesystem = match known {
            Some(known) => known,
            None => {
                let asked = filesystem()?;
                self.filesystems.lock().unwrap_or_else(PoisonError::into_inner).insert(device, asked);
                asked
            }
        };
        let node = sys::node_of(seen);
        Ok(Stat {
            node,
            stamp: sys::stamp_of(seen),
            mode: u32::from(seen.stx_mode) & 0o7777,
            uid: seen.stx_uid,
            gid: seen.stx_gid,
            links: u64::from(seen.stx_nlink),
            filesystem,
            mount_point: node == Node::Dir && sys::is_mount_root(seen),
        })
    }

    fn stat_of_fd(&self, fd: &OwnedFd) -> rustix::io::Result<Stat> {
        self.stat_from(&sys::stat_fd(fd)?, || sys::filesystem_of(fd))
    }

    /// What a name in an open folder is; through a link that leads somewhere, if
    /// this disk follows links.
    fn stat_name(&self, dir: &OwnedFd, name: &std::ffi::CStr) -> rustix::io::Result<Stat> {
        let followed = if self.follow_links { sys::stat_at(dir, name, true).ok() } else { None };
        let seen = followed.map_or_else(|| sys::stat_at(dir, name, false), Ok)?;
        self.stat_from(&seen, || {
            // Only a mount, or a link out, is on a device that the folder is not.
            if sys::device(&seen) == sys::device(&sys::stat_fd(dir)?) {
                return sys::filesystem_of(dir);
            }
            let flags = OFlags::PATH | OFlags::CLOEXEC;
            let flags = if self.follow_links { flags } else { flags | OFlags::NOFOLLOW };
            sys::filesystem_of(rustix::fs::openat(dir, name, flags, rustix::fs::Mode::empty())?)
        })
    }

    fn stat(&self, path: &RelPath) -> rustix::io::Result<Stat> {
        if path.is_root() {
            return self.stat_from(&sys::stat_fd(self.beneath.root())?, || sys::filesystem_of(self.beneath.root()));
        }
        let parent = match path.parent() {
            Some(parent) if self.follow_links => {
                self.beneath.open_following(&parent, OFlags::PATH | OFlags::DIRECTORY)?
            }
            _ => self.beneath.parent(path)?,
        };
        // A `RelPath` holds no NUL byte.
        let name = std::ffi::CString::new(path.name()).map_err(|_| Errno::INVAL)?;
        self.stat_name(&parent, &name)
    }

    fn read_dir(&self, path: &RelPath) -> rustix::io::Result<Vec<DirItem>> {
        let dir = self.open_to_read(path, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut buffer = vec![MaybeUninit::uninit(); NAMES_BYTES];
        let mut names = RawDir::new(&dir, &mut buffer);
        let mut items = Vec::new();
        while let Some(entry) = names.next() {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let stat = match self.stat_name(&dir, name) {
                Err(Errno::NOENT) => continue,
                Err(errno) => Err(Error {
                    kind: sys::kind_of(errno),
                    op: "stat",
                    path: format!("{path}/{}", String::from_utf8_lossy(name.to_bytes())),
                    message: sys::words_of(errno),
                }),
                Ok(stat) => Ok(stat),
            };
            items.push(DirItem { name: name.to_bytes().to_vec(), stat });
        }
        Ok(items)
    }

    fn set_meta(
        &self,
        path: &RelPath,
        meta: &Meta,
        scope: MetaScope,
        unchanged: Option<&LocalStamp>,
        is_meant: impl FnOnce(&LocalStamp) -> bool,
    ) -> Result<Stat> {
        let op = "set metadata";
        self.with_handle(op, path, |handle| {
            let fd = handle.fd();
            let seen = sys::stat_fd(fd).map_err(|errno| error(op, path, errno))?;
            if !is_meant(&sys::stamp_of(&seen)) {
                return Err(Error::new(ErrorKind::Changed, op, path, "it is another file now"));
            }
            if sys::node_of(&seen) == Node::Special {
                return Err(error(op, path, Errno::NXIO));
            }
            meta::set(handle, meta, scope, unchanged).map_err(|errno| error(op, path, errno))?;
            let after = sys::stat_fd(fd).and_then(|seen| self.stat_from(&seen, || sys::filesystem_of(fd)));
            after.map_err(|errno| error(op, path, errno))
        })
    }

    /// Calls `act` with a handle on what is at `path`, opened as openly as may be.
    fn with_handle<T>(&self, op: &'static str, path: &RelPath, act: impl FnOnce(Handle<'_>) -> Result<T>) -> Result<T> {
        match self.beneath.open(path, OFlags::RDONLY | OFlags::NONBLOCK) {
            Ok(fd) => act(Handle::Open(fd.as_fd())),
            // A link, or a file that its owner may not read.
            Err(Errno::LOOP | Errno::ACCESS | Errno::PERM | Errno::NXIO) => {
                let place = self.open(op, path, OFlags::PATH)?;
                act(Handle::Place(place.as_fd()))
            }
            Err(errno) => Err(lookup_error(op, path, errno)),
        }
    }
}

#[async_trait]
impl Disk for RealDisk {
    /// Since Linux 6.13 these file systems give a file that was looked at a new time
    /// with its next change, however soon (measured on all of them); elsewhere the
    /// clock ticks every 4 or 10 ms.
    fn grain_ns(&self) -> i64 {
        if self.shared.fine_times { 1 } else { 10_000_000 }
    }

    fn follows_links(&self) -> bool {
        self.shared.follow_links
    }

    /// The file system is what `statfs` calls it (ext4, btrfs and overlay derive
    /// that from a UUID on disk, so it survives a reboot and a remount), else the
    /// device number, which may differ after a reboot: the guard then wants other
    /// proof.
    async fn root(&self) -> Result<RootId> {
        let root = RelPath::root();
        self.shared.filesystems.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let look = || -> rustix::io::Result<RootId> {
            let fd = sys::again(|| rustix::fs::open(&self.shared.root_path, flags, rustix::fs::Mode::empty()))?;
            Ok(RootId { filesystem: sys::filesystem_of(&fd)?, dir: sys::stamp_of(&sys::stat_fd(&fd)?).file_id })
        };
        look().map_err(|errno| error("look at the root", &root, errno))
    }

    async fn read_dir(&self, dir: &RelPath) -> Result<Vec<DirItem>> {
        self.shared.read_dir(dir).map_err(|errno| match errno {
            // `O_DIRECTORY` calls a link at the last name "not a folder" as well.
            Errno::NOTDIR | Errno::LOOP => Error::new(ErrorKind::NotADir, "read", dir, "it is not a folder"),
            errno => lookup_error("read", dir, errno),
        })
    }

    async fn stat(&self, path: &RelPath) -> Result<Option<Stat>> {
        match self.shared.stat(path) {
            Ok(stat) => Ok(Some(stat)),
            // A link on the way is not a folder, so there is nothing beyond it.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(errno) => Err(lookup_error("stat", path, errno)),
        }
    }

    async fn open(&self, path: &RelPath) -> Result<Arc<dyn ReadFile>> {
        let not_a_file = || Error::new(ErrorKind::NotAFile, "open", path, "it is not a regular file");
        let opened = self.shared.open_to_read(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY);
        let fd = match opened {
            Ok(fd) => fd,
            // Either the file is a link, or a folder on the way to it is.
            Err(Errno::LOOP) if matches!(self.shared.stat(path), Ok(stat) if stat.node == Node::Link) => {
                return Err(not_a_file());
            }
            Err(errno) => return Err(lookup_error("open", path, errno)),
        };
        let stat = self.shared.stat_of_fd(&fd).map_err(|errno| error("open", path, errno))?;
        if stat.node != Node::File {
            return Err(not_a_file());
        }
        Ok(Arc::new(RealRead { fd, path: path.clone(), shared: Arc::clone(&self.shared), opened: stat }))
    }

    async fn read_link(&self, path: &RelPath) -> Result<Vec<u8>> {
        let parent = self.shared.parent("read link", path)?;
        match sys::again(|| rustix::fs::readlinkat(&parent, path.name(), Vec::new())) {
            Ok(target) => Ok(target.into_bytes()),
            Err(Errno::INVAL) => Err(Error::new(ErrorKind::NotAFile, "read link", path, "it is not a symbolic link")),
            Err(errno) => Err(error("read link", path, errno)),
        }
    }

    async fn xattrs(&self, path: &RelPath) -> Result<Option<BTreeMap<String, Vec<u8>>>> {
        if self.shared.stat(path).is_ok_and(|stat| matches!(stat.node, Node::Link | Node::Special)) {
            return Ok(Some(BTreeMap::new()));
        }
        self.shared.with_handle("read attributes", path, |handle| match meta::xattrs(handle) {
            Err(Errno::OPNOTSUPP) => Ok(None),
            other => other.map(Some).map_err(|errno| error("read attributes", path, errno)),
        })
    }

    async fn create(&self, path: &RelPath) -> Result<Box<dyn WriteFile>> {
        let parent = self.shared.parent("create", path)?;
        let fd = sys::create(&parent, path.name()).map_err(|errno| error("create", path, errno))?;
        Ok(Box::new(RealWrite { fd, path: path.clone(), shared: Arc::clone(&self.shared), broken: false }))
    }

    async fn make_dir(&self, path: &RelPath, mode: u32) -> Result<()> {
        if path.is_root() {
            return Err(error("make folder", path, Errno::EXIST));
        }
        let parent = self.shared.parent("make folder", path)?;
        sys::make_dir(&parent, path.name(), mode).map_err(|errno| error("make folder", path, errno))
    }

    async fn make_link(&self, path: &RelPath, target: &[u8]) -> Result<()> {
        let parent = self.shared.parent("make link", path)?;
        sys::make_link(&parent, path.name(), target).map_err(|errno| error("make link", path, errno))
    }

    async fn rename(&self, from: &RelPath, to: &RelPath) -> Result<()> {
        let (from_dir, to_dir) = (self.shared.parent("rename", from)?, self.shared.parent("rename to", to)?);
        sys::rename((&from_dir, from.name()), (&to_dir, to.name())).map_err(|errno| match errno {
            Errno::EXIST => error("rename to", to, errno),
            errno => error("rename", from, errno),
        })
    }

    async fn exchange(&self, a: &RelPath, b: &RelPath) -> Result<()> {
        let (a_dir, b_dir) = (self.shared.parent("exchange", a)?, self.shared.parent("exchange", b)?);
        sys::exchange((&a_dir, a.name()), (&b_dir, b.name())).map_err(|errno| error("exchange", b, errno))
    }

    async fn unlink_temp(&self, path: &RelPath) -> Result<()> {
        if !path.name().starts_with(TEMP_PREFIX) {
            return Err(Error::new(
                ErrorKind::Denied,
                "unlink",
                path,
                "only Tidelock's temporary files may be unlinked",
            ));
        }
        let parent = self.shared.parent("unlink", path)?;
        sys::unlink(&parent, path.name()).map_err(|errno| error("unlink", path, errno))
    }

    async fn remove_dir(&self, path: &RelPath) -> Result<()> {
        let parent = self.shared.parent("remove folder", path)?;
        sys::remove_dir(&parent, path.name()).map_err(|errno| match errno {
            // POSIX allows either for a folder with something in it.
            Errno::EXIST => error("remove folder", path, Errno::NOTEMPTY),
            errno => error("remove folder", path, errno),
        })
    }

    async fn set_meta(&self, path: &RelPath, id: FileId, meta: &Meta, scope: MetaScope) -> Result<Stat> {
        self.shared.set_meta(path, meta, scope, None, |seen| seen.file_id == id)
    }

    async fn set_meta_unchanged(
        &self,
        path: &RelPath,
        stamp: &LocalStamp,
        meta: &Meta,
        scope: MetaScope,
    ) -> Result<Stat> {
        self.shared.set_meta(path, meta, scope, Some(stamp), |seen| seen == stamp)
    }

    async fn sync_dir(&self, dir: &RelPath) -> Result<()> {
        // Whose content is read through links is where its names are, too.
        let opened = self.shared.open_to_read(dir, OFlags::RDONLY | OFlags::DIRECTORY);
        let fd = opened.map_err(|errno| lookup_error("sync folder", dir, errno))?;
        match sys::sync(&fd, "fsync folder") {
            // Some file systems keep folders safe in their own way and refuse this.
            Err(Errno::INVAL) => Ok(()),
            other => other.map_err(|errno| error("sync folder", dir, errno)),
        }
    }

    async fn sync_all(&self) -> Result<()> {
        let root = RelPath::root();
        let fd = self.shared.open("sync the file system", &root, OFlags::RDONLY | OFlags::DIRECTORY)?;
        if self.shared.follow_links {
            // Links lead to file systems that nobody has counted.
            return sys::sync_everything().map_err(|errno| error("sync the file systems", &root, errno));
        }
        sys::sync_all(&fd).map_err(|errno| error("sync the file system", &root, errno))
    }

    async fn is_being_written(&self, path: &RelPath) -> Result<bool> {
        match self.shared.beneath.open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY) {
            Ok(fd) => Ok(is_written_for_long(&fd)),
            // What may not be read cannot be asked about.
            Err(Errno::ACCESS | Errno::PERM | Errno::LOOP | Errno::NXIO | Errno::NODEV) => Ok(false),
            Err(errno) => Err(lookup_error("open", path, errno)),
        }
    }

    async fn purge(&self, path: &RelPath) -> Result<()> {
        if !super::is_in_trash(path) {
            return Err(Error::new(ErrorKind::Denied, "remove", path, "only what is in the trash may be removed"));
        }
        let parent = self.shared.parent("remove", path)?;
        sys::unlink(&parent, path.name()).map_err(|errno| error("remove", path, errno))
    }

    async fn capacity_bytes(&self) -> Result<u64> {
        let found = sys::again(|| rustix::fs::fstatvfs(self.shared.beneath.root()));
        let found = found.map_err(|errno| error("ask for the size of the disk", &RelPath::root(), errno))?;
        Ok(found.f_blocks.saturating_mul(found.f_frsize))
    }
}

/// Whether somebody holds it open to write, and not only for a moment: whatever this
/// process starts, holds all that is open in it until it becomes another program.
fn is_written_for_long(fd: &OwnedFd) -> bool {
    const WAITS_MS: [u64; 4] = [0, 1, 4, 16];
    WAITS_MS.into_iter().all(|wait_ms| {
        std::thread::sleep(Duration::from_millis(wait_ms));
        sys::is_being_written(fd)
    })
}

struct RealRead {
    fd: OwnedFd,
    path: RelPath,
    shared: Arc<Shared>,
    opened: Stat,
}

#[async_trait]
impl ReadFile for RealRead {
    async fn read_at(&self, offset: u64, size: usize) -> Result<Bytes> {
        let mut buffer = vec![0; size];
        let mut filled = 0;
        while filled < size {
            let at = offset + filled as u64;
            match sys::again(|| rustix::io::pread(&self.fd, &mut buffer[filled..], at)) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(errno) => return Err(error("read", &self.path, errno)),
            }
        }
        buffer.truncate(filled);
        Ok(buffer.into())
    }

    async fn stat(&self) -> Result<Stat> {
        self.shared.stat_of_fd(&self.fd).map_err(|errno| error("stat", &self.path, errno))
    }

    async fn stat_opened(&self) -> Result<Stat> {
        Ok(self.opened)
    }
}

struct RealWrite {
    fd: OwnedFd,
    path: RelPath,
    shared: Arc<Shared>,
    /// A sync failed. The kernel may have dropped what it could not write, and
    /// would report success the next time.
    broken: bool,
}

#[async_trait]
impl WriteFile for RealWrite {
    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        sys::write_all(&self.fd, bytes).map_err(|errno| error("write", &self.path, errno))
    }

    async fn set_meta(&mut self, meta: &Meta, scope: MetaScope) -> Result<()> {
        meta::set(Handle::Open(self.fd.as_fd()), meta, scope, None)
            .map_err(|errno| error("set metadata", &self.path, errno))
    }

    async fn sync(&mut self) -> Result<()> {
        if self.broken {
            return Err(Error::new(ErrorKind::Io, "sync", &self.path, "an earlier sync of this file failed"));
        }
        sys::sync(&self.fd, "fsync file").map_err(|errno| {
            self.broken = true;
            error("sync", &self.path, errno)
        })
    }

    async fn stat(&self) -> Result<Stat> {
        self.shared.stat_of_fd(&self.fd).map_err(|errno| error("stat", &self.path, errno))
    }
}
