//! More than a page: steps come out of the spool a thousand at a time, and nothing may
//! get lost, come twice or come out of order where one page ends.

use crate::bench::{Bench, path};
use tidelock_core::policy::Preset;
use tidelock_engine::pair::Settings;
use tidelock_engine::report::{Ending, Report};

const MANY: u64 = 2_500;

/// A device with many files in one folder, and another in step with it.
fn devices() -> (Bench, Bench) {
    let first = Bench::new();
    for number in 0..MANY {
        first.write(&format!("a/{:02}/{number}", number % 40), number.to_string().as_bytes());
    }
    first.write("stays", b"stays");
    synced(&first, |_| ());
    let second = first.second("desktop");
    synced(&second, |_| ());
    assert_eq!(second.files(), first.files());
    (first, second)
}

fn synced(bench: &Bench, change: impl FnOnce(&mut Settings)) -> Report {
    let report = bench.run_with(Preset::TwoWay, change);
    assert_eq!(report.ending(), Ending::Ok, "{report:#?}");
    report
}

/// Everything is where it belongs, and the next runs have nothing to do.
fn agree(first: &Bench, second: &Bench) {
    assert_eq!(second.files(), first.files());
    let here: Vec<_> = first.files().into_iter().filter(|(name, _)| !name.ends_with('/')).collect();
    let there: Vec<_> = first.objects().into_iter().filter(|(key, _)| !key.ends_with('/')).collect();
    assert_eq!(here, there);
    for bench in [first, second] {
        assert!(!synced(bench, |_| ()).changed_anything());
    }
}

#[test]
fn pages_of_renames_send_no_byte_and_leave_nothing_behind() {
    let (first, second) = devices();
    first.disk.user_rename(&path("a"), &path("b")).expect("renames");
    let report = synced(&first, |_| ());
    assert_eq!((report.moved, report.uploaded_bytes, report.deleted_there), (MANY, 0, 0), "{report:#?}");
    let report = synced(&second, |_| ());
    assert_eq!((report.reused, report.downloaded_bytes), (MANY, 0), "{report:#?}");
    agree(&first, &second);
}

#[test]
fn pages_of_deletions_empty_their_folders() {
    let (first, second) = devices();
    first.disk.user_remove(&path("a")).expect("removes");
    assert_eq!(first.run(Preset::TwoWay).ending(), Ending::SafetyStop);
    let confirmed = |settings: &mut Settings| settings.confirm_deletes = true;
    assert_eq!(synced(&first, confirmed).deleted_there, MANY);
    let confirmed = |settings: &mut Settings| settings.confirm_deletes = true;
    assert_eq!(synced(&second, confirmed).deleted_here, MANY);
    assert_eq!(second.files(), [("stays".to_owned(), "stays".to_owned())]);
    agree(&first, &second);
}

/// Each file takes the name of the next, the last one's goes round: one cycle of them all.
#[test]
fn a_chain_longer_than_a_page_is_copied_in_order() {
    let (first, second) = devices();
    let name = |number: u64| path(&format!("a/{:02}/{number}", number % 40));
    first.disk.user_rename(&name(MANY - 1), &path("aside")).expect("renames");
    for number in (0..MANY - 1).rev() {
        first.disk.user_rename(&name(number), &name(number + 1)).expect("renames");
    }
    first.disk.user_rename(&path("aside"), &name(0)).expect("renames");
    let report = synced(&first, |_| ());
    assert_eq!((report.moved, report.uploaded), (MANY - 1, 1), "{report:#?}");
    synced(&second, |_| ());
    agree(&first, &second);
}

/// As many chains, each of two.
#[test]
fn pages_of_chains_are_all_carried_out() {
    let (first, second) = devices();
    for number in 0..MANY {
        let name = path(&format!("a/{:02}/{number}", number % 40));
        if number % 2 == 0 {
            first.disk.user_rename(&name, &path(&format!("c{number}"))).expect("renames");
        } else {
            let other = number - 1;
            first.disk.user_rename(&name, &path(&format!("a/{:02}/{other}", other % 40))).expect("renames");
        }
    }
    let report = synced(&first, |_| ());
    assert_eq!((report.moved, report.uploaded_bytes), (MANY, 0), "{report:#?}");
    synced(&second, |_| ());
    agree(&first, &second);
}
