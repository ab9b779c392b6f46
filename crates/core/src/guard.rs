//! May this plan run?
//!
//! Before anything is written, a whole plan is held against what a disaster looks
//! like: a side that is suddenly empty, more deletions than a person makes, a root
//! that is not the one we know. Each finding is a [`Stop`] that says what was seen
//! and how to go on if it is meant. Which numbers to hold it against is gathered by
//! the engine; moves are paired before, so a renamed folder is not a deletion.

use crate::plan::Totals;
use crate::policy::Flow;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Deletions of up to this many items are never too many by their share.
pub const SMALL_DELETE_COUNT: u64 = 20;

/// What the guard is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// In which direction content flows.
    pub flow: Flow,
    /// What the plan adds up to.
    pub totals: Totals,
    /// Deletions carried out by this pair in the last hour.
    pub recent_deletes: u64,
    /// The person's own limit, if one was given.
    pub max_delete: Option<u64>,
    /// The pair's mode, the way its links are seen or its folder is another than the base's.
    pub has_turned: bool,
    /// The person has confirmed deletions for this run.
    pub confirmed: bool,
}

/// Why a plan may not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "stop")]
pub enum Stop {
    /// The folder is empty, and was not.
    EmptyHere {
        /// How many entries were agreed on.
        agreed: u64,
    },
    /// The remote is empty, and was not.
    EmptyThere {
        /// How many entries were agreed on.
        agreed: u64,
    },
    /// The plan deletes too much.
    TooManyDeletes {
        /// How many items it deletes.
        planned: u64,
        /// How many were deleted in the last hour.
        recent: u64,
        /// Of how many there are.
        of: u64,
    },
    /// The pair's settings have changed, and the plan deletes what nobody vouches for.
    UnvouchedDeletes {
        /// How many such items it deletes.
        planned: u64,
    },
    /// More lies below what was named than a person sees at a glance.
    ManyBelow {
        /// How many items.
        planned: u64,
    },
    /// The plan deletes more than the person's own limit.
    OverLimit {
        /// How many items it deletes.
        planned: u64,
        /// How many were deleted in the last hour.
        recent: u64,
        /// The limit.
        limit: u64,
    },
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyHere { agreed } => write!(
                f,
                "the folder is empty, but {} in step before: is a disk not mounted? \
                 If it was emptied on purpose, run again with --confirm-deletes",
                counted(*agreed, "entry was", "entries were")
            ),
            Self::EmptyThere { agreed } => write!(
                f,
                "the remote is empty, but {} in step before: is it the right bucket and prefix? \
                 If it was emptied on purpose, run again with --confirm-deletes",
                counted(*agreed, "entry was", "entries were")
            ),
            Self::TooManyDeletes { planned, recent, of } => {
                write!(f, "{planned} of {} would be deleted", counted(*of, "item", "items"))?;
                hour(*recent, f)?;
                write!(f, "; if that is meant, run again with --confirm-deletes (--max-delete does not lift this)")
            }
            Self::UnvouchedDeletes { planned } => write!(
                f,
                "the settings or the folder of this pair have changed, and {planned} items would be deleted that were not in step \
                 since; if that is meant, run again with --confirm-deletes"
            ),
            Self::ManyBelow { planned } => write!(
                f,
                "{planned} items lie below what was named; if all of them are meant, run again with \
                 --confirm-deletes, or with --max-delete and the number that you expect (--dry-run lists them)"
            ),
            Self::OverLimit { planned, recent, limit } => {
                write!(f, "{} would be deleted", counted(*planned, "item", "items"))?;
                hour(*recent, f)?;
                write!(f, ", more than --max-delete {limit} allows; ")?;
                write!(f, "raise the limit or run again with --confirm-deletes")
            }
        }
    }
}

