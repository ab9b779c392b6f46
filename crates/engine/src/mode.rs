//! What the rows of a pair were made under: its mode, and how links are seen.
//!
//! Under another mode, or with links seen another way, a row's absence means
//! something else than a deletion, so all rows lapse: they prove sameness only. That
//! becomes true in the state together with the new settings, and not before the
//! guard let a plan pass under them: a run that was stopped has changed nothing, and
//! the same command is stopped again.

use crate::event::Event;
use crate::pair::Pair;
use crate::scan::ScanOptions;
use crate::state;
use tidelock_core::names::LinkStyle;
use tidelock_core::policy::{Policy, Preset};

const MODE: &str = "mode";
const VIEW: &str = "view";

/// What a run's settings change of what is on record.
pub(crate) struct Turn {
    facts: Vec<(&'static str, String)>,
    notes: Vec<String>,
}

impl Turn {
    /// The settings of this run, held against the record.
    pub(crate) fn of(pair: &Pair) -> state::Result<Self> {
        let mut turn = Self { facts: Vec::new(), notes: Vec::new() };
        if pair.settings.sets_mode {
            turn.consider(pair, MODE, mode_name(&pair.settings.policy), "the mode of this pair")?;
        }
        turn.consider(pair, VIEW, view_name(&pair.settings.scan).to_owned(), "the way links are seen")?;
        Ok(turn)
    }

    fn consider(&mut self, pair: &Pair, fact: &'static str, now: String, what: &str) -> state::Result<()> {
        let before = pair.state.fact(fact)?;
        if before.as_ref() == Some(&now) {
            return Ok(());
        }
        if let Some(before) = before {
            let end = "deletions made before this run are not passed on";
            self.notes.push(format!("{what} changed from {before} to {now}: {end}"));
        }
        self.facts.push((fact, now));
        Ok(())
    }

    /// Whether rows from before prove sameness only.
    pub(crate) fn lapses(&self) -> bool {
        !self.notes.is_empty()
    }

    /// Puts it on record, and says so. To be called once a plan made under it may run.
    pub(crate) fn commit(&self, pair: &Pair) -> state::Result<()> {
        if self.facts.is_empty() {
            return Ok(());
        }
        pair.state.turn(&self.facts, self.lapses())?;
        for text in &self.notes {
            pair.listener.hear(&Event::Note { text: text.clone() });
        }
        Ok(())
    }
}

/// The name of the preset that a policy is, for the record.
pub fn mode_name(policy: &Policy) -> String {
    let same = |preset: &Preset| {
        let other = preset.policy();
        (other.flow, other.deletes, other.drift) == (policy.flow, policy.deletes, policy.drift)
    };
    Preset::ALL.into_iter().find(same).map_or_else(|| format!("{policy:?}"), |preset| preset.name().to_owned())
}

/// Which entries and keys links make, for the record.
fn view_name(scan: &ScanOptions) -> &'static str {
    match (scan.links, scan.follow_links) {
        (LinkStyle::Suffix, false) => "links",
        (LinkStyle::Mode, false) => "links as s3fs has them",
        (LinkStyle::Suffix, true) => "links followed",
        (LinkStyle::Mode, true) => "links followed, else as s3fs has them",
    }
}
