//! The same seen from outside: the kernel's own count of system calls.
//!
//! The hook in the binary covers our own calls; strace also covers those that SQLite
//! and the libraries make between them. Each scenario's run is killed as it enters
//! the n-th call of one kind, for a sample of n that reaches to the last one.

use super::heal;
use super::place::{Hook, Place};
use super::scenarios::{SCENARIOS, Scenario};
use std::process::Command;

/// Kinds of calls that change something.
const CALLS: [&str; 8] =
    ["renameat2", "unlink,unlinkat", "mkdir,mkdirat", "fsync", "fdatasync", "pwrite64", "ftruncate", "write"];
/// Outside `make soak`, so many kills are tried of each kind and scenario.
const KILLS_SAMPLED: u64 = 3;
/// Outside `make soak`, only these scenarios are traced.
const SAMPLED: [&str; 4] = ["upload", "restore --overwrite", "move", "delete here"];

#[test]
fn killed_at_a_real_system_call_the_next_run_heals() {
    if let Err(why) = traceable() {
        let what = format!("killing under strace: {why}; `apt-get install strace`, and a kernel that lets us trace");
        println!("{what}");
        if let Ok(file) = std::env::var("TIDELOCK_SKIPPED") {
            std::fs::write(file, what).expect("writes");
        }
        return;
    }
    let soak = std::env::var_os("TIDELOCK_SOAK").is_some();
    let mut killed = 0;
    for scenario in SCENARIOS.iter().filter(|scenario| soak || SAMPLED.contains(&scenario.name)) {
        for calls in CALLS {
            killed += kill_at(scenario, calls, soak);
        }
    }
    println!("{killed} runs killed at a call");
    assert!(killed > 20, "only {killed} runs were killed: is nothing traced?");
}

/// Kills at growing call numbers until a run ends undisturbed.
fn kill_at(scenario: &Scenario, calls: &'static str, soak: bool) -> u64 {
    let (mut at, mut killed) = (1, 0);
    loop {
        let place = Place::new();
        (scenario.prepare)(&place);
        let ended = place.run(scenario.run, &Hook::Trace(calls, at));
        let what = format!("{}: killed at {calls} number {at}", scenario.name);
        if !ended.killed {
            assert_eq!(ended.code, Some(scenario.exit), "{what}, which was never reached: {ended:?}");
            return killed;
        }
        heal(scenario, &place, &what);
        killed += 1;
        if !soak && killed >= KILLS_SAMPLED {
            return killed;
        }
        at = if soak { at + 1 } else { at * 3 };
    }
}

/// Whether strace is here and allowed to do what it does.
fn traceable() -> Result<(), String> {
    let output = Command::new("strace").args(["-f", "-o", "/dev/null", "true"]).output();
    let output = output.map_err(|error| format!("strace cannot be run: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("strace says: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}
