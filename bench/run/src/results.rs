//! What was measured: every run, and what they come to.
//!
//! `latest.json` holds the runs as they were; medians and verdicts are made of them each
//! time, so that the page can be written again without measuring. A run that did not do
//! its work is kept, shown as failed, and no part of any median.

use crate::measure::Cost;
use crate::sink::Counts;
use crate::stats::median;
use crate::tools::Tool;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

/// One run of one tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    pub tool: Tool,
    /// 0 warms up and is not counted.
    pub round: u32,
    #[serde(flatten)]
    pub cost: Cost,
    #[serde(flatten)]
    pub counts: Counts,
    /// CPU seconds of the server meanwhile.
    pub sink_cpu_s: f64,
    /// Why its result is not what it should be.
    pub failed: Option<String>,
}

/// One workload, measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Its name in the list of workloads.
    pub name: String,
    /// What it was, as it was run.
    pub what: String,
    pub files: u64,
    pub bytes: u64,
    /// When, in UTC.
    pub at: String,
    /// How busy the machine was then: its load averages.
    pub load: String,
    /// What the reader should know of the circumstances.
    pub note: Option<String>,
    pub runs: Vec<Run>,
    /// What the first sending cost, where the runs are of what comes after it.
    pub fills: Vec<Run>,
    /// Who did not take part, and why.
    pub absent: Vec<(Tool, String)>,
}

/// Where it was measured.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    pub cpu: String,
    pub cores: usize,
    pub memory: String,
    pub kernel: String,
    pub filesystem: String,
}

/// Everything.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Results {
    pub machine: Machine,
    pub versions: BTreeMap<String, String>,
    pub workloads: Vec<Measured>,
    /// Cost curves, each point a workload.
    #[serde(default)]
    pub curves: Vec<Measured>,
}

impl Results {
    /// Those of an earlier time; none if there are none that can be read.
    pub fn read(path: &Path) -> Self {
        fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// Keeps them.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        fs::write(path, serde_json::to_string_pretty(self)? + "\n")
    }

    /// Takes newer ones of a workload in, in the order of names that is given.
    pub fn take(of: &mut Vec<Measured>, measured: Measured, order: &[&str]) {
        of.retain(|other| other.name != measured.name);
        of.push(measured);
        of.sort_by_key(|other| order.iter().position(|name| *name == other.name).unwrap_or(usize::MAX));
    }
}

/// What the runs of one tool come to.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    pub tool: Tool,
    /// How many count.
    pub runs: usize,
    pub wall_s: f64,
    /// The shortest and the longest.
    pub wall_range_s: (f64, f64),
    pub cpu_s: f64,
    pub rss_bytes: u64,
    pub sink_cpu_s: f64,
    /// Of the last run.
    pub requests: BTreeMap<String, u64>,
    pub request_count: u64,
    pub stored_bytes: u64,
    pub out_bytes: u64,
    pub connections: u64,
    /// Why nothing here counts.
    pub failed: Option<String>,
}

impl Default for Summary {
    fn default() -> Self {
        Self::of(Tool::Tidelock, &[])
    }
}

impl Summary {
    /// Whether there is anything to compare with.
    pub fn is_good(&self) -> bool {
        self.failed.is_none() && self.runs > 0
    }

    /// Of these runs; if one of them failed, nothing that was timed counts.
    pub fn of(tool: Tool, runs: &[&Run]) -> Self {
        let middle = |of: fn(&Run) -> f64| median(runs.iter().map(|run| of(run))).unwrap_or(0.0);
        let failures: Vec<&String> = runs.iter().filter_map(|run| run.failed.as_ref()).collect();
        let failed = failures.first().map(|why| format!("{} of {} failed: {why}", failures.len(), runs.len()));
        let counts = runs.last().map(|run| run.counts.clone()).unwrap_or_default();
        let walls = || runs.iter().map(|run| run.cost.wall_s);
        Self {
            tool,
            runs: runs.len(),
            wall_s: middle(|run| run.cost.wall_s),
            wall_range_s: (walls().fold(f64::MAX, f64::min), walls().fold(0.0, f64::max)),
            cpu_s: middle(|run| run.cost.user_s + run.cost.sys_s),
            rss_bytes: runs.iter().map(|run| run.cost.rss_bytes).max().unwrap_or(0),
            sink_cpu_s: middle(|run| run.sink_cpu_s),
            request_count: counts.total(),
            stored_bytes: counts.bytes_stored,
            out_bytes: counts.bytes_out,
            connections: counts.connections,
            requests: counts.requests,
            failed,
        }
    }
}

