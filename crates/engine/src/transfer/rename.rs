//! Objects renamed there, with no file here.
//!
//! A copy under the new key with everything the object carries, pinned to the version
//! that was seen, and made only where nothing is, or what was seen. The deletion of the
//! old key is owed once that is on record, and paid where all deletions are.

use super::{Aftermath, Carrier, Course, Fate, archived, problem, remote_fate};
use crate::cycle::named::{Rename, owed_step, rename_step};
use crate::event::Event;
use crate::failure::Failure;
use crate::record::{Counts, Outcome, Recorder};
use crate::report::Report;
use crate::state::Change;
use std::sync::PoisonError;
use tidelock_core::entry::{BaseRow, RemoteHalf, Standing};
use tidelock_core::plan::{ProblemClass, Step};
use tidelock_remote::layer::ATTEMPT;
use tidelock_remote::{Condition, Object, Piece, Put, Readiness};

impl Carrier<'_> {
    /// Renames, a few at a time, and removes what was copied.
    pub(crate) async fn rename_there(
        &self,
        renames: &[Rename],
        recorder: &mut Recorder<'_>,
        report: &mut Report,
    ) -> Result<Aftermath, Failure> {
        let mut course = Course::new(self, recorder, report);
        let mut waiting = renames.iter();
        let next = || {
            Ok(waiting.next().map(|rename| async move {
                let fate = self.rename_one(rename).await;
                vec![(rename_step(rename), fate)]
            }))
        };
        let renamed = course.side_by_side(next).await;
        // What was copied is removed, also where the rest had to be left.
        course.flush().await?;
        let paid = self.deletes(&mut course).await;
        renamed.and(paid).and(self.check_interrupt())?;
        Ok(course.end())
    }

    async fn rename_one(&self, rename: &Rename) -> Fate {
        let Rename { from, to, over } = rename;
        let step = rename_step(rename);
        let object = match self.seen_again(&step, from).await {
            Ok(object) => object,
            Err(fate) => return fate,
        };
        match object.readiness {
            Readiness::Ready => {}
            Readiness::Archived | Readiness::Thawing => return archived(&step),
            Readiness::Lost => return Fate::Problem(problem(&step, ProblemClass::Failed, crate::survey::LOST)),
        }
        let condition = over.as_ref().map_or(Condition::Absent, |over| Condition::Matches(over.stamp.clone()));
        if let Err(error) = self.put(&self.copy(&object, rename, condition)).await {
            return remote_fate(&step, error);
        }
        let pinned = match self.checks_sources().await {
            Ok(pinned) => pinned,
            Err(error) => return remote_fate(&step, error),
        };
        if !pinned && self.seen_again(&step, from).await.is_err() {
            // Perhaps another version was copied. Nothing is taken back for that.
            let what =
                format!("{} may have changed while it was copied: both stay; look at them, then remove one", from.key);
            return Fate::Problem(problem(&step, ProblemClass::Skipped, what));
        }
        let there = Some(RemoteHalf { stamp: from.stamp.clone(), meta: None });
        let row = BaseRow {
            key: from.key.clone(),
            kind: step.kind,
            standing: Standing::Agreed,
            here: None,
            there,
            digest: None,
            moved_to: Some(to.clone()),
        };
        if let Err(error) = self.spool.push(&owed_step(rename), false) {
            return Fate::Fatal(error.into());
        }
        self.moved.lock().unwrap_or_else(PoisonError::into_inner).insert(from.key.clone());
        Fate::Done(Outcome {
            changes: vec![Change::Put(Box::new(row))],
            counts: Counts { moved: 1, ..Counts::default() },
            events: vec![Event::Done {
                action: "move".to_owned(),
                path: to.to_string(),
                bytes: 0,
                evidence: None,
                from: Some(from.key.to_string()),
            }],
            ..Outcome::default()
        })
    }

    /// The object, if it still is what was seen.
    async fn seen_again(&self, step: &Step, from: &Object) -> Result<Object, Fate> {
        match self.pair.remote.head(&from.key).await {
            Ok(Some(object)) if object.stamp.same_content(&from.stamp) => Ok(object),
            Ok(_) => Err(Fate::Stale),
            Err(error) => Err(remote_fate(step, error)),
        }
    }

    /// The copy: everything as it is, but for whose write it is.
    fn copy(&self, object: &Object, rename: &Rename, condition: Condition) -> Put {
        let piece =
            Piece::CopyOf { key: object.key.clone(), stamp: object.stamp.clone(), offset: 0, size: object.stamp.size };
        let mut meta = object.meta.clone().unwrap_or_default();
        meta.user.extend(self.pair.settings.user_meta.clone());
        meta.user.insert(ATTEMPT.to_owned(), self.attempt(&rename.to));
        meta.user.remove("tidelock-replaced");
        let asked = self.pair.settings.storage_class.clone();
        let storage_class = asked.or_else(|| object.storage_class.clone());
        Put { key: rename.to.clone(), recipe: vec![piece], meta, storage_class, condition }
    }
}
