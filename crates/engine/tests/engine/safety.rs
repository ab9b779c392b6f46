//! What stops a run, and what no change of settings may do.

use crate::bench::{Bench, path};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tidelock_core::names::LinkStyle;
use tidelock_core::path::Key;
use tidelock_core::policy::Preset;
use tidelock_engine::cycle::{Mode, run};
use tidelock_engine::disk::sim::SimDisk;
use tidelock_engine::event::{Event, Listener};
use tidelock_engine::pair::{RemoteCheck, Settings};
use tidelock_engine::report::{Ending, Report};
use tidelock_remote::Ability;
use tidelock_remote::memory::{Memory, Profile, Support};
use tidelock_remote::testing::world::world;

fn assert_ok(report: &Report) {
    assert_eq!(report.ending(), Ending::Ok, "{report:#?}");
}

/// A pair in push mode, with objects of somebody else's beside its own.
fn shared_bucket() -> Bench {
    let bench = Bench::new();
    for number in 0..100 {
        bench.write(&format!("f{number}"), b"ours");
    }
    assert_ok(&bench.run(Preset::Push));
    for number in 0..10 {
        bench.put(&format!("foreign{number}"), "theirs");
    }
    bench
}

/// The same command again, as from a timetable, is no confirmation.
#[test]
fn what_the_guard_stopped_it_stops_again() {
    let bench = shared_bucket();
    for _ in 0..3 {
        let report = bench.run(Preset::Mirror);
        assert_eq!(report.ending(), Ending::SafetyStop, "{report:#?}");
        assert_eq!(bench.objects().len(), 110);
        assert_eq!(bench.state.fact("mode").expect("reads").as_deref(), Some("push"));
    }
    // Nor does it take anything from the mode on record.
    bench.disk.user_remove(&path("f0")).expect("removes");
    let report = bench.run(Preset::Push);
    assert_eq!((report.ending(), report.drift), (Ending::Ok, 11), "{report:#?}");
    let report = bench.run_with(Preset::Mirror, |settings| settings.confirm_deletes = true);
    assert_ok(&report);
    assert_eq!((report.deleted_there, bench.objects().len()), (11, 99));
    assert_ok(&bench.run(Preset::Mirror));
}

/// With links seen another way, other keys exist. Those that are gone were not deleted.
#[test]
fn another_way_to_see_links_deletes_nothing() {
    let s3fs = |settings: &mut Settings| settings.scan.links = LinkStyle::Mode;
    for preset in [Preset::SyncDelete, Preset::Mirror, Preset::TwoWay] {
        let bench = Bench::new();
        for name in ["a", "b", "c", "d"] {
            bench.write(name, name.as_bytes());
        }
        bench.disk.user_symlink(&path("link"), b"a").expect("links");
        assert_ok(&bench.run_with(preset, s3fs));
        assert!(bench.bucket.snapshot().contains_key(&Key::new("link")));
        let report = bench.run(preset);
        assert_eq!((report.deleted_there, report.deleted_here), (0, 0), "{preset:?}: {report:#?}");
        assert!(bench.bucket.snapshot().contains_key(&Key::new("link")), "{preset:?}");
        assert!(bench.disk.user_stat(&path("link")).is_some(), "{preset:?}");
    }
}

