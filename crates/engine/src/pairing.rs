//! Renames: steps that would send turned into moves.
//!
//! After the survey, files that departed from one key and arrived at another are
//! paired. What counts as the same file and in which order moves must run is
//! `core/moves.rs`; here the spool's rows are rewritten accordingly, before the
//! guard looks, so that a renamed folder is neither sent nor counted as deleted.

use crate::pair::Pair;
use crate::planted::Bug;
use crate::state::{Arrived, Result, Spool};
use tidelock_core::moves::{Departed, Move, order, pair as same_file};
use tidelock_core::plan::{Action, Phase, Step, ThereSeen, Totals};

/// Pairs departed with arrived files and rewrites their steps.
pub fn pair_moves(pair: &Pair, spool: &Spool<'_>, totals: &mut Totals) -> Result<()> {
    spool.fill()?;
    let paired = pair_departed(pair, spool, totals);
    spool.filled()?;
    paired?;
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
    let mut after = 0;
    loop {
        let page = spool.arrived(after)?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        for arrived in page {
            consider(pair, spool, arrived)?;
        }
    }
    rewrite(spool, totals, pair.settings.only_moves)
}

/// Notes the rename that the arrival of a file is, if it is one.
fn consider(pair: &Pair, spool: &Spool<'_>, arrived: Arrived) -> Result<()> {
    let Arrived { seq, mut step, from } = arrived;
    let (Some(here), Some(then), Some(object), Some(digest)) = (&step.here, &from.here, &from.there, from.digest)
    else {
        return Ok(());
    };
    let departed =
        Departed { key: from.key.clone(), stamp: then.stamp, racy: then.racy, digest, object: object.stamp.clone() };
    let proved = match same_file(&departed, &here.stamp) {
        Some(proved) => proved,
        None if pair.planted.has(Bug::InodeOnlyRename) => true,
        None => return Ok(()),
    };
    // Edited there: the edit stays under the old name, the bytes here go up.
    let edited = spool
        .find(&from.key)?
        .is_some_and(|(_, other)| other.there.as_ref().is_none_or(|there| !there.stamp.same_content(&departed.object)));
    if edited {
        return Ok(());
    }
    step.action = Action::Move {
        from: departed.key.clone(),
        source: departed.object,
        digest: Some(departed.digest),
        proved: proved || pair.planted.has(Bug::InodeOnlyRename),
    };
    spool.note_rename(seq, &departed.key, &step)
}

/// Makes steps of what was noted. Only renames that depend on others are in memory.
fn rewrite(spool: &Spool<'_>, totals: &mut Totals, only_moves: bool) -> Result<()> {
    let mut linked = Vec::new();
    let mut after = 0;
    loop {
        let page = spool.renames(after)?;
        let Some((last, _)) = page.last() else { break };
        after = *last;
        for (_, step) in page {
            let Action::Move { from, .. } = &step.action else { continue };
            let owed = spool.find(from)?;
            let writes = owed.as_ref().is_some_and(|(_, step)| step.action.phase() == Phase::Write);
            if writes || spool.is_renamed(&step.key)? {
                let size = step.here.as_ref().map_or(0, |here| here.stamp.size);
                linked.push(Move { from: from.clone(), to: step.key.clone(), size });
            } else {
                replace(spool, totals, &step, None)?;
                owe(spool, totals, owed, &step)?;
            }
        }
    }
    let mut chains = 0_i64;
    for chain in order(linked) {
        if only_moves && chain.upload.is_some() {
            // A cycle costs a file that would have to be sent: it waits for a sync.
            continue;
        }
        chains += 1;
        let mut link = 0;
        let mut last_copy = None;
        for copy in &chain.copies {
            let Some(step) = spool.rename_to(&copy.to)? else { continue };
            replace(spool, totals, &step, Some((chains, link)))?;
            link += 1;
            last_copy = Some(step);
        }
        // What is written to the chain's first source comes after the copy of
        // it; where nothing is, its deletion is owed.
        let last = chain.upload.or_else(|| chain.copies.last().map(|copy| copy.from.clone()));
        let Some((seq, step)) = last.map(|key| spool.find(&key)).transpose()?.flatten() else { continue };
        if step.action.phase() == Phase::Write {
            spool.replace(seq, &step, Some((chains, link)))?;
        } else if let Some(copy) = last_copy {
            owe(spool, totals, Some((seq, step)), &copy)?;
        }
    }
    Ok(())
}

/// What was planned becomes the move.
fn replace(spool: &Spool<'_>, totals: &mut Totals, step: &Step, chain: Option<(i64, i64)>) -> Result<()> {
    let Some((seq, was)) = spool.find(&step.key)? else { return Ok(()) };
    totals.take(&was);
    totals.add(step);
    spool.replace(seq, step, chain)
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
