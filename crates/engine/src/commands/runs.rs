//! `runs`: what was run, and what happened in it.
//!
//! The histories of all pairs, and of what belonged to none, as one: runs are numbered
//! in the order in which they began, so that a number stays what it was. Nothing is
//! opened for writing.

use crate::api::{Context, RunEntry, Runs, RunsReply};
use crate::event::Event;
use crate::failure::Failure;
use crate::place::PairPlace;
use crate::state::Run;

/// One look.
pub async fn run(context: &Context, request: &Runs) -> Result<RunsReply, Failure> {
    let mut all: Vec<(Run, PairPlace)> = Vec::new();
    for place in context.place.states()? {
        let state = place.open_to_look()?.state;
        all.extend(state.runs(u32::MAX)?.into_iter().map(|run| (run, place.clone())));
    }
    all.sort_by(|(a, _), (b, _)| (a.started_ms, &a.token).cmp(&(b.started_ms, &b.token)));
    let numbered = (1_u64..).zip(all);
    match request.show {
        Some(wanted) => {
            let found = numbered.into_iter().find(|(number, _)| *number == wanted);
            let Some((number, (run, place))) = found else {
                return Err(Failure::Missing(format!("there is no run {wanted}; `tidelock runs` lists them")));
            };
            let events = events(&place, &run)?;
            let entry = entry(number, run, &events);
            Ok(RunsReply { runs: vec![entry], events })
        }
        None => {
            let latest: Vec<_> = numbered.collect();
            let skip = latest.len().saturating_sub(usize::try_from(request.limit).unwrap_or(usize::MAX));
            let mut runs = Vec::new();
            for (number, (run, place)) in latest.into_iter().skip(skip) {
                let events = events(&place, &run)?;
                runs.push(entry(number, run, &events));
            }
            runs.reverse();
            Ok(RunsReply { runs, events: Vec::new() })
        }
    }
}

fn events(place: &PairPlace, run: &Run) -> Result<Vec<Event>, Failure> {
    let kept = place.open_to_look()?.state.events_of(run.id)?;
    // One that this version cannot read is one that it cannot show.
    Ok(kept.iter().filter_map(|json| serde_json::from_str(json).ok()).collect())
}

fn entry(number: u64, run: Run, events: &[Event]) -> RunEntry {
    let sides = events.iter().find_map(|event| match event {
        Event::RunStarted { local, remote, .. } => Some((local.clone(), remote.clone())),
        _ => None,
    });
    let (local, remote) = sides.unwrap_or_default();
    RunEntry {
        number,
        command: run.command,
        local,
        remote,
        started_ms: run.started_ms,
        ended_ms: run.ended_ms,
        exit: run.exit,
        report: run.report.as_deref().and_then(|json| serde_json::from_str(json).ok()),
    }
}
