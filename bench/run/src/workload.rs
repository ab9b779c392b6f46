//! The workloads, as values: what is sent, how the server behaves, what is demanded.
//!
//! The targets are ratios to the best peer of the same run wherever there is one. A
//! workload of `quick` is a smaller one under the same letter.

use crate::sink::Settings;
use crate::target::{Limit, Rival};
use crate::tools::Tool;
use crate::tree::Shape;

/// What is done in the timed command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Sends everything to where nothing is; `stranger` if the tool was never here before.
    First { stranger: bool },
    /// Finds that nothing is to be done.
    Nothing { against_state: bool, by_size: bool },
    /// Fetches everything into memory, or to a disk for good.
    Fetch { durable: bool },
    /// Follows a folder that was renamed here.
    Rename,
    /// Follows 1 MiB that changed in the midst of a file.
    Change,
}

/// One workload.
#[derive(Debug, Clone)]
pub struct Workload {
    pub name: String,
    pub what: String,
    pub shape: Shape,
    pub kind: Kind,
    pub sink: Settings,
    /// What every request waits.
    pub latency_ms: u64,
    pub must: Vec<Limit>,
    pub goal: Vec<Limit>,
    /// Who does not take part, and why.
    pub without: Vec<(Tool, &'static str)>,
    /// What a reader should know of it.
    pub note: &'static str,
}

const MD5: Settings = Settings { md5_etags: true, discards: false };
const FAST: Settings = Settings { md5_etags: false, discards: false };
const GONE: Settings = Settings { md5_etags: false, discards: true };

const PEERS: Rival = Rival::Peers;
const FIND: Rival = Rival::Of(Tool::Find);

const SMALL: Shape = Shape::Even { files: 10_000, bytes: 4096, folders: 100 };
const LARGE: Shape = Shape::Even { files: 4, bytes: 1 << 30, folders: 1 };
const MILLION: Shape = Shape::Even { files: 1_000_000, bytes: 0, folders: 1000 };

const WANTS_MD5: &str = "takes an entity tag that is no MD5 for an error";
const ONE_HEAD_EACH: &str = "asks after every object by itself: a million requests";
const TOO_LONG: &str = "would take hours to fill";

impl Workload {
    fn new(name: &str, what: &str, shape: Shape, kind: Kind, sink: Settings) -> Self {
        Self {
            name: name.to_owned(),
            what: what.to_owned(),
            shape,
            kind,
            sink,
            latency_ms: 0,
            must: Vec::new(),
            goal: Vec::new(),
            without: Vec::new(),
            note: "",
        }
    }

    /// One that is made up for a point of a curve.
    pub fn point(name: String, shape: Shape, kind: Kind) -> Self {
        let without = vec![(Tool::S3cmd, WANTS_MD5)];
        Self { without, ..Self::new(&name, &name, shape, kind, GONE) }
    }

    fn must(mut self, limits: &[Limit]) -> Self {
        self.must = limits.to_vec();
        self
    }

    fn goal(mut self, limits: &[Limit]) -> Self {
        self.goal = limits.to_vec();
        self
    }

