//! What is known of objects, buckets, runs and the state of things, as people read it.
//!
//! Lines made of replies alone. Names come from anywhere and are shown so that they
//! cannot act on a terminal.

use super::summary;
use crate::render::words::{bytes, duration, moment, name, shown};
use tidelock_engine::api::{BucketsReply, DoctorReply, InfoReply, RunEntry, RunReply, RunsReply, Verdict};
use tidelock_engine::event::Event;
use tidelock_remote::layer::RequestCounts;

/// An object.
pub fn info(info: &InfoReply) -> Vec<String> {
    let mut lines = vec![name(&info.remote)];
    let mut add = |what: &str, value: Option<String>| {
        if let Some(value) = value {
            lines.push(format!("  {what:14} {value}"));
        }
    };
    let text = |value: &Option<String>| value.as_deref().map(shown);
    add("size", Some(format!("{} ({} bytes)", bytes(info.bytes), info.bytes)));
    add("written", info.modified_s.map(|at| moment(at.saturating_mul(1000))));
    add("etag", Some(shown(&info.etag)));
    add("class", text(&info.storage_class));
    add("encryption", text(&info.encryption));
    add("encrypted with", text(&info.encryption_key));
    add("bucket key", info.encryption_bucket_key.filter(|is| *is).map(|_| "yes".to_owned()));
    add("version", text(&info.version));
    add("state", Some(info.readiness.clone()).filter(|state| state != "ready"));
    add("type", text(&info.content_type));
    for (header, value) in &info.headers {
        add(header, Some(shown(value)));
    }
    add("crc64nvme", text(&info.crc64nvme));
    add("blake3", text(&info.digest));
    add("file kind", text(&info.kind));
    add("file time", info.mtime_ns.map(|at| moment(at / 1_000_000)));
    add("file mode", text(&info.mode));
    let owner = info.uid.map(|uid| format!("{uid}:{}", info.gid.map_or(String::new(), |gid| gid.to_string())));
    add("file owner", owner);
    for (key, value) in &info.user {
        lines.push(format!("  meta {} = {}", name(key), shown(value)));
    }
    lines
}

/// Buckets.
pub fn buckets(reply: &BucketsReply, long: bool) -> Vec<String> {
    let line = |bucket: &tidelock_engine::api::BucketReply| {
        let made = bucket.created_s.map_or_else(|| "-".to_owned(), |at| moment(at.saturating_mul(1000)));
        if long { format!("{made:19}  {}", name(&bucket.name)) } else { name(&bucket.name) }
    };
    reply.buckets.iter().map(line).collect()
}

/// The history, or one run of it.
pub fn runs(reply: &RunsReply) -> Vec<String> {
    let mut lines: Vec<String> = reply.runs.iter().map(run).collect();
    if reply.runs.is_empty() {
        lines.push("nothing was run yet".to_owned());
    }
    lines.extend(reply.events.iter().filter_map(event));
    if let (false, [RunEntry { command, report: Some(report), .. }]) = (reply.events.is_empty(), reply.runs.as_slice())
    {
        let requests = RequestCounts::default();
        let whole = RunReply { report: report.clone(), requests, dry_run: false };
        lines.push(summary::of_the_past(command, &whole));
    }
    lines
}

fn run(run: &RunEntry) -> String {
    let ended = match (run.ended_ms, run.exit) {
        (Some(_), Some(0)) => "went well".to_owned(),
        (Some(_), Some(code)) => format!("exit code {code}"),
        _ => "did not end".to_owned(),
    };
    let took = run.ended_ms.map_or(String::new(), |ended_ms| {
        format!(" in {}", duration(u64::try_from(ended_ms - run.started_ms).unwrap_or(0)))
    });
    // Files go the way the arrow shows.
    let fetches = matches!(run.command.as_str(), "restore" | "download");
    let sides = if fetches { [&run.remote, &run.local] } else { [&run.local, &run.remote] };
    let sides: Vec<String> = sides.into_iter().filter(|side| !side.is_empty()).map(|side| name(side)).collect();
    format!("{:>5}  {}  {:8}  {ended}{took}  {}", run.number, moment(run.started_ms), run.command, sides.join(" -> "))
}

/// What is kept of a run, line by line.
fn event(event: &Event) -> Option<String> {
    Some(match event {
        Event::Done { action, path, bytes, from, .. } => {
            format!("  {}", super::line(action, path, *bytes, from.as_deref()))
        }
        Event::Conflict { path, row } => format!("  conflict      {} [{row}]", name(path)),
        Event::Problem(problem) => format!("  problem       {}: {}", name(&problem.path), shown(&problem.what)),
        Event::Note { text } => format!("  note          {}", shown(text)),
        Event::Stopped { reason, .. } => format!("  stopped       {}", shown(reason)),
        _ => return None,
    })
}

/// What the doctor found.
pub fn doctor(reply: &DoctorReply) -> Vec<String> {
    let mut lines = Vec::new();
    for finding in &reply.findings {
        let mark = match finding.verdict {
            Verdict::Good => "ok",
            Verdict::Warning => "note",
            Verdict::Bad => "BAD",
        };
        lines.push(format!("{mark:5} {:13} {}", finding.check, shown(&finding.what)));
        if let Some(remedy) = &finding.remedy {
            lines.push(format!("      {:13} -> {}", "", shown(remedy)));
        }
    }
    let count = |verdict| reply.findings.iter().filter(|finding| finding.verdict == verdict).count();
    lines.push(match (count(Verdict::Bad), count(Verdict::Warning)) {
        (0, 0) => "everything is well".to_owned(),
        (0, warnings) => format!("everything works; {warnings} to know of"),
        (bad, _) => format!("{bad} must be seen to"),
    });
    lines
}
