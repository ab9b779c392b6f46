//! What stops a run, and what no change of settings may do.

use crate::bench::{Bench, path};
use tidelock_core::names::LinkStyle;
use tidelock_core::path::Key;
use tidelock_core::policy::Preset;
use tidelock_engine::event::Event;
use tidelock_engine::pair::Settings;
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
    let spoilt: [(&str, fn(&Bench, &str)); 3] = [
        ("a link", |bench, at| bench.disk.user_symlink(&path(at), b"elsewhere").expect("links")),
        ("a folder", |bench, at| bench.disk.user_mkdir(&path(at)).expect("makes")),
        ("too long", |bench, at| bench.write(at, "# nothing\n".repeat(200_000).as_bytes())),
    ];
    for (what, spoil) in spoilt {
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
            spoil(&bench, at);
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
