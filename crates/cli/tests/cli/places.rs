//! Places that are missing, in another place, or may not be read or written.

use crate::home::{Home, Ran, tree};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

#[test]
fn a_store_on_a_missing_disk_is_not_made_elsewhere() {
    let home = Home::furnished();
    // The folder that is to hold the store is not there.
    for args in [
        &["sync", "f", "folder:usb/photos"][..],
        &["sync", "f", "folder:usb/photos", "-n"],
        &["status", "f", "folder:usb/photos"],
        &["why", "f", "folder:usb/photos", "a.txt"],
    ] {
        home.run(args).expect(4).says(&["usb", "is a disk not mounted"]);
        assert!(!home.path("usb").exists());
    }
    // It is there, but the store that this pair knows is not.
    fs::create_dir(home.path("usb")).expect("made");
    home.run(&["sync", "f", "folder:usb/photos", "--delete"]).expect(0);
    fs::rename(home.path("usb/photos"), home.path("elsewhere")).expect("renamed");
    for more in [&[][..], &["-n"], &["--mirror"], &["--two-way"]] {
        let ran = home.run(&[&["sync", "f", "folder:usb/photos"], more].concat());
        ran.expect(4).says(&["was synced with a store there", "is a disk not mounted"]);
        assert!(!home.path("usb/photos").exists(), "{more:?} made a store");
    }
    // As the message says.
    fs::remove_file(home.state_file(".sqlite")).expect("removed");
    home.run(&["sync", "f", "folder:usb/photos", "--delete"]).expect(0).says(&["6 entries sent"]);
}

#[test]
fn a_restore_needs_no_folder_but_something_to_restore() {
    let home = Home::synced();
    home.run(&["restore", "folder:store", "new/back", "--dry-run"]).expect(0).says(&["would: fetch 6 entries"]);
    assert!(!home.path("new").exists());
    home.run(&["restore", "folder:nowhere", "new"]).expect(4);
    assert!(!home.path("new").exists());
    home.run(&["restore", "folder:store", "new/back"]).expect(0);
    // The disaster that it is for: the folder is gone, or is another one and empty.
    for empty in [false, true] {
        fs::rename(home.path("new"), home.path(if empty { "old2" } else { "old" })).expect("renamed");
        if empty {
            fs::create_dir_all(home.path("new/back")).expect("made");
        }
        home.run(&["restore", "folder:store", "new/back", "-n"]).expect(0).says(&["would: fetch 6 entries"]);
        home.run(&["restore", "folder:store", "new/back"]).expect(0).says(&["6 entries fetched"]);
        assert_eq!(tree(&home.path("f")), tree(&home.path("new/back")));
    }
    // Whose name is misspelt is told.
    fs::create_dir(home.path("nothing")).expect("made");
    home.run(&["sync", "nothing", "folder:empty"]).expect(0);
    home.run(&["restore", "folder:empty", "new/back2"]).expect(0).says(&["there is nothing at folder:empty"]);
    home.run(&["ls", "folder:store", "--path", "subb/"]).expect(0).says(&["there is nothing at folder:store"]);
}

#[test]
fn swapped_arguments_are_told() {
    let home = Home::synced();
    for args in [
        &["restore", "folder:store", "folder:g"][..],
        &["restore", "s3://bucket", "folder:g"],
        &["sync", "folder:f", "folder:store"],
        &["sync", "s3://bucket", "folder:store"],
    ] {
        home.run(args).expect(2).says(&["names a remote", "folder is meant"]);
    }
    assert!(!home.path("folder:g").exists());
    // A folder may be called so nevertheless.
    home.run(&["restore", "folder:store", "./folder:g"]).expect(0);
}

/// The binary as somebody whom permissions hold back, if that can be had.
fn held_back(home: &Home, args: &[&str]) -> Option<Ran> {
    let mut command = home.command(args);
    if is_root() {
        let nobody = 65534;
        for path in ["", "state"] {
            fs::create_dir_all(home.path(path)).ok()?;
        }
        let all = Command::new("chown").args(["-R", "65534:65534"]).arg(home.dir.path()).status().ok()?;
        if !all.success() {
            return None;
        }
        command.uid(nobody).gid(nobody);
    }
    Some(command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().ok()?.into())
}

