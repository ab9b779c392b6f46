//! What a person does, step by step, and what must come of it.

use crate::bench::{Bench, path};
use std::sync::Arc;
use tidelock_core::conflict::conflict_path;
use tidelock_core::entry::Digest;
use tidelock_core::path::Key;
use tidelock_core::policy::Preset;
use tidelock_engine::cycle::{self, Mode};
use tidelock_engine::disk::sim::{SimDisk, SimOptions};
use tidelock_engine::event::Event;
use tidelock_engine::report::{Ending, Report};
use tidelock_engine::state::Change;
use tidelock_remote::Capabilities;
use tidelock_remote::memory::{Memory, Profile};
use tidelock_remote::open::{OpenOptions, stack};
use tidelock_remote::testing::world::world;

pub fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(name, content)| ((*name).to_owned(), (*content).to_owned())).collect()
}

pub fn assert_ok(report: &Report) {
    assert_eq!(report.ending(), Ending::Ok, "{report:#?}");
}

/// Nothing is sent, read or written the second time.
pub fn assert_quiet(bench: &Bench, preset: Preset) {
    let settle = bench.run(preset);
    assert!(!settle.changed_anything(), "{settle:#?}");
    let before = bench.requests.snapshot();
    let report = bench.run(preset);
    let after = bench.requests.snapshot();
    assert!(!report.changed_anything(), "{report:#?}");
    assert_eq!((before.put, before.copy, before.delete, before.get), (after.put, after.copy, after.delete, after.get));
    assert_eq!(before.head, after.head, "a quiet run asks about no single object");
}

#[test]
fn push_then_restore() {
    let bench = Bench::new();
    bench.write("a", b"one");
    bench.write("d/b", b"two");
    bench.disk.user_mkdir(&path("empty")).expect("makes");
    bench.disk.user_symlink(&path("link"), b"d/b").expect("links");
    let report = bench.run(Preset::Push);
    assert_ok(&report);
    let objects = [("a", "one"), ("d/b", "two"), ("empty/", ""), ("link.rclonelink", "d/b")];
    assert_eq!(bench.objects(), pairs(&objects));
    assert_eq!(report.uploaded, 4);
    assert_quiet(&bench, Preset::Push);

    let other = bench.second("desktop");
    let report = other.run(Preset::Restore);
    assert_ok(&report);
    assert_eq!(other.files(), bench.files());
    assert_quiet(&other, Preset::Restore);
}

#[test]
fn a_renamed_folder_sends_nothing() {
    let bench = Bench::new();
    for number in 0..30 {
        bench.write(&format!("old/{number}"), format!("content {number}").as_bytes());
    }
    bench.write("other", b"stays");
    assert_ok(&bench.run(Preset::Push));
    bench.disk.user_rename(&path("old"), &path("new")).expect("renames");
    let before = bench.requests.snapshot();
    let report = bench.run(Preset::Push);
    assert_ok(&report);
    assert_eq!((report.moved, report.uploaded), (30, 0), "{report:#?}");
    assert_eq!(bench.requests.snapshot().bytes_up, before.bytes_up);
    assert!(bench.objects().iter().all(|(key, _)| !key.starts_with("old/")), "{:?}", bench.objects());
    assert_quiet(&bench, Preset::Push);
}

#[test]
fn a_swap_costs_its_smaller_file() {
    let bench = Bench::new();
    bench.write("big", &vec![b'b'; 10_000]);
    bench.write("small", b"s");
    assert_ok(&bench.run(Preset::Push));
    bench.disk.user_rename(&path("big"), &path("tmp")).expect("renames");
    bench.disk.user_rename(&path("small"), &path("big")).expect("renames");
    bench.disk.user_rename(&path("tmp"), &path("small")).expect("renames");
    let report = bench.run(Preset::Push);
    assert_ok(&report);
    assert_eq!((report.moved, report.uploaded, report.uploaded_bytes), (1, 1, 1), "{report:#?}");
    assert_eq!(bench.objects()[0].1, "s");
    assert_eq!(bench.objects()[1].1.len(), 10_000);
    assert_quiet(&bench, Preset::Push);
}

