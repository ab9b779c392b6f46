//! `restore`: bring files back from a remote.
//!
//! Uses the pair's state, so that what is here already is not fetched again, but
//! does not change the pair's mode. The folder is made if there is none; the store
//! is not.

use super::open::{Open, Wanted, parse};
use crate::api::{Context, Restore, RunReply};
use crate::cycle::Mode;
use crate::failure::Failure;
use crate::place;
use tidelock_core::policy::Preset;
use tidelock_remote::url::RemoteUrl;
use tidelock_remote::{Error, ErrorKind};

/// One run downwards.
pub async fn run(context: &Context, request: &Restore) -> Result<RunReply, Failure> {
    let mode = if request.options.dry_run { Mode::DryRun } else { Mode::Execute };
    let preset = if request.overwrite { Preset::RestoreOverwrite } else { Preset::Restore };
    if let RemoteUrl::Folder(path) = parse(&request.sides.remote)?
        && !place::exists(&path)
    {
        let message = format!("there is no store at {}", path.display());
        return Err(Error::new(ErrorKind::NoBucket, "open", message).into());
    }
    if mode == Mode::Execute && !place::exists(&request.sides.local) {
        place::make_folder(&request.sides.local)?;
    }
    let wanted = Wanted {
        sides: &request.sides,
        options: &request.options,
        policy: preset.policy(),
        command: "restore",
        mode,
        existing: true,
        pair: None,
    };
    let mut open = Open::new(context, &wanted).await?;
    open.pair.settings.sets_mode = false;
    let report = open.run(mode).await;
    Ok(RunReply { report, requests: open.requests.snapshot(), dry_run: request.options.dry_run })
}
