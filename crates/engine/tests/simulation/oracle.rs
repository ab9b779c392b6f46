//! The oracle: what must hold, whatever happened.
//!
//! Always: no version is lost that nobody gave up, and nothing is visible that
//! nobody wrote. After a crash: what was on record is still so. In the end, once
//! faults and edits stop: both sides agree, or a report says why not; deletions have
//! arrived; the state is true; the next run is quiet; nothing is left lying about.

use crate::books::brief;
use crate::errand::Errand;
use crate::ledger::{Version, show};
use crate::stage::{NAMES, Stage};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tidelock_core::entry::{Digest, Standing};
use tidelock_core::meta::decode;
use tidelock_core::names::{Kind, LinkStyle, entry_of};
use tidelock_core::path::{Key, RelPath, TEMP_PREFIX};
use tidelock_core::policy::{Deletes, Drift, Flow, OnConflict, Policy};
use tidelock_engine::disk::Node;
use tidelock_engine::report::Report;
use tidelock_engine::state::State;

/// So often both sides are looked at until they agree, at most.
const ROUNDS: usize = 20;

/// What a device's state vouches for and its disk holds: digest by path.
pub fn vouched(stage: &Stage, place: usize) -> BTreeMap<RelPath, Digest> {
    let Ok(state) = State::in_memory(Some(&stage.devices[place].state_name)) else { return BTreeMap::new() };
    let disk = &stage.devices[place].disk;
    let rows = state.page(None).unwrap_or_default();
    let held = rows.into_iter().filter(|row| row.standing == Standing::Agreed && row.kind == Kind::File);
    held.filter_map(|row| {
        let (path, _) = entry_of(&row.key, LinkStyle::Suffix).ok()?;
        let digest = row.digest?;
        // A stamp that was taken too soon may be another file's, too.
        let half = row.here.filter(|half| !half.racy)?;
        let as_recorded = disk.user_stat(&path).is_some_and(|stat| stat.stamp == half.stamp);
        (as_recorded && Digest::of(&disk.user_read(&path)?) == digest).then_some((path, digest))
    })
    .collect()
}

/// After a crash: what was recorded is durable.
pub fn check_crash(stage: &Stage, place: usize, before: &BTreeMap<RelPath, Digest>) {
    let disk = &stage.devices[place].disk;
    for (path, digest) in before {
        let now = disk.user_read(path).map(|bytes| Digest::of(&bytes));
        if now != Some(*digest) {
            stage.books.wrong(format!("durability: {path} was on record on {} and did not survive", NAMES[place]));
        }
    }
    check_sound(stage, &format!("after a crash of {}", NAMES[place]));
}

/// Survival and no invention.
pub fn check_sound(stage: &Stage, when: &str) {
    let mut somewhere: BTreeSet<Vec<u8>> = BTreeSet::new();
    for (place, device) in stage.devices.iter().enumerate() {
        let unmounted = !device.mounted;
        // It was in the trash for as long as was promised.
        somewhere.extend(device.disk.purged());
        // What was written while the disk was away lies beneath its mount.
        stage.devices[place].disk.set_unmounted(true);
        somewhere.extend(stage.everything(place).into_iter().map(|(_, bytes)| bytes));
        stage.devices[place].disk.set_unmounted(false);
        for (path, bytes) in stage.everything(place) {
            if !path.is_reserved() && !bytes.is_empty() {
                let key = Key::new(path.as_str());
                let linked = Key::new(format!("{path}.rclonelink"));
                let at = |key: &Key| stage.books.ledger(|ledger| ledger.invented(key.as_str(), &bytes));
                if let (Some(why), Some(_)) = (at(&key), at(&linked)) {
                    stage.books.wrong(format!("invention: {when}, on {}: {why}", NAMES[place]));
                }
            }
            somewhere.insert(bytes);
        }
        stage.devices[place].disk.set_unmounted(unmounted);
    }
    let bucket = stage.bucket.snapshot();
    let meant: BTreeSet<String> =
        stage.books.ledger(|ledger| ledger.versions.iter().flat_map(|version| version.meant.clone()).collect());
    for key in meant {
        somewhere.extend(stage.bucket.history(&Key::new(key)).into_iter().flatten());
    }
    somewhere.extend(bucket.into_values().map(|(bytes, ..)| bytes));
    let may_overwrite = stage.history.policies.iter().any(replaces_there);
    let lost = stage.books.ledger(|ledger| {
        let versions = ledger.versions.iter().filter(|version| !version.released && !version.bytes.is_empty());
        // Who compares by size and time takes one for another, and means both when one goes.
        let taken_for = |version: &Version| {
            let alike = |other: &&Version| other.bytes != version.bytes && other.bytes.len() == version.bytes.len();
            let mut others = ledger.versions.iter().filter(alike);
            stage.case.setup.by_stamp && others.any(|other| !other.meant.is_disjoint(&version.meant))
        };
        versions
            .filter(|version| !(version.foreign && may_overwrite))
            .filter(|version| !taken_for(version))
            .find(|version| !somewhere.contains(&version.bytes))
            .map(|version| format!("{} (meant for {:?})", show(&version.bytes), version.meant))
    });
    if let Some(lost) = lost {
        stage.books.wrong(format!("survival: {when}: nobody gave up {lost}, and it is nowhere"));
    }
}

