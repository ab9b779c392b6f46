//! `status`: how a pair stands.
//!
//! Looks at both sides as a sync in the pair's own mode would and stops there.
//! Takes no lock and leaves no trace.

use super::open::{Open, Wanted};
use crate::api::{Context, RunReply, Status, StatusReply};
use crate::cycle::Mode;
use crate::failure::Failure;
use crate::report::Report;
use crate::state::Run;
use serde::{Deserialize, Serialize};
use tidelock_core::policy::Preset;

/// The run of a pair that began last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastRun {
    /// Its number, ascending.
    pub id: i64,
    /// Its token, part of every attempt id.
    pub token: String,
    /// What was run.
    pub command: String,
    /// When it began, Unix milliseconds.
    pub started_ms: i64,
    /// When it ended, if it did.
    pub ended_ms: Option<i64>,
    /// Its exit code.
    pub exit: Option<i32>,
    /// What came of it, as far as this version can read it.
    pub report: Option<Report>,
}

impl From<Run> for LastRun {
    fn from(run: Run) -> Self {
        let Run { id, token, command, started_ms, ended_ms, exit, report } = run;
        let report = report.and_then(|report| serde_json::from_str(&report).ok());
        Self { id, token, command, started_ms, ended_ms, exit, report }
    }
}

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
    let last_run = open.pair.state.last_run()?.map(Into::into);
    let entries = open.pair.state.count()?;
    let report = open.run(Mode::DryRun).await;
    let run = RunReply { report, requests: open.requests.snapshot(), dry_run: true };
    Ok(StatusReply { mode, entries, last_run, run })
}
