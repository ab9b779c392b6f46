//! Where plans come from and go to.
//!
//! A plan is written beside its file and takes its name when it is complete, so
//! that a run that fails never leaves half a plan, nor harms an older one. That is
//! for plain files alone: a link is followed, and what is no file, a pipe or a
//! device, is written to and never replaced.

use super::patient::Patient;
use crate::args::Verb;
use crate::args::whom::{Complaint, unreadable};
use crate::standard;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tidelock_core::path::TEMP_PREFIX;
use tidelock_core::plan::{Header, LINE_MAX_BYTES};

/// So many links lead on from one another, at most.
const LINKS_MAX: u32 = 40;

/// What a command reads and writes beside its events.
pub struct Streams {
    /// A plan to be written.
    pub output: Box<dyn Write + Send>,
    /// A plan to be read.
    pub input: Box<dyn BufRead + Send>,
}

impl Streams {
    /// The header of the plan that is read, if it is one; all of it is read again by whoever
    /// carries it out, and complained of there.
    pub fn header(&mut self) -> Option<Header> {
        let mut line = Vec::new();
        let read = self.input.by_ref().take(LINE_MAX_BYTES).read_until(b'\n', &mut line);
        let header = serde_json::from_slice(&line).ok();
        let rest = std::mem::replace(&mut self.input, Box::new(io::empty()));
        // What was read before an error is still there; the error will come again.
        self.input = Box::new(BufReader::new(io::Cursor::new(line).chain(rest)));
        read.ok().and(header)
    }

    /// Those of a verb, or a complaint.
    pub fn of(verb: &Verb, json: bool, interrupted: &Arc<AtomicBool>) -> Result<Self, Complaint> {
        if let Verb::Apply(args) = verb
            && args.file.as_os_str() != "-"
        {
            let unread = |error| unreadable(&format!("the plan {}", args.file.display()), &error);
            let input = File::open(&args.file).map_err(unread)?;
            if input.metadata().map_err(unread)?.is_dir() {
                let what = format!("{} is a folder, and a plan is a file", args.file.display());
                let how = "`tidelock plan LOCAL REMOTE -o FILE` writes one, and `tidelock sync` needs none";
                return Err(Complaint::Misused(format!("{what}; {how}")));
            }
            return Ok(Self { output: Box::new(io::sink()), input: Box::new(BufReader::new(input)) });
        }
        Self::of_others(verb, json, interrupted).map_err(Complaint::Misused)
    }

    fn of_others(verb: &Verb, json: bool, interrupted: &Arc<AtomicBool>) -> Result<Self, String> {
        let mut streams = Self { output: Box::new(io::sink()), input: Box::new(io::empty()) };
        let is_dash = |path: &Path| path.as_os_str() == "-";
        match verb {
            Verb::Plan(args) if is_dash(&args.output) && json => {
                return Err("both --json and the plan would go to standard output; give the plan a file with -o".into());
            }
            Verb::Plan(args) if is_dash(&args.output) => {
                streams.output = Box::new(Leavable::new(output(interrupted)?));
            }
            Verb::Plan(args) => {
                streams.output = plan_file(&args.output)
                    .map_err(|error| format!("the plan {} cannot be written: {error}", args.output.display()))?;
            }
            Verb::Apply(_) => streams.input = input(interrupted)?,
            Verb::Man(args) if args.dir.is_none() && json => {
                return Err("the page is no event; write the pages into a folder, or leave --json out".into());
            }
            Verb::Completions(_) if json => return Err("a script is no event; ask for it without --json".into()),
            // What these write or read goes on for as long as it likes.
            Verb::Cat(_) => streams.output = Self::shown(json, interrupted)?,
            Verb::Download(args) if is_dash(&args.local) => streams.output = Self::shown(json, interrupted)?,
            Verb::Upload(args) if args.files.iter().any(|file| is_dash(file)) => {
                streams.input = input(interrupted)?;
            }
            _ => {}
        }
        Ok(streams)
    }
}

impl Streams {
    /// Standard output for bytes, which no event may stand between.
    fn shown(json: bool, interrupted: &Arc<AtomicBool>) -> Result<Box<dyn Write + Send>, String> {
        if json {
            return Err("both --json and the object would go to standard output; download it to a file".into());
        }
        Ok(Box::new(BufWriter::with_capacity(1 << 16, output(interrupted)?)))
    }
}

fn input(interrupted: &Arc<AtomicBool>) -> Result<Box<dyn BufRead + Send>, String> {
    let input = standard::input().and_then(|input| Patient::new(&input, interrupted));
    Ok(Box::new(BufReader::new(input.map_err(|error| format!("standard input cannot be read: {error}"))?)))
}

fn output(interrupted: &Arc<AtomicBool>) -> Result<Patient, String> {
    let output = standard::output().and_then(|output| Patient::new(&output, interrupted));
    output.map_err(|error| format!("standard output cannot be written: {error}"))
}

fn plan_file(path: &Path) -> io::Result<Box<dyn Write + Send>> {
    let path = followed(path)?;
    match fs::symlink_metadata(&path) {
        Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(found) if !found.is_file() => {
            let file = OpenOptions::new().write(true).open(&path)?;
            Ok(Box::new(Leavable::new(file)))
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(Box::new(PlanFile::new(path)?)),
    }
}

/// Where a path leads to; the last name need not exist.
fn followed(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        match fs::read_link(&path) {
            Ok(target) => path = path.parent().unwrap_or_else(|| Path::new("")).join(target),
            // Not a link, or nothing: this is the place.
            Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::NotFound) => {
                return Ok(path);
            }
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("too many symbolic links lead on from one another"))
}

/// A stream whose reader may leave early: what it does not want is dropped.
struct Leavable<W: Write> {
    stream: BufWriter<W>,
    left: bool,
}

impl<W: Write> Leavable<W> {
    fn new(stream: W) -> Self {
        Self { stream: BufWriter::new(stream), left: false }
    }

    fn unless_left<T>(&mut self, done: io::Result<T>, instead: T) -> io::Result<T> {
        match done {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.left = true;
                Ok(instead)
            }
            done => done,
        }
    }
}

impl<W: Write> Write for Leavable<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.left {
            return Ok(bytes.len());
        }
        let written = self.stream.write(bytes);
        self.unless_left(written, bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.left {
            return Ok(());
        }
        let flushed = self.stream.flush();
        self.unless_left(flushed, ())
    }
}

/// A file that appears when it is flushed, which is once, at its end.
struct PlanFile {
    path: PathBuf,
    unfinished: PathBuf,
    file: BufWriter<File>,
}

impl PlanFile {
    fn new(path: PathBuf) -> io::Result<Self> {
        // A name that no sync takes part in: the plan may lie in the folder it is about.
        let mut name = OsString::from(TEMP_PREFIX);
        name.push(format!("plan-{}-", std::process::id()));
        name.push(path.file_name().unwrap_or_default());
        let unfinished = path.with_file_name(name);
        let file = OpenOptions::new().write(true).create_new(true).open(&unfinished)?;
        Ok(Self { path, unfinished, file: BufWriter::new(file) })
    }
}

impl Write for PlanFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        fs::rename(&self.unfinished, &self.path)
    }
}

impl Drop for PlanFile {
    fn drop(&mut self) {
        // Nothing is there if it was finished.
        let _ = fs::remove_file(&self.unfinished);
    }
}
