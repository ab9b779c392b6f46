//! Why a whole run cannot go on.
//!
//! Trouble with one path is a `Problem` and never ends a run; what is here does.
//! Each failure knows how the run ends for the caller and what a person can do.

use crate::report::Ending;
use crate::{disk, listing, state};
use tidelock_core::guard::Stop;
use tidelock_remote::ErrorKind;

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The folder is missing, unreadable, or not the one it was.
    #[error("the folder {folder}: {what}")]
    Root {
        /// The folder.
        folder: String,
        /// What is wrong with it and what can be done.
        what: String,
        /// Whether this is a guard's doing.
        stop: bool,
    },
    /// The remote cannot be worked with.
    #[error("{0}")]
    Remote(#[from] tidelock_remote::Error),
    /// The state cannot be worked with.
    #[error("{0}")]
    State(#[from] state::Error),
    /// The plan may not run.
    #[error("{0}")]
    Stop(Stop),
    /// Somebody else mirrors onto this place.
    #[error("{0}")]
    Owned(String),
    /// The place lacks what this flow needs.
    #[error("{0}")]
    Unable(String),
    /// Another run of the pair is going on.
    #[error("{0}")]
    Busy(String),
    /// A saved plan no longer fits what it was made for.
    #[error("{0}")]
    Outdated(String),
    /// A file of Tidelock's own, or a folder to be made, cannot be worked with.
    #[error("{path}: {what}")]
    Place {
        /// The file.
        path: String,
        /// What sort of trouble it is.
        kind: std::io::ErrorKind,
        /// What the system said.
        what: String,
    },
    /// The listing cannot be had whole.
    #[error("the listing of the remote is not complete, so nothing was changed: {0}")]
    Listing(String),
    /// A person interrupted.
    #[error("interrupted; the next run goes on from here")]
    Interrupted,
}

impl Failure {
    /// How the run ends.
    pub fn ending(&self) -> Ending {
        match self {
            Self::Root { stop: true, .. } | Self::Stop(_) | Self::Owned(_) | Self::Outdated(_) => Ending::SafetyStop,
            Self::Root { .. } => Ending::NotFound,
            Self::Unable(_) => Ending::Config,
            Self::Remote(error) => ending_of(&error.kind),
            Self::Busy(_) => Ending::Temporary,
            Self::Place { kind: std::io::ErrorKind::PermissionDenied, .. } => Ending::Denied,
            Self::Place { .. } => Ending::Failed,
            Self::State(error) if error.is_full() => Ending::Temporary,
            Self::State(state::Error::Newer { .. }) => Ending::Config,
            Self::State(_) | Self::Listing(_) => Ending::Failed,
            Self::Interrupted => Ending::Interrupted,
        }
    }
}

impl Failure {
    /// Whether the state is damaged, so that starting over is the remedy.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::State(error) if error.is_corrupt())
    }

    /// What happened and what can be done, for a person.
    pub fn told(&self) -> String {
        let remedy = match self {
            Self::Remote(error) => match (&error.kind, error.op) {
                (ErrorKind::Unreachable, _) => "; check the address, the network and the proxy; nothing was changed",
                (ErrorKind::NoBucket, "open") => "; check the path; a first `tidelock sync` makes a store",
                (ErrorKind::InUse, _) => "; try again when that run has ended",
                (ErrorKind::Full, _) => "; make room there and run again: what was done is on record",
                _ => "",
            },
            Self::State(error) if error.is_full() => "; make room where the state is kept and run again",
            Self::State(state::Error::Newer { .. }) => "; nothing was changed",
            Self::State(error) if error.is_corrupt() => {
                "; run again: the state is built anew by comparing both sides, nothing is deleted or sent again for it"
            }
            Self::Place { .. } => "; check the path and its permissions",
            _ => "",
        };
        format!("{self}{remedy}")
    }
}

/// How a remote's error ends a run.
pub fn ending_of(kind: &ErrorKind) -> Ending {
    match kind {
        ErrorKind::Denied | ErrorKind::Credentials => Ending::Denied,
        ErrorKind::NoBucket | ErrorKind::NotFound => Ending::NotFound,
        ErrorKind::Unreachable
        | ErrorKind::Busy(_)
        | ErrorKind::Transient
        | ErrorKind::InUse
        | ErrorKind::Conflict
        | ErrorKind::OutcomeUnknown
        | ErrorKind::ClockSkew => Ending::Temporary,
        ErrorKind::Config | ErrorKind::Unsupported => Ending::Config,
        ErrorKind::Archived => Ending::Archived,
        _ => Ending::Failed,
    }
}

impl From<listing::Failed> for Failure {
    fn from(failed: listing::Failed) -> Self {
        match failed {
            listing::Failed::Remote(error) => Self::Remote(error),
            listing::Failed::State(error) => Self::State(error),
            listing::Failed::Root(error) => Self::root("to be synced", &error),
            other => Self::Listing(other.to_string()),
        }
    }
}

impl Failure {
    /// The folder cannot be looked at.
    pub fn root(folder: &str, error: &disk::Error) -> Self {
        let what = match error.kind {
            disk::ErrorKind::NotFound => {
                "it does not exist; is a disk not mounted, or the name misspelt? Nothing was changed".to_owned()
            }
            disk::ErrorKind::NotADir => "it is not a folder; nothing was changed".to_owned(),
            _ => format!("it cannot be read: {}; nothing was changed", error.message),
        };
        Self::Root { folder: folder.to_owned(), what, stop: false }
    }
}
