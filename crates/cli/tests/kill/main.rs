//! The real binary, killed before every mutating system call and failed at it.
//!
//! One small scenario per operation. The first run counts the calls; then, for each
//! of them, the scenario is set up anew and the run dies there (SIGKILL, nothing
//! flushed) or gets an I/O error. Whatever happened, the next run must heal without
//! a person: both sides as wanted, every byte of the user's still somewhere, no
//! temporary file left. Needs a binary with the `testing` feature.

mod place;
mod scenarios;
mod traced;

use place::{Hook, Place};
use scenarios::{SCENARIOS, Scenario};
use std::sync::atomic::{AtomicU64, Ordering};

#[test]
fn killed_anywhere_the_next_run_heals() {
    for_each_scenario(|scenario, calls| {
        for at in 1..=calls {
            let place = Place::new();
            (scenario.prepare)(&place);
            let ended = place.run(scenario.run, &Hook::Kill(at));
            assert!(ended.killed || ended.code == Some(0), "{}: call {at} of {calls}: {ended:?}", scenario.name);
            heal(scenario, &place, &format!("{}: killed at call {at} of {calls}", scenario.name));
        }
        calls
    });
}

#[test]
fn failed_anywhere_the_next_run_heals() {
    for_each_scenario(|scenario, calls| {
        let mut count = 0;
        for at in 1..=calls {
            for with in ["EIO", "ENOSPC"] {
                let place = Place::new();
                (scenario.prepare)(&place);
                let ended = place.run(scenario.run, &Hook::Fail(at, with));
                assert!(ended.code.is_some(), "{}: {with} at call {at}: {ended:?}", scenario.name);
                heal(scenario, &place, &format!("{}: {with} at call {at} of {calls}", scenario.name));
                count += 1;
            }
        }
        count
    });
}

/// The next run, and what must be true after it.
fn heal(scenario: &Scenario, place: &Place, what: &str) {
    let ended = place.run(scenario.run, &Hook::None);
    assert_eq!(ended.code, Some(scenario.exit), "{what}: the next run: {ended:?}");
    (scenario.check)(place, what);
    place.assert_no_leftovers(what);
}

/// Runs every scenario, two at a time, after one undisturbed run that counts its
/// calls.
fn for_each_scenario(work: impl Fn(&Scenario, u64) -> u64 + Sync) {
    let next = AtomicU64::new(0);
    let total = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let index = usize::try_from(next.fetch_add(1, Ordering::SeqCst)).expect("small");
                    let Some(scenario) = SCENARIOS.get(index) else { break };
                    let place = Place::new();
                    (scenario.prepare)(&place);
                    let ended = place.run(scenario.run, &Hook::Count);
                    assert_eq!(ended.code, Some(scenario.exit), "{}: undisturbed: {ended:?}", scenario.name);
                    (scenario.check)(&place, scenario.name);
                    let calls = place.calls();
                    assert!(calls >= scenario.calls, "{}: only {calls} calls were counted", scenario.name);
                    let runs = work(scenario, calls);
                    println!("{}: {calls} calls, {runs} runs", scenario.name);
                    total.fetch_add(runs, Ordering::SeqCst);
                }
            });
        }
    });
    println!("{} runs in all", total.load(Ordering::SeqCst));
}
