//! Another folder in the place of the one on record: a restore may fill it, and nothing
//! that it has not brought counts as deleted.

use crate::bench::{Bench, path};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tidelock_core::filter::{RuleLine, Rules};
use tidelock_core::path::Key;
use tidelock_core::policy::Preset;
use tidelock_engine::cycle::{Mode, run};
use tidelock_engine::event::{Event, Listener};
use tidelock_engine::pair::Settings;
use tidelock_engine::report::{Ending, Report};

const DELETING: [Preset; 3] = [Preset::SyncDelete, Preset::Mirror, Preset::TwoWay];
const NAMES: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "part/i", "part/j"];

/// A pair in step whose disk is away: the folder beneath its mount lies in its place.
fn away(preset: Preset) -> Bench {
    let bench = Bench::new();
    for name in NAMES {
        bench.write(name, name.as_bytes());
    }
    assert_eq!(bench.run(preset).ending(), Ending::Ok);
    bench.disk.set_unmounted(true);
    bench
}

fn restore(bench: &Bench, change: impl FnOnce(&mut Settings)) -> Report {
    bench.run_with(Preset::Restore, |settings| {
        settings.sets_mode = false;
        change(settings);
    })
}

/// A mirror, which would delete what lapsed, asks; the others do not delete it.
fn goes_on_without_deleting(bench: &Bench, preset: Preset) {
    let report = bench.run(preset);
    let ending = if preset == Preset::Mirror { Ending::SafetyStop } else { Ending::Ok };
    assert_eq!((report.ending(), report.deleted_there), (ending, 0), "{preset:?}: {report:#?}");
}

/// Runs until something stops it or all is done, as often as a person would; what is
/// there afterwards.
fn insist(bench: &Bench, preset: Preset) -> Vec<String> {
    for _ in 0..3 {
        bench.run(preset);
        bench.run_with(preset, |settings| settings.accept_root = true);
    }
    bench.keys()
}

#[test]
fn what_a_restore_left_archived_is_not_deleted() {
    for preset in DELETING {
        let bench = away(preset);
        assert!(bench.bucket.archive(&Key::new("c")));
        assert_eq!(restore(&bench, |_| {}).ending(), Ending::Archived);
        assert_eq!(insist(&bench, preset), NAMES, "{preset:?}");
    }
}

/// Wants to end as soon as something is being fetched.
struct Impatient(Arc<AtomicBool>);

