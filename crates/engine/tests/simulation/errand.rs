//! What an engine is started for.
//!
//! A sync, a plan that is written down, one that is carried out, or renames alone:
//! each set up as its command does it. A plan is kept as the text that a person
//! would keep, and read back from it.

use crate::stage::Device;
use std::collections::BTreeSet;
use std::io::BufReader;
use std::sync::{Arc, Mutex};
use tidelock_core::plan::Said;
use tidelock_core::policy::{Policy, Preset};
use tidelock_engine::cycle::{self, Mode};
use tidelock_engine::failure::Failure;
use tidelock_engine::pair::{Pair, Settings};
use tidelock_engine::report::Report;
use tidelock_engine::saved;
use tidelock_engine::state::Spool;
use tidelock_engine::survey::Survey;

/// A plan, written down.
#[derive(Debug, Clone)]
pub struct Paper {
    text: Vec<u8>,
    policy: Policy,
    /// The keys of its steps.
    pub keys: BTreeSet<String>,
}

/// What an engine is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errand {
    Sync { confirm: bool, accept_root: bool },
    Plan,
    Apply { confirm: bool },
    Moves,
}

impl Errand {
    pub fn sync(confirm: bool) -> Self {
        Self::Sync { confirm, accept_root: false }
    }

    /// A sync with a person's word for everything.
    pub fn settling() -> Self {
        Self::Sync { confirm: true, accept_root: true }
    }

    /// The policy it goes by.
    pub fn policy(&self, device: &Device) -> Policy {
        match self {
            Self::Sync { .. } | Self::Plan => device.policy,
            Self::Apply { .. } => device.paper().map_or(device.policy, |paper| paper.policy),
            Self::Moves => Preset::Push.policy(),
        }
    }

    /// Whatever else its command sets.
    pub fn set(&self, settings: &mut Settings) {
        match self {
            Self::Sync { confirm, accept_root } => {
                settings.confirm_deletes = *confirm;
                settings.accept_root = *accept_root;
            }
            Self::Plan => {}
            Self::Apply { confirm } => settings.confirm_deletes = *confirm,
            Self::Moves => {
                settings.only_moves = true;
                settings.sets_mode = false;
            }
        }
    }

    /// Does it.
    pub async fn run(self, pair: &Pair, paper: &Arc<Mutex<Option<Paper>>>) -> Report {
        match self {
            Self::Sync { .. } | Self::Moves => cycle::run(pair, Mode::Execute).await,
            Self::Plan => write(pair, paper).await.unwrap_or_else(|failure| refused(&failure)),
            Self::Apply { .. } => {
                let Some(paper) = paper.lock().expect("no panics").clone() else { return Report::default() };
                apply(pair, &paper).await.unwrap_or_else(|failure| refused(&failure))
            }
        }
    }
}

fn refused(failure: &Failure) -> Report {
    let mut report = Report::default();
    report.stopped = Some(failure.told());
    report.end(failure.ending());
    report
}

async fn write(pair: &Pair, paper: &Arc<Mutex<Option<Paper>>>) -> Result<Report, Failure> {
    let generation = pair.state.generation()?;
    let keep = |spool: &Spool<'_>, seen: &Survey| {
        let names =
            saved::Names { pair: &pair.tag, local: &pair.local_name, remote: &pair.remote_name, said: Said::default() };
        let header = saved::header(pair, names, &generation, seen);
        let mut text = Vec::new();
        saved::write(&mut text, &header, spool, seen.totals)?;
        let lines = text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
        let keys = lines.filter_map(|line: serde_json::Value| line["key"].as_str().map(str::to_owned)).collect();
        *paper.lock().expect("no panics") = Some(Paper { text, policy: pair.settings.policy, keys });
        Ok(())
    };
    Ok(cycle::plan(pair, &keep).await)
}

async fn apply(pair: &Pair, paper: &Paper) -> Result<Report, Failure> {
    let mut input = BufReader::new(paper.text.as_slice());
    let (reader, header) = saved::Reader::start(&mut input)?;
    cycle::apply(pair, &header, reader).await
}
