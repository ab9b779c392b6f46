//! Drawing what happens.
//!
//! A [`Face`] hears the run's events and is told its end; one draws for people,
//! one writes NDJSON. Nobody who reads too slowly, or has left, can hurt a run: a
//! pipe that is closed is written to no more.

mod json;
mod text;
mod words;

pub use words::{bytes, count, shown};

use crate::args::{Cli, Verb};
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tidelock_engine::api::{Reply, Request};
use tidelock_engine::event::Listener;
use tidelock_engine::failure::Failure;
use tidelock_remote::world::World;

/// Someone who draws.
pub trait Face: Listener {
    /// The command was carried out, well or not.
    fn finished(&self, request: &Request, reply: &Reply, code: i32);
    /// The command could not be begun.
    fn refused(&self, request: &Request, failure: &Failure, code: i32);
    /// A line of a story.
    fn narrate(&self, line: &str);
    /// Something went wrong.
    fn complain(&self, what: &str);
    /// The end of a story.
    fn closed(&self, command: &str, code: i32);
    /// The same face as a listener.
    fn listener(self: Arc<Self>) -> Arc<dyn Listener>;
}

/// The face that was asked for.
pub fn choose(cli: &Cli, world: &World) -> Arc<dyn Face> {
    if cli.json {
        return Arc::new(json::Json::new(world.clone()));
    }
    let long = matches!(&cli.verb, Verb::Ls(args) if args.long);
    // A plan on standard output is there alone.
    let quiet = cli.quiet || matches!(&cli.verb, Verb::Plan(args) if args.output.as_os_str() == "-");
    let steps = cli.verbose || !matches!(&cli.verb, Verb::Plan(_));
    Arc::new(text::Text::new(text::Manner { quiet, verbose: cli.verbose, steps, long }))
}

/// A complaint that comes before any face.
pub fn complain(what: &str) {
    // Whoever has closed stderr does not want to know.
    let _ = writeln!(io::stderr(), "error: {}", shown(what));
}

/// Standard output, until nobody reads it any more.
pub struct Out(Mutex<Option<io::Stdout>>);

impl Out {
    fn new() -> Self {
        Self(Mutex::new(Some(io::stdout())))
    }

    fn lock(&self) -> MutexGuard<'_, Option<io::Stdout>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a line.
    pub fn line(&self, line: &str) {
        Self::write(&mut self.lock(), line);
    }

    fn write(out: &mut Option<io::Stdout>, line: &str) {
        if let Some(stdout) = out
            && writeln!(stdout, "{line}").is_err()
        {
            *out = None;
        }
    }
}
