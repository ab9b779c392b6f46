//! Body files: bytes that are written once, synced, and never changed.
//!
//! A body is a file named by its number in 16 hexadecimal digits, two folders deep.
//! The folders come from the middle digits of a counting number, so that one fills
//! with 256 bodies before the next is made. A [`NewBody`] removes itself unless it
//! is kept. Knows nothing of who refers to a body.

use super::extent::{self, Body, Half};
use super::{failure, place};
use crate::error::Result;
use crate::kill;
use rustix::fs::{AtFlags, Mode, OFlags, mkdirat, openat, unlinkat};
use rustix::io::Errno;
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// The folder of body files, and the counter of bodies and objects.
pub(super) struct Bodies {
    folder: OwnedFd,
    next: AtomicU64,
    /// The innermost folders that this process knows to be there for good.
    made: Mutex<HashSet<u16>>,
}

impl Bodies {
    /// Opens the folder of a store.
    pub(super) fn open(root: &Path) -> Result<Self> {
        let path = root.join(place::BODIES);
        let folder = rustix::fs::open(&path, FOLDER, Mode::empty());
        let folder = folder.map_err(|error| failure::io("open", path.display(), error))?;
        Ok(Self { folder, next: AtomicU64::new(1), made: Mutex::default() })
    }

    /// Makes the counter go on after the highest number in use.
    pub(super) fn number_after(&self, highest: u64) {
        self.next.store(highest + 1, Ordering::SeqCst);
    }

    /// A number nothing else has.
    pub(super) fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::SeqCst)
    }

    /// Begins a new body.
    pub(super) fn create(self: &Arc<Self>) -> Result<NewBody> {
        let id = self.number();
        self.make_folder(id).map_err(|error| failure::io("put", format_args!("bodies/{}", inner(id)), error))?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        kill::point("create body");
        let file = openat(&self.folder, name(id), flags, Mode::RUSR | Mode::WUSR);
        let file = file.map_err(|error| failure::io("put", name(id), error))?;
        Ok(NewBody {
            bodies: self.clone(),
            id,
            file: File::from(file),
            hash: Box::default(),
            size: 0,
            kept: AtomicBool::new(false),
        })
    }

    /// Opens a body for reading.
    pub(super) fn read(&self, id: u64) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(File::from(openat(&self.folder, name(id), flags, Mode::empty())?))
    }

    /// Removes a body. What cannot be removed is an orphan, which the next opening
    /// sweeps.
    pub(super) fn remove(&self, id: u64) {
        kill::point("unlink body");
        let _ = unlinkat(&self.folder, name(id), AtFlags::empty());
    }

    /// Makes the entries of the folder that holds a body durable.
    pub(super) fn sync_folder_of(&self, id: u64) -> Result<()> {
        let sync = || -> rustix::io::Result<()> {
            let folder = openat(&self.folder, inner(id), FOLDER, Mode::empty())?;
            sync(&folder)
        };
        sync().map_err(|error| failure::io("put", format_args!("bodies/{}", inner(id)), error))
    }

    fn make_folder(&self, id: u64) -> rustix::io::Result<()> {
        // The set only grows, and only by what is true: a panic cannot spoil it.
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if made.contains(&folder_number(id)) {
            return Ok(());
        }
        // A folder that an earlier process made may not be durable yet either.
        make(&self.folder, &outer(id))?;
        sync(&self.folder)?;
        make(&self.folder, &inner(id))?;
        sync(openat(&self.folder, outer(id), FOLDER, Mode::empty())?)?;
        made.insert(folder_number(id));
        Ok(())
    }
}

fn make(folder: &OwnedFd, name: &str) -> rustix::io::Result<()> {
    kill::point("mkdir in bodies");
    match mkdirat(folder, name, Mode::RWXU) {
        Err(Errno::EXIST) | Ok(()) => Ok(()),
        Err(error) => Err(error),
    }
}

fn sync(folder: impl AsFd) -> rustix::io::Result<()> {
    kill::point("fsync in bodies");
    rustix::fs::fsync(folder)
}

/// Which innermost folder a body is in: what bodies that share it have in common.
pub(super) fn folder_number(id: u64) -> u16 {
    ((id >> 8) & 0xffff) as u16
}

fn outer(id: u64) -> String {
    format!("{:02x}", folder_number(id) >> 8)
}

fn inner(id: u64) -> String {
    format!("{:02x}/{:02x}", folder_number(id) >> 8, folder_number(id) & 0xff)
}

/// A body's place below `bodies/`.
pub(super) fn name(id: u64) -> String {
    format!("{}/{id:016x}", inner(id))
}

/// The number of a body whose file is at this place, if one can be there.
pub(super) fn number_of(outer: &str, inner: &str, file: &str) -> Option<u64> {
    let id = u64::from_str_radix(file, 16).ok()?;
    (name(id) == format!("{outer}/{inner}/{file}")).then_some(id)
}

/// A body on its way to the disk, removed when dropped unless it is kept.
pub(super) struct NewBody {
    bodies: Arc<Bodies>,
    id: u64,
    file: File,
    /// Boxed, being two kilobytes.
    hash: Box<blake3::Hasher>,
    size: u64,
    kept: AtomicBool,
}

impl NewBody {
    /// Appends bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        kill::point("write body");
        self.file.write_all(bytes).map_err(|error| failure::io("put", name(self.id), error))?;
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// Makes the bytes durable. Never tried twice: after a failed sync the kernel
    /// may have forgotten what it did not write.
    pub(super) fn sync(&self) -> Result<()> {
        kill::point("fsync body");
        self.file.sync_all().map_err(|error| failure::io("put", name(self.id), error))
    }

    /// What it is so far.
    pub(super) fn body(&self) -> Body {
        let digest: Half = extent::half(&self.hash.finalize());
        Body { id: self.id, size: self.size, digest, filed: true }
    }

    /// Leaves the file where it is: a row names it, or may.
    pub(super) fn keep(&self) {
        self.kept.store(true, Ordering::SeqCst);
    }
}

impl Drop for NewBody {
    fn drop(&mut self) {
        if !self.kept.load(Ordering::SeqCst) {
            self.bodies.remove(self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_numbers_in_their_own_folder() {
        assert_eq!(name(0x1234_56ab), "34/56/00000000123456ab");
        assert_eq!(number_of("34", "56", "00000000123456ab"), Some(0x1234_56ab));
        for (outer, inner, file) in [
            ("34", "57", "00000000123456ab"),
            ("34", "56", "00000000123456AB"),
            ("34", "56", "123456ab"),
            ("34", "56", "+0000000123456ab"),
            ("34", "56", "notes.txt"),
        ] {
            assert_eq!(number_of(outer, inner, file), None, "{outer}/{inner}/{file}");
        }
    }
}
