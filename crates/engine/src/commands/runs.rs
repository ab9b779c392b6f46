//! `runs`: what was run, and what happened in it.
//!
//! The histories of all pairs, and of what belonged to none, as one: runs are numbered
//! in the order in which they began, so that a number stays what it was. Only what is
//! shown is read, and nothing is opened for writing.

use crate::api::{Context, RunEntry, Runs, RunsReply};
use crate::event::Event;
use crate::failure::Failure;
use crate::state::{Run, State};

/// One look.
pub async fn run(context: &Context, request: &Runs) -> Result<RunsReply, Failure> {
    let states = states(context)?;
    let mut count = 0;
    for state in &states {
        count += state.run_count()?;
    }
    let (wanted, limit) = match request.show {
        Some(wanted) if (1..=count).contains(&wanted) => (Some(wanted), count - wanted + 1),
        Some(wanted) => return Err(Failure::Missing(format!("there is no run {wanted}; `tidelock runs` lists them"))),
        None => (None, request.limit.min(count)),
    };
    // Each history ends with the latest of all that are in it.
    let mut latest = Vec::new();
    for (place, state) in states.iter().enumerate() {
        latest.extend(state.run_order(limit)?.into_iter().map(|run| (run, place)));
    }
    latest.sort_by(|a, b| b.cmp(a));
    let numbered = (0..limit).zip(latest).map(|(back, (run, place))| (count - back, run, place));
    let mut reply = RunsReply { runs: Vec::new(), events: Vec::new() };
    for (number, order, place) in numbered.filter(|(number, ..)| wanted.is_none_or(|wanted| wanted == *number)) {
        let Some(run) = states[place].run(order.id)? else { continue };
        let events = events(&states[place], &run)?;
        reply.runs.push(entry(number, run, &events));
        if wanted.is_some() {
            reply.events = events;
        }
    }
    Ok(reply)
}

/// All histories that can be opened. One that cannot hides none of the others.
fn states(context: &Context) -> Result<Vec<State>, Failure> {
    let mut states = Vec::new();
    for place in context.place.states()? {
        match place.open_to_look() {
            Ok(open) => states.push(open.state),
            Err(failure) => {
                let text = format!("a history is left out: {}", failure.told());
                context.listener.hear(&Event::Note { text });
            }
        }
    }
    Ok(states)
}

fn events(state: &State, run: &Run) -> Result<Vec<Event>, Failure> {
    // One that this version cannot read is one that it cannot show.
    Ok(state.events_of(run.id)?.iter().filter_map(|json| serde_json::from_str(json).ok()).collect())
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
        report: run.report,
    }
}
