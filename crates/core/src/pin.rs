//! How a copy made on the remote is known to be one of the version that was meant.
//!
//! A place asked to copy an object may find another by then. Most places check what
//! they copy; where one does not, an ETag that is a hash of the bytes tells
//! afterwards; where neither helps, nothing is copied. What a place can do, and
//! whether an ETag is such a hash, somebody else finds out.

use crate::entry::{Digest, RemoteStamp};

/// What makes sure that the version that was looked at is the one that is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pin {
    /// The place copies no other.
    ByPlace,
    /// The copy's ETag, a hash of its bytes, tells afterwards.
    ByEtag,
}

impl Pin {
    /// The best there is, if any; `etag_is_hash` only matters where the place does not
    /// check.
    pub fn of(place_checks: bool, etag_is_hash: bool) -> Option<Self> {
        match (place_checks, etag_is_hash) {
            (true, _) => Some(Self::ByPlace),
            (false, true) => Some(Self::ByEtag),
            (false, false) => None,
        }
    }

    /// The digest that the copy may bear from the start: none while it may yet turn out
    /// to be of other bytes.
    pub fn digest_to_bear(self, digest: Option<Digest>) -> Option<Digest> {
        digest.filter(|_| self == Self::ByPlace)
    }

    /// Whether `copy` is one of `source`.
    pub fn holds(self, source: &RemoteStamp, copy: &RemoteStamp) -> bool {
        self == Self::ByPlace || source.etag == copy.etag
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(etag: &str) -> RemoteStamp {
        RemoteStamp { etag: etag.to_owned(), size: 3, modified_s: None }
    }

    #[test]
    fn a_place_that_checks_is_believed_whatever_its_etags() {
        for etag_is_hash in [false, true] {
            let pin = Pin::of(true, etag_is_hash).expect("pinned");
            assert!(pin.holds(&stamp("a"), &stamp("b")));
            assert_eq!(pin.digest_to_bear(Some(Digest::of(b"x"))), Some(Digest::of(b"x")));
        }
    }

    #[test]
    fn elsewhere_the_copy_shows_what_it_is_and_claims_nothing_before() {
        assert_eq!(Pin::of(false, false), None);
        let pin = Pin::of(false, true).expect("pinned");
        assert!(pin.holds(&stamp("a"), &stamp("a")));
        assert!(!pin.holds(&stamp("a"), &stamp("b")));
        assert_eq!(pin.digest_to_bear(Some(Digest::of(b"x"))), None);
    }
}
