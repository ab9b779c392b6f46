//! `runs`: what was run, and what happened in it.
//!
//! The histories of all pairs, and of what belonged to none, as one: runs are numbered
//! in the order in which they began, so that a number stays what it was. Only what is
//! shown is read, and nothing is opened for writing.

use crate::api::{About, Context, RunEntry, Runs, RunsReply};
use crate::event::Event;
use crate::failure::Failure;
use crate::place;
use crate::state::{Run, State};
use std::path::{Path, PathBuf};

/// One look.
pub async fn run(context: &Context, request: &Runs) -> Result<RunsReply, Failure> {
    let states = states(context)?;
    let mut count = 0;
    for state in &states {
        count += state.run_count()?;
    }
    let wanted = request.show;
    let reach = match (wanted, &request.about) {
        (Some(wanted), _) if (1..=count).contains(&wanted) => count - wanted + 1,
        (Some(wanted), _) => {
            return Err(Failure::Missing(format!("there is no run {wanted}; `tidelock runs` lists them")));
        }
        (None, Some(_)) => count,
        (None, None) => request.limit.min(count),
    };
    let about = request.about.as_ref().map(Whose::of).transpose()?;
    // Each history ends with the latest of all that are in it.
    let mut latest = Vec::new();
    for (place, state) in states.iter().enumerate() {
        latest.extend(state.run_order(reach)?.into_iter().map(|run| (run, place)));
    }
    latest.sort_by(|a, b| b.cmp(a));
    let numbered = (0..reach).zip(latest).map(|(back, (run, place))| (count - back, run, &states[place]));
    let mut reply = RunsReply { runs: Vec::new(), events: Vec::new() };
    for (number, order, state) in numbered.filter(|(number, ..)| wanted.is_none_or(|wanted| wanted == *number)) {
        if wanted.is_none() && reply.runs.len() as u64 == request.limit {
            break;
        }
        let sides = sides(state, order.id)?;
        if about.as_ref().is_some_and(|about| !about.has(&sides)) {
            continue;
        }
        let Some(run) = state.run(order.id)? else { continue };
        if wanted.is_some() {
            reply.events = events(state, &run)?;
        }
        reply.runs.push(entry(number, run, sides));
    }
    Ok(reply)
}

/// Whose runs are wanted, by true names.
struct Whose {
    local: PathBuf,
    remote: Option<String>,
}

impl Whose {
    fn of(about: &About) -> Result<Self, Failure> {
        let remote = about.remote.as_deref().map(true_name).transpose()?;
        Ok(Self { local: place::canonical(&about.local)?, remote })
    }

    /// Whether a run between these sides was one of theirs: of what lies in the folder, and
    /// of a pair also what was done with its objects alone.
    fn has(&self, (local, remote): &(String, String)) -> bool {
        let is_here = !local.is_empty() && Path::new(local).starts_with(&self.local);
        let Some(theirs) = &self.remote else { return is_here };
        let Ok(remote) = true_name(remote) else { return false };
        let is_there =
            remote.strip_prefix(theirs.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        is_there && (is_here || local.is_empty())
    }
}

/// A remote's address without what else may lead there.
fn true_name(remote: &str) -> Result<String, Failure> {
    match remote.strip_prefix("folder:") {
        Some(path) => Ok(format!("folder:{}", place::canonical(Path::new(path))?.display())),
        None => Ok(remote.trim_end_matches('/').to_owned()),
    }
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

/// The folder and the remote of a run, as it began.
fn sides(state: &State, run: i64) -> Result<(String, String), Failure> {
    let event = state.beginning_of(run)?.and_then(|json| serde_json::from_str(&json).ok());
    Ok(match event {
        Some(Event::RunStarted { local, remote, .. }) => (local, remote),
        _ => Default::default(),
    })
}

fn entry(number: u64, run: Run, (local, remote): (String, String)) -> RunEntry {
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
