//! Transfers that belong to no pair: single files, or folders, sent or fetched once.
//!
//! They are the plan of a pair like any other, of which only what was named is seen on
//! both sides, and carried out by the same hands. What both sides agreed on before is
//! not asked: the state is made for the transfer, and goes when it ended well.

use super::open::{Wanted, settings, store_of};
use super::parts::{self, Parts};
use super::told::Told;
use crate::api::{Context, Options, Sides};
use crate::cycle::{self, Mode};
use crate::disk::chosen::Chosen as ChosenDisk;
use crate::failure::Failure;
use crate::pair::RemoteCheck;
use crate::place;
use crate::report::Report;
use std::path::Path;
use std::sync::Arc;
use tidelock_core::filter::Rules;
use tidelock_core::path::TEMP_PREFIX;
use tidelock_core::plan::{Problem, ProblemClass};
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
    /// What the state calls the folder, if that will never be called the same again.
    pub(super) known_as: Option<&'a Path>,
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
        let mode = parts::mode(self.options);
        // Only now: a place that is refused is not made.
        if self.policy.writes_here() && (mode == Mode::Execute || place::exists(&folder)) {
            place::make_folder(&folder)?;
        }
        let real: Vec<String> = choices.iter().map(|choice| choice.real.clone()).collect();
        let named = [names.as_slice(), &real].concat();
        let place = self.context.place.loose(self.known_as.unwrap_or(&folder), &named, &self.remote.describe());
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
        settings.foreseen = choices.iter().filter_map(|choice| left_out(&settings.rules, &choice.shown)).collect();
        // A look at what was named is all there is.
        settings.remote_check = RemoteCheck::List;
        let disk = parts::disk(&folder, &folder, self.options, mode == Mode::DryRun)?;
        let lock = parts::lock(self.context, &place, self.command, self.options, mode).await?;
        let state = parts::state(self.context, &place, mode)?;
        let parts = Parts {
            disk: Arc::new(ChosenDisk::new(disk, names)),
            remote: Arc::new(Chosen::new(Arc::clone(&self.remote), choices)),
            state: state.state,
            settings,
            digits: place.id.chars().rev().collect(),
            names: self.shown.clone(),
        };
        let pair = parts.assemble(self.context);
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
        let state = place::canonical(self.context.place.dir())?;
        let is_taken_in = path.starts_with(state.join(place::INTAKE));
        let mut others = vec![("Tidelock's state", state, is_taken_in)];
        if place::exists(&self.context.secrets.file) {
            others.push(("Tidelock's file of secrets", place::canonical(&self.context.secrets.file)?, false));
        }
        if let RemoteUrl::Folder(store) = self.url {
            others.push(("the store", store_of(store)?, false));
        }
        for (what, other, is_taken_in) in others {
            if other.starts_with(path) || path.starts_with(&other) && !is_taken_in {
                let (path, other) = (path.display(), other.display());
                return Err(Failure::Unable(format!(
                    "{path} and {what} ({other}) lie in each other; name another place"
                )));
            }
        }
        Ok(())
    }
}

/// Why what was named by itself takes no part.
fn left_out(rules: &Rules, shown: &str) -> Option<Problem> {
    let name = shown.trim_end_matches('/');
    if name.starts_with(TEMP_PREFIX) {
        let what =
            "names that begin like this are those of Tidelock's own temporary files, so it was left out; rename it";
        return Some(Problem { path: name.to_owned(), what: what.to_owned(), class: ProblemClass::Skipped });
    }
    rules.root(None).verdict(name, shown.ends_with('/')).is_excluded().then(|| excluded(name))
}

/// That something was named by itself and yet left out.
pub(super) fn excluded(name: &str) -> Problem {
    let what = "it was named, but what is configured or typed excludes it (exclude, hidden), so it was left out; \
                --include it, or leave it out of the command";
    Problem { path: name.to_owned(), what: what.to_owned(), class: ProblemClass::Skipped }
}
