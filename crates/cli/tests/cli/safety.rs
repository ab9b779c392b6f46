//! Nothing is changed that nobody asked for; what looks like a disaster stops.

use crate::home::{Home, bytes, tree};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

/// What is Tidelock's own is nobody's folder, and its secrets are sent nowhere.
#[test]
fn tidelocks_own_files_are_not_synced() {
    let home = Home::synced();
    home.write("f/.tidelock/trash/x", "x");
    for own in ["state/tidelock/pairs", "state/tidelock", "f/.tidelock", "f/.tidelock/trash"] {
        home.run(&["sync", own, "folder:other"]).expect(78).says(&["Tidelock's"]);
        home.run(&["restore", "folder:store", own]).expect(78).says(&["Tidelock's"]);
    }
    home.write("home/.config/tidelock/secrets.json", "{}");
    home.write("home/.config/app/settings", "x");
    home.run(&["sync", "home/.config", "folder:other"]).expect(78).says(&["file of secrets", "--exclude /tidelock/"]);
    home.run(&["upload", "home/.config", "folder:store/"]).expect(78).says(&["file of secrets"]);
    home.run(&["upload", "home/.config/tidelock/secrets.json", "folder:store/"]).expect(78).says(&["file of secrets"]);
    assert!(!home.path("other").exists());
    let exclude = ["sync", "home/.config", "folder:other", "--exclude", "/tidelock/secrets.json"];
    home.run(&exclude).expect(0);
    assert_eq!(home.run(&["ls", "folder:other"]).expect(0).out, "app/settings\ntidelock/\n");
}

#[test]
fn a_dry_run_leaves_both_sides_and_the_state_as_they_were() {
    let home = Home::furnished();
    home.sync(&["--delete"]).expect(0);
    home.write("f/a.txt", "alpha, changed");
    fs::remove_file(home.path("f/sub/b.txt")).expect("removed");
    home.run(&["restore", "folder:store", "g"]).expect(0);
    let look =
        || (bytes(&home.path("state")), bytes(&home.path("store")), tree(&home.path("f")), tree(&home.path("g")));
    let before = look();
    for args in [
        &["sync", "f", "folder:store", "--delete", "--dry-run"][..],
        &["sync", "f", "folder:store", "--mirror", "--confirm-deletes", "-n"],
        &["sync", "f", "folder:store", "--two-way", "-n"],
        &["moves", "f", "folder:store", "-n"],
        &["restore", "folder:store", "f", "--overwrite", "-n"],
        &["status", "f", "folder:store"],
        &["ls", "folder:store"],
        &["why", "f", "folder:store", "a.txt"],
    ] {
        home.run(args).expect(0);
        assert!(look() == before, "{args:?} changed something");
    }
}

#[test]
fn an_emptied_folder_deletes_nothing() {
    let home = Home::furnished();
    home.sync(&["--delete"]).expect(0);
    fs::rename(home.path("f"), home.path("elsewhere")).expect("renamed");
    home.sync(&["--delete"]).expect(4).says(&["is a disk not mounted"]);
    fs::create_dir(home.path("f")).expect("made");
    let stopped = home.sync(&["--delete", "--json"]).expect(5);
    assert_eq!(stopped.summary()["endings"][0], "safety-stop");
    home.sync(&["--delete"]).expect(5).says(&["stopped for safety"]);
    assert_eq!(home.run(&["ls", "folder:store"]).expect(0).out.lines().count(), 6);
}

#[test]
fn another_folder_in_its_place_is_not_taken_for_it() {
    let home = Home::furnished();
    home.sync(&["--delete"]).expect(0);
    fs::rename(home.path("f"), home.path("elsewhere")).expect("renamed");
    home.write("f/quite.txt", "another folder");
    home.sync(&["--delete"]).expect(5).says(&["--accept-root"]);
    home.sync(&["--delete", "--accept-root", "--confirm-deletes"]).expect(0);
}

#[test]
fn many_deletions_wait_for_a_word() {
    let home = Home::new();
    for number in 0..30 {
        home.write(&format!("f/{number}"), "x");
    }
    home.sync(&["--delete"]).expect(0);
    for number in 0..3 {
        fs::remove_file(home.path(&format!("f/{number}"))).expect("removed");
    }
    home.sync(&["--delete", "--max-delete", "2"]).expect(5).says(&["--max-delete 2"]);
    home.sync(&["--delete", "--max-delete", "3"]).expect(0).says(&["3 deleted there"]);
}

