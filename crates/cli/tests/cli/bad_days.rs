//! Bad input and bad days: a clear message, the right code, nothing lost.

use crate::home::{Home, Ran, tree};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::Stdio;

#[test]
fn what_is_missing_or_no_folder_is_named() {
    let home = Home::furnished();
    home.run(&["sync", "nowhere", "folder:store"]).expect(4).says(&[
        "nowhere",
        "does not exist",
        "nothing was changed",
    ]);
    home.run(&["sync", "f/a.txt", "folder:store"]).expect(4).says(&["f/a.txt", "not a folder"]);
    home.run(&["ls", "folder:nowhere"]).expect(4).says(&["nowhere", "no store", "sync"]);
    home.run(&["restore", "folder:nowhere", "g"]).expect(4).says(&["nowhere"]);
    assert!(!home.path("g").exists() && !home.path("store").exists());
    home.run(&["ls", "folder:f"]).expect(78).says(&["not a Tidelock store"]);
}

#[test]
fn what_cannot_be_synced_is_listed_and_the_rest_is_done() {
    let home = Home::furnished();
    let made = std::process::Command::new("mkfifo").arg(home.path("f/pipe")).status().expect("runs");
    assert!(made.success());
    fs::write(home.path("f").join(std::ffi::OsStr::from_bytes(b"bad\xff")), "x").expect("written");
    home.write("f/looks.rclonelink", "x");
    let ran = home.sync(&[]).expect(3).says(&["pipe", "neither a file", "looks.rclonelink", "6 entries sent"]);
    assert_eq!(ran.err.lines().filter(|line| line.starts_with("problem: ")).count(), 3, "{}", ran.err);
    let summary = home.sync(&["--json"]).expect(3).summary();
    assert_eq!(summary["endings"], serde_json::json!(["partial"]));
}

#[test]
fn names_cannot_act_on_the_terminal() {
    let home = Home::new();
    home.write("f/a\x1b[2J\nb", "x");
    let ran = home.sync(&["-v"]).expect(0);
    assert!(ran.out.contains("$'a\\u001b[2J\\nb'") && !ran.out.contains('\x1b'), "{:?}", ran.out);
}

