//! What users ran into, and what must come of it.

use crate::bench::{Bench, path};
use tidelock_core::entry::Meta;
use tidelock_core::path::Key;
use tidelock_core::policy::Preset;
use tidelock_engine::cycle::{Mode, run};
use tidelock_engine::disk::sim::{SimDisk, SimOptions};
use tidelock_engine::disk::{Disk, MetaScope};
use tidelock_engine::report::Ending;
use tidelock_engine::state::Change;

fn endings(bench: &Bench, preset: Preset) -> Ending {
    bench.run(preset).ending()
}

/// Two devices in step, with so many files in the folder `old`.
fn two(count: usize) -> (Bench, Bench) {
    let first = Bench::new();
    for number in 0..count {
        first.write(&format!("old/{number}"), format!("content {number}").as_bytes());
    }
    assert_eq!(endings(&first, Preset::TwoWay), Ending::Ok);
    let second = first.second("desktop");
    assert_eq!(endings(&second, Preset::TwoWay), Ending::Ok);
    (first, second)
}

#[test]
fn a_folder_renamed_by_another_device_is_no_deletion() {
    for count in [1, 31] {
        let (first, second) = two(count);
        first.disk.user_rename(&path("old"), &path("new")).expect("renames");
        assert_eq!(endings(&first, Preset::TwoWay), Ending::Ok);
        let report = second.run(Preset::TwoWay);
        assert_eq!((report.ending(), report.reused), (Ending::Ok, count as u64), "{report:#?}");
        assert_eq!(second.files(), first.files());
        // Nor does it count against the deletions of the next hour.
        assert_eq!(second.state.recent_deletes(second.world.clock.wall_ns() / 1_000_000).expect("reads"), 0);
    }
}

#[test]
fn a_large_file_renamed_by_another_device_is_not_fetched_though_its_etag_changed() {
    let first = Bench::new();
    let bytes: Vec<u8> = (0..9_u32 << 20).map(|at| (at % 251) as u8).collect();
    first.write("old", &bytes);
    first.write("other", b"stays");
    assert_eq!(endings(&first, Preset::TwoWay), Ending::Ok);
    let second = first.second("desktop");
    assert_eq!(endings(&second, Preset::TwoWay), Ending::Ok);
    first.disk.user_rename(&path("old"), &path("new")).expect("renames");
    let report = first.run(Preset::TwoWay);
    assert_eq!((report.ending(), report.moved), (Ending::Ok, 1), "{report:#?}");
    // As a service that gives a copy another ETag than the upload in parts had.
    let mut row = second.state.row(&Key::new("old")).expect("reads").expect("there");
    row.there.as_mut().expect("there").stamp.etag = "8516f8a0ae9a7a21cdd69df13aaa9b2a-2".to_owned();
    second.state.commit(&[Change::Put(Box::new(row))]).expect("writes");
    let report = second.run(Preset::TwoWay);
    assert_eq!((report.ending(), report.reused, report.downloaded_bytes), (Ending::Ok, 1, 0), "{report:#?}");
    assert_eq!(second.files(), first.files());
}

#[test]
fn a_rename_does_not_hide_deletions() {
    let (first, second) = two(31);
    first.disk.user_rename(&path("old/0"), &path("new")).expect("renames");
    for number in 1..31 {
        first.disk.user_remove(&path(&format!("old/{number}"))).expect("removes");
    }
    let report = first.run_with(Preset::TwoWay, |settings| settings.confirm_deletes = true);
    assert_eq!(report.ending(), Ending::Ok, "{report:#?}");
    let report = second.run(Preset::TwoWay);
    assert_eq!((report.ending(), report.deleted_here), (Ending::SafetyStop, 0), "{report:#?}");
}

#[test]
fn one_copy_that_comes_stands_for_one_that_goes() {
    let first = Bench::new();
    for number in 0..25 {
        first.write(&format!("twin/{number}"), b"the same");
    }
    assert_eq!(endings(&first, Preset::TwoWay), Ending::Ok);
    let second = first.second("desktop");
    assert_eq!(endings(&second, Preset::TwoWay), Ending::Ok);
    first.write("one", b"the same");
    for number in 0..24 {
        first.disk.user_remove(&path(&format!("twin/{number}"))).expect("removes");
    }
    let report = first.run_with(Preset::TwoWay, |settings| settings.confirm_deletes = true);
    assert_eq!(report.ending(), Ending::Ok, "{report:#?}");
    assert_eq!(endings(&second, Preset::TwoWay), Ending::SafetyStop);
}

