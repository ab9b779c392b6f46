//! The decision table.
//!
//! Each side is compared with its own half of the base, which gives two
//! [`Change`]s; whether the two sides now hold the same bytes is a third fact.
//! [`decide`] turns these three, the row's standing and a policy into a
//! [`Decision`]. It knows no path, size or time. Where it would need to know more
//! than was looked at, it answers [`Decision::Compare`], and is asked again.

use crate::entry::Standing;
use crate::policy::{Deletes, Drift, Flow, OnConflict, Policy};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How one side compares with its half of the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// `0`: not there, and never was as far as the base knows.
    Never,
    /// `+`: there, and not in the base.
    New,
    /// `=`: as in the base.
    Same,
    /// `?`: the stamp moved, the bytes may be the same; only reading tells.
    Touched,
    /// `~`: other bytes than in the base.
    Changed,
    /// `-`: in the base, and no longer there.
    Gone,
}

impl Change {
    fn symbol(self) -> char {
        match self {
            Self::Never => '0',
            Self::New => '+',
            Self::Same => '=',
            Self::Touched => '?',
            Self::Changed => '~',
            Self::Gone => '-',
        }
    }

    /// Whether the side holds the entry now.
    pub fn is_present(self) -> bool {
        !matches!(self, Self::Never | Self::Gone)
    }

    /// The same side seen without its base.
    fn without_base(self) -> Self {
        if self.is_present() { Self::New } else { Self::Never }
    }
}

/// Whether two present sides hold the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sameness {
    /// Proved equal.
    Same,
    /// Proved different.
    Differ,
    /// Not known yet.
    Unknown,
}

/// What was seen of one key: the row of the table it falls into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Row {
    /// The base row's standing, if there is a base row.
    pub standing: Option<Standing>,
    /// The local side.
    pub here: Change,
    /// The remote side.
    pub there: Change,
    /// Both together; `Unknown` where one is absent.
    pub same: Sameness,
}

impl Row {
    /// Whether both sides are as the base has them.
    pub fn is_as_agreed(&self) -> bool {
        self.here == Change::Same && self.there == Change::Same
    }
}

impl fmt::Display for Row {
    /// As in the table: `agreed ~ =`, `none + + differ`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base = match self.standing {
            None => "none",
            Some(Standing::Agreed) => "agreed",
            Some(Standing::Known) => "known",
            Some(Standing::Lapsed) => "lapsed",
            Some(Standing::Pruned) => "pruned",
        };
        write!(f, "{base} {} {}", self.here.symbol(), self.there.symbol())?;
        match (self.here.is_present() && self.there.is_present(), self.same) {
            (true, Sameness::Same) => f.write_str(" same"),
            (true, Sameness::Differ) => f.write_str(" differ"),
            _ => Ok(()),
        }
    }
}

/// What is to be done about one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Both sides are as agreed.
    Nothing,
    /// Both sides hold the same: record it.
    Adopt,
    /// Neither side holds it: drop the row.
    Forget,
    /// Make the remote like the local side.
    Upload,
    /// Make the local side like the remote.
    Download,
    /// Remove the object.
    DeleteThere,
    /// Remove the file, into the trash.
    DeleteHere,
    /// Both changed; nothing is written.
    Conflict,
    /// Both changed; keep both.
    KeepBoth,
    /// Both changed; the later modification time wins, which nobody has read yet.
    Newer,
    /// The policy does not act on this difference.
    Leave,
    /// Look closer, then ask again.
    Compare,
}

/// What `policy` wants for a key in this row of the table.
pub fn decide(row: Row, policy: &Policy) -> Decision {
    match row.standing {
        Some(Standing::Agreed) => agreed(row, policy),
        Some(Standing::Known) => match (row.here, row.there.is_present()) {
            (Change::Same, false) => Decision::Nothing,
            (Change::Gone | Change::Never, false) => Decision::Forget,
            _ => baseless(row, policy),
        },
        Some(Standing::Pruned) if !row.here.is_present() => match (row.there.is_present(), policy.flow) {
            (false, _) => Decision::Forget,
            (true, Flow::Down) => Decision::Download,
            (true, _) => Decision::Leave,
        },
        Some(Standing::Lapsed) => lapsed(row, policy),
        None | Some(Standing::Pruned) => baseless(row, policy),
    }
}

/// A lapsed row proves nothing about what is gone. But where one side still is as it
/// was agreed, the other's difference is a change of what both had; and where both
/// are, they agree.
fn lapsed(row: Row, policy: &Policy) -> Decision {
    let as_it_was = |change| matches!(change, Change::Same | Change::Touched);
    match (row.here.is_present(), row.there.is_present()) {
        (false, false) => Decision::Forget,
        (true, true) if row.is_as_agreed() => Decision::Adopt,
        (true, true) if as_it_was(row.here) || as_it_was(row.there) => agreed(row, policy),
        _ => baseless(row, policy),
    }
}

