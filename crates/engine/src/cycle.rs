//! The sentence: scan both sides, plan, check the plan, carry it out, record what
//! really happened.
//!
//! [`run`] is one run of a pair, from looking at both sides to its report; steps
//! that found something else than planned on are planned again, a few times. A dry
//! run stops after the plan, having sent nothing that changes anything. A run that
//! cannot go on says why in its report; nothing is thrown away on the way out.

mod apply;
pub mod named;

pub use apply::apply;

use crate::blind::hold_deletes_there;
use crate::event::Event;
use crate::failure::Failure;
use crate::install::{Emptied, Installer};
use crate::mode::Turn;
use crate::pair::Pair;
use crate::pairing::pair_moves;
use crate::planted::Bug;
use crate::record::{Recorder, tell};
use crate::report::{Ending, Report};
use crate::root::{self, Root};
use crate::state::Spool;
use crate::survey::{Lens, Survey, survey};
use crate::transfer::delete::finish_emptying;
use crate::transfer::way::will_be_blocked;
use crate::transfer::{Aftermath, Carrier, HELD};
use crate::{owner, state};
use std::collections::BTreeMap;
use std::sync::Arc;
use tidelock_core::guard::{Facts, check};
use tidelock_core::plan::{Action, Problem, ProblemClass, Step, Totals};
use tidelock_core::policy::Flow;
use tidelock_core::retention::{is_due, trusted_now_s};
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
    let went = async {
        let left_out = passes(pair, mode, keep, &run, &mut report).await?;
        if mode == Mode::Execute {
            if report.ending() == Ending::Ok {
                root::settle(pair, left_out).await?;
            }
            empty_trash(pair, &run).await;
        }
        Ok(())
    };
    if let Err(failure) = went.await {
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
    let event = Event::RunStarted {
        command: pair.settings.command.clone(),
        local: pair.local_name.clone(),
        remote: pair.remote_name.clone(),
    };
    let json = serde_json::to_string(&event).unwrap_or_default();
    let id = match mode {
        Mode::Execute => pair.state.begin_run_with(&token, &pair.settings.command, pair.now_ms(), &json)?,
        Mode::DryRun => 0,
    };
    pair.listener.hear(&event);
    Ok(Run { id, token })
}

fn end(pair: &Pair, mode: Mode, run: &Run, report: &Report) {
    let json = serde_json::to_string(report).unwrap_or_default();
    if mode == Mode::Execute {
        tell_unguarded(pair, run);
        // The history of a run that went well is not worth failing it for.
        let _ = pair.state.end_run(run.id, pair.now_ms(), report.ending().code(), &json);
    }
    pair.listener.hear(&Event::RunEnded { report: Box::new(report.clone()) });
}

/// Names that share a file are mentioned once a run.
fn tell_hard_links(pair: &Pair, names: u64) {
    if names > 0 {
        let text = format!(
            "{names} names here belong to files that have others too (hard links); each is kept as a file of its own"
        );
        pair.listener.hear(&Event::Note { text });
    }
}

/// The fact that keeps of which place a person was told that conditions are not obeyed.
pub(crate) const UNGUARDED: &str = "unguarded";

/// Where only looks guarded what was done, that is said, once for each endpoint.
fn tell_unguarded(pair: &Pair, run: &Run) {
    let place = pair.remote.describe();
    if !pair.remote.was_unguarded() || pair.state.fact(UNGUARDED).ok().flatten().as_ref() == Some(&place) {
        return;
    }
    let text = format!(
        "{place} does not obey conditions on writes, so every object is looked at just before and after instead: what \
         another writer stores in between can be replaced or deleted unseen, and only versioning of the bucket would \
         keep it; this is said once"
    );
    // What cannot be kept is said again.
    let _ = tell(pair, run.id, &Event::Note { text }).map(|()| pair.state.set_fact(UNGUARDED, &place));
}

fn fail(pair: &Pair, run: i64, report: &mut Report, failure: &Failure) {
    report.end(failure.ending());
    if failure.is_damage() {
        pair.state.note_damage();
    }
    let done = if report.changed_anything() { "; what was done until then is on record" } else { "" };
    let reason = format!("{}{done}", failure.told());
    let event = Event::Stopped { ending: failure.ending(), reason: reason.clone() };
    report.stopped = Some(reason);
    // If the state cannot be written, its own error is already the reason.
    let _ = tell(pair, run, &event);
}

