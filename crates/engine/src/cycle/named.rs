//! What a person names on a remote, removed or renamed there.
//!
//! No folder takes part. What was named is looked for, becomes a plan like any other,
//! is held against the guard and carried out by the same hands: a deletion goes through
//! the one place that deletes, under the version that was seen; a rename is a copy, and
//! a deletion owed once the copy is there.

use super::{Mode, Run, begin, end, fail, installer, show, tell_problem};
use crate::event::Event;
use crate::failure::Failure;
use crate::pair::Pair;
use crate::record::Recorder;
use crate::report::Report;
use crate::root;
use crate::state::Spool;
use crate::transfer::Carrier;
use tidelock_core::decide::{Change, Row, Sameness};
use tidelock_core::guard::check_named;
use tidelock_core::names::{Kind, LinkStyle, entry_of};
use tidelock_core::path::{Key, RelPath};
use tidelock_core::plan::{Action, Step, ThereSeen, Totals};
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
    /// The object that has the new key, if it is to be replaced.
    pub over: Option<Object>,
}

/// Removes what was named. The pair's folder is one that is not there.
pub async fn delete_named(pair: &Pair, mode: Mode, doomed: &Doomed) -> Report {
    go(pair, mode, Work::Delete(doomed)).await
}

/// Renames what was named by itself, or what was found below a name. The pair's folder is
/// one that is not there.
pub async fn rename_named(pair: &Pair, mode: Mode, renames: &[Rename], by_itself: bool) -> Report {
    go(pair, mode, Work::Rename(renames, by_itself)).await
}

#[derive(Clone, Copy)]
enum Work<'a> {
    Delete(&'a Doomed),
    Rename(&'a [Rename], bool),
}

async fn go(pair: &Pair, mode: Mode, work: Work<'_>) -> Report {
    let started = pair.world.clock.monotonic_ns();
    let mut report = Report { passes: 1, ..Report::default() };
    let run = match begin(pair, mode) {
        Ok(run) => run,
        Err(error) => {
            fail(pair, 0, &mut report, &error.into());
            return report;
        }
    };
    if let Err(failure) = plan_and_act(pair, mode, &run, work, &mut report).await {
        fail(pair, run.id, &mut report, &failure);
    }
    report.duration_ms = pair.world.clock.monotonic_ns().saturating_sub(started) / 1_000_000;
    end(pair, mode, &run, &report);
    report
}

async fn plan_and_act(pair: &Pair, mode: Mode, run: &Run, work: Work<'_>, report: &mut Report) -> Result<(), Failure> {
    let spool = pair.state.spool()?;
    spool.fill()?;
    let planned = plan(pair, &spool, work, &mut report.planned).await;
    spool.filled()?;
    let below = planned?;
    pair.listener.hear(&Event::Planned { totals: report.planned });
    if mode == Mode::DryRun {
        show(pair, &spool, report)?;
    }
    let (settings, planned) = (&pair.settings, &report.planned);
    check_named(below, planned.deletes_there + planned.moves, settings.max_delete, settings.confirm_deletes)
        .map_err(Failure::Stop)?;
    if mode == Mode::DryRun {
        return Ok(());
    }
    root::check_known(pair).await?;
    // The plan of renames was for people to see; the deletions owed for them come anew.
    let spool = if let Work::Rename(..) = work { pair.state.spool()? } else { spool };
    let carrier = Carrier::new(pair, &spool, installer(pair, &run.token)?, run.token.clone());
    let mut recorder = Recorder::new(pair, run.id);
    let carried = match work {
        Work::Rename(renames, _) => carrier.rename_there(renames, &mut recorder, report).await,
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

/// Makes the plan; how many of its deletions and renames nobody named by themselves.
async fn plan(pair: &Pair, spool: &Spool<'_>, work: Work<'_>, totals: &mut Totals) -> Result<u64, Failure> {
    let mut push = |step: Step| -> Result<(), Failure> {
        totals.there += 1;
        totals.add(&step);
        Ok(spool.push(&step, false)?)
    };
    let mut below = 0;
    match work {
        Work::Rename(renames, by_itself) => {
            below = if by_itself { 0 } else { u64::try_from(renames.len()).unwrap_or(u64::MAX) };
            renames.iter().try_for_each(|rename| push(rename_step(rename)))?;
        }
        Work::Delete(doomed) => {
            doomed.objects.iter().try_for_each(|object| push(delete_step(object)))?;
            for prefix in &doomed.prefixes {
                let mut cursor = Some(Cursor::start());
                while let Some(at) = cursor {
                    if pair.is_interrupted() {
                        return Err(Failure::Interrupted);
                    }
                    let page = pair.remote.list(prefix, &at).await?;
                    below += u64::try_from(page.objects.len()).unwrap_or(0);
                    page.objects.iter().try_for_each(|object| push(delete_step(object)))?;
                    cursor = page.next;
                }
            }
        }
    }
    Ok(below)
}

fn delete_step(object: &Object) -> Step {
    step(&object.key, Action::DeleteThere, Some(object))
}

/// The rename of an object there, for who plans and who reports.
pub(crate) fn rename_step(rename: &Rename) -> Step {
    let Rename { from, to, over } = rename;
    // Nothing here takes part, so nothing here is held against a digest.
    let digest = tidelock_core::entry::Digest::of(b"");
    let action = Action::Move { from: from.key.clone(), source: from.stamp.clone(), digest, proved: false };
    step(to, action, over.as_ref())
}

/// The deletion that a rename owes.
pub(crate) fn owed_step(rename: &Rename) -> Step {
    step(&rename.from.key, Action::DeleteMoved, Some(&rename.from))
}

fn step(key: &Key, action: Action, there: Option<&Object>) -> Step {
    // A key that no entry can have has no path, and nothing here is looked for.
    let (path, kind) = entry_of(key, LinkStyle::Suffix).unwrap_or((RelPath::root(), Kind::File));
    let there = there.map(|object| ThereSeen {
        stamp: object.stamp.clone(),
        archived: matches!(object.readiness, Readiness::Archived | Readiness::Thawing),
        lost: object.readiness == Readiness::Lost,
    });
    let change = if there.is_some() { Change::New } else { Change::Never };
    let row = Row { standing: None, here: Change::Never, there: change, same: Sameness::Unknown };
    Step { key: key.clone(), path, kind, action, row, here: None, there }
}
