//! Is the net tight? Every planted bug must be found.
//!
//! For each a seed is on record that finds it, tried first; if the schedules have
//! changed so that it does not, fresh ones are searched, and the one that does is
//! told. A soak never looks at the record.

use crate::case::Case;
use crate::play::play;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use tidelock_engine::planted::Bug;

/// Which seed finds which bug.
const FOUND_BY: &[(Bug, u64)] = &[];

/// The first of these seeds that fails with the bug and passes without it.
pub fn search(bug: Bug, seeds: Range<u64>) -> Option<(u64, String)> {
    let next = AtomicU64::new(seeds.start);
    let found: Mutex<Option<(u64, String)>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..crate::runs::workers() {
            scope.spawn(|| {
                while found.lock().expect("no panics").is_none() {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let case = Case::of(seed);
                    if let Some(wrong) = play(&case, Some(bug), false).wrong
                        && play(&case, None, false).wrong.is_none()
                    {
                        *found.lock().expect("no panics") = Some((seed, wrong));
                    }
                }
            });
        }
    });
    found.into_inner().expect("no panics")
}

#[test]
fn every_planted_bug_is_found() {
    let mut missed = Vec::new();
    for bug in Bug::ALL {
        let known = FOUND_BY.iter().find(|(known, _)| *known == bug).map(|(_, seed)| *seed);
        if let Some(seed) = known
            && play(&Case::of(seed), Some(bug), false).wrong.is_some()
        {
            continue;
        }
        match search(bug, 0..SEARCHED) {
            Some((seed, wrong)) => {
                println!("    (Bug::{bug:?}, {seed}), // {}", wrong.chars().take(110).collect::<String>());
            }
            None => missed.push(bug),
        }
    }
    assert_eq!(missed, [], "not found in {SEARCHED} schedules");
}

/// So many schedules are searched for a bug whose seed does not find it any more.
const SEARCHED: u64 = 10_000;
