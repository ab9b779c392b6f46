//! Renames: steps that would send turned into moves.
//!
//! After the survey, files that departed from one key and arrived at another are
//! paired. What counts as the same file and in which order moves must run is
//! `core/moves.rs`; here the spool's rows are rewritten accordingly, before the
//! guard looks, so that a renamed folder is neither sent nor counted as deleted.

use crate::pair::Pair;
use crate::planted::Bug;
use crate::state::{Arrived, Result, Spool};
use std::collections::{BTreeMap, BTreeSet};
use tidelock_core::moves::{Departed, Move, order, pair as same_file};
use tidelock_core::path::Key;
use tidelock_core::plan::{Action, Phase, Step, ThereSeen, Totals};

/// Pairs departed with arrived files and rewrites their steps.
pub fn pair_moves(pair: &Pair, spool: &Spool<'_>, totals: &mut Totals) -> Result<()> {
    pair_departed(pair, spool, totals)?;
    if totals.deletes_here > 0 && totals.downloads > 0 {
        // Another device's renames: their files go here and come here.
        totals.renamed_here = spool.renamed_here()?;
    }
    Ok(())
}

fn pair_departed(pair: &Pair, spool: &Spool<'_>, totals: &mut Totals) -> Result<()> {
    if spool.departed_count()? == 0 {
        return Ok(());
    }
    spool.index()?;
    let mut moves = Moves::default();
    let mut after = 0;
    loop {
        let page = spool.arrived(after)?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        for arrived in page {
            moves.consider(pair, spool, arrived)?;
        }
    }
    moves.rewrite(spool, totals, pair.settings.only_moves)
}

#[derive(Default)]
struct Moves {
    /// By destination.
    found: BTreeMap<Key, Found>,
}

struct Found {
    seq: i64,
    /// What was planned before.
    was: Step,
    /// The move.
    step: Step,
    from: Key,
}

impl Moves {
    fn consider(&mut self, pair: &Pair, spool: &Spool<'_>, arrived: Arrived) -> Result<()> {
        let Arrived { seq, step: was, from } = arrived;
        let mut step = was.clone();
        let (Some(here), Some(then), Some(object), Some(digest)) = (&step.here, &from.here, &from.there, from.digest)
        else {
            return Ok(());
        };
        let departed = Departed {
            key: from.key.clone(),
            stamp: then.stamp,
            racy: then.racy,
            digest,
            object: object.stamp.clone(),
        };
        let proved = match same_file(&departed, &here.stamp) {
            Some(proved) => proved,
            None if pair.planted.has(Bug::InodeOnlyRename) => true,
            None => return Ok(()),
        };
        // Edited there: the edit stays under the old name, the bytes here go up.
        let edited = spool.find(&from.key)?.is_some_and(|(_, other)| {
            other.there.as_ref().is_none_or(|there| !there.stamp.same_content(&departed.object))
        });
        if edited {
            return Ok(());
        }
        step.action = Action::Move {
            from: departed.key.clone(),
            source: departed.object,
            digest: Some(departed.digest),
            proved: proved || pair.planted.has(Bug::InodeOnlyRename),
        };
        self.found.insert(step.key.clone(), Found { seq, was, step, from: departed.key });
        Ok(())
    }

    fn rewrite(self, spool: &Spool<'_>, totals: &mut Totals, only_moves: bool) -> Result<()> {
        let sources: BTreeSet<Key> = self.found.values().map(|found| found.from.clone()).collect();
        let mut linked = Vec::new();
        let mut chains = 0_i64;
        for (to, found) in &self.found {
            let owed = spool.find(&found.from)?;
            let writes = owed.as_ref().is_some_and(|(_, step)| step.action.phase() == Phase::Write);
            if sources.contains(to) || writes {
                let size = found.step.here.as_ref().map_or(0, |here| here.stamp.size);
                linked.push(Move { from: found.from.clone(), to: to.clone(), size });
            } else {
                replace(spool, totals, found, None)?;
                owe(spool, totals, owed, &found.step)?;
            }
        }
        for chain in order(linked) {
            if only_moves && chain.upload.is_some() {
                // A cycle costs a file that would have to be sent: it waits for a sync.
                continue;
            }
            chains += 1;
            let mut link = 0;
            for copy in &chain.copies {
                let Some(found) = self.found.get(&copy.to) else { continue };
                replace(spool, totals, found, Some((chains, link)))?;
                link += 1;
            }
            // What is written to the chain's first source comes after the copy of
            // it; where nothing is, its deletion is owed.
            let last = chain.upload.or_else(|| chain.copies.last().map(|copy| copy.from.clone()));
            let Some((seq, step)) = last.map(|key| spool.find(&key)).transpose()?.flatten() else { continue };
            if step.action.phase() == Phase::Write {
                spool.replace(seq, &step, Some((chains, link)))?;
            } else if let Some(found) = chain.copies.last().and_then(|copy| self.found.get(&copy.to)) {
                owe(spool, totals, Some((seq, step)), &found.step)?;
            }
        }
        Ok(())
    }
}

/// What was planned becomes the move.
fn replace(spool: &Spool<'_>, totals: &mut Totals, found: &Found, chain: Option<(i64, i64)>) -> Result<()> {
    totals.take(&found.was);
    totals.add(&found.step);
    spool.replace(found.seq, &found.step, chain)
}

/// What was to happen to the old key becomes the deletion that the move owes.
fn owe(spool: &Spool<'_>, totals: &mut Totals, old: Option<(i64, Step)>, step: &Step) -> Result<()> {
    let (Some((seq, mut old)), Action::Move { source, .. }) = (old, &step.action) else { return Ok(()) };
    if old.here.is_some() || old.action.phase() == Phase::Write {
        return Ok(());
    }
    totals.take(&old);
    let seen = old.there.as_ref();
    let (archived, lost) = seen.map_or((false, false), |there| (there.archived, there.lost));
    old.action = Action::DeleteMoved;
    old.there = Some(ThereSeen { stamp: source.clone(), archived, lost });
    totals.add(&old);
    spool.replace(seq, &old, None)
}