fn counted(number: u64, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

fn hour(recent: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match recent {
        0 => Ok(()),
        1 => write!(f, " (1 more was in the last hour)"),
        recent => write!(f, " ({recent} more were in the last hour)"),
    }
}

/// Holds a plan against the limits.
pub fn check(facts: &Facts) -> Result<(), Stop> {
    if facts.confirmed {
        return Ok(());
    }
    let Facts { totals, .. } = facts;
    if totals.agreed > 0 && totals.here == 0 && facts.flow != Flow::Down {
        return Err(Stop::EmptyHere { agreed: totals.agreed });
    }
    if totals.agreed > 0 && totals.there == 0 {
        return Err(Stop::EmptyThere { agreed: totals.agreed });
    }
    // What comes back under another name was renamed by another device.
    let planned = (totals.deletes_here + totals.deletes_there).saturating_sub(totals.renamed_here);
    if planned == 0 {
        return Ok(());
    }
    // What both sides had before its row lapsed is asked about in every run, whichever made
    // it lapse; of what was never known here, only the run that turned can tell.
    let unvouched = if facts.has_turned { totals.deletes_unvouched } else { totals.deletes_lapsed };
    if unvouched > 0 {
        return Err(Stop::UnvouchedDeletes { planned: unvouched });
    }
    let counted = planned.saturating_add(facts.recent_deletes);
    if let Some(limit) = facts.max_delete
        && counted > limit
    {
        return Err(Stop::OverLimit { planned, recent: facts.recent_deletes, limit });
    }
    // What is new here was in danger from nobody, and makes no disaster smaller. What was
    // deleted in the last hour has left the base and the listing.
    let of = totals.agreed.max(totals.there).saturating_add(facts.recent_deletes);
    let most = counted > SMALL_DELETE_COUNT && counted.saturating_mul(2) > of;
    if most || counted >= of {
        return Err(Stop::TooManyDeletes { planned, recent: facts.recent_deletes, of });
    }
    Ok(())
}

/// Whether a deletion there waits: what could not be looked at here may hold, under
/// another name, the very file whose absence calls for it; or that file is here, under a
/// name that no key can stand for.
pub fn waits_for_unseen(holes: u64, is_unnamed: bool, confirmed: bool) -> bool {
    (holes > 0 || is_unnamed) && !confirmed
}

/// Holds deletions that a person asked for by name against the limits: what was named
/// one by one is meant; what was found below a name may be more than was thought.
pub fn check_named(below: u64, all: u64, max_delete: Option<u64>, confirmed: bool) -> Result<(), Stop> {
    match max_delete {
        _ if confirmed => Ok(()),
        Some(limit) if all > limit => Err(Stop::OverLimit { planned: all, recent: 0, limit }),
        None if below > SMALL_DELETE_COUNT => Err(Stop::ManyBelow { planned: below }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(agreed: u64, deletes: u64) -> Facts {
        let totals =
            Totals { agreed, here: agreed - deletes, there: agreed, deletes_there: deletes, ..Totals::default() };
        Facts { flow: Flow::Up, totals, recent_deletes: 0, max_delete: None, has_turned: false, confirmed: false }
    }

    #[test]
    fn few_deletions_pass_and_many_stop() {
        for (agreed, deletes, passes) in
            [(100, 20, true), (100, 50, true), (100, 51, false), (30, 20, true), (30, 21, false), (3, 2, true)]
        {
            assert_eq!(check(&facts(agreed, deletes)).is_ok(), passes, "{deletes} of {agreed}");
            assert!(check(&Facts { confirmed: true, ..facts(agreed, deletes) }).is_ok());
        }
    }

    #[test]
    fn an_empty_side_stops() {
        assert_eq!(check(&facts(5, 5)), Err(Stop::EmptyHere { agreed: 5 }));
        let mut gone = facts(5, 0);
        gone.totals.there = 0;
        assert_eq!(check(&gone), Err(Stop::EmptyThere { agreed: 5 }));
        // A restore is what an empty folder is for.
        let down = Facts { flow: Flow::Down, ..facts(5, 5) };
        assert!(!matches!(check(&down), Err(Stop::EmptyHere { .. })));
    }

    #[test]
    fn what_is_new_here_does_not_make_room_for_deletions() {
        let mut moved_house = facts(100, 100);
        moved_house.totals.here = 1000;
        moved_house.totals.uploads = 1000;
        assert!(matches!(check(&moved_house), Err(Stop::TooManyDeletes { planned: 100, of: 100, .. })));
        // The same from the other side.
        let totals =
            Totals { agreed: 100, here: 1060, there: 40, deletes_here: 60, uploads: 1000, ..Totals::default() };
        let lost = Facts { flow: Flow::Both, totals, ..moved_house };
        assert!(matches!(check(&lost), Err(Stop::TooManyDeletes { planned: 60, of: 100, .. })));
    }

    #[test]
    fn deletions_add_up_over_the_hour() {
        let slow = Facts { recent_deletes: 45, ..facts(60, 10) };
        assert!(matches!(check(&slow), Err(Stop::TooManyDeletes { recent: 45, .. })));
    }

    #[test]
    fn a_persons_own_limit_holds() {
        let limited = Facts { max_delete: Some(3), ..facts(100, 4) };
        assert_eq!(check(&limited), Err(Stop::OverLimit { planned: 4, recent: 0, limit: 3 }));
        assert!(check(&Facts { max_delete: Some(4), ..limited }).is_ok());
    }

    #[test]
    fn what_lies_below_a_name_is_counted() {
        for (below, all, max_delete, passes) in [
            (0, 1_000, None, true),
            (20, 20, None, true),
            (21, 22, None, false),
            (21, 22, Some(22), true),
            (0, 2, Some(1), false),
        ] {
            assert_eq!(check_named(below, all, max_delete, false).is_ok(), passes, "{below} of {all}");
            assert!(check_named(below, all, max_delete, true).is_ok());
        }
    }
}
