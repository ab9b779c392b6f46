//! For people: lines on standard output, trouble on standard error, progress on a
//! terminal alone.
//!
//! Colours only where a terminal shows them and `NO_COLOR` does not forbid them.
//! What the closing lines say is `text/summary.rs`.

mod batch;
mod config;
mod summary;

use super::words::{bytes, name, shown};
use super::{Face, Out};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;
use tidelock_core::plan::{Problem, Totals};
use tidelock_engine::api::{Reply, Request};
use tidelock_engine::event::{Event, Listener};
use tidelock_engine::failure::Failure;
use tidelock_engine::report::{Ending, Report};

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
    bar: ProgressBar,
    draws: bool,
    colour: bool,
}

impl Text {
    /// Looks at where it is shown.
    pub fn new(manner: Manner) -> Self {
        let terminal = io::stderr().is_terminal();
        let bar = ProgressBar::no_length();
        // Nothing is drawn before a run begins.
        bar.set_draw_target(ProgressDrawTarget::hidden());
        bar.set_style(style("{spinner} {msg} {elapsed}"));
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { out: Out::new(), manner, bar, draws: terminal && !manner.quiet, colour: terminal && !plain }
    }

    /// A line of what was asked for.
    fn say(&self, line: &str) {
        if !self.manner.quiet {
            self.bar.suspend(|| self.out.line(line));
        }
    }

    /// A line of trouble. Whoever has closed stderr does not want to know.
    fn warn(&self, word: &str, line: &str) {
        let word = if self.colour { format!("\x1b[1;31m{word}\x1b[0m") } else { word.to_owned() };
        self.bar.suspend(|| {
            let _ = writeln!(io::stderr(), "{word}: {line}");
        });
    }

    fn begin(&self, totals: &Totals) {
        self.bar.set_length(totals.upload_bytes + totals.download_bytes);
        if totals.upload_bytes + totals.download_bytes > 0 {
            self.bar.set_style(style("{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {msg}"));
        }
        self.bar.set_message("");
    }

    fn problem(&self, problem: &Problem) {
        let line = format!("{}: {}", name(&problem.path), shown(&problem.what));
        self.warn("problem", &line);
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are constants of this file; one that were wrong would only be plain.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Listener for Text {
    fn hear(&self, event: &Event) {
        match event {
            Event::RunStarted { local, remote, .. } => {
                self.bar.set_message(format!("looking at {} and {}", shown(local), shown(remote)));
                if self.draws {
                    self.bar.set_draw_target(ProgressDrawTarget::stderr());
                }
                self.bar.enable_steady_tick(Duration::from_millis(120));
            }
            Event::PairStarted { pair } => self.say(&format!("{}:", name(pair))),
            Event::Planned { totals } => self.begin(totals),
            Event::Progress { bytes } => self.bar.inc(*bytes),
            Event::Step { .. } if !self.manner.steps => {}
            Event::Step { action, path, bytes: size, from, row } => {
                let row = if self.manner.verbose { format!("  [{row}]") } else { String::new() };
                self.say(&format!("{}{row}", line(action, path, *size, from.as_deref())));
            }
            Event::Done { action, path, bytes: size, from, .. } if self.manner.verbose => {
                self.say(&line(action, path, *size, from.as_deref()));
            }
            Event::Done { .. } | Event::RunEnded { .. } => {}
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
            Event::Problem(problem) => self.problem(problem),
            Event::Note { text } if !self.manner.quiet => {
                self.bar.suspend(|| {
                    let _ = writeln!(io::stderr(), "note: {}", shown(text));
                });
            }
            Event::Note { .. } | Event::Stopped { .. } => {}
        }
    }
}

impl Face for Text {
    fn finished(&self, request: &Request, reply: &Reply, _code: i32) {
        self.bar.finish_and_clear();
        match reply {
            Reply::Run(run) => {
                self.say(&summary::run(request.name(), run));
                self.stopped(&run.report);
            }
            Reply::Status(status) => {
                summary::status(status).iter().for_each(|line| self.say(line));
                self.stopped(&status.run.report);
            }
            Reply::Ls(ls) if self.manner.long => self.say(&summary::ls(ls)),
            Reply::Ls(_) => {}
            Reply::Why(reasons) => summary::why(reasons).iter().for_each(|line| self.say(line)),
            Reply::Batch(reply) => {
                batch::stopped(reply).iter().for_each(|(ending, line)| self.warn(word(*ending), line));
                batch::lines(reply).iter().for_each(|line| self.say(line));
            }
            Reply::ConfigCheck(checked) => {
                checked.problems.iter().for_each(|problem| self.warn("error", &shown(&problem.to_string())));
                config::checked(checked).iter().for_each(|line| self.say(line));
            }
            Reply::ConfigShow(what) => config::shown(what).iter().for_each(|line| self.say(line)),
            Reply::ConfigPath(path) => self.say(&config::path(path)),
            Reply::ConfigSchema { schema } => config::schema(schema).iter().for_each(|line| self.say(line)),
        }
    }

    fn refused(&self, _command: &str, failure: &Failure, _code: i32) {
        self.bar.finish_and_clear();
        self.warn("error", &shown(&failure.told()));
    }

    fn narrate(&self, line: &str) {
        self.say(&shown(line));
    }

    fn closed(&self, _command: &str, _code: i32) {}

    fn complain(&self, what: &str) {
        self.warn("error", &shown(what));
    }

    fn misused(&self, _command: &str, complaint: &str) {
        self.warn("error", &shown(complaint));
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
        self.warn(word(report.ending()), &shown(reason));
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