/// Whether this policy may replace or remove what only the bucket has.
pub fn replaces_there(policy: &Policy) -> bool {
    policy.flow == Flow::Up && policy.drift == Drift::Overwrite
        || policy.writes_there() && matches!(policy.conflict, OnConflict::Local | OnConflict::Newer)
}

/// Whether this policy may put a person's version out of sight, into the trash.
fn replaces_here(policy: &Policy) -> bool {
    policy.flow == Flow::Down && policy.drift == Drift::Overwrite
        || policy.writes_here() && matches!(policy.conflict, OnConflict::Remote | OnConflict::Newer)
        || replaces_there(policy)
}

/// Faults and edits stop: everything must come to agree.
pub fn settle(stage: &mut Stage) {
    stage.until_idle();
    check_sound(stage, "when all was idle");
    // Times from the future have come to pass.
    stage.clockwork.jump(stage.history.set_back_s);
    for place in 0..stage.devices.len() {
        stage.devices[place].fate.calm();
        stage.full_state(place, false);
        if !stage.devices[place].mounted {
            stage.mount(place, true);
        }
        stage.devices[place].open = None;
        stage.user(place, &crate::case::Deed::Fill(false));
        open_up(&stage.devices[place].disk);
        futures::executor::block_on(stage.devices[place].network.flush_late());
    }
    check_sound(stage, "when the last requests had arrived");
    let mut quiet = 0;
    for _ in 0..ROUNDS {
        let mut changed = false;
        for place in 0..stage.devices.len() {
            changed |= settle_once(stage, place);
        }
        if stage.books.first_wrong().is_some() {
            return;
        }
        quiet = if changed { 0 } else { quiet + 1 };
        if quiet == 2 {
            break;
        }
    }
    if quiet < 2 {
        let reports: Vec<_> = stage.reports.iter().flatten().map(brief).collect();
        stage.books.wrong(format!("agreement: no rest after {ROUNDS} rounds: {reports:?}"));
        return;
    }
    check_end(stage);
}

/// Folders and files that nobody may read are opened again.
fn open_up(disk: &tidelock_engine::disk::sim::SimDisk) {
    for _ in 0..5 {
        for (path, node) in disk.tree() {
            if node.kind == tidelock_engine::disk::Node::Dir && node.mode & 0o700 != 0o700 {
                let _ = disk.user_chmod(&path, 0o755);
            } else if node.mode & 0o600 != 0o600 && node.target.is_none() {
                let _ = disk.user_chmod(&path, 0o644);
            }
        }
    }
}

fn settle_once(stage: &mut Stage, place: usize) -> bool {
    stage.clockwork.advance(Duration::from_secs(5_000));
    let before = stage.books.tally_of(place);
    stage.start(place, Errand::settling());
    stage.until_idle();
    let Some(report) = &stage.reports[place] else { return true };
    let now = stage.books.tally_of(place);
    report.changed_anything()
        || report.stale > 0
        || report.adopted > 0
        || now.mutations != before.mutations
        || report.passes > 1
}

