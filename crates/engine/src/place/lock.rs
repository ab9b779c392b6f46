//! One run of a pair at a time.
//!
//! A lock is a file held by `flock`, so that it goes with its process whatever
//! happens to that. Its content names the holder, for whoever waits; who may be
//! waited for, and for how long, is the caller's affair.

use super::{PairPlace, make_private, trouble};
use crate::failure::Failure;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;
use tidelock_remote::world::World;

/// How often a lock that others hold is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its process id.
    pub pid: u32,
    /// What it runs.
    pub command: String,
    /// Since when, Unix milliseconds.
    pub since_ms: i64,
}

/// A pair's lock, held while this value lives.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl PairPlace {
    /// Takes the pair's lock, waiting for whoever holds it; that it waits is told once.
    pub async fn lock(
        &self,
        world: &World,
        command: &str,
        timeout: Duration,
        tell: impl Fn(String) + Send,
    ) -> Result<Lock, Failure> {
        make_private(&self.dir)?;
        let mut is_told = false;
        let deadline = world.clock.monotonic_ns().saturating_add(u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX));
        loop {
            if let Some(lock) = self.try_lock(world, command)? {
                return Ok(lock);
            }
            if world.clock.monotonic_ns() >= deadline {
                let remedy = "try again later, or wait longer with --lock-timeout";
                return Err(Failure::Busy(format!(
                    "{}; waited {} s; {remedy}",
                    self.holding(world),
                    timeout.as_secs_f64()
                )));
            }
            if !std::mem::replace(&mut is_told, true) {
                tell(format!("{}; waiting for it up to {} s", self.holding(world), timeout.as_secs_f64()));
            }
            world.sleep.sleep(LOOK_EVERY.min(timeout)).await;
        }
    }

    fn try_lock(&self, world: &World, command: &str) -> Result<Option<Lock>, Failure> {
        let path = self.lock_file();
        let fail = |error| trouble(&path, &error);
        let mut options = fs::OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(&path).map_err(fail)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(trouble(&path, &error)),
        }
        let since_ms = world.clock.wall_ns() / 1_000_000;
        let holder = Holder { pid: std::process::id(), command: command.to_owned(), since_ms };
        let text = serde_json::to_string(&holder).unwrap_or_default();
        file.set_len(0).and_then(|()| file.write_all(text.as_bytes())).map_err(fail)?;
        Ok(Some(Lock { _file: file }))
    }

    /// Who holds the lock, as far as its file tells.
    pub fn holder(&self) -> Option<Holder> {
        serde_json::from_str(&fs::read_to_string(self.lock_file()).ok()?).ok()
    }

    fn holding(&self, world: &World) -> String {
        let Some(holder) = self.holder() else { return "another run holds this pair".to_owned() };
        let age_s = (world.clock.wall_ns() / 1_000_000 - holder.since_ms).max(0) / 1000;
        let Holder { pid, command, .. } = holder;
        format!("this pair is in use by another run: process {pid}, {command}, since {age_s} s")
    }
}
