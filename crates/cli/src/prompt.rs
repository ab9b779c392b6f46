//! Asking a person for what must not be seen.
//!
//! Questions go to the terminal itself, so that pipes and `--json` do not meet them,
//! and what is typed is not shown. Where there is no terminal nobody is asked. With
//! `--secret-stdin` the secret key is the first line of standard input instead; a
//! passphrase never comes from there.

use crate::standard;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tidelock_engine::secrets::{Asker, Question, Secret};
use zeroize::Zeroizing;

/// No secret is longer, and what is never longer is never copied to be made so.
const MAX_BYTES: usize = 4096;
/// How often it is seen whether the person wants to end, in nanoseconds.
const LOOK_EVERY_NS: i64 = 50_000_000;

/// The terminal that shows nothing just now, and how it was before.
static UNSEEN: Mutex<Option<(File, Termios)>> = Mutex::new(None);

/// Asks at the terminal.
pub struct Prompt {
    /// The secret key is read from standard input.
    pub secret_stdin: bool,
    /// Set by Ctrl-C.
    pub interrupted: Arc<AtomicBool>,
}

impl Asker for Prompt {
    fn ask(&self, question: &Question) -> io::Result<Option<Secret>> {
        if self.secret_stdin && matches!(question, Question::SecretKey(_)) {
            // Not through the library's buffer, which would keep the secret and what follows it.
            let mut input = File::from(standard::input()?.as_fd().try_clone_to_owned()?);
            self.wait(&input)?;
            return line_of(&mut input).map(Some);
        }
        let Ok(mut terminal) = File::options().read(true).write(true).open("/dev/tty") else { return Ok(None) };
        match question {
            Question::SecretKey(profile) => {
                let profile: String = profile.chars().filter(|c| !c.is_control()).collect();
                self.typed(&mut terminal, &format!("Secret access key of the profile {profile}: "))
            }
            Question::Passphrase => self.typed(&mut terminal, "Passphrase of the encrypted file: "),
            Question::NewPassphrase => {
                let first = self.typed(&mut terminal, "New passphrase for the encrypted file: ")?;
                if self.typed(&mut terminal, "The same again: ")? != first {
                    return Err(io::Error::new(ErrorKind::InvalidInput, "the two passphrases differ"));
                }
                Ok(first)
            }
        }
        .map(Some)
    }
}

impl Prompt {
    /// What is typed after a question, unseen.
    fn typed(&self, terminal: &mut File, question: &str) -> io::Result<Secret> {
        let _unseen = Unseen::begin(terminal)?;
        terminal.write_all(question.as_bytes())?;
        self.wait(terminal)?;
        line_of(terminal)
    }

    /// Until a line was typed, or Ctrl-C.
    fn wait(&self, terminal: &File) -> io::Result<()> {
        let pause = Timespec { tv_sec: 0, tv_nsec: LOOK_EVERY_NS };
        loop {
            if self.interrupted.load(Ordering::Relaxed) {
                return Err(ErrorKind::Interrupted.into());
            }
            match poll(&mut [PollFd::new(terminal, PollFlags::IN)], Some(&pause)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Shows again what is typed, if it is not shown. Until what this gives is dropped, no
/// terminal is told to hide it: a process that ends at once must leave none so.
pub fn show() -> MutexGuard<'static, Option<(File, Termios)>> {
    let mut unseen = UNSEEN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((terminal, before)) = unseen.take() {
        // A terminal that has gone needs no repair.
        let _ = tcsetattr(terminal.as_fd(), OptionalActions::Now, &before);
    }
    unseen
}

/// A terminal that shows line ends alone, until this is dropped.
struct Unseen;

impl Unseen {
    fn begin(terminal: &File) -> io::Result<Self> {
        let mut hidden = show();
        let before = tcgetattr(terminal.as_fd())?;
        let mut unseen = before.clone();
        unseen.local_modes.remove(LocalModes::ECHO);
        unseen.local_modes.insert(LocalModes::ECHONL | LocalModes::ICANON);
        *hidden = Some((terminal.try_clone()?, before));
        // What was typed before the question is no answer to it.
        tcsetattr(terminal.as_fd(), OptionalActions::Flush, &unseen)?;
        Ok(Self)
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        drop(show());
    }
}

/// The first line, byte by byte: what follows it is somebody else's.
fn line_of(from: &mut impl Read) -> io::Result<Secret> {
    let mut line = Zeroizing::new(Vec::with_capacity(MAX_BYTES));
    let mut byte = [0];
    loop {
        match from.read(&mut byte) {
            Ok(0) => break,
            Ok(_) if byte[0] == b'\n' => break,
            Ok(_) if line.len() == MAX_BYTES => {
                return Err(io::Error::new(ErrorKind::InvalidInput, "the line is too long for a secret"));
            }
            Ok(_) => line.push(byte[0]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let text = std::str::from_utf8(&line).map_err(|_| io::Error::new(ErrorKind::InvalidInput, "it is not UTF-8"))?;
    Ok(Secret::new(text.trim_end_matches('\r').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_is_taken_and_the_rest_left() {
        let mut from = io::Cursor::new("first\r\nsecond\n");
        assert_eq!(line_of(&mut from).expect("a line").expose(), "first");
        assert_eq!(line_of(&mut from).expect("a line").expose(), "second");
        assert_eq!(line_of(&mut from).expect("the end").expose(), "");
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        assert!(line_of(&mut io::Cursor::new("x".repeat(MAX_BYTES + 1))).is_err());
        assert!(line_of(&mut io::Cursor::new([0xff, b'\n'])).is_err());
    }
}
