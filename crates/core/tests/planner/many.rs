//! Random worlds by the hundred thousand; `TIDELOCK_SOAK=1` makes it fifty million,
//! `TIDELOCK_CASES=…` as many as one likes, `TIDELOCK_SEED=…` a single one.

use crate::laws::{judge, shown};
use crate::random::{case, case_after_a_crash};
use crate::two::{judge_pair, pair_of_devices, shown_pair};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

const CASES: u64 = 200_000;
const SOAK_CASES: u64 = 50_000_000;

fn cases() -> u64 {
    let wanted = std::env::var("TIDELOCK_CASES").ok().and_then(|text| text.parse().ok());
    let soak = std::env::var_os("TIDELOCK_SOAK").is_some();
    wanted.unwrap_or(if soak { SOAK_CASES } else { CASES })
}

fn seeds() -> std::ops::Range<u64> {
    match std::env::var("TIDELOCK_SEED").ok().and_then(|text| text.parse().ok()) {
        Some(seed) => seed..seed + 1,
        None => 0..cases(),
    }
}

/// Tries every seed, on all cores; the least that fails is told.
fn each(run: impl Fn(u64) -> Result<(), String> + Sync) {
    let seeds = seeds();
    let next = AtomicU64::new(seeds.start);
    let least: Mutex<Option<(u64, String, u64)>> = Mutex::new(None);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end || least.lock().expect("no panic").as_ref().is_some_and(|least| least.2 > 20) {
                return;
            }
            let Err(broken) = run(seed) else { continue };
            let mut least = least.lock().expect("no panic");
            let count = least.as_ref().map_or(0, |least| least.2) + 1;
            match least.as_mut() {
                Some(least) if least.1.len() <= broken.len() => least.2 = count,
                _ => *least = Some((seed, broken, count)),
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(work);
        }
    });
    if let Some((seed, broken, count)) = least.into_inner().expect("no panic") {
        panic!("{count} cases failed; TIDELOCK_SEED={seed}:\n{broken}");
    }
}

#[test]
fn random_worlds_settle_and_keep_the_laws() {
    each(|seed| {
        let case = case(seed);
        judge(&case).map(drop).map_err(|broken| format!("{broken}\n{}", shown(&case)))
    });
}

/// A run dies half way, people go on working, and then the next one comes, perhaps
/// under another policy: what the first left in the base is all there is to go by.
#[test]
fn a_run_that_died_is_taken_up_by_the_next() {
    each(|seed| {
        let case = case_after_a_crash(seed);
        judge(&case).map(drop).map_err(|broken| format!("{broken}\n{}", shown(&case)))
    });
}

#[test]
fn two_devices_on_one_bucket_meet() {
    each(|seed| {
        let pair = pair_of_devices(seed);
        judge_pair(&pair).map_err(|broken| format!("{broken}\n{}", shown_pair(&pair)))
    });
}
