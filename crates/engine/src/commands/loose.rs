//! Transfers that belong to no pair: single files, or folders, sent or fetched once.
//!
//! They are the plan of a pair like any other, of which only what was named is seen on
//! both sides, and carried out by the same hands. What both sides agreed on before is
//! not asked: the state is made for the transfer, and goes when it ended well.

use super::open::{Wanted, settings, store_of};
use super::told::Told;
use crate::api::{Context, Options, Sides};
use crate::cycle::{self, Mode};
use crate::disk::Disk;
use crate::disk::chosen::Chosen as ChosenDisk;
use crate::disk::missing::Missing;
use crate::disk::real::{RealDisk, RealOptions};
use crate::failure::Failure;
use crate::pair::{Pair, RemoteCheck};
use crate::place;
use crate::planted::Planted;
use crate::report::Report;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tidelock_core::policy::Policy;
use tidelock_remote::Remote;
use tidelock_remote::layer::{Choice, Chosen};
use tidelock_remote::url::RemoteUrl;

/// What is to be transferred, and how.
pub(super) struct Loose<'a> {
    pub(super) context: &'a Context,
    pub(super) command: &'a str,
    pub(super) policy: Policy,
    pub(super) options: &'a Options,
    /// Both sides as a person calls them.
    pub(super) shown: (String, String),
    pub(super) url: &'a RemoteUrl,
    pub(super) remote: Arc<dyn Remote>,
}

impl Loose<'_> {
    /// Transfers what these choices show, between the remote and what has the same
    /// names in a folder.
    pub(super) async fn run(&self, folder: &Path, choices: Vec<Choice>) -> Result<Report, Failure> {
        let folder = place::canonical(folder)?;
        let names: Vec<String> = choices.iter().map(|choice| choice.shown.trim_end_matches('/').to_owned()).collect();
        for name in &names {
            self.keep_apart(&folder.join(name))?;
        }
        let mode = if self.options.dry_run { Mode::DryRun } else { Mode::Execute };
        let real: Vec<String> = choices.iter().map(|choice| choice.real.clone()).collect();
        let named = [names.as_slice(), &real].concat();
        let place = self.context.place.loose(&folder, &named, &self.remote.describe());
        let world = &self.context.world;
        let sides = Sides::plain(&folder, self.url.to_string());
        let wanted = Wanted {
            sides: &sides,
            options: self.options,
            policy: self.policy,
            command: self.command,
            mode,
            existing: false,
            pair: None,
        };
        let mut settings = settings(self.context, &wanted, self.url)?;
        settings.sets_mode = false;
        // A look at what was named is all there is.
        settings.remote_check = RemoteCheck::List;
        let disk: Arc<dyn Disk> = if mode == Mode::DryRun && !place::exists(&folder) {
            Arc::new(Missing)
        } else {
            let real = RealOptions { follow_links: self.options.follow_links, cross_mounts: false };
            let real = RealDisk::open(&folder, real);
            Arc::new(real.map_err(|error| Failure::root(&folder.display().to_string(), &error).untouched())?)
        };
        let patience = Duration::from_millis(self.options.lock_timeout_ms);
        let lock = match mode {
            Mode::DryRun => None,
            Mode::Execute => Some(place.lock(world, self.command, patience).await?),
        };
        let now_ms = world.clock.wall_ns() / 1_000_000;
        let state = if mode == Mode::DryRun { place.open_to_look()? } else { place.open(now_ms)? };
        let pair = Pair {
            disk: Arc::new(ChosenDisk::new(disk, names)),
            remote: Arc::new(Chosen::new(Arc::clone(&self.remote), choices)),
            state: Arc::new(state.state),
            world: world.clone(),
            settings,
            listener: Arc::clone(&self.context.listener),
            tag: place.id.chars().rev().take(8).collect(),
            local_name: self.shown.0.clone(),
            remote_name: self.shown.1.clone(),
            interrupted: Arc::clone(&self.context.interrupted),
            planted: Planted::default(),
        };
        let told = (mode == Mode::Execute).then(|| Told::recall(self.context, self.url, &pair));
        let report = cycle::run(&pair, mode).await;
        if let Some(told) = told {
            told.keep(self.context, &pair);
            // What a run that was cut off knows, and owes, is the next one's.
            let owes = pair.state.uploads().map_or(true, |uploads| !uploads.is_empty());
            let knows = report.stopped.is_some() && pair.state.count().map_or(true, |rows| rows > 0);
            let is_over = !owes && !knows;
            drop(pair);
            if is_over {
                place.remove();
            }
        }
        drop(lock);
        Ok(report)
    }

    /// Refuses what holds the place it goes to, or Tidelock's own state.
    fn keep_apart(&self, path: &Path) -> Result<(), Failure> {
        let mut others = vec![("Tidelock's state", place::canonical(self.context.place.dir())?)];
        if let RemoteUrl::Folder(store) = self.url {
            others.push(("the store", store_of(store)?));
        }
        for (what, other) in others {
            let intake = other.join("intake");
            if other.starts_with(path) || path.starts_with(&other) && !path.starts_with(&intake) {
                let (path, other) = (path.display(), other.display());
                return Err(Failure::Unable(format!(
                    "{path} and {what} ({other}) lie in each other; name another place"
                )));
            }
        }
        Ok(())
    }
}
