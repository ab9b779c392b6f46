//! Renames, found by file identity.
//!
//! A file that left one path and turned up at another with the same identity, size
//! and modification time was renamed, as far as a stamp can tell; whoever carries
//! the move out still proves it by digest. Only base and local are looked at, so a
//! move cut off by a crash pairs again. [`order`] arranges moves so that no object
//! is overwritten before it was copied from.

use crate::entry::{Digest, LocalStamp, RemoteStamp};
use crate::path::Key;
use std::collections::BTreeMap;

/// A base row whose file is no longer at its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Departed {
    /// The key it was agreed under.
    pub key: Key,
    /// The file's stamp then.
    pub stamp: LocalStamp,
    /// That stamp was taken too soon to be trusted alone.
    pub racy: bool,
    /// The digest of its bytes.
    pub digest: Digest,
    /// The object, as agreed.
    pub object: RemoteStamp,
}

/// Whether a file with stamp `now` is the departed one under another name; and if
/// so, whether its bytes are proved by the stamp alone. Renaming a file changes its
/// change time and so loses the proof; renaming a folder above it does not.
pub fn pair(departed: &Departed, now: &LocalStamp) -> Option<bool> {
    let then = &departed.stamp;
    let same_file = then.file_id == now.file_id && then.file_id.is_trustworthy();
    let matches = same_file && then.size == now.size && then.mtime_ns == now.mtime_ns;
    matches.then(|| then == now && !departed.racy)
}

/// Why a rename was not made as a copy there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmade {
    /// What it would replace lives on here under a name that only a sync would send.
    Buries,
    /// The file here, or the object there, is not what left the old name.
    NoRename,
    /// There already is something under the new name.
    Taken,
    /// The place does not copy this object.
    NotCopied,
    /// Whether the copy would be one of the right version, nothing could tell.
    Unprovable,
    /// A copy was made, and may be one of another version.
    Unproved,
}

/// What is done instead of such a rename.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instead {
    /// The bytes here are sent like those of any new file; the old object stays.
    Send,
    /// They are sent, and the old object goes as a rename's does.
    SendMoved,
    /// What is there is compared with what is here.
    Compare,
    /// Both names stay as they are, for a sync.
    Leave,
    /// The same, and a person must know why.
    Tell(&'static str),
}

impl Unmade {
    /// What is done instead. With `only_renames` nothing is sent, but over a copy of our
    /// own that may be of wrong bytes: left there, it would be a conflict for everyone.
    pub fn instead(self, only_renames: bool) -> Instead {
        match (self, only_renames) {
            (Self::Buries | Self::NoRename | Self::Taken, true) => Instead::Leave,
            (Self::NotCopied, true) => {
                Instead::Tell("it was renamed, and the remote does not copy it; a sync sends it")
            }
            (Self::Unprovable, true) => {
                Instead::Tell("it was renamed, and a copy there could not be proved to hold the same; a sync sends it")
            }
            (Self::Taken, false) => Instead::Compare,
            (Self::Unproved, _) | (Self::Unprovable, false) => Instead::SendMoved,
            (Self::Buries | Self::NoRename | Self::NotCopied, false) => Instead::Send,
        }
    }
}

/// A move between two keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// Where the bytes are now, there.
    pub from: Key,
    /// Where they belong.
    pub to: Key,
    /// How many there are.
    pub size: u64,
}

/// Moves that depend on each other, in the order they must run in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Copies, first to last.
    pub copies: Vec<Move>,
    /// The destination that must be uploaded after the copies, because its source
    /// has been overwritten by then: the smallest of a cycle.
    pub upload: Option<Key>,
}

/// Arranges moves into chains. Every key is the source of at most one move and the
/// destination of at most one. A chain runs from its end: first the copy to a key
/// that nobody copies from. A cycle is broken by uploading its smallest member.
pub fn order(moves: Vec<Move>) -> Vec<Chain> {
    let mut by_source: BTreeMap<Key, Move> = moves.into_iter().map(|entry| (entry.from.clone(), entry)).collect();
    let destinations: std::collections::BTreeSet<Key> = by_source.values().map(|entry| entry.to.clone()).collect();
    let heads: Vec<Key> = by_source.keys().filter(|from| !destinations.contains(*from)).cloned().collect();

    let mut chains: Vec<Chain> = heads
        .into_iter()
        .map(|head| {
            let mut copies = follow(&mut by_source, head);
            copies.reverse();
            Chain { copies, upload: None }
        })
        .collect();
    while let Some(first) = by_source.keys().next().cloned() {
        let cycle = follow(&mut by_source, first);
        chains.push(break_cycle(cycle));
    }
    chains
}

