//! From outcomes to rows.
//!
//! What was done is gathered here and written to the state in groups, each after
//! the folders it touched are durable. Nothing is told to anyone as done before it
//! is recorded. A crash loses the memory of at most one group, never its effects:
//! the next run finds both sides equal and adopts them.

use crate::disk::ErrorKind;
use crate::event::Event;
use crate::failure::Failure;
use crate::pair::Pair;
use crate::planted::Bug;
use crate::report::Report;
use crate::state::Change;
use std::collections::BTreeSet;
use tidelock_core::path::RelPath;

/// A group is written when it has this many changes …
const GROUP_CHANGES: usize = 256;
/// … or is this old.
const GROUP_AGE_NS: u64 = 1_000_000_000;

/// What carrying out a step brought about.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What changes in the base.
    pub changes: Vec<Change>,
    /// Folders whose names must be durable first.
    pub dirs: Vec<RelPath>,
    /// What to tell once it is recorded.
    pub events: Vec<Event>,
    /// What it adds to the report, once it is recorded.
    pub counts: Counts,
    /// Whether what was learnt calls for another look at both sides.
    pub again: bool,
    /// Whether the files that the changes vouch for were written, and made durable,
    /// by us.
    pub synced: bool,
}

/// What an outcome adds to the report.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Sent.
    pub uploaded: u64,
    /// Bytes of that.
    pub uploaded_bytes: u64,
    /// Copied there.
    pub moved: u64,
    /// Fetched or made from what was here.
    pub downloaded: u64,
    /// Bytes fetched.
    pub downloaded_bytes: u64,
    /// Made from what was here.
    pub reused: u64,
    /// Metadata set.
    pub metas: u64,
    /// Removed there.
    pub deleted_there: u64,
    /// Removed here.
    pub deleted_here: u64,
    /// Found to be the same.
    pub adopted: u64,
    /// Conflicts resolved by keeping both.
    pub kept_both: u64,
}

impl Counts {
    fn add_to(self, report: &mut Report) {
        report.uploaded += self.uploaded;
        report.uploaded_bytes += self.uploaded_bytes;
        report.moved += self.moved;
        report.downloaded += self.downloaded;
        report.downloaded_bytes += self.downloaded_bytes;
        report.reused += self.reused;
        report.metas += self.metas;
        report.deleted_there += self.deleted_there;
        report.deleted_here += self.deleted_here;
        report.adopted += self.adopted;
        report.kept_both += self.kept_both;
    }
}

impl Outcome {
    /// Only a change of the base.
    pub fn record(change: Change) -> Self {
        Self { changes: vec![change], ..Self::default() }
    }

    /// When the newest of the files was changed that are recorded as being here and
    /// that somebody else wrote, in nanoseconds of the wall clock.
    fn vouched_ns(&self) -> Option<i64> {
        let here_ns = |change: &Change| match change {
            Change::Put(row) => row.here.as_ref().map(|here| here.stamp.change_ns),
            Change::Drop(_) | Change::Moved(..) | Change::Stand(..) => None,
        };
        if self.synced { None } else { self.changes.iter().filter_map(here_ns).max() }
    }

    /// Takes another outcome in.
    pub fn join(&mut self, other: Self) {
        self.changes.extend(other.changes);
        self.dirs.extend(other.dirs);
        self.events.extend(other.events);
        self.synced &= other.synced;
        let (a, b) = (&mut self.counts, other.counts);
        *a = Counts {
            uploaded: a.uploaded + b.uploaded,
            uploaded_bytes: a.uploaded_bytes + b.uploaded_bytes,
            moved: a.moved + b.moved,
            downloaded: a.downloaded + b.downloaded,
            downloaded_bytes: a.downloaded_bytes + b.downloaded_bytes,
            reused: a.reused + b.reused,
            metas: a.metas + b.metas,
            deleted_there: a.deleted_there + b.deleted_there,
            deleted_here: a.deleted_here + b.deleted_here,
            adopted: a.adopted + b.adopted,
            kept_both: a.kept_both + b.kept_both,
        };
    }
}

/// Gathers outcomes and writes them in groups.
pub struct Recorder<'a> {
    pair: &'a Pair,
    run: i64,
    group: Outcome,
    since_ns: Option<u64>,
    /// How many of the deletions here to come are another device's renames.
    renames: u64,
    /// The newest change of what the group vouches for and others wrote.
    vouched_ns: Option<i64>,
    /// When the whole file system was last made durable, on the wall clock.
    synced_ns: Option<i64>,
    /// What was told since the last group, to be kept with the next.
    told: Vec<String>,
}

