//! From a schedule to a verdict; and from a failing schedule to a small one.

use crate::case::{After, Case};
use crate::oracle::settle;
use crate::stage::Stage;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tidelock_engine::planted::Bug;

/// What came of a schedule.
pub struct Verdict {
    /// What was wrong first.
    pub wrong: Option<String>,
    /// Two runs of the same schedule agree on this.
    pub trace: u64,
    /// The faults that were met, per device.
    pub met: Vec<BTreeSet<u64>>,
    /// What happened, for people.
    pub log: Vec<String>,
    pub gates: Vec<String>,
    pub steps: u64,
}

/// Plays a schedule to its end.
pub fn play(case: &Case, bug: Option<Bug>, aloud: bool) -> Verdict {
    let mut stage = Stage::new(case, bug, aloud);
    let played = catch_unwind(AssertUnwindSafe(|| {
        for timed in &case.ops {
            match &timed.after {
                After::Idle => stage.until_idle(),
                After::Steps(steps) => {
                    for _ in 0..*steps {
                        if stage.is_idle() || !stage.step() {
                            break;
                        }
                    }
                }
                After::Gate(place, gate, times) => {
                    stage.books.await_gate(*place, gate, *times);
                    while !stage.books.gate_reached() && !stage.is_idle() && stage.step() {}
                }
            }
            stage.apply(&timed.op);
            if stage.books.first_wrong().is_some() {
                return;
            }
        }
        settle(&mut stage);
    }));
    if let Err(panic) = played {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default();
        stage.books.wrong(format!("panic: {text}"));
    }
    Verdict {
        wrong: stage.books.first_wrong(),
        trace: stage.clockwork.trace(),
        met: stage.devices.iter().map(|device| device.fate.met()).collect(),
        log: stage.aloud.as_ref().map(|aloud| aloud.lock().expect("no panics").clone()).unwrap_or_default(),
        gates: stage.clockwork.log(),
        steps: stage.clockwork.steps(),
    }
}

/// The sort of thing that was wrong: what stands before the first colon.
pub fn sort(wrong: &str) -> &str {
    wrong.split(':').next().unwrap_or(wrong)
}

/// The same failure with as little as possible.
pub fn shrink(case: &Case, bug: Option<Bug>) -> Case {
    let Some(wrong) = play(case, bug, false).wrong else { return case.clone() };
    let sort = sort(&wrong).to_owned();
    let fails = |case: &Case| play(case, bug, false).wrong.is_some_and(|wrong| self::sort(&wrong) == sort);
    let mut best = case.clone();
    loop {
        let before = best.clone();
        let mut size = (best.ops.len() / 2).max(1);
        loop {
            let mut at = 0;
            while at < best.ops.len() {
                let mut smaller = best.clone();
                smaller.ops.drain(at..(at + size).min(smaller.ops.len()));
                if fails(&smaller) { best = smaller } else { at += size }
            }
            if size == 1 {
                break;
            }
            size /= 2;
        }
        calm(&mut best, bug, &fails);
        for at in 0..best.ops.len() {
            let mut calmer = best.clone();
            calmer.ops[at].after = After::Idle;
            if best.ops[at].after != After::Idle && fails(&calmer) {
                best = calmer;
            }
        }
        if best == before {
            return best;
        }
    }
}

/// Takes faults away, all at once or one by one.
fn calm(best: &mut Case, bug: Option<Bug>, fails: &impl Fn(&Case) -> bool) {
    for simplify in [
        (|case: &mut Case| case.setup.weather.network_one_in = 0) as fn(&mut Case),
        |case| case.setup.weather.disk_one_in = 0,
        |case| case.setup.grain_ns = 1,
        |case| case.setup.fold_case = false,
        |case| case.setup.tiny = false,
        |case| case.setup.large_over = None,
        |case| case.setup.by_stamp = false,
        |case| case.setup.unlisted = false,
        |case| case.setup.xattrs = false,
        |case| case.setup.bare = false,
        |case| case.setup.server = crate::case::Server::Aws,
        |case| case.setup.concurrency = 1,
        |case| case.setup.policies.truncate(1),
    ] {
        let mut simpler = best.clone();
        simplify(&mut simpler);
        if simpler != *best && fails(&simpler) {
            *best = simpler;
        }
    }
    let met = play(best, bug, false).met;
    for (place, met) in met.into_iter().enumerate() {
        for fault in met {
            let mut calmer = best.clone();
            calmer.muted[place].insert(fault);
            if fails(&calmer) {
                *best = calmer;
            }
        }
    }
}
