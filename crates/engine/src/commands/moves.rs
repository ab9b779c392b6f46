//! `moves`: carry renames over, and nothing else.
//!
//! A filter on the plan of a push: what would be sent or fetched stays as it is,
//! and the pair's mode too.

use super::open::{Open, Wanted};
use crate::api::{Context, Moves, RunReply};
use crate::cycle::Mode;
use crate::failure::Failure;
use tidelock_core::plan::Totals;
use tidelock_core::policy::Preset;

/// One run that only renames.
pub async fn run(context: &Context, request: &Moves) -> Result<RunReply, Failure> {
    let mode = if request.options.dry_run { Mode::DryRun } else { Mode::Execute };
    let wanted = Wanted {
        sides: &request.sides,
        options: &request.options,
        policy: Preset::Push.policy(),
        command: "moves",
        mode,
        existing: true,
        pair: None,
    };
    let mut open = Open::new(context, &wanted).await?;
    open.pair.settings.only_moves = true;
    open.pair.settings.sets_mode = false;
    let mut report = open.run(mode).await;
    // The rest of the plan is not this command's.
    let Totals { here, there, agreed, unchanged, moves, conflicts, problems, .. } = report.planned;
    report.planned = Totals { here, there, agreed, unchanged, moves, conflicts, problems, ..Totals::default() };
    report.drift = 0;
    Ok(RunReply { report, requests: open.requests.snapshot(), dry_run: request.options.dry_run })
}
