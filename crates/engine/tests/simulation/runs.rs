//! The tests: schedules by the thousand, each seed the same twice.

use crate::case::Case;
use crate::play::{play, shrink};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many schedules each run of the tests plays.
const SCHEDULES: u64 = 20_000;

pub fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Plays seeds on all processors until one fails, and says everything about it.
fn play_all(seeds: std::ops::Range<u64>) {
    let next = AtomicU64::new(seeds.start);
    let failed: Mutex<Vec<u64>> = Mutex::default();
    let most: usize = std::env::var("TIDELOCK_FAILURES").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    std::thread::scope(|scope| {
        for _ in 0..workers() {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || failed.lock().expect("no panics").len() >= most {
                        return;
                    }
                    let verdict = play(&Case::of(seed), None, false);
                    if let Some(wrong) = verdict.wrong {
                        println!("seed {seed}: {}", wrong.chars().take(300).collect::<String>());
                        failed.lock().expect("no panics").push(seed);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("no panics");
    if failed.len() > 1 {
        for seed in &failed {
            let small = shrink(&Case::of(*seed), None);
            let wrong = play(&small, None, false).wrong.unwrap_or_default();
            let ops: Vec<String> = small.ops.iter().map(|timed| format!("{:?} {:?}", timed.after, timed.op)).collect();
            println!("== seed {seed}: {wrong}\n   {:?}\n   {}", small.setup, ops.join("\n   "));
        }
    }
    if let Some(seed) = failed.first() {
        panic!("seeds {failed:?} failed\n{}", explain(&Case::of(*seed)));
    }
}

/// A failure, shrunk, with what happened and how to see it again.
fn explain(case: &Case) -> String {
    let small = shrink(case, None);
    let verdict = play(&small, None, true);
    let json = serde_json::to_string(&small).expect("a case is JSON");
    let gates: Vec<String> = verdict.gates.iter().rev().take(60).rev().cloned().collect();
    format!(
        "{}\n\nsetup: {:?}\nfaults met: {:?}\n\n{}\n\nthe last gates: {gates:?}\n\n\
         keep it in crates/engine/tests/simulation/regressions/:\n{json}\n\n\
         replay: TIDELOCK_SEED={} cargo test -p tidelock-engine --features testing --test simulation replay -- --nocapture",
        verdict.wrong.unwrap_or_else(|| "it does not fail when shrunk".to_owned()),
        small.setup,
        verdict.met,
        verdict.log.join("\n"),
        small.seed,
    )
}

#[test]
fn schedules() {
    let count = std::env::var("TIDELOCK_SCHEDULES").ok().and_then(|text| text.parse().ok()).unwrap_or(SCHEDULES);
    play_all(0..count);
}

/// Failures of earlier days, each shrunk to what it needs, must never come back.
#[test]
fn regressions() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/simulation/regressions");
    let mut names: Vec<_> = std::fs::read_dir(&folder)
        .expect("the folder is part of the repository")
        .map(|entry| entry.expect("can be listed").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    names.sort();
    assert!(!names.is_empty(), "{} is empty", folder.display());
    for name in names {
        let text = std::fs::read_to_string(&name).expect("can be read");
        let case: Case = serde_json::from_str(&text).expect("a schedule");
        if play(&case, None, false).wrong.is_some() {
            panic!("{}\n{}", name.display(), explain(&case));
        }
    }
}

/// Plays one schedule aloud: of a seed, or of a file.
#[test]
fn replay() {
    let seed = std::env::var("TIDELOCK_SEED").ok().and_then(|text| text.parse().ok()).map(Case::of);
    let file = std::env::var("TIDELOCK_CASE").ok().and_then(|name| std::fs::read_to_string(name).ok());
    let file = file.map(|text| serde_json::from_str(&text).expect("a schedule"));
    let Some(case) = file.or(seed) else { return };
    if play(&case, None, false).wrong.is_some() {
        panic!("{}", explain(&case));
    }
    println!("it passes: {case:?}\n{}", play(&case, None, true).log.join("\n"));
}

#[test]
fn each_seed_is_the_same_twice() {
    for seed in 0..300 {
        let case = Case::of(seed);
        let (one, other) = (play(&case, None, false), play(&case, None, false));
        assert_eq!((one.trace, one.steps, one.wrong), (other.trace, other.steps, other.wrong), "seed {seed}");
    }
}

/// Millions, from a seed of the day: only where `TIDELOCK_SOAK` asks for it.
#[test]
fn soak() {
    if std::env::var("TIDELOCK_SOAK").is_err() {
        return;
    }
    let count = std::env::var("TIDELOCK_SOAK_SCHEDULES").ok().and_then(|text| text.parse().ok()).unwrap_or(2_000_000);
    let start = fresh_seed();
    println!("soak: {count} schedules from seed {start}");
    play_all(start..start.saturating_add(count));
}

/// A seed that nobody has tried, told by the clock or by `TIDELOCK_SOAK_SEED`.
pub fn fresh_seed() -> u64 {
    let given = std::env::var("TIDELOCK_SOAK_SEED").ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        crate::chance::mix(since.as_nanos() as u64) >> 16
    })
}
