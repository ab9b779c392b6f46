//! `sync`: make one side like the other, or show what that would do.
//!
//! The preset says which column of the decision table holds; it becomes the
//! pair's mode.

use super::open::{Open, Wanted};
use crate::api::{Context, RunReply, Sync};
use crate::cycle::Mode;
use crate::failure::Failure;

/// One run.
pub async fn run(context: &Context, request: &Sync) -> Result<RunReply, Failure> {
    let mode = if request.options.dry_run { Mode::DryRun } else { Mode::Execute };
    let wanted = Wanted {
        sides: &request.sides,
        options: &request.options,
        policy: request.preset.policy(),
        command: "sync",
        mode,
        existing: false,
        pair: None,
    };
    let open = Open::new(context, &wanted).await?;
    let report = open.run(mode).await;
    Ok(RunReply { report, requests: open.requests.snapshot(), dry_run: request.options.dry_run })
}
