//! The closing lines of a run.
//!
//! One line that says what was done and what it took, made of the report alone:
//! nothing is said that was not counted from outcomes.

use crate::render::words::{bytes, count, duration, moment, name, shown};
use tidelock_core::plan::Totals;
use tidelock_engine::api::{LsReply, Reasons, RunReply, StatusReply};
use tidelock_engine::report::Report;
use tidelock_remote::layer::RequestCounts;

/// What came of a run.
pub fn run(command: &str, reply: &RunReply) -> String {
    let report = &reply.report;
    if reply.dry_run {
        return format!("{command} would: {}", foreseen(report));
    }
    let parts = done(report);
    let what = match (parts.is_empty(), was_stopped(report)) {
        (true, true) => "nothing was done".to_owned(),
        (true, false) => NOTHING.to_owned(),
        (false, _) => parts.join(", "),
    };
    format!("{command}: {what} · {} · {}", requests(&reply.requests), duration(report.duration_ms))
}

/// What a run would do. One that was stopped before all was seen says why by itself.
fn foreseen(report: &Report) -> String {
    let what = planned(&report.planned, report);
    if was_stopped(report) && what == NOTHING { "not be begun".to_owned() } else { what }
}

fn was_stopped(report: &Report) -> bool {
    !report.endings.is_empty() && report.stopped.is_some()
}

/// What came of a run that is over long since: nobody knows any more what it asked.
pub fn of_the_past(command: &str, reply: &RunReply) -> String {
    let parts = done(&reply.report);
    let what = if parts.is_empty() { NOTHING.to_owned() } else { parts.join(", ") };
    format!("{command}: {what} · {}", duration(reply.report.duration_ms))
}

/// How a pair stands.
pub fn status(reply: &StatusReply) -> Vec<String> {
    let mode = reply.mode.as_deref().unwrap_or("never synced");
    let mut lines = vec![format!("mode: {mode} · {} on record", count(reply.entries, "entry", "entries"))];
    if let Some(last) = &reply.last_run {
        let end = match (last.ended_ms, last.exit) {
            (Some(_), Some(0)) => "went well".to_owned(),
            (Some(_), Some(code)) => format!("ended with exit code {code}"),
            _ => "did not end".to_owned(),
        };
        lines.push(format!("last run: {} on {}, {end}", last.command, moment(last.started_ms)));
    }
    lines.push(format!("a sync would: {}", foreseen(&reply.run.report)));
    lines
}

/// Why a path is treated as it is.
pub fn why(reasons: &Reasons) -> Vec<String> {
    let mut lines =
        vec![format!("{}: {}", name(&reasons.path), shown(&reasons.rule_words)), format!("  mode:   {}", reasons.mode)];
    if let Some(problem) = &reasons.problem {
        lines.push(format!("  problem: {}", shown(problem)));
    } else if reasons.entries.is_empty() {
        lines.push("  it is not here, not there and not on record: nothing is to be done".to_owned());
    }
    for entry in &reasons.entries {
        lines.push(format!("  key:    {}", name(&entry.key)));
        lines.push(format!("  base:   {}", shown(&entry.base)));
        let time = entry.modified_ns.map(|at| format!(", modified {}", moment(at / 1_000_000))).unwrap_or_default();
        lines.push(format!("  here:   {}{time}", shown(&entry.here)));
        lines.push(format!("  there:  {}", shown(&entry.there)));
        let row = entry.row.as_ref().map_or(String::new(), |row| format!(" [{row}]"));
        lines.push(format!("  so:     {}{row}", shown(&entry.words)));
    }
    lines
}

/// What was listed.
pub fn ls(reply: &LsReply) -> String {
    format!("{}, {}", count(reply.objects, "object", "objects"), bytes(reply.bytes))
}

pub(super) const NOTHING: &str = "nothing to do";

pub(super) fn join(parts: &[String]) -> String {
    if parts.is_empty() { NOTHING.to_owned() } else { parts.join(", ") }
}

fn part(parts: &mut Vec<String>, number: u64, one: &str, many: &str) {
    if number > 0 {
        parts.push(count(number, one, many));
    }
}

pub(super) fn done(report: &Report) -> Vec<String> {
    let mut parts = Vec::new();
    if report.uploaded > 0 {
        parts.push(format!("{} sent ({})", count(report.uploaded, "entry", "entries"), bytes(report.uploaded_bytes)));
    }
    part(&mut parts, report.moved, "renamed there without sending", "renamed there without sending");
    if report.downloaded > 0 {
        let size = bytes(report.downloaded_bytes);
        parts.push(format!("{} fetched ({size})", count(report.downloaded, "entry", "entries")));
    }
    part(&mut parts, report.reused, "of them made from what was here", "of them made from what was here");
    part(&mut parts, report.metas, "metadata change", "metadata changes");
    part(&mut parts, report.deleted_there, "deleted there", "deleted there");
    part(&mut parts, report.deleted_here, "moved to the trash here", "moved to the trash here");
    part(&mut parts, report.adopted, "found the same", "found the same");
    part(&mut parts, report.kept_both, "conflict, both kept", "conflicts, both kept");
    part(&mut parts, report.unchanged, "unchanged", "unchanged");
    rest(&mut parts, report);
    parts
}

pub(super) fn planned(totals: &Totals, report: &Report) -> String {
    let mut parts = Vec::new();
    if totals.uploads > 0 {
        parts.push(format!("send {} ({})", count(totals.uploads, "entry", "entries"), bytes(totals.upload_bytes)));
    }
    if totals.moves > 0 {
        parts.push(format!("rename {} there without sending", totals.moves));
    }
    if totals.downloads > 0 {
        let size = bytes(totals.download_bytes);
        parts.push(format!("fetch {} ({size})", count(totals.downloads, "entry", "entries")));
    }
    part(&mut parts, totals.metas, "metadata change", "metadata changes");
    if totals.deletes_there > 0 {
        parts.push(format!("delete {} there", totals.deletes_there));
    }
    if totals.deletes_here > 0 {
        parts.push(format!("move {} here to the trash", totals.deletes_here));
    }
    if totals.compares > 0 {
        parts.push(format!("compare {}", count(totals.compares, "entry", "entries")));
    }
    part(&mut parts, totals.unchanged, "unchanged", "unchanged");
    rest(&mut parts, report);
    join(&parts)
}

/// What a person may have to look after.
fn rest(parts: &mut Vec<String>, report: &Report) {
    part(parts, report.drift, "difference left alone", "differences left alone");
    part(parts, report.conflicts, "conflict", "conflicts");
    part(parts, report.problem_count, "problem", "problems");
}

pub(super) fn requests(counts: &RequestCounts) -> String {
    let kinds = [
        (counts.list, "list"),
        (counts.head, "head"),
        (counts.put, "put"),
        (counts.copy, "copy"),
        (counts.get, "get"),
        (counts.delete, "delete"),
        (counts.other, "other"),
    ];
    let mut parts: Vec<String> =
        kinds.into_iter().filter(|(number, _)| *number > 0).map(|(number, kind)| format!("{number} {kind}")).collect();
    part(&mut parts, counts.retries, "retry", "retries");
    if parts.is_empty() { "no requests".to_owned() } else { format!("requests: {}", parts.join(", ")) }
}