/// What was sent through a link is not deleted because the next run sends the link.
#[test]
fn links_no_longer_followed_delete_nothing() {
    let bench = Bench::new();
    for name in ["a", "b", "data/x", "data/y"] {
        bench.write(name, name.as_bytes());
    }
    assert_ok(&bench.run_with(Preset::SyncDelete, |settings| settings.scan.follow_links = true));
    // As the folder looks through a disk that does not follow.
    bench.disk.user_remove(&path("data")).expect("removes");
    bench.disk.user_symlink(&path("data"), b"/elsewhere").expect("links");
    let report = bench.run(Preset::SyncDelete);
    assert_eq!((report.ending(), report.deleted_there), (Ending::Ok, 0), "{report:#?}");
    assert!(bench.bucket.snapshot().contains_key(&Key::new("data/x")));
    let told = bench
        .ears
        .0
        .lock()
        .expect("no panics")
        .iter()
        .any(|event| matches!(event, Event::Note { text } if text.contains("links followed to links")));
    assert!(told, "it is said");

    // Another run through the same eyes is an ordinary one.
    bench.disk.user_remove(&path("b")).expect("removes");
    let report = bench.run(Preset::SyncDelete);
    assert_eq!((report.ending(), report.deleted_there), (Ending::Ok, 1), "{report:#?}");
}

/// A run that cannot read an ignore file does not know what it excludes: it looks past
/// that folder, and at the root it stops.
#[test]
fn an_ignore_file_that_cannot_be_read_opens_nothing() {
    let spoil = |what: &str, bench: &Bench, at: &str| match what {
        "a link" => bench.disk.user_symlink(&path(at), b"elsewhere").expect("links"),
        "a folder" => bench.disk.user_mkdir(&path(at)).expect("makes"),
        _ => bench.write(at, "# nothing\n".repeat(200_000).as_bytes()),
    };
    for what in ["a link", "a folder", "too long"] {
        for (at, ending) in [("d/.tidelockignore", Ending::Partial), (".tidelockignore", Ending::Failed)] {
            let bench = Bench::new();
            bench.write(at, b"secret\n");
            bench.write("d/secret", b"not to be sent");
            bench.write("d/plain", b"in step");
            bench.write("other", b"in step");
            assert_ok(&bench.run(Preset::SyncDelete));
            let before = bench.objects();
            assert!(!before.iter().any(|(key, _)| key == "d/secret"));
            bench.disk.user_remove(&path(at)).expect("removes");
            spoil(what, &bench, at);
            bench.disk.user_remove(&path("d/plain")).expect("removes");
            let report = bench.run(Preset::SyncDelete);
            assert_eq!(report.ending(), ending, "{what} at {at}: {report:#?}");
            assert_eq!(bench.objects(), before, "{what} at {at}");
            let told = report.stopped.iter().chain(report.problems.iter().map(|problem| &problem.what));
            assert!(told.into_iter().any(|text| text.contains("ignore file")), "{report:#?}");
        }
    }
}

/// Where no condition is honoured, a bucket that keeps old versions does.
#[test]
fn two_way_wants_conditions_or_versions() {
    let blind = Profile::ignoring();
    let versioned = blind.clone().with(Ability::Versions, Support::Honoured);
    for (profile, ending) in [(blind, Ending::Config), (versioned, Ending::Ok)] {
        let (world, hand) = world(1);
        let bench = Bench::on(Memory::new(profile, world.clone()), world, hand, "laptop");
        bench.write("a", b"one");
        let report = bench.run(Preset::TwoWay);
        assert_eq!(report.ending(), ending, "{report:#?}");
        assert_eq!(bench.objects().len(), usize::from(ending == Ending::Ok));
    }
}

/// A run that is refused changes nothing: what was deleted before it still counts as
/// deleted in the run after it.
#[test]
fn a_refused_two_way_sync_leaves_the_mode_as_it_was() {
    let (world, hand) = world(1);
    let bench = Bench::on(Memory::new(Profile::ignoring(), world.clone()), world, hand, "laptop");
    for name in ["a", "b", "c"] {
        bench.write(name, name.as_bytes());
    }
    assert_ok(&bench.run(Preset::SyncDelete));
    bench.disk.user_remove(&path("a")).expect("removes");
    assert_eq!(bench.run(Preset::TwoWay).ending(), Ending::Config);
    let report = bench.run(Preset::SyncDelete);
    assert_ok(&report);
    assert_eq!((report.deleted_there, bench.objects().len()), (1, 2), "{report:#?}");
}

