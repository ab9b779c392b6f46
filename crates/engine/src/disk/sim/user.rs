//! The user of the simulated disk: programs that know nothing of Tidelock.
//!
//! Everything here happens at once and passes no gate, so a simulation can do it
//! between any two effects of the engine. Like a shell, it may overwrite and remove
//! what it likes. What it saw and did is not recorded here: the simulation keeps
//! its own ledger.

use super::volume::{Attributes, Body, Outcome, Serial, Volume};
use super::{SimDisk, add_at};
use crate::disk::{ErrorKind, Node, RootId, Stat};
use std::collections::BTreeMap;
use std::sync::Arc;
use tidelock_core::path::RelPath;

/// What an action of the user ends in.
pub type UserResult = std::result::Result<(), ErrorKind>;

/// What a name stands for, as [`SimDisk::tree`] shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimNode {
    /// What it is.
    pub kind: Node,
    /// A file's bytes; empty for all else.
    pub bytes: Vec<u8>,
    /// Permission bits.
    pub mode: u32,
    /// Modification time.
    pub mtime_ns: i64,
    /// A link's target.
    pub target: Option<Vec<u8>>,
    /// Extended attributes.
    pub xattrs: BTreeMap<String, Vec<u8>>,
}

/// A file that a program holds open for writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserFile(Serial);

impl SimDisk {
    fn user<T>(&self, act: impl FnOnce(&mut Volume, i64) -> Outcome<T>) -> Outcome<T> {
        let mut volume = self.lock();
        let outcome = act(&mut volume, self.now_ns());
        if volume.options.user_durable {
            volume.sync_names();
        }
        outcome
    }

    /// Writes a file in place, keeping its inode, or makes it.
    pub fn user_write(&self, path: &RelPath, bytes: &[u8]) -> UserResult {
        self.user(|volume, now_ns| {
            let serial = file_at(volume, path, now_ns)?;
            rewrite(volume, serial, now_ns, |to| *to = bytes.to_vec())
        })
    }

    /// Appends to a file, or makes it.
    pub fn user_append(&self, path: &RelPath, bytes: &[u8]) -> UserResult {
        self.user(|volume, now_ns| {
            let serial = file_at(volume, path, now_ns)?;
            rewrite(volume, serial, now_ns, |to| to.extend(bytes))
        })
    }

    /// Puts a new file over the name, as editors do that save by renaming.
    pub fn user_replace(&self, path: &RelPath, bytes: &[u8]) -> UserResult {
        self.user(|volume, now_ns| {
            let place = volume.place(path)?;
            if place.child.is_some_and(|child| volume.folder(child).is_some()) {
                return Err(ErrorKind::NotAFile);
            }
            let serial = add_at(volume, &place, Body::File(Arc::new(bytes.to_vec())), 0o644, now_ns);
            if volume.options.user_durable {
                volume.sync_file(serial);
            }
            Ok(())
        })
    }

    /// Renames as `rename(2)` does: over a file, over an empty folder, whole
    /// folders, or only the case of a name.
    pub fn user_rename(&self, from: &RelPath, to: &RelPath) -> UserResult {
        self.user(|volume, now_ns| {
            let (source, target) = (volume.place(from)?, volume.place(to)?);
            let child = source.child.ok_or(ErrorKind::NotFound)?;
            if to != from && to.is_within(from) {
                return Err(ErrorKind::Unsupported);
            }
            if let Some(old) = target.child.filter(|old| *old != child) {
                match (volume.folder(child), volume.folder(old)) {
                    (Some(_), None) => return Err(ErrorKind::NotADir),
                    (None, Some(_)) => return Err(ErrorKind::NotAFile),
                    (_, Some(folder)) if !folder.is_empty() => return Err(ErrorKind::NotEmpty),
                    _ => {}
                }
            }
            volume.commit(&[(&source, None), (&target, Some(child))], now_ns);
            Ok(())
        })
    }

