//! Extents: the stretches of bodies that make an object, and what follows from
//! them: its size, its checksum and its ETag.
//!
//! Pure. Neighbours in the same body are one extent, so an object copied piece by
//! piece is the same list as the original and has the same ETag. An ETag is a token
//! derived from content: equal tokens mean equal bytes, not the reverse.

use crc_fast::{CrcAlgorithm, checksum_combine};
use tidelock_core::hex::hex;

/// CRC64NVME of nothing.
const CRC_OF_NOTHING: u64 = 0;

/// The first half of a BLAKE3 digest.
pub(super) type Half = [u8; 16];

/// A stretch of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Extent {
    /// The body.
    pub(super) body: Body,
    /// Its first byte there.
    pub(super) start: u64,
    /// Its length in bytes; never 0 in an object's list.
    pub(super) size: u64,
    /// CRC64NVME of these bytes.
    pub(super) crc64: u64,
}

/// What is known of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Body {
    /// Its number.
    pub(super) id: u64,
    /// Its whole length in bytes.
    pub(super) size: u64,
    /// Half the digest of all its bytes.
    pub(super) digest: Half,
    /// Whether it is a file, or else a row.
    pub(super) filed: bool,
}

impl Extent {
    fn is_whole_body(&self) -> bool {
        self.start == 0 && self.size == self.body.size
    }
}

/// Half the digest of some bytes.
pub(super) fn half_digest(bytes: &[u8]) -> Half {
    half(&blake3::hash(bytes))
}

/// Half of a digest.
pub(super) fn half(digest: &blake3::Hash) -> Half {
    let mut half = Half::default();
    half.copy_from_slice(&digest.as_bytes()[..16]);
    half
}

/// Appends an extent, as part of the last one where it goes on from it.
pub(super) fn push(list: &mut Vec<Extent>, next: Extent) {
    if next.size == 0 {
        return;
    }
    match list.last_mut() {
        Some(last) if last.body.id == next.body.id && last.start + last.size == next.start => {
            last.crc64 = join_crc64(last.crc64, next.crc64, next.size);
            last.size += next.size;
        }
        _ => list.push(next),
    }
}

/// The checksum of two stretches, one after the other.
fn join_crc64(first: u64, second: u64, second_size: u64) -> u64 {
    checksum_combine(CrcAlgorithm::Crc64Nvme, first, second, second_size)
}

/// The checksum of an object.
pub(super) fn crc64(list: &[Extent]) -> u64 {
    // Joining costs more than reading a small object, and most have one extent.
    let joined = list.iter().map(|extent| (extent.crc64, extent.size));
    let joined = joined.reduce(|(crc, before), (next, size)| (join_crc64(crc, next, size), before + size));
    joined.map_or(CRC_OF_NOTHING, |(crc, _)| crc)
}

/// The ETag of an object.
pub(super) fn etag(list: &[Extent]) -> String {
    match list {
        [] => format!("b3-{}", hex(&half_digest(b""))),
        [only] if only.is_whole_body() => format!("b3-{}", hex(&only.body.digest)),
        many => {
            let mut hasher = blake3::Hasher::new();
            for extent in many {
                hasher.update(&extent.body.digest);
                hasher.update(&extent.start.to_be_bytes());
                hasher.update(&extent.size.to_be_bytes());
            }
            format!("b3-{}-{}", hex(&half(&hasher.finalize())), many.len())
        }
    }
}

/// The part of `list` from byte `offset` on, `size` bytes long: for each extent the
/// stretch of it, and whether that is all of it. `None` if the list is shorter.
pub(super) fn slice(list: &[Extent], offset: u64, size: u64) -> Option<Vec<(Extent, bool)>> {
    let end = offset.checked_add(size)?;
    let mut cut = Vec::new();
    let mut at = 0;
    for extent in list {
        let (from, to) = (offset.max(at), end.min(at + extent.size));
        if from < to {
            let whole = to - from == extent.size;
            cut.push((Extent { start: extent.start + (from - at), size: to - from, ..extent.clone() }, whole));
        }
        at += extent.size;
    }
    (end <= at).then_some(cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"neither sent twice nor lost once";

    fn stretch(start: u64, size: u64) -> Extent {
        let bytes = &TEXT[usize::try_from(start).unwrap()..][..usize::try_from(size).unwrap()];
        let body = Body { id: 7, size: TEXT.len() as u64, digest: half_digest(TEXT), filed: true };
        Extent { body, start, size, crc64: checksum(bytes) }
    }

    fn checksum(bytes: &[u8]) -> u64 {
        crc_fast::checksum(CrcAlgorithm::Crc64Nvme, bytes)
    }

    #[test]
    fn pieces_that_go_on_are_one_again() {
        let mut list = Vec::new();
        for (start, size) in [(0, 5), (5, 0), (5, 20), (25, TEXT.len() as u64 - 25)] {
            push(&mut list, stretch(start, size));
        }
        assert_eq!(list, [stretch(0, TEXT.len() as u64)]);
        assert_eq!(crc64(&list), checksum(TEXT));
        assert_eq!(etag(&list), format!("b3-{}", hex(&half_digest(TEXT))));
    }

    #[test]
    fn other_bytes_have_other_tags() {
        let lists = [
            vec![],
            vec![stretch(0, TEXT.len() as u64)],
            vec![stretch(0, 5)],
            vec![stretch(1, 5)],
            vec![stretch(0, 5), stretch(1, 5)],
            vec![stretch(1, 5), stretch(0, 5)],
        ];
        let tags: std::collections::BTreeSet<String> = lists.iter().map(|list| etag(list)).collect();
        assert_eq!(tags.len(), lists.len());
        assert_eq!(crc64(&lists[5]), checksum(&[&TEXT[1..6], &TEXT[..5]].concat()));
        assert_eq!(crc64(&[]), checksum(b""));
    }

    #[test]
    fn a_slice_is_these_bytes_and_no_others() {
        let list = [stretch(10, 4), stretch(0, 6)];
        let cut = |offset, size| {
            let parts = slice(&list, offset, size)?;
            Some(parts.iter().map(|(part, whole)| (part.start, part.size, *whole)).collect::<Vec<_>>())
        };
        assert_eq!(cut(0, 10), Some(vec![(10, 4, true), (0, 6, true)]));
        assert_eq!(cut(2, 5), Some(vec![(12, 2, false), (0, 3, false)]));
        assert_eq!(cut(4, 6), Some(vec![(0, 6, true)]));
        assert_eq!(cut(3, 0), Some(vec![]));
        assert_eq!(cut(10, 0), Some(vec![]));
        assert_eq!(cut(5, 6), None);
        assert_eq!(cut(u64::MAX, 1), None);
    }
}
