//! The length of the database's log.
//!
//! SQLite moves the log into the database every [`CHECKPOINT_PAGES`], but begins it
//! anew, cut to [`LIMIT_BYTES`], only when it finds no reader in it, which under
//! steady reading may be never. When it has grown past that, the writer waits a
//! moment for the readers to leave. Nothing is lost if they do not: the log is as
//! durable as the database.

use super::place::DATABASE;
use crate::kill;
use rusqlite::Connection;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Pages of 4 KiB in the log after which they are moved.
pub(super) const CHECKPOINT_PAGES: u32 = 4096;
/// Length from which on the log is to be emptied.
pub(super) const LIMIT_BYTES: u64 = 32 * 1024 * 1024;
/// How long readers are waited for; new ones do not prolong it, for they find all
/// they need in the database.
const PATIENCE: Duration = Duration::from_millis(100);

/// The log of one database.
pub(super) struct Log {
    path: PathBuf,
    /// Length at which to look after it next.
    due_bytes: u64,
}

impl Log {
    pub(super) fn new(root: &Path) -> Self {
        Self { path: root.join(format!("{DATABASE}-wal")), due_bytes: LIMIT_BYTES }
    }

    /// Empties the log if it is too long and can be emptied.
    pub(super) fn tend(&mut self, connection: &Connection) {
        if self.length_bytes() < self.due_bytes {
            return;
        }
        kill::point("empty log");
        let empty = || -> rusqlite::Result<()> {
            connection.busy_timeout(PATIENCE)?;
            // It answers with a row that says how far it came.
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        };
        // A failure leaves a long log, and the next commit to tell of a broken disk.
        let _ = empty();
        let _ = connection.busy_timeout(super::schema::PATIENCE);
        self.due_bytes = LIMIT_BYTES.max(self.length_bytes() + LIMIT_BYTES / 2);
    }

    fn length_bytes(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |found| found.len())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{OpenMode, place, schema};
    use super::*;

    #[test]
    fn a_long_log_is_emptied_once_readers_have_left() {
        let root = tempfile::TempDir::new().unwrap();
        let _place = place::enter(root.path(), OpenMode::Create).unwrap();
        let writer = schema::open(root.path(), OpenMode::Create).unwrap();
        let reader = schema::reader(root.path()).unwrap();
        let mut log = Log::new(root.path());
        let fill = |bytes: u64| {
            let sql = "INSERT INTO small (bytes) VALUES (zeroblob(?1))";
            for _ in 0..bytes / 1_000_000 {
                writer.execute(sql, [1_000_000]).unwrap();
            }
        };
        reader.execute_batch("BEGIN; SELECT * FROM objects;").unwrap();
        fill(LIMIT_BYTES + 2_000_000);
        assert!(log.length_bytes() > LIMIT_BYTES);
        log.tend(&writer);
        assert!(log.length_bytes() > LIMIT_BYTES, "it cannot be, with a reader in it");
        // Not tried again at once, but after half as much more.
        reader.execute_batch("COMMIT; BEGIN; SELECT * FROM objects;").unwrap();
        log.tend(&writer);
        assert!(log.length_bytes() > LIMIT_BYTES);
        fill(LIMIT_BYTES / 2 + 2_000_000);
        drop(reader);
        log.tend(&writer);
        assert_eq!(log.length_bytes(), 0);
    }
}
