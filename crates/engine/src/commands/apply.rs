//! `apply`: do what a saved plan says.
//!
//! Those steps and no others, for that pair and no other, and only while nothing
//! else has been synced since. The plan is read whole and checked before anything
//! is changed.

use super::open::{Open, Wanted};
use super::saved;
use crate::api::{Apply, Context, Options, RunReply, Sides};
use crate::cycle::{self, Mode};
use crate::failure::Failure;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

/// One run of a saved plan.
pub async fn run(context: &Context, request: &Apply) -> Result<RunReply, Failure> {
    let done = carry_out(context, request).await;
    // Whoever waits for the plan, and is not to, cannot read on.
    let was_ended = done.is_err() && context.interrupted.load(Ordering::Relaxed);
    if was_ended { Err(Failure::Interrupted) } else { done }
}

async fn carry_out(context: &Context, request: &Apply) -> Result<RunReply, Failure> {
    let mut input = {
        let mut given = context.input.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *given, Box::new(std::io::empty()))
    };
    let (reader, header) = saved::Reader::start(input.as_mut())?;
    let (local, remote, said) = (header.local.clone().into(), header.remote.clone(), header.said.clone());
    let sides = Sides { local, remote, service: request.service.clone(), said };
    let options = Options {
        compare: Some(header.policy.compare),
        conflict: Some(header.policy.conflict),
        metadata: header.format,
        xattrs: header.xattrs,
        follow_links: header.follow_links,
        ..request.options.clone()
    };
    let wanted = Wanted {
        sides: &sides,
        options: &options,
        policy: header.policy,
        command: "apply",
        mode: Mode::Execute,
        existing: false,
        pair: Some(&header.pair),
    };
    let mut open = Open::new(context, &wanted).await?;
    open.pair.settings.rules = header.rules.clone();
    let report = cycle::apply(&open.pair, &header, reader).await;
    open.set_aside_if_damaged();
    let report = report?;
    Ok(RunReply { report, requests: open.requests.snapshot(), dry_run: false })
}