/// Takes the moves out one after the other: from `start`, from where that went, …
fn follow(by_source: &mut BTreeMap<Key, Move>, start: Key) -> Vec<Move> {
    let mut taken = Vec::new();
    let mut next = start;
    while let Some(entry) = by_source.remove(&next) {
        next = entry.to.clone();
        taken.push(entry);
    }
    taken
}

/// `cycle[i].to == cycle[i + 1].from`, around. Uploading to one destination last
/// frees its source from being needed: the rest is a chain.
fn break_cycle(mut cycle: Vec<Move>) -> Chain {
    let smallest = (0..cycle.len()).min_by_key(|at| (cycle[*at].size, cycle[*at].to.clone())).unwrap_or(0);
    // After the rotation the first move is the one to replace by an upload; the
    // copies then run from the last back to the second.
    cycle.rotate_left(smallest);
    let mut copies = cycle.split_off(1.min(cycle.len()));
    copies.reverse();
    Chain { copies, upload: cycle.pop().map(|entry| entry.to) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::FileId;
    use proptest::prelude::*;

    #[test]
    fn whoever_wants_renames_alone_has_nothing_sent_but_over_our_own_mistake() {
        use Unmade::{Buries, NoRename, NotCopied, Taken, Unprovable, Unproved};
        assert_eq!(Unproved.instead(true), Unproved.instead(false));
        for unmade in [Buries, NoRename, Taken, NotCopied, Unprovable] {
            assert!(matches!(unmade.instead(true), Instead::Leave | Instead::Tell(_)), "{unmade:?}");
            assert!(!matches!(unmade.instead(false), Instead::Leave | Instead::Tell(_)), "{unmade:?}");
        }
    }

    fn step(from: u8, to: u8, size: u64) -> Move {
        Move { from: Key::new(from.to_string()), to: Key::new(to.to_string()), size }
    }

    #[test]
    fn a_chain_runs_from_its_end() {
        let chains = order(vec![step(1, 2, 5), step(2, 3, 5)]);
        assert_eq!(chains, [Chain { copies: vec![step(2, 3, 5), step(1, 2, 5)], upload: None }]);
    }

    #[test]
    fn a_swap_costs_its_smaller_file() {
        let chains = order(vec![step(1, 2, 9), step(2, 1, 4)]);
        assert_eq!(chains, [Chain { copies: vec![step(1, 2, 9)], upload: Some(Key::new("1")) }]);
    }

    #[test]
    fn identity_alone_is_not_enough() {
        let file_id = FileId { inode: 1, birth_ns: 2 };
        let stamp = LocalStamp { size: 3, mtime_ns: 4, change_ns: 5, file_id };
        let object = RemoteStamp { etag: "e".into(), size: 3, modified_s: None };
        let departed = Departed { key: Key::new("k"), stamp, racy: false, digest: Digest::of(b"abc"), object };
        assert_eq!(pair(&departed, &stamp), Some(true));
        assert_eq!(pair(&departed, &LocalStamp { change_ns: 9, ..stamp }), Some(false));
        assert_eq!(pair(&departed, &LocalStamp { mtime_ns: 9, ..stamp }), None);
        assert_eq!(pair(&departed, &LocalStamp { size: 9, ..stamp }), None);
        assert_eq!(pair(&departed, &LocalStamp { file_id: FileId { inode: 1, birth_ns: 3 }, ..stamp }), None);
    }

    proptest! {
        /// Carried out in order on a map, every destination ends with the bytes
        /// that its source had at the start.
        #[test]
        fn the_order_preserves_every_source(
            sources in Just((0..7_u8).collect::<Vec<_>>()).prop_shuffle(),
            targets in Just((0..9_u8).collect::<Vec<_>>()).prop_shuffle(),
            sizes in proptest::collection::vec(0..4_u64, 7), count in 0..7_usize,
        ) {
            let moves: Vec<Move> = (0..count).filter(|at| sources[*at] != targets[*at])
                .map(|at| step(sources[at], targets[at], sizes[at])).collect();
            let before: BTreeMap<Key, String> = (0..9_u8).map(|n| (Key::new(n.to_string()), format!("bytes {n}"))).collect();
            let mut there = before.clone();
            for chain in order(moves.clone()) {
                for copy in &chain.copies {
                    there.insert(copy.to.clone(), there[&copy.from].clone());
                }
                if let Some(key) = chain.upload {
                    let entry = moves.iter().find(|entry| entry.to == key).expect("a move");
                    there.insert(key, before[&entry.from].clone());
                }
            }
            for entry in &moves {
                prop_assert_eq!(&there[&entry.to], &before[&entry.from]);
            }
        }
    }
}