/// Rows where the base vouches for nothing but, perhaps, sameness.
fn baseless(row: Row, policy: &Policy) -> Decision {
    let (here, there) = (row.here.without_base(), row.there.without_base());
    agreed(Row { here, there, ..row }, policy)
}

fn agreed(row: Row, policy: &Policy) -> Decision {
    use Change::{Changed, Gone, Never, New, Same, Touched};
    match (row.here, row.there, row.same) {
        (Same, Same, _) => return Decision::Nothing,
        (Gone | Never, Gone | Never, _) => return Decision::Forget,
        // Bytes that may be as agreed are looked at before anything follows from them.
        (Touched, _, _) | (_, Touched, _) => return Decision::Compare,
        (New | Changed, New | Changed, Sameness::Unknown) => return Decision::Compare,
        (here, there, Sameness::Same) if here.is_present() && there.is_present() => return Decision::Adopt,
        _ => {}
    }
    match policy.flow {
        Flow::Both => both_ways(row, policy),
        Flow::Up => one_way(row.here, row.there, policy, Decision::Upload, Decision::DeleteThere),
        Flow::Down => one_way(row.there, row.here, policy, Decision::Download, Decision::DeleteHere),
    }
}

fn both_ways(row: Row, policy: &Policy) -> Decision {
    let moved = |change: Change| change != Change::Same && change != Change::Never;
    let passing_on = |delete: Decision| match policy.deletes {
        Deletes::Propagate => delete,
        Deletes::Keep => Decision::Leave,
    };
    match (moved(row.here), moved(row.there)) {
        (true, false) if row.here.is_present() => Decision::Upload,
        (true, false) => passing_on(Decision::DeleteThere),
        (false, true) if row.there.is_present() => Decision::Download,
        (false, true) => passing_on(Decision::DeleteHere),
        // An edit outlives a deletion.
        _ if !row.here.is_present() => Decision::Download,
        _ if !row.there.is_present() => Decision::Upload,
        _ => conflict(policy),
    }
}

/// One direction, told by its source and destination; `put` and `delete` are what
/// writing the destination is called.
fn one_way(source: Change, destination: Change, policy: &Policy, put: Decision, delete: Decision) -> Decision {
    let overwrite = policy.drift == Drift::Overwrite;
    let drifted = matches!(destination, Change::New | Change::Changed | Change::Gone);
    if !source.is_present() {
        let vouched = source == Change::Gone && !drifted;
        return if policy.deletes == Deletes::Propagate && (vouched || overwrite) { delete } else { Decision::Leave };
    }
    if !destination.is_present() || !drifted || overwrite {
        // A destination that lost what the source never changed is filled again.
        return put;
    }
    if source == Change::Same {
        return Decision::Leave;
    }
    match conflict(policy) {
        // A winner on the side that this flow may not write stays where it is.
        Decision::Upload | Decision::Download => {
            if conflict(policy) == put {
                put
            } else {
                Decision::Leave
            }
        }
        other => other,
    }
}

fn conflict(policy: &Policy) -> Decision {
    match policy.conflict {
        OnConflict::Report => Decision::Conflict,
        OnConflict::KeepBoth => Decision::KeepBoth,
        OnConflict::Local => Decision::Upload,
        OnConflict::Remote => Decision::Download,
        OnConflict::Newer => Decision::Newer,
    }
}

/// What is to be done about metadata, once the content agrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MetaDecision {
    /// It agrees, or the policy leaves it.
    Nothing,
    /// Set the local side's there.
    SetThere,
    /// Set the remote's here.
    SetHere,
}

/// What `policy` wants where content agrees and metadata changed on these sides.
/// Metadata never makes a conflict copy: where both changed, a named winner wins,
/// else the remote.
pub fn decide_meta(changed_here: bool, changed_there: bool, policy: &Policy) -> MetaDecision {
    use MetaDecision::{Nothing, SetHere, SetThere};
    let overwrite = policy.drift == Drift::Overwrite;
    match (policy.flow, changed_here, changed_there) {
        (_, false, false) => Nothing,
        (Flow::Up, true, false) => SetThere,
        (Flow::Up, false, true) => {
            if overwrite {
                SetThere
            } else {
                Nothing
            }
        }
        (Flow::Up, true, true) => {
            if overwrite || policy.conflict == OnConflict::Local {
                SetThere
            } else {
                Nothing
            }
        }
        (Flow::Down, false, true) => SetHere,
        (Flow::Down, true, false) => {
            if overwrite {
                SetHere
            } else {
                Nothing
            }
        }
        (Flow::Down, true, true) => {
            if policy.conflict == OnConflict::Local {
                Nothing
            } else {
                SetHere
            }
        }
        (Flow::Both, true, false) => SetThere,
        (Flow::Both, false, true) => SetHere,
        (Flow::Both, true, true) => {
            if policy.conflict == OnConflict::Local {
                SetThere
            } else {
                SetHere
            }
        }
    }
}

#[cfg(test)]
mod tests;
