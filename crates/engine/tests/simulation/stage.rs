//! The stage: a bucket, one or two devices, their users, and time.
//!
//! Everything the engine needs is put together here as the product does it: the
//! real layers around a bad network, real SQLite in memory. Processes are started,
//! killed and left to run; what they leave is for the oracle.

use crate::books::{Books, Ears};
use crate::case::{Case, Reuse, Server};
use crate::chance::{Fate, Rng, Shared, Weather};
use crate::errand::{Errand, Paper};
use crate::executor::{Barrier, Clockwork, Task, Waits, step};
use crate::ledger::Contents;
use crate::shore::Shore;
use crate::watch::{Watched, finish_checks, start_watch};
use rusqlite::Connection;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use tidelock_core::filter::{RuleLine, Rules};
use tidelock_core::names::{Kind, LINK_SUFFIX};
use tidelock_core::path::RelPath;
use tidelock_core::policy::{Compare, Drift, Policy};
use tidelock_engine::disk::Node;
use tidelock_engine::disk::sim::{InodeReuse, SimDisk, SimOptions, UserFile};
use tidelock_engine::pair::{Pair, RemoteCheck, Settings};
use tidelock_engine::planted::{Bug, Planted};
use tidelock_engine::report::Report;
use tidelock_engine::state::State;
use tidelock_remote::memory::{Etags, Memory, Profile};
use tidelock_remote::open::{OpenOptions, stack};
use tidelock_remote::testing::faults::Faulty;
use tidelock_remote::world::World;
use tidelock_remote::{Capabilities, Remote};

/// No run may take more steps than this.
const MOST_STEPS: u64 = 200_000;
/// How much fits on a disk, and what nearly fills it.
const CAPACITY_BYTES: u64 = 16_384;
pub const FILLER_BYTES: usize = 15_500;
pub const NAMES: [&str; 2] = ["laptop", "desktop"];

/// A machine with a folder.
pub struct Device {
    /// As its user sees it.
    pub disk: SimDisk,
    /// As the engine sees it.
    engine_disk: SimDisk,
    pub fate: Arc<Fate>,
    pub network: Arc<Faulty>,
    pub policy: Policy,
    pub excluded: Option<String>,
    /// Keeps the state's database alive while no process has it open.
    pub keeper: Connection,
    pub state_name: String,
    pub saved: Option<Connection>,
    /// The state as the process that runs has it open.
    pub state: Weak<State>,
    /// The disk that holds it is full.
    pub state_full: bool,
    pub open: Option<UserFile>,
    pub mounted: bool,
    /// It ran in a mode that writes here.
    pub ever_wrote: bool,
    /// The plan written down last.
    pub paper: Arc<Mutex<Option<Paper>>>,
    /// How much had been done by anybody when that was written.
    pub planned_at: u64,
    watched: Option<Watched>,
}

/// The whole world of a schedule.
pub struct Stage {
    pub clockwork: Arc<Clockwork>,
    pub world: World,
    pub bucket: Memory,
    pub devices: Vec<Device>,
    pub books: Arc<Books>,
    tasks: Vec<Option<Task<Over>>>,
    pub case: Case,
    bug: Option<Bug>,
    pub aloud: Option<Arc<Mutex<Vec<String>>>>,
    pub history: History,
    /// The last report of each device.
    pub reports: Vec<Option<Report>>,
}

impl Device {
    /// Whether its rules leave this key out.
    pub fn excludes(&self, key: &str) -> bool {
        self.excluded.as_deref().is_some_and(|rule| {
            let below = key.strip_prefix(rule);
            below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || rest == ".rclonelink")
        })
    }

    /// The plan written down last.
    pub fn paper(&self) -> Option<Paper> {
        self.paper.lock().expect("no panics").clone()
    }
}

/// A process that came to its end.
struct Over {
    report: Report,
    /// It found the state damaged, and keeps it aside.
    damaged: bool,
}

