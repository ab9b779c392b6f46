//! How far a run has got.
//!
//! On a terminal a line that is drawn over and over, as wide as the terminal is at that
//! moment: bytes, rate, what is left, files, and what is moving now. Elsewhere a plain
//! line now and then, so that the log of a long run is not silent. It counts what events
//! say and knows nothing else.

use crate::render::words::{bytes, count, duration, name};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rustix::termios::tcgetwinsize;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tidelock_core::plan::Totals;
use tidelock_remote::world::World;

/// How often a line is written where nothing can be drawn.
const FLAT_EVERY_NS: u64 = 30_000_000_000;
/// Before that, a rate would be that of the first few bytes.
const RATE_AFTER_MS: u64 = 200;
/// What a file is worth beside its bytes: many small ones take their time, too.
const FILE_BYTES: u64 = 64 << 10;
/// A narrower terminal has no room for a bar.
const BAR_COLUMNS: u16 = 40;
/// The line while nobody knows how much there is to do.
const LOOKING: &str = "{spinner} {wide_msg} {elapsed}";
/// So many names fit beside the numbers.
const NAMES_SHOWN: usize = 2;
/// More names than transfers could be under way are not remembered.
const NAMES_KEPT: usize = 2048;

/// Where progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Nowhere.
    Not,
    /// Line by line.
    Flat,
    /// Drawn over.
    Drawn,
}

/// The progress of one command.
pub struct Progress {
    bar: ProgressBar,
    shown: Shown,
    world: World,
    count: Mutex<Count>,
}

/// What was counted so far.
#[derive(Debug, Default)]
struct Count {
    bytes: u64,
    bytes_planned: u64,
    files: u64,
    files_planned: u64,
    /// Whether a closer look may bring more than was planned.
    is_open: bool,
    moving: VecDeque<String>,
    begun_ns: u64,
    told_ns: u64,
}

impl Count {
    /// The line for a log, if the last one was long enough ago.
    fn due(&mut self, now_ns: u64) -> Option<String> {
        if now_ns.saturating_sub(self.told_ns) < FLAT_EVERY_NS {
            return None;
        }
        self.told_ns = now_ns;
        Some(self.line(now_ns))
    }

    /// How much was done, and how much there is in all.
    fn work(&self) -> (u64, u64) {
        let work = |bytes: u64, files: u64| bytes.saturating_add(files.saturating_mul(FILE_BYTES));
        let (done, all) = (work(self.bytes, self.files), work(self.bytes_planned, self.files_planned));
        (done, all.max(done))
    }

    /// Files, and what is moving now.
    fn names(&self) -> String {
        let mut parts = match (self.is_open, self.files) {
            (false, files) => vec![format!("{files}/{} files", self.files_planned.max(files))],
            (true, 0) => Vec::new(),
            (true, files) => vec![count(files, "file", "files")],
        };
        let mut shown: Vec<String> = self.moving.iter().take(NAMES_SHOWN).map(|path| name(path)).collect();
        if self.moving.len() > NAMES_SHOWN {
            let last = format!("{} +{}", shown.pop().unwrap_or_default(), self.moving.len() - NAMES_SHOWN);
            shown.push(last);
        }
        if !shown.is_empty() {
            parts.push(shown.join(", "));
        }
        parts.join(" · ")
    }

    /// The same after bytes, rate and remaining time, as far as they are known.
    fn line(&self, now_ns: u64) -> String {
        let elapsed_ms = now_ns.saturating_sub(self.begun_ns) / 1_000_000;
        let mut parts = match (self.is_open, self.bytes) {
            (true, 0) => Vec::new(),
            (true, done) => vec![bytes(done)],
            (false, 0) if self.bytes_planned == 0 => Vec::new(),
            (false, done) => vec![format!("{} of {}", bytes(done), bytes(self.bytes_planned.max(done)))],
        };
        // A rate is one of some time.
        if elapsed_ms >= RATE_AFTER_MS {
            if self.bytes > 0 {
                parts.push(format!("{}/s", bytes(self.bytes.saturating_mul(1000) / elapsed_ms)));
            }
            let (done, all) = self.work();
            match (all - done).saturating_mul(elapsed_ms).checked_div(done) {
                Some(left_ms) if !self.is_open => parts.push(format!("{} left", duration(left_ms))),
                _ => {}
            }
        }
        parts.push(self.names());
        parts.retain(|part| !part.is_empty());
        if parts.is_empty() { "comparing".to_owned() } else { parts.join(", ") }
    }
}

impl Progress {
    /// Nothing is shown before a run begins.
    pub fn new(shown: Shown, world: World) -> Self {
        let bar = ProgressBar::no_length();
        bar.set_draw_target(ProgressDrawTarget::hidden());
        bar.set_style(style(LOOKING));
        Self { bar, shown, world, count: Mutex::default() }
    }

    fn count(&self) -> MutexGuard<'_, Count> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Both sides are being looked at.
    pub fn looking(&self, what: String) {
        if self.shown == Shown::Drawn {
            self.bar.set_message(what);
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
            self.bar.enable_steady_tick(Duration::from_millis(120));
        }
    }