    /// Makes a folder, and those above it.
    pub fn user_mkdir(&self, path: &RelPath) -> UserResult {
        self.user(|volume, now_ns| {
            let mut dir = RelPath::root();
            for segment in path.segments() {
                dir = dir.join(segment).map_err(|_| ErrorKind::Unsupported)?;
                let place = volume.place(&dir)?;
                match place.child {
                    Some(child) if volume.folder(child).is_some() => {}
                    Some(_) => return Err(ErrorKind::Exists),
                    None => drop(add_at(volume, &place, Body::Dir(BTreeMap::new()), 0o755, now_ns)),
                }
            }
            Ok(())
        })
    }

    /// Removes a file, or a folder and all in it.
    pub fn user_remove(&self, path: &RelPath) -> UserResult {
        self.user(|volume, now_ns| remove(volume, path, now_ns))
    }

    /// Makes a symbolic link.
    pub fn user_symlink(&self, path: &RelPath, target: &[u8]) -> UserResult {
        self.user(|volume, now_ns| super::add(volume, path, Body::Link(target.to_vec()), 0o777, now_ns).map(drop))
    }

    /// Gives a file a second name.
    pub fn user_hard_link(&self, path: &RelPath, new: &RelPath) -> UserResult {
        self.user(|volume, now_ns| {
            let (serial, place) = (volume.find(path)?, volume.place(new)?);
            if place.child.is_some() || volume.folder(serial).is_some() {
                return Err(ErrorKind::Exists);
            }
            volume.commit(&[(&place, Some(serial))], now_ns);
            Ok(())
        })
    }

    /// Makes a pipe, a socket, or some such.
    pub fn user_special(&self, path: &RelPath) -> UserResult {
        self.user(|volume, now_ns| super::add(volume, path, Body::Special, 0o644, now_ns).map(drop))
    }

    /// Makes a file whose name need not be text.
    pub fn user_write_bytes_name(&self, dir: &RelPath, name: &[u8], bytes: &[u8]) -> UserResult {
        self.user(|volume, now_ns| {
            let place = volume.place_in(volume.find(dir)?, name)?;
            let serial = add_at(volume, &place, Body::File(Arc::new(bytes.to_vec())), 0o644, now_ns);
            volume.sync_file(serial);
            Ok(())
        })
    }

    /// Sets the permission bits.
    pub fn user_chmod(&self, path: &RelPath, mode: u32) -> UserResult {
        self.user(|volume, now_ns| {
            let serial = volume.find(path)?;
            change(volume, serial, now_ns, |attributes| attributes.mode = mode & 0o7777);
            Ok(())
        })
    }

    /// Sets the modification time to now.
    pub fn user_touch(&self, path: &RelPath) -> UserResult {
        let now_ns = self.now_ns();
        self.user_set_mtime(path, now_ns)
    }

    /// Sets the modification time to anything, as `touch -d` and archives do.
    pub fn user_set_mtime(&self, path: &RelPath, mtime_ns: i64) -> UserResult {
        self.user(|volume, now_ns| {
            let serial = volume.find(path)?;
            change(volume, serial, now_ns, |attributes| attributes.mtime_ns = mtime_ns);
            Ok(())
        })
    }

    /// Gives a file or folder an extended attribute, or takes it away.
    pub fn user_set_xattr(&self, path: &RelPath, name: &str, value: Option<&[u8]>) -> UserResult {
        self.user(|volume, now_ns| {
            let serial = volume.find(path)?;
            if !volume.options.keeps_xattrs || matches!(volume.stat(serial).node, Node::Link | Node::Special) {
                return Err(ErrorKind::NotAFile);
            }
            change(volume, serial, now_ns, |attributes| {
                match value {
                    Some(value) => attributes.xattrs.insert(name.to_owned(), value.to_vec()),
                    None => attributes.xattrs.remove(name),
                };
            });
            Ok(())
        })
    }

    /// Opens a file for writing and keeps it open, whatever becomes of its name.
    pub fn user_open(&self, path: &RelPath) -> Outcome<UserFile> {
        self.user(|volume, now_ns| {
            let serial = file_at(volume, path, now_ns)?;
            volume.open_to_write(serial);
            Ok(UserFile(serial))
        })
    }

    /// Appends to a file held open.
    pub fn user_write_open(&self, file: &UserFile, bytes: &[u8]) -> UserResult {
        self.user(|volume, now_ns| rewrite(volume, file.0, now_ns, |to| to.extend(bytes)))
    }