#[test]
fn a_pair_in_use_is_waited_for_and_its_holder_named() {
    let home = Home::synced();
    let mut lock = fs::OpenOptions::new().write(true).open(home.state_file(".lock")).expect("opens");
    lock.lock().expect("locked");
    lock.set_len(0).expect("emptied");
    lock.write_all(br#"{"pid":4711,"command":"sync","since_ms":0}"#).expect("written");
    let patience = ["--lock-timeout", "200ms"];
    home.sync(&patience).expect(75).says(&["process 4711", "--lock-timeout"]);
    // Who only looks does not wait.
    home.sync(&["-n"]).expect(0);
    home.run(&["status", "f", "folder:store"]).expect(0);
    home.run(&["why", "f", "folder:store", "a.txt"]).expect(0);
    // Who waits goes on when it is let go.
    let mut command = home.command(&["sync", "f", "folder:store", "--lock-timeout", "60s"]);
    let mut waiting = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs");
    let mut said = String::new();
    BufReader::new(waiting.stderr.take().expect("piped")).read_line(&mut said).expect("readable");
    assert!(said.contains("process 4711") && said.contains("waiting for it up to 60 s"), "{said}");
    drop(lock);
    Ran::from(waiting.wait_with_output().expect("ends")).expect(0).says(&["6 unchanged"]);
}

#[test]
fn damage_deep_in_the_state_needs_nobody() {
    let home = Home::furnished();
    home.sync(&["--delete"]).expect(0);
    let file = home.state_file(".sqlite");
    let mut bytes = fs::read(&file).expect("read");
    // Whatever opens it reads the first page; the rows are further down.
    bytes[4096..].fill(0xa5);
    fs::write(&file, bytes).expect("written");
    home.sync(&["--delete"]).expect(1).says(&["run again", "is kept as"]);
    let before = tree(&home.path("f"));
    let ran = home.sync(&["--delete"]).expect(0).says(&["found the same"]);
    assert!(!ran.out.contains("sent") && !ran.out.contains("deleted"), "{}", ran.out);
    assert_eq!(tree(&home.path("f")), before);
}

#[test]
fn a_damaged_state_is_kept_and_built_anew() {
    let home = Home::furnished();
    home.sync(&["--delete"]).expect(0);
    let file = home.state_file(".sqlite");
    fs::write(&file, "this is no database, however long one looks at it ".repeat(200)).expect("written");
    home.sync(&["-n"]).expect(0).says(&["damaged"]);
    let ran = home.sync(&["--delete"]).expect(0).says(&["damaged", "kept as", "found the same"]);
    assert!(!ran.out.contains("sent") && !ran.out.contains("deleted"), "{}", ran.out);
    let kept = fs::read_dir(file.parent().expect("a folder")).expect("readable");
    assert!(kept.into_iter().any(|item| item.expect("an entry").file_name().to_string_lossy().contains(".corrupt-")));
    home.sync(&["--delete"]).expect(0).says(&["6 unchanged"]);
    // Without any state it is the same.
    fs::remove_dir_all(home.path("state")).expect("removed");
    let ran = home.sync(&["--delete"]).expect(0).says(&["found the same"]);
    assert!(!ran.out.contains("sent") && !ran.out.contains("deleted"), "{}", ran.out);
}

/// Its first page is whole, so it opens; the run finds out.
#[test]
fn a_state_damaged_in_the_middle_heals_too() {
    let home = Home::furnished();
    home.sync(&["--delete"]).expect(0);
    let file = home.state_file(".sqlite");
    let mut bytes = fs::read(&file).expect("readable");
    bytes[4096..].fill(0x5a);
    fs::write(&file, &bytes).expect("written");
    home.sync(&["--delete"]).expect(1).says(&["damaged", "kept as", "run again"]);
    let ran = home.sync(&["--delete"]).expect(0).says(&["found the same"]);
    assert!(!ran.out.contains("sent") && !ran.out.contains("deleted"), "{}", ran.out);
    home.sync(&["--delete"]).expect(0).says(&["6 unchanged"]);
}

#[test]
fn hard_links_are_mentioned_once() {
    let home = Home::furnished();
    fs::hard_link(home.path("f/a.txt"), home.path("f/another.txt")).expect("linked");
    let ran = home.sync(&[]).expect(0).says(&["2 names here belong to files that have others too"]);
    let told = format!("{}{}", ran.out, ran.err);
    assert_eq!(told.matches("hard links").count(), 1, "{told}");
}

#[test]
fn a_newer_state_is_refused_unchanged() {
    let home = Home::synced();
    let file = home.state_file(".sqlite");
    let mut bytes = fs::read(&file).expect("readable");
    // The user version of a SQLite file is at offset 60.
    bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
    fs::write(&file, &bytes).expect("written");
    home.sync(&[]).expect(78).says(&["newer Tidelock", "schema 99"]);
    home.sync(&["-n"]).expect(78);
    assert_eq!(fs::read(&file).expect("readable"), bytes);
}

#[test]
fn conflicts_are_reported_and_settled_by_a_word() {
    let home = Home::synced();
    home.write("g/a.txt", "another alpha");
    home.run(&["sync", "g", "folder:store"]).expect(6).says(&["conflict: a.txt", "--conflict"]);
    home.run(&["sync", "g", "folder:store", "-n"]).expect(6);
    home.run(&["sync", "g", "folder:store", "--conflict", "local"]).expect(0);
    home.run(&["restore", "folder:store", "h"]).expect(0);
    assert_eq!(tree(&home.path("h"))["a.txt"].split(' ').next_back(), Some("alpha"));
}

#[test]
fn without_a_home_the_state_has_no_place() {
    let home = Home::furnished();
    let mut command = home.command(&["sync", "f", "folder:store"]);
    let ran = Ran::from(command.env_remove("HOME").env_remove("XDG_STATE_HOME").output().expect("runs"));
    ran.expect(78).says(&["XDG_STATE_HOME"]);
}

#[test]
fn two_pairs_share_a_store_one_after_the_other() {
    let home = Home::furnished();
    for number in 0..200 {
        home.write(&format!("g/{number}"), "g");
        home.write(&format!("f/{number}.f"), "f");
    }
    let start = |folder: &str| {
        let mut command = home.command(&["sync", folder, "folder:store", "--lock-timeout", "60s"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs")
    };
    let both = [start("f"), start("g")];
    for child in both {
        Ran::from(child.wait_with_output().expect("ends")).expect(0);
    }
    assert_eq!(home.run(&["ls", "folder:store"]).expect(0).out.lines().count(), 406);
}

#[test]
fn what_a_store_has_lost_is_told_and_sent_again() {
    let home = Home::new();
    home.write("f/big", &"x".repeat(100_000));
    home.sync(&[]).expect(0);
    let lose = || {
        let bodies = tree(&home.path("store/bodies"));
        let body = bodies.keys().find(|name| home.path("store/bodies").join(name).is_file()).expect("a body");
        fs::remove_file(home.path("store/bodies").join(body)).expect("removed");
    };
    lose();
    home.sync(&["-n"]).expect(0).says(&["send 1 entry"]);
    home.run(&["restore", "folder:store", "f"]).expect(1).says(&["big", "lost its bytes"]);
    home.run(&["restore", "folder:store", "g"]).expect(1).says(&["big"]);
    home.sync(&["-q"]).expect(0);
    home.run(&["restore", "folder:store", "g"]).expect(0);
    assert_eq!(fs::read(home.path("g/big")).expect("restored").len(), 100_000);
}

#[test]
fn a_store_without_its_database_says_what_is_left() {
    let home = Home::new();
    home.write("f/big", &"x".repeat(100_000));
    home.sync(&[]).expect(0);
    let database = home.path("store/store.sqlite");
    let bytes = fs::read(&database).expect("readable");
    let before = tree(&home.path("store/bodies"));
    // Damaged behind its first page, and from its beginning.
    for from in [4096, 0] {
        let mut bad = bytes.clone();
        bad[from..].fill(0x5a);
        fs::write(&database, bad).expect("written");
        let code = if from == 0 { 78 } else { 1 };
        home.sync(&[]).expect(code).says(&[
            "store.sqlite",
            "damaged",
            &home.path("store").display().to_string(),
            "backup",
        ]);
    }
    fs::remove_file(&database).expect("removed");
    for args in [&["sync", "f", "folder:store"][..], &["sync", "f", "folder:store", "-n"], &["ls", "folder:store"]] {
        let ran = home.run(args).expect(78).says(&["database store.sqlite is missing", "backup", "bodies/"]);
        assert!(!ran.err.contains("not a Tidelock store"), "{}", ran.err);
    }
    assert_eq!(tree(&home.path("store/bodies")), before);
    fs::write(&database, bytes).expect("put back");
    home.sync(&[]).expect(0);
}

#[test]
fn a_store_that_is_a_file_is_a_wrong_setting() {
    let home = Home::furnished();
    home.write("plain", "x");
    home.run(&["sync", "f", "folder:plain"]).expect(78).says(&["plain", "is a file"]);
    home.run(&["ls", "folder:plain"]).expect(78).says(&["plain", "is a file"]);
    for args in [&["sync", "f", "folder:plain/below"][..], &["ls", "folder:plain/below"]] {
        home.run(args).expect(78).says(&["plain/below", "file stands where a folder is needed"]);
    }
}

#[test]
fn a_file_without_end_is_no_configuration() {
    let home = Home::furnished();
    home.run(&["config", "check", "--config", "/dev/zero"]).expect(78).says(&["longer than 16 MiB"]);
    home.sync(&["--ignore-file", "/dev/zero"]).says(&["longer than 16 MiB"]);
}