impl Measured {
    /// Of every tool that took part, in the order in which they ran.
    pub fn summaries(&self) -> Vec<Summary> {
        Self::summed(&self.runs, 1)
    }

    /// The same of the first sendings.
    pub fn fill_summaries(&self) -> Vec<Summary> {
        Self::summed(&self.fills, 0)
    }

    fn summed(runs: &[Run], first_round: u32) -> Vec<Summary> {
        let of = |tool| -> Vec<&Run> {
            runs.iter().filter(|run| run.tool == tool && (run.round >= first_round || run.failed.is_some())).collect()
        };
        let each = crate::tools::ALL.into_iter().map(|tool| (tool, of(tool)));
        each.filter(|(_, runs)| !runs.is_empty()).map(|(tool, runs)| Summary::of(tool, &runs)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(tool: Tool, round: u32, wall_s: f64, failed: Option<&str>) -> Run {
        let cost = Cost { wall_s, user_s: 1.0, sys_s: 0.5, rss_bytes: u64::from(round) << 20, exit: Some(0) };
        let counts = Counts::default();
        Run { tool, round, cost, counts, sink_cpu_s: 0.1, failed: failed.map(str::to_owned) }
    }

    fn measured(runs: Vec<Run>) -> Measured {
        Measured {
            name: "W".to_owned(),
            what: String::new(),
            files: 1,
            bytes: 1,
            at: String::new(),
            load: String::new(),
            note: None,
            runs,
            fills: Vec::new(),
            absent: Vec::new(),
        }
    }

    #[test]
    fn what_warms_up_is_not_counted() {
        let runs = [9.0, 1.0, 3.0, 2.0].into_iter().zip(0..).map(|(wall, round)| run(Tool::S5cmd, round, wall, None));
        let summaries = measured(runs.collect()).summaries();
        assert_eq!((summaries.len(), summaries[0].runs, summaries[0].wall_s), (1, 3, 2.0));
        assert_eq!((summaries[0].cpu_s, summaries[0].rss_bytes), (1.5, 3 << 20));
        assert_eq!(summaries[0].wall_range_s, (1.0, 3.0));
    }

    #[test]
    fn a_run_that_failed_is_never_a_win() {
        let runs = vec![run(Tool::Aws, 0, 9.0, None), run(Tool::Aws, 1, 0.1, Some("no objects"))];
        let summary = &measured(runs).summaries()[0];
        assert!(!summary.is_good());
        assert_eq!(summary.failed.as_deref(), Some("1 of 1 failed: no objects"));
        assert!(!measured(vec![run(Tool::Aws, 0, 9.0, Some("exit 1"))]).summaries()[0].is_good());
    }

    #[test]
    fn results_survive_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut results = Results::default();
        for name in ["W2", "W1", "W2"] {
            let measured = Measured { name: name.to_owned(), ..measured(vec![run(Tool::Find, 1, 0.5, None)]) };
            Results::take(&mut results.workloads, measured, &["W1", "W2"]);
        }
        let names: Vec<&str> = results.workloads.iter().map(|measured| measured.name.as_str()).collect();
        assert_eq!(names, ["W1", "W2"]);
        let path = folder.path().join("latest.json");
        results.write(&path).expect("room");
        assert_eq!(Results::read(&path), results);
    }
}
