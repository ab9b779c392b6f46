//! The database: its tables, how it is made, opened and recognised.
//!
//! It is made under another name and renamed when it is whole and synced, with the
//! program's mark and the schema's version in the file's header, where both can be
//! read without opening it. So a store made by a newer Tidelock is refused before
//! a byte of it changes.

use super::place::{DATABASE, DATABASE_NEW};
use super::{OpenMode, failure, log};
use crate::beside::{beside, is_writable, ready_to_write};
use crate::error::{Error, ErrorKind, Result};
use crate::kill;
use rusqlite::{Connection, OpenFlags};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

/// The schema this program writes.
pub(super) const VERSION: u32 = 1;
/// `TDLK`, in SQLite's field for the purpose.
const APPLICATION_ID: u32 = 0x5444_4c4b;
/// How long another connection's short locks are waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// Before this one, two connections could corrupt a database in WAL mode.
const SQLITE_MIN: i32 = 3_051_003;

/// `objects.id` is new with every write, so that the same id is the same object,
/// metadata and all. Numbers are given out once: an object's, and a body's.
/// 64-bit checksums are stored as the signed number with the same bits.
const TABLES: &str = "
CREATE TABLE objects (
    key TEXT NOT NULL PRIMARY KEY,
    id INTEGER NOT NULL UNIQUE,
    etag TEXT NOT NULL,
    size INTEGER NOT NULL,
    crc64 INTEGER NOT NULL,
    modified_s INTEGER NOT NULL,
    meta TEXT NOT NULL,
    storage_class TEXT
) STRICT, WITHOUT ROWID;
CREATE TABLE bodies (
    id INTEGER PRIMARY KEY,
    size INTEGER NOT NULL,
    digest BLOB NOT NULL,
    refs INTEGER NOT NULL,
    filed INTEGER NOT NULL
) STRICT;
CREATE TABLE small (
    body INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT;
CREATE TABLE extents (
    object INTEGER NOT NULL,
    place INTEGER NOT NULL,
    body INTEGER NOT NULL,
    start INTEGER NOT NULL,
    size INTEGER NOT NULL,
    crc64 INTEGER NOT NULL,
    PRIMARY KEY (object, place)
) STRICT, WITHOUT ROWID;
";

/// Makes the database of a new store, durable under its name but for the folder's
/// own sync.
pub(super) fn create(root: &Path) -> Result<()> {
    let new = root.join(DATABASE_NEW);
    let fail = |error: io::Error| failure::io("open", new.display(), error);
    kill::point("unlink unfinished database");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(fail(error)),
        _ => {}
    }
    kill::point("create database");
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new).map_err(fail)?;
    let make = || -> rusqlite::Result<()> {
        let connection = Connection::open(&new)?;
        // It is nobody's yet: what a crash leaves of it is made again.
        connection.execute_batch("PRAGMA journal_mode = MEMORY;")?;
        kill::point("commit schema");
        connection.execute_batch(&format!(
            "BEGIN; {TABLES} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; COMMIT;"
        ))?;
        connection.close().map_err(|(_, error)| error)
    };
    make().map_err(|error| failure::sql("open", &error))?;
    kill::point("fsync database");
    file.sync_all().map_err(fail)?;
    kill::point("rename database");
    fs::rename(&new, root.join(DATABASE)).map_err(fail)
}

/// Recognises the database by its header alone, and refuses a newer schema.
pub(super) fn check_header(root: &Path) -> Result<()> {
    let path = root.join(DATABASE);
    let mut header = [0_u8; 72];
    let read = File::open(&path).and_then(|mut file| file.read_exact(&mut header));
    match read {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(foreign(root)),
        Err(error) => return Err(failure::io("open", path.display(), error)),
    }
    let word = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    if !header.starts_with(b"SQLite format 3\0") || word(68) != APPLICATION_ID {
        return Err(foreign(root));
    }
    check_version(root, word(60))
}

