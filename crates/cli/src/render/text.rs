//! For people: lines on standard output, trouble on standard error, progress on a
//! terminal alone.
//!
//! Colours only where a terminal shows them and `NO_COLOR` does not forbid them.
//! What the closing lines say is `text/summary.rs`.

mod batch;
mod config;
mod objects;
mod profiles;
mod progress;
mod summary;

use super::words::{bytes, name, shown};
use super::{Face, Out, STOPPING};
use crate::args::names::Names;
use progress::{Progress, Shown};
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use tidelock_core::plan::Problem;
use tidelock_engine::api::{Reply, Request, Verdict};
use tidelock_engine::event::{Event, Listener};
use tidelock_engine::failure::Failure;
use tidelock_engine::report::{Ending, Report};
use tidelock_remote::world::World;

/// How much is said.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// Only what went wrong.
    pub quiet: bool,
    /// Every file.
    pub verbose: bool,
    /// The steps of a plan.
    pub steps: bool,
    /// Listings with size and time.
    pub long: bool,
}

/// Draws for people.
pub struct Text {
    out: Out,
    manner: Manner,
    names: Names,
    progress: Progress,
    colour: bool,
}

impl Text {
    /// Looks at where it is shown.
    pub fn new(manner: Manner, names: Names, world: &World) -> Self {
        let terminal = io::stderr().is_terminal();
        let shown = match (manner.quiet, terminal) {
            (true, _) => Shown::Not,
            (false, true) => Shown::Drawn,
            (false, false) => Shown::Flat,
        };
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let progress = Progress::new(shown, world.clone());
        Self { out: Out::new(), manner, names, progress, colour: terminal && !plain }
    }

    /// A line of what was asked for.
    fn say(&self, line: &str) {
        if !self.manner.quiet {
            self.progress.suspend(|| self.out.line(line));
        }
    }

    /// A line of trouble. Whoever has closed stderr does not want to know.
    fn warn(&self, word: &str, line: &str) {
        let word = if self.colour { format!("\x1b[1;31m{word}\x1b[0m") } else { word.to_owned() };
        self.progress.suspend(|| {
            let _ = writeln!(io::stderr(), "{word}: {line}");
        });
    }

    fn problem(&self, problem: &Problem) {
        let line = format!("{}: {}", name(&problem.path), shown(&problem.what));
        self.warn("problem", &line);
    }
}

impl Listener for Text {
    fn hear(&self, event: &Event) {
        match event {
            Event::RunStarted { local, remote, .. } => {
                let sides: Vec<String> =
                    [local, remote].into_iter().filter(|side| !side.is_empty()).map(|side| shown(side)).collect();
                self.progress.looking(format!("looking at {}", sides.join(" and ")));
            }
            Event::Planned { totals } => self.progress.planned(totals),
            Event::Began { path, .. } => self.progress.began(path),
            Event::Progress { bytes } => {
                if let Some(line) = self.progress.moved(*bytes) {
                    let _ = writeln!(io::stderr(), "{line}");
                }
            }
            Event::PairStarted { pair } => self.say(&format!("{}:", name(pair))),
            Event::Step { .. } if !self.manner.steps => {}
            Event::Step { action, path, bytes: size, from, row } => {
                let row = if self.manner.verbose { format!("  [{row}]") } else { String::new() };
                self.say(&format!("{}{row}", line(action, path, *size, from.as_deref())));
            }
            Event::Done { action, path, bytes: size, from, .. } => {
                self.progress.over(path, matches!(action.as_str(), "upload" | "download" | "move"));
                if self.manner.verbose {
                    self.say(&line(action, path, *size, from.as_deref()));
                }
            }
            Event::RunEnded { .. } => {}
            Event::Conflict { path, .. } => {
                let line = format!(
                    "{}: changed on both sides; nothing was written (--conflict tells which is to win)",
                    name(path)
                );
                self.warn("conflict", &line);
            }
            Event::Object { key, bytes: size, modified_s, storage_class, archived, .. } => {
                if self.manner.long {
                    let time = modified_s.map_or_else(|| "-".to_owned(), |at| super::words::moment(at * 1000));
                    let class = storage_class.as_deref().unwrap_or(if *archived { "archived" } else { "" });
                    self.say(format!("{:>12}  {time:19}  {}  {}", size, name(key), shown(class)).trim_end());
                } else {
                    self.say(&name(key));
                }
            }
            Event::Problem(problem) => {
                self.progress.over(&problem.path, false);
                self.problem(problem);
            }
            Event::Note { text } if !self.manner.quiet => {
                self.progress.suspend(|| {
                    let _ = writeln!(io::stderr(), "note: {}", shown(&self.names.said(text)));
                });
            }
            Event::Note { .. } | Event::Stopped { .. } => {}
        }
    }
}

