//! A file system in memory: inodes, folders, and what a crash leaves of them.
//!
//! Inodes are known by a serial that is never used twice; the inode *number* is a
//! property that may come back. Folders hold entries; every change of entries is
//! one transaction of a journal. What is durable is a prefix of that journal, and
//! for each file the bytes of its last sync. Nothing here waits or asks for time.

use super::SimOptions;
use super::faults::Chooser;
use crate::disk::{ErrorKind, Node, Stat};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use tidelock_core::entry::{FileId, LocalStamp};
use tidelock_core::path::RelPath;

/// Names an inode for as long as the volume lives.
pub(super) type Serial = u64;
/// What an operation of the volume returns.
pub(super) type Outcome<T> = std::result::Result<T, ErrorKind>;

/// How many transactions wait for a sync at most; the oldest is then written back,
/// as a real journal is after some seconds.
const JOURNAL_MAX: usize = 4096;

/// When inode numbers come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InodeReuse {
    /// The next file gets the number freed last, as on ext4 and xfs.
    #[default]
    AtOnce,
    /// Numbers come back in the order they were freed, after eight others.
    Later,
    /// Never, as on btrfs and tmpfs.
    Never,
}

/// What a file is besides its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attributes {
    pub(super) mtime_ns: i64,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) xattrs: BTreeMap<String, Vec<u8>>,
}

/// What an inode holds.
#[derive(Debug, Clone)]
pub(super) enum Body {
    File(Arc<Vec<u8>>),
    Dir(Folder),
    Link(Vec<u8>),
    Special,
}

/// A name in a folder, as it was given, and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DirEntry {
    pub(super) name: Vec<u8>,
    pub(super) child: Serial,
}

/// A folder's entries, by the form in which names are compared.
pub(super) type Folder = BTreeMap<Vec<u8>, DirEntry>;

#[derive(Debug, Clone)]
pub(super) struct Inode {
    number: u64,
    birth_ns: i64,
    pub(super) change_ns: i64,
    pub(super) body: Body,
    pub(super) attributes: Attributes,
    links: u64,
    open: u64,
    /// How many programs of the user's hold it open for writing.
    writers: u64,
    /// How many entries stand for it on the medium or in the journal. An inode
    /// without a name is a ghost as long as there are any: its number is free, but
    /// a power loss can bring it back.
    pins: u64,
    ghost: bool,
    /// Bytes and attributes of the last sync, for files.
    saved: Option<(Arc<Vec<u8>>, Attributes)>,
}

/// One entry of one folder set or removed.
#[derive(Debug, Clone)]
struct Edit {
    dir: Serial,
    key: Vec<u8>,
    entry: Option<DirEntry>,
}

/// Where a path leads: its folder, and what its last name stands for, if anything.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) dir: Serial,
    pub(super) name: Vec<u8>,
    pub(super) child: Option<Serial>,
}

/// What is mounted where the root should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RootState {
    Mounted,
    Unmounted,
    Gone,
}

#[derive(Debug)]
pub(super) struct Volume {
    pub(super) options: SimOptions,
    inodes: BTreeMap<Serial, Inode>,
    next_serial: Serial,
    next_number: u64,
    free_numbers: VecDeque<u64>,
    root: Serial,
    /// The empty folder beneath the mount.
    underlay: Serial,
    pub(super) state: RootState,
    journal: VecDeque<Vec<Edit>>,
    durable: BTreeMap<Serial, Folder>,
    /// Counts restarts: descriptors of an earlier life are dead.
    pub(super) life: u64,
    /// What was removed from the trash.
    pub(super) purged: Vec<Vec<u8>>,
}

