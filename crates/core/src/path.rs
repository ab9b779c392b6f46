//! Paths below a root, and keys below a prefix.
//!
//! A [`RelPath`] names something on disk relative to a pair's root; it is valid by
//! construction, so nothing that holds one can step outside the root by name. A
//! [`Key`] names an object relative to a remote's prefix and may be anything a
//! bucket can hold. The map between the two lives in `names.rs`; joining a
//! `RelPath` with a real directory is the disk module's business alone.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest file name Linux file systems take, in bytes.
pub const SEGMENT_MAX_BYTES: usize = 255;
/// The longest object key S3 takes, in bytes, prefix included.
pub const KEY_MAX_BYTES: usize = 1024;
/// The folder that is Tidelock's own, wherever it stands: below any name may be the
/// root or the prefix of another pair.
pub const RESERVED_DIR: &str = ".tidelock";
/// How the names of Tidelock's temporary files begin.
pub const TEMP_PREFIX: &str = ".tidelock-tmp-";

/// Why a string is not a path below a root.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NameProblem {
    /// The name is not valid UTF-8, so no object key can hold it.
    #[error("the name is not valid UTF-8; rename it to include it, or exclude it")]
    NotUtf8,
    /// A segment is empty: `//`, or a leading slash.
    #[error("the key has an empty segment (`//` or a leading `/`), which no folder can hold")]
    EmptySegment,
    /// A segment is `.` or `..`.
    #[error("the key has a `.` or `..` segment, which would name another place on disk")]
    DotSegment,
    /// A segment holds a NUL byte.
    #[error("the name holds a NUL byte, which no file system takes")]
    Nul,
    /// A segment is longer than [`SEGMENT_MAX_BYTES`].
    #[error("a segment is longer than 255 bytes, which file systems refuse")]
    SegmentTooLong,
    /// The key is longer than [`KEY_MAX_BYTES`].
    #[error("the key would be longer than 1,024 bytes, which S3 refuses")]
    KeyTooLong,
    /// The name is one of Tidelock's own.
    #[error("the name is reserved for Tidelock's own use")]
    Reserved,
    /// A file's name ends like a stored symbolic link.
    #[error("the name ends in `.rclonelink`, which is how links are stored; rename it to include it")]
    LooksLikeLink,
}

/// A path below a root: UTF-8, `/` between segments, no empty, `.` or `..`
/// segment, no NUL, no segment over 255 bytes. The root itself is empty.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RelPath(Box<str>);

impl RelPath {
    /// The root itself.
    pub fn root() -> Self {
        Self("".into())
    }

    /// Checks a whole path. The empty string is the root.
    pub fn parse(text: &str) -> Result<Self, NameProblem> {
        if text.is_empty() {
            return Ok(Self::root());
        }
        text.split('/').try_for_each(check_segment)?;
        Ok(Self(text.into()))
    }

    /// The path of `name` inside this folder.
    pub fn join(&self, name: &str) -> Result<Self, NameProblem> {
        check_segment(name)?;
        Ok(if self.is_root() { Self(name.into()) } else { Self([&*self.0, "/", name].concat().into()) })
    }

    /// The folder that holds this path; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        Some(self.0.rfind('/').map_or_else(Self::root, |at| Self(self.0[..at].into())))
    }

    /// The last segment; empty for the root.
    pub fn name(&self) -> &str {
        self.0.rfind('/').map_or(&self.0, |at| &self.0[at + 1..])
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this path is `folder` or lies below it.
    pub fn is_within(&self, folder: &Self) -> bool {
        folder.is_root() || self.0.strip_prefix(&*folder.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The segments, from the root down.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|segment| !segment.is_empty())
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the path is, or lies in, what Tidelock reserves for itself.
    pub fn is_reserved(&self) -> bool {
        is_reserved_key(&self.0)
    }
}

/// Whether a key is, or lies below, a name that Tidelock reserves for itself.
pub fn is_reserved_key(key: &str) -> bool {
    key.split('/').any(is_reserved_name)
}

/// Whether a file or folder of this name is Tidelock's own.
pub fn is_reserved_name(name: &str) -> bool {
    name == RESERVED_DIR || name.starts_with(TEMP_PREFIX)
}

fn check_segment(segment: &str) -> Result<(), NameProblem> {
    match segment {
        "" => Err(NameProblem::EmptySegment),
        "." | ".." => Err(NameProblem::DotSegment),
        _ if segment.contains('\0') => Err(NameProblem::Nul),
        _ if segment.contains('/') => Err(NameProblem::EmptySegment),
        _ if segment.len() > SEGMENT_MAX_BYTES => Err(NameProblem::SegmentTooLong),
        _ => Ok(()),
    }
}

impl TryFrom<String> for RelPath {
    type Error = NameProblem;
    fn try_from(text: String) -> Result<Self, NameProblem> {
        Self::parse(&text)
    }
}

impl From<RelPath> for String {
    fn from(path: RelPath) -> Self {
        path.0.into()
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_root() { "." } else { &self.0 })
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self.0)
    }
}

/// An object's key below the remote's prefix, as the bucket has it. Ordered by
/// its UTF-8 bytes, which is the order every stream in Tidelock is joined by.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(Box<str>);

impl Key {
    /// Wraps a key as it came from a bucket or from `names.rs`.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_cannot_leave_its_root() {
        for bad in ["..", "a/..", "a/../b", ".", "a/./b", "/a", "a/", "a//b", "a\0b"] {
            assert!(RelPath::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(RelPath::parse(&"x".repeat(256)), Err(NameProblem::SegmentTooLong));
        assert!(RelPath::parse("a/...").is_ok());
    }

    #[test]
    fn parent_name_and_within() {
        let path = RelPath::parse("a/b/c").expect("valid");
        assert_eq!(path.name(), "c");
        assert_eq!(path.parent().map(String::from).as_deref(), Some("a/b"));
        assert!(path.is_within(&RelPath::parse("a/b").expect("valid")));
        assert!(!path.is_within(&RelPath::parse("a/bc").expect("valid")));
        assert!(path.is_within(&RelPath::root()));
    }

    #[test]
    fn reserved_names() {
        let reserved = |text: &str| RelPath::parse(text).expect("valid").is_reserved();
        assert!(reserved(".tidelock") && reserved(".tidelock/trash/x") && reserved("a/.tidelock-tmp-1"));
        // Another pair's root or prefix may be anywhere below.
        assert!(reserved("a/.tidelock/owner") && reserved("a/b/.tidelock/probe-0123456789abcdef/a"));
        assert!(!reserved(".tidelockignore") && !reserved("a/x.tidelock") && !reserved("a/.tidelock2/x"));
    }
}
