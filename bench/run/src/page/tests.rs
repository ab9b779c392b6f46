use super::*;
use crate::measure::Cost;
use crate::results::Run;
use crate::sink::Counts;
use crate::tree::Shape;
use crate::workload::{self, Kind};

fn run(tool: Tool, round: u32, wall_s: f64, failed: Option<&str>) -> Run {
    let cost = Cost { wall_s, user_s: wall_s, sys_s: 0.0, rss_bytes: 30 << 20, exit: Some(0) };
    let requests = [("put".to_owned(), 10_000), ("list".to_owned(), 2)].into();
    let counts = Counts { requests, bytes_stored: 40_960_000, ..Counts::default() };
    Run { tool, round, cost, counts, sink_cpu_s: 0.25, failed: failed.map(str::to_owned) }
}

fn measured(name: &str, runs: Vec<Run>) -> Measured {
    Measured {
        name: name.to_owned(),
        what: "10,000 files".to_owned(),
        files: 10_000,
        bytes: 40_960_000,
        at: "2026-01-01 00:00".to_owned(),
        load: "0.10 0.20 0.30".to_owned(),
        note: Some("A quiet night.".to_owned()),
        runs,
        fills: Vec::new(),
        absent: vec![(Tool::S3sync, "is not installed".to_owned())],
    }
}

fn results() -> Results {
    let runs = vec![
        run(Tool::Tidelock, 0, 9.0, None),
        run(Tool::Tidelock, 1, 0.6, None),
        run(Tool::S5cmd, 1, 1.5, None),
        run(Tool::S5cmd, 2, 1.5, None),
        run(Tool::S5cmd, 3, 2.5, None),
        run(Tool::Aws, 1, 0.1, Some("9 objects instead of 10000")),
    ];
    Results { workloads: vec![measured("W1", runs)], ..Results::default() }
}

#[test]
fn losses_and_failures_stand_on_the_page() {
    let text = page(&results(), &workload::all());
    for expected in [
        "| W1 | 10,000 files | 0.600 / 0.600 / 30 | 0.400 × s5cmd | 0.400 × s5cmd | **missed** | **missed** |",
        "| s5cmd | 3 | 1.50 (1.50–2.50) | 1.50 | 30 | 10002 | 10000 put, 2 list | 0 | 41.0 MB | 0 B | 0.250 |",
        "| awscli | **failed** | | | | | 1 of 1 failed: 9 objects instead of 10000 | | | | |",
        "| s3sync | - | | | | | is not installed | | | | |",
        "- *must*: wall 0.400 × s5cmd (≤ 0.333): missed; CPU 0.400 × s5cmd (≤ 0.200): missed",
        "load averages at the start 0.10 0.20 0.30.\nA quiet night.\n\n![W1](W1.svg)",
    ] {
        assert!(text.contains(expected), "{expected}\nis not in\n{text}");
    }
}

#[test]
fn the_terminal_says_the_same() {
    let results = results();
    let all = workload::all();
    let workload = all.iter().find(|workload| workload.name == "W1").expect("listed");
    let text = terminal(&results.workloads[0], workload);
    for expected in
        ["awscli          - FAILED: 1 of 1", "must missed: wall 0.400 × s5cmd", "tidelock: wall 0.400 × s5cmd"]
    {
        assert!(text.contains(expected), "{expected}\nis not in\n{text}");
    }
}

#[test]
fn slopes_stand_beside_the_points_of_a_curve() {
    let point = |files: u64, wall_s: f64| {
        let name = format!("files-{files}");
        Measured { files, fills: vec![run(Tool::Tidelock, 0, wall_s, None)], ..measured(&name, Vec::new()) }
    };
    let results =
        Results { curves: vec![point(1000, 0.1), point(10_000, 1.0), point(100_000, 100.0)], ..Results::default() };
    let text = page(&results, &[]);
    for expected in [
        "| tidelock, first sync | 1000 | 0.100 | 0.100 | 30 |  |  |",
        "| tidelock, first sync | 10000 | 1.00 | 1.00 | 30 | 1.00 | 1.00 |",
        "| tidelock, first sync | 100000 | 100 | 100 | 30 | 2.00 | 2.00 |",
    ] {
        assert!(text.contains(expected), "{expected}\nis not in\n{text}");
    }
    // A point of a curve is a workload like any other.
    let shape = Shape::Even { files: 10, bytes: 1, folders: 1 };
    assert!(workload::Workload::point("x".to_owned(), shape, Kind::First { stranger: false }).must.is_empty());
}
