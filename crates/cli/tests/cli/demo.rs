//! The demonstration, in its own folder and in a copy of another.

use crate::home::{Home, tree};
use std::fs;
use std::os::unix::ffi::OsStrExt;

#[test]
fn it_passes_and_leaves_nothing_behind() {
    let home = Home::new();
    fs::create_dir(home.path("tmp")).expect("made");
    let mut command = home.command(&["demo"]);
    let ran = crate::home::Ran::from(command.env("TMPDIR", home.path("tmp")).output().expect("runs")).expect(0);
    assert!(ran.out.contains("without sending"), "{}", ran.out);
    assert!(ran.out.lines().last().is_some_and(|line| line.starts_with("Demo passed: ")), "{}", ran.out);
    assert_eq!(fs::read_dir(home.path("tmp")).expect("readable").count(), 0);
    assert!(!home.path("state").exists(), "its state is its own");
}

#[test]
fn a_folder_that_is_given_is_left_alone() {
    for furnished in [true, false] {
        let home = if furnished { Home::furnished() } else { Home::new() };
        fs::create_dir(home.path("tmp")).expect("made");
        let before = tree(&home.path("f"));
        let mut command = home.command(&["demo", "f", "--keep"]);
        let ran = crate::home::Ran::from(command.env("TMPDIR", home.path("tmp")).output().expect("runs"));
        ran.expect(0).says(&["Demo passed", "kept in"]);
        assert_eq!(tree(&home.path("f")), before);
        assert_eq!(fs::read_dir(home.path("tmp")).expect("readable").count(), 1);
    }
    let home = Home::furnished();
    assert!(std::process::Command::new("mkfifo").arg(home.path("f/sub/pipe")).status().expect("runs").success());
    fs::write(home.path("f").join(std::ffi::OsStr::from_bytes(b"bad\xff")), "x").expect("written");
    home.write("f/sub/x.rclonelink", "x");
    home.run(&["demo", "f"]).expect(0).says(&["3 entries left out", "Demo passed"]);
    home.run(&["demo", "nowhere"]).expect(4).says(&["nowhere", "does not exist"]);
    home.run(&["demo", "f/a.txt"]).expect(4).says(&["is not a folder"]);
    let events = home.run(&["demo", "nowhere", "--json"]).expect(4).events();
    assert_eq!(events[0]["ending"], "not-found", "{events:?}");
    assert_eq!(events[1]["endings"][0], "not-found", "{events:?}");
}

/// A copy into itself would fill the disk.
#[test]
fn a_folder_that_holds_the_temporary_one_is_refused() {
    let home = Home::furnished();
    home.write("f/tmp/own.txt", "own");
    let mut command = home.command(&["demo", "f"]);
    let ran = crate::home::Ran::from(command.env("TMPDIR", home.path("f/tmp")).output().expect("runs"));
    ran.expect(78).says(&["which lies in it", "TMPDIR"]);
    assert_eq!(std::fs::read_dir(home.path("f/tmp")).expect("a folder").count(), 1, "nothing is left behind");
}