/// The same, while a folder may not be looked into.
pub fn locked_out(home: &Home, folder: &str, args: &[&str]) -> Option<Ran> {
    fs::set_permissions(home.path(folder), PermissionsExt::from_mode(0o0)).expect("set");
    let ran = held_back(home, args);
    fs::set_permissions(home.path(folder), PermissionsExt::from_mode(0o755)).expect("set");
    ran
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("runs");
    id.stdout == b"0\n"
}

#[test]
fn what_may_not_be_read_is_a_lack_of_permission() {
    let home = Home::furnished();
    if let Some(ran) = locked_out(&home, "f", &["sync", "f", "folder:store"]) {
        ran.expect(77).says(&["the folder", "not permitted"]);
    }
}

#[test]
fn a_read_only_store_is_listed_and_restored_from() {
    let home = Home::furnished();
    home.write("f/large", &"bytes ".repeat(10_000));
    home.sync(&[]).expect(0);
    let read_only = |mode: u32, file: u32| {
        for entry in ["store", "store/bodies"] {
            fs::set_permissions(home.path(entry), PermissionsExt::from_mode(mode)).expect("set");
        }
        for entry in ["store/store.sqlite", "store/lock"] {
            fs::set_permissions(home.path(entry), PermissionsExt::from_mode(file)).expect("set");
        }
    };
    read_only(0o555, 0o444);
    let runs = [
        held_back(&home, &["ls", "folder:store"]),
        held_back(&home, &["status", "f", "folder:store"]),
        held_back(&home, &["restore", "folder:store", "g"]),
        held_back(&home, &["sync", "f", "folder:store"]),
    ];
    read_only(0o755, 0o644);
    for (ran, code) in runs.into_iter().zip([0, 0, 0, 77]) {
        if let Some(ran) = ran {
            ran.expect(code);
        }
    }
    assert_eq!(tree(&home.path("f")), tree(&home.path("g")));
}

#[test]
fn a_part_that_may_not_be_read_is_left_out_and_one_not_written_is_a_lack() {
    let home = Home::synced();
    if let Some(ran) = locked_out(&home, "f/sub", &["sync", "f", "folder:store"]) {
        ran.expect(3).says(&["sub: the folder cannot be read", "not permitted"]);
    }
    fs::create_dir_all(home.path("g/sub")).expect("made");
    let set = |mode: u32| fs::set_permissions(home.path("g/sub"), PermissionsExt::from_mode(mode)).expect("set");
    set(0o555);
    let ran = held_back(&home, &["restore", "folder:store", "g"]);
    set(0o755);
    if let Some(ran) = ran {
        ran.expect(77).says(&["sub/b.txt: ", "not permitted; check the permissions", "4 entries fetched"]);
    }
}

/// What a database holds beside it that its owner may not write.
fn unwritable_beside(home: &Home, folder: &str) -> Vec<String> {
    let items = fs::read_dir(home.path(folder)).expect("readable").map(|item| item.expect("an entry"));
    let is_locked = |item: &fs::DirEntry| item.metadata().expect("there").permissions().mode() & 0o200 == 0;
    items.filter(is_locked).map(|item| item.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn a_moment_of_a_read_only_database_harms_no_later_run() {
    let home = Home::synced();
    let set = |path: &std::path::Path, mode: u32| {
        fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("set");
    };
    let state = home.state_file(".sqlite");
    let store = home.path("store/store.sqlite");
    let sync = ["sync", "f", "folder:store"];
    for (database, folder, says) in
        [(&state, "state/tidelock/pairs", ".sqlite"), (&store, "store", "store/store.sqlite")]
    {
        set(database, 0o444);
        for args in
            [&["ls", "folder:store"][..], &["status", "f", "folder:store"], &["sync", "f", "folder:store", "-n"]]
        {
            let Some(ran) = held_back(&home, args) else { return };
            ran.expect(0);
        }
        held_back(&home, &sync).expect("runs").expect(77).says(&[says, "ermission", "chmod u+w"]);
        let name = database.file_name().expect("a name").to_string_lossy().into_owned();
        assert_eq!(unwritable_beside(&home, folder), [name], "only what was made so");
        set(database, 0o644);
        held_back(&home, &sync).expect("runs").expect(0);
        // What an older version left in such a moment.
        for ending in ["-wal", "-shm"] {
            let beside = tidelock_remote::beside::beside(database, ending);
            fs::write(&beside, "").expect("written");
            set(&beside, 0o444);
        }
        held_back(&home, &sync).expect("runs").expect(0);
    }
}