    /// The plan is complete.
    pub fn planned(&self, totals: &Totals) {
        let now_ns = self.world.clock.monotonic_ns();
        let mut count = self.count();
        *count = Count {
            bytes_planned: totals.upload_bytes + totals.download_bytes,
            files_planned: totals.uploads + totals.downloads + totals.moves,
            is_open: totals.compares > 0,
            begun_ns: now_ns,
            told_ns: now_ns,
            ..Count::default()
        };
        if self.shown == Shown::Drawn {
            self.bar.reset();
            let all = count.work().1;
            self.bar.set_length(all);
            let is_narrow = tcgetwinsize(std::io::stderr()).is_ok_and(|size| size.ws_col < BAR_COLUMNS);
            self.bar.set_style(style(match (all > 0 && !count.is_open, is_narrow) {
                (true, false) => "{bar:10} {wide_msg}",
                (true, true) => "{wide_msg}",
                (false, _) => LOOKING,
            }));
            self.draw(&count);
        }
    }

    /// Bytes of this one are moving now.
    pub fn began(&self, path: &str) {
        let mut count = self.count();
        if count.moving.len() < NAMES_KEPT {
            count.moving.push_back(path.to_owned());
        }
        self.draw(&count);
    }

    /// So many more have moved; the line that a log should get, if it is time for one.
    pub fn moved(&self, bytes: u64) -> Option<String> {
        let mut count = self.count();
        count.bytes += bytes;
        let now_ns = self.world.clock.monotonic_ns();
        self.draw(&count);
        if self.shown == Shown::Flat { count.due(now_ns) } else { None }
    }

    /// This one is over, well or not.
    pub fn over(&self, path: &str, well: bool) {
        let mut count = self.count();
        count.files += u64::from(well);
        if let Some(at) = count.moving.iter().position(|moving| moving == path) {
            count.moving.remove(at);
        }
        self.draw(&count);
    }

    fn draw(&self, count: &Count) {
        if self.shown == Shown::Drawn {
            // Cut where the terminal ends, whatever it is at that moment.
            let now_ns = self.world.clock.monotonic_ns();
            self.bar.set_position(count.work().0);
            self.bar.set_message(count.line(now_ns));
        }
    }

    /// Takes the line away while something else is written.
    pub fn suspend(&self, write: impl FnOnce()) {
        self.bar.suspend(write);
    }

    /// Takes it away for good.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are constants of this file; one that were wrong would only be plain.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_it_is() {
        let mut count = Count { bytes_planned: 10 << 20, files_planned: 3, ..Count::default() };
        assert_eq!(count.line(0), "0 B of 10.0 MiB, 0/3 files");
        (count.bytes, count.files) = (5 << 20, 1);
        count.moving.extend(["a".to_owned(), "b\n".to_owned(), "c".to_owned()]);
        let expected = "5.0 MiB of 10.0 MiB, 1.0 MiB/s, 5.0 s left, 1/3 files · a, $'b\\n' +1";
        assert_eq!(count.line(5_000_000_000), expected);
        // Many small files take their time although they are few bytes.
        let many = Count { bytes_planned: 1000, files_planned: 1000, bytes: 500, files: 500, ..Count::default() };
        assert_eq!(many.line(10_000_000_000), "500 B of 1000 B, 50 B/s, 10.0 s left, 500/1000 files");
        let empty = Count { files_planned: 4, files: 1, ..Count::default() };
        assert_eq!(empty.line(1_000_000_000), "3.0 s left, 1/4 files");
        // A rate of the first moment would tell nothing.
        assert!(count.line(1_000_000).starts_with("5.0 MiB of 10.0 MiB, 1/3 files"));
    }

    #[test]
    fn what_is_not_known_is_not_shown() {
        let mut count = Count { is_open: true, ..Count::default() };
        assert_eq!(count.line(0), "comparing");
        count.moving.push_back("a".to_owned());
        assert_eq!(count.line(0), "a");
        (count.bytes, count.files) = (5 << 20, 1);
        assert_eq!(count.line(5_000_000_000), "5.0 MiB, 1.0 MiB/s, 1 file · a");
    }

    #[test]
    fn a_log_gets_a_line_now_and_then() {
        let mut count = Count { bytes_planned: 100, bytes: 10, files_planned: 1, ..Count::default() };
        assert_eq!(count.due(FLAT_EVERY_NS - 1), None);
        let line = count.due(FLAT_EVERY_NS).expect("it is time");
        assert!(line.starts_with("10 B of 100 B"), "{line}");
        assert_eq!(count.due(2 * FLAT_EVERY_NS - 1), None);
        assert!(count.due(2 * FLAT_EVERY_NS).is_some());

        let progress = Progress::new(Shown::Flat, World::real());
        progress.planned(&Totals { uploads: 1, upload_bytes: 100, ..Totals::default() });
        progress.began("a");
        progress.over("a", true);
        let count = progress.count();
        assert!(count.names() == "1/1 files" && count.moving.is_empty());
    }
}
