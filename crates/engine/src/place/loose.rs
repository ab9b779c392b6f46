//! States of transfers that belong to no pair.
//!
//! A file that is sent or fetched by itself has a state while that goes on, for the
//! same reasons as a pair has one: two that would meet exclude each other, and what a
//! killed one left is found by the next. Once it ended well nothing is worth keeping but
//! its history, which all of them share. What comes from standard input is kept here
//! until it is sent, and what a killed run has kept goes with the next upload.

use super::{PairPlace, Place, make_private, private_file, trouble};
use crate::failure::Failure;
use crate::state::State;
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use tidelock_core::entry::Digest;

/// What loose states' names begin with.
const LOOSE: &str = "loose";
/// How much of a loose state's id names its lock: lock files are never removed, and there
/// are only so many of these.
const LOCK_DIGITS: usize = 4;
/// Where what comes from standard input waits to be sent.
pub(crate) const INTAKE: &str = "intake";
const READ_BYTES: usize = 1 << 20;

impl Place {
    /// The files of a transfer between these names, whatever they are.
    pub fn loose(&self, local: &Path, names: &[String], remote: &str) -> PairPlace {
        let mut text = [local.as_os_str().as_bytes(), b"\0", remote.as_bytes()].concat();
        names.iter().for_each(|name| text.extend([b"\0", name.as_bytes()].concat()));
        let digits: String = Digest::of(&text).to_string().chars().take(16).collect();
        PairPlace { id: format!("{LOOSE}-{digits}"), dir: self.dir.join("pairs") }
    }

    /// Where the history of all of them is.
    pub fn loose_history(&self) -> PairPlace {
        PairPlace { id: LOOSE.to_owned(), dir: self.dir.join("pairs") }
    }

    /// The states of all pairs, and the history of what belongs to none.
    pub fn states(&self) -> Result<Vec<PairPlace>, Failure> {
        let dir = self.dir.join("pairs");
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(trouble(&dir, &error)),
        };
        let mut ids = Vec::new();
        for entry in entries {
            let name = entry.map_err(|error| trouble(&dir, &error))?.file_name();
            let id = name.to_str().and_then(|name| name.strip_suffix(".sqlite"));
            ids.extend(id.filter(|id| !id.starts_with("loose-")).map(str::to_owned));
        }
        ids.sort();
        Ok(ids.into_iter().map(|id| PairPlace { id, dir: dir.clone() }).collect())
    }

    /// Keeps all of `input` in a private file of this name, until it is dropped.
    pub fn intake(&self, token: &str, name: &str, input: &mut dyn Read, stop: &AtomicBool) -> Result<Intake, Failure> {
        let intake = self.make_intake(token)?;
        let path = intake.dir.join(name);
        let fail = |error: std::io::Error| trouble(&path, &error);
        let mut file = private_file(&path).map_err(fail)?;
        let mut buffer = vec![0; READ_BYTES];
        loop {
            if stop.load(Ordering::Relaxed) {
                return Err(Failure::Interrupted);
            }
            match input.read(&mut buffer) {
                Ok(0) => return Ok(intake),
                Ok(read) => file.write_all(&buffer[..read]).map_err(fail)?,
                // What ended the wait is looked at above.
                Err(error) if error.kind() == ErrorKind::Interrupted || stop.load(Ordering::Relaxed) => {}
                Err(error) => return Err(trouble(Path::new("standard input"), &error)),
            }
        }
    }

    fn make_intake(&self, token: &str) -> Result<Intake, Failure> {
        let all = self.dir.join(INTAKE);
        let _gate = gate(&all)?;
        let dir = all.join(token);
        make_private(&dir)?;
        let lock = File::open(&dir).and_then(|lock| lock.lock().map(|()| lock));
        Ok(Intake { _lock: lock.map_err(|error| trouble(&dir, &error))?, dir })
    }

    /// Removes what killed runs have taken in and not sent. What cannot be removed now is
    /// for the next time.
    pub fn sweep_intakes(&self) {
        let all = self.dir.join(INTAKE);
        let Ok(items) = fs::read_dir(&all) else { return };
        let Ok(_gate) = gate(&all) else { return };
        for path in items.flatten().map(|item| item.path()).filter(|path| path.is_dir()) {
            if File::open(&path).is_ok_and(|lock| lock.try_lock().is_ok()) {
                let _ = fs::remove_dir_all(&path);
            }
        }
    }
}

/// Held while a folder for what comes in is made and locked, and while those are removed
/// that nobody has locked.
fn gate(all: &Path) -> Result<File, Failure> {
    make_private(all)?;
    let path = all.join("lock");
    let gate = private_file(&path).and_then(|gate| gate.lock().map(|()| gate));
    gate.map_err(|error| trouble(&path, &error))
}

/// What came from standard input, in a folder of its own.
#[derive(Debug)]
pub struct Intake {
    dir: PathBuf,
    /// Says that somebody is about to send it.
    _lock: File,
}

impl Intake {
    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        // What cannot be removed lies in a private folder of ours and harms nobody.
        let _ = fs::remove_dir_all(&self.dir);
    }
}

impl PairPlace {
    /// Whether it belongs to no pair.
    pub fn is_loose(&self) -> bool {
        self.id.starts_with(LOOSE)
    }

    /// What its lock is called.
    pub(super) fn lock_name(&self) -> String {
        let length = if self.is_loose() { LOOSE.len() + 1 + LOCK_DIGITS } else { self.id.len() };
        self.id.chars().take(length).collect()
    }

    /// Removes a state that nobody has open. What is left of it harms nobody.
    pub fn remove(&self) {
        for ending in ["-wal", "-shm", ""] {
            let _ = fs::remove_file(self.dir.join(format!("{}.sqlite{ending}", self.id)));
        }
    }

    /// Whether a person was told of this already, by anything that belongs to no pair.
    pub fn was_told(&self, fact: &str) -> bool {
        self.open_to_look().ok().and_then(|open| open.state.fact(fact).ok().flatten()).is_some()
    }

    /// Takes a run, with what happened in it, over into another history.
    pub fn hand_down(&self, state: &State, told: Option<&str>, now_ms: i64) -> Result<(), Failure> {
        let Some(run) = state.last_run()? else { return Ok(()) };
        let history = self.open(now_ms)?.state;
        if let Some(fact) = told {
            history.set_fact(fact, "")?;
        }
        let id = history.begin_run(&run.token, &run.command, run.started_ms)?;
        history.commit_told(&[], id, &state.events_of(run.id)?)?;
        if let (Some(ended_ms), Some(exit)) = (run.ended_ms, run.exit) {
            history.end_run(id, ended_ms, exit, run.report.as_ref())?;
        }
        Ok(())
    }
}
