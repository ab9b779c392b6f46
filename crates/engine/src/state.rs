//! What a pair remembers: one SQLite file.
//!
//! The base rows, the runs of this device, the uploads in flight and the tail of
//! events. Rows are written only from outcomes, after the effect is durable, many
//! in one transaction; nothing here decides anything. Losing the file costs a
//! re-comparison, never data. `state/spool.rs` keeps a plan's rows in the same
//! connection's temporary schema, so that planning can join them with the base.

mod rows;
mod schema;
mod spool;

pub use spool::{Arrived, Spool};

use crate::report::Report;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use tidelock_core::entry::{BaseRow, Standing};
use tidelock_core::path::Key;
use tidelock_remote::beside::is_writable;

/// How many rows a page of the base holds.
const PAGE_ROWS: u32 = 2_000;
/// How many events are kept.
const EVENT_TAIL: i64 = 10_000;

const SET_FACT: &str = "INSERT INTO fact VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";

/// How the names begin under which uploads are on record that have no id yet.
const INTENT: &str = "intent:";
const FORGET_INTENTS: &str = "DELETE FROM upload WHERE key = ?1 AND substr(upload_id, 1, 7) = ?2";

const GENERATION: &str = "generation";

/// What went wrong with the state file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A newer Tidelock has written it.
    #[error(
        "the state was written by a newer Tidelock (schema {found}, this one knows up to {known}); use that version"
    )]
    Newer {
        /// The file's schema version.
        found: i64,
        /// The newest this program knows.
        known: i64,
    },
    /// SQLite said no.
    #[error("state database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A row could not be read back.
    #[error("state database: unreadable row: {0}")]
    Row(String),
}

impl Error {
    /// Whether the file itself is damaged, so that starting over is the remedy.
    pub fn is_corrupt(&self) -> bool {
        match self {
            Self::Newer { .. } => false,
            Self::Row(_)
            | Self::Sqlite(
                rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..),
            ) => true,
            Self::Sqlite(error) => matches!(
                error.sqlite_error_code(),
                Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase)
            ),
        }
    }

    /// Whether the file or its folder may not be written, or not even read.
    pub fn is_denied(&self) -> bool {
        use rusqlite::ErrorCode::{CannotOpen, PermissionDenied, ReadOnly};
        let Self::Sqlite(error) = self else { return false };
        matches!(error.sqlite_error_code(), Some(CannotOpen | PermissionDenied | ReadOnly))
    }

    /// Whether the disk that holds the file is full.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Sqlite(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull))
    }
}

/// What state operations return.
pub type Result<T> = std::result::Result<T, Error>;

/// A change of the base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Write the row.
    Put(Box<BaseRow>),
    /// Drop the row.
    Drop(Key),
    /// Note on the row of the first key that its bytes now live under the second.
    Moved(Key, Key),
    /// Give the row this standing.
    Stand(Key, Standing),
}

/// When a run began, and its place in its history.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunOrder {
    /// When, in milliseconds since 1970.
    pub started_ms: i64,
    /// Its token, where two began at once.
    pub token: String,
    /// Its number in its own history.
    pub id: i64,
}

/// A run that is over, or still going on.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Run {
    /// Its number, ascending.
    pub id: i64,
    /// Its token, part of every attempt id.
    pub token: String,
    /// What was run.
    pub command: String,
    /// When it began, Unix milliseconds.
    pub started_ms: i64,
    /// When it ended, if it did.
    pub ended_ms: Option<i64>,
    /// Its exit code.
    pub exit: Option<i32>,
    /// What came of it, as far as this version can read it.
    pub report: Option<Report>,
}

/// One pair's state.
pub struct State {
    connection: Mutex<Connection>,
    /// Set when a run came upon damage in the file.
    damaged: AtomicBool,
}

impl State {
    /// Opens or creates the file.
    pub fn open(file: &Path) -> Result<Self> {
        Self::prepare(Connection::open(file)?)
    }

