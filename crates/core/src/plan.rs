//! What is going to be done: steps, totals, and the file form of a plan.
//!
//! A [`Step`] says what to do to one key and what it expects to find when it does;
//! whoever carries it out may do less than it says, never more. Steps are made by
//! `sight.rs`, paired into moves by `moves.rs`, checked by `guard.rs`; this file
//! only gives them their shape. The file form is NDJSON: one [`Header`], the steps,
//! one [`Footer`].

use crate::decide::Row;
use crate::entry::{Digest, LocalStamp, Meta, RemoteStamp, Standing};
use crate::filter::Rules;
use crate::meta::MetaFormat;
use crate::names::Kind;
use crate::path::{Key, RelPath};
use crate::policy::Policy;
use serde::{Deserialize, Serialize};

/// What to do to one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Send the bytes that are here.
    Upload,
    /// Make the object by a copy of another one on the remote: it was renamed here.
    Move {
        /// The key it was renamed from.
        from: Key,
        /// The object there, as agreed.
        source: RemoteStamp,
        /// The digest of the agreed bytes; unknown where nothing here takes part.
        digest: Option<Digest>,
        /// Whether the bytes here are known to have that digest without reading.
        proved: bool,
    },
    /// Fetch the bytes that are there.
    Download,
    /// Set the metadata of the object.
    MetaThere,
    /// Set the metadata of the file.
    MetaHere,
    /// Remove the object.
    DeleteThere,
    /// Remove the object whose bytes live, proved, under a new key.
    DeleteMoved,
    /// Move the file into the trash.
    DeleteHere,
    /// Look closer, decide again.
    Compare,
    /// Record that both sides hold the same.
    Adopt,
    /// Drop the row.
    Forget,
    /// Record what was learnt of an unchanged entry.
    Refresh,
    /// Keep the row as proof of sameness only: a filter now excludes its path.
    Lapse,
    /// Both changed; list it.
    Conflict,
    /// Both changed; keep both.
    KeepBoth,
    /// Both changed; keep the later one.
    Newer,
    /// A difference that the policy leaves.
    Leave,
}

/// When a step runs. All of one phase is over before the next begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Writes, and everything that only records.
    Write,
    /// Deletions, and those owed for moves.
    Delete,
    /// Nothing is done.
    None,
}

impl Action {
    /// When it runs.
    pub fn phase(&self) -> Phase {
        match self {
            Self::DeleteThere | Self::DeleteMoved | Self::DeleteHere => Phase::Delete,
            Self::Leave | Self::Conflict => Phase::None,
            _ => Phase::Write,
        }
    }

    /// Its name, as reports and plans have it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::Move { .. } => "move",
            Self::Download => "download",
            Self::MetaThere => "meta-there",
            Self::MetaHere => "meta-here",
            Self::DeleteThere => "delete-there",
            Self::DeleteMoved => "delete-moved",
            Self::DeleteHere => "delete-here",
            Self::Compare => "compare",
            Self::Adopt => "adopt",
            Self::Forget => "forget",
            Self::Refresh => "refresh",
            Self::Lapse => "lapse",
            Self::Conflict => "conflict",
            Self::KeepBoth => "keep-both",
            Self::Newer => "newer",
            Self::Leave => "leave",
        }
    }

    /// Whether it carries a rename over.
    pub fn is_rename(&self) -> bool {
        matches!(self, Self::Move { .. } | Self::DeleteMoved)
    }

    /// Whether it only touches the state.
    pub fn is_bookkeeping(&self) -> bool {
        matches!(self, Self::Adopt | Self::Forget | Self::Refresh | Self::Lapse)
    }
}

/// The local side as a step expects it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HereSeen {
    /// The stamp.
    pub stamp: LocalStamp,
    /// The metadata.
    pub meta: Meta,
}

