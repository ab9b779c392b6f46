//! The sentence: scan both sides, plan, check the plan, carry it out, record what
//! really happened.
//!
//! [`run`] is one run of a pair, from looking at both sides to its report; steps
//! that found something else than planned on are planned again, a few times. A dry
//! run stops after the plan, having sent nothing that changes anything. A run that
//! cannot go on says why in its report; nothing is thrown away on the way out.

mod apply;

pub use apply::apply;

use crate::event::Event;
use crate::failure::Failure;
use crate::install::Installer;
use crate::pair::Pair;
use crate::pairing::pair_moves;
use crate::planted::Bug;
use crate::record::{Recorder, tell};
use crate::report::{Ending, Report};
use crate::root::{self, RootCheck};
use crate::state::Spool;
use crate::survey::{Survey, mode_name, survey};
use crate::transfer::Carrier;
use crate::transfer::delete::finish_emptying;
use crate::{owner, state};
use std::sync::Arc;
use tidelock_core::guard::{Facts, check};
use tidelock_core::plan::{Action, Problem, ProblemClass, Step, Totals};
use tidelock_core::policy::Flow;
use tidelock_remote::Ability;

/// How often both sides are looked at in one run, at most.
const PASSES: u32 = 5;

/// Whether a run carries its plan out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It does.
    Execute,
    /// It stops after the plan.
    DryRun,
}

/// One run, start to report.
pub async fn run(pair: &Pair, mode: Mode) -> Report {
    go(pair, mode, &|_, _| Ok(())).await
}

/// A dry run whose plan is handed to `keep` once it is complete.
pub async fn plan(pair: &Pair, keep: Keep<'_>) -> Report {
    go(pair, Mode::DryRun, keep).await
}

