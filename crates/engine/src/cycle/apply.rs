//! The second half of the sentence alone: a plan made earlier is checked and
//! carried out.
//!
//! Its steps and no others: nothing is planned anew. A step that finds something
//! else than it expects is skipped and counted; the next sync sees to it.

use super::{Mode, begin, carry_out, end, fail, guard, note_mode, sweep_uploads};
use crate::commands::saved::{Reader, links};
use crate::event::Event;
use crate::failure::Failure;
use crate::pair::Pair;
use crate::record::tell;
use crate::report::Report;
use crate::root;
use crate::state::Spool;
use crate::survey::Survey;
use tidelock_core::plan::{Header, Problem, ProblemClass, Totals};

/// One run of a plan that was saved, unless it is outdated or damaged: then nothing
/// is on record of it.
pub async fn apply(pair: &Pair, header: &Header, reader: Reader<'_>) -> Result<Report, Failure> {
    let ready = || {
        check_generation(pair, &header.generation)?;
        let spool = pair.state.spool()?;
        let totals = reader.load(&spool, links(header.format))?;
        Ok((spool, totals))
    };
    let (spool, totals) = ready().inspect_err(|failure: &Failure| {
        if failure.is_damage() {
            pair.state.condemn();
        }
    })?;
    Ok(apply_spool(pair, &spool, totals).await)
}

async fn apply_spool(pair: &Pair, spool: &Spool<'_>, totals: Totals) -> Report {
    let started = pair.world.clock.monotonic_ns();
    let mut report = Report { passes: 1, planned: totals, ..Report::default() };
    let run = match begin(pair, Mode::Execute) {
        Ok(run) => run,
        Err(error) => {
            fail(pair, 0, &mut report, &error.into());
            return report;
        }
    };
    let seen = Survey { totals, ..Survey::default() };
    let carried = async {
        root::check_known(pair).await?;
        let mode_changed = note_mode(pair, Mode::Execute)?;
        guard(pair, &seen.totals, mode_changed)?;
        sweep_uploads(pair).await;
        carry_out(pair, &run, spool, &seen, &mut report).await
    };
    match carried.await {
        Ok(0) => {}
        Ok(stale) => {
            report.stale = stale;
            let problem = outdated(stale);
            // If the history cannot be written, the report still says it.
            let _ = tell(pair, run.id, &Event::Problem(problem.clone()));
            report.problem(problem);
        }
        Err(failure) => fail(pair, run.id, &mut report, &failure),
    }
    report.duration_ms = pair.world.clock.monotonic_ns().saturating_sub(started) / 1_000_000;
    end(pair, Mode::Execute, &run, &report);
    report
}

fn outdated(stale: u64) -> Problem {
    let what =
        format!("{stale} entries are no longer as the plan expected and were skipped; make a new plan, or run a sync");
    Problem { path: ".".to_owned(), what, class: ProblemClass::Skipped }
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
