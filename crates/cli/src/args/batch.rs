//! The arguments of `batch`, and the runs that they ask for.
//!
//! A pair whose configuration is wrong is one of the runs too: it is told in its
//! turn and stops no other.

use super::options::{DryRunArg, RunArgs, ServiceArgs};
use super::request::at;
use super::whom::{Complaint, Told};
use clap::Args;
use tidelock_engine::api::{Batch, Options, PairSync, Sync, Wrong};
use tidelock_engine::config::Mode;
use tidelock_engine::config::resolve::Whom;
use tidelock_engine::failure::Failure;

/// `batch`.
#[derive(Debug, Args)]
pub struct BatchArgs {
    /// The pairs, in this order; without any, all that are configured, by name.
    #[arg(value_name = "PAIR")]
    pub pairs: Vec<String>,
    /// In pairs that only push, also delete there what was deleted here.
    #[arg(long)]
    pub delete: bool,
    /// Whether anything is changed.
    #[command(flatten)]
    pub dry: DryRunArg,
    /// How the runs go about it.
    #[command(flatten)]
    pub run: RunArgs,
    /// Where the service is.
    #[command(flatten)]
    pub service: ServiceArgs,
}

/// The request.
pub fn request(told: &Told<'_>, args: &BatchArgs) -> Result<Batch, Complaint> {
    let names = match args.pairs.as_slice() {
        [] => told.loaded.config.pair.keys().cloned().collect(),
        some => some.to_vec(),
    };
    if names.is_empty() {
        let what = match &told.loaded.file {
            Some(_) => format!("{} has no pairs; add a section [pair.NAME]", told.loaded.name()),
            None => "no pairs are configured; `tidelock init` writes a configuration to start from".to_owned(),
        };
        return Err(Complaint::Failed(Failure::Unable(what)));
    }
    let mut runs = Vec::new();
    for name in names {
        runs.push(match one(told, &name, args) {
            Ok(sync) => PairSync { pair: name, sync: Some(sync), wrong: None },
            Err(Complaint::Failed(failure)) => {
                let wrong = Wrong { ending: failure.ending(), reason: failure.told() };
                PairSync { pair: name, sync: None, wrong: Some(wrong) }
            }
            Err(misused) => return Err(misused),
        });
    }
    Ok(Batch { runs, dry_run: args.dry.dry_run })
}

fn one(told: &Told<'_>, name: &str, args: &BatchArgs) -> Result<Sync, Complaint> {
    let whom = Whom::Pair { name: name.to_owned(), local: None, below: None };
    let found = told.find(&whom, at(told.typed(None, Some(&args.run), None), &args.service))?;
    let mode = if args.delete && found.mode == Mode::Push { Mode::Delete } else { found.mode };
    let options = Options { dry_run: args.dry.dry_run, ..args.run.confirmed(found.options) };
    Ok(Sync { sides: found.sides, preset: mode.preset(), options })
}
