//! How a recipe becomes requests: arithmetic, no requests.
//!
//! Knows S3's limits on parts (5 MiB to 5 GiB, the last may be smaller) and keeps
//! them and those of the service, whatever the pieces are: what is too short to be
//! copied as a part is read back and sent together with its neighbours.

use super::provider::PartRules;
use crate::error::{Error, ErrorKind, Result};
use crate::{Piece, Put};
use std::collections::VecDeque;
use tidelock_core::entry::RemoteStamp;
use tidelock_core::path::Key;

/// Up to this size an object of bytes goes in one PUT.
pub(crate) const MULTIPART_THRESHOLD: u64 = 8 << 20;
/// The usual size of a part.
const PART_BYTES: u64 = 8 << 20;
const PART_MIN_BYTES: u64 = 5 << 20;
/// The longest stretch that is copied as one part.
const COPY_MAX_BYTES: u64 = 5 << 30;

/// One of the ways to write an object.
pub(super) enum Way {
    /// One PUT of these pieces' bytes.
    Single(Vec<Piece>),
    /// One copy of a whole object.
    Copy { from: Key, stamp: RemoteStamp },
    /// An upload in parts.
    Parts(Vec<Part>),
}

/// A part of an upload.
pub(super) enum Part {
    /// Read these and send them.
    Sent(Vec<Piece>),
    /// Copied there.
    Copied { key: Key, stamp: RemoteStamp, offset: u64, size: u64 },
}

/// Plans one write. `copy_object` says whether a whole copy may be one request.
pub(super) fn plan(put: &Put, copy_object: bool, rules: PartRules) -> Result<Way> {
    let total = put.size();
    if let [Piece::CopyOf { key, stamp, offset: 0, size }] = put.recipe.as_slice()
        && *size == stamp.size
        && *size <= rules.copy_max_bytes
        && (copy_object || *size == 0)
    {
        return Ok(Way::Copy { from: key.clone(), stamp: stamp.clone() });
    }
    let all_bytes = put.recipe.iter().all(|piece| matches!(piece, Piece::Bytes { .. }));
    let pieces: Vec<Piece> = put.recipe.iter().filter(|piece| piece.size() > 0).cloned().collect();
    if total <= MULTIPART_THRESHOLD && all_bytes {
        return Ok(Way::Single(pieces));
    }
    let part_size = part_size(total, rules.max);
    let mut parts = split(pieces.clone(), part_size);
    if rules.equal && !are_equal(&parts) {
        // What could have been copied is read back: better than being refused at the end.
        parts.clear();
        let size = pieces.iter().map(Piece::size).sum();
        Run { pieces, size }.flush(&mut parts, part_size, true);
    }
    if parts.len() as u64 > rules.max {
        let text = format!("the object would have {} parts, and {} are allowed", parts.len(), rules.max);
        return Err(Error::new(ErrorKind::Unsupported, "put", text).on(&put.key));
    }
    match parts.as_mut_slice() {
        [Part::Sent(pieces)] if total <= MULTIPART_THRESHOLD => Ok(Way::Single(std::mem::take(pieces))),
        _ => Ok(Way::Parts(parts)),
    }
}

/// Whether all parts but the last are of one size, and the last is no larger.
fn are_equal(parts: &[Part]) -> bool {
    let size = |part: &Part| match part {
        Part::Sent(pieces) => pieces.iter().map(Piece::size).sum(),
        Part::Copied { size, .. } => *size,
    };
    let [first, middle @ .., last] = parts else { return true };
    middle.iter().all(|part| size(part) == size(first)) && size(last) <= size(first)
}

/// The size of sent parts: grown, in whole MiB, so that a file of any size fits.
fn part_size(total: u64, parts_max: u64) -> u64 {
    total.div_ceil(parts_max).next_multiple_of(1 << 20).max(PART_BYTES)
}

fn split(pieces: Vec<Piece>, part_size: u64) -> Vec<Part> {
    let mut queue: VecDeque<Piece> = pieces.into();
    let mut parts = Vec::new();
    let mut run = Run::default();
    while let Some(piece) = queue.pop_front() {
        match piece {
            Piece::CopyOf { .. } if run.size > 0 && run.size < PART_MIN_BYTES => {
                // Bytes too few to be a part: pad them from the copy that follows.
                let take = (PART_MIN_BYTES - run.size).min(piece.size());
                if let Some(rest) = slice(&piece, take, piece.size() - take) {
                    queue.push_front(rest);
                }
                run.push(slice(&piece, 0, take));
            }
            Piece::CopyOf { key, stamp, offset, size } if is_copyable(&stamp, offset, size, queue.is_empty()) => {
                run.flush(&mut parts, part_size, false);
                copied(&mut parts, &key, &stamp, offset, size);
            }
            piece => run.push(Some(piece)),
        }
    }
    run.flush(&mut parts, part_size, true);
    parts
}

