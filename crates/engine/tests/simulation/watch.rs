//! One run, judged by itself: what it may do whatever the world is like.
//!
//! Taken down when a run starts and held against what it did when it ends: a
//! one-way flow never writes its source, an unmounted folder changes nothing, rows
//! that prove sameness only never make a deletion, and nothing is deleted wholesale
//! without a person's word.

use crate::books::{Tally, Told};
use crate::errand::Errand;
use crate::ledger::{Contents, without_marks};
use crate::stage::{NAMES, Stage};
use std::collections::{BTreeMap, BTreeSet};
use tidelock_core::entry::{BaseRow, LocalStamp, Standing};
use tidelock_core::names::{Kind, LinkStyle, entry_of};
use tidelock_core::path::Key;
use tidelock_core::policy::{Drift, Flow, Policy};
use tidelock_engine::pair::Pair;
use tidelock_engine::report::Report;
use tidelock_engine::state::State;
use tidelock_engine::survey::mode_name;

/// A run's beginning.
pub struct Watched {
    policy: Policy,
    confirmed: bool,
    tally: Tally,
    acts: u64,
    /// Nobody else was at work.
    alone: bool,
    /// The folder on record is not there.
    away: bool,
    /// Keys whose rows prove no absence, and whether both sides had them.
    lapsed: BTreeMap<String, bool>,
    /// The most that the base or the bucket hold.
    size: u64,
    ever_wrote: bool,
    errand: Errand,
    /// What was on record.
    rows: Vec<BaseRow>,
    objects: Contents,
    known_root: Option<String>,
}

impl Watched {
    /// Whether another folder has been put on record since, so that all rows lapsed.
    pub fn took_another_folder(&self, state_name: &str) -> bool {
        let now = State::in_memory(Some(state_name)).and_then(|state| state.fact("root")).ok().flatten();
        // A restore that has brought all settles in the folder it had.
        let restored_in = self.known_root.as_ref().and_then(|known| known.strip_prefix("unfinished "));
        let settled = self.policy.flow == Flow::Down && restored_in.is_some() && restored_in == now.as_deref();
        self.known_root.is_some() && now != self.known_root && !settled
    }

    /// The keys that were in step.
    pub fn in_step(&self) -> BTreeSet<String> {
        let agreed = self.rows.iter().filter(|row| row.standing == Standing::Agreed);
        agreed.map(|row| row.key.to_string()).collect()
    }
}

pub fn start_watch(stage: &Stage, place: usize, pair: &Pair, errand: &Errand) -> Watched {
    let device = &stage.devices[place];
    let rows = pair.state.page(None).unwrap_or_default();
    let before = pair.state.fact("mode").ok().flatten();
    let mode_changed = before.is_some_and(|before| before != mode_name(&pair.settings.policy));
    let agreed = rows.iter().filter(|row| row.standing == Standing::Agreed).count();
    let size = agreed.max(stage.bucket.snapshot().len()) as u64;
    let root = device.disk.user_root().map(|root| serde_json::to_string(&root).expect("a root can be told"));
    // Where nobody told it apart the first time, the folder beneath the mount is the one on record.
    let known_root = pair.state.fact("root").ok().flatten();
    let is_elsewhere = known_root.is_some() && known_root != root;
    let turned = mode_changed || is_elsewhere && pair.settings.policy.flow != Flow::Down;
    let proves_absence = |row: &&BaseRow| row.standing == Standing::Agreed && !turned;
    let lapsed = rows.iter().filter(|row| !proves_absence(row));
    let lapsed = lapsed.map(|row| (row.key.to_string(), row.here.is_some() && row.there.is_some())).collect();
    Watched {
        policy: pair.settings.policy,
        confirmed: pair.settings.confirm_deletes,
        tally: stage.books.tally_of(place),
        acts: stage.history.acts,
        alone: stage.is_idle(),
        away: !pair.settings.accept_root && agreed > 0 && is_elsewhere && !is_alike(stage, place, &rows),
        lapsed,
        size,
        ever_wrote: device.ever_wrote,
        errand: *errand,
        rows,
        objects: stage.objects(),
        known_root,
    }
}

/// Whether what is in the folder now is, by size and time, what is on record: then it
/// is taken for the folder on record, moved or brought back.
fn is_alike(stage: &Stage, place: usize, rows: &[BaseRow]) -> bool {
    let disk = &stage.devices[place].disk;
    let known: Vec<_> = rows.iter().filter_map(|row| Some((row, row.here.as_ref()?.stamp))).collect();
    let is_as_known = |(row, then): &&(&BaseRow, LocalStamp)| {
        let path = entry_of(&row.key, LinkStyle::Suffix).ok().map(|(path, _)| path);
        let now = path.and_then(|path| disk.user_stat(&path));
        now.is_some_and(|now| {
            row.kind == Kind::Dir || (now.stamp.size, now.stamp.mtime_ns) == (then.size, then.mtime_ns)
        })
    };
    known.iter().filter(is_as_known).count() * 10 >= known.len() * 9
}