#[test]
fn a_rename_over_and_a_chain_send_nothing() {
    let bench = Bench::new();
    for (name, content) in [("a", "AAAA"), ("b", "BBBB"), ("c", "CCCC"), ("x", "X")] {
        bench.write(name, content.as_bytes());
    }
    assert_ok(&bench.run(Preset::SyncDelete));
    bench.disk.user_rename(&path("b"), &path("c")).expect("renames over");
    bench.disk.user_rename(&path("a"), &path("b")).expect("renames");
    let report = bench.run(Preset::SyncDelete);
    assert_ok(&report);
    assert_eq!((report.moved, report.uploaded), (2, 0), "{report:#?}");
    assert_eq!(bench.objects(), pairs(&[("b", "AAAA"), ("c", "BBBB"), ("x", "X")]));
    assert_quiet(&bench, Preset::SyncDelete);
}

#[test]
fn a_touch_or_a_chmod_sends_no_body() {
    let bench = Bench::new();
    bench.write("a", b"content");
    assert_ok(&bench.run(Preset::Push));
    let before = bench.requests.snapshot();
    bench.disk.user_chmod(&path("a"), 0o600).expect("changes");
    let report = bench.run(Preset::Push);
    assert_ok(&report);
    assert_eq!((report.metas, report.uploaded), (1, 0), "{report:#?}");
    assert_eq!(bench.requests.snapshot().bytes_up, before.bytes_up);
    assert_quiet(&bench, Preset::Push);
    let other = bench.second("desktop");
    assert_ok(&other.run(Preset::Restore));
    assert_eq!(other.disk.user_stat(&path("a")).expect("there").mode, 0o600);
}

#[test]
fn two_devices_on_one_bucket() {
    let laptop = Bench::new();
    let desktop = laptop.second("desktop");
    laptop.write("d/a", b"one");
    laptop.write("d/b", b"two");
    laptop.write("keep", b"keep");
    assert_ok(&laptop.run(Preset::TwoWay));
    assert_ok(&desktop.run(Preset::TwoWay));
    assert_eq!(desktop.files(), laptop.files());

    // A rename there costs nothing here.
    laptop.disk.user_rename(&path("d/a"), &path("d/c")).expect("renames");
    assert_ok(&laptop.run(Preset::TwoWay));
    let report = desktop.run(Preset::TwoWay);
    assert_ok(&report);
    assert_eq!((report.reused, report.downloaded_bytes, report.deleted_here), (1, 0, 1), "{report:#?}");
    assert_eq!(desktop.files(), laptop.files());

    // Edits on both sides keep both.
    laptop.write("keep", b"from the laptop");
    desktop.write("keep", b"from the desktop");
    assert_ok(&laptop.run(Preset::TwoWay));
    let report = desktop.run(Preset::TwoWay);
    assert_ok(&report);
    assert_eq!(report.kept_both, 1, "{report:#?}");
    assert_ok(&laptop.run(Preset::TwoWay));
    assert_eq!(desktop.files(), laptop.files());
    let contents: Vec<String> = laptop.files().into_iter().map(|(_, content)| content).collect();
    assert!(contents.contains(&"from the laptop".to_owned()) && contents.contains(&"from the desktop".to_owned()));

    // Deletions travel, and an emptied folder goes with them.
    laptop.disk.user_remove(&path("d")).expect("removes");
    assert_ok(&laptop.run(Preset::TwoWay));
    assert_ok(&desktop.run(Preset::TwoWay));
    assert_eq!(desktop.files(), laptop.files());
    assert_quiet(&laptop, Preset::TwoWay);
    assert_quiet(&desktop, Preset::TwoWay);
}