#[test]
fn an_object_that_tells_nothing_becomes_a_file_like_any_other() {
    let bench = Bench::new();
    bench.put("plain", "made elsewhere");
    let report = bench.run_with(Preset::Restore, |settings| settings.scan.default_dir_mode = 0o750);
    assert_eq!(report.ending(), Ending::Ok, "{report:#?}");
    let stat = bench.disk.user_stat(&path("plain")).expect("there");
    assert_eq!(stat.mode, 0o640);
    let head = futures::executor::block_on(tidelock_remote::Remote::head(&bench.bucket, &Key::new("plain")));
    let modified_s = head.expect("answers").expect("there").stamp.modified_s.expect("told");
    assert_eq!(stat.stamp.mtime_ns, modified_s * 1_000_000_000);
    // A file that is replaced keeps the mode it had.
    bench.disk.user_chmod(&path("plain"), 0o604).expect("changes");
    bench.hand.advance(std::time::Duration::from_secs(5));
    bench.put("plain", "made elsewhere, again");
    assert_eq!(endings(&bench, Preset::RestoreOverwrite), Ending::Ok);
    assert_eq!(bench.disk.user_stat(&path("plain")).expect("there").mode, 0o604);
}

#[test]
fn the_mode_of_a_folder_with_files_is_passed_on() {
    let (first, second) = two(1);
    for mode in [0o700, 0o750, 0o755] {
        first.disk.user_chmod(&path("old"), mode).expect("changes");
        assert_eq!(endings(&first, Preset::TwoWay), Ending::Ok);
        assert_eq!(endings(&second, Preset::TwoWay), Ending::Ok);
        assert_eq!(second.disk.user_stat(&path("old")).expect("there").mode, mode, "{mode:o}");
        for bench in [&first, &second] {
            assert!(!bench.run(Preset::TwoWay).changed_anything());
        }
    }
}

#[test]
fn a_restore_gives_a_folder_that_is_here_its_mode() {
    let (first, _) = two(1);
    first.disk.user_chmod(&path("old"), 0o700).expect("changes");
    assert_eq!(endings(&first, Preset::TwoWay), Ending::Ok);
    let third = first.second("tablet");
    third.write("old/mine", b"stays");
    assert_eq!(endings(&third, Preset::Restore), Ending::Ok);
    assert_eq!(third.disk.user_stat(&path("old")).expect("there").mode, 0o700);
}

#[test]
fn a_folders_mode_adopted_as_it_was_follows_later_changes() {
    let (first, _) = two(1);
    first.disk.user_chmod(&path("old"), 0o700).expect("changes");
    assert_eq!(endings(&first, Preset::TwoWay), Ending::Ok);
    let third = first.second("tablet");
    third.write("old/0", b"content 0");
    third.disk.user_chmod(&path("old"), 0o711).expect("changes");
    assert_eq!(endings(&third, Preset::TwoWay), Ending::Ok);
    assert_eq!(
        third.disk.user_stat(&path("old")).expect("there").mode,
        0o711,
        "what differs at first is taken as agreed"
    );
    first.disk.user_chmod(&path("old"), 0o750).expect("changes");
    assert_eq!(endings(&first, Preset::TwoWay), Ending::Ok);
    assert_eq!(endings(&third, Preset::TwoWay), Ending::Ok);
    assert_eq!(third.disk.user_stat(&path("old")).expect("there").mode, 0o750);
}

fn give_attribute(bench: &Bench, at: &str, size: usize) {
    let id = bench.disk.user_stat(&path(at)).expect("there").stamp.file_id;
    let xattrs = [("user.note".to_owned(), vec![b'x'; size])].into();
    let meta = Meta { xattrs: Some(xattrs), ..Meta::default() };
    futures::executor::block_on(bench.disk.set_meta(&path(at), id, &meta, MetaScope::default())).expect("sets");
}

#[test]
fn attributes_that_join_later_are_sent() {
    let bench = Bench::new();
    bench.write("n", b"text");
    give_attribute(&bench, "n", 5);
    assert_eq!(endings(&bench, Preset::Push), Ending::Ok);
    let report = bench.run_with(Preset::Push, |settings| settings.scan.xattrs = true);
    assert_eq!((report.ending(), report.metas, report.uploaded), (Ending::Ok, 1, 0), "{report:#?}");
    assert!(!bench.run_with(Preset::Push, |settings| settings.scan.xattrs = true).changed_anything());
}

#[test]
fn attributes_that_are_too_many_are_told_every_time() {
    let bench = Bench::new();
    bench.write("n", b"text");
    give_attribute(&bench, "n", 3000);
    for _ in 0..3 {
        let report = bench.run_with(Preset::Push, |settings| settings.scan.xattrs = true);
        assert_eq!((report.ending(), report.problem_count), (Ending::Partial, 1), "{report:#?}");
        assert_eq!(report.problems[0].path, "n");
    }
}

