//! Setting and reading metadata through descriptors.
//!
//! Everything here acts on an open file, never on a path, so that nothing a name
//! becomes meanwhile is touched. Privilege is only ever given when the caller's
//! scope says so: set-id bits are masked, foreign attribute namespaces ignored, an
//! owner that may not be given is left as it is.

use super::{again, gate, node_of, stamp_of, stat_fd};
use crate::disk::{MetaScope, Node};
use rustix::fd::{AsRawFd, BorrowedFd};
use rustix::fs::{AtFlags, CWD, Gid, Mode, Timespec, Timestamps, UTIME_OMIT, Uid, XattrFlags};
use rustix::io::{Errno, Result};
use std::collections::BTreeMap;
use tidelock_core::entry::{LocalStamp, Meta};

/// The only namespace of extended attributes that is read or written.
const XATTR_NAMESPACE: &str = "user.";
/// Bits that give privilege to whoever runs a file, or guard a shared folder.
const PRIVILEGED_BITS: u32 = 0o7000;

/// An open file whose metadata may be set, and how it was opened.
#[derive(Clone, Copy)]
pub(in crate::disk) enum Handle<'a> {
    /// Opened to read or write.
    Open(BorrowedFd<'a>),
    /// Opened as a place only (`O_PATH`): a link, or a file that may not be read.
    Place(BorrowedFd<'a>),
}

impl Handle<'_> {
    /// Its descriptor.
    pub(in crate::disk) fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Open(fd) | Self::Place(fd) => *fd,
        }
    }

    /// The one name under which the kernel takes a place where it wants a path.
    fn proc_path(&self) -> String {
        format!("/proc/self/fd/{}", self.fd().as_raw_fd())
    }
}

/// Sets what `meta` knows: attributes, owner, mode and, last, times; those only if
/// the content's stamp still is `unchanged`, where one is given, else `ESTALE`.
pub(in crate::disk) fn set(
    handle: Handle<'_>,
    meta: &Meta,
    scope: MetaScope,
    unchanged: Option<&LocalStamp>,
) -> Result<()> {
    let stat = stat_fd(handle.fd())?;
    let node = node_of(&stat);
    if let Some(wanted) = meta.xattrs.as_ref().filter(|_| matches!(node, Node::File | Node::Dir)) {
        set_xattrs(handle, wanted)?;
    }
    if scope.owner && (meta.uid.is_some() || meta.gid.is_some()) {
        set_owner(handle, meta.uid, meta.gid)?;
    }
    if let Some(mode) = meta.mode.filter(|_| node != Node::Link) {
        set_mode(handle, allowed_mode(mode, u32::from(stat.stx_mode), node, scope))?;
    }
    let Some(mtime_ns) = meta.mtime_ns else { return Ok(()) };
    if let Some(expected) = unchanged {
        let now = stamp_of(&stat_fd(handle.fd())?);
        if (now.size, now.mtime_ns) != (expected.size, expected.mtime_ns) {
            return Err(Errno::STALE);
        }
    }
    set_mtime(handle, mtime_ns)
}

/// The mode that may be set. Without privilege a file loses its special bits,
/// since wider permissions on a set-id file would give privilege too; a folder,
/// where they give none, keeps those it has.
fn allowed_mode(wanted: u32, present: u32, node: Node, scope: MetaScope) -> u32 {
    let plain = wanted & 0o777;
    match node {
        _ if scope.privileged_bits => wanted & 0o7777,
        Node::Dir => plain | (present & PRIVILEGED_BITS),
        _ => plain,
    }
}

fn set_mode(handle: Handle<'_>, mode: u32) -> Result<()> {
    gate("chmod")?;
    let mode = Mode::from_raw_mode(mode);
    match handle {
        Handle::Open(fd) => rustix::fs::fchmod(fd, mode),
        Handle::Place(_) => rustix::fs::chmodat(CWD, handle.proc_path(), mode, AtFlags::empty()),
    }
}

