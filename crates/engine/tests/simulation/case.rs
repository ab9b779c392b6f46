//! A schedule: a world, and what happens in it in which order.
//!
//! Made from a seed, kept as JSON when it failed, and shrunk by taking operations
//! and faults away. Operations name paths, not positions, so that each still means
//! something when others are gone; one that cannot be done is passed over.

use crate::chance::{Rng, Weather};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use tidelock_core::policy::{Drift, Flow, OnConflict, Policy, Preset};

/// A whole schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Case {
    pub seed: u64,
    pub setup: Setup,
    pub ops: Vec<Timed>,
    /// Faults that do not happen, per device, by number.
    #[serde(default)]
    pub muted: [BTreeSet<u64>; 2],
}

/// The world it happens in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    pub policies: Vec<Policy>,
    pub server: Server,
    pub tiny: bool,
    pub grain_ns: i64,
    pub inode_reuse: Reuse,
    pub fold_case: bool,
    pub concurrency: usize,
    pub weather: Weather,
    /// Files over this length are sent while they are read, their digest unknown.
    #[serde(default)]
    pub large_over: Option<u64>,
    /// Size and time are enough to be the same.
    #[serde(default)]
    pub by_stamp: bool,
    /// Only the runs at the end list the bucket.
    #[serde(default)]
    pub unlisted: bool,
    /// Extended attributes take part.
    #[serde(default)]
    pub xattrs: bool,
    /// The second device keeps none.
    #[serde(default)]
    pub bare: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Server {
    Aws,
    Versioned,
    Ignoring,
    Refusing,
    RandomParts,
    Unordered,
    Opaque,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reuse {
    AtOnce,
    Later,
    Never,
}

/// An operation, and how long after the one before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Timed {
    pub after: After,
    pub op: Op,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum After {
    /// When no engine is running any more.
    Idle,
    /// After so many steps of the scheduler.
    Steps(u32),
    /// When a device's engine comes to this gate for the n-th time from now on.
    Gate(usize, String, u32),
}

/// Something that happens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Op {
    /// The same new file on several sides.
    Seed { path: String, here: [bool; 2], there: bool },
    /// Somebody works on a device.
    User(usize, Deed),
    /// Somebody else works in the bucket.
    Foreign(Act),
    /// An engine starts, unless it runs already.
    Run { device: usize, confirm: bool },
    /// A plan is written down.
    Plan(usize),
    /// What was written down last is carried out.
    Apply { device: usize, confirm: bool },
    /// Renames are carried over, and nothing else.
    Moves(usize),
    /// A process dies.
    Kill(usize),
    /// The power goes.
    Power(usize),
    /// The disk is unmounted, or mounted again.
    Mount(usize, bool),
    /// The state is gone.
    LoseState(usize),
    /// A copy of the state is made, which may be put back later.
    SaveState(usize),
    /// That copy takes the state's place.
    OldState(usize),
    /// A row of the state becomes unreadable.
    SpoilState(usize),
    /// The disk that holds the state is full, or has room again.
    FullState(usize, bool),
    /// The next requests of a device find nobody.
    Outage(usize, u32),
    /// The wall clock is set.
    Jump(i64),
    /// An agreed file is removed here as `prune` does.
    Prune(usize, String),
    /// What is here and in no base is marked as known.
    Know(usize),
    /// The mode of a pair changes.
    Mode(usize, Policy),
    /// A pattern is excluded, or none.
    Exclude(usize, Option<String>),
    /// Time passes.
    Wait(u32),
}