#[test]
fn a_folder_that_held_folders_only_goes_with_the_last_of_them() {
    let laptop = Bench::new();
    let desktop = laptop.second("desktop");
    laptop.write("keep", b"keep");
    for dir in ["d", "d/e", "d/e/f", "d/g"] {
        laptop.disk.user_mkdir(&path(dir)).expect("makes");
    }
    for bench in [&laptop, &desktop] {
        assert_ok(&bench.run(Preset::TwoWay));
    }
    assert_eq!(desktop.files(), laptop.files());
    laptop.disk.user_remove(&path("d")).expect("removes");
    for bench in [&laptop, &desktop, &laptop] {
        assert_ok(&bench.run_with(Preset::TwoWay, |settings| settings.confirm_deletes = true));
    }
    assert_eq!((desktop.files().len(), laptop.files().len(), laptop.keys().len()), (1, 1, 1), "{:?}", desktop.files());
}

#[test]
fn an_emptied_folder_stops_the_run() {
    let bench = Bench::new();
    bench.write("a", b"one");
    bench.write("b", b"two");
    assert_ok(&bench.run(Preset::SyncDelete));
    bench.disk.user_remove(&path("a")).expect("removes");
    bench.disk.user_remove(&path("b")).expect("removes");
    let report = bench.run(Preset::SyncDelete);
    assert_eq!(report.ending(), Ending::SafetyStop);
    assert_eq!(bench.objects().len(), 2);
    let report = bench.run_with(Preset::SyncDelete, |settings| settings.confirm_deletes = true);
    assert_ok(&report);
    assert_eq!(bench.objects().len(), 0);
}

#[test]
fn an_unmounted_root_stops_the_run() {
    let bench = Bench::new();
    bench.write("a", b"one");
    assert_ok(&bench.run(Preset::Mirror));
    bench.disk.set_unmounted(true);
    let before = bench.requests.snapshot();
    assert_eq!(bench.run_with(Preset::Mirror, |settings| settings.confirm_deletes = true).ending(), Ending::SafetyStop);
    assert_eq!(bench.requests.snapshot().delete, before.delete);
    bench.disk.set_unmounted(false);
    assert_ok(&bench.run(Preset::Mirror));
    assert_eq!(bench.objects().len(), 1);
}

#[test]
fn what_is_the_same_is_adopted_without_sending() {
    let bench = Bench::new();
    bench.write("a", b"same on both sides");
    bench.put("a", "same on both sides");
    // What is older than the first run here is no write of ours that was cut off.
    bench.hand.advance(std::time::Duration::from_secs(120));
    let report = bench.run(Preset::Push);
    assert_ok(&report);
    assert_eq!((report.adopted, report.uploaded), (1, 0), "{report:#?}");
    assert_eq!(bench.requests.snapshot().head, 0, "the ETag proves it");
    assert_quiet(&bench, Preset::Push);
}

#[test]
fn a_mirror_makes_the_bucket_like_the_folder() {
    let bench = Bench::new();
    for number in 0..10 {
        bench.write(&format!("f{number}"), b"x");
    }
    bench.put("stray", "only there");
    bench.put("f0", "other bytes");
    let report = bench.run(Preset::Mirror);
    assert_ok(&report);
    assert_eq!(bench.objects().len(), 10);
    assert_eq!(bench.objects()[0].1, "x");
    assert_eq!(report.deleted_there, 1);
    assert_quiet(&bench, Preset::Mirror);
}

#[test]
fn a_restore_leaves_what_differs_unless_told() {
    let bench = Bench::new();
    bench.put("a", "theirs");
    bench.write("a", b"ours");
    let report = bench.run(Preset::Restore);
    assert_eq!(report.ending(), Ending::Partial, "{report:#?}");
    assert_eq!(bench.files(), pairs(&[("a", "ours")]));
    let report = bench.run(Preset::RestoreOverwrite);
    assert_ok(&report);
    assert_eq!(bench.files(), pairs(&[("a", "theirs")]));
    let trashed = bench.disk.tree().into_iter().any(|(path, node)| path.is_reserved() && node.bytes == b"ours");
    assert!(trashed, "what was replaced is in the trash");
}