impl Listener for Impatient {
    fn hear(&self, event: &Event) {
        if matches!(event, Event::Began { .. }) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

#[test]
fn what_an_interrupted_restore_did_not_bring_is_not_deleted() {
    for preset in DELETING {
        let bench = away(preset);
        let mut pair = bench.pair(Preset::Restore.policy());
        pair.settings.sets_mode = false;
        pair.settings.concurrency = 1;
        pair.listener = Arc::new(Impatient(Arc::clone(&pair.interrupted)));
        let report = futures::executor::block_on(run(&pair, Mode::Execute));
        assert_eq!((report.ending(), report.downloaded), (Ending::Interrupted, 1), "{report:#?}");

        goes_on_without_deleting(&bench, preset);
        assert_eq!(insist(&bench, preset), NAMES, "{preset:?}");

        assert_eq!(restore(&bench, |_| {}).ending(), Ending::Ok);
        assert_eq!(bench.run(preset).ending(), Ending::Ok);
        assert_eq!(bench.files().len(), 11, "with the folder");
    }
}

#[test]
fn what_is_deleted_after_a_restore_that_brought_all_is_passed_on() {
    for preset in DELETING {
        let bench = away(preset);
        let report = restore(&bench, |_| {});
        assert_eq!((report.ending(), report.downloaded), (Ending::Ok, 10), "{report:#?}");
        assert_eq!(bench.run(preset).ending(), Ending::Ok);
        bench.disk.user_remove(&path("a")).expect("removes");
        assert_eq!(bench.run(preset).deleted_there, 1, "{preset:?}");

        // The disk of before is another one now.
        bench.disk.set_unmounted(false);
        bench.write("new", b"new");
        let report = bench.run(preset);
        assert_eq!((report.ending(), report.deleted_there), (Ending::Ok, 0), "{preset:?}: {report:#?}");
        assert_eq!(bench.keys().len(), 11, "{preset:?}");
    }
}

#[test]
fn the_first_restore_of_a_part_says_which_folder_it_was() {
    for preset in DELETING {
        let other = Bench::new();
        for name in NAMES {
            other.write(name, name.as_bytes());
        }
        assert_eq!(other.run(Preset::Push).ending(), Ending::Ok);
        let bench = other.second("phone");
        let report = restore(&bench, |settings| settings.only = path("part"));
        assert_eq!((report.ending(), report.downloaded), (Ending::Ok, 2), "{report:#?}");
        if preset == Preset::Mirror {
            // What it did not bring is asked about, however often.
            goes_on_without_deleting(&bench, preset);
            goes_on_without_deleting(&bench, preset);
        }
        bench.disk.set_unmounted(true);
        bench.write("stray", b"stray");
        assert_eq!(bench.run(preset).ending(), Ending::SafetyStop, "{preset:?}");
        assert_eq!(bench.keys(), NAMES);
    }
}

#[test]
fn what_a_restore_of_a_part_brought_elsewhere_is_not_missed_in_the_folder() {
    for preset in DELETING {
        let bench = away(preset);
        // It never was in the folder.
        bench.put("part/new", "theirs");
        let report = restore(&bench, |settings| settings.only = path("part"));
        assert_eq!((report.ending(), report.downloaded), (Ending::Ok, 3), "{report:#?}");
        goes_on_without_deleting(&bench, preset);

        bench.disk.set_unmounted(false);
        let report = bench.run(preset);
        assert_eq!(report.deleted_there, 0, "{preset:?}: {report:#?}");
        assert!(bench.keys().contains(&"part/new".to_owned()), "{preset:?}");
    }
}

#[test]
fn a_disk_that_lost_a_few_files_deletes_none_of_them_there() {
    for preset in DELETING {
        let bench = away(preset);
        restore(&bench, |_| {});
        bench.disk.user_remove(&path("a")).expect("removes");
        bench.disk.set_unmounted(false);
        bench.disk.user_remove(&path("b")).expect("removes");
        goes_on_without_deleting(&bench, preset);
        assert_eq!(bench.keys(), NAMES, "{preset:?}");
    }
}

/// Whichever run it is that lets rows lapse, it does not answer for the mirror.
#[test]
fn a_mirror_asks_about_what_lapsed_in_another_run() {
    let moves = |bench: &Bench| {
        bench.run_with(Preset::Push, |settings| {
            settings.sets_mode = false;
            settings.only_moves = true;
        });
    };
    let with_a_hole = |bench: &Bench| {
        bench.write("locked/x", b"x");
        bench.disk.user_chmod(&path("locked"), 0).expect("changes");
        bench.run(Preset::Mirror);
        bench.disk.user_chmod(&path("locked"), 0o755).expect("changes");
    };
    let others: [&dyn Fn(&Bench); 2] = [&moves, &with_a_hole];
    for (number, other) in others.into_iter().enumerate() {
        let bench = away(Preset::Mirror);
        restore(&bench, |_| {});
        bench.disk.set_unmounted(false);
        bench.disk.user_remove(&path("b")).expect("removes");
        other(&bench);
        let report = bench.run(Preset::Mirror);
        assert_eq!((report.ending(), report.deleted_there), (Ending::SafetyStop, 0), "{number}: {report:#?}");
        let report = bench.run_with(Preset::Mirror, |settings| settings.confirm_deletes = true);
        assert_eq!((report.ending(), report.deleted_there), (Ending::Ok, 1), "{number}: {report:#?}");
    }
}

#[test]
fn a_mirror_that_another_device_stopped_has_changed_nothing() {
    let bench = away(Preset::Mirror);
    bench.disk.set_unmounted(false);
    let other = bench.second("desktop");
    other.write("own", b"own");
    assert_eq!(other.run(Preset::Push).ending(), Ending::Ok);
    let confirmed = |settings: &mut Settings| settings.confirm_deletes = true;
    assert_eq!(other.run_with(Preset::Mirror, confirmed).ending(), Ending::SafetyStop);
    assert_eq!(other.state.fact("mode").expect("readable").as_deref(), Some("push"));
    assert_eq!(other.run_with(Preset::Mirror, |settings| settings.take_over = true).ending(), Ending::SafetyStop);
    assert_eq!(other.keys().len(), 11);
}

#[test]
fn a_restore_that_leaves_something_out_vouches_for_nothing() {
    let bench = away(Preset::Mirror);
    let rules = |settings: &mut Settings| {
        let line = RuleLine { pattern: "/part".to_owned(), include: false, written: None };
        settings.rules = Rules::new(vec![line], Vec::new(), true).expect("a valid pattern");
    };
    let report = restore(&bench, rules);
    assert_eq!((report.ending(), report.downloaded), (Ending::Ok, 8), "{report:#?}");
    goes_on_without_deleting(&bench, Preset::Mirror);
    assert_eq!(bench.keys(), NAMES);
}