fn check_end(stage: &mut Stage) {
    check_sound(stage, "in the end");
    for place in 0..stage.devices.len() {
        quiet_run(stage, place);
        agreement(stage, place);
        attributes(stage, place);
        truth(stage, place);
        leftovers(stage, place);
    }
    visible(stage);
    deletions(stage);
}

/// The next run does nothing, and reads nothing.
fn quiet_run(stage: &mut Stage, place: usize) {
    stage.clockwork.advance(Duration::from_secs(5_000));
    let before = stage.books.tally_of(place);
    stage.start(place, Errand::settling());
    stage.until_idle();
    let Some(report) = stage.reports[place].clone() else { return };
    let now = stage.books.tally_of(place);
    if now.mutations != before.mutations || report.changed_anything() {
        stage.books.wrong(format!("quiet: a further run on {} changed something: {}", NAMES[place], brief(&report)));
    }
    let clean = report.problem_count == 0 && report.conflicts == 0 && report.drift == 0 && report.stopped.is_none();
    if clean
        && (now.gets != before.gets || now.disk_reads != before.disk_reads || now.disk_writes != before.disk_writes)
    {
        stage.books.wrong(format!("quiet: a further run on {} read or wrote: {before:?} {now:?}", NAMES[place]));
    }
}

/// Whether a problem of the report is about this key, or one above or below it.
fn excused(report: &Report, key: &str) -> bool {
    let related = |path: &str| {
        let (path, key) = (path.trim_end_matches('/'), key.trim_end_matches('/'));
        let plain = key.strip_suffix(".rclonelink").unwrap_or(key);
        path.is_empty()
            || path == "."
            || [key, plain].iter().any(|key| {
                path == *key
                    || key.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'))
                    || path.strip_prefix(*key).is_some_and(|rest| rest.starts_with('/') || rest == ".rclonelink")
            })
    };
    report.problems.iter().any(|problem| related(&problem.path))
}

fn agreement(stage: &Stage, place: usize) {
    let Some(report) = &stage.reports[place] else { return };
    if report.stopped.is_some() {
        // A guard, or another mirror's owner. That a person confirms is part of it.
        let excusable = report.stopped.as_ref().is_some_and(|why| why.contains("already mirrors"));
        if !excusable {
            stage.books.wrong(format!("agreement: {} cannot go on: {}", NAMES[place], brief(report)));
        }
        return;
    }
    let policy = stage.devices[place].policy;
    let (here, there) = (stage.seen(place), stage.objects());
    let state = State::in_memory(Some(&stage.devices[place].state_name)).expect("memory opens");
    let undecided = report.conflicts > 0 || report.drift > 0;
    for key in here.keys().chain(there.keys()).collect::<BTreeSet<_>>() {
        let (ours, theirs) = (here.get(key), there.get(key));
        let excluded = stage.devices[place].excludes(key);
        let overlooked = stage.case.setup.by_stamp && looks_alike(ours, theirs);
        if ours == theirs || excluded || overlooked || excused(report, key) {
            continue;
        }
        let row = state.row(&Key::new(key.as_str())).ok().flatten();
        let standing = row.as_ref().map(|row| row.standing);
        if matches!(standing, Some(Standing::Pruned)) && ours.is_none() && policy.flow != Flow::Down
            || matches!(standing, Some(Standing::Known)) && theirs.is_none() && policy.flow != Flow::Down
        {
            continue;
        }
        let moved_to = row.as_ref().and_then(|row| row.moved_to.as_ref());
        if policy.flow == Flow::Down
            && ours.is_none()
            && moved_to.is_some_and(|to| there.get(to.as_str()) == theirs && here.get(to.as_str()) == theirs)
        {
            // A restore neither finishes a rename nor brings the old name back.
            continue;
        }
        let waits_with_it = |bytes: &Vec<u8>| here.iter().any(|(to, held)| held == bytes && excused(report, to));
        if ours.is_none() && report.drift > 0 && theirs.is_some_and(waits_with_it) {
            // It was renamed to where something else must be settled first.
            continue;
        }
        let fine = match (policy.flow, ours, theirs) {
            (Flow::Up, None, Some(_)) => policy.drift == Drift::Leave && (undecided || policy.deletes == Deletes::Keep),
            // Renamed here while the mode was another: the deletion there is still owed.
            (Flow::Down, None, Some(_)) => row.as_ref().is_some_and(|row| row.moved_to.is_some()),
            (Flow::Down, Some(_), None) => policy.deletes == Deletes::Keep,
            (Flow::Up | Flow::Down, Some(_), Some(_)) => policy.drift == Drift::Leave && undecided,
            // Both differ, or what was renamed onto such a one still waits with it.
            (Flow::Both, _, Some(_)) => {
                matches!(policy.conflict, OnConflict::Report | OnConflict::Newer) && report.conflicts > 0
            }
            _ => false,
        };
        if !fine {
            let side = |bytes: Option<&Vec<u8>>| bytes.map_or_else(|| "nothing".to_owned(), |bytes| show(bytes));
            stage.books.wrong(format!(
                "agreement: {key}: {} has {}, the bucket {}; {} said {}; its row is {row:?}",
                NAMES[place],
                side(ours),
                side(theirs),
                policy.flow_name(),
                brief(report),
            ));
        }
    }
}

