//! What the operating system and SQLite say, in the crate's words.
//!
//! A full disk is told from a broken one, because only the first is cured by
//! making room. Knows error codes, nothing of what was being done.

use super::place::DATABASE;
use crate::error::{Error, ErrorKind};
use rustix::io::Errno;
use std::fmt::Display;
use std::io;
use std::path::Path;

/// What can be done about a database that is damaged or missing. What a backup does not
/// name is removed from `bodies/` when the store is opened.
pub(super) const DAMAGED: &str = "; the store is damaged, and nothing was changed: copy the whole folder aside, then put store.sqlite back from a \
    backup of the store, or give a new folder and sync again; the files in bodies/ still hold bytes, but only the \
    database knows their names";

/// The same error of the database, with where that lies.
pub(super) fn placed(root: &Path, error: Error) -> Error {
    match error.message.strip_prefix(DATABASE) {
        Some(rest) => Error { message: format!("{}{rest}", root.join(DATABASE).display()), ..error },
        None => error,
    }
}

/// An error of the operating system, about `what`.
pub(super) fn io(op: &'static str, what: impl Display, error: impl Into<io::Error>) -> Error {
    let error = error.into();
    let (kind, remedy) = match error.raw_os_error().map(Errno::from_raw_os_error) {
        // FBIG is what a limit on file sizes answers.
        Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => (ErrorKind::Full, ""),
        Some(Errno::ROFS) => (ErrorKind::Denied, "; the disk is mounted for reading only: mount it for writing, too"),
        Some(Errno::ACCESS | Errno::PERM) => (
            ErrorKind::Denied,
            "; this user needs the permission to read the store's folder and what is in it, and to write there to \
             make or change it",
        ),
        Some(Errno::NOTDIR) => {
            (ErrorKind::Config, "; a file stands where a folder is needed: give the store another path")
        }
        _ => (ErrorKind::Other, ""),
    };
    Error::new(kind, op, format!("{what}: {error}{remedy}"))
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
    let remedy = if kind == ErrorKind::Corrupt { DAMAGED } else { "" };
    Error::new(kind, op, format!("{DATABASE}: {error}{remedy}"))
}
