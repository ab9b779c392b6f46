//! A world small enough to hold in the hand: one bucket, and devices with a folder
//! and a base each.
//!
//! Contents are numbers and every write of a person makes a new one, so that the
//! laws can ask where each version went.

use std::collections::{BTreeMap, BTreeSet};
use tidelock_core::entry::{BaseRow, Digest, FileId, LocalHalf, LocalStamp, Meta, RemoteHalf, RemoteStamp, Standing};
use tidelock_core::names::{Kind, LinkStyle, entry_of, key_of};
use tidelock_core::path::{Key, RelPath};

/// What a file holds, or where a link points.
pub type Content = u32;

/// What a marker holds.
pub const NOTHING: Content = u32::MAX;
pub const DIR_MODE: u32 = 0o755;
pub const FILE_MODE: u32 = 0o644;

/// Neighbouring contents differ in size, every second pair is of one size.
pub fn size_of(content: Content) -> u64 {
    if content == NOTHING { 0 } else { u64::from(content % 2) + 1 }
}

pub fn digest_of(content: Content) -> Digest {
    let mut bytes = [7; 32];
    bytes[..4].copy_from_slice(&content.to_be_bytes());
    Digest(bytes)
}

pub fn path(text: &str) -> RelPath {
    RelPath::parse(text).expect("the model's names are sound")
}

pub fn key(path: &RelPath, kind: Kind) -> Key {
    key_of(path, kind, LinkStyle::Suffix).expect("the model's names have keys")
}

pub fn kind_of(key: &Key) -> Kind {
    entry_of(key, LinkStyle::Suffix).expect("the model's keys are sound").1
}

pub fn path_of(key: &Key) -> RelPath {
    entry_of(key, LinkStyle::Suffix).expect("the model's keys are sound").0
}

/// Something in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub kind: Kind,
    pub content: Content,
    pub mode: u32,
    pub mtime: i64,
    pub change: i64,
    pub id: u64,
}

impl Node {
    pub fn stamp(&self) -> LocalStamp {
        let size = if self.kind == Kind::Dir { 0 } else { size_of(self.content) };
        let file_id = FileId { inode: self.id, birth_ns: 1 };
        LocalStamp { size, mtime_ns: self.mtime, change_ns: self.change, file_id }
    }

    pub fn meta(&self) -> Meta {
        Meta { mtime_ns: Some(self.mtime), mode: Some(self.mode), ..Meta::default() }
    }
}

/// Something in a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    pub content: Content,
    pub etag: String,
    pub modified: i64,
    pub meta: Option<Meta>,
    /// It carries our digest; without one and with an opaque ETag nothing proves
    /// what it holds.
    pub digest: bool,
    /// If one of ours wrote it. Whoever copies the object copies this too.
    pub attempt: Option<Attempt>,
}

/// Which device wrote which key over what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub device: u8,
    pub key: Key,
    pub replaced: Option<String>,
}

impl Object {
    /// As a listing shows it; replies to writes know no time.
    pub fn stamp(&self) -> RemoteStamp {
        RemoteStamp { etag: self.etag.clone(), size: size_of(self.content), modified_s: Some(self.modified) }
    }
}

/// Time, and everything else that must not come twice.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    pub now: i64,
    pub ids: u64,
    pub contents: Content,
}

impl Clock {
    pub fn tick(&mut self) -> i64 {
        self.now += 1;
        self.now
    }

    pub fn id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    /// Contents nobody has written before.
    pub fn content(&mut self) -> Content {
        self.contents += 1;
        self.contents
    }
}

/// The remote side.
#[derive(Debug, Clone, Default)]
pub struct Bucket {
    pub objects: BTreeMap<Key, Object>,
    /// Its ETags are MD5s; else they are new with every write.
    pub md5: bool,
}

impl Bucket {
    /// Puts an object, and gives the stamp that the reply tells.
    pub fn put(&mut self, key: &Key, mut object: Object, clock: &mut Clock) -> RemoteStamp {
        object.modified = clock.tick();
        object.etag = if self.md5 { format!("m{}", object.content) } else { format!("u{}", object.modified) };
        let stamp = RemoteStamp { modified_s: None, ..object.stamp() };
        self.objects.insert(key.clone(), object);
        stamp
    }

    /// A foreign program's object: no digest of ours.
    pub fn put_foreign(&mut self, key: &Key, content: Content, meta: Option<Meta>, clock: &mut Clock) {
        let object = Object { content, etag: String::new(), modified: 0, meta, digest: false, attempt: None };
        self.put(key, object, clock);
    }
}