#[test]
fn a_file_that_became_a_folder_goes_there_too() {
    for preset in [Preset::SyncDelete, Preset::TwoWay] {
        let bench = Bench::new();
        bench.write("a", b"a file");
        bench.write("stays", b"stays");
        assert_ok(&bench.run(preset));
        bench.disk.user_remove(&path("a")).expect("removes");
        bench.write("a/x", b"in a folder");
        let report = bench.run(preset);
        assert_ok(&report);
        assert_eq!(report.passes, 1, "{report:#?}");
        assert_eq!(bench.objects(), pairs(&[("a/x", "in a folder"), ("stays", "stays")]));
        assert_quiet(&bench, preset);
    }
}

#[test]
fn a_file_beside_a_folder_of_its_name_is_a_problem_told_once() {
    let bench = Bench::new();
    bench.write("a/x", b"in a folder");
    bench.put("a", "a file");
    let report = bench.run(Preset::TwoWay);
    assert_eq!((report.ending(), report.passes), (Ending::Partial, 1), "{report:#?}");
    assert!(report.problems.iter().any(|problem| problem.path == "a" && problem.what.contains("rename")));
    assert_eq!(bench.objects(), pairs(&[("a", "a file"), ("a/x", "in a folder")]));
}

/// Other tools copy our metadata along: what they moved over a new file of ours is
/// theirs all the same.
/// However many runs are killed between an upload and its record, with edits between
/// them: whoever is alone has no conflict.
#[test]
fn edits_after_killed_uploads_are_no_conflicts() {
    for known in [true, false] {
        let bench = Bench::new();
        let key = Key::new("a");
        if known {
            bench.write("a", b"first.");
            assert_ok(&bench.run(Preset::TwoWay));
        }
        let row = bench.state.row(&key).expect("readable");
        for edit in ["second", "third.", "fourth"] {
            bench.write("a", edit.as_bytes());
            let report = bench.run(Preset::TwoWay);
            assert_ok(&report);
            assert_eq!((report.uploaded, report.conflicts), (1, 0), "{edit}: {report:#?}");
            let lost = row.clone().map_or(Change::Drop(key.clone()), |row| Change::Put(Box::new(row)));
            bench.state.commit(&[lost]).expect("writes");
        }
        assert_eq!(bench.objects(), [("a".to_owned(), "fourth".to_owned())]);
    }
}

#[test]
fn an_object_that_another_tool_renamed_is_not_taken_for_our_own() {
    for ours in ["newer here", "a new file here"] {
        let bench = Bench::new();
        bench.write("old", b"sent by us");
        bench.write("stays", b"stays");
        assert_ok(&bench.run(Preset::TwoWay));
        let (bytes, meta, _) = bench.bucket.snapshot()[&Key::new("old")].clone();
        bench.bucket.write(&Key::new("new"), bytes, meta);
        bench.bucket.remove(&Key::new("old"));
        bench.disk.user_remove(&path("old")).expect("removes");
        bench.write("new", ours.as_bytes());
        let report = bench.run(Preset::TwoWay);
        assert_eq!(report.kept_both, 1, "{report:#?}");
        let contents: Vec<String> = bench.objects().into_iter().map(|(_, content)| content).collect();
        assert!(contents.contains(&"sent by us".to_owned()) && contents.contains(&ours.to_owned()));
    }
}

/// A run died after it sent a file and before it recorded that; then the file was
/// edited. Of one size or another, that is no conflict with anybody.
#[test]
fn an_edit_after_a_lost_record_is_no_conflict() {
    for preset in [Preset::Push, Preset::TwoWay] {
        for edited in ["third", "the third, and longer"] {
            let bench = Bench::new();
            bench.write("a", b"the first");
            bench.write("stays", b"stays");
            assert_ok(&bench.run(preset));
            let row = bench.state.row(&Key::new("a")).expect("reads").expect("a row");
            bench.write("a", b"other");
            assert_ok(&bench.run(preset));
            bench.state.commit(&[Change::Put(Box::new(row))]).expect("writes");
            bench.write("a", edited.as_bytes());
            let report = bench.run(preset);
            assert_ok(&report);
            assert_eq!((report.uploaded, report.kept_both), (1, 0), "{report:#?}");
            assert_eq!(bench.objects(), pairs(&[("a", edited), ("stays", "stays")]));
        }
    }
}

