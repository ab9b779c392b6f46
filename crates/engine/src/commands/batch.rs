//! `batch`: every pair, one after the other, and one report.
//!
//! Each is a sync in the pair's own mode, by the same plan and the same rules: its
//! renames, then what is new or changed, then the deletions that its mode passes on.
//! What befalls one pair is told and does not stop the next; an interruption does.

use super::sync;
use crate::api::{Batch, BatchReply, BatchRun, Context};
use crate::event::Event;
use crate::failure::Failure;
use crate::report::Ending;
use std::sync::atomic::Ordering;

/// One run after the other.
pub async fn run(context: &Context, request: &Batch) -> BatchReply {
    let mut runs = Vec::new();
    for one in &request.runs {
        if context.interrupted.load(Ordering::Relaxed) {
            break;
        }
        context.listener.hear(&Event::PairStarted { pair: one.pair.clone() });
        let answer = match (&one.sync, &one.wrong) {
            (Some(request), None) => sync::run(context, request).await,
            (_, wrong) => Err(Failure::Unable(wrong.clone().unwrap_or_default())),
        };
        let (run, stopped, ending) = match answer {
            Ok(run) => {
                let ending = run.report.ending();
                (Some(run), None, ending)
            }
            Err(failure) => {
                let (ending, reason) = (failure.ending(), failure.told());
                context.listener.hear(&Event::Stopped { ending, reason: reason.clone() });
                (None, Some(reason), ending)
            }
        };
        runs.push(BatchRun { pair: one.pair.clone(), ending, run, stopped });
    }
    let interrupted = context.interrupted.load(Ordering::Relaxed);
    let skipped = request.runs.iter().skip(runs.len()).map(|one| one.pair.clone()).collect();
    BatchReply { runs, skipped, interrupted, dry_run: request.dry_run }
}

impl BatchReply {
    /// Every way in which a pair's run ended, without repetition.
    pub fn endings(&self) -> Vec<Ending> {
        let mut endings: Vec<Ending> = Vec::new();
        let of_run = |one: &BatchRun| match &one.run {
            Some(run) => run.report.endings.clone(),
            None => vec![one.ending],
        };
        let interrupted = self.interrupted.then_some(Ending::Interrupted);
        for ending in self.runs.iter().flat_map(of_run).chain(interrupted) {
            if !endings.contains(&ending) {
                endings.push(ending);
            }
        }
        endings
    }
}
