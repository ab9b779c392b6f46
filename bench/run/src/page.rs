//! The results as text: a table on the terminal, a page in Markdown.
//!
//! Losses stand where wins stand. What failed is said to have failed, who did not take
//! part is named with the reason, and a target without a rival is neither met nor missed.

use crate::curves::{self, Curve};
use crate::results::{Measured, Results, Summary};
use crate::stats::{bytes, ratio, three};
use crate::target::{Limit, Rival, Verdict, best};
use crate::tools::Tool;
use crate::workload::Workload;
use std::fmt::Write;

/// What is demanded of one workload, judged.
struct Judged<'a> {
    measured: &'a Measured,
    workload: &'a Workload,
    summaries: Vec<Summary>,
}

impl<'a> Judged<'a> {
    fn new(measured: &'a Measured, workload: &'a Workload) -> Self {
        Self { measured, workload, summaries: measured.summaries() }
    }

    fn verdicts(&self, limits: &[Limit]) -> Vec<Verdict> {
        limits.iter().map(|limit| limit.judge(&self.summaries, self.measured.files)).collect()
    }

    /// One word for all of them.
    fn word(&self, limits: &[Limit]) -> &'static str {
        let verdicts = self.verdicts(limits);
        if verdicts.is_empty() {
            "-"
        } else if verdicts.iter().any(|verdict| verdict.met == Some(false)) {
            "**missed**"
        } else if verdicts.iter().any(|verdict| verdict.met.is_none()) {
            "not measured"
        } else {
            "met"
        }
    }

    fn against_peers(&self, of: fn(&Summary) -> f64) -> String {
        let ours = self.summaries.iter().find(|it| it.tool == Tool::Tidelock && it.is_good());
        let found = ours.zip(best(&self.summaries, Rival::Peers, of));
        let text = found.and_then(|(ours, (tool, theirs))| Some((ratio(of(ours), theirs)?, tool)));
        text.map_or("-".to_owned(), |(ratio, tool)| format!("{} × {}", three(ratio), tool.name()))
    }
}

/// A workload as a table for the terminal.
pub fn terminal(measured: &Measured, workload: &Workload) -> String {
    let judged = Judged::new(measured, workload);
    let mut text = format!("\n{}  {}\n", measured.name, measured.what);
    let _ = writeln!(
        text,
        "  {:<13}{:>4}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}",
        "", "runs", "wall s", "CPU s", "RSS MiB", "requests", "up", "down"
    );
    for summary in &judged.summaries {
        let _ = writeln!(text, "  {:<13}{}", summary.tool.name(), terminal_row(summary));
    }
    for (tool, why) in &measured.absent {
        let _ = writeln!(text, "  {:<13}   - {why}", tool.name());
    }
    let _ = writeln!(
        text,
        "  tidelock: wall {}, CPU {}",
        judged.against_peers(|summary| summary.wall_s),
        judged.against_peers(|summary| summary.cpu_s)
    );
    for (name, limits) in [("must", &workload.must), ("goal", &workload.goal)] {
        for verdict in judged.verdicts(limits) {
            let _ = writeln!(text, "  {name} {}: {}", word(verdict.met), verdict.text);
        }
    }
    text
}

fn terminal_row(summary: &Summary) -> String {
    if let Some(why) = &summary.failed {
        return format!("   - FAILED: {why}");
    }
    format!(
        "{:>4}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}",
        summary.runs,
        three(summary.wall_s),
        three(summary.cpu_s),
        summary.rss_bytes >> 20,
        summary.request_count,
        bytes(summary.stored_bytes),
        bytes(summary.out_bytes),
    )
}

fn word(met: Option<bool>) -> &'static str {
    match met {
        Some(true) => "met",
        Some(false) => "missed",
        None => "open",
    }
}

/// The whole page.
pub fn page(results: &Results, workloads: &[Workload]) -> String {
    let pairs = results.workloads.iter().filter_map(|measured| {
        let workload = workloads.iter().find(|workload| workload.name == measured.name)?;
        Some(Judged::new(measured, workload))
    });
    let all: Vec<Judged<'_>> = pairs.collect();
    let mut text = String::from(HEAD);
    text.push_str(&machine(results));
    text.push_str(&overview(&all));
    for judged in &all {
        text.push_str(&section(judged));
    }
    if !results.curves.is_empty() {
        text.push_str(&curve_section(&curves::of(&results.curves)));
    }
    text
}

const HEAD: &str = "\
# What was measured

Written by `make bench`; do not edit. How it is measured, and what is not, is in [../README.md](../README.md); every run is in
[latest.json](latest.json). Numbers are medians of the counted runs. **CPU carries over to other machines, and ratios within
one run; wall times do not**: tools and server share the cores of one machine.
";

fn machine(results: &Results) -> String {
    let machine = &results.machine;
    let mut text = format!(
        "\n{} cores of {}, {} of memory, Linux {}, {}.\n\n",
        machine.cores, machine.cpu, machine.memory, machine.kernel, machine.filesystem
    );
    text.push_str("| tool | version |\n|---|---|\n");
    for (tool, version) in &results.versions {
        let _ = writeln!(text, "| {tool} | {version} |");
    }
    text
}

