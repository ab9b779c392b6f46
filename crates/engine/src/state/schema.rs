//! The shape of the state file, and how it is opened.
//!
//! The schema version is SQLite's `user_version`. A newer one is refused unchanged;
//! older ones are brought forward in one transaction, so that a crash leaves the
//! old or the new. The spool's tables are temporary: they spill to a file of
//! SQLite's own when they outgrow memory, and vanish with the connection.

use super::{Error, Result};
use rusqlite::Connection;

/// The schema this program writes.
const VERSION: i64 = 1;

const CREATE: &str = "
CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE base (
    key TEXT PRIMARY KEY, kind TEXT NOT NULL, standing TEXT NOT NULL,
    l_size INTEGER, l_mtime INTEGER, l_change INTEGER, l_inode INTEGER, l_birth INTEGER, l_racy INTEGER,
    l_mode INTEGER, l_uid INTEGER, l_gid INTEGER, l_xattrs TEXT,
    r_etag TEXT, r_size INTEGER, r_modified INTEGER,
    r_meta INTEGER, r_mtime INTEGER, r_mode INTEGER, r_uid INTEGER, r_gid INTEGER, r_xattrs TEXT,
    digest BLOB, moved_to TEXT
) STRICT, WITHOUT ROWID;
CREATE TABLE run (
    id INTEGER PRIMARY KEY AUTOINCREMENT, token TEXT NOT NULL UNIQUE, command TEXT NOT NULL,
    started_ms INTEGER NOT NULL, ended_ms INTEGER, exit INTEGER, report TEXT
) STRICT;
CREATE TABLE event (seq INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL, json TEXT NOT NULL) STRICT;
CREATE TABLE deletion (at_ms INTEGER NOT NULL, count INTEGER NOT NULL) STRICT;
CREATE TABLE upload (upload_id TEXT PRIMARY KEY, key TEXT NOT NULL) STRICT, WITHOUT ROWID;
";

const CREATE_SPOOL: &str = "
CREATE TEMP TABLE step (
    seq INTEGER PRIMARY KEY, phase INTEGER NOT NULL, key TEXT NOT NULL, is_dir INTEGER NOT NULL,
    arrived INTEGER NOT NULL, inode INTEGER, birth INTEGER, etag TEXT, size INTEGER, chain INTEGER, link INTEGER,
    json TEXT NOT NULL
);
CREATE INDEX temp.step_chain ON step (chain, link) WHERE chain IS NOT NULL;
CREATE TEMP TABLE departed (inode INTEGER, birth INTEGER, key TEXT NOT NULL, PRIMARY KEY (inode, birth)) WITHOUT ROWID;
CREATE TEMP TABLE object (key TEXT PRIMARY KEY, json TEXT NOT NULL) WITHOUT ROWID;
CREATE TEMP TABLE rename (seq INTEGER PRIMARY KEY, source TEXT NOT NULL UNIQUE, json TEXT NOT NULL);
CREATE TEMP TABLE source (key TEXT PRIMARY KEY, moved INTEGER NOT NULL) WITHOUT ROWID;
";

pub(super) fn check_version(connection: &Connection) -> Result<()> {
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > VERSION { Err(Error::Newer { found, known: VERSION }) } else { Ok(()) }
}

/// Whether a run that makes the file has not come to its first transaction yet.
pub(super) fn is_unfinished(connection: &Connection) -> Result<bool> {
    Ok(connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))? == 0)
}

pub(super) fn tune(connection: &Connection) -> Result<()> {
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    connection.set_prepared_statement_cache_capacity(64);
    // A read-only file keeps the journal mode it has.
    if !connection.is_readonly(rusqlite::MAIN_DB)? {
        connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        connection.execute_batch("PRAGMA synchronous = FULL;")?;
    }
    connection.execute_batch("PRAGMA temp_store = FILE; PRAGMA temp.cache_size = -16384;")?;
    Ok(())
}

pub(super) fn migrate(connection: &Connection) -> Result<()> {
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found == 0 {
        connection.execute_batch(&format!("BEGIN IMMEDIATE; {CREATE} PRAGMA user_version = {VERSION}; COMMIT;"))?;
    }
    Ok(())
}

pub(super) fn open_spool(connection: &Connection) -> Result<()> {
    connection.execute_batch(CREATE_SPOOL)?;
    Ok(())
}
