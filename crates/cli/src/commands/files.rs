//! Where plans come from and go to.
//!
//! A plan is written beside its file and takes its name when it is complete, so
//! that a run that fails never leaves half a plan, nor harms an older one.

use crate::args::Verb;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

/// What a command reads and writes beside its events.
pub struct Streams {
    /// A plan to be written.
    pub output: Box<dyn Write + Send>,
    /// A plan to be read.
    pub input: Box<dyn BufRead + Send>,
}

impl Streams {
    /// Those of a verb, or a complaint.
    pub fn of(verb: &Verb, json: bool) -> Result<Self, String> {
        let mut streams = Self { output: Box::new(io::sink()), input: Box::new(io::empty()) };
        let is_dash = |path: &Path| path.as_os_str() == "-";
        match verb {
            Verb::Plan(args) if is_dash(&args.output) && json => {
                return Err("both --json and the plan would go to standard output; give the plan a file with -o".into());
            }
            Verb::Plan(args) if is_dash(&args.output) => streams.output = Box::new(BufWriter::new(io::stdout())),
            Verb::Plan(args) => streams.output = Box::new(PlanFile::new(&args.output)?),
            Verb::Apply(args) if is_dash(&args.file) => streams.input = Box::new(BufReader::new(io::stdin())),
            Verb::Apply(args) => {
                let file = File::open(&args.file)
                    .map_err(|error| format!("the plan {} cannot be read: {error}", args.file.display()))?;
                streams.input = Box::new(BufReader::new(file));
            }
            _ => {}
        }
        Ok(streams)
    }
}

/// A file that appears when it is flushed, which is once, at its end.
struct PlanFile {
    path: PathBuf,
    unfinished: PathBuf,
    file: BufWriter<File>,
}

impl PlanFile {
    fn new(path: &Path) -> Result<Self, String> {
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(format!(".unfinished-{}", std::process::id()));
        let unfinished = PathBuf::from(unfinished);
        let file = File::create(&unfinished)
            .map_err(|error| format!("the plan {} cannot be written: {error}", path.display()))?;
        Ok(Self { path: path.to_owned(), unfinished, file: BufWriter::new(file) })
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
