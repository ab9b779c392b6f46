//! The map between entries on disk and keys in a bucket.
//!
//! A file `a/b` is the object `a/b`; a folder's marker is `a/b/`; a symbolic link
//! is `a/b.rclonelink` with the target as its body, as rclone writes it, or, in the
//! s3fs style, the object `a/b` whose mode says that it is a link. The map is one
//! to one, or it is a [`NameProblem`]; nothing is cleaned, folded or normalised.
//! Siblings sorted by [`sort_name`] and walked depth first come in key order.

use crate::path::{KEY_MAX_BYTES, Key, NameProblem, RelPath};
use serde::{Deserialize, Serialize};

/// How the key of a link ends in the rclone style.
pub const LINK_SUFFIX: &str = ".rclonelink";

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Dir,
    /// A symbolic link.
    Link,
}

/// How links are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LinkStyle {
    /// As `name.rclonelink`.
    Suffix,
    /// As `name`, told apart from a file by its stored mode (s3fs).
    Mode,
}

/// The key that stands for an entry, below the remote's prefix.
pub fn key_of(path: &RelPath, kind: Kind, style: LinkStyle) -> Result<Key, NameProblem> {
    if path.is_reserved() {
        return Err(NameProblem::Reserved);
    }
    if kind == Kind::File && style == LinkStyle::Suffix && path.name().ends_with(LINK_SUFFIX) {
        return Err(NameProblem::LooksLikeLink);
    }
    let key = [path.as_str(), suffix(kind, style)].concat();
    if key.len() > KEY_MAX_BYTES {
        return Err(NameProblem::KeyTooLong);
    }
    Ok(Key::new(key))
}

/// The entry that a key stands for. In the s3fs style a link cannot be told from
/// a file by its key, and is given as a file.
pub fn entry_of(key: &Key, style: LinkStyle) -> Result<(RelPath, Kind), NameProblem> {
    let text = key.as_str();
    let (path, kind) = match text.strip_suffix('/') {
        Some(folder) => (folder, Kind::Dir),
        None => match text.strip_suffix(LINK_SUFFIX) {
            Some(link) if style == LinkStyle::Suffix => (link, Kind::Link),
            _ => (text, Kind::File),
        },
    };
    let path = RelPath::parse(path)?;
    if path.is_root() {
        return Err(NameProblem::EmptySegment);
    }
    if path.is_reserved() {
        return Err(NameProblem::Reserved);
    }
    Ok((path, kind))
}

/// What a sibling of this name and kind sorts by, so that a depth-first walk
/// comes in key order.
pub fn sort_name(name: &str, kind: Kind, style: LinkStyle) -> String {
    [name, suffix(kind, style)].concat()
}

fn suffix(kind: Kind, style: LinkStyle) -> &'static str {
    match (kind, style) {
        (Kind::File, _) | (Kind::Link, LinkStyle::Mode) => "",
        (Kind::Dir, _) => "/",
        (Kind::Link, LinkStyle::Suffix) => LINK_SUFFIX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn path(text: &str) -> RelPath {
        RelPath::parse(text).expect("valid")
    }

    #[test]
    fn kinds_have_their_own_keys() {
        for (kind, key) in [(Kind::File, "a/b"), (Kind::Dir, "a/b/"), (Kind::Link, "a/b.rclonelink")] {
            assert_eq!(key_of(&path("a/b"), kind, LinkStyle::Suffix), Ok(Key::new(key)));
            assert_eq!(entry_of(&Key::new(key), LinkStyle::Suffix), Ok((path("a/b"), kind)));
        }
    }

    #[test]
    fn what_belongs_to_another_prefix_below_is_no_file() {
        for key in ["p/.tidelock/owner", "p/.tidelock/probe-0123456789abcdef/a", "a/p/.tidelock/"] {
            assert_eq!(entry_of(&Key::new(key), LinkStyle::Suffix), Err(NameProblem::Reserved), "{key}");
        }
    }

    #[test]
    fn keys_no_disk_can_hold_are_problems() {
        for (key, problem) in [
            ("a//b", NameProblem::EmptySegment),
            ("/a", NameProblem::EmptySegment),
            ("a/../b", NameProblem::DotSegment),
            ("./a", NameProblem::DotSegment),
            ("/", NameProblem::EmptySegment),
            (".rclonelink", NameProblem::EmptySegment),
            ("d/.rclonelink", NameProblem::EmptySegment),
            (".tidelock/owner", NameProblem::Reserved),
            ("a\0", NameProblem::Nul),
        ] {
            assert_eq!(entry_of(&Key::new(key), LinkStyle::Suffix), Err(problem), "{key:?}");
        }
    }

    proptest! {
        #[test]
        fn a_key_read_back_is_the_entry(text in "[a-z./ é]{1,12}", kind in 0..3_u8) {
            let kind = [Kind::File, Kind::Dir, Kind::Link][usize::from(kind)];
            if let Ok(path) = RelPath::parse(&text)
                && let Ok(key) = key_of(&path, kind, LinkStyle::Suffix) {
                prop_assert_eq!(entry_of(&key, LinkStyle::Suffix), Ok((path, kind)));
            }
        }

        #[test]
        fn a_mapped_key_maps_back_to_itself(text in "[ab./]{1,10}") {
            if let Ok((path, kind)) = entry_of(&Key::new(text.clone()), LinkStyle::Suffix)
                && let Ok(key) = key_of(&path, kind, LinkStyle::Suffix) {
                prop_assert_eq!(key.as_str(), text);
            }
        }
    }
}
