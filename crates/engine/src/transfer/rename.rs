//! Objects renamed there, with no file here.
//!
//! A copy under the new key with everything the object carries, pinned to the version
//! that was seen, and made only where nothing is, or what was seen. That it may be made is
//! on record before; the old key goes right after, a page of them at a time, also when the
//! run is to end: only then the rename is done, counted and told.

use super::{Aftermath, Carrier, Course, Fate, archived, problem, remote_fate};
use crate::event::Event;
use crate::failure::Failure;
use crate::record::{Counts, Recorder};
use crate::report::Report;
use crate::root;
use crate::state::Change;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use tidelock_core::entry::{BaseRow, RemoteHalf, RemoteStamp, Standing};
use tidelock_core::meta::disclaim;
use tidelock_core::names::{Kind, LinkStyle, entry_of};
use tidelock_core::path::{Key, RelPath};
use tidelock_core::plan::{Action, Phase, Problem, ProblemClass, Step, ThereSeen};
use tidelock_remote::layer::ATTEMPT;
use tidelock_remote::{Condition, ErrorKind, Object, Piece, Put, Readiness};

impl Carrier<'_> {
    /// Renames what the spool says, a few at a time.
    pub(crate) async fn rename_there(
        &self,
        recorder: &mut Recorder<'_>,
        report: &mut Report,
    ) -> Result<Aftermath, Failure> {
        let mut course = Course::new(self, recorder, report);
        let mut steps = self.spool.phase(Phase::Write);
        loop {
            self.check_interrupt()?;
            let page = steps.next_page()?;
            if page.is_empty() {
                break;
            }
            self.mark(&page)?;
            let copied = Mutex::default();
            let mut waiting = page.iter();
            let next = || Ok(waiting.next().map(|step| self.rename_one(step, &copied)));
            let renamed = course.side_by_side(next).await;
            // What was copied is removed, also where the rest had to be left.
            let copied = copied.into_inner().unwrap_or_else(PoisonError::into_inner);
            let paid = self.pay(&mut course, copied).await;
            course.flush().await?;
            renamed.and(paid)?;
        }
        Ok(course.end())
    }

    /// What is about to be copied, and where to, for the run that finds both.
    fn mark(&self, steps: &[Step]) -> Result<(), Failure> {
        let marks = steps.iter().filter_map(|step| {
            let Action::Move { from, source, .. } = &step.action else { return None };
            Some(Change::Put(Box::new(BaseRow {
                key: from.clone(),
                kind: owed(from, source).kind,
                standing: Standing::Agreed,
                here: None,
                there: Some(RemoteHalf { stamp: source.clone(), meta: None }),
                digest: None,
                moved_to: Some(step.key.clone()),
            })))
        });
        Ok(self.pair.state.commit(&marks.collect::<Vec<_>>())?)
    }

    async fn rename_one(&self, step: &Step, copied: &Mutex<Vec<Step>>) -> Vec<(Step, Fate)> {
        match self.copy_there(step).await {
            Ok(()) => {
                copied.lock().unwrap_or_else(PoisonError::into_inner).push(step.clone());
                Vec::new()
            }
            Err(fate) => vec![(step.clone(), fate)],
        }
    }

    async fn copy_there(&self, step: &Step) -> Result<(), Fate> {
        let Action::Move { from, source, .. } = &step.action else { return Err(Fate::Left) };
        let object = self.seen_again(step, from, source).await?;
        match object.readiness {
            Readiness::Ready => {}
            Readiness::Archived | Readiness::Thawing => return Err(archived(step)),
            Readiness::Lost => return Err(Fate::Problem(problem(step, ProblemClass::Failed, crate::survey::LOST))),
        }
        let over = step.there.as_ref().map(|there| there.stamp.clone());
        let condition = over.map_or(Condition::Absent, Condition::Matches);
        let pinned = self.checks_sources().await.map_err(|error| remote_fate(step, error))?;
        let mut copy = self.copy(&object, &step.key, condition);
        if !pinned {
            disclaim(&mut copy.meta.user);
        }
        // Perhaps another version was copied. Nothing is taken back for that.
        let raced = || {
            let what = format!("{from} may have changed while it was copied: both stay; look at them, then remove one");
            Fate::Problem(problem(step, ProblemClass::Skipped, what))
        };
        match self.put(&copy).await {
            Err(error) if error.kind == ErrorKind::Raced => Err(raced()),
            Err(error) => Err(remote_fate(step, error)),
            // Where a reply was lost, nobody has looked at the source after the copy.
            Ok(_) if !pinned => match self.seen_again(step, from, source).await {
                Err(Fate::Stale) => Err(raced()),
                seen => seen.map(drop),
            },
            Ok(_) => Ok(()),
        }
    }

    /// Removes what was copied.
    async fn pay(&self, course: &mut Course<'_, '_>, copied: Vec<Step>) -> Result<(), Failure> {
        if copied.is_empty() {
            return Ok(());
        }
        root::check_still(self.pair).await?;
        let mut renamed: BTreeMap<Key, Step> = BTreeMap::new();
        for step in copied {
            if let Action::Move { from, .. } = &step.action {
                renamed.insert(from.clone(), step);
            }
        }
        self.spool.note_moved(renamed.keys())?;
        let due = renamed.values().filter_map(|step| match &step.action {
            Action::Move { from, source, .. } => Some(owed(from, source)),
            _ => None,
        });
        let mut paid = Ok(());
        for (owed, fate) in self.delete_there(due.collect()).await {
            if let Some(step) = renamed.get(&owed.key) {
                paid = paid.and(course.settle(step, paid_off(step, &owed.key, fate)).await);
            }
        }
        paid
    }

    /// The object, if it still is what was seen.
    async fn seen_again(&self, step: &Step, from: &Key, source: &RemoteStamp) -> Result<Object, Fate> {
        match self.pair.remote.head(from).await {
            Ok(Some(object)) if object.stamp.same_content(source) => Ok(object),
            Ok(_) => Err(Fate::Stale),
            Err(error) => Err(remote_fate(step, error)),
        }
    }

    /// The copy: everything as it is, but for whose write it is.
    fn copy(&self, object: &Object, to: &Key, condition: Condition) -> Put {
        let piece =
            Piece::CopyOf { key: object.key.clone(), stamp: object.stamp.clone(), offset: 0, size: object.stamp.size };
        let mut meta = object.meta.clone().unwrap_or_default();
        meta.user.extend(self.pair.settings.user_meta.clone());
        meta.user.insert(ATTEMPT.to_owned(), self.attempt(to));
        meta.user.remove("tidelock-replaced");
        let asked = self.pair.settings.storage_class.clone();
        let storage_class = asked.or_else(|| object.storage_class.clone());
        Put { key: to.clone(), recipe: vec![piece], meta, storage_class, condition }
    }
}

