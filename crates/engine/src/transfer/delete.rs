//! Deletions, each looked at once more just before.
//!
//! An object goes only while its file is still absent, and only the version that
//! was planned on; those of moves only once the move is on record. A file goes only
//! while one HEAD says that its object is gone, and only into the trash. Folders go
//! last, deepest first, and only if they are empty.

use super::upload::done;
use super::{Carrier, Course, Fate, at_once, disk_fate, install_fate, remote_fate};
use crate::disk;
use crate::event::Event;
use crate::failure::Failure;
use crate::pair::Pair;
use crate::planted::Bug;
use crate::record::{Counts, Outcome};
use crate::root;
use crate::state::Change;
use std::collections::BTreeSet;
use tidelock_core::entry::BaseRow;
use tidelock_core::names::{Kind, LinkStyle, key_of};
use tidelock_core::path::{Key, RelPath};
use tidelock_core::plan::{Action, Phase, Step};
use tidelock_remote::{Condition, ErrorKind};

impl Carrier<'_> {
    pub(super) async fn deletes(&self, course: &mut Course<'_, '_>) -> Result<(), Failure> {
        let mut steps = self.spool.phase(Phase::Delete);
        // What the disk would not let go is tried again by the next run.
        let mut left = BTreeSet::new();
        loop {
            self.check_interrupt()?;
            let page = steps.next_page()?;
            if page.is_empty() {
                break;
            }
            root::check_still(self.pair).await?;
            let (here, there): (Vec<Step>, Vec<Step>) =
                page.into_iter().partition(|step| step.action == Action::DeleteHere);
            for (step, fate) in self.delete_there(there).await {
                course.settle(&step, at_once(fate)).await?;
            }
            let files: Vec<Step> = here.into_iter().filter(|step| step.kind != Kind::Dir).collect();
            if files.is_empty() {
                continue;
            }
            self.will_empty(&left, &files)?;
            self.delete_files(files, course).await?;
            self.clear_emptied(&mut left, course).await?;
        }
        self.delete_folders(&mut left, course).await
    }

    /// A run that dies now leaves folders that only our deletions emptied.
    fn will_empty(&self, left: &BTreeSet<RelPath>, steps: &[Step]) -> Result<(), Failure> {
        let parents = steps.iter().filter_map(|step| step.path.parent());
        set_emptying(self.pair, left.iter().cloned().chain(parents).collect())
    }

    /// Folders that a page of deletions emptied go. One of which a later page has more
    /// is not empty yet, and comes again with that page.
    async fn clear_emptied(&self, left: &mut BTreeSet<RelPath>, course: &mut Course<'_, '_>) -> Result<(), Failure> {
        left.append(&mut remove_emptied(self.pair, std::mem::take(&mut course.bereft)).await?);
        set_emptying(self.pair, left.clone())
    }

    /// One batch of objects.
    pub(super) async fn delete_there(&self, steps: Vec<Step>) -> Vec<(Step, Fate)> {
        let mut fates = Vec::new();
        let mut batch = Vec::new();
        for step in steps {
            match self.may_delete_there(&step).await {
                Ok(condition) => batch.push((step, condition)),
                Err(fate) => fates.push((step, fate)),
            }
        }
        if batch.is_empty() {
            return fates;
        }
        let items: Vec<_> = batch.iter().map(|(step, condition)| (step.key.clone(), condition.clone())).collect();
        let answers = self.pair.remote.delete(&items).await;
        for ((step, _), answer) in batch.into_iter().zip(answers) {
            let fate = match answer {
                Ok(()) => deleted_there(&step),
                Err(error) if error.kind == ErrorKind::NotFound => deleted_there(&step),
                Err(_) if self.pair.planted.has(Bug::PerKeyDeleteErrorsIgnored) => deleted_there(&step),
                Err(error) => remote_fate(&step, error),
            };
            fates.push((step, fate));
        }
        fates
    }

    async fn may_delete_there(&self, step: &Step) -> Result<Condition, Fate> {
        if self.pair.settings.only_moves && step.action != Action::DeleteMoved {
            return Err(Fate::Left);
        }
        self.check_here(step).await?;
        if step.action == Action::DeleteMoved {
            self.check_moved(step).await?;
        }
        let there = step.there.as_ref().ok_or(Fate::Stale)?;
        if self.pair.planted.has(Bug::DropIfMatch) {
            let now = self.pair.remote.head(&step.key).await.map_err(|error| remote_fate(step, error))?;
            return now.map(|object| Condition::Matches(object.stamp)).ok_or(Fate::Stale);
        }
        Ok(Condition::Matches(there.stamp.clone()))
    }

    /// Makes sure that the bytes of a moved object are where they were moved to. An
    /// earlier run's word is not taken for it: somebody may have been there since.
    async fn check_moved(&self, step: &Step) -> Result<(), Fate> {
        let row = |key: &Key| self.pair.state.row(key);
        let fatal = |error: crate::state::Error| Fate::Fatal(error.into());
        // Unmarked, the move did not happen: the next plan sees to the old key.
        let old = row(&step.key).map_err(fatal)?.ok_or(Fate::Stale)?;
        let noted = self.spool.source(&step.key).map_err(fatal)?;
        let Some(to) = old.moved_to.clone() else {
            // The move did not happen: the next plan sees to the old key, unless it
            // waits for a person to decide about the new one.
            return Err(if noted == Some(false) { Fate::Left } else { Fate::Stale });
        };
        if noted == Some(true) {
            return Ok(());
        }
        let new = row(&to).map_err(fatal)?.filter(|new| new.digest.is_some() && new.digest == old.digest);
        let object = self.pair.remote.head(&to).await.map_err(|error| remote_fate(step, error))?;
        let agreed = new.and_then(|new| new.there);
        if matches!((&agreed, &object), (Some(half), Some(object)) if half.stamp.same_content(&object.stamp)) {
            return Ok(());
        }
        let unmarked = BaseRow { moved_to: None, ..old };
        let written = self.pair.state.commit(&[Change::Put(Box::new(unmarked))]);
        Err(written.map_or_else(|error| Fate::Fatal(error.into()), |()| Fate::Stale))
    }

    async fn delete_files(&self, steps: Vec<Step>, course: &mut Course<'_, '_>) -> Result<(), Failure> {
        let mut steps = steps.into_iter();
        let next = || {
            Ok(steps.next().map(|step| async move {
                let fate = at_once(self.delete_file(&step).await);
                vec![(step, fate)]
            }))
        };
        course.side_by_side(next).await
    }

    async fn delete_file(&self, step: &Step) -> Fate {
        let Some(here) = &step.here else { return Fate::Stale };
        if let Err(fate) = self.still_gone_there(step).await {
            return fate;
        }
        if let Err(fate) = self.check_here(step).await {
            return fate;
        }
        match self.installer.discard(&step.path, &here.stamp).await {
            Ok(discarded) => Fate::Done(Outcome {
                changes: vec![Change::Drop(step.key.clone())],
                dirs: discarded.dirs,
                events: vec![done("delete-here", step, 0)],
                counts: Counts { deleted_here: 1, ..Counts::default() },
                ..Outcome::default()
            }),
            Err(error) => install_fate(step, error),
        }
    }

    /// One HEAD, just before.
    async fn still_gone_there(&self, step: &Step) -> Result<(), Fate> {
        if self.pair.planted.has(Bug::NoHeadBeforeDeleteHere) {
            return Ok(());
        }
        match self.pair.remote.head(&step.key).await {
            Ok(None) => Ok(()),
            Ok(Some(_)) => Err(Fate::Stale),
            Err(error) => Err(remote_fate(step, error)),
        }
    }

    async fn delete_folders(&self, left: &mut BTreeSet<RelPath>, course: &mut Course<'_, '_>) -> Result<(), Failure> {
        let mut before = i64::MAX;
        loop {
            let page = self.spool.folders_descending(Phase::Delete, before)?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            before = *last;
            let folders: Vec<Step> =
                page.into_iter().map(|(_, step)| step).filter(|step| step.action == Action::DeleteHere).collect();
            if folders.is_empty() {
                continue;
            }
            self.will_empty(left, &folders)?;
            for step in folders {
                let fate = at_once(self.delete_folder(&step).await);
                course.settle(&step, fate).await?;
            }
            self.clear_emptied(left, course).await?;
        }
    }

    async fn delete_folder(&self, step: &Step) -> Fate {
        if let Err(fate) = self.still_gone_there(step).await {
            return fate;
        }
        let forgotten = Outcome::record(Change::Drop(step.key.clone()));
        match self.pair.disk.remove_dir(&step.path).await {
            Ok(()) => Fate::Done(Outcome {
                dirs: step.path.parent().into_iter().collect(),
                events: vec![done("delete-here", step, 0)],
                counts: Counts { deleted_here: 1, ..Counts::default() },
                ..forgotten
            }),
            // Something is in it, so it stays; it is a folder like any other now.
            Err(error) if error.kind == disk::ErrorKind::NotEmpty && step.row.standing.is_none() => Fate::Left,
            Err(error) if error.kind == disk::ErrorKind::NotEmpty => Fate::Done(forgotten),
            Err(error) => disk_fate(step, error),
        }
    }
}

