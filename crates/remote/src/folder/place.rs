//! The folder itself: whether it is, or may become, a store, and who holds it.
//!
//! Making one goes lock, `README`, `bodies/`, and last `store.sqlite` under its
//! name, so that a folder with that file is a finished store and one without is
//! nothing or a beginning to be gone over again. Anything else in there belongs to
//! somebody: the folder is refused and nothing in it is touched.

use super::{OpenMode, failure, schema};
use crate::error::{Error, ErrorKind, Result};
use crate::kill;
use rustix::fs::{FlockOperation, Mode, flock, mkdir, statfs};
use rustix::io::Errno;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

pub(super) const BODIES: &str = "bodies";
pub(super) const DATABASE: &str = "store.sqlite";
/// The database while it is being made.
pub(super) const DATABASE_NEW: &str = "store.sqlite.new";
const LOCK: &str = "lock";
const LOCK_WORD: &str = "tidelock ";
const README: &str = "README";
const README_TEXT: &str = "\
This folder is a Tidelock store: an object store in a folder. The names, versions
and metadata of its objects are in store.sqlite, their bytes there or in numbered
files below bodies/. Nothing in it is meant to be edited, moved or removed by hand.
To leave, run `tidelock restore folder:PATH TARGET` with the path of this folder:
every object becomes an ordinary file in TARGET. To back it up, copy the whole
folder while no Tidelock process is using it.
";

/// A folder that is a store, and the lock on it if it may be written.
pub(super) struct Place {
    pub(super) path: PathBuf,
    pub(super) lock: Option<Lock>,
}

/// The lock on a store, held until it is dropped or the process ends.
pub(super) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing alone would leave it held as long as a child that is being started
        // still shares the descriptor.
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

/// Goes in, making what is missing if `mode` says so.
pub(super) fn enter(path: &Path, mode: OpenMode) -> Result<Place> {
    let exists = path.try_exists().map_err(|error| failure::io("open", path.display(), error))?;
    if !exists && !parent(path).try_exists().map_err(|error| failure::io("open", path.display(), error))? {
        let message = format!(
            "there is no folder {0} to hold a store in: is a disk not mounted, or the name misspelt? If neither, make it: \
             mkdir -p {0}",
            parent(path).display()
        );
        return Err(Error::new(ErrorKind::NoBucket, "open", message));
    }
    if !exists && mode != OpenMode::Create {
        return Err(no_store(path));
    }
    if exists && !path.is_dir() {
        let message = format!("{} is a file, and a store is a folder: give another path", path.display());
        return Err(Error::new(ErrorKind::Config, "open", message));
    }
    refuse_remote_file_system(if exists { path } else { parent(path) })?;
    if mode == OpenMode::Create && !super::is_store(path) {
        refuse_in_another(path, exists)?;
    }
    if !exists {
        make_root(path)?;
    }
    let path = path.canonicalize().map_err(|error| failure::io("open", path.display(), error))?;
    if survey(&path)? == Survey::Unfinished && mode != OpenMode::Create {
        return Err(no_store(&path));
    }
    if mode == OpenMode::ReadOnly {
        return Ok(Place { path, lock: None });
    }
    let lock = take_lock(&path)?;
    // Another process may have finished it before the lock was ours.
    if survey(&path)? == Survey::Unfinished {
        furnish(&path)?;
    }
    make_folder(&path.join(BODIES), &path)?;
    Ok(Place { path, lock: Some(lock) })
}

/// A store within another one would be swept away with what that does not know.
fn refuse_in_another(path: &Path, exists: bool) -> Result<()> {
    let within = if exists { path } else { parent(path) };
    let within = within.canonicalize().map_err(|error| failure::io("open", path.display(), error))?;
    let Some(other) = within.ancestors().find(|folder| super::is_store(folder)) else { return Ok(()) };
    let message = format!(
        "{} lies among the files of the store {}, where no other store may be: for a name in that store write \
         folder:{}/NAME, else give a folder outside it",
        path.display(),
        other.display(),
        other.display()
    );
    Err(Error::new(ErrorKind::Config, "open", message))
}

/// Makes the entries of a folder durable.
pub(super) fn sync_folder(path: &Path) -> Result<()> {
    kill::point("fsync folder");
    File::open(path).and_then(|folder| folder.sync_all()).map_err(|error| failure::io("open", path.display(), error))
}

#[derive(Debug, PartialEq, Eq)]
enum Survey {
    Store,
    Unfinished,
}

/// What the folder is; refuses what is neither a store nor the beginning of one.
fn survey(path: &Path) -> Result<Survey> {
    let fail = |error| failure::io("open", path.display(), error);
    if path.join(DATABASE).try_exists().map_err(fail)? {
        schema::check_header(path)?;
        return Ok(Survey::Store);
    }
    // Bodies are filed only after the database is there.
    let is_ours = begins_like(&path.join(README), README_TEXT);
    if is_ours && fs::read_dir(path.join(BODIES)).is_ok_and(|mut inside| inside.next().is_some()) {
        let message =
            format!("{} is a Tidelock store whose database {DATABASE} is missing{}", path.display(), failure::DAMAGED);
        return Err(Error::new(ErrorKind::Config, "open", message));
    }
    for entry in fs::read_dir(path).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let name = entry.file_name();
        let ours = match name.to_str() {
            Some(README) => begins_like(&entry.path(), README_TEXT),
            Some(LOCK) => begins_like(&entry.path(), LOCK_WORD),
            Some(BODIES) => fs::read_dir(entry.path()).is_ok_and(|mut inside| inside.next().is_none()),
            Some(name) => name.starts_with(DATABASE_NEW),
            None => false,
        };
        // Another process may have finished it since we looked.
        if !ours && path.join(DATABASE).try_exists().map_err(fail)? {
            schema::check_header(path)?;
            return Ok(Survey::Store);
        }
        if !ours {
            let message = format!(
                "{} holds {:?} and is not a Tidelock store: give an empty or a new folder",
                path.display(),
                name.to_string_lossy()
            );
            return Err(Error::new(ErrorKind::Config, "open", message));
        }
    }
    Ok(Survey::Unfinished)
}