/// What came of a rename whose copy was made, by what came of the deletion that it owed.
fn paid_off(step: &Step, from: &Key, fate: Fate) -> Fate {
    let both = |why: &str| format!("it is there, but {from} stays, too: {why}");
    match fate {
        Fate::Done(mut outcome) => {
            outcome.counts = Counts { moved: 1, ..Counts::default() };
            outcome.events = vec![Event::Done {
                action: "move".to_owned(),
                path: step.key.to_string(),
                bytes: 0,
                evidence: None,
                from: Some(from.to_string()),
            }];
            Fate::Done(outcome)
        }
        Fate::Stale | Fate::StaleSince(_) => {
            let why = both("it was changed by somebody else meanwhile; look at them, then remove one");
            Fate::Problem(problem(step, ProblemClass::Skipped, why))
        }
        Fate::Problem(problem) => Fate::Problem(Problem { what: both(&problem.what), ..problem }),
        fate => fate,
    }
}

/// The deletion that the rename of an object owes.
fn owed(from: &Key, source: &RemoteStamp) -> Step {
    let there = ThereSeen { stamp: source.clone(), archived: false, lost: false };
    named_step(from, Action::DeleteMoved, Some(there))
}

/// A step for what a person named there: nothing here takes part in it.
pub(crate) fn named_step(key: &Key, action: Action, there: Option<ThereSeen>) -> Step {
    use tidelock_core::decide::{Change, Row, Sameness};
    // A key that no entry can have has no path, and nothing here is looked for.
    let (path, kind) = entry_of(key, LinkStyle::Suffix).unwrap_or((RelPath::root(), Kind::File));
    let change = if there.is_some() { Change::New } else { Change::Never };
    let row = Row { standing: None, here: Change::Never, there: change, same: Sameness::Unknown };
    Step { key: key.clone(), path, kind, action, row, here: None, there }
}
