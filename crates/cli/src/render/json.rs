//! NDJSON: one event per line on standard output, and nothing else there.
//!
//! Every line carries the schema's version, a number that grows by one and a time;
//! errors are events too, and the last line is always a `summary`. The schema is
//! docs/events.md; fields may be added without a new version.

use super::{Face, Out, STOPPING};
use crate::args::names::Names;
use crate::exit;
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tidelock_engine::api::{Reply, Request};
use tidelock_engine::event::{EVENT_VERSION, Event, Listener};
use tidelock_engine::failure::Failure;
use tidelock_engine::report::Ending;
use tidelock_remote::url;
use tidelock_remote::world::World;

/// Writes events.
pub struct Json {
    out: Out,
    world: World,
    names: Names,
    seq: AtomicU64,
}

impl Json {
    /// Begins at number 1.
    pub fn new(world: World, names: Names) -> Self {
        Self { out: Out::new(), world, names, seq: AtomicU64::new(0) }
    }

    fn write(&self, body: &impl Serialize) {
        let mut out = self.out.lock();
        // Numbered under the lock, so that lines come in the order of their numbers.
        let seq = self.seq.fetch_add(1, Ordering::Relaxed) + 1;
        let at_ms = self.world.clock.wall_ns() / 1_000_000;
        let line = serde_json::to_string(&Envelope { v: EVENT_VERSION, seq, at_ms, body });
        // Events hold nothing that JSON cannot: names are text, numbers are finite.
        let Ok(line) = line else { return };
        out.write(&without_logins(line));
    }
}

/// The same line, and nothing in its texts of what signs in; names of objects and files are
/// what they are.
fn without_logins(line: String) -> String {
    fn hide(value: &mut Value) {
        match value {
            Value::String(text) => *text = url::shown(text).into_owned(),
            Value::Array(values) => values.iter_mut().for_each(hide),
            Value::Object(fields) => {
                fields
                    .iter_mut()
                    .filter(|(name, _)| !NAMES.contains(&name.as_str()))
                    .for_each(|(_, value)| hide(value));
            }
            _ => {}
        }
    }
    if matches!(url::shown(&line), Cow::Borrowed(_)) {
        return line;
    }
    let Ok(mut value) = serde_json::from_str(&line) else { return line };
    hide(&mut value);
    value.to_string()
}

/// The fields that hold them.
const NAMES: [&str; 3] = ["key", "path", "from"];

#[derive(Serialize)]
struct Envelope<'a, T: Serialize> {
    v: u32,
    seq: u64,
    at_ms: i64,
    #[serde(flatten)]
    body: &'a T,
}

/// What this face adds to the engine's events.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Own<'a> {
    Error { ending: Ending, message: String },
    Summary { command: &'a str, exit: i32, endings: Vec<Ending>, reply: Option<&'a Reply> },
}

impl Listener for Json {
    fn hear(&self, event: &Event) {
        match event {
            Event::Note { text } => self.write(&Event::Note { text: self.names.said(text) }),
            event => self.write(event),
        }
    }
}

impl Face for Json {
    fn finished(&self, request: &Request, reply: &Reply, code: i32) {
        self.write(&Own::Summary { command: request.name(), exit: code, endings: reply.endings(), reply: Some(reply) });
    }

    fn refused(&self, command: &str, failure: &Failure, code: i32) {
        self.write(&Own::Error { ending: failure.ending(), message: self.names.said(&failure.told()) });
        let endings = vec![failure.ending()];
        self.write(&Own::Summary { command, exit: code, endings, reply: None });
    }

    fn narrate(&self, line: &str) {
        self.write(&Event::Note { text: line.trim_start().to_owned() });
    }

    fn closed(&self, command: &str, ending: Ending, code: i32) {
        let endings = Some(ending).filter(|ending| *ending != Ending::Ok);
        self.write(&Own::Summary { command, exit: code, endings: endings.into_iter().collect(), reply: None });
    }

    fn complain(&self, what: &str) {
        self.write(&Own::Error { ending: Ending::Failed, message: what.to_owned() });
    }

    fn misused(&self, command: &str, complaint: &str) {
        self.write(&Own::Error {
            ending: Ending::Usage,
            message: complaint.trim_start_matches("error: ").trim_end().to_owned(),
        });
        self.write(&Own::Summary { command, exit: exit::USAGE, endings: vec![Ending::Usage], reply: None });
    }

    /// Not on standard output, where it could come after the summary.
    fn stopping(&self) {
        let _ = writeln!(io::stderr(), "note: {STOPPING}");
    }

    fn lost(&self) -> Option<String> {
        self.out.lost()
    }

    fn listener(self: Arc<Self>) -> Arc<dyn Listener> {
        self
    }
}
