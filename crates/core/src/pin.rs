//! How a copy made on the remote is known to be one of the version that was meant.
//!
//! A place asked to copy an object may find another by then. Most places check what
//! they copy; where one does not, an ETag that is a hash of the bytes tells
//! afterwards; where neither helps, nothing is copied. What a place can do, and
//! which ETags the bytes would have, somebody else finds out.

use crate::entry::{Digest, RemoteStamp};

/// What makes sure that the version that was looked at is the one that is copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pin {
    /// The place copies no other.
    ByPlace,
    /// The copy's ETag tells afterwards: these are the hashes that the bytes have, whole
    /// and in parts. A copy in one go of what was sent in parts has another than that.
    ByHash(Vec<String>),
}

impl Pin {
    /// The best there is, if any. `hashes` are the ETags that are hashes of the bytes
    /// meant, in lower case; they only matter where the place does not check.
    pub fn of(place_checks: bool, source: &RemoteStamp, hashes: Vec<String>) -> Option<Self> {
        if place_checks {
            return Some(Self::ByPlace);
        }
        is_among(&hashes, source).then_some(Self::ByHash(hashes))
    }

    /// The digest that the copy may bear from the start: none while it may yet turn out
    /// to be of other bytes.
    pub fn digest_to_bear(&self, digest: Option<Digest>) -> Option<Digest> {
        digest.filter(|_| *self == Self::ByPlace)
    }

    /// Whether `copy` is one of the bytes meant.
    pub fn holds(&self, copy: &RemoteStamp) -> bool {
        match self {
            Self::ByPlace => true,
            Self::ByHash(hashes) => is_among(hashes, copy),
        }
    }
}

/// Whether an object's ETag is one of these hashes.
pub fn is_among(hashes: &[String], stamp: &RemoteStamp) -> bool {
    hashes.iter().any(|hash| stamp.etag.eq_ignore_ascii_case(hash))
}

/// An object at one end of a rename that an earlier run may have left half done.
#[derive(Debug, Clone, Copy)]
pub struct End<'a> {
    /// Its stamp.
    pub stamp: &'a RemoteStamp,
    /// Whether its ETag is a hash of its bytes in one go.
    pub is_hash: bool,
    /// The time it bears, Unix nanoseconds.
    pub mtime_ns: Option<i64>,
}

/// Whether what has the new name is a copy that an earlier run of ours made of this very
/// object and did not bring to the end. `marked`: what the mark that it left says of the
/// old name; `is_own`: the object under the new one bears an attempt of ours. Some
/// programs keep all keys when they rewrite a body, but they set the time.
pub fn is_half_renamed(marked: &RemoteStamp, old: End<'_>, new: End<'_>, is_own: bool) -> bool {
    let same_hash = !(old.is_hash && new.is_hash) || old.stamp.same_content(new.stamp);
    let same = old.stamp.size == new.stamp.size && old.mtime_ns == new.mtime_ns && same_hash;
    is_own && same && marked.same_content(old.stamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(etag: &str) -> RemoteStamp {
        RemoteStamp { etag: etag.to_owned(), size: 3, modified_s: None }
    }

    #[test]
    fn a_place_that_checks_is_believed_whatever_its_etags() {
        let pin = Pin::of(true, &stamp("a"), Vec::new()).expect("pinned");
        assert!(pin.holds(&stamp("b")));
        assert_eq!(pin.digest_to_bear(Some(Digest::of(b"x"))), Some(Digest::of(b"x")));
    }

    #[test]
    fn elsewhere_the_copy_shows_what_it_is_and_claims_nothing_before() {
        let hashes = || vec!["ab".to_owned(), "cd-2".to_owned()];
        assert_eq!(Pin::of(false, &stamp("name"), hashes()), None);
        assert_eq!(Pin::of(false, &stamp("ab"), Vec::new()), None);
        let pin = Pin::of(false, &stamp("CD-2"), hashes()).expect("pinned");
        assert!(pin.holds(&stamp("cd-2")) && pin.holds(&stamp("AB")), "in parts, and copied in one go");
        assert!(!pin.holds(&stamp("ef")));
        assert_eq!(pin.digest_to_bear(Some(Digest::of(b"x"))), None);
    }

    #[test]
    fn a_rename_left_half_done_is_told_by_all_there_is() {
        let (old, other) = (stamp("ab"), stamp("cd"));
        let end = |stamp, is_hash, mtime_ns| End { stamp, is_hash, mtime_ns };
        let from = end(&old, true, Some(1));
        assert!(is_half_renamed(&old, from, from, true));
        assert!(is_half_renamed(&old, from, end(&other, false, Some(1)), true), "an ETag that is only a name");
        assert!(!is_half_renamed(&old, from, from, false), "somebody else wrote it");
        assert!(!is_half_renamed(&other, from, from, true), "the old name was written again");
        assert!(!is_half_renamed(&old, from, end(&other, true, Some(1)), true), "other bytes");
        assert!(!is_half_renamed(&old, from, end(&old, true, Some(2)), true), "another time");
        let longer = RemoteStamp { size: 4, ..old.clone() };
        assert!(!is_half_renamed(&old, from, end(&longer, false, Some(1)), true), "another size");
    }
}