/// What a user does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Deed {
    Write {
        path: String,
        size: usize,
    },
    Append {
        path: String,
        size: usize,
    },
    /// Other bytes of the same length; perhaps with the time put back.
    Rewrite {
        path: String,
        put_back: bool,
    },
    Truncate {
        path: String,
        size: usize,
    },
    /// As editors save: a new file over the name.
    Save {
        path: String,
        size: usize,
    },
    Rename {
        from: String,
        to: String,
    },
    Swap {
        a: String,
        b: String,
    },
    Remove {
        path: String,
    },
    /// Removed, and another of the same length made at once.
    Recreate {
        path: String,
    },
    Chmod {
        path: String,
        mode: u32,
    },
    Touch {
        path: String,
    },
    Xattr {
        path: String,
        name: String,
        value: Option<String>,
    },
    Link {
        path: String,
    },
    HardLink {
        path: String,
        new: String,
    },
    Mkdir {
        path: String,
    },
    Special {
        path: String,
    },
    /// Opened, and written to from now on a bit at a time.
    Open {
        path: String,
    },
    WriteOpen,
    Close,
    /// Most of the disk is used up, or is free again.
    Fill(bool),
}

/// What somebody else does in the bucket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Act {
    Put {
        key: String,
        size: usize,
    },
    /// The same bytes once more.
    Again {
        key: String,
    },
    Marker {
        key: String,
    },
    Delete {
        key: String,
    },
    Archive {
        key: String,
    },
    Thaw {
        key: String,
    },
}

const PATHS: [&str; 20] = [
    "a",
    "b",
    "c",
    "A",
    "a.txt",
    "d/a",
    "d/b",
    "d/e/a",
    "d/e",
    "d",
    "e/a",
    "e/b",
    "e",
    "d.x",
    "é",
    "a b",
    "a/b",
    "d/e/f/g",
    "-",
    "x.rclonelink",
];
const ILLEGAL: [&str; 5] = ["a//b", "../up", "/abs", "d/./x", "e/"];
const GRAINS_NS: [(usize, i64); 4] = [(5, 1), (2, 4_000_000), (1, 100), (2, 1_000_000_000)];

/// Where it is worth being at the right moment.
const GATES: [&str; 18] = [
    "disk.exchange.done",
    "disk.exchange",
    "disk.rename.done",
    "disk.rename",
    "disk.sync",
    "disk.sync_dir",
    "disk.sync_dir.done",
    "disk.create.done",
    "disk.open.done",
    "disk.read_at",
    "disk.read_at.done",
    "disk.set_meta",
    "put",
    "put.done",
    "get.done",
    "delete",
    "head.done",
    "list.done",
];

struct Maker {
    rng: Rng,
    paths: Vec<String>,
    devices: usize,
    mirrors: bool,
}

impl Case {
    /// The schedule of a seed.
    pub fn of(seed: u64) -> Self {
        let mut rng = Rng::split(seed, "case");
        let mut setup = setup(&mut rng);
        extend(&mut setup, &mut Rng::split(seed, "extras"));
        let count = 3 + rng.below(5);
        let mut paths: Vec<String> = (0..count).map(|_| (*rng.pick(&PATHS)).to_owned()).collect();
        paths.sort();
        paths.dedup();
        let mirrors = setup.policies.iter().any(is_mirror);
        let mut maker = Maker { rng, paths, devices: setup.policies.len(), mirrors };
        let mut ops = maker.ops(&setup);
        maker.rng = Rng::split(seed, "more");
        maker.weave(&mut ops, &setup);
        if matches!(setup.server, Server::Ignoring | Server::Refusing) {
            // What is stored there between a look and a write is lost, and this is told.
            ops.iter_mut()
                .filter(|timed| matches!(timed.op, Op::Foreign(_)))
                .for_each(|timed| timed.after = After::Idle);
        }
        Self { seed, setup, ops, muted: [BTreeSet::new(), BTreeSet::new()] }
    }
}

