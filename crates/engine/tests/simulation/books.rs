//! What is known of a schedule under way, beside the world itself: the ledger, the
//! counters, what the engines told, and what was found wrong so far.

use crate::ledger::{Ledger, show};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};
use tidelock_core::path::Key;
use tidelock_engine::event::{Event, Listener};

/// What one device has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Writes and deletions that took effect in the bucket.
    pub mutations: u64,
    /// Downloads begun.
    pub gets: u64,
    /// Calls that change the disk.
    pub disk_writes: u64,
    /// Reads of file bytes.
    pub disk_reads: u64,
}

/// What one engine told in its present run.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// Actions done, and where.
    pub done: Vec<(String, String)>,
    /// It kept something beside, and said so.
    pub kept_beside: bool,
}

#[derive(Default)]
struct Pages {
    ledger: Ledger,
    tallies: [Tally; 2],
    told: [Told; 2],
    /// Nobody and nothing has come between in this run so far.
    alone: [bool; 2],
    /// Keys that were in step when the present run began.
    in_step: [BTreeSet<String>; 2],
    /// A gate that somebody waits for: device, name, how often still.
    awaited: Option<(usize, String, u32)>,
    wrong: Vec<String>,
}

/// All of it. Engines reach it from behind their traits.
#[derive(Default)]
pub struct Books(Mutex<Pages>);

impl Books {
    fn lock(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub fn ledger<T>(&self, work: impl FnOnce(&mut Ledger) -> T) -> T {
        work(&mut self.lock().ledger)
    }

    pub fn tally(&self, device: usize, count: impl FnOnce(&mut Tally)) {
        count(&mut self.lock().tallies[device]);
    }

    pub fn tally_of(&self, device: usize) -> Tally {
        self.lock().tallies[device]
    }

    /// A run begins, alone or not, with these keys in step.
    pub fn set_alone(&self, device: usize, alone: bool, in_step: BTreeSet<String>) {
        let mut pages = self.lock();
        pages.alone[device] = alone;
        pages.in_step[device] = in_step;
    }

    /// Whether a key was in step when the present run began.
    pub fn was_in_step(&self, device: usize, key: &str) -> bool {
        self.lock().in_step[device].contains(key)
    }

    /// Somebody did something: no run is alone any more.
    pub fn disturb(&self) {
        self.lock().alone = [false; 2];
    }

    pub fn is_alone(&self, device: usize) -> bool {
        self.lock().alone[device]
    }

    /// Waits for a gate.
    pub fn await_gate(&self, device: usize, gate: &str, times: u32) {
        self.lock().awaited = Some((device, gate.to_owned(), times));
    }

    /// Whether nobody waits for a gate, or no longer.
    pub fn gate_reached(&self) -> bool {
        self.lock().awaited.is_none()
    }

    /// A device's engine has come to a gate.
    pub fn pass(&self, device: usize, gate: &str) {
        let mut pages = self.lock();
        let tally = &mut pages.tallies[device];
        match gate {
            "disk.create" | "disk.make_dir" | "disk.make_link" | "disk.rename" | "disk.exchange"
            | "disk.unlink_temp" | "disk.remove_dir" | "disk.set_meta" | "disk.write" | "disk.fset_meta" => {
                tally.disk_writes += 1;
            }
            "disk.read_at" => tally.disk_reads += 1,
            _ => {}
        }
        if let Some((awaited, name, times)) = &mut pages.awaited
            && (*awaited, name.as_str()) == (device, gate)
        {
            *times = times.saturating_sub(1);
            if *times == 0 {
                pages.awaited = None;
            }
        }
    }

    /// Takes what a device told, for a new run.
    pub fn take_told(&self, device: usize) -> Told {
        std::mem::take(&mut self.lock().told[device])
    }

    /// Something is wrong.
    pub fn wrong(&self, what: String) {
        self.lock().wrong.push(what);
    }

    /// What was found wrong first.
    pub fn first_wrong(&self) -> Option<String> {
        self.lock().wrong.first().cloned()
    }

    /// Nothing may become visible that nobody wrote, or that was meant for
    /// elsewhere.
    pub fn check_whole(&self, key: &Key, bytes: &[u8], what: &str) {
        if key.as_str().ends_with('/') {
            if !bytes.is_empty() {
                self.wrong(format!("invention: {what}: the marker {key} holds {}", show(bytes)));
            }
            return;
        }
        let mut pages = self.lock();
        if let Some(why) = pages.ledger.invented(key.as_str(), bytes) {
            pages.wrong.push(format!("invention: {what}: {why}"));
        }
    }
}

/// Hears one device's engine.
pub struct Ears {
    pub books: Arc<Books>,
    pub device: usize,
    /// Keeps everything, for people.
    pub aloud: Option<Arc<Mutex<Vec<String>>>>,
}

impl Listener for Ears {
    fn hear(&self, event: &Event) {
        if let Some(aloud) = &self.aloud {
            let text = match event {
                Event::Planned { totals } => format!("planned {}", brief(totals)),
                Event::RunEnded { report } => format!("ended {}", brief(&**report)),
                Event::Progress { .. } => return,
                other => format!("{other:?}"),
            };
            aloud.lock().expect("no panics").push(format!("{} {text}", crate::stage::NAMES[self.device]));
        }
        let mut pages = self.books.lock();
        let told = &mut pages.told[self.device];
        match event {
            Event::Done { action, path, .. } => told.done.push((action.clone(), path.clone())),
            Event::Problem(problem) if problem.what.contains("the other version is at") => told.kept_beside = true,
            Event::Note { text } if text.contains("it is kept at") => told.kept_beside = true,
            _ => {}
        }
    }
}

/// What is not nothing, for people.
pub fn brief(value: &impl serde::Serialize) -> String {
    let serde_json::Value::Object(map) = serde_json::to_value(value).expect("it is JSON") else { return String::new() };
    let nothing = [serde_json::json!(0), serde_json::json!([]), serde_json::Value::Null];
    let told = map.into_iter().filter(|(name, value)| !nothing.contains(value) && name != "planned");
    told.map(|(name, value)| format!("{name}={value} ")).collect()
}