/// A run died after it recorded a move; then somebody wrote over the new key. The
/// mark is no licence any more to delete the last copy.
#[test]
fn an_old_object_stays_when_its_bytes_are_no_longer_under_the_new_key() {
    let bench = Bench::new();
    bench.write("old", b"the bytes");
    bench.write("stays", b"stays");
    assert_ok(&bench.run(Preset::Push));
    let (bytes, meta, _) = bench.bucket.snapshot()[&Key::new("old")].clone();
    bench.disk.user_rename(&path("old"), &path("new")).expect("renames");
    assert_ok(&bench.run(Preset::Push));
    // As it was before the deletion: both objects, and the mark.
    let stamp = bench.bucket.write(&Key::new("old"), bytes, meta);
    let mut row = bench.state.row(&Key::new("new")).expect("reads").expect("a row");
    row.key = Key::new("old");
    row.there.as_mut().expect("a half").stamp = stamp;
    row.moved_to = Some(Key::new("new"));
    bench.state.commit(&[Change::Put(Box::new(row.clone()))]).expect("writes");
    bench.put("new", "written over by somebody");
    bench.run(Preset::Push);
    let objects = pairs(&[("new", "written over by somebody"), ("old", "the bytes"), ("stays", "stays")]);
    assert_eq!(bench.objects(), objects);

    // Where they are still there, the mark is honoured.
    bench.write("new", b"the bytes");
    bench.run_with(Preset::Mirror, |settings| settings.confirm_deletes = true);
    assert_eq!(bench.objects(), pairs(&[("new", "the bytes"), ("stays", "stays")]));
}

#[test]
fn a_conflict_copy_made_by_a_run_that_died_is_not_made_again() {
    let bench = Bench::new();
    bench.write("a.txt", b"first");
    assert_ok(&bench.run(Preset::TwoWay));
    bench.write("a.txt", b"ours");
    bench.put("a.txt", "theirs");
    let aside = conflict_path(&path("a.txt"), &Digest::of(b"ours"), &bench.device).expect("room");
    bench.write(aside.as_str(), b"ours");
    let report = bench.run(Preset::TwoWay);
    assert_ok(&report);
    let expected = [(aside.as_str(), "ours"), ("a.txt", "theirs")];
    assert_eq!(bench.files(), pairs(&expected));
    assert_quiet(&bench, Preset::TwoWay);
    assert_eq!(bench.objects(), pairs(&expected));
}

#[test]
fn a_conflict_name_taken_by_something_else_is_a_problem() {
    let bench = Bench::new();
    bench.write("a.txt", b"first");
    assert_ok(&bench.run(Preset::TwoWay));
    bench.write("a.txt", b"ours");
    bench.put("a.txt", "theirs");
    let aside = conflict_path(&path("a.txt"), &Digest::of(b"ours"), &bench.device).expect("room");
    bench.write(aside.as_str(), b"something else");
    let report = bench.run(Preset::TwoWay);
    assert_eq!((report.ending(), report.passes), (Ending::Partial, 1), "{report:#?}");
    assert_eq!(bench.files(), pairs(&[(aside.as_str(), "something else"), ("a.txt", "ours")]));
}

