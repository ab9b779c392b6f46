//! Is this still the folder it was?
//!
//! A disk that is not mounted shows an empty folder in its place. So the folder's file
//! system and directory are on record, and rows prove absence in that folder only.
//! [`judge`] says whether a run may go on in the one it found, and what becomes of the
//! rows: in another folder they lapse. How a folder is told from another, and where
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

/// What there is to judge by.
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
    /// A person said that the folder may be another.
    pub accepted: bool,
    /// Entries of the base that were looked for, …
    pub comparable: u64,
    /// … and those of them that are as they were.
    pub alike: u64,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The run goes on; nothing changes on record.
    Known,
    /// The run goes on in this folder, which is on record from then on.
    Taken {
        /// What is on record of the rows: whether they prove sameness only.
        lapses: bool,
        /// Whether what is absent here is so because somebody removed it. Where it may
        /// only not have been brought yet, the record says so.
        settled: bool,
    },
    /// The run stops.
    Refused,
}

/// Whether a run may go on in this folder.
pub fn judge(facts: &Facts) -> Verdict {
    let Facts { known, has_rows, flow, partial, accepted, comparable, alike } = *facts;
    match known {
        Known::Same => return Verdict::Known,
        // What was brought here so far is here; the rest has lapsed.
        Known::Unfinished if flow == Flow::Down || partial => return Verdict::Known,
        // Lapsed once more, rows are no reason to delete anything unasked.
        Known::Unfinished => return Verdict::Taken { lapses: true, settled: true },
        // Rows that are not there claim nothing that another folder could contradict.
        Known::Nothing | Known::Another if !has_rows => {
            return Verdict::Taken { lapses: false, settled: flow != Flow::Down };
        }
        Known::Nothing | Known::Another => {}
    }
    // A restore deletes nothing, and a folder that is gone is what it is for.
    if flow == Flow::Down {
        return Verdict::Taken { lapses: true, settled: false };
    }
    if accepted {
        return Verdict::Taken { lapses: true, settled: !partial };
    }
    // Where nothing could be compared, nothing speaks for it.
    if !partial && comparable > 0 && alike.saturating_mul(100) >= comparable.saturating_mul(ALIKE_PERCENT) {
        return Verdict::Taken { lapses: true, settled: true };
    }
    Verdict::Refused
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: Verdict = Verdict::Known;
    const FIRST: Verdict = Verdict::Taken { lapses: false, settled: true };
    const BEGUN: Verdict = Verdict::Taken { lapses: false, settled: false };
    const SETTLED: Verdict = Verdict::Taken { lapses: true, settled: true };
    const OPEN: Verdict = Verdict::Taken { lapses: true, settled: false };
    const REFUSED: Verdict = Verdict::Refused;

    fn verdict(known: Known, flow: Flow, change: impl Fn(&mut Facts)) -> Verdict {
        let mut facts =
            Facts { known, has_rows: true, flow, partial: false, accepted: false, comparable: 100, alike: 0 };
        change(&mut facts);
        judge(&facts)
    }

    #[test]
    fn a_folder_is_the_one_on_record_or_is_taken_for_it_for_a_reason() {
        use Known::{Another, Nothing, Same, Unfinished};
        let up_and_down =
            [(Same, KNOWN, KNOWN), (Nothing, REFUSED, OPEN), (Another, REFUSED, OPEN), (Unfinished, SETTLED, KNOWN)];
        for (known, up, down) in up_and_down {
            assert_eq!(verdict(known, Flow::Up, |_| ()), up, "{known:?}");
            assert_eq!(verdict(known, Flow::Both, |_| ()), up, "{known:?}");
            assert_eq!(verdict(known, Flow::Down, |_| ()), down, "{known:?}");
            let accepted = if up == REFUSED { SETTLED } else { up };
            assert_eq!(verdict(known, Flow::Up, |facts| facts.accepted = true), accepted, "{known:?}");
            let (first, begun) = if matches!(known, Nothing | Another) { (FIRST, BEGUN) } else { (up, down) };
            assert_eq!(verdict(known, Flow::Up, |facts| facts.has_rows = false), first, "{known:?}");
            assert_eq!(verdict(known, Flow::Down, |facts| facts.has_rows = false), begun, "{known:?}");
        }
    }

    #[test]
    fn nearly_all_must_be_as_it_was() {
        for (comparable, alike, expected) in
            [(100, 90, SETTLED), (100, 89, REFUSED), (1, 1, SETTLED), (1, 0, REFUSED), (0, 0, REFUSED)]
        {
            let seen = |facts: &mut Facts| (facts.comparable, facts.alike) = (comparable, alike);
            for known in [Known::Another, Known::Nothing] {
                assert_eq!(verdict(known, Flow::Up, seen), expected, "{alike} of {comparable}");
            }
        }
    }

    #[test]
    fn a_part_vouches_for_no_whole() {
        for known in [Known::Another, Known::Nothing] {
            let part = |facts: &mut Facts| (facts.partial, facts.alike) = (true, 100);
            assert_eq!(verdict(known, Flow::Up, part), REFUSED);
            assert_eq!(verdict(known, Flow::Down, part), OPEN);
            let accepted = |facts: &mut Facts| (facts.partial, facts.accepted) = (true, true);
            assert_eq!(verdict(known, Flow::Up, accepted), OPEN);
        }
        assert_eq!(verdict(Known::Unfinished, Flow::Up, |facts| facts.partial = true), KNOWN);
    }
}
