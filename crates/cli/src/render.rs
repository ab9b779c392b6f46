//! Drawing what happens.
//!
//! A [`Face`] hears the run's events and is told its end; one draws for people,
//! one writes NDJSON. Nobody who reads too slowly, or has left, can hurt a run: a
//! pipe that is closed is written to no more. Output that could not be written
//! although somebody wanted it is told at the end, and makes it a failure.

mod json;
mod text;
mod words;

pub use words::{bytes, count, shown};

use crate::args::names::Names;
use crate::args::{Cli, Verb};
use crate::standard;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tidelock_engine::api::{Reply, Request};
use tidelock_engine::event::Listener;
use tidelock_engine::failure::Failure;
use tidelock_engine::report::Ending;
use tidelock_remote::world::World;

/// Someone who draws.
pub trait Face: Listener {
    /// The command was carried out, well or not.
    fn finished(&self, request: &Request, reply: &Reply, code: i32);
    /// The command could not be begun.
    fn refused(&self, command: &str, failure: &Failure, code: i32);
    /// A line of a story.
    fn narrate(&self, line: &str);
    /// Something went wrong.
    fn complain(&self, what: &str);
    /// The end of a story.
    fn closed(&self, command: &str, ending: Ending, code: i32);
    /// The command line was misunderstood, and nothing was begun.
    fn misused(&self, command: &str, complaint: &str);
    /// A signal was heard, and the run ends soon.
    fn stopping(&self);
    /// Why what was to be shown could not be.
    fn lost(&self) -> Option<String>;
    /// The same face as a listener.
    fn listener(self: Arc<Self>) -> Arc<dyn Listener>;
}

/// The face that was asked for.
pub fn choose(cli: &Cli, world: &World, names: Names) -> Arc<dyn Face> {
    if cli.json {
        return Arc::new(json::Json::new(world.clone(), names));
    }
    let long = match &cli.verb {
        Verb::Ls(args) => args.long,
        Verb::Buckets(args) => args.long,
        _ => false,
    };
    // A plan on standard output is there alone.
    let quiet = cli.quiet || matches!(&cli.verb, Verb::Plan(args) if args.output.as_os_str() == "-");
    let steps = cli.verbose || !matches!(&cli.verb, Verb::Plan(_));
    Arc::new(text::Text::new(text::Manner { quiet, verbose: cli.verbose, steps, long }, names, world))
}

/// What a person is told who has pressed Ctrl-C once.
const STOPPING: &str = "stopping: what is under way is finished, large uploads are given up; again to end at once";

/// A complaint that needs no face.
pub fn complain(what: &str) {
    // Whoever has closed stderr does not want to know.
    let _ = writeln!(io::stderr(), "error: {}", shown(what));
}

/// The same as events.
pub fn misused(command: &str, complaint: &str) {
    json::Json::new(World::real(), Names::default()).misused(command, complaint);
}

/// Standard output, until nobody reads it any more.
pub struct Out(Mutex<Pen>);

/// What writes, and why it no longer does.
pub struct Pen {
    /// Nothing where nobody reads it any more; an error before the first line is kept for it.
    stdout: Option<io::Result<io::Stdout>>,
    lost: Option<String>,
}

impl Pen {
    fn write(&mut self, line: &str) {
        let error = match self.stdout.take() {
            None => return,
            Some(Err(error)) => error,
            // Standard output is flushed at every line's end, so that nothing is left to fail later.
            Some(Ok(mut stdout)) => match writeln!(stdout, "{line}") {
                Ok(()) => return self.stdout = Some(Ok(stdout)),
                Err(error) => error,
            },
        };
        // Who has left is not waiting for anything.
        if error.kind() != io::ErrorKind::BrokenPipe {
            self.lost = Some(error.to_string());
        }
    }
}

impl Out {
    fn new() -> Self {
        Self(Mutex::new(Pen { stdout: Some(standard::output()), lost: None }))
    }

    fn lock(&self) -> MutexGuard<'_, Pen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a line.
    pub fn line(&self, line: &str) {
        self.lock().write(line);
    }

    /// Why lines could not be written that somebody wanted.
    pub fn lost(&self) -> Option<String> {
        self.lock().lost.clone()
    }
}