/// Whether S3 takes this stretch as a part. Ranges are taken only of objects
/// larger than 5 MiB.
fn is_copyable(stamp: &RemoteStamp, offset: u64, size: u64, last: bool) -> bool {
    let long_enough = size >= PART_MIN_BYTES || last;
    let whole = offset == 0 && size == stamp.size;
    long_enough && (whole || stamp.size > PART_MIN_BYTES)
}

/// Copies of one stretch, evenly cut where it is too long for one.
fn copied(parts: &mut Vec<Part>, key: &Key, stamp: &RemoteStamp, offset: u64, size: u64) {
    let count = size.div_ceil(COPY_MAX_BYTES).max(1);
    let step = size.div_ceil(count);
    let mut done = 0;
    while done < size {
        let size = step.min(size - done);
        parts.push(Part::Copied { key: key.clone(), stamp: stamp.clone(), offset: offset + done, size });
        done += size;
    }
}

/// Neighbouring pieces that will be sent.
#[derive(Default)]
struct Run {
    pieces: Vec<Piece>,
    size: u64,
}

impl Run {
    fn push(&mut self, piece: Option<Piece>) {
        if let Some(piece) = piece {
            self.size += piece.size();
            self.pieces.push(piece);
        }
    }

    /// Cuts the run into parts of `part_size`. Unless it is the end of the object, a
    /// remainder too short to be a part joins the part before it.
    fn flush(&mut self, parts: &mut Vec<Part>, part_size: u64, last: bool) {
        let mut pieces: VecDeque<Piece> = std::mem::take(&mut self.pieces).into();
        let mut left = std::mem::take(&mut self.size);
        while left > 0 {
            let rest = left.saturating_sub(part_size);
            let want = if rest > 0 && rest < PART_MIN_BYTES && !last { left } else { left.min(part_size) };
            parts.push(Part::Sent(cut(&mut pieces, want)));
            left -= want;
        }
    }
}

/// The first `want` bytes of the queue.
fn cut(queue: &mut VecDeque<Piece>, want: u64) -> Vec<Piece> {
    let mut taken = Vec::new();
    let mut left = want;
    while left > 0 {
        let Some(piece) = queue.pop_front() else { break };
        let take = piece.size().min(left);
        if let Some(rest) = slice(&piece, take, piece.size() - take) {
            queue.push_front(rest);
        }
        taken.extend(slice(&piece, 0, take));
        left -= take;
    }
    taken
}

