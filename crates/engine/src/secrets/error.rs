//! Why a vault did not give or keep a secret.
//!
//! A kind for the exit code, a message for the person: what is wrong and what to do
//! about it. Messages are made here and in the vaults from names and paths alone,
//! never from what was read.

use super::Vault;
use std::io;
use std::path::Path;

/// What sort of trouble it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The vault is locked, or its key is not to be had.
    Locked,
    /// The vault holds no such secret.
    Missing,
    /// There is no such vault here.
    Absent,
    /// Others may read what only its owner should.
    Exposed,
    /// The vault's content or a setting makes no sense.
    Damaged,
    /// The system refused.
    Io(io::ErrorKind),
    /// Another command is changing the vault.
    Busy,
    /// A person interrupted.
    Interrupted,
}

/// Why a vault did not do as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// The sort of trouble.
    pub kind: ErrorKind,
    /// What is wrong and what can be done.
    pub message: String,
}

/// What a vault gives.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(super) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub(super) fn io(path: &Path, error: &io::Error) -> Self {
        Self::new(ErrorKind::Io(error.kind()), format!("{}: {error}", path.display()))
    }

    pub(super) fn missing(vault: Vault, profile: &str) -> Self {
        let place = match vault {
            Vault::Keyring => "the keyring",
            Vault::File => "the encrypted file",
        };
        let remedy = format!("store it with `tidelock config set-secret {profile}`");
        Self::new(ErrorKind::Missing, format!("{place} holds no secret for the profile {profile:?}; {remedy}"))
    }

    pub(super) fn key_without_file() -> Self {
        let what = "only the encrypted file has a key; leave --key-from out, or give --credentials file";
        Self::new(ErrorKind::Damaged, what)
    }

    pub(super) fn interrupted() -> Self {
        Self::new(ErrorKind::Interrupted, "interrupted")
    }
}