impl Volume {
    pub(super) fn new(options: SimOptions, now_ns: i64) -> Self {
        let mut volume = Self {
            options,
            inodes: BTreeMap::new(),
            next_serial: 1,
            next_number: 100,
            free_numbers: VecDeque::new(),
            root: 0,
            underlay: 0,
            state: RootState::Mounted,
            journal: VecDeque::new(),
            durable: BTreeMap::new(),
            life: 0,
            purged: Vec::new(),
        };
        volume.root = volume.add(Body::Dir(Folder::new()), 0o755, now_ns);
        volume.underlay = volume.add(Body::Dir(Folder::new()), 0o755, now_ns);
        for serial in [volume.root, volume.underlay] {
            volume.inode_mut(serial).links = 1;
        }
        volume
    }

    /// The folder that the root's path shows now.
    pub(super) fn top(&self) -> Outcome<Serial> {
        match self.state {
            RootState::Mounted => Ok(self.root),
            RootState::Unmounted => Ok(self.underlay),
            RootState::Gone => Err(ErrorKind::NotFound),
        }
    }

    pub(super) fn filesystem(&self) -> u64 {
        if self.state == RootState::Mounted { 0x51D } else { 0xBA5E }
    }

    /// Time as this file system keeps it.
    fn grained(&self, now_ns: i64) -> i64 {
        let grain_ns = self.options.grain_ns.max(1);
        now_ns.div_euclid(grain_ns) * grain_ns
    }

    pub(super) fn inode(&self, serial: Serial) -> &Inode {
        // Serials come from entries and open descriptors; both keep their inode.
        &self.inodes[&serial]
    }

    pub(super) fn inode_mut(&mut self, serial: Serial) -> &mut Inode {
        self.inodes.get_mut(&serial).expect("an entry or a descriptor keeps its inode")
    }

    /// The form in which names are compared.
    fn key(&self, name: &[u8]) -> Vec<u8> {
        match std::str::from_utf8(name) {
            Ok(text) if self.options.fold_case => text.to_lowercase().into_bytes(),
            _ => name.to_vec(),
        }
    }

    pub(super) fn folder(&self, serial: Serial) -> Option<&Folder> {
        match &self.inode(serial).body {
            Body::Dir(folder) => Some(folder),
            _ => None,
        }
    }

    /// One step down; through no link, into nothing that may not be searched.
    pub(super) fn step(&self, dir: Serial, name: &[u8]) -> Outcome<Option<Serial>> {
        let folder = match &self.inode(dir).body {
            Body::Dir(folder) => folder,
            Body::Link(_) => return Err(ErrorKind::Escapes),
            _ => return Err(ErrorKind::NotADir),
        };
        if self.inode(dir).attributes.mode & 0o100 == 0 {
            return Err(ErrorKind::Denied);
        }
        Ok(folder.get(&self.key(name)).map(|entry| entry.child))
    }

    /// What is at `path`, which must be there.
    pub(super) fn find(&self, path: &RelPath) -> Outcome<Serial> {
        let mut at = self.top()?;
        for segment in path.segments() {
            at = self.step(at, segment.as_bytes())?.ok_or(ErrorKind::NotFound)?;
        }
        Ok(at)
    }

    /// The folder of `path`, which must be there, and its last name, which need not.
    pub(super) fn place(&self, path: &RelPath) -> Outcome<Place> {
        let parent = path.parent().ok_or(ErrorKind::Exists)?;
        self.place_in(self.find(&parent)?, path.name().as_bytes())
    }

    /// A name in a folder.
    pub(super) fn place_in(&self, dir: Serial, name: &[u8]) -> Outcome<Place> {
        let child = self.step(dir, name)?;
        Ok(Place { dir, name: name.to_vec(), child })
    }

    /// The same, to change the folder.
    pub(super) fn place_to_change(&self, path: &RelPath) -> Outcome<Place> {
        let place = self.place(path)?;
        if self.inode(place.dir).attributes.mode & 0o200 == 0 { Err(ErrorKind::Denied) } else { Ok(place) }
    }

