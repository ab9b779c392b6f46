//! A pair on the workbench: everything the engine needs, none of it real but
//! SQLite.

use std::sync::{Arc, Mutex};
use tidelock_core::path::{Key, RelPath};
use tidelock_core::policy::{Policy, Preset};
use tidelock_engine::cycle::{Mode, run};
use tidelock_engine::disk::sim::{SimDisk, SimOptions};
use tidelock_engine::event::{Event, Listener};
use tidelock_engine::pair::{Pair, Settings};
use tidelock_engine::planted::Planted;
use tidelock_engine::report::Report;
use tidelock_engine::state::State;
use tidelock_remote::Remote;
use tidelock_remote::layer::observe::{Observe, Requests};
use tidelock_remote::memory::{Memory, Profile};
use tidelock_remote::testing::world::{Hand, world};
use tidelock_remote::world::World;

/// Keeps every event.
#[derive(Default)]
pub struct Ears(pub Mutex<Vec<Event>>);

impl Listener for Ears {
    fn hear(&self, event: &Event) {
        self.0.lock().expect("no panics").push(event.clone());
    }
}

pub struct Bench {
    pub disk: SimDisk,
    pub bucket: Memory,
    pub requests: Arc<Requests>,
    pub world: World,
    pub hand: Arc<Hand>,
    pub state: Arc<State>,
    pub ears: Arc<Ears>,
    pub device: String,
}

pub fn path(text: &str) -> RelPath {
    RelPath::parse(text).expect("a valid path")
}

impl Bench {
    pub fn new() -> Self {
        let (world, hand) = world(1);
        let bucket = Memory::new(Profile::aws(), world.clone());
        Self::on(bucket, world, hand, "laptop")
    }

    pub fn on(bucket: Memory, world: World, hand: Arc<Hand>, device: &str) -> Self {
        let disk = SimDisk::new(SimOptions::default(), world.clone());
        Self {
            disk,
            bucket,
            requests: Arc::default(),
            world,
            hand,
            state: Arc::new(State::in_memory(None).expect("opens")),
            ears: Arc::default(),
            device: device.to_owned(),
        }
    }

    /// Another device on the same bucket.
    pub fn second(&self, device: &str) -> Self {
        Self::on(self.bucket.clone(), self.world.clone(), Arc::clone(&self.hand), device)
    }

    pub fn pair(&self, policy: Policy) -> Pair {
        let remote: Arc<dyn Remote> = Arc::new(self.bucket.clone());
        Pair {
            disk: Arc::new(self.disk.clone()),
            remote: Arc::new(Observe::new(remote, Arc::clone(&self.requests))),
            state: Arc::clone(&self.state),
            world: self.world.clone(),
            settings: Settings::new(policy, &self.device),
            listener: Arc::clone(&self.ears) as Arc<dyn Listener>,
            tag: "0a1b2c3d".to_owned(),
            local_name: "/folder".to_owned(),
            remote_name: "mem:bucket".to_owned(),
            interrupted: Arc::default(),
            planted: Planted::default(),
        }
    }

    pub fn run(&self, preset: Preset) -> Report {
        self.run_with(preset, |_| {})
    }

    pub fn run_with(&self, preset: Preset, change: impl FnOnce(&mut Settings)) -> Report {
        let mut pair = self.pair(preset.policy());
        // Whom the simulated disk takes for its user.
        pair.settings.scan.owner = (1000, 1000);
        change(&mut pair.settings);
        // Everything has settled when a person starts a run.
        self.hand.advance(std::time::Duration::from_secs(10));
        futures::executor::block_on(run(&pair, Mode::Execute))
    }

    pub fn write(&self, at: &str, bytes: &[u8]) {
        self.hand.advance(std::time::Duration::from_millis(50));
        if let Some(parent) = path(at).parent().filter(|parent| !parent.is_root()) {
            self.mkdir(&parent);
        }
        self.disk.user_write(&path(at), bytes).expect("the user may write");
    }

    fn mkdir(&self, dir: &RelPath) {
        if self.disk.user_stat(dir).is_none() {
            if let Some(parent) = dir.parent().filter(|parent| !parent.is_root()) {
                self.mkdir(&parent);
            }
            self.disk.user_mkdir(dir).expect("the user may make folders");
        }
    }

    /// Every key of the remote, the mark of who owns it left out.
    pub fn keys(&self) -> Vec<String> {
        self.objects().into_iter().map(|(key, _)| key).filter(|key| !key.starts_with(".tidelock/")).collect()
    }

    /// Keys and bodies in the bucket, Tidelock's own left out.
    pub fn objects(&self) -> Vec<(String, String)> {
        self.bucket
            .snapshot()
            .into_iter()
            .filter(|(key, _)| !key.as_str().starts_with(".tidelock/"))
            .map(|(key, (bytes, ..))| (key.to_string(), String::from_utf8_lossy(&bytes).into_owned()))
            .collect()
    }

    /// Paths and contents of the folder's files, Tidelock's own left out.
    pub fn files(&self) -> Vec<(String, String)> {
        self.disk
            .tree()
            .into_iter()
            .filter(|(path, _)| !path.is_reserved() && !path.is_root())
            .map(|(path, node)| {
                let slash = if node.kind == tidelock_engine::disk::Node::Dir { "/" } else { "" };
                let content = node.target.unwrap_or(node.bytes);
                (format!("{path}{slash}"), String::from_utf8_lossy(&content).into_owned())
            })
            .collect()
    }

    pub fn put(&self, key: &str, bytes: &str) {
        self.bucket.write(&Key::new(key), bytes.to_owned(), Default::default());
    }
}
