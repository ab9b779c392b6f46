//! What the simulated disk alone can do: crash, forget, fail, fold and unmount.

use super::*;
use crate::disk::sim::{Ajar, Chooser, InodeReuse};
use std::sync::Mutex;

fn disk(options: SimOptions) -> SimDisk {
    SimDisk::new(options, ticking_world())
}

/// Answers the same whatever is asked, as far as the question allows.
struct Always(&'static str, u32);

impl Chooser for Always {
    fn choose(&self, what: &str, n: u32) -> u32 {
        if what == self.0 { self.1.min(n - 1) } else { 0 }
    }
}

#[test]
fn nothing_unsynced_survives_the_power() {
    let disk = disk(SimOptions::default());
    block_on(async {
        disk.user_write(&p("user"), b"durable").expect("writes");
        let mut file = disk.create(&p("new")).await.expect("creates");
        file.write(b"bytes").await.expect("writes");
        disk.crash(true);
        assert_eq!(kind(file.write(b"more").await), Some(ErrorKind::Io), "descriptors die with the process");
    });
    assert_eq!(disk.tree().keys().map(RelPath::as_str).collect::<Vec<_>>(), ["user"]);
    assert_eq!(disk.user_read(&p("user")).as_deref(), Some(&b"durable"[..]));
}

#[test]
fn a_killed_process_loses_nothing_written() {
    let disk = disk(SimOptions::default());
    block_on(async {
        let mut file = disk.create(&p("new")).await.expect("creates");
        file.write(b"bytes").await.expect("writes");
    });
    disk.crash(false);
    assert_eq!(disk.user_read(&p("new")).as_deref(), Some(&b"bytes"[..]));
}

#[test]
fn a_name_without_its_bytes_is_an_empty_file() {
    let disk = disk(SimOptions::default());
    block_on(async {
        let mut file = disk.create(&p("new")).await.expect("creates");
        file.write(b"bytes").await.expect("writes");
        disk.sync_dir(&RelPath::root()).await.expect("syncs");
    });
    disk.crash(true);
    assert_eq!(disk.user_read(&p("new")).as_deref(), Some(&b""[..]));
}

#[test]
fn bytes_without_a_name_are_gone() {
    let disk = disk(SimOptions::default());
    block_on(write_new(&disk, "new", b"bytes"));
    disk.crash(true);
    assert!(disk.tree().is_empty());
}

#[test]
fn a_folder_sync_keeps_what_came_before_it_and_no_more() {
    let disk = disk(SimOptions::default());
    block_on(async {
        disk.make_dir(&p("d"), 0o755).await.expect("makes");
        write_new(&disk, "d/a", b"a").await;
        disk.sync_dir(&p("d")).await.expect("syncs");
        disk.rename(&p("d/a"), &p("b")).await.expect("renames");
        write_new(&disk, "c", b"c").await;
    });
    let lost = disk.clone();
    lost.crash(true);
    assert_eq!(lost.tree().keys().map(RelPath::as_str).collect::<Vec<_>>(), ["d", "d/a"]);
}

#[test]
fn a_rename_survives_whole_or_not_at_all() {
    for kept in 0..4 {
        let disk = disk(SimOptions::default()).with(Arc::new(Always("disk.crash.journal", kept)), Arc::new(Ajar));
        block_on(async {
            write_new(&disk, "a", b"a").await;
            write_new(&disk, "b", b"b").await;
            disk.sync_dir(&RelPath::root()).await.expect("syncs");
            disk.exchange(&p("a"), &p("b")).await.expect("exchanges");
            disk.rename(&p("b"), &p("c")).await.expect("renames");
        });
        disk.crash(true);
        let text = |path: &str| disk.user_read(&p(path)).map(|bytes| String::from_utf8(bytes).expect("text"));
        let left = [text("a"), text("b"), text("c")].map(Option::unwrap_or_default);
        let expected = [["a", "b", ""], ["b", "a", ""], ["b", "", "a"], ["b", "", "a"]];
        assert_eq!(left, expected[kept as usize], "{kept}");
    }
}

#[test]
fn numbers_come_back_and_birth_tells() {
    for (reuse, same_number) in [(InodeReuse::AtOnce, true), (InodeReuse::Later, false), (InodeReuse::Never, false)] {
        let disk = disk(SimOptions { inode_reuse: reuse, ..SimOptions::default() });
        let made = |path: &str| {
            disk.user_write(&p(path), b"x").expect("writes");
            disk.user_stat(&p(path)).expect("is there").stamp.file_id
        };
        let first = made("a");
        disk.user_remove(&p("a")).expect("removes");
        let second = made("a");
        assert_eq!(first.inode == second.inode, same_number, "{reuse:?}");
        assert_ne!(first, second);
    }
}

#[test]
fn times_have_a_grain_and_can_be_forged_but_not_ctime() {
    let disk = disk(SimOptions { grain_ns: 1_000_000_000, ..SimOptions::default() });
    disk.user_write(&p("a"), b"x").expect("writes");
    let first = disk.user_stat(&p("a")).expect("is there").stamp;
    disk.user_write(&p("a"), b"y").expect("writes");
    assert_eq!(disk.user_stat(&p("a")).expect("is there").stamp, first, "one grain, one stamp");
    disk.user_set_mtime(&p("a"), 5).expect("forges");
    let forged = disk.user_stat(&p("a")).expect("is there").stamp;
    assert_eq!((forged.mtime_ns, forged.change_ns), (5, first.change_ns));
}

#[test]
fn a_folding_disk_knows_one_name_for_both_cases() {
    let disk = disk(SimOptions { fold_case: true, ..SimOptions::default() });
    disk.user_write(&p("Name"), b"x").expect("writes");
    block_on(async {
        assert_eq!(kind(disk.create(&p("nAME")).await), Some(ErrorKind::Exists));
        assert_eq!(read_all(&disk, "NAME").await, b"x");
        disk.user_rename(&p("name"), &p("NAME")).expect("renames");
        let names = disk.read_dir(&RelPath::root()).await.expect("lists");
        assert_eq!(names.iter().map(|item| item.name.as_slice()).collect::<Vec<_>>(), [b"NAME"]);
    });
}

#[test]
fn an_unmounted_root_is_empty_and_another() {
    let disk = disk(SimOptions::default());
    disk.user_write(&p("a"), b"x").expect("writes");
    block_on(async {
        let before = disk.root().await.expect("is there");
        disk.set_unmounted(true);
        let bare = disk.root().await.expect("is there");
        assert_ne!((bare.filesystem, bare.dir), (before.filesystem, before.dir));
        assert_eq!(disk.read_dir(&RelPath::root()).await, Ok(Vec::new()));
        disk.set_unmounted(false);
        assert_eq!(disk.root().await, Ok(before));
        disk.set_gone(true);
        assert_eq!(kind(disk.root().await), Some(ErrorKind::NotFound));
    });
    disk.set_gone(false);
    assert_eq!(disk.user_read(&p("a")).as_deref(), Some(&b"x"[..]));
}

#[test]
fn folders_that_may_not_be_read_say_so() {
    let disk = disk(SimOptions::default());
    disk.user_mkdir(&p("d/e")).expect("makes");
    disk.user_write(&p("d/f"), b"x").expect("writes");
    disk.user_chmod(&p("d"), 0o300).expect("sets");
    block_on(async {
        assert_eq!(kind(disk.read_dir(&p("d")).await), Some(ErrorKind::Denied));
        assert_eq!(read_all(&disk, "d/f").await, b"x");
        disk.user_chmod(&p("d"), 0o600).expect("sets");
        assert_eq!(kind(disk.stat(&p("d/f")).await), Some(ErrorKind::Denied));
        let items = disk.read_dir(&p("d")).await.expect("lists");
        assert!(items.len() == 2 && items.iter().all(|item| item.stat.is_err()));
        disk.user_chmod(&p("d"), 0o500).expect("sets");
        assert_eq!(kind(disk.make_dir(&p("d/g"), 0o700).await), Some(ErrorKind::Denied));
    });
}

#[test]
fn a_failed_sync_stays_failed() {
    struct Once(Mutex<bool>);
    impl Chooser for Once {
        fn choose(&self, what: &str, _n: u32) -> u32 {
            let mut done = self.0.lock().expect("not poisoned");
            u32::from(what == "disk.sync" && !std::mem::replace(&mut *done, true))
        }
    }
    let disk = disk(SimOptions::default()).with(Arc::new(Once(Mutex::new(false))), Arc::new(Ajar));
    block_on(async {
        let mut file = disk.create(&p("a")).await.expect("creates");
        file.write(b"x").await.expect("writes");
        assert_eq!(kind(file.sync().await), Some(ErrorKind::Io));
        assert_eq!(kind(file.sync().await), Some(ErrorKind::Io));
        disk.sync_dir(&RelPath::root()).await.expect("syncs");
    });
    disk.crash(true);
    assert_eq!(disk.user_read(&p("a")).as_deref(), Some(&b""[..]));
}

#[test]
fn a_full_disk_takes_no_more() {
    let disk = disk(SimOptions { capacity_bytes: Some(4), ..SimOptions::default() });
    block_on(async {
        let mut file = disk.create(&p("a")).await.expect("creates");
        file.write(b"1234").await.expect("writes");
        assert_eq!(kind(file.write(b"5").await), Some(ErrorKind::NoSpace));
    });
    assert_eq!(disk.user_write(&p("a"), b"12"), Ok(()));
}

#[test]
fn a_program_writes_on_into_the_file_it_holds() {
    let disk = disk(SimOptions::default());
    let held = disk.user_open(&p("a")).expect("opens");
    disk.user_replace(&p("a"), b"new").expect("replaces");
    disk.user_write_open(&held, b"lost").expect("writes");
    assert_eq!(disk.user_read(&p("a")).as_deref(), Some(&b"new"[..]));
    disk.user_close(held);
    disk.user_hard_link(&p("a"), &p("b")).expect("links");
    disk.user_append(&p("b"), b"er").expect("appends");
    assert_eq!(disk.user_read(&p("a")).as_deref(), Some(&b"newer"[..]));
    assert_eq!(disk.user_stat(&p("a")).expect("is there").links, 2);
}
