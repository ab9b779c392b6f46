//! Why a whole run cannot go on.
//!
//! Trouble with one path is a `Problem` and never ends a run; what is here does.
//! Each failure knows how the run ends for the caller and what a person can do.

use crate::report::Ending;
use crate::{disk, listing, secrets, state};
use std::io;
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
        kind: io::ErrorKind,
        /// What the system said.
        what: String,
    },
    /// The listing cannot be had whole.
    #[error("the listing of the remote is not complete, so it was not acted upon: {0}")]
    Listing(String),
    /// A secret cannot be had or kept.
    #[error("{0}")]
    Secret(#[from] secrets::Error),
    /// What was asked for would harm something that may be wanted.
    #[error("{0}")]
    Refused(String),
    /// What was asked for cannot be, whatever there is.
    #[error("{0}")]
    Misused(String),
    /// What was named is not there.
    #[error("{0}")]
    Missing(String),
    /// A person interrupted.
    #[error("interrupted; the next run goes on from here")]
    Interrupted,
}

impl Failure {
    /// How the run ends.
    pub fn ending(&self) -> Ending {
        match self {
            Self::Root { stop: true, .. } | Self::Stop(_) | Self::Owned(_) | Self::Outdated(_) | Self::Refused(_) => {
                Ending::SafetyStop
            }
            Self::Root { .. } | Self::Missing(_) => Ending::NotFound,
            Self::Unable(_) => Ending::Config,
            Self::Misused(_) => Ending::Usage,
            Self::Remote(error) => ending_of(&error.kind),
            Self::Busy(_) => Ending::Temporary,
            Self::Place { kind, .. } => ending_of_io(*kind),
            Self::State(error) if error.is_full() => Ending::Temporary,
            Self::State(error) if error.is_denied() => Ending::Denied,
            Self::State(state::Error::Newer { .. }) => Ending::Config,
            Self::State(_) | Self::Listing(_) => Ending::Failed,
            Self::Secret(error) => ending_of_secret(error.kind),
            Self::Interrupted => Ending::Interrupted,
        }
    }
}

/// How a vault's error ends a run.
fn ending_of_secret(kind: secrets::ErrorKind) -> Ending {
    match kind {
        secrets::ErrorKind::Damaged => Ending::Config,
        secrets::ErrorKind::Busy => Ending::Temporary,
        secrets::ErrorKind::Io(kind) => ending_of_io(kind),
        secrets::ErrorKind::Interrupted => Ending::Interrupted,
        _ => Ending::Denied,
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
            Self::Remote(error) => remedy_for(error),
            Self::State(error) if error.is_full() => "; make room where the state is kept and run again",
            Self::State(state::Error::Newer { .. }) => "; nothing was changed",
            Self::State(error) if error.is_denied() => {
                "; check the permissions of the state's folder ($XDG_STATE_HOME/tidelock) and of the files in it"
            }
            Self::State(error) if error.is_corrupt() => {
                "; run again: the state is built anew by comparing both sides, nothing is deleted or sent again for it"
            }
            Self::Place { kind, .. } if is_full(*kind) => "; make room there and run again",
            Self::Place { kind: io::ErrorKind::NotFound, .. } => "; check the path",
            Self::Place { .. } => "; check the path and its permissions",
            _ => "",
        };
        format!("{self}{remedy}")
    }
}

/// What can be done about a remote's error that does not say so itself.
pub fn remedy_for(error: &tidelock_remote::Error) -> &'static str {
    match error.kind {
        ErrorKind::Unreachable => "; check the address, the network and the proxy",
        ErrorKind::InUse => "; try again when that run has ended",
        ErrorKind::Full => "; make room there and run again",
        ErrorKind::Name => "; the service takes no object of this name: rename the file, or leave it out (--exclude)",
        ErrorKind::Busy(_) => "; the service asks for patience: run again later",
        ErrorKind::Transient => "; the service, or the network on the way to it, is out of order: run again later",
        ErrorKind::OutcomeUnknown => "; run again: the next run looks first whether it was done",
        _ => "",
    }
}

fn is_full(kind: io::ErrorKind) -> bool {
    // A limit on file sizes is cured like a full disk.
    matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}

/// How an error of the operating system ends a run.
fn ending_of_io(kind: io::ErrorKind) -> Ending {
    match kind {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Ending::Denied,
        kind if is_full(kind) => Ending::Temporary,
        _ => Ending::Failed,
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
            listing::Failed::Interrupted => Self::Interrupted,
            listing::Failed::Root(error) => Self::root("to be synced", &error),
            listing::Failed::Ignore(error) => Self::ignore_file(&error),
            other => Self::Listing(other.to_string()),
        }
    }
}

impl Failure {
    /// An ignore file cannot be read, and nobody can tell what takes part.
    pub fn ignore_file(error: &disk::Error) -> Self {
        let kind = match error.kind {
            disk::ErrorKind::Denied => std::io::ErrorKind::PermissionDenied,
            _ => std::io::ErrorKind::Other,
        };
        let what = format!("the ignore file cannot be read, so what it excludes is not known: {}", error.message);
        Self::Place { path: error.path.clone(), kind, what }
    }

    /// The folder cannot be looked at.
    pub fn root(folder: &str, error: &disk::Error) -> Self {
        let kind = match error.kind {
            disk::ErrorKind::NotFound => {
                return Self::not_there(folder, "it does not exist; is a disk not mounted, or the name misspelt?");
            }
            disk::ErrorKind::NotADir => return Self::not_there(folder, "it is not a folder"),
            disk::ErrorKind::Denied => io::ErrorKind::PermissionDenied,
            disk::ErrorKind::ReadOnly => io::ErrorKind::ReadOnlyFilesystem,
            disk::ErrorKind::NoSpace => io::ErrorKind::StorageFull,
            _ => io::ErrorKind::Other,
        };
        let what = format!("{} {:?}: {}", error.op, error.path, error.message);
        Self::Place { path: format!("the folder {folder}"), kind, what }
    }

    fn not_there(folder: &str, what: &str) -> Self {
        Self::Root { folder: folder.to_owned(), what: what.to_owned(), stop: false }
    }

    /// The same, where nothing was begun yet.
    #[must_use]
    pub fn untouched(self) -> Self {
        match self {
            Self::Root { folder, what, stop } => {
                Self::Root { folder, what: format!("{what} (nothing was changed)"), stop }
            }
            other => other,
        }
    }
}
