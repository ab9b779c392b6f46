//! The files that SQLite keeps beside a database.
//!
//! Its log and the log's index are made with the database's own mode. One moment of a
//! read-only database is enough to leave them read-only for ever, and then nobody can
//! write although the database may be written. So a database that may not be written
//! is refused before SQLite sees it, and what an earlier process left in such a
//! moment is mended. Whether a file may be written is asked without opening it: closing
//! it would let go of the locks that this process has on it.

use rustix::fs::{Access, access};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Makes sure that a database can be written, with what lies beside it; otherwise says
/// which file or folder is in the way, and why.
pub fn ready_to_write(database: &Path) -> Result<(), (PathBuf, io::Error)> {
    let may = |path: &Path, how: Access| access(path, how).map_err(|error| (path.to_owned(), io::Error::from(error)));
    may(database, Access::WRITE_OK | Access::READ_OK)?;
    if let Some(folder) = database.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        may(folder, Access::WRITE_OK | Access::EXEC_OK)?;
    }
    for ending in ["-wal", "-shm"] {
        let path = beside(database, ending);
        match may(&path, Access::WRITE_OK | Access::READ_OK) {
            Err((_, error)) if error.kind() == io::ErrorKind::NotFound => {}
            Err(refused) => mend(&path, database).map_err(|_| refused)?,
            Ok(()) => {}
        }
    }
    Ok(())
}

/// Whether a database may be written, as far as its own mode and medium go.
pub fn is_writable(database: &Path) -> bool {
    access(database, Access::WRITE_OK).is_ok()
}

/// A file that belongs to a database: its log, or the index of that.
pub fn beside(database: &Path, ending: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Gives a file the mode of the database it belongs to.
fn mend(path: &Path, database: &Path) -> io::Result<()> {
    fs::set_permissions(path, fs::metadata(database)?.permissions())?;
    access(path, Access::WRITE_OK | Access::READ_OK).map_err(io::Error::from)
}
