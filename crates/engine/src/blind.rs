//! What of the folder is not known, and which deletions there wait for it.
//!
//! A file that is gone from its name may be where nobody could look, or under a name
//! that no object can have; its object may then be the only one. Where something could
//! not be looked at, all deletions there wait; where only a name is at fault, the one of
//! the file that has it. Pipes and sockets hold nothing, and what lies behind a mount was
//! moved out of the folder: both are no business of this.

use crate::failure::Failure;
use crate::pair::Pair;
use crate::planted::Bug;
use crate::state::Spool;
use std::collections::BTreeSet;
use tidelock_core::entry::FileId;
use tidelock_core::guard::waits_for_unseen;
use tidelock_core::plan::{Action, Phase, Problem, ProblemClass, Step, Totals};

/// What a scan could not look at, or not name.
#[derive(Debug, Clone, Default)]
pub struct Blind {
    /// How many places could not be looked at.
    pub holes: u64,
    /// The files that are here under names that no key can stand for.
    pub unnamed: BTreeSet<FileId>,
}

impl Blind {
    /// A file is here that takes no part because of its name.
    pub(crate) fn note_unnamed(&mut self, id: FileId) {
        if id.is_trustworthy() {
            self.unnamed.insert(id);
        } else {
            self.holes += 1;
        }
    }
}

/// Deletions there that have to wait become differences left alone; the problem that
/// tells of them, if there are any.
pub(crate) fn hold_deletes_there(
    pair: &Pair,
    spool: &Spool<'_>,
    blind: &Blind,
    totals: &mut Totals,
) -> Result<Option<Problem>, Failure> {
    let confirmed = pair.settings.confirm_deletes;
    let may_wait = waits_for_unseen(blind.holes, !blind.unnamed.is_empty(), confirmed);
    if !may_wait || pair.planted.has(Bug::HolesIgnored) {
        return Ok(None);
    }
    let mut held = 0;
    spool.rewrite(Phase::Delete, |step| {
        if step.action != Action::DeleteThere {
            return Ok(None);
        }
        let is_unnamed = match pair.state.row(&step.key)?.and_then(|row| row.here) {
            Some(half) if !blind.unnamed.is_empty() => blind.unnamed.contains(&half.stamp.file_id),
            _ => false,
        };
        if !waits_for_unseen(blind.holes, is_unnamed, confirmed) {
            return Ok(None);
        }
        held += 1;
        let waits = Step { action: Action::Leave, ..step.clone() };
        totals.take(step);
        totals.add(&waits);
        Ok(Some(waits))
    })?;
    let entries = if held == 1 {
        "1 entry that is gone here was".to_owned()
    } else {
        format!("{held} entries that are gone here were")
    };
    let what = format!(
        "{entries} left there: what could not be looked at, or has a name that cannot be stored, may hold what was in \
         step; make it readable, rename it or exclude it, or run again with --confirm-deletes"
    );
    Ok((held > 0).then(|| Problem { path: ".".to_owned(), what, class: ProblemClass::Skipped }))
}
