//! Bugs on purpose.
//!
//! A simulation that finds nothing proves something only if it would have found
//! something. Each [`Bug`] is a mistake that someone made once; tests switch it on
//! and demand that the simulation notices. [`Planted`] is carried by value through
//! the engine; without the `testing` feature it is empty, holds no bug and costs
//! nothing.

/// A mistake that can be switched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Bug {
    /// A downloaded file is not synced before it is installed.
    SkipFsyncFile,
    /// Folders are not synced before rows are recorded.
    SkipFsyncDir,
    /// A file is replaced without looking at what is replaced.
    RenameWithoutExpect,
    /// What is replaced or deleted is removed for good.
    UnlinkInsteadOfTrash,
    /// Leftovers of an earlier life are removed unseen.
    StartupUnlinksTemps,
    /// The status change time is not compared.
    CtimeIgnored,
    /// Overwriting there carries no condition.
    DropIfMatch,
    /// Creating there carries no condition.
    DropIfNoneMatch,
    /// A listing that broke off is taken for the whole.
    PartialListComplete,
    /// The row is recorded before the effect.
    CommitBeforeEffect,
    /// A request whose reply was lost is sent again without looking.
    RetryWithoutHead,
    /// A rename is believed because of the inode number alone.
    InodeOnlyRename,
    /// Modification times are compared in seconds.
    MtimeSeconds,
    /// A moved object's old key is deleted before the new one is confirmed.
    DeleteOldBeforeNew,
    /// A batch deletion's reply is not read key by key.
    PerKeyDeleteErrorsIgnored,
    /// A body that ends early is taken for the whole.
    ShortBodyAccepted,
    /// An entity tag is taken for an MD5.
    EtagAsMd5,
    /// The guard is not asked.
    GuardSkipped,
    /// The root's identity is not checked.
    RootCheckSkipped,
    /// Conflict names are drawn at random.
    ConflictNameRandom,
    /// Tidelock's own temporary files are synced.
    TempSynced,
    /// A file is not looked at again after it was read.
    NoDoubleFstat,
    /// Folders that could not be read are taken for empty.
    HolesIgnored,
}

impl Bug {
    /// All of them, for tests that want each to be found.
    pub const ALL: [Bug; 23] = [
        Bug::SkipFsyncFile,
        Bug::SkipFsyncDir,
        Bug::RenameWithoutExpect,
        Bug::UnlinkInsteadOfTrash,
        Bug::StartupUnlinksTemps,
        Bug::CtimeIgnored,
        Bug::DropIfMatch,
        Bug::DropIfNoneMatch,
        Bug::PartialListComplete,
        Bug::CommitBeforeEffect,
        Bug::RetryWithoutHead,
        Bug::InodeOnlyRename,
        Bug::MtimeSeconds,
        Bug::DeleteOldBeforeNew,
        Bug::PerKeyDeleteErrorsIgnored,
        Bug::ShortBodyAccepted,
        Bug::EtagAsMd5,
        Bug::GuardSkipped,
        Bug::RootCheckSkipped,
        Bug::ConflictNameRandom,
        Bug::TempSynced,
        Bug::NoDoubleFstat,
        Bug::HolesIgnored,
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
