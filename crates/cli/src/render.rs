//! Drawing what happens.
//!
//! A [`Face`] hears the run's events and is told its end; one draws for people,
//! one writes NDJSON. Nobody who reads too slowly, or has left, can hurt a run: a
//! pipe that is closed is written to no more.

mod json;
mod text;
mod words;

pub use words::shown;

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
    /// The same face as a listener.
    fn listener(self: Arc<Self>) -> Arc<dyn Listener>;
}

/// The face that was asked for.
pub fn choose(cli: &Cli, world: &World) -> Arc<dyn Face> {
    if cli.json {
        return Arc::new(json::Json::new(world.clone()));
    }
    let long = matches!(&cli.verb, Verb::Ls(args) if args.long);
    Arc::new(text::Text::new(text::Manner { quiet: cli.quiet, verbose: cli.verbose, long }))
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
