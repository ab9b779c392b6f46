//! Ctrl-C and SIGTERM in the middle of a run.
//!
//! A run whose events nobody reads stands still when the pipe is full, so that the
//! signal surely finds it under way.

use crate::home::{Home, tree};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// More than a pipe holds.
const PIPE_BYTES: usize = 1 << 16;

fn many(home: &Home) {
    for number in 0..1_000 {
        home.write(&format!("f/a folder with a rather long name to fill the pipe sooner/{number}"), "x");
    }
}

fn start(home: &Home) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut command = home.command(&["sync", "f", "folder:store", "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs");
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    while !line.contains("\"done\"") {
        line.clear();
        assert!(out.read_line(&mut line).expect("readable") > 0, "it ended before anything was done");
    }
    (child, out)
}

fn send(child: &Child, signal: &str) {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().expect("runs");
    assert!(sent.success());
}

#[test]
fn a_signal_ends_a_run_that_the_next_one_completes() {
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let home = Home::new();
        many(&home);
        let (mut child, mut out) = start(&home);
        send(&child, signal);
        // The run stands still meanwhile. That the signal was heard is said at once, whoever
        // reads the events or not; afterwards the run goes on and finds the word.
        let mut said = String::new();
        let mut err = BufReader::new(child.stderr.take().expect("piped"));
        err.read_line(&mut said).expect("readable");
        assert!(said.starts_with("note: stopping"), "{said}");
        let mut rest = String::new();
        out.read_to_string(&mut rest).expect("readable");
        assert_eq!(child.wait().expect("ends").code(), Some(code), "{rest}");
        let last = rest.lines().last().expect("a summary");
        assert!(last.contains("\"interrupted\"") && last.contains("the next run goes on"), "{last}");
        let next = home.sync(&["--json"]).expect(0).summary();
        let sent = next["reply"]["report"]["uploaded"].as_u64().expect("a number");
        assert!(sent > 0 && sent < 1_000, "{sent}");
        home.run(&["restore", "folder:store", "g"]).expect(0);
        assert_eq!(tree(&home.path("f")), tree(&home.path("g")));
    }
}

#[test]
fn the_second_signal_ends_the_process() {
    let home = Home::new();
    many(&home);
    let (mut child, _out) = start(&home);
    let code = loop {
        send(&child, "-INT");
        std::thread::sleep(Duration::from_millis(50));
        if let Some(status) = child.try_wait().expect("asked") {
            break status.code();
        }
    };
    assert_eq!(code, Some(130));
    home.sync(&[]).expect(0);
    home.sync(&[]).expect(0).says(&["1000 unchanged"]);
}

/// What lies in the folder where standard input waits to be sent.
fn taken_in(home: &Home) -> Vec<PathBuf> {
    let Ok(items) = std::fs::read_dir(home.path("state/tidelock/intake")) else { return Vec::new() };
    items.map(|item| item.expect("an entry").path()).filter(|path| path.is_dir()).collect()
}

/// An upload that has taken in a little and waits for more.
fn waiting_upload(home: &Home) -> Child {
    let mut command = home.command(&["upload", "-", "folder:store/in"]);
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs");
    child.stdin.as_mut().expect("piped").write_all(b"a little").expect("taken");
    let holds = |dir: &PathBuf| std::fs::read(dir.join("in")).is_ok_and(|bytes| bytes == b"a little");
    let deadline = Instant::now() + Duration::from_secs(60);
    while !taken_in(home).iter().any(holds) {
        assert!(child.try_wait().expect("asked").is_none(), "it ended");
        assert!(Instant::now() < deadline, "nothing was taken in");
        std::thread::sleep(Duration::from_millis(10));
    }
    child
}

/// One signal ends what waits for somebody to write, or to read.
#[test]
fn one_signal_ends_what_waits_on_a_pipe() {
    let home = Home::new();
    home.write("f/large", &"tide".repeat(500_000));
    home.run(&["upload", "f/large", "folder:store/"]).expect(0);
    let mut child = waiting_upload(&home);
    send(&child, "-INT");
    assert_eq!(child.wait().expect("ends").code(), Some(130));
    assert!(taken_in(&home).is_empty(), "nothing is left of it");
    for args in [&["cat", "folder:store/large"][..], &["download", "folder:store/large", "-"]] {
        let mut child = home.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs");
        let mut out = child.stdout.take().expect("piped");
        out.read_exact(&mut [0; 4]).expect("it writes");
        send(&child, "-INT");
        assert_eq!(child.wait().expect("ends").code(), Some(130), "{args:?}");
    }
    let mut child = home.command(&["apply", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs");
    // A pipe that is full no more is read from.
    let mut plan = child.stdin.take().expect("piped");
    plan.write_all(&vec![b'x'; PIPE_BYTES + 1]).expect("read by now");
    send(&child, "-INT");
    assert_eq!(child.wait().expect("ends").code(), Some(130));
}

/// Whoever waits for a plan has ears, also where its parent had none for Ctrl-C.
#[test]
fn a_signal_ends_what_waits_for_its_plan() {
    let home = Home::new();
    let tidelock = env!("CARGO_BIN_EXE_tidelock");
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        for begin in ["", "trap '' INT; "] {
            let mut command = home.command(&[]);
            let mut shell = Command::new("sh");
            shell.args(["-c", &format!("{begin}exec {tidelock} apply -")]).env_clear();
            shell.envs(command.stdin(Stdio::null()).get_envs().filter_map(|(name, value)| Some((name, value?))));
            let mut child = shell.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs");
            let mut plan = child.stdin.take().expect("piped");
            plan.write_all(&vec![b'x'; PIPE_BYTES + 1]).expect("read by now");
            send(&child, signal);
            assert_eq!(child.wait().expect("ends").code(), Some(code), "{signal} {begin}");
        }
    }
}

/// What a killed upload has taken in goes with the next one; what another is about to send
/// stays.
#[test]
fn what_a_killed_upload_took_in_is_cleared_away() {
    let home = Home::stored();
    let mut killed = waiting_upload(&home);
    send(&killed, "-KILL");
    killed.wait().expect("ends");
    assert_eq!(taken_in(&home).len(), 1);
    let mut child = waiting_upload(&home);
    assert_eq!(taken_in(&home).len(), 1, "the one that waits");
    home.run(&["upload", "f/sub/b.txt", "folder:store/"]).expect(0);
    child.stdin.take().expect("piped").write_all(b" and more").expect("taken");
    assert_eq!(child.wait().expect("ends").code(), Some(0));
    assert!(taken_in(&home).is_empty());
    assert_eq!(home.run(&["cat", "folder:store/in"]).expect(0).out, "a little and more");
}