fn set_owner(handle: Handle<'_>, uid: Option<u32>, gid: Option<u32>) -> Result<()> {
    let known = |id: Option<u32>| id.filter(|id| *id != u32::MAX);
    let give = |uid: Option<u32>, gid: Option<u32>| -> Result<bool> {
        gate("chown")?;
        let (uid, gid) = (known(uid).map(Uid::from_raw), known(gid).map(Gid::from_raw));
        match rustix::fs::chownat(handle.fd(), "", uid, gid, AtFlags::EMPTY_PATH) {
            Err(Errno::PERM | Errno::INVAL | Errno::OPNOTSUPP) => Ok(false),
            other => other.map(|()| true),
        }
    };
    // A group one belongs to may be given where an owner may not.
    if !give(uid, gid)? && uid.is_some() && gid.is_some() {
        give(None, gid)?;
    }
    Ok(())
}

fn set_mtime(handle: Handle<'_>, mtime_ns: i64) -> Result<()> {
    gate("utimens")?;
    let times = Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec {
            tv_sec: mtime_ns.div_euclid(1_000_000_000),
            tv_nsec: mtime_ns.rem_euclid(1_000_000_000),
        },
    };
    match handle {
        Handle::Open(fd) => rustix::fs::futimens(fd, &times),
        Handle::Place(fd) => match rustix::fs::utimensat(fd, "", &times, AtFlags::EMPTY_PATH) {
            // Kernels before 5.8 take no empty path; a link's own time they can
            // set by name only, so there it stays.
            Err(Errno::INVAL) => Ok(()),
            other => other,
        },
    }
}

/// Makes the `user.` attributes exactly these. A file system that keeps none is
/// no error: there is nothing to set them on.
fn set_xattrs(handle: Handle<'_>, wanted: &BTreeMap<String, Vec<u8>>) -> Result<()> {
    let present = match xattrs(handle) {
        Err(Errno::OPNOTSUPP) => return Ok(()),
        other => other?,
    };
    for name in present.keys().filter(|name| !wanted.contains_key(*name)) {
        gate("removexattr")?;
        match handle {
            Handle::Open(fd) => rustix::fs::fremovexattr(fd, name.as_str())?,
            Handle::Place(_) => rustix::fs::removexattr(handle.proc_path(), name.as_str())?,
        }
    }
    for (name, value) in wanted.iter().filter(|(name, value)| present.get(*name) != Some(value)) {
        if !name.starts_with(XATTR_NAMESPACE) {
            continue;
        }
        gate("setxattr")?;
        let set = match handle {
            Handle::Open(fd) => rustix::fs::fsetxattr(fd, name.as_str(), value, XattrFlags::empty()),
            Handle::Place(_) => rustix::fs::setxattr(handle.proc_path(), name.as_str(), value, XattrFlags::empty()),
        };
        match set {
            Err(Errno::OPNOTSUPP) => return Ok(()),
            other => other?,
        }
    }
    Ok(())
}

/// The `user.` attributes, by full name. Names that are not UTF-8 are left out.
pub(in crate::disk) fn xattrs(handle: Handle<'_>) -> Result<BTreeMap<String, Vec<u8>>> {
    let list = grow(|buffer| match handle {
        Handle::Open(fd) => rustix::fs::flistxattr(fd, buffer),
        Handle::Place(_) => rustix::fs::listxattr(handle.proc_path(), buffer),
    })?;
    let mut found = BTreeMap::new();
    for name in list.split(|byte| *byte == 0).filter_map(|name| std::str::from_utf8(name).ok()) {
        if !name.starts_with(XATTR_NAMESPACE) {
            continue;
        }
        let value = grow(|buffer| match handle {
            Handle::Open(fd) => rustix::fs::fgetxattr(fd, name, buffer),
            Handle::Place(_) => rustix::fs::getxattr(handle.proc_path(), name, buffer),
        });
        match value {
            Ok(value) => drop(found.insert(name.to_owned(), value)),
            // Removed since it was listed.
            Err(Errno::NODATA) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(found)
}

/// Reads into a buffer that grows until it is large enough: 64 KiB is the most
/// that the kernel gives.
fn grow(read: impl Fn(&mut [u8]) -> Result<usize>) -> Result<Vec<u8>> {
    let mut size = 1024;
    loop {
        let mut buffer = vec![0; size];
        match again(|| read(&mut buffer)) {
            Ok(read) => {
                buffer.truncate(read);
                return Ok(buffer);
            }
            Err(Errno::RANGE) if size < 128 * 1024 => size *= 4,
            Err(errno) => return Err(errno),
        }
    }
}