fn setup(rng: &mut Rng) -> Setup {
    let server = rng.weighed(&[
        (10, Server::Aws),
        (3, Server::Versioned),
        (1, Server::Ignoring),
        (1, Server::Refusing),
        (2, Server::RandomParts),
        (1, Server::Unordered),
        (2, Server::Opaque),
    ]);
    let lawless = matches!(server, Server::Ignoring | Server::Refusing);
    let second = !lawless && rng.below(10) < 4;
    let mut policies: Vec<Policy> = (0..1 + usize::from(second)).map(|place| policy(rng, place)).collect();
    if policies.len() == 2 && policies.iter().any(is_mirror) {
        // Two who fight over what the bucket shall hold never come to rest.
        let other = usize::from(is_mirror(&policies[0]));
        policies[other] = rng.pick(&[Preset::TwoWay, Preset::TwoWay, Preset::RestoreOverwrite]).policy();
    }
    // Where nothing is conditional, late requests do what they like.
    let network_one_in = if lawless { 0 } else { rng.weighed(&[(5, 0), (3, 12), (2, 5)]) };
    Setup {
        policies,
        server,
        tiny: rng.one_in(2),
        grain_ns: rng.weighed(&GRAINS_NS),
        inode_reuse: rng.weighed(&[(3, Reuse::AtOnce), (1, Reuse::Later), (1, Reuse::Never)]),
        fold_case: rng.one_in(15),
        concurrency: rng.weighed(&[(2, 1), (2, 3), (3, 16)]),
        weather: Weather { network_one_in, disk_one_in: rng.weighed(&[(7, 0), (2, 60), (1, 15)]) },
        large_over: None,
        by_stamp: false,
        unlisted: false,
        xattrs: false,
        bare: false,
    }
}

/// What was added to the world later draws from a stream of its own, so that the
/// schedules of before stay what they were.
fn extend(setup: &mut Setup, rng: &mut Rng) {
    setup.large_over = rng.weighed(&[(5, None), (3, Some(32)), (1, Some(12))]);
    setup.by_stamp = rng.one_in(12);
    setup.unlisted = rng.one_in(12);
    setup.xattrs = rng.one_in(8);
    setup.bare = rng.one_in(4);
}

fn is_mirror(policy: &Policy) -> bool {
    (policy.flow, policy.drift) == (Flow::Up, Drift::Overwrite)
}

fn policy(rng: &mut Rng, place: usize) -> Policy {
    let preset = if place == 0 {
        rng.weighed(&[
            (9, Preset::TwoWay),
            (4, Preset::SyncDelete),
            (3, Preset::Mirror),
            (1, Preset::Push),
            (1, Preset::Restore),
            (2, Preset::RestoreOverwrite),
        ])
    } else {
        rng.weighed(&[
            (12, Preset::TwoWay),
            (2, Preset::SyncDelete),
            (1, Preset::Mirror),
            (1, Preset::Push),
            (1, Preset::Restore),
            (1, Preset::RestoreOverwrite),
        ])
    };
    let usual = preset.policy();
    let conflict = rng.weighed(&[
        (8, usual.conflict),
        (2, OnConflict::KeepBoth),
        (1, OnConflict::Report),
        (1, OnConflict::Local),
        (1, OnConflict::Remote),
        (1, OnConflict::Newer),
    ]);
    Policy { conflict, ..usual }
}

impl Maker {
    fn path(&mut self) -> String {
        self.rng.pick(&self.paths).clone()
    }

    fn device(&mut self) -> usize {
        self.rng.below(self.devices)
    }

    fn size(&mut self) -> usize {
        let most = *self.rng.pick(&[12, 30, 80]);
        8 + self.rng.below(most)
    }

    fn after(&mut self) -> After {
        match self.rng.below(20) {
            0..=8 => After::Idle,
            9..=10 => After::Steps(0),
            11..=13 => {
                let device = self.device();
                After::Gate(device, (*self.rng.pick(&GATES)).to_owned(), 1 + self.rng.below(4) as u32)
            }
            14..=16 => After::Steps(self.rng.below(12) as u32),
            _ => After::Steps(self.rng.below(70) as u32),
        }
    }