/// `size` bytes of a piece from `skip`; `None` if there are none.
fn slice(piece: &Piece, skip: u64, size: u64) -> Option<Piece> {
    let mut out = piece.clone();
    match &mut out {
        Piece::Bytes { offset, size: length, .. } | Piece::CopyOf { offset, size: length, .. } => {
            *offset += skip;
            *length = size;
        }
    }
    (size > 0).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::super::provider::Provider;
    use super::*;
    use crate::{Condition, ObjectMeta};
    use bytes::Bytes;
    use proptest::prelude::*;
    use std::sync::Arc;

    fn bytes(offset: u64, size: u64) -> Piece {
        Piece::Bytes { source: Arc::new(Bytes::new()), offset, size }
    }

    fn copy(offset: u64, size: u64, of: u64) -> Piece {
        let stamp = RemoteStamp { etag: "e".to_owned(), size: of, modified_s: None };
        Piece::CopyOf { key: Key::new("old"), stamp, offset, size }
    }

    fn put(recipe: Vec<Piece>) -> Put {
        Put {
            key: Key::new("k"),
            recipe,
            meta: ObjectMeta::default(),
            storage_class: None,
            condition: Condition::Absent,
        }
    }

    fn shape(way: &Way) -> String {
        match way {
            Way::Single(pieces) => format!("put {}", pieces.iter().map(Piece::size).sum::<u64>()),
            Way::Copy { .. } => "copy".to_owned(),
            Way::Parts(parts) => parts
                .iter()
                .map(|part| match part {
                    Part::Sent(pieces) => format!("s{}", pieces.iter().map(Piece::size).sum::<u64>() >> 20),
                    Part::Copied { size, .. } => format!("c{}", size >> 20),
                })
                .collect::<Vec<_>>()
                .join(" "),
        }
    }

    #[test]
    fn the_ways() {
        const M: u64 = 1 << 20;
        let cases = [
            ("nothing", vec![], "put 0"),
            ("small", vec![bytes(0, 3), bytes(9, 4)], "put 7"),
            ("threshold", vec![bytes(0, 8 * M)], "put 8388608"),
            ("large", vec![bytes(0, 20 * M)], "s8 s8 s4"),
            ("rename", vec![copy(0, 9 * M, 9 * M)], "copy"),
            ("huge rename", vec![copy(0, 12 << 30, 12 << 30)], "c4096 c4096 c4096"),
            (
                "changed middle",
                vec![copy(0, 16 * M, 32 * M), bytes(16 * M, 8 * M), copy(24 * M, 8 * M, 32 * M)],
                "c16 s8 c8",
            ),
            (
                "short change padded",
                vec![copy(0, 16 * M, 32 * M), bytes(16 * M, M), copy(17 * M, 15 * M, 32 * M)],
                "c16 s5 c11",
            ),
            ("short copy sent", vec![bytes(0, 8 * M), copy(0, M, 32 * M), bytes(0, 8 * M)], "s8 s8 s1"),
            ("remainder joins", vec![bytes(0, 9 * M), copy(0, 8 * M, 32 * M)], "s9 c8"),
        ];
        for (name, recipe, expected) in cases {
            assert_eq!(shape(&planned(recipe, "other")), expected, "{name}");
        }
        let way = plan(&put(vec![copy(0, 9, 9)]), false, Provider::usual().parts);
        assert_eq!(shape(&way.expect("plannable")), "c0");
    }

    fn planned(recipe: Vec<Piece>, provider: &str) -> Way {
        plan(&put(recipe), true, Provider::named(provider).expect("known").parts).expect("plannable")
    }

    #[test]
    fn services_with_rules_of_their_own() {
        const M: u64 = 1 << 20;
        let changed = || vec![copy(0, 16 * M, 32 * M), bytes(16 * M, 7 * M), copy(23 * M, 9 * M, 32 * M)];
        assert_eq!(shape(&planned(changed(), "aws")), "c16 s7 c9");
        assert_eq!(shape(&planned(changed(), "r2")), "s8 s8 s8 s8", "equal parts");
        assert_eq!(shape(&planned(vec![copy(0, 12 << 30, 12 << 30)], "r2")), "c4096 c4096 c4096");
        assert_eq!(shape(&planned(vec![copy(0, 12 << 30, 12 << 30)], "gcs")), "copy");
        assert_eq!(shape(&planned(vec![copy(0, 2 << 30, 2 << 30)], "alibaba")), "c2048");
        let Way::Parts(parts) = planned(vec![bytes(0, 20_000 * M)], "scaleway") else { panic!("in parts") };
        assert_eq!(parts.len(), 1_000, "no more than it takes");
    }

    proptest! {
        #[test]
        fn parts_keep_the_limits_and_the_bytes(sizes in prop::collection::vec((any::<bool>(), 0..40_u64 << 20), 1..8)) {
            let recipe: Vec<Piece> = sizes
                .iter()
                .enumerate()
                .map(|(n, (there, size))| {
                    let offset = (n as u64) << 40;
                    if *there { copy(offset, *size, 1 << 45) } else { bytes(offset, *size) }
                })
                .collect();
            let wanted: Vec<(u64, u64)> = spans(&recipe);
            let got = match planned(recipe, "other") {
                Way::Single(pieces) => spans(&pieces),
                Way::Copy { .. } => unreachable!("no piece is a whole object"),
                Way::Parts(parts) => {
                    let last = parts.len() - 1;
                    let mut pieces = Vec::new();
                    for (n, part) in parts.into_iter().enumerate() {
                        let inside = match part {
                            Part::Sent(pieces) => pieces,
                            Part::Copied { key, stamp, offset, size } => vec![Piece::CopyOf { key, stamp, offset, size }],
                        };
                        let size: u64 = inside.iter().map(Piece::size).sum();
                        prop_assert!(n == last || size >= PART_MIN_BYTES);
                        pieces.extend(inside);
                    }
                    spans(&pieces)
                }
            };
            prop_assert_eq!(got, wanted);
        }
    }

    /// Offsets and sizes, neighbours joined.
    fn spans(pieces: &[Piece]) -> Vec<(u64, u64)> {
        let mut out: Vec<(u64, u64)> = Vec::new();
        for piece in pieces.iter().filter(|piece| piece.size() > 0) {
            let (Piece::Bytes { offset, size, .. } | Piece::CopyOf { offset, size, .. }) = piece;
            match out.last_mut() {
                Some((start, length)) if *start + *length == *offset => *length += size,
                _ => out.push((*offset, *size)),
            }
        }
        out
    }
}