    fn number(&mut self) -> u64 {
        let freed = match self.options.inode_reuse {
            InodeReuse::AtOnce => self.free_numbers.pop_back(),
            InodeReuse::Later if self.free_numbers.len() > 8 => self.free_numbers.pop_front(),
            InodeReuse::Later | InodeReuse::Never => None,
        };
        freed.unwrap_or_else(|| {
            self.next_number += 1;
            self.next_number
        })
    }

    /// A new inode without a name.
    pub(super) fn add(&mut self, body: Body, mode: u32, now_ns: i64) -> Serial {
        let (serial, number, now_ns) = (self.next_serial, self.number(), self.grained(now_ns));
        self.next_serial += 1;
        let attributes = Attributes { mtime_ns: now_ns, mode, uid: 1000, gid: 1000, xattrs: BTreeMap::new() };
        let inode = Inode {
            number,
            birth_ns: now_ns,
            change_ns: now_ns,
            body,
            attributes,
            links: 0,
            open: 0,
            writers: 0,
            pins: 0,
            ghost: false,
            saved: None,
        };
        self.inodes.insert(serial, inode);
        serial
    }

    /// Sets or removes entries, all at once.
    pub(super) fn commit(&mut self, edits: &[(&Place, Option<Serial>)], now_ns: i64) {
        let now_ns = self.grained(now_ns);
        let mut transaction = Vec::new();
        let mut left = Vec::new();
        for (place, child) in edits {
            let key = self.key(&place.name);
            let entry = child.map(|child| DirEntry { name: place.name.clone(), child });
            if let Some(child) = *child {
                let inode = self.inode_mut(child);
                inode.links += 1;
                inode.pins += 1;
                inode.change_ns = now_ns;
            }
            let dir = self.inode_mut(place.dir);
            (dir.attributes.mtime_ns, dir.change_ns) = (now_ns, now_ns);
            if let Body::Dir(folder) = &mut dir.body {
                let old = match &entry {
                    Some(entry) => folder.insert(key.clone(), entry.clone()),
                    None => folder.remove(&key),
                };
                left.extend(old.map(|old| old.child));
            }
            transaction.push(Edit { dir: place.dir, key, entry });
        }
        for child in left {
            let inode = self.inode_mut(child);
            inode.links -= 1;
            inode.change_ns = now_ns;
            self.release(child);
        }
        self.journal.push_back(transaction);
        if self.journal.len() > JOURNAL_MAX {
            self.write_back(1);
        }
    }

    /// Frees an inode that has no name and no descriptor.
    fn release(&mut self, serial: Serial) {
        let Some(inode) = self.inodes.get_mut(&serial) else { return };
        if inode.links > 0 || inode.open > 0 {
            return;
        }
        if !std::mem::replace(&mut inode.ghost, true) {
            self.free_numbers.push_back(inode.number);
        }
        if inode.pins == 0 {
            self.inodes.remove(&serial);
        }
    }

    pub(super) fn open(&mut self, serial: Serial) {
        self.inode_mut(serial).open += 1;
    }

    pub(super) fn close(&mut self, serial: Serial) {
        if let Some(inode) = self.inodes.get_mut(&serial) {
            inode.open = inode.open.saturating_sub(1);
        }
        self.release(serial);
    }

    /// A file's bytes, or a link's target.
    pub(super) fn bytes(&self, serial: Serial) -> Option<Vec<u8>> {
        match &self.inode(serial).body {
            Body::File(bytes) => Some(bytes.to_vec()),
            Body::Link(target) => Some(target.clone()),
            Body::Dir(_) | Body::Special => None,
        }
    }

    pub(super) fn open_to_write(&mut self, serial: Serial) {
        self.inode_mut(serial).writers += 1;
        self.open(serial);
    }

    pub(super) fn close_written(&mut self, serial: Serial) {
        if let Some(inode) = self.inodes.get_mut(&serial) {
            inode.writers = inode.writers.saturating_sub(1);
        }
        self.close(serial);
    }