    /// Closes a file held open.
    pub fn user_close(&self, file: UserFile) {
        self.lock().close_written(file.0);
    }

    /// Makes everything on the disk durable, as `sync` does.
    pub fn user_sync(&self) {
        self.lock().sync_all();
    }

    /// A file's bytes, if it is one.
    pub fn user_read(&self, path: &RelPath) -> Option<Vec<u8>> {
        let volume = self.lock();
        match &volume.inode(volume.find(path).ok()?).body {
            Body::File(bytes) => Some(bytes.to_vec()),
            _ => None,
        }
    }

    /// Which folder the root is, without gate or fault.
    pub fn user_root(&self) -> Option<RootId> {
        let dir = self.user_stat(&RelPath::root())?.stamp.file_id;
        Some(RootId { filesystem: self.lock().filesystem(), dir })
    }

    /// What is at a path, without gate or fault.
    pub fn user_stat(&self, path: &RelPath) -> Option<Stat> {
        let volume = self.lock();
        volume.find(path).ok().map(|serial| volume.stat(serial))
    }

    /// Everything below the root, Tidelock's own folder included. Names that are
    /// not text are shown with the replacement character.
    pub fn tree(&self) -> BTreeMap<RelPath, SimNode> {
        let volume = self.lock();
        let mut tree = BTreeMap::new();
        if let Ok(top) = volume.top() {
            collect(&volume, top, &RelPath::root(), &mut tree);
        }
        tree
    }
}

fn collect(volume: &Volume, dir: Serial, path: &RelPath, tree: &mut BTreeMap<RelPath, SimNode>) {
    for entry in volume.folder(dir).into_iter().flat_map(BTreeMap::values) {
        let Ok(path) = path.join(&String::from_utf8_lossy(&entry.name)) else { continue };
        let stat = volume.stat(entry.child);
        let (bytes, target) = match &volume.inode(entry.child).body {
            Body::File(bytes) => (bytes.to_vec(), None),
            Body::Link(target) => (Vec::new(), Some(target.clone())),
            _ => (Vec::new(), None),
        };
        let xattrs = volume.inode(entry.child).attributes.xattrs.clone();
        let node = SimNode { kind: stat.node, bytes, mode: stat.mode, mtime_ns: stat.stamp.mtime_ns, target, xattrs };
        tree.insert(path.clone(), node);
        collect(volume, entry.child, &path, tree);
    }
}

/// The file at `path`, made if nothing is there.
fn file_at(volume: &mut Volume, path: &RelPath, now_ns: i64) -> Outcome<Serial> {
    let place = volume.place(path)?;
    match place.child {
        Some(serial) if volume.stat(serial).node == Node::File => Ok(serial),
        Some(_) => Err(ErrorKind::NotAFile),
        None => Ok(add_at(volume, &place, Body::File(Arc::default()), 0o644, now_ns)),
    }
}

fn change(volume: &mut Volume, serial: Serial, now_ns: i64, change: impl FnOnce(&mut Attributes)) {
    volume.change(serial, now_ns, change);
    if volume.options.user_durable {
        volume.sync_attributes(serial);
    }
}

fn rewrite(volume: &mut Volume, serial: Serial, now_ns: i64, change: impl FnOnce(&mut Vec<u8>)) -> Outcome<()> {
    volume.write(serial, now_ns, change)?;
    if volume.options.user_durable {
        volume.sync_file(serial);
    }
    Ok(())
}

fn remove(volume: &mut Volume, path: &RelPath, now_ns: i64) -> Outcome<()> {
    let place = volume.place(path)?;
    let child = place.child.ok_or(ErrorKind::NotFound)?;
    remove_at(volume, &place, child, now_ns)
}

fn remove_at(volume: &mut Volume, place: &super::Place, child: Serial, now_ns: i64) -> Outcome<()> {
    let names: Vec<Vec<u8>> =
        volume.folder(child).into_iter().flat_map(BTreeMap::values).map(|entry| entry.name.clone()).collect();
    for name in names {
        let below = volume.place_in(child, &name)?;
        if let Some(grandchild) = below.child {
            remove_at(volume, &below, grandchild, now_ns)?;
        }
    }
    volume.commit(&[(place, None)], now_ns);
    Ok(())
}
