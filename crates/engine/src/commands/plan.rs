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
    let local = open.local.to_str().ok_or_else(|| {
        Failure::Unable(format!("{}: a plan cannot name a folder that is not UTF-8", open.local.display()))
    })?;
    // Taken before anything is looked at: what a sync changes meanwhile outdates it.
    let generation = open.pair.state.generation()?;
    let keep = |spool: &Spool<'_>, seen: &Survey| {
        let names =
            saved::Names { pair: &open.place.id, local, remote: &open.remote, said: request.sides.said.clone() };
        let header = saved::header(&open.pair, names, &generation, seen);
        let mut out = context.output.lock().unwrap_or_else(PoisonError::into_inner);
        saved::write(out.as_mut(), &header, spool, seen.totals)
    };
    let report = cycle::plan(&open.pair, &keep).await;
    Ok(RunReply { report, requests: open.requests.snapshot(), dry_run: true })
}
