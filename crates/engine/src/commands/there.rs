//! A remote alone, with nothing on this side, for what is removed and renamed there.
//!
//! The same pair as everywhere, whose folder is one that is not there; its history is kept
//! with that of other things that belong to no pair. The state is forgotten, but for that
//! of a run that was cut off and whose next one must know what it did.

use super::open::{Wanted, settings};
use super::parts::{self, Parts};
use super::target::Target;
use super::told::Told;
use crate::api::{Context, Options, Sides};
use crate::cycle::Mode;
use crate::disk::missing::Missing;
use crate::event::{Event, Listener};
use crate::failure::Failure;
use crate::pair::Pair;
use crate::place::{Lock, PairPlace};
use crate::report::{Ending, Report};
use crate::state::State;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tidelock_core::plan::Problem;
use tidelock_core::policy::{Deletes, Drift, Flow, Policy, Preset};
use tidelock_remote::Remote;

/// What is asked of a remote alone.
pub(super) struct Asked<'c, 'a> {
    pub(super) context: &'c Context,
    pub(super) command: &'a str,
    pub(super) options: &'a Options,
    /// Where it is; it lies below `remote`.
    pub(super) target: &'a Target,
    pub(super) remote: Arc<dyn Remote>,
    /// How a person named it.
    pub(super) shown: &'a str,
}

/// A pair of nothing here and of a remote.
pub(super) struct There<'a> {
    pub(super) context: &'a Context,
    pub(super) pair: Pair,
    mode: Mode,
    told: Told,
    /// Where the state is, if it is not forgotten at once, and its lock.
    kept: Option<(PairPlace, Option<Lock>)>,
}

/// Tells what is removed by its address: what was named may be in several places, and lie
/// anywhere in them.
struct Addressed {
    listener: Arc<dyn Listener>,
    place: String,
}

impl Listener for Addressed {
    fn hear(&self, event: &Event) {
        let mut event = event.clone();
        if let Event::Step { path, .. }
        | Event::Done { path, .. }
        | Event::Began { path, .. }
        | Event::Problem(Problem { path, .. }) = &mut event
        {
            *path = format!("{}/{path}", self.place.trim_end_matches('/'));
        }
        self.listener.hear(&event);
    }
}

impl<'a> There<'a> {
    /// With a state that is forgotten.
    pub(super) fn new(asked: Asked<'a, '_>) -> Result<Self, Failure> {
        let state = State::in_memory(None)?;
        Self::on(asked, state)
    }

    /// With one that lasts until what these names say is brought to its end.
    pub(super) async fn lasting(asked: Asked<'a, '_>, names: [&str; 2]) -> Result<Self, Failure> {
        let Asked { context, command, options, ref remote, .. } = asked;
        let place = context.place.loose(Path::new(command), &names.map(str::to_owned), &remote.describe());
        let mode = parts::mode(options);
        let lock = parts::lock(context, &place, command, options, mode).await?;
        let state = parts::state(context, &place, mode)?;
        let there = Self::on(asked, state.state)?;
        Ok(Self { kept: Some((place, lock)), ..there })
    }

    fn on(asked: Asked<'a, '_>, state: State) -> Result<Self, Failure> {
        let Asked { context, command, options, target, remote, shown } = asked;
        let mode = parts::mode(options);
        let sides = Sides::plain(PathBuf::new(), shown);
        let policy =
            Policy { flow: Flow::Up, deletes: Deletes::Propagate, drift: Drift::Leave, ..Preset::Push.policy() };
        let wanted = Wanted { sides: &sides, options, policy, command, mode, existing: true, pair: None };
        let mut settings = settings(context, &wanted, &target.url)?;
        settings.sets_mode = false;
        let parts = Parts {
            disk: Arc::new(Missing),
            remote,
            state,
            settings,
            digits: context.world.token(),
            names: (String::new(), shown.to_owned()),
        };
        let mut pair = parts.assemble(context);
        if command == "rm" {
            let (listener, place) = (Arc::clone(&context.listener), target.url.to_string());
            pair.listener = Arc::new(Addressed { listener, place });
        }
        let told = Told::recall(context, &target.url, &pair);
        Ok(Self { context, pair, mode, told, kept: None })
    }

    /// Whether it only looks.
    pub(super) fn mode(&self) -> Mode {
        self.mode
    }

    /// Keeps what came of a run.
    pub(super) fn keep(self, report: Report) -> Report {
        if self.mode == Mode::DryRun {
            return report;
        }
        self.told.keep(self.context, &self.pair);
        let Some((place, _lock)) = self.kept else { return report };
        // What is marked was perhaps copied, and not removed.
        let owes = !self.pair.state.uploads().is_ok_and(|uploads| uploads.is_empty());
        let knows = report.ending() != Ending::Ok && !self.pair.state.count().is_ok_and(|rows| rows == 0);
        let is_over = !owes && !knows;
        drop(self.pair);
        if is_over {
            place.remove();
        }
        report
    }
}