/// Whether a file holds the text, a beginning of it, or, after it, one number.
fn begins_like(path: &Path, text: &str) -> bool {
    let Ok(found) = fs::read_to_string(path) else { return false };
    match found.strip_prefix(text) {
        Some(rest) => rest.trim_end().bytes().all(|byte| byte.is_ascii_digit()),
        None => text.starts_with(&found),
    }
}

fn no_store(path: &Path) -> Error {
    Error::new(
        ErrorKind::NoBucket,
        "open",
        format!("there is no store at {}; check the path: a first `tidelock sync` makes one", path.display()),
    )
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn make_root(path: &Path) -> Result<()> {
    make_folder(path, parent(path))
}

/// Makes a private folder, durably; one that is there is fine.
fn make_folder(path: &Path, parent: &Path) -> Result<()> {
    kill::point("mkdir");
    match mkdir(path, Mode::RWXU) {
        Ok(()) => sync_folder(parent),
        Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(failure::io("open", path.display(), error)),
    }
}

/// Puts into an unfinished store what it lacks; the database comes last.
fn furnish(path: &Path) -> Result<()> {
    let readme = path.join(README);
    kill::point("create README");
    let written = File::create(&readme).and_then(|mut file| {
        kill::point("write README");
        file.write_all(README_TEXT.as_bytes())?;
        kill::point("fsync README");
        file.sync_all()
    });
    written.map_err(|error| failure::io("open", readme.display(), error))?;
    make_folder(&path.join(BODIES), path)?;
    schema::create(path)?;
    sync_folder(path)
}

fn take_lock(path: &Path) -> Result<Lock> {
    let name = path.join(LOCK);
    let fail = |error| failure::io("open", name.display(), error);
    kill::point("create lock");
    let mut options = OpenOptions::new();
    let mut file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&name).map_err(fail)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => return Err(in_use(path, &mut file)),
        Err(error) => return Err(fail(error.into())),
    }
    kill::point("truncate lock");
    let emptied = file.set_len(0).and_then(|()| file.rewind());
    kill::point("write lock");
    let pid = format!("{LOCK_WORD}{}\n", std::process::id());
    // Only for people to read: what locks is the kernel, and it forgets with us. A
    // disk too full for a number must not keep anyone from making room.
    let _ = emptied.and_then(|()| file.write_all(pid.as_bytes()));
    Ok(Lock(file))
}

fn in_use(path: &Path, lock: &mut File) -> Error {
    let mut text = String::new();
    let holder = match lock.read_to_string(&mut text) {
        Ok(_) => text.strip_prefix(LOCK_WORD).map(|pid| format!("process {}", pid.trim())),
        Err(_) => None,
    };
    let holder = holder.unwrap_or_else(|| "another process".to_owned());
    let message = format!("the store at {} is in use by {holder}: wait until it is done", path.display());
    Error::new(ErrorKind::InUse, "open", message)
}

/// Locks, memory maps and syncs are only what they say on a local file system.
fn refuse_remote_file_system(path: &Path) -> Result<()> {
    let found = statfs(path).map_err(|error| failure::io("open", path.display(), error))?;
    // The type is a signed word of varying width; its low 32 bits are the magic.
    let magic = (found.f_type as u64 & 0xffff_ffff) as u32;
    match remote_file_system(magic) {
        None => Ok(()),
        Some(name) => Err(Error::new(
            ErrorKind::Config,
            "open",
            format!(
                "{} is on {name}, which cannot keep a store safe: give a folder on a local disk, or run the \
                 gateway on the machine that has the disk",
                path.display()
            ),
        )),
    }
}

/// The name of a file system that is not a local one.
fn remote_file_system(magic: u32) -> Option<&'static str> {
    Some(match magic {
        0x0000_6969 => "NFS",
        0x0000_517b | 0xfe53_4d42 | 0xff53_4d42 => "SMB",
        0x6573_5546 => "a FUSE file system",
        0x0102_1997 => "9p",
        0x00c3_6400 => "CephFS",
        0x5346_414f | 0x6b41_4653 => "AFS",
        0x7375_7245 => "Coda",
        0x0000_564c => "NCP",
        0x0bd0_0bd0 => "Lustre",
        0x4750_4653 => "GPFS",
        0x1983_0326 => "BeeGFS",
        0xbacb_acbc => "a VMware shared folder",
        0x786f_4256 => "a VirtualBox shared folder",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_have_names_and_local_ones_do_not() {
        for remote in [0x6969, 0x517b, 0xff53_4d42, 0x6573_5546, 0x0102_1997] {
            assert!(remote_file_system(remote).is_some(), "{remote:x}");
        }
        for (local, name) in [(0xef53, "ext4"), (0x5846_5342, "xfs"), (0x9123_683e, "btrfs"), (0x0102_1994, "tmpfs")] {
            assert_eq!(remote_file_system(local), None, "{name}");
        }
    }
}