/// A change of mode makes deletions from before it void, but a rename is none.
#[test]
fn a_rename_is_followed_across_a_change_of_mode() {
    let bench = Bench::new();
    for number in 0..5 {
        bench.write(&format!("old/{number}"), format!("content {number}").as_bytes());
    }
    bench.write("gone", b"deleted before the mode changed");
    assert_ok(&bench.run(Preset::Push));
    bench.disk.user_rename(&path("old"), &path("new")).expect("renames");
    bench.disk.user_remove(&path("gone")).expect("removes");
    let report = bench.run(Preset::SyncDelete);
    assert_ok(&report);
    assert_eq!((report.moved, report.uploaded), (5, 0), "{report:#?}");
    let keys: Vec<String> = bench.objects().into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["gone", "new/0", "new/1", "new/2", "new/3", "new/4"]);
}

/// What was agreed of the metadata outlives a change of mode with the bytes.
#[test]
fn a_chmod_is_passed_on_across_a_change_of_mode() {
    let bench = Bench::new();
    bench.write("a", b"content");
    bench.write("b", b"another");
    assert_ok(&bench.run(Preset::Push));
    bench.disk.user_chmod(&path("a"), 0o600).expect("changes");
    let report = bench.run(Preset::Mirror);
    assert_ok(&report);
    assert_eq!((report.metas, report.uploaded), (1, 0), "{report:#?}");
    assert_quiet(&bench, Preset::Mirror);
    let other = bench.second("desktop");
    assert_ok(&other.run(Preset::Restore));
    assert_eq!(other.disk.user_stat(&path("a")).expect("there").mode, 0o600);
}

/// What a program wrote and never synced is on the disk before a row says so: else a
/// power loss would take it away, and its absence would be passed on.
#[test]
fn what_is_recorded_outlives_a_power_loss() {
    let mut bench = Bench::new();
    bench.disk = SimDisk::new(SimOptions { user_durable: false, ..SimOptions::default() }, bench.world.clone());
    bench.disk.user_sync();
    bench.write("d/a", b"one");
    bench.write("b", b"two");
    assert_ok(&bench.run(Preset::SyncDelete));
    bench.disk.crash(true);
    let report = bench.run(Preset::SyncDelete);
    assert_ok(&report);
    assert_eq!(bench.files(), pairs(&[("b", "two"), ("d/", ""), ("d/a", "one")]));
    assert_eq!(bench.objects(), pairs(&[("b", "two"), ("d/a", "one")]));

    // What came later and was not recorded is the power's to take, and no deletion.
    bench.write("c", b"three");
    bench.disk.crash(true);
    assert_ok(&bench.run(Preset::SyncDelete));
    assert_eq!(bench.objects(), pairs(&[("b", "two"), ("d/a", "one")]));
}

/// Whoever holds a file open would write on into the trash.
#[test]
fn a_file_that_is_being_written_is_not_replaced_or_deleted() {
    let laptop = Bench::new();
    let desktop = laptop.second("desktop");
    for name in ["edited", "deleted", "other"] {
        laptop.write(name, b"one");
    }
    assert_ok(&laptop.run(Preset::TwoWay));
    assert_ok(&desktop.run(Preset::TwoWay));
    let open = ["edited", "deleted"].map(|name| desktop.disk.user_open(&path(name)).expect("opens"));
    laptop.write("edited", b"two");
    laptop.disk.user_remove(&path("deleted")).expect("removes");
    assert_ok(&laptop.run(Preset::TwoWay));

    let report = desktop.run(Preset::TwoWay);
    assert_eq!(report.ending(), Ending::Partial, "{report:#?}");
    assert!(report.problems.iter().all(|problem| problem.what.contains("open for writing")), "{report:#?}");
    assert_eq!(desktop.files(), pairs(&[("deleted", "one"), ("edited", "one"), ("other", "one")]));
    open.into_iter().for_each(|file| desktop.disk.user_close(file));
    assert_ok(&desktop.run(Preset::TwoWay));
    assert_eq!(desktop.files(), laptop.files());
}