    fn ops(&mut self, setup: &Setup) -> Vec<Timed> {
        let mut ops = Vec::new();
        let idle = |op: Op| Timed { after: After::Idle, op };
        for _ in 0..2 + self.rng.below(5) {
            let path = self.path();
            let side = self.rng.below(8);
            ops.push(idle(Op::Seed { path, here: [side != 0, side == 2 || side == 3], there: side < 2 || side == 3 }));
        }
        if self.rng.one_in(8) {
            ops.push(idle(Op::Know(0)));
        }
        if !self.rng.one_in(5) {
            for device in 0..self.devices {
                ops.push(idle(Op::Run { device, confirm: false }));
            }
        }
        let lawless = matches!(setup.server, Server::Ignoring | Server::Refusing);
        for _ in 0..4 + self.rng.below(22) {
            if !lawless && self.rng.one_in(4) {
                ops.extend(self.ambush());
                continue;
            }
            let op = self.op();
            let after = if lawless && matches!(op, Op::Foreign(_)) { After::Idle } else { self.after() };
            ops.push(Timed { after, op });
        }
        ops
    }

    /// What was thought of later is woven into what was there, from a stream of its
    /// own. Most schedules stay as they are.
    fn weave(&mut self, ops: &mut Vec<Timed>, setup: &Setup) {
        for _ in 0..if setup.xattrs { 2 + self.rng.below(6) } else { 0 } {
            let (device, deed, after) = (self.device(), self.attribute(), self.after());
            let at = self.rng.below(ops.len() + 1);
            ops.insert(at, Timed { after, op: Op::User(device, deed) });
        }
        if self.rng.one_in(8) {
            self.weave_barriers(ops);
        }
        if self.rng.one_in(4) {
            let paper = self.paper();
            self.insert(ops, paper);
        }
        if self.rng.one_in(6) {
            self.weave_states(ops);
        }
        if self.rng.one_in(10) {
            let device = self.device();
            let mut renames: Vec<Op> = (0..1 + self.rng.below(3)).map(|_| Op::User(device, self.renaming())).collect();
            renames.push(Op::Moves(device));
            let renames = renames.into_iter().map(|op| Timed { after: After::Idle, op }).collect();
            self.insert(ops, renames);
        }
        if setup.tiny && self.rng.one_in(6) {
            self.weave_outage(ops);
        }
    }

    /// Something is removed, and then the line breaks between two pages of a listing.
    fn weave_outage(&mut self, ops: &mut Vec<Timed>) {
        let device = self.device();
        let run = Op::Run { device, confirm: self.rng.one_in(2) };
        let written = self.paths.clone().into_iter().chain(["y".to_owned(), "z".to_owned()]);
        let mut block: Vec<Op> =
            written.map(|path| Op::User(device, Deed::Write { path, size: 20 + self.rng.below(30) })).collect();
        block.extend([run.clone(), Op::User(device, Deed::Remove { path: "z".to_owned() }), run]);
        let mut block: Vec<Timed> = block.into_iter().map(|op| Timed { after: After::Idle, op }).collect();
        let op = Op::Outage(device, 8 + self.rng.below(30) as u32);
        block.push(Timed { after: After::Gate(device, "list.done".to_owned(), 1), op });
        let at = self.rng.below(ops.len() + 1);
        ops.splice(at..at, block);
    }

    /// The state is lost, spoilt, put back from a copy, or has no room to grow.
    fn weave_states(&mut self, ops: &mut Vec<Timed>) {
        let device = self.device();
        let at = |after: After, op: Op| vec![Timed { after, op }];
        let run = Op::Run { device, confirm: self.rng.one_in(6) };
        match self.rng.below(8) {
            0 => self.insert(ops, at(After::Idle, Op::LoseState(device))),
            1..=2 => {
                let saved = self.rng.below(ops.len() + 1);
                let restored = saved + self.rng.below(ops.len() + 1 - saved);
                ops.splice(restored..restored, at(After::Idle, Op::OldState(device)));
                ops.splice(saved..saved, at(After::Idle, Op::SaveState(device)));
            }
            3..=4 => {
                let mut block = at(After::Idle, Op::SpoilState(device));
                block.extend(at(After::Idle, run));
                self.insert(ops, block);
            }
            _ => {
                let early = self.rng.one_in(3);
                let times = 1 + self.rng.below(3) as u32;
                let full = After::Gate(device, (*self.rng.pick(&GATES)).to_owned(), times);
                let mut block = at(After::Idle, run);
                let place = usize::from(!early);
                let full = at(if early { After::Idle } else { full }, Op::FullState(device, true));
                block.splice(place..place, full);
                let end = if self.rng.one_in(2) { After::Idle } else { self.after() };
                block.extend(at(end, Op::FullState(device, false)));
                self.insert(ops, block);
            }
        }
    }

