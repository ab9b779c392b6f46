//! What the rows of a pair were made under: its mode, how links are seen, and in
//! which folder.
//!
//! Under another mode, with links seen another way or in another folder, a row's
//! absence means something else than a deletion, so all rows lapse: they prove sameness only. That
//! becomes true in the state together with the new settings, and not before the
//! guard let a plan pass under them: a run that was stopped has changed nothing, and
//! the same command is stopped again.

use crate::event::Event;
use crate::pair::Pair;
use crate::root::Root;
use crate::scan::ScanOptions;
use crate::state;
use crate::transfer::delete::EMPTYING;
use tidelock_core::names::LinkStyle;
use tidelock_core::policy::{Policy, Preset};

const MODE: &str = "mode";
const VIEW: &str = "view";

/// What a run's settings change of what is on record.
pub(crate) struct Turn {
    facts: Vec<(&'static str, String)>,
    notes: Vec<String>,
    lapses: bool,
}

/// What is said where rows lapse.
const END: &str = "deletions made before this run are not passed on";

impl Turn {
    /// The settings of this run, held against the record.
    pub(crate) fn of(pair: &Pair, root: &Root) -> state::Result<Self> {
        let mut turn = Self { facts: Vec::new(), notes: Vec::new(), lapses: false };
        if pair.settings.sets_mode {
            turn.consider(pair, MODE, mode_name(&pair.settings.policy), "the mode of this pair")?;
        }
        turn.consider(pair, VIEW, view_name(&pair.settings.scan).to_owned(), "the way links are seen")?;
        if let Some((fact, now, lapses)) = root.record(pair)? {
            // Who accepted it has been told, and in a restore there are none to pass on.
            if lapses && pair.settings.policy.writes_there() && !pair.settings.accept_root {
                turn.notes.push(format!("the folder is another than before, or was restored in part: {END}"));
            }
            turn.facts.push((fact, now));
            // What a killed run meant to clear away was in the folder of before.
            turn.facts.push((EMPTYING, String::new()));
            turn.lapses |= lapses;
        }
        Ok(turn)
    }

    fn consider(&mut self, pair: &Pair, fact: &'static str, now: String, what: &str) -> state::Result<()> {
        let before = pair.state.fact(fact)?;
        if before.as_ref() == Some(&now) {
            return Ok(());
        }
        if let Some(before) = before {
            self.notes.push(format!("{what} changed from {before} to {now}: {END}"));
            self.lapses = true;
        }
        self.facts.push((fact, now));
        Ok(())
    }

    /// Whether rows from before prove sameness only.
    pub(crate) fn lapses(&self) -> bool {
        self.lapses
    }

    /// Puts it on record, and says so. To be called once a plan made under it may run.
    pub(crate) fn commit(&self, pair: &Pair) -> state::Result<()> {
        if self.facts.is_empty() {
            return Ok(());
        }
        let facts: Vec<_> = self.facts.iter().map(|(name, value)| (*name, value.as_str())).collect();
        pair.state.turn(&facts, self.lapses)?;
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