#[test]
fn the_trash_is_emptied_after_a_month() {
    let bench = Bench::new();
    bench.write("d/a", b"one");
    assert_ok(&bench.run(Preset::TwoWay));
    bench.bucket.remove(&Key::new("d/a"));
    assert_ok(&bench.run_with(Preset::TwoWay, |settings| settings.confirm_deletes = true));
    let in_trash = || bench.disk.tree().keys().filter(|path| path.as_str().starts_with(".tidelock/trash/")).count();
    assert_eq!(in_trash(), 3, "the run, the folder and the file");
    let day = std::time::Duration::from_secs(24 * 3600);
    // The first day's run sees them, and time begins.
    for _ in 0..30 {
        bench.hand.advance(day);
        assert_ok(&bench.run(Preset::TwoWay));
    }
    assert_eq!(in_trash(), 3);
    bench.hand.advance(day);
    assert_ok(&bench.run(Preset::TwoWay));
    assert_eq!(in_trash(), 0);
}

/// An edit is an edit, whatever the mode was when it was made.
#[test]
fn an_edit_before_a_change_of_mode_is_no_conflict() {
    for (first, then) in [(Preset::Push, Preset::SyncDelete), (Preset::SyncDelete, Preset::TwoWay)] {
        let bench = Bench::new();
        bench.write("here", b"one");
        bench.write("there", b"one");
        assert_ok(&bench.run(first));
        bench.write("here", b"edited");
        bench.put("there", "another");
        let report = bench.run(then);
        assert_ok(&report);
        assert_eq!((report.uploaded, report.conflicts, report.kept_both), (1, 0, 0), "{report:#?}");
        let drifted = if then == Preset::TwoWay { "another" } else { "one" };
        assert_eq!(bench.files(), pairs(&[("here", "edited"), ("there", drifted)]));
        assert_eq!(bench.objects(), pairs(&[("here", "edited"), ("there", "another")]));
        assert_quiet(&bench, then);
    }
}

#[test]
fn that_a_place_has_no_conditions_is_said_once() {
    let (world, hand) = world(1);
    let bench = Bench::on(Memory::new(Profile::ignoring(), world.clone()), world, hand, "laptop");
    let run = |preset: Preset| {
        let mut pair = bench.pair(preset.policy());
        let place = Arc::new(bench.bucket.clone());
        pair.remote = stack(place, "", Capabilities::default(), &OpenOptions::default(), bench.world.clone()).remote;
        bench.hand.advance(std::time::Duration::from_secs(10));
        assert_ok(&futures::executor::block_on(cycle::run(&pair, Mode::Execute)));
        let heard = std::mem::take(&mut *bench.ears.0.lock().expect("no panics"));
        let told = |event: &&Event| matches!(event, Event::Note { text } if text.contains("does not obey conditions"));
        heard.iter().filter(told).count()
    };
    assert_eq!(run(Preset::Push), 0, "nothing was written yet");
    for times in [1, 0, 0] {
        bench.write(&format!("{times}{}", bench.files().len()), b"x");
        assert_eq!(run(Preset::Push), times);
    }
}

/// Whichever of the two comes first takes the other's old place, which is in the trash.
#[test]
fn a_swap_made_elsewhere_costs_nothing_here() {
    for concurrency in [1, 16] {
        let laptop = Bench::new();
        let desktop = laptop.second("desktop");
        for (name, content) in [("a", "the first"), ("b", "the second, longer"), ("c", "the third")] {
            laptop.write(name, content.as_bytes());
        }
        assert_ok(&laptop.run(Preset::TwoWay));
        assert_ok(&desktop.run(Preset::TwoWay));
        // A ring of three.
        for (from, to) in [("a", "t"), ("b", "a"), ("c", "b"), ("t", "c")] {
            laptop.disk.user_rename(&path(from), &path(to)).expect("renames");
        }
        assert_ok(&laptop.run(Preset::TwoWay));
        let report = desktop.run_with(Preset::TwoWay, |settings| settings.concurrency = concurrency);
        assert_ok(&report);
        assert_eq!((report.reused, report.downloaded_bytes), (3, 0), "{concurrency}: {report:#?}");
        assert_eq!(desktop.files(), laptop.files());
    }
}
