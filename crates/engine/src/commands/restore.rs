//! `restore`: bring files back from a remote.
//!
//! Uses the pair's state, so that what is here already is not fetched again, but
//! does not change the pair's mode. The folder is made if there is none; the store
//! is not.

use super::open::{Open, Wanted, open_to_look};
use crate::api::{Context, Restore, RunReply};
use crate::cycle::Mode;
use crate::event::Event;
use crate::failure::Failure;
use crate::place;
use tidelock_core::policy::Preset;
use tidelock_remote::Cursor;

/// One run downwards.
pub async fn run(context: &Context, request: &Restore) -> Result<RunReply, Failure> {
    let mode = if request.options.dry_run { Mode::DryRun } else { Mode::Execute };
    let preset = if request.overwrite { Preset::RestoreOverwrite } else { Preset::Restore };
    if !place::exists(&request.sides.local) {
        // It is made once there is somewhere to restore from.
        let opened = open_to_look(context, &request.sides.remote, &request.sides.service).await?;
        opened.remote.list("", &Cursor::start()).await?;
        if mode == Mode::Execute {
            place::make_folder(&request.sides.local)?;
        }
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
    if report.stopped.is_none() && report.planned.there == 0 {
        let text = format!("there is nothing at {}; is the name misspelt?", request.sides.remote);
        context.listener.hear(&Event::Note { text });
    }
    Ok(RunReply { report, requests: open.requests.snapshot(), dry_run: request.options.dry_run })
}
