//! `status`: how a pair stands.
//!
//! Looks at both sides as a sync in the pair's own mode would and stops there.
//! Takes no lock and leaves no trace.

use super::open::{Open, Wanted};
use crate::api::{Context, RunReply, Status, StatusReply};
use crate::cycle::Mode;
use crate::failure::Failure;
use tidelock_core::policy::Preset;

/// One look.
pub async fn run(context: &Context, request: &Status) -> Result<StatusReply, Failure> {
    let wanted = Wanted {
        sides: &request.sides,
        options: &request.options,
        policy: Preset::Push.policy(),
        command: "status",
        mode: Mode::DryRun,
        existing: false,
        pair: None,
    };
    let mut open = Open::new(context, &wanted).await?;
    let mode = open.pair.state.fact("mode")?;
    let on_record = Preset::ALL.into_iter().find(|preset| Some(preset.name()) == mode.as_deref());
    let preset = request.preset.or(on_record);
    if let Some(preset) = preset {
        let mut policy = preset.policy();
        policy.compare = request.options.compare.unwrap_or(policy.compare);
        policy.conflict = request.options.conflict.unwrap_or(policy.conflict);
        open.pair.settings.policy = policy;
    }
    open.pair.settings.sets_mode = request.preset.is_some();
    let last_run = open.pair.state.last_run()?;
    let entries = open.pair.state.count()?;
    let report = open.run(Mode::DryRun).await;
    let run = RunReply { report, requests: open.requests.snapshot(), dry_run: true };
    Ok(StatusReply { mode, entries, last_run, run })
}