/// As often as it takes; how many objects patterns excluded.
async fn passes(pair: &Pair, mode: Mode, keep: Keep<'_>, run: &Run, report: &mut Report) -> Result<u64, Failure> {
    let mut root = Root::look(pair).await?;
    let turn = Turn::of(pair, &root)?;
    let mut lapsed = turn.lapses();
    loop {
        report.passes += 1;
        start_pass(report);
        let spool = pair.state.spool()?;
        let lens = Lens { lapsed, asks: report.passes > 1 };
        let seen = look(pair, &spool, &root, lens).await?;
        report.planned = seen.totals;
        if report.passes == 1 {
            report.unchanged = seen.totals.unchanged;
            tell_hard_links(pair, seen.hard_links);
        }
        pair.listener.hear(&Event::Planned { totals: seen.totals });
        for problem in seen.problems.iter().cloned() {
            tell_problem(pair, mode, run, report, problem)?;
        }
        if mode == Mode::DryRun {
            // What would be stopped is shown too, and why.
            show(pair, &spool, report)?;
            show_blocked(pair, &spool, run, report).await?;
            keep(&spool, &seen)?;
            guard(pair, &seen.totals, turn.lapses())?;
            if !seen.totals.is_quiet() {
                owner::check(pair).await?;
            }
            return Ok(seen.left_out);
        }
        guard(pair, &seen.totals, turn.lapses())?;
        if report.passes == 1 {
            if !seen.totals.is_quiet() {
                // A run that is refused changes nothing, its mode neither.
                check_abilities(pair).await?;
                owner::check(pair).await?;
            }
            turn.commit(pair)?;
            root.is_recorded();
            lapsed = false;
            if clear_up(pair).await? {
                // Folders that the plan speaks of are gone.
                continue;
            }
        }
        let aftermath = carry_out(pair, run, &spool, &seen, report).await?;
        if aftermath.stale == 0 || report.passes >= PASSES {
            report.stale = aftermath.stale;
            for problem in aftermath.problems("it would not settle while it was worked on", "run again later") {
                tell_problem(pair, mode, run, report, problem)?;
            }
            return Ok(seen.left_out);
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

fn tell_problem(pair: &Pair, mode: Mode, run: &Run, report: &mut Report, problem: Problem) -> Result<(), Failure> {
    let event = Event::Problem(problem.clone());
    match (report.problem(problem), mode) {
        (true, Mode::Execute) => tell(pair, run.id, &event),
        (true, Mode::DryRun) => {
            pair.listener.hear(&event);
            Ok(())
        }
        (false, _) => Ok(()),
    }
}

/// Finishes what earlier runs left behind, on the sides that this one may write;
/// whether the folder was changed by it.
async fn clear_up(pair: &Pair) -> Result<bool, Failure> {
    sweep_uploads(pair).await;
    // A run about a part leaves the rest as it is.
    let may = pair.settings.policy.writes_here() && pair.settings.only.is_root();
    if may { finish_emptying(pair).await } else { Ok(false) }
}

/// How long after it was put on record an upload may have been begun, attempts and all.
const INTENT_MS: i64 = 15 * 60 * 1000;
/// How far the clocks of both sides may be apart for all that is known of them.
const INTENT_SLACK_MS: i64 = 5_000;

/// Uploads in parts that earlier runs left behind are given up.
async fn sweep_uploads(pair: &Pair) {
    if !pair.settings.policy.writes_there() {
        return;
    }
    let Ok(uploads) = pair.state.uploads() else { return };
    for (upload_id, key) in uploads {
        // What cannot be swept now stays on record for the next run.
        if pair.remote.abandon(&key, &upload_id).await.is_ok() {
            let _ = pair.state.forget_upload(&upload_id);
        }
    }
    // Begun, as far as anyone knows, by a run that was killed before it heard the id.
    for (key, at_ms) in pair.state.intents().unwrap_or_default() {
        let given_up = pair.remote.abandon_begun(&key, at_ms - INTENT_SLACK_MS..at_ms + INTENT_MS).await;
        // Who may not list uploads, or cannot, will not be able to next time.
        if !given_up.is_err_and(|error| error.kind.is_retryable()) {
            let _ = pair.state.forget_intents(&key);
        }
    }
}

/// Both sides; the root is held against what it was before.
async fn look(pair: &Pair, spool: &Spool<'_>, root: &Root, lens: Lens) -> Result<Survey, Failure> {
    let mut seen = survey(pair, spool, lens).await?;
    seen.totals.problems += u64::try_from(pair.settings.foreseen.len()).unwrap_or(0);
    seen.problems.extend(pair.settings.foreseen.iter().cloned());
    root.check(pair, &seen).await?;
    pair_moves(pair, spool, &mut seen.totals)?;
    if let Some(problem) = hold_deletes_there(pair, spool, &seen.blind, &mut seen.totals)? {
        seen.problems.push(problem);
        seen.totals.problems += 1;
    }
    Ok(seen)
}

fn guard(pair: &Pair, totals: &Totals, has_turned: bool) -> Result<(), Failure> {
    if pair.planted.has(Bug::GuardSkipped) {
        return Ok(());
    }
    let facts = Facts {
        flow: pair.settings.policy.flow,
        totals: *totals,
        recent_deletes: pair.state.recent_deletes(pair.now_ms())?,
        max_delete: pair.settings.max_delete,
        has_turned,
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

/// Downloads that a run would find no room for, among what it leaves alone.
async fn show_blocked(pair: &Pair, spool: &Spool<'_>, run: &Run, report: &mut Report) -> Result<(), Failure> {
    if pair.settings.policy.flow != Flow::Down {
        return Ok(());
    }
    let mut after = 0;
    loop {
        let page = spool.all(after)?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = *last;
        for (_, step) in &page {
            if will_be_blocked(pair, step).await? {
                let (path, what) = (step.key.to_string(), HELD.to_owned());
                tell_problem(pair, Mode::DryRun, run, report, Problem { path, what, class: ProblemClass::Skipped })?;
            }
        }
    }
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

/// Carries the plan out; which steps found something else than expected.
pub(crate) async fn carry_out(
    pair: &Pair,
    run: &Run,
    spool: &Spool<'_>,
    seen: &Survey,
    report: &mut Report,
) -> Result<Aftermath, Failure> {
    if !seen.totals.is_quiet() {
        check_abilities(pair).await?;
    }
    if !seen.totals.is_quiet() || pair.settings.take_over {
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
    let mut recorder = Recorder::new(pair, run.id).expecting_renames(seen.totals.renamed_here);
    let carried = carrier.run(&mut recorder, report).await;
    // Whatever ended the run, what was done is recorded.
    recorder.flush(report).await?;
    carrier.finish_folders().await;
    carried
}

/// Once a day, what has lain in the trash long enough is removed. A clock that the
/// place does not agree with removes nothing.
async fn empty_trash(pair: &Pair, run: &Run) {
    const FACT: &str = "trash";
    let trusted = trusted_now_s(pair.now_ms(), pair.remote.clock_skew_ms());
    let (Some(now_s), Ok(installer)) = (trusted, installer(pair, &run.token)) else { return };
    let known = pair.state.fact(FACT).ok().flatten();
    let Trash { looked_at_s, seen_s } = known.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    if !is_due(looked_at_s, now_s) {
        return;
    }
    let note = |text| pair.listener.hear(&Event::Note { text });
    match installer.empty_trash(now_s, &seen_s).await {
        Ok(Emptied { files, size_bytes, seen_s }) => {
            if files > 0 {
                note(format!("{files} files ({size_bytes} bytes) had lain in the trash long enough and are gone"));
            }
            // If this is lost, time starts anew for what is there.
            let trash = serde_json::to_string(&Trash { looked_at_s: now_s, seen_s });
            let _ = trash.map(|text| pair.state.set_fact(FACT, &text));
        }
        Err(error) => note(format!("the trash could not be looked through: {error}")),
    }
}

/// What is known of the trash from run to run.
#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Trash {
    looked_at_s: i64,
    seen_s: BTreeMap<String, i64>,
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
    // Only asked where it matters.
    if missing.is_empty() || pair.remote.capabilities(&[Ability::Versions]).await?.has(Ability::Versions) {
        return Ok(());
    }
    Err(Failure::Unable(format!(
        "this endpoint does not honour conditional requests ({}), so two devices could overwrite each other unseen; \
         two-way sync needs them, or bucket versioning, or --allow-unconditional if this is the only writer",
        missing.join(", ")
    )))
}