fn one_way_down(policy: &Policy) -> bool {
    policy.flow == Flow::Down && policy.drift == Drift::Leave
}

/// What both sides agree on has the same extended attributes here and there, where
/// they are wanted and nothing is said of them. Of two devices one cannot see what
/// the other changed in the second in which the object was written.
fn attributes(stage: &Stage, place: usize) {
    let Some(report) = &stage.reports[place] else { return };
    if !stage.case.setup.xattrs
        || stage.devices.len() > 1 && !(stage.case.setup.bare && place == 0)
        || stage.history.resettled
        // What is changed here by whoever only fetches stays a change.
        || one_way_down(&stage.case.setup.policies[place])
        // What is found the same is taken as agreed, whatever its attributes.
        || stage.history.state_lost
        || report.stopped.is_some()
        // A copy of an earlier write that comes late has the same ETag.
        || stage.devices[place].fate.is_risky()
    {
        return;
    }
    let objects = stage.bucket.snapshot();
    for (path, node) in stage.devices[place].disk.tree() {
        let key = Key::new(path.as_str());
        let Some((bytes, meta, _)) = objects.get(&key).filter(|_| node.kind == Node::File) else { continue };
        let there = decode(&meta.user).meta.xattrs;
        let told = excused(report, key.as_str()) || report.conflicts + report.drift > 0;
        if told || *bytes != node.bytes || there.is_none() {
            continue;
        }
        let here: BTreeMap<_, _> = node.xattrs.into_iter().filter(|(name, _)| name.starts_with("user.")).collect();
        let there: BTreeMap<_, _> =
            there.unwrap_or_default().into_iter().filter(|(name, _)| name.starts_with("user.")).collect();
        if here != there {
            stage.books.wrong(format!("attributes: {key}: {} has {here:?}, the bucket {there:?}", NAMES[place]));
        }
    }
}

/// Whether those who compare by size and time may take the two for the same: times
/// are close together where everything happens at once.
fn looks_alike(ours: Option<&Vec<u8>>, theirs: Option<&Vec<u8>>) -> bool {
    matches!((ours, theirs), (Some(ours), Some(theirs)) if ours.len() == theirs.len())
}

trait FlowName {
    fn flow_name(&self) -> String;
}

impl FlowName for Policy {
    fn flow_name(&self) -> String {
        tidelock_engine::survey::mode_name(self)
    }
}

/// A row that claims that nothing changed on either side is right.
fn truth(stage: &Stage, place: usize) {
    let state = State::in_memory(Some(&stage.devices[place].state_name)).expect("memory opens");
    let disk = &stage.devices[place].disk;
    let objects = stage.bucket.snapshot();
    for row in state.page(None).unwrap_or_default() {
        let (Some(here), Some(there)) = (&row.here, &row.there) else { continue };
        let Ok((path, kind)) = entry_of(&row.key, LinkStyle::Suffix) else { continue };
        if row.standing != Standing::Agreed || kind != Kind::File {
            continue;
        }
        let bytes = disk.user_read(&path);
        let object = objects.get(&row.key);
        if stage.case.setup.by_stamp && looks_alike(bytes.as_ref(), object.map(|(bytes, ..)| bytes)) {
            continue;
        }
        let here_same = disk.user_stat(&path).is_some_and(|stat| stat.stamp == here.stamp) && !here.racy;
        let there_same = object.is_some_and(|(_, _, stamp)| stamp.etag == there.stamp.etag);
        let differ = |what: &str| {
            stage
                .books
                .wrong(format!("truth: {}: the row of {} is not what {what} holds: {row:?}", NAMES[place], row.key));
        };
        if here_same && there_same && bytes.as_ref() != object.map(|(bytes, ..)| bytes) {
            differ("each side");
        }
        // Who compares by stamp takes over the new change time of what keeps its own.
        let read = !stage.case.setup.by_stamp;
        if read && here_same && row.digest.is_some() && row.digest != bytes.as_deref().map(Digest::of) {
            differ("the folder");
        }
    }
}