/// The remote side as a step expects it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThereSeen {
    /// The stamp.
    pub stamp: RemoteStamp,
    /// Whether the bytes are in an archive.
    #[serde(default)]
    pub archived: bool,
    /// Whether the place has lost the bytes.
    #[serde(default)]
    pub lost: bool,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// To which key.
    pub key: Key,
    /// Where that is on disk.
    pub path: RelPath,
    /// What it is.
    pub kind: Kind,
    /// What to do.
    pub action: Action,
    /// The row of the table that decided it.
    pub row: Row,
    /// What is expected here; `None` is nothing.
    pub here: Option<HereSeen>,
    /// What is expected there; `None` is nothing.
    pub there: Option<ThereSeen>,
}

impl Step {
    /// How many bytes the step moves, at most.
    pub fn bytes(&self) -> u64 {
        let here = self.here.as_ref().map_or(0, |here| here.stamp.size);
        let there = self.there.as_ref().map_or(0, |there| there.stamp.size);
        match self.action {
            Action::Upload => here,
            Action::Download => there,
            _ => 0,
        }
    }
}

/// What cannot be done, and why: about one path, never an early end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The path or key, printable.
    pub path: String,
    /// What is wrong with it and what can be done.
    pub what: String,
    /// What sort of problem it is, for the exit code.
    pub class: ProblemClass,
}

/// Sorts of problems, as exit codes tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemClass {
    /// It was skipped.
    Skipped,
    /// It failed.
    Failed,
    /// It was not permitted.
    Denied,
    /// There was no room for it.
    NoRoom,
    /// The place was busy, or out of order for the moment.
    Temporary,
    /// Its bytes are in an archive.
    Archived,
}

/// What a plan adds up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Entries seen here, folders that need no marker left out.
    pub here: u64,
    /// Objects seen there.
    pub there: u64,
    /// Rows in the base that claim agreement.
    pub agreed: u64,
    /// Keys on which both sides are as agreed.
    pub unchanged: u64,
    /// Uploads.
    pub uploads: u64,
    /// Their bytes.
    pub upload_bytes: u64,
    /// Moves done by copies there.
    pub moves: u64,
    /// Downloads.
    pub downloads: u64,
    /// Their bytes.
    pub download_bytes: u64,
    /// Metadata changes on either side.
    pub metas: u64,
    /// Objects to be removed.
    pub deletes_there: u64,
    /// Files to be removed.
    pub deletes_here: u64,
    /// Of those, the ones whose bytes this plan brings under another name: another
    /// device renamed them.
    #[serde(default)]
    pub renamed_here: u64,
    /// Of those on either side, the ones that the base does not vouch for.
    pub deletes_unvouched: u64,
    /// Of those, the ones that both sides had before their rows lapsed.
    #[serde(default)]
    pub deletes_lapsed: u64,
    /// Keys to be looked at more closely.
    pub compares: u64,
    /// Conflicts.
    pub conflicts: u64,
    /// Differences left alone.
    pub drift: u64,
    /// Paths with problems.
    pub problems: u64,
}

impl Totals {
    /// Counts a step in.
    pub fn add(&mut self, step: &Step) {
        self.count(step, u64::wrapping_add);
    }

    /// Takes a step out again, when it becomes another.
    pub fn take(&mut self, step: &Step) {
        self.count(step, u64::wrapping_sub);
    }

    fn count(&mut self, step: &Step, by: fn(u64, u64) -> u64) {
        let bump = |field: &mut u64, amount: u64| *field = by(*field, amount);
        match step.action {
            Action::Upload => {
                bump(&mut self.uploads, 1);
                bump(&mut self.upload_bytes, step.bytes());
            }
            Action::Download => {
                bump(&mut self.downloads, 1);
                bump(&mut self.download_bytes, step.bytes());
            }
            Action::Move { .. } => bump(&mut self.moves, 1),
            Action::MetaThere | Action::MetaHere => bump(&mut self.metas, 1),
            Action::DeleteThere => bump(&mut self.deletes_there, 1),
            Action::DeleteHere => bump(&mut self.deletes_here, 1),
            Action::Compare => bump(&mut self.compares, 1),
            Action::Conflict | Action::KeepBoth | Action::Newer => bump(&mut self.conflicts, 1),
            Action::Leave => bump(&mut self.drift, 1),
            // Both sides are as agreed, and only something more was learnt.
            Action::Refresh => bump(&mut self.unchanged, 1),
            Action::Adopt | Action::Forget | Action::Lapse | Action::DeleteMoved => {}
        }
        let deletes = matches!(step.action, Action::DeleteThere | Action::DeleteHere);
        if deletes && step.row.standing != Some(Standing::Agreed) {
            bump(&mut self.deletes_unvouched, 1);
        }
        if deletes && step.row.standing == Some(Standing::Lapsed) {
            bump(&mut self.deletes_lapsed, 1);
        }
    }

