//! What a person names on a remote, removed or renamed there.
//!
//! No folder takes part. What was named is looked for, becomes a plan like any other,
//! is held against the guard and carried out by the same hands: a deletion goes through
//! the one place that deletes, under the version that was seen; a rename is a copy, and
//! a deletion owed once the copy is there.

use super::{Mode, Run, begin, end, fail, installer, show, sweep_uploads, tell_problem};
use crate::digest::wanted_for;
use crate::event::Event;
use crate::failure::Failure;
use crate::pair::Pair;
use crate::record::Recorder;
use crate::report::Report;
use crate::root;
use crate::state::Spool;
use crate::transfer::{Carrier, is_own_attempt, named_step};
use std::collections::VecDeque;
use tidelock_core::guard::{Stop, check_named};
use tidelock_core::meta::{Attributes, decode};
use tidelock_core::path::{Key, is_reserved_key};
use tidelock_core::pin::{End, is_half_renamed};
use tidelock_core::plan::{Action, Problem, ProblemClass, Step, ThereSeen, Totals};
use tidelock_remote::{Cursor, Object, Readiness};

/// What is to go.
#[derive(Debug, Clone, Default)]
pub struct Doomed {
    /// Objects, as they were seen.
    pub objects: Vec<Object>,
    /// What keys begin with that all go; empty is everything.
    pub prefixes: Vec<String>,
}

/// What is to be called otherwise.
#[derive(Debug, Clone)]
pub struct Rename {
    /// The object, as it was seen.
    pub from: Object,
    /// Its new key.
    pub to: Key,
    /// The object that has the new key.
    pub over: Option<Object>,
}

/// What a person wants renamed.
#[derive(Debug, Clone)]
pub enum Renames {
    /// What was named by itself.
    One(Box<Rename>),
    /// All that begins with the one, to begin with the other. Neither begins with the other.
    Below(String, String),
}

/// Removes what was named, place by place. Nothing goes before all of it was found, and
/// one guard looks at all of it. The pairs' folders are such as are not there. A report for
/// each place up to the one that stopped.
pub async fn delete_named(mode: Mode, places: &[(&Pair, &Doomed)]) -> Vec<Report> {
    let works = places.iter().map(|(pair, doomed)| (*pair, Work::Delete(doomed)));
    go(mode, works.collect()).await
}

/// Renames what was named; what has a new name already only if it is to be replaced. The
/// pair's folder is one that is not there.
pub async fn rename_named(pair: &Pair, mode: Mode, renames: &Renames, overwrite: bool) -> Report {
    go(mode, vec![(pair, Work::Rename(renames, overwrite))]).await.pop().unwrap_or_default()
}

#[derive(Clone, Copy)]
enum Work<'a> {
    Delete(&'a Doomed),
    Rename(&'a Renames, bool),
}

/// What is to be done in one place.
struct Plan<'a> {
    pair: &'a Pair,
    work: Work<'a>,
    spool: Spool<'a>,
    totals: Totals,
    /// How many of its deletions and renames nobody named by themselves.
    below: u64,
    /// How many objects stay because they are Tidelock's own, and the first of them.
    stays: Option<(u64, Key)>,
    started_ns: u64,
}