/// The fact that keeps which folders a run's deletions may empty.
pub(crate) const EMPTYING: &str = "emptying";

fn set_emptying(pair: &Pair, folders: BTreeSet<RelPath>) -> Result<(), Failure> {
    let json = serde_json::to_string(&folders).unwrap_or_default();
    Ok(pair.state.set_fact(EMPTYING, &json)?)
}

/// Removes what a run that died in its deletions left empty; whether that changed
/// anything.
pub(crate) async fn finish_emptying(pair: &Pair) -> Result<bool, Failure> {
    let json = pair.state.fact(EMPTYING)?.unwrap_or_default();
    let folders: BTreeSet<RelPath> = serde_json::from_str(&json).unwrap_or_default();
    if folders.is_empty() {
        return Ok(false);
    }
    let left = remove_emptied(pair, folders.clone()).await?;
    let changed = left != folders;
    set_emptying(pair, left)?;
    Ok(changed)
}

/// Removes folders that our own deletions emptied, upward to the root or to a
/// folder that has a marker. Returns those that the disk would not let go.
async fn remove_emptied(pair: &Pair, folders: BTreeSet<RelPath>) -> Result<BTreeSet<RelPath>, Failure> {
    use disk::ErrorKind::{NotADir, NotEmpty, NotFound};
    let mut left = BTreeSet::new();
    for folder in folders.into_iter().rev() {
        let mut at = folder;
        while !at.is_root() {
            let marked = match key_of(&at, Kind::Dir, LinkStyle::Suffix) {
                Ok(key) => pair.state.row(&key)?.is_some(),
                Err(_) => true,
            };
            if marked {
                break;
            }
            match pair.disk.remove_dir(&at).await {
                Ok(()) => {}
                Err(error) if error.kind == NotFound => {}
                Err(error) if matches!(error.kind, NotEmpty | NotADir) => break,
                Err(_) => {
                    left.insert(at);
                    break;
                }
            }
            at = at.parent().unwrap_or_else(RelPath::root);
        }
    }
    Ok(left)
}

fn deleted_there(step: &Step) -> Fate {
    let moved = step.action == Action::DeleteMoved;
    let counts = Counts { deleted_there: u64::from(!moved), ..Counts::default() };
    let events: Vec<Event> = (!moved).then(|| done("delete-there", step, 0)).into_iter().collect();
    Fate::Done(Outcome { changes: vec![Change::Drop(step.key.clone())], events, counts, ..Outcome::default() })
}
