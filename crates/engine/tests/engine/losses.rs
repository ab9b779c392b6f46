//! Objects whose bytes the remote has lost.

use crate::bench::{Bench, path};
use tidelock_core::path::Key;
use tidelock_core::policy::Preset;
use tidelock_engine::report::Ending;
use tidelock_remote::Readiness;

fn bench() -> Bench {
    let bench = Bench::new();
    bench.write("big", b"precious");
    bench.write("other", b"stays");
    assert_eq!(bench.run(Preset::Push).ending(), Ending::Ok);
    assert!(bench.bucket.set_readiness(&Key::new("big"), Readiness::Lost));
    bench
}

fn is_mended(bench: &Bench) -> bool {
    let head = bench.bucket.snapshot();
    head.len() >= 2 && futures::executor::block_on(readable(bench))
}

async fn readable(bench: &Bench) -> bool {
    use tidelock_remote::Remote;
    bench.bucket.get(&Key::new("big"), None, None).await.is_ok()
}

#[test]
fn what_the_remote_has_lost_is_sent_again() {
    for preset in [Preset::Push, Preset::SyncDelete, Preset::Mirror, Preset::TwoWay] {
        let bench = bench();
        if preset != Preset::Push {
            // The first run in another mode only adopts.
            assert_eq!(bench.run(preset).ending(), Ending::Ok, "{preset:?}");
        }
        let report = bench.run(preset);
        assert_eq!(report.ending(), Ending::Ok, "{preset:?}: {report:#?}");
        assert!(is_mended(&bench), "{preset:?}");
        assert_eq!(bench.files().len(), 2, "{preset:?}");
    }
}

#[test]
fn a_touched_file_is_sent_whole_where_its_object_lost_its_bytes() {
    let bench = bench();
    bench.write("big", b"precious");
    let report = bench.run(Preset::Push);
    assert_eq!((report.ending(), report.uploaded), (Ending::Ok, 1), "{report:#?}");
    assert!(is_mended(&bench));
}

#[test]
fn a_renamed_file_is_sent_where_its_object_lost_its_bytes() {
    let bench = bench();
    bench.disk.user_rename(&path("big"), &path("new")).expect("renames");
    let report = bench.run(Preset::Push);
    assert_eq!((report.uploaded, report.moved), (1, 0), "{report:#?}");
    // The old object stays under Keep, and is told.
    assert_eq!((report.ending(), report.problems[0].path.as_str()), (Ending::Failed, "big"));
}

#[test]
fn a_flow_that_may_not_write_there_tells_of_what_is_lost() {
    let bench = bench();
    bench.run(Preset::Restore);
    let report = bench.run(Preset::Restore);
    assert_eq!(report.ending(), Ending::Failed, "{report:#?}");
    assert_eq!(report.problems.iter().map(|problem| problem.path.as_str()).collect::<Vec<_>>(), ["big"]);
    assert!(!is_mended(&bench));
    assert_eq!(bench.files().len(), 2, "the file here is the only copy");
}

#[test]
fn a_device_without_the_file_tells_of_what_is_lost_and_deletes_nothing() {
    let bench = bench();
    let other = bench.second("desktop");
    for preset in [Preset::Push, Preset::SyncDelete, Preset::TwoWay, Preset::Restore] {
        let report = other.run(preset);
        assert_eq!(report.ending(), Ending::Failed, "{preset:?}: {report:#?}");
        assert_eq!(report.problems[0].path, "big", "{preset:?}");
        assert_eq!(bench.objects().len(), 2, "{preset:?}");
    }
}

#[test]
fn a_device_that_has_the_same_bytes_sends_them_without_a_record() {
    let bench = bench();
    let other = bench.second("desktop");
    other.write("big", b"precious");
    let report = other.run(Preset::TwoWay);
    assert_eq!((report.ending(), report.uploaded, report.kept_both), (Ending::Ok, 1, 0), "{report:#?}");
    assert!(is_mended(&bench));
    // What differs from it is a conflict that nobody can solve by keeping both.
    let bench = self::bench();
    let third = bench.second("tablet");
    third.write("big", b"another");
    let report = third.run(Preset::TwoWay);
    assert_eq!(report.ending(), Ending::Failed, "{report:#?}");
    assert_eq!(third.files()[0].1, "another");
}
