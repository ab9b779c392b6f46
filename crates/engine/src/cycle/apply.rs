//! The second half of the sentence alone: a plan made earlier is checked and
//! carried out.
//!
//! Its steps and no others: nothing is planned anew. A step that finds something
//! else than it expects is skipped and counted; the next sync sees to it.

use super::{Mode, begin, carry_out, end, fail, guard, sweep_uploads, tell_problem};
use crate::blind::{Blind, hold_deletes_there};
use crate::commands::saved::{Reader, links};
use crate::event::Event;
use crate::failure::Failure;
use crate::mode::Turn;
use crate::pair::Pair;
use crate::record::tell;
use crate::report::Report;
use crate::root::Root;
use crate::state::Spool;
use crate::survey::{self, Survey};
use tidelock_core::plan::{Header, Problem, Totals};

/// One run of a plan that was saved, unless it is outdated or damaged: then nothing
/// is on record of it.
pub async fn apply(pair: &Pair, header: &Header, reader: Reader<'_>) -> Result<Report, Failure> {
    let ready = async {
        check_generation(pair, &header.generation)?;
        let blind = check_filter(pair, &header.filter).await?;
        let spool = pair.state.spool()?;
        let mut totals = reader.load(&spool, links(header.format))?;
        let problem = hold_deletes_there(pair, &spool, &blind, &mut totals)?;
        Ok((spool, totals, problem))
    };
    let (spool, totals, problem) = ready.await.inspect_err(|failure: &Failure| {
        if failure.is_damage() {
            pair.state.note_damage();
        }
    })?;
    Ok(apply_spool(pair, &spool, totals, problem).await)
}

async fn apply_spool(pair: &Pair, spool: &Spool<'_>, totals: Totals, problem: Option<Problem>) -> Report {
    let started = pair.world.clock.monotonic_ns();
    let mut report = Report { passes: 1, planned: totals, unchanged: totals.unchanged, ..Report::default() };
    let run = match begin(pair, Mode::Execute) {
        Ok(run) => run,
        Err(error) => {
            fail(pair, 0, &mut report, &error.into());
            return report;
        }
    };
    let seen = Survey { totals, ..Survey::default() };
    let carried = async {
        if let Some(problem) = problem {
            tell_problem(pair, Mode::Execute, &run, &mut report, problem)?;
        }
        let root = Root::look(pair).await?;
        root.check_planned(pair)?;
        let turn = Turn::of(pair, &root)?;
        guard(pair, &seen.totals, turn.lapses())?;
        turn.commit(pair)?;
        sweep_uploads(pair).await;
        carry_out(pair, &run, spool, &seen, &mut report).await
    };
    match carried.await {
        Ok(aftermath) => {
            report.stale = aftermath.stale;
            let what = "it is no longer as the plan expected and was skipped";
            for problem in aftermath.problems(what, "make a new plan, or run a sync") {
                // If the history cannot be written, the report still says it.
                let event = Event::Problem(problem.clone());
                if report.problem(problem) {
                    let _ = tell(pair, run.id, &event);
                }
            }
        }
        Err(failure) => fail(pair, run.id, &mut report, &failure),
    }
    report.duration_ms = pair.world.clock.monotonic_ns().saturating_sub(started) / 1_000_000;
    end(pair, Mode::Execute, &run, &report);
    report
}

/// A plan whose pair has gone on since is not carried out at all.
fn check_generation(pair: &Pair, planned: &str) -> Result<(), Failure> {
    if pair.state.generation()? == planned {
        return Ok(());
    }
    let what =
        "this pair was synced since the plan was made, or its state was lost; nothing was changed: make a new plan";
    Err(Failure::Outdated(what.to_owned()))
}

/// Nor is one whose steps were chosen by other rules than those that hold now.
async fn check_filter(pair: &Pair, planned: &str) -> Result<Blind, Failure> {
    let (filter, blind) = survey::filter(pair).await?;
    if filter == planned {
        return Ok(blind);
    }
    let what = "what takes part is no longer what it was when the plan was made (an ignore file was changed); nothing \
                was changed: make a new plan";
    Err(Failure::Outdated(what.to_owned()))
}
