//! Three streams, one key at a time.
//!
//! Base, local and remote come in ascending order of key bytes. [`pick`] says
//! which of the three heads belong to the next key; whoever drives the streams
//! advances those. [`Order`] watches one stream and notices when it goes back,
//! which a bucket's listing may.

use crate::path::Key;

/// Which heads belong to the next key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pick {
    /// The base's head does.
    pub base: bool,
    /// The local head does.
    pub here: bool,
    /// The remote head does.
    pub there: bool,
}

/// The least of the three heads, and who shares it; `None` when all have ended.
pub fn pick(base: Option<&Key>, here: Option<&Key>, there: Option<&Key>) -> Option<Pick> {
    let least = [base, here, there].into_iter().flatten().min()?;
    let has = |head: Option<&Key>| head == Some(least);
    Some(Pick { base: has(base), here: has(here), there: has(there) })
}

/// Checks that one stream only ever goes forward.
#[derive(Debug, Default)]
pub struct Order {
    last: Option<Key>,
}

impl Order {
    /// `false` when `key` does not come after the one before it.
    #[must_use]
    pub fn advance(&mut self, key: &Key) -> bool {
        let forward = self.last.as_ref().is_none_or(|last| last < key);
        self.last = Some(key.clone());
        forward
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn every_key_is_met_once_in_order_by_all_who_hold_it(
            sets in proptest::array::uniform3(proptest::collection::btree_set("[ab/]{1,3}", 0..6))
        ) {
            let streams = sets.clone().map(|set| set.into_iter().map(Key::new).collect::<Vec<_>>());
            let mut at = [0_usize; 3];
            let mut met = Vec::new();
            while let Some(picked) = pick(streams[0].get(at[0]), streams[1].get(at[1]), streams[2].get(at[2])) {
                let taken = [picked.base, picked.here, picked.there];
                let key = (0..3).find(|side| taken[*side]).map(|side| streams[side][at[side]].as_str().to_owned());
                let key = key.expect("somebody holds the least key");
                for side in 0..3 {
                    prop_assert_eq!(taken[side], sets[side].contains(&key));
                    at[side] += usize::from(taken[side]);
                }
                met.push(key);
            }
            let all: BTreeSet<_> = sets.iter().flatten().cloned().collect();
            prop_assert_eq!(met, all.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_stream_that_goes_back_is_noticed() {
        let mut order = Order::default();
        assert!(order.advance(&Key::new("a")) && order.advance(&Key::new("b")));
        assert!(!order.advance(&Key::new("b")));
    }
}