    fn without(mut self, who: &[(Tool, &'static str)]) -> Self {
        self.without = who.to_vec();
        self
    }

    fn note(mut self, note: &'static str) -> Self {
        self.note = note;
        self
    }

    fn far(mut self) -> Self {
        self.latency_ms = 20;
        self
    }

    /// Whether another one can go on with what this one has built and filled.
    pub fn leads_to(&self, other: &Self) -> bool {
        let is_still = |kind| matches!(kind, Kind::Nothing { .. });
        is_still(self.kind) && is_still(other.kind) && self.shape == other.shape && self.sink == other.sink
    }
}

const FIRST: Kind = Kind::First { stranger: false };

/// All of them, in order.
pub fn all() -> Vec<Workload> {
    [sending(), comparing(), fetching(), changing(), million()].concat()
}

fn sending() -> Vec<Workload> {
    use Limit::{Cpu, CpuPerFileUs, RssMib, Wall};
    let one = Shape::Even { files: 1, bytes: 4096, folders: 1 };
    let kernel = "78,579 files like the Linux kernel's sources, 1.3 GB, up";
    vec![
        Workload::new("W0", "one file of 4 KiB up, first contact ever", one, Kind::First { stranger: true }, MD5)
            .note("Tidelock also tries out here what the server can do, once for each bucket and week."),
        Workload::new("W10", "one file of 4 KiB up, whole process", one, FIRST, MD5)
            .must(&[Wall(Rival::Of(Tool::S5cmd), 1.0), RssMib(20)])
            .goal(&[Wall(Rival::Of(Tool::S5cmd), 1.0 / 3.0)]),
        Workload::new("W1", "10,000 files of 4 KiB up", SMALL, FIRST, MD5)
            .must(&[Wall(PEERS, 1.0 / 3.0), Cpu(PEERS, 0.2)])
            .goal(&[Wall(PEERS, 1.0 / 6.0), Cpu(PEERS, 0.1), CpuPerFileUs(25.0)]),
        Workload::new("W2", "4 files of 1 GiB up", LARGE, FIRST, GONE)
            .must(&[Wall(PEERS, 0.6), Cpu(PEERS, 0.6), RssMib(64)])
            .goal(&[Wall(PEERS, 0.45), Cpu(PEERS, 0.35)])
            .without(&[(Tool::S3cmd, WANTS_MD5)]),
        Workload::new("W3", kernel, Shape::Kernel, FIRST, MD5)
            .must(&[Wall(PEERS, 1.0 / 3.0), Cpu(PEERS, 1.0 / 6.0), RssMib(64)])
            .goal(&[Wall(PEERS, 0.25), Cpu(PEERS, 0.1)]),
        Workload {
            shape: Shape::Even { files: 1000, bytes: 4096, folders: 10 },
            ..Workload::new("W9", "1,000 files of 4 KiB up, 20 ms a request", SMALL, FIRST, MD5).far()
        }
        .must(&[Wall(PEERS, 1.0)])
        .goal(&[Wall(PEERS, 0.5)])
        .note("Peers with flags for it; Tidelock with none."),
    ]
}

const NOTHING: Kind = Kind::Nothing { against_state: false, by_size: false };

fn comparing() -> Vec<Workload> {
    use Limit::{Cpu, Wall};
    let shape = Shape::Even { files: 100_000, bytes: 4096, folders: 1000 };
    vec![
        Workload::new("W4", "nothing to do, 100,000 files, listed and compared", shape, NOTHING, GONE)
            .must(&[Wall(PEERS, 0.2), Cpu(PEERS, 0.2)])
            .goal(&[Wall(FIND, 1.0)])
            .without(&[(Tool::S3cmd, WANTS_MD5)]),
    ]
}

fn fetching() -> Vec<Workload> {
    use Limit::{Cpu, RssMib, Wall};
    vec![
        Workload::new("W5s", "10,000 files of 4 KiB down, to memory", SMALL, Kind::Fetch { durable: false }, MD5)
            .must(&[Wall(PEERS, 1.0 / 3.0), Cpu(PEERS, 0.2)])
            .goal(&[Wall(PEERS, 0.2), Cpu(PEERS, 0.125)]),
        Workload::new("W5d", "10,000 files of 4 KiB down, to disk for good", SMALL, Kind::Fetch { durable: true }, MD5)
            .must(&[Wall(PEERS, 1.0)])
            .goal(&[Wall(PEERS, 0.5)])
            .note("Peers are followed by `sync -f`; Tidelock makes files durable by itself."),
        Workload::new("W5b", "4 files of 1 GiB down, to memory, verified", LARGE, Kind::Fetch { durable: false }, FAST)
            .must(&[Wall(PEERS, 1.0), RssMib(32)])
            .goal(&[Wall(PEERS, 0.8)]),
    ]
}

fn changing() -> Vec<Workload> {
    use Limit::{Cpu, Requests, Sent, Wall, WallS};
    let large = Shape::Even { files: 1, bytes: 1 << 30, folders: 1 };
    let folder = Shape::Even { files: 10_000, bytes: 4096, folders: 1 };
    vec![
        Workload::new("W6", "a folder of 10,000 files renamed", folder, Kind::Rename, MD5)
            .must(&[Sent(0), Requests("copy", 10_000), Requests("delete_many", 10), Wall(PEERS, 0.2)])
            .goal(&[WallS(0.3)]),
        Workload::new("W8", "1 MiB changed inside 1 GiB", large, Kind::Change, FAST)
            .must(&[Sent(16 << 20), Cpu(PEERS, 0.2)])
            .goal(&[Sent(8_400_000)])
            .without(&[(Tool::S3cmd, WANTS_MD5)]),
    ]
}

fn million() -> Vec<Workload> {
    use Limit::{RssMib, Wall};
    let by_size = Kind::Nothing { against_state: false, by_size: true };
    let by_state = Kind::Nothing { against_state: true, by_size: true };
    let few = [(Tool::Rclone, ONE_HEAD_EACH), (Tool::S3cmd, TOO_LONG)];
    let state_only = ALL_PEERS.map(|tool| (tool, "has no record of its own to go by"));
    vec![
        Workload::new("W7l", "nothing to do, 1,000,000 files, against the listing", MILLION, by_size, GONE)
            .must(&[Wall(FIND, 1.0), RssMib(150)])
            .goal(&[Wall(FIND, 0.6), RssMib(64)])
            .without(&few),
        Workload::new("W7s", "nothing to do, 1,000,000 files, against the state", MILLION, by_state, GONE)
            .must(&[Wall(FIND, 0.75), RssMib(128)])
            .goal(&[Wall(FIND, 0.5), RssMib(48)])
            .without(&state_only),
        Workload::new("W7r", "W7l at 20 ms a request", MILLION, by_size, GONE)
            .far()
            .must(&[Wall(PEERS, 0.1)])
            .goal(&[Wall(PEERS, 0.04)])
            .without(&few),
    ]
}

const ALL_PEERS: [Tool; 6] = [Tool::Rclone, Tool::RcloneTuned, Tool::S5cmd, Tool::S3sync, Tool::Aws, Tool::S3cmd];

/// Smaller ones, for minutes instead of hours.
pub fn quick() -> Vec<Workload> {
    let smaller = |workload: Workload| {
        let (shape, what) = match workload.name.as_str() {
            "W1" | "W8" => return Some(workload),
            "W2" => (Shape::Even { files: 4, bytes: 256 << 20, folders: 1 }, "4 files of 256 MiB up"),
            "W4" => {
                let shape = Shape::Even { files: 10_000, bytes: 4096, folders: 100 };
                (shape, "nothing to do, 10,000 files, listed and compared")
            }
            "W6" => (Shape::Even { files: 1000, bytes: 4096, folders: 1 }, "a folder of 1,000 files renamed"),
            _ => return None,
        };
        let fewer = |limit: &Limit| match limit {
            Limit::Requests("copy", _) => Limit::Requests("copy", shape.files()),
            Limit::Requests("delete_many", _) => Limit::Requests("delete_many", shape.files().div_ceil(1000)),
            limit => *limit,
        };
        let must = workload.must.iter().map(fewer).collect();
        Some(Workload { shape, what: what.to_owned(), must, ..workload })
    };
    all().into_iter().filter_map(smaller).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_workload_has_its_name_and_its_target() {
        let mut names: Vec<String> = all().into_iter().map(|workload| workload.name).collect();
        for workload in all().iter().chain(&quick()) {
            assert!(
                workload.name == "W0" || !workload.must.is_empty() && !workload.goal.is_empty(),
                "{}",
                workload.name
            );
        }
        names.sort();
        let count = names.len();
        names.dedup();
        assert_eq!((names.len(), count), (15, 15));
        assert_eq!(
            quick().iter().map(|workload| workload.name.as_str()).collect::<Vec<_>>(),
            ["W1", "W2", "W4", "W6", "W8"]
        );
    }

    #[test]
    fn a_million_files_are_sent_once() {
        let million = million();
        assert!(million[0].leads_to(&million[1]) && million[1].leads_to(&million[2]));
        assert!(!comparing()[0].leads_to(&million[0]) && !sending()[0].leads_to(&sending()[1]));
    }
}