    /// Opens an existing file for looking only, and leaves no trace beside it.
    pub fn open_read_only(file: &Path) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
        let connection = Connection::open_with_flags(uri(file), flags)?;
        schema::check_version(&connection)?;
        if schema::is_unfinished(&connection)? {
            return Self::in_memory(None);
        }
        schema::tune(&connection)?;
        schema::open_spool(&connection)?;
        Ok(Self { connection: Mutex::new(connection), damaged: AtomicBool::new(false) })
    }

    /// A state that is forgotten with this value; or, with a name, one that lives
    /// as long as any connection to that name does.
    pub fn in_memory(name: Option<&str>) -> Result<Self> {
        let connection = match name {
            None => Connection::open_in_memory()?,
            Some(name) => Connection::open(format!("file:/{name}?vfs=memdb"))?,
        };
        Self::prepare(connection)
    }

    fn prepare(connection: Connection) -> Result<Self> {
        schema::check_version(&connection)?;
        schema::tune(&connection)?;
        schema::migrate(&connection)?;
        schema::open_spool(&connection)?;
        Ok(Self { connection: Mutex::new(connection), damaged: AtomicBool::new(false) })
    }

    /// Notes that an operation failed because the file is damaged.
    pub fn note_damage(&self) {
        self.damaged.store(true, Ordering::Relaxed);
    }

    /// Whether the file is known to be damaged.
    pub fn is_damaged(&self) -> bool {
        self.damaged.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A panic while holding the lock leaves at most an open transaction, which
        // SQLite rolls back.
        self.connection.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// A named fact about the pair.
    pub fn fact(&self, name: &str) -> Result<Option<String>> {
        let connection = self.lock();
        let mut query = connection.prepare_cached("SELECT value FROM fact WHERE name = ?1")?;
        Ok(query.query_row([name], |row| row.get(0)).optional()?)
    }

    /// Writes a named fact.
    pub fn set_fact(&self, name: &str, value: &str) -> Result<()> {
        self.lock().execute(SET_FACT, [name, value])?;
        Ok(())
    }

    /// The rows after a key, in key order; empty at the end.
    pub fn page(&self, after: Option<&Key>) -> Result<Vec<BaseRow>> {
        let connection = self.lock();
        let sql = format!("SELECT {} FROM base WHERE key > ?1 ORDER BY key LIMIT {PAGE_ROWS}", rows::COLUMNS);
        let mut query = connection.prepare_cached(&sql)?;
        let rows = query.query_map([after.map_or("", Key::as_str)], rows::read)?;
        rows.map(|row| row?).collect()
    }

    /// The row of a key.
    pub fn row(&self, key: &Key) -> Result<Option<BaseRow>> {
        let connection = self.lock();
        let sql = format!("SELECT {} FROM base WHERE key = ?1", rows::COLUMNS);
        let mut query = connection.prepare_cached(&sql)?;
        query.query_row([key.as_str()], rows::read).optional()?.transpose()
    }

    /// Carries out changes of the base in one durable transaction.
    pub fn commit(&self, changes: &[Change]) -> Result<()> {
        self.commit_told(changes, 0, &[])
    }

    /// The same, with what is kept of what happened in a run: a transaction of its own for
    /// each would cost more than all else.
    pub fn commit_told(&self, changes: &[Change], run: i64, events: &[String]) -> Result<()> {
        if changes.is_empty() && events.is_empty() {
            return Ok(());
        }
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        for change in changes {
            rows::apply(&transaction, change)?;
        }
        if !changes.is_empty() {
            grow(&transaction)?;
        }
        for json in events {
            note_event(&transaction, run, json)?;
        }
        tidelock_remote::kill::point("state commit");
        transaction.commit()?;
        Ok(())
    }

    /// Writes facts that say what the rows mean; where that lapses them, every agreed
    /// row proves sameness only from then on. All of it, or nothing.
    pub fn turn(&self, facts: &[(&str, &str)], lapses: bool) -> Result<()> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        for (name, value) in facts {
            transaction.execute(SET_FACT, [name, value])?;
        }
        if lapses {
            transaction.execute("UPDATE base SET standing = 'lapsed' WHERE standing = 'agreed'", [])?;
            grow(&transaction)?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Whether there is any row.
    pub fn has_rows(&self) -> Result<bool> {
        Ok(self.lock().query_row("SELECT EXISTS (SELECT 1 FROM base)", [], |row| row.get(0))?)
    }

    /// How many rows there are.
    pub fn count(&self) -> Result<u64> {
        let count: i64 = self.lock().query_row("SELECT count(*) FROM base", [], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Begins a run; its token is on record, durably, before anything is written
    /// under it.
    pub fn begin_run(&self, token: &str, command: &str, now_ms: i64) -> Result<i64> {
        let connection = self.lock();
        connection.execute(
            "INSERT INTO run (token, command, started_ms) VALUES (?1, ?2, ?3)",
            params![token, command, now_ms],
        )?;
        Ok(connection.last_insert_rowid())
    }

    /// The same, with the first thing that happened in it.
    pub fn begin_run_with(&self, token: &str, command: &str, now_ms: i64, event: &str) -> Result<i64> {
        let connection = self.lock();
        let both = connection.unchecked_transaction()?;
        both.execute(
            "INSERT INTO run (token, command, started_ms) VALUES (?1, ?2, ?3)",
            params![token, command, now_ms],
        )?;
        let id = both.last_insert_rowid();
        both.execute("INSERT INTO event (run, json) VALUES (?1, ?2)", params![id, event])?;
        both.commit()?;
        Ok(id)
    }

    /// Ends a run.
    pub fn end_run(&self, id: i64, now_ms: i64, exit: i32, report: Option<&Report>) -> Result<()> {
        let report = report.and_then(|report| serde_json::to_string(report).ok());
        let sql = "UPDATE run SET ended_ms = ?2, exit = ?3, report = ?4 WHERE id = ?1";
        self.lock().execute(sql, params![id, now_ms, exit, report])?;
        Ok(())
    }

    /// Whether a run of this device had this token.
    pub fn has_run(&self, token: &str) -> Result<bool> {
        let sql = "SELECT 1 FROM run WHERE token = ?1";
        Ok(self.lock().query_row(sql, [token], |_| Ok(())).optional()?.is_some())
    }

    /// When the first run on record began, in milliseconds since 1970.
    pub fn first_run_ms(&self) -> Result<Option<i64>> {
        Ok(self.lock().query_row("SELECT min(started_ms) FROM run", [], |row| row.get(0))?)
    }

    /// How many runs there were.
    pub fn run_count(&self) -> Result<u64> {
        let count: i64 = self.lock().query_row("SELECT count(*) FROM run", [], |row| row.get(0))?;
        Ok(count.cast_unsigned())
    }

    /// The latest runs, newest first, as far as their order tells.
    pub fn run_order(&self, limit: u64) -> Result<Vec<RunOrder>> {
        let connection = self.lock();
        let mut query = connection
            .prepare_cached("SELECT started_ms, token, id FROM run ORDER BY started_ms DESC, token DESC LIMIT ?1")?;
        let order = query.query_map([limit.cast_signed()], |row| {
            Ok(RunOrder { started_ms: row.get(0)?, token: row.get(1)?, id: row.get(2)? })
        })?;
        Ok(order.collect::<std::result::Result<_, _>>()?)
    }

    /// The run that began last.
    pub fn last_run(&self) -> Result<Option<Run>> {
        let last: Option<i64> = self.lock().query_row("SELECT max(id) FROM run", [], |row| row.get(0))?;
        last.map_or(Ok(None), |id| self.run(id))
    }

    /// One run.
    pub fn run(&self, id: i64) -> Result<Option<Run>> {
        let connection = self.lock();
        let mut query = connection
            .prepare_cached("SELECT id, token, command, started_ms, ended_ms, exit, report FROM run WHERE id = ?1")?;
        let run = query.query_row([id], |row| {
            Ok(Run {
                id: row.get(0)?,
                token: row.get(1)?,
                command: row.get(2)?,
                started_ms: row.get(3)?,
                ended_ms: row.get(4)?,
                exit: row.get(5)?,
                report: row.get::<_, Option<String>>(6)?.and_then(|text| serde_json::from_str(&text).ok()),
            })
        });
        Ok(run.optional()?)
    }

    /// Names what the base was last changed to: another after every change of it, and
    /// after nothing else. A state that was lost or put back from a copy does not
    /// repeat itself.
    pub fn generation(&self) -> Result<String> {
        Ok(self.fact(GENERATION)?.unwrap_or_default())
    }

    /// Notes deletions, for the rolling hour.
    pub fn note_deletes(&self, count: u64, now_ms: i64) -> Result<()> {
        let connection = self.lock();
        connection.execute("DELETE FROM deletion WHERE at_ms < ?1", [now_ms - 3_600_000])?;
        if count > 0 {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            connection.execute("INSERT INTO deletion VALUES (?1, ?2)", params![now_ms, count])?;
        }
        Ok(())
    }

    /// How many deletions there were in the hour before `now_ms`.
    pub fn recent_deletes(&self, now_ms: i64) -> Result<u64> {
        let sql = "SELECT coalesce(sum(count), 0) FROM deletion WHERE at_ms >= ?1 AND at_ms <= ?2";
        let count: i64 = self.lock().query_row(sql, [now_ms - 3_600_000, now_ms], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Puts an upload in flight on record, in place of the intent to begin it.
    pub fn note_upload(&self, upload_id: &str, key: &Key) -> Result<()> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        transaction.execute(FORGET_INTENTS, [key.as_str(), INTENT])?;
        transaction.execute("INSERT OR REPLACE INTO upload VALUES (?1, ?2)", [upload_id, key.as_str()])?;
        transaction.commit()?;
        Ok(())
    }

    /// Puts on record that an upload is about to be begun. An older Tidelock takes it for
    /// one that nobody knows any more.
    pub fn note_intent(&self, key: &Key, now_ms: i64) -> Result<()> {
        let name = format!("{INTENT}{now_ms}:{key}");
        self.lock().execute("INSERT OR REPLACE INTO upload VALUES (?1, ?2)", [name.as_str(), key.as_str()])?;
        Ok(())
    }

    /// Takes off the record that uploads of a key were about to be begun.
    pub fn forget_intents(&self, key: &Key) -> Result<()> {
        self.lock().execute(FORGET_INTENTS, [key.as_str(), INTENT])?;
        Ok(())
    }

    /// The uploads that were about to be begun, and when.
    pub fn intents(&self) -> Result<Vec<(Key, i64)>> {
        let all = self.recorded_uploads()?;
        let parse = |(id, key): (String, Key)| {
            let (at_ms, _) = id.strip_prefix(INTENT)?.split_once(':')?;
            Some((key, at_ms.parse().ok()?))
        };
        Ok(all.into_iter().filter_map(parse).collect())
    }

    /// Takes an upload off the record.
    pub fn forget_upload(&self, upload_id: &str) -> Result<()> {
        self.lock().execute("DELETE FROM upload WHERE upload_id = ?1", [upload_id])?;
        Ok(())
    }

    /// The uploads on record: those of earlier runs were abandoned.
    pub fn uploads(&self) -> Result<Vec<(String, Key)>> {
        Ok(self.recorded_uploads()?.into_iter().filter(|(id, _)| !id.starts_with(INTENT)).collect())
    }

    fn recorded_uploads(&self) -> Result<Vec<(String, Key)>> {
        let connection = self.lock();
        let mut query = connection.prepare_cached("SELECT upload_id, key FROM upload")?;
        let rows = query.query_map([], |row| Ok((row.get(0)?, Key::new(row.get::<_, String>(1)?))))?;
        Ok(rows.collect::<std::result::Result<_, _>>()?)
    }

    /// Keeps an event; the oldest fall off the tail.
    pub fn note_event(&self, run: i64, json: &str) -> Result<()> {
        note_event(&self.lock(), run, json)
    }

    /// The events after a number, oldest first, with their numbers.
    pub fn events(&self, after: i64, limit: u32) -> Result<Vec<(i64, String)>> {
        let connection = self.lock();
        let mut query =
            connection.prepare_cached("SELECT seq, json FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2")?;
        let rows = query.query_map(params![after, limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<std::result::Result<_, _>>()?)
    }

    /// What is kept of what happened in a run, oldest first.
    pub fn events_of(&self, run: i64) -> Result<Vec<String>> {
        let connection = self.lock();
        let mut query = connection.prepare_cached("SELECT json FROM event WHERE run = ?1 ORDER BY seq")?;
        let rows = query.query_map([run], |row| row.get(0))?;
        Ok(rows.collect::<std::result::Result<_, _>>()?)
    }

    /// What was kept of a run first: how it began.
    pub fn beginning_of(&self, run: i64) -> Result<Option<String>> {
        let connection = self.lock();
        let mut query = connection.prepare_cached("SELECT json FROM event WHERE run = ?1 ORDER BY seq LIMIT 1")?;
        Ok(query.query_row([run], |row| row.get(0)).optional()?)
    }

    /// Lets the file grow no more, as on a full disk, or again as it likes.
    #[cfg(any(test, feature = "testing"))]
    pub fn set_full(&self, full: bool) -> Result<()> {
        // SQLite takes the size the file has for the least.
        let most = if full { 1 } else { u32::MAX - 1 };
        self.lock().query_row(&format!("PRAGMA max_page_count = {most}"), [], |_| Ok(()))?;
        Ok(())
    }

    /// The plan's rows, emptied for a new plan.
    pub fn spool(&self) -> Result<Spool<'_>> {
        Spool::start(self)
    }
}

fn note_event(connection: &Connection, run: i64, json: &str) -> Result<()> {
    connection.prepare_cached("INSERT INTO event (run, json) VALUES (?1, ?2)")?.execute(params![run, json])?;
    let last = connection.last_insert_rowid();
    if last % 1_000 == 0 {
        connection.execute("DELETE FROM event WHERE seq <= ?1", [last - EVENT_TAIL])?;
    }
    Ok(())
}

/// A number that grows, and the run that made it grow: two states that went different
/// ways never agree on both.
fn grow(connection: &Connection) -> Result<()> {
    let sql = "INSERT INTO fact VALUES (?1, '1 ' || coalesce((SELECT token FROM run ORDER BY id DESC LIMIT 1), ''))
        ON CONFLICT (name) DO UPDATE SET value = (CAST(value AS INTEGER) + 1) || substr(excluded.value, 2)";
    connection.prepare_cached(sql)?.execute([GENERATION])?;
    Ok(())
}

/// The file as SQLite's URIs have it. Where no log lies beside it, nobody is
/// writing, and it is read as it is: SQLite would otherwise leave an empty log.
/// A run that begins meanwhile may make what is read here stale, or unreadable;
/// who only looks can look again.
fn uri(file: &Path) -> String {
    let log = file.with_extension("sqlite-wal");
    let mut uri = "file:".to_owned();
    for byte in file.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => uri.push(char::from(*byte)),
            other => uri.push_str(&format!("%{other:02x}")),
        }
    }
    // Beside a file that may not be written SQLite would leave an index of the log that
    // nobody may write either.
    match log.exists() {
        false => uri.push_str("?immutable=1"),
        true if !is_writable(file) => uri.push_str("?readonly_shm=1"),
        true => {}
    }
    uri
}

#[cfg(test)]
mod tests;