#[test]
fn a_file_that_cannot_be_trashed_is_a_problem() {
    let (first, second) = two(3);
    second.disk.user_write(&path(".tidelock"), b"mine").expect("writes");
    first.disk.user_remove(&path("old/1")).expect("removes");
    assert_eq!(endings(&first, Preset::TwoWay), Ending::Ok);
    for _ in 0..2 {
        let report = second.run(Preset::TwoWay);
        assert_eq!((report.ending(), report.deleted_here), (Ending::Failed, 0), "{report:#?}");
        assert_eq!(report.problems[0].path, "old/1");
        assert!(report.problems[0].what.contains(".tidelock is not a folder"), "{report:#?}");
    }
    // Nor can what is there be replaced.
    first.write("old/2", b"another");
    assert_eq!(endings(&first, Preset::TwoWay), Ending::Ok);
    let report = second.run(Preset::TwoWay);
    assert!(report.problems.iter().all(|problem| problem.what.contains("trash")), "{report:#?}");
    assert_eq!(report.problem_count, 2);
}

#[test]
fn a_takeover_is_carried_out_with_nothing_else_to_do() {
    let first = Bench::new();
    first.write("1", b"one");
    assert_eq!(endings(&first, Preset::Mirror), Ending::Ok);
    let second = first.second("desktop");
    second.write("1", b"one");
    assert_eq!(endings(&second, Preset::Push), Ending::Ok);
    let report = second.run_with(Preset::Mirror, |settings| settings.take_over = true);
    assert_eq!(report.ending(), Ending::Ok, "{report:#?}");
    let report = second.run_with(Preset::Mirror, |settings| settings.take_over = true);
    assert!(!report.changed_anything());
    second.write("2", b"two");
    assert_eq!(endings(&second, Preset::Push), Ending::Ok);
    // What the run would be stopped for, the dry run tells.
    let pair = first.pair(Preset::Mirror.policy());
    assert_eq!(futures::executor::block_on(run(&pair, Mode::DryRun)).ending(), Ending::SafetyStop);
    assert_eq!(endings(&first, Preset::Mirror), Ending::SafetyStop);
    assert_eq!(first.objects().len(), 2);
}

#[test]
fn of_a_key_and_one_below_it_the_first_is_taken() {
    for preset in [Preset::Restore, Preset::TwoWay] {
        let bench = Bench::new();
        for key in ["k", "k-other", "k.txt", "k/under", "k/under/that", "l/x"] {
            bench.put(key, key);
        }
        bench.bucket.write(&Key::new("l.rclonelink"), "k-other".to_owned(), Default::default());
        for _ in 0..2 {
            let report = bench.run(preset);
            assert_eq!(report.ending(), Ending::Partial, "{report:#?}");
            let mut told: Vec<_> = report.problems.iter().map(|problem| problem.path.as_str()).collect();
            told.sort_unstable();
            assert_eq!(told, ["k/under", "k/under/that", "l/x"], "{preset:?}");
        }
        let names: Vec<_> = bench.files().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["k", "k-other", "k.txt", "l"], "{preset:?}");
        // What is here first stays.
        let other = bench.second("desktop");
        other.write("k/mine", b"mine");
        let report = other.run(preset);
        let told: Vec<_> = report.problems.iter().map(|problem| problem.path.as_str()).collect();
        assert!(told.contains(&"k") && !told.contains(&"k/under"), "{preset:?} {told:?}");
    }
}

/// Where case does not count, a folder holds nothing that belongs into its twin.
#[test]
fn what_belongs_into_a_twin_of_a_folder_is_told_and_stays_there() {
    for preset in [Preset::Restore, Preset::TwoWay] {
        let mut bench = Bench::new();
        bench.disk = SimDisk::new(SimOptions { fold_case: true, ..SimOptions::default() }, bench.world.clone());
        for key in ["A/deep/e", "a/b", "a/deep/f", "other/g", "É/h", "é/i"] {
            bench.put(key, key);
        }
        for _ in 0..3 {
            let report = bench.run(preset);
            assert_eq!(report.ending(), Ending::Partial, "{report:#?}");
            let mut told: Vec<_> = report.problems.iter().map(|problem| problem.path.as_str()).collect();
            told.sort_unstable();
            assert_eq!(told, ["a/b", "a/deep/f", "é/i"], "{preset:?}");
        }
        let files: Vec<_> =
            bench.files().into_iter().map(|(name, _)| name).filter(|name| !name.ends_with('/')).collect();
        assert_eq!(files, ["A/deep/e", "other/g", "É/h"], "{preset:?}");
        assert_eq!(bench.keys().len(), 6, "{preset:?}");
    }
}

#[test]
fn a_link_that_became_a_folder_arrives_at_once() {
    let first = Bench::new();
    first.write("to", b"target");
    first.disk.user_symlink(&path("l"), b"to").expect("links");
    assert_eq!(endings(&first, Preset::TwoWay), Ending::Ok);
    let second = first.second("desktop");
    assert_eq!(endings(&second, Preset::TwoWay), Ending::Ok);
    first.disk.user_remove(&path("l")).expect("removes");
    first.write("l/x", b"inside");
    assert_eq!(endings(&first, Preset::TwoWay), Ending::Ok);
    let report = second.run(Preset::TwoWay);
    assert_eq!(report.ending(), Ending::Ok, "{report:#?}");
    assert_eq!(second.files(), first.files());
}