fn leftovers(stage: &Stage, place: usize) {
    let tag = format!("{:08x}", 0xa0 + place);
    for (path, node) in stage.devices[place].disk.tree() {
        let excluded = stage.devices[place].excluded.as_ref();
        // Nobody looks into what is excluded.
        let hidden = excluded.is_some_and(|rule| path.as_str().starts_with(&format!("{rule}/")));
        if path.name().starts_with(TEMP_PREFIX) && path.name().contains(&tag) && !hidden {
            stage.books.wrong(format!("leftovers: {path} ({:?}) on {}", node.kind, NAMES[place]));
        }
    }
    let pending = stage.bucket.pending_uploads();
    // Who may not write there clears nothing up there.
    let may_clear = stage.devices.iter().all(|device| device.policy.writes_there());
    if !pending.is_empty() && !stage.history.state_lost && may_clear {
        stage.books.wrong(format!("leftovers: unfinished uploads: {pending:?}"));
    }
}

/// What nobody gave up is not only safe but in sight, unless a policy says
/// otherwise.
fn visible(stage: &Stage) {
    let hiding = stage.history.policies.iter().any(replaces_here);
    if hiding
        || stage.history.kept_beside
        || stage.case.setup.by_stamp
        || stage.devices.iter().any(|device| device.fate.is_risky())
    {
        return;
    }
    let mut seen: BTreeSet<Vec<u8>> = stage.objects().into_values().collect();
    for place in 0..stage.devices.len() {
        seen.extend(stage.seen(place).into_values());
        stage.devices[place].disk.set_unmounted(true);
        seen.extend(stage.seen(place).into_values());
        stage.devices[place].disk.set_unmounted(false);
    }
    let hidden = stage.books.ledger(|ledger| {
        let versions = ledger.versions.iter().filter(|version| !version.released && !version.bytes.is_empty());
        // What was written into something already in the trash, or made to look like
        // what it replaced, is kept there.
        let kept_aside = |meant: &String| meant.starts_with(".tidelock");
        versions
            .filter(|version| !version.disguised && !version.meant.iter().any(kept_aside))
            .find(|version| !seen.contains(&version.bytes))
            .map(|version| format!("{} (meant for {:?})", show(&version.bytes), version.meant))
    });
    if let Some(hidden) = hidden {
        stage.books.wrong(format!("survival: nobody gave up {hidden}, and it is out of sight"));
    }
}

/// What was deleted where all agreed is gone everywhere.
fn deletions(stage: &Stage) {
    let history = &stage.history;
    let trouble = history.broken || history.resettled || stage.devices.iter().any(|device| device.fate.is_risky());
    let passes_on = |policy: &Policy| policy.deletes == Deletes::Propagate && policy.flow != Flow::Down;
    let both = stage.devices.len() == 1 || stage.devices.iter().all(|device| device.policy.flow == Flow::Both);
    if trouble || !both || !stage.devices.iter().all(|device| passes_on(&device.policy)) {
        return;
    }
    let mut sides: Vec<(&str, crate::ledger::Contents)> = vec![("the bucket", stage.objects())];
    for (place, name) in NAMES.into_iter().enumerate().take(stage.devices.len()) {
        sides.push((name, stage.seen(place)));
    }
    for (place, key, bytes) in &history.deleted {
        for (name, side) in &sides {
            if side.get(key) == Some(bytes) {
                stage.books.wrong(format!(
                    "resurrection: {key} was deleted on {} when all agreed, and {name} has it: {}",
                    NAMES[*place],
                    show(bytes)
                ));
            }
        }
    }
}