/// A run died in its deletions and left an empty folder, and an upload in parts. The
/// next one looks at the root and asks the guard before it clears them up, and touches
/// no side that it may not write.
#[test]
fn what_a_dead_run_left_is_cleared_up_after_the_checks() {
    let bench = Bench::new();
    bench.write("a", b"one");
    bench.write("b", b"two");
    assert_ok(&bench.run(Preset::TwoWay));
    bench.disk.user_mkdir(&path("d")).expect("makes");
    bench.state.set_fact("emptying", "[\"d\"]").expect("writes");
    bench.state.note_upload("upload", &Key::new("c")).expect("writes");
    let left = |bench: &Bench| {
        let uploads = bench.state.uploads().expect("reads").len();
        (bench.disk.user_stat(&path("d")).is_some(), uploads)
    };

    bench.disk.set_unmounted(true);
    assert_eq!(bench.run(Preset::TwoWay).ending(), Ending::SafetyStop);
    bench.disk.set_unmounted(false);
    assert_eq!(left(&bench), (true, 1));
    bench.bucket.remove(&Key::new("a"));
    bench.bucket.remove(&Key::new("b"));
    assert_eq!(bench.run(Preset::TwoWay).ending(), Ending::SafetyStop, "one side is empty");
    assert_eq!(left(&bench), (true, 1));

    bench.put("a", "one");
    bench.put("b", "two");
    assert_ok(&bench.run(Preset::Restore));
    assert_eq!(left(&bench), (false, 1), "a restore writes here and not there");
    bench.disk.user_mkdir(&path("d")).expect("makes");
    bench.state.set_fact("emptying", "[\"d\"]").expect("writes");
    assert_ok(&bench.run(Preset::Push));
    assert_eq!(left(&bench), (true, 0), "a push writes there and not here");
}

/// What a dead run left empty is not taken for a folder that somebody made.
#[test]
fn an_emptied_folder_is_gone_before_it_could_be_sent() {
    let bench = Bench::new();
    bench.write("a", b"one");
    assert_ok(&bench.run(Preset::TwoWay));
    bench.disk.user_mkdir(&path("d")).expect("makes");
    bench.state.set_fact("emptying", "[\"d\"]").expect("writes");
    let report = bench.run(Preset::TwoWay);
    assert_ok(&report);
    assert_eq!((bench.objects().len(), report.uploaded), (1, 0), "{report:#?}");
    assert!(bench.disk.user_stat(&path("d")).is_none());
}

/// A person who wants to end does not wait for a long listing.
#[test]
fn an_interrupt_is_heard_while_both_sides_are_looked_at() {
    for profile in [Profile::aws(), Profile::unordered()] {
        let (world, hand) = world(1);
        let profile = Profile { page_size: 3, ..profile };
        let bench = Bench::on(Memory::new(profile, world.clone()), world, hand, "laptop");
        for number in 0..60 {
            bench.put(&format!("{number}"), "theirs");
        }
        let pair = bench.pair(Preset::TwoWay.policy());
        pair.interrupted.store(true, Ordering::Relaxed);
        let report = futures::executor::block_on(run(&pair, Mode::Execute));
        assert_eq!(report.ending(), Ending::Interrupted, "{report:#?}");
        assert!(bench.requests.snapshot().list <= 2, "{:?}", bench.requests.snapshot());
    }
}