    /// Takes what another plan adds up to in.
    pub fn absorb(&mut self, other: &Self) {
        self.here += other.here;
        self.there += other.there;
        self.agreed += other.agreed;
        self.unchanged += other.unchanged;
        self.uploads += other.uploads;
        self.upload_bytes += other.upload_bytes;
        self.moves += other.moves;
        self.downloads += other.downloads;
        self.download_bytes += other.download_bytes;
        self.metas += other.metas;
        self.deletes_there += other.deletes_there;
        self.deletes_here += other.deletes_here;
        self.renamed_here += other.renamed_here;
        self.deletes_unvouched += other.deletes_unvouched;
        self.deletes_lapsed += other.deletes_lapsed;
        self.compares += other.compares;
        self.conflicts += other.conflicts;
        self.drift += other.drift;
        self.problems += other.problems;
    }

    /// Whether nothing but bookkeeping is planned.
    pub fn is_quiet(&self) -> bool {
        self.uploads + self.moves + self.downloads + self.metas == 0
            && self.deletes_there + self.deletes_here + self.compares + self.conflicts == 0
    }
}

/// The version of the plan's file form.
pub const PLAN_VERSION: u32 = 1;

/// A line longer than this is none of a plan.
pub const LINE_MAX_BYTES: u64 = 4 << 20;

/// What a configuration calls a pair and its profile, if it has names for them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Said {
    /// The pair's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pair: Option<String>,
    /// The profile's, as `--profile` takes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
}

/// The first line of a saved plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`PLAN_VERSION`].
    pub tidelock_plan: u32,
    /// The pair's name among this user's states: the plan is for no other.
    pub pair: String,
    /// The folder, absolute.
    pub local: String,
    /// The remote's URL.
    pub remote: String,
    /// What the configuration calls the pair and its profile; plans of old do not say.
    #[serde(default)]
    pub said: Said,
    /// The policy it was made under.
    pub policy: Policy,
    /// The rules it was made under, without those of ignore files met on the way.
    pub rules: Rules,
    /// The fingerprint of all of them.
    pub filter: String,
    /// Which generation of the state it was made from.
    pub generation: String,
    /// In whose format metadata is written.
    pub format: MetaFormat,
    /// Whether extended attributes take part.
    pub xattrs: bool,
    /// Whether files are read through links.
    pub follow_links: bool,
}

/// A line between the first and the last: one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepLine {
    /// The step.
    #[serde(flatten)]
    pub step: Step,
    /// Steps of one chain, the first number, are carried out in the order of the
    /// second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<(i64, i64)>,
}

/// The last line of a saved plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footer {
    /// What the steps add up to.
    pub totals: Totals,
    /// BLAKE3 over the lines before this one, so that a cut file is noticed.
    pub digest: Digest,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::{Change, Sameness};

    #[test]
    fn what_is_only_learnt_of_an_entry_leaves_it_unchanged() {
        let row = Row { standing: None, here: Change::Same, there: Change::Same, same: Sameness::Same };
        let path = RelPath::parse("a").expect("valid");
        let step =
            Step { key: Key::new("a"), path, kind: Kind::File, action: Action::Refresh, row, here: None, there: None };
        let mut totals = Totals::default();
        totals.add(&step);
        assert_eq!(totals, Totals { unchanged: 1, ..Totals::default() });
        assert!(totals.is_quiet());
    }
}
