//! On a terminal: progress that keeps to its width, colours, and none of both elsewhere.

use crate::home::Home;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::process::{Command, Stdio};

/// A pseudo-terminal: our end, and the end that programs get.
fn terminal(columns: u16) -> (File, File) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo-terminal");
    grantpt(&ours).and_then(|()| unlockpt(&ours)).expect("ready");
    let name = ptsname(&ours, Vec::new()).expect("a name").into_string().expect("UTF-8");
    let theirs = OpenOptions::new().read(true).write(true).open(name).expect("opens");
    resize(&theirs, columns);
    (File::from(ours), theirs)
}

fn resize(terminal: &File, columns: u16) {
    let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(terminal, size).expect("resized");
}

/// Reads what a command draws until it has ended; half-way, `then` is called once.
fn drawn(mut command: Command, columns: u16, then: impl FnOnce(&File)) -> (i32, String) {
    let (mut ours, theirs) = terminal(columns);
    let mut child = command.env("TERM", "xterm").stdout(Stdio::piped()).stderr(theirs).spawn().expect("runs");
    // The command's own handles are with the child now. Once nobody holds the other end,
    // reading from ours fails.
    drop(command);
    let (mut text, mut buffer, mut then) = (Vec::new(), [0; 4096], Some(then));
    while let Ok(read) = ours.read(&mut buffer) {
        text.extend(&buffer[..read]);
        if text.windows(5).any(|window| window == b"MiB/s") {
            then.take().into_iter().for_each(|then| then(&ours));
        }
    }
    let code = child.wait().expect("ends").code().expect("no signal");
    (code, String::from_utf8_lossy(&text).into_owned())
}

/// The lines that were drawn, without what moves the cursor.
fn lines(text: &str) -> Vec<String> {
    let mut plain = String::new();
    let mut escape = false;
    for c in text.chars() {
        match (escape, c) {
            (false, '\x1b') => escape = true,
            (true, c) => escape = !c.is_ascii_alphabetic(),
            (false, c) => plain.push(c),
        }
    }
    plain.split(['\r', '\n']).map(|line| line.trim_end().to_owned()).filter(|line| !line.is_empty()).collect()
}

#[test]
fn progress_is_drawn_and_keeps_to_the_width() {
    let home = Home::new();
    home.write("f/odd\nname.bin", &"tide ".repeat(200_000));
    home.write("f/two.bin", &"lock ".repeat(400_000));
    let args = ["upload", "f", "folder:store/", "--bwlimit", "2MiB/s", "--concurrency", "1"];
    let (code, text) = drawn(home.command(&args), 120, |terminal| resize(terminal, 40));
    assert_eq!(code, 0, "{text}");
    let lines = lines(&text);
    let has = |what: &str| lines.iter().any(|line| line.contains(what));
    assert!(has("looking at"), "{lines:?}");
    assert!(has("of 2.9 MiB") && has("MiB/s") && has("left"), "bytes, rate and remaining time: {lines:?}");
    assert!(has("0/2 files") && has("$'f/odd\\nname.bin'"), "files and names: {lines:?}");
    assert!(lines.iter().all(|line| line.chars().count() <= 120), "{lines:?}");
    let narrow = lines.last().expect("drawn");
    assert!(narrow.chars().count() <= 40, "after the terminal became narrow: {narrow:?}");
    let last = text.rfind("files").expect("drawn");
    assert!(text[last..].contains("\x1b[2K"), "cleared away: {text:?}");
}

#[test]
fn quiet_draws_nothing_and_a_log_gets_no_escapes() {
    let home = Home::furnished();
    let (code, text) = drawn(home.command(&["upload", "f", "folder:store/", "--quiet"]), 80, |_| ());
    assert_eq!((code, text.as_str()), (0, ""));
    let ran = home.run(&["upload", "f", "folder:store/g/", "--bwlimit", "1KiB/s"]).expect(0);
    assert!(!ran.err.contains('\x1b') && !ran.out.contains('\x1b'), "{} {}", ran.out, ran.err);
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let home = Home::furnished();
    let wrong = ["rm", "folder:none/x"];
    let (code, text) = drawn(home.command(&wrong), 80, |_| ());
    assert_eq!(code, 4);
    assert!(text.contains("\x1b[1;31merror\x1b[0m"), "{text:?}");
    let mut plain = home.command(&wrong);
    plain.env("NO_COLOR", "1");
    let (code, text) = drawn(plain, 80, |_| ());
    assert_eq!(code, 4);
    assert!(text.starts_with("error: "), "{text:?}");
}
