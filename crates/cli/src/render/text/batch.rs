//! The closing lines of a batch: a line for each pair, and one for all.
//!
//! The last line is the sum of what the pairs' own reports counted; nothing is
//! counted here.

use super::summary::{NOTHING, done, join, planned, requests};
use crate::render::words::{count, duration, name, shown};
use tidelock_engine::api::{BatchReply, BatchRun};
use tidelock_engine::report::{Ending, Report};
use tidelock_remote::layer::RequestCounts;

/// What came of several pairs: a line of each, and one of all.
pub fn lines(reply: &BatchReply) -> Vec<String> {
    let width = reply.runs.iter().map(|one| name(&one.pair).chars().count()).max().unwrap_or(0);
    let mut lines = Vec::new();
    let (mut all, mut counts) = (Report::default(), RequestCounts::default());
    for one in &reply.runs {
        let what = match &one.run {
            Some(run) => {
                all.absorb(run.report.clone());
                counts.absorb(&run.requests);
                one_run(&run.report, reply.dry_run)
            }
            None => "not begun".to_owned(),
        };
        lines.push(format!("{:width$}  {what}", name(&one.pair)));
    }
    if !reply.skipped.is_empty() {
        let names: Vec<String> = reply.skipped.iter().map(|pair| name(pair)).collect();
        lines.push(format!("not come to: {}", names.join(", ")));
    }
    let number = u64::try_from(reply.runs.len()).unwrap_or(u64::MAX);
    let wrong = reply.runs.iter().filter(|one| one.ending != Ending::Ok).count();
    let went = if wrong == 0 { String::new() } else { format!(", {wrong} of them not well") };
    let what = match parts(&all, reply.dry_run) {
        nothing if nothing == NOTHING && wrong > 0 => "nothing was done".to_owned(),
        parts => parts,
    };
    let verb = if reply.dry_run { "batch would" } else { "batch" };
    let end = format!("{} · {}", requests(&counts), duration(all.duration_ms));
    lines.push(format!("{verb}: {}{went}: {what} · {end}", count(number, "pair", "pairs")));
    lines
}

fn parts(report: &Report, dry_run: bool) -> String {
    if dry_run { planned(&report.planned, report) } else { join(&done(report)) }
}

/// What came of a pair's run, or would. One that was stopped had something to do.
fn one_run(report: &Report, dry_run: bool) -> String {
    match (&report.stopped, parts(report, dry_run)) {
        (None, parts) => parts,
        (Some(_), parts) if parts == NOTHING => "stopped before anything was done".to_owned(),
        (Some(_), parts) if dry_run => format!("would be stopped: {parts}"),
        (Some(_), parts) => format!("stopped: {parts}"),
    }
}

/// Why runs could not be begun or gone on with, and whose they are.
pub fn stopped(reply: &BatchReply) -> Vec<(Ending, String)> {
    let of_run = |one: &BatchRun| {
        let reason = one.stopped.clone().or_else(|| one.run.as_ref()?.report.stopped.clone())?;
        Some((one.ending, format!("{}: {}", name(&one.pair), shown(&reason))))
    };
    reply.runs.iter().filter_map(of_run).collect()
}