    /// Somewhere, perhaps with something that strikes while its last engine runs.
    fn insert(&mut self, ops: &mut Vec<Timed>, mut block: Vec<Timed>) {
        if self.rng.one_in(3) {
            let device = self.device();
            block.push(self.strike(device));
        }
        let at = self.rng.below(ops.len() + 1);
        ops.splice(at..at, block);
    }

    /// A plan is written down, things happen, and it is carried out.
    fn paper(&mut self) -> Vec<Timed> {
        let device = self.device();
        let mut block = vec![Op::Plan(device)];
        for _ in 0..self.rng.below(4) {
            block.push(match self.rng.below(12) {
                0..=5 => Op::User(device, self.deed()),
                6..=8 => Op::Foreign(self.act()),
                9 => Op::Power(device),
                10 => Op::Mount(device, self.rng.one_in(2)),
                _ => self.op(),
            });
        }
        block.push(Op::Apply { device, confirm: self.rng.one_in(3) });
        let before = usize::from(self.rng.one_in(2));
        let mut changes: Vec<Op> = (0..before + self.rng.below(3)).map(|_| Op::User(device, self.deed())).collect();
        changes.extend(block);
        changes.into_iter().map(|op| Timed { after: After::Idle, op }).collect()
    }

    fn attribute(&mut self) -> Deed {
        let name = *self.rng.pick(&["user.a", "user.tidelock.b", "user.Ü", "user.mtime", "trusted.c"]);
        let value = self.rng.weighed(&[(2, Some("one")), (2, Some("")), (2, Some("t\u{e4}\n")), (2, None)]);
        Deed::Xattr { path: self.path(), name: name.to_owned(), value: value.map(str::to_owned) }
    }

    /// A folder that nobody may look into, or a root that is unmounted, just while an
    /// engine runs or before; in the end all is as it was.
    fn weave_barriers(&mut self, ops: &mut Vec<Timed>) {
        let device = self.device();
        let run = Timed { after: After::Idle, op: Op::Run { device, confirm: self.rng.one_in(3) } };
        let folder = (*self.rng.pick(&["d", "e", "d/e", "a"])).to_owned();
        let mode = *self.rng.pick(&[0o000, 0o000, 0o300, 0o500, 0o600]);
        let (close, open) = if self.rng.one_in(3) {
            (Op::Mount(device, false), Op::Mount(device, true))
        } else {
            let chmod = |mode| Op::User(device, Deed::Chmod { path: folder.clone(), mode });
            (chmod(mode), chmod(0o755))
        };
        let times = 1 + self.rng.below(4) as u32;
        let gate = After::Gate(device, (*self.rng.pick(&GATES)).to_owned(), times);
        let mut block = vec![run.clone(), Timed { after: gate, op: close }];
        if self.rng.one_in(2) {
            block.swap(0, 1);
        }
        if self.rng.one_in(2) {
            block.push(Timed { after: self.after(), op: Op::User(device, self.deed()) });
            block.push(run);
        }
        block.push(Timed { after: self.after(), op: open });
        let at = self.rng.below(ops.len() + 1);
        ops.splice(at..at, block);
    }

    fn renaming(&mut self) -> Deed {
        let (one, other) = (self.path(), self.path());
        match self.rng.below(5) {
            0 => Deed::Swap { a: one, b: other },
            1 => Deed::Save { path: one, size: self.size() },
            _ => Deed::Rename { from: one, to: other },
        }
    }

