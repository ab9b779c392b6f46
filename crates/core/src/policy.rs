//! What a person wants: independent knobs, and the six presets made of them.
//!
//! A policy says in which direction content flows, whether absence is passed on,
//! and what happens to differences the flow did not cause. It knows nothing of any
//! entry; `decide.rs` applies it.

use serde::{Deserialize, Serialize};

/// In which direction content flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flow {
    /// From the folder to the bucket; the folder is never written.
    Up,
    /// From the bucket to the folder; the bucket is never written.
    Down,
    /// Both ways.
    Both,
}

/// Whether a deletion on one side is passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deletes {
    /// No.
    Keep,
    /// Yes, where the base proves that both sides once had it.
    Propagate,
}

/// What becomes of differences at the destination that the source did not cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Drift {
    /// They stay, and are counted.
    Leave,
    /// The source's state replaces them.
    Overwrite,
}

/// What becomes of an entry that changed on both sides to different bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnConflict {
    /// Nothing is written; it is listed.
    Report,
    /// Both stay, one of them under a conflict name.
    KeepBoth,
    /// The folder's wins.
    Local,
    /// The bucket's wins.
    Remote,
    /// The one with the later modification time wins.
    Newer,
}

/// What proves that two things are the same where no base does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compare {
    /// Equal size and modification time.
    Stamp,
    /// Equal content, by digest or checksum.
    Digest,
}

/// A whole policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Policy {
    /// Direction.
    pub flow: Flow,
    /// Deletions.
    pub deletes: Deletes,
    /// Differences at the destination.
    pub drift: Drift,
    /// Changes on both sides.
    pub conflict: OnConflict,
    /// What proves sameness.
    pub compare: Compare,
}

impl Policy {
    /// Whether this policy may write on the local side.
    pub fn writes_here(&self) -> bool {
        self.flow != Flow::Up
    }

    /// Whether this policy may write on the remote side.
    pub fn writes_there(&self) -> bool {
        self.flow != Flow::Down
    }
}

/// The columns of the decision table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// Upload what is new or changed here; delete nothing.
    Push,
    /// Push, and delete there what was deleted here.
    SyncDelete,
    /// Make the bucket exactly like the folder.
    Mirror,
    /// Bring back what is missing here; leave what differs.
    Restore,
    /// Bring back what is missing or different here.
    RestoreOverwrite,
    /// Pass changes on both ways.
    TwoWay,
}

impl Preset {
    /// All six, in the order of the table's columns.
    pub const ALL: [Self; 6] =
        [Self::Push, Self::SyncDelete, Self::Mirror, Self::Restore, Self::RestoreOverwrite, Self::TwoWay];

    /// The knobs of this preset.
    pub fn policy(self) -> Policy {
        use {Deletes::*, Drift::*, Flow::*, OnConflict::*};
        let (flow, deletes, drift, conflict) = match self {
            Self::Push => (Up, Keep, Leave, Report),
            Self::SyncDelete => (Up, Propagate, Leave, Report),
            Self::Mirror => (Up, Propagate, Overwrite, Report),
            Self::Restore => (Down, Keep, Leave, Report),
            Self::RestoreOverwrite => (Down, Keep, Overwrite, Report),
            Self::TwoWay => (Both, Propagate, Leave, KeepBoth),
        };
        Policy { flow, deletes, drift, conflict, compare: Compare::Digest }
    }

    /// The preset's name, as commands and tables have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::SyncDelete => "sync --delete",
            Self::Mirror => "mirror",
            Self::Restore => "restore",
            Self::RestoreOverwrite => "restore --overwrite",
            Self::TwoWay => "two-way",
        }
    }
}