fn overview(all: &[Judged<'_>]) -> String {
    let mut text = String::from(
        "\n## Against the best peer\n\nA ratio below 1 is a win. *must* and *goal* are what Tidelock is held to, one by one below.\n\n\
         | | workload | Tidelock: wall s / CPU s / MiB | wall | CPU | must | goal |\n|---|---|---|---|---|---|---|\n",
    );
    for judged in all {
        let ours = judged.summaries.iter().find(|summary| summary.tool == Tool::Tidelock);
        let ours = ours.map_or("not measured".to_owned(), |summary| match &summary.failed {
            Some(_) => "**failed**".to_owned(),
            None => format!("{} / {} / {}", three(summary.wall_s), three(summary.cpu_s), summary.rss_bytes >> 20),
        });
        let _ = writeln!(
            text,
            "| {} | {} | {ours} | {} | {} | {} | {} |",
            judged.measured.name,
            judged.measured.what,
            judged.against_peers(|summary| summary.wall_s),
            judged.against_peers(|summary| summary.cpu_s),
            judged.word(&judged.workload.must),
            judged.word(&judged.workload.goal),
        );
    }
    text
}

fn section(judged: &Judged<'_>) -> String {
    let Measured { name, what, at, load, note, absent, .. } = judged.measured;
    let mut text = format!("\n## {name}: {what}\n\n");
    if !judged.workload.note.is_empty() {
        let _ = writeln!(text, "{}\n", judged.workload.note);
    }
    text.push_str(
        "| tool | runs | wall s | CPU s | MiB | requests | of which | connections | files up | down | server CPU s |\n\
         |---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for summary in &judged.summaries {
        let tool = summary.tool.name();
        if let Some(why) = &summary.failed {
            let why = why.replace('|', "/").replace('\n', " ");
            let _ = writeln!(text, "| {tool} | **failed** | | | | | {why} | | | | |");
            continue;
        }
        let _ = writeln!(
            text,
            "| {tool} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            summary.runs,
            wall(summary),
            three(summary.cpu_s),
            summary.rss_bytes >> 20,
            summary.request_count,
            kinds(summary),
            summary.connections,
            bytes(summary.stored_bytes),
            bytes(summary.out_bytes),
            three(summary.sink_cpu_s),
        );
    }
    for (tool, why) in absent {
        let _ = writeln!(text, "| {} | - | | | | | {why} | | | | |", tool.name());
    }
    text.push('\n');
    for (word_of, limits) in [("must", &judged.workload.must), ("goal", &judged.workload.goal)] {
        let verdicts = judged.verdicts(limits);
        let told: Vec<String> =
            verdicts.iter().map(|verdict| format!("{}: {}", verdict.text, word(verdict.met))).collect();
        if !told.is_empty() {
            let _ = writeln!(text, "- *{word_of}*: {}", told.join("; "));
        }
    }
    let _ = writeln!(text, "\nMeasured {at} UTC; load averages at the start {load}.");
    if let Some(note) = note {
        let _ = writeln!(text, "{note}");
    }
    let _ = writeln!(text, "\n![{name}]({name}.svg)");
    text
}

/// The median, and from where to where it went.
fn wall(summary: &Summary) -> String {
    let (shortest, longest) = summary.wall_range_s;
    match summary.runs {
        1 => three(summary.wall_s),
        _ => format!("{} ({}–{})", three(summary.wall_s), three(shortest), three(longest)),
    }
}

fn kinds(summary: &Summary) -> String {
    let mut kinds: Vec<(&String, &u64)> = summary.requests.iter().collect();
    kinds.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), *name));
    let told: Vec<String> = kinds.iter().take(4).map(|(name, count)| format!("{count} {name}")).collect();
    told.join(", ")
}

fn curve_section(curves: &[Curve]) -> String {
    let mut text = String::from(
        "\n## As the work grows\n\nA slope of 1 is cost that grows as work does; one that rises from point to point is trouble to \
         come. Each point is the median of three runs, first syncs are single ones. rclone stops where it takes too long.\n",
    );
    for (axis, file) in curves::FIGURES {
        let _ = writeln!(text, "\n![by {}]({file})\n", axis.unit());
        let _ = writeln!(
            text,
            "| | {} | wall s | CPU s | MiB | slope of wall | slope of CPU |\n|---|---|---|---|---|---|---|",
            axis.unit()
        );
        for curve in curves.iter().filter(|curve| curve.axis == axis) {
            for (n, point) in curve.points.iter().enumerate() {
                let slope = |of: fn(&curves::Point) -> f64| curve.slope_into(n, of).map_or("".to_owned(), three);
                let _ = writeln!(
                    text,
                    "| {} | {} | {} | {} | {} | {} | {} |",
                    curve.name,
                    axis.label(point.work),
                    three(point.wall_s),
                    three(point.cpu_s),
                    point.rss_bytes >> 20,
                    slope(|point| point.wall_s),
                    slope(|point| point.cpu_s),
                );
            }
        }
    }
    text
}

#[cfg(test)]
mod tests;