impl<'a> Recorder<'a> {
    /// For one run.
    pub fn new(pair: &'a Pair, run: i64) -> Self {
        let (group, told, since_ns, vouched_ns, synced_ns) = Default::default();
        Self { pair, run, group, since_ns, renames: 0, vouched_ns, synced_ns, told }
    }

    /// So many deletions here are no deletions to the guard of later runs either.
    pub fn expecting_renames(self, renames: u64) -> Self {
        Self { renames, ..self }
    }

    /// Takes an outcome; writes the group if it is full or old.
    pub async fn take(&mut self, outcome: Outcome, report: &mut Report) -> Result<(), Failure> {
        let now = self.pair.world.clock.monotonic_ns();
        let since = *self.since_ns.get_or_insert(now);
        self.vouched_ns = self.vouched_ns.max(outcome.vouched_ns());
        self.group.join(outcome);
        if self.group.changes.len() >= GROUP_CHANGES || now.saturating_sub(since) >= GROUP_AGE_NS {
            self.flush(report).await?;
        }
        Ok(())
    }

    /// Makes the group's effects durable, then writes its rows, then tells.
    pub async fn flush(&mut self, report: &mut Report) -> Result<(), Failure> {
        let group = std::mem::take(&mut self.group);
        self.since_ns = None;
        self.keep_what_is_vouched_for().await?;
        if !self.pair.planted.has(Bug::SkipFsyncDir) {
            let dirs: BTreeSet<RelPath> = group.dirs.into_iter().collect();
            for dir in dirs {
                match self.pair.disk.sync_dir(&dir).await {
                    Ok(()) => {}
                    // The folder was removed since, or replaced: nothing in it can be lost.
                    Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::NotADir) => {}
                    // Unrecorded effects are found again by the next run.
                    Err(error) => return Err(Failure::root(&self.pair.local_name, &error)),
                }
            }
        }
        let kept = std::mem::take(&mut self.told).into_iter();
        let kept: Vec<String> = kept.chain(group.events.iter().filter_map(Event::to_keep)).collect();
        self.pair.state.commit_told(&group.changes, self.run, &kept)?;
        let renames = self.renames.min(group.counts.deleted_here);
        self.renames -= renames;
        let deletes = group.counts.deleted_here - renames + group.counts.deleted_there;
        if deletes > 0 {
            self.pair.state.note_deletes(deletes, self.pair.now_ms())?;
        }
        group.counts.add_to(report);
        for event in &group.events {
            self.pair.listener.hear(event);
        }
        Ok(())
    }

    /// A row claims that a file is here. Whoever wrote the file may never have synced
    /// it: if the power went, it would be gone, and its absence would read as a
    /// deletion. One sync covers all files that were last changed before it.
    async fn keep_what_is_vouched_for(&mut self) -> Result<(), Failure> {
        let Some(newest_ns) = self.vouched_ns.take() else { return Ok(()) };
        // Changes are stamped with a clock that ticks, and so lags by a grain.
        let covered = |synced_ns| newest_ns < synced_ns - 2 * self.pair.disk.grain_ns();
        if self.synced_ns.is_some_and(covered) {
            return Ok(());
        }
        let now_ns = self.pair.world.clock.wall_ns();
        self.pair.disk.sync_all().await.map_err(|error| Failure::root(&self.pair.local_name, &error))?;
        self.synced_ns = Some(now_ns);
        Ok(())
    }

    /// Tells an event that needs no record first; it is kept with the next group.
    pub async fn tell(&mut self, event: &Event, report: &mut Report) -> Result<(), Failure> {
        self.pair.listener.hear(event);
        self.told.extend(event.to_keep());
        if self.told.len() >= GROUP_CHANGES { self.flush(report).await } else { Ok(()) }
    }
}

/// Tells an event, and keeps it if it is worth keeping.
pub fn tell(pair: &Pair, run: i64, event: &Event) -> Result<(), Failure> {
    pair.listener.hear(event);
    if let Some(json) = event.to_keep() {
        pair.state.note_event(run, &json)?;
    }
    Ok(())
}