/// Opens the database of a store, ready to be used.
pub(super) fn open(root: &Path, mode: OpenMode) -> Result<Connection> {
    if rusqlite::version_number() < SQLITE_MIN {
        let message = format!("SQLite {} is too old to be safe; 3.51.3 is needed", rusqlite::version());
        return Err(Error::new(ErrorKind::Config, "open", message));
    }
    let connection = match mode {
        OpenMode::ReadOnly => reader(root),
        OpenMode::Create | OpenMode::ReadWrite => {
            ready_to_write(&root.join(DATABASE)).map_err(|(path, error)| unwritable(&path, error))?;
            writer(root)
        }
    };
    let connection = connection.map_err(|error| failure::sql("open", &error))?;
    // The header may be behind the log, so it is asked once more.
    let version: u32 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(|error| failure::sql("open", &error))?;
    check_version(root, version)?;
    Ok(connection)
}

fn unwritable(path: &Path, error: io::Error) -> Error {
    let error = failure::io("open", path.display(), error);
    let remedy =
        "the store must be writable for this: give it back the permission (chmod u+w), as the user it belongs to";
    Error { message: format!("{}; {remedy}", error.message), ..error }
}

fn writer(root: &Path) -> rusqlite::Result<Connection> {
    kill::point("open database");
    let connection = connect(root)?;
    connection.execute_batch(&format!(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16384;
         PRAGMA wal_autocheckpoint = {}; PRAGMA journal_size_limit = {};",
        log::CHECKPOINT_PAGES,
        log::LIMIT_BYTES
    ))?;
    Ok(connection)
}

/// A connection that only reads. It may still have to write the shared index of
/// the log, which is no content. Where it cannot, as on a read-only medium, and no
/// log lies beside the database, nobody is writing, and the file is read as it is.
/// Beside a database that may not be written nothing is made: SQLite would give it the
/// same mode, and nobody could write after that.
pub(super) fn reader(root: &Path) -> rusqlite::Result<Connection> {
    if !is_writable(&root.join(DATABASE)) {
        return unwriting_reader(root);
    }
    let connection = connect(root)?;
    match read_only(&connection) {
        Ok(()) => Ok(connection),
        Err(error) if is_unwritable(&error) => unwriting_reader(root),
        Err(error) => Err(error),
    }
}

fn unwriting_reader(root: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(uri(root), flags)?;
    connection.busy_timeout(PATIENCE)?;
    read_only(&connection)?;
    Ok(connection)
}

/// Makes a connection refuse to write, and sees whether it can read.
fn read_only(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("PRAGMA query_only = ON;")?;
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
}

fn is_unwritable(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{CannotOpen, PermissionDenied, ReadOnly};
    matches!(error.sqlite_error_code(), Some(CannotOpen | PermissionDenied | ReadOnly))
}

/// The database as a file that nobody changes; where a log lies beside it, as one that
/// others may change.
fn uri(root: &Path) -> String {
    let mut uri = "file:".to_owned();
    for byte in root.join(DATABASE).as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => uri.push(char::from(*byte)),
            other => uri.push_str(&format!("%{other:02x}")),
        }
    }
    let has_log = beside(&root.join(DATABASE), "-wal").exists();
    uri + if has_log { "?readonly_shm=1" } else { "?immutable=1" }
}

fn connect(root: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(root.join(DATABASE), flags)?;
    connection.busy_timeout(PATIENCE)?;
    Ok(connection)
}

fn check_version(root: &Path, found: u32) -> Result<()> {
    if found == VERSION {
        return Ok(());
    }
    let message = format!(
        "the store at {} has schema {found}, this Tidelock knows {VERSION}: use the newer Tidelock that made it",
        root.display()
    );
    Err(Error::new(ErrorKind::Config, "open", message))
}

fn foreign(root: &Path) -> Error {
    let message = format!(
        "{DATABASE} in {} is not a Tidelock store's, or is damaged from its beginning: if there was a store, put its \
         database back from a backup; else give another folder",
        root.display()
    );
    Error::new(ErrorKind::Config, "open", message)
}