/// Takes a complete plan.
pub type Keep<'a> = &'a (dyn Fn(&Spool<'_>, &Survey) -> Result<(), Failure> + Sync);

async fn go(pair: &Pair, mode: Mode, keep: Keep<'_>) -> Report {
    let started = pair.world.clock.monotonic_ns();
    let mut report = Report::default();
    let run = match begin(pair, mode) {
        Ok(run) => run,
        Err(error) => {
            fail(pair, 0, &mut report, &error.into());
            return report;
        }
    };
    if let Err(failure) = passes(pair, mode, keep, &run, &mut report).await {
        fail(pair, run.id, &mut report, &failure);
    }
    report.duration_ms = pair.world.clock.monotonic_ns().saturating_sub(started) / 1_000_000;
    end(pair, mode, &run, &report);
    report
}

/// A run on record.
pub(crate) struct Run {
    pub(crate) id: i64,
    pub(crate) token: String,
}

fn begin(pair: &Pair, mode: Mode) -> state::Result<Run> {
    let token = pair.world.token();
    let id = match mode {
        Mode::Execute => pair.state.begin_run(&token, &pair.settings.command, pair.now_ms())?,
        Mode::DryRun => 0,
    };
    pair.listener.hear(&Event::RunStarted {
        command: pair.settings.command.clone(),
        local: pair.local_name.clone(),
        remote: pair.remote_name.clone(),
    });
    Ok(Run { id, token })
}

fn end(pair: &Pair, mode: Mode, run: &Run, report: &Report) {
    let json = serde_json::to_string(report).unwrap_or_default();
    if mode == Mode::Execute {
        // The history of a run that went well is not worth failing it for.
        let _ = pair.state.end_run(run.id, pair.now_ms(), report.ending().code(), &json);
    }
    pair.listener.hear(&Event::RunEnded { report: Box::new(report.clone()) });
}

fn fail(pair: &Pair, run: i64, report: &mut Report, failure: &Failure) {
    if failure.is_damage() {
        pair.state.condemn();
    }
    report.end(failure.ending());
    let reason = failure.told();
    let event = Event::Stopped { ending: failure.ending(), reason: reason.clone() };
    report.stopped = Some(reason);
    // If the state cannot be written, its own error is already the reason.
    let _ = tell(pair, run, &event);
}

async fn passes(pair: &Pair, mode: Mode, keep: Keep<'_>, run: &Run, report: &mut Report) -> Result<(), Failure> {
    let mode_changed = note_mode(pair, mode)?;
    if mode == Mode::Execute {
        sweep_uploads(pair).await;
        finish_emptying(pair).await?;
    }
    loop {
        report.passes += 1;
        start_pass(report);
        let spool = pair.state.spool()?;
        let seen = look(pair, &spool, mode, mode_changed).await?;
        report.planned = seen.totals;
        pair.listener.hear(&Event::Planned { totals: seen.totals });
        for problem in seen.problems.iter().cloned() {
            tell_problem(pair, mode, run, &problem)?;
            report.problem(problem);
        }
        if mode == Mode::DryRun {
            // What would be stopped is shown too, and why.
            show(pair, &spool, report)?;
            keep(&spool, &seen)?;
            return guard(pair, &seen.totals, mode_changed);
        }
        guard(pair, &seen.totals, mode_changed)?;
        let stale = carry_out(pair, run, &spool, &seen, report).await?;
        if stale == 0 || report.passes >= PASSES {
            report.stale = stale;
            if stale > 0 {
                let problem = unsettled(stale);
                tell_problem(pair, mode, run, &problem)?;
                report.problem(problem);
            }
            return Ok(());
        }
    }
}

/// What a pass finds is found anew; what was done stays done.
fn start_pass(report: &mut Report) {
    report.drift = 0;
    report.conflicts = 0;
    report.problem_count = 0;
    report.problems.clear();
    report.endings.clear();
}

fn unsettled(stale: u64) -> Problem {
    let what = format!("{stale} entries kept changing while they were worked on; run again when they have settled");
    Problem { path: ".".to_owned(), what, class: ProblemClass::Skipped }
}

fn tell_problem(pair: &Pair, mode: Mode, run: &Run, problem: &Problem) -> Result<(), Failure> {
    match mode {
        Mode::Execute => tell(pair, run.id, &Event::Problem(problem.clone())),
        Mode::DryRun => {
            pair.listener.hear(&Event::Problem(problem.clone()));
            Ok(())
        }
    }
}

/// A pair whose mode changes starts over with what it claims: rows from before
/// prove sameness, never absence.
fn note_mode(pair: &Pair, mode: Mode) -> Result<bool, Failure> {
    if !pair.settings.sets_mode {
        return Ok(false);
    }
    let now = mode_name(&pair.settings.policy);
    let before = pair.state.fact("mode")?;
    let changed = before.as_ref().is_some_and(|before| *before != now);
    if mode == Mode::Execute {
        if changed {
            pair.state.lapse_all()?;
            let text = format!(
                "the mode of this pair changed from {} to {now}: deletions made before this run are not passed on",
                before.unwrap_or_default()
            );
            pair.listener.hear(&Event::Note { text });
        }
        pair.state.set_fact("mode", &now)?;
    }
    Ok(changed)
}

/// Uploads in parts that earlier runs left behind are given up.
async fn sweep_uploads(pair: &Pair) {
    let Ok(uploads) = pair.state.uploads() else { return };
    for (upload_id, key) in uploads {
        // What cannot be swept now stays on record for the next run.
        if pair.remote.abandon(&key, &upload_id).await.is_ok() {
            let _ = pair.state.forget_upload(&upload_id);
        }
    }
}

/// Both sides, the root held against what it was before and after.
async fn look(pair: &Pair, spool: &Spool<'_>, mode: Mode, mode_changed: bool) -> Result<Survey, Failure> {
    let before = root::look(pair).await?;
    let lapsed = mode_changed && mode == Mode::DryRun;
    let mut seen = survey(pair, spool, lapsed).await?;
    let after = root::look(pair).await?;
    if !pair.planted.has(Bug::RootCheckSkipped) {
        root::check(pair, &RootCheck { before, after, seen: &seen }, mode)?;
    }
    pair_moves(pair, spool, &mut seen.totals)?;
    Ok(seen)
}

fn guard(pair: &Pair, totals: &Totals, mode_changed: bool) -> Result<(), Failure> {
    if pair.planted.has(Bug::GuardSkipped) {
        return Ok(());
    }
    let facts = Facts {
        flow: pair.settings.policy.flow,
        totals: *totals,
        recent_deletes: pair.state.recent_deletes(pair.now_ms())?,
        max_delete: pair.settings.max_delete,
        mode_changed,
        confirmed: pair.settings.confirm_deletes,
    };
    check(&facts).map_err(Failure::Stop)
}

/// The plan, step by step, for a person to read.
fn show(pair: &Pair, spool: &Spool<'_>, report: &mut Report) -> Result<(), Failure> {
    report.drift = report.planned.drift;
    report.conflicts = report.planned.conflicts;
    each_step(spool, |step| {
        if step.action == Action::Conflict {
            report.end(Ending::Conflicts);
        }
        if !pair.settings.only_moves || step.action.is_rename() {
            pair.listener.hear(&Event::of_step(step));
        }
    })?;
    Ok(())
}

/// Every step of the spool that is more than bookkeeping, in key order.
pub(crate) fn each_step(spool: &Spool<'_>, mut visit: impl FnMut(&Step)) -> state::Result<()> {
    let mut after = 0;
    loop {
        let page = spool.all(after)?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = *last;
        page.iter().filter(|(_, step)| !step.action.is_bookkeeping()).for_each(|(_, step)| visit(step));
    }
}

/// Carries the plan out; how many steps found something else than expected.
pub(crate) async fn carry_out(
    pair: &Pair,
    run: &Run,
    spool: &Spool<'_>,
    seen: &Survey,
    report: &mut Report,
) -> Result<u64, Failure> {
    if !seen.totals.is_quiet() {
        check_abilities(pair).await?;
        owner::claim(pair).await?;
    }
    if seen.totals.downloads > 0 {
        spool.find_holders()?;
    }
    let installer = installer(pair, &run.token)?;
    let recovered = installer.recover(&seen.leftovers).await;
    for error in &recovered.failed {
        let text = format!("a temporary file of an earlier run could not be cleared: {error}");
        pair.listener.hear(&Event::Note { text });
    }
    for (path, trashed) in &recovered.trashed {
        let text = format!("{path}: left by an interrupted run; it is kept at {trashed}");
        pair.listener.hear(&Event::Note { text });
    }
    let carrier = Carrier::new(pair, spool, installer, run.token.clone());
    let mut recorder = Recorder::new(pair, run.id);
    let carried = carrier.run(&mut recorder, report).await;
    // Whatever ended the run, what was done is recorded.
    recorder.flush(report).await?;
    carrier.finish_folders().await;
    carried.map(|aftermath| aftermath.stale)
}

/// The one who may replace and remove files, for this run.
pub(crate) fn installer(pair: &Pair, token: &str) -> Result<Installer, Failure> {
    Installer::new(Arc::clone(&pair.disk), &pair.tag, token, pair.world.clone(), pair.planted)
        .map_err(|problem| Failure::Unable(format!("run token {token:?}: {problem}")))
}

/// Two-way sync needs a place that refuses a write over what nobody looked at.
async fn check_abilities(pair: &Pair) -> Result<(), Failure> {
    if pair.settings.policy.flow != Flow::Both || pair.settings.allow_unconditional {
        return Ok(());
    }
    let needed = [Ability::PutIfAbsent, Ability::PutIfMatch, Ability::DeleteIfMatch];
    let found = pair.remote.capabilities(&needed).await?;
    let missing: Vec<String> =
        needed.iter().filter(|ability| !found.has(**ability)).map(|ability| format!("{ability:?}")).collect();
    if missing.is_empty() || found.has(Ability::Versions) {
        return Ok(());
    }
    Err(Failure::Unable(format!(
        "this endpoint does not honour conditional requests ({}), so two devices could overwrite each other unseen; \
         two-way sync needs them, or bucket versioning, or --allow-unconditional if this is the only writer",
        missing.join(", ")
    )))
}
