//! Planted bugs: is the net tight?
//!
//! The simulation must find each of these mistakes when a test switches it on. In
//! a build without the `testing` feature [`Planted::has`] is the constant `false`
//! and every switch disappears. Nothing but tests may plant anything.

/// A mistake that a test can switch on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Bug {
    /// A new file's bytes are not made durable before it is installed.
    SkipFsyncFile,
    /// A folder's names are not made durable before the row is written.
    SkipFsyncDir,
    /// What is replaced is not looked at.
    RenameWithoutExpect,
    /// What is replaced or deleted is unlinked.
    UnlinkInsteadOfTrash,
    /// Start-up unlinks every temporary file.
    StartupUnlinksTemps,
    /// The change time does not count.
    CtimeIgnored,
    /// A write over an object goes out as if nothing else could be there.
    DropIfMatch,
    /// A new object goes out as if nothing could be there.
    DropIfNoneMatch,
    /// A listing that broke off counts as whole.
    PartialListComplete,
    /// The row is written before the effect.
    CommitBeforeEffect,
    /// A write whose reply was lost counts as done.
    RetryWithoutHead,
    /// The same identity is proof enough of a rename.
    InodeOnlyRename,
    /// Modification times are compared in seconds, change times not at all.
    MtimeSeconds,
    /// A move deletes the old object before the new one is there.
    DeleteOldBeforeNew,
    /// What a batch deletion says of single keys is not read.
    PerKeyDeleteErrorsIgnored,
    /// A body that ended early counts as whole.
    ShortBodyAccepted,
    /// Any ETag is taken for an MD5.
    EtagAsMd5,
    /// The guard lets everything pass.
    GuardSkipped,
    /// The root is not checked.
    RootCheckSkipped,
    /// Conflict copies overwrite the loser instead of keeping it.
    ConflictLoserDropped,
    /// Temporary files take part.
    TempSynced,
    /// A file that moved while it was read is recorded all the same.
    NoDoubleFstat,
    /// What could not be read counts as deleted.
    HolesIgnored,
    /// A pruned row's absence is read as a deletion.
    PrunedIsDeleted,
    /// A lapsed row's absence is read as a deletion.
    LapsedIsAgreed,
    /// Deletions here are not preceded by a look there.
    NoHeadBeforeDeleteHere,
}

impl Bug {
    /// Every one.
    pub const ALL: [Self; 26] = [
        Self::SkipFsyncFile,
        Self::SkipFsyncDir,
        Self::RenameWithoutExpect,
        Self::UnlinkInsteadOfTrash,
        Self::StartupUnlinksTemps,
        Self::CtimeIgnored,
        Self::DropIfMatch,
        Self::DropIfNoneMatch,
        Self::PartialListComplete,
        Self::CommitBeforeEffect,
        Self::RetryWithoutHead,
        Self::InodeOnlyRename,
        Self::MtimeSeconds,
        Self::DeleteOldBeforeNew,
        Self::PerKeyDeleteErrorsIgnored,
        Self::ShortBodyAccepted,
        Self::EtagAsMd5,
        Self::GuardSkipped,
        Self::RootCheckSkipped,
        Self::ConflictLoserDropped,
        Self::TempSynced,
        Self::NoDoubleFstat,
        Self::HolesIgnored,
        Self::PrunedIsDeleted,
        Self::LapsedIsAgreed,
        Self::NoHeadBeforeDeleteHere,
    ];
}

/// The bugs that are switched on: none, outside of tests.
#[cfg(any(test, feature = "testing"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Planted(u64);

/// The bugs that are switched on: none, outside of tests.
#[cfg(not(any(test, feature = "testing")))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Planted;

#[cfg(any(test, feature = "testing"))]
impl Planted {
    /// This bug too.
    #[must_use]
    pub fn with(self, bug: Bug) -> Self {
        Self(self.0 | 1 << bug as u8)
    }

    /// Whether a bug is switched on.
    pub fn has(self, bug: Bug) -> bool {
        self.0 & 1 << bug as u8 != 0
    }
}

#[cfg(not(any(test, feature = "testing")))]
impl Planted {
    /// Whether a bug is switched on: never.
    #[inline(always)]
    pub fn has(self, _bug: Bug) -> bool {
        false
    }
}
