//! A folder and a remote that are kept the same, and how.
//!
//! [`Pair`] bundles what every room of the engine works with: the two sides, the
//! state, the world and the settings of this run. It decides nothing and does no
//! I/O; it only names things once.

use crate::disk::{Disk, MetaScope};
use crate::event::Listener;
use crate::planted::Planted;
use crate::scan::ScanOptions;
use crate::state::State;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tidelock_core::filter::Rules;
use tidelock_core::meta::MetaFormat;
use tidelock_core::path::RelPath;
use tidelock_core::plan::Problem;
use tidelock_core::policy::Policy;
use tidelock_remote::Remote;
use tidelock_remote::world::World;

/// What a single request may carry, and memory may hold for each transfer.
const SMALL_BYTES: u64 = 8 << 20;

/// Where absence there is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RemoteCheck {
    /// From a complete listing.
    #[default]
    List,
    /// From the state, taken on trust; conditions catch what it does not know.
    State,
}

/// How a run goes about it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What is wanted.
    pub policy: Policy,
    /// What takes part.
    pub rules: Rules,
    /// How the folder is seen.
    pub scan: ScanOptions,
    /// In whose format metadata is written.
    pub format: MetaFormat,
    /// How much metadata may be set here.
    pub meta_scope: MetaScope,
    /// How many transfers run at once.
    pub concurrency: usize,
    /// The person's own limit on deletions.
    pub max_delete: Option<u64>,
    /// The person has confirmed deletions.
    pub confirm_deletes: bool,
    /// The root may be another than before.
    pub accept_root: bool,
    /// Another device's mirror may be taken over.
    pub take_over: bool,
    /// Two-way sync is allowed on a place without conditions.
    pub allow_unconditional: bool,
    /// Where absence there is read from.
    pub remote_check: RemoteCheck,
    /// The storage class of new objects.
    pub storage_class: Option<String>,
    /// The user metadata of what is written, beside our own.
    pub user_meta: BTreeMap<String, String>,
    /// The content type of files that are written, if their names are not to tell it.
    pub content_type: Option<String>,
    /// What this device is called in conflict names.
    pub device: String,
    /// What the run is called in the history.
    pub command: String,
    /// Whether this run's mode is the pair's: a change of it lapses the base.
    pub sets_mode: bool,
    /// Only renames are carried out.
    pub only_moves: bool,
    /// What cannot take part though it was asked for, known before anything is looked at.
    pub foreseen: Vec<Problem>,
    /// Only this path and what is below it are this run's business.
    pub only: RelPath,
    /// Files up to this size are read before they are sent, larger ones meanwhile.
    pub small_bytes: u64,
}

impl Settings {
    /// The defaults, under a policy and a device's name.
    pub fn new(policy: Policy, device: &str) -> Self {
        Self {
            policy,
            rules: Rules::none(),
            scan: ScanOptions::default(),
            format: MetaFormat::Rclone,
            meta_scope: MetaScope::default(),
            concurrency: 16,
            max_delete: None,
            confirm_deletes: false,
            accept_root: false,
            take_over: false,
            allow_unconditional: false,
            remote_check: RemoteCheck::List,
            storage_class: None,
            user_meta: BTreeMap::new(),
            content_type: None,
            device: device.to_owned(),
            command: "sync".to_owned(),
            sets_mode: true,
            only_moves: false,
            foreseen: Vec::new(),
            only: RelPath::root(),
            small_bytes: SMALL_BYTES,
        }
    }
}

/// A folder and a remote, and everything needed to keep them the same.
pub struct Pair {
    /// The folder.
    pub disk: Arc<dyn Disk>,
    /// The remote, in its layers.
    pub remote: Arc<dyn Remote>,
    /// What both last agreed on.
    pub state: Arc<State>,
    /// Time, chance and waiting.
    pub world: World,
    /// How this run goes about it.
    pub settings: Settings,
    /// Who is told of events.
    pub listener: Arc<dyn Listener>,
    /// Eight hexadecimal digits that tell this pair's temporary files from others'.
    pub tag: String,
    /// The folder as people call it.
    pub local_name: String,
    /// The remote as people call it.
    pub remote_name: String,
    /// Set when a person wants the run to end: what is in flight is finished and
    /// recorded, nothing new is begun.
    pub interrupted: Arc<AtomicBool>,
    /// Bugs that tests have switched on.
    pub planted: Planted,
}

impl Pair {
    /// Whether the run is to end.
    pub fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// The wall clock in Unix milliseconds.
    pub fn now_ms(&self) -> i64 {
        self.world.clock.wall_ns() / 1_000_000
    }
}