    pub(super) fn is_being_written(&self, serial: Serial) -> bool {
        self.inode(serial).writers > 0
    }

    pub(super) fn stat(&self, serial: Serial) -> Stat {
        let inode = self.inode(serial);
        let (node, size) = match &inode.body {
            Body::File(bytes) => (Node::File, bytes.len() as u64),
            Body::Dir(_) => (Node::Dir, 0),
            Body::Link(target) => (Node::Link, target.len() as u64),
            Body::Special => (Node::Special, 0),
        };
        let file_id = FileId { inode: inode.number, birth_ns: inode.birth_ns };
        let stamp = LocalStamp { size, mtime_ns: inode.attributes.mtime_ns, change_ns: inode.change_ns, file_id };
        let Attributes { mode, uid, gid, .. } = inode.attributes;
        Stat { node, stamp, mode, uid, gid, links: inode.links, filesystem: self.filesystem(), mount_point: false }
    }

    /// Changes a file's bytes, if there is room.
    pub(super) fn write(&mut self, serial: Serial, now_ns: i64, change: impl FnOnce(&mut Vec<u8>)) -> Outcome<()> {
        let now_ns = self.grained(now_ns);
        let Body::File(bytes) = &self.inode(serial).body else { return Err(ErrorKind::NotAFile) };
        let mut changed = Arc::clone(bytes);
        change(Arc::make_mut(&mut changed));
        let grown = changed.len().saturating_sub(bytes.len()) as u64;
        if self.options.capacity_bytes.is_some_and(|capacity| grown > 0 && self.used_bytes() + grown > capacity) {
            return Err(ErrorKind::NoSpace);
        }
        let inode = self.inode_mut(serial);
        inode.body = Body::File(changed);
        (inode.attributes.mtime_ns, inode.change_ns) = (now_ns, now_ns);
        Ok(())
    }

    fn used_bytes(&self) -> u64 {
        let size = |inode: &Inode| if let Body::File(bytes) = &inode.body { bytes.len() as u64 } else { 0 };
        self.inodes.values().map(size).sum()
    }

    pub(super) fn change(&mut self, serial: Serial, now_ns: i64, change: impl FnOnce(&mut Attributes)) {
        let now_ns = self.grained(now_ns);
        let inode = self.inode_mut(serial);
        change(&mut inode.attributes);
        inode.change_ns = now_ns;
    }

    /// Makes a file's bytes and attributes durable, its name not.
    pub(super) fn sync_file(&mut self, serial: Serial) {
        let inode = self.inode_mut(serial);
        if let Body::File(bytes) = &inode.body {
            inode.saved = Some((Arc::clone(bytes), inode.attributes.clone()));
        }
    }

    /// Makes a file's attributes durable, its bytes not.
    pub(super) fn sync_attributes(&mut self, serial: Serial) {
        let inode = self.inode_mut(serial);
        if let Some((_, attributes)) = &mut inode.saved {
            attributes.clone_from(&inode.attributes);
        }
    }

    /// Makes a folder's names durable, and with them all that the journal holds
    /// before them.
    pub(super) fn sync_dir(&mut self, dir: Serial) {
        let touches = |transaction: &Vec<Edit>| transaction.iter().any(|edit| edit.dir == dir);
        let count = self.journal.iter().rposition(touches).map_or(0, |last| last + 1);
        self.write_back(count);
    }

    /// Makes everything durable.
    pub(super) fn sync_all(&mut self) {
        self.sync_names();
        let serials: Vec<Serial> = self.inodes.keys().copied().collect();
        serials.into_iter().for_each(|serial| self.sync_file(serial));
    }

    /// Makes all names durable.
    pub(super) fn sync_names(&mut self) {
        self.write_back(self.journal.len());
    }

