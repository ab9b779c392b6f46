//! What came of a run's steps, taken to where it belongs.
//!
//! Every fate goes through [`Course::settle`]: to the recorder, into the report, or
//! among what is left over. Steps run a bounded number at once; what is under way when
//! the run is over is still finished and recorded. Which steps, in which order, is the
//! carrier's affair.

use super::{Carrier, Fate, problem};
use crate::event::Event;
use crate::failure::Failure;
use crate::record::{Counts, Recorder};
use crate::report::{Ending, Report};
use futures::stream::{FuturesUnordered, StreamExt};
use std::collections::{BTreeSet, VecDeque};
use std::sync::PoisonError;
use tidelock_core::names::Kind;
use tidelock_core::path::RelPath;
use tidelock_core::plan::{Action, Problem, ProblemClass, Step};
use tidelock_core::policy::Flow;

/// What is left over after a plan was carried out.
#[derive(Debug, Default)]
pub(crate) struct Aftermath {
    /// Steps that found something else than expected.
    pub(crate) stale: u64,
    /// The first of them: their paths, and what was found instead.
    examples: Vec<(String, String)>,
}

impl Aftermath {
    fn stale(&mut self, step: &Step, why: Option<String>) {
        const EXAMPLES: usize = 100;
        self.stale += 1;
        if self.examples.len() < EXAMPLES {
            let why = why.unwrap_or_else(|| "what was found was not what had been listed or read before".to_owned());
            self.examples.push((step.key.to_string(), why));
        }
    }

    /// What is left undone, path by path as far as they are known.
    pub(crate) fn problems(&self, what: &str, remedy: &str) -> Vec<Problem> {
        let skipped = |path: &str, what: String| Problem { path: path.to_owned(), what, class: ProblemClass::Skipped };
        let mut problems: Vec<Problem> =
            self.examples.iter().map(|(path, why)| skipped(path, format!("{what} ({why}); {remedy}"))).collect();
        let more = self.stale - u64::try_from(self.examples.len()).unwrap_or(self.stale);
        if more > 0 {
            problems.push(skipped(".", format!("{more} more entries: {what}; {remedy}")));
        }
        problems
    }
}

/// A plan under way.
pub(super) struct Course<'c, 'p> {
    carrier: &'c Carrier<'c>,
    recorder: &'c mut Recorder<'p>,
    report: &'c mut Report,
    aftermath: Aftermath,
    /// Steps whose names were taken, until the deletions have made room.
    blocked: VecDeque<Step>,
    /// Folders here that deletions took something out of.
    pub(super) bereft: BTreeSet<RelPath>,
}

impl<'c, 'p> Course<'c, 'p> {
    pub(super) fn new(carrier: &'c Carrier<'c>, recorder: &'c mut Recorder<'p>, report: &'c mut Report) -> Self {
        let (aftermath, blocked, bereft) = Default::default();
        Self { carrier, recorder, report, aftermath, blocked, bereft }
    }

    /// Runs what `next` gives, a bounded number at once, and settles what comes of it.
    /// An interruption lets nothing new begin.
    pub(super) async fn side_by_side<F>(
        &mut self,
        mut next: impl FnMut() -> Result<Option<F>, Failure>,
    ) -> Result<(), Failure>
    where
        F: Future<Output = Vec<(Step, Fate)>>,
    {
        let pair = self.carrier.pair;
        let mut running = FuturesUnordered::new();
        let mut has_more = true;
        let mut settled = Ok(());
        loop {
            while has_more && settled.is_ok() && running.len() < pair.settings.concurrency && !pair.is_interrupted() {
                match next() {
                    Ok(Some(work)) => running.push(work),
                    Ok(None) => has_more = false,
                    Err(failure) => settled = Err(failure),
                }
            }
            let Some(fates) = running.next().await else { return settled };
            for (step, fate) in fates {
                settled = settled.and(self.settle(&step, fate).await);
            }
        }
    }

    /// Takes what came of a step to where it belongs.
    pub(super) async fn settle(&mut self, step: &Step, fate: Fate) -> Result<(), Failure> {
        let left_out = std::mem::take(&mut *self.carrier.left_out.lock().unwrap_or_else(PoisonError::into_inner));
        for problem in left_out {
            self.tell_problem(problem).await?;
        }
        match fate {
            Fate::Done(outcome) => {
                if outcome.again {
                    self.aftermath.stale(step, None);
                } else if step.action == Action::Compare && outcome.counts == Counts::default() {
                    // A closer look found both sides as they were agreed. What is looked at
                    // again in a later pass was counted.
                    self.report.unchanged += u64::from(self.report.passes == 1);
                }
                if step.action == Action::DeleteHere {
                    self.bereft.extend(step.path.parent());
                }
                self.recorder.take(outcome, self.report).await
            }
            Fate::Stale => {
                self.aftermath.stale(step, None);
                Ok(())
            }
            Fate::StaleSince(why) => {
                self.aftermath.stale(step, Some(why));
                Ok(())
            }
            Fate::Problem(problem) => self.tell_problem(problem).await,
            Fate::Blocked(_) => {
                self.blocked.push_back(step.clone());
                Ok(())
            }
            Fate::Conflict => self.leave(step, true).await,
            Fate::Left => self.leave(step, false).await,
            Fate::Noted(outcome) => {
                self.recorder.take(outcome, self.report).await?;
                self.leave(step, false).await
            }
            Fate::Fatal(failure) => {
                // What was done before is recorded, whatever ended the run.
                self.flush().await?;
                Err(failure)
            }
        }
    }

    /// Records all that was settled so far.
    pub(super) async fn flush(&mut self) -> Result<(), Failure> {
        self.recorder.flush(self.report).await
    }

    /// A step that found its name taken, to be tried once more.
    pub(super) fn next_blocked(&mut self) -> Option<Step> {
        self.blocked.pop_front()
    }

    /// What is left over.
    pub(super) fn end(self) -> Aftermath {
        self.aftermath
    }

    async fn tell_problem(&mut self, problem: Problem) -> Result<(), Failure> {
        if !self.report.problem(problem.clone()) {
            return Ok(());
        }
        self.recorder.tell(&Event::Problem(problem), self.report).await
    }

    /// Counts a difference that stays, and tells of it where a person must know.
    async fn leave(&mut self, step: &Step, is_conflict: bool) -> Result<(), Failure> {
        let settings = &self.carrier.pair.settings;
        if settings.policy.flow == Flow::Down && differs(step) {
            let what =
                "it differs here and was left as it is; --overwrite replaces it (the file here goes to the trash)";
            self.tell_problem(problem(step, ProblemClass::Skipped, what)).await
        } else if is_conflict {
            self.report.conflicts += 1;
            self.report.end(Ending::Conflicts);
            let event = Event::Conflict { path: step.key.to_string(), row: step.row.to_string() };
            self.recorder.tell(&event, self.report).await
        } else {
            self.report.drift += u64::from(!step.action.is_bookkeeping() && !settings.only_moves);
            Ok(())
        }
    }
}

/// Whether both sides have it, each its own: a restore says which files it did not
/// bring back.
fn differs(step: &Step) -> bool {
    step.here.is_some() && step.there.is_some() && step.kind != Kind::Dir && !step.action.is_bookkeeping()
}
