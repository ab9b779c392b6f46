//! How a remote says no.
//!
//! An [`Error`] has a kind that tells the caller what can be done about it, the
//! operation, the key, and what the place itself said. Which kinds are worth a
//! retry is answered here; how long to wait is `core/backoff.rs`; what a person
//! is told is the command line's.

use std::fmt;
use std::time::Duration;

/// What the caller may do about an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorKind {
    /// No such object.
    NotFound,
    /// No such bucket, or store.
    NoBucket,
    /// The condition did not hold: somebody else wrote. Look again, plan again.
    Precondition,
    /// A copy was made, and its source was another by then: it may be one of that.
    Raced,
    /// No such upload in parts: it was completed, or given up.
    NoUpload,
    /// Another write to the same key was under way: try the whole thing again.
    Conflict,
    /// The credentials are known but may not do this; the permission is named.
    Denied,
    /// The credentials are missing, unknown, wrong or expired.
    Credentials,
    /// The clock here is too far from the server's.
    ClockSkew,
    /// No connection: name, network, TLS or proxy. Nothing was sent.
    Unreachable,
    /// The place asks for patience, perhaps for a given time.
    Busy(Option<Duration>),
    /// The place failed inside; nothing was changed as far as it tells.
    Transient,
    /// The request went out and no reply came back: it may or may not have been
    /// applied, or may still be. Look before trying again.
    OutcomeUnknown,
    /// The bytes lie in an archive and must be thawed first.
    Archived,
    /// The place does not offer this.
    Unsupported,
    /// Bytes, lengths or checksums do not fit together.
    Corrupt,
    /// No room left there.
    Full,
    /// The place can hold no object of this name.
    Name,
    /// Another process holds it.
    InUse,
    /// A setting is wrong or missing.
    Config,
    /// The source of an upload could not be read.
    Source,
    /// The source of an upload changed while it was read: look at it again.
    SourceMoved,
    /// Anything else.
    Other,
}

impl ErrorKind {
    /// Whether the same request may be sent again without looking first.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Busy(_) | Self::Transient | Self::Unreachable | Self::Conflict)
    }

    /// Whether the whole run is pointless until a person or time changes something.
    pub fn is_fatal(&self) -> bool {
        matches!(
            self,
            Self::NoBucket | Self::Credentials | Self::ClockSkew | Self::Unreachable | Self::InUse | Self::Config
        )
    }
}

/// What went wrong, doing what, to which key.
#[derive(Debug, Clone)]
pub struct Error {
    /// What to do about it.
    pub kind: ErrorKind,
    /// The operation, as in "list", "put", "delete".
    pub op: &'static str,
    /// The key it was about, if any.
    pub key: Option<String>,
    /// What happened, in the place's own words where it had any.
    pub message: String,
}

impl Error {
    /// An error without a key.
    pub fn new(kind: ErrorKind, op: &'static str, message: impl Into<String>) -> Self {
        Self { kind, op, key: None, message: message.into() }
    }

    /// The same, about `key`.
    #[must_use]
    pub fn on(mut self, key: &tidelock_core::path::Key) -> Self {
        self.key = Some(key.as_str().to_owned());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.op)?;
        if let Some(key) = &self.key {
            write!(f, " {key:?}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for Error {}

/// What a remote's operations return.
pub type Result<T> = std::result::Result<T, Error>;
