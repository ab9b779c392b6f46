//! Where output goes: files that are replaced, and everything else, which never is.

use crate::home::{Home, Ran};
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::process::{Command, Stdio};

#[test]
fn a_plan_replaces_files_alone() {
    let home = Home::furnished();
    let plan = |to: &str| home.run(&["plan", "f", "folder:store", "-o", to]);
    // A link is followed, also one that leads to nothing yet.
    home.write("real/kept.plan", "an older one");
    std::os::unix::fs::symlink("real/kept.plan", home.path("link")).expect("made");
    std::os::unix::fs::symlink("link", home.path("link2")).expect("made");
    std::os::unix::fs::symlink("real/new.plan", home.path("dangling")).expect("made");
    for (link, file) in [("link2", "real/kept.plan"), ("dangling", "real/new.plan")] {
        plan(link).expect(0);
        assert!(home.path(link).is_symlink(), "{link}");
        assert!(home.read(file).starts_with("{\"tidelock_plan\""), "{file}");
    }
    // A device is written to; this one has no room.
    std::os::unix::fs::symlink("/dev/full", home.path("full")).expect("made");
    plan("full").expect(75).says(&["No space left"]);
    assert!(home.path("full").is_symlink());
    // Somebody reads the pipe.
    assert!(Command::new("mkfifo").arg(home.path("pipe")).status().expect("runs").success());
    let reader = Command::new("cat").arg(home.path("pipe")).stdout(Stdio::piped()).spawn().expect("runs");
    plan("pipe").expect(0);
    let read = reader.wait_with_output().expect("ends").stdout;
    assert!(read.starts_with(b"{\"tidelock_plan\""), "{}", String::from_utf8_lossy(&read));
    assert!(fs::metadata(home.path("pipe")).expect("there").file_type().is_fifo());
    plan("real").expect(2).says(&["cannot be written", "directory"]);
    let left = fs::read_dir(home.path("real")).expect("readable").count();
    assert_eq!(left, 2, "nothing unfinished is left");
}

#[test]
fn output_that_is_lost_is_a_failure() {
    let home = Home::synced();
    for args in [
        &["ls", "folder:store"][..],
        &["ls", "folder:store", "--json"],
        &["why", "f", "folder:store", "a.txt"],
        &["status", "f", "folder:store"],
        &["sync", "f", "folder:store"],
        &["--help"],
        &["sync", "--help"],
        &["--version"],
        &["man"],
        &["completions", "bash"],
        &["config", "schema"],
    ] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("there");
        let ran = Ran::from(home.command(args).stdout(full).stderr(Stdio::piped()).output().expect("runs"));
        ran.expect(1).says(&["the output could not be written", "No space left"]);
    }
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("there");
    let ran = Ran::from(home.command(&["sync", "none", "folder:store", "--json"]).stdout(full).output().expect("runs"));
    ran.expect(1);
}

/// Nothing that was closed is taken for empty, or for written.
#[test]
fn what_is_closed_is_not_used() {
    let home = Home::synced();
    let closed = |redirection: &str, args: &[&str]| {
        let mut shell = home.shell(&format!("exec \"$0\" \"$@\" {redirection}"));
        Ran::from(shell.args(args).output().expect("runs"))
    };
    closed("<&-", &["upload", "-", "folder:store/new"])
        .expect(2)
        .says(&["standard input cannot be read: it is closed"]);
    closed("<&-", &["apply", "-"]).expect(2).says(&["it is closed"]);
    for args in [&["cat", "folder:store/a.txt"][..], &["plan", "f", "folder:store"]] {
        closed(">&-", args).expect(2).says(&["standard output cannot be written: it is closed"]);
    }
    for args in [&["ls", "folder:store"][..], &["ls", "folder:store", "--json"], &["--help"], &["man"]] {
        closed(">&-", args).expect(1).says(&["the output could not be written: it is closed"]);
    }
    // Who says nothing needs no output, and what a person gave is as they gave it.
    closed(">&-", &["sync", "f", "folder:store", "--quiet"]).expect(0);
    closed("<>/dev/null >&0", &["cat", "folder:store/a.txt"]).expect(0);
    let listed = home.run(&["ls", "folder:store", "--path", "new"]).expect(0);
    assert_eq!(listed.out, "", "nothing was stored");
    closed("<>/dev/null", &["upload", "-", "folder:store/new"]).expect(0);
}

#[test]
fn whoever_reads_a_plan_may_leave() {
    let home = Home::furnished();
    for number in 0..700 {
        home.write(&format!("f/many/{number}"), "");
    }
    let mut command = home.command(&["plan", "f", "folder:store"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    drop(child.stdout.take());
    Ran::from(child.wait_with_output().expect("it ends")).expect(0);
}

#[test]
fn misuse_is_told_in_events_where_events_were_asked_for() {
    let home = Home::furnished();
    for (args, command, says) in [
        (&["--json", "--bogus"][..], "", "--bogus"),
        (&["sync", "f", "--json"], "sync", "REMOTE"),
        (&["plan", "f", "folder:store", "--json"], "plan", "-o"),
        (&["man", "--json"], "man", "into a folder"),
        (&["completions", "bash", "--json"], "completions", "without --json"),
    ] {
        let ran = home.run(args).expect(2);
        assert_eq!(ran.err, "", "{args:?}");
        let events = ran.events();
        assert_eq!(events[0]["event"], "error", "{args:?}");
        assert_eq!(events[0]["ending"], "usage", "{args:?}");
        assert!(events[0]["message"].as_str().is_some_and(|text| text.contains(says)), "{args:?}: {}", events[0]);
        let summary = ran.summary();
        assert_eq!(summary["command"], command, "{args:?}");
        assert_eq!(summary["endings"], serde_json::json!(["usage"]), "{args:?}");
    }
    let pages = home.run(&["man", "pages", "--json"]).expect(0);
    assert_eq!((pages.summary()["command"].as_str(), pages.summary()["exit"].as_i64()), (Some("man"), Some(0)));
    // After a double dash it is a name like any other.
    assert_eq!(home.run(&["sync", "--", "--json"]).expect(2).out, "");
}