#[test]
fn sides_that_lie_in_each_other_are_refused() {
    let home = Home::furnished();
    for args in [
        &["sync", "f", "folder:f/store"][..],
        &["sync", "f/sub", "folder:f"],
        &["sync", "f", "folder:f"],
        &["sync", ".", "folder:store"],
        &["sync", "f", "folder:f/../f/sub/store"],
        &["sync", "f", "folder:state"],
    ] {
        home.run(args).expect(78);
    }
    assert!(!home.path("state").exists());
    // Through a link it is still the same place.
    std::os::unix::fs::symlink("f/sub", home.path("way-in")).expect("made");
    home.run(&["sync", "f", "folder:way-in/store"]).expect(78).says(&["lie in each other"]);
}

#[test]
fn the_state_is_private_and_outside() {
    let home = Home::synced();
    let mode = |path: &std::path::Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&home.path("state/tidelock")), 0o700);
    assert_eq!(mode(&home.path("state/tidelock/pairs")), 0o700);
    assert_eq!(mode(&home.state_file(".sqlite")), 0o600);
    assert_eq!(mode(&home.path("state/tidelock/device")), 0o600);
    let name = home.read("state/tidelock/device");
    home.sync(&[]).expect(0);
    assert_eq!(home.read("state/tidelock/device"), name, "a device keeps its name");
}

#[test]
fn one_device_mirrors_onto_a_place() {
    let home = Home::furnished();
    home.sync(&["--mirror"]).expect(0);
    let other = |more: &[&str]| {
        let mut command = home.command(&[&["sync", "f", "folder:store", "--mirror"], more].concat());
        crate::home::Ran::from(command.env("XDG_STATE_HOME", home.path("state2")).output().expect("runs"))
    };
    home.write("f/a.txt", "alpha, changed");
    other(&[]).expect(5).says(&["--take-over"]);
    other(&["--take-over"]).expect(0);
    home.write("f/a.txt", "alpha, changed again");
    home.sync(&["--mirror"]).expect(5);
}

/// Who writes the bucket could have any file of this machine sent to them.
#[test]
fn no_link_is_made_where_links_are_followed() {
    let home = Home::synced();
    fs::create_dir(home.path("g")).expect("made");
    let told = home.run(&["sync", "g", "folder:store", "--two-way", "--follow-links"]).expect(3);
    told.says(&["--follow-links"]);
    assert!(fs::symlink_metadata(home.path("g/link")).is_err(), "no link was made");
    assert_eq!(home.read("g/a.txt"), home.read("f/a.txt"));
}

/// However it goes: everything in the store stays as it was, who opened it last included.
#[test]
fn a_restore_does_not_write_the_store() {
    let home = Home::furnished();
    home.sync(&["--delete"]).expect(0);
    let before = bytes(&home.path("store"));
    home.run(&["restore", "folder:store", "g"]).expect(0);
    home.write("g/a.txt", "changed");
    home.run(&["restore", "folder:store", "g"]).expect(3);
    home.run(&["restore", "folder:store", "g", "--overwrite"]).expect(0);
    assert!(bytes(&home.path("store")) == before, "the store was changed");
}

#[test]
fn an_ignore_file_that_cannot_be_read_closes_its_folder() {
    let home = Home::furnished();
    home.write("f/sub/.tidelockignore", "secret\n");
    home.write("f/sub/secret", "not to be sent");
    home.sync(&["--delete"]).expect(0);
    let listed = home.run(&["ls", "folder:store"]).expect(0).out;
    fs::rename(home.path("f/sub/.tidelockignore"), home.path("rules")).expect("renamed");
    std::os::unix::fs::symlink(home.path("rules"), home.path("f/sub/.tidelockignore")).expect("linked");
    fs::remove_file(home.path("f/sub/b.txt")).expect("removed");
    home.sync(&["--delete"]).expect(3).says(&["sub", "its ignore file cannot be read"]);
    assert_eq!(home.run(&["ls", "folder:store"]).expect(0).out, listed);
    home.run(&["why", "f", "folder:store", "sub/secret"]).expect(1).says(&["sub/.tidelockignore", "cannot be read"]);
    fs::rename(home.path("f/sub/.tidelockignore"), home.path("f/.tidelockignore")).expect("renamed");
    home.sync(&["--delete"]).expect(1).says(&["the ignore file cannot be read"]);
}

