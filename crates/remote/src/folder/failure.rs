//! What the operating system and SQLite say, in the crate's words.
//!
//! A full disk is told from a broken one, because only the first is cured by
//! making room. Knows error codes, nothing of what was being done.

use crate::error::{Error, ErrorKind};
use rustix::io::Errno;
use std::fmt::Display;
use std::io;

/// An error of the operating system, about `what`.
pub(super) fn io(op: &'static str, what: impl Display, error: impl Into<io::Error>) -> Error {
    let error = error.into();
    let kind = match error.raw_os_error().map(Errno::from_raw_os_error) {
        // FBIG is what a limit on file sizes answers.
        Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => ErrorKind::Full,
        Some(Errno::ACCESS | Errno::PERM | Errno::ROFS) => ErrorKind::Denied,
        _ => ErrorKind::Other,
    };
    Error::new(kind, op, format!("{what}: {error}"))
}

/// An error of the database.
pub(super) fn sql(op: &'static str, error: &rusqlite::Error) -> Error {
    use rusqlite::ErrorCode as Code;
    let kind = match error.sqlite_error_code() {
        Some(Code::DiskFull) => ErrorKind::Full,
        Some(Code::DatabaseBusy | Code::DatabaseLocked) => ErrorKind::Transient,
        Some(Code::PermissionDenied | Code::ReadOnly | Code::AuthorizationForStatementDenied) => ErrorKind::Denied,
        Some(Code::DatabaseCorrupt | Code::NotADatabase) => ErrorKind::Corrupt,
        _ => ErrorKind::Other,
    };
    Error::new(kind, op, format!("store.sqlite: {error}"))
}