    /// An engine starts, and something happens just as it comes to a gate.
    fn ambush(&mut self) -> [Timed; 2] {
        let device = self.device();
        let run = Op::Run { device, confirm: self.rng.one_in(6) };
        [Timed { after: After::Idle, op: run }, self.strike(device)]
    }

    /// Something happens just as a device's engine comes to a gate.
    fn strike(&mut self, device: usize) -> Timed {
        let op = match self.rng.below(10) {
            0..=2 => Op::Kill(device),
            3..=4 => Op::Power(device),
            5..=7 => Op::User(device, self.deed()),
            8 => Op::Foreign(self.act()),
            _ => Op::Outage(device, 1 + self.rng.below(40) as u32),
        };
        let times = if self.rng.one_in(2) { 1 } else { 1 + self.rng.below(5) as u32 };
        let after = After::Gate(device, (*self.rng.pick(&GATES)).to_owned(), times);
        Timed { after, op }
    }

    fn op(&mut self) -> Op {
        let device = self.device();
        match self.rng.below(100) {
            0..=41 => Op::User(device, self.deed()),
            42..=54 => Op::Foreign(self.act()),
            55..=79 => Op::Run { device, confirm: self.rng.one_in(6) },
            80..=84 => Op::Kill(device),
            85..=87 => Op::Power(device),
            88 => Op::Mount(device, false),
            89 => Op::Mount(device, true),
            90 => match self.rng.weighed(&[(1, 0), (2, 1), (2, 2)]) {
                0 => Op::LoseState(device),
                1 => Op::SaveState(device),
                _ => Op::OldState(device),
            },
            91..=92 => Op::Outage(device, 1 + self.rng.below(40) as u32),
            93 => Op::Jump(*self.rng.pick(&[-86_400, -3, 5, 40_000_000])),
            94..=95 => Op::Prune(device, self.path()),
            96 => {
                let policy = policy(&mut self.rng, 0);
                let calm = self.devices == 2 && (self.mirrors || is_mirror(&policy));
                Op::Mode(device, if calm { Preset::TwoWay.policy() } else { policy })
            }
            97..=98 => {
                let alone = !(self.mirrors && self.devices == 2);
                let pattern = if self.rng.one_in(2) || !alone { None } else { Some(self.path()) };
                Op::Exclude(device, pattern)
            }
            _ => Op::Wait(1 + self.rng.below(10) as u32),
        }
    }

    fn deed(&mut self) -> Deed {
        let (path, size) = (self.path(), self.size());
        match self.rng.below(50) {
            0..=9 => Deed::Write { path, size },
            10..=12 => Deed::Append { path, size },
            13..=15 => Deed::Rewrite { path, put_back: false },
            16..=18 => Deed::Rewrite { path, put_back: true },
            19 => Deed::Truncate { path, size: self.rng.below(30) },
            20..=23 => Deed::Save { path, size },
            24..=29 => Deed::Rename { from: path, to: self.path() },
            30..=31 => Deed::Swap { a: path, b: self.path() },
            32..=37 => Deed::Remove { path },
            38..=39 => Deed::Recreate { path },
            40 => Deed::Chmod { path, mode: *self.rng.pick(&[0o600, 0o644, 0o755, 0o400, 0o000]) },
            41 => Deed::Touch { path },
            42 => Deed::Link { path },
            43 => Deed::HardLink { path, new: self.path() },
            44 => Deed::Mkdir { path },
            45 => Deed::Special { path },
            46 => Deed::Open { path },
            47 => Deed::WriteOpen,
            48 => Deed::Close,
            _ => Deed::Fill(self.rng.one_in(2)),
        }
    }

    fn act(&mut self) -> Act {
        let (key, size) = (self.path(), self.size());
        match self.rng.below(20) {
            0..=9 => Act::Put { key, size },
            10 => Act::Again { key },
            11 => Act::Marker { key: key + "/" },
            12..=16 => Act::Delete { key },
            17 => Act::Archive { key },
            18 => Act::Thaw { key },
            _ => Act::Put { key: (*self.rng.pick(&ILLEGAL)).to_owned(), size },
        }
    }
}
