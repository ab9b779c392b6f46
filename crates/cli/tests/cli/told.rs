//! What is told is true, names the right path, and says it once.

use crate::home::{Home, Ran};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

fn lines<'a>(ran: &'a Ran, path: &str) -> Vec<&'a str> {
    let begins = format!("problem: {path}: ");
    ran.err.lines().filter(|line| line.starts_with(&begins)).collect()
}

#[test]
fn what_a_trusted_record_got_wrong_is_named_once_and_counted_once() {
    let home = Home::synced();
    // Another folder changes an object, and this one trusts its record.
    home.run(&["restore", "folder:store", "g"]).expect(0);
    home.write("g/a.txt", "of g");
    home.run(&["sync", "g", "folder:store"]).expect(0);
    home.write("f/a.txt", "of f, and longer");
    home.write("f/new.txt", "n");
    assert!(Command::new("mkfifo").arg(home.path("f/pipe")).status().expect("runs").success());
    let ran = home.sync(&["--remote-check", "state"]).expect(6);
    assert_eq!(lines(&ran, "pipe").len(), 1, "{}", ran.err);
    assert_eq!(ran.err.lines().filter(|line| line.starts_with("conflict: a.txt: ")).count(), 1, "{}", ran.err);
    assert!(ran.out.contains("1 entry sent (1 B), 5 unchanged, 1 conflict, 1 problem"), "{}", ran.out);
}

#[test]
fn a_plan_says_which_step_it_skipped() {
    let home = Home::synced();
    home.write("f/a.txt", "changed");
    home.write("f/sub/b.txt", "changed too");
    home.run(&["plan", "f", "folder:store", "-o", "p"]).expect(0);
    home.write("f/a.txt", "changed once more");
    let ran = home.run(&["apply", "p"]).expect(3);
    assert_eq!(lines(&ran, "a.txt").len(), 1, "{}", ran.err);
    let events = home.run(&["plan", "f", "folder:store", "-o", "p"]).expect(0);
    drop(events);
    home.sync(&[]).expect(0);
    home.run(&["apply", "p"]).expect(5).says(&["was synced since the plan was made"]);
}

#[test]
fn names_that_are_no_text_are_told_apart() {
    let home = Home::new();
    for name in [&b"bad\xff1"[..], b"bad\xff2", b"sub/\xc3"] {
        let path = home.path("f").join(std::ffi::OsStr::from_bytes(name));
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, "x").expect("written");
    }
    let ran = home.sync(&[]).expect(3);
    for path in ["bad\\xff1", "bad\\xff2", "sub/\\xc3"] {
        assert_eq!(lines(&ran, path).len(), 1, "{path}: {}", ran.err);
    }
}

#[test]
fn names_are_shown_as_a_shell_takes_them() {
    let home = Home::new();
    home.write("f/new\nline", "one");
    home.write("f/new\\nline", "two");
    home.sync(&[]).expect(0);
    let listed = home.run(&["ls", "folder:store"]).expect(0).out;
    assert_eq!(listed, "$'new\\nline'\nnew\\nline\n");
}

#[test]
fn why_knows_what_cannot_be_synced() {
    let home = Home::furnished();
    assert!(Command::new("mkfifo").arg(home.path("f/pipe")).status().expect("runs").success());
    home.write("f/x.rclonelink", "x");
    home.sync(&[]).expect(3);
    let why = |path: &str| home.run(&["why", "f", "folder:store", path]).expect(0);
    for (path, says) in [("pipe", "neither a file"), ("x.rclonelink", "ends in `.rclonelink`")] {
        let ran = why(path);
        assert!(ran.out.contains("problem: ") && ran.out.contains(says), "{}", ran.out);
        assert!(!ran.out.contains("not here"), "{}", ran.out);
    }
    let reply = home.run(&["why", "f", "folder:store", "pipe", "--json"]).expect(0).summary();
    assert!(reply["reply"]["problem"].is_string(), "{reply}");
    fs::create_dir(home.path("f/fresh")).expect("made");
    why("fresh").says(&["the folder here is sent"]);
    // What lies behind a file is nowhere; what cannot be looked at is not denied.
    fs::create_dir(home.path("f/locked")).expect("made");
    home.write("f/locked/l", "x");
    if let Some(ran) = crate::places::locked_out(&home, "f/locked", &["why", "f", "folder:store", "locked/l"]) {
        let ran = ran.expect(0);
        assert!(ran.out.contains("locked/l: ") && ran.out.contains("cannot be looked at"), "{}", ran.out);
    }
}

#[test]
fn moves_foresee_moves_alone() {
    let home = Home::synced();
    fs::rename(home.path("f/a.txt"), home.path("f/b.txt")).expect("renamed");
    home.write("f/new.txt", "new");
    let ran = home.run(&["moves", "f", "folder:store", "-n"]).expect(0);
    assert!(ran.out.contains("would: rename 1 there") && !ran.out.contains("send 1"), "{}", ran.out);
}

#[test]
fn the_guard_says_what_it_counted() {
    let home = Home::new();
    for number in 0..30 {
        home.write(&format!("f/{number}"), "x");
    }
    home.sync(&["--delete"]).expect(0);
    fs::remove_file(home.path("f/0")).expect("removed");
    home.sync(&["--delete"]).expect(0);
    fs::remove_file(home.path("f/1")).expect("removed");
    home.sync(&["--delete", "--max-delete", "1"]).expect(5).says(&["1 item would", "1 more was in the last hour"]);
    for number in 2..25 {
        fs::remove_file(home.path(&format!("f/{number}"))).expect("removed");
    }
    home.sync(&["--delete", "--max-delete", "50"]).expect(5).says(&["--max-delete does not lift this"]);
}

#[test]
fn a_limit_on_file_sizes_is_an_error_like_any_other() {
    let home = Home::new();
    home.write("f/small", "x");
    home.sync(&[]).expect(0);
    home.write("f/large", &"x".repeat(4 << 20));
    let mut command = Command::new("sh");
    let shell = home.command(&[]);
    command
        .current_dir(home.dir.path())
        .env_clear()
        .envs(shell.get_envs().filter_map(|(key, value)| Some((key, value?))));
    // In blocks of 512 bytes.
    let script = format!("ulimit -f 4096; exec {} sync f folder:store", env!("CARGO_BIN_EXE_tidelock"));
    let output = command.args(["-c", &script]).stdout(Stdio::piped()).stderr(Stdio::piped()).output().expect("runs");
    Ran::from(output).expect(75).says(&["large", "File too large", "make room"]);
    home.sync(&[]).expect(0).says(&["1 entry sent"]);
}

#[test]
fn help_lists_what_means_something() {
    let home = Home::new();
    for (verb, listed) in [("sync", true), ("apply", true), ("restore", false), ("moves", false)] {
        let help = home.run(&[verb, "--help"]).expect(0).out;
        assert_eq!(help.contains("--confirm-deletes"), listed, "{verb}");
        assert!(help.contains("--lock-timeout"), "{verb}");
    }
}