async fn go(mode: Mode, works: Vec<(&Pair, Work<'_>)>) -> Vec<Report> {
    let mut plans = Vec::new();
    for (pair, work) in works {
        let started_ns = pair.world.clock.monotonic_ns();
        match Plan::make(pair, work, started_ns).await {
            Ok(plan) => plans.push(plan),
            Err(failure) => {
                // Nothing was done in the places before it.
                let mut reports: Vec<Report> = plans.iter().map(|_| Report::default()).collect();
                reports.push(in_a_run(pair, mode, started_ns, async |_, _| Err(failure)).await);
                return reports;
            }
        }
    }
    let verdict = guard(&plans);
    let mut reports: Vec<Report> = Vec::new();
    for (number, plan) in plans.iter().enumerate() {
        // A dry run shows all of it first.
        let is_over = mode == Mode::Execute || number + 1 == plans.len();
        let stopped = verdict.clone().err().filter(|_| is_over);
        let carry = async |run: &Run, report: &mut Report| plan.carry_out(mode, run, stopped, report).await;
        reports.push(in_a_run(plan.pair, mode, plan.started_ns, carry).await);
        if reports.last().is_some_and(|report| report.stopped.is_some()) {
            break;
        }
    }
    reports
}

/// What a person asked for at once is held against the guard at once, wherever it is.
fn guard(plans: &[Plan<'_>]) -> Result<(), Stop> {
    let Some(Plan { pair, .. }) = plans.first() else { return Ok(()) };
    let below = plans.iter().map(|plan| plan.below).sum();
    let all = plans.iter().map(|plan| plan.totals.deletes_there + plan.totals.moves).sum();
    check_named(below, all, pair.settings.max_delete, pair.settings.confirm_deletes)
}

/// A run, from its beginning to its end in the history.
async fn in_a_run(
    pair: &Pair,
    mode: Mode,
    started_ns: u64,
    work: impl AsyncFnOnce(&Run, &mut Report) -> Result<(), Failure>,
) -> Report {
    let mut report = Report { passes: 1, ..Report::default() };
    let run = match begin(pair, mode) {
        Ok(run) => run,
        Err(error) => {
            fail(pair, 0, &mut report, &error.into());
            return report;
        }
    };
    if let Err(failure) = work(&run, &mut report).await {
        fail(pair, run.id, &mut report, &failure);
    }
    report.duration_ms = pair.world.clock.monotonic_ns().saturating_sub(started_ns) / 1_000_000;
    end(pair, mode, &run, &report);
    report
}

impl<'a> Plan<'a> {
    /// Looks for what was named.
    async fn make(pair: &'a Pair, work: Work<'a>, started_ns: u64) -> Result<Self, Failure> {
        let empty = || -> Result<Self, Failure> {
            let spool = pair.state.spool()?;
            Ok(Self { pair, work, spool, totals: Totals::default(), below: 0, stays: None, started_ns })
        };
        let mut plan = empty()?;
        if !plan.fill(false).await? {
            // The place lists in no order: every new name is asked for by itself.
            plan = empty()?;
            plan.fill(true).await?;
        }
        Ok(plan)
    }

    async fn fill(&mut self, asks: bool) -> Result<bool, Failure> {
        self.spool.fill()?;
        let filled = match self.work {
            Work::Delete(doomed) => self.doom(doomed).await.map(|()| true),
            Work::Rename(Renames::One(one), overwrite) => self.rename((**one).clone(), overwrite).await.map(|()| true),
            Work::Rename(Renames::Below(old, new), overwrite) => self.rename_below((old, new), overwrite, asks).await,
        };
        self.spool.filled()?;
        filled
    }

    fn push(&mut self, step: &Step) -> Result<(), Failure> {
        self.totals.there += 1;
        self.totals.add(step);
        Ok(self.spool.push(step, false)?)
    }

    async fn doom(&mut self, doomed: &Doomed) -> Result<(), Failure> {
        for object in &doomed.objects {
            self.push(&delete_step(object))?;
        }
        for prefix in &doomed.prefixes {
            let mut objects = Objects::below(self.pair, prefix);
            while let Some(object) = objects.next().await? {
                self.below += 1;
                self.push(&delete_step(&object))?;
            }
        }
        Ok(())
    }

    /// Everything below a name, each under its new one: two listings side by side. Whether
    /// they could be trusted to come in order.
    async fn rename_below(&mut self, (old, new): (&str, &str), overwrite: bool, asks: bool) -> Result<bool, Failure> {
        let (mut olds, mut news) = (Objects::below(self.pair, old), Objects::below(self.pair, new));
        let mut taken = if asks { None } else { news.next().await? };
        while let Some(from) = olds.next().await? {
            let rest = from.key.as_str().strip_prefix(old).unwrap_or_default();
            if is_reserved_key(rest) {
                // What it says holds for the old name, and for who wrote it.
                self.stays.get_or_insert_with(|| (0, from.key.clone())).0 += 1;
                continue;
            }
            let to = Key::new(format!("{new}{rest}"));
            while taken.as_ref().is_some_and(|object| object.key < to) {
                taken = news.next().await?;
            }
            let over = if asks { self.pair.remote.head(&to).await? } else { taken.take_if(|object| object.key == to) };
            if !asks && (olds.disordered || news.disordered) {
                return Ok(false);
            }
            if taken.is_none() && over.is_some() && !asks {
                taken = news.next().await?;
            }
            self.below += 1;
            self.rename(Rename { from, to, over }, overwrite).await?;
        }
        Ok(true)
    }

    async fn rename(&mut self, rename: Rename, overwrite: bool) -> Result<(), Failure> {
        let Rename { from, to, over } = rename;
        if from.key == to {
            return Ok(());
        }
        if let Some(over) = over.as_ref().filter(|_| !overwrite)
            && !self.is_our_copy(&from, over).await?
        {
            return Err(Failure::Refused(format!(
                "there is an object {:?} already ({} bytes); with --overwrite it is replaced",
                to.as_str(),
                over.stamp.size
            )));
        }
        // Nothing here takes part, so nothing here is held against a digest.
        let action = Action::Move { from: from.key, source: from.stamp, digest: None, proved: false };
        self.push(&named_step(&to, action, over.as_ref().map(seen)))
    }

    /// Whether what has the new name is a copy that an earlier run made of this object and
    /// could not bring to the end.
    async fn is_our_copy(&self, from: &Object, over: &Object) -> Result<bool, Failure> {
        let mark = self.pair.state.row(&from.key)?.filter(|row| row.moved_to.as_ref() == Some(&over.key));
        let Some(marked) = mark.and_then(|row| row.there) else { return Ok(false) };
        let attributes = async |object: &Object| -> Result<Option<Attributes>, Failure> {
            let found = self.pair.remote.head(&object.key).await?;
            let found = found.filter(|found| found.stamp.same_content(&object.stamp));
            Ok(found.and_then(|found| found.meta).map(|meta| decode(&meta.user)))
        };
        let (Some(old), Some(new)) = (attributes(from).await?, attributes(over).await?) else { return Ok(false) };
        let is_own = new.attempt.as_ref().is_some_and(|attempt| is_own_attempt(&self.pair.state, attempt, &over.key));
        let [old, new] = [(from, old), (over, new)].map(|(Object { stamp, .. }, attributes)| End {
            stamp,
            is_hash: wanted_for(&stamp.etag, stamp.size).md5,
            mtime_ns: attributes.meta.mtime_ns,
        });
        Ok(is_half_renamed(&marked.stamp, old, new, is_own))
    }

    async fn carry_out(
        &self,
        mode: Mode,
        run: &Run,
        stopped: Option<Stop>,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let pair = self.pair;
        report.planned = self.totals;
        pair.listener.hear(&Event::Planned { totals: report.planned });
        if mode == Mode::DryRun {
            show(pair, &self.spool, report)?;
        }
        if let Some(stop) = stopped {
            return Err(Failure::Stop(stop));
        }
        if let Some((count, first)) = &self.stays {
            let what = format!(
                "{count} {} Tidelock's own and {} under the old name; once nobody syncs with that any more, `tidelock rm` it",
                if *count == 1 { "object is" } else { "objects from here on are" },
                if *count == 1 { "stays" } else { "stay" }
            );
            let problem = Problem { path: first.to_string(), what, class: ProblemClass::Skipped };
            tell_problem(pair, mode, run, report, problem)?;
        }
        if mode == Mode::DryRun {
            return Ok(());
        }
        root::work_in_part(pair).await?;
        // What a killed run left there, as far as it is on record.
        sweep_uploads(pair).await;
        let carrier = Carrier::new(pair, &self.spool, installer(pair, &run.token)?, run.token.clone());
        let mut recorder = Recorder::new(pair, run.id);
        let carried = match self.work {
            Work::Rename(..) => carrier.rename_there(&mut recorder, report).await,
            Work::Delete(_) => carrier.run(&mut recorder, report).await,
        };
        // Whatever ended the run, what was done is recorded.
        recorder.flush(report).await?;
        let aftermath = carried?;
        report.stale = aftermath.stale;
        for problem in
            aftermath.problems("it was changed by somebody else meanwhile, and was left", "look at it and run again")
        {
            tell_problem(pair, mode, run, report, problem)?;
        }
        Ok(())
    }
}

/// A listing, object by object.
struct Objects<'a> {
    pair: &'a Pair,
    prefix: &'a str,
    cursor: Option<Cursor>,
    waiting: VecDeque<Object>,
    last: Option<Key>,
    /// Whether it went back in the order of keys.
    disordered: bool,
}

impl<'a> Objects<'a> {
    fn below(pair: &'a Pair, prefix: &'a str) -> Self {
        Self { pair, prefix, cursor: Some(Cursor::start()), waiting: VecDeque::new(), last: None, disordered: false }
    }

    async fn next(&mut self) -> Result<Option<Object>, Failure> {
        while self.waiting.is_empty() {
            let Some(at) = self.cursor.take() else { return Ok(None) };
            if self.pair.is_interrupted() {
                return Err(Failure::Interrupted);
            }
            let page = self.pair.remote.list(self.prefix, &at).await?;
            self.waiting.extend(page.objects);
            self.cursor = page.next;
        }
        let next = self.waiting.pop_front();
        if let Some(object) = &next {
            self.disordered |= self.last.replace(object.key.clone()).is_some_and(|last| last >= object.key);
        }
        Ok(next)
    }
}

fn delete_step(object: &Object) -> Step {
    named_step(&object.key, Action::DeleteThere, Some(seen(object)))
}

fn seen(object: &Object) -> ThereSeen {
    ThereSeen {
        stamp: object.stamp.clone(),
        archived: matches!(object.readiness, Readiness::Archived | Readiness::Thawing),
        lost: object.readiness == Readiness::Lost,
    }
}