    fn write_back(&mut self, count: usize) {
        let edits: Vec<Edit> = self.journal.drain(..count).flatten().collect();
        let mut left = Vec::new();
        for edit in edits {
            let folder = self.durable.entry(edit.dir).or_default();
            let old = match edit.entry {
                Some(entry) => folder.insert(edit.key, entry),
                None => folder.remove(&edit.key),
            };
            if let Some(old) = old {
                self.inode_mut(old.child).pins -= 1;
                left.push(old.child);
            }
        }
        // Only now: an exchange takes from one name what it gives to another.
        left.into_iter().for_each(|serial| self.release(serial));
    }

    /// The process is gone, and its descriptors with it; the machine goes on.
    pub(super) fn kill(&mut self) {
        self.life += 1;
        let serials: Vec<Serial> = self.inodes.keys().copied().collect();
        for serial in serials {
            let inode = self.inode_mut(serial);
            // The user's programs live on.
            inode.open = inode.writers;
            self.release(serial);
        }
    }

    /// The power is gone. A prefix of the journal survives, at least what was
    /// synced; bytes that were not synced may be as before, cut short, or whole.
    pub(super) fn lose_power(&mut self, chooser: &dyn Chooser) {
        let pending = u32::try_from(self.journal.len()).unwrap_or(u32::MAX - 1);
        // 0 is the worst: nothing beyond the last sync.
        let kept = chooser.choose("disk.crash.journal", pending + 1).min(pending);
        self.write_back(kept as usize);
        self.journal.clear();
        self.rebuild();
        let serials: Vec<Serial> = self.inodes.keys().copied().collect();
        serials.into_iter().for_each(|serial| self.lose_bytes(serial, chooser));
        self.life += 1;
    }

    /// Makes the folders what is durable of them; what has no name then is gone.
    fn rebuild(&mut self) {
        let mut links = BTreeMap::from([(self.root, 1), (self.underlay, 1)]);
        let mut to_visit = vec![self.root, self.underlay];
        while let Some(dir) = to_visit.pop() {
            let folder = self.durable.get(&dir).cloned().unwrap_or_default();
            for entry in folder.values() {
                *links.entry(entry.child).or_insert(0) += 1;
                if matches!(self.inodes.get(&entry.child), Some(Inode { body: Body::Dir(_), .. })) {
                    to_visit.push(entry.child);
                }
            }
            self.inode_mut(dir).body = Body::Dir(folder);
        }
        let serials: Vec<Serial> = self.inodes.keys().copied().collect();
        for serial in serials {
            let inode = self.inode_mut(serial);
            (inode.links, inode.open, inode.writers) = (links.get(&serial).copied().unwrap_or(0), 0, 0);
            inode.pins = inode.links;
            let number = inode.number;
            if inode.links > 0 && std::mem::replace(&mut inode.ghost, false) {
                // Whatever got the number since came later, so it is not durable.
                self.free_numbers.retain(|free| *free != number);
            }
            self.release(serial);
        }
        let inodes = &self.inodes;
        self.durable.retain(|dir, _| inodes.contains_key(dir));
    }

    fn lose_bytes(&mut self, serial: Serial, chooser: &dyn Chooser) {
        let inode = self.inode_mut(serial);
        let Body::File(current) = &inode.body else { return };
        let saved = inode.saved.clone();
        let synced = saved.as_ref().is_some_and(|(bytes, _)| bytes == current);
        if !synced {
            let kept = match chooser.choose("disk.crash.bytes", 3) {
                0 => saved.as_ref().map(|(bytes, _)| Arc::clone(bytes)).unwrap_or_default(),
                1 => Arc::new(current[..current.len() / 2].to_vec()),
                _ => Arc::clone(current),
            };
            inode.body = Body::File(kept);
        }
        if let Some((_, attributes)) = saved
            && attributes != inode.attributes
            && chooser.choose("disk.crash.attributes", 2) == 0
        {
            inode.attributes = attributes;
        }
        self.sync_file(serial);
    }
}
