//! `plan`: write down what a sync would do.
//!
//! A dry run whose steps are kept, with everything that `apply` needs to tell
//! whether they still fit. Takes no lock and leaves no trace.

use super::open::{Open, Wanted};
use super::saved;
use crate::api::{Context, RunReply, Sync};
use crate::cycle::{self, Mode};
use crate::failure::Failure;
use crate::state::Spool;
use crate::survey::Survey;
use std::sync::PoisonError;
use tidelock_core::plan::{Header, PLAN_VERSION};

/// One look, written down.
pub async fn run(context: &Context, request: &Sync) -> Result<RunReply, Failure> {
    let wanted = Wanted {
        sides: &request.sides,
        options: &request.options,
        policy: request.preset.policy(),
        command: "plan",
        mode: Mode::DryRun,
        existing: false,
        pair: None,
    };
    let open = Open::new(context, &wanted).await?;
    let settings = &open.pair.settings;
    let local = open.local.to_str().ok_or_else(|| {
        Failure::Unable(format!("{}: a plan cannot name a folder that is not UTF-8", open.local.display()))
    })?;
    // Taken before anything is looked at: what a sync changes meanwhile outdates it.
    let generation = open.pair.state.generation()?;
    let keep = |spool: &Spool<'_>, seen: &Survey| {
        let header = Header {
            tidelock_plan: PLAN_VERSION,
            pair: open.place.id.clone(),
            local: local.to_owned(),
            remote: open.remote.clone(),
            policy: settings.policy,
            rules: settings.rules.clone(),
            filter: seen.filter.clone(),
            generation: generation.clone(),
            format: settings.format,
            xattrs: settings.scan.xattrs,
            follow_links: request.options.follow_links,
        };
        let mut out = context.output.lock().unwrap_or_else(PoisonError::into_inner);
        saved::write(out.as_mut(), &header, spool, seen.totals)
    };
    let report = cycle::plan(&open.pair, &keep).await;
    Ok(RunReply { report, requests: open.requests.snapshot(), dry_run: true })
}
