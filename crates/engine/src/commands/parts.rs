//! What a pair is put together from, one by one.
//!
//! A configured pair, a single transfer and what is done on a remote alone differ in where
//! their parts come from. What is the same for all of them is here.

use crate::api::{Context, Options};
use crate::cycle::Mode;
use crate::disk::Disk;
use crate::disk::missing::Missing;
use crate::disk::real::{RealDisk, RealOptions};
use crate::event::Event;
use crate::failure::Failure;
use crate::pair::{Pair, Settings};
use crate::place::{Lock, OpenState, PairPlace};
use crate::planted::Planted;
use crate::state::State;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tidelock_remote::Remote;

/// What is not the same for all pairs of a process.
pub(super) struct Parts {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) remote: Arc<dyn Remote>,
    pub(super) state: State,
    pub(super) settings: Settings,
    /// What the tag of temporary files is made of: its first eight digits.
    pub(super) digits: String,
    /// Both sides as a person calls them.
    pub(super) names: (String, String),
}

impl Parts {
    pub(super) fn assemble(self, context: &Context) -> Pair {
        let (local_name, remote_name) = self.names;
        Pair {
            disk: self.disk,
            remote: self.remote,
            state: Arc::new(self.state),
            world: context.world.clone(),
            settings: self.settings,
            listener: Arc::clone(&context.listener),
            tag: self.digits.chars().take(8).collect(),
            local_name,
            remote_name: whole_name(&remote_name),
            interrupted: Arc::clone(&context.interrupted),
            planted: Planted::default(),
        }
    }
}

/// A remote's name that stays true wherever it is read: a store's path begins at the root, as
/// the folder's does.
fn whole_name(remote: &str) -> String {
    let path = remote.strip_prefix("folder:").and_then(|path| std::path::absolute(path).ok());
    path.map_or_else(|| remote.to_owned(), |path| format!("folder:{}", path.display()))
}

/// A folder; or, for who only looks at what would be made, nothing in its place.
pub(super) fn disk(folder: &Path, shown: &Path, options: &Options, may_miss: bool) -> Result<Arc<dyn Disk>, Failure> {
    if may_miss && !crate::place::exists(folder) {
        return Ok(Arc::new(Missing));
    }
    let real = RealDisk::open(folder, RealOptions { follow_links: options.follow_links, cross_mounts: false });
    Ok(Arc::new(real.map_err(|error| Failure::root(&shown.display().to_string(), &error).untouched())?))
}

/// Whether anything is to be changed.
pub(super) fn mode(options: &Options) -> Mode {
    if options.dry_run { Mode::DryRun } else { Mode::Execute }
}

/// The lock, for who changes anything.
pub(super) async fn lock(
    context: &Context,
    place: &PairPlace,
    command: &str,
    options: &Options,
    mode: Mode,
) -> Result<Option<Lock>, Failure> {
    let patience = Duration::from_millis(options.lock_timeout_ms);
    match mode {
        Mode::DryRun => Ok(None),
        Mode::Execute => {
            let tell = |text| context.listener.hear(&Event::Note { text });
            place.lock(&context.world, command, patience, tell).await.map(Some)
        }
    }
}

/// The state; who only looks makes none.
pub(super) fn state(context: &Context, place: &PairPlace, mode: Mode) -> Result<OpenState, Failure> {
    match mode {
        Mode::DryRun => place.open_to_look(),
        Mode::Execute => place.open(context.world.clock.wall_ns() / 1_000_000),
    }
}
