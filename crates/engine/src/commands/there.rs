//! A remote alone, with nothing on this side, for what is removed and renamed there.
//!
//! The same pair as everywhere, whose folder is one that is not there and whose state is
//! forgotten; its history is kept with that of other things that belong to no pair.

use super::open::{Wanted, settings};
use super::target::Target;
use super::told::Told;
use crate::api::{Context, Options, Sides};
use crate::cycle::Mode;
use crate::disk::missing::Missing;
use crate::failure::Failure;
use crate::pair::Pair;
use crate::planted::Planted;
use crate::report::Report;
use crate::state::State;
use std::path::PathBuf;
use std::sync::Arc;
use tidelock_core::policy::{Deletes, Drift, Flow, Policy, Preset};
use tidelock_remote::Remote;

/// A pair of nothing here and of a remote.
pub(super) struct There<'a> {
    pub(super) context: &'a Context,
    pub(super) pair: Pair,
    mode: Mode,
    told: Told,
}

impl<'a> There<'a> {
    /// What is there at `target`, below `remote`; `shown` is how a person named it.
    pub(super) fn new(
        context: &'a Context,
        command: &str,
        options: &Options,
        target: &Target,
        remote: Arc<dyn Remote>,
        shown: &str,
    ) -> Result<Self, Failure> {
        let mode = if options.dry_run { Mode::DryRun } else { Mode::Execute };
        let sides = Sides::plain(PathBuf::new(), shown);
        let policy =
            Policy { flow: Flow::Up, deletes: Deletes::Propagate, drift: Drift::Leave, ..Preset::Push.policy() };
        let wanted = Wanted { sides: &sides, options, policy, command, mode, existing: true, pair: None };
        let mut settings = settings(context, &wanted, &target.url)?;
        settings.sets_mode = false;
        let pair = Pair {
            disk: Arc::new(Missing),
            remote,
            state: Arc::new(State::in_memory(None)?),
            world: context.world.clone(),
            settings,
            listener: Arc::clone(&context.listener),
            tag: context.world.token().chars().take(8).collect(),
            local_name: String::new(),
            remote_name: shown.to_owned(),
            interrupted: Arc::clone(&context.interrupted),
            planted: Planted::default(),
        };
        let told = Told::recall(context, &target.url, &pair);
        Ok(Self { context, pair, mode, told })
    }

    /// Whether it only looks.
    pub(super) fn mode(&self) -> Mode {
        self.mode
    }

    /// Keeps what came of a run.
    pub(super) fn keep(&self, report: Report) -> Report {
        if self.mode == Mode::Execute {
            self.told.keep(self.context, &self.pair);
        }
        report
    }
}
