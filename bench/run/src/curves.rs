//! How cost grows with work: points, curves, slopes.
//!
//! Each point is a workload of its own, of so many files or so large a file, measured
//! like the others. What is asked of a curve is its slope: a change of it is a cost that
//! the size of the work brings out.

use crate::results::{Measured, Summary};
use crate::stats::slopes;
use crate::tools::Tool;
use crate::tree::Shape;
use crate::workload::{Kind, Workload};

/// What grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    Files,
    Bytes,
}

/// The figures: what grows in them, and their files.
pub const FIGURES: [(Axis, &str); 2] = [(Axis::Files, "curve-files.svg"), (Axis::Bytes, "curve-bytes.svg")];

/// A point to be measured, and who is.
pub struct Step {
    pub workload: Workload,
    pub tools: Vec<Tool>,
    pub runs: u32,
}

/// One point.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Files, or bytes.
    pub work: u64,
    pub wall_s: f64,
    pub cpu_s: f64,
    pub rss_bytes: u64,
}

/// Points in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    pub name: String,
    pub axis: Axis,
    pub points: Vec<Point>,
}

impl Axis {
    /// What is counted.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Bytes => "size of one file",
        }
    }

    /// A point on it.
    pub fn label(self, work: u64) -> String {
        match self {
            Self::Files => work.to_string(),
            Self::Bytes if work >= 1 << 30 => format!("{} GiB", work >> 30),
            Self::Bytes => format!("{} MiB", work >> 20),
        }
    }
}

impl Curve {
    /// The slope from the point before the `n`th into it.
    pub fn slope_into(&self, n: usize, of: fn(&Point) -> f64) -> Option<f64> {
        #[allow(clippy::cast_precision_loss, reason = "for people")]
        let points: Vec<(f64, f64)> = self.points.iter().map(|point| (point.work as f64, of(point))).collect();
        slopes(&points).get(n.checked_sub(1)?).copied()
    }
}

/// Up to here rclone goes along.
const PEER_FILES: u64 = 100_000;
const PEER_BYTES: u64 = 4 << 30;

/// All points, `files` of them up to so many files and `bytes` up to so large a file.
pub fn steps(files_max: u64, bytes_max: u64) -> Vec<Step> {
    let with = |peer: bool| if peer { vec![Tool::Tidelock, Tool::RcloneTuned] } else { vec![Tool::Tidelock] };
    let files = (3..=6).map(|power| 10_u64.pow(power)).filter(|files| *files <= files_max).map(|files| {
        let shape = Shape::Even { files, bytes: 4096, folders: files.div_ceil(1000).max(10) };
        let kind = Kind::Nothing { against_state: false, by_size: false };
        let workload = Workload::point(format!("files-{files}"), shape, kind);
        Step { workload, tools: with(files <= PEER_FILES), runs: 3 }
    });
    let bytes = (0..=7).map(|power| 1_u64 << (20 + 2 * power)).filter(|bytes| *bytes <= bytes_max).map(|bytes| {
        let shape = Shape::Even { files: 1, bytes, folders: 1 };
        let workload = Workload::point(format!("bytes-{bytes}"), shape, Kind::First { stranger: false });
        Step { workload, tools: with(bytes <= PEER_BYTES), runs: 3 }
    });
    files.chain(bytes).collect()
}

/// The curves that these points make.
pub fn of(points: &[Measured]) -> Vec<Curve> {
    let mut curves = Vec::new();
    for tool in [Tool::Tidelock, Tool::RcloneTuned] {
        let first = |measured: &Measured| measured.fill_summaries();
        curves.push(curve(points, tool, "first sync", Axis::Files, first));
        curves.push(curve(points, tool, "nothing to do", Axis::Files, Measured::summaries));
        curves.push(curve(points, tool, "one file up", Axis::Bytes, Measured::summaries));
    }
    curves.retain(|curve| !curve.points.is_empty());
    curves
}

fn curve(points: &[Measured], tool: Tool, what: &str, axis: Axis, of: impl Fn(&Measured) -> Vec<Summary>) -> Curve {
    let prefix = if axis == Axis::Files { "files-" } else { "bytes-" };
    let mut found = Vec::new();
    for measured in points.iter().filter(|measured| measured.name.starts_with(prefix)) {
        let work = if axis == Axis::Files { measured.files } else { measured.bytes };
        let summary = of(measured).into_iter().find(|summary| summary.tool == tool && summary.is_good());
        found.extend(summary.map(|it| Point { work, wall_s: it.wall_s, cpu_s: it.cpu_s, rss_bytes: it.rss_bytes }));
    }
    found.sort_by_key(|point| point.work);
    Curve { name: format!("{}, {what}", tool.name()), axis, points: found }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_go_as_far_as_they_are_told() {
        let names =
            |files, bytes| -> Vec<String> { steps(files, bytes).into_iter().map(|step| step.workload.name).collect() };
        assert_eq!(names(10_000, 4 << 20), ["files-1000", "files-10000", "bytes-1048576", "bytes-4194304"]);
        assert_eq!(names(1_000_000, 16 << 30).len(), 12);
        assert_eq!(steps(1_000_000, 0).last().map(|step| step.tools.len()), Some(1));
    }

    #[test]
    fn a_point_is_named_by_what_grows() {
        assert_eq!((Axis::Bytes.label(4 << 30), Axis::Bytes.label(1 << 20)), ("4 GiB".to_owned(), "1 MiB".to_owned()));
        assert_eq!(Axis::Files.label(1000), "1000");
    }
}