/// What has happened that excuses something later.
#[derive(Debug, Default)]
pub struct History {
    /// A process died, or a state was lost or replaced.
    pub broken: bool,
    /// Modes, filters or folders changed, or rows were pruned.
    pub resettled: bool,
    /// A state was lost or replaced.
    pub state_lost: bool,
    /// Something was archived.
    pub archived: bool,
    /// Something was kept beside, and said so.
    pub kept_beside: bool,
    /// By how much the clock was set back.
    pub set_back_s: i64,
    /// Every policy that ever ruled a device.
    pub policies: Vec<Policy>,
    /// How often a user or somebody else did something.
    pub acts: u64,
    /// Deletions that must be passed on: device, key, bytes.
    pub deleted: Vec<(usize, String, Vec<u8>)>,
}

/// A new state's name, which no other in this process has, and what keeps it alive.
pub fn new_state() -> (String, Connection) {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = format!("simulated-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let keeper = open_keeper(&name);
    (name, keeper)
}

pub fn open_keeper(name: &str) -> Connection {
    Connection::open(format!("file:/{name}?vfs=memdb")).expect("memory opens")
}

fn profile(case: &Case) -> Profile {
    let profile = match case.setup.server {
        Server::Aws => Profile::aws(),
        Server::Versioned => Profile::versioned(),
        Server::Ignoring => Profile::ignoring(),
        Server::Refusing => Profile::refusing(),
        Server::RandomParts => Profile::random_parts(),
        Server::Unordered => Profile::unordered(),
        Server::Opaque => Profile { etags: Etags::Opaque, ..Profile::aws() },
    };
    if case.setup.tiny { profile.tiny() } else { profile }
}

impl Stage {
    pub fn new(case: &Case, bug: Option<Bug>, aloud: bool) -> Self {
        let seed = case.seed;
        let clockwork = Clockwork::new(Rng::split(seed, "scheduler"), aloud);
        let world = World {
            clock: Arc::clone(&clockwork) as _,
            rng: Shared::new(Rng::split(seed, "world")),
            sleep: Arc::new(Waits(Arc::clone(&clockwork))),
        };
        let bucket = Memory::new(profile(case), world.clone());
        let mut stage = Self {
            clockwork,
            world,
            bucket,
            devices: Vec::new(),
            books: Arc::default(),
            tasks: Vec::new(),
            case: case.clone(),
            bug,
            aloud: aloud.then(Arc::default),
            history: History { policies: case.setup.policies.clone(), ..History::default() },
            reports: Vec::new(),
        };
        for place in 0..case.setup.policies.len() {
            let device = stage.device(place);
            stage.devices.push(device);
            stage.tasks.push(None);
            stage.reports.push(None);
        }
        stage
    }

    fn device(&self, place: usize) -> Device {
        let setup = &self.case.setup;
        let options = SimOptions {
            inode_reuse: match setup.inode_reuse {
                Reuse::AtOnce => InodeReuse::AtOnce,
                Reuse::Later => InodeReuse::Later,
                Reuse::Never => InodeReuse::Never,
            },
            grain_ns: setup.grain_ns,
            fold_case: setup.fold_case,
            capacity_bytes: Some(CAPACITY_BYTES),
            keeps_xattrs: !(setup.bare && place == 1),
            ..SimOptions::default()
        };
        let disk = SimDisk::new(options, self.world.clone());
        let fate = Fate::new(self.case.seed, NAMES[place], setup.weather, self.case.muted[place].clone());
        let books = Arc::clone(&self.books);
        let passed = move |what: &str| books.pass(place, what);
        let clockwork = Arc::clone(&self.clockwork);
        let gate = Arc::new(Barrier { clockwork, device: NAMES[place], passed: Box::new(passed) });
        let shore = Shore {
            bucket: self.bucket.clone(),
            books: Arc::clone(&self.books),
            device: place,
            disk: disk.clone(),
            // Under another ETag, as of a copy, who overwrites what drifts does not look
            // whether only attributes did.
            bare: setup.bare && place == 1 && setup.policies[place].drift != Drift::Overwrite,
        };
        let (state_name, keeper) = new_state();
        Device {
            engine_disk: disk.with(Arc::clone(&fate) as _, Arc::clone(&gate) as _),
            disk,
            network: Arc::new(Faulty::new(Arc::new(shore), Arc::clone(&fate) as _, gate)),
            fate,
            policy: setup.policies[place],
            excluded: None,
            keeper,
            state_name,
            saved: None,
            state: Weak::new(),
            state_full: false,
            open: None,
            mounted: true,
            ever_wrote: setup.policies[place].writes_here(),
            paper: Arc::default(),
            planned_at: 0,
            watched: None,
        }
    }

    /// Whether an engine runs on the device.
    pub fn is_running(&self, place: usize) -> bool {
        self.tasks[place].is_some()
    }

    pub fn is_idle(&self) -> bool {
        self.tasks.iter().all(Option::is_none)
    }

    /// Starts an engine.
    pub fn start(&mut self, place: usize, errand: Errand) {
        if self.is_running(place) {
            return;
        }
        let state = match State::in_memory(Some(&self.devices[place].state_name)) {
            Ok(state) => Arc::new(state),
            Err(error) => {
                self.books.wrong(format!("the state does not open: {error}"));
                return;
            }
        };
        self.devices[place].state = Arc::downgrade(&state);
        if self.devices[place].state_full {
            state.set_full(true).expect("it is a setting");
        }
        let held = Arc::clone(&state);
        let pair = self.pair(place, &errand, state);
        self.books.take_told(place);
        self.devices[place].ever_wrote |= pair.settings.policy.writes_here();
        if !self.is_idle() {
            // For whoever runs already, this is somebody else.
            self.history.acts += 1;
        }
        if errand == Errand::Plan {
            self.devices[place].planned_at = self.history.acts;
        }
        // A plan does not know what people did since.
        let is_known = !matches!(errand, Errand::Apply { .. }) || self.devices[place].planned_at == self.history.acts;
        let tree = self.devices[place].disk.tree();
        let has_holes = tree.values().any(|node| node.kind == Node::Dir && node.mode & 0o500 != 0o500);
        let alone = self.is_idle()
            && is_known
            // Whoever confirms deletions does so for what cannot be looked at, too.
            && !(has_holes && pair.settings.confirm_deletes)
            && self.devices[place].excluded.is_none()
            && !self.history.resettled
            && !self.history.archived
            && self.case.setup.weather == (Weather { network_one_in: 0, disk_one_in: 0 })
            && !self.case.setup.fold_case;
        self.books.disturb();
        let watched = start_watch(self, place, &pair, &errand);
        self.books.set_alone(place, alone, watched.in_step());
        self.devices[place].watched = Some(watched);
        let paper = Arc::clone(&self.devices[place].paper);
        self.tasks[place] = Some(Task::new(async move {
            let report = errand.run(&pair, &paper).await;
            Over { report, damaged: held.is_damaged() && errand != Errand::Plan }
        }));
    }

    fn pair(&self, place: usize, errand: &Errand, state: Arc<State>) -> Pair {
        let device = &self.devices[place];
        let mut settings = Settings::new(errand.policy(device), NAMES[place]);
        settings.scan.owner = (1000, 1000);
        settings.concurrency = self.case.setup.concurrency;
        settings.allow_unconditional = true;
        errand.set(&mut settings);
        settings.scan.xattrs = self.case.setup.xattrs;
        if self.case.setup.by_stamp {
            settings.policy.compare = Compare::Stamp;
        }
        if self.case.setup.unlisted && !settings.accept_root {
            settings.remote_check = RemoteCheck::State;
        }
        settings.small_bytes = self.case.setup.large_over.unwrap_or(settings.small_bytes);
        if let Some(pattern) = &device.excluded {
            let line = RuleLine { pattern: format!("/{pattern}"), include: false, written: None };
            settings.rules = Rules::new(vec![line], Vec::new(), true).expect("a valid pattern");
        }
        let options = OpenOptions { concurrency: self.case.setup.concurrency, ..OpenOptions::default() };
        let place_there = Arc::clone(&device.network) as Arc<dyn Remote>;
        let opened = stack(place_there, "", Capabilities::default(), &options, self.world.clone());
        let ears = Ears { books: Arc::clone(&self.books), device: place, aloud: self.aloud.clone() };
        Pair {
            disk: Arc::new(device.engine_disk.clone()),
            remote: opened.remote,
            state,
            world: self.world.clone(),
            settings,
            listener: Arc::new(ears),
            tag: format!("{:08x}", 0xa0 + place),
            local_name: "/folder".to_owned(),
            remote_name: "mem:bucket".to_owned(),
            interrupted: Arc::default(),
            planted: self.bug.map_or_else(Planted::default, |bug| Planted::default().with(bug)),
        }
    }

    /// The process on a device dies, and perhaps its machine with it.
    pub fn crash(&mut self, place: usize, power_loss: bool) {
        let was_running = self.tasks[place].take().is_some();
        self.devices[place].watched = None;
        if !was_running && !power_loss {
            return;
        }
        self.history.broken = true;
        self.devices[place].open = None;
        let told = self.books.take_told(place);
        self.history.kept_beside |= told.kept_beside;
        let before = crate::oracle::vouched(self, place);
        self.devices[place].disk.crash(power_loss);
        crate::oracle::check_crash(self, place, &before);
    }

    /// One step of the world; `false` if nothing moves.
    pub fn step(&mut self) -> bool {
        let Some(over) = step(&self.clockwork, &mut self.tasks) else { return false };
        for (place, Over { report, damaged }) in over {
            self.clockwork.note(&format!("{report:?}"));
            let told = self.books.take_told(place);
            self.history.kept_beside |= told.kept_beside;
            if let Some(watched) = self.devices[place].watched.take() {
                finish_checks(self, place, &watched, &told, &report);
                self.history.resettled |= watched.took_another_folder(&self.devices[place].state_name);
            }
            self.reports[place] = Some(report);
            if damaged {
                self.lose_state(place);
            }
            crate::oracle::check_sound(self, &format!("after a run on {}", NAMES[place]));
        }
        true
    }

    /// Lets everything run that runs.
    pub fn until_idle(&mut self) {
        let limit = self.clockwork.steps() + MOST_STEPS;
        while !self.is_idle() {
            if !self.step() {
                self.books.wrong("deadlock: an engine waits for what will never come".to_owned());
                self.tasks.iter_mut().for_each(|task| *task = None);
            }
            if self.clockwork.steps() > limit {
                self.books.wrong("an engine never ends".to_owned());
                self.tasks.iter_mut().for_each(|task| *task = None);
            }
        }
    }

    /// What a device's user sees: files and link targets by key.
    pub fn seen(&self, place: usize) -> Contents {
        let mut contents = Contents::new();
        for (path, node) in self.devices[place].disk.tree() {
            if path.is_reserved() {
                continue;
            }
            match node.kind {
                Node::File => contents.insert(path.to_string(), node.bytes),
                Node::Link => contents.insert(format!("{path}{LINK_SUFFIX}"), node.target.unwrap_or_default()),
                _ => None,
            };
        }
        contents
    }

    /// The same with all that is Tidelock's own: somebody may still write into it.
    pub fn held(&self, place: usize) -> Contents {
        let mut contents = self.seen(place);
        let all = self.devices[place].disk.tree().into_iter();
        contents.extend(
            all.filter(|(path, _)| path.is_reserved())
                .map(|(path, node)| (path.to_string(), node.target.unwrap_or(node.bytes))),
        );
        contents
    }

    /// Everything on a device's disk, Tidelock's own included.
    pub fn everything(&self, place: usize) -> Vec<(RelPath, Vec<u8>)> {
        let tree = self.devices[place].disk.tree();
        tree.into_iter().map(|(path, node)| (path, node.target.unwrap_or(node.bytes))).collect()
    }

    /// What everybody sees in the bucket, markers left out.
    pub fn objects(&self) -> Contents {
        let objects = self.bucket.snapshot().into_iter();
        let shown = objects.filter(|(key, _)| !key.as_str().starts_with(".tidelock/") && !key.as_str().ends_with('/'));
        shown.map(|(key, (bytes, ..))| (key.as_str().to_owned(), bytes)).collect()
    }
}

/// The kind of entry a key stands for.
pub fn kind_of(key: &str) -> Kind {
    match key {
        _ if key.ends_with('/') => Kind::Dir,
        _ if key.ends_with(LINK_SUFFIX) => Kind::Link,
        _ => Kind::File,
    }
}