/// The disk behind a link is not mounted: nothing of it was deleted.
#[test]
fn a_link_that_leads_nowhere_deletes_nothing() {
    let home = Home::furnished();
    home.write("disk/x", "on another disk");
    std::os::unix::fs::symlink(home.path("disk"), home.path("f/data")).expect("linked");
    home.sync(&["--delete", "--follow-links"]).expect(0);
    let listed = home.run(&["ls", "folder:store"]).expect(0).out;
    assert!(listed.contains("data/x"), "{listed}");
    fs::rename(home.path("disk"), home.path("away")).expect("renamed");
    for _ in 0..2 {
        home.sync(&["--delete", "--follow-links"]).expect(3).says(&["data", "leads nowhere"]);
        assert_eq!(home.run(&["ls", "folder:store"]).expect(0).out, listed);
    }
    fs::rename(home.path("away"), home.path("disk")).expect("renamed");
    home.sync(&["--delete", "--follow-links"]).expect(0);
}

/// A name that is no text.
fn unnamed(home: &Home, name: &[u8]) -> std::path::PathBuf {
    home.path("f").join(std::ffi::OsStr::from_bytes(name))
}

#[test]
fn a_socket_or_a_pipe_holds_no_deletion_up() {
    for mode in ["--delete", "--mirror", "--two-way"] {
        let home = Home::furnished();
        home.sync(&[mode]).expect(0);
        let _socket = std::os::unix::net::UnixListener::bind(home.path("f/socket")).expect("bound");
        fs::remove_file(home.path("f/a.txt")).expect("removed");
        home.sync(&[mode]).expect(3).says(&["1 deleted there", "socket"]);
    }
}

#[test]
fn what_is_here_under_a_name_that_cannot_be_stored_is_not_deleted_there() {
    for name in [b"\xff.bin".as_slice(), b"a.txt.rclonelink"] {
        for mode in ["--delete", "--mirror", "--two-way"] {
            let home = Home::furnished();
            home.sync(&[mode]).expect(0);
            fs::rename(home.path("f/a.txt"), unnamed(&home, name)).expect("renamed");
            fs::remove_file(home.path("f/empty.txt")).expect("removed");
            let told = ["1 deleted there", "1 entry that is gone here was left there", "rename it"];
            home.sync(&[mode]).expect(3).says(&told);
            home.run(&["cat", "folder:store/a.txt"]).expect(0);
            home.run(&["cat", "folder:store/empty.txt"]).expect(4);
            // What is excluded is gone for the pair, and for its remote.
            let excluded = if name[0] == 0xff { "?.bin" } else { "*.rclonelink" };
            home.sync(&[mode, "--exclude", excluded]).expect(0).says(&["1 deleted there"]);
        }
    }
}

#[test]
fn a_plan_deletes_nothing_there_while_a_folder_here_cannot_be_looked_at() {
    let home = Home::furnished();
    home.sync(&["--delete"]).expect(0);
    fs::remove_file(home.path("f/a.txt")).expect("removed");
    home.run(&["plan", "f", "folder:store", "--delete", "-o", "p"]).expect(0);
    // What is in it has names as well that no key can stand for.
    fs::create_dir(unnamed(&home, b"\xff")).expect("made");
    home.run(&["apply", "p"]).expect(3).says(&["1 entry that is gone here was left there"]);
    home.run(&["cat", "folder:store/a.txt"]).expect(0);
    home.run(&["plan", "f", "folder:store", "--delete", "-o", "p"]).expect(3);
    home.run(&["apply", "p"]).expect(0);
    home.sync(&["--delete"]).expect(3).says(&["1 entry that is gone here was left there"]);
    home.sync(&["--delete", "--confirm-deletes"]).expect(3).says(&["1 deleted there"]);
}