pub fn finish_checks(stage: &Stage, place: usize, watched: &Watched, told: &Told, report: &Report) {
    let wrong = |what: String| stage.books.wrong(format!("{}: {what}", NAMES[place]));
    let now = stage.books.tally_of(place);
    // A request of an earlier run may arrive in this one.
    let late = stage.devices[place].fate.is_risky();
    let undisturbed = watched.alone && stage.history.acts == watched.acts && stage.is_idle();
    let still_unmounted = watched.away && !stage.devices[place].mounted;
    if still_unmounted && undisturbed && !late && now.mutations != watched.tally.mutations {
        wrong("unmounted: a folder that is not there changed the bucket".to_owned());
    }
    match watched.policy.flow {
        Flow::Up if !watched.ever_wrote && now.disk_writes != watched.tally.disk_writes => {
            wrong("source: a one-way flow up wrote to the folder".to_owned());
        }
        Flow::Down if undisturbed && !late && now.mutations != watched.tally.mutations => {
            wrong("source: a one-way flow down wrote to the bucket".to_owned());
        }
        _ => {}
    }
    kept_to_errand(stage, place, watched, told, report);
    let undecided = report.conflicts + report.problem_count > 0;
    if watched.errand == Errand::Moves && undisturbed && !late && !undecided {
        kept_in_the_bucket(stage, place, watched);
    }
    if watched.errand == Errand::Plan && undisturbed && !late && now.mutations != watched.tally.mutations {
        wrong("plan: writing a plan down changed the bucket".to_owned());
    }
    if undisturbed && !late && !stage.case.setup.fold_case {
        told_truly(stage, place, told);
    }
    let deleted = || told.done.iter().filter(|(action, _)| action.starts_with("delete"));
    // Whoever replaces what differs asks about what both sides had.
    let asks = watched.policy.drift == Drift::Overwrite;
    if undisturbed && !(asks && watched.confirmed) {
        for (action, key) in deleted() {
            if watched.lapsed.get(key).is_some_and(|both_had_it| *both_had_it || !asks) {
                wrong(format!("lapsed: {action} of {key}, whose row proves no absence"));
            }
        }
    }
    let count = report.deleted_here + report.deleted_there;
    // A plan that was written down is judged by what was there then.
    let planned = match watched.errand {
        Errand::Apply { .. } => report.planned.agreed.max(report.planned.there),
        _ => 0,
    };
    // What came into step during the run counts with what was.
    let size = watched.size.max(planned) + report.downloaded + report.uploaded + report.moved + report.adopted;
    if undisturbed && !watched.confirmed && count > 0 && count >= size {
        wrong(format!("guard: a run that nobody confirmed deleted all {count} entries"));
    }
}

/// What was told as done is so.
fn told_truly(stage: &Stage, place: usize, told: &Told) {
    let objects = stage.bucket.snapshot();
    let last: BTreeMap<&String, &String> = told.done.iter().map(|(action, key)| (key, action)).collect();
    for (key, action) in last {
        let at = Key::new(key.as_str());
        let path = entry_of(&at, LinkStyle::Suffix).ok().map(|(path, _)| path);
        let is_here = path.is_some_and(|path| stage.devices[place].disk.tree().contains_key(&path));
        let is_so = match action.as_str() {
            "delete-there" => !objects.contains_key(&at),
            "upload" | "meta-there" => objects.contains_key(&at),
            "download" | "meta-here" => is_here,
            _ => true,
        };
        if !is_so {
            stage.books.wrong(format!("told: {}: {action} of {key} was told as done and is not", NAMES[place]));
        }
    }
}

/// A plan changes nothing, an applied one nothing that it does not name, and who only
/// renames sends no byte.
fn kept_to_errand(stage: &Stage, place: usize, watched: &Watched, told: &Told, report: &Report) {
    let wrong = |what: String| stage.books.wrong(format!("{}: {what}", NAMES[place]));
    let now = stage.books.tally_of(place);
    match watched.errand {
        Errand::Sync { .. } => {}
        Errand::Plan => {
            let state = State::in_memory(Some(&stage.devices[place].state_name)).expect("memory opens");
            if now.disk_writes != watched.tally.disk_writes || state.page(None).unwrap_or_default() != watched.rows {
                wrong("plan: writing a plan down changed the folder or the state".to_owned());
            }
        }
        Errand::Apply { .. } => {
            let keys = stage.devices[place].paper().map(|paper| paper.keys).unwrap_or_default();
            let named = |key: &String| keys.contains(key) || keys.contains(&without_marks(key));
            for (action, key) in told.done.iter().filter(|(_, key)| !named(key)) {
                wrong(format!("apply: {action} of {key}, of which the plan says nothing"));
            }
            if report.passes > 1 {
                wrong("apply: it planned anew".to_owned());
            }
        }
        Errand::Moves => {
            let others = report.uploaded + report.downloaded + report.metas + report.deleted_there;
            if others + report.deleted_here > 0 {
                wrong(format!("moves: it did more than rename: {report:?}"));
            }
        }
    }
}

/// Whoever only renames takes nothing out of the bucket that is still here, under the
/// name of another object: it would not be sent.
fn kept_in_the_bucket(stage: &Stage, place: usize, watched: &Watched) {
    let (here, now) = (stage.seen(place), stage.objects());
    let device = &stage.devices[place];
    let is_looked_at = |key: &String| watched.objects.contains_key(key) && !device.excludes(key);
    let is_here = |bytes: &Vec<u8>| here.iter().any(|(key, held)| held == bytes && is_looked_at(key));
    for (key, bytes) in watched.objects.iter().filter(|(_, bytes)| !bytes.is_empty()) {
        if is_here(bytes) && !now.values().any(|held| held == bytes) {
            let name = NAMES[place];
            stage.books.wrong(format!("moves: what was {key} is on {name} and no longer in the bucket"));
        }
    }
}