/// Where the record is trusted for what is there, it serves after a change of mode as
/// before, and what turns out otherwise is looked at once more and decided.
#[test]
fn a_trusted_record_that_is_wrong_is_asked_about() {
    let trusting = |settings: &mut Settings| settings.remote_check = RemoteCheck::State;
    let bench = Bench::new();
    for name in ["a", "b", "c"] {
        bench.write(name, name.as_bytes());
    }
    assert_ok(&bench.run(Preset::Push));
    let report = bench.run_with(Preset::SyncDelete, trusting);
    assert_ok(&report);
    assert_eq!((report.uploaded, report.passes, bench.requests.snapshot().head), (0, 1, 0), "{report:#?}");

    // Changed elsewhere, made elsewhere, deleted elsewhere; and here.
    bench.put("a", "theirs");
    bench.put("new", "theirs");
    bench.bucket.remove(&Key::new("b"));
    for name in ["a", "b", "new"] {
        bench.write(name, b"ours, and longer");
    }
    let report = bench.run_with(Preset::SyncDelete, trusting);
    assert_eq!((report.ending(), report.conflicts, report.passes), (Ending::Conflicts, 2, 2), "{report:#?}");
    let objects: Vec<String> = bench.objects().into_iter().map(|(_, content)| content).collect();
    assert_eq!(objects, ["theirs", "ours, and longer", "c", "theirs"]);
}

/// Unmounts the disk as soon as something was sent.
struct Unmounter(SimDisk);

impl Listener for Unmounter {
    fn hear(&self, event: &Event) {
        if matches!(event, Event::Done { action, .. } if action == "upload") {
            self.0.set_unmounted(true);
        }
    }
}

#[test]
fn a_disk_unmounted_in_the_middle_of_a_run_deletes_nothing() {
    let bench = Bench::new();
    for name in ["a", "b", "c", "d"] {
        bench.write(name, name.as_bytes());
    }
    assert_ok(&bench.run(Preset::SyncDelete));
    bench.disk.user_remove(&path("a")).expect("removes");
    bench.write("new", b"sent first");
    let mut pair = bench.pair(Preset::SyncDelete.policy());
    pair.settings.scan.owner = (1000, 1000);
    pair.listener = Arc::new(Unmounter(bench.disk.clone()));
    let report = futures::executor::block_on(run(&pair, Mode::Execute));
    assert_eq!((report.ending(), report.uploaded), (Ending::SafetyStop, 1), "{report:#?}");
    assert!(bench.bucket.snapshot().contains_key(&Key::new("a")));
}

/// What cannot be looked at may hold, renamed, the very file that seems to be gone.
#[test]
fn deletions_there_wait_while_something_here_cannot_be_looked_at() {
    for preset in [Preset::SyncDelete, Preset::Mirror, Preset::TwoWay] {
        let bench = Bench::new();
        for name in ["a", "b", "c", "locked/d"] {
            bench.write(name, name.as_bytes());
        }
        assert_ok(&bench.run(preset));
        bench.disk.user_remove(&path("b")).expect("removes");
        bench.disk.user_rename(&path("a"), &path("locked/a")).expect("renames");
        bench.disk.user_rename(&path("c"), &path("e")).expect("renames");
        bench.disk.user_chmod(&path("locked"), 0).expect("changes");
        let report = bench.run(preset);
        assert_eq!(report.ending(), Ending::Partial, "{report:#?}");
        assert_eq!((report.deleted_there, report.moved, report.drift), (0, 1, 3), "{report:#?}");
        assert!(
            report.problems.iter().any(|problem| problem.what.contains("2 entries that are gone here were")),
            "{report:#?}"
        );
        assert_eq!(bench.keys(), ["a", "b", "e", "locked/d"]);

        bench.disk.user_chmod(&path("locked"), 0o755).expect("changes");
        let report = bench.run(preset);
        assert_eq!((report.deleted_there, report.moved, report.uploaded), (1, 1, 0), "{report:#?}");
        assert_ok(&report);
        assert_eq!(bench.keys(), ["e", "locked/a", "locked/d"]);

        bench.disk.user_remove(&path("e")).expect("removes");
        bench.disk.user_chmod(&path("locked"), 0).expect("changes");
        let report = bench.run_with(preset, |settings| settings.confirm_deletes = true);
        assert_eq!((report.ending(), report.deleted_there), (Ending::Partial, 1), "{report:#?}");
    }
}
