//! A plan's rows, between planning and carrying out.
//!
//! Steps go in in key order and come out by phase, as often as asked; SQLite keeps
//! them in memory until they outgrow it, then in a temporary file. The joins
//! are made here because only here both sides of them are: departed with arrived files,
//! wanted objects with rows that hold their bytes or lose them, and chains of moves. Which of
//! the pairs count is decided in `core/moves.rs`.

mod renames;

use super::{Error, Result, State, rows};
use rusqlite::{OptionalExtension, params};
use std::collections::VecDeque;
use tidelock_core::entry::{BaseRow, Digest, FileId};
use tidelock_core::names::Kind;
use tidelock_core::path::{Key, RelPath};
use tidelock_core::plan::{Action, Phase, Step, StepLine};

/// Objects up to this size are sent in one request, so that a copy keeps their ETag; that
/// of an upload in parts changes.
const COPIED_WHOLE_BYTES: u64 = 8 << 20;

/// The plan's rows of one state.
pub struct Spool<'a> {
    state: &'a State,
}

/// The steps of one phase, in key order, a page of them in memory at a time.
pub struct Steps<'a> {
    spool: &'a Spool<'a>,
    phase: Phase,
    after: i64,
    page: VecDeque<Step>,
}

impl Steps<'_> {
    /// The next step.
    pub fn next(&mut self) -> Result<Option<Step>> {
        if self.page.is_empty() {
            self.page = self.next_page()?.into();
        }
        Ok(self.page.pop_front())
    }

    /// As many of the next steps as are worth a batch; none at the end.
    pub fn next_page(&mut self) -> Result<Vec<Step>> {
        Ok(self.next_rows()?.into_iter().map(|(_, step)| step).collect())
    }

    fn next_rows(&mut self) -> Result<Vec<(i64, Step)>> {
        let page = self.spool.select(
            "SELECT seq, json FROM temp.step WHERE phase = ?1 AND seq > ?2 AND chain IS NULL ORDER BY seq LIMIT 1000",
            params![phase_number(self.phase), self.after],
        )?;
        self.after = page.last().map_or(self.after, |(seq, _)| *seq);
        Ok(page)
    }
}

/// A step whose file departed from another key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    /// The step's place in the spool.
    pub seq: i64,
    /// The step.
    pub step: Step,
    /// The row the file departed from.
    pub from: BaseRow,
}

impl<'a> Spool<'a> {
    pub(super) fn start(state: &'a State) -> Result<Self> {
        for table in ["step", "departed", "object", "rename", "source"] {
            state.lock().execute_batch(&format!("DELETE FROM temp.{table}"))?;
        }
        Ok(Self { state })
    }

    /// Groups what follows into one transaction of the temporary schema, which
    /// makes filling the spool cheap. Ends with [`Spool::filled`].
    pub fn fill(&self) -> Result<()> {
        self.state.lock().execute_batch("BEGIN")?;
        Ok(())
    }

    /// Ends [`Spool::fill`].
    pub fn filled(&self) -> Result<()> {
        self.state.lock().execute_batch("COMMIT")?;
        Ok(())
    }