/// The local side, and what it remembers.
#[derive(Debug, Clone)]
pub struct Device {
    pub number: u8,
    pub disk: BTreeMap<RelPath, Node>,
    pub base: BTreeMap<Key, BaseRow>,
    /// What was replaced or deleted here by us.
    pub trash: BTreeSet<Content>,
    /// Folders that cannot be read.
    pub holes: BTreeSet<RelPath>,
    /// Paths that a filter excludes, with all below.
    pub excluded: BTreeSet<RelPath>,
}

impl Device {
    pub fn new(number: u8) -> Self {
        Self {
            number,
            disk: BTreeMap::new(),
            base: BTreeMap::new(),
            trash: BTreeSet::new(),
            holes: BTreeSet::new(),
            excluded: BTreeSet::new(),
        }
    }

    pub fn is_in_hole(&self, path: &RelPath) -> bool {
        self.holes.iter().any(|hole| path != hole && path.is_within(hole))
    }

    pub fn is_excluded(&self, path: &RelPath) -> bool {
        self.excluded.iter().any(|folder| path.is_within(folder))
    }

    pub fn has_children(&self, folder: &RelPath) -> bool {
        self.disk.keys().any(|other| other.parent().as_ref() == Some(folder))
    }

    /// Makes the folders above a path; fails where something else stands.
    pub fn make_parents(&mut self, path: &RelPath, clock: &mut Clock) -> Result<(), ()> {
        let mut missing = Vec::new();
        let mut at = path.parent();
        while let Some(folder) = at.filter(|folder| !folder.is_root()) {
            match self.disk.get(&folder) {
                Some(node) if node.kind == Kind::Dir => break,
                Some(_) => return Err(()),
                None => missing.push(folder.clone()),
            }
            at = folder.parent();
        }
        for folder in missing {
            let node = new_node(Kind::Dir, NOTHING, clock);
            self.disk.insert(folder, node);
        }
        Ok(())
    }

    /// A person's write: whatever is at the path or above it gives way.
    pub fn write(&mut self, path: &RelPath, kind: Kind, content: Content, clock: &mut Clock) {
        let mut above = path.parent();
        while let Some(folder) = above.filter(|folder| !folder.is_root()) {
            if self.disk.get(&folder).is_some_and(|node| node.kind != Kind::Dir) {
                self.disk.remove(&folder);
            }
            above = folder.parent();
        }
        self.remove(path);
        self.make_parents(path, clock).expect("what was in the way is gone");
        let node = new_node(kind, content, clock);
        self.disk.insert(path.clone(), node);
    }

    /// A person's deletion, with everything below.
    pub fn remove(&mut self, path: &RelPath) {
        self.disk.retain(|other, _| !other.is_within(path));
    }

    /// A person's rename; what was at the new place is gone.
    pub fn rename(&mut self, from: &RelPath, to: &RelPath, clock: &mut Clock) {
        if from == to || to.is_within(from) || from.is_within(to) || !self.disk.contains_key(from) {
            return;
        }
        let taken: Vec<(RelPath, Node)> = self
            .disk
            .iter()
            .filter(|(other, _)| other.is_within(from))
            .map(|(other, node)| (other.clone(), node.clone()))
            .collect();
        let top = taken[0].1.clone();
        self.write(to, top.kind, top.content, clock);
        self.remove(from);
        for (old, mut node) in taken {
            if old == *from {
                // The renamed entry's change time moves, those below keep theirs.
                node.change = clock.tick();
            }
            let moved = format!("{to}{}", &old.as_str()[from.as_str().len()..]);
            self.disk.insert(path(&moved), node);
        }
    }
}

pub fn new_node(kind: Kind, content: Content, clock: &mut Clock) -> Node {
    let now = clock.tick();
    let mode = if kind == Kind::Dir { DIR_MODE } else { FILE_MODE };
    Node { kind, content, mode, mtime: now, change: now, id: clock.id() }
}

/// The row that says that a folder's entry and an object agree.
pub fn agreed(key: &Key, node: &Node, object: &Object) -> BaseRow {
    BaseRow {
        key: key.clone(),
        kind: node.kind,
        standing: Standing::Agreed,
        here: Some(LocalHalf { stamp: node.stamp(), meta: node.meta(), racy: false }),
        there: Some(RemoteHalf { stamp: object.stamp(), meta: object.meta.clone() }),
        digest: (node.kind != Kind::Dir).then(|| digest_of(node.content)),
        moved_to: None,
    }
}
