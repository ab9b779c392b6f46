//! Is the net tight? Every planted bug must be found.
//!
//! For each a seed is on record that finds it, tried first; if the schedules have
//! changed so that it does not, fresh ones are searched, and the one that does is
//! told. A soak never looks at the record.

use crate::case::Case;
use crate::play::play;
use crate::runs::fresh_seed;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use tidelock_engine::planted::Bug;

/// Which seed finds which bug.
const FOUND_BY: &[(Bug, u64)] = &[
    (Bug::SkipFsyncFile, 4),
    (Bug::SkipFsyncDir, 3),
    (Bug::RenameWithoutExpect, 7),
    (Bug::UnlinkInsteadOfTrash, 7),
    (Bug::StartupUnlinksTemps, 470),
    (Bug::CtimeIgnored, 109),
    (Bug::DropIfMatch, 931),
    (Bug::DropIfNoneMatch, 137),
    (Bug::PartialListComplete, 127),
    (Bug::CommitBeforeEffect, 0),
    (Bug::RetryWithoutHead, 4457),
    (Bug::InodeOnlyRename, 139),
    (Bug::MtimeSeconds, 21),
    (Bug::DeleteOldBeforeNew, 44),
    (Bug::ShortBodyAccepted, 170),
    (Bug::EtagAsMd5, 15),
    (Bug::PerKeyDeleteErrorsIgnored, 277),
    (Bug::GuardSkipped, 35),
    (Bug::RootCheckSkipped, 34),
    (Bug::ConflictLoserDropped, 43),
    (Bug::TempSynced, 7),
    (Bug::NoDoubleFstat, 4531),
    (Bug::HolesIgnored, 68),
    (Bug::PrunedIsDeleted, 45),
    (Bug::LapsedIsAgreed, 144),
];

/// Mistakes that the engine's other checks make good, so that no schedule shows them.
/// A file whose object came back between the listing and the deletion is in the
/// trash, and the next run fetches what came back.
const HARMLESS: &[Bug] = &[Bug::NoHeadBeforeDeleteHere];

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
    let soaking = std::env::var("TIDELOCK_SOAK").is_ok();
    let seeds = if soaking { fresh_seed()..fresh_seed() + SOAKED } else { 0..SEARCHED };
    let mut missed = Vec::new();
    for bug in Bug::ALL.into_iter().filter(|bug| !HARMLESS.contains(bug)) {
        let known = FOUND_BY.iter().find(|(known, _)| *known == bug).map(|(_, seed)| *seed);
        if let Some(seed) = known.filter(|_| !soaking)
            && play(&Case::of(seed), Some(bug), false).wrong.is_some()
        {
            continue;
        }
        println!("    {bug:?}: {known:?} does not find it; searching");
        match search(bug, seeds.clone()) {
            Some((seed, wrong)) => {
                println!("    (Bug::{bug:?}, {seed}), // {}", wrong.chars().take(110).collect::<String>());
            }
            None => missed.push(bug),
        }
    }
    assert_eq!(missed, [], "not found in the schedules of {seeds:?}");
}

/// So many schedules are searched for a bug whose seed does not find it any more.
const SEARCHED: u64 = 10_000;
/// The same for a soak, from fresh seeds.
const SOAKED: u64 = 100_000;