impl Face for Text {
    fn finished(&self, request: &Request, reply: &Reply, _code: i32) {
        self.progress.end();
        match reply {
            Reply::Run(run) => {
                self.say(&summary::run(request.name(), run));
                self.stopped(&run.report);
            }
            Reply::Status(status) => {
                summary::status(status).iter().for_each(|line| self.say(line));
                self.stopped(&status.run.report);
            }
            Reply::Ls(ls) => {
                if self.manner.long {
                    self.say(&summary::ls(ls));
                }
                if ls.more {
                    self.hear(&Event::Note {
                        text: "there is more than --limit shows; --offset passes over these".to_owned(),
                    });
                }
            }
            Reply::Why(reasons) => summary::why(reasons).iter().for_each(|line| self.say(line)),
            Reply::Batch(reply) => {
                batch::stopped(reply).iter().for_each(|(ending, line)| self.warn(word(*ending), line));
                batch::lines(reply).iter().for_each(|line| self.say(line));
            }
            Reply::ConfigCheck(checked) => {
                checked.problems.iter().for_each(|problem| self.warn("error", &shown(&problem.to_string())));
                checked.warnings.iter().for_each(|problem| self.warn("warning", &shown(&problem.to_string())));
                config::checked(checked).iter().for_each(|line| self.say(line));
            }
            Reply::ConfigShow(what) => config::shown(what).iter().for_each(|line| self.say(line)),
            Reply::ConfigPath(path) => config::path(path).iter().for_each(|line| self.say(line)),
            Reply::Profile(reply) => {
                profiles::profiles(reply).iter().for_each(|line| self.say(line));
                profiles::error(reply).iter().for_each(|error| self.warn("error", error));
            }
            Reply::SetSecret(reply) => self.say(&profiles::secret(reply)),
            Reply::Import(reply) => {
                profiles::import(reply, io::stdout().is_terminal()).iter().for_each(|line| self.say(line));
                profiles::notes(reply).iter().for_each(|line| self.warn("note", line));
            }
            Reply::ConfigSchema { schema } => config::schema(schema).iter().for_each(|line| self.say(line)),
            Reply::Info(info) => objects::info(info).iter().for_each(|line| self.say(line)),
            Reply::Cat(_) => {}
            Reply::Buckets(reply) => objects::buckets(reply, self.manner.long).iter().for_each(|line| self.say(line)),
            Reply::Runs(reply) => objects::runs(reply).iter().for_each(|line| self.say(line)),
            Reply::Doctor(reply) => {
                objects::doctor(reply).iter().for_each(|line| self.say(line));
                let bad = reply.findings.iter().filter(|finding| finding.verdict == Verdict::Bad);
                // Who wants to hear of trouble alone hears of it where trouble is told.
                bad.filter(|_| self.manner.quiet).for_each(|finding| self.warn(&finding.check, &shown(&finding.what)));
            }
        }
    }

    fn refused(&self, _command: &str, failure: &Failure, _code: i32) {
        self.progress.end();
        self.warn("error", &shown(&self.names.said(&failure.told())));
    }

    fn narrate(&self, line: &str) {
        self.say(&shown(line));
    }

    fn closed(&self, _command: &str, _ending: Ending, _code: i32) {}

    fn complain(&self, what: &str) {
        self.warn("error", &shown(what));
    }

    fn misused(&self, _command: &str, complaint: &str) {
        self.warn("error", &shown(complaint));
    }

    fn stopping(&self) {
        self.hear(&Event::Note { text: STOPPING.to_owned() });
    }

    fn lost(&self) -> Option<String> {
        self.out.lost()
    }

    fn listener(self: Arc<Self>) -> Arc<dyn Listener> {
        self
    }
}

impl Text {
    fn stopped(&self, report: &Report) {
        let Some(reason) = &report.stopped else { return };
        self.warn(word(report.ending()), &shown(&self.names.said(reason)));
    }
}

/// What an early end is called.
fn word(ending: Ending) -> &'static str {
    match ending {
        Ending::SafetyStop => "stopped for safety",
        Ending::Interrupted => "stopped",
        _ => "error",
    }
}

/// One step, planned or done.
fn line(action: &str, path: &str, size: u64, from: Option<&str>) -> String {
    let size = if size > 0 { format!(" ({})", bytes(size)) } else { String::new() };
    match from {
        Some(from) => format!("{action:13} {} -> {}", name(from), name(path)),
        None => format!("{action:13} {}{size}", name(path)),
    }
}