    /// Appends a step. `arrived` says that another file than the agreed one is at
    /// its path, which may have come there by a rename.
    pub fn push(&self, step: &Step, arrived: bool) -> Result<()> {
        let id = step.here.as_ref().filter(|_| step.kind == Kind::File).map(|here| here.stamp.file_id);
        let wanted = (step.action == Action::Download).then_some(step.there.as_ref()).flatten();
        let sql = "INSERT INTO temp.step (phase, key, is_dir, arrived, inode, birth, etag, size, json) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        self.state.lock().prepare_cached(sql)?.execute(params![
            phase_number(step.action.phase()),
            step.key.as_str(),
            step.kind == Kind::Dir,
            arrived,
            id.map(|id| id.inode.cast_signed()),
            id.map(|id| id.birth_ns),
            wanted.map(|there| there.stamp.etag.as_str()),
            wanted.map(|there| there.stamp.size.cast_signed()),
            to_json(step)?,
        ])?;
        Ok(())
    }

    /// Puts other steps in the place of some of a phase, in key order, chains left out.
    pub fn rewrite(&self, phase: Phase, mut change: impl FnMut(&Step) -> Result<Option<Step>>) -> Result<()> {
        let mut steps = self.phase(phase);
        loop {
            let page = steps.next_rows()?;
            if page.is_empty() {
                return Ok(());
            }
            for (seq, step) in page {
                if let Some(other) = change(&step)? {
                    self.replace(seq, &other, None)?;
                }
            }
        }
    }

    /// Puts another step in the place of one.
    pub fn replace(&self, seq: i64, step: &Step, chain: Option<(i64, i64)>) -> Result<()> {
        let sql = "UPDATE temp.step SET phase = ?2, json = ?3, chain = ?4, link = ?5 WHERE seq = ?1";
        self.state.lock().prepare_cached(sql)?.execute(params![
            seq,
            phase_number(step.action.phase()),
            to_json(step)?,
            chain.map(|(chain, _)| chain),
            chain.map(|(_, link)| link),
        ])?;
        Ok(())
    }

    /// Notes a base row whose file is no longer at its key.
    pub fn depart(&self, id: FileId, key: &Key) -> Result<()> {
        // Two names of one file would be a guess: the first in key order stands.
        let sql = "INSERT OR IGNORE INTO temp.departed VALUES (?1, ?2, ?3)";
        self.state.lock().prepare_cached(sql)?.execute(params![id.inode.cast_signed(), id.birth_ns, key.as_str()])?;
        Ok(())
    }

    /// Steps whose file has departed from elsewhere, in key order, one per file.
    pub fn arrived(&self, after_seq: i64) -> Result<Vec<Arrived>> {
        let found: Vec<(i64, String, String)> = {
            let connection = self.state.lock();
            let mut query = connection.prepare_cached(
                // The steps come as they lie: CROSS keeps them the outer side.
                "SELECT s.seq, s.json, d.key FROM temp.step s \
                 CROSS JOIN temp.departed d ON d.inode = s.inode AND d.birth = s.birth \
                 WHERE s.seq > ?1 AND s.arrived = 1 AND NOT EXISTS (SELECT 1 FROM temp.step o \
                   WHERE o.inode = s.inode AND o.birth = s.birth AND o.arrived = 1 AND o.seq < s.seq) \
                 ORDER BY s.seq LIMIT 1000",
            )?;
            let rows = query.query_map([after_seq], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            rows.collect::<std::result::Result<_, _>>()?
        };
        let mut arrived = Vec::with_capacity(found.len());
        for (seq, json, from) in found {
            if let Some(from) = self.state.row(&Key::new(from))? {
                arrived.push(Arrived { seq, step: from_json(&json)?, from });
            }
        }
        Ok(arrived)
    }

    /// How many files departed.
    pub fn departed_count(&self) -> Result<i64> {
        Ok(self.state.lock().query_row("SELECT count(*) FROM temp.departed", [], |row| row.get(0))?)
    }

    /// The step of a key, if it has one.
    pub fn find(&self, key: &Key) -> Result<Option<(i64, Step)>> {
        let found: Option<(i64, String)> = {
            let connection = self.state.lock();
            let mut query = connection.prepare_cached("SELECT seq, json FROM temp.step WHERE key = ?1")?;
            query.query_row([key.as_str()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?
        };
        found.map(|(seq, json)| Ok((seq, from_json(&json)?))).transpose()
    }

    /// The step of another name than `key` under which the file with this identity is
    /// now, if something is to be done about that.
    pub fn elsewhere(&self, id: FileId, key: &Key) -> Result<Option<Step>> {
        let sql = "SELECT seq, json FROM temp.step WHERE inode = ?1 AND birth = ?2 AND key <> ?3 LIMIT 1";
        let found = self.select(sql, params![id.inode.cast_signed(), id.birth_ns, key.as_str()])?;
        Ok(found.into_iter().next().map(|(_, step)| step))
    }

    /// Makes finding steps by key, and files by identity, fast.
    pub fn index(&self) -> Result<()> {
        self.state.lock().execute_batch(
            "CREATE INDEX IF NOT EXISTS temp.step_key ON step (key); \
             CREATE INDEX IF NOT EXISTS temp.step_file ON step (inode, birth);",
        )?;
        Ok(())
    }

    /// Rows of the base that hold the bytes of the object of this ETag and size: still,
    /// for this run may have brought them others since.
    pub fn holders(&self, etag: &str, size: u64) -> Result<Vec<BaseRow>> {
        let connection = self.state.lock();
        let columns = rows::COLUMNS.split(", ").map(|name| format!("b.{name}")).collect::<Vec<_>>().join(", ");
        let sql = format!(
            "SELECT {columns} FROM temp.holder h JOIN base b ON b.key = h.key \
             WHERE h.etag = ?1 AND h.size = ?2 AND b.r_etag = h.etag AND b.r_size = h.size LIMIT 4"
        );
        let mut query = connection.prepare_cached(&sql)?;
        let found = query.query_map(params![etag, size.cast_signed()], rows::read)?;
        found.map(|row| row?).collect()
    }

    /// Notes where a file went that this plan replaced and whose bytes another step
    /// wants; nothing if none does.
    pub fn bury(&self, etag: &str, size: u64, digest: &Digest, path: &RelPath) -> Result<()> {
        let sql = "INSERT INTO temp.buried SELECT ?1, ?2, ?3, ?4 \
             WHERE EXISTS (SELECT 1 FROM temp.holder h WHERE h.etag = ?1 AND h.size = ?2)";
        let connection = self.state.lock();
        connection.prepare_cached(sql)?.execute(params![etag, size.cast_signed(), digest.0, path.as_str()])?;
        Ok(())
    }

    /// Where the bytes of the object of this ETag and size went, if this plan replaced
    /// the file that held them.
    pub fn buried(&self, etag: &str, size: u64) -> Result<Option<(RelPath, Digest)>> {
        let connection = self.state.lock();
        let sql = "SELECT path, digest FROM temp.buried WHERE etag = ?1 AND size = ?2 LIMIT 1";
        let found = connection
            .prepare_cached(sql)?
            .query_row(params![etag, size.cast_signed()], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))
            .optional()?;
        Ok(found.and_then(|(path, digest)| Some((RelPath::parse(&path).ok()?, Digest(digest)))))
    }

    /// Rows of the base that had an object of this size, where that may be the same
    /// object under an ETag that a copy has changed.
    pub fn look_alikes(&self, size: u64) -> Result<Vec<BaseRow>> {
        if size <= COPIED_WHOLE_BYTES {
            return Ok(Vec::new());
        }
        let connection = self.state.lock();
        let columns = rows::COLUMNS.split(", ").map(|name| format!("b.{name}")).collect::<Vec<_>>().join(", ");
        let sql = format!(
            "SELECT {columns} FROM temp.holder h JOIN base b ON b.key = h.key \
             WHERE h.size = ?1 AND b.r_size = h.size AND b.digest IS NOT NULL LIMIT 16"
        );
        let mut query = connection.prepare_cached(&sql)?;
        let found = query.query_map([size.cast_signed()], rows::read)?;
        found.map(|row| row?).collect()
    }

    /// Finds, in one pass over the base, the rows that hold bytes which downloads
    /// want. To be called once, before [`Spool::holders`].
    pub fn find_holders(&self) -> Result<()> {
        self.state.lock().execute_batch(&format!(
            "DROP TABLE IF EXISTS temp.holder; DROP TABLE IF EXISTS temp.buried; \
             CREATE TEMP TABLE buried (etag TEXT, size INTEGER, digest BLOB, path TEXT); \
             CREATE INDEX temp.buried_object ON buried (etag, size); \
             CREATE TEMP TABLE holder (etag TEXT, size INTEGER, key TEXT); \
             CREATE INDEX IF NOT EXISTS temp.step_object ON step (etag, size) WHERE etag IS NOT NULL; \
             INSERT INTO temp.holder SELECT b.r_etag, b.r_size, b.key FROM base b WHERE b.l_size > 0 \
               AND EXISTS (SELECT 1 FROM temp.step s WHERE s.etag = b.r_etag AND s.size = b.r_size AND s.etag IS NOT NULL); \
             CREATE INDEX IF NOT EXISTS temp.step_size ON step (size) WHERE etag IS NOT NULL; \
             INSERT INTO temp.holder SELECT b.r_etag, b.r_size, b.key FROM base b WHERE b.r_size > {COPIED_WHOLE_BYTES} \
               AND EXISTS (SELECT 1 FROM temp.step s WHERE s.size = b.r_size AND s.etag IS NOT NULL AND s.etag <> b.r_etag); \
             CREATE INDEX temp.holder_object ON holder (etag, size); \
             CREATE INDEX temp.holder_size ON holder (size);",
        ))?;
        Ok(())
    }

    /// How many of the planned deletions here take files away whose bytes, by the ETag
    /// and size of what was agreed, this plan brings under other keys. Each object that
    /// comes stands for one that goes.
    pub fn renamed_here(&self) -> Result<u64> {
        let sql = "SELECT coalesce(sum(min(gone.n, come.n)), 0) FROM \
             (SELECT b.r_etag AS etag, b.r_size AS size, count(*) AS n FROM temp.step s JOIN base b ON b.key = s.key \
              WHERE s.phase = 2 AND json_extract(s.json, '$.action') = 'delete-here' GROUP BY 1, 2) gone \
             JOIN (SELECT etag, size, count(*) AS n FROM temp.step WHERE etag IS NOT NULL GROUP BY 1, 2) come \
             ON come.etag = gone.etag AND come.size = gone.size";
        let count: i64 = self.state.lock().query_row(sql, [], |row| row.get(0))?;
        Ok(count.cast_unsigned())
    }

    /// The steps of a phase, those in chains left out.
    pub fn phase(&self, phase: Phase) -> Steps<'_> {
        Steps { spool: self, phase, after: 0, page: VecDeque::new() }
    }

    /// Folders of a phase before a place, deepest first: descending key order.
    pub fn folders_descending(&self, phase: Phase, before_seq: i64) -> Result<Vec<(i64, Step)>> {
        self.select(
            "SELECT seq, json FROM temp.step WHERE phase = ?1 AND seq < ?2 AND is_dir = 1 ORDER BY seq DESC LIMIT 1000",
            params![phase_number(phase), before_seq],
        )
    }

    /// The steps of one chain, in order; empty after the last chain.
    pub fn chain(&self, chain: i64) -> Result<Vec<(i64, Step)>> {
        self.select("SELECT seq, json FROM temp.step WHERE chain = ?1 ORDER BY link", params![chain])
    }

    /// Every step, in key order, after a place.
    pub fn all(&self, after_seq: i64) -> Result<Vec<(i64, Step)>> {
        self.select("SELECT seq, json FROM temp.step WHERE seq > ?1 ORDER BY seq LIMIT 1000", params![after_seq])
    }

    /// Every step after a place with its place in a chain, if it has one, as a
    /// saved plan holds them.
    pub fn lines(&self, after_seq: i64) -> Result<Vec<(i64, StepLine)>> {
        let connection = self.state.lock();
        let sql = "SELECT seq, json, chain, link FROM temp.step WHERE seq > ?1 ORDER BY seq LIMIT 1000";
        let mut query = connection.prepare_cached(sql)?;
        let rows = query.query_map(params![after_seq], |row| {
            let chain: Option<i64> = row.get(2)?;
            let link: Option<i64> = row.get(3)?;
            Ok((row.get(0)?, row.get::<_, String>(1)?, chain.zip(link)))
        })?;
        rows.map(|row| {
            let (seq, json, chain) = row?;
            Ok((seq, StepLine { step: from_json(&json)?, chain }))
        })
        .collect()
    }

    /// Takes in a step of a saved plan.
    pub fn load(&self, line: &StepLine) -> Result<()> {
        self.push(&line.step, false)?;
        let Some(chain) = line.chain else { return Ok(()) };
        let seq = self.state.lock().last_insert_rowid();
        self.replace(seq, &line.step, Some(chain))
    }

    fn select(&self, sql: &str, params: impl rusqlite::Params) -> Result<Vec<(i64, Step)>> {
        let connection = self.state.lock();
        let mut query = connection.prepare_cached(sql)?;
        let rows = query.query_map(params, |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
        rows.map(|row| row.map_err(Error::from).and_then(|(seq, json)| Ok((seq, from_json(&json)?)))).collect()
    }

    /// Keeps an object of a listing that does not come in order; whether it is new.
    pub fn keep_object(&self, key: &Key, json: &str) -> Result<bool> {
        let sql = "INSERT OR IGNORE INTO temp.object VALUES (?1, ?2)";
        Ok(self.state.lock().prepare_cached(sql)?.execute([key.as_str(), json])? > 0)
    }

    /// The kept objects after a key, in order.
    pub fn kept_objects(&self, after: Option<&str>) -> Result<Vec<String>> {
        let connection = self.state.lock();
        let sql = "SELECT json FROM temp.object WHERE key > ?1 ORDER BY key LIMIT 1000";
        let mut query = connection.prepare_cached(sql)?;
        let rows = query.query_map([after.unwrap_or("")], |row| row.get(0))?;
        Ok(rows.collect::<std::result::Result<_, _>>()?)
    }
}

fn phase_number(phase: Phase) -> i64 {
    match phase {
        Phase::Write => 1,
        Phase::Delete => 2,
        Phase::None => 3,
    }
}

fn to_json(step: &Step) -> Result<String> {
    serde_json::to_string(step).map_err(|error| Error::Row(error.to_string()))
}

fn from_json(json: &str) -> Result<Step> {
    serde_json::from_str(json).map_err(|error| Error::Row(error.to_string()))
}
