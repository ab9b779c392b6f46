//! Is this still the folder it was?
//!
//! A disk that is not mounted shows an empty folder in its place. So the folder's file
//! system and directory are on record, and rows prove absence in that folder only.
//! [`may_go_on`] says whether a run may work in the one it found, and [`taken`] what
//! becomes of the rows: in another folder they lapse. How a folder is told from another, and where
//! the record is kept, is the engine's.

use crate::policy::Flow;

/// Of a hundred entries, so many must be as they were for another folder to be taken
/// for the same one, moved or brought back.
const ALIKE_PERCENT: u64 = 90;

/// What is on record of the folder that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Nothing.
    Nothing,
    /// It is the one.
    Same,
    /// A restore into it has begun, and not all of what it was to bring is here.
    Unfinished,
    /// Another one is.
    Another,
}

/// A run that found a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// What is on record.
    pub known: Known,
    /// Whether the base has rows.
    pub has_rows: bool,
    /// In which direction content flows.
    pub flow: Flow,
    /// The run is about a part of the folder, or did not look around in it.
    pub partial: bool,
}

/// What goes on record once a run may go on in a folder that was not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Whether rows prove sameness only from then on.
    pub lapses: bool,
    /// Whether what is absent here is so because somebody removed it. Where it may only
    /// not have been brought yet, the record says so.
    pub settled: bool,
}

/// What speaks for a folder that is not the one on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Nothing was looked at, and nobody asked.
    None,
    /// A person said that it may be another.
    Accepted,
    /// Entries of the base were looked for in it.
    Compared {
        /// How many, …
        comparable: u64,
        /// … and how many of them are as they were.
        alike: u64,
    },
}

/// What changes on record when a run goes on in this folder; `None`: nothing.
pub fn taken(facts: &Facts) -> Option<Taken> {
    let Facts { known, has_rows, flow, partial } = *facts;
    match known {
        Known::Same => None,
        // What was brought here so far is here; the rest has lapsed.
        Known::Unfinished if flow == Flow::Down || partial => None,
        // Lapsed once more, rows are no reason to delete anything unasked.
        Known::Unfinished => Some(Taken { lapses: true, settled: true }),
        // Rows that are not there claim nothing that another folder could contradict.
        Known::Nothing | Known::Another if !has_rows => Some(Taken { lapses: false, settled: flow != Flow::Down }),
        Known::Nothing | Known::Another => Some(Taken { lapses: true, settled: flow != Flow::Down && !partial }),
    }
}

/// Whether a run may go on in this folder.
pub fn may_go_on(facts: &Facts, word: Word) -> bool {
    let is_known = matches!(facts.known, Known::Same | Known::Unfinished);
    // A restore deletes nothing, and a folder that is gone is what it is for.
    if is_known || !facts.has_rows || facts.flow == Flow::Down {
        return true;
    }
    match word {
        Word::None => false,
        Word::Accepted => true,
        // Where nothing could be compared, nothing speaks for it, and a part for no whole.
        Word::Compared { comparable, alike } => {
            let is_alike = alike.saturating_mul(100) >= comparable.saturating_mul(ALIKE_PERCENT);
            !facts.partial && comparable > 0 && is_alike
        }
    }
}

/// Whether a run that went well has brought all that a restore into this folder was to
/// bring: what is absent from then on was removed. `left_out` counts what it did not bring.
pub fn settles(facts: &Facts, left_out: u64) -> bool {
    facts.known == Known::Unfinished && facts.flow == Flow::Down && !facts.partial && left_out == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Option<Taken> = Some(Taken { lapses: false, settled: true });
    const BEGUN: Option<Taken> = Some(Taken { lapses: false, settled: false });
    const SETTLED: Option<Taken> = Some(Taken { lapses: true, settled: true });
    const OPEN: Option<Taken> = Some(Taken { lapses: true, settled: false });

    fn facts(known: Known, flow: Flow) -> Facts {
        Facts { known, has_rows: true, flow, partial: false }
    }

    #[test]
    fn what_is_on_record_of_a_folder_from_then_on() {
        use Known::{Another, Nothing, Same, Unfinished};
        // Of all of it, of a part, and where there are no rows.
        let table = [
            (Same, Flow::Up, [None, None, None]),
            (Same, Flow::Down, [None, None, None]),
            (Unfinished, Flow::Up, [SETTLED, None, SETTLED]),
            (Unfinished, Flow::Down, [None, None, None]),
            (Nothing, Flow::Up, [SETTLED, OPEN, FIRST]),
            (Nothing, Flow::Down, [OPEN, OPEN, BEGUN]),
            (Another, Flow::Up, [SETTLED, OPEN, FIRST]),
            (Another, Flow::Down, [OPEN, OPEN, BEGUN]),
        ];
        for (known, flow, expected) in table {
            let whole = facts(known, flow);
            let cases = [whole, Facts { partial: true, ..whole }, Facts { has_rows: false, ..whole }];
            assert_eq!(cases.map(|facts| taken(&facts)), expected, "{known:?} {flow:?}");
            if flow == Flow::Up {
                let both = cases.map(|facts| taken(&Facts { flow: Flow::Both, ..facts }));
                assert_eq!(both, expected, "{known:?}");
            }
        }
    }

    #[test]
    fn a_run_goes_on_where_the_folder_is_known_or_nothing_can_go() {
        for (known, up) in
            [(Known::Same, true), (Known::Unfinished, true), (Known::Nothing, false), (Known::Another, false)]
        {
            for flow in [Flow::Up, Flow::Both] {
                assert_eq!(may_go_on(&facts(known, flow), Word::None), up, "{known:?}");
                assert!(may_go_on(&facts(known, flow), Word::Accepted), "{known:?}");
                assert!(may_go_on(&Facts { has_rows: false, ..facts(known, flow) }, Word::None), "{known:?}");
            }
            assert!(may_go_on(&facts(known, Flow::Down), Word::None), "{known:?}");
        }
    }

    #[test]
    fn nearly_all_must_be_as_it_was() {
        for (comparable, alike, expected) in
            [(100, 90, true), (100, 89, false), (1, 1, true), (1, 0, false), (0, 0, false)]
        {
            for known in [Known::Another, Known::Nothing] {
                let (whole, word) = (facts(known, Flow::Up), Word::Compared { comparable, alike });
                assert_eq!(may_go_on(&whole, word), expected, "{alike} of {comparable}");
                assert!(!may_go_on(&Facts { partial: true, ..whole }, word), "a part vouches for no whole");
            }
        }
    }

    #[test]
    fn a_restore_of_all_there_is_settles() {
        let restored = facts(Known::Unfinished, Flow::Down);
        assert!(settles(&restored, 0));
        assert!(!settles(&restored, 1), "something was left out");
        assert!(!settles(&Facts { partial: true, ..restored }, 0));
        assert!(!settles(&Facts { flow: Flow::Up, ..restored }, 0));
        assert!(!settles(&Facts { known: Known::Another, ..restored }, 0));
    }
}
