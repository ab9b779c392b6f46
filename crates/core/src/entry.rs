//! What was seen: entries, their stamps and metadata, and what was agreed.
//!
//! A stamp is what "unchanged" compares; metadata is agreed apart from content;
//! a [`BaseRow`] is what both sides last agreed on, each half in its own side's
//! terms, so that a disk is never compared with a bucket by time. Nothing here
//! says what follows from a difference: that is `decide.rs`.

use crate::hex::hex;
use crate::names::Kind;
use crate::path::{Key, RelPath};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Which file this is, whatever its name: on Linux its inode number and birth
/// time. An inode alone is given to the next file at once on ext4 and xfs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileId {
    /// The inode number.
    pub inode: u64,
    /// The birth time in Unix nanoseconds; 0 where the file system keeps none.
    pub birth_ns: i64,
}

impl FileId {
    /// Whether this identifies a file well enough to follow a rename by it.
    pub fn is_trustworthy(&self) -> bool {
        self.birth_ns != 0
    }
}

/// What an unchanged file on disk keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LocalStamp {
    /// Length in bytes; for a link, that of its target; for a folder, 0.
    pub size: u64,
    /// Modification time, Unix nanoseconds.
    pub mtime_ns: i64,
    /// Status change time (ctime), Unix nanoseconds. Nobody can set it back.
    pub change_ns: i64,
    /// The file's identity.
    pub file_id: FileId,
}

/// What an unchanged object keeps.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RemoteStamp {
    /// The entity tag without its quotes. A token for "these bytes", never a hash.
    pub etag: String,
    /// Length in bytes.
    pub size: u64,
    /// `Last-Modified` in Unix seconds, if the reply told it. Absent is unknown,
    /// not different.
    pub modified_s: Option<i64>,
}

impl RemoteStamp {
    /// Whether both stand for the same stored bytes.
    pub fn same_content(&self, other: &Self) -> bool {
        self.etag == other.etag && self.size == other.size
    }

    /// Whether nothing about the object has changed, as far as both stamps tell.
    pub fn unchanged(&self, other: &Self) -> bool {
        self.same_content(other)
            && match (self.modified_s, other.modified_s) {
                (Some(a), Some(b)) => a == b,
                _ => true,
            }
    }
}

/// A BLAKE3 digest of a file's bytes, or of a link's target.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of bytes already in memory.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// Reads the 64 hexadecimal digits that `Display` writes.
    pub fn parse(text: &str) -> Option<Self> {
        blake3::Hash::from_hex(text).ok().map(|hash| Self(*hash.as_bytes()))
    }

    /// The first eight digits, for names and for people.
    pub fn short(&self) -> String {
        hex(&self.0[..4])
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b3:{}", self.short())
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a BLAKE3 digest"))
    }
}

/// Metadata of an entry. Absent means unknown, which is never a difference.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
pub struct Meta {
    /// Modification time, Unix nanoseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtime_ns: Option<i64>,
    /// Permission bits, `0o7777` at most, without the type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
    /// Numeric owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Numeric group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
    /// Extended attributes of the `user.` namespace by full name, if asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xattrs: Option<std::collections::BTreeMap<String, Vec<u8>>>,
}

impl Meta {
    /// Whether anything that both sides know differs.
    pub fn differs(&self, other: &Self) -> bool {
        fn known_and_unequal<T: PartialEq>(a: &Option<T>, b: &Option<T>) -> bool {
            matches!((a, b), (Some(a), Some(b)) if a != b)
        }
        known_and_unequal(&self.mtime_ns, &other.mtime_ns)
            || known_and_unequal(&self.mode, &other.mode)
            || known_and_unequal(&self.uid, &other.uid)
            || known_and_unequal(&self.gid, &other.gid)
            || known_and_unequal(&self.xattrs, &other.xattrs)
    }

    /// What of this is known on both sides and another there; nothing else.
    pub fn apart_from(&self, other: &Self) -> Self {
        fn kept<T: PartialEq + Clone>(a: &Option<T>, b: &Option<T>) -> Option<T> {
            a.clone().filter(|a| b.as_ref().is_some_and(|b| a != b))
        }
        Self {
            mtime_ns: kept(&self.mtime_ns, &other.mtime_ns),
            mode: kept(&self.mode, &other.mode),
            uid: kept(&self.uid, &other.uid),
            gid: kept(&self.gid, &other.gid),
            xattrs: kept(&self.xattrs, &other.xattrs),
        }
    }
}

/// An entry as the scan saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalEntry {
    /// Its key.
    pub key: Key,
    /// Where it is.
    pub path: RelPath,
    /// What it is.
    pub kind: Kind,
    /// Its stamp.
    pub stamp: LocalStamp,
    /// Its metadata.
    pub meta: Meta,
    /// For a folder: whether it needs a marker, being empty (as far as the filter
    /// shows) or having a mode or owner that is not the default.
    pub needs_marker: bool,
}

/// An object as a listing showed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteEntry {
    /// Its key.
    pub key: Key,
    /// Its stamp.
    pub stamp: RemoteStamp,
    /// Whether its bytes lie in an archive and cannot be read now.
    pub archived: bool,
    /// Whether the place has lost its bytes. It is there all the same: what is lost
    /// is not what somebody deleted.
    #[serde(default)]
    pub lost: bool,
}

/// What a base row is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// Both sides held this.
    Agreed,
    /// Seen here at a first run that was told not to upload; nothing is claimed
    /// of the remote.
    Known,
    /// Proves sameness, never absence: excluded since, or from before the pair's
    /// mode or remote changed.
    Lapsed,
    /// Removed here by `prune` after the remote provably had it.
    Pruned,
}

/// The local half of what was agreed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalHalf {
    /// The stamp then.
    pub stamp: LocalStamp,
    /// The metadata then, as it was on disk.
    pub meta: Meta,
    /// The stamp was taken too close to the file's last change to be trusted
    /// alone: the next run reads the bytes once more.
    pub racy: bool,
}

/// The remote half of what was agreed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteHalf {
    /// The stamp then.
    pub stamp: RemoteStamp,
    /// The metadata then, as the object carried it; `None` is unknown.
    pub meta: Option<Meta>,
}

/// What both sides last agreed on for one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseRow {
    /// The key.
    pub key: Key,
    /// What the entry was.
    pub kind: Kind,
    /// What the row is good for.
    pub standing: Standing,
    /// How it was here.
    pub here: Option<LocalHalf>,
    /// How it was there.
    pub there: Option<RemoteHalf>,
    /// Digest of the agreed bytes, if anyone computed it.
    pub digest: Option<Digest>,
    /// The bytes now live, proved, under this other key; the object of this row
    /// is owed a deletion. Written in one transaction with the new key's row.
    pub moved_to: Option<Key>,
}
