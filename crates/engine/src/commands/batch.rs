//! `batch`: every pair, one after the other, and one report.
//!
//! Each is a sync in the pair's own mode, by the same plan and the same rules: its
//! renames, then what is new or changed, then the deletions that its mode passes on.
//! What befalls one pair is told and does not stop the next; an interruption does.

use super::sync;
use crate::api::{Batch, BatchReply, BatchRun, Context, PairSync, RunReply, Wrong};
use crate::event::Event;
use crate::failure::Failure;
use crate::report::Ending;
use std::sync::atomic::Ordering;

/// One run after the other.
pub async fn run(context: &Context, request: &Batch) -> BatchReply {
    let mut runs: Vec<BatchRun> = Vec::new();
    let wanted = without_twins(context, &request.runs);
    for one in &wanted {
        if context.interrupted.load(Ordering::Relaxed) {
            break;
        }
        context.listener.hear(&Event::PairStarted { pair: one.pair.clone() });
        runs.push(match begin(context, one).await {
            Ok(run) => {
                let ending = run.report.ending();
                BatchRun { pair: one.pair.clone(), ending, run: Some(run), stopped: None }
            }
            Err(Wrong { ending, reason }) => {
                context.listener.hear(&Event::Stopped { ending, reason: reason.clone() });
                BatchRun { pair: one.pair.clone(), ending, run: None, stopped: Some(reason) }
            }
        });
    }
    let interrupted = context.interrupted.load(Ordering::Relaxed);
    let skipped = wanted.iter().skip(runs.len()).map(|one| one.pair.clone()).collect();
    BatchReply { runs, skipped, interrupted, dry_run: request.dry_run }
}

/// Each pair once: a second sync would find nothing to do.
fn without_twins<'a>(context: &Context, all: &'a [PairSync]) -> Vec<&'a PairSync> {
    let mut wanted: Vec<&PairSync> = Vec::new();
    for one in all {
        if wanted.iter().any(|other| other.pair == one.pair) {
            let text = format!("{} was named more than once, and is synced once", one.pair);
            context.listener.hear(&Event::Note { text });
        } else {
            wanted.push(one);
        }
    }
    wanted
}

/// A pair's run, or why there is none.
async fn begin(context: &Context, one: &PairSync) -> Result<RunReply, Wrong> {
    let unable = |failure: &Failure| Wrong { ending: failure.ending(), reason: failure.told() };
    match (&one.sync, &one.wrong) {
        (_, Some(wrong)) => Err(wrong.clone()),
        (Some(request), None) => sync::run(context, request).await.map_err(|failure| unable(&failure)),
        (None, None) => Err(unable(&Failure::Unable("there is nothing to sync".to_owned()))),
    }
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
